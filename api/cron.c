#include "api/cron.h"

#include <stddef.h>
#include <strings.h>

#include "api/duration.h"
#include "base/auto.h"
#include "base/text.h"

#define CRON_MAX_BYTES 1024
#define FIELDS 5
#define DAY_S INT64_C(86400)
#define DAY_MINUTES 1440
#define YEAR_9999_S INT64_C(253402300799)

/* 29 February of 1896 and of 1904 are eight years apart. */
#define SEARCH_DAYS (9 * 366)

/* After 28 years each date falls on the same day of the week again. */
#define CYCLE_DAYS (28 * 365 + 7)

struct field {
    const char *title;
    unsigned min, max;
    const char *names; /* three letters each, of the values from `min` on */
};

static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 6, "sunmontuewedthufrisat"},
};

static const struct {
    const char *name, *schedule;
} nicknames[] = {
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
};

static bool space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool take_word(struct span *text, struct span *word)
{
    while (text->length && space(text->data[0])) {
        text->data++;
        text->length--;
    }
    *word = (struct span){text->data, 0};
    while (text->length && !space(text->data[0])) {
        text->data++;
        text->length--;
        word->length++;
    }
    return word->length > 0;
}

/* Cuts the text at the first separator; true when there was one, then `rest` is what follows. */
static bool cut(struct span *text, char separator, struct span *rest)
{
    const char *at = text->length ? memchr(text->data, separator, text->length) : NULL;

    if (!at)
        return false;
    *rest = (struct span){at + 1, text->length - (size_t)(at + 1 - text->data)};
    text->length = (size_t)(at - text->data);
    return true;
}

static bool value_fault(const struct field *field, struct span text, const char *what,
                        struct error *err)
{
    AUTO(free) char *shown = text_printable(text, 24);

    return error_set(err, ERROR_INVALID, "%s \"%s\" %s", field->title, shown, what);
}

static bool number(const struct field *field, struct span text, unsigned *value, struct error *err)
{
    struct span digits = text;
    unsigned sum = 0;

    if (digits.length > 1 && digits.data[0] == '+')
        digits = (struct span){digits.data + 1, digits.length - 1};
    for (size_t i = 0; i < digits.length; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            return value_fault(field, text, "is no number", err);
        if (sum < 1000000)
            sum = sum * 10 + (unsigned)(digits.data[i] - '0');
    }
    if (!digits.length)
        return value_fault(field, text, "lacks a number", err);
    *value = sum;
    return true;
}

static bool number_or_name(const struct field *field, struct span text, unsigned *value,
                           struct error *err)
{
    for (unsigned i = 0; field->names && i <= field->max - field->min; i++)
        if (text.length == 3 && strncasecmp(text.data, field->names + 3 * (size_t)i, 3) == 0) {
            *value = field->min + i;
            return true;
        }
    return number(field, text, value, err);
}

static bool bounds_fault(const struct field *field, struct span text, unsigned first, unsigned last,
                         struct error *err)
{
    char what[96];

    if (first > last && first <= field->max)
        return value_fault(field, text, "begins behind its end", err);
    snprintf(what, sizeof what, "is out of range (%u to %u%s)", field->min, field->max,
             field->max == 6 ? "; Sunday is 0" : "");
    return value_fault(field, text, what, err);
}

static bool is_any(struct span text)
{
    return span_is(text, "*") || span_is(text, "?");
}

/* The two ends of "*", "?", "5", "1-5" or "mon-fri". */
static bool range(const struct field *field, struct span text, unsigned *first, unsigned *last,
                  struct error *err)
{
    struct span end = {0}, more = {0};
    bool single = !cut(&text, '-', &end);

    *first = field->min;
    *last = field->max;
    if (is_any(text))
        return true;
    if (cut(&end, '-', &more))
        return value_fault(field, text, "is followed by more than one hyphen", err);
    if (!number_or_name(field, text, first, err))
        return false;
    *last = *first;
    return single || number_or_name(field, end, last, err);
}

/* One element of a list: adds its values, and says whether it was a plain "*" or "?". */
static bool element(const struct field *field, struct span text, uint64_t *set, bool *any,
                    struct error *err)
{
    struct span ends = text, step_text = {0}, more = {0};
    bool stepped = cut(&ends, '/', &step_text);
    unsigned first, last, step = 1;

    if (cut(&step_text, '/', &more))
        return value_fault(field, text, "has more than one slash", err);
    if (!range(field, ends, &first, &last, err) ||
        (stepped && !number(field, step_text, &step, err)))
        return false;
    if (step == 0)
        return value_fault(field, text, "has a step of 0", err);

    struct span head = ends, tail = {0};
    bool single = !cut(&head, '-', &tail);

    if (stepped && single)
        last = field->max;
    if (first < field->min || last > field->max || first > last)
        return bounds_fault(field, text, first, last, err);
    for (unsigned value = first; value <= last; value += step)
        *set |= UINT64_C(1) << value;
    *any |= is_any(head) && step == 1;
    return true;
}

static bool read_field(const struct field *field, struct span text, uint64_t *set, bool *any,
                       struct error *err)
{
    struct span rest = text, item;

    *set = 0;
    *any = false;
    while (text_split(&rest, ',', &item))
        if (item.length && !element(field, item, set, any, err))
            return false;
    return *set || value_fault(field, text, "names no value", err);
}

static unsigned month_days(unsigned month)
{
    return month == 2 ? 29 : month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* False for dates such as 30 February, where no day of the week helps out. */
static bool ever_due(const struct cron *cron)
{
    for (unsigned month = 1; month <= 12; month++) {
        uint64_t days = (UINT64_C(2) << month_days(month)) - 2;

        if ((cron->months >> month & 1) && (cron->days & days))
            return true;
    }
    return !cron->any_weekday;
}

static bool read_fields(struct cron *cron, struct span text, struct error *err)
{
    struct span words[FIELDS], rest = text, word;
    uint64_t sets[FIELDS];
    bool any[FIELDS];
    size_t count = 0;

    for (; take_word(&rest, &word); count++)
        if (count < FIELDS)
            words[count] = word;
    if (count != FIELDS)
        return error_set(err, ERROR_INVALID,
                         "%zu fields, expected 5: minute, hour, day of month, month, day of week",
                         count);
    for (size_t i = 0; i < FIELDS; i++)
        if (!read_field(&fields[i], words[i], &sets[i], &any[i], err))
            return false;
    *cron = (struct cron){.minutes = sets[0],
                          .hours = (uint32_t)sets[1],
                          .days = (uint32_t)sets[2],
                          .months = (uint32_t)sets[3],
                          .weekdays = (uint32_t)sets[4],
                          .any_day = any[2],
                          .any_weekday = any[4]};
    return ever_due(cron) || error_set(err, ERROR_INVALID, "never fires: no month has such a day");
}

static bool read_every(struct cron *cron, struct span text, struct error *err)
{
    int64_t ns;

    if (!duration_parse(text, &ns, err))
        return error_wrap(err, "@every");
    if (ns < SECOND_NS)
        return error_set(err, ERROR_INVALID, "@every: at least one second is needed");
    *cron = (struct cron){.every_s = ns / SECOND_NS};
    return true;
}

static bool read_nickname(struct cron *cron, struct span text, struct error *err)
{
    static const char every[] = "@every ";
    size_t length = sizeof every - 1;

    if (text.length >= length && memcmp(text.data, every, length) == 0)
        return read_every(cron, (struct span){text.data + length, text.length - length}, err);
    for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++)
        if (span_is(text, nicknames[i].name))
            return read_fields(cron, span_of(nicknames[i].schedule), err);

    AUTO(free) char *shown = text_printable(text, 24);

    return error_set(err, ERROR_INVALID,
                     "unknown \"%s\", expected @yearly, @annually, @monthly, @weekly, @daily, "
                     "@midnight, @hourly or @every <duration>",
                     shown);
}

bool cron_parse(struct cron *cron, struct span text, struct error *err)
{
    struct cron made;

    if (text.length > CRON_MAX_BYTES)
        return error_set(err, ERROR_INVALID, "a schedule has at most %d characters",
                         CRON_MAX_BYTES);
    if (text.length && memmem(text.data, text.length, "TZ", 2))
        return error_set(err, ERROR_INVALID,
                         "a time zone can not stand in the schedule: CronJob takes it in "
                         "spec.timeZone; write the schedule in UTC");
    if (!(text.length && text.data[0] == '@' ? read_nickname(&made, text, err)
                                             : read_fields(&made, text, err)))
        return false;
    *cron = made;
    return true;
}

struct date {
    int64_t year;
    unsigned month, day, weekday;
};

static bool leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned days_of(const struct date *date)
{
    return month_days(date->month) - (date->month == 2 && !leap(date->year));
}

/* Days since 1970 as a date: count days from 1 March of year 0, so that the leap day comes last. */
static struct date date_of(int64_t days)
{
    int64_t shifted = days + 719468, era = shifted / 146097, day = shifted % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t in_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153;

    return (struct date){.year = era * 400 + year + (month >= 10),
                         .month = (unsigned)(month < 10 ? month + 3 : month - 9),
                         .day = (unsigned)(in_year - (153 * month + 2) / 5 + 1),
                         .weekday = (unsigned)((days + 4) % 7)};
}

static void date_advance(struct date *date)
{
    date->weekday = (date->weekday + 1) % 7;
    if (date->day++ < days_of(date))
        return;
    date->day = 1;
    if (date->month++ < 12)
        return;
    date->month = 1;
    date->year++;
}

static bool due_on(const struct cron *cron, const struct date *date)
{
    bool day = cron->days >> date->day & 1, weekday = cron->weekdays >> date->weekday & 1;

    if (!(cron->months >> date->month & 1))
        return false;
    return cron->any_day || cron->any_weekday ? day && weekday : day || weekday;
}

/* The first minute of a day, from this one on, at which it is due; -1 when none is left. */
static int minute_from(const struct cron *cron, int from)
{
    for (int hour = from / 60; hour < 24; hour++, from = hour * 60) {
        uint64_t left = cron->minutes >> (from % 60);

        if ((cron->hours >> hour & 1) && left)
            return from + __builtin_ctzll(left);
    }
    return -1;
}

int64_t cron_next(const struct cron *cron, int64_t after_s)
{
    if (after_s < 0 || after_s > YEAR_9999_S)
        return -1;
    if (cron->every_s)
        return after_s + cron->every_s;

    int64_t minutes = after_s / 60 + 1, day = minutes / DAY_MINUTES;
    int from = (int)(minutes % DAY_MINUTES);
    struct date date = date_of(day);

    for (int64_t last = day + SEARCH_DAYS; day < last; day++, from = 0, date_advance(&date)) {
        int minute = due_on(cron, &date) ? minute_from(cron, from) : -1;

        if (minute >= 0)
            return day * DAY_S + minute * 60;
    }
    return -1;
}

/* The fewest days from one day on which it is due to the next. */
static int64_t shortest_days(const struct cron *cron)
{
    struct date date = date_of(0);
    int64_t best = INT64_MAX, previous = -1;

    for (int64_t day = 0; day < 2 * CYCLE_DAYS && best > 1; day++, date_advance(&date)) {
        if (!due_on(cron, &date))
            continue;
        if (previous >= 0 && day - previous < best)
            best = day - previous;
        previous = day;
    }
    return best;
}

int64_t cron_shortest_interval_s(const struct cron *cron)
{
    if (cron->every_s)
        return cron->every_s;

    int first = minute_from(cron, 0), last = first, best = DAY_MINUTES;

    for (int next; (next = last + 1 < DAY_MINUTES ? minute_from(cron, last + 1) : -1) >= 0;
         last = next)
        if (next - last < best)
            best = next - last;

    int64_t days = shortest_days(cron), overnight = days * DAY_MINUTES - (last - first);

    return 60 * (overnight < best || last == first ? overnight : best);
}
