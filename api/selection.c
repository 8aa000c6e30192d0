#include "api/selection.h"

#include <stdlib.h>

#include "api/keys.h"
#include "base/text.h"
#include "base/tree.h"

void selection_done(struct selection *selection)
{
    json_decref(selection->paths);
    json_decref(selection->mounts);
    *selection = (struct selection){0};
}

static bool reserved(const char *path)
{
    return pod_path_within(path, MOUNT_SCRATCH) || pod_path_within(path, MOUNT_IDENTITY);
}

static const json_t *mount_at(const json_t *mounts, const char *path)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        const char *at = tree_text(mount, "mountPath");

        if (pod_path_within(path, at) && pod_path_within(at, path))
            return mount;
    }
    return NULL;
}

static const json_t *mount_over(const json_t *mounts, const char *path)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        if (pod_path_within(path, tree_text(mount, "mountPath")))
            return mount;
    }
    return NULL;
}

static void say_unknown_volume(const struct selecting *in, const char *volume,
                               struct findings *mistakes)
{
    AUTO(free) const char **names = pod_volume_names(&in->claims);
    const char *meant = text_did_you_mean(span_of(volume), names);

    findings_add(mistakes, FINDING_WARNING, REASON_NOT_FOUND, in->mounts_field,
                 "the pod has no volume \"%s\"%s%s%s", volume, meant ? ": did you mean \"" : "",
                 meant ? meant : "", meant ? "\"?" : "");
}

/* One mount that was asked for: taken, or told why not. */
static void take_mount(json_t *mounts, const struct selecting *in, const json_t *wanted,
                       struct findings *mistakes)
{
    const char *volume = tree_text(wanted, "name"), *path = tree_text(wanted, "mountPath");
    const json_t *other = pod_path_is_sound(path) ? mount_at(mounts, path) : NULL;

    if (!volume || !pod_path_is_sound(path) ||
        !pod_sub_path_is_sound(tree_text(wanted, "subPath"))) {
        findings_add(mistakes, FINDING_WARNING, REASON_INVALID, in->mounts_field,
                     "a mount needs a volume, an absolute path without \"..\" or \":\", and a "
                     "relative subPath: left out");
    } else if (!pod_has_volume(&in->claims, volume)) {
        say_unknown_volume(in, volume, mistakes);
    } else if (pod_is_device(&in->claims, volume)) {
        findings_add(mistakes, FINDING_WARNING, REASON_NOT_SUPPORTED, in->mounts_field,
                     POD_DEVICE_TEXT, volume);
    } else if (reserved(path)) {
        findings_add(mistakes, FINDING_WARNING, REASON_FORBIDDEN, in->mounts_field,
                     "%s is a path of our own container: volume %s is left out", path, volume);
    } else if (other) {
        findings_add(mistakes, FINDING_WARNING, REASON_DUPLICATE, in->mounts_field,
                     "volumes %s and %s are both to be mounted at %s: %s is left out",
                     tree_text(other, "name"), volume, path, volume);
    } else {
        json_t *mount = json_object();

        tree_put_text(mount, "name", volume);
        tree_put_text(mount, "mountPath", path);
        if (tree_span(wanted, "subPath").length)
            tree_put_text(mount, "subPath", tree_text(wanted, "subPath"));
        tree_push_new(mounts, mount);
    }
}

static json_t *own_paths(const json_t *mounts)
{
    json_t *paths = json_array();
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount) {
        const char *path = tree_text(mount, "mountPath");
        size_t length = strlen(path);

        while (length > 1 && path[length - 1] == '/')
            length--;

        AUTO(free) char *plain = text_dup(path, length);

        tree_push_text(paths, plain);
    }
    return paths;
}

/* True when some given mount covers the path, or one of the pod's was added to do so. */
static bool cover(json_t *mounts, const struct selecting *in, const char *path,
                  struct findings *mistakes)
{
    if (mount_over(mounts, path))
        return true;

    AUTO(json) json_t *mount = pod_covering_mount(&in->claims, path);

    if (!mount || reserved(tree_text(mount, "mountPath"))) {
        findings_add(mistakes, FINDING_WARNING, REASON_NOT_FOUND, in->paths_field,
                     "%s lies outside of every mount: it is not backed up", path);
        return false;
    }
    if (in->mounts)
        findings_add(mistakes, FINDING_WARNING, REASON_NOT_FOUND, in->paths_field,
                     "%s is covered by none of the mounts given: volume %s at %s is added", path,
                     tree_text(mount, "name"), tree_text(mount, "mountPath"));
    tree_push_new(mounts, TAKE(mount));
    return true;
}

static void take_path(struct selection *selection, const struct selecting *in, const json_t *wanted,
                      struct findings *mistakes)
{
    const char *path = json_string_value(wanted);

    if (!pod_path_is_sound(path))
        findings_add(mistakes, FINDING_WARNING, REASON_INVALID, in->paths_field,
                     "a path is absolute and has no \"..\": left out");
    else if (cover(selection->mounts, in, path, mistakes))
        tree_push_text(selection->paths, path);
}

void selection_make(struct selection *selection, const struct selecting *in,
                    struct findings *mistakes, struct findings *cautions)
{
    const json_t *item;
    size_t i;

    if (!in->paths && !in->mounts) {
        selection->mounts = pod_derive_mounts(&in->claims, cautions);
        selection->paths = own_paths(selection->mounts);
        return;
    }
    selection->mounts = json_array();
    tree_items (in->mounts, i, item)
        take_mount(selection->mounts, in, item, mistakes);
    if (!in->paths) {
        selection->paths = own_paths(selection->mounts);
        return;
    }
    selection->paths = json_array();
    tree_items (in->paths, i, item)
        take_path(selection, in, item, mistakes);
}
