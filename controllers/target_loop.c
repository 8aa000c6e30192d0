#include "controllers/target_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/annotation.h"
#include "api/backend.h"
#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/stamp_next.h"
#include "controllers/target_keys.h"
#include "controllers/target_next.h"
#include "controllers/write.h"

/* What others stand in the way of is looked at again after so long: their going has no key here. */
#define BLOCKED_MS 60000

/* Until what we wrote is seen in the watch; a place that was taken stays taken so long. */
#define SEEN_MS 1000
#define TAKEN_MS 60000

/* A stamp that changed nothing is repeated so often: a replica of the webhook may have been behind.
 */
#define STAMP_TRIES 5
#define STAMP_AGAIN_MS 1000

/* What the loop remembers. */
struct memory {
    pthread_mutex_t lock;
    json_t *settled; /* key -> what it was decided from, when there was nothing more to do */
    json_t *written; /* key -> {which object: {mark, at}}: what was written last */
    json_t *places;  /* location of a Repository, or name of an object -> {target, at} */
    int64_t pruned_ms;
    json_t *wholes;   /* key -> the whole object, while something is to be done about it */
    json_t *stamps;   /* key -> {cause, tries}: stamps that had no effect yet */
    int64_t stamp_ms; /* when the next one is allowed */
};

/* One step under way. */
struct targeting {
    struct loops *loops;
    const char *key;
    enum known_kind kind;
    char *space, *name;              /* owned */
    json_t *seen;                    /* owned: metadata as watched, NULL: gone */
    json_t *configurations;          /* owned: that are about it */
    json_t *restores;                /* owned: RestoreSessions likewise */
    json_t *repositories;            /* owned: likewise */
    const struct cluster *cluster;   /* owned */
    const struct settings *settings; /* owned */
    struct annotations annotations;
    const char *named[BLUEPRINTS_MAX + 1]; /* blueprints that are asked for; ends with NULL */
};

static void *make(struct loops *loops)
{
    struct memory *memory = text_alloc(sizeof *memory);

    (void)loops;
    pthread_mutex_init(&memory->lock, NULL);
    memory->settled = json_object();
    memory->written = json_object();
    memory->places = json_object();
    memory->stamps = json_object();
    memory->wholes = json_object();
    return memory;
}

static void unmake(void *state)
{
    struct memory *memory = state;

    json_decref(memory->settled);
    json_decref(memory->written);
    json_decref(memory->places);
    json_decref(memory->stamps);
    json_decref(memory->wholes);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

/* ---- what is seen ---- */

static void auto_targeting(struct targeting *targeting)
{
    free(targeting->space);
    free(targeting->name);
    json_decref(targeting->seen);
    json_decref(targeting->configurations);
    json_decref(targeting->repositories);
    json_decref(targeting->restores);
    cluster_unref(targeting->cluster);
    settings_release(targeting->settings);
    annotations_done(&targeting->annotations);
}

/* "group/Kind/namespace/name"; the group may be empty. */
static bool parse_key(struct targeting *targeting)
{
    struct span rest = span_of(targeting->key), parts[4];

    for (size_t i = 0; i < 4; i++)
        if (!text_split(&rest, '/', &parts[i]))
            return false;

    const struct target_kind *kind = target_kind_of(parts[0], parts[1]);

    if (!kind || rest.length > 0 || parts[2].length == 0 || parts[3].length == 0)
        return false;
    targeting->kind = KNOWN_KINDS;
    for (int i = KNOWN_TARGET_FIRST; i <= KNOWN_TARGET_LAST; i++)
        if (strcmp(known_resource((enum known_kind)i)->plural, kind->resource) == 0)
            targeting->kind = (enum known_kind)i;
    targeting->space = text_dup(parts[2].data, parts[2].length);
    targeting->name = text_dup(parts[3].data, parts[3].length);
    return targeting->kind != KNOWN_KINDS;
}

/* By an object, watched or read just now; NULL: it is gone. */
static void find_named(struct targeting *targeting, const json_t *object)
{
    AUTO(findings) struct findings ignored = {0};
    const json_t *space = cluster_namespace(targeting->cluster, targeting->space);
    size_t count = 0;

    annotations_done(&targeting->annotations);
    targeting->annotations = (struct annotations){0};
    memset(targeting->named, 0, sizeof targeting->named);
    annotations_parse(&targeting->annotations, tree_at(object, "metadata.annotations"), &ignored);
    if (targeting->annotations.opted_out || !object)
        return;
    for (; count < targeting->annotations.blueprint_count; count++)
        targeting->named[count] = targeting->annotations.blueprints[count];
    if (count == 0 && target_keys_label(space))
        targeting->named[count] = target_keys_label(space);
}

static void look(struct targeting *targeting)
{
    struct known *known = loops_known(targeting->loops);

    targeting->cluster = known_cluster(known);
    targeting->settings = loops_settings(targeting->loops);
    targeting->seen = known_get(known, targeting->kind, targeting->space, targeting->name);
    targeting->configurations =
        known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_TARGET, targeting->key);
    targeting->repositories = known_find(known, KNOWN_REPOSITORY, KNOWN_BY_TARGET, targeting->key);
    targeting->restores = known_find(known, KNOWN_RESTORE, KNOWN_BY_TARGET, targeting->key);
    find_named(targeting, targeting->seen);
}

static bool any_of_ours(const struct targeting *targeting)
{
    const json_t *configuration;
    size_t i;

    tree_items (targeting->configurations, i, configuration)
        if (target_is_ours(configuration, targeting->key))
            return true;
    return false;
}

/* ---- what was decided before ---- */

/* Without what changes when nothing does. */
static void write_object(struct text *out, const json_t *object)
{
    const json_t *metadata = tree_get(object, "metadata"), *value;
    const char *key;

    tree_each (metadata, key, value) {
        if (strcmp(key, "resourceVersion") == 0 || strcmp(key, "managedFields") == 0)
            continue;
        text_addf(out, "%s=", key);
        tree_write(out, value, true);
    }
    text_putc(out, '\n');
}

static void write_all(struct text *out, const json_t *objects)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        write_object(out, object);
}

/* All that a decision depends on, but for the rest of the target, which has a generation. */
static void digest(const struct targeting *targeting, char hex[65])
{
    AUTO(text) struct text text = {0};
    const json_t *restore;
    size_t i;

    write_object(&text, targeting->seen);
    write_object(&text, cluster_namespace(targeting->cluster, targeting->space));
    for (const char *const *name = targeting->named; *name; name++)
        write_object(&text, cluster_blueprint(targeting->cluster, *name));
    write_all(&text, targeting->configurations);
    write_all(&text, targeting->repositories);
    write_all(&text, targeting->restores);
    tree_items (targeting->restores, i, restore) {
        const char *phase = tree_text(tree_get(restore, "status"), "phase");

        text_addf(&text, "%s\n", phase ? phase : "");
    }
    text_addf(&text, "%lld", (long long)loops_active_s(targeting->loops));
    tree_write(&text, targeting->settings->excluded, true);
    text_sha256((struct span){text_get(&text), text.length}, hex);
}

static struct memory *memory_of(const struct targeting *targeting)
{
    return loops_state(targeting->loops, &target_loop);
}

static bool is_settled(const struct targeting *targeting, const char hex[65])
{
    struct memory *memory = memory_of(targeting);
    bool settled;

    pthread_mutex_lock(&memory->lock);
    settled = span_is(tree_span(memory->settled, targeting->key), hex);
    pthread_mutex_unlock(&memory->lock);
    return settled;
}

/* NULL: it has to be decided anew. */
static void settle(const struct targeting *targeting, const char *hex)
{
    struct memory *memory = memory_of(targeting);

    pthread_mutex_lock(&memory->lock);
    if (hex)
        tree_put_text(memory->settled, targeting->key, hex);
    else
        json_object_del(memory->settled, targeting->key);
    if (hex)
        json_object_del(memory->wholes, targeting->key);
    pthread_mutex_unlock(&memory->lock);
}

/* ---- places: what is written is seen a moment later, and two may want the same ---- */

/* Under the lock, as the next. */
static void prune_places(struct memory *memory, int64_t now_ms)
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

static bool take_place(struct memory *memory, const char *place, const char *key, char **other)
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

/* Its name, and of a Repository where its data lies. NULL: both are free; else whose they are. */
static char *taken_by(const struct targeting *targeting, const json_t *object)
{
    struct memory *memory = memory_of(targeting);
    AUTO(free) char *name = name_place(object);
    AUTO(text) struct text location = {0};
    char *other = NULL;

    backend_location(&location, tree_at(object, "spec.backend"));
    pthread_mutex_lock(&memory->lock);
    prune_places(memory, clock_mono_ms());
    if (take_place(memory, name, targeting->key, &other) && location.length)
        (void)take_place(memory, text_get(&location), targeting->key, &other);
    pthread_mutex_unlock(&memory->lock);
    return other;
}

/* ---- what is said ---- */

static void tell(const struct targeting *targeting, bool warning, const char *reason,
                 const char *note)
{
    struct kube_event event = {
        .warning = warning, .reason = reason, .action = "Plan", .note = note};

    if (targeting->seen)
        loops_tell(targeting->loops, targeting->seen, &event);
}

/* reason NULL: all is well. */
static void blame(const struct targeting *targeting, const char *reason, const char *problem)
{
    bool news = loops_blame(targeting->loops, &target_loop, targeting->key, reason, problem);

    if (news && reason)
        tell(targeting, true, reason, problem);
    else if (news)
        tell(targeting, false, "BackupPlanned", "the backup is planned as it should be");
}

/* ---- what is done ---- */

static enum known_kind kind_of(const struct target_write *write)
{
    return write->act == TARGET_APPLY_REPOSITORY ? KNOWN_REPOSITORY : KNOWN_CONFIGURATION;
}

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

/* The watch has not brought yet what was written a moment ago. */
static bool is_on_its_way(const struct targeting *targeting, const struct target_write *write)
{
    struct memory *memory = memory_of(targeting);
    AUTO(free) char *object = which(write);
    AUTO(free) char *mark = mark_of(write);
    const json_t *written;
    bool same;

    pthread_mutex_lock(&memory->lock);
    written = tree_get(json_object_get(memory->written, targeting->key), object);
    same = span_is(tree_span(written, "mark"), mark) &&
           clock_mono_ms() - tree_int(written, "at", 0) < SEEN_MS;
    pthread_mutex_unlock(&memory->lock);
    return same;
}

static void note_written(const struct targeting *targeting, const struct target_write *write)
{
    struct memory *memory = memory_of(targeting);
    AUTO(free) char *object = which(write);
    AUTO(free) char *mark = mark_of(write);
    json_t *written = json_object(), *all;

    tree_put_text(written, "mark", mark);
    tree_put_int(written, "at", clock_mono_ms());
    pthread_mutex_lock(&memory->lock);
    all = json_object_get(memory->written, targeting->key);
    if (!all) {
        all = json_object();
        tree_put_new(memory->written, targeting->key, all);
    }
    tree_put_new(all, object, written);
    pthread_mutex_unlock(&memory->lock);
}

static enum write_end apply(const struct targeting *targeting, const struct target_write *write,
                            struct error *err)
{
    AUTO(free) char *other = taken_by(targeting, write->object);
    const json_t *metadata = tree_get(write->object, "metadata");
    enum write_end end;

    if (other) {
        error_set(err, ERROR_CONFLICT,
                  "%s %s/%s, or the place of its data, is that of %s, and %s "
                  "would have the same",
                  tree_text(write->object, "kind"), tree_text(metadata, "namespace"),
                  tree_text(metadata, "name"), other, targeting->key);
        return WRITE_HELD;
    }
    end = write_apply(targeting->loops, kind_of(write), write->object, write->why, err);
    if (end == WRITE_DONE)
        note_written(targeting, write);
    return end;
}

static enum write_end carry_out(const struct targeting *targeting, const struct target_write *write,
                                struct error *err)
{
    if (write->act == TARGET_DELETE_CONFIGURATION)
        return write_delete(targeting->loops, KNOWN_CONFIGURATION, write->object, write->why, err);
    return apply(targeting, write, err);
}

static int64_t stop_at(const struct targeting *targeting, const struct target_write *write,
                       enum write_end end, struct error *err)
{
    if (end == WRITE_GONE && write->act == TARGET_DELETE_CONFIGURATION)
        return SEEN_MS;
    if (end == WRITE_FAILED && err->code == ERROR_CONFLICT)
        return SEEN_MS; /* somebody was faster, or the watch is behind */
    if (end == WRITE_GONE)
        return BLOCKED_MS; /* its namespace ends, and it with it */
    blame(targeting, end == WRITE_HELD ? "Conflict" : "WriteFailed", err->message);
    return end == WRITE_HELD ? BLOCKED_MS : LOOP_FAILED;
}

/* All of them, until one can not be. */
static int64_t carry_out_all(const struct targeting *targeting, const struct target_writes *writes,
                             struct error *err)
{
    bool waits = false;

    for (size_t i = 0; i < writes->count; i++) {
        const struct target_write *write = &writes->list[i];
        enum write_end end;

        if (write->act != TARGET_DELETE_CONFIGURATION && is_on_its_way(targeting, write)) {
            waits = true;
            continue;
        }
        end = carry_out(targeting, write, err);
        if (end != WRITE_DONE)
            return stop_at(targeting, write, end, err);
    }
    return waits ? SEEN_MS : LOOP_RESTS;
}

/* ---- a step ---- */

static bool is_ending(const struct targeting *targeting)
{
    const json_t *space = cluster_namespace(targeting->cluster, targeting->space);

    return tree_at(space, "metadata.deletionTimestamp") ||
           tree_at(targeting->seen, "metadata.deletionTimestamp");
}

/* Kinds are watched one by one: an object may be seen before its namespace. A folder need not name
 * any. */
static bool is_early(const struct targeting *targeting)
{
    return targeting->seen && loops_client(targeting->loops) &&
           !cluster_namespace(targeting->cluster, targeting->space);
}

static void tell_done(const struct targeting *targeting, const struct target_writes *writes)
{
    for (size_t i = 0; i < writes->count; i++)
        if (writes->list[i].act == TARGET_APPLY_CONFIGURATION && !writes->list[i].before)
            tell(targeting, false, "BackupConfigured", "its BackupConfiguration is there");
        else if (writes->list[i].act == TARGET_DELETE_CONFIGURATION)
            tell(targeting, false, "BackupStopped",
                 "its BackupConfiguration is gone; Repository and data stay");
}

/* By objects of others, whose changes have no key here. */
static bool is_blocked(const char *reason)
{
    return reason &&
           (strcmp(reason, "NameTaken") == 0 || strcmp(reason, "BackupBlueprintUnfit") == 0);
}

static int64_t act(const struct targeting *targeting, const struct target_seen *seen, bool *settled,
                   struct error *err)
{
    AUTO(target_writes) struct target_writes writes = {0};
    int64_t again_ms;

    target_next(seen, &writes);
    again_ms = carry_out_all(targeting, &writes, err);
    if (again_ms != LOOP_RESTS)
        return again_ms;
    blame(targeting, writes.reason, writes.problem);
    tell_done(targeting, &writes);
    /* what was written comes back, and is looked at then */
    *settled = writes.count == 0 && !is_blocked(writes.reason);
    return is_blocked(writes.reason) ? BLOCKED_MS : LOOP_RESTS;
}

/* ---- what its pods carry ---- */

/* Under the lock. How often the same was asked for without effect. */
static int64_t tries_of(const struct memory *memory, const char *key, const char *cause)
{
    const json_t *last = json_object_get(memory->stamps, key);

    return span_is(tree_span(last, "cause"), cause) ? tree_int(last, "tries", 0) : 0;
}

/* 0: now. All stamps together are held back, since each restarts pods. */
static int64_t stamp_due_ms(struct memory *memory, const struct stamp_next *next)
{
    int64_t now_ms = clock_mono_ms(), wait_ms;

    pthread_mutex_lock(&memory->lock);
    wait_ms = memory->stamp_ms > now_ms ? memory->stamp_ms - now_ms : 0;
    if (wait_ms == 0)
        memory->stamp_ms = now_ms + 60000 / next->per_minute;
    pthread_mutex_unlock(&memory->lock);
    return wait_ms;
}

/* `cause` NULL: it had an effect. Returns the number of tries. */
static int64_t note_stamp(const struct targeting *targeting, const char *cause)
{
    struct memory *memory = memory_of(targeting);
    json_t *stamp = NULL;
    int64_t tries = 0;

    pthread_mutex_lock(&memory->lock);
    if (cause) {
        tries = tries_of(memory, targeting->key, cause) + 1;
        stamp = json_object();
        tree_put_text(stamp, "cause", cause);
        tree_put_int(stamp, "tries", tries);
        tree_put_new(memory->stamps, targeting->key, stamp);
    } else {
        json_object_del(memory->stamps, targeting->key);
    }
    pthread_mutex_unlock(&memory->lock);
    return tries;
}

static void forget_whole(const struct targeting *targeting)
{
    struct memory *memory = memory_of(targeting);

    pthread_mutex_lock(&memory->lock);
    json_object_del(memory->wholes, targeting->key);
    pthread_mutex_unlock(&memory->lock);
}

static json_t *stamp_patch(const json_t *whole)
{
    const json_t *seen = tree_get(whole, "metadata");
    AUTO(free) char *value = text_format("%lld", (long long)clock_now_ms());
    json_t *patch = json_object(), *metadata = json_object(), *annotations = json_object();

    tree_put_text(annotations, KEY_STAMP, value);
    tree_put_text(metadata, "uid", tree_text(seen, "uid"));
    tree_put_text(metadata, "resourceVersion", tree_text(seen, "resourceVersion"));
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
        note_stamp(targeting, NULL);
        tell(targeting, false, "Stamped", "admission has changed what its pods carry");
        return LOOP_RESTS;
    }
    tries = note_stamp(targeting, cause);
    return STAMP_AGAIN_MS << (tries < STAMP_TRIES ? tries : STAMP_TRIES);
}

static int64_t write_stamp(const struct targeting *targeting, const json_t *whole,
                           const char *cause, struct error *err)
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
        forget_whole(targeting);
        return SEEN_MS;
    }
    note_stamp(targeting, cause);
    blame(targeting, "StampRefused", err->message);
    return LOOP_FAILED;
}

/* Admission was missed, or the reason is not on the workload itself. */
static int64_t stamp(const struct targeting *targeting, const json_t *whole, struct error *err)
{
    struct memory *memory = memory_of(targeting);
    struct stamp_next next = judge_stamp(targeting, whole);
    int64_t tries, wait_ms;

    if (next.verdict != STAMP_IT || !loops_client(targeting->loops))
        return LOOP_RESTS;
    pthread_mutex_lock(&memory->lock);
    tries = tries_of(memory, targeting->key, next.cause);
    pthread_mutex_unlock(&memory->lock);
    if (tries >= STAMP_TRIES) {
        blame(targeting, "StampWithoutEffect",
              "admission leaves its pods as they are: is the webhook reached?");
        return BLOCKED_MS;
    }
    wait_ms = stamp_due_ms(memory, &next);
    return wait_ms > 0 ? wait_ms : write_stamp(targeting, whole, next.cause, err);
}

/* `whole` NULL: it is gone. */
static int64_t plan_and_act(struct targeting *targeting, const json_t *whole, const char hex[65],
                            struct error *err)
{
    struct target_seen seen = {.target = targeting->key,
                               .named = targeting->named,
                               .configurations = targeting->configurations,
                               .cluster = targeting->cluster};
    struct target target;
    bool settled = false;
    int64_t again_ms;
    AUTO(plan) struct plan plan = {0};
    struct plan_request request = {
        .settings = targeting->settings, .cluster = targeting->cluster, .target = &target};

    find_named(targeting, whole);
    if (whole && target_of_object(&target, whole, targeting->space)) {
        plan_make(&plan, &request);
        seen.plan = &plan;
    }
    again_ms = act(targeting, &seen, &settled, err);
    if (again_ms == LOOP_RESTS && whole)
        again_ms = stamp(targeting, whole, err);
    settle(targeting, settled && again_ms == LOOP_RESTS ? hex : NULL);
    return again_ms;
}

static int64_t forget(const struct targeting *targeting)
{
    struct memory *memory = memory_of(targeting);

    pthread_mutex_lock(&memory->lock);
    json_object_del(memory->written, targeting->key);
    json_object_del(memory->wholes, targeting->key);
    pthread_mutex_unlock(&memory->lock);
    (void)loops_blame(targeting->loops, &target_loop, targeting->key, NULL, NULL);
    settle(targeting, NULL);
    return LOOP_RESTS;
}

static bool is_workload(const struct targeting *targeting)
{
    return targeting->kind != KNOWN_CLAIM && targeting->kind != KNOWN_APP;
}

/* A workload may still carry what nothing asks for any more: that is not seen from afar. */
static bool is_of_interest(const struct targeting *targeting)
{
    return targeting->named[0] || any_of_ours(targeting) ||
           (targeting->seen && is_workload(targeting));
}

/* Other people's annotations are not watched. */
static bool has_ours(const json_t *there, const json_t *annotations)
{
    static const char *const prefixes[] = {KEY_STASH_PREFIX, KEY_PARAMS_PREFIX, KEY_PREFIX};
    const json_t *value;
    const char *key;

    tree_each (annotations, key, value)
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0 &&
                !tree_equal(tree_get(there, key), value))
                return false;
    return true;
}

static bool same_metadata(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"uid", "generation", "labels", "ownerReferences"};
    const json_t *one = tree_get(a, "metadata"), *other = tree_get(b, "metadata");

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (!tree_equal(tree_get(one, keys[i]), tree_get(other, keys[i])))
            return false;
    return has_ours(tree_get(one, "annotations"), tree_get(other, "annotations")) &&
           has_ours(tree_get(other, "annotations"), tree_get(one, "annotations"));
}

/* As it was read last, while it is still that one. */
static json_t *remembered(const struct targeting *targeting)
{
    struct memory *memory = memory_of(targeting);
    json_t *whole;

    pthread_mutex_lock(&memory->lock);
    whole = json_incref(json_object_get(memory->wholes, targeting->key));
    pthread_mutex_unlock(&memory->lock);
    if (whole && tree_get(tree_get(whole, "metadata"), "generation") &&
        same_metadata(whole, targeting->seen))
        return whole;
    json_decref(whole);
    return NULL;
}

static void remember(const struct targeting *targeting, const json_t *whole)
{
    struct memory *memory = memory_of(targeting);

    pthread_mutex_lock(&memory->lock);
    tree_put_new(memory->wholes, targeting->key, tree_share(whole));
    pthread_mutex_unlock(&memory->lock);
}

/* What is to be taken away is proven to be without reason: then it is read anew. */
static json_t *whole_of(const struct targeting *targeting, struct error *err)
{
    json_t *whole = targeting->named[0] ? remembered(targeting) : NULL;

    if (whole)
        return whole;
    whole = known_whole(loops_known(targeting->loops), targeting->kind, targeting->space,
                        targeting->name, err);
    if (whole)
        remember(targeting, whole);
    return whole;
}

static int64_t take_step(struct targeting *targeting, struct error *err)
{
    struct error failed = {.code = ERROR_NONE};
    char hex[65];

    look(targeting);
    if (is_ending(targeting) || !is_of_interest(targeting))
        return forget(targeting);
    if (is_early(targeting))
        return SEEN_MS;
    digest(targeting, hex);
    if (is_settled(targeting, hex))
        return LOOP_RESTS;

    AUTO(json) json_t *whole = whole_of(targeting, &failed);

    if (!whole && failed.code != ERROR_NOT_FOUND) {
        *err = failed;
        return LOOP_FAILED;
    }
    return plan_and_act(targeting, whole, hex, err);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(targeting) struct targeting targeting = {.loops = loops, .key = key};

    /* of a hand-made configuration that names something else */
    if (!parse_key(&targeting))
        return LOOP_RESTS;
    return take_step(&targeting, err);
}

const struct loop target_loop = {
    .name = "targets",
    .make = make,
    .free = unmake,
    .keys = target_keys,
    .step = step,
};
