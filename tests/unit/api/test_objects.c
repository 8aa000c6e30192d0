#include "api/objects.h"

#include "api/keys.h"
#include "api/names.h"
#include "base/auto.h"
#include "base/pointer.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define DEPLOYMENT                                                                                 \
    "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'web', 'namespace':"     \
    " 'shop', 'uid': 'u-1'}, 'spec': {'template': {}}}"
#define UNNAMED                                                                                    \
    "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'generateName': 'web-',"         \
    " 'namespace': 'shop'}, 'spec': {'template': {}}}"
#define CLAIM                                                                                      \
    "{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'metadata': {'name': 'data',"           \
    " 'namespace': 'shop'}}"
#define APP                                                                                        \
    "{'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'AppBinding', 'metadata':"         \
    " {'name': 'pg', 'namespace': 'shop', 'uid': 'u-2'}}"

#define BACKEND "'backend': {'storageSecretName': 's', 'gcs': {'bucket': 'b', 'prefix': 'p'}}"
#define REPOSITORY(name, space, target, prefix)                                                    \
    "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository', 'metadata': {'name': "    \
    "'" name "', 'namespace': '" space "', 'annotations': {" target                                \
    "}}, 'spec': {'backend': {'gcs':"                                                              \
    " {'bucket': 'b', 'prefix': '" prefix "'}}}}"
#define OF(target) "'granary.dev/target': '" target "'"
#define WEB OF("apps/Deployment/shop/web")

#define OBJECTS_MAX 4

/* What both objects follow from; empty members are those of a plain Deployment. */
struct row {
    const char *target, *spec, *own, *params;
    const char *objects[OBJECTS_MAX]; /* of the cluster */
    bool further, job;                /* not the primary blueprint; a Job's */
    const char *at, *value;           /* pointer into {repository, configuration}; NULL: absent */
};

static json_t *tree_of(const char *text)
{
    return text ? json_row(text) : NULL;
}

static const struct cluster *cluster_of(const char *const *objects)
{
    AUTO(json) json_t *list = json_array();

    for (size_t i = 0; i < OBJECTS_MAX && objects[i]; i++)
        tree_push_new(list, json_row(objects[i]));
    return cluster_make(list);
}

/* {repository, configuration, sha256}, or {error, code}. New reference. */
static json_t *make(const struct row *row)
{
    AUTO(json)
    json_t *object = json_row(row->target ? row->target : DEPLOYMENT),
           *spec = json_row(row->spec ? row->spec : "{" BACKEND ", 'schedule': '@daily'}"),
           *own = tree_of(row->own), *params = tree_of(row->params),
           *blueprint = json_row("{'metadata': {'name': 'daily', 'generation': 7}}"),
           *template = pod_row("pvc data; app data:/data data:/sub:x");
    AUTO(cluster) const struct cluster *cluster = cluster_of(row->objects);
    AUTO(findings) struct findings ignored = {0};
    AUTO(selection) struct selection selection = {0};
    struct target target;
    struct plan_backup backup = {0};
    struct error err = {0};
    json_t *made = json_object();

    selection_make(&selection, &(struct selecting){.claims = {template, NULL}}, &ignored, &ignored);
    ck_assert(target_of_object(&target, object, "default"));

    struct objects in = {
        .cluster = cluster,
        .target = &target,
        .blueprint = blueprint,
        .spec = spec,
        .own = own,
        .params = params,
        .selection = target.kind->class == TARGET_WORKLOAD ? &selection : NULL,
        .primary = !row->further,
        .job = row->job,
    };

    if (!objects_make(&in, &backup, &err)) {
        ck_assert(!backup.repository && !backup.configuration);
        tree_put_text(made, "error", err.message);
        tree_put_int(made, "code", err.code);
    }
    tree_put_new(made, "repository", backup.repository);
    tree_put_new(made, "configuration", backup.configuration);
    tree_put_text(made, "sha256", backup.sha256);
    return made;
}

static void check(const struct row *row)
{
    AUTO(json) json_t *made = make(row), *expected = tree_of(row->value);
    const json_t *value = pointer_get(made, row->at);
    AUTO(free) char *got = tree_format(value, NULL);

    ck_assert_msg(tree_equal(value, expected), "%s: %s", row->at, got);
}

/* Names, namespaces, labels and annotations. Spec: stash-behaviour 2.4; design, Controllers, Names.
 */
static const struct row metadata_rows[] = {
    {.at = "/repository/apiVersion", .value = "'stash.appscode.com/v1alpha1'"},
    {.at = "/repository/kind", .value = "'Repository'"},
    {.at = "/configuration/apiVersion", .value = "'stash.appscode.com/v1beta1'"},
    {.at = "/configuration/kind", .value = "'BackupConfiguration'"},
    /* one name for both, in the target's namespace */
    {.at = "/repository/metadata/name", .value = "'deploy-web'"},
    {.at = "/repository/metadata/namespace", .value = "'shop'"},
    {.at = "/configuration/metadata/name", .value = "'deploy-web'"},
    {.at = "/configuration/metadata/namespace", .value = "'shop'"},
    {.target = CLAIM, .at = "/repository/metadata/name", .value = "'pvc-data'"},
    {.target = APP, .at = "/repository/metadata/name", .value = "'app-pg'"},
    {.at = "/configuration/spec/repository", .value = "{'name': 'deploy-web'}"},
    /* found from the target: labels of both, and the annotation */
    {.at = "/repository/metadata/labels",
     .value = "{'granary.dev/blueprint': 'daily', 'granary.dev/target-kind': 'Deployment',"
              " 'granary.dev/target-name': 'web'}"},
    {.at = "/configuration/metadata/labels",
     .value = "{'granary.dev/blueprint': 'daily', 'granary.dev/target-kind': 'Deployment',"
              " 'granary.dev/target-name': 'web'}"},
    {.at = "/repository/metadata/annotations/granary.dev~1target",
     .value = "'apps/Deployment/shop/web'"},
    {.at = "/configuration/metadata/annotations/granary.dev~1target",
     .value = "'apps/Deployment/shop/web'"},
    {.target = CLAIM,
     .at = "/repository/metadata/annotations/granary.dev~1target",
     .value = "'/PersistentVolumeClaim/shop/data'"},
    {.at = "/repository/metadata/annotations/granary.dev~1blueprint-generation", .value = "'7'"},
    {.at = "/configuration/metadata/annotations/granary.dev~1blueprint-generation", .value = "'7'"},
    /* the BackupConfiguration belongs to the target, the Repository outlives it */
    {.at = "/configuration/metadata/ownerReferences",
     .value = "[{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'web', 'uid': 'u-1',"
              " 'controller': true, 'blockOwnerDeletion': true}]"},
    {.at = "/repository/metadata/ownerReferences", .value = NULL},
    {.target = CLAIM, .at = "/configuration/metadata/ownerReferences", .value = NULL}, /* no UID */
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/configuration/metadata/ownerReferences",
     .value = NULL}, /* another namespace */
    {.target = APP,
     .spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/configuration/metadata/ownerReferences/0/uid",
     .value = "'u-2'"},
    /* Repositories elsewhere */
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/repository/metadata/namespace",
     .value = "'storage'"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/configuration/metadata/namespace",
     .value = "'shop'"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/configuration/metadata/name",
     .value = "'deploy-web'"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/configuration/spec/repository/namespace",
     .value = "'storage'"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/configuration/spec/target/ref/namespace",
     .value = NULL},
    {.spec = "{" BACKEND ", 'repoNamespace': 'shop'}",
     .at = "/repository/metadata/name",
     .value = "'deploy-web'"},
    {.spec = "{" BACKEND ", 'repoNamespace': ''}",
     .at = "/repository/metadata/namespace",
     .value = "'shop'"},
    /* an AppBinding's Job elsewhere */
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/configuration/metadata/namespace",
     .value = "'backups'"},
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/repository/metadata/namespace",
     .value = "'backups'"},
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/configuration/spec/target/ref",
     .value = "{'apiVersion': 'appcatalog.appscode.com/v1alpha1', 'kind': 'AppBinding', 'name':"
              " 'pg', 'namespace': 'shop'}"},
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/configuration/spec/repository/namespace",
     .value = NULL},
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups', 'repoNamespace': 'storage'}",
     .at = "/repository/metadata/namespace",
     .value = "'storage'"},
    {.target = APP,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups', 'repoNamespace': 'storage'}",
     .at = "/configuration/spec/repository/namespace",
     .value = "'storage'"},
    /* who may use it: what the blueprint says; elsewhere else the target's namespace alone */
    {.at = "/repository/spec/usagePolicy", .value = NULL},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
     .at = "/repository/spec/usagePolicy",
     .value = "{'allowedNamespaces': {'from': 'Selector', 'selector': {'matchLabels':"
              " {'kubernetes.io/metadata.name': 'shop'}}}}"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage', 'usagePolicy': null}",
     .at = "/repository/spec/usagePolicy/allowedNamespaces/from",
     .value = "'Selector'"},
    {.spec = "{" BACKEND ", 'repoNamespace': 'storage', 'usagePolicy': {'allowedNamespaces':"
             " {'from': 'All'}}}",
     .at = "/repository/spec/usagePolicy",
     .value = "{'allowedNamespaces': {'from': 'All'}}"},
    {.spec = "{" BACKEND ", 'usagePolicy': {'allowedNamespaces': {'from': 'Same'}}}",
     .at = "/repository/spec/usagePolicy",
     .value = "{'allowedNamespaces': {'from': 'Same'}}"},
};

START_TEST(names_and_labels)
    {
        check(&metadata_rows[_i]);
    }
END_TEST

/* Every field of a blueprint reaches its object, also those that Stash documents and forgets. */
static const struct row field_rows[] = {
    {.at = "/repository/spec/backend",
     .value = "{'storageSecretName': 's', 'gcs': {'bucket': 'b', 'prefix': 'p'}}"},
    {.spec = "{" BACKEND ", 'wipeOut': true}", .at = "/repository/spec/wipeOut", .value = "true"},
    {.spec = "{" BACKEND ", 'wipeOut': false}", .at = "/repository/spec/wipeOut", .value = "false"},
    {.spec = "{" BACKEND ", 'agentSecretName': 'a'}",
     .at = "/repository/spec/agentSecretName",
     .value = "'a'"},
    {.at = "/configuration/spec/driver", .value = "'Restic'"},
    {.at = "/configuration/spec/schedule", .value = "'@daily'"},
    {.spec = "{" BACKEND ", 'schedule': ''}", .at = "/configuration/spec/schedule", .value = NULL},
    {.spec = "{" BACKEND "}", .at = "/configuration/spec/schedule", .value = NULL},
    {.spec = "{" BACKEND ", 'retentionPolicy': {'name': 'k', 'keepLast': 5}}",
     .at = "/configuration/spec/retentionPolicy",
     .value = "{'name': 'k', 'keepLast': 5}"},
    {.spec = "{" BACKEND ", 'runtimeSettings': {'pod': {'x': 1}, 'container': {'nice': {}}}}",
     .at = "/configuration/spec/runtimeSettings",
     .value = "{'pod': {'x': 1}, 'container': {'nice': {}}}"},
    {.spec = "{" BACKEND ", 'tempDir': {'medium': 'Memory'}}",
     .at = "/configuration/spec/tempDir",
     .value = "{'medium': 'Memory'}"},
    {.spec = "{" BACKEND ", 'interimVolumeTemplate': {'spec': {}}}",
     .at = "/configuration/spec/interimVolumeTemplate",
     .value = "{'spec': {}}"},
    {.spec = "{" BACKEND ", 'hooks': {'preBackup': {}}}",
     .at = "/configuration/spec/hooks",
     .value = "{'preBackup': {}}"},
    {.spec = "{" BACKEND ", 'backupHistoryLimit': 3}",
     .at = "/configuration/spec/backupHistoryLimit",
     .value = "3"},
    {.spec = "{" BACKEND ", 'timeOut': '1h'}",
     .at = "/configuration/spec/timeOut",
     .value = "'1h'"},
    {.spec = "{" BACKEND ", 'retryConfig': {'maxRetry': 2}}",
     .at = "/configuration/spec/retryConfig",
     .value = "{'maxRetry': 2}"},
    {.spec = "{" BACKEND ", 'mode': 'Sidecar'}",
     .at = "/configuration/spec/mode",
     .value = "'Sidecar'"},
    {.spec = "{" BACKEND ", 'fileAccess': 'Root'}",
     .at = "/configuration/spec/fileAccess",
     .value = "'Root'"},
    {.spec = "{" BACKEND ", 'guard': {'shrinkPercent': 50}}",
     .at = "/configuration/spec/guard",
     .value = "{'shrinkPercent': 50}"},
    {.spec = "{" BACKEND ", 'verify': {'schedule': '@weekly'}}",
     .at = "/configuration/spec/verify",
     .value = "{'schedule': '@weekly'}"},
    {.spec = "{" BACKEND ", 'jitter': '5m'}", .at = "/configuration/spec/jitter", .value = "'5m'"},
    /* what is the blueprint's own business does not */
    {.spec = "{" BACKEND ", 'overrides': [], 'enforcement': 'Deny', 'existing': 'Wait', 'rollout':"
             " {}, 'allowedNamespaces': {}, 'timeOut': null}",
     .at = "/configuration/spec",
     .value = "{'driver': 'Restic', 'repository': {'name': 'deploy-web'}, 'target': {'ref':"
              " {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name': 'web'}, 'paths': ['/data'],"
              " 'volumeMounts': [{'name': 'data', 'mountPath': '/data'}]}}"},
    /* what the owner set stands in its place */
    {.own = "{'schedule': '@hourly'}", .at = "/configuration/spec/schedule", .value = "'@hourly'"},
    {.spec = "{" BACKEND ", 'retentionPolicy': {'keepLast': 5}, 'timeOut': '1h'}",
     .own = "{'retentionPolicy': {'keepLast': 9}}",
     .at = "/configuration/spec/retentionPolicy",
     .value = "{'keepLast': 9}"},
    {.own = "{'runtimeSettings': {'container': {}}}",
     .at = "/configuration/spec/runtimeSettings",
     .value = "{'container': {}}"},
    {.own = "{'timeOut': '2h'}", .at = "/configuration/spec/timeOut", .value = "'2h'"},
    {.own = "{'paused': true}", .at = "/configuration/spec/paused", .value = "true"},
    {.at = "/configuration/spec/paused", .value = NULL},
    {.own = "{'exclude': ['*.tmp']}",
     .at = "/configuration/spec/target/exclude",
     .value = "['*.tmp']"},
    {.own = "{'exclude': ['*.tmp']}", .at = "/configuration/spec/exclude", .value = NULL},
    /* a workload that a Job backs up: it says so */
    {.job = true, .at = "/configuration/spec/mode", .value = "'Job'"},
    {.spec = "{" BACKEND ", 'mode': 'Auto'}",
     .job = true,
     .at = "/configuration/spec/mode",
     .value = "'Job'"},
    /* targets that have no pods of their own */
    {.target = CLAIM,
     .at = "/configuration/spec/target",
     .value = "{'ref': {'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'name': 'data'}}"},
};

START_TEST(fields)
    {
        check(&field_rows[_i]);
    }
END_TEST

#define PARAM(name, value) "{'name': '" name "', 'value': '" value "'}"

/* Task and parameters. Spec: stash-behaviour 1.10, 2.1. */
static const struct row task_rows[] = {
    {.at = "/configuration/spec/task", .value = NULL},
    {.target = CLAIM, .at = "/configuration/spec/task", .value = "{'name': 'pvc-backup'}"},
    {.target = CLAIM,
     .spec = "{" BACKEND ", 'task': {'params': [" PARAM("a", "1") "]}}",
     .at = "/configuration/spec/task",
     .value = "{'name': 'pvc-backup', 'params': [" PARAM("a", "1") "]}"},
    {.target = CLAIM,
     .spec = "{" BACKEND ", 'task': {'name': 'mine'}}",
     .at = "/configuration/spec/task",
     .value = "{'name': 'mine'}"},
    {.target = CLAIM,
     .spec = "{" BACKEND ", 'task': {'name': ''}}",
     .at = "/configuration/spec/task",
     .value = "{'name': 'pvc-backup'}"},
    {.target = APP, .at = "/configuration/spec/task", .value = NULL},
    {.target = APP,
     .spec = "{" BACKEND ", 'task': {'name': 'pg-14'}}",
     .at = "/configuration/spec/task",
     .value = "{'name': 'pg-14'}"},
    /* the owner's parameters over the blueprint's, by name */
    {.target = APP,
     .params = "[" PARAM("args", "--all") "]",
     .at = "/configuration/spec/task",
     .value = "{'params': [" PARAM("args", "--all") "]}"},
    {.target = APP,
     .spec = "{" BACKEND ", 'task': {'name': 't', 'params': [" PARAM("a", "1") ", " PARAM(
         "b", "2") ", {'value': 'nameless'}]}}",
     .params = "[" PARAM("b", "owner") ", " PARAM("c", "3") "]",
     .at = "/configuration/spec/task/params",
     .value = "[" PARAM("a", "1") ", {'value': 'nameless'}, " PARAM("b", "owner") ", " PARAM(
         "c", "3") "]"},
    {.target = APP,
     .spec = "{" BACKEND ", 'task': null}",
     .params = "[]",
     .at = "/configuration/spec/task",
     .value = NULL},
    /* which nobody but an AppBinding has */
    {.params = "[" PARAM("a", "1") "]", .at = "/configuration/spec/task", .value = NULL},
    {.target = CLAIM,
     .params = "[" PARAM("a", "1") "]",
     .at = "/configuration/spec/task",
     .value = "{'name': 'pvc-backup'}"},
};

START_TEST(tasks)
    {
        check(&task_rows[_i]);
    }
END_TEST

/* What stands in the way. Spec: design, Controllers (names, rights). */
static const struct row refusal_rows[] = {
    {.spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/error",
     .value = "'spec.backupNamespace works for AppBindings only: what runs beside a workload or"
              " mounts a claim must be in its namespace'"},
    {.target = CLAIM,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/code",
     .value = "422"},
    /* also while the target has no name yet */
    {.target = UNNAMED,
     .spec = "{" BACKEND ", 'backupNamespace': 'backups'}",
     .at = "/code",
     .value = "422"},
    {.target = UNNAMED, .at = "/error", .value = NULL},
    {.target = UNNAMED, .at = "/repository", .value = NULL},
    {.target = UNNAMED, .at = "/sha256", .value = "''"},
    {.spec = "{" BACKEND ", 'backupNamespace': ''}", .at = "/error", .value = NULL},
    {.spec = "{}", .at = "/error", .value = "'spec.backend: no backend is given'"},
    {.spec = "{'backend': {'storageSecretName': 's'}}", .at = "/code", .value = "422"},
    /* a Repository of that name that belongs to another target is never used */
    {.objects = {REPOSITORY("deploy-web", "shop", OF("apps/Deployment/other/web"), "p")},
     .at = "/error",
     .value = "'Repository shop/deploy-web belongs to apps/Deployment/other/web'"},
    {.objects = {REPOSITORY("deploy-web", "shop", OF("apps/Deployment/other/web"), "p")},
     .at = "/code",
     .value = "409"},
    /* nor the place of another target's Repository, whatever its name */
    {.objects = {REPOSITORY("x", "other", OF("apps/Deployment/other/web"), "p")},
     .at = "/error",
     .value = "'its location already holds the backup of apps/Deployment/other/web: spec.backend"
              " needs ${TARGET_NAMESPACE}, ${TARGET_KIND} and ${TARGET_NAME}'"},
    {.objects = {REPOSITORY("x", "other", OF("apps/Deployment/other/web"), "q")},
     .at = "/error",
     .value = NULL},
    /* our own, and one that nobody claims, may be used */
    {.objects = {REPOSITORY("deploy-web", "shop", WEB, "p")}, .at = "/error", .value = NULL},
    {.objects = {REPOSITORY("deploy-web", "shop", "", "p")},
     .at = "/repository/metadata/name",
     .value = "'deploy-web'"},
};

START_TEST(refusals)
    {
        check(&refusal_rows[_i]);
    }
END_TEST

/* The name, and what it should be by the functions of names. */
static void check_name(const struct row *row, const char *object, char *expected)
{
    AUTO(free) char *owned = expected;
    AUTO(json) json_t *made = make(row);

    ck_assert_str_eq(tree_text(tree_get(tree_get(made, object), "metadata"), "name"), owned);
}

START_TEST(names_with_a_hash)
    {
        const struct row elsewhere = {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}"},
                         app = {.target = APP,
                                .spec = "{" BACKEND ", 'backupNamespace': 'backups'}"},
                         further = {.further = true},
                         further_elsewhere = {.spec = "{" BACKEND ", 'repoNamespace': 'storage'}",
                                              .further = true};

        check_name(&elsewhere, "repository", name_outside("shop", "Deployment", "web"));
        check_name(&app, "repository", name_outside("shop", "AppBinding", "pg"));
        check_name(&app, "configuration", name_outside("shop", "AppBinding", "pg"));
        check_name(&further, "repository", name_further(NULL, "Deployment", "web", "daily"));
        check_name(&further, "configuration", name_further(NULL, "Deployment", "web", "daily"));
        check_name(&further_elsewhere, "repository",
                   name_further("shop", "Deployment", "web", "daily"));
        check_name(&further_elsewhere, "configuration",
                   name_further(NULL, "Deployment", "web", "daily"));
    }
END_TEST

/* Another location is another Repository; the old one stays as it is, and is found again. */
START_TEST(another_location)
    {
        const struct row moved = {.objects = {REPOSITORY("deploy-web", "shop", WEB, "old")}},
                         moved_twice = {.objects = {REPOSITORY("deploy-web", "shop", WEB, "old"),
                                                    REPOSITORY("deploy-web-x", "shop", WEB, "p")}},
                         foreign = {.objects = {REPOSITORY("deploy-web", "shop",
                                                           OF("apps/Deployment/other/web"), "q")}},
                         elsewhere = {.objects = {REPOSITORY("x", "other", WEB, "p")}},
                         same = {.objects = {REPOSITORY("deploy-web", "shop", WEB, "/p/")}};

        check_name(&moved, "repository", name_at_location("deploy-web", "gcs b/p"));
        check_name(&moved, "configuration", text_dup("deploy-web", 10));
        check_name(&moved_twice, "repository", text_dup("deploy-web-x", 12));
        check_name(&elsewhere, "repository", text_dup("deploy-web", 10));
        check_name(&foreign, "repository", name_at_location("deploy-web", "gcs b/p"));
        check_name(&same, "repository", text_dup("deploy-web", 10));
        for (int i = 0; i < 2; i++) {
            AUTO(json) json_t *made = make(i ? &moved : &same);

            ck_assert_str_eq(tree_text(tree_at(made, "configuration.spec.repository"), "name"),
                             tree_text(tree_at(made, "repository.metadata"), "name"));
        }
    }
END_TEST

/* Labels can not hold all that is a name. */
START_TEST(long_names)
    {
        AUTO(text) struct text name = {0}, target = {0};

        for (int i = 0; i < 200; i++)
            text_putc(&name, 'a');
        text_addf(&target,
                  "{'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': '%s',"
                  " 'namespace': 'shop'}}",
                  text_get(&name));

        const struct row row = {.target = text_get(&target)};
        AUTO(json) json_t *made = make(&row);
        const json_t *metadata = tree_at(made, "repository.metadata");
        struct span label = tree_span(tree_get(metadata, "labels"), LABEL_TARGET_NAME);

        ck_assert_uint_eq(tree_span(metadata, "name").length, 63);
        ck_assert(name_is_label_value(label) && label.length <= 63);
        ck_assert_ptr_nonnull(
            strstr(tree_text(tree_get(metadata, "annotations"), KEY_TARGET), text_get(&name)));
    }
END_TEST

/* The hash says what both objects are, not whom they belong to. */
START_TEST(hashes)
    {
        const struct row plain = {0}, other = {.own = "{'schedule': '@hourly'}"},
                         without_uid = {.target = "{'apiVersion': 'apps/v1', 'kind': 'Deployment',"
                                                  " 'metadata': {'name': 'web', 'namespace':"
                                                  " 'shop'}}"};
        AUTO(json)
        json_t *one = make(&plain), *two = make(&plain), *changed = make(&other),
               *without = make(&without_uid);
        const char *hash = tree_text(one, "sha256");
        char again[65];

        plan_sha256(tree_get(one, "repository"), tree_get(one, "configuration"), again);
        ck_assert_uint_eq(strlen(hash), 64);
        ck_assert_str_eq(hash, again);
        ck_assert_str_eq(hash, tree_text(two, "sha256"));
        ck_assert_str_eq(hash, tree_text(without, "sha256"));
        ck_assert_str_ne(hash, tree_text(changed, "sha256"));
        ck_assert_str_eq(
            hash, tree_text(tree_at(one, "repository.metadata.annotations"), KEY_PLAN_SHA256));
        ck_assert_str_eq(
            hash, tree_text(tree_at(one, "configuration.metadata.annotations"), KEY_PLAN_SHA256));
    }
END_TEST

/* A blueprint of a folder has no generation. */
START_TEST(no_generation)
    {
        AUTO(json)
        json_t *object = json_row(DEPLOYMENT), *spec = json_row("{" BACKEND "}"),
               *blueprint = json_row("{'metadata': {}}");
        AUTO(cluster) const struct cluster *cluster = cluster_make(NULL);
        struct target target;
        struct plan_backup backup = {0};
        struct error err = {0};

        ck_assert(target_of_object(&target, object, "default"));

        struct objects in = {.cluster = cluster,
                             .target = &target,
                             .blueprint = blueprint,
                             .spec = spec,
                             .primary = true};

        ck_assert(objects_make(&in, &backup, &err));
        ck_assert_ptr_null(
            tree_get(tree_at(backup.repository, "metadata.annotations"), KEY_BLUEPRINT_GENERATION));
        ck_assert_str_eq(tree_text(tree_at(backup.repository, "metadata.labels"), LABEL_BLUEPRINT),
                         "");
        json_decref(backup.repository);
        json_decref(backup.configuration);
    }
END_TEST

/* Whose plain name it is, and by which blueprint. */
START_TEST(recognised_again)
    {
        AUTO(json)
        json_t *object = json_row(DEPLOYMENT),
               *plain = json_row("{'metadata': {'name': 'deploy-web', 'labels':"
                                 " {'granary.dev/blueprint': 'daily'}}}"),
               *other = json_row("{'metadata': {'name': 'deploy-web2'}}"), *outside = json_object(),
               *metadata = json_object(), *nothing = json_object();
        AUTO(free) char *name = name_outside("shop", "Deployment", "web");
        struct target target;

        tree_put_text(metadata, "name", name);
        json_object_set(outside, "metadata", metadata);
        ck_assert(target_of_object(&target, object, "default"));
        ck_assert(objects_has_plain_name(plain, &target));
        ck_assert(objects_has_plain_name(outside, &target));
        ck_assert(!objects_has_plain_name(other, &target));
        ck_assert(!objects_has_plain_name(nothing, &target));
        ck_assert(objects_is_of_blueprint(plain, "daily"));
        ck_assert(!objects_is_of_blueprint(plain, "weekly"));
        ck_assert(!objects_is_of_blueprint(other, "daily"));
    }
END_TEST

SUITE(api_objects)
{
    suite_rows(tests, names_and_labels, metadata_rows);
    suite_rows(tests, fields, field_rows);
    suite_rows(tests, tasks, task_rows);
    suite_rows(tests, refusals, refusal_rows);
    tcase_add_test(tests, names_with_a_hash);
    tcase_add_test(tests, another_location);
    tcase_add_test(tests, long_names);
    tcase_add_test(tests, hashes);
    tcase_add_test(tests, no_generation);
    tcase_add_test(tests, recognised_again);
}
