#include "kube/deltas.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

struct pending {
    struct pending *before, *after; /* in the queue */
    char *key;                      /* NULL: a mark */
    struct delta delta;
};

struct deltas {
    struct pending *first, *last;
    void *by_key; /* a tree of tsearch() */
    size_t count;
};

void delta_done(struct delta *delta)
{
    json_decref(delta->change.before);
    json_decref(delta->change.after);
    delta->change = (struct store_change){0};
}

struct deltas *deltas_make(void)
{
    return text_alloc(sizeof(struct deltas));
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct pending *)a)->key, ((const struct pending *)b)->key);
}

/* What one object is known by, however often its name is used again. Without uids (a folder) the
 * name has to do. The caller frees it. */
static char *key_of(size_t kind, const json_t *object)
{
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");
    AUTO(free) char *name = uid && *uid ? NULL : store_key(object);

    return text_format("%zu %s", kind, name ? name : uid);
}

/* Takes an entry out, without its change. */
static void unlink_entry(struct deltas *deltas, struct pending *entry)
{
    if (entry == deltas->first)
        deltas->first = entry->after;
    else
        entry->before->after = entry->after;
    if (entry == deltas->last)
        deltas->last = entry->before;
    else
        entry->after->before = entry->before;
    if (entry->key)
        tdelete(entry, &deltas->by_key, by_key);
    deltas->count--;
    free(entry->key);
    free(entry);
}

static void append(struct deltas *deltas, char *key, const struct delta *delta)
{
    struct pending *entry = text_alloc(sizeof *entry);

    entry->key = key;
    entry->delta = *delta;
    entry->delta.change.before = tree_share(delta->change.before);
    entry->delta.change.after = tree_share(delta->change.after);
    entry->before = deltas->last;
    if (deltas->last)
        deltas->last->after = entry;
    else
        deltas->first = entry;
    deltas->last = entry;
    if (key && !tsearch(entry, &deltas->by_key, by_key))
        abort();
    deltas->count++;
}

/* Two changes in turn. A deletion tells the last state; of what was never told nothing is left. */
static void merge(struct deltas *deltas, struct pending *entry, const struct delta *next)
{
    struct store_change *change = &entry->delta.change;

    if (!change->before && !next->change.after) {
        delta_done(&entry->delta);
        unlink_entry(deltas, entry);
        return;
    }
    if (!next->change.after) {
        json_decref(change->before);
        change->before = tree_share(next->change.before);
    }
    json_decref(change->after);
    change->after = tree_share(next->change.after);
    change->tombstone = next->change.tombstone;
    entry->delta.doubtful = next->doubtful;
}

void deltas_add(struct deltas *deltas, size_t kind, const struct store_change *change,
                bool doubtful)
{
    const json_t *object = change->after ? change->after : change->before;
    struct delta next = {kind, *change, doubtful};
    struct pending wanted = {.key = object ? key_of(kind, object) : NULL};
    struct pending *const *found = object ? tfind(&wanted, &deltas->by_key, by_key) : NULL;

    if (!found) {
        append(deltas, wanted.key, &next);
        return;
    }
    merge(deltas, *found, &next);
    free(wanted.key);
}

bool deltas_take(struct deltas *deltas, struct delta *delta)
{
    struct pending *entry = deltas->first;

    if (!entry)
        return false;
    *delta = entry->delta;
    unlink_entry(deltas, entry);
    return true;
}

size_t deltas_count(const struct deltas *deltas)
{
    return deltas->count;
}

void deltas_free(struct deltas *deltas)
{
    struct delta delta;

    if (!deltas)
        return;
    while (deltas_take(deltas, &delta))
        delta_done(&delta);
    free(deltas);
}
