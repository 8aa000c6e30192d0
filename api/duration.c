#include "api/duration.h"

#include <stddef.h>

#include "base/auto.h"

#define DURATION_MAX_BYTES 64
#define WITHIN_MAX_YEARS 1000

struct unit {
    const char *name;
    int64_t ns;
    bool ours; /* not one of Go's */
};

static const struct unit units[] = {
    {"ns", 1, false},
    {"us", 1000, false},
    {"\xc2\xb5s", 1000, false}, /* U+00B5 micro sign */
    {"\xce\xbcs", 1000, false}, /* U+03BC Greek mu */
    {"ms", 1000000, false},
    {"s", SECOND_NS, false},
    {"m", 60 * SECOND_NS, false},
    {"h", 3600 * SECOND_NS, false},
    {"d", 86400 * SECOND_NS, true},
    {"w", 7 * 86400 * SECOND_NS, true},
};

static bool digit(struct span text)
{
    return text.length && text.data[0] >= '0' && text.data[0] <= '9';
}

static char take_char(struct span *text)
{
    text->length--;
    return *text->data++;
}

/* The digits at the front of the text; true when there was one. The value saturates. */
static bool take_whole(struct span *text, uint64_t *value)
{
    bool any = false;

    for (*value = 0; digit(*text); any = true) {
        uint64_t next = (uint64_t)(take_char(text) - '0');

        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, next, value))
            *value = UINT64_MAX;
    }
    return any;
}

/* The digits behind a decimal point as numerator over a power of ten; what no int64 of nanoseconds
 * can show is dropped. */
static bool take_fraction(struct span *text, uint64_t *numerator, uint64_t *denominator)
{
    bool any = false;

    *numerator = 0;
    *denominator = 1;
    for (; digit(*text); any = true) {
        uint64_t next = (uint64_t)(take_char(text) - '0');

        if (*denominator > UINT64_C(100000000000000000))
            continue;
        *numerator = *numerator * 10 + next;
        *denominator *= 10;
    }
    return any;
}

static struct span take_unit(struct span *text)
{
    struct span unit = {text->data, 0};

    while (text->length && !digit(*text) && text->data[0] != '.') {
        take_char(text);
        unit.length++;
    }
    return unit;
}

static const struct unit *unit_named(struct span name)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (span_is(name, units[i].name))
            return &units[i];
    return NULL;
}

static bool unit_fault(struct span name, bool days, struct error *err)
{
    AUTO(free) char *shown = text_printable(name, 16);
    const struct unit *unit = unit_named(name);
    const char *expected = days ? "ns, us, ms, s, m, h, d or w" : "ns, us, ms, s, m or h";

    if (!name.length)
        return error_set(err, ERROR_INVALID, "a number lacks its unit (%s)", expected);
    if (unit && unit->ours)
        return error_set(err, ERROR_INVALID, "unit \"%s\" is not known here: write %s in hours",
                         shown, name.data[0] == 'd' ? "days" : "weeks");
    return error_set(err, ERROR_INVALID, "unknown unit \"%s\", expected %s", shown, expected);
}

/* One number with its unit, such as "1.5h". */
static bool take_piece(struct span *text, bool days, uint64_t *ns, struct error *err)
{
    uint64_t whole, numerator = 0, denominator = 1;
    bool number = take_whole(text, &whole);

    if (text->length && text->data[0] == '.') {
        take_char(text);
        number |= take_fraction(text, &numerator, &denominator);
    }
    if (!number)
        return error_set(err, ERROR_INVALID, "expected a number with a unit, such as 1h30m");

    struct span name = take_unit(text);
    const struct unit *unit = unit_named(name);

    if (!unit || (unit->ours && !days))
        return unit_fault(name, days, err);

    unsigned __int128 part = (unsigned __int128)numerator * (uint64_t)unit->ns / denominator;
    unsigned __int128 sum = (unsigned __int128)whole * (uint64_t)unit->ns + part + *ns;

    *ns = sum > UINT64_MAX ? UINT64_MAX : (uint64_t)sum;
    return true;
}

static bool parse(struct span text, bool days, int64_t *ns, struct error *err)
{
    uint64_t sum = 0;
    bool negative = text.length && text.data[0] == '-';

    if (text.length > DURATION_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a duration has at most %d characters",
                         DURATION_MAX_BYTES);
    if (text.length && (negative || text.data[0] == '+'))
        take_char(&text);
    if (!text.length)
        return error_set(err, ERROR_INVALID, "expected a duration, such as 1h30m");
    if (span_is(text, "0")) {
        *ns = 0;
        return true;
    }
    while (text.length)
        if (!take_piece(&text, days, &sum, err))
            return false;
    if (sum > (uint64_t)INT64_MAX)
        return error_set(err, ERROR_INVALID, "longer than 292 years");
    *ns = negative ? -(int64_t)sum : (int64_t)sum;
    return true;
}

bool duration_parse(struct span text, int64_t *ns, struct error *err)
{
    return parse(text, false, ns, err);
}

bool duration_parse_days(struct span text, int64_t *ns, struct error *err)
{
    return parse(text, true, ns, err);
}

void duration_format(struct text *out, int64_t ns)
{
    uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    uint64_t second = (uint64_t)SECOND_NS, hour = 3600 * second, minute = 60 * second;

    if (ns < 0)
        text_putc(out, '-');
    if (left >= hour)
        text_addf(out, "%juh", (uintmax_t)(left / hour));
    if (left >= minute)
        text_addf(out, "%jum", (uintmax_t)(left % hour / minute));
    text_addf(out, "%ju", (uintmax_t)(left % minute / second));
    if (left % second) {
        text_addf(out, ".%09ju", (uintmax_t)(left % second));
        while (out->data[out->length - 1] == '0')
            out->data[--out->length] = '\0';
    }
    text_putc(out, 's');
}

static int32_t *within_member(struct within *within, char unit)
{
    switch (unit) {
    case 'y':
        return &within->years;
    case 'm':
        return &within->months;
    case 'w':
    case 'd':
        return &within->days;
    case 'h':
        return &within->hours;
    default:
        return NULL;
    }
}

static bool take_within(struct span *text, struct within *within, struct text *seen,
                        struct error *err)
{
    uint64_t number;

    if (!take_whole(text, &number))
        return error_set(err, ERROR_INVALID, "expected a whole number with a unit, such as 30d");
    if (!text->length)
        return error_set(err, ERROR_INVALID, "the number lacks its unit (y, m, w, d or h)");

    char unit = take_char(text);
    int32_t *member = within_member(within, unit);

    if (!member)
        return error_set(err, ERROR_INVALID, "unknown unit \"%c\", expected y, m, w, d or h", unit);
    if (strchr(text_get(seen), unit))
        return error_set(err, ERROR_INVALID, "unit \"%c\" is given twice", unit);
    text_putc(seen, unit);
    if (number > WITHIN_MAX_YEARS * UINT64_C(8766))
        return error_set(err, ERROR_INVALID, "longer than %d years", WITHIN_MAX_YEARS);
    *member += (int32_t)number * (unit == 'w' ? 7 : 1);
    return true;
}

bool within_parse(struct span text, struct within *within, struct error *err)
{
    AUTO(text) struct text seen = {0};
    struct within sum = {0};

    if (text.length > DURATION_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a duration has at most %d characters",
                         DURATION_MAX_BYTES);
    do {
        if (!take_within(&text, &sum, &seen, err))
            return false;
    } while (text.length);
    if (within_hours(&sum) > WITHIN_MAX_YEARS * INT64_C(8766))
        return error_set(err, ERROR_INVALID, "longer than %d years", WITHIN_MAX_YEARS);
    if (within_hours(&sum) == 0)
        return error_set(err, ERROR_INVALID, "zero keeps nothing");
    *within = sum;
    return true;
}

void within_format(struct text *out, const struct within *within)
{
    const struct {
        int32_t value;
        char unit;
    } parts[] = {
        {within->years, 'y'}, {within->months, 'm'}, {within->days, 'd'}, {within->hours, 'h'}};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].value)
            text_addf(out, "%d%c", parts[i].value, parts[i].unit);
}

int64_t within_hours(const struct within *within)
{
    return within->years * INT64_C(8766) + within->months * INT64_C(1461) / 2 +
           within->days * INT64_C(24) + within->hours;
}
