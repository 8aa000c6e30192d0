#pragma once

#include <microhttpd.h>
#include <pthread.h>

#include "base/error.h"
#include "webhook/client.h"
#include "webhook/service.h"

/*
 * A thread that answers: one libmicrohttpd daemon with epoll, and the loop around it is ours.
 * libmicrohttpd's own thread takes 128 events at once, and when they are exactly 128, waits for
 * another one before it looks at any of them; a burst then stays unanswered until somebody else
 * comes. Asked without waiting (MHD_run()), it can not.
 */

struct arena;

enum worker_kind { WORKER_ADMISSION, WORKER_ADMIN };

struct worker {
    enum worker_kind kind;
    struct service *service;         /* borrowed */
    struct connections *connections; /* the list of its listener, borrowed */
    struct arena *arena;             /* owned; for the trees of one decision after the other */
    struct MHD_Daemon *daemon;
    pthread_t thread;
    int wake; /* eventfd: look at what is new */
    bool runs;
    atomic_bool ending;
    atomic_size_t count; /* clients that it has, and is about to have */
    struct client *beginning;
    pthread_mutex_t lock;
    struct client *newest; /* handed over and not seen yet, under the lock */
};

/**
 * Starts the thread.
 *
 * @param worker  Filled; to be ended with worker_stop() also after a failure.
 * @return        False with ERROR_UNAVAILABLE.
 */
bool worker_start(struct worker *worker, enum worker_kind kind, struct service *service,
                  struct connections *connections, struct error *err) MUST_CHECK;

/** Gives it a connection, which it owns from now on. From the thread that accepts. */
void worker_hand_over(struct worker *worker, int fd);

/** Ends the thread and all its connections. */
void worker_stop(struct worker *worker);
