#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "certs/credentials.h"
#include "http/tls.h"
#include "webhook/request.h"

struct worker;

/** One connection, from accept() to its end. */
struct client {
    struct http_tls tls;
    struct worker *worker;
    struct credentials *credentials; /* NULL without TLS */
    struct request request;
    struct client *next; /* among those that their worker has not seen yet */
};

/** Makes one that counts from now on: for its worker, and in the list of its listener. */
struct client *client_make(struct worker *worker, int fd);

/** Forgets it; to be called while its descriptor is still open. */
void client_free(struct client *client);

/**
 * Prepares the TLS session of a new connection: the newest credentials, and the moments at which
 * its phases change. From its worker's thread.
 */
void client_begin_tls(struct client *client, struct MHD_Connection *connection);

/** The client behind a connection of libmicrohttpd. Borrowed. */
struct client *client_of(struct MHD_Connection *connection);
