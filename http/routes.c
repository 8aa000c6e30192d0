#include "http/routes.h"

#include <string.h>

#include "http/answer.h"

enum MHD_Result http_routes_answer(const struct http_route *routes, void *context,
                                   struct MHD_Connection *connection, const char *url,
                                   const char *method)
{
    struct text body = {0};
    struct error err;

    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        error_set(&err, ERROR_METHOD, "only GET is answered here");
        return answer_fail(connection, &err, true);
    }
    for (const struct http_route *route = routes; route->path; route++) {
        if (strcmp(url, route->path) != 0)
            continue;

        unsigned status = route->answer(context, &body);

        return answer_send(connection, status, route->type, &body, true);
    }
    error_set(&err, ERROR_NOT_FOUND, "nothing is here; try /livez, /readyz or /metrics");
    return answer_fail(connection, &err, true);
}

bool http_check(struct text *text, const char *name, bool good, const char *why)
{
    if (text && good)
        text_addf(text, "[+]%s ok\n", name);
    if (text && !good)
        text_addf(text, "[-]%s: %s\n", name, why);
    return good;
}
