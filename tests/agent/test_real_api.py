"""The agent against the agent API as the controller serves it: both sides of docs/agent-api.md."""

import harness
from harness import check, check_equal, eventually, temporary_folder, test
from running import Agent, fill, restic, snapshots, work
from test_agent_api import POD, Desk, token

# what is imported for its server brings tests of its own, which run elsewhere
harness.TESTS[:] = [entry for entry in harness.TESTS if entry[1].__module__ != "test_agent_api"]


def agent_of(desk, *words):
    return Agent(*words, addresses=[f"localhost:{desk.port}"], token=token())


@test("AG1")
def the_real_server_hands_out_work():
    data, repository = fill(temporary_folder()), temporary_folder()
    with Desk() as desk, agent_of(desk, "sidecar") as agent:
        eventually(lambda: desk.fact("waiting") == 1, "the claim waits")
        desk.work(POD.format(1), {"work": work(repository, data)})
        desk.tell("wake")
        eventually(lambda: ["report", POD.format(1), "web"] in desk.seen(), "a report")
        desk.tell("work", POD.format(1))
        agent.says("work succeeded")
        check_equal([one["paths"] for one in snapshots(repository)][0], [data], "snapshot")
        check(["progress", POD.format(1), "web"] in desk.seen(), "progress")
        check_equal(restic(repository, "check", "--no-lock").returncode, 0, "check")
        desk.tell("refuse", "claim", "503", "not the leader")
        desk.tell("wake")
        agent.says("not the leader")
        check(agent.process.poll() is None, "it goes on")
        agent.ends(0, harness.AT_ONCE_S, number=15)


@test("AG4")
def refusals_of_the_real_server_are_understood():
    with Desk() as desk:
        desk.tell("refuse", "trigger", "410", "the slot is over")
        with agent_of(desk, "trigger") as agent:
            agent.ends(1)
            agent.says("the slot is over")
        for signature in ("bad", "down"):
            with Agent("trigger", "--deadline=3s", addresses=[f"localhost:{desk.port}"],
                       token=token(signature=signature)) as agent:
                agent.ends(1)
                agent.says("401" if signature == "bad" else "503")
