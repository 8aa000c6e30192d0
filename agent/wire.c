#include "agent/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"

#define PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* A node that is gone is noticed in the middle of a long wait. Seconds. */
#define KEEP_IDLE_S 30
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT 3

struct wire_trust {
    gnutls_certificate_credentials_t credentials;
    bool any; /* certificates are not looked at */
};

struct wire {
    int fd;
    gnutls_session_t session; /* NULL: no TLS */
    char *host;
    gnutls_typed_vdata_st wanted[2]; /* of the certificate; GnuTLS keeps the address */
};

struct wire_trust *wire_trust_make(struct span pem, struct error *err)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t text = {(unsigned char *)pem.data, (unsigned)pem.length};

    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        abort();
    if (gnutls_certificate_set_x509_trust_mem(credentials, &text, GNUTLS_X509_FMT_PEM) <= 0) {
        gnutls_certificate_free_credentials(credentials);
        error_set(err, ERROR_INVALID, "no certificate in PEM");
        return NULL;
    }

    struct wire_trust *trust = text_alloc(sizeof *trust);

    *trust = (struct wire_trust){credentials, false};
    return trust;
}

struct wire_trust *wire_trust_any(void)
{
    struct wire_trust *trust = text_alloc(sizeof *trust);

    *trust = (struct wire_trust){NULL, true};
    if (gnutls_certificate_allocate_credentials(&trust->credentials) < 0)
        abort();
    return trust;
}

void wire_trust_free(struct wire_trust *trust)
{
    if (!trust)
        return;
    gnutls_certificate_free_credentials(trust->credentials);
    free(trust);
}

/* Waits until the socket is ready. */
static bool ready(int fd, short events, const struct wire_limit *limit, struct error *err)
{
    struct pollfd waits[] = {{fd, events, 0}, {limit->stop_fd, POLLIN, 0}};

    for (;;) {
        int64_t left_ms = limit->until_ms - clock_mono_ms();

        if (left_ms <= 0)
            return error_set(err, ERROR_TIMEOUT, "no answer in time");

        int count = poll(waits, 2, left_ms > 60000 ? 60000 : (int)left_ms);

        if (count < 0 && errno != EINTR)
            return error_set(err, ERROR_INTERNAL, "poll: %s", strerror(errno));
        if (count > 0 && waits[1].revents)
            return error_set(err, ERROR_GONE, "stopped");
        if (count > 0 && waits[0].revents)
            return true;
    }
}

static void tune(int fd)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT},
    };

    /* without them a dead connection only takes longer */
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static bool connect_one(const struct addrinfo *to, const struct wire_limit *limit, int *connected,
                        struct error *err)
{
    AUTO(close)
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, to->ai_protocol);
    int problem = 0;
    socklen_t size = sizeof problem;

    if (fd < 0)
        return error_set(err, ERROR_UNAVAILABLE, "socket: %s", strerror(errno));
    tune(fd);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        if (errno != EINPROGRESS)
            return error_set(err, ERROR_UNAVAILABLE, "%s", strerror(errno));
        if (!ready(fd, POLLOUT, limit, err))
            return false;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) != 0 || problem)
            return error_set(err, ERROR_UNAVAILABLE, "%s", strerror(problem ? problem : errno));
    }
    *connected = fd;
    fd = -1;
    return true;
}

/* Host and port of an address that identity_addresses_parse() took. */
static void split(const char *address, char **host, char **port)
{
    const char *colon = strrchr(address, ':');
    bool six = address[0] == '[';

    *host = text_dup(address + six, (size_t)(colon - address) - (six ? 2 : 0));
    *port = text_dup(colon + 1, strlen(colon + 1));
}

static bool connect_any(const char *host, const char *port, const struct wire_limit *limit, int *fd,
                        struct error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int problem = getaddrinfo(host, port, &hints, &found);
    bool good = false;

    if (problem)
        return error_set(err, ERROR_UNAVAILABLE, "%s", gai_strerror(problem));
    for (const struct addrinfo *one = found; one && !good; one = one->ai_next) {
        good = connect_one(one, limit, fd, err);
        if (!good && err->code != ERROR_UNAVAILABLE)
            break;
    }
    freeaddrinfo(found);
    return good;
}

/* What a call of GnuTLS wants to wait for, when it must be repeated. */
static bool again(struct wire *wire, int code, const struct wire_limit *limit, struct error *err)
{
    if (code == GNUTLS_E_INTERRUPTED)
        return true;
    return ready(wire->fd, gnutls_record_get_direction(wire->session) ? POLLOUT : POLLIN, limit,
                 err);
}

static bool is_again(int code)
{
    return code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED;
}

static bool refuse_certificate(struct wire *wire, struct error *err)
{
    unsigned status = gnutls_session_get_verify_cert_status(wire->session);
    gnutls_datum_t text = {NULL, 0};

    if (gnutls_certificate_verification_status_print(
            status, gnutls_certificate_type_get(wire->session), &text, 0) < 0)
        return error_set(err, ERROR_FORBIDDEN, "its certificate is not trusted");
    error_set(err, ERROR_FORBIDDEN, "%s", (const char *)text.data);
    gnutls_free(text.data);
    return false;
}

static bool shake_hands(struct wire *wire, const struct wire_limit *limit, struct error *err)
{
    for (;;) {
        int code = gnutls_handshake(wire->session);

        if (code == GNUTLS_E_SUCCESS)
            return true;
        if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
            return refuse_certificate(wire, err);
        if (is_again(code) ? !again(wire, code, limit, err) : gnutls_error_is_fatal(code))
            return is_again(code)
                       ? false
                       : error_set(err, ERROR_UNAVAILABLE, "TLS: %s", gnutls_strerror(code));
    }
}

static bool begin_tls(struct wire *wire, const char *host, const struct wire_trust *trust,
                      const struct wire_limit *limit, struct error *err)
{
    struct in6_addr ip;

    if (gnutls_init(&wire->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0)
        abort();
    if (gnutls_priority_set_direct(wire->session, PRIORITY, NULL) < 0 ||
        gnutls_credentials_set(wire->session, GNUTLS_CRD_CERTIFICATE, trust->credentials) < 0)
        return error_set(err, ERROR_INTERNAL, "GnuTLS takes no settings");
    wire->host = text_dup(host, strlen(host));
    wire->wanted[0] = (gnutls_typed_vdata_st){.type = GNUTLS_DT_DNS_HOSTNAME,
                                              .data = (unsigned char *)wire->host};
    wire->wanted[1] = (gnutls_typed_vdata_st){.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                              .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER};
    /* an IP is no name to be asked for, but it is compared with the certificate */
    if (inet_pton(AF_INET, host, &ip) != 1 && inet_pton(AF_INET6, host, &ip) != 1 &&
        gnutls_server_name_set(wire->session, GNUTLS_NAME_DNS, host, strlen(host)) < 0)
        return error_set(err, ERROR_INVALID, "not a host name");
    if (!trust->any)
        gnutls_session_set_verify_cert2(wire->session, wire->wanted, 2, 0);
    gnutls_transport_set_int(wire->session, wire->fd);
    return shake_hands(wire, limit, err);
}

struct wire *wire_open(const char *address, const struct wire_trust *trust,
                       const struct wire_limit *limit, struct error *err)
{
    AUTO(free) char *host = NULL;
    AUTO(free) char *port = NULL;
    struct wire *wire = text_alloc(sizeof *wire);

    *wire = (struct wire){.fd = -1, .session = NULL};
    split(address, &host, &port);
    if (connect_any(host, port, limit, &wire->fd, err) &&
        (!trust || begin_tls(wire, host, trust, limit, err)))
        return wire;
    wire_close(wire);
    error_wrap(err, "%s", address);
    return NULL;
}

static bool send_plain(const struct wire *wire, struct span bytes, const struct wire_limit *limit,
                       struct error *err)
{
    while (bytes.length > 0) {
        ssize_t sent = send(wire->fd, bytes.data, bytes.length, MSG_NOSIGNAL);

        if (sent >= 0) {
            bytes.data += sent;
            bytes.length -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return error_set(err, ERROR_UNAVAILABLE, "%s", strerror(errno));
        } else if (!ready(wire->fd, POLLOUT, limit, err)) {
            return false;
        }
    }
    return true;
}

static bool receive_plain(const struct wire *wire, char *bytes, size_t room,
                          const struct wire_limit *limit, size_t *got, struct error *err)
{
    for (;;) {
        ssize_t count = recv(wire->fd, bytes, room, 0);

        if (count >= 0) {
            *got = (size_t)count;
            return true;
        }
        if (errno != EAGAIN && errno != EINTR)
            return error_set(err, ERROR_UNAVAILABLE, "%s", strerror(errno));
        if (!ready(wire->fd, POLLIN, limit, err))
            return false;
    }
}

bool wire_send(struct wire *wire, struct span bytes, const struct wire_limit *limit,
               struct error *err)
{
    if (!wire->session)
        return send_plain(wire, bytes, limit, err);
    while (bytes.length > 0) {
        ssize_t sent = gnutls_record_send(wire->session, bytes.data, bytes.length);

        if (sent > 0) {
            bytes.data += sent;
            bytes.length -= (size_t)sent;
        } else if (!is_again((int)sent)) {
            return error_set(err, ERROR_UNAVAILABLE, "TLS: %s", gnutls_strerror((int)sent));
        } else if (!again(wire, (int)sent, limit, err)) {
            return false;
        }
    }
    return true;
}

bool wire_receive(struct wire *wire, char *bytes, size_t room, const struct wire_limit *limit,
                  size_t *got, struct error *err)
{
    if (!wire->session)
        return receive_plain(wire, bytes, room, limit, got, err);
    for (;;) {
        ssize_t count = gnutls_record_recv(wire->session, bytes, room);

        if (count >= 0) {
            *got = (size_t)count;
            return true;
        }
        /* closed without a farewell: whether all has come is said by the answer itself */
        if (count == GNUTLS_E_PREMATURE_TERMINATION) {
            *got = 0;
            return true;
        }
        if (is_again((int)count) ? !again(wire, (int)count, limit, err)
                                 : gnutls_error_is_fatal((int)count))
            return is_again((int)count)
                       ? false
                       : error_set(err, ERROR_UNAVAILABLE, "TLS: %s", gnutls_strerror((int)count));
    }
}

void wire_close(struct wire *wire)
{
    if (!wire)
        return;
    if (wire->session)
        gnutls_deinit(wire->session);
    if (wire->fd >= 0)
        close(wire->fd);
    free(wire->host);
    free(wire);
}
