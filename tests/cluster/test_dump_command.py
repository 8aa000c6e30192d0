"""A workload that is backed up by what a command in its own container writes, with all of us installed: one annotation, a
session, the content; a command that fails, a right that is missing, a leader that is killed half-way."""

import hashlib
import json

from harness import check, check_equal, eventually, test
from installed import ANNOTATION, protected
from test_certificates import controllers, holder, installed, kill
from test_etcd_backup import folder_of, restic
from test_life import begin_session, ended, protectable, ready_configuration, running, sh

DUMP = {"granary.dev/dump-command": '["sh", "/data/run"]', "granary.dev/dump-container": "main"}
# says that it has begun, and does not end before it is told to
SLOW = ("echo begun >> /data/begun; head -c 1000000 /data/dump; until [ -e /data/go ]; do sleep 0.2; done;"
        " tail -c +1000001 /data/dump")


def asked(cluster, space, pod, name, script):
    """Begins a session whose command is this script."""
    sh(cluster, space, pod, f"cat > /data/run <<'END'\n{script}\nEND")
    begin_session(cluster, space, ready_configuration(cluster, space)["metadata"]["name"], name)


def result(cluster, space, name):
    """(phase, error, paths of the snapshots) of a session that has ended."""
    status = ended(cluster, "backupsessions", space, name)["status"]
    (stat,) = status["targets"][0]["stats"]
    return status["phase"], stat.get("error", ""), [one["path"] for one in stat.get("snapshots", [])]


def fails(cluster, space, pod, name, script, *words):
    asked(cluster, space, pod, name, script)
    phase, error, snapshots = result(cluster, space, name)
    check_equal((phase, snapshots), ("Failed", []), f"of {name}: {error}")
    for word in words:
        check(word in error, f"{word!r} is not in {error!r}")
    return error


def stored(folder):
    """Snapshots of the workload, oldest first."""
    listed = json.loads(restic(folder, "snapshots", "--json"))
    return [one["id"] for one in sorted(listed, key=lambda one: one["time"]) if one["hostname"] == "host-0"]


def begun(cluster, space, pod):
    return len(sh(cluster, space, pod, "cat /data/begun 2>/dev/null; true").split())


def kill_leader(cluster):
    leader = holder(cluster) or ""
    for pod in controllers(cluster):
        if leader.startswith(pod["metadata"]["name"]):
            kill(pod)


@test("DC1", alone=True)
def what_a_command_writes_is_backed_up(cluster):
    installed(cluster)
    with protectable(cluster, overrides=[{"key": "dump"}], fileAccess="Root") as space:
        cluster.apply(protected("Deployment", "db", "data", {ANNOTATION: space, **DUMP}, strategy={"type": "Recreate"}), space)
        pod = running(cluster, space, "db")
        sh(cluster, space, pod, "head -c 5000000 /dev/urandom > /data/dump")
        wanted = sh(cluster, space, pod, "sha256sum < /data/dump")
        told = fails(cluster, space, pod, "forbidden", "cat /data/dump", "kubectl create rolebinding granary-hooks")

        cluster.kubectl("create", "rolebinding", "granary-hooks", f"--namespace={space}", "--clusterrole=granary-hooks",
                        "--serviceaccount=granary-system:granary-controller")
        fails(cluster, space, pod, "broken", "head -c 2000000 /data/dump; echo the disk is full >&2; exit 3", "exit status 3",
              "the disk is full")

        asked(cluster, space, pod, "lost", SLOW)
        eventually(lambda: begun(cluster, space, pod) == 1, "the command has begun", 120)
        kill_leader(cluster)
        sh(cluster, space, pod, "touch /data/go")
        check_equal(result(cluster, space, "lost"), ("Succeeded", "", ["/dump"]), "of lost")
        check_equal(begun(cluster, space, pod), 2, "how often the command has begun")

        folder = folder_of(cluster, space, "db")
        (key,) = stored(folder)
        check_equal(hashlib.sha256(restic(folder, "dump", key, "/dump")).hexdigest(), wanted.split()[0], "content")
        return told

