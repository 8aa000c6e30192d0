#include "agent/option_values.h"

#include <stdint.h>

#include "tests/unit/suite.h"

#define UNTOUCHED 7

static const struct {
    const char *text;
    int64_t seconds; /* UNTOUCHED: refused */
} waits[] = {
    {"1", 1},
    {"300", 300},
    {"300s", 300},
    {"86400s", OPTION_WAIT_MAX_S},
    {"86401", UNTOUCHED},
    {"99999999999999999999", UNTOUCHED},
    {"0", UNTOUCHED},
    {"-1", UNTOUCHED},
    {"", UNTOUCHED},
    {"s", UNTOUCHED},
    {"5m", UNTOUCHED},
    {"300 s", UNTOUCHED},
    {"300ss", UNTOUCHED},
};

START_TEST(test_wait)
    {
        int64_t seconds = UNTOUCHED;
        struct error err = {.message = ""};
        bool good = waits[_i].seconds != UNTOUCHED;

        ck_assert_int_eq(option_wait(waits[_i].text, &seconds, &err), good);
        ck_assert_int_eq(seconds, waits[_i].seconds);
        ck_assert_str_eq(err.message, good ? "" : "expected 1 to 86400 seconds");
    }
END_TEST

static const char *const parameters[] = {"", "--dump-slave", "a b"};

START_TEST(test_parameter)
    {
        const char *text = NULL;
        struct error err = {.message = ""};

        ck_assert(option_parameter(parameters[_i], &text, &err));
        ck_assert_ptr_eq(text, parameters[_i]);
    }
END_TEST

SUITE(agent_option_values)
{
    suite_rows(tests, test_wait, waits);
    suite_rows(tests, test_parameter, parameters);
}
