#include "kube/informer.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/wait.h"
#include "kube/catalog.h"
#include "kube/deltas.h"

#define SETTLE_MS 50
#define SETTLE_MAX_MS 1000

/* One kind. */
struct part {
    struct informer *informer;
    size_t kind;
    struct kube_store *store;
    struct follower *follower; /* NULL: of a folder */
    bool listed;               /* under the lock, as the next: its mark is on the way */
    bool synced;               /* the mark was told */
};

struct informer {
    struct informer_options options;
    struct part *parts;
    char *folder; /* NULL: of an API server */
    struct catalog_watch *watch;
    pthread_mutex_t reading; /* of the folder: readings do not overtake each other */
    pthread_t thread;
    bool running; /* the thread is */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* deltas, synced or stopping */
    struct deltas *deltas;  /* this and the following under the lock */
    size_t synced;          /* kinds */
    bool stopping;
    bool restless; /* something changed since all objects were told */
    int64_t first_ms, last_ms;
    struct follower_facts facts; /* of the folder */
};

/* From a follower's thread: only puts into the queue. */
static void take_changes(void *context, const struct store_changes *changes, bool listed,
                         bool doubtful)
{
    struct part *part = context;
    struct informer *informer = part->informer;

    pthread_mutex_lock(&informer->lock);
    for (size_t i = 0; i < changes->count; i++)
        deltas_add(informer->deltas, part->kind, &changes->items[i],
                   doubtful && !changes->items[i].after);
    if (listed && !part->listed) {
        deltas_add(informer->deltas, part->kind, &(struct store_change){0}, false);
        part->listed = true;
    }
    pthread_cond_broadcast(&informer->changed);
    pthread_mutex_unlock(&informer->lock);
}

/* The thread that tells. */

static bool is_synced(const struct informer *informer)
{
    return informer->synced == informer->options.count;
}

/* When all objects are to be told; -1: not now. Under the lock. */
static int64_t settles_ms(const struct informer *informer)
{
    const struct informer_options *options = &informer->options;
    int64_t quiet_ms = informer->last_ms + options->settle_ms;
    int64_t late_ms = informer->first_ms + options->settle_max_ms;

    if (!options->settled || !informer->restless || !is_synced(informer))
        return -1;
    return quiet_ms < late_ms ? quiet_ms : late_ms;
}

/* Under the lock, as all of the following that do not say otherwise. */
static void note_change(struct informer *informer)
{
    informer->last_ms = clock_mono_ms();
    if (!informer->restless)
        informer->first_ms = informer->last_ms;
    informer->restless = true;
}

static void note_synced(struct informer *informer, struct part *part)
{
    part->synced = true;
    informer->synced++;
    note_change(informer);
    /* who waits for the first snapshot does not wait for peace too */
    if (is_synced(informer))
        informer->first_ms -= informer->options.settle_max_ms;
    pthread_cond_broadcast(&informer->changed);
}

static void tell_change(struct informer *informer, const struct delta *delta)
{
    struct informer_change change = {.kind = delta->kind,
                                     .watched = &informer->options.kinds[delta->kind],
                                     .before = delta->change.before,
                                     .after = delta->change.after,
                                     .tombstone = delta->change.tombstone,
                                     .doubtful = delta->doubtful};

    note_change(informer);
    if (!informer->options.changed)
        return;
    pthread_mutex_unlock(&informer->lock);
    informer->options.changed(informer->options.context, &change);
    pthread_mutex_lock(&informer->lock);
}

static void tell_all(struct informer *informer)
{
    informer->restless = false;
    pthread_mutex_unlock(&informer->lock);

    AUTO(json) json_t *objects = informer_objects(informer);

    informer->options.settled(informer->options.context, objects);
    pthread_mutex_lock(&informer->lock);
}

static void tell_next(struct informer *informer)
{
    AUTO(delta) struct delta delta = {0};
    int64_t at_ms = settles_ms(informer);

    if (at_ms >= 0 && at_ms <= clock_mono_ms())
        tell_all(informer);
    else if (!deltas_take(informer->deltas, &delta))
        (void)wait_on(&informer->changed, &informer->lock, at_ms < 0 ? WAIT_FOREVER : at_ms);
    else if (delta.change.before || delta.change.after)
        tell_change(informer, &delta);
    else
        note_synced(informer, &informer->parts[delta.kind]);
}

static void *tell(void *argument)
{
    struct informer *informer = argument;

    pthread_mutex_lock(&informer->lock);
    while (!informer->stopping)
        tell_next(informer);
    pthread_mutex_unlock(&informer->lock);
    return NULL;
}

/* A folder. */

static bool is_of(const struct kube_watched *watched, const json_t *object)
{
    struct span version = tree_span(object, "apiVersion");
    const char *slash = version.length ? memchr(version.data, '/', version.length) : NULL;
    struct span group = {version.data, slash ? (size_t)(slash - version.data) : 0};

    return span_is(group, watched->resource.group) &&
           span_is(tree_span(object, "kind"), watched->resource.kind);
}

static void take_objects(struct part *part, const json_t *objects)
{
    const struct kube_watched *watched = &part->informer->options.kinds[part->kind];
    AUTO(store_changes) struct store_changes changes = {0};
    AUTO(json) json_t *own = json_array();
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        if (is_of(watched, object))
            tree_push_new(own, tree_share(object));
    kube_store_replace(part->store, own, &changes);
    take_changes(part, &changes, true, false);
}

static void note_reading(struct informer *informer, bool fine, const struct error *err)
{
    pthread_mutex_lock(&informer->lock);
    informer->facts.lists += fine;
    informer->facts.errors += !fine;
    if (fine)
        informer->facts.event_s = clock_now_s();
    memcpy(informer->facts.problem, err->message, sizeof informer->facts.problem);
    pthread_mutex_unlock(&informer->lock);
}

static void log_remarks(const char *folder, const struct text *remarks)
{
    struct span rest = {text_get(remarks), remarks->length}, line;

    while (text_split(&rest, '\n', &line))
        if (line.length > 0)
            log_warn("catalog remark", LOG_S("catalog", folder), LOG_SPAN("remark", line));
}

static void read_once(struct informer *informer)
{
    AUTO(text) struct text remarks = {0};
    struct error err = {0};
    AUTO(json) json_t *objects = catalog_read(informer->folder, &remarks, &err);

    log_remarks(informer->folder, &remarks);
    note_reading(informer, objects, &err);
    if (!objects) {
        log_error("catalog refused", LOG_S("catalog", informer->folder),
                  LOG_S("error", err.message));
        return;
    }
    for (size_t i = 0; i < informer->options.count; i++)
        take_objects(&informer->parts[i], objects);
}

static void read_folder(void *context)
{
    struct informer *informer = context;

    pthread_mutex_lock(&informer->reading);
    read_once(informer);
    pthread_mutex_unlock(&informer->reading);
}

static bool is_for_folders(const struct informer_options *options, struct error *err)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct kube_watched *watched = &options->kinds[i];

        if (watched->space || watched->labels || watched->fields)
            return error_set(err, ERROR_INVALID, "%s: a folder knows no selectors",
                             watched->resource.plural);
    }
    return true;
}

/* Life. */

static struct informer *make(const struct informer_options *options)
{
    struct informer *informer = text_alloc(sizeof *informer);

    informer->options = *options;
    if (informer->options.settle_ms <= 0)
        informer->options.settle_ms = SETTLE_MS;
    if (informer->options.settle_max_ms <= 0)
        informer->options.settle_max_ms = SETTLE_MAX_MS;
    informer->deltas = deltas_make();
    informer->parts = text_alloc((options->count + 1) * sizeof *informer->parts);
    for (size_t i = 0; i < options->count; i++)
        informer->parts[i] =
            (struct part){.informer = informer,
                          .kind = i,
                          .store = kube_store_make(options->indexes ? options->indexes[i] : NULL)};
    pthread_mutex_init(&informer->reading, NULL);
    pthread_mutex_init(&informer->lock, NULL);
    wait_prepare(&informer->changed);
    return informer;
}

static bool start_thread(struct informer *informer, struct error *err)
{
    int number = pthread_create(&informer->thread, NULL, tell, informer);

    informer->running = number == 0;
    return informer->running ||
           error_set(err, ERROR_INTERNAL, "no thread to tell changes: %s", strerrordesc_np(number));
}

static bool follow_all(struct informer *informer, struct kube_client *client, struct error *err)
{
    const struct informer_options *options = &informer->options;

    for (size_t i = 0; i < options->count; i++) {
        struct part *part = &informer->parts[i];

        part->follower = follower_start(&(struct follower_options){.client = client,
                                                                   .watched = &options->kinds[i],
                                                                   .store = part->store,
                                                                   .limits = options->limits,
                                                                   .streams = !options->lists_only,
                                                                   .source = options->source,
                                                                   .changed = take_changes,
                                                                   .context = part},
                                        err);
        if (!part->follower)
            return false;
    }
    return true;
}

struct informer *informer_start(struct kube_client *client, const struct informer_options *options,
                                struct error *err)
{
    struct informer *informer = make(options);

    if (start_thread(informer, err) && follow_all(informer, client, err))
        return informer;
    informer_stop(informer);
    return NULL;
}

struct informer *informer_start_folder(const char *path, const struct informer_options *options,
                                       struct error *err)
{
    if (!is_for_folders(options, err))
        return NULL;

    struct informer *informer = make(options);

    informer->folder = text_dup(path, strlen(path));
    /* followed first, then read: no change falls between */
    if (start_thread(informer, err))
        informer->watch = catalog_watch_start(path, read_folder, informer, err);
    if (informer->watch) {
        read_folder(informer);
        return informer;
    }
    informer_stop(informer);
    return NULL;
}

void informer_stop(struct informer *informer)
{
    if (!informer)
        return;
    catalog_watch_stop(informer->watch);
    for (size_t i = 0; i < informer->options.count; i++)
        follower_stop(informer->parts[i].follower);
    pthread_mutex_lock(&informer->lock);
    informer->stopping = true;
    pthread_cond_broadcast(&informer->changed);
    pthread_mutex_unlock(&informer->lock);
    if (informer->running)
        pthread_join(informer->thread, NULL);
    for (size_t i = 0; i < informer->options.count; i++)
        kube_store_free(informer->parts[i].store);
    deltas_free(informer->deltas);
    pthread_cond_destroy(&informer->changed);
    pthread_mutex_destroy(&informer->lock);
    pthread_mutex_destroy(&informer->reading);
    free(informer->parts);
    free(informer->folder);
    free(informer);
}

/* Questions. */

static bool kind_synced(const struct informer *informer, size_t kind)
{
    assert(kind == INFORMER_ALL || kind < informer->options.count);
    return kind == INFORMER_ALL ? is_synced(informer) : informer->parts[kind].synced;
}

bool informer_synced(struct informer *informer, size_t kind)
{
    pthread_mutex_lock(&informer->lock);

    bool synced = kind_synced(informer, kind);

    pthread_mutex_unlock(&informer->lock);
    return synced;
}

bool informer_wait_synced(struct informer *informer, size_t kind, int64_t timeout_ms)
{
    int64_t end_ms = clock_mono_ms() + timeout_ms;
    bool synced, in_time = true;

    pthread_mutex_lock(&informer->lock);
    while (!(synced = kind_synced(informer, kind)) && in_time)
        in_time = wait_on(&informer->changed, &informer->lock, end_ms);
    pthread_mutex_unlock(&informer->lock);
    return synced;
}

struct kube_store *informer_store(struct informer *informer, size_t kind)
{
    assert(kind < informer->options.count);
    return informer->parts[kind].store;
}

json_t *informer_objects(struct informer *informer)
{
    json_t *objects = json_array();

    for (size_t i = 0; i < informer->options.count; i++)
        kube_store_all(informer->parts[i].store, objects);
    return objects;
}

struct informer_facts informer_look(struct informer *informer, size_t kind)
{
    struct part *part = &informer->parts[kind];
    struct informer_facts facts = {.synced = informer_synced(informer, kind),
                                   .objects = (int64_t)kube_store_count(part->store)};

    if (part->follower) {
        facts.follower = follower_look(part->follower);
        return facts;
    }
    pthread_mutex_lock(&informer->lock);
    facts.follower = informer->facts;
    pthread_mutex_unlock(&informer->lock);
    return facts;
}

size_t informer_backlog(struct informer *informer)
{
    pthread_mutex_lock(&informer->lock);

    size_t count = deltas_count(informer->deltas);

    pthread_mutex_unlock(&informer->lock);
    return count;
}
