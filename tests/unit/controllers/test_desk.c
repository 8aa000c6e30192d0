#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/restore_status.h"
#include "controllers/session_status.h"
#include "tests/unit/controllers/stage.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define INSTANCE "0123456789abcdef0123456789abcdef"
#define RESTARTED "fedcba9876543210fedcba9876543210"
#define OTHER_POD "11111111-0000-4000-8000-000000000002"
#define SNAPSHOT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct agent_caller web_a = {"shop", "web-1-a", STAGE_POD_UID, "default"},
                                 web_b = {"shop", "web-1-b", OTHER_POD, "default"};

/* ---- an agent ---- */

struct agent {
    const struct agent_caller *caller;
    const char *instance;
    int role;
    bool fresh;   /* no RestoreSession is meant */
    json_t *read; /* of the last grant; owned */
    struct message_granted *granted;
    struct error err;
};

static void agent_done(struct agent *agent)
{
    json_decref(agent->read);
    free(agent->granted);
}

static inline void auto_agent(struct agent *agent)
{
    agent_done(agent);
}

static struct agent agent_of(const struct agent_caller *caller, const char *instance, int role)
{
    return (struct agent){.caller = caller,
                          .instance = instance,
                          .role = role,
                          .granted = text_alloc(sizeof(struct message_granted))};
}

static enum desk_answer claim(struct stage *stage, struct agent *agent)
{
    const struct message_claim message = {
        .agent_version = "0.1.0",
        .instance = agent->instance,
        .role = agent->role,
        .session = agent->role == MESSAGE_INIT && !agent->fresh ? STAGE_SESSION_UID : NULL,
    };
    AUTO(text) struct text answer = {0};
    enum desk_answer what =
        stage->agents.claim(stage->agents.context, agent->caller, &message, &answer, &agent->err);

    if (what != DESK_ANSWERED)
        return what;
    json_decref(agent->read);
    agent->read = message_read(&message_granted_shape, (struct span){answer.data, answer.length},
                               MESSAGE_ANSWER_MAX_BYTES, agent->granted, &agent->err);
    ck_assert_msg(agent->read != NULL, "%s", agent->err.message);
    return what;
}

static enum desk_answer progress(struct stage *stage, struct agent *agent, bool initialized,
                                 bool *go_on)
{
    const struct message_progress message = {.session = STAGE_SESSION_UID,
                                             .host = "host-0",
                                             .attempt = agent->granted->work.attempt,
                                             .instance = agent->instance,
                                             .stage = MESSAGE_WORK,
                                             .initialized = initialized};
    AUTO(text) struct text answer = {0};
    enum desk_answer what = stage->agents.progress(stage->agents.context, agent->caller, &message,
                                                   &answer, &agent->err);

    *go_on = strstr(text_get(&answer), "\"continue\":true") != NULL;
    return what;
}

static enum desk_answer report(struct stage *stage, struct agent *agent, bool good,
                               const char *path, bool *recorded)
{
    AUTO(free) struct message_report *message = text_alloc(sizeof *message);
    AUTO(text) struct text answer = {0};
    enum desk_answer what;

    *message = (struct message_report){
        .session = STAGE_SESSION_UID,
        .host = "host-0",
        .instance = agent->instance,
        .attempt = agent->granted->work.attempt,
        .outcome = good ? MESSAGE_SUCCEEDED : MESSAGE_FAILED,
        .has_error = !good,
        .error = {"NoSpace", "the disk is full"},
        .initialized = good,
        .snapshots = {{.id = SNAPSHOT, .path = path}},
        .snapshot_count = good && path,
    };
    what =
        stage->agents.report(stage->agents.context, agent->caller, message, &answer, &agent->err);
    *recorded = strstr(text_get(&answer), "\"recorded\":true") != NULL;
    return what;
}

static bool expects(struct stage *stage, const struct agent *agent)
{
    const struct message_claim message = {
        .role = agent->role, .session = agent->role == MESSAGE_INIT ? STAGE_SESSION_UID : NULL};

    return stage->agents.expects(stage->agents.context, agent->caller, &message);
}

static void must_be(struct stage *stage, const char *name, const char *phase)
{
    AUTO(free) char *is = stage_phase(stage, name);

    ck_assert_str_eq(is, phase);
}

static void must_be_free(struct stage *stage)
{
    AUTO(json) json_t *lease = stage_lease(stage);

    ck_assert_ptr_null(lease);
}

static bool is_claimed(struct stage *stage)
{
    AUTO(json) json_t *lease = stage_lease(stage);
    const char *ledger = tree_text(tree_at(lease, "metadata.annotations"), KEY_LEDGER);

    return ledger && strstr(ledger, "\"pod\":");
}

/* ---- a backup ---- */

START_TEST(a_backup)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent other = agent_of(&web_b, RESTARTED, MESSAGE_SIDECAR);
        const struct message_work *work = &agent.granted->work;
        bool go_on, recorded;

        stage_start(&stage);
        stage_pod(&stage, "web-1-b", OTHER_POD, "{'phase':'Running'}");
        stage_session(&stage, "");
        ck_assert(!expects(&stage, &agent));
        ck_assert_int_eq(claim(&stage, &agent), DESK_WAIT);
        stage_settle(&stage);
        desk_changed(stage.desk);
        ck_assert(expects(&stage, &agent));
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_str_eq(work->session.name, "s1");
        ck_assert_str_eq(work->host, "host-0");
        ck_assert_int_eq(work->attempt, 1);
        ck_assert_str_eq(work->repository.url, "s3:s3.example.com/b/shop/web");
        ck_assert_str_eq(work->environment[0].value, "hush");
        ck_assert_str_eq(work->backup.paths[0], "/data");
        ck_assert_str_eq(work->backup.exclude[0], "*.tmp");
        ck_assert_uint_eq(work->backup.tag_count, 3);
        ck_assert_str_eq(work->backup.tags[0], "target:apps/Deployment/shop/web");
        ck_assert_str_eq(work->backup.tags[1], "session:" STAGE_SESSION_UID);
        ck_assert_str_eq(work->backup.tags[2], "snapshots:1");
        ck_assert_int_eq(work->deadline_s, -1);
        ck_assert(is_claimed(&stage));
        /* the same once more, for who did not hear it; nothing for the other pod of the host */
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(work->attempt, 1);
        ck_assert_int_eq(claim(&stage, &other), DESK_WAIT);
        ck_assert(!expects(&stage, &other));
        stage_settle(&stage);
        ck_assert_int_eq(progress(&stage, &agent, true, &go_on), DESK_ANSWERED);
        ck_assert(go_on);

        /* from now on a sign of life costs nothing */
        int reads = fake_cluster_reads(stage.cluster), asked = fake_cluster_asked(stage.cluster);

        ck_assert_int_eq(progress(&stage, &agent, true, &go_on), DESK_ANSWERED);
        ck_assert_int_eq(fake_cluster_reads(stage.cluster), reads);
        ck_assert_int_eq(fake_cluster_asked(stage.cluster), asked);
        ck_assert_int_eq(report(&stage, &agent, true, "/data", &recorded), DESK_ANSWERED);
        ck_assert(recorded && !is_claimed(&stage));
        ck_assert_int_eq(report(&stage, &agent, true, "/data", &recorded), DESK_ANSWERED);
        ck_assert(recorded);
        stage_settle(&stage);
        must_be(&stage, "s1", "Succeeded");
        must_be_free(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_WAIT);
    }
END_TEST

/* The whole life with one write that fails: everybody tries again until he is answered. */
static void persist(struct stage *stage, struct agent *agent)
{
    bool go_on, recorded;
    int tries = 0;

    stage_session(stage, "");
    stage_settle(stage);
    while (claim(stage, agent) != DESK_ANSWERED)
        ck_assert_int_lt(tries++, 5);
    while (progress(stage, agent, true, &go_on) != DESK_ANSWERED || !go_on)
        ck_assert_int_lt(tries++, 5);
    while (report(stage, agent, true, "/data", &recorded) != DESK_ANSWERED || !recorded)
        ck_assert_int_lt(tries++, 5);
    stage_settle(stage);
}

#define BACKUP_WRITES 9

START_TEST(a_backup_with_a_failure)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);

        stage_start(&stage);
        fake_cluster_fail(stage.cluster, _i % BACKUP_WRITES + 1,
                          (enum fake_failure)(_i / BACKUP_WRITES + 1));
        persist(&stage, &agent);
        must_be(&stage, "s1", "Succeeded");
        must_be_free(&stage);

        AUTO(json) json_t *session = fake_cluster_get(stage.cluster, STAGE_SESSIONS "/s1");
        const json_t *target = json_array_get(tree_at(session, "status.targets"), 0);

        ck_assert_int_eq(json_array_size(tree_get(target, "stats")), 1);
        ck_assert_int_eq(agent.granted->work.attempt, 1);
    }
END_TEST

/* A session that runs, with a claim of web-1-a. */
static void begin(struct stage *stage, struct agent *agent)
{
    stage_start(stage);
    stage_session(stage, "");
    stage_settle(stage);
    ck_assert_int_eq(claim(stage, agent), DESK_ANSWERED);
}

#define OTHER_CLUSTER "55555555-0000-4000-8000-000000000001"

static const struct {
    const char *adopt, *heard;
} owner_rows[] = {
    {NULL, NULL},
    {OTHER_CLUSTER, OTHER_CLUSTER},
    {"yes", NULL},
};

START_TEST(whose_the_repository_is)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        const struct message_repository *heard = &agent.granted->work.repository;
        json_t *annotations = json_object();

        stage_start(&stage);
        json_t *repository = fake_cluster_get(stage.cluster, STAGE_REPOSITORY);

        tree_put_text(annotations, KEY_ADOPT, owner_rows[_i].adopt);
        tree_put_new(json_object_get(repository, "metadata"), "annotations", annotations);
        fake_cluster_put(stage.cluster, STAGE_REPOSITORY, repository);
        stage_session(&stage, "");
        stage_settle(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_str_eq(heard->cluster, STAGE_CLUSTER_UID);
        ck_assert(heard->initialize);
        ck_assert(owner_rows[_i].heard ? strcmp(heard->adopt, owner_rows[_i].heard) == 0
                                       : !heard->adopt);
    }
END_TEST

/* Nobody could say whose the repository becomes. */
START_TEST(a_cluster_that_is_not_known)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);

        stage_start(&stage);
        fake_cluster_remove(stage.cluster, "/api/v1/namespaces/kube-system");
        stage_session(&stage, "");
        stage_settle(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_UNAVAILABLE);
        ck_assert(!is_claimed(&stage));
    }
END_TEST

/* RS7, RS14: the Secret is read anew for each claim, and never what it said before is handed out.
 */
START_TEST(a_secret_that_was_changed)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        const struct message_work *work = &agent.granted->work;

        begin(&stage, &agent);
        ck_assert_str_eq(work->environment[0].value, "hush");
        ck_assert_uint_eq(work->variable_count, 1);
        ck_assert(!work->repository.key_exchange);
        stage_put(&stage, STAGE_SECRET,
                  "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'key','namespace':'shop'},"
                  "'data':{'RESTIC_PASSWORD':'bmV3','RESTIC_PASSWORD_OLD':'aHVzaA==',"
                  "'AWS_ACCESS_KEY_ID':'aWQ=','AWS_SECRET_ACCESS_KEY':'a2V5'}}");
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_uint_eq(work->variable_count, 3);
        ck_assert_str_eq(work->environment[0].value, "new");
        ck_assert_str_eq(work->environment[1].value, "id");
        ck_assert_str_eq(work->environment[2].value, "key");
        ck_assert(work->repository.key_exchange);
    }
END_TEST

START_TEST(a_container_that_was_restarted)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent before = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent after = agent_of(&web_a, RESTARTED, MESSAGE_SIDECAR);
        bool go_on, recorded;

        begin(&stage, &before);
        ck_assert_int_eq(claim(&stage, &after), DESK_ANSWERED);
        ck_assert_int_eq(after.granted->work.attempt, 2);
        ck_assert_int_eq(progress(&stage, &before, false, &go_on), DESK_REFUSED);
        ck_assert_int_eq(before.err.code, ERROR_CONFLICT);
        ck_assert_int_eq(stage.shown, 0);
        ck_assert_int_eq(progress(&stage, &after, false, &go_on), DESK_ANSWERED);
        ck_assert_int_eq(stage.shown, 1);
        ck_assert_int_eq(report(&stage, &before, true, "/data", &recorded), DESK_REFUSED);
        ck_assert_int_eq(before.err.code, ERROR_CONFLICT);
        ck_assert_int_eq(report(&stage, &after, true, "/data", &recorded), DESK_ANSWERED);
        ck_assert_int_eq(progress(&stage, &after, false, &go_on), DESK_REFUSED);
        ck_assert_int_eq(stage.shown, 1); /* after its report nothing is */
        stage_settle(&stage);
        must_be(&stage, "s1", "Succeeded");
    }
END_TEST

/* Its session is over meanwhile, so that nothing is there to be claimed once more: who asks for
 * work holds none. A question from before the claim would say nothing. */
START_TEST(a_container_that_was_restarted_for_nothing)
    {
        static const bool gone[] = {true, false};
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent before = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent after = agent_of(&web_a, RESTARTED, MESSAGE_SIDECAR);
        AUTO(agent) struct agent other = agent_of(&web_b, RESTARTED, MESSAGE_SIDECAR);

        begin(&stage, &before);
        stage_pod(&stage, "web-1-b", OTHER_POD, "{'phase':'Running'}");
        if (gone[_i])
            fake_cluster_remove(stage.cluster, STAGE_SESSIONS "/s1");
        else
            fake_cluster_remove(stage.cluster, STAGE_CONFIGURATION);
        stage_settle(&stage);
        ck_assert(is_claimed(&stage));
        ck_assert_int_eq(claim(&stage, &after), DESK_WAIT);
        ck_assert(is_claimed(&stage));
        stage_wait(&stage, 31);
        desk_changed(stage.desk);
        ck_assert(!expects(&stage, &other));
        ck_assert_int_eq(claim(&stage, &other), DESK_WAIT);
        ck_assert(is_claimed(&stage)); /* another pod's question says nothing */
        ck_assert(expects(&stage, &after));
        ck_assert_int_eq(claim(&stage, &after), DESK_WAIT);
        ck_assert(!is_claimed(&stage));
        ck_assert(!expects(&stage, &after));
        stage_settle(&stage);
        must_be_free(&stage);
    }
END_TEST

/* Whoever asks anew has ended what he had: maintenance of the Repository does not wait for him. */
START_TEST(who_asks_anew_leaves_the_repository)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent before = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent after = agent_of(&web_a, RESTARTED, MESSAGE_SIDECAR);

        begin(&stage, &before);
        ck_assert(stage_is_in(&stage, STAGE_POD_UID));
        stage_wait(&stage, 900); /* silent: the session has failed */
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");
        ck_assert(is_claimed(&stage) && stage_is_in(&stage, STAGE_POD_UID));
        desk_changed(stage.desk);
        ck_assert_int_eq(claim(&stage, &after), DESK_WAIT);
        ck_assert(!is_claimed(&stage) && !stage_is_in(&stage, STAGE_POD_UID));
    }
END_TEST

START_TEST(another_leader)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        bool go_on, recorded;

        begin(&stage, &agent);
        stage_elect(&stage);
        ck_assert_int_eq(progress(&stage, &agent, true, &go_on), DESK_ANSWERED);
        ck_assert(go_on);
        stage_elect(&stage);
        ck_assert_int_eq(report(&stage, &agent, true, "/data", &recorded), DESK_ANSWERED);
        ck_assert(recorded);
        stage_settle(&stage);
        must_be(&stage, "s1", "Succeeded");
    }
END_TEST

/* ---- commands of hooks ---- */

#define WITH_HOOKS                                                                                 \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': "     \
    "{'name': 'c', 'namespace': 'shop', 'uid': '" STAGE_CONFIGURATION_UID "'}, 'spec': {"          \
    "'repository': {'name': 'r'}, 'target': {'ref': {'apiVersion': 'apps/v1', 'kind': "            \
    "'Deployment', 'name': 'web'}, 'paths': ['/data']}, 'hooks': {'preBackup': {%s}}}}"

/* Asks until it is known how the command of a stage went. */
static enum desk_answer ask_command(struct stage *stage, struct agent *agent, int hook,
                                    struct text *answer)
{
    const struct message_progress message = {.session = STAGE_SESSION_UID,
                                             .host = "host-0",
                                             .attempt = agent->granted->work.attempt,
                                             .instance = agent->instance,
                                             .stage = hook,
                                             .has_exec = true,
                                             .exec = {.phase = "Running"}};
    enum desk_answer what;

    do {
        answer->length = 0;
        what = stage->agents.progress(stage->agents.context, agent->caller, &message, answer,
                                      &agent->err);
    } while (what == DESK_ANSWERED && strstr(text_get(answer), "Running"));
    return what;
}

static const struct {
    const char *hook, *says;
} command_rows[] = {
    {"'exec': {'command': ['true']}", "exec in pod shop/web-1-a"},
    {"'exec': {'command': ['true']}, 'containerName': 'stash'", "no such container"},
    {"'exec': {'command': ['true']}, 'containerName': 'other'", "one of them in containerName"},
    {"'exec': {'command': ['{{ env }}']}", "command[0]: template"},
    {"'exec': {'command': []}", "no command now"},
    {"'tcpSocket': {'port': 1}", "no command now"},
};

/* There is no such path in this cluster, so that nothing can be run. */
START_TEST(commands)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(free) char *row = text_format(WITH_HOOKS, command_rows[_i].hook);
        AUTO(text) struct text answer = {0};

        begin(&stage, &agent);
        stage_put(&stage, STAGE_CONFIGURATION, row);
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(ask_command(&stage, &agent, MESSAGE_HOOK_BEFORE, &answer),
                             DESK_ANSWERED);
            ck_assert_msg(strstr(text_get(&answer), "\"exec\":\"Failed\"") != NULL &&
                              strstr(text_get(&answer), command_rows[_i].says) != NULL,
                          "%s", text_get(&answer));
        }
    }
END_TEST

/* SC3: what another leader has begun is not begun again, nor what is another's. */
START_TEST(a_command_begins_once)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent other = agent_of(&web_a, RESTARTED, MESSAGE_SIDECAR);
        AUTO(free) char *row = text_format(WITH_HOOKS, command_rows[0].hook);
        AUTO(text) struct text answer = {0};

        begin(&stage, &agent);
        stage_put(&stage, STAGE_CONFIGURATION, row);
        ck_assert_int_eq(ask_command(&stage, &agent, MESSAGE_HOOK_BEFORE, &answer), DESK_ANSWERED);
        ck_assert_ptr_null(strstr(text_get(&answer), "another controller"));
        stage_elect(&stage);
        ck_assert_int_eq(ask_command(&stage, &agent, MESSAGE_HOOK_BEFORE, &answer), DESK_ANSWERED);
        ck_assert_msg(strstr(text_get(&answer), "another controller has begun it"), "%s",
                      text_get(&answer));
        other.granted->work.attempt = 1;
        ck_assert_int_eq(ask_command(&stage, &other, MESSAGE_HOOK_BEFORE, &answer), DESK_REFUSED);
        ck_assert_int_eq(other.err.code, ERROR_CONFLICT);
        /* a new attempt is another command */
        ck_assert_int_eq(claim(&stage, &other), DESK_ANSWERED);
        ck_assert_int_eq(ask_command(&stage, &other, MESSAGE_HOOK_BEFORE, &answer), DESK_ANSWERED);
        ck_assert_ptr_null(strstr(text_get(&answer), "another controller"));
    }
END_TEST

START_TEST(past_the_deadline)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        json_t *configuration;
        bool go_on, recorded;

        stage_start(&stage);
        configuration = fake_cluster_get(stage.cluster, STAGE_CONFIGURATION);
        tree_put_text(json_object_get(configuration, "spec"), "timeOut", "10m");
        fake_cluster_put(stage.cluster, STAGE_CONFIGURATION, configuration);
        stage_session(&stage, "");
        stage_settle(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(agent.granted->work.deadline_s, 600);
        stage_wait(&stage, 601);
        ck_assert_int_eq(progress(&stage, &agent, false, &go_on), DESK_ANSWERED);
        ck_assert(!go_on);
        ck_assert_int_eq(stage.shown, 0);
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");
        ck_assert(is_claimed(&stage)); /* it may still be at work */
        ck_assert_int_eq(report(&stage, &agent, false, NULL, &recorded), DESK_ANSWERED);
        ck_assert(!recorded);
        stage_settle(&stage);
        must_be_free(&stage);
    }
END_TEST

START_TEST(a_session_that_was_deleted)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        bool go_on, recorded;

        begin(&stage, &agent);
        fake_cluster_remove(stage.cluster, STAGE_SESSIONS "/s1");
        ck_assert_int_eq(progress(&stage, &agent, false, &go_on), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_NOT_FOUND);
        stage_settle(&stage);
        ck_assert(is_claimed(&stage));
        ck_assert_int_eq(report(&stage, &agent, true, "/data", &recorded), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_NOT_FOUND);
        ck_assert(!is_claimed(&stage));
        stage_settle(&stage);
        must_be_free(&stage);
    }
END_TEST

/* What is no proof is no success. */
START_TEST(without_proof)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        bool recorded;

        begin(&stage, &agent);
        ck_assert_int_eq(report(&stage, &agent, true, "/elsewhere", &recorded), DESK_ANSWERED);
        stage_settle(&stage);
        must_be(&stage, "s1", "Failed");
    }
END_TEST

/* ---- what can not be worked on ---- */

static const struct {
    const char *path, *row, *phase;
} bad_rows[] = {
    /* no password; an option that runs programs: it has failed, and says why */
    {STAGE_SECRET,
     "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'key','namespace':'shop'},'data':{}}",
     "Failed"},
    {STAGE_REPOSITORY,
     "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'r',"
     "'namespace':'shop'},'spec':{'backend':{'storageSecretName':'key'}}}",
     "Failed"},
    {STAGE_REPOSITORY,
     "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'r',"
     "'namespace':'shop'},'spec':{'usagePolicy':{},'backend':{'storageSecretName':'key','s3':{"
     "'bucket':'b'}}}}",
     "Failed"},
    /* what may come: it waits */
    {STAGE_REPOSITORY,
     "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'other',"
     "'namespace':'shop'}}",
     "Running"},
};

START_TEST(bad_work)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);

        stage_start(&stage);
        stage_put(&stage, bad_rows[_i].path, bad_rows[_i].row);
        stage_session(&stage, "");
        stage_settle(&stage);
        ck_assert_int_ne(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_ptr_null(strstr(agent.err.message, "hush"));
        ck_assert(!is_claimed(&stage));
        stage_settle(&stage);
        must_be(&stage, "s1", bad_rows[_i].phase);
    }
END_TEST

/* ---- who gets nothing ---- */

#define POD(uid, marks, spec, owner)                                                               \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'web-1-a','namespace':'shop','uid':'" uid  \
    "','annotations':{" marks "},'ownerReferences':[" owner "]},'spec':{" spec "}}"
#define MARK "'granary.dev/agent':'v1.0.0'"
#define CONTAINERS "'containers':[{'name':'stash'}]"
#define OWNER(version, kind, name, uid)                                                            \
    "{'apiVersion':'" version "','kind':'" kind "','name':'" name "','uid':'" uid                  \
    "','controller':true}"
#define MAKER OWNER("apps/v1", "ReplicaSet", "web-1", "RS")

static const struct {
    const char *pod; /* NULL: none */
    int role;
} refused_rows[] = {
    {NULL, MESSAGE_SIDECAR},
    {POD(OTHER_POD, MARK, CONTAINERS, MAKER), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, "", CONTAINERS, MAKER), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, "'containers':[{'name':'web'}]", MAKER), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS ",'shareProcessNamespace':true", MAKER), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS ",'hostPID':true", MAKER), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, ""), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, OWNER("apps/v1", "ReplicaSet", "web-1", "RS2")),
     MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, OWNER("apps/v1", "ReplicaSet", "web-9", "RS")),
     MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, OWNER("apps/v1", "Deployment", "web", "WEB2")),
     MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, OWNER("batch/v1", "Job", "j", "J")), MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, OWNER("evil/v1", "Deployment", "web", "WEB")),
     MESSAGE_SIDECAR},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, MAKER), MESSAGE_INIT},
    {POD(STAGE_POD_UID, MARK, CONTAINERS, MAKER), MESSAGE_JOB},
};

START_TEST(refused)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, refused_rows[_i].role);

        stage_start(&stage);
        stage_session(&stage, "");
        stage_settle(&stage);
        fake_cluster_remove(stage.cluster, STAGE_PODS "/web-1-a");
        if (refused_rows[_i].pod)
            stage_put(&stage, STAGE_PODS "/web-1-a", refused_rows[_i].pod);
        ck_assert_int_eq(claim(&stage, &agent), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_FORBIDDEN);
        ck_assert(!is_claimed(&stage));
    }
END_TEST

/* ---- a restore ---- */

#define RESTORE                                                                                    \
    "{'repository':{'name':'r'},'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment',"      \
    "'name':'web'},'rules':[{'targetHosts':['other'],'snapshots':['x']},{'paths':['/data']}]}}"

static enum desk_answer ask(struct stage *stage, struct agent *agent)
{
    enum desk_answer what = claim(stage, agent);

    stage_settle(stage);
    return what;
}

START_TEST(a_restore)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_INIT);
        bool go_on, recorded;

        stage_start(&stage);
        stage_restore(&stage, RESTORE);
        stage_settle(&stage);
        must_be(&stage, "r1", "Pending");
        ck_assert_int_eq(ask(&stage, &agent), DESK_WAIT);
        must_be(&stage, "r1", "Running");
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert(agent.granted->has_work && !agent.granted->pass);
        ck_assert_int_eq(agent.granted->work.kind, MESSAGE_RESTORE);
        ck_assert_str_eq(agent.granted->work.restore.rules[0].paths[0], "/data");
        ck_assert_str_eq(agent.granted->work.restore.rules[0].source_host, "host-0");
        ck_assert_int_eq(progress(&stage, &agent, false, &go_on), DESK_ANSWERED);
        ck_assert(go_on);
        ck_assert_int_eq(report(&stage, &agent, _i == 0, "/data", &recorded), DESK_ANSWERED);
        stage_settle(&stage);
        must_be(&stage, "r1", _i == 0 ? "Succeeded" : "Failed");
        /* a failed one holds the application until somebody says so */
        ck_assert_int_eq(claim(&stage, &agent), _i == 0 ? DESK_ANSWERED : DESK_WAIT);
        if (_i == 0)
            ck_assert(agent.granted->pass);
    }
END_TEST

static void says_so(struct stage *stage)
{
    json_t *session = fake_cluster_get(stage->cluster, STAGE_RESTORES "/r1");

    tree_put_new(json_object_get(session, "metadata"), "annotations",
                 json_row("{'granary.dev/start-anyway':'true'}"));
    fake_cluster_put(stage->cluster, STAGE_RESTORES "/r1", session);
}

static void takes_away(struct stage *stage)
{
    fake_cluster_remove(stage->cluster, STAGE_RESTORES "/r1");
}

START_TEST(a_restore_that_is_overruled)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = agent_of(&web_a, INSTANCE, MESSAGE_INIT);

        stage_start(&stage);
        stage_restore(&stage, RESTORE);
        (_i == 0 ? says_so : takes_away)(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert(agent.granted->pass);
    }
END_TEST

/* ---- restore-if-exists ---- */

static struct agent fresh_of(const struct agent_caller *caller, const char *instance)
{
    struct agent agent = agent_of(caller, instance, MESSAGE_INIT);

    agent.fresh = true;
    return agent;
}

static enum desk_answer fresh_report(struct stage *stage, struct agent *agent, bool good)
{
    AUTO(free) struct message_report *message = text_alloc(sizeof *message);
    AUTO(text) struct text answer = {0};

    *message = (struct message_report){
        .session = agent->caller->pod_uid,
        .host = "host-0",
        .instance = agent->instance,
        .attempt = agent->granted->work.attempt,
        .outcome = good ? MESSAGE_SUCCEEDED : MESSAGE_FAILED,
        .has_error = !good,
        .error = {"WrongPassword", "the password is wrong"},
        .note = good ? "restored all of it" : NULL,
    };
    return stage->agents.report(stage->agents.context, agent->caller, message, &answer,
                                &agent->err);
}

static enum desk_answer fresh_progress(struct stage *stage, struct agent *agent)
{
    const struct message_progress message = {.session = agent->caller->pod_uid,
                                             .host = "host-0",
                                             .attempt = agent->granted->work.attempt,
                                             .instance = agent->instance,
                                             .stage = MESSAGE_WORK};
    AUTO(text) struct text answer = {0};

    return stage->agents.progress(stage->agents.context, agent->caller, &message, &answer,
                                  &agent->err);
}

static size_t count_leases(struct stage *stage)
{
    AUTO(json) json_t *all = fake_cluster_list(stage->cluster, STAGE_LEASES);
    const json_t *lease;
    size_t i, count = 0;

    tree_items (all, i, lease)
        count += span_is(tree_span(tree_at(lease, "metadata.labels"), "granary.dev/ledger"),
                         "if-exists");
    return count;
}

/* What no session is known of comes from what the repository says, what one is, from that. */
START_TEST(an_empty_volume)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent sidecar = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent agent = fresh_of(&web_a, INSTANCE);
        const struct message_restore *asked = &agent.granted->work.restore;

        stage_start(&stage);
        if (_i == 1)
            persist(&stage, &sidecar);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert(agent.granted->has_work && asked->if_exists);
        ck_assert_int_eq(agent.granted->work.kind, MESSAGE_RESTORE);
        ck_assert_str_eq(agent.granted->work.session.uid, STAGE_POD_UID);
        ck_assert(!agent.granted->work.repository.initialize);
        ck_assert_uint_eq(asked->rule_count, 1);
        if (_i == 0) {
            ck_assert_str_eq(asked->tag, "target:apps/Deployment/shop/web");
            ck_assert_str_eq(asked->rules[0].paths[0], "/data");
            ck_assert_uint_eq(asked->rules[0].snapshot_count, 0);
        } else {
            ck_assert_ptr_null(asked->tag);
            ck_assert_str_eq(asked->rules[0].snapshots[0], "aaaaaaaa");
            ck_assert_uint_eq(asked->rules[0].path_count, 0);
        }
        ck_assert_uint_eq(count_leases(&stage), 1);
        ck_assert_int_eq(fresh_progress(&stage, &agent), DESK_ANSWERED);
        stage_elect(&stage); /* another leader knows it from the Lease */
        ck_assert_int_eq(fresh_progress(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(fresh_report(&stage, &agent, true), DESK_ANSWERED);
        ck_assert_uint_eq(count_leases(&stage), 0);
        ck_assert_ptr_nonnull(strstr(text_get(&stage.events), "RestoreIfExists "));
        /* what it holds no more it can not report */
        ck_assert_int_eq(fresh_report(&stage, &agent, true), DESK_REFUSED);
    }
END_TEST

/* Each write fails in turn, before and after it was carried out, and with a conflict. */
#define FRESH_WRITES 6

START_TEST(an_empty_volume_with_a_failure)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = fresh_of(&web_a, INSTANCE);

        stage_start(&stage);
        fake_cluster_fail(stage.cluster, _i % FRESH_WRITES + 1,
                          (enum fake_failure)(_i / FRESH_WRITES + 1));
        for (int i = 0; claim(&stage, &agent) != DESK_ANSWERED; i++)
            ck_assert_int_lt(i, 4);
        for (int i = 0; fresh_report(&stage, &agent, true) != DESK_ANSWERED; i++) {
            if (agent.err.code == ERROR_GONE) /* it was written, and nobody heard of it */
                break;
            ck_assert_int_lt(i, 4);
        }
        ck_assert_uint_eq(count_leases(&stage), 0);
    }
END_TEST

START_TEST(a_failure_is_tried_again_later)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = fresh_of(&web_a, INSTANCE);

        stage_start(&stage);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(fresh_report(&stage, &agent, false), DESK_ANSWERED);
        ck_assert_ptr_nonnull(strstr(text_get(&stage.events), "RestoreIfExistsFailed "));
        ck_assert_int_eq(claim(&stage, &agent), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_UNAVAILABLE);
        stage_wait(&stage, 60);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(agent.granted->work.attempt, 2);
    }
END_TEST

/* Of several pods that share a volume one restores it. */
START_TEST(one_pod_restores)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent first = fresh_of(&web_a, INSTANCE);
        AUTO(agent) struct agent again = fresh_of(&web_a, RESTARTED);
        AUTO(agent) struct agent second = fresh_of(&web_b, INSTANCE);

        stage_start(&stage);
        stage_pod(&stage, "web-1-a", STAGE_POD_UID, "{'phase':'Pending'}");
        stage_pod(&stage, "web-1-b", OTHER_POD, "{'phase':'Pending'}");
        ck_assert_int_eq(claim(&stage, &first), DESK_ANSWERED);
        ck_assert_int_eq(claim(&stage, &second), DESK_REFUSED);
        ck_assert_int_eq(second.err.code, ERROR_UNAVAILABLE);
        ck_assert_int_eq(claim(&stage, &again), DESK_ANSWERED);
        ck_assert_int_eq(again.granted->work.attempt, 2);
        ck_assert_int_eq(fresh_report(&stage, &first, true), DESK_REFUSED);
        fake_cluster_remove(stage.cluster, STAGE_PODS "/web-1-a");
        ck_assert_int_eq(claim(&stage, &second), DESK_ANSWERED);
        ck_assert_int_eq(second.granted->work.attempt, 3);
    }
END_TEST

#define PASSED(said)                                                                               \
    "{'phase':'Running','initContainerStatuses':[{'name':'stash-init','state':{'terminated':{"     \
    "'exitCode':0,'message':'" said "'}}}]}"

/* Beside a pod that runs. */
static const struct {
    const char *status;
    bool passes;
} beside_rows[] = {
    {PASSED("data"), true},
    {PASSED("fresh"), true},
    {PASSED("restored " OTHER_POD), true},
    {PASSED("restored " STAGE_SESSION_UID), false},
    {"{'phase':'Running'}", true},
    {"{'phase':'Pending'}", false},
    {"{'phase':'Failed'}", false},
};

START_TEST(beside_another_pod)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent sidecar = agent_of(&web_a, INSTANCE, MESSAGE_SIDECAR);
        AUTO(agent) struct agent agent = fresh_of(&web_a, INSTANCE);

        stage_start(&stage);
        persist(&stage, &sidecar);
        stage_pod(&stage, "web-1-b", OTHER_POD, beside_rows[_i].status);
        ck_assert_int_eq(claim(&stage, &agent), DESK_ANSWERED);
        ck_assert_int_eq(agent.granted->pass, beside_rows[_i].passes);
        ck_assert_int_eq(agent.granted->has_work, !beside_rows[_i].passes);
        if (beside_rows[_i].passes)
            ck_assert_ptr_nonnull(strstr(text_get(&stage.events), "StartsFresh "));
    }
END_TEST

/* Without these nothing is known. */
static const char *const needed_rows[] = {STAGE_CONFIGURATION, STAGE_REPOSITORY, STAGE_SECRET};

START_TEST(what_is_not_known_holds)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(agent) struct agent agent = fresh_of(&web_a, INSTANCE);

        stage_start(&stage);
        fake_cluster_remove(stage.cluster, needed_rows[_i]);
        ck_assert_int_eq(claim(&stage, &agent), DESK_REFUSED);
        ck_assert_int_eq(agent.err.code, ERROR_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(text_get(&stage.events), "RestoreIfExistsWaits "));
        ck_assert_uint_eq(count_leases(&stage), 0);
    }
END_TEST

/* ---- the trigger ---- */

#define JOB "/apis/batch/v1/namespaces/shop/jobs/stash-trigger-c-1"
#define CRONJOB "/apis/batch/v1/namespaces/shop/cronjobs/"
#define CONFIGURATION                                                                              \
    OWNER("stash.appscode.com/v1beta1", "BackupConfiguration", "c", STAGE_CONFIGURATION_UID)

static void put_owned(struct stage *stage, const char *path, const char *kind, const char *name,
                      const char *more, const char *owner)
{
    AUTO(free)
    char *row = text_format("{'apiVersion':'batch/v1','kind':'%s','metadata':{'name':'%s',"
                            "'namespace':'shop','uid':'%s'%s,'ownerReferences':[%s]}}",
                            kind, name, kind, more, owner);

    stage_put(stage, path, row);
}

#define SLOT                                                                                       \
    ",'annotations':{'batch.kubernetes.io/cronjob-scheduled-timestamp':'2024-05-01T13:00:00Z'}"

static const struct {
    const char *cronjob, *slot, *owner; /* of the CronJob */
    const char *session;                /* NULL: refused */
} trigger_rows[] = {
    {"stash-trigger-c", SLOT, CONFIGURATION, "c-1714568400"},
    {"stash-trigger-c", "", CONFIGURATION, "c-"},
    {"stash-trigger-d", SLOT, CONFIGURATION, NULL},
    {"stash-trigger-c", SLOT, "", NULL},
    {"stash-trigger-c", SLOT, OWNER("stash.appscode.com/v1beta1", "BackupConfiguration", "c", "C2"),
     NULL},
    {"stash-trigger-c", SLOT,
     OWNER("stash.appscode.com/v1beta1", "BackupConfiguration", "d", STAGE_CONFIGURATION_UID),
     NULL},
    {"stash-trigger-c", SLOT,
     OWNER("evil.com/v1", "BackupConfiguration", "c", STAGE_CONFIGURATION_UID), NULL},
};

static enum desk_answer pull(struct stage *stage, struct text *answer, struct error *err)
{
    const struct message_trigger message = {"0.1.0"};
    enum desk_answer what =
        stage->agents.trigger(stage->agents.context, &web_a, &message, answer, err);

    return what;
}

START_TEST(triggers)
    {
        AUTO(stage) struct stage stage = {0};
        AUTO(text) struct text first = {0};
        AUTO(text) struct text second = {0};
        AUTO(free) char *path = text_format(CRONJOB "%s", trigger_rows[_i].cronjob);
        AUTO(free)
        char *cronjob =
            text_format(OWNER("batch/v1", "CronJob", "%s", "CronJob"), trigger_rows[_i].cronjob);
        struct error err = {.message = ""};

        stage_start(&stage);
        stage_put(&stage, STAGE_PODS "/web-1-a",
                  POD(STAGE_POD_UID, "", CONTAINERS,
                      OWNER("batch/v1", "Job", "stash-trigger-c-1", "Job")));
        put_owned(&stage, JOB, "Job", "stash-trigger-c-1", trigger_rows[_i].slot, cronjob);
        put_owned(&stage, path, "CronJob", trigger_rows[_i].cronjob, "", trigger_rows[_i].owner);

        enum desk_answer what = pull(&stage, &first, &err);

        if (!trigger_rows[_i].session) {
            ck_assert_int_eq(what, DESK_REFUSED);
            ck_assert_int_eq(err.code, ERROR_FORBIDDEN);
            return;
        }
        ck_assert_msg(what == DESK_ANSWERED, "%s", err.message);
        ck_assert_ptr_nonnull(strstr(text_get(&first), trigger_rows[_i].session));
        ck_assert_ptr_nonnull(strstr(text_get(&first), "\"created\":true"));
        ck_assert_int_eq(pull(&stage, &second, &err), DESK_ANSWERED);
        ck_assert_ptr_null(strstr(text_get(&second), "\"created\":true"));

        AUTO(json) json_t *all = fake_cluster_list(stage.cluster, STAGE_SESSIONS);

        ck_assert_int_eq(json_array_size(all), 1);
        stage_settle(&stage);
        must_be(&stage, tree_text(tree_get(json_array_get(all, 0), "metadata"), "name"), "Running");
    }
END_TEST

SUITE(desk)
{
    tcase_add_test(tests, a_backup);
    tcase_add_loop_test(tests, a_backup_with_a_failure, 0, BACKUP_WRITES * FAILS_CONFLICT);
    suite_rows(tests, whose_the_repository_is, owner_rows);
    tcase_add_test(tests, a_cluster_that_is_not_known);
    tcase_add_test(tests, a_secret_that_was_changed);
    tcase_add_test(tests, a_container_that_was_restarted);
    tcase_add_loop_test(tests, a_container_that_was_restarted_for_nothing, 0, 2);
    tcase_add_test(tests, who_asks_anew_leaves_the_repository);
    tcase_add_test(tests, another_leader);
    suite_rows(tests, commands, command_rows);
    tcase_add_test(tests, a_command_begins_once);
    tcase_add_test(tests, past_the_deadline);
    tcase_add_test(tests, a_session_that_was_deleted);
    tcase_add_test(tests, without_proof);
    suite_rows(tests, bad_work, bad_rows);
    suite_rows(tests, refused, refused_rows);
    tcase_add_loop_test(tests, a_restore, 0, 2);
    tcase_add_loop_test(tests, an_empty_volume, 0, 2);
    tcase_add_loop_test(tests, an_empty_volume_with_a_failure, 0, FRESH_WRITES * FAILS_CONFLICT);
    tcase_add_test(tests, a_failure_is_tried_again_later);
    tcase_add_test(tests, one_pod_restores);
    suite_rows(tests, beside_another_pod, beside_rows);
    suite_rows(tests, what_is_not_known_holds, needed_rows);
    tcase_add_loop_test(tests, a_restore_that_is_overruled, 0, 2);
    suite_rows(tests, triggers, trigger_rows);
}
