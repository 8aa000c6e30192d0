#include "controllers/references_loop.h"

#include <stdlib.h>

#include "base/tree.h"
#include "controllers/configuration_look.h"
#include "controllers/references.h"
#include "controllers/status_send.h"
#include "kube/store.h"

/* After somebody else's write. */
#define LATE_MS 200

static void push_named(const json_t *object, json_t *list)
{
    AUTO(free)
    char *key = object ? known_reference(object, tree_at(object, "spec.repository")) : NULL;

    if (key)
        tree_push_text(list, key);
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    (void)known;
    if (change->kind == KNOWN_CONFIGURATION || change->kind == KNOWN_RESTORE) {
        push_named(change->before, list);
        push_named(change->after, list);
    } else if (change->kind == KNOWN_REPOSITORY && change->after) {
        AUTO(free) char *key = store_key(change->after);

        tree_push_text(list, key);
    }
}

static json_t *repository_of(struct known *known, const char *key)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;

    if (!configuration_key_split(key, &space, &name))
        return NULL;
    return known_get(known, KNOWN_REPOSITORY, space, name);
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    struct known *known = loops_known(loops);
    AUTO(json) json_t *repository = repository_of(known, key);
    AUTO(json)
    json_t *configurations = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, key);
    AUTO(json) json_t *restores = known_find(known, KNOWN_RESTORE, KNOWN_BY_REPOSITORY, key);
    AUTO(json)
    json_t *status = references_status(&(struct references_seen){configurations, restores},
                                       tree_get(repository, "status"));

    if (!repository || !loops_client(loops) ||
        tree_get(tree_get(repository, "metadata"), "deletionTimestamp"))
        return LOOP_RESTS;
    switch (status_send(loops_client(loops), known_resource(KNOWN_REPOSITORY), repository, status,
                        err)) {
    case STATUS_SAME:
    case STATUS_SENT:
        return LOOP_RESTS;
    case STATUS_LATE:
        return LATE_MS;
    case STATUS_FAILED:
        break;
    }
    return LOOP_FAILED;
}

const struct loop references_loop = {
    .name = "references", .keys = keys, .step = step, .workers = 1};
