#!/usr/bin/python3
"""Time of a backup through granary-agent against restic alone: the same data, cold (nothing is in the repository) and
incremental (a hundredth has changed), in turns. Printed as ratio of the medians; wanted: within 1.1.

Usage: backup_bench.py. FILES, MIB and ROUNDS say how much; GRANARY_AGENT names the program."""

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "agent"))

import running  # noqa: E402
import harness  # noqa: E402

FILES, MIB, ROUNDS = (int(os.environ.get(name, default)) for name, default in (("FILES", 5000), ("MIB", 512), ("ROUNDS", 5)))
WANTED = 1.1


def fill(folder):
    """Half of the bytes in small files, half in large ones."""
    chance = random.Random(1)
    for number in range(FILES):
        place = f"{folder}/{number // 500}"
        os.makedirs(place, exist_ok=True)
        with open(f"{place}/{number}", "wb") as file:
            file.write(chance.randbytes((MIB << 19) // FILES))
    for number in range(8):
        with open(f"{folder}/large-{number}", "wb") as file:
            for _ in range(max(1, MIB // 16)):
                file.write(chance.randbytes(1 << 20))


def change(folder, round_number):
    for number in range(0, FILES, 100):
        with open(f"{folder}/{number // 500}/{number}", "r+b") as file:
            file.write(b"round %d" % round_number)


def alone(url, folder):
    """Seconds of restic, as a person calls it: with its own look at the snapshots, as the agent's includes it."""
    began = time.monotonic()
    running.restic(url, "backup", "--host=host-0", folder)
    return time.monotonic() - began


class Through:
    """The agent, waiting."""

    def __init__(self, server, agent):
        self.server, self.agent = server, agent

    def __call__(self, url, folder):
        began = time.monotonic()
        running.succeeds(self.server, self.agent, running.work(url, folder, progressSeconds=10))
        return time.monotonic() - began


def repository():
    """One that is there and ours: making it is no part of a backup."""
    url = harness.temporary_folder()
    running.restic(url, "init")
    subprocess.run([running.RESTIC, "backup", "--quiet", "--no-cache", "--host=granary",
                    f"--tag=granary-cluster,{running.CLUSTER}", "--stdin", "--stdin-filename=cluster"], check=True,
                   input=running.CLUSTER.encode(), env={"RESTIC_REPOSITORY": url, "RESTIC_PASSWORD": running.PASSWORD,
                                                        "HOME": "/dev/null/home"})
    return url


def measure(folder, through):
    """{(what, who): seconds}, in turns."""
    found = {}
    for number in range(ROUNDS):
        ways = [("restic", alone), ("agent", through)]
        urls = {who: repository() for who, _ in ways}
        for what in ("cold", "incremental"):
            if what == "incremental":
                change(folder, number)
            for who, way in ways if number % 2 else reversed(ways):
                found.setdefault((what, who), []).append(way(urls[who], folder))
        for url in urls.values():
            subprocess.run(["rm", "-rf", url], check=True)
    return found


def main():
    with tempfile.TemporaryDirectory(prefix="granary-bench-") as place:
        harness.WORLD = harness.World(place)
        folder = harness.temporary_folder()
        fill(folder)
        with running.api() as server, running.Agent("sidecar", addresses=[server.address]) as agent:
            found = measure(folder, Through(server, agent))
    print(f"{FILES} files, {MIB} MiB, {ROUNDS} rounds; seconds: median (least)")
    for what in ("cold", "incremental"):
        ours, its = found[what, "agent"], found[what, "restic"]
        ratio, best = statistics.median(ours) / statistics.median(its), min(ours) / min(its)
        print(f"{what:12} agent {statistics.median(ours):6.2f} ({min(ours):.2f})  restic {statistics.median(its):6.2f} "
              f"({min(its):.2f})  ratio {ratio:.3f} ({best:.3f}), wanted {WANTED}")


if __name__ == "__main__":
    main()
