#pragma once

#include <microhttpd.h>
#include <stdarg.h>
#include <stddef.h>

#include "base/limits.h"
#include "http/head.h"

/* What every daemon of libmicrohttpd is told. */

/** MHD_OPTION_EXTERNAL_LOGGER: every connection that is broken off says something, for those who
 *  debug. */
void library_log(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/** MHD_OPTION_UNESCAPE_CALLBACK: paths are compared as they were sent, %00 stays three characters.
 */
size_t library_leave_escaped(void *context, struct MHD_Connection *connection, char *text);

/** The header lines as libmicrohttpd has them, one more than is allowed so that it shows. */
struct library_lines {
    struct head_line items[HEADERS_MAX + 1];
    size_t count;
};

/** A request whose head is here, and nothing of the body was read yet. */
struct library_asked {
    struct MHD_Connection *connection;
    size_t uri_length; /* of head_uri_length() */
    uint64_t body_max;
};

/**
 * Judges its head by head_judge() and head_is_tight().
 *
 * @param head   Its method, path and version are set; its lines are filled, and borrowed from
 *               `lines`.
 * @return       As head_judge().
 */
bool library_judge(const struct library_asked *asked, const struct head_route *routes,
                   struct head *head, struct library_lines *lines, struct head_request *request,
                   struct error *err) MUST_CHECK;
