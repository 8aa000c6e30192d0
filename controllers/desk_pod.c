#include "controllers/desk_pod.h"

#include <string.h>

#include "api/keys.h"
#include "api/pod.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/hosts.h"
#include "controllers/session_make.h"
#include "kube/verbs.h"

static const struct kube_resource pod_resource = {"", "v1", "pods", "Pod", true};

void desk_pod_done(struct desk_pod *pod)
{
    json_decref(pod->pod);
    json_decref(pod->target);
    free(pod->text);
    json_decref(pod->job);
    *pod = (struct desk_pod){0};
}

static bool forbid(struct error *err, const char *why)
{
    return error_set(err, ERROR_FORBIDDEN, "%s", why);
}

static bool is_uid(const json_t *object, const char *uid)
{
    return uid && *uid && span_is(tree_span(tree_get(object, "metadata"), "uid"), uid);
}

json_t *desk_pod_get(struct kube_client *client, const struct agent_caller *caller,
                     struct error *err)
{
    const struct kube_ref ref = {&pod_resource, caller->space, caller->pod, NULL};
    AUTO(json) json_t *pod = kube_get(client, &ref, err);

    if (!pod && err->code == ERROR_NOT_FOUND)
        forbid(err, "the pod is not there");
    if (pod && !is_uid(pod, caller->pod_uid)) {
        forbid(err, "another pod has this name");
        return NULL;
    }
    return TAKE(pod);
}

const json_t *desk_owner_of(const json_t *object)
{
    return target_controller(tree_get(object, "metadata"));
}

json_t *desk_owner_get(struct kube_client *client, const struct kube_resource *resource,
                       const char *space, const json_t *owner, struct error *err)
{
    const struct kube_ref ref = {resource, space, tree_text(owner, "name"), NULL};
    AUTO(json) json_t *found = kube_get_metadata(client, &ref, err);

    if (!found && err->code == ERROR_NOT_FOUND)
        forbid(err, "an owner of the pod is not there");
    if (found && !is_uid(found, tree_text(owner, "uid"))) {
        forbid(err, "another object has the name of an owner of the pod");
        return NULL;
    }
    return TAKE(found);
}

static json_t *target_of(const json_t *owner, const char *space)
{
    static const char *const keys[] = {"apiVersion", "kind", "name", "uid"};
    json_t *target = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        tree_put_text(target, keys[i], tree_text(owner, keys[i]));
    tree_put_text(target, "namespace", space);
    return target;
}

/* A ReplicaSet is a target of its own unless somebody controls it. */
static json_t *follow(struct kube_client *client, const char *space, const json_t *owner,
                      const struct target_kind *kind, struct error *err)
{
    const struct kube_resource resource = {kind->group, "v1", kind->resource, kind->kind, true};
    AUTO(json) json_t *maker = NULL;

    if (!kind->owned_is_foreign)
        return target_of(owner, space);
    maker = desk_owner_get(client, &resource, space, owner, err);
    if (!maker)
        return NULL;
    return target_of(desk_owner_of(maker) ? desk_owner_of(maker) : owner, space);
}

static json_t *find_target(struct kube_client *client, const char *space, const json_t *pod,
                           const json_t *chain, struct error *err)
{
    const json_t *owner = desk_owner_of(pod);
    const struct target_kind *kind = target_kind_in(owner);

    if (!kind || kind->class != TARGET_WORKLOAD) {
        forbid(err, "the pod belongs to no workload");
        return NULL;
    }
    if (chain && span_equal(tree_span(chain, "maker"), tree_span(owner, "uid")))
        return tree_copy(tree_get(chain, "target"));
    return follow(client, space, owner, kind, err);
}

/* ---- Jobs ---- */

static bool is_of_job(const json_t *pod)
{
    const json_t *owner = desk_owner_of(pod);

    return span_is(tree_span(owner, "kind"), "Job") &&
           span_is(tree_span(owner, "apiVersion"), "batch/v1");
}

static json_t *copy_reference(const json_t *owner)
{
    static const char *const keys[] = {"kind", "name", "uid"};
    json_t *reference = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        tree_put_text(reference, keys[i], tree_text(owner, keys[i]));
    return reference;
}

static bool is_session(const json_t *owner)
{
    struct span kind = tree_span(owner, "kind");
    const char *version = tree_text(owner, "apiVersion");

    return (span_is(kind, "BackupSession") || span_is(kind, "RestoreSession")) && version &&
           strncmp(version, GROUP_STASH "/", strlen(GROUP_STASH "/")) == 0;
}

/* The Job's own metadata, since its pod may say anything of it. */
static json_t *find_job(struct kube_client *client, const char *space, const json_t *pod,
                        struct error *err)
{
    static const struct kube_resource resource = {"batch", "v1", "jobs", "Job", true};
    AUTO(json) json_t *job = desk_owner_get(client, &resource, space, desk_owner_of(pod), err);
    const json_t *owner = desk_owner_of(job);
    json_t *found;

    if (!job || !is_session(owner)) {
        if (job)
            forbid(err, "the Job belongs to no session");
        return NULL;
    }
    found = json_object();
    tree_put_text(found, "uid", tree_text(tree_get(job, "metadata"), "uid"));
    tree_put_new(found, "session", copy_reference(owner));
    return found;
}

static bool read_job(struct kube_client *client, const struct agent_caller *caller,
                     const json_t *chain, struct desk_pod *read, struct error *err)
{
    bool known =
        chain && span_equal(tree_span(chain, "maker"), tree_span(desk_owner_of(read->pod), "uid"));

    if (pod_shares_processes(read->pod))
        return forbid(err, "the pod shares its process namespace: it gets no credentials");
    read->job =
        known ? tree_copy(tree_get(chain, "job")) : find_job(client, caller->space, read->pod, err);
    if (known) {
        read->target = tree_copy(tree_get(chain, "target"));
        read->text = session_target_text(read->target);
    }
    return read->job != NULL;
}

/* Keys that are put there could be read from outside of the container. */
static bool may_hold_keys(const json_t *pod, bool init, struct error *err)
{
    if (!hosts_carries(pod, init))
        return forbid(err, "the pod does not carry this agent");
    return !pod_shares_processes(pod) ||
           forbid(err, "the pod shares its process namespace: it gets no credentials");
}

bool desk_pod_read(struct kube_client *client, const struct agent_caller *caller, bool init,
                   const json_t *chain, struct desk_pod *pod, struct error *err)
{
    AUTO(desk_pod) struct desk_pod read = {.pod = desk_pod_get(client, caller, err)};

    if (!read.pod)
        return false;
    if (is_of_job(read.pod)) {
        if (!read_job(client, caller, chain, &read, err))
            return false;
    } else {
        if (!may_hold_keys(read.pod, init, err))
            return false;
        read.target = find_target(client, caller->space, read.pod, chain, err);
        if (!read.target)
            return false;
        read.text = session_target_text(read.target);
    }
    *pod = read;
    read = (struct desk_pod){0};
    return true;
}

json_t *desk_pod_chain(const struct desk_pod *pod)
{
    json_t *chain = json_object();

    tree_put_text(chain, "maker", tree_text(desk_owner_of(pod->pod), "uid"));
    tree_put_new(chain, "target", tree_copy(pod->target));
    tree_put_text(chain, "text", pod->text);
    tree_put_new(chain, "job", tree_copy(pod->job));
    return chain;
}
