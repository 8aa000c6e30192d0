#include "http/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum error_code code;
    const char *reason; /* metav1.StatusReason; "" where there is none */
    const char *header, *value;
} statuses[] = {
    {ERROR_BAD_REQUEST, "BadRequest", NULL, NULL},
    {ERROR_UNAUTHORIZED, "Unauthorized", MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer"},
    {ERROR_FORBIDDEN, "Forbidden", NULL, NULL},
    {ERROR_NOT_FOUND, "NotFound", NULL, NULL},
    {ERROR_METHOD, "MethodNotAllowed", MHD_HTTP_HEADER_ALLOW, "POST"},
    {ERROR_CONFLICT, "Conflict", NULL, NULL},
    {ERROR_GONE, "Gone", NULL, NULL},
    {ERROR_LENGTH_REQUIRED, "LengthRequired", NULL, NULL},
    {ERROR_TOO_LARGE, "RequestEntityTooLarge", NULL, NULL},
    {ERROR_MEDIA_TYPE, "UnsupportedMediaType", NULL, NULL},
    {ERROR_INVALID, "Invalid", NULL, NULL},
    {ERROR_TOO_MANY_REQUESTS, "TooManyRequests", NULL, NULL},
    {ERROR_INTERNAL, "InternalError", NULL, NULL},
    {ERROR_UNAVAILABLE, "ServiceUnavailable", NULL, NULL},
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static size_t find(enum error_code code)
{
    size_t i = 0;

    while (i < COUNT(statuses) && statuses[i].code != code)
        i++;
    return i;
}

void answer_status(const struct error *err, int64_t retry_after_s, struct text *body)
{
    size_t i = find(err->code);

    text_puts(body, "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},"
                    "\"status\":\"Failure\",\"message\":\"");
    text_add_json(body, err->message, strlen(err->message));
    text_addf(body, "\",\"reason\":\"%s\"", i < COUNT(statuses) ? statuses[i].reason : "");
    if (retry_after_s > 0)
        text_addf(body, ",\"details\":{\"retryAfterSeconds\":%lld}", (long long)retry_after_s);
    text_addf(body, ",\"code\":%d}", (int)err->code);
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

enum MHD_Result answer_refuse(struct MHD_Connection *connection, const struct error *err,
                              int64_t retry_after_s, bool closes)
{
    struct text body = {0};
    size_t i = find(err->code);
    char seconds[24];

    answer_status(err, retry_after_s, &body);

    struct MHD_Response *response = make("application/json", &body, closes);

    if (i < COUNT(statuses) && statuses[i].header)
        MHD_add_response_header(response, statuses[i].header, statuses[i].value);
    if (retry_after_s > 0) {
        snprintf(seconds, sizeof seconds, "%lld", (long long)retry_after_s);
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    }

    enum MHD_Result queued = MHD_queue_response(connection, (unsigned)err->code, response);

    MHD_destroy_response(response);
    return queued;
}

enum MHD_Result answer_fail(struct MHD_Connection *connection, const struct error *err, bool closes)
{
    return answer_refuse(connection, err, err->code == ERROR_UNAVAILABLE ? 1 : 0, closes);
}
