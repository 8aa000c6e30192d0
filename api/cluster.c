#include "api/cluster.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "api/backend.h"
#include "api/keys.h"
#include "api/validate.h"
#include "base/text.h"
#include "base/tree.h"

/* Objects by key. jansson's object is the hash table, seeded at start. */
struct cluster {
    atomic_uint references;
    size_t size;
    json_t *blueprints, *namespaces, *tasks; /* by name */
    json_t *repositories_at;                 /* by location: list */
    json_t *faults;                          /* by "Kind/namespace/name" */
    json_t *repositories, *configurations;   /* by "namespace/name" */
    json_t *judged;                          /* by the same key as faults: the object */
    json_t *configurations_of, *restores_of,
        *repositories_of; /* "group/Kind/namespace/name": list */
    const char **blueprint_names;
};

static struct span group_of(const json_t *object)
{
    struct span version = tree_span(object, "apiVersion");
    const char *slash = version.data ? memrchr(version.data, '/', version.length) : NULL;

    return slash ? (struct span){version.data, (size_t)(slash - version.data)} : span_of("");
}

static char *object_key(const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *space = tree_text(metadata, "namespace"), *name = tree_text(metadata, "name");

    return text_format("%s/%s", space ? space : "default", name ? name : "");
}

static char *target_key(struct span group, const char *kind, const char *space, const char *name)
{
    return text_format("%.*s/%s/%s/%s", (int)group.length, group.data, kind ? kind : "",
                       space ? space : "", name ? name : "");
}

/* "group/Kind/namespace/name" of spec.target.ref, or NULL without a name. */
static char *reference_key(const json_t *object)
{
    const json_t *ref = tree_at(object, "spec.target.ref");
    const char *space = tree_text(ref, "namespace");

    if (!tree_text(ref, "name"))
        return NULL;
    if (!space || !*space)
        space = tree_text(tree_get(object, "metadata"), "namespace");
    return target_key(group_of(ref), tree_text(ref, "kind"), space ? space : "default",
                      tree_text(ref, "name"));
}

static char *annotated_key(const json_t *object)
{
    const char *target = tree_text(tree_at(object, "metadata.annotations"), KEY_TARGET);

    return target ? text_format("%s", target) : NULL;
}

/* Before: creationTimestamp (RFC 3339 in UTC sorts as text; absent is newest), namespace, name. */
static int by_age(const json_t *a, const json_t *b)
{
    const json_t *one = tree_get(a, "metadata"), *other = tree_get(b, "metadata");
    const char *age = tree_text(one, "creationTimestamp"),
               *age_other = tree_text(other, "creationTimestamp");
    int order = strcmp(age ? age : "~", age_other ? age_other : "~");

    if (order)
        return order;

    AUTO(free) char *key = object_key(a), *key_other = object_key(b);

    return strcmp(key, key_other);
}

static void put_sorted(json_t *lists, const char *key, const json_t *object)
{
    json_t *list = json_object_get(lists, key);
    size_t place;

    if (!list) {
        list = json_array();
        tree_put_new(lists, key, list);
    }
    for (place = json_array_size(list); place > 0; place--)
        if (by_age(json_array_get(list, place - 1), object) <= 0)
            break;
    if (json_array_insert_new(list, place, tree_share(object)) < 0)
        abort();
}

static void put_pointing(json_t *lists, char *key, const json_t *object)
{
    AUTO(free) char *owned = key;

    if (owned)
        put_sorted(lists, owned, object);
}

static void put_located(json_t *lists, const json_t *repository)
{
    AUTO(text) struct text location = {0};

    backend_location(&location, tree_at(repository, "spec.backend"));
    if (location.length)
        put_sorted(lists, text_get(&location), repository);
}

static void put_named(json_t *table, const json_t *object)
{
    tree_put_new(table, tree_text(tree_get(object, "metadata"), "name"), tree_share(object));
}

static void put_placed(json_t *table, const json_t *object)
{
    AUTO(free) char *key = object_key(object);

    tree_put_new(table, key, tree_share(object));
}

static char *fault_key(const char *kind, const char *space, const char *name)
{
    return text_format("%s/%s/%s", kind, space ? space : "", name);
}

static void find_fault(struct cluster *cluster, const char *key, const json_t *object)
{
    AUTO(findings) struct findings findings = {0};

    validate_object(&(struct validation){.object = object}, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        if (findings.items[i].level != FINDING_ERROR)
            continue;

        AUTO(free)
        char *fault = text_format("%s: %s", findings.items[i].field, findings.items[i].message);

        tree_put_text(cluster->faults, key, fault);
        return;
    }
}

/* What a plan is made of is judged once, when it arrives, not with every review. */
static void judge(struct cluster *cluster, const struct cluster *before, const char *kind,
                  const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    AUTO(free)
    char *key = fault_key(kind, tree_text(metadata, "namespace"), tree_text(metadata, "name"));

    tree_put_new(cluster->judged, key, tree_share(object));
    if (before && tree_get(before->judged, key) == object)
        tree_put_new(cluster->faults, key, tree_share(tree_get(before->faults, key)));
    else
        find_fault(cluster, key, object);
}

static void index_stash(struct cluster *cluster, const struct cluster *before, const char *kind,
                        const json_t *object)
{
    if (!strcmp(kind, "BackupBlueprint")) {
        put_named(cluster->blueprints, object);
        judge(cluster, before, kind, object);
    } else if (!strcmp(kind, "Task")) {
        put_named(cluster->tasks, object);
    } else if (!strcmp(kind, "Repository")) {
        put_placed(cluster->repositories, object);
        put_pointing(cluster->repositories_of, annotated_key(object), object);
        put_located(cluster->repositories_at, object);
    } else if (!strcmp(kind, "BackupConfiguration")) {
        put_placed(cluster->configurations, object);
        put_pointing(cluster->configurations_of, reference_key(object), object);
        judge(cluster, before, kind, object);
    } else if (!strcmp(kind, "RestoreSession")) {
        put_pointing(cluster->restores_of, reference_key(object), object);
        judge(cluster, before, kind, object);
    }
}

static void index_object(struct cluster *cluster, const struct cluster *before,
                         const json_t *object)
{
    const char *kind = tree_text(object, "kind");

    if (!kind || !tree_text(tree_get(object, "metadata"), "name"))
        return;
    if (span_is(group_of(object), GROUP_STASH))
        index_stash(cluster, before, kind, object);
    else if (!strcmp(kind, "Namespace") && group_of(object).length == 0)
        put_named(cluster->namespaces, object);
}

static const char **names_of(const json_t *table)
{
    const char **names = text_alloc((json_object_size(table) + 1) * sizeof *names);
    const json_t *value;
    const char *name;
    size_t count = 0;

    tree_each (table, name, value)
        names[count++] = name;
    return names;
}

struct cluster *cluster_next(const struct cluster *before, const json_t *objects)
{
    struct cluster *cluster = text_alloc(sizeof *cluster);
    const json_t *object;
    size_t i;

    cluster->references = 1;
    cluster->size = json_array_size(objects);
    cluster->blueprints = json_object();
    cluster->repositories_at = json_object();
    cluster->faults = json_object();
    cluster->judged = json_object();
    cluster->namespaces = json_object();
    cluster->tasks = json_object();
    cluster->repositories = json_object();
    cluster->configurations = json_object();
    cluster->configurations_of = json_object();
    cluster->restores_of = json_object();
    cluster->repositories_of = json_object();
    tree_items (objects, i, object)
        index_object(cluster, before, object);
    cluster->blueprint_names = names_of(cluster->blueprints);
    return cluster;
}

struct cluster *cluster_make(const json_t *objects)
{
    return cluster_next(NULL, objects);
}

const struct cluster *cluster_ref(const struct cluster *cluster)
{
    if (cluster)
        atomic_fetch_add(&((struct cluster *)cluster)->references, 1);
    return cluster;
}

void cluster_unref(const struct cluster *cluster)
{
    struct cluster *last = (struct cluster *)cluster;

    if (!last || atomic_fetch_sub(&last->references, 1) != 1)
        return;
    json_decref(last->blueprints);
    json_decref(last->repositories_at);
    json_decref(last->faults);
    json_decref(last->judged);
    json_decref(last->namespaces);
    json_decref(last->tasks);
    json_decref(last->repositories);
    json_decref(last->configurations);
    json_decref(last->configurations_of);
    json_decref(last->restores_of);
    json_decref(last->repositories_of);
    free(last->blueprint_names);
    free(last);
}

const json_t *cluster_blueprint(const struct cluster *cluster, const char *name)
{
    return tree_get(cluster->blueprints, name);
}

const char *cluster_fault(const struct cluster *cluster, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *kind = tree_text(object, "kind"), *name = tree_text(metadata, "name");

    if (json_object_size(cluster->faults) == 0 || !kind || !name)
        return NULL;

    AUTO(free) char *key = fault_key(kind, tree_text(metadata, "namespace"), name);

    return tree_text(cluster->faults, key);
}

const json_t *cluster_namespace(const struct cluster *cluster, const char *name)
{
    return tree_get(cluster->namespaces, name);
}

const json_t *cluster_task(const struct cluster *cluster, const char *name)
{
    return tree_get(cluster->tasks, name);
}

static const json_t *placed(const json_t *table, const char *space, const char *name)
{
    AUTO(free) char *key = text_format("%s/%s", space, name);

    return tree_get(table, key);
}

const json_t *cluster_repository(const struct cluster *cluster, const char *space, const char *name)
{
    return placed(cluster->repositories, space, name);
}

const json_t *cluster_configuration(const struct cluster *cluster, const char *space,
                                    const char *name)
{
    return placed(cluster->configurations, space, name);
}

const char *const *cluster_blueprint_names(const struct cluster *cluster)
{
    return cluster->blueprint_names;
}

bool cluster_knows_namespaces(const struct cluster *cluster)
{
    return json_object_size(cluster->namespaces) > 0;
}

size_t cluster_size(const struct cluster *cluster)
{
    return cluster->size;
}

static const json_t *pointing(const json_t *lists, const char *group, const char *kind,
                              const char *space, const char *name)
{
    if (json_object_size(lists) == 0)
        return NULL;

    AUTO(free) char *key = target_key(span_of(group), kind, space, name);

    return tree_get(lists, key);
}

const json_t *cluster_repositories_at(const struct cluster *cluster, const char *location)
{
    return tree_get(cluster->repositories_at, location);
}

const json_t *cluster_configurations_of(const struct cluster *cluster, const char *group,
                                        const char *kind, const char *space, const char *name)
{
    return pointing(cluster->configurations_of, group, kind, space, name);
}

const json_t *cluster_restores_of(const struct cluster *cluster, const char *group,
                                  const char *kind, const char *space, const char *name)
{
    return pointing(cluster->restores_of, group, kind, space, name);
}

const json_t *cluster_repositories_of(const struct cluster *cluster, const char *group,
                                      const char *kind, const char *space, const char *name)
{
    return pointing(cluster->repositories_of, group, kind, space, name);
}
