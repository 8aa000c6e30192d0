#include "api/maintenance_result.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define NOBODY -1

/* What restic says, and what is counted of it. */
static const struct {
    const char *command, *document;
    int64_t removed, snapshots, bytes;
} rows[] = {
    {"forget", "[]", 0, NOBODY, NOBODY},
    {"forget", "null", 0, NOBODY, NOBODY},
    {"forget", "[{'keep': [1], 'remove': [1, 2]}, {'remove': [3]}, {'remove': null}]", 3, NOBODY,
     NOBODY},
    /* the marks of owners are none of anybody's snapshots */
    {"snapshots", "[{'hostname': 'host-0'}, {'hostname': 'granary'}, {}]", NOBODY, 2, NOBODY},
    {"snapshots", "[]", NOBODY, 0, NOBODY},
    {"snapshots", "{'a': 1}", NOBODY, NOBODY, NOBODY},
    {"stats", "{'total_size': 293}", NOBODY, NOBODY, 293},
    {"stats", "[]", NOBODY, NOBODY, NOBODY},
    {"prune", "[{'remove': [1]}]", NOBODY, NOBODY, NOBODY},
};

static struct maintenance_result none(void)
{
    struct maintenance_result result = MAINTENANCE_RESULT_NONE;

    result.kind = "forget";
    return result;
}

START_TEST(test_counted)
    {
        AUTO(json) json_t *document = json_row(rows[_i].document);
        struct maintenance_result result = none();

        maintenance_result_add(&result, rows[_i].command, document);
        ck_assert_int_eq(result.removed, rows[_i].removed);
        ck_assert_int_eq(result.snapshots, rows[_i].snapshots);
        ck_assert_int_eq(result.bytes, rows[_i].bytes);
    }
END_TEST

/* Runs of several targets add up. */
START_TEST(test_sums)
    {
        AUTO(json) json_t *document = json_row("[{'remove': [1, 2]}]");
        struct maintenance_result result = none();

        maintenance_result_add(&result, "forget", document);
        maintenance_result_add(&result, "forget", document);
        ck_assert_int_eq(result.removed, 4);
    }
END_TEST

/* A kubelet cuts what is longer, and half a line is none. */
START_TEST(test_fits)
    {
        char words[8192];
        AUTO(text) struct text text = {0};
        struct maintenance_result result = none(), read;
        struct error err;

        memset(words, _i, sizeof words - 1);
        words[sizeof words - 1] = '\0';
        result.reason = "ResticFailed";
        result.message = words;
        result.bytes = INT64_MAX;
        maintenance_result_write(&result, &text);
        ck_assert_uint_le(text.length, MAINTENANCE_RESULT_MAX_BYTES);

        AUTO(json)
        json_t *kept = maintenance_result_read((struct span){text.data, text.length}, &read, &err);

        ck_assert_msg(kept, "%s", err.message);
        ck_assert_str_eq(read.reason, "ResticFailed");
        ck_assert_uint_eq(strlen(read.message), MAINTENANCE_WORDS_MAX_BYTES);
        ck_assert_int_eq(read.bytes, INT64_MAX);
        ck_assert_int_eq(read.errors, -1);
    }
END_TEST

static const char *const foreign[] = {
    "",
    "Killed",
    "[]",
    "{}",
    "{\"kind\": 1}",
    "{\"kind\": \"forget\", \"removed\": -1}",
    "{\"kind\": \"forget\", \"removed\": \"2\"}",
    "{\"kind\": \"forget\"",
    "{\"kind\":\"a\\u0000b\"}",
};

START_TEST(test_foreign)
    {
        struct maintenance_result result = none();
        struct error err;

        ck_assert_ptr_null(maintenance_result_read(span_of(foreign[_i]), &result, &err));
    }
END_TEST

SUITE(maintenance_result)
{
    suite_rows(tests, test_counted, rows);
    tcase_add_test(tests, test_sums);
    tcase_add_loop_test(tests, test_fits, 1, 256);
    suite_rows(tests, test_foreign, foreign);
}
