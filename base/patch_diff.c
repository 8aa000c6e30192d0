#include "base/patch.h"

#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/pointer.h"
#include "base/tree.h"

/* Quotes, a comma, a colon: what surrounds a value, and about what a number takes. */
#define VALUE_BYTES 4

/* About as many bytes as the value has when it is written. */
static size_t weigh(const json_t *value)
{
    size_t bytes = VALUE_BYTES + json_string_length(value), i;
    const json_t *item;
    const char *key;

    tree_each (value, key, item)
        bytes += strlen(key) + VALUE_BYTES + weigh(item);
    tree_items (value, i, item)
        bytes += weigh(item);
    return bytes;
}

/* One step on the way from the root. Most places of a document need no operation, so a path is
 * written only when one does. */
struct place {
    const struct place *up; /* NULL: the place that the caller named, `key` is its pointer */
    const char *key;        /* NULL: an element of a list */
    size_t index;
    unsigned depth;
};

static void write_path(struct text *path, const struct place *place)
{
    if (!place->up) {
        text_puts(path, place->key);
        return;
    }
    write_path(path, place->up);
    if (place->key)
        pointer_add_key(path, span_of(place->key));
    else
        pointer_add_index(path, place->index);
}

static json_t *operation(const char *op, const struct place *place, const json_t *value)
{
    AUTO(text) struct text path = {0};
    json_t *members = json_object();

    write_path(&path, place);
    tree_put_text(members, "op", op);
    tree_put_span(members, "path", (struct span){text_get(&path), path.length});
    tree_put_new(members, "value", tree_share(value));
    return members;
}

static void push(json_t *patch, const char *op, const struct place *place, const json_t *value)
{
    tree_push_new(patch, operation(op, place, value));
}

static void change(json_t *patch, const struct place *place, const json_t *before,
                   const json_t *after);

static void change_object(json_t *patch, const struct place *place, const json_t *before,
                          const json_t *after)
{
    struct place member = {.up = place, .depth = place->depth + 1};
    const json_t *value;

    tree_each (before, member.key, value) {
        const json_t *wanted = json_object_get(after, member.key);

        if (wanted)
            change(patch, &member, value, wanted);
        else
            push(patch, "remove", &member, NULL);
    }
    tree_each (after, member.key, value)
        if (!json_object_get(before, member.key))
            push(patch, "add", &member, value);
}

/* Two elements that take each other's place: entered or replaced, whichever is less to write. */
static void change_element(json_t *patch, const struct place *place, const json_t *before,
                           const json_t *after)
{
    size_t count = json_array_size(patch), entered = 0;

    change(patch, place, before, after);
    if (json_array_size(patch) == count)
        return;
    for (size_t i = count; i < json_array_size(patch); i++)
        entered += weigh(json_array_get(patch, i));

    AUTO(json) json_t *whole = operation("replace", place, after);

    if (weigh(whole) >= entered)
        return;
    while (json_array_size(patch) > count)
        json_array_remove(patch, json_array_size(patch) - 1);
    json_array_append(patch, whole);
}

/* Two lists on their way from one to the other. What stands left of `after_at` is done: the list
 * being patched equals `after` there, so `after_at` is the index of the next operation. */
struct lists {
    json_t *patch;
    struct place place; /* of an element */
    const json_t *before, *after;
    size_t before_at, after_at;
};

/* Goes on up to these ends, between which nothing is known to be common. */
static void change_run(struct lists *lists, size_t before_end, size_t after_end)
{
    size_t *at = &lists->before_at, *place = &lists->after_at;

    for (; *at < before_end && *place < after_end; ++*at, ++*place) {
        lists->place.index = *place;
        change_element(lists->patch, &lists->place, json_array_get(lists->before, *at),
                       json_array_get(lists->after, *place));
    }
    for (lists->place.index = *place; *at < before_end; ++*at)
        push(lists->patch, "remove", &lists->place, NULL);
    for (; *place < after_end; ++*place) {
        lists->place.index = *place;
        push(lists->patch, "add", &lists->place, json_array_get(lists->after, *place));
    }
}

/* splitmix64's finalizer */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* FNV-1a */
static uint64_t digest_bytes(const char *data, size_t length)
{
    uint64_t digest = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < length; i++)
        digest = (digest ^ (unsigned char)data[i]) * UINT64_C(0x100000001b3);
    return mix(digest);
}

/* Equal values have equal digests. The reverse is likely, and nothing but the patch's size relies
 * on it: aligned elements are compared again. */
static uint64_t digest(const json_t *value)
{
    uint64_t sum = (uint64_t)json_typeof(value);
    const json_t *item;
    const char *key;
    size_t i;

    if (json_is_string(value))
        return digest_bytes(json_string_value(value), json_string_length(value));
    if (json_is_number(value)) {
        double number = json_number_value(value);

        return digest_bytes((const char *)&number, sizeof number);
    }
    tree_each (value, key, item)
        sum += mix(digest_bytes(key, strlen(key)) ^ (digest(item) << 1));
    tree_items (value, i, item)
        sum = mix(sum ^ digest(item));
    return mix(sum);
}

struct item {
    uint64_t digest;
    uint64_t name; /* digest of the "name"; 0 when it has none */
};

static struct item *make_items(const json_t *list, size_t from, size_t end)
{
    struct item *items = text_alloc((end - from) * sizeof *items);

    for (size_t i = from; i < end; i++) {
        const json_t *item = json_array_get(list, i);
        const json_t *name = tree_member(item, "name", JSON_STRING);

        items[i - from] = (struct item){digest(item), name ? digest(name) : 0};
    }
    return items;
}

/* One more common element outweighs all common names, of which there are at most
 * sqrt(PATCH_MAX_CELLS). */
static uint32_t likeness(const struct item *a, const struct item *b)
{
    if (a->digest == b->digest)
        return 1u << 12;
    return a->name && a->name == b->name;
}

enum step { STEP_BOTH, STEP_BEFORE, STEP_AFTER };

/* The longest common subsequence, by dynamic programming from the end to the start: what to step
 * over at (before, after), for all pairs. */
static uint8_t *align(const struct item *before, size_t before_count, const struct item *after,
                      size_t after_count)
{
    uint8_t *steps = text_alloc(before_count * after_count);
    AUTO(free) uint32_t *scores = text_alloc((after_count + 1) * sizeof *scores);

    for (size_t i = before_count; i-- > 0;) {
        uint32_t below_right = 0;

        for (size_t j = after_count; j-- > 0;) {
            uint32_t like = likeness(&before[i], &after[j]), both = below_right + like;
            uint32_t below = scores[j], right = scores[j + 1];
            uint32_t one = below >= right ? below : right;
            bool pair = like && both >= one;

            below_right = below;
            scores[j] = pair ? both : one;
            steps[i * after_count + j] = pair             ? STEP_BOTH
                                         : below >= right ? STEP_BEFORE
                                                          : STEP_AFTER;
        }
    }
    return steps;
}

static void change_aligned(struct lists *lists, size_t before_end, size_t after_end)
{
    size_t before_from = lists->before_at, rows = before_end - before_from;
    size_t after_from = lists->after_at, columns = after_end - after_from;
    AUTO(free) struct item *before = make_items(lists->before, before_from, before_end);
    AUTO(free) struct item *after = make_items(lists->after, after_from, after_end);
    AUTO(free) uint8_t *steps = align(before, rows, after, columns);

    for (size_t i = 0, j = 0; i < rows && j < columns;) {
        uint8_t step = steps[i * columns + j];

        if (step == STEP_BOTH) {
            change_run(lists, before_from + i, after_from + j);
            change_run(lists, before_from + i + 1, after_from + j + 1);
        }
        i += step != STEP_AFTER;
        j += step != STEP_BEFORE;
    }
}

static bool equal_at(const json_t *before, size_t i, const json_t *after, size_t j)
{
    return tree_equal(json_array_get(before, i), json_array_get(after, j));
}

static void change_list(json_t *patch, const struct place *place, const json_t *before,
                        const json_t *after)
{
    size_t before_end = json_array_size(before), after_end = json_array_size(after), same = 0;

    while (same < before_end && same < after_end && equal_at(before, same, after, same))
        same++;
    while (same < before_end && same < after_end &&
           equal_at(before, before_end - 1, after, after_end - 1)) {
        before_end--;
        after_end--;
    }

    struct lists lists = {.patch = patch,
                          .place = {.up = place, .depth = place->depth + 1},
                          .before = before,
                          .after = after,
                          .before_at = same,
                          .after_at = same};
    size_t cells = (before_end - same) * (after_end - same);

    if (cells > 1 && cells <= PATCH_MAX_CELLS)
        change_aligned(&lists, before_end, after_end);
    change_run(&lists, before_end, after_end);
}

static void change(json_t *patch, const struct place *place, const json_t *before,
                   const json_t *after)
{
    bool enter = json_typeof(before) == json_typeof(after) && place->depth < PATCH_MAX_DEPTH;

    if (before == after)
        return;
    if (enter && json_is_object(before))
        change_object(patch, place, before, after);
    else if (enter && json_is_array(before))
        change_list(patch, place, before, after);
    else if (!tree_equal(before, after))
        push(patch, "replace", place, after);
}

json_t *patch_diff(const json_t *before, const json_t *after, const char *path)
{
    const struct place place = {.key = path};
    json_t *patch = json_array();

    if (before && after)
        change(patch, &place, before, after);
    else if (before || after)
        push(patch, before ? "remove" : "add", &place, after);
    return patch;
}
