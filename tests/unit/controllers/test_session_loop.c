#include "controllers/session_loop.h"

#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/session_keys.h"
#include "controllers/slot.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stage.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop of sessions before an API server that keeps objects, with an agent at its desk. Here the
 * clock is the real one. */

#define TIMEOUT_MS 60000
#define INSTANCE "0123456789abcdef0123456789abcdef"

static const struct agent_caller web_a = {"shop", "web-1-a", STAGE_POD_UID, "default"};

struct scene {
    struct stage stage;
    struct stand stand; /* over its cluster */
};

static void lead(struct scene *scene)
{
    static const struct loop *const table[] = {&session_loop, NULL};

    stand_lead(&scene->stand, table);
}

static void prepare(struct scene *scene)
{
    *scene = (struct scene){0};
    stage_start(&scene->stage);
    fake_cluster_clock(scene->stage.cluster, clock_now_s());
    stand_over(&scene->stand, scene->stage.cluster);
    stand_put_namespace(&scene->stand, "shop");
    lead(scene);
}

static void done(struct scene *scene)
{
    stand_leave(&scene->stand);
    stage_done(&scene->stage);
}

static void make_session(struct scene *scene, const char *more)
{
    char time[CONDITION_TIME_BYTES];

    condition_time(clock_now_s(), time);

    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession',"
                            "'metadata':{'name':'s1','namespace':'shop','uid':'" STAGE_SESSION_UID
                            "','creationTimestamp':'%s'},'spec':{'invoker':{"
                            "'kind':'BackupConfiguration','name':'c'}%s}}",
                            time, more);

    stage_put(&scene->stage, STAGE_SESSIONS "/s1", row);
}

/* ---- waiting ---- */

static bool is_phase(struct scene *scene, const char *name, const char *phase)
{
    AUTO(free) char *is = stage_phase(&scene->stage, name);

    return strcmp(is, phase) == 0;
}

static void await_phase(struct scene *scene, const char *name, const char *phase)
{
    AWAIT(is_phase(scene, name, phase), "%s is never %s", name, phase);
}

static bool is_free(struct scene *scene)
{
    AUTO(json) json_t *lease = stage_lease(&scene->stage);

    return !lease;
}

static void await_free(struct scene *scene)
{
    AWAIT(is_free(scene), "the Lease is never given back");
}

/* ---- an agent ---- */

static int64_t claim(struct scene *scene, int role)
{
    struct agent_desk desk = desk_callbacks(session_loop_desk(scene->stand.loops));
    const struct message_claim message = {
        .agent_version = "0.1.0",
        .instance = INSTANCE,
        .role = role,
        .session = role == MESSAGE_INIT ? STAGE_SESSION_UID : NULL,
    };
    AUTO(free) struct message_granted *granted = text_alloc(sizeof *granted);

    for (int i = 0; i < TIMEOUT_MS; i++) {
        AUTO(text) struct text answer = {0};
        struct error err = {.message = ""};

        if (desk.claim(desk.context, &web_a, &message, &answer, &err) == DESK_ANSWERED) {
            AUTO(json)
            json_t *read =
                message_read(&message_granted_shape, (struct span){answer.data, answer.length},
                             MESSAGE_ANSWER_MAX_BYTES, granted, &err);

            ck_assert_ptr_nonnull(read);
            return granted->pass ? 0 : granted->work.attempt;
        }
        await_rest();
    }
    ck_abort_msg("there is never work");
}

static enum desk_answer report(struct scene *scene, bool good)
{
    struct agent_desk desk = desk_callbacks(session_loop_desk(scene->stand.loops));
    AUTO(free) struct message_report *message = text_alloc(sizeof *message);
    AUTO(text) struct text answer = {0};
    struct error err = {.message = ""};

    *message = (struct message_report){
        .session = STAGE_SESSION_UID,
        .host = "host-0",
        .instance = INSTANCE,
        .attempt = 1,
        .outcome = good ? MESSAGE_SUCCEEDED : MESSAGE_FAILED,
        .has_error = !good,
        .error = {"NoSpace", "the disk is full"},
        .initialized = good,
        .snapshots = {{.id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                       .path = "/data"}},
        .snapshot_count = good,
    };
    return desk.report(desk.context, &web_a, message, &answer, &err);
}

/* ---- lives ---- */

START_TEST(a_backup)
    {
        struct scene scene;

        prepare(&scene);
        make_session(&scene, "");
        ck_assert_int_eq(claim(&scene, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&scene, true), DESK_ANSWERED);
        await_phase(&scene, "s1", "Succeeded");
        await_free(&scene);
        done(&scene);
    }
END_TEST

/* Another leader goes on where the last one was. */
START_TEST(a_change_of_leaders)
    {
        struct scene scene;

        prepare(&scene);
        make_session(&scene, "");
        ck_assert_int_eq(claim(&scene, MESSAGE_SIDECAR), 1);
        lead(&scene);
        ck_assert_int_eq(claim(&scene, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&scene, true), DESK_ANSWERED);
        lead(&scene);
        await_phase(&scene, "s1", "Succeeded");
        await_free(&scene);
        done(&scene);
    }
END_TEST

START_TEST(a_retry)
    {
        struct scene scene;
        json_t *configuration;

        prepare(&scene);
        configuration = fake_cluster_get(scene.stage.cluster, STAGE_CONFIGURATION);
        tree_put_text(json_object_get(json_object_get(configuration, "spec"), "retryConfig"),
                      "delay", "0s");
        fake_cluster_put(scene.stage.cluster, STAGE_CONFIGURATION, configuration);
        make_session(&scene, ",'retryLeft':1");
        ck_assert_int_eq(claim(&scene, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&scene, false), DESK_ANSWERED);
        await_phase(&scene, "s1", "Failed");

        AUTO(free) char *next = slot_name_of_uid("c", STAGE_SESSION_UID);

        await_phase(&scene, next, "Running");
        done(&scene);
    }
END_TEST

static void deletes_session(struct scene *scene)
{
    fake_cluster_remove(scene->stage.cluster, STAGE_SESSIONS "/s1");
}

static void deletes_configuration(struct scene *scene)
{
    fake_cluster_remove(scene->stage.cluster, STAGE_CONFIGURATION);
}

static void deletes_both(struct scene *scene)
{
    deletes_configuration(scene);
    deletes_session(scene);
}

static const struct {
    void (*event)(struct scene *scene);
    const char *phase;
    enum desk_answer answer;
} gone_rows[] = {
    {deletes_session, "gone", DESK_REFUSED},
    {deletes_configuration, "Failed", DESK_ANSWERED},
    {deletes_both, "gone", DESK_REFUSED},
};

/* The Lease stays until the agent has ended, and goes then. */
START_TEST(what_is_gone)
    {
        struct scene scene;

        prepare(&scene);
        make_session(&scene, "");
        ck_assert_int_eq(claim(&scene, MESSAGE_SIDECAR), 1);
        gone_rows[_i].event(&scene);
        await_phase(&scene, "s1", gone_rows[_i].phase);

        AUTO(json) json_t *lease = stage_lease(&scene.stage);

        ck_assert_ptr_nonnull(lease);
        while (report(&scene, true) != gone_rows[_i].answer)
            await_rest();
        await_free(&scene);
        done(&scene);
    }
END_TEST

/* Its configuration was never there. */
START_TEST(without_configuration)
    {
        struct scene scene;

        prepare(&scene);
        fake_cluster_remove(scene.stage.cluster, STAGE_CONFIGURATION);
        make_session(&scene, "");
        await_phase(&scene, "s1", "Skipped");
        done(&scene);
    }
END_TEST

START_TEST(a_restore)
    {
        struct scene scene;

        prepare(&scene);
        stage_restore(&scene.stage,
                      "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/v1','kind':"
                      "'Deployment','name':'web'},'rules':[{'paths':['/data']}]}}");
        await_phase(&scene, "r1", "Pending");
        ck_assert_int_eq(claim(&scene, MESSAGE_INIT), 1);
        await_phase(&scene, "r1", "Running");
        ck_assert_int_eq(report(&scene, true), DESK_ANSWERED);
        await_phase(&scene, "r1", "Succeeded");
        await_free(&scene);
        ck_assert_int_eq(claim(&scene, MESSAGE_INIT), 0);
        done(&scene);
    }
END_TEST

START_TEST(a_restore_without_repository)
    {
        struct scene scene;

        prepare(&scene);
        stage_put(&scene.stage, STAGE_REPOSITORY,
                  "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{"
                  "'name':'r','namespace':'shop'},'spec':{'usagePolicy':{}}}");
        stage_restore(&scene.stage,
                      "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/v1','kind':"
                      "'Deployment','name':'web'},'rules':[{'paths':['/data']}]}}");
        await_phase(&scene, "r1", "Invalid");
        done(&scene);
    }
END_TEST

static size_t jobs_of(struct scene *scene)
{
    AUTO(json) json_t *jobs = fake_cluster_list(scene->stage.cluster, STAGE_JOBS);

    return json_array_size(jobs);
}

/* Seven copies of a claim, each by a Job: as many at once as the settings have, and the next one
 * when one has ended. */
START_TEST(a_bound_on_jobs_at_once)
    {
        struct scene scene;

        prepare(&scene);
        stage_restore(&scene.stage,
                      "{'repository':{'name':'r'},'target':{'replicas':7,'volumeClaimTemplates':[{"
                      "'metadata':{'name':'data-${POD_ORDINAL}'},'spec':{'accessModes':["
                      "'ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}],'rules':[{"
                      "'paths':['/data']}],'volumeMounts':[{'name':'data',"
                      "'mountPath':'/data'}]}}");
        AWAIT(jobs_of(&scene) == 5, "%zu Jobs", jobs_of(&scene));
        stand_look_again(&scene.stand, 0, 1);
        ck_assert_uint_eq(jobs_of(&scene), 5);

        AUTO(json) json_t *jobs = fake_cluster_list(scene.stage.cluster, STAGE_JOBS);
        AUTO(json) json_t *ended = tree_copy(json_array_get(jobs, 0));
        AUTO(free)
        char *path = text_format(STAGE_JOBS "/%s", tree_text(tree_get(ended, "metadata"), "name"));

        tree_put_new(ended, "status",
                     json_row("{'conditions':[{'type':'Failed','status':'True'}]}"));
        fake_cluster_put(scene.stage.cluster, path, TAKE(ended));
        AWAIT(jobs_of(&scene) == 6, "%zu Jobs", jobs_of(&scene));
        done(&scene);
    }
END_TEST

/* ---- keys ---- */

static const struct {
    const char *text, *target;
} parse_rows[] = {
    {"apps/Deployment/shop/web",
     "{'apiVersion':'apps/v1','kind':'Deployment','namespace':'shop','name':'web'}"},
    {"/PersistentVolumeClaim/shop/data",
     "{'apiVersion':'v1','kind':'PersistentVolumeClaim','namespace':'shop','name':'data'}"},
    {"nonsense", "{'apiVersion':'nonsense/v1'}"},
};

START_TEST(parses)
    {
        AUTO(json) json_t *target = session_keys_parse(parse_rows[_i].text);
        AUTO(json) json_t *expected = json_row(parse_rows[_i].target);

        ck_assert(tree_equal(target, expected));
    }
END_TEST

/* One of an etcd has steps of its own: this one waits, since its Repository is not there. */
static bool is_told(struct scene *scene)
{
    AUTO(json) json_t *session = fake_cluster_get(scene->stage.cluster, STAGE_RESTORES "/etcd");
    const json_t *conditions = tree_at(session, "status.conditions");

    return strcmp(condition_message(conditions, "EtcdWaiting"), "the Repository is not there") == 0;
}

START_TEST(an_etcd_has_steps_of_its_own)
    {
        struct scene scene;

        prepare(&scene);
        stage_put(&scene.stage, STAGE_RESTORES "/etcd",
                  "{'apiVersion':'stash.appscode.com/v1beta1','kind':'RestoreSession','metadata':{"
                  "'name':'etcd','namespace':'shop','uid':'55555555-0000-4000-8000-000000000001',"
                  "'creationTimestamp':'2026-01-01T00:00:00Z'},'spec':{'repository':{'name':'none'"
                  "},'task':{'name':'etcd-restore-3.6.0'},'target':{'ref':{'apiVersion':"
                  "'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':'etcd'},'rules':["
                  "{'snapshots':['latest']}]}}}");
        AWAIT(is_told(&scene), "it is not told what it waits for");
        done(&scene);
    }
END_TEST

SUITE(session_loop)
{
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_backup);
    tcase_add_test(tests, a_change_of_leaders);
    tcase_add_test(tests, a_retry);
    suite_rows(tests, what_is_gone, gone_rows);
    tcase_add_test(tests, without_configuration);
    tcase_add_test(tests, a_restore);
    tcase_add_test(tests, a_restore_without_repository);
    tcase_add_test(tests, a_bound_on_jobs_at_once);
    suite_rows(tests, parses, parse_rows);
    tcase_add_test(tests, an_etcd_has_steps_of_its_own);
}
