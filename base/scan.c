#include "base/scan.h"

#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"

/* Bytes of text for one entry of the table: what Kubernetes writes has 12 to 16. */
#define BYTES_PER_VALUE 8

/* An object of more members, or of more keys with escapes, has its keys sorted to find duplicates;
 * below that, each key is compared with those before it that look alike. */
#define FEW_MEMBERS 32
#define FEW_ESCAPED 8

#define KEY_SHOWN_MAX_CHARS 60

/* An open object or list. */
struct level {
    uint64_t looks;   /* one bit for each key seen, by look() */
    uint32_t entry;   /* index in the table */
    uint32_t members; /* that have begun */
    uint32_t escaped; /* keys with escapes */
    char closer;      /* '}' or ']' */
};

struct parser {
    struct scan *scan;
    const char *end;
    struct error *err;
    uint32_t depth;
    struct level levels[JSON_MAX_DEPTH];
};

/* Failures: every step of the parser returns the place behind what it took, or NULL. */

struct place {
    unsigned line, column;
};

/* Line and column of a byte, counted only when somebody needs them. What stands before it has been
 * judged, so the bytes that continue a character are known by their form. */
static struct place locate(const struct scan *scan, const char *at)
{
    struct place place = {1, 1};

    for (const char *c = scan->text.data; c < at; c++) {
        if (*c == '\n')
            place = (struct place){place.line + 1, 1};
        else if (((unsigned char)*c & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

static const char *expected(struct parser *p, const char *at, const char *what)
{
    struct place place = locate(p->scan, at);
    unsigned char found = at < p->end ? (unsigned char)*at : 0;

    if (at == p->end)
        error_set(p->err, ERROR_BAD_REQUEST, "%u:%u: the text ends, expected %s", place.line,
                  place.column, what);
    else if (found > 0x20 && found < 0x7f)
        error_set(p->err, ERROR_BAD_REQUEST, "%u:%u: found '%c', expected %s", place.line,
                  place.column, found, what);
    else
        error_set(p->err, ERROR_BAD_REQUEST, "%u:%u: found byte 0x%02x, expected %s", place.line,
                  place.column, found, what);
    return NULL;
}

static const char *refuse(struct parser *p, const char *at, enum error_code code, const char *why)
{
    struct place place = locate(p->scan, at);

    error_set(p->err, code, "%u:%u: %s", place.line, place.column, why);
    return NULL;
}

/* Strings. */

/* The first byte that is a quote, a backslash, a control character or no ASCII. */
static inline const char *plain(const char *at, const char *end)
{
#ifdef __SSE2__
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const void *)at);
        /* signed: what is not ASCII is negative, and so below the blank like control characters */
        __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
        __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
        __m128i slash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
        int found = _mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));

        if (found)
            return at + __builtin_ctz((unsigned)found);
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)(*at - 0x20) < 0x60)
        at++;
    return at;
}

/* One character outside of ASCII. Spec: RFC 3629 section 4, the table of well-formed sequences. */
static const char *character(struct parser *p, const char *at)
{
    static const struct {
        unsigned char first, last; /* of the lead byte */
        unsigned char low, high;   /* of the byte after it */
        unsigned char length;
    } forms[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
                 {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
                 {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    const unsigned char *byte = (const unsigned char *)at;

    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if (byte[0] < forms[f].first || byte[0] > forms[f].last)
            continue;
        if (p->end - at < forms[f].length || byte[1] < forms[f].low || byte[1] > forms[f].high)
            break;
        for (size_t i = 2; i < forms[f].length; i++)
            if ((byte[i] & 0xc0) != 0x80)
                return expected(p, at, "UTF-8");
        return at + forms[f].length;
    }
    return expected(p, at, "UTF-8");
}

/* The value of four hexadecimal digits, or -1. */
static int32_t hex4(const char *at, const char *end)
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

static bool is_high(int32_t unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(int32_t unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

/* "\uXXXX", or two of them that are one character. */
static const char *unicode_escape(struct parser *p, const char *at, uint8_t *flags)
{
    int32_t unit = hex4(at + 2, p->end);

    if (unit < 0)
        return expected(p, at, "four hexadecimal digits after \\u");
    if (is_low(unit))
        return refuse(p, at, ERROR_BAD_REQUEST, "a low surrogate without a high one before it");
    if (unit == 0)
        *flags |= SCAN_NUL;
    if (!is_high(unit))
        return at + 6;
    if (p->end - at < 8 || at[6] != '\\' || at[7] != 'u' || !is_low(hex4(at + 8, p->end)))
        return refuse(p, at, ERROR_BAD_REQUEST, "a high surrogate without a low one behind it");
    return at + 12;
}

static const char *escape(struct parser *p, const char *at, uint8_t *flags)
{
    *flags |= SCAN_ESCAPED;
    if (p->end - at < 2)
        return expected(p, p->end, "an escape");
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        return unicode_escape(p, at, flags);
    default:
        return expected(p, at + 1, "one of \"\\/bfnrtu after a backslash");
    }
}

/* Takes a string from behind its opening quote on. */
static inline const char *string(struct parser *p, const char *at, uint8_t *flags)
{
    for (at = plain(at, p->end); at; at = at ? plain(at, p->end) : NULL) {
        if (at == p->end)
            return expected(p, at, "the end of a string");
        if (*at == '"')
            return at + 1;
        if (*at == '\\')
            at = escape(p, at, flags);
        else if ((unsigned char)*at >= 0x80)
            at = character(p, at);
        else
            return expected(p, at, "an escape instead of a control character");
    }
    return NULL;
}

/* Numbers. */

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
}

/* The integer of these bytes, which are known to be one; false when it is beyond int64. */
static bool integer(struct span bytes, int64_t *value)
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

/* The real number of these bytes, which are known to be one; infinite when it is too large. */
static double real(struct span bytes)
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

/* The places behind the fraction and behind the exponent, or NULL. */
static const char *fraction(struct parser *p, const char *at, uint8_t *flags)
{
    if (at < p->end && *at == '.') {
        const char *end = digits(at + 1, p->end);

        if (end == at + 1)
            return expected(p, end, "a digit");
        *flags |= SCAN_REAL;
        at = end;
    }
    if (at < p->end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < p->end && (*at == '+' || *at == '-');

        const char *end = digits(at, p->end);

        if (end == at)
            return expected(p, end, "a digit");
        *flags |= SCAN_REAL;
        at = end;
    }
    return at;
}

/* 18 digits always fit into int64, 300 characters without an exponent into a double. */
static bool number_fits(struct span bytes, uint8_t flags)
{
    int64_t ignored;

    if (!(flags & SCAN_REAL))
        return bytes.length <= 18 || integer(bytes, &ignored);
    if (bytes.length < 300 && !memchr(bytes.data, 'e', bytes.length) &&
        !memchr(bytes.data, 'E', bytes.length))
        return true;
    return __builtin_isfinite(real(bytes));
}

static const char *number(struct parser *p, const char *start, uint8_t *flags)
{
    const char *at = start + (*start == '-');
    const char *end = digits(at, p->end);

    if (end == at)
        return expected(p, end, "a digit");
    if (*at == '0' && end > at + 1)
        return expected(p, at + 1, "no digit after a leading zero");
    end = fraction(p, end, flags);
    if (end && !number_fits((struct span){start, (size_t)(end - start)}, *flags))
        return refuse(p, start, ERROR_BAD_REQUEST,
                      *flags & SCAN_REAL ? "a number too large for a double"
                                         : "an integer beyond 64 bits");
    return end;
}

/* The table. */

static bool grow(struct parser *p, const char *at)
{
    struct scan *scan = p->scan;
    size_t room = scan->room ? 2 * (size_t)scan->room : scan->text.length / BYTES_PER_VALUE + 16;

    if (scan->count == JSON_MAX_VALUES) {
        refuse(p, at, ERROR_TOO_LARGE, "more values than are accepted");
        return false;
    }
    if (room > JSON_MAX_VALUES)
        room = JSON_MAX_VALUES;
    scan->values = text_realloc(scan->values, room * sizeof *scan->values);
    scan->room = (uint32_t)room;
    return true;
}

/* A new entry that ends with itself. */
static inline struct scan_value *add(struct parser *p, const char *at, enum scan_type type)
{
    struct scan *scan = p->scan;

    if (scan->count == scan->room && !grow(p, at))
        return NULL;

    struct scan_value *value = &scan->values[scan->count++];

    *value = (struct scan_value){
        .start = (uint32_t)(at - scan->text.data), .next = scan->count, .type = (uint8_t)type};
    return value;
}

static inline const char *finish(struct parser *p, struct scan_value *value, const char *end)
{
    if (end)
        value->end = (uint32_t)(end - p->scan->text.data);
    return end;
}

/* Unescaped values. */

/* The bytes between the quotes. */
static struct span inside(const struct scan *scan, const struct scan_value *string)
{
    return (struct span){scan->text.data + string->start + 1,
                         (size_t)(string->end - string->start - 2)};
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
    static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char letter = (*at)[1];

    *at += 2;
    if (letter != 'u') {
        out[0] = values[strchr(letters, letter) - letters];
        return 1;
    }

    int32_t point = hex4(*at, end);

    *at += 4;
    if (is_high(point)) {
        point = 0x10000 + ((point - 0xd800) << 10) + (hex4(*at + 2, end) - 0xdc00);
        *at += 6;
    }
    return encode((uint32_t)point, out);
}

/* Writes the value of a string's inside to `out` (never longer); returns its length. */
static size_t unescape(struct span raw, char *out)
{
    const char *at = raw.data, *end = raw.data + raw.length;
    char *to = out, four[4];

    while (at < end) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }

        size_t length = decode(&at, end, four);

        memcpy(to, four, length);
        to += length;
    }
    return (size_t)(to - out);
}

/* Compares the inside of a string, unescaped, with a value. */
static bool raw_equals(struct span raw, struct span value)
{
    const char *at = raw.data, *end = raw.data + raw.length;
    char four[4];

    if (value.length > raw.length)
        return false;
    while (at < end) {
        size_t length = 1;

        if (*at == '\\')
            length = decode(&at, end, four);
        else
            four[0] = *at++;
        if (length > value.length || memcmp(four, value.data, length) != 0)
            return false;
        value.data += length;
        value.length -= length;
    }
    return value.length == 0;
}

static bool string_equals(const struct scan *scan, const struct scan_value *string,
                          struct span value)
{
    struct span raw = inside(scan, string);

    return string->flags & SCAN_ESCAPED ? raw_equals(raw, value) : span_equal(raw, value);
}

/* Duplicate keys. */

/* An unescaped key, to be sorted. */
struct name {
    uint64_t hash;
    struct span key;
    uint32_t entry;
};

/* By hash only to compare fewer bytes: keys made to collide cost no more than a longer compare. */
static int by_key(const void *left, const void *right)
{
    const struct name *a = left, *b = right;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->key.length != b->key.length)
        return a->key.length < b->key.length ? -1 : 1;

    int order = memcmp(a->key.data, b->key.data, a->key.length);

    return order ? order : a->entry < b->entry ? -1 : a->entry > b->entry;
}

/* FNV-1a. */
static uint64_t hash(struct span key)
{
    uint64_t value = 0xcbf29ce484222325;

    for (size_t i = 0; i < key.length; i++)
        value = (value ^ (unsigned char)key.data[i]) * 0x100000001b3;
    return value;
}

static const char *duplicate(struct parser *p, uint32_t entry)
{
    const struct scan_value *key = &p->scan->values[entry];
    const char *at = p->scan->text.data + key->start;
    struct place place = locate(p->scan, at);
    AUTO(free) char *shown = text_printable(inside(p->scan, key), KEY_SHOWN_MAX_CHARS);

    error_set(p->err, ERROR_BAD_REQUEST, "%u:%u: the key \"%s\" stands twice in one object",
              place.line, place.column, shown);
    return NULL;
}

/* Fills in the names of an object's keys; those with escapes are unescaped into `bytes`. */
static void names_of(const struct scan *scan, uint32_t object, struct name *names, char *bytes)
{
    uint32_t end = scan->count;

    for (uint32_t i = object + 1; i < end; i = scan->values[i + 1].next) {
        struct span key = inside(scan, &scan->values[i]);

        if (scan->values[i].flags & SCAN_ESCAPED) {
            key = (struct span){bytes, unescape(key, bytes)};
            bytes += key.length;
        }
        *names++ = (struct name){hash(key), key, i};
    }
}

static size_t escaped_bytes(const struct scan *scan, uint32_t object)
{
    size_t bytes = 0;

    for (uint32_t i = object + 1; i < scan->count; i = scan->values[i + 1].next)
        if (scan->values[i].flags & SCAN_ESCAPED)
            bytes += scan->values[i].end - scan->values[i].start;
    return bytes;
}

/* Finds duplicates among the many keys of the object that just ended: n log n compares. */
static const char *all_differ(struct parser *p, const struct level *level, const char *at)
{
    AUTO(free) struct name *names = text_alloc(level->members * sizeof *names);
    AUTO(free) char *bytes = text_alloc(escaped_bytes(p->scan, level->entry));
    uint32_t first = SCAN_NONE;

    names_of(p->scan, level->entry, names, bytes);
    qsort(names, level->members, sizeof *names, by_key);
    for (uint32_t i = 1; i < level->members; i++)
        if (names[i].hash == names[i - 1].hash && span_equal(names[i].key, names[i - 1].key) &&
            names[i].entry < first)
            first = names[i].entry;
    return first == SCAN_NONE ? at : duplicate(p, first);
}

static bool keys_equal(const struct scan *scan, const struct scan_value *a,
                       const struct scan_value *b)
{
    if (!(a->flags & SCAN_ESCAPED))
        return string_equals(scan, b, inside(scan, a));
    if (!(b->flags & SCAN_ESCAPED))
        return string_equals(scan, a, inside(scan, b));

    AUTO(free) char *value = text_alloc(a->end - a->start);

    return raw_equals(inside(scan, b), (struct span){value, unescape(inside(scan, a), value)});
}

/* Compares the key just read with those before it in the same object. */
static const char *differs(struct parser *p, const struct level *level, const char *at)
{
    const struct scan *scan = p->scan;
    uint32_t last = scan->count - 1;

    for (uint32_t i = level->entry + 1; i < last; i = scan->values[i + 1].next)
        if (keys_equal(scan, &scan->values[i], &scan->values[last]))
            return duplicate(p, last);
    return at;
}

/* A bit that equal keys without escapes share, and most others do not. */
static uint64_t look(struct span key)
{
    size_t n = key.length;
    unsigned mix = (unsigned)n * 7;

    if (n)
        mix += (unsigned char)key.data[n - 1] * 5u + (unsigned char)key.data[n / 2] * 11u;
    return UINT64_C(1) << (mix & 63);
}

static const char *new_key(struct parser *p, const struct scan_value *key, const char *at)
{
    struct level *level = &p->levels[p->depth - 1];
    uint64_t bit = look(inside(p->scan, key));
    bool seen = level->looks & bit;

    level->looks |= bit;
    level->escaped += key->flags & SCAN_ESCAPED;
    if (level->members > FEW_MEMBERS || level->escaped > FEW_ESCAPED)
        return at; /* looked at when the object ends */
    return seen || level->escaped ? differs(p, level, at) : at;
}

/* The grammar. */

static inline const char *blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static const char *open_container(struct parser *p, const char *at, enum scan_type type)
{
    if (p->depth == JSON_MAX_DEPTH)
        return refuse(p, at, ERROR_BAD_REQUEST, "nested too deeply");
    if (!add(p, at, type))
        return NULL;
    p->levels[p->depth++] =
        (struct level){.entry = p->scan->count - 1, .closer = type == SCAN_OBJECT ? '}' : ']'};
    return at + 1;
}

static const char *close_container(struct parser *p, const char *at)
{
    const struct level *level = &p->levels[--p->depth];
    struct scan_value *value = &p->scan->values[level->entry];

    value->next = p->scan->count;
    value->end = (uint32_t)(at + 1 - p->scan->text.data);
    if (value->type == SCAN_OBJECT &&
        (level->members > FEW_MEMBERS || level->escaped > FEW_ESCAPED))
        return all_differ(p, level, at + 1);
    return at + 1;
}

/* A key and its colon. */
static inline const char *key(struct parser *p, const char *at)
{
    at = blanks(at, p->end);
    if (at == p->end || *at != '"')
        return expected(p, at, "a key in double quotes");

    struct scan_value *value = add(p, at, SCAN_STRING);

    if (!value || !(at = finish(p, value, string(p, at + 1, &value->flags))))
        return NULL;
    if (value->flags & SCAN_NUL)
        return refuse(p, p->scan->text.data + value->start, ERROR_BAD_REQUEST, "NUL in a key");
    if (!(at = new_key(p, value, at)))
        return NULL;
    at = blanks(at, p->end);
    return at < p->end && *at == ':' ? at + 1 : expected(p, at, "':'");
}

static const char *literal(struct parser *p, const char *at, enum scan_type type)
{
    static const char *const words[] = {
        [SCAN_TRUE] = "true", [SCAN_FALSE] = "false", [SCAN_NULL] = "null"};
    size_t length = strlen(words[type]);
    struct scan_value *value = add(p, at, type);

    if (!value)
        return NULL;
    for (size_t i = 0; i < length; i++)
        if (at + i == p->end || at[i] != words[type][i])
            return expected(p, at, "a JSON value");
    return finish(p, value, at + length);
}

static const char *scalar(struct parser *p, const char *at, enum scan_type type)
{
    struct scan_value *value = add(p, at, type);

    if (!value)
        return NULL;
    if (type == SCAN_STRING)
        return finish(p, value, string(p, at + 1, &value->flags));
    return finish(p, value, number(p, at, &value->flags));
}

/* A value; of an object or list only its opening. */
static inline const char *value(struct parser *p, const char *at)
{
    at = blanks(at, p->end);
    switch (at < p->end ? *at : '\0') {
    case '"':
        return scalar(p, at, SCAN_STRING);
    case '{':
        return open_container(p, at, SCAN_OBJECT);
    case '[':
        return open_container(p, at, SCAN_ARRAY);
    case 't':
        return literal(p, at, SCAN_TRUE);
    case 'f':
        return literal(p, at, SCAN_FALSE);
    case 'n':
        return literal(p, at, SCAN_NULL);
    default:
        if (at < p->end && (*at == '-' || (*at >= '0' && *at <= '9')))
            return scalar(p, at, SCAN_NUMBER);
        return expected(p, at, "a JSON value");
    }
}

/* What stands behind a value or an opening: closings, then the way to the next member. */
static inline const char *behind(struct parser *p, const char *at)
{
    while (at && p->depth) {
        struct level *level = &p->levels[p->depth - 1];

        at = blanks(at, p->end);
        if (at < p->end && *at == level->closer)
            at = close_container(p, at);
        else if (level->members++ == 0)
            return at;
        else if (at < p->end && *at == ',')
            return at + 1;
        else
            return expected(p, at, level->closer == '}' ? "',' or '}'" : "',' or ']'");
    }
    return at;
}

static bool document(struct parser *p, const char *at)
{
    do {
        if (p->depth && p->levels[p->depth - 1].closer == '}')
            at = key(p, at);
        if (at)
            at = value(p, at);
        at = behind(p, at);
    } while (at && p->depth);
    if (!at)
        return false;
    at = blanks(at, p->end);
    return at == p->end || expected(p, at, "nothing behind the value");
}

bool scan_text(struct scan *scan, struct span text, struct error *err)
{
    struct parser p;
    const char *begin = text.data ? text.data : "";

    if (text.length >= UINT32_MAX)
        return error_set(err, ERROR_TOO_LARGE, "a text of more than 4 GiB");
    *scan = (struct scan){.text = {begin, text.length}};
    p.scan = scan;
    p.end = begin + text.length;
    p.err = err;
    p.depth = 0;
    if (document(&p, begin))
        return true;
    scan_done(scan);
    return false;
}

void scan_done(struct scan *scan)
{
    free(scan->values);
    *scan = (struct scan){0};
}

/* Questions. */

static uint32_t member(const struct scan *scan, uint32_t object, struct span key)
{
    if (object >= scan->count || scan->values[object].type != SCAN_OBJECT)
        return SCAN_NONE;
    for (uint32_t i = object + 1; i < scan->values[object].next; i = scan->values[i + 1].next)
        if (string_equals(scan, &scan->values[i], key))
            return i + 1;
    return SCAN_NONE;
}

uint32_t scan_member(const struct scan *scan, uint32_t object, const char *key)
{
    return member(scan, object, span_of(key));
}

uint32_t scan_path(const struct scan *scan, uint32_t object, const char *path)
{
    struct span rest = span_of(path), step;

    while (text_split(&rest, '.', &step))
        object = member(scan, object, step);
    return object;
}

bool scan_holds(const struct scan *scan, uint32_t value, const char *text)
{
    struct span wanted = span_of(text);

    if (value >= scan->count)
        return false;
    for (uint32_t i = value; i < scan->values[value].next; i++)
        if (scan->values[i].type == SCAN_STRING && string_equals(scan, &scan->values[i], wanted))
            return true;
    return false;
}

struct span scan_slice(const struct scan *scan, uint32_t value)
{
    if (value >= scan->count)
        return (struct span){0};
    return (struct span){scan->text.data + scan->values[value].start,
                         scan->values[value].end - scan->values[value].start};
}

bool scan_is(const struct scan *scan, uint32_t value, const char *text)
{
    if (value >= scan->count || scan->values[value].type != SCAN_STRING ||
        scan->values[value].flags & SCAN_ESCAPED)
        return false;
    return span_is(inside(scan, &scan->values[value]), text);
}

/* Trees. */

struct builder {
    const struct scan *scan;
    char *scratch; /* for unescaped strings */
    size_t room;
};

static void *or_abort(void *pointer)
{
    if (!pointer)
        abort();
    return pointer;
}

/* The value of a string; it lives until the next one is asked for. */
static struct span string_value(struct builder *b, const struct scan_value *string)
{
    struct span raw = inside(b->scan, string);

    if (!(string->flags & SCAN_ESCAPED))
        return raw;
    if (raw.length > b->room) {
        b->room = 2 * raw.length;
        b->scratch = text_realloc(b->scratch, b->room);
    }
    return (struct span){b->scratch, unescape(raw, b->scratch)};
}

static json_t *leaf(struct builder *b, const struct scan_value *value)
{
    struct span bytes = {b->scan->text.data + value->start, value->end - value->start};
    int64_t number;

    switch ((enum scan_type)value->type) {
    case SCAN_STRING:
        bytes = string_value(b, value);
        return or_abort(json_stringn_nocheck(bytes.data, bytes.length));
    case SCAN_NUMBER:
        if (value->flags & SCAN_REAL || !integer(bytes, &number))
            return or_abort(json_real(real(bytes)));
        return or_abort(json_integer(number));
    case SCAN_TRUE:
        return json_true();
    case SCAN_FALSE:
        return json_false();
    default:
        return json_null();
    }
}

static bool listed(const struct scan *scan, const struct scan_value *key, const char *const *names)
{
    for (; names && *names; names++)
        if (string_equals(scan, key, span_of(*names)))
            return true;
    return false;
}

static json_t *build(struct builder *b, uint32_t index, const char *const *without);

static json_t *build_object(struct builder *b, uint32_t index, const char *const *without)
{
    const struct scan_value *values = b->scan->values;
    json_t *object = or_abort(json_object());

    for (uint32_t i = index + 1; i < values[index].next; i = values[i + 1].next) {
        if (listed(b->scan, &values[i], without))
            continue;

        json_t *member = build(b, i + 1, NULL);
        struct span key = string_value(b, &values[i]);

        if (json_object_setn_new_nocheck(object, key.data, key.length, member) < 0)
            abort();
    }
    return object;
}

static json_t *build_array(struct builder *b, uint32_t index)
{
    const struct scan_value *values = b->scan->values;
    json_t *array = or_abort(json_array());

    for (uint32_t i = index + 1; i < values[index].next; i = values[i].next)
        if (json_array_append_new(array, build(b, i, NULL)) < 0)
            abort();
    return array;
}

/* Recurses at most JSON_MAX_DEPTH times: the scan has seen to it. */
static json_t *build(struct builder *b, uint32_t index, const char *const *without)
{
    switch (b->scan->values[index].type) {
    case SCAN_OBJECT:
        return build_object(b, index, without);
    case SCAN_ARRAY:
        return build_array(b, index);
    default:
        return leaf(b, &b->scan->values[index]);
    }
}

json_t *scan_tree(const struct scan *scan, uint32_t value, const char *const *without)
{
    if (value >= scan->count)
        return NULL;

    struct builder b = {.scan = scan};
    json_t *tree = build(&b, value, without);

    free(b.scratch);
    return tree;
}
