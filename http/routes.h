#pragma once

#include <microhttpd.h>
#include <stdbool.h>

#include "base/text.h"

/** One thing that can be asked of an admin address. A table of them ends with a path of NULL. */
struct http_route {
    const char *path, *type; /* "/metrics", and the content type of its answer */

    /** Appends the body and gives the HTTP status. Any thread. */
    unsigned (*answer)(void *context, struct text *body);
};

/** What readers of metrics ask for. Spec: Prometheus text exposition 0.0.4. */
#define HTTP_TYPE_METRICS "text/plain; version=0.0.4; charset=utf-8"
#define HTTP_TYPE_TEXT "text/plain; charset=utf-8"

/** Answers GET and HEAD of what is in the table, and says what is there otherwise. Every answer
 *  closes its connection. */
enum MHD_Result http_routes_answer(const struct http_route *routes, void *context,
                                   struct MHD_Connection *connection, const char *url,
                                   const char *method);

/** Appends a line to what probes are told, "[+]name ok" or "[-]name: why not"; `text` may be NULL.
 *  Gives back `good`. Pure. */
bool http_check(struct text *text, const char *name, bool good, const char *why);
