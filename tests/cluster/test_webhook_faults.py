"""The webhook while something goes wrong: replicas that end, releases that change, and what it costs."""

import base64
import copy
import datetime
import http.client
import json
import socket
import ssl
import statistics
import threading
import time

import cluster as control
from granary import ask
from harness import LIMIT_S, check, check_equal, eventually, test
from installed import (ANNOTATION, SYSTEM, WEBHOOK, asked, asked_are, blueprint, kill, metrics, passed_over, place, plain, protected,
                       ready, restart, scale, sidecar, warnings, whole)
from test_webhook import Watched

DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments?dryRun=All"
BLUEPRINTS = "/apis/stash.appscode.com/v1beta1/backupblueprints"


class Requests:
    """People who go on creating protected workloads and writing blueprints, while the body of `with` runs.

    Each of them notes what came of each request: "patched", "passed over" (the API server could not ask us, so the
    workload came without the sidecar), or why it failed."""

    def __init__(self, cluster, space, people=2):
        self.cluster, self.space, self.people = cluster, space, people
        self.seen, self.lock, self.stop = [], threading.Lock(), threading.Event()

    def _note(self, what):
        with self.lock:
            self.seen.append((time.monotonic(), what))

    def _workload(self):
        made = ask(self.cluster, "POST", DEPLOYMENTS.format(self.space), protected("Deployment", "app", "data"))
        if made.code != 201:
            return f"workload: {made.code} {made.message}"
        return "patched" if sidecar(made.value) else "passed over"

    def _blueprint(self):
        made = ask(self.cluster, "POST", BLUEPRINTS + "?dryRun=All", blueprint("wh-written"))
        return "validated" if made.code == 201 else f"blueprint: {made.code} {made.message}"

    def _person(self, question):
        while not self.stop.is_set():
            try:
                self._note(question())
            except (OSError, http.client.HTTPException) as why:
                self._note(f"the API server itself: {why}")
            time.sleep(0.01)

    def __enter__(self):
        self.threads = [threading.Thread(target=self._person, args=(question,), daemon=True)
                        for question in [self._workload] * self.people + [self._blueprint]]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(LIMIT_S)

    def wait_for_more(self, count=20):
        """Until so many more workloads and so many more blueprints have been answered, which were asked about from now on."""
        wanted = [number + self.people + count for number in self._numbers()]
        eventually(lambda: all(now >= then for now, then in zip(self._numbers(), wanted)), "requests go on")

    def _numbers(self):
        """How many answers there are about workloads, and about blueprints."""
        with self.lock:
            workloads = sum(what in ("patched", "passed over") or what.startswith("workload") for _, what in self.seen)
            return workloads, len(self.seen) - workloads

    def counted(self):
        counts = {}
        for _, what in self.seen:
            counts[what] = counts.get(what, 0) + 1
        return counts


def check_only(requests, *wanted):
    counts = requests.counted()
    check(set(counts) <= set(wanted), f"requests ended as {counts}")
    check(counts.get("patched", 0) > 20, f"only {counts}")
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))


@test("WH10", alone=True)
def rolling_restart_under_requests(cluster):
    whole(cluster)
    with place(cluster) as space, Requests(cluster, space) as requests:
        before = {pod["metadata"]["uid"] for pod in ready(cluster)}
        requests.wait_for_more()
        after = {pod["metadata"]["uid"] for pod in restart(cluster, drained=True)}
        check(not before & after, "a replica stayed")
        requests.wait_for_more()
    return "both replicas replaced: " + check_only(requests, "patched", "validated")


@test("WH11", alone=True)
def replica_is_killed_under_requests(cluster):
    whole(cluster)
    with place(cluster) as space, Requests(cluster, space) as requests:
        pod = ready(cluster)[0]
        requests.wait_for_more()
        before = pod["status"]["containerStatuses"][0]["restartCount"]
        kill(pod)

        def again():
            status = cluster.get("pods", SYSTEM, pod["metadata"]["name"])["status"]["containerStatuses"][0]
            return status["restartCount"] > before and status["ready"]
        eventually(again, "the replica is back")
        ready(cluster)
        requests.wait_for_more(1)  # what was asked before that
        healed = len(requests.seen)
        requests.wait_for_more(50)
    counts = requests.counted()
    strange = {what: count for what, count in counts.items() if what not in ("patched", "passed over", "validated") and
               not (what.startswith("blueprint: 500") and 'failed calling webhook "validate.granary.dev"' in what)}
    check_equal(strange, {}, "what requests met beside the death of the replica")
    check_equal({what for _, what in requests.seen[healed:]}, {"patched", "validated"}, "answers afterwards")
    refused = sum(count for what, count in counts.items() if what.startswith("blueprint"))
    return (f"no workload failed: {counts['patched']} patched, {counts.get('passed over', 0)} passed over; of objects of "
            f"ours {counts['validated']} taken, {refused} refused with 500")


def newer(it, seconds):
    """The same Deployment with another command: what only its owner changes."""
    it = copy.deepcopy(it)
    it["spec"]["template"]["spec"]["containers"][0]["command"][-1] = f"exec sleep {seconds}"
    return it


@test("WH12", alone=True)
def applications_start_while_the_webhook_is_down(cluster):
    whole(cluster)
    with place(cluster) as space:
        before, late = protected("Deployment", "before", "data"), protected("Deployment", "late", "data")
        watched = Watched(cluster, space, before)
        cluster.api("POST", BLUEPRINTS, blueprint("wh-deleted"))
        scale(cluster, 0)
        try:
            mark = cluster.audit_mark()
            said = cluster.apply(late, space)
            check("created" in said and not warnings(said), f"kubectl said {said}")
            live = cluster.ready_replicas("deployments", space, "late")
            check_equal(sidecar(live), None, "our container without us")
            check_equal(len(passed_over(cluster.audit(mark, resource="deployments", namespace=space))), 1,
                        "requests that passed us over")
            watched.step("a label while we are down", lambda: cluster.kubectl(
                "label", "-n", space, "deployment/before", "while=down"))
            refusal = ask(cluster, "POST", BLUEPRINTS + "?dryRun=All", blueprint("wh-other"))
            check(refusal.code == 500 and "validate.granary.dev" in refusal.message, f"an object of ours: {refusal.code}")
            cluster.api("DELETE", f"{BLUEPRINTS}/wh-deleted")
        finally:
            scale(cluster, 2)
        eventually(lambda: asked(cluster), "the API server asks again")
        # what was missed is not made up for behind the owner's back: the controller asks for it, or his next change does
        cluster.kubectl("label", "-n", space, "deployment/late", "after=all")
        check_equal(sidecar(cluster.ready_replicas("deployments", space, "late")), None, "our container after a label")
        cluster.apply(newer(late, 7200), space)
        check(sidecar(cluster.ready_replicas("deployments", space, "late")), "no sidecar after the owner's change")
        check_equal(len(cluster.replica_sets(space, "late")), 2, "ReplicaSets of the late one")
        return "it starts without us, objects of ours are refused and deleted; the owner's next change brings the sidecar"


@test("WH13", alone=True)
def another_release_restarts_nobody(cluster):
    whole(cluster)
    with place(cluster) as space:
        it = protected("Deployment", "app", "data")
        watched = Watched(cluster, space, it)
        old = cluster.get("configmaps", SYSTEM, "granary-settings")["data"]["settings.yaml"]
        try:
            cluster.patch("configmaps", SYSTEM, "granary-settings", {"data": {"settings.yaml": old.replace(
                "agent:\n", "agent:\n  resources: {requests: {cpu: 20m, memory: 32Mi}, limits: {memory: 256Mi}}\n")}})
            # kubelet may give new pods what it remembers of the ConfigMap, and bring the new one later
            for pod in restart(cluster):
                eventually(lambda: "256Mi" in wanted_by(pod, cluster.granary_authority, space),  # pylint: disable=cell-var-from-loop
                           "limit in a new workload")

            watched.step("the same apply", lambda: cluster.apply(it, space))
            watched.step("a label", lambda: cluster.kubectl("label", "-n", space, "deployment/app", "a=b"))
            watched.step("replace", lambda: cluster.kubectl("replace", "-n", space, "-f", "-", given=json.dumps(it)))
            watched.step("scale", lambda: cluster.kubectl("scale", "-n", space, "deployment/app", "--replicas=2"))
            watched.step("another manager", lambda: cluster.apply(
                it, space, "--server-side", "--field-manager=gitops", "--force-conflicts"))
            cluster.apply(newer(it, 7200), space)
            live = watched.ready()
            check_equal(sidecar(live)["resources"]["limits"]["memory"], "256Mi", "limit after the owner's change")
            check_equal(len(cluster.replica_sets(space, "app")), 2, "ReplicaSets after the owner's change")
        finally:
            cluster.patch("configmaps", SYSTEM, "granary-settings", {"data": {"settings.yaml": old}})
            restart(cluster)
        return "5 changes keep the old container, the owner's own brings the new one: 2 ReplicaSets"


# --- what the webhook reads ------------------------------------------------------------------------


OUTAGE_S = 60


def lives(pods):
    """What changes when a pod is replaced or its container starts again."""
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


def loads(pods):
    return [metrics(pod)["granary_webhook_certificate_loads_total"] for pod in pods]


def review(pod, authority, space, it):
    """Asks one replica without the API server, as that would; returns its response."""
    kind, resource = ({"group": "apps", "version": "v1", **more} for more in (
        {"kind": "Deployment"}, {"resource": "deployments"}))
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "1-2-3", "operation": "CREATE", "kind": kind, "resource": resource, "requestKind": kind,
        "requestResource": resource, "name": it["metadata"]["name"], "namespace": space, "dryRun": True,
        "userInfo": {"username": "somebody"}, "oldObject": None,
        "object": {**it, "metadata": {**it["metadata"], "namespace": space}}}}
    context = ssl.create_default_context(cadata=authority.files["ca.crt"])
    with socket.create_connection((pod["status"]["podIP"], 8443), timeout=60) as plain_text:
        connection = http.client.HTTPConnection("pod")
        connection.sock = context.wrap_socket(plain_text, server_hostname=f"{WEBHOOK}.{SYSTEM}.svc")
        connection.request("POST", "/mutate", json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(connection.getresponse().read())["response"]


def wanted_by(pod, authority, space):
    """The patch with which a replica would answer for a new workload."""
    answer = review(pod, authority, space, protected("Deployment", "new", "data"))
    return base64.b64decode(answer.get("patch", "")).decode()


@test("WH15", alone=True)
def certificates_change_and_go_under_requests(cluster):
    authority = whole(cluster)
    with place(cluster) as space, Requests(cluster, space) as requests:
        pods = ready(cluster)
        for number in range(3):
            before = loads(pods)
            cluster.apply(authority.secret(), None, "--server-side", "--force-conflicts")
            eventually(lambda: all(now > then for now, then in zip(loads(pods), before)),  # pylint: disable=cell-var-from-loop
                       f"both replicas take certificate {number + 2}")
            requests.wait_for_more()
        # a Secret that is broken or gone leaves the last good pair in use
        cluster.patch("secrets", SYSTEM, "granary-webhook-tls", {"stringData": {"tls.key": "nothing"}})
        eventually(lambda: all(metrics(pod)["granary_webhook_certificate_errors_total"] > 0 for pod in pods),
                   "both replicas refuse it")
        requests.wait_for_more()
        cluster.delete("secrets", SYSTEM, "granary-webhook-tls")
        gone = 'granary_webhook_cluster_objects{resource="secrets"}'
        eventually(lambda: all(metrics(pod)[gone] == 0 for pod in pods), "both replicas know that it is gone")
        requests.wait_for_more()
        check(all(metrics(pod)["granary_webhook_ready"] == 1 for pod in pods), "a replica is not ready without its Secret")
        before = loads(pods)
        cluster.apply(authority.secret(), None, "--server-side")
        eventually(lambda: all(now > then for now, then in zip(loads(pods), before)), "both replicas take the new one")
        requests.wait_for_more()
        check_equal(lives(ready(cluster)), lives(pods), "replicas and restarts of their containers")
    return "3 new certificates, a broken Secret, none: " + check_only(requests, "patched", "validated")


@test("WH16", alone=True)
def replica_waits_for_its_certificate(cluster):
    authority = whole(cluster)
    cluster.delete("secrets", SYSTEM, "granary-webhook-tls")
    pods = ready(cluster)
    kill(pods[0])
    name = pods[0]["metadata"]["name"]

    def status():
        return cluster.get("pods", SYSTEM, name)["status"]["containerStatuses"][0]
    try:
        eventually(lambda: status()["restartCount"] > pods[0]["status"]["containerStatuses"][0]["restartCount"] and
                   "running" in status()["state"] and not status()["ready"], "it is back and not ready")
        asked_are(cluster, pods[1:])
        with place(cluster) as space, Requests(cluster, space) as requests:
            requests.wait_for_more(50)
        text = check_only(requests, "patched", "validated")
        check(not status()["ready"], "ready without a certificate")
    finally:
        cluster.apply(authority.secret(), None, "--server-side")
    eventually(lambda: status()["ready"], "ready with the Secret")
    ready(cluster)
    return f"not ready until the Secret is there; the other one answers: {text}"


@test("WH17", alone=True)
def it_recovers_from_an_outage_and_holds_nothing_stale(cluster):
    whole(cluster)
    with place(cluster) as space:
        pods = ready(cluster)
        cluster.api("POST", BLUEPRINTS, blueprint("wh-later"))
        later = protected("Deployment", "later", "data", {ANNOTATION: "wh-later"})
        eventually(lambda: sidecar(cluster.create("deployments", space, later, "?dryRun=All")), "the blueprint counts")
        cluster.part("stop", "etcd")
        cluster.part("kill", "kube-apiserver")
        began = time.monotonic()
        known = f"granary_webhook_cluster_failing{{resource=\"backupblueprints\"}}"
        eventually(lambda: all(metrics(pod)[known] == 1 for pod in pods), "both say that they can not follow")
        time.sleep(max(0, began + OUTAGE_S - time.monotonic()))
        for pod in pods:
            answer = review(pod, cluster.granary_authority, space, later)
            check(answer["allowed"] and answer.get("patch"), f"an answer during the outage: {answer}")
            check_equal(metrics(pod)["granary_webhook_ready"], 1, "ready during the outage")
        cluster.part("start", "etcd")
        cluster.part("start", "kube-apiserver")
        control.wait_for("kube-apiserver", lambda: control.api_ready(cluster.layout), cluster.layout)
        eventually(lambda: asked(cluster), "the API server asks again")
        # what changes before the watches are back is known once they are, after a pause of at most 60 s
        cluster.api("DELETE", f"{BLUEPRINTS}/wh-later")
        eventually(lambda: not sidecar(cluster.create("deployments", space, later, "?dryRun=All")),
                   "the deleted blueprint is known to be gone")
        # the other replica may be the one that was asked
        for pod in pods:
            eventually(lambda: not review(pod, cluster.granary_authority, space, later).get("patch"),  # pylint: disable=cell-var-from-loop
                       "both know it")
        took = time.monotonic() - began - OUTAGE_S
        check_equal(lives(ready(cluster)), lives(pods), "replicas and restarts of their containers")
        return f"{OUTAGE_S} s without etcd and API server: same replicas, not restarted; all known {took:.0f} s later"


# --- figures --------------------------------------------------------------------------------------

CREATIONS = 300
START_S = 120  # on a machine that does much else; a second on one that does not


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def creation_times(cluster, space, its):
    """Milliseconds of each dry-run creation, of several workloads in turn, so that both see the same machine."""
    found = [[] for _ in its]
    for _ in range(CREATIONS):
        for times, it in zip(found, its):
            began = time.monotonic()
            answer = ask(cluster, "POST", DEPLOYMENTS.format(space), it)
            times.append((time.monotonic() - began) * 1000)
            check_equal(answer.code, 201, answer.message)
    return found


def start_times(cluster, pod):
    """Seconds from the first line of a replica's log to the lines that say what it has."""
    lines = [json.loads(line) for line in cluster.logs(SYSTEM, pod["metadata"]["name"]).splitlines()]

    def at(message):
        found = [line["time"] for line in lines if line["msg"] == message]
        check(found, f"the log never says: {message}")
        return datetime.datetime.fromisoformat(found[0].replace("Z", "+00:00"))
    begun = datetime.datetime.fromisoformat(lines[0]["time"].replace("Z", "+00:00"))
    return [(at(message) - begun).total_seconds() for message in ("cluster known", "certificate taken")]


@test("WH18", alone=True)
def replica_is_ready_soon_after_its_start(cluster):
    whole(cluster)
    pods = restart(cluster)
    known, taken = (max(times) for times in zip(*(eventually(lambda: start_times(cluster, pod), "the log says so")  # pylint: disable=cell-var-from-loop
                                                  for pod in pods)))
    check(known < START_S and taken < START_S, f"cluster known after {known} s, certificate after {taken} s")
    return f"cluster known {known * 1000:.0f} ms after the start, certificate {taken * 1000:.0f} ms"


@test("WH14", alone=True)
def added_latency_of_a_protected_creation(cluster):
    whole(cluster)
    with place(cluster) as space:
        with_us = protected("Deployment", "app", "data")
        without = plain(with_us)
        ready(cluster)
        creation_times(cluster, space, [with_us, without])  # connections are open, the API server is warm
        mark = cluster.audit_mark()
        ours, others = creation_times(cluster, space, [with_us, without])
        check_equal(passed_over(cluster.audit(mark, namespace=space)), [], "creations that passed us over")
        p50, p99 = ([percentile(times, share) for times in (ours, others)] for share in (0.5, 0.99))
        text = (f"p50 {p50[0]:.1f} ms with the webhook, {p50[1]:.1f} without; "
                f"p99 {p99[0]:.1f} ms with, {p99[1]:.1f} without; mean of the difference "
                f"{statistics.mean(ours) - statistics.mean(others):.1f} ms")
        # a ratio: on a busy machine both wait for it
        check(p50[0] < 4 * p50[1] + 25, f"a protected creation takes too long: {text}")
        return f"{CREATIONS} each: {text}"
