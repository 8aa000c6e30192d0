#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controllers/claims.h"

/*
 * What a pod hears whose volume is empty, when nobody asked for a restore by name (annotation
 * granary.dev/restore-if-exists). Pure. Spec: design, Restores that can not destroy.
 */

/** What is found; all borrowed. */
struct if_exists {
    const char *kind;             /* of the workload */
    const json_t *configurations; /* BackupConfigurations of it, a list */
    const json_t *sessions;       /* BackupSessions of all of these, a list */
    const json_t *restores;       /* RestoreSessions of it, a list */
    const json_t *pod;            /* who asks */
    const json_t *const *pods;    /* those that the workload's selector finds */
    size_t pod_count;
    const char *const *owners; /* UIDs of who makes its pods */
    size_t owner_count;
    const struct claims *claims; /* ledger of the workload's sessions; NULL: there is none */
};

enum if_exists_answer {
    IF_EXISTS_HOLD,   /* it can not be known yet */
    IF_EXISTS_FRESH,  /* the application may start */
    IF_EXISTS_RESTORE /* from `session`, or from what the repository says */
};

/** The decision. Borrows from what was found; release with if_exists_done(). */
struct if_exists_step {
    enum if_exists_answer answer;
    const json_t *configuration; /* whose repository it is; NULL: none */
    const json_t *session;       /* NULL: none is known that has succeeded */
    const char *beside; /* UID of the session that other pods were restored from; NULL: none */
    char *host;         /* owned; whom the pod stands for; NULL: not known */
    char message[512];  /* why, for people */
};

void if_exists_done(struct if_exists_step *step);

static inline void auto_if_exists_step(struct if_exists_step *step)
{
    if_exists_done(step);
}

/**
 * Decides: from the newest session that has succeeded, and from no other one. A host that it did
 * not cover starts fresh, and so does who comes while another pod of the workload runs on data,
 * unless that was restored from this very session: pods of a workload that is made anew start one
 * after the other.
 */
struct if_exists_step if_exists_next(const struct if_exists *seen);

/* Seconds until a restore that failed is tried again, doubled with each failure, at most ten
 * minutes. */
#define IF_EXISTS_RETRY_S 15
#define IF_EXISTS_RETRY_MAX_S 600

/** The word for the session in a ledger of such restores. */
#define IF_EXISTS_LEDGER "if-exists"

/** The text of the target under which the Lease with that ledger is found; the caller frees it. */
char *if_exists_target(const char *target);

/**
 * Claims the restore of a host: one pod at a time.
 *
 * @param claims  Edited; borrows from the rest.
 * @param gone    Who has claimed it is gone, or has started its application.
 * @return        The attempt; 0: not now.
 */
int64_t if_exists_claim(struct claims *claims, const char *host, const struct claims_caller *caller,
                        bool gone, int64_t now_s);

/** Notes how it ended: a success is forgotten, a failure is tried again. */
void if_exists_ended(struct claims *claims, const char *host, bool succeeded, int64_t now_s);

/** Who has claimed a host, or NULL. Borrowed. */
const char *if_exists_holder(const struct claims *claims, const char *host);

/** True when this pod of the list is not there any more, or its application was let start. */
bool if_exists_is_over(const json_t *const *pods, size_t count, const char *uid);
