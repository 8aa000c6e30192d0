#include "api/keys.h"
#include "api/restic_args.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/limits.h"
#include "base/tree.h"

static const char *const drivers[] = {"Restic", "VolumeSnapshotter", NULL};

/* ---- target ---- */

static const struct member target_members[] = {
    {"alias", STRING, .check = syntax_host},
    {"ref", OBJECT, .of = &target_ref_schema},
    {"paths", STRING, LIST | UNIQUE | DOUBTFUL, .check = syntax_absolute_path,
     .at_most = PATHS_MAX},
    {"volumeMounts", OBJECT, LIST | UNIQUE, .of = &target_mount_schema, .key = "mountPath",
     .at_most = PATHS_MAX},
    {"replicas", INTEGER, FROM(0)},
    {"snapshotClassName", STRING, .check = syntax_subdomain},
    {"exclude", STRING, LIST, .check = syntax_line},
    {"args", STRING, LIST},
};

static const struct schema backup_target = {MEMBERS(target_members)};

/* "/data" covers "/data" and "/data/x", not "/database". */
static bool covers(struct span mount, struct span path)
{
    while (mount.length && mount.data[mount.length - 1] == '/')
        mount.length--;
    return path.length >= mount.length && memcmp(path.data, mount.data, mount.length) == 0 &&
           (path.length == mount.length || path.data[mount.length] == '/');
}

static bool covered(const json_t *mounts, struct span path)
{
    const json_t *mount;
    size_t i;

    tree_items (mounts, i, mount)
        if (tree_span(mount, "mountPath").length && covers(tree_span(mount, "mountPath"), path))
            return true;
    return false;
}

static void judge_coverage(struct judge *judge, const json_t *target)
{
    const json_t *paths = judge_get(target, "paths"), *path;
    const json_t *mounts = judge_get(target, "volumeMounts");
    size_t mark = judge_enter(judge, "target.paths"), i;

    tree_items (paths, i, path) {
        size_t inner = judge_enter_index(judge, i);

        if (json_array_size(mounts) && i < PATHS_MAX && tree_value(path).length &&
            !covered(mounts, tree_value(path)))
            judge_warning(judge, REASON_INVALID, NULL,
                          "lies below none of the volumeMounts, so it is not what the application "
                          "sees there");
        judge_leave(judge, inner);
    }
    judge_leave(judge, mark);
}

/* ---- BackupConfiguration ---- */

static void judge_driver(struct judge *judge, const json_t *spec)
{
    if (span_is(tree_span(spec, "driver"), "VolumeSnapshotter"))
        judge_error(judge, REASON_NOT_SUPPORTED, "driver",
                    "granary does not take volume snapshots: Restic is the only driver");
}

static void judge_schedule(struct judge *judge, const json_t *spec)
{
    const json_t *schedule = judge_get(spec, "schedule");

    if (!tree_true(spec, "paused") && !(schedule && json_string_length(schedule)))
        judge_error(judge, REASON_REQUIRED, "schedule",
                    "is required, unless paused is true: such as \"0 3 * * *\" or @daily");
}

static void also_configuration(struct judge *judge, const json_t *spec)
{
    const json_t *target = judge_get(spec, "target");
    enum target_class class = target_class_of(target);

    judge_driver(judge, spec);
    judge_schedule(judge, spec);
    judge_target(judge, spec);
    judge_repository_use(judge, spec);
    if (class == TARGET_WORKLOAD || class == TARGET_CLAIM)
        judge_coverage(judge, target);
    if (class == TARGET_CLAIM || target_in_pod(spec))
        judge_args(judge, target, RESTIC_BACKUP);
}

static const struct member configuration_members[] = {
    {"repository", OBJECT, REQUIRED, .of = &repository_ref_schema,
     .hint = "the Repository that keeps the backups"},
    {"schedule", STRING, .check = syntax_schedule},
    {"target", OBJECT, .of = &backup_target},
    {"task", OBJECT, .of = &task_ref_schema},
    {"retentionPolicy", OBJECT, REQUIRED, .of = &retention_schema,
     .hint = "which snapshots are kept"},
    {"driver", STRING, .words = drivers},
    {"runtimeSettings", OBJECT, .of = &runtime_settings_schema},
    {"tempDir", OBJECT, .of = &temp_dir_schema},
    {"interimVolumeTemplate", OBJECT, .of = &claim_template_schema},
    {"hooks", OBJECT, .of = &backup_hooks_schema},
    {"paused", BOOLEAN},
    {"backupHistoryLimit", INTEGER, FROM(0)},
    {"timeOut", STRING, .check = syntax_duration_positive},
    {"retryConfig", OBJECT, .of = &retry_schema},
    {"mode", STRING, .words = modes},
    {"fileAccess", STRING, .words = file_accesses},
    {"guard", OBJECT, .of = &guard_schema},
    {"verify", OBJECT, .of = &verify_schema},
    {"jitter", STRING, .check = syntax_duration},
};

const struct schema configuration_schema = {MEMBERS(configuration_members),
                                            .also = also_configuration};

/* ---- BackupSession ---- */

static void also_invoker(struct judge *judge, const json_t *object)
{
    struct span group = tree_span(object, "apiGroup");

    if (group.length && !span_is(group, GROUP_STASH))
        judge_error(judge, REASON_NOT_SUPPORTED, "apiGroup", "expected " GROUP_STASH);
}

static const char *const invoker_kinds[] = {"BackupConfiguration", NULL};

static const struct member invoker_members[] = {
    {"apiGroup", STRING},
    {"kind", STRING, REQUIRED, .words = invoker_kinds},
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
};

static const struct schema invoker = {MEMBERS(invoker_members), .also = also_invoker};

static const struct member session_members[] = {
    {"invoker", OBJECT, REQUIRED, .of = &invoker, .hint = "the BackupConfiguration to be run"},
    {"retryLeft", INTEGER, FROM(0)},
};

const struct schema session_schema = {MEMBERS(session_members)};
