#include "agent/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent/identity.h"
#include "agent/reply.h"
#include "agent/wire.h"
#include "api/agent_messages.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"

/* Milliseconds for connecting to one address: another may be reachable. */
#define CONNECT_MS 10000

/* Milliseconds until a stream begins: a pod is looked for first. And for which it may say nothing:
 * the other side says every 10 s that it is there. */
#define STREAM_BEGINS_MS 90000
#define STREAM_SILENT_MS 60000

/* Milliseconds between tries, and after 403. */
#define PAUSE_FIRST_MS 1000
#define PAUSE_MAX_MS 60000
#define PAUSE_FORBIDDEN_MS 60000

static const struct {
    const char *path;
    size_t max; /* bytes of the request */
    const struct message_shape *asked, *answered;
} calls[] = {
    [CLIENT_TRIGGER] = {"/v1/trigger", MESSAGE_REQUEST_MAX_BYTES, &message_trigger_shape,
                        &message_triggered_shape},
    [CLIENT_CLAIM] = {"/v1/claim", MESSAGE_REQUEST_MAX_BYTES, &message_claim_shape,
                      &message_granted_shape},
    [CLIENT_PROGRESS] = {"/v1/progress", MESSAGE_REQUEST_MAX_BYTES, &message_progress_shape,
                         &message_verdict_shape},
    [CLIENT_REPORT] = {"/v1/report", MESSAGE_REPORT_MAX_BYTES, &message_report_shape,
                       &message_receipt_shape},
    [CLIENT_STREAM] = {"/v1/stream", MESSAGE_REQUEST_MAX_BYTES, &message_stream_shape, NULL},
};

struct agent_client {
    const char *identity;
    int stop_fd;
    unsigned short seed[3];
    struct text ca; /* of `trust` */
    struct wire_trust *trust;
    struct wire *wire;                        /* kept, or NULL */
    char address[IDENTITY_ADDRESS_MAX_BYTES]; /* of `wire`, or that answered last */
};

enum agent_next agent_next(const struct refusal *refusal)
{
    static const struct {
        int status;
        enum agent_next next;
    } rows[] = {
        {400, CLIENT_GIVE_UP},      {404, CLIENT_END},          {405, CLIENT_GIVE_UP},
        {409, CLIENT_END_SILENTLY}, {410, CLIENT_END_SILENTLY}, {411, CLIENT_GIVE_UP},
        {413, CLIENT_GIVE_UP},      {415, CLIENT_GIVE_UP},      {422, CLIENT_GIVE_UP},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == refusal->status)
            return rows[i].next;
    return CLIENT_AGAIN;
}

int64_t agent_pause_ms(const struct refusal *refusal, unsigned failures, double chance)
{
    int64_t pause_ms = PAUSE_FIRST_MS;

    if (refusal->retry_after_s > 0)
        return refusal->retry_after_s * 1000 + (int64_t)(chance * PAUSE_FIRST_MS);
    if (refusal->status == 403)
        return PAUSE_FORBIDDEN_MS + (int64_t)(chance * PAUSE_FORBIDDEN_MS);
    for (unsigned i = 1; i < failures && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > PAUSE_MAX_MS)
        pause_ms = PAUSE_MAX_MS;
    return pause_ms / 2 + (int64_t)(chance * (double)pause_ms);
}

struct agent_client *agent_make(const char *identity, int stop_fd)
{
    struct agent_client *client = text_alloc(sizeof *client);
    int64_t now_us = clock_mono_us();

    *client = (struct agent_client){.identity = identity, .stop_fd = stop_fd};
    memcpy(client->seed, &now_us, sizeof client->seed);
    /* agents that start together must not come back together */
    if (getrandom(client->seed, sizeof client->seed, GRND_NONBLOCK) < 0)
        memcpy(client->seed, &now_us, sizeof client->seed);
    return client;
}

void agent_free(struct agent_client *client)
{
    if (!client)
        return;
    wire_close(client->wire);
    wire_trust_free(client->trust);
    text_done(&client->ca);
    free(client);
}

double agent_chance(struct agent_client *client)
{
    return erand48(client->seed);
}

bool agent_rest(const struct agent_client *client, int64_t pause_ms)
{
    int64_t until_ms = clock_mono_ms() + pause_ms, left_ms;
    struct pollfd stop = {client->stop_fd, POLLIN, 0};

    while ((left_ms = until_ms - clock_mono_ms()) > 0)
        if (poll(&stop, 1, left_ms > 60000 ? 60000 : (int)left_ms) > 0)
            return false;
    return true;
}

static void hang_up(struct agent_client *client)
{
    wire_close(client->wire);
    client->wire = NULL;
}

/* Makes what is trusted anew when the CA is another one. */
static bool look_at_trust(struct agent_client *client, const struct text *ca, struct error *err)
{
    if (client->trust && client->ca.length == ca->length &&
        memcmp(client->ca.data, ca->data, ca->length) == 0)
        return true;

    struct wire_trust *trust = wire_trust_make((struct span){text_get(ca), ca->length}, err);

    if (!trust)
        return error_wrap(err, IDENTITY_CA);
    hang_up(client);
    wire_trust_free(client->trust);
    client->trust = trust;
    text_done(&client->ca);
    text_add(&client->ca, ca->data, ca->length);
    return true;
}

/* The bytes of a request. */
static void write_request(struct text *out, enum agent_call call, const void *message,
                          const char *host, const struct text *token)
{
    AUTO(text) struct text body = {0};
    struct span shown = text_trim((struct span){text_get(token), token->length});

    message_write(calls[call].asked, message, &body);
    text_addf(out,
              "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: granary-agent/" GRANARY_VERSION
              "\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
              "Content-Length: %zu\r\nAuthorization: Bearer ",
              calls[call].path, host, body.length);
    text_add(out, shown.data, shown.length);
    text_puts(out, "\r\n\r\n");
    text_add(out, body.data, body.length);
}

static bool receive(struct agent_client *client, const struct wire_limit *limit,
                    struct reply *reply, bool *any, struct error *err)
{
    AUTO(secret_text) struct text received = {0};
    char piece[8192];
    bool good = true;
    enum reply_state state = REPLY_MORE;

    while (good && state == REPLY_MORE) {
        size_t got = 0;

        good = wire_receive(client->wire, piece, sizeof piece, limit, &got, err);
        if (!good)
            break;
        *any = *any || got > 0;
        text_add(&received, piece, got);
        state = reply_read((struct span){text_get(&received), received.length}, got == 0,
                           MESSAGE_ANSWER_MAX_BYTES, reply, err);
    }
    /* an answer to a claim holds keys */
    explicit_bzero(piece, sizeof piece);
    return good && state == REPLY_DONE;
}

/* One request to one address; on the connection that is kept when it is that address's. */
static bool exchange(struct agent_client *client, const char *address, struct span request,
                     const struct wire_limit *limit, struct reply *reply, struct error *err)
{
    struct wire_limit connecting = *limit;
    bool kept = client->wire && strcmp(client->address, address) == 0, any = false;

    if (!kept) {
        int64_t soon_ms = clock_mono_ms() + CONNECT_MS;

        connecting.until_ms = soon_ms < limit->until_ms ? soon_ms : limit->until_ms;
        hang_up(client);
        client->wire = wire_open(address, client->trust, &connecting, err);
        if (!client->wire)
            return false;
        memcpy(client->address, address, strlen(address) + 1);
    }
    if (wire_send(client->wire, request, limit, err) && receive(client, limit, reply, &any, err)) {
        if (!reply->keep)
            hang_up(client);
        return true;
    }
    hang_up(client);
    /* it was closed while nobody looked */
    if (kept && !any && err->code != ERROR_TIMEOUT && err->code != ERROR_GONE)
        return exchange(client, address, request, limit, reply, err);
    return error_wrap(err, "%s", address);
}

static void reply_done(struct reply *reply)
{
    text_wipe(&reply->body);
}

/* What a metav1.Status says, when it is one. */
static bool read_refusal(const struct reply *reply, struct refusal *refusal, struct error *err)
{
    AUTO(json)
    json_t *status =
        reply->json ? json_loadb(text_get(&reply->body), reply->body.length, 0, NULL) : NULL;
    const char *message = tree_text(status, "message");
    int64_t after_s = tree_int(tree_get(status, "details"), "retryAfterSeconds", 0);

    *refusal = (struct refusal){reply->status, reply->retry_after_s};
    if (after_s > 0)
        refusal->retry_after_s = after_s > REPLY_RETRY_MAX_S ? REPLY_RETRY_MAX_S : after_s;
    return error_set(err, (enum error_code)reply->status, "%d%s%s", reply->status,
                     message ? ": " : "", message ? message : "");
}

static bool read_answer(const struct reply *reply, enum agent_call call, void *answer,
                        json_t **document, struct refusal *refusal, struct error *err)
{
    if (reply->status != 200)
        return read_refusal(reply, refusal, err);

    json_t *read = reply->json
                       ? message_read(calls[call].answered,
                                      (struct span){text_get(&reply->body), reply->body.length},
                                      MESSAGE_ANSWER_MAX_BYTES, answer, err)
                       : NULL;

    if (read) {
        *document = read;
        return true;
    }
    /* nothing that we understand: as if nothing had come, another leader may speak otherwise */
    *refusal = (struct refusal){0, 0};
    if (!reply->json)
        error_set(err, ERROR_BAD_REQUEST, "the answer is no JSON");
    err->code = ERROR_UNAVAILABLE;
    return error_wrap(err, "%s", calls[call].path);
}

/* Asks one address. True: *good says whether it answered well; false: the next one may. */
static bool ask_one(struct agent_client *client, const char *address, enum agent_call call,
                    const void *message, const struct wire_limit *limit, const struct text *token,
                    struct reply *reply, struct error *err)
{
    AUTO(secret_text) struct text request = {0};

    write_request(&request, call, message, address, token);
    return exchange(client, address, (struct span){request.data, request.length}, limit, reply,
                    err);
}

static bool read_identity(struct agent_client *client, struct identity_addresses *addresses,
                          struct text *token, struct error *err)
{
    AUTO(text) struct text ca = {0};

    return identity_read(client->identity, addresses, &ca, token, err) == IDENTITY_GOOD &&
           look_at_trust(client, &ca, err);
}

/* The one that answered last goes first. */
static size_t first_of(const struct agent_client *client,
                       const struct identity_addresses *addresses)
{
    for (size_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->list[i], client->address) == 0)
            return i;
    return 0;
}

bool agent_ask(struct agent_client *client, enum agent_call call, const void *message,
               int64_t timeout_ms, void *answer, json_t **document, struct refusal *refusal,
               struct error *err)
{
    struct wire_limit limit = {clock_mono_ms() + timeout_ms, client->stop_fd};
    struct identity_addresses addresses = {.count = 0};
    AUTO(secret_text) struct text token = {0};
    bool good = read_identity(client, &addresses, &token, err), done = !good;

    *refusal = (struct refusal){0, 0};
    for (size_t i = 0, first = first_of(client, &addresses); !done && i < addresses.count; i++) {
        const char *address = addresses.list[(first + i) % addresses.count];
        struct reply reply = {0};

        if (ask_one(client, address, call, message, &limit, &token, &reply, err)) {
            good = read_answer(&reply, call, answer, document, refusal, err);
            done = refusal->status != 503 && (good || refusal->status != 0);
        } else {
            good = false;
            *refusal = (struct refusal){0, 0};
            done = err->code == ERROR_GONE || clock_mono_ms() >= limit.until_ms;
        }
        reply_done(&reply);
    }
    return good;
}

/* ---- streams ---- */

/* One that is asked for, at one address. */
struct streaming {
    struct agent_client *client;
    const struct stream_sink *sink;
    struct stream_reader *reader;
    struct refusal *refusal;
    struct error *err;
    struct text received; /* up to the end of the head, or of a refusal */
};

static struct wire_limit within(const struct agent_client *client, int64_t timeout_ms)
{
    return (struct wire_limit){clock_mono_ms() + timeout_ms, client->stop_fd};
}

static enum agent_streamed cut_of(const struct error *err)
{
    return err->code == ERROR_GONE ? STREAMED_UNWANTED : STREAMED_CUT;
}

/* False: it is over, *how. */
static bool feed(const struct streaming *one, struct span bytes, enum agent_streamed *how)
{
    while (bytes.length > 0) {
        struct span data;
        size_t used;
        enum stream_state state = stream_read(one->reader, bytes, &used, &data, one->err);

        bytes = (struct span){bytes.data + used, bytes.length - used};
        *how = state == STREAM_BAD ? STREAMED_CUT : STREAMED_UNWANTED;
        if (state == STREAM_BAD || (data.length > 0 && !one->sink->take(one->sink->context, data)))
            return false;
        *how = STREAMED_WHOLE;
        if (state == STREAM_ENDED && bytes.length == 0)
            return false;
    }
    return true;
}

static enum agent_streamed receive_body(const struct streaming *one)
{
    char piece[32768];
    enum agent_streamed how = STREAMED_CUT;
    const char *body = memmem(one->received.data, one->received.length, "\r\n\r\n", 4);
    size_t head = (size_t)(body + 4 - one->received.data);
    bool more = feed(one, (struct span){body + 4, one->received.length - head}, &how);

    while (more) {
        struct wire_limit limit = within(one->client, STREAM_SILENT_MS);
        size_t got = 0;

        if (!wire_receive(one->client->wire, piece, sizeof piece, &limit, &got, one->err))
            return cut_of(one->err);
        if (got == 0) {
            error_set(one->err, ERROR_UNAVAILABLE, "it ended before its trailer");
            return STREAMED_CUT;
        }
        more = feed(one, (struct span){piece, got}, &how);
    }
    return how;
}

static enum agent_streamed read_refused(struct streaming *one, bool ended)
{
    struct wire_limit limit = within(one->client, STREAM_SILENT_MS);
    struct reply reply = {0};
    char piece[4096];
    enum reply_state state;
    size_t got;

    for (;;) {
        state = reply_read((struct span){text_get(&one->received), one->received.length}, ended,
                           MESSAGE_ANSWER_MAX_BYTES, &reply, one->err);
        if (state != REPLY_MORE || ended ||
            !wire_receive(one->client->wire, piece, sizeof piece, &limit, &got, one->err))
            break;
        ended = got == 0;
        text_add(&one->received, piece, got);
    }
    if (state == REPLY_DONE)
        (void)read_refusal(&reply, one->refusal, one->err);
    reply_done(&reply);
    return state == REPLY_DONE ? STREAMED_REFUSED : cut_of(one->err);
}

static enum agent_streamed receive_stream(struct streaming *one)
{
    struct wire_limit limit = within(one->client, STREAM_BEGINS_MS);
    enum reply_state state = REPLY_MORE;
    struct span location;
    char piece[4096];
    int status = 0;
    size_t got = 1;

    while (state == REPLY_MORE && got > 0) {
        if (!wire_receive(one->client->wire, piece, sizeof piece, &limit, &got, one->err))
            return cut_of(one->err);
        text_add(&one->received, piece, got);
        state = reply_head((struct span){text_get(&one->received), one->received.length}, got == 0,
                           &status, &location, one->err);
    }
    if (state != REPLY_DONE)
        return cut_of(one->err);
    return status == 200 ? receive_body(one) : read_refused(one, got == 0);
}

static enum agent_streamed stream_from(struct streaming *one, const char *address,
                                       const struct message_stream *message,
                                       const struct text *token)
{
    struct agent_client *client = one->client;
    struct wire_limit limit = within(client, CONNECT_MS);
    AUTO(secret_text) struct text request = {0};

    hang_up(client);
    client->wire = wire_open(address, client->trust, &limit, one->err);
    if (!client->wire)
        return one->err->code == ERROR_GONE ? STREAMED_UNWANTED : STREAMED_NOTHING;
    memcpy(client->address, address, strlen(address) + 1);
    write_request(&request, CLIENT_STREAM, message, address, token);
    limit = within(client, CONNECT_MS);

    bool sent =
        wire_send(client->wire, (struct span){request.data, request.length}, &limit, one->err);
    enum agent_streamed how = sent ? receive_stream(one) : cut_of(one->err);

    text_done(&one->received);
    hang_up(client);
    return how;
}

enum agent_streamed agent_stream(struct agent_client *client, const struct message_stream *message,
                                 const struct stream_sink *sink, struct stream_reader *reader,
                                 struct refusal *refusal, struct error *err)
{
    struct streaming one = {client, sink, reader, refusal, err, {0}};
    struct identity_addresses addresses = {.count = 0};
    enum agent_streamed how = STREAMED_NOTHING;
    AUTO(secret_text) struct text token = {0};

    *refusal = (struct refusal){0, 0};
    if (!read_identity(client, &addresses, &token, err))
        return STREAMED_NOTHING;
    for (size_t i = 0, first = first_of(client, &addresses); i < addresses.count; i++) {
        how = stream_from(&one, addresses.list[(first + i) % addresses.count], message, &token);
        if (how != STREAMED_NOTHING && !(how == STREAMED_REFUSED && refusal->status == 503))
            break;
    }
    return how;
}
