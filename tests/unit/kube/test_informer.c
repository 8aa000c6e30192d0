#include "kube/informer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/kube/watching.h"
#include "tests/unit/suite.h"

/* Informers over real sockets and folders, where each answer is said by the test. */

#define TIMEOUT_MS 60000

static const struct reflector_limits quick = {.backoff_ms = 1,
                                              .backoff_max_ms = 4,
                                              .short_ms = 1,
                                              .quiet_ms = 10 * TIMEOUT_MS,
                                              .initial_ms = 10 * TIMEOUT_MS};

/* What a handler was told: "a+ b+ a~ a-" and, of all objects together, their number. */
struct told {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct text words;
    size_t settled, objects;
    pthread_mutex_t gate; /* locked by a test to make the handler slow */
};

static void told_done(struct told *told)
{
    text_done(&told->words);
}

#define TOLD                                                                                       \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER,                    \
        .gate = PTHREAD_MUTEX_INITIALIZER                                                          \
    }

static void take_change(void *context, const struct informer_change *change)
{
    struct told *told = context;
    const json_t *object = change->after ? change->after : change->before;

    pthread_mutex_lock(&told->gate);
    pthread_mutex_unlock(&told->gate);
    pthread_mutex_lock(&told->lock);
    text_addf(&told->words, "%s%s%s%s", told->words.length ? " " : "",
              tree_text(tree_get(object, "metadata"), "name"),
              !change->after   ? change->tombstone ? "-?" : "-"
              : change->before ? "~"
                               : "+",
              change->doubtful ? "!" : "");
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static void take_objects(void *context, const json_t *objects)
{
    struct told *told = context;

    pthread_mutex_lock(&told->lock);
    told->settled++;
    told->objects = json_array_size(objects);
    pthread_cond_signal(&told->changed);
    pthread_mutex_unlock(&told->lock);
}

static bool has_words(const struct told *told, const char *words)
{
    return strcmp(text_get(&told->words), words) == 0;
}

/* Waits until exactly this was told; words NULL: until so many objects were told together. */
static void must_be_told(struct told *told, const char *words, size_t objects)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TIMEOUT_MS / 1000;
    pthread_mutex_lock(&told->lock);
    while (status == 0 &&
           !(words ? has_words(told, words) : told->settled > 0 && told->objects == objects))
        status = pthread_cond_timedwait(&told->changed, &told->lock, &until);
    ck_assert_msg(status == 0, "told: \"%s\", %zu objects", text_get(&told->words), told->objects);
    pthread_mutex_unlock(&told->lock);
}

/* Waits until handlers have heard of all that the store holds. */
static void must_be_idle(struct informer *informer)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS && informer_backlog(informer) > 0; i++)
        nanosleep(&pause, NULL);
    ck_assert_uint_eq(informer_backlog(informer), 0);
}

static struct kube_client *client_of(struct fake *fake)
{
    struct kube_config config = {.server = (char *)fake_url(fake)};
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, &limits, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static struct informer_options options_of(struct told *told, const struct kube_watched *kinds,
                                          size_t count)
{
    return (struct informer_options){.kinds = kinds,
                                     .count = count,
                                     .changed = take_change,
                                     .settled = take_objects,
                                     .settle_ms = 1,
                                     .settle_max_ms = 5,
                                     .context = told,
                                     .lists_only = true,
                                     .limits = quick};
}

static struct informer *start(struct kube_client *client, const struct informer_options *options)
{
    struct error err = {0};
    struct informer *informer = informer_start(client, options, &err);

    ck_assert_msg(informer != NULL, "%s", err.message);
    return informer;
}

static struct informer *informer_of(struct kube_client *client, struct told *told,
                                    const struct kube_watched *kinds, size_t count)
{
    struct informer_options options = options_of(told, kinds, count);

    return start(client, &options);
}

static void stop(struct kube_client *client, struct informer *informer)
{
    kube_client_cancel(client);
    informer_stop(informer);
    kube_client_stop(client);
}

#define POD(name, version)                                                                         \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"" name   \
    "\",\"uid\":\"" name "\",\"resourceVersion\":\"" version "\"}}"
#define POD_LIST(items)                                                                            \
    "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},"        \
    "\"items\":[" items "]}"
#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static bool is_watch(const struct fake_request *request)
{
    return strstr(request->path, "watch=1");
}

/* Pods are served, things as a test says. */
struct serving {
    atomic_int things_status; /* 200: an empty list */
    atomic_int things_asked;
    bool things_drop; /* their watches end at once */
};

static bool serve_things(struct fake_peer *peer, const struct fake_request *request,
                         struct serving *serving)
{
    atomic_fetch_add(&serving->things_asked, 1);
    if (serving->things_status != 200)
        return fake_answer(peer, serving->things_status, NULL,
                           "{\"kind\":\"Status\",\"message\":\"no\"}");
    if (!is_watch(request))
        return fake_answer(peer, 200, NULL,
                           "{\"apiVersion\":\"example.com/v1beta1\",\"kind\":\"ThingList\","
                           "\"metadata\":{\"resourceVersion\":\"3\"},\"items\":[{\"metadata\":{"
                           "\"name\":\"t\",\"resourceVersion\":\"2\"}}]}");
    fake_puts(peer, STREAM);
    return serving->things_drop ? false : fake_hang(peer);
}

static bool serve_two(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    if (strstr(request->path, "/things"))
        return serve_things(peer, request, context);
    if (!is_watch(request))
        return fake_answer(peer, 200, NULL, POD_LIST(POD("a", "5") "," POD("b", "6")));
    fake_puts(peer, STREAM EVENT("ADDED", POD("c", "8")) EVENT("DELETED", POD("a", "9"))
                        EVENT("MODIFIED", POD("b", "10")) EVENT("ADDED", POD("d", "11"))
                            EVENT("ADDED", POD("e", "12")));
    return fake_hang(peer);
}

START_TEST(follows_a_kind)
    {
        struct told told = TOLD;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_two, NULL);
        struct kube_client *client = client_of(fake);
        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        ck_assert(informer_wait_synced(informer, 0, TIMEOUT_MS));
        must_be_told(&told, NULL, 4);

        AUTO(json) json_t *gone = kube_store_get(informer_store(informer, 0), "n", "a");
        AUTO(json) json_t *there = kube_store_get(informer_store(informer, 0), "n", "c");
        struct informer_facts facts = informer_look(informer, 0);

        ck_assert_ptr_null(gone);
        ck_assert_ptr_nonnull(there);
        ck_assert(facts.synced);
        ck_assert_int_eq(facts.objects, 4);
        ck_assert_int_eq(facts.follower.lists, 1);
        ck_assert_int_eq(facts.follower.events, 7);
        ck_assert_int_eq(facts.follower.errors, 0);
        ck_assert_int_ge(facts.follower.contact_ms, 0);
        ck_assert_int_gt(facts.follower.event_s, 0);
        must_be_idle(informer);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

static const struct kube_watched two_kinds[] = {
    {.resource = {"", "v1", "pods", "Pod", true}},
    {.resource = {"example.com", "v1beta1", "things", "Thing", false}},
};

static const struct kube_watched one_optional[] = {
    {.resource = {"", "v1", "pods", "Pod", true}},
    {.resource = {"example.com", "v1beta1", "things", "Thing", false}, .optional = true},
};

/* Waits until a kind has failed so often. */
static void must_fail(struct informer *informer, size_t kind, int64_t errors)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS; i++) {
        if (informer_look(informer, kind).follower.errors >= errors)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("it does not fail");
}

/* Waits until the first kind is refused with this status. */
static void must_be_refused(struct informer *informer, int status)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS; i++) {
        if (informer_look(informer, 0).follower.status == status)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("it is not refused with %d", status);
}

static const struct {
    int status;
    const struct kube_watched *kinds;
    bool synced; /* the second kind, without an answer */
} missing_rows[] = {
    /* AF14: the rest works, and who needs all waits */
    {403, two_kinds, false},
    {401, two_kinds, false},
    /* AF15: not there; what need not be there is empty */
    {404, two_kinds, false},
    {404, one_optional, true},
    {403, one_optional, false},
    {500, one_optional, false},
};

START_TEST(one_kind_is_missing)
    {
        struct told told = TOLD;
        struct serving serving = {.things_status = missing_rows[_i].status};
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_two, &serving);
        struct kube_client *client = client_of(fake);
        struct informer *informer = informer_of(client, &told, missing_rows[_i].kinds, 2);

        log_set_level(LOG_ERROR);
        ck_assert(informer_wait_synced(informer, 0, TIMEOUT_MS));
        must_fail(informer, 1, 3);
        if (missing_rows[_i].synced)
            ck_assert(informer_wait_synced(informer, INFORMER_ALL, TIMEOUT_MS));
        ck_assert_int_eq(informer_synced(informer, 1), missing_rows[_i].synced);
        ck_assert_int_eq(informer_look(informer, 1).follower.status, missing_rows[_i].status);
        ck_assert_str_ne(informer_look(informer, 1).follower.problem, "");

        /* and when it comes back, all is well by itself */
        atomic_store(&serving.things_status, 200);
        must_be_told(&told, NULL, 5);
        ck_assert(informer_wait_synced(informer, INFORMER_ALL, TIMEOUT_MS));
        ck_assert_int_eq(informer_look(informer, 1).follower.status, 0);
        ck_assert_str_eq(informer_look(informer, 1).follower.problem, "");
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF8: an event of 20 MiB: the watch ends, nothing of it is kept, and a list follows. */
static bool serve_huge(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    atomic_int *watches = context;
    AUTO(text) struct text filler = {0};

    if (!is_watch(request))
        return fake_answer(peer, 200, NULL,
                           atomic_load(watches) ? POD_LIST(POD("b", "6")) : POD_LIST(""));
    fake_puts(peer, STREAM);
    if (atomic_fetch_add(watches, 1) > 0)
        return fake_hang(peer);
    text_reserve(&filler, 1u << 20);
    memset(filler.data, 'x', 1u << 20);
    fake_puts(peer, "{\"type\":\"ADDED\",\"object\":{\"kind\":\"");
    for (int i = 0; i < 20; i++)
        if (!fake_send(peer, filler.data, 1u << 20))
            return false;
    fake_puts(peer, "\"}}\n");
    return fake_hang(peer);
}

START_TEST(an_event_of_20_mib)
    {
        struct told told = TOLD;
        atomic_int watches = 0;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_huge, &watches);
        struct kube_client *client = client_of(fake);
        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        log_set_level(LOG_ERROR);
        must_be_told(&told, "b+", 0);
        ck_assert_int_eq(informer_look(informer, 0).follower.errors, 1);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* W16: the reader does not wait for a handler; what piles up is bounded by the objects. */
static bool serve_many(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    AUTO(text) struct text events = {0};

    (void)context;
    if (!is_watch(request))
        return fake_answer(peer, 200, NULL, POD_LIST(POD("a", "5")));
    fake_puts(peer, STREAM);
    for (int i = 0; i < 20000; i++)
        text_addf(&events, EVENT("MODIFIED", POD("b", "%d")), 10 + i);
    text_puts(&events, EVENT("ADDED", POD("z", "90000")));
    fake_send(peer, events.data, events.length);
    return fake_hang(peer);
}

static void must_have(struct informer *informer, const char *name)
{
    struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < TIMEOUT_MS; i++) {
        AUTO(json) json_t *there = kube_store_get(informer_store(informer, 0), "n", name);

        if (there)
            return;
        nanosleep(&pause, NULL);
    }
    ck_abort_msg("%s does not come", name);
}

START_TEST(a_slow_handler_keeps_nobody_waiting)
    {
        struct told told = TOLD;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_many, NULL);
        struct kube_client *client = client_of(fake);

        pthread_mutex_lock(&told.gate);

        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        must_have(informer, "z");
        ck_assert(!informer_synced(informer, 0));
        /* a is with the handler; b, z and the mark wait */
        ck_assert_uint_le(informer_backlog(informer), 4);
        pthread_mutex_unlock(&told.gate);
        must_be_told(&told, "a+ b+ z+", 0);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF10: a list whose token never changes ends; and comes again, after a while. */
static bool serve_circle(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)request;
    (void)context;
    return fake_answer(peer, 200, NULL,
                       "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{"
                       "\"resourceVersion\":\"7\",\"continue\":\"again\"},\"items\":[]}");
}

START_TEST(pages_in_a_circle)
    {
        struct told told = TOLD;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_circle, NULL);
        struct kube_client *client = client_of(fake);
        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        log_set_level(LOG_ERROR);
        must_fail(informer, 0, 3);
        ck_assert(!informer_synced(informer, INFORMER_ALL));
        ck_assert_str_eq(informer_look(informer, 0).follower.problem,
                         "a list whose pages lead in a circle");
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF1: nobody is there. It can be stopped at once, and has told nothing. */
START_TEST(a_server_that_is_away)
    {
        struct told told = TOLD;
        struct kube_config config = {.server = (char *)"http://127.0.0.1:1"};
        struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1};
        struct error err = {0};
        struct kube_client *client = kube_client_start(&config, &limits, &err);
        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        log_set_level(LOG_ERROR);
        must_fail(informer, 0, 1);
        ck_assert(!informer_wait_synced(informer, 0, 1));
        ck_assert_int_eq(informer_look(informer, 0).follower.contact_ms, -1);
        ck_assert_int_eq(informer_look(informer, 0).follower.status, 0);
        stop(client, informer);
        ck_assert_str_eq(text_get(&told.words), "");
        told_done(&told);
    }
END_TEST

/* The kind was there, and is not any more: what it had is forgotten after a while. */
START_TEST(a_kind_that_goes)
    {
        struct told told = TOLD;
        struct serving serving = {.things_status = 200, .things_drop = 1};
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_two, &serving);
        struct kube_client *client = client_of(fake);
        struct informer_options options = options_of(&told, &one_optional[1], 1);

        log_set_level(LOG_ERROR);
        options.limits.missing_ms = 1;

        struct informer *informer = start(client, &options);

        must_be_told(&told, "t+", 0);
        atomic_store(&serving.things_status, 404);
        must_be_told(&told, "t+ t-?!", 0);
        ck_assert(informer_synced(informer, 0));
        atomic_store(&serving.things_status, 200);
        must_be_told(&told, "t+ t-?! t+", 0);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF15: not before that while has passed, and never a kind that has to be there. */
START_TEST(a_kind_that_is_away_for_a_moment)
    {
        struct told told = TOLD;
        struct serving serving = {.things_status = 200, .things_drop = 1};
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_two, &serving);
        struct kube_client *client = client_of(fake);
        struct informer_options options =
            options_of(&told, _i == 0 ? &one_optional[1] : &two_kinds[1], 1);

        log_set_level(LOG_ERROR);
        options.limits.missing_ms = _i == 0 ? TIMEOUT_MS : 1;

        struct informer *informer = start(client, &options);

        must_be_told(&told, "t+", 0);
        atomic_store(&serving.things_status, 404);
        must_fail(informer, 0, informer_look(informer, 0).follower.errors + 5);
        ck_assert_int_eq(informer_look(informer, 0).objects, 1);
        ck_assert_str_eq(text_get(&told.words), "t+");
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF2, AF11, AF17: servers that do not get anywhere, each for the first requests. */
struct stuck {
    enum { STUCK_LIST_MUTE, STUCK_LIST, STUCK_WATCH, STUCK_WATCH_MUTE, STUCK_INITIAL } where;
    const char *first, *drip; /* what is sent at once, and then again and again; NULL: never */
    atomic_int left;          /* how often */
};

static bool drip(struct fake_peer *peer, const struct stuck *stuck)
{
    if (!stuck->first)
        return fake_hang(peer);
    fake_puts(peer, STREAM);
    fake_puts(peer, stuck->first);
    while (stuck->drip && fake_puts(peer, stuck->drip))
        fake_pause(peer, 1);
    return stuck->drip ? false : fake_hang(peer);
}

static bool serve_stuck(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct stuck *stuck = context;
    bool initial = strstr(request->path, "sendInitialEvents"), watch = is_watch(request);
    bool here = stuck->where == STUCK_INITIAL
                    ? initial
                    : watch == (stuck->where == STUCK_WATCH || stuck->where == STUCK_WATCH_MUTE);

    if (here && atomic_fetch_sub(&stuck->left, 1) > 0)
        return drip(peer, stuck);
    if (initial)
        return fake_answer(peer, 422, NULL, "{\"kind\":\"Status\",\"code\":422}");
    if (!watch)
        return fake_answer(peer, 200, NULL, POD_LIST(POD("a", "5")));
    fake_puts(peer, STREAM EVENT("ADDED", POD("b", "8")));
    return fake_hang(peer);
}

static const struct {
    struct stuck stuck;
    struct reflector_limits limits;
    bool streams;
} stuck_rows[] = {
    /* no answer */
    {{STUCK_LIST_MUTE, NULL, NULL, 2}, {.answer_ms = 200}, false},
    {{STUCK_WATCH_MUTE, NULL, NULL, 2}, {.answer_ms = 200}, false},
    /* no body; a body that does not end, or makes no sense */
    {{STUCK_LIST, "", NULL, 2}, {.answer_ms = 200}, false},
    {{STUCK_LIST, "{", " ", 2}, {.page_ms = 100}, false},
    {{STUCK_LIST, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[", POD("x", "1") ",", 2},
     {.page_ms = 100},
     false},
    {{STUCK_LIST, "<html>", " ", 2}, {.page_ms = 0}, false},
    /* an event that does not end */
    {{STUCK_WATCH, "{", " ", 4}, {.quiet_ms = 100}, false},
    {{STUCK_WATCH, "", NULL, 4}, {.quiet_ms = 100}, false},
    /* a streaming list without end: nothing, an event without end, events as they happen */
    {{STUCK_INITIAL, "", NULL, 1}, {.initial_ms = 100}, true},
    {{STUCK_INITIAL, "{", " ", 1}, {.initial_ms = 100}, true},
    {{STUCK_INITIAL, EVENT("ADDED", POD("x", "1")), EVENT("MODIFIED", POD("x", "2")), 1},
     {.initial_max_ms = 100},
     true},
};

START_TEST(a_server_that_is_stuck)
    {
        struct told told = TOLD;
        struct stuck stuck = stuck_rows[_i].stuck;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_stuck, &stuck);
        struct kube_client *client = client_of(fake);
        struct informer_options options = options_of(&told, &watched_pods, 1);

        log_set_level(LOG_ERROR);
        options.limits = stuck_rows[_i].limits;
        options.limits.backoff_ms = options.limits.backoff_max_ms = 1;
        options.lists_only = !stuck_rows[_i].streams;

        struct informer *informer = start(client, &options);

        must_be_told(&told, "a+ b+", 0);
        ck_assert_int_le(atomic_load(&stuck.left), 0);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF16, AF17: what is no answer of an API server, for the first requests. */
struct wrong {
    int status;
    const char *headers, *body;
    bool endless; /* the body goes on and on */
    atomic_int left, trapped;
};

static bool serve_wrong_answer(struct fake_peer *peer, const struct wrong *wrong)
{
    AUTO(text) struct text filler = {0};

    if (!wrong->endless)
        return fake_answer(peer, wrong->status, wrong->headers, wrong->body);

    AUTO(free)
    char *head = text_format("HTTP/1.1 %d Said\r\nContent-Length: 1073741824\r\n%s\r\n%s",
                             wrong->status, wrong->headers, wrong->body);

    fake_puts(peer, head);
    text_reserve(&filler, 1u << 20);
    memset(filler.data, 'x', 1u << 20);
    for (int i = 0; i < 1024; i++)
        if (!fake_send(peer, filler.data, 1u << 20))
            return false;
    ck_abort_msg("somebody takes 1 GiB");
}

static bool serve_wrong(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct wrong *wrong = context;

    if (strncmp(request->path, "/trap", 5) == 0)
        atomic_fetch_add(&wrong->trapped, 1);
    if (atomic_fetch_sub(&wrong->left, 1) > 0)
        return serve_wrong_answer(peer, wrong);
    if (!is_watch(request))
        return fake_answer(peer, 200, NULL, POD_LIST(POD("a", "5")));
    fake_puts(peer, STREAM EVENT("ADDED", POD("b", "8")));
    return fake_hang(peer);
}

#define JSON_TYPE "Content-Type: application/json\r\n"

static const struct wrong wrong_rows[] = {
    {301, "Location: /trap\r\n", "", false, 3, 0},
    {302, "Location: /trap\r\n", "{}", false, 3, 0},
    {307, "Location: http://127.0.0.1:1/trap\r\n", "", false, 3, 0},
    {200, JSON_TYPE "Content-Encoding: gzip\r\n", "\x1f\x8b\x08", false, 3, 0},
    {200, "Content-Type: text/html\r\n", "<html>Sign in</html>", false, 3, 0},
    {200, "Content-Type: application/vnd.kubernetes.protobuf\r\n", "k8s", false, 3, 0},
    {200, JSON_TYPE, "", false, 3, 0},
    {200, JSON_TYPE, "null", false, 3, 0},
    {200, JSON_TYPE, POD("a", "5"), false, 3, 0},
    {204, "", "", false, 3, 0},
    {200, JSON_TYPE, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"x\":\"", true, 3, 0},
    {200, JSON_TYPE, "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"x\":\"", true, 1,
     0},
    {500, JSON_TYPE, "", true, 3, 0},
    {200, "Content-Type: text/html\r\n", "", true, 3, 0},
};

START_TEST(what_is_no_answer)
    {
        struct told told = TOLD;
        struct wrong wrong = wrong_rows[_i];
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_wrong, &wrong);
        struct kube_client *client = client_of(fake);
        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        log_set_level(LOG_ERROR);
        must_be_told(&told, "a+ b+", 0);
        ck_assert_int_eq(atomic_load(&wrong.trapped), 0);
        ck_assert_int_eq(informer_look(informer, 0).follower.errors, wrong_rows[_i].left);
        ck_assert_int_eq(informer_look(informer, 0).follower.status, 0);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* AF13: a server that can not be believed, until it can; the first token comes with that. */
static const struct pem_wish strange_rows[] = {
    {.from_s = 1, .to_s = 1000, .name = "localhost", .authority = true},
    {.from_s = 4102444000, .to_s = 4102444800, .name = "localhost", .authority = true},
    {.from_s = 1, .to_s = 4102444800, .name = "elsewhere", .authority = true},
};

static bool serve_known(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    AUTO(free) char *given = fake_header(request, "Authorization");

    if (strcmp(given, "Bearer S3CR3T-7c1e") != 0)
        return fake_answer(peer, 401, NULL, "{\"kind\":\"Status\",\"code\":401}");
    return serve_two(peer, request, context);
}

START_TEST(a_server_that_is_believed_late)
    {
        struct told told = TOLD;
        struct pem_wish wish = {
            .from_s = 1, .to_s = 4102444800, .name = "localhost", .authority = true};
        struct pem_pair strange, good;
        AUTO(folder) struct folder folder = folder_make();
        AUTO(free) char *ca = folder_path(&folder, "ca.crt");
        AUTO(free) char *token = folder_path(&folder, "token");

        log_set_level(LOG_ERROR);
        pem_make(&strange, &strange_rows[_i]);
        pem_make(&good, &wish);
        folder_write(&folder, "ca.crt", strange.cert);
        folder_write(&folder, "token", "S3CR3T-old");

        AUTO(fake) struct fake *fake = fake_start(&strange, serve_known, NULL);
        struct kube_config config = {
            .server = (char *)fake_url(fake), .ca = {.file = ca}, .token_file = token};
        struct kube_client_limits limits = {
            .rate = 1e6, .burst = 1e6, .second_ms = 1, .look_ms = 1};
        struct error err = {0};
        struct kube_client *client = kube_client_start(&config, &limits, &err);

        ck_assert_msg(client != NULL, "%s", err.message);

        struct informer *informer = informer_of(client, &told, &watched_pods, 1);

        must_fail(informer, 0, 2);
        ck_assert_int_eq(informer_look(informer, 0).follower.status, 0);
        ck_assert_int_eq(informer_look(informer, 0).follower.contact_ms, -1);
        fake_certificate(fake, &good);
        folder_write(&folder, "ca.crt", good.cert);
        must_be_refused(informer, 401);
        ck_assert_ptr_null(strstr(informer_look(informer, 0).follower.problem, "S3CR3T"));
        folder_write(&folder, "token", "S3CR3T-7c1e");
        must_be_told(&told, NULL, 4);
        ck_assert_str_eq(informer_look(informer, 0).follower.problem, "");
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* A clock that goes on a second whenever it is looked at. */
static int64_t hasty_ms(void *context)
{
    return 1000 * (int64_t)atomic_fetch_add((atomic_long *)context, 1);
}

static uint64_t no_random(void *context)
{
    (void)context;
    return 0;
}

/* W17: events keep a watch for ever, however long each is waited for. */
START_TEST(a_watch_that_goes_on)
    {
        struct told told = TOLD;
        atomic_long looks = 0;
        AUTO(fake) struct fake *fake = fake_start(NULL, serve_many, NULL);
        struct kube_client *client = client_of(fake);
        struct informer_options options = options_of(&told, &watched_pods, 1);

        options.limits.quiet_ms = 1000000;
        options.source =
            (struct follower_source){.now_ms = hasty_ms, .random = no_random, .context = &looks};

        struct informer *informer = start(client, &options);

        must_have(informer, "z");
        ck_assert_int_gt(hasty_ms(&looks), 10 * options.limits.quiet_ms);
        ck_assert_int_eq(informer_look(informer, 0).follower.watches, 1);
        ck_assert_int_eq(informer_look(informer, 0).follower.errors, 0);
        stop(client, informer);
        told_done(&told);
    }
END_TEST

/* L1 to L3: what is asked for */
static bool serve_pages(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct text *asked = context;

    if (is_watch(request)) {
        fake_puts(peer, STREAM);
        return fake_hang(peer);
    }
    text_addf(asked, "%s\n", request->path);
    if (strstr(request->path, "continue=two%2B"))
        return fake_answer(peer, 200, NULL, POD_LIST(POD("b", "6")));
    return fake_answer(
        peer, 200, NULL,
        "{\"apiVersion\":\"v1\",\"kind\":\"PodList\",\"metadata\":{"
        "\"resourceVersion\":\"7\",\"continue\":\"two+\"},\"items\":[" POD("a", "5") "]}");
}

START_TEST(pages_are_asked_for)
    {
        struct told told = TOLD;
        struct kube_watched selected = watched_pods;
        AUTO(text) struct text asked = {0};
        struct fake *fake = fake_start(NULL, serve_pages, &asked);
        struct kube_client *client = client_of(fake);

        selected.labels = "app in (a,b)";
        selected.fields = "spec.nodeName=n 1";
        selected.space = "shop";

        struct informer *informer = informer_of(client, &told, &selected, 1);

        must_be_told(&told, "a+ b+", 0);
        stop(client, informer);
        fake_stop(fake);
        ck_assert_str_eq(text_get(&asked),
                         "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28a%2Cb%29&"
                         "fieldSelector=spec.nodeName%3Dn%201&limit=500&resourceVersion=0&"
                         "resourceVersionMatch=NotOlderThan\n"
                         "/api/v1/namespaces/shop/pods?labelSelector=app%20in%20%28a%2Cb%29&"
                         "fieldSelector=spec.nodeName%3Dn%201&limit=500&continue=two%2B\n");
        told_done(&told);
    }
END_TEST

/* Folders. */

#define THING(name) "{apiVersion: example.com/v1, kind: Thing, metadata: {name: " name "}}\n"

START_TEST(follows_a_folder)
    {
        struct told told = TOLD;
        AUTO(folder) struct folder folder = folder_make();
        struct informer_options options = {.kinds = two_kinds,
                                           .count = 2,
                                           .changed = take_change,
                                           .settled = take_objects,
                                           .settle_ms = 1,
                                           .context = &told};
        struct error err = {0};

        log_set_level(LOG_ERROR);
        folder_write(&folder, "one.yaml",
                     THING("a") "---\n{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: "
                                "n}}\n---\n{apiVersion: v1, kind: Secret, metadata: {name: s}}\n");

        struct informer *informer = informer_start_folder(folder.path, &options, &err);

        ck_assert_msg(informer != NULL, "%s", err.message);
        ck_assert(informer_wait_synced(informer, INFORMER_ALL, TIMEOUT_MS));
        must_be_told(&told, NULL, 2);
        folder_write(&folder, "two.yaml", THING("b"));
        must_be_told(&told, "p+ a+ b+", 0);

        /* what can not be read changes nothing */
        folder_write(&folder, "two.yaml", "{");
        must_fail(informer, 1, 1);
        ck_assert_int_eq(informer_look(informer, 1).objects, 2);
        ck_assert_str_ne(informer_look(informer, 1).follower.problem, "");
        folder_remove(&folder, "two.yaml");
        must_be_told(&told, "p+ a+ b+ b-?", 0);
        informer_stop(informer);
        told_done(&told);
    }
END_TEST

START_TEST(folders_that_are_not_followed)
    {
        struct kube_watched selected = watched_things;
        struct informer_options options = {.kinds = &selected, .count = 1};
        struct error err = {0};

        ck_assert_ptr_null(informer_start_folder("/nonexistent", &options, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        selected.labels = "a=b";
        ck_assert_ptr_null(informer_start_folder("/", &options, &err));
        ck_assert_int_eq(err.code, ERROR_INVALID);
    }
END_TEST

SUITE(kube_informer)
{
    tcase_add_test(tests, follows_a_kind);
    suite_rows(tests, one_kind_is_missing, missing_rows);
    tcase_add_test(tests, an_event_of_20_mib);
    tcase_add_test(tests, a_slow_handler_keeps_nobody_waiting);
    tcase_add_test(tests, pages_in_a_circle);
    tcase_add_test(tests, a_server_that_is_away);
    tcase_add_test(tests, a_kind_that_goes);
    tcase_add_loop_test(tests, a_kind_that_is_away_for_a_moment, 0, 2);
    suite_rows(tests, a_server_that_is_stuck, stuck_rows);
    suite_rows(tests, what_is_no_answer, wrong_rows);
    suite_rows(tests, a_server_that_is_believed_late, strange_rows);
    tcase_add_test(tests, a_watch_that_goes_on);
    tcase_add_test(tests, pages_are_asked_for);
    tcase_add_test(tests, follows_a_folder);
    tcase_add_test(tests, folders_that_are_not_followed);
}
