#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "api/cluster.h"
#include "base/error.h"

/**
 * What is known of the cluster, read from a folder and followed as the folder changes. A reading
 * that fails leaves the last good one in use.
 */
struct state;

/** What is worth saying of it. */
struct state_facts {
    bool good;        /* the last reading was */
    int64_t loaded_s; /* when the one in use was read; 0: never */
    int64_t objects, loads, errors;
    char problem[256]; /* of the last reading, "" when good */
};

/**
 * Reads the folder and begins to follow it. A folder that can not be read is no failure: it is
 * logged, and followed until it can.
 *
 * @param path  Borrowed as long as the state.
 */
struct state *state_start(const char *path);

/** Ends following. NULL is fine. */
void state_stop(struct state *state);

/** The newest good snapshot, with a reference for the caller; NULL when there never was one. Any
 *  thread. */
const struct cluster *state_cluster(struct state *state);

/** Any thread. */
struct state_facts state_look(struct state *state);
