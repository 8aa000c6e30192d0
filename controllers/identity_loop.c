#include "controllers/identity_loop.h"

#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "controllers/write.h"

/* What makes pods of ours run in its namespace: agents in those of targets, Jobs of ours. */
static const enum known_kind reasons[] = {KNOWN_CONFIGURATION, KNOWN_RESTORE, KNOWN_JOB,
                                          KNOWN_CRONJOB};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;
    const json_t *metadata = tree_get(object, "metadata");

    (void)known;
    if (change->kind == KNOWN_IDENTITY && !span_is(tree_span(metadata, "name"), IDENTITY_CONFIGMAP))
        return;
    for (size_t i = 0; i < COUNT(reasons); i++)
        if (change->kind == KNOWN_IDENTITY || change->kind == (size_t)reasons[i]) {
            tree_push_text(list, tree_text(metadata, "namespace"));
            return;
        }
}

static bool is_needed(struct known *known, const char *space)
{
    for (size_t i = 0; i < COUNT(reasons); i++) {
        AUTO(json) json_t *found = known_find(known, reasons[i], KNOWN_BY_SPACE, space);

        if (json_array_size(found) > 0)
            return true;
    }
    return false;
}

/* The one that all are copies of has changed: each of them is looked at. */
static void wake_all(struct loops *loops)
{
    for (size_t i = 0; i < COUNT(reasons); i++) {
        AUTO(json) json_t *all = known_all(loops_known(loops), reasons[i]);
        const json_t *object;
        size_t n;

        tree_items (all, n, object)
            loops_wake(loops, &identity_loop, tree_text(tree_get(object, "metadata"), "namespace"),
                       0);
    }
}

static json_t *copy_for(const json_t *source, const char *space)
{
    json_t *made = json_object(), *metadata = json_object(), *labels = json_object();

    tree_put_text(made, "apiVersion", "v1");
    tree_put_text(made, "kind", "ConfigMap");
    tree_put_text(labels, "app.kubernetes.io/part-of", "granary");
    tree_put_text(metadata, "name", IDENTITY_CONFIGMAP);
    tree_put_text(metadata, "namespace", space);
    tree_put_new(metadata, "labels", labels);
    tree_put_new(made, "metadata", metadata);
    tree_put_new(made, "data", tree_copy(tree_get(source, "data")));
    return made;
}

/* By force: the name is ours in every namespace, and agents trust what stands there. */
static int64_t make_copy(struct loops *loops, const json_t *source, const char *space,
                         struct error *err)
{
    struct kube_options how = {.manager = WRITE_MANAGER, .force = true};
    struct kube_ref ref = {known_resource(KNOWN_IDENTITY), space, IDENTITY_CONFIGMAP, NULL};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *intent = copy_for(source, space);

    if (!loops_client(loops)) {
        loops_show(loops, "apply", intent, "agents there find the controller by it");
        return LOOP_RESTS;
    }
    return kube_apply(loops_client(loops), &ref, intent, &how, &result, err) ? LOOP_RESTS
                                                                             : LOOP_FAILED;
}

/* Nothing can be made in one that ends; one that is not known yet may be new. */
static bool is_ending(struct known *known, const char *space)
{
    AUTO(json) json_t *object = known_get(known, KNOWN_NAMESPACE, NULL, space);

    return tree_at(object, "metadata.deletionTimestamp") != NULL;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    struct known *known = loops_known(loops);
    const char *ours = loops_space(loops);
    AUTO(json) json_t *source = known_get(known, KNOWN_IDENTITY, ours, IDENTITY_CONFIGMAP);
    AUTO(json) json_t *copy = known_get(known, KNOWN_IDENTITY, key, IDENTITY_CONFIGMAP);

    /* its coming is a change */
    if (!source)
        return LOOP_RESTS;
    if (strcmp(key, ours) == 0) {
        wake_all(loops);
        return LOOP_RESTS;
    }
    if (!is_needed(known, key) || is_ending(known, key) ||
        tree_equal(tree_get(source, "data"), tree_get(copy, "data")))
        return LOOP_RESTS;
    return make_copy(loops, source, key, err);
}

const struct loop identity_loop = {.name = "identities", .keys = keys, .step = step};
