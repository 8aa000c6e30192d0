#pragma once

#include "agent/restic.h"
#include "api/maintenance_result.h"

/**
 * Removes a repository that is this cluster's, and nothing that restic did not make. Broken off at
 * any point it can be done again, and what is left of it is neither a repository that opens nor one
 * that is absent. Spec: docs/maintenance.md, wipeOut.
 *
 * @param backend  Of the Repository. Borrowed.
 * @param others   Appended: what stays, since it is none of restic's.
 * @return         False: run->failure is set.
 */
bool wipe_do(struct run *run, const json_t *backend, struct text *others) MUST_CHECK;
