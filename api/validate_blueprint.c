#include "api/annotation.h"
#include "api/substitute.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/tree.h"

/* ---- overrides ---- */

static void also_override(struct judge *judge, const json_t *object)
{
    struct error err = {0};

    if (tree_span(object, "key").length && !override_check(object, &err))
        judge_error(judge, REASON_INVALID, NULL, "%s", err.message);
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

/* Strings that no target could resolve. */
static void judge_variables(struct judge *judge, const json_t *spec)
{
    AUTO(findings) struct findings found = {0};

    substitute_check(spec, "spec", &found);
    judge_take(judge, &found);
}

static void also_blueprint(struct judge *judge, const json_t *spec)
{
    if (!tree_span(spec, "schedule").length)
        judge_warning(judge, REASON_REQUIRED, "schedule",
                      "without it, each target must name its own schedule");
    judge_location(judge, judge_get(spec, "backend"));
    judge_variables(judge, spec);
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
    {"overrides", OBJECT, LIST | UNIQUE, .of = &override, .key = "key"},
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
