"""Certificates of an installation from manifests/: controller and webhook in pods, with nothing but their own rights.

The tests share one installation and run in this order, each under requests unless it says otherwise."""

import base64
import contextlib
import copy
import os
import signal
import tempfile
import time

import node
import tools
from granary import policies, rendered
from harness import ApiError, check, check_equal, eventually, test
from installed import (CONFIGURATIONS, GROUP, KINDS, SYSTEM, WEBHOOK, Authority, asked, blueprint, metrics, of_kind,
                       place, processes, ready)
from test_webhook_faults import Requests, check_only

CONTROLLER, LEAF, AUTHORITY, AGENTS = "granary-controller", "granary-webhook-tls", "granary-ca", "granary-agent"
PATHS = [f"{GROUP}/{resource}/{WEBHOOK}" for resource in CONFIGURATIONS]
SETTLE_S = 4
ROTATIONS = 3
TAKES_OVER_S = 20  # the Lease of one that died counts for 15
HANDS_OVER_S = 5


# --- installation ---------------------------------------------------------------------------------


def forget(cluster):
    """Takes away the controller, and whatever somebody made of certificates."""
    with contextlib.suppress(ApiError):
        cluster.delete("deployments", SYSTEM, CONTROLLER, "?propagationPolicy=Foreground")

    def gone():
        pods = controllers(cluster)
        for pod in pods:
            kill(pod)
        return not pods
    eventually(gone, "controllers of an earlier test are gone")
    for path in PATHS + [cluster.path("secrets", SYSTEM, LEAF), cluster.path("secrets", SYSTEM, AUTHORITY),
                         cluster.path("configmaps", SYSTEM, AGENTS), cluster.path("leases", SYSTEM, CONTROLLER)]:
        with contextlib.suppress(ApiError):
            cluster.api("DELETE", path)
    cluster.granary_webhook = cluster.granary_whole = None  # what other tests would rely on
    cluster.granary_certificates = False


def impatient(deployment):
    """The controller's Deployment with short pauses: what takes minutes there takes seconds here."""
    deployment = copy.deepcopy(deployment)
    deployment["spec"]["template"]["spec"]["containers"][0]["args"] += ["--look-every=500ms", f"--settle={SETTLE_S}s"]
    return deployment


def install(cluster):
    """All of overlay local but certificates, as an administrator does: nobody but the controller makes any."""
    policies(cluster)
    forget(cluster)
    cluster.apply(blueprint(), None, "--server-side")  # while there is no webhook to ask about it
    objects = rendered(cluster)
    deployments = [impatient(each) if each["metadata"]["name"] == CONTROLLER else each
                   for each in of_kind(objects, "Deployment")]
    cluster.apply(of_kind(objects, "Service", "NetworkPolicy", "PodDisruptionBudget", *KINDS) + deployments, None,
                  "--server-side")
    eventually(lambda: is_well(cluster), "certificates are made and published")
    ready(cluster)
    cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)
    eventually(lambda: asked(cluster), "the API server asks the webhook")
    cluster.granary_certificates = True


def installed(cluster):
    """Once; the last test takes it away."""
    if not getattr(cluster, "granary_certificates", False):
        install(cluster)


@contextlib.contextmanager
def running(cluster):
    """The installation of these tests under requests; gives these."""
    installed(cluster)
    with place(cluster) as space, Requests(cluster, space) as requests:
        yield requests
        requests.wait_for_more(50)


def controllers(cluster):
    return cluster.pods(SYSTEM, f"app.kubernetes.io/name={CONTROLLER}")


def kill(pod):
    for path in processes(pod["metadata"]["uid"], CONTROLLER):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(os.path.basename(path)), signal.SIGKILL)


def holder(cluster):
    return cluster.get("leases", SYSTEM, CONTROLLER)["spec"].get("holderIdentity") or None


# --- what there is --------------------------------------------------------------------------------


def data(cluster, name):
    found = cluster.exists("secrets", SYSTEM, name)
    return found.get("data", {}) if found else {}


def pem(coded):
    return base64.b64decode(coded or "").decode()


def bundles(cluster):
    """What each entry of both configurations trusts; "" where there is nothing."""
    hooks = [hook for path in PATHS for hook in cluster.api("GET", path)["webhooks"]]
    return [pem(hook["clientConfig"].get("caBundle")) for hook in hooks]


def places(cluster):
    """All bundles: those and the one of the agents."""
    return bundles(cluster) + [cluster.get("configmaps", SYSTEM, AGENTS)["data"]["ca.crt"]]


def trusted(cluster, authority):
    """Whether it is in every bundle."""
    return all(pem(authority) in text for text in places(cluster))


def is_well(cluster):
    """One CA signs, everybody trusts it, nothing is under way."""
    authority = data(cluster, AUTHORITY)
    return ("next.crt" not in authority and trusted(cluster, authority["current.crt"]) and data(cluster, LEAF) and
            len(set(places(cluster))) == 1)


def writes(cluster, since):
    """What the controller wrote since then, apart from its Lease, events and dry runs."""
    return [(entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("name"))
            for entry in cluster.audit(since, user=f"system:serviceaccount:{SYSTEM}:{CONTROLLER}")
            if entry["verb"] in ("create", "patch", "update", "delete") and
            entry["objectRef"]["resource"] not in ("leases", "events", "restoresessions") and
            entry["stage"] == "ResponseComplete" and entry["responseStatus"]["code"] < 300]


def made_due(authority):
    """The same CA (name, key and its identifier), in the last third of a short life: as granary-ca holds it when due."""
    with tempfile.TemporaryDirectory(prefix="granary-ca-", dir="/dev/shm") as folder:
        def path(name):
            return os.path.join(folder, name)
        moments = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + hours * 3600)) for hours in (-80, 20)]
        node.write(path("key"), pem(authority["current.key"]))
        node.write(path("old.crt"), pem(authority["current.crt"]))
        node.openssl("x509", "-in", path("old.crt"), "-noout", "-ext", "subjectKeyIdentifier", "-out", path("said"))
        identifier = tools.file_text(path("said")).split()[-1]  # what it signed names its key by this
        node.write(path("index"), "")
        node.write(path("conf"), f"[ca]\ndefault_ca=us\n[us]\ndatabase={path('index')}\nrand_serial=yes\n"
                   f"new_certs_dir={folder}\npolicy=any\ndefault_md=sha256\n[any]\ncommonName=supplied\n[ext]\n"
                   "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n"
                   f"subjectKeyIdentifier={identifier}\n")
        node.openssl("x509", "-x509toreq", "-in", path("old.crt"), "-signkey", path("key"), "-out", path("csr"))
        node.openssl("ca", "-batch", "-notext", "-selfsign", "-config", path("conf"), "-extensions", "ext", "-keyfile",
                     path("key"), "-startdate", moments[0], "-enddate", moments[1], "-in", path("csr"), "-out",
                     path("crt"))
        return base64.b64encode(tools.file_text(path("crt")).encode()).decode()


def loads(pods):
    return [metrics(pod)["granary_webhook_certificate_loads_total"] for pod in pods]


def replaced(cluster, signs):
    """Waits until another CA than this one signs: it is trusted everywhere beside the old one before anything of its is
    in use, and the old one afterwards."""
    leaf = data(cluster, LEAF)["tls.crt"]
    following = eventually(lambda: data(cluster, AUTHORITY).get("next.crt"), "another CA is made")
    eventually(lambda: trusted(cluster, following), "it is published")
    check(trusted(cluster, signs), "the CA in use is trusted no more")
    now = data(cluster, LEAF)["tls.crt"]
    check(now == leaf or "next.crt" not in data(cluster, AUTHORITY), "a new certificate before all know its CA")
    eventually(lambda: data(cluster, AUTHORITY).get("current.crt") == following, "it signs")
    eventually(lambda: data(cluster, LEAF)["tls.crt"] != leaf and is_well(cluster), "the webhook has a new certificate")
    check(trusted(cluster, signs), "a CA whose certificate may be in use is trusted no more")


# --- tests ----------------------------------------------------------------------------------------


@test("CT1", alone=True)
def certificates_from_nothing(cluster):
    mark, begun = cluster.audit_mark(), time.monotonic()
    install(cluster)
    took = time.monotonic() - begun
    wrote = writes(cluster, mark)
    check_equal(len(wrote), 6, f"writes: {wrote}")
    logs = [cluster.logs(SYSTEM, pod["metadata"]["name"]) for pod in controllers(cluster)]
    check(not any("PRIVATE" in text or data(cluster, AUTHORITY)["current.key"][:40] in text for text in logs),
          "a key in a log")
    return f"a workload is patched {took:.1f} s after the installation began; 6 writes"


# no requests here: as long as the API server trusts nobody it can not ask us
@test("CT2", alone=True)
def ca_bundle_is_put_back(cluster):
    installed(cluster)
    longest = 0
    for path in PATHS:
        for value, hooks in ((Authority("other-ca").bundle, slice(None)), (None, slice(None)), (None, slice(1))):
            it = cluster.api("GET", path)
            before = [hook["clientConfig"]["caBundle"] for hook in it["webhooks"]]
            for hook in it["webhooks"][hooks]:
                hook["clientConfig"]["caBundle"] = value
            begun = time.monotonic()
            cluster.api("PUT", path, it)
            eventually(lambda: [hook["clientConfig"].get("caBundle") for hook in  # pylint: disable=cell-var-from-loop
                                cluster.api("GET", path)["webhooks"]] == before, "it is put back")
            longest = max(longest, time.monotonic() - begun)
    eventually(lambda: asked(cluster), "the API server asks again")
    return f"overwritten, removed, removed from one entry, in both: put back after {longest:.1f} s at most"


@test("CT3", alone=True)
def lost_certificate_is_made_again(cluster):
    with running(cluster) as requests:
        pods = ready(cluster)
        before, old = loads(pods), data(cluster, LEAF)["tls.crt"]
        cluster.delete("secrets", SYSTEM, LEAF)
        eventually(lambda: data(cluster, LEAF).get("tls.crt", old) != old, "a certificate is made again")
        eventually(lambda: all(now > then for now, then in zip(loads(pods), before)), "both replicas take it")
    return check_only(requests, "patched", "validated")


@test("CT4", alone=True)
def lost_authority_is_replaced(cluster):
    with running(cluster) as requests:
        signs = data(cluster, AUTHORITY)["current.crt"]
        cluster.delete("secrets", SYSTEM, AUTHORITY)
        replaced(cluster, signs)
    return check_only(requests, "patched", "validated")


@test("CT5", alone=True)
def authorities_are_replaced_one_after_the_other(cluster):
    with running(cluster) as requests:
        for _ in range(ROTATIONS):
            due = made_due(data(cluster, AUTHORITY))
            cluster.patch("secrets", SYSTEM, AUTHORITY, {"data": {"current.crt": due}})
            replaced(cluster, due)
    return f"{ROTATIONS} CAs: " + check_only(requests, "patched", "validated")


def led_by_another(cluster, end):
    """Seconds from the end of the leader until another one leads."""
    leader = holder(cluster)
    (pod, ) = [each for each in controllers(cluster) if leader.startswith(each["metadata"]["name"])]
    begun = time.monotonic()
    end(pod)
    eventually(lambda: holder(cluster) not in (None, leader), "another one leads")
    return time.monotonic() - begun


@test("CT6", alone=True)
def another_controller_leads(cluster):
    try:
        with running(cluster) as requests:
            mark = cluster.audit_mark()
            killed_s = led_by_another(cluster, kill)
            check(killed_s < TAKES_OVER_S, f"took over after {killed_s:.1f} s")
            cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)
            stopped_s = led_by_another(cluster, lambda pod: cluster.delete("pods", SYSTEM, pod["metadata"]["name"]))
            check(stopped_s < HANDS_OVER_S, f"handed over after {stopped_s:.1f} s")
            check_equal(writes(cluster, mark), [], "writes of leaders that find all well")
            cluster.delete("configmaps", SYSTEM, AGENTS)
            eventually(lambda: is_well(cluster), "the new leader works")
        text = check_only(requests, "patched", "validated")
    finally:
        forget(cluster)
    return f"{killed_s:.1f} s after kill -9, {stopped_s:.1f} s after a clean stop; {text}"
