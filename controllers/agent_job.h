#pragma once

#include <jansson.h>
#include <stdatomic.h>

#include "controllers/agent_gate.h"

/*
 * One request of an agent, from its complete body to its answer. What it comes to depends on the
 * desk, the judge of tokens and the clock alone: no socket is in here, and no thread.
 */

/** Counters; relaxed, any thread. */
enum agent_count {
    AGENT_COUNT_BODY_BYTES,
    AGENT_COUNT_CONNECTIONS,
    AGENT_COUNT_WAITING,
    AGENT_COUNT_ACCEPTED,
    AGENT_COUNT_TURNED_AWAY,
    AGENT_COUNT_EVICTED,
    AGENT_COUNT_HANDSHAKES_BAD,
    AGENT_COUNT_CUT,
    AGENT_COUNT_GONE,
    AGENT_COUNT_REVIEWS,
    AGENT_COUNT_REVIEWS_BAD,
    AGENT_COUNT_VERDICTS_CACHED,
    AGENT_COUNT_CALLS, /* as many as there are calls */
    AGENT_COUNT_STATUSES = AGENT_COUNT_CALLS + AGENT_CALLS,
    AGENT_COUNTS = AGENT_COUNT_STATUSES + AGENT_STATUSES
};

/** What all requests have in common. */
struct agent_side {
    struct agent_judge judge;
    struct agent_desk desk;
    struct agent_gate *gate;
    atomic_bool draining;
    _Atomic uint64_t wakes; /* how often agent_api_wake() was called */
    _Atomic int64_t counts[AGENT_COUNTS];
};

static inline void agent_count(struct agent_side *side, size_t which, int64_t number)
{
    atomic_fetch_add_explicit(&side->counts[which], number, memory_order_relaxed);
}

enum agent_outcome {
    AGENT_WAITS,   /* nothing to say yet: once more after a wake, at `wait_until_ms` at last */
    AGENT_ANSWERS, /* `answer`, with 200 */
    AGENT_STREAMS, /* `stream`, with 200 */
    AGENT_REFUSES  /* `refusal`, and when to come again */
};

struct agent_job {
    enum agent_call call;
    struct span token;        /* borrowed */
    struct agent_key address; /* where it came from */
    struct text body;         /* owned; gone once it is read */
    int64_t begun_ms;         /* when the body was complete */
    int64_t queued_ms;        /* when it was handed to a thread, this time */

    struct agent_key token_key;
    struct agent_presumed presumed;
    json_t *document; /* owned; what `message` borrows from */
    void *message;    /* owned; the struct of its call */
    bool admitted;    /* read, and within its rate */
    bool judged;      /* its pod was counted too */
    int64_t wait_until_ms;
    uint64_t wakes; /* as they were before the desk was asked */

    enum agent_outcome outcome;
    struct text answer;    /* may hold secrets: wiped */
    struct stream *stream; /* owned */
    int wake;              /* told of what comes in it */
    struct error refusal;
    int64_t retry_after_s;

    void *owner;
    struct agent_job *next;
};

/** A request of nobody yet. */
struct agent_job *agent_job_make(enum agent_call call);

/** Wipes and frees. NULL is fine. */
void agent_job_free(struct agent_job *job);

/** What a call reads, and the bytes that it may have. */
size_t agent_job_body_max(enum agent_call call);

/**
 * Brings a request as far as it comes now. May wait for the API server and the desk.
 *
 * @param now_ms  Steady clock. @param now_s  Wall clock.
 */
void agent_job_run(struct agent_side *side, struct agent_job *job, int64_t now_ms, int64_t now_s);

/** The answer of a claim whose time is over: nothing to do. */
void agent_job_nothing(struct agent_job *job);

/** Gives it up with a refusal that is ours: 503. */
void agent_job_refuse(struct agent_job *job, const char *why);
