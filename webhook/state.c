#include "webhook/state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "kube/catalog.h"

struct state {
    const char *path; /* of the folder; NULL: there is none */
    struct catalog_watch *watch;
    struct live *live; /* NULL: there is a folder */
    pthread_mutex_t lock;
    const struct cluster *cluster; /* this and the following under the lock */
    struct state_facts facts;
};

static void refuse(struct state *state, const struct error *err)
{
    pthread_mutex_lock(&state->lock);

    bool has_old = state->cluster;

    state->facts.good = false;
    state->facts.errors++;
    memcpy(state->facts.problem, err->message, sizeof state->facts.problem);
    pthread_mutex_unlock(&state->lock);
    log_error("catalog refused", LOG_S("catalog", state->path), LOG_S("error", err->message),
              LOG_S("in-use", has_old ? "the last good one" : "none"));
}

static void take(struct state *state, const struct cluster *cluster)
{
    pthread_mutex_lock(&state->lock);

    const struct cluster *old = state->cluster;

    state->cluster = cluster;
    state->facts.good = true;
    state->facts.problem[0] = '\0';
    state->facts.loads++;
    state->facts.loaded_s = clock_now_s();
    state->facts.objects = (int64_t)cluster_size(cluster);
    pthread_mutex_unlock(&state->lock);
    if (!old && !state->path)
        log_info("cluster known", LOG_N("objects", (int64_t)cluster_size(cluster)));
    cluster_unref(old);
}

static void take_folder(struct state *state, const json_t *objects)
{
    take(state, cluster_make(objects));
    log_info("catalog taken", LOG_S("catalog", state->path),
             LOG_N("objects", (int64_t)json_array_size(objects)));
}

static void log_remarks(const struct text *remarks)
{
    struct span rest = {text_get(remarks), remarks->length}, line;

    while (text_split(&rest, '\n', &line))
        if (line.length > 0)
            log_warn("catalog remark", LOG_SPAN("remark", line));
}

/* In main before the first request, afterwards in the thread that follows the folder. */
static void reload(void *context)
{
    struct state *state = context;
    AUTO(text) struct text remarks = {0};
    struct error err;
    AUTO(json) json_t *objects = catalog_read(state->path, &remarks, &err);

    log_remarks(&remarks);
    if (objects)
        take_folder(state, objects);
    else
        refuse(state, &err);
}

static void follow_folder(struct state *state)
{
    struct error err;

    reload(state);
    state->watch = catalog_watch_start(state->path, reload, state, &err);
    if (!state->watch)
        log_error("catalog is not followed", LOG_S("catalog", state->path),
                  LOG_S("error", err.message));
}

/* In the informer's thread: nobody who answers waits for it. */
static void take_all(void *context, const json_t *objects)
{
    struct state *state = context;
    AUTO(cluster) const struct cluster *before = state_cluster(state);

    take(state, cluster_next(before, objects));
}

static bool follow_server(struct state *state, const struct state_source *source, struct error *err)
{
    const struct live_plan plan = {
        .config = source->config,
        .secret = source->secret,
        .known = take_all,
        .secret_changed = source->secret_changed,
        .context = source->context,
        .known_context = state,
    };

    state->live = live_start(&plan, err);
    return state->live;
}

struct state *state_start(const struct state_source *source, struct error *err)
{
    struct state *state = text_alloc(sizeof *state);

    state->path = source->catalog;
    pthread_mutex_init(&state->lock, NULL);
    if (source->catalog) {
        follow_folder(state);
        return state;
    }
    if (follow_server(state, source, err))
        return state;
    state_stop(state);
    return NULL;
}

void state_stop(struct state *state)
{
    if (!state)
        return;
    catalog_watch_stop(state->watch);
    live_stop(state->live);
    cluster_unref(state->cluster);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct cluster *state_cluster(struct state *state)
{
    pthread_mutex_lock(&state->lock);

    const struct cluster *cluster = cluster_ref(state->cluster);

    pthread_mutex_unlock(&state->lock);
    return cluster;
}

struct state_facts state_look(struct state *state)
{
    pthread_mutex_lock(&state->lock);

    struct state_facts facts = state->facts;

    pthread_mutex_unlock(&state->lock);
    return facts;
}

void state_watch(struct state *state, int64_t now_ms)
{
    if (state->live)
        live_watch(state->live, now_ms);
}

struct live *state_live(struct state *state)
{
    return state->live;
}
