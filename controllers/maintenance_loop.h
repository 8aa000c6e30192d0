#pragma once

#include "controllers/loops.h"
#include "controllers/maintenance_edge.h"
#include "controllers/repository_holders.h"

/*
 * The loop of maintenance: one key for each Repository. Retention after each session, prune, check
 * and unlock, each in a Job that has the Repository alone. Spec: docs/maintenance.md.
 */
extern const struct loop maintenance_loop;

/**
 * Who acts on Repositories for the loops: what it knows of one who shares a Repository comes from
 * what they have heard, and only proof takes him out.
 *
 * @param cluster  Namespace kube-system, whose UID is the cluster's; NULL: not known. Borrowed, as
 *                 the settings are.
 */
struct maintenance_edge maintenance_loop_edge(struct loops *loops, const struct settings *settings,
                                              const json_t *cluster);
