#include "controllers/bare_claim.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define AFTER_MS 600000
#define NAMED(kind, more) "{'kind': '" kind "', 'metadata': {'name': 'db'" more "}, 'spec': "
#define TEMPLATE(claim)                                                                            \
    "{'template': {'spec': {'volumes': [{'name': 'v', 'persistentVolumeClaim': {'claimName': "     \
    "'" claim "'}}]}}}"
#define OWNED(version, kind)                                                                       \
    ", 'ownerReferences': [{'apiVersion': '" version "', 'kind': '" kind                           \
    "', 'name': 'o', 'controller': true}]"
#define POD(claim)                                                                                 \
    NAMED("Pod", "")                                                                               \
    "{'volumes': [{'name': 'v', 'persistentVolumeClaim': {'claimName': '" claim "'}}]}}"
#define SETS(template)                                                                             \
    NAMED("StatefulSet", "") "{'volumeClaimTemplates': [{'metadata': {'name': '" template "'}}]}}"

/* A claim, what else there is, and since when no pod has it. What is not given: bound, and for long
 * enough. */
static const struct {
    const char *metadata, *rest; /* of the claim */
    const char *user, *repository;
    bool backed_up;
    int64_t unused_ms;
    enum bare_verdict verdict;
    int64_t wait_ms;
} rows[] = {
    {.unused_ms = AFTER_MS, .verdict = BARE_IS},
    {.unused_ms = AFTER_MS - 1, .verdict = BARE_WAITS, .wait_ms = 1},
    {.verdict = BARE_WAITS, .wait_ms = AFTER_MS},
    /* a pod has it; of what is backed up already that changes nothing */
    {.user = POD("a"), .unused_ms = AFTER_MS, .verdict = BARE_USED, .wait_ms = AFTER_MS},
    {.user = POD("a"), .backed_up = true, .verdict = BARE_IS},
    {.user = POD("b"), .unused_ms = AFTER_MS, .verdict = BARE_IS},
    /* a workload names it, also one without pods, also one that takes it later */
    {.user = NAMED("Deployment", "") TEMPLATE("a") "}", .unused_ms = AFTER_MS},
    {.user = NAMED("Deployment", "") TEMPLATE("a") "}", .backed_up = true},
    {.user = NAMED("ReplicaSet", "") TEMPLATE("a") "}", .unused_ms = AFTER_MS},
    {.user = NAMED("Deployment", "") TEMPLATE("b") "}", .unused_ms = AFTER_MS, .verdict = BARE_IS},
    /* of another controller we know nothing; an old revision of a Deployment does not count */
    {.user = NAMED("ReplicaSet", OWNED("argoproj.io/v1alpha1", "Rollout")) TEMPLATE("a") "}",
     .unused_ms = AFTER_MS},
    {.user = NAMED("ReplicaSet", OWNED("apps/v1", "Deployment")) TEMPLATE("a") "}",
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
    {.user = SETS("data"), .metadata = "'name': 'data-db-0'", .unused_ms = AFTER_MS},
    {.user = SETS("data"), .metadata = "'name': 'data-db-12'", .backed_up = true},
    {.user = SETS("data"),
     .metadata = "'name': 'data-db-'",
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
    {.user = SETS("data"),
     .metadata = "'name': 'data-db-0x'",
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
    /* no data, or none of its own */
    {.rest = ", 'status': {'phase': 'Pending'}", .unused_ms = AFTER_MS},
    {.rest = "", .unused_ms = AFTER_MS},
    {.rest = ", 'status': {'phase': 'Lost'}", .backed_up = true, .verdict = BARE_IS},
    {.rest = ", 'spec': {'volumeMode': 'Block'}, 'status': {'phase': 'Bound'}",
     .unused_ms = AFTER_MS},
    {.metadata = "'name': 'a'" OWNED("v1", "Pod"), .unused_ms = AFTER_MS},
    {.metadata = "'name': 'a'" OWNED("example.org/v1", "Database"),
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
    {.repository =
         "{'spec': {'backend': {'local': {'persistentVolumeClaim': {'claimName': 'a'}}}}}",
     .unused_ms = AFTER_MS},
    /* any shape */
    {.user = "{'kind': 'Pod', 'spec': {'volumes': {'persistentVolumeClaim': 7}}}",
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
    {.user = "{'kind': 'StatefulSet', 'metadata': 7, 'spec': {'volumeClaimTemplates': [7]}}",
     .unused_ms = AFTER_MS,
     .verdict = BARE_IS},
};

START_TEST(decides)
    {
        AUTO(text) struct text text = {0};
        AUTO(claim_users) struct claim_users users = {0};
        AUTO(json) json_t *user = json_row(rows[_i].user ? rows[_i].user : "{}");
        AUTO(json) json_t *repositories = json_array();

        text_addf(&text, "{'metadata': {%s}%s}",
                  rows[_i].metadata ? rows[_i].metadata : "'name': 'a'",
                  rows[_i].rest ? rows[_i].rest : ", 'status': {'phase': 'Bound'}");
        if (rows[_i].repository)
            tree_push_new(repositories, json_row(rows[_i].repository));
        claim_users_add(&users, user);

        AUTO(json) json_t *claim = json_row(text_get(&text));
        struct bare_next next = bare_next(&(struct bare_seen){.claim = claim,
                                                              .repositories = repositories,
                                                              .users = &users,
                                                              .backed_up = rows[_i].backed_up,
                                                              .unused_ms = rows[_i].unused_ms,
                                                              .after_ms = AFTER_MS});

        ck_assert_int_eq(next.verdict, rows[_i].verdict);
        ck_assert_int_eq(next.wait_ms, rows[_i].wait_ms);
    }
END_TEST

SUITE(controllers_bare_claim)
{
    suite_rows(tests, decides, rows);
}
