"""Certificates of an installation from manifests/: controller and webhook in pods, with nothing but their own rights.

The tests share one installation and run in this order, each under requests unless it says otherwise."""

import base64
import contextlib
import copy
import datetime
import os
import signal
import tempfile
import time

import node
import tools
from granary import policies, rendered
from harness import ApiError, check, check_equal, eventually, test
from installed import (CONFIGURATIONS, GROUP, KINDS, SYSTEM, WEBHOOK, Authority, asked, blueprint, metrics, of_kind,
                       patient, place, processes, ready)
from test_webhook_faults import Requests, check_only

CONTROLLER, LEAF, AUTHORITY, AGENTS = "granary-controller", "granary-webhook-tls", "granary-ca", "granary-agent"
PATHS = [f"{GROUP}/{resource}/{WEBHOOK}" for resource in CONFIGURATIONS]
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{CONTROLLER}"
SETTLE_S = 4
ROTATIONS = 3
LEASE_S = 15  # for so long the Lease of one that died counts


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
    # who makes it waits for one who may still lead; nobody is left here
    cluster.create("leases", SYSTEM, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {
        "name": CONTROLLER, "namespace": SYSTEM}, "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    cluster.granary_webhook = cluster.granary_whole = None  # what other tests would rely on
    cluster.granary_certificates = False


def impatient(deployment):
    """The controller's Deployment with short pauses: what takes minutes there takes seconds here."""
    deployment = patient(deployment)
    deployment["spec"]["template"]["spec"]["containers"][0]["args"] += ["--look-every=500ms", f"--settle={SETTLE_S}s",
                                                                          "--bare-after=2s"]
    return deployment


def install(cluster):
    """All of overlay local but certificates, as an administrator does: nobody but the controller makes any."""
    policies(cluster)
    forget(cluster)
    cluster.apply(blueprint(), None, "--server-side")  # while there is no webhook to ask about it
    objects = rendered(cluster)
    deployments = [impatient(each) if each["metadata"]["name"] == CONTROLLER else patient(each)
                   for each in of_kind(objects, "Deployment")]
    configurations = copy.deepcopy(of_kind(objects, *KINDS))
    for hook in (hook for each in configurations for hook in each["webhooks"]):
        hook["timeoutSeconds"] = 30  # of a loaded machine
    cluster.apply(of_kind(objects, "Service", "NetworkPolicy", "PodDisruptionBudget") + configurations + deployments, None,
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
    """What the controller wrote of certificates since then."""
    return [(entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("name"))
            for entry in cluster.audit(since, user=f"system:serviceaccount:{SYSTEM}:{CONTROLLER}")
            if entry["verb"] in ("create", "patch", "update", "delete") and
            entry["objectRef"]["resource"] in (*CONFIGURATIONS, "secrets", "configmaps") and
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


OBJECTS = {AUTHORITY: f"/api/v1/namespaces/{SYSTEM}/secrets/{AUTHORITY}",
           LEAF: f"/api/v1/namespaces/{SYSTEM}/secrets/{LEAF}",
           AGENTS: f"/api/v1/namespaces/{SYSTEM}/configmaps/{AGENTS}"}


def replaced(cluster, signs, begin):
    """After begin(), waits until another CA than this one signs: it is trusted everywhere beside the old one before
    anything of its is in use, and the old one afterwards. Judged by every version of each object that there was."""
    leaf = data(cluster, LEAF)["tls.crt"]

    def done():
        authority = data(cluster, AUTHORITY)
        return (authority["current.crt"] != signs and "next.crt" not in authority and
                data(cluster, LEAF)["tls.crt"] != leaf and is_well(cluster) and authority["current.crt"])
    with cluster.history(*OBJECTS.values(), *PATHS) as history:
        begin()
        following = eventually(done, "another CA signs, and the webhook has a certificate by it")
    made = False
    for now in history.states():
        held, used = (now.get(OBJECTS[name], {}).get("data", {}) for name in (AUTHORITY, LEAF))
        made |= held.get("next.crt") == following
        trust = [pem(hook["clientConfig"].get("caBundle")) for path in PATHS for hook in now.get(path, {}).get("webhooks", [])]
        trust.append(now.get(OBJECTS[AGENTS], {}).get("data", {}).get("ca.crt", ""))
        if made:
            check(all(pem(signs) in text for text in trust), "the CA whose certificate is in use is trusted no more")
        if held.get("current.crt") == following or used.get("tls.crt", leaf) != leaf:
            check(all(pem(following) in text for text in trust), "another CA signs before all know it")
    check(made, "it was never the next one")


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
        replaced(cluster, signs, lambda: cluster.delete("secrets", SYSTEM, AUTHORITY))
    return check_only(requests, "patched", "validated")


@test("CT5", alone=True)
def authorities_are_replaced_one_after_the_other(cluster):
    with running(cluster) as requests:
        for _ in range(ROTATIONS):
            due = made_due(data(cluster, AUTHORITY))
            replaced(cluster, due, lambda: cluster.patch(
                "secrets", SYSTEM, AUTHORITY, {"data": {"current.crt": due}}))  # pylint: disable=cell-var-from-loop
    return f"{ROTATIONS} CAs: " + check_only(requests, "patched", "validated")


def leaf_until(cluster, seconds):
    """A certificate as the webhook has it, by the CA that signs, which ends so soon: data of its Secret."""
    authority = data(cluster, AUTHORITY)
    with tempfile.TemporaryDirectory(prefix="granary-ca-", dir="/dev/shm") as folder:
        def path(name):
            return os.path.join(folder, name)
        moments = [time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + shift)) for shift in (-3600, seconds)]
        node.write(path("ca.key"), pem(authority["current.key"]))
        node.write(path("ca.crt"), pem(authority["current.crt"]))
        node.write(path("index"), "")
        node.write(path("conf"), f"[ca]\ndefault_ca=us\n[us]\ndatabase={path('index')}\nrand_serial=yes\n"
                   f"new_certs_dir={folder}\npolicy=any\ndefault_md=sha256\n[any]\ncommonName=supplied\n[ext]\n"
                   "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
                   f"subjectAltName=DNS:{WEBHOOK}.{SYSTEM}.svc,DNS:{WEBHOOK}.{SYSTEM}.svc.cluster.local\n")
        node.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj",
                     f"/CN={WEBHOOK}", "-keyout", path("key"), "-out", path("csr"))
        node.openssl("ca", "-batch", "-notext", "-config", path("conf"), "-extensions", "ext", "-cert", path("ca.crt"),
                     "-keyfile", path("ca.key"), "-startdate", moments[0], "-enddate", moments[1], "-in", path("csr"),
                     "-out", path("crt"))
        return {key: base64.b64encode(tools.file_text(path(name)).encode()).decode()
                for key, name in (("tls.crt", "crt"), ("tls.key", "key"))}


EXPIRY_S = 45  # until both replicas have taken it, however busy the machine is


@test("CT7", alone=True)
def expired_certificate_is_replaced(cluster):
    """Nobody renews it in time: the controller is away. Whatever the API server makes of an expired one, no workload
    fails, and all is well again soon after somebody leads."""
    with running(cluster) as requests:
        pods = ready(cluster)
        cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{CONTROLLER}", "--replicas=0")
        eventually(lambda: not controllers(cluster), "no controller is left")
        before = loads(pods)
        short = leaf_until(cluster, EXPIRY_S)
        cluster.patch("secrets", SYSTEM, LEAF, {"data": short})
        eventually(lambda: all(now > then for now, then in zip(loads(pods), before)), "both replicas take it")
        eventually(lambda: all(metrics(pod)["granary_webhook_certificate_expiry_timestamp_seconds"] < time.time() - 1
                               for pod in pods), "it has expired")
        requests.wait_for_more()
        before = loads(pods)
        cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{CONTROLLER}", "--replicas=2")
        eventually(lambda: data(cluster, LEAF)["tls.crt"] != short["tls.crt"] and is_well(cluster), "another one is made")
        eventually(lambda: all(now > then for now, then in zip(loads(pods), before)), "both replicas take it")
        cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)
        ready(cluster)
        eventually(lambda: asked(cluster), "the API server asks again")
        requests.wait_for_more(1)  # what was asked before that
        healed = len(requests.seen)
        requests.wait_for_more()
    counts = requests.counted()
    failed = {what: count for what, count in counts.items() if what.startswith(("workload", "the API server"))}
    check_equal(failed, {}, "workloads that failed")
    check_equal({what for _, what in requests.seen[healed:]}, {"patched", "validated"}, "answers afterwards")
    return (f"{counts['patched']} patched, {counts.get('passed over', 0)} passed over; "
            f"{sum(count for what, count in counts.items() if what.startswith('blueprint'))} objects of ours refused")


def led_by_another(cluster, end):
    """Ends the leader. Returns the seconds until another one led, and whether the Lease was given back before."""
    leader = eventually(lambda: holder(cluster), "somebody leads")
    (pod, ) = [each for each in controllers(cluster) if leader.startswith(each["metadata"]["name"])]
    with cluster.history(LEASE) as history:
        begun = time.monotonic()
        end(pod)
        eventually(lambda: holder(cluster) not in (None, leader), "another one leads")
        took = time.monotonic() - begun
    specs = [now[LEASE]["spec"] for now in history.states() if LEASE in now]
    first = next(number for number, spec in enumerate(specs) if spec.get("holderIdentity") not in ("", None, leader))
    given_back = not specs[first - 1].get("holderIdentity")
    check(given_back or moment(specs[first]["acquireTime"]) - moment(specs[first - 1]["renewTime"]) >= LEASE_S,
          f"taken too soon: {specs[first - 1:first + 1]}")
    return took, given_back


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@test("CT6", alone=True)
def another_controller_leads(cluster):
    try:
        with running(cluster) as requests:
            mark = cluster.audit_mark()
            killed_s, given_back = led_by_another(cluster, kill)
            check(not given_back, "one that was killed gave its Lease back")
            cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)
            stopped_s, given_back = led_by_another(
                cluster, lambda pod: cluster.delete("pods", SYSTEM, pod["metadata"]["name"]))
            check(given_back, "one that was told to end did not give its Lease back")
            cluster.delete("configmaps", SYSTEM, AGENTS)
            eventually(lambda: is_well(cluster), "the new leader works")
            check_equal([name for _, _, name in writes(cluster, mark)], [AGENTS], "what leaders wrote who found all well")
        text = check_only(requests, "patched", "validated")
    finally:
        forget(cluster)
    return f"{killed_s:.1f} s after kill -9, {stopped_s:.1f} s after a clean stop; {text}"
