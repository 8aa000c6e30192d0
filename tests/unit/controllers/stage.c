#include "tests/unit/controllers/stage.h"

#include <check.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/claimed_pods.h"
#include "controllers/repository_lease.h"
#include "controllers/session_jobs.h"
#include "controllers/session_make.h"
#include "controllers/target_lease.h"
#include "controllers/target_pods.h"
#include "tests/unit/json.h"

#define SESSIONS_MAX 16
#define STEPS_MAX 60

static const char *target_text(const struct stage *stage)
{
    if (stage->set)
        return "apps/StatefulSet/shop/db";
    return stage->claim ? "/PersistentVolumeClaim/shop/data" : "apps/Deployment/shop/web";
}

void stage_put(struct stage *stage, const char *path, const char *row)
{
    fake_cluster_put(stage->cluster, path, json_row(row));
}

static int64_t heard(void *context, const char *session, const char *host)
{
    const struct stage *stage = context;

    return stage->heard_s ? stage->heard_s : desk_heard_s(stage->desk, session, host);
}

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    struct stage *stage = context;

    ck_assert_ptr_nonnull(tree_get(object, "metadata"));
    text_addf(&stage->events, "%s ", event->reason);
}

#define POD_SPEC                                                                                   \
    "'spec':{'containers':[{'name':'web'},{'name':'stash'}],'initContainers':[{'name':'stash-"     \
    "init'}]}"
#define MARK "'annotations':{'granary.dev/agent':'v1.0.0'}"

void stage_pod(struct stage *stage, const char *name, const char *uid, const char *status)
{
    AUTO(free) char *path = text_format(STAGE_PODS "/%s", name);
    AUTO(free)
    char *row =
        text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':"
                    "'shop','uid':'%s','labels':{'app':'web'}," MARK
                    ",'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet',"
                    "'name':'web-1','uid':'RS','controller':true}]}," POD_SPEC ",'status':%s}",
                    name, uid, status);

    stage_put(stage, path, row);
}

/* ---- the desk, and what it knows: all there is ---- */

static int64_t now; /* of the one stage of a test's process; tests run in processes of their own */

static int64_t now_s(void)
{
    return now;
}

static const char *collection_of(enum view_kind kind)
{
    static const char *const paths[] = {
        [VIEW_NAMESPACE] = "/api/v1/namespaces",
        [VIEW_CONFIGURATION] = "/apis/stash.appscode.com/v1beta1/backupconfigurations",
        [VIEW_REPOSITORY] = "/apis/stash.appscode.com/v1alpha1/repositories",
        [VIEW_SESSION] = "/apis/stash.appscode.com/v1beta1/backupsessions",
        [VIEW_RESTORE] = "/apis/stash.appscode.com/v1beta1/restoresessions",
        [VIEW_FUNCTION] = "/apis/stash.appscode.com/v1beta1/functions",
        [VIEW_TASK] = "/apis/stash.appscode.com/v1beta1/tasks",
        [VIEW_LEASE] = STAGE_LEASES,
    };

    return paths[kind];
}

static json_t *view_all(void *context, enum view_kind kind)
{
    const struct stage *stage = context;

    return fake_cluster_list(stage->cluster, collection_of(kind));
}

static bool is_text(const json_t *object, const char *key, const char *text)
{
    return !text || span_is(tree_span(tree_get(object, "metadata"), key), text);
}

static json_t *view_get(void *context, enum view_kind kind, const char *space, const char *name)
{
    AUTO(json) json_t *all = view_all(context, kind);
    const json_t *object;
    size_t i;

    tree_items (all, i, object)
        if (is_text(object, "namespace", space) && is_text(object, "name", name))
            return tree_copy(object);
    return NULL;
}

static json_t *view_uid(void *context, enum view_kind kind, const char *uid)
{
    AUTO(json) json_t *all = view_all(context, kind);
    const json_t *object;
    size_t i;

    tree_items (all, i, object)
        if (is_text(object, "uid", uid))
            return tree_copy(object);
    return NULL;
}

static json_t *view_of_target(void *context, enum view_kind kind, const char *text)
{
    AUTO(json) json_t *all = view_all(context, kind);
    json_t *found = json_array();
    const json_t *object;
    size_t i;

    tree_items (all, i, object) {
        AUTO(json) json_t *target = session_target(object);
        AUTO(free) char *its = session_target_text(target);

        if (strcmp(its, text) == 0)
            tree_push_new(found, tree_copy(object));
    }
    return found;
}

static json_t *view_of_invoker(void *context, const char *configuration)
{
    AUTO(json) json_t *all = view_all(context, VIEW_SESSION);
    json_t *found = json_array();
    const json_t *object;
    size_t i;

    tree_items (all, i, object) {
        AUTO(free)
        char *its = text_format("%s/%s", tree_text(tree_get(object, "metadata"), "namespace"),
                                tree_text(tree_at(object, "spec.invoker"), "name"));

        if (strcmp(its, configuration) == 0)
            tree_push_new(found, tree_copy(object));
    }
    return found;
}

static void note_progress(void *context, const struct message_progress *message)
{
    struct stage *stage = context;

    (void)message;
    stage->shown++;
}

void stage_elect(struct stage *stage)
{
    stage->view =
        (struct session_view){view_get, view_uid, view_of_target, view_of_invoker, view_all, stage};

    const struct desk_plan plan = {
        .client = fake_cluster_client(stage->cluster),
        .space = "granary-system",
        .view = stage->view,
        .now_s = now_s,
        .progress = note_progress,
        .tell = tell,
        .context = stage,
    };

    desk_free(stage->desk);
    stage->desk = desk_make(&plan);
    stage->agents = desk_callbacks(stage->desk);
    stage->watched_s = stage->now_s;
}

static char agent_image[] = "reg/agent:1";
static const struct settings stage_settings = {.agent_image = agent_image};

void stage_start(struct stage *stage)
{
    now = STAGE_NOW;
    *stage = (struct stage){.now_s = STAGE_NOW, .watched_s = STAGE_NOW - 60};
    stage->cluster = fake_cluster_start();
    stage_elect(stage);
    stage->watched_s = STAGE_NOW - 60;
    stage->edge = (struct session_edge){.client = fake_cluster_client(stage->cluster),
                                        .space = "granary-system",
                                        .view = &stage->view,
                                        .settings = &stage_settings,
                                        .heard_s = heard,
                                        .tell = tell,
                                        .context = stage};
    stage_put(stage, "/api/v1/namespaces/kube-system",
              "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'kube-system','uid':"
              "'" STAGE_CLUSTER_UID "'}}");
    stage_put(stage, STAGE_WORKLOAD,
              "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':"
              "'shop','uid':'WEB'},'spec':{'replicas':1,'selector':{'matchLabels':{'app':'web'}},"
              "'template':{'metadata':{" MARK "}," POD_SPEC "}}}");
    stage_put(stage, STAGE_MAKER,
              "{'apiVersion':'apps/v1','kind':'ReplicaSet','metadata':{'name':'web-1','namespace':"
              "'shop','uid':'RS','labels':{'app':'web'},'ownerReferences':[{'apiVersion':'apps/v1',"
              "'kind':'Deployment','name':'web','uid':'WEB','controller':true}]}}");
    stage_pod(stage, "web-1-a", STAGE_POD_UID, "{'phase':'Running'}");
    stage_put(stage, STAGE_CONFIGURATION,
              "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':"
              "{'name':'c','namespace':'shop','uid':'" STAGE_CONFIGURATION_UID
              "','labels':{'team':'a'}},'spec':{'repository':{'name':'r'},'target':{'ref':{"
              "'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'paths':['/data'],"
              "'exclude':['*.tmp']},'retentionPolicy':{'name':'k','keepLast':3,'prune':true},"
              "'backupHistoryLimit':2,'retryConfig':{'maxRetry':1,'delay':'1m'}},"
              "'status':{'phase':'Ready'}}");
    stage_put(stage, STAGE_REPOSITORY,
              "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':"
              "'r','namespace':'shop','uid':'R'},'spec':{'backend':{'storageSecretName':'key','s3':"
              "{'endpoint':'s3.example.com','bucket':'b','prefix':'shop/web'}}}}");
    stage_put(stage, STAGE_SECRET,
              "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'key','namespace':'shop'},"
              "'data':{'RESTIC_PASSWORD':'aHVzaA=='}}");
}

void stage_done(struct stage *stage)
{
    desk_free(stage->desk);
    if (stage->cluster)
        fake_cluster_stop(stage->cluster);
    text_done(&stage->events);
    json_decref(stage->stale);
}

void stage_claim(struct stage *stage)
{
    json_t *configuration = fake_cluster_get(stage->cluster, STAGE_CONFIGURATION);

    tree_put_new(json_object_get(configuration, "spec"), "target",
                 json_row("{'ref':{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'data'}"
                          ",'paths':['/stash-data']}"));
    fake_cluster_put(stage->cluster, STAGE_CONFIGURATION, configuration);
    stage_put(stage, STAGE_CLAIM,
              "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data',"
              "'namespace':'shop','uid':'PVC'},'spec':{'accessModes':['ReadWriteOnce']}}");
    stage->claim = true;
}

void stage_job_pod(struct stage *stage, const char *name, const char *uid, const char *job_uid,
                   const char *status)
{
    AUTO(free) char *path = text_format(STAGE_PODS "/%s", name);
    AUTO(free)
    char *row = text_format(
        "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s','namespace':'shop','uid':'%s',"
        "'labels':{'granary.dev/session':'" STAGE_SESSION_UID "'},'ownerReferences':[{'apiVersion':"
        "'batch/v1','kind':'Job','name':'stash-backup-s1-0','uid':'%s','controller':true}]},"
        "'spec':{'containers':[{'name':'stash'}]},'status':%s}",
        name, uid, job_uid, status);

    stage_put(stage, path, row);
}

void stage_session(struct stage *stage, const char *more)
{
    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupSession',"
                            "'metadata':{'name':'s1','namespace':'shop','uid':'" STAGE_SESSION_UID
                            "','creationTimestamp':'2024-05-01T13:30:00Z'},'spec':{'invoker':{"
                            "'kind':'BackupConfiguration','name':'c'}%s}}",
                            more);

    stage_put(stage, STAGE_SESSIONS "/s1", row);
}

void stage_restore(struct stage *stage, const char *spec)
{
    AUTO(free)
    char *row = text_format("{'apiVersion':'stash.appscode.com/v1beta1','kind':'RestoreSession',"
                            "'metadata':{'name':'r1','namespace':'shop','uid':'" STAGE_SESSION_UID
                            "','creationTimestamp':'2024-05-01T13:30:00Z'},'spec':%s}",
                            spec);

    stage_put(stage, STAGE_RESTORES "/r1", row);
}

json_t *stage_lease(struct stage *stage)
{
    AUTO(free) char *name = target_lease_name(target_text(stage));
    AUTO(free) char *path = text_format(STAGE_LEASES "/%s", name);

    return fake_cluster_get(stage->cluster, path);
}

bool stage_is_in(struct stage *stage, const char *pod)
{
    AUTO(repository_ledger) struct repository_ledger ledger = {0};
    struct error err = {.message = ""};

    ck_assert_msg(
        repository_ledger_get(stage->edge.client, stage->edge.space, "shop/r", &ledger, &err), "%s",
        err.message);
    return holders_has(ledger.holders, STAGE_SESSION_UID, pod);
}

/* What the leader sees; owned. */
struct sight {
    json_t *session, *sessions, *lease, *configuration, *target;
    const json_t *list[SESSIONS_MAX];
    struct target_pods pods;
    struct session_jobs jobs;
    json_t *missing;
    struct session_seen seen;
};

static void auto_sight(struct sight *sight)
{
    json_decref(sight->session);
    json_decref(sight->sessions);
    json_decref(sight->lease);
    json_decref(sight->configuration);
    json_decref(sight->target);
    target_pods_done(&sight->pods);
    session_jobs_done(&sight->jobs);
    json_decref(sight->missing);
}

static json_t *target_of(const struct stage *stage)
{
    if (stage->set)
        return json_row("{'apiVersion':'apps/v1','kind':'StatefulSet','name':'db',"
                        "'namespace':'shop'}");
    if (stage->claim)
        return json_row("{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'data',"
                        "'namespace':'shop'}");
    return json_row("{'apiVersion':'apps/v1','kind':'Deployment','name':'web','namespace':'shop'}");
}

static bool look(struct stage *stage, const char *collection, const char *name, struct sight *sight,
                 struct error *err)
{
    AUTO(free) char *path = text_format("%s/%s", collection, name);

    sight->target = target_of(stage);
    sight->sessions = fake_cluster_list(stage->cluster, collection);
    sight->lease = stage->stale ? tree_copy(stage->stale) : stage_lease(stage);
    sight->session = fake_cluster_get(stage->cluster, path);
    if (!sight->session)
        sight->session = session_of_ledger(sight->lease);
    sight->configuration = fake_cluster_get(stage->cluster, STAGE_CONFIGURATION);
    for (size_t i = 0; i < json_array_size(sight->sessions); i++)
        sight->list[i] = json_array_get(sight->sessions, i);
    if (!target_pods_read(stage->edge.client, sight->target, stage->now_s, &sight->pods, err))
        return false;
    if (!stage->claim && !claimed_pods_seek(stage->edge.client, "shop", sight->lease, NULL,
                                            &sight->pods, &sight->missing, err))
        return false;
    sight->seen = (struct session_seen){
        .session = sight->session,
        .sessions = sight->list,
        .session_count = json_array_size(sight->sessions),
        .lease = sight->lease,
        .pods_s = sight->pods.read_s,
        .missing = sight->missing,
        .watched_s = stage->watched_s,
        .now_s = stage->now_s,
        .configuration = sight->configuration,
    };
    target_pods_show(&sight->pods, &sight->seen.target);
    if ((!stage->claim && !stage->set) || !sight->session)
        return true;
    if (!session_jobs_read(stage->edge.client, "shop", STAGE_SESSION_UID, stage->now_s,
                           &sight->jobs, err))
        return false;
    session_jobs_show(&sight->jobs, &sight->seen.target);
    sight->seen.target.job = true;
    return true;
}

bool stage_step(struct stage *stage, const char *name, struct session_turn *turn, struct error *err)
{
    AUTO(sight) struct sight sight = {0};

    *turn = (struct session_turn){0};
    if (!look(stage, STAGE_SESSIONS, name, &sight, err))
        return false;
    return !sight.session || session_edge_step(&stage->edge, &sight.seen, sight.target, turn, err);
}

bool stage_step_restore(struct stage *stage, const char *name, struct session_turn *turn,
                        struct error *err)
{
    AUTO(sight) struct sight sight = {0};

    *turn = (struct session_turn){0};
    if (!look(stage, STAGE_RESTORES, name, &sight, err))
        return false;
    sight.seen.target.init = !stage->claim;
    sight.seen.asked = stage->asked || desk_asked(stage->desk, STAGE_SESSION_UID);
    return !sight.session ||
           session_edge_restore(&stage->edge, &sight.seen, sight.target, turn, err);
}

static bool keep_history(struct stage *stage, struct session_turn *turn, struct error *err)
{
    AUTO(sight) struct sight sight = {0};

    *turn = (struct session_turn){0};
    if (!look(stage, STAGE_SESSIONS, "", &sight, err))
        return false;

    AUTO(free) char *holder = target_lease_session(sight.lease);

    return session_edge_history(&stage->edge, sight.configuration, sight.list,
                                sight.seen.session_count, holder, turn, err);
}

/* The Lease is held by a session that is not there any more. */
static bool is_orphaned(struct stage *stage)
{
    AUTO(json) json_t *lease = stage_lease(stage);
    AUTO(free) char *holder = target_lease_session(lease);
    AUTO(json) json_t *sessions = fake_cluster_list(stage->cluster, STAGE_SESSIONS);
    AUTO(json) json_t *restores = fake_cluster_list(stage->cluster, STAGE_RESTORES);
    const json_t *session;
    size_t i;

    json_array_extend(sessions, restores);
    tree_items (sessions, i, session)
        if (span_is(tree_span(tree_get(session, "metadata"), "uid"), holder))
            return false;
    return *holder;
}

/* True when something was written, or failed. */
static bool pass(struct stage *stage, struct error *err)
{
    static const struct {
        const char *collection;
        bool (*step)(struct stage *stage, const char *name, struct session_turn *turn,
                     struct error *err);
    } kinds[] = {{STAGE_SESSIONS, stage_step}, {STAGE_RESTORES, stage_step_restore}};
    struct session_turn turn;
    bool moved = false;

    for (size_t kind = 0; kind < 2; kind++) {
        AUTO(json) json_t *all = fake_cluster_list(stage->cluster, kinds[kind].collection);

        for (size_t i = 0; i < json_array_size(all); i++) {
            const char *name = tree_text(tree_get(json_array_get(all, i), "metadata"), "name");

            moved |= !kinds[kind].step(stage, name, &turn, err) || turn.wrote;
        }
    }
    if (is_orphaned(stage))
        moved |= !stage_step(stage, "gone", &turn, err) || turn.wrote;
    return !keep_history(stage, &turn, err) || turn.wrote || moved;
}

void stage_settle(struct stage *stage)
{
    struct error err = {.message = ""};

    for (int i = 0; pass(stage, &err); i++)
        ck_assert_msg(i < STEPS_MAX, "it never settles: %s", err.message);
}

void stage_wait(struct stage *stage, int64_t seconds)
{
    stage->now_s += seconds;
    now = stage->now_s;
    fake_cluster_clock(stage->cluster, stage->now_s);
}

char *stage_phase(struct stage *stage, const char *name)
{
    AUTO(free) char *backup = text_format(STAGE_SESSIONS "/%s", name);
    AUTO(free) char *restore = text_format(STAGE_RESTORES "/%s", name);
    AUTO(json) json_t *session = fake_cluster_get(stage->cluster, backup);

    if (!session)
        session = fake_cluster_get(stage->cluster, restore);

    const char *phase = session ? tree_text(tree_get(session, "status"), "phase") : "gone";

    return text_dup(phase ? phase : "", phase ? strlen(phase) : 0);
}

void stage_must_end_alike(void (*live)(struct stage *), char *(*end_of)(struct stage *), int number,
                          enum fake_failure how)
{
    AUTO(stage) struct stage calm = {0};
    AUTO(stage) struct stage stage = {0};

    stage_start(&calm);
    live(&calm);
    stage_start(&stage);
    fake_cluster_fail(stage.cluster, number, how);
    live(&stage);

    AUTO(free) char *expected = end_of(&calm), *found = end_of(&stage);

    ck_assert_int_ge(fake_cluster_asked(stage.cluster), number);
    ck_assert_str_eq(found, expected);
}
