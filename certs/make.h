#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** PEM text on the heap; it may be a key, so it is wiped before it is freed. {0} is none. */
struct certs_pem {
    char *data; /* ends in NUL */
    size_t length;
};

void certs_pem_done(struct certs_pem *pem);

/** A copy of PEM text. */
struct certs_pem certs_pem_copy(struct span text);

static inline struct span certs_pem_span(const struct certs_pem *pem)
{
    return (struct span){pem->data, pem->length};
}

/** A certificate and its private key (PKCS #8, not encrypted). */
struct certs_pair {
    struct certs_pem cert, key;
};

void certs_pair_done(struct certs_pair *pair);

static inline void auto_certs_pem(struct certs_pem *pem)
{
    certs_pem_done(pem);
}

static inline void auto_certs_pair(struct certs_pair *pair)
{
    certs_pair_done(pair);
}

/** What a certificate is to say. */
struct certs_wish {
    const char *name;             /* common name; only people read it */
    const char *const *dns;       /* names of the server, ends with NULL; NULL: none */
    const char *const *addresses; /* IPv4 and IPv6 addresses of the server, likewise */
    int64_t from_s, to_s;         /* first and last second of validity, UTC */
};

/**
 * Makes a CA that signs servers and nothing below itself: ECDSA P-256, SHA-256, a random serial.
 * A part of that serial is added to its name, so that no two CAs have the same.
 *
 * @param made  {0} before. The caller's, to be released with certs_pair_done().
 * @return      False with ERROR_INVALID for a name that can not be written, ERROR_INTERNAL when
 *              GnuTLS has no randomness.
 *
 * Spec: RFC 5280 section 4.
 */
bool certs_make_authority(const struct certs_wish *wish, struct certs_pair *made,
                          struct error *err) MUST_CHECK;

/**
 * Makes a server's certificate, signed by a CA. It never outlives that CA.
 *
 * @param authority  As certs_make_authority() made it; borrowed.
 * @param made       As above. `cert` holds the one certificate; clients have the CA.
 * @return           False also with ERROR_INVALID: no name at all, an address that is none, a CA
 *                   that is no CA or has another key.
 */
bool certs_make_leaf(const struct certs_wish *wish, const struct certs_pair *authority,
                     struct certs_pair *made, struct error *err) MUST_CHECK;
