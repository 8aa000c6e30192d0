#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/tree.h"
#include "kube/informer.h"
#include "tests/unit/kube/fake_api.h"
#include "tests/unit/kube/watching.h"
#include "tests/unit/suite.h"

/*
 * An informer against an API server that does much wrong: in the end the store, and whoever
 * followed the changes, have what the server has.
 *
 * RUNS (50) seeds from SEED (1) on; `make check-informers` does more.
 */

#define DEADLINE_S 120

/* Kinds of faults and of what they lead to, in print_happened(). */
#define HAPPENED 79

/* What a handler made of the changes that it was told. */
struct view {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    json_t *objects; /* by name */
    bool last_seen;
    char broken[256]; /* the first promise that did not hold */
};

static const char *uid_of(const json_t *object)
{
    const char *uid = tree_text(tree_get(object, "metadata"), "uid");

    return uid ? uid : "";
}

static void judge(struct view *view, const struct informer_change *change, const json_t *known,
                  const char *name)
{
    const char *wrong = NULL;

    if (!change->before && known)
        wrong = "new, and known already";
    else if (change->before && !known)
        wrong = "told of what is not known";
    else if (change->before && strcmp(uid_of(change->before), uid_of(known)) != 0)
        wrong = "before is another object";
    else if (change->before && change->after &&
             strcmp(uid_of(change->before), uid_of(change->after)) != 0)
        wrong = "two objects in one change";
    else if (change->doubtful && (change->after || !change->tombstone))
        wrong = "doubtful though it is there, or was seen to go";
    if (wrong && !*view->broken)
        snprintf(view->broken, sizeof view->broken, "%s: %s", name, wrong);
}

static void take_change(void *context, const struct informer_change *change)
{
    struct view *view = context;
    const json_t *object = change->after ? change->after : change->before;
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    pthread_mutex_lock(&view->lock);
    judge(view, change, tree_get(view->objects, name), name);
    if (change->after)
        tree_put_new(view->objects, name, tree_share(change->after));
    else
        json_object_del(view->objects, name);
    view->last_seen |= strcmp(name, "zz-last") == 0;
    pthread_cond_signal(&view->changed);
    pthread_mutex_unlock(&view->lock);
}

static json_t *by_name(const json_t *list)
{
    json_t *objects = json_object();
    const json_t *object;
    size_t i;

    tree_items (list, i, object)
        tree_put_new(objects, tree_text(tree_get(object, "metadata"), "name"), tree_share(object));
    return objects;
}

/* The last object was told, and all with it: a list tells its objects in any order. Under the lock.
 */
static bool is_complete(struct view *view, struct fake_api *api)
{
    if (!view->last_seen)
        return false;

    AUTO(json) json_t *there = fake_api_objects(api);
    AUTO(json) json_t *wanted = by_name(there);

    return tree_equal(view->objects, wanted);
}

/* False when it did not come in time. */
static bool wait_for_all(struct view *view, struct fake_api *api)
{
    struct timespec until;
    int status = 0;
    bool complete;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    pthread_mutex_lock(&view->lock);
    while (!(complete = is_complete(view, api)) && status == 0)
        status = pthread_cond_timedwait(&view->changed, &view->lock, &until);
    pthread_mutex_unlock(&view->lock);
    return complete;
}

/* Where time and chance come from. */
struct source {
    struct fake_api *api;
    struct random random;
};

static uint64_t next_random(void *context)
{
    return random_bits(&((struct source *)context)->random);
}

static int64_t next_ms(void *context)
{
    return fake_api_now_ms(((struct source *)context)->api);
}

/* Pauses of milliseconds. What is waited for may take as long as it really may, by the clock of the
 * fake; only an answer that never comes is waited for by the real one. */
static const struct reflector_limits quick = {.backoff_ms = 1,
                                              .backoff_max_ms = 4,
                                              .backoff_reset_ms = 120,
                                              .short_ms = 1,
                                              .answer_ms = 250,
                                              .initial_ms = 150000,
                                              .initial_max_ms = 300000,
                                              .look_ms = 2,
                                              .second_ms = 1,
                                              .missing_ms = 3,
                                              .doubt_ms = 600};

/* What happened in all runs: how often each fault, and what it led to. */
static json_t *happened;

static void add_up(const char *name, int64_t count)
{
    tree_put_int(happened, name, tree_int(happened, name, 0) + count);
}

static void add_facts(struct informer *informer)
{
    struct informer_facts facts = informer_look(informer, 0);

    add_up("(lists)", facts.follower.lists);
    add_up("(watches)", facts.follower.watches);
    add_up("(events)", facts.follower.events);
    add_up("(errors)", facts.follower.errors);
    add_up("(gone back)", facts.follower.in_doubt);
}

static void add_faults(struct fake_api *api)
{
    AUTO(json) json_t *faults = fake_api_faults(api);
    const json_t *count;
    const char *name;

    tree_each (faults, name, count)
        add_up(name, json_integer_value(count));
}

static struct kube_config config_of(const struct fake_script *script, const struct fake_api *api)
{
    struct kube_config config = {.server = text_format("%s", fake_api_url(api))};

    if (script->pairs) {
        config.token_file = folder_path(script->folder, "token");
        config.ca.file = folder_path(script->folder, "ca.crt");
    }
    return config;
}

/* One run; what is wrong is written to `fault`, with the story of the server. */
static void run(const struct fake_script *script, struct text *fault)
{
    struct fake_api *api = fake_api_start(script);
    struct view view = {.lock = PTHREAD_MUTEX_INITIALIZER,
                        .changed = PTHREAD_COND_INITIALIZER,
                        .objects = json_object()};
    struct source source = {api, random_case(script->seed, 1)};
    AUTO(kube_config) struct kube_config config = config_of(script, api);
    struct kube_client_limits limits = {.rate = 1e6, .burst = 1e6, .second_ms = 1, .look_ms = 5};
    struct informer_options options = {.kinds = script->watched,
                                       .count = 1,
                                       .changed = take_change,
                                       .context = &view,
                                       .limits = quick,
                                       .source = {next_ms, next_random, &source}};
    struct error err = {0};
    struct kube_client *client = kube_client_start(&config, &limits, &err);
    struct informer *informer = client ? informer_start(client, &options, &err) : NULL;

    ck_assert_msg(informer != NULL, "%s", err.message);

    /* the last object may be told before that nothing is missing any more */
    bool in_time = wait_for_all(&view, api) && informer_wait_synced(informer, 0, DEADLINE_S * 1000);
    AUTO(json) json_t *list = informer_objects(informer), *there = fake_api_objects(api);
    AUTO(json) json_t *kept = by_name(list), *wanted = by_name(there);

    if (!in_time)
        text_puts(fault, "the handler's view does not become the server's, or is not synced\n");
    else if (*view.broken)
        text_addf(fault, "%s\n", view.broken);
    else if (!tree_equal(kept, wanted))
        text_puts(fault, "the store is not the server's\n");
    add_facts(informer);
    add_faults(api);
    kube_client_cancel(client);
    informer_stop(informer);
    kube_client_stop(client);
    if (fault->length) {
        AUTO(free) char *story = fake_api_story(api);
        AUTO(free) char *have = tree_format(kept, NULL), *want = tree_format(wanted, NULL);

        text_addf(fault, "kept: %s\nserver: %s\n%s", have, want, story);
    }
    fake_api_stop(api);
    json_decref(view.objects);
}

/* One that is forgotten when it is not served, too. */
static const struct kube_watched optional_things = {
    .resource = {"example.com", "v1beta1", "things", "Thing", false}, .optional = true};

static const struct kube_watched *const kinds[] = {&watched_pods, &watched_things, &watched_parts,
                                                   &optional_things};

#define PAIRS 3

/* What all runs have. */
struct common {
    struct pem_pair pairs[PAIRS];
    struct folder folder;
};

static struct common *common_make(void)
{
    struct common *common = text_alloc(sizeof *common);
    struct pem_wish wish = {
        .from_s = 1, .to_s = 4102444800, .name = "localhost", .authority = true};

    for (size_t i = 0; i < PAIRS; i++)
        pem_make(&common->pairs[i], &wish);
    common->folder = folder_make();
    return common;
}

static void auto_common(struct common **common)
{
    folder_done(&(*common)->folder);
    free(*common);
}

/* All that varies follows from the seed. */
static struct fake_script script_of(uint64_t seed, const struct common *common)
{
    struct random random = random_case(seed, 2);
    bool tls = random_often(&random, 15);

    return (struct fake_script){.seed = seed,
                                .pairs = tls ? common->pairs : NULL,
                                .pair_count = PAIRS,
                                .folder = &common->folder,
                                .watched = kinds[random_below(&random, 4)],
                                .streams =
                                    random_often(&random, 60)
                                        ? STREAMS_SERVED
                                        : (enum fake_streams)random_below(&random, STREAMS_KINDS),
                                .changes = (int)random_below(&random, 40),
                                .faults = (int)random_below(&random, 24),
                                .often = (unsigned)random_below(&random, 60),
                                .bookmarks = random_often(&random, 70)};
}

static void print_happened(void)
{
    AUTO(free) char *text = tree_format(happened, NULL);

    for (char *c = text; *c; c++)
        if (*c == ',')
            *c = ' ';
    printf("%zu kinds of things happened: %s\n", json_object_size(happened), text);
    fflush(stdout);
}

/* AF1 to AF4, AF6 to AF9, AF11 to AF15, AF17 */
START_TEST(store_is_server_in_the_end)
    {
        uint64_t first = random_setting("SEED", 1), runs = random_setting("RUNS", 50);

        AUTO(common) struct common *common = common_make();

        log_set_level(LOG_ERROR);
        happened = json_object();
        printf("faults of an API server: SEED=%llu RUNS=%llu\n", (unsigned long long)first,
               (unsigned long long)runs);
        fflush(stdout);
        for (uint64_t seed = first; seed < first + runs; seed++) {
            AUTO(text) struct text fault = {0};
            struct fake_script script = script_of(seed, common);

            run(&script, &fault);
            /* longer than a message of check may be */
            if (fault.length)
                printf("%s", text_get(&fault));
            fflush(stdout);
            ck_assert_msg(fault.length == 0, "SEED=%llu RUNS=1 repeats", (unsigned long long)seed);
        }
        print_happened();
        /* a fault that never comes tests nothing */
        ck_assert(runs < 500 || json_object_size(happened) == HAPPENED);
        json_decref(happened);
    }
END_TEST

/* AF7: cut behind every byte of an event, with FIN and RST; and no bookmark ever (AF9) */
START_TEST(cut_behind_every_byte)
    {
        AUTO(text) struct text fault = {0};
        struct fake_script script = {.seed = 1 + (uint64_t)_i,
                                     .watched = &watched_pods,
                                     .changes = 450,
                                     .cut_each_byte = true};

        log_set_level(LOG_ERROR);
        happened = json_object();
        run(&script, &fault);
        json_decref(happened);
        printf("%s", text_get(&fault));
        fflush(stdout);
        ck_assert(fault.length == 0);
    }
END_TEST

SUITE(kube_faults)
{
    tcase_set_timeout(tests, 1200);
    tcase_add_test(tests, store_is_server_in_the_end);
    tcase_add_loop_test(tests, cut_behind_every_byte, 0, 2);
}
