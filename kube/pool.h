#pragma once

#include <curl/curl.h>
#include <pthread.h>

#include "base/error.h"
#include "base/span.h"

/**
 * Connections that were made with one set of certificates: when these change, a new pool begins and
 * the old connections end with their last request. Reference counted.
 */
struct pool {
    int refs; /* atomic */
    CURLSH *share;
    pthread_mutex_t count; /* of uses of the share */
    int ca, cert, key;     /* descriptors of memory files; -1: none */
};

/** PEM texts, borrowed; absent ones are none. */
struct pool_parts {
    struct span ca, cert, key;
};

/**
 * Makes a pool with one reference, the caller's. libcurl with GnuTLS takes certificates from files
 * only, so they are put into sealed memory files; nothing is written to a disk.
 *
 * @return  NULL with ERROR_INVALID and "CA: reason" when they can not be used: not PEM, no
 *          certificate, a key that belongs to another certificate.
 */
struct pool *pool_make(const struct pool_parts *parts, struct error *err) MUST_CHECK;

/** A pool with the same certificates and no connection yet; one reference, the caller's. */
struct pool *pool_again(const struct pool *pool);

struct pool *pool_ref(struct pool *pool);

/** One reference less; the last closes all connections. NULL is fine. */
void pool_unref(struct pool *pool);

static inline void auto_pool(struct pool **pool)
{
    pool_unref(*pool);
}

/** Tells a request to use these certificates and connections. The reference must be kept until the
 *  handle is cleaned up. */
void pool_use(const struct pool *pool, CURL *easy);
