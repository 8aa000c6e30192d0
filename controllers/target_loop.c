#include "controllers/target_loop.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/target_keys.h"
#include "controllers/target_next.h"
#include "controllers/target_parts.h"
#include "controllers/write.h"
#include "kube/store.h"

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

bool target_is_backed_up(const struct targeting *targeting)
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
    if (target_is_labelled_claim(targeting))
        target_write_workloads(targeting, &text);
    text_addf(&text, "%lld", (long long)loops_active_s(targeting->loops));
    tree_write(&text, targeting->settings->excluded, true);
    text_sha256((struct span){text_get(&text), text.length}, hex);
}

/* ---- what is said ---- */

void target_tell(const struct targeting *targeting, bool warning, const char *reason,
                 const char *note)
{
    struct kube_event event = {
        .warning = warning, .reason = reason, .action = "Plan", .note = note};

    if (targeting->seen)
        loops_tell(targeting->loops, targeting->seen, &event);
}

/* reason NULL: all is well. */
void target_blame(const struct targeting *targeting, const char *reason, const char *problem)
{
    bool news = loops_blame(targeting->loops, &target_loop, targeting->key, reason, problem);

    if (news && reason)
        target_tell(targeting, true, reason, problem);
    else if (news)
        target_tell(targeting, false, "BackupPlanned", "the backup is planned as it should be");
}

/* ---- what is done ---- */

static enum known_kind kind_of(const struct target_write *write)
{
    return write->act == TARGET_APPLY_REPOSITORY ? KNOWN_REPOSITORY : KNOWN_CONFIGURATION;
}

static enum write_end apply(const struct targeting *targeting, const struct target_write *write,
                            struct error *err)
{
    AUTO(free) char *other = target_memory_take(targeting->memory, targeting->key, write->object);
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
    if (end == WRITE_HELD)
        error_wrap(err, "%s %s/%s is left as it is", tree_text(write->object, "kind"),
                   tree_text(metadata, "namespace"), tree_text(metadata, "name"));
    if (end == WRITE_DONE)
        target_memory_note_written(targeting->memory, targeting->key, write);
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
        return TARGET_SEEN_MS;
    if (end == WRITE_FAILED && err->code == ERROR_CONFLICT)
        return TARGET_SEEN_MS; /* somebody was faster, or the watch is behind */
    if (end == WRITE_GONE)
        return TARGET_BLOCKED_MS; /* its namespace ends, and it with it */
    target_blame(targeting, end == WRITE_HELD ? "Conflict" : "WriteFailed", err->message);
    return end == WRITE_HELD ? TARGET_BLOCKED_MS : LOOP_FAILED;
}

/* All of them, until one can not be. */
static int64_t carry_out_all(const struct targeting *targeting, const struct target_writes *writes,
                             struct error *err)
{
    bool waits = false;

    for (size_t i = 0; i < writes->count; i++) {
        const struct target_write *write = &writes->list[i];
        enum write_end end;

        if (write->act != TARGET_DELETE_CONFIGURATION &&
            target_memory_is_on_its_way(targeting->memory, targeting->key, write)) {
            waits = true;
            continue;
        }
        end = carry_out(targeting, write, err);
        if (end != WRITE_DONE)
            return stop_at(targeting, write, end, err);
    }
    return waits ? TARGET_SEEN_MS : LOOP_RESTS;
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
            target_tell(targeting, false, "BackupConfigured", "its BackupConfiguration is there");
        else if (writes->list[i].act == TARGET_DELETE_CONFIGURATION)
            target_tell(targeting, false, "BackupStopped",
                        "its BackupConfiguration is gone; Repository and data stay");
}

/* By objects of others, whose changes have no key here. */
static bool is_blocked(const char *reason)
{
    return reason &&
           (strcmp(reason, "NameTaken") == 0 || strcmp(reason, "BackupBlueprintUnfit") == 0);
}

/* Writes what is next; says what is wrong when all of that could be done. */
static int64_t act(const struct targeting *targeting, const struct target_seen *seen, bool *settled,
                   struct target_trouble *trouble, struct error *err)
{
    AUTO(target_writes) struct target_writes writes = {0};
    int64_t again_ms;

    target_next(seen, &writes);
    again_ms = carry_out_all(targeting, &writes, err);
    if (again_ms != LOOP_RESTS)
        return again_ms;
    trouble->reason = writes.reason;
    trouble->problem = TAKE(writes.problem);
    tell_done(targeting, &writes);
    /* what was written comes back, and is looked at then */
    *settled = writes.count == 0 && !is_blocked(writes.reason);
    return LOOP_RESTS;
}

/* As the next: what others show of it. */
static void say_way(const struct targeting *targeting, const struct plan *plan)
{
    if (target_memory_say_way(targeting->memory, targeting->key, plan ? plan->in_the_way : NULL))
        loops_news(targeting->loops, &target_loop, targeting->key);
}

static void say_gone(const struct targeting *targeting)
{
    if (target_memory_say_waits(targeting->memory, targeting->key, false))
        loops_news(targeting->loops, &target_loop, targeting->key);
}

/* What is planned is there; the pods follow. */
static int64_t conclude(const struct targeting *targeting, const json_t *whole,
                        struct target_trouble *trouble, struct error *err)
{
    bool blocked = is_blocked(trouble->reason);
    int64_t again_ms = LOOP_RESTS;

    if (whole)
        again_ms = target_stamp(targeting, whole, trouble, err);
    else
        say_gone(targeting);
    if (!trouble->stays)
        target_blame(targeting, trouble->reason, trouble->problem);
    return again_ms == LOOP_RESTS && blocked ? TARGET_BLOCKED_MS : again_ms;
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
    int64_t again_ms, bare_ms = LOOP_RESTS;
    AUTO(plan) struct plan plan = {0};
    AUTO(target_trouble) struct target_trouble trouble = {0};
    struct plan_request request = {
        .settings = targeting->settings, .cluster = targeting->cluster, .target = &target};

    find_named(targeting, whole);
    if (whole && target_is_labelled_claim(targeting)) {
        bare_ms = target_bare(targeting, whole, &request.bare, err);
        if (bare_ms == LOOP_FAILED)
            return LOOP_FAILED;
        if (!request.bare)
            targeting->named[0] = NULL; /* nobody asks for it */
    }
    if (whole && target_of_object(&target, whole, targeting->space)) {
        plan_make(&plan, &request);
        seen.plan = &plan;
    }
    again_ms = act(targeting, &seen, &settled, &trouble, err);
    say_way(targeting, seen.plan);
    if (again_ms == LOOP_RESTS)
        again_ms = conclude(targeting, whole, &trouble, err);
    if (again_ms == LOOP_RESTS)
        again_ms = bare_ms;
    target_memory_settle(targeting->memory, targeting->key,
                         settled && again_ms == LOOP_RESTS ? hex : NULL);
    return again_ms;
}

static int64_t forget(const struct targeting *targeting)
{
    say_way(targeting, NULL);
    target_memory_forget(targeting->memory, targeting->key);
    (void)loops_blame(targeting->loops, &target_loop, targeting->key, NULL, NULL);
    return LOOP_RESTS;
}

static bool is_workload(const struct targeting *targeting)
{
    return targeting->kind != KNOWN_CLAIM && targeting->kind != KNOWN_APP;
}

/* A workload may still carry what nothing asks for any more: that is not seen from afar. */
static bool is_of_interest(const struct targeting *targeting)
{
    return targeting->named[0] || target_is_backed_up(targeting) ||
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
    AUTO(json) json_t *whole = target_memory_whole(targeting->memory, targeting->key);

    return whole && tree_get(tree_get(whole, "metadata"), "generation") &&
                   same_metadata(whole, targeting->seen)
               ? TAKE(whole)
               : NULL;
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
        target_memory_keep_whole(targeting->memory, targeting->key, whole);
    return whole;
}

/* That it is not there proves nothing while nobody serves its kind, or while the watch still has
 * it: an API that was taken out of service takes no objects with it. */
static bool is_doubtful(const struct targeting *targeting)
{
    return targeting->seen || !known_is_served(loops_known(targeting->loops), targeting->kind);
}

/* Until its kind is back, or the watch has seen it go. */
static int64_t keep_all(const struct targeting *targeting)
{
    AUTO(free) char *problem = NULL;

    if (targeting->seen)
        return TARGET_BLOCKED_MS;
    problem = text_format("the cluster knows no %s any more: what was planned stays as it is",
                          known_resource(targeting->kind)->plural);
    target_blame(targeting, "TargetKindNotServed", problem);
    return LOOP_RESTS;
}

static int64_t take_step(struct targeting *targeting, struct error *err)
{
    struct error failed = {.code = ERROR_NONE};
    char hex[65];

    look(targeting);
    if (is_ending(targeting) || !is_of_interest(targeting))
        return forget(targeting);
    if (is_early(targeting))
        return TARGET_SEEN_MS;
    digest(targeting, hex);
    if (target_memory_is_settled(targeting->memory, targeting->key, hex))
        return LOOP_RESTS;

    AUTO(json) json_t *whole = whole_of(targeting, &failed);

    if (!whole && failed.code != ERROR_NOT_FOUND) {
        *err = failed;
        return LOOP_FAILED;
    }
    if (!whole && is_doubtful(targeting))
        return keep_all(targeting);
    return plan_and_act(targeting, whole, hex, err);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(targeting)
    struct targeting targeting = {
        .loops = loops, .memory = loops_state(loops, &target_loop), .key = key};

    /* of a hand-made configuration that names something else */
    if (!parse_key(&targeting))
        return LOOP_RESTS;
    return take_step(&targeting, err);
}

static void *make(struct loops *loops)
{
    (void)loops;
    return target_memory_make();
}

static void unmake(void *memory)
{
    target_memory_free(memory);
}

/* ---- what its configurations show ---- */

/* What concerns the pods, which a configuration made by hand wants too. */
static bool is_of_pods(const char *reason)
{
    return strncmp(reason, "Stamp", strlen("Stamp")) == 0;
}

static void take_problem(struct loops *loops, const char *key, bool pods_only,
                         struct target_said *said)
{
    AUTO(json) json_t *problem = loops_problem(loops, &target_loop, key);
    const char *reason = tree_text(problem, "reason"), *text = tree_text(problem, "problem");

    if (!reason || said->reason || (pods_only && !is_of_pods(reason)))
        return;
    said->reason = text_format("%s", reason);
    said->problem = text_format("%s", text ? text : "");
}

void target_loop_says(struct loops *loops, const json_t *configuration, struct target_said *said)
{
    struct target_memory *memory = loops_state(loops, &target_loop);
    AUTO(free) char *key = known_target_of(configuration);
    AUTO(free) char *name = store_key(configuration);
    AUTO(free) char *hindered = NULL;
    bool by_hand = configuration_is_hand_made(configuration);

    *said = (struct target_said){.known = by_hand || !memory, .waits = SEEN_NO};
    if (!memory)
        return;
    hindered = by_hand ? target_memory_hindered(memory, name) : NULL;
    if (hindered) {
        said->reason = text_format("NameTaken");
        said->problem = text_format("it was made by hand, and has the name of the one that a "
                                    "BackupBlueprint would make for %s, which is not made",
                                    hindered);
    }
    if (!key)
        return;
    said->known = by_hand || target_memory_is_looked_at(memory, key);
    said->waits = target_memory_waits(memory, key);
    take_problem(loops, key, by_hand, said);
}

void target_loop_shown_by(struct loops *loops, const char *key, json_t *list)
{
    struct target_memory *memory = loops_state(loops, &target_loop);
    AUTO(json)
    json_t *found = known_find(loops_known(loops), KNOWN_CONFIGURATION, KNOWN_BY_TARGET, key);
    const json_t *configuration;
    size_t i;

    tree_items (found, i, configuration) {
        AUTO(free) char *name = store_key(configuration);

        tree_push_text(list, name);
    }
    if (memory)
        target_memory_ways(memory, key, list);
}

const struct loop target_loop = {
    .name = "targets",
    .make = make,
    .free = unmake,
    .keys = target_keys,
    .step = step,
};
