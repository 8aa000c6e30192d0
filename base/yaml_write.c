#include "base/yaml.h"

#include <string.h>

#include "base/auto.h"
#include "base/scalar.h"
#include "base/tree.h"

/* A key that is written longer than this needs "? " in front of it (YAML 1.2.2 section 7.4.2: at
 * most 1,024 characters). */
#define SIMPLE_KEY_MAX_BYTES 1000

#define INDENT 2

static void write_value(struct text *out, const json_t *value, size_t indent);

static void write_indent(struct text *out, size_t indent)
{
    for (size_t i = 0; i < indent; i++)
        text_putc(out, ' ');
}

/* Strings */

struct look {
    bool printable;  /* nothing but visible characters and blanks, tabs and line breaks aside */
    bool tabs;       /* holds tabs */
    bool lines;      /* holds line breaks */
    bool blank_ends; /* a line ends in a blank or a tab */
    bool quotes;     /* holds " or a backslash */
};

/* How many bytes of UTF-8 the character at the start takes when it must be written as an escape;
 * 0 when it may stand as it is. What is invisible or turns the direction of writing is escaped. */
static size_t hidden(const char *at, size_t left)
{
    static const char *const sequences[] = {
        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\x8e", "\xe2\x80\x8f",
        "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8",
        "\xe2\x81\xa9", "\xef\xbb\xbf", "\xef\xbf\xbe", "\xef\xbf\xbf",
    };
    unsigned char c = (unsigned char)*at;

    if (c < 0x20 || c == 0x7f)
        return 1;
    if (c == 0xc2 && left >= 2 && (unsigned char)at[1] < 0xa0)
        return 2;
    for (size_t i = 0; i < sizeof sequences / sizeof *sequences; i++)
        if (left >= 3 && memcmp(at, sequences[i], 3) == 0)
            return 3;
    return 0;
}

static bool blank_before(struct span text, size_t end)
{
    return end > 0 && (text.data[end - 1] == ' ' || text.data[end - 1] == '\t');
}

static struct look look_at(struct span text)
{
    struct look look = {.printable = true, .blank_ends = blank_before(text, text.length)};

    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];

        look.quotes |= c == '"' || c == '\\';
        look.tabs |= c == '\t';
        look.lines |= c == '\n';
        look.blank_ends |= c == '\n' && blank_before(text, i);
        look.printable &= c == '\t' || c == '\n' || !hidden(text.data + i, text.length - i);
    }
    return look;
}

/* Looks like a number, a date or a time in some version of YAML. */
static bool is_numeric(struct span text)
{
    bool digit = false;

    for (size_t i = 0; i < text.length; i++) {
        if (!text.data[i] || !strchr("0123456789abcdefABCDEFxXoO_:.+-tTzZ ", text.data[i]))
            return false;
        digit |= text.data[i] >= '0' && text.data[i] <= '9';
    }
    return digit;
}

/* Safe without quotes wherever a value or key of a block collection may stand. */
static bool is_plain(struct span text, struct look look)
{
    static const char *const first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789_/.$(+-;^\\";
    unsigned char c = text.length ? (unsigned char)text.data[0] : ' ';

    if (!look.printable || look.tabs || look.lines || look.blank_ends)
        return false;
    if (!c || (c < 0x80 && !strchr(first, c)))
        return false;
    if (c == '-' && (text.length == 1 || text.data[1] == ' '))
        return false;
    if (text.length >= 3 && (memcmp(text.data, "---", 3) == 0 || memcmp(text.data, "...", 3) == 0))
        return false;
    for (size_t i = 0; i < text.length; i++) {
        bool last = i + 1 == text.length;

        if ((text.data[i] == ':' && (last || text.data[i + 1] == ' ')) ||
            (text.data[i] == ' ' && !last && text.data[i + 1] == '#'))
            return false;
    }
    return scalar_kind(text) == SCALAR_STRING && !scalar_is_legacy_boolean(text) &&
           !is_numeric(text);
}

/* A text of several lines that can stand as it is behind "|". */
static bool is_block(struct span text, struct look look)
{
    return look.printable && look.lines && !look.blank_ends && !strchr(" \t\n", text.data[0]);
}

static void write_single_quoted(struct text *out, struct span text)
{
    text_putc(out, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\'')
            text_putc(out, '\'');
        text_putc(out, text.data[i]);
    }
    text_putc(out, '\'');
}

static void write_escape(struct text *out, const char *at, size_t bytes)
{
    const unsigned char *u = (const unsigned char *)at;

    if (bytes == 3)
        text_addf(out, "\\u%04X", (u[0] & 0x0fu) << 12 | (u[1] & 0x3fu) << 6 | (u[2] & 0x3fu));
    else if (bytes == 2)
        text_addf(out, "\\x%02X", u[1]);
    else if (*at == '\n')
        text_puts(out, "\\n");
    else if (*at == '\t')
        text_puts(out, "\\t");
    else if (*at == '\r')
        text_puts(out, "\\r");
    else if (*at == '\0')
        text_puts(out, "\\0");
    else
        text_addf(out, "\\x%02X", u[0]);
}

static void write_double_quoted(struct text *out, struct span text)
{
    text_putc(out, '"');
    for (size_t i = 0; i < text.length;) {
        size_t bytes = hidden(text.data + i, text.length - i);

        if (bytes) {
            write_escape(out, text.data + i, bytes);
            i += bytes;
            continue;
        }
        if (text.data[i] == '"' || text.data[i] == '\\')
            text_putc(out, '\\');
        text_putc(out, text.data[i++]);
    }
    text_putc(out, '"');
}

static void write_flow_string(struct text *out, struct span text)
{
    struct look look = look_at(text);

    if (is_plain(text, look))
        text_add(out, text.data, text.length);
    else if (look.printable && !look.tabs && !look.lines && look.quotes)
        write_single_quoted(out, text);
    else
        write_double_quoted(out, text);
}

/* "|" keeps one line break at the end, "|-" none, "|+" all. */
static void write_block_string(struct text *out, struct span text, size_t indent)
{
    struct span rest = text, line;
    bool one = text.data[text.length - 1] == '\n';
    bool more = one && text.data[text.length - 2] == '\n';

    text_puts(out, more ? "|+\n" : one ? "|\n" : "|-\n");
    while (text_split(&rest, '\n', &line)) {
        if (line.length)
            write_indent(out, indent);
        text_add(out, line.data, line.length);
        text_putc(out, '\n');
    }
}

static void write_string(struct text *out, struct span text, size_t indent)
{
    if (is_block(text, look_at(text))) {
        write_block_string(out, text, indent);
        return;
    }
    write_flow_string(out, text);
    text_putc(out, '\n');
}

/* Everything else */

/* The fewest digits that are read as the same number. */
static void write_real(struct text *out, double value)
{
    char digits[32];

    for (int precision = 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    text_puts(out, digits);
    if (!strpbrk(digits, ".e"))
        text_puts(out, ".0");
}

static void write_scalar(struct text *out, const json_t *value, size_t indent)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        write_string(out, tree_value(value), indent);
        return;
    case JSON_INTEGER:
        text_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        write_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        text_puts(out, "true");
        break;
    case JSON_FALSE:
        text_puts(out, "false");
        break;
    case JSON_ARRAY:
        text_puts(out, "[]");
        break;
    case JSON_OBJECT:
        text_puts(out, "{}");
        break;
    case JSON_NULL:
        text_puts(out, "null");
        break;
    }
    text_putc(out, '\n');
}

static bool is_collection(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void write_member(struct text *out, const char *key, const json_t *value, size_t indent)
{
    AUTO(text) struct text written = {0};
    bool is_long;

    write_flow_string(&written, span_of(key));
    is_long = written.length > SIMPLE_KEY_MAX_BYTES;
    if (is_long)
        text_puts(out, "? ");
    text_add(out, written.data, written.length);
    if (is_long) {
        text_putc(out, '\n');
        write_indent(out, indent);
    }
    text_putc(out, ':');
    if (!is_collection(value)) {
        text_putc(out, ' ');
        write_scalar(out, value, indent + INDENT);
        return;
    }
    /* A list stands below its key without further blanks, as kubectl writes it. */
    indent += json_is_array(value) ? 0 : INDENT;
    text_putc(out, '\n');
    write_indent(out, indent);
    write_value(out, value, indent);
}

/* First what tells a reader what he sees, last what he did not write. */
static int rank(const char *key)
{
    static const char *const first[] = {"apiVersion", "kind", "metadata", "spec"};

    for (int i = 0; i < 4; i++)
        if (strcmp(key, first[i]) == 0)
            return i;
    return strcmp(key, "status") == 0 ? 5 : 4;
}

static void write_object(struct text *out, const json_t *object, size_t indent)
{
    const json_t *value;
    const char *key;
    bool first = true;

    for (int turn = 0; turn <= 5; turn++) {
        tree_each (object, key, value) {
            if (rank(key) != turn)
                continue;
            if (!first)
                write_indent(out, indent);
            first = false;
            write_member(out, key, value, indent);
        }
    }
}

static void write_list(struct text *out, const json_t *list, size_t indent)
{
    const json_t *value;
    size_t i;

    tree_items (list, i, value) {
        if (i)
            write_indent(out, indent);
        text_puts(out, "- ");
        write_value(out, value, indent + INDENT);
    }
}

/* Writes a value; the cursor stands at `indent` already, and afterwards at the start of a line. */
static void write_value(struct text *out, const json_t *value, size_t indent)
{
    if (!is_collection(value))
        write_scalar(out, value, indent);
    else if (json_is_object(value))
        write_object(out, value, indent);
    else
        write_list(out, value, indent);
}

void yaml_write(struct text *out, const json_t *tree)
{
    if (json_is_string(tree))
        write_string(out, tree_value(tree), INDENT);
    else
        write_value(out, tree, 0);
}
