#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/pod_trouble.h"

/*
 * The hosts of a target, from what is seen of its pods: those that really carry our agent, and
 * those that will. Pure. Spec: stash-behaviour 5.5 (totalHosts) and 6.3 (names).
 */

/* Hosts of one target: nodes of the largest cluster that Kubernetes supports. */
#define HOSTS_MAX 5000u

/** The Job that we made for a host; texts are borrowed. */
struct host_job {
    const char *host, *uid;
};

/** What is seen of a target; texts are borrowed. */
struct hosts_seen {
    const char *alias;         /* of the target; NULL: none */
    const json_t *workload;    /* whole object; NULL: a claim or an application */
    const char *const *owners; /* UIDs of the controllers whose pods are its own: of the workload,
                                  of the ReplicaSets of a Deployment */
    size_t owner_count;
    const json_t *const *pods; /* whole objects */
    size_t pod_count;
    bool init;          /* a restore by the init container */
    bool job;           /* Jobs do the work: `pods` are theirs, one Job each host */
    const json_t *jobs; /* array of them, as they are now: what is not there was deleted */
    int64_t claim_sets; /* so many sets of claims are restored into; 0: no such, see workload */
    const struct host_job *recorded; /* those that we made */
    size_t recorded_count;
};

/** One host. */
struct host {
    char *name;                 /* owned */
    const char *pod, *uid;      /* of the pod that stands for it, NULL: none yet. Borrowed */
    bool expected;              /* a pod that carries the agent is there, or will be */
    bool hopeless;              /* its Job has failed, or was deleted */
    bool job_runs;              /* its Job is there and has not ended */
    bool busy;                  /* steps before the agent's are at work in it */
    struct pod_trouble trouble; /* of that pod; owned */
};

/** All of them, each name once, in the order of their bytes. */
struct hosts {
    struct host *list;
    size_t count;
};

/**
 * Lists the hosts, and those of a StatefulSet whose pods lack the agent as not expected: a backup
 * leaves them alone. Of a restore whose container stands in the template they are expected, since
 * pods that have it come in their place; it must not end before. Of several pods that stand for one
 * host (a Deployment's, two of a node in an update) it is one that works; when none does, the one
 * whose trouble is the youngest.
 *
 * @param hosts  Filled on success; release with hosts_done().
 * @return       False: ERROR_INVALID, more than HOSTS_MAX.
 */
bool hosts_read(const struct hosts_seen *seen, struct hosts *hosts, struct error *err) MUST_CHECK;

void hosts_done(struct hosts *hosts);

static inline void auto_hosts(struct hosts *hosts)
{
    hosts_done(hosts);
}

/** Where a name stands in a list, or -1. */
long hosts_find(const struct hosts *hosts, const char *name);

/** True while a Job is there and has not ended. NULL: no. */
bool hosts_job_runs(const json_t *job);

/** True when this pod carries our agent: our container, with our mark. */
bool hosts_carries(const json_t *pod, bool init);
