/*
 * The first byte says how large the pieces are in which a list arrives. What is accepted is what
 * jansson makes of the whole, and does not depend on the pieces.
 */
#include <jansson.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "kube/list.h"
#include "tests/fuzz/fuzz.h"

static const struct kube_watched pods = {.resource = {"", "v1", "pods", "Pod", true}};

/* Items as the reader keeps them, from a whole tree; NULL when one of them can not be taken. */
static json_t *take_items(json_t *list)
{
    json_t *items = json_object_get(list, "items"), *item;
    struct error err = {0};
    size_t i;

    json_array_foreach(items, i, item)
    {
        FUZZ_MUST(watched_take(&pods, item, true, &err));
    }
    return items;
}

static void must_be_the_whole(const json_t *items, const struct list_page *page,
                              const uint8_t *data, size_t size)
{
    AUTO(json)
    json_t *whole =
        json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    const json_t *metadata = tree_get(whole, "metadata");

    if (!whole && memchr(data, '\0', size))
        return; /* jansson takes NUL behind a number for white space, and then may err */
    FUZZ_MUST(whole && span_is(tree_span(metadata, "resourceVersion"), page->version));

    const json_t *wanted = take_items(whole);

    FUZZ_MUST(json_array_size(wanted) == json_array_size(items));
    FUZZ_MUST(json_array_size(items) == 0 || tree_equal(wanted, items));
}

static void read_all(const uint8_t *data, size_t size, size_t step, struct text *out)
{
    AUTO(json) json_t *items = json_array();
    AUTO(list_reader) struct list_reader reader = {.watched = &pods, .items = items};
    struct error err = {0};
    struct list_page page;
    bool fine = true;

    reader.frames.max = 4096;
    for (size_t at = 0; at < size && fine; at += step) {
        text_add(&reader.frames.buffer, (const char *)data + at,
                 size - at < step ? size - at : step);
        fine = list_read(&reader, &err);
    }
    fine = fine && list_end(&reader, &page, &err);
    FUZZ_MUST(fine == (err.code == ERROR_NONE));
    if (fine && step > size)
        must_be_the_whole(items, &page, data, size);
    text_addf(out, "%d %s ", fine, err.message);
    tree_write(out, items, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(text) struct text whole = {0}, pieces = {0};

    if (size < 2)
        return 0;
    read_all(data + 1, size - 1, size, &whole);
    read_all(data + 1, size - 1, (size_t)data[0] % 61 + 1, &pieces);
    FUZZ_MUST(whole.length == pieces.length);
    FUZZ_MUST(memcmp(text_get(&whole), text_get(&pieces), whole.length) == 0);
    return 0;
}
