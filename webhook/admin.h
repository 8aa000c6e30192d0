#pragma once

#include <microhttpd.h>

/** libmicrohttpd's callback of the admin address: GET /livez, /readyz, /metrics. */
enum MHD_Result admin_handle(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **request_context);
