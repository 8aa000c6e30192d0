#!/usr/bin/python3
"""Speed and size of the webhook: bench.py WEBHOOK FLOOR FOLDER.

FLOOR is the same server with a fixed answer in the place of the decision, FOLDER what reviews.py
made. Both are measured in turns, so that a busy machine slows both down. Times of CPU are the
process's own (all threads, user and system); the ratio is that of the least times of both, since
neighbours on the machine only ever add. Nothing here fails for a number: wanted bounds stand beside."""
import contextlib
import os
import pathlib
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))
from harness import free_port  # noqa: E402

HERE = pathlib.Path(__file__).parent
REVIEWS = int(os.environ.get("REVIEWS", "20000"))
SECONDS = int(os.environ.get("SECONDS_EACH", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
PARTS = os.environ.get("PARTS", "cpu latency memory connections start").split()
STARTS = 15
WANTED = {"protected-12k": 4, "protected-41k": 8, "foreign-12k": 2}
WANTED_MIB, WANTED_START_MS = 12, 20
WARM_UP = 2000
IDLE = 200


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"],
        check=True, stderr=subprocess.DEVNULL,
    )


class Server:
    """A running webhook with one thread that answers."""

    def __init__(self, program, catalog, certs):
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "--catalog", catalog, "--workers", "1", "--drain-delay", "1ms", "--log-level", "error",
             "--listen", f"127.0.0.1:{self.port}", "--admin-listen", f"127.0.0.1:{free_port()}",
             "--tls-cert", f"{certs}/cert.pem", "--tls-key", f"{certs}/key.pem"])

    def cpu_us(self):
        return time.clock_gettime_ns(~self.process.pid << 3 | 2) / 1000  # the clock of another process

    def resident_kib(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s*(\d+)", status, re.M).group(1))

    def asked(self, trust, body):
        """A connection over which one request has been answered."""
        plain = socket.create_connection(("127.0.0.1", self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as Go's client does
        tls = trust.wrap_socket(plain, server_hostname="127.0.0.1")
        tls.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n" % len(body) + body)
        if not tls.recv(16384).startswith(b"HTTP/1.1 200"):
            sys.exit("bench: the answer is not 200")
        return tls

    def ask(self, trust, body):
        """One request over a connection of its own, as soon as there is somebody to answer."""
        while True:
            try:
                return self.asked(trust, body).close()
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    sys.exit(f"bench: the server ended with {self.process.returncode}")
                time.sleep(0.0002)

    def end(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def running(program, catalog, certs):
    server = Server(program, catalog, certs)
    try:
        yield server
    finally:
        server.end()


def load(server, review, connections, seconds):
    """CPU us of one review, p50 and p99 in us."""
    before = server.cpu_us()
    said = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "post.lua",
         f"https://127.0.0.1:{server.port}/mutate?timeout=10s"],
        env={**os.environ, "REVIEW": str(review)}, stdout=subprocess.PIPE, text=True, check=True,
    ).stdout
    requests, errors, p50, p99 = map(int, re.search(r"^counted (.*)$", said, re.M).group(1).split())
    if errors or not requests:
        sys.exit(f"bench: {errors} of {requests} requests went wrong")
    return (server.cpu_us() - before) / requests, p50, p99, requests


def cpu(webhook, floor, reviews):
    print(f"\nCPU of one review, 8 connections, least of {ROUNDS} rounds of {SECONDS} s\n")
    print("review           webhook us   floor us   ratio  (of neighbours)   wanted")
    for review in reviews:
        rounds = [(load(webhook, review, 8, SECONDS)[0], load(floor, review, 8, SECONDS)[0]) for _ in range(ROUNDS)]
        ratios = sorted(ours / least for ours, least in rounds)
        ours, least = (min(times) for times in zip(*rounds))
        wanted = f"<= {WANTED[review.stem]}" if review.stem in WANTED else ""
        print(f"{review.stem:<16}{ours:>11.1f}{least:>11.1f}{ours / least:>8.2f}"
              f"   ({ratios[0]:.2f}, {ratios[-1]:.2f}){wanted:>12}", flush=True)


def latency(webhook, floor, review):
    print(f"\nlatency of {review.stem} in us, median of {ROUNDS} rounds of {SECONDS} s\n")
    print("connections   webhook p50      p99   floor p50      p99")
    for connections in (1, 8, 25):
        rounds = [(load(webhook, review, connections, SECONDS), load(floor, review, connections, SECONDS))
                  for _ in range(ROUNDS)]
        medians = [statistics.median(pair[who][which] for pair in rounds) for who in (0, 1) for which in (1, 2)]
        print(f"{connections:>11}{medians[0]:>14.0f}{medians[1]:>9.0f}{medians[2]:>12.0f}{medians[3]:>9.0f}", flush=True)


def compare(program, floor_program, folder, certs, trust):
    reviews = [folder / f"{name}.json" for name in ("protected-12k", "protected-41k", "carried-13k", "foreign-12k")]
    with running(program, folder / "catalog", certs) as webhook, \
         running(floor_program, folder / "catalog", certs) as floor:
        for server in (webhook, floor):
            server.ask(trust, reviews[0].read_bytes())
            load(server, reviews[0], 8, SECONDS)
        if "cpu" in PARTS:
            cpu(webhook, floor, reviews)
        if "latency" in PARTS:
            latency(webhook, floor, reviews[0])


def memory(program, folder, certs, trust):
    review = folder / "protected-12k.json"
    with running(program, folder / "catalog", certs) as server:
        print(f"\nresident memory in KiB, 100 blueprints (wanted: < {WANTED_MIB * 1024} always)\n")
        server.ask(trust, review.read_bytes())
        print(f"idle, after the first review  {server.resident_kib():>8}")
        done = 0
        for name, reviews in (("", WARM_UP), ("", REVIEWS)):
            while done < reviews:
                done += load(server, review, 8, SECONDS)[3]
            print(f"after {done:>9} reviews       {server.resident_kib():>8}", flush=True)


def connections(program, folder, certs, trust):
    body = (folder / "protected-12k.json").read_bytes()
    with running(program, folder / "catalog", certs) as server, contextlib.ExitStack() as kept:
        server.ask(trust, body)
        before = server.resident_kib()
        for _ in range(IDLE):
            kept.enter_context(server.asked(trust, body))
        print(f"\nresident memory of an idle connection: {(server.resident_kib() - before) / IDLE:.1f} KiB, "
              f"of {IDLE} that had one answer")


def start(program, folder, certs, trust):
    times = []
    body = (folder / "protected-12k.json").read_bytes()
    for _ in range(STARTS):
        begun = time.monotonic()
        with running(program, folder / "catalog", certs) as server:
            server.ask(trust, body)
            times.append((time.monotonic() - begun) * 1000)
    print(f"\nstart to first answer, of {STARTS}: median {statistics.median(times):.1f} ms, "
          f"lowest {min(times):.1f}, highest {max(times):.1f} (wanted: < {WANTED_START_MS})")


def main():
    program, floor_program, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
    with tempfile.TemporaryDirectory() as certs:
        certificate(certs)
        trust = ssl.create_default_context(cafile=f"{certs}/cert.pem")
        if {"cpu", "latency"} & set(PARTS):
            compare(program, floor_program, folder, certs, trust)
        if "memory" in PARTS:
            memory(program, folder, certs, trust)
        if "connections" in PARTS:
            connections(program, folder, certs, trust)
        if "start" in PARTS:
            start(program, folder, certs, trust)


main()
