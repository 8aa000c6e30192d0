#include "webhook/listener.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "webhook/admin.h"

/* TLS 1.0 and 1.1 are still in NORMAL of Debian 12. */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Connections that are accepted before the other work gets its turn. */
#define ACCEPT_AT_ONCE 64

struct client *client_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static struct connections *list_of(const struct client *client)
{
    return &client->worker->listener->connections;
}

/* The encrypted bytes pass here. All that is learned is that some came: the time of a request
 * begins with its first byte, not when its last header is complete. */
static ssize_t pull(gnutls_transport_ptr_t context, void *data, size_t size)
{
    struct client *client = context;
    ssize_t got = recv(client->watched.fd, data, size, 0);

    if (got <= 0)
        return got;
    client->heard = true;
    if (atomic_load_explicit(&client->watched.phase, memory_order_relaxed) == PHASE_IDLE)
        connection_enters(list_of(client), &client->watched, PHASE_HEAD, clock_mono_ms());
    return got;
}

/* The client's Finished ends the handshake, in TLS 1.3 and 1.2. */
static int handshake_finished(gnutls_session_t session, unsigned type, unsigned when,
                              unsigned incoming, const gnutls_datum_t *message)
{
    gnutls_transport_ptr_t receiver, sender;

    (void)type, (void)when, (void)message;
    gnutls_transport_get_ptr2(session, &receiver, &sender);

    struct client *client = receiver;

    if (incoming && !client->agreed) {
        client->agreed = true;
        connection_enters(list_of(client), &client->watched, PHASE_IDLE, clock_mono_ms());
    }
    return 0;
}

static void begin_tls(struct client *client, struct MHD_Connection *connection)
{
    gnutls_session_t session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

    client->credentials = certs_store_get(client->worker->listener->service->certs);
    if (client->credentials)
        credentials_use(client->credentials, session);
    gnutls_transport_set_ptr2(session, client,
                              (gnutls_transport_ptr_t)(intptr_t)client->watched.fd);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       handshake_finished);
}

/* In the thread that accepts, so that the connection counts from its first moment. */
static struct client *client_make(struct worker *worker, int fd)
{
    struct client *client = text_alloc(sizeof *client);
    bool tls = worker->listener->kind == LISTENER_ADMISSION;

    client->worker = worker;
    client->watched.fd = fd;
    connections_enter(&worker->listener->connections, &client->watched,
                      tls ? PHASE_HANDSHAKE : PHASE_HEAD, clock_mono_ms());
    atomic_fetch_add(&worker->connections, 1);
    return client;
}

static struct client *client_begin(const struct listener *listener,
                                   struct MHD_Connection *connection)
{
    int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    struct client *client = listener->by_fd[fd];

    if (listener->kind == LISTENER_ADMISSION)
        begin_tls(client, connection);
    return client;
}

/* The session is gone already, the socket not yet. */
static void client_free(struct client *client)
{
    struct worker *worker = client->worker;
    struct listener *listener = worker->listener;
    bool cut = atomic_load(&client->watched.phase) == PHASE_CUT;

    connections_leave(&listener->connections, &client->watched);
    listener->by_fd[client->watched.fd] = NULL;
    if (client->credentials && client->heard && !client->agreed && !cut)
        metrics_add(&listener->service->metrics, METRIC_HANDSHAKE_FAILURES, 1);
    credentials_unref(client->credentials);
    free(client);
    atomic_fetch_sub(&worker->connections, 1);
}

static void notify_connection(void *context, struct MHD_Connection *connection,
                              void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct worker *worker = context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = client_begin(worker->listener, connection);
    else
        client_free(TAKE(*socket_context));
}

/* Paths are compared as they were sent: nothing is unescaped, so %00 stays three characters. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context, (void)connection;
    return strlen(text);
}

/* libmicrohttpd wants to know a certificate at its start; each connection gets its own. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                          const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                          gnutls_pcert_st **certificate, unsigned *length, gnutls_privkey_t *key)
{
    (void)session, (void)authorities, (void)count, (void)algorithms, (void)algorithm_count;
    (void)certificate, (void)length, (void)key;
    return -1;
}

/* Every connection that is broken off says something: for those who debug. */
static void log_library(void *context, const char *format, va_list args)
{
    AUTO(text) struct text line = {0};

    (void)context;
    if (!log_on(LOG_DEBUG))
        return;
    text_addv(&line, format, args);
    log_debug("libmicrohttpd", LOG_SPAN("text", text_trim(span_of(text_get(&line)))));
}

static struct MHD_Daemon *start_admission(struct worker *worker)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC | MHD_USE_TLS |
            MHD_USE_ERROR_LOG,
        0, NULL, NULL, request_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
        MHD_OPTION_HTTPS_PRIORITIES, PRIORITIES, MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate,
        MHD_OPTION_NOTIFY_CONNECTION, notify_connection, worker, MHD_OPTION_NOTIFY_COMPLETED,
        request_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK, request_uri, NULL,
        MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTIONS_OF_WORKER_MAX, MHD_OPTION_END);
}

static struct MHD_Daemon *start_admin(struct worker *worker)
{
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                                MHD_USE_ERROR_LOG,
                            0, NULL, NULL, admin_handle, worker, MHD_OPTION_EXTERNAL_LOGGER,
                            log_library, NULL, MHD_OPTION_NOTIFY_CONNECTION, notify_connection,
                            worker, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
                            MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_OF_WORKER_MAX, MHD_OPTION_END);
}

static bool start_workers(struct listener *listener, struct error *err)
{
    for (size_t i = 0; i < listener->worker_count; i++) {
        struct worker *worker = &listener->workers[i];

        worker->listener = listener;
        worker->arena = arena_make();
        worker->daemon =
            listener->kind == LISTENER_ADMISSION ? start_admission(worker) : start_admin(worker);
        if (!worker->daemon)
            return error_set(err, ERROR_UNAVAILABLE, "can not start a thread that answers");
    }
    return true;
}

/* One more than the highest descriptor that we can get. */
static size_t descriptors(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < DESCRIPTORS_MAX
               ? limit.rlim_cur
               : DESCRIPTORS_MAX;
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
        .worker_count = plan->workers,
        .workers = text_alloc(plan->workers * sizeof *listener->workers),
        .fd_count = descriptors(),
    };
    listener->by_fd = text_alloc(listener->fd_count * sizeof *listener->by_fd);
    connections_init(&listener->connections, &plan->times);
    if (listener->fd < 0 || !start_workers(listener, err))
        return false;
    address_format(&address, text);
    log_info("listening", LOG_S("address", text), LOG_S("for", purposes[plan->kind]));
    return true;
}

static struct worker *least_busy(struct listener *listener)
{
    struct worker *best = listener->workers;

    for (size_t i = 1; i < listener->worker_count; i++)
        if (atomic_load(&listener->workers[i].connections) < atomic_load(&best->connections))
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
    if (listener->kind != LISTENER_ADMISSION)
        return true;

    AUTO(credentials) struct credentials *credentials = certs_store_get(listener->service->certs);

    return credentials;
}

static void hand_over(struct listener *listener, int fd, const struct sockaddr *name,
                      socklen_t size)
{
    struct worker *worker = least_busy(listener);

    /* a connection that libmicrohttpd closed without a word, for want of memory */
    if (listener->by_fd[fd])
        client_free(listener->by_fd[fd]);
    listener->by_fd[fd] = client_make(worker, fd);
    if (listener->kind == LISTENER_ADMISSION)
        metrics_add(&listener->service->metrics, METRIC_CONNECTIONS, 1);
    /* it closes the socket itself when it fails */
    if (MHD_add_connection(worker->daemon, fd, name, size) != MHD_YES)
        client_free(listener->by_fd[fd]);
}

static void welcome(struct listener *listener, int fd, const struct sockaddr *name, socklen_t size)
{
    bool full = listener_count(listener) >= listener->connections_max;

    if ((size_t)fd >= listener->fd_count || !can_speak(listener) ||
        (full && !connections_make_room(&listener->connections, clock_mono_ms()))) {
        turn_away(listener, fd);
        return;
    }
    if (full)
        metrics_add(&listener->service->metrics, METRIC_EVICTED, 1);
    hand_over(listener, fd, name, size);
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
        struct sockaddr_storage name;
        socklen_t size = sizeof name;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            welcome(listener, fd, (struct sockaddr *)&name, size);
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
        [PHASE_HANDSHAKE] = METRIC_CUT_HANDSHAKE,
        [PHASE_IDLE] = METRIC_CUT_IDLE,
        [PHASE_HEAD] = METRIC_CUT_HEAD,
        [PHASE_REQUEST] = METRIC_CUT_REQUEST,
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
        count += atomic_load(&listener->workers[i].connections);
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
    for (size_t i = 0; i < listener->worker_count; i++) {
        if (listener->workers[i].daemon)
            MHD_stop_daemon(listener->workers[i].daemon);
        arena_free(listener->workers[i].arena);
    }
    free(listener->workers);
    free(listener->by_fd);
    connections_done(&listener->connections);
    *listener = (struct listener){.fd = -1};
}
