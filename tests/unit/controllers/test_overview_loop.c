#include "controllers/overview_loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "controllers/configuration_loop.h"
#include "controllers/references_loop.h"
#include "controllers/target_loop.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* All loops about backups together, before an API server that keeps objects: from an annotation to
 * a status that says that its claim is protected. */

#define TIMEOUT_MS 60000

#define STASH "/apis/stash.appscode.com/"
#define BLUEPRINT STASH "v1beta1/backupblueprints/daily"
#define CONFIGURATION STASH "v1beta1/namespaces/shop/backupconfigurations/deploy-web"
#define REPOSITORY STASH "v1alpha1/namespaces/shop/repositories/deploy-web"
#define DEPLOYMENT "/apis/apps/v1/namespaces/shop/deployments/web"
#define CRONJOB "/apis/batch/v1/namespaces/shop/cronjobs/stash-trigger-deploy-web"
#define SECRET "/api/v1/namespaces/shop/secrets/keys"
#define CLAIM "/api/v1/namespaces/shop/persistentvolumeclaims/data"

#define A_BLUEPRINT                                                                                \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupBlueprint','metadata':{'name':"      \
    "'daily','generation':1},'spec':{'schedule':'@daily','retentionPolicy':{'name':'a',"           \
    "'keepLast':5,'prune':true},'backend':{'s3':{'endpoint':'s3','bucket':'b','prefix':"           \
    "'${TARGET_NAME}'},'storageSecretName':'keys'}}}"
#define A_DEPLOYMENT(annotations)                                                                  \
    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'shop',"     \
    "'generation':1,'annotations':{" annotations "}},'spec':{'template':{'spec':{'containers':[{"  \
    "'name':'app','volumeMounts':[{'name':'d','mountPath':'/data'}]}],'volumes':[{'name':'d',"     \
    "'persistentVolumeClaim':{'claimName':'data'}}]}}}}"
#define ASKS "'stash.appscode.com/backup-blueprint':'daily'"
#define A_SECRET                                                                                   \
    "{'apiVersion':'v1','kind':'Secret','metadata':{'name':'keys','namespace':'shop'},'data':{"    \
    "'RESTIC_PASSWORD':'eA=='}}"

struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings;
    struct loops *loops;
};

static void put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&target_loop, &configuration_loop, &references_loop,
                                               &overview_loop, NULL};
    struct error err = {.message = ""};

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = fake_cluster_start()};
    put(stand, "/api/v1/namespaces/shop",
        "{'apiVersion':'v1','kind':'Namespace','metadata':{'name':'shop'}}");
    put(stand, CLAIM,
        "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data','namespace':"
        "'shop'}}");
    put(stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
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

static bool has(const struct stand *stand, const char *path, const char *row)
{
    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(json) json_t *wanted = row ? json_row(row) : NULL;
    const json_t *value;
    const char *key;

    if (!row || !object)
        return !row && !object;
    tree_each (wanted, key, value)
        if (!tree_equal(tree_at(object, key), value))
            return false;
    return true;
}

/* Until the object has these values, by path with dots; NULL: until it is gone. */
static void await(const struct stand *stand, const char *path, const char *row)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && !has(stand, path, row); i++)
        nanosleep(&pause, NULL);

    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(free) char *text = object ? tree_format(object, NULL) : NULL;

    ck_assert_msg(has(stand, path, row), "%s: %s", path, text ? text : "none");
}

static void await_metric(const struct stand *stand, const char *line)
{
    struct timespec pause = {.tv_nsec = 1000000};
    bool found = false;

    for (int i = 0; i < TIMEOUT_MS && !found; i++) {
        AUTO(text) struct text text = {0};

        loops_metrics(stand->loops, &text);
        found = strstr(text_get(&text), line) != NULL;
        if (!found)
            nanosleep(&pause, NULL);
    }
    ck_assert_msg(found, "%s", line);
}

/* Everything is looked at once more, and nothing is written. */
static void must_rest(const struct stand *stand)
{
    struct timespec pause = {.tv_nsec = 1000000};
    int64_t steps = loops_look_at(stand->loops, 3).steps;
    int writes;

    ck_assert(loops_wait_idle(stand->loops, TIMEOUT_MS));
    writes = fake_cluster_asked(stand->cluster);
    loops_sweep(stand->loops);
    for (int i = 0; i < TIMEOUT_MS && loops_look_at(stand->loops, 3).steps < steps + 2; i++)
        nanosleep(&pause, NULL);
    ck_assert(loops_wait_idle(stand->loops, TIMEOUT_MS));
    ck_assert_int_eq(fake_cluster_asked(stand->cluster), writes);
}

START_TEST(from_an_annotation_to_a_protected_claim)
    {
        struct stand stand;

        start(&stand);
        await_metric(&stand, "granary_controller_claims{state=\"unprotected\"} 1\n");

        /* the blueprint comes, then the Secret */
        put(&stand, BLUEPRINT, A_BLUEPRINT);
        await(&stand, CONFIGURATION, "{'status.phase':'NotReady'}");
        await(&stand, BLUEPRINT,
              "{'status.matchedTargets':1,'status.upToDateTargets':1,'status.failingTargets':1,"
              "'status.protectedVolumes':0,'status.unprotectedVolumes':1,'status.lastError':"
              "'Deployment shop/web: Secret shop/keys does not exist'}");
        put(&stand, SECRET, A_SECRET);
        await(&stand, CONFIGURATION, "{'status.phase':'Ready','status.observedGeneration':0}");
        await(&stand, CRONJOB, "{'spec.schedule':'@daily'}");
        await(&stand, REPOSITORY,
              "{'status.references':[{'apiGroup':'stash.appscode.com','kind':'BackupConfiguration'"
              ",'namespace':'shop','name':'deploy-web'}]}");
        await(&stand, BLUEPRINT,
              "{'status.failingTargets':0,'status.protectedVolumes':1,'status.unprotectedVolumes'"
              ":0,'status.lastError':''}");
        await_metric(&stand, "granary_controller_claim{namespace=\"shop\",claim=\"data\",state="
                             "\"protected\",by=\"BackupConfiguration shop/deploy-web\"} 1\n");
        await_metric(&stand, "granary_controller_configurations{phase=\"Ready\"} 1\n");
        must_rest(&stand);

        /* somebody deletes the CronJob, and the Repository */
        fake_cluster_remove(stand.cluster, CRONJOB);
        await(&stand, CRONJOB, "{'spec.schedule':'@daily'}");

        /* nobody asks for a backup any more */
        put(&stand, DEPLOYMENT, A_DEPLOYMENT("'granary.dev/backup':'false'"));
        await(&stand, CONFIGURATION, NULL);
        await(&stand, REPOSITORY, "{'status.references':[]}");
        await(&stand, BLUEPRINT, "{'status.matchedTargets':0,'status.protectedVolumes':0}");
        await_metric(&stand, "granary_controller_claim{namespace=\"shop\",claim=\"data\",state="
                             "\"excluded\",by=\"annotation granary.dev/backup of Deployment "
                             "web\"} 1\n");
        stop(&stand);
    }
END_TEST

/* ---- what is not as it was asked for stands where its owner looks ---- */

#define NOW_S INT64_C(1714570200)

/* An element of a list by its type has these values, or is not there (NULL). */
static bool shows(const struct stand *stand, const char *path, const char *type, const char *row)
{
    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(json) json_t *wanted = row ? json_row(row) : NULL;
    const json_t *condition = tree_item(tree_at(object, "status.conditions"), "type", type), *value;
    const char *key;

    if (!row || !condition)
        return !row && !condition;
    tree_each (wanted, key, value)
        if (!tree_equal(tree_get(condition, key), value))
            return false;
    return true;
}

static void await_condition(const struct stand *stand, const char *path, const char *type,
                            const char *row)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && !shows(stand, path, type, row); i++)
        nanosleep(&pause, NULL);

    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(free) char *text = object ? tree_format(object, NULL) : NULL;

    ck_assert_msg(shows(stand, path, type, row), "%s of %s: %s", type, path, text ? text : "none");
}

/* A field that somebody else states by an apply of his own is his: said, until he gives it up. */
START_TEST(a_field_that_somebody_holds)
    {
        struct stand stand;

        start(&stand);
        put(&stand, SECRET, A_SECRET);
        put(&stand, BLUEPRINT, A_BLUEPRINT);
        await(&stand, CONFIGURATION, "{'status.phase':'Ready'}");

        AUTO(json) json_t *held = fake_cluster_get(stand.cluster, CONFIGURATION);
        AUTO(json) json_t *given_up = tree_copy(held);

        tree_put_text(json_object_get(held, "spec"), "schedule", "3 3 * * *");
        tree_put_int(json_object_get(held, "metadata"), "generation", 2);
        tree_put_new(json_object_get(held, "metadata"), "managedFields",
                     json_row("[{'manager':'team','operation':'Apply'}]"));
        fake_cluster_put(stand.cluster, CONFIGURATION, tree_copy(held));
        await_condition(
            &stand, CONFIGURATION, "PlanCarriedOut",
            "{'status':'False','reason':'Conflict','message':'BackupConfiguration shop/deploy-web "
            "is left as it is: other managers own .spec (team)'}");
        await(&stand, CONFIGURATION, "{'spec.schedule':'3 3 * * *','status.phase':'Ready'}");
        await(&stand, BLUEPRINT,
              "{'status.failingTargets':1,'status.lastError':'Deployment shop/web: "
              "BackupConfiguration shop/deploy-web is left as it is: other managers own .spec "
              "(team)'}");

        tree_put_int(json_object_get(given_up, "metadata"), "generation", 3);
        fake_cluster_put(stand.cluster, CONFIGURATION, tree_copy(given_up));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        await(&stand, BLUEPRINT, "{'status.failingTargets':0,'status.lastError':''}");
        stop(&stand);
    }
END_TEST

/* 10.1, 2: one that somebody wrote himself says that another one would have its name, whatever it
 * is about, and only as long as that is so. */
START_TEST(one_made_by_hand_in_the_way)
    {
        static const char *const refs[] = {
            "{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'},'paths':['/data']}",
            "{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'else'},'paths':['/data']}"};
        struct stand stand;
        json_t *made = json_row(
            "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration','metadata':{"
            "'name':'deploy-web','namespace':'shop','generation':1},'spec':{'repository':{'name':"
            "'mine'},'schedule':'@daily','retentionPolicy':{'name':'a','keepLast':5,'prune':true}}"
            "}");

        start(&stand);
        tree_put_new(json_object_get(made, "spec"), "target", json_row(refs[_i]));
        fake_cluster_put(stand.cluster, CONFIGURATION, made);
        put(&stand, BLUEPRINT, A_BLUEPRINT);
        await_condition(
            &stand, CONFIGURATION, "PlanCarriedOut",
            "{'status':'False','reason':'NameTaken','message':'it was made by hand, and has the "
            "name of the one that a BackupBlueprint would make for apps/Deployment/shop/web, which "
            "is not made'}");
        await(&stand, BLUEPRINT, "{'status.failingTargets':1}");
        await(&stand, CONFIGURATION, "{'spec.repository':{'name':'mine'},'metadata.generation':1}");
        put(&stand, DEPLOYMENT, A_DEPLOYMENT(""));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        put(&stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", "{'reason':'NameTaken'}");
        fake_cluster_remove(stand.cluster, DEPLOYMENT);
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        stop(&stand);
    }
END_TEST

/* Older than the installation: it waits for its owner, whose change ends that. Who leads next says
 * the same. */
START_TEST(one_that_waits_for_its_owner)
    {
        struct stand stand;

        start(&stand);
        fake_cluster_clock(stand.cluster, NOW_S);
        put(&stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
        put(&stand, BLUEPRINT, A_BLUEPRINT);
        /* before it is known since when admission is ours, nobody is said to wait */
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected", "{'status':'True'}");
        loops_set_active(stand.loops, NOW_S + 1);
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected",
                        "{'status':'False','reason':'WaitingForOwner'}");
        await(&stand, CONFIGURATION, "{'status.phase':'NotReady'}");

        /* what admission would make of his change */
        AUTO(json) json_t *changed = fake_cluster_get(stand.cluster, DEPLOYMENT);

        tree_put_int(json_object_get(changed, "metadata"), "generation", 2);
        tree_put_new(json_object_get(json_object_get(changed, "spec"), "template"), "metadata",
                     json_row("{'annotations':{'granary.dev/agent':'v1.00000000.00000000'}}"));
        fake_cluster_put(stand.cluster, DEPLOYMENT, tree_copy(changed));
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected", "{'status':'True'}");
        stop(&stand);
    }
END_TEST

SUITE(controllers_overview_loop)
{
    tcase_add_test(tests, from_an_annotation_to_a_protected_claim);
    tcase_add_test(tests, a_field_that_somebody_holds);
    tcase_add_loop_test(tests, one_made_by_hand_in_the_way, 0, 2);
    tcase_add_test(tests, one_that_waits_for_its_owner);
}
