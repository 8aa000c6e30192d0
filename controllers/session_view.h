#pragma once

#include <jansson.h>

/*
 * What is known of the cluster without asking it, for those who decide about sessions: controllers
 * have it from their informers (controllers/known.h). It may be behind; what is decided from it is
 * looked at again before anything is written or handed out.
 */

enum view_kind {
    VIEW_NAMESPACE,
    VIEW_CONFIGURATION,
    VIEW_REPOSITORY,
    VIEW_SESSION,
    VIEW_RESTORE,
    VIEW_FUNCTION,
    VIEW_TASK,
    VIEW_LEASE /* of targets */
};

/** Look-ups: new references to shared trees, NULL when there is none; new arrays, which may be
 *  empty. Any thread; none of them waits for anything. */
struct session_view {
    /** @param space  NULL of kinds without namespace. */
    json_t *(*get)(void *context, enum view_kind kind, const char *space, const char *name);
    json_t *(*uid)(void *context, enum view_kind kind, const char *uid);
    /** Configurations, RestoreSessions or Leases by "group/Kind/namespace/name". */
    json_t *(*of_target)(void *context, enum view_kind kind, const char *target);
    /** BackupSessions by "namespace/name" of their configuration. */
    json_t *(*of_invoker)(void *context, const char *configuration);
    json_t *(*all)(void *context, enum view_kind kind);
    void *context;
};
