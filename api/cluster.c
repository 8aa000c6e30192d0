#include "api/cluster.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/keys.h"
#include "api/shared_map.h"
#include "api/validate.h"
#include "base/text.h"
#include "base/tree.h"

enum map {
    BLUEPRINTS, /* by name */
    NAMESPACES,
    TASKS,
    REPOSITORIES, /* by "namespace/name" */
    CONFIGURATIONS,
    RESTORES,
    FAULTS,          /* texts by "Kind/namespace/name" */
    REPOSITORIES_AT, /* lists by location */
    REPOSITORIES_OF, /* lists by "group/Kind/namespace/name" */
    CONFIGURATIONS_OF,
    RESTORES_OF,
    MAPS
};

/* Which trees are in the maps: a hash table of pointers, half empty at least. The maps hold these
 * trees, so that no other one gets the address of one of them. */
struct members {
    const json_t **slots; /* NULL: free */
    size_t capacity;      /* a power of two */
};

struct cluster {
    atomic_uint references;
    size_t size;
    struct shared_map maps[MAPS];
    struct members members;
    bool doubled; /* two objects have the same kind and name: the last one counts */
    const char **blueprint_names;
};

/* A cluster that is being made. */
struct making {
    struct cluster *cluster;
    bool whole; /* from nothing, not from the one before */
    bool put;   /* objects come; else they go */
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

static void insert_sorted(json_t *list, const json_t *object)
{
    size_t place;

    for (place = json_array_size(list); place > 0; place--)
        if (by_age(json_array_get(list, place - 1), object) <= 0)
            break;
    if (json_array_insert_new(list, place, tree_share(object)) < 0)
        abort();
}

static json_t *list_without(const json_t *list, const json_t *object)
{
    json_t *rest = json_array();
    const json_t *item;
    size_t i;

    tree_items (list, i, item)
        if (item != object)
            tree_push_new(rest, tree_share(item));
    return rest;
}

static void unlist(struct shared_map *lists, const char *key, const json_t *object)
{
    AUTO(json) json_t *rest = list_without(shared_map_get(lists, key), object);

    if (json_array_size(rest) > 0)
        shared_map_put_new(lists, key, TAKE(rest));
    else
        shared_map_remove(lists, key);
}

/* A list may be that of the cluster before: it is copied, unless there was none. */
static void edit_list(struct making *making, enum map map, const char *key, const json_t *object)
{
    struct shared_map *lists = &making->cluster->maps[map];
    const json_t *shared = shared_map_get(lists, key);

    if (!making->put) {
        unlist(lists, key, object);
        return;
    }
    if (shared && making->whole) {
        insert_sorted((json_t *)shared, object);
        return;
    }

    json_t *list = shared ? list_without(shared, NULL) : json_array();

    insert_sorted(list, object);
    shared_map_put_new(lists, key, list);
}

static void edit_pointing(struct making *making, enum map map, char *key, const json_t *object)
{
    AUTO(free) char *owned = key;

    if (owned)
        edit_list(making, map, owned, object);
}

static void edit_located(struct making *making, const json_t *repository)
{
    AUTO(text) struct text location = {0};

    backend_location(&location, tree_at(repository, "spec.backend"));
    if (location.length)
        edit_list(making, REPOSITORIES_AT, text_get(&location), repository);
}

static void edit(struct making *making, enum map map, const char *key, const json_t *object)
{
    struct shared_map *table = &making->cluster->maps[map];

    if (!making->put)
        shared_map_remove(table, key);
    else if (shared_map_put_new(table, key, tree_share(object)))
        making->cluster->doubled = true;
}

static void edit_named(struct making *making, enum map map, const json_t *object)
{
    edit(making, map, tree_text(tree_get(object, "metadata"), "name"), object);
}

static void edit_placed(struct making *making, enum map map, const json_t *object)
{
    AUTO(free) char *key = object_key(object);

    edit(making, map, key, object);
}

static char *fault_key(const char *kind, const char *space, const char *name)
{
    return text_format("%s/%s/%s", kind, space ? space : "", name);
}

static void find_fault(struct shared_map *faults, const char *key, const json_t *object)
{
    AUTO(findings) struct findings findings = {0};

    validate_object(&(struct validation){.object = object}, &findings);
    for (size_t i = 0; i < findings.count; i++) {
        if (findings.items[i].level != FINDING_ERROR)
            continue;

        AUTO(free)
        char *fault = text_format("%s: %s", findings.items[i].field, findings.items[i].message);
        AUTO(json) json_t *texts = json_array();

        tree_push_text(texts, fault);
        shared_map_put_new(faults, key, tree_share(json_array_get(texts, 0)));
        return;
    }
}

/* What a plan is made of is judged once, when it arrives, not with every review. */
static void judge(struct making *making, const char *kind, const json_t *object)
{
    struct shared_map *faults = &making->cluster->maps[FAULTS];
    const json_t *metadata = tree_get(object, "metadata");
    AUTO(free)
    char *key = fault_key(kind, tree_text(metadata, "namespace"), tree_text(metadata, "name"));

    shared_map_remove(faults, key);
    if (making->put)
        find_fault(faults, key, object);
}

static void edit_blueprint(struct making *making, const json_t *object)
{
    edit_named(making, BLUEPRINTS, object);
    judge(making, "BackupBlueprint", object);
}

static void edit_task(struct making *making, const json_t *object)
{
    edit_named(making, TASKS, object);
}

static void edit_namespace(struct making *making, const json_t *object)
{
    edit_named(making, NAMESPACES, object);
}

static void edit_repository(struct making *making, const json_t *object)
{
    edit_placed(making, REPOSITORIES, object);
    edit_pointing(making, REPOSITORIES_OF, annotated_key(object), object);
    edit_located(making, object);
}

static void edit_configuration(struct making *making, const json_t *object)
{
    edit_placed(making, CONFIGURATIONS, object);
    edit_pointing(making, CONFIGURATIONS_OF, reference_key(object), object);
    judge(making, "BackupConfiguration", object);
}

static void edit_restore(struct making *making, const json_t *object)
{
    edit_placed(making, RESTORES, object);
    edit_pointing(making, RESTORES_OF, reference_key(object), object);
    judge(making, "RestoreSession", object);
}

static const struct {
    const char *group, *kind;
    void (*edit)(struct making *making, const json_t *object);
} kinds[] = {
    {GROUP_STASH, "BackupBlueprint", edit_blueprint},
    {GROUP_STASH, "BackupConfiguration", edit_configuration},
    {GROUP_STASH, "RestoreSession", edit_restore},
    {GROUP_STASH, "Repository", edit_repository},
    {GROUP_STASH, "Task", edit_task},
    {"", "Namespace", edit_namespace},
};

/* Returns whether it is of interest at all. */
static bool edit_object(struct making *making, const json_t *object)
{
    const char *kind = tree_text(object, "kind");
    struct span group = group_of(object);

    if (!kind || !tree_text(tree_get(object, "metadata"), "name"))
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kind, kinds[i].kind) == 0 && span_is(group, kinds[i].group)) {
            kinds[i].edit(making, object);
            return true;
        }
    return false;
}

/* Members. */

static struct members members_make(size_t count)
{
    struct members members = {.capacity = 16};

    while (members.capacity < 2 * count)
        members.capacity *= 2;
    members.slots = text_alloc(members.capacity * sizeof *members.slots);
    return members;
}

/* The slot of a tree, or the free one where it would be. */
static size_t member_slot(const struct members *members, const json_t *tree)
{
    /* addresses are multiples of 16; the upper half of a product depends on all bits */
    size_t slot = (size_t)((uint64_t)(uintptr_t)tree / 16 * UINT64_C(0x9E3779B97F4A7C15) >> 32);

    for (slot &= members->capacity - 1; members->slots[slot] && members->slots[slot] != tree;)
        slot = (slot + 1) & (members->capacity - 1);
    return slot;
}

/* False when it is there already. */
static bool member_add(struct members *members, const json_t *tree)
{
    size_t slot = member_slot(members, tree);

    if (members->slots[slot])
        return false;
    members->slots[slot] = tree;
    return true;
}

/* Making. */

static struct cluster *begin(const json_t *objects)
{
    struct cluster *cluster = text_alloc(sizeof *cluster);

    cluster->references = 1;
    cluster->size = json_array_size(objects);
    cluster->members = members_make(cluster->size);
    return cluster;
}

static void take(struct making *making, const json_t *object)
{
    if (edit_object(making, object) && !member_add(&making->cluster->members, object))
        making->cluster->doubled = true;
}

static struct cluster *make_whole(const json_t *objects)
{
    struct making making = {.cluster = begin(objects), .whole = true, .put = true};
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        take(&making, object);
    return making.cluster;
}

/* Notes which of the former members are still there; what is not among them goes to `added`. */
static void compare(struct making *making, const struct members *former, const json_t *objects,
                    bool *stays, json_t *added)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object) {
        size_t slot = member_slot(former, object);

        if (!former->slots[slot]) {
            tree_push_new(added, tree_share(object));
            continue;
        }
        stays[slot] = true;
        if (!member_add(&making->cluster->members, object))
            making->cluster->doubled = true;
    }
}

/* What goes, goes first: what comes may have its name. */
static struct cluster *make_from(const struct cluster *before, const json_t *objects)
{
    struct making making = {.cluster = begin(objects)};
    const struct members *former = &before->members;
    AUTO(free) bool *stays = text_alloc(former->capacity * sizeof *stays);
    AUTO(json) json_t *added = json_array();
    const json_t *object;
    size_t i;

    for (i = 0; i < MAPS; i++)
        shared_map_copy(&making.cluster->maps[i], &before->maps[i]);
    compare(&making, former, objects, stays, added);
    for (i = 0; i < former->capacity; i++)
        if (former->slots[i] && !stays[i])
            edit_object(&making, former->slots[i]);
    making.put = true;
    tree_items (added, i, object)
        take(&making, object);
    return making.cluster;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **names_of(const struct shared_map *map)
{
    const char **names = text_alloc((map->size + 1) * sizeof *names);
    const json_t *value;
    const char *name;
    size_t count = 0;

    for (size_t i = 0; i < SHARED_MAP_PARTS; i++)
        tree_each (map->parts[i], name, value)
            names[count++] = name;
    qsort(names, count, sizeof *names, by_text);
    return names;
}

struct cluster *cluster_next(const struct cluster *before, const json_t *objects)
{
    struct cluster *cluster = NULL;

    /* of two objects with one name only one is in the maps: what is there when it goes is not known
     */
    if (before && !before->doubled)
        cluster = make_from(before, objects);
    if (cluster && cluster->doubled) {
        cluster_unref(cluster);
        cluster = NULL;
    }
    if (!cluster)
        cluster = make_whole(objects);
    cluster->blueprint_names = names_of(&cluster->maps[BLUEPRINTS]);
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
    for (size_t i = 0; i < MAPS; i++)
        shared_map_done(&last->maps[i]);
    free(last->members.slots);
    free(last->blueprint_names);
    free(last);
}

const json_t *cluster_blueprint(const struct cluster *cluster, const char *name)
{
    return shared_map_get(&cluster->maps[BLUEPRINTS], name);
}

const char *cluster_fault(const struct cluster *cluster, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *kind = tree_text(object, "kind"), *name = tree_text(metadata, "name");

    if (cluster->maps[FAULTS].size == 0 || !kind || !name)
        return NULL;

    AUTO(free) char *key = fault_key(kind, tree_text(metadata, "namespace"), name);

    return json_string_value(shared_map_get(&cluster->maps[FAULTS], key));
}

const json_t *cluster_namespace(const struct cluster *cluster, const char *name)
{
    return shared_map_get(&cluster->maps[NAMESPACES], name);
}

const json_t *cluster_task(const struct cluster *cluster, const char *name)
{
    return shared_map_get(&cluster->maps[TASKS], name);
}

static const json_t *placed(const struct shared_map *map, const char *space, const char *name)
{
    AUTO(free) char *key = text_format("%s/%s", space, name);

    return shared_map_get(map, key);
}

const json_t *cluster_repository(const struct cluster *cluster, const char *space, const char *name)
{
    return placed(&cluster->maps[REPOSITORIES], space, name);
}

const json_t *cluster_configuration(const struct cluster *cluster, const char *space,
                                    const char *name)
{
    return placed(&cluster->maps[CONFIGURATIONS], space, name);
}

const char *const *cluster_blueprint_names(const struct cluster *cluster)
{
    return cluster->blueprint_names;
}

bool cluster_knows_namespaces(const struct cluster *cluster)
{
    return cluster->maps[NAMESPACES].size > 0;
}

size_t cluster_size(const struct cluster *cluster)
{
    return cluster->size;
}

static const json_t *pointing(const struct shared_map *lists, const char *group, const char *kind,
                              const char *space, const char *name)
{
    if (lists->size == 0)
        return NULL;

    AUTO(free) char *key = target_key(span_of(group), kind, space, name);

    return shared_map_get(lists, key);
}

const json_t *cluster_repositories_at(const struct cluster *cluster, const char *location)
{
    return shared_map_get(&cluster->maps[REPOSITORIES_AT], location);
}

const json_t *cluster_configurations_of(const struct cluster *cluster, const char *group,
                                        const char *kind, const char *space, const char *name)
{
    return pointing(&cluster->maps[CONFIGURATIONS_OF], group, kind, space, name);
}

const json_t *cluster_restores_of(const struct cluster *cluster, const char *group,
                                  const char *kind, const char *space, const char *name)
{
    return pointing(&cluster->maps[RESTORES_OF], group, kind, space, name);
}

const json_t *cluster_repositories_of(const struct cluster *cluster, const char *group,
                                      const char *kind, const char *space, const char *name)
{
    return pointing(&cluster->maps[REPOSITORIES_OF], group, kind, space, name);
}
