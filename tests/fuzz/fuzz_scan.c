/*
 * The scan against jansson as the judge: both accept or both refuse, and where they accept, the
 * tree is the same. Known differences:
 * - A raw NUL byte behind a number or a word (`9\0`) is swallowed by jansson; it is refused here.
 * - jansson counts a scalar as a level of nesting, so it refuses one inside of the 2048th list.
 */
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/auto.h"
#include "base/scan.h"
#include "tests/fuzz/fuzz.h"

#define LOAD_FLAGS (JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES)

/* Members of one object that are looked up, and values that are read again by themselves. */
#define LOOKED_UP_MAX 64
#define REREAD_MAX 16

static char *dump(const json_t *tree)
{
    char *text = json_dumps(tree, JSON_ENCODE_ANY | JSON_COMPACT);

    FUZZ_MUST(text);
    return text;
}

/* Also the order of members, and numbers to the last bit. */
static void must_equal(const json_t *ours, const json_t *theirs)
{
    AUTO(free) char *a = dump(ours);
    AUTO(free) char *b = dump(theirs);

    FUZZ_MUST(strcmp(a, b) == 0);
    FUZZ_MUST(json_equal(ours, theirs));
}

/* Each value lies within what holds it, and behind what stands before it. */
static void table_must_nest(const struct scan *scan, uint32_t index)
{
    const struct scan_value *value = &scan->values[index];

    FUZZ_MUST(value->start < value->end && value->end <= scan->text.length);
    FUZZ_MUST(value->next > index && value->next <= scan->count);
    if (value->next < scan->count)
        FUZZ_MUST(scan->values[value->next].start >= value->end);
    if (value->next > index + 1)
        FUZZ_MUST(scan->values[index + 1].start > value->start &&
                  scan->values[value->next - 1].end < value->end);
}

static void members_must_be_found(const struct scan *scan, uint32_t object)
{
    uint32_t looked_up = 0;

    for (uint32_t i = object + 1; i < scan->values[object].next; i = scan->values[i + 1].next) {
        if (looked_up++ == LOOKED_UP_MAX)
            return;

        AUTO(json) json_t *key = scan_tree(scan, i, NULL);

        FUZZ_MUST(scan_member(scan, object, json_string_value(key)) == i + 1);
        FUZZ_MUST(scan_holds(scan, object, json_string_value(key)));
    }
}

static void slice_must_stand_alone(const struct scan *scan, uint32_t index)
{
    struct span slice = scan_slice(scan, index);
    AUTO(json) json_t *theirs = json_loadb(slice.data, slice.length, LOAD_FLAGS, NULL);
    AUTO(json) json_t *ours = scan_tree(scan, index, NULL);

    FUZZ_MUST(theirs);
    must_equal(ours, theirs);
}

/* The second of two members, or elements, that take what they can from the first. */
static void twin_must_be_equal(const struct scan *scan, uint32_t index)
{
    const struct scan_value *values = scan->values;
    uint32_t step = values[index].type == SCAN_OBJECT, one = index + 1 + step;
    uint32_t other = one < values[index].next ? values[one].next + step : values[index].next;

    if (values[index].type > SCAN_ARRAY || other >= values[index].next)
        return;

    AUTO(json) json_t *tree = scan_tree(scan, one, NULL);
    AUTO(json) json_t *ours = scan_tree_like(scan, other, NULL, one, tree);
    AUTO(json) json_t *plain = scan_tree(scan, other, NULL);

    must_equal(ours, plain);
}

static void accepted(const struct scan *scan, const json_t *theirs)
{
    AUTO(json) json_t *ours = scan_tree(scan, 0, NULL);

    must_equal(ours, theirs);
    for (uint32_t i = 0; i < scan->count; i++) {
        table_must_nest(scan, i);
        if (scan->values[i].type == SCAN_OBJECT)
            members_must_be_found(scan, i);
        if (i < REREAD_MAX)
            twin_must_be_equal(scan, i);
        if (i > 0 && i < REREAD_MAX)
            slice_must_stand_alone(scan, i);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(scan) struct scan scan = {0};
    struct error err = {0};
    json_error_t detail;
    AUTO(json) json_t *theirs = json_loadb((const char *)data, size, LOAD_FLAGS, &detail);

    if (!scan_text(&scan, (struct span){(const char *)data, size}, &err)) {
        FUZZ_MUST(err.code == ERROR_BAD_REQUEST && isdigit((unsigned char)err.message[0]));
        FUZZ_MUST(scan.values == NULL && scan.count == 0);
        FUZZ_MUST(!theirs || memchr(data, '\0', size));
        return 0;
    }
    if (!theirs && json_error_code(&detail) == json_error_stack_overflow)
        return 0;
    FUZZ_MUST(theirs);
    accepted(&scan, theirs);
    return 0;
}
