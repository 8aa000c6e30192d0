#pragma once

#include "controllers/loops.h"
#include "controllers/repository_holders.h"

/*
 * The loop of maintenance: one key for each Repository. Retention after each session, prune, check
 * and unlock, each in a Job that has the Repository alone. Spec: docs/maintenance.md.
 */
extern const struct loop maintenance_loop;

/** What is known of one who shares a Repository; only proof takes him out. */
enum holder_state maintenance_loop_state(struct loops *loops, const struct holder *holder);
