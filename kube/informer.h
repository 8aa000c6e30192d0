#pragma once

#include "kube/client.h"
#include "kube/follower.h"
#include "kube/store.h"
#include "kube/watched.h"

/*
 * What is known of a cluster: several kinds, each followed by a thread of its own into a store, and
 * one thread that tells what changed. From an API server, or from a folder of YAML.
 *
 * Handlers may take their time, since nobody waits for them; changes of one object that pile up
 * become one. Order holds within a kind, not between kinds. They work on keys, not on what
 * happened: `before` and `after` are the ends of what may have been several changes.
 *
 * Spec: catalogue L5, L6, Q4 to Q9, W16.
 */
struct informer;

/** One change, for a handler. Trees are borrowed; take a reference to keep one; nobody edits them.
 */
struct informer_change {
    size_t kind;                        /* place in the table */
    const struct kube_watched *watched; /* that entry */
    const json_t *before, *after; /* NULL: it is new; it is gone (`before` is its last state) */
    bool tombstone; /* it is gone since a list did not have it: `before` may be older than that */
    bool doubtful;  /* it is gone and may only be forgotten: etcd was restored, or the whole kind is
                       not there any more. Destroy nothing */
};

/** What to follow and whom to tell. Everything is borrowed as long as the informer lives. */
struct informer_options {
    const struct kube_watched *kinds;
    size_t count;
    const struct store_index *const *indexes; /* of each kind, or NULL: none */

    /** NULL: nobody. In the informer's thread; not to call informer_stop(). */
    void (*changed)(void *context, const struct informer_change *change);

    /** All objects of all kinds, for who makes a snapshot of them: once when all kinds are known,
     *  then after changes, when settle_ms went by without another one, settle_max_ms after the
     *  first at most. The array is borrowed, its objects are shared. In the same thread; NULL:
     *  nobody. */
    void (*settled)(void *context, const json_t *objects);
    int64_t settle_ms, settle_max_ms; /* 0: 50, 1000 */
    void *context;

    bool lists_only; /* no streaming lists */
    struct reflector_limits limits;
    struct follower_source source; /* of the followers */
};

/** @return  To be ended by informer_stop(); NULL without threads. Nothing has to be reachable. */
struct informer *informer_start(struct kube_client *client, const struct informer_options *options,
                                struct error *err) MUST_CHECK;

/**
 * The same from a folder (or file) as kube/catalog.h reads it: what is of one of the kinds, whole,
 * whichever version it says. While it can not be read, what was known stays, and before there was
 * anything it is not synced.
 *
 * @return NULL: threads or inotify watches are missing, or selectors or a namespace were asked for,
 *         which a folder does not know.
 */
struct informer *informer_start_folder(const char *path, const struct informer_options *options,
                                       struct error *err) MUST_CHECK;

/** Ends all threads; what was not told is dropped. At once after kube_client_cancel(), else see
 *  follower_stop(). NULL is fine. */
void informer_stop(struct informer *informer);

/** True when the kind has been listed and all of it was told to the handlers; before that, absence
 *  means nothing. INFORMER_ALL: every kind. Any thread. */
#define INFORMER_ALL SIZE_MAX
bool informer_synced(struct informer *informer, size_t kind);

/** Waits for that. False: not in that time. */
bool informer_wait_synced(struct informer *informer, size_t kind, int64_t timeout_ms);

/** The store of a kind, for look-ups; it may be ahead of what was told. */
struct kube_store *informer_store(struct informer *informer, size_t kind);

/** New array of all objects of all kinds, at this moment. Any thread. */
json_t *informer_objects(struct informer *informer);

/** For metrics and readiness. */
struct informer_facts {
    bool synced;
    int64_t objects;
    struct follower_facts follower; /* of a folder: lists, errors, event_s, problem */
};
struct informer_facts informer_look(struct informer *informer, size_t kind);

/** Changes that wait for the handlers. */
size_t informer_backlog(struct informer *informer);
