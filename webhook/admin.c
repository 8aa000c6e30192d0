#include "webhook/admin.h"

#include "base/clock.h"
#include "http/routes.h"
#include "webhook/worker.h"

static unsigned livez(void *context, struct text *body)
{
    struct service *service = context;
    bool stuck = atomic_load(&service->stuck);

    text_puts(body, stuck ? "a thread that answers hangs\n" : "ok\n");
    return stuck ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
}

static unsigned readyz(void *context, struct text *body)
{
    bool ready = service_ready(context, clock_now_s(), body);

    text_puts(body, ready ? "ready\n" : "not ready\n");
    return ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
}

static unsigned metrics(void *context, struct text *body)
{
    service_metrics(context, clock_now_s(), body);
    return MHD_HTTP_OK;
}

static const struct http_route routes[] = {
    {"/livez", HTTP_TYPE_TEXT, livez},
    {"/readyz", HTTP_TYPE_TEXT, readyz},
    {"/metrics", HTTP_TYPE_METRICS, metrics},
    {0},
};

enum MHD_Result admin_handle(void *context, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **request_context)
{
    struct worker *worker = context;

    (void)version, (void)data, (void)size, (void)request_context;
    return http_routes_answer(routes, worker->service, connection, url, method);
}
