#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is to be looked at again: texts ("BackupSession/shop/nightly"), each at most once in the
 * queue and with at most one worker. What is added while a worker has it comes again when he is
 * done. First in, first out. Spec: catalogue Q1 to Q3, Q10.
 */

/** Bounds of the waiting after failures; zeros stand for the defaults. */
struct queue_limits {
    int64_t first_ms, max_ms; /* after the first failure of an item (5 ms), doubled each time, up to
                                 this (300 s: who repairs a credential does not wait for long) */
    double rate, burst;       /* failures a second of all items (10), and at once (100) */
};

/** The pure part: time is an argument, nobody waits. One thread at a time. */
struct queue;

struct queue *queue_make(const struct queue_limits *limits);
void queue_free(struct queue *queue);

/** Adds an item. What is waiting for its time comes now. */
void queue_add(struct queue *queue, const char *item);

/** Adds it at a time; an earlier one of the same item counts. */
void queue_add_at(struct queue *queue, const char *item, int64_t at_ms);

/** Adds it after a failure: the longer of its own backoff and the wait that all share. */
void queue_add_failed(struct queue *queue, const char *item, int64_t now_ms);

/** The item was a success: its backoff begins anew. */
void queue_forget(struct queue *queue, const char *item);

/** How often it failed since then. */
int64_t queue_failures(const struct queue *queue, const char *item);

/**
 * The next item, which the caller then works on until queue_done().
 *
 * @param next_ms  Set when NULL is returned: when one gets ready; -1: none is waiting.
 * @return         Borrowed until queue_done(); NULL when none is ready.
 */
const char *queue_take(struct queue *queue, int64_t now_ms, int64_t *next_ms);

/** Ends the work on an item; always to be called. */
void queue_done(struct queue *queue, const char *item);

/** From now on nothing is added any more, what waits for a time is dropped; what is ready can still
 *  be taken. */
void queue_close(struct queue *queue);

/** For metrics. */
struct queue_facts {
    int64_t ready, waiting, working; /* items now */
    int64_t added, failed;           /* since the start; added without those that were there */
};
struct queue_facts queue_look(const struct queue *queue);

/** The same for threads: workers block until there is work (kube/work_queue.c). */
struct work_queue;

struct work_queue *work_queue_make(const struct queue_limits *limits);

/** Nobody may be inside any more. NULL is fine. */
void work_queue_free(struct work_queue *queue);

void work_queue_add(struct work_queue *queue, const char *item);
void work_queue_add_after(struct work_queue *queue, const char *item, int64_t delay_ms);
void work_queue_add_failed(struct work_queue *queue, const char *item);
void work_queue_forget(struct work_queue *queue, const char *item);
int64_t work_queue_failures(struct work_queue *queue, const char *item);

/** Waits for an item. NULL: the queue is closed and empty, the worker ends. */
const char *work_queue_take(struct work_queue *queue);
void work_queue_done(struct work_queue *queue, const char *item);

/** Ends the intake; what is ready is still handed out. Any thread. */
void work_queue_close(struct work_queue *queue);

/** Waits until nothing is ready or being worked on. False: not within that time. After closing.
 */
bool work_queue_drain(struct work_queue *queue, int64_t timeout_ms);

struct queue_facts work_queue_look(struct work_queue *queue);
