#include "tests/unit/kube/fake.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct fake {
    fake_serve *serve;
    void *context;
    int listener, stop; /* `stop` is readable at the end */
    char url[64];
    bool tls;
    pthread_t thread;
    atomic_int requests, connections;

    pthread_mutex_t mutex;
    gnutls_certificate_credentials_t credentials[16]; /* the last counts; old sessions use theirs */
    int credential_count;
    struct fake_peer *peers;
};

struct fake_peer {
    struct fake *fake;
    struct fake_peer *next;
    pthread_t thread;
    int fd, number;
    gnutls_session_t session; /* NULL: plain */
    struct text in;
};

static void must(bool fine)
{
    if (!fine)
        abort();
}

static ssize_t receive(struct fake_peer *peer, char *out, size_t room)
{
    for (;;) {
        struct pollfd ready[] = {{.fd = peer->fd, .events = POLLIN},
                                 {.fd = peer->fake->stop, .events = POLLIN}};

        if (!peer->session || gnutls_record_check_pending(peer->session) == 0)
            poll(ready, 2, -1);
        if (ready[1].revents)
            return -1;
        if (!peer->session)
            return recv(peer->fd, out, room, 0);

        ssize_t got = gnutls_record_recv(peer->session, out, room);

        if (got != GNUTLS_E_AGAIN && got != GNUTLS_E_INTERRUPTED)
            return got;
    }
}

bool fake_send(struct fake_peer *peer, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length) {
        struct pollfd ready[] = {{.fd = peer->fd, .events = POLLOUT},
                                 {.fd = peer->fake->stop, .events = POLLIN}};

        poll(ready, 2, -1);
        if (ready[1].revents)
            return false;

        ssize_t sent = peer->session ? gnutls_record_send(peer->session, at, length)
                                     : send(peer->fd, at, length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && (peer->session ? sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED
                                       : errno == EAGAIN || errno == EINTR))
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool fake_puts(struct fake_peer *peer, const char *text)
{
    return fake_send(peer, text, strlen(text));
}

bool fake_answer(struct fake_peer *peer, int status, const char *headers, const char *body)
{
    struct text text = {0};

    text_addf(&text, "HTTP/1.1 %d Said\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body),
              headers ? headers : "Content-Type: application/json\r\n", body);
    fake_send(peer, text.data, text.length);
    text_done(&text);
    return true;
}

bool fake_hang(struct fake_peer *peer)
{
    char ignored[256];

    while (receive(peer, ignored, sizeof ignored) > 0)
        ;
    return false;
}

void fake_pause(struct fake_peer *peer, int ms)
{
    struct pollfd stop = {.fd = peer->fake->stop, .events = POLLIN};

    poll(&stop, 1, ms);
}

bool fake_reset(struct fake_peer *peer)
{
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};

    /* so Linux aborts a connection */
    must(connect(peer->fd, &nowhere, sizeof nowhere) == 0 || errno == EINVAL);
    return false;
}

char *fake_header(const struct fake_request *request, const char *name)
{
    size_t length = strlen(name);

    for (const char *line = request->headers; *line; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            struct span value = {line + length + 1, strcspn(line + length + 1, "\r")};

            value = text_trim(value);
            return text_dup(value.data, value.length);
        }
    return text_dup("", 0);
}

static bool fill(struct fake_peer *peer)
{
    char piece[16384];
    ssize_t got = receive(peer, piece, sizeof piece);

    if (got <= 0)
        return false;
    text_add(&peer->in, piece, (size_t)got);
    return true;
}

/* One request with its body; false when the connection is over. */
static bool serve_one(struct fake_peer *peer)
{
    struct fake *fake = peer->fake;
    char *end;

    while (!peer->in.data || !(end = strstr(peer->in.data, "\r\n\r\n")))
        if (!fill(peer))
            return false;

    size_t head = (size_t)(end - peer->in.data) + 4;
    char *all = text_dup(peer->in.data, head - 2), *save;
    char *lines = strstr(all, "\r\n") + 2;
    struct fake_request request = {.headers = lines};
    char *length = fake_header(&request, "Content-Length");
    size_t body = strtoul(length, NULL, 10);
    bool whole = true;

    free(length);
    while (whole && peer->in.length < head + body)
        whole = fill(peer);
    lines[-2] = '\0';
    request.method = strtok_r(all, " ", &save);
    request.path = strtok_r(NULL, " ", &save);
    request.body = (struct span){peer->in.data + head, body};
    request.number = atomic_fetch_add(&fake->requests, 1) + 1;
    request.connection = peer->number;

    bool go_on = whole && fake->serve(peer, &request, fake->context);

    free(all);
    if (go_on) {
        struct text rest = {0};

        text_add(&rest, peer->in.data + head + body, peer->in.length - head - body);
        text_done(&peer->in);
        peer->in = rest;
    }
    return go_on;
}

static bool shake_hands(struct fake_peer *peer)
{
    struct fake *fake = peer->fake;
    int done;

    if (!fake->tls)
        return true;
    must(gnutls_init(&peer->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) == 0);
    must(gnutls_set_default_priority(peer->session) == 0);
    pthread_mutex_lock(&fake->mutex);
    must(gnutls_credentials_set(peer->session, GNUTLS_CRD_CERTIFICATE,
                                fake->credentials[fake->credential_count - 1]) == 0);
    pthread_mutex_unlock(&fake->mutex);
    gnutls_certificate_server_set_request(peer->session, GNUTLS_CERT_REQUEST);
    gnutls_transport_set_int(peer->session, peer->fd);
    do {
        struct pollfd ready[] = {
            {.fd = peer->fd,
             .events = gnutls_record_get_direction(peer->session) ? POLLOUT : POLLIN},
            {.fd = fake->stop, .events = POLLIN}};

        poll(ready, 2, -1);
        if (ready[1].revents)
            return false;
        done = gnutls_handshake(peer->session);
    } while (done < 0 && gnutls_error_is_fatal(done) == 0);
    return done == 0;
}

static void *converse(void *context)
{
    struct fake_peer *peer = context;

    if (shake_hands(peer))
        while (serve_one(peer))
            ;
    shutdown(peer->fd, SHUT_RDWR);
    return NULL;
}

static void *accept_all(void *context)
{
    struct fake *fake = context;

    for (;;) {
        struct pollfd ready[] = {{.fd = fake->listener, .events = POLLIN},
                                 {.fd = fake->stop, .events = POLLIN}};

        poll(ready, 2, -1);
        if (ready[1].revents)
            return NULL;

        int fd = accept4(fake->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            continue;

        struct fake_peer *peer = text_alloc(sizeof *peer);

        peer->fake = fake;
        peer->fd = fd;
        peer->number = atomic_fetch_add(&fake->connections, 1) + 1;
        pthread_mutex_lock(&fake->mutex);
        peer->next = fake->peers;
        fake->peers = peer;
        pthread_mutex_unlock(&fake->mutex);
        must(pthread_create(&peer->thread, NULL, converse, peer) == 0);
    }
}

void fake_certificate(struct fake *fake, const struct pem_pair *pair)
{
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t cert = {(unsigned char *)pair->cert, (unsigned)strlen(pair->cert)},
                   key = {(unsigned char *)pair->key, (unsigned)strlen(pair->key)};

    must(gnutls_certificate_allocate_credentials(&credentials) == 0);
    must(gnutls_certificate_set_x509_key_mem(credentials, &cert, &key, GNUTLS_X509_FMT_PEM) == 0);
    pthread_mutex_lock(&fake->mutex);
    must(fake->credential_count < 16);
    fake->credentials[fake->credential_count++] = credentials;
    pthread_mutex_unlock(&fake->mutex);
}

struct fake *fake_start(const struct pem_pair *pair, fake_serve *serve, void *context)
{
    struct fake *fake = text_alloc(sizeof *fake);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    fake->serve = serve;
    fake->context = context;
    fake->tls = pair != NULL;
    pthread_mutex_init(&fake->mutex, NULL);
    if (pair)
        fake_certificate(fake, pair);
    fake->stop = eventfd(0, EFD_CLOEXEC);
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fake->stop >= 0 && fake->listener >= 0 &&
         bind(fake->listener, (struct sockaddr *)&address, size) == 0 &&
         listen(fake->listener, 64) == 0 &&
         getsockname(fake->listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(fake->url, sizeof fake->url, "%s://localhost:%d", pair ? "https" : "http",
             ntohs(address.sin_port));
    must(pthread_create(&fake->thread, NULL, accept_all, fake) == 0);
    return fake;
}

void fake_stop(struct fake *fake)
{
    uint64_t one = 1;

    if (!fake)
        return;
    must(write(fake->stop, &one, sizeof one) == sizeof one);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    while (fake->peers) {
        struct fake_peer *peer = fake->peers;

        fake->peers = peer->next;
        pthread_join(peer->thread, NULL);
        if (peer->session)
            gnutls_deinit(peer->session);
        close(peer->fd);
        text_done(&peer->in);
        free(peer);
    }
    for (int i = 0; i < fake->credential_count; i++)
        gnutls_certificate_free_credentials(fake->credentials[i]);
    close(fake->stop);
    pthread_mutex_destroy(&fake->mutex);
    free(fake);
}

const char *fake_url(const struct fake *fake)
{
    return fake->url;
}

int fake_requests(struct fake *fake)
{
    return atomic_load(&fake->requests);
}

int fake_connections(struct fake *fake)
{
    return atomic_load(&fake->connections);
}
