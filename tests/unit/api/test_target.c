#include "api/target.h"

#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* What can be backed up, and how. Spec: design, Admission; stash-behaviour 2.2. */
static const struct {
    const char *group, *kind, *resource; /* resource NULL: no target */
    enum target_class class;
    bool owned_is_foreign;
} kind_rows[] = {
    {"apps", "Deployment", "deployments", TARGET_WORKLOAD, false},
    {"apps", "StatefulSet", "statefulsets", TARGET_WORKLOAD, false},
    {"apps", "DaemonSet", "daemonsets", TARGET_WORKLOAD, false},
    {"apps", "ReplicaSet", "replicasets", TARGET_WORKLOAD, true},
    {"", "ReplicationController", "replicationcontrollers", TARGET_WORKLOAD, true},
    {"apps.openshift.io", "DeploymentConfig", "deploymentconfigs", TARGET_WORKLOAD, false},
    {"", "PersistentVolumeClaim", "persistentvolumeclaims", TARGET_CLAIM, false},
    {"appcatalog.appscode.com", "AppBinding", "appbindings", TARGET_APP, false},
    /* the same word in another group is another kind */
    {"", "Deployment", NULL, 0, false},
    {"extensions", "Deployment", NULL, 0, false},
    {"apps", "DeploymentConfig", NULL, 0, false},
    {"apps", "ReplicationController", NULL, 0, false},
    {"stash.appscode.com", "AppBinding", NULL, 0, false},
    {"", "Pod", NULL, 0, false},
    {"batch", "Job", NULL, 0, false},
    {"apps", "deployment", NULL, 0, false},
    {"apps", "Deploymen", NULL, 0, false},
    {"apps", "", NULL, 0, false},
    {"", "", NULL, 0, false},
};

START_TEST(kinds)
    {
        const struct target_kind *kind =
            target_kind_of(span_of(kind_rows[_i].group), span_of(kind_rows[_i].kind));

        ck_assert_ptr_eq(kind == NULL ? NULL : kind_rows[_i].resource, kind_rows[_i].resource);
        if (!kind)
            return;
        ck_assert_str_eq(kind->group, kind_rows[_i].group);
        ck_assert_str_eq(kind->kind, kind_rows[_i].kind);
        ck_assert_str_eq(kind->resource, kind_rows[_i].resource);
        ck_assert_int_eq(kind->class, kind_rows[_i].class);
        ck_assert_int_eq(kind->owned_is_foreign, kind_rows[_i].owned_is_foreign);
    }
END_TEST

START_TEST(a_kind_with_nul_in_it)
    {
        static const char kind[] = "Deployment\0x";

        ck_assert_ptr_null(target_kind_of(span_of("apps"), (struct span){kind, sizeof kind - 1}));
    }
END_TEST

#define WEB(rest) "{'apiVersion': 'apps/v1', 'kind': 'Deployment', " rest "}"

static const struct {
    const char *object;
    const char *kind, *space, *name; /* kind NULL: no target */
} object_rows[] = {
    {WEB("'metadata': {'name': 'web', 'namespace': 'shop'}"), "Deployment", "shop", "web"},
    {WEB("'metadata': {'name': 'web'}"), "Deployment", "default", "web"},
    {WEB("'metadata': {'name': 'web', 'namespace': ''}"), "Deployment", "default", "web"},
    {WEB("'metadata': {'generateName': 'web-', 'namespace': 'shop'}"), "Deployment", "shop", ""},
    {WEB("'metadata': []"), "Deployment", "default", ""},
    {WEB("'metadata': {'name': 1, 'namespace': 2}"), "Deployment", "default", ""},
    {WEB("'spec': 1"), "Deployment", "default", ""},
    /* an old version of the kind: the version is not compared */
    {"{'apiVersion': 'apps/v1beta2', 'kind': 'Deployment'}", "Deployment", "default", ""},
    {"{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim'}", "PersistentVolumeClaim", "default",
     ""},
    {"{'apiVersion': 'v1', 'kind': 'Deployment'}", NULL, NULL, NULL},
    {"{'apiVersion': '', 'kind': 'PersistentVolumeClaim'}", "PersistentVolumeClaim", "default", ""},
    {"{'kind': 'PersistentVolumeClaim'}", NULL, NULL, NULL},
    {"{'apiVersion': 1, 'kind': 'PersistentVolumeClaim'}", NULL, NULL, NULL},
    {"{'apiVersion': 'apps/v1'}", NULL, NULL, NULL},
    {"{'apiVersion': 'apps/v1', 'kind': {}}", NULL, NULL, NULL},
    {"{'apiVersion': 'apps/v1', 'kind': 'Pod'}", NULL, NULL, NULL},
    {"[]", NULL, NULL, NULL},
    {"null", NULL, NULL, NULL},
};

START_TEST(objects)
    {
        AUTO(json) json_t *object = json_row(object_rows[_i].object);
        struct target target = {.name = "untouched"};
        bool is_target = target_of_object(&target, object, "default");

        ck_assert_int_eq(is_target, object_rows[_i].kind != NULL);
        if (!is_target) {
            ck_assert_str_eq(target.name, "untouched");
            return;
        }
        ck_assert_str_eq(target.kind->kind, object_rows[_i].kind);
        ck_assert_str_eq(target.space, object_rows[_i].space);
        ck_assert_str_eq(target.name, object_rows[_i].name);
        ck_assert_str_eq(target.api_version, tree_text(object, "apiVersion"));
    }
END_TEST

/* A workload has a template, everything else a spec; nothing has both. */
START_TEST(parts_of_each_class)
    {
        AUTO(json)
        json_t *set = json_row("{'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'metadata': {},"
                               " 'spec': {'template': {}, 'volumeClaimTemplates': []}}"),
               *claim = json_row("{'apiVersion': 'v1', 'kind': 'PersistentVolumeClaim', 'spec':"
                                 " {'template': {}, 'volumeClaimTemplates': []}}"),
               *odd = json_row("{'apiVersion': 'apps/v1', 'kind': 'StatefulSet', 'spec':"
                               " {'template': [], 'volumeClaimTemplates': {}}}");
        const json_t *spec = tree_get(set, "spec");
        struct target target;

        ck_assert(target_of_object(&target, set, "default"));
        ck_assert_ptr_eq(target.metadata, tree_get(set, "metadata"));
        ck_assert_ptr_eq(target.template, tree_get(spec, "template"));
        ck_assert_ptr_eq(target.claim_templates, tree_get(spec, "volumeClaimTemplates"));
        ck_assert_ptr_null(target.spec);

        ck_assert(target_of_object(&target, claim, "default"));
        ck_assert_ptr_null(target.metadata);
        ck_assert_ptr_null(target.template);
        ck_assert_ptr_null(target.claim_templates);
        ck_assert_ptr_eq(target.spec, tree_get(claim, "spec"));

        ck_assert(target_of_object(&target, odd, "default"));
        ck_assert_ptr_null(target.template);
        ck_assert_ptr_null(target.claim_templates);
    }
END_TEST

static const struct {
    const char *metadata;
    bool controlled;
} owner_rows[] = {
    {"{'ownerReferences': [{'kind': 'Deployment', 'controller': true}]}", true},
    {"{'ownerReferences': [{'kind': 'A'}, {'kind': 'B', 'controller': true}]}", true},
    {"{'ownerReferences': [{'kind': 'Deployment', 'controller': false}]}", false},
    {"{'ownerReferences': [{'kind': 'Deployment'}]}", false},
    {"{'ownerReferences': [{'kind': 'Deployment', 'controller': 'true'}]}", false},
    {"{'ownerReferences': [1, null]}", false},
    {"{'ownerReferences': {}}", false},
    {"{}", false},
};

START_TEST(controllers)
    {
        AUTO(json) json_t *metadata = json_row(owner_rows[_i].metadata);
        struct target target = {.metadata = metadata};

        ck_assert_int_eq(target_is_controlled(&target), owner_rows[_i].controlled);
    }
END_TEST

#define OWNED(kind)                                                                                \
    "{'apiVersion': 'apps/v1', 'kind': '" kind "', 'metadata': {'name': 'a', 'ownerReferences': "  \
    "[{'controller': true}]}}"

static const struct {
    const char *object;
    bool foreign;
} foreign_rows[] = {
    {"{'apiVersion': 'apps/v1', 'kind': 'ReplicaSet', 'metadata': {'name': 'a'}}", false},
    {OWNED("ReplicaSet"), true},
    {OWNED("StatefulSet"), false},
    {"{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': 'a'}}", true},
    {"{}", true},
    {"null", true},
};

START_TEST(foreign)
    {
        AUTO(json) json_t *object = json_row(foreign_rows[_i].object);

        ck_assert_int_eq(target_is_foreign(object), foreign_rows[_i].foreign);
    }
END_TEST

SUITE(api_target)
{
    suite_rows(tests, foreign, foreign_rows);
    suite_rows(tests, kinds, kind_rows);
    tcase_add_test(tests, a_kind_with_nul_in_it);
    suite_rows(tests, objects, object_rows);
    tcase_add_test(tests, parts_of_each_class);
    suite_rows(tests, controllers, owner_rows);
}
