"""The webhook against an API server: what it follows, and what it does while that is away, refuses, or
changes. Catalogue AF1, AF13 to AF15, CR7 as far as one program shows them."""

import base64
import concurrent.futures
import json
import os
import signal
import threading

import harness
from fake_cluster import KINDS, STASH, FakeCluster, kubeconfig
from harness import (Webhook, ask, check, check_allowed, check_equal, eventually, post, read_answer,
                     review, temporary_folder, test)

GOLDEN = "tests/golden"
SECRET = ("granary-webhook-tls", "granary-system")


def golden(name):
    with open(os.path.join(GOLDEN, name), encoding="utf-8") as file:
        return file.read()


def blueprint(**changes):
    (spec,) = [each["spec"] for each in json.loads(golden("cluster.json")) if each["kind"] == "BackupBlueprint"]
    return {"spec": {**spec, **changes}}


def put_secret(cluster, pair):
    data = {}
    for key, path in zip(("tls.crt", "tls.key"), pair):
        with open(path, "rb") as file:
            data[key] = base64.b64encode(file.read()).decode()
    cluster.put("secrets", *SECRET, type="kubernetes.io/tls", data=data)


def filled(cluster):
    """What the golden cases know, and a certificate."""
    cluster.put("namespaces", "demo", metadata={"labels": {"kubernetes.io/metadata.name": "demo"}})
    cluster.put("backupblueprints", "nightly", **blueprint())
    put_secret(cluster, (harness.WORLD.cert, harness.WORLD.key))
    return cluster


class Live(Webhook):
    """A webhook that follows a cluster."""

    def __init__(self, cluster, *arguments, wait_ready=True, **more):
        config = kubeconfig(os.path.join(temporary_folder(), "config"), cluster)
        super().__init__("--kubeconfig", config, "--context", "fake", "--tls-secret",
                         f"{SECRET[1]}/{SECRET[0]}", *arguments, source=(), wait_ready=wait_ready, **more)
        self.descriptors += 2 * len(KINDS)  # a watch of each kind, and the one before it for a moment

    def judged(self):
        """The warnings that a new Deployment that names the blueprint gets; None when not patched."""
        answer = ask(self, post(golden("deployment-create/review.json").encode()))
        check_equal(answer.status, 200, "status")
        response = answer.json()["response"]
        check_equal(response["allowed"], True, "allowed")
        return response.get("warnings", []) if "patch" in response else None

    def says(self, line):
        return line in self.admin("/readyz")[2]

    def serial(self):
        with self.tls() as connection:
            return connection.getpeercert()["serialNumber"]


@test("AF1")
def a_cluster_is_followed_and_asked_for_nothing_else():
    with filled(FakeCluster()) as cluster, Live(cluster) as webhook:
        check(any('"0 2 * * *"' in line for line in webhook.judged()), "no schedule is told")
        check(webhook.says("[+]cluster ok") and webhook.says("[+]certificate ok"), webhook.admin("/readyz")[2])
        wanted = {(group, plural, space, field) for group, plural, space, field in [
            ("", "namespaces", None, None), ("", "secrets", SECRET[1], f"metadata.name={SECRET[0]}"),
            (STASH, "backupblueprints", None, None), (STASH, "backupconfigurations", None, None),
            (STASH, "restoresessions", None, None), (STASH, "repositories", None, None),
            (STASH, "tasks", None, None)]}
        check_equal({each[1:] for each in cluster.asked}, wanted, "what was asked")
        check({each[0] for each in cluster.asked} <= {"list", "watch"}, f"{cluster.asked}")
        # J13: an answer asks nobody
        before = len(cluster.log)
        for _ in range(20):
            check(webhook.judged(), "not patched")
        check_equal(len(cluster.log), before, "requests while answering")


@test("AF1")
def what_changes_is_known_at_once():
    with filled(FakeCluster()) as cluster, Live(cluster) as webhook:
        cluster.put("backupblueprints", "nightly", **blueprint(schedule="7 7 * * *"))
        eventually(lambda: any('"7 7 * * *"' in line for line in webhook.judged()), "the new schedule")
        cluster.remove("backupblueprints", "nightly")
        eventually(lambda: webhook.judged() is None, "no blueprint, no patch")
        cluster.put("backupblueprints", "nightly", **blueprint())
        eventually(lambda: webhook.judged() is not None, "the blueprint is there again")
        # what nobody reads makes no work
        loads = webhook.metric("catalog_loads_total")
        events = webhook.metric('cluster_objects{resource="backupblueprints"}')
        for n in range(5):
            cluster.put("backupblueprints", "nightly", **blueprint(), status={"matchedTargets": n})
        cluster.put("namespaces", "other")
        eventually(lambda: webhook.metric("catalog_loads_total") > loads, "the namespace")
        check_equal(webhook.metric("catalog_loads_total"), loads + 1, "snapshots")
        check_equal(events, 1, "blueprints")


@test("AF15")
def kinds_without_a_crd_are_empty_until_they_come():
    ours = ["backupblueprints", "backupconfigurations", "restoresessions", "tasks", "repositories"]
    with filled(FakeCluster()) as cluster:
        cluster.absent.update(ours)
        with Live(cluster) as webhook:
            check(webhook.judged() is None, "patched without a blueprint")
            check_equal(webhook.metric('cluster_failing{resource="backupblueprints"}'), 0, "failing")
            check(webhook.says("[+]cluster ok"), webhook.admin("/readyz")[2])
            cluster.absent.clear()
            eventually(lambda: webhook.judged() is not None, "the CRDs came")
            check_equal(webhook.count("answers come from what is known"), 0, "lines about failing")


@test("AF14")
def not_ready_before_every_kind_is_known():
    with filled(FakeCluster()) as cluster:
        cluster.forbidden.update(["tasks", "namespaces"])
        with Live(cluster, wait_ready=False) as webhook:
            eventually(lambda: webhook.says("[-]cluster: not known yet: namespaces, tasks (the fake cluster"),
                       "says what is missing")
            check(not webhook.ready(), "ready without knowing the namespaces")
            eventually(lambda: webhook.says("[+]certificate ok"), "the certificate")
            check_equal(ask(webhook, post(review())).status, 503, "status")
            cluster.forbidden.clear()
            eventually(webhook.ready, "ready")
            check(webhook.judged() is not None, "not patched")


@test("AF1")
def an_outage_is_survived_with_what_was_known():
    with filled(FakeCluster()) as cluster, Live(cluster) as webhook:
        check(webhook.judged() is not None, "not patched")
        cluster.go_away()
        webhook.log("can not be followed, answers come from what is known")
        cluster.put("backupblueprints", "nightly", **blueprint(schedule="9 9 * * *"))
        eventually(lambda: webhook.metric('cluster_contact_age_seconds{resource="tasks"}') >= 1, "the age grows")
        check(webhook.ready(), "not ready in an outage")
        check(webhook.says("[!]cluster: can not be followed, answers come from what is known: "),
              webhook.admin("/readyz")[2])
        eventually(lambda: all(webhook.metric('cluster_failing{resource="%s"}' % plural) == 1 for plural in KINDS),
                   "every kind is failing")
        check_equal(webhook.metric("cluster_stale"), 0, "stale after seconds")
        check(any('"0 2 * * *"' in line for line in webhook.judged()), "the last known schedule")
        cluster.come_back()
        eventually(lambda: any('"9 9 * * *"' in line for line in webhook.judged()), "what changed meanwhile",
                   seconds=20)
        webhook.log("followed again")
        eventually(lambda: webhook.says("[+]cluster ok"), "all is well")
        check_equal(webhook.count("answers come from what is known"), 1, "lines about the outage")
        refused = webhook.count("a kind can not be followed")
        check(refused <= 14, f"{refused} lines about seven kinds")


@test("AF1")
def an_api_server_that_comes_later_is_waited_for():
    with filled(FakeCluster()) as cluster:
        cluster.go_away()
        with Live(cluster, wait_ready=False) as webhook:
            webhook.log("can not be followed")
            check(not webhook.ready(), "ready")
            check(webhook.says("[-]cluster: not known yet: ") and webhook.says("[-]certificate: "),
                  webhook.admin("/readyz")[2])
            check_equal(webhook.metric('cluster_contact_age_seconds{resource="tasks"}'), -1, "age")
            check_equal(webhook.admin("/livez")[0], 200, "livez")
            cluster.come_back()
            eventually(webhook.ready, "ready")
            check(webhook.judged() is not None, "not patched")


@test("PF7")
def an_outage_does_not_hold_up_the_end():
    with filled(FakeCluster()) as cluster:
        with Live(cluster, "--drain-delay", "100ms", end=signal.SIGTERM) as webhook:
            cluster.go_away()
            webhook.log("can not be followed")
            webhook.kill(signal.SIGTERM)
            check_equal(webhook.wait(seconds=harness.AT_ONCE_S), 0, "exit code")
            check_equal(webhook.count("stopped"), 0, "lines about our own end")


@test("CR7")
def a_secret_is_followed_and_a_broken_one_leaves_the_last_good_pair():
    with filled(FakeCluster()) as cluster, Live(cluster) as webhook:
        first = webhook.serial()
        with webhook.tls() as kept:
            put_secret(cluster, harness.WORLD.second)
            eventually(lambda: webhook.serial() != first, "the second certificate")
            second = webhook.serial()
            kept.sendall(post(review()))
            check_allowed(read_answer(kept))
        # the key of another certificate; no base64; members that are missing; nothing at all
        put_secret(cluster, (harness.WORLD.cert, harness.WORLD.second[1]))
        eventually(lambda: webhook.count("certificate refused") == 1, "refused")
        for number, data in enumerate(({"tls.crt": "%%%", "tls.key": "AAAA"}, {"tls.crt": "AAAA"}, None), 2):
            cluster.put("secrets", *SECRET, data=data)
            eventually(lambda: webhook.count("certificate refused") == number, f"refused, {data}")
        cluster.remove("secrets", *SECRET)
        webhook.log("the certificate's Secret is gone")
        check_equal(webhook.serial(), second, "certificate in use")
        check(webhook.ready(), "not ready with the last good pair")
        check_equal(webhook.metric("certificate_errors_total"), 4, "errors")
        put_secret(cluster, (harness.WORLD.cert, harness.WORLD.key))
        eventually(lambda: webhook.serial() == first, "the first certificate again")
        with open(harness.WORLD.key, encoding="ascii") as key:
            secret = [line.strip() for line in key if "-----" not in line][0]
        coded = base64.b64encode(secret.encode()).decode()[:20]
        for line in list(webhook.lines):
            check(secret not in line and coded not in line, "a key in the log")


@test("CR7")
def without_a_secret_there_is_no_readiness():
    with filled(FakeCluster()) as cluster:
        cluster.remove("secrets", *SECRET)
        cluster.put("secrets", "another", SECRET[1], data={})
        with Live(cluster, wait_ready=False) as webhook:
            eventually(lambda: webhook.says("[+]cluster ok"), "the cluster is known")
            check(webhook.says("[-]certificate: no good certificate was found"), webhook.admin("/readyz")[2])
            put_secret(cluster, (harness.WORLD.cert, harness.WORLD.key))
            eventually(webhook.ready, "ready")


@test("CR7")
def the_client_ca_is_a_file_beside_the_secret():
    pair = harness.WORLD.ca.issue("live-client", usage="clientAuth")
    with filled(FakeCluster()) as cluster, Live(cluster, "--client-ca", harness.WORLD.ca.cert) as webhook:
        context = harness.trusting()
        context.load_cert_chain(*pair)
        with webhook.tls(context=context) as connection:
            connection.sendall(post(review()))
            check_allowed(read_answer(connection))
        with webhook.tls() as connection:
            check(harness.ends(connection), "served without a client certificate")


@test("AF1", serial=True)
def cut_watches_and_rotations_lose_no_request():
    with filled(FakeCluster()) as cluster, Live(cluster, "--log-level", "info") as webhook:
        stop, lost, answered = threading.Event(), [], []

        def traffic():
            body = post(golden("deployment-create/review.json").encode())
            while not stop.is_set():
                answer = ask(webhook, body)
                good = answer and answer.status == 200 and "patch" in answer.json()["response"]
                (answered if good else lost).append(answer and answer.body[:200])

        threads = [threading.Thread(target=traffic) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for n in range(10):
                put_secret(cluster, harness.WORLD.second if n % 2 else (harness.WORLD.cert, harness.WORLD.key))
                cluster.put("backupblueprints", "nightly", **blueprint(schedule=f"{n} 3 * * *"))
                cluster.cut()
                before = len(answered)
                eventually(lambda: len(answered) > before + 20, "traffic goes on")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        check_equal(lost, [], f"lost, beside {len(answered)} answered")
        eventually(lambda: any('"9 3 * * *"' in line for line in webhook.judged()), "the last schedule")


@test("H26")
def certificates_of_two_authorities_lose_no_request():
    """The Secret changes, the CA with every other one; clients trust both, as a bundle has them in a rotation. Half a
    second for each: 100 by hand, with GRANARY_ROTATIONS=100."""
    rotations = int(os.environ.get("GRANARY_ROTATIONS", str(24 // harness.SLOW)))
    other = harness.Authority(temporary_folder(), "other-ca")
    pairs = [(harness.WORLD.cert, harness.WORLD.key), other.issue("third"), harness.WORLD.second, other.issue("fourth")]
    with filled(FakeCluster()) as cluster, Live(cluster, "--log-level", "info") as webhook:
        stop, lost, answered, issuers = threading.Event(), [], [], set()

        def traffic(number):
            context, connection = harness.trusting(), None
            context.load_verify_locations(other.cert)
            while not stop.is_set():
                if not connection:
                    connection = webhook.tls(context=context)
                    issuers.add(str(connection.getpeercert()["issuer"]))
                connection.sendall(post(review()))
                answer = read_answer(connection)
                (answered if answer and answer.status == 200 else lost).append(answer and answer.body[:200])
                if number % 2 or not answer:
                    connection.close()
                    connection = None
            if connection:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            tasks = [pool.submit(traffic, number) for number in range(4)]
            try:
                for n in range(1, rotations + 1):
                    before, loads = len(answered), webhook.metric("certificate_loads_total")
                    put_secret(cluster, pairs[n % len(pairs)])
                    eventually(lambda: webhook.metric("certificate_loads_total") > loads, f"certificate {n} is taken")
                    if n % 10 == 0:
                        eventually(lambda: len(answered) > before + 4, "traffic goes on")
            finally:
                stop.set()
            for task in tasks:
                task.result(timeout=harness.PATIENCE_S * harness.SLOW)
        check_equal(lost, [], f"lost, beside {len(answered)} answered")
        check_equal(len(issuers), 2, "authorities that clients met")
        check_equal(webhook.metric("tls_handshake_failures_total"), 0, "failed handshakes")


@test("CR7")
def a_kubeconfig_that_can_not_be_used_is_said():
    with FakeCluster() as cluster:
        config = kubeconfig(os.path.join(temporary_folder(), "config"), cluster)
        for arguments, reason in ((["--context", "missing"], "missing"), ([], "certificate")):
            if not arguments:
                with open(config, "w", encoding="utf-8") as file:
                    file.write('{"apiVersion": "v1", "kind": "Config", "current-context": "a", "contexts": [{"name": "a", '
                               '"context": {"cluster": "b", "user": "c"}}], "clusters": [{"name": "b", "cluster": '
                               '{"server": "https://127.0.0.1:1", "certificate-authority": "/nonexistent"}}], '
                               '"users": [{"name": "c", "user": {"token": "t"}}]}')
                reason = "/nonexistent"
            answer = harness.run_program("--kubeconfig", config, *arguments, "--tls-secret", "a/b", "--listen",
                                         "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
            check_equal(answer.returncode, 2, f"exit code ({answer.stderr})")
            check(reason in answer.stderr.decode(), answer.stderr)
