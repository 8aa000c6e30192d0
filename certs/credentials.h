#pragma once

#include <gnutls/gnutls.h>

#include "certs/check.h"

/**
 * A certificate, its key and the client CA, ready for handshakes. Immutable and reference counted:
 * a connection keeps those with which it began, so that a rotation disturbs nobody.
 */
struct credentials;

/**
 * Makes credentials that certs_check() accepts.
 *
 * @param parts  Borrowed for the call only; the key is copied by GnuTLS.
 * @return       With one reference, the caller's; NULL as certs_check() says.
 */
struct credentials *credentials_make(const struct certs_parts *parts, int64_t now_s,
                                     struct error *err) MUST_CHECK;

/** One more reference; one less (the last frees). NULL is fine. */
struct credentials *credentials_ref(struct credentials *credentials);
void credentials_unref(struct credentials *credentials);

static inline void auto_credentials(struct credentials **credentials)
{
    credentials_unref(*credentials);
}

/** Borrowed, as long as the credentials. */
const struct certs_facts *credentials_facts(const struct credentials *credentials);

/**
 * Puts them into a new session. With a client CA, the client must show a certificate that this CA
 * signed for client use and that is valid now; otherwise the handshake fails. The reference must be
 * kept until the session is gone.
 */
void credentials_use(struct credentials *credentials, gnutls_session_t session);
