"""Load, shortened: what is promised for ten minutes is shown with some thousand requests (GRANARY_LOAD=20 makes twenty
times as many). Every answer is judged, and memory; times depend on how busy the machine is, so they are printed, and
`make bench` has ratios. Catalogue LD1 to LD5; LD8 is in test_drain.py."""

import concurrent.futures
import json
import os
import re
import time

import harness
from fake_cluster import FakeCluster
from harness import (SLOW, Webhook, check, check_allowed, eventually, head, post, read_answer, review, send, test,
                     trusting)
from test_live import Live, blueprint, filled, golden

LOAD = int(os.environ.get("GRANARY_LOAD", "1"))
RSS_MAX_MIB = 256


def most_mib(webhook):
    """What it ever held of memory."""
    with open(f"/proc/{webhook.process.pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024


def check_small(webhook):
    most = most_mib(webhook)
    check(SLOW > 1 or most <= RSS_MAX_MIB, f"{most:.0f} MiB")
    return f"{most:.0f} MiB at most"


def tell(what, times, more):
    """Prints p50 and p99 of what took so many seconds."""
    ordered = sorted(times)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    print(f"  {what}: {len(times)} answers, p50 {p50:.1f} ms, p99 {p99:.1f} ms; {more}", flush=True)


def asked(webhook, number, size, fresh=False):
    """Seconds that each of so many requests took, of one client that keeps its connection or opens a new one each time.
    An answer that is not the right one fails."""
    times, connection, context = [], None, trusting()
    for each in range(number):
        began = time.monotonic()
        connection = connection or webhook.tls(context=context)
        connection.sendall(post(review(f"uid-{each}", size)))
        check_allowed(read_answer(connection), f"uid-{each}")
        times.append(time.monotonic() - began)
        if fresh:
            connection.close()
            connection = None
    if connection:
        connection.close()
    return times


def side_by_side(clients, question):
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(question, range(clients)), [])


# A client of these tests may wait seconds for its turn on a busy machine, which is not what is tested here.
PATIENT = ["--handshake-timeout", "60s", "--header-timeout", "60s", "--request-timeout", "60s"]


@test("LD1", serial=True)
def fifty_connections_are_served():
    with Webhook("--log-level", "info", *PATIENT) as webhook:
        times = side_by_side(50, lambda _: asked(webhook, 100 * LOAD // SLOW, 20000))
        tell("50 connections, 20 KB", times, check_small(webhook))


@test("LD2", serial=True)
def a_connection_for_each_request_is_served():
    with Webhook("--log-level", "info", *PATIENT) as webhook:
        times = side_by_side(8, lambda _: asked(webhook, 60 * LOAD // SLOW, 3000, fresh=True))
        tell("new connections", times, check_small(webhook))


@test("LD3", serial=True)
def large_reviews_are_served():
    with Webhook("--log-level", "info", *PATIENT) as webhook:
        times = side_by_side(4, lambda _: asked(webhook, max(1, 10 * LOAD // SLOW), 3 << 20))
        tell("3 MiB", times, check_small(webhook))


HOSTILE = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 5000, os.urandom(3000),
    post(b"[" * 200000), post(b'{"a":' * 5000), post(b'{"kind":"AdmissionReview"}'), post(b"\xff\xfe" + review()),
    head(lines=["Content-Length: 99999999999"]), head(lines=["Content-Length: 5", "Content-Length: 6"]) + b"12345",
    head(lines=["Transfer-Encoding: chunked"]) + b"FFFFFFFFFFFFFFFFF\r\n", head(kind="Content-Type: text/html") + b"x",
    post(review(), "/../mutate"), post(review())[:-10],
]


def attack(webhook, number):
    """Sends what nobody should; no answer may be a good one."""
    for each in range(number):
        with webhook.tls() as connection:
            data = HOSTILE[each % len(HOSTILE)]
            send(connection, data)
            if data != HOSTILE[-1]:  # half a request is waited for
                answer = read_answer(connection)
                check(answer is None or answer.status >= 400, f"{data[:40]!r}: {answer and answer.status}")
    return []


@test("LD4", serial=True)
def who_is_honest_is_served_among_others():
    with Webhook("--log-level", "info") as webhook:
        rounds = 30 * LOAD // SLOW
        alone = side_by_side(18, lambda _: asked(webhook, rounds, 20000))
        among = side_by_side(20, lambda client: attack(webhook, rounds) if client % 10 == 0
                             else asked(webhook, rounds, 20000))
        tell("honest, alone", alone, check_small(webhook))
        tell("honest, beside 10 % of others", among, check_small(webhook))


EVENTS = 400
OBJECTS = 1000


def fill(cluster, number):
    """Objects that are nothing to the workload that is asked about."""
    spec = json.loads(golden("cluster.json"))
    (backend,) = [each["spec"]["backend"] for each in spec if each["kind"] == "BackupBlueprint"]
    for each in range(number // 2):
        name = f"app-{each}"
        cluster.put("repositories", name, "shop", spec={"backend": backend})
        cluster.put("backupconfigurations", name, "shop", spec={
            "repository": {"name": name}, "schedule": "0 3 * * *",
            "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
            "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "paths": ["/data"]}})


@test("LD5", serial=True)
def changes_are_kept_up_with():
    """Changes as fast as the server makes them, in between those that a decision shows."""
    with filled(FakeCluster()) as cluster:
        fill(cluster, OBJECTS)
        began = time.monotonic()
        with Live(cluster, "--log-level", "info") as webhook:
            synced_s, times = time.monotonic() - began, []
            before = webhook.metric("catalog_loads_total")
            for each in range(EVENTS):
                cluster.put("backupconfigurations", f"app-{each % (OBJECTS // 2)}", "shop",
                            spec={"paused": each % 2 == 0, "schedule": f"{each % 60} 3 * * *"})
                if each % 40 == 39:
                    changed = time.monotonic()
                    cluster.put("backupblueprints", "nightly", **blueprint(schedule=f"{each % 60} 5 * * *"))
                    wanted = f'"{each % 60} 5 * * *"'
                    eventually(lambda: any(wanted in line for line in webhook.judged()),  # pylint: disable=cell-var-from-loop
                               "the change is known")
                    times.append(time.monotonic() - changed)
            loads = webhook.metric("catalog_loads_total") - before
            check(0 < loads <= EVENTS + len(times), f"{loads} snapshots")
            objects = webhook.metric('cluster_objects{resource="backupconfigurations"}')
            harness.check_equal(objects, OBJECTS // 2, "configurations")
            tell(f"{OBJECTS} objects known after {synced_s:.1f} s, {EVENTS} changes in {loads:.0f} snapshots", times,
                 check_small(webhook))
