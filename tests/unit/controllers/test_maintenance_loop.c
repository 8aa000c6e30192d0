#include "controllers/maintenance_loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/maintenance_status.h"
#include "controllers/references_loop.h"
#include "controllers/repository_lease.h"
#include "controllers/repository_place.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop before an API server that keeps objects: from a session that succeeded to a Repository
 * that says how many snapshots it has, and an agent that is let in again. */

#define STASH "/apis/stash.appscode.com/"
#define REPOSITORY STASH "v1alpha1/namespaces/store/repositories/r"
#define JOBS "/apis/batch/v1/namespaces/store/jobs"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/granary-system/leases"

static void succeed(const struct stand *stand)
{
    stand_put(
        stand, STASH "v1beta1/namespaces/shop/backupsessions/s",
        "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession','metadata':{'name':'s',"
        "'namespace':'shop'},'spec':{'invoker':{'apiGroup':'stash.appscode.com','kind':"
        "'BackupConfiguration','name':'c'}},'status':{'phase':'Succeeded','sessionDuration':'3s'}"
        "}");
}

#define KEEPS "'retentionPolicy':{'name':'p','keepLast':2,'prune':false}"

static void lead(struct stand *stand)
{
    static const struct loop *const table[] = {&maintenance_loop, NULL};

    stand_lead(stand, table);
}

/* `from`: the namespaces that may use the Repository; `more` of the configuration's spec. */
static void prepare_with(struct stand *stand, const char *from, const char *more)
{
    AUTO(free)
    char *repository = text_format(
        "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'r',"
        "'namespace':'store','uid':'r-1'},'spec':{'usagePolicy':{'allowedNamespaces':{'from':'%s'}}"
        ",'backend':{'s3':{'bucket':'b'},'storageSecretName':'keys'}}}",
        from);

    AUTO(free)
    char *configuration = text_format(
        "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{"
        "'name':'c','namespace':'shop'},'spec':{'repository':{'name':'r','namespace':'store'},"
        "'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'}},%s}}",
        more);

    stand_prepare(stand);
    /* sessions that have ended, and Jobs whose pods still have time to start */
    fake_cluster_clock(stand->cluster, clock_now_s() - 60);
    stand_put_namespace(stand, "kube-system");
    stand_put_namespace(stand, "shop");
    stand_put_namespace(stand, "store");
    stand_put(stand, REPOSITORY, repository);
    stand_put(stand, STASH "v1beta1/namespaces/shop/backupconfigurations/c", configuration);
    succeed(stand);
}

static void start_with(struct stand *stand, const char *from, const char *more)
{
    prepare_with(stand, from, more);
    lead(stand);
}

static void start(struct stand *stand, const char *from)
{
    start_with(stand, from, KEEPS);
}

/* NULL: there is none. New reference. */
static json_t *job_of(const struct stand *stand, const char *kind)
{
    AUTO(free) char *begin = text_format("granary-%s-r-", kind);
    AUTO(json) json_t *jobs = fake_cluster_list(stand->cluster, JOBS);
    const json_t *job;
    size_t k;

    tree_items (jobs, k, job)
        if (strncmp(tree_text(tree_get(job, "metadata"), "name"), begin, strlen(begin)) == 0)
            return tree_share(job);
    return NULL;
}

static json_t *await_job(const struct stand *stand, const char *kind)
{
    json_t *job = NULL;

    AWAIT((job = job_of(stand, kind)) != NULL, "no Job of kind %s", kind);
    return job;
}

/* Its pod says this and has ended. */
static void end_job(const struct stand *stand, const json_t *job, const char *said)
{
    const char *name = tree_text(tree_get(job, "metadata"), "name");
    AUTO(free) char *pod = text_format("/api/v1/namespaces/store/pods/%s-x", name);
    AUTO(free) char *path = text_format(JOBS "/%s", name);
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-x','namespace':"
                            "'store','labels':{'job-name':'%s'}},'status':{'phase':'Succeeded',"
                            "'containerStatuses':[{'state':{'terminated':{'message':'%s'}}}]}}",
                            name, name, said);
    json_t *now = tree_copy(job);

    tree_put_new(now, "status", json_row("{'conditions':[{'type':'Complete','status':'True'}]}"));
    stand_put(stand, pod, row);
    fake_cluster_put(stand->cluster, path, now);
}

/* A pod may work there. False: not now. */
static bool may_share(const struct stand *stand, const struct repository_worker *worker)
{
    struct error err;
    bool in = false;

    if (!repository_lease_share(fake_cluster_client(stand->cluster), worker, 1, &in, &err))
        ck_assert_int_eq(err.code, ERROR_CONFLICT);
    return in;
}

START_TEST(test_session)
    {
        struct stand stand;
        const struct repository_worker worker = {"granary-system", "store/r", "s", "p"};

        start(&stand, "All");

        AUTO(json) json_t *forget = await_job(&stand, "forget");
        AUTO(free) char *text = tree_format(forget, NULL);

        ck_assert_msg(strstr(text, "--tag=target:apps/Deployment/shop/web"), "%s", text);
        ck_assert(!may_share(&stand, &worker));
        end_job(&stand, forget,
                "{\\\"kind\\\":\\\"forget\\\",\\\"removed\\\":1,\\\"snapshots\\\":2}");
        stand_await(&stand, REPOSITORY, "{'status.snapshotCount':2}");

        AUTO(json) json_t *check = await_job(&stand, "check");

        end_job(&stand, check, "{\\\"kind\\\":\\\"check\\\",\\\"errors\\\":0}");
        stand_await(&stand, REPOSITORY, "{'status.integrity':true}");
        AWAIT(may_share(&stand, &worker), "agents are kept out");
        stand_done(&stand);
    }
END_TEST

/* Who may not use a Repository has no say in what is removed from it. */
START_TEST(test_not_allowed)
    {
        struct stand stand;

        start(&stand, "Same");
        stand_look_again(&stand, 0, 1);

        AUTO(json) json_t *jobs = fake_cluster_list(stand.cluster, JOBS);

        ck_assert_uint_eq(json_array_size(jobs), 0);
        stand_done(&stand);
    }
END_TEST

/* Nothing is kept of a Repository that is gone. */
START_TEST(test_gone)
    {
        struct stand stand;
        const struct repository_worker worker = {"granary-system", "store/gone", "s", "p"};
        AUTO(free) char *name = repository_lease_name("store/gone");
        AUTO(free) char *path = text_format(LEASES "/%s", name);

        start(&stand, "All");
        ck_assert(may_share(&stand, &worker));
        stand_await(&stand, path, NULL);
        stand_done(&stand);
    }
END_TEST

/* A drill of another Repository, at work or not. */
static void put_drill(const struct stand *stand, const char *name, const char *conditions)
{
    AUTO(free) char *path = text_format("/apis/batch/v1/namespaces/other/jobs/%s", name);
    AUTO(free)
    char *row = text_format(
        "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'%s','namespace':'other',"
        "'labels':{'app.kubernetes.io/managed-by':'stash.appscode.com'},'ownerReferences':[{'kind':"
        "'Repository','name':'o','uid':'o-1'}]},'status':{'conditions':[%s]}}",
        name, conditions);

    stand_put(stand, path, row);
}

/* True once a slot has gone by since the schedule is known. */
static bool slot_has_passed(const struct stand *stand)
{
    AUTO(json) json_t *repository = fake_cluster_get(stand->cluster, REPOSITORY);
    int64_t since_s = 0;

    (void)maintenance_status_plan(tree_get(repository, "status"), &since_s);
    return since_s && clock_now_s() > since_s + 1;
}

/* When all is looked at again. */
static bool drill_begins(const struct stand *stand)
{
    AUTO(json) json_t *job = NULL;

    loops_sweep(stand->loops);
    job = job_of(stand, "verify");
    return job != NULL;
}

/* Another Repository of the same place, and who writes to it; NULL: nobody. */
static void put_other(const struct stand *stand, const char *name, const char *created,
                      const char *configuration)
{
    AUTO(free) char *path = text_format(STASH "v1alpha1/namespaces/store/repositories/%s", name);
    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository',"
                            "'metadata':{'name':'%s','namespace':'store','uid':'u-%s',"
                            "'creationTimestamp':'%s'},'spec':{'backend':{'s3':{'bucket':'/b/'},"
                            "'storageSecretName':'others'}}}",
                            name, name, created);

    stand_put(stand, path, row);
    if (!configuration)
        return;

    AUTO(free)
    char *its =
        text_format(STASH "v1beta1/namespaces/store/backupconfigurations/%s", configuration);
    AUTO(free)
    char *spec = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':"
                             "'BackupConfiguration','metadata':{'name':'%s','namespace':'store'},"
                             "'spec':{'repository':{'name':'%s'}}}",
                             configuration, name);

    stand_put(stand, its, spec);
}

static bool is_taken(const struct stand *stand)
{
    AUTO(json) json_t *repository = fake_cluster_get(stand->cluster, REPOSITORY);
    const json_t *condition =
        tree_item(tree_at(repository, "status.conditions"), "type", REPOSITORY_PLACE);

    return span_is(tree_span(condition, "status"), "False") &&
           strstr(tree_text(condition, "message"), "Repository store/first ");
}

static void place_must_be_taken(struct stand *stand)
{
    static const struct loop *const table[] = {&maintenance_loop, &references_loop, NULL};

    stand_lead(stand, table);
    AWAIT(is_taken(stand), "nobody says that its place is taken");
}

/* Of two Repositories in one place the older one that is written to maintains it. */
START_TEST(test_place)
    {
        struct stand stand;
        AUTO(json) json_t *job = NULL;

        prepare_with(&stand, "All", KEEPS);
        put_other(&stand, "first", "2020-01-01T00:00:00Z", "w");
        put_other(&stand, "second", "2020-01-02T00:00:00Z", "x");
        place_must_be_taken(&stand);
        stand_look_again(&stand, 0, 2);
        ck_assert_ptr_null(job_of(&stand, "forget"));
        ck_assert_ptr_null(job_of(&stand, "check"));
        fake_cluster_remove(stand.cluster, STASH "v1alpha1/namespaces/store/repositories/first");
        fake_cluster_remove(stand.cluster, STASH "v1alpha1/namespaces/store/repositories/second");
        job = await_job(&stand, "forget");
        stand_done(&stand);
    }
END_TEST

/* One that only serves restores, or is younger, changes nothing; who works for it is waited for. */
START_TEST(test_place_of_restores)
    {
        const struct repository_worker worker = {"granary-system", "store/younger", "s-2", "p-2"};
        struct stand stand;
        AUTO(json) json_t *job = NULL;
        struct error err;
        bool in;

        prepare_with(&stand, "All", KEEPS);
        put_other(&stand, "reader", "2020-01-01T00:00:00Z", NULL);
        put_other(&stand, "younger", "2099-01-01T00:00:00Z", "x");
        ck_assert(repository_lease_share(fake_cluster_client(stand.cluster), &worker, clock_now_s(),
                                         &in, &err));
        lead(&stand);
        stand_look_again(&stand, 0, 2);
        ck_assert_ptr_null(job_of(&stand, "forget"));
        ck_assert(repository_lease_leave(fake_cluster_client(stand.cluster), &worker, &err));
        stand_look_again(&stand, 0, 2);
        job = await_job(&stand, "forget");
        stand_done(&stand);
    }
END_TEST

/* In the whole cluster only so many drills are at work. */
START_TEST(test_crowded)
    {
        struct stand stand;

        start_with(&stand, "All", "'verify':{'schedule':'@every 1s'}");
        put_drill(&stand, "granary-verify-o-1", "");
        put_drill(&stand, "granary-verify-o-2", "");
        put_drill(&stand, "granary-verify-o-3", "{'type':'Complete','status':'True'}");
        put_drill(&stand, "granary-check-o-4", "");

        AUTO(json) json_t *check = await_job(&stand, "check");

        end_job(&stand, check, "{\\\"kind\\\":\\\"check\\\",\\\"errors\\\":0}");
        stand_await(&stand, REPOSITORY, "{'status.integrity':true}");
        AWAIT(slot_has_passed(&stand), "no slot passes");
        stand_look_again(&stand, 0, 2);
        ck_assert_ptr_null(job_of(&stand, "verify"));
        put_drill(&stand, "granary-verify-o-2", "{'type':'Failed','status':'True'}");
        AWAIT(drill_begins(&stand), "no drill");
        stand_done(&stand);
    }
END_TEST

SUITE(maintenance_loop)
{
    tcase_add_test(tests, test_place);
    tcase_add_test(tests, test_place_of_restores);
    tcase_add_test(tests, test_crowded);
    tcase_add_test(tests, test_session);
    tcase_add_test(tests, test_not_allowed);
    tcase_add_test(tests, test_gone);
}
