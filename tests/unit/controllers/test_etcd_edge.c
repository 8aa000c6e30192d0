#include "controllers/etcd_edge.h"

#include <stdlib.h>
#include <string.h>

#include "api/settings.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/session_make.h"
#include "controllers/session_view.h"
#include "controllers/target_lease.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define UID "0a0a0a0a-2fa1-11d2-883f-0016d3cca427"
#define SESSION "/apis/stash.appscode.com/v1beta1/namespaces/shop/restoresessions/r"
#define APP "/apis/appcatalog.appscode.com/v1alpha1/namespaces/shop/appbindings/etcd"
#define SET "/apis/apps/v1/namespaces/shop/statefulsets/etcd"
#define JOBS "/apis/batch/v1/namespaces/shop/jobs"
#define PODS "/api/v1/namespaces/shop/pods"
#define CLAIMS "/api/v1/namespaces/shop/persistentvolumeclaims"
#define SPACE "granary-system"

#define THE_SESSION                                                                                \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'RestoreSession','metadata':{'name':'r',"   \
    "'namespace':'shop','uid':'" UID "','creationTimestamp':'2024-05-01T13:30:00Z'},'spec':{"      \
    "'repository':{'name':'repo'},'task':{'name':'etcd-restore-3.5.0'},'target':{'ref':{"          \
    "'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':'etcd'},'rules':[" \
    "{'snapshots':['latest']}]}}}"
#define THE_APP                                                                                    \
    "{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','metadata':{'name':"     \
    "'etcd','namespace':'shop'},'spec':{'clientConfig':{'url':'http://etcd:2379'},'secret':{"      \
    "'name':'root'}}}"
#define THE_SET                                                                                    \
    "{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{'name':'etcd','namespace':'shop',"   \
    "'uid':'set-1'},'spec':{'replicas':3,'selector':{'matchLabels':{'app':'etcd'}},"               \
    "'volumeClaimTemplates':[{'metadata':{'name':'data'},'spec':{'accessModes':['ReadWriteOnce']"  \
    "}}],'template':{'spec':{'securityContext':{'fsGroup':1000},'containers':[{'name':'etcd',"     \
    "'image':'etcd:v3.5.21','args':['--data-dir=/d/e'],'securityContext':{'runAsUser':1000},"      \
    "'volumeMounts':[{'name':'data','mountPath':'/d'}]}]}}}}"
#define REPOSITORY                                                                                 \
    "{'metadata':{'name':'repo','namespace':'shop'},'spec':{'backend':{'storageSecretName':"       \
    "'keys','s3':{'bucket':'b'}}}}"
#define MEMBERS                                                                                    \
    "etcd-0=http://etcd-0.peers.shop.svc:2380,etcd-1=http://etcd-1.peers.shop.svc:2380,etcd-2="    \
    "http://etcd-2.peers.shop.svc:2380"
#define ID "1aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define PROOF                                                                                      \
    "{'snapshot':'" ID "','time':'2024-05-01T12:00:00Z','newest':'2bbb','newestTime':"             \
    "'2024-05-01T13:00:00Z','revision':100,'keys':20,'bump':1000,'toolVersion':'3.5.21',"          \
    "'initialCluster':'" MEMBERS "'}"

/* An etcd in a cluster, and how its Jobs end. */
struct place {
    struct fake_cluster *cluster;
    struct settings settings;
    int64_t now_s;
    struct text events;
    const char *proof;     /* what the Job of the proof tells */
    bool proof_fails;      /* and it fails */
    const char *job_fails; /* begin of the name of a Job that fails; NULL: none */
    const char *invalid;
};

/* ---- the cluster moves on ---- */

static void put(struct place *place, const char *path, const char *row)
{
    fake_cluster_put(place->cluster, path, json_row(row));
}

static json_t *view_get(void *context, enum view_kind kind, const char *space, const char *name)
{
    (void)context;
    return kind == VIEW_REPOSITORY && strcmp(space, "shop") == 0 && strcmp(name, "repo") == 0
               ? json_row(REPOSITORY)
               : NULL;
}

static bool exists(struct place *place, const char *path)
{
    AUTO(json) json_t *object = fake_cluster_get(place->cluster, path);

    return object != NULL;
}

/* Pods follow the replicas. */
static void move_pods(struct place *place)
{
    AUTO(json) json_t *set = fake_cluster_get(place->cluster, SET);
    int64_t replicas = tree_int(tree_get(set, "spec"), "replicas", -1);

    for (int64_t i = 0; i < 3; i++) {
        AUTO(free) char *path = text_format(PODS "/etcd-%lld", (long long)i);
        AUTO(free)
        char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'etcd-%lld',"
                                "'namespace':'shop','ownerReferences':[{'uid':'set-1','controller':"
                                "true}]},'status':{'phase':'Running'}}",
                                (long long)i);

        if (i < replicas)
            put(place, path, row);
        else
            fake_cluster_remove(place->cluster, path);
    }
}

static void put_pod_of(struct place *place, const char *job, const char *phase, const char *word)
{
    AUTO(free) char *path = text_format(PODS "/%s-x", job);
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-x','namespace':"
                            "'shop','labels':{'job-name':'%s','granary.dev/session':'" UID
                            "'}},'status':{'phase':'%s'}}",
                            job, job, phase);
    json_t *pod = json_row(row), *statuses = json_array(), *one = json_object();
    json_t *state = json_object(), *terminated = json_object();
    AUTO(json) json_t *said = json_row(word);
    AUTO(free) char *message = tree_format(said, NULL);

    tree_put_text(terminated, "message", message);
    tree_put_new(state, "terminated", terminated);
    tree_put_text(one, "name", "etcd");
    tree_put_new(one, "state", state);
    tree_push_new(statuses, one);
    tree_put_new(json_object_get(pod, "status"), "containerStatuses", statuses);
    fake_cluster_put(place->cluster, path, pod);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void end_job(struct place *place, const json_t *job)
{
    const char *name = tree_text(tree_get(job, "metadata"), "name");
    bool proof = begins(name, "granary-etcd-prove");
    bool fails = proof ? place->proof_fails : place->job_fails && begins(name, place->job_fails);
    AUTO(free) char *path = text_format(JOBS "/%s", name);
    AUTO(json) json_t *ended = tree_copy(job);
    AUTO(free)
    char *status = text_format("{'conditions':[{'type':'%s','status':'True'}]}",
                               fails ? "Failed" : "Complete");

    put_pod_of(place, name, fails ? "Failed" : "Succeeded",
               proof   ? place->proof
               : fails ? "{'error':'the disk is full'}"
                       : "{}");
    tree_put_new(ended, "status", json_row(status));
    fake_cluster_put(place->cluster, path, tree_copy(ended));
}

static void move_jobs(struct place *place)
{
    AUTO(json) json_t *jobs = fake_cluster_list(place->cluster, JOBS);
    const json_t *job;
    size_t i;

    tree_items (jobs, i, job)
        if (!json_array_size(tree_at(job, "status.conditions")))
            end_job(place, job);
}

/* ---- the leader ---- */

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    struct place *place = context;

    (void)object;
    text_addf(&place->events, "%s ", event->reason);
}

static void start(struct place *place)
{
    *place = (struct place){.cluster = fake_cluster_start(), .now_s = NOW, .proof = PROOF};
    settings_default(&place->settings);
    put(place, SESSION, THE_SESSION);
    put(place, APP, THE_APP);
    put(place, SET, THE_SET);
    for (int i = 0; i < 3; i++) {
        AUTO(free) char *path = text_format(CLAIMS "/data-etcd-%d", i);
        AUTO(free)
        char *row = text_format("{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{"
                                "'name':'data-etcd-%d','namespace':'shop'}}",
                                i);

        put(place, path, row);
    }
    move_pods(place);
}

static void auto_place(struct place *place)
{
    fake_cluster_stop(place->cluster);
    settings_done(&place->settings);
    text_done(&place->events);
}

static bool step(struct place *place, struct session_turn *turn, struct error *err)
{
    struct session_view view = {.get = view_get};
    AUTO(json) json_t *session = fake_cluster_get(place->cluster, SESSION);
    AUTO(json) json_t *target = session_target(session);
    AUTO(free) char *text = session_target_text(target);
    AUTO(json) json_t *lease = NULL;
    struct kube_client *client = fake_cluster_client(place->cluster);
    const struct session_edge edge = {.client = client,
                                      .space = SPACE,
                                      .view = &view,
                                      .settings = &place->settings,
                                      .tell = tell,
                                      .context = place};
    struct session_seen seen = {.session = session,
                                .now_s = place->now_s,
                                .invalid = place->invalid,
                                .target = {.job = true}};
    bool is = false;

    fake_cluster_clock(place->cluster, place->now_s);
    if (!target_lease_get(client, SPACE, text, &lease, err) ||
        !etcd_edge_is(client, session, target, &is, err))
        return false;
    ck_assert(is);
    seen.lease = lease;
    return etcd_edge_step(&edge, &seen, target, turn, err);
}

static const char *text_of(const json_t *session, const char *path)
{
    const char *text = json_string_value(tree_at(session, path));

    return text ? text : "";
}

/* Where nothing changes any more, or at a stage. */
static void live_until(struct place *place, const char *stage)
{
    for (int turns = 0, quiet = 0; quiet < 3; turns++) {
        struct session_turn turn = {0};
        struct error err = {.message = ""};
        AUTO(json) json_t *before = fake_cluster_get(place->cluster, SESSION);
        bool done;

        if (stage && strcmp(text_of(before, "status.etcd.stage"), stage) == 0)
            return;
        done = step(place, &turn, &err);
        quiet = done && !turn.wrote ? quiet + 1 : 0;
        move_pods(place);
        move_jobs(place);
        place->now_s += 5;
        ck_assert_msg(turns < 200, "it does not end: %s", err.message);
    }
}

static void live(struct place *place)
{
    live_until(place, NULL);
}

/* What is there at the end: the caller frees it. */
static char *end_of(struct place *place)
{
    AUTO(json) json_t *session = fake_cluster_get(place->cluster, SESSION);
    AUTO(json) json_t *set = fake_cluster_get(place->cluster, SET);
    AUTO(json) json_t *jobs = fake_cluster_list(place->cluster, JOBS);
    AUTO(json)
    json_t *leases = fake_cluster_list(place->cluster,
                                       "/apis/coordination.k8s.io/v1/namespaces/" SPACE "/leases");

    return text_format("%s %s replicas %lld, Jobs %zu, Leases %zu",
                       text_of(session, "status.phase"), text_of(session, "status.etcd.stage"),
                       (long long)tree_int(tree_get(set, "spec"), "replicas", -1),
                       json_array_size(jobs), json_array_size(leases));
}

static void must_end(struct place *place, const char *end)
{
    AUTO(free) char *is = end_of(place);

    ck_assert_str_eq(is, end);
}

/* In a condition. */
static void must_say(struct place *place, const char *type, const char *words)
{
    AUTO(json) json_t *session = fake_cluster_get(place->cluster, SESSION);
    const char *message = condition_message(tree_at(session, "status.conditions"), type);

    ck_assert_msg(strstr(message, words) != NULL, "%s: %s", type, message);
}

static void annotate(struct place *place, const char *key)
{
    AUTO(json) json_t *session = fake_cluster_get(place->cluster, SESSION);
    json_t *annotations = json_object();

    tree_put_text(annotations, key, "true");
    tree_put_new(json_object_get(session, "metadata"), "annotations", annotations);
    fake_cluster_put(place->cluster, SESSION, tree_copy(session));
}

/* ---- lives ---- */

START_TEST(all_goes_well)
    {
        AUTO(place) struct place place;

        start(&place);
        live(&place);
        must_end(&place, "Succeeded Succeeded replicas 3, Jobs 5, Leases 0");
        must_say(&place, "EtcdPlanned", "snapshot 1aaaaaaa of 2024-05-01T12:00:00Z, revision 100");
        must_say(&place, "EtcdPlanned", "the newest is 2bbb of 2024-05-01T13:00:00Z");
        must_say(&place, "EtcdPlanned", "Revisions go on behind 1100");
        must_say(&place, "EtcdPlanned", "member etcd-0 in /d/e of claim data-etcd-0");
        ck_assert_str_eq(text_get(&place.events), "RestoreSucceeded ");
    }
END_TEST

/* ET2: nothing is scaled before the snapshot is proven. */
START_TEST(a_bad_snapshot_touches_nothing)
    {
        AUTO(place) struct place place;

        start(&place);
        place.proof = "{'error':'the SHA-256 at its end is another one'}";
        place.proof_fails = true;
        live(&place);
        must_end(&place, "Failed Failed replicas 3, Jobs 1, Leases 0");
        must_say(&place, "EtcdHealthy", "nothing was touched: the SHA-256 at its end");
    }
END_TEST

START_TEST(one_member_can_not_be_restored)
    {
        AUTO(place) struct place place;

        start(&place);
        place.job_fails = "granary-etcd-restore-1";
        live(&place);
        must_end(&place, "Failed Failed replicas 3, Jobs 6, Leases 0");
        must_say(&place, "EtcdHealthy", "etcd has the data of before");
        must_say(&place, "EtcdHealthy", "member etcd-1: the disk is full");
    }
END_TEST

START_TEST(one_member_can_not_be_brought_back)
    {
        AUTO(place) struct place place;

        start(&place);
        live_until(&place, "Restored");
        annotate(&place, "granary.dev/rollback");
        place.job_fails = "granary-etcd-undo-2";
        live(&place);
        must_end(&place, "Failed Failed replicas 0, Jobs 7, Leases 0");
        must_say(&place, "EtcdHealthy", "etcd stays down");
    }
END_TEST

START_TEST(never_healthy_then_rolled_back)
    {
        AUTO(place) struct place place;

        start(&place);
        place.job_fails = "granary-etcd-health";
        live(&place);
        must_end(&place, "Failed Failed replicas 3, Jobs 5, Leases 0");
        must_say(&place, "EtcdHealthy", "granary.dev/rollback=true brings it back");
        annotate(&place, "granary.dev/rollback");
        live(&place);
        must_end(&place, "Failed Failed replicas 3, Jobs 8, Leases 0");
        must_say(&place, "EtcdHealthy", "it was rolled back");
    }
END_TEST

START_TEST(only_the_plan)
    {
        AUTO(place) struct place place;

        start(&place);
        annotate(&place, "granary.dev/dry-run");
        live(&place);
        must_end(&place, "Pending Planned replicas 3, Jobs 1, Leases 1");
        must_say(&place, "EtcdWaiting", "only the plan was asked");
    }
END_TEST

/* A lost volume is made again as its StatefulSet would. */
START_TEST(a_claim_is_gone)
    {
        AUTO(place) struct place place;

        start(&place);
        fake_cluster_remove(place.cluster, CLAIMS "/data-etcd-1");
        live(&place);
        must_end(&place, "Succeeded Succeeded replicas 3, Jobs 5, Leases 0");
        ck_assert(exists(&place, CLAIMS "/data-etcd-1"));
    }
END_TEST

/* Somebody else may write there: nothing begins beside him. */
START_TEST(a_pod_of_somebody_else_has_the_claim)
    {
        AUTO(place) struct place place;

        start(&place);
        put(&place, PODS "/other",
            "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'other','namespace':'shop'},'spec':"
            "{'volumes':[{'persistentVolumeClaim':{'claimName':'data-etcd-2'}}]},'status':{'phase':"
            "'Running'}}");
        live(&place);
        must_end(&place, "Running Stopping replicas 0, Jobs 1, Leases 1");
        fake_cluster_remove(place.cluster, PODS "/other");
        live(&place);
        must_end(&place, "Succeeded Succeeded replicas 3, Jobs 5, Leases 0");
    }
END_TEST

/* Merged into the spec: why it can not be, before anything is begun. */
static const struct {
    const char *spec, *why;
} refused[] = {
    {"{'repository':{'name':'repo','namespace':'storage'}}", "the Repository is in another"},
    {"{'hooks':{'preRestore':{}}}", "hooks are not run"},
    {"{'timeOut':'1h'}", "has no timeOut"},
    {"{'task':{'name':'etcd-restore-3.5.0','params':[{'name':'args','value':'--x'}]}}",
     "parameter args is not known"},
    {"{'target':{'ref':{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':"
     "'etcd'},'rules':[{'snapshots':['a','b']}]}}",
     "several are asked for"},
    {"{'target':{'ref':{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':"
     "'other'},'rules':[{'snapshots':['a']}]}}",
     "the AppBinding is not there"},
};

START_TEST(what_can_not_be)
    {
        AUTO(place) struct place place;
        AUTO(json) json_t *more = json_row(refused[_i].spec);
        json_t *session = json_row(THE_SESSION);

        start(&place);
        json_object_update(json_object_get(session, "spec"), more);
        fake_cluster_put(place.cluster, SESSION, session);
        live(&place);
        must_end(&place, "Failed Failed replicas 3, Jobs 0, Leases 0");
        must_say(&place, "EtcdHealthy", refused[_i].why);
    }
END_TEST

START_TEST(what_is_not_ready_is_waited_for)
    {
        AUTO(place) struct place place;

        start(&place);
        place.invalid = "the Repository does not allow this namespace";
        live(&place);
        must_end(&place, "Pending  replicas 3, Jobs 0, Leases 0");
        must_say(&place, "EtcdWaiting", place.invalid);
        place.invalid = NULL;
        live(&place);
        must_end(&place, "Succeeded Succeeded replicas 3, Jobs 5, Leases 0");
    }
END_TEST

/* ---- failures ---- */

/* ET3: each write is refused once, is done and nobody hears of it, or somebody was faster; a leader
 * that comes after one that was killed knows no more than this one. */
static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};

static void live_with(enum fake_failure how, bool fails, const char *end)
{
    int writes = 0;

    for (int number = 1; number <= writes + 1; number++) {
        AUTO(place) struct place place;

        start(&place);
        place.job_fails = fails ? "granary-etcd-restore-2" : NULL;
        fake_cluster_fail(place.cluster, number, how);
        live(&place);
        must_end(&place, end);
        if (number == 1)
            writes = fake_cluster_writes(place.cluster);
    }
    ck_assert_int_gt(writes, 10);
}

START_TEST(each_write_fails_once)
    {
        live_with(failures[_i], false, "Succeeded Succeeded replicas 3, Jobs 5, Leases 0");
    }
END_TEST

START_TEST(each_write_fails_once_while_it_is_undone)
    {
        live_with(failures[_i], true, "Failed Failed replicas 3, Jobs 7, Leases 0");
    }
END_TEST

/* ---- which sessions ---- */

static const struct {
    const char *session, *app;
    bool is;
} kinds[] = {
    {THE_SESSION, NULL, true},
    {"{'spec':{'task':{'name':'mysql-restore-8'},'target':{'ref':{'kind':'AppBinding'}}}}", NULL,
     false},
    {"{'spec':{'target':{}}}",
     "{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','metadata':{'name':"
     "'etcd','namespace':'shop'},'spec':{'parameters':{'stash':{'addon':{'restoreTask':{'name':"
     "'etcd-restore-3.6.0'}}}}}}",
     true},
    {"{'spec':{'target':{}}}", THE_APP, false},
    {"{'spec':{'target':{}}}", NULL, false},
    {"{'spec':{'target':{}},'status':{'etcd':{'stage':'Planned'}}}", NULL, true},
};

START_TEST(which_sessions)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        AUTO(json) json_t *session = json_row(kinds[_i].session);
        AUTO(json)
        json_t *target = json_row("{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':"
                                  "'AppBinding','name':'etcd','namespace':'shop'}");
        struct error err = {.message = ""};
        bool is = !kinds[_i].is;

        if (kinds[_i].app)
            fake_cluster_put(cluster, APP, json_row(kinds[_i].app));
        ck_assert_msg(etcd_edge_is(fake_cluster_client(cluster), session, target, &is, &err), "%s",
                      err.message);
        ck_assert_int_eq(is, kinds[_i].is);
    }
END_TEST

SUITE(controllers_etcd_edge)
{
    tcase_add_test(tests, all_goes_well);
    tcase_add_test(tests, a_bad_snapshot_touches_nothing);
    tcase_add_test(tests, one_member_can_not_be_restored);
    tcase_add_test(tests, one_member_can_not_be_brought_back);
    tcase_add_test(tests, never_healthy_then_rolled_back);
    tcase_add_test(tests, only_the_plan);
    tcase_add_test(tests, a_claim_is_gone);
    tcase_add_test(tests, a_pod_of_somebody_else_has_the_claim);
    tcase_add_test(tests, what_is_not_ready_is_waited_for);
    suite_rows(tests, what_can_not_be, refused);
    suite_rows(tests, each_write_fails_once, failures);
    suite_rows(tests, each_write_fails_once_while_it_is_undone, failures);
    suite_rows(tests, which_sessions, kinds);
}
