#pragma once

#include "kube/config.h"
#include "kube/informer.h"
#include "webhook/followed.h"

/*
 * What is known of a cluster, from its API server: the kinds of webhook/followed.h and the Secret
 * with the certificate, each followed by an informer. While the API server is away, what was known
 * stays.
 */
struct live;

/** What to follow and whom to tell, in threads of the informers. */
struct live_plan {
    const struct kube_config *config;     /* copied */
    const struct followed_secret *secret; /* borrowed as long as the live; its name may be NULL */

    /** All objects: once when all kinds are known, then after changes. Borrowed, its objects are
     *  shared. */
    void (*known)(void *known_context, const json_t *objects);
    void *known_context;

    /** The Secret as it is now, borrowed; NULL: it is gone. */
    void (*secret_changed)(void *context, const json_t *secret);
    void *context;
};

/** @return  To be ended by live_stop(); NULL with err: a certificate or key of the configuration
 * can not be used, or no threads. The API server does not have to be there. */
struct live *live_start(const struct live_plan *plan, struct error *err) MUST_CHECK;

/** Ends at once. NULL is fine. */
void live_stop(struct live *live);

/** How it goes with one kind. */
struct live_kind {
    const char *plural;
    bool synced;         /* all of it was listed and told */
    bool failing;        /* can not be followed at this moment */
    int64_t objects;     /* known */
    int64_t contact_ms;  /* since the API server last sent something for it; -1: never did */
    int64_t errors;      /* since the start */
    const char *problem; /* of the last failure, "" when there is none; in `facts` */
    struct informer_facts facts;
};

/** The kinds, the Secret (if any) last. */
size_t live_count(const struct live *live);

/** One of them. Any thread. @param kind  Filled. */
void live_look(struct live *live, size_t index, struct live_kind *kind);

/** Writes the names of what is not known yet, or (synced ones) can not be followed now, with the
 *  first reason: "tasks, repositories (connection refused)". False and nothing when all is well. */
bool live_missing(struct live *live, struct text *text);
bool live_failing(struct live *live, struct text *text);

/** Appends the metrics of all kinds. */
void live_metrics(struct live *live, struct text *text);

/** Logs when following begins and ends to fail, a line each; to be called now and then from one
 *  thread. */
void live_watch(struct live *live, int64_t now_ms);
