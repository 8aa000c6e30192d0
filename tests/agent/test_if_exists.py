"""Restore-if-exists: what comes back without anybody naming it, and what never does."""

import os

from harness import check, check_equal, eventually, temporary_folder, test
from running import (PASSWORD, Agent, api, do, fails, fill, free_port, picture, restic, restore, same, snapshots, succeeds,
                     uid, work)
from test_restore import destroy, mark, mount_list, put_mark

TARGET = "target:apps/Deployment/shop/web"
OLD, NEW, LATER = (f"{digit * 8}-0000-4000-8000-000000000001" for digit in "123")


def init(server, *folders):
    """An init container before these volumes; what it leaves behind is in .told."""
    told = os.path.join(temporary_folder(), "termination-log")
    with open(told, "w"):
        pass
    agent = Agent("init", "--restore-if-exists", mount_list(*folders), f"--result={told}",
                  addresses=[server.address] if server else [])
    agent.told = told
    return agent


def told(agent):
    with open(agent.told) as file:
        return file.read()


def given(repository, *paths, session=None, **changes):
    """What a controller says that knows of no session."""
    made = restore(repository, {"paths": list(paths)}, **changes)
    made["restore"].update({"ifExists": True, "tag": TARGET, **({"session": session} if session else {})})
    return made


def back_up(server, agent, repository, session, needed, *paths, host="host-0"):
    """One host's part of a session that has to take so many snapshots."""
    tags = [TARGET, f"session:{session}", f"snapshots:{needed}"]
    return succeeds(server, agent, work(repository, *paths, host=host, backup={"paths": list(paths), "tags": tags}))


def write(folder, text):
    with open(f"{folder}/file", "w") as file:
        file.write(text)


def read(folder):
    with open(f"{folder}/file") as file:
        return file.read()


def history(*steps):
    """A repository after sessions: (session, snapshots needed, host, paths); each writes its name into the paths."""
    repository = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        for session, needed, host, paths in steps:
            for path in paths:
                write(path, session)
            back_up(server, agent, repository, session, needed, *paths, host=host)
    return repository


@test("RS13")
def the_newest_whole_session_comes_back():
    one, two = temporary_folder(), temporary_folder()
    repository = history((OLD, 2, "host-0", [one, two]), (NEW, 2, "host-0", [one, two]),
                         (LATER, 2, "host-0", [one]))  # which failed: it did not take the other one
    destroy(one)
    destroy(two)
    with api() as server, init(server, one, two) as agent:
        report = succeeds(server, agent, given(repository, one, two))
        check_equal(sorted(made["path"] for made in report["snapshots"]), sorted([one, two]), "restored")
        check(NEW in report["note"], report)
        agent.ends(0)
        check_equal(told(agent), f"restored {NEW}", "what is told")
    check_equal([read(one), read(two)], [NEW, NEW], "what came back")
    check_equal([mark(one), mark(two)], [f"done {NEW}"] * 2, "marks")
    # a later start, also of another pod on the same volumes, asks nobody and tells the same
    with init(None, one, two) as agent:
        agent.ends(0)
        check_equal(told(agent), f"restored {NEW}", "what is told later")


@test("RS13")
def nothing_there_starts_fresh():
    data, repository = temporary_folder(), temporary_folder()
    with api() as server, init(server, data) as agent:
        report = succeeds(server, agent, given(repository, data))
        check("no repository" in report["note"] and "fresh" in report["note"], report)
        agent.ends(0)
        check_equal(told(agent), "fresh", "what is told")
    check_equal(os.listdir(repository), [], "nothing is made")
    check_equal(mark(data), "done fresh", "mark")
    # emptied again by its owner: it stays so
    with init(None, data) as agent:
        agent.ends(0)
    # a repository in which another target is alone
    other, repository = temporary_folder(), history((OLD, 1, "host-9", [temporary_folder()]))
    with api() as server, init(server, other) as agent:
        made = given(repository, other)
        made["restore"]["tag"] = "target:apps/Deployment/shop/another"
        report = succeeds(server, agent, made)
        check("no snapshot of it" in report["note"], report)
        agent.ends(0)


@test("RS13")
def a_session_that_never_was_whole_does_not_come_back():
    data = temporary_folder()
    repository = history((OLD, 2, "host-0", [data]))
    (taken,) = snapshots(repository)
    destroy(data)
    with api() as server, init(server, data) as agent:
        report = succeeds(server, agent, given(repository, data))
        check("no session" in report["note"] and taken["id"][:8] in report["note"], report)
        agent.ends(0)
    check_equal((os.listdir(data) or [".granary-restore"], mark(data)), ([".granary-restore"], "done fresh"), "volume")


@test("RS13")
def a_host_that_the_newest_session_did_not_cover_starts_fresh():
    data = temporary_folder()
    repository = history((OLD, 1, "host-1", [data]), (NEW, 1, "host-0", [data]))
    (older,) = [one for one in snapshots(repository) if one["hostname"] == "host-1"]
    destroy(data)
    with api() as server, init(server, data) as agent:
        report = succeeds(server, agent, given(repository, data, host="host-1"))
        check("did not cover" in report["note"] and older["id"][:8] in report["note"], report)
        agent.ends(0)
    check_equal(mark(data), "done fresh", "mark")


@test("RS13")
def pods_that_start_together_get_one_session():
    data = temporary_folder()
    repository = history((OLD, 2, "host-0", [data]), (OLD, 2, "host-1", [data]), (NEW, 2, "host-0", [data]),
                         (NEW, 2, "host-1", [data]))
    for session, name, content in ((NEW, f"done {NEW}", NEW), (OLD, "done fresh", None)):
        destroy(data)
        with api() as server, init(server, data) as agent:
            report = succeeds(server, agent, given(repository, data, host="host-1", session=session))
            check(content or "older session" in report["note"], report)
            agent.ends(0)
        check_equal(mark(data), name, f"mark beside pods of {session}")
        check_equal(read(data) if content else content, content, "what came back")
        put_mark(data, "none")


@test("RS13")
def it_waits_while_it_can_not_know():
    data = temporary_folder()
    repository = history((NEW, 1, "host-0", [data]))
    destroy(data)
    wrong = [{"name": "RESTIC_PASSWORD", "value": "another"}]
    with api() as server, init(server, data) as agent:
        fails(server, agent, given(repository, data, environment=wrong), "WrongPassword")
        away = given(f"rest:http://127.0.0.1:{free_port()}/", data, deadlineSeconds=2)
        check_equal(do(server, agent, away)["outcome"], "Failed", "with a storage that is not reached")
        check_equal((mark(data), agent.process.poll()), ("", None), "mark, and whether it passed")
        succeeds(server, agent, given(repository, data))
        agent.ends(0)
    check_equal(read(data), NEW, "what came back")
    check(PASSWORD not in "".join(agent.lines), "a secret is in the log")


@test("RS13")
def what_another_program_has_written_is_not_guessed():
    data, repository = temporary_folder(), temporary_folder()
    write(data, "by restic itself")
    restic(repository, "init")
    restic(repository, "backup", data, "--host=host-0")
    destroy(data)
    with api() as server, init(server, data) as agent:
        fails(server, agent, given(repository, data), "SnapshotsUntold", "RestoreSession", "granary.dev/restore-if-exists")
        check_equal((mark(data), agent.process.poll()), ("", None), "mark, and whether it passed")


@test("RS13")
def what_a_controller_names_comes_back_and_nothing_else():
    data, used, gone = fill(temporary_folder()), temporary_folder(), temporary_folder()
    write(used, "in use")
    repository = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        report = back_up(server, agent, repository, NEW, 3, data, used, gone)
        back_up(server, agent, repository, LATER, 3, gone)
    ids = [made["id"][:8] for made in report["snapshots"]]
    before = picture(data)
    destroy(data)
    write(used, "in use, and newer")
    made = restore(repository, {"snapshots": ids})
    made["restore"]["ifExists"] = True
    with api() as server, init(server, data, used) as agent:  # one volume is not there any more
        report = succeeds(server, agent, made)
        check_equal([each["path"] for each in report["snapshots"]], [data], "restored")
        agent.ends(0)
        check_equal(told(agent), "data", "what is told")
    same(picture(data), before)
    check_equal((read(used), mark(used), os.listdir(gone)), ("in use, and newer", "", []), "what was left alone")
    # a snapshot that has gone is not replaced by another one
    empty = temporary_folder()
    made = restore(repository, {"snapshots": ["00000000"]})
    made["restore"]["ifExists"] = True
    with api() as server, init(server, empty) as agent:
        fails(server, agent, made, "NoSnapshot")
        check_equal((mark(empty), agent.process.poll()), ("", None), "mark, and whether it passed")


@test("PF7")
def one_that_is_killed_is_done_again():
    data = temporary_folder()
    for number in range(40):
        with open(f"{data}/{number}", "wb") as file:
            file.write(os.urandom(1 << 20))
    repository = temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        back_up(server, agent, repository, NEW, 1, data)
    before = picture(data)
    destroy(data)
    with api() as server:
        with init(server, data) as agent:
            server.work.put(given(repository, data))
            eventually(lambda: any(name != ".granary-restore" for name in os.listdir(data)), "files")
            agent.process.kill()
            agent.process.wait()
        if not mark(data).startswith("done"):  # it may have been quicker than we
            check_equal(mark(data), f"restoring {NEW}", "mark")
            with init(server, data) as agent:
                succeeds(server, agent, given(repository, data))
                agent.ends(0)
                check_equal(told(agent), f"restored {NEW}", "what is told")
    same(picture(data), before)


@test("RS13")
def nobody_starts_on_half_of_it():
    data = temporary_folder()
    write(data, "half of it")
    put_mark(data, f"restoring {uid()}")
    with api() as server, init(server, data) as agent:
        fails(server, agent, given(temporary_folder(), data), "HalfRestored", data, "RestoreSession")
        server.work.put({"pass": True})
        agent.says("was begun and never finished")
        check_equal(agent.process.poll(), None, "whether it passed")
    check(mark(data).startswith("restoring"), "mark")
