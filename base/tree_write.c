#include "base/tree.h"

#include <stdlib.h>

/* Members that are sorted without asking for memory. */
#define SORTED_ON_STACK 32

static void add_string(struct text *out, const char *data, size_t length)
{
    text_putc(out, '"');
    text_add_json(out, data, length);
    text_putc(out, '"');
}

static void add_integer(struct text *out, json_int_t value)
{
    char digits[24];
    size_t at = sizeof digits;
    unsigned long long rest =
        value < 0 ? 0ull - (unsigned long long)value : (unsigned long long)value;

    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        digits[--at] = '-';
    text_add(out, digits + at, sizeof digits - at);
}

/* Real numbers are rare, and how they are written best is the library's business. */
static void add_real(struct text *out, const json_t *value)
{
    char digits[64];
    size_t length = json_dumpb(value, digits, sizeof digits, JSON_ENCODE_ANY);

    if (length == 0 || length > sizeof digits)
        abort();
    text_add(out, digits, length);
}

struct member {
    struct span key;
    const json_t *value;
};

static struct member member_at(void *iterator)
{
    return (struct member){{json_object_iter_key(iterator), json_object_iter_key_len(iterator)},
                           json_object_iter_value(iterator)};
}

static void add_member(struct text *out, const struct member *member, bool first, bool sorted)
{
    if (!first)
        text_putc(out, ',');
    add_string(out, member->key.data, member->key.length);
    text_putc(out, ':');
    tree_write(out, member->value, sorted);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct member *)a)->key.data, ((const struct member *)b)->key.data);
}

static void sort_few(struct member *members, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct member member = members[i];
        size_t place = i;

        for (; place > 0 && by_key(&members[place - 1], &member) > 0; place--)
            members[place] = members[place - 1];
        members[place] = member;
    }
}

static void add_sorted(struct text *out, json_t *object)
{
    size_t size = json_object_size(object), count = 0;
    struct member few[SORTED_ON_STACK];
    AUTO(free)
    struct member *many = size > SORTED_ON_STACK ? text_alloc(size * sizeof *many) : NULL;
    struct member *members = many ? many : few;

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at))
        members[count++] = member_at(at);
    if (many)
        qsort(members, count, sizeof *members, by_key);
    else
        sort_few(members, count);
    for (size_t i = 0; i < count; i++)
        add_member(out, &members[i], i == 0, true);
}

static void add_in_order(struct text *out, json_t *object)
{
    bool first = true;

    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        struct member member = member_at(at);

        add_member(out, &member, first, false);
        first = false;
    }
}

static void add_object(struct text *out, const json_t *object, bool sorted)
{
    text_putc(out, '{');
    if (sorted)
        add_sorted(out, (json_t *)object);
    else
        add_in_order(out, (json_t *)object);
    text_putc(out, '}');
}

static void add_list(struct text *out, const json_t *list, bool sorted)
{
    const json_t *value;
    size_t i;

    text_putc(out, '[');
    tree_items (list, i, value) {
        if (i)
            text_putc(out, ',');
        tree_write(out, value, sorted);
    }
    text_putc(out, ']');
}

void tree_write(struct text *out, const json_t *tree, bool sorted)
{
    if (!tree)
        return;
    switch (json_typeof(tree)) {
    case JSON_OBJECT:
        add_object(out, tree, sorted);
        break;
    case JSON_ARRAY:
        add_list(out, tree, sorted);
        break;
    case JSON_STRING:
        add_string(out, json_string_value(tree), json_string_length(tree));
        break;
    case JSON_INTEGER:
        add_integer(out, json_integer_value(tree));
        break;
    case JSON_REAL:
        add_real(out, tree);
        break;
    case JSON_TRUE:
        text_puts(out, "true");
        break;
    case JSON_FALSE:
        text_puts(out, "false");
        break;
    case JSON_NULL:
        text_puts(out, "null");
        break;
    }
}
