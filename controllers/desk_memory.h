#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "controllers/agent_api.h"
#include "controllers/session_view.h"

/*
 * What a leader remembers of agents between two calls, so that one that waits or works costs no
 * call. Nothing of it is needed: another leader, or this one after it forgot, asks the cluster.
 * Any thread.
 */
struct desk_memory;

/* Pods, pieces of work, sessions that are remembered; beyond it all are forgotten. */
#define DESK_MEMORY_MAX 20000u

/* Seconds until an agent that there was nothing for is looked at again though nothing changed. */
#define DESK_IDLE_S 30

struct desk_memory *desk_memory_make(void);
void desk_memory_free(struct desk_memory *memory);

/** Sessions or configurations have changed. */
void desk_memory_changed(struct desk_memory *memory);

/** Whose pod it is, as desk_pod_chain() gave it; new reference, NULL: not known. */
json_t *desk_memory_chain(struct desk_memory *memory, const char *pod_uid);
void desk_memory_put_chain(struct desk_memory *memory, const char *pod_uid, json_t *chain_new);

/** There was nothing for this pod in this state of a session. */
void desk_memory_idle(struct desk_memory *memory, const char *pod_uid, const json_t *session,
                      int64_t now_s);

/** Whether this pod has claimed something that is over, as far as is known, and asks for work
 * since: see desk_left.h. */
bool desk_memory_has_left(struct desk_memory *memory, const struct session_view *view,
                          const struct agent_caller *caller, const struct message_claim *message,
                          int64_t now_s);

/** Whether a claim may have an answer, as agent_desk.expects. */
bool desk_memory_expects(struct desk_memory *memory, const struct session_view *view,
                         const struct agent_caller *caller, const struct message_claim *message,
                         int64_t now_s);

/** Who has claimed a host in which attempt. Texts borrowed for the call. */
struct desk_claim {
    const char *session, *host, *pod_uid, *instance;
    int64_t attempt;
};

/** He has, and gives a sign of life. */
void desk_memory_put(struct desk_memory *memory, const struct desk_claim *claim, int64_t now_s);

/** True when it is remembered that he has; notes the sign of life. */
bool desk_memory_is_of(struct desk_memory *memory, const struct desk_claim *claim, int64_t now_s);

/** The claim is over. */
void desk_memory_drop(struct desk_memory *memory, const struct desk_claim *claim);

/** The last sign of life, 0: none. */
int64_t desk_memory_heard_s(struct desk_memory *memory, const char *session, const char *host);

/** An init container asks for a RestoreSession; whether one has since. True when that is new. */
bool desk_memory_ask(struct desk_memory *memory, const char *session, int64_t now_s);
bool desk_memory_asked(struct desk_memory *memory, const char *session, int64_t since_s);
