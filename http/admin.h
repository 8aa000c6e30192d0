#pragma once

#include "base/error.h"
#include "http/address.h"
#include "http/routes.h"

/**
 * An admin address with a thread of its own, for programs whose work is elsewhere: plain HTTP,
 * ADMIN_CONNECTIONS_MAX connections, each answered once and within HEADER_TIMEOUT_MS.
 */
struct admin;

/**
 * Begins to answer, and logs the address.
 *
 * @param address  Its port 0 is replaced by the port that was found.
 * @param routes   Borrowed as long as it runs, as is the context that they are given.
 * @return         To be ended with admin_stop(); NULL with ERROR_UNAVAILABLE.
 */
struct admin *admin_start(struct address *address, const struct http_route *routes, void *context,
                          struct error *err) MUST_CHECK;

/** Ends all connections and the thread. NULL is fine. */
void admin_stop(struct admin *admin);

static inline void auto_admin(struct admin **admin)
{
    admin_stop(*admin);
}
