#include "base/yaml.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/property/random.h"
#include "tests/unit/suite.h"

/* For the 10^6 of CI. */
#define TIMEOUT_S 3600

#define PIECES_MAX 6

/* Text made of what means something in YAML. */
static void add_hard_text(struct random *random, struct text *text, bool key)
{
    static const char *const pieces[] = {"a",
                                         "b",
                                         " ",
                                         "  ",
                                         "\n",
                                         "\n\n",
                                         "\t",
                                         ": ",
                                         ":",
                                         " #",
                                         "#",
                                         "- ",
                                         "-",
                                         "? ",
                                         "|",
                                         ">",
                                         "'",
                                         "\"",
                                         "\\",
                                         "*a",
                                         "&a",
                                         "!x",
                                         "%",
                                         "@",
                                         "`",
                                         "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         "0",
                                         "17",
                                         "e3",
                                         ".",
                                         "+",
                                         "_",
                                         "0x",
                                         "0o",
                                         "no",
                                         "y",
                                         "true",
                                         "null",
                                         "~",
                                         "=",
                                         "<<",
                                         "---",
                                         "...",
                                         "\r",
                                         "\r\n",
                                         "\x7f",
                                         "\xc2\x85",
                                         "\xe2\x80\xa8",
                                         "\xef\xbb\xbf",
                                         "\xc3\xa9",
                                         ".inf",
                                         "\x1b",
                                         "On",
                                         "2001-1-1",
                                         "1:2",
                                         "\xef\xbf\xbe",
                                         "\xf0\x9f\x98\x80"};

    for (size_t i = random_below(random, PIECES_MAX); i > 0; i--) {
        if (!key && random_often(random, 2))
            text_putc(text, '\0');
        text_puts(text, pieces[random_below(random, sizeof pieces / sizeof *pieces)]);
    }
}

static json_t *hard_value(struct random *random, unsigned depth)
{
    AUTO(text) struct text text = {0};
    json_t *value;

    if (depth == 0 || random_often(random, 30)) {
        add_hard_text(random, &text, false);
        return json_stringn(text_get(&text), text.length);
    }
    value = random_often(random, 50) ? json_array() : json_object();
    for (size_t i = random_below(random, 4); i > 0; i--) {
        if (json_is_array(value)) {
            tree_push_new(value, hard_value(random, depth - 1));
            continue;
        }
        text.length = 0;
        add_hard_text(random, &text, true);
        tree_put_new(value, text_get(&text), hard_value(random, depth - 1));
    }
    return value;
}

static json_t *any_value(struct random *random)
{
    switch (random_below(random, 3)) {
    case 0:
        return hard_value(random, 4);
    case 1:
        return random_tree(random, 4, 5);
    default:
        return random_workload(random);
    }
}

/* What is written is read as the same, and nobody else would read something else. */
static void comes_back(struct random *random)
{
    AUTO(json) json_t *tree = any_value(random);
    AUTO(text) struct text written = {0}, warnings = {0};
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {0};

    yaml_write(&written, tree);
    PROPERTY_MUST(random, yaml_read(&yaml, (struct span){text_get(&written), written.length},
                                    &warnings, &err));
    PROPERTY_MUST(random, yaml.count == !json_is_null(tree));
    PROPERTY_MUST(random, yaml.count == 0 || tree_equal(yaml.documents[0].value, tree));
    PROPERTY_MUST(random, warnings.length == 0);
}

START_TEST(writing_and_reading)
    {
        random_cases("yaml: what is written comes back", comes_back);
    }
END_TEST

/* JSON that other tools write, indented or not, ASCII only, is read as JSON. */
static void json_is_yaml(struct random *random)
{
    AUTO(json) json_t *list = json_array();
    size_t flags = JSON_ENSURE_ASCII | JSON_INDENT(random_below(random, 5));
    AUTO(text) struct text text = {0};
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {0};

    tree_push_new(list, any_value(random));

    AUTO(free) char *dump = json_dumps(list, flags);

    for (const char *c = dump; *c; c++)
        if (*c == 0x7f)
            text_puts(&text, "\\u007f"); /* raw, it is JSON but not YAML */
        else
            text_putc(&text, *c);
    PROPERTY_MUST(random,
                  yaml_read(&yaml, (struct span){text_get(&text), text.length}, NULL, &err));
    PROPERTY_MUST(random, yaml.count == 1 && tree_equal(yaml.documents[0].value, list));
}

START_TEST(reading_json)
    {
        random_cases("yaml: JSON is read as JSON", json_is_yaml);
    }
END_TEST

SUITE(property_yaml)
{
    tcase_set_timeout(tests, TIMEOUT_S);
    tcase_add_test(tests, writing_and_reading);
    tcase_add_test(tests, reading_json);
}
