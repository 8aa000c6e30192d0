#include "agent/reply.h"

#include <string.h>
#include <strings.h>

#include "base/auto.h"

/* How the end of a body is known. */
enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE };

struct head {
    int status;
    bool json, close, has_length;
    enum framing framing;
    size_t length; /* BY_LENGTH */
    int64_t retry_after_s;
};

static enum reply_state bad(struct error *err, const char *what)
{
    error_set(err, ERROR_BAD_REQUEST, "the answer is no HTTP: %s", what);
    return REPLY_BAD;
}

static bool number(struct span digits, int base, size_t *value)
{
    size_t read = 0;

    if (!digits.length || digits.length > 12)
        return false;
    for (size_t i = 0; i < digits.length; i++) {
        const char *all = "0123456789abcdef", *upper = "0123456789ABCDEF";
        const char *at = digits.data[i] ? strchr(all, digits.data[i]) : NULL;
        const char *also = digits.data[i] ? strchr(upper, digits.data[i]) : NULL;
        long digit = at ? at - all : also ? also - upper : base;

        if (digit >= base)
            return false;
        read = read * (size_t)base + (size_t)digit;
    }
    *value = read;
    return true;
}

/* The line up to CR LF, without it; moves on behind it. False when its end has not come. */
static bool take_line(struct span *rest, struct span *line)
{
    const char *end = rest->length ? memmem(rest->data, rest->length, "\r\n", 2) : NULL;

    if (!end)
        return false;
    *line = (struct span){rest->data, (size_t)(end - rest->data)};
    rest->length -= line->length + 2;
    rest->data = end + 2;
    return true;
}

static bool take_status(struct span line, struct head *head)
{
    size_t status;

    if (line.length < 12 || memcmp(line.data, "HTTP/1.", 7) != 0 || line.data[8] != ' ' ||
        !number((struct span){line.data + 9, 3}, 10, &status) || status < 100 ||
        (line.length > 12 && line.data[12] != ' '))
        return false;
    head->status = (int)status;
    head->close = line.data[7] == '0';
    return true;
}

static bool is(struct span text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.data, word, text.length) == 0;
}

/* A media type, without its parameters. */
static bool is_json(struct span value)
{
    struct span type;

    return text_split(&value, ';', &type) && is(text_trim(type), "application/json");
}

/* Two lengths, or a length beside chunks, are how requests are smuggled: refused. */
static bool take_length(struct span value, struct head *head)
{
    bool good = number(value, 10, &head->length) && !head->has_length && head->framing != BY_CHUNKS;

    head->has_length = true;
    head->framing = BY_LENGTH;
    return good;
}

static bool take_field(struct span line, struct head *head)
{
    struct span rest = line, name, value;
    size_t seconds;

    if (!text_split(&rest, ':', &name) || name.length == line.length || !name.length)
        return false;
    value = text_trim((struct span){line.data + name.length + 1, line.length - name.length - 1});
    if (is(name, "Content-Length"))
        return take_length(value, head);
    if (is(name, "Transfer-Encoding")) {
        head->framing = BY_CHUNKS;
        return !head->has_length && is(value, "chunked");
    }
    if (is(name, "Content-Type"))
        head->json = is_json(value);
    else if (is(name, "Connection"))
        head->close = head->close || is(value, "close");
    else if (is(name, "Retry-After") && number(value, 10, &seconds))
        head->retry_after_s = seconds > REPLY_RETRY_MAX_S ? REPLY_RETRY_MAX_S : (int64_t)seconds;
    return true;
}

/* One head. REPLY_DONE: `rest` is behind it. */
static enum reply_state take_head(struct span *rest, struct head *head, struct error *err)
{
    size_t before = rest->length;
    struct span line;

    *head = (struct head){.framing = BY_CLOSE};
    for (bool first = true; take_line(rest, &line); first = false) {
        if (before - rest->length > REPLY_HEAD_MAX_BYTES)
            return bad(err, "its head is too long");
        if (first && !take_status(line, head))
            return bad(err, "its first line");
        if (!first && line.length == 0)
            return REPLY_DONE;
        if (!first && !take_field(line, head))
            return bad(err, "a line of its head");
    }
    return before > REPLY_HEAD_MAX_BYTES ? bad(err, "its head is too long") : REPLY_MORE;
}

static enum reply_state too_large(struct error *err, size_t max)
{
    error_set(err, ERROR_TOO_LARGE, "the answer has more than %zu bytes", max);
    return REPLY_BAD;
}

/* Chunks up to the empty one; trailers are read and forgotten. */
static enum reply_state take_chunks(struct span rest, size_t max, struct text *body,
                                    struct error *err)
{
    struct span line, size;
    size_t length;

    for (;;) {
        if (!take_line(&rest, &line))
            return rest.length > 1024 ? bad(err, "a chunk") : REPLY_MORE;
        struct span whole = line;

        if (!text_split(&whole, ';', &size) || !number(text_trim(size), 16, &length))
            return bad(err, "a chunk");
        if (length == 0)
            break;
        if (length > max - body->length)
            return too_large(err, max);
        if (rest.length < length + 2)
            return REPLY_MORE;
        if (memcmp(rest.data + length, "\r\n", 2) != 0)
            return bad(err, "a chunk");
        text_add(body, rest.data, length);
        rest.data += length + 2;
        rest.length -= length + 2;
    }
    while (take_line(&rest, &line))
        if (line.length == 0)
            return REPLY_DONE;
    return rest.length > REPLY_HEAD_MAX_BYTES ? bad(err, "its end") : REPLY_MORE;
}

static enum reply_state take_body(struct span rest, bool ended, size_t max, const struct head *head,
                                  struct text *body, struct error *err)
{
    if (head->status == 204 || head->status == 304)
        return REPLY_DONE;
    if (head->framing == BY_CHUNKS)
        return take_chunks(rest, max, body, err);
    if (head->framing == BY_LENGTH ? head->length > max : rest.length > max)
        return too_large(err, max);
    if (head->framing == BY_LENGTH ? rest.length < head->length : !ended)
        return REPLY_MORE;
    text_add(body, rest.data, head->framing == BY_LENGTH ? head->length : rest.length);
    return REPLY_DONE;
}

enum reply_state reply_read(struct span received, bool ended, size_t max, struct reply *reply,
                            struct error *err)
{
    AUTO(text) struct text body = {0};
    struct head head = {.status = 100};
    enum reply_state state = REPLY_DONE;

    while (state == REPLY_DONE && head.status < 200)
        state = take_head(&received, &head, err);
    if (state == REPLY_DONE)
        state = take_body(received, ended, max, &head, &body, err);
    if (state == REPLY_MORE && ended)
        return bad(err, "it ends too early");
    if (state != REPLY_DONE)
        return state;
    *reply = (struct reply){.status = head.status,
                            .json = head.json,
                            .keep = !head.close && !ended && head.framing != BY_CLOSE,
                            .retry_after_s = head.retry_after_s,
                            .body = body};
    body = (struct text){0};
    return REPLY_DONE;
}

/* What a line of a head says of another place; or what was found before. */
static struct span location_of(struct span line, struct span before)
{
    struct span rest = line, name;

    if (!text_split(&rest, ':', &name) || name.length == line.length || !is(name, "Location"))
        return before;
    return text_trim((struct span){line.data + name.length + 1, line.length - name.length - 1});
}

enum reply_state reply_head(struct span received, bool ended, int *status, struct span *location,
                            struct error *err)
{
    struct span rest = received, line, found = {NULL, 0};
    struct head head = {.status = 0};

    while (take_line(&rest, &line) && received.length - rest.length <= REPLY_HEAD_MAX_BYTES) {
        if (head.status == 0) {
            if (!take_status(line, &head))
                return bad(err, "its first line");
        } else if (line.length > 0) {
            found = location_of(line, found);
        } else if (head.status >= 200) {
            *status = head.status;
            *location = found;
            return REPLY_DONE;
        } else {
            head.status = 0;
        }
    }
    if (received.length > REPLY_HEAD_MAX_BYTES)
        return bad(err, "its head is too long");
    return ended ? bad(err, "it ends too early") : REPLY_MORE;
}
