#include "controllers/target_next.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/planned.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define KEY "apps/Deployment/shop/web"
#define MADE_BY(name, blueprint)                                                                   \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': {"    \
    "'name': '" name                                                                               \
    "', 'namespace': 'shop', 'uid': 'u', 'labels': {'granary.dev/blueprint': '" blueprint          \
    "'}, 'annotations': {'granary.dev/target': '" KEY "'}}, 'spec': {}}"
#define MADE(name) MADE_BY(name, "daily")
#define ENDING                                                                                     \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': {"    \
    "'name': 'old', 'namespace': 'shop', 'deletionTimestamp': 'now', 'labels': {"                  \
    "'granary.dev/blueprint': 'daily'}, 'annotations': {'granary.dev/target': '" KEY "'}}}"
#define ELSEWHERE(name)                                                                            \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': {"    \
    "'name': '" name "', 'namespace': 'shop', 'labels': {'granary.dev/blueprint': 'daily'},"       \
    "'annotations': {'granary.dev/target': 'apps/Deployment/shop/other'}}, 'spec': {}}"
/* as Stash makes them: owned by the target, without label */
#define OF_STASH                                                                                   \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': {"    \
    "'name': 'deploy-web', 'namespace': 'shop', 'ownerReferences': [{'apiVersion': 'apps/v1',"     \
    " 'kind': 'Deployment', 'name': 'web', 'uid': 'u', 'controller': true}]}, 'spec': {}}"
#define TAKEN                                                                                      \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration', 'metadata': {"    \
    "'name': 'deploy-web', 'namespace': 'shop'}, 'spec': {'target': {'ref': {'apiVersion':"        \
    " 'apps/v1', 'kind': 'Deployment', 'name': 'web'}}, 'repository': {'name': 'repo'}, " KEEP     \
    "}}"
#define TWO "'stash.appscode.com/backup-blueprint': 'daily, weekly'"
#define WEEKLY BLUEPRINT("weekly", "")
#define OUT "'granary.dev/backup': 'false', " ASKS
#define NONE ""

/* Writes as "R+name C+name C-name" (+ apply, - delete); the event's reason behind "!". */
static const struct {
    struct request_row request;
    const char *named[3];
    bool gone;
    const char *made; /* list of configurations that are about it */
    const char *writes;
} rows[] = {
    /* annotated: Repository first */
    {{.objects = {DAILY}}, {"daily"}, false, NONE, "R+deploy-web C+deploy-web"},
    {{.objects = {DAILY, WEEKLY}, .annotations = TWO},
     {"daily", "weekly"},
     false,
     NONE,
     "R+deploy-web C+deploy-web R+deploy-web-weekly-8bd2e028 C+deploy-web-weekly-8bd2e028"},
    /* not annotated any more, or opted out: ours goes, and only ours; no Repository ever */
    {{.objects = {DAILY}, .annotations = NONE}, {NULL}, false, MADE("deploy-web"), "C-deploy-web"},
    {{.objects = {DAILY}, .annotations = OUT}, {NULL}, false, MADE("deploy-web"), "C-deploy-web"},
    {{.objects = {DAILY}, .annotations = NONE}, {NULL}, false, TAKEN, ""},
    {{.objects = {DAILY}, .annotations = NONE}, {NULL}, false, OF_STASH, ""},
    {{.objects = {DAILY}, .annotations = NONE}, {NULL}, false, ELSEWHERE("deploy-web"), ""},
    {{.objects = {DAILY}, .annotations = NONE}, {NULL}, false, ENDING, ""},
    /* a mistake holds up nothing */
    {{.objects = {DAILY}, .annotations = ASKS ", 'granary.dev/paused': 'perhaps'"},
     {"daily"},
     false,
     NONE,
     "R+deploy-web C+deploy-web !BackupAnnotations"},
    /* half of an annotation is no reason. 10.1, 2 */
    {{.objects = {DAILY}, .annotations = "'stash.appscode.com/target-paths': '/data'"},
     {NULL},
     false,
     MADE("deploy-web"),
     "C-deploy-web"},
    /* the target is gone */
    {{.objects = {DAILY}}, {NULL}, true, MADE("deploy-web"), "C-deploy-web"},
    {{.objects = {DAILY}}, {NULL}, true, MADE("a") ", " MADE("b") ", " BY_HAND, "C-a C-b"},
    /* a blueprint that is not there: what there is stays */
    {{.objects = {WEEKLY}}, {"daily"}, false, NONE, "!BackupBlueprintNotFound"},
    {{.objects = {WEEKLY}}, {"daily"}, false, MADE("deploy-web"), "!BackupBlueprintNotFound"},
    {{.objects = {DAILY}, .annotations = TWO},
     {"daily", "weekly"},
     false,
     MADE_BY("deploy-web-weekly-8bd2e028", "weekly"),
     "R+deploy-web C+deploy-web !BackupBlueprintNotFound"},
    /* one of two is not named any more */
    {{.objects = {DAILY, WEEKLY}},
     {"daily"},
     false,
     MADE_BY("deploy-web-weekly-8bd2e028", "weekly"),
     "R+deploy-web C+deploy-web C-deploy-web-weekly-8bd2e028"},
    /* the same blueprint under another name than before: one of them is enough */
    {{.objects = {DAILY}}, {"daily"}, false, MADE("old"), "R+deploy-web C+deploy-web C-old"},
    /* made by hand: untouched, and said */
    {{.objects = {DAILY, TAKEN}}, {"daily"}, false, TAKEN, "!NameTaken"},
    /* of another target */
    {{.objects = {DAILY, ELSEWHERE("deploy-web")}}, {"daily"}, false, NONE, "!NameTaken"},
    {{.objects = {DAILY, REPOSITORY("deploy-web", "'granary.dev/target': 'apps/Deployment/x/y'", "",
                                    "'gcs': {'bucket': 'b', 'prefix': 'daily/deployment/web'}")}},
     {"daily"},
     false,
     NONE,
     "!BackupBlueprintUnfit"},
    /* Stash's own: taken over in place */
    {{.objects = {DAILY, OF_STASH}}, {"daily"}, false, OF_STASH, "R+deploy-web C+deploy-web"},
    /* an excluded namespace is not touched, whatever is there */
    {{.objects = {DAILY}, .settings = "{'excludedNamespaces': ['shop']}"},
     {"daily"},
     false,
     MADE("deploy-web"),
     ""},
};

static json_t *list_of(const char *texts)
{
    AUTO(free) char *text = text_format("[%s]", texts);

    return json_row(text);
}

static void write_down(const struct target_writes *writes, struct text *out)
{
    static const char *const acts[] = {[TARGET_APPLY_REPOSITORY] = "R+",
                                       [TARGET_APPLY_CONFIGURATION] = "C+",
                                       [TARGET_DELETE_CONFIGURATION] = "C-"};

    for (size_t i = 0; i < writes->count; i++)
        text_addf(out, "%s%s%s", out->length ? " " : "", acts[writes->list[i].act],
                  tree_text(tree_get(writes->list[i].object, "metadata"), "name"));
    if (writes->reason)
        text_addf(out, "%s!%s", out->length ? " " : "", writes->reason);
}

static void decide(const struct planned *asked, size_t row, const struct cluster *cluster,
                   struct target_writes *writes)
{
    AUTO(json) json_t *made = list_of(rows[row].made);
    struct target_seen seen = {.target = KEY,
                               .plan = rows[row].gone ? NULL : &asked->plan,
                               .named = rows[row].named,
                               .configurations = made,
                               .cluster = cluster};

    target_next(&seen, writes);
    ck_assert_int_eq(writes->reason != NULL, writes->problem != NULL);
}

START_TEST(decides)
    {
        AUTO(planned) struct planned asked = {0};
        AUTO(target_writes) struct target_writes writes = {0};
        AUTO(text) struct text found = {0};

        plan_row(&asked, &rows[_i].request);
        decide(&asked, (size_t)_i, asked.cluster, &writes);
        write_down(&writes, &found);
        ck_assert_msg(strcmp(text_get(&found), rows[_i].writes) == 0, "\"%s\" (%s), wanted \"%s\"",
                      text_get(&found), writes.problem ? writes.problem : "", rows[_i].writes);
    }
END_TEST

/* After what is to be applied is there, nothing is to be done; the server has added defaults. */
START_TEST(is_settled_after_it_was_done)
    {
        AUTO(planned) struct planned asked = {0};
        AUTO(target_writes) struct target_writes writes = {0}, again = {0};
        AUTO(json) json_t *objects = NULL;

        plan_row(&asked, &rows[_i].request);
        decide(&asked, (size_t)_i, asked.cluster, &writes);
        objects = asked.objects ? json_copy(asked.objects) : json_array();
        for (size_t i = 0; i < writes.count; i++) {
            json_t *object = tree_copy(writes.list[i].object);

            if (writes.list[i].act == TARGET_DELETE_CONFIGURATION) {
                json_decref(object);
                continue;
            }
            tree_put_text(json_object_get(object, "metadata"), "uid", "u-1");
            tree_put_bool(json_object_get(object, "spec"), "defaulted", true);
            tree_push_new(objects, object);
        }

        AUTO(cluster) const struct cluster *cluster = cluster_make(objects);

        decide(&asked, (size_t)_i, cluster, &again);
        for (size_t i = 0; i < again.count; i++)
            ck_assert_int_eq(again.list[i].act, TARGET_DELETE_CONFIGURATION);
    }
END_TEST

static const struct {
    const char *there, *wanted;
    bool has;
} has_rows[] = {
    {"{'a': 1, 'b': 2}", "{'a': 1}", true},
    {"{'a': 1}", "{'a': 1, 'b': 2}", false},
    {"{'a': 2}", "{'a': 1}", false},
    {"{'a': [1, {'b': 1, 'c': 2}]}", "{'a': [1, {'b': 1}]}", true},
    {"{'a': [1, 2]}", "{'a': [1]}", false},
    {"{'a': [1]}", "{'a': [1, 2]}", false},
    {"{'a': {}}", "{'a': []}", false},
    {"{'a': []}", "{'a': {}}", false},
    {"{'a': null}", "{'a': {}}", false},
    {"{}", "{}", true},
};

START_TEST(has_what_is_wanted)
    {
        AUTO(json) json_t *there = json_row(has_rows[_i].there);
        AUTO(json) json_t *wanted = json_row(has_rows[_i].wanted);

        ck_assert_int_eq(target_has(there, wanted), has_rows[_i].has);
        ck_assert(!target_has(NULL, wanted));
    }
END_TEST

SUITE(controllers_target_next)
{
    suite_rows(tests, decides, rows);
    suite_rows(tests, is_settled_after_it_was_done, rows);
    suite_rows(tests, has_what_is_wanted, has_rows);
}
