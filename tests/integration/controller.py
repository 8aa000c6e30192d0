"""granary-controller as a process, for those who test it."""

import os
import re
import signal
import subprocess
import threading

import harness
from api_server import ApiServer
from harness import check, check_equal, eventually

CONTROLLER = os.environ.get("GRANARY_CONTROLLER", "build/granary-controller")
SPACE = "granary-system"
CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/{}webhookconfigurations"
MUTATING = CONFIGURATIONS.format("mutating") + "/granary-webhook"
VALIDATING = CONFIGURATIONS.format("validating") + "/granary-webhook"
STASH = CONFIGURATIONS.format("mutating") + "/admission.stash.appscode.com"
AUTHORITY = f"/api/v1/namespaces/{SPACE}/secrets/granary-ca"
LEAF = f"/api/v1/namespaces/{SPACE}/secrets/granary-webhook-tls"
AGENT = f"/api/v1/namespaces/{SPACE}/configmaps/granary-agent"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{SPACE}/leases/granary-controller"
LEASE_TIME = "30s"  # how long a test waits for a leader that is gone; on a busy machine a shorter one gets lost


def configuration(kind, entries):
    service = {"service": {"name": "granary-webhook", "namespace": SPACE, "path": "/x"}}
    return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "granary-webhook"},
            "webhooks": [{"name": f"{number}.granary.dev", "clientConfig": dict(service)} for number in range(entries)]}


def give_back(server):
    """A Lease that nobody holds, whatever was there."""
    server.put(LEASE, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "granary-controller"},
                       "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})


def installed():
    """An API server with what `kubectl apply -k manifests/` brings, and a Lease that somebody gave back: one who makes it
    has to wait before he leads."""
    server = ApiServer()
    give_back(server)
    server.put(MUTATING, configuration("MutatingWebhookConfiguration", 3))
    server.put(VALIDATING, configuration("ValidatingWebhookConfiguration", 1))
    return server


class Controller:
    """A running granary-controller; its log is collected."""

    def __init__(self, server, *arguments, wanted_exit=0):
        self.server, self.wanted_exit, self.lines = server, wanted_exit, []
        self.process = subprocess.Popen(
            [CONTROLLER, "--kubeconfig", server.kubeconfig(harness.WORLD.folder), "--admin-listen", "127.0.0.1:0",
             "--look-every", "200ms", "--lease-duration", LEASE_TIME, "--log-level", "debug", *arguments],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.port = int(re.search(r":(\d+)", self.says(r'listening.*for"?[=:]"?admin').split("address")[1]).group(1))

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def says(self, pattern):
        def found():
            return next((line for line in list(self.lines) if re.search(pattern, line)), None)
        return eventually(found, f"a log line like {pattern}; there are {self.lines[-8:]}")

    def admin(self, path):
        connection = harness.http.client.HTTPConnection("127.0.0.1", self.port, timeout=harness.PATIENCE_S * harness.SLOW)
        with harness.contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def metric(self, name):
        for line in self.admin("/metrics")[1].splitlines():
            if line.startswith(f"granary_controller_{name} "):
                return float(line.split(" ")[-1])
        return None

    def looks(self, more=3):
        """Waits until it has looked at the cluster so many times from now on."""
        goal = self.metric("looks_total") + more
        eventually(lambda: self.metric("looks_total") >= goal, "looks at the cluster")

    def ends(self, number=signal.SIGTERM, seconds=harness.PATIENCE_S):
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds=harness.PATIENCE_S):
        code = self.process.wait(timeout=seconds * harness.SLOW)
        self.reader.join(harness.PATIENCE_S)
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        code = None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("does not end after a signal") from value
        finally:
            self.process.stderr.close()
        text = "\n".join(self.lines)
        check(not any(word in text for word in harness.SANITIZER_WORDS), text[-4000:])
        check("PRIVATE" not in text and "LS0tLS1CRUdJTiBQUk" not in text, "a key in the log")
        if kind is None:
            check_equal(code, self.wanted_exit, "exit code")
