#include "controllers/maintenance_edge.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/maintenance_next.h"
#include "controllers/maintenance_status.h"
#include "controllers/repository_lease.h"
#include "controllers/session_read.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define SPACE "granary-system"
#define KEY "shop/r"
#define REPOSITORY "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories/r"
#define SESSIONS "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupsessions"
#define JOBS "/apis/batch/v1/namespaces/shop/jobs"
#define PODS "/api/v1/namespaces/shop/pods"
#define A_REPOSITORY                                                                               \
    "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'r',"      \
    "'namespace':'shop','uid':'r-1'},'spec':{'backend':{'s3':{'bucket':'b'},"                      \
    "'storageSecretName':'keys'}},'status':{'lastBackupTime':'2024-05-01T13:29:00Z'}}"
#define CONFIGURATION(policy)                                                                      \
    "[{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{'name':" \
    "'c','namespace':'shop'},'spec':{'target':{'ref':{'apiVersion':'apps/v1','kind':"              \
    "'Deployment','name':'web'}},'retentionPolicy':" policy "}}]"
#define KEEPS "{'name':'p','keepLast':2,'prune':true}"

/* A Repository with backups, and a leader who takes one step at a time. */
struct stand {
    struct fake_cluster *cluster;
    json_t *configurations;
    struct settings settings;
    int64_t now_s;
    enum holder_state others; /* what is known of all who share it */
    bool taken;               /* another one maintains the place */
    struct text events;
};

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    struct stand *stand = context;

    ck_assert_str_eq(tree_text(object, "kind"), "Repository");
    text_addf(&stand->events, "%s ", event->reason);
}

static enum holder_state state_of(void *context, const struct holder *holder)
{
    (void)holder;
    return ((struct stand *)context)->others;
}

static void start(struct stand *stand, const char *policy)
{
    AUTO(free)
    char *row = text_format("[{'apiVersion':'stash.appscode.com/v1beta1','kind':"
                            "'BackupConfiguration','metadata':{'name':'c','namespace':'shop'},"
                            "'spec':{'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment',"
                            "'name':'web'}},'retentionPolicy':%s}}]",
                            policy);

    *stand = (struct stand){.cluster = fake_cluster_start(),
                            .configurations = json_row(row),
                            .now_s = NOW,
                            .others = HOLDER_UNKNOWN};
    settings_default(&stand->settings);
    fake_cluster_clock(stand->cluster, NOW);
    fake_cluster_put(stand->cluster, REPOSITORY, json_row(A_REPOSITORY));
}

static void auto_stand(struct stand *stand)
{
    fake_cluster_stop(stand->cluster);
    json_decref(stand->configurations);
    settings_done(&stand->settings);
    text_done(&stand->events);
}

/* One of configuration c that succeeded within a second. */
static void put_session(struct stand *stand, const char *name, const char *created)
{
    AUTO(free) char *path = text_format(SESSIONS "/%s", name);
    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession',"
                            "'metadata':{'name':'%s','namespace':'shop','creationTimestamp':'%s'},"
                            "'spec':{'invoker':{'kind':'BackupConfiguration','name':'c'}},"
                            "'status':{'phase':'Succeeded','sessionDuration':'1s'}}",
                            name, created);

    fake_cluster_put(stand->cluster, path, json_row(row));
}

static json_t *lease_of(struct stand *stand)
{
    AUTO(free) char *name = repository_lease_name(KEY);
    AUTO(free)
    char *path = text_format("/apis/coordination.k8s.io/v1/namespaces/" SPACE "/leases/%s", name);

    return fake_cluster_get(stand->cluster, path);
}

static bool step(struct stand *stand, struct maintenance_turn *turn, struct error *err)
{
    AUTO(json) json_t *repository = fake_cluster_get(stand->cluster, REPOSITORY);
    AUTO(json) json_t *lease = lease_of(stand);
    AUTO(json) json_t *sessions = fake_cluster_list(stand->cluster, SESSIONS);
    const struct maintenance_edge edge = {.client = fake_cluster_client(stand->cluster),
                                          .space = SPACE,
                                          .cluster = "cluster-1",
                                          .settings = &stand->settings,
                                          .state = state_of,
                                          .tell = tell,
                                          .context = stand};
    const struct maintenance_sight sight = {.key = KEY,
                                            .repository = repository,
                                            .lease = lease,
                                            .configurations = stand->configurations,
                                            .sessions = sessions,
                                            .taken = stand->taken,
                                            .now_s = stand->now_s};

    return maintenance_edge_step(&edge, &sight, turn, err);
}

/* Until nothing is written any more; what fails is tried again. */
static struct maintenance_turn settle(struct stand *stand)
{
    struct maintenance_turn turn;
    struct error err = {.message = ""};

    fake_cluster_clock(stand->cluster, stand->now_s);
    for (int i = 0; i < 60; i++)
        if (step(stand, &turn, &err) && !turn.wrote)
            return turn;
    ck_abort_msg("it never rests: %s", err.message);
    return turn;
}

/* That works on the Repository; NULL: none. */
static json_t *job_of(struct stand *stand)
{
    AUTO(json) json_t *lease = lease_of(stand);
    AUTO(repository_ledger) struct repository_ledger ledger = {0};
    struct error err;

    ck_assert(repository_ledger_take(lease, &ledger, &err));
    for (size_t i = 0; i < ledger.holders->count; i++)
        if (strcmp(ledger.holders->list[i].session, "r-1") == 0) {
            AUTO(free) char *path = text_format(JOBS "/%s", ledger.holders->list[i].pod);

            return fake_cluster_get(stand->cluster, path);
        }
    return NULL;
}

static size_t job_count(struct stand *stand)
{
    AUTO(json) json_t *all = fake_cluster_list(stand->cluster, JOBS);

    return json_array_size(all);
}

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return name ? name : "";
}

/* As the garbage collector does in the end. */
static void remove_pods(struct stand *stand)
{
    AUTO(json) json_t *pods = fake_cluster_list(stand->cluster, PODS);
    const json_t *pod;
    size_t i;

    tree_items (pods, i, pod) {
        AUTO(free) char *path = text_format(PODS "/%s", name_of(pod));

        fake_cluster_remove(stand->cluster, path);
    }
}

/* The Job's pod, in this phase and with this last word; and the Job ends when the pod does. */
static void run_pod(struct stand *stand, const char *phase, const char *word)
{
    AUTO(json) json_t *job = job_of(stand);
    AUTO(free) char *pod = text_format(PODS "/%s-x", name_of(job));
    AUTO(free) char *path = text_format(JOBS "/%s", name_of(job));
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-x','namespace':"
                            "'shop','labels':{'job-name':'%s'}},'status':{'phase':'%s',"
                            "'containerStatuses':[{'state':{'terminated':{'message':'%s'}}}]}}",
                            name_of(job), name_of(job), phase, word);
    json_t *status = json_row(
        strcmp(phase, "Failed") == 0      ? "{'conditions':[{'type':'Failed','status':'True'}]}"
        : strcmp(phase, "Succeeded") == 0 ? "{'conditions':[{'type':'Complete','status':'True'}]}"
                                          : "{}");
    json_t *now = tree_copy(job);

    remove_pods(stand);
    fake_cluster_put(stand->cluster, pod, json_row(row));
    tree_put_new(now, "status", status);
    fake_cluster_put(stand->cluster, path, now);
}

static bool is_alone(struct stand *stand)
{
    AUTO(json) json_t *lease = lease_of(stand);
    const char *ledger = tree_text(tree_at(lease, "metadata.annotations"), KEY_HOLDERS);

    return ledger && strstr(ledger, "\"exclusive\":true");
}

static json_t *status_of(struct stand *stand)
{
    AUTO(json) json_t *repository = fake_cluster_get(stand->cluster, REPOSITORY);

    return tree_share(tree_get(repository, "status"));
}

#define SAID(kind, more) "{\\\"kind\\\":\\\"" kind "\\\"" more "}"
#define FORGOT SAID("forget", ",\\\"removed\\\":3,\\\"snapshots\\\":2,\\\"bytes\\\":1234567")

static void must_begin(struct stand *stand, const char *name)
{
    AUTO(json) json_t *job = job_of(stand);

    ck_assert_msg(strncmp(name_of(job), name, strlen(name)) == 0, "%s", name_of(job));
    ck_assert(is_alone(stand));
}

/* Retention, prune and check, one after the other, each alone. */
static void live(struct stand *stand)
{
    settle(stand);
    must_begin(stand, "granary-forget-r-");
    run_pod(stand, "Running", "");
    settle(stand);
    ck_assert(is_alone(stand));
    run_pod(stand, "Succeeded", FORGOT);
    stand->now_s += 60;
    settle(stand);
    must_begin(stand, "granary-prune-r-");
    run_pod(stand, "Succeeded", SAID("prune", ",\\\"snapshots\\\":2,\\\"bytes\\\":1000"));
    stand->now_s += 60;
    settle(stand);
    must_begin(stand, "granary-check-r-");
    run_pod(stand, "Succeeded", SAID("check", ",\\\"errors\\\":0"));
    stand->now_s += 60;
    settle(stand);
    ck_assert(!is_alone(stand));
    ck_assert_uint_eq(job_count(stand), 3);
}

static void must_be_well(struct stand *stand)
{
    AUTO(json) json_t *status = status_of(stand);

    ck_assert_int_eq(tree_int(status, "snapshotCount", -1), 2);
    ck_assert_int_eq(tree_int(status, "snapshotsRemovedOnLastCleanup", -1), 3);
    ck_assert_str_eq(tree_text(status, "totalSize"), "1000 B");
    ck_assert(tree_true(status, "integrity"));
    ck_assert_uint_eq(json_array_size(tree_get(status, "maintenance")), 3);
    ck_assert_uint_eq(json_array_size(tree_get(status, "conditions")), 3);
}

START_TEST(test_life)
    {
        AUTO(stand) struct stand stand;

        start(&stand, KEEPS);
        live(&stand);
        must_be_well(&stand);
        ck_assert_str_eq(text_get(&stand.events), "");
    }
END_TEST

static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};

/* Each of its writes fails in each way, and all comes out the same but for a Job that was refused,
 * which is said, and tried again. */
START_TEST(test_failures)
    {
        AUTO(stand) struct stand stand;

        start(&stand, KEEPS);
        fake_cluster_fail(stand.cluster, _i / 4 + 1, failures[_i % 4]);
        if (failures[_i % 4] == FAILS_REFUSED) {
            settle(&stand);
            ck_assert(is_alone(&stand) || text_get(&stand.events)[0] || !job_count(&stand));
            return;
        }
        live(&stand);
        must_be_well(&stand);
    }
END_TEST

/* ---- others ---- */

static void let_in(struct stand *stand)
{
    const struct repository_worker worker = {SPACE, KEY, "s-1", "p-1"};
    struct error err;
    bool in;

    ck_assert(repository_lease_share(fake_cluster_client(stand->cluster), &worker, NOW, &in, &err));
    ck_assert(in);
}

/* It waits for who works there, and no longer. */
START_TEST(test_others)
    {
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;

        start(&stand, KEEPS);
        let_in(&stand);
        turn = settle(&stand);
        ck_assert(!is_alone(&stand) && turn.look_s <= NOW + 60);
        ck_assert_uint_eq(job_count(&stand), 0);
        stand.others = HOLDER_WORKS;
        settle(&stand);
        ck_assert_uint_eq(job_count(&stand), 0);
        stand.others = HOLDER_ENDED;
        settle(&stand);
        must_begin(&stand, "granary-forget-r-");
    }
END_TEST

/* One of the same name was deleted while a Job had it alone, and the new one has nothing to do yet:
 * that Job is in nobody's way once its pods have ended; a removal is. */
static const struct {
    const char *job, *pod;
    bool stays;
} left_rows[] = {
    {"granary-forget-r-1", "", false},
    {"granary-forget-r-1", "Succeeded", false},
    {"granary-forget-r-1", "Running", true},
    {"granary-wipe-r-1", "", true},
};

START_TEST(test_left)
    {
        AUTO(stand) struct stand stand;
        AUTO(repository_ledger) struct repository_ledger ledger = {0};
        struct error err;

        start(&stand, KEEPS);
        stand.taken = true;
        ck_assert(repository_ledger_take(NULL, &ledger, &err));
        ck_assert_int_eq(holders_exclude(ledger.holders, "r-0", left_rows[_i].job, NOW),
                         HOLDERS_LET_IN);
        ck_assert(
            repository_ledger_put(fake_cluster_client(stand.cluster), SPACE, KEY, &ledger, &err));
        if (*left_rows[_i].pod) {
            AUTO(free)
            char *pod = text_format("{'metadata':{'name':'x','namespace':'shop','uid':'x',"
                                    "'labels':{'job-name':'%s'}},'status':{'phase':'%s'}}",
                                    left_rows[_i].job, left_rows[_i].pod);

            fake_cluster_put(stand.cluster, PODS "/x", json_row(pod));
        }
        settle(&stand);
        ck_assert_int_eq(is_alone(&stand), left_rows[_i].stays);
    }
END_TEST

/* A pod that still ends may write: nobody is let in. */
START_TEST(test_still_ending)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *job = NULL;

        start(&stand, KEEPS);
        settle(&stand);
        job = job_of(&stand);

        AUTO(free) char *path = text_format(JOBS "/%s", name_of(job));

        run_pod(&stand, "Running", "");
        fake_cluster_remove(stand.cluster, path);
        settle(&stand);
        ck_assert(is_alone(&stand));
        ck_assert_uint_eq(job_count(&stand), 0);
        remove_pods(&stand);
        settle(&stand);
        must_begin(&stand, "granary-forget-r-");
    }
END_TEST

/* ---- what fails ---- */

/* A pod that is lost is tried again at once, and before anybody is let in; three times. */
START_TEST(test_lost)
    {
        AUTO(stand) struct stand stand;

        start(&stand, KEEPS);
        settle(&stand);
        for (size_t times = 1; times <= MAINTENANCE_AGAIN_MAX; times++) {
            AUTO(json) json_t *status = NULL;

            ck_assert_uint_eq(job_count(&stand), times);
            must_begin(&stand, "granary-forget-r-");
            run_pod(&stand, "Failed", times == 2 ? "Killed" : "");
            stand.now_s += 1;
            settle(&stand);
            status = status_of(&stand);
            ck_assert_str_eq(
                tree_text(json_array_get(tree_get(status, "maintenance"), 0), "reason"),
                MAINTENANCE_POD_LOST);
        }
        must_begin(&stand, "granary-check-r-"); /* something else may go well */
        ck_assert_str_eq(text_get(&stand.events), "FailedToApplyRetentionPolicy "
                                                  "FailedToApplyRetentionPolicy "
                                                  "FailedToApplyRetentionPolicy ");
    }
END_TEST

static const struct {
    const char *said, *reason, *message;
} ends[] = {
    {SAID("forget", ",\\\"reason\\\":\\\"AccessDenied\\\",\\\"message\\\":\\\"put it right\\\""),
     "FailedToApplyRetentionPolicy", "AccessDenied: put it right"},
    {SAID("forget", ",\\\"reason\\\":\\\"RepositoryLocked\\\""), "FailedToApplyRetentionPolicy",
     "RepositoryLocked: "},
};

START_TEST(test_failed)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL;
        const json_t *condition;

        start(&stand, KEEPS);
        settle(&stand);
        run_pod(&stand, "Failed", ends[_i].said);
        settle(&stand);
        status = status_of(&stand);
        condition = tree_item(tree_get(status, "conditions"), "type", "RetentionPolicyApplied");
        ck_assert_str_eq(tree_text(condition, "status"), "False");
        ck_assert_str_eq(tree_text(condition, "reason"), ends[_i].reason);
        ck_assert_str_eq(tree_text(condition, "message"), ends[_i].message);
        ck_assert_ptr_null(tree_get(status, "integrity"));
        must_begin(&stand, "granary-check-r-");
    }
END_TEST

/* From then on nothing is removed. RS6. */
START_TEST(test_damaged)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL;

        start(&stand, KEEPS);
        settle(&stand);
        run_pod(&stand, "Succeeded", FORGOT);
        settle(&stand);
        run_pod(&stand, "Succeeded", SAID("prune", ""));
        settle(&stand);
        must_begin(&stand, "granary-check-r-");
        run_pod(&stand, "Failed",
                SAID("check", ",\\\"reason\\\":\\\"RepositoryDamaged\\\",\\\"errors\\\":2"));
        stand.now_s += 5;
        put_session(&stand, "s", "2024-05-01T13:30:04Z");

        size_t before = job_count(&stand);

        settle(&stand);
        status = status_of(&stand);
        ck_assert(json_is_false(tree_get(status, "integrity")));
        ck_assert_uint_eq(job_count(&stand), before);
        ck_assert(!is_alone(&stand));
        ck_assert_str_eq(text_get(&stand.events), "FailedToVerifyRepositoryIntegrity ");
        stand.now_s += MAINTENANCE_RETRY_S; /* the same part, until it is in order */
        settle(&stand);
        must_begin(&stand, "granary-check-r-");
    }
END_TEST

/* An image that is not there keeps nobody out for a day. */
START_TEST(test_never_started)
    {
        AUTO(stand) struct stand stand;

        start(&stand, KEEPS);
        settle(&stand);
        run_pod(&stand, "Pending", "");
        stand.now_s += 899;
        settle(&stand);
        ck_assert(is_alone(&stand));
        stand.now_s += 1;
        ck_assert_uint_eq(job_count(&stand), 1);

        struct maintenance_turn turn;
        struct error err;

        ck_assert(step(&stand, &turn, &err) && turn.wrote);
        ck_assert(step(&stand, &turn, &err) && turn.wrote);
        ck_assert_uint_eq(job_count(&stand), 0);
        remove_pods(&stand);
        ck_assert(step(&stand, &turn, &err) && turn.let_in);
        ck_assert(!is_alone(&stand));
    }
END_TEST

/* What can not be done keeps nobody out at all. */
static const struct {
    const char *policy, *problem;
} bad[] = {
    {"{'name':'p','keepLast':-1,'keepDaily':1,'prune':true}", "keepLast can not be -1"},
};

START_TEST(test_bad)
    {
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;

        start(&stand, bad[_i].policy);
        turn = settle(&stand);
        ck_assert_msg(turn.bad && strstr(turn.problem, bad[_i].problem), "%s", turn.problem);
        ck_assert(!is_alone(&stand));
        ck_assert_uint_eq(job_count(&stand), 0);
    }
END_TEST

/* ---- unlock, asked for ---- */

START_TEST(test_unlock)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *repository = NULL, *status = NULL, *job = NULL;
        json_t *now;

        start(&stand, "{'name':'p','prune':false}");
        repository = fake_cluster_get(stand.cluster, REPOSITORY);
        now = tree_copy(repository);
        tree_put_new(json_object_get(now, "metadata"), "annotations",
                     json_row("{'granary.dev/unlock':'once'}"));
        fake_cluster_put(stand.cluster, REPOSITORY, now);
        settle(&stand);
        must_begin(&stand, "granary-unlock-r-");
        job = job_of(&stand);

        AUTO(free) char *text = tree_format(job, NULL);

        ck_assert(strstr(text, "--remove-all"));
        /* it stays asked for until it is done */
        run_pod(&stand, "Failed", "");
        stand.now_s += 1;
        settle(&stand);
        must_begin(&stand, "granary-unlock-r-");
        ck_assert_uint_eq(job_count(&stand), 2);
        run_pod(&stand, "Succeeded", SAID("unlock", ""));
        settle(&stand);
        status = status_of(&stand);
        ck_assert_str_eq(maintenance_status_unlock(status), "once");
        must_begin(&stand, "granary-check-r-");
    }
END_TEST

/* ---- a password that was changed ---- */

#define REFUSED                                                                                    \
    ",\\\"reason\\\":\\\"WrongPassword\\\",\\\"message\\\":\\\"no RESTIC_PASSWORD_OLD\\\""

/* A session that failed so. */
static void refuse(struct stand *stand, const char *name, const char *error)
{
    char time[CONDITION_TIME_BYTES];

    condition_time(stand->now_s - 3, time);

    AUTO(free)
    char *row = text_format(
        "{'metadata':{'name':'%s','namespace':'shop','creationTimestamp':'%s'},'status':{'phase':"
        "'Failed',"
        "'sessionDuration':'2s','targets':[{'stats':[{'hostname':'host-0','phase':'Succeeded'},"
        "{'hostname':'host-1','phase':'Failed','error':'%s'}]}]}}",
        name, time, error);

    AUTO(free) char *path = text_format(SESSIONS "/%s", name);

    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void must_be_valid(struct stand *stand, const char *status, const char *message)
{
    AUTO(json) json_t *now = status_of(stand);
    const json_t *condition =
        tree_item(tree_get(now, "conditions"), "type", "RepositoryPasswordValid");

    ck_assert_str_eq(tree_text(condition, "status"), status);
    ck_assert_pstr_eq(tree_text(condition, "message"), message);
}

/* True is not said any longer than it is. */
static void must_be_refused(struct stand *stand)
{
    AUTO(json) json_t *now = status_of(stand);
    const json_t *condition =
        tree_item(tree_get(now, "conditions"), "type", "RepositoryPasswordValid");

    ck_assert_str_eq(tree_text(condition, "status"), "False");
    ck_assert_str_eq(tree_text(condition, "reason"), "RepositoryRefusesPassword");
}

static const char *const not_refused[] = {"WrongPasswords: x", "AccessDenied: WrongPassword: x",
                                          "WrongPassword", ""};

START_TEST(test_other_failures)
    {
        AUTO(stand) struct stand stand;

        start(&stand, "{'name':'p','prune':false}");
        refuse(&stand, "s-1", not_refused[_i]);
        settle(&stand);
        must_begin(&stand, "granary-check-r-");
    }
END_TEST

/* The first session has asked in vain: the previous password was not given. */
START_TEST(test_key)
    {
        AUTO(stand) struct stand stand;

        start(&stand, "{'name':'p','prune':false}");
        refuse(&stand, "s-1", "WrongPassword: x");
        settle(&stand);
        must_begin(&stand, "granary-key-r-");
        must_be_refused(&stand);

        AUTO(json) json_t *job = job_of(&stand);
        AUTO(free) char *text = tree_format(job, NULL);

        ck_assert(strstr(text, "--kind=key") && strstr(text, "--run=[\\\"unlock\\\"]"));
        ck_assert(!strstr(text, "--remove-all"));
        run_pod(&stand, "Failed", SAID("key", REFUSED));
        stand.now_s += 10;
        settle(&stand);
        must_be_valid(&stand, "False", "WrongPassword: no RESTIC_PASSWORD_OLD");
        must_begin(&stand, "granary-check-r-"); /* something else may go well */
        run_pod(&stand, "Failed", SAID("check", REFUSED));
        stand.now_s += 10;
        settle(&stand);
        /* a check has met it since: no pause is waited for */
        must_begin(&stand, "granary-key-r-");
        run_pod(&stand, "Succeeded", SAID("key", ""));
        stand.now_s += 60;
        settle(&stand);
        must_be_valid(&stand, "True", NULL);
        must_begin(&stand, "granary-check-r-");
        run_pod(&stand, "Succeeded", SAID("check", ",\\\"errors\\\":0"));
        settle(&stand);
        ck_assert_ptr_null(job_of(&stand));
        refuse(&stand, "s-2", "WrongPassword: x");
        settle(&stand);
        must_begin(&stand, "granary-key-r-");
        must_be_refused(&stand);
    }
END_TEST

/* ---- drills ---- */

#define DRILLED                                                                                    \
    SAID("verify", ",\\\"verified\\\":2,\\\"restoredFiles\\\":30,\\\"restoredBytes\\\":4000")
#define WEB "/apis/apps/v1/namespaces/shop/deployments/web"

/* Up to its slot, after the first check. `verify`: more of it. */
static void start_drills(struct stand *stand, const char *policy, const char *verify)
{
    AUTO(free) char *row = text_format("{'schedule':'@hourly'%s}", verify);

    start(stand, policy);
    tree_put_new(json_object_get(json_array_get(stand->configurations, 0), "spec"), "verify",
                 json_row(row));
    fake_cluster_put(stand->cluster, WEB,
                     json_row("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':"
                              "'web','namespace':'shop'},'spec':{'template':{'spec':{"
                              "'containers':[{'name':'web','image':'web:1'}]}}}}"));
    settle(stand);
    while (is_alone(stand)) {
        AUTO(json) json_t *job = job_of(stand);
        const char *word = strstr(name_of(job), "-forget-")  ? FORGOT
                           : strstr(name_of(job), "-prune-") ? SAID("prune", "")
                                                             : SAID("check", ",\\\"errors\\\":0");

        run_pod(stand, "Succeeded", word);
        settle(stand);
    }
    ck_assert_ptr_null(job_of(stand));
}

static void must_drill(struct stand *stand)
{
    AUTO(json) json_t *job = job_of(stand);

    ck_assert_msg(strncmp(name_of(job), "granary-verify-r-", 17) == 0, "%s", name_of(job));
    ck_assert(!is_alone(stand));
}

/* Begins at its slot, works beside others, and what it counted is in the status. */
START_TEST(test_drill)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL, *job = NULL;
        const json_t *entry;

        start_drills(&stand, "{'name':'p','prune':false}", "");
        stand.now_s = NOW + 1799;
        settle(&stand);
        ck_assert_ptr_null(job_of(&stand));
        stand.now_s = NOW + 1800;
        settle(&stand);
        must_drill(&stand);
        let_in(&stand);
        stand.now_s += 60;
        run_pod(&stand, "Running", "");
        settle(&stand);
        must_drill(&stand);
        run_pod(&stand, "Succeeded", DRILLED);
        settle(&stand);
        job = job_of(&stand);
        ck_assert_ptr_null(job);
        status = status_of(&stand);
        entry = tree_item(tree_get(status, "maintenance"), "kind", "verify");
        ck_assert_str_eq(tree_text(entry, "lastSuccess"), "2024-05-01T14:00:00Z");
        ck_assert_int_eq(tree_int(entry, "verified", 0), 2);
        ck_assert_int_eq(tree_int(entry, "restoredFiles", 0), 30);
        ck_assert_int_eq(tree_int(entry, "restoredBytes", 0), 4000);
        ck_assert(tree_true(status, "integrity"));
        ck_assert_str_eq(
            tree_text(tree_item(tree_get(status, "conditions"), "type", "RestoreVerified"),
                      "status"),
            "True");
        /* who came in meanwhile stays, and the slot is not taken again */
        stand.now_s += 600;
        settle(&stand);
        ck_assert_ptr_null(job_of(&stand));
        stand.now_s = NOW + 5400;
        settle(&stand);
        must_drill(&stand);
    }
END_TEST

/* Each write of it fails in each way, and it comes out the same. */
START_TEST(test_drill_failures)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL;
        struct maintenance_turn turn;
        struct error err;

        start_drills(&stand, "{'name':'p','prune':false}", "");
        stand.now_s = NOW + 1800;
        fake_cluster_fail(stand.cluster, _i / 3 + 1,
                          _i % 3 == 0   ? FAILS_BEFORE
                          : _i % 3 == 1 ? FAILS_AFTER
                                        : FAILS_CONFLICT);
        (void)step(&stand, &turn, &err);
        settle(&stand);
        must_drill(&stand);
        run_pod(&stand, "Succeeded", DRILLED);
        settle(&stand);
        status = status_of(&stand);
        ck_assert_ptr_nonnull(
            tree_get(tree_item(tree_get(status, "maintenance"), "kind", "verify"), "lastSuccess"));
        ck_assert_ptr_null(job_of(&stand));
    }
END_TEST

static void new_session(struct stand *stand)
{
    put_session(stand, "s", "2024-05-01T14:10:00Z");
}

/* Nothing is removed from then on, also when a check finds nothing, until a drill goes well. RS6.
 */
START_TEST(test_drill_damage)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL, *later = NULL, *job = NULL;

        start_drills(&stand, KEEPS, "");
        stand.now_s = NOW + 1800;
        settle(&stand);
        must_drill(&stand);
        run_pod(&stand, "Failed",
                SAID("verify",
                     ",\\\"reason\\\":\\\"RepositoryDamaged\\\",\\\"message\\\":\\\"flipped\\\""));
        new_session(&stand);
        stand.now_s += 5;
        settle(&stand);
        ck_assert(strstr(text_get(&stand.events), "FailedToVerifyRestore"));
        status = status_of(&stand);
        ck_assert(json_is_false(tree_get(status, "integrity")));
        ck_assert_ptr_null(job_of(&stand));
        /* it is tried again; its pod is lost, and that is no better news */
        stand.now_s += 60;
        settle(&stand);
        must_drill(&stand);
        run_pod(&stand, "Failed", "");
        settle(&stand);
        stand.now_s = NOW + 86400;
        settle(&stand);
        job = job_of(&stand);
        ck_assert_msg(strncmp(name_of(job), "granary-check-r-", 16) == 0, "%s", name_of(job));
        run_pod(&stand, "Succeeded", SAID("check", ",\\\"errors\\\":0"));
        settle(&stand);
        later = status_of(&stand);
        ck_assert(json_is_false(tree_get(later, "integrity")));
        must_drill(&stand);
        run_pod(&stand, "Succeeded", DRILLED);
        settle(&stand);
        must_begin(&stand, "granary-forget-r-");
        json_decref(later);
        later = status_of(&stand);
        ck_assert(tree_true(later, "integrity"));
    }
END_TEST

/* A prune that meets damage is not tried again until it is gone: a check says so, nobody else. */
START_TEST(test_prune_damage)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL, *later = NULL;

        start(&stand, KEEPS);
        settle(&stand);
        run_pod(&stand, "Succeeded", FORGOT);
        settle(&stand);
        must_begin(&stand, "granary-prune-r-");
        run_pod(&stand, "Failed", SAID("prune", ",\\\"reason\\\":\\\"RepositoryDamaged\\\""));
        settle(&stand);
        status = status_of(&stand);
        ck_assert(json_is_false(tree_get(status, "integrity")));
        must_begin(&stand, "granary-check-r-");
        run_pod(&stand, "Succeeded", SAID("check", ",\\\"errors\\\":0"));
        stand.now_s += MAINTENANCE_RETRY_S;
        settle(&stand);
        later = status_of(&stand);
        ck_assert(tree_true(later, "integrity"));
        must_begin(&stand, "granary-prune-r-");
    }
END_TEST

/* The agent was the init container; the command has ended, or the Job did. */
static const struct {
    const char *end, *job; /* of the command's container; the Job's condition */
    const char *reason, *message;
    bool damaged;
} commands[] = {
    {"'exitCode':1,'reason':'Error','message':'secret-9'", "BackoffLimitExceeded",
     "VerifyCommandFailed", "with exit code 1", true},
    {"'exitCode':125,'reason':'Error'", "BackoffLimitExceeded", "VerifyCommandFailed",
     "with exit code 125", true},
    {"'exitCode':127,'reason':'Error'", "BackoffLimitExceeded", "VerifyCommandNotRun", "127",
     false},
    {"'exitCode':137,'reason':'OOMKilled'", "BackoffLimitExceeded", "VerifyCommandNotRun",
     "OOMKilled", false},
    {"'exitCode':128,'reason':'StartError'", "BackoffLimitExceeded", "VerifyCommandNotRun",
     "StartError", false},
    {"'exitCode':137,'reason':'Error'", "DeadlineExceeded", "DeadlineExceeded", "longer", false},
    {"'exitCode':0,'reason':'Completed'", "BackoffLimitExceeded", "PodLost", "killed", false},
};

static void end_command(struct stand *stand, const char *end, const char *why)
{
    AUTO(json) json_t *job = job_of(stand);
    AUTO(free) char *pod = text_format(PODS "/%s-x", name_of(job));
    AUTO(free) char *path = text_format(JOBS "/%s", name_of(job));
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-x','namespace':"
                            "'shop','labels':{'job-name':'%s'}},'status':{'phase':'Failed',"
                            "'initContainerStatuses':[{'name':'granary-maintain','state':{"
                            "'terminated':{'message':'" DRILLED
                            "'}}}],'containerStatuses':[{'name':'granary-verify-0','state':{"
                            "'terminated':{%s}}}]}}",
                            name_of(job), name_of(job), end);
    AUTO(free)
    char *status =
        text_format("{'conditions':[{'type':'Failed','status':'True','reason':'%s'}]}", why);
    json_t *now = tree_copy(job);

    fake_cluster_put(stand->cluster, pod, json_row(row));
    tree_put_new(now, "status", json_row(status));
    fake_cluster_put(stand->cluster, path, now);
}

START_TEST(test_command)
    {
        AUTO(stand) struct stand stand;
        AUTO(json) json_t *status = NULL;
        const json_t *entry, *condition;

        start_drills(&stand, "{'name':'p','prune':false}", ",'command':['true']");
        stand.now_s = NOW + 1800;
        settle(&stand);
        must_drill(&stand);
        end_command(&stand, commands[_i].end, commands[_i].job);
        stand.now_s += 5;
        settle(&stand);
        status = status_of(&stand);
        entry = tree_item(tree_get(status, "maintenance"), "kind", "verify");
        condition = tree_item(tree_get(status, "conditions"), "type", "RestoreVerified");
        ck_assert_str_eq(tree_text(entry, "reason"), commands[_i].reason);
        ck_assert_str_eq(tree_text(condition, "status"), "False");
        ck_assert_msg(strstr(tree_text(condition, "message"), commands[_i].message), "%s",
                      tree_text(condition, "message"));
        ck_assert(!strstr(tree_text(condition, "message"), "secret-9"));
        ck_assert_int_eq(tree_true(entry, "damaged"), commands[_i].damaged);
    }
END_TEST

/* What can not be run is said, and nobody is kept out for it. */
START_TEST(test_command_refused)
    {
        static const char *const where[] = {"elsewhere", "shop"};
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;

        start_drills(&stand, "{'name':'p','prune':false}", ",'command':['true']");
        tree_put_text(json_object_get(json_array_get(stand.configurations, 0), "metadata"),
                      "namespace", where[_i]);
        fake_cluster_remove(stand.cluster, WEB);
        stand.now_s = NOW + 4000;
        settle(&stand); /* the plan of another namespace is another one */
        stand.now_s = NOW + 9000;
        turn = settle(&stand);
        ck_assert_ptr_null(job_of(&stand));
        ck_assert(turn.bad);
        ck_assert_msg(strstr(turn.problem, _i ? "spec.verify.image" : "another namespace"), "%s",
                      turn.problem);
    }
END_TEST

/* ---- a repository on a claim ---- */

#define A_POD(name, phase, node, claim)                                                            \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "','namespace':'shop'},'spec':{"   \
    "'nodeName':'" node "','volumes':[{'name':'e'},{'name':'v','persistentVolumeClaim':{"          \
    "'claimName':'" claim "'}}]},'status':{'phase':'" phase "'}}"

static const struct {
    const char *mode, *pods[3], *node; /* NULL: anywhere */
    const char *problem;               /* NULL: the Job is made */
} claim_rows[] = {
    {"ReadWriteOnce", {A_POD("a", "Running", "n1", "store")}, "n1", NULL},
    {"ReadWriteOnce", {A_POD("a", "Pending", "n1", "store")}, "n1", NULL},
    {"ReadWriteMany", {A_POD("a", "Running", "n1", "store")}, NULL, NULL},
    {"ReadWriteOnce", {NULL}, NULL, NULL},
    /* it has ended, has no node yet, or has another one */
    {"ReadWriteOnce",
     {A_POD("a", "Succeeded", "n1", "store"), A_POD("b", "Pending", "", "store"),
      A_POD("c", "Running", "n2", "data")},
     NULL,
     NULL},
    {"ReadWriteOnce",
     {A_POD("a", "Failed", "n1", "store"), A_POD("b", "Running", "n2", "store")},
     "n2",
     NULL},
    {"ReadWriteOncePod", {A_POD("a", "Running", "n1", "store")}, NULL, "ReadWriteOncePod"},
    {NULL, {NULL}, NULL, "no PersistentVolumeClaim store"},
};

static void put_claim(struct stand *stand, const char *mode)
{
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{"
                            "'name':'store','namespace':'shop'},'spec':{'accessModes':['%s']}}",
                            mode);

    fake_cluster_put(stand->cluster, "/api/v1/namespaces/shop/persistentvolumeclaims/store",
                     json_row(row));
}

/* Where its Jobs can have the claim; what can not be is said, and nobody is kept out. */
START_TEST(test_claim)
    {
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;
        json_t *repository;

        start(&stand, KEEPS);
        repository = fake_cluster_get(stand.cluster, REPOSITORY);
        tree_put_new(json_object_get(repository, "spec"), "backend",
                     json_row("{'local':{'mountPath':'/repo','persistentVolumeClaim':{'claimName':"
                              "'store'}},'storageSecretName':'keys'}"));
        fake_cluster_put(stand.cluster, REPOSITORY, repository);
        if (claim_rows[_i].mode)
            put_claim(&stand, claim_rows[_i].mode);
        for (size_t i = 0; i < 3 && claim_rows[_i].pods[i]; i++) {
            AUTO(free) char *path = text_format(PODS "/%c", (int)('a' + i));

            fake_cluster_put(stand.cluster, path, json_row(claim_rows[_i].pods[i]));
        }
        turn = settle(&stand);

        AUTO(json) json_t *job = job_of(&stand);
        AUTO(free)
        char *affinity = tree_format(tree_at(job, "spec.template.spec.affinity"), NULL);

        ck_assert_int_eq(job == NULL, claim_rows[_i].problem != NULL);
        ck_assert_int_eq(turn.bad, claim_rows[_i].problem != NULL);
        if (claim_rows[_i].problem)
            ck_assert_ptr_nonnull(strstr(turn.problem, claim_rows[_i].problem));
        else if (!claim_rows[_i].node)
            ck_assert_str_eq(affinity, "");
        else
            ck_assert_ptr_nonnull(strstr(affinity, claim_rows[_i].node));
    }
END_TEST

/* It is not known where the claim is: that is tried again, and no Job is made meanwhile. */
START_TEST(test_claim_unknown)
    {
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;
        json_t *repository;
        struct error err;

        start(&stand, KEEPS);
        repository = fake_cluster_get(stand.cluster, REPOSITORY);
        tree_put_new(json_object_get(repository, "spec"), "backend",
                     json_row("{'local':{'mountPath':'/repo','persistentVolumeClaim':{'claimName':"
                              "'store'}},'storageSecretName':'keys'}"));
        fake_cluster_put(stand.cluster, REPOSITORY, repository);
        put_claim(&stand, "ReadWriteOnce");
        fake_cluster_unserve(stand.cluster, _i ? "pods" : "persistentvolumeclaims");
        ck_assert(!step(&stand, &turn, &err) || turn.bad);
        ck_assert_uint_eq(job_count(&stand), 0);
    }
END_TEST

/* ---- what the sessions say of it ---- */

/* "type=Status/Reason " of each condition; the caller frees it. */
static char *session_says(struct stand *stand, const char *name)
{
    AUTO(free) char *path = text_format(SESSIONS "/%s", name);
    AUTO(json) json_t *session = fake_cluster_get(stand->cluster, path);
    AUTO(text) struct text text = {0};
    const json_t *condition;
    size_t i;

    ck_assert_str_eq(tree_text(tree_get(session, "status"), "phase"), "Succeeded");
    ck_assert_str_eq(tree_text(tree_get(session, "status"), "sessionDuration"), "1s");
    tree_items (tree_at(session, "status.conditions"), i, condition)
        text_addf(&text, "%s=%s/%s ", tree_text(condition, "type"), tree_text(condition, "status"),
                  tree_text(condition, "reason"));
    return text_format("%s", text_get(&text));
}

static void session_must_say(struct stand *stand, const char *name, const char *words)
{
    AUTO(free) char *says = session_says(stand, name);

    ck_assert_str_eq(says, words);
}

#define APPLIED "RetentionPolicyApplied=True/SuccessfullyAppliedRetentionPolicy "
#define VERIFIED "RepositoryIntegrityVerified=True/SuccessfullyVerifiedRepositoryIntegrity "

/* The write of the first of two sessions: the last ones of such a life. */
#define FIRST_SAID 13

/* Once all is done, with one write for each of them; what comes later changes nothing. Each write
 * fails in each way. */
START_TEST(test_sessions_say)
    {
        AUTO(stand) struct stand stand;
        int writes;

        start(&stand, KEEPS);
        put_session(&stand, "s", "2024-05-01T13:29:50Z");
        put_session(&stand, "t", "2024-05-01T13:29:55Z");
        put_session(&stand, "old", "2024-04-30T13:29:50Z");
        if (_i)
            fake_cluster_fail(stand.cluster, (_i - 1) / 4 + FIRST_SAID, failures[(_i - 1) % 4]);
        live(&stand);
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), FIRST_SAID + 1);
        session_must_say(&stand, "s", APPLIED VERIFIED);
        session_must_say(&stand, "t", APPLIED VERIFIED);
        session_must_say(&stand, "old", "");
        writes = fake_cluster_writes(stand.cluster);
        stand.now_s += 700;
        settle(&stand);
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), writes);
    }
END_TEST

/* Somebody is at work for long: that is said once, and then how it ended. */
START_TEST(test_sessions_wait)
    {
        AUTO(stand) struct stand stand;
        struct maintenance_turn turn;
        int writes;

        start(&stand, KEEPS);
        put_session(&stand, "s", "2024-05-01T13:29:59Z");
        let_in(&stand);
        stand.others = HOLDER_WORKS;
        turn = settle(&stand);
        session_must_say(&stand, "s", "");
        ck_assert_int_le(turn.look_s, NOW + 600);
        stand.now_s += 600;
        settle(&stand);
        session_must_say(&stand, "s", "RetentionPolicyApplied=Unknown/RetentionPolicyWaits ");
        writes = fake_cluster_writes(stand.cluster);
        stand.now_s += 600;
        settle(&stand);
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), writes);
        stand.others = HOLDER_GONE;
        live(&stand);
        session_must_say(&stand, "s", APPLIED VERIFIED);
    }
END_TEST

/* What fails again and again is written once, and once when it went well. */
START_TEST(test_sessions_fail)
    {
        AUTO(stand) struct stand stand;

        start(&stand, KEEPS);
        put_session(&stand, "s", "2024-05-01T13:29:50Z");
        settle(&stand);
        run_pod(&stand, "Failed", ends[0].said);
        settle(&stand);
        run_pod(&stand, "Succeeded", SAID("check", ",\\\"errors\\\":0"));
        settle(&stand);
        session_must_say(&stand, "s",
                         "RetentionPolicyApplied=False/FailedToApplyRetentionPolicy " VERIFIED);
        stand.now_s += MAINTENANCE_RETRY_S;
        settle(&stand);
        must_begin(&stand, "granary-forget-r-");
        run_pod(&stand, "Failed", ends[1].said);
        settle(&stand);
        session_must_say(&stand, "s",
                         "RetentionPolicyApplied=False/FailedToApplyRetentionPolicy " VERIFIED);
        stand.now_s += 2 * MAINTENANCE_RETRY_S;
        settle(&stand);
        run_pod(&stand, "Succeeded", SAID("forget", ",\\\"removed\\\":0"));
        settle(&stand);
        session_must_say(&stand, "s", APPLIED VERIFIED);
    }
END_TEST

/* ---- who shares it ---- */

#define LEDGER(text) "[{'metadata':{'annotations':{'" KEY_LEDGER "':'" text "'}}}]"
#define CLAIM(session, pod)                                                                        \
    LEDGER("{\\\"session\\\":\\\"" session "\\\",\\\"since\\\":1,\\\"claims\\\":[{\\\"host\\\":"   \
           "\\\"h\\\",\\\"attempt\\\":1,\\\"since\\\":1,\\\"pod\\\":\\\"" pod                      \
           "\\\",\\\"instance\\\":\\\"0123456789abcdef0123456789abcdef\\\"}]}")

static const struct {
    const char *leases;
    int64_t age_s;
    enum holder_state state;
} states[] = {
    {"[]", SESSION_SKEW_S, HOLDER_ENDED},
    {"[]", SESSION_SKEW_S - 1, HOLDER_UNKNOWN},
    {"[{'metadata':{}}]", SESSION_SKEW_S, HOLDER_ENDED},
    {CLAIM("s", "p"), SESSION_SKEW_S, HOLDER_WORKS},
    {CLAIM("s", "q"), SESSION_SKEW_S, HOLDER_ENDED},
    {CLAIM("t", "p"), SESSION_SKEW_S, HOLDER_ENDED},
    /* a ledger that nobody can read may name him */
    {LEDGER("{"), SESSION_SKEW_S, HOLDER_UNKNOWN},
};

START_TEST(test_states)
    {
        AUTO(json) json_t *leases = json_row(states[_i].leases);
        const struct holder holder = {"s", "p", NOW - states[_i].age_s};

        ck_assert_int_eq(maintenance_state_of(leases, &holder, NOW), states[_i].state);
    }
END_TEST

/* A restore on an empty volume has no session: the pod that stands for it must be gone. */
static const struct {
    const char *pods;
    int64_t age_s;
    enum holder_state state;
} pod_states[] = {
    {"[]", SESSION_SKEW_S, HOLDER_GONE},
    {"[]", SESSION_SKEW_S - 1, HOLDER_UNKNOWN},
    {"[{'metadata':{'uid':'p'}}]", 100 * SESSION_SKEW_S, HOLDER_WORKS},
    {"[{'metadata':{'uid':'q'}},{'metadata':{}}]", SESSION_SKEW_S, HOLDER_GONE},
};

START_TEST(test_pod_states)
    {
        AUTO(json) json_t *pods = json_row(pod_states[_i].pods);
        const struct holder holder = {"p", "p", NOW - pod_states[_i].age_s};

        ck_assert(maintenance_is_pod(&holder));
        ck_assert(!maintenance_is_pod(&(struct holder){"s", "p", NOW}));
        ck_assert_int_eq(maintenance_state_of_pod(pods, &holder, NOW), pod_states[_i].state);
    }
END_TEST

SUITE(maintenance_edge)
{
    suite_rows(tests, test_claim, claim_rows);
    tcase_add_loop_test(tests, test_claim_unknown, 0, 2);
    tcase_add_loop_test(tests, test_sessions_say, 0, 1 + 4 * 2);
    tcase_add_test(tests, test_sessions_wait);
    tcase_add_test(tests, test_sessions_fail);
    tcase_add_test(tests, test_life);
    tcase_add_loop_test(tests, test_failures, 0, 48);
    tcase_add_test(tests, test_others);
    suite_rows(tests, test_left, left_rows);
    tcase_add_test(tests, test_still_ending);
    tcase_add_test(tests, test_lost);
    suite_rows(tests, test_failed, ends);
    tcase_add_test(tests, test_damaged);
    tcase_add_test(tests, test_never_started);
    suite_rows(tests, test_bad, bad);
    tcase_add_test(tests, test_unlock);
    tcase_add_test(tests, test_key);
    suite_rows(tests, test_other_failures, not_refused);
    tcase_add_test(tests, test_drill);
    tcase_add_loop_test(tests, test_drill_failures, 0, 12);
    tcase_add_test(tests, test_drill_damage);
    tcase_add_test(tests, test_prune_damage);
    suite_rows(tests, test_command, commands);
    tcase_add_loop_test(tests, test_command_refused, 0, 2);
    suite_rows(tests, test_states, states);
    suite_rows(tests, test_pod_states, pod_states);
}
