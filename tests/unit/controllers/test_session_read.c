#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/session_read.h"
#include "controllers/slot.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define CREATED "'creationTimestamp':'2024-05-01T13:00:00Z'"
#define META "'metadata':{'name':'s1','uid':'S1','namespace':'shop'," CREATED "}"
#define INVOKER "'invoker':{'kind':'BackupConfiguration','name':'c'}"
#define SPEC "'spec':{" INVOKER "}"
#define STATS(stats) "'status':{'phase':'Running','targets':[{'stats':[" stats "]}]}"
#define READY "{'metadata':{'name':'c','uid':'C1'},'status':{'phase':'Ready'}}"
#define OTHER(name, created, more)                                                                 \
    "{'metadata':{'name':'" name "','uid':'" name                                                  \
    "','namespace':'shop','creationTimestamp':'2024-05-01T" created "Z'}," more "}"
#define LEDGER(claims) "{'session':'S1','since':1714569000,'claims':[" claims "]}"
/* claimed at 13:15 */
#define CLAIM(pod) "{'host':'host-0','pod':'" pod "','instance':'i','attempt':2,'since':1714569300}"

struct row {
    const char *session, *configuration, *sessions, *ledger, *pods;
    const char *told; /* NULL: nothing can be decided */
};

static void tell_work(const struct work *work, struct text *out)
{
    static const char *const locks[] = {"free", "ours", "taken"};
    static const char *const results[] = {"open", "done", "failed"};

    text_addf(out, "%s total=%d%s%s", locks[work->lock], work->total,
              work->removed ? " removed" : "", work->after ? " after" : "");
    for (size_t i = 0; i < work->host_count; i++) {
        const struct work_host *host = &work->hosts[i];

        text_addf(out, " %s:%s%s", host->name, results[host->result],
                  host->expected ? "" : ",unexpected");
        text_addf(out, "%s%s", host->claimed ? ",claimed" : "", host->gone ? ",gone" : "");
        if (host->attempt)
            text_addf(out, ",%d", (int)host->attempt);
        if (host->trouble)
            text_addf(out, ",%s@%d", host->trouble, (int)(NOW - host->trouble_since_s));
    }
}

static json_t *ledger_lease(const char *ledger)
{
    json_t *lease = json_row("{'metadata':{'annotations':{}}}");
    char *text = text_dup(ledger, strlen(ledger));

    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    tree_put_text(json_object_get(json_object_get(lease, "metadata"), "annotations"), KEY_LEDGER,
                  text);
    free(text);
    return lease;
}

#define LIST_MAX 4

/* The objects of a row, and what is seen of them. */
struct scene {
    json_t *session, *configuration, *sessions, *lease, *pods, *workload;
    const json_t *session_list[LIST_MAX], *pod_list[LIST_MAX];
    struct session_seen seen;
};

static size_t fill(const json_t *list, const json_t **out)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        out[i] = json_array_get(list, i);
    return json_array_size(list);
}

static void scene_make(struct scene *scene, const struct row *row)
{
    static const char *const owners[] = {"U1"};

    scene->session = json_row(row->session);
    scene->configuration = row->configuration ? json_row(row->configuration) : NULL;
    scene->sessions = json_row(row->sessions ? row->sessions : "[]");
    scene->lease = row->ledger ? ledger_lease(row->ledger) : NULL;
    scene->pods = json_row(row->pods ? row->pods : "[]");
    scene->workload = json_row("{'kind':'Deployment','spec':{'template':{'metadata':{"
                               "'annotations':{'granary.dev/agent':'v1'}},'spec':{'containers':[{"
                               "'name':'stash'}]}}}}");
    scene->seen = (struct session_seen){
        .session = scene->session,
        .sessions = scene->session_list,
        .session_count = fill(scene->sessions, scene->session_list),
        .lease = scene->lease,
        .target = {.workload = scene->workload,
                   .owners = owners,
                   .owner_count = 1,
                   .pods = scene->pod_list,
                   .pod_count = fill(scene->pods, scene->pod_list)},
        .pods_s = NOW,
        .now_s = NOW,
        .configuration = scene->configuration,
    };
}

static void auto_scene(struct scene *scene)
{
    json_decref(scene->session);
    json_decref(scene->configuration);
    json_decref(scene->sessions);
    json_decref(scene->lease);
    json_decref(scene->pods);
    json_decref(scene->workload);
}

#define POD(uid, status)                                                                           \
    "[{'metadata':{'name':'p','uid':'" uid "','annotations':{'granary.dev/agent':'v1'},"           \
    "'ownerReferences':[{'uid':'U1','controller':true}]},'spec':{'containers':[{'name':'stash'}]"  \
    "},'status':" status "}]"
#define CONTAINER(state) "{'containerStatuses':[{'name':'stash'," state "}]}"
#define OPEN "{" META "," SPEC "}"

static const struct row rows[] = {
    {OPEN, READY, .told = "'' 1800 free total=-1 host-0:open"},
    /* what can not be decided */
    {"{" SPEC "}", READY, .told = NULL},
    {"{'metadata':{'creationTimestamp':7}," SPEC "}", READY, .told = NULL},
    {"{" META "}", READY, .told = NULL},
    {"{" META ",'spec':{'invoker':{'kind':'BackupBatch','name':'c'}}}", READY, .told = NULL},
    {"{" META ",'spec':{'invoker':{'kind':'BackupConfiguration','apiGroup':'x'}}}", READY,
     .told = NULL},
    {"null", READY, .told = NULL},
    /* the configuration */
    {OPEN, NULL,
     .told = "'' 1800 not ready (it has not been looked at yet) free total=-1 removed "
             "host-0:open"},
    {OPEN, "{'metadata':{'deletionTimestamp':'x'},'status':{'phase':'Ready'}}",
     .told = "'' 1800 free total=-1 removed host-0:open"},
    {OPEN,
     "{'status':{'phase':'NotReady','conditions':[7,{'status':'True','message':'fine'},{'status':"
     "'False','reason':'No','message':'a\\nb'}]}}",
     .told = "'' 1800 not ready (a?b) free total=-1 host-0:open"},
    {OPEN, "{'status':{'phase':'Invalid','conditions':[{'status':'False','reason':'No'}]}}",
     .told = "'' 1800 not ready (No) free total=-1 host-0:open"},
    {"{'metadata':{'ownerReferences':[{'kind':'BackupConfiguration','controller':true,'uid':"
     "'C0'}]," CREATED "}," SPEC "}",
     READY, .told = "'' 1800 free total=-1 removed host-0:open"},
    {OPEN, "{'spec':{'timeOut':'1.5s','retryConfig':{'delay':'1m'}},'status':{'phase':'Ready'}}",
     .told = "'' 1800 timeout=2 delay=60 free total=-1 host-0:open"},
    {OPEN, "{'spec':{'timeOut':'-1h','retryConfig':{'delay':'x'}},'status':{'phase':'Ready'}}",
     .told = "'' 1800 free total=-1 host-0:open"},
    /* the session */
    {"{'metadata':{'deletionTimestamp':'x'," CREATED "}," SPEC "}", READY,
     .told = "'' 1800 free total=-1 removed host-0:open"},
    {"{" META ",'spec':{" INVOKER ",'retryLeft':2},'status':{'phase':'Failed','retried':true,"
     "'nextRetry':'2024-05-01T13:29:00Z','targets':[{'totalHosts':3}]}}",
     READY, .told = "'Failed' 1800 left=2 next=60 retried free total=3 host-0:open"},
    {"{" META ",'spec':{" INVOKER ",'retryLeft':-2},'status':{'phase':'x','retried':1,'nextRetry':"
     "'soon','targets':[{'totalHosts':4294967296}]}}",
     READY, .told = "'Unknown' 1800 free total=-1 host-0:open"},
    /* results: the first one counts, and what is no phase is no success */
    {"{" META "," SPEC "," STATS("{'hostname':'host-0','phase':'Succeeded'},{'hostname':'host-0',"
                                 "'phase':'Failed'},{'hostname':'z','phase':7},5,{'hostname':"
                                 "'host-0\\u0000','phase':'Failed'},{'hostname':''}") "}",
     READY, .told = "'Running' 1800 free total=-1 host-0:done z:failed,unexpected"},
    {"{" META "," SPEC ",'status':{'targets':{'stats':[]}}}", READY,
     .told = "'' 1800 free total=-1 host-0:open"},
    /* others */
    {OPEN, READY,
     .sessions = "[" OTHER("s0", "12:00:00", SPEC) "," OTHER("s1", "12:00:00", SPEC) "]",
     .told = "'' 1800 ahead free total=-1 host-0:open"},
    {OPEN, READY, .sessions = "[" OPEN "," OTHER("s2", "13:00:00", SPEC) "]",
     .told = "'' 1800 free total=-1 host-0:open"},
    {OPEN, READY, .sessions = "[" OTHER("s0", "12:00:00", SPEC ",'status':{'phase':'Running'}") "]",
     .told = "'' 1800 sibling free total=-1 host-0:open"},
    {OPEN, READY,
     .sessions = "[" OTHER("s0", "12:00:00",
                           "'spec':{'invoker':{'kind':'BackupConfiguration',"
                           "'name':'d'}},'status':{'phase':'Running'}") "]",
     .told = "'' 1800 free total=-1 host-0:open"},
    /* the ledger: what can not be read is somebody's */
    {OPEN, READY, .ledger = "{'session':'','since':0}",
     .told = "'' 1800 free total=-1 host-0:open"},
    {OPEN, READY, .ledger = "{'session':'S2','since':0}",
     .told = "'' 1800 taken total=-1 host-0:open"},
    {OPEN, READY, .ledger = "{'session':'S1'", .told = "'' 1800 taken total=-1 host-0:open"},
    {OPEN, READY, .ledger = LEDGER(""), .told = "'' 1800 ours total=-1 host-0:open"},
    {OPEN, READY, .ledger = LEDGER("{'host':'old','attempt':1,'since':1714569300}"),
     .told = "'' 1800 ours total=-1 host-0:open old:open,unexpected,1"},
    /* claims end on proof only: no pod, a pod that is over, a container well after the claim */
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,gone,2"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")), .pods = POD("P1", "{}"),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,2"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")), .pods = POD("P2", "{}"),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,gone,2"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")),
     .pods = POD("P1", "{'phase':'Failed','reason':'Evicted','startTime':'2024-05-01T13:00:00Z'}"),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,gone,2,Evicted@1800"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")),
     .pods = POD("P1", CONTAINER("'state':{'running':{'startedAt':'2024-05-01T13:19:59Z'}}")),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,2"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")),
     .pods = POD("P1", CONTAINER("'state':{'running':{'startedAt':'2024-05-01T13:20:00Z'}}")),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,gone,2"},
    {OPEN, READY, .ledger = LEDGER(CLAIM("P1")),
     .pods = POD("P1", CONTAINER("'state':{'waiting':{'reason':'CrashLoopBackOff'}},'lastState':{"
                                 "'terminated':{'exitCode':137,'reason':'OOMKilled','finishedAt':"
                                 "'2024-05-01T13:29:00Z'}}")),
     .told = "'' 1800 ours total=-1 host-0:open,claimed,gone,2,OOMKilled@60"},
    /* it was killed during the session, and runs again: told, without a past to be judged by;
     * before the session: not told */
    {OPEN, READY, .ledger = LEDGER(""),
     .pods = POD("P1", CONTAINER("'state':{'running':{}},'lastState':{'terminated':{'exitCode':137,"
                                 "'reason':'OOMKilled','finishedAt':'2024-05-01T13:25:00Z'}}")),
     .told = "'' 1800 ours total=-1 host-0:open,OOMKilled@0"},
    {OPEN, READY, .ledger = LEDGER(""),
     .pods = POD("P1", CONTAINER("'state':{'running':{}},'lastState':{'terminated':{'exitCode':137,"
                                 "'reason':'OOMKilled','finishedAt':'2024-05-01T13:05:00Z'}}")),
     .told = "'' 1800 ours total=-1 host-0:open"},
};

static void tell(const struct session *session, struct text *out)
{
    text_addf(out, "'%s' %d", session_phase_word(session->phase), (int)(NOW - session->created_s));
    if (session->not_ready)
        text_addf(out, " not ready (%s)", session->not_ready);
    if (session->timeout_s)
        text_addf(out, " timeout=%d", (int)session->timeout_s);
    if (session->retry_delay_s)
        text_addf(out, " delay=%d", (int)session->retry_delay_s);
    if (session->retry_left)
        text_addf(out, " left=%d", session->retry_left);
    if (session->next_retry_s)
        text_addf(out, " next=%d", (int)(NOW - session->next_retry_s));
    text_addf(out, "%s%s%s%s ", session->retried ? " retried" : "",
              session->sibling_running ? " sibling" : "", session->ahead ? " ahead" : "",
              session->has_successor ? " successor" : "");
    tell_work(&session->work, out);
}

START_TEST(backups_are_read)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(session_parts) struct session_parts parts = {0};
        AUTO(text) struct text text = {0};
        struct session session = {0};
        struct error err = {0};

        scene_make(&scene, &rows[_i]);
        ck_assert_int_eq(session_read(&scene.seen, &parts, &session, &err), rows[_i].told != NULL);
        if (!rows[_i].told)
            return;
        tell(&session, &text);
        ck_assert_str_eq(text_get(&text), rows[_i].told);
    }
END_TEST

/* A list of pods that is behind the ledger says nothing of who is not in it. */
START_TEST(absence_needs_a_list_that_is_new)
    {
        static const struct row row = {OPEN, READY, .ledger = LEDGER(CLAIM("P1"))};

        for (int late_s = 0; late_s < 2; late_s++) {
            AUTO(scene) struct scene scene = {0};
            AUTO(session_parts) struct session_parts parts = {0};
            struct session session = {0};
            struct error err = {0};

            scene_make(&scene, &row);
            scene.seen.pods_s = 1714569300 + SESSION_SKEW_S - late_s;
            ck_assert(session_read(&scene.seen, &parts, &session, &err));
            ck_assert_int_eq(session.work.hosts[0].gone, late_s == 0);
            ck_assert_int_eq(session.work.moved_s, 1714569300);
            ck_assert_int_eq(session.work.started_s, 1714569000);
        }
    }
END_TEST

/* The session that tries again has a name that follows from ours. */
START_TEST(a_successor_is_known_by_its_name)
    {
        AUTO(free) char *name = slot_name_of_uid("c", "S1");

        for (int same = 0; same < 2; same++) {
            AUTO(free)
            char *list =
                text_format("[{'metadata':{'name':'%s','uid':'X','namespace':'shop'}," SPEC "}]",
                            same ? name : "c-other");
            const struct row row = {OPEN, READY, .sessions = list};
            AUTO(scene) struct scene scene = {0};
            AUTO(session_parts) struct session_parts parts = {0};
            struct session session = {0};
            struct error err = {0};

            scene_make(&scene, &row);
            ck_assert(session_read(&scene.seen, &parts, &session, &err));
            ck_assert_int_eq(session.has_successor, same);
        }
    }
END_TEST

/* A status that was blown up is an error, and nothing of it is a result. */
START_TEST(too_many_results_are_an_error)
    {
        static const struct row row = {OPEN, READY, .told = NULL};
        AUTO(scene) struct scene scene = {0};
        AUTO(session_parts) struct session_parts parts = {0};
        json_t *status = json_row("{'targets':[{'stats':[]}]}");
        json_t *stats =
            json_object_get(json_array_get(json_object_get(status, "targets"), 0), "stats");
        struct session session = {0};
        struct error err = {0};

        scene_make(&scene, &row);
        for (size_t i = 0; i <= HOSTS_MAX; i++)
            tree_push_new(stats, json_object());
        tree_put_new(scene.session, "status", status);
        ck_assert(!session_read(&scene.seen, &parts, &session, &err));
        ck_assert_str_eq(err.message, "the status has more than 5000 hosts");
        ck_assert_ptr_null(session.work.hosts);
    }
END_TEST

static const struct {
    const char *condition;
    enum work_after after;
} afters[] = {
    {"{}", WORK_AFTER_WAITING},
    {"{'type':'RetentionPolicyApplied','status':'True'}", WORK_AFTER_SUCCEEDED},
    {"{'type':'RetentionPolicyApplied','status':'False'}", WORK_AFTER_FAILED},
    {"{'type':'RetentionPolicyApplied','status':'odd'}", WORK_AFTER_RUNNING},
};

START_TEST(what_follows)
    {
        static const struct row row = {OPEN, READY, .told = NULL};
        AUTO(scene) struct scene scene = {0};
        AUTO(session_parts) struct session_parts parts = {0};
        json_t *status = json_object(), *conditions = json_array();
        struct session session = {0};
        struct error err = {0};

        scene_make(&scene, &row);
        tree_push_new(conditions, json_row(afters[_i].condition));
        tree_put_new(status, "conditions", conditions);
        tree_put_new(scene.session, "status", status);
        scene.seen.follows = true;
        ck_assert(session_read(&scene.seen, &parts, &session, &err));
        ck_assert_int_eq(session.work.after, afters[_i].after);
    }
END_TEST

static const struct {
    const char *session, *sessions, *told;
} restores[] = {
    {"{" META "}", NULL, "'' free total=-1 host-0:open"},
    {"{" META ",'spec':{'timeOut':'1h'},'status':{'phase':'Running','totalHosts':2,'stats':[{"
     "'hostname':'host-0','phase':'Running'},{'hostname':'b','phase':'Unknown'}]}}",
     NULL, "'Running' timeout=3600 lost free total=2 host-0:open b:failed,unexpected"},
    {"{" META "}", "[" OTHER("r0", "12:00:00", "'status':{'phase':'Running'}") "]",
     "'' ahead free total=-1 host-0:open"},
    {"{" META "}", "[" OTHER("r0", "12:00:00", "'status':{'phase':'Failed'}") "]",
     "'' free total=-1 host-0:open"},
    {"{" META "}", "[" OTHER("r2", "13:00:01", "'status':{}") "]", "'' free total=-1 host-0:open"},
    {"{'metadata':{}}", NULL, NULL},
};

START_TEST(restores_are_read)
    {
        const struct row row = {restores[_i].session, .sessions = restores[_i].sessions,
                                .pods = POD("P1", "{}")};
        AUTO(scene) struct scene scene = {0};
        AUTO(session_parts) struct session_parts parts = {0};
        AUTO(text) struct text text = {0};
        struct restore restore = {0};
        struct error err = {0};

        scene_make(&scene, &row);
        scene.seen.not_ready = "no Secret";
        ck_assert_int_eq(session_read_restore(&scene.seen, &parts, &restore, &err),
                         restores[_i].told != NULL);
        if (!restores[_i].told)
            return;
        ck_assert_str_eq(restore.not_ready, "no Secret");
        text_addf(&text, "'%s'", restore_phase_word(restore.phase));
        if (restore.timeout_s)
            text_addf(&text, " timeout=%d", (int)restore.timeout_s);
        text_addf(&text, "%s%s ", restore.ahead ? " ahead" : "", restore.lost ? " lost" : "");
        tell_work(&restore.work, &text);
        ck_assert_str_eq(text_get(&text), restores[_i].told);
    }
END_TEST

/* ---- its end ---- */

static const struct {
    const char *session;
    bool backup, restore; /* as which of the two it has ended */
} ends[] = {
    {"{'status':{'phase':'Succeeded'}}", true, true},
    {"{'status':{'phase':'Failed'}}", true, true},
    {"{'status':{'phase':'Running'}}", false, false},
    {"{'status':{'phase':'Skipped'}}", true, true},
    {"{'status':{'phase':'Unknown'}}", true, true},
    {"{'status':{'phase':'Invalid'}}", true, false},
    /* a phase that we do not know: nothing is done to it any more */
    {"{'status':{'phase':'any'}}", true, true},
    {"{'status':{}}", false, false},
    {"{}", false, false},
};

START_TEST(has_ended)
    {
        AUTO(json) json_t *session = json_row(ends[_i].session);

        ck_assert_int_eq(session_has_ended(session, false), ends[_i].backup);
        ck_assert_int_eq(session_has_ended(session, true), ends[_i].restore);
        ck_assert(!session_has_ended(NULL, false) && !session_has_ended(NULL, true));
    }
END_TEST

SUITE(controllers_session_read)
{
    suite_rows(tests, has_ended, ends);
    suite_rows(tests, backups_are_read, rows);
    tcase_add_test(tests, absence_needs_a_list_that_is_new);
    tcase_add_test(tests, a_successor_is_known_by_its_name);
    tcase_add_test(tests, too_many_results_are_an_error);
    suite_rows(tests, what_follows, afters);
    suite_rows(tests, restores_are_read, restores);
}
