#include "controllers/wipe_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/job_parts.h"
#include "controllers/maintenance_job.h"
#include "controllers/maintenance_loop.h"
#include "controllers/session_loop.h"
#include "controllers/wipe_edge.h"
#include "kube/meta.h"

#define CONFLICT_MS 200

/* Repositories at once; who deletes more wants something else. */
#define GONE_MAX 10000u

/* Those that have gone: uid -> {repository, gone, failures, notBefore}. */
struct state {
    pthread_mutex_t lock;
    json_t *gone;
};

/* ---- what has gone ---- */

/* Only what the watch itself has told: of what a list lacks the last state is not known, and what
 * is doubtful may still be there. */
static bool is_asked(const struct informer_change *change)
{
    return change->kind == KNOWN_REPOSITORY && change->before && !change->after &&
           !change->tombstone && !change->doubtful &&
           tree_true(tree_get(change->before, "spec"), "wipeOut") && meta(change->before, "uid") &&
           meta(change->before, "name") && meta(change->before, "namespace");
}

static void keep(struct state *state, const json_t *repository)
{
    json_t *entry = json_object();

    tree_put_new(entry, "repository", tree_share(repository));
    tree_put_int(entry, "gone", clock_now_s());
    pthread_mutex_lock(&state->lock);
    if (json_object_size(state->gone) < GONE_MAX)
        tree_put_new(state->gone, meta(repository, "uid"), TAKE(entry));
    pthread_mutex_unlock(&state->lock);
    json_decref(entry);
}

/* Beside Stash its own operator follows wipeOut. */
static void heard(struct loops *loops, const struct informer_change *change)
{
    if (!is_asked(change) || loops_beside_stash(loops))
        return;
    log_info("a Repository has gone that asks for its data to be removed",
             LOG_S("namespace", meta(change->before, "namespace")),
             LOG_S("name", meta(change->before, "name")));
    keep(loops_state(loops, &wipe_loop), change->before);
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *job = change->after ? change->after : change->before;
    const char *wiped = change->kind == KNOWN_JOB
                            ? tree_text(tree_at(job, "metadata.annotations"), KEY_WIPES)
                            : NULL;

    (void)known;
    if (is_asked(change))
        tree_push_text(list, meta(change->before, "uid"));
    if (wiped)
        tree_push_text(list, wiped);
}

/* ---- memory ---- */

/* A copy of the entry, which shares the Repository; NULL: nothing is known of it. */
static json_t *find(struct state *state, const char *key)
{
    json_t *entry;

    pthread_mutex_lock(&state->lock);
    entry = tree_copy(tree_get(state->gone, key));
    pthread_mutex_unlock(&state->lock);
    return entry;
}

static void note(struct state *state, const char *key, const struct wipe_turn *turn, int64_t now_s)
{
    pthread_mutex_lock(&state->lock);

    json_t *entry = json_object_get(state->gone, key);

    if (turn->ended) {
        json_object_del(state->gone, key);
    } else if (turn->failed && entry) {
        int64_t failures = tree_int(entry, "failures", 0);

        tree_put_int(entry, "failures", failures + 1);
        tree_put_int(entry, "notBefore", now_s + (WIPE_RETRY_S << failures));
    }
    pthread_mutex_unlock(&state->lock);
}

/* ---- the step ---- */

static int64_t answer_of(struct loops *loops, const struct wipe_turn *turn)
{
    if (turn->let_in)
        session_loop_wake(loops);
    if (turn->ended)
        return LOOP_RESTS;
    return turn->again_s > 0 ? turn->again_s * 1000 : WIPE_RETRY_S * 1000;
}

static bool is_restricted(struct known *known, const char *name)
{
    AUTO(json) json_t *space = known_get(known, KNOWN_NAMESPACE, NULL, name);

    return job_is_restricted(space);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    struct state *state = loops_state(loops, &wipe_loop);
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    AUTO(json) json_t *entry = find(state, key);
    const json_t *repository = tree_get(entry, "repository");
    AUTO(json)
    json_t *cluster = known_get(loops_known(loops), KNOWN_NAMESPACE, NULL, "kube-system");
    int64_t now_s = clock_now_s();
    struct wipe_turn turn;

    if (!entry || !loops_client(loops))
        return LOOP_RESTS;

    const struct maintenance_edge edge = maintenance_loop_edge(loops, settings, cluster);
    const struct wipe_memory memory = {
        .repository = repository,
        .gone_s = tree_int(entry, "gone", 0),
        .failures = tree_int(entry, "failures", 0),
        .not_before_s = tree_int(entry, "notBefore", 0),
    };
    bool restricted = is_restricted(loops_known(loops), meta(repository, "namespace"));
    bool good = wipe_edge_step(&edge, &memory, restricted, now_s, &turn, err);

    note(state, key, &turn, now_s);
    if (good)
        return answer_of(loops, &turn);
    return turn.ended ? LOOP_RESTS : err->code == ERROR_CONFLICT ? CONFLICT_MS : LOOP_FAILED;
}

/* ---- life ---- */

static void *make(struct loops *loops)
{
    struct state *state = text_alloc(sizeof *state);

    (void)loops;
    pthread_mutex_init(&state->lock, NULL);
    state->gone = json_object();
    return state;
}

static void unmake(void *context)
{
    struct state *state = context;

    json_decref(state->gone);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct loop wipe_loop = {
    .name = "wipes",
    .make = make,
    .free = unmake,
    .heard = heard,
    .keys = keys,
    .step = step,
    .workers = 1,
};
