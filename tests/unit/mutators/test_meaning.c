#include "mutators/meaning.h"

#include "base/auto.h"
#include "base/tree.h"
#include "tests/unit/defaulting.h"
#include "tests/unit/json.h"
#include "tests/unit/suite.h"

/* What an API server fills in or leaves out is no difference; everything else is one. */

struct row {
    const char *a, *b;
    bool same;
};

static void check_row(bool (*same)(const json_t *a, const json_t *b), const struct row *row)
{
    AUTO(json) json_t *a = json_row(row->a), *b = json_row(row->b);

    ck_assert_msg(same(a, b) == row->same, "%s and %s", row->a, row->b);
    ck_assert_msg(same(b, a) == row->same, "%s and %s", row->b, row->a);
}

#define ENV(field) "{'env': [{'name': 'A', 'valueFrom': {" field "}}]}"
#define GET(rest) "{'livenessProbe': {'httpGet': {'port': 80" rest "}}}"
#define PROBE(rest) "{'readinessProbe': {'exec': {'command': ['x']}" rest "}}"
#define CONTEXT(rest) "{'securityContext': {'readOnlyRootFilesystem': true" rest "}}"
#define LIMITS(cpu) "{'resources': {'limits': {'cpu': " cpu "}}}"

static const struct row container_rows[] = {
    {"{}", "{}", true},
    {"{'name': 'stash'}", "{'name': 'stash'}", true},
    {"{'name': 'stash'}", "{'name': 'other'}", false},
    {"{'image': 'i'}", "{'image': 'i', 'imagePullPolicy': 'Always'}", true},
    {"{'image': 'i:latest'}", "{'image': 'i:latest', 'imagePullPolicy': 'Always'}", true},
    {"{'image': 'i:1'}", "{'image': 'i:1', 'imagePullPolicy': 'Always'}", false},
    {"{'image': 'i:1'}", "{'image': 'i:1', 'imagePullPolicy': 'IfNotPresent'}", true},
    {"{'image': 'r:5000/i'}", "{'image': 'r:5000/i', 'imagePullPolicy': 'Always'}", true},
    {"{'image': 'r:5000/i:1'}", "{'image': 'r:5000/i:1', 'imagePullPolicy': 'Always'}", false},
    {"{'image': 'i@sha256:0'}", "{'image': 'i@sha256:0', 'imagePullPolicy': 'IfNotPresent'}", true},
    {"{'image': 1}", "{'image': 1, 'imagePullPolicy': 'Always'}", false},
    {"{}", "{'terminationMessagePath': '/dev/termination-log'}", true},
    {"{}", "{'terminationMessagePath': '/tmp/log'}", false},
    {"{}", "{'terminationMessagePolicy': 'File'}", true},
    {"{}", "{'terminationMessagePolicy': 'FallbackToLogsOnError'}", false},
    {"{}", "{'tty': false, 'workingDir': '', 'stdin': null}", true},
    {"{}", "{'tty': true}", false},
    /* lists: none is an empty one; of others the order counts */
    {"{}", "{'args': [], 'env': null}", true},
    {"{'args': []}", "{'args': null}", true},
    {"{'args': ['a']}", "{}", false},
    {"{'args': ['a', 'b']}", "{'args': ['b', 'a']}", false},
    {"{'args': ['a']}", "{'args': ['a', 'a']}", false},
    {"{'args': ['a']}", "{'args': 'a'}", false},
    {"{'args': {}}", "{'args': []}", false},
    {"{'args': {}}", "{}", false},
    {"{'ports': [{'containerPort': 1}]}", "{'ports': [{'containerPort': 1, 'protocol': 'TCP'}]}",
     true},
    {"{'ports': [{'containerPort': 1}]}", "{'ports': [{'containerPort': 1, 'protocol': 'UDP'}]}",
     false},
    {"{'ports': [{'containerPort': 1}]}", "{'ports': [{'containerPort': 1, 'hostPort': 0}]}", true},
    /* the environment */
    {"{'env': [{'name': 'A'}]}", "{'env': [{'name': 'A', 'value': ''}]}", true},
    {"{'env': [{'name': 'A'}]}", "{'env': [{'name': 'A', 'value': 'TCP'}]}", false},
    {ENV("'fieldRef': {'fieldPath': 'x'}"),
     ENV("'fieldRef': {'fieldPath': 'x', 'apiVersion': 'v1'}"), true},
    {ENV("'fieldRef': {'fieldPath': 'x'}"),
     ENV("'fieldRef': {'fieldPath': 'x', 'apiVersion': 'v2'}"), false},
    {ENV("'resourceFieldRef': {'resource': 'r'}"),
     ENV("'resourceFieldRef': {'resource': 'r', 'divisor': '0'}"), true},
    {ENV("'resourceFieldRef': {'resource': 'r', 'divisor': '1Mi'}"),
     ENV("'resourceFieldRef': {'resource': 'r', 'divisor': '1024Ki'}"), true},
    {ENV("'resourceFieldRef': {'resource': 'r', 'divisor': '1Mi'}"),
     ENV("'resourceFieldRef': {'resource': 'r', 'divisor': '1'}"), false},
    {ENV("'secretKeyRef': {'name': 's', 'key': 'k'}"),
     ENV("'secretKeyRef': {'name': 's', 'key': 'k', 'optional': false}"), true},
    {ENV("'secretKeyRef': {'name': 's', 'key': 'k'}"),
     ENV("'secretKeyRef': {'name': 's', 'key': 'k', 'optional': true}"), false},
    {"{'envFrom': [{'secretRef': {'name': 's'}}]}",
     "{'envFrom': [{'secretRef': {'name': 's'}, 'prefix': ''}]}", true},
    /* probes and handlers */
    {PROBE(""),
     PROBE(", 'timeoutSeconds': 1, 'periodSeconds': 10, 'successThreshold': 1,"
           " 'failureThreshold': 3, 'initialDelaySeconds': 0"),
     true},
    {PROBE(", 'timeoutSeconds': 0"), PROBE(", 'timeoutSeconds': 1"), true},
    {PROBE(", 'timeoutSeconds': 0"), PROBE(", 'timeoutSeconds': 2"), false},
    {PROBE(""), PROBE(", 'periodSeconds': 1"), false},
    {PROBE(""), PROBE(", 'initialDelaySeconds': 1"), false},
    {GET(""), GET(", 'scheme': 'HTTP', 'path': '/'"), true},
    {GET(", 'path': ''"), GET(", 'path': '/'"), true},
    {GET(""), GET(", 'scheme': 'HTTPS'"), false},
    {GET(""), GET(", 'path': '/live'"), false},
    {"{'livenessProbe': {'grpc': {'port': 1}}}",
     "{'livenessProbe': {'grpc': {'port': 1, 'service': ''}}}", true},
    {"{'livenessProbe': {'grpc': {'port': 1}}}", "{'livenessProbe': {'tcpSocket': {'port': 1}}}",
     false},
    {"{'lifecycle': {'preStop': {'httpGet': {'port': 1}}}}",
     "{'lifecycle': {'preStop': {'httpGet': {'port': 1, 'scheme': 'HTTP', 'path': '/'}}}}", true},
    /* resources: amounts, not their spelling; the server writes the empty object out */
    {"{}", "{'resources': {}}", true},
    {"{}", "{'resources': {'limits': {}, 'requests': {}}}", true},
    {"{}", LIMITS("'1'"), false},
    {LIMITS("'1'"), LIMITS("'1000m'"), true},
    {LIMITS("'1'"), LIMITS("1"), true},
    {LIMITS("'1'"), LIMITS("'2'"), false},
    {LIMITS("'x'"), LIMITS("'1'"), false},
    {LIMITS("'1'"), LIMITS("'x'"), false},
    {"{'resources': {'limits': {}}}", LIMITS("0"), false},
    {"{'resources': {'requests': {'memory': '1Gi'}}}",
     "{'resources': {'requests': {'memory': '1024Mi'}}}", true},
    {"{'resources': {'claims': [{'name': '1'}]}}", "{'resources': {'claims': [{'name': '1000m'}]}}",
     false},
    /* users: UID 0 and a promise are said, or they are not */
    {CONTEXT(""), CONTEXT(", 'runAsUser': 0"), false},
    {CONTEXT(""), CONTEXT(", 'runAsGroup': 0"), false},
    {CONTEXT(""), CONTEXT(", 'runAsNonRoot': false"), false},
    {CONTEXT(""), CONTEXT(", 'allowPrivilegeEscalation': false"), false},
    {CONTEXT(""), CONTEXT(", 'privileged': false, 'procMount': 'Default'"), true},
    {CONTEXT(""), CONTEXT(", 'privileged': true"), false},
    {CONTEXT(""), CONTEXT(", 'seLinuxOptions': {'user': 'admin'}"), false},
    {CONTEXT(", 'seLinuxOptions': {}"), CONTEXT(", 'seLinuxOptions': {'user': 'admin'}"), false},
    {CONTEXT(""), "{}", false},
    {"{'volumeMounts': [{'name': 'a', 'mountPath': '/a'}]}",
     "{'volumeMounts': [{'name': 'a', 'mountPath': '/a', 'readOnly': false, 'subPath': ''}]}",
     true},
    {"{'volumeMounts': [{'name': 'a', 'mountPath': '/a'}]}",
     "{'volumeMounts': [{'name': 'a', 'mountPath': '/a', 'readOnly': true}]}", false},
    /* shapes that nobody sends */
    {"[]", "{}", false},
    {"{'a': 1.0}", "{}", false},
    {"{}", "{'path': '/'}", false},
    {"{'name': 'a\\u0000b'}", "{'name': 'a'}", false},
};

START_TEST(containers)
    {
        check_row(container_same_meaning, &container_rows[_i]);
    }
END_TEST

#define SOURCES(rest) "{'projected': {'sources': [{" rest "}]}}"
#define CLAIM(metadata, rest)                                                                      \
    "{'ephemeral': {'volumeClaimTemplate': {" metadata                                             \
    "'spec': {'accessModes': ['ReadWriteOnce']" rest "}}}}"

static const struct row volume_rows[] = {
    {"{'emptyDir': {}}", "{'emptyDir': {'medium': ''}}", true},
    {"{'emptyDir': {}}", "{'emptyDir': {'medium': 'Memory'}}", false},
    {"{'emptyDir': {}}", "{}", false},
    {"{'emptyDir': {'sizeLimit': '1Gi'}}", "{'emptyDir': {'sizeLimit': '1024Mi'}}", true},
    {"{'emptyDir': {'sizeLimit': '1Gi'}}", "{'emptyDir': {'sizeLimit': '1G'}}", false},
    {"{'hostPath': {'path': '/x'}}", "{'hostPath': {'path': '/x', 'type': ''}}", true},
    {"{'hostPath': {'path': '/x'}}", "{'hostPath': {'path': '/x', 'type': 'Directory'}}", false},
    {"{'nfs': {'server': 's', 'path': '/'}}", "{'nfs': {'server': 's'}}", false},
    {"{'secret': {'secretName': 's'}}", "{'secret': {'secretName': 's', 'defaultMode': 420}}",
     true},
    {"{'secret': {'secretName': 's'}}", "{'secret': {'secretName': 's', 'defaultMode': 0}}", false},
    {"{'configMap': {'items': [{'key': 'k', 'path': 'p'}]}}",
     "{'configMap': {'items': [{'key': 'k', 'path': 'p', 'mode': 0}]}}", false},
    {SOURCES("'serviceAccountToken': {'path': 't'}"),
     SOURCES("'serviceAccountToken': {'path': 't', 'expirationSeconds': 3600}"), true},
    {SOURCES("'serviceAccountToken': {'path': 't'}"),
     SOURCES("'serviceAccountToken': {'path': 't', 'expirationSeconds': 600}"), false},
    {SOURCES("'podCertificate': {}"), SOURCES("'podCertificate': {'maxExpirationSeconds': 86400}"),
     true},
    {SOURCES("'configMap': {'name': 'c'}"),
     SOURCES("'configMap': {'name': 'c', 'optional': false}"), true},
    {"{'projected': {'sources': []}}", "{'projected': {'sources': [], 'defaultMode': 420}}", true},
    /* what belongs to one source is no default of another */
    {"{'azureDisk': {'diskName': 'd'}}",
     "{'azureDisk': {'diskName': 'd', 'cachingMode': 'ReadWrite', 'fsType': 'ext4',"
     " 'kind': 'Shared', 'readOnly': false}}",
     true},
    {"{'azureDisk': {'diskName': 'd'}}", "{'azureDisk': {'diskName': 'd', 'kind': 'Managed'}}",
     false},
    {"{'cinder': {'volumeID': 'v'}}", "{'cinder': {'volumeID': 'v', 'fsType': 'ext4'}}", false},
    {"{'cinder': {'volumeID': 'v'}}", "{'cinder': {'volumeID': 'v', 'fsType': ''}}", true},
    {"{'iscsi': {'lun': 0}}", "{'iscsi': {'lun': 0, 'iscsiInterface': 'default'}}", true},
    {"{'iscsi': {'lun': 0}}", "{'iscsi': {}}", true},
    {"{'fc': {'lun': 0}}", "{'fc': {}}", false},
    {"{'rbd': {'image': 'i'}}",
     "{'rbd': {'image': 'i', 'pool': 'rbd', 'user': 'admin', 'keyring': '/etc/ceph/keyring'}}",
     true},
    {"{'rbd': {'image': 'i'}}", "{'rbd': {'image': 'i', 'user': 'me'}}", false},
    {"{'cephfs': {'monitors': ['m']}}", "{'cephfs': {'monitors': ['m'], 'user': 'admin'}}", false},
    {"{'image': {'reference': 'i:1'}}",
     "{'image': {'reference': 'i:1', 'pullPolicy': 'IfNotPresent'}}", true},
    {"{'image': {'reference': 'i:1'}}", "{'image': {'reference': 'i:1', 'pullPolicy': 'Always'}}",
     false},
    /* maps of somebody's own words: a word there is no default */
    {"{'csi': {'driver': 'd'}}", "{'csi': {'driver': 'd', 'volumeAttributes': {}}}", true},
    {"{'csi': {'driver': 'd'}}", "{'csi': {'driver': 'd', 'volumeAttributes': {'a': ''}}}", false},
    {"{'csi': {'volumeAttributes': {}}}", "{'csi': {'volumeAttributes': {'path': '/'}}}", false},
    {"{'csi': {'volumeAttributes': {'limits': '1'}}}",
     "{'csi': {'volumeAttributes': {'limits': '1000m'}}}", false},
    {"{'flexVolume': {'options': {'a': '1'}}}", "{'flexVolume': {'options': {'a': '1'}}}", true},
    {"{'flexVolume': {'options': {'a': '1'}}}", "{'flexVolume': {'options': {'a': '01'}}}", false},
    /* claims within a volume */
    {CLAIM("", ""),
     CLAIM("'metadata': {'creationTimestamp': null}, ", ", 'volumeMode':"
                                                        " 'Filesystem'"),
     true},
    {CLAIM("", ""), CLAIM("'metadata': {'labels': {}}, ", ", 'resources': {}"), true},
    {CLAIM("", ""), CLAIM("'metadata': {'labels': {'a': ''}}, ", ""), false},
    {CLAIM("", ""), CLAIM("", ", 'volumeMode': 'Block'"), false},
    {CLAIM("", ""), CLAIM("", ", 'storageClassName': ''"), false},
    {CLAIM("", ""), CLAIM("", ", 'selector': {}"), false},
    {CLAIM("", ", 'resources': {'requests': {'storage': '1Gi'}}"),
     CLAIM("", ", 'resources': {'requests': {'storage': '1024Mi'}}"), true},
};

START_TEST(volumes)
    {
        check_row(volume_same_meaning, &volume_rows[_i]);
    }
END_TEST

/* Whatever may stand in our part, as it is written and as the server stores it. */
static const char *const stored_containers[] = {
    ("{'name': 'stash', 'image': 'i:1', 'args': [], 'env': [{'name': 'A', 'value': ''}, {'name': "
     "'B',"
     " 'valueFrom': {'fieldRef': {'fieldPath': 'spec.nodeName'}}}, {'name': 'C', 'valueFrom':"
     " {'resourceFieldRef': {'resource': 'limits.cpu'}}}]}"),
    "{'name': 'stash', 'image': 'i', 'envFrom': [{'configMapRef': {'name': 'c'}, 'prefix': ''}]}",
    "{'livenessProbe': {'httpGet': {'port': 1}}, 'readinessProbe': {'grpc': {'port': 1}}}",
    ("{'livenessProbe': {'httpGet': {'port': 1, 'scheme': '', 'path': ''}, 'periodSeconds': 0,"
     " 'initialDelaySeconds': 0}, 'readinessProbe': {'exec': {'command': ['x']}, 'timeoutSeconds':"
     " 7}}"),
    ("{'lifecycle': {'postStart': {'httpGet': {'port': 'x'}}, 'preStop': {'exec': {'command':"
     " ['x']}}}}"),
    "{'ports': [{'containerPort': 1, 'hostPort': 0}]}",
    "{'volumeMounts': [{'name': 'a', 'mountPath': '/a', 'readOnly': false, 'subPath': ''}]}",
};

static const char *const stored_volumes[] = {
    "{'hostPath': {'path': '/x'}}",
    "{'secret': {'secretName': 's'}}",
    "{'configMap': {'name': 'c', 'items': []}}",
    ("{'downwardAPI': {'items': [{'path': 'p', 'fieldRef': {'fieldPath': 'metadata.name'}}, "
     "{'path':"
     " 'q', 'resourceFieldRef': {'containerName': 'c', 'resource': 'limits.cpu'}}]}}"),
    ("{'projected': {'sources': [{'serviceAccountToken': {'path': 't', 'audience': ''}},"
     " {'downwardAPI': {'items': [{'path': 'p', 'fieldRef': {'fieldPath': 'metadata.name'}}]}}]}}"),
    "{'emptyDir': {'medium': ''}}",
    "{'ephemeral': {'volumeClaimTemplate': {'spec': {'accessModes': ['ReadWriteOnce']}}}}",
    "{'image': {'reference': 'i:1'}}",
    "{'image': {'reference': 'i', 'pullPolicy': ''}}",
    "{'persistentVolumeClaim': {'claimName': 'c', 'readOnly': false}}",
    "{'awsElasticBlockStore': {'volumeID': 'v', 'partition': 0, 'fsType': ''}}",
    "{'gcePersistentDisk': {'pdName': 'p', 'partition': 0, 'readOnly': false}}",
    "{'azureDisk': {'diskName': 'd', 'diskURI': 'u'}}",
    "{'azureFile': {'secretName': 's', 'shareName': 'n', 'readOnly': false}}",
    "{'cephfs': {'monitors': ['m'], 'path': ''}}",
    "{'cinder': {'volumeID': 'v', 'fsType': ''}}",
    "{'fc': {'wwids': ['w'], 'lun': 0, 'readOnly': false}}",
    "{'flexVolume': {'driver': 'd', 'options': {}}}",
    "{'glusterfs': {'endpoints': 'e', 'path': 'p', 'readOnly': false}}",
    "{'iscsi': {'targetPortal': 't', 'iqn': 'i', 'lun': 0, 'chapAuthSession': false}}",
    "{'iscsi': {'targetPortal': 't', 'iqn': 'i', 'lun': 0, 'iscsiInterface': ''}}",
    "{'nfs': {'server': 's', 'path': '/', 'readOnly': false}}",
    "{'portworxVolume': {'volumeID': 'v', 'readOnly': false}}",
    "{'rbd': {'monitors': ['m'], 'image': 'i'}}",
    "{'rbd': {'monitors': ['m'], 'image': 'i', 'user': '', 'pool': 'rbd'}}",
    "{'csi': {'driver': 'd'}}",
    "{'vsphereVolume': {'volumePath': 'v'}}",
};

static void check_stored(bool (*same)(const json_t *a, const json_t *b), void (*fill)(json_t *part),
                         const char *row)
{
    AUTO(json) json_t *part = json_row(row), *stored = tree_copy(part);

    fill(stored);
    ck_assert_msg(same(part, stored), "%s is not what is stored of it", row);
    ck_assert_msg(same(stored, part), "what is stored of %s is not the same", row);
}

START_TEST(containers_come_back)
    {
        check_stored(container_same_meaning, default_container, stored_containers[_i]);
    }
END_TEST

START_TEST(volumes_come_back)
    {
        check_stored(volume_same_meaning, default_volume, stored_volumes[_i]);
    }
END_TEST

SUITE(mutators_meaning)
{
    suite_rows(tests, containers, container_rows);
    suite_rows(tests, volumes, volume_rows);
    suite_rows(tests, containers_come_back, stored_containers);
    suite_rows(tests, volumes_come_back, stored_volumes);
}
