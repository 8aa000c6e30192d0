#pragma once

#include <stdbool.h>

/**
 * What went wrong, as the HTTP status that a metav1.Status would carry, so that no edge has
 * anything to translate. Spec: Kubernetes API conventions, HTTP status codes; RFC 9110 section 15.
 */
enum error_code {
    ERROR_NONE = 0,
    ERROR_BAD_REQUEST = 400,
    ERROR_UNAUTHORIZED = 401,
    ERROR_FORBIDDEN = 403,
    ERROR_NOT_FOUND = 404,
    ERROR_METHOD = 405,
    ERROR_CONFLICT = 409,
    ERROR_GONE = 410,
    ERROR_LENGTH_REQUIRED = 411,
    ERROR_TOO_LARGE = 413,
    ERROR_URI_TOO_LONG = 414,
    ERROR_MEDIA_TYPE = 415,
    ERROR_INVALID = 422,
    ERROR_TOO_MANY_REQUESTS = 429,
    ERROR_HEADERS_TOO_LARGE = 431,
    ERROR_INTERNAL = 500,
    ERROR_UNAVAILABLE = 503,
    ERROR_TIMEOUT = 504,
};

/** One failure. Lives on the caller's stack, owns nothing and is never freed. */
struct error {
    enum error_code code;
    char message[256];
};

/**
 * Fills in a failure. The text is cut to what fits; control characters are replaced by '?'.
 *
 * @return Always false, so that a failing function ends in one line.
 */
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * Puts a context in front of a failure: "context: message". The code stays.
 *
 * @return Always false.
 */
bool error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define MUST_CHECK __attribute__((warn_unused_result))
