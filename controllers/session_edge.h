#pragma once

#include "controllers/session_read.h"
#include "kube/client.h"
#include "kube/event_book.h"

/*
 * The edge of session_next() and restore_next(): carries one step out. A step is one write, which
 * names the state that it was decided from (resourceVersion, or that there was nothing); when that
 * has changed, ERROR_CONFLICT says so and nothing happened. Whoever calls looks again and asks
 * again, whatever the answer was.
 */

/** Who acts; borrowed. */
struct session_edge {
    struct kube_client *client;      /* fenced */
    const char *space;               /* ours, where the Leases of targets are */
    const struct session_view *view; /* what Jobs are made from */
    const struct settings *settings;

    /** When an agent last gave a sign of life for a host of a session; 0: never. NULL: nobody
     *  knows. */
    int64_t (*heard_s)(void *context, const char *session_uid, const char *host);
    /** Told of what people should know; NULL: nobody. */
    void (*tell)(void *context, const json_t *object, const struct kube_event *event);
    void *context;
};

/** What a step led to. */
struct session_turn {
    bool wrote;     /* something was: look again */
    int64_t look_s; /* else: when to look again at the latest; 0: when something changes */
};

/**
 * Takes the next step of a BackupSession, of what follows it (a retry), or of one that was deleted
 * and still holds its target's Lease.
 *
 * @param seen    Its session may be one of session_of_ledger().
 * @param target  {apiVersion, kind, name, namespace}; borrowed.
 */
bool session_edge_step(const struct session_edge *edge, const struct session_seen *seen,
                       const json_t *target, struct session_turn *turn,
                       struct error *err) MUST_CHECK;

/** The same of a RestoreSession. */
bool session_edge_restore(const struct session_edge *edge, const struct session_seen *seen,
                          const json_t *target, struct session_turn *turn,
                          struct error *err) MUST_CHECK;

/** The session that a Lease names, as it is left to be looked at when it has been deleted: ended,
 *  with nothing to do but to wait for its agents and to give the Lease back. New reference; NULL:
 *  the ledger names none, or can not be read. */
json_t *session_of_ledger(const json_t *lease);

/**
 * Deletes the sessions of a configuration that its history does not keep, one at a time.
 *
 * @param sessions  All of this configuration.
 * @param holder    From target_lease_session().
 */
bool session_edge_history(const struct session_edge *edge, const json_t *configuration,
                          const json_t *const *sessions, size_t count, const char *holder,
                          struct session_turn *turn, struct error *err) MUST_CHECK;
