#include "controllers/finalizer_loop.h"

#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* Before an API server that keeps objects. */

#define TIMEOUT_MS 60000

#define REPOSITORY "/apis/stash.appscode.com/v1alpha1/namespaces/shop/repositories/r"
#define CONFIGURATION "/apis/stash.appscode.com/v1beta1/namespaces/shop/backupconfigurations/c"
#define RESTORE "/apis/stash.appscode.com/v1beta1/namespaces/shop/restoresessions/s"
#define OBJECT(version, kind, name, more)                                                          \
    "{'apiVersion':'stash.appscode.com/" version "','kind':'" kind "','metadata':{'name':'" name   \
    "','namespace':'shop'" more "},'spec':{'x':1}}"
#define LEFT ",'finalizers':['stash.appscode.com','other']"

struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings;
    struct loops *loops;
};

static void put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&finalizer_loop, NULL};
    struct error err = {.message = ""};

    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = fake_cluster_start()};
    put(stand, REPOSITORY, OBJECT("v1alpha1", "Repository", "r", ",'finalizers':['stash']"));
    put(stand, CONFIGURATION, OBJECT("v1beta1", "BackupConfiguration", "c", LEFT));
    put(stand, RESTORE, OBJECT("v1beta1", "RestoreSession", "s", LEFT));
    stand->settings = settings_store_make(NULL, false, &err);

    struct loops_options options = {
        .table = table,
        .client = fake_cluster_client(stand->cluster),
        .settings = stand->settings,
        .space = "granary-system",
        .limits = {.first_ms = 1, .max_ms = 10, .rate = 1e6, .burst = 1e6},
        .watching = {.backoff_ms = 1, .backoff_max_ms = 4, .short_ms = 1},
        .lists_only = true,
    };

    stand->loops = loops_start(&options, &err);
    ck_assert_msg(stand->loops != NULL, "%s", err.message);
}

static void stop(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->cluster));
    loops_stop(TAKE(stand->loops));
    settings_store_free(TAKE(stand->settings));
    fake_cluster_stop(stand->cluster);
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
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && !has(stand, path, finalizers); i++)
        nanosleep(&pause, NULL);
    ck_assert_msg(has(stand, path, finalizers), "%s", path);
}

/* Everything is looked at once more. */
static void look_again(const struct stand *stand)
{
    struct timespec pause = {.tv_nsec = 1000000};
    int64_t steps = loops_look_at(stand->loops, 0).steps;

    loops_sweep(stand->loops);
    for (int i = 0; i < TIMEOUT_MS && loops_look_at(stand->loops, 0).steps == steps; i++)
        nanosleep(&pause, NULL);
    ck_assert(loops_wait_idle(stand->loops, TIMEOUT_MS));
}

/* Only when Stash is known to be away, only its own; who puts it back keeps it. */
START_TEST(stash_goes)
    {
        struct stand stand;

        start(&stand);
        look_again(&stand);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        loops_set_beside_stash(stand.loops, false);
        await(&stand, REPOSITORY, "[]");
        await(&stand, CONFIGURATION, "['other']");
        await(&stand, RESTORE, "['other']");
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 3);

        AUTO(json) json_t *back = fake_cluster_get(stand.cluster, REPOSITORY);

        tree_put_new(json_object_get(back, "metadata"), "finalizers", json_row("['stash']"));
        fake_cluster_put(stand.cluster, REPOSITORY, tree_copy(back));
        look_again(&stand);
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 3);
        /* but for what is deleted, and hangs */
        tree_put_text(json_object_get(back, "metadata"), "deletionTimestamp",
                      "2024-05-01T13:30:00Z");
        fake_cluster_put(stand.cluster, REPOSITORY, TAKE(back));
        await(&stand, REPOSITORY, "[]");
        stop(&stand);
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
        stop(&stand);
    }
END_TEST

SUITE(controllers_finalizer_loop)
{
    tcase_add_test(tests, stash_goes);
    tcase_add_loop_test(tests, a_write_fails, 0, 3 * (int)(sizeof failures / sizeof *failures));
}
