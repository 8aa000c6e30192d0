#include "base/auto.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *json, *yaml;
} write_rows[] = {
    {"{}", "{}\n"},
    {"[]", "[]\n"},
    {"null", "null\n"},
    {"'x'", "x\n"},
    {"'x\\ny'", "|-\n  x\n  y\n"},
    {"[1, -2, 9223372036854775807, true, false, null, {}, []]",
     "- 1\n- -2\n- 9223372036854775807\n- true\n- false\n- null\n- {}\n- []\n"},
    {"[0.5, 1.0, -0.0, 1e300, 0.1, 1e-7]", "- 0.5\n- 1.0\n- -0.0\n- 1e+300\n- 0.1\n- 1e-07\n"},
    {"[[1, [2]], [{'a': [[]]}]]", "- - 1\n  - - 2\n- - a:\n    - []\n"},
    {"{'a': {'b': [{'c': 1, 'd': {'e': 2}}], 'f': {}}}",
     "a:\n  b:\n  - c: 1\n    d:\n      e: 2\n  f: {}\n"},
    /* what tells most comes first */
    {"{'status': 1, 'b': 2, 'spec': 3, 'a': 4, 'metadata': 5, 'kind': 6, 'apiVersion': 7}",
     "apiVersion: 7\nkind: 6\nmetadata: 5\nspec: 3\nb: 2\na: 4\nstatus: 1\n"},
    /* plain where nothing can be mistaken */
    {"['nginx:1.25', '10Gi', '500m', '--flag=x', '-c', '/data', '$(X)', 'a b', 'it\\u0027s']",
     "- nginx:1.25\n- 10Gi\n- 500m\n- --flag=x\n- -c\n- /data\n- $(X)\n- a b\n- it's\n"},
    {"['a#b', 'x:y', '\xc3\xa9t\xc3\xa9', 'apps/v1', 'a, b', 'none', 'a\\u0022b', '+', '.']",
     "- a#b\n- x:y\n- \xc3\xa9t\xc3\xa9\n- apps/v1\n- a, b\n- none\n- a\"b\n- +\n- .\n"},
    /* what some YAML reads otherwise */
    {"['', '~', 'null', 'true', 'False', 'yes', 'No', 'on', 'y', 'N', '=', '<<']",
     "- \"\"\n- \"~\"\n- \"null\"\n- \"true\"\n- \"False\"\n- \"yes\"\n- \"No\"\n- \"on\"\n- "
     "\"y\"\n"
     "- \"N\"\n- \"=\"\n- \"<<\"\n"},
    {"['1', '-1', '0644', '0o7', '0x1F', '1.5', '1e3', '.5', '1_000', '0b1', '12:30:45']",
     "- \"1\"\n- \"-1\"\n- \"0644\"\n- \"0o7\"\n- \"0x1F\"\n- \"1.5\"\n- \"1e3\"\n- \".5\"\n"
     "- \"1_000\"\n- \"0b1\"\n- \"12:30:45\"\n"},
    {"['2001-12-14', '2001-12-14 21:59:43Z', '.inf', '.NaN', '-.inf', '-', '+0b1']",
     "- \"2001-12-14\"\n- \"2001-12-14 21:59:43Z\"\n- \".inf\"\n- \".NaN\"\n- \"-.inf\"\n- \"-\"\n"
     "- \"+0b1\"\n"},
    {"['*/5 * * * *', '@daily', '# x', 'a: b', 'a:', 'a #b', ' a', 'a ', '- a', '? a', '[x]']",
     "- \"*/5 * * * *\"\n- \"@daily\"\n- \"# x\"\n- \"a: b\"\n- \"a:\"\n- \"a #b\"\n- \" a\"\n"
     "- \"a \"\n- \"- a\"\n- \"? a\"\n- \"[x]\"\n"},
    {"['{x}', '&x', '!x', '|', '>', '%x', '`x`', '---', '--- x', '...', ',', ':x', '\\u0027x']",
     "- \"{x}\"\n- \"&x\"\n- \"!x\"\n- \"|\"\n- \">\"\n- \"%x\"\n- \"`x`\"\n- \"---\"\n- \"--- "
     "x\"\n"
     "- \"...\"\n- \",\"\n- \":x\"\n- \"'x\"\n"},
    /* quotes and backslashes are easier to read in single quotes */
    {"['\\u0022q\\u0022', '{\\u0022a\\u0022:\\u0027\\\\\\u0027}']",
     "- '\"q\"'\n- '{\"a\":''\\''}'\n"},
    /* what can not be seen */
    {"['a\\tb', '\\u0000\\u001b[31m\\u007f', 'x\\r', '\\u0085\\u00a0', '\\u2028\\u202e\\ufeff']",
     "- \"a\\tb\"\n- \"\\0\\x1B[31m\\x7F\"\n- \"x\\r\"\n- \"\\x85\xc2\xa0\"\n"
     "- \"\\u2028\\u202E\\uFEFF\"\n"},
    /* several lines */
    {"{'a': 'x\\n', 'b': 'x', 'c': 'x\\n\\n', 'd': ['x\\n  y\\n\\nz\\n', 'x\\n\\ty'], 'e': 1}",
     "a: |\n  x\nb: x\nc: |+\n  x\n\nd:\n- |\n  x\n    y\n\n  z\n- |-\n  x\n  \ty\ne: 1\n"},
    {"['\\n', '\\nx', ' x\\ny', '\\tx\\ny', 'x \\ny', 'x\\t\\ny', 'x\\r\\ny', 'x\\n ', 'x\\ny ']",
     "- \"\\n\"\n- \"\\nx\"\n- \" x\\ny\"\n- \"\\tx\\ny\"\n- \"x \\ny\"\n- \"x\\t\\ny\"\n"
     "- \"x\\r\\ny\"\n- \"x\\n \"\n- \"x\\ny \"\n"},
    {"['# x\\ny', '--- x\\n---', '%x\\n%y']",
     "- |-\n  # x\n  y\n- |-\n  --- x\n  ---\n- |-\n  %x\n  %y\n"},
    /* keys */
    {"{'1': 1, 'no': 2, '': 3, 'a: b': 4, '<<': 5, 'x\\ny': 6, '--- a': 7, 'a b': 8}",
     "\"1\": 1\n\"no\": 2\n\"\": 3\n\"a: b\": 4\n\"<<\": 5\n\"x\\ny\": 6\n\"--- a\": 7\na b: 8\n"},
};

/* What is written is read as the same tree, without a remark. */
static void must_come_back(const json_t *tree, const struct text *written)
{
    AUTO(yaml) struct yaml yaml = {0};
    AUTO(text) struct text warnings = {0};
    struct error err = {0};
    struct span text = {text_get(written), written->length};

    ck_assert_msg(yaml_read(&yaml, text, &warnings, &err), "%s\n%.500s", err.message,
                  text_get(written));
    ck_assert_uint_eq(yaml.count, json_is_null(tree) ? 0 : 1);
    if (yaml.count)
        ck_assert_msg(tree_equal(yaml.documents[0].value, tree), "%.500s", text_get(written));
    ck_assert_str_eq(text_get(&warnings), "");
    ck_assert_int_eq(text_get(written)[written->length - 1], '\n');
}

START_TEST(writes)
    {
        AUTO(json) json_t *tree = json_row(write_rows[_i].json);
        AUTO(text) struct text written = {0};

        yaml_write(&written, tree);
        ck_assert_str_eq(text_get(&written), write_rows[_i].yaml);
        must_come_back(tree, &written);
    }
END_TEST

/* Keys beyond 1,024 characters need another notation. */
START_TEST(writes_long_keys)
    {
        static const char *const values[] = {"5", "{'x': {'y': 1}}", "[1, [2]]", "'x\\ny\\n'",
                                             "{}"};
        AUTO(text) struct text key = {0}, written = {0};
        AUTO(json) json_t *tree = json_row("{'a': {'b': [1]}}");
        json_t *inner = json_object_get(tree, "a");

        while (key.length < 1200)
            text_putc(&key, 'k');
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            text_putc(&key, 'k');
            tree_put_new(inner, text_get(&key), json_row(values[i]));
            tree_put_new(tree, text_get(&key), json_row(values[i]));
        }
        yaml_write(&written, tree);
        must_come_back(tree, &written);
    }
END_TEST

/* A writer puts the separators; no text runs over into the next document. */
START_TEST(writes_several_documents)
    {
        AUTO(json) json_t *first = json_row("{'a': 'x\\n\\n'}");
        AUTO(json) json_t *second = json_row("['--- b']");
        AUTO(text) struct text written = {0};
        AUTO(yaml) struct yaml yaml = {0};
        struct error err = {0};

        yaml_write(&written, first);
        text_puts(&written, "---\n");
        yaml_write(&written, second);
        ck_assert(yaml_read(&yaml, (struct span){written.data, written.length}, NULL, &err));
        ck_assert_uint_eq(yaml.count, 2);
        ck_assert(tree_equal(yaml.documents[0].value, first));
        ck_assert(tree_equal(yaml.documents[1].value, second));
    }
END_TEST

SUITE(base_yaml_write)
{
    suite_rows(tests, writes, write_rows);
    tcase_add_test(tests, writes_long_keys);
    tcase_add_test(tests, writes_several_documents);
}
