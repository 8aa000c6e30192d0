/*
 * A document, a newline, and bytes as a pointer: tokens that are escaped again give the same bytes,
 * and walking token by token comes to the same value as looking up the whole.
 */
#include <string.h>

#include "base/auto.h"
#include "base/pointer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/values.h"

/* Where the pointer leads; NULL when nowhere. */
static const json_t *walk(const json_t *value, struct span pointer)
{
    AUTO(text) struct text token = {0}, again = {0};
    struct span rest = pointer;
    struct error err = {0};

    while (pointer_token(&rest, &token, &err)) {
        struct span key = {text_get(&token), token.length};
        size_t index;

        if (pointer_index(key, &index)) {
            pointer_add_index(&again, index);
            FUZZ_MUST(again.length + rest.length == pointer.length);
        } else {
            pointer_add_key(&again, key);
        }
        value = pointer_step(value, key);
    }
    FUZZ_MUST(again.length <= pointer.length);
    FUZZ_MUST(again.length == 0 || memcmp(again.data, pointer.data, again.length) == 0);
    FUZZ_MUST((err.code == ERROR_NONE) == (again.length == pointer.length));
    return err.code ? NULL : value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    AUTO(json) json_t *document = fuzz_take_json(&rest);

    if (!document || rest.length == 0)
        return 0;
    rest.data++;
    rest.length--;

    AUTO(free) char *pointer = text_dup(rest.data, rest.length);
    const json_t *found = walk(document, rest);

    if (!memchr(pointer, '\0', rest.length))
        FUZZ_MUST(pointer_get(document, pointer) == found);
    return 0;
}
