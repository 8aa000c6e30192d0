#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "controllers/agent_loop.h"
#include "http/answer.h"
#include "http/library.h"

static const struct head_route routes[] = {
    {"/v1/claim", AGENT_CLAIM, MESSAGE_REQUEST_MAX_BYTES},
    {"/v1/progress", AGENT_PROGRESS, MESSAGE_REQUEST_MAX_BYTES},
    {"/v1/report", AGENT_REPORT, MESSAGE_REPORT_MAX_BYTES},
    {"/v1/trigger", AGENT_TRIGGER, MESSAGE_REQUEST_MAX_BYTES},
    {"/v1/stream", AGENT_STREAM, MESSAGE_REQUEST_MAX_BYTES},
    {0},
};

static struct agent_client *client_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void enter(struct agent_client *client, enum connection_phase phase)
{
    connection_enters(&client->loop->connections, &client->tls.watched, phase, clock_mono_ms());
}

/* Called when the request line is here, before it is taken apart. */
void *agent_request_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct agent_client *client = client_of(connection);

    (void)context;
    client->request = (struct agent_request){.uri_length = head_uri_length(uri)};
    /* a pipelined request was read together with the one before it */
    if (atomic_load(&client->tls.watched.phase) == PHASE_IDLE)
        enter(client, PHASE_HEAD);
    return NULL;
}

static bool closes(const struct agent_client *client)
{
    /* who frames in chunks gets one request per connection, so that nothing hides behind it */
    return client->request.head.chunked || client->request.refusal.code ||
           atomic_load(&client->loop->side->draining);
}

static void log_refusal(struct agent_client *client, const struct error *err)
{
    enum log_level level = err->code >= ERROR_INTERNAL ? LOG_WARN : LOG_DEBUG;
    int64_t missed;

    if (log_on(level) && log_passes(&client->loop->log_limit, clock_mono_ms(), &missed))
        log_event(level, "agent refused", LOG_N("status", (int64_t)err->code),
                  LOG_S("error", err->message), LOG_N("unlogged", missed));
}

static enum MHD_Result refuse(struct agent_client *client, const struct error *err,
                              int64_t retry_after_s, bool last)
{
    client->request.answered = true;
    log_refusal(client, err);
    return answer_refuse(client->connection, err, retry_after_s, last);
}

static void free_wiped(void *context)
{
    struct text *text = context;

    text_wipe(text);
    free(text);
}

/* Credentials may be in it: its bytes are wiped once they are sent. */
static enum MHD_Result send_answer(struct agent_client *client, struct text *answer)
{
    struct text *kept = text_alloc(sizeof *kept);

    *kept = *answer;
    *answer = (struct text){0};

    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        kept->length, kept->data, free_wiped, kept);

    if (!response)
        abort();
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (closes(client))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");

    enum MHD_Result queued = MHD_queue_response(client->connection, MHD_HTTP_OK, response);

    MHD_destroy_response(response);
    client->request.answered = true;
    atomic_store(&client->tls.watched.served, true);
    return queued;
}

/* Bytes of a stream that are sent at once. */
#define PIECE_BYTES (32u << 10)

/* Who leads no more sends no more: what is missing then shows that it is not all. */
static ssize_t read_stream(void *context, uint64_t position, char *bytes, size_t room)
{
    struct agent_client *client = context;
    size_t got;

    (void)position;
    if (client->gone || atomic_load(&client->loop->side->draining))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    switch (stream_get(client->request.job->stream, bytes, room, &got)) {
    case STREAM_BYTES:
        agent_loop_sent(client);
        return (ssize_t)got;
    case STREAM_LATER:
        agent_loop_rest(client);
        return 0;
    case STREAM_WHOLE:
        return MHD_CONTENT_READER_END_OF_STREAM;
    default:
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
}

/* Its end is that of the connection: the trailer tells a whole one. */
static enum MHD_Result send_stream(struct agent_client *client)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_stream, client, NULL);

    if (!response)
        abort();
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/octet-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    agent_loop_sent(client);

    enum MHD_Result queued = MHD_queue_response(client->connection, MHD_HTTP_OK, response);

    MHD_destroy_response(response);
    client->request.answered = true;
    atomic_store(&client->tls.watched.served, true);
    return queued;
}

static bool budget_left(struct agent_side *side, uint64_t more)
{
    int64_t used = atomic_load(&side->counts[AGENT_COUNT_BODY_BYTES]);

    return used + (int64_t)more <= (int64_t)AGENT_BODY_BUDGET_BYTES;
}

static bool over_budget(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "too many bytes are being read, try again");
}

/* The whole head is here, nothing of the body was read yet. */
static bool judge(struct agent_client *client, const struct head *asked, struct error *err)
{
    struct agent_request *request = &client->request;
    struct library_lines lines;
    struct head head = *asked;
    const struct library_asked what = {client->connection, request->uri_length,
                                       MESSAGE_REQUEST_MAX_BYTES};

    if (!library_judge(&what, routes, &head, &lines, &request->head, err))
        return false;
    if (atomic_load(&client->loop->side->draining))
        return error_set(err, ERROR_UNAVAILABLE, "not the leader any more");
    return agent_token_find(&head, &request->token, err) &&
           (budget_left(client->loop->side, request->head.length) || over_budget(err));
}

static enum MHD_Result begin(struct agent_client *client, const struct head *head)
{
    struct error err = {.code = ERROR_NONE};

    client->request.begun = true;
    enter(client, PHASE_REQUEST);
    if (judge(client, head, &err))
        return MHD_YES;
    return refuse(client, &err, err.code == ERROR_UNAVAILABLE ? 1 : 0, true);
}

void agent_request_uncount(struct agent_client *client)
{
    agent_count(client->loop->side, AGENT_COUNT_BODY_BYTES, -client->request.counted);
    client->request.counted = 0;
}

/* Once refused, the rest is read and forgotten: libmicrohttpd takes no answer in between. */
static void collect(struct agent_client *client, const char *data, size_t size)
{
    struct agent_request *request = &client->request;
    size_t max = agent_job_body_max((enum agent_call)request->head.endpoint);

    if (request->refusal.code)
        return;
    if (request->body.length + size > max)
        error_set(&request->refusal, ERROR_TOO_LARGE, "the body has more than %zu bytes", max);
    else if (!budget_left(client->loop->side, size))
        over_budget(&request->refusal);
    if (request->refusal.code) {
        text_done(&request->body);
        agent_request_uncount(client);
        return;
    }
    text_add(&request->body, data, size);
    request->counted += (int64_t)size;
    agent_count(client->loop->side, AGENT_COUNT_BODY_BYTES, (int64_t)size);
}

/* The whole body is here. */
static enum MHD_Result finish(struct agent_client *client)
{
    struct agent_request *request = &client->request;

    if (MHD_get_connection_values(client->connection, MHD_FOOTER_KIND, NULL, NULL) > 0 &&
        !request->refusal.code)
        error_set(&request->refusal, ERROR_BAD_REQUEST, "trailers are not supported");
    if (request->refusal.code)
        return refuse(client, &request->refusal, request->refusal.code == ERROR_UNAVAILABLE ? 1 : 0,
                      true);

    struct agent_job *job = agent_job_make((enum agent_call)request->head.endpoint);

    job->token = request->token;
    job->address = agent_place_key(client->place);
    job->body = request->body;
    request->body = (struct text){0};
    job->begun_ms = clock_mono_ms();
    job->owner = client;
    job->wake = client->loop->wake;
    request->job = job;
    agent_loop_hand_over(client);
    return MHD_YES;
}

/* A thread has carried it out; MHD_NO closes the connection. */
static enum MHD_Result answer(struct agent_client *client)
{
    struct agent_job *job = client->request.job;

    if (client->gone)
        return MHD_NO;
    if (job->outcome == AGENT_ANSWERS)
        return send_answer(client, &job->answer);
    if (job->outcome == AGENT_STREAMS)
        return send_stream(client);
    return refuse(client, &job->refusal, job->retry_after_s, closes(client));
}

enum MHD_Result agent_request_handle(void *context, struct MHD_Connection *connection,
                                     const char *url, const char *method, const char *version,
                                     const char *data, size_t *size, void **request_context)
{
    struct agent_client *client = client_of(connection);
    struct head head = {span_of(method), span_of(url), span_of(version), NULL, 0};

    (void)context;
    if (!*request_context) {
        *request_context = &client->request;
        client->connection = connection;
        return begin(client, &head);
    }
    if (*size > 0) {
        collect(client, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (client->request.answered)
        return MHD_YES;
    return client->request.job ? answer(client) : finish(client);
}

static void count_status(struct agent_side *side, int status)
{
    size_t i = 0;

    while (agent_api_status(i) && agent_api_status(i) != status)
        i++;
    agent_count(side, AGENT_COUNT_STATUSES + i, 1);
}

void agent_request_completed(void *context, struct MHD_Connection *connection,
                             void **request_context, enum MHD_RequestTerminationCode code)
{
    struct agent_client *client = client_of(connection);
    struct agent_request *request = &client->request;
    const union MHD_ConnectionInfo *status =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);

    (void)context, (void)request_context, (void)code;
    if (status && status->http_status)
        count_status(client->loop->side, (int)status->http_status);
    agent_request_uncount(client);
    if (request->job)
        client->loop->answering--;
    agent_job_free(request->job);
    text_done(&request->body);
    *request = (struct agent_request){0};
    enter(client, PHASE_IDLE);
}
