"""granary's manifests in the cluster of the tests."""

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
def _rendered(kubectl, folder):
    done = subprocess.run([kubectl, "kustomize", os.path.join(tools.ROOT, folder)], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, done.stderr)
    return done.stdout


def rendered(cluster, overlay="local"):
    """The objects of an overlay."""
    text = _rendered(cluster.programs["kubectl"], f"manifests/overlays/{overlay}")
    listed = cluster.kubectl("create", "--dry-run=client", "--validate=false", "-o", "json", "-f", "-", given=text)
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
    return Answer(answer.status, json.loads(content or b"{}"), warnings)
