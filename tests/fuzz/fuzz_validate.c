/*
 * An object of our kinds, and perhaps a second one that is its old state: judging ends, its
 * findings are bounded and complete, and says the same when asked again.
 */
#include <string.h>

#include "api/validate.h"
#include "api/validate_schema.h"
#include "base/auto.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/values.h"

static void check(const json_t *object, const json_t *old)
{
    AUTO(findings) struct findings first = {0}, again = {0};

    validate_object(&(struct validation){object, old, NULL}, &first);
    validate_object(&(struct validation){object, old, NULL}, &again);
    FUZZ_MUST(first.count <= FINDINGS_MAX + 1 && first.count == again.count);
    for (size_t i = 0; i < first.count; i++) {
        FUZZ_MUST(first.items[i].reason && first.items[i].message[0]);
        FUZZ_MUST(strcmp(first.items[i].field, again.items[i].field) == 0);
        FUZZ_MUST(strcmp(first.items[i].message, again.items[i].message) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size};
    AUTO(json) json_t *object = fuzz_take_json(&rest);
    AUTO(json) json_t *old = object ? fuzz_take_json(&rest) : NULL;

    check(object, NULL);
    if (old)
        check(object, old);
    return 0;
}
