/* Two JSON values: the difference, applied to the first, gives the second; and the same back. */
#include <string.h>

#include "base/auto.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/values.h"

static void operations_must_be_ours(const json_t *patch)
{
    const json_t *operation;
    size_t i;

    tree_items (patch, i, operation) {
        const char *op = tree_text(operation, "op"), *path = tree_text(operation, "path");

        FUZZ_MUST(op && path && (path[0] == '/' || path[0] == '\0'));
        FUZZ_MUST(strcmp(op, "add") == 0 || strcmp(op, "remove") == 0 ||
                  strcmp(op, "replace") == 0);
        FUZZ_MUST((strcmp(op, "remove") == 0) == !tree_get(operation, "value"));
    }
}

static void must_lead(const json_t *before, const json_t *after)
{
    AUTO(json) json_t *patch = patch_diff(before, after, "");
    struct error err = {0};
    AUTO(json) json_t *result = patch_apply(before, patch, &err);

    operations_must_be_ours(patch);
    FUZZ_MUST(result && tree_equal(result, after));
    FUZZ_MUST((json_array_size(patch) == 0) == tree_equal(before, after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    AUTO(json) json_t *before = fuzz_take_json(&rest);
    AUTO(json) json_t *after = fuzz_take_json(&rest);

    if (!after)
        return 0;
    must_lead(before, after);
    must_lead(after, before);
    must_lead(before, before);
    return 0;
}
