#include "api/pod.h"

#include <string.h>

#include "base/tree.h"

/*
 * Pod Security Standards as Kubernetes 1.34 enforces them, judged on the pod alone. Each check says
 * whether one container (or the pod) breaks a level. A member that is null is absent.
 */

static bool among(struct span word, const char *const *list)
{
    for (; *list; list++)
        if (span_is(word, *list))
            return true;
    return false;
}

static bool all_among(const json_t *words, const char *const *list)
{
    const json_t *word;
    size_t i;

    tree_items (words, i, word) {
        if (!among(tree_value(word), list))
            return false;
    }
    return true;
}

static const json_t *present(const json_t *object, const char *key)
{
    const json_t *value = tree_get(object, key);

    return json_is_null(value) ? NULL : value;
}

static const char *const default_capabilities[] = {
    "AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",       "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT", NULL};
static const char *const restricted_capabilities[] = {"NET_BIND_SERVICE", NULL};
static const char *const selinux_types[] = {
    "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t", NULL};
static const char *const safe_sysctls[] = {"kernel.shm_rmid_forced",
                                           "net.ipv4.ip_local_port_range",
                                           "net.ipv4.tcp_syncookies",
                                           "net.ipv4.ping_group_range",
                                           "net.ipv4.ip_unprivileged_port_start",
                                           "net.ipv4.ip_local_reserved_ports",
                                           "net.ipv4.tcp_keepalive_time",
                                           "net.ipv4.tcp_fin_timeout",
                                           "net.ipv4.tcp_keepalive_intvl",
                                           "net.ipv4.tcp_keepalive_probes",
                                           "net.ipv4.tcp_rmem",
                                           "net.ipv4.tcp_wmem",
                                           NULL};
static const char *const restricted_volumes[] = {
    "configMap", "csi",    "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret", "name",        NULL};

/* What pod and containers have in common: a securityContext. */
static bool context_breaks_baseline(const json_t *context)
{
    const json_t *selinux = tree_get(context, "seLinuxOptions");
    struct span type = tree_span(selinux, "type"), user = tree_span(selinux, "user"),
                role = tree_span(selinux, "role"), proc = tree_span(context, "procMount");

    return !among(type, selinux_types) || user.length || role.length ||
           (proc.length && !span_is(proc, "Default")) ||
           span_is(tree_span(tree_get(context, "seccompProfile"), "type"), "Unconfined") ||
           span_is(tree_span(tree_get(context, "appArmorProfile"), "type"), "Unconfined") ||
           tree_true(tree_get(context, "windowsOptions"), "hostProcess");
}

static bool handler_names_host(const json_t *handler)
{
    return tree_span(tree_get(handler, "httpGet"), "host").length ||
           tree_span(tree_get(handler, "tcpSocket"), "host").length;
}

static bool container_breaks_baseline(const json_t *container)
{
    const json_t *context = tree_get(container, "securityContext"), *port;
    const json_t *lifecycle = tree_get(container, "lifecycle");
    size_t i;

    tree_items (tree_get(container, "ports"), i, port) {
        if (tree_int(port, "hostPort", 0) != 0)
            return true;
    }
    return context_breaks_baseline(context) || tree_true(context, "privileged") ||
           !all_among(tree_at(context, "capabilities.add"), default_capabilities) ||
           handler_names_host(tree_get(container, "livenessProbe")) ||
           handler_names_host(tree_get(container, "readinessProbe")) ||
           handler_names_host(tree_get(container, "startupProbe")) ||
           handler_names_host(tree_get(lifecycle, "postStart")) ||
           handler_names_host(tree_get(lifecycle, "preStop"));
}

static bool sysctls_break_baseline(const json_t *pod)
{
    const json_t *sysctl;
    size_t i;

    tree_items (tree_at(pod, "securityContext.sysctls"), i, sysctl) {
        if (!among(tree_span(sysctl, "name"), safe_sysctls))
            return true;
    }
    return false;
}

static bool annotations_break_baseline(const json_t *template)
{
    static const char prefix[] = "container.apparmor.security.beta.kubernetes.io/";
    const json_t *value;
    const char *key;

    tree_each (tree_at(template, "metadata.annotations"), key, value) {
        struct span profile = tree_value(value);

        if (strncmp(key, prefix, sizeof prefix - 1) == 0 && profile.length &&
            !span_is(profile, "runtime/default") &&
            !(profile.length >= 10 && memcmp(profile.data, "localhost/", 10) == 0))
            return true;
    }
    return false;
}

static bool pod_breaks_baseline(const json_t *template)
{
    const json_t *pod = tree_get(template, "spec"), *volume;
    size_t i;

    tree_items (tree_get(pod, "volumes"), i, volume) {
        if (tree_member(volume, "hostPath", JSON_OBJECT))
            return true;
    }
    return tree_true(pod, "hostNetwork") || tree_true(pod, "hostPID") ||
           tree_true(pod, "hostIPC") || context_breaks_baseline(tree_get(pod, "securityContext")) ||
           sysctls_break_baseline(pod) || annotations_break_baseline(template);
}

static bool confined(const json_t *context)
{
    static const char *const types[] = {"RuntimeDefault", "Localhost", NULL};

    return among(tree_span(tree_get(context, "seccompProfile"), "type"), types);
}

static bool drops_all(const json_t *context)
{
    const json_t *word;
    size_t i;

    tree_items (tree_at(context, "capabilities.drop"), i, word) {
        if (span_is(tree_value(word), "ALL"))
            return true;
    }
    return false;
}

static bool container_breaks_restricted(const json_t *pod, const json_t *container)
{
    const json_t *own = tree_get(container, "securityContext"),
                 *whole = tree_get(pod, "securityContext");
    const json_t *nonroot = present(own, "runAsNonRoot");
    bool user_namespace = json_is_false(tree_get(pod, "hostUsers"));
    bool promised = nonroot ? json_is_true(nonroot) : tree_true(whole, "runAsNonRoot");

    if (!user_namespace && (!promised || tree_int(own, "runAsUser", -1) == 0))
        return true;
    return !json_is_false(tree_get(own, "allowPrivilegeEscalation")) || !drops_all(own) ||
           !all_among(tree_at(own, "capabilities.add"), restricted_capabilities) ||
           !(present(own, "seccompProfile") ? confined(own) : confined(whole));
}

static bool pod_breaks_restricted(const json_t *pod)
{
    const json_t *volume, *source;
    const char *key;
    size_t i;

    tree_items (tree_get(pod, "volumes"), i, volume) {
        tree_each (volume, key, source) {
            if (!json_is_null(source) && !among(span_of(key), restricted_volumes))
                return true;
        }
    }
    return !json_is_false(tree_get(pod, "hostUsers")) &&
           tree_int(tree_get(pod, "securityContext"), "runAsUser", -1) == 0;
}

enum pod_security pod_security_level(const json_t *template)
{
    static const char *const lists[] = {"containers", "initContainers", "ephemeralContainers"};
    const json_t *pod = tree_get(template, "spec"), *container;
    bool baseline = !pod_breaks_baseline(template), restricted = !pod_breaks_restricted(pod);

    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++) {
        size_t i;

        tree_items (tree_get(pod, lists[l]), i, container) {
            baseline = baseline && !container_breaks_baseline(container);
            restricted = restricted && !container_breaks_restricted(pod, container);
        }
    }
    return !baseline ? POD_PRIVILEGED : restricted ? POD_RESTRICTED : POD_BASELINE;
}
