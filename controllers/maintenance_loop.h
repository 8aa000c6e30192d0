#pragma once

#include "controllers/loops.h"

/*
 * The loop of maintenance: one key for each Repository. Retention after each session, prune, check
 * and unlock, each in a Job that has the Repository alone. Spec: docs/maintenance.md.
 */
extern const struct loop maintenance_loop;
