"""The agent and the agent API: trigger, addresses, refusals, certificates, tokens."""

import os
import time

import harness
from agent_api import Refuse
from harness import check, check_equal, test, write
from running import Agent, AgentApi, api, free_port


@test("-")
def trigger_asks_once():
    with api() as server, Agent("trigger", addresses=[server.address]) as agent:
        agent.ends(0)
        ((path, message, token),) = server.asked
        check_equal((path, token), ("/v1/trigger", "Bearer token-of-the-pod"), "request")
        check_equal(sorted(message), ["agentVersion"], "message")
        agent.says("session made")


@test("-")
def trigger_asks_until_it_is_answered():
    with api() as server:
        server.once["/v1/trigger"] = [Refuse(503), None, Refuse(401), Refuse(429, after=1), {"nonsense": 1}]
        with Agent("trigger", addresses=[server.address], token=" t \n") as agent:
            agent.ends(0)
        check_equal(len(server.asked), 6, "requests")
        check_equal(server.asked[0][2], "Bearer t", "token")


@test("-")
def trigger_gives_up():
    for code in (400, 404, 410, 422):
        with api() as server:
            server.answers["/v1/trigger"] = Refuse(code, "no such slot")
            with Agent("trigger", addresses=[server.address]) as agent:
                agent.ends(1)
                agent.says("no such slot")
            check_equal(len(server.asked), 1, "requests")
    with Agent("trigger", "--deadline=2s", addresses=[f"127.0.0.1:{free_port()}"]) as agent:
        agent.ends(1)
        agent.says("no session")
    with Agent("trigger", "--deadline=60s", "--jitter=1h", addresses=["127.0.0.1:1"]) as agent:
        agent.says("waiting, so that not all begin at once")
        agent.ends(1, number=15)


@test("-")
def other_addresses_are_asked():
    with api() as server, api() as follower:
        follower.answers["/v1/trigger"] = Refuse(503, "not the leader")
        begun = time.monotonic()
        with Agent("trigger", addresses=[f"127.0.0.1:{free_port()}", follower.address, server.address]) as agent:
            agent.ends(0)
        check(time.monotonic() - begun < 3 * harness.SLOW, "no pause is due")
        check_equal((len(follower.asked), len(server.asked)), (1, 1), "requests")


@test("-")
def other_certificates_are_refused():
    ca = harness.WORLD.ca
    wrong_name = ca.issue("agents-other", san="DNS:other.example,IP:127.0.0.2")
    expired = ca.issue("agents-expired", end="210101000000Z")
    client = ca.issue("agents-client", usage="clientAuth")
    foreign = harness.Authority(harness.temporary_folder(), "other-ca").issue("server")
    for cert, key in (wrong_name, expired, client, foreign):
        with AgentApi(cert, key) as server:
            with Agent("trigger", "--deadline=1s", addresses=[server.address]) as agent:
                agent.ends(1)
                agent.says("certificate")
            check_equal(server.asked, [], "requests")


@test("CR2")
def what_a_kubelet_renews_is_used():
    with api() as old, api() as new:
        old.answers["/v1/trigger"] = Refuse(401)
        with Agent("trigger", addresses=[old.address]) as agent:
            old.wait("/v1/trigger")
            agent.put("token", "second")
            agent.put("addresses", new.address)
            agent.ends(0)
        check_equal(new.asked[0][2], "Bearer second", "token")


@test("-")
def an_identity_that_comes_late_is_waited_for():
    with api() as server, Agent("trigger", addresses=["nonsense"]) as agent:
        agent.says("a line is not host:port")
        agent.put("addresses", server.address)
        agent.ends(0)


@test("-")
def a_connection_is_kept():
    with api() as server:
        server.once["/v1/claim"] = [{"retryAfterSeconds": 1}, {}, {}]
        with Agent("sidecar", addresses=[server.address]) as agent:
            claims = server.wait("/v1/claim", 4)
            check_equal(server.connections, 1, "connections")
            check_equal({claim["role"] for claim in claims}, {"sidecar"}, "role")
            check_equal({len(claim["instance"]) for claim in claims}, {32}, "instance")
            agent.ends(0, harness.AT_ONCE_S, number=15)


@test("-")
def a_controller_that_fails_over_is_found():
    with api() as first:
        port = first.port
        agent = Agent("sidecar", addresses=[first.address])
        first.wait("/v1/claim")
    with agent:
        agent.says("no work can be claimed")
        with api(port=port) as second:
            second.once["/v1/claim"] = [{}]
            second.wait("/v1/claim", seconds=30)
            agent.says("the agent API answers")
        agent.ends(0, harness.AT_ONCE_S, number=15)


@test("-")
def answers_that_make_no_sense_are_survived():
    deep = "x"
    for _ in range(1000):
        deep = [deep]
    with api() as server:
        server.once["/v1/claim"] = [{"work": {"kind": "backup"}}, {"pass": "yes"},
                                    {"new": deep, "padding": "y" * 900000}]
        with Agent("sidecar", addresses=[server.address]) as agent:
            server.wait("/v1/claim", 4)
            agent.says("no work can be claimed")
            check(agent.process.poll() is None, "it ended")


@test("-", serial=True)
def a_waiting_sidecar_is_small():
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        server.wait("/v1/claim")
        with open(f"/proc/{agent.process.pid}/status") as status:
            facts = dict(line.split(":", 1) for line in status)
        kilobytes = int(facts["VmHWM"].split()[0])
        print(f"  waiting sidecar: {kilobytes} KiB resident at most, of these "
              f"{facts['RssAnon'].split()[0]} KiB its own")
        check(harness.SLOW > 1 or kilobytes < 8192, f"{kilobytes} KiB")
