#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/session_jobs.h"
#include "controllers/session_make.h"
#include "controllers/target_lease.h"
#include "tests/unit/controllers/stage.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/*
 * Sessions that Jobs work for: a claim, which is backed up and restored with nobody mounting it.
 */

#define INSTANCE "0123456789abcdef0123456789abcdef"
#define JOB_POD "44444444-0000-4000-8000-000000000001"
#define FORGED_POD "44444444-0000-4000-8000-000000000002"
#define SNAPSHOT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define JOB STAGE_JOBS "/stash-backup-s1-0"
#define RESTORE_JOB STAGE_JOBS "/stash-restore-r1-0"

static const struct agent_caller of_job = {"shop", "job-pod", JOB_POD, "default"},
                                 forged = {"shop", "forged", FORGED_POD, "default"};

static void must_be(struct stage *stage, const char *name, const char *phase)
{
    AUTO(free) char *is = stage_phase(stage, name);

    ck_assert_str_eq(is, phase);
}

static char *uid_at(struct stage *stage, const char *path)
{
    AUTO(json) json_t *object = fake_cluster_get(stage->cluster, path);
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");

    return uid ? text_dup(uid, strlen(uid)) : NULL;
}

/* The UID that the ledger has for a host. */
static char *recorded(struct stage *stage, const char *host)
{
    AUTO(json) json_t *lease = stage_lease(stage);
    AUTO(free) struct claims *claims = text_alloc(sizeof *claims);
    struct span text = tree_span(tree_at(lease, "metadata.annotations"), KEY_LEDGER);
    struct error err;
    AUTO(json) json_t *ledger = text.data ? claims_read(text, claims, &err) : NULL;

    for (size_t i = 0; ledger && i < claims->count; i++)
        if (claims->list[i].job && strcmp(claims->list[i].host, host) == 0)
            return text_dup(claims->list[i].job, strlen(claims->list[i].job));
    return NULL;
}

/* ---- agents ---- */

static enum desk_answer claim_as(struct stage *stage, const struct agent_caller *caller, int role,
                                 struct message_granted *granted, json_t **read, struct error *err)
{
    const struct message_claim message = {
        .agent_version = "0.1.0", .instance = INSTANCE, .role = role};
    AUTO(text) struct text answer = {0};
    enum desk_answer what =
        stage->agents.claim(stage->agents.context, caller, &message, &answer, err);

    *read = what == DESK_ANSWERED
                ? message_read(&message_granted_shape, (struct span){answer.data, answer.length},
                               MESSAGE_ANSWER_MAX_BYTES, granted, err)
                : NULL;
    return what;
}

static enum desk_answer ask(struct stage *stage, const struct agent_caller *caller, int role,
                            struct error *err)
{
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);
    AUTO(json) json_t *read = NULL;

    return claim_as(stage, caller, role, granted, &read, err);
}

/* Gets its work, and does it. */
static void work(struct stage *stage, bool good)
{
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);
    AUTO(free) struct message_report *report = text_alloc(sizeof *report);
    AUTO(json) json_t *read = NULL;
    AUTO(text) struct text answer = {0};
    struct error err = {.message = ""};

    for (int i = 0; !read && i < 3; i++) /* a write may fail: agents ask again */
        (void)claim_as(stage, &of_job, MESSAGE_JOB, granted, &read, &err);
    ck_assert_msg(read != NULL, "%s", err.message);
    ck_assert(granted->has_work);
    ck_assert_str_eq(granted->work.host, "host-0");
    *report = (struct message_report){
        .session = granted->work.session.uid,
        .host = "host-0",
        .instance = INSTANCE,
        .attempt = granted->work.attempt,
        .outcome = good ? MESSAGE_SUCCEEDED : MESSAGE_FAILED,
        .has_error = !good,
        .error = {"NoSpace", "the disk is full"},
        .snapshots = {{.id = SNAPSHOT, .path = "/stash-data"}},
        .snapshot_count = good,
    };
    for (int i = 0; !answer.length && i < 3; i++)
        (void)stage->agents.report(stage->agents.context, &of_job, report, &answer, &err);
    ck_assert_msg(strstr(text_get(&answer), "\"recorded\":true"), "%s", err.message);
}

static void run_pod(struct stage *stage, const char *job, const char *status)
{
    AUTO(free) char *uid = uid_at(stage, job);

    ck_assert_ptr_nonnull(uid);
    stage_job_pod(stage, "job-pod", JOB_POD, uid, status);
}

static void end_job(struct stage *stage, const char *path, const char *type)
{
    AUTO(free)
    char *row = text_format("{'conditions':[{'type':'%s','status':'True','reason':'%s'}]}", type,
                            strcmp(type, "Failed") == 0 ? "BackoffLimitExceeded" : "x");
    json_t *job = fake_cluster_get(stage->cluster, path);

    tree_put_new(job, "status", json_row(row));
    fake_cluster_put(stage->cluster, path, job);
}

/* ---- the whole life, and every write that fails ---- */

static void live(struct stage *stage)
{
    stage_claim(stage);
    stage_session(stage, "");
    stage_settle(stage);
    must_be(stage, "s1", "Running");
    run_pod(stage, JOB, "{'phase':'Running'}");
    work(stage, true);
    stage_settle(stage);
    run_pod(stage, JOB, "{'phase':'Succeeded'}");
    end_job(stage, JOB, "Complete");
    stage_settle(stage);
}

START_TEST(a_life)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        live(&stage);
        must_be(&stage, "s1", "Succeeded");

        AUTO(json) json_t *lease = stage_lease(&stage);
        AUTO(json) json_t *job = fake_cluster_get(stage.cluster, JOB);

        ck_assert_ptr_null(lease);
        ck_assert_ptr_nonnull(job);
        ck_assert_str_eq(text_get(&stage.events), "BackupStarted BackupSucceeded ");
        ck_assert_str_eq(
            tree_text(json_array_get(tree_at(job, "metadata.ownerReferences"), 0), "uid"),
            STAGE_SESSION_UID);
        /* take, Running, Job, its UID; in the Repository, claim, result, drop, out of it;
         * Succeeded, give back */
        ck_assert_int_eq(fake_cluster_writes(stage.cluster), 11);
        stage_settle(&stage);
        ck_assert_int_eq(fake_cluster_writes(stage.cluster), 11);
    }
END_TEST

#define LIFE_WRITES 11

static char *end_of(struct stage *stage)
{
    AUTO(json) json_t *session = fake_cluster_get(stage->cluster, STAGE_SESSIONS "/s1");
    AUTO(json) json_t *jobs = fake_cluster_list(stage->cluster, STAGE_JOBS);
    AUTO(json) json_t *lease = stage_lease(stage);
    AUTO(json) json_t *shown = json_array();

    tree_push_new(shown, tree_copy(tree_get(session, "status")));
    tree_push_new(shown, tree_copy(tree_get(json_array_get(jobs, 0), "spec")));
    tree_push_new(shown, json_integer((json_int_t)json_array_size(jobs)));
    tree_push_new(shown, lease ? tree_copy(lease) : json_null());
    return tree_format(shown, NULL);
}

START_TEST(a_life_with_a_failure)
    {
        int number = _i % LIFE_WRITES + 1;

        stage_must_end_alike(live, end_of, number, (enum fake_failure)(_i / LIFE_WRITES + 1));
    }
END_TEST

/* ---- what becomes of it ---- */

static void fails_without_work(struct stage *stage)
{
    run_pod(stage, JOB, "{'phase':'Failed','reason':'Evicted','message':'no room'}");
    end_job(stage, JOB, "Failed");
}

static void is_deleted(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, JOB);
}

static void is_deleted_at_work(struct stage *stage)
{
    struct error err = {.message = ""};

    run_pod(stage, JOB, "{'phase':'Running'}");
    ck_assert_int_eq(ask(stage, &of_job, MESSAGE_JOB, &err), DESK_ANSWERED);
    fake_cluster_remove(stage->cluster, JOB);
    fake_cluster_remove(stage->cluster, STAGE_PODS "/job-pod");
}

static void can_not_pull(struct stage *stage)
{
    run_pod(stage, JOB,
            "{'phase':'Pending','containerStatuses':[{'name':'stash','state':{'waiting':{'reason':"
            "'ErrImagePull'}}}]}");
    stage_wait(stage, 600);
}

static void has_no_node(struct stage *stage)
{
    run_pod(stage, JOB,
            "{'phase':'Pending','conditions':[{'type':'PodScheduled','status':'False','reason':"
            "'Unschedulable','message':'0/3 nodes','lastTransitionTime':'2024-05-01T13:30:00Z'}]}");
    stage_wait(stage, 601);
}

static void says_failed(struct stage *stage)
{
    run_pod(stage, JOB, "{'phase':'Running'}");
    work(stage, false);
    run_pod(stage, JOB, "{'phase':'Failed'}");
    end_job(stage, JOB, "Failed");
}

static void loses_configuration(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_CONFIGURATION);
}

static void never_asks(struct stage *stage)
{
    run_pod(stage, JOB, "{'phase':'Running'}");
    stage_wait(stage, 900);
}

static void runs_steps(struct stage *stage, int64_t seconds)
{
    AUTO(free) char *uid = uid_at(stage, JOB);
    json_t *pod;

    stage_job_pod(stage, "job-pod", JOB_POD, uid,
                  "{'phase':'Pending','initContainerStatuses':[{'name':'dump','state':{'running':{"
                  "'startedAt':'2024-05-01T13:30:00Z'}}}]}");
    pod = fake_cluster_get(stage->cluster, STAGE_PODS "/job-pod");
    tree_put_new(json_object_get(pod, "spec"), "initContainers", json_row("[{'name':'dump'}]"));
    fake_cluster_put(stage->cluster, STAGE_PODS "/job-pod", pod);
    stage_wait(stage, seconds);
}

static void never_ends_a_step(struct stage *stage)
{
    runs_steps(stage, 86400);
}

/* A dump of hours is no trouble. */
START_TEST(steps_before_take_their_time)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        runs_steps(&stage, 4 * 3600);
        stage_settle(&stage);
        must_be(&stage, "s1", "Running");
    }
END_TEST

static const struct {
    void (*event)(struct stage *stage);
    const char *said;
    bool job; /* it stays to be looked at */
} end_rows[] = {
    {fails_without_work, "vict", true},
    {is_deleted, "its Job was deleted", false},
    {is_deleted_at_work, "its Job was deleted", false},
    {can_not_pull, "ErrImagePull", false},
    {has_no_node, "nschedulable", false},
    {says_failed, "the disk is full", true},
    {loses_configuration, "deleted", false},
    {never_asks, "no agent asked", false},
    {never_ends_a_step, "no agent asked", false},
};

START_TEST(what_happens_to_it)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        end_rows[_i].event(&stage);
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");

        AUTO(json) json_t *session = fake_cluster_get(stage.cluster, STAGE_SESSIONS "/s1");
        AUTO(json) json_t *job = fake_cluster_get(stage.cluster, JOB);
        AUTO(free) char *status = tree_format(tree_get(session, "status"), NULL);

        ck_assert_msg(strstr(status, end_rows[_i].said), "%s", status);
        ck_assert_msg((job != NULL) == end_rows[_i].job, "%s", status);
        stage_wait(&stage, 301);
        stage_settle(&stage);

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_ptr_null(lease);
    }
END_TEST

/* The host's failure, the end, the Job's deletion, the Lease: each of them in each way. */
#define END_WRITES 5

START_TEST(an_end_with_a_failure)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        fake_cluster_fail(stage.cluster, _i % END_WRITES + 1,
                          (enum fake_failure)(_i / END_WRITES % FAILS_CONFLICT + 1));
        (_i < END_WRITES * FAILS_CONFLICT ? can_not_pull : is_deleted)(&stage);
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");

        AUTO(json) json_t *lease = stage_lease(&stage);
        AUTO(json) json_t *jobs = fake_cluster_list(stage.cluster, STAGE_JOBS);

        ck_assert_ptr_null(lease);
        ck_assert_uint_eq(json_array_size(jobs), 0);
    }
END_TEST

/* ---- what can not be made ---- */

static void has_no_claim(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_CLAIM);
}

static void has_a_stranger(struct stage *stage)
{
    stage_put(
        stage, JOB,
        "{'apiVersion':'batch/v1','kind':'Job','metadata':{'name':'stash-backup-s1-0',"
        "'namespace':'shop','uid':'STRANGER','labels':{'granary.dev/session':'" STAGE_SESSION_UID
        "'}}}");
}

static void wants_a_task(struct stage *stage)
{
    json_t *configuration = fake_cluster_get(stage->cluster, STAGE_CONFIGURATION);

    tree_put_new(json_object_get(configuration, "spec"), "task", json_row("{'name':'dump-1'}"));
    fake_cluster_put(stage->cluster, STAGE_CONFIGURATION, configuration);
}

static const struct {
    void (*before)(struct stage *stage);
    const char *said;
} impossible_rows[] = {
    {has_no_claim, "there is no PersistentVolumeClaim data"},
    {has_a_stranger, "a Job stash-backup-s1-0 that granary did not make"},
    {wants_a_task, "there is no Task dump-1"},
};

START_TEST(what_can_not_be_made)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        impossible_rows[_i].before(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");

        AUTO(json) json_t *session = fake_cluster_get(stage.cluster, STAGE_SESSIONS "/s1");
        AUTO(json) json_t *lease = stage_lease(&stage);
        AUTO(free) char *status = tree_format(tree_get(session, "status"), NULL);

        ck_assert_msg(strstr(status, impossible_rows[_i].said), "%s", status);
        ck_assert_msg(strstr(status, "FailedToEnsureBackupExecutor"), "%s", status);
        ck_assert_ptr_null(lease);
        if (impossible_rows[_i].before == has_a_stranger) {
            AUTO(free) char *uid = uid_at(&stage, JOB);

            ck_assert_str_eq(uid, "STRANGER");
        }
    }
END_TEST

/* ---- who gets nothing (SEC) ---- */

static void begin(struct stage *stage)
{
    stage_start(stage);
    stage_claim(stage);
    stage_session(stage, "");
    stage_settle(stage);
    run_pod(stage, JOB, "{'phase':'Running'}");
}

/* A Job that says all that ours says, but was made by somebody else. */
START_TEST(a_job_that_we_did_not_make)
    {
        AUTO(stage) struct stage stage;
        struct error err = {.message = ""};
        json_t *job;

        begin(&stage);
        job = fake_cluster_get(stage.cluster, JOB);
        tree_put_text(json_object_get(job, "metadata"), "name", "mine");
        tree_put_text(json_object_get(job, "metadata"), "uid", "FORGED");
        fake_cluster_put(stage.cluster, STAGE_JOBS "/mine", job);

        json_t *pod = fake_cluster_get(stage.cluster, STAGE_PODS "/job-pod");
        json_t *owner =
            json_array_get(json_object_get(json_object_get(pod, "metadata"), "ownerReferences"), 0);

        tree_put_text(json_object_get(pod, "metadata"), "name", "forged");
        tree_put_text(json_object_get(pod, "metadata"), "uid", FORGED_POD);
        tree_put_text(owner, "name", "mine");
        tree_put_text(owner, "uid", "FORGED");
        fake_cluster_put(stage.cluster, STAGE_PODS "/forged", pod);
        ck_assert_int_eq(ask(&stage, &forged, MESSAGE_JOB, &err), DESK_REFUSED);
        ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
        ck_assert_str_eq(err.message, "no Job of this UID was made for this session");
        /* the real one is not disturbed */
        ck_assert_int_eq(ask(&stage, &of_job, MESSAGE_JOB, &err), DESK_ANSWERED);
    }
END_TEST

static void names_no_session(struct stage *stage)
{
    json_t *job = fake_cluster_get(stage->cluster, JOB);

    json_object_del(json_object_get(job, "metadata"), "ownerReferences");
    fake_cluster_put(stage->cluster, JOB, job);
}

static void names_another_job(struct stage *stage)
{
    stage_job_pod(stage, "job-pod", JOB_POD, "ANOTHER", "{'phase':'Running'}");
}

static void is_gone(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_PODS "/job-pod");
}

static void has_another_uid(struct stage *stage)
{
    AUTO(free) char *uid = uid_at(stage, JOB);

    stage_job_pod(stage, "job-pod", FORGED_POD, uid, "{'phase':'Running'}");
}

static void shares_processes(struct stage *stage)
{
    json_t *pod = fake_cluster_get(stage->cluster, STAGE_PODS "/job-pod");

    tree_put_bool(json_object_get(pod, "spec"), "shareProcessNamespace", true);
    fake_cluster_put(stage->cluster, STAGE_PODS "/job-pod", pod);
}

static void has_ended(struct stage *stage)
{
    json_t *session = fake_cluster_get(stage->cluster, STAGE_SESSIONS "/s1");

    tree_put_text(json_object_get(session, "status"), "phase", "Failed");
    fake_cluster_put(stage->cluster, STAGE_SESSIONS "/s1", session);
}

static void session_is_gone(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_SESSIONS "/s1");
}

static void changes_nothing(struct stage *stage)
{
    (void)stage;
}

static const struct {
    void (*before)(struct stage *stage);
    int role;
    enum error_code code;
} refused_rows[] = {
    {names_no_session, MESSAGE_JOB, ERROR_FORBIDDEN},
    {names_another_job, MESSAGE_JOB, ERROR_FORBIDDEN},
    {is_gone, MESSAGE_JOB, ERROR_FORBIDDEN},
    {has_another_uid, MESSAGE_JOB, ERROR_FORBIDDEN},
    {shares_processes, MESSAGE_JOB, ERROR_FORBIDDEN},
    {has_ended, MESSAGE_JOB, ERROR_GONE},
    {session_is_gone, MESSAGE_JOB, ERROR_GONE},
    {loses_configuration, MESSAGE_JOB, ERROR_GONE},
    {changes_nothing, MESSAGE_SIDECAR, ERROR_FORBIDDEN},
    {changes_nothing, MESSAGE_INIT, ERROR_FORBIDDEN},
};

START_TEST(who_gets_nothing)
    {
        AUTO(stage) struct stage stage;
        struct error err = {.message = ""};

        begin(&stage);
        refused_rows[_i].before(&stage);
        ck_assert_int_eq(ask(&stage, &of_job, refused_rows[_i].role, &err), DESK_REFUSED);
        ck_assert_msg(err.code == refused_rows[_i].code, "%d %s", (int)err.code, err.message);
    }
END_TEST

/* A sidecar's pod that says it was a Job's. */
START_TEST(a_workload_is_no_job)
    {
        static const struct agent_caller web = {"shop", "web-1-a", STAGE_POD_UID, "default"};
        AUTO(stage) struct stage stage;
        struct error err = {.message = ""};

        begin(&stage);
        ck_assert_int_eq(ask(&stage, &web, MESSAGE_JOB, &err), DESK_REFUSED);
        ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
    }
END_TEST

/* What an agent has got, and what its host has given, is not handed out twice. */
START_TEST(work_is_handed_out_once)
    {
        AUTO(stage) struct stage stage;
        struct error err = {.message = ""};

        begin(&stage);
        ck_assert_int_eq(ask(&stage, &of_job, MESSAGE_JOB, &err), DESK_ANSWERED);
        stage_elect(&stage); /* another leader knows it from the Lease */
        ck_assert_int_eq(ask(&stage, &of_job, MESSAGE_JOB, &err), DESK_ANSWERED);
        work(&stage, true);
        ck_assert_int_eq(ask(&stage, &of_job, MESSAGE_JOB, &err), DESK_REFUSED);
        ck_assert_int_eq(err.code, ERROR_GONE);
    }
END_TEST

/* The target stays locked until the last pod of a session that was deleted has ended. */
START_TEST(a_session_that_is_gone)
    {
        AUTO(stage) struct stage stage;
        struct error err = {.message = ""};

        begin(&stage);
        ck_assert_int_eq(ask(&stage, &of_job, MESSAGE_JOB, &err), DESK_ANSWERED);
        fake_cluster_remove(stage.cluster, STAGE_SESSIONS "/s1");
        fake_cluster_remove(stage.cluster, JOB);
        stage_wait(&stage, 3600);
        stage_settle(&stage);

        AUTO(json) json_t *held = stage_lease(&stage);

        ck_assert_ptr_nonnull(held);
        fake_cluster_remove(stage.cluster, STAGE_PODS "/job-pod");
        stage_settle(&stage);

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_ptr_null(lease);
    }
END_TEST

/* ---- a workload in Job mode ---- */

/* One Job for each claim of a StatefulSet, under the names that its sidecars have. */
START_TEST(each_ordinal_has_a_job)
    {
        AUTO(stage) struct stage stage;
        json_t *configuration;

        stage_start(&stage);
        stage_put(&stage, "/apis/apps/v1/namespaces/shop/statefulsets/db",
                  "{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{'name':'db',"
                  "'namespace':'shop','uid':'DB'},'spec':{'replicas':2,'selector':{'matchLabels':{"
                  "'app':'db'}},'volumeClaimTemplates':[{'metadata':{'name':'data'}}],'template':{"
                  "'spec':{'containers':[{'name':'c','volumeMounts':[{'name':'data','mountPath':"
                  "'/data'}]}]}}}}");
        for (int i = 0; i < 2; i++) {
            AUTO(free)
            char *path =
                text_format("/api/v1/namespaces/shop/persistentvolumeclaims/data-db-%d", i);
            AUTO(free)
            char *row = text_format("{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':"
                                    "{'name':'data-db-%d','namespace':'shop'},'spec':{}}",
                                    i);

            stage_put(&stage, path, row);
        }
        configuration = fake_cluster_get(stage.cluster, STAGE_CONFIGURATION);
        tree_put_new(json_object_get(configuration, "spec"), "target",
                     json_row("{'ref':{'apiVersion':'apps/v1','kind':'StatefulSet','name':'db'}}"));
        tree_put_text(json_object_get(configuration, "spec"), "mode", "Job");
        fake_cluster_put(stage.cluster, STAGE_CONFIGURATION, configuration);
        stage.set = true;
        stage_session(&stage, "");
        stage_settle(&stage);

        AUTO(json) json_t *all = fake_cluster_list(stage.cluster, STAGE_JOBS);
        AUTO(free) char *first = recorded(&stage, "host-0"), *second = recorded(&stage, "host-1");
        AUTO(free) char *zero = uid_at(&stage, JOB "-0"), *one = uid_at(&stage, JOB "-1");

        ck_assert_uint_eq(json_array_size(all), 2);
        ck_assert(first && second && zero && one);
        ck_assert_str_eq(first, zero);
        ck_assert_str_eq(second, one);
    }
END_TEST

/* ---- restores ---- */

#define RESTORE                                                                                    \
    "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'v1','kind':"                        \
    "'PersistentVolumeClaim','name':'data'},'rules':[{'paths':['/stash-data']}]}}"

START_TEST(restores)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        fake_cluster_fail(stage.cluster, _i, (enum fake_failure)(1 + _i % 4));
        stage_restore(&stage, RESTORE);
        stage_settle(&stage);
        must_be(&stage, "r1", "Running");
        run_pod(&stage, RESTORE_JOB, "{'phase':'Running'}");

        json_t *pod = fake_cluster_get(stage.cluster, STAGE_PODS "/job-pod");

        tree_put_text(
            json_array_get(json_object_get(json_object_get(pod, "metadata"), "ownerReferences"), 0),
            "name", "stash-restore-r1-0");
        fake_cluster_put(stage.cluster, STAGE_PODS "/job-pod", pod);
        work(&stage, true);
        stage_settle(&stage);
        must_be(&stage, "r1", "Succeeded");

        AUTO(json) json_t *lease = stage_lease(&stage);

        ck_assert_ptr_null(lease);
    }
END_TEST

/* ---- restores into claims of their own ---- */

static const struct {
    const char *session, *target;
    int64_t sets;
} claim_rows[] = {
#define SESSION(kind, target)                                                                      \
    "{'kind':'" kind "','metadata':{'name':'r1','namespace':'shop'},'spec':{'target':{" target "}" \
    "}"                                                                                            \
    "}"
#define TEMPLATES "'volumeClaimTemplates':[{'metadata':{'name':'a-${POD_ORDINAL}'}}]"
    {SESSION("RestoreSession", TEMPLATES), "stash.appscode.com/RestoreSession/shop/r1", 0},
    {SESSION("RestoreSession", TEMPLATES ",'replicas':3"),
     "stash.appscode.com/RestoreSession/shop/r1", 3},
    {SESSION("RestoreSession", TEMPLATES ",'replicas':'odd'"),
     "stash.appscode.com/RestoreSession/shop/r1", 0},
    {SESSION("RestoreSession", "'replicas':3"), NULL, 0},
    {SESSION("RestoreSession", "'volumeClaimTemplates':[]"), NULL, 0},
    {SESSION("BackupConfiguration", TEMPLATES), NULL, 0},
    {SESSION("RestoreSession", TEMPLATES ",'ref':{'apiVersion':'apps/v1','kind':'Deployment',"
                                         "'name':'web'}"),
     "apps/Deployment/shop/web", 0},
};

START_TEST(who_makes_claims_is_its_own_target)
    {
        AUTO(json) json_t *session = json_row(claim_rows[_i].session);
        AUTO(json) json_t *target = session_target(session);
        AUTO(free) char *text = target ? session_target_text(target) : NULL;

        ck_assert_int_eq(text != NULL, claim_rows[_i].target != NULL);
        if (text)
            ck_assert_str_eq(text, claim_rows[_i].target);
        ck_assert_int_eq(session_claim_sets(session), claim_rows[_i].sets);
    }
END_TEST

/* Said, and not refused. */
START_TEST(a_claim_in_use)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        stage_put(&stage, STAGE_PODS "/user",
                  "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'user','namespace':'shop'},"
                  "'spec':{'nodeName':'n1','containers':[],'volumes':[{'name':'v',"
                  "'persistentVolumeClaim':{'claimName':'data'}}]},'status':{'phase':'Running'}}");
        stage_restore(&stage, RESTORE);
        stage_settle(&stage);
        must_be(&stage, "r1", "Running");
        ck_assert_msg(strstr(text_get(&stage.events), "ClaimInUse "), "%s",
                      text_get(&stage.events));

        /* on that node, since one node alone can have it */
        AUTO(json) json_t *job = fake_cluster_get(stage.cluster, RESTORE_JOB);
        AUTO(free) char *text = tree_format(tree_at(job, "spec.template.spec.affinity"), NULL);

        ck_assert_msg(strstr(text, "\"n1\""), "%s", text);
    }
END_TEST

/* Our own record may not be known to us yet: what was recorded and deleted is not made again. */
START_TEST(a_cache_that_is_behind)
    {
        AUTO(stage) struct stage stage;
        struct session_turn turn;
        struct error err = {.message = ""};

        stage_start(&stage);
        stage_claim(&stage);
        stage_session(&stage, "");
        for (int i = 0; i < 2; i++)
            ck_assert(stage_step(&stage, "s1", &turn, &err) && turn.wrote);
        must_be(&stage, "s1", "Running");
        stage.stale = stage_lease(&stage);
        ck_assert(stage_step(&stage, "s1", &turn, &err) && turn.wrote);

        AUTO(free) char *made = uid_at(&stage, JOB);
        AUTO(free) char *known = recorded(&stage, "host-0");

        ck_assert_str_eq(made, known);
        ck_assert(!stage_step(&stage, "s1", &turn, &err) && err.code == ERROR_CONFLICT);

        AUTO(free) char *same = uid_at(&stage, JOB);

        ck_assert_str_eq(made, same);
        fake_cluster_remove(stage.cluster, JOB);
        ck_assert(!stage_step(&stage, "s1", &turn, &err) && err.code == ERROR_CONFLICT);
        json_decref(TAKE(stage.stale));
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");

        AUTO(json) json_t *jobs = fake_cluster_list(stage.cluster, STAGE_JOBS);

        ck_assert_uint_eq(json_array_size(jobs), 0);
    }
END_TEST

/* Recorded is what was made: the one of before a crash gets nothing and is replaced. */
START_TEST(only_the_recorded_one_counts)
    {
        AUTO(stage) struct stage stage;

        stage_start(&stage);
        stage_claim(&stage);
        fake_cluster_fail(stage.cluster, 4, FAILS_BEFORE); /* the Job is there, its UID nowhere */
        stage_session(&stage, "");
        stage_settle(&stage);

        AUTO(free) char *made = uid_at(&stage, JOB);
        AUTO(free) char *known = recorded(&stage, "host-0");

        ck_assert_ptr_nonnull(made);
        ck_assert_ptr_nonnull(known);
        ck_assert_str_eq(made, known);
    }
END_TEST

/* ---- what a command writes ---- */

static void annotate(struct stage *stage, const char *annotations)
{
    json_t *configuration = fake_cluster_get(stage->cluster, STAGE_CONFIGURATION);

    tree_put_new(json_object_get(configuration, "metadata"), "annotations", json_row(annotations));
    fake_cluster_put(stage->cluster, STAGE_CONFIGURATION, configuration);
}

#define OTHER_SESSION "22222222-0000-4000-8000-000000000009"

static const struct {
    const char *annotations; /* of the configuration, when it is asked for */
    const struct agent_caller *caller;
    const char *session, *instance;
    int64_t attempt;
    enum error_code code;
    const char *error;
} stream_rows[] = {
    {"{}", &of_job, STAGE_SESSION_UID, INSTANCE, 1, ERROR_CONFLICT, "no command"},
    {NULL, &of_job, OTHER_SESSION, INSTANCE, 1, ERROR_NOT_FOUND, "not there"},
    {NULL, &of_job, STAGE_SESSION_UID, INSTANCE, 2, ERROR_CONFLICT, "another pod or instance"},
    {NULL, &of_job, STAGE_SESSION_UID, "fedcba9876543210fedcba9876543210", 1, ERROR_CONFLICT,
     "another pod or instance"},
    {NULL, &forged, STAGE_SESSION_UID, INSTANCE, 1, ERROR_FORBIDDEN, ""},
    /* all is well but for the target, which has no pods */
    {NULL, &of_job, STAGE_SESSION_UID, INSTANCE, 1, ERROR_UNAVAILABLE, "not there"},
};

START_TEST(who_gets_no_stream)
    {
        AUTO(stage) struct stage stage;
        AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);
        AUTO(json) json_t *read = NULL;
        const struct message_stream message = {stream_rows[_i].session, "host-0",
                                               stream_rows[_i].instance, stream_rows[_i].attempt,
                                               1};
        struct stream *stream = NULL;
        struct error err = {.message = ""};

        stage_start(&stage);
        stage_claim(&stage);
        annotate(&stage, "{'granary.dev/dump-command': '[]'}");
        stage_session(&stage, "");
        stage_settle(&stage);
        run_pod(&stage, JOB, "{'phase':'Running'}");
        ck_assert_int_eq(claim_as(&stage, &of_job, MESSAGE_JOB, granted, &read, &err),
                         DESK_ANSWERED);
        ck_assert_int_eq(granted->work.kind, MESSAGE_STREAM);
        if (stream_rows[_i].annotations)
            annotate(&stage, stream_rows[_i].annotations);
        ck_assert_int_eq(stage.agents.stream(stage.agents.context, stream_rows[_i].caller, &message,
                                             -1, &stream, &err),
                         DESK_REFUSED);
        ck_assert_ptr_null(stream);
        ck_assert_msg(err.code == stream_rows[_i].code &&
                          strstr(err.message, stream_rows[_i].error),
                      "%d %s", err.code, err.message);
    }
END_TEST

SUITE(controllers_session_jobs)
{
    suite_rows(tests, who_gets_no_stream, stream_rows);
    tcase_add_test(tests, a_life);
    tcase_add_loop_test(tests, a_life_with_a_failure, 0, LIFE_WRITES * FAILS_CONFLICT);
    suite_rows(tests, what_happens_to_it, end_rows);
    tcase_add_loop_test(tests, an_end_with_a_failure, 0, 2 * END_WRITES * FAILS_CONFLICT);
    tcase_add_test(tests, steps_before_take_their_time);
    suite_rows(tests, what_can_not_be_made, impossible_rows);
    tcase_add_test(tests, a_job_that_we_did_not_make);
    suite_rows(tests, who_gets_nothing, refused_rows);
    tcase_add_test(tests, a_workload_is_no_job);
    tcase_add_test(tests, work_is_handed_out_once);
    tcase_add_test(tests, a_session_that_is_gone);
    tcase_add_test(tests, each_ordinal_has_a_job);
    tcase_add_loop_test(tests, restores, 0, 9);
    suite_rows(tests, who_makes_claims_is_its_own_target, claim_rows);
    tcase_add_test(tests, a_claim_in_use);
    tcase_add_test(tests, a_cache_that_is_behind);
    tcase_add_test(tests, only_the_recorded_one_counts);
}
