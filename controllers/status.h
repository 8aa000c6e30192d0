#pragma once

#include <pthread.h>

#include "base/text.h"
#include "certs/rotation.h"
#include "controllers/agent_api.h"
#include "controllers/heap.h"
#include "kube/client.h"

/*
 * What a controller says of itself: to probes, to metrics. Threads write facts, the admin address
 * reads them.
 */

enum status_found { STATUS_UNKNOWN, STATUS_NO, STATUS_YES };

#define STATUS_STEPS (ROTATION_RETIRE + 1)

/* More loops than there are. */
#define STATUS_LOOPS_MAX 16

/** One loop. */
struct status_loop {
    const char *name; /* static */
    int64_t ready, waiting, working;
    int64_t steps, failures;
    int64_t problems; /* keys that can not be served as wished */
};

/** All of it. {0} is a controller that has just started. */
struct status_facts {
    bool leader, leaving;
    bool lease_stuck;            /* the leader's thread has not renewed for far too long */
    int64_t work_ms;             /* steady clock: when the worker last came by; 0: it has no work */
    int64_t looks, look_errors;  /* at the cluster, about certificates */
    int64_t looked_s;            /* wall clock of the last that saw everything; 0: never */
    int64_t steps[STATUS_STEPS]; /* taken, by enum rotation_step */
    int64_t writes, write_errors;
    bool published;
    int64_t ca_until_s, leaf_until_s; /* 0: there is none */
    bool clock_doubted;
    enum status_found stash, reached; /* is it installed; is the webhook reached */
    int64_t probes, probed_s;         /* questions whether it is; the last one, 0: none */
    bool synced, paused;              /* all kinds are known; no step is taken */
    int64_t objects;                  /* that are known */
    int64_t watch_errors;
    struct status_loop loops[STATUS_LOOPS_MAX];
    size_t loop_count;
    struct agent_api_facts agents;
    int64_t events_lost;
    struct heap_facts heap;
    struct kube_client_facts api;
};

struct status {
    pthread_mutex_t mutex;
    struct status_facts facts;
    pthread_mutex_t showing; /* of what follows */
    void (*show)(void *context, struct text *text);
    void *context;
};

#define STATUS_INITIALIZER                                                                         \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .showing = PTHREAD_MUTEX_INITIALIZER                   \
    }

/** To change facts: between the two calls they are the caller's. */
struct status_facts *status_open(struct status *status);
void status_close(struct status *status);

/** Who appends the leader's further metrics when they are asked for, so that nobody who does not
 * ask pays for them; NULL: nobody any more, and then nobody is inside of it either. */
void status_attend(struct status *status, void (*show)(void *context, struct text *text),
                   void *context);

/** Appends them. */
void status_show(struct status *status, struct text *text);

/** A copy. */
struct status_facts status_look(struct status *status);

/**
 * Whether it does its part, as leader or as one who waits: the API server answers.
 *
 * @param text  One line per check, "[+]name ok" or "[-]name: why not"; may be NULL. Pure.
 */
bool status_ready(const struct status_facts *facts, int64_t now_s, struct text *text);

/** Whether it has to be started again: nobody renews the Lease, or the worker hangs. Pure. */
bool status_alive(const struct status_facts *facts, int64_t mono_ms, struct text *text);

/** Appends the metrics. Pure. Format: Prometheus text exposition 0.0.4. */
void status_metrics(const struct status_facts *facts, struct text *text);

/* Not ready when the API server has been silent for so long: seconds. A follower asks for the Lease
 * every few. */
#define STATUS_SILENCE_S 60

/* A step of the worker takes as long as a call at most, and a turn has a dozen of them. */
#define STATUS_STUCK_MS 600000
