#pragma once

#include <jansson.h>

/**
 * Sets firstBackupTime and lastBackupTime of a Repository's status: the moments as of which its
 * first and its newest backup are, which is when these sessions were made. Neither is taken back:
 * sessions are kept for a while only. Pure. Spec: stash-behaviour 1.7.
 *
 * @param status    Edited in place.
 * @param sessions  BackupSessions that write to the Repository; those that have not succeeded, and
 *                  odd shapes, do not count. Borrowed.
 */
void repository_times_put(json_t *status, const json_t *sessions);
