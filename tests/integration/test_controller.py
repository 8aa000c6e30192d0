"""granary-controller as a process, against a small API server on loopback."""

import base64
import re
import signal
import subprocess
import threading

import harness
from api_server import Refusal
from controller import (AGENT, AUTHORITY, CONTROLLER, LEAF, LEASE, MUTATING, SPACE, STASH, VALIDATING, Controller,
                        give_back, installed)
from harness import check, check_equal, eventually, openssl, temporary_folder, test, write

NOISE = ("/leases", "/events")  # what goes on while nothing is to be done
FIRST_START = 6  # writes: the CA, three places, the CA again, the leaf


def bundles(server):
    """All caBundles of our entries; None for one that is missing."""
    return [entry["clientConfig"].get("caBundle") for path in (MUTATING, VALIDATING)
            for entry in server.get(path)["webhooks"]]


def verify(server, bundle=None):
    """The webhook's certificate stands against what the API server trusts, as openssl sees it."""
    folder = temporary_folder()
    leaf = server.get(LEAF)["data"]
    write(f"{folder}/ca", base64.b64decode(bundle or bundles(server)[0]).decode())
    write(f"{folder}/crt", base64.b64decode(leaf["tls.crt"]).decode())
    openssl("verify", "-CAfile", f"{folder}/ca", "-verify_hostname", f"granary-webhook.{SPACE}.svc", "-purpose",
            "sslserver", f"{folder}/crt")


def is_well(server):
    found = set(bundles(server))
    if None in found or len(found) != 1 or not server.get(LEAF) or not server.get(AGENT):
        return False
    text = base64.b64decode(found.pop()).decode()
    return text == server.get(AGENT)["data"]["ca.crt"] and text.count("BEGIN CERTIFICATE") >= 1


@test("-")
def controller_help_and_version():
    answer = subprocess.run([CONTROLLER, "--help"], capture_output=True, check=False)
    check_equal(answer.returncode, 0, "exit code")
    for word in (b"usage:", b"--kubeconfig", b"--certificates", b"--takeover", b"exit:"):
        check(word in answer.stdout, f"--help does not say {word}")
    version = subprocess.run([CONTROLLER, "--version"], capture_output=True, check=False).stdout
    check(re.fullmatch(rb"granary-controller \d+\.\d+\.\d+ \([0-9a-z]+\)\n", version), version)
    wrong = subprocess.run([CONTROLLER, "--nonsense"], capture_output=True, check=False)
    check_equal(wrong.returncode, 2, "exit code")
    missing = subprocess.run([CONTROLLER, "--kubeconfig", "/nowhere"], capture_output=True, check=False)
    check_equal(missing.returncode, 2, "exit code")
    check(b"/nowhere" in missing.stderr, missing.stderr)


@test("CC1")
def first_start_makes_everything_and_the_second_nothing():
    with installed() as server:
        with Controller(server) as controller:
            eventually(lambda: is_well(server) and controller.metric("bundle_published") == 1, "all is made")
            verify(server)
            check_equal(len(server.writes(*NOISE)), FIRST_START, f"writes {server.writes(*NOISE)}")
            check_equal(server.get(LEAF)["type"], "kubernetes.io/tls", "type")
            check_equal(sorted(server.get(AUTHORITY)["data"]), ["current.crt", "current.key"], "CA")
            controller.looks()
            check_equal(len(server.writes(*NOISE)), FIRST_START, "it does not write without need")
            check(controller.metric('certificate_not_after_seconds{of="webhook"}') > 1.7e9, "a metric of its end")
            check_equal(controller.admin("/livez")[0], 200, "alive")
            check_equal(controller.admin("/readyz")[0], 200, "ready")
        with Controller(server) as controller:
            controller.says("all is well")
            controller.looks()
        check_equal(len(server.writes(*NOISE)), FIRST_START, "the second start writes nothing")


@test("CC2")
def what_somebody_overwrites_is_healed():
    with installed() as server, Controller(server) as controller:
        eventually(lambda: is_well(server), "all is made")
        before = server.get(LEAF)["data"]["tls.crt"]
        server.change(MUTATING, {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Zm9v"})
        eventually(lambda: is_well(server), "caBundle is healed")
        server.change(VALIDATING, {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"})
        eventually(lambda: is_well(server), "caBundle is put back")
        server.delete(AGENT)
        eventually(lambda: is_well(server), "the ConfigMap is made again")
        check_equal(server.get(LEAF)["data"]["tls.crt"], before, "the certificate stays")
        server.delete(LEAF)
        eventually(lambda: server.get(LEAF), "the certificate is made again")
        verify(server)
        server.delete(AUTHORITY)
        eventually(lambda: server.get(AUTHORITY) and "next.crt" in server.get(AUTHORITY)["data"], "another CA")
        eventually(lambda: base64.b64decode(bundles(server)[0]).count(b"BEGIN CERTIFICATE") == 2, "both CAs are trusted")
        eventually(lambda: is_well(server), "everywhere")
        verify(server)
        controller.looks()


def renewals(server):
    with server.lock:
        return sum(method != "GET" and path.endswith("/leases/granary-controller")
                   for method, path, _, _ in server.requests)


@test("CC2")
def what_is_watched_is_looked_at_when_it_changes_and_else_never():
    with installed() as server:
        server.watches = True
        with Controller(server) as controller:
            eventually(lambda: is_well(server) and controller.metric("bundle_published") == 1, "all is made")
            eventually(lambda: controller.metric("webhook_reached") == 1, "the webhook is reached")

            def is_quiet():  # for as long as the Lease is not renewed: that many looks without watches
                before, wanted = controller.metric("looks_total"), renewals(server) + 1
                eventually(lambda: renewals(server) >= wanted, "the Lease is renewed")
                return controller.metric("looks_total") == before
            eventually(is_quiet, "it does not look")
            probes = controller.metric("probes_total")
            for break_it in (lambda: server.change(MUTATING, {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "Zm9v"}),
                             lambda: server.delete(AGENT), lambda: server.delete(LEAF)):
                break_it()
                eventually(lambda: is_well(server), "what somebody changed is healed")
            eventually(lambda: controller.metric("probes_total") > probes, "the webhook is probed after a change")
            server.put(STASH, {"kind": "MutatingWebhookConfiguration", "metadata": {"name": "admission.stash.appscode.com"}})
            eventually(lambda: controller.metric("stash_found") == 1, "Stash is seen")
            server.watches = False  # they break
            controller.looks()


@test("LE3 LE10")
def a_leader_is_killed_and_the_other_takes_over():
    with installed() as server, Controller(server) as first:
        eventually(lambda: is_well(server), "all is made")
        with Controller(server) as second:
            eventually(lambda: second.admin("/readyz")[0] == 200, "the one who waits is ready")
            check_equal((first.metric("leader"), second.metric("leader")), (1, 0), "who leads")
            first.wanted_exit = -signal.SIGKILL
            first.process.kill()
            server.change(VALIDATING, {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"})
            eventually(lambda: second.metric("leader") == 1, "the other leads")
            eventually(lambda: is_well(server), "and heals")


@test("LE7 PF7")
def a_leader_that_is_told_to_end_gives_its_lease_back():
    for number in (signal.SIGTERM, signal.SIGINT):
        with installed() as server, Controller(server) as controller:
            eventually(lambda: controller.metric("leader") == 1, "it leads")
            check(server.get(LEASE)["spec"]["holderIdentity"], "nobody holds the Lease")
            check_equal(controller.ends(number), 0, "exit code")
            check(not server.get(LEASE)["spec"].get("holderIdentity"), "the Lease was not given back")


@test("LE5 LE8")
def a_leader_whose_lease_is_taken_ends():
    with installed() as server, Controller(server, wanted_exit=1) as controller:
        eventually(lambda: controller.metric("leader") == 1, "it leads")
        server.change(LEASE, {"op": "add", "path": "/spec/holderIdentity", "value": "somebody"})
        check_equal(controller.wait(), 1, "exit code")
        check_equal(server.get(LEASE)["spec"]["holderIdentity"], "somebody", "the Lease is left alone")


@test("LE5")
def a_leader_whose_lease_is_deleted_ends_and_the_next_one_waits():
    with installed() as server:
        with Controller(server, wanted_exit=1) as controller:
            eventually(lambda: controller.metric("leader") == 1, "it leads")
            server.delete(LEASE)
            check_equal(controller.wait(), 1, "exit code")
        with Controller(server, wanted_exit=3) as controller:  # it does not give back what says nothing
            eventually(lambda: server.get(LEASE), "it makes one")
            check_equal(controller.metric("leader"), 0, "the one that was deleted may still have a leader")


@test("AF1 AF4")
def an_api_server_that_is_down_is_waited_for():
    with installed() as server:
        server.down = True
        with Controller(server) as controller:
            eventually(lambda: controller.admin("/livez")[0] == 200, "alive")
            server.down = False
            eventually(lambda: is_well(server), "all is made")
            eventually(lambda: controller.admin("/readyz")[0] == 200, "ready")


@test("AF13 PF3")
def with_a_clock_that_is_wrong_nothing_is_made():
    with installed() as server:
        server.ahead_s = 3600
        with Controller(server) as controller:
            eventually(lambda: controller.metric("clock_doubted") == 1, "the clock is doubted")
            controller.looks()
            check_equal(server.writes(*NOISE), [], "writes")
            server.ahead_s = 0
            eventually(lambda: is_well(server), "all is made")


@test("AF14")
def a_place_that_is_forbidden_holds_nothing_else_up():
    with installed() as server:
        server.forbidden = {("PATCH", "/mutatingwebhookconfigurations/")}
        with Controller(server) as controller:
            eventually(lambda: server.get(LEAF), "a certificate")
            check(bundles(server)[3], "the validator has its bundle")
            verify(server, bundles(server)[3])
            check_equal(controller.metric("bundle_published"), 0, "said as metric")
            controller.says("not written.*forbidden")
            server.forbidden = set()
            eventually(lambda: is_well(server), "all is made")


@test("AF5 AF18")
def somebody_else_writes_between_reading_and_writing():
    with installed() as server:
        seen = []

        def interfere(method, path):
            if path not in seen:
                seen.append(path)
                if server.get(path):
                    server.change(path, {"op": "add", "path": "/metadata/labels", "value": {"by": "somebody"}})
        server.before_write = interfere
        with Controller(server):
            eventually(lambda: is_well(server), "all is made")
            verify(server)
        check_equal(server.get(MUTATING)["metadata"]["labels"], {"by": "somebody"}, "what the other wrote stays")


@test("PF1")
def killed_at_every_write_of_the_first_start():
    for after in (False, True):
        for count in range(1, FIRST_START + 1):
            with installed() as server:
                victims, left, started = [], [count], threading.Event()

                def kill(method, path):
                    if any(word in path for word in NOISE):
                        return
                    left[0] -= 1
                    if left[0] == 0:
                        started.wait(harness.PATIENCE_S)
                        victims[0].process.kill()
                        if not after:
                            raise Refusal(503, "too late")
                setattr(server, "after_write" if after else "before_write", kill)
                with Controller(server, wanted_exit=-signal.SIGKILL) as controller:
                    victims.append(controller)
                    started.set()
                    controller.wait()
                server.after_write = server.before_write = None
                give_back(server)  # nobody waits for it here
                with Controller(server) as controller:
                    eventually(lambda: is_well(server) and controller.metric("bundle_published") == 1,
                               f"all is made, after {count}")
                    verify(server)
                    check_equal(sorted(server.get(AUTHORITY)["data"]), ["current.crt", "current.key"], "CA")


@test("-")
def beside_stash_the_mutator_waits():
    stash = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
             "metadata": {"name": "admission.stash.appscode.com"}}
    with installed() as server:
        server.put(STASH, stash)
        with Controller(server) as controller:
            eventually(lambda: server.get(LEAF), "a certificate")
            check_equal([bool(each) for each in bundles(server)], [False, False, False, True], "caBundles")
            check_equal(controller.metric("stash_found"), 1, "said as metric")
            check_equal(controller.metric("webhook_reached"), None, "nobody can know")
            controller.says("Stash is installed: workloads are not mutated")
            server.delete(STASH)
            eventually(lambda: is_well(server), "the mutator has its bundle")
            check_equal(controller.metric("stash_found"), 0, "said as metric")
    with installed() as server:
        server.put(STASH, stash)
        with Controller(server, "--takeover") as controller:
            eventually(lambda: is_well(server), "all is made")
            eventually(lambda: controller.metric("stash_found") == 1, "said as metric")


def reasons(server):
    return {value.get("reason") for path, value in list(server.objects.items()) if "/events/" in path}


@test("-")
def it_says_whether_the_webhook_is_reached():
    with installed() as server:
        server.reaches_webhook = False
        with Controller(server) as controller:
            eventually(lambda: controller.metric("webhook_reached") == 0, "not reached")
            server.reaches_webhook = True
            eventually(lambda: controller.metric("webhook_reached") == 1, "reached")
            controller.says("passed the webhook over")
            controller.says("the webhook is reached")
            asked = [path for method, path, _, _ in server.requests if method == "POST" and "restoresessions" in path]
            check(asked and all("dryRun=All" in path for path in asked), "only dry runs")
            eventually(lambda: {"WebhookNotReached", "WebhookReached", "CertificateMade"} <= reasons(server), "events")


@test("-")
def certificates_of_others_are_published():
    for source in ("files", "cert-manager"):
        with installed() as theirs, installed() as server:
            with Controller(theirs):
                eventually(lambda: is_well(theirs), "somebody makes certificates")
            bundle = theirs.get(AGENT)["data"]["ca.crt"]
            folder = temporary_folder()
            more = ["--certificates", source]
            if source == "files":
                write(f"{folder}/ca", bundle)
                more += ["--ca-bundle", f"{folder}/ca"]
            else:
                server.put(LEAF, theirs.get(LEAF))
            with Controller(server, *more) as controller:
                eventually(lambda: None not in bundles(server) and server.get(AGENT), "all is published")
                check_equal(base64.b64decode(bundles(server)[0]).decode(), bundle, "what is published")
                check_equal(server.get(AUTHORITY), None, "a CA of ours")
                asked = {path for _, path, _, _ in server.requests}
                check(AUTHORITY not in asked, "the CA is not even asked for")
                server.change(MUTATING, {"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"})
                eventually(lambda: None not in bundles(server), "caBundle is put back")
                controller.looks()
