#include "controllers/configuration_loop.h"

#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_edge.h"
#include "settings/store.h"

static void *make(struct loops *loops)
{
    (void)loops;
    return configuration_book_make();
}

static void unmake(void *state)
{
    configuration_book_free(state);
}

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    loops_tell(context, object, event);
}

static int64_t take(struct loops *loops, const char *key,
                    const struct configuration_objects *objects, struct error *err)
{
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    const struct configuration_edge edge = {
        .client = loops_client(loops),
        .book = loops_state(loops, &configuration_loop),
        .settings = settings,
        .space = loops_space(loops),
        .tell = tell,
        .context = loops,
        .now_s = clock_now_s(),
        .now_ms = clock_mono_ms(),
    };
    int64_t again_ms = LOOP_RESTS;

    return configuration_edge_step(&edge, key, objects, &again_ms, err) ? again_ms : LOOP_FAILED;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(configuration_objects) struct configuration_objects objects = {0};

    configuration_look(loops_known(loops), key, &objects);
    if (!objects.configuration) {
        configuration_book_forget(loops_state(loops, &configuration_loop), key);
        return LOOP_RESTS;
    }
    if (!loops_client(loops) ||
        tree_get(tree_get(objects.configuration, "metadata"), "deletionTimestamp"))
        return LOOP_RESTS;
    return take(loops, key, &objects, err);
}

const struct loop configuration_loop = {
    .name = "configurations",
    .make = make,
    .free = unmake,
    .keys = configuration_keys,
    .step = step,
};
