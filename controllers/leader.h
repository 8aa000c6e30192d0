#pragma once

#include "controllers/certificates_loop.h"
#include "controllers/options.h"
#include "kube/events.h"
#include "settings/store.h"

/** What the leader works with; all of it is borrowed. */
struct leader_plan {
    struct kube_client *client;
    struct kube_client *watcher; /* of the loops, see there */
    struct kube_client *judge;   /* of agents' tokens: see controllers/agent_service.h */
    const struct controller_options *options;
    const char *space; /* our namespace */
    struct settings_store *settings;
    struct kube_events *events;
    struct status *status;
    bool (*may_write)(void *context); /* as in struct certificates_loop */
    void (*tell)(void *context, bool warning, const char *reason, const char *note);
    void *context;
};

/** The leader's thread: certificates, whether Stash is installed, whether the webhook is reached;
 *  and the loops, while it leads. */
struct leader;

/** Begins the work. NULL: there is no thread. */
struct leader *leader_start(const struct leader_plan *plan, struct error *err) MUST_CHECK;

/** Asks it to end, and waits. False: it has not, in that time. NULL is fine. */
bool leader_finish(struct leader *leader, int64_t wait_ms);

/** Ends it, however long that takes (see kube_client_cancel()), and frees. NULL is fine. */
void leader_stop(struct leader *leader);
