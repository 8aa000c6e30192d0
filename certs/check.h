#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** One file's content (PEM) and the name that an error gives it. */
struct certs_part {
    const char *name;
    struct span pem;
};

/** What a server needs to speak TLS. */
struct certs_parts {
    struct certs_part cert;      /* the server's own certificate first, then its issuers */
    struct certs_part key;       /* its private key, not encrypted */
    struct certs_part client_ca; /* who may sign clients; absent (no data): clients are not asked */
};

/** What is worth saying of a certificate. */
struct certs_facts {
    int64_t not_before_s, not_after_s; /* of the whole chain: the latest and the earliest */
    char serial[48];                   /* hex */
    char name[256];                    /* the first alternative name */
    char algorithm[24];                /* of the key: "ECDSA", "RSA" ... */
};

/** True from the first second of validity to the last. */
bool certs_valid(const struct certs_facts *facts, int64_t now_s);

/**
 * Judges a certificate, its key and the client CA without a file or a clock: what a client of today
 * (Go's crypto/tls, which the API server uses) would refuse is refused here, where somebody reads
 * the reason.
 *
 * @param now_s  UTC. The certificate must be valid at this moment.
 * @param facts  Filled on success.
 * @return       False with ERROR_INVALID and "name: reason": not PEM, more than one key, key of
 *               another certificate, expired, not yet valid, no alternative name, not for servers,
 *               SHA-1 or MD5 signature, RSA below 2048 bits, an empty client CA.
 *
 * Spec: RFC 5280; catalogue H24.
 */
bool certs_check(const struct certs_parts *parts, int64_t now_s, struct certs_facts *facts,
                 struct error *err) MUST_CHECK;
