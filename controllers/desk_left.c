#include "controllers/desk_left.h"

#include <string.h>

#include "base/auto.h"
#include "base/tree.h"
#include "controllers/desk_parts.h"
#include "controllers/known.h"
#include "controllers/repository_lease.h"
#include "controllers/restore_next.h"
#include "controllers/session_next.h"
#include "controllers/session_read.h"
#include "controllers/target_lease.h"

/* Seconds that a question may take from the agent to here beside its waiting. */
#define ON_ITS_WAY_S 30

static bool is_under_way(const struct session_view *view, const char *uid)
{
    AUTO(json) json_t *backup = view->uid(view->context, VIEW_SESSION, uid);
    AUTO(json) json_t *restore = view->uid(view->context, VIEW_RESTORE, uid);
    const char *phase = tree_text(tree_get(backup ? backup : restore, "status"), "phase");

    if (backup)
        return !session_phase_is_final(session_phase_of(phase));
    return restore && !restore_phase_is_final(restore_phase_of(phase));
}

json_t *desk_left_ledger(const struct session_view *view, const json_t *lease,
                         struct claims *claims)
{
    struct error ignored;
    AUTO(json) json_t *ledger = claims_of_lease(lease, claims, &ignored);

    return ledger && claims->session && *claims->session && !is_under_way(view, claims->session)
               ? TAKE(ledger)
               : NULL;
}

bool desk_is_younger(const struct message_claim *message, int64_t since_s, int64_t now_s)
{
    return now_s - since_s > message->wait_s + ON_ITS_WAY_S;
}

/* True when some claim of his went. */
static bool drop_his(struct claims *claims, const struct agent_caller *caller,
                     const struct message_claim *message, int64_t now_s)
{
    bool dropped = false;

    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = &claims->list[i];

        if (claim->pod && strcmp(claim->pod, caller->pod_uid) == 0 &&
            desk_is_younger(message, claim->since_s, now_s))
            dropped |= claims_drop(claims, claim->host);
    }
    return dropped;
}

/* "namespace/name" of the Repository of a session that is over; NULL: nobody knows any more. */
static char *repository_of(const struct desk *desk, const char *uid)
{
    const struct session_view *view = &desk->plan.view;
    AUTO(json) json_t *backup = view->uid(view->context, VIEW_SESSION, uid);
    AUTO(json) json_t *restore = view->uid(view->context, VIEW_RESTORE, uid);
    AUTO(json) json_t *invoker = desk_invoker_of(desk, backup ? backup : restore, !backup);

    return known_reference(invoker, tree_at(invoker, "spec.repository"));
}

/* He is alive, and has ended what he had: maintenance does not wait for him. */
static bool write_left(const struct desk *desk, const struct agent_caller *caller,
                       const json_t *lease, const struct claims *claims, struct error *err)
{
    const struct desk_plan *plan = &desk->plan;
    AUTO(repository_departure) struct repository_departure departure = {0};

    repository_departure_begin(plan->client, plan->space, repository_of(desk, claims->session),
                               claims->session, caller->pod_uid, &departure);
    if (!target_lease_write(plan->client, lease, claims, err))
        return false;
    repository_departure_end(plan->client, &departure);
    return true;
}

bool desk_let_go(const struct desk *desk, const struct agent_caller *caller,
                 const struct message_claim *message, const struct desk_pod *pod, struct error *err)
{
    const struct desk_plan *plan = &desk->plan;
    AUTO(free) struct claims *claims = NULL;
    AUTO(json) json_t *lease = NULL, *ledger = NULL;

    if (!desk_memory_has_left(desk->memory, &plan->view, caller, message, desk_now_s(desk)))
        return true;
    if (!target_lease_get(plan->client, plan->space, pod->text, &lease, err))
        return false;
    claims = text_alloc(sizeof *claims);
    ledger = desk_left_ledger(&plan->view, lease, claims);
    desk_memory_changed(desk->memory); /* it is looked up anew */
    return !ledger || !drop_his(claims, caller, message, desk_now_s(desk)) ||
           write_left(desk, caller, lease, claims, err);
}
