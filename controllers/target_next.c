#include "controllers/target_next.h"

#include <stdlib.h>
#include <string.h>

#include "api/keys.h"
#include "api/names.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))

void target_writes_done(struct target_writes *writes)
{
    for (size_t i = 0; i < writes->count; i++)
        json_decref(writes->list[i].object);
    free(writes->problem);
    *writes = (struct target_writes){0};
}

/* ---- questions ---- */

bool target_has(const json_t *there, const json_t *wanted)
{
    const json_t *value;
    const char *key;
    size_t i;

    if (json_is_object(wanted)) {
        tree_each (wanted, key, value)
            if (!target_has(tree_get(there, key), value))
                return false;
        return json_is_object(there);
    }
    if (!json_is_array(wanted))
        return there && tree_equal(there, wanted);
    if (!json_is_array(there) || json_array_size(there) != json_array_size(wanted))
        return false;
    tree_items (wanted, i, value)
        if (!target_has(json_array_get(there, i), value))
            return false;
    return true;
}

static const char *label_of(const json_t *object)
{
    return tree_text(tree_at(object, "metadata.labels"), LABEL_BLUEPRINT);
}

static const char *target_of(const json_t *object)
{
    return tree_text(tree_at(object, "metadata.annotations"), KEY_TARGET);
}

bool target_is_ours(const json_t *object, const char *target)
{
    const char *named = target_of(object);

    return label_of(object) && named && strcmp(named, target) == 0;
}

static const char *name_of(const json_t *object)
{
    return tree_text(tree_get(object, "metadata"), "name");
}

static const char *space_of(const json_t *object)
{
    return tree_text(tree_get(object, "metadata"), "namespace");
}

static bool is_same(const json_t *a, const json_t *b)
{
    return span_equal(tree_span(tree_get(a, "metadata"), "name"),
                      tree_span(tree_get(b, "metadata"), "name")) &&
           span_equal(tree_span(tree_get(a, "metadata"), "namespace"),
                      tree_span(tree_get(b, "metadata"), "namespace"));
}

/* The owner's reference is one among those of others. */
static bool has_owners(const json_t *there, const json_t *wanted)
{
    const json_t *own, *other;
    size_t i, o;

    tree_items (wanted, i, own) {
        bool found = false;

        tree_items (there, o, other)
            found = found || target_has(other, own);
        if (!found)
            return false;
    }
    return true;
}

static bool is_as_wanted(const json_t *there, const json_t *wanted)
{
    const json_t *metadata = tree_get(wanted, "metadata"), *own = tree_get(there, "metadata");

    return there && target_has(tree_get(there, "spec"), tree_get(wanted, "spec")) &&
           target_has(tree_get(own, "labels"), tree_get(metadata, "labels")) &&
           target_has(tree_get(own, "annotations"), tree_get(metadata, "annotations")) &&
           has_owners(tree_get(own, "ownerReferences"), tree_get(metadata, "ownerReferences"));
}

/* ---- what is wrong ---- */

/* The first counts. */
static void blame(struct target_writes *writes, const char *reason, char *problem)
{
    if (writes->reason) {
        free(problem);
        return;
    }
    writes->reason = reason;
    writes->problem = problem;
}

static const char *reason_of(const char *why)
{
    static const struct {
        const char *why, *reason;
    } rows[] = {
        {"blueprint-missing", "BackupBlueprintNotFound"},
        {"blueprint-invalid", "BackupBlueprintInvalid"},
        {"blueprint-forbidden", "BackupBlueprintForbidden"},
        {"blueprint-unresolved", "BackupBlueprintUnresolved"},
        {"blueprint-unfit", "BackupBlueprintUnfit"},
        {"nothing-to-back-up", "NothingToBackUp"},
        {"dump-invalid", "DumpCommandInvalid"},
        {"name-taken", "NameTaken"},
        {"windows", "WindowsPods"},
        {"too-large", "PodTooLarge"},
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        if (strcmp(rows[i].why, why) == 0)
            return rows[i].reason;
    return "BackupNotPlanned";
}

/* One of several that could not be planned, or what the owner wrote. */
static const char *reason_of_mistake(const struct finding *mistake)
{
    if (strcmp(mistake->reason, REASON_NOT_FOUND) == 0)
        return "BackupBlueprintNotFound";
    return strcmp(mistake->reason, REASON_DUPLICATE) == 0 ? "NameTaken" : "BackupAnnotations";
}

static void blame_plan(const struct plan *plan, struct target_writes *writes)
{
    bool broken = plan->state == PLAN_BROKEN || plan->backup_broken;
    const struct findings *found = plan->mistakes.count ? &plan->mistakes : &plan->cautions;

    if (!broken && plan->mistakes.count == 0)
        return;
    blame(writes, broken ? reason_of(plan->why) : reason_of_mistake(&found->items[0]),
          text_format("%s", found->count ? found->items[0].message : plan->why));
}

/* ---- writes ---- */

static void add(struct target_writes *writes, enum target_act act, const json_t *object,
                const json_t *before, const char *why)
{
    if (writes->count < COUNT(writes->list))
        writes->list[writes->count++] = (struct target_write){act, tree_share(object), before, why};
}

/* Of another target: two whose names come to the same. */
static bool is_taken(const struct target_seen *seen, const json_t *there,
                     struct target_writes *writes)
{
    const char *other = target_of(there);

    if (!there || !other || strcmp(other, seen->target) == 0)
        return false;
    blame(writes, "NameTaken",
          text_format("%s %s/%s belongs to %s, and %s would have the same",
                      tree_text(there, "kind"), space_of(there), name_of(there), other,
                      seen->target));
    return true;
}

static const char *why_of(const json_t *there)
{
    return there ? "it is not as planned" : "it is not there yet";
}

static void add_backup(const struct target_seen *seen, const struct plan_backup *backup,
                       struct target_writes *writes)
{
    const json_t *repository = cluster_repository(seen->cluster, space_of(backup->repository),
                                                  name_of(backup->repository));
    const json_t *configuration = cluster_configuration(
        seen->cluster, space_of(backup->configuration), name_of(backup->configuration));

    if (is_taken(seen, repository, writes) || is_taken(seen, configuration, writes))
        return;
    if (!is_as_wanted(repository, backup->repository))
        add(writes, TARGET_APPLY_REPOSITORY, backup->repository, repository, why_of(repository));
    if (!is_as_wanted(configuration, backup->configuration))
        add(writes, TARGET_APPLY_CONFIGURATION, backup->configuration, configuration,
            why_of(configuration));
}

static bool is_label_of(const char *label, const char *blueprint)
{
    AUTO(free) char *own = name_label_value(blueprint);

    return strcmp(label, own) == 0;
}

/* What its owner still names and nobody could plan. */
static bool is_stuck(const struct target_seen *seen, const char *label)
{
    bool named = false;

    for (const char *const *name = seen->named; name && *name; name++)
        named = named || is_label_of(label, *name);
    for (size_t i = 0; i < seen->plan->backup_count; i++)
        if (seen->plan->backups[i].configuration &&
            is_label_of(label, seen->plan->backups[i].origin))
            return false;
    return named;
}

static bool is_planned(const struct plan *plan, const json_t *configuration)
{
    for (size_t i = 0; i < plan->backup_count; i++)
        if (is_same(plan->backups[i].configuration, configuration))
            return true;
    return false;
}

/* Why a configuration of ours has no reason any more; NULL: it has, or nobody knows. */
static const char *goes_since(const struct target_seen *seen, const json_t *configuration)
{
    const struct plan *plan = seen->plan;

    if (!plan)
        return "its target is gone";
    if (plan->state == PLAN_FOREIGN || plan->state == PLAN_BROKEN || plan->backup_broken ||
        is_planned(plan, configuration) || is_stuck(seen, label_of(configuration)))
        return NULL;
    return plan->state == PLAN_NONE ? "nothing asks for this backup any more"
                                    : "another one is in its place";
}

static void add_removals(const struct target_seen *seen, struct target_writes *writes)
{
    const json_t *configuration;
    size_t i;

    tree_items (seen->configurations, i, configuration) {
        const char *why;

        if (!target_is_ours(configuration, seen->target) ||
            tree_at(configuration, "metadata.deletionTimestamp"))
            continue;
        why = goes_since(seen, configuration);
        if (why)
            add(writes, TARGET_DELETE_CONFIGURATION, configuration, NULL, why);
    }
}

void target_next(const struct target_seen *seen, struct target_writes *writes)
{
    const struct plan *plan = seen->plan;

    for (size_t i = 0; plan && i < plan->backup_count; i++)
        if (plan->backups[i].repository && plan->backups[i].configuration)
            add_backup(seen, &plan->backups[i], writes);
    if (plan)
        blame_plan(plan, writes);
    add_removals(seen, writes);
}
