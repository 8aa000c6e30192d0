#include "api/restic_args.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "api/validate_shared.h"
#include "base/limits.h"
#include "base/tree.h"

static const char *const drivers[] = {"Restic", "VolumeSnapshotter", NULL};

/* ---- one rule ---- */

static bool given(const json_t *object, const char *list)
{
    return json_array_size(judge_get(object, list)) > 0;
}

static void also_rule(struct judge *judge, const json_t *rule)
{
    if (given(rule, "snapshots") && given(rule, "paths"))
        judge_error(judge, REASON_INVALID, "paths",
                    "is not allowed beside snapshots: a snapshot is restored with all its paths");
    if (given(rule, "snapshots") && judge_get(rule, "asOf"))
        judge_error(judge, REASON_INVALID, "asOf",
                    "is not allowed beside snapshots: it chooses the snapshots by time");
    if (given(rule, "include") && given(rule, "exclude"))
        judge_error(judge, REASON_INVALID, "exclude",
                    "is not allowed beside include: restic takes one of the two");
}

static const struct member rule_members[] = {
    {"targetHosts", STRING, LIST | UNIQUE, .check = syntax_host},
    {"sourceHost", STRING, .check = syntax_host},
    {"snapshots", STRING, LIST, .check = syntax_snapshot},
    {"paths", STRING, LIST, .check = syntax_absolute_path, .at_most = PATHS_MAX},
    {"exclude", STRING, LIST, .check = syntax_line},
    {"include", STRING, LIST, .check = syntax_line},
    {"asOf", STRING, .check = syntax_time},
};

static const struct schema rule_schema = {MEMBERS(rule_members), .also = also_rule};

/* ---- all rules of one list ---- */

/* What is known of the rules before: the hosts that they name, and whether one names none. */
struct rules {
    json_t *hosts;
    bool any_host;
    bool in_pod; /* the target is a workload without a task: nothing defaults the paths */
};

static void judge_host(struct judge *judge, struct rules *rules, struct span host)
{
    if (!host.length)
        return;
    if (json_object_getn(rules->hosts, host.data, host.length))
        judge_error(judge, REASON_DUPLICATE, NULL, "another rule names this host too");
}

static void remember(struct rules *rules, const json_t *hosts)
{
    const json_t *host;
    size_t i;

    tree_items (hosts, i, host) {
        struct span text = tree_value(host);

        if (text.length &&
            json_object_setn_new_nocheck(rules->hosts, text.data, text.length, json_true()) < 0)
            abort();
    }
}

static void judge_hosts(struct judge *judge, struct rules *rules, const json_t *rule)
{
    const json_t *hosts = judge_get(rule, "targetHosts"), *host;
    size_t i;

    tree_items (hosts, i, host) {
        size_t mark = judge_enter(judge, "targetHosts");

        judge_enter_index(judge, i);
        judge_host(judge, rules, tree_value(host));
        judge_leave(judge, mark);
    }
    remember(rules, hosts);
    if (!json_array_size(hosts) && rules->any_host)
        judge_error(judge, REASON_DUPLICATE, "targetHosts",
                    "another rule names no hosts either: only one can be for all others");
    rules->any_host |= !json_array_size(hosts);
}

static void judge_content(struct judge *judge, const struct rules *rules, const json_t *rule)
{
    if (given(rule, "snapshots") || given(rule, "paths") || judge_get(rule, "asOf"))
        return;
    (rules->in_pod ? judge_error : judge_warning)(
        judge, REASON_REQUIRED, NULL, "names neither snapshots nor paths%s",
        rules->in_pod ? ": nothing would be restored" : ", so the task decides what is restored");
}

static void judge_rules(struct judge *judge, const json_t *list, bool in_pod)
{
    AUTO(json) json_t *hosts = json_object();
    struct rules rules = {.hosts = hosts, .in_pod = in_pod};
    const json_t *rule;
    size_t i;

    tree_items (list, i, rule) {
        size_t mark = judge_enter_index(judge, i);

        if (json_is_object(rule)) {
            judge_hosts(judge, &rules, rule);
            judge_content(judge, &rules, rule);
        }
        judge_leave(judge, mark);
    }
}

/* ---- RestoreSession ---- */

static void also_claims(struct judge *judge, const json_t *target)
{
    const json_t *claims = judge_get(target, "volumeClaimTemplates"), *claim;
    size_t i, mark = judge_enter(judge, "volumeClaimTemplates");

    tree_items (claims, i, claim) {
        size_t inner = judge_enter_index(judge, i);

        if (json_is_object(claim) && !tree_span(tree_get(claim, "metadata"), "name").length)
            judge_error(judge, REASON_REQUIRED, "metadata.name", "is required");
        judge_leave(judge, inner);
    }
    judge_leave(judge, mark);
}

/* ${POD_ORDINAL} makes one claim for each replica. */
static const struct schema claim_of_replica = {.inlined = &claim_template_schema,
                                               .variables = true};

static const struct member target_members[] = {
    {"alias", STRING, .check = syntax_host},
    {"ref", OBJECT, .of = &target_ref_schema},
    {"volumeMounts", OBJECT, LIST | UNIQUE, .of = &target_mount_schema, .key = "mountPath",
     .at_most = PATHS_MAX},
    {"replicas", INTEGER, FROM(0)},
    {"volumeClaimTemplates", OBJECT, LIST, .of = &claim_of_replica},
    {"rules", OBJECT, LIST, .of = &rule_schema},
    {"args", STRING, LIST},
};

static const struct schema restore_target = {MEMBERS(target_members), .also = also_claims};

static void judge_all_rules(struct judge *judge, const json_t *spec)
{
    const json_t *target = judge_get(spec, "target");
    const json_t *old = judge_get(spec, "rules"), *rules = judge_get(target, "rules");
    bool in_pod = target_in_pod(spec);
    size_t mark = judge_enter(judge, "rules");

    judge_rules(judge, old, in_pod);
    judge_leave(judge, mark);
    mark = judge_enter(judge, "target.rules");
    judge_rules(judge, rules, in_pod);
    judge_leave(judge, mark);
    if (given(spec, "rules") && given(target, "rules"))
        judge_error(judge, REASON_FORBIDDEN, "rules",
                    "is not allowed beside target.rules, which takes its place");
    if (in_pod && !given(spec, "rules") && !given(target, "rules"))
        judge_error(judge, REASON_REQUIRED, "target.rules",
                    "at least one rule is needed, or nothing is restored");
}

static void judge_unused(struct judge *judge, const json_t *spec)
{
    static const char *const members[] = {"livenessProbe", "readinessProbe", "lifecycle", NULL};
    const json_t *container = tree_at(spec, "runtimeSettings.container");
    size_t mark = judge_enter(judge, "runtimeSettings.container");

    for (size_t i = 0; members[i]; i++)
        if (target_in_pod(spec) && judge_get(container, members[i]))
            judge_warning(judge, REASON_INVALID, members[i], "an init container has none");
    judge_leave(judge, mark);
}

static void also_restore(struct judge *judge, const json_t *spec)
{
    const json_t *target = judge_get(spec, "target");

    if (span_is(tree_span(spec, "driver"), "VolumeSnapshotter"))
        judge_error(judge, REASON_NOT_SUPPORTED, "driver",
                    "granary takes no volume snapshots: Restic is the only driver");
    /* claims that the session makes itself need no target */
    if (!given(target, "volumeClaimTemplates") || judge_get(target, "ref"))
        judge_target(judge, spec);
    judge_repository_use(judge, spec);
    judge_all_rules(judge, spec);
    judge_unused(judge, spec);
    if (target_class_of(target) == TARGET_CLAIM || target_in_pod(spec))
        judge_args(judge, target, RESTIC_RESTORE);
}

static const struct member restore_members[] = {
    {"repository", OBJECT, REQUIRED, .of = &repository_ref_schema,
     .hint = "the Repository that keeps the backups"},
    {"target", OBJECT, .of = &restore_target},
    {"rules", OBJECT, LIST, .of = &rule_schema},
    {"task", OBJECT, .of = &task_ref_schema},
    {"driver", STRING, .words = drivers},
    {"runtimeSettings", OBJECT, .of = &runtime_settings_schema},
    {"tempDir", OBJECT, .of = &temp_dir_schema},
    {"interimVolumeTemplate", OBJECT, .of = &claim_template_schema},
    {"hooks", OBJECT, .of = &restore_hooks_schema},
    {"timeOut", STRING, .check = syntax_duration_positive},
    {"fileAccess", STRING, .words = file_accesses},
};

const struct schema restore_schema = {MEMBERS(restore_members), .also = also_restore};
