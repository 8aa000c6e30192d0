#pragma once

#include <jansson.h>

#include "api/cluster.h"
#include "api/settings.h"

/*
 * Which volumes are backed up, and why others are not: the controller's counting
 * (controllers/coverage.h), and for what nobody backs up the webhook's plan. Pure.
 */

/** What was read. All borrowed. */
struct covering_seen {
    const json_t *claims, *workloads; /* whole objects, of the namespaces that are asked for */
    const json_t *configurations;     /* of the cluster, as far as they may be read */
    const struct settings *settings;
    const struct cluster *cluster; /* blueprints, and all that plan_make() asks for; NULL: they may
                                      not be read, and no plan is made */
};

/**
 * One row for each PersistentVolumeClaim, in their order:
 *
 *   namespace, claim
 *   state           Protected, Excluded, Unprotected
 *   by              who protects or excludes it; absent: nobody
 *   reason          of what is unprotected: why, and what to do
 *   usedBy          [{kind, name}]: workloads whose pods mount it; absent: none
 *   size, class     what was asked for; absent: not said
 *
 * @return New list.
 */
json_t *covering_make(const struct covering_seen *seen);

/** How many rows have this state. */
size_t covering_count(const json_t *rows, const char *state);
