#include "api/agent_messages.h"

#include <stddef.h>
#include <string.h>

#include "api/syntax.h"

#define NUMBER_MAX INT64_C(9007199254740991) /* what every reader of JSON takes: 2^53 - 1 */
#define INSTANCE_CHARS 32
#define SNAPSHOT_CHARS 64

/* One row each; `of` the struct S, its member M. */
#define TEXT(S, M, json, bytes, judge)                                                             \
    {                                                                                              \
        .name = (json), .type = MESSAGE_TEXT, .at = offsetof(S, M), .high = (bytes),               \
        .check = (judge)                                                                           \
    }
#define MUST_TEXT(S, M, json, bytes, judge)                                                        \
    {                                                                                              \
        .name = (json), .type = MESSAGE_TEXT, .required = true, .at = offsetof(S, M),              \
        .high = (bytes), .check = (judge)                                                          \
    }
#define COUNT(S, M, json, from, to, absent)                                                        \
    {                                                                                              \
        .name = (json), .type = MESSAGE_COUNT, .at = offsetof(S, M), .low = (from), .high = (to),  \
        .otherwise = (absent)                                                                      \
    }
#define MUST_COUNT(S, M, json, from, to)                                                           \
    {                                                                                              \
        .name = (json), .type = MESSAGE_COUNT, .required = true, .at = offsetof(S, M),             \
        .low = (from), .high = (to)                                                                \
    }
#define FLAG(S, M, json, must)                                                                     \
    {                                                                                              \
        .name = (json), .type = MESSAGE_FLAG, .required = (must), .at = offsetof(S, M)             \
    }
#define WORD(S, M, json, must, list)                                                               \
    {                                                                                              \
        .name = (json), .type = MESSAGE_WORD, .required = (must), .at = offsetof(S, M),            \
        .words = (list)                                                                            \
    }
#define TREE(S, M, json)                                                                           \
    {                                                                                              \
        .name = (json), .type = MESSAGE_TREE, .at = offsetof(S, M)                                 \
    }
#define TEXTS(S, M, counter, json, limit, bytes, judge)                                            \
    {                                                                                              \
        .name = (json), .type = MESSAGE_TEXTS, .at = offsetof(S, M),                               \
        .count_at = offsetof(S, counter), .max = (limit), .high = (bytes), .check = (judge)        \
    }
#define MUST_PART(S, M, json, shape)                                                               \
    {                                                                                              \
        .name = (json), .type = MESSAGE_PART, .required = true, .at = offsetof(S, M),              \
        .of = &(shape)                                                                             \
    }
#define PART(S, M, flag, json, shape)                                                              \
    {                                                                                              \
        .name = (json), .type = MESSAGE_PART, .at = offsetof(S, M), .count_at = offsetof(S, flag), \
        .of = &(shape)                                                                             \
    }
#define PARTS(S, M, counter, json, limit, shape)                                                   \
    {                                                                                              \
        .name = (json), .type = MESSAGE_PARTS, .at = offsetof(S, M),                               \
        .count_at = offsetof(S, counter), .max = (limit), .of = &(shape)                           \
    }

static const char *const roles[] = {"sidecar", "init", "job", NULL};
static const char *const kinds[] = {"backup", "restore", "stream", NULL};
static const char *const stages[] = {"HookBefore", "Initialize", "Work", "HookAfter", NULL};
static const char *const outcomes[] = {"Succeeded", "Failed", NULL};
static const char *const hook_results[] = {"NotAsked", "Succeeded", "Failed", "SkippedByPolicy",
                                           NULL};
static const char *const exec_states[] = {"NotRun", "Running", "Succeeded", "Failed", NULL};
static const char *const policies[] = {"Always", "OnSuccess", "OnFailure", "OnFinalRetryFailure",
                                       NULL};

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool hex_of(struct span text, size_t length, struct error *err)
{
    bool good = text.length == length;

    for (size_t i = 0; good && i < length; i++)
        good = is_hex(text.data[i]);
    return good || error_set(err, ERROR_INVALID, "expected %zu hex digits", length);
}

static bool instance(struct span text, struct error *err)
{
    return hex_of(text, INSTANCE_CHARS, err);
}

static bool snapshot_id(struct span text, struct error *err)
{
    return hex_of(text, SNAPSHOT_CHARS, err);
}

/* A word that may stand in logs and metrics. */
static bool word(struct span text, struct error *err)
{
    bool good = text.length > 0;

    for (size_t i = 0; good && i < text.length; i++) {
        char c = text.data[i];

        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    }
    return good || error_set(err, ERROR_INVALID, "expected letters and digits");
}

static bool version(struct span text, struct error *err)
{
    return text.length ? syntax_line(text, err) : error_set(err, ERROR_INVALID, "expected a text");
}

static bool some(struct span text, struct error *err)
{
    return text.length ? true : error_set(err, ERROR_INVALID, "expected a text");
}

static const struct message_field session_fields[] = {
    MUST_TEXT(struct message_session, space, "namespace", NAME_MAX_CHARS, syntax_label),
    MUST_TEXT(struct message_session, name, "name", OBJECT_NAME_MAX_CHARS, syntax_subdomain),
    MUST_TEXT(struct message_session, uid, "uid", SYNTAX_UID_CHARS, syntax_uid),
};
static const struct message_shape session_shape =
    MESSAGE_SHAPE(struct message_session, session_fields, NULL);

static const struct message_field trigger_fields[] = {
    MUST_TEXT(struct message_trigger, agent_version, "agentVersion", 64, version),
};
const struct message_shape message_trigger_shape =
    MESSAGE_SHAPE(struct message_trigger, trigger_fields, NULL);

static const struct message_field triggered_fields[] = {
    MUST_PART(struct message_triggered, session, "session", session_shape),
    FLAG(struct message_triggered, created, "created", false),
};
const struct message_shape message_triggered_shape =
    MESSAGE_SHAPE(struct message_triggered, triggered_fields, NULL);

static const struct message_field claim_fields[] = {
    MUST_TEXT(struct message_claim, agent_version, "agentVersion", 64, version),
    MUST_TEXT(struct message_claim, instance, "instance", INSTANCE_CHARS, instance),
    WORD(struct message_claim, role, "role", true, roles),
    TEXT(struct message_claim, session, "session", SYNTAX_UID_CHARS, syntax_uid),
    COUNT(struct message_claim, wait_s, "waitSeconds", 0, MESSAGE_WAIT_MAX_S, 0),
};
const struct message_shape message_claim_shape =
    MESSAGE_SHAPE(struct message_claim, claim_fields, NULL);

static const struct message_field variable_fields[] = {
    MUST_TEXT(struct message_variable, name, "name", 256, syntax_env_name),
    MUST_TEXT(struct message_variable, value, "value", MESSAGE_SECRET_MAX_BYTES, NULL),
};
static const struct message_shape variable_shape =
    MESSAGE_SHAPE(struct message_variable, variable_fields, NULL);

static const struct message_field file_fields[] = {
    MUST_TEXT(struct message_file, name, "name", 253, syntax_data_key),
    MUST_TEXT(struct message_file, data, "data", MESSAGE_SECRET_MAX_BYTES / 3 * 4 + 4,
              syntax_base64),
};
static const struct message_shape file_shape =
    MESSAGE_SHAPE(struct message_file, file_fields, NULL);

static const struct message_field repository_fields[] = {
    MUST_TEXT(struct message_repository, url, "url", PATH_MAX_BYTES, version),
    FLAG(struct message_repository, initialize, "initialize", false),
    TEXT(struct message_repository, cluster, "cluster", SYNTAX_UID_CHARS, syntax_uid),
    TEXT(struct message_repository, adopt, "adopt", SYNTAX_UID_CHARS, syntax_uid),
    FLAG(struct message_repository, insecure_tls, "insecureTLS", false),
    FLAG(struct message_repository, key_exchange, "keyExchange", false),
};
static const struct message_shape repository_shape =
    MESSAGE_SHAPE(struct message_repository, repository_fields, NULL);

static const struct message_field backup_fields[] = {
    TEXTS(struct message_backup, paths, path_count, "paths", PATHS_MAX, PATH_MAX_BYTES,
          syntax_absolute_path),
    TEXTS(struct message_backup, exclude, exclude_count, "exclude", MESSAGE_PATTERNS_MAX,
          PATH_MAX_BYTES, syntax_line),
    TEXTS(struct message_backup, args, arg_count, "args", PARAMS_MAX, PATH_MAX_BYTES, syntax_line),
    TEXTS(struct message_backup, tags, tag_count, "tags", MESSAGE_TAGS_MAX, 256, syntax_line),
};
static const struct message_shape backup_shape =
    MESSAGE_SHAPE(struct message_backup, backup_fields, NULL);

static const struct message_field rule_fields[] = {
    TEXTS(struct message_rule, snapshots, snapshot_count, "snapshots", MESSAGE_SNAPSHOTS_MAX,
          SNAPSHOT_CHARS, syntax_snapshot),
    TEXTS(struct message_rule, paths, path_count, "paths", PATHS_MAX, PATH_MAX_BYTES,
          syntax_absolute_path),
    TEXTS(struct message_rule, include, include_count, "include", PATHS_MAX, PATH_MAX_BYTES,
          syntax_line),
    TEXTS(struct message_rule, exclude, exclude_count, "exclude", PATHS_MAX, PATH_MAX_BYTES,
          syntax_line),
    TEXT(struct message_rule, source_host, "sourceHost", OBJECT_NAME_MAX_CHARS, syntax_host),
    TEXT(struct message_rule, as_of, "asOf", 64, syntax_time),
};
static const struct message_shape rule_shape =
    MESSAGE_SHAPE(struct message_rule, rule_fields, NULL);

static const struct message_field restore_fields[] = {
    FLAG(struct message_restore, if_exists, "ifExists", false),
    TEXT(struct message_restore, tag, "tag", 256, syntax_line),
    TEXT(struct message_restore, session, "session", SYNTAX_UID_CHARS, syntax_uid),
    PARTS(struct message_restore, rules, rule_count, "rules", MESSAGE_RULES_MAX, rule_shape),
};
static const struct message_shape restore_shape =
    MESSAGE_SHAPE(struct message_restore, restore_fields, NULL);

static const struct message_field hooks_fields[] = {
    TREE(struct message_hooks, before, "before"),
    TREE(struct message_hooks, after, "after"),
    WORD(struct message_hooks, after_policy, "afterPolicy", false, policies),
    TREE(struct message_hooks, data, "data"),
};
static const struct message_shape hooks_shape =
    MESSAGE_SHAPE(struct message_hooks, hooks_fields, NULL);

static const struct message_field limits_fields[] = {
    COUNT(struct message_limits, connections, "connections", 0, 1000, 0),
    COUNT(struct message_limits, memory_bytes, "memoryBytes", 0, NUMBER_MAX, 0),
    FLAG(struct message_limits, cache, "cache", false),
    COUNT(struct message_limits, nice, "nice", -20, 19, 0),
    COUNT(struct message_limits, ionice_class, "ioniceClass", 0, 3, -1),
    COUNT(struct message_limits, ionice_data, "ioniceData", 0, 7, -1),
};
static const struct message_shape limits_shape =
    MESSAGE_SHAPE(struct message_limits, limits_fields, NULL);

static const struct message_field work_fields[] = {
    WORD(struct message_work, kind, "kind", true, kinds),
    MUST_PART(struct message_work, session, "session", session_shape),
    MUST_TEXT(struct message_work, host, "host", OBJECT_NAME_MAX_CHARS, syntax_host),
    MUST_COUNT(struct message_work, attempt, "attempt", 1, MESSAGE_ATTEMPT_MAX),
    COUNT(struct message_work, deadline_s, "deadlineSeconds", 0, NUMBER_MAX, -1),
    MUST_COUNT(struct message_work, progress_s, "progressSeconds", 1, MESSAGE_PROGRESS_MAX_S),
    MUST_PART(struct message_work, repository, "repository", repository_shape),
    PARTS(struct message_work, environment, variable_count, "environment", MESSAGE_ENVIRONMENT_MAX,
          variable_shape),
    PARTS(struct message_work, files, file_count, "files", MESSAGE_FILES_MAX, file_shape),
    PART(struct message_work, backup, has_backup, "backup", backup_shape),
    PART(struct message_work, restore, has_restore, "restore", restore_shape),
    PART(struct message_work, hooks, has_hooks, "hooks", hooks_shape),
    COUNT(struct message_work, retry_left, "retryLeft", 0, INT32_MAX, 0),
    PART(struct message_work, limits, has_limits, "limits", limits_shape),
};

static bool also_work(const void *message, struct error *err)
{
    const struct message_work *work = message;

    if (work->has_backup != (work->kind != MESSAGE_RESTORE) ||
        work->has_restore != (work->kind == MESSAGE_RESTORE))
        return error_set(err, ERROR_INVALID, "expected \"%s\" and no other kind of work",
                         kinds[work->kind]);
    if (work->has_backup && !work->backup.path_count)
        return error_set(err, ERROR_INVALID, "\"backup\": names no path");
    if (work->kind == MESSAGE_STREAM && work->backup.path_count != 1)
        return error_set(err, ERROR_INVALID, "\"backup\": a stream has one path");
    return true;
}

static const struct message_shape work_shape =
    MESSAGE_SHAPE(struct message_work, work_fields, also_work);

static const struct message_field granted_fields[] = {
    COUNT(struct message_granted, retry_after_s, "retryAfterSeconds", 0, MESSAGE_RETRY_MAX_S, 0),
    FLAG(struct message_granted, pass, "pass", false),
    PART(struct message_granted, work, has_work, "work", work_shape),
};

static bool also_granted(const void *message, struct error *err)
{
    const struct message_granted *granted = message;

    return !(granted->pass && granted->has_work) ||
           error_set(err, ERROR_INVALID, "both \"pass\" and \"work\"");
}

const struct message_shape message_granted_shape =
    MESSAGE_SHAPE(struct message_granted, granted_fields, also_granted);

static const struct message_field exec_fields[] = {
    MUST_TEXT(struct message_exec, phase, "phase", 32, word),
    TEXT(struct message_exec, duration, "duration", 64, NULL),
    TEXT(struct message_exec, error, "error", MESSAGE_ERROR_MAX_BYTES, NULL),
    COUNT(struct message_exec, retry_left, "retryLeft", 0, INT32_MAX, 0),
};
static const struct message_shape exec_shape =
    MESSAGE_SHAPE(struct message_exec, exec_fields, NULL);

static const struct message_field progress_fields[] = {
    MUST_TEXT(struct message_progress, session, "session", SYNTAX_UID_CHARS, syntax_uid),
    MUST_TEXT(struct message_progress, host, "host", OBJECT_NAME_MAX_CHARS, syntax_host),
    MUST_TEXT(struct message_progress, instance, "instance", INSTANCE_CHARS, instance),
    MUST_COUNT(struct message_progress, attempt, "attempt", 1, MESSAGE_ATTEMPT_MAX),
    WORD(struct message_progress, stage, "stage", true, stages),
    COUNT(struct message_progress, bytes_done, "bytesDone", 0, NUMBER_MAX, 0),
    COUNT(struct message_progress, bytes_total, "bytesTotal", 0, NUMBER_MAX, 0),
    COUNT(struct message_progress, files_done, "filesDone", 0, NUMBER_MAX, 0),
    COUNT(struct message_progress, files_total, "filesTotal", 0, NUMBER_MAX, 0),
    FLAG(struct message_progress, initialized, "initialized", false),
    PART(struct message_progress, exec, has_exec, "exec", exec_shape),
};
const struct message_shape message_progress_shape =
    MESSAGE_SHAPE(struct message_progress, progress_fields, NULL);

static const struct message_field verdict_fields[] = {
    FLAG(struct message_verdict, go_on, "continue", true),
    TEXT(struct message_verdict, reason, "reason", 1024, NULL),
    WORD(struct message_verdict, exec, "exec", false, exec_states),
    TEXT(struct message_verdict, exec_message, "execMessage", 1024, NULL),
};
const struct message_shape message_verdict_shape =
    MESSAGE_SHAPE(struct message_verdict, verdict_fields, NULL);

static const struct message_field failure_fields[] = {
    MUST_TEXT(struct message_failure, reason, "reason", 64, word),
    MUST_TEXT(struct message_failure, message, "message", MESSAGE_ERROR_MAX_BYTES, some),
};
static const struct message_shape failure_shape =
    MESSAGE_SHAPE(struct message_failure, failure_fields, NULL);

static const struct message_field snapshot_fields[] = {
    MUST_TEXT(struct message_snapshot, id, "id", SNAPSHOT_CHARS, snapshot_id),
    MUST_TEXT(struct message_snapshot, path, "path", PATH_MAX_BYTES, syntax_absolute_path),
    COUNT(struct message_snapshot, total_bytes, "totalBytes", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, uploaded_bytes, "uploadedBytes", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, processing_ms, "processingMilliseconds", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, files_total, "filesTotal", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, files_new, "filesNew", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, files_changed, "filesChanged", 0, NUMBER_MAX, 0),
    COUNT(struct message_snapshot, files_unmodified, "filesUnmodified", 0, NUMBER_MAX, 0),
};
static const struct message_shape snapshot_shape =
    MESSAGE_SHAPE(struct message_snapshot, snapshot_fields, NULL);

static const struct message_field report_fields[] = {
    MUST_TEXT(struct message_report, session, "session", SYNTAX_UID_CHARS, syntax_uid),
    MUST_TEXT(struct message_report, host, "host", OBJECT_NAME_MAX_CHARS, syntax_host),
    MUST_TEXT(struct message_report, instance, "instance", INSTANCE_CHARS, instance),
    MUST_COUNT(struct message_report, attempt, "attempt", 1, MESSAGE_ATTEMPT_MAX),
    WORD(struct message_report, outcome, "outcome", true, outcomes),
    MUST_COUNT(struct message_report, duration_ms, "durationMilliseconds", 0, NUMBER_MAX),
    PART(struct message_report, error, has_error, "error", failure_shape),
    FLAG(struct message_report, initialized, "initialized", false),
    TEXT(struct message_report, note, "note", MESSAGE_NOTE_MAX_BYTES, syntax_no_nul),
    TREE(struct message_report, dump, "dump"),
    WORD(struct message_report, hook_before, "hookBefore", false, hook_results),
    WORD(struct message_report, hook_after, "hookAfter", false, hook_results),
    PARTS(struct message_report, snapshots, snapshot_count, "snapshots", PATHS_MAX, snapshot_shape),
};

static bool also_report(const void *message, struct error *err)
{
    const struct message_report *report = message;

    if (report->has_error != (report->outcome == MESSAGE_FAILED))
        return error_set(err, ERROR_INVALID, "expected \"error\" with Failed, and only there");
    if (report->outcome == MESSAGE_SUCCEEDED &&
        (report->hook_before == MESSAGE_HOOK_FAILED || report->hook_after == MESSAGE_HOOK_FAILED))
        return error_set(err, ERROR_INVALID, "a hook failed and the work succeeded");
    return true;
}

const struct message_shape message_report_shape =
    MESSAGE_SHAPE(struct message_report, report_fields, also_report);

static const struct message_field stream_fields[] = {
    MUST_TEXT(struct message_stream, session, "session", SYNTAX_UID_CHARS, syntax_uid),
    MUST_TEXT(struct message_stream, host, "host", OBJECT_NAME_MAX_CHARS, syntax_host),
    MUST_TEXT(struct message_stream, instance, "instance", INSTANCE_CHARS, instance),
    MUST_COUNT(struct message_stream, attempt, "attempt", 1, MESSAGE_ATTEMPT_MAX),
    MUST_COUNT(struct message_stream, turn, "turn", 1, MESSAGE_TURNS_MAX),
};
const struct message_shape message_stream_shape =
    MESSAGE_SHAPE(struct message_stream, stream_fields, NULL);

static const struct message_field receipt_fields[] = {
    FLAG(struct message_receipt, recorded, "recorded", true),
};
const struct message_shape message_receipt_shape =
    MESSAGE_SHAPE(struct message_receipt, receipt_fields, NULL);

static bool has_path(const struct message_report *report, const char *path)
{
    for (size_t i = 0; i < report->snapshot_count; i++)
        if (strcmp(report->snapshots[i].path, path) == 0)
            return true;
    return false;
}

bool message_report_covers(const struct message_report *report, const struct message_backup *backup)
{
    for (size_t i = 0; i < backup->path_count; i++)
        if (!has_path(report, backup->paths[i]))
            return false;
    return backup->path_count > 0;
}
