#include "controllers/leader.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/wait.h"
#include "controllers/agent_service.h"
#include "controllers/heap.h"
#include "controllers/lookout.h"
#include "controllers/loops.h"
#include "controllers/loops_table.h"
#include "controllers/probe.h"
#include "controllers/session_loop.h"
#include "controllers/stash.h"
#include "kube/meta.h"

/* Between two questions whether the webhook is reached; behind a change of what may decide that,
 * and at first: when its certificate may have reached it. While that is watched and it is reached,
 * nothing but the network between the two may have changed, which nobody tells of. */
#define PROBE_EVERY_MS 60000
#define PROBE_SETTLE_MS 5000
#define PROBE_CALM_MS 600000

/* Between two looks at what is watched: for clocks that jump, and dates that come. */
#define CALM_MS 3600000

/* Between two looks whether memory is to be given back, and how much is worth it: bytes. */
#define TRIM_MS 5000
#define TRIM_BYTES (4 << 20)

/* Between two looks since something changed. */
#define NEWS_MS 1000

/* Between two looks at the loops, for metrics; until they are started again when they could not. */
#define LOOPS_LOOK_MS 1000
#define LOOPS_RETRY_MS 10000

/* Its creationTimestamp is when our mutator was first in force: workloads that are older wait for
 * their owners. */
#define ACTIVE "granary-active"

struct leader {
    struct leader_plan plan;
    struct certificates_loop certificates;
    struct loops *loops;          /* NULL: not started yet */
    struct agent_service *agents; /* NULL: they are not served */
    struct lookout *lookout;      /* NULL: nothing is watched by name */
    enum status_found stash, reached;
    const char *reached_reason;
    struct error stash_said; /* so that the same is logged once */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ending, ended; /* under the mutex */
};

/* Each says when it wants its next turn: milliseconds from now. */
struct task {
    int64_t (*turn)(struct leader *leader);
    int64_t due_ms;
    unsigned topics;   /* 0: it is told of no changes */
    int64_t settle_ms; /* behind a change */
    int64_t unseen_ms; /* between two turns at most while it is not told of all changes */
    int64_t last_ms;
};

static void tell(const struct leader *leader, bool warning, const char *reason, const char *note)
{
    leader->plan.tell(leader->plan.context, warning, reason, note);
}

static void say_stash(struct leader *leader, enum status_found found)
{
    if (found == STATUS_YES && leader->plan.options->takeover) {
        log_warn("Stash is installed, and taken over", LOG_S("option", "--takeover"));
        tell(leader, true, "StashFound", "Stash is installed, and taken over (--takeover)");
    } else if (found == STATUS_YES) {
        log_warn("Stash is installed: workloads are not mutated", LOG_S("option", "no --takeover"));
        tell(leader, true, "StashFound",
             "Stash is installed: workloads are not mutated until --takeover");
    } else if (leader->stash == STATUS_YES) {
        log_info("Stash is gone: workloads are mutated");
        tell(leader, false, "StashGone", "Stash is gone: workloads are mutated");
    }
}

/* What is not known stays what it was; as long as it never was, the mutator waits. */
static int64_t stash_turn(struct leader *leader)
{
    struct error err = {.message = ""};
    enum status_found found = stash_look(leader->plan.client, &err);

    if (found == STATUS_UNKNOWN && strcmp(leader->stash_said.message, err.message) != 0) {
        leader->stash_said = err;
        log_warn("not known whether Stash is installed", LOG_S("error", err.message));
    }
    if (found != STATUS_UNKNOWN) {
        if (found != leader->stash)
            say_stash(leader, found);
        leader->stash = found;
        leader->stash_said = (struct error){.message = ""};
    }
    leader->certificates.mutator_waits =
        leader->stash != STATUS_NO && !leader->plan.options->takeover;
    status_open(leader->plan.status)->stash = leader->stash;
    status_close(leader->plan.status);
    return found == STATUS_UNKNOWN ? 1000 : CALM_MS;
}

static int64_t certificates_task(struct leader *leader)
{
    leader->certificates.watched = lookout_stands(leader->lookout, LOOKOUT_CERTIFICATES);
    return certificates_turn(&leader->certificates);
}

static void say_probe(struct leader *leader, enum status_found reached, const char *reason)
{
    bool good = reached == STATUS_YES;

    if (reached == leader->reached && reason == leader->reached_reason)
        return;
    log_event(good ? LOG_INFO : LOG_WARN, "probe of the webhook", LOG_S("result", reason));
    if (reached != STATUS_UNKNOWN)
        tell(leader, !good, good ? "WebhookReached" : "WebhookNotReached", reason);
    leader->reached = reached;
    leader->reached_reason = reason;
}

static int64_t probe_turn(struct leader *leader)
{
    const char *reason = "the mutator waits, since Stash is or may be installed";
    enum status_found reached = STATUS_UNKNOWN;
    struct status_facts *facts;

    if (!leader->certificates.mutator_waits)
        reached = probe_ask(leader->plan.client, leader->plan.space, &reason);
    say_probe(leader, reached, reason);
    facts = status_open(leader->plan.status);
    facts->reached = reached;
    facts->probes++;
    facts->probed_s = clock_now_s();
    status_close(leader->plan.status);
    return reached == STATUS_YES ? PROBE_CALM_MS : leader->plan.options->look_ms;
}

/* As the settings say. */
static void pace(struct leader *leader)
{
    AUTO(settings_held) const struct settings *settings = settings_store_get(leader->plan.settings);

    kube_client_pace(leader->plan.client, (double)settings->writes_per_second);
}

static void show_metrics(void *loops, struct text *text)
{
    loops_metrics(loops, text);
}

static bool start_loops(struct leader *leader)
{
    struct loops_options options = {
        .table = loops_table,
        .client = leader->plan.client,
        .watcher = leader->plan.watcher,
        .settings = leader->plan.settings,
        .space = leader->plan.space,
        .functions = leader->plan.options->functions,
        .events = leader->plan.events,
        .paused = leader->certificates.mutator_waits,
        .bare_ms = leader->plan.options->bare_ms,
    };
    struct error err = {.message = ""};

    leader->loops = loops_start(&options, &err);
    if (leader->loops)
        status_attend(leader->plan.status, show_metrics, leader->loops);
    else
        log_error("the loops can not be started", LOG_S("error", err.message));
    pace(leader);
    return leader->loops != NULL;
}

static void show_loops(struct leader *leader)
{
    struct loops_facts loops = loops_look(leader->loops);
    struct status_facts *facts = status_open(leader->plan.status);

    facts->synced = loops.known.synced;
    facts->paused = loops.paused;
    facts->objects = loops.known.objects;
    facts->watch_errors = loops.known.errors;
    facts->loop_count = loops.count < STATUS_LOOPS_MAX ? loops.count : STATUS_LOOPS_MAX;
    for (size_t i = 0; i < facts->loop_count; i++) {
        struct loop_facts loop = loops_look_at(leader->loops, i);

        facts->loops[i] = (struct status_loop){
            loop.name,  loop.queue.ready, loop.queue.waiting, loop.queue.working,
            loop.steps, loop.failures,    loop.problems};
    }
    status_close(leader->plan.status);
}

/* New settings are a reason to look at everything. */
static void heed_settings(struct leader *leader)
{
    struct error err = {.message = ""};

    switch (settings_store_look(leader->plan.settings, &err)) {
    case SETTINGS_TAKEN:
        log_info("new settings");
        pace(leader);
        loops_sweep(leader->loops);
        break;
    case SETTINGS_REFUSED:
        log_error("settings refused, the last good ones stay", LOG_S("error", err.message));
        break;
    case SETTINGS_SAME:
        break;
    }
}

static json_t *active_lease(struct leader *leader, struct error *err)
{
    static const struct kube_resource leases = {"coordination.k8s.io", "v1", "leases", "Lease",
                                                true};
    struct kube_ref ref = {.resource = &leases, .space = leader->plan.space, .name = ACTIVE};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *lease = kube_get(leader->plan.client, &ref, err), *metadata = NULL;

    if (lease || err->code != ERROR_NOT_FOUND)
        return TAKE(lease);
    lease = json_object();
    metadata = json_object();
    tree_put_text(metadata, "name", ACTIVE);
    tree_put_text(metadata, "namespace", leader->plan.space);
    tree_put_text(lease, "apiVersion", "coordination.k8s.io/v1");
    tree_put_text(lease, "kind", "Lease");
    tree_put_new(lease, "metadata", TAKE(metadata));
    if (!kube_create(leader->plan.client, &ref, lease, NULL, &result, err))
        return NULL;
    return TAKE(result.object);
}

/* Once, when everybody trusts the webhook. */
static void find_active(struct leader *leader)
{
    bool published = status_look(leader->plan.status).published;
    struct error err = {.message = ""};
    int64_t active_s;

    if (loops_active_s(leader->loops) > 0 || !published || leader->certificates.mutator_waits)
        return;

    AUTO(json) json_t *lease = active_lease(leader, &err);

    if (!lease)
        log_warn("not known since when workloads are mutated", LOG_S("error", err.message));
    else if (meta_made(lease, &active_s))
        loops_set_active(leader->loops, active_s);
}

/* Beside Stash nothing is written: two operators would fight. */
static int64_t loops_turn(struct leader *leader)
{
    if (!leader->loops && !start_loops(leader))
        return LOOPS_RETRY_MS;
    loops_set_beside_stash(leader->loops, leader->stash != STATUS_NO);
    loops_pause(leader->loops, leader->certificates.mutator_waits);
    heed_settings(leader);
    find_active(leader);
    show_loops(leader);
    return LOOPS_LOOK_MS;
}

static void wake_agents(void *service)
{
    agent_service_wake(service);
}

/* Without a desk nobody is served, nor before all is known. */
static int64_t agents_turn(struct leader *leader)
{
    struct desk *desk =
        leader->loops && loops_may_write(leader->loops) ? session_loop_desk(leader->loops) : NULL;

    if (!desk)
        return agent_service_turn(leader->agents, NULL);

    struct agent_desk calls = desk_callbacks(desk);

    session_loop_attend(leader->loops, wake_agents, leader->agents);
    return agent_service_turn(leader->agents, &calls);
}

static int64_t slice_turn(struct leader *leader)
{
    return agent_service_lead(leader->agents, CALM_MS);
}

static int64_t trim_turn(struct leader *leader)
{
    (void)leader;
    if (heap_look().free > TRIM_BYTES)
        heap_trim();
    return TRIM_MS;
}

/* False when it is to end. */
static bool rest(struct leader *leader, int64_t until_ms)
{
    bool ending;

    pthread_mutex_lock(&leader->mutex);
    while (!leader->ending && clock_mono_ms() < until_ms)
        (void)wait_on(&leader->wake, &leader->mutex, until_ms);
    ending = leader->ending;
    pthread_mutex_unlock(&leader->mutex);
    return !ending;
}

static int64_t next_due_ms(const struct task *tasks, size_t count)
{
    int64_t due_ms = tasks[0].due_ms;

    for (size_t i = 1; i < count; i++)
        if (tasks[i].due_ms < due_ms)
            due_ms = tasks[i].due_ms;
    return due_ms;
}

static bool needs(const void *context, int object)
{
    return certificates_loop_needs(context, (enum certificates_object)object);
}

/* Without it, looks at regular times tell of changes. */
static void start_lookout(struct leader *leader)
{
    struct lookout_plan plan = {leader->plan.watcher, leader->plan.space, needs,
                                &leader->certificates};
    struct error err = {.message = ""};

    leader->lookout = lookout_start(&plan, &err);
    if (!leader->lookout)
        log_warn("nothing is watched by name", LOG_S("error", err.message));
}

static int64_t sooner(int64_t one_ms, int64_t other_ms)
{
    return one_ms < other_ms ? one_ms : other_ms;
}

/* A change brings a turn forward; so does that nobody tells of changes any more. */
static void heed_lookout(struct leader *leader, struct task *tasks, size_t count)
{
    unsigned news = lookout_take(leader->lookout);
    int64_t now_ms = clock_mono_ms(), at_ms;

    for (size_t i = 0; i < count; i++) {
        struct task *task = &tasks[i];

        if (task->topics & news) {
            at_ms = task->last_ms + NEWS_MS > now_ms ? task->last_ms + NEWS_MS : now_ms;
            task->due_ms = sooner(task->due_ms, at_ms + task->settle_ms);
        }
        if (task->topics && !lookout_stands(leader->lookout, task->topics))
            task->due_ms = sooner(task->due_ms, task->last_ms + task->unseen_ms);
    }
}

static void take_turn(struct leader *leader, struct task *task)
{
    task->due_ms = task->turn(leader);
    task->last_ms = clock_mono_ms();
    task->due_ms += task->last_ms;
}

static void *work(void *context)
{
    struct leader *leader = context;
    int64_t now_ms = clock_mono_ms(), look_ms = leader->plan.options->look_ms;
    int64_t settle_ms = sooner(look_ms, PROBE_SETTLE_MS);
    int64_t probe_ms = look_ms > PROBE_EVERY_MS ? look_ms : PROBE_EVERY_MS;
    /* in this order: what Stash does decides what is published */
    struct task tasks[] = {
        {stash_turn, now_ms, LOOKOUT_STASH, 0, look_ms, now_ms},
        {certificates_task, now_ms, LOOKOUT_CERTIFICATES, 0, look_ms, now_ms},
        {loops_turn, .due_ms = now_ms},
        {agents_turn, .due_ms = now_ms},
        {trim_turn, .due_ms = now_ms + TRIM_MS},
        {slice_turn, now_ms, LOOKOUT_SLICE, 0, look_ms, now_ms},
        {probe_turn, now_ms + settle_ms, LOOKOUT_WEBHOOK, settle_ms, probe_ms, now_ms},
    };
    size_t count = sizeof tasks / sizeof *tasks;

    start_lookout(leader);
    while (rest(leader, next_due_ms(tasks, count))) {
        heed_lookout(leader, tasks, count);
        for (size_t i = 0; i < count; i++)
            if (tasks[i].due_ms <= clock_mono_ms() && rest(leader, 0))
                take_turn(leader, &tasks[i]);
        status_open(leader->plan.status)->work_ms = clock_mono_ms();
        status_close(leader->plan.status);
    }
    agent_service_end(leader->agents);
    status_attend(leader->plan.status, NULL, NULL);
    loops_stop(TAKE(leader->loops));
    kube_client_cancel(leader->plan.watcher);
    lookout_stop(TAKE(leader->lookout));
    pthread_mutex_lock(&leader->mutex);
    leader->ended = true;
    pthread_cond_broadcast(&leader->wake);
    pthread_mutex_unlock(&leader->mutex);
    return NULL;
}

static struct certificates_loop loop_of(const struct leader_plan *plan)
{
    return (struct certificates_loop){
        .client = plan->client,
        .space = plan->space,
        .bundle = plan->options->bundle,
        .source = plan->options->certificates,
        .look_ms = plan->options->look_ms,
        .calm_ms = CALM_MS,
        .settle_s = plan->options->settle_ms / 1000,
        .status = plan->status,
        .may_write = plan->may_write,
        .tell = plan->tell,
        .context = plan->context,
        .mutator_waits = !plan->options->takeover,
    };
}

static struct agent_service *service_of(const struct leader_plan *plan)
{
    struct agent_service_plan service = {
        .client = plan->client,
        .judge = plan->judge,
        .options = plan->options,
        .space = plan->space,
        .status = plan->status,
        .may_write = plan->may_write,
        .context = plan->context,
    };

    return agent_service_make(&service);
}

static void release(struct leader *leader)
{
    agent_service_free(leader->agents);
    certificates_loop_done(&leader->certificates);
    pthread_cond_destroy(&leader->wake);
    pthread_mutex_destroy(&leader->mutex);
    free(leader);
}

struct leader *leader_start(const struct leader_plan *plan, struct error *err)
{
    struct leader *leader = text_alloc(sizeof *leader);

    leader->plan = *plan;
    leader->agents = service_of(plan);
    leader->certificates = loop_of(plan);
    leader->certificates.agents_served = leader->agents != NULL;
    leader->certificates.agents = agent_service_certs(leader->agents);
    pthread_mutex_init(&leader->mutex, NULL);
    wait_prepare(&leader->wake);
    if (pthread_create(&leader->thread, NULL, work, leader) != 0) {
        release(leader);
        error_set(err, ERROR_UNAVAILABLE, "can not start the thread that works");
        return NULL;
    }
    pthread_setname_np(leader->thread, "leader");
    return leader;
}

bool leader_finish(struct leader *leader, int64_t wait_ms)
{
    int64_t until_ms = clock_mono_ms() + wait_ms;
    bool ended;

    if (!leader)
        return true;
    agent_service_drain(leader->agents);
    pthread_mutex_lock(&leader->mutex);
    leader->ending = true;
    pthread_cond_broadcast(&leader->wake);
    while (!leader->ended && clock_mono_ms() < until_ms)
        (void)wait_on(&leader->wake, &leader->mutex, until_ms);
    ended = leader->ended;
    pthread_mutex_unlock(&leader->mutex);
    return ended;
}

void leader_stop(struct leader *leader)
{
    if (!leader)
        return;
    (void)leader_finish(leader, 0);
    pthread_join(leader->thread, NULL);
    release(leader);
}
