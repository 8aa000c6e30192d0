#include "webhook/worker.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/auto.h"
#include "base/limits.h"
#include "base/log.h"
#include "http/library.h"
#include "http/tls.h"
#include "webhook/admin.h"

static void notify_connection(void *context, struct MHD_Connection *connection,
                              void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct worker *worker = context;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        client_free(TAKE(*socket_context));
        return;
    }

    struct client *client = TAKE(worker->beginning);

    if (worker->kind == WORKER_ADMISSION)
        client_begin_tls(client, connection);
    *socket_context = client;
}

static struct MHD_Daemon *start_admission(struct worker *worker)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        request_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL,
        MHD_OPTION_HTTPS_PRIORITIES, HTTP_TLS_PRIORITIES, MHD_OPTION_HTTPS_CERT_CALLBACK,
        http_tls_no_certificate, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, worker,
        MHD_OPTION_NOTIFY_COMPLETED, request_completed, NULL, MHD_OPTION_URI_LOG_CALLBACK,
        request_uri, NULL, MHD_OPTION_UNESCAPE_CALLBACK, library_leave_escaped, NULL,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_OF_WORKER_MAX, MHD_OPTION_END);
}

static struct MHD_Daemon *start_admin(struct worker *worker)
{
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG, 0, NULL,
                            NULL, admin_handle, worker, MHD_OPTION_EXTERNAL_LOGGER, library_log,
                            NULL, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, worker,
                            MHD_OPTION_UNESCAPE_CALLBACK, library_leave_escaped, NULL,
                            MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_OF_WORKER_MAX, MHD_OPTION_END);
}

/* It closes the socket itself when it fails; then the client may have begun and ended already. */
static void begin(struct worker *worker, struct client *client)
{
    /* nobody asks for the address; it only has to be one of a network */
    struct sockaddr_in nobody = {.sin_family = AF_INET};

    worker->beginning = client;
    if (MHD_add_connection(worker->daemon, client->tls.watched.fd, (struct sockaddr *)&nobody,
                           sizeof nobody) != MHD_YES &&
        worker->beginning)
        client_free(TAKE(worker->beginning));
}

static struct client *take_new(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);

    struct client *newest = TAKE(worker->newest);

    pthread_mutex_unlock(&worker->lock);
    return newest;
}

static void begin_new(struct worker *worker)
{
    struct client *next;
    eventfd_t count;

    eventfd_read(worker->wake, &count);
    for (struct client *client = take_new(worker); client; client = next) {
        next = client->next;
        begin(worker, client);
    }
}

/* 0 when it has work left, else until something happens: deadlines are not its business. */
static int patience_ms(struct worker *worker)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    return MHD_get_timeout(worker->daemon, &timeout_ms) == MHD_YES && timeout_ms == 0 ? 0 : -1;
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct pollfd ready[] = {
        {worker->wake, POLLIN, 0},
        {MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, POLLIN, 0},
    };

    while (!atomic_load(&worker->ending)) {
        poll(ready, sizeof ready / sizeof *ready, patience_ms(worker));
        if (ready[0].revents)
            begin_new(worker);
        MHD_run(worker->daemon);
    }
    return NULL;
}

bool worker_start(struct worker *worker, enum worker_kind kind, struct service *service,
                  struct connections *connections, struct error *err)
{
    *worker = (struct worker){
        .kind = kind,
        .service = service,
        .connections = connections,
        .arena = arena_make(),
        .wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
    };
    pthread_mutex_init(&worker->lock, NULL);
    worker->daemon = kind == WORKER_ADMISSION ? start_admission(worker) : start_admin(worker);
    worker->runs = worker->daemon && worker->wake >= 0 &&
                   pthread_create(&worker->thread, NULL, work, worker) == 0;
    if (!worker->runs)
        return error_set(err, ERROR_UNAVAILABLE, "can not start a thread that answers");
    pthread_setname_np(worker->thread, kind == WORKER_ADMISSION ? "answer" : "admin");
    return true;
}

void worker_hand_over(struct worker *worker, int fd)
{
    struct client *client = client_make(worker, fd);

    pthread_mutex_lock(&worker->lock);
    client->next = worker->newest;
    worker->newest = client;
    pthread_mutex_unlock(&worker->lock);
    eventfd_write(worker->wake, 1);
}

static void turn_away_new(struct worker *worker)
{
    struct client *next;

    for (struct client *client = take_new(worker); client; client = next) {
        int fd = client->tls.watched.fd;

        next = client->next;
        client_free(client);
        close(fd);
    }
}

void worker_stop(struct worker *worker)
{
    atomic_store(&worker->ending, true);
    if (worker->runs) {
        eventfd_write(worker->wake, 1);
        pthread_join(worker->thread, NULL);
    }
    turn_away_new(worker);
    if (worker->daemon)
        MHD_stop_daemon(worker->daemon);
    if (worker->wake >= 0)
        close(worker->wake);
    arena_free(worker->arena);
    pthread_mutex_destroy(&worker->lock);
}
