#include "mutators/inject.h"

#include <stdlib.h>

#include "api/keys.h"
#include "api/part.h"
#include "base/text.h"
#include "base/tree.h"
#include "mutators/container.h"
#include "mutators/meaning.h"

static const json_t *list_of(const json_t *template, const char *list)
{
    return tree_get(tree_get(template, "spec"), list);
}

static enum template_owner owner_given(const json_t *template, const json_t *previous)
{
    enum template_owner now = template_owner_of(template);
    enum template_owner before = previous ? template_owner_of(previous) : TEMPLATE_CLEAN;

    return now == TEMPLATE_FOREIGN && (before == TEMPLATE_OURS || before == TEMPLATE_STASH) ? before
                                                                                            : now;
}

static json_t *spec_of(json_t *template)
{
    return json_object_get(template, "spec");
}

json_t *template_owners_part(const json_t *template, const json_t *previous)
{
    return template_strip(template, owner_given(template, previous));
}

bool template_same_owner_part(const json_t *template, const json_t *previous)
{
    if (tree_equal(template, previous))
        return true;

    AUTO(json) json_t *now = template_owners_part(template, previous);
    AUTO(json) json_t *before = template_owners_part(previous, NULL);

    return tree_equal(now, before);
}

/* Our part, ready to be placed. */
struct part {
    json_t *sidecar, *init; /* NULL: not wanted */
    json_t *volumes;        /* array */
    json_t *mark;           /* string, NULL when nothing is wanted */
};

static void part_done(struct part *part)
{
    json_decref(part->sidecar);
    json_decref(part->init);
    json_decref(part->volumes);
    json_decref(part->mark);
}

static inline void auto_part(struct part *part)
{
    part_done(part);
}

/* Hash of what stands in the template. */
static void hash_part(const struct part *part, char hex[65])
{
    AUTO(json) json_t *whole = json_array();

    tree_push_new(whole, tree_share(part->sidecar));
    tree_push_new(whole, tree_share(part->init));
    tree_push_new(whole, tree_share(part->volumes));

    AUTO(free) char *made = tree_format(whole, NULL);

    text_sha256(span_of(made), hex);
}

static json_t *mark_of(const char *inputs_hex, const struct part *part)
{
    AUTO(text) struct text value = {0};
    char hex[65];

    hash_part(part, hex);
    text_addf(&value, "v1.%.8s.%.8s", inputs_hex, hex);
    return json_string(text_get(&value));
}

/* The mark: version, hash of the inputs, hash of what stands in the template. */
static json_t *mark(const struct part *part, const json_t *inputs)
{
    AUTO(free) char *said = inputs ? tree_format(inputs, NULL) : text_format("{\"backups\":[]}");
    char hex[65];

    text_sha256(span_of(said), hex);
    return mark_of(hex, part);
}

static const char *mark_in(const json_t *template)
{
    return tree_text(tree_at(template, "metadata.annotations"), KEY_AGENT);
}

static bool same_or_neither(const json_t *a, const json_t *b,
                            bool (*same)(const json_t *a, const json_t *b))
{
    return a && b ? same(a, b) : a == b;
}

/* True when the stored template holds the same part. */
static bool is_stored(const struct part *part, const json_t *previous)
{
    for (size_t i = 0; our_volumes[i]; i++)
        if (!same_or_neither(tree_named(part->volumes, our_volumes[i]),
                             tree_named(list_of(previous, "volumes"), our_volumes[i]),
                             volume_same_meaning))
            return false;
    return same_or_neither(part->sidecar, template_element(previous, sidecar_place),
                           container_same_meaning) &&
           same_or_neither(part->init, template_element(previous, init_place),
                           container_same_meaning);
}

/* The inputs of what is kept are those that the stored mark names. */
static json_t *mark_of_kept(const struct part *part, const json_t *previous)
{
    const char *stored = mark_in(previous);

    if (is_stored(part, previous))
        return json_string(stored);
    return mark_of(strlen(stored) == 20 && !strncmp(stored, "v1.", 3) ? stored + 3 : "00000000",
                   part);
}

static void keep_volume(struct part *part, const json_t *previous, const char *name)
{
    const json_t *volume = tree_named(list_of(previous, "volumes"), name);

    if (volume && !tree_named(part->volumes, name))
        tree_push_new(part->volumes, tree_copy(volume));
}

static bool ours(const char *volume)
{
    for (size_t i = 0; our_volumes[i]; i++)
        if (volume && !strcmp(volume, our_volumes[i]))
            return true;
    return false;
}

/* Drops the mounts of volumes that the owner took away; false when no data is left to mount. */
static bool fit(json_t *container, const json_t *owner, const json_t *previous)
{
    json_t *mounts = json_object_get(container, "volumeMounts");
    size_t left = 0;

    for (size_t i = json_array_size(mounts); i-- > 0;) {
        const char *name = tree_text(json_array_get(mounts, i), "name");

        if (ours(name))
            continue;
        if (name && tree_named(list_of(previous, "volumes"), name) &&
            !tree_named(list_of(owner, "volumes"), name))
            json_array_remove(mounts, i);
        else
            left++;
    }
    if (pod_has_resources(owner))
        json_object_del(container, "resources");
    return left > 0;
}

static bool mounts_volume(const json_t *container, const char *volume)
{
    return tree_named(tree_get(container, "volumeMounts"), volume) != NULL;
}

/* True when the owner's pods would be less restricted with this container of the stored part. */
static bool loosens(const json_t *owner, const json_t *container, const json_t *previous)
{
    AUTO(json) json_t *probe = template_editable(owner);
    struct error err;
    json_t *containers = tree_list(json_object_get(probe, "spec"), "containers", &err);
    json_t *volumes = tree_list(json_object_get(probe, "spec"), "volumes", &err);

    tree_push_new(containers, tree_share(container));
    for (size_t i = 0; our_volumes[i]; i++)
        if (mounts_volume(container, our_volumes[i]))
            tree_push_new(volumes,
                          tree_share(tree_named(list_of(previous, "volumes"), our_volumes[i])));
    return pod_security_level(probe) < pod_security_level(owner);
}

/* A container that runs as root can not start in a pod that promises otherwise. */
static bool breaks_promise(const json_t *owner, const json_t *container)
{
    const json_t *context = tree_get(container, "securityContext");

    return pod_user_of(owner, NULL).nonroot && (tree_int(context, "runAsUser", -1) == 0 ||
                                                json_is_false(tree_get(context, "runAsNonRoot")));
}

/* The stored container as it fits into the owner's new template; NULL when it does not. */
static json_t *fitted(const json_t *owner, const json_t *previous, struct place place)
{
    AUTO(json) json_t *container = tree_copy(template_element(previous, place));

    if (!container || pod_is_windows(owner) || pod_shares_processes(owner) ||
        !fit(container, owner, previous))
        return NULL;
    if (breaks_promise(owner, container) || loosens(owner, container, previous))
        tree_put_new(container, "securityContext",
                     container_modest_context(owner, tree_get(container, "volumeMounts")));
    return loosens(owner, container, previous) ? NULL : TAKE(container);
}

static void keep_volumes(struct part *part, const json_t *previous)
{
    for (size_t i = 0; our_volumes[i]; i++)
        if (mounts_volume(part->sidecar, our_volumes[i]) ||
            mounts_volume(part->init, our_volumes[i]))
            keep_volume(part, previous, our_volumes[i]);
}

/* What of the stored part stays beside what is planned. */
static void keep(struct part *part, const struct plan *plan, const json_t *owner,
                 const json_t *previous, bool init)
{
    bool ours_before = previous && template_owner_of(previous) == TEMPLATE_OURS;

    if (ours_before && init && !part->init)
        part->init = plan->restore_broken ? fitted(owner, previous, init_place)
                                          : tree_copy(template_element(previous, init_place));
    if (ours_before && plan->backup_broken && !part->sidecar)
        part->sidecar = fitted(owner, previous, sidecar_place);
    if (ours_before && (part->init || part->sidecar))
        keep_volumes(part, previous);
}

static struct part part_of_plan(const struct plan *plan, const struct settings *settings,
                                const json_t *owner, const json_t *previous, bool kept_init)
{
    const struct carry *carry = &plan->carry;
    struct making making = {.carry = carry, .settings = settings, .owner = owner};
    struct part part = {.volumes = json_array()};
    bool init = carry->restore || carry->restore_if_exists;

    if (carry->backup)
        part.sidecar = container_sidecar(&making);
    if (init)
        part.init = container_init(&making);
    if (carry->backup || init) {
        json_decref(part.volumes);
        part.volumes = container_volumes(carry);
    }
    keep(&part, plan, owner, previous, kept_init);
    if (!part.sidecar && !part.init)
        return part;
    /* a restore that is over is no reason to change the template, not even by our mark */
    part.mark = kept_init && !init && is_stored(&part, previous) ? json_string(mark_in(previous))
                                                                 : mark(&part, carry->inputs);
    return part;
}

typedef bool same_meaning(const json_t *a, const json_t *b);

/* Where an element goes that is not in the list yet: where it was, else at the wanted end. */
static size_t new_place(const json_t *items, const json_t *previous, struct place place, bool first)
{
    long before = tree_named_index(list_of(previous, place.list), place.name);
    size_t size = json_array_size(items);

    if (before >= 0)
        return (size_t)before < size ? (size_t)before : size;
    return first ? 0 : size;
}

/* Replaces the element of this name as a whole, unless both mean the same: then its bytes stay. */
static void put(json_t *template, const json_t *previous, struct place place, const json_t *wanted,
                same_meaning *same)
{
    struct error err;
    json_t *items = tree_list(spec_of(template), place.list, &err);
    long index = tree_named_index(items, place.name);
    int done = 0;

    if (index < 0)
        done = json_array_insert_new(
            items, new_place(items, previous, place, !strcmp(place.list, init_place.list)),
            tree_share(wanted));
    else if (!same(json_array_get(items, (size_t)index), wanted))
        done = json_array_set_new(items, (size_t)index, tree_share(wanted));
    if (done < 0)
        abort();
}

static void put_or_remove(json_t *template, const json_t *previous, struct place place,
                          const json_t *wanted)
{
    if (wanted)
        put(template, previous, place, wanted, container_same_meaning);
    else
        template_remove(template, place);
}

static void put_mark(json_t *template, const json_t *value)
{
    struct error err;

    if (!value) {
        template_remove_annotation(template, KEY_AGENT);
        return;
    }

    json_t *metadata = tree_object(template, "metadata", &err);
    json_t *annotations = tree_object(metadata, "annotations", &err);

    tree_put_new(annotations, KEY_AGENT, tree_copy(value));
}

static void put_volumes(json_t *template, const json_t *previous, const json_t *wanted,
                        const char *const *names)
{
    const json_t *volume;
    size_t i;

    for (; *names; names++)
        if (!tree_named(wanted, *names))
            template_remove(template, (struct place){"volumes", *names});
    tree_items (wanted, i, volume)
        put(template, previous, (struct place){"volumes", tree_text(volume, "name")}, volume,
            volume_same_meaning);
}

static json_t *place_part(const json_t *template, const json_t *previous, const struct part *part,
                          enum template_owner owner)
{
    json_t *wanted = template_editable(template);

    if (owner == TEMPLATE_STASH)
        template_remove_volumes(wanted, stash_volumes);
    put_or_remove(wanted, previous, init_place, part->init);
    put_or_remove(wanted, previous, sidecar_place, part->sidecar);
    put_volumes(wanted, previous, part->volumes, our_volumes);
    put_mark(wanted, part->mark);
    template_remove_annotation(wanted, KEY_STASH_BACKUP_HASH);
    template_remove_annotation(wanted, KEY_STASH_RESTORE_HASH);
    return wanted;
}

json_t *template_inject(const struct plan *plan, const struct settings *settings,
                        const json_t *template, const json_t *previous, bool keep_init)
{
    enum template_owner owner = owner_given(template, previous);

    if (owner == TEMPLATE_FOREIGN)
        return tree_share(template);

    AUTO(json) json_t *owners = template_strip(template, owner);
    AUTO(part) struct part part = part_of_plan(plan, settings, owners, previous, keep_init);

    if (owner == TEMPLATE_CLEAN && !part.mark)
        return tree_share(template);

    return place_part(template, previous, &part, owner);
}

json_t *template_keep(const json_t *template, const json_t *previous)
{
    enum template_owner owner = owner_given(template, previous),
                        before = template_owner_of(previous);
    AUTO(part) struct part part = {.volumes = json_array()};

    if (before != TEMPLATE_OURS || owner == TEMPLATE_FOREIGN)
        return tree_share(template);

    AUTO(json) json_t *owners = template_strip(template, owner);

    part.sidecar = fitted(owners, previous, sidecar_place);
    part.init = fitted(owners, previous, init_place);
    if (part.sidecar || part.init) {
        keep_volumes(&part, previous);
        part.mark = mark_of_kept(&part, previous);
    }
    return place_part(template, previous, &part, owner);
}
