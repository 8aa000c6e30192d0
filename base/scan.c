#include "base/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/plain.h"
#include "base/scan_value.h"
#include "base/text.h"

/* Bytes of text for one entry of the table: what Kubernetes writes has 9 to 12. */
#define BYTES_PER_VALUE 8

/* An object of more members, or of more keys with escapes, has its keys sorted to find duplicates;
 * below that, each key is compared with those before it that look alike. */
#define FEW_MEMBERS 32
#define FEW_ESCAPED 8
#define ESCAPED_KEY_MAX_BYTES 256

#define KEY_SHOWN_MAX_CHARS 60

/* An open object or list. */
struct level {
    uint64_t looks;   /* look() of all keys so far */
    uint32_t entry;   /* index in the table */
    uint32_t members; /* that have begun */
    uint32_t escaped; /* keys with escapes */
    char closer;      /* '}' or ']' */
};

struct parser {
    struct scan scan;
    const char *begin, *end; /* of the text */
    struct error *err;
    struct level *level; /* the innermost; levels[0] is outside of everything */
    struct level levels[JSON_MAX_DEPTH + 1];
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
    struct place place = locate(&p->scan, at);
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
    struct place place = locate(&p->scan, at);

    error_set(p->err, code, "%u:%u: %s", place.line, place.column, why);
    return NULL;
}

/* Strings. */

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

/* "\uXXXX", or two of them that are one character. */
static const char *unicode_escape(struct parser *p, const char *at, uint8_t *flags)
{
    int32_t unit = scan_hex4(at + 2, p->end);

    if (unit < 0)
        return expected(p, at, "four hexadecimal digits after \\u");
    if (scan_is_low(unit))
        return refuse(p, at, ERROR_BAD_REQUEST, "a low surrogate without a high one before it");
    if (unit == 0)
        *flags |= SCAN_NUL;
    if (!scan_is_high(unit))
        return at + 6;
    if (p->end - at < 8 || at[6] != '\\' || at[7] != 'u' || !scan_is_low(scan_hex4(at + 8, p->end)))
        return refuse(p, at, ERROR_BAD_REQUEST, "a high surrogate without a low one behind it");
    return at + 12;
}

static const char *escape(struct parser *p, const char *at, uint8_t *flags)
{
    *flags |= SCAN_ESCAPED;
    if (p->end - at < 2)
        return expected(p, p->end, "an escape");
    if (at[1] == 'u')
        return unicode_escape(p, at, flags);
    if (!scan_escapes[(unsigned char)at[1]])
        return expected(p, at + 1, "one of \"\\/bfnrtu after a backslash");
    return at + 2;
}

/* The rest of a string, from something that is not plain on. */
static const char *string_rest(struct parser *p, const char *at, uint8_t *flags)
{
    while (at && (at = plain_end(at, p->end)) < p->end && *at != '"') {
        if (*at == '\\')
            at = escape(p, at, flags);
        else if ((unsigned char)*at >= 0x80)
            at = character(p, at);
        else
            return expected(p, at, "an escape instead of a control character");
    }
    return !at || at < p->end ? at : expected(p, at, "the end of a string");
}

/* Takes a string with both quotes. */
static inline const char *string(struct parser *p, const char *at, uint8_t *flags)
{
    at = plain_end(at + 1, p->end);
    if (at == p->end || *at != '"')
        at = string_rest(p, at, flags);
    return at ? at + 1 : NULL;
}

/* Numbers. */

static const char *digits(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at;
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
        return bytes.length <= 18 || scan_integer(bytes, &ignored);
    if (bytes.length < 300 && !memchr(bytes.data, 'e', bytes.length) &&
        !memchr(bytes.data, 'E', bytes.length))
        return true;
    return __builtin_isfinite(scan_real(bytes));
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
    size_t bytes = (size_t)(p->end - p->begin);
    size_t room = p->scan.room ? 2 * (size_t)p->scan.room : bytes / BYTES_PER_VALUE + 16;

    if (p->scan.count == JSON_MAX_VALUES) {
        refuse(p, at, ERROR_TOO_LARGE, "more values than are accepted");
        return false;
    }
    if (room > JSON_MAX_VALUES)
        room = JSON_MAX_VALUES;
    p->scan.values = text_realloc(p->scan.values, room * sizeof *p->scan.values);
    p->scan.room = (uint32_t)room;
    return true;
}

/* Enters what was taken from `start` to `at` and returns `at`; a failed taking is handed on. */
static inline const char *enter(struct parser *p, const char *start, const char *at,
                                enum scan_type type, uint8_t flags)
{
    struct scan *scan = &p->scan;
    uint32_t index = scan->count;

    if (!at || (index == scan->room && !grow(p, start)))
        return NULL;
    scan->count = index + 1;
    scan->values[index] = (struct scan_value){.start = (uint32_t)(start - p->begin),
                                              .end = (uint32_t)(at - p->begin),
                                              .next = index + 1,
                                              .type = (uint8_t)type,
                                              .flags = flags};
    return at;
}

/* Duplicate keys. */

/* An unescaped key, to be sorted. */
struct name {
    uint64_t hash;
    struct span key;
    uint32_t entry;
};

/* By length and hash only to compare fewer bytes: keys made to collide cost no more than longer
 * compares, so the hash needs no secret. Equal keys stay in the order of the text. */
static int by_key(const void *left, const void *right)
{
    const struct name *a = left, *b = right;

    if (a->key.length != b->key.length)
        return a->key.length < b->key.length ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;

    int order = memcmp(a->key.data, b->key.data, a->key.length);

    return order ? order : a->entry < b->entry ? -1 : 1;
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
    const struct scan_value *key = &p->scan.values[entry];
    const char *at = p->scan.text.data + key->start;
    struct place place = locate(&p->scan, at);
    AUTO(free) char *shown = text_printable(scan_inside(&p->scan, key), KEY_SHOWN_MAX_CHARS);

    error_set(p->err, ERROR_BAD_REQUEST, "%u:%u: the key \"%s\" stands twice in one object",
              place.line, place.column, shown);
    return NULL;
}

/* Fills in the names of an object's keys; those with escapes are unescaped into `bytes`. */
static void names_of(const struct scan *scan, uint32_t object, struct name *names, char *bytes)
{
    uint32_t end = scan->count;

    for (uint32_t i = object + 1; i < end; i = scan->values[i + 1].next) {
        struct span key = scan_inside(scan, &scan->values[i]);

        if (scan->values[i].flags & SCAN_ESCAPED) {
            key = (struct span){bytes, scan_unescape(key, bytes)};
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
    AUTO(free) char *bytes = text_alloc(escaped_bytes(&p->scan, level->entry));
    uint32_t first = SCAN_NONE;

    names_of(&p->scan, level->entry, names, bytes);
    qsort(names, level->members, sizeof *names, by_key);
    for (uint32_t i = 1; i < level->members; i++)
        if (names[i].entry < first && span_equal(names[i].key, names[i - 1].key))
            first = names[i].entry;
    return first == SCAN_NONE ? at : duplicate(p, first);
}

/* Compares the key that was entered last, of this value, with those before it in the object. Rare,
 * and kept apart so that what is common stays small. */
static __attribute__((noinline)) const char *differs(struct parser *p, struct span value,
                                                     const char *at)
{
    const struct scan *scan = &p->scan;
    uint32_t last = scan->count - 1;

    for (uint32_t i = p->level->entry + 1; i < last; i = scan->values[i + 1].next)
        if (scan_may_equal(&scan->values[i], value.length) &&
            scan_string_equals(scan, &scan->values[i], value))
            return duplicate(p, last);
    return at;
}

/* True when the keys of this object are sorted at its end. */
static inline bool is_crowded(const struct level *level)
{
    return level->members > FEW_MEMBERS || level->escaped > FEW_ESCAPED;
}

/* Up to eight bytes from the start of a key; `end` is where its memory ends. */
static inline uint64_t first_bytes(struct span key, const char *end)
{
    uint64_t bytes = 0;

    if (end - key.data < (ptrdiff_t)sizeof bytes)
        memcpy(&bytes, key.data, key.length < sizeof bytes ? key.length : sizeof bytes);
    else
        memcpy(&bytes, key.data, sizeof bytes);
    return key.length < sizeof bytes ? bytes & ((UINT64_C(1) << (8 * key.length)) - 1) : bytes;
}

/* Two bits of 64, by the first and last bytes of a key: what tells apart the keys of server-side
 * apply too, such as k:{"name":"x"}. */
static inline uint64_t look(struct span key, const char *end)
{
    uint64_t mix = first_bytes(key, end), last = 0;

    if (key.length > sizeof last)
        memcpy(&last, key.data + key.length - sizeof last, sizeof last);
    mix = (mix ^ last << 1 ^ key.length) * UINT64_C(0x9e3779b97f4a7c15);
    return UINT64_C(1) << (mix >> 58) | UINT64_C(1) << (mix >> 52 & 63);
}

/* Compares the value of the new key with the others only when one of them looks the same. */
static inline const char *new_value(struct parser *p, struct span value, const char *end,
                                    const char *at)
{
    struct level *level = p->level;
    uint64_t bits = look(value, end);
    bool seen = (level->looks & bits) == bits;

    level->looks |= bits;
    return seen && !is_crowded(level) ? differs(p, value, at) : at;
}

static const char *new_escaped_key(struct parser *p, const struct scan_value *key, const char *at)
{
    struct span raw = scan_inside(&p->scan, key);
    char value[ESCAPED_KEY_MAX_BYTES];

    if (key->flags & SCAN_NUL)
        return refuse(p, p->begin + key->start, ERROR_BAD_REQUEST, "NUL in a key");
    p->level->escaped += raw.length > sizeof value ? FEW_ESCAPED + 1 : 1;
    if (is_crowded(p->level))
        return at;
    return new_value(p, (struct span){value, scan_unescape(raw, value)}, value + sizeof value, at);
}

/* Judges the key that was entered last. */
static inline const char *new_key(struct parser *p, const char *at)
{
    const struct scan_value *key = &p->scan.values[p->scan.count - 1];

    if (key->flags & SCAN_ESCAPED)
        return new_escaped_key(p, key, at);
    return new_value(p, scan_inside(&p->scan, key), p->end, at);
}

/* The grammar. */

static inline bool blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline const char *blanks(const char *at, const char *end)
{
    if (at < end && (unsigned char)*at > ' ')
        return at;
    while (at < end && blank(*at))
        at++;
    return at;
}

static inline const char *open_container(struct parser *p, const char *at, enum scan_type type)
{
    if (p->level == p->levels + JSON_MAX_DEPTH)
        return refuse(p, at, ERROR_BAD_REQUEST, "nested too deeply");
    *++p->level = (struct level){.entry = p->scan.count, .closer = type == SCAN_OBJECT ? '}' : ']'};
    return enter(p, at, at + 1, type, 0);
}

static inline const char *close_container(struct parser *p, const char *at)
{
    const struct level *level = p->level--;
    struct scan_value *value = &p->scan.values[level->entry];

    value->next = p->scan.count;
    value->end = (uint32_t)(at + 1 - p->begin);
    return value->type == SCAN_OBJECT && is_crowded(level) ? all_differ(p, level, at + 1) : at + 1;
}

/* A key and its colon. */
static inline const char *key(struct parser *p, const char *at)
{
    uint8_t flags = 0;
    const char *start = blanks(at, p->end);

    if (start == p->end || *start != '"')
        return expected(p, start, "a key in double quotes");
    at = string(p, start, &flags);
    if (!(at = enter(p, start, at, SCAN_STRING, flags)) || !(at = new_key(p, at)))
        return NULL;
    at = blanks(at, p->end);
    return at < p->end && *at == ':' ? at + 1 : expected(p, at, "':'");
}

static const char *literal(struct parser *p, const char *at, enum scan_type type)
{
    static const char *const words[] = {
        [SCAN_TRUE] = "true", [SCAN_FALSE] = "false", [SCAN_NULL] = "null"};
    size_t length = strlen(words[type]);

    if ((size_t)(p->end - at) < length || memcmp(at, words[type], length) != 0)
        return expected(p, at, "a JSON value");
    return enter(p, at, at + length, type, 0);
}

static inline const char *scalar(struct parser *p, const char *start, enum scan_type type)
{
    uint8_t flags = 0;
    const char *at = type == SCAN_STRING ? string(p, start, &flags) : number(p, start, &flags);

    return enter(p, start, at, type, flags);
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
    while (at && p->level != p->levels) {
        at = blanks(at, p->end);
        if (at < p->end && *at == p->level->closer)
            at = close_container(p, at);
        else if (p->level->members++ == 0)
            return at;
        else if (at < p->end && *at == ',')
            return at + 1;
        else
            return expected(p, at, p->level->closer == '}' ? "',' or '}'" : "',' or ']'");
    }
    return at;
}

static bool document(struct parser *p, const char *at)
{
    do {
        if (p->level->closer == '}')
            at = key(p, at);
        if (at)
            at = behind(p, value(p, at));
    } while (at && p->level != p->levels);
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
    p.scan = (struct scan){.text = {begin, text.length}};
    p.begin = begin;
    p.end = begin + text.length;
    p.err = err;
    p.level = p.levels;
    p.levels[0] = (struct level){0};
    if (!document(&p, begin)) {
        scan_done(&p.scan);
        return false;
    }
    *scan = p.scan;
    return true;
}

void scan_done(struct scan *scan)
{
    free(scan->values);
    *scan = (struct scan){0};
}
