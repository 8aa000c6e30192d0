#include "controllers/references_loop.h"

#include <stdlib.h>

#include "api/agent_messages.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_look.h"
#include "controllers/references.h"
#include "controllers/repository_owner.h"
#include "controllers/repository_place.h"
#include "controllers/repository_times.h"
#include "controllers/session_read.h"
#include "controllers/status_send.h"
#include "kube/store.h"

/* After somebody else's write. */
#define LATE_MS 200

static json_t *repository_of(struct known *known, const char *key)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;

    if (!configuration_key_split(key, &space, &name))
        return NULL;
    return known_get(known, KNOWN_REPOSITORY, space, name);
}

static void push_named(const json_t *object, json_t *list)
{
    AUTO(free)
    char *key = object ? known_reference(object, tree_at(object, "spec.repository")) : NULL;

    if (key)
        tree_push_text(list, key);
}

/* What a session writes to. */
static void push_written(struct known *known, const json_t *session, json_t *list)
{
    const char *space = tree_text(tree_get(session, "metadata"), "namespace");
    const char *name = tree_text(tree_at(session, "spec.invoker"), "name");
    AUTO(json)
    json_t *configuration =
        space && name ? known_get(known, KNOWN_CONFIGURATION, space, name) : NULL;

    push_named(configuration, list);
}

static void push_key(const json_t *repository, json_t *list)
{
    AUTO(free) char *key = repository ? store_key(repository) : NULL;

    if (key)
        tree_push_text(list, key);
}

/* Which of them is the first one may have changed. */
static void push_others(struct known *known, const json_t *repository, json_t *list)
{
    AUTO(json) json_t *others = repository_place_others(known, repository);
    const json_t *other;
    size_t i;

    tree_items (others, i, other)
        push_key(other, list);
}

/* Whether a Repository is written to at all, too. */
static void push_neighbours(struct known *known, const json_t *object, json_t *list)
{
    AUTO(free)
    char *key = object ? known_reference(object, tree_at(object, "spec.repository")) : NULL;
    AUTO(json) json_t *repository = key ? repository_of(known, key) : NULL;

    if (repository)
        push_others(known, repository, list);
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    if (change->kind == KNOWN_SESSION && session_has_ended(change->after, false) &&
        !session_has_ended(change->before, false))
        push_written(known, change->after, list);
    else if (change->kind == KNOWN_CONFIGURATION || change->kind == KNOWN_RESTORE) {
        push_named(change->before, list);
        push_named(change->after, list);
        push_neighbours(known, change->before, list);
        push_neighbours(known, change->after, list);
    } else if (change->kind == KNOWN_REPOSITORY) {
        push_key(change->after, list);
        push_others(known, change->after ? change->after : change->before, list);
    }
}

/* Those of all configurations that write to it. New list. */
static json_t *sessions_of(struct known *known, const json_t *configurations)
{
    json_t *all = json_array();
    const json_t *configuration;
    size_t i;

    tree_items (configurations, i, configuration) {
        AUTO(free) char *key = store_key(configuration);
        AUTO(json) json_t *some = known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key);

        json_array_extend(all, some);
    }
    return all;
}

static void tell(struct loops *loops, const json_t *repository, const char *reason,
                 const char *message)
{
    const struct kube_event event = {true, reason, "Backup", message};

    loops_tell(loops, repository, &event);
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
    AUTO(json) json_t *sessions = sessions_of(known, configurations);

    repository_times_put(status, sessions);

    const char *foreign = repository_owner_put(status, sessions, clock_now_s());
    AUTO(json) json_t *first = repository ? repository_place_first(known, repository) : NULL;
    AUTO(free) char *taken = repository_place_put(status, repository, first, clock_now_s());

    if (!repository || !loops_client(loops) ||
        tree_get(tree_get(repository, "metadata"), "deletionTimestamp"))
        return LOOP_RESTS;
    switch (status_send(loops_client(loops), known_resource(KNOWN_REPOSITORY), repository, status,
                        err)) {
    case STATUS_SENT:
        if (foreign)
            tell(loops, repository, FOREIGN_REPOSITORY, foreign);
        if (taken)
            tell(loops, repository, "LocationTaken", taken);
        return LOOP_RESTS;
    case STATUS_SAME:
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
