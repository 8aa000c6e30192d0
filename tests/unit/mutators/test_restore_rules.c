#include "mutators/restore_rules.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* Rules of a RestoreSession move to where they belong. Spec: stash-behaviour 1.6 and 3.2. */
static const struct {
    const char *spec, *moved; /* NULL: refused */
} rows[] = {
    {"{'rules': [1], 'target': {}}", "{'target': {'rules': [1]}}"},
    {"{'rules': [1], 'target': {'rules': []}}", "{'target': {'rules': [1]}}"},
    {"{'rules': [1], 'target': {'rules': null, 'a': 1}}", "{'target': {'rules': [1], 'a': 1}}"},
    {"{'rules': [1], 'target': {'rules': [2]}}", NULL},
    {"{'rules': [], 'target': {'rules': [2]}}", "{'rules': [], 'target': {'rules': [2]}}"},
    {"{'target': {'rules': [2]}}", "{'target': {'rules': [2]}}"},
    /* nowhere to move them, or shapes that are the validator's */
    {"{'rules': [1]}", "{'rules': [1]}"},
    {"{'rules': [1], 'target': null}", "{'rules': [1], 'target': null}"},
    {"{'rules': {'a': 1}, 'target': {}}", "{'rules': {'a': 1}, 'target': {}}"},
    {"{'rules': [1], 'target': []}", "{'rules': [1], 'target': []}"},
    {"[]", "[]"},
};

START_TEST(moved)
    {
        struct error err = {0};
        AUTO(json) json_t *spec = json_row(rows[_i].spec), *copy = tree_copy(spec);
        AUTO(json) json_t *expected = rows[_i].moved ? json_row(rows[_i].moved) : NULL;
        AUTO(json) json_t *made = restore_rules_moved(spec, &err);

        ck_assert(tree_equal(made, expected));
        ck_assert(tree_equal(spec, copy));
        ck_assert_int_eq(err.code == ERROR_INVALID, !expected);
    }
END_TEST

SUITE(mutators_restore_rules)
{
    suite_rows(tests, moved, rows);
}
