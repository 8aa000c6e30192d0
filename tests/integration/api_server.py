"""A small API server on loopback: keeps objects with resourceVersions, and does what a test says.

It knows what a controller asks: get, create, replace, JSON and merge patches, apply (as a merge), dry runs. What it
does not know is answered with 404 or 405, so that a question that it should not be asked shows."""

import copy
import datetime
import email.utils
import http.server
import json
import re
import threading
import time
import urllib.parse

REASONS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed", 409: "Conflict",
           415: "UnsupportedMediaType", 422: "Invalid", 500: "InternalError", 503: "ServiceUnavailable"}


class Refusal(Exception):
    def __init__(self, code, message, reason=None):
        super().__init__(message)
        self.code, self.message, self.reason = code, message, reason or REASONS[code]


def pointer(path):
    return [word.replace("~1", "/").replace("~0", "~") for word in path.split("/")[1:]]


def json_patch(document, patch):
    """RFC 6902, without move and copy."""
    document = copy.deepcopy(document)
    for operation in patch:
        *way, last = pointer(operation["path"])
        place = document
        try:
            for word in way:
                place = place[int(word)] if isinstance(place, list) else place[word]
            key = int(last) if isinstance(place, list) else last
            if operation["op"] == "test":
                if place[key] != operation["value"]:
                    raise Refusal(422, f"testing value {operation['path']} failed")
            elif operation["op"] == "remove":
                del place[key]
            elif isinstance(place, list):
                place.insert(key, operation["value"])
            else:
                place[key] = operation["value"]
        except (KeyError, IndexError, TypeError, ValueError) as problem:
            raise Refusal(422, f"{operation['path']} does not exist") from problem
    return document


def merge_patch(document, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def partial(value):
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": value["metadata"]}


KINDS = ("AppBinding BackupBlueprint BackupConfiguration BackupSession ConfigMap CronJob DaemonSet Deployment "
         "DeploymentConfig Function Job Lease Namespace PersistentVolumeClaim Pod ReplicaSet ReplicationController "
         "Repository RestoreSession StatefulSet Task").split()
PLURALS = {kind.lower()[:-1] + "ies" if kind.endswith("y") else kind.lower() + "s": kind for kind in KINDS}
# those that a controller follows by name
BY_NAME = {kind.lower() + "s": kind for kind in ("ConfigMap", "EndpointSlice", "MutatingWebhookConfiguration", "Secret",
                                                 "Service", "ValidatingWebhookConfiguration")}


class ApiServer:
    """Use as context. `objects` is by path; `requests` has (method, path, agent, code) of all of them."""

    def __init__(self):
        self.objects, self.requests = {}, []
        self.lock = threading.RLock()
        self.version = 100
        self.ahead_s = 0  # of its clock
        self.down = False  # every request is answered with 503
        self.forbidden = set()  # (method, part of a path)
        self.before_write = self.after_write = None  # called with (method, path), may raise Refusal
        self.reaches_webhook = True
        self.lists = False  # collections can be listed, and watches end at once
        self.watches = False  # those of BY_NAME can be listed and watched
        self.deleted = []  # (version, path, object)
        self.judge_token = lambda token: {"authenticated": False}  # the status of a TokenReview
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # an answer is one packet, sent at once
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def answer(self):
                outer.serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + outer.ahead_s, usegmt=True)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a client that is killed resets its connections
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def kubeconfig(self, folder):
        path = f"{folder}/kubeconfig-{self.server.server_address[1]}"
        with open(path, "w") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "test",
                       "clusters": [{"name": "test", "cluster": {"server": self.url}}],
                       "users": [{"name": "test", "user": {}}],
                       "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test",
                                                                 "namespace": "granary-system"}}]}, file)
        return path

    # --- as somebody else, who uses the same cluster ---

    def get(self, path):
        with self.lock:
            return copy.deepcopy(self.objects.get(path))

    def put(self, path, value):
        """Creates or replaces, whatever is there."""
        with self.lock:
            self.store(path, value)

    def change(self, path, *operations):
        """Applies JSON patch operations."""
        with self.lock:
            self.store(path, json_patch(self.objects[path], list(operations)))

    def delete(self, path):
        with self.lock:
            self.version += 1
            gone = self.objects.pop(path)
            gone["metadata"]["resourceVersion"] = str(self.version)
            self.deleted.append((self.version, path, gone))

    def writes(self, *without):
        """(method, path) of all writes that were carried out, but for paths with one of these words."""
        with self.lock:
            return [(method, path) for method, path, _, code in self.requests
                    if method != "GET" and code < 300 and "dryRun" not in path and
                    not any(word in path for word in without)]

    # --- as a server ---

    def store(self, path, value):
        self.version += 1
        before = self.objects.get(path)
        value = copy.deepcopy(value)
        metadata = value.setdefault("metadata", {})
        metadata["uid"] = before["metadata"]["uid"] if before else f"uid-{self.version}"
        metadata["resourceVersion"] = str(self.version)
        metadata["creationTimestamp"] = datetime.datetime.utcnow().strftime("%Y-%m-%dT%H:%M:%SZ")
        self.objects[path] = value
        return value

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length", 0))
        body = handler.rfile.read(length)
        code = 0
        try:
            if self.is_watch(handler):
                self.stream(handler)
                return
            code, answer = self.decide(handler, body)
        except Refusal as refusal:
            code = refusal.code
            answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": refusal.message,
                      "reason": refusal.reason, "code": code}
        with self.lock:
            self.requests.append((handler.command, handler.path, handler.headers.get("User-Agent", ""), code))
        data = json.dumps(answer).encode()
        try:
            handler.send_response(code)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            handler.wfile.write(data)
            handler.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            handler.close_connection = True

    def decide(self, handler, body):
        url = urllib.parse.urlsplit(handler.path)
        dry = "dryRun" in urllib.parse.parse_qs(url.query)
        if self.down:
            raise Refusal(503, "the server is down")
        for method, part in set(self.forbidden):
            if method == handler.command and part in handler.path:
                raise Refusal(403, f"{handler.path} is forbidden")
        if handler.command == "GET":
            with self.lock:
                if self.lists and url.path.rsplit("/", 1)[1] in PLURALS:
                    return 200, self.list(handler, url)
                if self.watches and url.path.rsplit("/", 1)[1] in BY_NAME:
                    return 200, self.list(handler, url)
                if url.path not in self.objects:
                    raise Refusal(404, f"{url.path} not found")
                found = copy.deepcopy(self.objects[url.path])
            if "as=PartialObjectMetadata" in handler.headers.get("Accept", ""):
                found = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}
            return 200, found
        if not dry and self.before_write:
            self.before_write(handler.command, url.path)
        with self.lock:
            answer = self.write(handler, url.path, body, dry)
        if not dry and self.after_write:
            self.after_write(handler.command, url.path)
        return answer

    def list(self, handler, url):
        """All objects below a collection, of one namespace or of all; a watch has to begin anew."""
        query = urllib.parse.parse_qs(url.query)
        if "sendInitialEvents" in query:
            raise Refusal(422, "streamed lists are not known here")
        if "watch" in query:
            return {"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                                                "reason": "Expired", "message": "list again"}}
        base, plural = url.path.rsplit("/", 1)
        below = re.compile(re.escape(base) + r"(/namespaces/[^/]+)?/" + plural + r"/[^/]+$")
        metadata = "as=PartialObjectMetadataList" in handler.headers.get("Accept", "")
        group = url.path.split("/")
        name = query.get("fieldSelector", ["metadata.name="])[0].partition("metadata.name=")[2]
        found = [copy.deepcopy(value) for path, value in self.objects.items()
                 if below.match(path) and (not name or path.endswith("/" + name))]
        if metadata:
            found = [partial(each) for each in found]
        kind = {**PLURALS, **BY_NAME}[plural]
        return {"kind": "PartialObjectMetadataList" if metadata else kind + "List",
                "apiVersion": "meta.k8s.io/v1" if metadata else group[2] if group[1] == "api" else "/".join(group[2:4]),
                "metadata": {"resourceVersion": str(self.version)}, "items": found}

    def is_watch(self, handler):
        url = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(url.query)
        return (self.watches and handler.command == "GET" and "watch" in query and "sendInitialEvents" not in query and
                url.path.rsplit("/", 1)[1] in BY_NAME)

    def news(self, url, since):
        """[(version, type, object)] of what a watch is about."""
        query = urllib.parse.parse_qs(url.query)
        name = query.get("fieldSelector", ["metadata.name="])[0].partition("metadata.name=")[2]
        wanted = re.compile(re.escape(url.path) + "/" + (re.escape(name) if name else "[^/]+") + "$")
        with self.lock:
            found = [(int(each["metadata"]["resourceVersion"]), "MODIFIED", each) for path, each in self.objects.items()
                     if wanted.match(path)]
            found += [(version, "DELETED", each) for version, path, each in self.deleted if wanted.match(path)]
            return copy.deepcopy(sorted((each for each in found if each[0] > since), key=lambda each: each[0]))

    def stream(self, handler):
        """A watch of metadata, until nobody is to watch any more."""
        url = urllib.parse.urlsplit(handler.path)
        since = int(urllib.parse.parse_qs(url.query)["resourceVersion"][0])
        handler.close_connection = True
        try:
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.flush()
            while self.watches:
                for since, what, each in self.news(url, since):
                    handler.wfile.write(json.dumps({"type": what, "object": partial(each)}).encode() + b"\n")
                handler.wfile.flush()
                time.sleep(0.02)
        except OSError:
            pass

    def write(self, handler, path, body, dry):
        method = handler.command
        value = json.loads(body)
        if method == "POST":
            name = value.get("metadata", {}).get("name")
            whole = f"{path}/{name}"
            if path.endswith("/restoresessions"):
                return 201, self.admit_restore(value, dry)
            if path.endswith("/tokenreviews"):
                return 201, {**value, "status": self.judge_token(value["spec"]["token"])}
            if whole in self.objects:
                raise Refusal(409, f"{whole} already exists", "AlreadyExists")
            return 201, copy.deepcopy(self.store(whole, value))
        if method == "DELETE":
            raise Refusal(405, "nobody deletes here")
        kind = handler.headers.get("Content-Type", "")
        before = self.objects.get(path)
        if before is None and not kind.startswith("application/apply-patch"):
            raise Refusal(404, f"{path} not found")
        if method == "PUT":
            version = value.get("metadata", {}).get("resourceVersion")
            if version != before["metadata"]["resourceVersion"]:
                raise Refusal(409, f"{path}: the object has been modified")
        elif kind == "application/json-patch+json":
            value = json_patch(before, value)
        elif kind == "application/merge-patch+json":
            version = value.get("metadata", {}).get("resourceVersion")
            if version and version != before["metadata"]["resourceVersion"]:
                raise Refusal(409, f"{path}: the object has been modified")
            value = merge_patch(before, value)
        elif kind.startswith("application/apply-patch"):
            value = merge_patch(before or {}, value)
        else:
            raise Refusal(415, f"content type {kind}")
        return 200, copy.deepcopy(self.store(path, value))

    def admit_restore(self, value, dry):
        """As with our webhook in front: it moves the rules."""
        if not dry:
            raise Refusal(403, "only dry runs are allowed")
        value = copy.deepcopy(value)
        if self.reaches_webhook:
            value["spec"]["target"]["rules"] = value["spec"].pop("rules")
        return value
