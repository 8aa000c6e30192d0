"""An etcd of three members in the cluster: a StatefulSet with TLS between members and to clients, and with passwords.

    with EtcdSet(cluster, space) as etcd:
        etcd.ctl("put", "a", "b")
        etcd.fill(50000)
        etcd.pause(etcd.follower())

Its programs are those that the cluster itself runs (or, with version="3.5" and needs=["etcd35"], or version="3.4" and needs=["etcd34"], older ones); a folder of
the node that has them is mounted into the pods, so no image has to be made."""

import base64
import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import tempfile

import node
import tools
from harness import LIMIT_S, SHELL_IMAGE, ApiError, check, check_equal, eventually
from installed import processes

PASSWORD = "etcd-pass-word-51e7"
PROGRAMS = {"3.4": ("etcd-3.4", "etcdctl-3.4", "etcdctl-3.4"), "3.5": ("etcd-3.5", "etcdctl-3.5", "etcdutl-3.5"),
            "3.6": ("etcd", "etcdctl", "etcdutl")}
# Debian's is linked with its libc, which the shell's image does not have.
IMAGES = {"3.4": "localhost/granary-etcd:dev", "3.5": SHELL_IMAGE, "3.6": SHELL_IMAGE}
MOUNT, DATA_DIR, CERTIFICATES = "/var/lib/etcd", "/var/lib/etcd/data", "/etc/etcd"
CLIENTS, PEERS, METRICS = 2379, 2380, 2381
OPS = 1000  # of one transaction, as told to the members
ASK_S = 60
WATCH_S = 30


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


class Certificates:
    """A CA and what it signs, in files of a folder that goes with it. No subject has a common name: where passwords are on,
    the gateway refuses one, which could be taken for a user."""

    def __init__(self):
        self.place = tempfile.TemporaryDirectory(prefix="granary-etcd-", dir="/dev/shm")
        self._make("ca", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"])

    def path(self, name):
        return os.path.join(self.place.name, name)

    def text(self, name):
        return tools.file_text(self.path(name))

    def _make(self, name, extensions, *more):
        node.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-sha256", "-days",
                     "7", "-subj", f"/O={name}", "-keyout", self.path(f"{name}.key"), "-out", self.path(f"{name}.crt"),
                     *(word for extension in extensions for word in ("-addext", extension)), *more)

    def sign(self, name, usage="clientAuth", names=""):
        self._make(name, ["basicConstraints=critical,CA:FALSE", f"extendedKeyUsage={usage}",
                          *([f"subjectAltName={names}"] if names else [])],
                   "-CA", self.path("ca.crt"), "-CAkey", self.path("ca.key"))


class EtcdSet:
    """Use as context: it is there when all members are healthy, and goes with its namespace."""

    def __init__(self, cluster, space, name="etcd", version="3.6", members=3):
        self.cluster, self.space, self.name, self.version = cluster, space, name, version
        self.members = [f"{name}-{number}" for number in range(members)]
        self.server, self.client, self.util = (tools.path_of(program) for program in PROGRAMS[version])
        self.certificates = Certificates()

    # --- objects ---

    def host(self, member):
        """Its name for the others; that of the headless Service is behind the ordinal."""
        return f"{member}.{self.name}-peers.{self.space}.svc"

    @property
    def initial_cluster(self):
        return ",".join(f"{member}=https://{self.host(member)}:{PEERS}" for member in self.members)

    @property
    def url(self):
        return f"https://{self.name}.{self.space}.svc:{CLIENTS}"

    def words(self):
        """What the members are started with; $(POD_NAME) is each one's own name."""
        host = f"$(POD_NAME).{self.name}-peers.{self.space}.svc"
        files = {"cert-file": "$(POD_NAME).crt", "key-file": "$(POD_NAME).key", "trusted-ca-file": "ca.crt"}
        options = {"name": "$(POD_NAME)", "data-dir": DATA_DIR,
                   "listen-client-urls": f"https://0.0.0.0:{CLIENTS}", "advertise-client-urls": f"https://{host}:{CLIENTS}",
                   "listen-peer-urls": f"https://0.0.0.0:{PEERS}", "initial-advertise-peer-urls": f"https://{host}:{PEERS}",
                   "listen-metrics-urls": f"http://0.0.0.0:{METRICS}",
                   "initial-cluster": self.initial_cluster, "initial-cluster-state": "new",
                   "initial-cluster-token": f"{self.space}-{self.name}", "max-txn-ops": OPS,
                   # a machine at a load of 20 elects nobody in a second
                   "heartbeat-interval": 500, "election-timeout": 5000}
        options.update({f"{peer}{key}": f"{CERTIFICATES}/{value}" for peer in ("", "peer-") for key, value in files.items()})
        return [f"--{key}={value}" for key, value in options.items()] + [
            "--client-cert-auth", "--peer-client-cert-auth", *([] if self.version == "3.4" else ["--unsafe-no-fsync"])]

    def _pod(self):
        mounts = {"data": MOUNT, "certificates": CERTIFICATES, "programs": "/programs"}
        container = {
            "name": "etcd", "image": IMAGES[self.version], "imagePullPolicy": "Never", "args": self.words(),
            "command": [f"/programs/{os.path.basename(self.server)}"],
            "env": [{"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "ports": [{"name": "client", "containerPort": CLIENTS}, {"name": "peer", "containerPort": PEERS}],
            "readinessProbe": {"httpGet": {"path": "/health?serializable=true", "port": METRICS}, "periodSeconds": 1,
                               "timeoutSeconds": 30, "failureThreshold": 3},
            "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts.items()]}
        return {"terminationGracePeriodSeconds": 0, "containers": [container], "securityContext": {
            "runAsUser": 1000, "runAsGroup": 1000, "fsGroup": 1000}, "volumes": [
                {"name": "certificates", "secret": {"secretName": f"{self.name}-certificates"}},
                {"name": "programs", "hostPath": {"path": os.path.dirname(self.server), "type": "Directory"}}]}

    def stateful_set(self):
        labels = {"app": self.name}
        claim = {"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": f"{self.space}-{self.name}",
            "resources": {"requests": {"storage": "1Gi"}}}}
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": self.name, "labels": labels}, "spec": {
            "serviceName": f"{self.name}-peers", "replicas": len(self.members), "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": self._pod()},
            "volumeClaimTemplates": [claim]}}

    def objects(self):
        """All but the AppBinding."""
        for member in self.members:
            names = ",".join(f"DNS:{name}" for name in (
                self.host(member), f"{self.host(member)}.{node.DOMAIN}", f"{self.name}.{self.space}.svc", "localhost"))
            self.certificates.sign(member, "serverAuth,clientAuth", f"{names},IP:127.0.0.1")
        self.certificates.sign("client")
        files = [f"{name}.{kind}" for name in self.members for kind in ("crt", "key")] + ["ca.crt"]
        ports = [{"name": "client", "port": CLIENTS}, {"name": "peer", "port": PEERS}]

        def service(name, **spec):
            return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                    "spec": {"selector": {"app": self.name}, "ports": ports, **spec}}

        def secret(name, **keys):
            return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": keys}
        return [service(f"{self.name}-peers", clusterIP="None", publishNotReadyAddresses=True), service(self.name),
                secret(f"{self.name}-certificates", **{name: self.certificates.text(name) for name in files}),
                secret(f"{self.name}-root", username="root", password=PASSWORD),
                secret(f"{self.name}-client", **{"tls.crt": self.certificates.text("client.crt"),
                                                 "tls.key": self.certificates.text("client.key")}),
                self.stateful_set()]

    def app_binding(self, name="etcd", annotations=None, **spec):
        """One that reaches it: all members behind one Service, client certificate, user and password."""
        return {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
                "metadata": {"name": name, "namespace": self.space, "annotations": annotations or {}}, "spec": {
                    "type": "etcd", "version": f"{self.version}.0",
                    "clientConfig": {"service": {"scheme": "https", "name": self.name, "port": CLIENTS},
                                     "caBundle": b64(self.certificates.text("ca.crt"))},
                    "secret": {"name": f"{self.name}-root"}, "tlsSecret": {"name": f"{self.name}-client"}, **spec}}

    # --- life ---

    def __enter__(self):
        self.cluster.volumes(self.space, len(self.members), f"{self.space}-{self.name}")
        self.cluster.apply(self.objects(), self.space)
        self.ready()
        for words in (["user", "add", f"root:{PASSWORD}"], ["user", "grant-role", "root", "root"], ["auth", "enable"]):
            eventually(lambda words=words: self._once(*words), f"etcdctl {words[0]} {words[1]}")
        return self

    def __exit__(self, *_):
        for member in self.members:  # what is paused can not end
            with contextlib.suppress(ApiError, AssertionError):
                self.resume(member)
        self.certificates.place.cleanup()

    def ready(self, seconds=LIMIT_S):
        """Waits until all members are, and agree on a leader."""
        self.cluster.ready_replicas("statefulsets", self.space, self.name, seconds)
        eventually(self.leader, "a leader that all know", seconds)

    def scale(self, count):
        """Returns when the pods are gone, or ready."""
        self.cluster.kubectl("scale", "-n", self.space, f"statefulset/{self.name}", f"--replicas={count}")
        self.cluster.ready_replicas("statefulsets", self.space, self.name)
        eventually(lambda: len(self.cluster.pods(self.space, f"app={self.name}")) == count, f"{count} pods")

    def pod(self, member):
        return self.cluster.get("pods", self.space, member)

    def folder(self, member):
        """Where its volume is on the node."""
        claim = self.cluster.get("persistentvolumeclaims", self.space, f"data-{member}")
        return self.cluster.get("persistentvolumes", None, claim["spec"]["volumeName"])["spec"]["hostPath"]["path"]

    def signal(self, member, number):
        found = processes(self.pod(member)["metadata"]["uid"], os.path.basename(self.server))
        check_equal(len(found), 1, f"processes of {member}")
        os.kill(int(os.path.basename(found[0])), number)

    def pause(self, member):
        """It keeps its connections and takes new ones, and answers nobody."""
        self.signal(member, signal.SIGSTOP)

    def resume(self, member):
        self.signal(member, signal.SIGCONT)

    # --- asking: from the node, so past the Service ---

    def address(self, member):
        return self.pod(member)["status"]["podIP"]

    def _environment(self, user):
        return {"ETCDCTL_API": "3", **({"ETCDCTL_USER": "root", "ETCDCTL_PASSWORD": PASSWORD} if user else {})}

    def _command(self, member, *words):
        return [self.client, f"--endpoints=https://{self.address(member or self.members[0])}:{CLIENTS}",
                "--insecure-skip-tls-verify", "--dial-timeout=30s", "--command-timeout=50s",
                f"--cert={self.certificates.path('client.crt')}", f"--key={self.certificates.path('client.key')}", *words]

    def _once(self, *words):
        """What timed out may have been done all the same; then it is refused, as done or since a password is asked for now."""
        done = subprocess.run(self._command(None, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, env=self._environment(False), timeout=ASK_S)
        return done.returncode == 0 or any(word in done.stderr for word in ("already", "user name is empty"))

    def ctl(self, *words, member=None, user=True, wanted=0):
        """etcdctl, towards one member; the first one unless said otherwise. Returns what it prints."""
        done = subprocess.run(self._command(member, *words), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, env=self._environment(user), timeout=ASK_S)
        check(wanted is None or done.returncode == wanted, f"etcdctl {words[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def watch(self, prefix, revision):
        """What etcdctl says of a watch from a revision on that was compacted; else it would wait for ever."""
        done = subprocess.run(["timeout", str(WATCH_S), *self._command(None, "watch", "--prefix", f"--rev={revision}", prefix)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=self._environment(True), timeout=ASK_S)
        return done.stdout + done.stderr

    def status(self, member):
        (found,) = json.loads(self.ctl("endpoint", "status", "-w", "json", member=member))
        return found["Status"]

    def leader(self):
        """Its name; None while members do not agree."""
        found = {member: self.status(member) for member in self.members}
        ids = {status["header"]["member_id"]: member for member, status in found.items()}
        (leader,) = {status["leader"] for status in found.values()}
        return ids.get(leader)

    def followers(self):
        leader = eventually(self.leader, "a leader that all know")
        return [member for member in self.members if member != leader]

    def revision(self, member=None):
        return self.status(member or self.members[0])["header"]["revision"]

    # --- many keys: over the gateway, which takes more than one in a request ---

    @contextlib.contextmanager
    def gateway(self, member=None):
        """Gives ask(path, body) -> answer."""
        context = ssl._create_unverified_context()  # pylint: disable=protected-access
        context.load_cert_chain(self.certificates.path("client.crt"), self.certificates.path("client.key"))
        connection = http.client.HTTPSConnection(self.address(member or self.members[0]), CLIENTS,
                                                 timeout=ASK_S, context=context)
        headers = {"Content-Type": "application/json"}

        def ask(path, body):
            connection.request("POST", f"/v3/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            check_equal(answer.status, 200, f"{path}: {text[:300]}")
            return json.loads(text)
        with contextlib.closing(connection):
            headers["Authorization"] = ask("auth/authenticate", {"name": "root", "password": PASSWORD})["token"]
            yield ask

    def fill(self, count, value=None, every=10, prefix="key/"):
        """Puts that many keys, one of `every` with a lease; returns {key: value}."""
        made = {f"{prefix}{number:06}": value or f"value {number}" for number in range(count)}
        with self.gateway() as ask:
            lease = ask("lease/grant", {"TTL": 36000})["ID"]
            names = list(made)
            for first in range(0, count, OPS):
                ask("kv/txn", {"success": [{"requestPut": {
                    "key": b64(name), "value": b64(made[name]), **({} if number % every else {"lease": lease})}}
                                           for number, name in enumerate(names[first:first + OPS])]})
        return made

    def content(self, prefix="key/", member=None):
        """{key: value} of what is there."""
        with self.gateway(member) as ask:
            answer = ask("kv/range", {"key": b64(prefix), "range_end": b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))})
        return {base64.b64decode(each["key"]).decode(): base64.b64decode(each.get("value", "")).decode()
                for each in answer.get("kvs", [])}
