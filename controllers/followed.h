#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What the status of a BackupSession says of the maintenance that followed it: the conditions
 * RetentionPolicyApplied and RepositoryIntegrityVerified, as Stash calls them. They come when the
 * session has long succeeded, and its phase never depends on them. A condition only moves forward
 * (unknown, false, true), so that each is written three times at most, whatever is tried again how
 * often. Pure. Spec: stash-behaviour 1.5.
 */

/* Seconds after the end of a session until retention that has not come is said to wait. */
#define FOLLOWED_PATIENCE_S 600

/* Seconds after the end of a session until it is history, and nothing is written any more. */
#define FOLLOWED_MAX_S 86400

/** What is known. All borrowed. */
struct followed {
    const json_t *session;
    const json_t *policy; /* retentionPolicy of its configuration; NULL: none */
    const json_t *repository;
    bool rests;          /* nothing is to be done on the Repository now, or a drill is all */
    const char *problem; /* what keeps it from being done; "": nothing */
    bool bad;            /* and that is a mistake of somebody */
    int64_t now_s;
};

/**
 * The status that the session is to have.
 *
 * @param look_s  When to ask again at the latest, lowered only.
 * @return        New reference; NULL: it stays as it is.
 */
json_t *followed_status(const struct followed *followed, int64_t *look_s);
