#pragma once

#include <netinet/in.h>
#include <stdbool.h>

#include "base/error.h"

/** Where to listen. */
struct address {
    struct sockaddr_storage socket;
    socklen_t size;
};

/** Room for address_format(). */
#define ADDRESS_TEXT_BYTES 64

/**
 * Reads "127.0.0.1:8443", "[::1]:8443" or ":8443" (every address, IPv4 and IPv6). Addresses are
 * numbers: no name is looked up. Port 0 means a free one.
 *
 * @return False with ERROR_INVALID and what was expected.
 */
bool address_parse(const char *text, struct address *address, struct error *err) MUST_CHECK;

/** The address in the same syntax. */
void address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES]);

/**
 * A socket that listens there: non-blocking, closed on exec.
 *
 * @param address  Its port 0 is replaced by the port that was found.
 * @return         The socket, the caller's; -1 with ERROR_UNAVAILABLE.
 */
int address_listen(struct address *address, struct error *err) MUST_CHECK;
