#include "api/own.h"

#include "base/tree.h"

static json_t *copy_or_empty(const json_t *object)
{
    return json_is_object(object) ? tree_copy(object) : json_object();
}

static json_t *retention(const struct annotations *annotations, const json_t *spec)
{
    json_t *policy = copy_or_empty(tree_get(spec, "retentionPolicy"));

    if (!tree_get(policy, "name"))
        tree_put_text(policy, "name", "owner");
    if (!tree_get(policy, "prune"))
        tree_put_bool(policy, "prune", true);
    retention_put(policy, &annotations->retention);
    return policy;
}

static json_t *runtime_settings(const struct annotations *annotations, const json_t *spec)
{
    const json_t *theirs = tree_get(spec, "runtimeSettings");
    json_t *settings = copy_or_empty(theirs);
    json_t *container = copy_or_empty(tree_get(theirs, "container"));

    if (annotations->has_resources) {
        json_t *resources = copy_or_empty(tree_get(container, "resources"));

        resources_put(resources, &annotations->resources);
        tree_put_new(container, "resources", resources);
    }
    if (annotations->has_priority)
        priority_put(container, &annotations->priority);
    tree_put_new(settings, "container", container);
    return settings;
}

json_t *own_settings(const struct annotations *annotations, const json_t *spec)
{
    json_t *own = json_object();

    tree_put_text(own, "schedule", annotations->schedule);
    if (annotations->paused)
        tree_put_bool(own, "paused", true);
    tree_put_new(own, "exclude", tree_copy(annotations->exclude));
    if (annotations->timeout_ns) {
        AUTO(text) struct text timeout = {0};

        duration_format(&timeout, annotations->timeout_ns);
        tree_put_text(own, "timeOut", text_get(&timeout));
    }
    if (annotations->has_retention)
        tree_put_new(own, "retentionPolicy", retention(annotations, spec));
    if (annotations->has_resources || annotations->has_priority)
        tree_put_new(own, "runtimeSettings", runtime_settings(annotations, spec));
    return own;
}
