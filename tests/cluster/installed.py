"""The webhook in pods of the cluster, as manifests/ install it, and the blueprint that its tests use."""

import base64
import contextlib
import copy
import glob
import http.client
import itertools
import json
import os
import re
import signal
import tempfile
import threading
import time

import node
from granary import policies, rendered
from harness import SYSTEM, becomes, check, eventually, is_ready, shell_container

WEBHOOK = "granary-webhook"
LABEL = {"test": "webhook"}  # of namespaces whose requests reach it while other tests run
BLUEPRINT = "wh-nightly"
ANNOTATION = "stash.appscode.com/backup-blueprint"
GROUP = "/apis/admissionregistration.k8s.io/v1"
CONFIGURATIONS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
KINDS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
LOCK = threading.Lock()


def blueprint(name=BLUEPRINT, **more):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupBlueprint", "metadata": {"name": name}, "spec": {
        "schedule": "0 2 * * *", "retentionPolicy": {"name": "keep-5", "keepLast": 5, "prune": True},
        "backend": {"s3": {"endpoint": "s3.test", "bucket": "backups", "prefix": "${TARGET_NAMESPACE}/${TARGET_NAME}"},
                    "storageSecretName": "keys"}, **more}}


# --- certificates ---------------------------------------------------------------------------------


class Authority:
    """A CA of the test, in a folder of its own, and what it signs."""

    def __init__(self, name):
        self.name, self.files = name, {}
        self.files["ca.crt"], self.key = self._make(f"/CN={name}", ["basicConstraints=critical,CA:TRUE",
                                                                  "keyUsage=critical,keyCertSign,cRLSign"])

    def _make(self, subject, extensions, days="30", signed=False):
        with tempfile.TemporaryDirectory(prefix="granary-ca-") as folder:
            def path(name):
                return os.path.join(folder, name)
            if signed:
                node.write(path("ca.crt"), self.files["ca.crt"])
                node.write(path("ca.key"), self.key)
            node.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256",
                         "-days", days, "-subj", subject, "-keyout", path("new.key"), "-out", path("new.crt"),
                         *(word for extension in extensions for word in ("-addext", extension)),
                         *(["-CA", path("ca.crt"), "-CAkey", path("ca.key")] if signed else []))
            with open(path("new.crt"), encoding="ascii") as crt, open(path("new.key"), encoding="ascii") as key:
                return crt.read(), key.read()

    def leaf(self, service=WEBHOOK):
        """(certificate, key) for the Service, PEM."""
        return self._make(f"/CN={service}", ["basicConstraints=critical,CA:FALSE", "extendedKeyUsage=serverAuth",
                                             f"subjectAltName=DNS:{service}.{SYSTEM}.svc"], "7", signed=True)

    def secret(self, service=WEBHOOK):
        """What the webhook follows (or what serves agents): a new leaf each time."""
        crt, key = self.leaf(service)
        return {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": {"name": f"{service}-tls", "namespace": SYSTEM},
                "stringData": {"tls.crt": crt, "tls.key": key, "ca.crt": self.files["ca.crt"]}}

    @property
    def bundle(self):
        return base64.b64encode(self.files["ca.crt"].encode()).decode()


# --- installation ---------------------------------------------------------------------------------


def of_kind(objects, *kinds):
    found = [each for each in objects if each["kind"] in kinds]
    check(len(found) >= len(kinds), f"{len(found)} objects of {kinds}")
    return found


def configurations(cluster, authority, restrict):
    """Both webhook configurations with the CA; with restrict, for the namespaces of these tests only."""
    found = copy.deepcopy(of_kind(rendered(cluster), *KINDS))
    for configuration in found:
        for hook in configuration["webhooks"]:
            hook |= {"timeoutSeconds": 30}  # of a loaded machine
            hook["clientConfig"]["caBundle"] = authority.bundle
            if restrict:
                selector = hook.setdefault("namespaceSelector", {}).setdefault("matchExpressions", [])
                selector.append({"key": "test", "operator": "In", "values": [LABEL["test"]]})
                hook.setdefault("matchConditions", []).append({
                    "name": "of-this-test", "expression": "request.?namespace.orValue('') != '' || "
                                                          "request.?name.orValue('').startsWith('wh-')"})
    return found


def patient(deployment):
    """A Deployment of ours for a loaded machine: what takes moments may take seconds there, such as an answer to a probe,
    or until the node sends no more requests to a replica that ends."""
    deployment = copy.deepcopy(deployment)
    spec = deployment["spec"]["template"]["spec"]
    for probe in ("readinessProbe", "livenessProbe"):
        spec["containers"][0][probe]["timeoutSeconds"] = 30
    if deployment["metadata"]["name"] == WEBHOOK:
        spec["containers"][0]["args"].append("--drain-delay=15s")
        spec["terminationGracePeriodSeconds"] = 60
    return deployment


def install(cluster, restrict):
    """The webhook of overlay local, with a CA of the test; returns when a protected workload would be patched."""
    policies(cluster)
    cluster.granary_authority = authority = getattr(cluster, "granary_authority", None) or Authority("test-ca")
    objects = rendered(cluster)
    cluster.apply([authority.secret(), blueprint()], None, "--server-side")
    cluster.apply(of_kind(objects, "Service", "NetworkPolicy", "PodDisruptionBudget") +
                  [patient(each) for each in of_kind(objects, "Deployment") if each["metadata"]["name"] == WEBHOOK],
                  None, "--server-side")
    ready(cluster)
    cluster.apply(configurations(cluster, authority, restrict), None, "--server-side")
    eventually(lambda: asked(cluster), "the API server asks the webhook")
    return authority


def webhook(cluster):
    """Installs it once for all tests that run side by side; their namespaces have LABEL."""
    with LOCK:
        if not getattr(cluster, "granary_webhook", None):
            cluster.granary_webhook = install(cluster, restrict=True)
        return cluster.granary_webhook


def whole(cluster):
    """Installs it as an administrator does, for all namespaces: for tests that run alone, after all others."""
    with LOCK:
        if not getattr(cluster, "granary_whole", None):
            cluster.granary_whole = install(cluster, restrict=False)
            cluster.granary_webhook = None
        return cluster.granary_whole


def processes(uid, program):
    """Folders in /proc of a program in the pod with that UID, whoever's process namespace it is in."""
    found = []
    for path in glob.glob("/proc/[0-9]*"):
        try:
            with open(path + "/comm", encoding="ascii") as comm, open(path + "/cgroup", encoding="ascii") as cgroup:
                if comm.read().strip() == program[:15] and uid in cgroup.read():
                    found.append(path)
        except OSError:  # it ended
            pass
    return found


def kill(pod):
    """Ends the webhook in a pod, as kill -9 does."""
    for path in processes(pod["metadata"]["uid"], WEBHOOK):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(os.path.basename(path)), signal.SIGKILL)


def ready(cluster, drained=False):
    """Waits until all its replicas are there, and no others; returns the pods. What has to go is not waited for,
    unless it shall end in its own time (drained)."""
    it = cluster.ready_replicas("deployments", SYSTEM, WEBHOOK)

    def found():
        pods = cluster.pods(SYSTEM, f"app.kubernetes.io/name={WEBHOOK}")
        for pod in [] if drained else pods:
            if "deletionTimestamp" in pod["metadata"]:
                kill(pod)
        return len(pods) == it["spec"].get("replicas", 1) and all(map(is_ready, pods)) and (pods, )
    pods = eventually(found, "old pods of the webhook are gone")[0]
    asked_are(cluster, pods)
    return pods


def asked_are(cluster, pods):
    """Waits until the node sends requests for the Service to these pods and to no others."""
    tries = itertools.count(1)

    def seen():
        # The controller of endpoints drops a Service that it could not update 15 times, as it can not while it is behind
        # after an outage, until something of the Service changes.
        if next(tries) % 40 == 0:
            cluster.patch("services", SYSTEM, WEBHOOK, {"metadata": {"annotations": {"test/looked": str(time.time())}}})
        return endpoints(cluster)
    becomes(seen, {pod["status"]["podIP"] for pod in pods}, "pods that requests are sent to")


def endpoints(cluster):
    """Addresses to which kube-proxy sends requests for the webhook at this moment. A chain that nothing leads to any more
    may stay for a while."""
    rules = cluster.on_node("iptables-save", "-t", "nat")
    port = re.escape(f"{SYSTEM}/{WEBHOOK}:https")
    chains = re.findall(rf'-A KUBE-SERVICES .*"{port} cluster IP".* -j (KUBE-SVC-\w+)', rules)
    return {address for chain in chains
            for address in re.findall(rf'-A {chain} .*"{port} -> ([^:"]+):', rules)}


def scale(cluster, count):
    cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{WEBHOOK}", f"--replicas={count}")
    return ready(cluster)


def restart(cluster, drained=False):
    cluster.kubectl("rollout", "restart", "-n", SYSTEM, f"deployment/{WEBHOOK}")
    return ready(cluster, drained)


def asked(cluster):
    """Whether a protected workload is patched at this moment, in a namespace of the tests."""
    name = "wh-probe"
    if not cluster.exists("namespaces", None, name):
        cluster.create("namespaces", None, {"metadata": {"name": name, "labels": LABEL}})
    made = cluster.create("deployments", name, protected("Deployment", "probe", "data"), "?dryRun=All")
    return sidecar(made) is not None


# --- workloads ------------------------------------------------------------------------------------


def protected(kind, name, claim=None, annotations=None, script="exec sleep 3600", **spec):
    """A workload whose owner asks for a backup of /data: a claim, or, for a DaemonSet, a path by name."""
    wanted = {ANNOTATION: BLUEPRINT, **(annotations or {})}
    volumes, more = [], {}
    if kind == "StatefulSet":
        more = {"serviceName": name, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": claim,
            "resources": {"requests": {"storage": "1Gi"}}}}]}
    elif kind == "DaemonSet":
        wanted.setdefault("stash.appscode.com/target-paths", "/data")
        volumes = [{"name": "data", "hostPath": {"path": "/tmp"}}]
    else:
        volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    if kind != "DaemonSet":
        more["replicas"] = 1
    container = shell_container(script, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    return {"apiVersion": "apps/v1", "kind": kind,
            "metadata": {"name": name, "labels": {"app": name}, "annotations": wanted},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], "volumes": volumes}},
                **more, **spec}}


def plain(it, **spec):
    """The same workload of an owner who asks for nothing."""
    it = copy.deepcopy(it)
    del it["metadata"]["annotations"]
    it["spec"].update(spec)
    return it


def claim_of(space, name="data", storage_class=None):
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": space}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": storage_class or space,
        "resources": {"requests": {"storage": "1Gi"}}}}


@contextlib.contextmanager
def place(cluster, volumes=1, labels=None):
    """A namespace that the webhook is asked for, with that many volumes and a claim `data`."""
    with cluster.namespace({**LABEL, **(labels or {})}) as space:
        if volumes:
            cluster.volumes(space, volumes)
            cluster.create("persistentvolumeclaims", space, claim_of(space))
        yield space


def pod_template(it):
    """The template of a workload, or the pod itself."""
    return it["spec"].get("template", it)


def sidecar(it, name="stash"):
    """Our container in a workload or pod, or None; twice is an error."""
    spec = pod_template(it)["spec"]
    found = [each for each in spec["containers"] + spec.get("initContainers", []) if each["name"] == name]
    check(len(found) < 2, f"{len(found)} containers {name}")
    return found[0] if found else None


def names(it):
    """Names of containers and volumes, in order: what a fight would change."""
    spec = pod_template(it)["spec"]
    return [[each["name"] for each in spec.get(part, [])] for part in ("initContainers", "containers", "volumes")]


def warnings(text):
    """What kubectl printed as warnings of ours."""
    return re.findall(r"^Warning: (granary: .*)$", text, re.M)


# --- what webhooks did, in the audit log ----------------------------------------------------------


def calls(entries):
    """[(entry, webhook, patch or None)]: each time that the API server asked a webhook of ours."""
    found = []
    for entry in entries:
        notes = entry.get("annotations", {})
        for key, value in notes.items():
            if key.startswith(("mutation.webhook.admission.k8s.io/", "validation.webhook.admission.k8s.io/")):
                said = json.loads(value)
                if said["configuration"] == WEBHOOK:
                    patch = notes.get(key.replace("mutation.", "patch.", 1)) if said.get("mutated") else None
                    found.append((entry, said["webhook"], json.loads(patch)["patch"] if patch else None))
    return found


def passed_over(entries):
    """Entries for which a webhook of ours could not be asked."""
    return [entry for entry in entries if any(
        key.startswith("failed-open.mutation.webhook") for key in entry.get("annotations", {}))]


def metrics(pod):
    """The metrics of one pod of the webhook: {line without value: value}."""
    connection = http.client.HTTPConnection(pod["status"]["podIP"], 8080, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    return {name: float(value) for name, value in re.findall(r"^(granary_.*) (\S+)$", text, re.M)}
