#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/repository_lease.h"
#include "controllers/session_make.h"
#include "controllers/target_lease.h"
#include "controllers/target_pods.h"
#include "tests/unit/controllers/stage.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

static void must_be(struct stage *stage, const char *name, const char *phase)
{
    AUTO(free) char *is = stage_phase(stage, name);

    ck_assert_str_eq(is, phase);
}

/* What an agent's result leads to, written by somebody else. */
static void put_result(struct stage *stage, const char *host, const char *phase)
{
    json_t *session = fake_cluster_get(stage->cluster, STAGE_SESSIONS "/s1");
    json_t *status = json_object_get(session, "status"), *stat = json_object();
    json_t *target = json_array_get(json_object_get(status, "targets"), 0), *stats = json_array();

    tree_put_text(stat, "hostname", host);
    tree_put_text(stat, "phase", phase);
    tree_push_new(stats, stat);
    tree_put_new(target, "stats", stats);
    fake_cluster_put(stage->cluster, STAGE_SESSIONS "/s1", session);
}

static void claim(struct stage *stage, const char *host, const char *pod)
{
    AUTO(json) json_t *lease = stage_lease(stage);
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    struct error err = {.message = ""};

    *claims = (struct claims){.session = STAGE_SESSION_UID, .since_s = stage->now_s};
    claims->list[claims->count++] = (struct claim){
        .host = host, .pod = pod, .instance = "i", .attempt = 1, .since_s = stage->now_s};
    ck_assert_msg(target_lease_write(stage->edge.client, lease, claims, &err), "%s", err.message);
}

/* As a desk does it before a claim. */
static void let_in(struct stage *stage, const char *pod)
{
    const struct repository_worker worker = {stage->edge.space, "shop/r", STAGE_SESSION_UID, pod};
    struct error err = {.message = ""};
    bool in = false;

    ck_assert_msg(repository_lease_share(stage->edge.client, &worker, stage->now_s, &in, &err),
                  "%s", err.message);
    ck_assert(in);
}

/* ---- the whole life, and every write that fails ---- */

/* Lease, Running, claim, result, drop, Succeeded, given back. */
static void live(struct stage *stage)
{
    stage_session(stage, "");
    stage_settle(stage);
    must_be(stage, "s1", "Running");
    claim(stage, "host-0", STAGE_POD_UID);
    stage_settle(stage);
    put_result(stage, "host-0", "Succeeded");
    stage_settle(stage);
}

static char *end_of(struct stage *stage)
{
    AUTO(json) json_t *sessions = fake_cluster_list(stage->cluster, STAGE_SESSIONS);
    AUTO(json) json_t *leases = fake_cluster_list(stage->cluster, STAGE_LEASES);
    AUTO(json) json_t *shown = json_array();
    const json_t *session;
    size_t i;

    tree_items (sessions, i, session) {
        tree_push_text(shown, tree_text(tree_get(session, "metadata"), "name"));
        tree_push_new(shown, tree_copy(tree_get(session, "status")));
    }
    tree_push_new(shown, tree_copy(leases));
    return tree_format(shown, NULL);
}

START_TEST(a_life)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        live(&stage);
        must_be(&stage, "s1", "Succeeded");

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_ptr_null(lease);
        ck_assert_str_eq(text_get(&stage.events), "BackupStarted BackupSucceeded ");
        /* take, Running, the test's claim, drop, Succeeded, give back */
        ck_assert_int_eq(fake_cluster_writes(stage.cluster), 6);
        stage_settle(&stage);
        ck_assert_int_eq(fake_cluster_writes(stage.cluster), 6);
    }
END_TEST

#define LIFE_WRITES 6

/* One row for each write and each way to fail: in the end all is as if nothing had happened. */
START_TEST(a_life_with_a_failure)
    {
        int number = _i % LIFE_WRITES + 1;

        if (number != 3) /* that is the test's own */
            stage_must_end_alike(live, end_of, number, (enum fake_failure)(_i / LIFE_WRITES + 1));
    }
END_TEST

/* ---- rows: what happens in between ---- */

static void deletes_configuration(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_CONFIGURATION);
}

/* Which is proof at once, by whatever clock. */
static void loses_pod(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_PODS "/web-1-a");
}

/* Its name is not what counts. */
static void replaces_pod(struct stage *stage)
{
    loses_pod(stage);
    stage_pod(stage, "web-1-a", "11111111-0000-4000-8000-000000000002", "{'phase':'Running'}");
}

/* The workload was deleted without its pods: they work on. */
static void orphans_pod(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_WORKLOAD);
    fake_cluster_remove(stage->cluster, STAGE_MAKER);
    stage_wait(stage, 601);
}

static void strips_pod(struct stage *stage)
{
    json_t *pod = fake_cluster_get(stage->cluster, STAGE_PODS "/web-1-a");

    json_object_del(json_object_get(pod, "metadata"), "labels");
    json_object_del(json_object_get(pod, "metadata"), "ownerReferences");
    fake_cluster_put(stage->cluster, STAGE_PODS "/web-1-a", pod);
    stage_wait(stage, 400);
}

static void deletes_session(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_SESSIONS "/s1");
    loses_pod(stage);
}

static void is_silent(struct stage *stage)
{
    stage_wait(stage, 900);
}

static void says_something(struct stage *stage)
{
    stage_wait(stage, 900);
    stage->heard_s = stage->now_s - 10;
}

static void scales_to_zero(struct stage *stage)
{
    json_t *workload = fake_cluster_get(stage->cluster, STAGE_WORKLOAD);

    tree_put_int(json_object_get(workload, "spec"), "replicas", 0);
    fake_cluster_put(stage->cluster, STAGE_WORKLOAD, workload);
    fake_cluster_remove(stage->cluster, STAGE_PODS "/web-1-a");
    stage_wait(stage, 601);
}

static void deletes_workload(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_WORKLOAD);
    fake_cluster_remove(stage->cluster, STAGE_PODS "/web-1-a");
    stage_wait(stage, 601);
}

static void says_done(struct stage *stage)
{
    put_result(stage, "host-0", "Failed");
}

static void passes_deadline(struct stage *stage)
{
    json_t *configuration = fake_cluster_get(stage->cluster, STAGE_CONFIGURATION);

    tree_put_text(json_object_get(configuration, "spec"), "timeOut", "10m");
    fake_cluster_put(stage->cluster, STAGE_CONFIGURATION, configuration);
    stage_wait(stage, 600);
}

/* A claim is there already. */
static const struct {
    void (*event)(struct stage *stage);
    const char *phase, *events;
    bool held; /* the Lease stays, since somebody may still be at work */
} event_rows[] = {
    {deletes_configuration, "Failed", "BackupStarted BackupFailed ", true},
    {loses_pod, "Running", "BackupStarted ", true}, /* and the next pod may try */
    {replaces_pod, "Running", "BackupStarted ", true},
    {orphans_pod, "Running", "BackupStarted ", true},
    {strips_pod, "Running", "BackupStarted ", true},
    {deletes_session, "gone", "BackupStarted ", false},
    {is_silent, "Failed", "BackupStarted HostFailed BackupFailed ", true},
    {says_something, "Running", "BackupStarted ", true},
    {scales_to_zero, "Failed", "BackupStarted BackupFailed ", false},
    {deletes_workload, "Failed", "BackupStarted BackupFailed ", false},
    {says_done, "Failed", "BackupStarted BackupFailed ", true},
    {passes_deadline, "Failed", "BackupStarted BackupFailed ", true},
};

START_TEST(what_happens_to_it)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        claim(&stage, "host-0", STAGE_POD_UID);
        event_rows[_i].event(&stage);
        stage_settle(&stage);
        must_be(&stage, "s1", event_rows[_i].phase);
        ck_assert_str_eq(text_get(&stage.events), event_rows[_i].events);

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_int_eq(lease != NULL, event_rows[_i].held);
        /* the agent is gone: nothing holds the target any more */
        if (strcmp(event_rows[_i].phase, "Running") == 0)
            return;
        loses_pod(&stage);
        stage_settle(&stage);

        AUTO(json) json_t *later = stage_lease(&stage);

        ck_assert_ptr_null(later);
    }
END_TEST

/* ---- who leaves the Repository ---- */

static void nothing(struct stage *stage)
{
    (void)stage;
}

/* Deleted by force, or with its node: whether it still runs nobody here knows, restic's lock does.
 */
static void loses_pod_and_waits(struct stage *stage)
{
    loses_pod(stage);
    stage_wait(stage, 900);
}

static void fails_to_write_that(struct stage *stage)
{
    loses_pod(stage);
    fake_cluster_fail(stage->cluster, 2, FAILS_CONFLICT);
}

static void fails_to_drop(struct stage *stage)
{
    loses_pod(stage);
    fake_cluster_fail(stage->cluster, 1, FAILS_CONFLICT);
}

static void says_done_well(struct stage *stage)
{
    put_result(stage, "host-0", "Succeeded");
}

static const struct {
    void (*event)(struct stage *stage);
    bool in; /* it is waited for: nothing proves its end */
} leave_rows[] = {
    {nothing, true},
    {loses_pod, false},
    {loses_pod_and_waits, false},
    {replaces_pod, false},
    {scales_to_zero, false},
    {deletes_workload, false},
    {says_done_well, false},
    {deletes_session, false},
    /* it may be at work: silent, told to end, orphaned */
    {is_silent, true},
    {passes_deadline, true},
    {deletes_configuration, true},
    {orphans_pod, true},
    {says_done, true},
    {fails_to_write_that, true}, /* maintenance finds it after a while */
    {fails_to_drop, false},
};

START_TEST(who_leaves)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        let_in(&stage, STAGE_POD_UID);
        let_in(&stage, "another");
        claim(&stage, "host-0", STAGE_POD_UID);
        leave_rows[_i].event(&stage);
        stage_settle(&stage);
        ck_assert_int_eq(stage_is_in(&stage, STAGE_POD_UID), leave_rows[_i].in);
        ck_assert(stage_is_in(&stage, "another"));
    }
END_TEST

/* ---- what never begins ---- */

START_TEST(not_ready)
    {
        AUTO(stage) struct stage stage;
        json_t *configuration;

        stage_start(&stage);
        configuration = fake_cluster_get(stage.cluster, STAGE_CONFIGURATION);
        tree_put_new(configuration, "status", json_row("{'phase':'NotReady'}"));
        fake_cluster_put(stage.cluster, STAGE_CONFIGURATION, configuration);
        stage_session(&stage, "");
        stage_settle(&stage);
        must_be(&stage, "s1", "Pending");
        stage_wait(&stage, 300);
        stage_settle(&stage);
        must_be(&stage, "s1", "Skipped");
        ck_assert_int_eq(fake_cluster_writes(stage.cluster), 2);
    }
END_TEST

START_TEST(held_by_another)
    {
        AUTO(stage) struct stage stage;
        AUTO(free) char *name = target_lease_name("apps/Deployment/shop/web");
        AUTO(free) char *path = text_format(STAGE_LEASES "/%s", name);

        stage_start(&stage);
        stage_put(&stage, path,
                  "{'metadata':{'annotations':{'granary.dev/target':'apps/Deployment/shop/web',"
                  "'granary.dev/ledger':'no ledger'}}}");
        stage_session(&stage, "");
        stage_settle(&stage);
        must_be(&stage, "s1", "Pending");
    }
END_TEST

/* A Lease that exists and is nobody's is written to, not made. */
START_TEST(an_empty_lease)
    {
        AUTO(stage) struct stage stage;
        AUTO(free) char *name = target_lease_name("apps/Deployment/shop/web");
        AUTO(free) char *path = text_format(STAGE_LEASES "/%s", name);
        AUTO(free)
        char *row = text_format("{'apiVersion':'coordination.k8s.io/v1','kind':'Lease',"
                                "'metadata':{'name':'%s','namespace':'granary-system',"
                                "'annotations':{'granary.dev/target':'apps/Deployment/shop/web'}}}",
                                name);

        stage_start(&stage);
        stage_put(&stage, path, row);
        live(&stage);
        must_be(&stage, "s1", "Succeeded");
    }
END_TEST

/* ---- retry and history ---- */

#define RETRY_WRITES 12

static void retry(struct stage *stage)
{
    stage_session(stage, ",'retryLeft':1");
    stage_settle(stage);
    put_result(stage, "host-0", "Failed");
    stage_settle(stage);
    stage_wait(stage, 60);
    stage_settle(stage);
}

START_TEST(tries_again)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        if (_i)
            fake_cluster_fail(stage.cluster, (_i - 1) % RETRY_WRITES + 1,
                              (_i - 1) / RETRY_WRITES ? FAILS_AFTER : FAILS_BEFORE);
        retry(&stage);

        AUTO(json) json_t *all = fake_cluster_list(stage.cluster, STAGE_SESSIONS);
        const json_t *second = json_array_get(all, 0), *first = json_array_get(all, 1);

        ck_assert_int_eq(json_array_size(all), 2);
        ck_assert(tree_true(tree_get(first, "status"), "retried"));
        ck_assert_int_eq(tree_int(tree_get(second, "spec"), "retryLeft", -1), 0);
        ck_assert_str_eq(tree_text(tree_get(second, "status"), "phase"), "Running");
        ck_assert_str_eq(tree_text(tree_at(second, "metadata.labels"), "team"), "a");
        ck_assert_str_eq(
            tree_text(json_array_get(tree_at(second, "metadata.ownerReferences"), 0), "uid"),
            STAGE_CONFIGURATION_UID);
    }
END_TEST

static void past(struct stage *stage, int number, const char *phase)
{
    AUTO(free) char *path = text_format(STAGE_SESSIONS "/p%d", number);
    AUTO(free)
    char *row = text_format("{'kind':'BackupSession','metadata':{'name':'p%d','namespace':'shop',"
                            "'creationTimestamp':'2024-04-0%dT00:00:00Z'},'spec':{'invoker':{"
                            "'kind':'BackupConfiguration','name':'c'}},'status':{'phase':'%s'}}",
                            number, number, phase);

    stage_put(stage, path, row);
}

/* The newest two, and the last with a result. */
START_TEST(keeps_history)
    {
        AUTO(stage) struct stage stage;
        static const char *const kept[] = {"p3", "p5", "p6"};

        stage_start(&stage);
        for (int i = 1; i <= 6; i++)
            past(&stage, i, i <= 3 ? "Succeeded" : "Skipped");
        fake_cluster_fail(stage.cluster, _i, (enum fake_failure)(1 + _i % 4));
        stage_settle(&stage);

        AUTO(json) json_t *all = fake_cluster_list(stage.cluster, STAGE_SESSIONS);

        ck_assert_int_eq(json_array_size(all), 3);
        for (size_t i = 0; i < 3; i++)
            ck_assert_str_eq(tree_text(tree_get(json_array_get(all, i), "metadata"), "name"),
                             kept[i]);
    }
END_TEST

/* ---- restores ---- */

#define RESTORE                                                                                    \
    "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/"                              \
    "v1','kind':'Deployment','name':'web'}}}"

START_TEST(restores)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        fake_cluster_fail(stage.cluster, _i, _i % 2 ? FAILS_BEFORE : FAILS_AFTER);
        stage_restore(&stage, RESTORE);
        stage_settle(&stage);
        must_be(&stage, "r1", "Pending");
        stage.asked = true;
        stage_settle(&stage);
        must_be(&stage, "r1", "Running");

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_ptr_nonnull(lease);
        ck_assert_str_eq(tree_text(tree_get(lease, "spec"), "holderIdentity"),
                         "RestoreSession/shop/r1");
        stage_wait(&stage, 3600);
        stage_settle(&stage);
        must_be(&stage, "r1", "Failed");

        AUTO(json) json_t *later = stage_lease(&stage);

        ck_assert_ptr_null(later);
    }
END_TEST

/* ---- parts ---- */

static const struct {
    const char *selector, *text;
} selector_rows[] = {
    {"{'matchLabels':{'app':'web'}}", "app=web"},
    {"{'app':'web','b':'c'}", "app=web,b=c"},
    {"{'matchExpressions':[{'key':'a','operator':'In','values':['x','y']},{'key':'b','operator':"
     "'DoesNotExist'},{'key':'c','operator':'Exists'},{'key':'d','operator':'NotIn','values':['z']"
     "}]}",
     "a in (x,y),!b,c,d notin (z)"},
    {"{}", NULL},
    {"null", NULL},
    {"{'matchLabels':{}}", NULL},
    {"{'matchLabels':{'a':1}}", NULL},
    {"{'matchExpressions':[{'key':'a','operator':'Is'}]}", NULL},
    {"{'matchExpressions':[{'operator':'Exists'}]}", NULL},
};

START_TEST(selectors)
    {
        AUTO(json) json_t *selector = json_row(selector_rows[_i].selector);
        AUTO(text) struct text text = {0};
        struct error err;

        ck_assert_int_eq(target_selector(selector, &text, &err), selector_rows[_i].text != NULL);
        ck_assert_str_eq(text_get(&text), selector_rows[_i].text ? selector_rows[_i].text : "");
    }
END_TEST

SUITE(session_edge)
{
    tcase_add_test(tests, a_life);
    tcase_add_loop_test(tests, a_life_with_a_failure, 0, LIFE_WRITES * FAILS_CONFLICT);
    suite_rows(tests, what_happens_to_it, event_rows);
    suite_rows(tests, who_leaves, leave_rows);
    tcase_add_test(tests, not_ready);
    tcase_add_test(tests, held_by_another);
    tcase_add_test(tests, an_empty_lease);
    tcase_add_loop_test(tests, tries_again, 0, 1 + 2 * RETRY_WRITES);
    tcase_add_loop_test(tests, keeps_history, 0, 5);
    tcase_add_loop_test(tests, restores, 0, 9);
    suite_rows(tests, selectors, selector_rows);
}
