#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"
#include "kube/config.h"

/*
 * Requests to one API server over one pool of connections. One thread drives libcurl's multi
 * handle; callers in any other thread wait for their own answer, with a deadline, so that a loop
 * reads from top to bottom. Nothing here knows a kind: paths come from kube/resource.h.
 */
struct kube_client;

/** Who may write for how long: asked before each attempt that is no GET. See kube/lease.h. */
struct kube_fence {
    int64_t (*left_ms)(void *context); /* 0: not any more, or not yet */
    void *context;
};

/** Bounds of one client; {0} stands for the defaults of base/limits.h. */
struct kube_client_limits {
    double rate, burst;             /* requests a second; streams are exempt. Catalogue B4 */
    double reads, reads_burst;      /* of those that only read; 0: they count with all others */
    int64_t concurrent;             /* requests under way; more wait */
    const char *user_agent;         /* "granary-controller/0.1.0"; borrowed for the start only */
    int64_t look_ms;                /* between two looks at the files of token and certificates */
    int64_t second_ms;              /* of a pause between repetitions; tests shorten it */
    const struct kube_fence *fence; /* borrowed until the stop; NULL: may write */
};

/**
 * Starts the thread; connects to nothing yet.
 *
 * @param config  Copied.
 * @return        To be ended by kube_client_stop(); NULL when a certificate or key can not be used.
 */
struct kube_client *kube_client_start(const struct kube_config *config,
                                      const struct kube_client_limits *limits,
                                      struct error *err) MUST_CHECK;

/** Another rate of requests from now on (of those that write, when reads have their own); at once
 *  twice as many. `per_s` above 0. Any thread. */
void kube_client_pace(struct kube_client *client, double per_s);

/** Ends every call and stream that is under way with ERROR_UNAVAILABLE and this message; later ones
 *  fail at once. Any thread, also a signal's. */
#define KUBE_STOPPED "stopped"
void kube_client_cancel(struct kube_client *client);

/** Cancels, waits until nobody is inside and every stream is closed, and frees. NULL is fine. */
void kube_client_stop(struct kube_client *client);

/** One request. Everything is borrowed for the call. */
struct kube_request {
    const char *method;       /* "GET", "POST", "PUT", "PATCH", "DELETE" */
    const char *path;         /* "/api/v1/namespaces/shop/pods?limit=500"; already escaped */
    const char *content_type; /* of the body; NULL: application/json */
    const char *accept;       /* NULL: application/json */
    struct span body;         /* kept until the call ends; sent again when it is repeated */
    int64_t timeout_ms;       /* of the whole call with its repetitions; 0: KUBE_TIMEOUT_MS */
    size_t answer_max;        /* bytes; 0: KUBE_ANSWER_MAX_BYTES. More: ERROR_TOO_LARGE */
};

/** What came back. {0} is none. */
struct kube_answer {
    int status;            /* HTTP; 0: no answer came (the outcome of a write is then unknown) */
    int64_t retry_after_s; /* -1: not said; 0: said, but makes no sense */
    int64_t date_s;        /* the server's clock when it answered; 0: not said */
    bool doubtful;         /* an attempt may have been carried out without our being told: it broke
                              off, took too long, or a 5xx came. Whatever the last one said */
    struct text body;      /* as received */
    json_t *json;          /* owned; the body as an object, when it is one; else NULL */
};

void kube_answer_done(struct kube_answer *answer);

static inline void auto_kube_answer(struct kube_answer *answer)
{
    kube_answer_done(answer);
}

/**
 * Sends a request and waits for the answer. Repeats what the catalogue allows (B2: 429 and 5xx with
 * Retry-After; B3: reading after a broken connection; CR3: once after 401, with the token read
 * anew), within the deadline. Never follows a redirect (CR8).
 *
 * @param answer  {0} before; filled also when false is returned and something came.
 * @return        True for 2xx. False: err->code is the HTTP status (an unusual one: the nearest of
 *                enum error_code), ERROR_UNAVAILABLE when there was no answer, ERROR_TIMEOUT past
 *                the deadline; the message is that of the Status, never with a token in it.
 */
bool kube_call(struct kube_client *client, const struct kube_request *request,
               struct kube_answer *answer, struct error *err) MUST_CHECK;

/** The `reason` of a metav1.Status ("Conflict", "Expired" ...), "" when there is none. Borrowed. */
const char *kube_answer_reason(const struct kube_answer *answer);

/** True when the Status has a cause of this reason ("ResourceVersionTooLarge",
 *  "FieldManagerConflict"). */
bool kube_answer_has_cause(const struct kube_answer *answer, const char *reason);

/** A body that goes on: a watch, a log. Read by one thread. */
struct kube_stream;

/** What a read led to. */
enum kube_read {
    KUBE_DATA,  /* bytes were appended */
    KUBE_END,   /* the server ended it in order */
    KUBE_QUIET, /* nothing came for so long; the stream goes on */
    KUBE_BROKEN /* err says why; also after kube_client_cancel() */
};

/**
 * Opens a stream: a connection of its own, HTTP/1.1, TCP keep-alive (W17). Waits for the status
 * line, at most request->timeout_ms; afterwards it has no deadline.
 *
 * @param answer  As with kube_call() when NULL is returned.
 * @return        To be closed by kube_stream_close(); NULL as kube_call() returns false.
 */
struct kube_stream *kube_stream_open(struct kube_client *client, const struct kube_request *request,
                                     struct kube_answer *answer, struct error *err) MUST_CHECK;

/**
 * Waits for bytes. What nobody reads is held back at the sender (KUBE_STREAM_BUFFER_BYTES wait here
 * at most).
 *
 * @param out       Appended to.
 * @param quiet_ms  How long nothing may come before KUBE_QUIET.
 */
enum kube_read kube_stream_read(struct kube_stream *stream, struct text *out, int64_t quiet_ms,
                                struct error *err) MUST_CHECK;

/** Ends a stream at once. NULL is fine. */
void kube_stream_close(struct kube_stream *stream);

static inline void auto_kube_stream(struct kube_stream **stream)
{
    kube_stream_close(*stream);
}

/** Counts since the start, for metrics; any thread. */
struct kube_client_facts {
    int64_t calls, failures, repeated, throttled_ms, streams;
    int64_t last_answer_s; /* wall clock of the last answer of any status; 0: never */
    int64_t
        ahead_s; /* how far the server's clock is ahead of ours, by its last Date header; 0: none */
};
struct kube_client_facts kube_client_look(struct kube_client *client);
