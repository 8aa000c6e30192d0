#include "webhook/client.h"

#include <gnutls/gnutls.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "webhook/worker.h"

struct client *client_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void client_begin_tls(struct client *client, struct MHD_Connection *connection)
{
    gnutls_session_t session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

    client->credentials = certs_store_get(client->worker->service->certs);
    if (client->credentials)
        credentials_use(client->credentials, session);
    http_tls_follow(&client->tls, connection);
}

struct client *client_make(struct worker *worker, int fd)
{
    struct client *client = text_alloc(sizeof *client);

    client->worker = worker;
    client->tls.all = worker->connections;
    client->tls.watched.fd = fd;
    connections_enter(worker->connections, &client->tls.watched,
                      worker->kind == WORKER_ADMISSION ? PHASE_HANDSHAKE : PHASE_HEAD,
                      clock_mono_ms());
    atomic_fetch_add(&worker->count, 1);
    return client;
}

void client_free(struct client *client)
{
    struct worker *worker = client->worker;
    bool cut = atomic_load(&client->tls.watched.phase) == PHASE_CUT;

    connections_leave(worker->connections, &client->tls.watched);
    if (client->credentials && client->tls.heard && !client->tls.agreed && !cut)
        metrics_add(&worker->service->metrics, METRIC_HANDSHAKE_FAILURES, 1);
    credentials_unref(client->credentials);
    free(client);
    atomic_fetch_sub(&worker->count, 1);
}
