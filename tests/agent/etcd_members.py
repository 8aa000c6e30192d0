"""Members of etcd as bare processes on loopback, of three versions, and a model of what was written to them."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess

import harness
import tools
from harness import check, check_equal, eventually, temporary_folder
from running import free_port

PROGRAMS = {"3.4": ("etcd-3.4", "etcdctl-3.4", None), "3.5": ("etcd-3.5", "etcdctl-3.5", "etcdutl-3.5"),
            "3.6": ("etcd", "etcdctl", "etcdutl")}
NAMES = ["m-1", "m-10", "m-2"]  # sorted, the tenth stands before the second


def tools_of(version):
    """A folder with the programs of one version under their own names."""
    folder = temporary_folder()
    for program, name in zip(PROGRAMS[version], ("etcd", "etcdctl", "etcdutl")):
        if program:
            os.symlink(tools.path_of(program), f"{folder}/{name}")
    return folder


def call(port, path, body, seconds=30):
    """One call through etcd's JSON gateway; None: no answer, or none that is good."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds * harness.SLOW)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        return json.loads(text) if answer.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def b64(text):
    return base64.b64encode(text.encode()).decode()


def key_of(entry):
    return base64.b64decode(entry["key"]).decode()


def fields(entry):
    """All that etcd keeps of a key, as it writes it."""
    return (base64.b64decode(entry.get("value", "")).decode(), int(entry["create_revision"]), int(entry["mod_revision"]),
            int(entry["version"]), int(entry.get("lease", 0)))


class Model:
    """What must be there, kept by what was asked and answered, not by reading it back."""

    def __init__(self):
        self.keys, self.leases, self.revision = {}, {}, 1

    def copy(self):
        same = Model()
        same.keys, same.leases, same.revision = dict(self.keys), dict(self.leases), self.revision
        return same

    def put(self, key, value, revision, lease=0):
        old = self.keys.get(key)
        self.keys[key] = (value, old[1] if old else revision, revision, old[3] + 1 if old else 1, lease)
        self.revision = revision

    def delete(self, key, revision):
        del self.keys[key]
        self.revision = revision


class Members:
    """Three of them. Use as context."""

    def __init__(self, version, folder=None):
        self.version, self.tools = version, tools_of(version)
        self.folder = folder or temporary_folder()
        self.clients = {name: free_port() for name in NAMES}
        self.peers = {name: free_port() for name in NAMES}
        self.cluster = ",".join(f"{name}=http://127.0.0.1:{self.peers[name]}" for name in NAMES)
        self.running, self.model = {}, Model()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for name in list(self.running):
            self.stop(name, signal.SIGKILL)
        if kind:
            for name in NAMES:
                if not os.path.exists(f"{self.folder}/{name}.log"):
                    continue
                with open(f"{self.folder}/{name}.log", errors="replace") as log:
                    print("".join(log.readlines()[-8:]), flush=True)

    def data(self, name):
        return f"{self.folder}/{name}"

    def start(self, *names):
        for name in names or NAMES:
            client, peer = f"http://127.0.0.1:{self.clients[name]}", f"http://127.0.0.1:{self.peers[name]}"
            with open(f"{self.folder}/{name}.log", "ab") as log:
                self.running[name] = subprocess.Popen(
                    [f"{self.tools}/etcd", "--name", name, "--data-dir", self.data(name), "--listen-client-urls", client,
                     "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                     "--initial-cluster", self.cluster, "--heartbeat-interval", "100", "--election-timeout", "1000"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={})
        eventually(self.healthy, f"{self.version}: the members answer")

    def healthy(self):
        """Every one that runs answers a read that needs a quorum."""
        for name, process in self.running.items():
            check(process.poll() is None, f"{name} has ended")
        return all(call(self.clients[name], "/v3/kv/range", {"key": b64("x")}, 5) for name in self.running)

    def stop(self, name, number=signal.SIGTERM):
        process = self.running.pop(name)
        process.send_signal(number)
        process.wait(timeout=60 * harness.SLOW)

    def stop_all(self):
        for name in list(self.running):
            self.stop(name)

    def any(self, path, body):
        """By any that answers; only for what may be done twice."""
        port = self.clients[next(iter(self.running))]
        return eventually(lambda: call(port, path, body), f"{path} is answered")

    def put(self, key, value, lease=0):
        said = self.any("/v3/kv/put", {"key": b64(key), "value": b64(value), "lease": lease})
        self.model.put(key, value, int(said["header"]["revision"]), lease)

    def put_many(self, prefix, count):
        """In one revision each hundred."""
        for begin in range(0, count, 100):
            some = [(f"{prefix}{i:05}", f"value of {i}") for i in range(begin, min(count, begin + 100))]
            said = self.any("/v3/kv/txn", {"success": [
                {"requestPut": {"key": b64(key), "value": b64(value)}} for key, value in some]})
            for key, value in some:
                self.model.put(key, value, int(said["header"]["revision"]))

    def delete(self, key):
        said = self.any("/v3/kv/deleterange", {"key": b64(key)})
        self.model.delete(key, int(said["header"]["revision"]))

    def lease(self, number, seconds):
        self.any("/v3/lease/grant", {"ID": number, "TTL": seconds})
        self.model.leases[number] = seconds

    def fill(self, count):
        self.put_many("/many/", count)
        self.lease(77, 36000)
        self.put("/leased", "as long as the lease", 77)
        for i in range(5):
            self.put("/changing", f"for the {i}th time")
            self.put(f"/gone/{i}", "soon")
            self.delete(f"/gone/{i}")

    def save(self, path):
        """A snapshot by etcd's own client; the model of then."""
        done = subprocess.run([f"{self.tools}/etcdctl", "snapshot", "save", path, "--endpoints",
                               f"http://127.0.0.1:{self.clients[next(iter(self.running))]}"],
                              capture_output=True, env={"ETCDCTL_API": "3"}, stdin=subprocess.DEVNULL, check=False)
        check_equal(done.returncode, 0, done.stderr.decode())
        return self.model.copy()

    def check_is(self, model):
        """Keys, values, revisions, versions and leases, of each member."""
        for name in self.running:
            everything = {"key": b64("\0"), "range_end": b64("\0")}
            got = eventually(lambda: call(self.clients[name], "/v3/kv/range", everything), "all keys")
            check_equal({key_of(entry): fields(entry) for entry in got.get("kvs", [])}, model.keys, f"keys of {name}")
        for number, seconds in model.leases.items():
            got = self.any("/v3/lease/timetolive", {"ID": number, "keys": True})
            check_equal(int(got["grantedTTL"]), seconds, f"lease {number}")
            check_equal([base64.b64decode(key).decode() for key in got["keys"]],
                        sorted(key for key, value in model.keys.items() if value[4] == number), "keys of the lease")
        members = self.any("/v3/cluster/member/list", {})["members"]
        check_equal({one["name"]: one["peerURLs"] for one in members},
                    {name: [f"http://127.0.0.1:{self.peers[name]}"] for name in NAMES}, "members")

    def watch(self, revision):
        """The first two answers to a watch of all keys that asks for what is new since a revision."""
        connection = http.client.HTTPConnection("127.0.0.1", self.clients[NAMES[0]], timeout=30 * harness.SLOW)
        try:
            connection.request("POST", "/v3/watch", json.dumps({"create_request": {
                "key": b64("\0"), "range_end": b64("\0"), "start_revision": revision}}))
            answer = connection.getresponse()
            return [json.loads(answer.readline())["result"] for _ in range(2)]
        finally:
            connection.close()


def tree(folder):
    """Content, owner and mode of all below a folder."""
    found = {}
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            what = os.lstat(path)
            content = None
            if name in files:
                with open(path, "rb") as file:
                    content = hash(file.read())
            found[os.path.relpath(path, folder)] = (what.st_mode, what.st_uid, what.st_gid, content)
    return found


def without_ours(folder):
    return {path: what for path, what in tree(folder).items() if not path.startswith(".granary-etcd")}


def kept(folder):
    return sorted(name for name in os.listdir(folder) if re.fullmatch(r"\.granary-etcd-\d{8}T\d{6}\.\d{3}Z", name))


def remove(folder):
    shutil.rmtree(folder)
