#include "controllers/references_loop.h"

#include <stdlib.h>

#include "api/agent_messages.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_look.h"
#include "controllers/references.h"
#include "controllers/repository_owner.h"
#include "controllers/repository_times.h"
#include "controllers/session_next.h"
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

static bool has_ended(const json_t *session)
{
    return session_phase_is_final(
        session_phase_of(tree_text(tree_get(session, "status"), "phase")));
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    if (change->kind == KNOWN_SESSION && has_ended(change->after) && !has_ended(change->before))
        push_written(known, change->after, list);
    else if (change->kind == KNOWN_CONFIGURATION || change->kind == KNOWN_RESTORE) {
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

static void tell_foreign(struct loops *loops, const json_t *repository, const char *message)
{
    const struct kube_event event = {true, FOREIGN_REPOSITORY, "Backup", message};

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

    if (!repository || !loops_client(loops) ||
        tree_get(tree_get(repository, "metadata"), "deletionTimestamp"))
        return LOOP_RESTS;
    switch (status_send(loops_client(loops), known_resource(KNOWN_REPOSITORY), repository, status,
                        err)) {
    case STATUS_SENT:
        if (foreign)
            tell_foreign(loops, repository, foreign);
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
