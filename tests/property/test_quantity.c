#include "api/quantity.h"

#include <check.h>

#include "base/auto.h"
#include "base/text.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/*
 * Quantities against integers of 128 bits: a text is made of a whole number of billionths that is
 * known, so its order is known without reading it.
 */

typedef __int128 exact;

static const struct {
    const char *suffix;
    int ten, two;
} suffixes[] = {{"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},   {"", 0, 0},     {"k", 3, 0},
                {"M", 6, 0},   {"G", 9, 0},   {"e-9", -9, 0}, {"E-3", -3, 0}, {"e0", 0, 0},
                {"e+6", 6, 0}, {"Ki", 0, 10}, {"Mi", 0, 20},  {"Gi", 0, 30},  {"Ti", 0, 40}};

struct sample {
    char text[96];
    exact nano;
};

static exact power(int base, int exponent)
{
    exact value = 1;

    while (exponent-- > 0)
        value *= base;
    return value;
}

/* mantissa * 10^-fraction with a suffix: billionths, rounded away from zero. */
static exact value_of(exact mantissa, int fraction, int ten, int two)
{
    exact numerator = mantissa * power(2, two), divisor = 1;
    int exponent = ten + 9 - fraction;

    if (exponent >= 0)
        numerator *= power(10, exponent);
    else
        divisor = power(10, -exponent);
    return numerator / divisor + (numerator % divisor != 0);
}

static struct sample sample(struct random *random)
{
    static const uint64_t ends[] = {2, 10, 1100, 1000000, 1000000000000};
    uint64_t mantissa = random_bits(random) % ends[random_below(random, 5)];
    int fraction = (int)random_below(random, 7);
    size_t which = random_below(random, sizeof suffixes / sizeof *suffixes);
    uint64_t scale = (uint64_t)power(10, fraction);
    bool negative = random_often(random, 30);
    struct sample made = {
        .nano = value_of(mantissa, fraction, suffixes[which].ten, suffixes[which].two)};
    int used = snprintf(made.text, sizeof made.text, "%s%ju",
                        negative                   ? "-"
                        : random_often(random, 10) ? "+"
                                                   : "",
                        (uintmax_t)(mantissa / scale));

    if (fraction)
        used += snprintf(made.text + used, sizeof made.text - (size_t)used, ".%0*ju", fraction,
                         (uintmax_t)(mantissa % scale));
    snprintf(made.text + used, sizeof made.text - (size_t)used, "%s", suffixes[which].suffix);
    if (negative)
        made.nano = -made.nano;
    return made;
}

static struct quantity parse(struct random *random, const struct sample *sample)
{
    struct quantity quantity = {0};
    struct error err = {0};

    PROPERTY_MUST(random, quantity_parse(span_of(sample->text), &quantity, &err));
    return quantity;
}

static int order(exact a, exact b)
{
    return (a > b) - (a < b);
}

static void compared_as_numbers(struct random *random)
{
    struct sample a = sample(random), b = sample(random);
    struct quantity x = parse(random, &a), y = parse(random, &b);
    exact whole = a.nano / 1000000000;

    PROPERTY_MUST(random, quantity_compare(&x, &y) == order(a.nano, b.nano));
    PROPERTY_MUST(random, quantity_compare(&y, &x) == order(b.nano, a.nano));
    PROPERTY_MUST(random, quantity_compare(&x, &x) == 0);
    PROPERTY_MUST(random, quantity_sign(&x) == order(a.nano, 0));
    PROPERTY_MUST(random, quantity_is_whole(&x) == (a.nano % 1000000000 == 0));
    if (whole < INT64_MAX && whole > INT64_MIN)
        PROPERTY_MUST(random,
                      quantity_ceil(&x) == (int64_t)(whole + (a.nano > whole * 1000000000)));
}

START_TEST(quantities_are_compared_as_numbers)
    {
        random_cases("quantities are compared as numbers", compared_as_numbers);
    }
END_TEST

SUITE(property_quantity)
{
    tcase_add_test(tests, quantities_are_compared_as_numbers);
}
