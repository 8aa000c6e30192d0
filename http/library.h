#pragma once

#include <microhttpd.h>
#include <stdarg.h>
#include <stddef.h>

/* What every daemon of libmicrohttpd is told. */

/** MHD_OPTION_EXTERNAL_LOGGER: every connection that is broken off says something, for those who
 *  debug. */
void library_log(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/** MHD_OPTION_UNESCAPE_CALLBACK: paths are compared as they were sent, %00 stays three characters.
 */
size_t library_leave_escaped(void *context, struct MHD_Connection *connection, char *text);
