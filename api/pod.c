#include "api/pod.h"

#include <stdlib.h>

#include "api/keys.h"
#include "api/quantity.h"
#include "base/text.h"
#include "base/tree.h"

static const json_t *pod_spec(const json_t *template)
{
    return tree_member(template, "spec", JSON_OBJECT);
}

/* All containers of a pod in the order in which they count for us. */
struct containers {
    const json_t *lists[2];
    size_t list, index;
};

static struct containers containers_of(const json_t *template)
{
    const json_t *spec = pod_spec(template);

    return (struct containers){
        .lists = {tree_get(spec, "containers"), tree_get(spec, "initContainers")}};
}

static const json_t *containers_next(struct containers *containers)
{
    for (; containers->list < 2; containers->list++, containers->index = 0)
        if (containers->index < json_array_size(containers->lists[containers->list]))
            return json_array_get(containers->lists[containers->list], containers->index++);
    return NULL;
}

bool pod_is_claim(const struct pod_claims *claims, const char *volume)
{
    const json_t *volumes = tree_get(pod_spec(claims->template), "volumes"), *template;
    size_t i;

    if (tree_member(tree_named(volumes, volume), "persistentVolumeClaim", JSON_OBJECT))
        return true;
    tree_items (claims->claim_templates, i, template) {
        const char *name = tree_text(tree_get(template, "metadata"), "name");

        if (name && !strcmp(name, volume))
            return true;
    }
    return false;
}

bool pod_has_volume(const struct pod_claims *claims, const char *volume)
{
    return tree_named(tree_get(pod_spec(claims->template), "volumes"), volume) ||
           pod_is_claim(claims, volume);
}

size_t pod_size(const struct pod_claims *claims)
{
    struct containers containers = containers_of(claims->template);
    size_t size = json_array_size(tree_get(pod_spec(claims->template), "volumes")) +
                  json_array_size(claims->claim_templates);
    const json_t *container;

    while ((container = containers_next(&containers)))
        size += 1 + json_array_size(tree_get(container, "volumeMounts"));
    return size;
}

const char **pod_volume_names(const struct pod_claims *claims)
{
    const json_t *volumes = tree_get(pod_spec(claims->template), "volumes"), *item;
    size_t room = json_array_size(volumes) + json_array_size(claims->claim_templates) + 1, i;
    const char **names = text_alloc(room * sizeof *names), *name;
    size_t count = 0;

    tree_items (volumes, i, item) {
        if ((name = tree_text(item, "name")))
            names[count++] = name;
    }
    /* one that has the name of a volume takes its place */
    tree_items (claims->claim_templates, i, item) {
        if ((name = tree_text(tree_get(item, "metadata"), "name")) && !tree_named(volumes, name))
            names[count++] = name;
    }
    return names;
}

bool pod_has_claims(const struct pod_claims *claims)
{
    AUTO(free) const char **names = pod_volume_names(claims);

    for (size_t i = 0; names[i]; i++)
        if (pod_is_claim(claims, names[i]))
            return true;
    return false;
}

/* "/data/" and "/data" are one place. The length without slashes at the end; "/" stays. */
static size_t path_length(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

bool pod_path_within(const char *path, const char *mount)
{
    size_t length = path_length(mount);

    if (length == 1 && mount[0] == '/')
        return path[0] == '/';
    return strncmp(path, mount, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool climbs(const char *path)
{
    size_t length = strlen(path);

    return !strcmp(path, "..") || !strncmp(path, "../", 3) || strstr(path, "/../") ||
           (length >= 3 && !strcmp(path + length - 3, "/.."));
}

bool pod_path_is_sound(const char *path)
{
    return path && path[0] == '/' && path[1] && !strchr(path, ':') && !climbs(path);
}

bool pod_sub_path_is_sound(const char *sub)
{
    return !sub || (sub[0] != '/' && !climbs(sub));
}

static bool path_same(const char *a, const char *b)
{
    size_t length = path_length(a);

    return length == path_length(b) && strncmp(a, b, length) == 0;
}

static json_t *mirrored(const json_t *mount)
{
    json_t *copy = json_object();

    tree_put_text(copy, "name", tree_text(mount, "name"));
    tree_put_text(copy, "mountPath", tree_text(mount, "mountPath"));
    if (tree_text(mount, "subPath") && *tree_text(mount, "subPath"))
        tree_put_text(copy, "subPath", tree_text(mount, "subPath"));
    if (tree_text(mount, "subPathExpr") && *tree_text(mount, "subPathExpr"))
        tree_put_text(copy, "subPathExpr", tree_text(mount, "subPathExpr"));
    return copy;
}

static bool whole(const json_t *mount)
{
    const char *sub = tree_text(mount, "subPath"), *expression = tree_text(mount, "subPathExpr");

    return !(sub && *sub) && !(expression && *expression);
}

static bool same_part(const json_t *a, const json_t *b)
{
    return tree_equal(tree_get(a, "subPath"), tree_get(b, "subPath")) &&
           tree_equal(tree_get(a, "subPathExpr"), tree_get(b, "subPathExpr"));
}

/* Mounts of one volume, in the order of containers: the first whole one, else each part once. */
static void gather(json_t *found, const struct pod_claims *claims, const char *volume)
{
    struct containers containers = containers_of(claims->template);
    AUTO(json) json_t *parts = json_array();
    const json_t *container, *mount, *seen;
    size_t i, j;

    for (size_t place = 0; (container = containers_next(&containers)); place++) {
        tree_items (tree_get(container, "volumeMounts"), i, mount) {
            bool known = false;

            if (!span_is(tree_span(mount, "name"), volume) || !tree_text(mount, "mountPath"))
                continue;
            tree_items (parts, j, seen)
                known = known || same_part(tree_get(seen, "mount"), mount);
            if (known)
                continue;
            if (whole(mount))
                json_array_clear(parts);

            json_t *part = json_object();

            tree_put_int(part, "place", (int64_t)place);
            tree_put_new(part, "mount", mirrored(mount));
            tree_push_new(parts, part);
            if (whole(mount)) {
                json_array_extend(found, parts);
                return;
            }
        }
    }
    json_array_extend(found, parts);
}

/* The mounts of an earlier container first, so that it keeps its path. Insertion sort: stable. */
static json_t *by_container(const json_t *found)
{
    json_t *sorted = json_array();
    const json_t *part;
    size_t i, place;

    tree_items (found, i, part) {
        for (place = json_array_size(sorted); place > 0; place--)
            if (tree_int(json_array_get(sorted, place - 1), "place", 0) <=
                tree_int(part, "place", 0))
                break;
        if (json_array_insert(sorted, place, (json_t *)part) < 0)
            abort();
    }
    return sorted;
}

static bool path_taken(const json_t *mounts, const char *path)
{
    const json_t *mount;
    size_t i;

    if (pod_path_within(path, MOUNT_SCRATCH) || pod_path_within(path, MOUNT_IDENTITY))
        return true;
    tree_items (mounts, i, mount) {
        if (path_same(tree_text(mount, "mountPath"), path))
            return true;
    }
    return false;
}

static void place_mount(json_t *mounts, const json_t *mount, struct findings *cautions)
{
    const char *wanted = tree_text(mount, "mountPath"), *volume = tree_text(mount, "name");
    json_t *placed = tree_copy(mount);

    if (path_taken(mounts, wanted)) {
        AUTO(free) char *path = text_format("%s/%s", MOUNT_VOLUMES, volume);

        for (unsigned n = 2; path_taken(mounts, path); n++) {
            free(path);
            path = text_format("%s/%s-%u", MOUNT_VOLUMES, volume, n);
        }
        findings_add(cautions, FINDING_WARNING, REASON_DUPLICATE, "spec.template.spec.volumes",
                     "%s is taken by another mount: volume %s is backed up at %s", wanted, volume,
                     path);
        tree_put_text(placed, "mountPath", path);
    }
    tree_push_new(mounts, placed);
}

bool pod_is_device(const struct pod_claims *claims, const char *volume)
{
    struct containers containers = containers_of(claims->template);
    const json_t *container, *device;
    size_t i;

    while ((container = containers_next(&containers))) {
        tree_items (tree_get(container, "volumeDevices"), i, device) {
            if (span_is(tree_span(device, "name"), volume))
                return true;
        }
    }
    return false;
}

static void say_unmounted(const struct pod_claims *claims, const char *volume,
                          struct findings *cautions)
{
    if (pod_is_device(claims, volume))
        findings_add(cautions, FINDING_WARNING, REASON_NOT_SUPPORTED, "spec.template.spec.volumes",
                     POD_DEVICE_TEXT, volume);
    else
        findings_add(cautions, FINDING_WARNING, REASON_NOT_FOUND, "spec.template.spec.volumes",
                     "volume %s is mounted by no container: left out", volume);
}

json_t *pod_derive_mounts(const struct pod_claims *claims, struct findings *cautions)
{
    AUTO(free) const char **names = pod_volume_names(claims);
    AUTO(json) json_t *found = json_array();
    const json_t *part;
    size_t i;

    for (i = 0; names[i]; i++) {
        size_t before = json_array_size(found);

        if (!pod_is_claim(claims, names[i]))
            continue;
        gather(found, claims, names[i]);
        if (json_array_size(found) == before)
            say_unmounted(claims, names[i], cautions);
    }

    AUTO(json) json_t *sorted = by_container(found);
    json_t *mounts = json_array();

    tree_items (sorted, i, part)
        place_mount(mounts, tree_get(part, "mount"), cautions);
    return mounts;
}

json_t *pod_covering_mount(const struct pod_claims *claims, const char *path)
{
    struct containers containers = containers_of(claims->template);
    const json_t *container, *mount, *best = NULL;
    size_t i, longest = 0;

    while ((container = containers_next(&containers))) {
        tree_items (tree_get(container, "volumeMounts"), i, mount) {
            const char *at = tree_text(mount, "mountPath"), *name = tree_text(mount, "name");

            if (!at || !name || !pod_path_within(path, at) || !pod_has_volume(claims, name) ||
                path_length(at) <= longest)
                continue;
            longest = path_length(at);
            best = mount;
        }
    }
    return best ? mirrored(best) : NULL;
}

bool pod_is_windows(const json_t *template)
{
    const json_t *spec = pod_spec(template), *selector = tree_get(spec, "nodeSelector");

    return span_is(tree_span(tree_get(spec, "os"), "name"), "windows") ||
           span_is(tree_span(selector, "kubernetes.io/os"), "windows") ||
           span_is(tree_span(selector, "beta.kubernetes.io/os"), "windows");
}

bool pod_has_resources(const json_t *template)
{
    const json_t *resources = tree_member(pod_spec(template), "resources", JSON_OBJECT);

    return json_object_size(tree_get(resources, "limits")) ||
           json_object_size(tree_get(resources, "requests"));
}

bool pod_shares_processes(const json_t *template)
{
    const json_t *spec = pod_spec(template);

    return tree_true(spec, "shareProcessNamespace") || tree_true(spec, "hostPID");
}

static bool guaranteed(const json_t *container, const char *resource)
{
    const json_t *limit = tree_get(tree_at(container, "resources.limits"), resource);
    const json_t *request = tree_get(tree_at(container, "resources.requests"), resource);
    struct quantity most, least;
    struct error ignored;

    return quantity_read(limit, &most, &ignored) &&
           (!request ||
            (quantity_read(request, &least, &ignored) && quantity_compare(&most, &least) == 0));
}

bool pod_is_guaranteed(const json_t *template)
{
    struct containers containers = containers_of(template);
    const json_t *container;
    bool any = false;

    while ((container = containers_next(&containers))) {
        if (!guaranteed(container, "cpu") || !guaranteed(container, "memory"))
            return false;
        any = true;
    }
    return any;
}

bool pod_has_whole_cpus(const json_t *template)
{
    struct containers containers = containers_of(template);
    const json_t *container;

    while ((container = containers_next(&containers))) {
        struct quantity cpu;
        struct error ignored;

        if (quantity_read(tree_at(container, "resources.limits.cpu"), &cpu, &ignored) &&
            quantity_is_whole(&cpu))
            return true;
    }
    return false;
}
