"""Backups with real restic: what is kept, what is called a success, and how each fault is told."""

import contextlib
import os
import shutil
import subprocess
import urllib.request

import harness
from agent_api import Refuse
from harness import check, check_equal, eventually, temporary_folder, test, write
from running import (CLUSTER, PASSWORD, RESTIC, Agent, api, b64, do, fails, fill, free_port, give, locks, on_machine, picture,
                     rest_server, restic, restore, s3_server, same, snapshots, succeeds, work)

USER = 65532


def destroy(folder):
    for name in os.listdir(folder):
        subprocess.run(["rm", "-rf", "--", os.path.join(folder, name)], check=True)


def everything(url, environment=(), **changes):
    """Backup, incremental backup, destruction, restore, comparison, as a person would do it."""
    data = fill(temporary_folder())
    variables = [{"name": "RESTIC_PASSWORD", "value": PASSWORD}] + [
        {"name": name, "value": value} for name, value in dict(environment).items()]
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        first = succeeds(server, agent, work(url, data, environment=variables, **changes))
        (made,) = first["snapshots"]
        check_equal((made["path"], made["filesNew"], made["filesTotal"], first.get("initialized")),
                    (data, made["filesTotal"], made["filesTotal"], True), "first snapshot")
        with open(f"{data}/deep/new", "wb") as file:
            file.write(os.urandom(1000))
        second = succeeds(server, agent, work(url, data, environment=variables, **changes))["snapshots"][0]
        check_equal((second["filesNew"], second["filesUnmodified"], second.get("filesChanged", 0)),
                    (1, made["filesTotal"], 0), "second snapshot")
        check(second["uploadedBytes"] < 20000 < made["uploadedBytes"], f"not incremental: {first} {second}")
        listed = snapshots(url, dict(environment))
        check_equal([one["id"] for one in listed], [made["id"], second["id"]], "ids")
        check_equal({(one["hostname"], one["paths"][0]) for one in listed}, {("host-0", data)}, "host and path")
        before = picture(data)
        destroy(data)
    given = restore(url, {"paths": [data]}, environment=variables, **changes)
    del given["repository"]["initialize"]
    words = ["--session=s", "--session-namespace=n", f"--session-uid={given['session']['uid']}", "--mountinfo=/dev/null"]
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
        report = succeeds(server, agent, given)
        check_equal(report["snapshots"][0]["id"], second["id"], "restored snapshot")
        server.work.put({"pass": True})
        agent.ends(0)
    same(picture(data), before)


@test("RS10")
def a_folder_keeps_everything():
    everything(temporary_folder())


@test("RS10 RS12")
def a_rest_server_keeps_everything():
    with rest_server("--append-only") as storage:
        everything(f"rest:http://127.0.0.1:{storage.port}/some/where")


@test("RS10")
def an_s3_server_keeps_everything():
    with s3_server() as storage:
        keys = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa",
                "AWS_DEFAULT_REGION": "us-east-1"}
        everything(f"s3:http://127.0.0.1:{storage.port}/backups/shop/web", keys,
                   limits={"connections": 3, "cache": True, "nice": 5, "ioniceClass": 3})


@test("-")
def each_path_is_a_snapshot_of_its_own():
    one, two, repository = fill(temporary_folder()), fill(temporary_folder()), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        given = work(repository, one, two, backup={
            "paths": [one, two], "exclude": ["*andom", "$HOME"], "args": ["--tag a", "--exclude-caches"],
            "tags": ["target/Deployment/web", "x"]})
        report = succeeds(server, agent, given)
        check_equal([made["path"] for made in report["snapshots"]], [one, two], "paths")
        listed = snapshots(repository)
        check_equal([(made["paths"], made["tags"]) for made in listed],
                    [([path], ["target/Deployment/web", "x", "a"]) for path in (one, two)], "snapshots")
        names = restic(repository, "ls", "latest").stdout.decode()
        check("random" not in names and "/$HOME" not in names and "plain" in names, "exclude")
        marks = [mark for mark in restic(repository, "snapshots", "--no-lock") if mark["hostname"] == "granary"]
        check_equal([mark["tags"] for mark in marks], [["granary-cluster", CLUSTER]], "mark of the cluster")


@test("RS5")
def what_is_no_repository_of_ours_is_left_alone():
    data, repository = fill(temporary_folder()), temporary_folder()
    foreign = temporary_folder()
    with open(f"{foreign}/diary", "w") as file:
        file.write("x")
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        wrong = [{"name": "RESTIC_PASSWORD", "value": "another-pass-word"}]
        missing = {"url": repository, "cluster": CLUSTER}
        fails(server, agent, work(repository, data, repository=missing), "RepositoryMissing", "check bucket")
        check_equal(os.listdir(repository), [], "nothing is made without permission")
        fails(server, agent, work(foreign, data), "ForeignFolder")
        check_equal(os.listdir(foreign), ["diary"], "a foreign folder is left alone")
        # somebody was killed before him while he made it: there are folders and keys, and no config
        restic(repository, "init")
        os.unlink(f"{repository}/config")
        write(f"{repository}/data/ab/pack", "x")
        fails(server, agent, work(repository, data), "ForeignFolder")
        os.unlink(f"{repository}/data/ab/pack")
        succeeds(server, agent, work(repository, data))
        fails(server, agent, work(repository, data, environment=wrong), "WrongPassword", "RESTIC_PASSWORD")
        other = {"url": repository, "initialize": True, "cluster": "00000000-2fa1-11d2-883f-0016d3cca427"}
        fails(server, agent, work(repository, data, repository=other), "ForeignRepository", CLUSTER, "adopt")
        fails(server, agent, work("sftp:somebody@host:/x", data), "WorkNotUnderstood")
        fails(server, agent, work("relative", data), "WorkNotUnderstood")
        check_equal(len(snapshots(repository)), 1, "snapshots")


@test("RS5")
def keys_without_a_repository_on_a_server_are_told():
    with rest_server() as storage, api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        url = f"rest:http://127.0.0.1:{storage.port}/r"
        restic(url, "init")
        request = urllib.request.Request(f"http://127.0.0.1:{storage.port}/r/config", method="DELETE")
        urllib.request.urlopen(request).close()
        fails(server, agent, work(url, temporary_folder()), "RepositoryHalfMade", "keys/")


@test("RS1")
def paths_and_files_that_can_not_be_read():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        fails(server, agent, work(repository, "/nonexistent/path"), "PathMissing")
        report = fails(server, agent, work(repository, "/nonexistent/path", data), "PathMissing")
        check_equal([made["path"] for made in report["snapshots"]], [data], "the other path is kept")
        fails(server, agent, work(repository, data, backup={"paths": [data], "args": ["--password-command=touch /x"]}),
              "ArgumentRefused", "--password-command")
        variables = [{"name": "RESTIC_PASSWORD_COMMAND", "value": "touch /x"}]
        fails(server, agent, work(repository, data, environment=variables), "WorkNotUnderstood",
              "RESTIC_PASSWORD_COMMAND")


@test("RS1")
def ends_of_restic_are_told_apart():
    """A program that ends as the test says stands in for restic."""
    folder, data = temporary_folder(), temporary_folder()
    summary = '{"message_type":"summary","snapshot_id":"%s"}' % ("a" * 64)
    item = '{"message_type":"error","error":{"message":"permission denied"},"during":"archival","item":"/data/f%d"}'
    cases = [
        ("exit 0", "NoSnapshot"),
        (f"echo '{summary}'", "SnapshotNotListed"),
        (f"echo '{summary[:-2]}'", "NoSnapshot"),
        (f"head -c 11000000 /dev/zero | tr '\\0' x; echo; echo '{summary}'", "SnapshotNotListed"),
        (f"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do printf '{item}\\n' $i >&2; done; echo '{summary}'; exit 3",
         "UnreadableFiles"),
        ("echo 'panic: x' >&2; exit 2", "ResticCrashed"),
        ("exit 10", "RepositoryMissing"), ("exit 11", "RepositoryLocked"), ("exit 12", "WrongPassword"),
        ("exit 130", "Interrupted"), ("exit 77", "ResticFailed"), ("kill -9 $$", "Killed"), ("kill -11 $$", "Killed"),
        ("echo 'write /x: no space left on device' >&2; exit 1", "DiskFull"),
        (f"echo 'Fatal: https://user:{PASSWORD}@host said {PASSWORD}' >&2; exit 1", "ResticFailed"),
    ]
    for number, (script, reason) in enumerate(cases):
        program = f"{folder}/restic-{number}"
        with open(program, "w") as file:
            file.write(f'#!/bin/sh\ncase "$1" in snapshots) echo "[]"; exit 0;; esac\n{script}\n')
        os.chmod(program, 0o755)
        with api() as server, Agent("sidecar", addresses=[server.address], restic=program) as agent:
            given = work("/repo", data)
            del given["repository"]["cluster"]
            report = fails(server, agent, given, reason)
            if reason == "UnreadableFiles":
                for word in ("/data/f1,", "/data/f10 and more"):
                    check(word in report["error"]["message"], report)
    with api() as server, Agent("sidecar", addresses=[server.address], restic="/nonexistent") as agent:
        fails(server, agent, work("/repo", data), "ResticNotStarted", "No such file")


@test("RS2 RS9")
def a_lock_of_a_killed_restic_goes():
    repository = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, temporary_folder()))
        server.work.put(work(repository, endless()))
        eventually(lambda: locks(repository), "a lock")
        for child in agent.children():
            os.kill(child, 9)
        report = server.wait("/v1/report", 2)[-1]
        check_equal(report.get("error", {}).get("reason"), "Killed", "reason")
        check_equal(locks(repository), [], "locks: its owner is proven to be dead")
        check_equal(notes(agent), [], "notes")
        succeeds(server, agent, work(repository, fill(temporary_folder())))


def notes(agent):
    return [name for name in os.listdir(agent.scratch) if name.startswith("restic-runs-")]


def killed_at_work(server, repository, machine="web-0"):
    """The folder that is left of a container that was killed, with its restic."""
    scratch = temporary_folder()
    with Agent("sidecar", addresses=[server.address], machine=machine, scratch=scratch) as agent:
        server.work.put(work(repository, endless()))
        eventually(lambda: locks(repository), "a lock", 20)
        (child,) = agent.children()
        check_equal(notes(agent), [f"restic-runs-{child}"], "notes")
        agent.process.kill()
        agent.process.wait()
        eventually(lambda: not os.path.exists(f"/proc/{child}/exe"), "restic is gone", 5)
    return scratch


def left_after(server, repository, scratch, machine):
    """How many locks lie there after the next container's backup."""
    with Agent("sidecar", addresses=[server.address], machine=machine, scratch=scratch) as agent:
        succeeds(server, agent, work(repository, fill(temporary_folder())))
        return len(locks(repository)), len(notes(agent))


@contextlib.contextmanager
def neighbour(repository, machine):
    """Somebody's restic that is at work on a host of this name."""
    before = len(locks(repository))
    process = subprocess.Popen([*on_machine(machine), RESTIC, "backup", "--no-cache", "--stdin", "--quiet"],
                               stdin=subprocess.PIPE,
                               env={"RESTIC_REPOSITORY": repository, "RESTIC_PASSWORD": PASSWORD, "HOME": "/dev/null/home"})
    try:
        eventually(lambda: len(locks(repository)) > before, "its lock", 20)
        yield
    finally:
        process.communicate(b"data")
    check_equal(process.returncode, 0, "what the neighbour's restic says")


@test("RS2 RS9")
def the_next_container_removes_what_the_killed_one_left():
    repository = temporary_folder()
    with api() as server:
        with Agent("sidecar", addresses=[server.address]) as agent:
            succeeds(server, agent, work(repository, temporary_folder()))
        scratch = killed_at_work(server, repository)
        # in another pod, or without the note, nobody has proof that its owner is dead
        check_equal(left_after(server, repository, temporary_folder(), "web-0"), (1, 0), "locks, notes")
        check_equal(left_after(server, repository, temporary_folder(), "web-1"), (1, 0), "locks, notes")
        with neighbour(repository, "web-1"):
            check_equal(left_after(server, repository, scratch, "web-0"), (1, 0), "locks, notes: the neighbour's stays")
        check_equal(locks(repository), [], "locks")


@test("RS2 RS9")
def a_lock_that_nobody_knows_keeps_all():
    repository = temporary_folder()
    with api() as server:
        with Agent("sidecar", addresses=[server.address]) as agent:
            succeeds(server, agent, work(repository, temporary_folder()))
        scratch = killed_at_work(server, repository)
        with neighbour(repository, "web-0"):
            check_equal(left_after(server, repository, scratch, "web-0"), (2, 1), "locks, notes")
        check_equal(left_after(server, repository, scratch, "web-0"), (0, 0), "locks, notes")


class Alone:
    """Somebody who reads a whole repository, slowly, and lets nobody else write meanwhile."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.process = subprocess.Popen([RESTIC, "check", "--no-cache", "--read-data", "--limit-download=1"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        env={"RESTIC_REPOSITORY": self.folder, "RESTIC_PASSWORD": PASSWORD,
                                             "HOME": "/dev/null/home", "TMPDIR": temporary_folder()})
        eventually(lambda: locks(self.folder), "a lock", 30)
        return self

    def leave(self):
        """As one who has finished."""
        self.process.kill()
        self.process.wait()
        for name in locks(self.folder):
            os.unlink(f"{self.folder}/locks/{name}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.leave()


@test("RS2 RS4")
def a_backup_waits_for_who_is_alone():
    """As for a prune of another program: it is said, it is bounded, and then it goes on, or fails with the reason."""
    repository, data, folder = temporary_folder(), fill(temporary_folder()), temporary_folder()
    program = f"{folder}/restic"  # nobody waits five minutes here
    write(program, f'#!/bin/bash\nexec {RESTIC} "${{@/#--retry-lock=5m/--retry-lock=2s}}"\n')
    os.chmod(program, 0o755)
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
        with Alone(repository) as other:
            server.work.put(work(repository, data))
            (line,) = agent.says("it is waited for")
            check("--retry-lock=5m" in line and "locked exclusively by PID" in line, line)
            check_equal(len(server.wait("/v1/report")), 1, "reports while it waits")
            other.leave()
            report = server.wait("/v1/report", 2, 60)[-1]
        check_equal((report["outcome"], len(report["snapshots"])), ("Succeeded", 1), f"{report}")
        nothing_is_left(agent, repository)
    with api() as server, Agent("sidecar", addresses=[server.address], restic=program) as agent, Alone(repository):
        fails(server, agent, work(repository, data), "RepositoryLocked", "granary.dev/unlock", "locked exclusively by PID")
        agent.says("it is waited for")
        check_equal(len(locks(repository)), 1, "the lock of who is alone stays")
    check_equal(len(snapshots(repository)), 2, "snapshots")


def big(folder):
    for number in range(30):
        with open(f"{folder}/{number}", "wb") as file:
            file.write(os.urandom(1 << 20))
    return folder


def endless():
    """A folder whose backup takes minutes, all of it computing: zeros without end, and without room."""
    folder = temporary_folder()
    with open(f"{folder}/zeros", "wb") as file:
        file.truncate(4 << 40)
    return folder


def nothing_is_left(agent, repository):
    eventually(lambda: agent.children() == [], "restic is gone", 5)
    check_equal(locks(repository), [], "locks")


@test("RS9")
def what_is_cancelled_ends():
    data, repository = endless(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, temporary_folder()))
        server.answers["/v1/progress"] = lambda message: (
            {"continue": False, "reason": "somebody deleted it"} if message.get("bytesDone") else {"continue": True})
        fails(server, agent, work(repository, data), "Cancelled", "somebody deleted it")
        nothing_is_left(agent, repository)
        stages = [message["stage"] for message in server.wait("/v1/progress")]
        check_equal((stages[0], stages[-1]), ("Initialize", "Work"), "stages")
        # the work has ended elsewhere: nobody wants a report
        server.answers["/v1/progress"] = lambda message: (
            Refuse(410, "session has ended") if message.get("bytesDone") else {"continue": True})
        before = len(server.wait("/v1/report"))
        server.work.put(work(repository, data))
        agent.says("session has ended")
        server.answers["/v1/progress"] = {"continue": True}
        succeeds(server, agent, work(repository, temporary_folder()))
        check_equal(len(server.wait("/v1/report")), before + 1, "reports")
        nothing_is_left(agent, repository)


@test("-")
def a_deadline_ends_the_work():
    data, repository = endless(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, temporary_folder()))
        fails(server, agent, work(repository, data, deadlineSeconds=3), "DeadlineExceeded", "timeOut")
        nothing_is_left(agent, repository)
        fails(server, agent, work(repository, data, deadlineSeconds=0), "DeadlineExceeded")


@test("PF7")
def a_pod_that_ends_takes_restic_along():
    data, repository = endless(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, temporary_folder()))
        server.work.put(work(repository, data))
        eventually(lambda: locks(repository), "a lock")
        agent.ends(0, harness.AT_ONCE_S, number=15)
        check_equal(locks(repository), [], "locks")
    # and one that is killed: the next container goes on
    with api() as server:
        with Agent("sidecar", addresses=[server.address]) as agent:
            server.work.put(work(repository, data))
            eventually(lambda: locks(repository), "a lock")
            (child,) = agent.children()
            agent.process.kill()
            agent.process.wait()
            eventually(lambda: not os.path.exists(f"/proc/{child}/exe"), "restic is gone", 5)
        with Agent("sidecar", addresses=[server.address]) as agent:
            succeeds(server, agent, work(repository, temporary_folder()))


@test("PF8")
def restic_ends_before_the_kernel_ends_us():
    data, repository = endless(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        fails(server, agent, work(repository, data, limits={"memoryBytes": 20 << 20}), "OutOfMemory",
              "limits.memory")
        check(agent.process.poll() is None, "the agent goes on")


@test("RS8")
def a_full_disk_is_told():
    data, mount = big(temporary_folder()), temporary_folder()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "granary", mount], check=True)
    try:
        with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
            succeeds(server, agent, work(mount, temporary_folder()))
            for _ in range(3):  # restic itself does not always end
                fails(server, agent, work(mount, data), "DiskFull", "make room")
        check_equal(restic(mount, "check", "--no-lock").returncode, 0, "the repository is valid")
    finally:
        subprocess.run(["umount", mount], check=True)


@test("RS7")
def a_storage_that_is_not_reached():
    data = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        url = f"rest:http://127.0.0.1:{free_port()}/"
        # restic says why only when it has begun, which takes its time on a busy machine
        for seconds in (4, 16, 64):
            report = fails(server, agent, work(url, data, deadlineSeconds=seconds), "DeadlineExceeded")
            if "connection refused" in report["error"]["message"]:
                break
        check("connection refused" in report["error"]["message"], f"{report}")
        with s3_server() as storage:
            wrong = [{"name": "RESTIC_PASSWORD", "value": PASSWORD}, {"name": "AWS_ACCESS_KEY_ID", "value": "key-id-1"},
                     {"name": "AWS_SECRET_ACCESS_KEY", "value": "not-the-key"}]
            report = fails(server, agent, work(f"s3:http://127.0.0.1:{storage.port}/bucket", data, environment=wrong),
                           "AccessDenied")
            check("not-the-key" not in str(report), "secret")


@test("SC4")
def a_report_is_sent_until_it_is_taken():
    data, repository = temporary_folder(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        server.once["/v1/report"] = [Refuse(503), None, {"recorded": False}]
        server.work.put(work(repository, data))
        reports = server.wait("/v1/report", 4)
        check(all(report == reports[0] for report in reports), "the same report")
        check_equal(len(snapshots(repository)), 1, "the backup is not made again")
        for code in (404, 409, 410, 422):
            server.once["/v1/report"] = [Refuse(code)]
            do(server, agent, work(repository, data))
        succeeds(server, agent, work(repository, data))
        agent.says("report refused")


@test("-")
def secrets_stay_in_restic():
    """With a restic that waits: nobody's command line and nobody's environment but its own holds a key."""
    data, repository, folder = temporary_folder(), temporary_folder(), temporary_folder()
    program = f"{folder}/restic"
    with open(program, "w") as file:
        file.write('#!/bin/sh\n[ "$1" != snapshots ] || { echo "[]"; exit 0; }\n'
                   f'cat "$GOOGLE_APPLICATION_CREDENTIALS" > {folder}/seen; env > {folder}/env.new; mv {folder}/env.new {folder}/env; sleep 3; exit 1\n')
    os.chmod(program, 0o755)
    given = work(repository, data, files=[{"name": "google.json", "data": b64("file-secret-5511")}])
    given["environment"].append({"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "$GRANARY_FILES/google.json"})
    del given["repository"]["cluster"]
    own = {"HTTPS_PROXY": "http://proxy:1", "OTHER_SECRET": "other-secret-22", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    with api() as server, Agent("sidecar", addresses=[server.address], restic=program, environment=own) as agent:
        server.work.put(given)
        eventually(lambda: os.path.exists(f"{folder}/env"), "restic runs")
        (child,) = agent.children()
        for process in (agent.process.pid, child):
            with open(f"/proc/{process}/cmdline", "rb") as file:
                words = file.read()
            check(PASSWORD.encode() not in words and b"file-secret" not in words, words)
        with open(f"/proc/{agent.process.pid}/environ", "rb") as file:
            check(PASSWORD.encode() not in file.read(), "environment of the agent")
        with open(f"{folder}/seen") as file:
            check_equal(file.read(), "file-secret-5511", "credentials file")
        with open(f"{folder}/env") as file:
            names = {line.split("=")[0] for line in file} - {"PWD", "_", "SHLVL", "OLDPWD"}
        wanted = {"PATH", "HOME", "TMPDIR", "RESTIC_CACHE_DIR", "RESTIC_REPOSITORY", "RESTIC_PROGRESS_FPS",
                  "HTTPS_PROXY", "RESTIC_PASSWORD", "GOOGLE_APPLICATION_CREDENTIALS"}
        check_equal(names - {"GOMEMLIMIT", "GOGC"}, wanted, "environment of restic")
        for root, _, files in os.walk(agent.folder):
            for name in files:
                with open(os.path.join(root, name), "rb") as file:
                    content = file.read()
                check(PASSWORD.encode() not in content and b"file-secret" not in content, f"a secret in {name}")
        server.wait("/v1/report")
        check("file-secret" not in "".join(agent.lines), "log")


@test("-")
def an_agent_that_is_not_root():
    data, repository, folder = fill(temporary_folder()), temporary_folder(), temporary_folder()
    program = f"{folder}/restic"
    with open(program, "w") as file:
        file.write(f'#!/bin/sh\n[ -s "$RESTIC_CACERT" ] && cat /proc/self/oom_score_adj > {folder}/adj\nexec {folder}/real "$@"\n')
    os.chmod(program, 0o755)
    shutil.copy(RESTIC, f"{folder}/real")  # the cache may be another user's
    for one in (data, repository, folder):
        give(one, USER)
    with open(f"{data}/unreadable", "w") as file:
        file.write("of root")
    os.chmod(f"{data}/unreadable", 0o600)
    with open(harness.WORLD.ca.cert) as file:
        files = [{"name": "ca.crt", "data": b64(file.read())}]
    variables = [{"name": "RESTIC_PASSWORD", "value": PASSWORD},
                 {"name": "RESTIC_CACERT", "value": "$GRANARY_FILES/ca.crt"}]
    with api() as server, Agent("sidecar", addresses=[server.address], user=USER, restic=program) as agent:
        fails(server, agent, work(repository, data, environment=variables, files=files), "UnreadableFiles", "unreadable")
        os.remove(f"{data}/unreadable")
        succeeds(server, agent, work(repository, data, environment=variables, files=files))
        with open(f"{folder}/adj") as file:
            check_equal(file.read(), "1000\n", "whom the kernel would choose")


@test("-")
def a_restarted_container_begins_anew():
    with api() as server:
        instances = set()
        for _ in range(2):
            with Agent("sidecar", addresses=[server.address]) as agent:
                before = len([1 for path, _, _ in server.asked if path == "/v1/claim"])
                instances.add(server.wait("/v1/claim", before + 1)[-1]["instance"])
                agent.ends(0, harness.AT_ONCE_S, number=15)
        check_equal(len(instances), 2, "instances")
