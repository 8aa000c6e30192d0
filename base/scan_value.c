#include "base/scan_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"

const char scan_escapes[256] = {['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
                                ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t'};

int32_t scan_hex4(const char *at, const char *end)
{
    int32_t value = 0;

    if (end - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = at[i], lower = (char)(c | 0x20);

        if (c >= '0' && c <= '9')
            value = value * 16 + c - '0';
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + lower - 'a' + 10;
        else
            return -1;
    }
    return value;
}

static size_t encode(uint32_t point, char *out)
{
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (point & 0x3f));
        point >>= 6;
    }
    out[0] = (char)(leads[length] | point);
    return length;
}

/* Decodes the escape at *at (known to be good), moves behind it; returns how many bytes it is. */
static size_t decode(const char **at, const char *end, char out[4])
{
    char letter = (*at)[1];

    *at += 2;
    if (letter != 'u') {
        out[0] = scan_escapes[(unsigned char)letter];
        return 1;
    }

    int32_t point = scan_hex4(*at, end);

    *at += 4;
    if (scan_is_high(point)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (scan_hex4(*at + 2, end) - 0xdc00);
        *at += 6;
    }
    return encode((uint32_t)point, out);
}

size_t scan_unescape(struct span raw, char *out)
{
    const char *at = raw.data, *end = raw.data + raw.length;
    char *to = out, four[4];

    for (;;) {
        while (at < end && *at != '\\')
            *to++ = *at++;
        if (at == end)
            break;
        if (at[1] != 'u') { /* nearly all: the quotes in keys of managed fields */
            *to++ = scan_escapes[(unsigned char)at[1]];
            at += 2;
            continue;
        }

        size_t length = decode(&at, end, four);

        memcpy(to, four, length);
        to += length;
    }
    return (size_t)(to - out);
}

/* Compares the inside of a string that has escapes with a value. */
static bool raw_equals(struct span raw, struct span value)
{
    const char *at = raw.data, *end = raw.data + raw.length;
    const char *with = value.data, *with_end = value.data + value.length;
    char four[4];

    while (at < end && with < with_end) {
        if (*at != '\\') {
            if (*at++ != *with++)
                return false;
            continue;
        }

        size_t length = decode(&at, end, four);

        if ((size_t)(with_end - with) < length || memcmp(four, with, length) != 0)
            return false;
        with += length;
    }
    return at == end && with == with_end;
}

bool scan_string_equals(const struct scan *scan, const struct scan_value *string, struct span value)
{
    struct span raw = scan_inside(scan, string);

    return string->flags & SCAN_ESCAPED ? raw_equals(raw, value) : span_equal(raw, value);
}

bool scan_integer(struct span bytes, int64_t *value)
{
    bool negative = bytes.data[0] == '-';
    int64_t sum = 0;

    for (size_t i = negative; i < bytes.length; i++) {
        int64_t digit = bytes.data[i] - '0';

        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            return false;
    }
    *value = sum;
    return true;
}

double scan_real(struct span bytes)
{
    char few[64];
    AUTO(free) char *many = NULL;
    char *copy = few;

    if (bytes.length >= sizeof few)
        copy = many = text_dup(bytes.data, bytes.length);
    memcpy(copy, bytes.data, bytes.length);
    copy[bytes.length] = '\0';
    return strtod(copy, NULL);
}
