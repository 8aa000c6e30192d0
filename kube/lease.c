#include "kube/lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/wait.h"
#include "kube/verbs.h"

/* Beyond the duration: a thread that did not come round hangs. */
#define STUCK_MS 20000

static const struct kube_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease", true};

struct kube_lease {
    struct kube_client *client;
    char *space, *name;
    void (*changed)(enum kube_lease_state state, void *context);
    void *context;
    struct election election; /* the thread's */
    bool given_back;          /* the thread's, until it has ended */
    unsigned short seed[3];
    pthread_t thread;
    struct kube_fence fence;
    _Atomic int64_t leads_until_ms; /* 0: does not lead */

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t wake;
    bool stopping;
    int64_t round_ms, renewed_ms; /* 0: never */
    struct kube_lease_facts facts;
};

int64_t kube_lease_left_ms(const struct kube_lease *lease)
{
    int64_t left_ms = atomic_load(&lease->leads_until_ms) - clock_boot_ms();

    return left_ms > 0 ? left_ms : 0;
}

static int64_t left_of(void *lease)
{
    return kube_lease_left_ms(lease);
}

const struct kube_fence *kube_lease_fence(struct kube_lease *lease)
{
    return &lease->fence;
}

/* Tells what is so by now; before a request that gives it back. */
static void publish(struct kube_lease *lease, const struct election_step *step)
{
    const struct election *election = &lease->election;
    enum kube_lease_state before, state = step->act == ELECTION_LOST   ? KUBE_LEASE_LOST
                                          : step->act == ELECTION_OVER ? KUBE_LEASE_OVER
                                          : election->leads_until_ms   ? KUBE_LEASE_LEADS
                                                                       : KUBE_LEASE_STANDS;

    atomic_store(&lease->leads_until_ms, election->leads_until_ms);
    pthread_mutex_lock(&lease->mutex);
    before = lease->facts.state;
    lease->facts.state = state;
    lease->round_ms = clock_boot_ms();
    snprintf(lease->facts.holder, sizeof lease->facts.holder, "%s", election->seen.holder);
    pthread_mutex_unlock(&lease->mutex);
    if (state == before)
        return;
    if (state == KUBE_LEASE_LEADS)
        log_info("leading", LOG_S("lease", lease->name), LOG_S("identity", election->self));
    if (state == KUBE_LEASE_LOST)
        log_error("the lease is lost", LOG_S("lease", lease->name),
                  LOG_S("holder", election->seen.holder));
    if (lease->changed)
        lease->changed(state, lease->context);
}

/* A problem is told once, until a Lease was read or written. */
static void note(struct kube_lease *lease, enum election_act act, bool good, bool there,
                 const struct error *err)
{
    bool ours = act == ELECTION_CREATE || act == ELECTION_TAKE || act == ELECTION_RENEW;

    pthread_mutex_lock(&lease->mutex);
    lease->facts.failures += !good;
    if (good && ours)
        lease->renewed_ms = clock_boot_ms();

    bool news = !good && strcmp(lease->facts.problem, err->message) != 0;

    if (!good || there)
        snprintf(lease->facts.problem, sizeof lease->facts.problem, "%s", err->message);
    pthread_mutex_unlock(&lease->mutex);
    /* somebody else was faster: that is what it is for */
    if (news && err->code != ERROR_CONFLICT)
        log_warn("a request for the lease failed", LOG_S("lease", lease->name),
                 LOG_S("error", err->message));
}

static json_t *body_of(const struct kube_lease *lease, enum election_act act)
{
    json_t *body = election_body(&lease->election, act, clock_now_ms());
    json_t *metadata = json_object_get(body, "metadata");

    tree_put_text(metadata, "name", lease->name);
    tree_put_text(metadata, "namespace", lease->space);
    return body;
}

static enum election_end ask(struct kube_lease *lease, const struct election_step *step,
                             struct election_record *record)
{
    struct kube_ref ref = {&leases, lease->space, lease->name, NULL};
    struct kube_options options = {.timeout_ms = step->timeout_ms};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *body = NULL;
    struct error err = {0};
    bool good;

    if (step->act == ELECTION_READ) {
        result.object = kube_get_within(lease->client, &ref, step->timeout_ms, &err);
        good = result.object || err.code == ERROR_NOT_FOUND;
    } else {
        body = body_of(lease, step->act);
        good = step->act == ELECTION_CREATE
                   ? kube_create(lease->client, &ref, body, &options, &result, &err)
                   : kube_merge_patch(lease->client, &ref, body, &options, &result, &err);
    }
    if (good)
        err = (struct error){0};
    note(lease, step->act, good, result.object != NULL, &err);
    if (!good)
        return ELECTION_FAILED;
    *record = election_record(result.object);
    lease->given_back |= step->act == ELECTION_RELEASE;
    return step->act == ELECTION_READ ? ELECTION_SEEN : ELECTION_WRITTEN;
}

/* Until then, or somebody wants it to stop. True when that is new. */
static bool rest(struct kube_lease *lease, int64_t wait_ms)
{
    int64_t until_ms = clock_mono_ms() + wait_ms;
    bool stop, in_time = wait_ms > 0;

    pthread_mutex_lock(&lease->mutex);
    while (in_time && !(lease->stopping && !lease->election.stopping))
        in_time = wait_on(&lease->wake, &lease->mutex, until_ms);
    stop = lease->stopping && !lease->election.stopping;
    pthread_mutex_unlock(&lease->mutex);
    return stop;
}

static void *run(void *context)
{
    struct kube_lease *lease = context;
    struct election_record record = {0};
    struct election_outcome outcome = {.end = ELECTION_BEGAN, .record = &record};

    for (;;) {
        struct election_step step = election_next(&lease->election, &outcome, clock_boot_ms(),
                                                  (uint64_t)nrand48(lease->seed));

        publish(lease, &step);
        if (step.act == ELECTION_LOST || step.act == ELECTION_OVER)
            return NULL;
        outcome.end = step.act == ELECTION_WAIT ? ELECTION_WAITED : ask(lease, &step, &record);
        if (rest(lease, step.act == ELECTION_WAIT ? step.wait_ms : 0))
            election_stop(&lease->election, clock_boot_ms());
    }
}

static void release(struct kube_lease *lease)
{
    pthread_cond_destroy(&lease->wake);
    pthread_mutex_destroy(&lease->mutex);
    free(lease->space);
    free(lease->name);
    free(lease);
}

static bool check(const struct kube_lease_options *options, const struct election_rules *rules,
                  struct error *err)
{
    if (!options->identity || !*options->identity)
        return error_set(err, ERROR_INVALID, "a candidate needs an identity");
    if (strlen(options->identity) > ELECTION_NAME_MAX_CHARS - 17)
        return error_set(err, ERROR_INVALID, "the identity of a candidate is too long");
    /* LE1 */
    if (rules->duration_ms <= rules->leads_ms || rules->leads_ms <= rules->retry_ms * 3 / 2)
        return error_set(err, ERROR_INVALID,
                         "a lease must last longer than its leader leads, and that longer than one "
                         "and a half of the time between renewals");
    return true;
}

static void prepare(struct kube_lease *lease)
{
    pthread_mutex_init(&lease->mutex, NULL);
    wait_prepare(&lease->wake);
    lease->fence = (struct kube_fence){left_of, lease};
}

struct kube_lease *kube_lease_start(struct kube_client *client,
                                    const struct kube_lease_options *options, struct error *err)
{
    struct election election = election_make(&options->rules, "", 1);
    uint64_t random[2];

    if (!check(options, &election.rules, err))
        return NULL;
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        error_set(err, ERROR_INTERNAL, "no random numbers");
        return NULL;
    }

    struct kube_lease *lease = text_alloc(sizeof *lease);
    AUTO(free)
    char *self = text_format("%s_%016llx", options->identity, (unsigned long long)random[0]);

    lease->client = client;
    lease->space = text_format("%s", options->space);
    lease->name = text_format("%s", options->name);
    lease->changed = options->changed;
    lease->context = options->context;
    memcpy(lease->seed, &random[1], sizeof lease->seed);
    lease->election = election_make(&options->rules, self, clock_boot_ms());
    snprintf(lease->facts.self, sizeof lease->facts.self, "%s", self);
    lease->round_ms = clock_boot_ms();
    prepare(lease);
    if (pthread_create(&lease->thread, NULL, run, lease) == 0)
        return lease;
    error_set(err, ERROR_INTERNAL, "no threads left");
    release(lease);
    return NULL;
}

bool kube_lease_stop(struct kube_lease *lease)
{
    if (!lease)
        return true;
    pthread_mutex_lock(&lease->mutex);
    lease->stopping = true;
    pthread_cond_signal(&lease->wake);
    pthread_mutex_unlock(&lease->mutex);
    pthread_join(lease->thread, NULL);

    const struct election *election = &lease->election;
    bool ours = strcmp(election->seen.holder, election->self) == 0;
    bool fine = lease->given_back || !election->claimed || (election->fresh && !ours);

    release(lease);
    return fine;
}

struct kube_lease_facts kube_lease_look(struct kube_lease *lease)
{
    int64_t now_ms = clock_boot_ms();

    pthread_mutex_lock(&lease->mutex);

    struct kube_lease_facts facts = lease->facts;
    bool ended = facts.state == KUBE_LEASE_LOST || facts.state == KUBE_LEASE_OVER;

    facts.stuck = !ended && now_ms - lease->round_ms > lease->election.rules.duration_ms + STUCK_MS;
    facts.renewed_ms = lease->renewed_ms ? now_ms - lease->renewed_ms : -1;
    pthread_mutex_unlock(&lease->mutex);
    return facts;
}
