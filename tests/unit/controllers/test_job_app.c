#include "controllers/job_app.h"

#include <string.h>

#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define APP(spec) "{'metadata':{'namespace':'shop','name':'etcd'},'spec':{" spec "}}"

static const struct {
    const char *what, *app, *space, *secrets, *value, *error;
} rows[] = {
    {"a service", APP("'clientConfig':{'service':{'name':'e','port':1}}"), "shop", "",
     "{'clientConfig':{'service':{'name':'e','port':1}},'name':'etcd','namespace':'shop'}", NULL},
    {"Secrets", APP("'secret':{'name':'s'},'tlsSecret':{'name':'t'}"), "shop", "secret=s tls=t ",
     "{'name':'etcd','namespace':'shop'}", NULL},
    {"Secrets of transforms, and what is not theirs",
     APP("'parameters':{'x':1},'secretTransforms':[{'addKeysFrom':{'secretRef':{'name':'a'}}},"
         "{'removeKey':{'key':'k'}},{'addKeysFrom':{'secretRef':{'name':'b'}}}]"),
     "shop", "from-0=a from-1=b ", NULL, NULL},
    /* a kubelet would put the value of a variable in its place */
    {"dollars", APP("'type':'$(PATH) $$'"), "shop", "",
     "{'name':'etcd','namespace':'shop','type':'$$(PATH) $$$$'}", NULL},
    {"another kind of secret", APP("'secret':{'kind':'Vault','name':'s'}"), "shop", "", NULL, NULL},
    {"in another namespace", APP("'clientConfig':{}"), "backup", "", NULL, NULL},
    {"with Secrets in another namespace", APP("'secret':{'name':'s'}"), "backup", NULL, NULL,
     "in namespace shop"},
    {"odd shapes", APP("'secret':7,'tlsSecret':[],'secretTransforms':{}"), "shop", "", NULL, NULL},
};

START_TEST(steps_get_what_they_need)
    {
        AUTO(json) json_t *object = json_row(rows[_i].app);
        AUTO(json) json_t *container = json_row("{'env':[],'volumeMounts':[{'name':'own'}]}");
        AUTO(text) struct text found = {0};
        struct job_app app = {0};
        struct error err = {.message = ""};
        const json_t *volume;
        size_t i;

        ck_assert_msg(job_app_make(&app, object, NULL, rows[_i].space, &err) == !rows[_i].error,
                      "%s: %s", rows[_i].what, err.message);
        if (rows[_i].error) {
            ck_assert_msg(strstr(err.message, rows[_i].error) != NULL, "%s", err.message);
            return;
        }
        job_app_put(&app, container);
        tree_items (app.volumes, i, volume)
            text_addf(&found, "%s=%s ", tree_text(volume, "name") + strlen("granary-app-"),
                      tree_text(tree_get(volume, "secret"), "secretName"));
        ck_assert_str_eq(text_get(&found), rows[_i].secrets);
        ck_assert_uint_eq(json_array_size(tree_get(container, "volumeMounts")), 1 + i);

        const char *value = tree_text(json_array_get(tree_get(container, "env"), 0), "value");
        AUTO(json) json_t *said = json_loads(value, 0, NULL);
        AUTO(json) json_t *want = rows[_i].value ? json_row(rows[_i].value) : NULL;

        ck_assert_ptr_nonnull(said);
        ck_assert_msg(!want || json_equal(said, want), "%s", value);
        job_app_done(&app);
    }
END_TEST

START_TEST(an_etcd_beside_it_is_told)
    {
        AUTO(json) json_t *object = json_row(APP(""));
        AUTO(json)
        json_t *sets =
            json_row("[{'metadata':{'name':'e'},'spec':{'template':{'spec':{'containers':"
                     "[{'name':'c','command':['etcd','--data-dir=/x']}]}}}}]");
        struct job_app app = {0};
        struct error err = {.message = ""};

        ck_assert(job_app_make(&app, object, sets, "shop", &err));

        const char *value = tree_text(json_array_get(app.env, 0), "value");
        AUTO(json) json_t *said = json_loads(value, 0, NULL);
        const json_t *workload = json_array_get(tree_get(said, "workloads"), 0);

        ck_assert_str_eq(tree_text(workload, "name"), "e");
        ck_assert_str_eq(tree_text(tree_get(workload, "flags"), "data-dir"), "/x");
        job_app_done(&app);
    }
END_TEST

START_TEST(what_is_too_large_is_refused)
    {
        AUTO(json) json_t *object = json_row(APP("'clientConfig':{}"));
        AUTO(free) char *much = text_alloc(200001);
        struct job_app app = {0};
        struct error err = {.message = ""};

        memset(much, 'A', 200000);
        much[200000] = '\0';
        tree_put_text(json_object_get(json_object_get(object, "spec"), "clientConfig"), "caBundle",
                      much);
        ck_assert(!job_app_make(&app, object, NULL, "shop", &err));
        ck_assert_msg(strstr(err.message, "too large") != NULL, "%s", err.message);
    }
END_TEST

SUITE(controllers_job_app)
{
    suite_rows(tests, steps_get_what_they_need, rows);
    tcase_add_test(tests, an_etcd_beside_it_is_told);
    tcase_add_test(tests, what_is_too_large_is_refused);
}
