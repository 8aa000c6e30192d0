#include "controllers/identity_loop.h"

#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* The loop of ConfigMaps before an API server that keeps objects. */

#define TIMEOUT_MS 20000

#define NAMESPACE(name) "/api/v1/namespaces/" name
#define MAP(space) "/api/v1/namespaces/" space "/configmaps/granary-agent"
#define CONFIGURATION(space)                                                                       \
    "/apis/stash.appscode.com/v1beta1/namespaces/" space "/backupconfigurations/c"
#define RESTORE(space) "/apis/stash.appscode.com/v1beta1/namespaces/" space "/restoresessions/r"

struct stand {
    struct fake_cluster *cluster;
    struct settings_store *settings;
    struct loops *loops;
};

static void put(const struct stand *stand, const char *path, const char *row)
{
    fake_cluster_put(stand->cluster, path, json_row(row));
}

static void put_space(const struct stand *stand, const char *name)
{
    AUTO(free) char *path = text_format("/api/v1/namespaces/%s", name);
    AUTO(free)
    char *row =
        text_format("{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': '%s'}}", name);

    put(stand, path, row);
}

static void put_map(const struct stand *stand, const char *space, const char *ca)
{
    AUTO(free) char *path = text_format("/api/v1/namespaces/%s/configmaps/granary-agent", space);
    AUTO(free)
    char *row =
        text_format("{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': "
                    "'granary-agent', 'namespace': '%s'}, 'data': {'ca.crt': '%s', 'addresses': "
                    "'a:1'}}",
                    space, ca);

    put(stand, path, row);
}

static void put_one(const struct stand *stand, const char *path, const char *kind,
                    const char *space, const char *name)
{
    AUTO(free)
    char *row = text_format("{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': '%s', "
                            "'metadata': {'name': '%s', 'namespace': '%s'}, 'spec': {}}",
                            kind, name, space);

    put(stand, path, row);
}

static void start(struct stand *stand)
{
    static const struct loop *const table[] = {&identity_loop, NULL};
    struct error err = {.message = ""};

    stand->settings = settings_store_make(NULL, false, &err);
    ck_assert_ptr_nonnull(stand->settings);

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

static void prepare(struct stand *stand)
{
    log_setup(LOG_TEXT, LOG_ERROR);
    *stand = (struct stand){.cluster = fake_cluster_start()};
    put_space(stand, "granary-system");
    put_space(stand, "shop");
    put_space(stand, "idle");
    put_one(stand, CONFIGURATION("shop"), "BackupConfiguration", "shop", "c");
}

static void done(struct stand *stand)
{
    kube_client_cancel(fake_cluster_client(stand->cluster));
    loops_stop(TAKE(stand->loops));
    settings_store_free(TAKE(stand->settings));
    fake_cluster_stop(stand->cluster);
}

static bool has(const struct stand *stand, const char *path, const char *ca)
{
    AUTO(json) json_t *map = fake_cluster_get(stand->cluster, path);
    const json_t *data = tree_get(map, "data");

    return span_is(tree_span(data, "ca.crt"), ca) && span_is(tree_span(data, "addresses"), "a:1");
}

/* Until the copy is also known here: before that, looking again writes it again. */
static void await_known(const struct stand *stand, const char *space)
{
    struct timespec pause = {.tv_nsec = 1000000};
    json_t *copy = NULL;

    for (int i = 0; i < TIMEOUT_MS && !copy; i++) {
        copy = known_get(loops_known(stand->loops), KNOWN_IDENTITY, space, "granary-agent");
        nanosleep(&pause, NULL);
    }
    ck_assert_ptr_nonnull(copy);
    json_decref(copy);
}

static void await(const struct stand *stand, const char *path, const char *ca)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && !has(stand, path, ca); i++)
        nanosleep(&pause, NULL);
    ck_assert_msg(has(stand, path, ca), "%s has not %s", path, ca);
}

START_TEST(it_is_where_agents_may_run)
    {
        struct stand stand;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        put_map(&stand, "shop", "forged");
        start(&stand);
        await(&stand, MAP("shop"), "one");
        /* a namespace that begins to need it */
        put_space(&stand, "late");
        put_one(&stand, RESTORE("late"), "RestoreSession", "late", "r");
        await(&stand, MAP("late"), "one");
        /* a new CA is everywhere */
        put_map(&stand, "granary-system", "two");
        await(&stand, MAP("shop"), "two");
        await(&stand, MAP("late"), "two");
        /* what somebody else makes of it, or takes away */
        put_map(&stand, "shop", "forged");
        await(&stand, MAP("shop"), "two");
        fake_cluster_remove(stand.cluster, MAP("late"));
        await(&stand, MAP("late"), "two");

        AUTO(json) json_t *none = fake_cluster_get(stand.cluster, MAP("idle"));

        ck_assert_ptr_null(none);
        done(&stand);
    }
END_TEST

START_TEST(without_one_of_our_own_there_is_nothing_to_copy)
    {
        struct stand stand;

        prepare(&stand);
        start(&stand);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        put_map(&stand, "granary-system", "one");
        await(&stand, MAP("shop"), "one");
        done(&stand);
    }
END_TEST

/* Once it is so, nothing is asked for and nothing written. */
START_TEST(looking_again_writes_nothing)
    {
        struct stand stand;
        int asked;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        start(&stand);
        await(&stand, MAP("shop"), "one");
        await_known(&stand, "shop");
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        asked = fake_cluster_asked(stand.cluster);
        loops_sweep(stand.loops);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), asked);
        done(&stand);
    }
END_TEST

/* A write that fails, in each way, comes again. */
START_TEST(failures_come_again)
    {
        struct stand stand;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        fake_cluster_fail(stand.cluster, 1, (enum fake_failure)(FAILS_BEFORE + _i));
        start(&stand);
        await(&stand, MAP("shop"), "one");
        done(&stand);
    }
END_TEST

SUITE(controllers_identity_loop)
{
    tcase_add_test(tests, it_is_where_agents_may_run);
    tcase_add_test(tests, without_one_of_our_own_there_is_nothing_to_copy);
    tcase_add_test(tests, looking_again_writes_nothing);
    tcase_add_loop_test(tests, failures_come_again, 0, 4);
}
