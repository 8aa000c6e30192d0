#include "api/duration.h"

#include "base/auto.h"
#include "tests/unit/suite.h"

#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS (60 * MINUTE_NS)

static const struct {
    const char *text;
    int64_t ns;
} go_rows[] = {
    {"0", 0},
    {"+0", 0},
    {"-0", 0},
    {"0s", 0},
    {"5s", 5 * SECOND_NS},
    {"1478s", 1478 * SECOND_NS},
    {"-5s", -5 * SECOND_NS},
    {"+5s", 5 * SECOND_NS},
    {"5.0s", 5 * SECOND_NS},
    {"5.6s", 5600000000},
    {"5.s", 5 * SECOND_NS},
    {".5s", SECOND_NS / 2},
    {"-.5s", -SECOND_NS / 2},
    {"1.004s", 1004000000},
    {"100.00100s", 100001000000},
    {"10ns", 10},
    {"11us", 11000},
    {"12\xc2\xb5s", 12000},
    {"12\xce\xbcs", 12000},
    {"13ms", 13000000},
    {"1h30m", HOUR_NS + 30 * MINUTE_NS},
    {"1.5h", HOUR_NS + 30 * MINUTE_NS},
    {"-1m30.5s", -90500000000},
    {"1h15m30.918273645s", 4530918273645},
    {"9223372036854775807ns", INT64_MAX},
    {"9223372036854775.807us", INT64_MAX},
    {"-9223372036854775807ns", -INT64_MAX},
    {"0.3333333333333333333h", 20 * MINUTE_NS - 1},
    {"0.100000000000000000000h", 6 * MINUTE_NS},
    {"30m30m", HOUR_NS},
};

START_TEST(go_durations_are_read)
    {
        struct error err = {0};
        int64_t ns = -7;

        ck_assert_msg(duration_parse(span_of(go_rows[_i].text), &ns, &err), "%s: %s",
                      go_rows[_i].text, err.message);
        ck_assert_int_eq(ns, go_rows[_i].ns);
    }
END_TEST

static const struct {
    const char *text, *message;
} bad_rows[] = {
    {"", "expected a duration"},
    {"-", "expected a duration"},
    {"3", "lacks its unit"},
    {"1h30", "lacks its unit"},
    {"s", "expected a number"},
    {".s", "expected a number"},
    {"-.s", "expected a number"},
    {"+-5s", "expected a number"},
    {"5 s", "unknown unit \" s\""},
    {" 5s", "expected a number"},
    {"5S", "unknown unit \"S\""},
    {"1d", "write days in hours"},
    {"2w", "write weeks in hours"},
    {"1y", "unknown unit \"y\""},
    {"1h5x", "unknown unit \"x\""},
    {"9223372036854775808ns", "longer than 292 years"},
    {"99999999999999999999999h", "longer than 292 years"},
    {"2562048h", "longer than 292 years"},
    {"1.2.3s", "lacks its unit"},
    {"1111111111111111111111111111111111111111111111111111111111111111s", "at most 64"},
};

START_TEST(bad_durations_say_why)
    {
        struct error err = {0};
        int64_t ns = -7;

        ck_assert(!duration_parse(span_of(bad_rows[_i].text), &ns, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_msg(strstr(err.message, bad_rows[_i].message), "%s: %s", bad_rows[_i].text,
                      err.message);
        ck_assert_int_eq(ns, -7);
    }
END_TEST

START_TEST(a_nul_is_no_unit)
    {
        struct error err = {0};
        int64_t ns;

        ck_assert(!duration_parse((struct span){"5s\0", 3}, &ns, &err));
        ck_assert(!duration_parse((struct span){"5\0s", 3}, &ns, &err));
    }
END_TEST

START_TEST(days_and_weeks_are_read_where_we_read_alone)
    {
        struct error err = {0};
        int64_t ns;

        ck_assert(duration_parse_days(span_of("1w2d3h"), &ns, &err));
        ck_assert_int_eq(ns, (9 * 24 + 3) * HOUR_NS);
        ck_assert(!duration_parse_days(span_of("1y"), &ns, &err));
        ck_assert(strstr(err.message, "d or w"));
    }
END_TEST

static const struct {
    int64_t ns;
    const char *text;
} format_rows[] = {
    {0, "0s"},
    {1, "0.000000001s"},
    {SECOND_NS, "1s"},
    {90 * SECOND_NS, "1m30s"},
    {HOUR_NS, "1h0m0s"},
    {-HOUR_NS - SECOND_NS / 2, "-1h0m0.5s"},
    {INT64_MAX, "2562047h47m16.854775807s"},
    {-INT64_MAX, "-2562047h47m16.854775807s"},
};

START_TEST(what_is_written_reads_back)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};
        int64_t ns;

        duration_format(&text, format_rows[_i].ns);
        ck_assert_str_eq(text_get(&text), format_rows[_i].text);
        ck_assert(duration_parse(span_of(text_get(&text)), &ns, &err));
        ck_assert_int_eq(ns, format_rows[_i].ns);
    }
END_TEST

static const struct {
    const char *text, *restic; /* restic NULL: refused, then `message` is in the error */
    int64_t hours;
    const char *message;
} within_rows[] = {
    {"30d", "30d", 720, NULL},
    {"2y5m7d3h", "2y5m7d3h", 2 * 8766 + 5 * 1461 / 2 + 171, NULL},
    {"3h7d", "7d3h", 171, NULL},
    {"2w", "14d", 336, NULL},
    {"2w1d", "15d", 360, NULL},
    {"1y0d", "1y", 8766, NULL},
    {"1000y", "1000y", 8766000, NULL},
    {"", NULL, 0, "expected a whole number"},
    {"d", NULL, 0, "expected a whole number"},
    {"-1d", NULL, 0, "expected a whole number"},
    {"1.5d", NULL, 0, "unknown unit \".\""},
    {"30", NULL, 0, "lacks its unit"},
    {"5d3", NULL, 0, "lacks its unit"},
    {"30s", NULL, 0, "unknown unit \"s\""},
    {"1d1d", NULL, 0, "given twice"},
    {"0d", NULL, 0, "keeps nothing"},
    {"0y0m", NULL, 0, "keeps nothing"},
    {"1001y", NULL, 0, "longer than 1000 years"},
    {"999y9999m", NULL, 0, "longer than 1000 years"},
    {"99999999999999999999d", NULL, 0, "longer than 1000 years"},
    {"1 d", NULL, 0, "unknown unit \" \""},
    {"00000000000000000000000000000000000000000000000000000000000000001d", NULL, 0, "at most 64"},
};

START_TEST(calendar_spans)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};
        struct within within = {0};
        bool ok = within_parse(span_of(within_rows[_i].text), &within, &err);

        ck_assert_msg(ok == !within_rows[_i].message, "%s: %s", within_rows[_i].text, err.message);
        if (!ok) {
            ck_assert_msg(strstr(err.message, within_rows[_i].message), "%s", err.message);
            return;
        }
        within_format(&text, &within);
        ck_assert_str_eq(text_get(&text), within_rows[_i].restic);
        ck_assert_int_eq(within_hours(&within), within_rows[_i].hours);
    }
END_TEST

SUITE(api_duration)
{
    suite_rows(tests, go_durations_are_read, go_rows);
    suite_rows(tests, bad_durations_say_why, bad_rows);
    tcase_add_test(tests, a_nul_is_no_unit);
    tcase_add_test(tests, days_and_weeks_are_read_where_we_read_alone);
    suite_rows(tests, what_is_written_reads_back, format_rows);
    suite_rows(tests, calendar_spans, within_rows);
}
