"""What the tests of the working agent share: the process with its identity, pieces of work, storages."""

import base64
import hashlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration"), os.path.join(HERE, "..", "cluster")]

import harness  # noqa: E402
import tools  # noqa: E402
from agent_api import AgentApi  # noqa: E402
from harness import check, check_equal, eventually, free_port, temporary_folder, write  # noqa: E402

AGENT = os.environ.get("GRANARY_AGENT", "build/granary-agent")
RESTIC = tools.path_of("restic")
PASSWORD = "pass-word-9c41"
CLUSTER = "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
numbers = itertools.count(1)


def api(**options):
    return AgentApi(harness.WORLD.cert, harness.WORLD.key, **options)


def uid():
    return f"5f0d8a3e-6b0f-4f0e-9a55-{next(numbers):012x}"


def give(folder, user):
    """A folder and what is in it becomes that user's."""
    for root, folders, files in os.walk(folder):
        for name in [".", *folders, *files]:
            os.lchown(os.path.join(root, name), user, user)


def on_machine(name):
    """What goes before a command that sees a host of this name: nobody can tell by a number there whether it lives."""
    return ["/usr/bin/unshare", "--uts", "/bin/sh", "-c", "/bin/hostname \"$0\" && exec \"$@\"", name] if name else []


class Agent:
    """A running agent with an identity; its log is collected. Use as context."""

    def __init__(self, *words, addresses=(), token="token-of-the-pod", environment=None, restic=RESTIC, user=None,
                 machine=None, scratch=None):
        """machine: the name of the host that it sees, as in a pod."""
        self.folder = temporary_folder()
        self.identity, self.scratch = f"{self.folder}/identity", scratch or f"{self.folder}/scratch"
        os.mkdir(self.identity)
        with open(harness.WORLD.ca.cert) as ca:
            self.put("ca.crt", ca.read())
        self.put("addresses", "".join(f"{address}\n" for address in addresses))
        self.put("token", token)
        if user:
            os.chmod(harness.WORLD.folder, 0o711)
            give(self.folder, user)
        own = [] if words[0] == "trigger" else ["--scratch", self.scratch, "--restic", restic]
        self.process = subprocess.Popen([*on_machine(machine), AGENT, *words, "--identity", self.identity, *own],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment or {},
                                        user=user, group=user, extra_groups=[] if user else None)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode())

    def put(self, name, text):
        write(os.path.join(self.identity, name), text)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        check(not any(word in line for line in self.lines for word in harness.SANITIZER_WORDS), "".join(self.lines))
        check(not any(PASSWORD in line for line in self.lines), "a secret is in the log")
        if kind:
            print("".join(self.lines[-30:]), flush=True)

    def says(self, text, seconds=harness.PATIENCE_S):
        return eventually(lambda: [line for line in self.lines if text in line], text, seconds)

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as file:
            own = file.read().split()
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/children") as file:
                own += file.read().split()
        return sorted(set(map(int, own)))

    def ends(self, code, seconds=harness.PATIENCE_S, number=None):
        if number:
            self.process.send_signal(number)
        check_equal(self.process.wait(timeout=seconds * harness.SLOW), code, "exit code")


def work(url, *paths, **changes):
    """A backup; `changes` replace members."""
    made = {"kind": "backup", "session": {"namespace": "shop", "name": "deploy-web-1", "uid": uid()}, "host": "host-0",
            "attempt": 1, "progressSeconds": 1,
            "repository": {"url": url, "initialize": True, "cluster": CLUSTER},
            "environment": [{"name": "RESTIC_PASSWORD", "value": PASSWORD}],
            "backup": {"paths": list(paths)}}
    made.update(changes)
    return made


def restore(url, *rules, **changes):
    made = work(url, kind="restore", restore={"rules": list(rules)}, **changes)
    del made["backup"]
    return made


def restic(url, *words, environment=None, good=True):
    """What restic itself says of a repository; JSON of its output."""
    done = subprocess.run([RESTIC, "--json", "--no-cache", *words], capture_output=True, stdin=subprocess.DEVNULL,
                          env={"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": PASSWORD, "HOME": "/dev/null/home",
                               **(environment or {})}, timeout=60 * harness.SLOW)
    check(not good or done.returncode == 0, done.stderr.decode())
    return json.loads(done.stdout) if done.stdout.startswith(b"[") else done


def snapshots(url, environment=None):
    """Those that are not marks of owners."""
    return [one for one in restic(url, "snapshots", "--no-lock", environment=environment) if one["hostname"] != "granary"]


def locks(folder):
    """Of a repository in a folder; one that is being written, or whose writer was killed at that, is none yet."""
    return [name for name in os.listdir(f"{folder}/locks") if "-tmp-" not in name]


def do(server, agent, given, seconds=harness.PATIENCE_S):
    """Hands out one piece of work and returns its report."""
    before = len([1 for path, _, _ in server.asked if path == "/v1/report"])
    server.work.put(given)
    try:
        report = server.wait("/v1/report", before + 1, seconds * harness.SLOW)[-1]
    except AssertionError:
        print("".join(agent.lines[-20:]), flush=True)
        raise
    check_equal(report["session"], given["session"]["uid"], "session of the report")
    return report


def succeeds(server, agent, given):
    report = do(server, agent, given)
    check_equal((report["outcome"], report.get("error")), ("Succeeded", None), "report")
    return report


def fails(server, agent, given, reason, *words, seconds=harness.PATIENCE_S):
    report = do(server, agent, given, seconds)
    check_equal((report["outcome"], report.get("error", {}).get("reason")), ("Failed", reason), f"report {report}")
    for word in words:
        check(word in report["error"]["message"], f"{word!r} is not in {report['error']['message']!r}")
    check(PASSWORD not in json.dumps(report), "a secret is in the report")
    return report


class Storage:
    """A storage server in a process of its own. Use as context."""

    def __init__(self, words, port, folder, environment=None):
        self.folder = folder
        self.log = open(os.path.join(temporary_folder(), "storage.log"), "wb")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={"HOME": temporary_folder(), **(environment or {})})
        self.port = port

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        eventually(self._answers, "the storage answers")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def rest_server(*words):
    port, folder = free_port(), temporary_folder()
    return Storage([tools.path_of("restic-rest-server"), "--path", folder, "--no-auth", "--listen",
                    f"127.0.0.1:{port}", *words], port, folder)


def s3_server():
    port, folder = free_port(), temporary_folder()
    return Storage([tools.path_of("versitygw"), "--access", "key-id-1", "--secret", "key-secret-77aa", "--port",
                    f"127.0.0.1:{port}", "posix", folder], port, folder)


def b64(text):
    return base64.b64encode(text.encode()).decode()


def fill(folder):
    """A folder with what is hard to keep; returns it."""
    os.makedirs(f"{folder}/deep/er", exist_ok=True)
    os.mkdir(f"{folder}/empty")
    for name, content, mode in (("plain", b"hello\n", 0o644), ("secret", b"x" * 5000, 0o600), ("program", b"#!", 0o4755),
                                ("deep/er/random", os.urandom(300000), 0o640), ("none", b"", 0o444)):
        with open(f"{folder}/{name}", "wb") as file:
            file.write(content)
        os.chmod(f"{folder}/{name}", mode)
    for name in (b"with blank", b"with\nnewline", b"-o", b"--password-command=touch x", b"\xff\xfe", b"n" * 255,
                 "ümlaut".encode(), b"$HOME", b"a:b"):
        with open(os.path.join(folder.encode(), name), "wb") as file:
            file.write(name)
    os.symlink("../../etc/passwd", f"{folder}/link")
    os.symlink("nowhere", f"{folder}/dangling")
    os.link(f"{folder}/plain", f"{folder}/deep/hard")
    with open(f"{folder}/sparse", "wb") as file:
        file.seek(20 << 20)
        file.write(b"end")
    os.mkfifo(f"{folder}/fifo")
    os.utime(f"{folder}/plain", ns=(10**18 + 123456789, 10**18 + 123456789))
    os.setxattr(f"{folder}/plain", "user.note", b"of the file\0")
    os.setxattr(f"{folder}/deep", "user.note", b"of the folder")
    if os.geteuid() == 0:
        os.chown(f"{folder}/plain", 1234, 4321)
    return folder


def picture(folder):
    """All that must come back: kind, mode, owner, time, attributes, content, links, by path."""
    found, inodes = {}, {}
    folder = folder.encode()
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):  # links are numbered in the order of names
            path = os.path.join(root, name)
            if name == b".granary-restore":
                continue
            status = os.lstat(path)
            content = b""
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = hashlib.file_digest(file, "sha256").digest() + b" of %d" % status.st_size
                if status.st_nlink > 1:
                    content += b" linked with %d" % inodes.setdefault(status.st_ino, len(inodes))
            attributes = {name: os.getxattr(path, name, follow_symlinks=False)
                          for name in os.listxattr(path, follow_symlinks=False) if name.startswith("user.")}
            found[os.path.relpath(path, folder)] = (status.st_mode, status.st_uid, status.st_gid, status.st_nlink,
                                                    status.st_mtime_ns, sorted(attributes.items()), content)
    return found


def same(got, wanted):
    check_equal(sorted(got), sorted(wanted), "names")
    for name, what in wanted.items():
        check(got[name] == what, f"{name}: {str(got[name])[:300]} is not {str(what)[:300]}")
