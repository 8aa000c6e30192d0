#include "base/text.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/plain.h"

#define DISTANCE_MAX_BYTES 64

/* Room that a text begins with: most are a name or a line. */
#define TEXT_FIRST_BYTES 128

void *text_alloc(size_t size)
{
    void *pointer = calloc(1, size ? size : 1);

    if (!pointer)
        abort();
    return pointer;
}

void *text_realloc(void *pointer, size_t size)
{
    void *moved = realloc(pointer, size ? size : 1);

    if (!moved)
        abort();
    return moved;
}

char *text_dup(const char *data, size_t length)
{
    char *copy = text_alloc(length + 1);

    if (length)
        memcpy(copy, data, length);
    return copy;
}

void text_done(struct text *text)
{
    free(text->data);
    *text = (struct text){0};
}

void text_wipe(struct text *text)
{
    if (text->data)
        explicit_bzero(text->data, text->room);
    text_done(text);
}

void text_reserve(struct text *text, size_t more)
{
    size_t need = text->length + more + 1;

    if (need <= text->room)
        return;

    size_t room = text->room ? text->room : TEXT_FIRST_BYTES;

    while (room < need)
        room *= 2;
    text->data = text_realloc(text->data, room);
    text->room = room;
}

/* The same for what is called for every few bytes. */
static inline void reserve(struct text *text, size_t more)
{
    if (text->length + more >= text->room)
        text_reserve(text, more);
}

void text_add(struct text *text, const char *data, size_t length)
{
    reserve(text, length);
    assert(text->data);
    if (length)
        memcpy(text->data + text->length, data, length);
    text->length += length;
    text->data[text->length] = '\0';
}

/* Takes the one argument of "%s" or the two of "%.*s"; returns what stands behind the directive, or
 * NULL when it is another. */
static const char *add_string(struct text *text, const char *percent, va_list *args)
{
    size_t most = SIZE_MAX;
    const char *string;

    if (percent[1] == '.' && percent[2] == '*' && percent[3] == 's') {
        most = (size_t)va_arg(*args, int);
        percent += 2;
    } else if (percent[1] != 's') {
        return NULL;
    }
    string = va_arg(*args, const char *);
    if (!string)
        string = most < strlen("(null)") ? "" : "(null)";
    text_add(text, string, strnlen(string, most));
    return percent + 2;
}

/* Nearly all formats are made of strings only, which printf() takes five times as long for. Does
 * its work up to the first directive that is something else, and returns that place. */
static const char *add_strings(struct text *text, const char *format, va_list *args)
{
    for (;;) {
        const char *percent = strchrnul(format, '%');

        text_add(text, format, (size_t)(percent - format));
        format = *percent ? add_string(text, percent, args) : NULL;
        if (!format)
            return percent;
    }
}

static void add_formatted(struct text *text, const char *format, va_list *args)
{
    va_list again;
    size_t room;
    int length;

    /* most pieces are short: one pass is enough when they fit at once */
    reserve(text, 63);
    room = text->room - text->length;
    va_copy(again, *args);
    length = vsnprintf(text->data + text->length, room, format, again);
    va_end(again);
    assert(length >= 0);
    if ((size_t)length >= room) {
        reserve(text, (size_t)length);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, *args);
    }
    text->length += (size_t)length;
}

void text_addv(struct text *text, const char *format, va_list args)
{
    va_list rest;

    va_copy(rest, args);
    format = add_strings(text, format, &rest);
    if (*format)
        add_formatted(text, format, &rest);
    va_end(rest);
}

void text_addf(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    text_addv(text, format, args);
    va_end(args);
}

const char *text_get(const struct text *text)
{
    return text->data ? text->data : "";
}

char *text_take(struct text *text)
{
    char *data = text->data ? text->data : text_alloc(1);

    *text = (struct text){0};
    return data;
}

char *text_format(const char *format, ...)
{
    struct text text = {0};
    va_list args;

    va_start(args, format);
    text_addv(&text, format, args);
    va_end(args);
    return text_take(&text);
}

/* How each byte stands in a JSON string: 0 as it is, 'u' as \\u00xx, else behind a backslash. */
static const char escapes[256] = {
    [0x00] = 'u', [0x01] = 'u', [0x02] = 'u', [0x03] = 'u',  [0x04] = 'u', [0x05] = 'u',
    [0x06] = 'u', [0x07] = 'u', [0x0b] = 'u', [0x0e] = 'u',  [0x0f] = 'u', [0x10] = 'u',
    [0x11] = 'u', [0x12] = 'u', [0x13] = 'u', [0x14] = 'u',  [0x15] = 'u', [0x16] = 'u',
    [0x17] = 'u', [0x18] = 'u', [0x19] = 'u', [0x1a] = 'u',  [0x1b] = 'u', [0x1c] = 'u',
    [0x1d] = 'u', [0x1e] = 'u', [0x1f] = 'u', ['\b'] = 'b',  ['\t'] = 't', ['\n'] = 'n',
    ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\',
};

static void add_escaped(struct text *text, unsigned char c)
{
    if (escapes[c] == 'u') {
        text_addf(text, "\\u%04x", c);
    } else {
        text_putc(text, '\\');
        text_putc(text, escapes[c]);
    }
}

/* Bytes that are copied one by one while they are looked at; beyond it, 16 at once are. */
#define SHORT_BYTES 32

/* Copies a short piece where there is room for it; false when something in it must be escaped. */
static inline bool copy_plain(char *to, const char *data, size_t length)
{
    char unlike = 0;

    for (size_t i = 0; i < length; i++) {
        to[i] = data[i];
        unlike |= escapes[(unsigned char)data[i]];
    }
    return !unlike;
}

void text_add_json(struct text *text, const char *data, size_t length)
{
    reserve(text, length);
    if (length <= SHORT_BYTES && copy_plain(text->data + text->length, data, length)) {
        text->length += length;
        text->data[text->length] = '\0';
        return;
    }

    const char *end = data + length;

    for (const char *start = data, *at = data; start < end; start = ++at) {
        while ((at = plain_end(at, end)) < end && !escapes[(unsigned char)*at])
            at++;
        text_add(text, start, (size_t)(at - start));
        if (at < end)
            add_escaped(text, (unsigned char)*at);
    }
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct span text_trim(struct span span)
{
    while (span.length && blank(span.data[0])) {
        span.data++;
        span.length--;
    }
    while (span.length && blank(span.data[span.length - 1]))
        span.length--;
    return span;
}

bool text_split(struct span *rest, char separator, struct span *element)
{
    if (!rest->data || (rest->length == 0))
        return false;

    const char *end = memchr(rest->data, separator, rest->length);

    if (!end) {
        *element = *rest;
        *rest = (struct span){0};
        return true;
    }
    *element = (struct span){rest->data, (size_t)(end - rest->data)};
    rest->length -= element->length + 1;
    rest->data = end + 1;
    return true;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Gives up, with SIZE_MAX, when it must become more than the limit. */
static size_t distance_within(struct span a, struct span b, size_t limit)
{
    size_t row[DISTANCE_MAX_BYTES + 1];

    if (a.length > DISTANCE_MAX_BYTES || b.length > DISTANCE_MAX_BYTES)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        size_t diagonal = row[0], lowest = i;

        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            size_t replaced = diagonal + (a.data[i - 1] != b.data[j - 1]);

            diagonal = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, replaced);
            lowest = row[j] < lowest ? row[j] : lowest;
        }
        if (lowest > limit)
            return SIZE_MAX;
    }
    return row[b.length];
}

size_t text_distance(struct span a, struct span b)
{
    return distance_within(a, b, SIZE_MAX);
}

bool text_is_near(struct span a, struct span b, size_t limit)
{
    size_t apart = a.length > b.length ? a.length - b.length : b.length - a.length;

    return apart <= limit && distance_within(a, b, limit) <= limit;
}

const char *text_did_you_mean(struct span word, const char *const *candidates)
{
    size_t third = word.length / 3, best = third < 1 ? 1 : third > 3 ? 3 : third;
    const char *found = NULL;

    for (; *candidates; candidates++) {
        size_t distance = distance_within(word, span_of(*candidates), best);

        if (distance < best || (distance == best && !found)) {
            best = distance;
            found = *candidates;
        }
    }
    return found;
}

/* The code point at the start of the span, or -1 for bad UTF-8; *used is how many bytes it took. */
static int32_t code_point(struct span s, size_t *used)
{
    static const struct {
        unsigned char mask, lead;
        size_t length;
        int32_t least;
    } forms[] = {{0x80, 0x00, 1, 0},
                 {0xe0, 0xc0, 2, 0x80},
                 {0xf0, 0xe0, 3, 0x800},
                 {0xf8, 0xf0, 4, 0x10000}};
    unsigned char first = (unsigned char)s.data[0];

    *used = 1;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if ((first & forms[f].mask) != forms[f].lead)
            continue;
        if (s.length < forms[f].length)
            return -1;

        int32_t point = first & ~forms[f].mask & 0x7f;

        for (size_t i = 1; i < forms[f].length; i++) {
            if ((s.data[i] & 0xc0) != 0x80)
                return -1;
            point = (point << 6) | (s.data[i] & 0x3f);
        }
        if (point < forms[f].least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return -1;
        *used = forms[f].length;
        return point;
    }
    return -1;
}

static bool harmless(int32_t c)
{
    return c >= 0x20 && !(c >= 0x7f && c <= 0x9f) && c != 0x2028 && c != 0x2029 &&
           !(c >= 0x202a && c <= 0x202e) && !(c >= 0x2066 && c <= 0x2069) && c != 0x200e &&
           c != 0x200f;
}

/* What nearly every name and message is. */
static bool is_plain(struct span span)
{
    for (size_t i = 0; i < span.length; i++)
        if (span.data[i] < 0x20 || span.data[i] > 0x7e)
            return false;
    return true;
}

char *text_printable(struct span span, size_t max_chars)
{
    struct text out = {0};
    size_t chars = 0, cut = 0;

    if (span.length <= max_chars && is_plain(span))
        return text_dup(span.data, span.length);
    while (span.length) {
        size_t used;
        int32_t point = code_point(span, &used);

        if (chars == max_chars) {
            out.length = cut;
            text_puts(&out, "...");
            break;
        }
        if (harmless(point))
            text_add(&out, span.data, used);
        else
            text_putc(&out, '?');
        span.data += used;
        span.length -= used;
        if (++chars + 3 <= max_chars)
            cut = out.length;
    }
    return text_take(&out);
}
