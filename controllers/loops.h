#pragma once

#include "controllers/known.h"
#include "kube/events.h"
#include "kube/queue.h"
#include "settings/store.h"

/*
 * The loops of a leader. What changes in the cluster is mapped to keys, each loop has one queue of
 * them, and a few workers that take a step for one key at a time: look at what there is, decide, do
 * what is next. A step that fails comes again with backoff; all keys come again now and then.
 *
 * All writes go through the client of the loops, which is fenced by the Lease, and name the state
 * that they were decided from. While the loops are paused (beside Stash) no step is taken.
 */
struct loops;

/* What a step says besides milliseconds until the key is looked at again. */
#define LOOP_RESTS (-1)  /* when something changes */
#define LOOP_FAILED (-2) /* with backoff; err says why */

/** One loop: an entry of a table, static. */
struct loop {
    const char *name; /* for metrics and logs: "targets" */

    /** What it remembers between steps: made before the first change is told, freed after the last
     *  step. NULL: nothing. See loops_state(). */
    void *(*make)(struct loops *loops);
    void (*free)(void *state);

    /** Told of each change before its keys are asked for, to remember what will not be found any
     *  more. In the thread of the changes: to be quick, no calls. NULL: it remembers nothing. */
    void (*heard)(struct loops *loops, const struct informer_change *change);

    /** Appends the keys, any texts, of what is to be looked at since this changed; also called for
     *  each object there is (`before` is NULL) when all is looked at again. In the thread of the
     *  changes: to be quick, no calls. */
    void (*keys)(struct known *known, const struct informer_change *change, json_t *list);

    /** Appends the keys that are looked at since another loop has something new to say about one of
     *  its own, see loops_news(). Any thread; NULL: it heeds nobody. */
    void (*heed)(struct loops *loops, const struct loop *other, const char *key, json_t *list);

    /** Takes a step for a key. In a thread of the loop, one at a time for each key. */
    int64_t (*step)(struct loops *loops, const char *key, struct error *err);

    /** Appends metrics of its own. Any thread; NULL: it has none. Format: Prometheus text
     *  exposition 0.0.4. */
    void (*metrics)(struct loops *loops, struct text *text);

    size_t workers; /* 0: 2 */
};

/** What the loops work with; all of it is borrowed. */
struct loops_options {
    const struct loop *const *table; /* ends with NULL */
    struct kube_client *client;      /* fenced; NULL: from the folder, and nothing is written */
    struct kube_client *watcher;     /* for lists and watches alone: cancelled in the end, so that
                                        nothing waits for them; NULL: `client`, which is not */
    const char *folder;
    struct settings_store *settings;
    const char *space;     /* our namespace */
    const char *functions; /* a folder of the Functions and Tasks that come with us; NULL: none */
    struct kube_events *events; /* NULL: nobody is told */
    /** With a folder: told what would be written, "apply" or "delete". In threads of the loops. */
    void (*show)(void *context, const char *verb, const json_t *object, const char *why);
    void *context;
    bool paused;                /* at first */
    int64_t sweep_ms;           /* between two looks at everything; 0: ten minutes */
    int64_t bare_ms;            /* see controllers/bare_claim.h; 0: as there */
    struct queue_limits limits; /* of each queue */
    struct reflector_limits watching;
    bool lists_only;
};

/** Begins; steps are taken once all kinds are known. @return  To be ended by loops_stop(). */
struct loops *loops_start(const struct loops_options *options, struct error *err) MUST_CHECK;

/** Asks all workers to end behind their step. Any thread. */
void loops_end(struct loops *loops);

/** The same, waits for them (see kube_client_cancel()), and frees. NULL is fine. */
void loops_stop(struct loops *loops);

/** No step is begun while paused. */
void loops_pause(struct loops *loops, bool paused);

/** True when something may be written now: all is known, and nobody has paused it. For those who
 *  write outside of steps. */
bool loops_may_write(struct loops *loops);

/** What steps work with. Borrowed. The client is NULL with a folder. */
struct known *loops_known(struct loops *loops);
struct kube_client *loops_client(struct loops *loops);
const char *loops_space(struct loops *loops);
const char *loops_functions(struct loops *loops); /* NULL: none */

/** The settings in use, with a reference for the caller: AUTO(settings_held). */
const struct settings *loops_settings(struct loops *loops);

/** How long no pod has a claim until it is a bare one. */
int64_t loops_bare_ms(struct loops *loops);

/** Since when our mutator is in force, seconds since 1970; 0: nobody knows. Any thread. */
int64_t loops_active_s(struct loops *loops);
void loops_set_active(struct loops *loops, int64_t active_s);

/** True while Stash is installed beside us, or nobody knows, as at first: then steps are taken only
 *  since it is taken over. Any thread. */
bool loops_beside_stash(struct loops *loops);
void loops_set_beside_stash(struct loops *loops, bool beside);

/** What a loop of the table remembers. Borrowed; NULL when it has nothing, or is not there. */
void *loops_state(struct loops *loops, const struct loop *loop);

/** Tells an event about an object. Any thread, waits for nothing. */
void loops_tell(struct loops *loops, const json_t *object, const struct kube_event *event);

/** With a folder: what would be written, see write.h. */
void loops_show(struct loops *loops, const char *verb, const json_t *object, const char *why);

/**
 * Keeps what is wrong about a key of a loop, for metrics and those who ask; `reason` NULL: nothing
 * any more. Any thread.
 *
 * @return  True when that is new: worth an event.
 */
bool loops_blame(struct loops *loops, const struct loop *loop, const char *key, const char *reason,
                 const char *problem);

/** What is wrong in a loop: new object {key: {reason, problem}}. */
json_t *loops_problems(struct loops *loops, const struct loop *loop);

/** Tells the loops that heed it that a loop has something new to say about one of its keys, as
 *  loops_blame() does when it is news. Any thread. */
void loops_news(struct loops *loops, const struct loop *loop, const char *key);

/** What is wrong about one key: new object {reason, problem}, or NULL. */
json_t *loops_problem(struct loops *loops, const struct loop *loop, const char *key);

/** Has a key of a loop looked at, now or after a while. Any thread; not there: nothing happens. */
void loops_wake(struct loops *loops, const struct loop *loop, const char *key, int64_t delay_ms);

/** Has everything looked at. Any thread. */
void loops_sweep(struct loops *loops);

/** Waits until nothing is ready and nobody works; what is to be looked at later does not count.
 *  False: not in that time. For what ends (a dry run) and for tests. */
bool loops_wait_idle(struct loops *loops, int64_t timeout_ms);

/** For metrics. */
struct loop_facts {
    const char *name;
    struct queue_facts queue;
    int64_t steps, failures, problems;
};
struct loops_facts {
    struct known_facts known;
    bool paused;
    size_t count; /* of loops */
};
struct loops_facts loops_look(struct loops *loops);

/** Appends the metrics of all loops that have some. Any thread. */
void loops_metrics(struct loops *loops, struct text *text);
struct loop_facts loops_look_at(struct loops *loops, size_t index);
