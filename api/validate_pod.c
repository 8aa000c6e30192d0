#include "api/syntax.h"
#include "api/validate_core.h"
#include "base/tree.h"

/* ---- selectors ---- */

/* How many values an operator wants: the least and the most; -1 for any. */
struct operator_values {
    const char *name;
    int least, most;
};

static void judge_values(struct judge *judge, const struct operator_values *operators,
                         const json_t *object)
{
    struct span word = tree_span(object, "operator");
    const json_t *values = judge_get(object, "values");
    int count = (int)json_array_size(values);

    for (; operators->name; operators++) {
        if (!span_is(word, operators->name))
            continue;
        if (count < operators->least)
            judge_error(judge, REASON_REQUIRED, "values", "operator %s needs %s", operators->name,
                        operators->most == 1 ? "one value" : "at least one value");
        if (operators->most >= 0 && count > operators->most)
            judge_error(judge, REASON_FORBIDDEN, "values", "operator %s takes %s", operators->name,
                        operators->most == 1 ? "one value" : "no values");
    }
}

static void also_label_requirement(struct judge *judge, const json_t *object)
{
    static const struct operator_values operators[] = {
        {"In", 1, -1}, {"NotIn", 1, -1}, {"Exists", 0, 0}, {"DoesNotExist", 0, 0}, {NULL, 0, 0}};

    judge_values(judge, operators, object);
}

static const char *const label_operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};

static const struct member label_requirement_members[] = {
    {"key", STRING, REQUIRED, .check = syntax_label_key},
    {"operator", STRING, REQUIRED, .words = label_operators},
    {"values", STRING, LIST, .check = syntax_label_value},
};

static const struct schema label_requirement = {MEMBERS(label_requirement_members),
                                                .also = also_label_requirement};

static const struct member selector_members[] = {
    {"matchLabels", STRING, MAP, .check = syntax_label_value, .key_check = syntax_label_key},
    {"matchExpressions", OBJECT, LIST, .of = &label_requirement},
};

const struct schema selector_schema = {MEMBERS(selector_members)};

static void also_node_requirement(struct judge *judge, const json_t *object)
{
    static const struct operator_values operators[] = {
        {"In", 1, -1}, {"NotIn", 1, -1}, {"Exists", 0, 0}, {"DoesNotExist", 0, 0},
        {"Gt", 1, 1},  {"Lt", 1, 1},     {NULL, 0, 0}};

    judge_values(judge, operators, object);
}

static const char *const node_operators[] = {"In", "NotIn", "Exists", "DoesNotExist",
                                             "Gt", "Lt",    NULL};

static const struct member node_requirement_members[] = {
    {"key", STRING, REQUIRED, .check = syntax_label_key},
    {"operator", STRING, REQUIRED, .words = node_operators},
    {"values", STRING, LIST},
};

static const struct schema node_requirement = {MEMBERS(node_requirement_members),
                                               .also = also_node_requirement};

static void also_node_field(struct judge *judge, const json_t *object)
{
    if (json_array_size(judge_get(object, "values")) != 1)
        judge_error(judge, REASON_REQUIRED, "values", "exactly one value is needed");
}

static const char *const node_fields[] = {"metadata.name", NULL};
static const char *const field_operators[] = {"In", "NotIn", NULL};

static const struct member node_field_members[] = {
    {"key", STRING, REQUIRED, .words = node_fields},
    {"operator", STRING, REQUIRED, .words = field_operators},
    {"values", STRING, LIST, .check = syntax_subdomain},
};

static const struct schema node_field = {MEMBERS(node_field_members), .also = also_node_field};

static const struct member node_term_members[] = {
    {"matchExpressions", OBJECT, LIST, .of = &node_requirement},
    {"matchFields", OBJECT, LIST, .of = &node_field},
};

static const struct schema node_term = {MEMBERS(node_term_members)};

static const struct member node_selector_members[] = {
    {"nodeSelectorTerms", OBJECT, LIST | REQUIRED, .of = &node_term, .at_least = 1},
};

static const struct schema node_selector = {MEMBERS(node_selector_members)};

static const struct member preferred_node_members[] = {
    {"weight", INTEGER, REQUIRED, .min = 1, .max = 100},
    {"preference", OBJECT, REQUIRED, .of = &node_term},
};

static const struct schema preferred_node = {MEMBERS(preferred_node_members)};

/* ---- affinity ---- */

static const struct member node_affinity_members[] = {
    {"requiredDuringSchedulingIgnoredDuringExecution", OBJECT, .of = &node_selector},
    {"preferredDuringSchedulingIgnoredDuringExecution", OBJECT, LIST, .of = &preferred_node},
};

static const struct schema node_affinity = {MEMBERS(node_affinity_members)};

static const struct member pod_term_members[] = {
    {"labelSelector", OBJECT, .of = &selector_schema},
    {"namespaces", STRING, LIST, .check = syntax_label},
    {"namespaceSelector", OBJECT, .of = &selector_schema},
    {"topologyKey", STRING, REQUIRED, .check = syntax_label_key},
    {"matchLabelKeys", STRING, LIST, .check = syntax_label_key},
    {"mismatchLabelKeys", STRING, LIST, .check = syntax_label_key},
};

static const struct schema pod_term = {MEMBERS(pod_term_members)};

static const struct member preferred_pod_members[] = {
    {"weight", INTEGER, REQUIRED, .min = 1, .max = 100},
    {"podAffinityTerm", OBJECT, REQUIRED, .of = &pod_term},
};

static const struct schema preferred_pod = {MEMBERS(preferred_pod_members)};

static const struct member pod_affinity_members[] = {
    {"requiredDuringSchedulingIgnoredDuringExecution", OBJECT, LIST, .of = &pod_term},
    {"preferredDuringSchedulingIgnoredDuringExecution", OBJECT, LIST, .of = &preferred_pod},
};

static const struct schema pod_affinity = {MEMBERS(pod_affinity_members)};

static const struct member affinity_members[] = {
    {"nodeAffinity", OBJECT, .of = &node_affinity},
    {"podAffinity", OBJECT, .of = &pod_affinity},
    {"podAntiAffinity", OBJECT, .of = &pod_affinity},
};

static const struct schema affinity = {MEMBERS(affinity_members)};

/* ---- scheduling ---- */

static void also_toleration(struct judge *judge, const json_t *object)
{
    bool exists = span_is(tree_span(object, "operator"), "Exists");

    if (!tree_span(object, "key").length && !exists)
        judge_error(judge, REASON_INVALID, "operator", "must be Exists when there is no key");
    if (exists && tree_span(object, "value").length)
        judge_error(judge, REASON_INVALID, "value", "must be empty with operator Exists");
    if (judge_get(object, "tolerationSeconds") &&
        !span_is(tree_span(object, "effect"), "NoExecute"))
        judge_error(judge, REASON_INVALID, "effect",
                    "must be NoExecute when tolerationSeconds is set");
}

static const char *const toleration_operators[] = {"", "Equal", "Exists", NULL};
static const char *const taint_effects[] = {"", "NoSchedule", "PreferNoSchedule", "NoExecute",
                                            NULL};

static const struct member toleration_members[] = {
    {"key", STRING, .check = syntax_label_key},
    {"operator", STRING, .words = toleration_operators},
    {"value", STRING, .check = syntax_label_value},
    {"effect", STRING, .words = taint_effects},
    {"tolerationSeconds", INTEGER},
};

static const struct schema toleration = {MEMBERS(toleration_members), .also = also_toleration};

static void also_spread(struct judge *judge, const json_t *object)
{
    if (judge_get(object, "minDomains") &&
        !span_is(tree_span(object, "whenUnsatisfiable"), "DoNotSchedule"))
        judge_error(judge, REASON_INVALID, "minDomains",
                    "is allowed only with whenUnsatisfiable DoNotSchedule");
    if (judge_get(object, "matchLabelKeys") && !judge_get(object, "labelSelector"))
        judge_error(judge, REASON_FORBIDDEN, "matchLabelKeys",
                    "is allowed only with labelSelector");
}

static const char *const unsatisfiable[] = {"DoNotSchedule", "ScheduleAnyway", NULL};
static const char *const inclusion[] = {"Honor", "Ignore", NULL};

static const struct member spread_members[] = {
    {"maxSkew", INTEGER, REQUIRED, FROM(1)},
    {"topologyKey", STRING, REQUIRED, .check = syntax_label_key},
    {"whenUnsatisfiable", STRING, REQUIRED, .words = unsatisfiable},
    {"labelSelector", OBJECT, .of = &selector_schema},
    {"minDomains", INTEGER, FROM(1)},
    {"nodeAffinityPolicy", STRING, .words = inclusion},
    {"nodeTaintsPolicy", STRING, .words = inclusion},
    {"matchLabelKeys", STRING, LIST, .check = syntax_label_key},
};

static const struct schema spread = {MEMBERS(spread_members), .also = also_spread};

/* ---- runtimeSettings.pod ---- */

static bool sysctl_name(struct span name, struct error *err)
{
    bool fine = name.length && name.length <= 253;

    for (size_t i = 0; i < name.length && fine; i++) {
        char c = name.data[i];

        fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               ((c == '-' || c == '_' || c == '.' || c == '/') && i && i + 1 < name.length);
    }
    return fine || error_set(err, ERROR_INVALID, "expected the name of a sysctl");
}

static const struct member sysctl_members[] = {
    {"name", STRING, REQUIRED, .check = sysctl_name},
    {"value", STRING, REQUIRED},
};

static const struct schema sysctl = {MEMBERS(sysctl_members)};

static const char *const group_changes[] = {"OnRootMismatch", "Always", NULL};
static const char *const group_policies[] = {"Merge", "Strict", NULL};
static const char *const selinux_changes[] = {"MountOption", "Recursive", NULL};

static const struct member pod_security_members[] = {
    {"seLinuxOptions", OBJECT, .of = &selinux_schema},
    {"windowsOptions", OBJECT, .refused = "backups run in Linux containers only"},
    {"runAsUser", INTEGER, FROM(0)},
    {"runAsGroup", INTEGER, FROM(0)},
    {"runAsNonRoot", BOOLEAN},
    {"supplementalGroups", INTEGER, LIST, FROM(0)},
    {"supplementalGroupsPolicy", STRING, .words = group_policies},
    {"fsGroup", INTEGER, FROM(0)},
    {"fsGroupChangePolicy", STRING, .words = group_changes},
    {"sysctls", OBJECT, LIST | UNIQUE, .of = &sysctl, .key = "name"},
    {"seccompProfile", OBJECT, .of = &seccomp_schema},
    {"appArmorProfile", OBJECT, .of = &apparmor_schema},
    {"seLinuxChangePolicy", STRING, .words = selinux_changes},
};

static const struct schema pod_security = {MEMBERS(pod_security_members)};

static const struct member gate_members[] = {
    {"conditionType", STRING, REQUIRED, .check = syntax_label_key},
};

static const struct schema gate = {MEMBERS(gate_members)};

/* A pull secret without a name is legal, and ignored. */
static const struct member pull_secret_members[] = {
    {"name", STRING, .check = syntax_subdomain},
};

static const struct schema pull_secret = {MEMBERS(pull_secret_members)};

static const struct member pod_settings_members[] = {
    {"podLabels", STRING, MAP, .check = syntax_label_value, .key_check = syntax_label_key},
    {"podAnnotations", STRING, MAP, .key_check = syntax_annotation_key},
    {"nodeSelector", STRING, MAP, .check = syntax_label_value, .key_check = syntax_label_key},
    {"serviceAccountName", STRING, .check = syntax_subdomain},
    {"serviceAccountAnnotations", STRING, MAP, .key_check = syntax_annotation_key},
    {"automountServiceAccountToken", BOOLEAN},
    {"nodeName", STRING, .check = syntax_subdomain},
    {"securityContext", OBJECT, .of = &pod_security},
    {"imagePullSecrets", OBJECT, LIST, .of = &pull_secret},
    {"affinity", OBJECT, .of = &affinity},
    {"schedulerName", STRING, .check = syntax_subdomain},
    {"tolerations", OBJECT, LIST, .of = &toleration},
    {"priorityClassName", STRING, .check = syntax_subdomain},
    {"priority", INTEGER, INT32},
    {"readinessGates", OBJECT, LIST, .of = &gate},
    {"runtimeClassName", STRING, .check = syntax_subdomain},
    {"enableServiceLinks", BOOLEAN},
    {"topologySpreadConstraints", OBJECT, LIST, .of = &spread},
};

const struct schema pod_settings_schema = {MEMBERS(pod_settings_members)};
