/*
 * A document and any JSON as a patch for it: the patch applies or is refused with a message,
 * neither input is changed, and what came out can be reached by a patch of ours.
 */
#include <string.h>

#include "base/auto.h"
#include "base/patch.h"
#include "base/tree.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/values.h"

static void refusal_must_say_why(const struct error *err)
{
    static const char operation[] = "operation ", list[] = "a JSON Patch is a list";

    FUZZ_MUST(err->code == ERROR_INVALID || err->code == ERROR_TOO_LARGE);
    FUZZ_MUST(strncmp(err->message, operation, sizeof operation - 1) == 0 ||
              strncmp(err->message, list, sizeof list - 1) == 0);
}

static void must_be_reached(const json_t *document, const json_t *result)
{
    AUTO(json) json_t *patch = patch_diff(document, result, "");
    struct error err = {0};
    AUTO(json) json_t *again = patch_apply(document, patch, &err);

    FUZZ_MUST(again && tree_equal(again, result));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    AUTO(json) json_t *document = fuzz_take_json(&rest);
    AUTO(json) json_t *patch = fuzz_take_json(&rest);
    struct error err = {0};

    if (!patch)
        return 0;

    AUTO(json) json_t *document_before = tree_copy(document);
    AUTO(json) json_t *patch_before = tree_copy(patch);
    AUTO(json) json_t *result = patch_apply(document, patch, &err);

    FUZZ_MUST(tree_equal(document, document_before) && tree_equal(patch, patch_before));
    if (result)
        must_be_reached(document, result);
    else
        refusal_must_say_why(&err);
    return 0;
}
