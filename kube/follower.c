#include "kube/follower.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/tree.h"
#include "base/wait.h"
#include "kube/frame.h"
#include "kube/list.h"

/* Pages of a list: tokens that are always new and lists that are always empty end too. */
#define PAGES_MAX 10000

struct follower {
    struct follower_options options;
    struct reflector reflector;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    struct follower_facts facts;
    int64_t contact_ms; /* steady clock; -1: never */
    int64_t doubt_until_ms;
    int64_t missing_since_ms; /* of this thread; -1: the kind is there */
};

static int64_t steady_ms(void *context)
{
    (void)context;
    return clock_mono_ms();
}

static uint64_t system_random(void *context)
{
    uint64_t bits = 0;

    (void)context;
    /* without it all wait the same: not nice, and not wrong */
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        bits = (uint64_t)clock_mono_us();
    return bits;
}

static int64_t now_ms(const struct follower *follower)
{
    return follower->options.source.now_ms(follower->options.source.context);
}

/* Facts. */

static void note_contact(struct follower *follower)
{
    pthread_mutex_lock(&follower->lock);
    follower->contact_ms = now_ms(follower);
    pthread_mutex_unlock(&follower->lock);
}

static void note_events(struct follower *follower, int64_t events)
{
    pthread_mutex_lock(&follower->lock);
    follower->facts.events += events;
    follower->facts.event_s = clock_now_s();
    follower->facts.status = 0;
    follower->facts.problem[0] = '\0';
    pthread_mutex_unlock(&follower->lock);
}

static void note_success(struct follower *follower)
{
    pthread_mutex_lock(&follower->lock);
    follower->facts.status = 0;
    follower->facts.problem[0] = '\0';
    pthread_mutex_unlock(&follower->lock);
}

static void note_failure(struct follower *follower, int status, const struct error *err)
{
    pthread_mutex_lock(&follower->lock);

    /* once, however often it is tried again; and not that we end */
    bool news = strcmp(follower->facts.problem, err->message) != 0 &&
                strcmp(err->message, KUBE_STOPPED) != 0;

    follower->facts.errors++;
    follower->facts.status = status;
    memcpy(follower->facts.problem, err->message, sizeof follower->facts.problem);
    pthread_mutex_unlock(&follower->lock);
    if (news && !atomic_load(&follower->stopping))
        log_warn("a kind can not be followed",
                 LOG_S("group", follower->options.watched->resource.group),
                 LOG_S("resource", follower->options.watched->resource.plural),
                 LOG_N("status", status), LOG_S("error", err->message));
}

struct follower_facts follower_look(struct follower *follower)
{
    pthread_mutex_lock(&follower->lock);

    struct follower_facts facts = follower->facts;
    int64_t now = now_ms(follower);

    facts.contact_ms = follower->contact_ms < 0 ? -1 : now - follower->contact_ms;
    facts.in_doubt = now < follower->doubt_until_ms;
    pthread_mutex_unlock(&follower->lock);
    return facts;
}

/* Hands the changes on. */
static void tell(struct follower *follower, const struct store_changes *changes, bool listed)
{
    const struct reflector *reflector = &follower->reflector;
    bool doubtful = reflector_in_doubt(reflector, now_ms(follower));

    if (doubtful) {
        pthread_mutex_lock(&follower->lock);
        follower->doubt_until_ms = reflector->back_ms + reflector->limits.doubt_ms;
        pthread_mutex_unlock(&follower->lock);
    }
    /* an event of a watch is newer than the going back */
    if (changes->count > 0 || listed)
        follower->options.changed(follower->options.context, changes, listed, listed && doubtful);
}

/* Requests. */

/* The collection with what is always asked. */
static void add_path(struct text *path, const struct kube_watched *watched)
{
    kube_path(path, &watched->resource, watched->space, NULL, NULL);
    kube_query(path, "labelSelector", watched->labels);
    kube_query(path, "fieldSelector", watched->fields);
}

static void add_number(struct text *path, const char *key, int64_t number)
{
    AUTO(free) char *value = text_format("%lld", (long long)number);

    kube_query(path, key, number ? value : NULL);
}

static struct kube_stream *open_stream(struct follower *follower, const struct text *path,
                                       const char *accept, struct reflector_outcome *outcome,
                                       struct error *err)
{
    struct kube_request request = {.method = "GET",
                                   .path = text_get(path),
                                   .accept = accept,
                                   .timeout_ms = follower->reflector.limits.answer_ms};
    AUTO(kube_answer) struct kube_answer answer = {0};
    struct kube_stream *stream = kube_stream_open(follower->options.client, &request, &answer, err);
    const char *reason;

    if (stream || answer.status)
        note_contact(follower);
    if (stream)
        return stream;
    reason = kube_answer_reason(&answer);
    outcome->end = REFLECTOR_FAILED;
    outcome->status = answer.status;
    outcome->retry_after_s = answer.retry_after_s > 0 ? answer.retry_after_s : 0;
    if (strcmp(reason, "Expired") == 0 || strcmp(reason, "Gone") == 0)
        outcome->status = ERROR_GONE;
    outcome->too_large_version = status_is_too_large_version(answer.json);
    return NULL;
}

/* Lists. */

static void add_list_path(struct text *path, const struct follower *follower,
                          const struct reflector_step *step, const char *token)
{
    add_path(path, follower->options.watched);
    add_number(path, "limit", step->limit);
    /* a token holds the version; both together are refused (L3) */
    kube_query(path, "continue", token);
    if (token || !*step->version)
        return;
    kube_query(path, "resourceVersion", step->version);
    /* with a limit it would otherwise mean exactly this version, which may be compacted */
    kube_query(path, "resourceVersionMatch", "NotOlderThan");
}

static bool read_page(struct follower *follower, struct kube_stream *stream,
                      struct list_reader *reader, size_t *bytes, struct error *err)
{
    const struct reflector_limits *limits = &follower->reflector.limits;
    int64_t until_ms = now_ms(follower) + limits->page_ms;

    while (now_ms(follower) < until_ms) {
        size_t before = reader->frames.buffer.length;

        switch (kube_stream_read(stream, &reader->frames.buffer, limits->answer_ms, err)) {
        case KUBE_END:
            return true;
        case KUBE_BROKEN:
            return false;
        case KUBE_QUIET:
            return error_set(err, ERROR_TIMEOUT, "a list that does not go on");
        case KUBE_DATA:
            note_contact(follower);
            *bytes += reader->frames.buffer.length - before;
            break;
        }
        if (*bytes > KUBE_LIST_MAX_BYTES)
            return error_set(err, ERROR_TOO_LARGE, "a list of more than %u bytes",
                             KUBE_LIST_MAX_BYTES);
        if (!list_read(reader, err))
            return false;
    }
    return error_set(err, ERROR_TIMEOUT, "a list that does not get whole");
}

/* What is known between two pages. */
struct listing {
    const struct reflector_step *step;
    json_t *items;
    char version[KUBE_VERSION_MAX_CHARS + 1];
    char *token; /* for the next page; NULL: none */
    size_t bytes;
    int pages;
};

static bool keep_page(struct listing *listing, const struct list_page *page, struct error *err)
{
    if (listing->pages++ == 0)
        snprintf(listing->version, sizeof listing->version, "%s", page->version);
    if (page->more && listing->token && strcmp(page->more, listing->token) == 0)
        return error_set(err, ERROR_INTERNAL, "a list whose pages lead in a circle");
    if (page->more && listing->pages == PAGES_MAX)
        return error_set(err, ERROR_TOO_LARGE, "a list of more than %d pages", PAGES_MAX);
    free(listing->token);
    listing->token = page->more ? text_dup(page->more, strlen(page->more)) : NULL;
    return true;
}

static bool list_one_page(struct follower *follower, struct listing *listing,
                          struct reflector_outcome *outcome, struct error *err)
{
    const struct kube_watched *watched = follower->options.watched;
    AUTO(text) struct text path = {0};
    AUTO(list_reader)
    struct list_reader reader = {.watched = watched, .items = listing->items};
    struct list_page page;

    add_list_path(&path, follower, listing->step, listing->token);
    outcome->later_page = listing->pages > 0;

    AUTO(kube_stream)
    struct kube_stream *stream =
        open_stream(follower, &path, watched_accept_list(watched), outcome, err);

    return stream && read_page(follower, stream, &reader, &listing->bytes, err) &&
           list_end(&reader, &page, err) && keep_page(listing, &page, err);
}

static bool list_all(struct follower *follower, struct listing *listing,
                     struct reflector_outcome *outcome, struct error *err)
{
    do
        if (!list_one_page(follower, listing, outcome, err))
            return false;
    while (listing->token && !atomic_load(&follower->stopping));
    return !listing->token || error_set(err, ERROR_UNAVAILABLE, KUBE_STOPPED);
}

/* The store takes a whole list, as far as the reflector has taken its version. */
static void replace(struct follower *follower, const json_t *items)
{
    AUTO(store_changes) struct store_changes changes = {0};

    kube_store_replace(follower->options.store, items, &changes);
    follower->missing_since_ms = -1;
    pthread_mutex_lock(&follower->lock);
    follower->facts.lists++;
    pthread_mutex_unlock(&follower->lock);
    note_events(follower, (int64_t)json_array_size(items));
    tell(follower, &changes, true);
}

/* The kind is gone, and all objects with it: nobody asked for what that means. */
static void forget(struct follower *follower)
{
    AUTO(store_changes) struct store_changes changes = {0};
    AUTO(json) json_t *none = json_array();

    kube_store_replace(follower->options.store, none, &changes);
    if (changes.count > 0)
        follower->options.changed(follower->options.context, &changes, true, true);
}

/* A kind that is not served is as good as empty, until it is. What was known stays for a while: a
 * server that starts may not know all its kinds yet. */
static void missing(struct follower *follower, const struct reflector_outcome *outcome)
{
    const struct store_changes none = {0};
    int64_t now = now_ms(follower);

    if (outcome->end != REFLECTOR_FAILED || outcome->status == 0)
        return;
    if (outcome->status != ERROR_NOT_FOUND || !follower->options.watched->optional) {
        follower->missing_since_ms = -1;
        return;
    }
    if (!follower->reflector.listed)
        tell(follower, &none, true);
    if (follower->missing_since_ms < 0)
        follower->missing_since_ms = now;
    else if (now - follower->missing_since_ms >= follower->reflector.limits.missing_ms)
        forget(follower);
}

/* Returns the next step, since only it makes the version known with which the store is told. */
static struct reflector_step do_list(struct follower *follower, const struct reflector_step *step)
{
    struct follower_source *source = &follower->options.source;
    AUTO(json) json_t *items = json_array();
    struct listing listing = {.step = step, .items = items};
    struct reflector_outcome outcome = {.end = REFLECTOR_FAILED};
    struct error err = {0};
    bool listed = list_all(follower, &listing, &outcome, &err);

    free(listing.token);
    if (listed)
        outcome = (struct reflector_outcome){
            .end = REFLECTOR_LISTED, .version = listing.version, .paged = listing.pages > 1};

    struct reflector_step next = reflector_next(&follower->reflector, &outcome, now_ms(follower),
                                                source->random(source->context));

    if (listed) {
        replace(follower, items);
    } else {
        note_failure(follower, outcome.status, &err);
        missing(follower, &outcome);
    }
    return next;
}

/* Watches. */

/* One watch: what is needed while it lasts. */
struct watch {
    struct follower *follower;
    struct kube_stream *stream;
    struct frames frames;
    struct kube_store *initial; /* what has come of a streamed list; NULL when it is complete */
    size_t bytes;               /* of that */
    int64_t opened_ms, heard_ms;
    struct reflector_outcome outcome;
};

static void add_watch_path(struct text *path, const struct follower *follower,
                           const struct reflector_step *step)
{
    bool initial = step->act == REFLECTOR_STREAM;

    add_path(path, follower->options.watched);
    kube_query(path, "watch", "1");
    kube_query(path, "allowWatchBookmarks", "true");
    kube_query(path, "sendInitialEvents", initial ? "true" : NULL);
    kube_query(path, "resourceVersionMatch", initial ? "NotOlderThan" : NULL);
    kube_query(path, "resourceVersion", *step->version ? step->version : NULL);
    add_number(path, "timeoutSeconds", step->timeout_s);
}

static void complete(struct watch *watch)
{
    AUTO(json) json_t *items = json_array();

    kube_store_all(watch->initial, items);
    kube_store_free(TAKE(watch->initial));
    replace(watch->follower, items);
}

static void keep(struct watch *watch, const struct watch_event *event)
{
    AUTO(store_changes) struct store_changes changes = {0};
    struct kube_store *store = watch->initial ? watch->initial : watch->follower->options.store;

    if (event->type == WATCH_CHANGED)
        kube_store_put(store, event->object, &changes);
    else if (event->type == WATCH_DELETED)
        kube_store_remove(store, event->object, &changes);
    if (watch->initial)
        return;
    note_events(watch->follower, 1);
    tell(watch->follower, &changes, false);
}

/* False: the watch ends, watch->outcome says how. */
static bool take_event(struct watch *watch, const struct watch_event *event, struct error *err)
{
    struct follower *follower = watch->follower;

    switch (event->type) {
    case WATCH_ERROR:
        watch->outcome.end = REFLECTOR_REPORTED;
        watch->outcome.status = event->status;
        watch->outcome.too_large_version = event->too_large_version;
        return false;
    case WATCH_STRANGE:
        note_failure(follower, 0, err);
        return true;
    default:
        break;
    }
    switch (reflector_saw(&follower->reflector, event, now_ms(follower))) {
    case REFLECTOR_TAKE:
        keep(watch, event);
        return true;
    case REFLECTOR_COMPLETE:
        complete(watch);
        return true;
    case REFLECTOR_LEAVE:
        break;
    }
    watch->outcome.end = REFLECTOR_LEFT;
    return error_set(err, ERROR_CONFLICT, "version %s after %s: the server has gone back",
                     event->version ? event->version : "\"\"", follower->reflector.version);
}

static bool take_frames(struct watch *watch, struct error *err)
{
    struct span frame;
    enum frame got;

    while ((got = frame_object(&watch->frames, &frame, err)) == FRAME_READY) {
        AUTO(watch_event) struct watch_event event = {0};

        watch->heard_ms = now_ms(watch->follower);
        if (!watch_event_decode(watch->follower->options.watched, frame, &event, err)) {
            watch->outcome.end = REFLECTOR_GARBLED;
            return false;
        }
        if (!take_event(watch, &event, err))
            return false;
    }
    if (got == FRAME_BAD)
        watch->outcome.end = REFLECTOR_GARBLED;
    return got == FRAME_MORE;
}

static bool take_bytes(struct watch *watch, size_t before, struct error *err)
{
    watch->bytes += watch->frames.buffer.length - before;
    note_contact(watch->follower);
    if (watch->initial && watch->bytes > KUBE_LIST_MAX_BYTES) {
        watch->outcome.end = REFLECTOR_GARBLED;
        return error_set(err, ERROR_TOO_LARGE, "a streamed list of more than %u bytes",
                         KUBE_LIST_MAX_BYTES);
    }
    return take_frames(watch, err);
}

/* False: nothing whole came for long enough, however many bytes did; or a list that is streamed
 * does not end, as from a server that does not know sendInitialEvents, and tells what happens. */
static bool in_time(struct watch *watch, int64_t quiet_ms, struct error *err)
{
    const struct reflector_limits *limits = &watch->follower->reflector.limits;
    int64_t now = now_ms(watch->follower);

    if (watch->initial && now - watch->opened_ms >= limits->initial_max_ms)
        error_set(err, ERROR_TIMEOUT, "a streamed list that does not end");
    else if (now - watch->heard_ms >= quiet_ms)
        error_set(err, ERROR_TIMEOUT, "nothing came for %lld ms", (long long)quiet_ms);
    else
        return true;
    watch->outcome.end = REFLECTOR_SILENT;
    return false;
}

static bool read_on(struct watch *watch, int64_t quiet_ms, struct error *err)
{
    size_t before = watch->frames.buffer.length;
    int64_t look_ms = watch->follower->reflector.limits.look_ms;
    int64_t slice_ms = quiet_ms < look_ms ? quiet_ms : look_ms;

    switch (kube_stream_read(watch->stream, &watch->frames.buffer, slice_ms, err)) {
    case KUBE_DATA:
        return take_bytes(watch, before, err) && in_time(watch, quiet_ms, err);
    case KUBE_QUIET:
        return in_time(watch, quiet_ms, err);
    default:
        watch->outcome.end = REFLECTOR_ENDED;
        return false;
    }
}

static void read_watch(struct watch *watch, const struct reflector_step *step, struct error *err)
{
    struct follower *follower = watch->follower;

    pthread_mutex_lock(&follower->lock);
    follower->facts.watches++;
    pthread_mutex_unlock(&follower->lock);
    watch->opened_ms = watch->heard_ms = now_ms(follower);
    watch->outcome.end = REFLECTOR_ENDED;
    while (
        !atomic_load(&follower->stopping) &&
        read_on(watch, watch->initial ? step->quiet_ms : follower->reflector.limits.quiet_ms, err))
        continue;
    watch->outcome.lasted_ms = now_ms(follower) - watch->opened_ms;
}

static struct reflector_step do_watch(struct follower *follower, const struct reflector_step *step)
{
    struct follower_source *source = &follower->options.source;
    const struct kube_watched *watched = follower->options.watched;
    struct watch watch = {.follower = follower};
    AUTO(text) struct text path = {0};
    struct error err = {0};

    add_watch_path(&path, follower, step);
    watch.stream = open_stream(follower, &path, watched_accept(watched), &watch.outcome, &err);
    /* nothing may happen for long, but it would be told */
    if (watch.stream && step->act == REFLECTOR_WATCH)
        note_success(follower);
    if (watch.stream) {
        watch.initial = step->act == REFLECTOR_STREAM ? kube_store_make(NULL) : NULL;
        read_watch(&watch, step, &err);
        kube_stream_close(watch.stream);
    }
    /* that a watch ends, whichever way, is ordinary */
    if (watch.outcome.end != REFLECTOR_ENDED)
        note_failure(follower, watch.outcome.status, &err);
    missing(follower, &watch.outcome);
    frames_done(&watch.frames);
    kube_store_free(watch.initial);
    return reflector_next(&follower->reflector, &watch.outcome, now_ms(follower),
                          source->random(source->context));
}

/* The thread. */

static void do_wait(struct follower *follower, int64_t wait_ms)
{
    int64_t at_ms = clock_mono_ms() + wait_ms;
    bool in_time = true;

    pthread_mutex_lock(&follower->lock);
    while (!atomic_load(&follower->stopping) && in_time)
        in_time = wait_on(&follower->wake, &follower->lock, at_ms);
    pthread_mutex_unlock(&follower->lock);
}

static struct reflector_step do_step(struct follower *follower, const struct reflector_step *step)
{
    struct follower_source *source = &follower->options.source;
    struct reflector_outcome waited = {.end = REFLECTOR_WAITED};

    switch (step->act) {
    case REFLECTOR_LIST:
        return do_list(follower, step);
    case REFLECTOR_STREAM:
    case REFLECTOR_WATCH:
        return do_watch(follower, step);
    case REFLECTOR_WAIT:
        break;
    }
    do_wait(follower, step->wait_ms);
    return reflector_next(&follower->reflector, &waited, now_ms(follower),
                          source->random(source->context));
}

static void *follow(void *argument)
{
    struct follower *follower = argument;
    struct follower_source *source = &follower->options.source;
    struct reflector_outcome began = {.end = REFLECTOR_BEGAN};
    struct reflector_step step = reflector_next(&follower->reflector, &began, now_ms(follower),
                                                source->random(source->context));

    while (!atomic_load(&follower->stopping))
        step = do_step(follower, &step);
    return NULL;
}

static void release(struct follower *follower)
{
    pthread_cond_destroy(&follower->wake);
    pthread_mutex_destroy(&follower->lock);
    free(follower);
}

static void prepare(struct follower *follower)
{
    if (!follower->options.source.now_ms)
        follower->options.source.now_ms = steady_ms;
    if (!follower->options.source.random)
        follower->options.source.random = system_random;
    pthread_mutex_init(&follower->lock, NULL);
    wait_prepare(&follower->wake);
}

struct follower *follower_start(const struct follower_options *options, struct error *err)
{
    struct follower *follower = text_alloc(sizeof *follower);
    int number;

    follower->options = *options;
    follower->reflector = reflector_make(&options->limits, options->streams);
    follower->contact_ms = follower->missing_since_ms = -1;
    prepare(follower);
    number = pthread_create(&follower->thread, NULL, follow, follower);
    if (number == 0)
        return follower;
    error_set(err, ERROR_INTERNAL, "no thread to follow %s: %s", options->watched->resource.plural,
              strerrordesc_np(number));
    release(follower);
    return NULL;
}

void follower_stop(struct follower *follower)
{
    if (!follower)
        return;
    pthread_mutex_lock(&follower->lock);
    atomic_store(&follower->stopping, true);
    pthread_cond_broadcast(&follower->wake);
    pthread_mutex_unlock(&follower->lock);
    pthread_join(follower->thread, NULL);
    release(follower);
}
