#include "controllers/configuration_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "controllers/references_loop.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

#define TIMEOUT_MS 60000

/* A Deployment with two ReplicaSets, a StatefulSet, and what backs them up. */
static const char cluster[] =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"
    "---\n"
    "apiVersion: apps/v1\nkind: Deployment\n"
    "metadata: {name: web, namespace: shop, uid: u-web}\n"
    "---\n"
    "apiVersion: apps/v1\nkind: ReplicaSet\n"
    "metadata: {name: web-1, namespace: shop, uid: u-rs1,\n"
    "  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u-web}]}\n"
    "---\n"
    "apiVersion: apps/v1\nkind: ReplicaSet\n"
    "metadata: {name: web-2, namespace: shop, uid: u-rs2,\n"
    "  ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: u-web}]}\n"
    "---\n"
    "apiVersion: v1\nkind: Pod\n"
    "metadata: {name: web-1-a, namespace: shop, ownerReferences:\n"
    "  [{apiVersion: apps/v1, kind: ReplicaSet, name: web-1, uid: u-rs1}]}\n"
    "---\n"
    "apiVersion: v1\nkind: Pod\n"
    "metadata: {name: web-2-a, namespace: shop, ownerReferences:\n"
    "  [{apiVersion: apps/v1, kind: ReplicaSet, name: web-2, uid: u-rs2}]}\n"
    "---\n"
    "apiVersion: apps/v1\nkind: StatefulSet\n"
    "metadata: {name: db, namespace: shop, uid: u-db}\n"
    "---\n"
    "apiVersion: v1\nkind: Pod\n"
    "metadata: {name: db-0, namespace: shop, ownerReferences:\n"
    "  [{apiVersion: apps/v1, kind: StatefulSet, name: db, uid: u-db}]}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupConfiguration\n"
    "metadata: {name: web, namespace: shop, uid: u-c, labels: {granary.dev/blueprint: nightly}}\n"
    "spec: {repository: {name: r, namespace: vault},\n"
    "  target: {ref: {apiVersion: apps/v1, kind: Deployment, name: web}}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupConfiguration\n"
    "metadata: {name: db, namespace: backups}\n"
    "spec: {repository: {name: r},\n"
    "  target: {ref: {apiVersion: apps/v1, kind: StatefulSet, name: db, namespace: shop}}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1alpha1\nkind: Repository\n"
    "metadata: {name: r, namespace: vault}\nspec: {}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupBlueprint\nmetadata: {name: nightly}\n"
    "spec: {}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupSession\n"
    "metadata: {name: s1, namespace: shop, creationTimestamp: '2026-02-17T00:00:00Z'}\n"
    "spec: {invoker: {kind: BackupConfiguration, name: web}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupSession\n"
    "metadata: {name: s2, namespace: shop, creationTimestamp: '2026-02-17T00:00:09Z'}\n"
    "spec: {invoker: {kind: BackupConfiguration, name: web}}\n"
    "---\n"
    "apiVersion: batch/v1\nkind: CronJob\n"
    "metadata: {name: stash-trigger-web, namespace: shop,\n"
    "  labels: {app.kubernetes.io/managed-by: stash.appscode.com}}\n";

static struct known *start(const struct folder *folder)
{
    struct known_options options = {.folder = folder->path};
    struct error err = {0};
    struct known *known;

    folder_write(folder, "cluster.yaml", cluster);
    known = known_start(&options, &err);
    ck_assert_msg(known != NULL, "%s", err.message);
    ck_assert(known_wait_synced(known, TIMEOUT_MS));
    return known;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Each once, in their order, with blanks between. The caller frees it. */
static char *sorted(const json_t *texts)
{
    AUTO(text) struct text out = {0};
    const char *list[16], *last = "";
    size_t count = json_array_size(texts);

    ck_assert_uint_le(count, 16);
    for (size_t i = 0; i < count; i++)
        list[i] = json_string_value(json_array_get(texts, i));
    qsort(list, count, sizeof *list, compare);
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], last) != 0) {
            text_addf(&out, "%s%s", out.length ? " " : "", list[i]);
            last = list[i];
        }
    return text_take(&out);
}

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return name ? name : "";
}

/* ---- what a configuration depends on ---- */

static const struct {
    const char *key, *repository, *space, *blueprint, *target, *cronjob, *pods;
    int64_t session_s;
} look_rows[] = {
    {"shop/web", "r", "shop", "nightly", "web", "stash-trigger-web", "web-1-a web-2-a", 1771286409},
    {"backups/db", "", "", "", "db", "", "db-0", -1},
    {"shop/none", NULL, NULL, NULL, NULL, NULL, NULL, -1},
    {"none", NULL, NULL, NULL, NULL, NULL, NULL, -1},
    {"/web", NULL, NULL, NULL, NULL, NULL, NULL, -1},
    {"shop/", NULL, NULL, NULL, NULL, NULL, NULL, -1},
};

static char *names_of(const json_t *objects)
{
    AUTO(json) json_t *names = json_array();
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        tree_push_text(names, name_of(object));
    return sorted(names);
}

static void expect_look(struct known *known, size_t row)
{
    AUTO(configuration_objects) struct configuration_objects objects = {0};

    configuration_look(known, look_rows[row].key, &objects);
    ck_assert_int_eq(objects.configuration != NULL, look_rows[row].target != NULL);
    ck_assert_int_eq(objects.session_s, look_rows[row].session_s);
    if (!objects.configuration)
        return;

    AUTO(free) char *pods = names_of(objects.pods);

    ck_assert_str_eq(name_of(objects.repository), look_rows[row].repository);
    ck_assert_str_eq(name_of(objects.space), look_rows[row].space);
    ck_assert_str_eq(name_of(objects.blueprint), look_rows[row].blueprint);
    ck_assert_str_eq(name_of(objects.target), look_rows[row].target);
    ck_assert_str_eq(name_of(objects.cronjob), look_rows[row].cronjob);
    ck_assert_str_eq(pods, look_rows[row].pods);
}

START_TEST(finds_what_it_depends_on)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known *known = start(&folder);

        for (size_t i = 0; i < sizeof look_rows / sizeof *look_rows; i++)
            expect_look(known, i);
        known_stop(known);
    }
END_TEST

/* ---- and whom a change concerns ---- */

#define POD(annotations, more)                                                                     \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'shop','annotations':"     \
    "{" annotations "}" more                                                                       \
    ",'ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet','name':'web-1','uid':'u-rs1'" \
    "}]}}"
#define SESSION "{'metadata':{'name':'s','namespace':'shop'},'spec':{'invoker':{'name':'web'}}}"
#define SUCCEEDED                                                                                  \
    "{'metadata':{'name':'s','namespace':'shop'},'spec':{'invoker':{'name':'web'}},"               \
    "'status':{'phase':'Succeeded'}}"
#define CONFIGURATION(repository)                                                                  \
    "{'metadata':{'name':'web','namespace':'shop'},'spec':{'repository':{'name':'" repository      \
    "','namespace':'vault'}}}"

static const struct {
    const char *what;
    enum known_kind kind;
    const char *before, *after; /* NULL: none */
    const char *configurations, *repositories;
} key_rows[] = {
    {"itself", KNOWN_CONFIGURATION, NULL, CONFIGURATION("r"), "shop/web", "vault/r"},
    {"it goes", KNOWN_CONFIGURATION, CONFIGURATION("r"), NULL, "shop/web", "vault/r"},
    {"another Repository", KNOWN_CONFIGURATION, CONFIGURATION("r"), CONFIGURATION("q"), "shop/web",
     "vault/q vault/r"},
    {"its Repository", KNOWN_REPOSITORY, NULL, "{'metadata':{'name':'r','namespace':'vault'}}",
     "shop/web", "vault/r"},
    {"its Repository goes", KNOWN_REPOSITORY, "{'metadata':{'name':'r','namespace':'vault'}}", NULL,
     "shop/web", ""},
    {"of its own namespace", KNOWN_REPOSITORY, NULL,
     "{'metadata':{'name':'r','namespace':'backups'}}", "backups/db", "backups/r"},
    {"somebody's Repository", KNOWN_REPOSITORY, NULL,
     "{'metadata':{'name':'x','namespace':'vault'}}", "", "vault/x"},
    {"its namespace", KNOWN_NAMESPACE, NULL, "{'metadata':{'name':'shop'}}", "shop/web", ""},
    {"its blueprint goes", KNOWN_BLUEPRINT, "{'metadata':{'name':'nightly'}}", NULL, "shop/web",
     ""},
    {"its target", KNOWN_DEPLOYMENT, NULL,
     "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'web','namespace':'shop'}}",
     "shop/web", ""},
    {"its target, elsewhere", KNOWN_STATEFULSET, NULL,
     "{'apiVersion':'apps/v1','kind':'StatefulSet','metadata':{'name':'db','namespace':'shop'}}",
     "backups/db", ""},
    {"somebody's target", KNOWN_DEPLOYMENT, NULL,
     "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'x','namespace':'shop'}}", "",
     ""},
    {"a pod of it", KNOWN_POD, NULL, POD("", ""), "shop/web", ""},
    {"a pod that starts", KNOWN_POD, POD("", ""), POD("'a':'b'", ""), "", ""},
    {"a pod with the agent", KNOWN_POD, POD("", ""), POD("'granary.dev/agent':'v1'", ""),
     "shop/web", ""},
    {"a pod that goes", KNOWN_POD, POD("", ""), POD("", ",'deletionTimestamp':'x'"), "shop/web",
     ""},
    {"a pod of nobody", KNOWN_POD, NULL, "{'metadata':{'name':'p','namespace':'shop'}}", "", ""},
    {"a CronJob of its name", KNOWN_CRONJOB, NULL,
     "{'metadata':{'name':'stash-trigger-web','namespace':'shop'}}", "shop/web", ""},
    {"somebody's CronJob", KNOWN_CRONJOB, NULL, "{'metadata':{'name':'x','namespace':'shop'}}", "",
     ""},
    {"a session of it", KNOWN_SESSION, NULL, SESSION, "shop/web", ""},
    {"a backup", KNOWN_SESSION, SESSION, SUCCEEDED, "", "vault/r"},
    {"a backup of before", KNOWN_SESSION, SUCCEEDED, SUCCEEDED, "", ""},
    {"a session that goes on", KNOWN_SESSION, SESSION, SESSION, "", ""},
    {"a restore", KNOWN_RESTORE, NULL, CONFIGURATION("r"), "", "vault/r"},
    {"a restore of nothing", KNOWN_RESTORE, NULL, "{'metadata':{},'spec':'odd'}", "", ""},
    {"a Job", KNOWN_JOB, NULL, "{}", "", ""},
    {"odd shapes", KNOWN_POD, NULL, "{'metadata':{'ownerReferences':[1,{'kind':2}]}}", "", ""},
    {"odd shapes", KNOWN_DEPLOYMENT, NULL, "{'kind':1}", "", ""},
};

static void expect_keys(struct known *known, size_t row)
{
    AUTO(json) json_t *before = key_rows[row].before ? json_row(key_rows[row].before) : NULL;
    AUTO(json) json_t *after = key_rows[row].after ? json_row(key_rows[row].after) : NULL;
    const struct informer_change change = {
        .kind = key_rows[row].kind, .before = before, .after = after};
    AUTO(json) json_t *one = json_array();
    AUTO(json) json_t *other = json_array();

    configuration_keys(known, &change, one);
    references_loop.keys(known, &change, other);

    AUTO(free) char *configurations = sorted(one);
    AUTO(free) char *repositories = sorted(other);

    ck_assert_msg(strcmp(configurations, key_rows[row].configurations) == 0, "%s: %s",
                  key_rows[row].what, configurations);
    ck_assert_msg(strcmp(repositories, key_rows[row].repositories) == 0, "%s: %s",
                  key_rows[row].what, repositories);
}

START_TEST(finds_whom_it_concerns)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known *known = start(&folder);

        for (size_t i = 0; i < sizeof key_rows / sizeof *key_rows; i++)
            expect_keys(known, i);
        known_stop(known);
    }
END_TEST

SUITE(controllers_configuration_look)
{
    tcase_add_test(tests, finds_what_it_depends_on);
    tcase_add_test(tests, finds_whom_it_concerns);
}
