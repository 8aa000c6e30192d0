#include "webhook/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/answer.h"
#include "http/library.h"
#include "webhook/worker.h"

static const struct head_route routes[] = {
    {"/mutate", ADMIT_MUTATE, 0},
    {"/validate", ADMIT_VALIDATE, 0},
    {0},
};

static struct service *service_of(const struct client *client)
{
    return client->worker->service;
}

/* Called when the request line is here, before it is taken apart. */
void *request_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct client *client = client_of(connection);
    const char *query = strchr(uri, '?');

    (void)context;
    client->request = (struct request){
        .uri_length = head_uri_length(uri),
        .timeout_ms = query ? head_timeout_ms(span_of(query + 1)) : 0,
    };
    /* a pipelined request was read together with the one before it */
    if (atomic_load(&client->tls.watched.phase) == PHASE_IDLE)
        connection_enters(client->worker->connections, &client->tls.watched, PHASE_HEAD,
                          clock_mono_ms());
    return NULL;
}

/* What is ours is a warning, what the API server would never send is for those who debug. */
static void log_failure(struct client *client, const struct error *err)
{
    enum log_level level = err->code >= ERROR_INTERNAL ? LOG_WARN : LOG_DEBUG;
    int64_t missed;

    if (log_on(level) && log_passes(&service_of(client)->log_limit, clock_mono_ms(), &missed))
        log_event(level, "request refused", LOG_N("status", (int64_t)err->code),
                  LOG_S("error", err->message), LOG_N("bytes", (int64_t)client->request.length),
                  LOG_N("unlogged", missed));
}

static enum MHD_Result fail(struct client *client, struct MHD_Connection *connection,
                            const struct error *err, bool closes)
{
    client->request.answered = true;
    log_failure(client, err);
    return answer_fail(connection, err, closes || atomic_load(&service_of(client)->leaving));
}

static bool budget_left(struct service *service, uint64_t more)
{
    int64_t used = metrics_get(&service->metrics, METRIC_BODY_BYTES);

    return used + (int64_t)more <= service->body_budget;
}

static bool over_budget(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "too many bytes are being read, try again");
}

/* The whole head is here, nothing of the body was read yet. */
static bool judge(struct client *client, struct MHD_Connection *connection,
                  const struct head *asked, struct error *err)
{
    struct service *service = service_of(client);
    struct library_lines lines;
    struct head head = *asked;
    const struct library_asked what = {connection, client->request.uri_length,
                                       (uint64_t)service->body_max};

    return library_judge(&what, routes, &head, &lines, &client->request.head, err) &&
           (budget_left(service, client->request.head.length) || over_budget(err));
}

static enum MHD_Result begin(struct client *client, struct MHD_Connection *connection,
                             const struct head *head)
{
    struct request *request = &client->request;
    struct error err;

    request->begun = true;
    request->begun_us = clock_mono_us();
    connection_enters(client->worker->connections, &client->tls.watched, PHASE_REQUEST,
                      request->begun_us / 1000);
    if (request->timeout_ms > 0)
        connection_hurries(&client->tls.watched, request->timeout_ms);
    metrics_add(&service_of(client)->metrics, METRIC_IN_FLIGHT, 1);
    return judge(client, connection, head, &err) ? MHD_YES : fail(client, connection, &err, true);
}

static void drop_body(struct service *service, struct request *request)
{
    metrics_add(&service->metrics, METRIC_BODY_BYTES, -(int64_t)request->length);
    free(request->body);
    request->body = NULL;
    request->length = request->room = 0;
}

/* Doubles, so that an announced length costs nothing before its bytes come. */
static void grow(struct request *request, size_t need)
{
    size_t room = request->room ? request->room : 4096;

    if (need <= request->room)
        return;
    while (room < need)
        room *= 2;
    if (!request->head.chunked && room > request->head.length)
        room = (size_t)request->head.length;
    request->body = text_realloc(request->body, room);
    request->room = room;
}

/* Once refused, the rest is read and forgotten: libmicrohttpd takes no answer in between. */
static void collect(struct client *client, const char *data, size_t size)
{
    struct service *service = service_of(client);
    struct request *request = &client->request;

    if (request->refusal.code)
        return;
    if (request->length + size > (uint64_t)service->body_max)
        error_set(&request->refusal, ERROR_TOO_LARGE, "the body has more than %lld bytes",
                  (long long)service->body_max);
    else if (!budget_left(service, size))
        over_budget(&request->refusal);
    if (request->refusal.code) {
        drop_body(service, request);
        return;
    }
    grow(request, request->length + size);
    memcpy(request->body + request->length, data, size);
    request->length += size;
    metrics_add(&service->metrics, METRIC_BODY_BYTES, (int64_t)size);
}

static bool decide(struct client *client, struct admit_answer *answer, struct error *err)
{
    struct service *service = service_of(client);
    struct request *request = &client->request;
    AUTO(cluster) const struct cluster *cluster = state_cluster(service->state);
    AUTO(settings_held)
    const struct settings *settings = settings_store_get(service->settings);

    if (request->refusal.code) {
        *err = request->refusal;
        return false;
    }
    if (request->length == 0)
        return error_set(err, ERROR_BAD_REQUEST, "the body is empty");
    if (!cluster)
        return error_set(err, ERROR_UNAVAILABLE, "what is known of the cluster is not loaded");
    arena_enter(client->worker->arena);

    bool answered = admit(settings, cluster, request->head.endpoint,
                          (struct span){request->body, request->length}, answer, err);

    arena_leave();
    return answered;
}

static void tell(struct client *client, const struct admit_answer *answer)
{
    struct service *service = service_of(client);
    struct request *request = &client->request;
    int64_t now_us = clock_mono_us(), duration_us = now_us - request->begun_us, missed;
    bool acted = strcmp(answer->outcome, "patched") == 0 || strcmp(answer->outcome, "refused") == 0;
    enum log_level level = acted ? LOG_INFO : LOG_DEBUG;

    metrics_review(&service->metrics, request->head.endpoint, answer, duration_us);
    if (log_on(level) && log_passes(&service->log_limit, now_us / 1000, &missed))
        log_event(level, "review", LOG_S("uid", answer->uid), LOG_S("kind", answer->kind),
                  LOG_S("operation", answer->operation), LOG_S("outcome", answer->outcome),
                  LOG_S("reason", answer->reason), LOG_N("bytes", (int64_t)request->length),
                  LOG_N("us", duration_us), LOG_N("unlogged", missed));
}

static enum MHD_Result finish(struct client *client, struct MHD_Connection *connection)
{
    struct request *request = &client->request;
    AUTO(admit_answer) struct admit_answer answer = {0};
    bool trailers = MHD_get_connection_values(connection, MHD_FOOTER_KIND, NULL, NULL) > 0;
    /* who frames in chunks gets one request per connection, so that nothing hides behind it */
    bool closes = request->head.chunked || request->refusal.code;
    struct error err;

    if (trailers && !request->refusal.code)
        error_set(&request->refusal, ERROR_BAD_REQUEST, "trailers are not supported");
    if (!decide(client, &answer, &err))
        return fail(client, connection, &err, closes);
    request->answered = true;
    tell(client, &answer);
    atomic_store(&client->tls.watched.served, true);
    return answer_send(connection, MHD_HTTP_OK, "application/json", &answer.body,
                       closes || atomic_load(&service_of(client)->leaving));
}

enum MHD_Result request_handle(void *context, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **request_context)
{
    struct client *client = client_of(connection);
    struct head head = {span_of(method), span_of(url), span_of(version), NULL, 0};

    (void)context;
    if (!*request_context) {
        *request_context = &client->request;
        return begin(client, connection, &head);
    }
    if (*size > 0) {
        collect(client, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return client->request.answered ? MHD_YES : finish(client, connection);
}

void request_completed(void *context, struct MHD_Connection *connection, void **request_context,
                       enum MHD_RequestTerminationCode code)
{
    struct client *client = client_of(connection);
    struct service *service = service_of(client);
    struct request *request = &client->request;
    const union MHD_ConnectionInfo *status =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);

    (void)context, (void)request_context;
    if (status)
        metrics_status(&service->metrics, status->http_status);
    if (request->begun)
        metrics_add(&service->metrics, METRIC_IN_FLIGHT, -1);
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK && !status)
        metrics_add(&service->metrics, METRIC_ABORTED, 1);
    drop_body(service, request);
    *request = (struct request){0};
    connection_enters(client->worker->connections, &client->tls.watched, PHASE_IDLE,
                      clock_mono_ms());
}
