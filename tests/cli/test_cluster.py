"""Commands of kubectl-granary that ask a cluster: status, trigger, pause, resume, against an API server of few lines."""

import datetime
import json
import os
import re
import subprocess
import threading

import harness
from fake_cluster import FakeCluster, kubeconfig
from harness import check, check_equal, eventually, temporary_folder, test
from program import PROGRAM, granary, on_terminal

NOW = datetime.datetime.now(datetime.timezone.utc)


def ago(**span):
    return (NOW - datetime.timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def target(kind="Deployment", name="web"):
    return {"ref": {"apiVersion": "apps/v1", "kind": kind, "name": name}}


def condition(type, status, reason, message):
    return {"type": type, "status": status, "reason": reason, "message": message}


def put_configuration(cluster, name, kind="Deployment", of="web", space="demo", phase="Ready", conditions=(), **spec):
    cluster.put("backupconfigurations", name, space, metadata={"creationTimestamp": ago(days=9)},
                spec={"schedule": "0 3 * * *", "repository": {"name": name}, "target": target(kind, of), **spec},
                **({"status": {"phase": phase, "conditions": list(conditions)}} if phase else {}))


def put_session(cluster, name, of, phase, space="demo", error=None, **more):
    stats = [{"hostname": "host-0", "phase": phase, **({"error": error} if error else {}),
              **({"snapshots": [{"name": "ab12cd34", "path": "/data", "totalSize": "3.000 MiB",
                                 "uploaded": "1.000 MiB"}]} if phase == "Succeeded" else {})}]
    cluster.put("backupsessions", name, space, metadata={"creationTimestamp": more.pop("made", ago(hours=2))},
                spec={"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": of}},
                status={"phase": phase, "sessionDuration": "12s", "targets": [{"stats": stats}], **more})


class Cluster(FakeCluster):
    """Takes writes; its kubeconfig is in .options."""

    def __enter__(self):
        self.writes = []
        path = kubeconfig(os.path.join(temporary_folder(), "config"), self)
        self.options = ["--kubeconfig", path, "--context", "fake"]
        return super().__enter__()

    def run(self, command, *words, space="demo", code=0, **options):
        return granary(command, *self.options, *(["-n", space] if space else []), *words, code=code, **options)


HEALTHS = [
    # what is made, health, exit code, words that are shown
    (dict(), [], "New", 0, ["Deployment/web", "0 3 * * *"]),
    (dict(), ["Succeeded"], "Healthy", 0, ["2h ago", "in "]),
    (dict(), ["Failed", "Succeeded"], "Failing", 1, ["WrongPassword: put the right one", "BackupSession/one-0 Failed"]),
    (dict(), ["Succeeded", "Failed"], "Healthy", 0, ["2h ago"]),
    (dict(), ["Running", "Failed"], "Running", 0, ["BackupSession/one-0 Running 42 %, 2m left"]),
    (dict(), ["Skipped", "Succeeded"], "Healthy", 0, ["BackupSession/one-0 Skipped"]),
    (dict(paused=True), ["Failed"], "Paused", 0, []),
    (dict(phase=None), [], "Unseen", 0, ["does one run?"]),
    (dict(phase="NotReady", conditions=[condition("RepositoryFound", "False", "RepositoryNotAvailable", "make it")]),
     ["Succeeded"], "NotReady", 1, ["RepositoryNotAvailable: make it"]),
    (dict(conditions=[condition("ScheduleKept", "False", "SlotMissed", "nothing began")]), ["Succeeded"], "Late", 1,
     ["SlotMissed: nothing began"]),
]


@test("-")
def each_health_is_told():
    for number, (made, phases, health, code, words) in enumerate(HEALTHS):
        with Cluster() as cluster:
            put_configuration(cluster, "one", **made)
            for age, phase in enumerate(phases):
                put_session(cluster, f"one-{age}", "one", phase, made=ago(hours=2 + age),
                            error="WrongPassword: put the right one" if phase == "Failed" else None,
                            **({"progress": {"percent": 42, "remaining": "2m"}} if phase == "Running" else {}))
            text = cluster.run("status", code=code).out
            for word in [health, *words]:
                check(word in text, f"row {number}: {word!r} is not in\n{text}")
            (row,) = json.loads(cluster.run("status", "-o", "json", code=code).out)
            check_equal((row["health"], row["configuration"], row["target"], len(row["sessions"])),
                        (health, "one", {"kind": "Deployment", "name": "web"}, len(phases)), f"row {number}")


@test("-")
def a_damaged_repository_counts_more_than_a_good_backup():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        put_session(cluster, "one-0", "one", "Succeeded")
        cluster.put("repositories", "one", spec={}, status={
            "integrity": False, "snapshotCount": 7, "totalSize": "1.000 GiB", "lastBackupTime": ago(minutes=5),
            "conditions": [condition("RepositoryIntegrityVerified", "False", "Bad", "pack 12 is damaged")]})
        text = cluster.run("status", "-o", "wide", code=1).out
        for word in ("Damaged", "5m ago", "7 snapshots, 1.000 GiB", "pack 12 is damaged"):
            check(word in text, f"{word!r} is not in\n{text}")


@test("-")
def a_row_is_found_by_name_and_by_target():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        put_configuration(cluster, "two", "PersistentVolumeClaim", "data")
        put_configuration(cluster, "three", "StatefulSet", "db", space="shop")
        for operand, name in [("one", "one"), ("deployment/web", "one"), ("deploy/web", "one"), ("pvc/data", "two"),
                              ("PersistentVolumeClaim/data", "two")]:
            (row,) = json.loads(cluster.run("status", operand, "-o", "json").out)
            check_equal(row["configuration"], name, operand)
        check_equal([(row["namespace"], row["configuration"]) for row in
                     json.loads(cluster.run("status", "-A", "-o", "json", space=None).out)],
                    [("demo", "one"), ("demo", "two"), ("shop", "three")], "order")
        check("did you mean two" in cluster.run("status", "twoo", code=2).err, "what was meant")
        check("sts/db" in cluster.run("status", "sts/db", code=2).err, "of another namespace")
        text = cluster.run("status", "-A", space=None).out.splitlines()
        check(text[0].startswith("NAMESPACE  TARGET") and text[3].startswith("shop       StatefulSet/db"), text)
        check("-A shows all" in cluster.run("status", space="empty").err, "nothing there")


@test("-")
def what_can_not_be_asked_is_said_with_what_to_do():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        cluster.forbidden = {"repositories"}
        ran = cluster.run("status")
        check("Deployment/web" in ran.out and "repositories" in ran.err, f"a list that is forbidden: {ran.err}")
        cluster.forbidden = {"backupsessions"}
        check("backupsessions" in cluster.run("status", code=2).err, "without sessions nothing is known")
        cluster.forbidden, cluster.absent = set(), {"backupconfigurations"}
        check("granary is not installed" in cluster.run("status", code=2).err, "no kinds")
        missing = os.path.join(temporary_folder(), "none")
        check(missing in granary("status", "--kubeconfig", missing, code=2).err, "no kubeconfig")
        check("either -n or -A" in cluster.run("status", "-A", code=2).err, "-n and -A")
        check("NAME is needed" in cluster.run("trigger", code=2).err, "trigger without a name")
        check('"two" is not expected' in cluster.run("status", "one", "two", code=2).err, "two names")
        check("did you mean --kubeconfig" in granary("status", "--kubeconfg=x", code=2).err, "a wrong option")


@test("-")
def a_cluster_can_not_command_the_terminal():
    with Cluster() as cluster:
        put_configuration(cluster, "one", phase="NotReady",
                          conditions=[condition("RepositoryFound", "False", "R\033[31m", "m\033]0;owned\a\n\nx")])
        put_session(cluster, "one-0", "one", "Failed", error="e\033[2J\r")
        for form in ("text", "wide", "json", "yaml"):
            ran = cluster.run("status", "-o", form, code=1)
            check("\033" not in ran.out + ran.err and "\a" not in ran.out, f"{form} lets escape sequences through")
        check_equal(len(cluster.run("status", code=1).out.splitlines()), 4, "lines: head, row, why, session")


@test("-")
def a_session_is_made_by_hand():
    with Cluster() as cluster:
        put_configuration(cluster, "one", retryConfig={"maxRetry": 2})
        ran = cluster.run("trigger", "deployment/web")
        name = re.fullmatch(r"backupsession\.stash\.appscode\.com/(one-\d+) created\n", ran.out).group(1)
        ((method, plural, _, sent),) = cluster.writes
        check_equal((method, plural, sent["metadata"]["name"], sent["spec"]),
                    ("POST", "backupsessions", name,
                     {"invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": "one"},
                      "retryLeft": 2}), "what was created")
        check_equal(sent["metadata"]["ownerReferences"][0]["uid"], "backupconfigurations-demo-one", "its owner")
        put_configuration(cluster, "two", of="other")
        made = json.loads(cluster.run("trigger", "two", "-o", "json").out)
        check_equal((made["kind"], made["spec"]["invoker"]["name"]), ("BackupSession", "two"), "as JSON")


def follow(cluster, *changes):
    """Lets a session go through these states, each when the one before was seen."""

    def play():
        eventually(lambda: cluster.objects["backupsessions"], "a session is made")
        (key,) = cluster.objects["backupsessions"]
        for number, change in enumerate(changes, 1):
            asked = len([each for each in cluster.log if each == ("get", "backupsessions")])
            if change is None:
                cluster.remove("backupsessions", key[1])
                return
            stored = cluster.objects["backupsessions"][key].object
            cluster.put("backupsessions", key[1], metadata=stored["metadata"], spec=stored["spec"], status=change)
            eventually(lambda: number == len(changes) or
                       len([each for each in cluster.log if each == ("get", "backupsessions")]) > asked + 1,
                       "it is looked at")

    thread = threading.Thread(target=play)
    thread.start()
    return thread


RUNNING = {"phase": "Running", "progress": {"percent": 50, "bytesDone": 1 << 20, "bytesTotal": 2 << 20, "remaining": "9s"}}


@test("-")
def a_session_is_followed_to_its_end():
    good = {"phase": "Succeeded", "sessionDuration": "12s", "targets": [{"stats": [{"hostname": "host-0", "snapshots": [
        {"name": "ab12cd34", "path": "/data", "totalSize": "3.000 MiB", "uploaded": "1.000 MiB"}]}]}]}
    bad = {"phase": "Failed", "targets": [{"stats": [{"hostname": "host-0", "error": "WrongPassword: put another"}]}]}
    rows = [((RUNNING, good), 0, ["Running\n", "Succeeded after 12s", "host-0 /data: snapshot ab12cd34, 3.000 MiB"]),
            ((RUNNING, bad), 1, ["Failed: WrongPassword: put another"]),
            (({"phase": "Skipped", "conditions": [condition("BackupSkipped", "True", "Paused", "x")]},), 1, ["Skipped"]),
            ((RUNNING, None), 1, ["was deleted while"])]
    for changes, code, words in rows:
        with Cluster() as cluster:
            put_configuration(cluster, "one")
            thread = follow(cluster, *changes)
            ran = cluster.run("trigger", "one", "--wait", code=code)
            thread.join()
            for word in words:
                check(word in ran.out + ran.err, f"{word!r} is not in {ran.out} {ran.err}")


@test("-")
def a_terminal_shows_a_bar():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        thread = follow(cluster, RUNNING, {"phase": "Succeeded"})
        text = on_terminal(["trigger", *cluster.options, "-n", "demo", "one", "--wait"])
        thread.join()
        check("[###############               ] 50 %, 1.0 MiB of 2.0 MiB, 9s left" in text, text)


@test("-")
def a_pause_is_set_and_ended():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        put_session(cluster, "one-0", "one", "Succeeded")
        check_equal(cluster.run("pause", "deploy/web").out, "backupconfiguration.stash.appscode.com/one paused\n", "out")
        check("Paused" in cluster.run("status").out, "status after the pause")
        check("will skip" in cluster.run("trigger", "one").err, "trigger while it is paused")
        cluster.run("pause", "one")
        cluster.run("resume", "one")
        cluster.run("resume", "one")
        check_equal([(method, body["spec"], body["metadata"]["uid"]) for method, plural, _, body in cluster.writes
                     if plural == "backupconfigurations"],
                    [("PATCH", {"paused": value}, "backupconfigurations-demo-one") for value in (True, False)],
                    "what was written: nothing twice")
        cluster.forbidden = {"backupconfigurations"}
        check("forbidden" in cluster.run("pause", "one", code=2).err.lower(), "without the right")


@test("-")
def changes_are_watched():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        process = subprocess.Popen([os.path.abspath(PROGRAM), "status", *cluster.options, "-n", "demo", "--watch"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            check("TARGET" in process.stdout.readline() and "New" in process.stdout.readline(), "the first look")
            put_session(cluster, "one-0", "one", "Succeeded")
            check_equal(process.stdout.readline(), "\n", "between two")
            check("TARGET" in process.stdout.readline() and "Healthy" in process.stdout.readline(), "the second one")
        finally:
            process.terminate()
            process.wait(harness.PATIENCE_S)
            process.stdout.close()
