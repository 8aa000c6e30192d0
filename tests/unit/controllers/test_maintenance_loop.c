#include "controllers/maintenance_loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/repository_lease.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop before an API server that keeps objects: from a session that succeeded to a Repository
 * that says how many snapshots it has, and an agent that is let in again. */

#define TIMEOUT_MS 60000
#define STASH "/apis/stash.appscode.com/"
#define REPOSITORY STASH "v1alpha1/namespaces/store/repositories/r"
#define JOBS "/apis/batch/v1/namespaces/store/jobs"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/granary-system/leases"

struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings;
    struct loops *loops;
};

static void put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void put_namespace(const struct stand *stand, const char *name)
{
    AUTO(free) char *path = text_format("/api/v1/namespaces/%s", name);
    AUTO(free)
    char *row =
        text_format("{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'%s'}}", name);

    put(stand, path, row);
}

static void succeed(const struct stand *stand)
{
    put(stand, STASH "v1beta1/namespaces/shop/backupsessions/s",
        "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession','metadata':{'name':'s',"
        "'namespace':'shop'},'spec':{'invoker':{'apiGroup':'stash.appscode.com','kind':"
        "'BackupConfiguration','name':'c'}},'status':{'phase':'Succeeded','sessionDuration':'3s'}"
        "}");
}

/* `from`: the namespaces that may use the Repository. */
static void start(struct stand *stand, const char *from)
{
    static const struct loop *const table[] = {&maintenance_loop, NULL};
    struct error err = {.message = ""};
    AUTO(free)
    char *repository = text_format(
        "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'r',"
        "'namespace':'store','uid':'r-1'},'spec':{'usagePolicy':{'allowedNamespaces':{'from':'%s'}}"
        ",'backend':{'s3':{'bucket':'b'},'storageSecretName':'keys'}}}",
        from);

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = fake_cluster_start()};
    put_namespace(stand, "kube-system");
    put_namespace(stand, "shop");
    put_namespace(stand, "store");
    put(stand, REPOSITORY, repository);
    put(stand, STASH "v1beta1/namespaces/shop/backupconfigurations/c",
        "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{"
        "'name':'c','namespace':'shop'},'spec':{'repository':{'name':'r','namespace':'store'},"
        "'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'}},"
        "'retentionPolicy':{'name':'p','keepLast':2,'prune':false}}}");
    succeed(stand);
    stand->settings = settings_store_make(NULL, false, &err);
    ck_assert_ptr_nonnull(stand->settings);

    struct loops_options options = {
        .table = table,
        .client = fake_cluster_client(stand->cluster),
        .settings = stand->settings,
        .space = "granary-system",
        .limits = {.first_ms = 1, .max_ms = 10, .rate = 1e6, .burst = 1e6},
        .watching = {.backoff_ms = 1, .backoff_max_ms = 4, .short_ms = 1},
        .lists_only = true,
    };

    stand->loops = loops_start(&options, &err);
    ck_assert_msg(stand->loops != NULL, "%s", err.message);
}

static void stop(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->cluster));
    loops_stop(TAKE(stand->loops));
    settings_store_free(TAKE(stand->settings));
    fake_cluster_stop(stand->cluster);
}

static void pause_shortly(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    nanosleep(&pause, NULL);
}

/* The Job of a kind; NULL when there is none in time. */
static json_t *await_job(const struct stand *stand, const char *kind)
{
    AUTO(free) char *begin = text_format("granary-%s-r-", kind);
    const json_t *job;
    size_t k;

    for (int i = 0; i < TIMEOUT_MS; i++, pause_shortly()) {
        AUTO(json) json_t *jobs = fake_cluster_list(stand->cluster, JOBS);

        tree_items (jobs, k, job)
            if (strncmp(tree_text(tree_get(job, "metadata"), "name"), begin, strlen(begin)) == 0)
                return tree_share(job);
    }
    ck_abort_msg("no Job of kind %s", kind);
    return NULL;
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
    put(stand, pod, row);
    fake_cluster_put(stand->cluster, path, now);
}

static void await_status(const struct stand *stand, const char *key, const json_t *wanted)
{
    bool same = false;

    for (int i = 0; i < TIMEOUT_MS && !same; i++, pause_shortly()) {
        AUTO(json) json_t *repository = fake_cluster_get(stand->cluster, REPOSITORY);

        same = tree_equal(tree_get(tree_get(repository, "status"), key), wanted);
    }
    ck_assert_msg(same, "%s", key);
}

START_TEST(test_session)
    {
        struct stand stand;
        const struct repository_worker worker = {"granary-system", "store/r", "s", "p"};
        AUTO(json) json_t *two = json_integer(2);
        struct error err;
        bool in = true;

        start(&stand, "All");

        AUTO(json) json_t *forget = await_job(&stand, "forget");
        AUTO(free) char *text = tree_format(forget, NULL);

        ck_assert_msg(strstr(text, "--tag=target:apps/Deployment/shop/web"), "%s", text);
        ck_assert(
            repository_lease_share(fake_cluster_client(stand.cluster), &worker, 1, &in, &err));
        ck_assert(!in);
        end_job(&stand, forget,
                "{\\\"kind\\\":\\\"forget\\\",\\\"removed\\\":1,\\\"snapshots\\\":2}");
        await_status(&stand, "snapshotCount", two);

        AUTO(json) json_t *check = await_job(&stand, "check");

        end_job(&stand, check, "{\\\"kind\\\":\\\"check\\\",\\\"errors\\\":0}");
        await_status(&stand, "integrity", json_true());
        for (int i = 0; i < TIMEOUT_MS && !in; i++, pause_shortly())
            if (!repository_lease_share(fake_cluster_client(stand.cluster), &worker, 1, &in, &err))
                ck_assert_int_eq(err.code, ERROR_CONFLICT);
        ck_assert(in);
        stop(&stand);
    }
END_TEST

/* Who may not use a Repository has no say in what is removed from it. */
START_TEST(test_not_allowed)
    {
        struct stand stand;

        start(&stand, "Same");
        for (int i = 0; i < TIMEOUT_MS && !loops_look_at(stand.loops, 0).steps; i++)
            pause_shortly();
        ck_assert_int_ge(loops_look_at(stand.loops, 0).steps, 1);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));

        AUTO(json) json_t *jobs = fake_cluster_list(stand.cluster, JOBS);

        ck_assert_uint_eq(json_array_size(jobs), 0);
        stop(&stand);
    }
END_TEST

/* Nothing is kept of a Repository that is gone. */
START_TEST(test_gone)
    {
        struct stand stand;
        const struct repository_worker worker = {"granary-system", "store/gone", "s", "p"};
        struct error err;
        AUTO(free) char *name = repository_lease_name("store/gone");
        AUTO(free) char *path = text_format(LEASES "/%s", name);
        bool in, left = true;

        start(&stand, "All");
        ck_assert(
            repository_lease_share(fake_cluster_client(stand.cluster), &worker, 1, &in, &err));
        ck_assert(in);
        for (int i = 0; i < TIMEOUT_MS && left; i++, pause_shortly()) {
            AUTO(json) json_t *lease = fake_cluster_get(stand.cluster, path);

            left = lease != NULL;
        }
        ck_assert(!left);
        stop(&stand);
    }
END_TEST

SUITE(maintenance_loop)
{
    tcase_add_test(tests, test_session);
    tcase_add_test(tests, test_not_allowed);
    tcase_add_test(tests, test_gone);
}
