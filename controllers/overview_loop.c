#include "controllers/overview_loop.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/cluster.h"
#include "api/keys.h"
#include "api/names.h"
#include "api/plan.h"
#include "api/target.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/blueprint_status.h"
#include "controllers/configuration_look.h"
#include "controllers/status_send.h"
#include "controllers/target_loop.h"
#include "settings/store.h"

/* The one key. */
#define ALL "all"

/* Between two looks: what changes for a while is looked at as one. */
#define REST_MS 1000

/* Workloads that are read as a whole in one look, and until the next one while some are left: who
 * leads for a minute has read thousands, and nobody waits for it. */
#define READS_MAX 50
#define READ_REST_MS 1000

struct state {
    pthread_mutex_t lock;
    struct text metrics; /* under the lock */
    json_t *workloads;   /* by uid: {generation, object: what coverage needs of it} */
    int64_t looked_ms;   /* 0: never */
};

/* One look under way. */
struct overview {
    struct loops *loops;
    struct state *state;
    const struct settings *settings;                        /* owned */
    const struct cluster *cluster;                          /* owned */
    json_t *claims, *configurations, *workloads, *problems; /* owned */
    struct coverage *coverage;                              /* owned */
    json_t *kept;                                           /* owned: the next state->workloads */
    int reads;
    bool complete; /* all workloads were read */
};

static void auto_overview(struct overview *overview)
{
    settings_release(overview->settings);
    cluster_unref(overview->cluster);
    coverage_free(overview->coverage);
    json_decref(overview->claims);
    json_decref(overview->configurations);
    json_decref(overview->workloads);
    json_decref(overview->problems);
    json_decref(overview->kept);
}

static const json_t *metadata_of(const json_t *object)
{
    return tree_get(object, "metadata");
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = tree_text(object, key);

    return text ? text : "";
}

/* ---- workloads, as far as claims go ---- */

/* Volumes and claim templates, without all the rest: copies, since they stay, and what they were
 * read with does not. New reference. */
static json_t *slim(const json_t *whole)
{
    json_t *made = json_object(), *spec = json_object(), *template = json_object();
    json_t *pod = json_object();

    tree_put_new(made, "apiVersion", tree_copy(tree_get(whole, "apiVersion")));
    tree_put_new(made, "kind", tree_copy(tree_get(whole, "kind")));
    tree_put_new(pod, "volumes", tree_copy(tree_at(whole, "spec.template.spec.volumes")));
    tree_put_new(template, "spec", pod);
    tree_put_new(spec, "template", template);
    tree_put_new(spec, "volumeClaimTemplates",
                 tree_copy(tree_at(whole, "spec.volumeClaimTemplates")));
    tree_put_new(made, "spec", spec);
    return made;
}

/* What was read of it in this generation; else it is read, as long as reads are left. Borrowed. */
static const json_t *parts_of(struct overview *overview, enum known_kind kind,
                              const json_t *metadata)
{
    const char *uid = text_of(metadata, "uid");
    const json_t *entry = tree_get(overview->state->workloads, uid);
    const json_t *generation = tree_get(metadata, "generation");
    struct error ignored;
    json_t *next;

    if (entry && tree_equal(tree_get(entry, "generation"), generation)) {
        tree_put_new(overview->kept, uid, tree_share(entry));
        return tree_get(entry, "object");
    }
    if (overview->reads >= READS_MAX) {
        overview->complete = false;
        return NULL;
    }
    overview->reads++;

    /* one that can not be read is read at the next look */
    AUTO(json)
    json_t *whole = known_whole(loops_known(overview->loops), kind, text_of(metadata, "namespace"),
                                text_of(metadata, "name"), &ignored);

    if (!whole)
        return NULL;
    next = json_object();
    tree_put_new(next, "generation", tree_copy(tree_at(whole, "metadata.generation")));
    tree_put_new(next, "object", slim(whole));
    tree_put_new(overview->kept, uid, next);
    return tree_get(next, "object");
}

static void add_workload(struct overview *overview, enum known_kind kind, const json_t *object)
{
    const json_t *parts = parts_of(overview, kind, metadata_of(object));
    json_t *made;

    if (!parts)
        return;
    made = json_copy((json_t *)parts);
    tree_put_new(made, "metadata", tree_share(metadata_of(object)));
    tree_push_new(overview->workloads, made);
}

static bool opts_out(const json_t *object)
{
    return span_is(tree_span(tree_get(metadata_of(object), "annotations"), KEY_BACKUP), "false");
}

static bool concerns(struct overview *overview, const json_t *object)
{
    AUTO(free) char *text = known_target_text(object);

    if (!text || target_is_foreign(object))
        return false;
    if (opts_out(object) || tree_get(tree_get(metadata_of(object), "annotations"), KEY_BLUEPRINT))
        return true;

    AUTO(json)
    json_t *made =
        known_find(loops_known(overview->loops), KNOWN_CONFIGURATION, KNOWN_BY_TARGET, text);

    return json_array_size(made) > 0;
}

static void add_workloads(struct overview *overview)
{
    for (int kind = KNOWN_TARGET_FIRST; kind < KNOWN_CLAIM; kind++) {
        AUTO(json)
        json_t *objects = known_all(loops_known(overview->loops), (enum known_kind)kind);
        const json_t *object;
        size_t i;

        tree_items (objects, i, object)
            if (concerns(overview, object))
                add_workload(overview, (enum known_kind)kind, object);
    }
}

/* ---- blueprints ---- */

/* The targets of one, as they are gathered; all owned but what they borrow from `held`. */
struct gathering {
    json_t *by_target; /* "group/Kind/namespace/name" to {object?, configuration?} */
    struct blueprint_target *targets;
    char **names;
    size_t count;
};

static void auto_gathering(struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++)
        free(gathering->names[i]);
    free(gathering->names);
    free(gathering->targets);
    json_decref(gathering->by_target);
}

static json_t *entry_of(const struct gathering *gathering, const char *text)
{
    json_t *entry = json_object_get(gathering->by_target, text);

    if (!entry) {
        entry = json_object();
        tree_put_new(gathering->by_target, text, entry);
    }
    return entry;
}

static void gather_named(struct overview *overview, const char *blueprint,
                         const struct gathering *gathering)
{
    for (int kind = KNOWN_TARGET_FIRST; kind <= KNOWN_TARGET_LAST; kind++) {
        AUTO(json)
        json_t *objects = known_find(loops_known(overview->loops), (enum known_kind)kind,
                                     KNOWN_BY_BLUEPRINT, blueprint);
        const json_t *object;
        size_t i;

        tree_items (objects, i, object) {
            AUTO(free) char *text = known_target_text(object);

            if (text && !target_is_foreign(object) && !opts_out(object) &&
                !settings_excludes(overview->settings, text_of(metadata_of(object), "namespace")))
                tree_put_new(entry_of(gathering, text), "object", tree_share(object));
        }
    }
}

/* Those whose namespace names it are known by what was made for them. */
static void gather_made(struct overview *overview, const char *blueprint,
                        const struct gathering *gathering)
{
    struct known *known = loops_known(overview->loops);
    AUTO(free) char *label = name_label_value(blueprint);
    AUTO(json)
    json_t *made = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_BLUEPRINT, label);
    const json_t *configuration;
    size_t i;

    tree_items (made, i, configuration) {
        AUTO(free) char *text = known_target_of(configuration);
        AUTO(json) json_t *object = configuration_target(known, configuration);

        if (!text || !object || configuration_is_hand_made(configuration))
            continue;
        tree_put_new(entry_of(gathering, text), "configuration", tree_share(configuration));
        tree_put_new(entry_of(gathering, text), "object", tree_share(object));
    }
}

static void add_target(const struct overview *overview, struct gathering *gathering,
                       const char *text, const json_t *entry)
{
    const json_t *object = tree_get(entry, "object"), *metadata = metadata_of(object);
    size_t counts[COVERS];
    char *name = text_format("%s %s/%s", text_of(object, "kind"), text_of(metadata, "namespace"),
                             text_of(metadata, "name"));

    (void)coverage_count(overview->coverage, object, counts);
    gathering->names[gathering->count] = name;
    gathering->targets[gathering->count++] = (struct blueprint_target){
        .name = name,
        .configuration = tree_get(entry, "configuration"),
        .problem = tree_text(tree_get(overview->problems, text), "problem"),
        .protected = counts[COVER_PROTECTED],
        .unprotected = counts[COVER_NONE],
    };
}

static void gather(struct overview *overview, const char *blueprint, struct gathering *gathering)
{
    const json_t *entry;
    const char *text;
    size_t room;

    gathering->by_target = json_object();
    gather_named(overview, blueprint, gathering);
    gather_made(overview, blueprint, gathering);
    room = json_object_size(gathering->by_target) + 1;
    gathering->targets = text_alloc(room * sizeof *gathering->targets);
    gathering->names = text_alloc(room * sizeof *gathering->names);
    tree_each (gathering->by_target, text, entry)
        add_target(overview, gathering, text, entry);
}

static bool write_blueprint(struct overview *overview, const json_t *blueprint, struct error *err)
{
    AUTO(gathering) struct gathering gathering = {0};
    AUTO(json) json_t *status = NULL;

    gather(overview, text_of(metadata_of(blueprint), "name"), &gathering);
    status = blueprint_status(
        &(struct blueprint_seen){
            .blueprint = blueprint,
            .fault = cluster_fault(overview->cluster, blueprint),
            .targets = gathering.targets,
            .count = gathering.count,
            .now_s = clock_now_s(),
        },
        tree_get(blueprint, "status"));
    return status_send(loops_client(overview->loops), known_resource(KNOWN_BLUEPRINT), blueprint,
                       status, err) != STATUS_FAILED;
}

/* One that can not be written keeps no other from being. */
static bool write_blueprints(struct overview *overview, struct error *err)
{
    AUTO(json) json_t *blueprints = known_all(loops_known(overview->loops), KNOWN_BLUEPRINT);
    const json_t *blueprint;
    bool good = true;
    size_t i;

    tree_items (blueprints, i, blueprint)
        if (!tree_get(metadata_of(blueprint), "deletionTimestamp") &&
            !write_blueprint(overview, blueprint, err))
            good = false;
    return good;
}

/* ---- a look ---- */

static void keep(struct overview *overview)
{
    pthread_mutex_lock(&overview->state->lock);
    text_done(&overview->state->metrics);
    coverage_metrics(overview->coverage, &overview->state->metrics);
    pthread_mutex_unlock(&overview->state->lock);
    json_decref(overview->state->workloads);
    overview->state->workloads = TAKE(overview->kept);
}

static bool look(struct overview *overview, struct error *err)
{
    struct known *known = loops_known(overview->loops);

    overview->complete = true;
    overview->settings = loops_settings(overview->loops);
    overview->cluster = known_cluster(known);
    overview->claims = known_all(known, KNOWN_CLAIM);
    overview->configurations = known_all(known, KNOWN_CONFIGURATION);
    overview->problems = loops_problems(overview->loops, &target_loop);
    overview->workloads = json_array();
    overview->kept = json_object();
    add_workloads(overview);
    overview->coverage = coverage_make(&(struct coverage_seen){
        .claims = overview->claims,
        .workloads = overview->workloads,
        .configurations = overview->configurations,
        .settings = overview->settings,
    });
    keep(overview);
    /* until all are known the counts would rise for nothing but that */
    return !overview->complete || !loops_client(overview->loops) || write_blueprints(overview, err);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(overview)
    struct overview overview = {.loops = loops, .state = loops_state(loops, &overview_loop)};
    int64_t now_ms = clock_mono_ms(), next_ms = overview.state->looked_ms + REST_MS;

    (void)key;
    if (overview.state->looked_ms && now_ms < next_ms)
        return next_ms - now_ms;
    overview.state->looked_ms = now_ms;
    if (!look(&overview, err))
        return LOOP_FAILED;
    if (overview.complete)
        return LOOP_RESTS;
    overview.state->looked_ms = 0;
    return READ_REST_MS;
}

/* Pods, sessions and the like change nothing of it. */
static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    bool target = change->kind >= KNOWN_TARGET_FIRST && change->kind <= KNOWN_TARGET_LAST;

    (void)known;
    if (target || change->kind == KNOWN_NAMESPACE || change->kind == KNOWN_BLUEPRINT ||
        change->kind == KNOWN_CONFIGURATION)
        tree_push_text(list, ALL);
}

/* What is wrong with a target stands in the status of its blueprint. */
static void heed(struct loops *loops, const struct loop *other, const char *key, json_t *list)
{
    (void)loops;
    (void)key;
    if (other == &target_loop)
        tree_push_text(list, ALL);
}

/* ---- life ---- */

static void *make(struct loops *loops)
{
    struct state *state = text_alloc(sizeof *state);

    (void)loops;
    *state = (struct state){.workloads = json_object()};
    pthread_mutex_init(&state->lock, NULL);
    return state;
}

static void unmake(void *context)
{
    struct state *state = context;

    text_done(&state->metrics);
    json_decref(state->workloads);
    pthread_mutex_destroy(&state->lock);
    free(state);
}

/* Of the last look; nothing before the first. */
static void metrics(struct loops *loops, struct text *text)
{
    struct state *state = loops_state(loops, &overview_loop);

    pthread_mutex_lock(&state->lock);
    text_puts(text, text_get(&state->metrics));
    pthread_mutex_unlock(&state->lock);
}

const struct loop overview_loop = {
    .name = "overview",
    .make = make,
    .free = unmake,
    .keys = keys,
    .heed = heed,
    .step = step,
    .metrics = metrics,
    .workers = 1,
};
