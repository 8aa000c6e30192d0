#include "controllers/maintenance_loop.h"

#include <stdlib.h>

#include "api/selector.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/tree.h"
#include "controllers/configuration_look.h"
#include "controllers/job_parts.h"
#include "controllers/maintenance_edge.h"
#include "controllers/maintenance_job.h"
#include "controllers/maintenance_next.h"
#include "controllers/maintenance_pods.h"
#include "controllers/repository_lease.h"
#include "controllers/repository_place.h"
#include "controllers/session_loop.h"
#include "controllers/session_read.h"
#include "kube/store.h"

/* Until what was written is known here too, which tells of itself; after somebody was faster. */
#define WRITTEN_MS 2000
#define CONFLICT_MS 200

/* ---- keys ---- */

static void push(json_t *list, char *key_new)
{
    if (key_new)
        tree_push_text(list, key_new);
    free(key_new);
}

static void push_used(const json_t *configuration, json_t *list)
{
    if (configuration)
        push(list, known_reference(configuration, tree_at(configuration, "spec.repository")));
}

/* After a success there is retention; a failure may have met a password that opens nothing. */
static void push_session(struct known *known, const struct informer_change *change, json_t *list)
{
    const char *space = tree_text(tree_get(change->after, "metadata"), "namespace");
    const char *name = tree_text(tree_at(change->after, "spec.invoker"), "name");

    if (!session_has_ended(change->after, false) || session_has_ended(change->before, false) ||
        !space || !name)
        return;

    AUTO(json) json_t *configuration = known_get(known, KNOWN_CONFIGURATION, space, name);

    push_used(configuration, list);
}

static void push_owner(const json_t *job, json_t *list)
{
    const json_t *owner;
    size_t i;

    tree_items (tree_at(job, "metadata.ownerReferences"), i, owner)
        if (span_is(tree_span(owner, "kind"), "Repository"))
            push(list, text_format("%s/%s", tree_text(tree_get(job, "metadata"), "namespace"),
                                   tree_text(owner, "name")));
}

/* Of others in the same place one may wait for who works here. */
static void push_others(struct known *known, const char *key, json_t *list)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;
    AUTO(json) json_t *others = NULL;
    AUTO(json) json_t *repository = NULL;
    const json_t *other;
    size_t i;

    if (configuration_key_split(key, &space, &name))
        repository = known_get(known, KNOWN_REPOSITORY, space, name);
    others = repository_place_others(known, repository);
    tree_items (others, i, other)
        push(list, store_key(other));
}

static void push_lease(struct known *known, const json_t *lease, json_t *list)
{
    const char *key = lease ? repository_lease_of(lease) : NULL;

    if (!key)
        return;
    tree_push_text(list, key);
    push_others(known, key, list);
}

static void keys(struct known *known, const struct informer_change *change, json_t *list)
{
    switch (change->kind) {
    case KNOWN_REPOSITORY:
        if (change->after)
            push(list, store_key(change->after));
        break;
    case KNOWN_CONFIGURATION:
        push_used(change->before, list);
        push_used(change->after, list);
        break;
    case KNOWN_SESSION:
        push_session(known, change, list);
        break;
    case KNOWN_JOB:
        push_owner(change->after ? change->after : change->before, list);
        break;
    case KNOWN_LEASE:
        push_lease(known, change->after ? change->after : change->before, list);
        break;
    default:
        break;
    }
}

/* ---- what is known ---- */

static enum holder_state state_of(void *context, const struct holder *holder)
{
    struct loops *loops = context;
    bool pod = maintenance_is_pod(holder);
    AUTO(json) json_t *all = known_all(loops_known(loops), pod ? KNOWN_POD : KNOWN_LEASE);

    return pod ? maintenance_state_of_pod(all, holder, clock_now_s())
               : maintenance_state_of(all, holder, clock_now_s());
}

static void tell(void *context, const json_t *object, const struct kube_event *event)
{
    loops_tell(context, object, event);
}

struct maintenance_edge maintenance_loop_edge(struct loops *loops, const struct settings *settings,
                                              const json_t *cluster)
{
    return (struct maintenance_edge){
        .client = loops_client(loops),
        .space = loops_space(loops),
        .cluster = tree_text(tree_get(cluster, "metadata"), "uid"),
        .settings = settings,
        .state = state_of,
        .tell = tell,
        .context = loops,
    };
}

/* Owned. */
struct known_here {
    json_t *repository, *configurations, *sessions, *lease, *space, *cluster;
};

static void auto_known_here(struct known_here *here)
{
    json_decref(here->repository);
    json_decref(here->configurations);
    json_decref(here->sessions);
    json_decref(here->lease);
    json_decref(here->space);
    json_decref(here->cluster);
}

/* A configuration that may not use it has no say in what is removed from it. */
static void add_configuration(struct known *known, const json_t *configuration,
                              struct known_here *here)
{
    const char *own = tree_text(tree_get(configuration, "metadata"), "namespace");
    AUTO(json) json_t *object = known_get(known, KNOWN_NAMESPACE, NULL, own ? own : "");
    AUTO(free) char *key = store_key(configuration);
    AUTO(json) json_t *sessions = known_find(known, KNOWN_SESSION, KNOWN_BY_INVOKER, key);

    if (usage_of_repository(here->repository, own ? own : "", object) != USAGE_ALLOWED)
        return;
    tree_push_new(here->configurations, tree_share(configuration));
    json_array_extend(here->sessions, sessions);
}

static bool look(struct known *known, const char *key, struct known_here *here)
{
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;
    AUTO(json) json_t *leases = known_find(known, KNOWN_LEASE, KNOWN_BY_REPOSITORY, key);
    AUTO(json) json_t *all = known_find(known, KNOWN_CONFIGURATION, KNOWN_BY_REPOSITORY, key);
    const json_t *configuration;
    size_t i;

    if (!configuration_key_split(key, &space, &name))
        return false;
    here->repository = known_get(known, KNOWN_REPOSITORY, space, name);
    here->space = known_get(known, KNOWN_NAMESPACE, NULL, space);
    here->cluster = known_get(known, KNOWN_NAMESPACE, NULL, "kube-system");
    here->lease = tree_share(json_array_get(leases, 0));
    here->configurations = json_array();
    here->sessions = json_array();
    if (here->repository)
        tree_items (all, i, configuration)
            add_configuration(known, configuration, here);
    return true;
}

/* ---- the step ---- */

/* Jobs that were made a moment ago are not known yet: for that moment there may be one more. */
static bool is_crowded(struct known *known, const json_t *repository)
{
    AUTO(json) json_t *jobs = known_all(known, KNOWN_JOB);
    const char *own = tree_text(tree_get(repository, "metadata"), "uid");
    const json_t *job;
    size_t i, drills = 0;

    tree_items (jobs, i, job) {
        const char *name = tree_text(tree_get(job, "metadata"), "name");

        drills += name && maintenance_job_kind(name) == MAINTENANCE_VERIFY &&
                  maintenance_run_of(job, NULL) == RUN_GOES_ON &&
                  !tree_item(tree_at(job, "metadata.ownerReferences"), "uid", own ? own : "");
    }
    return drills >= DRILLS_AT_ONCE;
}

/* A Job that has it alone may have been named, and not be made yet. */
static bool sweep_job(struct loops *loops, const char *key, struct holders *holders,
                      struct error *err)
{
    const struct holder *holder = &holders->list[0];
    AUTO(json) json_t *job = NULL;
    AUTO(free) char *space = NULL;
    AUTO(free) char *name = NULL;
    size_t gone;

    if (clock_now_s() - holder->since_s < SESSION_SKEW_S ||
        !configuration_key_split(key, &space, &name))
        return true;
    if (!maintenance_job_get(loops_client(loops), space, holder->pod, &job, err))
        return false;
    return (job && maintenance_run_of(job, NULL) == RUN_GOES_ON) ||
           maintenance_sweep_job(loops_client(loops), space, holders, &gone, err);
}

/* Who works there for another Repository of the same place stands in a ledger of its own. */
static bool is_used(struct loops *loops, const json_t *repository)
{
    AUTO(free) char *key = store_key(repository);
    AUTO(json)
    json_t *leases = known_find(loops_known(loops), KNOWN_LEASE, KNOWN_BY_REPOSITORY, key);
    AUTO(repository_ledger) struct repository_ledger ledger = {0};
    struct error err;

    if (!json_array_size(leases))
        return false;
    if (!repository_ledger_take(json_array_get(leases, 0), &ledger, &err))
        return true; /* nobody can say */
    (void)holders_sweep(ledger.holders, state_of, loops);
    return ledger.holders->count > 0;
}

static bool is_used_beside(struct loops *loops, const json_t *repository)
{
    AUTO(json) json_t *others = repository_place_others(loops_known(loops), repository);
    const json_t *other;
    bool used = false;
    size_t i;

    tree_items (others, i, other)
        used = used || is_used(loops, other);
    return used;
}

/* Of a Repository that is gone nothing is kept but who may still work there. */
static int64_t drop(struct loops *loops, const char *key, const json_t *lease, struct error *err)
{
    AUTO(repository_ledger) struct repository_ledger ledger = {0};

    if (!repository_ledger_take(lease, &ledger, err))
        return LOOP_FAILED;
    if (!ledger.holders->exclusive)
        (void)holders_sweep(ledger.holders, state_of, loops);
    else if (!sweep_job(loops, key, ledger.holders, err))
        return LOOP_FAILED;
    if (ledger.holders->count)
        return MAINTENANCE_LOOK_S * 1000;
    return repository_ledger_drop(loops_client(loops), &ledger, err) ? LOOP_RESTS : LOOP_FAILED;
}

static void blame(struct loops *loops, const char *key, const json_t *repository,
                  const struct maintenance_turn *turn)
{
    const struct kube_event event = {true, "MaintenanceNotPossible", "Maintain", turn->problem};

    if (loops_blame(loops, &maintenance_loop, key, turn->bad ? event.reason : NULL,
                    turn->problem) &&
        turn->bad)
        loops_tell(loops, repository, &event);
}

static int64_t answer_of(struct loops *loops, const struct maintenance_turn *turn, int64_t now_s)
{
    if (turn->let_in)
        session_loop_wake(loops);
    if (turn->wrote)
        return WRITTEN_MS;
    return turn->look_s > now_s ? (turn->look_s - now_s) * 1000 : WRITTEN_MS;
}

static int64_t step(struct loops *loops, const char *key, struct error *err)
{
    AUTO(known_here) struct known_here here = {0};
    AUTO(settings_held) const struct settings *settings = loops_settings(loops);
    int64_t now_s = clock_now_s();
    struct maintenance_turn turn;

    if (!loops_client(loops) || !look(loops_known(loops), key, &here))
        return LOOP_RESTS;
    if (!here.repository)
        return here.lease ? drop(loops, key, here.lease, err) : LOOP_RESTS;

    const struct maintenance_edge edge = maintenance_loop_edge(loops, settings, here.cluster);
    AUTO(json) json_t *first = repository_place_first(loops_known(loops), here.repository);
    const struct maintenance_sight sight = {
        .crowded = is_crowded(loops_known(loops), here.repository),
        .taken = first != NULL,
        .beside = is_used_beside(loops, here.repository),
        .shared = repository_place_is_shared(loops_known(loops), here.repository),
        .key = key,
        .repository = here.repository,
        .lease = here.lease,
        .configurations = here.configurations,
        .sessions = here.sessions,
        .restricted = job_is_restricted(here.space),
        .now_s = now_s,
    };

    if (maintenance_edge_step(&edge, &sight, &turn, err)) {
        blame(loops, key, here.repository, &turn);
        return answer_of(loops, &turn, now_s);
    }
    return err->code == ERROR_CONFLICT ? CONFLICT_MS : LOOP_FAILED;
}

const struct loop maintenance_loop = {
    .name = "maintenance", .keys = keys, .step = step, .workers = 2};
