#include "mutators/workload.h"

#include "api/keys.h"
#include "base/tree.h"

const char *rule_name(enum rule rule)
{
    static const char *const names[] = {"untouched", "stays", "kept", "planned"};

    return names[rule];
}

static bool absent_or(const json_t *value, json_type type)
{
    return !value || json_is_null(value) || json_typeof(value) == type;
}

static bool list_of_objects(const json_t *value)
{
    const json_t *item;
    size_t i;

    if (!absent_or(value, JSON_ARRAY))
        return false;
    tree_items (value, i, item) {
        if (!json_is_object(item))
            return false;
    }
    return true;
}

const char *workload_misshapen(const json_t *template)
{
    const json_t *spec = tree_get(template, "spec"), *metadata = tree_get(template, "metadata");

    if (!json_is_object(spec))
        return "spec.template.spec is not an object";
    if (json_array_size(tree_get(spec, "containers")) == 0)
        return "spec.template.spec.containers is empty";
    if (!absent_or(metadata, JSON_OBJECT))
        return "spec.template.metadata is not an object";
    if (!absent_or(tree_get(metadata, "annotations"), JSON_OBJECT))
        return "spec.template.metadata.annotations is not an object";
    if (!list_of_objects(tree_get(spec, "containers")))
        return "spec.template.spec.containers is not a list of objects";
    if (!list_of_objects(tree_get(spec, "initContainers")))
        return "spec.template.spec.initContainers is not a list of objects";
    if (!list_of_objects(tree_get(spec, "volumes")))
        return "spec.template.spec.volumes is not a list of objects";
    return NULL;
}

static bool newly_set(const struct change *change, const char *key)
{
    const json_t *now = tree_get(tree_get(change->target->metadata, "annotations"), key);
    const json_t *before = tree_get(tree_get(change->stored->metadata, "annotations"), key);

    return now && !tree_equal(now, before);
}

static bool is_input(const char *key)
{
    static const char *const prefixes[] = {KEY_STASH_PREFIX, KEY_PARAMS_PREFIX, KEY_PREFIX};

    if (!strcmp(key, KEY_STAMP) || !strcmp(key, KEY_REFRESH))
        return false;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static bool inputs_covered(const json_t *annotations, const json_t *others)
{
    const json_t *value;
    const char *key;

    tree_each (annotations, key, value) {
        if (is_input(key) && !tree_equal(value, tree_get(others, key)))
            return false;
    }
    return true;
}

/* Everything else that a plan depends on (cluster, settings, the owner's template) is the same for
 * both objects, so equal annotations mean equal parts without planning twice. */
bool workload_same_annotations(const struct change *change)
{
    const json_t *now = tree_get(change->target->metadata, "annotations");
    const json_t *before = tree_get(change->stored->metadata, "annotations");

    return inputs_covered(now, before) && inputs_covered(before, now);
}

static bool same_part(const struct change *change, const struct plan *plan)
{
    AUTO(plan) struct plan before = {0};

    if (workload_same_annotations(change))
        return true;
    plan_make(&before, &(struct plan_request){.settings = change->settings,
                                              .cluster = change->cluster,
                                              .target = change->stored});
    return plan_same_carry(plan, &before);
}

static bool stays(const struct change *change, const struct plan *plan, bool same_owner)
{
    return same_owner && !newly_set(change, KEY_STAMP) && !newly_set(change, KEY_REFRESH) &&
           same_part(change, plan);
}

static bool is_restore(const json_t *init)
{
    const json_t *arg;
    size_t i;

    tree_items (tree_get(init, "args"), i, arg) {
        struct span text = tree_value(arg);

        if (text.length > 14 && memcmp(text.data, "--session-uid=", 14) == 0)
            return true;
    }
    return false;
}

/* A restore container goes only together with a change of the owner's, and not while its session
 * waits. */
static bool keeps_init(const json_t *before, const struct plan *plan, bool same_owner)
{
    return (same_owner || plan->restore_broken) && template_owner_of(before) == TEMPLATE_OURS &&
           is_restore(tree_named(tree_at(before, "spec.initContainers"), CONTAINER_INIT));
}

/* What is created with our part in it (from an export, by a replace with force) has it as if it had
 * been stored, as far as no plan can say what it should be. */
static const json_t *before_of(const json_t *template, const json_t *stored,
                               const struct plan *plan)
{
    return !stored && (plan->backup_broken || plan->restore_broken) ? template : stored;
}

json_t *workload_template(const struct change *change, const struct plan *plan, enum rule *rule)
{
    const json_t *template = change->target->template;
    const json_t *stored = change->stored ? change->stored->template : NULL;
    bool same_owner = stored && template_same_owner_part(template, stored);

    *rule = RULE_UNTOUCHED;
    if (plan->state == PLAN_FOREIGN || plan->taken)
        return tree_share(template);
    if (stored && stays(change, plan, same_owner)) {
        *rule = RULE_STAYS;
        return tree_share(stored);
    }
    if (plan->state == PLAN_BROKEN) {
        *rule = RULE_KEPT;
        return template_keep(template, stored ? stored : template);
    }

    const json_t *before = before_of(template, stored, plan);

    *rule = RULE_PLANNED;
    return template_inject(plan, change->settings, template, before,
                           before && keeps_init(before, plan, same_owner));
}
