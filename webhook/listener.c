#include "webhook/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"

/* Connections that are accepted before the other work gets its turn. */
#define ACCEPT_AT_ONCE 64

static bool start_workers(struct listener *listener, size_t count, struct error *err)
{
    listener->workers = text_alloc(count * sizeof *listener->workers);
    while (listener->worker_count < count)
        if (!worker_start(&listener->workers[listener->worker_count++], listener->kind,
                          listener->service, &listener->connections, err))
            return false;
    return true;
}

bool listener_start(struct listener *listener, const struct listener_plan *plan,
                    struct service *service, struct error *err)
{
    static const char *const purposes[] = {"admission", "admin"};
    struct address address = plan->address;
    char text[ADDRESS_TEXT_BYTES];

    *listener = (struct listener){
        .kind = plan->kind,
        .fd = address_listen(&address, err),
        .service = service,
        .connections_max = plan->connections_max,
    };
    connections_init(&listener->connections, &plan->times);
    if (listener->fd < 0 || !start_workers(listener, plan->workers, err))
        return false;
    address_format(&address, text);
    log_info("listening", LOG_S("address", text), LOG_S("for", purposes[plan->kind]));
    return true;
}

static struct worker *least_busy(struct listener *listener)
{
    struct worker *best = listener->workers;

    for (size_t i = 1; i < listener->worker_count; i++)
        if (atomic_load(&listener->workers[i].count) < atomic_load(&best->count))
            best = &listener->workers[i];
    return best;
}

static void turn_away(struct listener *listener, int fd)
{
    close(fd);
    metrics_add(&listener->service->metrics, METRIC_TURNED_AWAY, 1);
}

static bool can_speak(const struct listener *listener)
{
    if (listener->kind != WORKER_ADMISSION)
        return true;

    AUTO(credentials) struct credentials *credentials = certs_store_get(listener->service->certs);

    return credentials;
}

static void welcome(struct listener *listener, int fd)
{
    struct metrics *metrics = &listener->service->metrics;
    bool full = listener_count(listener) >= listener->connections_max;

    if (!can_speak(listener) ||
        (full && !connections_make_room(&listener->connections, clock_mono_ms()))) {
        turn_away(listener, fd);
        return;
    }
    if (full)
        metrics_add(metrics, METRIC_EVICTED, 1);
    if (listener->kind == WORKER_ADMISSION)
        metrics_add(metrics, METRIC_CONNECTIONS, 1);
    worker_hand_over(least_busy(listener), fd);
}

/* Waiting on the socket would be a busy loop: somebody must go, and the next look is later. */
static void run_out(struct listener *listener)
{
    listener->exhausted = true;
    if (connections_make_room(&listener->connections, clock_mono_ms()))
        metrics_add(&listener->service->metrics, METRIC_EVICTED, 1);
}

void listener_accept(struct listener *listener)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            welcome(listener, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            run_out(listener);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

int listener_waits_on(const struct listener *listener)
{
    return listener->exhausted ? -1 : listener->fd;
}

void listener_watch(struct listener *listener, int64_t now_ms)
{
    static const enum metric metrics[] = {
        [PHASE_HANDSHAKE] = METRIC_CUT_HANDSHAKE, [PHASE_IDLE] = METRIC_CUT_IDLE,
        [PHASE_HEAD] = METRIC_CUT_HEAD,           [PHASE_REQUEST] = METRIC_CUT_REQUEST,
        [PHASE_WAIT] = METRIC_CUT_REQUEST, /* nothing waits here */
    };
    struct connections_cut cut = {0};

    listener->exhausted = false;
    connections_cut_late(&listener->connections, now_ms, &cut);
    for (size_t i = 0; i < PHASE_CUT; i++)
        if (cut.by_phase[i])
            metrics_add(&listener->service->metrics, metrics[i], (int64_t)cut.by_phase[i]);
    if (connections_stuck(&listener->connections, now_ms, THREAD_STUCK_MS) > 0)
        atomic_store(&listener->service->stuck, true);
}

size_t listener_count(const struct listener *listener)
{
    size_t count = 0;

    for (size_t i = 0; i < listener->worker_count; i++)
        count += atomic_load(&listener->workers[i].count);
    return count;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0)
        return;
    listener_accept(listener);
    close(listener->fd);
    listener->fd = -1;
}

void listener_stop(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    for (size_t i = 0; i < listener->worker_count; i++)
        worker_stop(&listener->workers[i]);
    free(listener->workers);
    connections_done(&listener->connections);
    *listener = (struct listener){.fd = -1};
}
