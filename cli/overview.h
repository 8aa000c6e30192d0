#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What stands about backups in a cluster, as one tree for people and programs. Pure.
 */

/** What was read. All borrowed: lists of objects as kube_list() gives them. */
struct overview_seen {
    const json_t *configurations, *sessions, *restores, *repositories;
    int64_t now_s;
};

/**
 * One row for each BackupConfiguration, by namespace and name:
 *
 *   namespace, configuration   where it is, and its name
 *   target                     {kind, name}, and the namespace when it is another one
 *   blueprint                  that it follows from; absent: made by hand
 *   schedule, paused
 *   health                     one word, see overview_is_bad()
 *   reason, message            why it is not healthy; absent when there is nothing to say
 *   lastBackup, nextRun        moments, RFC 3339; absent: never
 *   repository                 {namespace, name, integrity, snapshots, size, messages}, as far as
 *                              known
 *   sessions                   newest first: {kind, name, phase, time, duration, message, percent,
 *                              remaining, snapshots}; RestoreSessions of its target too
 *
 * @return New list.
 */
json_t *overview_make(const struct overview_seen *seen);

/** The BackupSessions of a configuration, newest first. New list; both borrowed. */
json_t *overview_backups_of(const json_t *sessions, const json_t *configuration);

/** True when somebody has to look at it: NotReady, Damaged, Failing, Late. The others are Healthy,
 *  Running, New (no backup yet), Paused, Unseen (no controller has looked at it yet). */
bool overview_is_bad(const char *health);

/** Why a session failed, in one sentence of its status; "" when it says nothing. Borrowed. */
const char *overview_failure(const json_t *session);
