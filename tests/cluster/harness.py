"""What tests in the cluster share: asking the API, waiting, namespaces, the audit log, and the runner.

A file test_SUBJECT.py beside this one holds tests:

    from harness import check, eventually, test

    @test("CL2")
    def a_pod_runs(cluster):
        with cluster.namespace() as space:
            ...
            return "what was seen, for the line that is printed"

Tests run side by side, each in namespaces of its own; @test("CL12", alone=True) is for those that disturb others.
needs=["cert-manager"] names sets of tools.py that are made before the cluster starts, when such a test is chosen.
The process of the tests is in the cluster's network: addresses of pods, Services and the node can be used directly.
"""

import concurrent.futures
import contextlib
import datetime
import http.client
import importlib
import itertools
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
import traceback

import cluster as control
import node
import supervise
import tools

# Until something happens in the cluster, unless said otherwise; most takes seconds, but the machine may be at a load of
# 20. A limit that is never reached costs nothing.
LIMIT_S = 240
SIDE_BY_SIDE = 3
ALL_LIMIT_S = 3300  # of a whole run
KUBECTL_LIMIT_S = 400  # longer than kubectl itself waits when told to: --timeout=300s
ANSWER_S = 120  # the API server itself gives up after 60
IDLE_S = 30  # of a connection; the API server closes those that are idle for 90 s
TOLD_LINES, TOLD_COLUMNS, SESSION_COLUMNS = 20, 600, 2500  # of a log, of a session's status, when a test failed
BUILD = os.path.join(tools.ROOT, os.environ.get("BUILD", "build"))
FOLDER = os.path.join(tools.ROOT, "build", "check-cluster")
SHELL_IMAGE = node.SHELL_IMAGE
SYSTEM = "granary-system"  # where our own pods are

TESTS = []


def test(ids, alone=False, needs=()):
    """Registers a test with its ids in the catalogue; its name is that of the function."""

    def register(function):
        function.needs = needs
        TESTS.append((ids, function, alone))
        return function

    return register


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


class ApiError(Exception):
    """The API server's refusal: .code, and .status as it was sent."""

    def __init__(self, code, status, request):
        super().__init__(f"{request}: {code} {status.get('message', status)}")
        self.code, self.status = code, status


# What a question raises while its answer is still to come.
NOT_YET = (ApiError, AssertionError, OSError, KeyError, IndexError, http.client.HTTPException,
           subprocess.SubprocessError)


def becomes(question, wanted, what, seconds=LIMIT_S):
    """Waits until the answer is as wanted; what it was instead is told."""
    def same():
        got = question()
        return got == wanted or check_equal(got, wanted, what)
    eventually(same, what, seconds)


def eventually(question, what, seconds=LIMIT_S):
    """Waits until the answer is true, and returns it. What the question raises counts as "not yet"."""
    end, last = time.monotonic() + seconds, None
    while True:
        asked = time.monotonic()
        try:
            last = question()
            if last:
                return last
        except NOT_YET as why:
            last = f"{type(why).__name__}: {why}"
        if asked >= end:  # however slow an answer is, one is given that was asked for at the end
            raise AssertionError(f"did not happen in {seconds} s: {what}; last seen: {str(last)[:2000]}")
        time.sleep(0.1)


# The path of what tests ask most; anything else is asked with api().
PATHS = {
    "pods": "/api/v1", "services": "/api/v1", "secrets": "/api/v1", "configmaps": "/api/v1", "events": "/api/v1",
    "serviceaccounts": "/api/v1", "persistentvolumeclaims": "/api/v1", "persistentvolumes": "/api/v1",
    "namespaces": "/api/v1", "nodes": "/api/v1",
    "deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1", "statefulsets": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1", "jobs": "/apis/batch/v1", "cronjobs": "/apis/batch/v1",
    "leases": "/apis/coordination.k8s.io/v1", "endpointslices": "/apis/discovery.k8s.io/v1",
    "backupblueprints": "/apis/stash.appscode.com/v1beta1", "backupconfigurations": "/apis/stash.appscode.com/v1beta1",
    "backupsessions": "/apis/stash.appscode.com/v1beta1", "restoresessions": "/apis/stash.appscode.com/v1beta1",
    "repositories": "/apis/stash.appscode.com/v1alpha1", "functions": "/apis/stash.appscode.com/v1beta1",
    "tasks": "/apis/stash.appscode.com/v1beta1",
}


class Cluster:
    """The running cluster."""

    def __init__(self, layout):
        self.layout = layout
        self.programs = json.loads(tools.file_text(layout.conf("programs.json")))
        self.environment = dict(node.environment(self.programs), KUBECONFIG=layout.kubeconfig,
                                KUBECACHEDIR=layout.path("kubectl"))
        self.local = threading.local()
        self.counter = itertools.count(1)

    # --- asking ---

    def _connection(self):
        """Of this thread; a new one when the API server may just be closing the old one."""
        idle, self.local.used = time.monotonic() - getattr(self.local, "used", 0), time.monotonic()
        if idle > IDLE_S and getattr(self.local, "connection", None):
            self.local.connection.close()  # it opens again by itself
        if not getattr(self.local, "connection", None):
            context = ssl.create_default_context(cafile=self.layout.pki("ca.crt"))
            context.load_cert_chain(self.layout.pki("admin.crt"), self.layout.pki("admin.key"))
            self.local.connection = http.client.HTTPSConnection(node.NODE_ADDRESS, 6443, timeout=ANSWER_S,
                                                                context=context)
        return self.local.connection

    def api(self, method, path, body=None, kind="application/json", user=None, text=False):
        """One request as administrator, or as the user named. Returns the object (or text); raises ApiError."""
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if user:
            headers["Impersonate-User"] = user
        data = json.dumps(body) if body is not None else None
        try:
            answer, content = self._exchange(method, path, data, headers)
        except (ConnectionError, http.client.HTTPException):
            if method != "GET":
                raise
            answer, content = self._exchange(method, path, data, headers)  # the server closed while we asked
        if text and answer.status < 300:
            return content.decode(errors="replace")
        try:
            value = json.loads(content or b"{}")
        except json.JSONDecodeError:
            value = {"message": content.decode(errors="replace")}
        if answer.status >= 300:
            raise ApiError(answer.status, value, f"{method} {path}")
        return value

    def _exchange(self, method, path, data, headers):
        connection = self._connection()
        try:
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        except BaseException:  # an interrupt too: what cleans up behind it asks over the same connection
            connection.close()
            raise

    @staticmethod
    def path(resource, namespace=None, name=None):
        parts = [PATHS[resource]] + (["namespaces", namespace] if namespace else []) + [resource]
        return "/".join(parts + ([name] if name else []))

    def get(self, resource, namespace, name):
        return self.api("GET", self.path(resource, namespace, name))

    def list(self, resource, namespace=None, query=""):
        return self.api("GET", self.path(resource, namespace) + query)["items"]

    def exists(self, resource, namespace, name):
        try:
            return self.get(resource, namespace, name)
        except ApiError as why:
            if why.code != 404:
                raise
            return None

    def create(self, resource, namespace, body, query="", user=None):
        return self.api("POST", self.path(resource, namespace) + query, body, user=user)

    def delete(self, resource, namespace, name, query=""):
        return self.api("DELETE", self.path(resource, namespace, name) + query)

    def patch(self, resource, namespace, name, body, kind="application/merge-patch+json"):
        return self.api("PATCH", self.path(resource, namespace, name), body, kind)

    def kubectl(self, *arguments, given=None, wanted=0):
        """Runs kubectl; returns its output, both streams together. wanted: exit code, None for any."""
        done = subprocess.run([self.programs["kubectl"], *arguments], input=given, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment,
                              stdin=None if given is not None else subprocess.DEVNULL, timeout=KUBECTL_LIMIT_S)
        check(wanted is None or done.returncode == wanted,
              f"kubectl {' '.join(arguments)}: exit {done.returncode}, wanted {wanted}: {done.stdout}")
        return done.stdout

    def granary(self, *arguments, wanted=0):
        """Runs `kubectl granary`; returns its output, both streams together."""
        done = subprocess.run([self.programs["kubectl"], "granary", *arguments], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              env={**self.environment, "PATH": f"{BUILD}:{self.environment['PATH']}"},
                              timeout=KUBECTL_LIMIT_S)
        check(done.returncode == wanted,
              f"kubectl granary {' '.join(arguments)}: exit {done.returncode}, wanted {wanted}: {done.stdout}")
        return done.stdout

    def apply(self, manifest, namespace=None, *arguments, wanted=0):
        """kubectl apply of YAML text, of an object, or of a list of objects; returns what it printed."""
        if isinstance(manifest, list):
            manifest = {"apiVersion": "v1", "kind": "List", "items": manifest}
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        place = ["--namespace", namespace] if namespace else []
        return self.kubectl("apply", "-f", "-", *place, *arguments, given=text, wanted=wanted)

    # --- pods ---

    def logs(self, namespace, pod, container=None, previous=False):
        query = f"?previous={str(previous).lower()}" + (f"&container={container}" if container else "")
        return self.api("GET", self.path("pods", namespace, pod) + "/log" + query, text=True)

    def execute(self, namespace, pod, *command, container=None, wanted=0):
        chosen = ["-c", container] if container else []
        return self.kubectl("exec", "-n", namespace, pod, *chosen, "--", *command, wanted=wanted)

    def pods(self, namespace, selector=""):
        return self.list("pods", namespace, f"?labelSelector={selector}" if selector else "")

    def ready_pod(self, namespace, name, seconds=LIMIT_S):
        """Waits until the pod is Ready; returns it."""
        def found():
            pod = self.get("pods", namespace, name)
            return pod if is_ready(pod) else check(False, why_not_ready(pod))
        return eventually(found, f"pod {name} is Ready", seconds)

    def finished_pod(self, namespace, name, phase="Succeeded", seconds=LIMIT_S):
        """Waits until the pod is in that phase; returns its log."""
        def found():
            pod = self.get("pods", namespace, name)
            return pod["status"].get("phase") == phase or check(False, why_not_ready(pod))
        eventually(found, f"pod {name} {phase}", seconds)
        return self.logs(namespace, name)

    def ready_replicas(self, resource, namespace, name, seconds=LIMIT_S):
        """Waits until a workload has all its replicas, of its newest generation, ready and no others."""
        def found():
            it = self.get(resource, namespace, name)
            status, count = it.get("status", {}), it["spec"].get("replicas", 1)
            if status.get("observedGeneration") != it["metadata"]["generation"]:
                return None
            return (status.get("readyReplicas", 0) == status.get("updatedReplicas", 0) == status.get("replicas", 0)
                    == count and it)
        return eventually(found, f"{resource} {name} is ready", seconds)

    def replica_sets(self, namespace, deployment):
        """All ReplicaSets of a Deployment, the oldest first: one more is one more rollout."""
        owned = [item for item in self.list("replicasets", namespace)
                 if any(owner["name"] == deployment for owner in item["metadata"].get("ownerReferences", []))]
        return sorted(owned, key=lambda item: int(
            item["metadata"]["annotations"]["deployment.kubernetes.io/revision"]))

    def events(self, namespace, reason=None, name=None):
        """Events, as (type, reason, name of the object, message)."""
        found = [(item["type"], item["reason"], item["involvedObject"].get("name"), item.get("message", ""))
                 for item in self.list("events", namespace)]
        return [event for event in found if reason in (None, event[1]) and name in (None, event[2])]

    # --- places ---

    @contextlib.contextmanager
    def namespace(self, labels=None):
        """A new namespace whose ServiceAccount is there; gives its name, and deletes it without waiting."""
        name = f"test-{next(self.counter)}-{secrets.token_hex(3)}"
        self.create("namespaces", None, {"metadata": {"name": name, "labels": labels or {}}})
        try:
            eventually(lambda: self.get("serviceaccounts", name, "default"), f"ServiceAccount of {name}")
            yield name
        except BaseException:
            self.keep(name)
            raise
        finally:
            with contextlib.suppress(OSError, http.client.HTTPException):
                self.delete("namespaces", None, name)

    def keep(self, namespace):
        """Writes what a failed test had in its namespace into the folder of the logs, and notes what to print of it."""
        with contextlib.suppress(*NOT_YET):
            os.makedirs(FOLDER, exist_ok=True)
            text = self.kubectl("get", "all,events,persistentvolumeclaims,configmaps", "-n", namespace, "-o", "yaml",
                                wanted=None)
            node.write(os.path.join(FOLDER, namespace + ".yaml"), text)
        told = getattr(self.local, "told", [])
        self.local.told = told + [self.trouble(namespace)]

    def trouble(self, namespace):
        """What may tell why a test failed in a namespace: workloads, pods, the end of their logs, events."""
        lines = [f"--- namespace {namespace}"]
        parts = {self._sessions: SESSION_COLUMNS} | dict.fromkeys((self._objects, self._pods, self._events), TOLD_COLUMNS)
        for part, columns in parts.items():
            try:
                lines += [line[:columns] for line in part(namespace)]
            except NOT_YET as why:
                lines.append(f"(not to be had: {why})")
        return "\n".join(lines)

    def _sessions(self, namespace):
        for resource in ("restoresessions", "backupsessions", "backupconfigurations", "repositories"):
            with contextlib.suppress(ApiError):
                for it in self.list(resource, namespace):
                    yield f"{resource} {it['metadata']['name']}: {json.dumps(it.get('status', {}))}"

    def _objects(self, namespace):
        for resource in ("deployments", "statefulsets", "daemonsets", "replicasets"):
            for it in self.list(resource, namespace):
                yield f"{resource} {it['metadata']['name']}: generation {it['metadata'].get('generation')}, " \
                      f"{json.dumps(it.get('status', {}))}"
        for job in self.list("jobs", namespace):
            status = job.get("status", {})
            yield f"job {job['metadata']['name']}: {[each['type'] for each in status.get('conditions', [])]}, " \
                  f"active {status.get('active', 0)}, failed {status.get('failed', 0)}, since {status.get('startTime')}"

    def _pods(self, namespace):
        pods = self.pods(namespace)
        for pod in sorted(pods, key=lambda pod: pod["status"].get("phase") == "Succeeded"):
            yield f"pod {pod['metadata']['name']}: {why_not_ready(pod)}"
            statuses = pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])
            for name, previous in ((each["name"], before) for each in statuses
                                   for before in ((True, False) if each.get("restartCount") else (False, ))):
                try:
                    text = self.logs(namespace, pod["metadata"]["name"], name, previous)
                except ApiError as why:
                    text = str(why)
                yield f"  log of {name}{', before it started again' if previous else ''}:"
                yield from ("    " + line for line in text.splitlines()[-TOLD_LINES:])

    def _events(self, namespace):
        told = [(event["metadata"]["creationTimestamp"], event.get("reason"), event["involvedObject"].get("kind"),
                 event["involvedObject"].get("name"), event.get("message")) for event in self.list("events", namespace)]
        yield from (f"event {' '.join(map(str, each))}" for each in sorted(told, key=str)[-30:])

    def volumes(self, namespace, count=1, storage_class=None):
        """Makes PersistentVolumes on the node's disk, for claims with the returned storageClassName."""
        storage_class = storage_class or namespace
        for number in range(count):
            folder = self.layout.path("volumes", f"{storage_class}-{number}")
            os.makedirs(folder)
            os.chmod(folder, 0o777)
            self.create("persistentvolumes", None, {
                "metadata": {"name": f"{storage_class}-{number}"},
                "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                         "storageClassName": storage_class, "persistentVolumeReclaimPolicy": "Retain",
                         "hostPath": {"path": folder, "type": "Directory"}}})
        return storage_class

    def history(self, *paths):
        """Use as a context: every version of the objects with these paths from its beginning on, as a History."""
        return History(self, paths)

    # --- the audit log ---

    def audit_mark(self):
        """A place in the audit log, for audit(since=...)."""
        now = datetime.datetime.now(datetime.timezone.utc)
        return os.path.getsize(self.layout.audit), now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def audit(self, since=(0, ""), **wanted):
        """Entries of requests since a mark whose members are as wanted: verb="create", resource="pods", namespace=...,
        name=..., user=...; each with its annotations, where the API server notes what webhooks did."""
        with open(self.layout.audit, "rb") as file:
            file.seek(since[0])
            entries = [json.loads(line) for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        # what a request has written can be seen before the log says that it has ended
        return [entry for entry in entries if entry["requestReceivedTimestamp"] >= since[1] and
                all(audit_value(entry, key) == value for key, value in wanted.items())]

    # --- the node ---

    def part(self, do, name):
        """stop, kill, pause, resume, start or restart a part, such as etcd."""
        control.change_part(self.layout, do, name)

    def on_node(self, *command):
        """Runs a command in all namespaces of the cluster; returns its output."""
        words = control.enter_words(supervise.recorded(self.layout, "init"), everything=True)
        done = subprocess.run([*words, *command], capture_output=True, text=True, check=False, env=self.environment,
                              stdin=subprocess.DEVNULL, timeout=KUBECTL_LIMIT_S)
        check(done.returncode == 0, f"{' '.join(command)}: {done.stderr}")
        return done.stdout


class History:
    """What becomes of objects, each version of them in the order in which they were written: all versions are revisions
    of one etcd. Nothing that lasts for a moment only is missed."""

    def __init__(self, cluster, paths):
        self.cluster, self.paths = cluster, paths
        self.found, self.lock, self.ended = [], threading.Lock(), threading.Event()

    def __enter__(self):
        self.threads = []
        for path in self.paths:
            place, name = path.rsplit("/", 1)
            listed = self.cluster.api("GET", f"{place}?fieldSelector=metadata.name%3D{name}")
            version = listed["metadata"]["resourceVersion"]
            for it in listed["items"]:
                self._note(int(version), path, it)
            self.threads.append(threading.Thread(target=self._follow, args=(path, version), daemon=True))
            self.threads[-1].start()
        return self

    def _note(self, version, path, it):
        with self.lock:
            self.found.append((version, path, it))

    def _follow(self, path, version):
        place, name = path.rsplit("/", 1)
        cluster = Cluster(self.cluster.layout)  # a connection that nobody else uses
        while not self.ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                connection = cluster._connection()  # pylint: disable=protected-access
                with contextlib.closing(connection):
                    connection.request("GET", f"{place}?watch=1&timeoutSeconds=2&fieldSelector=metadata.name%3D{name}"
                                              f"&resourceVersion={version}")
                    for line in connection.getresponse():
                        event = json.loads(line)
                        check(event["type"] != "ERROR", f"watch of {path}: {event}")
                        it = event["object"]
                        version = it["metadata"]["resourceVersion"]
                        self._note(int(version), path, it if event["type"] != "DELETED" else None)

    def __exit__(self, kind, *_):
        for path in self.paths if kind is None else ():
            eventually(lambda: self._has(path), f"the last version of {path}")  # pylint: disable=cell-var-from-loop
        self.ended.set()
        for thread in self.threads:
            thread.join(LIMIT_S)

    def _has(self, path):
        """Whether what is there now has been noted."""
        with self.lock:
            versions = [it and it["metadata"]["resourceVersion"] for _, where, it in self.found if where == path]
        try:
            return self.cluster.api("GET", path)["metadata"]["resourceVersion"] in versions
        except ApiError as why:
            return why.code == 404 and versions[-1:] in ([], [None])

    def states(self):
        """After each write, what there was: {path: object}. To be asked behind the end of the context."""
        now = {}
        for _, path, it in sorted(self.found, key=lambda each: each[0]):
            now = {**now, path: it}
            if it is None:
                del now[path]
            yield now


def is_ready(pod):
    return any(item["type"] == "Ready" and item["status"] == "True" for item in pod["status"].get("conditions", []))


def why_not_ready(pod):
    status = pod["status"]
    states = [(item["name"], item["state"], item.get("lastState")) for item in
              status.get("initContainerStatuses", []) + status.get("containerStatuses", [])]
    return f"{status.get('phase')}: {states or status.get('conditions')}"


def audit_value(entry, key):
    if key in ("verb", "level"):
        return entry[key]
    if key == "user":
        return entry["user"].get("username")
    return entry.get("objectRef", {}).get(key)


def shell_container(script, name="main", **more):
    """A container that runs a script of the shell image."""
    return {"name": name, "image": SHELL_IMAGE, "imagePullPolicy": "Never", "command": ["/bin/sh", "-c", script], **more}


def pod_spec(script, **more):
    """A pod with one such container, that ends at once when asked to."""
    return {"terminationGracePeriodSeconds": 0, "containers": [shell_container(script)], **more}


def workload(kind, name, script, replicas=1, template=None, **more):
    """A Deployment or StatefulSet whose pods are labelled app=NAME."""
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                     "template": {"metadata": {"labels": {"app": name}}, "spec": template or pod_spec(script)}, **more}}


# --- the runner -----------------------------------------------------------------------------------


def load_tests():
    for name in sorted(os.listdir(tools.HERE)):
        if name.startswith("test_") and name.endswith(".py"):
            importlib.import_module(name[:-3])
    seen = set()
    for ids, function, _ in TESTS:
        check(ids not in seen, f"two tests are called {ids} ({function.__name__})")
        seen.add(ids)


def run_one(cluster, ids, function):
    """Returns None, or why it failed."""
    started, why, where = time.monotonic(), None, ""
    cluster.local.told = []
    try:
        seen = function(cluster)
    except Exception as problem:  # pylint: disable=broad-except
        why = f"{type(problem).__name__}: {problem}"
        where = "".join(traceback.format_tb(problem.__traceback__)[1:])
    name = f"{ids} {function.__name__.replace('_', ' ')}"
    took = f"{time.monotonic() - started:.1f} s"
    if why:
        told = cluster.local.told + [cluster.trouble(SYSTEM)]
        print(f"FAILED {name} ({took})\n{where}{why}\n" + "\n".join(told), flush=True)
    else:
        print(f"ok {name} ({took}){': ' + seen if seen else ''}", flush=True)
    return why


def run_all(cluster, chosen):
    """Runs the tests; returns how many passed and failed."""
    failed = 0
    pool = concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE)
    try:
        running = [pool.submit(run_one, cluster, ids, function) for ids, function, alone in chosen if not alone]
        failed += sum(1 for future in running if future.result())
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupted run does not wait for its tests
    for ids, function, alone in chosen:
        failed += bool(alone and run_one(cluster, ids, function))
    return len(chosen) - failed, failed


def keep_logs(layout):
    target = os.path.join(FOLDER, "logs")
    shutil.rmtree(target, ignore_errors=True)
    os.makedirs(FOLDER, exist_ok=True)
    if os.path.isdir(layout.logs):
        shutil.copytree(layout.logs, target, symlinks=True, ignore_dangling_symlinks=True)
        print(f"Logs of all parts are in {os.path.relpath(target, tools.ROOT)}", flush=True)


@contextlib.contextmanager
def started(name):
    """The cluster that GRANARY_CLUSTER names, when that runs; else a new one, which goes at the end."""
    given = os.environ.get("GRANARY_CLUSTER")
    if given:
        layout = node.Layout(given)
        control.enter_network(control.running(layout))
        yield layout
        return
    layout = node.Layout(name)
    say = control.Progress()
    lease = control.up(layout, say)
    say("the cluster runs")
    try:
        yield layout
    finally:
        os.close(lease)
        control.down(layout)
        say("the cluster is gone")


def too_long(*_):
    raise tools.Missing(f"the tests took longer than {ALL_LIMIT_S} s")


def run(words):
    """The whole: cluster, tests whose id or name has one of the words, logs. Returns the exit code."""
    begun = datetime.datetime.now()
    load_tests()
    chosen = [entry for entry in TESTS if not words or any(
        word == entry[0] or word in entry[1].__name__ or word == entry[1].__module__ for word in words)]
    if not chosen:
        print(f"no test is called {' or '.join(words)}")
        return 1
    for name in sorted({name for _, function, _ in chosen for name in function.needs}):
        tools.ensure(name)  # from the cluster's network nothing can be fetched
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(ALL_LIMIT_S)
    with started(node.default_name() + "-check") as layout:
        shutil.rmtree(FOLDER, ignore_errors=True)
        passed, failed = 0, len(chosen)
        try:
            passed, failed = run_all(Cluster(layout), chosen)
        finally:
            if failed:
                keep_logs(layout)
    print(f"took {(datetime.datetime.now() - begun).seconds} s")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0
