"""An API server of few lines for the running webhook: lists, watches, a token; and it can go away, come
back, lose kinds and refuse them. Plain HTTP on loopback. Faults of every other sort are the business of
tests/unit/kube."""

import json
import socket
import threading
import time
import urllib.parse

STASH = "stash.appscode.com"
KINDS = {
    "namespaces": ("", "v1", "Namespace", False),
    "secrets": ("", "v1", "Secret", True),
    "backupblueprints": (STASH, "v1beta1", "BackupBlueprint", False),
    "backupconfigurations": (STASH, "v1beta1", "BackupConfiguration", True),
    "restoresessions": (STASH, "v1beta1", "RestoreSession", True),
    "tasks": (STASH, "v1beta1", "Task", False),
    "repositories": (STASH, "v1alpha1", "Repository", True),
}
# what the webhook does not ask for
SERVED = {**KINDS, "backupsessions": (STASH, "v1beta1", "BackupSession", True),
          "deployments": ("apps", "v1", "Deployment", True), "statefulsets": ("apps", "v1", "StatefulSet", True),
          "leases": ("coordination.k8s.io", "v1", "Lease", True), "configmaps": ("", "v1", "ConfigMap", True),
          "persistentvolumeclaims": ("", "v1", "PersistentVolumeClaim", True),
          "appbindings": ("appcatalog.appscode.com", "v1alpha1", "AppBinding", True)}
HISTORY = 1000


def api_version(plural):
    group, version = SERVED[plural][:2]
    return f"{group}/{version}" if group else version


def prefix(plural):
    group, version = SERVED[plural][:2]
    return f"/apis/{group}/{version}" if group else f"/api/{version}"


class Request:
    def __init__(self, head):
        first, *lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = first.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        url = urllib.parse.urlsplit(target)
        self.query = {name: values[0] for name, values in urllib.parse.parse_qs(url.query).items()}
        parts = url.path.strip("/").split("/")
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        self.prefix = "/" + "/".join(parts[:2] if parts[0] == "api" else parts[:3])
        self.space = rest[1] if len(rest) > 2 and rest[0] == "namespaces" else None
        self.plural = (rest[2:] if self.space else rest)[:1]
        self.plural = self.plural[0] if self.plural else ""
        self.name = dict(enumerate(rest)).get(3 if self.space else 1)
        self.partial = "PartialObjectMetadata" in self.headers.get("accept", "")
        self.length, self.body = int(self.headers.get("content-length", 0)), b""

    def wants(self, stored):
        metadata = stored.metadata
        field = self.query.get("fieldSelector", "")
        return ((self.space is None or metadata.get("namespace") == self.space) and
                (not field or field == f"metadata.name={metadata['name']}"))


def encode(tree):
    return json.dumps(tree, separators=(",", ":")).encode()


class Stored:
    """An object as it is sent: whole, and as metadata only."""

    def __init__(self, object):
        self.metadata = object["metadata"]
        self.object = object
        self.forms = (encode(object), encode({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                                              "metadata": self.metadata}))

    def shown(self, request):
        return self.forms[request.partial]


def event(type, data):
    return b'{"type":"%s","object":%s}\n' % (type.encode(), data)


class FakeCluster:
    """Use as context. Objects are given as manifests without apiVersion and kind."""

    def __init__(self, token="T0K3N"):
        self.token, self.lock, self.changed = token, threading.Lock(), threading.Condition()
        self.version, self.objects, self.events = 100, {plural: {} for plural in SERVED}, []
        self.absent, self.forbidden, self.asked, self.log = set(), set(), set(), []
        self.tasks, self.connections, self.listener = [], set(), None
        self.tried = []  # writes with dryRun
        self.writes = None  # a list: what is created and merged is carried out, and noted here
        self.port = self._listen(0)

    # what is there

    def put(self, plural, name, space=None, **body):
        group, version, kind, namespaced = SERVED[plural]
        metadata = {"name": name, **body.pop("metadata", {})}
        if namespaced:
            metadata["namespace"] = space or "demo"
        with self.changed:
            self.version += 1
            key = (metadata.get("namespace"), name)
            metadata.setdefault("uid", f"{plural}-{key[0]}-{name}")
            metadata["resourceVersion"] = str(self.version)
            object = Stored({"apiVersion": api_version(plural), "kind": kind, "metadata": metadata, **body})
            new = key not in self.objects[plural]
            self.objects[plural][key] = object
            self._tell("ADDED" if new else "MODIFIED", plural, object)

    def remove(self, plural, name, space=None):
        with self.changed:
            self.version += 1
            object = self.objects[plural].pop(((space or "demo") if SERVED[plural][3] else None, name)).object
            object = Stored({**object, "metadata": {**object["metadata"], "resourceVersion": str(self.version)}})
            self._tell("DELETED", plural, object)

    def _tell(self, type, plural, object):
        self.events.append((self.version, type, plural, object))
        del self.events[:-HISTORY]
        self.changed.notify_all()

    # going away and coming back

    def _listen(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.tasks.append(threading.Thread(target=self._accept, args=(self.listener,), daemon=True))
        self.tasks[-1].start()
        return self.listener.getsockname()[1]

    def go_away(self):
        """Nobody listens any more, and every connection breaks."""
        if self.listener.fileno() >= 0:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
        with self.lock:
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def come_back(self):
        self._listen(self.port)

    def cut(self):
        """Every watch begins anew."""
        self.go_away()
        self.come_back()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.go_away()
        with self.changed:
            self.listener = None
            self.changed.notify_all()

    # answering

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                head, _, data = data.partition(b"\r\n\r\n")
                request = Request(head)
                while len(data) < request.length:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                request.body, data = data[:request.length], data[request.length:]
                if not self._answer(connection, request):
                    return
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    def _send(self, connection, status, data):
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                           % (status, len(data), data))
        return True

    def _refuse(self, connection, code, reason):
        return self._send(connection, code, encode({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": f"the fake cluster says {reason}", "reason": reason, "code": code}))

    def _answer(self, connection, request):
        plural = request.plural
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return self._refuse(connection, 401, "Unauthorized")
        verb = "watch" if request.query.get("watch") else "get" if request.name else "list"
        self.log.append((verb, plural))
        self.asked.add((verb, SERVED.get(plural, ("?",))[0], plural, request.space,
                        request.query.get("fieldSelector")))
        if plural in self.forbidden:
            return self._refuse(connection, 403, "Forbidden")
        if plural not in SERVED or plural in self.absent or request.prefix != prefix(plural):
            return self._refuse(connection, 404, "NotFound")
        if self.writes is not None and (request.method != "GET" or verb == "get"):
            return self._one(connection, request)
        if request.method != "GET" or verb == "get":
            return self._refuse(connection, 405, "MethodNotAllowed")
        return self._watch(connection, request) if verb == "watch" else self._list(connection, request)

    def _one(self, connection, request):
        """Create, merge patch, get."""
        with self.changed:
            stored = self.objects[request.plural].get((request.space, request.name))
        if request.method == "GET":
            return self._send(connection, 200, stored.shown(request)) if stored else \
                self._refuse(connection, 404, "NotFound")
        sent = json.loads(request.body)
        if request.query.get("dryRun"):
            self.tried.append((request.method, request.plural, sent))
            return self._send(connection, 201, encode(sent))
        self.writes.append((request.method, request.plural, request.name, sent))
        if request.method == "POST":
            name = sent["metadata"]["name"]
            if (request.space, name) in self.objects[request.plural]:
                return self._refuse(connection, 409, "AlreadyExists")
            metadata = {**sent["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}
            self.put(request.plural, name, request.space, metadata=metadata, spec=sent["spec"])
            return self._send(connection, 201, self.objects[request.plural][request.space, name].shown(request))
        if not stored:
            return self._refuse(connection, 404, "NotFound")
        if sent.get("metadata", {}).get("uid", stored.metadata["uid"]) != stored.metadata["uid"]:
            return self._refuse(connection, 409, "Conflict")
        body = {key: value for key, value in stored.object.items() if key not in ("apiVersion", "kind")}
        body["spec"] = {**body["spec"], **sent.get("spec", {})}
        body["metadata"] = {**body["metadata"], "annotations": {**body["metadata"].get("annotations", {}),
                                                                **sent.get("metadata", {}).get("annotations", {})}}
        self.put(request.plural, request.name, request.space, **body)
        return self._send(connection, 200, self.objects[request.plural][request.space, request.name].shown(request))

    def _list(self, connection, request):
        with self.changed:
            items = [each.shown(request) for each in self.objects[request.plural].values() if request.wants(each)]
            version = str(self.version)
        kind = "PartialObjectMetadata" if request.partial else SERVED[request.plural][2]
        head = encode({"apiVersion": "meta.k8s.io/v1" if request.partial else api_version(request.plural),
                       "kind": kind + "List", "metadata": {"resourceVersion": version}})
        return self._send(connection, 200, b'%s,"items":[%s]}' % (head[:-1], b",".join(items)))

    def _chunk(self, connection, events):
        data = b"".join(events)
        connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

    def _bookmark(self, request, version, annotations=None):
        metadata = {"resourceVersion": str(version), **({"annotations": annotations} if annotations else {})}
        object = {"apiVersion": api_version(request.plural), "kind": SERVED[request.plural][2], "metadata": metadata}
        return event("BOOKMARK", Stored(object).shown(request))

    def _watch(self, connection, request):
        seen = int(request.query.get("resourceVersion") or 0)
        with self.changed:
            if seen and self.events and seen < self.events[0][0] - 1:
                return self._refuse(connection, 410, "Expired")
            initial = []
            if request.query.get("sendInitialEvents"):
                initial = [event("ADDED", each.shown(request))
                           for each in self.objects[request.plural].values() if request.wants(each)]
                seen = self.version
                initial.append(self._bookmark(request, seen, {"k8s.io/initial-events-end": "true"}))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                           b"Transfer-Encoding: chunked\r\n\r\n")
        if initial:
            self._chunk(connection, initial)
        self._follow(connection, request, seen)
        connection.sendall(b"0\r\n\r\n")
        return True

    def _follow(self, connection, request, seen):
        end = time.monotonic() + float(request.query.get("timeoutSeconds", 60))
        while time.monotonic() < end:
            with self.changed:
                if not self.changed.wait_for(lambda: self.version > seen or not self.listener, timeout=1):
                    continue
                if not self.listener:
                    return
                news = [event(type, object.shown(request))
                        for version, type, plural, object in self.events
                        if version > seen and plural == request.plural and request.wants(object)]
                seen = self.version
            self._chunk(connection, [*news, self._bookmark(request, seen)])


def kubeconfig(path, cluster, token="T0K3N"):
    """Writes one with two contexts, of which the current one leads nowhere."""
    text = {
        "apiVersion": "v1", "kind": "Config", "current-context": "nowhere",
        "clusters": [{"name": "fake", "cluster": {"server": f"http://127.0.0.1:{cluster.port}"}},
                     {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "webhook", "user": {"token": token}}],
        "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "webhook"}},
                     {"name": "nowhere", "context": {"cluster": "nowhere", "user": "webhook"}}],
    }
    with open(path, "w", encoding="utf-8") as file:
        json.dump(text, file)
    return path
