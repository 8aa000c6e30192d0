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

static enum MHD_Result add_line(void *context, enum MHD_ValueKind kind, const char *name,
                                size_t name_length, const char *value, size_t value_length)
{
    struct library_lines *lines = context;

    (void)kind;
    if (lines->count > HEADERS_MAX)
        return MHD_NO;
    lines->items[lines->count++] =
        (struct head_line){{name, name_length}, {value ? value : "", value_length}};
    return MHD_YES;
}

bool library_judge(const struct library_asked *asked, const struct head_route *routes,
                   struct head *head, struct library_lines *lines, struct head_request *request,
                   struct error *err)
{
    const union MHD_ConnectionInfo *size =
        MHD_get_connection_info(asked->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    lines->count = 0;
    MHD_get_connection_values_n(asked->connection, MHD_HEADER_KIND, add_line, lines);
    head->lines = lines->items;
    head->count = lines->count;
    if (!head_judge(head, routes, asked->body_max, request, err))
        return false;
    if (!size || !head_is_tight(head, head->method.data, size->header_size, asked->uri_length))
        return error_set(err, ERROR_BAD_REQUEST,
                         "a line of the head is folded, ends in a bare LF or holds a NUL or CR");
    return true;
}
