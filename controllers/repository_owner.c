#include "controllers/repository_owner.h"

#include "base/tree.h"
#include "controllers/condition.h"
#include "controllers/session_status.h"
#include "controllers/status_parts.h"

static const json_t *conditions_of(const json_t *session)
{
    return tree_at(session, "status.conditions");
}

/* The one that was told last; sessions of one second say the same, or the next one does. */
static const json_t *newest(const json_t *sessions)
{
    const json_t *session, *found = NULL;
    int64_t last_s = -1;
    size_t i;

    tree_items (sessions, i, session) {
        int64_t since_s = condition_since_s(conditions_of(session), BACKEND_OWNED);

        if (since_s > last_s) {
            last_s = since_s;
            found = session;
        }
    }
    return found;
}

const char *repository_owner_put(json_t *status, const json_t *sessions, int64_t now_s)
{
    const json_t *said = conditions_of(newest(sessions));
    const struct condition owned = {BACKEND_OWNED, condition_status(said, BACKEND_OWNED),
                                    condition_reason(said, BACKEND_OWNED),
                                    condition_message(said, BACKEND_OWNED)};

    if (owned.status == CONDITION_ABSENT ||
        !condition_set(status_conditions(status), &owned, now_s))
        return NULL;
    return owned.status == CONDITION_FALSE ? owned.message : NULL;
}
