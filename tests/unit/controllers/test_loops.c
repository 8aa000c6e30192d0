#include "controllers/loops.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "tests/unit/kube/folder.h"
#include "tests/unit/suite.h"

/* Loops over a folder of namespaces; the loop of the test looks at each by its name. */

#define TIMEOUT_MS 60000

/* How the step ends: by the name of the namespace. */
#define FAILS_TWICE "fails-twice"
#define COMES_AGAIN "comes-again"

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    json_t *steps; /* name -> how often */
    bool known;    /* in the last step: was everything? */
    int states;    /* made, not freed */
} world = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void *make(struct loops *loops)
{
    ck_assert_str_eq(loops_space(loops), "granary-system");
    world.states++;
    return &world;
}

static void unmake(void *state)
{
    ck_assert_ptr_eq(state, &world);
    world.states--;
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;

    (void)known;
    if (change->kind == KNOWN_NAMESPACE)
        tree_push_text(list, tree_text(tree_get(object, "metadata"), "name"));
}

static int64_t step(struct loops *loops, const char *key, struct error *err);

static const struct loop fake = {
    .name = "fake", .make = make, .free = unmake, .keys = keys, .step = step};
static const struct loop absent = {.name = "absent", .keys = keys, .step = step};
static const struct loop *const table[] = {&fake, NULL};

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    int64_t count, answer = LOOP_RESTS;

    ck_assert_ptr_eq(loops_state(loops, &fake), &world);
    ck_assert_ptr_null(loops_state(loops, &absent));
    pthread_mutex_lock(&world.lock);
    count = tree_int(world.steps, key, 0) + 1;
    tree_put_int(world.steps, key, count);
    world.known = known_synced(loops_known(loops)) && loops_may_write(loops);
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.lock);
    if (strcmp(key, FAILS_TWICE) == 0 && count <= 2) {
        error_set(err, ERROR_UNAVAILABLE, "not yet");
        answer = LOOP_FAILED;
    } else if (strcmp(key, COMES_AGAIN) == 0 && count <= 3) {
        answer = 1;
    }
    return answer;
}

static int64_t steps_of(const char *key)
{
    pthread_mutex_lock(&world.lock);

    int64_t count = tree_int(world.steps, key, 0);

    pthread_mutex_unlock(&world.lock);
    return count;
}

static void await_steps(const char *key, int64_t wanted)
{
    struct timespec until;
    int status = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += TIMEOUT_MS / 1000;
    pthread_mutex_lock(&world.lock);
    while (status == 0 && tree_int(world.steps, key, 0) < wanted)
        status = pthread_cond_timedwait(&world.changed, &world.lock, &until);
    pthread_mutex_unlock(&world.lock);
    ck_assert_msg(status == 0, "%s was looked at %lld times", key, (long long)steps_of(key));
}

static void write_namespace(const struct folder *folder, const char *name, const char *label)
{
    AUTO(free) char *file = text_format("%s.yaml", name);
    AUTO(free)
    char *text = text_format("apiVersion: v1\nkind: Namespace\n"
                             "metadata: {name: %s, labels: {a: %s}}\n",
                             name, label);

    folder_write(folder, file, text);
}

static struct loops *start(const struct folder *folder, struct settings_store *settings,
                           bool paused, int64_t sweep_ms)
{
    struct loops_options options = {.table = table,
                                    .folder = folder->path,
                                    .settings = settings,
                                    .space = "granary-system",
                                    .paused = paused,
                                    .sweep_ms = sweep_ms,
                                    .limits = {.first_ms = 1, .rate = 1e6, .burst = 1e6}};
    struct error err = {0};
    struct loops *loops;

    log_setup(LOG_TEXT, LOG_ERROR);
    world.steps = json_object();
    loops = loops_start(&options, &err);
    ck_assert_msg(loops != NULL, "%s", err.message);
    return loops;
}

static void stop(struct loops *loops)
{
    loops_stop(loops);
    ck_assert_int_eq(world.states, 0);
    json_decref(world.steps);
}

static struct settings_store *settings_make(void)
{
    struct error err = {0};
    struct settings_store *store = settings_store_make(NULL, false, &err);

    ck_assert_ptr_nonnull(store);
    return store;
}

START_TEST(what_changes_is_looked_at)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(settings_store) struct settings_store *settings = settings_make();

        write_namespace(&folder, "shop", "one");
        write_namespace(&folder, FAILS_TWICE, "one");
        write_namespace(&folder, COMES_AGAIN, "one");

        struct loops *loops = start(&folder, settings, false, 0);
        AUTO(settings_held) const struct settings *held = loops_settings(loops);

        await_steps("shop", 1);
        ck_assert(world.known); /* never before all is known */
        await_steps(FAILS_TWICE, 3);
        await_steps(COMES_AGAIN, 4);
        write_namespace(&folder, "shop", "two");
        await_steps("shop", 2);
        folder_remove(&folder, "shop.yaml");
        await_steps("shop", 3);
        loops_wake(loops, &fake, "anything", 0);
        loops_wake(loops, &fake, "later", 1);
        loops_wake(loops, &absent, "nobody", 0);
        await_steps("anything", 1);
        await_steps("later", 1);
        ck_assert(loops_wait_idle(loops, TIMEOUT_MS));
        ck_assert_int_eq(steps_of("nobody"), 0);
        ck_assert_ptr_nonnull(held->agent_image);
        ck_assert_ptr_null(loops_client(loops));

        struct loop_facts facts = loops_look_at(loops, 0);

        ck_assert_uint_eq(loops_look(loops).count, 1);
        ck_assert_str_eq(facts.name, "fake");
        ck_assert_int_eq(facts.failures, 2);
        ck_assert_int_ge(facts.steps, 12);
        ck_assert_int_eq(facts.queue.ready, 0);
        stop(loops);
    }
END_TEST

/* Beside Stash: no step, and none is lost. */
START_TEST(a_pause)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(settings_store) struct settings_store *settings = settings_make();

        write_namespace(&folder, "shop", "one");

        struct loops *loops = start(&folder, settings, true, 1);

        ck_assert(known_wait_synced(loops_known(loops), TIMEOUT_MS));
        ck_assert(loops_look(loops).paused);
        ck_assert(!loops_may_write(loops));
        ck_assert_int_eq(steps_of("shop"), 0);
        loops_pause(loops, false);
        await_steps("shop", 1);
        stop(loops);
    }
END_TEST

/* Ended while paused, at once. */
START_TEST(an_end_while_it_waits)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(settings_store) struct settings_store *settings = settings_make();

        write_namespace(&folder, "shop", "one");

        struct loops *loops = start(&folder, settings, true, 0);

        loops_end(loops);
        stop(loops);
    }
END_TEST

START_TEST(everything_is_looked_at_again)
    {
        AUTO(folder) struct folder folder = folder_make();
        AUTO(settings_store) struct settings_store *settings = settings_make();

        write_namespace(&folder, "shop", "one");

        struct loops *loops = start(&folder, settings, false, _i == 0 ? 1 : 0);

        await_steps("shop", 1);
        if (_i == 1)
            loops_sweep(loops); /* asked for */
        await_steps("shop", 2);
        stop(loops);
    }
END_TEST

START_TEST(no_folder)
    {
        AUTO(settings_store) struct settings_store *settings = settings_make();
        struct loops_options options = {.table = table,
                                        .folder = "/nonexistent",
                                        .settings = settings,
                                        .space = "granary-system"};
        struct error err = {0};

        ck_assert_ptr_null(loops_start(&options, &err));
        ck_assert_int_eq(err.code, ERROR_NOT_FOUND);
        ck_assert_int_eq(world.states, 0);
    }
END_TEST

SUITE(controllers_loops)
{
    tcase_add_test(tests, what_changes_is_looked_at);
    tcase_add_test(tests, a_pause);
    tcase_add_test(tests, an_end_while_it_waits);
    tcase_add_loop_test(tests, everything_is_looked_at_again, 0, 2);
    tcase_add_test(tests, no_folder);
}
