#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All connections of a listener, for what looks at them together: deadlines in wall-clock time
 * (libmicrohttpd's timer counts inactivity only, so one byte a second keeps a request alive for
 * ever), and whom to close when there are too many.
 */

/** What a connection is doing. */
enum connection_phase {
    PHASE_HANDSHAKE, /* TLS is not agreed yet */
    PHASE_IDLE,      /* waits for a request, its first or another one */
    PHASE_HEAD,      /* the first byte of a request is here, its headers not yet */
    PHASE_REQUEST,   /* the body comes, is judged, the answer goes */
    PHASE_WAIT,      /* somebody else is asked, or nothing is to be said yet */
    PHASE_CUT,       /* shut down by us; its thread will notice */
};

/** Deadlines in milliseconds, each from the begin of its phase; PHASE_REQUEST counts from the
 *  first byte of the head. */
struct connection_times {
    int64_t handshake_ms, head_ms, request_ms, idle_ms, wait_ms;
};

/** One connection. Its own thread writes the atomics, the watching thread reads them. */
struct connection {
    int fd;
    _Atomic(enum connection_phase) phase;
    _Atomic int64_t since_ms;           /* begin of this phase; of a request: its first byte */
    _Atomic int64_t deadline_ms;        /* when it is cut */
    atomic_bool served;                 /* has finished a request */
    int64_t cut_ms;                     /* when it was; of the watching thread */
    struct connection *next, *previous; /* under the list's lock, oldest first */
};

/** The list. {0} is not one: connections_init(). */
struct connections {
    struct connection_times times;
    pthread_mutex_t lock;
    struct connection *oldest, *newest;
    atomic_size_t count;
};

void connections_init(struct connections *all, const struct connection_times *times);
void connections_done(struct connections *all);

/** Adds and removes; a connection must leave before its socket is closed. Any thread. */
void connections_enter(struct connections *all, struct connection *connection,
                       enum connection_phase phase, int64_t now_ms);
void connections_leave(struct connections *all, struct connection *connection);

/** Goes on to another phase. From the connection's own thread. A connection that was cut stays so.
 */
void connection_enters(const struct connections *all, struct connection *connection,
                       enum connection_phase phase, int64_t now_ms);

/** Shortens the deadline of the request under way: no later than this after its first byte. */
void connection_hurries(struct connection *connection, int64_t limit_ms);

/** Why connections were cut, in numbers. */
struct connections_cut {
    size_t by_phase[PHASE_CUT];
};

/** Shuts down every connection that is past its deadline; adds to the numbers. */
void connections_cut_late(struct connections *all, int64_t now_ms, struct connections_cut *cut);

/**
 * Makes room for one more: shuts down the oldest connection that never had a good answer, else the
 * one that is longest in its phase, which is an idle one wherever there is one.
 *
 * @return False when there is none that was not cut already.
 */
bool connections_make_room(struct connections *all, int64_t now_ms);

/** How many were cut longer than this ago and are still there: their threads hang. */
size_t connections_stuck(struct connections *all, int64_t now_ms, int64_t limit_ms);

/**
 * How many of the wanted connections there are descriptors for, after raising the limit as far as
 * it goes. Says so in the log when they are fewer: what is missing must show now, not under load.
 */
size_t connections_possible(size_t wanted);
