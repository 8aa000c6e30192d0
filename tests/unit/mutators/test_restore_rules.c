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

/* The same of an update. */
static const struct {
    const char *stored, *spec, *moved; /* NULL: refused */
} updates[] = {
    /* applied a second time: merged into what the creation made of them */
    {"{'target': {'rules': [1]}}", "{'rules': [1], 'target': {'rules': [1]}}",
     "{'target': {'rules': [1]}}"},
    /* replaced by the same manifest */
    {"{'target': {'rules': [1]}}", "{'rules': [1], 'target': {}}", "{'target': {'rules': [1]}}"},
    /* other rules: the API server says that a spec can not change */
    {"{'target': {'rules': [1]}}", "{'rules': [2], 'target': {'rules': [1]}}",
     "{'target': {'rules': [2]}}"},
    /* both are new */
    {"{'target': {'rules': [1]}}", "{'rules': [2], 'target': {'rules': [3]}}", NULL},
    {"{'target': {}}", "{'rules': [2], 'target': {'rules': [3]}}", NULL},
    {"{'target': null}", "{'rules': [2], 'target': {'rules': [3]}}", NULL},
    {"[]", "{'rules': [2], 'target': {'rules': [3]}}", NULL},
    /* made while nobody moved them */
    {"{'rules': [1], 'target': {}}", "{'rules': [1], 'target': {}}",
     "{'rules': [1], 'target': {}}"},
    {"{'rules': [1], 'target': {}}", "{'rules': [1], 'target': {'rules': [2]}}",
     "{'rules': [1], 'target': {'rules': [2]}}"},
    {"{'rules': [1], 'target': {}}", "{'target': {'rules': [1]}}", "{'target': {'rules': [1]}}"},
};

static void check_row(const char *stored_text, const char *spec_text, const char *moved_text)
{
    struct error err = {0};
    AUTO(json) json_t *spec = json_row(spec_text), *copy = tree_copy(spec);
    AUTO(json) json_t *stored = stored_text ? json_row(stored_text) : NULL;
    AUTO(json) json_t *expected = moved_text ? json_row(moved_text) : NULL;
    AUTO(json) json_t *made = restore_rules_moved(spec, stored, &err);

    ck_assert(tree_equal(made, expected));
    ck_assert(tree_equal(spec, copy));
    ck_assert_int_eq(err.code == ERROR_INVALID, !expected);
}

START_TEST(moved)
    {
        check_row(NULL, rows[_i].spec, rows[_i].moved);
    }
END_TEST

START_TEST(moved_again)
    {
        check_row(updates[_i].stored, updates[_i].spec, updates[_i].moved);
    }
END_TEST

SUITE(mutators_restore_rules)
{
    suite_rows(tests, moved, rows);
    suite_rows(tests, moved_again, updates);
}
