#include "kube/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

#if !defined JANSSON_THREAD_SAFE_REFCOUNT && !defined __cppcheck__
#error "objects are shared between threads: jansson must count references atomically"
#endif

/* jansson's object is the hash table, seeded at start; trees stand in it, never copies. */
struct kube_store {
    pthread_mutex_t lock;
    const struct store_index *indexes;
    size_t index_count;
    json_t *by_key;   /* "namespace/name" -> object */
    json_t *by_uid;   /* -> object */
    json_t **by_text; /* of each index: text -> key -> object */
};

char *store_key(const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *space = tree_text(metadata, "namespace"), *name = tree_text(metadata, "name");

    return text_format("%s/%s", space ? space : "", name ? name : "");
}

static const char *uid_of(const json_t *object)
{
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");

    return uid ? uid : "";
}

void store_changes_done(struct store_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        json_decref(changes->items[i].before);
        json_decref(changes->items[i].after);
    }
    free(changes->items);
    *changes = (struct store_changes){0};
}

static void add_change(struct store_changes *changes, const json_t *before, const json_t *after,
                       bool tombstone)
{
    if (changes->count == changes->room) {
        changes->room = changes->room ? 2 * changes->room : 8;
        changes->items = text_realloc(changes->items, changes->room * sizeof *changes->items);
    }
    changes->items[changes->count++] =
        (struct store_change){tree_share(before), tree_share(after), tombstone};
}

struct kube_store *kube_store_make(const struct store_index *indexes)
{
    struct kube_store *store = text_alloc(sizeof *store);

    *store =
        (struct kube_store){.indexes = indexes, .by_key = json_object(), .by_uid = json_object()};
    while (indexes && indexes[store->index_count].name)
        store->index_count++;
    store->by_text = text_alloc((store->index_count + 1) * sizeof *store->by_text);
    for (size_t i = 0; i < store->index_count; i++)
        store->by_text[i] = json_object();
    pthread_mutex_init(&store->lock, NULL);
    return store;
}

void kube_store_free(struct kube_store *store)
{
    if (!store)
        return;
    json_decref(store->by_key);
    json_decref(store->by_uid);
    for (size_t i = 0; i < store->index_count; i++)
        json_decref(store->by_text[i]);
    free(store->by_text);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* Enters an object under a text of an index, or takes it out (object NULL). */
static void enter(json_t *table, const char *text, const char *key, const json_t *object)
{
    json_t *found = json_object_get(table, text);

    if (object && !found) {
        found = json_object();
        tree_put_new(table, text, found);
    }
    if (object)
        tree_put_new(found, key, tree_share(object));
    else
        json_object_del(found, key);
    if (found && json_object_size(found) == 0)
        json_object_del(table, text);
}

/* The texts of `of`: with object they lead to it, without they no longer do. */
static void enter_all(struct kube_store *store, const char *key, const json_t *of,
                      const json_t *object)
{
    for (size_t i = 0; i < store->index_count; i++) {
        AUTO(json) json_t *texts = json_array();
        const json_t *text;
        size_t t;

        store->indexes[i].keys(of, texts);
        tree_items (texts, t, text)
            if (json_string_value(text))
                enter(store->by_text[i], json_string_value(text), key, object);
    }
}

static void forget(struct kube_store *store, const char *key, json_t *before)
{
    enter_all(store, key, before, NULL);
    if (json_object_get(store->by_uid, uid_of(before)) == before)
        json_object_del(store->by_uid, uid_of(before));
    json_object_del(store->by_key, key);
}

static void keep(struct kube_store *store, const char *key, const json_t *object)
{
    tree_put_new(store->by_key, key, tree_share(object));
    if (*uid_of(object))
        tree_put_new(store->by_uid, uid_of(object), tree_share(object));
    enter_all(store, key, object, object);
}

/* The content is compared too: a restored etcd gives the same version to another state. */
static bool is_same(const json_t *a, const json_t *b)
{
    return span_equal(tree_span(tree_get(a, "metadata"), "resourceVersion"),
                      tree_span(tree_get(b, "metadata"), "resourceVersion")) &&
           tree_equal(a, b);
}

static void put(struct kube_store *store, const char *key, const json_t *object,
                struct store_changes *changes)
{
    AUTO(json) json_t *before = tree_share(json_object_get(store->by_key, key));

    if (before && is_same(before, object))
        return;
    if (before)
        forget(store, key, before);
    keep(store, key, object);
    if (before && strcmp(uid_of(before), uid_of(object)) != 0) {
        add_change(changes, before, NULL, true);
        add_change(changes, NULL, object, false);
    } else {
        add_change(changes, before, object, false);
    }
}

void kube_store_put(struct kube_store *store, const json_t *object, struct store_changes *changes)
{
    AUTO(free) char *key = store_key(object);

    pthread_mutex_lock(&store->lock);
    put(store, key, object, changes);
    pthread_mutex_unlock(&store->lock);
}

void kube_store_remove(struct kube_store *store, const json_t *object,
                       struct store_changes *changes)
{
    AUTO(free) char *key = store_key(object);

    pthread_mutex_lock(&store->lock);

    AUTO(json) json_t *before = tree_share(json_object_get(store->by_key, key));

    if (before && strcmp(uid_of(before), uid_of(object)) == 0) {
        forget(store, key, before);
        add_change(changes, object, NULL, false);
    }
    pthread_mutex_unlock(&store->lock);
}

/* Takes out what the list does not have. `wanted` has the keys of the list. */
static void remove_others(struct kube_store *store, const json_t *wanted,
                          struct store_changes *changes)
{
    AUTO(json) json_t *known = json_copy(store->by_key);
    json_t *object;
    const char *key;

    json_object_foreach(known, key, object)
    {
        if (tree_get(wanted, key))
            continue;
        forget(store, key, object);
        add_change(changes, object, NULL, true);
    }
}

void kube_store_replace(struct kube_store *store, const json_t *list, struct store_changes *changes)
{
    AUTO(json) json_t *wanted = json_object();
    const json_t *object;
    const char *key;
    size_t i;

    tree_items (list, i, object) {
        AUTO(free) char *own = store_key(object);

        tree_put_new(wanted, own, tree_share(object));
    }
    pthread_mutex_lock(&store->lock);
    remove_others(store, wanted, changes);
    tree_each (wanted, key, object)
        put(store, key, object, changes);
    pthread_mutex_unlock(&store->lock);
}

static json_t *look_up(struct kube_store *store, const json_t *table, const char *key)
{
    pthread_mutex_lock(&store->lock);

    json_t *found = tree_share(tree_get(table, key));

    pthread_mutex_unlock(&store->lock);
    return found;
}

json_t *kube_store_get(struct kube_store *store, const char *space, const char *name)
{
    AUTO(free) char *key = text_format("%s/%s", space ? space : "", name);

    return look_up(store, store->by_key, key);
}

json_t *kube_store_uid(struct kube_store *store, const char *uid)
{
    return look_up(store, store->by_uid, uid);
}

static void append(json_t *list, const json_t *table)
{
    const json_t *object;
    const char *key;

    tree_each (table, key, object)
        tree_push_new(list, tree_share(object));
}

json_t *kube_store_find(struct kube_store *store, const char *index, const char *text)
{
    json_t *list = json_array();
    size_t i = 0;

    while (i < store->index_count && strcmp(store->indexes[i].name, index) != 0)
        i++;
    assert(i < store->index_count);
    pthread_mutex_lock(&store->lock);
    append(list, tree_get(store->by_text[i], text));
    pthread_mutex_unlock(&store->lock);
    return list;
}

void kube_store_all(struct kube_store *store, json_t *list)
{
    pthread_mutex_lock(&store->lock);
    append(list, store->by_key);
    pthread_mutex_unlock(&store->lock);
}

size_t kube_store_count(struct kube_store *store)
{
    pthread_mutex_lock(&store->lock);

    size_t count = json_object_size(store->by_key);

    pthread_mutex_unlock(&store->lock);
    return count;
}
