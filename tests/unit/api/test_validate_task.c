#include "api/validate.h"

#include "base/auto.h"
#include "tests/unit/api/judged.h"
#include "tests/unit/suite.h"

static const char function[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Function',"
    " 'metadata': {'name': 'pvc-backup'},"
    " 'spec': {'image': '${REGISTRY:=docker.io}/stash:${TAG}', 'command': ['/stash'],"
    "  'args': ['backup-pvc', '--bucket=${REPOSITORY_BUCKET:=}', '--path=${TARGET_PATHS}'],"
    "  'workingDir': '/', 'ports': [{'containerPort': 8080, 'name': 'http', 'protocol': 'TCP'}],"
    "  'volumeMounts': [{'name': '${targetVolume}', 'mountPath': '${TARGET_MOUNT_PATH}'},"
    "   {'name': 'a', 'mountPath': '/a'}],"
    "  'volumeDevices': [{'name': 'd', 'devicePath': '/dev/x'}],"
    "  'runtimeSettings': {'resources': {'limits': {'memory': '1Gi'}}}}}";

static const struct judged function_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/image", NULL, "spec.image", "warning: runs nothing"},
    {"/spec/image", "'a b'", "spec.image", "no blanks"},
    {"/spec/args", "'x'", "spec.args", "expected a list"},
    {"/spec/args/0", "1", "spec.args[0]", "expected a string"},
    {"/spec/args/0", "'a\\u0000'", "spec.args[0]", "NUL"},
    {"/spec/arg", "[]", "spec.arg", "warning: did you mean \"args\""},
    {"/spec/ports/0/containerPort", "0", "spec.ports[0].containerPort", "between 1 and 65535"},
    {"/spec/ports/0/protocol", "'http'", "spec.ports[0].protocol", "expected \"\", TCP"},
    {"/spec/volumeMounts/1/mountPath", "'a'", "spec.volumeMounts[1].mountPath", "absolute path"},
    {"/spec/volumeMounts/1/mountPath", "'${TARGET_MOUNT_PATH}'", "spec.volumeMounts[1].mountPath",
     "is given twice"},
    {"/spec/volumeMounts/1/subPath", "'x'", NULL, NULL},
    {"/spec/volumeMounts/1", "{'name': 'a', 'mountPath': '/a', 'subPath': 'b', 'subPathExpr': 'c'}",
     "spec.volumeMounts[1].subPathExpr", "not allowed beside subPath"},
    {"/spec/volumeMounts/1/recursiveReadOnly", "'Enabled'",
     "spec.volumeMounts[1].recursiveReadOnly", "only with readOnly"},
    {"/spec/volumeMounts/1/mountPropagation", "'None'", NULL, NULL},
    {"/spec/volumeMounts/1/mountPropagation", "'Both'", "spec.volumeMounts[1].mountPropagation",
     "expected None"},
    {"/spec/runtimeSettings/env", "[{}]", "spec.runtimeSettings.env[0].name", "is required"},
    {"/spec/runtimeSettings/container", "{}", "spec.runtimeSettings.container",
     "warning: unknown field"},
};

START_TEST(functions)
    {
        judged_row(function, &function_rows[_i]);
    }
END_TEST

static const char task[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Task',"
    " 'metadata': {'name': 'pvc-backup'},"
    " 'spec': {'steps': [{'name': 'pvc-backup', 'params': [{'name': 'outputDir',"
    "    'value': '/stash-tmp/output'}, {'name': 'targetVolume', 'value': ''}]},"
    "   {'name': 'update-status'}],"
    "  'volumes': [{'name': 'target', 'persistentVolumeClaim': {'claimName': '${TARGET_NAME}'}},"
    "   {'name': 'secret', 'secret': {'secretName': '${secretVolume}', 'defaultMode': 256}},"
    "   {'name': 'scratch'}]}}";

static const struct judged task_rows[] = {
    {NULL, NULL, NULL, NULL},
    {"/spec/steps", NULL, "spec.steps", "is required"},
    {"/spec/steps", "[]", "spec.steps", "at least 1 expected: the Functions"},
    {"/spec/steps/0/name", NULL, "spec.steps[0].name", "is required"},
    {"/spec/steps/0/name", "'pvc_backup'", "spec.steps[0].name", "lower-case"},
    {"/spec/steps/1/name", "'pvc-backup'", NULL, NULL},
    {"/spec/steps/0/params/1/name", "'outputDir'", "spec.steps[0].params[1].name",
     "is given twice"},
    {"/spec/volumes/0/name", "'A'", "spec.volumes[0].name", "lower-case"},
    {"/spec/volumes/1/name", "'target'", "spec.volumes[1].name", "is given twice"},
    {"/spec/volumes/0/nfs", "{'server': 'a', 'path': '/'}", "spec.volumes[0]",
     "only one is allowed, found persistentVolumeClaim, nfs"},
};

START_TEST(tasks)
    {
        judged_row(task, &task_rows[_i]);
    }
END_TEST

#define V "/spec/volumes/2"
#define G "spec.volumes[2]"

/* Sources that stand in a volume: what is needed, and a mistake in each. */
static const struct judged volume_rows[] = {
    {V "/emptyDir", "{}", NULL, NULL},
    {V "/emptyDir", "{'medium': 'Memory', 'sizeLimit': '1Gi'}", NULL, NULL},
    {V "/emptyDir", "{'medium': 'memory'}", G ".emptyDir.medium", "expected \"\", Memory"},
    {V "/emptyDir", "{'sizeLimit': '-1'}", G ".emptyDir.sizeLimit", "must not be negative"},
    {V "/hostPath", "{'path': '/x', 'type': 'Directory'}", NULL, NULL},
    {V "/hostPath", "{'path': '/x/../y'}", G ".hostPath.path", "\"..\""},
    {V "/hostPath", "{'path': '../y'}", G ".hostPath.path", "\"..\""},
    {V "/hostPath", "{'path': '/x', 'type': 'Dir'}", G ".hostPath.type", "is not supported"},
    {V "/hostPath", "{}", G ".hostPath.path", "is required"},
    {V "/nfs", "{'server': 'a', 'path': 'x'}", G ".nfs.path", "absolute path"},
    {V "/persistentVolumeClaim", "{}", G ".persistentVolumeClaim.claimName", "is required"},
    {V "/configMap", "{'name': 'a', 'items': [{'key': 'k', 'path': 'p', 'mode': 511}]}", NULL,
     NULL},
    {V "/configMap", "{'name': 'a', 'items': [{'key': 'k', 'path': '..p'}]}",
     G ".configMap.items[0].path", "must not begin"},
    {V "/configMap", "{'name': 'a', 'items': [{'key': 'k', 'path': '/p'}]}",
     G ".configMap.items[0].path", "relative path"},
    {V "/configMap", "{'name': 'a', 'items': [{'key': 'k', 'path': 'p', 'mode': 512}]}",
     G ".configMap.items[0].mode", "between 0 and 511"},
    {V "/configMap", "{'defaultMode': 1}", G ".configMap.name", "is required"},
    {V "/secret", "{'secretName': 'a', 'defaultMode': 1000}", G ".secret.defaultMode", "between 0"},
    {V "/secret", "{'name': 'a'}", G ".secret.secretName", "is required"},
    {V "/downwardAPI", "{'items': [{'path': 'a', 'fieldRef': {'fieldPath': 'metadata.labels'}}]}",
     NULL, NULL},
    {V "/downwardAPI", "{'items': [{'path': 'a', 'fieldRef': {'fieldPath': 'status.podIP'}}]}",
     G ".downwardAPI.items[0].fieldRef.fieldPath", "expected a field"},
    {V "/downwardAPI", "{'items': [{'path': 'a'}]}", G ".downwardAPI.items[0]",
     "exactly one is needed"},
    {V "/downwardAPI", "{'items': [{'path': 'a', 'resourceFieldRef': {'resource': 'limits.cpu'}}]}",
     G ".downwardAPI.items[0].resourceFieldRef.containerName", "is required"},
    {V "/projected",
     "{'sources': [{'serviceAccountToken': {'path': 't', 'expirationSeconds': 600}},"
     " {'secret': {'name': 's'}}, {'configMap': {'name': 's'}}, {'downwardAPI': {}},"
     " {'clusterTrustBundle': {'path': 'p', 'name': 'n'}}, {'podCertificate': {'x': 1}}]}",
     NULL, NULL},
    {V "/projected",
     "{'sources': [{'serviceAccountToken': {'path': 't', 'expirationSeconds': 599}}]}",
     G ".projected.sources[0].serviceAccountToken.expirationSeconds", "between 600"},
    {V "/projected", "{'sources': [{}]}", G ".projected.sources[0]", "exactly one is needed"},
    {V "/csi",
     "{'driver': 'd', 'nodePublishSecretRef': {'name': 's'}, 'volumeAttributes': {'a': "
     "'b'}}",
     NULL, NULL},
    {V "/csi", "{}", G ".csi.driver", "is required"},
    {V "/image", "{'reference': 'a', 'pullPolicy': 'Never'}", NULL, NULL},
    {V "/image", "{'reference': 'a', 'pullPolicy': 'No'}", G ".image.pullPolicy", "expected"},
    {V "/ephemeral",
     "{'volumeClaimTemplate': {'spec': {'accessModes': ['ReadWriteOnce'], 'resources': {"
     "'requests': {'storage': 5}}}}}",
     NULL, NULL},
    {V "/ephemeral", "{}", G ".ephemeral.volumeClaimTemplate", "is required"},
    {V "/gcePersistentDisk", "{'pdName': 'a', 'partition': 256}", G ".gcePersistentDisk.partition",
     "between 0 and 255"},
    {V "/awsElasticBlockStore", "{}", G ".awsElasticBlockStore.volumeID", "is required"},
    {V "/azureDisk", "{'diskName': 'a', 'diskURI': 'b', 'kind': 'X'}", G ".azureDisk.kind",
     "expected Shared"},
    {V "/azureFile", "{'secretName': 'a'}", G ".azureFile.shareName", "is required"},
    {V "/cephfs", "{'monitors': []}", G ".cephfs.monitors", "at least 1"},
    {V "/rbd", "{'monitors': ['a']}", G ".rbd.image", "is required"},
    {V "/iscsi", "{'targetPortal': 'a', 'iqn': 'b', 'lun': 0}", NULL, NULL},
    {V "/iscsi", "{'targetPortal': 'a', 'iqn': 'b', 'lun': 256}", G ".iscsi.lun", "between 0"},
    {V "/fc", "{'lun': 1, 'targetWWNs': ['a']}", NULL, NULL},
    {V "/flexVolume", "{'options': {'a': 1}}", G ".flexVolume.options[a]", "expected a string"},
    {V "/glusterfs", "{'path': 'a'}", G ".glusterfs.endpoints", "is required"},
    {V "/portworxVolume", "{}", G ".portworxVolume.volumeID", "is required"},
    {V "/vsphereVolume", "{}", G ".vsphereVolume.volumePath", "is required"},
    {V "/cinder", "{'volumeID': 'a', 'secretRef': {}}", G ".cinder.secretRef.name", "is required"},
    {V "/gitRepo", "{'repository': 'a'}", G ".gitRepo", "switched off in Kubernetes"},
    {V "/flocker", "{'datasetName': 'a'}", G ".flocker", "removed from Kubernetes"},
};

START_TEST(volumes)
    {
        judged_row(task, &volume_rows[_i]);
    }
END_TEST

#define C "/spec/volumes/2/ephemeral/volumeClaimTemplate"
#define H "spec.volumes[2].ephemeral.volumeClaimTemplate"

static const char claim_task[] =
    "{'apiVersion': 'stash.appscode.com/v1beta1', 'kind': 'Task', 'metadata': {'name': 'a'},"
    " 'spec': {'steps': [{'name': 'a'}], 'volumes': [{'name': 'a'}, {'name': 'b'}, {'name': 'c',"
    "  'ephemeral': {'volumeClaimTemplate': {'metadata': {'name': 'n', 'labels': {'a': 'b'}},"
    "   'spec': {'accessModes': ['ReadWriteOnce', 'ReadOnlyMany'], 'volumeMode': 'Filesystem',"
    "    'storageClassName': '', 'selector': {'matchLabels': {'a': 'b'}},"
    "    'dataSource': {'kind': 'PersistentVolumeClaim', 'name': 'x'},"
    "    'resources': {'requests': {'storage': '1Gi'}, 'limits': {'storage': '2Gi'}}}}}}]}}";

static const struct judged claim_rows[] = {
    {NULL, NULL, NULL, NULL},
    {C "/spec/accessModes/1", "'ReadWriteOncePod'", H ".spec.accessModes", "stands alone"},
    {C "/spec/accessModes", "['ReadWriteOncePod']", NULL, NULL},
    {C "/spec/resources/requests/storage", NULL, H ".spec.resources.requests[storage]",
     "is required"},
    {C "/spec/resources/requests/storage", "'0'", H ".spec.resources.requests[storage]",
     "must be above zero"},
    {C "/spec/resources/requests/storage", "'3Gi'", H ".spec.resources.requests[storage]",
     "must not be above the limit"},
    {C "/spec/resources", NULL, H ".spec.resources", "is required"},
    {C "/spec/volumeMode", "'File'", H ".spec.volumeMode", "expected Filesystem or Block"},
    {C "/spec/dataSource/kind", NULL, H ".spec.dataSource.kind", "is required"},
    {C "/metadata/labels/a", "' '", H ".metadata.labels[a]", "letters"},
};

START_TEST(claims)
    {
        judged_row(claim_task, &claim_rows[_i]);
    }
END_TEST

START_TEST(mutated_objects_crash_nothing)
    {
        ck_assert_uint_gt(judged_mutations(function), 300);
        ck_assert_uint_gt(judged_mutations(task), 300);
        ck_assert_uint_gt(judged_mutations(claim_task), 300);
    }
END_TEST

SUITE(api_validate_task)
{
    suite_rows(tests, functions, function_rows);
    suite_rows(tests, tasks, task_rows);
    suite_rows(tests, volumes, volume_rows);
    suite_rows(tests, claims, claim_rows);
    tcase_add_test(tests, mutated_objects_crash_nothing);
}
