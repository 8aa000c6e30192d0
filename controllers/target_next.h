#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/plan.h"

/*
 * What is to be written about a target: its plan and what is there go in, the writes that are next
 * come out, Repository before BackupConfiguration. Pure. Spec: stash-behaviour 2.6 and 10.1;
 * design, Controllers.
 */

/** What is seen of a target. Borrowed. */
struct target_seen {
    const char *target;           /* "group/Kind/namespace/name" */
    const struct plan *plan;      /* NULL: it is not there any more */
    const char *const *named;     /* blueprints that its owner names; ends with NULL */
    const json_t *configurations; /* BackupConfigurations that are about it, ours or not */
    const struct cluster *cluster;
};

enum target_act {
    TARGET_APPLY_REPOSITORY,
    TARGET_APPLY_CONFIGURATION,
    TARGET_DELETE_CONFIGURATION,
};

/** One write. */
struct target_write {
    enum target_act act;
    json_t *object;       /* owned: to be applied; or what there is, to be deleted */
    const json_t *before; /* of an apply: what there is, NULL: nothing. Borrowed from the cluster */
    const char *why;      /* static, for people */
};

#define TARGET_WRITES_MAX 64u

/** All of them, in order; and what keeps some from being. Release with target_writes_done(). */
struct target_writes {
    struct target_write list[TARGET_WRITES_MAX];
    size_t count;
    const char *reason; /* of an event, static; NULL: nothing is wrong */
    char *problem;      /* owned; a sentence for people, when there is a reason */
};

void target_writes_done(struct target_writes *writes);

static inline void auto_target_writes(struct target_writes *writes)
{
    target_writes_done(writes);
}

/**
 * Decides. Nothing is written when all is as planned. A configuration is deleted only when it is
 * ours, and about this target, and its reason is gone: what can not be planned stays. A Repository
 * never is.
 *
 * @param writes  {0} before.
 */
void target_next(const struct target_seen *seen, struct target_writes *writes);

/** True when what is there has all that is wanted: each member, lists element by element. What it
 *  has besides (defaults, what other people set) is nothing to us. */
bool target_has(const json_t *there, const json_t *wanted);

/** True when this object carries our labels, and says that it is about this target. */
bool target_is_ours(const json_t *object, const char *target);
