#include "controllers/metrics_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/configuration_edge.h"
#include "controllers/configuration_look.h"
#include "controllers/configuration_loop.h"
#include "controllers/session_next.h"
#include "controllers/target_loop.h"
#include "controllers/target_metrics.h"
#include "kube/meta.h"
#include "kube/store.h"
#include "kube/time.h"

struct state {
    pthread_mutex_t lock;
    json_t *successes; /* by "namespace/name": the newest session that succeeded. Most are shared
                          with what is known of the cluster; under the lock */
};

/* ---- what is seen of a BackupConfiguration ---- */

struct sight {
    struct backup_seen seen;
    json_t *sessions, *repository, *remembered; /* owned */
    struct run_figures last, success;
};

static void auto_sight(struct sight *sight)
{
    json_decref(sight->sessions);
    json_decref(sight->repository);
    json_decref(sight->remembered);
    run_figures_done(&sight->last);
    run_figures_done(&sight->success);
}

static int64_t made_s(const json_t *object)
{
    int64_t made_s;

    return meta_made(object, &made_s) ? made_s : 0;
}

static enum session_phase phase_of(const json_t *session)
{
    return session_phase_of(tree_text(tree_get(session, "status"), "phase"));
}

static bool is_running(enum session_phase phase)
{
    return phase == SESSION_RUNNING;
}

static bool has_succeeded(enum session_phase phase)
{
    return phase == SESSION_SUCCEEDED;
}

static bool has_result(enum session_phase phase)
{
    return phase == SESSION_SUCCEEDED || phase == SESSION_FAILED;
}

static bool has_begun(enum session_phase phase)
{
    return is_running(phase) || has_result(phase);
}

/* The newest of those; of two of one second, by name. Borrowed, or NULL. */
static const json_t *newest(const json_t *sessions, bool (*fits)(enum session_phase phase))
{
    const json_t *best = NULL, *session;
    size_t i;

    tree_items (sessions, i, session) {
        int64_t apart_s = best ? made_s(session) - made_s(best) : 1;
        bool newer = apart_s > 0 || (apart_s == 0 && strcmp(meta_or_empty(session, "name"),
                                                            meta_or_empty(best, "name")) > 0);

        if (fits(phase_of(session)) && newer)
            best = session;
    }
    return best;
}

static json_t *recall(struct state *state, const char *key)
{
    json_t *session;

    pthread_mutex_lock(&state->lock);
    session = tree_share(tree_get(state->successes, key));
    pthread_mutex_unlock(&state->lock);
    return session;
}

static json_t *find_repository(struct known *known, const char *key)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;

    if (!key || !configuration_key_split(key, &space, &name))
        return NULL;
    return known_get(known, KNOWN_REPOSITORY, space, name);
}

/* Of a Repository that nobody else writes to its status says it, whatever became of sessions. */
static int64_t repository_success(struct known *known, const char *key, const json_t *repository)
{
    AUTO(json)
    json_t *users =
        repository ? known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, key) : NULL;
    int64_t last_s;

    return json_array_size(users) == 1 &&
                   time_parse(tree_span(tree_get(repository, "status"), "lastBackupTime"), &last_s)
               ? last_s
               : 0;
}

/* Another configuration had this name before. */
static bool is_older(const json_t *session, const json_t *configuration)
{
    return made_s(session) < made_s(configuration);
}

static void look(struct loops *loops, const json_t *configuration, struct sight *sight)
{
    struct known *known = loops_known(loops);
    AUTO(free) char *key = store_key(configuration);
    AUTO(free)
    char *store = known_reference(configuration, tree_at(configuration, "spec.repository"));
    struct configuration_book *book = loops_state(loops, &configuration_loop);
    const json_t *attempt, *success;
    int64_t stored_s;

    sight->sessions = known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key);
    sight->repository = find_repository(known, store);
    sight->remembered = recall(loops_state(loops, &metrics_loop), key);
    if (is_older(sight->remembered, configuration))
        json_decref(TAKE(sight->remembered));
    attempt = newest(sight->sessions, has_begun);
    success = newest(sight->sessions, has_succeeded);
    if (!success)
        success = sight->remembered;
    stored_s = repository_success(known, store, sight->repository);
    sight->seen = (struct backup_seen){
        .configuration = configuration,
        .repository = sight->repository,
        .attempt_s = made_s(attempt),
        .success_s = made_s(success) > stored_s ? made_s(success) : stored_s,
        .running = newest(sight->sessions, is_running) != NULL,
        .missed = book ? configuration_book_missed(book, key) : 0,
    };
    if (run_figures_read(&sight->last, newest(sight->sessions, has_result)))
        sight->seen.last = &sight->last;
    if (success && run_figures_read(&sight->success, success))
        sight->seen.success = &sight->success;
}

/* ---- what is remembered ---- */

/* The newest success, before the history lets it go. */
static void note(struct loops *loops, const char *key)
{
    struct state *state = loops_state(loops, &metrics_loop);
    AUTO(json)
    json_t *sessions = known_find(loops_known(loops), KNOWN_SESSION, KNOWN_BY_INVOKER, key);
    const json_t *success = newest(sessions, has_succeeded);

    pthread_mutex_lock(&state->lock);
    if (success && made_s(success) >= made_s(tree_get(state->successes, key)))
        tree_put_new(state->successes, key, tree_share(success));
    pthread_mutex_unlock(&state->lock);
}

static void forget(struct loops *loops, const char *key)
{
    struct state *state = loops_state(loops, &metrics_loop);

    pthread_mutex_lock(&state->lock);
    json_object_del(state->successes, key);
    pthread_mutex_unlock(&state->lock);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;

    (void)err;
    if (!configuration_key_split(key, &space, &name))
        return LOOP_RESTS;

    AUTO(json)
    json_t *configuration = known_get(loops_known(loops), KNOWN_CONFIGURATION, space, name);

    if (configuration)
        note(loops, key);
    else
        forget(loops, key);
    return LOOP_RESTS;
}

/* ---- what changes ---- */

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;
    AUTO(free) char *key = NULL;

    (void)known;
    if (change->kind == KNOWN_CONFIGURATION)
        key = store_key(object);
    else if (change->kind == KNOWN_SESSION)
        key = known_reference(object, tree_at(object, "spec.invoker"));
    if (key)
        tree_push_text(list, key);
}

/* ---- metrics ---- */

static void add_backups(struct loops *loops, struct target_metrics *metrics)
{
    AUTO(json) json_t *all = known_all(loops_known(loops), KNOWN_CONFIGURATION);
    const json_t *configuration;
    size_t i;

    tree_items (all, i, configuration) {
        AUTO(sight) struct sight sight = {0};

        look(loops, configuration, &sight);
        (void)target_metrics_backup(metrics, &sight.seen);
    }
}

static void add_all(struct loops *loops, enum known_kind kind, struct target_metrics *metrics,
                    bool (*add)(struct target_metrics *metrics, const json_t *object))
{
    AUTO(json) json_t *all = known_all(loops_known(loops), kind);
    const json_t *object;
    size_t i;

    tree_items (all, i, object)
        (void)add(metrics, object);
}

static void add_problems(struct loops *loops, struct target_metrics *metrics)
{
    AUTO(json) json_t *problems = loops_problems(loops, &target_loop);
    const json_t *problem;
    const char *key;

    tree_each (problems, key, problem)
        (void)target_metrics_problem(metrics, key, tree_text(problem, "reason"));
}

void metrics_loop_series(struct loops *loops, const json_t *invoker, bool restore,
                         struct text *text)
{
    AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();
    AUTO(sight) struct sight sight = {0};

    if (restore) {
        (void)target_metrics_restore(metrics, invoker);
    } else {
        look(loops, invoker, &sight);
        (void)target_metrics_backup(metrics, &sight.seen);
    }
    target_metrics_write(metrics, METRICS_PUSHED, text);
}

/* From what is known now: who is not scraped has no costs. */
static void show(struct loops *loops, struct text *text)
{
    AUTO(target_metrics) struct target_metrics *metrics = target_metrics_make();

    add_backups(loops, metrics);
    add_all(loops, KNOWN_RESTORE, metrics, target_metrics_restore);
    add_all(loops, KNOWN_REPOSITORY, metrics, target_metrics_repository);
    add_problems(loops, metrics);
    target_metrics_write(metrics, METRICS_STASH, text);
    target_metrics_write(metrics, METRICS_OURS, text);
}

/* ---- life ---- */

static void *make(struct loops *loops)
{
    struct state *state = text_alloc(sizeof *state);

    (void)loops;
    *state = (struct state){.successes = json_object()};
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

static void release(void *context)
{
    struct state *state = context;

    json_decref(state->successes);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct loop metrics_loop = {.name = "metrics",
                                  .make = make,
                                  .free = release,
                                  .keys = keys,
                                  .step = step,
                                  .metrics = show,
                                  .workers = 1};
