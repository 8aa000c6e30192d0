#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What is to be done on a repository beside backups and restores, and when: retention after each
 * session that succeeded, prune once a week, a check a day that reads another thirtieth of the data
 * each time, unlock on proof. One at a time, alone on the repository (see
 * repository_holders.h), in a Job. A drill, which only reads, shares it with backups. Pure: what is
 * found goes in, one step comes out; each step is one write with a precondition, so any of them may
 * fail or be the last before a crash.
 */

#define PRUNE_EVERY_S (7 * 86400)
#define CHECK_EVERY_S 86400

/* Seconds until what failed is tried again, doubled with each failure, at most a day. */
#define MAINTENANCE_RETRY_S 60
#define MAINTENANCE_RETRY_MAX_S 86400

/* Times in a row that one whose pod was lost is tried again at once, while nobody is let in: what
 * it left may keep everybody out. */
#define MAINTENANCE_AGAIN_MAX 3

/* Drills at once in a cluster: each reads a whole repository, and nobody waits for it. */
#define DRILLS_AT_ONCE 2

/* Seconds until a drill that has to wait for others is looked at again. */
#define DRILL_WAIT_S 30

/* Seconds until those who work for another Repository of the same place are looked at again. */
#define BESIDE_WAIT_S 15

/* Seconds between two looks when nothing tells of a change. */
#define MAINTENANCE_LOOK_S 300

/** In the order in which they are done when several are due. */
enum maintenance_kind {
    MAINTENANCE_WIPE, /* never by this: see wipe_edge.h */
    MAINTENANCE_KEY,  /* of a changed password; without it nothing else succeeds */
    MAINTENANCE_UNLOCK,
    MAINTENANCE_FORGET,
    MAINTENANCE_PRUNE,
    MAINTENANCE_CHECK,
    MAINTENANCE_VERIFY, /* a drill */
    MAINTENANCE_KINDS,
};

/** One kind's past, from the status of the Repository. */
struct maintenance_past {
    int64_t succeeded_s; /* 0: never */
    int64_t failed_s;    /* of the last failure since */
    int64_t failures;    /* since the last success */
    int64_t successes;   /* all of them */
    bool lost;           /* the last failure: its pod ended without a word */
};

/** Whose lock lies in the repository, that is none of who works now. */
enum maintenance_lock {
    LOCK_NONE,
    LOCK_OF_DEAD,    /* a pod that is proven to be gone */
    LOCK_OF_LIVING,  /* a pod that is there */
    LOCK_OF_UNKNOWN, /* nobody of this cluster */
};

/** The Job that has been made, if any. */
enum maintenance_run { RUN_NONE, RUN_GOES_ON, RUN_SUCCEEDED, RUN_FAILED };

/** The repository's ledger: somebody else or nobody works; it says that we want to; we are in. */
enum maintenance_hold { HOLD_NONE, HOLD_WANTED, HOLD_OURS };

/** What is found. */
struct maintenance {
    bool initialized; /* proven to be there */
    bool owned;       /* has the mark of this cluster */
    bool deleted;
    bool keeps;   /* the retention policy has a rule */
    bool prunes;  /* and asks for prune */
    bool damaged; /* the last check or drill found errors: nothing is removed until they are gone */
    bool removed; /* snapshots were forgotten since the last prune */
    int64_t session_s; /* end of the last session that succeeded; 0: none */
    int64_t refused_s; /* when its password last opened nothing, for whomever; 0: it never did */
    bool refusal_said; /* and its condition does not say that it opens */
    bool drills;       /* somebody asks for drills */
    bool planned;      /* and these schedules stand in the status, with their beginning */
    int64_t
        drill_s;  /* the first slot since then, or since the last that succeeded; below 0: none */
    bool crowded; /* as many drills as may be are at work in the cluster */
    bool taken;   /* an older Repository has its place, and maintains it */
    bool beside;  /* others work there for a younger Repository of its place */
    bool unlock_asked; /* a new value of the annotation */
    enum maintenance_lock lock;
    enum maintenance_hold hold;
    enum maintenance_kind held; /* for what it is ours; MAINTENANCE_KINDS: nobody knows */
    enum maintenance_run run;
    enum maintenance_kind running; /* with a run */
    bool recorded;                 /* the result of the run stands in the status */
    struct maintenance_past past[MAINTENANCE_KINDS];
};

enum maintenance_action {
    MAINTENANCE_WAIT,    /* until something changes, at most until look_s */
    MAINTENANCE_WANT,    /* ask the ledger to be let in alone */
    MAINTENANCE_UNWANT,  /* tell it that this is not needed any more */
    MAINTENANCE_RUN,     /* make the Job of `kind` */
    MAINTENANCE_REFUSED, /* write into the status that the password does not open it */
    MAINTENANCE_PLAN,    /* write the schedules of drills into the status, from now on */
    MAINTENANCE_RECORD,  /* write what came of the run into the status */
    MAINTENANCE_AGAIN,   /* the ledger names another Job of `kind`, and nobody is let in between */
    MAINTENANCE_RELEASE, /* take our holder out, on proof that the Job's pod has ended */
};

struct maintenance_step {
    enum maintenance_action action;
    enum maintenance_kind kind;
    int64_t part;        /* of a check, 1 to CHECK_PARTS */
    bool all;            /* of an unlock: all owners are proven to be dead, or a person said so */
    int64_t look_s;      /* with WAIT: when at the latest */
    const char *message; /* with WAIT: why nothing can be done; NULL: nothing has to be. Static */
};

/** The next step. */
struct maintenance_step maintenance_next(const struct maintenance *seen, int64_t now_s);

/** `forget`, `prune` ...; static. */
const char *maintenance_word(enum maintenance_kind kind);
