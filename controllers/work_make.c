#include "controllers/work_make.h"

#include <string.h>

#include "api/dump_command.h"
#include "api/dump_file.h"
#include "api/keys.h"
#include "api/restic_access.h"
#include "api/restic_args.h"
#include "api/syntax.h"
#include "api/target.h"
#include "api/task_variables.h"
#include "base/auto.h"
#include "base/text.h"
#include "base/tree.h"
#include "controllers/hook_make.h"
#include "controllers/hosts.h"
#include "controllers/session_make.h"
#include "controllers/status_parts.h"

/* A tag in a message is one of 256 bytes; a namespace and a name may have 316. */
#define TAG_TARGET_MAX_BYTES 240

/* ---- lists ---- */

/* Strings of a list; what is none is somebody else's finding. */
static bool take_texts(const json_t *list, const char **out, size_t *count, size_t max,
                       const char *what, struct error *err)
{
    const json_t *text;
    size_t i;

    *count = 0;
    tree_items (list, i, text) {
        if (!json_is_string(text) || !json_string_length(text))
            continue;
        if (*count == max)
            return error_set(err, ERROR_INVALID, "%s has more than %zu elements", what, max);
        out[(*count)++] = json_string_value(text);
    }
    return true;
}

/* Where the volumes are, when nobody said which paths are meant. */
static bool take_mounts(const json_t *target, const char **out, size_t *count, struct error *err)
{
    const json_t *mount;
    size_t i;

    tree_items (tree_get(target, "volumeMounts"), i, mount) {
        const char *path = tree_text(mount, "mountPath");

        if (!path || !*path)
            continue;
        if (*count == PATHS_MAX)
            return error_set(err, ERROR_INVALID, "more than %u mounts", PATHS_MAX);
        out[(*count)++] = path;
    }
    return true;
}

/* A claim that is the target is mounted there by its Job. */
static bool take_claim(const json_t *target, const char **out, size_t *count)
{
    const struct target_kind *kind = target_kind_in(tree_get(target, "ref"));

    if (*count || !kind || kind->class != TARGET_CLAIM)
        return *count > 0;
    out[(*count)++] = MOUNT_CLAIM;
    return true;
}

static bool is_app(const json_t *target)
{
    const struct target_kind *kind = target_kind_in(tree_get(target, "ref"));

    return kind && kind->class == TARGET_APP;
}

/* What people name counts; else steps of the Task leave a dump where only the last one knows. */
static bool is_app_without_paths(const json_t *target)
{
    return is_app(target) && json_array_size(tree_get(target, "paths")) == 0;
}

/* The steps of its Task leave a dump below one of these; which folder it is, the last one knows. */
static bool take_dump(const char **out, size_t *count)
{
    out[0] = MOUNT_SCRATCH "/data";
    *count = 1;
    return true;
}

static bool take_paths(const json_t *target, const char **out, size_t *count, struct error *err)
{
    if (is_app_without_paths(target))
        return take_dump(out, count);
    if (!take_texts(tree_get(target, "paths"), out, count, PATHS_MAX, "paths", err) ||
        (!*count && !take_mounts(target, out, count, err)))
        return false;
    return take_claim(target, out, count) ||
           error_set(err, ERROR_INVALID, "the target has neither paths nor mounts");
}

/* ---- what both have ---- */

static void take_session(const json_t *session, struct message_session *out)
{
    const json_t *metadata = tree_get(session, "metadata");

    out->space = tree_text(metadata, "namespace");
    out->name = tree_text(metadata, "name");
    out->uid = tree_text(metadata, "uid");
}

static int64_t within(int64_t value, int64_t low, int64_t high)
{
    if (value < low)
        return low;
    return value > high ? high : value;
}

static void take_limits(const json_t *spec, struct message_limits *limits)
{
    const json_t *container = tree_at(spec, "runtimeSettings.container");
    const json_t *ionice = tree_get(container, "ionice");

    limits->cache = !tree_true(tree_get(spec, "tempDir"), "disableCaching");
    limits->nice = within(tree_int(tree_get(container, "nice"), "adjustment", 0), 0, 19);
    limits->ionice_class = within(tree_int(ionice, "class", -1), -1, 3);
    limits->ionice_data = within(tree_int(ionice, "classData", -1), -1, 7);
}

static int policy_of(const char *word)
{
    static const char *const words[] = {
        [MESSAGE_ALWAYS] = "Always",
        [MESSAGE_ON_SUCCESS] = "OnSuccess",
        [MESSAGE_ON_FAILURE] = "OnFailure",
        [MESSAGE_ON_FINAL_RETRY_FAILURE] = "OnFinalRetryFailure",
    };

    for (int i = 0; word && i < (int)(sizeof words / sizeof *words); i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    return MESSAGE_ALWAYS;
}

static const json_t *keep(json_t *kept, json_t *made)
{
    tree_push_new(kept, made);
    return made;
}

/* What is made for them is pushed to `kept`. */
static void take_hooks(const struct work_request *request, const char *before, const char *after,
                       json_t *kept, struct message_work *work)
{
    const json_t *hooks = tree_at(request->invoker, "spec.hooks");
    const json_t *first = tree_member(hooks, before, JSON_OBJECT);
    const json_t *last = tree_member(hooks, after, JSON_OBJECT);

    work->has_hooks = first || last;
    if (!work->has_hooks)
        return;
    if (first)
        work->hooks.before = keep(kept, hook_make(first, request->pod));
    if (last)
        work->hooks.after = keep(kept, hook_make(last, request->pod));
    work->hooks.after_policy = policy_of(tree_text(last, "executionPolicy"));
    work->hooks.data = keep(kept, hook_make_data(request->session, request->invoker));
}

static json_t *begin(const struct work_request *request, int kind, struct message_work *work,
                     struct error *err)
{
    const json_t *spec = tree_get(request->invoker, "spec");
    int64_t left_s = request->deadline_s - request->now_s;

    work->kind = kind;
    take_session(request->session, &work->session);
    work->host = request->host;
    work->attempt = request->attempt;
    work->deadline_s = !request->deadline_s ? -1 : left_s > 0 ? left_s : 0;
    work->progress_s = WORK_PROGRESS_S;
    work->has_limits = true;
    take_limits(spec, &work->limits);
    return restic_access_make(tree_at(request->repository, "spec.backend"), request->secret, work,
                              err);
}

/* Options that run programs or name another repository never leave the controller. */
static bool take_args(const json_t *target, enum restic_command command, struct message_work *work,
                      struct error *err)
{
    const json_t *args = tree_get(target, "args");
    size_t index;

    return restic_args_check(args, command, &index, err) &&
           take_texts(args, work->backup.args, &work->backup.arg_count, PARAMS_MAX, "args", err);
}

char *work_tag(const json_t *invoker)
{
    AUTO(json) json_t *target = session_target(invoker);
    AUTO(free) char *text = target ? session_target_text(target) : NULL;

    char hex[65];

    if (!text || strlen(text) <= TAG_TARGET_MAX_BYTES)
        return text ? text_format("target:%s", text) : NULL;
    text_sha256(span_of(text), hex);
    return text_format("target:%s", hex);
}

static void put_tag(json_t *kept, struct message_backup *backup, const char *tag)
{
    tree_push_text(kept, tag);
    backup->tags[backup->tag_count++] =
        json_string_value(json_array_get(kept, json_array_size(kept) - 1));
}

static void put_tags(const struct work_request *request, json_t *kept,
                     struct message_backup *backup)
{
    const char *uid = tree_text(tree_get(request->session, "metadata"), "uid");
    AUTO(free) char *target = work_tag(request->invoker);
    AUTO(free) char *session = uid ? text_format("session:%s", uid) : NULL;
    /* of all hosts: so the repository alone tells a session that took them all */
    AUTO(free)
    char *count = request->host_count > 0
                      ? text_format("snapshots:%lld",
                                    (long long)request->host_count * (long long)backup->path_count)
                      : NULL;

    backup->tag_count = 0;
    if (target)
        put_tag(kept, backup, target);
    if (session)
        put_tag(kept, backup, session);
    if (session && count)
        put_tag(kept, backup, count);
}

/* Who may write to it. An annotation that is no UID is somebody's mistake and adopts nothing. */
static void take_owner(const struct work_request *request, struct message_repository *repository)
{
    const json_t *annotations = tree_at(request->repository, "metadata.annotations");
    const char *from = tree_text(annotations, KEY_ADOPT);
    struct error err;

    repository->cluster = request->cluster;
    if (from && syntax_uid(span_of(from), &err))
        repository->adopt = from;
}

json_t *work_make_backup(const struct work_request *request, struct message_work *work,
                         struct error *err)
{
    const json_t *spec = tree_get(request->invoker, "spec"), *target = tree_get(spec, "target");
    struct message_backup *backup = &work->backup;
    int64_t left = tree_int(tree_get(request->session, "spec"), "retryLeft", 0);

    if (!take_paths(target, backup->paths, &backup->path_count, err) ||
        !take_texts(tree_get(target, "exclude"), backup->exclude, &backup->exclude_count,
                    MESSAGE_PATTERNS_MAX, "exclude", err) ||
        !take_args(target, RESTIC_BACKUP, work, err))
        return NULL;
    work->has_backup = true;
    work->repository.initialize = true;
    take_owner(request, &work->repository);
    work->retry_left = within(left, 0, INT32_MAX);

    bool stream = dump_command_is_of(request->invoker);
    json_t *kept = begin(request, stream ? MESSAGE_STREAM : MESSAGE_BACKUP, work, err);

    if (kept) {
        put_tags(request, kept, backup);
        take_hooks(request, "preBackup", "postBackup", kept, work);
    }
    return kept;
}

/* ---- restores ---- */

static bool names_host(const json_t *rule, const char *host)
{
    const json_t *name;
    size_t i;

    tree_items (tree_get(rule, "targetHosts"), i, name)
        if (span_is(tree_value(name), host))
            return true;
    return false;
}

static const json_t *rules_of(const json_t *spec)
{
    const json_t *rules = tree_member(tree_get(spec, "target"), "rules", JSON_ARRAY);

    return rules ? rules : tree_member(spec, "rules", JSON_ARRAY);
}

/* The first rule that names the host; else the first one for all hosts. Spec: stash-behaviour 7. */
static const json_t *rule_of(const json_t *spec, const char *host)
{
    const json_t *rules = rules_of(spec), *rule, *general = NULL;
    size_t i;

    tree_items (rules, i, rule) {
        if (names_host(rule, host))
            return rule;
        if (!general && !json_array_size(tree_get(rule, "targetHosts")))
            general = rule;
    }
    return general;
}

/* A rule that says neither snapshots nor paths means all that is mounted. */
static bool take_rule(const json_t *rule, const json_t *target, const char *host,
                      struct message_rule *out, struct error *err)
{
    const char *source = tree_text(rule, "sourceHost"), *as_of = tree_text(rule, "asOf");

    if (!take_texts(tree_get(rule, "snapshots"), out->snapshots, &out->snapshot_count,
                    MESSAGE_SNAPSHOTS_MAX, "snapshots", err) ||
        !take_texts(tree_get(rule, "include"), out->include, &out->include_count, PATHS_MAX,
                    "include", err) ||
        !take_texts(tree_get(rule, "exclude"), out->exclude, &out->exclude_count, PATHS_MAX,
                    "exclude", err))
        return false;
    if (!out->snapshot_count &&
        (!take_texts(tree_get(rule, "paths"), out->paths, &out->path_count, PATHS_MAX, "paths",
                     err) ||
         (!out->path_count && !take_mounts(target, out->paths, &out->path_count, err))))
        return false;
    if (!out->snapshot_count)
        (void)take_claim(target, out->paths, &out->path_count);
    /* the step of its Task knows which file is meant */
    if (!out->snapshot_count && !out->path_count && is_app(target))
        (void)take_dump(out->paths, &out->path_count);
    out->source_host = source && *source ? source : host;
    out->as_of = as_of && *as_of ? as_of : NULL;
    return out->snapshot_count || out->path_count ||
           error_set(err, ERROR_INVALID, "the rule for %s names nothing to restore", host);
}

json_t *work_make_restore(const struct work_request *request, struct message_work *work,
                          struct error *err)
{
    const json_t *spec = tree_get(request->invoker, "spec"), *target = tree_get(spec, "target");
    const json_t *rule = rule_of(spec, request->host);
    size_t index;

    if (!rule) {
        error_set(err, ERROR_INVALID, "no rule covers %s", request->host);
        return NULL;
    }
    if (!restic_args_check(tree_get(target, "args"), RESTIC_RESTORE, &index, err) ||
        !take_rule(rule, target, request->host, &work->restore.rules[0], err))
        return NULL;
    work->restore.rule_count = 1;
    work->has_restore = true;

    json_t *kept = begin(request, MESSAGE_RESTORE, work, err);

    if (kept)
        take_hooks(request, "preRestore", "postRestore", kept, work);
    return kept;
}

/* ---- restores that nobody asked for by name ---- */

/* What a session has taken of a host, in as many rules as that needs. */
static bool take_taken(const struct work_request *request, struct message_restore *restore,
                       struct error *err)
{
    const json_t *target = json_array_get(tree_at(request->from, "status.targets"), 0), *snapshot;
    const json_t *stat = status_stat(tree_get(target, "stats"), request->host);
    struct message_rule *rule = NULL;
    size_t i;

    tree_items (tree_get(stat, "snapshots"), i, snapshot) {
        struct span id = tree_span(snapshot, "name");

        if (!id.length || span_is(id, "latest") || !syntax_snapshot(id, err))
            return error_set(err, ERROR_INVALID, "the session's status names no snapshot");
        if (!rule || rule->snapshot_count == MESSAGE_SNAPSHOTS_MAX) {
            if (restore->rule_count == MESSAGE_RULES_MAX)
                return error_set(err, ERROR_INVALID, "the session has too many snapshots");
            rule = &restore->rules[restore->rule_count++];
        }
        rule->snapshots[rule->snapshot_count++] = id.data;
    }
    return rule ||
           error_set(err, ERROR_INVALID, "the session has no snapshots of %s", request->host);
}

json_t *work_make_if_exists(const struct work_request *request, struct message_work *work,
                            struct error *err)
{
    struct message_restore *restore = &work->restore;
    struct message_rule *rule = &restore->rules[0];
    AUTO(free) char *tag = work_tag(request->invoker);

    restore->if_exists = true;
    if (request->from && !take_taken(request, restore, err))
        return NULL;
    if (!request->from) {
        if (!tag || !take_paths(tree_at(request->invoker, "spec.target"), rule->paths,
                                &rule->path_count, err))
            return NULL;
        rule->source_host = request->host;
        restore->rule_count = 1;
    }
    work->has_restore = true;

    json_t *kept = begin(request, MESSAGE_RESTORE, work, err);

    if (kept && !request->from) {
        tree_push_text(kept, tag);
        restore->tag = json_string_value(json_array_get(kept, json_array_size(kept) - 1));
        restore->session = request->beside;
    }
    return kept;
}

/* ---- proof ---- */

static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);

    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* A dump is one snapshot, of a folder that is there for dumps, or of a database. */
static bool is_dumped(const struct message_report *report)
{
    const char *path = report->snapshot_count == 1 ? report->snapshots[0].path : "";

    return is_below(path, MOUNT_SCRATCH) || is_below(path, TASK_INTERIM_MOUNT) ||
           dump_file_is(path);
}

static bool is_backed_up(const struct message_report *report, const json_t *invoker)
{
    AUTO(free) struct message_backup *backup = text_alloc(sizeof *backup);
    struct error err;

    *backup = (struct message_backup){0};
    if (is_app(tree_at(invoker, "spec.target")) && is_dumped(report))
        return true;
    if (is_app_without_paths(tree_at(invoker, "spec.target")))
        return false;
    return take_paths(tree_at(invoker, "spec.target"), backup->paths, &backup->path_count, &err) &&
           message_report_covers(report, backup);
}

static bool is_restored(const struct message_report *report, const json_t *invoker)
{
    const json_t *spec = tree_get(invoker, "spec"), *rule = rule_of(spec, report->host);
    AUTO(free) struct message_rule *asked = text_alloc(sizeof *asked);
    struct error err;

    *asked = (struct message_rule){0};
    return rule && take_rule(rule, tree_get(spec, "target"), report->host, asked, &err) &&
           report->snapshot_count >= asked->snapshot_count + asked->path_count;
}

bool work_is_proven(const struct message_report *report, const json_t *invoker, bool restore)
{
    return restore ? is_restored(report, invoker) : is_backed_up(report, invoker);
}
