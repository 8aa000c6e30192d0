#include "api/cron.h"

#include <time.h>

#include "tests/unit/suite.h"

static int64_t seconds(const char *when)
{
    struct tm tm = {0};

    ck_assert_ptr_nonnull(strptime(when, "%Y-%m-%d %H:%M:%S", &tm));
    return (int64_t)timegm(&tm);
}

static const struct {
    const char *schedule, *after, *next; /* next NULL: never */
} next_rows[] = {
    {"*/15 * * * *", "2012-07-09 14:45:00", "2012-07-09 15:00:00"},
    {"*/15 * * * *", "2012-07-09 14:59:59", "2012-07-09 15:00:00"},
    {"20-35/15 * * * *", "2012-07-09 15:45:00", "2012-07-09 16:20:00"},
    {"* * * * *", "1970-01-01 00:00:00", "1970-01-01 00:01:00"},
    {"0 0 * * *", "2012-07-31 23:59:59", "2012-08-01 00:00:00"},
    {"0 0 1 1 *", "2012-12-31 23:59:30", "2013-01-01 00:00:00"},
    {"30 08 ? Jul Sun", "2012-07-01 00:00:00", "2012-07-01 08:30:00"},
    {"30 08 15 Jul *", "2012-07-15 08:30:00", "2013-07-15 08:30:00"},
    /* one of two restricted days is enough */
    {"0 0 1,15 * Sun", "2012-07-15 12:00:00", "2012-07-22 00:00:00"},
    {"0 0 1,15 * Sun", "2012-07-30 00:00:00", "2012-08-01 00:00:00"},
    /* a star restricts nothing: the other one decides */
    {"0 0 * * Mon", "2012-07-15 00:00:00", "2012-07-16 00:00:00"},
    {"0 0 1,15 * *", "2012-07-02 00:00:00", "2012-07-15 00:00:00"},
    /* a star with a step does restrict */
    {"0 0 */10 * Sun", "2012-07-10 00:00:00", "2012-07-11 00:00:00"},
    {"0 0 */10 * Sun", "2012-07-11 00:00:00", "2012-07-15 00:00:00"},
    {"0 0 */1 * Sun", "2012-07-11 00:00:00", "2012-07-15 00:00:00"},
    {"0 0 29 2 *", "2012-02-29 00:00:00", "2016-02-29 00:00:00"},
    {"0 0 29 feb ?", "2096-03-01 00:00:00", "2104-02-29 00:00:00"},
    {"0 0 31 * *", "2013-04-01 00:00:00", "2013-05-31 00:00:00"},
    {"5/20 * * * *", "2013-04-01 00:26:00", "2013-04-01 00:45:00"},
    {"0 5/6 * * *", "2013-04-01 12:00:00", "2013-04-01 17:00:00"},
    {"59 23 31 12 5", "2013-12-31 23:59:00", "2014-12-05 23:59:00"},
    {"\t0  0\n* * 0 ", "2012-07-09 14:45:00", "2012-07-15 00:00:00"},
    {"1,,2, * * * *", "2012-07-09 14:45:00", "2012-07-09 15:01:00"},
    {"*-7 * * * *", "2012-07-09 14:45:00", "2012-07-09 14:46:00"},
    {"+5 * * * *", "2012-07-09 14:45:00", "2012-07-09 15:05:00"},
    {"0 0 * jan-mar MON-fri", "2012-03-30 00:00:00", "2013-01-01 00:00:00"},
    {"@yearly", "2012-07-09 14:45:00", "2013-01-01 00:00:00"},
    {"@annually", "2012-07-09 14:45:00", "2013-01-01 00:00:00"},
    {"@monthly", "2012-07-09 14:45:00", "2012-08-01 00:00:00"},
    {"@weekly", "2012-07-09 14:45:00", "2012-07-15 00:00:00"},
    {"@daily", "2012-07-09 14:45:00", "2012-07-10 00:00:00"},
    {"@midnight", "2012-07-09 14:45:00", "2012-07-10 00:00:00"},
    {"@hourly", "2012-07-09 14:45:00", "2012-07-09 15:00:00"},
    {"@every 5m", "2012-07-09 14:45:11", "2012-07-09 14:50:11"},
    {"@every 1h30m10s", "2012-07-09 14:45:00", "2012-07-09 16:15:10"},
    {"@every 1.9s", "2012-07-09 14:45:00", "2012-07-09 14:45:01"},
    {"0 0 1 1 *", "1969-12-31 23:59:59", NULL},
};

START_TEST(the_next_time)
    {
        struct cron cron;
        struct error err = {0};

        ck_assert_msg(cron_parse(&cron, span_of(next_rows[_i].schedule), &err), "%s: %s",
                      next_rows[_i].schedule, err.message);

        int64_t next = cron_next(&cron, seconds(next_rows[_i].after));

        ck_assert_msg(next == (next_rows[_i].next ? seconds(next_rows[_i].next) : -1),
                      "%s after %s: %jd", next_rows[_i].schedule, next_rows[_i].after,
                      (intmax_t)next);
    }
END_TEST

static const struct {
    const char *schedule, *message;
} bad_rows[] = {
    {"", "0 fields, expected 5"},
    {"   ", "0 fields, expected 5"},
    {"* * * *", "4 fields, expected 5"},
    {"0 * * * * *", "6 fields, expected 5"},
    {"60 * * * *", "minute \"60\" is out of range (0 to 59)"},
    {"* 24 * * *", "hour \"24\" is out of range (0 to 23)"},
    {"* * 0 * *", "day of month \"0\" is out of range (1 to 31)"},
    {"* * 32 * *", "out of range (1 to 31)"},
    {"* * * 13 *", "month \"13\""},
    {"* * * * 7", "Sunday is 0"},
    {"* * * * sun-7", "Sunday is 0"},
    {"5-3 * * * *", "begins behind its end"},
    {"* * * * fri-mon", "begins behind its end"},
    {"1-2-3 * * * *", "more than one hyphen"},
    {"1/2/3 * * * *", "more than one slash"},
    {"*/0 * * * *", "step of 0"},
    {"*/ * * * *", "lacks a number"},
    {"*/-1 * * * *", "is no number"},
    {"-1 * * * *", "lacks a number"},
    {"1- * * * *", "lacks a number"},
    {"+ * * * *", "is no number"},
    {"x * * * *", "is no number"},
    {"** * * * *", "is no number"},
    {"jan * * * *", "is no number"},
    {"* * * januar *", "is no number"},
    {"* * * * m", "is no number"},
    {"99999999999999999999 * * * *", "out of range"},
    {", * * * *", "names no value"},
    {"0 0 30 2 *", "never fires"},
    {"0 0 31 2,4,6,9,11 ?", "never fires"},
    {"TZ=UTC 0 0 * * *", "spec.timeZone"},
    {"CRON_TZ=Europe/Berlin @daily", "spec.timeZone"},
    {"@reboot", "unknown \"@reboot\""},
    {"@Daily", "unknown \"@Daily\""},
    {"@daily ", "unknown"},
    {"@", "unknown"},
    {"@every", "unknown"},
    {"@every ", "@every: expected a duration"},
    {"@every 5", "@every: a number lacks its unit"},
    {"@every 1d", "@every: unit \"d\" is not known"},
    {"@every 500ms", "at least one second"},
    {"@every -5m", "at least one second"},
    {"@every 0s", "at least one second"},
    {"0 0 * * *; rm -rf /", "8 fields"},
};

START_TEST(bad_schedules_say_why)
    {
        struct cron cron = {.every_s = 77};
        struct error err = {0};

        ck_assert(!cron_parse(&cron, span_of(bad_rows[_i].schedule), &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_msg(strstr(err.message, bad_rows[_i].message), "%s: %s", bad_rows[_i].schedule,
                      err.message);
        ck_assert_int_eq(cron.every_s, 77);
    }
END_TEST

START_TEST(times_beyond_the_calendar)
    {
        struct cron cron;
        struct error err = {0};

        ck_assert(cron_parse(&cron, span_of("0 0 * * *"), &err));
        ck_assert_int_eq(cron_next(&cron, INT64_MAX), -1);
        ck_assert_int_eq(cron_next(&cron, INT64_MIN), -1);
        ck_assert_int_eq(cron_next(&cron, seconds("9999-12-30 00:00:00")),
                         seconds("9999-12-31 00:00:00"));
    }
END_TEST

START_TEST(bytes_that_are_no_text)
    {
        static char long_text[2000];
        struct cron cron;
        struct error err = {0};

        ck_assert(!cron_parse(&cron, (struct span){"0 0 * * \0", 9}, &err));
        ck_assert(!cron_parse(&cron, (struct span){NULL, 0}, &err));
        memset(long_text, '*', sizeof long_text);
        ck_assert(!cron_parse(&cron, (struct span){long_text, sizeof long_text}, &err));
        ck_assert_msg(strstr(err.message, "at most 1024"), "%s", err.message);
    }
END_TEST

#define HOUR_S INT64_C(3600)
#define DAY_S (24 * HOUR_S)

static const struct {
    const char *schedule;
    int64_t shortest_s;
} shortest_rows[] = {
    {"* * * * *", 60},
    {"*/15 * * * *", 15 * 60},
    {"*/25 * * * *", 10 * 60}, /* 50, then 0 of the next hour */
    {"0 * * * *", HOUR_S},
    {"0 */7 * * *", 3 * HOUR_S}, /* 21, then 0 of the next day */
    {"0,59 * * * *", 60},
    {"0 0 * * *", DAY_S},
    {"0 1,23 * * *", 2 * HOUR_S},
    {"0 1,23 * * 1", 22 * HOUR_S},
    {"0 0 * * 1", 7 * DAY_S},
    {"0 0 * * 1,5", 3 * DAY_S},
    {"0 0 * * 0,6", DAY_S},
    {"0 0 1 * *", 28 * DAY_S},
    {"0 0 31 * *", 31 * DAY_S}, /* July and August */
    {"0 0 31 1,3 *", 59 * DAY_S},
    {"0 0 1,31 * *", DAY_S},
    {"0 0 29 2 *", 1461 * DAY_S},
    {"0 0 28,29 2 *", DAY_S},
    {"0 0 1 1 *", 365 * DAY_S},
    {"0 0 13 * fri", DAY_S}, /* the 13th, or a Friday */
    {"@every 90s", 90},
    {"@every 100h", 100 * HOUR_S},
};

START_TEST(the_shortest_interval)
    {
        struct cron cron;
        struct error err = {0};

        ck_assert(cron_parse(&cron, span_of(shortest_rows[_i].schedule), &err));
        ck_assert_int_eq(cron_shortest_interval_s(&cron), shortest_rows[_i].shortest_s);
    }
END_TEST

/* The same, asked of the C library: walk minute by minute through 27 months around a leap day. */
static bool due(const struct cron *cron, int64_t now_s)
{
    time_t now = (time_t)now_s;
    struct tm tm;

    gmtime_r(&now, &tm);

    bool day = cron->days >> tm.tm_mday & 1, weekday = cron->weekdays >> tm.tm_wday & 1;

    return (cron->minutes >> tm.tm_min & 1) && (cron->hours >> tm.tm_hour & 1) &&
           (cron->months >> (tm.tm_mon + 1) & 1) &&
           (cron->any_day || cron->any_weekday ? day && weekday : day || weekday);
}

static const char *const walked[] = {"7 */5 29 2 *", "30 4 31 * *", "0 12 13 * 5",
                                     "59 23 28-31 * *", "11 */11 * 2,12 sun"};

START_TEST(no_time_is_left_out)
    {
        int64_t start = seconds("2099-01-01 00:00:00"), end = seconds("2101-04-01 00:00:00");
        int64_t now = end - (end - start) / 60 / (int64_t)suite_stride() * 60;
        struct cron cron;
        struct error err = {0};

        ck_assert(cron_parse(&cron, span_of(walked[_i]), &err));
        for (int64_t next = cron_next(&cron, now); now < end;) {
            now += 60;
            ck_assert_msg(due(&cron, now) == (now == next), "%s at %jd", walked[_i], (intmax_t)now);
            if (now == next)
                next = cron_next(&cron, now);
        }
    }
END_TEST

SUITE(api_cron)
{
    suite_rows(tests, the_next_time, next_rows);
    suite_rows(tests, bad_schedules_say_why, bad_rows);
    tcase_add_test(tests, times_beyond_the_calendar);
    tcase_add_test(tests, bytes_that_are_no_text);
    suite_rows(tests, the_shortest_interval, shortest_rows);
    suite_rows(tests, no_time_is_left_out, walked);
}
