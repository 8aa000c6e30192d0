#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What backups and restores have in common: a session works on one target, host by host, and holds
 * the target's Lease while it does. Pure: what is found goes in, one step comes out. Each step is
 * one write with a precondition (the resource version of what was found), so a step may fail, be
 * the last one before a crash, or be that of a leader who is none any more; who carries it out
 * looks again and asks again.
 *
 * The Lease is the ledger of the target: which session holds it, and which pods have claimed
 * work of it. A claim is written there before its work is handed out, and goes only on proof that
 * this work has ended: the agent's result stands in the status, or its pod or container is gone.
 * The Lease is given back when no claim is left, also when its session has long been deleted: so
 * two sessions never work on one target, whatever their phases say.
 */

/* Tries of one host in one session: pods move, nodes die, but three in one session is a pattern. */
#define WORK_ATTEMPTS_MAX 3

/* Seconds that something seen in a pod (an image that can not be pulled, no node) may last: the
 * kubelet's own back-off grows to five minutes. */
#define WORK_TROUBLE_S 600

/* Seconds until work that nobody asks for, while nothing is seen, has failed: a kubelet may show an
 * agent its identity after two minutes. */
#define WORK_UNCLAIMED_S 900

/* Seconds that steps before the agent's may take where no timeOut is given: dumps of hours. */
#define WORK_STEPS_MAX_S 86400

/* Seconds without a sign of life of an agent whose pod is there; it gives one every ten. */
#define WORK_SILENT_S 900

/* Seconds that a workload may be without any pod: one with strategy Recreate is for a while. */
#define WORK_EMPTY_S 600

/* Seconds that what follows may take: pruning a large repository takes hours. */
#define WORK_AFTER_MAX_S 86400

/* Seconds between two looks when nothing tells of a change. */
#define WORK_LOOK_S 60

/* Why a host failed whose Job can not be made. */
#define WORK_JOB_NOT_MADE "JobNotMade"

enum work_phase { WORK_PENDING, WORK_RUNNING, WORK_ENDED };
enum work_lock { WORK_LOCK_FREE, WORK_LOCK_OURS, WORK_LOCK_TAKEN };
enum work_result { WORK_OPEN, WORK_SUCCEEDED, WORK_FAILED };

/** Work that follows when all hosts have succeeded (retention, verification): not asked for, not
 *  begun, begun, ended. */
enum work_after {
    WORK_AFTER_NONE,
    WORK_AFTER_WAITING,
    WORK_AFTER_RUNNING,
    WORK_AFTER_SUCCEEDED,
    WORK_AFTER_FAILED
};

/** One host of the target. Texts are borrowed. */
struct work_host {
    const char *name;
    bool expected;           /* a pod that carries the agent is there, or will be */
    enum work_result result; /* as the status has it */
    bool claimed;            /* as the ledger has it */
    bool gone;               /* who claimed it is proven to be gone */
    int64_t attempt;         /* of the ledger; 0: never claimed */
    int64_t heard_s;         /* last sign of life of who claimed it */
    const char *trouble;     /* what is seen of its pod, such as "ImagePullBackOff"; or NULL */
    int64_t trouble_since_s;
    bool hopeless; /* that will not pass: the Job has failed, or was deleted */
    bool has_job;  /* we made it */
    bool job_runs; /* it is there and has not ended */
    bool busy;     /* other people's steps are at work before the agent's */
};

/** What is found. Texts are borrowed. */
struct work {
    enum work_phase phase;
    bool removed; /* the session was deleted, or what asked for it */
    enum work_lock lock;
    int64_t started_s;   /* since when the session holds the Lease */
    int64_t deadline_s;  /* 0: none */
    int64_t watched_s;   /* since when this leader looks: nobody's silence before counts */
    int64_t moved_s;     /* when a host was last claimed or got a result; 0: not yet */
    int64_t unclaimed_s; /* patience with those that nobody asks for; 0: WORK_UNCLAIMED_S */
    int attempts_max;    /* WORK_ATTEMPTS_MAX */
    bool begun_counts;   /* a host that was begun is never left out, also when it is scaled away */
    bool needs_executor; /* Jobs do the work, one each host */
    int64_t jobs_max;    /* of them at once; 0: as many as there are hosts */
    bool crowded;        /* there are as many Jobs in the cluster as may be: no further one */
    int32_t total;       /* hosts, as the status has it; -1: not yet */
    enum work_after after;
    int64_t after_since_s; /* when it was begun */
    const struct work_host *hosts;
    size_t host_count;
};

enum work_action {
    WORK_WAIT,      /* until something changes, at most until look_s */
    WORK_LOCK,      /* write the session into the Lease, which is free */
    WORK_START,     /* phase Running, with `total` hosts */
    WORK_EXECUTE,   /* make the Job of `host`, and record its UID */
    WORK_COUNT,     /* `total` hosts: the workload was scaled */
    WORK_DROP,      /* take the claim of `host` out of the ledger: its work has ended */
    WORK_DISMISS,   /* delete the Job of `host`: nobody is to ask for its work any more */
    WORK_FAIL_HOST, /* `host` has failed: `reason`, `message` */
    WORK_AFTER,     /* begin what follows */
    WORK_END,       /* final phase: `succeeded`, else `cause` and `message` */
    WORK_UNLOCK,    /* give the Lease back, which has no claim any more */
    WORK_DONE,      /* nothing is left to do here */
};

/** Why a session failed; which condition says so. */
enum work_cause {
    WORK_NO_CAUSE,
    WORK_DEADLINE,  /* DeadlineExceeded */
    WORK_DISRUPTED, /* BackupDisrupted: removed, no pods */
    WORK_HOSTS,     /* a host failed */
    WORK_FOLLOWING, /* what follows failed; that has its own condition */
};

struct work_step {
    enum work_action action;
    size_t host;
    int32_t total;
    bool succeeded;
    enum work_cause cause;
    const char *reason; /* one word, static */
    char message[256];
    int64_t look_s; /* with WAIT: when at the latest */
};

/** The next step. Pure; the order of the rules is the order of the function's table. */
struct work_step work_next(const struct work *work, int64_t now_s);

/** True when an agent may begin (or go on with) this host: the session runs, holds the Lease, is
 *  before its deadline and waits for that host. */
bool work_is_offered(const struct work *work, size_t host, int64_t now_s);

/** True when an agent that has claimed this host is to go on. */
bool work_goes_on(const struct work *work, size_t host, int64_t now_s);

/** True when a Job was made for one of the hosts. */
bool work_has_job(const struct work *work);

/** How many hosts count: those that are expected and those that have a result. */
int32_t work_total(const struct work *work);
