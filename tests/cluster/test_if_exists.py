"""Restore-if-exists, and whose a repository is, with all of us installed from manifests/: real restic in real pods."""

import json
import os
import subprocess

import tools
from harness import becomes, check, check_equal, eventually, test
from installed import ANNOTATION, claim_of, protected, sidecar
from test_certificates import installed
from test_life import (LATE_S, LOOK, WRITE, back_up, begin_session, ended, protectable, protected_pod, ready_configuration,
                       running, sh)

IF_EXISTS = "granary.dev/restore-if-exists"


def deployed(cluster, space, claim, name="web"):
    """The workload on this claim."""
    cluster.apply(protected("Deployment", name, claim, {ANNOTATION: space, IF_EXISTS: "true"},
                            strategy={"type": "Recreate"}), space)


def starts(cluster, space, name="web"):
    """Its pod, when it has the init container behind it and runs."""
    eventually(lambda: sidecar(cluster.get("deployments", space, name), "stash-init"), "the workload has the init container",
               LATE_S)
    return running(cluster, space, name)


def told(cluster, space, pod):
    """What its init container says that it starts on."""
    statuses = {status["name"]: status for status in cluster.get("pods", space, pod)["status"]["initContainerStatuses"]}
    return statuses["stash-init"]["state"]["terminated"].get("message", "")


def has_event(cluster, space, reason, *words):
    def found():
        notes = [event.get("message", "") for event in cluster.list("events", space) if event.get("reason") == reason]
        return [note for note in notes if all(word in note for word in words)]
    return eventually(found, f"an event {reason} with {words}", LATE_S)


def gone(cluster, space, name="web", kind="deployments"):
    """Without the workload, its pods, its configuration and all sessions."""
    cluster.delete(kind, space, name)
    eventually(lambda: not cluster.pods(space, f"app={name}"), "its pods are gone", LATE_S)
    eventually(lambda: not cluster.list("backupconfigurations", space), "its configuration is gone", LATE_S)
    for each in cluster.list("backupsessions", space):
        cluster.delete("backupsessions", space, each["metadata"]["name"])


def claim(cluster, space, name):
    """A claim with a volume of its own, which is empty."""
    cluster.volumes(space, 1, f"{space}-{name}")
    cluster.create("persistentvolumeclaims", space, claim_of(space, name, f"{space}-{name}"))
    return name


@test("RS13", alone=True)
def an_empty_volume_gets_its_last_backup_back(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        deployed(cluster, space, "data")
        pod = starts(cluster, space)
        check_equal(told(cluster, space, pod), "fresh", "what the first pod starts on")
        has_event(cluster, space, "StartsFresh")
        sh(cluster, space, pod, WRITE)
        before = sh(cluster, space, pod, LOOK)
        configuration = ready_configuration(cluster, space)
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        came_back = f"restored {session['metadata']['uid']}"
        sh(cluster, space, pod, "echo later > /data/later")

        # moved to a volume that is empty
        deployed(cluster, space, claim(cluster, space, "moved"))
        pod = starts(cluster, space)
        check_equal(told(cluster, space, pod), came_back, "what it starts on")
        check_equal(sh(cluster, space, pod, LOOK), before, "what came back")
        has_event(cluster, space, "RestoreIfExists", "BackupSession by-hand")
        has_event(cluster, space, "Restored")

        # back on the first one, which has all that it had
        deployed(cluster, space, "data")
        pod = starts(cluster, space)
        check_equal(told(cluster, space, pod), "fresh", "what it starts on, by the mark of before")
        check_equal(sh(cluster, space, pod, "cat /data/later"), "later\n", "what it had")

        # a cluster that has nothing but the manifests: no session, no Repository
        gone(cluster, space)
        for repository in cluster.list("repositories", space):
            cluster.delete("repositories", space, repository["metadata"]["name"])
        deployed(cluster, space, claim(cluster, space, "anew"))
        pod = starts(cluster, space)
        check_equal(told(cluster, space, pod), came_back, "what it starts on then")
        check_equal(sh(cluster, space, pod, LOOK), before, "what came back from the repository alone")
        return f"{len(before.splitlines())} lines equal, twice"


@test("RS13 LF3", alone=True)
def each_pod_of_a_set_gets_its_own_back(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        def apply(storage_class):
            cluster.volumes(space, 2, storage_class)
            cluster.apply(protected("StatefulSet", "web", storage_class, {ANNOTATION: space, IF_EXISTS: "true"}, replicas=2),
                          space)
            eventually(lambda: sidecar(cluster.get("statefulsets", space, "web"), "stash-init"), "the init container", LATE_S)
            cluster.ready_replicas("statefulsets", space, "web", LATE_S)

        apply(f"{space}-first")
        for pod in "web-0", "web-1":
            sh(cluster, space, pod, f"{WRITE}\necho {pod} > /data/who")
        before = {pod: sh(cluster, space, pod, LOOK) for pod in ("web-0", "web-1")}
        configuration = ready_configuration(cluster, space)
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        gone(cluster, space, kind="statefulsets")
        for pod in before:
            cluster.delete("persistentvolumeclaims", space, f"data-{pod}")
        eventually(lambda: not [each for each in cluster.list("persistentvolumeclaims", space)
                                if each["metadata"]["name"].startswith("data-")], "their claims are gone", LATE_S)
        apply(f"{space}-second")
        for pod, wanted in before.items():
            check_equal(told(cluster, space, pod), f"restored {session['metadata']['uid']}", f"what {pod} starts on")
            check_equal(sh(cluster, space, pod, LOOK), wanted, f"what {pod} has")
        return f"{len(before)} hosts of one session"


def owned(cluster, space, name):
    """The condition of the Repository, or None."""
    conditions = cluster.get("repositories", space, name).get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == "BackendRepositoryOwned"), None)


@test("RS5", alone=True)
def a_repository_of_another_cluster_is_adopted(cluster):
    installed(cluster)
    other = "00000000-2fa1-11d2-883f-0016d3cca427"
    with protectable(cluster) as space:
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}, strategy={"type": "Recreate"}), space)
        pod = protected_pod(cluster, space, "web")
        sh(cluster, space, pod, WRITE)
        configuration = ready_configuration(cluster, space)["metadata"]["name"]
        name = ready_configuration(cluster, space)["spec"]["repository"]["name"]
        volume = cluster.get("persistentvolumeclaims", space, "store")["spec"]["volumeName"]
        folder = os.path.join(cluster.get("persistentvolumes", None, volume)["spec"]["hostPath"]["path"],
                              cluster.get("repositories", space, name)["spec"]["backend"]["local"]["subPath"])

        def restic(*words, given=""):
            done = subprocess.run([tools.path_of("restic"), "--no-cache", f"--repo={folder}", *words], input=given, text=True,
                                  check=False, capture_output=True, timeout=120,
                                  env={"RESTIC_PASSWORD": "secret-of-the-test", "HOME": "/dev/null/home"})
            check(done.returncode == 0, done.stderr)
            return done.stdout

        os.makedirs(folder, exist_ok=True)
        restic("init")
        restic("backup", "--host=granary", f"--tag=granary-cluster,{other}", "--stdin", "--stdin-filename=cluster", given=other)
        begin_session(cluster, space, configuration, "refused")
        it = ended(cluster, "backupsessions", space, "refused")
        check_equal(it["status"]["phase"], "Failed", f"phase, of {it['status']}")
        check(other in json.dumps(it["status"]) and "ForeignRepository" in json.dumps(it["status"]), it["status"])
        said = eventually(lambda: owned(cluster, space, name), "the Repository says whose it is", LATE_S)
        check_equal((said["status"], said["reason"]), ("False", "ForeignRepository"), f"condition {said}")
        check(f"granary.dev/adopt={other}" in said["message"], said["message"])
        has_event(cluster, space, "ForeignRepository", other)
        check_equal(len(json.loads(restic("snapshots", "--json"))), 1, "snapshots: nothing was written")

        check(other in cluster.granary("adopt", "-n", space, "deployment/web", "--yes"), "the command does not say whose it is")
        back_up(cluster, space, configuration, "adopting")
        becomes(lambda: owned(cluster, space, name)["status"], "True", "condition of the Repository")
        us = cluster.get("namespaces", None, "kube-system")["metadata"]["uid"]
        marks = [each for each in json.loads(restic("snapshots", "--json")) if each["hostname"] == "granary"]
        check_equal(sorted(each["tags"][1] for each in marks), sorted([other, us]), "marks")
        cluster.patch("repositories", space, name, {"metadata": {"annotations": {"granary.dev/adopt": None}}})
        back_up(cluster, space, configuration, "afterwards")
        return f"{len(marks)} marks"
