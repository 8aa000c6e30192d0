#include "base/patch.h"

#include "base/auto.h"
#include "base/limits.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

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

SUITE(patch_diff)
{
    suite_rows(tests, diff, diff_rows);
}
