#include "controllers/agent_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/stream_frame.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/library.h"

/* A stream that says nothing for so long says that it is still there. */
#define BEAT_MS 10000

/* Between two looks at deadlines and at who waited long enough. */
#define TICK_MS 250

/* Connections that are accepted before the others get their turn: what was accepted is greeted at
 * once, and nobody's handshake ages behind thousands of others. */
#define ACCEPT_AT_ONCE 16

/* Ends that are looked at in one turn. */
#define GONE_AT_ONCE 256

/* Those who wait. */

static void begin_to_wait(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    loop->asleep |= client->request.job->wakes != atomic_load(&loop->side->wakes);
    client->previous = NULL;
    client->next = loop->waiting;
    if (loop->waiting)
        loop->waiting->previous = client;
    loop->waiting = client;
    agent_count(loop->side, AGENT_COUNT_WAITING, 1);
    atomic_store(&client->tls.watched.served, true);
}

static void end_to_wait(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    *(client->previous ? &client->previous->next : &loop->waiting) = client->next;
    if (client->next)
        client->next->previous = client->previous;
    client->next = client->previous = NULL;
    agent_count(loop->side, AGENT_COUNT_WAITING, -1);
}

/* libmicrohttpd does not see the end of a connection that it looks away from. */
static void watch_end(struct agent_client *client)
{
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLET, .data.ptr = client};

    (void)epoll_ctl(client->loop->gone, EPOLL_CTL_ADD, client->tls.watched.fd, &event);
}

void agent_loop_hand_over(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    connection_enters(&loop->connections, &client->tls.watched, PHASE_WAIT, clock_mono_ms());
    MHD_suspend_connection(client->connection);
    client->request.suspended = true;
    loop->suspended++;
    watch_end(client);
    agent_jobs_add(loop->jobs, client->request.job);
}

/* Its answer goes, or its connection. */
static void resume(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    (void)epoll_ctl(loop->gone, EPOLL_CTL_DEL, client->tls.watched.fd, NULL);
    if (client->gone)
        agent_count(loop->side, AGENT_COUNT_GONE, 1);
    client->request.suspended = false;
    loop->suspended--;
    loop->answering++;
    connection_enters(&loop->connections, &client->tls.watched, PHASE_REQUEST, clock_mono_ms());
    MHD_resume_connection(client->connection);
}

/* Streams. */

void agent_loop_sent(struct agent_client *client)
{
    client->sent_ms = clock_mono_ms();
    connection_enters(&client->loop->connections, &client->tls.watched, PHASE_WAIT,
                      client->sent_ms);
}

void agent_loop_rest(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    MHD_suspend_connection(client->connection);
    client->request.suspended = true;
    loop->suspended++;
    watch_end(client);
    client->next_resting = loop->resting;
    loop->resting = client;
}

static void go_on(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;

    (void)epoll_ctl(loop->gone, EPOLL_CTL_DEL, client->tls.watched.fd, NULL);
    client->request.suspended = false;
    loop->suspended--;
    MHD_resume_connection(client->connection);
}

/* Those of whose stream there is more, or who get no more of it. */
static void end_rests(struct agent_loop *loop)
{
    bool draining = atomic_load(&loop->side->draining);

    for (struct agent_client **at = &loop->resting; *at;) {
        struct agent_client *client = *at;

        if (!draining && !client->gone && !stream_has(client->request.job->stream)) {
            at = &client->next_resting;
            continue;
        }
        *at = client->next_resting;
        go_on(client);
    }
}

static void beat(struct agent_loop *loop, int64_t now_ms)
{
    AUTO(text) struct text frame = {0};

    stream_write_beat(&frame);
    for (struct agent_client *client = loop->resting; client; client = client->next_resting)
        if (now_ms - client->sent_ms >= BEAT_MS)
            stream_beat(client->request.job->stream, (struct span){text_get(&frame), frame.length});
}

static void take_done(struct agent_loop *loop)
{
    struct agent_job *next;

    for (struct agent_job *job = agent_jobs_done(loop->jobs); job; job = next) {
        struct agent_client *client = job->owner;

        next = job->next;
        agent_request_uncount(client);
        if (job->outcome == AGENT_WAITS && loop->drained)
            agent_job_refuse(job, "not the leader any more");
        if (job->outcome == AGENT_WAITS && !client->gone)
            begin_to_wait(client);
        else
            resume(client);
    }
}

static void find_gone(struct agent_loop *loop)
{
    struct epoll_event events[GONE_AT_ONCE];
    int count = epoll_wait(loop->gone, events, GONE_AT_ONCE, 0);

    for (int i = 0; i < count; i++) {
        struct agent_client *client = events[i].data.ptr;
        bool waits = client == loop->waiting || client->previous;

        client->gone = true;
        if (!waits)
            continue;
        end_to_wait(client);
        resume(client);
    }
}

/* Who waits is asked for once more, but for those whom a thread asked since. */
static void wake_all(struct agent_loop *loop, int64_t now_ms)
{
    uint64_t wakes = atomic_load(&loop->side->wakes);
    struct agent_client *next;

    if ((wakes == loop->woken && !loop->asleep) || now_ms - loop->woken_ms < AGENT_WAKE_MS)
        return;
    loop->woken = wakes;
    loop->asleep = false;
    loop->woken_ms = now_ms;
    for (struct agent_client *client = loop->waiting; client; client = next) {
        next = client->next;
        if (client->request.job->wakes == wakes)
            continue;
        end_to_wait(client);
        agent_jobs_add(loop->jobs, client->request.job);
    }
}

static void end_waits(struct agent_loop *loop, int64_t now_ms)
{
    bool draining = atomic_load(&loop->side->draining);
    struct agent_client *next;

    for (struct agent_client *client = loop->waiting; client; client = next) {
        struct agent_job *job = client->request.job;

        next = client->next;
        if (!draining && now_ms < job->wait_until_ms)
            continue;
        if (draining)
            agent_job_refuse(job, "not the leader any more");
        else
            agent_job_nothing(job);
        end_to_wait(client);
        resume(client);
    }
    loop->drained = draining;
}

/* Connections. */

static void client_free(struct agent_client *client)
{
    struct agent_loop *loop = client->loop;
    bool cut = atomic_load(&client->tls.watched.phase) == PHASE_CUT;

    connections_leave(&loop->connections, &client->tls.watched);
    if (client->tls.heard && !client->tls.agreed && !cut)
        agent_count(loop->side, AGENT_COUNT_HANDSHAKES_BAD, 1);
    agent_count(loop->side, AGENT_COUNT_CONNECTIONS, -1);
    agent_places_leave(loop->places, client->place);
    credentials_unref(client->credentials);
    free(client);
}

static void notify_connection(void *context, struct MHD_Connection *connection,
                              void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct agent_loop *loop = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        client_free(TAKE(*socket_context));
        return;
    }

    struct agent_client *client = TAKE(loop->beginning);

    credentials_use(
        client->credentials,
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session);
    http_tls_follow(&client->tls, connection);
    client->connection = connection;
    *socket_context = client;
}

/* A node that lost its power says nothing more: its connections end within minutes. */
static void keep_alive(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},
        {IPPROTO_TCP, TCP_KEEPINTVL, 20},
        {IPPROTO_TCP, TCP_KEEPCNT, 3},
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void begin(struct agent_loop *loop, int fd, struct agent_place *place,
                  struct credentials *credentials)
{
    /* nobody asks for the address; it only has to be one of a network */
    struct sockaddr_in nobody = {.sin_family = AF_INET};
    struct agent_client *client = text_alloc(sizeof *client);

    *client = (struct agent_client){
        .tls = {.all = &loop->connections, .watched.fd = fd},
        .loop = loop,
        .place = place,
        .credentials = credentials,
    };
    keep_alive(fd);
    connections_enter(&loop->connections, &client->tls.watched, PHASE_HANDSHAKE, clock_mono_ms());
    agent_count(loop->side, AGENT_COUNT_CONNECTIONS, 1);
    agent_count(loop->side, AGENT_COUNT_ACCEPTED, 1);
    loop->beginning = client;
    /* it closes the socket itself when it fails; then the client may have begun and ended already
     */
    if (MHD_add_connection(loop->daemon, fd, (struct sockaddr *)&nobody, sizeof nobody) !=
            MHD_YES &&
        loop->beginning)
        client_free(TAKE(loop->beginning));
}

static bool has_room(struct agent_loop *loop)
{
    if (atomic_load(&loop->connections.count) < loop->connections_max)
        return true;
    if (!connections_make_room(&loop->connections, clock_mono_ms()))
        return false;
    agent_count(loop->side, AGENT_COUNT_EVICTED, 1);
    return true;
}

static void welcome(struct agent_loop *loop, int fd, const struct sockaddr_storage *address)
{
    AUTO(credentials) struct credentials *credentials = certs_store_get(loop->certs);
    struct agent_place *place =
        credentials ? agent_places_enter(loop->places, address, AGENT_ADDRESS_CONNECTIONS_MAX)
                    : NULL;

    if (place && has_room(loop)) {
        begin(loop, fd, place, TAKE(credentials));
        return;
    }
    if (place)
        agent_places_leave(loop->places, place);
    agent_count(loop->side, AGENT_COUNT_TURNED_AWAY, 1);
    close(fd);
}

/* Waiting on the socket would be a busy loop: somebody must go, and the next look is later. */
static void run_out(struct agent_loop *loop)
{
    loop->exhausted = true;
    if (connections_make_room(&loop->connections, clock_mono_ms()))
        agent_count(loop->side, AGENT_COUNT_EVICTED, 1);
}

static void accept_some(struct agent_loop *loop)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof address;
        int fd = accept4(loop->listening, (struct sockaddr *)&address, &size,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            welcome(loop, fd, &address);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            run_out(loop);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED)
            return;
    }
}

/* The thread. */

static void look_at_certificate(struct agent_loop *loop, int64_t now_ms)
{
    struct error err;

    loop->look_ms = now_ms + CERTS_LOOK_MS;
    switch (certs_store_look(loop->certs, clock_now_s(), now_ms, &err)) {
    case CERTS_SAME:
        return;
    case CERTS_REFUSED:
        log_error("certificate of the agent API refused", LOG_S("error", err.message));
        return;
    case CERTS_TAKEN: {
        AUTO(credentials) struct credentials *now = certs_store_get(loop->certs);
        const struct certs_facts *facts = credentials_facts(now);

        atomic_store(&loop->certificate_until_s, facts->not_after_s);
        log_info("certificate of the agent API taken", LOG_S("serial", facts->serial));
    }
    }
}

static void tick(struct agent_loop *loop, int64_t now_ms)
{
    struct connections_cut cut = {0};

    loop->tick_ms = now_ms + TICK_MS;
    loop->exhausted = false;
    end_waits(loop, now_ms);
    beat(loop, now_ms);
    connections_cut_late(&loop->connections, now_ms, &cut);
    for (size_t i = 0; i < PHASE_CUT; i++)
        agent_count(loop->side, AGENT_COUNT_CUT, (int64_t)cut.by_phase[i]);
    if (now_ms >= loop->look_ms)
        look_at_certificate(loop, now_ms);
}

/* 0 when there is work left, else until something is due. */
static int patience_ms(struct agent_loop *loop)
{
    int64_t due_ms = loop->tick_ms, now_ms = clock_mono_ms();
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    if (MHD_get_timeout(loop->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0)
        return 0;
    if (atomic_load(&loop->side->wakes) != loop->woken || loop->asleep)
        due_ms = loop->woken_ms + AGENT_WAKE_MS < due_ms ? loop->woken_ms + AGENT_WAKE_MS : due_ms;
    return due_ms > now_ms ? (int)(due_ms - now_ms) : 0;
}

static bool is_over(struct agent_loop *loop, int64_t now_ms)
{
    if (!atomic_load(&loop->ending))
        return false;
    if (loop->end_ms == 0)
        loop->end_ms = now_ms + AGENT_DRAIN_MS;
    return loop->suspended == 0 && (loop->answering == 0 || now_ms >= loop->end_ms);
}

static void *work(void *context)
{
    struct agent_loop *loop = context;
    int epoll = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    struct pollfd ready[] = {
        {loop->wake, POLLIN, 0}, {epoll, POLLIN, 0}, {loop->gone, POLLIN, 0}, {-1, POLLIN, 0}};
    int64_t now_ms = clock_mono_ms();

    while (!is_over(loop, now_ms)) {
        eventfd_t count;

        ready[3].fd = loop->exhausted ? -1 : loop->listening;
        poll(ready, sizeof ready / sizeof *ready, patience_ms(loop));
        now_ms = clock_mono_ms();
        if (ready[0].revents)
            eventfd_read(loop->wake, &count);
        if (ready[3].revents)
            accept_some(loop);
        if (ready[2].revents)
            find_gone(loop);
        take_done(loop);
        wake_all(loop, now_ms);
        if (now_ms >= loop->tick_ms || atomic_load(&loop->side->draining) != loop->drained)
            tick(loop, now_ms);
        end_rests(loop);
        MHD_run(loop->daemon);
    }
    return NULL;
}

static struct MHD_Daemon *start_daemon(struct agent_loop *loop)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS | MHD_USE_ERROR_LOG |
            MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, agent_request_handle, loop, MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL,
        MHD_OPTION_HTTPS_PRIORITIES, HTTP_TLS_PRIORITIES, MHD_OPTION_HTTPS_CERT_CALLBACK,
        http_tls_no_certificate, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, loop,
        MHD_OPTION_NOTIFY_COMPLETED, agent_request_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        agent_request_uri, NULL, MHD_OPTION_UNESCAPE_CALLBACK, library_leave_escaped, NULL,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_OF_WORKER_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)AGENT_POOL_BYTES, MHD_OPTION_END);
}

bool agent_loop_start(struct agent_loop *loop, struct error *err)
{
    struct connection_times times = {
        .handshake_ms = AGENT_HANDSHAKE_MS,
        .head_ms = AGENT_REQUEST_MS,
        .request_ms = AGENT_REQUEST_MS,
        .idle_ms = AGENT_IDLE_MS,
        /* a thread that asks the desk may take as long as a call to the API server or two */
        .wait_ms = MESSAGE_WAIT_MAX_S * 1000 + 2 * KUBE_TIMEOUT_MS,
    };

    connections_init(&loop->connections, &times);
    loop->connections_max = connections_possible(AGENT_CONNECTIONS_MAX);
    loop->places = agent_places_make();
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->gone = epoll_create1(EPOLL_CLOEXEC);
    loop->listening = address_listen(&loop->address, err);
    if (loop->listening < 0)
        return false;
    loop->daemon = start_daemon(loop);
    return (loop->daemon && loop->wake >= 0 && loop->gone >= 0) ||
           error_set(err, ERROR_UNAVAILABLE, "can not serve agents");
}

bool agent_loop_run(struct agent_loop *loop, struct error *err)
{
    look_at_certificate(loop, clock_mono_ms());
    loop->running = pthread_create(&loop->thread, NULL, work, loop) == 0;
    if (!loop->running)
        return error_set(err, ERROR_UNAVAILABLE, "can not start the thread that talks to agents");
    pthread_setname_np(loop->thread, "agents");
    return true;
}

static void close_if(int fd)
{
    if (fd >= 0)
        close(fd);
}

void agent_loop_stop(struct agent_loop *loop)
{
    atomic_store(&loop->ending, true);
    if (loop->running) {
        eventfd_write(loop->wake, 1);
        pthread_join(loop->thread, NULL);
    }
    if (loop->daemon)
        MHD_stop_daemon(loop->daemon);
    close_if(loop->listening);
    close_if(loop->wake);
    close_if(loop->gone);
    agent_places_free(loop->places);
    connections_done(&loop->connections);
}
