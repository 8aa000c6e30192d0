#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "tests/unit/certs/pem.h"

/*
 * An HTTP/1.1 server on a loopback port that does what a test says, byte by byte when it must:
 * the faults of an API server. One thread per connection.
 */
struct fake;
struct fake_peer; /* one connection */

/** What a client sent. */
struct fake_request {
    const char *method, *path, *headers; /* the header lines as they came */
    struct span body;
    int number;     /* of this request, from 1, over all connections */
    int connection; /* from 1 */
};

/** Answers one request; false: the connection is closed. Runs in the connection's thread. */
typedef bool fake_serve(struct fake_peer *peer, const struct fake_request *request, void *context);

/** Starts it. `pair` NULL: plain HTTP. Fails the test that can not. */
struct fake *fake_start(const struct pem_pair *pair, fake_serve *serve, void *context);

/** Closes all connections and ends all threads. NULL is fine. */
void fake_stop(struct fake *fake);

static inline void auto_fake(struct fake **fake)
{
    fake_stop(*fake);
}

/** "https://localhost:port". Borrowed. */
const char *fake_url(const struct fake *fake);

/** New connections are made with this certificate. */
void fake_certificate(struct fake *fake, const struct pem_pair *pair);

/** Requests and connections so far. */
int fake_requests(struct fake *fake);
int fake_connections(struct fake *fake);

/** Sends bytes; false when the other end is gone. */
bool fake_send(struct fake_peer *peer, const void *bytes, size_t length);
bool fake_puts(struct fake_peer *peer, const char *text);

/** A whole answer. `headers`: lines with CRLF, or NULL: application/json. Returns true. */
bool fake_answer(struct fake_peer *peer, int status, const char *headers, const char *body);

/** Waits until the other end has closed, or fake_stop(). Returns false. */
bool fake_hang(struct fake_peer *peer);

/** The same for so long at most. */
void fake_pause(struct fake_peer *peer, int ms);

/** Breaks the connection: RST instead of FIN. Returns false. */
bool fake_reset(struct fake_peer *peer);

/** Value of a request's header, "" when absent; the caller frees it. */
char *fake_header(const struct fake_request *request, const char *name);
