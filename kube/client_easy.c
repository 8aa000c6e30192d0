#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/wait.h"
#include "kube/retry.h"
#include "kube/time.h"
#include "kube/transfer.h"

/* A connection whose other end is gone is noticed after about a minute (W17): what was sent is not
 * acknowledged, or the probes are not. */
#define KEEP_IDLE_S 30L
#define KEEP_INTERVAL_S 10L
#define KEEP_COUNT 3
#define USER_TIMEOUT_MS 60000u

/* How long a connection may be used for new requests, and may lie idle. */
#define CONNECTION_LIFE_S 300L
#define CONNECTION_IDLE_S 90L

/* The callbacks below run in the loop. */

static int tune_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    int count = KEEP_COUNT;
    unsigned timeout_ms = USER_TIMEOUT_MS;

    (void)context;
    (void)purpose;
    /* without them a dead connection only takes longer */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    return CURL_SOCKOPT_OK;
}

/* The body goes through a callback that can not rewind: libcurl then never sends a write a second
 * time on its own when a connection breaks (B3). */
static size_t send_body(char *buffer, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t left = transfer->body.length - transfer->sent, room = size * count;

    if (left > room)
        left = room;
    if (left)
        memcpy(buffer, transfer->body.data + transfer->sent, left);
    transfer->sent += left;
    return left;
}

static bool names(struct span line, const char *name, struct span *value)
{
    size_t length = strlen(name);

    if (line.length <= length || line.data[length] != ':' ||
        strncasecmp(line.data, name, length) != 0)
        return false;
    *value = text_trim((struct span){line.data + length + 1, line.length - length - 1});
    return true;
}

static void copy(char *out, size_t room, struct span value)
{
    size_t length = value.length < room ? value.length : room - 1;

    if (length)
        memcpy(out, value.data, length);
    out[length] = '\0';
}

/* The headers are complete. An interim answer (1xx) and that of a proxy are followed by another. */
static void headers_end(struct transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200)
        return;
    pthread_mutex_lock(&transfer->client->mutex);
    transfer->status = (int)status;
    transfer->begun = true;
    if (transfer->date_s)
        transfer->client->facts.ahead_s = transfer->date_s - clock_now_s();
    pthread_cond_signal(&transfer->changed);
    pthread_mutex_unlock(&transfer->client->mutex);
}

static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct span line = {data, size * count}, value;
    char number[32];

    transfer->header_bytes += line.length;
    if (transfer->header_bytes > KUBE_HEADERS_MAX_BYTES)
        return 0;
    /* what follows the body says nothing: the answer is being read by now */
    if (transfer->begun)
        return line.length;
    if (text_trim(line).length == 0) {
        headers_end(transfer);
    } else if (line.length > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        transfer->retry_after_s = RETRY_AFTER_ABSENT;
        transfer->content_type[0] = '\0';
        transfer->date_s = 0;
        transfer->compressed = transfer->location = false;
    } else if (names(line, "Content-Type", &value)) {
        copy(transfer->content_type, sizeof transfer->content_type, value);
    } else if (names(line, "Content-Encoding", &value)) {
        transfer->compressed = value.length && !span_is(value, "identity");
    } else if (names(line, "Retry-After", &value)) {
        copy(number, sizeof number, value);
        transfer->retry_after_s =
            value.length < sizeof number ? retry_after_parse(number) : RETRY_AFTER_BAD;
    } else if (names(line, "Date", &value)) {
        if (!time_parse_date(value, &transfer->date_s))
            transfer->date_s = 0;
    } else if (names(line, "Location", &value)) {
        transfer->location = true;
    }
    return line.length;
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    struct kube_client *client = transfer->client;
    size_t length = size * count, taken = length;
    bool good = transfer->status >= 200 && transfer->status <= 299;
    size_t max = good ? transfer->answer_max : KUBE_FAILURE_MAX_BYTES;

    pthread_mutex_lock(&client->mutex);
    if (good && transfer->stream && transfer->received.length >= KUBE_STREAM_BUFFER_BYTES) {
        transfer->paused = true;
        taken = CURL_WRITEFUNC_PAUSE;
    } else if (!(good && transfer->stream) && transfer->received.length + length > max) {
        transfer->too_large = true;
        taken = 0;
    } else {
        text_add(&transfer->received, data, length);
        pthread_cond_signal(&transfer->changed);
    }
    pthread_mutex_unlock(&client->mutex);
    return taken;
}

static void add_header(struct transfer *transfer, const char *line)
{
    transfer->headers = curl_slist_append(transfer->headers, line);
    if (!transfer->headers)
        abort();
}

static void add_named(struct transfer *transfer, const char *name, const char *value)
{
    char *line = text_format("%s: %s", name, value);

    add_header(transfer, line);
    free(line);
}

/* What is the same for every request. */
static void set_rules(CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* a resolver that hangs is left behind instead of waited for */
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEP_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEP_INTERVAL_S);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, tune_socket);
    curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, CONNECTION_LIFE_S);
    curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, CONNECTION_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    /* a resumed session would skip the look at the certificate */
    curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
}

/* The name that is asked for in TLS stands in the URL; the connection goes to the server. */
static void set_address(struct transfer *transfer, const char *path)
{
    const struct kube_config *config = &transfer->client->config;
    char *url;

    if (config->server_name) {
        struct kube_address address = kube_address(config->server);
        char *connect = text_format("%s:%s:%s:%s", config->server_name, address.port, address.host,
                                    address.port);
        struct curl_slist *connects = curl_slist_append(NULL, connect);

        url = text_format("https://%s:%s%s%s", config->server_name, address.port, address.prefix,
                          path);
        curl_easy_setopt(transfer->easy, CURLOPT_CONNECT_TO, connects);
        transfer->connect_to = connects;
        free(connect);
        connect = text_format("%s:%s", address.host, address.port);
        add_named(transfer, "Host", connect);
        free(connect);
        kube_address_done(&address);
    } else {
        url = text_format("%s%s", config->server, path);
    }
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    free(url);
}

static void set_trust(struct transfer *transfer)
{
    const struct kube_config *config = &transfer->client->config;
    CURL *easy = transfer->easy;

    pool_use(transfer->view.pool, easy);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config->insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config->insecure ? 0L : 2L);
    /* "": also none from the environment */
    curl_easy_setopt(easy, CURLOPT_PROXY, config->proxy ? config->proxy : "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* the token is for the server, not for a proxy */
    curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
}

static void set_body(struct transfer *transfer, const struct kube_request *request)
{
    CURL *easy = transfer->easy;

    if (strcmp(request->method, "GET") == 0)
        return;
    text_add(&transfer->body, request->body.data, request->body.length);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body.length);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, send_body);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    add_named(transfer, "Content-Type",
              request->content_type ? request->content_type : "application/json");
    add_header(transfer, "Expect:");
}

static void set_answer(struct transfer *transfer)
{
    CURL *easy = transfer->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (transfer->stream) {
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
        curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    } else {
        curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
        /* wait whether the first connection can take several requests, rather than open more;
         * without TLS that would be to wait for its first answer */
        curl_easy_setopt(easy, CURLOPT_PIPEWAIT,
                         strncmp(transfer->client->config.server, "https:", 6) == 0 ? 1L : 0L);
    }
}

struct transfer *transfer_make(struct kube_client *client, const struct kube_request *request,
                               struct access_view *view, bool stream)
{
    struct transfer *transfer = text_alloc(sizeof *transfer);

    atomic_init(&transfer->refs, 1);
    transfer->client = client;
    transfer->view = *view;
    *view = (struct access_view){0};
    transfer->stream = stream;
    transfer->answer_max = request->answer_max ? request->answer_max : KUBE_ANSWER_MAX_BYTES;
    transfer->retry_after_s = RETRY_AFTER_ABSENT;
    wait_prepare(&transfer->changed);
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        abort();
    set_rules(transfer->easy);
    set_trust(transfer);
    set_answer(transfer);
    set_address(transfer, request->path);
    set_body(transfer, request);
    if (transfer->view.header)
        add_header(transfer, transfer->view.header);
    add_named(transfer, "Accept", request->accept ? request->accept : "application/json");
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(transfer->easy, CURLOPT_USERAGENT, client->user_agent);
    return transfer;
}

/* libcurl frees the list without looking at what it held. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *header = headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data));
    curl_slist_free_all(headers);
}

void transfer_unref(struct transfer *transfer)
{
    if (!transfer || atomic_fetch_sub(&transfer->refs, 1) > 1)
        return;
    curl_easy_cleanup(transfer->easy);
    free_headers(transfer->headers);
    curl_slist_free_all(transfer->connect_to);
    access_view_done(&transfer->view);
    text_wipe(&transfer->body);
    text_done(&transfer->received);
    pthread_cond_destroy(&transfer->changed);
    free(transfer);
}
