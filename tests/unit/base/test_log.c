#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "tests/unit/suite.h"

static const struct {
    int64_t now_ms;
    const char *text;
} clock_rows[] = {
    {0, "1970-01-01T00:00:00.000Z"},
    {-1, "1969-12-31T23:59:59.999Z"},
    {1709251199999, "2024-02-29T23:59:59.999Z"},
    /* beyond 32 bits of seconds */
    {4102444800000, "2100-01-01T00:00:00.000Z"},
    {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    {INT64_MIN, "0000-01-01T00:00:00.000Z"},
};

START_TEST(moments_are_rfc3339)
    {
        char text[CLOCK_TEXT_BYTES];

        clock_format(clock_rows[_i].now_ms, text);
        ck_assert_str_eq(text, clock_rows[_i].text);
    }
END_TEST

START_TEST(the_steady_clock_does_not_go_back)
    {
        int64_t before_us = clock_mono_us();

        ck_assert_int_ge(clock_mono_us(), before_us);
        ck_assert_int_ge(clock_mono_ms(), before_us / 1000);
        ck_assert_int_ge(clock_now_s(), 1700000000);
    }
END_TEST

static const struct {
    struct span value;
    const char *text, *json;
} value_rows[] = {
    {{"plain", 5}, "v=plain", "\"v\":\"plain\""},
    {{"", 0}, "v=\"\"", "\"v\":\"\""},
    {{"two words", 9}, "v=\"two words\"", "\"v\":\"two words\""},
    {{"a=b", 3}, "v=\"a=b\"", "\"v\":\"a=b\""},
    {{"say \"x\"", 7}, "v=\"say \\\"x\\\"\"", "\"v\":\"say \\\"x\\\"\""},
    {{"c:\\d", 4}, "v=\"c:\\\\d\"", "\"v\":\"c:\\\\d\""},
    /* a line feed would let a value forge a line of its own */
    {{"x\nlevel=error", 13}, "v=\"x?level=error\"", "\"v\":\"x?level=error\""},
    {{"a\0b", 3}, "v=a?b", "\"v\":\"a?b\""},
    {{"\xff", 1}, "v=?", "\"v\":\"?\""},
    {{"\x1b[31m", 5}, "v=?[31m", "\"v\":\"?[31m\""},
};

START_TEST(values_are_escaped)
    {
        AUTO(text) struct text text = {0};
        AUTO(text) struct text json = {0};
        AUTO(text) struct text wanted = {0};
        const struct log_field fields[] = {LOG_SPAN("v", value_rows[_i].value), {.key = NULL}};

        log_format_line(&text, LOG_TEXT, 0, LOG_WARN, "tried", fields);
        text_addf(&wanted, "time=1970-01-01T00:00:00.000Z level=warn msg=tried %s\n",
                  value_rows[_i].text);
        ck_assert_str_eq(text_get(&text), text_get(&wanted));
        log_format_line(&json, LOG_JSON, 0, LOG_WARN, "tried", fields);
        text_done(&wanted);
        text_addf(
            &wanted,
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"warn\",\"msg\":\"tried\",%s}\n",
            value_rows[_i].json);
        ck_assert_str_eq(text_get(&json), text_get(&wanted));
    }
END_TEST

START_TEST(numbers_are_bare_and_lines_are_appended)
    {
        AUTO(text) struct text line = {0};
        const struct log_field fields[] = {LOG_N("n", -5), LOG_S("s", NULL), {.key = NULL}};

        text_puts(&line, "before ");
        log_format_line(&line, LOG_JSON, 0, LOG_INFO, "two words", fields);
        ck_assert_str_eq(text_get(&line),
                         "before {\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\","
                         "\"msg\":\"two words\",\"n\":-5,\"s\":\"\"}\n");
    }
END_TEST

START_TEST(levels_filter)
    {
        enum log_level level;
        enum log_format format;

        ck_assert(!log_on(LOG_DEBUG) && log_on(LOG_INFO));
        ck_assert(log_level_parse("error", &level) && level == LOG_ERROR);
        log_set_level(level);
        ck_assert(!log_on(LOG_WARN) && log_on(LOG_ERROR));
        ck_assert(!log_level_parse("loud", &level) && level == LOG_ERROR);
        ck_assert(log_format_parse("json", &format) && format == LOG_JSON);
        ck_assert(!log_format_parse("", &format) && format == LOG_JSON);
    }
END_TEST

/* The real line, as others see it: standard error goes into a pipe. */
START_TEST(one_event_is_one_line)
    {
        char got[512] = {0};
        int ends[2], kept = dup(STDERR_FILENO);

        ck_assert_int_eq(pipe(ends), 0);
        dup2(ends[1], STDERR_FILENO);
        log_setup(LOG_TEXT, LOG_INFO);
        log_debug("unseen");
        log_info("seen", LOG_S("a", "b"), LOG_N("n", 1));
        dup2(kept, STDERR_FILENO);
        close(kept);
        ck_assert_int_gt(read(ends[0], got, sizeof got - 1), 0);
        ck_assert_ptr_nonnull(strstr(got, " level=info msg=seen a=b n=1\n"));
        ck_assert_ptr_null(strstr(got, "unseen"));
        close(ends[0]);
        close(ends[1]);
    }
END_TEST

/* Each row asks `lines` times at this moment. */
START_TEST(a_flood_of_lines_is_counted_instead)
    {
        const struct {
            int64_t now_ms;
            unsigned lines, pass;
            int64_t missed; /* told by the first that passes */
        } rows[] = {
            {5000, LOG_LINES_PER_SECOND + 7, LOG_LINES_PER_SECOND, 0},
            {5999, 3, 0, 0},
            {6000, 2, 2, 10},
            {9000, 1, 1, 0},
        };
        struct log_limit limit = {0};

        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            unsigned passed = 0;
            int64_t missed, told = 0;

            for (unsigned n = 0; n < rows[i].lines; n++)
                if (log_passes(&limit, rows[i].now_ms, &missed)) {
                    passed++;
                    told += missed;
                }
            ck_assert_uint_eq(passed, rows[i].pass);
            ck_assert_int_eq(told, rows[i].missed);
        }
    }
END_TEST

SUITE(base_log)
{
    suite_rows(tests, moments_are_rfc3339, clock_rows);
    tcase_add_test(tests, the_steady_clock_does_not_go_back);
    suite_rows(tests, values_are_escaped, value_rows);
    tcase_add_test(tests, numbers_are_bare_and_lines_are_appended);
    tcase_add_test(tests, levels_filter);
    tcase_add_test(tests, one_event_is_one_line);
    tcase_add_test(tests, a_flood_of_lines_is_counted_instead);
}
