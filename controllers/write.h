#pragma once

#include "controllers/loops.h"
#include "kube/verbs.h"

/*
 * How loops write objects that they state as a whole: server-side apply with our field manager, and
 * deletion of exactly what was seen. With a folder nothing is written but shown.
 */

/** The one field manager of what the controller applies. Who states other members of the same
 *  object takes another one, or an update: an apply gives up what it does not say. */
#define WRITE_MANAGER "granary"

/** Of a create, an update or a patch of ours. */
extern const struct kube_options write_ours;

/** What became of it. */
enum write_end {
    WRITE_DONE,
    WRITE_GONE,   /* there is nothing to write to: its namespace ends, or it is not there */
    WRITE_HELD,   /* others hold some of its fields by an apply of their own, see err */
    WRITE_FAILED, /* see err; also: somebody was faster */
};

/**
 * Applies. Fields that somebody has edited by hand are taken back; those that another manager
 * states by an apply of his own are not.
 *
 * @param why     For people, with a folder.
 */
enum write_end write_apply(struct loops *loops, enum known_kind kind, const json_t *intent,
                           const char *why, struct error *err) MUST_CHECK;

/** Deletes this very object in this very state. */
enum write_end write_delete(struct loops *loops, enum known_kind kind, const json_t *object,
                            const char *why, struct error *err) MUST_CHECK;
