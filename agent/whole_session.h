#pragma once

#include <jansson.h>

/*
 * Sessions as a list of restic's snapshots tells of them, for a restore that nobody asked for by
 * name. Pure.
 *
 * Each snapshot says in its tags which session took it (SESSION_TAG) and how many there have to be
 * of it (SNAPSHOTS_TAG): so a session that took some and failed is told from one that took all,
 * also by a cluster that has nothing but the repository.
 */

#define SESSION_TAG "session:"
#define SNAPSHOTS_TAG "snapshots:"

/** The session of a snapshot, or NULL. Borrowed. */
const char *session_of(const json_t *snapshot);

/** The newest session that is whole: of each host and path that it had to take there is a snapshot.
 *  NULL: none is. Borrowed. */
const char *session_newest(const json_t *list);

/** The newest snapshot of a path (NULL: any) of a host that a session (NULL: any) took; NULL: none.
 *  Borrowed. */
const json_t *session_snapshot(const json_t *list, const char *session, const char *host,
                               const char *path);
