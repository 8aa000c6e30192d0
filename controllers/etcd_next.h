#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The restore of an etcd that runs as a StatefulSet: seven steps, each recorded in the
 * RestoreSession before the next one begins, so that whoever is killed in between goes on from
 * there. Prove the snapshot and plan; scale to 0; wait until the pods are gone; one Job for each
 * member, on its volume; scale up; wait until the members are healthy; done. Where a Job fails, or
 * a person says so, the Jobs of undoing bring the old data dirs back and the replicas are given
 * back. Nothing of etcd has to be alive. Pure: what is found goes in, one step comes out; each step
 * is one write that may be made again.
 */

#define ETCD_MEMBERS_MAX 9u

/* Seconds between two looks. */
#define ETCD_LOOK_S 5

/** How far the session's status says that it is. */
enum etcd_stage {
    ETCD_STAGE_NEW,
    ETCD_STAGE_PLANNED,   /* the plan stands in a condition; nothing was touched */
    ETCD_STAGE_DOWN,      /* the replicas are recorded; they go to 0 */
    ETCD_STAGE_RESTORING, /* no pod is left; Jobs write the data dirs */
    ETCD_STAGE_RESTORED,  /* all of them have; the replicas come back, and are to become healthy */
    ETCD_STAGE_STOPPING,  /* undoing: the replicas go to 0 again */
    ETCD_STAGE_UNDOING,   /* no pod is left; Jobs bring the old data dirs back */
    ETCD_STAGE_UNDONE,    /* all of them have; the replicas come back */
    ETCD_STAGE_SUCCEEDED,
    ETCD_STAGE_FAILED,
};

enum etcd_job { ETCD_JOB_NONE, ETCD_JOB_RUNS, ETCD_JOB_DONE, ETCD_JOB_FAILED };

/** What is found; texts are borrowed. */
struct etcd_restore {
    enum etcd_stage stage;
    const char *cannot; /* why there is no plan: no volume, a bad snapshot; NULL: there is */
    bool dry_run;       /* only the plan is asked */
    bool rollback;      /* a person asks for the old data */
    bool may_scale;     /* the role granary-scale is bound here */
    bool written;       /* DOWN was recorded: something may have been replaced */
    bool undone;        /* UNDONE was */
    int64_t replicas;   /* of the StatefulSet now */
    int64_t recorded;   /* in the session, at DOWN; 0: it was down already */
    size_t pods;        /* of it that exist, those that end too */
    size_t members;
    enum etcd_job proof, health;
    enum etcd_job restore[ETCD_MEMBERS_MAX], undo[ETCD_MEMBERS_MAX];
};

enum etcd_action {
    ETCD_WAIT,   /* until something changes, at most until look_s; `message` says for what */
    ETCD_RECORD, /* the stage `stage`; with DOWN the replicas, with FAILED `message` */
    ETCD_SCALE,  /* to `replicas` */
    ETCD_PROVE,  /* the Job that proves the snapshot */
    ETCD_MAKE,   /* the Job of `member`: it restores */
    ETCD_UNDO, /* the Job of `member`: it brings back what this very session replaced, if it did */
    ETCD_ASK,  /* the Job that waits until all members are healthy */
    ETCD_END,  /* nothing is left to do */
};

struct etcd_step {
    enum etcd_action action;
    enum etcd_stage stage;
    int64_t replicas;
    size_t member;
    int64_t look_s;
    const char *message; /* static, or `cannot` */
};

/** The next step. */
struct etcd_step etcd_next(const struct etcd_restore *seen, int64_t now_s);
