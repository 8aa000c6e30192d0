#include "controllers/stamp_next.h"

#include <stdio.h>
#include <string.h>

#include "api/keys.h"
#include "api/target.h"
#include "base/auto.h"
#include "base/tree.h"
#include "kube/meta.h"
#include "mutators/workload.h"

#define PER_MINUTE 10

/* Another value than any that a stamp has. */
#define ANY_STAMP "?"

/* ---- what admission would make of it ---- */

/* As an update asks for it that brings nothing but a new stamp. New reference. */
static json_t *stamped_metadata(const struct target *target)
{
    json_t *metadata = json_copy((json_t *)target->metadata), *annotations;
    const json_t *before = tree_member(metadata, "annotations", JSON_OBJECT);

    annotations = before ? json_copy((json_t *)before) : json_object();
    tree_put_text(annotations, KEY_STAMP, ANY_STAMP);
    tree_put_new(metadata, "annotations", annotations);
    return metadata;
}

static json_t *template_after(const struct stamp_seen *seen, const struct target *stored,
                              struct plan *plan)
{
    AUTO(json) json_t *metadata = stamped_metadata(stored);
    struct target target = *stored;
    struct change change = {
        .settings = seen->settings, .cluster = seen->cluster, .target = &target, .stored = stored};
    enum rule rule;

    target.metadata = metadata;
    plan_make(plan, &(struct plan_request){
                        .settings = seen->settings, .cluster = seen->cluster, .target = &target});
    return workload_template(&change, plan, &rule);
}

/* Version and inputs of a mark, without the part that follows from settings too. */
static void mark_of(const json_t *template, char mark[32])
{
    const char *text = tree_text(tree_at(template, "metadata.annotations"), KEY_AGENT);
    const char *end = text ? strrchr(text, '.') : NULL;

    snprintf(mark, 32, "%.*s", end ? (int)(end - text) : 4, end ? text : "none");
}

/* ---- since when there is a reason ---- */

static bool is_later(const json_t *object, int64_t active_s)
{
    int64_t made_s;

    return meta_made(object, &made_s) && made_s >= active_s;
}

static bool any_later(const json_t *objects, int64_t active_s)
{
    const json_t *object;
    size_t i;

    tree_items (objects, i, object)
        if (is_later(object, active_s) &&
            (!span_is(tree_span(object, "kind"), "BackupConfiguration") ||
             configuration_is_hand_made(object)))
            return true;
    return false;
}

static const json_t *blueprint_of(const struct stamp_seen *seen, const struct plan *plan)
{
    for (size_t i = 0; i < plan->backup_count; i++)
        if (plan->backups[i].reason != REASON_CONFIGURATION)
            return cluster_blueprint(seen->cluster, plan->backups[i].origin);
    return NULL;
}

/* The workload itself, or what it is protected by, came when admission was ours already. */
static bool is_ours_to_mend(const struct stamp_seen *seen, const struct target *target,
                            const struct plan *plan)
{
    const json_t *blueprint = blueprint_of(seen, plan);
    const struct target_kind *kind = target->kind;

    if (span_is(tree_span(tree_get(blueprint, "spec"), "existing"), "Restart"))
        return true;
    if (seen->active_s <= 0)
        return false;
    return is_later(seen->workload, seen->active_s) || is_later(blueprint, seen->active_s) ||
           any_later(cluster_configurations_of(seen->cluster, kind->group, kind->kind,
                                               target->space, target->name),
                     seen->active_s) ||
           any_later(cluster_restores_of(seen->cluster, kind->group, kind->kind, target->space,
                                         target->name),
                     seen->active_s);
}

static int64_t rate_of(const json_t *blueprint)
{
    int64_t given = tree_int(tree_at(blueprint, "spec.rollout"), "maxPerMinute", PER_MINUTE);

    return given > 0 ? given : PER_MINUTE;
}

struct stamp_next stamp_next(const struct stamp_seen *seen)
{
    struct stamp_next next = {.verdict = STAMP_RESTS, .per_minute = PER_MINUTE};
    struct target target;
    AUTO(plan) struct plan plan = {0};
    char has[32];

    if (!target_of_object(&target, seen->workload, "default") || !target.template)
        return next;

    AUTO(json) json_t *template = template_after(seen, &target, &plan);

    mark_of(target.template, has);
    mark_of(template, next.cause);
    next.per_minute = rate_of(blueprint_of(seen, &plan));
    if (strcmp(has, next.cause) == 0 || tree_equal(template, target.template))
        return next;
    if (strcmp(has, "none") != 0 || is_ours_to_mend(seen, &target, &plan))
        next.verdict = STAMP_IT;
    else
        next.verdict = STAMP_WAITS;
    return next;
}
