#pragma once

#include "agent/restic.h"

/**
 * Does one piece of work and reports it, until the report is recorded or refused, or the pod ends.
 *
 * @param mounts  Volumes of an application that has not started, for the marks of a restore; NULL:
 *                it runs, so nothing is restored.
 * @return        True when it succeeded and that is recorded.
 */
bool work_do(struct agent *agent, const struct message_work *work, const struct words *mounts);

/* The two kinds. Snapshots are filled in as far as it came; their texts live as long as `kept`. */

/** True when each path has its snapshot, listed by restic. */
bool backup_do(struct run *run, struct message_report *report, struct words *kept) MUST_CHECK;

/** True when each rule of this host has restored something. */
bool restore_do(struct run *run, const struct words *mounts, struct message_report *report,
                struct words *kept) MUST_CHECK;

/** True when restic lists this snapshot as one of our host and path; else run->failure is set. */
bool backup_is_listed(struct run *run, const char *id, const char *path) MUST_CHECK;

/** Adds a snapshot that was taken to a report. @param path  Lives as long as the report. */
void backup_add(struct message_report *report, struct words *kept, const char *path,
                const struct restic_line *summary);

/** Finds out whether there is a repository, and makes none. False: not known. */
bool repository_find(struct run *run, bool *found) MUST_CHECK;

/** Finds out whether there is a repository; makes one when that is allowed and it is proven that
 *  there is none. `writes`: also whose it is. */
bool repository_open(struct run *run, bool writes) MUST_CHECK;
