#include "controllers/target_pods.h"

#include <string.h>

#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"
#include "kube/verbs.h"

static const struct kube_resource pod_resource = {"", "v1", "pods", "Pod", true};
static const struct kube_resource makers[] = {
    {"apps", "v1", "replicasets", "ReplicaSet", true},
    {"", "v1", "replicationcontrollers", "ReplicationController", true},
};

void target_pods_done(struct target_pods *pods)
{
    json_decref(pods->workload);
    json_decref(pods->pods);
    json_decref(pods->makers);
    free((void *)pods->pod_list);
    free((void *)pods->owners);
    *pods = (struct target_pods){0};
}

bool target_is_job(const json_t *target)
{
    const struct target_kind *kind = target_kind_in(target);

    return !kind || kind->class != TARGET_WORKLOAD;
}

/* Who makes the pods of this kind for it; NULL: it does so itself. */
static const struct kube_resource *maker_of(const struct target_kind *kind)
{
    if (strcmp(kind->kind, "Deployment") == 0)
        return &makers[0];
    return strcmp(kind->kind, "DeploymentConfig") == 0 ? &makers[1] : NULL;
}

static struct kube_resource resource_of(const struct target_kind *kind)
{
    return (struct kube_resource){kind->group, "v1", kind->resource, kind->kind, true};
}

/* ---- selectors ---- */

static void comma(struct text *out)
{
    if (out->length)
        text_putc(out, ',');
}

static bool add_labels(const json_t *labels, struct text *out, struct error *err)
{
    const json_t *value;
    const char *key;

    tree_each (labels, key, value) {
        if (!json_is_string(value))
            return error_set(err, ERROR_INVALID, "a selector with a label that is no text");
        comma(out);
        text_addf(out, "%s=%s", key, json_string_value(value));
    }
    return true;
}

static void add_values(const json_t *values, struct text *out)
{
    const json_t *value;
    size_t i;

    tree_items (values, i, value)
        text_addf(out, "%s%s", i ? "," : "",
                  json_string_value(value) ? json_string_value(value) : "");
}

static bool add_expression(const json_t *expression, struct text *out, struct error *err)
{
    const char *key = tree_text(expression, "key");
    struct span operator= tree_span(expression, "operator");
    bool in = span_is(operator, "In");

    if (!key)
        return error_set(err, ERROR_INVALID, "a selector with an expression without key");
    comma(out);
    if (in || span_is(operator, "NotIn")) {
        text_addf(out, "%s %s (", key, in ? "in" : "notin");
        add_values(tree_get(expression, "values"), out);
        text_putc(out, ')');
        return true;
    }
    if (!span_is(operator, "Exists") && !span_is(operator, "DoesNotExist"))
        return error_set(err, ERROR_INVALID, "a selector with an unknown operator");
    text_addf(out, "%s%s", span_is(operator, "Exists") ? "" : "!", key);
    return true;
}

bool target_selector(const json_t *selector, struct text *out, struct error *err)
{
    AUTO(text) struct text made = {0};
    const json_t *labels = tree_get(selector, "matchLabels"), *expression;
    const json_t *expressions = tree_get(selector, "matchExpressions");
    size_t i;

    if (!add_labels(labels || expressions ? labels : selector, &made, err))
        return false;
    tree_items (expressions, i, expression)
        if (!add_expression(expression, &made, err))
            return false;
    if (!made.length)
        return error_set(err, ERROR_INVALID, "a selector that selects everything");
    text_add(out, made.data, made.length);
    return true;
}

/* ---- reading ---- */

/* One that is not there: no pods are expected of it. */
static json_t *nothing_of(const struct target_kind *kind)
{
    json_t *workload = json_object(), *spec = json_object();

    tree_put_text(workload, "kind", kind->kind);
    tree_put_int(spec, "replicas", 0);
    tree_put_new(workload, "spec", spec);
    return workload;
}

static json_t *read_workload(struct kube_client *client, const json_t *target,
                             const struct target_kind *kind, struct error *err)
{
    const struct kube_resource resource = resource_of(kind);
    const struct kube_ref ref = {&resource, tree_text(target, "namespace"),
                                 tree_text(target, "name"), NULL};
    json_t *workload = kube_get(client, &ref, err);

    return !workload && err->code == ERROR_NOT_FOUND ? nothing_of(kind) : workload;
}

static json_t *list(struct kube_client *client, const struct kube_resource *resource,
                    const char *space, const char *labels, bool metadata_only, struct error *err)
{
    const struct kube_watched watched = {.resource = *resource,
                                         .metadata_only = metadata_only,
                                         .optional = metadata_only,
                                         .space = space,
                                         .labels = labels};

    return kube_list(client, &watched, NULL, err);
}

static const char *uid_of(const json_t *object)
{
    return tree_text(tree_get(object, "metadata"), "uid");
}

static bool is_made_for(const json_t *object, const char *uid)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_at(object, "metadata.ownerReferences"), i, owner)
        if (tree_true(owner, "controller") && span_is(tree_span(owner, "uid"), uid))
            return true;
    return false;
}

static void note_owners(struct target_pods *pods)
{
    const char *own = uid_of(pods->workload);
    const json_t *maker;
    size_t i;

    pods->owners = text_alloc((1 + json_array_size(pods->makers)) * sizeof *pods->owners);
    if (!own)
        return;
    pods->owners[pods->owner_count++] = own;
    tree_items (pods->makers, i, maker)
        if (uid_of(maker) && is_made_for(maker, own))
            pods->owners[pods->owner_count++] = uid_of(maker);
}

static void note_pods(struct target_pods *pods)
{
    size_t count = json_array_size(pods->pods);

    pods->pod_list = text_alloc((count ? count : 1) * sizeof *pods->pod_list);
    for (size_t i = 0; i < count; i++)
        pods->pod_list[i] = json_array_get(pods->pods, i);
}

void target_pods_add(struct target_pods *pods, const json_t *pod)
{
    if (!pods->pods)
        pods->pods = json_array();
    tree_push_new(pods->pods, tree_share(pod));
    free((void *)pods->pod_list);
    note_pods(pods);
}

static bool read_pods(struct kube_client *client, const json_t *target,
                      const struct target_kind *kind, struct target_pods *pods, struct error *err)
{
    const char *space = tree_text(target, "namespace");
    const struct kube_resource *maker = maker_of(kind);
    AUTO(text) struct text labels = {0};

    if (!uid_of(pods->workload)) {
        pods->pods = json_array();
        return true;
    }
    if (!target_selector(tree_at(pods->workload, "spec.selector"), &labels, err))
        return false;
    pods->makers = maker ? list(client, maker, space, text_get(&labels), true, err) : json_array();
    pods->pods =
        pods->makers ? list(client, &pod_resource, space, text_get(&labels), false, err) : NULL;
    return pods->pods != NULL;
}

static const struct target_kind *workload_kind(const json_t *target)
{
    return target_is_job(target) ? NULL : target_kind_in(target);
}

bool target_pods_read(struct kube_client *client, const json_t *target, int64_t now_s,
                      struct target_pods *pods, struct error *err)
{
    const struct target_kind *kind = workload_kind(target);
    AUTO(target_pods) struct target_pods read = {.read_s = now_s};

    if (kind) {
        read.workload = read_workload(client, target, kind, err);
        if (!read.workload || !read_pods(client, target, kind, &read, err))
            return error_wrap(err, "%s %s", kind->kind, tree_text(target, "name"));
    }
    note_owners(&read);
    note_pods(&read);
    *pods = read;
    read = (struct target_pods){0};
    return true;
}

static const char *maker_uid(const json_t *pod)
{
    return tree_text(target_controller(tree_get(pod, "metadata")), "uid");
}

bool target_pods_of(struct kube_client *client, const json_t *target, const json_t *pod,
                    struct target_pods *pods, struct error *err)
{
    const struct target_kind *kind = workload_kind(target);
    AUTO(target_pods) struct target_pods read = {0};

    if (!kind || !maker_uid(pod))
        return error_set(err, ERROR_FORBIDDEN, "the pod belongs to no workload");
    read.workload = read_workload(client, target, kind, err);
    if (!read.workload)
        return error_wrap(err, "%s %s", kind->kind, tree_text(target, "name"));
    read.pods = json_array();
    tree_push_new(read.pods, tree_share(pod));
    note_pods(&read);
    read.owners = text_alloc(sizeof *read.owners);
    read.owners[read.owner_count++] = maker_uid(json_array_get(read.pods, 0));
    *pods = read;
    read = (struct target_pods){0};
    return true;
}

void target_pods_show(const struct target_pods *pods, struct hosts_seen *seen)
{
    seen->workload = pods->workload;
    seen->owners = pods->owners;
    seen->owner_count = pods->owner_count;
    seen->pods = pods->pod_list;
    seen->pod_count = json_array_size(pods->pods);
}
