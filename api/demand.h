#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "api/plan.h"
#include "api/selection.h"

/**
 * What one backup (of a blueprint, or of a BackupConfiguration made by hand) asks of the pods. All
 * borrowed.
 */
struct demand {
    const json_t *spec; /* of a BackupConfiguration, or of a blueprint resolved for the target */
    const json_t *own;  /* what the owner set over it, or NULL: runtimeSettings is merged there */
    const json_t *backend;             /* of its Repository, or NULL while that is unknown */
    const json_t *paths, *mounts;      /* as asked for, not as settled; NULL is "did not say" */
    const struct selection *selection; /* as settled */
    const char *name;                  /* for messages */
};

/**
 * Why a workload can not have a sidecar for this backup although nobody asked for a Job, as a
 * sentence; NULL when it can. Static or borrowed.
 */
const char *demand_obstacle(const struct demand *demand, const json_t *template);

/** True when a Job was asked for: mode Job, or a Task. */
bool demand_wants_job(const struct demand *demand);

/** What this backup says about our container, for the mark: the encoding is frozen (v1).
 *  New object; what has its default is left out. Of paths alone it has the mounts that cover them,
 *  so that other paths below the same mounts ask for nothing else. */
json_t *demand_inputs(const struct demand *demand);

/**
 * Why this backup can not stand beside what the pods carry already, as a sentence; NULL when it
 * can: another local backend, a volume mounted where a local backend or another volume has to be,
 * or variables of a subPathExpr that mean two things. Static.
 */
const char *demand_conflict(const struct carry *carry, const struct demand *demand,
                            const json_t *template);

/** The same of local backends alone, for what gets a container of its own: a restore. */
const char *demand_local_conflict(const struct carry *carry, const struct demand *demand);

/**
 * Adds a backup without obstacle and conflict to what the pods carry. Where two backups of one
 * workload disagree, the first holds and the owner is told.
 */
void demand_add(struct carry *carry, const struct demand *demand, struct findings *cautions);

/** The volume of a local backend as our containers mount it: {volume: {source}, mountPath,
 *  subPath?}. New reference; NULL: the backend has none. */
json_t *demand_local(const json_t *backend);

/** fileAccess of the spec of a BackupConfiguration or of a resolved blueprint. */
enum file_access demand_file_access(const json_t *spec);
