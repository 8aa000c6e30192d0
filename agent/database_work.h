#pragma once

#include "agent/restic.h"

/*
 * A database's part of one piece of work, by the step itself: its helpers run below restic, or
 * restic below them. Edge.
 */

/** Takes one snapshot of a dump, proven and listed. */
bool database_backup(struct run *run, struct message_report *report, struct words *kept) MUST_CHECK;

/** Gives the database what one snapshot has. */
bool database_restore(struct run *run, const char *id, struct message_report *report,
                      struct words *kept) MUST_CHECK;
