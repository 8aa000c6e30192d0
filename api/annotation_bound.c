#include <stdlib.h>

#include "api/annotation.h"
#include "api/cron.h"
#include "api/keys.h"
#include "base/tree.h"

/* Bounds as they stand in a blueprint; {NULL, 0} is none. */
struct bounds {
    struct span min, max;
};

/* ---- what can be dropped ---- */

static bool has_schedule(const struct annotations *annotations)
{
    return annotations->schedule != NULL;
}

static void drop_schedule(struct annotations *annotations)
{
    free(TAKE(annotations->schedule));
}

static bool has_paths(const struct annotations *annotations)
{
    return annotations->paths || annotations->mounts;
}

static void drop_paths(struct annotations *annotations)
{
    json_decref(TAKE(annotations->paths));
    json_decref(TAKE(annotations->mounts));
}

static bool has_params(const struct annotations *annotations)
{
    return annotations->params != NULL;
}

static void drop_params(struct annotations *annotations)
{
    json_decref(TAKE(annotations->params));
}

static bool has_paused(const struct annotations *annotations)
{
    return annotations->paused;
}

static void drop_paused(struct annotations *annotations)
{
    annotations->paused = false;
}

static bool has_exclude(const struct annotations *annotations)
{
    return annotations->exclude != NULL;
}

static void drop_exclude(struct annotations *annotations)
{
    json_decref(TAKE(annotations->exclude));
}

static bool has_restore(const struct annotations *annotations)
{
    return annotations->restore_if_exists;
}

static void drop_restore(struct annotations *annotations)
{
    annotations->restore_if_exists = false;
}

static bool has_retention(const struct annotations *annotations)
{
    return annotations->has_retention;
}

static void drop_retention(struct annotations *annotations)
{
    annotations->has_retention = false;
}

static bool has_resources(const struct annotations *annotations)
{
    return annotations->has_resources;
}

static void drop_resources(struct annotations *annotations)
{
    annotations->has_resources = false;
}

static bool has_timeout(const struct annotations *annotations)
{
    return annotations->timeout_ns != 0;
}

static void drop_timeout(struct annotations *annotations)
{
    annotations->timeout_ns = 0;
}

static bool has_priority(const struct annotations *annotations)
{
    return annotations->has_priority;
}

static void drop_priority(struct annotations *annotations)
{
    annotations->has_priority = false;
}

static bool has_dump(const struct annotations *annotations)
{
    return annotations->dump_command != NULL;
}

static void drop_dump(struct annotations *annotations)
{
    json_decref(TAKE(annotations->dump_command));
    free(TAKE(annotations->dump_container));
}

/* ---- what can be moved within bounds ---- */

/* Each of these moves a value within bounds and appends to `told` what changed. False:
 * ERROR_INVALID, the bounds can not be read. `annotations` NULL only judges the bounds. */
typedef bool clamp(struct annotations *annotations, const struct bounds *bounds, struct text *told,
                   struct error *err);

static bool wrap_bound(struct error *err, const char *which)
{
    return error_wrap(err, "%s", which);
}

static bool contradictory(struct error *err)
{
    return error_set(err, ERROR_INVALID, "min is above max");
}

static bool clamp_schedule(struct annotations *annotations, const struct bounds *bounds,
                           struct text *told, struct error *err)
{
    int64_t shortest_ns = 0;
    struct cron cron;

    if (bounds->max.data)
        return error_set(err, ERROR_INVALID, "max: a schedule has a min only");
    if (bounds->min.data && !duration_parse(bounds->min, &shortest_ns, err))
        return wrap_bound(err, "min");
    if (shortest_ns < 0)
        return error_set(err, ERROR_INVALID, "min: must not be negative");
    if (!annotations || !cron_parse(&cron, span_of(annotations->schedule), err) ||
        cron_shortest_interval_s(&cron) >= shortest_ns / SECOND_NS)
        return true;
    text_puts(told, "at most one run in ");
    duration_format(told, shortest_ns);
    text_puts(told, ", so its own schedule holds");
    drop_schedule(annotations);
    return true;
}

static bool clamp_retention(struct annotations *annotations, const struct bounds *bounds,
                            struct text *told, struct error *err)
{
    struct retention min, max;
    AUTO(text) struct text unused = {0};

    if (bounds->min.data && !retention_parse(bounds->min, &min, err))
        return wrap_bound(err, "min");
    if (bounds->max.data && !retention_parse(bounds->max, &max, err))
        return wrap_bound(err, "max");
    if (annotations)
        retention_clamp(&annotations->retention, bounds->min.data ? &min : NULL,
                        bounds->max.data ? &max : NULL, told);
    else if (bounds->min.data && bounds->max.data && retention_clamp(&min, NULL, &max, &unused))
        return contradictory(err);
    return true;
}

static bool clamp_resources(struct annotations *annotations, const struct bounds *bounds,
                            struct text *told, struct error *err)
{
    struct resources min, max;
    AUTO(text) struct text unused = {0};

    if (bounds->min.data && !resources_parse(bounds->min, &min, err))
        return wrap_bound(err, "min");
    if (bounds->max.data && !resources_parse(bounds->max, &max, err))
        return wrap_bound(err, "max");
    if (annotations)
        resources_clamp(&annotations->resources, bounds->min.data ? &min : NULL,
                        bounds->max.data ? &max : NULL, told);
    else if (bounds->min.data && bounds->max.data && resources_clamp(&min, NULL, &max, &unused))
        return contradictory(err);
    return true;
}

static bool clamp_priority(struct annotations *annotations, const struct bounds *bounds,
                           struct text *told, struct error *err)
{
    struct priority min, max;
    AUTO(text) struct text unused = {0};

    if (bounds->min.data && !priority_parse(bounds->min, &min, err))
        return wrap_bound(err, "min");
    if (bounds->max.data && !priority_parse(bounds->max, &max, err))
        return wrap_bound(err, "max");
    if (annotations)
        priority_clamp(&annotations->priority, bounds->min.data ? &min : NULL,
                       bounds->max.data ? &max : NULL, told);
    else if (bounds->min.data && bounds->max.data && priority_clamp(&min, NULL, &max, &unused))
        return contradictory(err);
    return true;
}

static bool clamp_timeout(struct annotations *annotations, const struct bounds *bounds,
                          struct text *told, struct error *err)
{
    int64_t min = 0, max = INT64_MAX;

    if (bounds->min.data && !duration_parse(bounds->min, &min, err))
        return wrap_bound(err, "min");
    if (bounds->max.data && !duration_parse(bounds->max, &max, err))
        return wrap_bound(err, "max");
    if (max < SECOND_NS)
        return error_set(err, ERROR_INVALID, "max: less than a second");
    if (min > max)
        return contradictory(err);
    if (!annotations || (annotations->timeout_ns >= min && annotations->timeout_ns <= max))
        return true;

    int64_t before = annotations->timeout_ns;

    annotations->timeout_ns = before < min ? min : max;
    duration_format(told, annotations->timeout_ns);
    text_puts(told, " instead of ");
    duration_format(told, before);
    return true;
}

/* ---- the rules ---- */

static const struct rule {
    const char *key;        /* in overrides */
    const char *annotation; /* where a finding points */
    bool by_default;        /* counts where a blueprint has no overrides */
    bool (*has)(const struct annotations *annotations);
    void (*drop)(struct annotations *annotations);
    clamp *clamp; /* NULL: there is nothing to bound */
} rules[] = {
    {"schedule", KEY_SCHEDULE, true, has_schedule, drop_schedule, clamp_schedule},
    {"paths", KEY_TARGET_PATHS, true, has_paths, drop_paths, NULL},
    {"params", KEY_PARAMS_PREFIX "*", true, has_params, drop_params, NULL},
    {"paused", KEY_PAUSED, true, has_paused, drop_paused, NULL},
    {"exclude", KEY_EXCLUDE, true, has_exclude, drop_exclude, NULL},
    {"restore-if-exists", KEY_RESTORE_IF_EXISTS, true, has_restore, drop_restore, NULL},
    {"retention", KEY_RETENTION, false, has_retention, drop_retention, clamp_retention},
    {"resources", KEY_RESOURCES, false, has_resources, drop_resources, clamp_resources},
    {"timeout", KEY_TIMEOUT, false, has_timeout, drop_timeout, clamp_timeout},
    {"priority", KEY_PRIORITY, false, has_priority, drop_priority, clamp_priority},
    {"dump", KEY_DUMP_COMMAND, false, has_dump, drop_dump, NULL},
};

#define RULES (sizeof rules / sizeof *rules)

const char *const override_keys[] = {
    "schedule",  "paths",     "params",  "paused",   "exclude", "restore-if-exists",
    "retention", "resources", "timeout", "priority", "dump",    NULL};

static bool is_given(const json_t *value)
{
    return value && !json_is_null(value);
}

static void tell(struct findings *findings, const struct rule *rule,
                 const struct annotations *annotations, const char *reason, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void tell(struct findings *findings, const struct rule *rule,
                 const struct annotations *annotations, const char *reason, const char *format, ...)
{
    bool mounts_only = rule->has == has_paths && !annotations->paths;
    AUTO(free)
    char *field =
        text_format("metadata.annotations[%s]", mounts_only ? KEY_VOLUME_MOUNTS : rule->annotation);
    AUTO(text) struct text message = {0};
    va_list args;

    va_start(args, format);
    text_addv(&message, format, args);
    va_end(args);
    findings_add(findings, FINDING_WARNING, reason, field, "%s", text_get(&message));
}

static const char *name_of(const json_t *blueprint)
{
    const char *name = tree_text(tree_get(blueprint, "metadata"), "name");

    return name ? name : "";
}

static void apply(const struct rule *rule, struct annotations *annotations, const json_t *blueprint,
                  const json_t *override, struct findings *findings)
{
    struct bounds bounds = {tree_span(override, "min"), tree_span(override, "max")};
    AUTO(text) struct text told = {0};
    struct error err = {0};

    if (!rule->clamp || (!bounds.min.data && !bounds.max.data))
        return;
    if (!rule->clamp(annotations, &bounds, &told, &err)) {
        tell(findings, rule, annotations, REASON_FORBIDDEN,
             "ignored: the bounds of BackupBlueprint \"%s\" can not be read (%s)",
             name_of(blueprint), err.message);
        rule->drop(annotations);
    } else if (told.length) {
        tell(findings, rule, annotations, REASON_FORBIDDEN, "BackupBlueprint \"%s\" allows: %s",
             name_of(blueprint), text_get(&told));
    }
}

void annotations_bound(struct annotations *annotations, const json_t *blueprint,
                       struct findings *findings)
{
    const json_t *overrides = tree_at(blueprint, "spec.overrides");

    for (const struct rule *rule = rules; rule < rules + RULES; rule++) {
        const json_t *override = tree_item(overrides, "key", rule->key);
        bool allowed = is_given(overrides) ? override != NULL : rule->by_default;

        if (!rule->has(annotations))
            continue;
        if (allowed) {
            apply(rule, annotations, blueprint, override, findings);
            continue;
        }
        tell(findings, rule, annotations, REASON_FORBIDDEN,
             "BackupBlueprint \"%s\" does not let owners set this: it is ignored",
             name_of(blueprint));
        rule->drop(annotations);
    }
}

static const struct rule *find_rule(struct span key)
{
    for (const struct rule *rule = rules; rule < rules + RULES; rule++)
        if (span_is(key, rule->key))
            return rule;
    return NULL;
}

bool override_check(const json_t *override, struct error *err)
{
    struct span key = tree_span(override, "key");
    const struct rule *rule = find_rule(key);
    struct bounds bounds = {tree_span(override, "min"), tree_span(override, "max")};
    AUTO(text) struct text told = {0};

    if (!rule) {
        const char *meant = text_did_you_mean(key, override_keys);

        return error_set(err, ERROR_INVALID, "there is no such key%s%s%s",
                         meant ? ": did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
    }
    if (rule->clamp)
        return rule->clamp(NULL, &bounds, &told, err);
    return (!bounds.min.data && !bounds.max.data) ||
           error_set(err, ERROR_INVALID, "%s has no bounds", rule->key);
}
