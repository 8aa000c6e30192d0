#include <string.h>

#include "api/validate.h"
#include "base/auto.h"
#include "base/tree.h"
#include "cli/restoring.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define DEPLOYMENT "'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web'}"
#define SET "'ref':{'apiVersion':'apps/v1','kind':'StatefulSet','name':'db'}"
#define CLAIM "'ref':{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'data'}"
#define APP                                                                                        \
    "'ref':{'apiVersion':'appcatalog.appscode.com/v1alpha1','kind':'AppBinding','name':'pg'}"
#define MOUNT "'volumeMounts':[{'name':'data','mountPath':'/data'}]"
#define TWO                                                                                        \
    "'volumeMounts':[{'name':'data','mountPath':'/data'},{'name':'logs','mountPath':'/logs'}]"
#define PATHS "'paths':['/data/a','/data/b']"
#define OTHER_CLAIM "'ref':{'apiVersion':'v1','kind':'PersistentVolumeClaim','name':'old'}"

static const char *const one[] = {"4bba301e"};
static const char *const both[] = {"4bba301e", "5ccb412f"};
static const char *const params[] = {"overwrite=true", "args=a=b"};
static const char *const nameless[] = {"=true"};

/* `spec` beside the repository, of the configuration and of what is made; or a part of why not. */
static const struct {
    const char *spec;
    struct restore_wish wish;
    const char *made, *why;
} rows[] = {
    /* the newest of each path; what is mounted where no paths are named */
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {0},
     "{'target':{" DEPLOYMENT "," MOUNT ",'rules':[{" PATHS "}]}}",
     NULL},
    {"{'target':{" DEPLOYMENT "," TWO "}}",
     {0},
     "{'target':{" DEPLOYMENT "," TWO ",'rules':[{'paths':['/data','/logs']}]}}",
     NULL},
    {"{'target':{" CLAIM "}}", {0}, "{'target':{" CLAIM ",'rules':[{}]}}", NULL},
    /* a snapshot is restored with all that it holds */
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {.snapshots = both, .snapshot_count = 2},
     "{'target':{" DEPLOYMENT "," MOUNT ",'rules':[{'snapshots':['4bba301e','5ccb412f']}]}}",
     NULL},
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {.as_of = "2026-01-31T18:00:00Z"},
     "{'target':{" DEPLOYMENT "," MOUNT ",'rules':[{" PATHS ",'asOf':'2026-01-31T18:00:00Z'}]}}",
     NULL},
    /* the alias names the hosts; settings that mean the same in both; no schedule, no retention */
    {"{'schedule':'@daily','retentionPolicy':{'name':'x'},'task':{'name':'pvc-backup'},"
     "'fileAccess':'Root','tempDir':{'disableCaching':true},"
     "'runtimeSettings':{'container':{'nice':{'adjustment':3}}},"
     "'target':{'alias':'a','exclude':['x']," CLAIM "}}",
     {0},
     "{'fileAccess':'Root','tempDir':{'disableCaching':true},"
     "'runtimeSettings':{'container':{'nice':{'adjustment':3}}},"
     "'target':{'alias':'a'," CLAIM ",'rules':[{}]}}",
     NULL},
    /* one of several hosts */
    {"{'target':{" SET "," MOUNT "," PATHS "}}",
     {.host = "host-1", .snapshots = one, .snapshot_count = 1},
     "{'target':{" SET "," MOUNT ",'rules':[{'targetHosts':['host-1'],'snapshots':['4bba301e']}]}}",
     NULL},
    {"{'target':{" SET "," MOUNT "," PATHS "}}",
     {.snapshots = one, .snapshot_count = 1},
     NULL,
     "--host"},
    /* another target */
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {.to = "deploy/web2"},
     "{'target':{'ref':{'apiVersion':'apps/v1','kind':'Deployment','name':'web2'}," MOUNT
     ",'rules':[{" PATHS "}]}}",
     NULL},
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {.to = "pvc/old"},
     "{'target':{" OTHER_CLAIM "," MOUNT ",'rules':[{" PATHS "}]}}",
     NULL},
    {"{'target':{" SET "," MOUNT "," PATHS "}}",
     {.to = "pvc/old", .host = "host-1"},
     "{'target':{" OTHER_CLAIM "," MOUNT ",'rules':[{'sourceHost':'host-1'," PATHS "}]}}",
     NULL},
    {"{'target':{" CLAIM "}}",
     {.to = "PersistentVolumeClaim/old"},
     "{'target':{" OTHER_CLAIM ",'rules':[{}]}}",
     NULL},
    {"{'target':{" SET "," MOUNT "}}", {.to = "pvc/old"}, NULL, "several hosts"},
    {"{'target':{" DEPLOYMENT "," TWO "}}", {.to = "pvc/old"}, NULL, "2 volumes"},
    {"{'target':{" DEPLOYMENT "," MOUNT "}}", {.to = "sts/db"}, NULL, "is of kind Deployment"},
    {"{'target':{" CLAIM "}}", {.to = "deploy/web"}, NULL, "is of kind PersistentVolumeClaim"},
    {"{'target':{" APP "}}", {.to = "pvc/old"}, NULL, "is of kind AppBinding"},
    {"{'target':{" CLAIM "}}", {.to = "old"}, NULL, "expected KIND/NAME"},
    {"{'target':{" CLAIM "}}", {.to = "pvc/"}, NULL, "expected KIND/NAME"},
    /* databases */
    {"{'task':{'name':'postgres-backup-14.0','params':[{'name':'args','value':'x'}]},'target':{" APP
     "}}",
     {.params = params, .param_count = 2, .as_of = "2026-01-31T18:00:00Z"},
     "{'task':{'name':'postgres-restore-14.0','params':[{'name':'overwrite','value':'true'},"
     "{'name':'args','value':'a=b'}]},'target':{" APP
     ",'rules':[{'asOf':'2026-01-31T18:00:00Z'}]}}",
     NULL},
    {"{'target':{" APP "}}", {0}, "{'target':{" APP ",'rules':[{}]}}", NULL},
    {"{'task':{'name':'dump-backups-1'},'target':{" APP "}}", {0}, NULL, "not called NAME-backup"},
    {"{'task':{'name':'dump'},'target':{" APP "}}", {0}, NULL, "not called NAME-backup"},
    {"{'target':{" APP "}}", {.params = nameless, .param_count = 1}, NULL, "expected NAME=VALUE"},
    {"{'target':{" DEPLOYMENT "," MOUNT "}}",
     {.params = params, .param_count = 1},
     NULL,
     "nobody reads it"},
    /* what no cluster should hold */
    {"{}", {0}, NULL, "no target"},
    {"{'target':{'ref':{'kind':7,'name':[]}}}", {0}, NULL, "no target"},
    {"[]", {0}, NULL, "no target"},
};

static json_t *configuration_of(const char *spec)
{
    AUTO(json) json_t *inner = json_row(spec);
    json_t *object = json_row("{'metadata':{'name':'deploy-web','namespace':'shop'}}");

    if (json_is_object(inner))
        tree_put_new(inner, "repository", json_row("{'name':'deploy-web'}"));
    tree_put_new(object, "spec", TAKE(inner));
    return object;
}

START_TEST(sessions_follow_from_what_is_backed_up)
    {
        AUTO(json) json_t *configuration = configuration_of(rows[_i].spec);
        AUTO(json) json_t *before = tree_copy(configuration);
        struct restore_wish wish = rows[_i].wish;
        struct error err = {.message = ""};

        wish.configuration = configuration;
        wish.now_s = 1767225600;

        AUTO(json) json_t *session = restoring_make(&wish, &err);

        ck_assert(tree_equal(before, configuration));
        if (rows[_i].why) {
            ck_assert_msg(!session && strstr(err.message, rows[_i].why), "%s", err.message);
            return;
        }
        ck_assert_msg(session != NULL, "%s", err.message);

        AUTO(json) json_t *wanted = json_row(rows[_i].made);
        AUTO(findings) struct findings findings = {0};
        AUTO(free) char *made = NULL;

        tree_put_new(wanted, "repository", json_row("{'name':'deploy-web'}"));
        made = tree_format(tree_get(session, "spec"), NULL);
        ck_assert_msg(tree_equal(tree_get(session, "spec"), wanted), "%s", made);
        ck_assert_str_eq(tree_text(tree_get(session, "metadata"), "name"),
                         "deploy-web-restore-1767225600");
        ck_assert_str_eq(tree_text(tree_get(session, "metadata"), "namespace"), "shop");
        /* the webhook takes all of them */
        validate_object(&(struct validation){.object = session}, &findings);
        for (size_t i = 0; i < findings.count; i++)
            ck_assert_msg(findings.items[i].level != FINDING_ERROR, "%s: %s",
                          findings.items[i].field, findings.items[i].message);
    }
END_TEST

START_TEST(what_a_command_wrote_is_not_given_back)
    {
        AUTO(json)
        json_t *configuration =
            json_row("{'metadata':{'namespace':'shop','name':'deploy-web',"
                     "'annotations':{'granary.dev/dump-command':'[\\'x\\']'}},"
                     "'spec':{'repository':{'name':'r'},'target':{" DEPLOYMENT "," MOUNT "}}}");
        const struct restore_wish wish = {.configuration = configuration};
        struct error err = {.message = ""};
        json_t *session = restoring_make(&wish, &err);

        ck_assert(!session);
        ck_assert_msg(strstr(err.message, "take /dump out of the snapshot"), "%s", err.message);
    }
END_TEST

/* What a person reads before he says yes. */
static const struct {
    const char *spec;
    struct restore_wish wish;
    const char *words[4];
} told[] = {
    {"{'target':{" DEPLOYMENT "," MOUNT "," PATHS "}}",
     {.as_of = "2026-01-31T18:00:00Z"},
     {"Into Deployment shop/web: /data/a, /data/b, from the newest snapshot of "
      "2026-01-31T18:00:00Z or before, in Repository shop/deploy-web",
      "Its pods are replaced"}},
    {"{'target':{" SET "," MOUNT "}}",
     {.host = "host-1", .snapshots = one, .snapshot_count = 1},
     {"Into StatefulSet shop/db: all of snapshot 4bba301e of host host-1, in"}},
    {"{'target':{" SET "," MOUNT "}}",
     {.host = "host-1", .to = "pvc/old"},
     {"Into PersistentVolumeClaim shop/old: /data, from the newest snapshot of host host-1",
      "nothing else should write to it"}},
    {"{'target':{" APP "}}", {0}, {"the data, from the newest", "not empty is refused"}},
};

START_TEST(what_will_happen_is_told)
    {
        AUTO(json) json_t *configuration = configuration_of(told[_i].spec);
        struct restore_wish wish = told[_i].wish;
        AUTO(text) struct text text = {0};
        struct error err = {.message = ""};

        wish.configuration = configuration;

        AUTO(json) json_t *session = restoring_make(&wish, &err);

        ck_assert_msg(session != NULL, "%s", err.message);
        restoring_tell(session, &text);
        for (size_t i = 0; i < 4 && told[_i].words[i]; i++)
            ck_assert_msg(strstr(text_get(&text), told[_i].words[i]), "%s", text_get(&text));
    }
END_TEST

SUITE(cli_restoring)
{
    suite_rows(tests, sessions_follow_from_what_is_backed_up, rows);
    tcase_add_test(tests, what_a_command_wrote_is_not_given_back);
    suite_rows(tests, what_will_happen_is_told, told);
}
