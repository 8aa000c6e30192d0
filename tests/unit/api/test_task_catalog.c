#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/task.h"
#include "api/task_variables.h"
#include "api/validate.h"
#include "base/auto.h"
#include "base/tree.h"
#include "base/yaml.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* manifests/catalog: Functions and Tasks that come with granary. */

#define FOLDER "manifests/catalog"

static struct text file_text(const char *path)
{
    AUTO(fclose) FILE *file = fopen(path, "re");
    struct text text = {0};
    char block[4096];
    size_t got;

    ck_assert_msg(file != NULL, "%s is missing", path);
    while ((got = fread(block, 1, sizeof block, file)) > 0)
        text_add(&text, block, got);
    return text;
}

static void add_file(const char *name, json_t *functions, json_t *tasks)
{
    AUTO(free) char *path = text_format(FOLDER "/%s", name);
    AUTO(text) struct text text = file_text(path), warnings = {0};
    AUTO(yaml) struct yaml yaml = {0};
    struct error err = {0};

    ck_assert_msg(yaml_read(&yaml, (struct span){text.data, text.length}, &warnings, &err),
                  "%s: %s", path, err.message);
    ck_assert_msg(!warnings.length, "%s: %s", path, text_get(&warnings));
    for (size_t i = 0; i < yaml.count; i++) {
        const json_t *object = yaml.documents[i].value;
        bool task = span_is(tree_span(object, "kind"), "Task");

        if (!span_is(tree_span(object, "kind"), "Kustomization"))
            tree_push_new(task ? tasks : functions, tree_copy(object));
    }
}

static void read_catalog(json_t **functions, json_t **tasks)
{
    DIR *folder = opendir(FOLDER);
    const struct dirent *entry;

    ck_assert_msg(folder != NULL, FOLDER " is missing");
    *functions = json_array();
    *tasks = json_array();
    while ((entry = readdir(folder)))
        if (strstr(entry->d_name, ".yaml"))
            add_file(entry->d_name, *functions, *tasks);
    closedir(folder);
}

static void must_be_valid(const json_t *objects)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object) {
        AUTO(findings) struct findings findings = {0};
        struct validation validation = {.object = object};

        validate_object(&validation, &findings);
        ck_assert_msg(findings.count == 0, "%s: %s: %s",
                      tree_text(tree_get(object, "metadata"), "name"), findings.items[0].field,
                      findings.items[0].message);
    }
}

START_TEST(test_valid)
    {
        AUTO(json) json_t *functions = NULL, *tasks = NULL;

        read_catalog(&functions, &tasks);
        ck_assert_uint_eq(json_array_size(functions), 15);
        ck_assert_uint_eq(json_array_size(tasks), 30);
        must_be_valid(functions);
        must_be_valid(tasks);
    }
END_TEST

static const json_t *named(const json_t *objects, const char *name)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        if (!strcmp(tree_text(tree_get(object, "metadata"), "name"), name))
            return object;
    return NULL;
}

/* Stash's names and parameters, stash-behaviour 8.1: all of them optional. */
#define TUNING "[{'name': 'args', 'value': '--x'}, {'name': 'waitTimeout', 'value': '9'}]"
#define MEMBERS                                                                                    \
    "[{'name': 'args', 'value': '--x'}, {'name': 'waitTimeout', 'value': '9'}, {'name': "          \
    "'initialCluster', 'value': 'a=b'}, {'name': 'initialClusterToken', 'value': 't'}, {'name': "  \
    "'dataDir', 'value': '/d'}, {'name': 'workloadKind', 'value': 'Pod'}, {'name': "               \
    "'workloadName', 'value': 'w'}]"

#define DUMP "[{'name': 'backupCmd', 'value': 'pg_dump'}, {'name': 'database', 'value': 'shop'}]"

static const struct {
    const char *task, *kind, *version, *params, *argument;
    bool restore;
    size_t steps;
} rows[] = {
    {"pvc-backup", "PersistentVolumeClaim", "v1", "[]", "step", false, 1},
    {"pvc-restore", "PersistentVolumeClaim", "v1", "[]", "step", true, 1},
#define APP "AppBinding", "appcatalog.appscode.com/v1alpha1"
    {"etcd-backup-3.4.0", APP, "[]", "--wait-timeout=300", false, 2},
    {"etcd-backup-3.5.0", APP, TUNING, "--etcd-args=--x", false, 2},
    {"etcd-backup-3.5.0", APP, TUNING, "--wait-timeout=9", false, 2},
    {"etcd-backup-3.6.0", APP, TUNING, "--output-dir=/stash-tmp/output", false, 2},
    {"etcd-restore-3.4.0", APP, "[]", "--data-dir=", true, 2},
    {"etcd-restore-3.5.0", APP, MEMBERS, "--initial-cluster=a=b", true, 2},
    {"etcd-restore-3.5.0", APP, MEMBERS, "--initial-cluster-token=t", true, 2},
    {"etcd-restore-3.5.0", APP, MEMBERS, "--data-dir=/d", true, 2},
    {"etcd-restore-3.5.0", APP, MEMBERS, "--workload-kind=Pod", true, 2},
    {"etcd-restore-3.6.0", APP, MEMBERS, "--workload-name=w", true, 2},
    {"etcd-restore-3.6.0", APP, MEMBERS, "--source-hostname=host-0", true, 2},
    {"mariadb-backup-10.5.8", APP, TUNING, "--database-args=--x", false, 1},
    {"mariadb-restore-10.5.8", APP, "[]", "--overwrite=", true, 1},
    {"postgres-backup-9.6.19", APP, TUNING, "--database-args=--x", false, 1},
    {"postgres-backup-15.1", APP, "[]", "--wait-timeout=300", false, 1},
    {"postgres-backup-14.0", APP, DUMP, "--command=pg_dump", false, 1},
    {"postgres-backup-14.0", APP, DUMP, "--database=shop", false, 1},
    {"redis-backup-5.0.13", APP, TUNING, "--wait-timeout=9", false, 1},
    {"redis-backup-7.0.5", APP, TUNING, "--database-args=--x", false, 1},
    {"redis-restore-6.2.5", APP, "[]", "--overwrite=", true, 1},
    {"redis-restore-7.0.5", APP, "[{'name': 'overwrite', 'value': 'true'}]", "--overwrite=true",
     true, 1},
    {"postgres-restore-15.1", APP, "[{'name': 'overwrite', 'value': 'true'}]", "--overwrite=true",
     true, 1},
};

static json_t *run_variables(size_t row)
{
    AUTO(free)
    char *text =
        text_format("{'metadata': {'name': 'n', 'namespace': 's'}, 'spec': {'target': {'ref': "
                    "{'apiVersion': '%s', 'kind': '%s', 'name': 'x'}}}}",
                    rows[row].version, rows[row].kind);
    AUTO(json) json_t *invoker = json_row(text), *app = json_row("{'spec': {}}");
    char image[] = "reg/agent:1";
    struct settings settings = {.agent_image = image};
    struct task_run run = {.restore = rows[row].restore,
                           .invoker = invoker,
                           .session = invoker,
                           .target = app,
                           .settings = &settings};

    return task_variables(&run);
}

static bool has_argument(const json_t *args, const char *argument)
{
    const json_t *item;
    size_t i;

    tree_items (args, i, item)
        if (span_is(tree_value(item), argument))
            return true;
    return false;
}

START_TEST(test_resolved)
    {
        AUTO(json) json_t *functions = NULL, *tasks = NULL, *params = json_row(rows[_i].params);
        AUTO(json) json_t *variables = run_variables((size_t)_i);
        AUTO(task_made) struct task_made made = {0};
        AUTO(findings) struct findings findings = {0};

        read_catalog(&functions, &tasks);

        const struct task_request request = {named(tasks, rows[_i].task), functions, variables,
                                             params};

        ck_assert_ptr_nonnull(request.task);
        ck_assert_msg(task_resolve(&request, &made, &findings) && findings.count == 0, "%s: %s",
                      rows[_i].task, findings.count ? findings.items[0].message : "");
        ck_assert_uint_eq(json_array_size(made.containers), rows[_i].steps);

        const json_t *first = json_array_get(made.containers, 0);

        ck_assert_str_eq(tree_text(first, "image"), "reg/agent:1");
        ck_assert_msg(has_argument(tree_get(first, "args"), rows[_i].argument), "%s",
                      tree_format(tree_get(first, "args"), NULL));
    }
END_TEST

SUITE(task_catalog)
{
    tcase_add_test(tests, test_valid);
    suite_rows(tests, test_resolved, rows);
}
