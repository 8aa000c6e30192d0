"""What the Jobs of a restore of etcd run: the dump out of a repository, its proof, a member of it for a session, the undoing
of that session, and the wait for all members. Catalogue ET2 to ET4."""

import json
import os
import subprocess

import harness
from etcd import Backup, Etcd, tool_folder
from harness import check, check_equal, temporary_folder, test
from running import AGENT, PASSWORD, RESTIC, restic
from test_maintain import local, maintain, secret_of

SESSION, OTHER = "0a0a0a0a-2fa1-11d2-883f-0016d3cca427", "0b0b0b0b-2fa1-11d2-883f-0016d3cca427"
BUMP = 1000000000


def fetch(folder, snapshot="latest", host="host-0", code=0):
    """The first container of a Job; gives the folder that both have, and what it told."""
    into, asked = temporary_folder(), json.dumps({"snapshot": snapshot, "host": host})
    return into, maintain("etcd", local(folder), secret_of(), words=[f"--fetch={asked}", f"--restored={into}"], code=code)


def second(word, *words, code=0, environment=None):
    """The second one: what it told."""
    result = f"{temporary_folder()}/termination-log"
    done = subprocess.run([AGENT, word, *words, f"--tools={tool_folder()}", f"--result={result}"], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, env=environment or {}, check=False, timeout=90 * harness.SLOW)
    check_equal(done.returncode, code, done.stdout + done.stderr)
    with open(result, encoding="ascii") as file:
        return json.load(file)


def restore(fetched, data, session, *words, code=0):
    return second("etcd-restore", f"--fetched={fetched}", f"--data-dir={data}", "--name=m0", f"--scratch={temporary_folder()}",
                  "--initial-cluster=m0=http://127.0.0.1:1", f"--session={session}", *words, code=code)


def undo(data, session):
    second("etcd-restore", "--rollback", f"--data-dir={data}", f"--session={session}")


def prove(fetched, code=0):
    return second("etcd-restore", "--prove", f"--fetched={fetched}", f"--scratch={temporary_folder()}", code=code)


# A root of its own, with the folder of the dump where it is in a pod; only the repository is the real one.
IN_A_POD = """
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --bind "$RESTIC_REPOSITORY" "$1/root$RESTIC_REPOSITORY"
mkdir -p "$1/root/stash-tmp/data"
cp -a "$2/." "$1/root/stash-tmp/data/"
root=$1/root
shift 2
exec chroot "$root" "$@"
"""


def store(folder, dump, host="host-0"):
    subprocess.run(["unshare", "--mount", "sh", "-ec", IN_A_POD, "sh", temporary_folder(), dump, RESTIC, "backup",
                    "--no-cache", "--quiet", f"--host={host}", "/stash-tmp/data"], check=True, stdin=subprocess.DEVNULL,
                   env={"RESTIC_REPOSITORY": folder, "RESTIC_PASSWORD": PASSWORD, "HOME": "/dev/null/home",
                        "PATH": os.environ["PATH"]})


def bad_ones(path):
    """ET2: what is no snapshot any more."""
    with open(path, "rb") as file:
        whole = file.read()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (bytes(flipped), whole[:len(whole) // 2]):
        dump = temporary_folder()
        with open(f"{dump}/snapshot.db", "wb") as file:
            file.write(content)
        yield dump


@test("ET2 ET3 ET4")
def the_jobs_of_a_restore():
    folder, data = temporary_folder(), f"{temporary_folder()}/data"
    restic(folder, "init")
    with Etcd("3.6") as etcd:
        for number in range(20):
            etcd.run("put", f"key-{number}", "value")
        backup = Backup(etcd.url())
        facts = backup.good()
        app = {"GRANARY_APP": json.dumps({"namespace": "shop", "clientConfig": {"url": etcd.url()}})}
        words = [f"--app-secrets={backup.scratch}/app", "--members=1"]
        said = second("etcd-wait", *words, f"--revision={facts['revision']}", environment=app)
        check_equal((said["members"], said["revision"], "error" in said), (1, facts["revision"], False), f"{said}")
        said = second("etcd-wait", *words, f"--revision={BUMP}", "--wait-timeout=6", environment=app, code=1)
        check("is meant" in said["error"], f"{said}")
        said = second("etcd-wait", words[0], "--members=3", "--wait-timeout=6", environment=app, code=1)
        check("3 are meant" in said["error"], f"{said}")
    for host in ("host-0", "host-0", "host-1"):
        store(folder, f"{backup.scratch}/data", host)
    ids = [one["id"] for one in restic(folder, "snapshots")]
    into, _ = fetch(folder, ids[0])
    said = prove(into)
    check_equal((said["snapshot"], said["newest"], said["revision"], said["sha256"], said["initialCluster"], "error" in said),
                (ids[0], ids[1], facts["revision"], facts["sha256"], facts["initialCluster"], False), f"{said}")
    restore(into, data, SESSION)
    with open(f"{data}/member/snap/db", "rb") as file:
        made = file.read()
    undo(data, OTHER)
    check(os.path.exists(f"{data}/member/snap/db"), "what another session has made stays")
    undo(data, SESSION)
    check(not os.path.exists(f"{data}/member"), "what was there before: nothing")
    undo(data, SESSION)
    check(made and not os.path.exists(f"{data}/member"), "once more changes nothing")


@test("ET2 ET4")
def a_bad_dump_is_refused():
    folder = temporary_folder()
    restic(folder, "init")
    with Etcd("3.6") as etcd:
        etcd.run("put", "a", "b")
        backup = Backup(etcd.url())
        backup.good()
    said = fetch(folder, code=1)[1]
    check_equal(said["reason"], "NoSnapshot", f"{said}")
    for path in bad_ones(backup.snapshot):
        store(folder, path)
        said = prove(fetch(folder)[0], code=1)
        check(said["error"], f"{said}")
    store(folder, temporary_folder())
    check("no file snapshot.db" in prove(fetch(folder)[0], code=1)["error"], "no snapshot in it")
    said = fetch(folder, "aaaaaaaa", code=1)[1]
    check_equal(said["reason"], "NoSnapshot", f"{said}")
    said = fetch(temporary_folder(), code=1)[1]
    check_equal(said["reason"], "RepositoryMissing", f"{said}")
