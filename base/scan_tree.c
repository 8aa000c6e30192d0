#include <stdlib.h>

#include "base/scan.h"
#include "base/scan_value.h"
#include "base/text.h"

/* Questions. */

/* Tells most strings apart by their length alone. */
static inline bool may_equal(const struct scan_value *value, size_t length)
{
    size_t raw = value->end - value->start;

    if (value->type != SCAN_STRING || raw < length + 2)
        return false;
    return raw == length + 2 || value->flags & SCAN_ESCAPED;
}

static uint32_t member(const struct scan *scan, uint32_t object, struct span key)
{
    if (object >= scan->count || scan->values[object].type != SCAN_OBJECT)
        return SCAN_NONE;
    for (uint32_t i = object + 1; i < scan->values[object].next; i = scan->values[i + 1].next)
        if (may_equal(&scan->values[i], key.length) &&
            scan_string_equals(scan, &scan->values[i], key))
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
        if (may_equal(&scan->values[i], wanted.length) &&
            scan_string_equals(scan, &scan->values[i], wanted))
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
    return value < scan->count && scan->values[value].type == SCAN_STRING &&
           scan_string_equals(scan, &scan->values[value], span_of(text));
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
    struct span raw = scan_inside(b->scan, string);

    if (!(string->flags & SCAN_ESCAPED))
        return raw;
    if (raw.length > b->room) {
        b->room = 2 * raw.length;
        b->scratch = text_realloc(b->scratch, b->room);
    }
    return (struct span){b->scratch, scan_unescape(raw, b->scratch)};
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
        if (value->flags & SCAN_REAL)
            return or_abort(json_real(scan_real(bytes)));
        if (!scan_integer(bytes, &number))
            abort(); /* the scan has seen to it */
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
        if (scan_string_equals(scan, key, span_of(*names)))
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
