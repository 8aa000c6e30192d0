"""`granary-agent etcd-restore` on bare processes: real members of etcd that lost what they had, kills at every call that
changes a file, bad snapshots. Catalogue ET1, ET3 to ET5."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
from etcd_members import NAMES, Members, kept, remove, tree, without_ours
from harness import check, check_equal, eventually, temporary_folder, test
from running import AGENT, PASSWORD, RESTIC

BUMP = 1000000000
HERE = os.path.dirname(os.path.abspath(__file__))
KILL_AT = os.environ.get("GRANARY_KILL_AT", "build/tests/agent/kill_at.so")
ALL = os.environ.get("GRANARY_ETCD_ALL") == "1"


def run(*words, code=0, environment=None):
    done = subprocess.run([AGENT, "etcd-restore", *words], capture_output=True, stdin=subprocess.DEVNULL,
                          env=environment or {}, timeout=120 * harness.SLOW, check=False)
    said = done.stdout.decode() + done.stderr.decode()
    check_equal(done.returncode, code, f"exit code of {words}: {said}")
    check(not any(word in said for word in harness.SANITIZER_WORDS), said)
    return said


def words_for(members, name, snapshot):
    return ["--file", snapshot, "--data-dir", members.data(name), "--name", name, "--initial-cluster", members.cluster,
            "--tools", members.tools, "--scratch", temporary_folder()]


# --- real members ---------------------------------------------------------------------------------


def one_lost(members):
    """While the others run, and are refused."""
    members.stop(NAMES[2], signal.SIGKILL)
    remove(members.data(NAMES[2]))


def two_lost(members):
    for name in NAMES[1:]:
        members.stop(name, signal.SIGKILL)
        remove(members.data(name))


def all_lost(members):
    members.stop_all()
    for name in NAMES:
        remove(members.data(name))


def quorum_lost(members):
    """Two are killed and their databases are damaged; the third runs and can not do anything."""
    for name in NAMES[1:]:
        members.stop(name, signal.SIGKILL)
        with open(f"{members.data(name)}/member/snap/db", "r+b") as file:
            file.write(os.urandom(8192))


def none_lost(_):
    """Somebody deleted what should not be deleted; etcd is fine."""


def check_refused_while_running(members, snapshot):
    for name in members.running:
        before = without_ours(members.data(name))
        said = run(*words_for(members, name, snapshot), code=1)
        check("Stop it first" in said, said)
        check_equal(set(without_ours(members.data(name))), set(before), "names of the data dir")
        check_equal(kept(members.data(name)), [], "what is kept")


def check_waits_until_it_is_stopped(members, name):
    """As long as it was told to, then not at all."""
    words = ["--rollback", "--data-dir", members.data(name)]
    check("Stop it first" in run(*words, code=1), "it runs")
    check("Stop it first" in run(*words, "--wait-stopped", "1s", code=1), "it runs still")
    waiting = subprocess.Popen([AGENT, "etcd-restore", *words, "--wait-stopped", "300s"], env={}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        check("waiting for an etcd" in waiting.stdout.readline(), "it says for what it waits")
        members.stop(name)
        said, _ = waiting.communicate(timeout=harness.PATIENCE_S)
        check_equal((waiting.returncode, "undone already" in said), (0, True), said)
    finally:
        waiting.kill()
        waiting.wait()


def restore_all(members, snapshot):
    for name in NAMES:
        data = members.data(name)
        before = without_ours(data) if os.path.isdir(data) else {}
        said = run(*words_for(members, name, snapshot))
        check(("bump" in said and "3.5.10 can" in said) == (members.version == "3.4"), said)
        aside = f"{data}/{kept(data)[-1]}/aside"
        check_equal(tree(aside), before, f"what was in the data dir of {name}")


def check_watches(members, model, seen):
    """ET5. Who watched goes on from a revision that is no more, and is told so; nobody is shown another key under a
    revision that was already seen."""
    members.model = model.copy()
    members.put("/after", "the restore")
    now = members.model.revision
    if members.version == "3.4":
        check_equal(now, model.revision + 1, "the revision where it can not be bumped")
        return
    check_equal(now, model.revision + BUMP + 1, "the revision of the first write")
    check(now > seen, f"{now} was seen before")
    for told in members.watch(seen + 1):
        if told.get("canceled"):
            check(int(told["compact_revision"]) > seen, f"{told}")
            break
    else:
        raise AssertionError("a watch from before goes on as if nothing had happened")
    created, first = members.watch(now)
    check(created.get("created") and first["events"][0]["kv"]["mod_revision"] == str(now), f"{first}")


def lose_and_restore(version, lose):
    with Members(version) as members:
        snapshot = f"{members.folder}/snapshot.db"
        members.start()
        members.fill(1000 if ALL else 200)
        model = members.save(snapshot)
        members.put_many("/lost/", 50)
        seen = members.model.revision
        lose(members)
        check_refused_while_running(members, snapshot)
        members.stop_all()
        restore_all(members, snapshot)
        members.start()
        members.check_is(model)
        check_watches(members, model, seen)


LOSSES = [("3.6", all_lost), ("3.5", quorum_lost), ("3.4", one_lost)]
if ALL:
    LOSSES = [(version, lose) for version in ("3.6", "3.5", "3.4") for lose in (one_lost, two_lost, all_lost, quorum_lost)]
for one in LOSSES:
    def body(one=one):
        lose_and_restore(*one)
    body.__name__ = f"etcd_{one[0]}_{one[1].__name__}_is_restored"
    test("ET4 ET5")(body)


@test("ET3")
def a_healthy_etcd_goes_back_and_forth():
    with Members("3.6") as members:
        snapshot = f"{members.folder}/snapshot.db"
        members.start()
        members.fill(100)
        model = members.save(snapshot)
        members.put_many("/newer/", 50)
        newest = members.model.copy()
        members.stop_all()
        restore_all(members, snapshot)
        members.start()
        members.check_is(model)
        members.stop_all()
        for name in NAMES:
            check("is back" in run("--rollback", "--data-dir", members.data(name)), name)
        members.start()
        members.check_is(newest)
        check_waits_until_it_is_stopped(members, NAMES[0])


@test("ET3 ET4")
def a_snapshot_comes_out_of_a_repository():
    """Also at the path under which Stash's addon keeps it."""
    with Members("3.6") as members:
        folder, url = temporary_folder(), f"{temporary_folder()}/repository"
        members.start(NAMES[0], NAMES[1])
        os.mkdir(f"{folder}/stash-tmp")
        os.mkdir(f"{folder}/stash-tmp/data")
        members.save(f"{folder}/stash-tmp/data/snapshot.db")
        environment = {"RESTIC_PASSWORD": PASSWORD, "HOME": temporary_folder()}
        for words in (["init"], ["backup", f"{folder}/stash-tmp/data"], ["backup", "/etc/hostname"]):
            subprocess.run([RESTIC, "--repo", url, *words], env=environment, check=True, capture_output=True)
        listed = subprocess.run([RESTIC, "--repo", url, "snapshots", "--json"], env=environment, check=True,
                                capture_output=True).stdout
        members.stop_all()
        ids = [one["id"] for one in json.loads(listed)]
        scratch = temporary_folder()
        common = ["--repository", url, "--data-dir", members.data(NAMES[0]), "--name", NAMES[0], "--initial-cluster",
                  members.cluster, "--tools", members.tools, "--scratch", scratch, "--restic", RESTIC]
        before = tree(members.data(NAMES[0]))
        said = run(*common, code=1, environment=environment)
        check("has no file snapshot.db" in said, said)
        check("wrong password" in run(*common, code=1, environment={**environment, "RESTIC_PASSWORD": "wrong"}), "password")
        check_equal(tree(members.data(NAMES[0])), before, "the data dir")
        run(*common, "--snapshot", ids[0], environment=environment)
        check_equal(os.listdir(scratch), [], "the scratch folder")


def a_control_plane_is_restored_as_docs_etcd_says():
    """Real API servers on it, and the commands of the page word for word."""
    done = subprocess.run(["unshare", "--net", "--mount", sys.executable, os.path.join(HERE, "control_plane.py"),
                           temporary_folder(), os.path.abspath(AGENT)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=600 * harness.SLOW, check=False)
    check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())


if ALL:
    test("ET4 ET5")(a_control_plane_is_restored_as_docs_etcd_says)


# --- bad snapshots --------------------------------------------------------------------------------


def stored_version(members, snapshot):
    said = subprocess.run([f"{members.tools}/etcdutl", "snapshot", "status", snapshot, "--write-out=json"],
                          capture_output=True, check=True).stdout
    return json.loads(said).get("version")


@test("ET1 ET4")
def a_bad_snapshot_is_refused_untouched():
    with Members("3.6") as members:
        good = f"{members.folder}/good.db"
        members.start()
        members.put_many("/k/", 100)
        # a server writes it down some seconds after its start
        eventually(lambda: members.save(good) and stored_version(members, good) == "3.6.0", "the version of the storage")
        members.stop_all()
        with open(good, "rb") as file:
            content = file.read()
        flipped = bytearray(content)
        flipped[len(content) // 2] ^= 4
        resealed = bytes(flipped[:8192]) + os.urandom(len(content) - 32 - 8192)
        bad = {"flipped": bytes(flipped), "cut": content[:-4096], "cut-to-pages": content[:-32], "empty": b"",
               "zeroes": bytes(len(content)), "other": b"no database" * 4096,
               # its hash is right, and it is none
               "resealed": resealed + hashlib.sha256(resealed).digest()}
        before = tree(members.data(NAMES[0]))
        for name, text in bad.items():
            with open(f"{members.folder}/{name}.db", "wb") as file:
                file.write(text)
            run(*words_for(members, NAMES[0], f"{members.folder}/{name}.db"), code=1)
            check_equal(tree(members.data(NAMES[0])), before, f"the data dir after {name}")
        run(*words_for(members, NAMES[0], f"{members.folder}/none.db"), code=1)
        # a newer one's storage
        words = words_for(members, NAMES[0], good)
        said = run(*words, "--etcd-version", "3.5", code=1)
        check("which etcd 3.5 does not run on" in said, said)
        said = run(*words, "--dry-run")
        check("/aside in it: 1\n" in said and "sha256" in said, said)
        check_equal(tree(members.data(NAMES[0])), before, "the data dir after what was only said")


# --- kills ----------------------------------------------------------------------------------------

FAKE = """#!/bin/sh
# what etcdutl says and makes, without a database
case "$1 $2" in
version*) echo "etcdutl version: 3.5.10" ;;
"snapshot status") echo '{"hash":1,"revision":7,"totalKey":1,"totalSize":16384}' ;;
"snapshot restore")
    for word; do case "$word" in --data-dir=*) into=${word#*=} ;; esac; done
    mkdir "$into" "$into/member" "$into/member/snap" "$into/member/wal"
    echo new >"$into/member/snap/db"
    echo new >"$into/member/wal/0.wal" ;;
esac
"""


class Stand:
    """A data dir with something in it, a snapshot and tools that are quick."""

    def __init__(self):
        # in memory: what is flushed some thousand times is not the disk that is tested
        self.folder = tempfile.mkdtemp(prefix="granary-", dir="/dev/shm")
        self.data, self.tools, self.scratch = (f"{self.folder}/{name}" for name in ("data", "tools", "scratch"))
        os.makedirs(f"{self.folder}/was/member/snap")
        os.makedirs(f"{self.folder}/was/lost+found")
        os.mkdir(f"{self.folder}/was/member/wal")
        for name in ("member/snap/db", "member/wal/0.wal", "member_id", "other"):
            with open(f"{self.folder}/was/{name}", "w") as file:
                file.write(f"old {name}")
        for root, folders, files in os.walk(f"{self.folder}/was"):
            for name in [".", *folders, *files]:
                os.chown(os.path.join(root, name), 1001, 1002)
        os.chmod(f"{self.folder}/was/member", 0o750)
        os.mkdir(self.tools)
        os.mkdir(self.scratch)
        for name in ("etcdctl", "etcdutl"):
            with open(f"{self.tools}/{name}", "w") as file:
                file.write(FAKE)
            os.chmod(f"{self.tools}/{name}", 0o755)
        with open(f"{self.folder}/snapshot.db", "wb") as file:
            content = bytes(16384)
            file.write(content + hashlib.sha256(content).digest())
        self.words = ["--file", f"{self.folder}/snapshot.db", "--data-dir", self.data, "--name", "a", "--initial-cluster",
                      "a=http://127.0.0.1:1", "--bump-revision", "0", "--tools", self.tools, "--scratch", self.scratch]
        self.template = f"{self.folder}/was"
        self.old = without_ours(self.template)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def reset(self):
        shutil.rmtree(self.data, ignore_errors=True)
        subprocess.run(["cp", "-a", self.template, self.data], check=True)

    def begin_restored(self):
        """From now on a reset gives a data dir in which a restore was made."""
        self.reset()
        run(*self.words)
        self.template = f"{self.folder}/restored"
        subprocess.run(["cp", "-a", self.data, self.template], check=True)

    def killed(self, number, *words):
        """Runs until before the call of that number; how many there were when it ended by itself."""
        count = f"{self.folder}/count"
        done = subprocess.run([AGENT, "etcd-restore", *words], stdin=subprocess.DEVNULL, capture_output=True,
                              env={"LD_PRELOAD": os.path.abspath(KILL_AT), "KILL_AT": str(number), "KILL_COUNT": count},
                              check=False, timeout=60 * harness.SLOW)
        if done.returncode == 0:
            with open(count) as file:
                return int(file.read())
        check_equal(done.returncode, -signal.SIGKILL, f"how it ended: {done.stderr}")
        return None

    def check_restored(self):
        now, aside = without_ours(self.data), tree(f"{self.data}/{kept(self.data)[-1]}/aside")
        check_equal({name for name in now if "/" not in name}, {"member", "lost+found"}, "the data dir")
        check_equal({what[1:3] for what in now.values()}, {(1001, 1002)}, "who owns it")
        check_equal(now["member"][0] & 0o7777, 0o750, "the mode of the member")
        with open(f"{self.data}/member/snap/db") as file:
            check_equal(file.read(), "new\n", "the database")
        check_equal({**aside, "lost+found": self.old["lost+found"]}, self.old, "what was there before")
        check(not os.path.exists(f"{self.data}/.granary-etcd"), "a restore is under way")

    def check_old(self):
        check_equal(without_ours(self.data), self.old, "the data dir")
        check(not os.path.exists(f"{self.data}/.granary-etcd"), "a restore is under way")


def kill_everywhere(stand, given, good, bad_end):
    """Kills at each call; then once it goes on, once it is done otherwise."""
    for number in itertools.count(1):
        ended = None
        for finish in (True, False):
            stand.reset()
            ended = stand.killed(number, *given)
            if finish:
                run(*given)
                good(stand)
                check("--file" not in given or not os.listdir(stand.scratch), "a kill left something in the scratch folder")
            else:
                bad_end(stand, ended is not None)
        if ended is not None:
            check(ended < number, "the calls were not counted")
            check(number > 20, f"only {number} calls")
            return


@test("ET3")
def a_killed_restore_goes_on_or_back():
    def back(stand, ended):
        """Before anything was begun there is nothing to undo."""
        begun = any(name.startswith(".granary-etcd") and os.path.exists(f"{stand.data}/{name}/journal")
                    for name in os.listdir(stand.data))
        run("--rollback", "--data-dir", stand.data, code=0 if begun else 1)
        check(begun or not ended, "it has ended and left nothing")
        for name in [] if begun else os.listdir(stand.data):
            if name == ".granary-etcd":
                shutil.rmtree(f"{stand.data}/{name}")
        stand.check_old()

    with Stand() as stand:
        kill_everywhere(stand, stand.words, Stand.check_restored, back)


@test("ET3")
def a_killed_rollback_goes_on():
    """And a restore is refused in its midst, rather than mixed with it."""
    def again(stand, ended):
        phase = os.path.exists(f"{stand.data}/.granary-etcd")
        said = run(*stand.words, code=1 if phase and not ended and under_way(stand) else 0)
        if "being undone" in said:
            run("--rollback", "--data-dir", stand.data)
            stand.check_old()
        else:
            stand.check_restored()

    def under_way(stand):
        with open(f"{stand.data}/.granary-etcd/journal") as file:
            text = file.read()
        return '"out"' in text or '"back"' in text

    with Stand() as stand:
        stand.begin_restored()
        kill_everywhere(stand, ["--rollback", "--data-dir", stand.data], Stand.check_old, again)


ON_A_MOUNT = """set -e
mount -t tmpfs none "$DATA"
cp -a "$WAS/." "$DATA/"
"$AGENT" etcd-restore "$@"
cat "$DATA/member/snap/db" "$DATA"/.granary-etcd-*/aside/member/snap/db
"$AGENT" etcd-restore --rollback --data-dir "$DATA"
cat "$DATA/member/snap/db"
"""


@test("ET3")
def the_data_dir_is_the_root_of_a_mount():
    """It can not be renamed, and its lost+found stays."""
    with Stand() as stand:
        os.mkdir(stand.data)
        environment = {"PATH": os.environ["PATH"], "DATA": stand.data, "WAS": stand.template, "AGENT": os.path.abspath(AGENT)}
        done = subprocess.run(["unshare", "--mount", "sh", "-c", ON_A_MOUNT, "sh", *stand.words], capture_output=True,
                              env=environment, check=False, timeout=60 * harness.SLOW)
        said = done.stdout.decode()
        check_equal(done.returncode, 0, done.stderr.decode())
        check("\nnew\nold member/snap/db" in said and said.endswith("old member/snap/db"), said)


def check_both(stand):
    """The other one came behind the first, which had ended."""
    with open(f"{stand.data}/member/snap/db") as file:
        check_equal(file.read(), "new\n", "the database")
    aside = tree(f"{stand.data}/{kept(stand.data)[0]}/aside")
    check_equal({**aside, "lost+found": stand.old["lost+found"]}, stand.old, "what was there before")


def mix(stand, other):
    """Kills at each call, then begins another one; how often that is refused, and how often it comes after."""
    refused = done_after = 0
    for number in itertools.count(1):
        stand.reset()
        if stand.killed(number, *stand.words) is not None:
            return refused, done_after
        done = subprocess.run([AGENT, "etcd-restore", *other], capture_output=True, env={}, check=False)
        if done.returncode != 0:
            check(b"another restore was begun here" in done.stderr, done.stderr)
            refused += 1
            run(*stand.words)
        done_after += len(kept(stand.data)) == 2
        check_both(stand)


@test("ET3")
def another_restore_does_not_mix_with_one_that_was_killed():
    with Stand() as stand:
        other = [word.replace("a=http://127.0.0.1:1", "a=http://127.0.0.1:2") for word in stand.words]
        refused, done_after = mix(stand, other)
        check(refused >= 5 and done_after >= 1, f"refused {refused} times, {done_after} came after")


@test("ET3")
def a_scratch_folder_is_nobody_elses():
    """Where all may write, somebody may have made one of that name."""
    with Stand() as stand:
        stand.reset()
        name = f"granary-etcd-{hashlib.sha256(stand.data.encode()).hexdigest()[:16]}"
        folder, other = f"{stand.scratch}/{name}", f"{stand.folder}/other"
        os.mkdir(other)
        os.symlink(other, folder)
        run(*stand.words, code=1)
        os.unlink(folder)
        os.mkdir(folder, 0o777)
        os.chmod(folder, 0o777)
        check("is somebody else's" in run(*stand.words, code=1), "a folder for all")
        os.chmod(folder, 0o700)
        os.chown(folder, 1001, 1002)
        check("is somebody else's" in run(*stand.words, code=1), "a folder of another user")
        check(os.path.isdir(folder), "it was removed")
        stand.check_old()
        shutil.rmtree(folder)
        with open(f"{stand.scratch}/of-others", "w"):
            run(*stand.words)
        check_equal(os.listdir(stand.scratch), ["of-others"], "what others have there stays")


@test("ET2 ET3")
def a_tool_that_fails_changes_nothing():
    with Stand() as stand:
        for line in ("exit 1", "kill -9 $$", "mkdir \"$into\"; echo half >\"$into/member\"; exit 1", "true"):
            stand.reset()
            with open(f"{stand.tools}/etcdutl", "w") as file:
                # the proof in the scratch folder goes well
                file.write(FAKE.replace("    mkdir \"$into\" ", f"    case \"$into\" in */made) {line}; exit ;; esac\n"
                                        "    mkdir \"$into\" "))
            run(*stand.words, code=1)
            stand.check_old()
            check_equal(kept(stand.data), [], "what is kept")
