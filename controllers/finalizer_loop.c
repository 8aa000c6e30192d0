#include "controllers/finalizer_loop.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/stash_finalizer.h"
#include "controllers/write.h"
#include "kube/meta.h"

/* After somebody else's write. */
#define LATE_MS 200

/* What Stash puts one on. */
static const enum known_kind kinds[] = {KNOWN_REPOSITORY, KNOWN_CONFIGURATION, KNOWN_RESTORE};

/* Of which objects it was taken off: losing it costs one more try. */
struct state {
    pthread_mutex_t lock;
    json_t *tried; /* key -> uid */
};

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    const json_t *object = change->after ? change->after : change->before;

    (void)known;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (change->kind != (size_t)kinds[i] || !stash_finalizer_is_on(object))
            continue;

        AUTO(free)
        char *key = text_format("%s/%s/%s", known_resource(kinds[i])->kind,
                                meta_or_empty(object, "namespace"), meta_or_empty(object, "name"));

        tree_push_text(list, key);
    }
}

/* New reference; NULL: it is gone. */
static json_t *find(struct known *known, const char *key, enum known_kind *kind)
{
    struct span rest = span_of(key), parts[3];

    for (size_t i = 0; i < 3; i++)
        if (!text_split(&rest, '/', &parts[i]))
            return NULL;

    AUTO(free) char *space = text_dup(parts[1].data, parts[1].length);
    AUTO(free) char *name = text_dup(parts[2].data, parts[2].length);

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (span_is(parts[0], known_resource(kinds[i])->kind)) {
            *kind = kinds[i];
            return known_get(known, kinds[i], space, name);
        }
    return NULL;
}

/* ---- what was tried ---- */

static bool was_tried(struct state *state, const char *key, const json_t *object)
{
    bool tried;

    pthread_mutex_lock(&state->lock);
    tried = object && span_is(tree_span(state->tried, key), meta_or_empty(object, "uid"));
    if (!object)
        json_object_del(state->tried, key);
    pthread_mutex_unlock(&state->lock);
    return tried;
}

static void note_try(struct state *state, const char *key, const json_t *object)
{
    pthread_mutex_lock(&state->lock);
    tree_put_text(state->tried, key, meta_or_empty(object, "uid"));
    pthread_mutex_unlock(&state->lock);
}

/* ---- a step ---- */

static json_t *patch_of(const json_t *object)
{
    json_t *patch = json_object(), *metadata = json_object();

    kube_name_state(metadata, object);
    tree_put_new(metadata, "finalizers", stash_finalizer_others(object));
    tree_put_new(patch, "metadata", metadata);
    return patch;
}

static void tell(struct loops *loops, const char *key, const json_t *object)
{
    bool wipes = tree_true(tree_get(object, "spec"), "wipeOut");
    const struct kube_event event = {false, "StashFinalizerRemoved", "TakeOver",
                                     wipes ? "there is no Stash that would take its finalizer off: "
                                             "it is removed, and wipeOut is followed by granary"
                                           : "there is no Stash that would take its finalizer off: "
                                             "it is removed"};

    log_info("a finalizer of Stash is removed", LOG_S("key", key));
    loops_tell(loops, object, &event);
}

static int64_t take_off(struct loops *loops, const char *key, enum known_kind kind,
                        const json_t *object, struct error *err)
{
    const struct kube_ref ref = {known_resource(kind), meta_or_empty(object, "namespace"),
                                 meta_or_empty(object, "name"), NULL};
    const struct kube_options how = {.manager = WRITE_MANAGER};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *patch = patch_of(object);

    if (kube_merge_patch(loops_client(loops), &ref, patch, &how, &result, err)) {
        note_try(loops_state(loops, &finalizer_loop), key, object);
        tell(loops, key, object);
        return LOOP_RESTS;
    }
    if (err->code == ERROR_NOT_FOUND)
        return LOOP_RESTS;
    return err->code == ERROR_CONFLICT ? LATE_MS : LOOP_FAILED;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    enum known_kind kind = KNOWN_KINDS;
    AUTO(json) json_t *object = find(loops_known(loops), key, &kind);
    bool tried = was_tried(loops_state(loops, &finalizer_loop), key, object);
    int64_t due_s = object ? stash_finalizer_due_s(&(struct stash_finalizer_seen){
                                 .object = object,
                                 .stash = loops_beside_stash(loops),
                                 .tried = tried,
                                 .now_s = clock_now_s(),
                             })
                           : STASH_FINALIZER_RESTS;

    if (due_s == STASH_FINALIZER_RESTS || !loops_client(loops))
        return LOOP_RESTS;
    return due_s > 0 ? due_s * 1000 : take_off(loops, key, kind, object, err);
}

static void *make(struct loops *loops)
{
    struct state *state = text_alloc(sizeof *state);

    (void)loops;
    pthread_mutex_init(&state->lock, NULL);
    state->tried = json_object();
    return state;
}

static void unmake(void *context)
{
    struct state *state = context;

    json_decref(state->tried);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

const struct loop finalizer_loop = {
    .name = "finalizers",
    .make = make,
    .free = unmake,
    .keys = keys,
    .step = step,
    .workers = 1,
};
