#include "api/quantity.h"

#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

static struct quantity read_text(const char *text)
{
    struct quantity quantity;
    struct error err = {0};

    ck_assert_msg(quantity_parse(span_of(text), &quantity, &err), "%s: %s", text, err.message);
    return quantity;
}

static const struct {
    const char *a, *b;
    int order;
} order_rows[] = {
    {"0.5Gi", "512Mi", 0},
    {"1000m", "1", 0},
    {"1", "1.0", 0},
    {"1", "+1", 0},
    {"1.", "1", 0},
    {".5", "500m", 0},
    {"1e3", "1k", 0},
    {"1E3", "1k", 0},
    {"1e+3", "1000", 0},
    {"1e-3", "1m", 0},
    {"12e6", "12M", 0},
    {"1E", "1000P", 0},
    {"1Ei", "1024Pi", 0},
    {"1Ki", "1024", 0},
    {"1k", "1000", 0},
    {"100m", "0.1", 0},
    {"1u", "1000n", 0},
    {"0", "-0", 0},
    {"0", "0Gi", 0},
    {"0e400", "0", 0},
    {"00012", "12", 0},
    {"1G", "1Gi", -1},
    {"1Mi", "1M", 1},
    {"-1", "1", -1},
    {"-2", "-1", -1},
    {"-1", "0", -1},
    {"100m", "0.1000000001", -1},
    {"9007199254740993", "9007199254740992", 1},
    {"9223372036854775807", "9223372036854775808", -1},
    {"1e50", "1e51", -1},
    /* finer than 10^-9 is rounded away from zero */
    {"0.1n", "1n", 0},
    {"1.0000000001", "1.000000001", 0},
    {"-0.1n", "-1n", 0},
    {"1e-400", "1n", 0},
    {"1e-99999999999999999999", "1n", 0},
    {"0.00000000000000000000000000000000000000000000000000001Ki", "1n", 0},
    {"0.0009765625Ki", "1", 0},
    {"0.000000000000000000000000000000931322574615478515625Gi", "1n", 0},
};

START_TEST(quantities_are_ordered)
    {
        struct quantity a = read_text(order_rows[_i].a), b = read_text(order_rows[_i].b);

        ck_assert_int_eq(quantity_compare(&a, &b), order_rows[_i].order);
        ck_assert_int_eq(quantity_compare(&b, &a), -order_rows[_i].order);
    }
END_TEST

static const struct {
    const char *text, *message;
} bad_rows[] = {
    {"", "expected a quantity"},
    {"-", "expected a quantity"},
    {".", "expected a quantity"},
    {"Mi", "expected a quantity"},
    {"--1", "expected a quantity"},
    {" 1", "expected a quantity"},
    {"1 ", "unknown suffix \" \""},
    {"1Mb", "unknown suffix \"Mb\""},
    {"1MB", "unknown suffix \"MB\""},
    {"1K", "unknown suffix \"K\""},
    {"1ki", "unknown suffix \"ki\""},
    {"1g", "unknown suffix \"g\""},
    {"1mi", "unknown suffix \"mi\""},
    {"1e", "unknown suffix \"e\""},
    {"1e+", "unknown suffix \"e+\""},
    {"1e1.5", "unknown suffix \"e1.5\""},
    {"1e3Mi", "unknown suffix \"e3Mi\""},
    {"1.2.3", "unknown suffix \".3\""},
    {"0x10", "unknown suffix \"x10\""},
    {"1e400", "too large"},
    {"1e999999999999999999", "too large"},
    {"99999999999999999999999999999999999999999999999999999999999999999999999999999999",
     "too large"},
};

START_TEST(bad_quantities_say_why)
    {
        struct quantity quantity = {.nano = {7}};
        struct error err = {0};

        ck_assert(!quantity_parse(span_of(bad_rows[_i].text), &quantity, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_msg(strstr(err.message, bad_rows[_i].message), "%s: %s", bad_rows[_i].text,
                      err.message);
        ck_assert_uint_eq(quantity.nano[0], 7);
    }
END_TEST

START_TEST(the_longest_text_is_bounded)
    {
        char text[200];
        struct quantity quantity, one = read_text("1");
        struct error err = {0};

        memset(text, '0', sizeof text);
        text[126] = '1';
        ck_assert(quantity_parse((struct span){text, 127}, &quantity, &err));
        ck_assert_int_eq(quantity_compare(&quantity, &one), 0);
        ck_assert(!quantity_parse((struct span){text, 128}, &quantity, &err));
        memset(text, '9', sizeof text);
        ck_assert(!quantity_parse((struct span){text, 127}, &quantity, &err));
        memcpy(text + 125, "Ei", 2);
        text[0] = '.';
        ck_assert(quantity_parse((struct span){text, 127}, &quantity, &err));
        one = read_text("1Ei");
        ck_assert_int_eq(quantity_compare(&quantity, &one), 0); /* rounded up */
    }
END_TEST

START_TEST(numbers_of_json_are_quantities)
    {
        AUTO(json) json_t *values = json_pack("[i,s,f,b,n]", 2, "2000m", 2.0, 1);
        struct quantity a, b;
        struct error err = {0};

        ck_assert(quantity_read(json_array_get(values, 0), &a, &err));
        ck_assert(quantity_read(json_array_get(values, 1), &b, &err));
        ck_assert_int_eq(quantity_compare(&a, &b), 0);
        for (size_t i = 2; i < 5; i++)
            ck_assert(!quantity_read(json_array_get(values, i), &a, &err));
        ck_assert(!quantity_read(NULL, &a, &err));
    }
END_TEST

static const struct {
    const char *text;
    int sign;
    bool whole;
    int64_t ceil;
} whole_rows[] = {
    {"0", 0, true, 0},
    {"2", 1, true, 2},
    {"2000m", 1, true, 2},
    {"1500m", 1, false, 2},
    {"1n", 1, false, 1},
    {"-1500m", -1, false, -1},
    {"-2", -1, true, -2},
    {"9223372036854775807", 1, true, INT64_MAX},
    {"9223372036854775807.5", 1, false, INT64_MAX},
    {"1e30", 1, true, INT64_MAX},
    {"-1e30", -1, true, INT64_MIN},
};

START_TEST(signs_and_whole_numbers)
    {
        struct quantity quantity = read_text(whole_rows[_i].text);

        ck_assert_int_eq(quantity_sign(&quantity), whole_rows[_i].sign);
        ck_assert_int_eq(quantity_is_whole(&quantity), whole_rows[_i].whole);
        ck_assert_int_eq(quantity_ceil(&quantity), whole_rows[_i].ceil);
    }
END_TEST

SUITE(api_quantity)
{
    suite_rows(tests, quantities_are_ordered, order_rows);
    suite_rows(tests, bad_quantities_say_why, bad_rows);
    tcase_add_test(tests, the_longest_text_is_bounded);
    tcase_add_test(tests, numbers_of_json_are_quantities);
    suite_rows(tests, signs_and_whole_numbers, whole_rows);
}
