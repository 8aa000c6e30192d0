#include "controllers/identity_loop.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/await.h"
#include "tests/unit/controllers/stand.h"
#include "tests/unit/suite.h"

/* The loop of ConfigMaps before an API server that keeps objects. */

#define TIMEOUT_MS 20000

#define NAMESPACE(name) "/api/v1/namespaces/" name
#define MAP(space) "/api/v1/namespaces/" space "/configmaps/granary-agent"
#define CONFIGURATION(space)                                                                       \
    "/apis/stash.appscode.com/v1beta1/namespaces/" space "/backupconfigurations/c"
#define RESTORE(space) "/apis/stash.appscode.com/v1beta1/namespaces/" space "/restoresessions/r"

static void put_map(const struct stand *stand, const char *space, const char *ca)
{
    AUTO(free) char *path = text_format("/api/v1/namespaces/%s/configmaps/granary-agent", space);
    AUTO(free)
    char *row =
        text_format("{'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': "
                    "'granary-agent', 'namespace': '%s'}, 'data': {'ca.crt': '%s', 'addresses': "
                    "'a:1'}}",
                    space, ca);

    stand_put(stand, path, row);
}

static void put_one(const struct stand *stand, const char *path, const char *kind,
                    const char *space, const char *name)
{
    AUTO(free)
    char *row = text_format("{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': '%s', "
                            "'metadata': {'name': '%s', 'namespace': '%s'}, 'spec': {}}",
                            kind, name, space);

    stand_put(stand, path, row);
}

static const struct loop *const table[] = {&identity_loop, NULL};

static void prepare(struct stand *stand)
{
    stand_prepare(stand);
    stand_put_namespace(stand, "granary-system");
    stand_put_namespace(stand, "shop");
    stand_put_namespace(stand, "idle");
    put_one(stand, CONFIGURATION("shop"), "BackupConfiguration", "shop", "c");
}

static bool has(const struct stand *stand, const char *path, const char *ca)
{
    AUTO(json) json_t *map = fake_cluster_get(stand->cluster, path);
    const json_t *data = tree_get(map, "data");

    return span_is(tree_span(data, "ca.crt"), ca) && span_is(tree_span(data, "addresses"), "a:1");
}

static bool is_known(const struct stand *stand, const char *space)
{
    AUTO(json)
    json_t *copy = known_get(loops_known(stand->loops), KNOWN_IDENTITY, space, "granary-agent");

    return copy != NULL;
}

/* Until the copy is also known here: before that, looking again writes it again. */
static void await_known(const struct stand *stand, const char *space)
{
    AWAIT(is_known(stand, space), "%s", space);
}

static void await(const struct stand *stand, const char *path, const char *ca)
{
    AWAIT(has(stand, path, ca), "%s has not %s", path, ca);
}

START_TEST(it_is_where_agents_may_run)
    {
        struct stand stand;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        put_map(&stand, "shop", "forged");
        stand_lead(&stand, table);
        await(&stand, MAP("shop"), "one");
        /* a namespace that begins to need it */
        stand_put_namespace(&stand, "late");
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
        stand_done(&stand);
    }
END_TEST

START_TEST(without_one_of_our_own_there_is_nothing_to_copy)
    {
        struct stand stand;

        prepare(&stand);
        stand_lead(&stand, table);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), 0);
        put_map(&stand, "granary-system", "one");
        await(&stand, MAP("shop"), "one");
        stand_done(&stand);
    }
END_TEST

/* Once it is so, nothing is asked for and nothing written. */
START_TEST(looking_again_writes_nothing)
    {
        struct stand stand;
        int asked;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        stand_lead(&stand, table);
        await(&stand, MAP("shop"), "one");
        await_known(&stand, "shop");
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        asked = fake_cluster_asked(stand.cluster);
        loops_sweep(stand.loops);
        ck_assert(loops_wait_idle(stand.loops, TIMEOUT_MS));
        ck_assert_int_eq(fake_cluster_asked(stand.cluster), asked);
        stand_done(&stand);
    }
END_TEST

/* A write that fails, in each way, comes again. */
START_TEST(failures_come_again)
    {
        struct stand stand;

        prepare(&stand);
        put_map(&stand, "granary-system", "one");
        fake_cluster_fail(stand.cluster, 1, (enum fake_failure)(FAILS_BEFORE + _i));
        stand_lead(&stand, table);
        await(&stand, MAP("shop"), "one");
        stand_done(&stand);
    }
END_TEST

SUITE(controllers_identity_loop)
{
    tcase_add_test(tests, it_is_where_agents_may_run);
    tcase_add_test(tests, without_one_of_our_own_there_is_nothing_to_copy);
    tcase_add_test(tests, looking_again_writes_nothing);
    tcase_add_loop_test(tests, failures_come_again, 0, 4);
}
