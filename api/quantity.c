#include "api/quantity.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

#define QUANTITY_MAX_BYTES 128
/* 64-bit limbs: of a stored value, and while it is computed (127 digits and 2^60 take 482 bits) */
#define LIMBS 4
#define WIDE_LIMBS 8
#define NANO_DIGITS 9
#define NANO UINT64_C(1000000000)

/* An exponent beyond this can not matter: the digits of any number within the limit have run out,
 * or it has outgrown 256 bits. */
#define EXPONENT_MAX 400

struct suffix {
    const char *name;
    int ten, two; /* the value is 10^ten * 2^two */
};

static const struct suffix suffixes[] = {
    {"", 0, 0},    {"n", -9, 0},  {"u", -6, 0},  {"m", -3, 0},  {"k", 3, 0},   {"M", 6, 0},
    {"G", 9, 0},   {"T", 12, 0},  {"P", 15, 0},  {"E", 18, 0},  {"Ki", 0, 10}, {"Mi", 0, 20},
    {"Gi", 0, 30}, {"Ti", 0, 40}, {"Pi", 0, 50}, {"Ei", 0, 60},
};

/* A quantity as it is written: digits * 10^ten * 2^two. */
struct written {
    char digits[QUANTITY_MAX_BYTES]; /* values 0 to 9 */
    size_t count;
    int ten, two;
    bool negative;
};

static bool digit(struct span text)
{
    return text.length && text.data[0] >= '0' && text.data[0] <= '9';
}

static void skip(struct span *text)
{
    text->data++;
    text->length--;
}

static bool take_sign(struct span *text)
{
    bool negative = text->length && text->data[0] == '-';

    if (text->length && (negative || text->data[0] == '+'))
        skip(text);
    return negative;
}

static void take_digits(struct span *text, struct written *number)
{
    for (; digit(*text); skip(text))
        number->digits[number->count++] = (char)(text->data[0] - '0');
}

static bool take_number(struct span *text, struct written *number)
{
    number->negative = take_sign(text);
    take_digits(text, number);

    size_t whole = number->count;

    if (text->length && text->data[0] == '.') {
        skip(text);
        take_digits(text, number);
    }
    number->ten = -(int)(number->count - whole);
    return number->count > 0;
}

/* "e3", "E-2": what stands behind the letter. A lone E is the suffix for 10^18. */
static bool take_exponent(struct span text, struct written *number)
{
    int exponent = 0;

    if (text.length < 2 || (text.data[0] != 'e' && text.data[0] != 'E'))
        return false;
    skip(&text);

    bool negative = take_sign(&text);

    if (!digit(text))
        return false;
    for (; digit(text); skip(&text))
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (text.data[0] - '0');
    if (exponent > EXPONENT_MAX)
        exponent = EXPONENT_MAX;
    number->ten += negative ? -exponent : exponent;
    return text.length == 0;
}

static bool take_suffix(struct span text, struct written *number)
{
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        if (!span_is(text, suffixes[i].name))
            continue;
        number->ten += suffixes[i].ten;
        number->two = suffixes[i].two;
        return true;
    }
    return take_exponent(text, number);
}

/* value = value * factor + more; false when 512 bits are too few, the value is then spoilt. */
static bool multiply(uint64_t value[WIDE_LIMBS], uint64_t factor, uint64_t more)
{
    for (size_t i = 0; i < WIDE_LIMBS; i++) {
        unsigned __int128 product = (unsigned __int128)value[i] * factor + more;

        value[i] = (uint64_t)product;
        more = (uint64_t)(product >> 64);
    }
    return more == 0;
}

/* value = value / divisor; returns the remainder. */
static uint64_t divide(uint64_t *value, size_t limbs, uint64_t divisor)
{
    uint64_t rest = 0;

    for (size_t i = limbs; i-- > 0;) {
        unsigned __int128 part = (unsigned __int128)rest << 64 | value[i];

        value[i] = (uint64_t)(part / divisor);
        rest = (uint64_t)(part % divisor);
    }
    return rest;
}

static bool is_zero(const uint64_t value[LIMBS])
{
    return (value[0] | value[1] | value[2] | value[3]) == 0;
}

/* The digits that count: leading zeros are no value, closing ones go into the exponent. */
static struct span significant(struct written *number)
{
    size_t first = 0;

    while (first < number->count && number->digits[first] == 0)
        first++;
    while (number->count > first && number->digits[number->count - 1] == 0) {
        number->count--;
        number->ten++;
    }
    return (struct span){number->digits + first, number->count - first};
}

/* Everything is multiplied before anything is divided away, so that only the last step rounds. */
static bool evaluate(struct written *number, uint64_t nano[LIMBS])
{
    struct span digits = significant(number);
    uint64_t value[WIDE_LIMBS] = {0};
    int ten = number->ten + NANO_DIGITS;
    bool rest = false;

    for (size_t i = 0; i < digits.length; i++)
        if (!multiply(value, 10, (uint64_t)digits.data[i]))
            return false;
    if (!multiply(value, UINT64_C(1) << number->two, 0))
        return false;
    for (; ten > 0; ten--)
        if (!multiply(value, 10, 0))
            return false;
    for (; ten < 0; ten++)
        rest |= divide(value, WIDE_LIMBS, 10) != 0;
    if (rest && !multiply(value, 1, 1))
        return false;
    memcpy(nano, value, LIMBS * sizeof *nano);
    return (value[4] | value[5] | value[6] | value[7]) == 0;
}

bool quantity_parse(struct span text, struct quantity *quantity, struct error *err)
{
    struct written number = {.count = 0};
    struct quantity value = {0};

    if (text.length >= QUANTITY_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a quantity has fewer than %d characters",
                         QUANTITY_MAX_BYTES);
    if (!take_number(&text, &number))
        return error_set(err, ERROR_INVALID, "expected a quantity, such as 500m, 2 or 512Mi");
    if (!take_suffix(text, &number)) {
        AUTO(free) char *shown = text_printable(text, 16);

        return error_set(err, ERROR_INVALID,
                         "unknown suffix \"%s\" (n u m k M G T P E, Ki Mi Gi Ti Pi Ei or e3)",
                         shown);
    }
    if (!evaluate(&number, value.nano))
        return error_set(err, ERROR_INVALID, "the quantity is too large");
    value.negative = number.negative && !is_zero(value.nano);
    *quantity = value;
    return true;
}

bool quantity_read(const json_t *value, struct quantity *quantity, struct error *err)
{
    char text[32];

    if (json_is_string(value))
        return quantity_parse(tree_value(value), quantity, err);
    if (!json_is_integer(value))
        return error_set(err, ERROR_INVALID, "expected a quantity: a string or a whole number");
    snprintf(text, sizeof text, "%jd", (intmax_t)json_integer_value(value));
    return quantity_parse(span_of(text), quantity, err);
}

static int compare_size(const uint64_t a[LIMBS], const uint64_t b[LIMBS])
{
    for (size_t i = LIMBS; i-- > 0;)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

int quantity_compare(const struct quantity *a, const struct quantity *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? compare_size(b->nano, a->nano) : compare_size(a->nano, b->nano);
}

int quantity_sign(const struct quantity *quantity)
{
    return is_zero(quantity->nano) ? 0 : quantity->negative ? -1 : 1;
}

bool quantity_is_whole(const struct quantity *quantity)
{
    struct quantity copy = *quantity;

    return divide(copy.nano, LIMBS, NANO) == 0;
}

int64_t quantity_ceil(const struct quantity *quantity)
{
    struct quantity whole = *quantity;
    bool up = divide(whole.nano, LIMBS, NANO) != 0 && !quantity->negative;

    if (whole.nano[1] | whole.nano[2] | whole.nano[3] || whole.nano[0] > (uint64_t)INT64_MAX - up)
        return quantity->negative ? INT64_MIN : INT64_MAX;
    return quantity->negative ? -(int64_t)whole.nano[0] : (int64_t)whole.nano[0] + up;
}
