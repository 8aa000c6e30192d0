#include "api/validate.h"

#include "api/validate_schema.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static const struct {
    const char *group, *kind;
    bool known;
} kind_rows[] = {
    {"stash.appscode.com", "BackupBlueprint", true},
    {"stash.appscode.com", "Repository", true},
    {"stash.appscode.com", "BackupConfiguration", true},
    {"stash.appscode.com", "BackupSession", true},
    {"stash.appscode.com", "RestoreSession", true},
    {"stash.appscode.com", "Function", true},
    {"stash.appscode.com", "Task", true},
    {"stash.appscode.com", "BackupBatch", true},
    {"stash.appscode.com", "RestoreBatch", true},
    {"appcatalog.appscode.com", "AppBinding", true},
    {"stash.appscode.com", "AppBinding", false},
    {"appcatalog.appscode.com", "Repository", false},
    {"stash.appscode.com", "backupblueprint", false},
    {"apps", "Deployment", false},
    {"", "", false},
};

START_TEST(kinds_are_known)
    {
        ck_assert_int_eq(validate_knows(kind_rows[_i].group, kind_rows[_i].kind),
                         kind_rows[_i].known);
    }
END_TEST

static const struct {
    const char *object;
    struct judged row;
} rows[] = {
    /* what is not ours is not judged */
    {"{}", {NULL, NULL, NULL, NULL}},
    {"[]", {NULL, NULL, NULL, NULL}},
    {"'x'", {NULL, NULL, NULL, NULL}},
    {"{'apiVersion': 'apps/v1', 'kind': 'Deployment'}", {NULL, NULL, NULL, NULL}},
    {"{'apiVersion': 'stash.appscode.com', 'kind': 'Task', 'spec': 1}",
     {NULL, NULL, "spec", "expected an object"}},
    {"{'apiVersion': 1, 'kind': 'Task', 'spec': 1}", {NULL, NULL, NULL, NULL}},
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBatch', 'spec': {}}",
     {NULL, NULL, "kind", "granary has no BackupBatch"}},
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'RestoreBatch'}",
     {NULL, NULL, "kind", "granary has no RestoreBatch"}},
    /* no deletion hangs on us */
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBatch',"
     " 'metadata': {'deletionTimestamp': '2024-05-01T13:30:00Z'}}",
     {NULL, NULL, NULL, NULL}},
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"
     " 'metadata': {'deletionTimestamp': '2024-05-01T13:30:00Z'}, 'spec': 7}",
     {NULL, NULL, NULL, NULL}},
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"
     " 'metadata': {'deletionTimestamp': null}, 'spec': 7}",
     {NULL, NULL, "spec", "expected an object, found a number"}},
    {"{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Task', 'metadata': 7, 'spec': {}}",
     {NULL, NULL, "metadata", "expected an object, found a number"}},
};

START_TEST(objects_of_all_sorts)
    {
        judged_row(rows[_i].object, &rows[_i].row);
    }
END_TEST

/* Accepted by somebody else once, or by an older release. */
static const char broken[] = "{'apiVersion': 'stash.appscode.com/v1beta1',"
                             " 'kind': 'BackupConfiguration', 'metadata': {'name': 'a',"
                             " 'namespace': 'demo'}, 'spec': {'schedule': 'often'}}";

static const struct judged update_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/metadata/finalizers", "[]", NULL, NULL},
    {"/status", "{'phase': 'Invalid'}", NULL, NULL},
    {"/spec/paused", "true", "spec.schedule", "1 fields"},
};

START_TEST(an_edit_beside_spec_passes)
    {
        judged_update(broken, &update_rows[_i]);
    }
END_TEST

static size_t judge_paths(size_t count, struct findings *findings)
{
    AUTO(json) json_t *object = json_row(broken);
    json_t *paths = json_array();

    for (size_t i = 0; i < count; i++) {
        AUTO(free) char *path = text_format("relative%zu", i);

        json_array_append_new(paths, json_string(path));
    }
    judged_set(object, "/spec/target/paths", paths);
    validate_object(&(struct validation){object, NULL, NULL}, findings);
    return findings->count;
}

START_TEST(findings_are_bounded)
    {
        AUTO(findings) struct findings few = {0}, many = {0};
        size_t others = judge_paths(0, &few);

        ck_assert_uint_eq(judge_paths(100000, &many), FINDINGS_MAX + 1);

        /* one for each path, and one that there are too many of them */
        AUTO(free)
        char *message =
            text_format("%zu more findings are not shown", 100001 + others - FINDINGS_MAX);
        const struct finding *last = &many.items[FINDINGS_MAX];

        ck_assert_str_eq(last->message, message);
        ck_assert_str_eq(last->reason, REASON_TOO_MANY);
        ck_assert_str_eq(last->field, "");
        ck_assert_int_eq(last->level, FINDING_ERROR);
    }
END_TEST

START_TEST(many_unknown_fields_are_bounded)
    {
        AUTO(json) json_t *object = json_row(broken);
        AUTO(findings) struct findings findings = {0};
        json_t *spec = json_object_get(object, "spec");

        for (size_t i = 0; i < 100000; i++) {
            AUTO(free) char *key = text_format("schedule%zu", i);

            json_object_set_new(spec, key, json_null());
        }
        validate_object(&(struct validation){object, NULL, NULL}, &findings);
        ck_assert_uint_eq(findings.count, FINDINGS_MAX + 1);
    }
END_TEST

START_TEST(deep_values_are_walked_only_along_tables)
    {
        AUTO(json) json_t *object = json_row(broken);
        AUTO(findings) struct findings findings = {0};
        json_t *deep = json_array();

        for (size_t i = 0; i < 2000; i++) {
            json_t *outer = json_array();

            json_array_append_new(outer, deep);
            deep = outer;
        }
        judged_set(object, "/spec/hooks", deep);
        validate_object(&(struct validation){object, NULL, NULL}, &findings);
        ck_assert_uint_gt(findings.count, 0);
    }
END_TEST

SUITE(api_validate)
{
    suite_rows(tests, kinds_are_known, kind_rows);
    suite_rows(tests, objects_of_all_sorts, rows);
    suite_rows(tests, an_edit_beside_spec_passes, update_rows);
    tcase_add_test(tests, findings_are_bounded);
    tcase_add_test(tests, many_unknown_fields_are_bounded);
    tcase_add_test(tests, deep_values_are_walked_only_along_tables);
}
