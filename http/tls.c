#include "http/tls.h"

#include <stdint.h>
#include <sys/socket.h>

#include "base/clock.h"

/* The encrypted bytes pass here. All that is learned is that some came: the time of a request
 * begins with its first byte, not when its last header is complete. */
static ssize_t pull(gnutls_transport_ptr_t context, void *data, size_t size)
{
    struct http_tls *moments = context;
    ssize_t got = recv(moments->watched.fd, data, size, 0);

    if (got <= 0)
        return got;
    moments->heard = true;
    if (atomic_load_explicit(&moments->watched.phase, memory_order_relaxed) == PHASE_IDLE)
        connection_enters(moments->all, &moments->watched, PHASE_HEAD, clock_mono_ms());
    return got;
}

/* The client's Finished ends the handshake, in TLS 1.3 and 1.2. */
static int handshake_finished(gnutls_session_t session, unsigned type, unsigned when,
                              unsigned incoming, const gnutls_datum_t *message)
{
    gnutls_transport_ptr_t receiver, sender;

    (void)type, (void)when, (void)message;
    gnutls_transport_get_ptr2(session, &receiver, &sender);

    struct http_tls *moments = receiver;

    if (incoming && !moments->agreed) {
        moments->agreed = true;
        connection_enters(moments->all, &moments->watched, PHASE_IDLE, clock_mono_ms());
    }
    return 0;
}

void http_tls_follow(struct http_tls *moments, struct MHD_Connection *connection)
{
    gnutls_session_t session =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;

    gnutls_transport_set_ptr2(session, moments,
                              (gnutls_transport_ptr_t)(intptr_t)moments->watched.fd);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       handshake_finished);
}

int http_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int count,
                            const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
                            gnutls_pcert_st **certificate, unsigned *length, gnutls_privkey_t *key)
{
    (void)session, (void)authorities, (void)count, (void)algorithms, (void)algorithm_count;
    (void)certificate, (void)length, (void)key;
    return -1;
}
