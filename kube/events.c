#include "kube/events.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/wait.h"
#include "kube/verbs.h"

#define ANSWER_MS 5000

static const struct kube_resource resource = {"events.k8s.io", "v1", "events", "Event", true};

struct kube_events {
    struct kube_client *client;
    pthread_t thread;
    struct log_limit log;

    pthread_mutex_t mutex; /* of what follows; never held while something is sent */
    pthread_cond_t wake;
    struct event_book *book;
    int64_t stop_ms; /* steady clock: to be ended by then; 0: goes on */
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* With the mutex. */
static void rest(struct kube_events *events, int64_t wait_ms)
{
    bool forever = wait_ms == INT64_MAX; /* none is waiting */

    (void)wait_on(&events->wake, &events->mutex,
                  forever ? WAIT_FOREVER : clock_mono_ms() + wait_ms);
}

/* The HTTP status. */
static int tell(struct kube_events *events, const struct event_request *request, int64_t within_ms)
{
    struct kube_ref ref = {&resource, request->space, request->name, NULL};
    struct kube_options options = {.timeout_ms = within_ms};
    AUTO(kube_result) struct kube_result result = {0};
    struct error err = {0};
    int64_t missed;

    if (request->create
            ? kube_create(events->client, &ref, request->body, &options, &result, &err)
            : kube_merge_patch(events->client, &ref, request->body, &options, &result, &err))
        return 200;
    if (err.code != ERROR_CONFLICT && err.code != ERROR_NOT_FOUND &&
        log_passes(&events->log, clock_mono_ms(), &missed))
        log_warn("an event could not be told", LOG_S("event", request->name),
                 LOG_S("namespace", request->space), LOG_S("error", err.message),
                 LOG_N("missed", missed));
    return (int)err.code;
}

/* One event, or a pause. False: the end. With the mutex. */
static bool step(struct kube_events *events)
{
    AUTO(event_request) struct event_request request = {0};
    int64_t now_ms = clock_mono_ms();
    int64_t left_ms = events->stop_ms ? events->stop_ms - now_ms : ANSWER_MS;
    int64_t wait_ms = left_ms > 0 ? event_book_next(events->book, now_ms, &request) : 0;

    if (left_ms <= 0 || (events->stop_ms && wait_ms > left_ms))
        return false;
    if (wait_ms >= 0) {
        rest(events, wait_ms);
        return true;
    }
    pthread_mutex_unlock(&events->mutex);

    int status = tell(events, &request, least(left_ms, ANSWER_MS));

    pthread_mutex_lock(&events->mutex);
    event_book_told(events->book, &request, status, clock_mono_ms());
    return true;
}

static void *run(void *context)
{
    struct kube_events *events = context;

    pthread_mutex_lock(&events->mutex);
    while (step(events))
        ;
    pthread_mutex_unlock(&events->mutex);
    return NULL;
}

static void release(struct kube_events *events)
{
    event_book_free(events->book);
    pthread_cond_destroy(&events->wake);
    pthread_mutex_destroy(&events->mutex);
    free(events);
}

struct kube_events *kube_events_start(struct kube_client *client, const struct event_source *source,
                                      struct error *err)
{
    struct kube_events *events = text_alloc(sizeof *events);

    events->client = client;
    events->book = event_book_make(source);
    pthread_mutex_init(&events->mutex, NULL);
    wait_prepare(&events->wake);
    if (pthread_create(&events->thread, NULL, run, events) == 0)
        return events;
    error_set(err, ERROR_INTERNAL, "no threads left");
    release(events);
    return NULL;
}

void kube_events_note(struct kube_events *events, const json_t *object,
                      const struct kube_event *event)
{
    pthread_mutex_lock(&events->mutex);
    if (event_book_note(events->book, object, event, clock_mono_ms(), clock_now_ms()))
        pthread_cond_signal(&events->wake);
    pthread_mutex_unlock(&events->mutex);
}

void kube_events_stop(struct kube_events *events, int64_t within_ms)
{
    if (!events)
        return;
    pthread_mutex_lock(&events->mutex);
    events->stop_ms = clock_mono_ms() + within_ms;
    pthread_cond_signal(&events->wake);
    pthread_mutex_unlock(&events->mutex);
    pthread_join(events->thread, NULL);
    release(events);
}

struct event_facts kube_events_look(struct kube_events *events)
{
    pthread_mutex_lock(&events->mutex);

    struct event_facts facts = event_book_look(events->book);

    pthread_mutex_unlock(&events->mutex);
    return facts;
}
