#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

/**
 * What is known of a cluster at one moment: blueprints, Repositories, BackupConfigurations,
 * RestoreSessions, Functions, Tasks, AppBindings and Namespaces, indexed for the look-ups of a
 * decision. Immutable once made and reference counted, so that any thread reads it without a lock
 * while a newer one takes its place.
 */
struct cluster;

/**
 * Makes a snapshot.
 *
 * @param objects  Array of objects (other kinds are ignored). Borrowed; its objects are shared and
 *                 must not be edited any more. NULL is an empty cluster.
 * @return         With one reference, the caller's.
 */
struct cluster *cluster_make(const json_t *objects);

/** The same after a change, from the snapshot `before` (borrowed; may be NULL): what is still the
 *  very same tree is looked at no more than by its address, so that the cost is that of what came
 *  and what went. The order of the objects means nothing, unless two have one name. */
struct cluster *cluster_next(const struct cluster *before, const json_t *objects);

/** One more reference; one less (the last frees it). NULL is fine. */
const struct cluster *cluster_ref(const struct cluster *cluster);
void cluster_unref(const struct cluster *cluster);

static inline void auto_cluster(const struct cluster **cluster)
{
    cluster_unref(*cluster);
}

/** Look-ups by name; NULL when absent. Borrowed, as long as the cluster. */
const json_t *cluster_blueprint(const struct cluster *cluster, const char *name);
const json_t *cluster_namespace(const struct cluster *cluster, const char *name);
const json_t *cluster_repository(const struct cluster *cluster, const char *space,
                                 const char *name);
const json_t *cluster_configuration(const struct cluster *cluster, const char *space,
                                    const char *name);
const json_t *cluster_task(const struct cluster *cluster, const char *name);

/** What is wrong with a BackupBlueprint, BackupConfiguration or RestoreSession of this snapshot
 * (the first error of validate_object(), "field: message"), judged once when the snapshot was made;
 * NULL when it is sound. Borrowed. */
const char *cluster_fault(const struct cluster *cluster, const json_t *object);

/** NULL-terminated names of all blueprints, sorted, for did-you-mean. Borrowed. */
const char *const *cluster_blueprint_names(const struct cluster *cluster);

/** True when anything at all is known of namespaces (a folder may name none). */
bool cluster_knows_namespaces(const struct cluster *cluster);

/**
 * What points at a target: BackupConfigurations (spec.target.ref), RestoreSessions
 * (spec.target.ref), Repositories (annotation granary.dev/target), in the order of
 * creationTimestamp, then namespace and name. Group and kind are compared, the version is not.
 *
 * @return Borrowed array of objects, or NULL when there are none.
 */
const json_t *cluster_configurations_of(const struct cluster *cluster, const char *group,
                                        const char *kind, const char *space, const char *name);
const json_t *cluster_restores_of(const struct cluster *cluster, const char *group,
                                  const char *kind, const char *space, const char *name);
const json_t *cluster_repositories_of(const struct cluster *cluster, const char *group,
                                      const char *kind, const char *space, const char *name);

/**
 * Repositories whose data lies at this place (backend_location()), of all namespaces.
 *
 * @return Borrowed array of objects, or NULL when there are none.
 */
const json_t *cluster_repositories_at(const struct cluster *cluster, const char *location);

/** How many objects the snapshot holds, for metrics. */
size_t cluster_size(const struct cluster *cluster);
