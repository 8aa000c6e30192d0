#!/usr/bin/python3
"""What agents that wait cost the one who serves them, and how long it takes until all are served again.

Usage: agent_wait.py DESK AGENTS. Each agent is a TLS connection with one claim under way."""

import os
import selectors
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))
import harness  # noqa: E402
import test_agent_api as api  # noqa: E402

TOGETHER = 200  # handshakes under way


def connect_all(desk, count, context):
    """Connections that have sent their claim, each agent its own pod."""
    selector, agents, begun, done = selectors.DefaultSelector(), [], 0, 0
    while done < count:
        while begun < count and begun - done < TOGETHER:
            raw = socket.socket()
            raw.setblocking(False)
            raw.bind((f"127.0.{1 + begun // 400}.1", 0))
            raw.connect_ex(("127.0.0.1", desk.port))
            selector.register(raw, selectors.EVENT_WRITE, begun)
            begun += 1
        for key, _ in selector.select(10):
            sock = key.fileobj
            selector.unregister(sock)
            if not isinstance(sock, ssl.SSLSocket):
                sock = context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)
            try:
                sock.do_handshake()
                sock.setblocking(True)
                sock.sendall(api.call("/v1/claim", api.waiting(300), api.token(key.data)))
                agents.append(sock)
                done += 1
            except ssl.SSLWantReadError:
                selector.register(sock, selectors.EVENT_READ, key.data)
            except ssl.SSLWantWriteError:
                selector.register(sock, selectors.EVENT_WRITE, key.data)
    return agents


def cpu_seconds(desk):
    with open(f"/proc/{desk.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(desk, count):
    context = harness.trusting()
    empty, start = desk.rss_kib(), time.monotonic()
    agents = connect_all(desk, count, context)
    while desk.fact("waiting") < count:
        time.sleep(0.05)
    took = time.monotonic() - start
    used = cpu_seconds(desk)
    print(f"{count} agents wait after {took:.1f} s: connected by this script, on the same cores; the server itself took "
          f"{used:.1f} s of one (wanted: under 20 s for 10,000)")
    grown = desk.rss_kib() - empty
    print(f"memory: {empty / 1024:.1f} MiB empty, {(empty + grown) / 1024:.1f} MiB with them: "
          f"{grown / 1024 * 1000 / count:.1f} MiB for each 1,000 (wanted: under 48)")
    start = time.monotonic()
    desk.tell("wake")
    answer = api.ask(desk, api.call("/v1/progress", credentials=api.token(count + 1)))
    print(f"another agent's progress, right after a wake of all: {(time.monotonic() - start) * 1000:.0f} ms, {answer.status}")
    print(f"TokenReviews: {desk.fact('reviews')}")
    start = time.monotonic()
    for agent in agents:
        agent.close()
    while desk.fact("waiting") > 0:
        time.sleep(0.05)
    print(f"all of them gone, and forgotten after {time.monotonic() - start:.1f} s")
    return used < 20 * count / 10000 and grown < 48 * 1024 * count / 1000


def main():
    api.DESK, count = sys.argv[1], int(sys.argv[2])
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        harness.WORLD = harness.World(folder)
        with api.Desk() as desk:
            return 0 if measure(desk, count) else 1


if __name__ == "__main__":
    sys.exit(main())
