#include <stdlib.h>

#include "base/scan.h"
#include "base/scan_value.h"
#include "base/text.h"

/* Questions. */

static uint32_t member(const struct scan *scan, uint32_t object, struct span key)
{
    if (object >= scan->count || scan->values[object].type != SCAN_OBJECT)
        return SCAN_NONE;
    for (uint32_t i = object + 1; i < scan->values[object].next; i = scan->values[i + 1].next)
        if (scan_may_equal(&scan->values[i], key.length) &&
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
        if (scan_may_equal(&scan->values[i], wanted.length) &&
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

/* Levels on which a value is compared with its twin, byte by byte: a pod's template down to the
 * fields of a container. And how many members of the twin may be missing in between. */
#define SHARED_LEVELS 6
#define MISSING_MAX 4

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

/* A member to build: all of them when nobody chose. */
static bool is_wanted(const struct scan *scan, const struct scan_value *key,
                      const char *const *only)
{
    if (!only)
        return true;
    for (; *only; only++) {
        struct span name = span_of(*only);

        if (scan_may_equal(key, name.length) && scan_string_equals(scan, key, name))
            return true;
    }
    return false;
}

/* The value at the same place of another one, of which there is a tree already. */
struct twin {
    uint32_t value;
    const json_t *tree; /* NULL: there is none */
    unsigned levels;    /* down to which bytes are compared */
};

static bool is_same(const struct scan *scan, uint32_t value, struct twin twin)
{
    return twin.tree && span_equal(scan_slice(scan, value), scan_slice(scan, twin.value));
}

static struct twin twin_below(struct twin twin, uint32_t value, const json_t *tree)
{
    return (struct twin){value, twin.levels ? tree : NULL, twin.levels - 1};
}

/* The twin of the member with this key. They are met in order, so what is looked at is what comes
 * next, and few behind it: some may be missing here. */
static struct twin member_twin(const struct scan *scan, struct twin twin, uint32_t *next,
                               uint32_t key)
{
    uint32_t at = *next;

    for (unsigned i = 0; i < MISSING_MAX && at < scan->values[twin.value].next; i++) {
        if (span_equal(scan_slice(scan, key), scan_slice(scan, at))) {
            struct span name = scan_inside(scan, &scan->values[at]);

            *next = scan->values[at + 1].next;
            return twin_below(twin, at + 1, json_object_getn(twin.tree, name.data, name.length));
        }
        at = scan->values[at + 1].next;
    }
    return (struct twin){0};
}

static json_t *build(struct builder *b, uint32_t index, const char *const *only, struct twin twin);

static json_t *build_object(struct builder *b, uint32_t index, const char *const *only,
                            struct twin twin)
{
    const struct scan_value *values = b->scan->values;
    json_t *object = or_abort(json_object());
    uint32_t next = twin.value + 1;

    for (uint32_t i = index + 1; i < values[index].next; i = values[i + 1].next) {
        if (!is_wanted(b->scan, &values[i], only))
            continue;

        struct twin below =
            json_is_object(twin.tree) ? member_twin(b->scan, twin, &next, i) : (struct twin){0};
        json_t *member = build(b, i + 1, NULL, below);
        struct span key = string_value(b, &values[i]);

        if (json_object_setn_new_nocheck(object, key.data, key.length, member) < 0)
            abort();
    }
    return object;
}

static json_t *build_array(struct builder *b, uint32_t index, struct twin twin)
{
    const struct scan_value *values = b->scan->values;
    json_t *array = or_abort(json_array());
    uint32_t at = twin.value + 1;
    size_t place = 0;

    for (uint32_t i = index + 1; i < values[index].next; i = values[i].next) {
        struct twin below = twin_below(twin, at, json_array_get(twin.tree, place));

        if (json_array_append_new(array, build(b, i, NULL, below)) < 0)
            abort();
        if (below.tree) {
            at = values[at].next;
            place++;
        }
    }
    return array;
}

/* Recurses at most JSON_MAX_DEPTH times: the scan has seen to it. */
static json_t *build(struct builder *b, uint32_t index, const char *const *only, struct twin twin)
{
    if (is_same(b->scan, index, twin))
        return json_incref((json_t *)twin.tree);
    switch (b->scan->values[index].type) {
    case SCAN_OBJECT:
        return build_object(b, index, only, twin);
    case SCAN_ARRAY:
        return build_array(b, index, twin);
    default:
        return leaf(b, &b->scan->values[index]);
    }
}

json_t *scan_tree_like(const struct scan *scan, uint32_t value, const char *const *only,
                       uint32_t other, const json_t *tree)
{
    if (value >= scan->count)
        return NULL;

    struct builder b = {.scan = scan};
    struct twin twin = {other, other < scan->count ? tree : NULL, SHARED_LEVELS};
    json_t *built = build(&b, value, only, twin);

    free(b.scratch);
    return built;
}

json_t *scan_tree(const struct scan *scan, uint32_t value, const char *const *only)
{
    return scan_tree_like(scan, value, only, SCAN_NONE, NULL);
}
