#include "controllers/loops.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "base/wait.h"
#include "controllers/bare_claim.h"
#include "controllers/progress.h"

#define WORKERS 2
#define SWEEP_MS 600000

/* How often the sweeper looks whether all is known. */
#define LOOK_MS 200

/* One loop that runs. */
struct line {
    struct loops *loops;
    const struct loop *loop;
    struct work_queue *queue;
    void *state;
    pthread_t *workers;
    size_t count; /* of them */
    atomic_llong steps, failures;
    json_t *problems; /* by key; under the lock of all */
};

struct loops {
    struct loops_options options;
    struct known *known;
    struct line *lines;
    size_t count;
    pthread_t sweeper;
    bool sweeps; /* the thread is there */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of what follows */
    bool known_all, paused, ending, sweep_now;
    atomic_llong active_s;
    atomic_bool beside_stash;
    struct log_limit limit;
};

/* ---- what changes becomes keys ---- */

static void add_keys(struct line *line, const json_t *keys)
{
    const json_t *key;
    size_t i;

    tree_items (keys, i, key)
        if (json_string_value(key))
            work_queue_add(line->queue, json_string_value(key));
}

static void tell_lines(struct loops *loops, struct known *known,
                       const struct informer_change *change)
{
    for (size_t i = 0; i < loops->count; i++) {
        AUTO(json) json_t *keys = json_array();

        if (loops->lines[i].loop->heard)
            loops->lines[i].loop->heard(loops, change);
        loops->lines[i].loop->keys(known, change, keys);
        add_keys(&loops->lines[i], keys);
    }
}

/* Progress comes often, and nothing follows from it. */
static void take_change(void *context, struct known *known, const struct informer_change *change)
{
    if (!progress_is_all(change))
        tell_lines(context, known, change);
}

static void sweep(struct loops *loops)
{
    for (size_t kind = 0; kind < KNOWN_KINDS; kind++) {
        AUTO(json) json_t *objects = known_all(loops->known, (enum known_kind)kind);
        const json_t *object;
        size_t i;

        tree_items (objects, i, object) {
            struct informer_change change = {.kind = kind, .after = object};

            tell_lines(loops, loops->known, &change);
        }
    }
}

/* ---- threads ---- */

/* Under the lock. False when it ends. */
static bool rest_until(struct loops *loops, int64_t until_ms)
{
    while (!loops->ending && !loops->sweep_now && wait_on(&loops->changed, &loops->lock, until_ms))
        continue;
    loops->sweep_now = false;
    return !loops->ending;
}

/* Under the lock, which is open while it looks. */
static bool await_known(struct loops *loops)
{
    bool synced = false;

    while (!loops->ending && !synced) {
        pthread_mutex_unlock(&loops->lock);
        synced = known_wait_synced(loops->known, LOOK_MS);
        pthread_mutex_lock(&loops->lock);
    }
    loops->known_all = synced;
    pthread_cond_broadcast(&loops->changed);
    return synced && !loops->ending;
}

static void *keep_sweeping(void *context)
{
    struct loops *loops = context;

    pthread_mutex_lock(&loops->lock);
    if (await_known(loops)) {
        log_info("the cluster is known, loops run");
        while (rest_until(loops, clock_mono_ms() + loops->options.sweep_ms)) {
            pthread_mutex_unlock(&loops->lock);
            sweep(loops);
            pthread_mutex_lock(&loops->lock);
        }
    }
    pthread_mutex_unlock(&loops->lock);
    return NULL;
}

/* Waits until a step may be taken. False when it ends. */
static bool is_let(struct loops *loops)
{
    bool ending;

    pthread_mutex_lock(&loops->lock);
    while (!loops->ending && (!loops->known_all || loops->paused))
        (void)wait_on(&loops->changed, &loops->lock, WAIT_FOREVER);
    ending = loops->ending;
    pthread_mutex_unlock(&loops->lock);
    return !ending;
}

static void say_failure(struct line *line, const char *key, const struct error *err)
{
    int64_t missed;

    if (!log_passes(&line->loops->limit, clock_mono_ms(), &missed))
        return;
    log_warn("a step failed", LOG_S("loop", line->loop->name), LOG_S("key", key),
             LOG_S("error", err->message), LOG_N("failures", work_queue_failures(line->queue, key)),
             LOG_N("missed", missed));
}

static void take_step(struct line *line, const char *key)
{
    struct error err = {.message = ""};
    int64_t again_ms = line->loop->step(line->loops, key, &err);

    line->steps++;
    if (again_ms == LOOP_FAILED) {
        line->failures++;
        work_queue_add_failed(line->queue, key);
        say_failure(line, key, &err);
        return;
    }
    work_queue_forget(line->queue, key);
    if (again_ms >= 0)
        work_queue_add_after(line->queue, key, again_ms);
}

static void *work(void *context)
{
    struct line *line = context;
    const char *key;

    while ((key = work_queue_take(line->queue))) {
        if (is_let(line->loops))
            take_step(line, key);
        work_queue_done(line->queue, key);
    }
    return NULL;
}

/* ---- life ---- */

static void make_line(struct loops *loops, struct line *line, const struct loop *loop)
{
    *line = (struct line){.loops = loops, .loop = loop};
    line->problems = json_object();
    line->queue = work_queue_make(&loops->options.limits);
    line->workers = text_alloc((loop->workers ? loop->workers : WORKERS) * sizeof *line->workers);
}

static struct loops *make(const struct loops_options *options)
{
    struct loops *loops = text_alloc(sizeof *loops);

    loops->options = *options;
    if (loops->options.sweep_ms <= 0)
        loops->options.sweep_ms = SWEEP_MS;
    if (loops->options.bare_ms <= 0)
        loops->options.bare_ms = BARE_AFTER_MS;
    loops->paused = options->paused;
    loops->beside_stash = true;
    pthread_mutex_init(&loops->lock, NULL);
    wait_prepare(&loops->changed);
    while (options->table[loops->count])
        loops->count++;
    loops->lines = text_alloc((loops->count + 1) * sizeof *loops->lines);
    for (size_t i = 0; i < loops->count; i++)
        make_line(loops, &loops->lines[i], options->table[i]);
    for (size_t i = 0; i < loops->count; i++)
        if (options->table[i]->make)
            loops->lines[i].state = options->table[i]->make(loops);
    return loops;
}

static bool start_workers(struct line *line, struct error *err)
{
    size_t wanted = line->loop->workers ? line->loop->workers : WORKERS;

    for (; line->count < wanted; line->count++)
        if (pthread_create(&line->workers[line->count], NULL, work, line) != 0)
            return error_set(err, ERROR_UNAVAILABLE, "no thread for the loop %s", line->loop->name);
    return true;
}

static bool start_threads(struct loops *loops, struct error *err)
{
    for (size_t i = 0; i < loops->count; i++)
        if (!start_workers(&loops->lines[i], err))
            return false;
    loops->sweeps = pthread_create(&loops->sweeper, NULL, keep_sweeping, loops) == 0;
    return loops->sweeps || error_set(err, ERROR_UNAVAILABLE, "no thread for the loops");
}

struct loops *loops_start(const struct loops_options *options, struct error *err)
{
    struct loops *loops = make(options);
    struct known_options known = {
        .client = options->client,
        .watcher = options->watcher,
        .folder = options->folder,
        .space = options->space,
        .changed = take_change,
        .context = loops,
        .limits = options->watching,
        .lists_only = options->lists_only,
    };

    loops->known = known_start(&known, err);
    if (loops->known && start_threads(loops, err))
        return loops;
    loops_stop(loops);
    return NULL;
}

void loops_end(struct loops *loops)
{
    pthread_mutex_lock(&loops->lock);
    loops->ending = true;
    pthread_cond_broadcast(&loops->changed);
    pthread_mutex_unlock(&loops->lock);
    for (size_t i = 0; i < loops->count; i++)
        work_queue_close(loops->lines[i].queue);
}

static void end_line(struct line *line)
{
    for (size_t i = 0; i < line->count; i++)
        pthread_join(line->workers[i], NULL);
}

static void free_line(struct line *line)
{
    if (line->loop->free)
        line->loop->free(line->state);
    work_queue_free(line->queue);
    json_decref(line->problems);
    free(line->workers);
}

/* What tells of changes ends before that which is told. */
void loops_stop(struct loops *loops)
{
    if (!loops)
        return;
    loops_end(loops);
    if (loops->sweeps)
        pthread_join(loops->sweeper, NULL);
    for (size_t i = 0; i < loops->count; i++)
        end_line(&loops->lines[i]);
    if (loops->options.watcher)
        kube_client_cancel(loops->options.watcher);
    known_stop(loops->known);
    for (size_t i = 0; i < loops->count; i++)
        free_line(&loops->lines[i]);
    pthread_cond_destroy(&loops->changed);
    pthread_mutex_destroy(&loops->lock);
    free(loops->lines);
    free(loops);
}

/* ---- from outside ---- */

void loops_pause(struct loops *loops, bool paused)
{
    pthread_mutex_lock(&loops->lock);
    loops->paused = paused;
    pthread_cond_broadcast(&loops->changed);
    pthread_mutex_unlock(&loops->lock);
}

bool loops_may_write(struct loops *loops)
{
    bool may;

    pthread_mutex_lock(&loops->lock);
    may = loops->known_all && !loops->paused && !loops->ending;
    pthread_mutex_unlock(&loops->lock);
    return may;
}

struct known *loops_known(struct loops *loops)
{
    return loops->known;
}

struct kube_client *loops_client(struct loops *loops)
{
    return loops->options.client;
}

const struct settings *loops_settings(struct loops *loops)
{
    return settings_store_get(loops->options.settings);
}

const char *loops_space(struct loops *loops)
{
    return loops->options.space;
}

const char *loops_functions(struct loops *loops)
{
    return loops->options.functions;
}

static struct line *line_of(struct loops *loops, const struct loop *loop)
{
    for (size_t i = 0; i < loops->count; i++)
        if (loops->lines[i].loop == loop)
            return &loops->lines[i];
    return NULL;
}

int64_t loops_bare_ms(struct loops *loops)
{
    return loops->options.bare_ms;
}

int64_t loops_active_s(struct loops *loops)
{
    return loops->active_s;
}

void loops_set_active(struct loops *loops, int64_t active_s)
{
    if (atomic_exchange(&loops->active_s, active_s) != active_s)
        loops_sweep(loops);
}

bool loops_beside_stash(struct loops *loops)
{
    return loops->beside_stash;
}

void loops_set_beside_stash(struct loops *loops, bool beside)
{
    if (atomic_exchange(&loops->beside_stash, beside) != beside)
        loops_sweep(loops);
}

void *loops_state(struct loops *loops, const struct loop *loop)
{
    const struct line *line = line_of(loops, loop);

    return line ? line->state : NULL;
}

void loops_tell(struct loops *loops, const json_t *object, const struct kube_event *event)
{
    if (loops->options.events)
        kube_events_note(loops->options.events, object, event);
}

void loops_show(struct loops *loops, const char *verb, const json_t *object, const char *why)
{
    if (loops->options.show)
        loops->options.show(loops->options.context, verb, object, why);
}

/* Under the lock. */
static bool set_problem(struct line *line, const char *key, const char *reason, const char *problem)
{
    const json_t *before = json_object_get(line->problems, key);
    AUTO(json) json_t *now = NULL;

    if (!reason)
        return json_object_del(line->problems, key) == 0;
    now = json_object();
    tree_put_text(now, "reason", reason);
    tree_put_text(now, "problem", problem);
    if (tree_equal(before, now))
        return false;
    tree_put_new(line->problems, key, TAKE(now));
    return true;
}

bool loops_blame(struct loops *loops, const struct loop *loop, const char *key, const char *reason,
                 const char *problem)
{
    struct line *line = line_of(loops, loop);
    bool news;

    if (!line)
        return false;
    pthread_mutex_lock(&loops->lock);
    news = set_problem(line, key, reason, problem);
    pthread_mutex_unlock(&loops->lock);
    if (news)
        loops_news(loops, loop, key);
    return news;
}

void loops_news(struct loops *loops, const struct loop *loop, const char *key)
{
    for (size_t i = 0; i < loops->count; i++) {
        AUTO(json) json_t *keys = json_array();

        if (!loops->lines[i].loop->heed)
            continue;
        loops->lines[i].loop->heed(loops, loop, key, keys);
        add_keys(&loops->lines[i], keys);
    }
}

json_t *loops_problem(struct loops *loops, const struct loop *loop, const char *key)
{
    struct line *line = line_of(loops, loop);
    json_t *problem;

    if (!line)
        return NULL;
    pthread_mutex_lock(&loops->lock);
    problem = tree_copy(tree_get(line->problems, key));
    pthread_mutex_unlock(&loops->lock);
    return problem;
}

json_t *loops_problems(struct loops *loops, const struct loop *loop)
{
    struct line *line = line_of(loops, loop);
    json_t *problems;

    if (!line)
        return json_object();
    pthread_mutex_lock(&loops->lock);
    problems = tree_copy(line->problems);
    pthread_mutex_unlock(&loops->lock);
    return problems;
}

void loops_wake(struct loops *loops, const struct loop *loop, const char *key, int64_t delay_ms)
{
    struct line *line = line_of(loops, loop);

    if (line && delay_ms > 0)
        work_queue_add_after(line->queue, key, delay_ms);
    else if (line)
        work_queue_add(line->queue, key);
}

void loops_sweep(struct loops *loops)
{
    pthread_mutex_lock(&loops->lock);
    loops->sweep_now = true;
    pthread_cond_broadcast(&loops->changed);
    pthread_mutex_unlock(&loops->lock);
}

static bool is_idle(struct loops *loops)
{
    for (size_t i = 0; i < loops->count; i++) {
        struct queue_facts facts = work_queue_look(loops->lines[i].queue);

        if (facts.ready > 0 || facts.working > 0)
            return false;
    }
    return true;
}

bool loops_wait_idle(struct loops *loops, int64_t timeout_ms)
{
    int64_t end_ms = clock_mono_ms() + timeout_ms;

    if (!known_wait_synced(loops->known, timeout_ms))
        return false;
    for (size_t i = 0; i < loops->count; i++) {
        int64_t left_ms = end_ms - clock_mono_ms();

        if (!work_queue_drain(loops->lines[i].queue, left_ms > 0 ? left_ms : 0))
            return false;
    }
    /* a loop may have woken one before it */
    return is_idle(loops) ||
           (clock_mono_ms() < end_ms && loops_wait_idle(loops, end_ms - clock_mono_ms()));
}

struct loops_facts loops_look(struct loops *loops)
{
    struct loops_facts facts = {.known = known_look(loops->known), .count = loops->count};

    pthread_mutex_lock(&loops->lock);
    facts.paused = loops->paused;
    pthread_mutex_unlock(&loops->lock);
    return facts;
}

void loops_metrics(struct loops *loops, struct text *text)
{
    for (size_t i = 0; i < loops->count; i++)
        if (loops->lines[i].loop->metrics)
            loops->lines[i].loop->metrics(loops, text);
}

struct loop_facts loops_look_at(struct loops *loops, size_t index)
{
    struct line *line = &loops->lines[index];
    size_t problems;

    assert(index < loops->count);
    pthread_mutex_lock(&loops->lock);
    problems = json_object_size(line->problems);
    pthread_mutex_unlock(&loops->lock);
    return (struct loop_facts){
        .name = line->loop->name,
        .queue = work_queue_look(line->queue),
        .steps = line->steps,
        .failures = line->failures,
        .problems = (int64_t)problems,
    };
}
