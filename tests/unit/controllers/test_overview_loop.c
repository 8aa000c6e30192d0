#include "controllers/overview_loop.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/configuration_loop.h"
#include "controllers/references_loop.h"
#include "controllers/target_loop.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
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

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&target_loop, &configuration_loop, &references_loop,
                                               &overview_loop, NULL};

    stand_prepare(stand);
    stand_put_namespace(stand, "shop");
    stand_put(stand, CLAIM,
              "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'data',"
              "'namespace':'shop'}}");
    stand_put(stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
    stand_lead(stand, table);
}

static bool has_metric(const struct stand *stand, const char *line)
{
    AUTO(text) struct text text = {0};

    loops_metrics(stand->loops, &text);
    return strstr(text_get(&text), line) != NULL;
}

static void await_metric(const struct stand *stand, const char *line)
{
    AWAIT(has_metric(stand, line), "%s", line);
}

START_TEST(from_an_annotation_to_a_protected_claim)
    {
        struct stand stand;

        start(&stand);
        await_metric(&stand, "granary_controller_claims{state=\"unprotected\"} 1\n");

        /* the blueprint comes, then the Secret */
        stand_put(&stand, BLUEPRINT, A_BLUEPRINT);
        stand_await(&stand, CONFIGURATION, "{'status.phase':'NotReady'}");
        stand_await(
            &stand, BLUEPRINT,
            "{'status.matchedTargets':1,'status.upToDateTargets':1,'status.failingTargets':1,"
            "'status.protectedVolumes':0,'status.unprotectedVolumes':1,'status.lastError':"
            "'Deployment shop/web: Secret shop/keys does not exist'}");
        stand_put(&stand, SECRET, A_SECRET);
        stand_await(&stand, CONFIGURATION,
                    "{'status.phase':'Ready','status.observedGeneration':0}");
        stand_await(&stand, CRONJOB, "{'spec.schedule':'@daily'}");
        stand_await(
            &stand, REPOSITORY,
            "{'status.references':[{'apiGroup':'stash.appscode.com','kind':'BackupConfiguration'"
            ",'namespace':'shop','name':'deploy-web'}]}");
        stand_await(
            &stand, BLUEPRINT,
            "{'status.failingTargets':0,'status.protectedVolumes':1,'status.unprotectedVolumes'"
            ":0,'status.lastError':''}");
        await_metric(&stand, "granary_controller_claim{namespace=\"shop\",claim=\"data\",state="
                             "\"protected\",by=\"BackupConfiguration shop/deploy-web\"} 1\n");
        await_metric(&stand, "granary_controller_configurations{phase=\"Ready\"} 1\n");
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        stand_must_rest(&stand, 3, 2);

        /* somebody deletes the CronJob, and the Repository */
        fake_cluster_remove(stand.cluster, CRONJOB);
        stand_await(&stand, CRONJOB, "{'spec.schedule':'@daily'}");

        /* nobody asks for a backup any more */
        stand_put(&stand, DEPLOYMENT, A_DEPLOYMENT("'granary.dev/backup':'false'"));
        stand_await(&stand, CONFIGURATION, NULL);
        stand_await(&stand, REPOSITORY, "{'status.references':[]}");
        stand_await(&stand, BLUEPRINT, "{'status.matchedTargets':0,'status.protectedVolumes':0}");
        await_metric(&stand, "granary_controller_claim{namespace=\"shop\",claim=\"data\",state="
                             "\"excluded\",by=\"annotation granary.dev/backup of Deployment "
                             "web\"} 1\n");
        stand_done(&stand);
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
    AWAIT(shows(stand, path, type, row), "%s of %s: not %s", type, path, row ? row : "gone");
}

/* A field that somebody else states by an apply of his own is his: said, until he gives it up. */
START_TEST(a_field_that_somebody_holds)
    {
        struct stand stand;

        start(&stand);
        stand_put(&stand, SECRET, A_SECRET);
        stand_put(&stand, BLUEPRINT, A_BLUEPRINT);
        stand_await(&stand, CONFIGURATION, "{'status.phase':'Ready'}");

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
        stand_await(&stand, CONFIGURATION, "{'spec.schedule':'3 3 * * *','status.phase':'Ready'}");
        stand_await(
            &stand, BLUEPRINT,
            "{'status.failingTargets':1,'status.lastError':'Deployment shop/web: "
            "BackupConfiguration shop/deploy-web is left as it is: other managers own .spec "
            "(team)'}");

        tree_put_int(json_object_get(given_up, "metadata"), "generation", 3);
        fake_cluster_put(stand.cluster, CONFIGURATION, tree_copy(given_up));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        stand_await(&stand, BLUEPRINT, "{'status.failingTargets':0,'status.lastError':''}");
        stand_done(&stand);
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
        stand_put(&stand, BLUEPRINT, A_BLUEPRINT);
        await_condition(
            &stand, CONFIGURATION, "PlanCarriedOut",
            "{'status':'False','reason':'NameTaken','message':'it was made by hand, and has the "
            "name of the one that a BackupBlueprint would make for apps/Deployment/shop/web, which "
            "is not made'}");
        stand_await(&stand, BLUEPRINT, "{'status.failingTargets':1}");
        stand_await(&stand, CONFIGURATION,
                    "{'spec.repository':{'name':'mine'},'metadata.generation':1}");
        stand_put(&stand, DEPLOYMENT, A_DEPLOYMENT(""));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        stand_put(&stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", "{'reason':'NameTaken'}");
        fake_cluster_remove(stand.cluster, DEPLOYMENT);
        await_condition(&stand, CONFIGURATION, "PlanCarriedOut", NULL);
        stand_done(&stand);
    }
END_TEST

/* Older than the installation: it waits for its owner, whose change ends that. Who leads next says
 * the same. */
START_TEST(one_that_waits_for_its_owner)
    {
        struct stand stand;

        start(&stand);
        fake_cluster_clock(stand.cluster, NOW_S);
        stand_put(&stand, DEPLOYMENT, A_DEPLOYMENT(ASKS));
        stand_put(&stand, BLUEPRINT, A_BLUEPRINT);
        /* before it is known since when admission is ours, nobody is said to wait */
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected", "{'status':'True'}");
        loops_set_active(stand.loops, NOW_S + 1);
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected",
                        "{'status':'False','reason':'WaitingForOwner'}");
        stand_await(&stand, CONFIGURATION, "{'status.phase':'NotReady'}");

        /* what admission would make of his change */
        AUTO(json) json_t *changed = fake_cluster_get(stand.cluster, DEPLOYMENT);

        tree_put_int(json_object_get(changed, "metadata"), "generation", 2);
        tree_put_new(json_object_get(json_object_get(changed, "spec"), "template"), "metadata",
                     json_row("{'annotations':{'granary.dev/agent':'v1.00000000.00000000'}}"));
        fake_cluster_put(stand.cluster, DEPLOYMENT, tree_copy(changed));
        await_condition(&stand, CONFIGURATION, "StashSidecarInjected", "{'status':'True'}");
        stand_done(&stand);
    }
END_TEST

SUITE(controllers_overview_loop)
{
    tcase_add_test(tests, from_an_annotation_to_a_protected_claim);
    tcase_add_test(tests, a_field_that_somebody_holds);
    tcase_add_loop_test(tests, one_made_by_hand_in_the_way, 0, 2);
    tcase_add_test(tests, one_that_waits_for_its_owner);
}
