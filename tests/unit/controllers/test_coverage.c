#include <string.h>

#include "base/tree.h"
#include "controllers/coverage.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define CLAIM(name) "{'metadata':{'namespace':'shop','name':'" name "'}}"
#define CONFIGURATION(name, target, more)                                                          \
    "{'metadata':{'namespace':'shop','name':'" name "'},'spec':{'target':{'ref':" target more "}," \
    "'status':{'phase':'Ready'}}"
#define WEB "{'apiVersion':'apps/v1','kind':'Deployment','name':'web'}"
#define DB "{'apiVersion':'apps/v1','kind':'StatefulSet','name':'db'}"
#define DATA "{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'data'}"
#define VOLUMES                                                                                    \
    "'spec':{'template':{'spec':{'volumes':[{'name':'d','persistentVolumeClaim':{'claimName':"     \
    "'data'}},{'name':'l','persistentVolumeClaim':{'claimName':'logs'}},{'name':'x','emptyDir':"   \
    "{}},1]}}}"
#define DEPLOYMENT(annotations)                                                                    \
    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'namespace':'shop','name':'web',"     \
    "'annotations':" annotations "}," VOLUMES "}"
#define SET                                                                                        \
    "{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{'namespace':'shop','name':'db'},"    \
    "'spec':{'volumeClaimTemplates':[{'metadata':{'name':'data'}},7]}}"
#define SHOP_WEB "BackupConfiguration shop/web"

static const struct {
    const char *what, *claims, *workloads, *configurations;
    const char *said; /* of each claim: state and by whom */
} rows[] = {
    {"nobody", "[" CLAIM("data") "]", "[]", "[]", "0;"},
    {"a claim by itself", "[" CLAIM("data") "]", "[]", "[" CONFIGURATION("web", DATA, "}") "]",
     "2 " SHOP_WEB ";"},
    {"a Deployment's", "[" CLAIM("data") "," CLAIM("logs") "," CLAIM("other") "]",
     "[" DEPLOYMENT("{}") "]", "[" CONFIGURATION("web", WEB, "}") "]",
     "2 " SHOP_WEB ";2 " SHOP_WEB ";0;"},
    {"one of its volumes", "[" CLAIM("data") "," CLAIM("logs") "]", "[" DEPLOYMENT("{}") "]",
     "[" CONFIGURATION("web", WEB, ",'volumeMounts':[{'name':'d'}]}") "]",
     "2 " SHOP_WEB ";1 volumeMounts of " SHOP_WEB ";"},
    {"a StatefulSet's",
     "[" CLAIM("data-db-0") "," CLAIM("data-db-11") "," CLAIM("data-db-x") "," CLAIM(
         "data-db-") "," CLAIM("data-db2-0") "]",
     "[" SET "]", "[" CONFIGURATION("db", DB, "}") "]",
     "2 BackupConfiguration shop/db;2 BackupConfiguration shop/db;0;0;0;"},
    {"another namespace", "[{'metadata':{'namespace':'bank','name':'data'}}]",
     "[" DEPLOYMENT("{}") "]", "[" CONFIGURATION("web", WEB, "}") "]", "0;"},
    {"a target elsewhere", "[{'metadata':{'namespace':'bank','name':'data'}}]", "[]",
     "[{'metadata':{'namespace':'shop','name':'web'},'spec':{'target':{'ref':{'apiVersion':'v1',"
     "'kind':'PersistentVolumeClaim','name':'data','namespace':'bank'}}},'status':{'phase':"
     "'Ready'}}]",
     "2 " SHOP_WEB ";"},
    {"paused", "[" CLAIM("data") "]", "[]", "[" CONFIGURATION("web", DATA, "},'paused':true") "]",
     "1 " SHOP_WEB " is paused;"},
    {"not ready", "[" CLAIM("data") "]", "[]",
     "[{'metadata':{'namespace':'shop','name':'web'},'spec':{'target':{'ref':" DATA "}}}]",
     "0 " SHOP_WEB " is not ready;"},
    {"being deleted", "[" CLAIM("data") "]", "[]",
     "[{'metadata':{'namespace':'shop','name':'web','deletionTimestamp':'x'},'spec':{'target':{"
     "'ref':" DATA "}},'status':{'phase':'Ready'}}]",
     "0;"},
    {"who protects counts most", "[" CLAIM("data") "]", "[" DEPLOYMENT("{}") "]",
     "[" CONFIGURATION("a", DATA, "},'paused':true") "," CONFIGURATION(
         "web", WEB, "}") "," CONFIGURATION("z", DATA, "}") "]",
     "2 " SHOP_WEB ";"},
    {"the owner of the claim",
     "[{'metadata':{'namespace':'shop','name':'data','annotations':{"
     "'granary.dev/backup':'false'}}}]",
     "[]", "[]", "1 its annotation granary.dev/backup;"},
    {"the owner of the workload", "[" CLAIM("data") "]",
     "[" DEPLOYMENT("{'granary.dev/backup':'false'}") "]", "[]",
     "1 annotation granary.dev/backup of Deployment web;"},
    {"the administrator", "[{'metadata':{'namespace':'lab','name':'data'}}]", "[]", "[]",
     "1 excludedNamespaces of the settings;"},
    {"an ephemeral volume",
     "[{'metadata':{'namespace':'shop','name':'web-0-tmp','ownerReferences':"
     "[{'kind':'Pod','name':'web-0'}]}}]",
     "[]", "[]", "1 ephemeral volume of Pod web-0;"},
    {"odd shapes", "[1,{},{'metadata':'odd'}," CLAIM("data") "]",
     "[1,{},{'kind':1},{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':2}}]",
     "[1,{},{'spec':{'target':{'ref':{'kind':3}}}}," CONFIGURATION("web", WEB, "}") "]", "0;"},
    {"no lists", "'odd'", "'odd'", "'odd'", ""},
};

struct scene {
    json_t *claims, *workloads, *configurations;
    struct settings settings;
    struct coverage *coverage;
};

static void auto_scene(struct scene *scene)
{
    coverage_free(scene->coverage);
    json_decref(scene->claims);
    json_decref(scene->workloads);
    json_decref(scene->configurations);
    settings_done(&scene->settings);
}

static void make_scene(struct scene *scene, int row)
{
    AUTO(json) json_t *tree = json_row("{'excludedNamespaces':['lab']}");
    struct error err = {0};

    ck_assert(settings_parse(&scene->settings, tree, &err));
    scene->claims = json_row(rows[row].claims);
    scene->workloads = json_row(rows[row].workloads);
    scene->configurations = json_row(rows[row].configurations);
    scene->coverage = coverage_make(&(struct coverage_seen){
        scene->claims, scene->workloads, scene->configurations, &scene->settings});
}

START_TEST(who_protects_whom)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(text) struct text said = {0};
        size_t count;

        make_scene(&scene, _i);

        const struct covered *claims = coverage_claims(scene.coverage, &count);

        for (size_t i = 0; i < count; i++)
            text_addf(&said, "%d%s%s;", (int)claims[i].cover, claims[i].by ? " " : "",
                      claims[i].by ? claims[i].by : "");
        ck_assert_msg(strcmp(text_get(&said), rows[_i].said) == 0, "%s: %s", rows[_i].what,
                      text_get(&said));
    }
END_TEST

static const struct {
    const char *target;
    bool known;
    size_t counts[COVERS];
} count_rows[] = {
    {DEPLOYMENT("{}"), true, {0, 1, 1}},
    {"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'namespace':'shop','name':"
     "'data'}}",
     true,
     {0, 0, 1}},
    {"{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'namespace':'shop','name':"
     "'none'}}",
     false,
     {0}},
    {SET, false, {0}},
    {"{}", false, {0}},
};

/* Of the row "one of its volumes". */
START_TEST(claims_of_a_target)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(json) json_t *target = json_row(count_rows[_i].target);
        size_t counts[COVERS] = {9, 9, 9};

        make_scene(&scene, 3);
        ck_assert_int_eq(coverage_count(scene.coverage, target, counts), count_rows[_i].known);
        for (size_t i = 0; i < COVERS; i++)
            ck_assert_uint_eq(counts[i], count_rows[_i].counts[i]);
    }
END_TEST

START_TEST(metrics)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(text) struct text text = {0};

        make_scene(&scene, 3);
        coverage_metrics(scene.coverage, &text);
        ck_assert(strstr(text_get(&text), "granary_controller_claims{state=\"protected\"} 1\n"));
        ck_assert(strstr(text_get(&text), "granary_controller_claims{state=\"unprotected\"} 0\n"));
        ck_assert(strstr(text_get(&text),
                         "granary_controller_claim{namespace=\"shop\",claim=\"logs\",state="
                         "\"excluded\",by=\"volumeMounts of " SHOP_WEB "\"} 1\n"));
    }
END_TEST

/* What people write never breaks a line of the metrics. */
START_TEST(metrics_are_escaped)
    {
        AUTO(scene) struct scene scene = {0};
        AUTO(text) struct text text = {0};

        make_scene(&scene, 0);
        coverage_free(scene.coverage);
        json_object_set_new(json_object_get(json_array_get(scene.claims, 0), "metadata"), "name",
                            json_string("a\"b\\c\nd"));
        scene.coverage = coverage_make(&(struct coverage_seen){
            scene.claims, scene.workloads, scene.configurations, &scene.settings});
        coverage_metrics(scene.coverage, &text);
        ck_assert(strstr(text_get(&text), "claim=\"a\\\"b\\\\c\\nd\","));
    }
END_TEST

SUITE(controllers_coverage)
{
    suite_rows(tests, who_protects_whom, rows);
    suite_rows(tests, claims_of_a_target, count_rows);
    tcase_add_test(tests, metrics);
    tcase_add_test(tests, metrics_are_escaped);
}
