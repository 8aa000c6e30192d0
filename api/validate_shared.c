#include "api/validate_shared.h"

#include "api/hook_template.h"
#include "api/keys.h"
#include "api/selector.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "base/limits.h"
#include "base/tree.h"

const char *const modes[] = {"Auto", "Sidecar", "Job", NULL};
const char *const file_accesses[] = {"Auto", "Follow", "Root", NULL};

/* ---- task ---- */

static bool param_name(struct span text, struct error *err)
{
    return syntax_line(text, err);
}

static const struct member param_members[] = {
    {"name", STRING, REQUIRED, .check = param_name},
    {"value", STRING, REQUIRED | EMPTY_OK},
};

static const struct schema param = {MEMBERS(param_members)};

static const struct member task_ref_members[] = {
    {"name", STRING, .check = syntax_subdomain},
    {"params", OBJECT, LIST | UNIQUE, .of = &param, .key = "name"},
};

const struct schema task_ref_schema = {MEMBERS(task_ref_members)};

/* ---- scratch space, retries ---- */

static void also_temp_dir(struct judge *judge, const json_t *object)
{
    if (judge_get(object, "sizeLimit"))
        judge_warning(judge, REASON_INVALID, "sizeLimit",
                      "a backup that outgrows this limit evicts the pod, with the application");
}

static const char *const media[] = {"", "Memory", NULL};

static const struct member temp_dir_members[] = {
    {"medium", STRING, .words = media},
    {"sizeLimit", QUANTITY, POSITIVE},
    {"disableCaching", BOOLEAN},
};

const struct schema temp_dir_schema = {MEMBERS(temp_dir_members), .also = also_temp_dir};

static const struct member retry_members[] = {
    {"maxRetry", INTEGER, FROM(0)},
    {"delay", STRING, .check = syntax_duration},
};

const struct schema retry_schema = {MEMBERS(retry_members)};

/* ---- retention ---- */

static const char *const keep_counts[] = {"keepLast",    "keepHourly", "keepDaily", "keepWeekly",
                                          "keepMonthly", "keepYearly", NULL};

static void also_retention(struct judge *judge, const json_t *object)
{
    bool within = tree_span(object, "keepWithin").length;
    bool tags = json_array_size(judge_get(object, "keepTags"));
    bool counted = false;

    for (size_t i = 0; keep_counts[i]; i++) {
        const json_t *count = judge_get(object, keep_counts[i]);

        counted |= json_integer_value(count) > 0;
        if (json_is_integer(count) && json_integer_value(count) == 0)
            judge_warning(judge, REASON_INVALID, keep_counts[i],
                          "0 is no rule: it neither keeps nor removes anything");
    }
    if (!counted && !within && !tags)
        judge_warning(judge, REASON_REQUIRED, NULL,
                      "no keep rule: every snapshot is kept for ever");
    else if (!counted && !within)
        judge_warning(judge, REASON_INVALID, "keepTags",
                      "the only keep rule: every snapshot without such a tag is removed");
}

static bool tag(struct span text, struct error *err)
{
    if (text.length && text.data[0] == '-')
        return error_set(err, ERROR_INVALID, "a tag does not begin with \"-\"");
    return syntax_line(text, err);
}

static const struct member retention_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_line, .hint = "any word that names the policy"},
    {"keepLast", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepHourly", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepDaily", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepWeekly", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepMonthly", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepYearly", INTEGER, .min = 0, .max = INT64_MAX},
    {"keepWithin", STRING, .check = syntax_within},
    {"keepTags", STRING, LIST, .check = tag},
    {"prune", BOOLEAN, REQUIRED, .hint = "true frees the space of removed snapshots"},
    {"dryRun", BOOLEAN},
};

const struct schema retention_schema = {MEMBERS(retention_members), .also = also_retention};

/* ---- runtime settings ---- */

static const struct member runtime_settings_members[] = {
    {"pod", OBJECT, .of = &pod_settings_schema},
    {"container", OBJECT, .of = &container_settings_schema},
};

const struct schema runtime_settings_schema = {MEMBERS(runtime_settings_members)};

/* ---- hooks ---- */

static const struct member hook_exec_members[] = {
    {"command", STRING, LIST | REQUIRED, .check = hook_template_check, .at_least = 1,
     .hint = "the program and its arguments"},
};

static const struct schema hook_exec = {MEMBERS(hook_exec_members)};

static const struct member form_members[] = {
    {"key", STRING, REQUIRED},
    {"values", STRING, LIST | REQUIRED, .at_least = 1},
};

static const struct schema form = {MEMBERS(form_members)};

static void also_http_post(struct judge *judge, const json_t *object)
{
    if (tree_span(object, "body").length && json_array_size(judge_get(object, "form")))
        judge_error(judge, REASON_INVALID, "form",
                    "is not allowed beside body: one request has one");
}

static const struct member http_post_members[] = {
    {"path", STRING},
    {"port", PORT, REQUIRED},
    {"host", STRING},
    {"scheme", STRING, .words = http_schemes},
    {"httpHeaders", OBJECT, LIST, .of = &http_header_schema},
    {"body", STRING, .check = hook_template_check},
    {"form", OBJECT, LIST, .of = &form},
};

static const struct schema http_post = {MEMBERS(http_post_members), .also = also_http_post};

static const struct member hook_members[] = {
    {"exec", OBJECT, CHOICE, .of = &hook_exec},
    {"httpGet", OBJECT, CHOICE, .of = &http_get_schema},
    {"httpPost", OBJECT, CHOICE, .of = &http_post},
    {"tcpSocket", OBJECT, CHOICE, .of = &tcp_socket_schema},
    {"containerName", STRING, .check = syntax_label},
};

static const struct schema hook = {MEMBERS(hook_members), .choose = AT_LEAST_ONE};

static const char *const backup_policies[] = {"Always", "OnSuccess", "OnFailure",
                                              "OnFinalRetryFailure", NULL};
static const char *const restore_policies[] = {"Always", "OnSuccess", "OnFailure", NULL};

static const struct member post_backup_members[] = {
    {"executionPolicy", STRING, .words = backup_policies},
};

static const struct schema post_backup = {MEMBERS(post_backup_members), .inlined = &hook};

static const struct member post_restore_members[] = {
    {"executionPolicy", STRING, .words = restore_policies},
};

static const struct schema post_restore = {MEMBERS(post_restore_members), .inlined = &hook};

static const struct member backup_hooks_members[] = {
    {"preBackup", OBJECT, .of = &hook},
    {"postBackup", OBJECT, .of = &post_backup},
};

const struct schema backup_hooks_schema = {MEMBERS(backup_hooks_members)};

static const struct member restore_hooks_members[] = {
    {"preRestore", OBJECT, .of = &hook},
    {"postRestore", OBJECT, .of = &post_restore},
};

const struct schema restore_hooks_schema = {MEMBERS(restore_hooks_members)};

/* ---- additive ---- */

static const char *const guard_actions[] = {"Warn", "Fail", NULL};

static const struct member guard_members[] = {
    {"shrinkPercent", INTEGER, .min = 1, .max = 100},
    {"action", STRING, .words = guard_actions},
};

const struct schema guard_schema = {MEMBERS(guard_members)};

static const struct member verify_members[] = {
    {"schedule", STRING, REQUIRED, .check = syntax_schedule},
    {"files", INTEGER, .min = 1, .max = 1000},
    {"image", STRING, .check = syntax_image},
    {"command", STRING, LIST, .at_least = 1, .hint = "the program and its arguments"},
};

const struct schema verify_schema = {MEMBERS(verify_members)};

/* ---- references ---- */

static const struct member repository_ref_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain, .hint = "the name of a Repository"},
    {"namespace", STRING, .check = syntax_label},
};

const struct schema repository_ref_schema = {MEMBERS(repository_ref_members)};

static const struct member target_ref_members[] = {
    {"apiVersion", STRING},
    {"kind", STRING},
    {"name", STRING, .check = syntax_subdomain},
    {"namespace", STRING, .check = syntax_label},
};

const struct schema target_ref_schema = {MEMBERS(target_ref_members)};

/* True when the path is this place or lies below it. */
static bool at_or_below(struct span path, const char *place)
{
    size_t length = strlen(place);

    return path.length >= length && memcmp(path.data, place, length) == 0 &&
           (path.length == length || path.data[length] == '/');
}

static void also_target_mount(struct judge *judge, const json_t *object)
{
    static const char *const places[] = {"/proc",        "/sys",        "/dev", "/var/run/secrets",
                                         "/run/secrets", MOUNT_SCRATCH, NULL};
    struct span path = tree_span(object, "mountPath");

    while (path.length > 1 && path.data[path.length - 1] == '/')
        path.length--;
    if (span_is(path, "/"))
        judge_error(judge, REASON_FORBIDDEN, "mountPath", "\"/\" would hide the agent's own files");
    for (size_t i = 0; places[i]; i++)
        if (at_or_below(path, places[i]))
            judge_error(judge, REASON_FORBIDDEN, "mountPath", "%s belongs to the container itself",
                        places[i]);
}

const struct schema target_mount_schema = {.inlined = &volume_mount_schema,
                                           .also = also_target_mount};

static const struct {
    const char *kind, *api_version;
    enum target_class class;
} target_kinds[] = {
    {"Deployment", "apps/v1", TARGET_WORKLOAD},
    {"StatefulSet", "apps/v1", TARGET_WORKLOAD},
    {"DaemonSet", "apps/v1", TARGET_WORKLOAD},
    {"ReplicaSet", "apps/v1", TARGET_WORKLOAD},
    {"ReplicationController", "v1", TARGET_WORKLOAD},
    {"DeploymentConfig", GROUP_OPENSHIFT_APPS "/v1", TARGET_WORKLOAD},
    {"PersistentVolumeClaim", "v1", TARGET_CLAIM},
    {"AppBinding", API_APPCATALOG, TARGET_APP},
};

#define TARGET_KINDS (sizeof target_kinds / sizeof *target_kinds)

static size_t kind_index(const json_t *ref)
{
    struct span kind = tree_span(ref, "kind");
    size_t i = 0;

    while (i < TARGET_KINDS && !span_is(kind, target_kinds[i].kind))
        i++;
    return i;
}

enum target_class target_class_of(const json_t *target)
{
    size_t i = kind_index(tree_get(target, "ref"));

    return i < TARGET_KINDS ? target_kinds[i].class : TARGET_NONE;
}

static bool has_task(const json_t *spec)
{
    return tree_span(tree_get(spec, "task"), "name").length;
}

bool target_in_pod(const json_t *spec)
{
    return target_class_of(tree_get(spec, "target")) == TARGET_WORKLOAD && !has_task(spec);
}

/* "apps" of "apps/v1", "" of "v1". */
static struct span group_of(struct span api_version)
{
    const char *slash =
        api_version.length ? memchr(api_version.data, '/', api_version.length) : NULL;

    return (struct span){api_version.data, slash ? (size_t)(slash - api_version.data) : 0};
}

static void kind_fault(struct judge *judge, const json_t *ref)
{
    const char *names[TARGET_KINDS + 1] = {0};

    for (size_t i = 0; i < TARGET_KINDS; i++)
        names[i] = target_kinds[i].kind;

    const char *meant = text_did_you_mean(tree_span(ref, "kind"), names);

    judge_error(judge, REASON_NOT_SUPPORTED, "target.ref.kind",
                "without a task, a workload, a PersistentVolumeClaim or an AppBinding is "
                "expected%s%s%s",
                meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
}

static void judge_ref(struct judge *judge, const json_t *spec, const json_t *ref)
{
    static const char *const needed[] = {"apiVersion", "kind", "name", NULL};
    size_t i = kind_index(ref);
    bool complete = true;

    for (const char *const *name = needed; *name; name++) {
        if (tree_span(ref, *name).length)
            continue;
        size_t mark = judge_enter(judge, "target.ref");

        complete = false;
        judge_error(judge, REASON_REQUIRED, *name, "is required");
        judge_leave(judge, mark);
    }
    if (!complete)
        return;
    if (i == TARGET_KINDS && !has_task(spec))
        kind_fault(judge, ref);
    if (i < TARGET_KINDS && !span_equal(group_of(tree_span(ref, "apiVersion")),
                                        group_of(span_of(target_kinds[i].api_version))))
        judge_error(judge, REASON_INVALID, "target.ref.apiVersion", "of a %s is %s",
                    target_kinds[i].kind, target_kinds[i].api_version);
}

static void judge_space(struct judge *judge, const json_t *spec, const json_t *ref)
{
    struct span space = tree_span(ref, "namespace");
    bool claim = target_class_of(tree_get(spec, "target")) == TARGET_CLAIM;

    if (!space.length || !*judge->space || span_is(space, judge->space))
        return;
    if (claim || target_in_pod(spec))
        judge_error(judge, REASON_FORBIDDEN, "target.ref.namespace",
                    "a %s in another namespace can not be reached from here",
                    claim ? "PersistentVolumeClaim" : "workload");
}

void judge_target(struct judge *judge, const json_t *spec)
{
    const json_t *target = judge_get(spec, "target"), *ref = judge_get(target, "ref");

    if (json_is_object(ref)) {
        judge_ref(judge, spec, ref);
        judge_space(judge, spec, ref);
    } else if (!ref && !has_task(spec)) {
        judge_error(judge, REASON_REQUIRED, target ? "target.ref" : "target",
                    "is required, unless a task is named that needs none");
    }
}

void judge_repository_use(struct judge *judge, const json_t *spec)
{
    const json_t *ref = tree_get(spec, "repository");
    const char *name = tree_text(ref, "name"), *space = tree_text(ref, "namespace");
    const struct cluster *cluster = judge->in->cluster;
    const char *owner = space && *space ? space : judge->space;

    if (!cluster || !name || !*judge->space)
        return;

    const json_t *repository = cluster_repository(cluster, owner, name);
    const json_t *own = cluster_namespace(cluster, judge->space);

    if (repository && usage_of_repository(repository, judge->space, own) == USAGE_REFUSED)
        judge_error(judge, REASON_FORBIDDEN, "repository",
                    "its usagePolicy does not let namespace %s use it", judge->space);
}

void judge_args(struct judge *judge, const json_t *target, enum restic_command command)
{
    struct error err = {0};
    size_t index = 0, mark;

    if (restic_args_check(judge_get(target, "args"), command, &index, &err))
        return;
    mark = judge_enter(judge, "target.args");
    judge_enter_index(judge, index);
    judge_error(judge, REASON_FORBIDDEN, NULL, "%s", err.message);
    judge_leave(judge, mark);
}
