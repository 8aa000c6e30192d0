#include "base/yaml_text.h"

#include <stdarg.h>

#include "base/auto.h"
#include "base/limits.h"

/* Lines that begin with "%" in one text: libyaml compares each %TAG with all others before it
 * reports the first event. */
#define DIRECTIVES_MAX 64

/* Bytes of one escape, and of a pair of them. */
#define ESCAPE_BYTES 6
#define PAIR_BYTES (2 * ESCAPE_BYTES)

struct yaml_place yaml_place_at(struct span text, size_t offset)
{
    struct yaml_place place = {1, 1};

    for (size_t i = 0; i < offset && i < text.length; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (c == '\n' || (c == '\r' && !(i + 1 < text.length && text.data[i + 1] == '\n')))
            place = (struct yaml_place){place.line + 1, 1};
        else if ((c & 0xc0) != 0x80)
            place.column++;
    }
    return place;
}

bool yaml_fail(struct error *err, struct yaml_place place, enum error_code code, const char *format,
               ...)
{
    AUTO(text) struct text what = {0};
    va_list args;

    va_start(args, format);
    text_addv(&what, format, args);
    va_end(args);
    return error_set(err, code, "%u:%u: %s", place.line, place.column, text_get(&what));
}

/* Takes the mark of UTF-8 off; those of other encodings are refused. */
static bool skip_byte_order_mark(struct span *text, struct error *err)
{
    if (text->length >= 2 &&
        (memcmp(text->data, "\xff\xfe", 2) == 0 || memcmp(text->data, "\xfe\xff", 2) == 0))
        return yaml_fail(err, (struct yaml_place){1, 1}, ERROR_INVALID,
                         "the text is UTF-16 or UTF-32: save it as UTF-8");
    if (text->length >= 3 && memcmp(text->data, "\xef\xbb\xbf", 3) == 0)
        *text = (struct span){text->data + 3, text->length - 3};
    return true;
}

/* The bytes at the start are U+0085, U+2028 or U+2029. */
static bool is_old_break(struct span rest)
{
    return (rest.length >= 2 && memcmp(rest.data, "\xc2\x85", 2) == 0) ||
           (rest.length >= 3 && (memcmp(rest.data, "\xe2\x80\xa8", 3) == 0 ||
                                 memcmp(rest.data, "\xe2\x80\xa9", 3) == 0));
}

static bool begins_line(struct span text, size_t offset)
{
    return offset == 0 || text.data[offset - 1] == '\n' || text.data[offset - 1] == '\r';
}

bool yaml_text_admit(struct span *text, struct error *err)
{
    size_t directives = 0;

    if (text->length > YAML_MAX_BYTES)
        return yaml_fail(err, (struct yaml_place){1, 1}, ERROR_TOO_LARGE, "more than %u bytes",
                         YAML_MAX_BYTES);
    if (!skip_byte_order_mark(text, err))
        return false;
    for (size_t i = 0; i < text->length; i++) {
        directives += text->data[i] == '%' && begins_line(*text, i);
        if (directives > DIRECTIVES_MAX)
            return yaml_fail(err, yaml_place_at(*text, i), ERROR_TOO_LARGE,
                             "more than %d directives", DIRECTIVES_MAX);
        if (is_old_break((struct span){text->data + i, text->length - i}))
            return yaml_fail(err, yaml_place_at(*text, i), ERROR_INVALID,
                             "a line break of YAML 1.1 (U+0085, U+2028 or U+2029): write it as an "
                             "escape in double quotes");
    }
    return true;
}

/* JSON's pairs of escapes */

/* The code unit of the escape \uXXXX at this byte, or -1. */
static long code_unit(struct span text, size_t offset)
{
    long unit = 0;

    if (offset + ESCAPE_BYTES > text.length || text.data[offset] != '\\' ||
        text.data[offset + 1] != 'u')
        return -1;
    for (size_t i = 2; i < ESCAPE_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = text.data[offset + i];
        const char *digit = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

        if (!digit)
            return -1;
        unit = unit * 16 + (digit - digits);
    }
    return unit;
}

/* The character of the pair of escapes at this byte, or -1. */
static long pair(struct span text, size_t offset)
{
    long high = code_unit(text, offset);

    if (high < 0xd800 || high > 0xdbff)
        return -1;

    long low = code_unit(text, offset + ESCAPE_BYTES);

    return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

/* Behind the end of the string whose opening quote is in front of `offset`. Writes what is before
 * each pair in it, from `*done` on, and the joined pair. */
static size_t join_string(struct span text, size_t offset, struct text *copy, size_t *done)
{
    while (offset < text.length && text.data[offset] != '"') {
        long character = pair(text, offset);

        if (character >= 0) {
            text_add(copy, text.data + *done, offset - *done);
            text_addf(copy, "\\U%08lX", (unsigned long)character);
            offset += PAIR_BYTES;
            *done = offset;
        } else {
            offset += text.data[offset] == '\\' ? 2 : 1;
        }
    }
    return offset + 1;
}

struct span yaml_text_join_halves(struct span text, struct text *copy)
{
    char before = '\0'; /* the last character that was no white space */
    size_t done = 0, i = 0;

    while (i < text.length && strchr("{}[]:,\" \t\r\n-+.0123456789eEtrufalsn", text.data[i])) {
        char c = text.data[i++];

        if (!before && c != '{' && c != '[' && !strchr(" \t\r\n", c))
            break;
        if (c == '"' && !strchr("{[:,", before))
            break;
        if (c == '"')
            i = join_string(text, i, copy, &done);
        if (!strchr(" \t\r\n", c))
            before = c;
    }
    if (!done)
        return text;
    text_add(copy, text.data + done, text.length - done);
    return (struct span){text_get(copy), copy->length};
}
