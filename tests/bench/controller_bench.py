#!/usr/bin/python3
"""The controller with many workloads in a real cluster: controller_bench.py.

Prints figures with the wanted bounds beside them; nothing here fails for a number. Workloads are objects only: nothing
runs of them, and Kubernetes' own controllers are away."""

import collections
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cluster"))

import harness  # noqa: E402
import node  # noqa: E402
import test_certificates as certificates  # noqa: E402
import test_scale as scale  # noqa: E402
from harness import SYSTEM, eventually  # noqa: E402
from installed import blueprint, metrics, plain  # noqa: E402
from test_targets import USER, place  # noqa: E402

TARGETS, OTHERS = int(os.environ.get("TARGETS", "1000")), int(os.environ.get("OTHERS", "5000"))
SPACES = 10
IDLE_S = int(os.environ.get("IDLE_S", "60"))
LIMIT_S = 3600
WANTED_MIB, WANTED_SYNC_S, WANTED_WRITES = 128, 60, 3


def say(text):
    print(text, flush=True)


def leader(cluster):
    name = eventually(lambda: certificates.holder(cluster), "somebody leads")
    (pod, ) = [each for each in certificates.controllers(cluster) if name.startswith(each["metadata"]["name"])]
    return pod


def memory_mib(pod):
    """(now, most ever) of its process."""
    (path, ) = certificates.processes(pod["metadata"]["uid"], certificates.CONTROLLER)
    with open(path + "/status", encoding="ascii") as file:
        text = file.read()
    return [int(re.search(rf"^{name}:\s*(\d+)", text, re.M).group(1)) / 1024 for name in ("VmRSS", "VmHWM")]


def say_memory(cluster, when):
    pod = leader(cluster)
    now, most = memory_mib(pod)
    used, free = (metrics(pod)[f"granary_controller_heap_{name}_bytes"] / 2**20 for name in ("used", "free"))
    say(f"resident {when}: {now:.0f} MiB, most ever {most:.0f}   (wanted: < {WANTED_MIB}); "
        f"of the heap {used:.0f} in use, {free:.0f} free")


def until(question, what):
    """Waits, and asks rarely: the answers are thousands of objects."""
    begun = time.monotonic()
    while not question():
        if time.monotonic() - begun > LIMIT_S:
            sys.exit(f"bench: {what}: not within {LIMIT_S} s")
        time.sleep(2)


def of_ours(cluster, spaces):
    """How many of all that follows from targets there is."""
    counts = collections.Counter()
    for space in spaces:
        for kind in ("repositories", "backupconfigurations"):
            for each in cluster.list(kind, space):
                counts[kind] += 1
                status = each.get("status", {})
                counts["done"] += status.get("phase") == "Ready" or bool(status.get("references"))
        counts["cronjobs"] += len(cluster.list("cronjobs", space))
    return counts


def writes_by_kind(cluster, mark, spaces):
    return collections.Counter(scale.what(entry) for entry in scale.requests(cluster, mark)
                               if entry["objectRef"].get("namespace") in spaces)


def new_targets(cluster, spaces):
    mark, begun = cluster.audit_mark(), time.monotonic()
    scale.all_at_once(lambda number: cluster.create("deployments", spaces[number % SPACES], scale.web(number)), TARGETS)
    made = time.monotonic() - begun
    until(lambda: of_ours(cluster, spaces) == {"repositories": TARGETS, "backupconfigurations": TARGETS,
                                               "cronjobs": TARGETS, "done": 2 * TARGETS}, "all are configured")
    took = time.monotonic() - begun
    wrote = writes_by_kind(cluster, mark, spaces)
    say(f"{TARGETS} new targets, made in {made:.0f} s, all configured and scheduled after {took:.0f} s")
    whole = sum(wrote[f"patch {kind}"] for kind in scale.MADE) / TARGETS
    statuses = sum(count for name, count in wrote.items() if name.endswith("/status")) / TARGETS
    say(f"writes for each: {whole:.2f} of objects   (wanted: <= {WANTED_WRITES}), {statuses:.2f} of statuses\n"
        f"  {json.dumps(dict(sorted(wrote.items())))}")


def full_sync(cluster, spaces):
    """Another leader has looked at all targets."""
    pod, mark = leader(cluster), cluster.audit_mark()
    before = certificates.holder(cluster)
    cluster.delete("pods", SYSTEM, pod["metadata"]["name"])
    eventually(lambda: certificates.holder(cluster) not in (None, before), "another one leads")
    begun = time.monotonic()

    def read():
        return {(entry["objectRef"]["namespace"], entry["objectRef"]["name"])
                for entry in scale.requests(cluster, mark, None, ("get", ))
                if entry["objectRef"]["resource"] == "deployments" and entry["objectRef"]["namespace"] in spaces}
    until(lambda: len(read()) >= TARGETS, "all are looked at")
    say(f"another leader has looked at all targets after {time.monotonic() - begun:.0f} s   (wanted: < {WANTED_SYNC_S})")
    calm(cluster, mark)
    wrote = writes_by_kind(cluster, mark, spaces)
    say(f"it wrote {sum(wrote.values())} times   (wanted: 0) {json.dumps(dict(wrote)) if wrote else ''}")


def calls(cluster, mark):
    """The controller's requests but watches, and those about its Lease."""
    counts = collections.Counter()
    for entry in cluster.audit(mark, user=USER):
        if entry["verb"] != "watch" and entry["objectRef"]["resource"] != "leases":
            counts[scale.what(entry)] += 1
    return counts


def calm(cluster, mark):
    """Until nobody reads workloads any more."""
    before = -1
    while before != (before := calls(cluster, mark)["get deployments"]):
        time.sleep(5)


def idle(cluster):
    mark = cluster.audit_mark()
    time.sleep(IDLE_S)
    asked = calls(cluster, mark)
    say(f"{IDLE_S} s in which nothing happens: {sum(asked.values())} requests but watches and the Lease   (wanted: 0)\n"
        f"  {json.dumps(dict(sorted(asked.items())))}")


def measure(cluster):
    scale.WRITES_PER_SECOND = 20  # the default
    scale.calm(cluster)
    with place(cluster, blueprint("tg", schedule=scale.SCHEDULE)) as first:
        spaces = [first] + [f"bench-{number}" for number in range(1, SPACES)]
        for space in spaces:
            if space != first:
                cluster.create("namespaces", None, {"metadata": {"name": space, "labels": scale.LABEL}})
            cluster.apply(scale.keys(space), space, "--server-side")
            eventually(lambda: cluster.get("serviceaccounts", space, "default"), "its ServiceAccount")  # pylint: disable=cell-var-from-loop
        cluster.part("stop", "kube-controller-manager")
        say_memory(cluster, "with nothing")
        scale.all_at_once(lambda number: cluster.create("deployments", spaces[number % SPACES], plain(
            scale.targets.web(f"other-{number}"), replicas=0)), OTHERS)
        say_memory(cluster, f"with {OTHERS} workloads of others")
        new_targets(cluster, spaces)
        say_memory(cluster, f"with {TARGETS} targets too")
        full_sync(cluster, spaces)
        say_memory(cluster, "of the one who leads now")
        idle(cluster)
        say_memory(cluster, "afterwards")


def main():
    with harness.started(node.default_name() + "-bench") as layout:
        measure(harness.Cluster(layout))


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)
