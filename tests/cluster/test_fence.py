"""The fence: what our own ServiceAccount may change in a workload, though here its groups let it change all."""

from granary import CONTROLLER, MASTERS, ask, policies
from harness import check, check_equal, test

AGENT = "localhost/granary-agent:dev"
FENCE = "granary-fence-workloads"
KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets",
         "ReplicaSet": "replicasets", "ReplicationController": "replicationcontrollers"}


# --- what is there ---------------------------------------------------------------------------------


def own_container(name="stash", **more):
    add = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID"] if name == "stash-init" else ["DAC_OVERRIDE"]
    return {"name": name, "image": AGENT, "imagePullPolicy": "Never",
            "args": ["sidecar"] if name == "stash" else ["init", "--session=s", "--session-uid=1-2", "--host=host-0"],
            "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                    {"name": "TZ", "value": "UTC"}],
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
            "securityContext": {"runAsUser": 0, "runAsGroup": 0, "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"], "add": add},
                                "seccompProfile": {"type": "RuntimeDefault"}},
            "volumeMounts": [{"name": "granary-identity", "readOnly": True,
                              "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
                             {"name": "stash-tmp-dir", "mountPath": "/stash-tmp"},
                             {"name": "data", "mountPath": "/data", "readOnly": True}], **more}


def identity(**more):
    return {"name": "granary-identity", "projected": {"sources": [
        {"serviceAccountToken": {"audience": "granary", "expirationSeconds": 3600, "path": "token"}},
        {"configMap": {"name": "granary-agent", "optional": True}}]}, **more}


def workload(kind, name):
    """One of an owner; nothing of it ever runs."""
    template = {
        "metadata": {"labels": {"app": name}, "annotations": {"owner": "us"}},
        "spec": {
            "terminationGracePeriodSeconds": 30, "nodeSelector": {"no": "where"},
            "initContainers": [{"name": "first", "image": "busybox"}],
            "containers": [{"name": "app", "image": "busybox", "env": [{"name": "APP", "value": "1"}],
                            "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
                        {"name": "keys", "secret": {"secretName": "keys"}},
                        {"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}]}}
    spec = {"template": template, "selector": {"matchLabels": {"app": name}}}
    if kind == "ReplicationController":
        spec["selector"] = {"app": name}
    if kind != "DaemonSet":
        spec["replicas"] = 0
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "v1" if kind == "ReplicationController" else "apps/v1", "kind": kind,
            "metadata": {"name": name, "labels": {"app": name}, "annotations": {"owner": "us"}}, "spec": spec}


def inject(it, init=False):
    """What a stamp brings."""
    it["metadata"]["annotations"]["granary.dev/stamp"] = "1"
    template = it["spec"]["template"]
    template["metadata"].setdefault("annotations", {})["granary.dev/agent"] = "v1.01234567.89abcdef"
    template["spec"]["containers"].append(own_container())
    template["spec"]["volumes"] += [identity(), {"name": "stash-tmp-dir", "emptyDir": {"sizeLimit": "1Gi"}}]
    if init:
        template["spec"]["initContainers"].insert(0, own_container("stash-init"))


def remove(it):
    template = it["spec"]["template"]
    del template["metadata"]["annotations"]["granary.dev/agent"]
    spec = template["spec"]
    spec["containers"] = [each for each in spec["containers"] if each["name"] != "stash"]
    spec["initContainers"] = [each for each in spec["initContainers"] if each["name"] != "stash-init"]
    spec["volumes"] = [each for each in spec["volumes"]
                       if each["name"] not in ("granary-identity", "stash-tmp-dir", "stash-local")]


class Field:
    """A workload in the cluster, and what the controller tries on it, always as a dry run."""

    def __init__(self, cluster, space, it):
        self.cluster = cluster
        group = "/api/v1" if it["apiVersion"] == "v1" else "/apis/" + it["apiVersion"]
        self.list = f"{group}/namespaces/{space}/{KINDS[it['kind']]}"
        self.path = f"{self.list}/{it['metadata']['name']}"
        cluster.api("POST", self.list, it)

    def attempt(self, change):
        while True:  # as long as the controllers of Kubernetes write at the same time
            it = self.cluster.api("GET", self.path)
            change(it)
            answer = ask(self.cluster, "PUT", self.path + "?dryRun=All", it, user=CONTROLLER, groups=MASTERS)
            if answer.code != 409:
                return answer

    def allows(self, what, change):
        answer = self.attempt(change)
        check_equal((answer.code, answer.message), (200, ""), what)

    def denies(self, what, change):
        answer = self.attempt(change)
        check(answer.code == 422 and FENCE in answer.message,
              f"{what}: not refused by the fence: {answer.code} {answer.message}")
        check("resulted in error" not in answer.message, f"{what}: {answer.message}")
        return answer.message


def put(*path, to):
    """A change: the member at the path gets this value; None takes it away."""
    def change(it):
        for step in path[:-1]:
            it = it[step] if isinstance(step, int) else it.setdefault(step, {})
        if to is None:
            del it[path[-1]]
        else:
            it[path[-1]] = to
    return change


def then(*changes):
    def change(it):
        for each in changes:
            each(it)
    return change


# --- what has to go on -----------------------------------------------------------------------------


@test("FN1")
def a_stamp_brings_and_removes_our_part_in_every_kind(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        for kind in KINDS:
            it = workload(kind, "web")
            field = Field(cluster, space, it)
            field.allows(f"{kind}: nothing", lambda it: None)
            field.allows(f"{kind}: stamp", put("metadata", "annotations", "granary.dev/stamp", to="1"))
            field.allows(f"{kind}: sidecar", inject)
            field.allows(f"{kind}: init container too", lambda it: inject(it, init=True))
            cluster.api("DELETE", field.path + "?propagationPolicy=Background")
            inject(it := workload(kind, "carrying"), init=True)
            field = Field(cluster, space, it)
            field.allows(f"{kind}: removal", remove)
            field.allows(f"{kind}: stamp gone", put("metadata", "annotations", "granary.dev/stamp", to=None))
    return f"{len(KINDS)} kinds"


ALLOWED = {
    "another user": lambda c: c["securityContext"].update(runAsUser=1000, runAsGroup=1000, runAsNonRoot=True),
    "no user": lambda c: [c["securityContext"].pop(key) for key in ("runAsUser", "runAsGroup")],
    "no capability": lambda c: c["securityContext"]["capabilities"].pop("add"),
    "other resources": lambda c: c["resources"].update(limits={"memory": "1Gi"}),
    "no resources": lambda c: c.pop("resources"),
    "a proxy": lambda c: c["env"].append({"name": "HTTPS_PROXY", "value": "http://proxy:3128"}),
    "a variable of the application": lambda c: c["env"].append({"name": "APP", "value": "1"}),
    "a mount with subPath": lambda c: c["volumeMounts"].append(
        {"name": "data", "mountPath": "/more", "subPath": "more", "readOnly": True}),
    "a volume of the owner": lambda c: c["volumeMounts"].append({"name": "keys", "mountPath": "/keys"}),
}


@test("FN2")
def our_container_may_differ_where_the_plan_does(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        field = Field(cluster, space, workload("Deployment", "web"))
        for what, change in ALLOWED.items():
            field.allows(what, then(inject, lambda it, change=change: change(own(it))))
        for volume in ({"persistentVolumeClaim": {"claimName": "local"}}, {"nfs": {"server": "nfs", "path": "/"}}):
            field.allows(f"local {volume}", then(inject, lambda it, volume=volume: it["spec"]["template"]["spec"]
                                                 ["volumes"].append({"name": "stash-local", **volume})))
        old = workload("Deployment", "old")
        inject(old)
        own(old).update(image="granary-agent:0.0.1", workingDir="/", lifecycle={"preStop": {"sleep": {"seconds": 1}}})
        field = Field(cluster, space, old)
        field.allows("a container that is as it was, whatever it has", put("metadata", "annotations",
                                                                         "granary.dev/stamp", to="2"))
        field.allows("an old one is replaced", lambda it: it["spec"]["template"]["spec"]["containers"].__setitem__(
            1, own_container()))


@test("FN3")
def what_stash_left_may_be_replaced_and_removed(cluster):
    policies(cluster)
    stash = workload("Deployment", "web")
    template = stash["spec"]["template"]
    template["metadata"]["annotations"]["stash.appscode.com/last-applied-backup-invoker-hash"] = "1"
    template["spec"]["containers"].append({"name": "stash", "image": "stash", "volumeMounts": [
        {"name": "stash-podinfo", "mountPath": "/info"}]})
    template["spec"]["volumes"] += [{"name": "stash-podinfo", "emptyDir": {}}, {"name": "stash-tmp-dir", "emptyDir": {}}]

    def gone(it):
        spec = it["spec"]["template"]["spec"]
        it["spec"]["template"]["metadata"]["annotations"].pop("stash.appscode.com/last-applied-backup-invoker-hash")
        spec["containers"] = spec["containers"][:1]
        spec["volumes"] = spec["volumes"][:3]

    with cluster.namespace() as space:
        field = Field(cluster, space, stash)
        field.allows("Stash's part goes", gone)
        field.allows("ours in its place", then(gone, inject))
        field.denies("Stash's volume changes", put("spec", "template", "spec", "volumes", 3, to={
            "name": "stash-podinfo", "hostPath": {"path": "/"}}))
        mine = workload("Deployment", "mine")
        mine["spec"]["template"]["spec"]["volumes"].append({"name": "stash-podinfo", "emptyDir": {}})
        Field(cluster, space, mine).denies("a volume of that name without Stash's mark", lambda it: it["spec"]["template"]
                                           ["spec"]["volumes"].pop())


# --- what must not ---------------------------------------------------------------------------------

# A value for every field that a Kubernetes knows, to be tried. API: the API server itself refuses or drops it here.
API = object()
POD = {
    "activeDeadlineSeconds": API, "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "automountServiceAccountToken": False, "dnsConfig": {"nameservers": ["10.0.0.1"]}, "dnsPolicy": "Default",
    "enableServiceLinks": False, "ephemeralContainers": API, "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
    "hostIPC": True, "hostNetwork": True, "hostPID": True, "hostUsers": False, "hostname": "a",
    "hostnameOverride": API, "imagePullSecrets": [{"name": "a"}], "nodeName": "a", "nodeSelector": {"a": "b"},
    "os": {"name": "linux"}, "overhead": {"cpu": "1"}, "preemptionPolicy": "Never", "priority": 5,
    "priorityClassName": "a", "readinessGates": [{"conditionType": "a.b/c"}],
    "resourceClaims": [{"name": "a", "resourceClaimName": "b"}], "resources": {"limits": {"memory": "5Gi"}},
    "restartPolicy": API, "runtimeClassName": "a", "schedulerName": "a", "schedulingGates": [{"name": "a.b/c"}],
    "securityContext": {"runAsUser": 0}, "serviceAccount": "admin", "serviceAccountName": "admin",
    "setHostnameAsFQDN": True, "shareProcessNamespace": True, "subdomain": "a", "terminationGracePeriodSeconds": 1,
    "tolerations": [{"operator": "Exists"}], "workloadRef": API,
    "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "ScheduleAnyway",
                                   "labelSelector": {}}],
}
OURS_POD = {"containers", "initContainers", "volumes"}
CONTAINER = {
    "args": ["shell"], "command": ["/bin/sh"], "env": [{"name": "LD_PRELOAD", "value": "/data/evil.so"}],
    "envFrom": [{"secretRef": {"name": "keys"}}], "image": "evil", "lifecycle": {"preStop": {"exec": {"command": ["a"]}}},
    "livenessProbe": {"exec": {"command": ["a"]}}, "ports": [{"containerPort": 80}],
    "readinessProbe": {"exec": {"command": ["a"]}}, "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
    "restartPolicy": API, "restartPolicyRules": API, "startupProbe": {"exec": {"command": ["a"]}}, "stdin": True,
    "stdinOnce": True, "tty": True, "volumeDevices": [{"name": "disk", "devicePath": "/dev/x"}], "workingDir": "/data",
}
NOT_OF_INIT = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}
FREE_CONTAINER = {"name", "imagePullPolicy", "resources", "terminationMessagePath", "terminationMessagePolicy",
                  "securityContext", "volumeMounts"}
CONTEXT = {
    "allowPrivilegeEscalation": True, "appArmorProfile": {"type": "Unconfined"},
    "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}, "privileged": API, "procMount": "Default",
    "readOnlyRootFilesystem": False, "seLinuxOptions": {"type": "a"}, "seccompProfile": {"type": "Unconfined"},
    "windowsOptions": {"runAsUserName": "a"},
}
FREE_CONTEXT = {"runAsUser", "runAsGroup", "runAsNonRoot"}
MOUNT = {"mountPropagation": "HostToContainer", "recursiveReadOnly": "IfPossible"}
FREE_MOUNT = {"name", "mountPath", "readOnly", "subPath", "subPathExpr"}
ENV_FROM = {"configMapKeyRef": {"name": "a", "key": "b"}, "secretKeyRef": {"name": "a", "key": "b"},
            "resourceFieldRef": {"resource": "limits.cpu"}, "fileKeyRef": API}
METADATA = {
    "labels": {"app": "web", "more": "1"}, "finalizers": ["a.b/c"],
    "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "1-2"}],
    "generateName": "a-", "selfLink": API, "deletionGracePeriodSeconds": API, "deletionTimestamp": API,
    "creationTimestamp": API, "name": API, "namespace": API, "uid": API,
}
FREE_METADATA = {"annotations", "managedFields", "generation", "resourceVersion"}
SPEC = {
    "Deployment": {"minReadySeconds": 5, "paused": True, "progressDeadlineSeconds": 700, "replicas": 5,
                   "revisionHistoryLimit": 3, "selector": API, "strategy": {"type": "Recreate"}},
    "StatefulSet": {"minReadySeconds": 5, "ordinals": {"start": 3}, "podManagementPolicy": API, "replicas": 5,
                    "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
                    "revisionHistoryLimit": 3, "selector": API, "serviceName": API,
                    "updateStrategy": {"type": "OnDelete"}, "volumeClaimTemplates": API},
    "DaemonSet": {"minReadySeconds": 5, "revisionHistoryLimit": 3, "selector": API, "updateStrategy": {"type": "OnDelete"}},
    "ReplicaSet": {"minReadySeconds": 5, "replicas": 5, "selector": API},
    "ReplicationController": {"minReadySeconds": 5, "replicas": 5, "selector": API},
}
VOLUME_SOURCES = {
    "hostPath": {"path": "/"}, "secret": {"secretName": "keys"}, "configMap": {"name": "a"},
    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}, "emptyDir": {},
    "downwardAPI": {"items": []}, "csi": {"driver": "a"}, "image": API,
    "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"],
                                                   "resources": {"requests": {"storage": "1Gi"}}}}},
    "awsElasticBlockStore": {"volumeID": "a"}, "azureDisk": {"diskName": "a", "diskURI": "https://a/b"},
    "azureFile": {"secretName": "a", "shareName": "b"}, "cephfs": {"monitors": ["a"]}, "cinder": {"volumeID": "a"},
    "fc": {"wwids": ["a"]}, "flexVolume": {"driver": "a/b"}, "flocker": {"datasetName": "a"},
    "gcePersistentDisk": {"pdName": "a"}, "gitRepo": {"repository": "a"}, "glusterfs": {"endpoints": "a", "path": "b"},
    "iscsi": {"targetPortal": "10.0.0.1", "iqn": "iqn.2001-04.com.a:b", "lun": 0},
    "photonPersistentDisk": {"pdID": "a"}, "portworxVolume": {"volumeID": "a"},
    "quobyte": {"registry": "a:1", "volume": "b"}, "rbd": {"monitors": ["a"], "image": "b"},
    "scaleIO": {"gateway": "a", "system": "b", "secretRef": {"name": "c"}, "volumeName": "d"},
    "storageos": {"volumeName": "a"}, "vsphereVolume": {"volumePath": "a"},
}
FREE_LOCAL = {"name", "persistentVolumeClaim", "nfs"}


def schemas(cluster):
    core = cluster.api("GET", "/openapi/v3/api/v1")["components"]["schemas"]
    apps = cluster.api("GET", "/openapi/v3/apis/apps/v1")["components"]["schemas"]
    return {**core, **apps}


def fields(known, name):
    (found,) = [value for key, value in known.items() if key.endswith("." + name)]
    return set(found["properties"])


def own(it):
    (found,) = [each for each in it["spec"]["template"]["spec"]["containers"] if each["name"] == "stash"]
    return found


@test("FN4")
def the_rows_below_name_every_field_that_this_kubernetes_has(cluster):
    known = schemas(cluster)
    for name, rows, free in (("PodSpec", POD, OURS_POD), ("Container", CONTAINER, FREE_CONTAINER),
                             ("SecurityContext", CONTEXT, FREE_CONTEXT), ("VolumeMount", MOUNT, FREE_MOUNT),
                             ("EnvVarSource", ENV_FROM, {"fieldRef"}), ("Volume", VOLUME_SOURCES, FREE_LOCAL),
                             ("ObjectMeta", METADATA, FREE_METADATA),
                             *((kind + "Spec", SPEC[kind], {"template"}) for kind in SPEC)):
        check_equal(sorted(fields(known, name) - set(rows) - free), [], f"fields of {name} without a row")


def try_rows(field, rows, prefix, *before):
    """Each value at its place below the prefix. Returns how many met the fence."""
    met = 0
    for name, value in rows.items():
        if value is API:
            continue
        field.denies(f"{'.'.join(map(str, prefix))}.{name}", then(*before, put(*prefix, name, to=value)))
        met += 1
    return met


@test("FN5")
def no_other_field_of_a_workload_changes(cluster):
    policies(cluster)
    met = 0
    with cluster.namespace() as space:
        for kind, rows in SPEC.items():
            field = Field(cluster, space, workload(kind, "web"))
            met += try_rows(field, rows, ("spec",))
            met += try_rows(field, METADATA, ("metadata",))
            met += try_rows(field, POD, ("spec", "template", "spec"))
            template = ("spec", "template", "metadata")
            for what, change in {
                    "a label of the template": put(*template, "labels", "more", to="1"),
                    "an annotation of the template": put(*template, "annotations", "owner", to="them"),
                    "a new one": put(*template, "annotations", "a", to="b"),
                    "one gone": put(*template, "annotations", "owner", to=None),
                    "another of ours": put(*template, "annotations", "granary.dev/stamp", to="1"),
                    "Stash's mark": put(*template, "annotations",
                                        "stash.appscode.com/last-applied-backup-invoker-hash", to="1"),
                    "an annotation of the owner": put("metadata", "annotations", "owner", to="them"),
                    "the owner's annotation gone": put("metadata", "annotations", "owner", to=None),
                    "the blueprint": put("metadata", "annotations", "stash.appscode.com/backup-blueprint", to="b"),
                    "a command": put("metadata", "annotations", "granary.dev/dump-command", to='["a"]'),
                    "all labels of another value": put("metadata", "labels", to={"app": "other"}),
                    "all selectors": put("spec", "template", "spec", "nodeSelector", to=None),
            }.items():
                field.denies(f"{kind}: {what}", change)
                met += 1
    return f"{met} changes refused"


@test("FN6")
def no_container_and_volume_of_others_changes(cluster):
    policies(cluster)
    pod = ("spec", "template", "spec")
    with cluster.namespace() as space:
        field = Field(cluster, space, workload("Deployment", "web"))
        rows = {
            "image": put(*pod, "containers", 0, "image", to="evil"),
            "variable": put(*pod, "containers", 0, "env", to=[]),
            "image of an init container": put(*pod, "initContainers", 0, "image", to="evil"),
            "init containers gone": put(*pod, "initContainers", to=None),
            "one more": lambda it: it["spec"]["template"]["spec"]["containers"].append({"name": "evil", "image": AGENT}),
            "stash-init among the containers": lambda it: it["spec"]["template"]["spec"]["containers"].append(
                {**own_container("stash-init"), "volumeMounts": []}),
            "stash among the init containers": lambda it: it["spec"]["template"]["spec"]["initContainers"].append(
                {**own_container(), "volumeMounts": []}),
            "another volume": lambda it: it["spec"]["template"]["spec"]["volumes"].append(
                {"name": "root", "hostPath": {"path": "/"}}),
            "volume of the owner": put(*pod, "volumes", 1, to={"name": "keys", "secret": {"secretName": "others"}}),
            "volume gone": lambda it: it["spec"]["template"]["spec"]["volumes"].pop(1),
        }
        for what, change in rows.items():
            field.denies(what, change)
            if what != "stash among the init containers":  # no pod has two of one name
                field.denies(f"{what}, with our part", then(inject, change))


@test("FN7")
def our_container_is_ours_in_every_field(cluster):
    policies(cluster)
    met = 0
    pod = ("spec", "template", "spec")
    with cluster.namespace() as space:
        clean = Field(cluster, space, workload("Deployment", "web"))
        inject(it := workload("Deployment", "carrying"), init=True)
        carrying = Field(cluster, space, it)
        for field, before in ((clean, lambda it: inject(it, init=True)), (carrying, lambda it: None)):
            for place in (("containers", 1), ("initContainers", 0)):
                where = (*pod, *place)
                rows = CONTAINER if place[0] == "containers" else {
                    name: value for name, value in CONTAINER.items() if name not in NOT_OF_INIT}
                met += try_rows(field, rows, where, before)
                met += try_rows(field, CONTEXT, (*where, "securityContext"), before)
                met += try_rows(field, MOUNT, (*where, "volumeMounts", 2), before)
                for name, value in ENV_FROM.items():
                    if value is not API:
                        field.denies(f"valueFrom {name}", then(before, put(*where, "env", to=[
                            {"name": "TZ", "valueFrom": {name: value}}])))
                        met += 1
            for what, change in {
                    "more capabilities than a backup has": put(*pod, "containers", 1, "securityContext", "capabilities",
                                                               "add", to=["CHOWN"]),
                    "no dropping": put(*pod, "containers", 1, "securityContext", "capabilities", to={"add": ["DAC_OVERRIDE"]}),
                    "privileged": put(*pod, "containers", 1, "securityContext", to={"privileged": True}),
                    "no context": put(*pod, "containers", 1, "securityContext", to=None),
                    "no arguments": put(*pod, "containers", 1, "args", to=None),
                    "one more argument": put(*pod, "containers", 1, "args", to=["sidecar", "--shell"]),
                    "another switch": put(*pod, "initContainers", 0, "args", to=["init", "--shell=1"]),
                    "a value with blanks": put(*pod, "initContainers", 0, "args", to=["init", "--session=a b"]),
                    "a value with a line": put(*pod, "initContainers", 0, "args", to=["init", "--host=a\nb"]),
                    "another value of the owner's variable": put(*pod, "containers", 1, "env", to=[
                        {"name": "APP", "value": "2"}]),
            }.items():
                field.denies(what, then(before, change))
                met += 1
    return f"{met} changes refused"


@test("FN8")
def our_volumes_hold_what_they_are_for(cluster):
    policies(cluster)
    met = 0
    with cluster.namespace() as space:
        clean = Field(cluster, space, workload("Deployment", "web"))
        for name in ("stash-local", "stash-tmp-dir", "granary-identity"):
            for source, value in VOLUME_SOURCES.items():
                if value is API or (name, source) == ("stash-tmp-dir", "emptyDir"):
                    continue
                clean.denies(f"{name}: {source}", then(inject, lambda it, name=name, source=source, value=value:
                                                      replace_volume(it, name, {source: value})))
                met += 1
        for what, change in {
                "audience of the API server": lambda it: it["serviceAccountToken"].pop("audience"),
                "a longer life": lambda it: it["serviceAccountToken"].update(expirationSeconds=86400),
        }.items():
            def edit(it, change=change):
                inject(it)
                (volume,) = [each for each in it["spec"]["template"]["spec"]["volumes"] if each["name"] == "granary-identity"]
                change(volume["projected"]["sources"][0])
            clean.denies(what, edit)
            met += 1
        clean.denies("a source more", then(inject, lambda it: [
            volume["projected"]["sources"].append({"secret": {"name": "keys"}})
            for volume in it["spec"]["template"]["spec"]["volumes"] if volume["name"] == "granary-identity"]))
    return f"{met + 1} changes refused"


def replace_volume(it, name, source):
    volumes = it["spec"]["template"]["spec"]["volumes"]
    volumes[:] = [each for each in volumes if each["name"] != name] + [{"name": name, **source}]


@test("FN9")
def what_somebody_else_calls_by_our_names_is_his(cluster):
    policies(cluster)
    theirs = workload("Deployment", "web")
    theirs["spec"]["template"]["spec"]["containers"].append({"name": "stash", "image": "theirs"})
    with cluster.namespace() as space:
        field = Field(cluster, space, theirs)
        field.allows("a stamp", put("metadata", "annotations", "granary.dev/stamp", to="1"))
        field.denies("taken away", lambda it: it["spec"]["template"]["spec"]["containers"].pop())
        field.denies("replaced", lambda it: [it["spec"]["template"]["spec"]["containers"].pop(), inject(it)])
        volume = workload("Deployment", "volume")
        volume["spec"]["template"]["spec"]["volumes"].append({"name": "stash-local", "emptyDir": {}})
        Field(cluster, space, volume).denies("a volume", lambda it: it["spec"]["template"]["spec"]["volumes"].pop())


@test("FN10")
def no_workload_is_made_or_deleted(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        for kind in KINDS:
            field = Field(cluster, space, workload(kind, "web"))
            made = ask(cluster, "POST", field.list + "?dryRun=All", workload(kind, "other"), user=CONTROLLER, groups=MASTERS)
            check(made.code == 422 and FENCE in made.message, f"{kind} made: {made.code} {made.message}")
            gone = ask(cluster, "DELETE", field.path + "?dryRun=All", user=CONTROLLER, groups=MASTERS)
            check(gone.code == 422 and FENCE in gone.message, f"{kind} deleted: {gone.code} {gone.message}")


@test("FN11")
def others_are_not_fenced(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        field = Field(cluster, space, workload("Deployment", "web"))
        it = cluster.api("GET", field.path)
        it["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
        del it["metadata"]["resourceVersion"]
        check_equal(ask(cluster, "PUT", field.path + "?dryRun=All", it).code, 200, "an administrator")
        check_equal(ask(cluster, "PUT", field.path + "?dryRun=All", it,
                        user="system:serviceaccount:granary-system:granary-controller2").code, 403, "nobody at all")


@test("FN13")
def a_large_workload_is_within_the_cost_of_a_policy(cluster):
    policies(cluster)
    it = workload("Deployment", "large")
    spec = it["spec"]["template"]["spec"]
    spec["containers"] += [{"name": f"c{number}", "image": "a", "volumeMounts": [{"name": f"v{number}", "mountPath": "/v"}],
                            "env": [{"name": f"V{index}", "value": "x" * 100} for index in range(50)]}
                           for number in range(100)]
    spec["volumes"] += [{"name": f"v{number}", "emptyDir": {}} for number in range(100)]
    it["metadata"]["annotations"] |= {f"a{number}": "b" * 100 for number in range(300)}
    with cluster.namespace() as space:
        field = Field(cluster, space, it)
        field.allows("a stamp", put("metadata", "annotations", "granary.dev/stamp", to="1"))
        field.allows("our part", lambda it: inject(it, init=True))
        field.denies("another one", put("spec", "template", "spec", "containers", 99, "image", to="evil"))
    return f"{len(str(it)) // 1024} KiB"


@test("FN12")
def objects_that_rbac_can_not_name(cluster):
    policies(cluster)
    core, name = "/api/v1/namespaces/granary-system", "granary-fence-objects"
    session = "/apis/stash.appscode.com/v1beta1/namespaces/granary-system/restoresessions"
    leases = "/apis/coordination.k8s.io/v1/namespaces/granary-system/leases"
    secret = {"metadata": {"name": "granary-ca"}, "type": "Opaque"}
    restore = {"apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "metadata": {"name": "probe"},
               "spec": {"repository": {"name": "probe"}, "target": {
                   "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "probe"}, "rules": [{"paths": ["/a"]}]}}}
    for path, body, good in (
            (core + "/configmaps?dryRun=All", {"metadata": {"name": "granary-agent"}}, True),
            ("/api/v1/namespaces/default/configmaps?dryRun=All", {"metadata": {"name": "granary-agent"}}, True),
            (core + "/configmaps?dryRun=All", {"metadata": {"name": "granary-settings2"}}, False),
            (core + "/configmaps?dryRun=All", {"metadata": {"generateName": "granary-agent"}}, False),
            (core + "/secrets?dryRun=All", secret, True),
            (core + "/secrets?dryRun=All", {**secret, "metadata": {"name": "granary-webhook-tls"},
                                            "type": "kubernetes.io/tls", "data": {"tls.crt": "", "tls.key": ""}}, True),
            (core + "/secrets?dryRun=All", {**secret, "metadata": {"name": "other"}}, False),
            (core + "/secrets?dryRun=All", {**secret, "type": "kubernetes.io/service-account-token", "metadata": {
                "name": "granary-ca", "annotations": {"kubernetes.io/service-account.name": "granary-webhook"}}}, False),
            ("/api/v1/namespaces/default/secrets?dryRun=All", secret, False),
            (leases + "?dryRun=All", {"metadata": {"name": "granary-target-" + 32 * "0"}}, True),
            (leases + "?dryRun=All", {"metadata": {"name": "granary-target-" + 31 * "0"}}, False),
            (leases + "?dryRun=All", {"metadata": {"name": "other"}}, False),
            (leases.replace("granary-system", "default") + "?dryRun=All", {"metadata": {"name": "granary-active"}}, False),
            (session + "?dryRun=All", restore, True),
            (session, restore, False)):
        answer = ask(cluster, "POST", path, body, user=CONTROLLER, groups=MASTERS)
        # 409: policies let it pass, and an installation beside us has one of that name
        check_equal((answer.code in ((201, 409) if good else (422,)), name in answer.message), (True, not good),
                    f"{path} {body['metadata']} ({answer.code} {answer.message})")
    functions, ours = "/apis/stash.appscode.com/v1beta1/functions", {"app.kubernetes.io/name": "granary"}
    made = {"apiVersion": "stash.appscode.com/v1beta1", "kind": "Function", "metadata": {"name": "fence-foreign"},
            "spec": {"image": "busybox"}}
    cluster.apply(made, None)
    try:
        for body, good in (({**made, "metadata": {"name": "fence-ours", "labels": ours}}, True),
                           ({**made, "metadata": {"name": "fence-ours"}}, False),
                           ({**made, "metadata": {"name": "fence-foreign", "labels": ours}}, False)):
            path = f"{functions}/{body['metadata']['name']}?dryRun=All&fieldManager=granary&force=true"
            answer = ask(cluster, "PATCH", path, body, user=CONTROLLER, groups=MASTERS, kind="application/apply-patch+yaml")
            check_equal((answer.code in ((200, 201) if good else (422,)), name in answer.message), (True, not good),
                        f"{body['metadata']} ({answer.code} {answer.message})")
        answer = ask(cluster, "DELETE", f"{functions}/fence-foreign?dryRun=All", user=CONTROLLER, groups=MASTERS)
        check(answer.code == 422 and name in answer.message, f"DELETE: {answer.code} {answer.message}")
    finally:
        cluster.delete("functions", None, "fence-foreign")
    for method in ("PUT", "DELETE"):
        answer = ask(cluster, method, core + "/configmaps/granary-settings?dryRun=All",
                     {"metadata": {"name": "granary-settings"}, "data": {"settings.yaml": ""}} if method == "PUT" else None,
                     user=CONTROLLER, groups=MASTERS)
        check(answer.code == 422 and name in answer.message, f"{method} granary-settings: {answer.code} {answer.message}")
