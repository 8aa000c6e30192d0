#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "controllers/agent_api.h"
#include "kube/client.h"
#include "kube/resource.h"

/*
 * Whose pod it is that asks: from its uid, which TokenReview vouches for, by owners' uids up to the
 * workload. Each link is read from the API server, nothing is taken from what the agent says.
 */

/** What was found. {0} before; release with desk_pod_done(). */
struct desk_pod {
    json_t *pod;    /* owned; whole */
    json_t *target; /* owned; {apiVersion, kind, name, namespace, uid}; of a Job without uid */
    char *text;     /* owned; "group/Kind/namespace/name" of it */
    json_t *job; /* owned; {uid, session: {kind, name, uid}} of a Job's pod, else NULL. Whether we
                    made that Job is not known from it */
};

void desk_pod_done(struct desk_pod *pod);

static inline void auto_desk_pod(struct desk_pod *pod)
{
    desk_pod_done(pod);
}

/**
 * Reads the pod and finds its workload, or its Job and the session that owns that: then target and
 * text are not known from the pod.
 *
 * @param init   It asks as our init container; nothing to a Job.
 * @param chain  What this gave for the same pod before ({maker, target}), so that its owners need
 *               not be read again; NULL: nothing.
 * @return       False: ERROR_FORBIDDEN, why it gets nothing: another pod, no container of ours, it
 *               shares its process namespace, no workload; other codes: not known.
 */
bool desk_pod_read(struct kube_client *client, const struct agent_caller *caller, bool init,
                   const json_t *chain, struct desk_pod *pod, struct error *err) MUST_CHECK;

/** {maker, target} for the next time; new reference. */
json_t *desk_pod_chain(const struct desk_pod *pod);

/** The pod alone, as TokenReview vouches for it: whole, and no other one of its name. New
 *  reference; NULL with ERROR_FORBIDDEN, or not known. */
json_t *desk_pod_get(struct kube_client *client, const struct agent_caller *caller,
                     struct error *err) MUST_CHECK;

/** The controller among the owners of an object, or NULL. Borrowed. */
const json_t *desk_owner_of(const json_t *object);

/** Reads the metadata of an owner, the very one that is meant. New reference; NULL likewise. */
json_t *desk_owner_get(struct kube_client *client, const struct kube_resource *resource,
                       const char *space, const json_t *owner, struct error *err) MUST_CHECK;
