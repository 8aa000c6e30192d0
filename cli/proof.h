#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/*
 * What a person has to know before he removes the locks of a repository, or takes it over from
 * another cluster. From objects of the API alone: nobody opens the repository for it. Pure.
 */

/** What was read. All borrowed; any shape. */
struct proof_seen {
    const json_t *repository;
    const json_t *configurations, *sessions, *restores; /* of its namespace */
    long workers; /* pods of this cluster that its ledger names; below 0: it may not be read */
};

/**
 * Appends a line for each thing that says that somebody's lock is in the way (maintenance and
 * sessions that failed with RepositoryLocked), and for each session that is at work there.
 *
 * @return How many of the former there are.
 */
size_t proof_of_locks(const struct proof_seen *seen, struct text *text);

/** Whose a repository is. */
enum proof_owner {
    OWNER_UNKNOWN, /* no session has looked */
    OWNER_US,
    OWNER_OTHER,
};

/**
 * Whose it is, as its condition BackendRepositoryOwned says.
 *
 * @param uid  Of OWNER_OTHER: the UID of the cluster that owns it, borrowed; length 0 when the
 *             message names none.
 */
enum proof_owner proof_of_owner(const json_t *repository, struct span *uid);
