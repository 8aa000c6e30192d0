#include "controllers/claimed_pods.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/claims.h"
#include "controllers/session_read.h"
#include "kube/verbs.h"

static const struct kube_resource pod_resource = {"", "v1", "pods", "Pod", true};

static const json_t *with_uid(const json_t *pods, const char *uid)
{
    return tree_item_at(pods, "metadata.uid", uid);
}

/* UIDs of those who have claimed something and are not known. New list. */
static json_t *strangers(const json_t *lease, const json_t *jobs, const json_t *pods)
{
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    json_t *list = json_array();
    struct error ignored;
    AUTO(json) json_t *ledger = claims_of_lease(lease, claims, &ignored);

    for (size_t i = 0; ledger && i < claims->count; i++) {
        const char *uid = claims->list[i].pod;

        if (uid && !with_uid(pods, uid) && !with_uid(jobs, uid))
            tree_push_text(list, uid);
    }
    return list;
}

/* Reads it whole and shows it with the others, when it is that very one. */
static bool add_stray(struct kube_client *client, const char *space, const json_t *found,
                      struct target_pods *pods, bool *there, struct error *err)
{
    const json_t *metadata = tree_get(found, "metadata");
    const struct kube_ref ref = {&pod_resource, space, tree_text(metadata, "name"), NULL};
    AUTO(json) json_t *pod = kube_get(client, &ref, err);

    if (!pod && err->code != ERROR_NOT_FOUND)
        return false;
    *there = pod && tree_equal(tree_at(pod, "metadata.uid"), tree_get(metadata, "uid"));
    if (*there)
        target_pods_add(pods, pod);
    return true;
}

static bool judge(struct kube_client *client, const char *space, const json_t *all, const char *uid,
                  struct target_pods *pods, json_t *missing, struct error *err)
{
    const json_t *found = with_uid(all, uid);
    bool there = false;

    if (found && !add_stray(client, space, found, pods, &there, err))
        return false;
    if (!there)
        tree_push_text(missing, uid);
    return true;
}

bool claimed_pods_seek(struct kube_client *client, const char *space, const json_t *lease,
                       const json_t *jobs, struct target_pods *pods, json_t **missing,
                       struct error *err)
{
    const struct kube_watched watched = {
        .resource = pod_resource, .metadata_only = true, .space = space};
    AUTO(json) json_t *sought = strangers(lease, jobs, pods->pods), *gone = json_array();
    AUTO(json) json_t *all = NULL;
    const json_t *uid;
    size_t i;

    if (json_array_size(sought) > 0) {
        all = kube_list(client, &watched, NULL, err);
        if (!all)
            return error_wrap(err, "pods of %s", space);
    }
    tree_items (sought, i, uid)
        if (!judge(client, space, all, json_string_value(uid), pods, gone, err))
            return false;
    *missing = TAKE(gone);
    return true;
}
