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
def rendered(cluster, overlay="local"):
    """The objects of an overlay. Not to be changed: everybody gets the same."""
    place = os.path.join(tools.ROOT, "manifests", "overlays", overlay)
    listed = cluster.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-",
                             given=cluster.kubectl("kustomize", place))
    decoder, found, rest = json.JSONDecoder(), [], listed.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        found += value["items"] if value["kind"] == "List" else [value]
        rest = rest[end:].lstrip()
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
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "customresourcedefinitions", "--all")
        cluster.apply([each for each in objects if each["kind"] in POLICY_KINDS[2:]], None, "--server-side")
        eventually(lambda: all_count(cluster), "every policy counts")
        cluster.granary_policies = True


def all_count(cluster):
    """Asks each policy something that it must refuse or warn about. A new policy counts within seconds."""
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
