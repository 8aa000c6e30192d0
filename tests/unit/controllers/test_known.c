#include "controllers/known.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

#define TIMEOUT_MS 60000

static const char cluster[] =
    "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {granary.dev/blueprint: b}}\n"
    "---\n"
    "apiVersion: apps/v1\nkind: Deployment\n"
    "metadata: {name: web, namespace: shop, uid: u-web,\n"
    "  annotations: {stash.appscode.com/backup-blueprint: 'a, b'}}\n"
    "---\n"
    "apiVersion: v1\nkind: Pod\n"
    "metadata: {name: web-1, namespace: shop, ownerReferences: [{uid: u-rs}, {uid: u-other}]}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupConfiguration\n"
    "metadata: {name: by-hand, namespace: shop}\n"
    "spec: {repository: {name: r, namespace: vault},\n"
    "  target: {ref: {apiVersion: apps/v1, kind: Deployment, name: web}}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupConfiguration\n"
    "metadata: {name: ours, namespace: elsewhere, labels: {granary.dev/blueprint: b},\n"
    "  annotations: {granary.dev/target: apps/Deployment/shop/web}}\n"
    "spec: {repository: {name: r}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupSession\n"
    "metadata: {name: s, namespace: shop}\n"
    "spec: {invoker: {kind: BackupConfiguration, name: by-hand}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1alpha1\nkind: Repository\n"
    "metadata: {name: r, namespace: vault, annotations: {granary.dev/target: "
    "apps/Deployment/shop/web}}\n"
    "spec: {backend: {storageSecretName: keys}}\n"
    "---\n"
    "apiVersion: coordination.k8s.io/v1\nkind: Lease\n"
    "metadata: {name: granary-target-1, namespace: granary-system, labels: {granary.dev/ledger: "
    "target},\n"
    "  annotations: {granary.dev/target: apps/Deployment/shop/web,\n"
    "    granary.dev/ledger: '{\"session\": \"u-s\", \"since\": 1, \"claims\": []}'}}\n"
    "---\n"
    "apiVersion: stash.appscode.com/v1beta1\nkind: BackupBlueprint\nmetadata: {name: b}\n"
    "spec: {}\n";

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

static const struct {
    enum known_kind kind;
    const char *index, *text;
    const char *names; /* of what is found, with blanks between */
} find_rows[] = {
    {KNOWN_NAMESPACE, KNOWN_BY_BLUEPRINT, "b", "shop"},
    {KNOWN_DEPLOYMENT, KNOWN_BY_BLUEPRINT, "a", "web"},
    {KNOWN_DEPLOYMENT, KNOWN_BY_BLUEPRINT, "b", "web"},
    {KNOWN_DEPLOYMENT, KNOWN_BY_BLUEPRINT, "a, b", ""},
    {KNOWN_DEPLOYMENT, KNOWN_BY_SPACE, "shop", "web"},
    {KNOWN_DEPLOYMENT, KNOWN_BY_SPACE, "", ""},
    {KNOWN_POD, KNOWN_BY_OWNER, "u-rs", "web-1"},
    {KNOWN_POD, KNOWN_BY_OWNER, "u-other", "web-1"},
    {KNOWN_POD, KNOWN_BY_OWNER, "u-web", ""},
    {KNOWN_CONFIGURATION, KNOWN_BY_TARGET, "apps/Deployment/shop/web", "by-hand ours"},
    {KNOWN_CONFIGURATION, KNOWN_BY_BLUEPRINT, "b", "ours"},
    {KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, "vault/r", "by-hand"},
    {KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, "elsewhere/r", "ours"},
    {KNOWN_CONFIGURATION, KNOWN_BY_SPACE, "elsewhere", "ours"},
    {KNOWN_SESSION, KNOWN_BY_INVOKER, "shop/by-hand", "s"},
    {KNOWN_REPOSITORY, KNOWN_BY_SECRET, "vault/keys", "r"},
    {KNOWN_LEASE, KNOWN_BY_SESSION, "u-s", "granary-target-1"},
    {KNOWN_LEASE, KNOWN_BY_TARGET, "apps/Deployment/shop/web", "granary-target-1"},
    {KNOWN_REPOSITORY, KNOWN_BY_TARGET, "apps/Deployment/shop/web", "r"},
    {KNOWN_REPOSITORY, KNOWN_BY_TARGET, "", ""},
};

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_names(const json_t *objects, struct text *text)
{
    const char *names[8];
    size_t count = json_array_size(objects);

    ck_assert_uint_le(count, 8);
    for (size_t i = 0; i < count; i++)
        names[i] = tree_text(tree_get(json_array_get(objects, i), "metadata"), "name");
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        text_addf(text, "%s%s", i ? " " : "", names[i]);
}

START_TEST(finds)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known *known = start(&folder);

        for (size_t i = 0; i < sizeof find_rows / sizeof *find_rows; i++) {
            AUTO(json)
            json_t *found =
                known_find(known, find_rows[i].kind, find_rows[i].index, find_rows[i].text);
            AUTO(text) struct text names = {0};

            write_names(found, &names);
            ck_assert_msg(strcmp(text_get(&names), find_rows[i].names) == 0, "row %zu: %s", i,
                          text_get(&names));
        }
        known_stop(known);
    }
END_TEST

START_TEST(looks_up)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known *known = start(&folder);
        struct error err = {0};
        AUTO(json) json_t *named = known_get(known, KNOWN_DEPLOYMENT, "shop", "web");
        AUTO(json) json_t *of_uid = known_uid(known, KNOWN_DEPLOYMENT, "u-web");
        AUTO(json) json_t *whole = known_whole(known, KNOWN_DEPLOYMENT, "shop", "web", &err);
        AUTO(json) json_t *none = known_get(known, KNOWN_DEPLOYMENT, "shop", "other");
        AUTO(json) json_t *pods = known_all(known, KNOWN_POD);
        AUTO(free) char *text = known_target_text(named);

        ck_assert(named && named == of_uid && named == whole);
        ck_assert_ptr_null(none);
        ck_assert_uint_eq(json_array_size(pods), 1);
        ck_assert_str_eq(text, "apps/Deployment/shop/web");
        ck_assert_ptr_null(known_whole(known, KNOWN_DEPLOYMENT, "shop", "other", &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        ck_assert_int_eq(known_look(known).objects, 9);
        known_stop(known);
    }
END_TEST

/* The snapshot follows what changes. */
START_TEST(keeps_the_snapshot_true)
    {
        AUTO(folder) struct folder folder = folder_make();
        struct known *known = start(&folder);
        const struct cluster *before = known_cluster(known), *same = known_cluster(known);

        ck_assert(before == same);
        ck_assert_ptr_nonnull(cluster_blueprint(before, "b"));
        ck_assert_uint_eq(
            json_array_size(cluster_configurations_of(before, "apps", "Deployment", "shop", "web")),
            1); /* by spec.target.ref */
        cluster_unref(same);
        folder_write(&folder, "more.yaml",
                     "apiVersion: stash.appscode.com/v1beta1\nkind: BackupBlueprint\n"
                     "metadata: {name: late}\nspec: {}\n");
        for (bool found = false; !found;) {
            AUTO(cluster) const struct cluster *now = known_cluster(known);

            found = cluster_blueprint(now, "late") != NULL;
        }
        ck_assert_ptr_null(cluster_blueprint(before, "late"));
        cluster_unref(before);
        known_stop(known);
    }
END_TEST

static const struct {
    const char *api_version, *kind;
    enum known_kind is;
} kind_rows[] = {
    {"apps/v1", "Deployment", KNOWN_DEPLOYMENT},
    {"apps/v1beta9", "Deployment", KNOWN_DEPLOYMENT},
    {"extensions/v1beta1", "Deployment", KNOWN_KINDS},
    {"v1", "PersistentVolumeClaim", KNOWN_CLAIM},
    {"appcatalog.appscode.com/v1alpha1", "AppBinding", KNOWN_APP},
    {"v1", "Secret", KNOWN_KINDS},
    {"", "", KNOWN_KINDS},
};

START_TEST(names_kinds)
    {
        AUTO(json) json_t *reference = json_object();

        tree_put_text(reference, "apiVersion", kind_rows[_i].api_version);
        tree_put_text(reference, "kind", kind_rows[_i].kind);
        ck_assert_int_eq(known_kind_of(reference), kind_rows[_i].is);
    }
END_TEST

/* SEC12: no Secret is ever watched, and each kind has a name of its own */
START_TEST(the_table_is_whole)
    {
        for (int i = 0; i < KNOWN_KINDS; i++) {
            const struct kube_resource *resource = known_resource((enum known_kind)i);

            ck_assert_msg(resource->plural && resource->kind && resource->version, "kind %d", i);
            ck_assert_str_ne(resource->kind, "Secret");
            for (int other = 0; other < i; other++)
                ck_assert_str_ne(resource->kind, known_resource((enum known_kind)other)->kind);
        }
    }
END_TEST

SUITE(controllers_known)
{
    tcase_add_test(tests, finds);
    tcase_add_test(tests, looks_up);
    tcase_add_test(tests, keeps_the_snapshot_true);
    suite_rows(tests, names_kinds, kind_rows);
    tcase_add_test(tests, the_table_is_whole);
}
