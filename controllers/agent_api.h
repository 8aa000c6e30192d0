#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/agent_messages.h"
#include "base/error.h"
#include "base/span.h"
#include "base/text.h"
#include "certs/store.h"
#include "controllers/stream.h"
#include "http/address.h"
#include "kube/review.h"

/*
 * The agent API as docs/agent-api.md has it: HTTPS/1.1, served by the leader. It knows HTTP, tokens
 * and bounds; what an agent is told comes from the desk. One thread talks to all agents and never
 * blocks; a few others ask the API server who shows a token, and the desk. An agent that waits
 * costs its connection, no thread and no call.
 */
struct agent_api;

/** A pod. Strings are never NULL, and borrowed for the call. */
struct agent_caller {
    const char *space, *pod, *pod_uid, *account;
};

enum desk_answer {
    DESK_ANSWERED, /* `answer` is sent with 200 */
    DESK_WAIT,     /* of claims: nothing now. Asked again after agent_api_wake(); sent is an empty
                      message when waitSeconds are over */
    DESK_REFUSED,  /* err->code is one of the table "Refusals"; all others are sent as 503 */
};

/**
 * Who answers agents. Called from several threads at once, each of which may wait for the API
 * server. The caller is who TokenReview says; messages were read by their shapes; `answer` is empty
 * before, and is filled by message_write(); it is wiped after it was sent. err->message goes to the
 * agent: no secret in it.
 */
struct agent_desk {
    /**
     * Whether claim() might have something other than DESK_WAIT. Asked before a token is judged,
     * so that waiting costs no TokenReview: the caller is who the token claims to be, and nothing
     * may be done or told because of it. From memory, without waiting for anything: it is asked
     * for each agent that waits after each agent_api_wake(). NULL: always.
     */
    bool (*expects)(void *context, const struct agent_caller *presumed,
                    const struct message_claim *message);

    enum desk_answer (*claim)(void *context, const struct agent_caller *caller,
                              const struct message_claim *message, struct text *answer,
                              struct error *err);
    enum desk_answer (*progress)(void *context, const struct agent_caller *caller,
                                 const struct message_progress *message, struct text *answer,
                                 struct error *err);
    enum desk_answer (*report)(void *context, const struct agent_caller *caller,
                               const struct message_report *message, struct text *answer,
                               struct error *err);
    enum desk_answer (*trigger)(void *context, const struct agent_caller *caller,
                                const struct message_trigger *message, struct text *answer,
                                struct error *err);

    /** The answer is what a command writes: *stream, to be closed by stream_close(). @param wake
     *  As stream_make() has it. */
    enum desk_answer (*stream)(void *context, const struct agent_caller *caller,
                               const struct message_stream *message, int wake,
                               struct stream **stream, struct error *err);
    void *context;
};

/** Who judges tokens: kube_token_review() with a client, in tests something else. Any thread. */
struct agent_judge {
    bool (*review)(void *context, struct span token, struct kube_identity *identity,
                   struct error *err);
    void *context;
};

/** What it is made of. */
struct agent_api_plan {
    struct address listen;
    struct certs_store *certs; /* borrowed; looked at by this API's thread alone */
    struct agent_judge judge;
    struct agent_desk desk;
};

/**
 * Begins to listen, and logs the address. Until there is a certificate, connections are closed.
 *
 * @return  To be ended by agent_api_stop(); NULL with ERROR_UNAVAILABLE.
 */
struct agent_api *agent_api_start(const struct agent_api_plan *plan, struct error *err) MUST_CHECK;

/** Something changed: who waits is asked for again (expects(), then claim()). Any thread, also the
 *  desk's; several calls within some ms count as one. NULL is fine. */
void agent_api_wake(struct agent_api *api);

/** From now on 503 for all, also for those who wait; connections are closed. Does not wait. Any
 *  thread. NULL is fine. */
void agent_api_drain(struct agent_api *api);

/** Drains for a moment, ends all connections and threads, and frees. What the desk is doing is
 *  finished first (see kube_client_cancel()). NULL is fine. */
void agent_api_stop(struct agent_api *api);

/** Where it listens, with the port that was found. */
struct address agent_api_address(const struct agent_api *api);

enum agent_call {
    AGENT_CLAIM,
    AGENT_PROGRESS,
    AGENT_REPORT,
    AGENT_TRIGGER,
    AGENT_STREAM,
    AGENT_CALLS
};

/* HTTP statuses that are counted: those of the table, and one for all others. */
#define AGENT_STATUSES 16

/** Counts since the start, and what is now. {0} is one that does not run. */
struct agent_api_facts {
    int64_t connections, waiting, body_bytes;               /* now */
    int64_t accepted, turned_away, evicted, handshakes_bad; /* connections */
    int64_t cut;                                            /* past a deadline */
    int64_t gone;                                           /* left while they waited */
    int64_t calls[AGENT_CALLS];                             /* read and judged to be well-formed */
    int64_t statuses[AGENT_STATUSES];                       /* of answers */
    int64_t reviews, reviews_bad, verdicts_cached;          /* asked; refused; not asked */
    int64_t certificate_until_s;                            /* 0: there is none */
};

/** Which status `statuses` counts there; 0: all others, and past the end. */
int agent_api_status(size_t place);

/** A copy of the facts. Any thread. NULL: all 0. */
struct agent_api_facts agent_api_look(struct agent_api *api);
