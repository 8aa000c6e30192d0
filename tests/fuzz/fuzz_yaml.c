/*
 * YAML: every text is read or refused in time. What was read is within the bounds, its places lie
 * in the text and do not go back, and what is written of it is read as the same, without a remark.
 */
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/pointer.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "tests/fuzz/fuzz.h"

struct walk {
    const struct yaml_document *document;
    struct yaml_place last;
    unsigned lines;
    size_t values;
    struct text pointer;
};

static void place_must_follow(struct walk *walk)
{
    struct yaml_place place = yaml_locate(walk->document, text_get(&walk->pointer));

    FUZZ_MUST(place.line >= 1 && place.column >= 1 && place.line <= walk->lines);
    FUZZ_MUST(place.line > walk->last.line ||
              (place.line == walk->last.line && place.column >= walk->last.column));
    walk->last = place;
}

static void walk_value(struct walk *walk, const json_t *value, unsigned depth)
{
    size_t length = walk->pointer.length, i;
    const json_t *child;
    const char *key;

    FUZZ_MUST(depth <= YAML_MAX_DEPTH + 1);
    if (walk->values++ > 200) /* looking up is linear */
        return;
    place_must_follow(walk);
    tree_each (value, key, child) {
        pointer_add_key(&walk->pointer, span_of(key));
        walk_value(walk, child, depth + 1);
        walk->pointer.length = length;
    }
    tree_items (value, i, child) {
        pointer_add_index(&walk->pointer, i);
        walk_value(walk, child, depth + 1);
        walk->pointer.length = length;
    }
}

static void must_come_back(const json_t *tree)
{
    AUTO(text) struct text written = {0}, warnings = {0};
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {0};

    yaml_write(&written, tree);
    /* escapes may make it longer than what may be read */
    if (written.length > YAML_MAX_BYTES)
        return;
    FUZZ_MUST(yaml_read(&yaml, (struct span){text_get(&written), written.length}, &warnings, &err));
    FUZZ_MUST(yaml.count == 1 && tree_equal(yaml.documents[0].value, tree));
    FUZZ_MUST(warnings.length == 0);
}

static unsigned count_lines(const uint8_t *data, size_t size)
{
    unsigned lines = 2; /* the first, and the end behind the last */

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n' || data[i] == '\r';
    return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(text) struct text warnings = {0};
    AUTO(yaml) struct yaml yaml = {0};
    AUTO(free) char *path = text_dup((const char *)data, size);
    struct error err = {0};

    if (!yaml_read(&yaml, (struct span){(const char *)data, size}, &warnings, &err)) {
        FUZZ_MUST(err.code == ERROR_INVALID || err.code == ERROR_TOO_LARGE);
        FUZZ_MUST(yaml.count == 0 && strchr(err.message, ':'));
        return 0;
    }
    for (size_t i = 0; i < yaml.count; i++) {
        AUTO(yaml) struct yaml elements = {0};
        struct walk walk = {.document = &yaml.documents[i], .lines = count_lines(data, size)};

        walk_value(&walk, yaml.documents[i].value, 1);
        text_done(&walk.pointer);
        must_come_back(yaml.documents[i].value);
        yaml_elements(&yaml.documents[i], "items", &elements);
        FUZZ_MUST(elements.count == json_array_size(tree_get(yaml.documents[i].value, "items")));
        FUZZ_MUST(yaml_locate_field(&yaml.documents[i], path).line >= 1);
    }
    return 0;
}
