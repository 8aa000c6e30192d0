#include "controllers/wipe_edge.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/repository_lease.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* 2024-05-01T13:30:00Z */
#define NOW INT64_C(1714570200)
#define SPACE "granary-system"
#define KEY "shop/r"
#define JOBS "/apis/batch/v1/namespaces/shop/jobs"
#define PODS "/api/v1/namespaces/shop/pods"
#define NAMESPACE "/api/v1/namespaces/shop"
#define KIND                                                                                       \
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/repositories.stash.appscode.com"
#define OTHER "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories/o"

#define A_REPOSITORY(name, uid, prefix)                                                            \
    "{'apiVersion':'stash.appscode.com/v1alpha1','kind':'Repository','metadata':{'name':'" name    \
    "','namespace':'shop','uid':'" uid "'},'spec':{'wipeOut':true,'backend':{'storageSecretName':" \
    "'keys','s3':{'bucket':'b','prefix':'" prefix "'}}},'status':{'conditions':[{'type':"          \
    "'BackendRepositoryOwned','status':'True'}]}}"
#define GONE A_REPOSITORY("r", "r-1", "p")
#define A_SPACE "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop'}}"
#define A_KIND                                                                                     \
    "{'apiVersion':'apiextensions.k8s.io/v1','kind':'CustomResourceDefinition','metadata':{"       \
    "'name':'repositories.stash.appscode.com'}}"
#define LEAVING(kind, name)                                                                        \
    "{" kind ",'metadata':{'name':'" name "','deletionTimestamp':'2024-05-01T13:30:00Z'}}"

/* ---- why not ---- */

static const struct {
    const char *what, *repository, *living, *space, *kind;
    const char *why; /* a piece; NULL: it may go */
} rows[] = {
    {"alone", GONE, "[]", A_SPACE, A_KIND, NULL},
    {"beside another place", GONE, "[" A_REPOSITORY("o", "o-1", "pq") "]", A_SPACE, A_KIND, NULL},
    {"still listed itself", GONE, "[" GONE "]", A_SPACE, A_KIND, NULL},
    {"made again", GONE, "[" A_REPOSITORY("r", "r-2", "p") "]", A_SPACE, A_KIND,
     "Repository shop/r has its data there"},
    {"another one above", GONE, "[" A_REPOSITORY("o", "o-1", "") "]", A_SPACE, A_KIND,
     "Repository shop/o has its data there, above or below"},
    {"another one below", GONE, "[" A_REPOSITORY("o", "o-1", "p/q") "]", A_SPACE, A_KIND,
     "above or below"},
    {"the namespace goes", GONE, "[]", LEAVING("'kind':'Namespace'", "shop"), A_KIND,
     "its namespace is being deleted"},
    {"the namespace has gone", GONE, "[]", "null", A_KIND, "its namespace is being deleted"},
    {"the kind goes", GONE, "[]", A_SPACE, LEAVING("'kind':'X'", "x"), "is being deleted"},
    {"the kind has gone", GONE, "[]", A_SPACE, "null", "the CRD"},
    {"nobody's mark", "{'spec':{'backend':{'s3':{'bucket':'b'}}}}", "[]", A_SPACE, A_KIND,
     "no session of this cluster has found its mark"},
    {"another cluster's",
     "{'spec':{'backend':{'s3':{'bucket':'b'}}},'status':{'conditions':[{'type':"
     "'BackendRepositoryOwned','status':'False'}]}}",
     "[]", A_SPACE, A_KIND, "no session of this cluster"},
    {"a REST server", "{'spec':{'backend':{'rest':{'url':'http://h'}}}}", "[]", A_SPACE, A_KIND,
     "nothing removes data from a backend of kind rest"},
    {"no backend", "{'spec':1}", "[]", A_SPACE, A_KIND, "kind none"},
};

static json_t *row_or_null(const char *row)
{
    return strcmp(row, "null") == 0 ? NULL : json_row(row);
}

START_TEST(what_speaks_against_it)
    {
        AUTO(json) json_t *repository = json_row(rows[_i].repository);
        AUTO(json) json_t *living = json_row(rows[_i].living);
        AUTO(json) json_t *space = row_or_null(rows[_i].space);
        AUTO(json) json_t *kind = row_or_null(rows[_i].kind);
        const struct wipe_facts facts = {repository, living, space, kind};
        AUTO(free) char *why = wipe_refused(&facts);

        ck_assert_msg(!why == !rows[_i].why, "%s: %s", rows[_i].what, why ? why : "nothing");
        ck_assert_msg(!why || strstr(why, rows[_i].why), "%s: %s", rows[_i].what, why);
    }
END_TEST

/* ---- a life ---- */

struct stand {
    struct fake_cluster *cluster;
    json_t *repository;
    struct settings settings;
    struct wipe_memory memory;
    struct wipe_turn turn;
    int64_t now_s;
    struct text told;
};

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    struct stand *stand = context;

    ck_assert_str_eq(tree_text(tree_get(object, "metadata"), "uid"), "r-1");
    text_addf(&stand->told, "%s: %s|", event->reason, event->note);
}

static enum holder_state state_of(void *context, const struct holder *holder)
{
    (void)context;
    (void)holder;
    return HOLDER_WORKS;
}

static void start(struct stand *stand)
{
    *stand = (struct stand){
        .cluster = fake_cluster_start(), .repository = json_row(GONE), .now_s = NOW + WIPE_GRACE_S};
    stand->memory = (struct wipe_memory){.repository = stand->repository, .gone_s = NOW};
    settings_default(&stand->settings);
    fake_cluster_clock(stand->cluster, NOW);
    fake_cluster_put(stand->cluster, NAMESPACE, json_row(A_SPACE));
    fake_cluster_put(stand->cluster, KIND, json_row(A_KIND));
}

static void auto_stand(struct stand *stand)
{
    fake_cluster_stop(stand->cluster);
    json_decref(stand->repository);
    settings_done(&stand->settings);
    text_done(&stand->told);
}

static bool step(struct stand *stand, struct error *err)
{
    const struct maintenance_edge edge = {.client = fake_cluster_client(stand->cluster),
                                          .space = SPACE,
                                          .cluster = "cluster-1",
                                          .settings = &stand->settings,
                                          .state = state_of,
                                          .tell = tell,
                                          .context = stand};

    return wipe_edge_step(&edge, &stand->memory, false, stand->now_s, &stand->turn, err);
}

static void must_step(struct stand *stand)
{
    struct error err = {.message = ""};

    ck_assert_msg(step(stand, &err), "%s", err.message);
}

static json_t *the_job(struct stand *stand)
{
    AUTO(json) json_t *all = fake_cluster_list(stand->cluster, JOBS);

    ck_assert_uint_le(json_array_size(all), 1);
    return json_incref(json_array_get(all, 0));
}

static void end_job(struct stand *stand, const char *condition, const char *phase, const char *word)
{
    AUTO(json) json_t *job = the_job(stand);
    const char *name = tree_text(tree_get(job, "metadata"), "name");
    AUTO(free) char *path = text_format(JOBS "/%s", name);
    AUTO(free) char *pod = text_format(PODS "/%s-x", name);
    AUTO(free)
    char *row = text_format("{'apiVersion':'v1','kind':'Pod','metadata':{'name':'%s-x','namespace':"
                            "'shop','labels':{'job-name':'%s'}},'status':{'phase':'%s',"
                            "'containerStatuses':[{'state':{'terminated':{'message':'%s'}}}]}}",
                            name, name, phase, word);
    AUTO(free)
    char *status = text_format("{'conditions':[{'type':'%s','status':'True'}]}", condition);

    fake_cluster_put(stand->cluster, pod, json_row(row));
    tree_put_new(job, "status", json_row(status));
    fake_cluster_put(stand->cluster, path, TAKE(job));
}

static size_t holders(struct stand *stand)
{
    AUTO(repository_ledger) struct repository_ledger ledger = {0};
    struct error err = {.message = ""};

    ck_assert(
        repository_ledger_get(fake_cluster_client(stand->cluster), SPACE, KEY, &ledger, &err));
    return ledger.holders->count;
}

#define SAID(more) "{\\\"kind\\\":\\\"wipe\\\"" more "}"

START_TEST(a_repository_is_removed)
    {
        AUTO(stand) struct stand stand;

        start(&stand);
        stand.now_s = NOW + 1;
        must_step(&stand);
        ck_assert_int_eq(stand.turn.again_s, WIPE_GRACE_S - 1);
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), 0);
        stand.now_s = NOW + WIPE_GRACE_S;
        must_step(&stand);

        AUTO(json) json_t *job = the_job(&stand);
        const json_t *container = json_array_get(tree_at(job, "spec.template.spec.containers"), 0);

        ck_assert_str_eq(tree_text(tree_at(job, "metadata.annotations"), "granary.dev/wipes"),
                         "r-1");
        ck_assert(!tree_at(job, "metadata.ownerReferences"));
        ck_assert_str_eq(tree_text(container, "image"), "granary-wipe:" GRANARY_VERSION);
        ck_assert_uint_eq(holders(&stand), 1);
        must_step(&stand); /* it goes on */
        ck_assert(!stand.turn.ended);
        end_job(&stand, "Complete", "Succeeded", SAID(",\\\"others\\\":\\\"notes.txt\\\""));
        must_step(&stand);
        ck_assert(stand.turn.ended && stand.turn.let_in);
        ck_assert_uint_eq(holders(&stand), 0);
        ck_assert(strstr(text_get(&stand.told), "WipedOut: ") &&
                  strstr(text_get(&stand.told), "notes.txt"));
    }
END_TEST

START_TEST(whoever_works_there_is_waited_for)
    {
        AUTO(stand) struct stand stand;
        const struct repository_worker worker = {SPACE, KEY, "s-1", "p-1"};
        struct error err = {.message = ""};
        bool in = false;

        start(&stand);
        ck_assert(
            repository_lease_share(fake_cluster_client(stand.cluster), &worker, NOW, &in, &err));
        for (int i = 0; i < 3; i++)
            must_step(&stand);

        AUTO(json) json_t *none = the_job(&stand);

        ck_assert(in && !none && !stand.turn.ended);
        ck_assert(repository_lease_leave(fake_cluster_client(stand.cluster), &worker, &err));
        must_step(&stand);

        AUTO(json) json_t *job = the_job(&stand);

        ck_assert_ptr_nonnull(job);
    }
END_TEST

START_TEST(who_is_never_done_keeps_the_data)
    {
        AUTO(stand) struct stand stand;
        const struct repository_worker worker = {SPACE, KEY, "s-1", "p-1"};
        struct error err = {.message = ""};
        bool in = false;

        start(&stand);
        ck_assert(
            repository_lease_share(fake_cluster_client(stand.cluster), &worker, NOW, &in, &err));
        stand.now_s = NOW + WIPE_MAX_S + 1;
        must_step(&stand);
        ck_assert(stand.turn.ended && strstr(text_get(&stand.told), "WipeOutRefused: "));
    }
END_TEST

/* Between two steps, and between ledger and Job. */
START_TEST(what_changes_meanwhile_counts)
    {
        AUTO(stand) struct stand stand;
        struct error err = {.message = ""};

        start(&stand);
        fake_cluster_fail(stand.cluster, 2, FAILS_BEFORE);
        ck_assert(!step(&stand, &err));
        ck_assert_uint_eq(holders(&stand), 1);
        fake_cluster_put(stand.cluster, OTHER, json_row(A_REPOSITORY("o", "o-1", "p/q")));
        must_step(&stand);

        AUTO(json) json_t *none = the_job(&stand);

        ck_assert(!none && stand.turn.ended && strstr(text_get(&stand.told), "WipeOutRefused: "));
        ck_assert_uint_eq(holders(&stand), 0);
    }
END_TEST

START_TEST(what_can_not_be_read_keeps_the_data)
    {
        AUTO(stand) struct stand stand;

        start(&stand);
        fake_cluster_remove(stand.cluster, KIND);
        must_step(&stand);
        ck_assert(stand.turn.ended && strstr(text_get(&stand.told), "WipeOutRefused: "));
        ck_assert_int_eq(fake_cluster_writes(stand.cluster), 0);
    }
END_TEST

static const struct {
    const char *condition, *phase, *word, *told;
    bool ended;
    int64_t failures;
} ends[] = {
    {"Failed", "Failed",
     SAID(",\\\"reason\\\":\\\"ForeignRepository\\\",\\\"message\\\":\\\"m\\\""),
     "WipeOutFailed: ForeignRepository: m|", true, 0},
    {"Failed", "Failed", SAID(",\\\"reason\\\":\\\"RepositoryLocked\\\",\\\"message\\\":\\\"m\\\""),
     "WipeOutFailed: RepositoryLocked: m. It is tried again|", false, 0},
    {"Failed", "Failed", SAID(",\\\"reason\\\":\\\"RepositoryLocked\\\",\\\"message\\\":\\\"m\\\""),
     "WipeOutFailed: RepositoryLocked: m|", true, WIPE_TRIES - 1},
    {"Failed", "Failed", "",
     "WipeOutFailed: PodLost: its pod ended without saying how. It is tried again|", false, 0},
    /* nobody's word for it */
    {"Complete", "Succeeded", "", "WipeOutFailed: PodLost: ", false, 0},
};

START_TEST(failures_are_told)
    {
        AUTO(stand) struct stand stand;

        start(&stand);
        stand.memory.failures = ends[_i].failures;
        must_step(&stand);
        end_job(&stand, ends[_i].condition, ends[_i].phase, ends[_i].word);
        must_step(&stand);
        ck_assert_msg(strncmp(text_get(&stand.told), ends[_i].told, strlen(ends[_i].told)) == 0,
                      "%s", text_get(&stand.told));
        ck_assert_int_eq(stand.turn.ended, ends[_i].ended);
        ck_assert_int_eq(stand.turn.failed, !ends[_i].ended);
        ck_assert_uint_eq(holders(&stand), 0);
    }
END_TEST

SUITE(wipe_edge)
{
    suite_rows(tests, what_speaks_against_it, rows);
    tcase_add_test(tests, a_repository_is_removed);
    tcase_add_test(tests, whoever_works_there_is_waited_for);
    tcase_add_test(tests, who_is_never_done_keeps_the_data);
    tcase_add_test(tests, what_changes_meanwhile_counts);
    tcase_add_test(tests, what_can_not_be_read_keeps_the_data);
    suite_rows(tests, failures_are_told, ends);
}
