#include "controllers/catalog_loop.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/catalog_state.h"
#include "controllers/write.h"
#include "kube/catalog.h"

/* Until the kinds themselves may be there. */
#define UNSERVED_MS 60000

struct catalog {
    json_t *intents; /* owned; by key */
    atomic_llong applied;
};

static struct catalog *state_of(struct loops *loops)
{
    return loops_state(loops, &catalog_loop);
}

static char *key_of(const json_t *object)
{
    const char *kind = tree_text(object, "kind");
    const char *name = tree_text(tree_get(object, "metadata"), "name");

    return text_format("%s/%s", kind ? kind : "", name ? name : "");
}

/* A file that is no object of these kinds (a kustomization) is none of the catalog. */
static void take(struct catalog *catalog, const json_t *object)
{
    enum known_kind kind = known_kind_of(object);

    if (kind != KNOWN_FUNCTION && kind != KNOWN_TASK)
        return;

    AUTO(free) char *key = key_of(object);

    tree_put_new(catalog->intents, key, catalog_intent(object));
}

/* What can not be read is said; the rest of the controller works without. */
static void read_all(struct loops *loops, struct catalog *catalog)
{
    AUTO(text) struct text remarks = {0};
    struct error err = {.message = ""};
    const char *folder = loops_functions(loops);
    AUTO(json) json_t *objects = folder ? catalog_read(folder, &remarks, &err) : NULL;
    const json_t *object;
    size_t i;

    if (folder && !objects)
        log_error("no Functions and Tasks", LOG_S("folder", folder), LOG_S("error", err.message));
    tree_items (objects, i, object)
        take(catalog, object);
}

/* What is not there makes no change that would lead to it. */
static void *make(struct loops *loops)
{
    struct catalog *catalog = text_alloc(sizeof *catalog);
    const json_t *intent;
    const char *key;

    catalog->intents = json_object();
    read_all(loops, catalog);
    tree_each (catalog->intents, key, intent)
        loops_wake(loops, &catalog_loop, key, 0);
    return catalog;
}

static void release(void *state)
{
    struct catalog *catalog = state;

    json_decref(catalog->intents);
    free(catalog);
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    (void)known;
    if (change->kind != KNOWN_FUNCTION && change->kind != KNOWN_TASK)
        return;

    AUTO(free) char *key = key_of(change->after ? change->after : change->before);

    tree_push_text(list, key);
}

/* It stays as it is, and that is said once. */
static int64_t leave(struct loops *loops, const char *key, const json_t *found, const char *reason,
                     const char *problem)
{
    struct kube_event event = {true, reason, "Reconcile", problem};

    if (!loops_blame(loops, &catalog_loop, key, reason, problem))
        return LOOP_RESTS;
    log_warn("left as it is", LOG_S("object", key), LOG_S("reason", problem));
    loops_tell(loops, found, &event);
    return LOOP_RESTS;
}

static const char edited[] =
    "somebody changed it: it stays as it is, also with a new release; deleted, it is made anew";
static const char foreign[] =
    "it has the name of one of granary's, and is somebody else's: it is left alone";

/* Without force: what somebody else states is his. */
static int64_t apply(struct loops *loops, const char *key, const json_t *intent,
                     const json_t *found, struct error *err)
{
    enum known_kind kind = known_kind_of(intent);
    struct kube_options how = {.manager = WRITE_MANAGER};
    struct kube_ref ref = {known_resource(kind), NULL,
                           tree_text(tree_get(intent, "metadata"), "name"), NULL};
    AUTO(kube_result) struct kube_result result = {0};
    AUTO(json) json_t *bound = tree_copy(intent);

    if (!loops_client(loops)) {
        loops_show(loops, "apply", intent, "it comes with granary");
        return LOOP_RESTS;
    }
    if (found)
        kube_name_state(json_object_get(bound, "metadata"), found);
    if (kube_apply(loops_client(loops), &ref, bound, &how, &result, err)) {
        state_of(loops)->applied++;
        (void)loops_blame(loops, &catalog_loop, key, NULL, NULL);
        return LOOP_RESTS;
    }
    return found && result.conflict_count > 0 ? leave(loops, key, found, "ChangedByHand", edited)
                                              : LOOP_FAILED;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    const json_t *intent = tree_get(state_of(loops)->intents, key);
    const char *name = tree_text(tree_get(intent, "metadata"), "name");

    if (!intent)
        return LOOP_RESTS;
    if (!known_is_served(loops_known(loops), known_kind_of(intent)))
        return UNSERVED_MS;

    AUTO(json) json_t *found = known_get(loops_known(loops), known_kind_of(intent), NULL, name);

    switch (catalog_state(found, intent)) {
    case CATALOG_ABSENT:
    case CATALOG_OLDER:
        return apply(loops, key, intent, found, err);
    case CATALOG_EDITED:
        return leave(loops, key, found, "ChangedByHand", edited);
    case CATALOG_FOREIGN:
        return leave(loops, key, found, "NotOurs", foreign);
    case CATALOG_CURRENT:
        (void)loops_blame(loops, &catalog_loop, key, NULL, NULL);
        return LOOP_RESTS;
    }
    return LOOP_RESTS;
}

static void metrics(struct loops *loops, struct text *text)
{
    const char *name = "granary_controller_catalog_applied_total";

    text_addf(text,
              "# HELP %s Functions and Tasks of granary that were written.\n# TYPE %s counter\n"
              "%s %lld\n",
              name, name, name, (long long)state_of(loops)->applied);
}

const struct loop catalog_loop = {.name = "catalog",
                                  .make = make,
                                  .free = release,
                                  .keys = keys,
                                  .step = step,
                                  .metrics = metrics,
                                  .workers = 1};
