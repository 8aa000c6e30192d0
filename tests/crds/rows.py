"""Manifests and what becomes of them. A row is a base with edits at dotted paths, and an expectation:

  fine()                      both let it in
  both(field, words)          the API server refuses it at this field or above, and so does the webhook
  webhook(field, words, why)  the webhook alone refuses; why an API server can not

`words` is a part of the webhook's message. Lists are counted: "rules.0.paths"; GONE removes."""

import copy

GONE = object()


def fine():
    return ("fine", "", "", "")


def both(field, words):
    return ("both", field, words, "")


def webhook(field, words, why):
    return ("webhook", field, words, why)


STATE = "needs other objects, or metadata that rules can not see"
MEANING = "more than a pattern can say"
CORE = "inside a type of Kubernetes"
COST = "would cost too much as a rule"


def document(version, kind, spec, namespace="demo"):
    meta = {"name": "row", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


KEEP = {"name": "keep-last-5", "keepLast": 5, "prune": True}
S3 = {"storageSecretName": "s3-secret", "s3": {"endpoint": "s3.amazonaws.com", "bucket": "backups",
                                               "prefix": "/demo"}}
POD = {"podLabels": {"app": "backup"}, "podAnnotations": {"a": "b"}, "nodeSelector": {"disk": "ssd"},
       "serviceAccountName": "backup", "serviceAccountAnnotations": {"role": "arn:aws:iam::1:role/x"},
       "automountServiceAccountToken": False, "nodeName": "node-1",
       "securityContext": {"runAsUser": 1000, "fsGroup": 1000, "supplementalGroups": [5],
                           "seccompProfile": {"type": "RuntimeDefault"}},
       "imagePullSecrets": [{"name": "registry"}],
       "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
           "nodeSelectorTerms": [{"matchExpressions": [
               {"key": "zone", "operator": "In", "values": ["a"]}]}]}}},
       "schedulerName": "default-scheduler",
       "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "backup",
                        "effect": "NoSchedule"}],
       "priorityClassName": "low", "priority": 10, "readinessGates": [{"conditionType": "ok"}],
       "runtimeClassName": "runc", "enableServiceLinks": True,
       "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone",
                                      "whenUnsatisfiable": "ScheduleAnyway",
                                      "labelSelector": {"matchLabels": {"app": "x"}}}]}
CONTAINER = {"resources": {"limits": {"cpu": 1, "memory": "512Mi"},
                           "requests": {"cpu": "100m", "memory": "256Mi"}},
             "securityContext": {"runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": False,
                                 "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]}},
             "nice": {"adjustment": 5}, "ionice": {"class": 2, "classData": 4},
             "livenessProbe": {"exec": {"command": ["true"]}, "periodSeconds": 5},
             "readinessProbe": {"tcpSocket": {"port": 80}},
             "lifecycle": {"preStop": {"exec": {"command": ["sync"]}}},
             "env": [{"name": "A", "value": "b"}, {"name": "POD", "valueFrom": {
                 "fieldRef": {"fieldPath": "metadata.name"}}}],
             "envFrom": [{"secretRef": {"name": "extra"}}]}
CLAIM = {"metadata": {"name": "interim"}, "spec": {
    "accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
    "resources": {"requests": {"storage": "1Gi"}}}}
HOOKS = {"preBackup": {"exec": {"command": ["/bin/sh", "-c", "sync"]}, "containerName": "mysql"},
         "postBackup": {"httpPost": {"host": "hooks.example.com", "path": "/done", "port": 443,
                                     "scheme": "HTTPS", "httpHeaders": [
                                         {"name": "Content-Type", "value": "application/json"}],
                                     "body": "{\"phase\": \"{{ .Status.Phase }}\"}"},
                        "executionPolicy": "OnFailure"}}

V1BETA1, V1ALPHA1 = "stash.appscode.com/v1beta1", "stash.appscode.com/v1alpha1"
BC = document(V1BETA1, "BackupConfiguration", {
    "repository": {"name": "s3-repo"}, "schedule": "*/5 * * * *",
    "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
               "volumeMounts": [{"name": "data", "mountPath": "/source/data"}],
               "paths": ["/source/data"]},
    "retentionPolicy": KEEP})
RS = document(V1BETA1, "RestoreSession", {
    "repository": {"name": "s3-repo"},
    "target": {"ref": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"},
               "volumeMounts": [{"name": "data", "mountPath": "/source/data"}],
               "rules": [{"targetHosts": ["host-0"], "snapshots": ["bde1b3e7"]},
                         {"paths": ["/source/data"]}]}})
BB = document(V1BETA1, "BackupBlueprint", {
    "backend": {"storageSecretName": "s3-secret", "s3": {
        "endpoint": "s3.amazonaws.com", "bucket": "backups",
        "prefix": "stash/${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}"}},
    "schedule": "0 3 * * *", "retentionPolicy": KEEP}, None)
REPO = document(V1ALPHA1, "Repository", {"backend": S3})
BS = document(V1BETA1, "BackupSession", {"invoker": {
    "apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": "web"}})
FN = document(V1BETA1, "Function", {
    "image": "${ADDON_IMAGE:=example/postgres:14}", "args": ["backup", "--host=${HOSTNAME:=host-0}"],
    "volumeMounts": [{"name": "${secretVolume}", "mountPath": "/etc/secret"}]}, None)
TASK = document(V1BETA1, "Task", {"steps": [
    {"name": "pg-backup", "params": [{"name": "outputDir", "value": "/tmp/out"}]},
    {"name": "update-status"}],
    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "${TARGET_NAME}"}}]}, None)
APP = document("appcatalog.appscode.com/v1alpha1", "AppBinding", {
    "type": "kubedb.com/postgres", "version": "14.2",
    "clientConfig": {"service": {"name": "pg", "scheme": "postgresql", "port": 5432,
                                 "path": "/", "query": "sslmode=disable"}},
    "secret": {"name": "pg-auth"}})


def edited(base, edits):
    """A copy of the base with values set at dotted paths below spec, or removed."""
    made = copy.deepcopy(base)
    for path, value in edits.items():
        *way, last = path.split(".")
        at = made["spec"] if way[:1] != ["metadata"] else made
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if isinstance(at, list):
            at.insert(int(last), value) if int(last) == len(at) else at.__setitem__(int(last), value)
        elif value is GONE:
            del at[last]
        else:
            at[last] = value
    return made


REF = "target.ref"
CLAIM_REF = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "files"}
APP_REF = {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "pg"}
NFS = {"mountPath": "/safe/data", "nfs": {"server": "nfs.example.com", "path": "/"}}


def only(name, value):
    """A backend with this store alone."""
    return {"storageSecretName": "secret", name: value}


def local(**source):
    return {"backend": only("local", {"mountPath": "/safe/data", **source})}


ROWS = [
    # ---- BackupConfiguration: what Stash's users write
    (BC, {}, fine()),
    (BC, {"task": {"name": "pg-backup", "params": [{"name": "args", "value": "--all"}]}, REF: APP_REF},
     fine()),
    (BC, {"task": {"name": "pvc-backup"}, REF: CLAIM_REF}, fine()),
    (BC, {REF: CLAIM_REF, "target.volumeMounts": GONE, "target.paths": GONE}, fine()),
    (BC, {"task": {"name": "kubedump"}, "target": GONE}, fine()),
    (BC, {"runtimeSettings": {"pod": POD, "container": CONTAINER}}, fine()),
    (BC, {"interimVolumeTemplate": CLAIM}, fine()),
    (BC, {"interimVolumeTemplate.metadata": {"name": "x", "creationTimestamp": None},
          "interimVolumeTemplate.spec": CLAIM["spec"], "interimVolumeTemplate.status": {}}, fine()),
    (BC, {"hooks": HOOKS}, fine()),
    (BC, {"hooks.postBackup.exec": {"command": ["true"]},
          "hooks.postBackup.executionPolicy": "OnFinalRetryFailure"}, fine()),
    (BC, {"hooks.preBackup.httpGet": {"port": "http", "path": "/lock"}}, fine()),
    (BC, {"hooks.preBackup.tcpSocket": {"port": 5432}}, fine()),
    (BC, {"hooks.preBackup.httpPost": {"port": 80, "form": [{"key": "a", "values": ["b"]}]}}, fine()),
    (BC, {"tempDir": {"medium": "Memory", "sizeLimit": "1Gi", "disableCaching": True}}, fine()),
    (BC, {"tempDir.sizeLimit": 1073741824}, fine()),
    (BC, {"driver": "Restic", "paused": True, "backupHistoryLimit": 3, "timeOut": "1h30m",
          "retryConfig": {"maxRetry": 3, "delay": "10m"}}, fine()),
    (BC, {"paused": True, "schedule": GONE}, fine()),
    (BC, {"retentionPolicy": {"name": "all", "keepHourly": 24, "keepDaily": 7, "keepWeekly": 4,
                              "keepMonthly": 12, "keepYearly": 3, "keepTags": ["keep"],
                              "prune": True, "dryRun": False}}, fine()),
    (BC, {"retentionPolicy.keepWithin": "2y5m7d3h"}, fine()),
    (BC, {"target.exclude": ["*.tmp", "cache/**"], "target.args": ["--ignore-inode", "--tag=a"],
          "target.alias": "web"}, fine()),
    (BC, {"target.replicas": 1, "target.snapshotClassName": "csi"}, fine()),
    (BC, {"repository.namespace": "backup"}, fine()),
    (BC, {REF: {"apiVersion": "apps.openshift.io/v1", "kind": "DeploymentConfig", "name": "x"}},
     fine()),
    (BC, {REF: {"apiVersion": "v1", "kind": "ReplicationController", "name": "x"}}, fine()),
    (BC, {"mode": "Job", "fileAccess": "Follow", "jitter": "5m",
          "guard": {"shrinkPercent": 50, "action": "Fail"},
          "verify": {"schedule": "@weekly", "files": 10, "image": "reg/checks:1", "command": ["true"]}}, fine()),
] + [
    (BC, {"schedule": text}, fine()) for text in (
        "0 3 * * *", "@daily", "@hourly", "@every 6h", "@every 1h30m", "*/10 * * * *",
        "0 0 1,15 * ?", "0 9-17/2 * * mon-fri", "5 4 * JAN-MAR sun", "0 0 29 2 *", "00 03 * * 0")
] + [
    (BC, {"schedule": text}, both("spec.schedule", words)) for text, words in (
        ("61 3 * * *", "out of range"), ("0 24 * * *", "out of range"), ("* * * *", "4 fields"),
        ("* * * * * *", "6 fields"), ("0 0 0 * *", "out of range"), ("0 0 * 13 *", "out of range"),
        ("0 0 * * 7", "out of range"), ("0 0 * foo *", "is no number"), ("@never", "@never"),
        ("@every 1d", "in hours"), ("TZ=UTC 0 3 * * *", "timeZone"), ("${X}", "fields"),
        ("1-2-3 * * * *", "hyphen"), ("1/2/3 * * * *", "slash"))
] + [
    (BC, {"schedule": text}, webhook("spec.schedule", words, MEANING)) for text, words in (
        ("5-3 * * * *", "behind its end"), ("*/0 * * * *", "step of 0"),
        ("0 0 30 2 *", "never fires"), ("@every 1ms", "one second"))
] + [
    (BC, {"schedule": GONE}, both("spec.schedule", "unless paused")),
    (BC, {"schedule": ""}, both("spec.schedule", "unless paused")),
    (BC, {"repository": GONE}, both("spec.repository", "is required")),
    (BC, {"repository": {}}, both("spec.repository.name", "is required")),
    (BC, {"repository.name": ""}, both("spec.repository.name", "must not be empty")),
    (BC, {"repository.name": "Repo"}, both("spec.repository.name", "lower-case")),
    (BC, {"repository.name": "../x"}, both("spec.repository.name", "lower-case")),
    (BC, {"repository.namespace": "a.b"}, both("spec.repository.namespace", "63")),
    (BC, {"driver": "VolumeSnapshotter"}, both("spec.driver", "Restic is the only driver")),
    (BC, {"driver": "VolumeSnapshotter", "repository": GONE},
     both("spec.driver", "Restic is the only driver")),
    (BC, {"driver": "restic"}, both("spec.driver", "is not supported")),
    (BC, {"retentionPolicy": GONE}, both("spec.retentionPolicy", "is required")),
    (BC, {"retentionPolicy.name": GONE}, both("spec.retentionPolicy.name", "is required")),
    (BC, {"retentionPolicy.prune": GONE}, both("spec.retentionPolicy.prune", "is required")),
    (BC, {"retentionPolicy.keepLast": -1}, both("spec.retentionPolicy.keepLast", "between")),
    (BC, {"retentionPolicy.keepLast": "5"}, both("spec.retentionPolicy.keepLast", "whole number")),
    (BC, {"retentionPolicy.keepWithin": "30"}, both("spec.retentionPolicy.keepWithin", "")),
    (BC, {"retentionPolicy.keepWithin": "0d"}, both("spec.retentionPolicy.keepWithin", "")),
    (BC, {"retentionPolicy.keepTags": ["-x"]}, both("spec.retentionPolicy.keepTags[0]", "tag")),
    (BC, {"target": GONE}, both("spec.target", "is required")),
    (BC, {REF: GONE}, both("spec.target", "is required")),
    (BC, {REF + ".kind": GONE}, both("spec.target.ref.kind", "is required")),
    (BC, {REF + ".name": ""}, both("spec.target.ref.name", "is required")),
    (BC, {REF + ".apiVersion": GONE}, both("spec.target.ref.apiVersion", "is required")),
    (BC, {REF + ".apiVersion": "v1"}, both("spec.target.ref.apiVersion", "apps/v1")),
    (BC, {REF + ".kind": "Deploymnt"}, both("spec.target.ref.kind", "did you mean")),
    (BC, {REF + ".kind": "CronJob"}, both("spec.target.ref.kind", "a workload")),
    (BC, {REF + ".namespace": "other"}, webhook("spec.target.ref.namespace", "another namespace",
                                                STATE)),
    (BC, {"target.paths.0": "data"}, both("spec.target.paths[0]", "absolute path")),
    (BC, {"target.paths.0": "/a/../b"}, both("spec.target.paths[0]", "..")),
    (BC, {"target.paths": ["/p"] * 65}, both("spec.target.paths", "at most 64")),
    (BC, {"target.volumeMounts.0.mountPath": "data"},
     both("spec.target.volumeMounts[0].mountPath", "absolute path")),
    (BC, {"target.volumeMounts.0.mountPath": "/"},
     both("spec.target.volumeMounts[0].mountPath", "hide")),
    (BC, {"target.volumeMounts.0.mountPath": "/proc/1"},
     both("spec.target.volumeMounts[0].mountPath", "belongs to")),
    (BC, {"target.volumeMounts.0.name": "Data"},
     both("spec.target.volumeMounts[0].name", "lower-case")),
    (BC, {"target.volumeMounts.0.subPath": "/abs"},
     both("spec.target.volumeMounts[0].subPath", "relative path")),
    (BC, {"target.volumeMounts.0.subPath": "a", "target.volumeMounts.0.subPathExpr": "b"},
     both("spec.target.volumeMounts[0].subPathExpr", "beside subPath")),
    (BC, {"target.volumeMounts.1": {"name": "more", "mountPath": "/source/data"}},
     both("spec.target.volumeMounts[1]", "given twice")),
    (BC, {"target.alias": "-x"}, both("spec.target.alias", "host")),
    (BC, {"target.args": ["--target=/"]}, webhook("spec.target.args[0]", "not allowed", MEANING)),
    (BC, {"target.exclude": ["a\nb"]}, both("spec.target.exclude[0]", "line breaks")),
    (BC, {"timeOut": "30"}, both("spec.timeOut", "unit")),
    (BC, {"timeOut": "1d"}, both("spec.timeOut", "in hours")),
    (BC, {"timeOut": "0s"}, both("spec.timeOut", "above")),
    (BC, {"timeOut": "-5m"}, both("spec.timeOut", "above")),
    (BC, {"retryConfig.delay": "soon"}, both("spec.retryConfig.delay", "number")),
    (BC, {"retryConfig.maxRetry": -1}, both("spec.retryConfig.maxRetry", "between")),
    (BC, {"backupHistoryLimit": -1}, both("spec.backupHistoryLimit", "between")),
    (BC, {"paused": "yes"}, both("spec.paused", "true or false")),
    (BC, {"hooks.preBackup": {"containerName": "x"}}, both("spec.hooks.preBackup", "at least one")),
    (BC, {"hooks.preBackup.exec": {"command": []}},
     both("spec.hooks.preBackup.exec.command", "at least 1")),
    (BC, {"hooks.postBackup": {"exec": {"command": ["x"]}, "executionPolicy": "Sometimes"}},
     both("spec.hooks.postBackup.executionPolicy", "not supported")),
    (BC, {"hooks.preBackup.httpPost": {"port": 80, "body": "a", "form": [
        {"key": "a", "values": ["b"]}]}}, both("spec.hooks.preBackup.httpPost.form", "beside body")),
    (BC, {"hooks.preBackup.httpGet": {"path": "/"}},
     both("spec.hooks.preBackup.httpGet.port", "is required")),
    (BC, {"hooks.preBackup.tcpSocket": {"port": 70000}},
     webhook("spec.hooks.preBackup.tcpSocket.port", "65535", CORE)),
    (BC, {"tempDir.sizeLimit": "much"}, both("spec.tempDir.sizeLimit", "")),
    (BC, {"tempDir.sizeLimit": "-1Gi"}, both("spec.tempDir.sizeLimit", "negative")),
    (BC, {"tempDir.medium": "Disk"}, webhook("spec.tempDir.medium", "not supported", CORE)),
    (BC, {"runtimeSettings.container.resources": {"limits": {"cpu": "1 core"}}},
     both("spec.runtimeSettings.container.resources.limits", "")),
    (BC, {"runtimeSettings.container.resources": {"limits": {"cpu": 1}, "requests": {"cpu": 2}}},
     webhook("spec.runtimeSettings.container.resources.requests[cpu]", "above the limit", CORE)),
    (BC, {"runtimeSettings.container.nice": {"adjustment": 20}},
     both("spec.runtimeSettings.container.nice.adjustment", "between")),
    (BC, {"runtimeSettings.container.ionice": {"class": 4}},
     both("spec.runtimeSettings.container.ionice.class", "between")),
    (BC, {"runtimeSettings.container.securityContext": {"runAsUser": -1}},
     both("spec.runtimeSettings.container.securityContext.runAsUser", "between")),
    (BC, {"runtimeSettings.container.livenessProbe": {"exec": {}}},
     webhook("spec.runtimeSettings.container.livenessProbe.exec.command", "is required", CORE)),
    (BC, {"runtimeSettings.pod.tolerations": [{"operator": "Equal"}]},
     webhook("spec.runtimeSettings.pod.tolerations[0].operator", "Exists", CORE)),
    (BC, {"runtimeSettings.pod.serviceAccountName": "Admin"},
     both("spec.runtimeSettings.pod.serviceAccountName", "lower-case")),
    (BC, {"interimVolumeTemplate": {"metadata": {}}},
     both("spec.interimVolumeTemplate.spec", "is required")),
    (BC, {"interimVolumeTemplate.spec": {"resources": {"requests": {"storage": "1Gi"}}}},
     both("spec.interimVolumeTemplate.spec.accessModes", "is required")),
    (BC, {"interimVolumeTemplate.spec": {"accessModes": ["ReadWriteOnce"], "resources": {}}},
     webhook("spec.interimVolumeTemplate.spec.resources.requests[storage]", "is required", CORE)),
    (BC, {"task.params": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]},
     both("spec.task.params[1]", "given twice")),
    (BC, {"task.params": [{"name": "a"}]}, both("spec.task.params[0].value", "is required")),
    (BC, {"mode": "sidecar"}, both("spec.mode", "not supported")),
    (BC, {"fileAccess": "root"}, both("spec.fileAccess", "not supported")),
    (BC, {"guard.shrinkPercent": 101}, both("spec.guard.shrinkPercent", "between")),
    (BC, {"guard.action": "Ignore"}, both("spec.guard.action", "not supported")),
    (BC, {"verify": {"files": 1}}, both("spec.verify.schedule", "is required")),
    (BC, {"verify": {"schedule": "@weekly", "files": 0}}, both("spec.verify.files", "between")),
    (BC, {"verify": {"schedule": "@weekly", "files": 1001}}, both("spec.verify.files", "between")),
    (BC, {"verify": {"schedule": "@weekly", "image": "a b"}}, both("spec.verify.image", "blanks")),
    (BC, {"jitter": "1 hour"}, both("spec.jitter", "unit")),

    # ---- RestoreSession
    (RS, {}, fine()),
    (RS, {"rules": [{"paths": ["/source/data"]}], "target.rules": GONE}, fine()),
    (RS, {"target.rules": [{"targetHosts": ["host-3", "host-4"], "sourceHost": "host-1",
                            "paths": ["/source/data"], "exclude": ["*.tmp"]},
                           {"snapshots": ["latest"], "include": ["*.db"]}]}, fine()),
    (RS, {"target.rules": [{"paths": ["/source/data"], "asOf": "2024-05-01T13:30:00Z"}]}, fine()),
    (RS, {REF: APP_REF, "task": {"name": "pg-restore"}, "target.rules": [{"snapshots": ["latest"]}]},
     fine()),
    (RS, {REF: APP_REF, "target.rules": GONE}, fine()),
    (RS, {"target": {"replicas": 3, "rules": [{"paths": ["/d"]}], "volumeClaimTemplates": [
        {"metadata": {"name": "data-web-${POD_ORDINAL}"}, "spec": CLAIM["spec"]}]}}, fine()),
    (RS, {"hooks": {"preRestore": {"exec": {"command": ["true"]}}, "postRestore": {
        "exec": {"command": ["true"]}, "executionPolicy": "OnSuccess"}}}, fine()),
    (RS, {"timeOut": "30m", "fileAccess": "Root", "tempDir": {}, "runtimeSettings": {
        "container": {"securityContext": {"runAsUser": 0}}}}, fine()),
    (RS, {"repository": GONE}, both("spec.repository", "is required")),
    (RS, {"target": GONE}, both("spec.target", "is required")),
    (RS, {"target.rules": GONE}, both("spec.target.rules", "at least one rule")),
    (RS, {"target.rules": []}, both("spec.target.rules", "at least one rule")),
    (RS, {"target.rules.1": {"sourceHost": "host-1"}},
     both("spec.target.rules", "names neither")),
    (RS, {"target.rules.1": {"snapshots": ["latest"], "paths": ["/a"]}},
     both("spec.target.rules[1].paths", "beside snapshots")),
    (RS, {"target.rules.0.asOf": "2024-05-01T13:30:00Z"},
     both("spec.target.rules[0].asOf", "beside snapshots")),
    (RS, {"target.rules.1.asOf": "2024-05-01"}, both("spec.target.rules[1].asOf", "time with zone")),
    (RS, {"target.rules.1.asOf": "2024-13-01T00:00:00Z"},
     webhook("spec.target.rules[1].asOf", "time with zone", MEANING)),
    (RS, {"target.rules.1.include": ["a"], "target.rules.1.exclude": ["b"]},
     both("spec.target.rules[1].exclude", "beside include")),
    (RS, {"target.rules.0.snapshots": ["repo-bde1b3e7"]},
     both("spec.target.rules[0].snapshots[0]", "ID of a snapshot")),
    (RS, {"target.rules.0.targetHosts": ["host-0", "host-0"]},
     both("spec.target.rules[0].targetHosts[1]", "given twice")),
    (RS, {"target.rules.0.targetHosts": ["--x"]},
     both("spec.target.rules[0].targetHosts[0]", "host")),
    (RS, {"target.rules.1.targetHosts": ["host-0"]},
     webhook("spec.target.rules[1].targetHosts[0]", "another rule", COST)),
    (RS, {"target.rules.2": {"snapshots": ["latest"]}},
     both("spec.target.rules", "another rule names no hosts")),
    (RS, {"target.rules.1.paths": ["data"]}, both("spec.target.rules[1].paths[0]", "absolute")),
    (RS, {"target.rules.1.paths": ["/a/../b"]},
     webhook("spec.target.rules[1].paths[0]", "..", COST)),
    (RS, {"rules": [{"paths": ["/a"]}]}, both("spec.rules", "both given")),
    (RS, {"driver": "VolumeSnapshotter"}, both("spec.driver", "only driver")),
    (RS, {"hooks.postRestore": {"exec": {"command": ["x"]},
                                "executionPolicy": "OnFinalRetryFailure"}},
     both("spec.hooks.postRestore.executionPolicy", "not supported")),
    (RS, {"target.volumeClaimTemplates": [{"metadata": {}, "spec": CLAIM["spec"]}]},
     both("spec.target.volumeClaimTemplates[0].metadata", "is required")),
    (RS, {"timeOut": "1w"}, both("spec.timeOut", "in hours")),
    (RS, {"target.args": ["--one-file-system"]}, webhook("spec.target.args[0]", "not allowed",
                                                         MEANING)),

    # ---- BackupBlueprint
    (BB, {}, fine()),
    (BB, {"task": {"name": "pg-backup-${TARGET_APP_VERSION}"}}, fine()),
    (BB, {"interimVolumeTemplate": {"metadata": {"name": "${TARGET_APP_RESOURCE}-${TARGET_NAME}"},
                                    "spec": CLAIM["spec"]}}, fine()),
    (BB, {"runtimeSettings": {"pod": POD, "container": CONTAINER}, "hooks": HOOKS, "tempDir": {},
          "backupHistoryLimit": 3, "timeOut": "1h", "retryConfig": {}}, fine()),
    (BB, {"usagePolicy": {"allowedNamespaces": {"from": "All"}}, "wipeOut": True,
          "repoNamespace": "backup"}, fine()),
    (BB, {"overrides": [{"key": "schedule", "min": "1h"}, {"key": "exclude"}, {"key": "retention"}],
          "allowedNamespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}},
          "enforcement": "Deny", "existing": "Restart", "rollout": {"maxPerMinute": 5},
          "mode": "Auto", "fileAccess": "Auto", "jitter": "10m", "agentSecretName": "agents"},
     fine()),
    (BB, {"schedule": GONE}, fine()),
    (BB, {"schedule": "${TARGET_SCHEDULE:=0 3 * * *}"}, fine()),
    (BB, {"schedule": "sometimes"}, both("spec.schedule", "fields")),
    (BB, {"backend": GONE}, both("spec.backend", "is required")),
    (BB, {"backend.gcs": {"bucket": "b"}}, both("spec.backend", "only one")),
    (BB, {"retentionPolicy": GONE}, both("spec.retentionPolicy", "is required")),
    (BB, {"overrides": [{"key": "shedule"}]}, both("spec.overrides[0]", "did you mean")),
    (BB, {"overrides": [{"key": "exclude"}, {"key": "exclude"}]},
     both("spec.overrides[1]", "given twice")),
    (BB, {"overrides": [{"key": "exclude", "min": "1"}]},
     webhook("spec.overrides[0]", "has no bounds", MEANING)),
    (BB, {"allowedNamespaces": {"from": "Selector"}},
     both("spec.allowedNamespaces.selector", "is required")),
    (BB, {"allowedNamespaces": {"selector": {}}}, both("spec.allowedNamespaces.selector", "only")),
    (BB, {"enforcement": "warn"}, both("spec.enforcement", "not supported")),
    (BB, {"existing": "Later"}, both("spec.existing", "not supported")),
    (BB, {"rollout": {"maxPerMinute": 0}}, both("spec.rollout.maxPerMinute", "between")),
    (BB, {"backend.s3.prefix": "${TARGET_NAME"}, webhook("spec.backend.s3.prefix", "", MEANING)),
    (BB, {"repoNamespace": "Backup"}, both("spec.repoNamespace", "63")),
    (BB, {"wipeOut": True, "backend": only("rest", {"url": "https://r.example.com/${TARGET_NAME}"})},
     both("spec.wipeOut", "wiped out")),

    # ---- Repository
    (REPO, {}, fine()),
    (REPO, {"backend": only("gcs", {"bucket": "b", "prefix": "/p", "maxConnections": 5})}, fine()),
    (REPO, {"backend": only("azure", {"container": "c", "prefix": "p", "maxConnections": 3})}, fine()),
    (REPO, {"backend": only("swift", {"container": "c", "prefix": "p"})}, fine()),
    (REPO, {"backend": only("b2", {"bucket": "b", "prefix": "p", "maxConnections": 10})}, fine()),
    (REPO, {"backend": only("rest", {"url": "http://rest-server.demo.svc:8000/x"})}, fine()),
    (REPO, {"backend": only("local", NFS)}, fine()),
    (REPO, local(persistentVolumeClaim={"claimName": "store"}, subPath="a/b"), fine()),
    (REPO, local(hostPath={"path": "/data"}), fine()),
    (REPO, {"backend.s3": {"endpoint": "https://minio.demo.svc:443/", "bucket": "b",
                           "region": "us-east-1", "insecureTLS": True}}, fine()),
    (REPO, {"backend.s3.endpoint": "[2001:db8::1]:9000"}, fine()),
    (REPO, {"wipeOut": True, "usagePolicy": {"allowedNamespaces": {
        "from": "Selector", "selector": {"matchExpressions": [
            {"key": "team", "operator": "In", "values": ["a", "b"]}]}}}}, fine()),
    (REPO, {"usagePolicy": {"allowedNamespaces": {}}}, fine()),
    (REPO, {"usagePolicy": {}}, fine()),
    (REPO, {"agentSecretName": "append-only"}, fine()),
    (REPO, {"backend": GONE}, both("spec.backend", "is required")),
    (REPO, {"backend.s3": GONE}, both("spec.backend", "exactly one")),
    (REPO, {"backend.gcs": {"bucket": "b"}}, both("spec.backend", "only one")),
    (REPO, {"backend.storageSecretName": GONE}, both("spec.backend.storageSecretName", "required")),
    (REPO, {"backend.s3.endpoint": GONE}, both("spec.backend.s3.endpoint", "is required")),
    (REPO, {"backend.s3.endpoint": "ftp://x"}, both("spec.backend.s3.endpoint", "")),
    (REPO, {"backend.s3.endpoint": "https://u:p@x"}, both("spec.backend.s3.endpoint",
                                                          "credentials")),
    (REPO, {"backend.s3.endpoint": "169.254.169.254"}, both("spec.backend.s3.endpoint",
                                                            "link-local")),
    (REPO, {"backend.s3.endpoint": "x:70000"}, webhook("spec.backend.s3.endpoint", "host", MEANING)),
    (REPO, {"backend.s3.bucket": "a/b"}, both("spec.backend.s3.bucket", "bucket alone")),
    (REPO, {"backend.s3.bucket": ".."}, both("spec.backend.s3.bucket", "bucket alone")),
    (REPO, {"backend.s3.bucket": ""}, both("spec.backend.s3.bucket", "must not be empty")),
    (REPO, {"backend.s3.prefix": "a/../b"}, both("spec.backend.s3.prefix", "..")),
    (REPO, {"backend": only("rest", {"url": "rest.example.com"})},
     both("spec.backend.rest.url", "https://")),
    (REPO, {"backend": only("rest", {})}, both("spec.backend.rest.url", "is required")),
    (REPO, {"backend": only("gcs", {"bucket": "b", "maxConnections": -1})},
     both("spec.backend.gcs.maxConnections", "between")),
    (REPO, {"backend": only("local", {"mountPath": "/safe"})},
     both("spec.backend.local", "exactly one")),
    (REPO, local(nfs=NFS["nfs"], hostPath={"path": "/d"}), both("spec.backend.local", "only one")),
    (REPO, local(configMap={"name": "x"}), both("spec.backend.local", "nothing can be written")),
    (REPO, {"backend": only("local", {**NFS, "mountPath": "/stash/data"})},
     both("spec.backend.local.mountPath", "belongs to the agent")),
    (REPO, {"backend": only("local", {**NFS, "mountPath": "data"})},
     both("spec.backend.local.mountPath", "absolute path")),
    (REPO, {"wipeOut": True, "backend": only("local", NFS)}, fine()),
    (REPO, {"wipeOut": True, "backend": only("b2", {"bucket": "b"})}, fine()),
    (REPO, {"wipeOut": True, "backend": only("rest", {"url": "https://r.example.com/x"})},
     both("spec.wipeOut", "wiped out")),
    (REPO, {"usagePolicy": {"allowedNamespaces": {"from": "Some"}}},
     both("spec.usagePolicy.allowedNamespaces.from", "not supported")),
    (REPO, {"usagePolicy": {"allowedNamespaces": {"from": "Selector"}}},
     both("spec.usagePolicy.allowedNamespaces.selector", "is required")),
    (REPO, {"usagePolicy": {"allowedNamespaces": {"from": "All", "selector": {}}}},
     both("spec.usagePolicy.allowedNamespaces.selector", "only when")),

    # ---- BackupSession
    (BS, {}, fine()),
    (BS, {"invoker.apiGroup": GONE, "retryLeft": 2}, fine()),
    (BS, {"invoker": GONE}, both("spec.invoker", "is required")),
    (BS, {"invoker.kind": "BackupBatch"}, both("spec.invoker.kind", "BackupConfiguration")),
    (BS, {"invoker.apiGroup": "apps"}, both("spec.invoker.apiGroup", "expected")),
    (BS, {"invoker.name": GONE}, both("spec.invoker.name", "is required")),
    (BS, {"retryLeft": -1}, both("spec.retryLeft", "between")),

    # ---- Function, Task
    (FN, {}, fine()),
    (FN, {"command": ["sh"], "workingDir": "/", "ports": [{"containerPort": 80, "protocol": "TCP"}],
          "volumeDevices": [{"name": "d", "devicePath": "/dev/xvda"}],
          "podSecurityPolicyName": "baseline", "runtimeSettings": CONTAINER}, fine()),
    (FN, {"image": "a b"}, both("spec.image", "blanks")),
    (FN, {"ports": [{"containerPort": 0}]}, both("spec.ports[0].containerPort", "between")),
    (FN, {"volumeMounts.0.mountPath": GONE}, both("spec.volumeMounts[0].mountPath", "is required")),
    (FN, {"args": "all"}, both("spec.args", "a list")),
    (TASK, {}, fine()),
    (TASK, {"volumes.0": {"name": "x"}}, fine()),
    (TASK, {"volumes.0": {"name": "x", "emptyDir": {"sizeLimit": "${SIZE:=1Gi}"}}}, fine()),
    (TASK, {"steps": GONE}, both("spec.steps", "is required")),
    (TASK, {"steps": []}, both("spec.steps", "at least 1")),
    (TASK, {"steps.0.name": GONE}, both("spec.steps[0].name", "is required")),
    (TASK, {"volumes.0.emptyDir": {}}, both("spec.volumes[0]", "only one")),
    (TASK, {"volumes.1": {"name": "data"}}, both("spec.volumes[1]", "given twice")),

    # ---- AppBinding
    (APP, {}, fine()),
    (APP, {"type": "etcd", "clientConfig": {"url": "https://etcd.demo.svc:2379", "caBundle": "Y2E="}},
     fine()),
    (APP, {"clientConfig": {"url": "tcp(mysql.demo.svc:3306)/", "insecureSkipTLSVerify": True}},
     fine()),
    (APP, {"secret": {"apiGroup": "", "kind": "Secret", "name": "s"}, "tlsSecret": {"name": "t"},
           "appRef": {"apiGroup": "kubedb.com", "kind": "Postgres", "namespace": "demo",
                      "name": "pg"}}, fine()),
    (APP, {"secretTransforms": [{"renameKey": {"from": "user", "to": "username"}},
                                {"addKey": {"key": "a", "stringValue": "b"}},
                                {"addKeysFrom": {"secretRef": {"name": "x"}}},
                                {"removeKey": {"key": "c"}}]}, fine()),
    (APP, {"parameters": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "StashAddon",
                          "stash": {"addon": {"backupTask": {"name": "pg-backup", "params": [
                              {"name": "args", "value": ""}]}, "restoreTask": {"name": "r"}}}}},
     fine()),
    (APP, {"parameters": {"apiVersion": "config.kubedb.com/v1alpha1", "kind": "MongoConfiguration",
                          "replicaSets": {"host-0": "rs0/mongo:27017"}, "other": [1, {"a": None}]}},
     fine()),
    (APP, {"clientConfig": GONE}, both("spec.clientConfig", "is required")),
    (APP, {"clientConfig.service.scheme": GONE},
     both("spec.clientConfig.service.scheme", "is required")),
    (APP, {"clientConfig.service.port": GONE}, both("spec.clientConfig.service.port", "required")),
    (APP, {"clientConfig.service.port": 70000}, both("spec.clientConfig.service.port", "between")),
    (APP, {"secret.name": GONE}, both("spec.secret.name", "is required")),
    (APP, {"clientConfig.caBundle": "???"}, both("spec.clientConfig.caBundle", "base64")),
    (APP, {"secretTransforms": [{"renameKey": {"from": "a", "to": "b"},
                                 "removeKey": {"key": "c"}}]},
     both("spec.secretTransforms[0]", "only one")),
    (APP, {"secretTransforms": [{}]}, both("spec.secretTransforms[0]", "exactly one")),
    (APP, {"parameters": {"stash": {"addon": {"backupTask": {"params": [{"name": "x"}]}}}}},
     webhook("spec.parameters.stash.addon.backupTask.params[0].value", "is required",
             "below parameters nothing is looked at")),
]


def title(base, edits):
    """What the row is called when it fails."""
    return f"{base['kind']} {', '.join(edits) or 'as it is'}: " + \
        repr([value for value in edits.values()])[:160].replace(repr(GONE), "GONE")
