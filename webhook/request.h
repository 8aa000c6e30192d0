#pragma once

#include <microhttpd.h>

#include "http/head.h"
#include "webhook/admit.h"

/** One review on its way. A connection has one at a time. {0} between them. */
struct request {
    bool begun;         /* the handler saw its head */
    bool answered;      /* an answer is queued */
    size_t uri_length;  /* as received, with the query */
    int64_t timeout_ms; /* what the API server waits for; 0: unknown */
    int64_t begun_us;   /* when the head was complete */
    struct head_request head;
    struct error refusal; /* code 0: none; answered when the body is over */
    char *body;
    size_t length, room;
};

/** libmicrohttpd's callbacks of the admission address. */
void *request_uri(void *context, const char *uri, struct MHD_Connection *connection);
enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **request_context);
void request_completed(void *context, struct MHD_Connection *connection, void **request_context,
                       enum MHD_RequestTerminationCode code);
