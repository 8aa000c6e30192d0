#include "api/part.h"

#include "api/keys.h"
#include "base/tree.h"

const struct place sidecar_place = {"containers", CONTAINER_SIDECAR};
const struct place init_place = {"initContainers", CONTAINER_INIT};

const char *const our_volumes[] = {VOLUME_IDENTITY, VOLUME_SCRATCH, VOLUME_LOCAL, NULL};
/* what Stash put into pods, of today and of its releases before 2022 */
const char *const stash_volumes[] = {VOLUME_SCRATCH,  VOLUME_LOCAL,          "stash-scratchdir",
                                     "stash-podinfo", "stash-secret-volume", NULL};

static const json_t *list_of(const json_t *template, const char *list)
{
    return tree_get(tree_get(template, "spec"), list);
}

const json_t *template_element(const json_t *template, struct place place)
{
    return tree_named(list_of(template, place.list), place.name);
}

static const char *our_volume_in(const json_t *volumes)
{
    const json_t *volume;
    size_t i;

    tree_items (volumes, i, volume) {
        struct span name = tree_span(volume, "name");

        for (size_t n = 0; name.data && our_volumes[n]; n++)
            if (span_is(name, our_volumes[n]))
                return our_volumes[n];
    }
    return NULL;
}

const char *template_name_of_ours(const json_t *template)
{
    if (template_element(template, sidecar_place))
        return sidecar_place.name;
    if (template_element(template, init_place))
        return init_place.name;
    return our_volume_in(list_of(template, "volumes"));
}

enum template_owner template_owner_of(const json_t *template)
{
    const json_t *annotations = tree_at(template, "metadata.annotations");

    if (tree_text(annotations, KEY_AGENT))
        return TEMPLATE_OURS;
    if (tree_text(annotations, KEY_STASH_BACKUP_HASH) ||
        tree_text(annotations, KEY_STASH_RESTORE_HASH))
        return TEMPLATE_STASH;
    return template_name_of_ours(template) ? TEMPLATE_FOREIGN : TEMPLATE_CLEAN;
}

/*
 * A template is copied only where its lists are edited: the object, its spec and metadata, our
 * three lists and the annotations. Everything below is shared with the original and never edited.
 */
static void own_member(json_t *object, const char *key)
{
    const json_t *value = tree_get(object, key);

    if (json_is_object(value) || json_is_array(value))
        tree_put_new(object, key, json_copy((json_t *)value));
}

json_t *template_editable(const json_t *template)
{
    static const char *const lists[] = {"containers", "initContainers", "volumes"};
    json_t *copy = json_copy((json_t *)template);

    own_member(copy, "spec");
    own_member(copy, "metadata");
    own_member(json_object_get(copy, "metadata"), "annotations");
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        own_member(json_object_get(copy, "spec"), lists[i]);
    return copy;
}

static void drop_if_empty(json_t *object, const char *key)
{
    const json_t *value = tree_get(object, key);

    if (value && json_object_size(value) == 0 && json_array_size(value) == 0)
        json_object_del(object, key);
}

void template_remove(json_t *template, struct place place)
{
    json_t *spec = json_object_get(template, "spec"), *items = json_object_get(spec, place.list);
    long index = tree_named_index(items, place.name);

    if (index < 0)
        return;
    json_array_remove(items, (size_t)index);
    drop_if_empty(spec, place.list);
}

void template_remove_annotation(json_t *template, const char *key)
{
    json_t *metadata = json_object_get(template, "metadata");
    json_t *annotations = json_object_get(metadata, "annotations");

    if (json_object_del(annotations, key) == 0)
        drop_if_empty(metadata, "annotations");
}

void template_remove_volumes(json_t *template, const char *const *names)
{
    for (; *names; names++)
        template_remove(template, (struct place){"volumes", *names});
}

json_t *template_strip(const json_t *template, enum template_owner owner)
{
    if (owner != TEMPLATE_OURS && owner != TEMPLATE_STASH)
        return tree_share(template);

    json_t *stripped = template_editable(template);

    template_remove(stripped, sidecar_place);
    template_remove(stripped, init_place);
    template_remove_volumes(stripped, owner == TEMPLATE_OURS ? our_volumes : stash_volumes);
    template_remove_annotation(stripped, KEY_AGENT);
    template_remove_annotation(stripped, KEY_STASH_BACKUP_HASH);
    template_remove_annotation(stripped, KEY_STASH_RESTORE_HASH);
    return stripped;
}
