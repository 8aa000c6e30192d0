#include "api/objects.h"

#include <stdlib.h>

#include "api/backend.h"
#include "api/keys.h"
#include "api/names.h"
#include "base/tree.h"

char *objects_target_text(const struct target *target)
{
    return text_format("%s/%s/%s/%s", target->kind->group, target->kind->kind, target->space,
                       target->name);
}

static const char *blueprint_name(const struct objects *in)
{
    const char *name = tree_text(tree_get(in->blueprint, "metadata"), "name");

    return name ? name : "";
}

static const char *given(const json_t *spec, const char *key)
{
    const char *text = tree_text(spec, key);

    return text && *text ? text : NULL;
}

static const char *configuration_space(const struct objects *in)
{
    const char *space = given(in->spec, "backupNamespace");

    return space ? space : in->target->space;
}

static const char *repository_space(const struct objects *in)
{
    const char *space = given(in->spec, "repoNamespace");

    return space ? space : configuration_space(in);
}

static char *base_name(const struct objects *in, const char *space)
{
    const struct target *target = in->target;
    bool outside = strcmp(space, target->space) != 0;

    if (!in->primary)
        return name_further(outside ? target->space : NULL, target->kind->kind, target->name,
                            blueprint_name(in));
    return outside ? name_outside(target->space, target->kind->kind, target->name)
                   : name_of_target(target->kind->kind, target->name);
}

char *objects_configuration_name(const struct objects *in, const char **space)
{
    *space = configuration_space(in);
    return base_name(in, *space);
}

static bool same_location(const json_t *a, const json_t *b)
{
    AUTO(text) struct text one = {0}, other = {0};

    backend_location(&one, a);
    backend_location(&other, b);
    return !strcmp(text_get(&one), text_get(&other));
}

/* The target's Repository that already holds this location, under whatever name it was made (as
 * another blueprint's, or after a move): two Repositories of one place would not know of each
 * other's locks. Borrowed; NULL when there is none. */
static const char *name_at_hand(const struct objects *in, const char *space, const json_t *backend)
{
    const struct target *target = in->target;
    const json_t *all = cluster_repositories_of(in->cluster, target->kind->group,
                                                target->kind->kind, target->space, target->name);
    const json_t *repository;
    size_t i;

    tree_items (all, i, repository) {
        const json_t *metadata = tree_get(repository, "metadata");

        if (span_is(tree_span(metadata, "namespace"), space) &&
            same_location(tree_at(repository, "spec.backend"), backend))
            return tree_text(metadata, "name");
    }
    return NULL;
}

/* A location is immutable: another one is another Repository, and the old one stays as it is. */
static char *repository_name(const struct objects *in)
{
    const json_t *backend = tree_get(in->spec, "backend");
    const char *space = repository_space(in);
    AUTO(free) char *name = base_name(in, space);
    const json_t *existing = cluster_repository(in->cluster, space, name);
    AUTO(text) struct text location = {0};

    if (existing && same_location(tree_at(existing, "spec.backend"), backend))
        return TAKE(name);

    const char *at_hand = name_at_hand(in, space, backend);

    if (at_hand || !existing)
        return at_hand ? text_format("%s", at_hand) : TAKE(name);
    backend_location(&location, backend);
    return name_at_location(name, text_get(&location));
}

static void put_metadata(json_t *object, const struct objects *in, const char *space,
                         const char *name)
{
    const struct target *target = in->target;
    json_t *metadata = json_object(), *labels = json_object(), *annotations = json_object();
    AUTO(free) char *blueprint = name_label_value(blueprint_name(in));
    AUTO(free) char *target_name = name_label_value(target->name);
    AUTO(free) char *whole = objects_target_text(target);

    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", space);
    tree_put_text(labels, LABEL_BLUEPRINT, blueprint);
    tree_put_text(labels, LABEL_TARGET_KIND, target->kind->kind);
    tree_put_text(labels, LABEL_TARGET_NAME, target_name);
    tree_put_new(metadata, "labels", labels);
    tree_put_text(annotations, KEY_TARGET, whole);
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(object, "metadata", metadata);
}

static json_t *object_of(const char *api_version, const char *kind)
{
    json_t *object = json_object();

    tree_put_text(object, "apiVersion", api_version);
    tree_put_text(object, "kind", kind);
    return object;
}

/* What is null was not given. */
static const json_t *member(const json_t *from, const char *key)
{
    const json_t *value = tree_get(from, key);

    return json_is_null(value) ? NULL : value;
}

static void copy_fields(json_t *to, const json_t *from, const char *const *keys)
{
    for (; *keys; keys++)
        tree_put_new(to, *keys, tree_share(member(from, *keys)));
}

/* A blueprint that keeps Repositories elsewhere and names no policy means: for this namespace. */
static json_t *policy_for(const char *space)
{
    json_t *policy = json_object(), *allowed = json_object(), *selector = json_object();
    json_t *labels = json_object();

    tree_put_text(labels, "kubernetes.io/metadata.name", space);
    tree_put_new(selector, "matchLabels", labels);
    tree_put_text(allowed, "from", "Selector");
    tree_put_new(allowed, "selector", selector);
    tree_put_new(policy, "allowedNamespaces", allowed);
    return policy;
}

static json_t *repository(const struct objects *in, const char *name)
{
    static const char *const copied[] = {"backend", "wipeOut", "usagePolicy", "agentSecretName",
                                         NULL};
    json_t *made = object_of(API_STASH_V1ALPHA1, "Repository"), *spec = json_object();
    const char *space = repository_space(in);

    put_metadata(made, in, space, name);
    copy_fields(spec, in->spec, copied);
    if (strcmp(space, in->target->space) != 0 && !tree_get(spec, "usagePolicy"))
        tree_put_new(spec, "usagePolicy", policy_for(in->target->space));
    tree_put_new(made, "spec", spec);
    return made;
}

static json_t *reference(const struct objects *in)
{
    json_t *ref = json_object();

    tree_put_text(ref, "apiVersion", in->target->api_version);
    tree_put_text(ref, "kind", in->target->kind->kind);
    tree_put_text(ref, "name", in->target->name);
    if (strcmp(configuration_space(in), in->target->space) != 0)
        tree_put_text(ref, "namespace", in->target->space);
    return ref;
}

static json_t *backup_target(const struct objects *in)
{
    json_t *target = json_object();

    tree_put_new(target, "ref", reference(in));
    if (in->selection) {
        tree_put_new(target, "paths", tree_share(in->selection->paths));
        tree_put_new(target, "volumeMounts", tree_share(in->selection->mounts));
    }
    tree_put_new(target, "exclude", tree_share(tree_get(in->own, "exclude")));
    return target;
}

/* The owner's parameters over the blueprint's, by name. */
static json_t *params(const json_t *blueprints, const json_t *owners)
{
    json_t *merged = json_array();
    const json_t *param;
    size_t i;

    tree_items (blueprints, i, param) {
        const char *name = tree_text(param, "name");

        if (!name || !tree_named(owners, name))
            tree_push_new(merged, tree_share(param));
    }
    tree_items (owners, i, param)
        tree_push_new(merged, tree_share(param));
    return merged;
}

static json_t *task(const struct objects *in)
{
    const json_t *wanted = tree_member(in->spec, "task", JSON_OBJECT);
    const json_t *owners = in->target->kind->class == TARGET_APP ? in->params : NULL;
    json_t *made = wanted ? tree_copy(wanted) : json_object();

    if (in->target->kind->class == TARGET_CLAIM && !given(made, "name"))
        tree_put_text(made, "name", "pvc-backup");
    if (json_array_size(owners))
        tree_put_new(made, "params", params(tree_get(wanted, "params"), owners));
    if (json_object_size(made) == 0) {
        json_decref(made);
        return NULL;
    }
    return made;
}

static json_t *repository_reference(const struct objects *in, const char *name)
{
    json_t *ref = json_object();

    tree_put_text(ref, "name", name);
    if (strcmp(repository_space(in), configuration_space(in)) != 0)
        tree_put_text(ref, "namespace", repository_space(in));
    return ref;
}

static json_t *configuration(const struct objects *in, const char *space, const char *name,
                             const char *repository_name)
{
    static const char *const copied[] = {"retentionPolicy",
                                         "runtimeSettings",
                                         "tempDir",
                                         "interimVolumeTemplate",
                                         "hooks",
                                         "backupHistoryLimit",
                                         "timeOut",
                                         "retryConfig",
                                         "mode",
                                         "fileAccess",
                                         "guard",
                                         "verify",
                                         "jitter",
                                         NULL};
    static const char *const owned[] = {"schedule", "retentionPolicy", "runtimeSettings",
                                        "timeOut",  "paused",          NULL};
    json_t *made = object_of(API_STASH_V1BETA1, "BackupConfiguration"), *spec = json_object();
    const char *schedule = given(in->spec, "schedule");

    put_metadata(made, in, space, name);
    tree_put_text(spec, "driver", "Restic");
    tree_put_new(spec, "repository", repository_reference(in, repository_name));
    tree_put_text(spec, "schedule", schedule);
    tree_put_new(spec, "task", task(in));
    tree_put_new(spec, "target", backup_target(in));
    copy_fields(spec, in->spec, copied);
    copy_fields(spec, in->own, owned);
    if (in->job)
        tree_put_text(spec, "mode", "Job");
    tree_put_new(made, "spec", spec);
    return made;
}

static void put_annotation(json_t *object, const char *key, const char *value)
{
    tree_put_text(json_object_get(json_object_get(object, "metadata"), "annotations"), key, value);
}

/* Word for word: what runs is what both say. */
static void put_dump(json_t *object, const struct target *target)
{
    static const char *const keys[] = {KEY_DUMP_COMMAND, KEY_DUMP_CONTAINER};
    const json_t *theirs = tree_get(target->metadata, "annotations");

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        put_annotation(object, keys[i], tree_text(theirs, keys[i]));
}

static void put_owner(json_t *object, const struct target *target)
{
    const char *uid = given(target->metadata, "uid");
    json_t *owner, *owners;

    if (!uid)
        return;
    owner = json_object();
    owners = json_array();
    tree_put_text(owner, "apiVersion", target->api_version);
    tree_put_text(owner, "kind", target->kind->kind);
    tree_put_text(owner, "name", target->name);
    tree_put_text(owner, "uid", uid);
    tree_put_bool(owner, "controller", true);
    tree_put_bool(owner, "blockOwnerDeletion", true);
    tree_push_new(owners, owner);
    tree_put_new(json_object_get(object, "metadata"), "ownerReferences", owners);
}

static void seal(const struct objects *in, struct plan_backup *backup)
{
    const json_t *generation = tree_at(in->blueprint, "metadata.generation");

    plan_seal(backup->repository, backup->configuration, backup->sha256);
    put_annotation(backup->repository, KEY_PLAN_SHA256, backup->sha256);
    put_annotation(backup->configuration, KEY_PLAN_SHA256, backup->sha256);
    if (json_is_integer(generation)) {
        AUTO(free)
        char *text = text_format("%" JSON_INTEGER_FORMAT, json_integer_value(generation));

        put_annotation(backup->repository, KEY_BLUEPRINT_GENERATION, text);
        put_annotation(backup->configuration, KEY_BLUEPRINT_GENERATION, text);
    }
    if (!strcmp(configuration_space(in), in->target->space))
        put_owner(backup->configuration, in->target);
}

static bool possible(const struct objects *in, struct error *err)
{
    if (in->target->kind->class != TARGET_APP && given(in->spec, "backupNamespace"))
        return error_set(err, ERROR_INVALID,
                         "spec.backupNamespace works for AppBindings only: what runs beside a "
                         "workload or mounts a claim must be in its namespace");
    if (!backend_provider(tree_get(in->spec, "backend")))
        return error_set(err, ERROR_INVALID, "spec.backend: no backend is given");
    return true;
}

static bool belongs_to_another(const struct objects *in, const json_t *repository,
                               const char **owner)
{
    AUTO(free) char *own = objects_target_text(in->target);

    *owner = tree_text(tree_at(repository, "metadata.annotations"), KEY_TARGET);
    return *owner && strcmp(*owner, own) != 0;
}

/* Two targets in one restic repository would forget each other's snapshots. */
static bool free_for_us(const struct objects *in, const char *name, struct error *err)
{
    const char *space = repository_space(in), *owner;
    AUTO(text) struct text location = {0};
    const json_t *other;
    size_t i;

    if (belongs_to_another(in, cluster_repository(in->cluster, space, name), &owner))
        return error_set(err, ERROR_CONFLICT, "Repository %s/%s belongs to %s", space, name, owner);
    backend_location(&location, tree_get(in->spec, "backend"));
    tree_items (cluster_repositories_at(in->cluster, text_get(&location)), i, other) {
        if (belongs_to_another(in, other, &owner))
            return error_set(err, ERROR_CONFLICT,
                             "its location already holds the backup of %s: spec.backend needs "
                             "${TARGET_NAMESPACE}, ${TARGET_KIND} and ${TARGET_NAME}",
                             owner);
    }
    return true;
}

bool objects_make(const struct objects *in, struct plan_backup *backup, struct error *err)
{
    const char *space;

    if (!possible(in, err))
        return false;
    if (!*in->target->name)
        return true;

    AUTO(free) char *name = objects_configuration_name(in, &space);
    AUTO(free) char *repository_called = repository_name(in);

    if (!free_for_us(in, repository_called, err))
        return false;
    backup->repository = repository(in, repository_called);
    backup->configuration = configuration(in, space, name, repository_called);
    if (in->dump)
        put_dump(backup->configuration, in->target);
    seal(in, backup);
    return true;
}

bool objects_has_plain_name(const json_t *object, const struct target *target)
{
    struct span name = tree_span(tree_get(object, "metadata"), "name");
    AUTO(free) char *plain = name_of_target(target->kind->kind, target->name);
    AUTO(free) char *outside = name_outside(target->space, target->kind->kind, target->name);

    return span_is(name, plain) || span_is(name, outside);
}

bool objects_is_of_blueprint(const json_t *object, const char *blueprint)
{
    AUTO(free) char *label = name_label_value(blueprint);

    return span_is(tree_span(tree_at(object, "metadata.labels"), LABEL_BLUEPRINT), label);
}
