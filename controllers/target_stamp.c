#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/stamp_next.h"
#include "controllers/target_loop.h"
#include "controllers/target_parts.h"
#include "controllers/write.h"

/* A stamp that changed nothing is repeated so often: a replica of the webhook may have been behind.
 */
#define STAMP_TRIES 5
#define STAMP_AGAIN_MS 1000

static json_t *stamp_patch(const json_t *whole)
{
    AUTO(free) char *value = text_format("%lld", (long long)clock_now_ms());
    json_t *patch = json_object(), *metadata = json_object(), *annotations = json_object();

    tree_put_text(annotations, KEY_STAMP, value);
    kube_name_state(metadata, whole);
    tree_put_new(metadata, "annotations", annotations);
    tree_put_new(patch, "metadata", metadata);
    return patch;
}

static struct stamp_next judge_stamp(const struct targeting *targeting, const json_t *whole)
{
    return stamp_next(&(struct stamp_seen){.workload = whole,
                                           .cluster = targeting->cluster,
                                           .settings = targeting->settings,
                                           .active_s = loops_active_s(targeting->loops)});
}

/* Whether it had an effect says the answer. */
static int64_t heed_answer(const struct targeting *targeting, const json_t *answer,
                           const char *cause)
{
    int64_t tries;

    if (judge_stamp(targeting, answer).verdict != STAMP_IT) {
        target_memory_note_stamp(targeting->memory, targeting->key, NULL);
        target_tell(targeting, false, "Stamped", "admission has changed what its pods carry");
        return LOOP_RESTS;
    }
    tries = target_memory_note_stamp(targeting->memory, targeting->key, cause);
    return STAMP_AGAIN_MS << (tries < STAMP_TRIES ? tries : STAMP_TRIES);
}

static void put_trouble(struct target_trouble *trouble, const char *reason, const char *problem)
{
    free(trouble->problem);
    trouble->reason = reason;
    trouble->problem = text_format("%s", problem);
}

static int64_t write_stamp(const struct targeting *targeting, const json_t *whole,
                           const char *cause, struct target_trouble *trouble, struct error *err)
{
    struct kube_ref ref = {.resource = known_resource(targeting->kind),
                           .space = targeting->space,
                           .name = targeting->name};
    struct kube_options how = {.manager = WRITE_MANAGER};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *patch = stamp_patch(whole);

    if (kube_merge_patch(loops_client(targeting->loops), &ref, patch, &how, &result, err))
        return heed_answer(targeting, result.object, cause);
    if (err->code == ERROR_CONFLICT || err->code == ERROR_NOT_FOUND) {
        target_memory_keep_whole(targeting->memory, targeting->key, NULL);
        return TARGET_SEEN_MS;
    }
    target_memory_note_stamp(targeting->memory, targeting->key, cause);
    put_trouble(trouble, "StampRefused", err->message);
    return LOOP_FAILED;
}

/* Who waits is not known before it is known since when admission is ours. */
static void say_waits(const struct targeting *targeting, const struct stamp_next *next)
{
    bool waits = next->verdict == STAMP_WAITS;

    if (waits && loops_active_s(targeting->loops) <= 0)
        return;
    if (target_memory_say_waits(targeting->memory, targeting->key, waits))
        loops_news(targeting->loops, &target_loop, targeting->key);
}

int64_t target_stamp(const struct targeting *targeting, const json_t *whole,
                     struct target_trouble *trouble, struct error *err)
{
    struct stamp_next next = judge_stamp(targeting, whole);
    int64_t tries, wait_ms;

    say_waits(targeting, &next);
    if (next.verdict != STAMP_IT || !loops_client(targeting->loops))
        return LOOP_RESTS;
    tries = target_memory_tries(targeting->memory, targeting->key, next.cause);
    if (tries >= STAMP_TRIES) {
        put_trouble(trouble, "StampWithoutEffect",
                    "admission leaves its pods as they are: is the webhook reached?");
        return TARGET_BLOCKED_MS;
    }
    wait_ms = target_memory_stamp_due_ms(targeting->memory, next.per_minute);
    trouble->stays = wait_ms > 0 && tries > 0;
    return wait_ms > 0 ? wait_ms : write_stamp(targeting, whole, next.cause, trouble, err);
}
