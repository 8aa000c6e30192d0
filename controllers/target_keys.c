#include "controllers/target_keys.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"

static void push(json_t *list, char *key)
{
    if (key)
        tree_push_text(list, key);
    free(key);
}

static bool is_target(size_t kind)
{
    return kind >= KNOWN_TARGET_FIRST && kind <= KNOWN_TARGET_LAST;
}

static bool is_annotated(const json_t *object)
{
    return tree_get(tree_at(object, "metadata.annotations"), KEY_BLUEPRINT) != NULL;
}

const char *target_keys_label(const json_t *object)
{
    return tree_text(tree_at(object, "metadata.labels"), LABEL_BLUEPRINT);
}

static bool is_labelled(struct known *known, const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "namespace");
    AUTO(json) json_t *space = name ? known_get(known, KNOWN_NAMESPACE, NULL, name) : NULL;

    return target_keys_label(space) != NULL;
}

static bool same_generation(const json_t *a, const json_t *b)
{
    return tree_equal(tree_at(a, "metadata.generation"), tree_at(b, "metadata.generation")) &&
           tree_equal(tree_at(a, "metadata.uid"), tree_at(b, "metadata.uid"));
}

static void push_targets(json_t *list, json_t *objects_new)
{
    const json_t *object;
    size_t i;

    tree_items (objects_new, i, object)
        if (!target_is_foreign(object))
            push(list, known_target_text(object));
    json_decref(objects_new);
}

/* A workload takes claims, or leaves them. */
static void keys_of_claims(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;
    const char *space = tree_text(tree_get(object, "metadata"), "namespace");

    if (change->kind == KNOWN_CLAIM || change->kind == KNOWN_APP || target_is_foreign(object) ||
        !is_labelled(known, object))
        return;
    if (!change->before || !change->after || !same_generation(change->before, change->after))
        push_targets(list, known_find(known, KNOWN_CLAIM, KNOWN_BY_SPACE, space));
}

/* Of a target that is gone, what we made of it says so. */
static void keys_of_target(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;
    AUTO(free) char *key = known_target_text(object);

    if (!key || target_is_foreign(object))
        return;

    AUTO(json) json_t *made = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_TARGET, key);

    if (is_annotated(change->after) || is_annotated(change->before) || json_array_size(made) > 0 ||
        is_labelled(known, object))
        tree_push_text(list, key);
}

static void push_made(json_t *list, json_t *objects_new)
{
    const json_t *object;
    size_t i;

    tree_items (objects_new, i, object)
        push(list, known_target_of(object));
    json_decref(objects_new);
}

static void push_space(struct known *known, const char *space, json_t *list)
{
    for (int kind = KNOWN_TARGET_FIRST; kind <= KNOWN_TARGET_LAST; kind++)
        push_targets(list, known_find(known, (enum known_kind)kind, KNOWN_BY_SPACE, space));
}

static void keys_of_blueprint(struct known *known, const char *name, json_t *list)
{
    AUTO(json) json_t *spaces = known_find(known, KNOWN_NAMESPACE, KNOWN_BY_BLUEPRINT, name);
    const json_t *space;
    size_t i;

    for (int kind = KNOWN_TARGET_FIRST; kind <= KNOWN_TARGET_LAST; kind++)
        push_targets(list, known_find(known, (enum known_kind)kind, KNOWN_BY_BLUEPRINT, name));
    tree_items (spaces, i, space)
        push_space(known, tree_text(tree_get(space, "metadata"), "name"), list);
}

static bool same_labels(const json_t *a, const json_t *b)
{
    return tree_equal(tree_at(a, "metadata.labels"), tree_at(b, "metadata.labels"));
}

/* Its labels decide about its own label, and about who may use a blueprint. */
static void keys_of_space(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    if (change->before && change->after && same_labels(change->before, change->after))
        return;
    if (target_keys_label(change->before) || target_keys_label(change->after))
        push_space(known, name, list);
    push_made(list, known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_SPACE, name));
}

/* Of what we made; its status is nothing to us. */
static void keys_of_made(const struct informer_change *change, json_t *list)
{
    const json_t *before = tree_get(change->before, "metadata"),
                 *after = tree_get(change->after, "metadata");

    if (before && after && same_generation(change->before, change->after) &&
        same_labels(change->before, change->after) &&
        tree_equal(tree_get(before, "annotations"), tree_get(after, "annotations")) &&
        tree_equal(tree_get(before, "ownerReferences"), tree_get(after, "ownerReferences")))
        return;
    if (change->before)
        push(list, known_target_of(change->before));
    if (change->after)
        push(list, known_target_of(change->after));
}

static const char *phase_of(const json_t *object)
{
    const char *phase = tree_text(tree_get(object, "status"), "phase");

    return phase ? phase : "";
}

/* It waits for a workload, or does not any more. */
static void keys_of_restore(const struct informer_change *change, json_t *list)
{
    if (change->before && change->after && same_generation(change->before, change->after) &&
        strcmp(phase_of(change->before), phase_of(change->after)) == 0)
        return;
    if (change->before)
        push(list, known_target_of(change->before));
    if (change->after)
        push(list, known_target_of(change->after));
}

void target_keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;

    if (is_target(change->kind)) {
        keys_of_target(known, change, list);
        keys_of_claims(known, change, list);
    } else if (change->kind == KNOWN_CONFIGURATION || change->kind == KNOWN_REPOSITORY)
        keys_of_made(change, list);
    else if (change->kind == KNOWN_RESTORE)
        keys_of_restore(change, list);
    else if (change->kind == KNOWN_BLUEPRINT)
        keys_of_blueprint(known, tree_text(tree_get(object, "metadata"), "name"), list);
    else if (change->kind == KNOWN_NAMESPACE)
        keys_of_space(known, change, list);
}
