#include <string.h>

#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/bare_claim.h"
#include "controllers/target_next.h"
#include "controllers/target_parts.h"

/* What was read for one claim of a namespace is good for the others, that long at most. */
#define USERS_MAX_MS 15000

bool target_is_labelled_claim(const struct targeting *targeting)
{
    return targeting->kind == KNOWN_CLAIM && targeting->named[0] &&
           targeting->annotations.blueprint_count == 0;
}

static void note_generation(json_t *found, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata");
    const char *uid = tree_text(metadata, "uid");

    if (uid && !target_controller(metadata))
        tree_put_int(found, uid, tree_int(metadata, "generation", 0));
}

void target_write_workloads(const struct targeting *targeting, struct text *out)
{
    struct known *known = loops_known(targeting->loops);
    AUTO(json) json_t *found = json_object();

    for (int kind = KNOWN_TARGET_FIRST; kind <= KNOWN_TARGET_LAST; kind++) {
        AUTO(json) json_t *objects = NULL;
        const json_t *object;
        size_t i;

        if (kind == KNOWN_CLAIM || kind == KNOWN_APP)
            continue;
        objects = known_find(known, (enum known_kind)kind, KNOWN_BY_SPACE, targeting->space);
        tree_items (objects, i, object)
            note_generation(found, object);
    }
    tree_write(out, found, true);
}

static bool read_users(const struct targeting *targeting, struct claim_users *users,
                       struct error *err)
{
    int64_t max_age_ms = loops_bare_ms(targeting->loops) / 4;
    AUTO(text) struct text workloads = {0};
    char of[65];

    target_write_workloads(targeting, &workloads);
    text_sha256((struct span){text_get(&workloads), workloads.length}, of);
    if (target_memory_users(targeting->memory, targeting->space, of,
                            max_age_ms < USERS_MAX_MS ? max_age_ms : USERS_MAX_MS, users))
        return true;
    if (!claim_users_read(users, loops_known(targeting->loops), loops_client(targeting->loops),
                          targeting->space, err))
        return false;
    target_memory_keep_users(targeting->memory, targeting->space, of, users);
    return true;
}

int64_t target_bare(const struct targeting *targeting, const json_t *whole, bool *bare,
                    struct error *err)
{
    struct known *known = loops_known(targeting->loops);
    AUTO(json)
    json_t *repositories = known_find(known, KNOWN_REPOSITORY, KNOWN_BY_SPACE, targeting->space);
    AUTO(claim_users) struct claim_users users = {0};
    struct bare_seen seen = {.claim = whole,
                             .repositories = repositories,
                             .users = &users,
                             .backed_up = target_is_backed_up(targeting),
                             .after_ms = loops_bare_ms(targeting->loops)};
    struct bare_next next;

    *bare = false;
    /* a folder says nothing about time */
    if (!loops_client(targeting->loops) || !bare_is_possible(&seen))
        return LOOP_RESTS;
    if (!read_users(targeting, &users, err))
        return LOOP_FAILED;
    next = bare_next(&seen);
    if (next.verdict == BARE_WAITS) {
        seen.unused_ms = target_memory_unused_ms(targeting->memory, targeting->key, true);
        next = bare_next(&seen);
    } else {
        (void)target_memory_unused_ms(targeting->memory, targeting->key, false);
    }
    *bare = next.verdict == BARE_IS;
    return next.wait_ms > 0 ? next.wait_ms : LOOP_RESTS;
}
