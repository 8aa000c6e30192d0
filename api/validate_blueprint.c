#include "api/duration.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* ---- overrides ---- */

/* What owners may be allowed to set, and whether that can be bounded. */
static const struct {
    const char *key;
    bool bounds;
} override_keys[] = {
    {"schedule", true},      {"retention", true},
    {"resources", true},     {"timeout", true},
    {"priority", true},      {"paths", false},
    {"params", false},       {"paused", false},
    {"exclude", false},      {"restore-if-exists", false},
    {"dump-command", false}, {"dump-container", false},
};

#define OVERRIDE_KEYS (sizeof override_keys / sizeof *override_keys)

static size_t override_index(struct span key)
{
    size_t i = 0;

    while (i < OVERRIDE_KEYS && !span_is(key, override_keys[i].key))
        i++;
    return i;
}

static void key_fault(struct judge *judge, struct span key)
{
    const char *names[OVERRIDE_KEYS + 1] = {0};
    AUTO(text) struct text list = {0};

    for (size_t i = 0; i < OVERRIDE_KEYS; i++) {
        names[i] = override_keys[i].key;
        text_addf(&list, "%s%s", i ? ", " : "", names[i]);
    }

    const char *meant = text_did_you_mean(key, names);

    if (meant)
        judge_error(judge, REASON_NOT_SUPPORTED, "key", "unknown key, did you mean \"%s\"?", meant);
    else
        judge_error(judge, REASON_NOT_SUPPORTED, "key", "unknown key, expected one of %s",
                    text_get(&list));
}

/* A bound of the schedule is the shortest interval: `min` alone, a duration. */
static void judge_interval(struct judge *judge, const json_t *object)
{
    struct span min = tree_span(object, "min");
    struct error err = {0};
    int64_t ns;

    if (judge_get(object, "max"))
        judge_error(judge, REASON_FORBIDDEN, "max",
                    "a schedule has only min, the shortest time between two backups");
    if (min.length && !duration_parse_days(min, &ns, &err))
        judge_error(judge, REASON_INVALID, "min", "%s", err.message);
}

static void also_override(struct judge *judge, const json_t *object)
{
    static const char *const bounds[] = {"min", "max", NULL};
    struct span key = tree_span(object, "key");
    size_t index = override_index(key);

    if (!key.length)
        return;
    if (index == OVERRIDE_KEYS) {
        key_fault(judge, key);
        return;
    }
    for (size_t i = 0; bounds[i] && !override_keys[index].bounds; i++)
        if (judge_get(object, bounds[i]))
            judge_error(judge, REASON_FORBIDDEN, bounds[i], "%s can not be bounded",
                        override_keys[index].key);
    if (span_is(key, "schedule"))
        judge_interval(judge, object);
}

static const struct member override_members[] = {
    {"key", STRING, REQUIRED},
    {"min", STRING},
    {"max", STRING},
};

static const struct schema override = {MEMBERS(override_members), .also = also_override};

/* ---- BackupBlueprint ---- */

static const struct member rollout_members[] = {
    {"maxPerMinute", INTEGER, FROM(1)},
};

static const struct schema rollout = {MEMBERS(rollout_members)};

static bool names_target(const json_t *text)
{
    struct span span = tree_value(text);

    return span.length && memmem(span.data, span.length, "${TARGET_", 9);
}

static bool varies(const json_t *settings)
{
    const json_t *value;
    const char *member;

    tree_each (settings, member, value)
        if (names_target(value))
            return true;
    return !json_is_object(settings);
}

/* A location that is the same for every target mixes their backups. */
static void judge_location(struct judge *judge, const json_t *backend)
{
    const json_t *settings;
    const char *name;

    tree_each (backend, name, settings)
        if (!varies(settings))
            judge_warning(judge, REASON_INVALID, "backend",
                          "without a variable such as ${TARGET_NAME} in the prefix, all targets "
                          "share one place");
}

static void also_blueprint(struct judge *judge, const json_t *spec)
{
    if (!tree_span(spec, "schedule").length)
        judge_warning(judge, REASON_REQUIRED, "schedule",
                      "without it, each target must name its own schedule");
    judge_location(judge, judge_get(spec, "backend"));
}

static const char *const enforcements[] = {"Warn", "Deny", NULL};
static const char *const existing[] = {"Wait", "Restart", NULL};

static const struct member blueprint_members[] = {
    {"backupNamespace", STRING, .check = syntax_label},
    {"repoNamespace", STRING, .check = syntax_label},
    {"schedule", STRING, .check = syntax_schedule},
    {"task", OBJECT, .of = &task_ref_schema},
    {"retentionPolicy", OBJECT, REQUIRED, .of = &retention_schema,
     .hint = "which snapshots are kept"},
    {"runtimeSettings", OBJECT, .of = &runtime_settings_schema},
    {"tempDir", OBJECT, .of = &temp_dir_schema},
    {"interimVolumeTemplate", OBJECT, .of = &claim_template_schema},
    {"hooks", OBJECT, .of = &backup_hooks_schema},
    {"backupHistoryLimit", INTEGER, FROM(0)},
    {"timeOut", STRING, .check = syntax_duration_positive},
    {"retryConfig", OBJECT, .of = &retry_schema},
    {"overrides", OBJECT, LIST | UNIQUE, .of = &override, .key = "key", .at_most = OVERRIDE_KEYS},
    {"allowedNamespaces", OBJECT, .of = &usage_schema},
    {"enforcement", STRING, .words = enforcements},
    {"existing", STRING, .words = existing},
    {"rollout", OBJECT, .of = &rollout},
    {"mode", STRING, .words = modes},
    {"fileAccess", STRING, .words = file_accesses},
    {"guard", OBJECT, .of = &guard_schema},
    {"verify", OBJECT, .of = &verify_schema},
    {"jitter", STRING, .check = syntax_duration},
};

const struct schema blueprint_schema = {MEMBERS(blueprint_members), .inlined = &repository_schema,
                                        .variables = true, .also = also_blueprint};
