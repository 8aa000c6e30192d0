#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/*
 * Connections: TLS to the agent API, and what hooks ask. To the agent API: TLS 1.2 or 1.3, the
 * server's certificate verified by the CAs of the ConfigMap alone, for the name or IP that was
 * asked. Not by libcurl: Debian's brings 30 libraries and 9 MiB into each pod, GnuTLS alone less
 * than 5.
 */

/** Until when something may take, on the steady clock, and what ends it at once. */
struct wire_limit {
    int64_t until_ms;
    int stop_fd; /* readable: stop; -1: nothing */
};

/** The CAs that a server may show. */
struct wire_trust;

/** @return  NULL with ERROR_INVALID: no certificate in this PEM text. */
struct wire_trust *wire_trust_make(struct span pem, struct error *err) MUST_CHECK;
void wire_trust_free(struct wire_trust *trust);

/** Takes any certificate: for an application that shows one of its own making, never for the agent
 *  API. Spec: the probes of Kubernetes, which hooks are like. */
struct wire_trust *wire_trust_any(void);

/** One connection. */
struct wire;

/**
 * Connects to "name:port", "10.0.0.1:port" or "[fd00::1]:port".
 *
 * @param trust  Must live as long as the connection. NULL: no TLS.
 * @return       NULL: ERROR_UNAVAILABLE with what was tried; ERROR_FORBIDDEN: its certificate is
 *               not to be trusted; ERROR_TIMEOUT; ERROR_GONE: stopped.
 */
struct wire *wire_open(const char *address, const struct wire_trust *trust,
                       const struct wire_limit *limit, struct error *err) MUST_CHECK;

/** Sends all of it. */
bool wire_send(struct wire *wire, struct span bytes, const struct wire_limit *limit,
               struct error *err) MUST_CHECK;

/** Receives some bytes; *got is 0 when the other side has closed. */
bool wire_receive(struct wire *wire, char *bytes, size_t room, const struct wire_limit *limit,
                  size_t *got, struct error *err) MUST_CHECK;

/** NULL is fine. */
void wire_close(struct wire *wire);
