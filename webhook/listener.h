#pragma once

#include "http/address.h"
#include "webhook/worker.h"

/*
 * One address: a socket that we accept on ourselves, and workers that get the connections, each
 * the one that has the fewest. (libmicrohttpd's own thread pool leaves all keep-alive connections
 * to one thread, and can abort when it is quiesced under load.)
 */

struct listener {
    enum worker_kind kind;
    int fd; /* -1 after listener_close() */
    struct service *service;
    struct connections connections;
    size_t connections_max, worker_count;
    struct worker *workers;
    bool exhausted; /* no descriptor was left; listener_watch() tries again */
};

/** What a listener is made of. */
struct listener_plan {
    enum worker_kind kind;
    struct address address;
    struct connection_times times;
    size_t connections_max, workers;
};

/**
 * Begins to listen; nothing is accepted before listener_accept(). Logs the address.
 *
 * @param listener  Filled; to be ended with listener_stop() also after a failure.
 * @return          False with ERROR_UNAVAILABLE.
 */
bool listener_start(struct listener *listener, const struct listener_plan *plan,
                    struct service *service, struct error *err) MUST_CHECK;

/** Accepts what waits, a bounded number. */
void listener_accept(struct listener *listener);

/** Closes what is past its deadline, and notes threads that hang. */
void listener_watch(struct listener *listener, int64_t now_ms);

/** The socket to wait on; -1 when nothing can be accepted now. */
int listener_waits_on(const struct listener *listener);

/** Connections that are open. */
size_t listener_count(const struct listener *listener);

/** No new connections from now on; those that wait are still accepted. */
void listener_close(struct listener *listener);

/** Ends all connections and threads. */
void listener_stop(struct listener *listener);
