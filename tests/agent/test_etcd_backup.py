"""Snapshots of real etcds: who is asked, what is proven, what is refused."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import threading

import harness
import tools
from etcd import PASSWORD, VERSIONS, Backup, Etcd, identity, tool_folder
from harness import check, check_equal, eventually, temporary_folder, test
from running import Agent, api, fails, restic, snapshots, succeeds, work


def pem(path):
    with open(path) as file:
        return file.read()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def client():
    cert, key = identity()
    return {"client.pem": pem(cert), "client-key.pem": pem(key)}


def whole(path):
    with open(path, "rb") as file:
        content = file.read()
    check_equal(hashlib.sha256(content[:-32]).digest(), content[-32:], "trailer")
    return content


@test("ET1")
def each_version_gives_a_proven_snapshot():
    for version, (_, _, utl) in VERSIONS.items():
        with Etcd(version) as etcd:
            for i in range(20):
                etcd.run("put", f"key-{i}", "value")
            etcd.run("put", "/registry/secrets/a/b", "k8s")
            backup = Backup(etcd.url())
            facts = backup.good()
            check_equal((facts["revision"], facts["serverVersion"][:3], facts["toolVersion"][:3], facts["leader"]),
                        (22, version, version, True), "facts")
            check(facts["keys"] >= 21, f"{facts}")
            whole(backup.snapshot)
            check_equal(facts["initialCluster"], f"m0={etcd.peer(0)}", "initial cluster")
            check("Kubernetes" in facts["notes"][0], f"{facts}")
            check_equal(any("bump" in note for note in facts["notes"]), version == "3.4", f"{facts}")
            with open(f"{backup.scratch}/data/etcd.json") as file:
                check_equal(json.load(file), facts, "what lies beside the snapshot")
            folder = f"{temporary_folder()}/new"
            subprocess.run([tools.path_of(utl or "etcdctl-3.4"), "snapshot", "restore", backup.snapshot,
                            f"--data-dir={folder}"], check=True, capture_output=True, env={"ETCDCTL_API": "3"})
            check(not os.path.exists(f"{backup.scratch}/data/etcd-proof"), "the proof was cleared away")


def shy_tools():
    """Those whose etcdutl refuses to work where it could see a password or a key (the third file)."""
    programs = tool_folder()
    os.unlink(f"{programs}/3.6/etcdutl")
    with open(f"{programs}/3.6/etcdutl", "w") as file:
        file.write("#!/bin/sh\n[ -z \"$ETCDCTL_PASSWORD\" ] && [ ! -e /dev/fd/12 ] || exit 9\n"
                   f"exec {tools.path_of('etcdutl')} \"$@\"\n")
    os.chmod(f"{programs}/3.6/etcdutl", 0o755)
    return programs


@test("ET1")
def tls_password_and_both():
    with Etcd("3.6", tls=True, auth=True) as etcd:
        ca = b64(pem(harness.WORLD.ca.cert))
        words = {"username": "root", "password": PASSWORD}
        Backup(etcd.url(), {**client(), **words}, caBundle=ca).good()
        tls = {"tls.crt": pem(identity()[0]), "tls.key": pem(identity()[1]), "ca.crt": pem(harness.WORLD.ca.cert)}
        Backup(etcd.url(), words, tls).good()
        renamed = {"namespace": "shop", "clientConfig": {"url": etcd.url(), "caBundle": ca},
                   "secretTransforms": [{"renameKey": {"from": "pw", "to": "password"}},
                                        {"addKey": {"key": "username", "stringValue": "root"}}]}
        running = Backup(etcd.url(), {**client(), "pw": PASSWORD}, app=renamed)
        running.good()
        check(not any(PASSWORD in word for word in running.words), "a secret is in argv")
        Backup(etcd.url(), {**client(), **words}, caBundle=ca, programs=shy_tools()).good()
        Backup(etcd.url(), {**client(), "username": "root", "password": "wrong-one"}, caBundle=ca).bad(
            "authentication failed", "What to do: set username")
        Backup(etcd.url(), client(), caBundle=ca, wait=5).bad("user name not found")
        Backup(etcd.url(), words, caBundle=ca).bad("tls", "certificate required")
        Backup(etcd.url(), {**client(), **words}, caBundle=b64(pem(harness.WORLD.cert))).bad("x509")
        Backup(etcd.url(), {**client(), **words}, caBundle=ca, serverName="etcd.example.com").bad("serverName")


@test("ET1")
def a_follower_is_preferred_and_dead_ones_are_passed_over():
    with Etcd("3.5", members=3) as etcd:
        etcd.run("put", "a", "b")
        facts = Backup(etcd.url()).good()
        check_equal((facts["leader"], len(facts["members"])), (False, 3), "who was asked")
        follower = next(i for i in (1, 2) if i != etcd.leader())
        etcd.stop(follower)
        facts = Backup(etcd.url(), wait=60).good()
        check(facts["endpoint"] != etcd.url(follower), f"{facts}")
        other = next(i for i in (1, 2) if i != follower)
        etcd.stop(other)
        Backup(etcd.url(), wait=1).bad()


@test("ET1")
def a_member_that_hangs_is_passed_over():
    """With passwords on, etcdctl asks nobody once one of those that it is told of does not answer."""
    with Etcd("3.6", members=3, auth=True) as etcd:
        etcd.run("put", "a", "b")
        leader = etcd.leader()
        other, hung = (i for i in range(3) if i != leader)
        etcd.processes[hung].send_signal(signal.SIGSTOP)
        words = {"username": "root", "password": PASSWORD}
        facts = Backup(etcd.url(leader), words, wait=60).good()
        check_equal((facts["endpoint"], facts["leader"]), (etcd.url(other), False), "who was asked")


@test("ET1")
def a_leader_that_changes_meanwhile():
    with Etcd("3.6", members=3) as etcd:
        for i in range(50):
            etcd.run("put", f"key-{i}", "v" * 1000)
        stop = threading.Event()

        def change():
            turn = 0
            while not stop.is_set():
                turn += 1
                leader = etcd.leader()
                target = etcd.status((leader + 1) % 3)["header"]["member_id"]
                etcd.run("move-leader", f"{target:x}", endpoint=etcd.url(leader), good=False)
        thread = threading.Thread(target=change)
        thread.start()
        try:
            facts = Backup(etcd.url(), wait=60).good()
        finally:
            stop.set()
            thread.join()
        check(facts["revision"] >= 51, f"{facts}")


@test("ET1")
def compaction_and_defragmentation_meanwhile():
    with Etcd("3.5") as etcd:
        for i in range(50):
            etcd.run("put", "key", str(i))
        stop = threading.Event()

        def disturb():
            revision = 2
            while not stop.is_set():
                revision += 1
                etcd.run("compact", str(revision), good=False)
                etcd.run("defrag", good=False)
        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            check_equal(Backup(etcd.url(), wait=60).good()["revision"], 51, "revision")
        finally:
            stop.set()
            thread.join()


@test("ET1 ET2")
def what_the_tools_did_wrong_is_found():
    """A program in place of etcdctl: it damages what the real one has saved."""
    with Etcd("3.6") as etcd:
        etcd.run("put", "a", "b")
        real, running = tools.path_of("etcdctl"), []
        for damage, word in (("truncate -s -100 $f", "cut off"), ("truncate -s 0 $f", "cut off"),
                             ("printf x | dd of=$f bs=1 seek=9000 conv=notrunc status=none", "damaged"),
                             ("rm $f", "No such file"), ("kill -9 $$", "signal 9")):
            programs = tool_folder()
            for version in VERSIONS:
                os.unlink(f"{programs}/{version}/etcdctl")
                with open(f"{programs}/{version}/etcdctl", "w") as file:
                    file.write(f"#!/bin/sh\n{real} \"$@\" || exit\nfor f; do :; done\n"
                               f"case \"$*\" in *' snapshot save '*) {damage};; esac\n")
                os.chmod(f"{programs}/{version}/etcdctl", 0o755)
            running.append((Backup(etcd.url(), programs=programs, wait=15), word))
        for backup, word in running:
            backup.bad(word)


@test("ET2")
def who_is_told_to_end_leaves_nothing():
    backup = Backup("http://127.0.0.1:9", wait=60)
    eventually(lambda: os.path.isdir(f"{backup.scratch}/data"), "it has begun")
    backup.process.send_signal(signal.SIGTERM)
    backup.wait(1)
    check_equal(backup.stat["phase"], "Failed", "phase")
    check(not os.path.exists(backup.snapshot), "nothing is left")


@test("-")
def args_that_are_allowed():
    with Etcd("3.6") as etcd:
        Backup(etcd.url(), args="--command-timeout=30s --dial-timeout=5s").good()
        Backup(etcd.url(), args="--endpoints=http://elsewhere").bad("args")
        Backup(etcd.url(), args="--insecure-skip-tls-verify").bad("args")


@test("ET1")
def both_steps_of_a_task():
    repository = temporary_folder()
    with Etcd("3.6") as etcd, api() as server:
        etcd.run("put", "a", "b")
        good = Backup(etcd.url())
        revision = good.good()["revision"]
        words = ["update-status", f"--output-dir={good.scratch}/output", "--interim-dir=/elsewhere"]
        with Agent(*words, addresses=[server.address], scratch=good.scratch) as agent:
            report = succeeds(server, agent, work(repository, "/stash-tmp/data"))
            agent.ends(0)
        check_equal((report["dump"]["etcd"]["revision"], report["snapshots"][0]["path"]),
                    (revision, f"{good.scratch}/data"), "report")
        names = restic(repository, "ls", snapshots(repository)[0]["id"]).stdout.decode()
        check("/data/snapshot.db" in names and "/data/etcd.json" in names, names)
    bad = Backup(etcd.url(), wait=1).bad()
    words = ["update-status", f"--output-dir={bad.scratch}/output"]
    with api() as server, Agent(*words, addresses=[server.address], scratch=bad.scratch) as agent:
        report = fails(server, agent, work(repository, "/stash-tmp/data"), "DumpFailed", "etcdctl")
        check("dump" not in report and not report.get("snapshots"), f"{report}")
        agent.ends(1)
    check_equal(len(snapshots(repository)), 1, "a failure is no snapshot")
