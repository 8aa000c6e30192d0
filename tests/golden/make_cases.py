#!/usr/bin/python3
"""Writes the requests of the golden cases: review.json, and where they differ from the usual ones
cluster.json and settings.json. Answers are not written here: after a change run

    tests/golden/make_cases.py && make golden && git diff tests/golden

and read every answer against the design before it is committed. A folder that no case names any more
is reported, not removed.

Objects look as an API server shows them to a webhook: typed, with its defaults filled in. What an
object carries of ours is written down here by hand, as a release of some time ago put it there.
"""
import copy
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
WIDTH = 100

BLUEPRINT = "stash.appscode.com/backup-blueprint"
STASH = "stash.appscode.com/"
OURS = "granary.dev/"
NEW_IMAGE = "registry.example.com/granary-agent:1.0.0"
OLD_IMAGE = "registry.example.com/granary-agent:0.9.0"
# The mark of the usual Deployment in this release, as its answer in deployment-create has it.
MARK = "v1.5ce8e55f.93d42e6d"
OLD_MARK = "v1.5ce8e55f.0badcafe"
# The same with a restore beside the backup, and of a restore alone.
RESTORE_MARK = "v1.a3f49232.502a8f46"
RESTORE_ALONE_MARK = "v1.923e0e0f.f67f466f"

cases = {}


# ---- writing ----


def pretty(value, indent=0):
    """JSON that people can read: whatever fits on one line stands on one."""
    line = json.dumps(value, ensure_ascii=True)
    if indent + len(line) <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    pad, inner = " " * indent, " " * (indent + 2)
    if isinstance(value, list):
        items = [inner + pretty(item, indent + 2) for item in value]
        return "[\n" + ",\n".join(items) + "\n" + pad + "]"
    items = [f"{inner}{json.dumps(key)}: {pretty(item, indent + 2)}" for key, item in value.items()]
    return "{\n" + ",\n".join(items) + "\n" + pad + "}"


def write(path, value):
    path.write_text(pretty(value) + "\n")


def case(name, review, cluster=None, settings=None):
    if name in cases:
        sys.exit(f"two cases are called {name}")
    cases[name] = (review, CLUSTER if cluster is None else cluster, settings)


# ---- what the cluster knows ----


def blueprint(name="nightly", **spec):
    usual = {
        "backend": {
            "s3": {
                "endpoint": "s3.example.com",
                "bucket": "backups",
                "prefix": "${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}",
            },
            "storageSecretName": "s3-secret",
        },
        "schedule": "0 2 * * *",
        "retentionPolicy": {"name": "keep-last-7", "keepLast": 7, "prune": True},
    }
    usual.update(spec)
    return {
        "apiVersion": "stash.appscode.com/v1beta1",
        "kind": "BackupBlueprint",
        "metadata": {"name": name, "generation": 1},
        "spec": usual,
    }


def namespace(name="demo", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}},
    }


def s3(prefix):
    return {
        "s3": {"endpoint": "s3.example.com", "bucket": "backups", "prefix": prefix},
        "storageSecretName": "s3-secret",
    }


def repository(name="by-hand", backend=None):
    return {
        "apiVersion": "stash.appscode.com/v1alpha1",
        "kind": "Repository",
        "metadata": {"name": name, "namespace": "demo"},
        "spec": {"backend": backend or s3("by-hand")},
    }


def configuration(name="by-hand", kind="Deployment", target=None, metadata=None, **spec):
    return {
        "apiVersion": "stash.appscode.com/v1beta1",
        "kind": "BackupConfiguration",
        "metadata": {
            "name": name,
            "namespace": "demo",
            "creationTimestamp": "2026-01-02T00:00:00Z",
            **(metadata or {}),
        },
        "spec": {
            "repository": {"name": "by-hand"},
            "schedule": "0 3 * * *",
            "target": {
                "ref": {"apiVersion": "apps/v1", "kind": kind, "name": "shop"},
                "paths": ["/var/lib/shop"],
                "volumeMounts": [{"name": "data", "mountPath": "/var/lib/shop"}],
                **(target or {}),
            },
            "retentionPolicy": {"name": "keep-last-3", "keepLast": 3, "prune": True},
            **spec,
        },
    }


def session(name="restore", phase=None, annotations=None, created="2026-01-03T00:00:00Z", **target):
    made = {
        "apiVersion": "stash.appscode.com/v1beta1",
        "kind": "RestoreSession",
        "metadata": {
            "name": name,
            "namespace": "demo",
            "uid": f"5e551011-0000-4000-8000-{created[5:7]}{created[8:10]}00000000",
            "creationTimestamp": created,
        },
        "spec": {
            "repository": {"name": "by-hand"},
            "target": {
                "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"},
                "volumeMounts": [{"name": "data", "mountPath": "/var/lib/shop"}],
                "rules": [{"paths": ["/var/lib/shop"]}],
                **target,
            },
        },
    }
    if annotations:
        made["metadata"]["annotations"] = annotations
    if phase:
        made["status"] = {"phase": phase}
    return made


CLUSTER = [blueprint(), namespace()]

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


# ---- objects under review ----


def container(name="app", mounts=(("data", "/var/lib/shop"),), **more):
    return {
        "name": name,
        "image": f"registry.example.com/{name}:1.2.3",
        "resources": {},
        "volumeMounts": [
            mount if isinstance(mount, dict) else {"name": mount[0], "mountPath": mount[1]}
            for mount in mounts
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        **more,
    }


def claim(name="data", claim_name="shop-data"):
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}


def template(containers=None, volumes=None, annotations=None, **spec):
    metadata = {"creationTimestamp": None, "labels": {"app": "shop"}}
    if annotations:
        metadata["annotations"] = annotations
    pod = {"volumes": [claim()] if volumes is None else volumes}
    if not pod["volumes"]:
        del pod["volumes"]
    pod["containers"] = [container()] if containers is None else containers
    pod.update(
        {
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
        }
    )
    pod.update(spec)
    return {"metadata": metadata, "spec": pod}


def workload(kind, annotations, pod, api="apps/v1", name="shop", space="demo", **spec):
    metadata = {"name": name, "namespace": space, "labels": {"app": "shop"}}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "kind": kind,
        "apiVersion": api,
        "metadata": metadata,
        "spec": {"selector": {"matchLabels": {"app": "shop"}}, "template": pod, **spec},
        "status": {},
    }


def protected(**more):
    return {BLUEPRINT: "nightly", **more}


def deployment(annotations=None, pod=None, **more):
    made = workload(
        "Deployment",
        protected() if annotations is None else annotations,
        pod or template(),
        replicas=2,
        strategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
        revisionHistoryLimit=10,
        progressDeadlineSeconds=600,
        **more,
    )
    return made


def stored(made, **metadata):
    """An object as it is in the cluster."""
    made = copy.deepcopy(made)
    made["metadata"].update(
        {
            "uid": "6a4f3d0e-0f5a-4f2e-9f58-1d5d2f6f0a11",
            "resourceVersion": "4711",
            "generation": 3,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            **metadata,
        }
    )
    return made


def edited(made, edit):
    made = copy.deepcopy(made)
    edit(made)
    return made


def pod_of(made):
    return made["spec"]["template"]["spec"]


# ---- our part, as it comes back from an API server ----

IDENTITY = {
    "name": "granary-identity",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"audience": "granary", "expirationSeconds": 3600, "path": "token"}},
            {"configMap": {"name": "granary-agent", "optional": True}},
        ],
        "defaultMode": 420,
    },
}
SCRATCH = {"name": "stash-tmp-dir", "emptyDir": {}}


def field(name, path):
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def ours(name, args, image, add, data):
    return {
        "name": name,
        "image": image,
        "args": args,
        "env": [
            field("NODE_NAME", "spec.nodeName"),
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
        ],
        "resources": {
            "limits": {"cpu": "1", "memory": "512Mi"},
            "requests": {"cpu": "10m", "memory": "64Mi"},
        },
        "volumeMounts": [
            {
                "name": "granary-identity",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
            {"name": "stash-tmp-dir", "mountPath": "/stash-tmp"},
            data,
        ],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "capabilities": {"add": add, "drop": ["ALL"]},
            "runAsUser": 0,
            "runAsGroup": 0,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def sidecar(image):
    data = {"name": "data", "readOnly": True, "mountPath": "/var/lib/shop"}
    return ours("stash", ["sidecar"], image, ["DAC_OVERRIDE"], data)


def restorer(image, uid="5e551011-0000-4000-8000-010300000000"):
    session = ["--session=restore", "--session-namespace=demo", f"--session-uid={uid}"]
    args = ["init", "--target-kind=Deployment", *session]
    data = {"name": "data", "mountPath": "/var/lib/shop"}
    return ours("stash-init", args, image, ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"], data)


def carrying(made, image=NEW_IMAGE, mark=None, restore=False, backup=True):
    """The object with our part, as the release with this image put it there."""

    usual = (RESTORE_MARK if backup else RESTORE_ALONE_MARK) if restore else MARK

    def edit(made):
        pod = pod_of(made)
        metadata = made["spec"]["template"]["metadata"]
        metadata.setdefault("annotations", {})[OURS + "agent"] = mark or usual
        if backup:
            pod["containers"].append(sidecar(image))
        if restore:
            pod.setdefault("initContainers", []).insert(0, restorer(image))
        pod.setdefault("volumes", []).extend([copy.deepcopy(IDENTITY), copy.deepcopy(SCRATCH)])

    return edited(made, edit)


# ---- reviews ----

RESOURCES = {
    "Deployment": ("apps", "v1", "deployments"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
    "DaemonSet": ("apps", "v1", "daemonsets"),
    "ReplicaSet": ("apps", "v1", "replicasets"),
    "ReplicationController": ("", "v1", "replicationcontrollers"),
    "DeploymentConfig": ("apps.openshift.io", "v1", "deploymentconfigs"),
    "PersistentVolumeClaim": ("", "v1", "persistentvolumeclaims"),
    "AppBinding": ("appcatalog.appscode.com", "v1alpha1", "appbindings"),
    "RestoreSession": ("stash.appscode.com", "v1beta1", "restoresessions"),
    "BackupConfiguration": ("stash.appscode.com", "v1beta1", "backupconfigurations"),
    "Pod": ("", "v1", "pods"),
    "Scale": ("autoscaling", "v1", "deployments"),
}


def review(operation, new, old=None, **request):
    made = new or old
    group, version, resource = RESOURCES[made["kind"]]
    kind = {"group": group, "version": version, "kind": made["kind"]}
    where = {"group": group, "version": version, "resource": resource}
    name = made["metadata"].get("name")
    body = {
        "uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816",
        "kind": kind,
        "resource": where,
        "requestKind": kind,
        "requestResource": where,
        **({"name": name} if name else {}),
        "namespace": made["metadata"]["namespace"],
        "operation": operation,
        "userInfo": {"username": "jane", "uid": "1", "groups": ["developers", "system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": operation.capitalize() + "Options", "apiVersion": "meta.k8s.io/v1"},
    }
    body.update(request)
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": body}


def create(new, **request):
    return review("CREATE", new, **request)


def update(old, edit, **request):
    """An edit of an object that is in the cluster."""
    old = stored(old)
    return review("UPDATE", edited(old, edit), old, **request)


def annotate(**annotations):
    def edit(made):
        for key, value in annotations.items():
            made["metadata"].setdefault("annotations", {})[key] = value

    return edit


def set_annotation(key, value):
    return annotate(**{key: value})


def drop_annotation(key):
    def edit(made):
        del made["metadata"]["annotations"][key]
        if not made["metadata"]["annotations"]:
            del made["metadata"]["annotations"]

    return edit


def label_edit(made):
    made["metadata"]["labels"]["team"] = "payments"


def nothing(made):
    pass


def new_image(made):
    for one in pod_of(made)["containers"]:
        if one["name"] == "app":
            one["image"] = "registry.example.com/app:1.2.4"


def both(*edits):
    def edit(made):
        for one in edits:
            one(made)

    return edit


def without_ours(made):
    """kubectl replace with the owner's manifest."""
    pod = pod_of(made)
    pod["containers"] = [one for one in pod["containers"] if one["name"] != "stash"]
    pod["volumes"] = [one for one in pod["volumes"] if one["name"] in ("data", "cache")]
    if "initContainers" in pod:
        pod["initContainers"] = [one for one in pod["initContainers"] if one["name"] != "stash-init"]
        if not pod["initContainers"]:
            del pod["initContainers"]
    made["spec"]["template"]["metadata"].pop("annotations", None)


def without_container(made):
    """A JSON merge patch that sent `containers`: the rest of ours is still there."""
    pod = pod_of(made)
    pod["containers"] = [one for one in pod["containers"] if one["name"] != "stash"]


# ---- targets that are created ----

case("deployment-create", create(deployment()))
case("daemonset-create", create(workload("DaemonSet", protected(), template())))
case("replicaset-create", create(workload("ReplicaSet", protected(), template(), replicas=1)))
case(
    "replicationcontroller-create",
    create(workload("ReplicationController", protected(), template(), api="v1", replicas=1)),
)
case(
    "deploymentconfig-create",
    create(workload("DeploymentConfig", protected(), template(), api="apps.openshift.io/v1", replicas=1)),
)


def statefulset(annotations=None):
    claims = {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": "data", "creationTimestamp": None},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }
    return workload(
        "StatefulSet",
        annotations or protected(),
        template(volumes=[]),
        serviceName="shop",
        replicas=3,
        volumeClaimTemplates=[claims],
    )


case("statefulset-claim-templates", create(statefulset()))
case("statefulset-owner-image", update(statefulset(), new_image))


def owned(made, kind):
    owner = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": "shop",
        "uid": "6a4f3d0e-0f5a-4f2e-9f58-1d5d2f6f0a11",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return edited(made, lambda made: made["metadata"].update(ownerReferences=[owner]))


case(
    "replicaset-owned",
    create(
        owned(
            workload("ReplicaSet", protected(), template(), name="shop-5d9c", replicas=2), "Deployment"
        )
    ),
)
case(
    "statefulset-owned-by-an-operator",
    create(owned(statefulset(), "ShopCluster")),
)


def volume_claim(annotations=None):
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "metadata": {"name": "shop-data", "namespace": "demo", "annotations": annotations or protected()},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeMode": "Filesystem",
        },
        "status": {"phase": "Pending"},
    }


case("claim-create", create(volume_claim()))
case(
    "claim-with-paths-and-params",
    create(
        volume_claim(
            protected(**{STASH + "target-paths": "/data", "params.stash.appscode.com/args": "--quiet"})
        )
    ),
)
case(
    "claim-annotation-removed",
    update(volume_claim(), drop_annotation(BLUEPRINT)),
)


def app_binding(annotations=None, **spec):
    return {
        "kind": "AppBinding",
        "apiVersion": "appcatalog.appscode.com/v1alpha1",
        "metadata": {"name": "shop-db", "namespace": "demo", "annotations": annotations or protected()},
        "spec": {
            "type": "kubedb.com/postgres",
            "version": "16.1",
            "clientConfig": {"service": {"name": "shop-db", "port": 5432, "scheme": "postgresql"}},
            "secret": {"name": "shop-db-auth", "kind": "Secret", "apiGroup": ""},
            **spec,
        },
    }


case(
    "appbinding-create",
    create(
        app_binding(protected(**{"params.stash.appscode.com/args": "--all-databases, a=b"}))
    ),
    [
        blueprint(
            task={
                "name": "postgres-backup-${TARGET_APP_VERSION}",
                "params": [{"name": "args", "value": "--clean"}, {"name": "quiet", "value": "yes"}],
            },
            backend=s3("${TARGET_APP_GROUP}/${TARGET_APP_RESOURCE}/${TARGET_NAMESPACE}/${TARGET_NAME}"),
        ),
        namespace(),
    ],
)
case("appbinding-without-task", create(app_binding()))
case(
    "appbinding-backup-namespace",
    create(app_binding()),
    [blueprint(backupNamespace="backups", task={"name": "postgres-backup-16.1"}), namespace()],
)

case("deployment-without-annotation", create(deployment({})))
case("deployment-without-volumes", create(deployment(pod=template([container(mounts=[])], volumes=[]))))
case(
    "deployment-without-containers",
    create(
        deployment(protected(**{STASH + "volume-mounts": "data:/var/lib/shop"}), pod=template([]))
    ),
)
case("deployment-generate-name", create(edited(deployment(), lambda made: (
    made["metadata"].pop("name"), made["metadata"].update(generateName="shop-")))))
case("deployment-dry-run", create(deployment(), dryRun=True))
case("claim-unmounted", create(deployment(pod=template(volumes=[claim(), claim("spare", "spare")]))))
case(
    "claim-as-block-device",
    create(
        deployment(
            pod=template(
                [container(volumeDevices=[{"name": "raw", "devicePath": "/dev/xvda"}])],
                volumes=[claim(), claim("raw", "raw")],
            )
        )
    ),
)

# ---- what is none of our business ----

case(
    "pod-is-no-target",
    create(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": "shop", "namespace": "demo", "annotations": protected()},
            "spec": {"containers": [container(mounts=[])]},
        }
    ),
)
SCALE = {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {"name": "shop", "namespace": "demo"}}
case(
    "scale-sub-resource",
    review(
        "UPDATE",
        {**SCALE, "spec": {"replicas": 3}},
        {**SCALE, "spec": {"replicas": 2}},
        resource={"group": "apps", "version": "v1", "resource": "deployments"},
        subResource="scale",
    ),
)
case("status-sub-resource", update(carrying(deployment()), nothing, subResource="status"))
case("operation-delete", review("DELETE", None, stored(carrying(deployment()))))
case("operation-connect", review("CONNECT", deployment()))
case("operation-unknown", review("create", deployment()))
case(
    "excluded-namespace",
    create(deployment()),
    settings={"agent": {"image": NEW_IMAGE}, "excludedNamespaces": ["demo"]},
)
case(
    "deployment-being-deleted",
    update(
        edited(carrying(deployment()), lambda made: made["metadata"].update(
            deletionTimestamp="2026-01-05T00:00:00Z", finalizers=["example.com/hold"])),
        new_image,
    ),
)
case(
    "old-version-of-the-kind",
    create(
        deployment(),
        requestKind={"group": "extensions", "version": "v1beta1", "kind": "Deployment"},
        requestResource={"group": "extensions", "version": "v1beta1", "resource": "deployments"},
    ),
)

# ---- when the template changes on UPDATE, and when not ----

shop = carrying(deployment())
older = carrying(deployment(), OLD_IMAGE, OLD_MARK)

case("update-label", update(shop, label_edit))
case("update-nothing", update(shop, nothing))
case("update-revision-annotation", update(shop, set_annotation("deployment.kubernetes.io/revision", "4")))
case("update-schedule", update(shop, set_annotation(STASH + "schedule", "30 1 * * *")))
case(
    "update-retention",
    update(shop, set_annotation(OURS + "retention", "last=5,daily=7")),
    [blueprint(overrides=[{"key": "retention"}, {"key": "schedule"}]), namespace()],
)
case(
    "update-retention-not-allowed",
    update(shop, set_annotation(OURS + "retention", "last=5,daily=7")),
)
case("update-replicas", update(shop, lambda made: made["spec"].update(replicas=5)))
case("release-new-label-edit", update(older, label_edit))
case("release-new-schedule-edit", update(older, set_annotation(STASH + "schedule", "30 1 * * *")))
case("release-new-owner-image", update(older, new_image))
case("release-new-replace", update(older, without_ours))
case(
    "settings-new-label-edit",
    update(shop, label_edit),
    settings={"agent": {"image": NEW_IMAGE, "resources": {"limits": {"memory": "1Gi"}}}},
)
case(
    "settings-new-schedule-edit",
    update(shop, set_annotation(STASH + "schedule", "30 1 * * *")),
    settings={"agent": {"image": NEW_IMAGE, "resources": {"limits": {"memory": "1Gi"}}}},
)
case("owner-image", update(shop, new_image))
case("owner-adds-sidecar-first", update(shop, lambda made: pod_of(made)["containers"].insert(
    0, container("proxy", mounts=[]))))
case("owner-moves-mount", update(shop, lambda made: pod_of(made)["containers"][0]["volumeMounts"][0].update(
    mountPath="/srv/shop")))
case("owner-narrows-mount", update(shop, lambda made: pod_of(made)["containers"][0]["volumeMounts"][0].update(
    mountPath="/srv/shop", subPath="shop")))
case("owner-drops-mount", update(shop, lambda made: pod_of(made)["containers"][0].update(volumeMounts=[])))
case(
    "owner-adds-volume",
    update(
        shop,
        lambda made: (
            pod_of(made)["volumes"].insert(1, claim("cache", "shop-cache")),
            pod_of(made)["containers"][0]["volumeMounts"].append({"name": "cache", "mountPath": "/cache"}),
        ),
    ),
)
case("replace-without-ours", update(shop, without_ours))
case("replace-with-new-image", update(shop, both(without_ours, new_image)))
case("half-injected", update(shop, without_container))
case("half-injected-with-new-image", update(shop, both(without_container, new_image)))
case(
    "ours-tampered-with",
    update(shop, lambda made: pod_of(made)["containers"][1].update(image="evil.example.com/x:1")),
)
case(
    "mark-dropped",
    update(shop, lambda made: made["spec"]["template"]["metadata"].pop("annotations")),
)
case("annotation-added", update(deployment({}), set_annotation(BLUEPRINT, "nightly")))
case(
    "annotation-changed",
    update(shop, set_annotation(BLUEPRINT, "weekly")),
    [blueprint(), blueprint("weekly", schedule="0 2 * * 0"), namespace()],
)
case(
    "annotation-changed-container",
    update(shop, set_annotation(BLUEPRINT, "large")),
    [
        blueprint(),
        blueprint(
            "large", runtimeSettings={"container": {"resources": {"limits": {"memory": "2Gi"}}}}
        ),
        namespace(),
    ],
)
case("annotation-changed-to-missing", update(shop, set_annotation(BLUEPRINT, "nighly")))
case("annotation-removed", update(shop, drop_annotation(BLUEPRINT)))
case("annotation-emptied", update(shop, set_annotation(BLUEPRINT, "")))
case("annotation-removed-release-new", update(older, drop_annotation(BLUEPRINT)))
case(
    "annotation-removed-and-replaced",
    update(shop, both(without_ours, drop_annotation(BLUEPRINT))),
)
case("opted-out", update(shop, set_annotation(OURS + "backup", "false")))
case("opted-out-create", create(deployment(protected(**{OURS + "backup": "false"}))))
case("paused", update(shop, set_annotation(OURS + "paused", "true")))
case("stamp-new", update(older, set_annotation(OURS + "stamp", "2026-01-05T00:00:00Z-1")))
case(
    "stamp-same",
    update(carrying(deployment(protected(**{OURS + "stamp": "1"})), OLD_IMAGE, OLD_MARK), label_edit),
)
case(
    "stamp-gone",
    update(
        carrying(deployment(protected(**{OURS + "stamp": "1"})), OLD_IMAGE, OLD_MARK),
        drop_annotation(OURS + "stamp"),
    ),
)
case("stamp-without-reason", update(deployment({}), set_annotation(OURS + "stamp", "1")))
case("refresh-new", update(older, set_annotation(OURS + "refresh", "1")))
case(
    "refresh-gone",
    update(
        carrying(deployment(protected(**{OURS + "refresh": "1"})), OLD_IMAGE, OLD_MARK),
        drop_annotation(OURS + "refresh"),
    ),
)
case("older-than-installation-label-edit", update(deployment(), label_edit))
case("older-than-installation-schedule-edit", update(
    deployment(), set_annotation(STASH + "schedule", "30 1 * * *")))
case("older-than-installation-owner-image", update(deployment(), new_image))
case("update-without-old-object", review("UPDATE", shop))
case("create-carrying-old-part", create(older))
case("create-carrying-without-reason", create(carrying(deployment({}))))

# ---- a blueprint that is gone or broken ----

invalid = blueprint(schedule="every day")
unresolved = blueprint(backend=s3("${TARGET_APP_NAME}/${TARGET_NAME}"))
case("blueprint-gone-label-edit", update(shop, label_edit), [namespace()])
case("blueprint-gone-owner-image", update(shop, new_image), [namespace()])
case("blueprint-gone-replace", update(shop, both(without_ours, new_image)), [namespace()])
case("blueprint-gone-release-new", update(older, new_image), [namespace()])
case("blueprint-gone-refresh", update(older, set_annotation(OURS + "refresh", "1")), [namespace()])
case("blueprint-gone-create", create(deployment()), [blueprint("nighly"), namespace()])
case(
    "blueprint-gone-volume-removed",
    update(
        shop,
        lambda made: (
            pod_of(made)["volumes"].pop(0),
            pod_of(made)["containers"][0].update(volumeMounts=[]),
        ),
    ),
    [namespace()],
)
case(
    "blueprint-gone-pod-promises-nonroot",
    update(
        shop,
        lambda made: pod_of(made).update(
            securityContext={"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
        ),
    ),
    [namespace()],
)
case(
    "blueprint-gone-pod-becomes-restricted",
    update(
        shop,
        lambda made: pod_of(made)["containers"][0].update(
            securityContext={**RESTRICTED, "runAsUser": 1000, "runAsGroup": 1000}
        ),
    ),
    [namespace()],
)
case(
    "blueprint-gone-pod-shares-processes",
    update(shop, lambda made: pod_of(made).update(shareProcessNamespace=True)),
    [namespace()],
)
case("blueprint-gone-owner-adds-first", update(shop, lambda made: pod_of(made)["containers"].insert(
    0, container("proxy", mounts=[]))), [namespace()])
case("blueprint-gone-annotation-removed", update(shop, drop_annotation(BLUEPRINT)), [namespace()])
case("blueprint-invalid-owner-image", update(shop, new_image), [invalid, namespace()])
case("blueprint-invalid-label-edit", update(shop, label_edit), [invalid, namespace()])
case("blueprint-invalid-create", create(deployment()), [invalid, namespace()])
case("blueprint-unresolved-owner-image", update(shop, new_image), [unresolved, namespace()])
case("blueprint-unresolved-create", create(deployment()), [unresolved, namespace()])
case(
    "blueprint-forbidden",
    create(deployment()),
    [
        blueprint(allowedNamespaces={"from": "Selector", "selector": {"matchLabels": {"team": "db"}}}),
        namespace(),
    ],
)

# ---- restores ----

by_hand = [repository(), namespace()]
restoring = carrying(deployment(), restore=True)
case("restore-create", create(deployment()), CLUSTER + [repository(), session()])
case("restore-alone", create(deployment({})), by_hand + [session()])
case(
    "restore-of-some-hosts",
    create(deployment({})),
    by_hand
    + [session(rules=[{"targetHosts": ["host-0", "host-1"], "paths": ["/var/lib/shop"]}])],
)
case(
    "restore-with-alias",
    create(statefulset({})),
    by_hand
    + [
        session(
            alias="shop-data",
            ref={"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "shop"},
            rules=[{"targetHosts": ["shop-data-0"], "paths": ["/var/lib/shop"]}],
        )
    ],
)
case(
    "restore-oldest-first",
    create(deployment({})),
    by_hand + [session("later", created="2026-01-09T00:00:00Z"), session("earlier")],
)
case(
    "restore-with-other-init-containers",
    create(deployment(pod=template(initContainers=[container("setup")]))),
    CLUSTER + [repository(), session()],
)
case("restore-waiting-label-edit", update(shop, label_edit), CLUSTER + [repository(), session()])
case("restore-waiting-owner-image", update(shop, new_image), CLUSTER + [repository(), session()])
case(
    "restore-waiting-stamp",
    update(shop, set_annotation(OURS + "stamp", "1")),
    CLUSTER + [repository(), session()],
)
for phase in ("Running", "Failed", "Succeeded"):
    known = CLUSTER + [repository(), session(phase=phase)]
    case(f"restore-{phase.lower()}-label-edit", update(restoring, label_edit), known)
    case(f"restore-{phase.lower()}-owner-image", update(restoring, new_image), known)
case(
    "restore-succeeded-stamp",
    update(restoring, set_annotation(OURS + "stamp", "1")),
    CLUSTER + [repository(), session(phase="Succeeded")],
)
case(
    "restore-succeeded-annotation-removed",
    update(restoring, drop_annotation(BLUEPRINT)),
    CLUSTER + [repository(), session(phase="Succeeded")],
)
case(
    "restore-running-annotation-removed",
    update(restoring, drop_annotation(BLUEPRINT)),
    CLUSTER + [repository(), session(phase="Running")],
)
case(
    "restore-succeeded-blueprint-gone",
    update(restoring, new_image),
    [repository(), session(phase="Succeeded"), namespace()],
)
case(
    "restore-running-blueprint-gone",
    update(restoring, new_image),
    [repository(), session(phase="Running"), namespace()],
)
unusable = CLUSTER + [repository(), session(rules=[])]
case("restore-unusable-label-edit", update(restoring, label_edit), unusable)
case("restore-unusable-owner-image", update(restoring, new_image), unusable)
case("restore-unusable-create", create(restoring), unusable)
case("restore-deleted-owner-image", update(restoring, new_image), CLUSTER + [repository()])
case(
    "restore-overridden-owner-image",
    update(restoring, new_image),
    CLUSTER + [repository(), session(annotations={OURS + "start-anyway": "true"})],
)
case(
    "restore-overridden-label-edit",
    update(restoring, label_edit),
    CLUSTER + [repository(), session(annotations={OURS + "start-anyway": "true"})],
)
case(
    "restore-alone-succeeded-owner-image",
    update(carrying(deployment({}), backup=False, restore=True), new_image),
    by_hand + [session(phase="Succeeded")],
)
case(
    "restore-alone-succeeded-label-edit",
    update(carrying(deployment({}), backup=False, restore=True), label_edit),
    by_hand + [session(phase="Succeeded")],
)
case("restore-if-exists", create(deployment(protected(**{OURS + "restore-if-exists": "true"}))))
case(
    "restore-if-exists-and-session",
    create(deployment(protected(**{OURS + "restore-if-exists": "true"}))),
    CLUSTER + [repository(), session()],
)

# ---- other reasons ----

case("configuration-by-hand", create(deployment({})), by_hand + [configuration()])
case("configuration-by-hand-label-edit", update(deployment({}), label_edit), by_hand + [configuration()])
case(
    "configuration-by-hand-stamp",
    update(deployment({}), set_annotation(OURS + "stamp", "1")),
    by_hand + [configuration()],
)
case(
    "configuration-by-hand-beside-blueprint",
    create(deployment()),
    CLUSTER + [repository(), configuration(target={"paths": ["/var/lib/shop/uploads"]})],
)
case(
    "configuration-by-hand-has-our-name",
    create(deployment()),
    CLUSTER + [repository(), configuration("deploy-shop")],
)
case(
    "configuration-by-hand-with-task",
    create(deployment({})),
    by_hand + [configuration(task={"name": "pvc-backup"})],
)
case("configuration-deleted-label-edit", update(carrying(deployment({})), label_edit), by_hand)
case(
    "configuration-deleted-stamp",
    update(carrying(deployment({})), set_annotation(OURS + "stamp", "2")),
    by_hand,
)
case("configuration-deleted-owner-image", update(carrying(deployment({})), new_image), by_hand)
case(
    "namespace-label",
    create(deployment({})),
    [blueprint(), namespace(**{OURS + "blueprint": "nightly"})],
)
case(
    "namespace-label-own-blueprint",
    create(deployment({BLUEPRINT: "weekly"})),
    [blueprint(), blueprint("weekly", schedule="0 2 * * 0"), namespace(**{OURS + "blueprint": "nightly"})],
)
case(
    "namespace-label-opted-out",
    create(deployment({OURS + "backup": "false"})),
    [blueprint(), namespace(**{OURS + "blueprint": "nightly"})],
)
case(
    "namespace-label-without-claims",
    create(deployment({}, pod=template([container(mounts=[])], volumes=[]))),
    [blueprint(), namespace(**{OURS + "blueprint": "nightly"})],
)
case(
    "namespace-label-bare-claim",
    create(edited(volume_claim(), lambda made: made["metadata"].pop("annotations"))),
    [blueprint(), namespace(**{OURS + "blueprint": "nightly"})],
)
case(
    "namespace-label-missing-blueprint",
    create(deployment({})),
    [blueprint(), namespace(**{OURS + "blueprint": "nightl"})],
)
case("namespace-label-removed-label-edit", update(carrying(deployment({})), label_edit))
case("namespace-label-removed-stamp", update(carrying(deployment({})), set_annotation(OURS + "stamp", "1")))
weekly = blueprint("weekly", schedule="0 2 * * 0", backend=s3("weekly/${TARGET_NAMESPACE}/${TARGET_NAME}"))
case(
    "blueprints-several",
    create(deployment({BLUEPRINT: " nightly , weekly"})),
    [blueprint(), weekly, namespace()],
)
case(
    "blueprints-one-missing",
    create(deployment({BLUEPRINT: "nightly,monthly,weekly"})),
    [blueprint(), weekly, namespace()],
)
case(
    "blueprints-disagree",
    create(deployment({BLUEPRINT: "nightly,weekly"})),
    [
        blueprint(fileAccess="Follow", runtimeSettings={"container": {"env": [{"name": "A", "value": "1"}]}}),
        blueprint("weekly", backend=s3("weekly/${TARGET_NAME}"),
                  runtimeSettings={"container": {"env": [{"name": "A", "value": "2"}]}}),
        namespace(),
    ],
)
case(
    "blueprints-same-place",
    create(deployment({BLUEPRINT: "nightly,weekly"})),
    [blueprint(), blueprint("weekly", schedule="0 2 * * 0"), namespace()],
)
case(
    "blueprints-with-two-local-backends",
    create(deployment({BLUEPRINT: "nightly,weekly"})),
    [
        blueprint(backend={"local": {"mountPath": "/backup", "persistentVolumeClaim": {"claimName": "a"}},
                           "storageSecretName": "restic"}),
        blueprint("weekly", backend={"local": {"mountPath": "/backup",
                                               "persistentVolumeClaim": {"claimName": "b"}},
                           "storageSecretName": "restic"}),
        namespace(),
    ],
)
case(
    "blueprints-local-backend-at-a-mount",
    create(deployment({BLUEPRINT: "nightly,weekly", STASH + "volume-mounts": "data:/backup"})),
    [
        blueprint(),
        blueprint("weekly", backend={"local": {"mountPath": "/backup",
                                               "persistentVolumeClaim": {"claimName": "b"}},
                           "storageSecretName": "restic"}),
        namespace(),
    ],
)
case(
    "configuration-by-hand-mounts-another-volume",
    create(deployment(pod=template(
        [container(mounts=[("data", "/var/lib/shop"), ("cache", "/cache")])],
        volumes=[claim(), claim("cache", "cache")]))),
    CLUSTER + [repository(), configuration(
        target={"volumeMounts": [{"name": "cache", "mountPath": "/var/lib/shop"}]})],
)
case(
    "restore-from-another-local-backend",
    create(deployment()),
    [
        blueprint(backend={"local": {"mountPath": "/backup", "persistentVolumeClaim": {"claimName": "a"}},
                           "storageSecretName": "restic"}),
        repository(backend={"local": {"mountPath": "/other", "persistentVolumeClaim": {"claimName": "b"}},
                           "storageSecretName": "restic"}),
        session(),
        namespace(),
    ],
)
case("blueprint-without-schedule", create(deployment()), [
    edited(blueprint(), lambda made: made["spec"].pop("schedule")), namespace()])
case(
    "blueprint-keeps-repositories-elsewhere",
    create(deployment()),
    [blueprint(repoNamespace="backups"), namespace()],
)
case("blueprint-backup-namespace", create(deployment()), [blueprint(backupNamespace="backups"), namespace()])
case("blueprint-mode-job", create(deployment()), [blueprint(mode="Job"), namespace()])
case("blueprint-becomes-mode-job", update(shop, new_image), [blueprint(mode="Job"), namespace()])
case("blueprint-task", create(deployment()), [blueprint(task={"name": "pvc-backup"}), namespace()])
case(
    "blueprint-all-fields",
    create(deployment()),
    [
        blueprint(
            wipeOut=True,
            usagePolicy={"allowedNamespaces": {"from": "Same"}},
            tempDir={"medium": "Memory", "sizeLimit": "1Gi"},
            hooks={"preBackup": {"exec": {"command": ["sync"]}, "containerName": "app"}},
            backupHistoryLimit=3,
            timeOut="2h",
            retryConfig={"maxRetry": 2, "delay": "10m"},
            guard={"shrinkPercent": 90, "action": "Fail"},
            jitter="5m",
            agentSecretName="append-only",
            runtimeSettings={"pod": {"priorityClassName": "low"}, "container": {"nice": {"adjustment": 10}}},
        ),
        namespace(),
    ],
)
case(
    "repository-moved",
    create(deployment()),
    CLUSTER
    + [
        edited(
            repository("deploy-shop", s3("elsewhere")),
            lambda made: made["metadata"].update(
                annotations={OURS + "target": "apps/Deployment/demo/shop"},
                labels={OURS + "blueprint": "nightly"},
            ),
        )
    ],
)
case(
    "repository-of-another",
    create(deployment()),
    CLUSTER
    + [
        edited(
            repository("deploy-other", s3("demo/deployment/shop")),
            lambda made: made["metadata"].update(annotations={OURS + "target": "apps/Deployment/demo/other"}),
        )
    ],
)

# ---- what the owner asks for ----


def asking(**annotations):
    return create(deployment(protected(**annotations), pod=template(
        [container(mounts=[("data", "/var/lib/shop"), ("cache", "/cache")])],
        volumes=[claim(), {"name": "cache", "emptyDir": {}}])))


case("paths-only", asking(**{STASH + "target-paths": "/var/lib/shop/uploads, /var/lib/shop/db"}))
PATHS_MARK = "v1.344a21ac.93d42e6d"
uploads = carrying(deployment(protected(**{STASH + "target-paths": "/var/lib/shop/uploads"})), mark=PATHS_MARK)
case(
    "paths-below-the-same-mount",
    update(uploads, set_annotation(STASH + "target-paths", "/var/lib/shop/uploads,/var/lib/shop/db")),
)
case(
    "paths-below-the-same-mount-stamp",
    update(uploads, both(
        set_annotation(STASH + "target-paths", "/var/lib/shop/db"),
        set_annotation(OURS + "stamp", "1"),
    )),
)
case(
    "paths-and-mounts-at-last",
    update(uploads, both(
        set_annotation(STASH + "target-paths", "/var/lib/shop/uploads"),
        set_annotation(STASH + "volume-mounts", "data:/var/lib/shop"),
    )),
)
case("paths-of-an-emptydir", asking(**{STASH + "target-paths": "/cache"}))
case("paths-outside", asking(**{STASH + "target-paths": "/var/lib/shop,/etc"}))
case("paths-all-outside", asking(**{STASH + "target-paths": "/etc"}))
case("paths-relative", asking(**{STASH + "target-paths": "var/lib,/var/lib/../x,/var/lib/shop"}))
case("mounts-only", asking(**{STASH + "volume-mounts": "data:/backup/data"}))
case("mounts-with-sub-path", asking(**{STASH + "volume-mounts": "data:/backup/data:uploads"}))
case("mounts-unknown-volume", asking(**{STASH + "volume-mounts": "dta:/var/lib/shop"}))
case(
    "mounts-some-unknown",
    asking(**{STASH + "volume-mounts": "data:/var/lib/shop,logs:/logs"}),
)
case(
    "paths-and-mounts",
    asking(**{STASH + "target-paths": "/source/uploads", STASH + "volume-mounts": "data:/source"}),
)
case(
    "paths-not-covered",
    asking(**{STASH + "target-paths": "/source,/cache", STASH + "volume-mounts": "data:/source"}),
)
case("key-misspelt", create(deployment({STASH + "backup-blueprnt": "nightly"})))
case("key-of-the-other-domain", create(deployment({BLUEPRINT: "nightly", OURS + "schedule": "0 1 * * *"})))
case("schedule-invalid", create(deployment(protected(**{STASH + "schedule": "61 * * * *"}))))
case("params-on-a-workload", create(deployment(protected(**{"params.stash.appscode.com/args": "x"}))))
bounded = blueprint(
    overrides=[
        {"key": "schedule", "min": "6h"},
        {"key": "resources", "max": "limits.memory=1Gi"},
        {"key": "retention"},
        {"key": "timeout"},
        {"key": "priority"},
    ]
)
case(
    "overrides-within-bounds",
    create(
        deployment(
            protected(
                **{
                    STASH + "schedule": "0 */12 * * *",
                    OURS + "resources": "cpu=100m,memory=128Mi,limits.memory=768Mi",
                    OURS + "retention": "last=5,within=30d",
                    OURS + "timeout": "90m",
                    OURS + "priority": "nice=10,ionice=idle",
                }
            )
        )
    ),
    [bounded, namespace()],
)
case(
    "overrides-outside-bounds",
    create(
        deployment(
            protected(
                **{
                    STASH + "schedule": "*/5 * * * *",
                    OURS + "resources": "limits.memory=8Gi",
                    OURS + "exclude": "*.tmp",
                }
            )
        )
    ),
    [bounded, namespace()],
)
case("resources-not-allowed", create(deployment(protected(**{OURS + "resources": "limits.memory=8Gi"}))))
case("exclude", create(deployment(protected(**{OURS + "exclude": "*.tmp, cache/"}))))
case("update-resources", update(shop, set_annotation(OURS + "resources", "limits.memory=1Gi")),
     [bounded, namespace()])
case("values-odd", create(deployment(protected(**{
    "example.com/\u00fcber": "\u202e\u0627\u0644\u0639 \ud83d\ude00 \u0000 \u001b[31m",
    OURS + "exclude": "\u202e*.tmp,\u00e9\u00e8",
}))))
case("blueprint-with-nul", create(deployment({BLUEPRINT: "night\u0000ly"})))
case("schedule-with-nul", create(deployment(protected(**{STASH + "schedule": "0 1 * * *\u0000"}))))
case("name-253", create(edited(deployment(), lambda made: made["metadata"].update(name="x" * 249 + ".1-z"))))
case("name-254", create(edited(deployment(), lambda made: made["metadata"].update(name="x" * 250 + ".1-z"))))
case("name-upper-case", create(edited(deployment(), lambda made: made["metadata"].update(name="Shop_\u00e9"))))

# ---- the pod ----


def pods(name, pod, cluster=None, **annotations):
    case(name, create(deployment(protected(**annotations), pod=pod)), cluster)


def local(settings="local", **source):
    return [blueprint(backend={settings: {"mountPath": "/backup", **source},
                               "storageSecretName": "restic"}), namespace()]


SMALL = {"cpu": "500m", "memory": "128Mi"}
WHOLE = {"cpu": "2", "memory": "1Gi"}

pods("windows-os", template(os={"name": "windows"}))
pods("windows-node-selector", template(nodeSelector={"kubernetes.io/os": "windows"}))
case("owner-turns-to-windows", update(shop, lambda made: pod_of(made).update(os={"name": "windows"})))
pods("pod-resources", template(resources={"limits": {"cpu": "2", "memory": "1Gi"}}))
pods("guaranteed", template([container(resources={"limits": SMALL, "requests": SMALL})]))
pods("guaranteed-whole-cpus", template([container(resources={"limits": WHOLE, "requests": WHOLE})]))
pods("burstable", template([container(resources={"limits": WHOLE, "requests": SMALL})]))
pods(
    "guaranteed-with-runtime-settings",
    template([container(resources={"limits": SMALL, "requests": SMALL})]),
    [blueprint(runtimeSettings={"container": {"resources": {"requests": {"memory": "1Gi"}}}}), namespace()],
)

ORDINAL = [
    field("POD_NAME", "metadata.name"),
    {"name": "PART", "value": "a"},
]
pods(
    "sub-path-expr",
    template([container(mounts=[{"name": "data", "mountPath": "/data", "subPathExpr": "$(PART)/$(POD_NAME)"}],
                        env=ORDINAL)]),
)
pods(
    "sub-path-expr-from-config-map",
    template([container(mounts=[{"name": "data", "mountPath": "/data", "subPathExpr": "$(PART)"}],
                        env=[{"name": "PART", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}])]),
)
pods("sub-path", template([container(mounts=[{"name": "data", "mountPath": "/data", "subPath": "shop"}])]))
pods(
    "two-volumes-at-one-path",
    template([container(mounts=[("data", "/data")]), container("log", mounts=[("logs", "/data")])],
             volumes=[claim(), claim("logs", "logs")]),
)
pods(
    "nested-mounts",
    template([container(mounts=[("data", "/data"), ("uploads", "/data/uploads")])],
             volumes=[claim(), claim("uploads", "uploads")]),
)
pods("mount-above-our-own", template([container(mounts=[("data", "/var")])]))
pods("mount-at-our-scratch", template([container(mounts=[("data", "/stash-tmp")])]))
pods("local-host-path", template(), local(hostPath={"path": "/srv/backup"}))
pods(
    "local-host-path-in-privileged-pod",
    template([container(securityContext={"privileged": True})]),
    local(hostPath={"path": "/srv/backup"}),
)
pods(
    "local-nfs-in-restricted-pod",
    template([container(securityContext=RESTRICTED)]),
    local(nfs={"server": "nfs.example.com", "path": "/backup"}),
)
pods("local-nfs", template(), local(nfs={"server": "nfs.example.com", "path": "/backup"}))
pods(
    "local-claim",
    template(),
    local(persistentVolumeClaim={"claimName": "backup"}, subPath="${TARGET_NAME}"),
)
pods("local-claim-at-a-mount", template([container(mounts=[("data", "/backup")])]),
     local(persistentVolumeClaim={"claimName": "backup"}))
pods("shared-processes", template(shareProcessNamespace=True))
pods("host-pid", template(hostPID=True))
pods("host-network", template(hostNetwork=True))
pods("image-pull-secrets", template(imagePullSecrets=[{"name": "registry"}]))
pods(
    "runtime-settings",
    template(),
    [
        blueprint(
            runtimeSettings={
                "container": {
                    "resources": {"requests": {"cpu": "2", "memory": "256Mi"}},
                    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
                            {"name": "POD_NAME", "value": "mine"}],
                    "envFrom": [{"configMapRef": {"name": "proxy"}}],
                    "securityContext": {"runAsUser": 2000, "runAsGroup": 2000},
                    "livenessProbe": {"exec": {"command": ["true"]}},
                    "lifecycle": {"preStop": {"exec": {"command": ["sync"]}}},
                    "nice": {"adjustment": 5},
                    "ionice": {"class": 2, "classData": 4},
                }
            },
            tempDir={"medium": "Memory", "sizeLimit": "64Mi"},
        ),
        namespace(),
    ],
)

pods(
    "runtime-settings-nonroot",
    template(),
    [
        blueprint(
            fileAccess="Root", runtimeSettings={"container": {"securityContext": {"runAsNonRoot": True}}}
        ),
        namespace(),
    ],
)

# whose files: the table of the design
NONROOT = {"runAsNonRoot": True}


def user(name, pod_context=None, *contexts, access=None):
    containers = [
        container(f"app{n}" if n else "app", securityContext=context)
        for n, context in enumerate(contexts or ({},))
    ]
    pods(f"user-{name}", template(containers, securityContext=pod_context or {}),
         [blueprint(**({"fileAccess": access} if access else {})), namespace()])


user("nonroot-known", {**NONROOT, "runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 2000})
user("nonroot-unknown", NONROOT)
user("nonroot-several", NONROOT, {"runAsUser": 1000}, {"runAsUser": 1001})
user("known", None, {"runAsUser": 1000, "runAsGroup": 1000})
user("unknown")
user("zero", {"runAsUser": 0})
user("several", None, {"runAsUser": 1000}, {"runAsUser": 1001})
user("restricted", None, {**RESTRICTED, "runAsUser": 1000})
user("follow-known", {"runAsUser": 1000}, access="Follow")
user("follow-unknown", access="Follow")
user("follow-zero", {"runAsUser": 0}, access="Follow")
user("root", {"runAsUser": 1000}, access="Root")
user("root-restricted", None, {**RESTRICTED, "runAsUser": 1000}, access="Root")
pods(
    "user-of-the-mounting-container",
    template([container("proxy", mounts=[], securityContext={"runAsUser": 7}),
              container(securityContext={"runAsUser": 1000})]),
)

# ---- names that are taken ----


def by_stash(made):
    """What Stash leaves in a workload."""
    made = edited(made, lambda made: made["spec"]["template"]["metadata"].update(
        annotations={STASH + "last-applied-backup-invoker-hash": "15093137518465219"}))
    pod_of(made)["containers"].append(
        container("stash", mounts=[("stash-tmp-dir", "/stash-tmp"), ("data", "/var/lib/shop")],
                  args=["run-backup", "--invoker-name=deploy-shop"]))
    pod_of(made)["volumes"].append({"name": "stash-tmp-dir", "emptyDir": {}})
    return made


case("stash-create", create(by_stash(deployment())))
case("stash-label-edit", update(by_stash(deployment()), label_edit))
case("stash-owner-image", update(by_stash(deployment()), new_image))
case("stash-stamp", update(by_stash(deployment()), set_annotation(OURS + "stamp", "1")))
case("stash-without-reason-label-edit", update(by_stash(deployment({})), label_edit))
case("stash-without-reason-owner-image", update(by_stash(deployment({})), new_image))
case("stash-annotation-removed", update(by_stash(deployment()), drop_annotation(BLUEPRINT)))
case("stash-blueprint-gone", update(by_stash(deployment()), new_image), [namespace()])
case(
    "stash-configuration-by-hand",
    update(by_stash(deployment({})), new_image),
    by_hand + [configuration()],
)
foreign = template([container(), container("stash", mounts=[])])
case("name-taken-container", create(deployment(pod=foreign)))
case("name-taken-container-without-reason", create(deployment({}, pod=foreign)))
case("name-taken-container-update", update(deployment(pod=foreign), new_image))
pods("name-taken-init-container", template(initContainers=[container("stash-init", mounts=[])]))
pods("name-taken-volume", template(volumes=[claim(), {"name": "stash-tmp-dir", "emptyDir": {}}]))
case("name-taken-later", update(deployment(pod=foreign), drop_annotation(BLUEPRINT)))

# ---- beside other injectors ----


def reordered(made):
    """Ours first, and somebody else's behind."""

    def edit(made):
        pod = pod_of(made)
        pod["containers"].insert(0, pod["containers"].pop())
        pod["containers"].append(container("istio-proxy", mounts=[]))
        pod["volumes"].insert(0, {"name": "istio-envoy", "emptyDir": {}})
        pod["volumes"].reverse()

    return edited(made, edit)


case("reordered-label-edit", update(reordered(shop), label_edit))
case("reordered-owner-image", update(reordered(shop), new_image))
case("reordered-annotation-removed", update(reordered(shop), drop_annotation(BLUEPRINT)))
case("reordered-moves-mount", update(reordered(shop), lambda made: pod_of(made)["containers"][1][
    "volumeMounts"][0].update(mountPath="/srv/shop")))
case("reordered-again", update(shop, lambda made: pod_of(made)["containers"].reverse()))
case(
    "init-of-another-first",
    update(
        edited(restoring, lambda made: pod_of(made)["initContainers"].insert(0, container("istio-init", mounts=[]))),
        new_image,
    ),
    CLUSTER + [repository(), session()],
)

# ---- mistakes that are refused ----

deny = {"agent": {"image": NEW_IMAGE}, "enforcement": "Deny"}
mistaken = carrying(deployment(protected(**{STASH + "schedule": "61 * * * *", OURS + "paused": "maybe"})))
case("deny-by-settings", create(deployment({BLUEPRINT: "nighly"})), settings=deny)
case("deny-by-blueprint", create(deployment(protected(**{STASH + "schedule": "61 * * * *"}))),
     [blueprint(enforcement="Deny"), namespace()])
case("deny-old-mistake-label-edit", update(mistaken, label_edit), settings=deny)
case("deny-old-mistake-one-repaired", update(mistaken, drop_annotation(OURS + "paused")), settings=deny)
case("deny-new-mistake", update(mistaken, set_annotation(OURS + "exclude", "")), settings=deny)
case("deny-blueprint-gone-label-edit", update(shop, label_edit), [namespace()], deny)
case("deny-without-mistake", create(deployment()), settings=deny)
case("deny-is-not-for-faults-of-the-administrator", create(deployment()), [invalid, namespace()], deny)
case("deny-removal-of-a-mistake", update(mistaken, drop_annotation(BLUEPRINT)), settings=deny)
case("deny-with-control-characters", create(deployment({BLUEPRINT: "a\u001b[31m\u202eb\nc"})), settings=deny)
case("deny-name-taken-label-edit", update(deployment(pod=foreign), label_edit), settings=deny)
case("deny-name-taken", create(deployment(pod=foreign)), settings=deny)

# ---- RestoreSession ----


def restore_session(top, target):
    made = session()
    made["metadata"] = {"name": "restore", "namespace": "demo"}
    for place, rules in ((made["spec"], top), (made["spec"]["target"], target)):
        place.pop("rules", None)
        if rules:
            place["rules"] = rules
    return made


RULE = [{"paths": ["/var/lib/shop"]}]
case("restore-session-rules-moved", create(restore_session(RULE, None)), CLUSTER + [repository()])
case("restore-session-rules-in-place", create(restore_session(None, RULE)), CLUSTER + [repository()])
case("restore-session-rules-in-both", create(restore_session(RULE, RULE)), CLUSTER + [repository()])
case("restore-session-without-rules", create(restore_session(None, None)), CLUSTER + [repository()])
# `kubectl apply` of the same manifest again: `rules` merged into what the creation made of them
case("restore-session-rules-again", update(restore_session(None, RULE), lambda made: made["spec"].update(rules=RULE)),
     CLUSTER + [repository()])
case("restore-session-rules-changed", update(restore_session(None, RULE), lambda made: made["spec"].update(
    rules=[{"paths": ["/etc"]}])), CLUSTER + [repository()])
# made while the webhook was down
case("restore-session-rules-at-the-top-label-edit", update(restore_session(RULE, None), lambda made: made[
    "metadata"].update(labels={"team": "a"})), CLUSTER + [repository()])
case("restore-session-label-edit", update(restore_session(None, RULE), lambda made: made["metadata"].update(
    labels={"team": "a"})), CLUSTER + [repository()])
case("configuration-invalid", create(edited(configuration(schedule="61 * * * *"), lambda made: (
    made["spec"].pop("retentionPolicy"), made["metadata"].pop("creationTimestamp")))), CLUSTER + [repository()])


# ---- writing ----


def main():
    write(HERE / "cluster.json", CLUSTER)
    write(HERE / "settings.json", {"agent": {"image": NEW_IMAGE}})
    for name, (review_, cluster, settings) in cases.items():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        write(folder / "review.json", review_)
        for file, value, usual in (("cluster.json", cluster, CLUSTER), ("settings.json", settings, None)):
            if value == usual:
                (folder / file).unlink(missing_ok=True)
            else:
                write(folder / file, value)
    for folder in sorted(HERE.iterdir()):
        if folder.is_dir() and folder.name not in cases:
            print(f"no case is called {folder.name}")
    print(f"{len(cases)} cases")


main()
