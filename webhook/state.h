#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/cluster.h"
#include "base/error.h"
#include "webhook/live.h"

/**
 * What is known of the cluster: read from a folder and followed as the folder changes, or followed
 * at its API server (webhook/live.h). What fails leaves the last good state in use.
 */
struct state;

/** Where it comes from. All of it is borrowed as long as the state, but for the configuration. */
struct state_source {
    const char *catalog;              /* the folder; NULL: an API server, which the rest is of */
    const struct kube_config *config; /* copied */
    const struct followed_secret *secret; /* with the certificate; its name may be NULL */
    void (*secret_changed)(void *context, const json_t *secret); /* as in struct live_plan */
    void *context;
};

/** What is worth saying of it. */
struct state_facts {
    bool good;        /* the last reading was */
    int64_t loaded_s; /* when the one in use was read; 0: never */
    int64_t objects, loads, errors;
    char problem[256]; /* of the last reading, "" when good */
};

/**
 * Begins. A folder that can not be read is no failure: it is logged, and followed until it can.
 * Neither is an API server that can not be reached.
 *
 * @return  To be ended by state_stop(); NULL with err as live_start() says.
 */
struct state *state_start(const struct state_source *source, struct error *err) MUST_CHECK;

/** Ends following. NULL is fine. */
void state_stop(struct state *state);

/** The newest good snapshot, with a reference for the caller; NULL when there never was one. Any
 *  thread. */
const struct cluster *state_cluster(struct state *state);

/** Any thread. */
struct state_facts state_look(struct state *state);

/** To be called now and then from one thread: says in the log what the API server does. */
void state_watch(struct state *state, int64_t now_ms);

/** What follows the API server; NULL with a folder. Borrowed. */
struct live *state_live(struct state *state);
