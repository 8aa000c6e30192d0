#include "cli/covering.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/plan.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/coverage.h"

static const char *const words[COVERS] = {"Unprotected", "Excluded", "Protected"};

/* One claim under way. Borrowed. */
struct row {
    const struct covering_seen *seen;
    const json_t *claim;
    const json_t *users; /* workloads */
};

static const json_t *metadata_of(const json_t *object)
{
    return tree_get(object, "metadata");
}

static const char *name_of(const json_t *object)
{
    const char *name = tree_text(metadata_of(object), "name");

    return name ? name : "";
}

static const char *kind_of(const json_t *object)
{
    const char *kind = tree_text(object, "kind");

    return kind ? kind : "";
}

/* ---- who uses it ---- */

/* The Deployment is told, not its ReplicaSets. New list. */
static json_t *without_foreign(const json_t *workloads)
{
    json_t *own = json_array();
    const json_t *workload;
    size_t i;

    tree_items (workloads, i, workload)
        if (!target_is_foreign(workload))
            tree_push_new(own, tree_share(workload));
    return own;
}

/* Of each claim, in their order, a list of workloads. */
static json_t *users_of_all(const json_t *workloads, const struct coverage *coverage)
{
    json_t *all = json_array();
    const json_t *workload, *place;
    size_t count, i, k;

    (void)coverage_claims(coverage, &count);
    for (i = 0; i < count; i++)
        tree_push_new(all, json_array());
    tree_items (workloads, i, workload) {
        AUTO(json) json_t *places = coverage_places(coverage, workload);

        tree_items (places, k, place)
            tree_push_new(json_array_get(all, (size_t)json_integer_value(place)),
                          tree_share(workload));
    }
    return all;
}

static json_t *users_told(const json_t *users)
{
    json_t *list = json_array();
    const json_t *user;
    size_t i;

    tree_items (users, i, user) {
        json_t *told = json_object();

        tree_put_text(told, "kind", kind_of(user));
        tree_put_text(told, "name", name_of(user));
        tree_push_new(list, told);
    }
    return list;
}

/* ---- why nobody backs it up ---- */

static const char *said_in(const struct plan *plan)
{
    if (plan->mistakes.count > 0)
        return plan->mistakes.items[0].message;
    return plan->cautions.count > 0 ? plan->cautions.items[0].message : plan->why;
}

/* Why a backup that was asked for is not there. NULL: nobody asked. */
static char *plan_told(const struct row *row, const json_t *object, bool bare)
{
    AUTO(plan) struct plan plan = {0};
    struct target target;

    if (!row->seen->cluster || !target_of_object(&target, object, "default"))
        return NULL;
    plan_make(&plan, &(struct plan_request){.settings = row->seen->settings,
                                            .cluster = row->seen->cluster,
                                            .target = &target,
                                            .bare = bare});
    if (plan.state == PLAN_BROKEN)
        return text_format("asked for by %s %s, but: %s", kind_of(object), name_of(object),
                           said_in(&plan));
    if (plan.state != PLAN_MADE)
        return NULL;
    return text_format("asked for by %s %s, and no BackupConfiguration is there yet: does the "
                       "controller run? `kubectl -n granary-system get deployment`",
                       kind_of(object), name_of(object));
}

static char *nobody(const struct row *row)
{
    const json_t *first = json_array_size(row->users) ? json_array_get(row->users, 0) : row->claim;

    return text_format("nobody asks for it; annotation " KEY_BLUEPRINT " of %s %s does, " KEY_BACKUP
                       "=false says that this is meant",
                       kind_of(first), name_of(first));
}

static char *reason_of(const struct row *row, const struct covered *covered)
{
    const json_t *user;
    char *reason;
    size_t i;

    if (covered->by)
        return text_format("%s; `kubectl granary status` says why", covered->by);
    tree_items (row->users, i, user) {
        reason = plan_told(row, user, false);
        if (reason)
            return reason;
    }
    reason = plan_told(row, row->claim, json_array_size(row->users) == 0);
    return reason ? reason : nobody(row);
}

/* ---- rows ---- */

static json_t *row_made(const struct row *row, const struct covered *covered)
{
    const json_t *spec = tree_get(row->claim, "spec");
    json_t *made = json_object();

    tree_put_text(made, "namespace", covered->space);
    tree_put_text(made, "claim", covered->name);
    tree_put_text(made, "state", words[covered->cover]);
    if (covered->cover == COVER_NONE) {
        AUTO(free) char *reason = reason_of(row, covered);

        tree_put_text(made, "reason", reason);
    } else {
        tree_put_text(made, "by", covered->by);
    }
    if (json_array_size(row->users) > 0)
        tree_put_new(made, "usedBy", users_told(row->users));
    tree_put_text(made, "size", tree_text(tree_at(spec, "resources.requests"), "storage"));
    tree_put_text(made, "class", tree_text(spec, "storageClassName"));
    return made;
}

json_t *covering_make(const struct covering_seen *seen)
{
    AUTO(json) json_t *workloads = without_foreign(seen->workloads);
    struct coverage *coverage =
        coverage_make(&(struct coverage_seen){.claims = seen->claims,
                                              .workloads = workloads,
                                              .configurations = seen->configurations,
                                              .settings = seen->settings});
    AUTO(json) json_t *users = users_of_all(workloads, coverage);
    json_t *rows = json_array();
    size_t count, i;
    const struct covered *covered = coverage_claims(coverage, &count);

    for (i = 0; i < count; i++) {
        const struct row row = {seen, covered[i].object, json_array_get(users, i)};

        tree_push_new(rows, row_made(&row, &covered[i]));
    }
    coverage_free(coverage);
    return rows;
}

size_t covering_count(const json_t *rows, const char *state)
{
    const json_t *row;
    size_t i, count = 0;

    tree_items (rows, i, row)
        count += span_is(tree_span(row, "state"), state);
    return count;
}
