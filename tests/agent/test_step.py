"""The agent in a Job: one piece of work, and an end that says what became of it."""

import os

from agent_api import Refuse
from harness import check, check_equal, temporary_folder, test
from running import Agent, api, fails, fill, picture, restore, same, snapshots, succeeds, work
from test_restore import mark, mount_list


def step(server, *words):
    return Agent("step", *words, addresses=[server.address])


@test("-")
def a_step_backs_up_and_restores():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, step(server) as agent:
        succeeds(server, agent, work(repository, data))
        agent.ends(0)
        agent.says("the work of this Job is done")
        claims = [message for path, message, _ in server.asked if path == "/v1/claim"]
        check_equal({claim["role"] for claim in claims}, {"job"}, "role")
        check_equal(len(snapshots(repository)), 1, "snapshots")
    before = picture(data)
    os.unlink(f"{data}/plain")
    os.unlink(f"{data}/deep/hard")
    with api() as server, step(server, mount_list(data)) as agent:
        given = restore(repository, {"paths": [data]})
        succeeds(server, agent, given)
        agent.ends(0)
    same(picture(data), before)
    check("done" in mark(data) and given["session"]["uid"] in mark(data), f"mark {mark(data)!r}")
    check_equal(os.listdir(agent.scratch) if os.path.isdir(agent.scratch) else [], [], "what is left of restic's cache")


@test("-")
def a_step_that_fails_says_so_and_ends_with_1():
    with api() as server, step(server) as agent:
        fails(server, agent, work(temporary_folder(), "/nonexistent/path"), "PathMissing")
        agent.ends(1)
        agent.says("its work failed")


@test("-")
def a_step_without_work_ends_with_1():
    for code, message in ((404, "the session is not there"), (410, "the session has ended"), (409, "not this one")):
        with api() as server:
            server.once["/v1/claim"] = [Refuse(code, message)]
            with step(server) as agent:
                agent.ends(1)
                agent.says("ends without success")
                agent.says(message)
    with api() as server, step(server) as agent:
        server.work.put({"pass": True})
        agent.ends(1)
        agent.says("there is no such work")
    with api() as server, step(server) as agent:
        server.wait("/v1/claim")
        agent.ends(1, number=15)
        agent.says("it was told to end")


@test("-")
def a_step_outlives_controllers():
    """None there, one that does not lead, one that goes while it waits and one that goes before the report is taken."""
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server:
        server.once["/v1/claim"] = [None, Refuse(503, "not the leader"), {}]
        server.once["/v1/report"] = [None, Refuse(503, "not the leader"), {"recorded": False}]
        with step(server) as agent:
            server.work.put(work(repository, data))
            agent.ends(0)
        check_equal(len(snapshots(repository)), 1, "snapshots")
        reports = [message for path, message, _ in server.asked if path == "/v1/report"]
        check(len(reports) >= 4 and all(report == reports[0] for report in reports), f"reports {reports}")


@test("-")
def a_result_that_nobody_takes_is_no_success():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, step(server) as agent:
        server.answers["/v1/report"] = Refuse(410, "the session has ended")
        server.work.put(work(repository, data))
        agent.ends(1)
        agent.says("nobody took the result")


@test("-")
def a_session_that_is_cancelled_ends_its_step():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, step(server) as agent:
        server.answers["/v1/progress"] = {"continue": False, "reason": "past its deadline"}
        server.work.put(work(repository, data))
        report = server.wait("/v1/report")[0]
        check_equal((report["outcome"], report["error"]["reason"]), ("Failed", "Cancelled"), "report")
        agent.ends(1)
