#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/** One header line as received. */
struct head_line {
    struct span name, value;
};

/** The head of one request, in pieces. Everything is somebody else's bytes. */
struct head {
    struct span method, path, version; /* the path as sent: nothing is unescaped, no query */
    const struct head_line *lines;
    size_t count;
};

/** A path that is answered, by POST of JSON. A table of them ends with a path of NULL. */
struct head_route {
    const char *path;
    int endpoint;      /* what it is to the caller */
    uint64_t body_max; /* bytes; 0: as the caller says for all */
};

/** What the head says of the rest. */
struct head_request {
    int endpoint; /* of its route */
    bool chunked;
    uint64_t length; /* bytes of the body; 0 when chunked */
};

/**
 * Judges a head: stricter than HTTP, since the only honest clients are Go's and ours. Whatever two
 * readers could understand in two ways is refused, so that no request can hide in another.
 *
 * @param routes    What is answered at all.
 * @param body_max  The largest body that is read, in bytes.
 * @return          False: err->code is the HTTP status (400, 404, 405, 411, 413, 414, 415, 431).
 *                  The connection has to be closed after the answer.
 *
 * Spec: RFC 9110, RFC 9112 sections 2.2, 3.2, 5, 6; catalogue H1 to H9.
 */
bool head_judge(const struct head *head, const struct head_route *routes, uint64_t body_max,
                struct head_request *request, struct error *err) MUST_CHECK;

/**
 * The API server's `?timeout=10s`: how long it waits, in milliseconds. 0 when absent or anything
 * else than digits and "s" or "ms" (the API server writes whole seconds).
 */
int64_t head_timeout_ms(struct span query);

/**
 * Bytes of a target as received; SIZE_MAX, which is never tight, when a blank or a control
 * character is among them.
 */
size_t head_uri_length(const char *uri);

/** True for application/json, alone or with charset=utf-8; upper or lower case. Spec: RFC 9110
 *  section 8.3. */
bool head_is_json(struct span value);

/**
 * True when the pieces lie in the received bytes as a correct head does: nothing between them but
 * one separator, each line ended by CRLF, one empty line at the end. libmicrohttpd cuts lines where
 * it found LF or CRLF and values at the first NUL, and says neither; but it writes its NULs into
 * the received bytes, so what it dropped is still seen as a gap.
 *
 * @param start  The first byte of the request line. Every piece must point into
 *               [start, start + size), else the answer is false.
 * @param uri_length  Bytes between method and version, query included.
 */
bool head_is_tight(const struct head *head, const char *start, size_t size, size_t uri_length);
