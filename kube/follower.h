#pragma once

#include "kube/client.h"
#include "kube/reflector.h"
#include "kube/store.h"

/*
 * The edge of kube/reflector.h: a thread that keeps one store equal to what the server has of one
 * kind, and tells what changes.
 */
struct follower;

/** Where time and chance come from. {0}: the steady clock, and the system's random numbers. */
struct follower_source {
    int64_t (*now_ms)(void *context);
    uint64_t (*random)(void *context);
    void *context;
};

struct follower_options {
    struct kube_client *client;         /* borrowed */
    const struct kube_watched *watched; /* borrowed */
    struct kube_store *store;           /* borrowed; written by this thread alone */
    struct reflector_limits limits;
    bool streams; /* try streaming lists */
    struct follower_source source;
    /* in the follower's thread; must not wait for anybody. `listed`: the changes of a list, then
       `doubtful`: the server had gone back, or does not know the kind any more, so what is gone may
       only be forgotten */
    void (*changed)(void *context, const struct store_changes *changes, bool listed, bool doubtful);
    void *context;
};

/** How it goes, for metrics and readiness. */
struct follower_facts {
    int64_t lists, watches, events, errors; /* since the start */
    int64_t event_s;                        /* wall clock of the last event; 0: none yet */
    int64_t contact_ms; /* since the server last sent something for this kind; -1: never did */
    bool in_doubt;      /* it had gone back not long ago */
    int status;         /* HTTP, of the last failure; 0: none, or no answer */
    char problem[256];  /* of the last failure; "" once it goes on */
};

/** @return  To be ended by follower_stop(); NULL without threads. */
struct follower *follower_start(const struct follower_options *options,
                                struct error *err) MUST_CHECK;

/** Ends the thread. At once after kube_client_cancel(); else a read or opening that is under way
 *  ends first: a few seconds, KUBE_TIMEOUT_MS at most. NULL is fine. */
void follower_stop(struct follower *follower);

/** Any thread. */
struct follower_facts follower_look(struct follower *follower);
