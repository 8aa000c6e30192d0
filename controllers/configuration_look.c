#include "controllers/configuration_look.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/names.h"
#include "base/tree.h"
#include "kube/meta.h"
#include "kube/store.h"

static const json_t *metadata_of(const json_t *object)
{
    return tree_get(object, "metadata");
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

bool configuration_key_split(const char *key, char **space, char **name)
{
    const char *slash = strchr(key, '/');

    if (!slash || slash == key || !slash[1])
        return false;
    *space = text_dup(key, (size_t)(slash - key));
    *name = text_format("%s", slash + 1);
    return true;
}

/* ---- from a configuration to what it depends on ---- */

/* A label can not hold every name: then all are compared. */
static json_t *blueprint_of(struct known *known, const json_t *configuration)
{
    const char *label = tree_text(tree_get(metadata_of(configuration), "labels"), LABEL_BLUEPRINT);
    json_t *found = label && *label ? known_get(known, KNOWN_BLUEPRINT, NULL, label) : NULL;
    const json_t *blueprint;
    size_t i;

    if (found || !label || strlen(label) < NAME_MAX_CHARS - 1)
        return found;

    AUTO(json) json_t *all = known_all(known, KNOWN_BLUEPRINT);

    tree_items (all, i, blueprint) {
        AUTO(free) char *value = name_label_value(text_of(metadata_of(blueprint), "name"));

        if (strcmp(value, label) == 0)
            return tree_share(blueprint);
    }
    return NULL;
}

static json_t *repository_of(struct known *known, const json_t *configuration)
{
    const json_t *ref = tree_at(configuration, "spec.repository");
    const char *space = text_of(ref, "namespace"), *name = text_of(ref, "name");

    if (!*name)
        return NULL;
    return known_get(known, KNOWN_REPOSITORY,
                     *space ? space : text_of(metadata_of(configuration), "namespace"), name);
}

json_t *configuration_target(struct known *known, const json_t *configuration)
{
    const json_t *ref = tree_at(configuration, "spec.target.ref");
    const char *space = text_of(ref, "namespace"), *name = text_of(ref, "name");
    enum known_kind kind = known_kind_of(ref);

    if (kind < KNOWN_TARGET_FIRST || kind > KNOWN_TARGET_LAST || !*name)
        return NULL;
    return known_get(known, kind, *space ? space : text_of(metadata_of(configuration), "namespace"),
                     name);
}

static void add_pods(struct known *known, const char *owner, json_t *list)
{
    AUTO(json) json_t *pods = known_find(known, KNOWN_POD, KNOWN_BY_OWNER, owner);

    json_array_extend(list, pods);
}

/* Its own, and those of what it makes to have them made. */
static json_t *pods_of(struct known *known, const json_t *target)
{
    static const enum known_kind makers[] = {KNOWN_REPLICASET, KNOWN_REPLICATIONCONTROLLER};
    const char *uid = tree_text(metadata_of(target), "uid");
    json_t *list = json_array();

    if (!uid)
        return list;
    add_pods(known, uid, list);
    for (size_t m = 0; m < sizeof makers / sizeof *makers; m++) {
        AUTO(json) json_t *made = known_find(known, makers[m], KNOWN_BY_OWNER, uid);
        const json_t *maker;
        size_t i;

        tree_items (made, i, maker)
            if (tree_text(metadata_of(maker), "uid"))
                add_pods(known, tree_text(metadata_of(maker), "uid"), list);
    }
    return list;
}

static int64_t youngest_session_s(struct known *known, const char *key)
{
    AUTO(json) json_t *sessions = known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key);
    const json_t *session;
    int64_t youngest_s = -1, made_s;
    size_t i;

    tree_items (sessions, i, session)
        if (meta_made(session, &made_s) && made_s > youngest_s)
            youngest_s = made_s;
    return youngest_s;
}

void configuration_look(struct known *known, const char *key, struct configuration_objects *objects)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;

    *objects = (struct configuration_objects){.session_s = -1};
    if (!configuration_key_split(key, &space, &name))
        return;
    objects->configuration = known_get(known, KNOWN_CONFIGURATION, space, name);
    if (!objects->configuration)
        return;

    AUTO(free) char *cronjob = cronjob_name(name);

    objects->repository = repository_of(known, objects->configuration);
    objects->space = known_get(known, KNOWN_NAMESPACE, NULL, space);
    objects->blueprint = blueprint_of(known, objects->configuration);
    objects->target = configuration_target(known, objects->configuration);
    objects->pods = pods_of(known, objects->target);
    objects->cronjob = known_get(known, KNOWN_CRONJOB, space, cronjob);
    objects->session_s = youngest_session_s(known, key);
}

void configuration_objects_done(struct configuration_objects *objects)
{
    json_decref(objects->configuration);
    json_decref(objects->repository);
    json_decref(objects->space);
    json_decref(objects->blueprint);
    json_decref(objects->target);
    json_decref(objects->pods);
    json_decref(objects->cronjob);
}

/* ---- from an object to the configurations that depend on it ---- */

static void push_key(json_t *list, const json_t *configuration)
{
    AUTO(free) char *key = store_key(configuration);

    tree_push_text(list, key);
}

static void push_found(struct known *known, const char *index, const char *text, json_t *list)
{
    AUTO(json) json_t *found = known_find(known, KNOWN_CONFIGURATION, index, text);
    const json_t *configuration;
    size_t i;

    tree_items (found, i, configuration)
        push_key(list, configuration);
}

static void push_of_repository(struct known *known, const json_t *object, json_t *list)
{
    AUTO(free) char *key = store_key(object);

    push_found(known, KNOWN_BY_REPOSITORY, key, list);
}

static void push_of_blueprint(struct known *known, const json_t *object, json_t *list)
{
    AUTO(free) char *label = name_label_value(text_of(metadata_of(object), "name"));

    push_found(known, KNOWN_BY_BLUEPRINT, label, list);
}

static void push_of_space(struct known *known, const json_t *object, json_t *list)
{
    push_found(known, KNOWN_BY_SPACE, text_of(metadata_of(object), "name"), list);
}

static void push_of_target(struct known *known, const json_t *object, json_t *list)
{
    AUTO(free) char *text = known_target_text(object);

    if (text)
        push_found(known, KNOWN_BY_TARGET, text, list);
}

/* The owner of this reference, as a target; of what makes pods for another one, that one too. */
static void push_of_owner(struct known *known, const json_t *owner, const char *space, json_t *list)
{
    enum known_kind kind = known_kind_of(owner);
    const char *uid = tree_text(owner, "uid");
    AUTO(json) json_t *maker = NULL;
    const json_t *above;
    size_t i;

    if (kind < KNOWN_TARGET_FIRST || kind > KNOWN_TARGET_LAST || !uid)
        return;
    maker = known_uid(known, kind, uid);
    if (!maker)
        return;
    push_of_target(known, maker, list);
    tree_items (tree_get(metadata_of(maker), "ownerReferences"), i, above) {
        AUTO(json)
        json_t *target =
            known_kind_of(above) == KNOWN_KINDS
                ? NULL
                : known_get(known, known_kind_of(above), space, text_of(above, "name"));

        if (target)
            push_of_target(known, target, list);
    }
}

/* Pods change all the time; what counts is whether they carry the agent, and that they go. */
static bool same_pod(const json_t *before, const json_t *after)
{
    const json_t *one = metadata_of(before), *other = metadata_of(after);

    return tree_equal(tree_get(tree_get(one, "annotations"), KEY_AGENT),
                      tree_get(tree_get(other, "annotations"), KEY_AGENT)) &&
           !tree_get(one, "deletionTimestamp") == !tree_get(other, "deletionTimestamp");
}

static void push_of_pod(struct known *known, const json_t *object, json_t *list)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_get(metadata_of(object), "ownerReferences"), i, owner)
        push_of_owner(known, owner, text_of(metadata_of(object), "namespace"), list);
}

/* Whoever's it is: by its name. */
static void push_of_cronjob(struct known *known, const json_t *object, json_t *list)
{
    const char *name = text_of(metadata_of(object), "name");
    AUTO(json)
    json_t *found = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_SPACE,
                               text_of(metadata_of(object), "namespace"));
    const json_t *configuration;
    size_t i;

    tree_items (found, i, configuration) {
        AUTO(free) char *wanted = cronjob_name(text_of(metadata_of(configuration), "name"));

        if (strcmp(wanted, name) == 0)
            push_key(list, configuration);
    }
}

static void push_of_session(struct known *known, const json_t *object, json_t *list)
{
    AUTO(free) char *key = known_reference(object, tree_at(object, "spec.invoker"));

    (void)known;
    if (key)
        tree_push_text(list, key);
}

static void push_itself(struct known *known, const json_t *object, json_t *list)
{
    (void)known;
    push_key(list, object);
}

static void (*const pushes[KNOWN_KINDS])(struct known *, const json_t *, json_t *) = {
    [KNOWN_NAMESPACE] = push_of_space,
    [KNOWN_BLUEPRINT] = push_of_blueprint,
    [KNOWN_CONFIGURATION] = push_itself,
    [KNOWN_REPOSITORY] = push_of_repository,
    [KNOWN_SESSION] = push_of_session,
    [KNOWN_DEPLOYMENT] = push_of_target,
    [KNOWN_STATEFULSET] = push_of_target,
    [KNOWN_DAEMONSET] = push_of_target,
    [KNOWN_REPLICASET] = push_of_target,
    [KNOWN_REPLICATIONCONTROLLER] = push_of_target,
    [KNOWN_DEPLOYMENTCONFIG] = push_of_target,
    [KNOWN_CLAIM] = push_of_target,
    [KNOWN_APP] = push_of_target,
    [KNOWN_POD] = push_of_pod,
    [KNOWN_CRONJOB] = push_of_cronjob,
};

void configuration_keys(struct known *known, const struct informer_change *change, json_t *list)
{
    void (*const push)(struct known *, const json_t *, json_t *) = pushes[change->kind];
    bool both = change->before && change->after;

    if (!push || (both && change->kind == KNOWN_SESSION))
        return;
    if (both && change->kind == KNOWN_POD && same_pod(change->before, change->after))
        return;
    push(known, change->after ? change->after : change->before, list);
}
