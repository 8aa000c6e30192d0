#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "controllers/agent_token.h"
#include "kube/review.h"

/*
 * What is remembered of those who ask: how much they did lately, and what the API server said of
 * their tokens. Bounded, any thread; time is an argument, in milliseconds of a steady clock.
 */
struct agent_gate;

struct agent_gate *agent_gate_make(void);

/** NULL is fine. */
void agent_gate_free(struct agent_gate *gate);

/**
 * One more request of a token or pod: AGENT_REQUEST_RATE and AGENT_REQUEST_BURST.
 *
 * @return  0, or after how many seconds there is room again.
 */
int64_t agent_gate_request(struct agent_gate *gate, const struct agent_key *who, int64_t now_ms);

/** The same of refused tokens from an address, AGENT_REFUSED_RATE and AGENT_REFUSED_BURST; this
 *  asks, the other counts. */
int64_t agent_gate_may_fail(struct agent_gate *gate, const struct agent_key *address,
                            int64_t now_ms);
void agent_gate_failed(struct agent_gate *gate, const struct agent_key *address, int64_t now_ms);

/** What was said of a token. */
enum agent_verdict { AGENT_UNKNOWN, AGENT_KNOWN, AGENT_REFUSED };

/** Who a token belongs to. All owned; {0} before; release with agent_identity_done(). */
struct agent_identity {
    char *space, *pod, *pod_uid, *account;
};

void agent_identity_done(struct agent_identity *identity);

static inline void auto_agent_identity(struct agent_identity *identity)
{
    agent_identity_done(identity);
}

/** Copies what is known of a token. @param identity, err  Filled with KNOWN, with REFUSED. */
enum agent_verdict agent_gate_recall(struct agent_gate *gate, const struct agent_key *token,
                                     int64_t now_ms, struct agent_identity *identity,
                                     struct error *err);

/** Remembers it, AGENT_VERDICT_MS; or why it is refused, AGENT_REFUSAL_MS. Copies. */
void agent_gate_learn(struct agent_gate *gate, const struct agent_key *token, int64_t now_ms,
                      const struct agent_identity *identity);
void agent_gate_refuse(struct agent_gate *gate, const struct agent_key *token, int64_t now_ms,
                       const struct error *err);
