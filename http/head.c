#include "http/head.h"

#include <ctype.h>
#include <strings.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

/* What a line may have to say about the rest, counted: repeated ones are where readers differ. */
struct framing {
    struct span length, coding, type;
    size_t hosts, lengths, codings, types, encodings;
};

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_BAD_REQUEST, "%s", what);
}

static bool same_word(struct span span, const char *word)
{
    return span.length == strlen(word) && strncasecmp(span.data, word, span.length) == 0;
}

static bool is_digit(char c)
{
    return '0' <= c && c <= '9';
}

/* RFC 9110 section 5.6.2 */
static bool is_token(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char)span.data[i];

        if (c >= 0x80 || (!isalnum(c) && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))))
            return false;
    }
    return span.length > 0;
}

static bool is_field_text(struct span span)
{
    for (size_t i = 0; i < span.length; i++) {
        unsigned char c = (unsigned char)span.data[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static void note(struct framing *framing, const struct head_line *line)
{
    struct span value = text_trim(line->value);

    if (same_word(line->name, "host"))
        framing->hosts += value.length > 0 ? 1 : 2;
    if (same_word(line->name, "content-encoding"))
        framing->encodings++;
    if (same_word(line->name, "content-length"))
        framing->lengths++, framing->length = value;
    if (same_word(line->name, "transfer-encoding"))
        framing->codings++, framing->coding = value;
    if (same_word(line->name, "content-type"))
        framing->types++, framing->type = value;
}

static bool read_lines(const struct head *head, struct framing *framing, struct error *err)
{
    if (head->count > HEADERS_MAX)
        return error_set(err, ERROR_HEADERS_TOO_LARGE, "more than %u header lines", HEADERS_MAX);
    for (size_t i = 0; i < head->count; i++) {
        if (!is_token(head->lines[i].name))
            return bad(err, "a header has a name that is no token");
        if (!is_field_text(head->lines[i].value))
            return bad(err, "a header has a control character in its value");
        note(framing, &head->lines[i]);
    }
    return true;
}

static bool read_length(struct span digits, uint64_t *length, struct error *err)
{
    uint64_t value = 0;

    if (digits.length == 0)
        return bad(err, "Content-Length is empty");
    for (size_t i = 0; i < digits.length; i++) {
        if (!is_digit(digits.data[i]))
            return bad(err, "Content-Length is no number");
        if (value > (UINT64_MAX - 9) / 10)
            return error_set(err, ERROR_TOO_LARGE, "Content-Length is beyond every limit");
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *length = value;
    return true;
}

/* Where a body ends must have exactly one reading. */
static bool judge_framing(const struct head *head, const struct framing *framing,
                          struct head_request *request, struct error *err)
{
    if (!span_is(head->version, "HTTP/1.1") && !span_is(head->version, "HTTP/1.0"))
        return bad(err, "neither HTTP/1.1 nor HTTP/1.0");
    if (framing->hosts != 1)
        return bad(err, "exactly one Host is needed");
    if (framing->lengths > 1)
        return bad(err, "more than one Content-Length");
    if (framing->codings > 1)
        return bad(err, "more than one Transfer-Encoding");
    if (framing->codings && framing->lengths)
        return bad(err, "both Content-Length and Transfer-Encoding");
    if (framing->codings && !same_word(framing->coding, "chunked"))
        return bad(err, "a Transfer-Encoding other than chunked");
    if (framing->codings && !span_is(head->version, "HTTP/1.1"))
        return bad(err, "Transfer-Encoding is for HTTP/1.1 only");
    request->chunked = framing->codings == 1;
    return !framing->lengths || read_length(framing->length, &request->length, err);
}

/* "nothing is here; try /mutate or /validate" */
static bool nowhere(const struct head_route *routes, struct error *err)
{
    AUTO(text) struct text paths = {0};

    for (const struct head_route *route = routes; route->path; route++) {
        if (route != routes)
            text_puts(&paths, route[1].path ? ", " : " or ");
        text_puts(&paths, route->path);
    }
    return error_set(err, ERROR_NOT_FOUND, "nothing is here; try %s", text_get(&paths));
}

static bool judge_route(const struct head *head, const struct head_route *routes,
                        const struct head_route **found, struct error *err)
{
    if (head->path.length > PATH_OF_REQUEST_MAX_BYTES)
        return error_set(err, ERROR_URI_TOO_LONG, "the path is too long");
    for (const struct head_route *route = routes; route->path; route++) {
        if (!span_is(head->path, route->path))
            continue;
        *found = route;
        return span_is(head->method, "POST") ||
               error_set(err, ERROR_METHOD, "only POST is answered here");
    }
    return nowhere(routes, err);
}

static bool judge_body(const struct framing *framing, uint64_t body_max,
                       const struct head_request *request, struct error *err)
{
    if (framing->types != 1 || !head_is_json(framing->type))
        return error_set(err, ERROR_MEDIA_TYPE, "the body must be application/json");
    if (framing->encodings > 0)
        return error_set(err, ERROR_MEDIA_TYPE, "Content-Encoding is not supported");
    if (!request->chunked && framing->lengths == 0)
        return error_set(err, ERROR_LENGTH_REQUIRED, "Content-Length is needed");
    if (request->length > body_max)
        return error_set(err, ERROR_TOO_LARGE, "the body has more than %llu bytes",
                         (unsigned long long)body_max);
    return request->chunked || request->length > 0 || bad(err, "the body is empty");
}

bool head_judge(const struct head *head, const struct head_route *routes, uint64_t body_max,
                struct head_request *request, struct error *err)
{
    struct framing framing = {0};
    struct head_request made = {0};
    const struct head_route *route = routes;

    if (!read_lines(head, &framing, err) || !judge_framing(head, &framing, &made, err) ||
        !judge_route(head, routes, &route, err) ||
        !judge_body(&framing, route->body_max ? route->body_max : body_max, &made, err))
        return false;
    made.endpoint = route->endpoint;
    *request = made;
    return true;
}

bool head_is_json(struct span value)
{
    struct span rest = value, part;
    bool first = true, charset = false;

    while (text_split(&rest, ';', &part)) {
        part = text_trim(part);
        if (first && !same_word(part, "application/json"))
            return false;
        if (!first && (charset ||
                       !(same_word(part, "charset=utf-8") || same_word(part, "charset=\"utf-8\""))))
            return false;
        charset = !first;
        first = false;
    }
    return !first;
}

int64_t head_timeout_ms(struct span query)
{
    static const char key[] = "timeout=";
    struct span pair;

    while (text_split(&query, '&', &pair)) {
        int64_t value = 0;
        size_t i = sizeof key - 1;

        if (pair.length < i || memcmp(pair.data, key, i) != 0)
            continue;
        for (; i < pair.length && is_digit(pair.data[i]) && value < 1000000; i++)
            value = value * 10 + (pair.data[i] - '0');

        struct span unit = {pair.data + i, pair.length - i};

        return span_is(unit, "s") ? value * 1000 : span_is(unit, "ms") ? value : 0;
    }
    return 0;
}

size_t head_uri_length(const char *uri)
{
    for (const char *at = uri; *at; at++)
        if ((unsigned char)*at <= 0x20 || *at == 0x7f)
            return SIZE_MAX;
    return strlen(uri);
}

/* The piece begins here and one NUL stands behind it. */
static bool lies_at(const char **at, const char *end, struct span piece)
{
    if (piece.data != *at || piece.length >= (size_t)(end - *at) || (*at)[piece.length] != '\0')
        return false;
    *at += piece.length + 1;
    return true;
}

static bool takes(const char **at, const char *end, char c)
{
    return *at < end && **at == c && (*at)++;
}

bool head_is_tight(const struct head *head, const char *start, size_t size, size_t uri_length)
{
    const char *at = start, *end = start + size;

    if (!lies_at(&at, end, head->method) || head->path.data != at ||
        uri_length >= (size_t)(end - at))
        return false;
    at += uri_length + 1;
    if (!lies_at(&at, end, head->version) || !takes(&at, end, '\0'))
        return false;
    for (size_t i = 0; i < head->count; i++) {
        if (!lies_at(&at, end, head->lines[i].name))
            return false;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        if (!lies_at(&at, end, head->lines[i].value) || !takes(&at, end, '\0'))
            return false;
    }
    return end - at == 2 && at[0] == '\0' && at[1] == '\0';
}
