#pragma once

#include <microhttpd.h>
#include <pthread.h>

#include "base/log.h"
#include "controllers/agent_jobs.h"
#include "controllers/agent_places.h"
#include "http/head.h"
#include "http/tls.h"

/*
 * The thread that talks to all agents: accepts, TLS and HTTP (one libmicrohttpd daemon with epoll,
 * and the loop around it is ours: see docs/server.md), deadlines, and those who wait. It never
 * blocks; nothing below is touched by another thread.
 */

/** One request on its way. A connection has one at a time. {0} between them. */
struct agent_request {
    bool begun, answered;
    bool suspended;    /* libmicrohttpd looks away: a thread has it, or it waits */
    size_t uri_length; /* as received, with the query */
    struct head_request head;
    struct span token;     /* lives as long as the request */
    struct error refusal;  /* code 0: none; answered when the body is over */
    struct text body;      /* until a thread gets it */
    int64_t counted;       /* bytes in the budget */
    struct agent_job *job; /* owned, also while a thread has it */
};

/** One connection, from accept() to its end. */
struct agent_client {
    struct http_tls tls;
    struct agent_loop *loop;
    struct MHD_Connection *connection;
    struct credentials *credentials;
    struct agent_place *place;
    bool gone; /* the other end closed while we looked away */
    struct agent_request request;
    struct agent_client *next, *previous; /* among those who wait */
    struct agent_client *next_resting;    /* among those whose stream has nothing now */
    int64_t sent_ms;                      /* when something of a stream was sent last */
};

struct agent_loop {
    struct agent_side *side;   /* borrowed, as are the next two */
    struct certs_store *certs; /* */
    struct agent_jobs *jobs;   /* set before agent_loop_run() */
    struct address address;
    int listening, wake, gone; /* socket; eventfd; epoll of those on whom we look away */
    struct MHD_Daemon *daemon;
    struct connections connections;
    size_t connections_max;
    struct agent_places *places;
    struct agent_client *beginning, *waiting, *resting;
    size_t suspended, answering; /* requests that libmicrohttpd looks away from; that it sends */
    uint64_t woken;              /* side->wakes that those who wait know of */
    int64_t woken_ms, tick_ms, look_ms, end_ms;
    bool asleep; /* somebody waits whom a thread asked before the last wake */
    bool exhausted, drained, running;
    atomic_bool ending;
    _Atomic int64_t certificate_until_s;
    struct log_limit log_limit;
    pthread_t thread;
};

/** Prepares, and listens. To be ended by agent_loop_stop() also after a failure. */
bool agent_loop_start(struct agent_loop *loop, struct error *err) MUST_CHECK;

/** Begins to serve: the thread. */
bool agent_loop_run(struct agent_loop *loop, struct error *err) MUST_CHECK;

/** Answers what is under way, at most AGENT_DRAIN_MS, and ends. All jobs must be done. */
void agent_loop_stop(struct agent_loop *loop);

/** Hands the request of a connection to the threads, and looks away until it is done. */
void agent_loop_hand_over(struct agent_client *client);

/** Looks away from a stream until there is more of it. */
void agent_loop_rest(struct agent_client *client);

/** Something of a stream is sent: the connection lives. */
void agent_loop_sent(struct agent_client *client);

/** Gives back what its body took of the budget. */
void agent_request_uncount(struct agent_client *client);

/** libmicrohttpd's callbacks. */
void *agent_request_uri(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result agent_request_handle(void *context, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *data, size_t *size, void **request_context);
void agent_request_completed(void *context, struct MHD_Connection *connection,
                             void **request_context, enum MHD_RequestTerminationCode code);
