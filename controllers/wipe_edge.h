#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/maintenance_edge.h"

/*
 * Removing the data of a Repository that was deleted and asked for it (wipeOut). It begins with the
 * DELETED event of a watch, which carries the last state; nobody else remembers: a leader that was
 * not there, or ends in between, leaves the data. All that can keep it from being done is read anew
 * just before the Job is made. Spec: docs/maintenance.md, wipeOut.
 */

/* Seconds after the deletion: a Repository that was replaced (deleted and made again) is back by
 * then. */
#define WIPE_GRACE_S 30

/* Seconds after which a removal that was always kept from it is given up. */
#define WIPE_MAX_S 21600

/* Seconds until one that failed is tried again, doubled with each failure; and how often. */
#define WIPE_RETRY_S 60
#define WIPE_TRIES 8

/** What the removal may be kept from by. All borrowed. */
struct wipe_facts {
    const json_t *repository; /* its last state */
    const json_t *living;     /* Repositories there are */
    const json_t *space;      /* its Namespace; NULL: gone */
    const json_t *kind;       /* the CustomResourceDefinition of Repositories; NULL: gone */
};

/** Why data stay: one sentence, which the caller frees; NULL: nothing speaks for it. Pure. */
char *wipe_refused(const struct wipe_facts *facts);

/** A Repository that has gone. */
struct wipe_memory {
    const json_t *repository; /* its last state; borrowed */
    int64_t gone_s;
    int64_t failures;
    int64_t not_before_s; /* after a failure */
};

/** What a step led to. */
struct wipe_turn {
    bool ended;      /* nothing more is to be done */
    bool failed;     /* one try more has failed */
    bool let_in;     /* others may work there now */
    int64_t again_s; /* else: seconds until the next look */
};

/**
 * Takes a step.
 *
 * @param edge  Its `tell` is told how it ended, of the Repository that has gone.
 */
bool wipe_edge_step(const struct maintenance_edge *edge, const struct wipe_memory *memory,
                    bool restricted, int64_t now_s, struct wipe_turn *turn,
                    struct error *err) MUST_CHECK;
