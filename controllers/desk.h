#pragma once

#include "controllers/agent_api.h"
#include "controllers/session_view.h"
#include "kube/client.h"
#include "kube/event_book.h"

/*
 * What answers agents: docs/agent-api.md. Who asks is found out from the cluster (desk_pod.h); a
 * claim is written into the Lease of its target before it is answered, a result into the status
 * before its claim goes. Everything that counts is read from the API server first and written with
 * a precondition on that; what runs meanwhile in another leader is then refused to one of the two.
 */
struct desk;

/** What it works with; borrowed as long as it lives. */
struct desk_plan {
    struct kube_client *client; /* fenced */
    const char *space;          /* ours, where the Leases of targets are */
    struct session_view view;
    int64_t (*now_s)(void); /* wall clock; NULL: the real one */

    /** A session should be looked at: something was written to it, or somebody waits for it. NULL:
     *  nobody wants to know. */
    void (*look)(void *context, bool restore, const char *space, const char *name);

    /** How far an agent is with a session; NULL: nobody wants to know. */
    void (*progress)(void *context, const struct message_progress *message);

    /** An event of an object; NULL: nobody wants to know. */
    void (*tell)(void *context, const json_t *object, const struct kube_event *event);
    void *context;
};

struct desk *desk_make(const struct desk_plan *plan);

/** Nobody may be inside any more. NULL is fine. */
void desk_free(struct desk *desk);

/** For agent_api_start(). */
struct agent_desk desk_callbacks(struct desk *desk);

/** Sessions or configurations have changed: before agent_api_wake(). */
void desk_changed(struct desk *desk);

/** When an agent last gave a sign of life for a host of a session, as far as this leader knows; 0:
 *  never. For session_edge. */
int64_t desk_heard_s(struct desk *desk, const char *session_uid, const char *host);

/** True when an init container waits for this RestoreSession. */
bool desk_asked(struct desk *desk, const char *session_uid);
