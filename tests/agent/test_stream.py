"""Work of kind stream: what a command writes comes from the agent API and goes into the repository, whole or not at all."""

import os

import stream_frames
from agent_api import Refuse, Stream
from harness import check_equal, temporary_folder, test
from running import Agent, api, fails, restic, snapshots, succeeds, work

DATA = os.urandom(3 << 20)
WHOLE = stream_frames.write(DATA)


def stream_work(repository):
    return work(repository, kind="stream", backup={"paths": ["/dump"], "tags": ["target:apps/Deployment/shop/db"]})


def step(server):
    return Agent("step", addresses=[server.address])


def stored(repository):
    return [restic(repository, "dump", "--no-lock", one["id"], "/dump").stdout for one in snapshots(repository)]


@test("-")
def what_a_command_writes_is_one_snapshot():
    repository = temporary_folder()
    with api() as server, step(server) as agent:
        server.answers["/v1/stream"] = Stream(WHOLE[:5], WHOLE[5:9], WHOLE[9:70000], WHOLE[70000:])
        report = succeeds(server, agent, stream_work(repository))
        agent.ends(0)
        check_equal([one["path"] for one in report["snapshots"]], ["/dump"], "path")
        asked, = [message for path, message, _ in server.asked if path == "/v1/stream"]
        check_equal((asked["session"], asked["host"], asked["attempt"], asked["turn"]),
                    (report["session"], "host-0", 1, 1), "what was asked")
    check_equal(stored(repository) == [DATA], True, "content")


@test("-")
def what_is_not_whole_is_no_snapshot():
    rows = (
        ("DumpFailed", ("exit status 3", "disk full"), stream_frames.write(DATA, 3, b"warning: x\nerror: disk full\n")),
        ("DumpFailed", ("rolebinding granary-hooks",), stream_frames.write(b"", -1, b"kubectl create rolebinding granary-hooks")),
        ("DumpFailed", ("wrote nothing",), stream_frames.write(b"")),
    )
    for reason, words, sent in rows:
        repository = temporary_folder()
        with api() as server, step(server) as agent:
            server.answers["/v1/stream"] = Stream(sent)
            fails(server, agent, stream_work(repository), reason, *words)
            agent.ends(1)
            check_equal(len([1 for path, _, _ in server.asked if path == "/v1/stream"]), 1, "what failed is not repeated")
        check_equal(len(snapshots(repository)), 0, "snapshots")


@test("-")
def what_was_cut_or_changed_is_no_snapshot():
    flipped = bytearray(WHOLE)
    flipped[len(WHOLE) // 2] ^= 4
    repository = temporary_folder()
    with api() as server, step(server) as agent:
        server.once["/v1/stream"] = [Stream(bytes(flipped)), Stream(WHOLE + b"x"), Stream(WHOLE[:-1]), Stream(WHOLE[:2 << 20])]
        fails(server, agent, stream_work(repository), "StreamCut", "trailer")
        agent.ends(1)
        agent.says("changed on its way")
        agent.says("follows the end")
        check_equal([message["turn"] for path, message, _ in server.asked if path == "/v1/stream"], [1, 2, 3, 4], "turns")
    check_equal(len(snapshots(repository)), 0, "snapshots")


@test("-")
def a_leader_that_is_lost_costs_a_turn():
    repository = temporary_folder()
    with api() as server, step(server) as agent:
        server.once["/v1/stream"] = [Refuse(503, "not the leader", after=1), Stream(WHOLE[:1 << 20]), None, Stream(WHOLE)]
        succeeds(server, agent, stream_work(repository))
        agent.ends(0)
        turns = [message["turn"] for path, message, _ in server.asked if path == "/v1/stream"]
        check_equal(turns, [1, 1, 2, 3], "turns")
    check_equal(stored(repository) == [DATA], True, "content")
    check_equal(restic(repository, "check", "--no-lock").returncode, 0, "check")


@test("-")
def what_is_refused_for_good_fails():
    with api() as server, step(server) as agent:
        server.answers["/v1/stream"] = Refuse(409, "this stream was taken before")
        fails(server, agent, stream_work(temporary_folder()), "StreamRefused", "taken before")
        agent.ends(1)
