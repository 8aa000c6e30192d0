#include "webhook/admin.h"

#include <string.h>

#include "base/clock.h"
#include "webhook/answer.h"
#include "webhook/worker.h"

static unsigned livez(struct service *service, struct text *body)
{
    bool stuck = atomic_load(&service->stuck);

    text_puts(body, stuck ? "a thread that answers hangs\n" : "ok\n");
    return stuck ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
}

static unsigned readyz(struct service *service, struct text *body)
{
    bool ready = service_ready(service, clock_now_s(), body);

    text_puts(body, ready ? "ready\n" : "not ready\n");
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned metrics(struct service *service, struct text *body)
{
    service_metrics(service, clock_now_s(), body);
    return MHD_HTTP_OK;
}

static const struct {
    const char *path, *type;
    unsigned (*answer)(struct service *service, struct text *body);
} routes[] = {
    {"/livez", "text/plain; charset=utf-8", livez},
    {"/readyz", "text/plain; charset=utf-8", readyz},
    {"/metrics", "text/plain; version=0.0.4; charset=utf-8", metrics},
};

enum MHD_Result admin_handle(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **request_context)
{
    struct service *service = ((struct worker *)context)->service;
    struct text body = {0};
    struct error err;

    (void)version, (void)data, (void)size, (void)request_context;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        error_set(&err, ERROR_METHOD, "only GET is answered here");
        return answer_fail(connection, &err, true);
    }
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(url, routes[i].path) != 0)
            continue;

        unsigned status = routes[i].answer(service, &body);

        return answer_send(connection, status, routes[i].type, &body, true);
    }
    error_set(&err, ERROR_NOT_FOUND, "nothing is here; try /livez, /readyz or /metrics");
    return answer_fail(connection, &err, true);
}
