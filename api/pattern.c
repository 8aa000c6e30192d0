#include "api/pattern.h"

#define BIT(i) ((uint64_t)1 << (i))

size_t pattern_char(struct span text)
{
    size_t length = text.length > 0;

    while (length && length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length++;
    return length;
}

static struct span rest_of(struct span text, size_t from)
{
    return (struct span){from ? text.data + from : text.data, text.length - from};
}

static void add(struct pattern *pattern, struct span item, bool literal)
{
    if (!literal && span_is(item, "*"))
        pattern->star |= BIT(pattern->count);
    if (!literal && span_is(item, "?"))
        pattern->one |= BIT(pattern->count);
    pattern->items[pattern->count++] = item;
}

bool pattern_parse(struct pattern *pattern, struct span text, struct error *err)
{
    struct pattern made = {.count = 0};

    while (text.length) {
        bool literal = text.data[0] == '\\' && text.length > 1;

        text = rest_of(text, literal);
        if (made.count == PATTERN_MAX_CHARS)
            return error_set(err, ERROR_INVALID, "the pattern is longer than %u characters",
                             PATTERN_MAX_CHARS);
        if (!literal && text.data[0] == '[')
            return error_set(err, ERROR_INVALID, "sets ([...]) are not supported in patterns");

        struct span item = {text.data, pattern_char(text)};

        add(&made, item, literal);
        text = rest_of(text, item.length);
    }
    *pattern = made;
    return true;
}

/* A star also matches nothing, so what stands behind it is reached with it. */
static uint64_t closure(const struct pattern *pattern, uint64_t states)
{
    for (unsigned i = 0; i < pattern->count; i++)
        if ((states & BIT(i)) && (pattern->star & BIT(i)))
            states |= BIT(i + 1);
    return states;
}

static uint64_t step(const struct pattern *pattern, uint64_t states, struct span character)
{
    uint64_t after = 0;

    for (unsigned i = 0; i < pattern->count; i++) {
        if (!(states & BIT(i)))
            continue;
        if (pattern->star & BIT(i))
            after |= BIT(i);
        else if ((pattern->one & BIT(i)) || span_equal(pattern->items[i], character))
            after |= BIT(i + 1);
    }
    return closure(pattern, after);
}

struct pattern_ends pattern_match(const struct pattern *pattern, struct span text)
{
    struct pattern_ends ends = {.found = false};
    uint64_t states = closure(pattern, BIT(0));
    size_t at = 0;

    for (;;) {
        if (states & BIT(pattern->count)) {
            ends.shortest = ends.found ? ends.shortest : at;
            ends.longest = at;
            ends.found = true;
        }
        if (at == text.length || !states)
            return ends;

        struct span character = rest_of(text, at);

        character.length = pattern_char(character);
        states = step(pattern, states, character);
        at += character.length;
    }
}
