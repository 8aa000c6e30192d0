#include "api/keys.h"
#include "api/quantity.h"
#include "api/syntax.h"
#include "api/validate_core.h"
#include "base/tree.h"

const char *const http_schemes[] = {"", "HTTP", "HTTPS", NULL};

static const struct member secret_name_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
};

const struct schema secret_name_schema = {MEMBERS(secret_name_members)};

/* ---- environment ---- */

static const struct member optional_name_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
    {"optional", BOOLEAN},
};

static const struct schema optional_name = {MEMBERS(optional_name_members)};

static const struct member key_ref_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_subdomain},
    {"key", STRING, REQUIRED, .check = syntax_data_key},
    {"optional", BOOLEAN},
};

static const struct schema key_ref = {MEMBERS(key_ref_members)};

/* "metadata.labels['app']": false when it is no such path; then *key is what stands in quotes. */
static bool subscript(struct span path, const char *member, struct span *key)
{
    size_t head = strlen(member), tail = 2;

    if (path.length < head + 2 + tail || memcmp(path.data, member, head) != 0 ||
        memcmp(path.data + head, "['", 2) != 0 ||
        memcmp(path.data + path.length - tail, "']", 2) != 0)
        return false;
    *key = (struct span){path.data + head + 2, path.length - head - 2 - tail};
    return true;
}

static bool field_path(struct span path, const char *const *plain, struct error *err)
{
    struct span key;

    for (; *plain; plain++)
        if (span_is(path, *plain))
            return true;
    if (subscript(path, "metadata.labels", &key))
        return syntax_label_key(key, err);
    if (subscript(path, "metadata.annotations", &key))
        return syntax_annotation_key(key, err);
    return error_set(
        err, ERROR_INVALID,
        "expected a field of the pod, such as metadata.name or metadata.labels['app']");
}

static bool env_field_path(struct span path, struct error *err)
{
    static const char *const plain[] = {"metadata.name",
                                        "metadata.namespace",
                                        "metadata.uid",
                                        "spec.nodeName",
                                        "spec.serviceAccountName",
                                        "status.hostIP",
                                        "status.podIP",
                                        "status.hostIPs",
                                        "status.podIPs",
                                        NULL};

    return field_path(path, plain, err);
}

static bool volume_field_path(struct span path, struct error *err)
{
    static const char *const plain[] = {"metadata.name",   "metadata.namespace",   "metadata.uid",
                                        "metadata.labels", "metadata.annotations", NULL};

    return field_path(path, plain, err);
}

static const char *const v1[] = {"", "v1", NULL};

static const struct member env_field_members[] = {
    {"apiVersion", STRING, .words = v1},
    {"fieldPath", STRING, REQUIRED, .check = env_field_path},
};

static const struct schema env_field = {MEMBERS(env_field_members)};

static const struct member volume_field_members[] = {
    {"apiVersion", STRING, .words = v1},
    {"fieldPath", STRING, REQUIRED, .check = volume_field_path},
};

const struct schema volume_field_schema = {MEMBERS(volume_field_members)};

static const char *const shown_resources[] = {"limits.cpu",
                                              "limits.memory",
                                              "limits.ephemeral-storage",
                                              "requests.cpu",
                                              "requests.memory",
                                              "requests.ephemeral-storage",
                                              NULL};

static bool among(const struct quantity *quantity, const char *const *texts)
{
    struct error err;

    for (; *texts; texts++) {
        struct quantity one;

        if (quantity_parse(span_of(*texts), &one, &err) && quantity_compare(quantity, &one) == 0)
            return true;
    }
    return false;
}

static void also_resource(struct judge *judge, const json_t *object)
{
    static const char *const of_cpu[] = {"0", "1m", "1", NULL};
    static const char *const of_bytes[] = {"0",   "1",   "1k",  "1M",  "1G",  "1T",  "1P", "1E",
                                           "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei", NULL};
    const char *resource = tree_text(object, "resource");
    const json_t *divisor = judge_get(object, "divisor");
    struct quantity quantity;
    struct error err;

    if (!resource || !divisor || !quantity_read(divisor, &quantity, &err))
        return;

    bool cpu = strcmp(resource + strcspn(resource, "."), ".cpu") == 0;

    if (!among(&quantity, cpu ? of_cpu : of_bytes))
        judge_error(judge, REASON_INVALID, "divisor", "expected %s",
                    cpu ? "1m or 1" : "1, 1k, 1M ... or 1Ki, 1Mi ...");
}

static const struct member env_resource_members[] = {
    {"containerName", STRING, .check = syntax_label},
    {"resource", STRING, REQUIRED, .words = shown_resources},
    {"divisor", QUANTITY},
};

static const struct schema env_resource = {MEMBERS(env_resource_members), .also = also_resource};

static const struct member volume_resource_members[] = {
    {"containerName", STRING, REQUIRED, .check = syntax_label},
    {"resource", STRING, REQUIRED, .words = shown_resources},
    {"divisor", QUANTITY},
};

const struct schema volume_resource_schema = {MEMBERS(volume_resource_members),
                                              .also = also_resource};

static const struct member value_from_members[] = {
    {"fieldRef", OBJECT, CHOICE, .of = &env_field},
    {"resourceFieldRef", OBJECT, CHOICE, .of = &env_resource},
    {"configMapKeyRef", OBJECT, CHOICE, .of = &key_ref},
    {"secretKeyRef", OBJECT, CHOICE, .of = &key_ref},
    {"fileKeyRef", OBJECT, .refused = "needs a volume of the pod that is not known here"},
};

static const struct schema value_from = {MEMBERS(value_from_members), .choose = EXACTLY_ONE};

static void also_env(struct judge *judge, const json_t *object)
{
    if (judge_get(object, "valueFrom") && tree_span(object, "value").length)
        judge_error(judge, REASON_INVALID, "valueFrom", "is not allowed beside a value");
    if (key_is_own_variable(tree_span(object, "name")))
        judge_warning(judge, REASON_INVALID, "name",
                      "is set by granary itself; this value is not used");
}

static const struct member env_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_env_name},
    {"value", STRING},
    {"valueFrom", OBJECT, .of = &value_from},
};

static const struct schema env = {MEMBERS(env_members), .also = also_env};

static const struct member env_from_members[] = {
    {"prefix", STRING, .check = syntax_env_name},
    {"configMapRef", OBJECT, CHOICE, .of = &optional_name},
    {"secretRef", OBJECT, CHOICE, .of = &optional_name},
};

static const struct schema env_from = {MEMBERS(env_from_members), .choose = EXACTLY_ONE};

/* ---- probes and lifecycle ---- */

static const struct member exec_members[] = {
    {"command", STRING, LIST | REQUIRED, .at_least = 1, .hint = "the program and its arguments"},
};

const struct schema exec_schema = {MEMBERS(exec_members)};

static const struct member http_header_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_header_name},
    {"value", STRING, .check = syntax_header_value},
};

const struct schema http_header_schema = {MEMBERS(http_header_members)};

static const struct member http_get_members[] = {
    {"path", STRING},
    {"port", PORT, REQUIRED},
    {"host", STRING},
    {"scheme", STRING, .words = http_schemes},
    {"httpHeaders", OBJECT, LIST, .of = &http_header_schema},
};

const struct schema http_get_schema = {MEMBERS(http_get_members)};

static const struct member tcp_socket_members[] = {
    {"port", PORT, REQUIRED},
    {"host", STRING},
};

const struct schema tcp_socket_schema = {MEMBERS(tcp_socket_members)};

static const struct member grpc_members[] = {
    {"port", INTEGER, REQUIRED, .min = 1, .max = 65535},
    {"service", STRING},
};

static const struct schema grpc = {MEMBERS(grpc_members)};

static const struct member probe_members[] = {
    {"exec", OBJECT, CHOICE, .of = &exec_schema},
    {"httpGet", OBJECT, CHOICE, .of = &http_get_schema},
    {"tcpSocket", OBJECT, CHOICE, .of = &tcp_socket_schema},
    {"grpc", OBJECT, CHOICE, .of = &grpc},
    {"initialDelaySeconds", INTEGER, FROM(0)},
    {"timeoutSeconds", INTEGER, FROM(0)},
    {"periodSeconds", INTEGER, FROM(0)},
    {"failureThreshold", INTEGER, FROM(0)},
};

static const struct schema probe = {MEMBERS(probe_members), .choose = EXACTLY_ONE};

static const struct member liveness_members[] = {
    {"successThreshold", INTEGER, .min = 0, .max = 1},
    {"terminationGracePeriodSeconds", INTEGER, FROM(1)},
};

static const struct schema liveness = {MEMBERS(liveness_members), .inlined = &probe};

static const struct member readiness_members[] = {
    {"successThreshold", INTEGER, FROM(0)},
    {"terminationGracePeriodSeconds", INTEGER,
     .refused = "a readiness probe ends no container, so it has no grace period"},
};

static const struct schema readiness = {MEMBERS(readiness_members), .inlined = &probe};

static const struct member handler_members[] = {
    {"exec", OBJECT, CHOICE, .of = &exec_schema},
    {"httpGet", OBJECT, CHOICE, .of = &http_get_schema},
    {"tcpSocket", OBJECT, CHOICE, .of = &tcp_socket_schema},
    {"sleep", OBJECT, .refused = "depends on the grace period of the pod, which is not known here"},
};

static const struct schema handler = {MEMBERS(handler_members), .choose = EXACTLY_ONE};

static const struct member lifecycle_members[] = {
    {"postStart", OBJECT, .of = &handler},
    {"preStop", OBJECT, .of = &handler},
    {"stopSignal", STRING, .refused = "needs spec.os of the pod, which is not known here"},
};

static const struct schema lifecycle = {MEMBERS(lifecycle_members)};

/* ---- resources ---- */

static bool has_prefix(struct span text, const char *prefix)
{
    return text.length >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0;
}

/* Of vendor.example/device: requests and limits of such a resource are one whole number. */
static bool is_extended(struct span name)
{
    return memchr(name.data, '/', name.length) &&
           !memmem(name.data, name.length, "kubernetes.io/", 14);
}

static bool resource_name(struct span name, struct error *err)
{
    if (span_is(name, "cpu") || span_is(name, "memory") || span_is(name, "ephemeral-storage"))
        return true;
    if (!name.length || !memchr(name.data, '/', name.length) || has_prefix(name, "requests."))
        return error_set(err, ERROR_INVALID,
                         "expected cpu, memory, ephemeral-storage or a resource such as "
                         "example.com/device");
    return syntax_label_key(name, err);
}

static bool amount(const json_t *map, const char *key, struct quantity *quantity)
{
    struct error err;

    return quantity_read(judge_get(map, key), quantity, &err);
}

static void judge_whole(struct judge *judge, const char *list, const json_t *map)
{
    size_t mark = judge_enter(judge, list);
    struct quantity quantity;
    const json_t *value;
    const char *key;

    tree_each (map, key, value) {
        size_t inner = judge_enter_key(judge, key);

        if (is_extended(span_of(key)) && amount(map, key, &quantity) &&
            !quantity_is_whole(&quantity))
            judge_error(judge, REASON_INVALID, NULL, "must be a whole number");
        judge_leave(judge, inner);
    }
    judge_leave(judge, mark);
}

static void also_resources(struct judge *judge, const json_t *object)
{
    const json_t *limits = judge_get(object, "limits"), *requests = judge_get(object, "requests");
    const json_t *value;
    const char *key;

    judge_whole(judge, "limits", limits);
    judge_whole(judge, "requests", requests);
    tree_each (requests, key, value) {
        size_t mark = judge_enter(judge, "requests"), inner = judge_enter_key(judge, key);
        struct quantity limit, request;
        bool limited = amount(limits, key, &limit), same = is_extended(span_of(key));

        if (same && !judge_get(limits, key))
            judge_error(judge, REASON_REQUIRED, NULL, "a limit of the same amount is needed");
        if (limited && amount(requests, key, &request)) {
            int order = quantity_compare(&request, &limit);

            if (order > 0 || (same && order))
                judge_error(judge, REASON_INVALID, NULL, "must %s the limit",
                            same ? "equal" : "not be above");
        }
        judge_leave(judge, inner);
        judge_leave(judge, mark);
    }
}

static const struct member resources_members[] = {
    {"limits", QUANTITY, MAP, .key_check = resource_name},
    {"requests", QUANTITY, MAP, .key_check = resource_name},
    {"claims", OBJECT, LIST,
     .refused = "needs resourceClaims of the pod, which are not known here"},
};

static const struct schema resources = {MEMBERS(resources_members), .also = also_resources};

/* ---- securityContext ---- */

static const struct member selinux_members[] = {
    {"user", STRING},
    {"role", STRING},
    {"type", STRING},
    {"level", STRING},
};

const struct schema selinux_schema = {MEMBERS(selinux_members)};

static const char *const profiles[] = {"RuntimeDefault", "Unconfined", "Localhost", NULL};

static void also_profile(struct judge *judge, const json_t *object)
{
    bool local = span_is(tree_span(object, "type"), "Localhost");
    const json_t *profile = judge_get(object, "localhostProfile");

    if (local && !tree_value(profile).length)
        judge_error(judge, REASON_REQUIRED, "localhostProfile", "is required with type Localhost");
    if (!local && profile)
        judge_error(judge, REASON_INVALID, "localhostProfile",
                    "is allowed only with type Localhost");
}

static const struct member seccomp_members[] = {
    {"type", STRING, REQUIRED, .words = profiles},
    {"localhostProfile", STRING, .check = syntax_relative_path},
};

const struct schema seccomp_schema = {MEMBERS(seccomp_members), .also = also_profile};

static bool profile_name(struct span name, struct error *err)
{
    struct span trimmed = text_trim(name);

    return (name.length <= 4095 && trimmed.length == name.length && syntax_no_nul(name, err)) ||
           error_set(err, ERROR_INVALID, "expected the name of a profile without blanks around it");
}

static const struct member apparmor_members[] = {
    {"type", STRING, REQUIRED, .words = profiles},
    {"localhostProfile", STRING, .check = profile_name},
};

const struct schema apparmor_schema = {MEMBERS(apparmor_members), .also = also_profile};

static const struct member capabilities_members[] = {
    {"add", STRING, LIST},
    {"drop", STRING, LIST},
};

static const struct schema capabilities = {MEMBERS(capabilities_members)};

static bool lists(const json_t *list, const char *text)
{
    const json_t *value;
    size_t i;

    tree_items (list, i, value)
        if (json_is_string(value) && span_is(tree_value(value), text))
            return true;
    return false;
}

static void also_security(struct judge *judge, const json_t *object)
{
    const json_t *added = tree_at(object, "capabilities.add");
    bool fixed = json_is_false(tree_get(object, "allowPrivilegeEscalation"));

    if (fixed && tree_true(object, "privileged"))
        judge_error(judge, REASON_INVALID, "allowPrivilegeEscalation",
                    "can not be false in a privileged container");
    if (fixed && lists(added, "CAP_SYS_ADMIN"))
        judge_error(judge, REASON_INVALID, "allowPrivilegeEscalation",
                    "can not be false with capability CAP_SYS_ADMIN");
    if (tree_true(object, "runAsNonRoot") && tree_int(object, "runAsUser", 1) == 0)
        judge_warning(judge, REASON_INVALID, "runAsUser",
                      "user 0 together with runAsNonRoot: such a container never starts");
}

static const char *const default_only[] = {"Default", NULL};

static const struct member security_members[] = {
    {"capabilities", OBJECT, .of = &capabilities},
    {"privileged", BOOLEAN},
    {"seLinuxOptions", OBJECT, .of = &selinux_schema},
    {"windowsOptions", OBJECT, .refused = "backups run in Linux containers only"},
    {"runAsUser", INTEGER, FROM(0)},
    {"runAsGroup", INTEGER, FROM(0)},
    {"runAsNonRoot", BOOLEAN},
    {"readOnlyRootFilesystem", BOOLEAN},
    {"allowPrivilegeEscalation", BOOLEAN},
    {"procMount", STRING, .words = default_only},
    {"seccompProfile", OBJECT, .of = &seccomp_schema},
    {"appArmorProfile", OBJECT, .of = &apparmor_schema},
};

static const struct schema security = {MEMBERS(security_members), .also = also_security};

/* ---- runtimeSettings.container ---- */

static const struct member nice_members[] = {
    {"adjustment", INTEGER, .min = -20, .max = 19},
};

static const struct schema nice_settings = {MEMBERS(nice_members)};

static const struct member ionice_members[] = {
    {"class", INTEGER, .min = 0, .max = 3},
    {"classData", INTEGER, .min = 0, .max = 7},
};

static const struct schema ionice = {MEMBERS(ionice_members)};

static const struct member container_settings_members[] = {
    {"resources", OBJECT, .of = &resources},
    {"livenessProbe", OBJECT, .of = &liveness},
    {"readinessProbe", OBJECT, .of = &readiness},
    {"lifecycle", OBJECT, .of = &lifecycle},
    {"securityContext", OBJECT, .of = &security},
    {"nice", OBJECT, .of = &nice_settings},
    {"ionice", OBJECT, .of = &ionice},
    {"env", OBJECT, LIST, .of = &env},
    {"envFrom", OBJECT, LIST, .of = &env_from},
};

const struct schema container_settings_schema = {MEMBERS(container_settings_members)};

/* ---- parts of a Function ---- */

static const char *const protocols[] = {"", "TCP", "UDP", "SCTP", NULL};

static const struct member container_port_members[] = {
    {"name", STRING, .check = syntax_port_name},
    {"containerPort", INTEGER, REQUIRED, .min = 1, .max = 65535},
    {"hostPort", INTEGER, .min = 0, .max = 65535},
    {"hostIP", STRING},
    {"protocol", STRING, .words = protocols},
};

const struct schema container_port_schema = {MEMBERS(container_port_members)};

static const struct member volume_device_members[] = {
    {"name", STRING, REQUIRED, .check = syntax_label},
    {"devicePath", STRING, REQUIRED, .check = syntax_absolute_path},
};

const struct schema volume_device_schema = {MEMBERS(volume_device_members)};
