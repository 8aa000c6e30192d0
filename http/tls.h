#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "http/connections.h"

/* What every address of ours with TLS has in common with libmicrohttpd. */

/* TLS 1.0 and 1.1 are still in NORMAL of Debian 12. */
#define HTTP_TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/** The moments of one connection at which its phase changes. Of its own thread, but for what
 *  struct connection says. */
struct http_tls {
    struct connections *all;
    struct connection watched;
    bool heard, agreed; /* bytes came; the handshake is done */
};

/**
 * Follows the session of a new connection: from its first byte to the end of the handshake, and
 * for each request from its first byte on. Credentials are the caller's business.
 *
 * @param moments  Must live as long as the connection; `all` and `watched` are set.
 */
void http_tls_follow(struct http_tls *moments, struct MHD_Connection *connection);

/** For MHD_OPTION_HTTPS_CERT_CALLBACK: libmicrohttpd wants to know a certificate at its start, but
 *  each connection gets its own. */
int http_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                            gnutls_pcert_st **certificate, unsigned *length, gnutls_privkey_t *key);
