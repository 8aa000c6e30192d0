#include "webhook/client.h"

#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "webhook/worker.h"

struct client *client_of(struct MHD_Connection *connection)
{
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
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
        connection_enters(client->worker->connections, &client->watched, PHASE_HEAD,
                          clock_mono_ms());
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
        connection_enters(client->worker->connections, &client->watched, PHASE_IDLE,
                          clock_mono_ms());
    }
    return 0;
}

void client_begin_tls(struct client *client, struct MHD_Connection *connection)
{
    gnutls_session_t session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

    client->credentials = certs_store_get(client->worker->service->certs);
    if (client->credentials)
        credentials_use(client->credentials, session);
    gnutls_transport_set_ptr2(session, client,
                              (gnutls_transport_ptr_t)(intptr_t)client->watched.fd);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       handshake_finished);
}

struct client *client_make(struct worker *worker, int fd)
{
    struct client *client = text_alloc(sizeof *client);

    client->worker = worker;
    client->watched.fd = fd;
    connections_enter(worker->connections, &client->watched,
                      worker->kind == WORKER_ADMISSION ? PHASE_HANDSHAKE : PHASE_HEAD,
                      clock_mono_ms());
    atomic_fetch_add(&worker->count, 1);
    return client;
}

void client_free(struct client *client)
{
    struct worker *worker = client->worker;
    bool cut = atomic_load(&client->watched.phase) == PHASE_CUT;

    connections_leave(worker->connections, &client->watched);
    if (client->credentials && client->heard && !client->agreed && !cut)
        metrics_add(&worker->service->metrics, METRIC_HANDSHAKE_FAILURES, 1);
    credentials_unref(client->credentials);
    free(client);
    atomic_fetch_sub(&worker->count, 1);
}
