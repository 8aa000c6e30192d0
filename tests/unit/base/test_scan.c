#include "base/scan.h"

#include <float.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/suite.h"

#define REVIEW_FILE "tests/fuzz/corpus/scan/review-update.json"

/* A text that may hold NUL. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }

/* A block of exactly this size, so that a sanitizer notices the byte read behind it. */
static struct span exact(struct span text)
{
    char *copy = malloc(text.length ? text.length : 1);

    ck_assert_ptr_nonnull(copy);
    if (text.length)
        memcpy(copy, text.data, text.length);
    return (struct span){copy, text.length};
}

static bool scans(struct span text, struct error *err)
{
    AUTO(scan) struct scan scan = {0};
    struct span copy = exact(text);
    bool ok = scan_text(&scan, copy, err);

    if (!ok) {
        ck_assert_ptr_null(scan.values);
        ck_assert_uint_eq(scan.count, 0);
    }
    free((void *)copy.data);
    return ok;
}

/* The tree as jansson makes it, which is the judge. */
static json_t *judged(struct span text)
{
    return json_loadb(text.data, text.length,
                      JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
}

static json_t *tree_of(struct span text)
{
    AUTO(scan) struct scan scan = {0};
    struct error err = {0};

    ck_assert_msg(scan_text(&scan, text, &err), "%.*s: %s", (int)text.length, text.data,
                  err.message);
    return scan_tree(&scan, 0, NULL);
}

static void must_equal_judged(struct span text)
{
    AUTO(json) json_t *ours = tree_of(text);
    AUTO(json) json_t *theirs = judged(text);
    AUTO(free) char *ours_text = json_dumps(ours, JSON_ENCODE_ANY);
    AUTO(free) char *theirs_text = json_dumps(theirs, JSON_ENCODE_ANY);

    ck_assert_str_eq(ours_text, theirs_text);
    ck_assert(json_equal(ours, theirs));
}

static struct text file_text(const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    struct text text = {0};
    char block[4096];
    size_t got;

    ck_assert_msg(file != NULL, "%s is missing", path);
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        text_add(&text, block, got);
    return text;
}

/* J1: what RFC 8259 calls JSON, by class. */
static const struct span good_rows[] = {
    /* structure */
    TEXT("{}"),
    TEXT("[]"),
    TEXT("{\"\":{}}"),
    TEXT("[[],[[]],{}]"),
    TEXT("{\"a\":[{\"b\":[{}]}],\"c\":null}"),
    TEXT("[1,null,true,false,\"x\",{\"y\":0}]"),
    /* any value may stand at the top; that a review is an object is not the scan's to know */
    TEXT("\"text\""),
    TEXT("-1"),
    TEXT("true"),
    TEXT("false"),
    TEXT("null"),
    TEXT("\"\""),
    TEXT("0"),
    /* white space: blank, tab, CR, LF, around every token */
    TEXT(" \t\r\n{ \t\r\n\"a\" \t\r\n: \t\r\n1 \t\r\n, \t\r\n\"b\" : [ 1 , 2 ] } \t\r\n"),
    TEXT("[ ]"),
    TEXT("{\n}"),
    /* numbers */
    TEXT("[0,-0,1,-1,10,123456789]"),
    TEXT("[0.0,-0.0,0.1,1.5,10.01,-12.25]"),
    TEXT("[1e1,1E1,1e+1,1e-1,1E+01,0e0,-0e-0,1.5e3,1.0E-2]"),
    TEXT("[1e00000000000000000000000001,0.00000000000000000000000000000000001]"),
    /* strings */
    TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
    TEXT("\"\\u0041\\u00e9\\u20ac\\uFFFF\\uffff\\u007f\""),
    TEXT("\"\\ud83d\\ude00 \\uD800\\uDC00 \\udbff\\udfff\""),
    TEXT("\"\\u0000\""),
    TEXT("\"a\\u0000b\\u0000\""),
    TEXT("\"\x7f\""),
    TEXT("\"\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf\""),
    TEXT("\"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xf0\x9f\x98\x80\""),
    TEXT("\"\xe2\x80\xa8\xe2\x80\xa9\""), /* line separators may stand unescaped */
    TEXT("\"\xef\xbb\xbf\""),             /* the mark within a string is a character */
    TEXT("\"// no comment /* */ [,] {:} 'a' NaN\""),
    /* keys */
    TEXT("{\"\":1,\" \":2,\"a.b/c~d\":3,\"\xc3\xa9\":4,\"\\n\":5,\"\\ud83d\\ude00\":6}"),
    TEXT("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"),
};

START_TEST(good_text_is_taken)
    {
        struct error err = {0};

        ck_assert_msg(scans(good_rows[_i], &err), "%.*s: %s", (int)good_rows[_i].length,
                      good_rows[_i].data, err.message);
        must_equal_judged(good_rows[_i]);
    }
END_TEST

/* J1, J5, J6, J7: what it does not, and where that is said to be. */
static const struct {
    struct span text;
    const char *message; /* how it begins */
} bad_rows[] = {
    /* nothing */
    {TEXT(""), "1:1: the text ends, expected a JSON value"},
    {TEXT(" \n "), "2:2: the text ends"},
    /* structure */
    {TEXT("{"), "1:2: the text ends, expected a key"},
    {TEXT("["), "1:2: the text ends, expected a JSON value"},
    {TEXT("[1"), "1:3: the text ends, expected ',' or ']'"},
    {TEXT("{\"a\":1"), "1:7: the text ends, expected ',' or '}'"},
    {TEXT("{\"a\""), "1:5: the text ends, expected ':'"},
    {TEXT("{\"a\":"), "1:6: the text ends, expected a JSON value"},
    {TEXT("]"), "1:1: found ']', expected a JSON value"},
    {TEXT("}"), "1:1: found '}'"},
    {TEXT("[1}"), "1:3: found '}', expected ',' or ']'"},
    {TEXT("{\"a\":1]"), "1:7: found ']', expected ',' or '}'"},
    {TEXT("[1,]"), "1:4: found ']', expected a JSON value"},
    {TEXT("[,1]"), "1:2: found ','"},
    {TEXT("[1,,2]"), "1:4: found ','"},
    {TEXT("[,]"), "1:2: found ','"},
    {TEXT("{,}"), "1:2: found ',', expected a key"},
    {TEXT("{\"a\":1,}"), "1:8: found '}', expected a key"},
    {TEXT("{\"a\":1,,\"b\":2}"), "1:8: found ',', expected a key"},
    {TEXT("[1 2]"), "1:4: found '2', expected ',' or ']'"},
    {TEXT("[1:2]"), "1:3: found ':'"},
    {TEXT("{\"a\" 1}"), "1:6: found '1', expected ':'"},
    {TEXT("{\"a\":1 \"b\":2}"), "1:8: found '\"', expected ',' or '}'"},
    {TEXT("{\"a\",1}"), "1:5: found ',', expected ':'"},
    {TEXT("{\"a\"::1}"), "1:6: found ':'"},
    {TEXT("{\"a\":}"), "1:6: found '}'"},
    {TEXT("{:1}"), "1:2: found ':'"},
    {TEXT("{1:1}"), "1:2: found '1', expected a key"},
    {TEXT("{a:1}"), "1:2: found 'a', expected a key"},
    {TEXT("{null:1}"), "1:2: found 'n'"},
    {TEXT("{[]:1}"), "1:2: found '['"},
    {TEXT("{\"a\":1 :2}"), "1:8: found ':'"},
    {TEXT("[\n  1,\n  2\n  3]"), "4:3: found '3'"},
    /* words */
    {TEXT("tru"), "1:1: found 't', expected a JSON value"},
    {TEXT("[nul]"), "1:2: found 'n'"},
    {TEXT("[fals"), "1:2: found 'f'"},
    {TEXT("True"), "1:1: found 'T'"},
    {TEXT("[nulll]"), "1:6: found 'l'"},
    {TEXT("truefalse"), "1:5: found 'f', expected nothing"},
    {TEXT("undefined"), "1:1: found 'u'"},
    /* J7: not JSON, though some read it */
    {TEXT("{} {}"), "1:4: found '{', expected nothing behind the value"},
    {TEXT("{}x"), "1:3: found 'x'"},
    {TEXT("[]]"), "1:3: found ']'"},
    {TEXT("1 2"), "1:3: found '2'"},
    {TEXT("{}\n---\n{}"), "2:1: found '-'"},
    {TEXT("{}//"), "1:3: found '/'"},
    {TEXT("/* */{}"), "1:1: found '/'"},
    {TEXT("[1/**/]"), "1:3: found '/'"},
    {TEXT("# yaml\n{}"), "1:1: found '#'"},
    {TEXT("NaN"), "1:1: found 'N'"},
    {TEXT("[nan]"), "1:2: found 'n'"},
    {TEXT("[Infinity]"), "1:2: found 'I'"},
    {TEXT("[-Infinity]"), "1:3: found 'I', expected a digit"},
    {TEXT("{'a':1}"), "1:2: found ''', expected a key"},
    {TEXT("['a']"), "1:2: found '''"},
    {TEXT("[\x0b]"), "1:2: found byte 0x0b"},
    {TEXT("[\x0c]"), "1:2: found byte 0x0c"},
    {TEXT("\xc2\xa0{}"), "1:1: found byte 0xc2"},
    {TEXT("[1]\x1a"), "1:4: found byte 0x1a"},
    {TEXT("kind: Deployment"), "1:1: found 'k'"},
    /* numbers */
    {TEXT("-"), "1:2: the text ends, expected a digit"},
    {TEXT("[-]"), "1:3: found ']', expected a digit"},
    {TEXT("+1"), "1:1: found '+'"},
    {TEXT("[--1]"), "1:3: found '-'"},
    {TEXT("[01]"), "1:3: found '1', expected no digit"},
    {TEXT("[-01]"), "1:4: found '1'"},
    {TEXT("[00]"), "1:3: found '0'"},
    {TEXT("[1.]"), "1:4: found ']', expected a digit"},
    {TEXT("[.5]"), "1:2: found '.'"},
    {TEXT("[-.5]"), "1:3: found '.'"},
    {TEXT("[1.e1]"), "1:4: found 'e'"},
    {TEXT("[1e]"), "1:4: found ']'"},
    {TEXT("[1e+]"), "1:5: found ']'"},
    {TEXT("1e-"), "1:4: the text ends"},
    {TEXT("[1e1.5]"), "1:5: found '.'"},
    {TEXT("[1.2.3]"), "1:5: found '.'"},
    {TEXT("[1 000]"), "1:4: found '0'"},
    {TEXT("[1_000]"), "1:3: found '_'"},
    {TEXT("[0x1f]"), "1:3: found 'x'"},
    {TEXT("[1a]"), "1:3: found 'a'"},
    {TEXT("[\xef\xbc\x91]"), "1:2: found byte 0xef"},
    /* strings */
    {TEXT("\""), "1:2: the text ends, expected the end of a string"},
    {TEXT("\"a"), "1:3: the text ends"},
    {TEXT("\"\\"), "1:3: the text ends, expected an escape"},
    {TEXT("\"\\\""), "1:4: the text ends, expected the end of a string"},
    {TEXT("\"\\a\""), "1:3: found 'a', expected one of"},
    {TEXT("\"\\x41\""), "1:3: found 'x'"},
    {TEXT("\"\\'\""), "1:3: found '''"},
    {TEXT("\"\\U0041\""), "1:3: found 'U'"},
    {TEXT("\"\\\n\""), "1:3: found byte 0x0a"},
    {TEXT("\"\\\0\""), "1:3: found byte 0x00"},
    {TEXT("\"\\\xc3\xa9\""), "1:3: found byte 0xc3"},
    {TEXT("\"\\u\""), "1:2: found '\\', expected four hexadecimal digits"},
    {TEXT("\"\\u004\""), "1:2: found '\\', expected four"},
    {TEXT("\"\\u004"), "1:2: found '\\', expected four"},
    {TEXT("\"\\u00g0\""), "1:2: found '\\', expected four"},
    {TEXT("\"\\u+041\""), "1:2: found '\\', expected four"},
    {TEXT("\"a\nb\""), "1:3: found byte 0x0a, expected an escape"},
    {TEXT("\"\t\""), "1:2: found byte 0x09, expected an escape"},
    {TEXT("\"\x1f\""), "1:2: found byte 0x1f"},
    {TEXT("[\"a\"b\"]"), "1:5: found 'b'"},
    /* J5: NUL is a character of a value only when it is escaped, and never one of a key */
    {TEXT("\"\0\""), "1:2: found byte 0x00"},
    {TEXT("{\"a\\u0000\":1}"), "1:2: NUL in a key"},
    {TEXT("{\"\\u0000\":1}"), "1:2: NUL in a key"},
    {TEXT("{\"a\0\":1}"), "1:4: found byte 0x00"},
    {TEXT("{\"a\":{\"b\":1,\n\"c\\u0000c\":1}}"), "2:1: NUL in a key"},
    /* jansson takes a NUL behind a number or a word for nothing */
    {TEXT("9\0"), "1:2: found byte 0x00"},
    {TEXT("[1\0,2]"), "1:3: found byte 0x00"},
    {TEXT("true\0"), "1:5: found byte 0x00"},
    {TEXT("{}\0"), "1:3: found byte 0x00"},
    {TEXT("\0"), "1:1: found byte 0x00"},
    /* J6: UTF-8 */
    {TEXT("\"\x80\""), "1:2: found byte 0x80, expected UTF-8"},
    {TEXT("\"\xbf\""), "1:2: found byte 0xbf"},
    {TEXT("\"\xc0\x80\""), "1:2: found byte 0xc0"},
    {TEXT("\"\xc1\xbf\""), "1:2: found byte 0xc1"},
    {TEXT("\"\xe0\x9f\xbf\""), "1:2: found byte 0xe0"},
    {TEXT("\"\xf0\x8f\xbf\xbf\""), "1:2: found byte 0xf0"},
    {TEXT("\"\xed\xa0\x80\""), "1:2: found byte 0xed"},
    {TEXT("\"\xed\xbf\xbf\""), "1:2: found byte 0xed"},
    {TEXT("\"\xf4\x90\x80\x80\""), "1:2: found byte 0xf4"},
    {TEXT("\"\xf5\x80\x80\x80\""), "1:2: found byte 0xf5"},
    {TEXT("\"\xf8\x88\x80\x80\x80\""), "1:2: found byte 0xf8"},
    {TEXT("\"\xfe\xff\""), "1:2: found byte 0xfe"},
    {TEXT("\"\xc3\""), "1:2: found byte 0xc3"},
    {TEXT("\"\xe2\x82\""), "1:2: found byte 0xe2"},
    {TEXT("\"\xf0\x9f\x98\""), "1:2: found byte 0xf0"},
    {TEXT("\"\xc3"), "1:2: found byte 0xc3"},
    {TEXT("\"\xf0\x9f\x98"), "1:2: found byte 0xf0"},
    {TEXT("\"\xe2\x28\xa1\""), "1:2: found byte 0xe2"},
    {TEXT("\"\xc3\xa9\xe2\x82\xac\xff\""), "1:4: found byte 0xff"},
    {TEXT("{\"\xff\":1}"), "1:3: found byte 0xff"},
    /* J6: lone surrogates */
    {TEXT("\"\\ud800\""), "1:2: a high surrogate"},
    {TEXT("\"\\ud800"), "1:2: a high surrogate"},
    {TEXT("\"\\ud800\\"), "1:2: a high surrogate"},
    {TEXT("\"\\ud800\\u\""), "1:2: a high surrogate"},
    {TEXT("\"\\ud800\\u0041\""), "1:2: a high surrogate"},
    {TEXT("\"\\ud800\\ud800\""), "1:2: a high surrogate"},
    {TEXT("\"\\ud800\\n\""), "1:2: a high surrogate"},
    {TEXT("\"\\ud800x\\udc00\""), "1:2: a high surrogate"},
    {TEXT("\"a\\udc00\""), "1:3: a low surrogate"},
    {TEXT("\"\\udc00\\ud800\""), "1:2: a low surrogate"},
    {TEXT("{\"\\udfff\":1}"), "1:3: a low surrogate"},
    /* J6: byte order mark, UTF-16 and UTF-32 */
    {TEXT("\xef\xbb\xbf{}"), "1:1: found byte 0xef"},
    {TEXT("\xff\xfe{\0}\0"), "1:1: found byte 0xff"},
    {TEXT("\xfe\xff\0{\0}"), "1:1: found byte 0xfe"},
    {TEXT("{\0}\0"), "1:2: found byte 0x00"},
    {TEXT("\0{\0}"), "1:1: found byte 0x00"},
    {TEXT("{\0\0\0}\0\0\0"), "1:2: found byte 0x00"},
};

START_TEST(bad_text_is_refused)
    {
        struct error err = {0};
        const char *wanted = bad_rows[_i].message;

        ck_assert(!scans(bad_rows[_i].text, &err));
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        ck_assert_msg(strncmp(err.message, wanted, strlen(wanted)) == 0, "\"%s\", not \"%s\"",
                      err.message, wanted);
    }
END_TEST

/* J3: reals are told from integers as jansson tells them. */
static const struct {
    const char *text;
    int64_t integer;
    double real;
    bool is_real;
} number_rows[] = {
    {"9007199254740992", 9007199254740992, 0, false},
    {"9007199254740993", 9007199254740993, 0, false},
    {"9223372036854775807", INT64_MAX, 0, false},
    {"-9223372036854775808", INT64_MIN, 0, false},
    {"999999999999999999", 999999999999999999, 0, false},
    {"1000000000000000000", 1000000000000000000, 0, false},
    {"-0", 0, 0, false},
    {"1.0", 0, 1.0, true},
    {"1e0", 0, 1.0, true},
    {"-0.0", 0, -0.0, true},
    {"1e-400", 0, 0.0, true},
    {"5e-324", 0, 5e-324, true},
    {"0.30000000000000004", 0, 0.30000000000000004, true},
    {"1.7976931348623157e308", 0, DBL_MAX, true},
    {"9223372036854775808.0", 0, 9223372036854775808.0, true},
    {"0e400", 0, 0.0, true},
    {"0.00000000000000000000000000000000000000000000000000000000000000000000000000001e77", 0, 1.0,
     true},
};

START_TEST(numbers_keep_type_and_value)
    {
        AUTO(json) json_t *tree = tree_of(span_of(number_rows[_i].text));

        if (number_rows[_i].is_real) {
            ck_assert(json_is_real(tree));
            ck_assert(json_real_value(tree) == number_rows[_i].real);
        } else {
            ck_assert(json_is_integer(tree));
            ck_assert_int_eq(json_integer_value(tree), number_rows[_i].integer);
        }
        must_equal_judged(span_of(number_rows[_i].text));
    }
END_TEST

/* J3: 10^400 and more digits than a double has are rows of their own below. */
static const struct {
    const char *text, *message;
} too_large_rows[] = {
    {"9223372036854775808", "1:1: an integer beyond 64 bits"},
    {"-9223372036854775809", "1:1: an integer beyond 64 bits"},
    {"18446744073709551615", "1:1: an integer beyond 64 bits"},
    {"[1,\n 99999999999999999999]", "2:2: an integer beyond 64 bits"},
    {"1e400", "1:1: a number too large for a double"},
    {"[-1E+309]", "1:2: a number too large for a double"},
    {"1.8e308", "1:1: a number too large for a double"},
    {"1e99999999999999999999", "1:1: a number too large for a double"},
};

START_TEST(numbers_too_large_are_refused)
    {
        struct error err = {0};

        ck_assert(!scans(span_of(too_large_rows[_i].text), &err));
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        ck_assert_str_eq(err.message, too_large_rows[_i].message);
        ck_assert_ptr_null(judged(span_of(too_large_rows[_i].text)));
    }
END_TEST

static void repeat(struct text *text, const char *piece, size_t times)
{
    for (size_t i = 0; i < times; i++)
        text_puts(text, piece);
}

static struct span span_text(const struct text *text)
{
    return (struct span){text_get(text), text->length};
}

/* J3: digits without end. */
static const struct {
    const char *before, *digit;
    size_t times;
    const char *after;
    bool good;
} long_number_rows[] = {
    {"1", "0", 400, "", false},      {"1", "0", 400, ".5", false},
    {"1", "0", 308, ".0", true},     {"1", "0", 309, ".0", false},
    {"0.", "3", 1000000, "", true},  {"9", "9", 3000000, "", false},
    {"0.", "0", 3000000, "1", true}, {"1", "0", 3000000, "e-3000000", true},
    {"1e", "0", 3000000, "1", true}, {"1e", "9", 3000000, "", false},
    {"1e-", "9", 3000000, "", true}, {"-0.", "1", 62, "", true},
    {"0.", "1", 61, "", true},       {"0.", "1", 62, "", true},
    {"0.", "1", 60, "", true},
};

START_TEST(long_numbers)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};

        text_puts(&text, long_number_rows[_i].before);
        repeat(&text, long_number_rows[_i].digit, long_number_rows[_i].times);
        text_puts(&text, long_number_rows[_i].after);
        ck_assert_int_eq(scans(span_text(&text), &err), long_number_rows[_i].good);
        if (long_number_rows[_i].good)
            must_equal_judged(span_text(&text));
        else
            ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
    }
END_TEST

/* J4: equal keys of one object, however they are written. */
static const struct {
    const char *text;
    const char *message; /* NULL: there are none */
} key_rows[] = {
    {"{\"a\":1,\"a\":2}", "1:8: the key \"a\" stands twice in one object"},
    {"{\"a\":1,\"a\":1}", "1:8: the key \"a\" stands twice in one object"},
    {"{\"\":1,\"\":2}", "1:7: the key \"\" stands twice in one object"},
    {"{\"b\":{},\"a\":{},\"c\":[],\n\"a\":2}", "2:1: the key \"a\" stands twice in one object"},
    {"{\"metadata\":{\"name\":\"x\",\"name\":\"y\"}}", "1:25: the key \"name\""},
    {"{\"metadata\":{\"annotations\":{\"k/a\":\"1\",\"k/b\":\"\",\"k/a\":\"2\"}}}",
     "1:48: the key \"k/a\""},
    {"[{\"a\":[{\"b\":1},{\"b\":1,\"b\":1}]}]", "1:23: the key \"b\""},
    {"{\"a\":1,\"\\u0061\":2}", "1:8: the key \"\\u0061\""},
    {"{\"\\u0061\":1,\"a\":2}", "1:13: the key \"a\""},
    {"{\"\\u0061\":1,\"\\u0061\":2}", "1:13: the key"},
    {"{\"\\n\":1,\"\\u000a\":2}", "1:9: the key"},
    {"{\"\\/\":1,\"/\":2}", "1:9: the key \"/\""},
    {"{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "1:19: the key"},
    {"{\"\xc3\xa9\":1,\"\\u00E9\":2}", "1:8: the key"},
    {"{\"x\\u0061\":1,\"b\":1,\"xa\":2}", "1:20: the key"},
    {"{\"\xe2\x80\xae\":1,\"\xe2\x80\xae\":2}", "1:8: the key \"?\""},
    /* not equal */
    {"{\"a\":{\"a\":1},\"b\":{\"a\":1}}", NULL},
    {"[{\"a\":1},{\"a\":1}]", NULL},
    {"{\"a\":\"a\",\"b\":\"a\"}", NULL},
    {"{\"a\":1,\"A\":2,\"a \":3,\" a\":4}", NULL},
    {"{\"\\\\u0061\":1,\"a\":2,\"u0061\":3}", NULL},
    {"{\"\xc3\xa9\":1,\"e\xcc\x81\":2}", NULL}, /* no normalisation */
    {"{\"\\u00e9\":1,\"\\u00e8\":2,\"\\u0e90\":3}", NULL},
    {"{\"a\\n\":1,\"a\\n\\n\":2,\"a\":3,\"a\\nb\":4,\"\\na\":5}", NULL},
    /* the same length, middle and end */
    {"{\"1ab\":1,\"2ab\":1,\"3ab\":1,\"4ab\":1}", NULL},
    {"{\"1ab\":1,\"2ab\":1,\"3ab\":1,\"2ab\":1}", "1:26: the key \"2ab\""},
    {"{\"1\\u0061b\":1,\"2ab\":1,\"3\\u0061b\":1,\"2\\u0061b\":1}", "1:36: the key"},
};

START_TEST(equal_keys_are_refused)
    {
        struct error err = {0};
        const char *wanted = key_rows[_i].message;
        bool good = scans(span_of(key_rows[_i].text), &err);

        if (!wanted) {
            ck_assert_msg(good, "%s", err.message);
            must_equal_judged(span_of(key_rows[_i].text));
            return;
        }
        ck_assert(!good);
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        ck_assert_msg(strncmp(err.message, wanted, strlen(wanted)) == 0, "\"%s\", not \"%s\"",
                      err.message, wanted);
        ck_assert_ptr_null(judged(span_of(key_rows[_i].text)));
    }
END_TEST

/* J4, J19, J20: objects of many keys; `format` gives each its key by number. With `twin`, another
 * key at the end is equal to the one of this number. */
static const struct {
    const char *format;
    int count, twin;
    const char *twin_format; /* how the twin is written */
} crowd_rows[] = {
    {"%d", 31, -1, NULL},
    {"%d", 32, -1, NULL},
    {"%d", 33, -1, NULL},
    {"%d", 1000, -1, NULL},
    {"%d", 30, 0, "%d"},
    {"%d", 31, 30, "%d"},
    {"%d", 32, 31, "%d"},
    {"%d", 33, 0, "%d"},
    {"%d", 1000, 500, "%d"},
    {"k%d", 32, 3, "\\u006b%d"},
    {"k%d", 33, 3, "\\u006b%d"},
    {"k%d", 1000, 999, "\\u006b%d"},
    /* as managedFields have them */
    {"k:{\\\"name\\\":\\\"%d\\\"}", 8, -1, NULL},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 9, -1, NULL},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 500, -1, NULL},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 7, 6, "k:{\\\"name\\\":\\\"%d\\\"}"},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 8, 0, "k:{\\\"name\\\":\\\"%d\\\"}"},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 9, 8, "k:{\\u0022name\\\":\\\"%d\\\"}"},
    {"k:{\\\"name\\\":\\\"%d\\\"}", 500, 250, "k:{\\\"name\\\":\\u0022%d\\\"}"},
    /* the same length, middle and end: what is cheap to compare does not tell them apart */
    {"%09d/the same middle, the same end", 20000, -1, NULL},
    {"%09d/the same middle, the same end", 31, 30, "%09d/the same middle, the same end"},
    {"%09d/the same middle, the same end", 20000, 19999, "%09d/the same middle, the same end"},
    {"%d", 150000, -1, NULL},
    {"%d", 150000, 149999, "%d"},
    {"\\u0061%d", 150000, 77, "a%d"},
};

static void add_key(struct text *text, const char *format, int number)
{
    text_putc(text, text->length == 0 ? '{' : ',');
    text_putc(text, '"');
    text_addf(text, format, number);
    text_puts(text, "\":0");
}

START_TEST(crowded_objects)
    {
        AUTO(text) struct text text = {0};
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        for (int i = 0; i < crowd_rows[_i].count; i++)
            add_key(&text, crowd_rows[_i].format, i);

        size_t column = text.length + 2;

        if (crowd_rows[_i].twin_format)
            add_key(&text, crowd_rows[_i].twin_format, crowd_rows[_i].twin);
        text_putc(&text, '}');
        if (!crowd_rows[_i].twin_format) {
            ck_assert_msg(scan_text(&scan, span_text(&text), &err), "%s", err.message);
            ck_assert_uint_eq(scan.count, 2 * (uint32_t)crowd_rows[_i].count + 1);
            return;
        }

        AUTO(free) char *place = text_format("1:%zu: the key ", column);

        ck_assert(!scan_text(&scan, span_text(&text), &err));
        ck_assert_msg(strncmp(err.message, place, strlen(place)) == 0, "%s", err.message);
    }
END_TEST

/* Of several twins the one that stands first is named, wherever sorting puts it. */
START_TEST(the_first_twin_is_named)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};

        for (int i = 0; i < 200; i++)
            add_key(&text, "%03d", i % 100);
        text_putc(&text, '}');
        ck_assert(!scans(span_text(&text), &err));
        ck_assert_str_eq(err.message, "1:802: the key \"000\" stands twice in one object");
    }
END_TEST

/* J20: keys of one length whose FNV-1a is the same. */
START_TEST(keys_that_collide)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};

        for (int i = 0; i < 40; i++)
            add_key(&text, "%d", i);
        add_key(&text, "8yn0iYCKYHlIj4-BwPqk", 0);
        add_key(&text, "GReLUrM4wMqfg9yzV3KQ", 0);

        size_t length = text.length;

        text_putc(&text, '}');
        ck_assert_msg(scans(span_text(&text), &err), "%s", err.message);
        text.length = length;
        add_key(&text, "8yn0iYCKYHlIj4-BwPqk", 0);
        text_putc(&text, '}');
        ck_assert(!scans(span_text(&text), &err));
        ck_assert_ptr_nonnull(strstr(err.message, "the key \"8yn0iYCKYHlIj4-BwPqk\" stands twice"));
    }
END_TEST

/* Keys with escapes longer than what is unescaped in passing. */
START_TEST(long_escaped_keys)
    {
        static const size_t lengths[] = {200, 249, 250, 251, 300, 100000};
        AUTO(text) struct text text = {0};
        struct error err = {0};

        text_puts(&text, "{\"\\u0061");
        repeat(&text, "x", lengths[_i]);
        text_puts(&text, "\":1,\"b\":2,\"a");
        repeat(&text, "x", lengths[_i]);
        ck_assert(!scans((struct span){text.data, text.length - 1}, &err));
        text_puts(&text, "\":3}");
        ck_assert(!scans(span_text(&text), &err));
        ck_assert_ptr_nonnull(strstr(err.message, "stands twice"));
        text.data[text.length - 5] = 'y';
        ck_assert_msg(scans(span_text(&text), &err), "%s", err.message);
    }
END_TEST

/* J2: nesting, as text and as a tree, on a stack that is small. */
#define STACK_BYTES (2u << 20)

static const struct {
    const char *open, *close;
    size_t depth;
    bool closed, good;
} depth_rows[] = {
    {"[", "]", 100, true, true},          {"{\"a\":", "}", 100, true, true},
    {"[", "]", 2048, true, true},         {"{\"a\":", "}", 2048, true, true},
    {"[", "]", 2049, true, false},        {"{\"a\":", "}", 2049, true, false},
    {"[{\"a\":", "}]", 1024, true, true}, {"[", "]", 10000, true, false},
    {"{\"a\":", "}", 10000, true, false}, {"[", "]", 3 << 20, false, false},
    {"[", "]", 3 << 20, true, false},     {"{\"a\":", "}", (3 << 20) / 5, false, false},
    {"[[],", "]", 2047, true, true},      {"[[],", "]", 2048, true, false},
};

struct nested {
    struct span text;
    bool good;
    struct error err;
};

static void *scan_nested(void *argument)
{
    struct nested *nested = argument;
    AUTO(scan) struct scan scan = {0};

    nested->good = scan_text(&scan, nested->text, &nested->err);

    AUTO(json) json_t *tree = scan_tree(&scan, nested->good ? 0 : SCAN_NONE, NULL);

    if (nested->good != !!tree)
        abort();
    return NULL;
}

START_TEST(depth_is_bounded)
    {
        AUTO(text) struct text text = {0};
        pthread_attr_t attributes;
        pthread_t thread;

        repeat(&text, depth_rows[_i].open, depth_rows[_i].depth);
        if (depth_rows[_i].closed) {
            text_puts(&text, strlen(depth_rows[_i].open) == 1 ? "" : "1");
            repeat(&text, depth_rows[_i].close, depth_rows[_i].depth);
        }

        struct nested nested = {.text = span_text(&text)};

        ck_assert_int_eq(pthread_attr_init(&attributes), 0);
        ck_assert_int_eq(pthread_attr_setstacksize(&attributes, STACK_BYTES), 0);
        ck_assert_int_eq(pthread_create(&thread, &attributes, scan_nested, &nested), 0);
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
        pthread_attr_destroy(&attributes);
        ck_assert_msg(nested.good == depth_rows[_i].good, "%s", nested.err.message);
        if (nested.good)
            return;
        ck_assert_int_eq(nested.err.code, ERROR_BAD_REQUEST);
        ck_assert_ptr_nonnull(strstr(nested.err.message, "nested too deeply"));
    }
END_TEST

/* J8, and that the whole of it is fine. */
START_TEST(review_cut_anywhere_is_refused)
    {
        AUTO(text) struct text review = file_text(REVIEW_FILE);
        struct error err = {0};

        ck_assert_uint_ge(review.length, 19000);
        must_equal_judged(span_text(&review));
        for (size_t i = 0; i < review.length; i += suite_stride()) {
            ck_assert_msg(!scans((struct span){review.data, i}, &err), "%zu", i);
            ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
        }
    }
END_TEST

/* Strings of every length, with something special at every place of them. */
START_TEST(strings_of_every_length)
    {
        static const struct {
            struct span piece;
            bool good;
        } pieces[] = {
            {TEXT("x"), true},       {TEXT("\\n"), true},          {TEXT("\xc3\xa9"), true},
            {TEXT("\\u00e9"), true}, {TEXT("\x01"), false},        {TEXT("\x1f"), false},
            {TEXT("\""), false},     {TEXT("\\"), false},          {TEXT("\xff"), false},
            {TEXT("\x7f"), true},    {TEXT("\x80"), false},        {TEXT("\xf0\x9f\x98\x80"), true},
            {TEXT("\0"), false},     {TEXT("\xed\xa0\x80"), false}};
        struct error err = {0};

        for (int length = 0; length < 50; length++) {
            for (int at = 0; at <= length; at++) {
                AUTO(text) struct text text = {0};

                text_addf(&text, "\"%.*s", at,
                          "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz");
                text_add(&text, pieces[_i].piece.data, pieces[_i].piece.length);
                text_addf(&text, "%.*sz\"", length - at,
                          "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
                ck_assert_int_eq(scans(span_text(&text), &err), pieces[_i].good);
                if (pieces[_i].good)
                    must_equal_judged(span_text(&text));
            }
        }
    }
END_TEST

/* J5: a value keeps its NULs. */
START_TEST(nul_in_a_value_is_kept)
    {
        AUTO(json) json_t *tree = tree_of(span_of("{\"a\":\"x\\u0000y\",\"b\":[\"\\u0000\"]}"));
        const json_t *value = json_object_get(tree, "a");

        ck_assert_uint_eq(json_string_length(value), 3);
        ck_assert_mem_eq(json_string_value(value), "x\0y", 4);
        ck_assert_uint_eq(json_string_length(json_array_get(json_object_get(tree, "b"), 0)), 1);
    }
END_TEST

/* A text of `count` values and keys: a list of ones. */
static struct text ones(size_t count)
{
    struct text text = {0};

    text_puts(&text, "[1");
    repeat(&text, ",1", count - 2);
    text_putc(&text, ']');
    return text;
}

START_TEST(values_are_counted)
    {
        AUTO(text) struct text most = ones(JSON_MAX_VALUES);
        AUTO(text) struct text more = ones(JSON_MAX_VALUES + 1);
        struct error err = {0};

        ck_assert_msg(scans(span_text(&most), &err), "%s", err.message);
        ck_assert(!scans(span_text(&more), &err));
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    }
END_TEST

START_TEST(text_beyond_32_bits_is_refused_unread)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(!scan_text(&scan, (struct span){"{}", UINT32_MAX}, &err));
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
    }
END_TEST

START_TEST(absent_text_is_refused)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(!scan_text(&scan, (struct span){0}, &err));
        ck_assert_int_eq(err.code, ERROR_BAD_REQUEST);
    }
END_TEST

/* J19: 1,000 containers, and 3 MiB in one annotation. */
START_TEST(large_objects)
    {
        AUTO(text) struct text text = {0};
        struct error err = {0};

        text_puts(&text, "{\"metadata\":{\"annotations\":{\"a\":\"");
        repeat(&text, "x\\n\\u00e9\xc3\xa9\\\"", (3 << 20) / 15);
        text_puts(&text, "\"}},\"spec\":{\"containers\":[");
        for (int i = 0; i < 1000; i++)
            text_addf(&text, "%s{\"name\":\"c%d\",\"image\":\"i\",\"env\":[]}", i ? "," : "", i);
        text_puts(&text, "]}}");
        ck_assert_msg(scans(span_text(&text), &err), "%s", err.message);
        must_equal_judged(span_text(&text));
    }
END_TEST

static const char review[] =
    "{\"kind\":\"Review\",\"request\":{\"object\":{\"metadata\":{\"name\":\"a"
    "\",\"x\\u002fy\":1,\"\":[]},\"status\":null,\"nul\":\"d\\u0000e\"}, "
    "\"list\":[1,\"two\",{}]}}";

START_TEST(members_are_found)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert_msg(scan_text(&scan, span_of(review), &err), "%s", err.message);
        ck_assert(scan_is(&scan, scan_path(&scan, 0, "request.object.metadata.name"), "a"));
        ck_assert(!scan_is(&scan, scan_path(&scan, 0, "request.object"), "a"));
        ck_assert(
            span_is(scan_slice(&scan, scan_path(&scan, 0, "request.list")), "[1,\"two\",{}]"));
        ck_assert(span_is(scan_slice(&scan, scan_member(&scan, 0, "kind")), "\"Review\""));
        ck_assert(span_equal(scan_slice(&scan, 0), span_of(review)));
        ck_assert_uint_eq(scan_path(&scan, 0, ""), 0);

        uint32_t metadata = scan_path(&scan, 0, "request.object.metadata");

        ck_assert(span_is(scan_slice(&scan, scan_member(&scan, metadata, "x/y")), "1"));
        ck_assert(span_is(scan_slice(&scan, scan_member(&scan, metadata, "")), "[]"));
    }
END_TEST

START_TEST(absent_members_answer_none)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(&scan, span_of(review), &err));
        ck_assert_uint_eq(scan_member(&scan, 0, "kin"), SCAN_NONE);
        ck_assert_uint_eq(scan_member(&scan, 0, ""), SCAN_NONE);
        ck_assert_uint_eq(scan_member(&scan, 0, "object"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, 0, "kind.name"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, 0, "request.list.name"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, 0, "request..list"), SCAN_NONE);
        ck_assert_uint_eq(scan_path(&scan, SCAN_NONE, "request"), SCAN_NONE);
        ck_assert_ptr_null(scan_slice(&scan, SCAN_NONE).data);
        ck_assert_ptr_null(scan_tree(&scan, SCAN_NONE, NULL));
        ck_assert(!scan_is(&scan, SCAN_NONE, ""));
        ck_assert(!scan_holds(&scan, SCAN_NONE, ""));
    }
END_TEST

START_TEST(an_empty_scan_answers_none)
    {
        struct scan scan = {0};

        ck_assert_uint_eq(scan_member(&scan, 0, "a"), SCAN_NONE);
        ck_assert_ptr_null(scan_slice(&scan, 0).data);
        ck_assert_ptr_null(scan_tree(&scan, 0, NULL));
        scan_done(&scan);
    }
END_TEST

/* Strings are compared by their value, in whatever way they are written. */
static const struct {
    const char *text, *wanted;
    bool held;
} holds_rows[] = {
    {"\"a\"", "a", true},
    {"\"\\u0061\"", "a", true},
    {"{\"stash\":1}", "stash", true},
    {"{\"st\\u0061sh\":1}", "stash", true},
    {"{\"x\":[{\"y\":[\"stash\"]}]}", "stash", true},
    {"{\"x\":[{\"y\":[\"\\/a\\\"\\n\"]}]}", "/a\"\n", true},
    {"[\"\\ud83d\\ude00\"]", "\xf0\x9f\x98\x80", true},
    {"[\"\"]", "", true},
    {"[]", "", false},
    {"[1,true,null]", "1", false},
    {"[\"stas\",\"stash \",\"Stash\",\"xstash\"]", "stash", false},
    {"[\"\\u0061\\u0061\"]", "a", false},
    {"[\"\\u0061\"]", "aa", false},
    {"[\"\\u0061\"]", "\\u0061", false},
    {"[\"a\\u0000\"]", "a", false},
    {"[\"\\u00e9\"]", "\xc3", false},
    {"[\"\\\\n\"]", "\n", false},
    {"[\"\\\\n\"]", "\\n", true},
};

START_TEST(strings_are_held)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert_msg(scan_text(&scan, span_of(holds_rows[_i].text), &err), "%s", err.message);
        ck_assert_int_eq(scan_holds(&scan, 0, holds_rows[_i].wanted), holds_rows[_i].held);
    }
END_TEST

START_TEST(only_what_is_below_is_held)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(&scan, span_of("{\"a\":[\"in\"],\"b\":\"out\"}"), &err));
        ck_assert(scan_holds(&scan, scan_member(&scan, 0, "a"), "in"));
        ck_assert(!scan_holds(&scan, scan_member(&scan, 0, "a"), "a"));
        ck_assert(!scan_holds(&scan, scan_member(&scan, 0, "a"), "out"));
        ck_assert(scan_holds(&scan, scan_member(&scan, 0, "b"), "out"));
    }
END_TEST

START_TEST(strings_are_what_they_mean)
    {
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(&scan, span_of("{\"op\":\"UPD\\u0041TE\",\"n\":\"a\\u0000\"}"), &err));
        ck_assert(scan_is(&scan, scan_member(&scan, 0, "op"), "UPDATE"));
        ck_assert(!scan_is(&scan, scan_member(&scan, 0, "op"), "UPDATED"));
        ck_assert(!scan_is(&scan, scan_member(&scan, 0, "op"), "UPD"));
        ck_assert(!scan_is(&scan, scan_member(&scan, 0, "n"), "a"));
    }
END_TEST

START_TEST(trees_take_only_some_members)
    {
        static const char *const only[] = {"a", "x/y", "gone", NULL};
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(
            &scan, span_of("{\"managedFields\":[{}],\"a\":{\"b\":3},\"x\\/y\":2,\"ab\":4}"), &err));

        AUTO(json) json_t *tree = scan_tree(&scan, 0, only);
        AUTO(free) char *text = json_dumps(tree, JSON_COMPACT);

        ck_assert_str_eq(text, "{\"a\":{\"b\":3},\"x/y\":2}");
    }
END_TEST

/* Two values of one text; the tree of the second takes from the first what is the same there. */
static const struct {
    const char *one, *other;
    const char *shared; /* path of what must be one and the same value, NULL: nothing */
    const char *apart;  /* of what must not be, NULL: nothing */
} twin_rows[] = {
    {"{\"a\":{\"b\":[1]}}", "{\"a\":{\"b\":[1]}}", "", NULL},
    {"{\"a\":{\"b\":[1]},\"c\":1}", "{\"a\":{\"b\":[1]},\"c\":2}", "a", "c"},
    {"{\"a\":{\"b\":[1],\"c\":{}}}", "{\"a\":{\"b\":[2],\"c\":{}}}", "a.c", "a.b"},
    /* a member that is only in one of them */
    {"{\"x\":1,\"a\":{}}", "{\"a\":{}}", "a", NULL},
    {"{\"a\":{}}", "{\"x\":1,\"a\":{}}", "a", NULL},
    {"{\"v\":1,\"w\":1,\"x\":1,\"y\":1,\"z\":1,\"a\":{}}", "{\"a\":{}}", NULL, "a"},
    /* another order, other bytes, another type, nothing at all */
    {"{\"a\":{},\"b\":{}}", "{\"b\":{},\"a\":{}}", "b", "a"},
    {"{\"a\":{\"b\":[]}}", "{\"a\":{ \"b\":[]}}", "a.b", "a"},
    {"{\"a\":{\"k\":1}}", "{\"\\u0061\":{\"k\":1}}", NULL, "a"},
    {"{\"\\u0061\":{\"k\":1},\"c\":{}}", "{\"\\u0061\":{\"k\":1},\"c\":[]}", NULL, "c"},
    {"[{}]", "{\"a\":{}}", NULL, "a"},
    {"{\"a\":{}}", "[{},{}]", NULL, NULL},
    {"[1,{}]", "[1,{},3]", NULL, NULL},
    {"[]", "[1,2]", NULL, NULL},
    {"1", "{}", NULL, NULL},
    {"{}", "1", NULL, NULL},
    /* no bytes are compared down there */
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}},\"z\":1}}",
     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}},\"z\":2}}", "a.a", "a"},
    {"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{},\"z\":1}}}}}}}",
     "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{},\"z\":2}}}}}}}", NULL, "a.a.a.a.a.a.a"},
};

START_TEST(trees_share_what_is_the_same)
    {
        AUTO(free)
        char *text =
            text_format("{\"one\":%s,\"other\":%s}", twin_rows[_i].one, twin_rows[_i].other);
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert_msg(scan_text(&scan, span_of(text), &err), "%s", err.message);

        uint32_t at = scan_member(&scan, 0, "one"), other_at = scan_member(&scan, 0, "other");
        AUTO(json) json_t *one = scan_tree(&scan, at, NULL);
        AUTO(json) json_t *plain = scan_tree(&scan, other_at, NULL);
        AUTO(json) json_t *other = scan_tree_like(&scan, other_at, NULL, at, one);
        const char *shared = twin_rows[_i].shared, *apart = twin_rows[_i].apart;

        ck_assert(json_equal(plain, other));
        ck_assert(!shared ||
                  (tree_at(one, shared) && tree_at(one, shared) == tree_at(other, shared)));
        ck_assert(!apart || tree_at(one, apart) != tree_at(other, apart));
    }
END_TEST

START_TEST(trees_of_slices)
    {
        AUTO(text) struct text text = file_text(REVIEW_FILE);
        AUTO(scan) struct scan scan = {0};
        struct error err = {0};

        ck_assert(scan_text(&scan, span_text(&text), &err));
        for (uint32_t i = 0; i < scan.count; i++) {
            struct span slice = scan_slice(&scan, i);
            AUTO(json) json_t *ours = scan_tree(&scan, i, NULL);
            AUTO(json) json_t *theirs = judged(slice);

            ck_assert(json_equal(ours, theirs));
        }
    }
END_TEST

SUITE(base_scan)
{
    suite_rows(tests, good_text_is_taken, good_rows);
    suite_rows(tests, bad_text_is_refused, bad_rows);
    suite_rows(tests, numbers_keep_type_and_value, number_rows);
    suite_rows(tests, numbers_too_large_are_refused, too_large_rows);
    suite_rows(tests, long_numbers, long_number_rows);
    suite_rows(tests, equal_keys_are_refused, key_rows);
    suite_rows(tests, crowded_objects, crowd_rows);
    tcase_add_test(tests, the_first_twin_is_named);
    tcase_add_test(tests, keys_that_collide);
    tcase_add_loop_test(tests, long_escaped_keys, 0, 6);
    suite_rows(tests, depth_is_bounded, depth_rows);
    tcase_add_test(tests, review_cut_anywhere_is_refused);
    tcase_add_loop_test(tests, strings_of_every_length, 0, 14);
    tcase_add_test(tests, nul_in_a_value_is_kept);
    tcase_add_test(tests, values_are_counted);
    tcase_add_test(tests, text_beyond_32_bits_is_refused_unread);
    tcase_add_test(tests, absent_text_is_refused);
    tcase_add_test(tests, large_objects);
    tcase_add_test(tests, members_are_found);
    tcase_add_test(tests, absent_members_answer_none);
    tcase_add_test(tests, an_empty_scan_answers_none);
    suite_rows(tests, strings_are_held, holds_rows);
    tcase_add_test(tests, only_what_is_below_is_held);
    tcase_add_test(tests, strings_are_what_they_mean);
    tcase_add_test(tests, trees_take_only_some_members);
    suite_rows(tests, trees_share_what_is_the_same, twin_rows);
    tcase_add_test(tests, trees_of_slices);
}
