#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "base/text.h"

/* Bytes of the head of an answer: our server sends some 200, and something between may add some. */
#define REPLY_HEAD_MAX_BYTES (16u << 10)

/* Seconds that an answer may tell us to wait. */
#define REPLY_RETRY_MAX_S 3600

/** An answer of HTTP/1.1. */
struct reply {
    int status;
    bool json;             /* what its Content-Type says */
    bool keep;             /* another request may follow on this connection */
    int64_t retry_after_s; /* 0: not said */
    struct text body;
};

enum reply_state { REPLY_MORE, REPLY_DONE, REPLY_BAD };

/**
 * Reads what has come of an answer so far; interim answers (1xx) are skipped. Pure.
 *
 * @param received  All bytes since the request was sent.
 * @param ended     The other side has closed: nothing follows.
 * @param max       Bytes that the body may have.
 * @param reply     Filled with REPLY_DONE; its body is the caller's.
 * @param err       With REPLY_BAD: ERROR_BAD_REQUEST, or ERROR_TOO_LARGE.
 *
 * Spec: RFC 9112 sections 4 to 7; RFC 9110 section 10.2.3.
 */
enum reply_state reply_read(struct span received, bool ended, size_t max, struct reply *reply,
                            struct error *err) MUST_CHECK;

/**
 * Reads no more than the head of an answer; interim answers (1xx) are skipped. Pure.
 *
 * @param status    Filled with REPLY_DONE.
 * @param location  Likewise: what Location says, or empty. Borrowed from `received`.
 * @param err       With REPLY_BAD: ERROR_BAD_REQUEST.
 */
enum reply_state reply_head(struct span received, bool ended, int *status, struct span *location,
                            struct error *err) MUST_CHECK;
