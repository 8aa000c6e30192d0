#include "kube/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/wait.h"
#include "kube/retry.h"
#include "kube/transfer.h"

/* Life of a client. */

static struct kube_client_limits filled(const struct kube_client_limits *limits)
{
    struct kube_client_limits all = limits ? *limits : (struct kube_client_limits){0};

    all.rate = all.rate > 0 ? all.rate : KUBE_RATE;
    all.burst = all.burst >= 1 ? all.burst : KUBE_BURST;
    all.reads_burst = all.reads_burst >= 1 ? all.reads_burst : 2 * all.reads;
    all.concurrent = all.concurrent > 0 ? all.concurrent : KUBE_CONCURRENT;
    all.look_ms = all.look_ms > 0 ? all.look_ms : KUBE_LOOK_MS;
    all.second_ms = all.second_ms > 0 ? all.second_ms : 1000;
    return all;
}

static void release(struct kube_client *client)
{
    if (client->multi)
        curl_multi_cleanup(client->multi);
    access_free(client->access);
    kube_config_done(&client->config);
    if (client->cancel_fd >= 0)
        close(client->cancel_fd);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client->user_agent);
    free(client);
    curl_global_cleanup();
}

static void prepare(struct kube_client *client)
{
    int64_t now_us = clock_mono_us();

    pthread_mutex_init(&client->mutex, NULL);
    wait_prepare(&client->changed);
    client->rate = rate_make(client->limits.rate, client->limits.burst, clock_mono_ms());
    if (client->limits.reads > 0)
        client->reads =
            rate_make(client->limits.reads, client->limits.reads_burst, clock_mono_ms());
    memcpy(client->seed, &now_us, sizeof client->seed);
}

static bool begin(struct kube_client *client, struct error *err)
{
    if (!kube_server_check(client->config.server, err))
        return false;
    client->access = access_make(&client->config, client->limits.look_ms, err);
    if (!client->access)
        return false;
    client->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    client->multi = curl_multi_init();
    if (client->cancel_fd < 0 || !client->multi)
        return error_set(err, ERROR_INTERNAL, "no descriptors left");
    if (pthread_create(&client->thread, NULL, client_loop, client) != 0)
        return error_set(err, ERROR_INTERNAL, "no threads left");
    if (client->config.insecure)
        log_warn("the certificate of the API server is not verified",
                 LOG_S("server", client->config.server));
    return true;
}

struct kube_client *kube_client_start(const struct kube_config *config,
                                      const struct kube_client_limits *limits, struct error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(err, ERROR_INTERNAL, "libcurl does not start");
        return NULL;
    }

    struct kube_client *client = text_alloc(sizeof *client);

    client->cancel_fd = -1;
    kube_config_copy(config, &client->config);
    client->limits = filled(limits);
    client->user_agent = text_format("%s", client->limits.user_agent ? client->limits.user_agent
                                                                     : "granary/" GRANARY_VERSION);
    prepare(client);
    if (begin(client, err))
        return client;
    release(client);
    return NULL;
}

void kube_client_pace(struct kube_client *client, double per_s)
{
    pthread_mutex_lock(&client->mutex);
    rate_pace(&client->rate, per_s, 2 * per_s, clock_mono_ms());
    pthread_mutex_unlock(&client->mutex);
}

void kube_client_cancel(struct kube_client *client)
{
    atomic_store(&client->cancelled, true);
    wait_raise(client->cancel_fd);
    curl_multi_wakeup(client->multi);
}

void kube_client_stop(struct kube_client *client)
{
    if (!client)
        return;
    kube_client_cancel(client);
    pthread_mutex_lock(&client->mutex);
    while (client->inside > 0)
        pthread_cond_wait(&client->changed, &client->mutex);
    client->stopping = true;
    pthread_mutex_unlock(&client->mutex);
    curl_multi_wakeup(client->multi);
    pthread_join(client->thread, NULL);
    release(client);
}

struct kube_client_facts kube_client_look(struct kube_client *client)
{
    pthread_mutex_lock(&client->mutex);

    struct kube_client_facts facts = client->facts;

    pthread_mutex_unlock(&client->mutex);
    return facts;
}

/* One call. */

/* A request with its repetitions. */
struct call {
    struct kube_client *client;
    const struct kube_request *request;
    int64_t until_ms;
    int attempt;
    bool stream, anew; /* sent again with new credentials already */
    bool doubtful;     /* as in the answer */
    struct access_view view;
};

static bool stopped(struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, KUBE_STOPPED);
}

static bool late(const struct call *call, const char *what, struct error *err)
{
    return error_set(err, ERROR_TIMEOUT, "%s %.*s: %s", call->request->method,
                     (int)strcspn(call->request->path, "?"), call->request->path, what);
}

/* Waits, but not beyond a cancel. With the mutex. */
static bool rest(struct kube_client *client, int64_t until_ms)
{
    while (!client->ended && clock_mono_ms() < until_ms)
        client_wait(client, &client->changed, until_ms);
    return !client->ended;
}

static struct rate *rate_of(const struct call *call)
{
    struct kube_client *client = call->client;
    bool reads = strcmp(call->request->method, "GET") == 0;

    return reads && client->limits.reads > 0 ? &client->reads : &client->rate;
}

/* A token of the rate limit, then a place among those under way. With the mutex. */
static bool take_place(struct call *call, struct error *err)
{
    struct kube_client *client = call->client;
    int64_t now_ms = clock_mono_ms(),
            wait_ms = rate_take(rate_of(call), now_ms, call->until_ms - now_ms);

    if (wait_ms < 0)
        return late(call, "too many requests of our own before it", err);
    client->facts.throttled_ms += wait_ms;
    if (!rest(client, now_ms + wait_ms))
        return stopped(err);
    while (client->under_way >= client->limits.concurrent && !client->ended)
        if (!client_wait(client, &client->changed, call->until_ms))
            return late(call, "too many requests of our own under way", err);
    if (client->ended)
        return stopped(err);
    client->under_way++;
    return true;
}

static bool enter(struct call *call, struct error *err)
{
    struct kube_client *client = call->client;
    bool entered = true;

    if (call->stream)
        return true;
    pthread_mutex_lock(&client->mutex);
    entered = take_place(call, err);
    pthread_mutex_unlock(&client->mutex);
    return entered;
}

static void leave(const struct call *call)
{
    if (call->stream)
        return;
    pthread_mutex_lock(&call->client->mutex);
    call->client->under_way--;
    pthread_cond_broadcast(&call->client->changed);
    pthread_mutex_unlock(&call->client->mutex);
}

/* Waits until it is done; of a stream that is good: until it has begun. False past the deadline. */
static bool wait_for(const struct call *call, struct transfer *transfer)
{
    struct kube_client *client = call->client;
    bool ready = false, on_time = true;

    pthread_mutex_lock(&client->mutex);
    while (!ready && on_time) {
        ready = transfer->done || (call->stream && transfer->begun && transfer->status <= 299);
        on_time = ready || client_wait(client, &transfer->changed, call->until_ms);
    }
    pthread_mutex_unlock(&client->mutex);
    return ready;
}

static enum retry_end end_of(const struct transfer *transfer)
{
    bool good = transfer->status >= 200 && transfer->status <= 299;

    if (transfer->status && (!good || transfer->result == CURLE_OK || transfer->too_large))
        return RETRY_ANSWERED;
    return transfer->connected ? RETRY_BROKEN : RETRY_NOT_REACHED;
}

/* Sends it once. NULL past the deadline or when stopped. */
static struct transfer *attempt(struct call *call, struct error *err)
{
    struct access_view view = {.header =
                                   call->view.header ? text_format("%s", call->view.header) : NULL,
                               .pool = pool_ref(call->view.pool),
                               .number = call->view.number};
    AUTO(transfer)
    struct transfer *transfer = transfer_make(call->client, call->request, &view, call->stream);

    if (!transfer_start(transfer)) {
        stopped(err);
        return NULL;
    }
    if (wait_for(call, transfer))
        return TAKE(transfer);
    call->doubtful = true;
    atomic_store(&transfer->unwanted, true);
    transfer_wake(transfer);
    /* a connection that does not answer may be dead: the next call does not wait for it too */
    access_renew(call->client->access, &call->view);
    late(call, "no answer in time", err);
    return NULL;
}

/* Once with the token or the certificates read anew, when they are others (CR3, CR5). */
static bool try_anew(struct call *call, const struct transfer *transfer)
{
    struct access_wait wait = {call->until_ms, call->client->cancel_fd};
    AUTO(access_view) struct access_view view = {0};
    struct error ignored = {0};

    if (call->anew ||
        (transfer->status != 401 && transfer->result != CURLE_PEER_FAILED_VERIFICATION))
        return false;
    access_doubt(call->client->access, &call->view);
    if (!access_get(call->client->access, &wait, &view, &ignored) ||
        view.number == call->view.number)
        return false;
    access_view_done(&call->view);
    call->view = view;
    view = (struct access_view){0};
    call->anew = true;
    return true;
}

/* Whether what failed is sent again, after the pause that this takes. */
static bool again(struct call *call, const struct transfer *transfer)
{
    struct kube_client *client = call->client;
    struct retry_case over = {.method = call->request->method,
                              .end = end_of(transfer),
                              .status = transfer->status,
                              .retry_after_s = transfer->retry_after_s,
                              .attempt = call->attempt};

    call->doubtful |= over.end == RETRY_BROKEN || over.status >= 500;
    if (try_anew(call, transfer))
        return true;
    pthread_mutex_lock(&client->mutex);
    over.chance = erand48(client->seed);

    int64_t pause_ms = retry_next(&over), now_ms = clock_mono_ms();

    if (pause_ms >= 0)
        pause_ms = pause_ms * client->limits.second_ms / 1000;

    bool again =
        pause_ms >= 0 && now_ms + pause_ms < call->until_ms && rest(client, now_ms + pause_ms);

    client->facts.repeated += again;
    pthread_mutex_unlock(&client->mutex);
    return again;
}

/* A stream goes on meanwhile, so it may end just now. */
static bool is_good(struct transfer *transfer)
{
    pthread_mutex_lock(&transfer->client->mutex);

    bool good = transfer->status >= 200 && transfer->status <= 299 &&
                (!transfer->done || transfer->result == CURLE_OK);

    pthread_mutex_unlock(&transfer->client->mutex);
    return good;
}

/* Whoever is not the leader any more changes nothing; whoever still is has an answer by the time
 * that another may lead. */
static bool pass_fence(struct call *call, struct error *err)
{
    const struct kube_fence *fence = call->client->limits.fence;

    if (!fence || strcmp(call->request->method, "GET") == 0)
        return true;

    int64_t left_ms = fence->left_ms(fence->context), now_ms = clock_mono_ms();

    if (left_ms <= 0)
        return error_set(err, ERROR_UNAVAILABLE, "%s %.*s: not the leader", call->request->method,
                         (int)strcspn(call->request->path, "?"), call->request->path);
    if (call->until_ms > now_ms + left_ms)
        call->until_ms = now_ms + left_ms;
    return true;
}

/* The last attempt, for its answer to be read; NULL and err when there is none. */
static struct transfer *send_request(struct call *call, struct error *err)
{
    struct access_wait wait = {call->until_ms, call->client->cancel_fd};

    if (!access_get(call->client->access, &wait, &call->view, err))
        return NULL;
    for (call->attempt = 1;; call->attempt++) {
        if (!enter(call, err))
            return NULL;

        AUTO(transfer)
        struct transfer *transfer = pass_fence(call, err) ? attempt(call, err) : NULL;

        leave(call);
        if (!transfer || is_good(transfer) || !again(call, transfer))
            return TAKE(transfer);
    }
}

static bool come_in(struct kube_client *client, bool stream, struct error *err)
{
    pthread_mutex_lock(&client->mutex);

    bool in = !client->ended && !atomic_load(&client->cancelled);

    if (in) {
        client->inside++;
        client->facts.calls += !stream;
        client->facts.streams += stream;
    }
    pthread_mutex_unlock(&client->mutex);
    return in ? true : stopped(err);
}

static void go_out(struct kube_client *client, bool failed)
{
    pthread_mutex_lock(&client->mutex);
    client->inside--;
    client->facts.failures += failed;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

bool client_come_in(struct kube_client *client, struct error *err)
{
    return come_in(client, true, err);
}

void client_go_out(struct kube_client *client, bool failed)
{
    go_out(client, failed);
}

static struct call call_of(struct kube_client *client, const struct kube_request *request,
                           bool stream)
{
    int64_t timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : KUBE_TIMEOUT_MS;

    return (struct call){.client = client,
                         .request = request,
                         .until_ms = clock_mono_ms() + timeout_ms,
                         .stream = stream};
}

/* False of one that was never sent, got no answer, or a bad one. */
static bool answered(struct transfer *transfer, const struct kube_request *request,
                     struct kube_answer *answer, struct error *err)
{
    if (!transfer)
        return false;
    return transfer->status ? transfer_answer(transfer, request, answer, err)
                            : transfer_failure(transfer, request, err);
}

bool kube_call(struct kube_client *client, const struct kube_request *request,
               struct kube_answer *answer, struct error *err)
{
    struct call call = call_of(client, request, false);

    if (!request_check(request, err) || !come_in(client, false, err))
        return false;

    struct transfer *transfer = send_request(&call, err);
    bool good = answered(transfer, request, answer, err);

    answer->doubtful = call.doubtful;
    transfer_unref(transfer);
    access_view_done(&call.view);
    go_out(client, !good);
    return good;
}

/* Streams. */

struct kube_stream {
    struct transfer *transfer;
    char *path;
};

struct kube_stream *kube_stream_open(struct kube_client *client, const struct kube_request *request,
                                     struct kube_answer *answer, struct error *err)
{
    struct call call = call_of(client, request, true);

    if (!request_check(request, err) || !come_in(client, true, err))
        return NULL;

    struct transfer *transfer = send_request(&call, err);
    bool good = answered(transfer, request, answer, err);

    access_view_done(&call.view);
    if (!good) {
        if (transfer)
            atomic_store(&transfer->unwanted, true);
        transfer_unref(transfer);
        curl_multi_wakeup(client->multi);
        go_out(client, true);
        return NULL;
    }

    struct kube_stream *stream = text_alloc(sizeof *stream);

    stream->transfer = transfer;
    stream->path = text_format("%.*s", (int)strcspn(request->path, "?"), request->path);
    return stream;
}

/* With the mutex. */
static enum kube_read take_received(struct transfer *transfer, struct text *out)
{
    text_add(out, transfer->received.data, transfer->received.length);
    transfer->received.length = 0;
    if (transfer->paused) {
        transfer->paused = false;
        atomic_store(&transfer->resume, true);
        transfer_wake(transfer);
    }
    return KUBE_DATA;
}

enum kube_read kube_stream_read(struct kube_stream *stream, struct text *out, int64_t quiet_ms,
                                struct error *err)
{
    struct transfer *transfer = stream->transfer;
    struct kube_client *client = transfer->client;
    struct kube_request request = {.method = "GET", .path = stream->path};
    int64_t until_ms = clock_mono_ms() + quiet_ms;
    enum kube_read led_to = KUBE_QUIET;

    pthread_mutex_lock(&client->mutex);
    while (!transfer->received.length && !transfer->done)
        if (!client_wait(client, &transfer->changed, until_ms))
            break;
    if (transfer->done && (transfer->result == CURLE_ABORTED_BY_CALLBACK))
        led_to = KUBE_BROKEN;
    else if (transfer->received.length)
        led_to = take_received(transfer, out);
    else if (transfer->done)
        led_to = transfer->result == CURLE_OK ? KUBE_END : KUBE_BROKEN;
    pthread_mutex_unlock(&client->mutex);
    if (led_to == KUBE_BROKEN)
        transfer_failure(transfer, &request, err);
    return led_to;
}

void kube_stream_close(struct kube_stream *stream)
{
    if (!stream)
        return;

    struct kube_client *client = stream->transfer->client;

    atomic_store(&stream->transfer->unwanted, true);
    transfer_wake(stream->transfer);
    transfer_unref(stream->transfer);
    free(stream->path);
    free(stream);
    go_out(client, false);
}
