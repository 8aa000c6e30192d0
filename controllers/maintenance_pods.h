#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "controllers/maintenance_next.h"
#include "controllers/repository_holders.h"
#include "kube/client.h"

/* What has become of a Job of maintenance, and of its pods: read anew, never from a cache. */

/** Reads the Job; *job is NULL when there is none. */
bool maintenance_job_get(struct kube_client *client, const char *space, const char *name,
                         json_t **job, struct error *err) MUST_CHECK;

/** Its pods. New array. */
json_t *maintenance_pods(struct kube_client *client, const char *space, const char *job,
                         struct error *err) MUST_CHECK;

/** True when none of them can write any more. */
bool maintenance_have_ended(const json_t *pods);

/**
 * Takes the Job that has a repository alone out of its ledger once none of its pods, read anew, can
 * write any more.
 *
 * @param space    Of the Job.
 * @param holders  Exclusive ones; edited.
 * @param gone     How many went.
 */
bool maintenance_sweep_job(struct kube_client *client, const char *space, struct holders *holders,
                           size_t *gone, struct error *err) MUST_CHECK;

/** How it goes, or went. @param job  NULL: there is none, then its pods say whether it goes on. */
enum maintenance_run maintenance_run_of(const json_t *job, const json_t *pods);

/** The last word of the pod that has ended; absent when nobody heard it. Before the commands of a
 *  drill the agent is an init container. */
struct span maintenance_last_word(const json_t *pods);

/** True when its pod still has no node or no image after the time that others may wait for it. */
bool maintenance_never_starts(const json_t *job, const json_t *pods, int64_t now_s);

/**
 * Where a Job of a Repository has to be whose backend is a claim: an RWO claim that an application
 * mounts is on that one node.
 *
 * @param claims    Of its namespace; NULL of other backends.
 * @param attached  {claim: node}, see job_volumes.h; NULL likewise. Both to be released.
 */
bool maintenance_places(struct kube_client *client, const json_t *repository, json_t **claims,
                        json_t **attached, struct error *err) MUST_CHECK;
