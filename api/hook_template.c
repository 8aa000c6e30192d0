#include "api/hook_template.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

/* Levels of {{ if }}: one bit each says that its {{ else }} is past. */
#define DEPTH_MAX 32

static const char *const fields[] = {".Name",
                                     ".Namespace",
                                     ".RetryLeft",
                                     ".Invoker.APIGroup",
                                     ".Invoker.Kind",
                                     ".Invoker.Name",
                                     ".Target.APIVersion",
                                     ".Target.Kind",
                                     ".Target.Name",
                                     ".Target.Namespace",
                                     ".Status.Phase",
                                     ".Status.Duration",
                                     ".Status.Error",
                                     NULL};

struct blocks {
    unsigned depth;
    uint32_t past_else;
};

static bool fault(struct error *err, const char *what, struct span word)
{
    AUTO(free) char *shown = text_printable(word, 40);

    return error_set(err, ERROR_INVALID, "template: %s \"%s\"", what, shown);
}

static bool is_field(struct span word)
{
    for (size_t i = 0; fields[i]; i++)
        if (span_is(word, fields[i]))
            return true;
    return false;
}

static bool field_fault(struct span word, struct error *err)
{
    const char *meant = text_did_you_mean(word, fields);
    AUTO(free) char *shown = text_printable(word, 40);

    if (meant)
        return error_set(err, ERROR_INVALID, "template: unknown field \"%s\", did you mean %s?",
                         shown, meant);
    return fault(err, "only fields such as .Status.Phase and if eq/ne are understood, found", word);
}

/* The bytes up to the closing quote; the quote stands at the front. */
static struct span take_quoted(struct span *rest)
{
    char quote = rest->data[0];
    size_t end = 1;

    while (end < rest->length && rest->data[end] != quote)
        end += 1 + (quote == '"' && rest->data[end] == '\\');
    end = end < rest->length ? end + 1 : rest->length;

    struct span word = {rest->data, end};

    *rest = (struct span){rest->data + end, rest->length - end};
    return word;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word, or quoted text, of an action. */
static bool take_word(struct span *rest, struct span *word)
{
    *rest = text_trim(*rest);
    if (!rest->length)
        return false;
    if (rest->data[0] == '"' || rest->data[0] == '`') {
        *word = take_quoted(rest);
        return true;
    }
    *word = (struct span){rest->data, 0};
    while (word->length < rest->length && !blank(rest->data[word->length]))
        word->length++;
    *rest = (struct span){rest->data + word->length, rest->length - word->length};
    return true;
}

static bool is_text(struct span word)
{
    char quote = word.data[0];

    return (quote == '"' || quote == '`') && word.length >= 2 &&
           word.data[word.length - 1] == quote;
}

static bool is_number(struct span word)
{
    for (size_t i = 0; i < word.length; i++)
        if (!isdigit((unsigned char)word.data[i]))
            return false;
    return word.length > 0;
}

/* What follows "if": eq or ne, a field or text, and at least one more. */
static bool condition(struct span rest, struct error *err)
{
    struct span word;
    size_t operands = 0;

    if (!take_word(&rest, &word) || (!span_is(word, "eq") && !span_is(word, "ne")))
        return error_set(err, ERROR_INVALID, "template: expected eq or ne behind if");
    for (; take_word(&rest, &word); operands++)
        if (!is_field(word) && !is_text(word) && !is_number(word))
            return field_fault(word, err);
    return operands >= 2 || error_set(err, ERROR_INVALID, "template: eq and ne compare two values");
}

static bool open_block(struct blocks *blocks, struct span rest, struct error *err)
{
    if (blocks->depth == DEPTH_MAX)
        return error_set(err, ERROR_INVALID, "template: more than %d levels of if", DEPTH_MAX);
    blocks->past_else &= ~(UINT32_C(1) << blocks->depth++);
    return condition(rest, err);
}

static bool other_branch(struct blocks *blocks, struct span rest, struct error *err)
{
    struct span word;
    uint32_t level = blocks->depth ? UINT32_C(1) << (blocks->depth - 1) : 0;

    if (!blocks->depth || (blocks->past_else & level))
        return error_set(err, ERROR_INVALID, "template: else without if");
    if (!take_word(&rest, &word)) {
        blocks->past_else |= level;
        return true;
    }
    return span_is(word, "if") ? condition(rest, err)
                               : fault(err, "expected if behind else, found", word);
}

static bool action(struct blocks *blocks, struct span inside, struct error *err)
{
    struct span rest = inside, word, more;

    if (!take_word(&rest, &word))
        return error_set(err, ERROR_INVALID, "template: nothing between {{ and }}");
    if (span_is(word, "if"))
        return open_block(blocks, rest, err);
    if (span_is(word, "else"))
        return other_branch(blocks, rest, err);
    if (take_word(&rest, &more))
        return fault(err, "not understood:", text_trim(inside));
    if (span_is(word, "end")) {
        if (!blocks->depth)
            return error_set(err, ERROR_INVALID, "template: end without if");
        blocks->depth--;
        return true;
    }
    return is_field(word) || field_fault(word, err);
}

static const char *find(struct span text, const char *what)
{
    return text.data && text.length ? memmem(text.data, text.length, what, 2) : NULL;
}

static struct span behind(struct span text, const char *at)
{
    return (struct span){at + 2, text.length - (size_t)(at + 2 - text.data)};
}

/* Where "}}" closes an action; quoted text is skipped. NULL when nowhere. */
static const char *closing(struct span rest)
{
    while (rest.length >= 2) {
        if (rest.data[0] == '"' || rest.data[0] == '`') {
            take_quoted(&rest);
            continue;
        }
        if (rest.data[0] == '}' && rest.data[1] == '}')
            return rest.data;
        rest = (struct span){rest.data + 1, rest.length - 1};
    }
    return NULL;
}

/* Takes "- " at the front and " -" at the end away. */
static struct span without_trims(struct span inside)
{
    if (inside.length >= 2 && inside.data[0] == '-' && blank(inside.data[1]))
        inside = (struct span){inside.data + 1, inside.length - 1};
    if (inside.length >= 2 && inside.data[inside.length - 1] == '-' &&
        blank(inside.data[inside.length - 2]))
        inside.length--;
    return inside;
}

/* A comment reaches to its own end, whatever stands in it. */
static bool is_comment(struct span inside)
{
    struct span bare = text_trim(without_trims(inside));

    return bare.length >= 4 && memcmp(bare.data, "/*", 2) == 0 &&
           memcmp(bare.data + bare.length - 2, "*/", 2) == 0;
}

bool hook_template_check(struct span text, struct error *err)
{
    struct blocks blocks = {0};

    for (const char *start; (start = find(text, "{{"));) {
        struct span rest = behind(text, start);
        const char *end = closing(rest);

        if (!end)
            return error_set(err, ERROR_INVALID, "template: {{ without }}");

        struct span inside = {rest.data, (size_t)(end - rest.data)};

        if (!is_comment(inside) && !action(&blocks, without_trims(inside), err))
            return false;
        text = behind(rest, end);
    }
    return !blocks.depth || error_set(err, ERROR_INVALID, "template: if without end");
}

/* ---- filling in ---- */

/* One level of if: whether text counts where it stands, counts in it now, and a branch did. */
struct branch {
    bool outside, live, taken;
};

struct filling {
    const json_t *data;
    struct branch branches[DEPTH_MAX + 1]; /* the first is the text itself */
    unsigned depth;
    struct text out;
};

/* What one word stands for, appended. */
static void add_value(struct text *out, struct span word, const json_t *data)
{
    if (is_field(word)) {
        AUTO(free) char *path = text_dup(word.data + 1, word.length - 1);
        const json_t *value = tree_at(data, path);

        if (json_is_integer(value))
            text_addf(out, "%lld", (long long)json_integer_value(value));
        else if (json_is_string(value))
            text_add(out, json_string_value(value), json_string_length(value));
        return;
    }
    if (!is_text(word)) {
        text_add(out, word.data, word.length);
        return;
    }
    for (size_t i = 1; i + 1 < word.length; i++) {
        bool escaped = word.data[0] == '"' && word.data[i] == '\\' && i + 2 < word.length;
        char c = word.data[i += escaped];

        text_putc(out, escaped && c == 'n' ? '\n' : escaped && c == 't' ? '\t' : c);
    }
}

static struct span text_span(const struct text *text)
{
    return (struct span){text_get(text), text->length};
}

/* eq: the first is one of the others; ne: it is none of them. */
static bool holds(struct span rest, const json_t *data)
{
    AUTO(text) struct text first = {0};
    struct span word;
    bool found = false, wanted;

    wanted = take_word(&rest, &word) && span_is(word, "eq");
    if (take_word(&rest, &word))
        add_value(&first, word, data);
    while (take_word(&rest, &word)) {
        AUTO(text) struct text other = {0};

        add_value(&other, word, data);
        found = found || (first.length == other.length &&
                          memcmp(text_get(&first), text_get(&other), first.length) == 0);
    }
    return found == wanted;
}

/* An action that hook_template_check() took. */
static void act(struct filling *filling, struct span inside)
{
    struct branch *now = &filling->branches[filling->depth];
    struct span rest = inside, word = {NULL, 0}, more;

    if (!take_word(&rest, &word))
        return;
    if (span_is(word, "if")) {
        bool live = now->live && holds(rest, filling->data);

        filling->branches[++filling->depth] = (struct branch){now->live, live, live};
    } else if (span_is(word, "end")) {
        filling->depth--;
    } else if (span_is(word, "else")) {
        bool open = now->outside && !now->taken;

        now->live = open && (!take_word(&rest, &more) || holds(rest, filling->data));
        now->taken = now->taken || now->live;
    } else if (now->live) {
        add_value(&filling->out, word, filling->data);
    }
}

static struct span trim_front(struct span text)
{
    while (text.length && blank(text.data[0]))
        text = (struct span){text.data + 1, text.length - 1};
    return text;
}

static struct span trim_back(struct span text)
{
    while (text.length && blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

static void add_plain(struct filling *filling, struct span text)
{
    if (filling->branches[filling->depth].live)
        text_add(&filling->out, text.data, text.length);
}

/* The text is one that hook_template_check() took. */
static bool fill(struct filling *filling, struct span text, size_t max)
{
    for (const char *start; (start = find(text, "{{"));) {
        struct span plain = {text.data, (size_t)(start - text.data)}, rest = behind(text, start);
        const char *end = closing(rest);
        struct span inside = {rest.data, (size_t)(end - rest.data)}, bare = without_trims(inside);

        add_plain(filling, bare.data > inside.data ? trim_back(plain) : plain);
        if (!is_comment(inside))
            act(filling, bare);
        text = behind(rest, end);
        if (bare.data + bare.length < end)
            text = trim_front(text);
        if (filling->out.length > max)
            return false;
    }
    add_plain(filling, text);
    return filling->out.length <= max;
}

bool hook_template_fill(struct span text, const json_t *data, size_t max, struct text *out,
                        struct error *err)
{
    struct filling filling = {.data = data, .branches = {{true, true, true}}};

    if (!hook_template_check(text, err))
        return false;

    bool good = fill(&filling, text, max);
    struct span made = text_span(&filling.out);

    if (good)
        text_add(out, made.data, made.length);
    text_done(&filling.out);
    return good || error_set(err, ERROR_TOO_LARGE, "template: more than %zu bytes", max);
}
