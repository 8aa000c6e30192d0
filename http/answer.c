#include "http/answer.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum error_code code;
    const char *reason; /* metav1.StatusReason; "" where there is none */
    const char *header, *value;
} statuses[] = {
    {ERROR_BAD_REQUEST, "BadRequest", NULL, NULL},
    {ERROR_FORBIDDEN, "Forbidden", NULL, NULL},
    {ERROR_NOT_FOUND, "NotFound", NULL, NULL},
    {ERROR_METHOD, "MethodNotAllowed", MHD_HTTP_HEADER_ALLOW, "POST"},
    {ERROR_TOO_LARGE, "RequestEntityTooLarge", NULL, NULL},
    {ERROR_MEDIA_TYPE, "UnsupportedMediaType", NULL, NULL},
    {ERROR_INVALID, "Invalid", NULL, NULL},
    {ERROR_INTERNAL, "InternalError", NULL, NULL},
    {ERROR_UNAVAILABLE, "ServiceUnavailable", MHD_HTTP_HEADER_RETRY_AFTER, "1"},
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static size_t find(enum error_code code)
{
    size_t i = 0;

    while (i < COUNT(statuses) && statuses[i].code != code)
        i++;
    return i;
}

void answer_status(const struct error *err, struct text *body)
{
    size_t i = find(err->code);

    text_puts(body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                    "\"status\":\"Failure\",\"message\":\"");
    text_add_json(body, err->message, strlen(err->message));
    text_addf(body, "\",\"reason\":\"%s\",\"code\":%d}",
              i < COUNT(statuses) ? statuses[i].reason : "", (int)err->code);
}

static struct MHD_Response *make(const char *type, struct text *body, bool closes)
{
    size_t length = body->length;
    char *bytes = text_take(body);
    struct MHD_Response *response =
        MHD_create_response_from_buffer(length, bytes, MHD_RESPMEM_MUST_FREE);

    if (!response)
        abort();
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (closes)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

enum MHD_Result answer_send(struct MHD_Connection *connection, unsigned status, const char *type,
                            struct text *body, bool closes)
{
    struct MHD_Response *response = make(type, body, closes);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);

    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result answer_fail(struct MHD_Connection *connection, const struct error *err, bool closes)
{
    struct text body = {0};
    size_t i = find(err->code);

    answer_status(err, &body);

    struct MHD_Response *response = make("application/json", &body, closes);

    if (i < COUNT(statuses) && statuses[i].header)
        MHD_add_response_header(response, statuses[i].header, statuses[i].value);

    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)err->code, response);

    MHD_destroy_response(response);
    return queued;
}
