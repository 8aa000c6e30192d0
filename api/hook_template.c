#include "api/hook_template.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"

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
    return text.length ? memmem(text.data, text.length, what, 2) : NULL;
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
