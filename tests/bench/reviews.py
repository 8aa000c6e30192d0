#!/usr/bin/python3
"""Makes the reviews that the benches send: reviews.py FOLDER writes protected-12k.json,
protected-41k.json and foreign-12k.json, shaped as an API server sends them (managedFields are about
half of each, oldObject and status are there)."""
import json
import pathlib
import sys


def fields(names, depth):
    out = {".": {}}
    for name in names:
        out["f:" + name] = fields(names[: len(names) // 2], depth - 1) if depth else {}
    return out


def managed(entries):
    names = ["image", "imagePullPolicy", "name", "ports", "resources", "env", "volumeMounts", "args"]
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "apps/v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:metadata": fields(["annotations", "labels"], 1), "f:spec": fields(names, 2)},
        }
        for manager in entries
    ]


def container(n, env):
    return {
        "name": f"app-{n}",
        "image": f"registry.example.com/team/service-{n}:1.2.3",
        "args": ["--listen=:8080", "--log-level=info"],
        "ports": [{"name": "http", "containerPort": 8080 + n, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i}", "value": f"value number {i} of container {n}"} for i in range(env)],
        "resources": {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
        "volumeMounts": [{"name": f"data-{n}", "mountPath": f"/var/lib/app-{n}"}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    }


def deployment(containers, env, managers, annotated):
    annotations = {"deployment.kubernetes.io/revision": "3", "example.com/team": "payments"}
    if annotated:
        annotations["stash.appscode.com/backup-blueprint"] = "workload-backup-blueprint"
    return {
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
            "managedFields": managed(managers),
        },
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "shop"}},
            "template": {
                "metadata": {"creationTimestamp": None, "labels": {"app": "shop"}},
                "spec": {
                    "volumes": [
                        {"name": f"data-{n}", "persistentVolumeClaim": {"claimName": f"data-{n}"}}
                        for n in range(containers)
                    ],
                    "containers": [container(n, env) for n in range(containers)],
                    "restartPolicy": "Always",
                    "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst",
                    "securityContext": {},
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
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable",
                 "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "Deployment has minimum availability."}
            ],
        },
    }


def review(new, old):
    return {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "requestKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "requestResource": {"group": "apps", "version": "v1", "resource": "deployments"},
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


def pair(containers, env, managers, annotated):
    """An update that changes the owner's template, so that the whole decision is made."""
    new = deployment(containers, env, managers, annotated)
    old = deployment(containers, env, managers, annotated)
    new["spec"]["template"]["spec"]["containers"][0]["image"] += "-next"
    return review(new, old)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {
        "protected-12k": (1, 3, ["kubectl", "kube-controller-manager"], True),
        "protected-41k": (6, 9, ["kubectl", "helm", "argocd", "flux", "operator", "kube-controller-manager"], True),
        "foreign-12k": (1, 3, ["kubectl", "kube-controller-manager"], False),
    }
    for name, shape in shapes.items():
        text = json.dumps(pair(*shape), separators=(",", ":"))
        (folder / f"{name}.json").write_text(text)
        print(f"{name}: {len(text)} bytes")


main()
