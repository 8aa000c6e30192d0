#pragma once

#include <microhttpd.h>

#include "webhook/address.h"
#include "webhook/connections.h"
#include "webhook/request.h"
#include "webhook/service.h"

/*
 * One address: a socket that we accept on ourselves, and single-threaded libmicrohttpd daemons
 * that get the connections, each the one that has the fewest. (Its own thread pool leaves all
 * keep-alive connections to one thread, and can abort when it is quiesced under load.)
 */

struct listener;

/** One thread that answers. */
struct worker {
    struct MHD_Daemon *daemon;
    struct listener *listener;
    struct arena *arena;       /* owned; for the trees of one decision after the other */
    atomic_size_t connections; /* handed over and not closed yet */
};

/** One connection, from accept() to its end. */
struct client {
    struct connection watched;
    struct worker *worker;
    struct credentials *credentials; /* NULL without TLS */
    bool heard, agreed;              /* bytes came; the handshake is done */
    struct request request;
};

enum listener_kind { LISTENER_ADMISSION, LISTENER_ADMIN };

struct listener {
    enum listener_kind kind;
    int fd; /* -1 after listener_close() */
    struct service *service;
    struct connections connections;
    size_t connections_max, worker_count;
    struct worker *workers;
    struct client **by_fd; /* how a client gets through libmicrohttpd to its worker */
    size_t fd_count;
    bool exhausted; /* no descriptor was left; listener_watch() tries again */
};

/** What a listener is made of. */
struct listener_plan {
    enum listener_kind kind;
    struct address address;
    struct connection_times times;
    size_t connections_max, workers;
};

/**
 * Begins to listen; nothing is accepted before listener_accept(). Logs the address.
 *
 * @return False with ERROR_UNAVAILABLE.
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

/** The client behind a connection of libmicrohttpd. Borrowed. */
struct client *client_of(struct MHD_Connection *connection);
