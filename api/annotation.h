#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/findings.h"
#include "api/priority.h"
#include "api/resources.h"
#include "api/retention.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/span.h"

/**
 * What the owner of a target may write on it. Hostile text before, typed and bounded afterwards:
 * what is in here can be put into any object as it is.
 */
struct annotations {
    /* Names as they stand there, without doubles; one that can not be a name is still here (with
     * '?' for what can not be printed), so that a mistake is not taken for a removal. Borrowed from
     * `names`. */
    const char *blueprints[BLUEPRINTS_MAX];
    size_t blueprint_count;

    json_t *paths;        /* owned; ["/data"], absolute and normalised; NULL: says nothing of use */
    json_t *mounts;       /* owned; [{name, mountPath, subPath?}]; NULL likewise */
    json_t *params;       /* owned; [{name, value}]; NULL likewise */
    json_t *exclude;      /* owned; ["*.tmp"]; NULL likewise */
    json_t *dump_command; /* owned; ["pg_dump", "-Fc"]; NULL likewise */
    char *dump_container; /* owned; NULL likewise */
    char *schedule;       /* owned; a schedule that cron_parse() takes; NULL likewise */

    bool opted_out; /* granary.dev/backup: "false" */
    bool paused;
    bool restore_if_exists;
    bool has_retention, has_resources, has_priority;
    struct retention retention;
    struct resources resources;
    struct priority priority;
    int64_t timeout_ns; /* 0: not set */

    json_t *names; /* owned; what holds the blueprints' names */
};

/**
 * Reads all of ours from metadata.annotations. Every mistake becomes a warning that says what is
 * wrong, with field `metadata.annotations[KEY]`; so does a key that looks like one of ours and is
 * none. Of a list the elements without fault count; any other value with a fault does not count at
 * all. One pass over the keys, and nothing is allocated when none of them is ours.
 *
 * @param annotations  Filled in. Release with annotations_done().
 * @param tree         Object of strings; NULL and any other shape are fine. Borrowed for the call.
 */
void annotations_parse(struct annotations *annotations, const json_t *tree,
                       struct findings *findings);

/** A copy that can be bounded on its own; its lists are shared, nobody edits them. */
void annotations_copy(struct annotations *copy, const struct annotations *annotations);

void annotations_done(struct annotations *annotations);

static inline void auto_annotations(struct annotations *annotations)
{
    annotations_done(annotations);
}

/**
 * Brings what the owner wrote within what the administrator allows by `spec.overrides` of a
 * blueprint, and tells by a warning each time that something changed.
 *
 *   no overrides     schedule, paths, params, paused, exclude and restore-if-exists count; the rest
 *                    is dropped
 *   overrides: [..]  what is listed counts, the rest is dropped; an empty list lets owners set
 *                    nothing
 *   always           the blueprints' names, granary.dev/backup, granary.dev/refresh
 *
 * Retention, resources, timeout and priority are moved to the nearest bound; a schedule that is due
 * more often than `min` says is dropped, so that the blueprint's own one holds.
 *
 * @param blueprint  The whole object. Borrowed.
 *
 * Spec: design, What owners and administrators can write.
 */
void annotations_bound(struct annotations *annotations, const json_t *blueprint,
                       struct findings *findings);

/** Keys that overrides may have, with NULL at the end. Static. */
extern const char *const override_keys[];

/**
 * Judges one element of `spec.overrides`: {key, min?, max?}; bounds in the annotation's own syntax,
 * of a schedule a `min` only: the shortest time between two runs ("1h").
 *
 * @return False: ERROR_INVALID: an unknown key, bounds where there are none, or that can not be
 *         read, or that leave nothing in between.
 */
bool override_check(const json_t *override, struct error *err) MUST_CHECK;

/**
 * Judges the value of one annotation of an owner.
 *
 * @param key  KEY_SCHEDULE ..., or a parameter (KEY_PARAMS_PREFIX and a name).
 * @return     False: ERROR_NOT_FOUND for a key that is none of the owner's; ERROR_INVALID, the
 *             message is the first mistake.
 */
bool annotation_value_check(const char *key, struct span value, struct error *err) MUST_CHECK;
