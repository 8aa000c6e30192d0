#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/known.h"

/*
 * Bare claims: PersistentVolumeClaims of a namespace whose label asks for backups that no workload
 * there names and that no pod has mounted for a while. Others are backed up with what uses them.
 * Deciding is pure. Spec: design, Controllers (Bare claims).
 */

/** For so long no pod may have mounted it, unless somebody says otherwise. */
#define BARE_AFTER_MS 600000

/** What uses the claims of a namespace. {0} before; release with claim_users_done(). */
struct claim_users {
    json_t *workloads; /* owned; claim -> true: a workload names it */
    json_t *stems;     /* owned; of claims that StatefulSets make: "data-db-", a number follows */
    json_t *pods;      /* owned; claim -> true: a pod has it */
};

void claim_users_done(struct claim_users *users);

static inline void auto_claim_users(struct claim_users *users)
{
    claim_users_done(users);
}

/** Takes what a workload or a pod names; of any shape. */
void claim_users_add(struct claim_users *users, const json_t *object);

/**
 * Reads the workloads and the pods of a namespace, page by page, of which only the names of claims
 * are kept: no more memory than a page. Pods that have ended use nothing.
 *
 * @return  False: not known.
 */
bool claim_users_read(struct claim_users *users, struct known *known, struct kube_client *client,
                      const char *space, struct error *err) MUST_CHECK;

/** What is seen of a claim. Borrowed. */
struct bare_seen {
    const json_t *claim;        /* whole */
    const json_t *repositories; /* of its namespace: what they store in is no data */
    const struct claim_users *users;
    bool backed_up;    /* as a bare claim, already: then only a workload takes it */
    int64_t unused_ms; /* since a pod was first seen not to have it; 0: just now */
    int64_t after_ms;  /* see BARE_AFTER_MS */
};

/** True when its users have to be read: it has data of its own that could be backed up. */
bool bare_is_possible(const struct bare_seen *seen);

enum bare_verdict {
    BARE_NOT,   /* until something changes */
    BARE_USED,  /* by a pod: to be looked at again after wait_ms */
    BARE_WAITS, /* not for long enough: likewise */
    BARE_IS,
};

struct bare_next {
    enum bare_verdict verdict;
    int64_t wait_ms;
};

/** Decides. */
struct bare_next bare_next(const struct bare_seen *seen);
