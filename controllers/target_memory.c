#include "controllers/target_memory.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/backend.h"
#include "api/keys.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "kube/store.h"

/* A place that was taken stays taken so long. */
#define TAKEN_MS 60000

struct target_memory {
    pthread_mutex_t lock;
    json_t *settled; /* key -> what it was decided from, when there was nothing more to do */
    json_t *written; /* key -> {which object: {mark, at}}: what was written last */
    json_t *places;  /* location of a Repository, or name of an object -> {target, at} */
    int64_t pruned_ms;
    json_t *wholes;   /* key -> the whole object as text */
    json_t *said;     /* key -> {waits?, way?, was?}: what is said of it */
    json_t *ways;     /* configuration -> key in whose way it stands */
    json_t *users;    /* namespace -> {of, at, workloads, stems, pods}: who uses its claims */
    json_t *unused;   /* claim -> when it was first seen without a pod */
    json_t *stamps;   /* key -> {cause, tries}: stamps that had no effect yet */
    int64_t stamp_ms; /* when the next one is allowed */
};

struct target_memory *target_memory_make(void)
{
    struct target_memory *memory = text_alloc(sizeof *memory);

    pthread_mutex_init(&memory->lock, NULL);
    memory->settled = json_object();
    memory->written = json_object();
    memory->places = json_object();
    memory->users = json_object();
    memory->unused = json_object();
    memory->stamps = json_object();
    memory->said = json_object();
    memory->ways = json_object();
    memory->wholes = json_object();
    return memory;
}

void target_memory_free(struct target_memory *memory)
{
    json_decref(memory->settled);
    json_decref(memory->written);
    json_decref(memory->places);
    json_decref(memory->users);
    json_decref(memory->unused);
    json_decref(memory->stamps);
    json_decref(memory->said);
    json_decref(memory->ways);
    json_decref(memory->wholes);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

/* Under the lock. */
static void leave_way(struct target_memory *memory, const char *key)
{
    const char *way = tree_text(json_object_get(memory->said, key), "way");

    if (way && span_is(tree_span(memory->ways, way), key))
        json_object_del(memory->ways, way);
}

void target_memory_forget(struct target_memory *memory, const char *key)
{
    pthread_mutex_lock(&memory->lock);
    json_object_del(memory->written, key);
    json_object_del(memory->wholes, key);
    json_object_del(memory->settled, key);
    json_object_del(memory->unused, key);
    leave_way(memory, key);
    json_object_del(memory->said, key);
    pthread_mutex_unlock(&memory->lock);
}

/* ---- what was decided from ---- */

bool target_memory_is_settled(struct target_memory *memory, const char *key, const char *digest)
{
    bool settled;

    pthread_mutex_lock(&memory->lock);
    settled = span_is(tree_span(memory->settled, key), digest);
    pthread_mutex_unlock(&memory->lock);
    return settled;
}

void target_memory_settle(struct target_memory *memory, const char *key, const char *digest)
{
    pthread_mutex_lock(&memory->lock);
    if (digest)
        tree_put_text(memory->settled, key, digest);
    else
        json_object_del(memory->settled, key);
    if (digest)
        json_object_del(memory->wholes, key);
    pthread_mutex_unlock(&memory->lock);
}

json_t *target_memory_whole(struct target_memory *memory, const char *key)
{
    AUTO(json) json_t *kept = NULL;
    struct span text;

    pthread_mutex_lock(&memory->lock);
    kept = json_incref(json_object_get(memory->wholes, key));
    pthread_mutex_unlock(&memory->lock);
    text = tree_value(kept);
    return text.data ? json_loadb(text.data, text.length, JSON_ALLOW_NUL, NULL) : NULL;
}

/* As text, which takes a tenth of the tree: all targets of a blueprint may wait for their turn at
 * once, and the trees would leave holes between those that stay. */
static json_t *kept_new(const json_t *whole)
{
    AUTO(json) json_t *copy = json_copy((json_t *)whole);
    json_t *metadata = json_copy((json_t *)tree_get(whole, "metadata"));
    AUTO(text) struct text text = {0};

    json_object_del(metadata, "managedFields");
    tree_put_new(copy, "metadata", metadata);
    tree_write(&text, copy, false);
    return json_stringn_nocheck(text_get(&text), text.length);
}

void target_memory_keep_whole(struct target_memory *memory, const char *key, const json_t *whole)
{
    pthread_mutex_lock(&memory->lock);
    if (whole)
        tree_put_new(memory->wholes, key, kept_new(whole));
    else
        json_object_del(memory->wholes, key);
    pthread_mutex_unlock(&memory->lock);
}

/* ---- places: what is written is seen a moment later, and two may want the same ---- */

/* Under the lock, as the next. */
static void prune_places(struct target_memory *memory, int64_t now_ms)
{
    json_t *place;
    const char *name;
    void *next;

    if (now_ms - memory->pruned_ms < TAKEN_MS)
        return;
    memory->pruned_ms = now_ms;
    json_object_foreach_safe(memory->places, next, name,
                             place) if (now_ms - tree_int(place, "at", 0) >= TAKEN_MS)
        json_object_del(memory->places, name);
}

static bool take_place(struct target_memory *memory, const char *place, const char *key,
                       char **other)
{
    const json_t *taken = json_object_get(memory->places, place);
    int64_t now_ms = clock_mono_ms();
    json_t *mine;

    if (taken && !span_is(tree_span(taken, "target"), key) &&
        now_ms - tree_int(taken, "at", 0) < TAKEN_MS) {
        *other = text_format("%s", tree_text(taken, "target"));
        return false;
    }
    mine = json_object();
    tree_put_text(mine, "target", key);
    tree_put_int(mine, "at", now_ms);
    tree_put_new(memory->places, place, mine);
    return true;
}

static char *name_place(const json_t *object)
{
    AUTO(free) char *key = store_key(object);

    return text_format("%s %s", tree_text(object, "kind"), key);
}

char *target_memory_take(struct target_memory *memory, const char *key, const json_t *object)
{
    AUTO(free) char *name = name_place(object);
    AUTO(text) struct text location = {0};
    char *other = NULL;

    backend_location(&location, tree_at(object, "spec.backend"));
    pthread_mutex_lock(&memory->lock);
    prune_places(memory, clock_mono_ms());
    if (take_place(memory, name, key, &other) && location.length)
        (void)take_place(memory, text_get(&location), key, &other);
    pthread_mutex_unlock(&memory->lock);
    return other;
}

/* ---- what was written ---- */

/* The hash names both objects; the kind and generation tell them apart. */
static char *mark_of(const struct target_write *write)
{
    const json_t *annotations = tree_at(write->object, "metadata.annotations");
    const char *generation = tree_text(annotations, KEY_BLUEPRINT_GENERATION);

    return text_format("%s %s %s", tree_text(tree_get(write->object, "metadata"), "name"),
                       tree_text(annotations, KEY_PLAN_SHA256), generation ? generation : "");
}

/* Which of its objects. */
static char *which(const struct target_write *write)
{
    return text_format("%d %s", (int)write->act,
                       tree_text(tree_get(write->object, "metadata"), "name"));
}

bool target_memory_is_on_its_way(struct target_memory *memory, const char *key,
                                 const struct target_write *write)
{
    AUTO(free) char *object = which(write);
    AUTO(free) char *mark = mark_of(write);
    const json_t *written;
    bool same;

    pthread_mutex_lock(&memory->lock);
    written = tree_get(json_object_get(memory->written, key), object);
    same = span_is(tree_span(written, "mark"), mark) &&
           clock_mono_ms() - tree_int(written, "at", 0) < TARGET_SEEN_MS;
    pthread_mutex_unlock(&memory->lock);
    return same;
}

void target_memory_note_written(struct target_memory *memory, const char *key,
                                const struct target_write *write)
{
    AUTO(free) char *object = which(write);
    AUTO(free) char *mark = mark_of(write);
    json_t *written = json_object(), *all;

    tree_put_text(written, "mark", mark);
    tree_put_int(written, "at", clock_mono_ms());
    pthread_mutex_lock(&memory->lock);
    all = json_object_get(memory->written, key);
    if (!all) {
        all = json_object();
        tree_put_new(memory->written, key, all);
    }
    tree_put_new(all, object, written);
    pthread_mutex_unlock(&memory->lock);
}

/* ---- what is said of it ---- */

/* Under the lock. */
static json_t *said_of(struct target_memory *memory, const char *key)
{
    json_t *said = json_object_get(memory->said, key);

    if (!said) {
        said = json_object();
        tree_put_new(memory->said, key, said);
    }
    return said;
}

bool target_memory_say_waits(struct target_memory *memory, const char *key, bool waits)
{
    AUTO(json) json_t *now = json_boolean(waits);
    json_t *said;
    bool news;

    pthread_mutex_lock(&memory->lock);
    said = said_of(memory, key);
    news = !tree_equal(tree_get(said, "waits"), now);
    tree_put_bool(said, "waits", waits);
    pthread_mutex_unlock(&memory->lock);
    return news;
}

enum seen target_memory_waits(struct target_memory *memory, const char *key)
{
    const json_t *waits;
    enum seen seen;

    pthread_mutex_lock(&memory->lock);
    waits = tree_get(json_object_get(memory->said, key), "waits");
    seen = !waits ? SEEN_UNKNOWN : json_is_true(waits) ? SEEN_YES : SEEN_NO;
    pthread_mutex_unlock(&memory->lock);
    return seen;
}

bool target_memory_say_way(struct target_memory *memory, const char *key, const char *way)
{
    const char *before;
    json_t *said;
    bool news;

    pthread_mutex_lock(&memory->lock);
    said = said_of(memory, key);
    before = tree_text(said, "way");
    news = !before || strcmp(before, way ? way : "") != 0;
    if (news && before)
        tree_put_text(said, "was", before);
    leave_way(memory, key);
    tree_put_text(said, "way", way ? way : "");
    if (way)
        tree_put_text(memory->ways, way, key);
    pthread_mutex_unlock(&memory->lock);
    return news;
}

bool target_memory_is_looked_at(struct target_memory *memory, const char *key)
{
    bool is;

    pthread_mutex_lock(&memory->lock);
    is = tree_get(json_object_get(memory->said, key), "way") != NULL;
    pthread_mutex_unlock(&memory->lock);
    return is;
}

void target_memory_ways(struct target_memory *memory, const char *key, json_t *list)
{
    static const char *const keys[] = {"way", "was"};

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *way = tree_text(json_object_get(memory->said, key), keys[i]);

        if (way && *way)
            tree_push_text(list, way);
    }
    pthread_mutex_unlock(&memory->lock);
}

char *target_memory_hindered(struct target_memory *memory, const char *configuration)
{
    const char *key;
    char *found;

    pthread_mutex_lock(&memory->lock);
    key = tree_text(memory->ways, configuration);
    found = key ? text_format("%s", key) : NULL;
    pthread_mutex_unlock(&memory->lock);
    return found;
}

/* ---- claims ---- */

/* Namespaces whose users are kept; others are read again. */
#define USERS_MAX 100

bool target_memory_users(struct target_memory *memory, const char *space, const char *workloads,
                         int64_t max_age_ms, struct claim_users *users)
{
    const json_t *kept;
    bool fresh;

    pthread_mutex_lock(&memory->lock);
    kept = json_object_get(memory->users, space);
    fresh = span_is(tree_span(kept, "of"), workloads) &&
            clock_mono_ms() - tree_int(kept, "at", 0) <= max_age_ms;
    if (fresh)
        *users = (struct claim_users){.workloads = tree_share(tree_get(kept, "workloads")),
                                      .stems = tree_share(tree_get(kept, "stems")),
                                      .pods = tree_share(tree_get(kept, "pods"))};
    pthread_mutex_unlock(&memory->lock);
    return fresh;
}

void target_memory_keep_users(struct target_memory *memory, const char *space,
                              const char *workloads, const struct claim_users *users)
{
    json_t *kept = json_object();

    tree_put_text(kept, "of", workloads);
    tree_put_int(kept, "at", clock_mono_ms());
    tree_put_new(kept, "workloads", tree_share(users->workloads));
    tree_put_new(kept, "stems", tree_share(users->stems));
    tree_put_new(kept, "pods", tree_share(users->pods));
    pthread_mutex_lock(&memory->lock);
    if (json_object_size(memory->users) >= USERS_MAX)
        json_object_clear(memory->users);
    tree_put_new(memory->users, space, kept);
    pthread_mutex_unlock(&memory->lock);
}

int64_t target_memory_unused_ms(struct target_memory *memory, const char *key, bool unused)
{
    int64_t now_ms = clock_mono_ms(), since_ms;

    pthread_mutex_lock(&memory->lock);
    since_ms = tree_int(memory->unused, key, now_ms);
    if (unused)
        tree_put_int(memory->unused, key, since_ms);
    else
        json_object_del(memory->unused, key);
    pthread_mutex_unlock(&memory->lock);
    return unused ? now_ms - since_ms : 0;
}

/* ---- stamps ---- */

/* Under the lock. */
static int64_t tries_of(const struct target_memory *memory, const char *key, const char *cause)
{
    const json_t *last = json_object_get(memory->stamps, key);

    return span_is(tree_span(last, "cause"), cause) ? tree_int(last, "tries", 0) : 0;
}

int64_t target_memory_tries(struct target_memory *memory, const char *key, const char *cause)
{
    int64_t tries;

    pthread_mutex_lock(&memory->lock);
    tries = tries_of(memory, key, cause);
    pthread_mutex_unlock(&memory->lock);
    return tries;
}

int64_t target_memory_note_stamp(struct target_memory *memory, const char *key, const char *cause)
{
    json_t *stamp = NULL;
    int64_t tries = 0;

    pthread_mutex_lock(&memory->lock);
    if (cause) {
        tries = tries_of(memory, key, cause) + 1;
        stamp = json_object();
        tree_put_text(stamp, "cause", cause);
        tree_put_int(stamp, "tries", tries);
        tree_put_new(memory->stamps, key, stamp);
    } else {
        json_object_del(memory->stamps, key);
    }
    pthread_mutex_unlock(&memory->lock);
    return tries;
}

int64_t target_memory_stamp_due_ms(struct target_memory *memory, int64_t per_minute)
{
    int64_t now_ms = clock_mono_ms(), wait_ms;

    pthread_mutex_lock(&memory->lock);
    wait_ms = memory->stamp_ms > now_ms ? memory->stamp_ms - now_ms : 0;
    if (wait_ms == 0)
        memory->stamp_ms = now_ms + 60000 / per_minute;
    pthread_mutex_unlock(&memory->lock);
    return wait_ms;
}
