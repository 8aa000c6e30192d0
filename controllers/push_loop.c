#include "controllers/push_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_look.h"
#include "controllers/exposition.h"
#include "controllers/metrics_loop.h"
#include "controllers/pushgateway.h"
#include "kube/store.h"
#include "settings/store.h"

/* What has not changed is pushed again so often: a Pushgateway keeps its groups in memory. */
#define AGAIN_MS 3600000

struct state {
    pthread_mutex_t lock;
    int64_t pushes, deletions, failures; /* under the lock */

    /* of the one worker */
    char *url, *ca; /* owned; of `gateway`; `ca` may be NULL */
    struct pushgateway *gateway;
    json_t *pushed; /* by key: {sha, at} */
};

/* ---- keys ---- */

#define BACKUP "BackupConfiguration "
#define RESTORE "RestoreSession "

struct about {
    enum known_kind kind;
    char *space, *name, *job; /* owned */
};

static void auto_about(struct about *about)
{
    free(about->space);
    free(about->name);
    free(about->job);
}

/* As Stash calls it. */
static char *job_of(enum known_kind kind, const char *space, const char *name)
{
    return text_format("%s-%s-%s", kind == KNOWN_RESTORE ? "restoresession" : "backupconfiguration",
                       space, name);
}

static bool read_key(const char *key, struct about *about)
{
    bool restore = strncmp(key, RESTORE, strlen(RESTORE)) == 0;

    about->kind = restore ? KNOWN_RESTORE : KNOWN_CONFIGURATION;
    if (!configuration_key_split(key + strlen(restore ? RESTORE : BACKUP), &about->space,
                                 &about->name))
        return false;
    about->job = job_of(about->kind, about->space, about->name);
    return true;
}

static void push_key(json_t *list, const char *kind, char *name_new)
{
    AUTO(free) char *name = name_new;
    AUTO(free) char *key = name ? text_format("%s%s", kind, name) : NULL;

    if (key)
        tree_push_text(list, key);
}

/* Its numbers stand among those of each configuration. */
static void push_users(struct known *known, const json_t *repository, json_t *list)
{
    AUTO(free) char *key = store_key(repository);
    AUTO(json) json_t *users = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, key);
    const json_t *user;
    size_t i;

    tree_items (users, i, user)
        push_key(list, BACKUP, store_key(user));
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;

    if (change->kind == KNOWN_CONFIGURATION)
        push_key(list, BACKUP, store_key(object));
    else if (change->kind == KNOWN_RESTORE)
        push_key(list, RESTORE, store_key(object));
    else if (change->kind == KNOWN_SESSION)
        push_key(list, BACKUP, known_reference(object, tree_at(object, "spec.invoker")));
    else if (change->kind == KNOWN_REPOSITORY)
        push_users(known, object, list);
}

/* ---- a step ---- */

static void count(struct state *state, int64_t *figure)
{
    pthread_mutex_lock(&state->lock);
    ++*figure;
    pthread_mutex_unlock(&state->lock);
}

/* Another address has got nothing yet. */
static void close_gateway(struct state *state)
{
    pushgateway_free(TAKE(state->gateway));
    free(TAKE(state->url));
    free(TAKE(state->ca));
    json_object_clear(state->pushed);
}

static bool is_same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool open_gateway(struct state *state, const struct settings *settings, struct error *err)
{
    const char *url = settings->pushgateway_url, *ca = settings->pushgateway_ca;

    if (is_same(state->url, url) && is_same(state->ca, ca))
        return true;
    close_gateway(state);
    state->gateway = pushgateway_make(url, ca, err);
    if (!state->gateway)
        return false;
    state->url = text_dup(url, strlen(url));
    state->ca = ca ? text_dup(ca, strlen(ca)) : NULL;
    return true;
}

static int64_t fail(struct state *state)
{
    count(state, &state->failures);
    return LOOP_FAILED;
}

/* "shop-a" with "web" and "shop" with "a-web" are one job, as with Stash. */
static bool is_used(struct known *known, const struct about *about)
{
    AUTO(json) json_t *all = known_all(known, about->kind);
    const json_t *object;
    size_t i;

    tree_items (all, i, object) {
        const json_t *metadata = tree_get(object, "metadata");
        AUTO(free)
        char *job =
            job_of(about->kind, tree_text(metadata, "namespace"), tree_text(metadata, "name"));

        if (strcmp(job, about->job) == 0)
            return true;
    }
    return false;
}

static int64_t take_back(struct loops *loops, struct state *state, const char *key,
                         const struct about *about, struct error *err)
{
    if (!is_used(loops_known(loops), about)) {
        if (!pushgateway_delete(state->gateway, about->job, err))
            return fail(state);
        count(state, &state->deletions);
    }
    json_object_del(state->pushed, key);
    return LOOP_RESTS;
}

static int64_t push(struct state *state, const char *key, const struct about *about,
                    struct span text, struct error *err)
{
    const json_t *before = tree_get(state->pushed, key);
    int64_t now_ms = clock_mono_ms(), again_ms = tree_int(before, "at", 0) + AGAIN_MS;
    json_t *entry;
    char sha[65];

    text_sha256(text, sha);
    if (span_is(tree_span(before, "sha"), sha) && now_ms < again_ms)
        return again_ms - now_ms;
    if (!pushgateway_add(state->gateway, about->job, text, err))
        return fail(state);
    count(state, &state->pushes);
    entry = json_object();
    tree_put_text(entry, "sha", sha);
    tree_put_int(entry, "at", now_ms);
    tree_put_new(state->pushed, key, entry);
    return AGAIN_MS;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    struct state *state = loops_state(loops, &push_loop);
    AUTO(about) struct about about = {0};
    AUTO(json) json_t *object = NULL;
    AUTO(text) struct text text = {0};

    if (!loops_client(loops) || !read_key(key, &about))
        return LOOP_RESTS;
    if (!settings->pushgateway_url) {
        close_gateway(state);
        return LOOP_RESTS;
    }
    if (!open_gateway(state, settings, err))
        return fail(state);
    object = known_get(loops_known(loops), about.kind, about.space, about.name);
    if (!object)
        return take_back(loops, state, key, &about, err);
    metrics_loop_series(loops, object, about.kind == KNOWN_RESTORE, &text);
    if (!text.length)
        return LOOP_RESTS; /* nothing has ended yet */
    return push(state, key, &about, (struct span){text_get(&text), text.length}, err);
}

/* ---- metrics ---- */

static void metrics(struct loops *loops, struct text *text)
{
    struct state *state = loops_state(loops, &push_loop);
    struct {
        const char *name, *help;
        int64_t value;
    } rows[] = {
        {"granary_controller_pushes_total", "Metrics pushed to the Pushgateway.", 0},
        {"granary_controller_push_deletions_total", "Groups deleted there.", 0},
        {"granary_controller_push_failures_total", "Pushes and deletions that failed.", 0},
    };

    pthread_mutex_lock(&state->lock);
    rows[0].value = state->pushes;
    rows[1].value = state->deletions;
    rows[2].value = state->failures;
    pthread_mutex_unlock(&state->lock);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exposition_head(text, rows[i].name, "counter", rows[i].help);
        exposition_series(text, rows[i].name, "", rows[i].value);
    }
}

/* ---- life ---- */

static void *make(struct loops *loops)
{
    struct state *state = text_alloc(sizeof *state);

    (void)loops;
    *state = (struct state){.pushed = json_object()};
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

static void release(void *context)
{
    struct state *state = context;

    close_gateway(state);
    json_decref(state->pushed);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct loop push_loop = {.name = "pushes",
                               .make = make,
                               .free = release,
                               .keys = keys,
                               .step = step,
                               .metrics = metrics,
                               .workers = 1};
