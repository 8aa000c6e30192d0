#pragma once

#include <jansson.h>

#include "base/error.h"
#include "controllers/target_pods.h"
#include "kube/client.h"

/*
 * Pods that have claimed work and are not among those of their target any more. A pod that lost its
 * labels, or whose workload was deleted without it, works on; one that the API server does not have
 * under any name is gone, and the next one may begin at once. A pod on a node that is not reached
 * is still there until somebody deletes it.
 */

/**
 * Asks the whole namespace for them, when there are any.
 *
 * @param space    Of all pods that may have claimed by this Lease.
 * @param lease    Of the target, from before the pods were read, so that whoever claimed by it was
 *                 there then.
 * @param jobs     Pods of Jobs, which are known too; a list, NULL: none.
 * @param pods     Those of the target; what is found elsewhere is added.
 * @param missing  Set to a new list of the UIDs that are gone.
 * @return         False: not known.
 */
bool claimed_pods_seek(struct kube_client *client, const char *space, const json_t *lease,
                       const json_t *jobs, struct target_pods *pods, json_t **missing,
                       struct error *err) MUST_CHECK;
