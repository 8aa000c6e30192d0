"""Real etcds of each version, of one or three members, with TLS and passwords as a test wants them."""

import functools
import json
import os
import subprocess

import harness
import tools
from harness import check, eventually, temporary_folder
from running import AGENT, free_port

VERSIONS = {"3.4": ("etcd-3.4", "etcdctl-3.4", None), "3.5": ("etcd-3.5", "etcdctl-3.5", "etcdutl-3.5"),
            "3.6": ("etcd", "etcdctl", "etcdutl")}
PASSWORD = "etcd-pass-word-51e7"


@functools.cache
def identity():
    """Certificate and key of servers and clients alike."""
    return harness.WORLD.ca.issue("etcd", usage="serverAuth,clientAuth")


def tool_folder():
    """Folders of etcdctl and etcdutl by version, as the image has them."""
    folder = temporary_folder()
    for version, (_, ctl, utl) in VERSIONS.items():
        os.mkdir(f"{folder}/{version}")
        os.symlink(tools.path_of(ctl), f"{folder}/{version}/etcdctl")
        if utl:
            os.symlink(tools.path_of(utl), f"{folder}/{version}/etcdutl")
    return folder


class Etcd:
    """Members m0, m1 ... Use as context."""

    def __init__(self, version="3.6", members=1, tls=False, auth=False):
        self.version, self.tls, self.auth = version, tls, auth
        self.program, self.ctl = (tools.path_of(name) for name in VERSIONS[version][:2])
        self.folder, self.processes = temporary_folder(), []
        self.ports = [(free_port(), free_port()) for _ in range(members)]
        self.scheme = "https" if tls else "http"
        self.environment = {"ETCDCTL_API": "3"}

    def url(self, member=0):
        return f"{self.scheme}://127.0.0.1:{self.ports[member][0]}"

    def peer(self, member):
        return f"http://127.0.0.1:{self.ports[member][1]}"

    def start(self, member):
        words = [self.program, "--name", f"m{member}", "--data-dir", f"{self.folder}/m{member}",
                 "--listen-client-urls", self.url(member), "--advertise-client-urls", self.url(member),
                 "--listen-peer-urls", self.peer(member), "--initial-advertise-peer-urls", self.peer(member),
                 "--initial-cluster", ",".join(f"m{i}={self.peer(i)}" for i in range(len(self.ports))),
                 "--initial-cluster-token", "of-the-test", "--unsafe-no-fsync"]
        if self.version == "3.4":
            words.remove("--unsafe-no-fsync")
        if self.tls:
            cert, key = identity()
            words += ["--cert-file", cert, "--key-file", key, "--client-cert-auth",
                      "--trusted-ca-file", harness.WORLD.ca.cert]
        with open(f"{self.folder}/log{member}", "ab") as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env={"PATH": "/usr/bin", "HOME": "/nonexistent"})
        self.processes[member:member + 1] = [process]

    def stop(self, member):
        self.processes[member].kill()
        self.processes[member].wait()

    def words(self, *words, endpoint=None):
        made = [self.ctl, f"--endpoints={endpoint or self.url()}"]
        if self.tls:
            made += [f"--cacert={harness.WORLD.ca.cert}", "--cert", identity()[0], "--key", identity()[1]]
        return [*made, *words]

    def run(self, *words, endpoint=None, good=True):
        """With passwords on each call begins with a check of one: 2 s, etcdctl's own limit, are not enough at load."""
        patience = ["--dial-timeout=10s", "--command-timeout=20s"] if good else []
        done = subprocess.run(self.words(*patience, *words, endpoint=endpoint), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, env=self.environment, timeout=30 * harness.SLOW)
        check(not good or done.returncode == 0, done.stderr)
        return done.stdout if good else done

    def healthy(self, member=0):
        return self.run("endpoint", "health", endpoint=self.url(member), good=False).returncode == 0

    def status(self, member=0):
        (found,) = json.loads(self.run("endpoint", "status", "-w", "json", endpoint=self.url(member)))
        return found["Status"]

    def leader(self):
        status = self.status()
        ids = {self.status(i)["header"]["member_id"]: i for i in range(len(self.ports))
               if self.processes[i].poll() is None}
        return ids[status["leader"]]

    def __enter__(self):
        for member in range(len(self.ports)):
            self.start(member)
        for member in range(len(self.ports)):
            eventually(lambda member=member: self.healthy(member), "etcd is healthy")
        if self.auth:
            self.run("user", "add", f"root:{PASSWORD}")
            self.run("user", "grant-role", "root", "root")
            self.run("auth", "enable")
            self.environment.update(ETCDCTL_USER="root", ETCDCTL_PASSWORD=PASSWORD)
        return self

    def __exit__(self, kind, *_):
        for process in self.processes:
            process.kill()
            process.wait()
        if kind:
            with open(f"{self.folder}/log0", errors="replace") as log:
                print(log.read()[-3000:], flush=True)


class Backup:
    """One run of `granary-agent etcd-backup`: its answer, its files, its log."""

    def __init__(self, url, secret=None, tls=None, wait=20, args="", app=None, programs=None, kill=None, **config):
        self.scratch = temporary_folder()
        secrets = f"{self.scratch}/app"
        for name, keys in (("secret", secret), ("tls", tls)):
            if keys:
                os.makedirs(f"{secrets}/{name}")
                for key, value in keys.items():
                    with open(f"{secrets}/{name}/{key}", "w") as file:
                        file.write(value)
        app = app or {"namespace": "shop", "clientConfig": {"url": url, **config}}
        self.words = [AGENT, "etcd-backup", "--hostname=host-0", f"--wait-timeout={wait}", f"--etcd-args={args}",
                      "--interim-dir=/stash-tmp/stash-interim-volume/data", f"--output-dir={self.scratch}/output",
                      f"--app-secrets={secrets}", f"--tools={programs or tool_folder()}", f"--scratch={self.scratch}"]
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                        env={"GRANARY_APP": json.dumps(app)})
        self.log = ""

    def wait(self, code=0, seconds=120):
        _, self.log = self.process.communicate(timeout=seconds * harness.SLOW)
        check(PASSWORD not in self.log, "a secret is in the log")
        check(self.process.returncode == code, f"exit {self.process.returncode}: {self.log}")
        with open(f"{self.scratch}/output/output.json") as file:
            self.output = json.load(file)
        check(PASSWORD not in json.dumps(self.output), "a secret is in the result")
        (self.stat,) = self.output["targetStatus"]["stats"]
        return self

    @property
    def snapshot(self):
        return f"{self.scratch}/data/snapshot.db"

    def good(self):
        self.wait()
        check(self.stat["phase"] == "Succeeded", f"{self.stat}\n{self.log}")
        return self.output["dump"]["etcd"]

    def bad(self, *words):
        self.wait()
        check(self.stat["phase"] == "Failed" and "dump" not in self.output, f"{self.output}")
        check(not os.path.exists(self.snapshot), "a snapshot that does not count was left")
        for word in words:
            check(word in self.stat["error"], f"{word!r} is not in {self.stat['error']!r}\n{self.log}")
        return self
