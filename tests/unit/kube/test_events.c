#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "kube/events.h"
#include "tests/unit/json.h"
#include "tests/unit/kube/fake.h"
#include "tests/unit/suite.h"

#define WALL INT64_C(1709251199123)
#define OBJECT(name)                                                                               \
    "{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'namespace':'shop','name':'" name     \
    "','uid':'u-" name "','labels':{}},'spec':{'secret':'S3CR3T'}}"

static const struct event_source source = {"granary.dev/controller", "pod-1"};

static bool note(struct event_book *book, const char *object, const char *text, int64_t now_ms)
{
    AUTO(json) json_t *tree = json_row(object);
    struct kube_event event = {
        .warning = true, .reason = "BackupFailed", .action = "Backup", .note = text};

    return event_book_note(book, tree, &event, now_ms, WALL);
}

/* Tells all that can be told now; how many requests that took. */
static int tell_all(struct event_book *book, int64_t now_ms, int status)
{
    int count = 0;

    for (;; count++) {
        AUTO(event_request) struct event_request request = {0};

        if (event_book_next(book, now_ms, &request) >= 0)
            return count;
        event_book_told(book, &request, status, now_ms);
    }
}

START_TEST(an_event_is_made_once_and_then_counted)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        AUTO(event_request) struct event_request first = {0}, second = {0}, third = {0};
        AUTO(json)
        json_t *wanted = json_row(
            "{'apiVersion':'events.k8s.io/v1','kind':'Event',"
            "'eventTime':'2024-02-29T23:59:59.123000Z','type':'Warning','reason':'BackupFailed',"
            "'action':'Backup','note':'no?space','reportingController':'granary.dev/controller',"
            "'reportingInstance':'pod-1','regarding':{'apiVersion':'apps/v1','kind':'Deployment',"
            "'namespace':'shop','name':'web','uid':'u-web'}}");
        AUTO(json)
        json_t *again =
            json_row("{'series':{'count':3,'lastObservedTime':'2024-02-29T23:59:59.123000Z'}}");

        ck_assert(note(book, OBJECT("web"), "no\nspace", 0));
        ck_assert_int_eq(event_book_next(book, 0, &first), -1);
        ck_assert(first.create);
        ck_assert_str_eq(first.space, "shop");
        ck_assert_int_eq(strncmp(first.name, "web.", 4), 0);
        json_object_del(first.body, "metadata");
        ck_assert(tree_equal(first.body, wanted));
        /* while it is under way */
        ck_assert(note(book, OBJECT("web"), "no\nspace", 5));
        event_book_told(book, &first, 201, 10);
        ck_assert(note(book, OBJECT("web"), "no\nspace", 20));

        ck_assert_int_eq(event_book_next(book, 30, &second), -1);
        ck_assert(!second.create);
        ck_assert_str_eq(second.name, first.name);
        ck_assert(tree_equal(second.body, again));
        /* it was there for an hour and is gone */
        event_book_told(book, &second, 404, 40);
        ck_assert_int_eq(event_book_next(book, 50, &third), -1);
        ck_assert(third.create);
        ck_assert_str_ne(third.name, first.name);
        ck_assert_int_eq(tree_int(tree_get(third.body, "series"), "count", 0), 3);
        event_book_told(book, &third, 201, 60);

        struct event_request none = {0};

        ck_assert_int_eq(event_book_next(book, 70, &none), INT64_MAX);
        /* after ten minutes it is another one */
        ck_assert(note(book, OBJECT("web"), "no\nspace", 600020));
        ck_assert_int_eq(event_book_next(book, 600020, &none), -1);
        ck_assert(none.create);
        ck_assert_ptr_null(tree_get(none.body, "series"));
        event_request_done(&none);
    }
END_TEST

START_TEST(an_object_is_held_back)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        int told = 0;

        for (int i = 0; i < 100; i++) {
            ck_assert(note(book, OBJECT("web"), "the same", i));
            told += tell_all(book, i, 200);
        }
        ck_assert_int_eq(told, 25);
        /* another object is not concerned */
        ck_assert(note(book, OBJECT("db"), "the same", 100));
        ck_assert_int_eq(tell_all(book, 100, 200), 1);
        /* what was held back is in the count */
        AUTO(event_request) struct event_request request = {0};

        ck_assert_int_eq(event_book_next(book, 100, &request), 300000 - 100);
        ck_assert_int_eq(event_book_next(book, 300000, &request), -1);
        ck_assert_int_eq(request.count, 100);
        event_book_told(book, &request, 200, 300000);
        ck_assert_uint_eq(event_book_look(book).waiting, 0);
    }
END_TEST

START_TEST(notes_that_differ_are_one_at_last)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        AUTO(event_request) struct event_request last = {0};

        for (int i = 0; i < 50; i++) {
            AUTO(free) char *text = text_format("attempt %d", i);

            ck_assert(note(book, OBJECT("web"), text, 0));
        }
        ck_assert_uint_eq(event_book_look(book).kept, 11);
        ck_assert_int_eq(tell_all(book, 0, 201), 11);
        ck_assert(note(book, OBJECT("web"), "one more", 1));
        ck_assert_int_eq(event_book_next(book, 1, &last), -1);
        ck_assert_int_eq(last.count, 41);
    }
END_TEST

START_TEST(memory_is_bounded)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);

        for (unsigned i = 0; i < EVENTS_MAX + 100; i++) {
            AUTO(free)
            char *object =
                text_format("{'kind':'Pod','metadata':{'namespace':'n','name':'p%u'}}", i);

            ck_assert_int_eq(note(book, object, "x", 0), i < EVENTS_MAX);
        }
        ck_assert_int_eq(event_book_look(book).dropped, 100);
        /* what was told makes room */
        ck_assert_int_eq(tell_all(book, 0, 201), EVENTS_MAX);
        ck_assert(note(book, OBJECT("web"), "x", 1));
        ck_assert_uint_eq(event_book_look(book).kept, EVENTS_MAX);
    }
END_TEST

static const struct {
    int status;
    int requests; /* in two hours */
    int told, failed;
} answer_rows[] = {
    {201, 1, 1, 0},  {409, 1, 1, 0}, /* AF18: it is there already */
    {400, 1, 0, 1},  {403, 1, 0, 1}, /* AF19: the namespace is going */
    {404, 1, 0, 1},  {422, 1, 0, 1},  {0, 12, 0, 1},   {401, 12, 0, 1},
    {429, 12, 0, 1}, {500, 12, 0, 1}, {503, 12, 0, 1},
};

START_TEST(what_can_pass_is_tried_again)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        int count = 0;

        ck_assert(note(book, OBJECT("web"), "x", 0));
        for (int64_t now_ms = 0; now_ms < 7200000; now_ms += 1000)
            count += tell_all(book, now_ms, answer_rows[_i].status);
        ck_assert_int_eq(count, answer_rows[_i].requests);
        ck_assert_int_eq(event_book_look(book).told, answer_rows[_i].told);
        ck_assert_int_eq(event_book_look(book).failed, answer_rows[_i].failed);
        ck_assert_uint_eq(event_book_look(book).waiting, 0);
    }
END_TEST

static const struct {
    const char *object;
    bool noted;
    const char *space;
} object_rows[] = {
    {OBJECT("web"), true, "shop"},
    {"{'kind':'Namespace','metadata':{'name':'shop'}}", true, "default"},
    {"{'metadata':{'name':'shop'}}", false, ""},
    {"{'kind':'Pod'}", false, ""},
    {"{'kind':7,'metadata':[]}", false, ""},
    {"null", false, ""},
    /* SEC10 */
    {"{'kind':'Pod','metadata':{'name':'a\\r\\nb\\u0000c','namespace':'n'}}", true, "n"},
};

START_TEST(objects)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        AUTO(event_request) struct event_request request = {0};

        ck_assert_int_eq(note(book, object_rows[_i].object, "x", 0), object_rows[_i].noted);
        if (!object_rows[_i].noted)
            return;
        ck_assert_int_eq(event_book_next(book, 0, &request), -1);
        ck_assert_str_eq(request.space, object_rows[_i].space);
        ck_assert_ptr_null(strpbrk(request.name, "\r\n"));
    }
END_TEST

START_TEST(a_note_is_cut_between_characters)
    {
        AUTO(event_book) struct event_book *book = event_book_make(&source);
        AUTO(event_request) struct event_request request = {0};
        AUTO(text) struct text text = {0};

        text_puts(&text, "x");
        for (int i = 0; i < 1000; i++)
            text_puts(&text, "\xe2\x82\xac");
        ck_assert(note(book, OBJECT("web"), text_get(&text), 0));
        ck_assert_int_eq(event_book_next(book, 0, &request), -1);
        ck_assert_uint_eq(tree_span(request.body, "note").length, 1024);
        ck_assert_ptr_null(strstr(tree_text(request.body, "note"), "S3CR3T"));
    }
END_TEST

/* With its thread: nobody waits for a server that hangs, and what it takes is told. */

struct desk {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int told;
};

static bool take(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    struct desk *desk = context;
    AUTO(text) struct text body = {0};

    text_add(&body, request->body.data, request->body.length);
    pthread_mutex_lock(&desk->mutex);
    desk->told++;
    pthread_cond_signal(&desk->changed);
    pthread_mutex_unlock(&desk->mutex);
    return fake_answer(peer, 201, NULL, text_get(&body));
}

static bool hang(struct fake_peer *peer, const struct fake_request *request, void *context)
{
    (void)request;
    (void)context;
    return fake_hang(peer);
}

static struct kube_client *client_of(struct fake *fake)
{
    struct kube_config config = {.server = (char *)fake_url(fake)};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, NULL, &err);

    ck_assert_msg(client != NULL, "%s", err.message);
    return client;
}

static struct kube_events *start(struct kube_client *client)
{
    struct error err = {0};
    struct kube_events *events = kube_events_start(client, &source, &err);

    ck_assert_msg(events != NULL, "%s", err.message);
    return events;
}

static void note_some(struct kube_events *events, int first, int count)
{
    static const struct kube_event event = {false, "BackupDone", "Backup", "fine"};

    for (int i = first; i < first + count; i++) {
        AUTO(free)
        char *row = text_format("{'kind':'Pod','metadata':{'namespace':'n','name':'p%d'}}", i);
        AUTO(json) json_t *object = json_row(row);

        kube_events_note(events, object, &event);
    }
}

START_TEST(events_are_told)
    {
        struct desk desk = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                            .changed = PTHREAD_COND_INITIALIZER};
        struct fake *fake = fake_start(NULL, take, &desk);
        struct kube_client *client = client_of(fake);
        struct kube_events *events = start(client);

        note_some(events, 0, 3);
        pthread_mutex_lock(&desk.mutex);
        while (desk.told < 3)
            pthread_cond_wait(&desk.changed, &desk.mutex);
        pthread_mutex_unlock(&desk.mutex);
        /* those that come last are told too */
        note_some(events, 3, 5);
        kube_events_stop(events, 20000);
        kube_client_stop(client);
        fake_stop(fake);
        ck_assert_int_eq(desk.told, 8);
        pthread_cond_destroy(&desk.changed);
        pthread_mutex_destroy(&desk.mutex);
    }
END_TEST

START_TEST(nobody_waits_for_a_server_that_hangs)
    {
        struct fake *fake = fake_start(NULL, hang, NULL);
        struct kube_client *client = client_of(fake);
        struct kube_events *events = start(client);

        note_some(events, 0, 2000);
        ck_assert_int_ge(kube_events_look(events).dropped, 999);

        int64_t begin_ms = clock_mono_ms();

        kube_events_stop(events, 50);
        /* beside what a request takes that is under way */
        ck_assert_int_lt(clock_mono_ms() - begin_ms, 9500);
        kube_client_stop(client);
        fake_stop(fake);
    }
END_TEST

SUITE(kube_events)
{
    tcase_add_test(tests, an_event_is_made_once_and_then_counted);
    tcase_add_test(tests, an_object_is_held_back);
    tcase_add_test(tests, notes_that_differ_are_one_at_last);
    tcase_add_test(tests, memory_is_bounded);
    suite_rows(tests, what_can_pass_is_tried_again, answer_rows);
    suite_rows(tests, objects, object_rows);
    tcase_add_test(tests, a_note_is_cut_between_characters);
    tcase_add_test(tests, events_are_told);
    tcase_add_test(tests, nobody_waits_for_a_server_that_hangs);
    tcase_set_timeout(tests, 60);
}
