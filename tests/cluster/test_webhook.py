"""What owners of applications see of the webhook at work: pods of manifests/, the real API server, kubectl."""

import base64
import copy
import json
import os

import recorder
from harness import becomes, check, check_equal, eventually, is_ready, pod_spec, test
from installed import (ANNOTATION, GROUP, calls, names, place, plain, pod_template, processes, protected, sidecar, warnings,
                       webhook)

WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
IDENTITY = "/var/run/secrets/kubernetes.io/serviceaccount"


def revisions(cluster, space, name):
    """How many templates a StatefulSet or DaemonSet has had."""
    found = cluster.api("GET", f"/apis/apps/v1/namespaces/{space}/controllerrevisions")["items"]
    return len([each for each in found if each["metadata"]["ownerReferences"][0]["name"] == name])


def rollouts(cluster, space, kind, name):
    """How many templates a workload has had: each one more is a rollout."""
    if kind == "Deployment":
        return len(cluster.replica_sets(space, name))
    return revisions(cluster, space, name)


def rolled_out(cluster, space, kind, name):
    """Waits until all pods of a workload are those of its newest template, and ready."""
    if kind != "DaemonSet":
        return cluster.ready_replicas(WORKLOADS[kind], space, name)

    def found():
        it = cluster.get("daemonsets", space, name)
        status, generation = it.get("status", {}), it["metadata"]["generation"]
        return (status.get("observedGeneration") == generation and status.get("desiredNumberScheduled", 0) > 0 and
                status.get("updatedNumberScheduled", 0) == status.get("numberReady", 0) ==
                status["desiredNumberScheduled"] and it)
    return eventually(found, f"DaemonSet {name} is ready")


def live_pods(cluster, space, name):
    return [pod for pod in cluster.pods(space, f"app={name}") if "deletionTimestamp" not in pod["metadata"]]


# --- the agent in its pod, seen from the node -----------------------------------------------------


def audience(token):
    """Of a JWT (RFC 7519)."""
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["aud"]


def resident(path):
    """Bytes of memory that a process holds."""
    with open(path + "/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS:"))


def check_identity(cluster, pod):
    """Our container has a token for granary and nothing of the API; the application has its own as before. Returns the
    memory of the agent."""
    (path,) = eventually(lambda: processes(pod["metadata"]["uid"], "granary-agent"), "the agent runs in its pod")
    mounted = {mount["mountPath"]: mount["name"] for mount in sidecar(pod)["volumeMounts"]}
    check_equal(mounted[IDENTITY], "granary-identity", "what is mounted where the token of the API would be")
    check(not any(name.startswith("kube-api-access") for name in mounted.values()), f"mounts of ours: {mounted}")
    folder = path + "/root" + IDENTITY
    check_equal([name for name in sorted(os.listdir(folder)) if not name.startswith("..")], ["token"], "files there")
    with open(folder + "/token", encoding="ascii") as file:
        check_equal(audience(file.read()), ["granary"], "audience of our token")
    name, space = pod["metadata"]["name"], pod["metadata"]["namespace"]
    own = cluster.execute(space, name, "cat", IDENTITY + "/token", container="main")
    check(audience(own) != ["granary"], "the application has our token")
    return resident(path)


# --- the first contact ----------------------------------------------------------------------------


def manifests(space, kind, name):
    return [protected(kind, name, {"Deployment": "data", "StatefulSet": space, "DaemonSet": None}[kind])]


@test("WH1")
def first_pods_have_the_sidecar_after_one_rollout(cluster):
    webhook(cluster)
    with place(cluster, volumes=2) as space:
        mark, memory, printed = cluster.audit_mark(), [], {}
        for kind in WORKLOADS:
            printed[kind] = cluster.apply(manifests(space, kind, kind.lower()), space)
        for kind, resource in WORKLOADS.items():
            name = kind.lower()
            rolled_out(cluster, space, kind, name)
            check_equal(rollouts(cluster, space, kind, name), 1, f"rollouts of the {kind}")
            pods = live_pods(cluster, space, name)
            check_equal([[each["name"] for each in pod["spec"]["containers"]] for pod in pods], [["main", "stash"]],
                        f"containers of the pods of the {kind}")
            check(all(is_ready(pod) for pod in pods), f"a pod of the {kind} is not ready")
            memory.append(check_identity(cluster, pods[0]))
            seen = warnings(printed[kind])
            check(any("/data is backed up by blueprint" in line for line in seen), f"{kind}: kubectl said {printed[kind]}")
            creations = cluster.audit(mark, verb="patch", resource=resource, namespace=space) + \
                cluster.audit(mark, verb="create", resource=resource, namespace=space)
            check_equal(len(calls(creations)), 1, f"calls for the {kind}")
        created = eventually(lambda: len(found := [entry["requestObject"] for entry in cluster.audit(
            mark, verb="create", resource="pods", namespace=space, subresource=None)]) >= 3 and found, "three pods are made")
        check(all(map(sidecar, created)), "a first pod came without it")
        check(max(memory) < 8 << 20, f"an agent holds {max(memory)} bytes")
        return (f"3 kinds, one rollout and one call each, warnings such as {warnings(printed['Deployment'])[0]!r}, "
                f"an agent holds {max(memory) >> 10} KiB")


@test("WH2")
def without_its_annotation_the_sidecar_goes(cluster):
    webhook(cluster)
    with place(cluster, volumes=2) as space:
        for kind in WORKLOADS:
            cluster.apply(manifests(space, kind, kind.lower()), space)
        for kind, resource in WORKLOADS.items():
            name = kind.lower()
            before = rolled_out(cluster, space, kind, name)
            check(sidecar(before), f"the {kind} has no sidecar")
            said = cluster.kubectl("annotate", "-n", space, f"{resource}/{name}", f"{ANNOTATION}-")
            check(any("stops" in line or "no longer" in line for line in warnings(said)), f"{kind}: kubectl said {said}")
        for kind in WORKLOADS:
            name = kind.lower()
            after = rolled_out(cluster, space, kind, name)
            check_equal(names(after), [[], ["main"], [] if kind == "StatefulSet" else ["data"]], f"the {kind} has")
            check_equal(pod_template(after)["metadata"].get("annotations", {}), {}, "annotations of the template")
            check_equal(rollouts(cluster, space, kind, name), 2, f"rollouts of the {kind}")
            eventually(lambda: [pod for pod in live_pods(cluster, space, name) if not sidecar(pod)] ==  # pylint: disable=cell-var-from-loop
                       live_pods(cluster, space, name), f"all pods of the {kind} are without it")
        return f"3 kinds, one rollout each; kubectl said {warnings(said)[0]!r}"


@test("WH3")
def what_nobody_protects_never_reaches_us(cluster):
    webhook(cluster)
    with place(cluster, volumes=2) as space:
        mark = cluster.audit_mark()
        for kind in WORKLOADS:
            it = plain(manifests(space, kind, kind.lower())[0])
            cluster.apply(it, space)
            it["metadata"]["labels"]["another"] = "label"
            cluster.apply(it, space)
            rolled_out(cluster, space, kind, kind.lower())
        cluster.apply([
            {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "job"}, "spec": {
                "template": {"spec": pod_spec("true", restartPolicy="Never")}}},
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod_spec("exec sleep 3600")},
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map", "annotations": {ANNOTATION: "x"}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}],
            space)
        cluster.kubectl("scale", "-n", space, "deployment/deployment", "--replicas=0")
        cluster.kubectl("rollout", "restart", "-n", space, "statefulset/statefulset")
        cluster.kubectl("delete", "-n", space, "daemonset/daemonset")
        entries = cluster.audit(mark, namespace=space)
        writes = [entry for entry in entries if entry["verb"] in ("create", "update", "patch", "delete")]
        check_equal([(entry["verb"], entry["objectRef"]["resource"], hook) for entry, hook, _ in calls(entries)], [],
                    "calls of the webhook")
        check(len(writes) > 12, f"only {len(writes)} writes")  # those of this test; others' come when they have time
        # the same namespace is one from where it is asked
        cluster.apply(protected("Deployment", "ours", "data"), space)
        check_equal([hook for _, hook, _ in calls(cluster.audit(mark, namespace=space))], ["targets.granary.dev"],
                    "calls after a protected workload came")
        return f"0 calls for {len(writes)} writes, 1 for a protected workload"


# --- living with others ---------------------------------------------------------------------------


class Watched:
    """A protected Deployment, and after each step what became of it: rollouts, names in order, our bytes."""

    def __init__(self, cluster, space, it):
        self.cluster, self.space, self.name = cluster, space, it["metadata"]["name"]
        self.applied = it
        cluster.apply(it, space)
        self.count = 1
        live = self.ready()
        self.names, self.ours = names(live), sidecar(live)
        check(self.ours, "there is no sidecar")

    def ready(self):
        return self.cluster.ready_replicas("deployments", self.space, self.name)

    def step(self, what, action, rollout=0):
        """Does something; there are so many more ReplicaSets afterwards, and our part is as it was."""
        mark = self.cluster.audit_mark()
        action()
        live = self.ready()
        self.count += rollout
        check_equal(len(self.cluster.replica_sets(self.space, self.name)), self.count, f"ReplicaSets after {what}")
        check_equal(names(live), self.names, f"names after {what}")
        check_equal(sidecar(live), self.ours, f"our container after {what}")
        found = calls(self.cluster.audit(mark, resource="deployments", namespace=self.space))
        return [patch for _, _, patch in found]


def by_another_manager(it, **more):
    """kubectl apply --server-side of the same, as a GitOps tool does it."""
    return ["--server-side", "--field-manager=gitops", "--force-conflicts", *more]


@test("WH4")
def nobody_fights_and_only_the_owner_rolls_out(cluster):
    webhook(cluster)
    with place(cluster) as space:
        it = protected("Deployment", "app", "data")
        watched = Watched(cluster, space, it)

        def apply(value, *arguments):
            return lambda: cluster.apply(value, space, *arguments)

        def kubectl(*words):
            return lambda: cluster.kubectl(*words[:1], *words[1:], "-n", space)

        def put():
            text = cluster.kubectl("replace", "-n", space, "-f", "-", given=json.dumps(it))
            check("replaced" in text, text)

        check_equal(watched.step("the same apply", apply(it)), [None], "what the second apply needs")
        other = by_another_manager(it)
        watched.step("server-side apply of another manager", apply(it, *other))
        check_equal(watched.step("the same again", apply(it, *other)), [None], "what it needs")
        patches = watched.step("replace", put)
        check(patches[0], "a replace threw nothing out")
        again = watched.step("replace again", put)
        check_equal(len(again[0]), len(patches[0]), "operations of the patch after a second replace")
        watched.step("scale", kubectl("scale", "deployment/app", "--replicas=2"))
        watched.step("a label", kubectl("label", "deployment/app", "a=b"))
        watched.step("restart", kubectl("rollout", "restart", "deployment/app"), rollout=1)
        newer = copy.deepcopy(it)
        newer["spec"]["template"]["spec"]["containers"][0]["command"][-1] = "exec sleep 7200"
        watched.step("another command", apply(newer), rollout=1)
        watched.step("undo", kubectl("rollout", "undo", "deployment/app"))
        schedule = copy.deepcopy(newer)
        schedule["metadata"]["annotations"]["stash.appscode.com/schedule"] = "0 5 * * *"
        schedule["spec"]["template"]["spec"]["containers"][0]["command"][-1] = "exec sleep 3600"
        watched.step("another schedule", apply(schedule))
        return f"12 changes, {watched.count} ReplicaSets: creation, restart and the owner's own change"


MESH = {"name": "mesh", "image": "localhost/test-shell:dev", "imagePullPolicy": "Never",
        "command": ["sleep", "3600"], "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File", "resources": {}}


def mesh(first):
    """An injector of somebody else: its container comes first or last, and it insists on that place."""
    def patch(it):
        containers = it["spec"]["template"]["spec"]["containers"]
        others = [each for each in containers if each["name"] != "mesh"]
        wanted = [MESH] + others if first else others + [MESH]
        if containers == wanted:
            return None
        return [{"op": "replace", "path": "/spec/template/spec/containers", "value": wanted}]
    return patch


@test("WH5")
def two_webhooks_that_inject_side_by_side(cluster):
    webhook(cluster)
    seen = []
    rows = [(name, first) for name in ("a-mesh", "z-mesh") for first in (True, False)]
    with recorder.Recorder({f"{name}-{first}": mesh(first) for name, first in rows}) as other:
        for name, first in rows:
            with place(cluster) as space:
                configuration = f"{name}-{space}"  # before or after granary-webhook: they run in order of their names
                cluster.api("POST", f"{GROUP}/mutatingwebhookconfigurations", {
                    "metadata": {"name": configuration}, "webhooks": [{
                        "name": "mesh.test.dev", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                        "clientConfig": other.client(f"{name}-{first}"), "reinvocationPolicy": "IfNeeded",
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
                        "rules": [{"operations": ["CREATE", "UPDATE"], "apiGroups": ["apps"], "apiVersions": ["v1"],
                                   "resources": ["deployments"]}]}]})
                try:
                    it = protected("Deployment", "app", "data")
                    eventually(lambda: sidecar(cluster.create("deployments", space, it, "?dryRun=All"), "mesh"),  # pylint: disable=cell-var-from-loop
                               "the other webhook is asked")
                    watched = Watched(cluster, space, it)
                    check_equal(sorted(watched.names[1]), ["main", "mesh", "stash"], "containers")
                    watched.step("the same apply", lambda: cluster.apply(it, space))  # pylint: disable=cell-var-from-loop
                    watched.step("a label", lambda: cluster.kubectl("label", "-n", space, "deployment/app", "a=b"))  # pylint: disable=cell-var-from-loop
                    cluster.kubectl("annotate", "-n", space, "deployment/app", f"{ANNOTATION}-")
                    check_equal(sidecar(watched.ready()), None, "our container after the annotation went")
                    seen.append(f"{configuration[0]}: {' '.join(watched.names[1])}")
                finally:
                    cluster.api("DELETE", f"{GROUP}/mutatingwebhookconfigurations/{configuration}")
    return "; ".join(seen)


@test("WH6")
def dry_run_and_diff_show_it_and_change_nothing(cluster):
    webhook(cluster)
    with place(cluster) as space:
        it = protected("Deployment", "app", "data")
        for arguments in ([], ["--server-side"]):
            shown = cluster.apply(it, space, "--dry-run=server", "-o", "json", *arguments)
            check('"name": "stash"' in shown and warnings(shown), f"dry run {arguments} shows {shown}")
            text = cluster.kubectl("diff", "-n", space, "-f", "-", *arguments, given=json.dumps(it), wanted=1)
            check("+      - args:" in text or "name: stash" in text, f"diff {arguments} shows {text}")
        check_equal(cluster.list("deployments", space), [], "what the dry runs made")
        cluster.apply(it, space)
        before = cluster.ready_replicas("deployments", space, "app")
        # the controllers of Kubernetes may write between the two versions that it compares
        becomes(lambda: cluster.kubectl("diff", "-n", space, "-f", "-", given=json.dumps(it)), "", "diff of what is there")
        gone = copy.deepcopy(it)
        del gone["metadata"]["annotations"]
        text = cluster.kubectl("diff", "-n", space, "-f", "-", given=json.dumps(gone), wanted=1)
        check("-        name: stash" in text, f"diff without the annotation shows {text}")
        shown = cluster.apply(gone, space, "--dry-run=server")
        check(warnings(shown), f"dry run without the annotation says {shown}")
        after = cluster.get("deployments", space, "app")
        check_equal((after["metadata"]["generation"], names(after)), (before["metadata"]["generation"], names(before)),
                    "generation and names after dry runs")
        return "create, apply, server-side apply; the removal too"


# --- Pod Security ---------------------------------------------------------------------------------

STRICT = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
STRICT_CONTAINER = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
# what pods their owner has: level, security context of the pod, of the container
SHAPES = {
    "restricted, a UID of the pod": ("restricted", {**STRICT, "runAsUser": 1000}, STRICT_CONTAINER),
    "restricted, a UID of the container": ("restricted", STRICT, {**STRICT_CONTAINER, "runAsUser": 1001}),
    "restricted, all in the container": ("restricted", {}, {**STRICT_CONTAINER, **STRICT, "runAsUser": 1002}),
    "restricted, groups": ("restricted", {**STRICT, "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000},
                           STRICT_CONTAINER),
    "baseline, nothing said": ("baseline", {}, {}),
    "baseline, root": ("baseline", {"runAsUser": 0}, {}),
    "baseline, a UID": ("baseline", {"runAsUser": 1000}, {"allowPrivilegeEscalation": True}),
}


@test("WH7")
def pods_pass_the_level_that_they_passed_before(cluster):
    webhook(cluster)
    for level in ("restricted", "baseline"):
        with place(cluster, labels={f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}) as space:
            chosen = {what: shape for what, shape in SHAPES.items() if shape[0] == level}
            for number, (what, (_, of_pod, of_container)) in enumerate(chosen.items()):
                it = protected("Deployment", f"app-{number}", "data")
                spec = it["spec"]["template"]["spec"]
                spec["securityContext"] = of_pod
                spec["containers"][0]["securityContext"] = of_container
                said = cluster.apply(it, space)
                check("would violate" not in said and warnings(said), f"{what}: kubectl said {said}")
            for number, what in enumerate(chosen):
                live = cluster.ready_replicas("deployments", space, f"app-{number}")
                check(sidecar(live), f"{what}: no sidecar")
    return f"{len(SHAPES)} kinds of pods run with the sidecar"
