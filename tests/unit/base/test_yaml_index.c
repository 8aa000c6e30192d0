#include "base/auto.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "tests/unit/suite.h"

static const char *const placed = "# first\n"
                                  "kind: X\n"
                                  "metadata:\n"
                                  "  annotations:\n"
                                  "    stash.appscode.com/schedule: x\n"
                                  "    a/b: {~c: 1}\n"
                                  "    \"a].b\": 2\n"
                                  "spec:\n"
                                  "  target:\n"
                                  "    rules:\n"
                                  "    - paths: [/a, /b]\n"
                                  "    -\n"
                                  "      snapshots:\n"
                                  "      - one\n"
                                  "  \xc3\xa9: {\"0\": x, \"1\": z}\n";

static void read_placed(struct yaml *yaml)
{
    struct error err = {0};

    ck_assert_msg(yaml_read(yaml, span_of(placed), NULL, &err), "%s", err.message);
    ck_assert_uint_eq(yaml->count, 1);
}

static const struct {
    const char *field;
    unsigned line, column;
} field_rows[] = {
    {"", 2, 1},
    {"kind", 2, 1},
    {"metadata", 3, 1},
    {"metadata.annotations[stash.appscode.com/schedule]", 5, 5},
    {"metadata.annotations[a/b][~c]", 6, 11},
    {"metadata.annotations[a].b]", 4, 3}, /* ambiguous: ends at the first bracket */
    {"spec.target.rules", 10, 5},
    {"spec.target.rules[0]", 11, 7},
    {"spec.target.rules[0].paths[1]", 11, 19},
    {"spec.target.rules[1]", 13, 7},
    {"spec.target.rules[1].snapshots[0]", 14, 9},
    {"spec.\xc3\xa9", 15, 3},
    {"spec.\xc3\xa9[1]", 15, 15}, /* a key of digits; the column in characters */
    /* what is not there: the nearest that is */
    {"spec.target.rules[1].snapshots[1]", 13, 7},
    {"spec.target.rules[2].snapshots", 10, 5},
    {"spec.target.rules[00]", 10, 5},
    {"spec.target.rules[99999999999999999999]", 10, 5},
    {"spec.target.rules.paths", 10, 5},
    {"spec.target.ref.name", 9, 3},
    {"status", 2, 1},
    {"kind.x", 2, 1},
    {"kind[0]", 2, 1},
    /* what is no path */
    {"spec..target", 8, 1},
    {".spec.target", 9, 3},
    {"spec.target[", 9, 3},
    {"spec.target]", 8, 1},
    {"spec.target.rules[", 10, 5},
    {"spec.target.rules[0", 10, 5},
    {"spec.target.rules[]", 10, 5},
    {"[", 2, 1},
    {".", 2, 1},
};

START_TEST(fields)
    {
        AUTO(yaml) struct yaml yaml = {0};

        read_placed(&yaml);

        struct yaml_place place = yaml_locate_field(&yaml.documents[0], field_rows[_i].field);

        ck_assert_uint_eq(place.line, field_rows[_i].line);
        ck_assert_uint_eq(place.column, field_rows[_i].column);
    }
END_TEST

static const struct {
    const char *pointer;
    unsigned line, column;
} pointer_rows[] = {
    {"", 2, 1},
    {"/metadata/annotations/a~1b/~0c", 6, 11},
    {"/metadata/annotations/a].b", 7, 5},
    {"/spec/target/rules/0/paths/0", 11, 15},
    {"/spec/target/rules/1/snapshots/0", 14, 9},
    {"/spec/target/rules/-", 10, 5},
    {"/spec/target/rules/2", 10, 5},
    {"/spec/none/x", 8, 1},
    {"spec", 2, 1},
    {"/spec/~2", 8, 1},
    {"/", 2, 1},
};

START_TEST(pointers)
    {
        AUTO(yaml) struct yaml yaml = {0};

        read_placed(&yaml);

        struct yaml_place place = yaml_locate(&yaml.documents[0], pointer_rows[_i].pointer);

        ck_assert_uint_eq(place.line, pointer_rows[_i].line);
        ck_assert_uint_eq(place.column, pointer_rows[_i].column);
    }
END_TEST

START_TEST(elements_keep_their_places)
    {
        AUTO(yaml) struct yaml elements = {0};
        struct error err = {0};

        {
            AUTO(yaml) struct yaml yaml = {0};

            ck_assert(yaml_read(&yaml, span_of("x: 1\nitems:\n- a: [1,\n    2]\n- 5\n- {b: c}\n"),
                                NULL, &err));
            yaml_elements(&yaml.documents[0], "items", &elements);
        }
        ck_assert_uint_eq(elements.count, 3);
        ck_assert_uint_eq(yaml_locate(&elements.documents[0], "/a/1").line, 4);
        ck_assert_uint_eq(yaml_locate(&elements.documents[0], "/b").line, 3);
        ck_assert_uint_eq(elements.documents[1].place.line, 5);
        ck_assert_int_eq(json_integer_value(elements.documents[1].value), 5);
        ck_assert_uint_eq(yaml_locate_field(&elements.documents[2], "b").column, 4);
    }
END_TEST

static const struct {
    const char *yaml;
} no_list_rows[] = {{"x: 1"}, {"items: {a: b}"}, {"items: []"}, {"[items]"}, {"items"}};

START_TEST(no_elements)
    {
        AUTO(yaml) struct yaml yaml = {0}, elements = {0};
        struct error err = {0};

        ck_assert(yaml_read(&yaml, span_of(no_list_rows[_i].yaml), NULL, &err));
        yaml_elements(&yaml.documents[0], "items", &elements);
        ck_assert_uint_eq(elements.count, 0);
    }
END_TEST

/* The places are those of the text, whatever became of the tree. */
START_TEST(edited_documents)
    {
        AUTO(yaml) struct yaml yaml = {0}, elements = {0};
        struct error err = {0};

        ck_assert(yaml_read(&yaml, span_of("items:\n- 1\n- 2\n"), NULL, &err));
        json_array_append_new(json_object_get(yaml.documents[0].value, "items"), json_integer(3));
        yaml_elements(&yaml.documents[0], "items", &elements);
        ck_assert_uint_eq(elements.count, 2);
        json_object_clear(yaml.documents[0].value);
        ck_assert_uint_eq(yaml_locate(&yaml.documents[0], "/items/1").line, 3);
    }
END_TEST

/* A document that nobody read has no places, and none to lose. */
START_TEST(documents_without_places)
    {
        const struct yaml_document document = {.place = {7, 8}};

        ck_assert_uint_eq(yaml_locate(&document, "/a").line, 7);
        ck_assert_uint_eq(yaml_locate_field(&document, "a").column, 8);
    }
END_TEST

SUITE(base_yaml_index)
{
    suite_rows(tests, fields, field_rows);
    suite_rows(tests, pointers, pointer_rows);
    tcase_add_test(tests, elements_keep_their_places);
    suite_rows(tests, no_elements, no_list_rows);
    tcase_add_test(tests, edited_documents);
    tcase_add_test(tests, documents_without_places);
}
