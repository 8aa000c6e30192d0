"""Restores before an application starts: what it may start on, and what must never happen to its data."""

import os
import shutil
import subprocess

from agent_api import Refuse
from harness import check, check_equal, eventually, temporary_folder, test, write
from running import (RESTIC, Agent, api, fails, fill, give, picture, restic, restore, same, snapshots, succeeds, uid, work)

XATTR = "user.granary.restore"


def mount_list(*folders):
    """A list of mounts with these volumes and what every container has."""
    path = os.path.join(temporary_folder(), "mountinfo")
    with open(path, "w") as file:
        for folder in ("/", "/proc", "/etc/hosts", *folders):
            file.write(f"36 35 98:0 / {folder} rw,noatime - ext4 /dev/x rw\n")
    return f"--mountinfo={path}"


def session(identity):
    return ["--session=s", "--session-namespace=n", f"--session-uid={identity}"]


def mark(folder):
    """The mark of a volume, wherever it is."""
    try:
        return os.getxattr(folder, XATTR).decode()
    except OSError:
        pass
    try:
        with open(f"{folder}/.granary-restore") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def put_mark(folder, text):
    try:
        os.setxattr(folder, XATTR, text.encode())
    except OSError:
        with open(f"{folder}/.granary-restore", "w") as file:
            file.write(text)


def backed_up(*folders, host="host-0"):
    """A repository with one snapshot of each folder."""
    repository = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, *folders, host=host))
    return repository


def restoring(server):
    """An agent that does every restore it is given: none is the session that it waits for."""
    return Agent("init", *session(uid()), "--mountinfo=/dev/null", addresses=[server.address])


def destroy(folder):
    for name in os.listdir(folder):
        subprocess.run(["rm", "-rf", "--", os.path.join(folder, name)], check=True)


@test("RS13")
def a_volume_is_marked_before_and_after():
    data = fill(temporary_folder())
    put_mark(data, "done an-older-session")
    repository, before = backed_up(data), picture(data)
    destroy(data)
    given = restore(repository, {"paths": [data]})
    words = [*session(given["session"]["uid"]), mount_list(data)]
    seen = []
    with api() as server:
        server.answers["/v1/report"] = lambda message: seen.append(mark(data)) or {"recorded": True}
        server.answers["/v1/progress"] = {"continue": True}
        with Agent("init", *words, addresses=[server.address]) as agent:
            succeeds(server, agent, given)
            agent.ends(0)
            agent.says("marks say that the application may start")
        check_equal(seen, [f"done {given['session']['uid']}"], "mark when it is reported")
        same(picture(data), before)
    # a later start asks nobody; another session does
    with Agent("init", *words, addresses=[]) as agent:
        agent.ends(0)
    with Agent("init", *session(uid()), mount_list(data), addresses=["127.0.0.1:1"]) as agent:
        agent.says("no work can be claimed")
        check(agent.process.poll() is None, "another session passes")
        agent.ends(1, number=15)


@test("RS13")
def what_a_broken_restore_left_is_never_started_on():
    data, identity = fill(temporary_folder()), uid()
    repository = backed_up(data)
    before = picture(data)
    destroy(data)
    given = restore(repository, {"paths": [data]})
    given["session"]["uid"] = identity
    for words in ([*session(identity), mount_list(data)], ["--restore-if-exists", mount_list(data)]):
        put_mark(data, f"restoring {identity}")
        with open(f"{data}/half", "w") as file:
            file.write("of it")
        with Agent("init", *words, addresses=["127.0.0.1:1"]) as agent:
            agent.says("no work can be claimed")
            check(agent.process.poll() is None, "it passes")
            agent.ends(1, number=15)
    # the next container finishes it
    given["restore"]["ifExists"] = True
    with api() as server, Agent("init", "--restore-if-exists", mount_list(data), addresses=[server.address]) as agent:
        succeeds(server, agent, given)
        agent.ends(0)
    os.remove(f"{data}/half")
    check_equal({name for name, what in picture(data).items() if before[name] != what}, set(), "differences")


@test("PF7")
def a_restore_that_is_killed_is_done_again():
    data = temporary_folder()
    for number in range(40):
        with open(f"{data}/{number}", "wb") as file:
            file.write(os.urandom(1 << 20))
    repository, before = backed_up(data), picture(data)
    destroy(data)
    given = restore(repository, {"paths": [data]})
    words = [*session(given["session"]["uid"]), mount_list(data)]
    with api() as server:
        with Agent("init", *words, addresses=[server.address]) as agent:
            server.work.put(given)
            eventually(lambda: any(name != ".granary-restore" for name in os.listdir(data)), "files")
            agent.process.kill()
            agent.process.wait()
        if not mark(data).startswith("done"):  # it may have been quicker than we
            check_equal(mark(data), f"restoring {given['session']['uid']}", "mark")
            with Agent("init", *words, addresses=[server.address]) as agent:
                succeeds(server, agent, given)
                agent.ends(0)
    same(picture(data), before)


@test("-")
def only_an_empty_volume_is_restored_if_exists():
    used, empty = fill(temporary_folder()), fill(temporary_folder())
    repository, before, wanted = backed_up(used, empty), picture(used), picture(empty)
    destroy(empty)
    os.mkdir(f"{empty}/lost+found")
    os.remove(f"{used}/plain")
    del before[b"plain"]
    words = ["--restore-if-exists", mount_list(used, empty)]
    given = restore(repository, {"paths": [used, empty]})
    given["restore"]["ifExists"] = True
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
        report = succeeds(server, agent, given)
        check_equal([made["path"] for made in report["snapshots"]], [empty], "restored")
        agent.says("in use and left alone")
        agent.ends(0)
    check(b"plain" not in picture(used), "the volume in use is left alone")
    check_equal(sorted(set(picture(empty)) - {b"lost+found"}), sorted(wanted), "names")
    # volumes full of data pass without asking, and stay unmarked
    with Agent("init", *words, addresses=[]) as agent:
        agent.ends(0)
    check_equal(mark(used), "", "mark of the volume in use")


@test("-")
def an_empty_volume_starts_fresh_when_told_so():
    data = temporary_folder()
    words = ["--restore-if-exists", mount_list(data)]
    with Agent("init", *words, addresses=["127.0.0.1:1"]) as agent:
        agent.says("no work can be claimed")
        check(agent.process.poll() is None, "it passes without knowing")
        agent.ends(1, number=15)
    check_equal(mark(data), "", "mark")
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
        server.work.put({"pass": True})
        agent.ends(0)
    check_equal(mark(data), "done fresh", "mark")
    with Agent("init", *words, addresses=[]) as agent:
        agent.ends(0)


@test("RS13")
def a_restore_that_failed_holds_the_application():
    data = fill(temporary_folder())
    repository = backed_up(data)
    given = restore(repository, {"paths": [data]}, environment=[{"name": "RESTIC_PASSWORD", "value": "another"}])
    words = [*session(given["session"]["uid"]), mount_list(data)]
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
        fails(server, agent, given, "WrongPassword")
        check_equal(mark(data), "", "nothing was touched")
        claims = server.wait("/v1/claim", 2)
        check_equal({(claim["role"], claim["session"]) for claim in claims}, {("init", given["session"]["uid"])}, "claims")
        check(agent.process.poll() is None, "the application starts")
        for code in (401, 503, 404, 409):
            server.once.setdefault("/v1/claim", []).append(Refuse(code))
        server.work.put({"pass": True})  # somebody said: start anyway
        agent.ends(0)


@test("RS13")
def rules_are_followed():
    data, other = fill(temporary_folder()), fill(temporary_folder())
    repository = backed_up(data, host="db-1")
    (first,) = snapshots(repository)
    with open(f"{data}/plain", "a") as file:
        file.write("more")
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data, host="db-1"))
        fails(server, agent, restore(repository, {"paths": [data]}), "WorkNotUnderstood", "running application")
    with api() as server, restoring(server) as agent:
        os.remove(f"{data}/plain")

        def again(rule, reason=None):
            given = restore(repository, rule)
            return fails(server, agent, given, reason) if reason else succeeds(server, agent, given)

        def plain():
            with open(f"{data}/plain") as file:
                return file.read()

        again({"paths": [data], "sourceHost": "db-1"})
        check_equal(plain(), "hello\nmore", "the newest")
        again({"paths": [data], "sourceHost": "db-1", "asOf": first["time"]})
        check_equal(plain(), "hello\n", "as of")
        again({"snapshots": ["latest"]})
        check_equal(plain(), "hello\nmore", "latest")
        again({"snapshots": [first["id"][:10]]})
        check_equal(plain(), "hello\n", "by the beginning of its id")
        destroy(data)
        again({"paths": [data], "sourceHost": "db-1", "include": [f"{data}/deep"]})
        check_equal(os.listdir(data), ["deep"], "include")
        destroy(data)
        again({"paths": [data], "sourceHost": "db-1", "exclude": ["deep", "n*"]})
        check("deep" not in os.listdir(data) and "none" not in os.listdir(data) and "plain" in os.listdir(data), "exclude")
        again({"paths": [data]}, reason="NoSnapshot")
        again({"paths": [other], "sourceHost": "db-1"}, reason="NoSnapshot")
        again({"paths": [data], "sourceHost": "db-1", "asOf": "2020-01-01T00:00:00Z"}, reason="NoSnapshot")
        again({"snapshots": ["0000000000"]}, reason="NoSnapshot")
        again({"paths": [data], "sourceHost": "db-1", "include": ["nothing-like-it"]}, reason="NothingRestored")
        again({}, reason="NothingRestored")
        fails(server, agent, restore(repository), "NothingRestored")
        fails(server, agent, restore(temporary_folder(), {"paths": [data]}, repository={
            "url": temporary_folder()}), "RepositoryMissing")


@test("RS13")
def files_of_several_names_are_restored_over_others():
    """restic alone leaves zeros there, and says that all went well."""
    data, outside = temporary_folder(), temporary_folder()
    os.mkdir(f"{data}/deep")
    with open(f"{data}/one", "wb") as file:
        file.write(os.urandom(3 << 20))
    os.link(f"{data}/one", f"{data}/deep/two")
    with open(f"{data}/alone", "w") as file:
        file.write("alone")
    repository, before = backed_up(data), picture(data)
    for name in ("one", "alone"):
        with open(f"{data}/{name}", "a") as file:
            file.write("more")
    os.link(f"{data}/alone", f"{outside}/kept")
    os.link(f"{data}/one", f"{data}/new")
    with api() as server, restoring(server) as agent:
        for _ in range(2):
            succeeds(server, agent, restore(repository, {"paths": [data]}))
            now = picture(data)
            now.pop(b"new")
            same(now, before)
    with open(f"{outside}/kept") as file:
        check_equal(file.read(), "alonemore", "a name outside of the volume keeps what it had")
    check_equal(os.path.getsize(f"{data}/new"), (3 << 20) + 4, "a name that no snapshot has")


@test("RS13")
def a_link_is_no_way_out_of_the_volume():
    data, outside = temporary_folder(), temporary_folder()
    os.mkdir(f"{data}/sub")
    with open(f"{data}/sub/file", "w") as file:
        file.write("from the backup")
    repository = backed_up(data)
    destroy(data)
    os.symlink(outside, f"{data}/sub")
    with api() as server, restoring(server) as agent:
        succeeds(server, agent, restore(repository, {"paths": [data]}))
    check_equal(os.listdir(outside), [], "what is outside")
    check_equal(os.listdir(f"{data}/sub"), ["file"], "what is inside")


@test("RS8")
def a_volume_that_is_too_small():
    data, volume = temporary_folder(), temporary_folder()
    with open(f"{data}/big", "wb") as file:
        file.write(os.urandom(8 << 20))
    repository = backed_up(data)
    (made,) = snapshots(repository)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "granary", data], check=True)
    try:
        given = restore(repository, {"snapshots": [made["id"]]})
        words = [*session(given["session"]["uid"]), mount_list(data, volume)]
        with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
            report = fails(server, agent, given, "DiskFull")
            check("big" in report["error"]["message"] or "space" in report["error"]["message"], report)
            check_equal(mark(data), f"restoring {given['session']['uid']}", "mark")
            agent.ends(1, number=15)
    finally:
        subprocess.run(["umount", data], check=True)
    check_equal(restic(repository, "check", "--no-lock").returncode, 0, "the repository is valid")


USER = 65532


def as_user(program):
    """A copy of restic that anybody may run: the cache of tools may be another user's."""
    folder = temporary_folder()
    shutil.copy(program, f"{folder}/restic")
    give(folder, USER)
    return f"{folder}/restic"


@test("RS13")
def what_only_root_may_set_is_said():
    """Who restores as the user that owns the volume can not give a file away: restic passes over that in silence."""
    data = temporary_folder()
    for name, mode in (("mine", 0o640), ("theirs", 0o600), ("odd\nname", 0o4755), ("link", None)):
        if mode is None:
            os.symlink("mine", f"{data}/{name}")
        else:
            write(f"{data}/{name}", name)
            os.chmod(f"{data}/{name}", mode)
    give(data, USER)
    repository, before = backed_up(data), picture(data)
    for name, user in (("theirs", 1234), ("odd\nname", 0), ("link", 1234)):
        os.lchown(f"{data}/{name}", user, user)
    os.chmod(f"{data}/odd\nname", 0o4755)
    other = backed_up(data)
    for place in (repository, other):
        give(place, USER)
    program = as_user(RESTIC)
    for place, wanted in ((repository, None), (other, 3)):
        destroy(data)
        given = restore(place, {"paths": [data]})
        mounts = mount_list(data)
        give(os.path.dirname(mounts.split("=")[1]), USER)
        words = [*session(given["session"]["uid"]), mounts]
        with api() as server, Agent("init", *words, addresses=[server.address], user=USER, restic=program) as agent:
            report = succeeds(server, agent, given)
            agent.ends(0)
        if wanted is None:
            check("note" not in report, f"{report}")
            same(picture(data), before)
            continue
        check(f"owner or mode of {wanted} files" in report["note"] and "fileAccess: Root" in report["note"], f"{report}")
        for piece in (f"{data}/theirs (1234:1234 0600)", f"{data}/odd?name (0:0 4755)", f"{data}/link (1234:1234 "):
            check(any(piece in line for line in agent.lines), f"{piece}: {agent.lines[-6:]}")
        check_equal({name: os.lstat(f"{data}/{name}").st_uid for name in os.listdir(data) if name != ".granary-restore"},
                    {name: USER for name in ("mine", "theirs", "odd\nname", "link")}, "owners")
