#include "base/auto.h"
#include "base/base64.h"
#include "tests/unit/suite.h"

static const struct {
    const char *plain, *coded;
} rows[] = {
    /* RFC 4648 section 10 */
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
    {"\xff\xfe\xfd", "//79"},
    {"\xfb\xef\xbe", "++++"},
};

START_TEST(there_and_back)
    {
        AUTO(text) struct text coded = {0};
        AUTO(text) struct text plain = {0};

        base64_encode(&coded, span_of(rows[_i].plain));
        ck_assert_str_eq(text_get(&coded), rows[_i].coded);
        ck_assert(base64_decode(&plain, span_of(rows[_i].coded)));
        ck_assert_str_eq(text_get(&plain), rows[_i].plain);
    }
END_TEST

static const char *const bad[] = {
    "Z",
    "Zg",
    "Zg=",
    "Zg===",
    "Zm8",
    "Zm9v\n",
    "Zm 9v",
    "Zm9-",
    "Zm9_",
    "====",
    "=Zm9",
    "Zm=v",
    "Zg==Zg==",
    /* bits that stand for nothing */
    "Zh==",
    "Zm9=",
};

START_TEST(what_is_none)
    {
        AUTO(text) struct text out = {0};

        text_puts(&out, "x");
        ck_assert_msg(!base64_decode(&out, span_of(bad[_i])), "%s", bad[_i]);
        ck_assert_str_eq(text_get(&out), "x");
    }
END_TEST

START_TEST(every_byte_of_every_length)
    {
        char bytes[256];

        for (int i = 0; i < 256; i++)
            bytes[i] = (char)i;
        for (size_t length = 0; length <= sizeof bytes; length++) {
            AUTO(text) struct text coded = {0};
            AUTO(text) struct text plain = {0};

            base64_encode(&coded, (struct span){bytes, length});
            ck_assert(base64_decode(&plain, (struct span){coded.data, coded.length}));
            ck_assert(
                span_equal((struct span){plain.data, plain.length}, (struct span){bytes, length}));
        }
    }
END_TEST

SUITE(base_base64)
{
    suite_rows(tests, there_and_back, rows);
    suite_rows(tests, what_is_none, bad);
    tcase_add_test(tests, every_byte_of_every_length);
}
