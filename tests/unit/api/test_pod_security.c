#include "api/pod.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/api/pods.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* A pod that passes "restricted", as Kubernetes stores it. */
#define RESTRICTED_POD                                                                             \
    "app; init:setup + {'securityContext': {'runAsNonRoot': true, 'seccompProfile': {'type':"      \
    " 'RuntimeDefault'}}, 'containers': [{'name': 'app', 'securityContext':"                       \
    " {'allowPrivilegeEscalation': false, 'capabilities': {'drop': ['ALL']}}}], 'initContainers':" \
    " [{'name': 'setup', 'securityContext': {'allowPrivilegeEscalation': false, 'capabilities':"   \
    " {'drop': ['ALL']}}}]}"

#define APP(rest) "{'containers': [{'name': 'app', " rest "}]}"
#define CONTEXT(rest) APP("'securityContext': {" rest "}")
#define POD_CONTEXT(rest) "{'securityContext': {" rest "}}"
#define VOLUME(source) "{'volumes': [{'name': 'v', '" source "': {}}]}"
#define SYSCTL(name) POD_CONTEXT("'sysctls': [{'name': '" name "', 'value': '1'}]")
#define ADDS(capability) CONTEXT("'capabilities': {'add': ['" capability "']}")

/*
 * Each rule of Pod Security, as a change of that pod, and what the pod then passes. A row each for
 * what is forbidden and for what is still allowed. Spec: kubernetes 1.5.
 */
static const struct {
    const char *change;
    enum pod_security level;
} security_rows[] = {
    {"{}", POD_RESTRICTED},

    /* baseline: host namespaces */
    {"{'hostNetwork': true}", POD_PRIVILEGED},
    {"{'hostPID': true}", POD_PRIVILEGED},
    {"{'hostIPC': true}", POD_PRIVILEGED},
    {"{'hostNetwork': false, 'hostPID': false, 'hostIPC': false}", POD_RESTRICTED},
    /* privileged containers */
    {CONTEXT("'privileged': true"), POD_PRIVILEGED},
    {CONTEXT("'privileged': false"), POD_RESTRICTED},
    {"{'initContainers': [{'name': 'setup', 'securityContext': {'privileged': true}}]}",
     POD_PRIVILEGED},
    {"{'ephemeralContainers': [{'name': 'debug', 'securityContext': {'privileged': true}}]}",
     POD_PRIVILEGED},
    /* capabilities beyond the default list */
    {ADDS("SYS_ADMIN"), POD_PRIVILEGED},
    {ADDS("NET_RAW"), POD_PRIVILEGED},
    {ADDS("ALL"), POD_PRIVILEGED},
    {ADDS("AUDIT_WRITE"), POD_BASELINE},
    {ADDS("CHOWN"), POD_BASELINE},
    {ADDS("DAC_OVERRIDE"), POD_BASELINE},
    {ADDS("FOWNER"), POD_BASELINE},
    {ADDS("FSETID"), POD_BASELINE},
    {ADDS("KILL"), POD_BASELINE},
    {ADDS("MKNOD"), POD_BASELINE},
    {ADDS("SETFCAP"), POD_BASELINE},
    {ADDS("SETGID"), POD_BASELINE},
    {ADDS("SETPCAP"), POD_BASELINE},
    {ADDS("SETUID"), POD_BASELINE},
    {ADDS("SYS_CHROOT"), POD_BASELINE},
    {ADDS("NET_BIND_SERVICE"), POD_RESTRICTED},
    {CONTEXT("'capabilities': {'add': [1]}"), POD_PRIVILEGED},
    /* hostPath volumes */
    {VOLUME("hostPath"), POD_PRIVILEGED},
    /* host ports */
    {APP("'ports': [{'containerPort': 80}, {'containerPort': 81, 'hostPort': 81}]"),
     POD_PRIVILEGED},
    {APP("'ports': [{'containerPort': 80, 'hostPort': 0}, {'containerPort': 81}]"), POD_RESTRICTED},
    /* the host of probes and lifecycle handlers */
    {APP("'livenessProbe': {'httpGet': {'host': '10.0.0.1', 'port': 80}}"), POD_PRIVILEGED},
    {APP("'readinessProbe': {'tcpSocket': {'host': '10.0.0.1', 'port': 80}}"), POD_PRIVILEGED},
    {APP("'startupProbe': {'httpGet': {'host': 'x', 'port': 80}}"), POD_PRIVILEGED},
    {APP("'lifecycle': {'postStart': {'httpGet': {'host': 'x', 'port': 80}}}"), POD_PRIVILEGED},
    {APP("'lifecycle': {'preStop': {'tcpSocket': {'host': 'x', 'port': 80}}}"), POD_PRIVILEGED},
    {APP("'livenessProbe': {'httpGet': {'host': '', 'port': 80}}"), POD_RESTRICTED},
    {APP("'livenessProbe': {'exec': {'command': ['true']}}"), POD_RESTRICTED},
    /* AppArmor */
    {CONTEXT("'appArmorProfile': {'type': 'Unconfined'}"), POD_PRIVILEGED},
    {POD_CONTEXT("'appArmorProfile': {'type': 'Unconfined'}"), POD_PRIVILEGED},
    {CONTEXT("'appArmorProfile': {'type': 'RuntimeDefault'}"), POD_RESTRICTED},
    {CONTEXT("'appArmorProfile': {'type': 'Localhost', 'localhostProfile': 'p'}"), POD_RESTRICTED},
    /* SELinux */
    {CONTEXT("'seLinuxOptions': {'type': 'spc_t'}"), POD_PRIVILEGED},
    {POD_CONTEXT("'seLinuxOptions': {'type': 'spc_t'}"), POD_PRIVILEGED},
    {CONTEXT("'seLinuxOptions': {'user': 'system_u'}"), POD_PRIVILEGED},
    {POD_CONTEXT("'seLinuxOptions': {'role': 'system_r'}"), POD_PRIVILEGED},
    {CONTEXT("'seLinuxOptions': {'type': 'container_t', 'level': 's0:c1,c2'}"), POD_RESTRICTED},
    {CONTEXT("'seLinuxOptions': {'type': 'container_init_t'}"), POD_RESTRICTED},
    {CONTEXT("'seLinuxOptions': {'type': 'container_kvm_t'}"), POD_RESTRICTED},
    {CONTEXT("'seLinuxOptions': {'type': 'container_engine_t'}"), POD_RESTRICTED},
    {CONTEXT("'seLinuxOptions': {'type': '', 'user': '', 'role': ''}"), POD_RESTRICTED},
    /* procMount */
    {CONTEXT("'procMount': 'Unmasked'"), POD_PRIVILEGED},
    {CONTEXT("'procMount': 'Default'"), POD_RESTRICTED},
    /* sysctls */
    {SYSCTL("kernel.msgmax"), POD_PRIVILEGED},
    {SYSCTL("net.core.somaxconn"), POD_PRIVILEGED},
    {SYSCTL("kernel.shm_rmid_forced"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.ip_local_port_range"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.ip_unprivileged_port_start"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_syncookies"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.ping_group_range"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.ip_local_reserved_ports"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_keepalive_time"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_fin_timeout"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_keepalive_intvl"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_keepalive_probes"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_rmem"), POD_RESTRICTED},
    {SYSCTL("net.ipv4.tcp_wmem"), POD_RESTRICTED},
    /* seccomp */
    {CONTEXT("'seccompProfile': {'type': 'Unconfined'}"), POD_PRIVILEGED},
    {POD_CONTEXT("'seccompProfile': {'type': 'Unconfined'}"), POD_PRIVILEGED},
    /* processes of the Windows host */
    {CONTEXT("'windowsOptions': {'hostProcess': true}"), POD_PRIVILEGED},
    {POD_CONTEXT("'windowsOptions': {'hostProcess': true}"), POD_PRIVILEGED},
    {CONTEXT("'windowsOptions': {'hostProcess': false}"), POD_RESTRICTED},

    /* restricted: volumes */
    {VOLUME("configMap"), POD_RESTRICTED},
    {VOLUME("csi"), POD_RESTRICTED},
    {VOLUME("downwardAPI"), POD_RESTRICTED},
    {VOLUME("emptyDir"), POD_RESTRICTED},
    {VOLUME("ephemeral"), POD_RESTRICTED},
    {VOLUME("image"), POD_RESTRICTED},
    {VOLUME("persistentVolumeClaim"), POD_RESTRICTED},
    {VOLUME("projected"), POD_RESTRICTED},
    {VOLUME("secret"), POD_RESTRICTED},
    {VOLUME("nfs"), POD_BASELINE},
    {VOLUME("iscsi"), POD_BASELINE},
    {VOLUME("cephfs"), POD_BASELINE},
    {VOLUME("awsElasticBlockStore"), POD_BASELINE},
    {VOLUME("somethingNew"), POD_BASELINE},
    {"{'volumes': [{'name': 'v', 'emptyDir': {}, 'hostPath': null, 'nfs': null}]}", POD_RESTRICTED},
    /* privilege escalation */
    {CONTEXT("'allowPrivilegeEscalation': true"), POD_BASELINE},
    {CONTEXT("'allowPrivilegeEscalation': null"), POD_BASELINE},
    {"{'initContainers': [{'name': 'setup', 'securityContext': {'allowPrivilegeEscalation': true"
     "}}]}",
     POD_BASELINE},
    {"{'ephemeralContainers': [{'name': 'debug'}]}", POD_BASELINE},
    /* all capabilities dropped */
    {CONTEXT("'capabilities': null"), POD_BASELINE},
    {CONTEXT("'capabilities': {'drop': null}"), POD_BASELINE},
    {CONTEXT("'capabilities': {'drop': ['KILL']}"), POD_RESTRICTED}, /* beside ALL */
    {"{'containers': [{'name': 'more', 'securityContext': {'allowPrivilegeEscalation': false,"
     " 'capabilities': {'drop': ['KILL']}}}]}",
     POD_BASELINE},
    {"{'containers': [{'name': 'more', 'securityContext': {'allowPrivilegeEscalation': false,"
     " 'capabilities': {'drop': ['CHOWN', 'ALL']}}}]}",
     POD_RESTRICTED},
    /* runAsNonRoot, of the container or else of the pod */
    {POD_CONTEXT("'runAsNonRoot': false"), POD_BASELINE},
    {POD_CONTEXT("'runAsNonRoot': null"), POD_BASELINE},
    {CONTEXT("'runAsNonRoot': false"), POD_BASELINE},
    {CONTEXT("'runAsNonRoot': true"), POD_RESTRICTED},
    {CONTEXT("'runAsNonRoot': null"), POD_RESTRICTED},
    {"{'securityContext': {'runAsNonRoot': false}, 'containers': [{'name': 'app',"
     " 'securityContext': {'runAsNonRoot': true}}], 'initContainers': [{'name': 'setup',"
     " 'securityContext': {'runAsNonRoot': true}}]}",
     POD_RESTRICTED},
    /* not the user 0 */
    {POD_CONTEXT("'runAsUser': 0"), POD_BASELINE},
    {CONTEXT("'runAsUser': 0"), POD_BASELINE},
    {POD_CONTEXT("'runAsUser': 1000"), POD_RESTRICTED},
    {CONTEXT("'runAsUser': 1000"), POD_RESTRICTED},
    /* both are waived in a user namespace */
    {"{'hostUsers': false, 'securityContext': {'runAsNonRoot': false, 'runAsUser': 0},"
     " 'containers': [{'name': 'app', 'securityContext': {'runAsUser': 0}}]}",
     POD_RESTRICTED},
    {"{'hostUsers': true, 'securityContext': {'runAsNonRoot': false}}", POD_BASELINE},
    {"{'hostUsers': false, 'containers': [{'name': 'app', 'securityContext':"
     " {'allowPrivilegeEscalation': true}}]}",
     POD_BASELINE},
    /* seccomp, of the container or else of the pod */
    {POD_CONTEXT("'seccompProfile': null"), POD_BASELINE},
    {CONTEXT("'seccompProfile': {'type': 'Localhost', 'localhostProfile': 'p'}"), POD_RESTRICTED},
    {CONTEXT("'seccompProfile': null"), POD_RESTRICTED},
    {CONTEXT("'seccompProfile': {}"), POD_BASELINE},
    {"{'securityContext': {'seccompProfile': null}, 'containers': [{'name': 'app',"
     " 'securityContext': {'seccompProfile': {'type': 'RuntimeDefault'}}}], 'initContainers':"
     " [{'name': 'setup', 'securityContext': {'seccompProfile': {'type': 'RuntimeDefault'}}}]}",
     POD_RESTRICTED},
    /* other shapes */
    {"{'volumes': 1, 'securityContext': []}", POD_BASELINE},
    {"{'containers': 1, 'initContainers': null}", POD_RESTRICTED},
    {"{'containers': [1]}", POD_BASELINE},
};

START_TEST(security_levels)
    {
        AUTO(json)
        json_t *template = pod_row(RESTRICTED_POD), *change = json_row(security_rows[_i].change);

        merge_row(json_object_get(template, "spec"), change);
        ck_assert_int_eq(pod_security_level(template), security_rows[_i].level);
    }
END_TEST

/* AppArmor as annotations of the template, the older way. */
static const struct {
    const char *key, *profile;
    enum pod_security level;
} annotation_rows[] = {
    {"container.apparmor.security.beta.kubernetes.io/app", "unconfined", POD_PRIVILEGED},
    {"container.apparmor.security.beta.kubernetes.io/gone", "unconfined", POD_PRIVILEGED},
    {"container.apparmor.security.beta.kubernetes.io/app", "localhost", POD_PRIVILEGED},
    {"container.apparmor.security.beta.kubernetes.io/app", "runtime/default", POD_RESTRICTED},
    {"container.apparmor.security.beta.kubernetes.io/app", "localhost/mine", POD_RESTRICTED},
    {"container.apparmor.security.beta.kubernetes.io/app", "", POD_RESTRICTED},
    {"apparmor.security.beta.kubernetes.io/app", "unconfined", POD_RESTRICTED},
};

START_TEST(apparmor_annotations)
    {
        AUTO(json) json_t *template = pod_row(RESTRICTED_POD), *annotations = json_object();

        tree_put_text(annotations, annotation_rows[_i].key, annotation_rows[_i].profile);
        json_object_set(json_object_get(template, "metadata"), "annotations", annotations);
        ck_assert_int_eq(pod_security_level(template), annotation_rows[_i].level);
    }
END_TEST

START_TEST(pods_without_anything)
    {
        AUTO(json) json_t *empty = json_object(), *plain = pod_row("pvc a; app a:/data");

        ck_assert_int_eq(pod_security_level(NULL), POD_RESTRICTED);
        ck_assert_int_eq(pod_security_level(empty), POD_RESTRICTED);
        ck_assert_int_eq(pod_security_level(plain), POD_BASELINE);
    }
END_TEST

SUITE(api_pod_security)
{
    suite_rows(tests, security_levels, security_rows);
    suite_rows(tests, apparmor_annotations, annotation_rows);
    tcase_add_test(tests, pods_without_anything);
}
