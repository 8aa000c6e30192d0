#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "controllers/maintenance_read.h"

/*
 * Snapshots without tags, of a Repository that was taken over from Stash: they have but a host and
 * a path, and two targets may have the same. So they are judged only where somebody said so by an
 * annotation of the Repository, where they can only be one target's, and together with the tagged
 * ones that followed them. Pure. Spec: stash-behaviour 6.3 and 10.1; docs/maintenance.md.
 */

/* Pairs of host and path of one target, each a call of restic; of more none is judged. */
#define UNTAGGED_MAX 64u

/**
 * Appends the argument vectors, if any: of each host that a session of the target's only
 * BackupConfiguration has backed up, and of each of its paths.
 *
 * @return  False: ERROR_INVALID, a policy or a path that can not be followed.
 */
bool untagged_forgets(const struct maintenance_seen *seen, json_t *runs,
                      struct error *err) MUST_CHECK;
