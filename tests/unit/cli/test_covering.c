#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "cli/covering.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define META(name, more) "'metadata':{'namespace':'shop','name':'" name "'" more "}"
#define CLAIM(name, more)                                                                          \
    "{'apiVersion':'v1','kind':'PersistentVolumeClaim'," META(                                     \
        name, more) ",'spec':{'resources':{'requests':{'storage':'1Gi'}},'storageClassName':"      \
                    "'fast'}}"
#define ASKED ",'annotations':{'stash.appscode.com/backup-blueprint':'nightly'}"
#define REFUSED ",'annotations':{'granary.dev/backup':'false'}"
#define OWNED                                                                                      \
    ",'ownerReferences':[{'apiVersion':'apps/v1','kind':'Deployment','name':'web','controller':"   \
    "true,'uid':'u'}]"
#define POD                                                                                        \
    "'spec':{'template':{'spec':{'containers':[{'name':'c','image':'i','volumeMounts':[{'name':"   \
    "'d','mountPath':'/data'}]}],'volumes':[{'name':'d','persistentVolumeClaim':{'claimName':"     \
    "'data'}}]}}}}"
#define WORKLOAD(kind, name, more)                                                                 \
    "{'apiVersion':'apps/v1','kind':'" kind "'," META(name, more) "," POD
#define CONFIGURATION(phase)                                                                       \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupConfiguration'," META(               \
        "deploy-web", "") ",'spec':{'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment',"  \
                          "'name':'web'}}},'status':{'phase':'" phase "'}}"
#define BLUEPRINT                                                                                  \
    "{'apiVersion':'stash.appscode.com/v1beta1','kind':'BackupBlueprint','metadata':{'name':"      \
    "'nightly'},'spec':{'schedule':'@daily','retentionPolicy':{'name':'x','keepLast':1,'prune':"   \
    "true},"                                                                                       \
    "'backend':{'s3':{'endpoint':'https://s3.example.com','bucket':'b'},'storageSecretName':'s'}}" \
    "}"

/* Of each claim: state, who uses it, and by whom or why. */
static const struct {
    const char *what, *claims, *workloads, *configurations, *blueprints;
    const char *state, *users, *said;
} rows[] = {
    {"protected", "[" CLAIM("data", "") "]", "[" WORKLOAD("Deployment", "web", "") "]",
     "[" CONFIGURATION("Ready") "]", "[]", "Protected", "Deployment/web ",
     "BackupConfiguration shop/deploy-web"},
    {"nobody uses it and nobody asks", "[" CLAIM("data", "") "]", "[]", "[]", "[]", "Unprotected",
     "",
     "nobody asks for it; annotation stash.appscode.com/backup-blueprint of "
     "PersistentVolumeClaim data does"},
    {"its workload does not ask", "[" CLAIM("data", "") "]",
     "[" WORKLOAD("Deployment", "web", "") "," WORKLOAD("Deployment", "two", "") "]", "[]", "[]",
     "Unprotected", "Deployment/web Deployment/two ", "of Deployment web does"},
    {"not ready", "[" CLAIM("data", "") "]", "[" WORKLOAD("Deployment", "web", ASKED) "]",
     "[" CONFIGURATION("NotReady") "]", "[" BLUEPRINT "]", "Unprotected", "Deployment/web ",
     "BackupConfiguration shop/deploy-web is not ready; `kubectl granary status` says why"},
    /* what the webhook's plan says */
    {"no such blueprint", "[" CLAIM("data", "") "]", "[" WORKLOAD("Deployment", "web", ASKED) "]",
     "[]", "[]", "Unprotected", "Deployment/web ",
     "asked for by Deployment web, but: no BackupBlueprint \"nightly\""},
    {"not made yet", "[" CLAIM("data", "") "]", "[" WORKLOAD("Deployment", "web", ASKED) "]", "[]",
     "[" BLUEPRINT "]", "Unprotected", "Deployment/web ", "does the controller run?"},
    {"a claim that asks", "[" CLAIM("data", ASKED) "]", "[]", "[]", "[" BLUEPRINT "]",
     "Unprotected", "", "asked for by PersistentVolumeClaim data, and no"},
    {"blueprints may not be read", "[" CLAIM("data", "") "]",
     "[" WORKLOAD("Deployment", "web", ASKED) "]", "[]", NULL, "Unprotected", "Deployment/web ",
     "nobody asks for it"},
    {"excluded", "[" CLAIM("data", REFUSED) "]", "[]", "[]", "[]", "Excluded", "",
     "its annotation granary.dev/backup"},
    /* the ReplicaSets of a Deployment are not told, nor what was copied to them */
    {"copies", "[" CLAIM("data", "") "]", "[" WORKLOAD("ReplicaSet", "web-1", OWNED REFUSED) "]",
     "[]", "[]", "Unprotected", "", "of PersistentVolumeClaim data does"},
    {"odd shapes", "[1,{},{'metadata':'odd'}," CLAIM("data", "") "]", "[1,{},{'kind':1}]",
     "[1,{},{'spec':7}]", "[7,{}]", "Unprotected", "", "nobody asks"},
};

static void add_users(struct text *text, const json_t *users)
{
    const json_t *user;
    size_t i;

    tree_items (users, i, user)
        text_addf(text, "%s/%s ", tree_text(user, "kind"), tree_text(user, "name"));
}

START_TEST(each_volume_has_a_state_and_a_reason)
    {
        AUTO(json) json_t *claims = json_row(rows[_i].claims);
        AUTO(json) json_t *workloads = json_row(rows[_i].workloads);
        AUTO(json) json_t *configurations = json_row(rows[_i].configurations);
        AUTO(json) json_t *blueprints = rows[_i].blueprints ? json_row(rows[_i].blueprints) : NULL;
        AUTO(cluster)
        const struct cluster *cluster = blueprints ? cluster_make(blueprints) : NULL;
        AUTO(settings) struct settings settings;
        AUTO(text) struct text users = {0};

        settings_default(&settings);

        AUTO(json)
        json_t *made = covering_make(&(struct covering_seen){.claims = claims,
                                                             .workloads = workloads,
                                                             .configurations = configurations,
                                                             .settings = &settings,
                                                             .cluster = cluster});
        const json_t *row = json_array_get(made, 0);
        const char *by = tree_text(row, "by"), *reason = tree_text(row, "reason");

        ck_assert_msg(json_array_size(made) == 1, "%s", rows[_i].what);
        ck_assert_str_eq(tree_text(row, "state"), rows[_i].state);
        add_users(&users, tree_get(row, "usedBy"));
        ck_assert_str_eq(text_get(&users), rows[_i].users);
        ck_assert_msg(!by != !reason, "%s", rows[_i].what);
        ck_assert_msg(strstr(by ? by : reason, rows[_i].said), "%s: %s", rows[_i].what,
                      by ? by : reason);
        ck_assert_str_eq(tree_text(row, "size"), "1Gi");
        ck_assert_str_eq(tree_text(row, "class"), "fast");
        ck_assert_uint_eq(covering_count(made, rows[_i].state), 1);
    }
END_TEST

SUITE(cli_covering)
{
    suite_rows(tests, each_volume_has_a_state_and_a_reason, rows);
}
