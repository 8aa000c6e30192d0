#include "kube/queue.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FIRST_MS 5
#define MAX_MS 300000
#define RATE 10.0
#define BURST 100.0

/* All that is known of an item; it is forgotten when none of this holds. */
struct item {
    char *name;
    bool ready;   /* in the list of those that can be taken */
    bool working; /* somebody has it */
    bool again;   /* added while somebody has it */
    size_t place; /* in the heap, from 1; 0: it waits for no time */
    int64_t at_ms, order;
    int64_t failures;
    struct item *next; /* in the list */
};

struct queue {
    struct queue_limits limits;
    void *items; /* by name: a tree of tsearch() */
    struct item *first, *last;
    struct item **heap; /* from 1 on: those that wait, the earliest first */
    size_t waiting, room;
    double tokens; /* of the bucket that all share; below 0: taken ahead */
    int64_t filled_ms;
    int64_t orders; /* given so far: of two for the same time, the first added comes first */
    bool closed;
    struct queue_facts facts;
};

struct queue *queue_make(const struct queue_limits *limits)
{
    struct queue *queue = text_alloc(sizeof *queue);
    struct queue_limits *own = &queue->limits;

    if (limits)
        *own = *limits;
    own->first_ms = own->first_ms > 0 ? own->first_ms : FIRST_MS;
    own->max_ms = own->max_ms > 0 ? own->max_ms : MAX_MS;
    own->rate = own->rate > 0 ? own->rate : RATE;
    own->burst = own->burst > 0 ? own->burst : BURST;
    queue->tokens = own->burst;
    return queue;
}

static void free_item(void *pointer)
{
    struct item *item = pointer;

    free(item->name);
    free(item);
}

void queue_free(struct queue *queue)
{
    if (!queue)
        return;
    tdestroy(queue->items, free_item);
    free(queue->heap);
    free(queue);
}

/* Items by name. */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static struct item *find(const struct queue *queue, const char *name)
{
    const struct item wanted = {.name = (char *)name};
    struct item *const *node = tfind(&wanted, &queue->items, by_name);

    return node ? *node : NULL;
}

static struct item *find_or_make(struct queue *queue, const char *name)
{
    struct item *item = find(queue, name);

    if (item)
        return item;
    item = text_alloc(sizeof *item);
    item->name = text_dup(name, strlen(name));
    if (!tsearch(item, &queue->items, by_name))
        abort();
    return item;
}

static void forget_idle(struct queue *queue, struct item *item)
{
    if (item->ready || item->working || item->place || item->failures)
        return;
    tdelete(item, &queue->items, by_name);
    free_item(item);
}

/* The heap of those that wait. */

static bool is_before(const struct item *a, const struct item *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void set_place(struct queue *queue, struct item *item, size_t place)
{
    queue->heap[place] = item;
    item->place = place;
}

static void rise(struct queue *queue, struct item *item)
{
    size_t place = item->place;

    for (; place > 1 && is_before(item, queue->heap[place / 2]); place /= 2)
        set_place(queue, queue->heap[place / 2], place);
    set_place(queue, item, place);
}

static void sink(struct queue *queue, struct item *item)
{
    size_t place = item->place, child;

    for (; (child = 2 * place) <= queue->waiting; place = child) {
        if (child < queue->waiting && is_before(queue->heap[child + 1], queue->heap[child]))
            child++;
        if (!is_before(queue->heap[child], item))
            break;
        set_place(queue, queue->heap[child], place);
    }
    set_place(queue, item, place);
}

static void wait_until(struct queue *queue, struct item *item, int64_t at_ms)
{
    if (item->place && item->at_ms <= at_ms)
        return;
    item->at_ms = at_ms;
    if (!item->place) {
        if (queue->waiting + 2 > queue->room) {
            queue->room = 2 * queue->room + 16;
            queue->heap = text_realloc(queue->heap, queue->room * sizeof *queue->heap);
        }
        item->order = queue->orders++;
        set_place(queue, item, ++queue->waiting);
    }
    rise(queue, item);
}

static void wait_no_more(struct queue *queue, struct item *item)
{
    struct item *last;

    if (!item->place)
        return;
    last = queue->heap[queue->waiting--];
    if (last != item) {
        set_place(queue, last, item->place);
        rise(queue, last);
        sink(queue, last);
    }
    item->place = 0;
}

/* The list of those that are ready. */

static void append(struct queue *queue, struct item *item)
{
    item->ready = true;
    item->next = NULL;
    if (queue->last)
        queue->last->next = item;
    else
        queue->first = item;
    queue->last = item;
    queue->facts.ready++;
}

static void make_ready(struct queue *queue, struct item *item)
{
    wait_no_more(queue, item);
    if (item->ready || item->again)
        return;
    queue->facts.added++;
    if (item->working)
        item->again = true;
    else
        append(queue, item);
}

void queue_add(struct queue *queue, const char *name)
{
    if (!queue->closed)
        make_ready(queue, find_or_make(queue, name));
}

void queue_add_at(struct queue *queue, const char *name, int64_t at_ms)
{
    struct item *item;

    if (queue->closed)
        return;
    item = find_or_make(queue, name);
    if (!item->ready && !item->again)
        wait_until(queue, item, at_ms);
}

/* The bucket that all failures share: how long this one waits for its token. */
static int64_t shared_wait_ms(struct queue *queue, int64_t now_ms)
{
    double rate = queue->limits.rate;

    if (now_ms > queue->filled_ms) {
        queue->tokens += (double)(now_ms - queue->filled_ms) * rate / 1000;
        queue->filled_ms = now_ms;
    }
    if (queue->tokens > queue->limits.burst)
        queue->tokens = queue->limits.burst;
    queue->tokens -= 1;
    return queue->tokens >= 0 ? 0 : (int64_t)(-queue->tokens * 1000 / rate);
}

static int64_t own_wait_ms(const struct queue *queue, int64_t failures)
{
    int64_t wait = queue->limits.first_ms;

    while (failures-- > 0 && wait < queue->limits.max_ms)
        wait *= 2;
    return wait < queue->limits.max_ms ? wait : queue->limits.max_ms;
}

void queue_add_failed(struct queue *queue, const char *name, int64_t now_ms)
{
    int64_t own, shared;
    struct item *item;

    if (queue->closed)
        return;
    item = find_or_make(queue, name);
    own = own_wait_ms(queue, item->failures++);
    shared = shared_wait_ms(queue, now_ms);
    queue->facts.failed++;
    queue_add_at(queue, name, now_ms + (own > shared ? own : shared));
}

void queue_forget(struct queue *queue, const char *name)
{
    struct item *item = find(queue, name);

    if (!item)
        return;
    item->failures = 0;
    forget_idle(queue, item);
}

int64_t queue_failures(const struct queue *queue, const char *name)
{
    const struct item *item = find(queue, name);

    return item ? item->failures : 0;
}

const char *queue_take(struct queue *queue, int64_t now_ms, int64_t *next_ms)
{
    struct item *item;

    while (queue->waiting > 0 && queue->heap[1]->at_ms <= now_ms)
        make_ready(queue, queue->heap[1]);
    item = queue->first;
    if (!item) {
        *next_ms = queue->waiting > 0 ? queue->heap[1]->at_ms : -1;
        return NULL;
    }
    queue->first = item->next;
    if (!queue->first)
        queue->last = NULL;
    item->ready = false;
    item->working = true;
    queue->facts.ready--;
    queue->facts.working++;
    return item->name;
}

void queue_done(struct queue *queue, const char *name)
{
    struct item *item = find(queue, name);

    if (!item || !item->working)
        return;
    item->working = false;
    queue->facts.working--;
    if (item->again) {
        item->again = false;
        append(queue, item);
    }
    forget_idle(queue, item);
}

void queue_close(struct queue *queue)
{
    queue->closed = true;
    while (queue->waiting > 0) {
        struct item *item = queue->heap[1];

        wait_no_more(queue, item);
        forget_idle(queue, item);
    }
}

struct queue_facts queue_look(const struct queue *queue)
{
    struct queue_facts facts = queue->facts;

    facts.waiting = (int64_t)queue->waiting;
    return facts;
}
