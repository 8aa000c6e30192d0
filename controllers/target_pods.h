#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "controllers/hosts.h"
#include "kube/client.h"

/*
 * A target and its pods, read from the API server and never from a cache: what a pod is like
 * decides whether it gets credentials, and that it is gone proves that its work has ended.
 */

/** What was read. {0} before; release with target_pods_done(). */
struct target_pods {
    json_t *workload;      /* owned; NULL: no workload */
    json_t *pods, *makers; /* owned; lists */
    const json_t **pod_list;
    const char **owners; /* UIDs: of the workload, and of what makes its pods for it */
    size_t owner_count;
    int64_t read_s; /* as of when */
};

void target_pods_done(struct target_pods *pods);

static inline void auto_target_pods(struct target_pods *pods)
{
    target_pods_done(pods);
}

/**
 * Reads the workload, what makes its pods (the ReplicaSets of a Deployment), and all its pods.
 *
 * @param target  {apiVersion, kind, name, namespace}.
 * @param now_s   From before the call.
 * @return        False: not known. A workload that is not there has no pods, and is a success.
 */
bool target_pods_read(struct kube_client *client, const json_t *target, int64_t now_s,
                      struct target_pods *pods, struct error *err) MUST_CHECK;

/** Reads the workload, for a pod that is known already to be its own: nobody else's are listed. */
bool target_pods_of(struct kube_client *client, const json_t *target, const json_t *pod,
                    struct target_pods *pods, struct error *err) MUST_CHECK;

/** One more, wherever it was found. Shared. */
void target_pods_add(struct target_pods *pods, const json_t *pod);

/** Puts them where a session is read from; borrowed. */
void target_pods_show(const struct target_pods *pods, struct hosts_seen *seen);

/** True when a Job does the work: a claim, an application, a kind that is unknown. */
bool target_is_job(const json_t *target);

/**
 * Appends a label selector as a query has it: "a=b,c in (d,e),!f".
 *
 * @param selector  metav1.LabelSelector, or just labels.
 * @return          False: ERROR_INVALID, none that selects anything.
 */
bool target_selector(const json_t *selector, struct text *out, struct error *err) MUST_CHECK;
