"""Overlay cert-manager with the real cert-manager: its controller makes the certificates, and its cainjector may write
beside ours. Both run as processes in the cluster's network, as the parts of the cluster do."""

import contextlib
import copy
import datetime
import os
import socket
import ssl
import subprocess

import tools
from granary import parsed, policies, rendered
from harness import ApiError, check, check_equal, eventually, test
from installed import CONFIGURATIONS, KINDS, SYSTEM, WEBHOOK, asked, blueprint, of_kind, patient, place, ready
from test_certificates import (AUTHORITY, CONTROLLER, LEAF, PATHS, bundles, controllers, data, forget, impatient,
                               loads, pem, places, writes)
from test_webhook_faults import Requests, check_only

GROUP = "cert-manager.io"
VERSION = f"/apis/{GROUP}/v1"
AGENTS, CA = "granary-agents", "granary-issuer-ca"
INJECT = f"{GROUP}/inject-ca-from"
END_S = 60


# --- its programs and kinds -------------------------------------------------------------------------


class Program:
    """One program of cert-manager, as a user who may do everything. Use as a context; its log is among those of the
    parts."""

    def __init__(self, cluster, name, user, *options):
        self.words = [tools.ensure("cert-manager")[name], "--leader-elect=false", *options,
                      f"--kubeconfig={cluster.layout.conf(user + '.kubeconfig')}"]
        self.log = os.path.join(cluster.layout.logs, user + ".log")

    def __enter__(self):
        with open(self.log, "ab") as log:
            # it ends with this process, however that ends
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.words], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        return self

    def __exit__(self, kind, *_):
        ended = self.process.poll()
        self.process.terminate()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        check(kind is not None or ended is None, f"{self.words[0]} ended with {ended}, see {self.log}")


def cert_manager(cluster):
    return Program(cluster, "controller", "cert-manager", "--metrics-listen-address=127.0.0.1:0")


def cainjector(cluster):
    return Program(cluster, "cainjector", "cainjector")


@contextlib.contextmanager
def kinds(cluster):
    """Its kinds as its release has them; their labels are templates of its chart."""
    folder = tools.ensure("cert-manager")["cert-manager-crds"]
    texts = [tools.file_text(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".yaml")]
    found = parsed(cluster, "\n---\n".join(texts))
    for each in found:
        del each["metadata"]["labels"]
    names = [each["metadata"]["name"] for each in found]
    cluster.apply(found, None, "--server-side")
    try:
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=300s", *(f"crd/{name}" for name in names))
        eventually(lambda: all(resource in str(cluster.api("GET", VERSION)) for resource in ("issuers", "certificates")) and
                   cluster.api("GET", f"/openapi/v3{VERSION}"), "they are served")
        yield
    finally:
        cluster.kubectl("delete", "crd", *names, "--timeout=300s")


def certificate_path(name):
    return f"{VERSION}/namespaces/{SYSTEM}/certificates/{name}"


def issued(cluster, name):
    """The Certificate, when it is Ready and nothing is under way for it; else None."""
    it = cluster.api("GET", certificate_path(name))
    conditions = {each["type"]: each["status"] for each in it.get("status", {}).get("conditions", [])}
    return it if conditions.get("Ready") == "True" and conditions.get("Issuing") != "True" else None


def renew(cluster, name):
    """Asks for a new certificate now, as `cmctl renew` does. Returns when it is there."""
    def told():
        it = issued(cluster, name)
        check(it, f"{name} is not issued yet")
        it["status"]["conditions"].append({
            "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewed by the test",
            "lastTransitionTime": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "observedGeneration": it["metadata"]["generation"]})
        return cluster.api("PUT", certificate_path(name) + "/status", it)
    before = eventually(told, f"{name} is to be renewed")["status"]["revision"]

    def done():
        it = issued(cluster, name)
        return it and it["status"]["revision"] > before
    eventually(done, f"{name} is renewed")


# --- granary ----------------------------------------------------------------------------------------


def install(cluster):
    """The overlay with our images, as it is applied on a cluster with cert-manager: all at once."""
    objects = rendered(cluster, "cert-manager")
    theirs, local = ({each["metadata"]["name"]: each for each in of_kind(found, "Deployment")}
                     for found in (objects, rendered(cluster)))
    controller = impatient(theirs[CONTROLLER])
    container = controller["spec"]["template"]["spec"]["containers"][0]
    check_equal(container["args"][0], "--certificates=cert-manager", "first argument in the overlay")
    container |= {key: local[CONTROLLER]["spec"]["template"]["spec"]["containers"][0][key]
                  for key in ("image", "imagePullPolicy")}
    configurations = copy.deepcopy(of_kind(objects, *KINDS))
    for hook in (hook for each in configurations for hook in each["webhooks"]):
        hook["timeoutSeconds"] = 30  # of a loaded machine
    cluster.apply(blueprint(), None, "--server-side")  # while there is no webhook to ask about it
    cluster.apply([each for each in objects if each["apiVersion"].startswith(GROUP)] +
                  of_kind(objects, "Service", "NetworkPolicy", "PodDisruptionBudget") + configurations +
                  [controller, patient(local[WEBHOOK])], None, "--server-side")


def authority(cluster):
    """The CA that has signed the webhook's certificate, as cert-manager says in both Secrets: PEM."""
    secret = data(cluster, LEAF)
    check(secret.get("ca.crt") and secret["ca.crt"] == data(cluster, CA)["tls.crt"], "the webhook's is not by this CA")
    return pem(secret["ca.crt"])


def is_published(cluster):
    """That CA, when every place has it and no other; else None."""
    it = authority(cluster)
    return it if set(places(cluster)) == {it} else None


def serves_agents(cluster, trust):
    """Whether a controller answers agents with a certificate of that CA."""
    context = ssl.create_default_context(cadata=trust)
    for pod in controllers(cluster):
        with contextlib.suppress(OSError), socket.create_connection((pod["status"]["podIP"], 9443), 10) as plain:
            context.wrap_socket(plain, server_hostname=f"{AGENTS}.{SYSTEM}.svc").close()
            return True
    return False


def let_inject(cluster):
    """From now on cainjector may write into our configurations too."""
    for path in PATHS:
        cluster.api("PATCH", path, {"metadata": {"annotations": {INJECT: f"{SYSTEM}/{WEBHOOK}"}}},
                    "application/merge-patch+json")


def emptied(cluster, path):
    it = cluster.api("GET", path)
    for hook in it["webhooks"]:
        hook["clientConfig"].pop("caBundle", None)
    return cluster.api("PUT", path, it)


def distrust(cluster):
    """Empties every bundle; somebody else may be writing too."""
    for path in PATHS:
        eventually(lambda: emptied(cluster, path), "bundles are emptied")  # pylint: disable=cell-var-from-loop


# --- test -------------------------------------------------------------------------------------------


def renewed_under_requests(cluster, pods):
    """A new certificate and key: both replicas serve with it, and nothing fails."""
    with place(cluster) as space, Requests(cluster, space) as requests:
        before, old = loads(pods), data(cluster, LEAF)
        renew(cluster, WEBHOOK)
        check(all(data(cluster, LEAF)[key] != old[key] for key in ("tls.crt", "tls.key")), "the same certificate or key")
        eventually(lambda: all(now > then for now, then in zip(loads(pods), before)), "both replicas take it")
        requests.wait_for_more()
    return check_only(requests, "patched", "validated")


def replaced_authority(cluster):
    """The CA is lost. Afterwards everybody trusts another one, as soon as something is signed by it."""
    old = authority(cluster)
    cluster.delete("secrets", SYSTEM, CA)
    eventually(lambda: issued(cluster, CA) and data(cluster, CA)["tls.crt"], "there is another CA")
    for name in (WEBHOOK, AGENTS):
        renew(cluster, name)
    new = eventually(lambda: is_published(cluster), "the other CA is published")
    check(new != old, "the same CA")
    eventually(lambda: asked(cluster), "the API server asks the webhook")
    eventually(lambda: serves_agents(cluster, new), "agents are answered by that CA")


def injected_without_us(cluster):
    """Our controllers are away, and cainjector writes the bundles. Then they are back, and both find all well."""
    cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{CONTROLLER}", "--replicas=0")
    eventually(lambda: not controllers(cluster), "no controller is left")
    let_inject(cluster)
    distrust(cluster)
    trust = authority(cluster)
    eventually(lambda: set(bundles(cluster)) == {trust}, "cainjector writes the bundles")
    eventually(lambda: asked(cluster), "the API server asks the webhook")
    mark = cluster.audit_mark()
    cluster.kubectl("scale", "-n", SYSTEM, f"deployment/{CONTROLLER}", "--replicas=2")
    cluster.ready_replicas("deployments", SYSTEM, CONTROLLER)
    eventually(lambda: serves_agents(cluster, trust), "one leads")
    wrote = [each for each in writes(cluster, mark) if each[1] in CONFIGURATIONS]
    check_equal(wrote, [], "what we wrote where all is well")


def generations(cluster):
    """What counts the changes of both configurations, but for metadata."""
    return [cluster.api("GET", path)["metadata"]["generation"] for path in PATHS]


def both_agree(cluster, pods):
    """cainjector and our controller publish the same: bundles that were emptied are put back by either and then left,
    and a new certificate changes none."""
    distrust(cluster)
    eventually(lambda: is_published(cluster), "it is put back")
    eventually(lambda: asked(cluster), "the API server asks the webhook")
    before = generations(cluster)
    renewed_under_requests(cluster, pods)  # both look at the Secret again
    check_equal(generations(cluster), before, "generations of the configurations")


@test("CT8", alone=True, needs=["cert-manager"])
def cert_manager_makes_the_certificates(cluster):
    policies(cluster)
    forget(cluster)
    try:
        with kinds(cluster), cert_manager(cluster), cainjector(cluster):
            mark = cluster.audit_mark()
            install(cluster)
            trust = eventually(lambda: is_published(cluster), "its CA is published")
            pods = ready(cluster)
            eventually(lambda: asked(cluster), "the API server asks the webhook")
            eventually(lambda: serves_agents(cluster, trust), "agents are answered with its certificate")
            text = renewed_under_requests(cluster, pods)
            replaced_authority(cluster)
            injected_without_us(cluster)
            both_agree(cluster, pods)
            check_equal([each for each in writes(cluster, mark) if each[1] == "secrets"], [], "Secrets that we wrote")
            check(not cluster.exists("secrets", SYSTEM, AUTHORITY), "a CA of ours")
    finally:
        forget(cluster)
        for name in (CA, f"{AGENTS}-tls"):
            with contextlib.suppress(ApiError):
                cluster.delete("secrets", SYSTEM, name)
    return f"its CA is published, and another one; renewed: {text}; cainjector and the controller agree"
