#include "controllers/session_loop.h"

#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/session_keys.h"
#include "controllers/slot.h"
#include "tests/unit/controllers/stage.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop of sessions before an API server that keeps objects, with an agent at its desk. Here the
 * clock is the real one. */

#define TIMEOUT_MS 60000
#define INSTANCE "0123456789abcdef0123456789abcdef"

static const struct agent_caller web_a = {"shop", "web-1-a", STAGE_POD_UID, "default"};

struct stand {
    struct stage stage;
    struct settings_store *settings;
    struct loops *loops;
};

static void lead(struct stand *stand)
{
    static const struct loop *const table[] = {&session_loop, NULL};
    struct error err = {.message = ""};
    struct loops_options options = {
        .table = table,
        .client = fake_cluster_client(stand->stage.cluster),
        .settings = stand->settings,
        .space = "granary-system",
        .limits = {.first_ms = 1, .max_ms = 10, .rate = 1e6, .burst = 1e6},
        .watching = {.backoff_ms = 1, .backoff_max_ms = 4, .short_ms = 1},
        .lists_only = true,
    };

    stand->loops = loops_start(&options, &err);
    ck_assert_msg(stand->loops != NULL, "%s", err.message);
}

static void prepare(struct stand *stand)
{
    struct error err = {.message = ""};

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){0};
    stage_start(&stand->stage);
    fake_cluster_clock(stand->stage.cluster, clock_now_s());
    stage_put(&stand->stage, "/api/v1/namespaces/shop",
              "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop'}}");
    stand->settings = settings_store_make(NULL, false, &err);
    lead(stand);
}

static void done(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->stage.cluster));
    loops_stop(stand->loops);
    settings_store_free(stand->settings);
    stage_done(&stand->stage);
}

static void make_session(struct stand *stand, const char *more)
{
    char time[CONDITION_TIME_BYTES];

    condition_time(clock_now_s(), time);

    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession',"
                            "'metadata':{'name':'s1','namespace':'shop','uid':'" STAGE_SESSION_UID
                            "','creationTimestamp':'%s'},'spec':{'invoker':{"
                            "'kind':'BackupConfiguration','name':'c'}%s}}",
                            time, more);

    stage_put(&stand->stage, STAGE_SESSIONS "/s1", row);
}

/* ---- waiting ---- */

static void rest(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    nanosleep(&pause, NULL);
}

static void await_phase(struct stand *stand, const char *name, const char *phase)
{
    bool found = false;

    for (int i = 0; i < TIMEOUT_MS && !found; i++) {
        AUTO(free) char *is = stage_phase(&stand->stage, name);

        found = strcmp(is, phase) == 0;
        if (!found)
            rest();
    }
    ck_assert_msg(found, "%s is never %s", name, phase);
}

static void await_free(struct stand *stand)
{
    bool found = false;

    for (int i = 0; i < TIMEOUT_MS && !found; i++) {
        AUTO(json) json_t *lease = stage_lease(&stand->stage);

        found = !lease;
        if (!found)
            rest();
    }
    ck_assert_msg(found, "the Lease is never given back");
}

/* ---- an agent ---- */

static int64_t claim(struct stand *stand, int role)
{
    struct agent_desk desk = desk_callbacks(session_loop_desk(stand->loops));
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
        rest();
    }
    ck_abort_msg("there is never work");
}

static enum desk_answer report(struct stand *stand, bool good)
{
    struct agent_desk desk = desk_callbacks(session_loop_desk(stand->loops));
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
        struct stand stand;

        prepare(&stand);
        make_session(&stand, "");
        ck_assert_int_eq(claim(&stand, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&stand, true), DESK_ANSWERED);
        await_phase(&stand, "s1", "Succeeded");
        await_free(&stand);
        done(&stand);
    }
END_TEST

/* Another leader goes on where the last one was. */
START_TEST(a_change_of_leaders)
    {
        struct stand stand;

        prepare(&stand);
        make_session(&stand, "");
        ck_assert_int_eq(claim(&stand, MESSAGE_SIDECAR), 1);
        loops_stop(stand.loops);
        lead(&stand);
        ck_assert_int_eq(claim(&stand, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&stand, true), DESK_ANSWERED);
        loops_stop(stand.loops);
        lead(&stand);
        await_phase(&stand, "s1", "Succeeded");
        await_free(&stand);
        done(&stand);
    }
END_TEST

START_TEST(a_retry)
    {
        struct stand stand;
        json_t *configuration;

        prepare(&stand);
        configuration = fake_cluster_get(stand.stage.cluster, STAGE_CONFIGURATION);
        tree_put_text(json_object_get(json_object_get(configuration, "spec"), "retryConfig"),
                      "delay", "0s");
        fake_cluster_put(stand.stage.cluster, STAGE_CONFIGURATION, configuration);
        make_session(&stand, ",'retryLeft':1");
        ck_assert_int_eq(claim(&stand, MESSAGE_SIDECAR), 1);
        ck_assert_int_eq(report(&stand, false), DESK_ANSWERED);
        await_phase(&stand, "s1", "Failed");

        AUTO(free) char *next = slot_name_of_uid("c", STAGE_SESSION_UID);

        await_phase(&stand, next, "Running");
        done(&stand);
    }
END_TEST

static void deletes_session(struct stand *stand)
{
    fake_cluster_remove(stand->stage.cluster, STAGE_SESSIONS "/s1");
}

static void deletes_configuration(struct stand *stand)
{
    fake_cluster_remove(stand->stage.cluster, STAGE_CONFIGURATION);
}

static void deletes_both(struct stand *stand)
{
    deletes_configuration(stand);
    deletes_session(stand);
}

static const struct {
    void (*event)(struct stand *stand);
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
        struct stand stand;

        prepare(&stand);
        make_session(&stand, "");
        ck_assert_int_eq(claim(&stand, MESSAGE_SIDECAR), 1);
        gone_rows[_i].event(&stand);
        await_phase(&stand, "s1", gone_rows[_i].phase);

        AUTO(json) json_t *lease = stage_lease(&stand.stage);

        ck_assert_ptr_nonnull(lease);
        while (report(&stand, true) != gone_rows[_i].answer)
            rest();
        await_free(&stand);
        done(&stand);
    }
END_TEST

/* Its configuration was never there. */
START_TEST(without_configuration)
    {
        struct stand stand;

        prepare(&stand);
        fake_cluster_remove(stand.stage.cluster, STAGE_CONFIGURATION);
        make_session(&stand, "");
        await_phase(&stand, "s1", "Skipped");
        done(&stand);
    }
END_TEST

START_TEST(a_restore)
    {
        struct stand stand;

        prepare(&stand);
        stage_restore(&stand.stage,
                      "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/v1','kind':"
                      "'Deployment','name':'web'},'rules':[{'paths':['/data']}]}}");
        await_phase(&stand, "r1", "Pending");
        ck_assert_int_eq(claim(&stand, MESSAGE_INIT), 1);
        await_phase(&stand, "r1", "Running");
        ck_assert_int_eq(report(&stand, true), DESK_ANSWERED);
        await_phase(&stand, "r1", "Succeeded");
        await_free(&stand);
        ck_assert_int_eq(claim(&stand, MESSAGE_INIT), 0);
        done(&stand);
    }
END_TEST

START_TEST(a_restore_without_repository)
    {
        struct stand stand;

        prepare(&stand);
        stage_put(&stand.stage, STAGE_REPOSITORY,
                  "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{"
                  "'name':'r','namespace':'shop'},'spec':{'usagePolicy':{}}}");
        stage_restore(&stand.stage,
                      "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/v1','kind':"
                      "'Deployment','name':'web'},'rules':[{'paths':['/data']}]}}");
        await_phase(&stand, "r1", "Invalid");
        done(&stand);
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
    suite_rows(tests, parses, parse_rows);
}
