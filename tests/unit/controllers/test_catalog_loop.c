#include "controllers/catalog_loop.h"

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/catalog_state.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

#define FUNCTION "/apis/stash.appscode.com/v1beta1/functions/etcd-backup"
#define TASK "/apis/stash.appscode.com/v1beta1/tasks/etcd-backup"

#define MANIFEST(args)                                                                             \
    "apiVersion: stash.appscode.com/v1beta1\nkind: Function\nmetadata:\n  name: etcd-backup\n"     \
    "  labels: {app.kubernetes.io/name: granary}\n"                                                \
    "spec: {image: '${GRANARY_AGENT_IMAGE}', args: " args "}\n"                                    \
    "---\n"                                                                                        \
    "apiVersion: stash.appscode.com/v1beta1\nkind: Task\nmetadata:\n  name: etcd-backup\n"         \
    "  labels: {app.kubernetes.io/name: granary}\n"                                                \
    "spec: {steps: [{name: etcd-backup}]}\n"

static const struct loop *const table[] = {&catalog_loop, NULL};

/* ---- what stands there ---- */

#define OBJECT(labels, more, spec)                                                                 \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Function', 'metadata': {'name': 'f', "  \
    "'labels': {" labels "}" more "}, 'spec': " spec "}"
#define OURS "'app.kubernetes.io/name': 'granary'"
#define SPEC "{'image': 'i', 'args': ['a', 'b'], 'env': [{'name': 'N'}]}"

static const struct {
    const char *what, *labels, *spec;
    bool hashed; /* it has the hash of this release */
    enum catalog_state is;
} rows[] = {
    {"as it is", OURS, SPEC, true, CATALOG_CURRENT},
    {"with more of somebody's", OURS ", 'x': 'y'",
     "{'image': 'i', 'args': ['a', 'b'], 'env': [{'name': 'N', 'value': ''}], 'workingDir': '/'}",
     true, CATALOG_CURRENT},
    {"another image", OURS, "{'image': 'j', 'args': ['a', 'b'], 'env': [{'name': 'N'}]}", true,
     CATALOG_EDITED},
    {"another argument", OURS, "{'image': 'i', 'args': ['a', 'b', 'c'], 'env': [{'name': 'N'}]}",
     true, CATALOG_EDITED},
    {"without one", OURS, "{'image': 'i', 'env': [{'name': 'N'}]}", true, CATALOG_EDITED},
    {"of another release, or of kubectl", OURS, SPEC, false, CATALOG_OLDER},
    {"Stash's", "'app.kubernetes.io/name': 'stash-catalog'", SPEC, false, CATALOG_FOREIGN},
    {"somebody's, with a copied hash", "", SPEC, true, CATALOG_FOREIGN},
};

static json_t *row_object(const char *labels, const char *spec, const char *hash)
{
    AUTO(free)
    char *more = hash ? text_format(", 'annotations': {'granary.dev/catalog-sha256': '%s'}", hash)
                      : text_dup("", 0);
    AUTO(free)
    char *row = text_format(OBJECT("%s", "%s", "%s"), labels, more, spec);

    return json_row(row);
}

START_TEST(what_somebody_made_of_it)
    {
        AUTO(json) json_t *object = row_object(OURS, SPEC, NULL);
        AUTO(json) json_t *intent = catalog_intent(object);
        const char *hash =
            tree_text(tree_at(intent, "metadata.annotations"), "granary.dev/catalog-sha256");
        AUTO(json)
        json_t *found = row_object(rows[_i].labels, rows[_i].spec, rows[_i].hashed ? hash : NULL);

        ck_assert_msg(catalog_state(found, intent) == rows[_i].is, "%s: %d", rows[_i].what,
                      catalog_state(found, intent));
        ck_assert_int_eq(catalog_state(NULL, intent), CATALOG_ABSENT);
    }
END_TEST

/* ---- the loop ---- */

static void begin(struct stand *stand, const struct folder *folder, const char *manifest)
{
    folder_write(folder, "etcd.yaml", manifest);
    stand->functions = folder->path;
    stand_lead(stand, table);
    ck_assert(loops_wait_idle(stand->loops, 60000));
}

static int64_t problems(const struct stand *stand)
{
    return loops_look_at(stand->loops, 0).problems;
}

START_TEST(it_is_applied_once_and_again_for_a_new_release)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct stand stand;

        stand_prepare(&stand);
        begin(&stand, &folder, MANIFEST("[one]"));
        stand_await(&stand, FUNCTION,
                    "{'spec.args': ['one'], 'spec.image': '${GRANARY_AGENT_IMAGE}'}");
        stand_await(&stand, TASK, "{'spec.steps': [{'name': 'etcd-backup'}]}");
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), 2);
        /* the next leader of the same release */
        begin(&stand, &folder, MANIFEST("[one]"));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 2);
        /* one of another release: what has changed, and nothing else */
        AUTO(json) json_t *task = fake_cluster_get(stand.cluster, TASK);

        begin(&stand, &folder, MANIFEST("[two]"));
        stand_await(&stand, FUNCTION, "{'spec.args': ['two']}");
        ck_assert(loops_wait_idle(stand.loops, 60000));

        AUTO(json) json_t *same = fake_cluster_get(stand.cluster, TASK);

        ck_assert(tree_equal(task, same));
        /* what somebody takes away comes back */
        fake_cluster_remove(stand.cluster, TASK);
        stand_await(&stand, TASK, "{'spec.steps': [{'name': 'etcd-backup'}]}");
        ck_assert_int_eq(problems(&stand), 0);
        stand_done(&stand);
    }
END_TEST

START_TEST(what_somebody_changed_is_his_and_said)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct stand stand;
        json_t *edited;

        stand_prepare(&stand);
        begin(&stand, &folder, MANIFEST("[one]"));
        stand_await(&stand, FUNCTION, "{'spec.args': ['one']}");
        edited = fake_cluster_get(stand.cluster, FUNCTION);
        tree_put_text((json_t *)tree_get(edited, "spec"), "image", "mine");
        fake_cluster_put(stand.cluster, FUNCTION, edited);
        AWAIT(problems(&stand) == 1, "it is said");
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 2);
        stand_await(&stand, FUNCTION, "{'spec.image': 'mine'}");
        /* taken away, it is made anew, and nothing is wrong any more */
        fake_cluster_remove(stand.cluster, FUNCTION);
        stand_await(&stand, FUNCTION, "{'spec.image': '${GRANARY_AGENT_IMAGE}'}");
        AWAIT(problems(&stand) == 0, "nothing is wrong any more");
        stand_done(&stand);
    }
END_TEST

START_TEST(what_somebody_else_has_under_that_name_stays)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct stand stand;

        stand_prepare(&stand);
        stand_put(&stand, FUNCTION,
                  "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Function', 'metadata': "
                  "{'name': 'etcd-backup'}, 'spec': {'image': 'theirs'}}");
        begin(&stand, &folder, MANIFEST("[one]"));
        stand_await(&stand, TASK, "{'spec.steps': [{'name': 'etcd-backup'}]}");
        stand_await(&stand, FUNCTION, "{'spec': {'image': 'theirs'}}");
        AWAIT(problems(&stand) == 1, "it is said");
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 1);
        stand_done(&stand);
    }
END_TEST

/* A release whose text somebody states otherwise by an apply of his own. */
START_TEST(a_new_release_takes_nothing_from_anybody)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct stand stand;

        stand_prepare(&stand);
        stand_put(&stand, FUNCTION,
                  "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Function', 'metadata': "
                  "{'name': 'etcd-backup', 'labels': {'app.kubernetes.io/name': 'granary'}, "
                  "'managedFields': [{'manager': 'kubectl', 'operation': 'Apply'}]}, "
                  "'spec': {'image': 'mine', 'args': ['one']}}");
        begin(&stand, &folder, MANIFEST("[two]"));
        AWAIT(problems(&stand) == 1, "it is said");
        stand_await(&stand, FUNCTION, "{'spec': {'image': 'mine', 'args': ['one']}}");
        stand_done(&stand);
    }
END_TEST

START_TEST(without_a_folder_nothing_is_written)
    {
        struct stand stand;

        stand_prepare(&stand);
        stand_lead(&stand, table);
        ck_assert(loops_wait_idle(stand.loops, 60000));
        stand.functions = "/nowhere";
        stand_lead(&stand, table);
        ck_assert(loops_wait_idle(stand.loops, 60000));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        stand_done(&stand);
    }
END_TEST

SUITE(catalog_loop)
{
    suite_rows(tests, what_somebody_made_of_it, rows);
    tcase_add_test(tests, it_is_applied_once_and_again_for_a_new_release);
    tcase_add_test(tests, what_somebody_changed_is_his_and_said);
    tcase_add_test(tests, what_somebody_else_has_under_that_name_stays);
    tcase_add_test(tests, a_new_release_takes_nothing_from_anybody);
    tcase_add_test(tests, without_a_folder_nothing_is_written);
}
