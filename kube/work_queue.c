#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/wait.h"
#include "kube/queue.h"

struct work_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* something may be ready, or over */
    struct queue *queue;
    bool closed;
};

struct work_queue *work_queue_make(const struct queue_limits *limits)
{
    struct work_queue *queue = text_alloc(sizeof *queue);

    wait_prepare(&queue->changed);
    pthread_mutex_init(&queue->lock, NULL);
    queue->queue = queue_make(limits);
    return queue;
}

void work_queue_free(struct work_queue *queue)
{
    if (!queue)
        return;
    queue_free(queue->queue);
    pthread_cond_destroy(&queue->changed);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

static void leave(struct work_queue *queue)
{
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

void work_queue_add(struct work_queue *queue, const char *item)
{
    pthread_mutex_lock(&queue->lock);
    queue_add(queue->queue, item);
    leave(queue);
}

void work_queue_add_after(struct work_queue *queue, const char *item, int64_t delay_ms)
{
    pthread_mutex_lock(&queue->lock);
    queue_add_at(queue->queue, item, clock_mono_ms() + delay_ms);
    leave(queue);
}

void work_queue_add_failed(struct work_queue *queue, const char *item)
{
    pthread_mutex_lock(&queue->lock);
    queue_add_failed(queue->queue, item, clock_mono_ms());
    leave(queue);
}

void work_queue_forget(struct work_queue *queue, const char *item)
{
    pthread_mutex_lock(&queue->lock);
    queue_forget(queue->queue, item);
    leave(queue);
}

int64_t work_queue_failures(struct work_queue *queue, const char *item)
{
    pthread_mutex_lock(&queue->lock);

    int64_t failures = queue_failures(queue->queue, item);

    pthread_mutex_unlock(&queue->lock);
    return failures;
}

const char *work_queue_take(struct work_queue *queue)
{
    const char *item;
    int64_t next_ms;

    pthread_mutex_lock(&queue->lock);
    while (!(item = queue_take(queue->queue, clock_mono_ms(), &next_ms)) && !queue->closed)
        (void)wait_on(&queue->changed, &queue->lock, next_ms < 0 ? WAIT_FOREVER : next_ms);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void work_queue_done(struct work_queue *queue, const char *item)
{
    pthread_mutex_lock(&queue->lock);
    queue_done(queue->queue, item);
    leave(queue);
}

void work_queue_close(struct work_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    queue_close(queue->queue);
    leave(queue);
}

static bool is_idle(const struct work_queue *queue)
{
    struct queue_facts facts = queue_look(queue->queue);

    return facts.ready == 0 && facts.working == 0;
}

bool work_queue_drain(struct work_queue *queue, int64_t timeout_ms)
{
    int64_t end_ms = clock_mono_ms() + timeout_ms;
    bool idle, in_time = true;

    pthread_mutex_lock(&queue->lock);
    while (!(idle = is_idle(queue)) && in_time)
        in_time = wait_on(&queue->changed, &queue->lock, end_ms);
    pthread_mutex_unlock(&queue->lock);
    return idle;
}

struct queue_facts work_queue_look(struct work_queue *queue)
{
    pthread_mutex_lock(&queue->lock);

    struct queue_facts facts = queue_look(queue->queue);

    pthread_mutex_unlock(&queue->lock);
    return facts;
}
