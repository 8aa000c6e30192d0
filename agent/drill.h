#pragma once

#include "agent/restic.h"
#include "api/maintenance_result.h"

/*
 * A drill: the newest snapshots are restored aside, as an emergency would, and what comes is
 * compared. restic reads the whole tree, checks each piece of data that it fetches against its
 * hash, and reads back each file that it wrote (--verify); we count. All files unless a number is
 * asked for: only a whole restore proves that a restore is possible, and data that nobody fetched
 * may be gone. Of what is too large for that, files are drawn, each as likely as any other.
 */

/** Does those that the options name. False: run->failure is set. */
bool drill_do(struct run *run, struct maintenance_result *result) MUST_CHECK;
