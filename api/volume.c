#include "api/volume.h"

#include "base/tree.h"

json_t *volume_mount(const char *volume, const char *path, const char *sub_path, bool read_only)
{
    json_t *mount = json_object();

    tree_put_text(mount, "name", volume);
    tree_put_text(mount, "mountPath", path);
    tree_put_text(mount, "subPath", sub_path);
    if (read_only)
        tree_put_bool(mount, "readOnly", true);
    return mount;
}

/* Of a source that is named by one text. */
static json_t *volume_of(const char *name, const char *source, const char *key, const char *of)
{
    json_t *volume = json_object(), *settings = json_object();

    tree_put_text(settings, key, of);
    tree_put_text(volume, "name", name);
    tree_put_new(volume, source, settings);
    return volume;
}

json_t *volume_of_secret(const char *name, const char *secret)
{
    return volume_of(name, "secret", "secretName", secret);
}

json_t *volume_of_claim(const char *name, const char *claim)
{
    return volume_of(name, "persistentVolumeClaim", "claimName", claim);
}
