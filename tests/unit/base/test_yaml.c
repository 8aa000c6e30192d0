#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* All documents of a text as one list of compact JSON, or "code message". */
static char *outcome(struct span text, struct text *warnings)
{
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {0};

    if (!yaml_read(&yaml, text, warnings, &err)) {
        ck_assert_uint_eq(yaml.count, 0);
        return text_format("%d %s", err.code, err.message);
    }

    AUTO(json) json_t *list = json_array();

    for (size_t i = 0; i < yaml.count; i++)
        tree_push_new(list, tree_share(yaml.documents[i].value));
    return tree_format(list, NULL);
}

/* What is read, one row for each construct of YAML 1.2 (Y8). */
static const struct {
    const char *yaml, *json;
} read_rows[] = {
    /* documents */
    {"", "[]"},
    {"# only a remark\n", "[]"},
    {"---\n...\n---\n", "[]"},
    {"null\n--- ~\n", "[]"},
    {"a: 1", "[{'a':1}]"},
    {"--- a\n--- b\n...\n", "['a','b']"},
    {"a: 1\n---\n# nothing\n---\nb: 2\n", "[{'a':1},{'b':2}]"},
    {"%YAML 1.2\n---\na: 1\n", "[{'a':1}]"},
    {"%YAML 1.1\n---\na: 1\n", "[{'a':1}]"},
    {"\xef\xbb\xbf"
     "a: 1\n",
     "[{'a':1}]"},
    /* block collections */
    {"a:\n  b: 1\n  c:\n  - x\n  - w: 2\n    z: 3\n", "[{'a':{'b':1,'c':['x',{'w':2,'z':3}]}}]"},
    {"- - 1\n  - 2\n-\n  - 3\n- \n", "[[[1,2],[3],null]]"},
    {"? a\n: 1\n? b\n", "[{'a':1,'b':null}]"},
    {"a:\nb: # remark\n  1\n", "[{'a':null,'b':1}]"},
    {"a: 1\r\nb: 2\r\n", "[{'a':1,'b':2}]"},
    {"a: 1\rb: 2\r", "[{'a':1,'b':2}]"},
    /* flow collections, JSON */
    {"{a: 1, 'b': [x, \"y\", {}, []], c}", "[{'a':1,'b':['x','y',{},[]],'c':null}]"},
    {"[a: 1, b]", "[[{'a':1},'b']]"},
    {"{\"a\":1,\"b\":[true,null,-0.5],}", "[{'a':1,'b':[true,null,-0.5]}]"},
    {"{\n\t\"a\": [\n\t\t1\n\t]\n}\n", "[{'a':[1]}]"},
    {"[\"\\/\\b\\f\\n\\r\\t\\\"\\\\\\u00e9\"]", "[['/\\b\\f\\n\\r\\t\\\"\\\\\xc3\xa9']]"},
    /* plain, quoted, block scalars */
    {"a: one\n  two\n\n  three\n", "[{'a':'one two\\nthree'}]"},
    {"a: b#c:d\n", "[{'a':'b#c:d'}]"},
    {"a: 'it''s # no: remark'\n", "[{'a':'it\\u0027s # no: remark'}]"},
    {"a: \"x\\\n  y\\x41\\u0042\\U00000043\\e\\0\"\n", "[{'a':'xyABC\\u001b\\u0000'}]"},
    {"a: |\n  x\n   y\n\n  z\n", "[{'a':'x\\n y\\n\\nz\\n'}]"},
    {"a: |-\n  x\n\nb: |+\n  y\n\n", "[{'a':'x','b':'y\\n\\n'}]"},
    {"a: |2\n   x\nb: >\n  one\n  two\n\n  three\n", "[{'a':' x\\n','b':'one two\\nthree\\n'}]"},
    {"a: |\n  x\n  \ttab\n", "[{'a':'x\\n\\ttab\\n'}]"},
    {"[1 2]", "[['1 2']]"},
    {"$(X): --flag=*\n", "[{'$(X)':'--flag=*'}]"},
    /* core schema */
    {"[null, Null, NULL, ~, '', nUll]", "[[null,null,null,null,'','nUll']]"},
    {"[true, True, TRUE, tRUE]", "[[true,true,true,'tRUE']]"},
    {"[false, False, FALSE, 'false']", "[[false,false,false,'false']]"},
    {"[0, -0, +12, -19, 9223372036854775807, -9223372036854775808]",
     "[[0,0,12,-19,9223372036854775807,-9223372036854775808]]"},
    {"[0o17, 0x1F, 0xff, 0o8, 0x, 0xG]", "[[15,31,255,'0o8','0x','0xG']]"},
    {"[0., -.5, +1.25, 1e3, 1E-2, 12e03, 1e-400]", "[[0.0,-0.5,1.25,1000.0,0.01,12000.0,0.0]]"},
    {"[., +, e3, 1e, 1e+, 1.2.3, 10.0.0.1, 1Gi]",
     "[['.','+','e3','1e','1e+','1.2.3','10.0.0.1','1Gi']]"},
    {"[0899, 00.5]", "[[899,0.5]]"},
    {"['1', \"2\", 12:30:45, 2001-12-14, 2001-12-14T21:59:43Z]",
     "[['1','2','12:30:45','2001-12-14','2001-12-14T21:59:43Z']]"},
    {"a: =\nb: <<\n", "[{'a':'=','b':'<<'}]"},
    /* core tags */
    {"[!!str 5, ! 6, !!int \"7\", !!int 0x8, !!float 9, !!float 0o17, !!bool 'true', !!null '']",
     "[['5','6',7,8,9.0,15.0,true,null]]"},
    {"!!map {a: !!seq [!<tag:yaml.org,2002:str> 1]}", "[{'a':['1']}]"},
    {"%TAG !y! tag:yaml.org,2002:\n--- !y!str 1\n", "['1']"},
    {"!!str true: 1\n", "[{'true':1}]"},
    {"'1': a\n\"null\": b\n'<<': c\n", "[{'1':'a','<<':'c','null':'b'}]"},
    /* JSON's pairs of escapes, and what only looks like them */
    {"{\"\\ud83d\\ude00\": [\"x\\uD83D\\uDE01\\\\ud83d\", \"\\ud83d\\ude00\"]}",
     "[{'\xf0\x9f\x98\x80':['x\xf0\x9f\x98\x81\\\\ud83d','\xf0\x9f\x98\x80']}]"},
    {"{a: '\\ud83d\\ude00', b: c\"\\ud83d\\ude00\"}",
     "[{'a':'\\\\ud83d\\\\ude00','b':'c\\\"\\\\ud83d\\\\ude00\\\"'}]"},
    {"[true\"\\ud83d\\ude00\"]", "[['true\\\"\\\\ud83d\\\\ude00\\\"']]"},
};

START_TEST(reads)
    {
        AUTO(text) struct text warnings = {0};
        AUTO(free) char *json = outcome(span_of(read_rows[_i].yaml), &warnings);
        AUTO(json) json_t *wanted = json_row(read_rows[_i].json);
        AUTO(json) json_t *got = json_loads(json, JSON_ALLOW_NUL, NULL);

        ck_assert_msg(tree_equal(got, wanted), "%s\nis read as %s", read_rows[_i].yaml, json);
        ck_assert_str_eq(text_get(&warnings), "");
    }
END_TEST

/* What kubectl reads otherwise (Y6): the norway rows. */
#define BOOLEAN "is a string here and a boolean for kubectl (YAML 1.1): put it in quotes\n"
#define NUMBER "is a string here and a number for kubectl (YAML 1.1): put it in quotes\n"
#define OCTAL "is read as an octal number, as kubectl does: write it with 0o or in decimal\n"

static const struct {
    const char *yaml, *json, *warnings;
} remark_rows[] = {
    {"- no\n", "[[\"no\"]]", "1:3: \"no\" " BOOLEAN},
    {"a:\n  on: Yes\n", "[{\"a\":{\"on\":\"Yes\"}}]",
     "2:3: \"on\" " BOOLEAN "2:7: \"Yes\" " BOOLEAN},
    {"[y, N, Off]", "[[\"y\",\"N\",\"Off\"]]",
     "1:2: \"y\" " BOOLEAN "1:5: \"N\" " BOOLEAN "1:8: \"Off\" " BOOLEAN},
    {"['no', \"on\", !!str off, nO, yEs, none]",
     "[[\"no\",\"on\",\"off\",\"nO\",\"yEs\",\"none\"]]", ""},
    {"mode: 0644\n", "[{\"mode\":420}]", "1:7: \"0644\" " OCTAL},
    {"- -017\n- 00\n", "[[-15,0]]", "1:3: \"-017\" " OCTAL "2:3: \"00\" " OCTAL},
    {"[1_000, 0b11, -0x1F, 0X1F, 1_0.5]", "[[\"1_000\",\"0b11\",\"-0x1F\",\"0X1F\",\"1_0.5\"]]",
     "1:2: \"1_000\" " NUMBER "1:9: \"0b11\" " NUMBER "1:15: \"-0x1F\" " NUMBER
     "1:22: \"0X1F\" " NUMBER "1:28: \"1_0.5\" " NUMBER},
    {"[0B11, 0O17, 0o1_7]", "[[\"0B11\",\"0O17\",\"0o1_7\"]]",
     "1:2: \"0B11\" " NUMBER "1:8: \"0O17\" " NUMBER "1:14: \"0o1_7\" " NUMBER},
    {"[_1, a_1, 0b12, _, 0xG]", "[[\"_1\",\"a_1\",\"0b12\",\"_\",\"0xG\"]]", ""},
};

START_TEST(remarks)
    {
        AUTO(text) struct text warnings = {0};
        AUTO(free) char *json = outcome(span_of(remark_rows[_i].yaml), &warnings);

        ck_assert_str_eq(json, remark_rows[_i].json);
        ck_assert_str_eq(text_get(&warnings), remark_rows[_i].warnings);
    }
END_TEST

START_TEST(remarks_are_bounded)
    {
        AUTO(text) struct text text = {0}, warnings = {0};

        for (int i = 0; i < 1000; i++)
            text_puts(&text, "- no\n");

        AUTO(free) char *json = outcome((struct span){text.data, text.length}, &warnings);

        ck_assert_int_eq(json[0], '[');
        ck_assert_ptr_nonnull(strstr(text_get(&warnings), "\n100:3: "));
        ck_assert_ptr_null(strstr(text_get(&warnings), "\n101:3: "));
    }
END_TEST

static const struct {
    const char *yaml, *message;
} refusal_rows[] = {
    /* Y1: aliases, also those that hold themselves */
    {"a: &x [1, 1]\nb: &y [*x, *x]\n", "422 1:4: anchors and aliases"},
    {"a: *x\n", "422 1:4: anchors and aliases"},
    {"&x [*x]\n", "422 1:1: anchors and aliases"},
    {"&x a: 1\n", "422 1:1: anchors and aliases"},
    /* Y5: duplicate keys, also after unescaping */
    {"a: 1\nb: 2\na: 3\n", "422 3:1: duplicate key \"a\" (first at 1:1)"},
    {"x:\n- {k: 1, \"\\x6b\": 2}\n", "422 2:10: duplicate key \"k\" (first at 2:4)"},
    {"{\"a\":1,\"\\u0061\":2}", "422 1:8: duplicate key \"a\" (first at 1:2)"},
    /* Y6: merge keys, tags, keys that are no strings */
    {"<<: {a: 1}\n", "422 1:1: merge keys"},
    {"a: !!python/object:os.system x\n", "422 1:4: tag \"!!python/object:os.system\""},
    {"a: !mine x\n", "422 1:4: tag \"!mine\""},
    {"a: !!binary aGk=\n", "422 1:4: tag \"!!binary\""},
    {"!!set {a}\n", "422 1:1: tag \"!!set\""},
    {"!!seq {a: 1}\n", "422 1:1: tag \"!!seq\""},
    {"!!map [1]\n", "422 1:1: tag \"!!map\""},
    {"!!map x\n", "422 1:1: tag \"!!map\""},
    {"!!int x\n", "422 1:1: tag \"!!int\""},
    {"!!int 1.5\n", "422 1:1: tag \"!!int\""},
    {"!!bool yes\n", "422 1:1: tag \"!!bool\""},
    {"!unknown!x 1\n", "422 1:1: found undefined tag handle"},
    {"1: x\n", "422 1:1: a key must be a string: put 1 in quotes"},
    {"a: {true: x}\n", "422 1:5: a key must be a string: put true in quotes"},
    {"null: x\n", "422 1:1: a key must be a string: put null in quotes"},
    {"0.5: x\n", "422 1:1: a key must be a string: put 0.5 in quotes"},
    {"? [a]\n: b\n", "422 1:3: a key must be a string"},
    {"{{a: b}: c}\n", "422 1:2: a key must be a string"},
    {": x\n", "422 1:1: "},
    /* numbers that a tree can not hold */
    {"a: 9223372036854775808\n", "422 1:4: 9223372036854775808 does not fit"},
    {"a: -9223372036854775809\n", "422 1:4: -9223372036854775809 does not fit"},
    {"a: 0x8000000000000000\n", "422 1:4: 0x8000000000000000 does not fit"},
    {"a: 1e400\n", "422 1:4: 1e400 is no number"},
    {"a: .inf\n", "422 1:4: .inf is no number"},
    {"a: -.Inf\n", "422 1:4: -.Inf is no number"},
    {"a: .NaN\n", "422 1:4: .NaN is no number"},
    /* tabs */
    {"a:\n\tb: 1\n", "422 2:1: a tab can not indent"},
    {"a:\n  b: 1\n\tc: 2\n", "422 3:1: a tab can not indent"},
    /* libyaml's own limit: YAML 1.2 has no indentation here, so the tab would be text */
    {"a: |\n  \ttab\n", "422 2:3: a tab can not indent"},
    /* encodings and characters */
    {"\xff\xfe"
     "a",
     "422 1:1: the text is UTF-16"},
    {"\xfe\xff\x30", "422 1:1: the text is UTF-16"},
    {"a: \xff\n", "422 1:4: invalid leading UTF-8 octet (0xFF)"},
    {"a:\r\n  \xc3\xa9\xc0\xaf\n", "422 2:4: "},
    {"a: \xed\xa0\x80\n", "422 1:4: "},
    {"a: \xc3", "422 1:4: "},
    {"a: \x1b[31m\n", "422 1:4: control characters are not allowed (0x1B)"},
    {"a: \x7f\n", "422 1:4: control characters"},
    {"\"a\\0\": 1\n", "422 1:1: a key can not hold NUL"},
    {"a: \"x\xc2\x85y\"\n", "422 1:6: a line break of YAML 1.1"},
    {"a: 1\nb: \xe2\x80\xa8\n", "422 2:4: a line break of YAML 1.1"},
    {"a: \xe2\x80\xa9", "422 1:4: a line break of YAML 1.1"},
    {"[\"\\ud83d\"]", "422 1:5: found invalid Unicode character"},
    {"[\"\\ud83d\\u0041\"]", "422 1:5: found invalid Unicode character"},
    {"[\"\\ude00\\ud83d\"]", "422 1:5: found invalid Unicode character"},
    /* syntax */
    {"a: b: c\n", "422 1:5: mapping values are not allowed"},
    {"a: [1, 2\n", "422 2:1: did not find expected ',' or ']'"},
    {"{a: 1\n", "422 2:1: did not find expected ',' or '}'"},
    {"a: \"x\n", "422 2:1: found unexpected end of stream"},
    {"a: 'x", "422 1:6: found unexpected end of stream"},
    {"a: \"\\q\"\n", "422 1:5: found unknown escape character"},
    {"- a\nb: 1\n", "422 2:1: did not find expected '-' indicator"},
    {"a:\n  - b\n - c\n", "422 3:2: did not find expected key"},
    {"a: @x\n", "422 1:4: found character that cannot start any token"},
    {"a: */5 * * * *\n", "422 1:5: did not find expected alphabetic or numeric"},
    {"a: %x\n", "422 1:4: "},
    {"%YAML 1.3\n---\na\n", "422 1:1: found incompatible YAML document"},
    {"%FOO\n---\na\n", "422 1:5: found unknown directive name"},
    {"{\"a\":1}x\n", "422 1:8: "},
    {"{\"a\":1}\n{\"b\":2}\n", "422 2:1: "},
    {"a: |x\n", "422 1:5: "},
    {"[\"\\", "422 1:3: "},
    {"[\"\\ud8", "422 1:5: "},
    {"[\"\\ud83d\\ude00", "422 1:13: found unexpected end"},
};

START_TEST(refuses)
    {
        AUTO(free) char *message = outcome(span_of(refusal_rows[_i].yaml), NULL);

        ck_assert_msg(
            strncmp(message, refusal_rows[_i].message, strlen(refusal_rows[_i].message)) == 0,
            "%s\nis read as %s, not %s", refusal_rows[_i].yaml, message, refusal_rows[_i].message);
    }
END_TEST

/* Bounds. Each text is made of a piece that is repeated, between a start and an end. */
static const struct {
    const char *what, *start, *piece, *end;
    size_t count;
    const char *outcome; /* how it begins */
} bound_rows[] = {
    /* Y2: libyaml alone takes a minute for this one */
    {"brackets", "", "[", "", 200000, "413 1:65: more than 64 levels"},
    {"braces", "", "{\"a\":", "", 200000, "413 1:321: more than 64 levels"},
    {"keys in brackets", "", "[a: ", "", 200000, "413 1:129: more than 64 levels"},
    /* Y3 */
    {"dashes", "", "- ", "", 100000, "413 1:129: more than 64 levels"},
    {"questions", "", "? ", "", 100000, "422 1:3: a key must be a string"},
    {"colons", "", ": ", "", 100000, "422 1:1: "},
    /* Y4 */
    {"anchors", "", "- &a x\n", "", 30000, "422 1:3: anchors and aliases"},
    /* Y7: bytes */
    {"bytes", "#", "x", "", YAML_MAX_BYTES - 1, "[]"},
    {"a byte too much", "#", "x", "", YAML_MAX_BYTES, "413 1:1: more than 1048576 bytes"},
    /* nodes */
    {"values", "[", "1,", "]", YAML_MAX_NODES - 1, "[["},
    {"a value too much", "[", "1,", "]", YAML_MAX_NODES, "413 1:200000: more than 100000 values"},
    {"documents", "", "--- a\n", "", 100000, "["},
    {"a document too much", "", "--- a\n", "", 100001, "413 100001:5: more than 100000 values"},
    {"empty documents", "", "---\n", "", 200000, "413 100002:1: more than 100000 values"},
    {"directives", "", "%TAG !a! x\n", "--- a\n", 64, "422 2:1: found duplicate %TAG"},
    {"a directive too much", "", "%TAG !a! x\n", "--- a\n", 65, "413 65:1: more than 64 direct"},
    /* what is long, but not deep */
    {"one long word", "", "a", "", 1000000, "[\"aaaa"},
    {"one word on many lines", "", "a\n", "", 500000, "[\"a a a"},
    {"one text on many lines", "\"", "a\n\n", "\"", 300000, "[\"a\\na\\na"},
    {"quotes", "'", "''", "'", 500000, "[\"''''"},
    {"escapes", "\"", "\\n", "\"", 500000, "[\"\\n\\n"},
    {"block", "a: |\n", "  x\n", "", 250000, "[{\"a\":\"x\\nx\\n"},
    {"blanks", "a", " ", "b", 1000000, "[\"a      "},
    {"empty lines", "a: b", "\n", "", 1000000, "[{\"a\":\"b\"}]"},
    {"lines of comment", "", "#\n", "", 500000, "[]"},
    {"a long tag", "!", "a", " x", 1000000, "422 1:1: tag \"!aaaa"},
    {"an escaped tag", "!<", "%41", "> x", 300000, "422 1:1: tag \"AAAA"},
    {"pairs of escapes", "[\"", "\\ud83d\\ude00", "\"]", 80000, "[[\"\xf0\x9f\x98\x80\xf0"},
};

START_TEST(bounds)
    {
        AUTO(text) struct text text = {0};
        struct timespec start, end;

        text_puts(&text, bound_rows[_i].start);
        for (size_t i = 0; i < bound_rows[_i].count; i++)
            text_puts(&text, bound_rows[_i].piece);
        text_puts(&text, bound_rows[_i].end);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);

        AUTO(free) char *got = outcome((struct span){text.data, text.length}, NULL);

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        ck_assert_msg(strncmp(got, bound_rows[_i].outcome, strlen(bound_rows[_i].outcome)) == 0,
                      "%s: %.100s", bound_rows[_i].what, got);
        /* usually a tenth of a second; what is quadratic takes minutes */
        ck_assert_int_lt(end.tv_sec - start.tv_sec, 20);
    }
END_TEST

START_TEST(levels_are_counted)
    {
        AUTO(text) struct text text = {0};

        for (unsigned i = 0; i < YAML_MAX_DEPTH; i++)
            text_putc(&text, '[');

        size_t open = text.length;

        for (unsigned i = 0; i < YAML_MAX_DEPTH; i++)
            text_putc(&text, ']');

        AUTO(free) char *full = outcome((struct span){text.data, text.length}, NULL);

        ck_assert_int_eq(full[0], '[');
        text.data[open] = '[';

        AUTO(free) char *over = outcome((struct span){text.data, text.length}, NULL);

        ck_assert_str_eq(over, "413 1:65: more than 64 levels of nesting");
    }
END_TEST

/* 40,000 keys in one map, each looked up when it is added. */
START_TEST(many_keys)
    {
        AUTO(text) struct text text = {0};

        for (int i = 0; i < 40000; i++)
            text_addf(&text, "key%d: 1\n", i);

        AUTO(free) char *got = outcome((struct span){text.data, text.length}, NULL);

        ck_assert_int_eq(got[0], '[');
        text_puts(&text, "key0: 1\n");

        AUTO(free) char *again = outcome((struct span){text.data, text.length}, NULL);

        ck_assert_str_eq(again, "422 40001:1: duplicate key \"key0\" (first at 1:1)");
    }
END_TEST

/* A text may hold NUL, and need not end in one. */
START_TEST(bytes_are_counted)
    {
        AUTO(free) char *nul = outcome((struct span){"a: b\0c", 6}, NULL);
        AUTO(free) char *cut = outcome((struct span){"a: bcd", 4}, NULL);
        AUTO(free) char *absent = outcome((struct span){0}, NULL);

        ck_assert_str_eq(nul, "422 1:5: control characters are not allowed (0x00)");
        ck_assert_str_eq(cut, "[{\"a\":\"b\"}]");
        ck_assert_str_eq(absent, "[]");
    }
END_TEST

/* Cut anywhere, a text is read or refused (each copy has the exact size, for sanitizers). */
START_TEST(cut_texts)
    {
        static const char text[] = "%YAML 1.2\n---\na: [x, 'y', \"\\u00e9\", {b: !!str c}]\n"
                                   "d: |2-\n   e\n? f\n: >+\n  g\n\n\xc3\xa9: # h\n...\n--- i\n";

        for (size_t i = 0; i < sizeof text; i++) {
            AUTO(free) char *copy = malloc(i);

            ck_assert(copy != NULL || i == 0);
            memcpy(copy, text, i);

            AUTO(free) char *got = outcome((struct span){copy, i}, NULL);

            ck_assert(got[0] == '[' || strncmp(got, "422 ", 4) == 0);
        }
    }
END_TEST

SUITE(base_yaml)
{
    suite_rows(tests, reads, read_rows);
    suite_rows(tests, remarks, remark_rows);
    tcase_add_test(tests, remarks_are_bounded);
    suite_rows(tests, refuses, refusal_rows);
    suite_rows(tests, bounds, bound_rows);
    tcase_add_test(tests, levels_are_counted);
    tcase_add_test(tests, many_keys);
    tcase_add_test(tests, bytes_are_counted);
    tcase_add_test(tests, cut_texts);
}
