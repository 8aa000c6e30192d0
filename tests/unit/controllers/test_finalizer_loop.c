#include "controllers/finalizer_loop.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* Before an API server that keeps objects. */

#define REPOSITORY "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories/r"
#define CONFIGURATION "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupconfigurations/c"
#define RESTORE "/apis/stash.appscode.com/v1beta1/namespaces/shop/restoresessions/s"
#define OBJECT(version, kind, name, more)                                                          \
    "{'apiVersion':'stash.appscode.com/" version "','kind':'" kind "','metadata':{'name':'" name   \
    "','namespace':'shop'" more "},'spec':{'x':1}}"
#define LEFT ",'finalizers':['stash.appscode.com','other']"

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&finalizer_loop, NULL};

    stand_prepare(stand);
    stand_put(stand, REPOSITORY, OBJECT("v1alpha1", "Repository", "r", ",'finalizers':['stash']"));
    stand_put(stand, CONFIGURATION, OBJECT("v1beta1", "BackupConfiguration", "c", LEFT));
    stand_put(stand, RESTORE, OBJECT("v1beta1", "RestoreSession", "s", LEFT));
    stand_lead(stand, table);
}

static bool has(const struct stand *stand, const char *path, const char *finalizers)
{
    AUTO(json) json_t *object = fake_cluster_get(stand->cluster, path);
    AUTO(json) json_t *wanted = json_row(finalizers);
    const json_t *there = tree_at(object, "metadata.finalizers");

    return tree_equal(there, wanted) || (!there && json_array_size(wanted) == 0);
}

static void await(const struct stand *stand, const char *path, const char *finalizers)
{
    AWAIT(has(stand, path, finalizers), "%s", path);
}

/* Only when Stash is known to be away, only its own; who puts it back keeps it. */
START_TEST(stash_goes)
    {
        struct stand stand;

        start(&stand);
        stand_look_again(&stand, 0, 1);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        loops_set_beside_stash(stand.loops, false);
        await(&stand, REPOSITORY, "[]");
        await(&stand, CONFIGURATION, "['other']");
        await(&stand, RESTORE, "['other']");
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 3);

        AUTO(json) json_t *back = fake_cluster_get(stand.cluster, REPOSITORY);

        tree_put_new(json_object_get(back, "metadata"), "finalizers", json_row("['stash']"));
        fake_cluster_put(stand.cluster, REPOSITORY, tree_copy(back));
        stand_look_again(&stand, 0, 1);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 3);
        /* but for what is deleted, and hangs */
        tree_put_text(json_object_get(back, "metadata"), "deletionTimestamp",
                      "2024-05-01T13:30:00Z");
        fake_cluster_put(stand.cluster, REPOSITORY, TAKE(back));
        await(&stand, REPOSITORY, "[]");
        stand_done(&stand);
    }
END_TEST

static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};

START_TEST(a_write_fails)
    {
        struct stand stand;

        start(&stand);
        fake_cluster_fail(stand.cluster, 1 + _i % 3, failures[_i / 3]);
        loops_set_beside_stash(stand.loops, false);
        await(&stand, REPOSITORY, "[]");
        await(&stand, CONFIGURATION, "['other']");
        await(&stand, RESTORE, "['other']");
        stand_done(&stand);
    }
END_TEST

SUITE(controllers_finalizer_loop)
{
    tcase_add_test(tests, stash_goes);
    tcase_add_loop_test(tests, a_write_fails, 0, 3 * (int)(sizeof failures / sizeof *failures));
}
