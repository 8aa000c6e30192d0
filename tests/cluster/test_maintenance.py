"""Retention, checks and what is left by the dead, with all of us installed: Jobs with real restic beside real backups."""

import contextlib
import glob
import json
import os
import subprocess

import tools
from harness import becomes, check, check_equal, eventually, test
from installed import ANNOTATION, protected
from test_certificates import installed
from test_life import LATE_S, back_up, protectable, protected_pod, ready_configuration, sh

PASSWORD = "secret-of-the-test"
FOLLOWED = ("RetentionPolicyApplied", "RepositoryIntegrityVerified")


class Kept:
    """A Deployment whose backups are kept by a policy; `name` is that of its configuration."""

    def __init__(self, cluster, space, policy):
        self.cluster, self.space = cluster, space
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}, strategy={"type": "Recreate"}), space)
        self.pod = protected_pod(cluster, space, "web")
        self.configuration = ready_configuration(cluster, space)
        check_equal(self.configuration["spec"]["retentionPolicy"]["keepLast"], policy["keepLast"], "policy")
        self.repository = self.configuration["spec"]["repository"]["name"]

    def back_up(self, name):
        sh(self.cluster, self.space, self.pod, f"echo {name} > /data/who; dd if=/dev/urandom of=/data/more bs=1k count=50")
        return back_up(self.cluster, self.space, self.configuration["metadata"]["name"], name)

    def status(self):
        return self.cluster.get("repositories", self.space, self.repository).get("status", {})

    def done(self, kind):
        found = [each for each in self.status().get("maintenance", []) if each["kind"] == kind]
        return found[0] if found else {}

    def condition(self, kind):
        found = [each for each in self.status().get("conditions", []) if each["type"] == kind]
        return found[0]["status"] if found else None

    def said(self, session):
        """What a session says of what followed it."""
        found = self.cluster.get("backupsessions", self.space, session).get("status", {}).get("conditions", [])
        return {each["type"]: each["status"] for each in found if each["type"] in FOLLOWED}

    def listed(self):
        """How many snapshots of the host, and marks, restic lists."""
        text = self.restic("snapshots", "--no-lock", "--json").communicate(timeout=60)[0]
        hosts = [each["hostname"] for each in json.loads(text)]
        return hosts.count("host-0"), hosts.count("granary")

    def folder(self):
        """Where its repository lies on the node's disk."""
        found = glob.glob(os.path.join(self.cluster.layout.path("volumes"), "**", "config"), recursive=True)
        return os.path.dirname([path for path in found if f"/{self.space}/" in path or self.space in path][0])

    def locks(self):
        """One that is being written, or whose writer was killed at that, is none yet."""
        return [name for name in os.listdir(f"{self.folder()}/locks") if "-tmp-" not in name]

    def restic(self, *words, host=None):
        program = [tools.path_of("restic"), "--no-cache", *words]
        if host:
            program = ["unshare", "--uts", "sh", "-c", "hostname \"$0\"; exec \"$@\"", host, *program]
        return subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env={"RESTIC_REPOSITORY": self.folder(), "RESTIC_PASSWORD": PASSWORD, "HOME": "/dev/null/home",
                                     "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


@contextlib.contextmanager
def kept(cluster, **policy):
    rules = {"name": "test", "prune": True, **policy}
    with protectable(cluster, retentionPolicy=rules) as space:
        yield Kept(cluster, space, rules)


@test("MT1", alone=True)
def retention_keeps_what_the_policy_says(cluster):
    installed(cluster)
    with kept(cluster, keepLast=2) as it:
        for number in range(5):
            it.back_up(f"s{number}")
        becomes(lambda: it.status().get("snapshotCount"), 2, "snapshots that the status tells", LATE_S)
        eventually(lambda: it.done("prune").get("lastSuccess") and it.done("check").get("lastSuccess"), "prune and check",
                   LATE_S)
        becomes(lambda: it.status().get("integrity"), True, "integrity")
        eventually(lambda: it.status().get("totalSize"), "size")
        becomes(lambda: it.condition("RetentionPolicyApplied"), "True", "condition")
        becomes(lambda: it.said("s4"), dict.fromkeys(FOLLOWED, "True"), "what the last session says of it", LATE_S)
        # the last session may be newer than what the status told
        becomes(it.listed, (2, 1), "snapshots and marks in the repository", LATE_S)
        becomes(lambda: it.status().get("snapshotCount"), 2, "snapshots that the status tells", LATE_S)
        return f"{it.status()['totalSize']}, {it.status()['maintenance']}"


@test("MT2", alone=True)  # RS6
def a_check_says_what_is_damaged(cluster):
    installed(cluster)
    with kept(cluster, keepLast=20) as it:
        it.back_up("first")
        becomes(lambda: it.status().get("integrity"), True, "integrity", LATE_S)
        for pack in glob.glob(f"{it.folder()}/data/*/*"):
            os.unlink(pack)
        # as if a day had gone by
        passed = [{**each, "lastSuccess": "2026-01-01T00:00:00Z"} if each["kind"] == "check" else each
                  for each in it.status()["maintenance"]]
        it.cluster.kubectl("patch", "repository.stash.appscode.com", it.repository, "-n", it.space, "--subresource=status",
                           "--type=merge", "-p", json.dumps({"status": {"maintenance": passed}}))
        becomes(lambda: it.status().get("integrity"), False, "integrity", LATE_S)
        becomes(lambda: it.condition("RepositoryIntegrityVerified"), "False", "condition")
        (event, *_) = eventually(lambda: it.cluster.events(it.space, "FailedToVerifyRepositoryIntegrity", it.repository),
                                 "an event")
        check_equal(event[0], "Warning", f"{event}")
        check("RepositoryDamaged" in event[3], event[3])
        return event[3][:200]


@test("MT3", alone=True)  # RS4
def nobody_is_locked_out_by_the_dead(cluster):
    installed(cluster)
    with kept(cluster, keepLast=1) as it:
        it.back_up("first")
        eventually(lambda: it.done("check").get("lastSuccess"), "the first check", LATE_S)
        # one that was killed while it had the repository alone
        owner = it.restic("check", "--read-data", "--limit-download=1", host="granary-prune-dead")
        eventually(lambda: it.locks(), "its lock", 60)
        owner.kill()
        owner.communicate()
        check(it.locks(), "the lock of the dead one is gone")
        cluster.patch("nodes", None, "node0", {"spec": {"unschedulable": True}})
        try:
            said = cluster.granary("unlock", "-n", it.space, it.repository, "--yes")
            check("no pod of this cluster works there" in said, f"who works there: {said}")
            pod = eventually(lambda: [pod for pod in cluster.pods(it.space, "job-name")
                                      if pod["metadata"]["name"].startswith("granary-unlock-")], "its pod")[0]
            cluster.delete("pods", it.space, pod["metadata"]["name"])
            eventually(lambda: it.done("unlock").get("reason") == "PodLost", "that is known", LATE_S)
        finally:
            cluster.patch("nodes", None, "node0", {"spec": {"unschedulable": None}})
        eventually(lambda: it.done("unlock").get("lastSuccess"), "it was tried again", LATE_S)
        check_equal(it.locks(), [], "locks")
        it.back_up("second")
        becomes(lambda: it.status().get("snapshotCount"), 1, "snapshots", LATE_S)
        return f"{it.status()['maintenance']}"
