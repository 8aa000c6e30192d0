#include "api/cluster.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define STASH(kind, metadata, spec)                                                                \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': '" kind "', 'metadata': {" metadata      \
    "}, 'spec': {" spec "}}"
#define REPOSITORY(metadata, prefix)                                                               \
    "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository', 'metadata': {" metadata   \
    "}, 'spec': {'backend': {'gcs': {'bucket': 'b', 'prefix': '" prefix "'}}}}"
#define KEEP "'retentionPolicy': {'name': 'k', 'keepLast': 5, 'prune': true}"
#define REF(api, kind, name)                                                                       \
    "'target': {'ref': {'apiVersion': '" api "', 'kind': '" kind "', 'name': '" name "'}}"
#define WEB REF("apps/v1", "Deployment", "web")
#define AT(time) ", 'creationTimestamp': '2026-01-0" time "T00:00:00Z'"
#define SHOP(name) "'name': '" name "', 'namespace': 'shop'"
#define CONFIGURATION(metadata, spec) STASH("BackupConfiguration", metadata, spec)
#define RESTORE(metadata, spec) STASH("RestoreSession", metadata, spec)
#define BACKEND "'backend': {'storageSecretName': 's', 'gcs': {'bucket': 'b'}}"
#define OBJECTS_MAX 8

/* The list ends with NULL. */
static const struct cluster *cluster_of(const char *const *objects)
{
    AUTO(json) json_t *list = json_array();

    for (; *objects; objects++)
        tree_push_new(list, json_row(*objects));
    return cluster_make(list);
}

/* Names of the objects in a list, "a b c"; the caller frees. */
static char *names(const json_t *list)
{
    AUTO(text) struct text out = {0};
    const json_t *object;
    size_t i;

    tree_items (list, i, object)
        text_addf(&out, "%s%s", i ? " " : "", tree_text(tree_get(object, "metadata"), "name"));
    return text_take(&out);
}

START_TEST(empty)
    {
        AUTO(cluster) const struct cluster *cluster = cluster_make(NULL);

        ck_assert_ptr_null(cluster_blueprint(cluster, "a"));
        ck_assert_ptr_null(cluster_namespace(cluster, "a"));
        ck_assert_ptr_null(cluster_task(cluster, "a"));
        ck_assert_ptr_null(cluster_repository(cluster, "a", "b"));
        ck_assert_ptr_null(cluster_configuration(cluster, "a", "b"));
        ck_assert_ptr_null(cluster_repositories_at(cluster, "gcs b/p"));
        ck_assert_ptr_null(cluster_configurations_of(cluster, "apps", "Deployment", "a", "b"));
        ck_assert_ptr_null(cluster_restores_of(cluster, "apps", "Deployment", "a", "b"));
        ck_assert_ptr_null(cluster_repositories_of(cluster, "apps", "Deployment", "a", "b"));
        ck_assert_ptr_null(cluster_fault(cluster, NULL));
        ck_assert_ptr_null(cluster_blueprint_names(cluster)[0]);
        ck_assert(!cluster_knows_namespaces(cluster));
        ck_assert_uint_eq(cluster_size(cluster), 0);
    }
END_TEST

START_TEST(by_name)
    {
        static const char *const objects[] = {
            STASH("BackupBlueprint", "'name': 'daily'", KEEP),
            STASH("Task", "'name': 'pg'", ""),
            REPOSITORY("'name': 'r', 'namespace': 'shop'", "p"),
            REPOSITORY("'name': 'r'", "q"),
            CONFIGURATION("'name': 'c', 'namespace': 'shop'", KEEP),
            "{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop'}}",
            NULL,
        };
        AUTO(cluster) const struct cluster *cluster = cluster_of(objects);

        ck_assert_ptr_nonnull(cluster_blueprint(cluster, "daily"));
        ck_assert_ptr_null(cluster_blueprint(cluster, "pg"));
        ck_assert_ptr_nonnull(cluster_task(cluster, "pg"));
        ck_assert_str_eq(
            tree_text(tree_at(cluster_repository(cluster, "shop", "r"), "spec.backend.gcs"),
                      "prefix"),
            "p");
        /* what names no namespace is in "default" */
        ck_assert_ptr_nonnull(cluster_repository(cluster, "default", "r"));
        ck_assert_ptr_null(cluster_repository(cluster, "other", "r"));
        ck_assert_ptr_nonnull(cluster_configuration(cluster, "shop", "c"));
        ck_assert_ptr_null(cluster_configuration(cluster, "shop", "r"));
        ck_assert_ptr_nonnull(cluster_namespace(cluster, "shop"));
        ck_assert(cluster_knows_namespaces(cluster));
        ck_assert_str_eq(cluster_blueprint_names(cluster)[0], "daily");
        ck_assert_ptr_null(cluster_blueprint_names(cluster)[1]);
        ck_assert_uint_eq(cluster_size(cluster), 6);
    }
END_TEST

/* Whatever a folder holds: no crash, and nothing is taken for what it is not. */
static const char *const odd_rows[] = {
    "1",
    "null",
    "{}",
    "{'kind': 'BackupBlueprint', 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'v1', 'kind': 'BackupBlueprint', 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'other.example.com/v1', 'kind': 'BackupBlueprint', 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'other.example.com/v1', 'kind': 'Namespace', 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint'}",
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupBlueprint', 'metadata': []}",
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Unknown', 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 1, 'metadata': {'name': 'x'}}",
    "{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': 'x'}}",
};

START_TEST(odd_objects)
    {
        AUTO(json) json_t *object = json_row(odd_rows[_i]), *list = json_array();

        json_array_append(list, object);

        AUTO(cluster) const struct cluster *cluster = cluster_make(list);

        ck_assert_ptr_null(cluster_blueprint(cluster, "x"));
        ck_assert_ptr_null(cluster_namespace(cluster, "x"));
        ck_assert_uint_eq(cluster_size(cluster), 1);
    }
END_TEST

/* What points at Deployment shop/web, oldest first; without a time last, then by key. */
static const struct {
    const char *objects[OBJECTS_MAX];
    const char *configurations, *restores, *repositories;
} pointing_rows[] = {
    {{CONFIGURATION(SHOP("b") AT("2"), WEB), CONFIGURATION(SHOP("a"), WEB),
      CONFIGURATION(SHOP("c") AT("1"), WEB)},
     "c b a",
     "",
     ""},
    /* equal times: by namespace, then by name */
    {{RESTORE(SHOP("b") AT("1"), WEB), RESTORE(SHOP("a") AT("1"), WEB)}, "", "a b", ""},
    /* the version does not count; group, kind, name and namespace do */
    {{CONFIGURATION(SHOP("a"), REF("apps/v1beta2", "Deployment", "web")),
      CONFIGURATION(SHOP("b"), REF("extensions/v1beta1", "Deployment", "web")),
      CONFIGURATION(SHOP("c"), REF("apps/v1", "StatefulSet", "web")),
      CONFIGURATION(SHOP("d"), REF("apps/v1", "Deployment", "other")),
      CONFIGURATION("'name': 'e', 'namespace': 'other'", WEB)},
     "a",
     "",
     ""},
    /* spec.target.ref.namespace counts; an empty one is absent */
    {{CONFIGURATION("'name': 'a', 'namespace': 'backups'",
                    "'target': {'ref': {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'name':"
                    " 'web', 'namespace': 'shop'}}"),
      CONFIGURATION(SHOP("b"), "'target': {'ref': {'apiVersion': 'apps/v1', 'kind': 'Deployment',"
                               " 'name': 'web', 'namespace': ''}}")},
     "a b",
     "",
     ""},
    /* references of other shapes point nowhere */
    {{CONFIGURATION(SHOP("a"), "'target': []"),
      CONFIGURATION(SHOP("b"), "'target': {'ref': {'name': 1}}"),
      RESTORE(SHOP("c"), "'target': {'ref': {'name': 'web'}}")},
     "",
     "",
     ""},
    /* a Repository by its annotation */
    {{REPOSITORY("'name': 'r', 'namespace': 'storage', 'annotations': {'granary.dev/target':"
                 " 'apps/Deployment/shop/web'}",
                 "p"),
      REPOSITORY("'name': 's', 'namespace': 'shop', 'annotations': {'granary.dev/target':"
                 " 'apps/Deployment/shop/web2'}",
                 "q")},
     "",
     "",
     "r"},
};

START_TEST(pointing)
    {
        AUTO(cluster) const struct cluster *cluster = cluster_of(pointing_rows[_i].objects);
        AUTO(free)
        char *configurations =
            names(cluster_configurations_of(cluster, "apps", "Deployment", "shop", "web"));
        AUTO(free)
        char *restores = names(cluster_restores_of(cluster, "apps", "Deployment", "shop", "web"));
        AUTO(free)
        char *repositories =
            names(cluster_repositories_of(cluster, "apps", "Deployment", "shop", "web"));

        ck_assert_str_eq(configurations, pointing_rows[_i].configurations);
        ck_assert_str_eq(restores, pointing_rows[_i].restores);
        ck_assert_str_eq(repositories, pointing_rows[_i].repositories);
    }
END_TEST

/* The core group is written without one. */
START_TEST(pointing_at_a_claim)
    {
        static const char *const objects[] = {
            CONFIGURATION("'name': 'a'", REF("v1", "PersistentVolumeClaim", "data")), NULL};
        AUTO(cluster) const struct cluster *cluster = cluster_of(objects);
        AUTO(free)
        char *found = names(
            cluster_configurations_of(cluster, "", "PersistentVolumeClaim", "default", "data"));

        ck_assert_str_eq(found, "a");
    }
END_TEST

START_TEST(at_one_place)
    {
        static const char *const objects[] = {
            REPOSITORY("'name': 'b', 'namespace': 'x'", "p"),
            REPOSITORY("'name': 'a', 'namespace': 'y'", "p/"),
            REPOSITORY("'name': 'c'", "q"),
            "{'apiVersion': 'stash.appscode.com/v1alpha1', 'kind': 'Repository', 'metadata':"
            " {'name': 'nowhere'}, 'spec': {}}",
            NULL,
        };
        AUTO(cluster) const struct cluster *cluster = cluster_of(objects);
        AUTO(free)
        char *here = names(cluster_repositories_at(cluster, "gcs b/p")),
             *there = names(cluster_repositories_at(cluster, "gcs b/q"));

        ck_assert_str_eq(here, "b a");
        ck_assert_str_eq(there, "c");
        ck_assert_ptr_null(cluster_repositories_at(cluster, ""));
        ck_assert_ptr_null(cluster_repositories_at(cluster, "gcs b/r"));
    }
END_TEST

/* The first error of what a plan is made of is known with the object; warnings are none. */
static const struct {
    const char *object;
    const char *fault; /* a part of it; NULL: sound */
} fault_rows[] = {
    {STASH("BackupBlueprint", "'name': 'a'", BACKEND ", " KEEP), NULL},
    {STASH("BackupBlueprint", "'name': 'a'", BACKEND), "spec.retentionPolicy: "},
    {STASH("BackupBlueprint", "'name': 'a'", BACKEND ", 'shedule': '@daily', " KEEP), NULL},
    {STASH("BackupBlueprint", "'name': 'a'", BACKEND ", 'schedule': 'often', " KEEP),
     "spec.schedule: "},
    {CONFIGURATION(SHOP("a"), WEB ", 'schedule': 'often', 'repository': {'name': 'r'}, " KEEP),
     "spec.schedule: "},
    {RESTORE(SHOP("a"), "'timeOut': 'soon'"), "spec."},
    {RESTORE("'name': 'a'", "'timeOut': 'soon'"), "spec."},
    {STASH("Unknown", "'name': 'a'", ""), NULL},
};

START_TEST(faults)
    {
        AUTO(json) json_t *object = json_row(fault_rows[_i].object), *list = json_array();

        json_array_append(list, object);

        AUTO(cluster) const struct cluster *cluster = cluster_make(list);
        const char *fault = cluster_fault(cluster, object);

        ck_assert_int_eq(fault != NULL, fault_rows[_i].fault != NULL);
        if (fault)
            ck_assert_msg(strncmp(fault, fault_rows[_i].fault, strlen(fault_rows[_i].fault)) == 0,
                          "%s", fault);
    }
END_TEST

/* Faults of one object are not those of another of the same name. */
START_TEST(faults_are_told_apart)
    {
        static const char *const objects[] = {
            CONFIGURATION("'name': 'a', 'namespace': 'x'", "'schedule': 'often'"),
            STASH("BackupBlueprint", "'name': 'b'", ""), NULL};
        AUTO(cluster) const struct cluster *cluster = cluster_of(objects);
        AUTO(json)
        json_t *elsewhere =
                   json_row(STASH("BackupConfiguration", "'name': 'a', 'namespace': 'y'", "")),
               *other_kind = json_row(STASH("RestoreSession", "'name': 'a', 'namespace': 'x'", "")),
               *nameless = json_row("{'kind': 'BackupConfiguration'}"), *nothing = json_object();

        ck_assert_ptr_nonnull(cluster_fault(cluster, cluster_configuration(cluster, "x", "a")));
        ck_assert_ptr_nonnull(cluster_fault(cluster, cluster_blueprint(cluster, "b")));
        ck_assert_ptr_null(cluster_fault(cluster, elsewhere));
        ck_assert_ptr_null(cluster_fault(cluster, other_kind));
        ck_assert_ptr_null(cluster_fault(cluster, nameless));
        ck_assert_ptr_null(cluster_fault(cluster, nothing));
    }
END_TEST

START_TEST(references)
    {
        const struct cluster *one = cluster_make(NULL), *two = cluster_ref(one);

        ck_assert_ptr_eq(one, two);
        cluster_unref(one);
        ck_assert_uint_eq(cluster_size(two), 0);
        cluster_unref(two);
        ck_assert_ptr_null(cluster_ref(NULL));
        cluster_unref(NULL);
    }
END_TEST

/* Before and after share what did not change; faults go with the objects, not with their names. */
START_TEST(the_next_one)
    {
        AUTO(json) json_t *bad = json_row(STASH("BackupBlueprint", "'name': 'a'", ""));
        AUTO(json)
        json_t *good = json_row(STASH("BackupBlueprint", "'name': 'b'", BACKEND ", " KEEP));
        AUTO(json) json_t *repaired = json_deep_copy(good);
        AUTO(json) json_t *first = json_array();
        AUTO(json) json_t *second = json_array();

        tree_put_text(json_object_get(repaired, "metadata"), "name", "a");
        tree_push_new(first, tree_share(bad));
        tree_push_new(first, tree_share(good));
        tree_push_new(second, tree_share(repaired));
        tree_push_new(second, tree_share(good));

        AUTO(cluster) const struct cluster *one = cluster_next(NULL, first);
        AUTO(cluster) const struct cluster *same = cluster_next(one, first);
        AUTO(cluster) const struct cluster *other = cluster_next(same, second);
        AUTO(cluster) const struct cluster *back = cluster_next(other, first);

        ck_assert_ptr_nonnull(cluster_fault(one, bad));
        ck_assert_str_eq(cluster_fault(same, bad), cluster_fault(one, bad));
        ck_assert_str_eq(cluster_fault(back, bad), cluster_fault(one, bad));
        ck_assert_ptr_null(cluster_fault(other, repaired));
        ck_assert_ptr_null(cluster_fault(same, good));
        ck_assert_ptr_eq(cluster_blueprint(other, "a"), repaired);
        ck_assert_ptr_eq(cluster_blueprint(back, "a"), bad);
        ck_assert_uint_eq(cluster_size(other), 2);
    }
END_TEST

SUITE(api_cluster)
{
    tcase_add_test(tests, empty);
    tcase_add_test(tests, by_name);
    suite_rows(tests, odd_objects, odd_rows);
    suite_rows(tests, pointing, pointing_rows);
    tcase_add_test(tests, pointing_at_a_claim);
    tcase_add_test(tests, at_one_place);
    suite_rows(tests, faults, fault_rows);
    tcase_add_test(tests, faults_are_told_apart);
    tcase_add_test(tests, references);
    tcase_add_test(tests, the_next_one);
}
