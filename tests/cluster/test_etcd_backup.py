"""Backups of an etcd by one annotation of its AppBinding, with all of us installed: three members with TLS and passwords,
keys with leases, by schedule and by hand, while it compacts and while members are away. The test itself opens what lies
in the repository."""

import base64
import contextlib
import glob
import hashlib
import json
import os
import subprocess
import tempfile
import threading

import tools
from etcd_set import DATA_DIR, PASSWORD, EtcdSet
from harness import SYSTEM, becomes, check, check_equal, eventually, test
from installed import ANNOTATION
from test_certificates import installed
from test_life import LATE_S, begin_session, ended, protectable

KEYS = 50000
RESTIC_PASSWORD = "secret-of-the-test"  # of protectable()
SCHEDULE = "stash.appscode.com/schedule"
RARELY = {SCHEDULE: "0 2 * * *"}
MAY_HAVE = {"granary-agent": False, "etcdctl": True, "etcdutl": False, "restic": True}  # passwords in variables
WRONG = "wrong-pass-word-51e7"
CLIENT, PEER = "http://127.0.0.1:23790", "http://127.0.0.1:23800"  # of one that the test starts
WAIT = "params.stash.appscode.com/waitTimeout"


class Watch:
    """Looks for a password in the arguments of what Jobs of the cluster run, and in the variables of what is not to have it
    there."""

    def __init__(self, cluster, *secrets):
        self.group, self.secrets = cluster.layout.cgroup, [secret.encode() for secret in secrets]
        self.found, self.seen, self.ended = set(), set(), threading.Event()

    def _look(self):
        for path in glob.glob("/proc/[0-9]*"):
            with contextlib.suppress(OSError):
                self._process(path)

    def _process(self, path):
        with open(f"{path}/comm", encoding="utf-8") as file:
            name = file.read().strip()
        if name not in MAY_HAVE or f"{self.group}/" not in tools.file_text(f"{path}/cgroup"):
            return
        self.seen.add(name)
        for part in ("cmdline", *([] if MAY_HAVE[name] else ["environ"])):
            with open(f"{path}/{part}", "rb") as file:
                text = file.read()
            if any(secret in text for secret in self.secrets):
                self.found.add((name, part))

    def _run(self):
        while not self.ended.is_set():
            self._look()
            self.ended.wait(0.1)

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


class Disturbed:
    """Compacts and defragments members one after the other."""

    def __init__(self, etcd, members):
        self.etcd, self.members, self.done, self.ended = etcd, members, 0, threading.Event()

    def _run(self):
        while not self.ended.is_set():
            for member in self.members:
                with contextlib.suppress(AssertionError):  # a member that is at it answers late
                    self.etcd.ctl("put", "disturbed", str(self.done), member=member)
                    self.etcd.ctl("compact", str(self.etcd.revision(member)), member=member)
                    self.done += 1
                    self.etcd.ctl("defrag", member=member)

    def __enter__(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def bound(etcd, name, annotations=None, **spec):
    return etcd.app_binding(name, {ANNOTATION: etcd.space, **(annotations or {})}, **spec)


def configuration(cluster, space, name):
    """Of the AppBinding of that name, once it is Ready; its name."""
    def found():
        (it,) = [each for each in cluster.list("backupconfigurations", space)
                 if each["spec"]["target"]["ref"]["name"] == name]
        return it.get("status", {}).get("phase") == "Ready" and it or check(False, f"{it.get('status')}")
    return eventually(found, f"the configuration of {name} is Ready")


def stat(session):
    (it,) = session["status"]["targets"][0]["stats"]
    return it


def failed(session, *words):
    """The sentence with which it has failed."""
    check_equal(session["status"]["phase"], "Failed", f"phase, of {session['status']}")
    told = json.dumps(session["status"])
    for word in words:
        check(word in told, f"{word!r} is not in {told}")
    return stat(session).get("error", told)


# --- what lies in the repository ------------------------------------------------------------------


def folder_of(cluster, space, app):
    found = [path for path in glob.glob(os.path.join(cluster.layout.path("volumes"), "**", "config"), recursive=True)
             if f"/{space}/" in path and path.endswith(f"/{app}/config")]
    check_equal(len(found), 1, f"repositories of {app}")
    return os.path.dirname(found[0])


def restic(folder, *words):
    done = subprocess.run([tools.path_of("restic"), "--no-cache", "--no-lock", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, timeout=LATE_S, env={
                              "RESTIC_REPOSITORY": folder, "RESTIC_PASSWORD": RESTIC_PASSWORD, "HOME": "/dev/null/home"})
    check_equal(done.returncode, 0, f"restic {words}: {done.stderr.decode()}")
    return done.stdout


def util(etcd, *words):
    done = subprocess.run([etcd.util, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=LATE_S)
    check_equal(done.returncode, 0, f"etcdutl {words}: {done.stderr}")
    return done.stdout


@contextlib.contextmanager
def running_on(etcd, folder):
    """An etcd of one member on a data dir that etcdutl has made; gives its endpoint."""
    with open(f"{folder}.log", "wb") as log, subprocess.Popen(
            [etcd.server, f"--data-dir={folder}", f"--listen-client-urls={CLIENT}", f"--advertise-client-urls={CLIENT}",
             f"--listen-peer-urls={PEER}", f"--initial-advertise-peer-urls={PEER}", f"--initial-cluster=default={PEER}",
             "--unsafe-no-fsync"], stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process:
        try:
            yield CLIENT
        finally:
            process.kill()


def keys_of(etcd, endpoint):
    """{key: value} of what the test has put."""
    done = subprocess.run([etcd.client, f"--endpoints={endpoint}", "get", "key/", "--prefix", "-w", "json"], check=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, env={
                              "ETCDCTL_USER": "root", "ETCDCTL_PASSWORD": PASSWORD})
    return {base64.b64decode(each["key"]).decode(): base64.b64decode(each["value"]).decode()
            for each in json.loads(done.stdout)["kvs"]}


def proven(etcd, folder, session, model=None):
    """Opens the snapshot that a session has stored, with nothing of ours, and compares it with what the session says, and
    with what was put; returns what it says and what lies beside it."""
    said = stat(session)["etcd"]
    (snapshot,) = stat(session)["snapshots"]
    path = snapshot["path"]
    content = restic(folder, "dump", snapshot["name"], f"{path}/snapshot.db")
    beside = json.loads(restic(folder, "dump", snapshot["name"], f"{path}/etcd.json"))
    check_equal(hashlib.sha256(content[:-32]).digest(), content[-32:], "trailer")
    check_equal(content[-32:].hex(), said["sha256"], "SHA-256 of the status")
    with tempfile.TemporaryDirectory(prefix="granary-etcd-", dir="/dev/shm") as place:
        with open(f"{place}/db", "wb") as file:
            file.write(content)
        status = json.loads(util(etcd, "snapshot", "status", f"{place}/db", "-w", "json"))
        check_equal({key: said[key] for key in ("hash", "revision", "keys")},
                    {"hash": status["hash"], "revision": status["revision"], "keys": status["totalKey"]}, "status")
        if model:
            util(etcd, "snapshot", "restore", f"{place}/db", f"--data-dir={place}/made", f"--initial-cluster=default={PEER}",
                 f"--initial-advertise-peer-urls={PEER}")
            with running_on(etcd, f"{place}/made") as endpoint:
                becomes(lambda: keys_of(etcd, endpoint) == model, True, "an etcd on it has what was put")
    for key, value in said.items():
        check_equal(beside.get(key, []), value, f"{key} beside the snapshot")
    check_equal({member["name"]: member["peerURLs"] for member in beside["members"]},
                {pair.split("=", 1)[0]: [pair.split("=", 1)[1]] for pair in etcd.initial_cluster.split(",")}, "members")
    check_equal(sorted(said["initialCluster"].split(",")), sorted(etcd.initial_cluster.split(",")), "initialCluster")
    workload = beside["workload"]
    check_equal((workload["name"], workload["replicas"], workload["flags"]["data-dir"], workload["claims"]),
                (etcd.name, len(etcd.members), DATA_DIR, ["data"]), "what the StatefulSet says")
    check_equal(workload["flags"]["initial-cluster"], etcd.initial_cluster, "flag")
    check(said["serverVersion"].startswith(etcd.version) and said["toolVersion"].startswith(etcd.version), f"{said}")
    return said, beside


def nobody_told(cluster, space):
    """The passwords are in no object but their Secrets, in no event and in no log."""
    kinds = ("pods", "jobs", "backupsessions", "backupconfigurations", "repositories", "events", "configmaps")
    texts = {kind: json.dumps(cluster.list(kind, space)) for kind in kinds}
    for place in (space, SYSTEM):
        for pod in cluster.pods(place):
            for part in ("initContainers", "containers"):
                for each in pod["spec"].get(part, []):
                    with contextlib.suppress(Exception):
                        texts[f"{pod['metadata']['name']} {each['name']}"] = cluster.logs(
                            place, pod["metadata"]["name"], each["name"])
    check(sum("snapshot proven" in text for text in texts.values()) > 0, f"logs of no backup among {list(texts)}")
    for what, text in texts.items():
        check(PASSWORD not in text and RESTIC_PASSWORD not in text and WRONG not in text, f"a password in {what}")


# --- the test -------------------------------------------------------------------------------------


def disturbed(cluster, etcd):
    """Three sessions at once, while one member answers nobody and the others compact and defragment: one succeeds, two can
    not. Returns how they ended."""
    space, away = etcd.space, etcd.followers()[0]
    apps = ("other", "wrong", "unknown")
    names = {app: configuration(cluster, space, app)["metadata"]["name"] for app in apps}
    etcd.pause(away)
    with Disturbed(etcd, [member for member in etcd.members if member != away]) as disturbing:
        with Watch(cluster, PASSWORD, RESTIC_PASSWORD) as watch:
            for app in apps:
                begin_session(cluster, space, names[app], app)
            found = {app: ended(cluster, "backupsessions", space, app) for app in apps}
    etcd.resume(away)
    check(disturbing.done > 0, "nothing was compacted")
    check_equal(watch.found, set(), "who has a password in its words or variables")
    check({"granary-agent", "etcdctl"} <= watch.seen, f"seen were {watch.seen}")
    check_equal(found["other"]["status"]["phase"], "Succeeded", f"phase, of {found['other']['status']}")
    said, _ = proven(etcd, folder_of(cluster, space, "other"), found["other"])
    check(not said["leader"] and away not in said["endpoint"], f"{away} was away, {said}")
    return said, failed(found["wrong"], "DumpFailed", "authentication failed", "Secret of the AppBinding"), failed(found["unknown"], "etcd-backup-9.0.0")


def by_schedule(cluster, etcd, model):
    """The first session of the schedule; then only those asked for."""
    name = configuration(cluster, etcd.space, "etcd")["metadata"]["name"]

    def begun():
        return [each for each in cluster.list("backupsessions", etcd.space) if each["spec"]["invoker"]["name"] == name]
    first = eventually(begun, "a session of the schedule", LATE_S)[0]["metadata"]["name"]
    session = ended(cluster, "backupsessions", etcd.space, first)
    check_equal(session["status"]["phase"], "Succeeded", f"phase, of {session['status']}")
    said, _ = proven(etcd, folder_of(cluster, etcd.space, "etcd"), session, model)
    check(said["keys"] >= KEYS and said["revision"] > KEYS // 1000, f"{said}")
    return session


def annotate(cluster, space, annotations):
    """And waits until the configuration is as they say."""
    cluster.kubectl("annotate", "--overwrite", "appbinding", "etcd", "-n", space,
                    *(f"{key}={value}" for key, value in annotations.items()))

    def done():
        spec = configuration(cluster, space, "etcd")["spec"]
        given = {each["name"]: each["value"] for each in spec["task"].get("params", [])}
        return spec["schedule"] == annotations[SCHEDULE] and given.get("waitTimeout") == annotations[WAIT]
    eventually(done, "the configuration follows")


def all_down(cluster, etcd, good):
    """A session fails when no member runs, and retention leaves the one that was good."""
    space = etcd.space
    annotate(cluster, space, {**RARELY, WAIT: "12"})
    etcd.scale(0)
    it = configuration(cluster, space, "etcd")
    begin_session(cluster, space, it["metadata"]["name"], "all-down")
    why = failed(ended(cluster, "backupsessions", space, "all-down"), "DumpFailed", "restore the last snapshot")
    repository = it["spec"]["repository"]["name"]
    becomes(lambda: cluster.get("repositories", space, repository)["status"].get("snapshotCount"), 1, "snapshots", LATE_S)
    listed = json.loads(restic(folder_of(cluster, space, "etcd"), "snapshots", "--json"))
    check_equal([each["short_id"] for each in listed if each["hostname"] == "host-0"],
                [stat(good)["snapshots"][0]["name"]], "what is kept")
    return why


@test("EB1", alone=True)
def an_etcd_is_backed_up_by_one_annotation(cluster):
    installed(cluster)
    rules = {"name": "one", "keepLast": 1, "prune": True}
    with protectable(cluster, schedule="* * * * *", retentionPolicy=rules,
                     task={"name": "etcd-backup-${TARGET_APP_VERSION}"}) as space, EtcdSet(cluster, space) as etcd:
        model = etcd.fill(KEYS)
        cluster.create("secrets", space, {"metadata": {"name": "wrong"}, "stringData": {
            "username": "root", "password": WRONG}})
        cluster.apply([bound(etcd, "etcd"), bound(etcd, "other", RARELY), bound(etcd, "unknown", RARELY, version="9.0.0"),
                       bound(etcd, "wrong", RARELY, secret={"name": "wrong"})])
        said, wrong, unknown = disturbed(cluster, etcd)
        session = by_schedule(cluster, etcd, model)
        away = all_down(cluster, etcd, session)
        nobody_told(cluster, space)
        return f"{said}; {wrong}; {unknown}; {away}"
