#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/etcd_tool.h"
#include "base/error.h"
#include "base/span.h"

/* Which members an etcd has, how they are, and whom a snapshot is taken from. Pure. */

/* Members of one cluster; etcd advises 7 at most. */
#define ETCD_MEMBERS_MAX 64u

/**
 * Reads what etcdctl says with --write-out=json. Its ids are above what a signed number holds, so
 * each number that long becomes a string.
 *
 * @return  New reference; NULL with ERROR_INVALID.
 */
json_t *etcd_json(struct span text, struct error *err) MUST_CHECK;

/** [{name, id, peerURLs, clientURLs, learner}] of `member list`, ids as hex digits. New reference;
 *  NULL with ERROR_INVALID: nothing that can be read, or no members. */
json_t *etcd_members_read(const json_t *list, struct error *err) MUST_CHECK;

/** What is known of a cluster. All borrowed. */
struct etcd_seen {
    const json_t *members;  /* of etcd_members_read() */
    const json_t *statuses; /* of `endpoint status` */
    const json_t *alarms;   /* of `alarm list`, or NULL */
};

/** Who a snapshot may be taken from. */
struct etcd_candidate {
    const char *endpoint;        /* borrowed of the statuses */
    char member[17];             /* id, hex digits */
    struct etcd_version version; /* of the server */
    const char *server;          /* the same as it says it; borrowed */
    bool leader;
    int64_t revision;
};

/**
 * Those that are healthy, in the order in which they are to be tried: who does not lead before who
 * does, of those who is farther before who lags behind. Without a leader, as learner, with an error
 * or the alarm CORRUPT nobody is healthy.
 *
 * @param out    Room for ETCD_MEMBERS_MAX.
 * @param why    Why others are none of them, for people; or NULL.
 * @return       How many.
 */
size_t etcd_candidates(const struct etcd_seen *seen, struct etcd_candidate *out, struct text *why);

/** The highest revision that any of them has. */
int64_t etcd_revision(const struct etcd_candidate *candidates, size_t count);

/** True when an alarm of this number is on (1: NOSPACE, 2: CORRUPT). */
bool etcd_has_alarm(const json_t *alarms, int64_t number);

/**
 * The StatefulSet that members run in: what was said of the one that has pods of their names, or of
 * the hosts in their peer URLs ("etcd-0").
 *
 * @param workloads  [{name, ...}] of the AppBinding's environment, or NULL.
 * @return           Borrowed; NULL: none of them.
 */
const json_t *etcd_workload(const json_t *workloads, const json_t *members);

/** "m0=http://...,m1=http://...": --initial-cluster of a restore. Heap string. */
char *etcd_initial_cluster(const json_t *members);
