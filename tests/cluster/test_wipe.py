"""wipeOut, with all of us installed: whose data go when a Repository is deleted, and whose stay."""

import json
import os
import shutil
import subprocess

import tools
from harness import becomes, check, check_equal, eventually, test
from test_certificates import installed
from test_life import LATE_S
from test_maintenance import PASSWORD, kept

OTHER_CLUSTER = "00000000-2fa1-11d2-883f-0016d3cca427"
OWNED = [{"type": "BackendRepositoryOwned", "status": "True", "reason": "OwnedByThisCluster", "message": "",
          "lastTransitionTime": "2026-01-01T00:00:00Z"}]


def backend(path):
    return {"storageSecretName": "keys", "local": {"persistentVolumeClaim": {"claimName": "store"}, "mountPath": "/safe",
                                                   "subPath": path}}


def made(cluster, space, name, path, wipe_out=True):
    """A Repository that looks as after a session."""
    cluster.apply({"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
                   "metadata": {"name": name, "namespace": space},
                   "spec": {"backend": backend(path), "wipeOut": wipe_out}})
    cluster.kubectl("patch", "repository.stash.appscode.com", name, "-n", space, "--subresource=status", "--type=merge",
                    "-p", json.dumps({"status": {"conditions": OWNED}}))


def deleted(cluster, space, name):
    cluster.kubectl("delete", "repository.stash.appscode.com", name, "-n", space)


def foreign(folder, whole):
    """Beside a repository of ours the same with the mark of another cluster: its own mark is forgotten."""
    shutil.copytree(whole, folder)

    def restic(*words, given=None):
        subprocess.run([tools.path_of("restic"), "--no-cache", *words], input=given, check=True, capture_output=True,
                       env={"RESTIC_REPOSITORY": folder, "RESTIC_PASSWORD": PASSWORD, "HOME": "/nonexistent"})
    restic("forget", "--host=granary", "--tag=granary-cluster", "--unsafe-allow-remove-all")
    restic("backup", "--host=granary", f"--tag=granary-cluster,{OTHER_CLUSTER}", "--stdin", "--stdin-filename=cluster",
           given=b"x")


def files(folder):
    return sum(len(names) for _, _, names in os.walk(folder))


def jobs(cluster, space):
    return [job["metadata"]["name"] for job in cluster.list("jobs", space)
            if job["metadata"]["name"].startswith("granary-wipe-")]


@test("WO1", alone=True)
def data_go_with_their_repository_and_nobody_elses(cluster):
    installed(cluster)
    with kept(cluster, keepLast=5) as it:
        space = it.space
        it.back_up("first")
        eventually(lambda: it.done("check").get("lastSuccess"), "the first check", LATE_S)
        whole = it.folder()
        store = os.path.dirname(os.path.dirname(os.path.dirname(whole)))
        path = os.path.relpath(whole, store)
        check_equal(cluster.get("repositories", space, it.repository)["spec"]["backend"]["local"]["subPath"], path, "path")
        foreign(f"{store}/foreign", whole)
        for name in ("unasked", "copied"):
            shutil.copytree(whole, f"{store}/{name}")
        with open(f"{store}/copied/notes.txt", "w", encoding="ascii") as file:
            file.write("mine\n")
        before = {name: files(f"{store}/{name}") for name in ("foreign", "unasked")}
        for name, place, asked in (("foreign", "foreign", True), ("unasked", "unasked", False), ("copied", "copied", True),
                                   ("shared", path, True), ("above", os.path.dirname(path), True)):
            made(cluster, space, name, place, asked)
        with cluster.namespace() as leaving:
            made(cluster, leaving, "leaves", "leaves")
        for name in ("foreign", "unasked", "copied", "shared", "above"):
            deleted(cluster, space, name)
        (told,) = eventually(lambda: cluster.events(space, "WipedOut", "copied"), "data have gone", LATE_S)
        check("notes.txt" in told[3], f"{told}")
        check_equal(os.listdir(f"{store}/copied"), ["notes.txt"], "what is left of ours")
        (told, *_) = eventually(lambda: cluster.events(space, "WipeOutFailed", "foreign"), "another cluster's", LATE_S)
        check("ForeignRepository" in told[3], f"{told}")
        for name in ("shared", "above"):
            (told,) = eventually(lambda name=name: cluster.events(space, "WipeOutRefused", name), name)
            check(f"Repository {space}/{it.repository} has its data there" in told[3], f"{told}")
        check_equal({name: files(f"{store}/{name}") for name in before}, before, "what is not to go")
        check_equal(sorted({name.split("-")[2] for name in jobs(cluster, space)}), ["copied", "foreign"], "Jobs")
        eventually(lambda: any("leaves" in line and "its namespace is being deleted" in line for line in log(cluster)),
                   "the namespace goes, and the data stay")
        it.back_up("second")
        becomes(lambda: it.status().get("snapshotCount"), 2, "snapshots of the living one", LATE_S)


def log(cluster):
    """Lines of all controllers."""
    return [line for pod in cluster.pods("granary-system", "app.kubernetes.io/name=granary-controller")
            for line in cluster.logs("granary-system", pod["metadata"]["name"]).splitlines()]
