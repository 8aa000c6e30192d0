#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/suite.h"

#define HEAD                                                                                       \
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'BackupConfiguration',"                  \
    " 'metadata': {'name': 'a', 'namespace': 'demo'},"                                             \
    " 'spec': {'schedule': '@daily', 'repository': {'name': 'r'},"                                 \
    "  'retentionPolicy': {'name': 'x', 'keepLast': 1, 'prune': true},"                            \
    "  'task': {'name': 'pvc-backup'}, 'target': {'ref': {'apiVersion': 'v1',"                     \
    "   'kind': 'PersistentVolumeClaim', 'name': 'a'}},"                                           \
    "  'runtimeSettings': {"

static const char container[] = HEAD
    "'container': {"
    " 'resources': {'limits': {'cpu': '500m', 'memory': '1Gi', 'example.com/device': 2},"
    "   'requests': {'cpu': 0, 'memory': '0.5Gi', 'example.com/device': '2'}},"
    " 'livenessProbe': {'httpGet': {'path': '/', 'port': 'http', 'scheme': ''},"
    "   'initialDelaySeconds': 3, 'timeoutSeconds': 0, 'periodSeconds': 5, 'successThreshold': 1,"
    "   'failureThreshold': 3, 'terminationGracePeriodSeconds': 5},"
    " 'readinessProbe': {'grpc': {'port': 80, 'service': 'x'}, 'successThreshold': 2},"
    " 'lifecycle': {'preStop': {'exec': {'command': ['true']}},"
    "   'postStart': {'tcpSocket': {'port': 80}}},"
    " 'securityContext': {'capabilities': {'add': ['CAP_SYS_ADMIN'], 'drop': ['ALL']},"
    "   'privileged': false, 'runAsUser': 0, 'runAsGroup': 2147483647,"
    "   'seccompProfile': {'type': 'Localhost', 'localhostProfile': 'a/b.json'},"
    "   'appArmorProfile': {'type': 'RuntimeDefault'}, 'seLinuxOptions': {'level': 's0:c1'},"
    "   'procMount': 'Default', 'allowPrivilegeEscalation': true},"
    " 'nice': {'adjustment': -20}, 'ionice': {'class': 3, 'classData': 7},"
    " 'env': [{'name': 'A', 'value': ''}, {'name': 'B', 'value': '$(A)'}, {'name': 'C'},"
    "   {'name': 'D', 'value': '', 'valueFrom': {'secretKeyRef': {'name': 's', 'key': 'k',"
    "     'optional': true}}},"
    "   {'name': 'E', 'valueFrom': {'fieldRef': {'fieldPath': 'metadata.labels[\\u0027a/b\\u0027]',"
    "     'apiVersion': 'v1'}}},"
    "   {'name': 'F', 'valueFrom': {'resourceFieldRef': {'resource': 'limits.cpu',"
    "     'divisor': '1m'}}},"
    "   {'name': 'F', 'valueFrom': {'configMapKeyRef': {'name': 's', 'key': 'k.x'}}}],"
    " 'envFrom': [{'prefix': 'X_', 'secretRef': {'name': 's'}}, {'configMapRef': {'name': 's'}}]"
    "}}}}";

#define P "/spec/runtimeSettings/container"
#define F "spec.runtimeSettings.container"

static const struct judged rows[] = {
    {NULL, NULL, NULL, NULL},
    {P, "{}", NULL, NULL},
    {P "/image", "'x'", F ".image", "warning: unknown field"},
    /* resources */
    {P "/resources/limits/cpu", "'a'", F ".resources.limits[cpu]", "expected a quantity"},
    {P "/resources/limits/cpu", "1.5", F ".resources.limits[cpu]", "expected a quantity such as"},
    {P "/resources/limits/cpu", "-1", F ".resources.limits[cpu]", "must not be negative"},
    {P "/resources/limits/cpus", "1", F ".resources.limits[cpus]", "the key: expected cpu, memory"},
    {P "/resources/limits/hugepages-2Mi", "'2Mi'", F ".resources.limits[hugepages-2Mi]", "the key"},
    {P "/resources/limits/storage", "1", F ".resources.limits[storage]", "the key"},
    {P "/resources/limits/requests.a~1b", "1", F ".resources.limits[requests.a/b]", "the key"},
    {P "/resources/limits/a~1b~1c", "1", F ".resources.limits[a/b/c]", "the key: expected a key"},
    {P "/resources/requests/memory", "'1025Mi'", F ".resources.requests[memory]",
     "must not be above the limit"},
    {P "/resources/requests/memory", "'1024Mi'", NULL, NULL},
    {P "/resources/limits/memory", NULL, NULL, NULL},
    {P "/resources/requests/example.com~1device", "1", F ".resources.requests[example.com/device]",
     "must equal the limit"},
    {P "/resources/limits/example.com~1device", NULL, F ".resources.requests[example.com/device]",
     "a limit of the same amount"},
    {P "/resources/requests/example.com~1device", NULL, NULL, NULL},
    {P "/resources/limits/example.com~1device", "'1500m'",
     F ".resources.limits[example.com/device]", "must be a whole number"},
    {P "/resources/claims", "[{'name': 'x'}]", F ".resources.claims", "not known here"},
    {P "/resources/requests", "[]", F ".resources.requests", "expected an object, found a list"},
    {P "/resources/requests/cpu", "null", F ".resources.requests[cpu]", "found null"},
    /* probes */
    {P "/livenessProbe", "{}", F ".livenessProbe", "exactly one is needed: exec, httpGet"},
    {P "/livenessProbe/exec", "{'command': ['true']}", F ".livenessProbe",
     "only one is allowed, found exec, httpGet"},
    {P "/livenessProbe", "{'exec': {}}", F ".livenessProbe.exec.command", "is required"},
    {P "/livenessProbe", "{'exec': {'command': []}}", F ".livenessProbe.exec.command",
     "at least 1"},
    {P "/livenessProbe", "{'exec': {'command': [1]}}", F ".livenessProbe.exec.command[0]",
     "expected a string"},
    {P "/livenessProbe/httpGet/port", NULL, F ".livenessProbe.httpGet.port", "is required"},
    {P "/livenessProbe/httpGet/port", "'toolongportname-'", F ".livenessProbe.httpGet.port",
     "name of a port"},
    {P "/livenessProbe/httpGet/scheme", "'https'", F ".livenessProbe.httpGet.scheme", "HTTPS"},
    {P "/livenessProbe/httpGet/httpHeaders", "[{'name': ''}]",
     F ".livenessProbe.httpGet.httpHeaders[0].name", "must not be empty"},
    {P "/livenessProbe/successThreshold", "2", F ".livenessProbe.successThreshold",
     "between 0 and 1"},
    {P "/livenessProbe/timeoutSeconds", "-1", F ".livenessProbe.timeoutSeconds", "between 0"},
    {P "/livenessProbe/timeoutSeconds", "2147483648", F ".livenessProbe.timeoutSeconds",
     "between 0 and 2147483647"},
    {P "/livenessProbe/terminationGracePeriodSeconds", "0",
     F ".livenessProbe.terminationGracePeriodSeconds", "between 1"},
    {P "/readinessProbe/terminationGracePeriodSeconds", "5",
     F ".readinessProbe.terminationGracePeriodSeconds", "ends no container"},
    {P "/readinessProbe/grpc/port", "'http'", F ".readinessProbe.grpc.port",
     "expected a whole number"},
    {P "/readinessProbe/grpc/port", "0", F ".readinessProbe.grpc.port", "between 1 and 65535"},
    {P "/startupProbe", "{}", F ".startupProbe", "warning: unknown field"},
    /* lifecycle */
    {P "/lifecycle", "{}", NULL, NULL},
    {P "/lifecycle/preStop", "{}", F ".lifecycle.preStop", "exactly one is needed"},
    {P "/lifecycle/preStop", "{'sleep': {'seconds': 5}}", F ".lifecycle.preStop.sleep",
     "grace period"},
    {P "/lifecycle/stopSignal", "'SIGTERM'", F ".lifecycle.stopSignal", "spec.os"},
    /* securityContext */
    {P "/securityContext/runAsUser", "-1", F ".securityContext.runAsUser", "between 0"},
    {P "/securityContext/runAsUser", "2147483648", F ".securityContext.runAsUser", "between 0"},
    {P "/securityContext/runAsUser", "'0'", F ".securityContext.runAsUser", "expected a whole"},
    {P "/securityContext/runAsNonRoot", "true", F ".securityContext.runAsUser",
     "warning: never starts"},
    {P "/securityContext/allowPrivilegeEscalation", "false",
     F ".securityContext.allowPrivilegeEscalation", "with capability CAP_SYS_ADMIN"},
    {P "/securityContext", "{'allowPrivilegeEscalation': false, 'privileged': true}",
     F ".securityContext.allowPrivilegeEscalation", "in a privileged container"},
    {P "/securityContext/procMount", "'Unmasked'", F ".securityContext.procMount",
     "expected Default"},
    {P "/securityContext/windowsOptions", "{}", F ".securityContext.windowsOptions", "Linux"},
    {P "/securityContext/seccompProfile/localhostProfile", NULL,
     F ".securityContext.seccompProfile.localhostProfile", "is required with type Localhost"},
    {P "/securityContext/seccompProfile/localhostProfile", "'/a'",
     F ".securityContext.seccompProfile.localhostProfile", "expected a relative path"},
    {P "/securityContext/seccompProfile/type", "'RuntimeDefault'",
     F ".securityContext.seccompProfile.localhostProfile", "only with type Localhost"},
    {P "/securityContext/seccompProfile/type", "'runtime/default'",
     F ".securityContext.seccompProfile.type", "expected RuntimeDefault"},
    {P "/securityContext/appArmorProfile", "{'type': 'Localhost', 'localhostProfile': ' a'}",
     F ".securityContext.appArmorProfile.localhostProfile", "without blanks"},
    {P "/securityContext/appArmorProfile", "{}", F ".securityContext.appArmorProfile.type",
     "is required"},
    {P "/securityContext/capabilities/add", "'ALL'", F ".securityContext.capabilities.add",
     "expected a list"},
    /* priority */
    {P "/nice/adjustment", "20", F ".nice.adjustment", "between -20 and 19"},
    {P "/ionice/class", "4", F ".ionice.class", "between 0 and 3"},
    {P "/ionice/classData", "8", F ".ionice.classData", "between 0 and 7"},
    /* env */
    {P "/env/0/name", "'POD_NAME'", F ".env[0].name", "warning: is set by granary itself"},
    {P "/env/1/name", "'NODE_NAME'", F ".env[1].name", "warning: is set by granary itself"},
    {P "/env/2/name", "'POD_NAMESPACE'", F ".env[2].name", "warning: is set by granary itself"},
    {P "/env/0/name", "'1A'", F ".env[0].name", "environment variable"},
    {P "/env/0/name", "'A=B'", F ".env[0].name", "environment variable"},
    {P "/env/0/name", NULL, F ".env[0].name", "is required"},
    {P "/env/0/value", "1", F ".env[0].value", "expected a string, found a number"},
    {P "/env/0/value", "true", F ".env[0].value", "expected a string, found a boolean"},
    {P "/env/0/value", "'a\\u0000'", F ".env[0].value", "NUL"},
    {P "/env/3/value", "'x'", F ".env[3].valueFrom", "not allowed beside a value"},
    {P "/env/3/valueFrom", "{}", F ".env[3].valueFrom", "exactly one is needed: fieldRef"},
    {P "/env/3/valueFrom/fieldRef", "{'fieldPath': 'metadata.name'}", F ".env[3].valueFrom",
     "only one is allowed"},
    {P "/env/3/valueFrom/secretKeyRef/key", "''", F ".env[3].valueFrom.secretKeyRef.key",
     "must not be empty"},
    {P "/env/3/valueFrom/secretKeyRef/key", "'a/b'", F ".env[3].valueFrom.secretKeyRef.key",
     "expected a key"},
    {P "/env/3/valueFrom/secretKeyRef/name", NULL, F ".env[3].valueFrom.secretKeyRef.name",
     "is required"},
    {P "/env/4/valueFrom/fieldRef/fieldPath", "'metadata.labels'",
     F ".env[4].valueFrom.fieldRef.fieldPath", "expected a field of the pod"},
    {P "/env/4/valueFrom/fieldRef/fieldPath", "'metadata.labels[\\u0027a b\\u0027]'",
     F ".env[4].valueFrom.fieldRef.fieldPath", "expected a key"},
    {P "/env/4/valueFrom/fieldRef/fieldPath", "'metadata.annotations[\\u0027A/b\\u0027]'", NULL,
     NULL},
    {P "/env/4/valueFrom/fieldRef/fieldPath", "'status.podIPs'", NULL, NULL},
    {P "/env/4/valueFrom/fieldRef/fieldPath", "'spec.containers'",
     F ".env[4].valueFrom.fieldRef.fieldPath", "expected a field of the pod"},
    {P "/env/4/valueFrom/fieldRef/apiVersion", "'v2'", F ".env[4].valueFrom.fieldRef.apiVersion",
     "expected \"\" or v1"},
    {P "/env/5/valueFrom/resourceFieldRef/resource", "'limits.disk'",
     F ".env[5].valueFrom.resourceFieldRef.resource", "expected limits.cpu"},
    {P "/env/5/valueFrom/resourceFieldRef/divisor", "'2'",
     F ".env[5].valueFrom.resourceFieldRef.divisor", "expected 1m or 1"},
    {P "/env/5/valueFrom/resourceFieldRef/divisor", "'1000m'", NULL, NULL},
    {P "/env/5/valueFrom/resourceFieldRef", "{'resource': 'limits.memory', 'divisor': '1Mi'}", NULL,
     NULL},
    {P "/env/5/valueFrom/resourceFieldRef", "{'resource': 'limits.memory', 'divisor': '1m'}",
     F ".env[5].valueFrom.resourceFieldRef.divisor", "1Ki"},
    {P "/env/3/valueFrom/fileKeyRef", "{}", F ".env[3].valueFrom.fileKeyRef", "not known here"},
    {P "/env", "{}", F ".env", "expected a list, found an object"},
    {P "/envFrom/0/prefix", "'1'", F ".envFrom[0].prefix", "environment variable"},
    {P "/envFrom/0/configMapRef", "{'name': 'x'}", F ".envFrom[0]", "only one is allowed"},
    {P "/envFrom/1/configMapRef", NULL, F ".envFrom[1]", "exactly one is needed"},
    {P "/envFrom/1/configMapRef/name", "'A'", F ".envFrom[1].configMapRef.name", "lower-case"},
};

START_TEST(container_settings)
    {
        judged_row(container, &rows[_i]);
    }
END_TEST

static const char pod[] = HEAD
    "'pod': {'podLabels': {'a': 'b'}, 'podAnnotations': {'A/b': 'x y'},"
    " 'nodeSelector': {'kubernetes.io/os': 'linux'}, 'serviceAccountName': 'sa',"
    " 'serviceAccountAnnotations': {'a': 'b'}, 'automountServiceAccountToken': false,"
    " 'nodeName': 'n.example', 'imagePullSecrets': [{'name': 's'}, {}], 'schedulerName': 's',"
    " 'priorityClassName': 'p', 'priority': -5, 'readinessGates': [{'conditionType': 'a/b'}],"
    " 'runtimeClassName': 'r', 'enableServiceLinks': true,"
    " 'securityContext': {'runAsUser': 1, 'fsGroup': 2, 'supplementalGroups': [3],"
    "   'fsGroupChangePolicy': 'OnRootMismatch', 'sysctls': [{'name': 'net.core.somaxconn',"
    "   'value': '1'}], 'supplementalGroupsPolicy': 'Strict', 'seccompProfile': {"
    "   'type': 'RuntimeDefault'}},"
    " 'tolerations': [{'operator': 'Exists'}, {'key': 'a', 'value': 'b',"
    "   'effect': 'NoExecute', 'tolerationSeconds': 0}, {'key': 'a', 'operator': 'Exists'}],"
    " 'affinity': {'nodeAffinity': {"
    "    'requiredDuringSchedulingIgnoredDuringExecution': {'nodeSelectorTerms': [{"
    "      'matchExpressions': [{'key': 'a', 'operator': 'Gt', 'values': ['1']},"
    "        {'key': 'b', 'operator': 'Exists'}],"
    "      'matchFields': [{'key': 'metadata.name', 'operator': 'In', 'values': ['n']}]}]},"
    "    'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 1, 'preference': {}}]},"
    "   'podAntiAffinity': {'requiredDuringSchedulingIgnoredDuringExecution': [{"
    "      'topologyKey': 'kubernetes.io/hostname', 'labelSelector': {'matchLabels': {'a': 'b'}},"
    "      'namespaces': ['x'], 'namespaceSelector': {}}],"
    "    'preferredDuringSchedulingIgnoredDuringExecution': [{'weight': 100,"
    "      'podAffinityTerm': {'topologyKey': 'a'}}]}},"
    " 'topologySpreadConstraints': [{'maxSkew': 1, 'topologyKey': 'zone',"
    "   'whenUnsatisfiable': 'DoNotSchedule', 'labelSelector': {}, 'minDomains': 2,"
    "   'nodeAffinityPolicy': 'Honor', 'matchLabelKeys': ['a']}]"
    "}}}}";

#undef P
#undef F
#define P "/spec/runtimeSettings/pod"
#define F "spec.runtimeSettings.pod"
#define REQUIRED_NODES P "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution"
#define REQUIRED_F F ".affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"

static const struct judged pod_rows[] = {
    {NULL, NULL, NULL, NULL},
    {P "/podLabels/a", "'b c'", F ".podLabels[a]", "letters, digits"},
    {P "/podAnnotations", "{'a b': 'c'}", F ".podAnnotations[a b]", "the key"},
    {P "/podAnnotations", "{'a': 1}", F ".podAnnotations[a]", "expected a string"},
    {P "/nodeSelector", "{'a': true}", F ".nodeSelector[a]", "expected a string, found a boolean"},
    {P "/serviceAccountName", "'A'", F ".serviceAccountName", "lower-case"},
    {P "/serviceAcountName", "'a'", F ".serviceAcountName", "warning: did you mean \"serviceAc"},
    {P "/imagePullSecrets", "['s']", F ".imagePullSecrets[0]", "expected an object"},
    {P "/priority", "2147483648", F ".priority", "between"},
    {P "/readinessGates/0/conditionType", "'a b'", F ".readinessGates[0].conditionType", "a key"},
    {P "/securityContext/fsGroup", "-1", F ".securityContext.fsGroup", "between 0"},
    {P "/securityContext/supplementalGroups/0", "'3'", F ".securityContext.supplementalGroups[0]",
     "expected a whole number"},
    {P "/securityContext/fsGroupChangePolicy", "'Never'", F ".securityContext.fsGroupChangePolicy",
     "expected OnRootMismatch or Always"},
    {P "/securityContext/sysctls/0/name", "'A'", F ".securityContext.sysctls[0].name", "a sysctl"},
    {P "/securityContext/sysctls/1", "{'name': 'net.core.somaxconn', 'value': '2'}",
     F ".securityContext.sysctls[1].name", "is given twice"},
    {P "/securityContext/windowsOptions", "{}", F ".securityContext.windowsOptions", "Linux"},
    {P "/tolerations/0/operator", NULL, F ".tolerations[0].operator", "must be Exists"},
    {P "/tolerations/2/value", "'x'", F ".tolerations[2].value", "must be empty"},
    {P "/tolerations/1/effect", "'NoSchedule'", F ".tolerations[1].effect", "must be NoExecute"},
    {P "/tolerations/1/effect", "'Never'", F ".tolerations[1].effect", "expected \"\", NoSchedule"},
    {P "/tolerations/1/operator", "'In'", F ".tolerations[1].operator", "expected \"\", Equal"},
    {REQUIRED_NODES "/nodeSelectorTerms", "[]", REQUIRED_F ".nodeSelectorTerms", "at least 1"},
    {REQUIRED_NODES "/nodeSelectorTerms", NULL, REQUIRED_F ".nodeSelectorTerms", "is required"},
    {REQUIRED_NODES "/nodeSelectorTerms/0/matchExpressions/0/values", "['1', '2']",
     REQUIRED_F ".nodeSelectorTerms[0].matchExpressions[0].values", "operator Gt takes one value"},
    {REQUIRED_NODES "/nodeSelectorTerms/0/matchExpressions/0/values", "[]",
     REQUIRED_F ".nodeSelectorTerms[0].matchExpressions[0].values", "operator Gt needs one value"},
    {REQUIRED_NODES "/nodeSelectorTerms/0/matchFields/0/key", "'metadata.uid'",
     REQUIRED_F ".nodeSelectorTerms[0].matchFields[0].key", "expected metadata.name"},
    {REQUIRED_NODES "/nodeSelectorTerms/0/matchFields/0/values", "[]",
     REQUIRED_F ".nodeSelectorTerms[0].matchFields[0].values", "exactly one value"},
    {P "/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/weight", "0",
     F ".affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
     "between 1 and 100"},
    {P "/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/topologyKey",
     NULL,
     F ".affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey",
     "is required"},
    {P "/topologySpreadConstraints/0/maxSkew", "0", F ".topologySpreadConstraints[0].maxSkew",
     "between 1"},
    {P "/topologySpreadConstraints/0/whenUnsatisfiable", "'ScheduleAnyway'",
     F ".topologySpreadConstraints[0].minDomains", "only with whenUnsatisfiable DoNotSchedule"},
    {P "/topologySpreadConstraints/0/labelSelector", NULL,
     F ".topologySpreadConstraints[0].matchLabelKeys", "only with labelSelector"},
};

START_TEST(pod_settings)
    {
        judged_row(pod, &pod_rows[_i]);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(container), 1500);
        ck_assert_uint_gt(judged_mutations(pod), 1500);
    }
END_TEST

SUITE(api_validate_container)
{
    suite_rows(tests, container_settings, rows);
    suite_rows(tests, pod_settings, pod_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
