#include "kube/pod_exec.h"

#include <ctype.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/tree.h"
#include "kube/transfer.h"
#include "kube/websocket.h"

/* Bytes of the line of a request: servers take 8 KiB and more. */
#define EXEC_PATH_MAX_BYTES (64u << 10)

/* Bytes of one message: the server sends pieces of 4 KiB, and one Status. */
#define MESSAGE_MAX_BYTES (256u << 10)

/* Bytes of a Status that comes in place of an upgrade. */
#define REFUSAL_MAX_BYTES (64u << 10)

/* The first byte of a message. */
enum channel { OUT = 1, ERR = 2, STATUS = 3 };

void pod_exec_done(struct pod_exec_result *result)
{
    text_done(&result->output);
    *result = (struct pod_exec_result){0};
}

/* ---- what is pure ---- */

/* A raw ';' would make the server drop the whole parameter. */
static void add_escaped(struct text *out, struct span value)
{
    for (size_t i = 0; i < value.length; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if (isalnum(c) || (c && strchr("-._~", c)))
            text_putc(out, (char)c);
        else
            text_addf(out, "%%%02X", c);
    }
}

static void add_parameter(struct text *out, const char *name, struct span value)
{
    text_addf(out, "&%s=", name);
    add_escaped(out, value);
}

bool pod_exec_path(const struct pod_exec *exec, struct text *out, struct error *err)
{
    AUTO(text) struct text path = {0};
    const json_t *word;
    size_t i;

    if (json_array_size(exec->command) == 0)
        return error_set(err, ERROR_INVALID, "no command");
    text_puts(&path, "/api/v1/namespaces/");
    add_escaped(&path, span_of(exec->space));
    text_puts(&path, "/pods/");
    add_escaped(&path, span_of(exec->pod));
    text_puts(&path, "/exec?stdout=true&stderr=true");
    if (exec->container)
        add_parameter(&path, "container", span_of(exec->container));
    tree_items (exec->command, i, word) {
        if (!json_is_string(word) || memchr(json_string_value(word), 0, json_string_length(word)))
            return error_set(err, ERROR_INVALID, "command[%zu] is no text", i);
        add_parameter(&path, "command", tree_value(word));
        if (path.length > EXEC_PATH_MAX_BYTES)
            return error_set(err, ERROR_INVALID,
                             "the command is longer than a request can carry (%u bytes)",
                             EXEC_PATH_MAX_BYTES);
    }
    text_add(out, text_get(&path), path.length);
    return true;
}

/* The exit status that a Status tells; -1: it tells none. */
static int code_of(const json_t *status)
{
    const json_t *cause = tree_item(tree_at(status, "details.causes"), "reason", "ExitCode");
    const char *text = tree_text(cause, "message");
    long code = text && *text && strlen(text) <= 3 && strspn(text, "0123456789") == strlen(text)
                    ? strtol(text, NULL, 10)
                    : -1;

    if (span_is(tree_span(status, "status"), "Success"))
        return 0;
    return code > 0 && code <= 255 ? (int)code : -1;
}

/* The first one counts. What is no Status ends nothing. */
static void take_status(struct pod_exec_result *result, struct span text)
{
    AUTO(json) json_t *status = json_loadb(text.data ? text.data : "", text.length, 0, NULL);

    if (result->ended || !tree_text(status, "status"))
        return;
    result->ended = true;
    result->code = code_of(status);
}

/* The first of it. */
static void keep_first(struct pod_exec_result *result, struct span data, size_t max)
{
    size_t room = max - result->output.length;

    result->cut = result->cut || data.length > room;
    text_add(&result->output, data.data, data.length > room ? room : data.length);
}

/* The last of it. */
static void keep_last(struct pod_exec_result *result, struct span data, size_t max)
{
    struct text *output = &result->output;
    size_t over;

    text_add(output, data.data, data.length);
    if (output->length <= max)
        return;
    over = output->length - max;
    result->cut = true;
    memmove(output->data, output->data + over, max);
    output->length = max;
    output->data[max] = '\0';
}

bool pod_exec_take(const struct pod_exec *exec, struct pod_exec_result *result, struct span message)
{
    struct span data = {message.data + 1, message.length - 1};

    if (message.length == 0)
        return true;
    if (message.data[0] == STATUS)
        take_status(result, data);
    if (message.data[0] != OUT && message.data[0] != ERR)
        return true;
    if (!exec->take)
        keep_first(result, data, exec->output_max);
    else if (message.data[0] == OUT)
        return data.length == 0 || exec->take(exec->context, data);
    else
        keep_last(result, data, exec->output_max);
    return true;
}

bool pod_exec_judge(const struct pod_exec_result *result, struct error *err)
{
    if (!result->ended)
        return error_set(err, ERROR_UNAVAILABLE, "the connection ended before the command did");
    if (result->code < 0)
        return error_set(err, ERROR_INVALID,
                         "the command did not run: no such program, or its container ended");
    return result->code == 0 ||
           error_set(err, ERROR_INVALID, "the command ended with exit status %d", result->code);
}

/* ---- the connection ---- */

/* One call. */
struct line {
    struct kube_client *client;
    struct transfer *transfer;
    int64_t until_ms;
    int cancel_fd;
    struct text received; /* from `taken` on nobody has looked at it */
    size_t taken;
};

static void auto_line(struct line *line)
{
    transfer_unref(line->transfer);
    text_done(&line->received);
}

static bool late(struct error *err)
{
    error_set(err, ERROR_TIMEOUT, "no end in time");
    return false;
}

static bool ready(const struct line *line, short events, struct error *err)
{
    struct pollfd waits[] = {
        {-1, events, 0}, {line->client->cancel_fd, POLLIN, 0}, {line->cancel_fd, POLLIN, 0}};
    curl_socket_t socket = CURL_SOCKET_BAD;

    curl_easy_getinfo(line->transfer->easy, CURLINFO_ACTIVESOCKET, &socket);
    if (socket == CURL_SOCKET_BAD)
        return error_set(err, ERROR_UNAVAILABLE, "the connection is gone");
    waits[0].fd = socket;

    int64_t left_ms = line->until_ms - clock_mono_ms();

    if (left_ms <= 0)
        return late(err);
    if (poll(waits, 3, left_ms > 60000 ? 60000 : (int)left_ms) > 0 &&
        (waits[1].revents || waits[2].revents))
        return error_set(err, ERROR_UNAVAILABLE, KUBE_STOPPED);
    return true;
}

static bool failed(CURLcode code, struct error *err)
{
    return error_set(err, ERROR_UNAVAILABLE, "%s", curl_easy_strerror(code));
}

static bool send_all(const struct line *line, struct span bytes, struct error *err)
{
    while (bytes.length > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(line->transfer->easy, bytes.data, bytes.length, &sent);

        if (code != CURLE_OK && code != CURLE_AGAIN)
            return failed(code, err);
        if (code == CURLE_AGAIN && !ready(line, POLLOUT, err))
            return false;
        bytes = (struct span){bytes.data + sent, bytes.length - sent};
    }
    return true;
}

/* What was taken makes room. *end: the other side has closed. */
static bool receive(struct line *line, bool *end, struct error *err)
{
    char piece[8192];
    size_t got = 0;

    if (line->taken > 0 && line->received.data) {
        line->received.length -= line->taken;
        memmove(line->received.data, line->received.data + line->taken, line->received.length);
        line->taken = 0;
    }
    for (;;) {
        CURLcode code = curl_easy_recv(line->transfer->easy, piece, sizeof piece, &got);

        if (code == CURLE_OK) {
            *end = got == 0;
            text_add(&line->received, piece, got);
            return true;
        }
        if (code != CURLE_AGAIN)
            return failed(code, err);
        if (!ready(line, POLLIN, err))
            return false;
    }
}

static struct span rest_of(const struct line *line)
{
    return (struct span){text_get(&line->received) + line->taken,
                         line->received.length - line->taken};
}

/* ---- connecting ---- */

static bool draw(void *bytes, size_t length, struct error *err)
{
    return getrandom(bytes, length, 0) == (ssize_t)length ||
           error_set(err, ERROR_INTERNAL, "no random bytes");
}

/* TCP and TLS as every request has them; what is said is ours. */
static bool connect_line(struct line *line, const char *path, struct error *err)
{
    const struct kube_request request = {.method = "GET", .path = path};
    struct access_wait wait = {line->until_ms, line->client->cancel_fd};
    AUTO(access_view) struct access_view view = {0};
    int64_t left_ms = line->until_ms - clock_mono_ms();

    if (left_ms <= 0)
        return late(err);
    if (!request_check(&request, err) || !access_get(line->client->access, &wait, &view, err))
        return false;
    line->transfer = transfer_make(line->client, &request, &view, true);
    /* the connections of a pool are for the loop's thread alone */
    curl_easy_setopt(line->transfer->easy, CURLOPT_SHARE, NULL);
    curl_easy_setopt(line->transfer->easy, CURLOPT_FORBID_REUSE, 0L);
    curl_easy_setopt(line->transfer->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(line->transfer->easy, CURLOPT_TIMEOUT_MS,
                     (long)(left_ms < KUBE_CONNECT_MS ? left_ms : KUBE_CONNECT_MS));

    CURLcode code = curl_easy_perform(line->transfer->easy);

    return code == CURLE_OK ||
           error_set(err, ERROR_UNAVAILABLE, "%s",
                     *line->transfer->error ? line->transfer->error : curl_easy_strerror(code));
}

static void write_request(const struct line *line, const char *path, const char *key,
                          struct text *out)
{
    struct kube_address address = kube_address(line->client->config.server);

    text_addf(out,
              "GET %s%s HTTP/1.1\r\nHost: %s:%s\r\nUser-Agent: %s\r\nConnection: Upgrade\r\n"
              "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
              "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io\r\n",
              address.prefix, path, address.host, address.port, line->client->user_agent, key);
    kube_address_done(&address);
    if (line->transfer->view.header)
        text_addf(out, "%s\r\n", line->transfer->view.header);
    text_puts(out, "\r\n");
}

/* What a Status says in place of an upgrade; its body ends where the connection does, or where it
 * is whole. */
static bool refuse(struct line *line, int status, struct error *err)
{
    AUTO(json) json_t *said = NULL;
    bool end = false;
    struct error ignored;

    while (!said && !end && rest_of(line).length < REFUSAL_MAX_BYTES) {
        struct span body = rest_of(line);

        said =
            body.length ? json_loadb(body.data, body.length, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
        if (!said && !receive(line, &end, &ignored))
            break;
    }
    if (status == 401)
        access_doubt(line->client->access, &line->transfer->view);

    const char *message = tree_text(said, "message");

    return error_set(err,
                     status >= 400 && status < 600 ? (enum error_code)status : ERROR_UNAVAILABLE,
                     "%s", message ? message : "the API server does not run it");
}

static bool upgrade(struct line *line, const char *path, struct pod_exec_result *result,
                    struct error *err)
{
    AUTO(secret_text) struct text request = {0};
    unsigned char random[16];
    char key[WEBSOCKET_KEY_BYTES];
    struct websocket_answer answer = {0};
    enum websocket_state state = WEBSOCKET_MORE;
    bool end = false;

    if (!draw(random, sizeof random, err))
        return false;
    websocket_key(random, key);
    write_request(line, path, key, &request);
    result->sent = true;

    bool sent = send_all(line, (struct span){text_get(&request), request.length}, err);

    while (sent && state == WEBSOCKET_MORE) {
        if (end)
            return error_set(err, ERROR_UNAVAILABLE, "the connection ended before an answer");
        if (!receive(line, &end, err))
            return false;
        state = websocket_answer(rest_of(line), key, &answer, err);
    }
    if (!sent || state != WEBSOCKET_READY)
        return false;
    line->taken = answer.head;
    if (answer.status == 101)
        return answer.protocol.length > 0 ||
               error_set(err, ERROR_UNAVAILABLE, "the server tells no exit status");
    result->sent = answer.status >= 500;
    return refuse(line, answer.status, err);
}

/* ---- talking ---- */

static bool say(const struct line *line, enum websocket_op op, struct span data, struct error *err)
{
    AUTO(text) struct text bytes = {0};
    unsigned char mask[4];

    if (!draw(mask, sizeof mask, err))
        return false;
    websocket_write(&bytes, op, data, mask);
    return send_all(line, (struct span){text_get(&bytes), bytes.length}, err);
}

/* All whole frames that have come. *over: it was closed. */
static bool take_frames(struct line *line, struct websocket *socket, const struct pod_exec *exec,
                        struct pod_exec_result *result, bool *over, struct error *err)
{
    while (!*over) {
        struct websocket_event event;
        size_t used;
        enum websocket_state state = websocket_read(socket, rest_of(line), &used, &event, err);

        line->taken += used;
        if (state == WEBSOCKET_BAD)
            return false;
        if (state == WEBSOCKET_MORE && used == 0)
            return true;
        if (state == WEBSOCKET_MORE)
            continue;
        if (event.op == WEBSOCKET_PING && !say(line, WEBSOCKET_PONG, event.data, err))
            return false;
        if (event.op == WEBSOCKET_BINARY && !pod_exec_take(exec, result, event.data))
            return error_set(err, ERROR_GONE, "nobody wants any more of it");
        *over = event.op == WEBSOCKET_CLOSE;
    }
    return true;
}

static bool listen_to(struct line *line, const struct pod_exec *exec,
                      struct pod_exec_result *result, struct error *err)
{
    AUTO(websocket) struct websocket socket = {.max = MESSAGE_MAX_BYTES};
    struct error ignored;
    bool over = false, end = false;

    while (!over && !end && !result->ended) {
        if (!take_frames(line, &socket, exec, result, &over, err))
            return false;
        if (!over && !result->ended && !receive(line, &end, err))
            return false;
    }
    /* a farewell that is not heard changes nothing of what is known */
    if (!end)
        (void)say(line, WEBSOCKET_CLOSE, (struct span){"\x03\xe8", 2}, &ignored);
    return pod_exec_judge(result, err);
}

bool kube_pod_exec(struct kube_client *client, const struct pod_exec *exec,
                   struct pod_exec_result *result, struct error *err)
{
    AUTO(line)
    struct line line = {.client = client,
                        .until_ms = clock_mono_ms() + exec->timeout_ms,
                        .cancel_fd = exec->cancel_fd};
    AUTO(text) struct text path = {0};

    if (!pod_exec_path(exec, &path, err) || !client_come_in(client, err))
        return false;

    bool good = connect_line(&line, text_get(&path), err) &&
                upgrade(&line, text_get(&path), result, err) && listen_to(&line, exec, result, err);

    /* its handle goes before the client may */
    transfer_unref(TAKE(line.transfer));
    client_go_out(client, !good);
    return good || error_wrap(err, "exec in pod %s/%s", exec->space, exec->pod);
}
