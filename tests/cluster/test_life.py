"""The life of what is protected, with all of us installed from manifests/: one annotation, a schedule, a session, destroyed
data, a restore. Nothing is faked: restic runs in the pods, its repository lies on another volume."""

import contextlib
import json
import os
import re

from harness import becomes, check, check_equal, eventually, is_ready, test
from installed import ANNOTATION, blueprint, claim_of, place, protected, sidecar
from test_certificates import forget, installed

OURS = "stash.appscode.com"
LATE_S = 240  # a schedule, the pod of its CronJob, and an agent that shows its identity

# files of all sorts below /data, and what tells whether they came back
WRITE = r"""
set -e
cd /data
mkdir -p deep/er 'with blanks'
echo one > deep/er/one; echo two > 'with blanks/two'
printf 'odd' > "$(printf 'new\nline')"
dd if=/dev/urandom of=random bs=1k count=700 2>/dev/null
: > empty
ln -s deep/er/one link; ln random hard
chmod 640 deep/er/one; chmod 1777 deep; chown 1234:4321 random
touch -d '2020-02-02 02:02:02' deep/er/one
"""
LOOK = r"""
cd /data
find . -mindepth 1 | sort | while read -r name; do
    [ -e "$name" ] || [ -L "$name" ] || continue
    stat -c '%n %F %a %u %g %h %N' "$name"
    [ -L "$name" ] || [ -d "$name" ] || stat -c '%Y %s' "$name"
done
find . -type f -print0 | sort -z | xargs -0 sha256sum
"""


@contextlib.contextmanager
def protectable(cluster, **more):
    """A namespace with a claim, and a blueprint of its name that stores in another claim."""
    with place(cluster, 2) as space:
        cluster.create("persistentvolumeclaims", space, claim_of(space, "store"))
        cluster.create("secrets", space, {"metadata": {"name": "keys"},
                                          "stringData": {"RESTIC_PASSWORD": "secret-of-the-test"}})
        cluster.kubectl("create", "rolebinding", "granary-secrets", f"--namespace={space}", "--clusterrole=granary-secrets",
                        "--serviceaccount=granary-system:granary-controller")
        local = {"persistentVolumeClaim": {"claimName": "store"}, "mountPath": "/safe",
                 "subPath": "${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}"}
        cluster.apply(blueprint(space, backend={"local": local, "storageSecretName": "keys"}, **more), None, "--server-side")
        try:
            yield space
        finally:
            cluster.delete("backupblueprints", None, space)


def the_only(cluster, resource, space):
    def found():
        objects = cluster.list(resource, space)
        return len(objects) == 1 and objects[0]
    return eventually(found, f"one of {resource}")


def ready_configuration(cluster, space):
    it = the_only(cluster, "backupconfigurations", space)
    name = it["metadata"]["name"]

    def is_ready():
        now = cluster.get("backupconfigurations", space, name)
        return now.get("status", {}).get("phase") == "Ready" and now or check(False, f"{name}: {now.get('status')}")
    return eventually(is_ready, f"BackupConfiguration {name} is Ready")


def ended(cluster, resource, space, name):
    """The session when it has ended."""
    def found():
        it = cluster.get(resource, space, name)
        return (it.get("status", {}).get("phase") in ("Succeeded", "Failed", "Skipped", "Unknown") and it or
                check(False, f"{name}: {it.get('status')}"))
    return eventually(found, f"{resource} {name} has ended", LATE_S)


def begin_session(cluster, space, configuration, name):
    """Asks for a session by hand."""
    cluster.create("backupsessions", space, {
        "apiVersion": f"{OURS}/v1beta1", "kind": "BackupSession", "metadata": {"name": name},
        "spec": {"invoker": {"apiGroup": OURS, "kind": "BackupConfiguration", "name": configuration}}})


def back_up(cluster, space, configuration, name):
    """A session by hand; returns it when it has succeeded."""
    begin_session(cluster, space, configuration, name)
    it = ended(cluster, "backupsessions", space, name)
    check_equal(it["status"]["phase"], "Succeeded", f"phase of {name}, whose status is {it['status']}")
    return it


def triggered(cluster, space, configuration):
    """A session by the command, which follows it to its end."""
    said = cluster.granary("trigger", "-n", space, "deployment/web", "--wait")
    name = re.match(rf"backupsession\.{OURS}/({configuration}-\d+) created\n", said).group(1)
    check("\nSucceeded after " in said and ": snapshot " in said, said)
    return cluster.get("backupsessions", space, name)


def told(cluster, space, configuration, session):
    """What the command says of a backup that went well; and a pause, which the controller follows."""
    newest = session["status"]["targets"][0]["stats"][0]["snapshots"][0]["name"]
    check(newest in cluster.granary("snapshots", "-n", space, "deploy/web"), f"{newest} is not listed")
    volumes = {row["claim"]: row for row in json.loads(cluster.granary("coverage", "-n", space, "-o", "json"))}
    check_equal((volumes["data"]["state"], volumes["data"]["usedBy"]),
                ("Protected", [{"kind": "Deployment", "name": "web"}]), f"{volumes}")
    (row,) = json.loads(cluster.granary("status", "-n", space, "deploy/web", "-o", "json"))
    check_equal((row["health"], row["lastBackup"], row["sessions"][0]["name"], row["sessions"][0]["phase"]),
                ("Healthy", session["metadata"]["creationTimestamp"], session["metadata"]["name"], "Succeeded"), f"{row}")
    check("Deployment/web" in cluster.granary("status", "-A", "-o", "wide"), "in the list of all")
    cluster.granary("pause", "-n", space, configuration)
    becomes(lambda: cluster.get("cronjobs", space, f"stash-trigger-{configuration}")["spec"]["suspend"], True, "suspended")
    check("Paused" in cluster.granary("status", "-n", space), "a pause")
    cluster.granary("resume", "-n", space, "deployment/web")
    becomes(lambda: cluster.get("cronjobs", space, f"stash-trigger-{configuration}")["spec"]["suspend"], False, "goes on")


def running(cluster, space, app):
    """The one pod of a workload."""
    cluster.ready_replicas("deployments", space, app)
    return eventually(lambda: [pod for pod in cluster.pods(space, f"app={app}")
                               if "deletionTimestamp" not in pod["metadata"]], "a pod")[0]["metadata"]["name"]


def protected_pod(cluster, space, app):
    """The same when it carries the agent: a replica of the webhook may not know the blueprint yet when the workload is made,
    then the controller sees to it."""
    eventually(lambda: sidecar(cluster.get("deployments", space, app)), "the workload carries the agent", LATE_S)
    return running(cluster, space, app)


def sh(cluster, space, pod, script):
    return cluster.execute(space, pod, "/bin/sh", "-c", script, container="main")


@test("LF1", alone=True)
def a_deployment_comes_back(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}, strategy={"type": "Recreate"}), space)
        pod = protected_pod(cluster, space, "web")
        sh(cluster, space, pod, WRITE)
        before = sh(cluster, space, pod, LOOK)
        configuration = ready_configuration(cluster, space)
        repository = configuration["spec"]["repository"]["name"]
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        sh(cluster, space, pod, "rm -rf /data/* && echo new > /data/new")
        second = triggered(cluster, space, configuration["metadata"]["name"])

        becomes(lambda: cluster.get("repositories", space, repository)["status"].get("lastBackupTime"),
                second["metadata"]["creationTimestamp"], "last backup of the Repository")
        told(cluster, space, configuration["metadata"]["name"], second)

        # the session before is what has to come back, not the newest
        snapshot = session["status"]["targets"][0]["stats"][0]["snapshots"][0]["name"]
        restored_by_command(cluster, space, "deployment/web", "--snapshot", snapshot)
        check(sidecar(cluster.get("deployments", space, "web"), "stash-init"), "the workload is not to be restored")
        pod = running(cluster, space, "web")
        sh(cluster, space, pod, "rm -f /data/new")
        check_equal(sh(cluster, space, pod, LOOK), before, "content, owners, modes, times and links")
        look_beside(cluster, space, snapshot)
        return f"{len(before.splitlines())} lines equal; {second['status']['targets'][0]['stats'][0]['snapshots'][0]}"


def restored_by_command(cluster, space, *words):
    """As a person does it: asked for, looked at first, and followed to its end."""
    shown = cluster.granary("restore", "-n", space, *words, "--dry-run")
    check("kind: RestoreSession" in shown and "nothing was made" in shown, f"the dry run: {shown}")
    check_equal(cluster.list("restoresessions", space), [], "sessions after the dry run")
    said = cluster.granary("restore", "-n", space, *words, "--yes", "--wait")
    check("Succeeded after" in said, f"how it ended: {said}")


def look_beside(cluster, space, snapshot):
    """Old data into a claim of their own, beside the new."""
    storage = cluster.volumes(space, 1, f"{space}-old")
    claim = claim_of(space, "old")
    claim["spec"]["storageClassName"] = storage
    cluster.create("persistentvolumeclaims", space, claim)
    said = cluster.granary("restore", "-n", space, "deployment/web", "--to", "pvc/old", "--snapshot", snapshot, "--yes", "--wait")
    check("Succeeded after" in said, f"how it ended: {said}")
    folder = cluster.layout.path("volumes", f"{storage}-0")
    with open(os.path.join(folder, "deep/er/one"), encoding="utf-8") as file:
        check_equal(file.read(), "one\n", "a file beside")
    check(not os.path.exists(os.path.join(folder, "new")), "what is newer than the snapshot is there")


def restored(cluster, space, repository, kind, *rules, **target):
    """A RestoreSession of the workload `web`; returns it when it has succeeded."""
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "RestoreSession", "metadata": {"name": "back"}, "spec": {
        "repository": {"name": repository},
        "target": {"ref": {"apiVersion": "apps/v1", "kind": kind, "name": "web"},
                   "volumeMounts": [{"name": "data", "mountPath": "/data"}], "rules": list(rules), **target}}}, space)
    it = ended(cluster, "restoresessions", space, "back")
    check_equal(it["status"]["phase"], "Succeeded", f"phase of the restore, whose status is {it['status']}")
    return it


def hosts(session):
    """{host: phase} of a session."""
    stats = (session["status"].get("targets") or [session["status"]])[0]["stats"]
    return {each["hostname"]: each["phase"] for each in stats}


@test("LF3", alone=True)
def each_pod_of_a_stateful_set_gets_its_own_back(cluster):
    installed(cluster)
    pods = ["web-0", "web-1", "web-2"]
    all_well = {f"host-{number}": "Succeeded" for number in range(len(pods))}
    with protectable(cluster) as space:
        cluster.volumes(space, len(pods), f"{space}-web")
        cluster.apply(protected("StatefulSet", "web", f"{space}-web", {ANNOTATION: space}, replicas=len(pods)), space)
        eventually(lambda: sidecar(cluster.get("statefulsets", space, "web")), "the workload carries the agent", LATE_S)
        cluster.ready_replicas("statefulsets", space, "web")
        for pod in pods:
            sh(cluster, space, pod, f"{WRITE}\necho {pod} > /data/who")
        before = {pod: sh(cluster, space, pod, LOOK) for pod in pods}
        check_equal(len(set(before.values())), len(pods), "how many have something else")
        configuration = ready_configuration(cluster, space)
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        check_equal(hosts(session), all_well, "hosts")
        for pod in before:
            sh(cluster, space, pod, "rm -rf /data/*")
        back = restored(cluster, space, configuration["spec"]["repository"]["name"], "StatefulSet", {"paths": ["/data"]})
        check_equal(hosts(back), all_well, "hosts of the restore")
        cluster.ready_replicas("statefulsets", space, "web")
        for pod, wanted in before.items():
            check_equal(sh(cluster, space, pod, LOOK), wanted, f"what {pod} has")
        return f"{len(before)} hosts"


@test("LF4", alone=True)
def a_daemon_set_comes_back_on_its_node(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        folder = cluster.layout.path("volumes", f"{space}-node")
        os.makedirs(folder)
        workload = protected("DaemonSet", "web", None, {ANNOTATION: space})
        workload["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] = folder
        cluster.apply(workload, space)
        eventually(lambda: sidecar(cluster.get("daemonsets", space, "web")), "the workload carries the agent", LATE_S)
        pod = eventually(lambda: [pod for pod in cluster.pods(space, "app=web") if sidecar(pod) and is_ready(pod)],
                         "its pod carries the agent", LATE_S)[0]["metadata"]["name"]
        sh(cluster, space, pod, WRITE)
        before = sh(cluster, space, pod, LOOK)
        configuration = ready_configuration(cluster, space)
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        check_equal(hosts(session), {"node0": "Succeeded"}, "hosts")
        sh(cluster, space, pod, "rm -rf /data/*")
        back = restored(cluster, space, configuration["spec"]["repository"]["name"], "DaemonSet", {"paths": ["/data"]})
        check_equal(hosts(back), {"node0": "Succeeded"}, "hosts of the restore")
        pod = eventually(lambda: [pod for pod in cluster.pods(space, "app=web") if sidecar(pod, "stash-init") and
                                  is_ready(pod)], "its pod was restored", LATE_S)[0]["metadata"]["name"]
        check_equal(sh(cluster, space, pod, LOOK), before, "what it has")
        return session["status"]["targets"][0]["stats"][0]["snapshots"][0]["totalSize"]


@test("LF2", alone=True)
def the_schedule_runs(cluster):
    installed(cluster)
    try:
        with protectable(cluster, schedule="* * * * *") as space:
            cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}), space)
            protected_pod(cluster, space, "web")
            ready_configuration(cluster, space)
            first = eventually(lambda: cluster.list("backupsessions", space), "a session of the schedule", LATE_S)[0]
            session = ended(cluster, "backupsessions", space, first["metadata"]["name"])
            check_equal(session["status"]["phase"], "Succeeded", f"phase, of {session['status']}")
            return first["metadata"]["name"]
    finally:
        forget(cluster)
