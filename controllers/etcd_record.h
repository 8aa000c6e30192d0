#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/etcd_next.h"
#include "controllers/etcd_plan.h"

/*
 * The restore of an etcd in the status of its RestoreSession: `etcd`, which is its journal, and
 * conditions for people. Pure.
 */

/** What the journal says; texts are borrowed of the status. */
struct etcd_record {
    enum etcd_stage stage;
    bool written, undone;
    int64_t replicas; /* before; 0: none */
    int64_t revision; /* of the snapshot, and what is added to it */
    int64_t bump;
    const char *snapshot, *workload, *initial_cluster, *data_dir, *token; /* NULL: not yet known */
};

/** Reads it; odd shapes are a restore that has not begun. */
void etcd_record_read(const json_t *status, struct etcd_record *record);

/** What stands in the status once there is a plan, besides the stage. */
struct etcd_found {
    const json_t *proof; /* what the agent told of the snapshot */
    const struct etcd_asked *asked;
    const struct etcd_plan *plan;
    const char *workload;
    int64_t replicas; /* of the StatefulSet now */
};

/**
 * The status after a step that records a stage.
 *
 * @param status  As it is; NULL and odd shapes are an empty one. Borrowed.
 * @param found   With PLANNED and DOWN; NULL otherwise.
 * @return        New reference.
 */
json_t *etcd_record_stage(const json_t *status, const struct etcd_step *step,
                          const struct etcd_found *found, int64_t created_s, int64_t now_s);

/**
 * The status that says what is waited for.
 *
 * @param message  NULL: for nothing that people have to know.
 * @param may_scale  False: with the command that gives the right, in that namespace.
 */
json_t *etcd_record_wait(const json_t *status, const char *message, bool may_scale,
                         const char *space, int64_t now_s);
