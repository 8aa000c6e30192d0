#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/unit/suite.h"

START_TEST(error_messages_read_from_the_outside_in)
    {
        struct error err = {0};

        ck_assert(!error_set(&err, ERROR_INVALID, "\"%s\" is not a list", "a\nb"));
        ck_assert(!error_wrap(&err, "spec.%s", "template"));
        ck_assert_str_eq(err.message, "spec.template: \"a?b\" is not a list");
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

static const struct {
    const char *in, *out;
    size_t max;
} printable_rows[] = {
    {"plain", "plain", 80},
    {"tab\tnewline\nescape\x1b[31m", "tab?newline?escape?[31m", 80},
    {"d\xc3\xa9j\xc3\xa0 vu", "d\xc3\xa9j\xc3\xa0 vu", 80},
    {"bad \xff\xfe utf8 \xc3", "bad ?? utf8 ?", 80},
    {"overlong \xc0\xaf", "overlong ??", 80},
    /* right-to-left override: a terminal would show another text than the log holds */
    {"a\xe2\x80\xae"
     "b",
     "a?b", 80},
    {"0123456789", "0123456789", 10},
    {"0123456789a", "0123456...", 10},
    {"", "", 5},
};

START_TEST(printable)
    {
        AUTO(free)
        char *out = text_printable(span_of(printable_rows[_i].in), printable_rows[_i].max);

        ck_assert_str_eq(out, printable_rows[_i].out);
    }
END_TEST

static const char *const keys[] = {"schedule", "target-paths", "volume-mounts", "backup-blueprint",
                                   NULL};

static const struct {
    const char *word, *meant;
} meant_rows[] = {
    {"schedul", "schedule"},
    {"shcedule", "schedule"},
    {"target-path", "target-paths"},
    {"x", NULL},
    {"volumes", NULL},
    {"", NULL},
};

START_TEST(did_you_mean)
    {
        const char *found = text_did_you_mean(span_of(meant_rows[_i].word), keys);

        if (meant_rows[_i].meant)
            ck_assert_str_eq(found, meant_rows[_i].meant);
        else
            ck_assert_ptr_null(found);
    }
END_TEST

START_TEST(json_strings_are_escaped)
    {
        AUTO(text) struct text text = {0};

        text_add_json(&text, "a\"\\\n\0z", 6);
        ck_assert_str_eq(text_get(&text), "a\\\"\\\\\\n\\u0000z");
    }
END_TEST

/* Short pieces and long ones, whose bytes are looked at in different ways: one special character at
 * each place of pieces of each length. */
START_TEST(json_strings_of_any_length)
    {
        static const char *const special[][2] = {
            {"\"", "\\\""},   {"\\", "\\\\"},   {"\x1f", "\\u001f"}, {"\n", "\\n"},
            {"\x7f", "\x7f"}, {"\xc3", "\xc3"}, {"x", "x"}};
        char plain[70], expected[80];

        for (size_t at = 0; at < (size_t)_i; at++)
            for (size_t s = 0; s < sizeof special / sizeof *special; s++) {
                AUTO(text) struct text text = {0};
                size_t rest = (size_t)_i - at - 1;

                memset(plain, 'a', sizeof plain);
                plain[at] = special[s][0][0];
                snprintf(expected, sizeof expected, "<%.*s%s%.*s", (int)at, plain, special[s][1],
                         (int)rest, plain + at + 1);
                text_putc(&text, '<');
                text_add_json(&text, plain, (size_t)_i);
                ck_assert_str_eq(text_get(&text), expected);
            }
    }
END_TEST

START_TEST(near_is_a_small_distance)
    {
        for (size_t i = 0; i < sizeof meant_rows / sizeof *meant_rows; i++)
            for (size_t limit = 0; limit < 40; limit++) {
                struct span a = span_of(meant_rows[_i].word), b = span_of(meant_rows[i].word);

                ck_assert_int_eq(text_is_near(a, b, limit), text_distance(a, b) <= limit);
            }
    }
END_TEST

START_TEST(sha256_of_abc)
    {
        char hex[65];

        text_sha256(span_of("abc"), hex);
        ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
END_TEST

START_TEST(lists_are_split)
    {
        struct span rest = span_of("a,,b"), element;
        int count = 0;

        while (text_split(&rest, ',', &element))
            count++;
        ck_assert_int_eq(count, 3);
        ck_assert(span_is(text_trim(span_of(" \tx y\r\n")), "x y"));
    }
END_TEST

/* Formats of strings only go another way than the others: both write what printf() does. */
#define SAME_AS_PRINTF(...)                                                                        \
    do {                                                                                           \
        AUTO(free) char *made = text_format(__VA_ARGS__);                                          \
        char wanted[4096];                                                                         \
                                                                                                   \
        snprintf(wanted, sizeof wanted, __VA_ARGS__);                                              \
        ck_assert_str_eq(made, wanted);                                                            \
    } while (0)

START_TEST(formats_mean_what_printf_says)
    {
        const char *volatile nothing = NULL; /* so that the compiler does not judge the format */
        char longer[3000] = {0};

        memset(longer, 'x', sizeof longer - 1);
        SAME_AS_PRINTF("plain");
        SAME_AS_PRINTF("%s", "");
        SAME_AS_PRINTF("%s/%s", "a", "b");
        SAME_AS_PRINTF("<%s>%s<%s>", longer, "", "%s");
        SAME_AS_PRINTF("%.*s and %.*s", 2, "abc", 9, "abc");
        SAME_AS_PRINTF("%.*s|%.*s", 0, "abc", -1, "abc");
        SAME_AS_PRINTF("%s=%d, %s=%5.1f%%", "a", -7, "b", 2.25);
        SAME_AS_PRINTF("100%% of %s", "it");
        SAME_AS_PRINTF("%s: %5s|%-5s|%.2s|%c", "a", "b", "c", "def", 'g');
        SAME_AS_PRINTF("%d %s", 7, longer);
        SAME_AS_PRINTF("%s, %.*s", nothing, 3, nothing);
        SAME_AS_PRINTF("%.*s", 6, nothing);
    }
END_TEST

START_TEST(a_secret_leaves_an_empty_text)
    {
        struct text text = {0};

        text_wipe(&text);
        text_puts(&text, "secret");
        text_wipe(&text);
        ck_assert_ptr_null(text.data);
        ck_assert_uint_eq(text.length, 0);
        ck_assert_uint_eq(text.room, 0);
        text_puts(&text, "a");
        ck_assert_str_eq(text_get(&text), "a");
        text_done(&text);
    }
END_TEST

SUITE(base_text)
{
    tcase_add_test(tests, a_secret_leaves_an_empty_text);
    tcase_add_test(tests, formats_mean_what_printf_says);
    tcase_add_test(tests, error_messages_read_from_the_outside_in);
    suite_rows(tests, printable, printable_rows);
    suite_rows(tests, did_you_mean, meant_rows);
    tcase_add_test(tests, json_strings_are_escaped);
    tcase_add_loop_test(tests, json_strings_of_any_length, 0, 70);
    suite_rows(tests, near_is_a_small_distance, meant_rows);
    tcase_add_test(tests, sha256_of_abc);
    tcase_add_test(tests, lists_are_split);
}
