#include "controllers/maintenance_pods.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/job_volumes.h"
#include "controllers/maintenance_job.h"
#include "kube/meta.h"
#include "kube/verbs.h"

/* Seconds that a Job's pod has to start: others wait for it. */
#define START_MAX_S 900

bool maintenance_job_get(struct kube_client *client, const char *space, const char *name,
                         json_t **job, struct error *err)
{
    static const struct kube_resource jobs = {"batch", "v1", "jobs", "Job", true};
    const struct kube_ref ref = {&jobs, space, name, NULL};

    *job = kube_get(client, &ref, err);
    return *job || err->code == ERROR_NOT_FOUND;
}

json_t *maintenance_pods(struct kube_client *client, const char *space, const char *job,
                         struct error *err)
{
    AUTO(free) char *labels = text_format("job-name=%s", job);
    const struct kube_watched watched = {
        .resource = {"", "v1", "pods", "Pod", true}, .space = space, .labels = labels};

    return kube_list(client, &watched, NULL, err);
}

bool maintenance_have_ended(const json_t *pods)
{
    const json_t *pod;
    size_t i;

    tree_items (pods, i, pod) {
        struct span phase = tree_span(tree_get(pod, "status"), "phase");

        if (!span_is(phase, "Succeeded") && !span_is(phase, "Failed"))
            return false;
    }
    return true;
}

bool maintenance_sweep_job(struct kube_client *client, const char *space, struct holders *holders,
                           size_t *gone, struct error *err)
{
    AUTO(json) json_t *pods = maintenance_pods(client, space, holders->list[0].pod, err);

    if (!pods)
        return false;
    *gone = maintenance_have_ended(pods) ? holders_clear(holders) : 0;
    return true;
}

static bool has_condition(const json_t *job, const char *type)
{
    return condition_status(tree_at(job, "status.conditions"), type) == CONDITION_TRUE;
}

enum maintenance_run maintenance_run_of(const json_t *job, const json_t *pods)
{
    if (!job)
        return maintenance_have_ended(pods) ? RUN_NONE : RUN_GOES_ON;
    if (has_condition(job, "Complete"))
        return RUN_SUCCEEDED;
    return has_condition(job, "Failed") ? RUN_FAILED : RUN_GOES_ON;
}

struct span maintenance_last_word(const json_t *pods)
{
    const json_t *pod = json_array_get(pods, json_array_size(pods) ? json_array_size(pods) - 1 : 0);
    const json_t *container =
        tree_item(tree_at(pod, "status.initContainerStatuses"), "name", MAINTENANCE_CONTAINER);

    if (!container)
        container = json_array_get(tree_at(pod, "status.containerStatuses"), 0);
    return tree_span(tree_at(container, "state.terminated"), "message");
}

/* A pod is Pending until all its init containers have ended: of a drill the agent is one. */
static bool has_begun(const json_t *pod)
{
    const json_t *state = tree_get(
        tree_item(tree_at(pod, "status.initContainerStatuses"), "name", MAINTENANCE_CONTAINER),
        "state");

    return tree_get(state, "running") || tree_get(state, "terminated");
}

bool maintenance_never_starts(const json_t *job, const json_t *pods, int64_t now_s)
{
    int64_t made_s;
    const json_t *pod;
    size_t i;

    if (!meta_made(job, &made_s) || now_s - made_s < START_MAX_S)
        return false;
    tree_items (pods, i, pod)
        if (has_begun(pod) || !span_is(tree_span(tree_get(pod, "status"), "phase"), "Pending"))
            return false;
    return true;
}

static json_t *list_of(struct kube_client *client, const struct kube_resource *resource,
                       const char *space, struct error *err)
{
    const struct kube_watched watched = {.resource = *resource, .space = space};

    return kube_list(client, &watched, NULL, err);
}

bool maintenance_places(struct kube_client *client, const json_t *repository, json_t **claims,
                        json_t **attached, struct error *err)
{
    static const struct kube_resource claim_resource = {"", "v1", "persistentvolumeclaims",
                                                        "PersistentVolumeClaim", true},
                                      pod_resource = {"", "v1", "pods", "Pod", true};
    const char *space = tree_text(tree_get(repository, "metadata"), "namespace");
    const json_t *pod;
    size_t i;

    *claims = *attached = NULL;
    if (!tree_at(repository, "spec.backend.local.persistentVolumeClaim"))
        return true;

    AUTO(json) json_t *found = list_of(client, &claim_resource, space, err);
    AUTO(json) json_t *all = found ? list_of(client, &pod_resource, space, err) : NULL;

    if (!all)
        return error_wrap(err, "%s", "where the claim of the repository is");
    *claims = TAKE(found);
    *attached = json_object();
    tree_items (all, i, pod)
        job_note_attached(*attached, pod);
    return true;
}
