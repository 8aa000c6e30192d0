#include "api/pod.h"

#include "base/tree.h"

static const json_t *setting(const json_t *pod, const json_t *container, const char *key)
{
    const json_t *own = tree_get(tree_get(container, "securityContext"), key);

    return own && !json_is_null(own) ? own : tree_get(tree_get(pod, "securityContext"), key);
}

static bool mounts_any(const json_t *container, const json_t *mounts)
{
    const json_t *mount, *ours;
    size_t i, j;

    tree_items (tree_get(container, "volumeMounts"), i, mount) {
        tree_items (mounts, j, ours) {
            if (tree_equal(tree_get(mount, "name"), tree_get(ours, "name")))
                return true;
        }
    }
    return false;
}

static bool all_nonroot(const json_t *pod, const char *list)
{
    const json_t *container;
    size_t i;

    tree_items (tree_get(pod, list), i, container) {
        if (!json_is_true(setting(pod, container, "runAsNonRoot")))
            return false;
    }
    return true;
}

static int64_t number(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

/* Looks at those containers of the list that mount one of the volumes, or at all of them without
 * mounts. False when there is none. */
static bool look(struct pod_user *user, const json_t *pod, const char *list, const json_t *mounts)
{
    const json_t *container;
    bool found = false;
    size_t i;

    tree_items (tree_get(pod, list), i, container) {
        if (mounts && !mounts_any(container, mounts))
            continue;

        int64_t uid = number(setting(pod, container, "runAsUser"));

        if (!found) {
            user->uid = uid;
            user->gid = number(setting(pod, container, "runAsGroup"));
        }
        user->several = user->several || uid != user->uid;
        found = true;
    }
    return found;
}

struct pod_user pod_user_of(const json_t *template, const json_t *mounts)
{
    const json_t *pod = tree_member(template, "spec", JSON_OBJECT);
    struct pod_user user = {.uid = -1, .gid = -1};

    /* an init container that mends owners as root says nothing of who writes; one that mounts alone
     * may be a sidecar */
    if (!mounts ||
        (!look(&user, pod, "containers", mounts) && !look(&user, pod, "initContainers", mounts)))
        look(&user, pod, "containers", NULL);
    user.known = user.uid >= 0 && !user.several;
    user.nonroot = (all_nonroot(pod, "containers") && all_nonroot(pod, "initContainers") &&
                    json_array_size(tree_get(pod, "containers")) > 0) ||
                   pod_security_level(template) == POD_RESTRICTED;
    return user;
}

enum pod_run pod_run_as(const struct pod_user *user, enum file_access access)
{
    if (access == FILE_ACCESS_ROOT)
        return POD_RUN_AS_ROOT;
    if (user->nonroot)
        return user->uid > 0 ? POD_RUN_AS_UID : POD_RUN_AS_IMAGE;
    if (user->known && user->uid > 0)
        return POD_RUN_AS_UID;
    if (access == FILE_ACCESS_AUTO)
        return POD_RUN_AS_ROOT;
    return user->uid >= 0 ? POD_RUN_AS_UID : POD_RUN_AS_IMAGE;
}
