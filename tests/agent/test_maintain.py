"""Maintenance with real restic: what is kept, removed and found, and how each fault is told."""

import json
import os
import signal
import subprocess

import harness
from harness import check, check_equal, temporary_folder, test, write
from running import (AGENT, CLUSTER, PASSWORD, RESTIC, locks, rest_server, restic, s3_server)

STALE = ["unlock"]
LOOK = [["snapshots", "--no-lock"], ["stats", "--no-lock", "--mode=raw-data"]]
CHECK = ["check", "--read-data-subset=1/1"]


def forget(tag, *rules):
    return ["forget", "--json", f"--tag={tag}", "--group-by=host,paths", *rules]


def secret_of(password=PASSWORD, **more):
    """As the kubelet mounts one: files behind links into a folder that begins with dots."""
    folder = temporary_folder()
    os.mkdir(f"{folder}/..2026")
    os.symlink("..2026", f"{folder}/..data")
    for name, value in {"RESTIC_PASSWORD": password, "UNRELATED": "unrelated-7731", **more}.items():
        write(f"{folder}/..2026/{name}", value)
        os.symlink(f"..data/{name}", f"{folder}/{name}")
    return folder


def start(kind, backend, secret, *runs, words=(), program=RESTIC):
    result = os.path.join(temporary_folder(), "termination-log")
    given = [f"--run={json.dumps(run)}" for run in runs]
    process = subprocess.Popen(
        [AGENT, "maintain", f"--kind={kind}", f"--secret={secret}", f"--backend={json.dumps(backend)}", "--scratch",
         temporary_folder(), "--restic", program, "--result", result, *words, *given],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={})
    return process, result


def maintain(kind, backend, secret, *runs, words=(), code=0, program=RESTIC):
    """One Job; what its termination message says."""
    process, result = start(kind, backend, secret, *runs, words=words, program=program)
    log = process.communicate(timeout=60 * harness.SLOW)[0].decode()
    check_equal(process.returncode, code, f"exit code; {log}")
    with open(result) as file:
        text = file.read()
    check(len(text) <= 4096, text)
    for hidden in (PASSWORD, "unrelated-7731", "key-secret-77aa"):
        check(hidden not in log + text, f"{hidden} is told: {log} {text}")
    check(not any(word in log for word in harness.SANITIZER_WORDS), log)
    return json.loads(text)


def local(folder):
    return {"storageSecretName": "s", "local": {"mountPath": folder}}


def fill(url, *snapshots, environment=None):
    """A repository of our own with snapshots of (host, tag)."""
    data = temporary_folder()
    restic(url, "init", environment=environment)
    subprocess.run([RESTIC, "backup", "--no-cache", "--quiet", "--host=granary", f"--tag=granary-cluster,{CLUSTER}",
                    "--stdin", "--stdin-filename=cluster"], input=CLUSTER.encode(), check=True,
                   env={"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": PASSWORD, "HOME": "/dev/null/home", **(environment or {})})
    for number, (host, tag) in enumerate(snapshots):
        write(f"{data}/file", f"{number}\n" * 1000)
        tags = [f"--tag={tag}", f"--tag=session:{number}"] if tag else []
        restic(url, "backup", f"--host={host}", *tags, data, environment=environment)


def left(url, environment=None):
    """(host, number of the session) of what is there, marks too."""
    return [(one["hostname"], [tag for tag in one.get("tags", []) if tag.startswith("session:")])
            for one in restic(url, "snapshots", "--no-lock", environment=environment)]


A, B = "target:apps/Deployment/shop/a", "target:apps/Deployment/shop/ab"


def keeps_what_the_policy_says(url, backend, secret, environment=None):
    fill(url, ("h0", A), ("h1", A), ("h0", A), ("h0", B), ("h0", None), ("h0", B), ("h0", A), ("h1", A), ("h1", A),
         environment=environment)
    said = maintain("forget", backend, secret, STALE, forget(A, "--keep-last=2"), *LOOK, words=[f"--cluster={CLUSTER}"])
    check_equal((said["kind"], said["removed"], said["snapshots"], "reason" in said), ("forget", 2, 7, False), f"{said}")
    check(said["bytes"] > 0, f"{said}")
    wanted = [("granary", [])] + [(host, [f"session:{number}"] if number != 4 else []) for host, number in (
        ("h0", 2), ("h0", 3), ("h0", 4), ("h0", 5), ("h0", 6), ("h1", 7), ("h1", 8))]
    check_equal(left(url, environment), wanted, "what is kept")
    maintain("prune", backend, secret, STALE, ["prune"], *LOOK)
    said = maintain("check", backend, secret, STALE, CHECK, *LOOK)
    check_equal((said["errors"], said["snapshots"]), (0, 7), "check")
    check_equal(left(url, environment), wanted, "what is kept after a prune")


@test("RS13")
def retention_in_a_folder():
    folder = temporary_folder()
    keeps_what_the_policy_says(folder, local(folder), secret_of())


@test("RS13")
def retention_on_a_rest_server():
    with rest_server() as storage:
        url = f"http://127.0.0.1:{storage.port}/some/where"
        keeps_what_the_policy_says(f"rest:{url}", {"storageSecretName": "s", "rest": {"url": url}}, secret_of())


@test("RS13")
def retention_on_an_s3_server():
    with s3_server() as storage:
        keys = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa"}
        backend = {"storageSecretName": "s", "s3": {"endpoint": f"http://127.0.0.1:{storage.port}", "bucket": "backups",
                                                   "prefix": "shop/web", "region": "us-east-1"}}
        keeps_what_the_policy_says(f"s3:http://127.0.0.1:{storage.port}/backups/shop/web", backend, secret_of(**keys),
                                   {**keys, "AWS_DEFAULT_REGION": "us-east-1"})


@test("RS13")
def what_stash_left_is_judged_with_what_followed():
    """A repository that was taken over: of one host and path old and new snapshots are one row, others stay."""
    folder = temporary_folder()
    fill(folder, ("host-0", None), ("host-0", None), ("host-1", None), ("host-0", A), ("host-0", B))
    (path,) = {one["paths"][0] for one in restic(folder, "snapshots", "--no-lock") if one["hostname"] == "host-0"}
    restic(folder, "backup", "--host=host-0", os.path.dirname(os.path.realpath(__file__)) + "/rules.mk")
    both = ["forget", "--json", "--host=host-0", f"--tag={A}", "--tag=", f"--path={path}", "--group-by=host,paths"]
    said = maintain("forget", local(folder), secret_of(), [*both, "--keep-last=2"], forget(A, "--keep-last=2"), *LOOK)
    check_equal((said["removed"], said["snapshots"]), (1, 5), f"{said}")
    others = [("host-1", []), ("host-0", ["session:4"]), ("host-0", [])]  # another's, of another path
    check_equal(sorted(left(folder)), sorted([("granary", []), ("host-0", []), ("host-0", ["session:3"]), *others]), "kept")
    said = maintain("forget", local(folder), secret_of(), [*both, "--keep-last=1"], forget(A, "--keep-last=1"), *LOOK)
    check_equal(sorted(left(folder)), sorted([("granary", []), ("host-0", ["session:3"]), *others]), "kept, when one is")


@test("RS12")
def an_append_only_server_keeps_all():
    """Keys for agents can not forget: maintenance has the other ones."""
    with rest_server("--append-only") as storage:
        url = f"http://127.0.0.1:{storage.port}/r"
        fill(f"rest:{url}", ("h0", A), ("h0", A))
        said = maintain("forget", {"storageSecretName": "s", "rest": {"url": url}}, secret_of(),
                        forget(A, "--keep-last=1"), *LOOK, code=1)
        check_equal(said["reason"], "NotRemoved", f"{said}")
        check_equal(len(left(f"rest:{url}")), 3, "snapshots and mark")


@test("RS5 RS8")
def what_is_not_ours_is_left_alone():
    folder, empty = temporary_folder(), temporary_folder()
    fill(folder, ("h0", A), ("h0", A))
    run = forget(A, "--keep-last=1")
    cases = [
        (folder, secret_of("another-pass-word"), (), "WrongPassword"),
        (empty, secret_of(), (), "RepositoryMissing"),
        (folder, secret_of(), ["--cluster=00000000-2fa1-11d2-883f-0016d3cca427"], "ForeignRepository"),
        (folder, temporary_folder(), (), "StorageSecretUnusable"),
        (folder, "/nonexistent", (), "StorageSecretUnusable"),
        ("relative", secret_of(), (), "WorkNotUnderstood"),
    ]
    for place, secret, words, reason in cases:
        said = maintain("forget", local(place), secret, run, words=words, code=1)
        check_equal(said["reason"], reason, f"{said}")
    for odd in (["backup", "--x"], ["forget", "x"], ["forget", "-p"], ["init"], [], ["check", "--"], [1]):
        check_equal(maintain("forget", local(folder), secret_of(), odd, code=1)["reason"], "ArgumentRefused", f"{odd}")
    check_equal(maintain("forget", local(folder), secret_of(), {}, code=1)["reason"], "WorkNotUnderstood", "no list")
    check_equal(os.listdir(empty), [], "nothing is made")
    check_equal(len(left(folder)), 3, "snapshots and mark")


@test("RS6")
def a_check_finds_damage():
    for damage in ("flipped", "missing"):
        folder = temporary_folder()
        fill(folder, ("h0", A))
        (pack, *_) = [os.path.join(root, name) for root, _, names in os.walk(f"{folder}/data") for name in names]
        os.chmod(pack, 0o600)
        if damage == "flipped":
            with open(pack, "r+b") as file:
                file.seek(40)
                byte = file.read(1)
                file.seek(40)
                file.write(bytes([byte[0] ^ 1]))
        else:
            os.unlink(pack)
        said = maintain("check", local(folder), secret_of(), STALE, CHECK, *LOOK, code=1)
        check_equal((said["reason"], said["errors"] > 0), ("RepositoryDamaged", True), f"{said}")
        check("restic check found" in said["message"], f"{said}")


class Locked:
    """A repository that a process holds alone, which a test may kill; it says it runs on this host."""

    def __init__(self, folder):
        self.folder = folder
        self.backend = temporary_folder()

    def _begin(self):
        """True when it was stopped while it holds the lock; it would end before a slow machine has looked."""
        self.process = subprocess.Popen([RESTIC, "check", "--no-cache", "--read-data"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={"RESTIC_REPOSITORY": self.folder, "RESTIC_PASSWORD": PASSWORD,
                                             "HOME": "/dev/null/home", "TMPDIR": self.backend})
        harness.eventually(lambda: locks(self.folder) or self.process.poll() is not None, "a lock")
        if locks(self.folder):
            self.process.send_signal(signal.SIGSTOP)
        return bool(locks(self.folder))

    def __enter__(self):
        while not self._begin():
            self.kill()
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        self.kill()


@test("RS4")
def a_lock_of_a_living_one_stays():
    folder = temporary_folder()
    fill(folder, ("h0", A), ("h0", A))
    with Locked(folder):
        said = maintain("forget", local(folder), secret_of(), STALE, forget(A, "--keep-last=1"), code=1)
        check_equal(said["reason"], "RepositoryLocked", f"{said}")
        said = maintain("unlock", local(folder), secret_of(), STALE, words=["--dead=granary-prune-r-1-xyz"])
        check_equal(len(locks(folder)), 1, "its lock stays")
    check_equal(len(left(folder)), 3, "nothing was forgotten")


@test("RS4 RS6")
def a_check_that_is_locked_out_finds_no_damage():
    """Though restic counts that as an error of the repository."""
    folder = temporary_folder()
    fill(folder, ("h0", A))
    with subprocess.Popen([RESTIC, "backup", "--no-cache", "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          env={"RESTIC_REPOSITORY": folder, "RESTIC_PASSWORD": PASSWORD, "HOME": "/nonexistent"}) as other:
        other.stdin.write(b"x")
        other.stdin.flush()
        harness.eventually(lambda: locks(folder), "a lock")
        said = maintain("check", local(folder), secret_of(), STALE, CHECK, *LOOK, code=1)
        check_equal((said["reason"], "errors" in said), ("RepositoryLocked", False), f"{said}")
        other.stdin.close()
        check_equal(other.wait(60 * harness.SLOW), 0, "the backup beside it")
    check_equal(maintain("check", local(folder), secret_of(), STALE, CHECK, *LOOK)["errors"], 0, "errors")


@test("RS4")
def a_lock_of_a_dead_pod_goes_at_once():
    folder, here = temporary_folder(), os.uname().nodename
    fill(folder, ("h0", A), ("h0", A))
    with Locked(folder) as owner:
        owner.kill()
        # of another host, as it is for a pod: restic can not see that the process is dead
        process = subprocess.run(["unshare", "--uts", "sh", "-c", "hostname another-pod; exec \"$@\"", "sh", AGENT,
                                  "maintain", "--kind=unlock", f"--secret={secret_of()}",
                                  f"--backend={json.dumps(local(folder))}", "--scratch", temporary_folder(), "--restic",
                                  RESTIC, "--result", f"{temporary_folder()}/result", "--run=[\"unlock\"]",
                                  f"--dead={here}x"], capture_output=True, env={"PATH": "/usr/bin:/bin"},
                                 timeout=60 * harness.SLOW)
        check_equal((process.returncode, len(locks(folder))), (0, 1), "somebody else's name")
        maintain("unlock", local(folder), secret_of(), STALE, words=[f"--dead={here[:-1]}"])
        check_equal(locks(folder), [], "the lock is gone")
    said = maintain("forget", local(folder), secret_of(), STALE, forget(A, "--keep-last=1"), *LOOK)
    check_equal((said["removed"], said["snapshots"]), (1, 1), f"{said}")


@test("RS1")
def told_to_end_it_ends():
    folder, program = temporary_folder(), os.path.join(temporary_folder(), "restic")
    write(program, "#!/bin/sh\ncase \"$1\" in snapshots) echo '[]'; exit 0;; esac\ntouch %s/begun; exec sleep 1000\n" % folder)
    os.chmod(program, 0o755)
    process, result = start("prune", local(folder), secret_of(), ["prune"], program=program)
    harness.eventually(lambda: os.path.exists(f"{folder}/begun"), "restic runs")
    process.terminate()
    process.communicate(timeout=40 * harness.SLOW)
    with open(result) as file:
        check_equal((process.returncode, json.load(file)["reason"]), (1, "PodEnded"), "end")
