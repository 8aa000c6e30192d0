#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "api/cluster.h"
#include "api/findings.h"
#include "api/pod.h"
#include "api/settings.h"
#include "api/target.h"
#include "base/text.h"

/** What was decided about a target. */
enum plan_state {
    PLAN_FOREIGN, /* never ours (controlled by another object, excluded namespace): untouched */
    PLAN_NONE,    /* no reason for a backup or a restore: nothing of ours belongs in there */
    PLAN_BROKEN,  /* there is a reason, but no plan can be made now: what is there stays */
    PLAN_MADE,    /* see backups and carry */
};

/** Where a backup comes from. */
enum plan_reason {
    REASON_ANNOTATION,    /* the target's own annotation */
    REASON_NAMESPACE,     /* the label of its namespace */
    REASON_CONFIGURATION, /* a BackupConfiguration that somebody wrote by hand */
};

/** One backup of the target. */
struct plan_backup {
    enum plan_reason reason;
    char *origin;       /* owned; name of the blueprint, or of the hand-made BackupConfiguration */
    json_t *repository; /* owned; NULL for a hand-made configuration, or without a name yet */
    json_t *configuration; /* owned; likewise */
    char sha256[65];       /* of both; "" without objects */
};

/**
 * What the pods of a workload must carry. Derived from inputs and the owner's template only, so
 * that equal carries mean equal containers.
 */
struct carry {
    bool backup;            /* container `stash` */
    bool restore;           /* container `stash-init`, for a waiting RestoreSession */
    bool restore_if_exists; /* container `stash-init`, for an empty volume */
    json_t *inputs;         /* owned; what the reasons say about our containers, see plan_inputs */
    json_t *mounts;         /* owned; [{name, mountPath, subPath?, subPathExpr?}] of the backup */
    json_t *restore_mounts; /* owned; the same of the restore */
    json_t *container;      /* owned; runtimeSettings.container, or NULL */
    json_t *restore_container; /* owned; likewise of the RestoreSession */
    json_t *temp_dir;          /* owned; tempDir, or NULL */
    json_t *local;             /* owned; {volume: {source}, mountPath, subPath?} or NULL */
    json_t *session;  /* owned; {uid, namespace, name, alias?, hosts?[]} of the RestoreSession, or
                         NULL */
    const char *kind; /* static; of the workload: Deployment */
    enum file_access file_access;
};

/** The whole decision. Release with plan_done(). */
struct plan {
    enum plan_state state;
    const char *why; /* one static word for logs and metrics: "no-reason", "opted-out" ... */
    struct plan_backup *backups;
    size_t backup_count;
    struct carry carry;
    bool backup_broken;  /* backups were asked for and none could be planned: the container of
                            the backup stays as it is, whatever the rest says */
    bool restore_broken; /* a RestoreSession waits that can not be used: the container that a
                            pod has for it stays */
    bool taken;          /* somebody else's container or volume has one of our names: nothing
                            is injected, whatever carry says */
    char *in_the_way;    /* owned; "namespace/name" of the hand-made BackupConfiguration that has
                            the name of one that was asked for; NULL: none */
    bool deny;           /* the administrator refuses mistakes (settings or blueprint) */
    struct findings mistakes; /* of the owner */
    struct findings cautions; /* what the owner should know, nobody's mistake */
    struct text notes;        /* what will happen, one sentence a line */
};

/** Releases what a carry holds. */
void carry_done(struct carry *carry);

static inline void auto_carry(struct carry *carry)
{
    carry_done(carry);
}

/** True when somebody wrote this BackupConfiguration himself, or has it written by a controller of
 *  his own: it neither carries our label nor belongs to a target, as those that Stash made do. Such
 *  an object is never touched. */
bool configuration_is_hand_made(const json_t *configuration);

/** Everything that a decision depends on. Borrowed. */
struct plan_request {
    const struct settings *settings;
    const struct cluster *cluster;
    const struct target *target;
    struct text *trace; /* NULL, or told in sentences which rule decided what, one a line */
    bool bare;          /* a claim that nobody uses: the label of its namespace is for it, too */
};

/**
 * Decides. Pure: equal requests give equal plans; nothing is read but the request.
 *
 * @param plan  Filled in; release with plan_done().
 *
 * Spec: design, One function decides; Stash behaviour, section 2.
 */
void plan_make(struct plan *plan, const struct plan_request *request);

void plan_done(struct plan *plan);

static inline void auto_plan(struct plan *plan)
{
    plan_done(plan);
}

/** True when both plans put the same into the pods of one template. */
bool plan_same_carry(const struct plan *a, const struct plan *b);

/** True when the pods of this plan carry nothing of ours. */
bool plan_carries_nothing(const struct plan *plan);

/**
 * SHA-256 in hex over both objects as compact JSON with sorted keys, each followed by a newline,
 * without ownerReferences, the blueprint's generation and the hash itself.
 */
void plan_sha256(const json_t *repository, const json_t *configuration, char hex[65]);

/** The same of two objects that do not carry any of that yet. */
void plan_seal(const json_t *repository, const json_t *configuration, char hex[65]);
