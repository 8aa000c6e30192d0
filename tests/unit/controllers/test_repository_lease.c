#include "controllers/repository_lease.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "tests/unit/controllers/fake_cluster.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

#define SPACE "granary-system"
#define REPOSITORY "shop/r"
#define LEASES "/apis/coordination.k8s.io/v1/namespaces/" SPACE "/leases/"

static const struct repository_worker worker = {SPACE, REPOSITORY, "s-1", "p-1"},
                                      other = {SPACE, REPOSITORY, "s-2", "p-2"};

static char *path_of(void)
{
    AUTO(free) char *name = repository_lease_name(REPOSITORY);

    return text_format(LEASES "%s", name);
}

/* What the ledger says now, "" without one. The caller frees it. */
static char *ledger_of(struct fake_cluster *cluster)
{
    AUTO(free) char *path = path_of();
    AUTO(json) json_t *lease = fake_cluster_get(cluster, path);
    const char *text = tree_text(tree_at(lease, "metadata.annotations"), KEY_HOLDERS);

    return text_format("%s", text ? text : "");
}

static void put_lease(struct fake_cluster *cluster, const char *annotations)
{
    AUTO(free) char *path = path_of();
    AUTO(free) char *name = repository_lease_name(REPOSITORY);
    json_t *lease = json_row("{'apiVersion': 'coordination.k8s.io/v1', 'kind': 'Lease'}");
    json_t *metadata = json_object();

    tree_put_text(metadata, "name", name);
    tree_put_text(metadata, "namespace", SPACE);
    tree_put_new(metadata, "annotations", json_row(annotations));
    tree_put_new(lease, "metadata", metadata);
    fake_cluster_put(cluster, path, lease);
}

START_TEST(test_life)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        AUTO(free) char *path = path_of();
        struct error err;
        bool in = false;

        ck_assert(repository_lease_leave(client, &worker, &err)); /* nobody is in there */
        ck_assert(repository_lease_share(client, &worker, 1, &in, &err) && in);
        ck_assert(repository_lease_share(client, &other, 2, &in, &err) && in);

        AUTO(free) char *two = ledger_of(cluster);
        AUTO(json) json_t *lease = fake_cluster_get(cluster, path);

        ck_assert_str_eq(two, "{\"holders\":[{\"session\":\"s-1\",\"pod\":\"p-1\",\"since\":1},"
                              "{\"session\":\"s-2\",\"pod\":\"p-2\",\"since\":2}]}");
        ck_assert_str_eq(repository_lease_of(lease), REPOSITORY);
        ck_assert(repository_lease_leave(client, &worker, &err));

        AUTO(free) char *one = ledger_of(cluster);

        ck_assert_str_eq(one, "{\"holders\":[{\"session\":\"s-2\",\"pod\":\"p-2\",\"since\":2}]}");
    }
END_TEST

/* Whoever comes waits while maintenance works, and after it said that it wants to. */
START_TEST(test_kept_out)
    {
        static const char *const rows[] = {
            "{'" KEY_REPOSITORY "': '" REPOSITORY "', '" KEY_HOLDERS
            "': '{\\\"exclusive\\\":true,\\\"holders\\\":[{\\\"session\\\":\\\"r\\\",\\\"pod\\\":"
            "\\\"job\\\",\\\"since\\\":1}]}'}",
            "{'" KEY_REPOSITORY "': '" REPOSITORY "', '" KEY_HOLDERS
            "': '{\\\"wanted\\\":5,\\\"holders\\\":[{\\\"session\\\":\\\"x\\\",\\\"pod\\\":"
            "\\\"y\\\",\\\"since\\\":1}]}'}",
        };
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct error err;
        bool in = true;

        put_lease(cluster, rows[_i]);

        int writes = fake_cluster_writes(cluster);

        ck_assert(repository_lease_share(fake_cluster_client(cluster), &worker, 10, &in, &err));
        ck_assert(!in && fake_cluster_writes(cluster) == writes);
    }
END_TEST

/* Nobody is let in when it is not known who works. */
static const char *const unreadable[] = {
    "null",
    "{}",
    "{'" KEY_REPOSITORY "': '" REPOSITORY "'}",
    "{'" KEY_HOLDERS "': '{}'}",
    "{'" KEY_REPOSITORY "': 'shop/x', '" KEY_HOLDERS "': '{}'}",
    "{'" KEY_REPOSITORY "': '" REPOSITORY "', '" KEY_HOLDERS "': '{'}",
    "{'" KEY_REPOSITORY "': '" REPOSITORY "', '" KEY_HOLDERS "': '[]'}",
    "{'" KEY_REPOSITORY "': '" REPOSITORY "', '" KEY_HOLDERS "': '{\\\"exclusive\\\":true}'}",
};

START_TEST(test_unreadable)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        struct error err = {.message = ""};
        bool in;

        put_lease(cluster, unreadable[_i]);

        int writes = fake_cluster_writes(cluster);

        ck_assert(!repository_lease_share(client, &worker, 1, &in, &err));
        ck_assert(err.message[0] && err.code != ERROR_CONFLICT);
        ck_assert(!repository_lease_leave(client, &worker, &err));
        ck_assert_int_eq(fake_cluster_writes(cluster), writes);
    }
END_TEST

static const enum fake_failure failures[] = {FAILS_BEFORE, FAILS_AFTER, FAILS_REFUSED,
                                             FAILS_CONFLICT};

/* A write that fails leaves nobody in who was not told, but who asks again is let in. */
START_TEST(test_failures)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        struct error err;
        bool in, let, changes = _i >= 4;

        if (changes)
            ck_assert(repository_lease_share(client, &other, 1, &in, &err) && in);
        fake_cluster_fail(cluster, 1, failures[_i % 4]);
        let = repository_lease_share(client, &worker, 1, &in, &err);
        ck_assert_int_eq(let, failures[_i % 4] == FAILS_CONFLICT);
        ck_assert(repository_lease_share(client, &worker, 2, &in, &err) && in);
        fake_cluster_fail(cluster, 1, failures[_i % 4]);
        let = repository_lease_leave(client, &worker, &err);
        ck_assert_int_eq(let, failures[_i % 4] == FAILS_CONFLICT);
        ck_assert(repository_lease_leave(client, &worker, &err));

        AUTO(free) char *left = ledger_of(cluster);

        ck_assert_msg((strstr(left, "s-2") != NULL) == changes && !strstr(left, "s-1"), "%s", left);
    }
END_TEST

/* ---- whose end is proven elsewhere ---- */

static void nobody(struct kube_client *client)
{
    (void)client;
}

/* The same pod, let in anew: what was proven is of what it did before. */
static void he_again(struct kube_client *client)
{
    struct error err;
    bool in;

    ck_assert(repository_lease_share(client, &worker, 1, &in, &err) && in);
}

static void somebody_else(struct kube_client *client)
{
    struct error err;
    bool in;

    ck_assert(repository_lease_share(client, &other, 2, &in, &err) && in);
}

static void he_himself(struct kube_client *client)
{
    struct error err;

    ck_assert(repository_lease_leave(client, &worker, &err));
}

/* What comes between the reading and the writing. */
static const struct {
    void (*between)(struct kube_client *client);
    const char *repository, *session, *pod;
    bool in;
} departures[] = {
    {nobody, REPOSITORY, "s-1", "p-1", false},
    {he_again, REPOSITORY, "s-1", "p-1", true},
    {somebody_else, REPOSITORY, "s-1", "p-1", true}, /* later, by maintenance */
    {he_himself, REPOSITORY, "s-1", "p-1", false},
    /* not he, not here, or not known */
    {nobody, REPOSITORY, "s-1", "p-2", true},
    {nobody, REPOSITORY, "s-2", "p-1", true},
    {nobody, "shop/x", "s-1", "p-1", true},
    {nobody, NULL, "s-1", "p-1", true},
    {nobody, REPOSITORY, NULL, "p-1", true},
    {nobody, REPOSITORY, "s-1", NULL, true},
};

START_TEST(test_departures)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        AUTO(repository_departure) struct repository_departure departure = {0};
        const char *repository = departures[_i].repository;

        he_again(client);
        repository_departure_begin(client, SPACE, repository ? text_format("%s", repository) : NULL,
                                   departures[_i].session, departures[_i].pod, &departure);
        departures[_i].between(client);
        repository_departure_end(client, &departure);

        AUTO(free) char *ledger = ledger_of(cluster);

        ck_assert_msg((strstr(ledger, "s-1") != NULL) == departures[_i].in, "%s", ledger);
    }
END_TEST

/* A proof whose write failed is none: without the end nothing changes. */
START_TEST(test_departure_that_never_ends)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        AUTO(repository_departure) struct repository_departure departure = {0};

        he_again(client);
        repository_departure_begin(client, SPACE, text_format("%s", REPOSITORY), "s-1", "p-1",
                                   &departure);

        AUTO(free) char *ledger = ledger_of(cluster);

        ck_assert_ptr_nonnull(strstr(ledger, "s-1"));
    }
END_TEST

/* A ledger that somebody broke stays as it is. */
START_TEST(test_departure_from_the_unreadable)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        AUTO(repository_departure) struct repository_departure departure = {0};

        put_lease(cluster, unreadable[_i]);

        int writes = fake_cluster_writes(cluster);

        repository_departure_begin(client, SPACE, text_format("%s", REPOSITORY), "s-1", "p-1",
                                   &departure);
        repository_departure_end(client, &departure);
        ck_assert_int_eq(fake_cluster_writes(cluster), writes);
    }
END_TEST

/* ---- interleavings ---- */

#define AGENTS 3
#define STEPS 600

/* One who reads, and writes later, when anything may have happened: an agent's desk, or, the last
 * one, maintenance; two leaders may think that they lead. */
struct actor {
    struct repository_ledger read;
    enum holders_answer answer;
    bool busy;  /* has read, will write */
    bool works; /* was told that he may */
};

static uint32_t draw(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static enum holder_state is_me(void *context, const struct holder *holder)
{
    return strcmp(holder->pod, context) == 0 ? HOLDER_ENDED : HOLDER_WORKS;
}

static void begin(struct kube_client *client, struct actor *actor, size_t who, char *pod,
                  int64_t now_s)
{
    struct error err;
    struct holders *holders;

    ck_assert_msg(repository_ledger_get(client, SPACE, REPOSITORY, &actor->read, &err), "%s",
                  err.message);
    holders = actor->read.holders;
    if (actor->works)
        actor->answer = holders_sweep(holders, is_me, pod) ? HOLDERS_WANTED : HOLDERS_WAIT;
    else if (who >= AGENTS)
        actor->answer = holders_exclude(holders, "r", pod, now_s);
    else
        actor->answer = holders_share(holders, "s", pod, now_s);
    actor->busy = true;
}

static void end(struct kube_client *client, struct actor *actor)
{
    struct error err;
    bool written = actor->answer != HOLDERS_WAIT &&
                   repository_ledger_put(client, SPACE, REPOSITORY, &actor->read, &err);

    ck_assert(written || actor->answer == HOLDERS_WAIT || err.code == ERROR_CONFLICT);
    if (written)
        actor->works = !actor->works && actor->answer >= HOLDERS_LET_IN;
    repository_ledger_done(&actor->read);
    actor->busy = false;
}

/* A writer never works beside a prune, whatever comes between reading and writing. */
START_TEST(test_interleavings)
    {
        AUTO(fake_cluster) struct fake_cluster *cluster = fake_cluster_start();
        struct kube_client *client = fake_cluster_client(cluster);
        struct actor actors[AGENTS + 2] = {0};
        char pods[AGENTS + 2][2] = {"a", "b", "c", "x", "y"};
        uint32_t seed = (uint32_t)_i * 2654435761u + 1;
        int alone_ever = 0, shared_ever = 0;

        for (int step = 0; step < STEPS; step++) {
            size_t who = draw(&seed) % (AGENTS + 2);
            struct actor *actor = &actors[who];
            int shared = 0, alone = 0;

            /* who works is in no hurry to end */
            if (actor->busy)
                end(client, actor);
            else if (!actor->works || draw(&seed) % 3 == 0)
                begin(client, actor, who, pods[who], step);
            for (size_t i = 0; i < AGENTS + 2; i++)
                *(i < AGENTS ? &shared : &alone) += actors[i].works;
            ck_assert_msg(alone <= 1 && (!alone || !shared), "step %d: %d beside %d", step, shared,
                          alone);
            alone_ever += alone;
            shared_ever += shared > 0;
        }
        ck_assert(alone_ever && shared_ever);
        for (size_t i = 0; i < AGENTS + 2; i++)
            repository_ledger_done(&actors[i].read);
    }
END_TEST

SUITE(repository_lease)
{
    tcase_add_test(tests, test_life);
    tcase_add_loop_test(tests, test_kept_out, 0, 2);
    suite_rows(tests, test_unreadable, unreadable);
    tcase_add_loop_test(tests, test_failures, 0, 8);
    suite_rows(tests, test_departures, departures);
    tcase_add_test(tests, test_departure_that_never_ends);
    suite_rows(tests, test_departure_from_the_unreadable, unreadable);
    tcase_add_loop_test(tests, test_interleavings, 0, 4);
}
