#include "controllers/followed.h"

#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/maintenance_next.h"
#include "controllers/maintenance_read.h"
#include "controllers/maintenance_status.h"
#include "controllers/status_parts.h"

/* One look at a session. */
struct view {
    const struct followed *followed;
    const json_t *conditions; /* of the Repository */
    struct maintenance past;
    int64_t ended_s;
};

static bool is_overdue(const struct view *view)
{
    return view->followed->now_s - view->ended_s >= FOLLOWED_PATIENCE_S;
}

/* ---- what there is to say; ABSENT: nothing yet ---- */

static struct condition applied(const struct view *view, enum condition_status status,
                                const char *reason, const char *message)
{
    (void)view;
    return (struct condition){maintenance_condition(MAINTENANCE_FORGET), status, reason, message};
}

static struct condition retention_failed(const struct view *view)
{
    const char *type = maintenance_condition(MAINTENANCE_FORGET);

    return applied(view, CONDITION_FALSE, maintenance_failed_word(MAINTENANCE_FORGET),
                   condition_message(view->conditions, type));
}

static struct condition retention_waits(const struct view *view)
{
    const struct followed *followed = view->followed;

    if (followed->bad)
        return applied(view, CONDITION_UNKNOWN, "MaintenanceNotPossible", followed->problem);
    if (!is_overdue(view))
        return applied(view, CONDITION_ABSENT, NULL, NULL);
    return applied(view, CONDITION_UNKNOWN, "RetentionPolicyWaits",
                   *followed->problem ? followed->problem
                                      : "others work on the repository: see the Repository");
}

static struct condition retention_of(const struct view *view)
{
    const struct maintenance_past *past = &view->past.past[MAINTENANCE_FORGET];
    const json_t *policy = view->followed->policy;

    if (!maintenance_has_rules(policy))
        return applied(view, CONDITION_TRUE, "RetentionPolicyKeepsAll",
                       "retentionPolicy has no rule that keeps anything: nothing is removed");
    if (past->succeeded_s >= view->ended_s)
        return applied(view, CONDITION_TRUE, maintenance_done_word(MAINTENANCE_FORGET),
                       tree_true(policy, "dryRun") ? "dryRun: nothing was removed" : NULL);
    if (view->past.damaged)
        return applied(view, CONDITION_FALSE, "RepositoryDamaged",
                       "nothing is removed until a check or a drill finds the damage gone");
    if (past->failures > 0 && past->failed_s >= view->ended_s)
        return retention_failed(view);
    return retention_waits(view);
}

/* As the last check found it: there is one a day, not one for each session. */
static struct condition integrity_of(const struct view *view, char **message)
{
    const char *type = maintenance_condition(MAINTENANCE_CHECK);
    const enum condition_status status = condition_status(view->conditions, type);
    char when[CONDITION_TIME_BYTES];

    condition_time(view->past.past[MAINTENANCE_CHECK].succeeded_s, when);
    *message = status == CONDITION_TRUE
                   ? text_format("as of the check of %s", when)
                   : text_format("%s", condition_message(view->conditions, type));
    return (struct condition){type, status, condition_reason(view->conditions, type), *message};
}

/* ---- what is written ---- */

/* What is known stays; what is tried again and again is not told again and again. */
static bool is_news(const json_t *conditions, const struct condition *condition)
{
    static const int ranks[] = {[CONDITION_ABSENT] = 0,
                                [CONDITION_UNKNOWN] = 1,
                                [CONDITION_FALSE] = 2,
                                [CONDITION_TRUE] = 3};

    return ranks[condition->status] > ranks[condition_status(conditions, condition->type)];
}

static json_t *with(const struct view *view, const struct condition *list, size_t count)
{
    const json_t *status = tree_get(view->followed->session, "status");
    json_t *made = NULL;

    for (size_t i = 0; i < count; i++) {
        if (!is_news(tree_get(status, "conditions"), &list[i]))
            continue;
        if (!made)
            made = tree_copy(status);
        (void)condition_set(status_conditions(made), &list[i], view->followed->now_s);
    }
    return made;
}

/* Both at once, if they can be. */
static json_t *say(const struct view *view)
{
    AUTO(free) char *message = NULL;
    const struct condition list[] = {retention_of(view), integrity_of(view, &message)};
    bool decided = list[0].status == CONDITION_TRUE || list[0].status == CONDITION_FALSE;

    if (is_overdue(view) || (decided && view->followed->rests))
        return with(view, list, sizeof list / sizeof *list);
    return view->followed->bad ? with(view, list, 1) : NULL;
}

json_t *followed_status(const struct followed *followed, int64_t *look_s)
{
    const json_t *status = tree_get(followed->repository, "status");
    struct view view = {.followed = followed,
                        .conditions = tree_get(status, "conditions"),
                        .ended_s = maintenance_session_end(followed->session)};

    if (!view.ended_s || followed->now_s - view.ended_s >= FOLLOWED_MAX_S)
        return NULL;
    maintenance_status_read(status, &view.past);

    json_t *made = say(&view);

    if (!made && !is_overdue(&view) && view.ended_s + FOLLOWED_PATIENCE_S < *look_s)
        *look_s = view.ended_s + FOLLOWED_PATIENCE_S;
    return made;
}
