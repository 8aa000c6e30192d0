#include "controllers/target_loop.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

/* The loop of targets before an API server that keeps objects. */

#define TIMEOUT_MS 60000

#define SHOP "/api/v1/namespaces/shop"
#define BLUEPRINT_PATH(name) "/apis/stash.appscode.com/v1beta1/backupblueprints/" name
#define DEPLOYMENT_PATH(name) "/apis/apps/v1/namespaces/shop/deployments/" name
#define CONFIGURATIONS "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupconfigurations"
#define REPOSITORIES "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories"
#define WEB "apps/Deployment/shop/web"

#define DEPLOYMENT(name, annotations)                                                              \
    "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': '" name "', 'namespace'" \
    ": 'shop', 'annotations': {" annotations "}}, 'spec': {'template': {'spec': {'containers': ["  \
    "{'name': 'app', 'volumeMounts': [{'name': 'a', 'mountPath': '/data'}]}], 'volumes': [{"       \
    "'name': 'a', 'persistentVolumeClaim': {'claimName': 'a'}}]}}}}"

static const struct loop *const table[] = {&target_loop, NULL};

/* An empty namespace, and one blueprint. */
static void prepare(struct stand *stand)
{
    stand_prepare(stand);
    stand_put(stand, SHOP, NAMESPACE(""));
    stand_put(stand, BLUEPRINT_PATH("daily"), DAILY);
}

static bool has_problem(const struct stand *stand, const char *key, const char *reason)
{
    AUTO(json) json_t *problems = loops_problems(stand->loops, &target_loop);
    const char *is = tree_text(tree_get(problems, key), "reason");

    return reason ? is && strcmp(is, reason) == 0 : !is;
}

static void await_problem(const struct stand *stand, const char *key, const char *reason)
{
    AWAIT(has_problem(stand, key, reason), "%s: no %s", key,
          reason ? reason : "end of its problem");
}

/* ---- the life of a target, stash-behaviour 2.6 ---- */

START_TEST(a_life)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_put(&stand, DEPLOYMENT_PATH("other"), DEPLOYMENT("other", ""));
        stand_lead(&stand, table);

        /* annotated: two writes, and the labels by which people find them */
        stand_await(&stand, CONFIGURATIONS "/deploy-web",
                    "{'spec.schedule': '@daily', 'spec.repository': {'name': 'deploy-web'},"
                    " 'spec.target.paths': ['/data'], 'metadata.labels': {'granary.dev/blueprint':"
                    " 'daily', 'granary.dev/target-kind': 'Deployment', 'granary.dev/target-name':"
                    " 'web'}}");
        stand_await(&stand, REPOSITORIES "/deploy-web", "{'kind': 'Repository'}");
        stand_must_rest(&stand, 0, 1);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 2);

        AUTO(json) json_t *repository = fake_cluster_get(stand.cluster, REPOSITORIES "/deploy-web");
        AUTO(json)
        json_t *configuration = fake_cluster_get(stand.cluster, CONFIGURATIONS "/deploy-web");

        ck_assert_str_eq(
            tree_text(tree_at(repository, "metadata.annotations"), KEY_PLAN_SHA256),
            tree_text(tree_at(configuration, "metadata.annotations"), KEY_PLAN_SHA256));

        /* paused by hand, which survives an edit of the blueprint, which is followed */
        tree_put_bool(json_object_get(configuration, "spec"), "paused", true);
        tree_put_int(json_object_get(configuration, "metadata"), "generation", 2);
        fake_cluster_put(stand.cluster, CONFIGURATIONS "/deploy-web", tree_copy(configuration));
        stand_must_rest(&stand, 0, 1);
        stand_put(
            &stand, BLUEPRINT_PATH("daily"),
            "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata':"
            " {'name': 'daily', 'generation': 4}, 'spec': {'schedule': '@hourly', " KEEP
            ", " AT("daily/${TARGET_KIND}/${TARGET_NAME}") "}}");
        stand_await(&stand, CONFIGURATIONS "/deploy-web",
                    "{'spec.schedule': '@hourly', 'spec.paused': true}");

        /* not annotated any more: the data stays */
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
        stand_await(&stand, CONFIGURATIONS "/deploy-web", NULL);

        AUTO(json) json_t *kept = fake_cluster_get(stand.cluster, REPOSITORIES "/deploy-web");
        const char *uid = tree_text(tree_get(repository, "metadata"), "uid");

        ck_assert_str_eq(tree_text(tree_get(kept, "metadata"), "uid"), uid);
        /* and is used again */
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_await(&stand, CONFIGURATIONS "/deploy-web",
                    "{'spec.repository': {'name': 'deploy-web'}}");
        fake_cluster_remove(stand.cluster, DEPLOYMENT_PATH("web"));
        stand_await(&stand, CONFIGURATIONS "/deploy-web", NULL);
        stand_await(&stand, REPOSITORIES "/deploy-web", "{'kind': 'Repository'}");
        stand_done(&stand);
    }
END_TEST

/* The blueprint comes last, or goes: what there is stays, and it is said. */
START_TEST(a_blueprint_that_comes_and_goes)
    {
        struct stand stand;

        prepare(&stand);
        fake_cluster_remove(stand.cluster, BLUEPRINT_PATH("daily"));
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_lead(&stand, table);
        await_problem(&stand, WEB, "BackupBlueprintNotFound");
        ck_assert_int_eq(loops_look_at(stand.loops, 0).problems, 1);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        stand_put(&stand, BLUEPRINT_PATH("daily"), DAILY);
        stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
        await_problem(&stand, WEB, NULL);
        fake_cluster_remove(stand.cluster, BLUEPRINT_PATH("daily"));
        await_problem(&stand, WEB, "BackupBlueprintNotFound");
        stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
        stand_done(&stand);
    }
END_TEST

/* The label of the namespace, which the informers bring in any order. */
START_TEST(a_label)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
        stand_lead(&stand, table);
        stand_put(&stand, SHOP, LABELLED);
        stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
        stand_put(&stand, SHOP, NAMESPACE(""));
        stand_await(&stand, CONFIGURATIONS "/deploy-web", NULL);
        stand_done(&stand);
    }
END_TEST

#define CLAIM_PATH "/api/v1/namespaces/shop/persistentvolumeclaims/a"
#define CLAIM                                                                                      \
    "{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': 'a', 'namespace'"  \
    ": 'shop'}, 'spec': {}, 'status': {'phase': 'Bound'}}"

/* A claim that nobody uses, until a workload takes it; the label goes. */
START_TEST(a_bare_claim)
    {
        struct stand stand;

        prepare(&stand);
        stand.bare_ms = 20;
        stand_put(&stand, SHOP, LABELLED);
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
        stand_put(&stand, CLAIM_PATH, CLAIM);
        stand_lead(&stand, table);
        stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
        stand_must_rest(&stand, 0, 1);
        ck_assert(stand_has(&stand, CONFIGURATIONS "/pvc-a", NULL));
        fake_cluster_remove(stand.cluster, DEPLOYMENT_PATH("web"));
        stand_await(&stand, CONFIGURATIONS "/pvc-a",
                    "{'metadata.labels': {'granary.dev/blueprint': 'daily',"
                    " 'granary.dev/target-kind': 'PersistentVolumeClaim',"
                    " 'granary.dev/target-name': 'a'}}");
        stand_must_rest(&stand, 0, 1);
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
        stand_await(&stand, CONFIGURATIONS "/pvc-a", NULL);
        stand_await(&stand, REPOSITORIES "/pvc-a", "{'kind': 'Repository'}");
        fake_cluster_remove(stand.cluster, DEPLOYMENT_PATH("web"));
        stand_await(&stand, CONFIGURATIONS "/pvc-a", "{'kind': 'BackupConfiguration'}");
        stand_put(&stand, SHOP, NAMESPACE(""));
        stand_await(&stand, CONFIGURATIONS "/pvc-a", NULL);
        stand_done(&stand);
    }
END_TEST

/* 10.1, 2: what somebody wrote himself is never touched. */
START_TEST(made_by_hand)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, CONFIGURATIONS "/deploy-web",
                  CONFIGURATION("'name': 'deploy-web'", "", ""));
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_lead(&stand, table);
        await_problem(&stand, WEB, "NameTaken");
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
        await_problem(&stand, WEB, NULL);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        stand_done(&stand);
    }
END_TEST

/* 10.1, 5: one place for two, both at once. One of them gets it. */
START_TEST(a_collision)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, BLUEPRINT_PATH("daily"), BLUEPRINT_AT("daily", "all", ""));
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_put(&stand, DEPLOYMENT_PATH("db"), DEPLOYMENT("db", ASKS));
        stand_lead(&stand, table);

        AWAIT(loops_look_at(stand.loops, 0).problems > 0, "nobody says it");
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));

        AUTO(json) json_t *now = loops_problems(stand.loops, &target_loop);
        AUTO(free) char *text = tree_format(now, NULL);
        AUTO(json) json_t *repositories = fake_cluster_list(stand.cluster, REPOSITORIES);

        ck_assert_uint_eq(json_array_size(repositories), 1);
        ck_assert_uint_eq(json_object_size(now), 1);
        ck_assert_msg(strstr(text, "shop/web") && strstr(text, "shop/db"), "%s", text);
        stand_done(&stand);
    }
END_TEST

/* A namespace that ends takes no new objects, and nobody makes a noise about it. */
START_TEST(an_ending_namespace)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, SHOP,
                  "{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop',"
                  " 'deletionTimestamp': '2024-05-01T13:30:00Z'}}");
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_lead(&stand, table);
        stand_must_rest(&stand, 0, 1);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        ck_assert_int_eq(loops_look_at(stand.loops, 0).problems, 0);
        stand_done(&stand);
    }
END_TEST

/* ---- stamps ---- */

#define NOW_S INT64_C(1714570200)

static size_t stamped(const struct stand *stand)
{
    AUTO(json)
    json_t *all = fake_cluster_list(stand->cluster, "/apis/apps/v1/namespaces/shop/deployments");
    const json_t *object;
    size_t i, count = 0;

    tree_items (all, i, object)
        if (tree_get(tree_at(object, "metadata.annotations"), KEY_STAMP))
            count++;
    return count;
}

/* Workloads that admission has missed: one after the other, and none that is older. */
START_TEST(stamps_one_after_the_other)
    {
        struct stand stand;

        prepare(&stand);
        fake_cluster_clock(stand.cluster, NOW_S);
        stand_put(&stand, BLUEPRINT_PATH("daily"),
                  BLUEPRINT("daily", ", 'rollout': {'maxPerMinute': 1}"));
        stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
        stand_put(&stand, DEPLOYMENT_PATH("db"), DEPLOYMENT("db", ASKS));
        stand_lead(&stand, table);
        stand_await(&stand, CONFIGURATIONS "/deploy-db", "{'kind': 'BackupConfiguration'}");
        stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
        stand_must_rest(&stand, 0, 1);
        ck_assert_uint_eq(stamped(&stand), 0); /* not known since when admission is ours */
        loops_set_active(stand.loops, NOW_S + 1);
        stand_must_rest(&stand, 0, 1);
        ck_assert_uint_eq(stamped(&stand), 0); /* they are older */
        loops_set_active(stand.loops, NOW_S);
        AWAIT(stamped(&stand) > 0, "nothing is stamped");
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_uint_eq(stamped(&stand), 1);
        stand_done(&stand);
    }
END_TEST

/* ---- a kind that nobody serves any more ---- */

#define APP_PATH "/apis/appcatalog.appscode.com/v1alpha1/namespaces/shop/appbindings/db"
#define APP                                                                                        \
    "{'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'AppBinding', 'metadata': {"       \
    "'name': 'db', 'namespace': 'shop', 'annotations': {" ASKS "}}, 'spec': {'type': 'pg'}}"
#define APP_KEY "appcatalog.appscode.com/AppBinding/shop/db"

/* Its objects may well be there: what was planned for them stays. */
START_TEST(a_kind_out_of_service)
    {
        struct stand stand;

        prepare(&stand);
        stand_put(&stand, BLUEPRINT_PATH("daily"), BLUEPRINT("daily", ", 'task': {'name': 't'}"));
        stand_put(&stand, APP_PATH, APP);
        stand_lead(&stand, table);
        stand_await(&stand, CONFIGURATIONS "/app-db", "{'kind': 'BackupConfiguration'}");
        fake_cluster_unserve(stand.cluster, "appbindings");
        await_problem(&stand, APP_KEY, "TargetKindNotServed");
        stand_must_rest(&stand, 0, 1);
        stand_await(&stand, CONFIGURATIONS "/app-db", "{'kind': 'BackupConfiguration'}");
        fake_cluster_unserve(stand.cluster, NULL);
        await_problem(&stand, APP_KEY, NULL);
        stand_await(&stand, CONFIGURATIONS "/app-db", "{'kind': 'BackupConfiguration'}");
        /* while one that is gone from a kind that is there is gone */
        fake_cluster_remove(stand.cluster, APP_PATH);
        stand_await(&stand, CONFIGURATIONS "/app-db", NULL);
        stand_done(&stand);
    }
END_TEST

/* ---- each write fails once, and the end is the same ---- */

#define FAILING_WRITES 6

static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};
#define FAILURES (int)(sizeof failures / sizeof *failures)

static json_t *without_stamps(json_t *objects_new)
{
    static const char *const stamps[] = {"uid", "resourceVersion", "creationTimestamp"};
    json_t *copy = json_array();
    const json_t *object;
    size_t i;

    tree_items (objects_new, i, object) {
        json_t *one = tree_copy(object);

        for (size_t s = 0; s < sizeof stamps / sizeof *stamps; s++)
            json_object_del(json_object_get(one, "metadata"), stamps[s]);
        tree_push_new(copy, one);
    }
    json_decref(objects_new);
    return copy;
}

/* What is there in the end. `number` 0: nothing fails. */
static json_t *live(int number, enum fake_failure how)
{
    struct stand stand;
    json_t *end = json_array();

    prepare(&stand);
    stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ASKS));
    stand_put(&stand, DEPLOYMENT_PATH("db"), DEPLOYMENT("db", ASKS));
    fake_cluster_fail(stand.cluster, number, how);
    stand_lead(&stand, table);
    stand_await(&stand, CONFIGURATIONS "/deploy-db", "{'kind': 'BackupConfiguration'}");
    stand_await(&stand, CONFIGURATIONS "/deploy-web", "{'kind': 'BackupConfiguration'}");
    stand_put(&stand, DEPLOYMENT_PATH("web"), DEPLOYMENT("web", ""));
    stand_await(&stand, CONFIGURATIONS "/deploy-web", NULL);
    await_problem(&stand, WEB, NULL);
    await_problem(&stand, "apps/Deployment/shop/db", NULL);
    tree_push_new(end, without_stamps(fake_cluster_list(stand.cluster, REPOSITORIES)));
    tree_push_new(end, without_stamps(fake_cluster_list(stand.cluster, CONFIGURATIONS)));
    stand_done(&stand);
    return end;
}

START_TEST(converges)
    {
        enum fake_failure how = failures[_i];
        AUTO(json) json_t *undisturbed = live(0, FAILS_NOT);

        ck_assert_uint_eq(json_array_size(json_array_get(undisturbed, 0)), 2);
        ck_assert_uint_eq(json_array_size(json_array_get(undisturbed, 1)), 1);
        for (int number = 1; number <= FAILING_WRITES; number++) {
            AUTO(json) json_t *end = live(number, how);
            AUTO(free) char *text = tree_format(end, NULL);

            ck_assert_msg(tree_equal(end, undisturbed), "write %d: %s", number, text);
        }
    }
END_TEST

SUITE(controllers_target_loop)
{
    tcase_add_test(tests, a_life);
    tcase_add_test(tests, a_blueprint_that_comes_and_goes);
    tcase_add_test(tests, a_label);
    tcase_add_test(tests, a_bare_claim);
    tcase_add_test(tests, made_by_hand);
    tcase_add_test(tests, a_collision);
    tcase_add_test(tests, an_ending_namespace);
    tcase_add_test(tests, stamps_one_after_the_other);
    tcase_add_test(tests, a_kind_out_of_service);
    tcase_add_loop_test(tests, converges, 0, FAILURES);
}
