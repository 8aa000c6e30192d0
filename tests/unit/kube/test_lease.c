#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "kube/lease.h"
#include "kube/verbs.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/suite.h"

/* Leadership over sockets, against a server that keeps one Lease. */

#define DURATION_MS 3000
#define PATH "/apis/coordination.k8s.io/v1/namespaces/granary-system/leases"

struct office {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    json_t *lease;
    int version;
    bool silent; /* nothing is answered any more */
    enum kube_lease_state states[2];
};

static void put_version(struct office *office)
{
    AUTO(free) char *version = text_format("%d", ++office->version);
    json_t *metadata = json_object_get(office->lease, "metadata");

    tree_put_text(metadata, "name", "granary-controller");
    tree_put_text(metadata, "namespace", "granary-system");
    tree_put_text(metadata, "resourceVersion", version);
    tree_put_text(metadata, "uid", "uid-of-the-lease");
}

/* Status of the answer. */
static int carry_out(struct office *office, const struct fake_request *request)
{
    AUTO(json)
    json_t *body =
        json_loadb(request->body.data ? request->body.data : "", request->body.length, 0, NULL);
    bool there = office->lease != NULL;

    if (strcmp(request->method, "GET") == 0)
        return there ? 200 : 404;
    if (strcmp(request->method, "POST") == 0) {
        if (there)
            return 409;
        office->lease = tree_copy(body);
    } else {
        const char *asked = tree_text(tree_get(body, "metadata"), "resourceVersion");
        const char *now = tree_text(tree_get(office->lease, "metadata"), "resourceVersion");

        if (!there || strcmp(asked, now) != 0)
            return there ? 409 : 404;
        json_object_update(json_object_get(office->lease, "spec"), json_object_get(body, "spec"));
    }
    put_version(office);
    return 200;
}

static bool serve(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct office *office = context;
    AUTO(text) struct text text = {0};

    pthread_mutex_lock(&office->mutex);

    bool silent = office->silent;
    int status = silent ? 0 : carry_out(office, request);

    if (status == 200)
        tree_write(&text, office->lease, false);
    pthread_mutex_unlock(&office->mutex);
    if (silent)
        return fake_hang(peer);
    return fake_answer(peer, status, NULL, text.length ? text_get(&text) : "{}");
}

struct told {
    struct office *office;
    int who;
};

static void tell(enum kube_lease_state state, void *context)
{
    const struct told *told = context;

    pthread_mutex_lock(&told->office->mutex);
    told->office->states[told->who] = state;
    pthread_cond_broadcast(&told->office->changed);
    pthread_mutex_unlock(&told->office->mutex);
}

/* Until a candidate has come so far; fails after 30 s. */
static void wait_for(struct office *office, int who, enum kube_lease_state state)
{
    struct timespec until;
    int late = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    pthread_mutex_lock(&office->mutex);
    while (office->states[who] != state && late == 0)
        late = pthread_cond_timedwait(&office->changed, &office->mutex, &until);
    pthread_mutex_unlock(&office->mutex);
    ck_assert_int_eq(late, 0);
}

static struct kube_client *client_of(struct fake *fake, const struct kube_fence *fence)
{
    struct kube_config config = {.server = (char *)fake_url(fake)};
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1, .fence = fence};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, &limits, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static struct kube_lease *stand(struct kube_client *client, struct told *told)
{
    struct kube_lease_options options = {
        .space = "granary-system",
        .name = "granary-controller",
        .identity = "pod",
        .rules = {.duration_ms = DURATION_MS, .leads_ms = 600, .retry_ms = 100, .answer_ms = 300},
        .changed = tell,
        .context = told};
    struct error err = {0};
    struct kube_lease *lease = kube_lease_start(client, &options, &err);

    ck_assert_msg(lease != NULL, "%s", err.message);
    return lease;
}

static void office_done(struct office *office)
{
    json_decref(office->lease);
    pthread_cond_destroy(&office->changed);
    pthread_mutex_destroy(&office->mutex);
}

#define OFFICE                                                                                     \
    {                                                                                              \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER                    \
    }

/* One that was given back: it may be had at once. */
static json_t *given_back_new(void)
{
    json_t *lease = json_pack("{s:{s:s, s:s}, s:{s:s, s:i}}", "metadata", "name",
                              "granary-controller", "namespace", "granary-system", "spec",
                              "holderIdentity", "", "leaseDurationSeconds", 1);

    tree_put_text(lease, "apiVersion", "coordination.k8s.io/v1");
    tree_put_text(lease, "kind", "Lease");
    tree_put_text(json_object_get(lease, "metadata"), "resourceVersion", "0");
    tree_put_text(json_object_get(lease, "metadata"), "uid", "uid-of-the-lease");
    return lease;
}

/* Somebody may still lead by one that was deleted. */
START_TEST(who_makes_the_lease_waits)
    {
        struct office office = OFFICE;
        struct fake *fake = fake_start(NULL, serve, &office);
        struct kube_client *client = client_of(fake, NULL);
        struct told told = {&office, 0};
        int64_t begin_ms = clock_mono_ms();
        struct kube_lease *lease = stand(client, &told);

        wait_for(&office, 0, KUBE_LEASE_LEADS);
        ck_assert_int_ge(clock_mono_ms() - begin_ms, DURATION_MS);
        ck_assert(kube_lease_stop(lease));
        kube_client_stop(client);
        fake_stop(fake);
        office_done(&office);
    }
END_TEST

START_TEST(one_leads_and_hands_over)
    {
        struct office office = OFFICE;

        office.lease = given_back_new();

        struct fake *fake = fake_start(NULL, serve, &office);
        struct kube_client *client = client_of(fake, NULL);
        struct told told[] = {{&office, 0}, {&office, 1}};
        struct kube_lease *first = stand(client, &told[0]);

        wait_for(&office, 0, KUBE_LEASE_LEADS);
        ck_assert_int_gt(kube_lease_left_ms(first), 0);

        struct kube_lease *second = stand(client, &told[1]);
        struct kube_lease_facts facts = kube_lease_look(first);

        ck_assert_int_eq(facts.state, KUBE_LEASE_LEADS);
        ck_assert_str_eq(facts.holder, facts.self);
        ck_assert(!facts.stuck);
        ck_assert_int_eq(kube_lease_left_ms(second), 0);

        /* LE7: far sooner than it would expire */
        int64_t begin_ms = clock_mono_ms();

        ck_assert(kube_lease_stop(first));
        ck_assert_int_eq(office.states[0], KUBE_LEASE_OVER);
        wait_for(&office, 1, KUBE_LEASE_LEADS);
        ck_assert_int_lt(clock_mono_ms() - begin_ms, 2900);
        ck_assert(kube_lease_stop(second));
        kube_client_stop(client);
        fake_stop(fake);
        ck_assert_str_eq(tree_text(tree_get(office.lease, "spec"), "holderIdentity"), "");
        ck_assert_int_eq(tree_int(tree_get(office.lease, "spec"), "leaseTransitions", -1), 2);
        office_done(&office);
    }
END_TEST

/* PF2: cut off from the server, the leader stops by its own clock. LE5: for good. */
START_TEST(who_can_not_renew_is_lost)
    {
        struct office office = OFFICE;

        office.lease = given_back_new();

        struct fake *fake = fake_start(NULL, serve, &office);
        struct kube_client *client = client_of(fake, NULL);
        struct told told = {&office, 0};
        struct kube_lease *lease = stand(client, &told);

        wait_for(&office, 0, KUBE_LEASE_LEADS);
        pthread_mutex_lock(&office.mutex);
        office.silent = true;
        pthread_mutex_unlock(&office.mutex);
        wait_for(&office, 0, KUBE_LEASE_LOST);
        ck_assert_int_eq(kube_lease_left_ms(lease), 0);
        ck_assert(!kube_lease_stop(lease));
        kube_client_stop(client);
        fake_stop(fake);
        office_done(&office);
    }
END_TEST

/* LE6: reading is free, writing is for the leader. */
START_TEST(a_fence_lets_only_the_leader_write)
    {
        static const struct kube_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease",
                                                    true};
        struct kube_ref ref = {&leases, "granary-system", "granary-controller", NULL};
        struct office office = OFFICE;

        office.lease = given_back_new();

        struct fake *fake = fake_start(NULL, serve, &office);
        struct kube_client *client = client_of(fake, NULL);
        struct told told[] = {{&office, 0}, {&office, 1}};
        struct kube_lease *first = stand(client, &told[0]), *second;
        struct error err = {0};
        struct kube_result result = {0};

        wait_for(&office, 0, KUBE_LEASE_LEADS);
        second = stand(client, &told[1]);

        struct kube_client *leader = client_of(fake, kube_lease_fence(first)),
                           *other = client_of(fake, kube_lease_fence(second));
        AUTO(json) json_t *lease = kube_get(other, &ref, &err);

        ck_assert_msg(lease != NULL, "%s", err.message);
        ck_assert(!kube_delete(other, &ref, NULL, NULL, &result, &err));
        ck_assert_int_eq(err.code, ERROR_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(err.message, "not the leader"));
        ck_assert_int_eq(result.outcome, KUBE_REFUSED);

        /* the leader's own writes get through: this one is known to be too late */
        err = (struct error){0};
        ck_assert(!kube_create(leader, &ref, lease, NULL, &result, &err));
        ck_assert_int_eq(err.code, ERROR_CONFLICT);

        ck_assert(kube_lease_stop(second));
        ck_assert(kube_lease_stop(first));
        kube_client_stop(leader);
        kube_client_stop(other);
        kube_client_stop(client);
        fake_stop(fake);
        office_done(&office);
    }
END_TEST

static const struct {
    const char *identity;
    struct election_rules rules;
} bad_rows[] = {
    {"", {0}},
    {NULL, {0}},
    {"pod", {.duration_ms = 10000, .leads_ms = 10000}},
    {"pod", {.leads_ms = 3000, .retry_ms = 2000}},
};

START_TEST(what_can_not_hold_is_refused)
    {
        struct kube_lease_options options = {.space = "n",
                                             .name = "l",
                                             .identity = bad_rows[_i].identity,
                                             .rules = bad_rows[_i].rules};
        struct error err = {0};

        ck_assert_ptr_null(kube_lease_start(NULL, &options, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

SUITE(kube_lease)
{
    tcase_add_test(tests, who_makes_the_lease_waits);
    tcase_add_test(tests, one_leads_and_hands_over);
    tcase_add_test(tests, who_can_not_renew_is_lost);
    tcase_add_test(tests, a_fence_lets_only_the_leader_write);
    suite_rows(tests, what_can_not_hold_is_refused, bad_rows);
    tcase_set_timeout(tests, 60);
}
