#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The objects of one kind as they were last seen, by namespace and name, by uid, and by what
 * indexes say. Any thread.
 *
 * Objects are trees that nobody edits once they are in here, so that a reference is all that is
 * handed out: jansson counts references atomically (since 2.11 where the compiler can; store.c does
 * not compile otherwise). Look-ups hold the lock for a moment, what was found is read without.
 */
struct kube_store;

/** A way to find objects. */
struct store_index {
    const char *name;
    /* appends the texts under which an object is found to a list; none is fine */
    void (*keys)(const json_t *object, json_t *list);
};

/** What became of one object. */
struct store_change {
    json_t *before; /* owned; NULL: it is new */
    json_t *after;  /* owned; NULL: it is gone */
    bool tombstone; /* it is gone since a list did not have it: `before` may be older than what was
                       deleted, and when that happened is not known */
};

/** Changes in the order in which they happened. {0} is none. */
struct store_changes {
    struct store_change *items;
    size_t count, room;
};

void store_changes_done(struct store_changes *changes);

static inline void auto_store_changes(struct store_changes *changes)
{
    store_changes_done(changes);
}

/** @param indexes  Ends with an entry whose name is NULL; lives as long as the store. NULL: none.
 */
struct kube_store *kube_store_make(const struct store_index *indexes);
void kube_store_free(struct kube_store *store);

/**
 * An object was added or modified. When its uid is another one than before, somebody deleted and
 * made it again unseen: two changes. When nothing of it differs: none.
 *
 * @param object   Has metadata.name. Shared from now on.
 * @param changes  Appended to.
 */
void kube_store_put(struct kube_store *store, const json_t *object, struct store_changes *changes);

/** An object was deleted. What is not known, or has another uid by now, changes nothing. The last
 *  state, as the event has it, is the change's `before`. */
void kube_store_remove(struct kube_store *store, const json_t *object,
                       struct store_changes *changes);

/** A list came: what it does not have is gone (tombstones first, then the others in the order of
 * the list). Of objects that occur twice the last counts. Spec: catalogue L5. */
void kube_store_replace(struct kube_store *store, const json_t *list,
                        struct store_changes *changes);

/** Look-ups. New references; NULL when there is none. @param space  NULL: of kinds without. */
json_t *kube_store_get(struct kube_store *store, const char *space, const char *name);
json_t *kube_store_uid(struct kube_store *store, const char *uid);

/** What an index knows under a text: new array, which may be empty. The name must be one of the
 *  store's. */
json_t *kube_store_find(struct kube_store *store, const char *index, const char *text);

/** Appends all objects to a list of the caller's. */
void kube_store_all(struct kube_store *store, json_t *list);

size_t kube_store_count(struct kube_store *store);

/** "namespace/name" of an object, "/name" without namespace; the caller frees it. */
char *store_key(const json_t *object);
