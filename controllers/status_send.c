#include "controllers/status_send.h"

#include "base/tree.h"
#include "controllers/write.h"
#include "kube/verbs.h"

/* The members of `next` that differ, null for those that it lacks. New reference. */
static json_t *difference(const json_t *status, const json_t *next)
{
    json_t *made = json_object();
    const json_t *value;
    const char *key;

    tree_each (next, key, value)
        if (!tree_equal(tree_get(status, key), value))
            tree_put_new(made, key, tree_share(value));
    tree_each (status, key, value)
        if (!tree_get(next, key))
            tree_put_new(made, key, json_null());
    return made;
}

enum status_sent status_send(struct kube_client *client, const struct kube_resource *resource,
                             const json_t *object, const json_t *next, struct error *err)
{
    const json_t *metadata = tree_get(object, "metadata");
    const struct kube_ref ref = {resource, tree_text(metadata, "namespace"),
                                 tree_text(metadata, "name"), "status"};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *patch = json_object();
    json_t *state = json_object();
    json_t *changed = difference(tree_get(object, "status"), next);

    kube_name_state(state, object);
    tree_put_new(patch, "metadata", state);
    tree_put_new(patch, "status", changed);
    if (json_object_size(changed) == 0)
        return STATUS_SAME;
    if (!tree_text(metadata, "uid") || !tree_text(metadata, "resourceVersion")) {
        error_set(err, ERROR_INVALID, "%s: no uid or resourceVersion", resource->kind);
        return STATUS_FAILED;
    }
    if (kube_merge_patch(client, &ref, patch, &write_ours, &result, err))
        return STATUS_SENT;
    return err->code == ERROR_CONFLICT || err->code == ERROR_NOT_FOUND ? STATUS_LATE
                                                                       : STATUS_FAILED;
}
