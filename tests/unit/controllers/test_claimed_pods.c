#include "controllers/claimed_pods.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/session_read.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define PODS "/api/v1/namespaces/shop/pods/"
#define POD(name, uid)                                                                             \
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'" name "','namespace':'shop','uid':'" uid \
    "'},'status':{'phase':'Running'}}"
#define A "11111111-0000-4000-8000-00000000000a"
#define B "11111111-0000-4000-8000-00000000000b"
#define CLAIM(host, uid)                                                                           \
    "{\"host\":\"" host "\",\"attempt\":1,\"since\":1,\"pod\":\"" uid                              \
    "\",\"instance\":\"00000000000000000000000000000001\"}"

/* What there is besides the target's own pods. */
static const struct {
    const char *name, *claims, *own, *jobs, *elsewhere, *missing;
    size_t pods; /* that are shown in the end */
    int reads;
} rows[] = {
    {"nobody has claimed", "", "", "[]", "", "[]", 0, 0},
    {"its own", CLAIM("host-0", A), POD("a", A), "[]", "", "[]", 1, 0},
    {"a Job's", CLAIM("host-0", A), "", "[" POD("a", A) "]", "", "[]", 0, 0},
    {"gone", CLAIM("host-0", A), "", "[]", "", "['" A "']", 0, 1},
    {"gone, no list of Jobs", CLAIM("host-0", A), "", "null", "", "['" A "']", 0, 1},
    {"another of its name", CLAIM("host-0", A), "", "[]", POD("a", B), "['" A "']", 0, 1},
    {"one of its own is another of its name", CLAIM("host-0", A), POD("a", B), "[]", "",
     "['" A "']", 1, 1},
    {"without the labels of its target", CLAIM("host-0", A), POD("b", B), "[]", POD("a", A), "[]",
     2, 2},
    {"one of two", CLAIM("host-0", A) "," CLAIM("host-1", B), "", "[]", POD("b", B), "['" A "']", 1,
     2},
};

static json_t *lease_of(const char *claims)
{
    AUTO(free)
    char *ledger = text_format("{\"session\":\"S\",\"since\":1,\"claims\":[%s]}", claims);
    json_t *lease = json_row("{'metadata':{'annotations':{}}}");

    tree_put_text((json_t *)tree_at(lease, "metadata.annotations"), KEY_LEDGER, ledger);
    return lease;
}

static void add_own(struct target_pods *pods, const char *row)
{
    AUTO(json) json_t *pod = *row ? json_row(row) : NULL;

    if (pod)
        target_pods_add(pods, pod);
}

START_TEST(what_has_become_of_them)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        AUTO(json) json_t *lease = lease_of(rows[_i].claims), *jobs = json_row(rows[_i].jobs);
        AUTO(json) json_t *missing = NULL, *wanted = json_row(rows[_i].missing);
        AUTO(target_pods) struct target_pods pods = {0};
        struct error err = {.message = ""};

        add_own(&pods, rows[_i].own);
        if (*rows[_i].elsewhere)
            fake_cluster_put(cluster, strstr(rows[_i].elsewhere, "'b'") ? PODS "b" : PODS "a",
                             json_row(rows[_i].elsewhere));
        ck_assert_msg(claimed_pods_seek(fake_cluster_client(cluster), "shop", lease, jobs, &pods,
                                        &missing, &err),
                      "%s", err.message);
        ck_assert_msg(tree_equal(missing, wanted), "%s", rows[_i].name);
        ck_assert_uint_eq(json_array_size(pods.pods), rows[_i].pods);
        ck_assert_int_eq(fake_cluster_reads(cluster), rows[_i].reads);
    }
END_TEST

/* What can not be asked is no proof. */
START_TEST(nobody_answers)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        AUTO(json) json_t *lease = lease_of(CLAIM("host-0", A)), *missing = NULL;
        AUTO(target_pods) struct target_pods pods = {0};
        struct error err = {.message = ""};

        fake_cluster_unserve(cluster, "pods");
        ck_assert(!claimed_pods_seek(fake_cluster_client(cluster), "shop", lease, NULL, &pods,
                                     &missing, &err));
        ck_assert_ptr_null(missing);
    }
END_TEST

SUITE(controllers_claimed_pods)
{
    suite_rows(tests, what_has_become_of_them, rows);
    tcase_add_test(tests, nobody_answers);
}
