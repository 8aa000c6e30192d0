"""What the tests of the running webhook share: certificates, the process, clients, the runner."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

WEBHOOK = os.environ.get("GRANARY_WEBHOOK", "build/granary-webhook")
# Sanitized builds are several times slower: they get longer limits and smaller numbers.
SLOW = int(os.environ.get("GRANARY_SLOW", "1"))
SANITIZER_WORDS = ("Sanitizer", "runtime error:", "PANIC", "==    at 0x")  # the last: valgrind

# How long is waited for what has to happen, on a machine at a load of 20; it costs nothing when it happens.
PATIENCE_S = 90
# What happens at once, or when a limit of few seconds is over, does so within this time there. What it is told apart from
# takes at least twice as long.
AT_ONCE_S = 15

TESTS = []


def test(ids, serial=False):
    """Registers a test: its name in the catalogue, and whether it must run alone (it measures)."""

    def register(function):
        TESTS.append((ids, function, serial))
        return function

    return register


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def eventually(question, what, seconds=PATIENCE_S):
    """Waits until the question answers with something true, and returns that."""
    end = time.monotonic() + seconds * SLOW
    while True:
        asked = time.monotonic()
        answer = question()
        if answer:
            return answer
        if asked >= end:
            raise AssertionError(f"did not happen in {seconds * SLOW} s: {what}")
        time.sleep(0.02)


# --- ports --------------------------------------------------------------------------------------

# Below the range of which the kernel gives ports to who connects (ip_local_port_range begins at 32768): a port of that range
# that was free a moment ago is soon the near end of somebody's connection, and the listener for which it was chosen ends.
LISTENER_PORTS = range(20000, 32000)
_claims = []


def free_port():
    """A port of 127.0.0.1 for a program that takes only numbers: no other test is given it while this process lives."""
    order = random.sample(LISTENER_PORTS, len(LISTENER_PORTS))
    for port in order:
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0granary-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.append(claim)
        return port
    raise AssertionError(f"no port from {LISTENER_PORTS.start} to {LISTENER_PORTS.stop} is free")


# --- certificates -------------------------------------------------------------------------------

CA_CONFIG = """
[ca]
default_ca = us
[us]
dir = {dir}
database = {dir}/index.txt
new_certs_dir = {dir}
rand_serial = yes
policy = any
unique_subject = no
[any]
commonName = supplied
"""


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True)
    check(done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}")


def new_key(path, kind="EC"):
    if kind == "EC":
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)
    else:
        openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind}", "-out", path)


class Authority:
    """A throw-away CA in a folder of its own."""

    def __init__(self, folder, name):
        self.dir = os.path.join(folder, name)
        os.mkdir(self.dir)
        self.cert = os.path.join(self.dir, "ca.crt")
        self.key = os.path.join(self.dir, "ca.key")
        self.lock = threading.Lock()
        new_key(self.key)
        openssl("req", "-x509", "-new", "-key", self.key, "-sha256", "-days", "30", "-subj",
                f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
                "keyUsage=critical,keyCertSign", "-out", self.cert)
        open(os.path.join(self.dir, "index.txt"), "w").close()
        with open(os.path.join(self.dir, "ca.conf"), "w") as config:
            config.write(CA_CONFIG.format(dir=self.dir))

    def issue(self, name, san="DNS:localhost,IP:127.0.0.1,IP:::1", key="EC", md="sha256",
              start=None, end=None, usage="serverAuth"):
        """Returns (certificate file, key file). Times are YYMMDDHHMMSSZ."""
        base = os.path.join(self.dir, name)
        extensions = ["basicConstraints=CA:FALSE"]
        if san:
            extensions.append(f"subjectAltName={san}")
        if usage:
            extensions.append(f"extendedKeyUsage={usage}")
        with open(base + ".ext", "w") as file:
            file.write("\n".join(extensions) + "\n")
        new_key(base + ".key", key)
        openssl("req", "-new", "-key", base + ".key", "-subj", f"/CN={name}", "-out", base + ".csr")
        times = ["-startdate", start or "200101000000Z", "-enddate", end or "491231000000Z"]
        with self.lock:
            openssl("ca", "-batch", "-notext", "-config", os.path.join(self.dir, "ca.conf"), "-cert",
                    self.cert, "-keyfile", self.key, "-md", md, "-extfile", base + ".ext", *times,
                    "-in", base + ".csr", "-out", base + ".crt")
        return base + ".crt", base + ".key"


class World:
    """What is made once for all tests."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = Authority(folder, "our-ca")
        self.cert, self.key = self.ca.issue("server")
        self.second = self.ca.issue("second")


WORLD = None


def temporary_folder():
    return tempfile.mkdtemp(dir=WORLD.folder)


NAMESPACE = """apiVersion: v1
kind: Namespace
metadata:
  name: demo
"""


def write(path, content):
    """Replaces a file in one step, as editors and kubelets do."""
    with open(path + ".new", "w") as file:
        file.write(content)
    os.rename(path + ".new", path)


def run_program(*arguments, stdin=b""):
    return subprocess.run([WEBHOOK, *arguments], input=stdin, capture_output=True, timeout=PATIENCE_S * SLOW)


# --- the process --------------------------------------------------------------------------------


class Webhook:
    """A running granary-webhook on free ports. Use as context: what it leaves behind is checked."""

    def __init__(self, *arguments, cert=None, key=None, catalog=None, wait_ready=True, source=None,
                 end=signal.SIGINT, address="127.0.0.1:0", wanted_exit=0, prepare=None):
        """source: arguments in the place of those that name catalog and certificate."""
        self.catalog = catalog or temporary_folder()
        if not catalog:
            write(os.path.join(self.catalog, "namespace.yaml"), NAMESPACE)
        if source is None:
            source = ["--catalog", self.catalog, "--tls-cert", cert or WORLD.cert, "--tls-key", key or WORLD.key]
        self.lines, self.end, self.wanted_exit = [], end, wanted_exit
        self.new_line = threading.Condition()
        self.process = subprocess.Popen(
            [WEBHOOK, "--listen", address, "--admin-listen", "127.0.0.1:0", "--log-level", "debug", *source,
             *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            errors="replace", preexec_fn=prepare)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.admin_port = self._port("admin")
        self.port = self._port("admission")
        if wait_ready:
            eventually(self.ready, "ready")
        self.descriptors = self.open_descriptors()

    def _read(self):
        for line in self.process.stderr:
            with self.new_line:
                self.lines.append(line.rstrip("\n"))
                self.new_line.notify_all()

    def _port(self, purpose):
        line = self.log(rf'listening.*for"?[=:]"?{purpose}')
        return int(re.search(r'address"?[=:]"?[^ ,"]*:(\d+)', line).group(1))

    def log(self, pattern, seconds=PATIENCE_S):
        """The first log line that matches; waits for it."""
        def found():
            return next((line for line in list(self.lines) if re.search(pattern, line)), None)
        return eventually(found, f"a log line like {pattern}; there are {self.lines[-5:]}", seconds)

    def count(self, pattern):
        return sum(1 for line in list(self.lines) if re.search(pattern, line))

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stopped(self):
        """True when SIGSTOP has reached every thread."""
        def state(thread):
            with open(f"/proc/{self.process.pid}/task/{thread}/stat") as file:
                return file.read().rpartition(")")[2].split()[0]
        return all(state(thread) == "T" for thread in os.listdir(f"/proc/{self.process.pid}/task"))

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def admin(self, path, method="GET"):
        """(status, headers, body) from the admin address."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=PATIENCE_S * SLOW)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()

    def ready(self):
        return self.admin("/readyz")[0] == 200

    def metric(self, name):
        """A counter by its name with labels; the prefix is left out. Absent is 0."""
        for line in self.admin("/metrics")[2].splitlines():
            if line.startswith(f"granary_webhook_{name} "):
                return float(line.split(" ")[-1])
        return 0

    def tcp(self, timeout=PATIENCE_S):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=timeout * SLOW)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def tls(self, timeout=PATIENCE_S, context=None, name="localhost"):
        """A connection with TLS that is agreed."""
        raw = self.tcp(timeout)
        try:
            return (context or trusting()).wrap_socket(raw, server_hostname=name)
        except Exception:
            raw.close()
            raise

    def kill(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=PATIENCE_S):
        code = self.process.wait(timeout=seconds * SLOW)
        self.reader.join(PATIENCE_S)
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        leftover = None
        try:
            if kind is None and self.process.poll() is None:
                leftover = self._leftover()
            if self.process.poll() is None:
                self.kill(self.end)
            code = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("does not end after a signal\n" + "\n".join(self.lines[-40:])) from value
        finally:
            self.process.stdout.close()
        report = [line for line in self.lines if any(word in line for word in SANITIZER_WORDS)]
        if report:
            raise AssertionError("report of a sanitizer:\n" + "\n".join(self.lines[-60:]))
        if kind is not None:
            print("log of the webhook, its end:\n" + "\n".join(self.lines[-40:]), flush=True)
        if kind is None:
            check_equal(code, self.wanted_exit, "exit code")
            check(leftover is None, f"left after the test: {leftover}")

    def _leftover(self):
        """What of the test stays: connections, bytes of bodies, requests. None when nothing."""
        try:
            eventually(lambda: self.open_descriptors() <= self.descriptors, "descriptors")
            eventually(lambda: self.metric("body_bytes") == 0, "bytes of bodies")
            eventually(lambda: self.metric("requests_in_flight") == 0, "requests")
            return None
        except AssertionError as error:
            names = [os.readlink(f"/proc/{self.process.pid}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{self.process.pid}/fd")]
            return f"{error}; {len(names)} descriptors, at first {self.descriptors}: {names[:40]}"


# --- clients ------------------------------------------------------------------------------------


def trusting(**changes):
    """A context as an API server has it: verifies the server's certificate."""
    context = ssl.create_default_context(cafile=WORLD.ca.cert)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def review(uid="0d1e2f", size=None):
    """A review of something that is none of our business, padded to this many bytes."""
    def make(padding):
        return json.dumps({
            "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": uid, "kind": {"group": "", "version": "v1", "kind": "ConfigMap"},
                "resource": {"group": "", "version": "v1", "resource": "configmaps"},
                "name": "settings", "namespace": "demo", "operation": "CREATE",
                "userInfo": {"username": "somebody"},
                "object": {"kind": "ConfigMap", "apiVersion": "v1",
                           "metadata": {"name": "settings", "namespace": "demo"},
                           "data": {"padding": padding}},
                "oldObject": None, "dryRun": False}}).encode()
    if size is None:
        return make("")
    bare = len(make(""))
    check(size >= bare, f"a review has at least {bare} bytes")
    return make("x" * (size - bare))


def head(method="POST", path="/mutate", lines=(), host="Host: localhost",
         kind="Content-Type: application/json"):
    """The bytes of a head; host and kind None leave the line out."""
    parts = [f"{method} {path} HTTP/1.1", host, kind, *lines]
    return ("\r\n".join(part for part in parts if part is not None) + "\r\n\r\n").encode("latin-1")


def post(body, path="/mutate", lines=()):
    return head(path=path, lines=[f"Content-Length: {len(body)}", *lines]) + body


def chunked(body, pieces=4):
    step = max(1, len(body) // pieces)
    out = b""
    for at in range(0, len(body), step):
        piece = body[at:at + step]
        out += b"%x\r\n%s\r\n" % (len(piece), piece)
    return out + b"0\r\n\r\n"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def read_answer(connection, method="POST"):
    """The next answer of a connection, or None when it ends before the first byte of one."""
    answer = http.client.HTTPResponse(connection, method=method)
    try:
        answer.begin()
        return Answer(answer.status, answer.headers, answer.read())
    except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLEOFError,
            ssl.SSLZeroReturnError):
        return None
    finally:
        answer.close()


def send(connection, data):
    """Sends what the other side takes: it may refuse and close before the end."""
    try:
        connection.sendall(data)
    except (ConnectionError, ssl.SSLError):
        pass


def ask(webhook, data, method="POST"):
    """One connection, these bytes, the first answer."""
    with webhook.tls() as connection:
        send(connection, data)
        return read_answer(connection, method)


def answers_until_end(connection, seconds=PATIENCE_S):
    """The statuses of all answers until the other side closes (which it must)."""
    connection.settimeout(seconds * SLOW)
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except socket.timeout:
        raise AssertionError(f"stays open; it sent {data[:200]!r}")
    except (ConnectionError, ssl.SSLError):
        pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", data)]


def ends(connection, seconds=PATIENCE_S):
    """True when the other side closes, and sends nothing before."""
    connection.settimeout(seconds * SLOW)
    try:
        return connection.recv(1) == b""
    except socket.timeout:
        return False
    except (ConnectionError, ssl.SSLError):
        return True


def check_allowed(answer, uid="0d1e2f"):
    check(answer is not None, "no answer")
    check_equal(answer.status, 200, f"status ({answer.body[:200]!r})")
    check_equal(answer.headers["Content-Type"], "application/json", "content type")
    response = answer.json()["response"]
    check_equal((response["uid"], response["allowed"]), (uid, True), "response")


def check_refused(answer, *statuses):
    check(answer is not None, "no answer")
    check(answer.status in statuses, f"status {answer.status}, wanted one of {statuses}")
    check(answer.status < 300 or answer.status >= 400, "a redirection")


def check_status_object(answer, *statuses):
    """A refusal of ours: metav1.Status, and the connection is said to close."""
    check_refused(answer, *statuses)
    check_equal(answer.headers["Content-Type"], "application/json", "content type")
    check_equal(answer.headers["Connection"], "close", "Connection")
    if answer.body:
        status = answer.json()
        check_equal((status["kind"], status["code"]), ("Status", answer.status), "Status")


# --- the runner ---------------------------------------------------------------------------------


def run_one(entry):
    ids, function, _ = entry
    began = time.monotonic()
    try:
        function()
        trouble = None
    except Exception:
        trouble = traceback.format_exc()
    return ids, function.__name__, trouble, time.monotonic() - began


def report(result):
    ids, name, trouble, seconds = result
    print(f"{'FAILED' if trouble else 'ok':7}{ids:12} {name.replace('_', ' ')} ({seconds:.1f} s)",
          flush=True)
    if trouble:
        print(trouble, flush=True)
    return trouble is None


def selected(names):
    def wanted(entry):
        return not names or any(name in entry[1].__name__ or name in entry[0].split()
                                for name in names)
    return [entry for entry in TESTS if wanted(entry)]


def run(names):
    """Those that wait run beside each other; those that measure, alone at the end."""
    global WORLD
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts behind ignores it, and so do its children
    folder = tempfile.mkdtemp(prefix="granary-")
    passed = failed = 0
    try:
        WORLD = World(folder)
        entries = selected(names)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = pool.map(run_one, [entry for entry in entries if not entry[2]])
            for result in results:
                passed, failed = (passed + 1, failed) if report(result) else (passed, failed + 1)
        for entry in entries:
            if entry[2]:
                good = report(run_one(entry))
                passed, failed = passed + good, failed + (not good)
    finally:
        shutil.rmtree(folder)
    print(f"{passed} passed, {failed} failed")
    return 0 if failed == 0 and passed > 0 else 1
