#include "http/library.h"

#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"

void library_log(void *context, const char *format, va_list args)
{
    AUTO(text) struct text line = {0};

    (void)context;
    if (!log_on(LOG_DEBUG))
        return;
    text_addv(&line, format, args);
    log_debug("libmicrohttpd", LOG_SPAN("text", text_trim(span_of(text_get(&line)))));
}

size_t library_leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}
