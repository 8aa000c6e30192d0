#include "kube/websocket.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/base64.h"

#define FIN 0x80u
#define RESERVED 0x70u
#define MASKED 0x80u

/* Bytes of a control frame's data. Section 5.5. */
#define CONTROL_MAX_BYTES 125u

/* ---- the handshake ---- */

static void base64_of(const unsigned char *bytes, size_t length, char *out, size_t room)
{
    AUTO(text) struct text text = {0};

    base64_encode(&text, (struct span){(const char *)bytes, length});
    if (text.length >= room)
        abort();
    memcpy(out, text_get(&text), text.length + 1);
}

void websocket_key(const unsigned char random[16], char key[WEBSOCKET_KEY_BYTES])
{
    base64_of(random, 16, key, WEBSOCKET_KEY_BYTES);
}

void websocket_accept(const char *key, char accept[WEBSOCKET_ACCEPT_BYTES])
{
    AUTO(free) char *text = text_format("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    unsigned char digest[20];

    if (gnutls_hash_fast(GNUTLS_DIG_SHA1, text, strlen(text), digest) < 0)
        abort();
    base64_of(digest, sizeof digest, accept, WEBSOCKET_ACCEPT_BYTES);
}

static enum websocket_state bad(struct error *err, const char *what)
{
    error_set(err, ERROR_BAD_REQUEST, "the server speaks no WebSocket: %s", what);
    return WEBSOCKET_BAD;
}

static bool is(struct span text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

static bool take_status(struct span line, int *status)
{
    if (line.length < 12 || memcmp(line.data, "HTTP/1.1 ", 9) != 0)
        return false;
    *status = 0;
    for (size_t i = 9; i < 12; i++) {
        if (line.data[i] < '0' || line.data[i] > '9')
            return false;
        *status = *status * 10 + (line.data[i] - '0');
    }
    return *status >= 100 && (line.length == 12 || line.data[12] == ' ');
}

/* What the lines of the head say. */
struct head {
    bool upgrade, connection;
    struct span accept, protocol, extensions;
};

static void take_field(struct span line, struct head *head)
{
    struct span rest = line, name, value;

    if (!text_split(&rest, ':', &name) || name.length == line.length)
        return;
    value = text_trim((struct span){line.data + name.length + 1, line.length - name.length - 1});
    if (is(name, "Upgrade"))
        head->upgrade = is(value, "websocket");
    else if (is(name, "Connection"))
        head->connection = is(value, "upgrade");
    else if (is(name, "Sec-WebSocket-Accept"))
        head->accept = value;
    else if (is(name, "Sec-WebSocket-Protocol"))
        head->protocol = value;
    else if (is(name, "Sec-WebSocket-Extensions"))
        head->extensions = value;
}

static enum websocket_state judge(const struct head *head, const char *key,
                                  struct websocket_answer *answer, struct error *err)
{
    char wanted[WEBSOCKET_ACCEPT_BYTES];

    answer->protocol = head->protocol;
    if (answer->status != 101)
        return WEBSOCKET_READY;
    websocket_accept(key, wanted);
    if (!head->upgrade || !head->connection)
        return bad(err, "101 without upgrade");
    if (!span_is(head->accept, wanted))
        return bad(err, "the answer is to another key");
    return head->extensions.length ? bad(err, "an extension that was not asked for")
                                   : WEBSOCKET_READY;
}

enum websocket_state websocket_answer(struct span received, const char *key,
                                      struct websocket_answer *answer, struct error *err)
{
    const char *end =
        received.length >= 4 ? memmem(received.data, received.length, "\r\n\r\n", 4) : NULL;
    struct head head = {0};
    struct span rest, line;

    if ((end ? (size_t)(end - received.data) : received.length) > WEBSOCKET_HEAD_MAX_BYTES)
        return bad(err, "its head is too long");
    if (!end)
        return WEBSOCKET_MORE;
    rest = (struct span){received.data, (size_t)(end - received.data)};
    *answer = (struct websocket_answer){.head = rest.length + 4};
    for (bool first = true; text_split(&rest, '\n', &line); first = false) {
        line = text_trim(line);
        if (first && !take_status(line, &answer->status))
            return bad(err, "its first line");
        if (!first)
            take_field(line, &head);
    }
    return judge(&head, key, answer, err);
}

/* ---- frames ---- */

void websocket_done(struct websocket *socket)
{
    text_done(&socket->message);
    *socket = (struct websocket){0};
}

/* The head of one frame. */
struct frame_head {
    unsigned op;
    bool last;
    size_t head, length; /* bytes */
};

static uint64_t number(const unsigned char *bytes, size_t count)
{
    uint64_t value = 0;

    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* A length is written in as few bytes as it needs. Section 5.2. */
static enum websocket_state take_length(struct span received, size_t max, struct frame_head *frame,
                                        struct error *err)
{
    const unsigned char *bytes = (const unsigned char *)received.data;
    unsigned small = bytes[1] & 0x7fu;
    size_t extra = small == 126 ? 2 : small == 127 ? 8 : 0;
    uint64_t length = small;

    frame->head = 2 + extra;
    if (received.length < frame->head)
        return WEBSOCKET_MORE;
    if (extra > 0)
        length = number(bytes + 2, extra);
    if ((extra == 2 && length < 126) || (extra == 8 && length <= 0xffff))
        return bad(err, "a length that is too long");
    if (length > max) {
        error_set(err, ERROR_TOO_LARGE, "a message has more than %zu bytes", max);
        return WEBSOCKET_BAD;
    }
    frame->length = (size_t)length;
    return WEBSOCKET_READY;
}

static enum websocket_state take_head(struct span received, size_t max, struct frame_head *frame,
                                      struct error *err)
{
    const unsigned char *bytes = (const unsigned char *)received.data;

    if (received.length < 2)
        return WEBSOCKET_MORE;
    frame->op = bytes[0] & 0x0fu;
    frame->last = bytes[0] & FIN;
    if (bytes[0] & RESERVED)
        return bad(err, "reserved bits");
    if (bytes[1] & MASKED)
        return bad(err, "a server masks nothing");
    if (frame->op > WEBSOCKET_PONG || (frame->op > WEBSOCKET_BINARY && frame->op < WEBSOCKET_CLOSE))
        return bad(err, "an unknown kind of frame");
    if (frame->op >= WEBSOCKET_CLOSE && (!frame->last || (bytes[1] & 0x7fu) > CONTROL_MAX_BYTES))
        return bad(err, "a control frame that is too long");
    return take_length(received, max, frame, err);
}

static enum websocket_state take_control(const struct frame_head *frame, struct span data,
                                         struct websocket_event *event, struct error *err)
{
    if (frame->op == WEBSOCKET_CLOSE && data.length == 1)
        return bad(err, "half of a reason to close");
    *event = (struct websocket_event){(int)frame->op, data};
    return WEBSOCKET_READY;
}

static enum websocket_state take_part(struct websocket *socket, const struct frame_head *frame,
                                      struct span data, struct websocket_event *event,
                                      struct error *err)
{
    if ((frame->op == WEBSOCKET_CONTINUATION) != (socket->op != 0))
        return bad(err, "parts of messages in another order");
    if (frame->op == WEBSOCKET_CONTINUATION && data.length > socket->max - socket->message.length) {
        error_set(err, ERROR_TOO_LARGE, "a message has more than %zu bytes", socket->max);
        return WEBSOCKET_BAD;
    }
    if (!socket->op)
        socket->op = (int)frame->op;
    text_add(&socket->message, data.data, data.length);
    if (!frame->last)
        return WEBSOCKET_MORE;
    *event =
        (struct websocket_event){socket->op, {text_get(&socket->message), socket->message.length}};
    socket->op = 0;
    socket->whole = true;
    return WEBSOCKET_READY;
}

enum websocket_state websocket_read(struct websocket *socket, struct span received, size_t *used,
                                    struct websocket_event *event, struct error *err)
{
    struct frame_head frame = {0};
    enum websocket_state state = take_head(received, socket->max, &frame, err);

    *used = 0;
    if (state != WEBSOCKET_READY)
        return state;
    if (received.length - frame.head < frame.length)
        return WEBSOCKET_MORE;

    struct span data = {received.data + frame.head, frame.length};

    if (socket->whole) {
        socket->message.length = 0;
        socket->whole = false;
    }
    *used = frame.head + frame.length;
    return frame.op >= WEBSOCKET_CLOSE ? take_control(&frame, data, event, err)
                                       : take_part(socket, &frame, data, event, err);
}

void websocket_write(struct text *out, enum websocket_op op, struct span data,
                     const unsigned char mask[4])
{
    size_t extra = data.length < 126 ? 0 : data.length <= 0xffff ? 2 : 8;

    text_putc(out, (char)(FIN | (unsigned)op));
    text_putc(out, (char)(MASKED | (extra == 0 ? data.length : extra == 2 ? 126 : 127)));
    for (size_t i = 0; i < extra; i++)
        text_putc(out, (char)(data.length >> (8 * (extra - 1 - i))));
    text_add(out, (const char *)mask, 4);
    for (size_t i = 0; i < data.length; i++)
        text_putc(out, (char)((unsigned char)data.data[i] ^ mask[i % 4]));
}
