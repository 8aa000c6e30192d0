#include "base/pointer.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const char document[] =
    "{'colours': ['red', 'green'], '': 'empty', 'x/y': 1, 'p%q': 2, 'h^t': 3, 'm|n': 4, 'b\\\\s': "
    "5,"
    " 'it\\u0022s': 6, ' ': 7, 'k~l': 8, '~1': 'tilde one', '~01': 'tilde zero one', '-': 'dash',"
    " '00': 'zeros', '\\u00e9\\ud83d\\ude00': 'unicode', 'deep': {'': {'': [[], {'last': null}]}},"
    " '0': 'digit', 'nul': 'a\\u0000b'}";

static const struct {
    const char *pointer, *value; /* NULL: names nothing */
} get_rows[] = {
    /* RFC 6901 section 5: every kind of key that it shows */
    {"/colours", "['red', 'green']"},
    {"/colours/0", "'red'"},
    {"/", "'empty'"},
    {"/x~1y", "1"},
    {"/p%q", "2"},
    {"/h^t", "3"},
    {"/m|n", "4"},
    {"/b\\s", "5"},
    {"/it\"s", "6"},
    {"/ ", "7"},
    {"/k~0l", "8"},
    /* JP1: the order of the two escapes */
    {"/~01", "'tilde one'"},
    {"/~001", "'tilde zero one'"},
    {"/~1", NULL},
    {"/~1~0", NULL},
    /* JP1: keys that look like an index or like the end of a list */
    {"/-", "'dash'"},
    {"/00", "'zeros'"},
    {"/0", "'digit'"},
    {"/\xc3\xa9\xf0\x9f\x98\x80", "'unicode'"},
    {"/nul", "'a\\u0000b'"},
    /* empty keys below each other */
    {"/deep/", "{'': [[], {'last': null}]}"},
    {"/deep//", "[[], {'last': null}]"},
    {"/deep///1/last", "null"},
    {"/deep///0/0", NULL},
    {"/deep////", NULL},
    /* section 4: the spelling of an index */
    {"/colours/1", "'green'"},
    {"/colours/2", NULL},
    {"/colours/-", NULL},
    {"/colours/-1", NULL},
    {"/colours/01", NULL},
    {"/colours/00", NULL},
    {"/colours/+1", NULL},
    {"/colours/1e0", NULL},
    {"/colours/ 1", NULL},
    {"/colours/", NULL},
    {"/colours/1:", NULL},
    {"/colours/999999999999999999", NULL},
    {"/colours/18446744073709551616", NULL},
    {"/colours/18446744073709551617", NULL},
    /* what is not there, or has nothing inside */
    {"/absent", NULL},
    {"/absent/deeper", NULL},
    {"/deep///1/last/x", NULL},
    {"/x~1y/0", NULL},
    {"/colours/0/0", NULL},
    /* section 3: malformed */
    {"colours", NULL},
    {"x", NULL},
    {"#/colours", NULL},
    {"/k~l", NULL},
    {"/k~", NULL},
    {"/~2", NULL},
    {"/k~/l", NULL},
    {"/absent/~", NULL},
};

START_TEST(get)
    {
        AUTO(json) json_t *tree = json_row(document);
        const json_t *found = pointer_get(tree, get_rows[_i].pointer);

        if (!get_rows[_i].value) {
            ck_assert_ptr_null(found);
            return;
        }

        AUTO(json) json_t *wanted = json_row(get_rows[_i].value);

        ck_assert(found && tree_equal(found, wanted));
    }
END_TEST

START_TEST(the_empty_pointer_is_the_document)
    {
        AUTO(json) json_t *tree = json_row(document);

        ck_assert_ptr_eq(pointer_get(tree, ""), tree);
        ck_assert_ptr_null(pointer_get(NULL, ""));
        ck_assert_ptr_null(pointer_get(NULL, "/a"));
        ck_assert_ptr_null(pointer_step(NULL, span_of("a")));
    }
END_TEST

static const struct {
    const char *key, *token;
    size_t length; /* of the key; 0: up to NUL */
} key_rows[] = {
    /* JP1 */
    {"", "/", 0},
    {"a", "/a", 0},
    {"/", "/~1", 0},
    {"~", "/~0", 0},
    {"~1", "/~01", 0},
    {"~01", "/~001", 0},
    {"//~~", "/~1~1~0~0", 0},
    {"stash.appscode.com/schedule", "/stash.appscode.com~1schedule", 0},
    {"-", "/-", 0},
    {"007", "/007", 0},
    {"\"", "/\"", 0},
    {"\xf0\x9f\x98\x80", "/\xf0\x9f\x98\x80", 0},
    {"a\0/b", "/a\0~1b", 4},
    /* a span ends where its length says */
    {"a/", "/a", 1},
};

static struct span row_span(const char *text, size_t length)
{
    return (struct span){text, length ? length : strlen(text)};
}

START_TEST(keys_are_escaped_and_come_back)
    {
        AUTO(text) struct text pointer = {0}, token = {0};
        struct span key = row_span(key_rows[_i].key, key_rows[_i].length);
        struct error err = {0};

        pointer_add_key(&pointer, key);
        if (key_rows[_i].length)
            ck_assert_mem_eq(text_get(&pointer), key_rows[_i].token, pointer.length);
        else
            ck_assert_str_eq(text_get(&pointer), key_rows[_i].token);
        pointer_add_index(&pointer, 12);

        struct span rest = {text_get(&pointer), pointer.length};

        ck_assert(pointer_token(&rest, &token, &err));
        ck_assert_uint_eq(token.length, key.length);
        ck_assert_mem_eq(text_get(&token), key.data, key.length);
        ck_assert(pointer_token(&rest, &token, &err));
        ck_assert_str_eq(text_get(&token), "12");
        ck_assert(!pointer_token(&rest, &token, &err));
        ck_assert_int_eq(err.code, ERROR_NONE);
        ck_assert_uint_eq(rest.length, 0);
    }
END_TEST

static const struct {
    const char *pointer, *message;
} malformed_rows[] = {
    {"a", "a JSON pointer begins with \"/\" or is empty"},
    {"~0", "a JSON pointer begins with \"/\" or is empty"},
    {"/~", "\"~\" without 0 or 1 in a JSON pointer"},
    {"/a~/", "\"~\" without 0 or 1 in a JSON pointer"},
    {"/~2", "\"~\" without 0 or 1 in a JSON pointer"},
    {"/~0~", "\"~\" without 0 or 1 in a JSON pointer"},
    {"/~~0", "\"~\" without 0 or 1 in a JSON pointer"},
};

START_TEST(malformed_pointers_say_why)
    {
        AUTO(text) struct text token = {0};
        struct span rest = span_of(malformed_rows[_i].pointer);
        struct error err = {0};

        ck_assert(!pointer_token(&rest, &token, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
        ck_assert_str_eq(err.message, malformed_rows[_i].message);
    }
END_TEST

START_TEST(indexes_that_are_none_leave_the_output)
    {
        size_t index = 7;

        ck_assert(!pointer_index((struct span){0}, &index));
        ck_assert(!pointer_index(span_of("01"), &index));
        ck_assert(!pointer_index((struct span){"1\0", 2}, &index));
        ck_assert(!pointer_index(span_of("1000000000000000000"), &index));
        ck_assert_uint_eq(index, 7);
        ck_assert(pointer_index(span_of("999999999999999999"), &index));
        ck_assert_uint_eq(index, 999999999999999999u);
        ck_assert(pointer_index(span_of("0"), &index));
        ck_assert_uint_eq(index, 0);
    }
END_TEST

SUITE(pointer)
{
    suite_rows(tests, get, get_rows);
    tcase_add_test(tests, the_empty_pointer_is_the_document);
    suite_rows(tests, keys_are_escaped_and_come_back, key_rows);
    suite_rows(tests, malformed_pointers_say_why, malformed_rows);
    tcase_add_test(tests, indexes_that_are_none_leave_the_output);
}
