/*
 * Two lines as quantities and durations: order is antisymmetric, a sign turns it around, and what
 * is written reads back.
 */
#include <string.h>

#include "api/duration.h"
#include "api/quantity.h"
#include "base/auto.h"
#include "tests/fuzz/fuzz.h"

static void check_pair(struct span a, struct span b)
{
    struct quantity x, y;
    struct error err = {0};

    if (!quantity_parse(a, &x, &err) || !quantity_parse(b, &y, &err)) {
        FUZZ_MUST(err.code == ERROR_INVALID && err.message[0]);
        return;
    }

    int order = quantity_compare(&x, &y);

    FUZZ_MUST(quantity_compare(&y, &x) == -order);
    x.negative = quantity_sign(&x) && !x.negative;
    y.negative = quantity_sign(&y) && !y.negative;
    FUZZ_MUST(quantity_compare(&x, &y) == -order);
    FUZZ_MUST(order || quantity_ceil(&x) == quantity_ceil(&y));
}

static void check_duration(struct span text)
{
    AUTO(text) struct text again = {0};
    struct error err = {0};
    int64_t ns, same;

    if (!duration_parse_days(text, &ns, &err))
        return;
    duration_format(&again, ns);
    FUZZ_MUST(duration_parse(span_of(text_get(&again)), &same, &err) && same == ns);
}

static void check_within(struct span text)
{
    AUTO(text) struct text again = {0};
    struct within within, same;
    struct error err = {0};

    if (!within_parse(text, &within, &err))
        return;
    within_format(&again, &within);
    FUZZ_MUST(within_parse(span_of(text_get(&again)), &same, &err));
    FUZZ_MUST(within_hours(&within) == within_hours(&same) && within_hours(&same) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span rest = {(const char *)data, size}, first = {0};

    if (!text_split(&rest, '\n', &first))
        return 0;
    check_pair(first, rest);
    check_duration(first);
    check_within(first);
    return 0;
}
