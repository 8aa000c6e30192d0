#include "controllers/known.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/repository_lease.h"
#include "controllers/repository_place.h"
#include "controllers/target_lease.h"
#include "kube/verbs.h"

#define BATCH "batch"
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define OURS "app.kubernetes.io/managed-by=" GROUP_STASH

struct known {
    struct known_options options;
    struct kube_watched kinds[KNOWN_KINDS];
    struct informer *informer;
    pthread_mutex_t starting; /* held until `informer` is set */
    pthread_mutex_t lock;     /* of what follows */
    const struct cluster *cluster;
    atomic_bool stale; /* it is older than what was told */
};

/* ---- what is kept ---- */

/* What kubectl apply keeps is all of the object a second time. */
static void cut(json_t *object)
{
    json_object_del(json_object_get(json_object_get(object, "metadata"), "annotations"),
                    LAST_APPLIED);
}

/* Of other people's objects, which are many, only our annotations decide anything. */
static void cut_foreign(json_t *object)
{
    static const char *const prefixes[] = {KEY_STASH_PREFIX, KEY_PARAMS_PREFIX, KEY_PREFIX};
    json_t *metadata = json_object_get(object, "metadata"), *kept = json_object();
    const json_t *value;
    const char *key;

    tree_each (tree_get(metadata, "annotations"), key, value)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
                tree_put_new(kept, key, tree_share(value));
    json_object_del(metadata, "annotations");
    if (json_object_size(kept) > 0)
        tree_put_new(metadata, "annotations", TAKE(kept));
    json_decref(kept);
}

/* Their status changes all the time, which is nothing to us: a change of what is asked for has a
 * new generation. */
static void cut_version(json_t *object)
{
    cut_foreign(object);
    json_object_del(json_object_get(object, "metadata"), "resourceVersion");
}

/* ---- by what it is found ---- */

static struct span group_of(const json_t *object)
{
    struct span version = tree_span(object, "apiVersion");
    const char *slash = version.data ? memrchr(version.data, '/', version.length) : NULL;

    return slash ? (struct span){version.data, (size_t)(slash - version.data)} : span_of("");
}

static const char *space_of(const json_t *object)
{
    const char *space = tree_text(tree_get(object, "metadata"), "namespace");

    return space ? space : "";
}

static char *target_text(const json_t *reference, const char *space, const char *name)
{
    struct span group = group_of(reference);
    const char *kind = tree_text(reference, "kind");

    if (!kind || !name || !*name)
        return NULL;
    return text_format("%.*s/%s/%s/%s", (int)group.length, group.data, kind, space, name);
}

char *known_target_text(const json_t *object)
{
    return target_text(object, space_of(object), tree_text(tree_get(object, "metadata"), "name"));
}

char *known_target_of(const json_t *object)
{
    const char *ours = tree_text(tree_at(object, "metadata.annotations"), KEY_TARGET);
    const json_t *ref = tree_at(object, "spec.target.ref");
    const char *space = tree_text(ref, "namespace");

    if (ours)
        return text_format("%s", ours);
    return target_text(ref, space && *space ? space : space_of(object), tree_text(ref, "name"));
}

char *known_reference(const json_t *object, const json_t *reference)
{
    const char *space = tree_text(reference, "namespace"), *name = tree_text(reference, "name");

    if (!name || !*name)
        return NULL;
    return text_format("%s/%s", space && *space ? space : space_of(object), name);
}

static void push_owned(json_t *list, char *text)
{
    if (text)
        tree_push_text(list, text);
    free(text);
}

static void by_space(const json_t *object, json_t *list)
{
    tree_push_text(list, space_of(object));
}

static void by_owner(const json_t *object, json_t *list)
{
    const json_t *owners = tree_at(object, "metadata.ownerReferences"), *owner;
    size_t i;

    tree_items (owners, i, owner)
        tree_push_text(list, tree_text(owner, "uid"));
}

/* A restore that makes its claims itself is its own target. */
static void by_target(const json_t *object, json_t *list)
{
    bool alone = json_array_size(tree_at(object, "spec.target.volumeClaimTemplates")) > 0 &&
                 !tree_at(object, "spec.target.ref");

    push_owned(list, alone ? known_target_text(object) : known_target_of(object));
}

/* Of a target: a list of names. */
static void by_blueprint(const json_t *object, json_t *list)
{
    const json_t *metadata = tree_get(object, "metadata");
    struct span rest = tree_span(tree_get(metadata, "annotations"), KEY_BLUEPRINT), name;

    tree_push_text(list, tree_text(tree_get(metadata, "labels"), LABEL_BLUEPRINT));
    while (rest.data && text_split(&rest, ',', &name)) {
        struct span trimmed = text_trim(name);

        if (trimmed.length)
            push_owned(list, text_dup(trimmed.data, trimmed.length));
    }
}

static void by_repository(const json_t *object, json_t *list)
{
    push_owned(list, known_reference(object, tree_at(object, "spec.repository")));
}

static void by_invoker(const json_t *object, json_t *list)
{
    push_owned(list, known_reference(object, tree_at(object, "spec.invoker")));
}

static void by_secret(const json_t *object, json_t *list)
{
    const char *name = tree_text(tree_at(object, "spec.backend"), "storageSecretName");

    if (name)
        push_owned(list, text_format("%s/%s", space_of(object), name));
}

static void by_place(const json_t *object, json_t *list)
{
    push_owned(list, repository_place_of(object));
}

static const struct store_index of_space[] = {
    {KNOWN_BY_BLUEPRINT, by_blueprint},
    {0},
};
static const struct store_index of_targets[] = {
    {KNOWN_BY_SPACE, by_space},
    {KNOWN_BY_BLUEPRINT, by_blueprint},
    {KNOWN_BY_OWNER, by_owner},
    {0},
};
static const struct store_index of_configurations[] = {
    {KNOWN_BY_SPACE, by_space},         {KNOWN_BY_TARGET, by_target},
    {KNOWN_BY_BLUEPRINT, by_blueprint}, {KNOWN_BY_REPOSITORY, by_repository},
    {KNOWN_BY_OWNER, by_owner},         {0},
};
static const struct store_index of_repositories[] = {
    {KNOWN_BY_SPACE, by_space},   {KNOWN_BY_TARGET, by_target}, {KNOWN_BY_BLUEPRINT, by_blueprint},
    {KNOWN_BY_SECRET, by_secret}, {KNOWN_BY_PLACE, by_place},   {0},
};
static const struct store_index of_sessions[] = {
    {KNOWN_BY_SPACE, by_space},
    {KNOWN_BY_INVOKER, by_invoker},
    {KNOWN_BY_OWNER, by_owner},
    {0},
};
static const struct store_index of_restores[] = {
    {KNOWN_BY_SPACE, by_space},
    {KNOWN_BY_TARGET, by_target},
    {KNOWN_BY_REPOSITORY, by_repository},
    {0},
};
static const struct store_index of_made[] = {
    {KNOWN_BY_SPACE, by_space},
    {KNOWN_BY_OWNER, by_owner},
    {0},
};

static void by_ledger(const json_t *lease, json_t *list)
{
    tree_push_text(list, repository_lease_of(lease));
}

static void by_session(const json_t *lease, json_t *list)
{
    AUTO(free) char *session = target_lease_session(lease);

    if (*session)
        tree_push_text(list, session);
}

static const struct store_index of_leases[] = {
    {KNOWN_BY_TARGET, by_target},
    {KNOWN_BY_SESSION, by_session},
    {KNOWN_BY_REPOSITORY, by_ledger},
    {0},
};

/* ---- the table ---- */

#define WHOLE(group, version, plural, kind, namespaced)                                            \
    {                                                                                              \
        .resource = {group, version, plural, kind, namespaced}, .optional = true, .cut = cut       \
    }
#define META(group, version, plural, kind)                                                         \
    {                                                                                              \
        .resource = {group, version, plural, kind, true}, .metadata_only = true,                   \
        .cut = cut_version                                                                         \
    }

/* Those that CRDs bring may be missing: then there are no such objects. */
static const struct kube_watched table[KNOWN_KINDS] = {
    [KNOWN_NAMESPACE] = {{"", "v1", "namespaces", "Namespace", false},
                         .metadata_only = true,
                         .cut = cut_version},
    [KNOWN_BLUEPRINT] = WHOLE(GROUP_STASH, "v1beta1", "backupblueprints", "BackupBlueprint", false),
    [KNOWN_CONFIGURATION] =
        WHOLE(GROUP_STASH, "v1beta1", "backupconfigurations", "BackupConfiguration", true),
    [KNOWN_REPOSITORY] = WHOLE(GROUP_STASH, "v1alpha1", "repositories", "Repository", true),
    [KNOWN_SESSION] = WHOLE(GROUP_STASH, "v1beta1", "backupsessions", "BackupSession", true),
    [KNOWN_RESTORE] = WHOLE(GROUP_STASH, "v1beta1", "restoresessions", "RestoreSession", true),
    [KNOWN_FUNCTION] = WHOLE(GROUP_STASH, "v1beta1", "functions", "Function", false),
    [KNOWN_TASK] = WHOLE(GROUP_STASH, "v1beta1", "tasks", "Task", false),
    [KNOWN_DEPLOYMENT] = META("apps", "v1", "deployments", "Deployment"),
    [KNOWN_STATEFULSET] = META("apps", "v1", "statefulsets", "StatefulSet"),
    [KNOWN_DAEMONSET] = META("apps", "v1", "daemonsets", "DaemonSet"),
    [KNOWN_REPLICASET] = META("apps", "v1", "replicasets", "ReplicaSet"),
    [KNOWN_REPLICATIONCONTROLLER] =
        META("", "v1", "replicationcontrollers", "ReplicationController"),
    [KNOWN_DEPLOYMENTCONFIG] = {{GROUP_OPENSHIFT_APPS, "v1", "deploymentconfigs",
                                 "DeploymentConfig", true},
                                .metadata_only = true,
                                .optional = true,
                                .cut = cut_version},
    [KNOWN_CLAIM] = META("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    [KNOWN_APP] = {{GROUP_APPCATALOG, "v1alpha1", "appbindings", "AppBinding", true},
                   .metadata_only = true,
                   .optional = true,
                   .cut = cut_version},
    /* those that have ended stay for days when they were evicted, and carry nothing */
    [KNOWN_POD] = {{"", "v1", "pods", "Pod", true},
                   .metadata_only = true,
                   .fields = "status.phase!=Failed,status.phase!=Succeeded",
                   .cut = cut_foreign},
    [KNOWN_JOB] = {{BATCH, "v1", "jobs", "Job", true}, .labels = OURS, .cut = cut},
    [KNOWN_CRONJOB] = {{BATCH, "v1", "cronjobs", "CronJob", true}, .labels = OURS, .cut = cut},
    [KNOWN_IDENTITY] = {{"", "v1", "configmaps", "ConfigMap", true},
                        .fields = "metadata.name=" IDENTITY_CONFIGMAP,
                        .cut = cut},
    [KNOWN_LEASE] = {{"coordination.k8s.io", "v1", "leases", "Lease", true},
                     .labels = TARGET_LEASE_SELECTOR},
};

static const struct store_index *const indexes[KNOWN_KINDS] = {
    [KNOWN_NAMESPACE] = of_space,
    [KNOWN_CONFIGURATION] = of_configurations,
    [KNOWN_REPOSITORY] = of_repositories,
    [KNOWN_SESSION] = of_sessions,
    [KNOWN_RESTORE] = of_restores,
    [KNOWN_DEPLOYMENT] = of_targets,
    [KNOWN_STATEFULSET] = of_targets,
    [KNOWN_DAEMONSET] = of_targets,
    [KNOWN_REPLICASET] = of_targets,
    [KNOWN_REPLICATIONCONTROLLER] = of_targets,
    [KNOWN_DEPLOYMENTCONFIG] = of_targets,
    [KNOWN_CLAIM] = of_targets,
    [KNOWN_APP] = of_targets,
    [KNOWN_POD] = of_made,
    [KNOWN_JOB] = of_made,
    [KNOWN_CRONJOB] = of_made,
    [KNOWN_LEASE] = of_leases,
};

/* What api/cluster.h is made of. */
static bool decides(enum known_kind kind)
{
    return kind == KNOWN_NAMESPACE || kind == KNOWN_BLUEPRINT || kind == KNOWN_CONFIGURATION ||
           kind == KNOWN_REPOSITORY || kind == KNOWN_RESTORE || kind == KNOWN_TASK;
}

const struct kube_resource *known_resource(enum known_kind kind)
{
    assert(kind < KNOWN_KINDS);
    return &table[kind].resource;
}

enum known_kind known_kind_of(const json_t *object)
{
    struct span group = group_of(object), kind = tree_span(object, "kind");

    for (size_t i = 0; i < KNOWN_KINDS; i++)
        if (span_is(kind, table[i].resource.kind) && span_is(group, table[i].resource.group))
            return (enum known_kind)i;
    return KNOWN_KINDS;
}

/* ---- life ---- */

static void take_change(void *context, const struct informer_change *change)
{
    struct known *known = context;

    pthread_mutex_lock(&known->starting);
    pthread_mutex_unlock(&known->starting);
    if (decides((enum known_kind)change->kind))
        known->stale = true;
    if (known->options.changed)
        known->options.changed(known->options.context, known, change);
}

static bool start(struct known *known, struct error *err)
{
    struct informer_options options = {
        .kinds = known->kinds,
        .count = KNOWN_KINDS,
        .indexes = indexes,
        .changed = take_change,
        .context = known,
        .lists_only = known->options.lists_only,
        .limits = known->options.limits,
    };

    struct kube_client *watcher =
        known->options.watcher ? known->options.watcher : known->options.client;

    pthread_mutex_lock(&known->starting);
    known->informer = watcher ? informer_start(watcher, &options, err)
                              : informer_start_folder(known->options.folder, &options, err);
    pthread_mutex_unlock(&known->starting);
    return known->informer != NULL;
}

struct known *known_start(const struct known_options *options, struct error *err)
{
    struct known *known = text_alloc(sizeof *known);

    known->options = *options;
    memcpy(known->kinds, table, sizeof table);
    for (size_t i = 0; !options->client && i < KNOWN_KINDS; i++)
        known->kinds[i].labels = known->kinds[i].fields = NULL; /* a folder knows no selectors */
    known->kinds[KNOWN_LEASE].space = options->client ? options->space : NULL;
    known->stale = true;
    pthread_mutex_init(&known->starting, NULL);
    pthread_mutex_init(&known->lock, NULL);
    if (start(known, err))
        return known;
    known_stop(known);
    return NULL;
}

void known_stop(struct known *known)
{
    if (!known)
        return;
    informer_stop(known->informer);
    cluster_unref(known->cluster);
    pthread_mutex_destroy(&known->starting);
    pthread_mutex_destroy(&known->lock);
    free(known);
}

bool known_synced(struct known *known)
{
    return informer_synced(known->informer, INFORMER_ALL);
}

bool known_wait_synced(struct known *known, int64_t timeout_ms)
{
    return informer_wait_synced(known->informer, INFORMER_ALL, timeout_ms);
}

/* ---- questions ---- */

json_t *known_get(struct known *known, enum known_kind kind, const char *space, const char *name)
{
    return kube_store_get(informer_store(known->informer, kind), space, name);
}

json_t *known_uid(struct known *known, enum known_kind kind, const char *uid)
{
    return kube_store_uid(informer_store(known->informer, kind), uid);
}

json_t *known_find(struct known *known, enum known_kind kind, const char *index, const char *text)
{
    return kube_store_find(informer_store(known->informer, kind), index, text);
}

json_t *known_all(struct known *known, enum known_kind kind)
{
    json_t *list = json_array();

    kube_store_all(informer_store(known->informer, kind), list);
    return list;
}

/* Under the lock. */
static void refresh(struct known *known)
{
    const struct cluster *before = known->cluster;
    AUTO(json) json_t *objects = json_array();

    for (size_t i = 0; i < KNOWN_KINDS; i++)
        if (decides((enum known_kind)i))
            kube_store_all(informer_store(known->informer, i), objects);
    known->cluster = cluster_next(before, objects);
    cluster_unref(before);
}

const struct cluster *known_cluster(struct known *known)
{
    const struct cluster *cluster;

    pthread_mutex_lock(&known->lock);
    /* what changes from here on makes it stale again */
    if (atomic_exchange(&known->stale, false))
        refresh(known);
    cluster = cluster_ref(known->cluster);
    pthread_mutex_unlock(&known->lock);
    return cluster;
}

json_t *known_whole(struct known *known, enum known_kind kind, const char *space, const char *name,
                    struct error *err)
{
    struct kube_ref ref = {.resource = known_resource(kind), .space = space, .name = name};
    json_t *object;

    if (known->options.client)
        return kube_get(known->options.client, &ref, err);
    object = known_get(known, kind, space, name);
    if (!object)
        error_set(err, ERROR_NOT_FOUND, "%s %s/%s is not there", ref.resource->kind,
                  space ? space : "", name);
    return object;
}

bool known_is_served(struct known *known, enum known_kind kind)
{
    return !known->options.client ||
           informer_look(known->informer, kind).follower.status != ERROR_NOT_FOUND;
}

void known_pretend(struct known *known, const json_t *object, bool gone)
{
    AUTO(store_changes) struct store_changes changes = {0};
    enum known_kind kind = known_kind_of(object);

    assert(!known->options.client && kind != KNOWN_KINDS);
    if (gone)
        kube_store_remove(informer_store(known->informer, kind), object, &changes);
    else
        kube_store_put(informer_store(known->informer, kind), object, &changes);
    for (size_t i = 0; i < changes.count; i++) {
        struct informer_change change = {.kind = kind,
                                         .watched = &known->kinds[kind],
                                         .before = changes.items[i].before,
                                         .after = changes.items[i].after};

        take_change(known, &change);
    }
}

struct known_facts known_look(struct known *known)
{
    struct known_facts facts = {.synced = known_synced(known)};

    for (size_t i = 0; i < KNOWN_KINDS; i++) {
        struct informer_facts kind = informer_look(known->informer, i);
        bool absent = table[i].optional && kind.follower.status == ERROR_NOT_FOUND;

        facts.objects += kind.objects;
        facts.errors += kind.follower.errors;
        if (kind.follower.problem[0] && !absent && !facts.problem[0])
            snprintf(facts.problem, sizeof facts.problem, "%s: %.200s", table[i].resource.plural,
                     kind.follower.problem);
    }
    return facts;
}
