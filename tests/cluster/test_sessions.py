"""BackupSessions in a real cluster, made by hand: what they become, and what they leave behind. The controller runs in
pods, with nothing but its own rights. Work is not done here: the storage is not there."""

import base64
import contextlib

from harness import ApiError, becomes, check, check_equal, eventually, test
from installed import SYSTEM, blueprint, place, protected
from test_certificates import forget, installed

STASH = "/apis/stash.appscode.com"
SESSIONS = STASH + "/v1beta1/namespaces/{}/backupsessions"
CONFIGURATION = STASH + "/v1beta1/namespaces/{}/backupconfigurations/{}"
BLUEPRINT = "sessions"
TARGET = "granary.dev/target"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases?labelSelector=granary.dev/ledger%3Dtarget"


# --- objects ---------------------------------------------------------------------------------------


def session(name, configuration="deploy-web", **spec):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupSession", "metadata": {"name": name}, "spec": {
        "invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": configuration}, **spec}}


def keys(space):
    """The storage Secret, and the binding that lets the controller read it."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": space},
              "data": {"RESTIC_PASSWORD": base64.b64encode(b"pass").decode()}}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
               "metadata": {"name": "granary-secrets", "namespace": space},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "granary-secrets"},
               "subjects": [{"kind": "ServiceAccount", "name": "granary-controller", "namespace": SYSTEM}]}
    return [secret, binding]


@contextlib.contextmanager
def backed_up(cluster):
    """A Deployment with one pod that carries the agent, whose BackupConfiguration is Ready."""
    installed(cluster)
    cluster.apply(blueprint(BLUEPRINT, timeOut="20s", backupHistoryLimit=2, retryConfig={"maxRetry": 1, "delay": "1s"}),
                  None, "--server-side")
    with place(cluster) as space:
        cluster.apply(keys(space), space, "--server-side")
        cluster.create("deployments", space,
                       protected("Deployment", "web", "data", {"stash.appscode.com/backup-blueprint": BLUEPRINT}))
        becomes(lambda: configuration(cluster, space).get("status", {}).get("phase"), "Ready", "phase of deploy-web")
        yield space


# --- what is seen ----------------------------------------------------------------------------------


def found(cluster, path):
    try:
        return cluster.api("GET", path)
    except ApiError as error:
        check(error.code == 404, str(error))
        return {}


def configuration(cluster, space):
    return found(cluster, CONFIGURATION.format(space, "deploy-web"))


def make(cluster, space, *args, **spec):
    return cluster.api("POST", SESSIONS.format(space), session(*args, **spec))


def sessions(cluster, space):
    return {each["metadata"]["name"]: each for each in cluster.api("GET", SESSIONS.format(space))["items"]}


def phase(cluster, space, name):
    return sessions(cluster, space).get(name, {}).get("status", {}).get("phase")


def held(cluster, space):
    """Who holds the Leases of that namespace's targets."""
    return [each["spec"]["holderIdentity"] for each in cluster.api("GET", LEASES)["items"]
            if f"/{space}/" in each["metadata"]["annotations"][TARGET]]


# --- tests -----------------------------------------------------------------------------------------


@test("SE1", alone=True)
def a_session_runs_fails_at_its_deadline_and_is_tried_again(cluster):
    with backed_up(cluster) as space:
        make(cluster, space, "by-hand", retryLeft=1)
        becomes(lambda: phase(cluster, space, "by-hand"), "Running", "phase of by-hand")
        check_equal(held(cluster, space), [f"BackupSession/{space}/by-hand"], "who holds the Lease")
        becomes(lambda: phase(cluster, space, "by-hand"), "Failed", "phase of by-hand")
        status = sessions(cluster, space)["by-hand"]["status"]
        check_equal(status["targets"][0]["totalHosts"], 1, "hosts")
        check(status["targets"][0]["ref"]["kind"] == "Deployment", str(status["targets"][0]["ref"]))
        (again, ) = eventually(lambda: set(sessions(cluster, space)) - {"by-hand"}, "it is tried again")
        eventually(lambda: sessions(cluster, space)["by-hand"]["status"].get("retried"), "it says so")
        becomes(lambda: phase(cluster, space, again), "Failed", f"phase of {again}")
        check_equal(sessions(cluster, space)[again]["spec"]["retryLeft"], 0, "tries that are left")
        becomes(lambda: held(cluster, space), [], "who holds the Lease")
    return f"by-hand, {again}"


@test("SE2", alone=True)
def what_asked_for_a_session_is_deleted_and_another_one_is_of_nothing(cluster):
    with backed_up(cluster) as space:
        make(cluster, space, "of-nothing", "nobody")
        becomes(lambda: phase(cluster, space, "of-nothing"), "Skipped", "phase of of-nothing")
        make(cluster, space, "left")
        becomes(lambda: phase(cluster, space, "left"), "Running", "phase of left")
        cluster.patch("deployments", space, "web", {"metadata": {"annotations": {
            "stash.appscode.com/backup-blueprint": None}}})
        eventually(lambda: not configuration(cluster, space), "the BackupConfiguration goes")
        # its Lease stays for minutes: an agent that went away with its pod may be at work as far as clocks of a cluster agree
        becomes(lambda: phase(cluster, space, "left"), "Failed", "phase of left")


@test("SE3", alone=True)
def a_history_is_kept_as_long_as_was_asked_for(cluster):
    try:
        with backed_up(cluster) as space:
            for number in range(4):
                make(cluster, space, f"h{number}")
                becomes(lambda: phase(cluster, space, f"h{number}"), "Failed",  # pylint: disable=cell-var-from-loop
                        f"phase of h{number}")
            becomes(lambda: sorted(sessions(cluster, space)), ["h2", "h3"], "sessions that are kept")
    finally:
        forget(cluster)
