"""granary's manifests in the cluster of the tests."""

import base64
import contextlib
import copy
import functools
import http.client
import json
import os
import subprocess
import threading

import tools
from harness import check, eventually

# RBAC lets this group do everything; the name alone meets the fence.
MASTERS = ["system:masters"]
CONTROLLER = "system:serviceaccount:granary-system:granary-controller"
LOCK = threading.Lock()


@functools.cache
def kustomized(cluster, place):
    """The objects of a kustomization."""
    return parsed(cluster, cluster.kubectl("kustomize", place))


def parsed(cluster, text):
    """The objects of YAML text."""
    listed = cluster.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", given=text)
    decoder, found, rest = json.JSONDecoder(), [], listed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found += value["items"] if value["kind"] == "List" else [value]
        rest = rest[end:].lstrip()
    return found


def rendered(cluster, overlay="local"):
    """The objects of an overlay. Not to be changed: everybody gets the same."""
    found = kustomized(cluster, os.path.join(tools.ROOT, "manifests", "overlays", overlay))
    check(len(found) > 20, f"only {len(found)} objects in overlay {overlay}")
    return found


POLICY_KINDS = ("Namespace", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
                "ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding", "ConfigMap")


def policies(cluster):
    """Applies what judges without the webhook: kinds, roles, policies. Once, and waits until they count."""
    with LOCK:
        if getattr(cluster, "granary_policies", False):
            return
        objects = rendered(cluster)
        cluster.apply([each for each in objects if each["kind"] in POLICY_KINDS[:2]], None, "--server-side")
        served(cluster)
        cluster.apply([each for each in objects if each["kind"] in POLICY_KINDS[2:]] + PROBER, None, "--server-side")
        eventually(lambda: all_count(cluster), "every policy counts")
        cluster.granary_policies = True


def served(cluster):
    """Waits until the API server serves our kinds, and describes them to kubectl: both come after Established."""
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=300s", "customresourcedefinitions", "--all")
    kinds = [(each["spec"]["group"], each["spec"]["versions"][0]["name"], each["spec"]["names"])
             for each in rendered(cluster) if each["kind"] == "CustomResourceDefinition"]

    def found():
        for path in {f"/apis/{group}/{version}" for group, version, _ in kinds}:
            listed = {each["name"] for each in cluster.api("GET", path)["resources"]}
            wanted = {names["plural"] for group, version, names in kinds if path == f"/apis/{group}/{version}"}
            check(wanted <= listed, f"{path} has {listed}")
            for plural in wanted:
                cluster.api("GET", f"{path}/{plural}?limit=1")
        return True

    def described(where, chosen):
        text = json.dumps(cluster.api("GET", where))
        return all(json.dumps({"group": group, "kind": names["kind"], "version": version}) in text
                   for group, version, names in chosen)
    eventually(found, "our kinds are served")
    for group, version in {kind[:2] for kind in kinds}:
        chosen = [kind for kind in kinds if kind[:2] == (group, version)]
        eventually(lambda: described(f"/openapi/v3/apis/{group}/{version}", chosen),  # pylint: disable=cell-var-from-loop
                   f"{group}/{version} is described")
    eventually(lambda: described("/openapi/v2", kinds), "our kinds are described")


# Somebody who may write objects of ours in one namespace, and nothing that these could be used for.
PROBER = [
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "prober", "namespace": "default"},
     "rules": [{"apiGroups": ["stash.appscode.com"], "resources": ["backupconfigurations"], "verbs": ["create"]}]},
    {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {
        "name": "prober", "namespace": "default"},
     "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "prober"},
     "subjects": [{"kind": "User", "name": "prober", "apiGroup": "rbac.authorization.k8s.io"}]}]


def probed(cluster, **spec):
    """What is said to somebody with few rights who makes a BackupConfiguration."""
    answer = ask(cluster, "POST", "/apis/stash.appscode.com/v1beta1/namespaces/default/backupconfigurations?dryRun=All", {
        "apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration", "metadata": {"name": "probe"}, "spec": {
            "repository": {"name": "probe"}, "schedule": "@daily",
            "retentionPolicy": {"name": "a", "keepLast": 1, "prune": True},
            "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}}, **spec}}, user="prober")
    return f"{answer.message} {answer.warnings}"


def all_count(cluster):
    """Asks each policy something that it must refuse or warn about. A new policy counts within seconds."""
    many = ask(cluster, "POST", "/apis/apps/v1/namespaces/default/deployments?dryRun=All", {
        "metadata": {"name": "probe", "annotations": {"stash.appscode.com/backup-blueprint": ",".join("abcdefghi")}},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "a"}]}}}})
    hook = {"exec": {"command": ["a"]}, "containerName": "a"}
    said = [("more than 8", str(many.warnings)), ("may not use Repository", probed(cluster)),
            ("may not create pods", probed(cluster, mode="Job")),
            ("create pods/exec", probed(cluster, hooks={"preBackup": hook}))]
    for words, text in said:
        check(words in text, f"{words}: {text}")
    body = {"metadata": {"name": "probe", "namespace": "granary-system"}}
    return (refused(cluster, "/api/v1/namespaces/granary-system/configmaps", body, "granary-fence-objects") and
            refused(cluster, "/apis/apps/v1/namespaces/granary-system/replicasets",
                    {**body, "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": {
                        "metadata": {"labels": {"a": "b"}},
                        "spec": {"containers": [{"name": "a", "image": "a"}]}}}}, "granary-fence-workloads"))


def refused(cluster, path, body, policy):
    """True when the policy refuses that to the controller, whatever its role."""
    answer = ask(cluster, "POST", path + "?dryRun=All", body, user=CONTROLLER, groups=MASTERS)
    return policy in str(answer.message)


def self_signed(folder, address="127.0.0.1"):
    """A certificate for a server on loopback: the names of its file and of its key, and what caBundle is then."""
    cert, key = os.path.join(folder, "tls.crt"), os.path.join(folder, "tls.key")
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
         "/CN=test", "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out", cert],
        capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stderr)
    with open(cert, "rb") as file:
        return cert, key, base64.b64encode(file.read()).decode()


@contextlib.contextmanager
def configured(cluster, kind, label, client):
    """A copy of our configuration that asks somebody else: client(hook) is its clientConfig. It means namespaces with
    the label test=LABEL, and of what is in none only objects with it. It fails closed, so that whatever goes wrong is
    seen. Gives the name of the copy."""
    (original,) = [each for each in rendered(cluster) if each["kind"] == kind]
    copied = copy.deepcopy(original)
    copied["metadata"] = {"name": f"test-{label}"}
    for hook in copied["webhooks"]:
        hook |= {"clientConfig": client(hook), "failurePolicy": "Fail", "timeoutSeconds": 30}  # of a loaded machine
        hook.setdefault("namespaceSelector", {}).setdefault("matchExpressions", []).append(
            {"key": "test", "operator": "In", "values": [label]})
        if any(rule["scope"] == "Cluster" for rule in hook["rules"]):
            hook.setdefault("matchConditions", []).append({"name": "is-of-the-test", "expression":
                "request.?namespace.orValue('') != '' || " f"object.?metadata.?labels[?'test'].orValue('') == '{label}'"})
    path = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}s"
    cluster.api("POST", path, copied)
    try:
        yield copied["metadata"]["name"]
    finally:
        cluster.api("DELETE", f"{path}/test-{label}")


class Answer:
    """Of the API server: code, object, the message of a refusal ("" if none), warnings."""

    def __init__(self, code, value, warnings):
        self.code, self.value, self.warnings = code, value, warnings
        self.message = value.get("message", "") if code >= 300 else ""


def ask(cluster, method, path, body=None, user=None, groups=(), kind="application/json"):
    """One request as a user and groups; never raises for a refusal. Warnings come along."""
    connection = cluster._connection()  # pylint: disable=protected-access
    connection.putrequest(method, path)
    data = json.dumps(body).encode() if body is not None else b""
    for name, value in [("Content-Type", kind), ("Accept", "application/json"), ("Content-Length", str(len(data)))]:
        connection.putheader(name, value)
    if user:
        connection.putheader("Impersonate-User", user)
    for group in groups:
        connection.putheader("Impersonate-Group", group)
    try:
        connection.endheaders(data)
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        raise
    warnings = [value.split('"', 1)[1].rsplit('"', 1)[0] for value in answer.headers.get_all("Warning", [])]
    try:
        value = json.loads(content or b"{}")
    except json.JSONDecodeError:  # a path that it does not have
        value = {"message": content.decode(errors="replace")}
    return Answer(answer.status, value, warnings)
