#include "base/patch.h"

#include "base/auto.h"
#include "base/limits.h"
#include "base/pointer.h"
#include "base/tree.h"
#include "tests/unit/base/patch_rows.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * That every branch of patch_diff.c, patch_apply.c and pointer.c is taken shows
 *     make COVERAGE=1 check && gcovr -r . --object-directory build/coverage --branches \
 *         --filter 'base/(patch|pointer)'
 */

/*
 * patch_diff()
 */

static const struct {
    const char *before, *after, *patch;
} diff_rows[] = {
    /* nothing differs */
    {"{}", "{}", "[]"},
    {"{'a': [1, {'b': null}]}", "{'a': [1, {'b': null}]}", "[]"},
    {"{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", "[]"},
    /* members */
    {"{}", "{'a': null}", "[{'op': 'add', 'path': '/a', 'value': null}]"},
    {"{'a': null}", "{}", "[{'op': 'remove', 'path': '/a'}]"},
    {"{'a': 1}", "{'a': 2}", "[{'op': 'replace', 'path': '/a', 'value': 2}]"},
    {"{'a': {'b': 1, 'c': 2}}", "{'a': {'b': 1, 'd': 3}}",
     "[{'op': 'remove', 'path': '/a/c'}, {'op': 'add', 'path': '/a/d', 'value': 3}]"},
    /* a change of type replaces; null is a value */
    {"{'a': {}}", "{'a': []}", "[{'op': 'replace', 'path': '/a', 'value': []}]"},
    {"{'a': [1]}", "{'a': {'0': 1}}", "[{'op': 'replace', 'path': '/a', 'value': {'0': 1}}]"},
    {"{'a': null}", "{'a': {}}", "[{'op': 'replace', 'path': '/a', 'value': {}}]"},
    {"{'a': '1'}", "{'a': 1}", "[{'op': 'replace', 'path': '/a', 'value': 1}]"},
    {"{'a': true}", "{'a': false}", "[{'op': 'replace', 'path': '/a', 'value': false}]"},
    {"{'a': 1}", "{'a': 1.0}", "[{'op': 'replace', 'path': '/a', 'value': 1.0}]"},
    {"[]", "{}", "[{'op': 'replace', 'path': '', 'value': {}}]"},
    /* JP1: keys */
    {"{}", "{'stash.appscode.com/x': 'y'}",
     "[{'op': 'add', 'path': '/stash.appscode.com~1x', 'value': 'y'}]"},
    {"{'~1': 0, '~01': 0, '': 0, '-': 0, '01': 0, '\\u00e9': 0, '\\u0022': 0}",
     "{'~1': 1, '~01': 1, '': 1, '-': 1, '01': 1, '\\u00e9': 1, '\\u0022': 1}",
     "[{'op': 'replace', 'path': '/~01', 'value': 1},"
     " {'op': 'replace', 'path': '/~001', 'value': 1},"
     " {'op': 'replace', 'path': '/', 'value': 1}, {'op': 'replace', 'path': '/-', 'value': 1},"
     " {'op': 'replace', 'path': '/01', 'value': 1},"
     " {'op': 'replace', 'path': '/\\u00e9', 'value': 1},"
     " {'op': 'replace', 'path': '/\\u0022', 'value': 1}]"},
    /* NUL in values: what stands behind it counts */
    {"{'a': 'x\\u0000y'}", "{'a': 'x\\u0000z'}",
     "[{'op': 'replace', 'path': '/a', 'value': 'x\\u0000z'}]"},
    {"{'a': 'x\\u0000y'}", "{'a': 'x\\u0000y'}", "[]"},
    /* J23: the list is absent, null, empty, present */
    {"{}", "{'volumes': [1]}", "[{'op': 'add', 'path': '/volumes', 'value': [1]}]"},
    {"{'volumes': null}", "{'volumes': [1]}",
     "[{'op': 'replace', 'path': '/volumes', 'value': [1]}]"},
    {"{'volumes': []}", "{'volumes': [1]}", "[{'op': 'add', 'path': '/volumes/0', 'value': 1}]"},
    {"{'volumes': [0]}", "{'volumes': [0, 1]}",
     "[{'op': 'add', 'path': '/volumes/1', 'value': 1}]"},
    {"{'volumes': [1]}", "{}", "[{'op': 'remove', 'path': '/volumes'}]"},
    {"{'volumes': [1]}", "{'volumes': []}", "[{'op': 'remove', 'path': '/volumes/0'}]"},
    {"{'volumes': [1]}", "{'volumes': null}",
     "[{'op': 'replace', 'path': '/volumes', 'value': null}]"},
    /* one element in front, in the middle, at the end */
    {"[1, 2]", "[0, 1, 2]", "[{'op': 'add', 'path': '/0', 'value': 0}]"},
    {"[1, 2]", "[1, 0, 2]", "[{'op': 'add', 'path': '/1', 'value': 0}]"},
    {"[1, 2]", "[1, 2, 0]", "[{'op': 'add', 'path': '/2', 'value': 0}]"},
    {"[1, 2, 3]", "[2, 3]", "[{'op': 'remove', 'path': '/0'}]"},
    {"[1, 2, 3]", "[1, 3]", "[{'op': 'remove', 'path': '/1'}]"},
    {"[1, 2, 3]", "[1, 2]", "[{'op': 'remove', 'path': '/2'}]"},
    {"[1, 1, 1]", "[1, 1]", "[{'op': 'remove', 'path': '/2'}]"},
    /* several that are not neighbours: as many operations, indexes of the list as it is by then */
    {"[1, 2, 3]", "[0, 1, 9, 2, 3, 8]",
     "[{'op': 'add', 'path': '/0', 'value': 0}, {'op': 'add', 'path': '/2', 'value': 9},"
     " {'op': 'add', 'path': '/5', 'value': 8}]"},
    {"[0, 1, 9, 2, 3, 8]", "[1, 2, 3]",
     "[{'op': 'remove', 'path': '/0'}, {'op': 'remove', 'path': '/1'},"
     " {'op': 'remove', 'path': '/3'}]"},
    {"[1, 2, 3, 4, 5]", "[2, 9, 3, 5, 6]",
     "[{'op': 'remove', 'path': '/0'}, {'op': 'add', 'path': '/1', 'value': 9},"
     " {'op': 'remove', 'path': '/3'}, {'op': 'add', 'path': '/4', 'value': 6}]"},
    /* the longest common subsequence stays: here 2 3 4 */
    {"[1, 2, 3, 4]", "[2, 3, 4, 1]",
     "[{'op': 'remove', 'path': '/0'}, {'op': 'add', 'path': '/3', 'value': 1}]"},
    /* one scalar for another */
    {"[1, 2, 3]", "[1, 9, 3]", "[{'op': 'replace', 'path': '/1', 'value': 9}]"},
    {"[1, 2, 3]", "[1, 9]",
     "[{'op': 'replace', 'path': '/1', 'value': 9}, {'op': 'remove', 'path': '/2'}]"},
    {"[1, 2]", "[9, 8, 7]",
     "[{'op': 'replace', 'path': '/0', 'value': 9}, {'op': 'replace', 'path': '/1', 'value': 8},"
     " {'op': 'add', 'path': '/2', 'value': 7}]"},
    /* an element is entered where that is shorter */
    {"[{'name': 'app', 'image': 'registry.example/app:1', 'args': ['serve', '--verbose']}]",
     "[{'name': 'app', 'image': 'registry.example/app:2', 'args': ['serve', '--verbose']}]",
     "[{'op': 'replace', 'path': '/0/image', 'value': 'registry.example/app:2'}]"},
    {"[[1, 2, 3, 'a long string that is not to be said twice']]",
     "[[1, 2, 4, 'a long string that is not to be said twice']]",
     "[{'op': 'replace', 'path': '/0/2', 'value': 4}]"},
    {"[{'a': 1, 'b': 2, 'c': 3}]", "[{'d': 4}]",
     "[{'op': 'replace', 'path': '/0', 'value': {'d': 4}}]"},
    {"[0, {'a': 1, 'b': 2, 'c': 3}, [1, 2]]", "[9, {'d': 4}, [3, 4]]",
     "[{'op': 'replace', 'path': '/0', 'value': 9},"
     " {'op': 'replace', 'path': '/1', 'value': {'d': 4}},"
     " {'op': 'replace', 'path': '/2', 'value': [3, 4]}]"},
    /* ... and also where both are as long */
    {"[{'name': 'xxxxxxxxxxxx', 'a': 1, 'b': 2}]", "[{'name': 'xxxxxxxxxxxx'}]",
     "[{'op': 'remove', 'path': '/0/a'}, {'op': 'remove', 'path': '/0/b'}]"},
    /* the same name finds itself, wherever it stands by now */
    {"[{'name': 'app', 'image': 'registry.example/app:1'}, {'name': 'log'}]",
     "[{'name': 'ours', 'image': 'registry.example/ours:1'},"
     " {'name': 'app', 'image': 'registry.example/app:2'}, {'name': 'log'}]",
     "[{'op': 'add', 'path': '/0', 'value': {'name': 'ours', 'image': 'registry.example/ours:1'}},"
     " {'op': 'replace', 'path': '/1/image', 'value': 'registry.example/app:2'}]"},
    {"[{'name': 'ours', 'image': 'registry.example/ours:1'},"
     " {'name': 'app', 'image': 'registry.example/app:1', 'args': []}]",
     "[{'name': 'app', 'image': 'registry.example/app:2', 'args': []}]",
     "[{'op': 'remove', 'path': '/0'},"
     " {'op': 'replace', 'path': '/0/image', 'value': 'registry.example/app:2'}]"},
    /* names that are no strings are no names */
    {"[{'name': 1, 'a': 1}, 5]", "[5, {'name': 1, 'a': 1}]",
     "[{'op': 'remove', 'path': '/0'}, {'op': 'add', 'path': '/1', 'value': {'name': 1, 'a': 1}}]"},
    /* alike to the digest, yet not equal: found out, and only less short */
    {"[0, 1, 7]", "[1.0, 7, 8]",
     "[{'op': 'remove', 'path': '/0'}, {'op': 'replace', 'path': '/0', 'value': 1.0},"
     " {'op': 'add', 'path': '/2', 'value': 8}]"},
};

static void check_applies(const json_t *before, const json_t *after, const json_t *patch)
{
    struct error err = {0};
    AUTO(json) json_t *result = patch_apply(before, patch, &err);

    ck_assert_msg(result != NULL, "%s", err.message);
    ck_assert(tree_equal(result, after));
}

START_TEST(diff)
    {
        AUTO(json) json_t *before = json_row(diff_rows[_i].before);
        AUTO(json) json_t *after = json_row(diff_rows[_i].after);
        AUTO(json) json_t *wanted = json_row(diff_rows[_i].patch);
        AUTO(json) json_t *patch = patch_diff(before, after, "");
        AUTO(free) char *text = tree_format(patch, NULL);

        ck_assert_msg(tree_equal(patch, wanted), "%s", text);
        check_applies(before, after, patch);
    }
END_TEST

static const struct {
    const char *list;      /* NULL: absent */
    const char *operation; /* that puts the element 9 at its end */
} list_rows[] = {
    {NULL, "{'op': 'add', 'path': '/%s', 'value': [9]}"},
    {"null", "{'op': 'replace', 'path': '/%s', 'value': [9]}"},
    {"[]", "{'op': 'add', 'path': '/%s/0', 'value': 9}"},
    {"[1, 2]", "{'op': 'add', 'path': '/%s/2', 'value': 9}"},
};

static const char *const list_keys[] = {"volumes", "containers", "initContainers", "env"};

#define LIST_SHAPES (sizeof list_rows / sizeof *list_rows)
#define LIST_KEYS (sizeof list_keys / sizeof *list_keys)

/* One list of this shape, the same list with the element, and the operation that leads there. */
static void put_list(json_t *before, json_t *after, json_t *patch, const char *key, size_t shape)
{
    AUTO(free) char *operation = text_format(list_rows[shape].operation, key);
    json_t *list = list_rows[shape].list ? json_row(list_rows[shape].list) : NULL;
    json_t *longer = json_is_array(list) ? tree_copy(list) : json_array();

    json_array_append_new(patch, json_row(operation));
    json_array_append_new(longer, json_integer(9));
    tree_put_new(before, key, list);
    tree_put_new(after, key, longer);
}

static bool holds(const json_t *patch, const json_t *operation)
{
    const json_t *item;
    size_t i;

    tree_items (patch, i, item)
        if (tree_equal(item, operation))
            return true;
    return false;
}

/* J23: all combinations of lists that are absent, null, empty or present. */
START_TEST(diff_of_all_shapes_of_lists)
    {
        AUTO(json) json_t *before = json_object();
        AUTO(json) json_t *after = json_object();
        AUTO(json) json_t *wanted = json_array();
        size_t combination = (size_t)_i;

        for (size_t i = 0; i < LIST_KEYS; i++, combination /= LIST_SHAPES)
            put_list(before, after, wanted, list_keys[i], combination % LIST_SHAPES);

        AUTO(json) json_t *patch = patch_diff(before, after, "");

        ck_assert_uint_eq(json_array_size(patch), LIST_KEYS);
        for (size_t i = 0; i < LIST_KEYS; i++)
            ck_assert(holds(patch, json_array_get(wanted, i)));
        check_applies(before, after, patch);
    }
END_TEST

/* The place that the caller names goes in front of every path. */
START_TEST(diff_below_a_place)
    {
        AUTO(json) json_t *before = json_row("{'a': [1, {'x/y': 1}]}");
        AUTO(json) json_t *after = json_row("{'a': [1, {'x/y': 2}], 'b': 0}");
        AUTO(json) json_t *patch = patch_diff(before, after, "/spec/~1/3");
        AUTO(json)
        json_t *wanted = json_row("[{'op': 'replace', 'path': '/spec/~1/3/a/1/x~1y', 'value': 2},"
                                  " {'op': 'add', 'path': '/spec/~1/3/b', 'value': 0}]");

        ck_assert(tree_equal(patch, wanted));
    }
END_TEST

START_TEST(diff_of_what_is_not_there)
    {
        AUTO(json) json_t *value = json_row("{'a': 1}");
        AUTO(json) json_t *none = patch_diff(NULL, NULL, "/x");
        AUTO(json) json_t *added = patch_diff(NULL, value, "/x");
        AUTO(json) json_t *removed = patch_diff(value, NULL, "/x");
        AUTO(json) json_t *wanted_added = json_row("[{'op':'add','path':'/x','value':{'a':1}}]");
        AUTO(json) json_t *wanted_removed = json_row("[{'op':'remove','path':'/x'}]");

        ck_assert(json_is_array(none) && json_array_size(none) == 0);
        ck_assert(tree_equal(added, wanted_added));
        ck_assert(tree_equal(removed, wanted_removed));
    }
END_TEST

/* The result shares the values of `after`; neither side is changed. */
START_TEST(diff_of_shared_trees)
    {
        AUTO(json) json_t *shared = json_row("{'name': 'big', 'list': [1, 2, 3]}");
        AUTO(json) json_t *before = json_pack("{s:[O, i], s:O}", "a", shared, 1, "b", shared);
        AUTO(json)
        json_t *after = json_pack("{s:[O, i, O], s:O}", "a", shared, 2, shared, "b", shared);
        AUTO(json) json_t *patch = patch_diff(before, after, "");

        ck_assert_uint_eq(json_array_size(patch), 2);
        ck_assert_ptr_eq(pointer_get(patch, "/1/value"), shared);
        check_applies(before, after, patch);
    }
END_TEST

static json_t *numbers(int from, int end)
{
    json_t *list = json_array();

    for (int i = from; i < end; i++)
        json_array_append_new(list, json_integer(i));
    return list;
}

/* Lists too long to be aligned are compared place by place: longer patches, right all the same. */
START_TEST(diff_of_long_lists)
    {
        int length = 2048 + _i * 512; /* the square of 2048 is PATCH_MAX_CELLS */
        AUTO(json) json_t *before = numbers(0, length);
        AUTO(json) json_t *after = numbers(1, length + 1);
        AUTO(json) json_t *patch = patch_diff(before, after, "");

        ck_assert_uint_eq(json_array_size(patch), _i ? (size_t)length : 2);
        check_applies(before, after, patch);
    }
END_TEST

static json_t *nested(unsigned levels, int value)
{
    json_t *tree = json_integer(value);

    for (unsigned i = 0; i < levels; i++)
        tree = i % 2 ? json_pack("{s:o}", "a", tree) : json_pack("[o]", tree);
    return tree;
}

static size_t steps_of(const char *pointer)
{
    size_t steps = 0;

    for (; *pointer; pointer++)
        steps += *pointer == '/';
    return steps;
}

/* What lies deeper than a diff goes is replaced as a whole. */
START_TEST(diff_of_deep_trees)
    {
        static const unsigned levels[] = {PATCH_MAX_DEPTH - 1, PATCH_MAX_DEPTH, PATCH_MAX_DEPTH + 1,
                                          600};
        AUTO(json) json_t *before = nested(levels[_i], 1);
        AUTO(json) json_t *after = nested(levels[_i], 2);
        AUTO(json) json_t *patch = patch_diff(before, after, "");
        const json_t *operation = json_array_get(patch, 0);

        ck_assert_uint_eq(json_array_size(patch), 1);
        ck_assert_str_eq(tree_text(operation, "op"), "replace");
        ck_assert_uint_eq(steps_of(tree_text(operation, "path")),
                          levels[_i] < PATCH_MAX_DEPTH ? levels[_i] : PATCH_MAX_DEPTH);
        check_applies(before, after, patch);
    }
END_TEST

/* Equal trees of their own, so that no pointer is shared, deeper than a diff goes. */
START_TEST(diff_of_deep_equal_trees)
    {
        AUTO(json) json_t *before = nested(PATCH_MAX_DEPTH + 2, 1);
        AUTO(json) json_t *after = nested(PATCH_MAX_DEPTH + 2, 1);
        AUTO(json) json_t *patch = patch_diff(before, after, "");

        ck_assert_uint_eq(json_array_size(patch), 0);
    }
END_TEST

SUITE(patch_diff)
{
    suite_rows(tests, diff, diff_rows);
    tcase_add_loop_test(tests, diff_of_all_shapes_of_lists, 0, 1 << (2 * LIST_KEYS));
    tcase_add_test(tests, diff_below_a_place);
    tcase_add_test(tests, diff_of_what_is_not_there);
    tcase_add_test(tests, diff_of_shared_trees);
    tcase_add_loop_test(tests, diff_of_long_lists, 0, 2);
    tcase_add_loop_test(tests, diff_of_deep_trees, 0, 4);
    tcase_add_test(tests, diff_of_deep_equal_trees);
}

/*
 * patch_apply()
 */

START_TEST(apply)
    {
        AUTO(json) json_t *document = json_row(apply_rows[_i].document);
        AUTO(json) json_t *untouched = tree_copy(document);
        AUTO(json) json_t *patch = json_row(apply_rows[_i].patch);
        AUTO(json) json_t *patch_before = tree_copy(patch);
        struct error err = {0};
        AUTO(json) json_t *result = patch_apply(document, patch, &err);

        ck_assert(tree_equal(document, untouched));
        ck_assert(tree_equal(patch, patch_before));
        if (apply_rows[_i].result) {
            AUTO(json) json_t *wanted = json_row(apply_rows[_i].result);

            ck_assert_msg(result && tree_equal(result, wanted), "%s", err.message);
            ck_assert_int_eq(err.code, ERROR_NONE);
        } else {
            ck_assert_ptr_null(result);
            ck_assert_int_eq(err.code, ERROR_INVALID);
            ck_assert_str_eq(err.message, apply_rows[_i].message);
        }
    }
END_TEST

/* A.13: two members of the same name never become an operation, they are refused as text */
START_TEST(duplicate_members_are_no_operation)
    {
        json_error_t detail;

        ck_assert_ptr_null(
            json_loads("[{\"op\": \"add\", \"path\": \"/a\", \"value\": 1, \"op\": \"remove\"}]",
                       JSON_REJECT_DUPLICATES, &detail));
    }
END_TEST

START_TEST(no_patch_is_no_list)
    {
        AUTO(json) json_t *document = json_object();
        struct error err = {0};

        ck_assert_ptr_null(patch_apply(document, NULL, &err));
        ck_assert_str_eq(err.message, "a JSON Patch is a list of operations");
    }
END_TEST

/* Doubling the document again and again ends at the bound, not with the memory. */
START_TEST(copies_are_bounded)
    {
        AUTO(json) json_t *document = json_row("{'a': ['some text of some length', 1, 2, 3]}");
        AUTO(json) json_t *patch = json_array();
        struct error err = {0};

        for (int i = 0; i < 64; i++) {
            AUTO(free) char *path = text_format("/%d", i);

            json_array_append_new(
                patch, json_pack("{s:s, s:s, s:s}", "op", "copy", "from", "", "path", path));
        }

        AUTO(json) json_t *result = patch_apply(document, patch, &err);

        ck_assert_ptr_null(result);
        ck_assert_int_eq(err.code, ERROR_TOO_LARGE);
        ck_assert(strstr(err.message, "more than 3145728 bytes would be copied"));
    }
END_TEST

/* The bound itself is allowed: a string with its quotes that has so many bytes. */
START_TEST(copies_up_to_the_bound)
    {
        size_t length = PATCH_MAX_COPY_BYTES - 2 + (size_t)_i;
        AUTO(free) char *text = text_alloc(length + 1);

        memset(text, 'x', length);

        AUTO(json) json_t *document = json_pack("{s:s}", "a", text);
        AUTO(json) json_t *patch = json_row("[{'op': 'copy', 'from': '/a', 'path': '/b'}]");
        struct error err = {0};
        AUTO(json) json_t *result = patch_apply(document, patch, &err);

        ck_assert_int_eq(result != NULL, _i == 0);
        ck_assert_int_eq(err.code, _i ? ERROR_TOO_LARGE : ERROR_NONE);
    }
END_TEST

/* The result can not become so deep that whoever walks it runs out of stack. */
START_TEST(depth_is_bounded)
    {
        for (unsigned levels = JSON_MAX_DEPTH - 3; levels < JSON_MAX_DEPTH; levels++) {
            AUTO(json) json_t *document = json_object();
            AUTO(json) json_t *value = nested(levels, 1);
            AUTO(json) json_t *patch = json_array();
            struct error err = {0};

            if (_i == 1)
                json_array_append_new(
                    patch, json_pack("{s:s, s:s, s:n}", "op", "add", "path", "/a", "value"));
            json_array_append_new(patch, json_pack("{s:s, s:s, s:O}", "op", _i ? "replace" : "add",
                                                   "path", "/a", "value", value));

            AUTO(json) json_t *result = patch_apply(document, patch, &err);

            /* one level is the document's own, one the scalar inside */
            ck_assert_int_eq(result != NULL, levels + 2 <= JSON_MAX_DEPTH);
            ck_assert_int_eq(err.code, result ? ERROR_NONE : ERROR_TOO_LARGE);
        }
    }
END_TEST

/* Keys come from strings, which jansson can hold unchecked. */
START_TEST(keys_are_utf8)
    {
        AUTO(json) json_t *document = json_object();
        AUTO(json)
        json_t *patch = json_pack("[{s:s, s:o, s:i}]", "op", "add", "path",
                                  json_string_nocheck("/\xff"), "value", 1);
        struct error err = {0};
        AUTO(json) json_t *result = patch_apply(document, patch, &err);

        ck_assert_ptr_null(result);
        ck_assert_str_eq(err.message, "operation 0 (add /?): \"?\" is not UTF-8");
    }
END_TEST

SUITE(patch_apply)
{
    suite_rows(tests, apply, apply_rows);
    tcase_add_test(tests, duplicate_members_are_no_operation);
    tcase_add_test(tests, no_patch_is_no_list);
    tcase_add_test(tests, copies_are_bounded);
    tcase_add_loop_test(tests, copies_up_to_the_bound, 0, 2);
    tcase_add_loop_test(tests, depth_is_bounded, 0, 2);
    tcase_add_test(tests, keys_are_utf8);
}
