#include "api/expand.h"

#include <stdlib.h>

#include "api/pattern.h"
#include "base/auto.h"
#include "base/limits.h"

/* Defaults within defaults. */
#define DEPTH_MAX 8u

/* Characters of somebody's text in a message. */
#define TEXT_SHOWN 40

/* One string on its way from `in` (a parameter, shrinking) to `out`. */
struct expansion {
    const struct expanding *how;
    struct text *out;
    size_t before;  /* length of out at the start */
    unsigned depth; /* how many braces are open */
    unsigned idle;  /* > 0: within a default that is not needed; nothing is written */
    bool unclosed;  /* an argument had no end, so none behind it has one */
    bool foreign;   /* the error is about text that may be somebody else's */
    struct error *err;
};

static struct span rest_of(struct span text, size_t from)
{
    return (struct span){from ? text.data + from : text.data, text.length - from};
}

static struct span head_of(struct span text, size_t length)
{
    return (struct span){text.data, length};
}

static bool take(struct span *in, const char *piece)
{
    if (!span_begins(*in, piece))
        return false;
    *in = rest_of(*in, strlen(piece));
    return true;
}

static void cut_back(struct text *text, size_t length)
{
    text->length = length;
    if (text->data)
        text->data[length] = '\0';
}

static bool put(struct expansion *e, struct span piece)
{
    if (e->idle)
        return true;
    if (e->out->length - e->before + piece.length > RESOLVED_MAX_BYTES)
        return error_set(e->err, ERROR_TOO_LARGE, "longer than %u bytes with its variables",
                         RESOLVED_MAX_BYTES);
    text_add(e->out, piece.data, piece.length);
    return true;
}

/* `what` reads behind "${": "has no closing brace". */
static bool malformed(struct expansion *e, const char *what)
{
    e->foreign = true;
    return error_set(e->err, ERROR_INVALID, "malformed variable: ${ %s ($$ stands for one $)",
                     what);
}

static const char *const *names_of(const struct expansion *e)
{
    return e->how->names ? e->how->names : variable_names;
}

static bool is_ours(const struct expansion *e, struct span name)
{
    for (const char *const *known = names_of(e); *known; known++)
        if (span_is(name, *known))
            return true;
    return false;
}

static bool unknown_variable(struct expansion *e, struct span name)
{
    const char *meant = text_did_you_mean(name, names_of(e));
    int shown = name.length < TEXT_SHOWN ? (int)name.length : TEXT_SHOWN;

    if (is_ours(e, name))
        return error_set(e->err, ERROR_INVALID, "variable ${%.*s} %s", shown, name.data,
                         e->how->absent ? e->how->absent : "is known only for an AppBinding");
    e->foreign = true;
    return error_set(e->err, ERROR_INVALID, "unknown variable ${%.*s}%s%s%s", shown, name.data,
                     meant ? "; did you mean ${" : " without a default", meant ? meant : "",
                     meant ? "}?" : "");
}

/* Values are the owner's: whatever is no plain short text stops here. */
static bool check_value(struct expansion *e, const struct variable *variable)
{
    size_t most = e->how->value_max_bytes ? e->how->value_max_bytes : VARIABLE_MAX_BYTES;

    if (variable->value.length > most)
        return error_set(e->err, ERROR_INVALID, "the value of %s is longer than %zu bytes",
                         variable->name, most);
    for (size_t i = 0; i < variable->value.length; i++) {
        unsigned char c = (unsigned char)variable->value.data[i];

        if (c < 0x20 || c == 0x7f)
            return error_set(e->err, ERROR_INVALID, "the value of %s holds a control character",
                             variable->name);
    }
    return true;
}

static bool use(struct expansion *e, const struct variable *variable)
{
    if (e->idle)
        return true;
    if (!check_value(e, variable))
        return false;
    if (e->how->used)
        e->how->used(e->how->context, variable);
    return true;
}

/* What stands up to one of the stops; a backslash keeps the next character from being one. */
static bool argument(struct expansion *e, struct span *in, const char *stops, struct span *found)
{
    size_t end = e->unclosed ? in->length : 0;

    while (end < in->length && !(in->data[end] && strchr(stops, in->data[end])))
        end += in->data[end] == '\\' ? 2 : 1;
    e->unclosed = end >= in->length;
    if (e->unclosed)
        return malformed(e, "has no closing brace");
    *found = head_of(*in, end);
    if (memmem(found->data, found->length, "${", 2))
        return malformed(e, "stands within an operator, which takes no variables");
    *in = rest_of(*in, end);
    return true;
}

static bool pattern_argument(struct expansion *e, struct span *in, const char *stops,
                             struct pattern *pattern)
{
    struct span text = {0};

    if (!argument(e, in, stops, &text))
        return false;
    e->foreign = true;
    if (!pattern_parse(pattern, text, e->err))
        return false;
    e->foreign = false;
    return true;
}

static bool put_recased(struct expansion *e, const char *sign, struct span value, struct span *in)
{
    char first = sign[0] == '^' ? 'a' : 'A', last = sign[0] == '^' ? 'z' : 'Z';
    size_t count = sign[1] ? value.length : value.length > 0;
    AUTO(text) struct text changed = {0};

    (void)in;
    text_add(&changed, value.data, value.length);
    for (size_t i = 0; i < count; i++)
        if (changed.data[i] >= first && changed.data[i] <= last)
            changed.data[i] ^= 'a' ^ 'A';
    return put(e, (struct span){changed.data, changed.length});
}

/* Where the shortest or longest match that reaches to the end begins; the length when none does. */
static size_t suffix_start(const struct pattern *pattern, struct span value, bool longest)
{
    size_t found = value.length;

    for (size_t at = 0; at <= value.length;) {
        struct span rest = rest_of(value, at);
        struct pattern_ends ends = pattern_match(pattern, rest);

        if (ends.found && ends.longest == rest.length) {
            found = at;
            if (longest)
                break;
        }
        at += rest.length ? pattern_char(rest) : 1;
    }
    return found;
}

static bool put_trimmed(struct expansion *e, const char *sign, struct span value, struct span *in)
{
    struct pattern pattern;

    if (!pattern_argument(e, in, "}", &pattern))
        return false;
    if (sign[0] == '%')
        return put(e, head_of(value, suffix_start(&pattern, value, sign[1])));

    struct pattern_ends ends = pattern_match(&pattern, value);
    size_t cut = !ends.found ? 0 : sign[1] ? ends.longest : ends.shortest;

    return put(e, rest_of(value, cut));
}

/* Replaces the longest match at each place, or only the first; an empty match is none. */
static bool put_each_replaced(struct expansion *e, const struct pattern *pattern,
                              struct span replacement, struct span value, bool all)
{
    bool more = true;

    while (value.length) {
        struct pattern_ends ends = more ? pattern_match(pattern, value) : (struct pattern_ends){0};
        size_t length = ends.found && ends.longest ? ends.longest : pattern_char(value);
        bool matched = ends.found && ends.longest;

        if (!put(e, matched ? replacement : head_of(value, length)))
            return false;
        more = more && (all || !matched);
        value = rest_of(value, length);
    }
    return true;
}

static bool put_end_replaced(struct expansion *e, const struct pattern *pattern,
                             struct span replacement, struct span value, bool suffix)
{
    if (suffix) {
        size_t start = suffix_start(pattern, value, true);

        return put(e, head_of(value, start)) && (start == value.length || put(e, replacement));
    }

    struct pattern_ends ends = pattern_match(pattern, value);
    size_t cut = ends.found ? ends.longest : 0;

    return (!cut || put(e, replacement)) && put(e, rest_of(value, cut));
}

static void unescape(struct text *out, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        bool pair = i + 1 < text.length &&
                    (text.data[i] == '\\' || (text.data[i] == '$' && text.data[i + 1] == '$'));

        i += pair;
        text_putc(out, text.data[i]);
    }
}

static bool put_replaced(struct expansion *e, const char *sign, struct span value, struct span *in)
{
    AUTO(text) struct text made = {0};
    struct pattern pattern;
    struct span raw = {0};

    if (!pattern_argument(e, in, "/}", &pattern))
        return false;
    if (take(in, "/") && !argument(e, in, "}", &raw))
        return false;
    unescape(&made, raw);

    struct span replacement = {made.data, made.length};

    if (sign[1] == '#' || sign[1] == '%')
        return put_end_replaced(e, &pattern, replacement, value, sign[1] == '%');
    return put_each_replaced(e, &pattern, replacement, value, sign[1] == '/');
}

/* A number of at most six digits, "-" in front where allowed. */
static bool take_number(struct span *in, bool negative, long *number)
{
    bool minus = negative && take(in, "-");
    size_t digits = 0;
    long value = 0;

    for (; digits < in->length && in->data[digits] >= '0' && in->data[digits] <= '9'; digits++) {
        if (digits == 6)
            return false;
        value = value * 10 + (in->data[digits] - '0');
    }
    *in = rest_of(*in, digits);
    *number = minus ? -value : value;
    return digits > 0;
}

static long count_chars(struct span text)
{
    long count = 0;

    for (; text.length; count++)
        text = rest_of(text, pattern_char(text));
    return count;
}

static struct span skip_chars(struct span text, long count)
{
    for (; count > 0 && text.length; count--)
        text = rest_of(text, pattern_char(text));
    return text;
}

static bool put_slice(struct expansion *e, const char *sign, struct span value, struct span *in)
{
    long chars = count_chars(value), start, length = chars;

    (void)sign;
    while (take(in, " "))
        ;
    if (!take_number(in, true, &start) || (take(in, ":") && !take_number(in, false, &length)))
        return malformed(e, "wants whole numbers behind \":\"");
    start = start < 0 ? start + chars : start;
    if (start < 0)
        return true;
    value = skip_chars(value, start);
    return put(e, head_of(value, value.length - skip_chars(value, length).length));
}

static bool put_plain(struct expansion *e, const char *sign, struct span value, struct span *in)
{
    (void)sign;
    (void)in;
    return put(e, value);
}

/* Longer signs stand before those that they begin with. */
static const struct {
    const char *sign;
    bool (*put)(struct expansion *e, const char *sign, struct span value, struct span *in);
} operations[] = {
    {"##", put_trimmed},  {"#", put_trimmed},   {"%%", put_trimmed},  {"%", put_trimmed},
    {"^^", put_recased},  {"^", put_recased},   {",,", put_recased},  {",", put_recased},
    {"//", put_replaced}, {"/#", put_replaced}, {"/%", put_replaced}, {"/", put_replaced},
    {":", put_slice},     {"", put_plain},
};

static bool operate(struct expansion *e, struct span value, struct span *in)
{
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (take(in, operations[i].sign))
            return operations[i].put(e, operations[i].sign, value, in) &&
                   (take(in, "}") ||
                    malformed(e, in->length ? "knows no such operator" : "has no closing brace"));
    return false;
}

static bool expand(struct expansion *e, struct span *in);

/* The value, or what stands behind the sign up to the brace. */
static bool value_or_default(struct expansion *e, const struct variable *variable, struct span name,
                             struct span *in)
{
    if (!variable && !e->idle && e->how->unknown == UNKNOWN_KEPT && !is_ours(e, name))
        return unknown_variable(e, name);
    if (variable && (!use(e, variable) || !put(e, variable->value)))
        return false;
    if (e->depth == DEPTH_MAX)
        return malformed(e, "has too many defaults within defaults");
    e->depth++;
    e->idle += variable != NULL;
    if (!expand(e, in))
        return false;
    e->depth--;
    e->idle -= variable != NULL;
    return take(in, "}");
}

static struct span take_name(struct span *in)
{
    size_t length = 0;

    for (; length < in->length; length++) {
        char c = in->data[length];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (!letter && !(c >= '0' && c <= '9') && c != '_')
            break;
    }

    struct span name = head_of(*in, length);

    *in = rest_of(*in, length);
    return name;
}

static const struct variable *find(const struct expanding *how, struct span name)
{
    for (size_t i = 0; i < how->further_count; i++)
        if (span_is(name, how->further[i].name))
            return &how->further[i];
    return how->variables ? variables_find(how->variables, name) : NULL;
}

/* What stands between "${" and "}". */
static bool reference(struct expansion *e, struct span *in)
{
    static const struct variable nothing = {.name = ""};
    bool count = take(in, "#");
    struct span name = take_name(in);
    const struct variable *variable = find(e->how, name);

    if (!name.length)
        return malformed(e, "must be followed by a name");
    if (!count && (take(in, ":=") || take(in, ":-") || take(in, "=")))
        return value_or_default(e, variable, name, in);
    if (!variable && !e->idle)
        return unknown_variable(e, name);
    variable = variable ? variable : &nothing;
    if (!use(e, variable))
        return false;
    if (!count)
        return operate(e, variable->value, in);

    AUTO(free) char *number = text_format("%ld", count_chars(variable->value));

    return put(e, span_of(number)) && (take(in, "}") || malformed(e, "# knows no operator"));
}

/* A reference, or "${" itself where it may belong to somebody else. Only the outermost one is left:
 * the text behind its "${" is then read once more, for references that are ours. */
static bool reference_or_kept(struct expansion *e, struct span *in)
{
    struct span start = *in;
    size_t length = e->out->length;
    bool outermost = e->depth == 0;

    if (reference(e, in))
        return true;
    if (e->how->unknown == UNKNOWN_REFUSED || !e->foreign || !outermost)
        return false;
    *in = start;
    e->foreign = false;
    e->depth = e->idle = 0;
    cut_back(e->out, length);
    return put(e, span_of("${"));
}

/* How much of the text means nothing but itself. */
static size_t plain_length(struct span in, bool nested)
{
    size_t length = 0;

    while (length < in.length && in.data[length] != '$' &&
           !(nested && (in.data[length] == '}' || in.data[length] == '\\')))
        length++;
    return length;
}

/* Up to the end, or to the brace that closes the default in which we are. */
static bool expand(struct expansion *e, struct span *in)
{
    bool nested = e->depth > 0;

    while (in->length && !(nested && in->data[0] == '}')) {
        size_t plain = plain_length(*in, nested);
        bool fine = true;

        if (plain) {
            fine = put(e, head_of(*in, plain));
            *in = rest_of(*in, plain);
        } else if (take(in, "$$")) {
            fine = put(e, span_of("$"));
        } else if (take(in, "${")) {
            fine = reference_or_kept(e, in);
        } else {
            /* a lone "$", or a backslash: only in front of a brace it is more than itself */
            if (span_begins(*in, "\\}"))
                *in = rest_of(*in, 1);
            fine = put(e, head_of(*in, 1));
            *in = rest_of(*in, 1);
        }
        if (!fine)
            return false;
    }
    return !nested || in->length || malformed(e, "has no closing brace");
}

bool expand_text(struct text *out, struct span in, const struct expanding *how, struct error *err)
{
    /* what hooks keep is no error, so the caller's stays as it is until one is sure */
    struct error found = {0};
    struct expansion e = {.how = how, .out = out, .before = out->length, .err = &found};

    if (expand(&e, &in))
        return true;
    cut_back(out, e.before);
    *err = found;
    return false;
}
