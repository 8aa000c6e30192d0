#!/usr/bin/python3
"""Makes what the benches need: reviews.py FOLDER WEBHOOK writes FOLDER/catalog/blueprints.json, a
cluster of 100 BackupBlueprints, and the reviews of REVIEWS as FOLDER/<name>.json.

The reviews are updates of a Deployment that change the owner's template, so that the whole decision
is made: a container is to be injected into the protected ones, and stays in the carried one (which
WEBHOOK --once has put there). They are shaped and sized as an API server sends them: object and
oldObject with status, and managedFields as server-side apply keeps them, which are a bit less than
half of the bytes. The same bytes come out on every machine."""
import base64
import copy
import json
import pathlib
import subprocess
import sys

BLUEPRINT = "workload-backup-blueprint"
KEYS = {"volumeMounts": ["mountPath"], "ports": ["containerPort", "protocol"]}

# name: bytes, containers, variables in each, is it protected, does it carry our part
REVIEWS = {
    "protected-12k": (12800, 1, 6, True, False),
    "protected-41k": (41984, 5, 11, True, False),
    "carried-13k": (13312, 1, 1, True, True),
    "foreign-12k": (12800, 1, 6, False, False),
}


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def owned(value, name=""):
    """The fieldsV1 of a manager who wrote all of this value."""
    if isinstance(value, dict):
        return {".": {}, **{f"f:{key}": owned(member, key) for key, member in value.items()}}
    if not isinstance(value, list) or not value or not isinstance(value[0], dict):
        return {}
    keys = KEYS.get(name, ["name"] if "name" in value[0] else ["type"])
    return {f"k:{compact({key: item[key] for key in keys})}": owned(item) for item in value}


def managed(deployment):
    status = {"metadata": {"annotations": {"deployment.kubernetes.io/revision": "3"}}, "status": deployment["status"]}
    spec = {"metadata": {"annotations": {"example.com/team": ""}, "labels": {"app": ""}}, "spec": deployment["spec"]}
    rows = [("kubectl", "Apply", None, spec), ("kube-controller-manager", "Update", "status", status)]
    return [
        {
            "manager": manager,
            "operation": operation,
            "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": owned(fields),
            **({"subresource": part} if part else {}),
        }
        for manager, operation, part, fields in rows
    ]


def container(n, variables):
    probe = {
        "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    return {
        "name": f"app-{n}",
        "image": f"registry.example.com/team/service-{n}:1.2.3",
        "args": ["--listen=:8080", "--log-level=info"],
        "ports": [{"name": "http", "containerPort": 8080 + n, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": f"value number {i} of container {n}"} for i in range(variables)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": f"data-{n}", "mountPath": f"/var/lib/app-{n}"}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


def deployment(containers, variables, protected):
    annotations = {"deployment.kubernetes.io/revision": "3", "example.com/team": "payments"}
    if protected:
        annotations["stash.appscode.com/backup-blueprint"] = BLUEPRINT
    made = {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": "shop",
            "namespace": "demo",
            "uid": "6a4f3d0e-0f5a-4f2e-9f58-1d5d2f6f0a11",
            "resourceVersion": "4711",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app": "shop"},
            "annotations": annotations,
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": {"app": "shop"}},
                "spec": {
                    "volumes": [
                        {"name": f"data-{n}", "persistentVolumeClaim": {"claimName": f"shop-data-{n}"}}
                        for n in range(containers)
                    ],
                    "containers": [container(n, variables) for n in range(containers)],
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst",
                    "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
                    "schedulerName": "default-scheduler",
                },
            },
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
        "status": {
            "observedGeneration": 3,
            "replicas": 3,
            "updatedReplicas": 3,
            "readyReplicas": 3,
            "availableReplicas": 3,
            "conditions": [
                {
                    "type": kind,
                    "status": "True",
                    "lastUpdateTime": "2026-01-01T00:00:00Z",
                    "lastTransitionTime": "2026-01-01T00:00:00Z",
                    "reason": reason,
                    "message": message,
                }
                for kind, reason, message in [
                    ("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                    ("Progressing", "NewReplicaSetAvailable", 'ReplicaSet "shop-5d4f8c7b9" has successfully progressed.'),
                ]
            ],
        },
    }
    made["metadata"]["managedFields"] = managed(made)
    return made


def review(new, old):
    kind = {"group": "apps", "version": "v1", "kind": "Deployment"}
    resource = {"group": "apps", "version": "v1", "resource": "deployments"}
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
            "kind": kind,
            "resource": resource,
            "requestKind": kind,
            "requestResource": resource,
            "name": "shop",
            "namespace": "demo",
            "operation": "UPDATE" if old else "CREATE",
            "userInfo": {"username": "jane", "uid": "1", "groups": ["developers", "system:authenticated"]},
            "object": new,
            "oldObject": old,
            "dryRun": False,
            "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl"},
        },
    }


def applied(patch, document):
    """The document after a patch that only adds."""
    for operation in patch:
        *path, last = operation["path"].split("/")[1:]
        place = document
        for key in path:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if operation["op"] != "add":
            sys.exit(f"reviews.py: {operation['op']} is not expected in the first patch")
        if isinstance(place, list):
            place.insert(int(last), operation["value"])
        else:
            place[last] = operation["value"]
    return document


def carrying(plain, webhook, catalog):
    """The object as the webhook makes it."""
    asked = subprocess.run(
        [webhook, "--catalog", catalog, "--once"],
        input=compact(review(plain, None)), stdout=subprocess.PIPE, text=True, check=True,
    )
    return applied(json.loads(base64.b64decode(json.loads(asked.stdout)["response"]["patch"])), plain)


def update(old):
    new = copy.deepcopy(old)
    new["metadata"]["generation"] += 1
    new["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/team/service-0:1.2.4"
    return review(new, old)


def sized(size, made):
    """A description in the annotations of both objects makes up for what is missing."""
    objects = [made["request"]["object"], made["request"]["oldObject"]]
    for one in objects:
        one["metadata"]["annotations"]["example.com/description"] = ""
    missing = size - len(compact(made))
    if not 0 <= missing < size // 10:
        sys.exit(f"reviews.py: {missing} bytes are missing to {size}: change the shape")
    for i, one in enumerate(objects):
        one["metadata"]["annotations"]["example.com/description"] = "x" * ((missing + i) // 2)
    return made


def blueprint(name, n):
    return {
        "apiVersion": "stash.appscode.com/v1beta1",
        "kind": "BackupBlueprint",
        "metadata": {"name": name, "generation": 2, "labels": {"team": f"team-{n % 7}"}},
        "spec": {
            "backend": {
                "s3": {
                    "endpoint": "s3.example.com",
                    "bucket": f"backups-{n}",
                    "region": "eu-central-1",
                    "prefix": "cluster/${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}",
                },
                "storageSecretName": "s3-secret",
            },
            "schedule": f"{n % 60} */6 * * *",
            "retentionPolicy": {"name": "two-weeks", "keepLast": 5, "keepDaily": 14, "prune": True},
            "runtimeSettings": {"container": {"resources": {"requests": {"memory": "128Mi"}}}},
            "timeOut": "2h",
        },
    }


def catalog():
    names = [BLUEPRINT] + [f"team-{n}-blueprint" for n in range(1, 100)]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo", "labels": {"team": "shop"}}}
    return {
        "apiVersion": "v1",
        "kind": "List",
        "items": [namespace] + [blueprint(name, n) for n, name in enumerate(names)],
    }


def main():
    folder, webhook = pathlib.Path(sys.argv[1]), sys.argv[2]
    cluster = folder / "catalog"
    cluster.mkdir(parents=True, exist_ok=True)
    (cluster / "blueprints.json").write_text(json.dumps(catalog(), indent=1))
    for name, (size, containers, variables, protected, carries) in REVIEWS.items():
        stored = deployment(containers, variables, protected)
        if carries:
            stored = carrying(stored, webhook, cluster)
        (folder / f"{name}.json").write_text(compact(sized(size, update(stored))))


main()
