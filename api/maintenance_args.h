#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What is run on a repository beside backups and restores, as argument vectors. Each value stands
 * in one argument with its flag ("--host=x"), so none can become a flag. Pure.
 */

/** Days in which all data of a repository have been read once. */
#define CHECK_PARTS 30

/** Whose snapshots are judged. All borrowed. */
struct forget_of {
    const char *host; /* NULL: each host of the tag, by itself */
    const char *tag;  /* that only this target's snapshots have; NULL: those of Stash have none */
    const json_t *paths; /* of its backups; needed without a tag */
    bool untagged;       /* with a tag, a host and paths: also what of those has no tag at all */
};

/**
 * `restic forget` for one target, so that a repository which several targets share keeps what is
 * not this one's. Paths that are not backed up any more are judged as groups of their own.
 *
 * @param policy  retentionPolicy. Borrowed.
 * @param args    Set to a new array, or to NULL: there is no rule, and all is kept.
 * @return        False: ERROR_INVALID: neither a tag nor paths say whose they are, neither a tag
 * nor a host, a rule that restic would not take.
 *
 * Spec: restic's manual, forget; stash-behaviour 1.2 and 10.1.
 */
bool forget_args(const struct forget_of *of, const json_t *policy, json_t **args,
                 struct error *err) MUST_CHECK;

/** True when the policy has a rule that keeps something. Without any, nothing is forgotten. */
bool forget_has_rules(const json_t *policy);

/** What is in the repository, and how large it is: two argument vectors, appended. */
void maintenance_look_args(json_t *runs);

/** `restic prune`, dry when the policy says so. New array. */
json_t *prune_args(const json_t *policy);

/** `restic check` of the structure, and of one part (1 to CHECK_PARTS) of the data; 0: of none. New
 *  array. */
json_t *check_args(int64_t part);

/** `restic unlock`: of locks that restic itself takes for stale, or of all of them, which is for
 *  those who have proof that all their owners are dead. New array. */
json_t *unlock_args(bool all);
