#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "certs/make.h"

/*
 * What is in certificates that somebody kept: for who decides about a rotation. No clock, no file;
 * texts may be anything.
 */

/** What is worth knowing of one certificate. */
struct certs_about {
    bool authority;       /* it may sign others */
    int64_t from_s, to_s; /* first and last second of validity */
    char fingerprint[65]; /* SHA-256 of its DER form, hex */
    uint64_t seed;        /* a number that belongs to it */
};

/** Reads the first certificate of a PEM text. False with ERROR_INVALID. */
bool certs_about(struct span pem, struct certs_about *about, struct error *err) MUST_CHECK;

/** True when the key is that of the (first) certificate. */
bool certs_pair_fits(struct span cert, struct span key);

/** True when the authority's name is that of the issuer and its key made the signature. Validity is
 *  not looked at. */
bool certs_signed_by(struct span cert, struct span authority);

/** True when the DNS names that it is for are exactly these. @param dns  Ends with NULL. */
bool certs_has_names(struct span cert, const char *const *dns);

/** Certificates, each as a PEM text of its own in the form that we write. {0} is none. */
struct certs_list {
    struct certs_pem *items;
    size_t count;
};

void certs_list_done(struct certs_list *list);

static inline void auto_certs_list(struct certs_list *list)
{
    certs_list_done(list);
}

/** Takes a bundle apart. @param list  {0} before. @return False with ERROR_INVALID: a part of it is
 *  no certificate, more than CERTS_BUNDLE_MAX, or none. */
bool certs_list_read(struct span bundle, struct certs_list *list, struct error *err) MUST_CHECK;

/* Certificates of one bundle; clients of today take thousands, we make seven at most. */
#define CERTS_BUNDLE_MAX 64u
