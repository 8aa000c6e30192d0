#include "kube/queue.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/text.h"
#include "tests/unit/suite.h"

/*
 * Steps of one letter and an item: "+a" add, "@a50" add at 50 ms, "!a" add after a failure, "*a"
 * forget, "/a" done, "t30" the time is 30 ms, "<" take, "x" close. Told is what each "<" gave: the
 * item, "." when none is waiting, or when the next one is ready.
 */
static void play(struct queue *queue, const char *steps, struct text *told)
{
    struct span rest = span_of(steps), step;
    int64_t now_ms = 0, next_ms;

    while (text_split(&rest, ' ', &step)) {
        char item[2] = {step.length > 1 ? step.data[1] : '\0', '\0'};
        const char *taken;

        switch (step.data[0]) {
        case '+':
            queue_add(queue, item);
            break;
        case '@':
            queue_add_at(queue, item, strtol(step.data + 2, NULL, 10));
            break;
        case '!':
            queue_add_failed(queue, item, now_ms);
            break;
        case '*':
            queue_forget(queue, item);
            break;
        case '/':
            queue_done(queue, item);
            break;
        case 't':
            now_ms = strtol(step.data + 1, NULL, 10);
            break;
        case 'x':
            queue_close(queue);
            break;
        default:
            ck_assert_int_eq(step.data[0], '<');
            taken = queue_take(queue, now_ms, &next_ms);
            if (taken)
                text_puts(told, taken);
            else if (next_ms < 0)
                text_putc(told, '.');
            else
                text_addf(told, "(%lld)", (long long)next_ms);
        }
    }
}

static const struct {
    const char *steps, *told;
} rows[] = {
    {"<", "."},
    {"+a +b < < <", "ab."},
    /* once in the queue, whatever is added */
    {"+a +b +a < < <", "ab."},
    /* at one worker: again when he is done, behind the others */
    {"+a < +a +a +b < < /a < <", "ab.a."},
    {"+a < /a <", "a."},
    {"+a < /a +a <", "aa"},
    /* done without having it */
    {"/a +b < /a <", "b."},
    /* at a time: the earliest first, of two the first added */
    {"@a50 @b20 @c50 < t20 < < t60 < < <", "(20)b(50)ac."},
    {"@a50 @a20 < t20 < <", "(20)a."},
    {"@a20 @a50 < t20 < t60 <", "(20)a."},
    /* what is added comes now, and not again */
    {"@a50 +a < /a t60 <", "a."},
    {"+a @a50 < /a t60 <", "a."},
    {"+a < @a50 t60 < /a <", "a.a"},
    {"+a < @a50 /a <", "a(50)"},
    /* Q2: 5, 10, 20, 40 (the cap of this test), and from the beginning after a success */
    {"!a < t5 < /a !a < t15 < /a !a < t35 < /a !a < t75 < /a !a < t115 < *a /a !a <",
     "(5)a(15)a(35)a(75)a(115)a(120)"},
    {"!a !b < t5 < <", "(5)ab"},
    /* several failures before it comes: the earliest time counts, the backoff grows */
    {"!a !a !a < t5 < /a !a <", "(5)a(45)"},
    /* the bucket: 4 at once, then one each 50 ms, also of other items */
    {"!a !b !c !d !e < t5 < < < < < t50 < <", "(5)abcd(50)e."},
    {"!a !b !c !d t200 !e < < < < <", "abcd(205)"},
    /* Q1, Q10: closed; what is ready is still given, the rest is dropped */
    {"+a +b @c50 !d x < +e @f1 !g < t99 <", "ab."},
    {"+a < +a x /a < /a <", "aa."},
};

static const struct queue_limits small = {.max_ms = 40, .rate = 20, .burst = 4};

START_TEST(played)
    {
        struct queue *queue = queue_make(&small);
        AUTO(text) struct text told = {0};

        play(queue, rows[_i].steps, &told);
        ck_assert_str_eq(text_get(&told), rows[_i].told);
        queue_free(queue);
    }
END_TEST

/* The defaults: 5 ms doubled up to 300 s; a bucket of 100, then 10 a second. */
START_TEST(defaults)
    {
        struct queue *queue = queue_make(NULL);
        int64_t now_ms = 0, next_ms = 0, waited_ms = 0;

        for (int i = 0; i < 20; i++) {
            queue_add_failed(queue, "a", now_ms);
            ck_assert_ptr_null(queue_take(queue, now_ms, &next_ms));
            waited_ms = next_ms - now_ms;
            ck_assert_int_eq(waited_ms, i < 16 ? INT64_C(5) << i : 300000);
            now_ms = next_ms;
            ck_assert_str_eq(queue_take(queue, now_ms, &next_ms), "a");
            queue_done(queue, "a");
        }
        ck_assert_int_eq(queue_failures(queue, "a"), 20);
        for (int i = 0; i < 110; i++) {
            AUTO(free) char *name = text_format("b%d", i);

            queue_add_failed(queue, name, now_ms);
        }
        for (int i = 0; i < 100; i++)
            ck_assert_ptr_nonnull(queue_take(queue, now_ms + 5, &next_ms));
        ck_assert_ptr_null(queue_take(queue, now_ms + 99, &next_ms));
        ck_assert_ptr_nonnull(queue_take(queue, now_ms + 100, &next_ms));
        ck_assert_ptr_null(queue_take(queue, now_ms + 100, &next_ms));
        ck_assert_int_eq(next_ms, now_ms + 200);
        queue_free(queue);
    }
END_TEST

/* A model: what was added while nobody worked on it, or since, comes. */
START_TEST(many_items_at_random_times)
    {
        struct queue *queue = queue_make(NULL);
        int64_t times[500], next_ms, last_ms = -1, now_ms;
        unsigned state = 7, left = 500;

        for (int i = 0; i < 500; i++) {
            AUTO(free) char *name = text_format("%d", i);

            state = state * 1103515245u + 12345u;
            times[i] = state >> 16 & 1023;
            queue_add_at(queue, name, times[i]);
        }
        ck_assert_int_eq(queue_look(queue).waiting, 500);
        for (now_ms = 0; now_ms < 1024; now_ms += 7) {
            const char *name;

            while ((name = queue_take(queue, now_ms, &next_ms))) {
                int64_t time_ms = times[strtol(name, NULL, 10)];

                ck_assert_int_le(time_ms, now_ms);
                ck_assert_int_gt(time_ms, now_ms - 7);
                ck_assert_int_ge(time_ms, last_ms);
                last_ms = time_ms;
                queue_done(queue, name);
                left--;
            }
            last_ms = -1;
        }
        ck_assert_uint_eq(left, 0);
        ck_assert_int_eq(queue_look(queue).waiting, 0);
        queue_free(queue);
    }
END_TEST

#define ITEMS 8

static struct shared {
    struct work_queue *queue;
    atomic_int working[ITEMS], handled[ITEMS], broken;
} shared;

static void *work(void *argument)
{
    struct shared *all = argument;
    const char *item;

    while ((item = work_queue_take(all->queue))) {
        long i = strtol(item, NULL, 10);

        /* Q1: never two workers at one item */
        if (atomic_fetch_add(&all->working[i], 1) != 0)
            atomic_fetch_add(&all->broken, 1);
        if (atomic_fetch_add(&all->handled[i], 1) % 3 == 0)
            work_queue_add_failed(all->queue, item);
        else
            work_queue_forget(all->queue, item);
        atomic_fetch_sub(&all->working[i], 1);
        work_queue_done(all->queue, item);
    }
    return NULL;
}

START_TEST(workers_share_the_queue)
    {
        pthread_t threads[4];
        int handled = 0;

        memset(&shared, 0, sizeof shared);
        shared.queue = work_queue_make(&(struct queue_limits){.first_ms = 1, .rate = 1e6});
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &shared), 0);
        for (int i = 0; i < 2000; i++) {
            char item[2] = {(char)('0' + i % ITEMS), '\0'};

            if (i % 5 == 0)
                work_queue_add_after(shared.queue, item, 1);
            else
                work_queue_add(shared.queue, item);
        }
        work_queue_close(shared.queue);
        ck_assert(work_queue_drain(shared.queue, 60000));
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
        for (int i = 0; i < ITEMS; i++)
            handled += shared.handled[i];
        ck_assert_int_ge(handled, ITEMS);
        ck_assert_int_eq(shared.broken, 0);
        ck_assert_int_eq(work_queue_look(shared.queue).working, 0);
        work_queue_free(shared.queue);
    }
END_TEST

START_TEST(a_worker_that_hangs_is_not_waited_for)
    {
        struct work_queue *queue = work_queue_make(NULL);

        work_queue_add(queue, "a");
        ck_assert_str_eq(work_queue_take(queue), "a");
        work_queue_add_failed(queue, "a");
        ck_assert_int_eq(work_queue_failures(queue, "a"), 1);
        work_queue_close(queue);
        ck_assert(!work_queue_drain(queue, 1));
        work_queue_done(queue, "a");
        ck_assert(work_queue_drain(queue, 1));
        ck_assert_ptr_null(work_queue_take(queue));
        work_queue_free(queue);
    }
END_TEST

SUITE(kube_queue)
{
    suite_rows(tests, played, rows);
    tcase_add_test(tests, defaults);
    tcase_add_test(tests, many_items_at_random_times);
    tcase_add_test(tests, workers_share_the_queue);
    tcase_add_test(tests, a_worker_that_hangs_is_not_waited_for);
}
