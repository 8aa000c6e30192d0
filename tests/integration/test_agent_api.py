"""The agent API over real TLS, with a desk that does as it is told (agent_desk.c). Catalogue H1 to H9 as
far as they apply, AG1 to AG14."""

import base64
import contextlib
import itertools
import json
import os
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time

import harness
import stream_frames
from controller import AGENT, Controller, installed
from harness import (SLOW, check, check_equal, check_refused, check_status_object, chunked, ends, eventually,
                     head, post, read_answer, send, temporary_folder, test, trusting)

DESK = os.environ.get("AGENT_DESK", "build/tests/integration/agent_desk")
POD = "00000000-0000-4000-8000-{:012d}"
INSTANCE = "0f2c9b1e7d5a4c3b8e6f1a2b3c4d5e6f"
CLAIM = {"agentVersion": "0.1.0", "instance": INSTANCE, "role": "sidecar"}
WHICH = {"session": POD.format(0), "host": "host-0", "attempt": 1, "instance": INSTANCE}
PROGRESS = {**WHICH, "stage": "Work"}
REPORT = {**WHICH, "outcome": "Failed", "durationMilliseconds": 1, "error": {"reason": "No", "message": "no"}}
TRIGGER = {"agentVersion": "0.1.0"}
EXPIRES_S = int(time.time()) + 7200  # the same token in all of a test
CALLS = {"/v1/claim": CLAIM, "/v1/progress": PROGRESS, "/v1/report": REPORT, "/v1/trigger": TRIGGER,
         "/v1/stream": {**WHICH, "turn": 1}}


class Desk:
    """A running agent_desk. Used as the webhook is: tls(), tcp()."""

    def __init__(self, cert=None, key=None):
        self.process = subprocess.Popen(
            [DESK, "127.0.0.1:0", cert or harness.WORLD.cert, key or harness.WORLD.key], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines, self.lock = [], threading.Lock()
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr), daemon=True)
        self.reader.start()
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def tell(self, *words):
        with self.lock:
            self.process.stdin.write(" ".join(words) + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().strip()

    def fact(self, name):
        return json.loads(self.tell("facts"))[name]

    def seen(self):
        return json.loads(self.tell("seen"))

    def work(self, pod, answer):
        self.tell("work", pod, json.dumps(answer, separators=(",", ":")))

    def tcp(self, source="127.0.0.1"):
        return socket.create_connection(("127.0.0.1", self.port), timeout=harness.PATIENCE_S * SLOW, source_address=(source, 0))

    def tls(self, source="127.0.0.1", context=None):
        raw = self.tcp(source)
        try:
            return (context or trusting()).wrap_socket(raw, server_hostname="localhost")
        except Exception:
            raw.close()
            raise

    def rss_kib(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        code = self.process.wait(timeout=60 * SLOW)
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        check(not any(word in line for line in self.lines for word in harness.SANITIZER_WORDS),
              "".join(self.lines[-60:]))
        check_equal(code, 0, "exit code")


def part(value):
    return base64.urlsafe_b64encode(value if isinstance(value, bytes) else json.dumps(value).encode()).decode().rstrip("=")


def token(number=1, signature="good", **changes):
    """What a kubelet would project; None removes a member."""
    payload = {"aud": ["granary"], "exp": EXPIRES_S, "iss": "https://kubernetes.default.svc",
               "kubernetes.io": {"namespace": "shop", "pod": {"name": f"web-{number}", "uid": POD.format(number)},
                                 "serviceaccount": {"name": "web", "uid": "u"}, "warnafter": 1}, **changes}
    payload = {name: value for name, value in payload.items() if value is not None}
    return f"{part({'alg': 'RS256', 'kid': 'k'})}.{part(payload)}.{signature}"


def bearer(text):
    return f"Authorization: Bearer {text}"


def call(path, message=None, credentials=None, lines=()):
    body = message if isinstance(message, bytes) else json.dumps(CALLS[path] if message is None else message).encode()
    return post(body, path, [bearer(credentials or token()), *lines])


def ask(desk, data, source="127.0.0.1"):
    with desk.tls(source) as connection:
        send(connection, data)
        return read_answer(connection)


def waiting(seconds=60):
    return {**CLAIM, "waitSeconds": seconds}


def is_refused(answer, status, *words, closes=None):
    check_refused(answer, status)
    check_equal(answer.headers["Content-Type"], "application/json", "content type")
    said = answer.json()
    check_equal((said["kind"], said["apiVersion"], said["status"], said["code"]), ("Status", "v1", "Failure", status),
                "Status")
    for word in words:
        check(word in said["message"], f"{word!r} is not in {said}")
    if closes is not None:
        check_equal(answer.headers["Connection"] == "close", closes, "closes")


@test("AG1")
def one_who_waits_gets_work_when_there_is_some():
    with Desk() as desk, desk.tls() as connection:
        send(connection, call("/v1/claim", waiting()))
        eventually(lambda: desk.fact("waiting") == 1, "the claim waits")
        check_equal(desk.fact("reviews"), 0, "reviews for one who waits")
        desk.tell("wake")
        desk.work(POD.format(2), {"retryAfterSeconds": 5})
        desk.tell("wake")
        eventually(lambda: desk.fact("waiting") == 1, "work for others is none of its")
        desk.work(POD.format(1), {"retryAfterSeconds": 7})
        desk.tell("wake")
        answer = read_answer(connection)
        check_equal((answer.status, answer.json()), (200, {"retryAfterSeconds": 7}), "answer")
        check_equal(answer.headers["Cache-Control"], "no-store", "what may hold secrets")
        check_equal(desk.fact("reviews"), 1, "reviews")
        check_equal(desk.seen(), [["claim", POD.format(1), "web"]], "what the desk was asked")
        # the same connection, the verdict is remembered
        send(connection, call("/v1/progress"))
        check_equal(read_answer(connection).json(), {"continue": True}, "verdict")
        check_equal((desk.fact("reviews"), desk.fact("verdictsCached")), (1, 1), "reviews")


@test("AG2")
def a_wait_ends_with_nothing():
    with Desk() as desk:
        answer = ask(desk, call("/v1/claim", waiting(1)))
        check_equal((answer.status, answer.json()), (200, {}), "after a second")
        answer = ask(desk, call("/v1/claim"))
        check_equal((answer.status, answer.json()), (200, {}), "at once")
        desk.tell("expects", "0")  # a desk that must be asked itself
        answer = ask(desk, call("/v1/claim", waiting(1)))
        check_equal((answer.status, answer.json()), (200, {}), "after a second")
        check_equal(desk.fact("reviews"), 1, "reviews")
        check_equal(desk.seen(), [["claim", POD.format(1), "web"]], "what the desk was asked")


@test("AG3")
def all_calls_are_answered():
    with Desk() as desk, desk.tls() as connection:
        desk.work(POD.format(1), {"pass": True})
        rows = [("/v1/trigger", {"session": {"namespace": "n", "name": "s", "uid": "u"}}), ("/v1/claim", {"pass": True}),
                ("/v1/progress", {"continue": True}), ("/v1/report", {"recorded": True})]
        for path, wanted in rows:
            send(connection, call(path))
            answer = read_answer(connection)
            check_equal((answer.status, answer.json()), (200, wanted), path)
        # several in one packet: all of them, in order
        send(connection, b"".join(call(path) for path, _ in rows))
        for path, wanted in rows:
            check_equal(read_answer(connection).json(), wanted, f"pipelined {path}")


@test("H1 H2 H3 H5 H6 H7")
def what_is_no_request_of_ours_is_refused():
    with Desk() as desk:
        good = token()
        for path in ("/", "/v1", "/v1/", "/v1/claim/", "/v2/claim", "/v1/stream/x", "/v1/claim%00", "/V1/CLAIM"):
            is_refused(ask(desk, call(path, b"{}")), 404, closes=True)
        for method in ("GET", "PUT", "DELETE", "OPTIONS"):
            answer = ask(desk, head(method, "/v1/claim", [bearer(good)], kind=None))
            is_refused(answer, 405, closes=True)
            check_equal(answer.headers["Allow"], "POST", method)
        length = "Content-Length: 2"
        for kind in (None, "Content-Type: text/plain", "Content-Type: application/json; charset=utf-16"):
            is_refused(ask(desk, head(path="/v1/claim", lines=[bearer(good), length], kind=kind) + b"{}"), 415, closes=True)
        is_refused(ask(desk, call("/v1/claim", b"{}", lines=["Content-Encoding: gzip"])), 415, closes=True)
        is_refused(ask(desk, head(path="/v1/claim", lines=[bearer(good)])), 411, closes=True)
        is_refused(ask(desk, head(path="/v1/claim", lines=[bearer(good), "Content-Length: 0"])), 400, closes=True)
        chunks = head(path="/v1/claim", lines=[bearer(good), "Transfer-Encoding: chunked"])
        is_refused(ask(desk, chunks + b"0\r\n\r\n"), 400, "empty", closes=True)
        is_refused(ask(desk, chunks + chunked(json.dumps(CLAIM).encode())[:-2] + b"X: y\r\n\r\n"), 400, closes=True)
        answer = ask(desk, chunks + chunked(json.dumps(CLAIM).encode()))
        check_equal((answer.status, answer.headers["Connection"]), (200, "close"), "in chunks")


@test("H7")
def bodies_have_a_limit():
    with Desk() as desk:
        for path, limit in (("/v1/claim", 64 << 10), ("/v1/progress", 64 << 10), ("/v1/trigger", 64 << 10),
                            ("/v1/report", 256 << 10)):
            bare = json.dumps({**CALLS[path], "padding": ""}).encode()
            fits = bare[:-2] + b"x" * (limit - len(bare)) + bare[-2:]
            check_equal(ask(desk, call(path, fits)).status, 200, f"{path} with {limit} bytes")
            # announced: refused before a byte of it is read
            announced = head(path=path, lines=[bearer(token()), f"Content-Length: {limit + 1}"])
            is_refused(ask(desk, announced), 413, closes=True)
            in_chunks = head(path=path, lines=[bearer(token()), "Transfer-Encoding: chunked"])
            is_refused(ask(desk, in_chunks + chunked(fits + b" ")), 413, closes=True)
        eventually(lambda: desk.fact("bodyBytes") == 0, "no byte is counted any more")


@test("H8 H9")
def what_two_readers_could_read_in_two_ways_is_refused():
    with Desk() as desk:
        body = json.dumps(TRIGGER).encode()
        smuggled = call("/v1/trigger", credentials=token(9))
        right, who = f"Content-Length: {len(body)}", bearer(token())
        good = head(path="/v1/trigger", lines=[who, right])
        rows = [head(path="/v1/trigger", lines=[who, *lines]) + body for lines in (
            ["Content-Length: -1"], ["Content-Length: 5,5"], [right, "Content-Length: 5"], [right, right],
            [right, "Transfer-Encoding: chunked"], ["Transfer-Encoding: gzip, chunked"], ["Transfer-Encoding:"],
            ["Content-Length : 1"], [right, "X: a\r\n Content-Length: 5"], [right, "X: a\0b"], [right, "X: a\rb"],
            [right, "X Y: z"], [right, ": no name"], [right, "Host: other"])]
        rows += [good.replace(b"Host: localhost\r\n", b"") + body, good.replace(b"\r\n", b"\n") + body,
                 good.replace(b"POST /", b"POST  /") + body, good.replace(b"/v1/trigger", b"/v1/trigger\0x") + body]
        for data in rows:
            with desk.tls() as connection:
                send(connection, data + smuggled)
                answers = harness.answers_until_end(connection)
                check(answers and all(status in (400, 404) for status in answers), f"{answers} to {data[:160]!r}")
        check_equal(desk.seen(), [], "nothing reached the desk")
        is_refused(ask(desk, call("/v1/trigger", lines=[f"X-{n}: y" for n in range(110)])), 431, closes=True)
        # beyond what libmicrohttpd keeps it answers itself
        check_refused(ask(desk, call("/v1/trigger", lines=["X: " + "y" * 70000])), 431)


@test("AG14")
def what_is_no_message_is_refused():
    rows = [
        ("/v1/claim", b"x", 400, ()), ("/v1/claim", b"[]", 422, ()), ("/v1/claim", b"{}{}", 400, ()),
        ("/v1/claim", b'{"role":"job","role":"job"}', 400, ()), ("/v1/claim", b"\xff\xfe", 400, ()),
        ("/v1/claim", b"[" * 60000, 400, ()), ("/v1/claim", b"{}", 422, ()),
        ("/v1/claim", {**CLAIM, "waitSeconds": 301}, 422, ("waitSeconds",)),
        ("/v1/claim", {**CLAIM, "waitSeconds": -1}, 422, ("waitSeconds",)),
        ("/v1/claim", {**CLAIM, "role": "king"}, 422, ("role",)),
        ("/v1/claim", {**CLAIM, "instance": "x"}, 422, ("instance",)),
        ("/v1/progress", {**PROGRESS, "attempt": 0}, 422, ("attempt",)),
        ("/v1/report", {**REPORT, "outcome": "Succeeded"}, 422, ()),
        ("/v1/trigger", {"agentVersion": "x" * 65}, 422, ("agentVersion",)),
    ]
    with Desk() as desk:
        for number, (path, message, status, words) in enumerate(rows):
            # they end no connection: the frame was sound
            is_refused(ask(desk, call(path, message, token(number))), status, *words, closes=False)
        check_equal((desk.seen(), desk.fact("reviews")), ([], 0), "nothing reached the desk or a review")


@test("AG13")
def tokens_are_judged():
    bound = {"namespace": "shop", "serviceaccount": {"name": "web", "uid": "u"}}
    with Desk() as desk:
        body = json.dumps(TRIGGER).encode()
        for lines in ((), (bearer(token()), bearer(token())), ("Authorization: Basic eDp5",), ("Authorization: Bearer",),
                      ("Authorization: Bearer a b",), ("Authorization: Bearer a;b",), (bearer(token() + "\xe4"),)):
            answer = ask(desk, post(body, "/v1/trigger", lines))
            is_refused(answer, 401, closes=True)
            check_equal(answer.headers["WWW-Authenticate"], "Bearer", "challenge")
        presumed = ["x", "a.b", "a.b.c.d", f"a.{part(b'x')}.good", f"a.{part([])}.good",
                    token(exp=int(time.time()) - 3600), token(exp=None), token(aud=["https://kubernetes.default.svc"]),
                    token(aud=[]), token(aud="granary"), token(**{"kubernetes.io": {}}), token(**{"kubernetes.io": None})]
        for text in presumed:
            is_refused(ask(desk, call("/v1/trigger", credentials=text)), 401, closes=False)
        is_refused(ask(desk, call("/v1/trigger", credentials=token(**{"kubernetes.io": bound}))), 403, "pod")
        check_equal(desk.fact("reviews"), 0, "none of these costs a review")
        for signature, status in (("bad", 401), ("other", 401), ("podless", 403), ("down", 503)):
            before = desk.fact("reviews")
            for _ in range(2):
                answer = ask(desk, call("/v1/trigger", credentials=token(signature=signature)))
                is_refused(answer, status)
                check("AAAA" not in answer.body.decode() and signature not in answer.body.decode(), "says the token")
            # refusals are remembered as verdicts are; that nobody could be asked is not
            check_equal(desk.fact("reviews") - before, 2 if signature == "down" else 1, f"reviews of {signature}")
        check_equal(answer.json()["details"], {"retryAfterSeconds": 5}, "when to come again")
        check_equal(answer.headers["Retry-After"], "5", "when to come again")
        check_equal(desk.seen(), [], "nothing reached the desk")
        # a lie in what waits: is found before work is handed out
        desk.work(POD.format(1), {"pass": True})
        is_refused(ask(desk, call("/v1/claim", waiting(), token(signature="bad", iat=1))), 401)
        long = token(padding="x" * 4000)
        check_equal(ask(desk, call("/v1/trigger", credentials=long)).status, 200, "a token of 5 KB")


@test("AG4")
def what_the_desk_refuses_is_said():
    with Desk() as desk:
        for number, (code, status) in enumerate(((403, 403), (404, 404), (409, 409), (410, 410), (422, 422), (429, 429),
                                                 (503, 503), (500, 503), (504, 503), (413, 503))):
            for name, path in (("claim", "/v1/claim"), ("report", "/v1/report")):
                desk.tell("refuse", name, str(code), "because of this")
                answer = ask(desk, call(path, credentials=token(number)))
                is_refused(answer, status, *(["because of this"] if status == code else []), closes=False)
                check_equal("details" in answer.json(), status in (429, 503), f"details of {code}")
                desk.tell("refuse", name, "0")
        check(any("because of this" in line for line in desk.lines), "our own faults are in the log")


def until_too_many(question, most):
    """Asks until the answer is 429; returns how often it was another one, and that answer. What is allowed grows with
    time: on a slow machine more is taken than at once."""
    for count in range(most):
        answer = question()
        if answer.status == 429:
            return count, answer
    raise AssertionError(f"{most} requests are not too many")


@test("AG5")
def a_pod_has_its_share_and_no_more():
    with Desk() as desk, desk.tls() as connection:
        def trigger(credentials=None):
            send(connection, call("/v1/trigger", credentials=credentials))
            return read_answer(connection)
        count, answer = until_too_many(trigger, 2000)
        is_refused(answer, 429, "more requests")
        check(answer.json()["details"]["retryAfterSeconds"] >= 1, "when to come again")
        check(count >= 30, f"only {count} requests")
        # another pod is not concerned, nor has another token of this one a share of its own
        check_equal(trigger(token(2)).status, 200, "another pod")
        until_too_many(lambda: trigger(token(iat=1)), 25)


@test("AG6")
def who_shows_bad_tokens_costs_few_reviews():
    with Desk() as desk:
        tokens = (token(number, "bad") for number in itertools.count())
        asked = []

        def guess():
            asked.append(ask(desk, call("/v1/trigger", credentials=next(tokens))))
            return asked[-1]
        count, _ = until_too_many(guess, 400)
        check_equal((count >= 20, {answer.status for answer in asked[:-1]}), (True, {401}), "answers before")
        check(desk.fact("reviews") < len(asked), "each of them cost a review")

        def honest():
            guess()  # uses up what time has brought
            return ask(desk, call("/v1/trigger", credentials=token(len(asked) + 1000)))
        _, answer = until_too_many(honest, 15)
        is_refused(answer, 429, "address")
        check_equal(ask(desk, call("/v1/trigger", credentials=token(78)), "127.0.0.2").status, 200, "another address")


@test("AG7")
def connections_of_an_address_are_bounded():
    with Desk() as desk, contextlib.ExitStack() as stack:
        for _ in range(512):
            stack.enter_context(desk.tcp())
        eventually(lambda: desk.fact("connections") == 512, "all are accepted")
        with desk.tcp() as another:
            check(ends(another), "one more stays open")
        check_equal(desk.fact("turnedAway"), 1, "turned away")
        check_equal(ask(desk, call("/v1/trigger"), "127.0.0.2").status, 200, "another address")
        stack.close()
        eventually(lambda: desk.fact("connections") == 0, "all are gone")
        check_equal(ask(desk, call("/v1/trigger")).status, 200, "the same address")


@test("AG8")
def who_leaves_while_waiting_is_forgotten():
    with Desk() as desk:
        for end in ("close", "reset"):
            gone = desk.fact("gone")
            with desk.tls() as connection:
                send(connection, call("/v1/claim", waiting()))
                eventually(lambda: desk.fact("waiting") == 1, "waits")
                if end == "reset":
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            eventually(lambda: desk.fact("connections") == 0, "its connection is closed")
            check_equal((desk.fact("gone"), desk.fact("waiting")), (gone + 1, 0), "gone")
        # also while a thread asks for it
        desk.tell("hold", "trigger")
        with desk.tls() as connection:
            send(connection, call("/v1/trigger", credentials=token(3)))
            eventually(lambda: desk.fact("reviews") == 1, "a thread has it")
        desk.tell("release", "trigger")
        eventually(lambda: desk.fact("connections") == 0, "its connection is closed")


@test("AG9")
def claims_keep_nobody_who_works_from_being_heard():
    with Desk() as desk, contextlib.ExitStack() as stack:
        desk.tell("expects", "0")
        desk.tell("hold", "claim")
        claims = [stack.enter_context(desk.tls()) for _ in range(40)]
        for number, connection in enumerate(claims):
            send(connection, call("/v1/claim", waiting(), token(number)))
        eventually(lambda: desk.fact("claims") >= 4, "threads are held")
        for number in range(20):
            check_equal(ask(desk, call("/v1/progress", credentials=token(100 + number))).status, 200, "progress")
        # nor does the judge of tokens block anybody who is known or waits
        desk.tell("release", "claim")

        def answered():
            return select.select(claims, [], [], 0)[0]
        # on a slow machine some were not heard in time
        eventually(lambda: desk.fact("waiting") + len(answered()) == 40, "all wait")
        for connection in answered():
            is_refused(read_answer(connection), 503, "try again")


@test("AG10")
def who_is_not_the_leader_says_so():
    with Desk() as desk, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(desk.tls()) for _ in range(5)]
        for number, connection in enumerate(connections[:4]):
            send(connection, call("/v1/claim", waiting(), token(number)))
        eventually(lambda: desk.fact("waiting") == 4, "they wait")
        desk.tell("drain")
        for connection in connections[:4]:
            answer = read_answer(connection)
            is_refused(answer, 503, "leader", closes=True)
            check_equal(answer.headers["Retry-After"], "1", "when to come again")
            check(ends(connection), "stays open")
        send(connections[4], call("/v1/progress"))
        is_refused(read_answer(connections[4]), 503, "leader", closes=True)


@test("AG11")
def the_end_waits_for_what_is_under_way():
    desk = Desk()
    with desk, contextlib.ExitStack() as stack:
        idle, held, waits = (stack.enter_context(desk.tls()) for _ in range(3))
        desk.tell("hold", "report")
        send(held, call("/v1/report"))
        send(waits, call("/v1/claim", waiting(), token(2)))
        eventually(lambda: desk.fact("waiting") == 1 and desk.fact("reviews") == 1, "both are under way")
        desk.process.stdin.close()
        check_equal(read_answer(held).json(), {"recorded": True}, "the report")
        is_refused(read_answer(waits), 503, "leader")
        check(ends(idle), "idle ones are closed")


@test("H19")
def certificates_change_without_losing_anybody():
    folder = temporary_folder()
    pair = [os.path.join(folder, name) for name in ("tls.crt", "tls.key")]
    for source, target in zip((harness.WORLD.cert, harness.WORLD.key), pair):
        shutil.copy(source, target)
    with Desk(*pair) as desk, desk.tls() as before:
        send(before, call("/v1/claim", waiting()))
        eventually(lambda: desk.fact("waiting") == 1, "waits")
        old = before.getpeercert()["subject"]
        for source, target in zip(harness.WORLD.second, pair):
            with open(source) as file:
                harness.write(target, file.read())

        def new():
            with desk.tls() as connection:
                return connection.getpeercert()["subject"] != old
        eventually(new, "the new certificate is shown")
        desk.work(POD.format(1), {"pass": True})
        desk.tell("wake")
        check_equal(read_answer(before).json(), {"pass": True}, "the connection from before")


@test("T2")
def old_tls_is_refused():
    with Desk() as desk:
        for version, good in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                              (ssl.TLSVersion.TLSv1_3, True)):
            context = trusting()
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
            try:
                with desk.tls(context=context) as connection:
                    check_equal(connection.version(), version.name.replace("_", "."), "version")
                agreed = True
            except (ssl.SSLError, ConnectionError):
                agreed = False
            check_equal(agreed, good, version.name)
        with desk.tcp() as plain:
            send(plain, call("/v1/trigger"))
            check(ends(plain), "plain HTTP is answered")
        check_equal(ask(desk, call("/v1/trigger")).status, 200, "still serves")


@test("AG12", serial=True)
def a_thousand_wait_at_once():
    count = 1000 // SLOW
    with Desk() as desk, contextlib.ExitStack() as stack:
        connections = []
        for number in range(count):
            connection = stack.enter_context(desk.tls(f"127.0.0.{2 + number % 8}"))
            connections.append(connection)
            send(connection, call("/v1/claim", waiting(300), token(number)))
        eventually(lambda: desk.fact("waiting") == count, "all wait")
        check_equal(desk.fact("reviews"), 0, "reviews")
        with open(f"/proc/{desk.process.pid}/status") as file:
            check(int(re.search(r"Threads:\s+(\d+)", file.read()).group(1)) < 20, "threads")
        for number in range(0, count, 100):
            desk.work(POD.format(number), {"pass": True})
        desk.tell("wake")
        for number in range(0, count, 100):
            check_equal(read_answer(connections[number]).json(), {"pass": True}, f"agent {number}")
        desk.tell("wake")
        # each of them is asked about, and waits again
        eventually(lambda: desk.fact("waiting") == count - len(range(0, count, 100)), "the others wait")


# --- as the controller serves it ------------------------------------------------------------------

SLICE = "/apis/discovery.k8s.io/v1/namespaces/granary-system/endpointslices/granary-agents-ipv4"


def is_good(text):
    """What an API server says of such a token."""
    payload = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    bound = payload["kubernetes.io"]
    if not text.endswith(".good"):
        return {"authenticated": False, "error": "no such key"}
    return {"authenticated": True, "audiences": ["granary"], "user": {
        "username": f"system:serviceaccount:{bound['namespace']}:{bound['serviceaccount']['name']}", "uid": "u",
        "groups": [], "extra": {"authentication.kubernetes.io/pod-name": [bound["pod"]["name"]],
                                "authentication.kubernetes.io/pod-uid": [bound["pod"]["uid"]]}}}


class Serving:
    """A controller that leads, as agents reach it: by the CA and a name of the ConfigMap."""

    def __init__(self, server, controller):
        self.server = server
        self.port = int(controller.says(r'listening.*for"?[=:]"?agents').split("address")[1].split()[0].rstrip('"').split(":")[-1])
        data = eventually(lambda: server.get(AGENT)["data"], "ConfigMap")
        self.context = ssl.create_default_context(cadata=data["ca.crt"])

    def tls(self, source=None, name="granary-agents.granary-system.svc"):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=harness.PATIENCE_S * SLOW)
        try:
            return self.context.wrap_socket(raw, server_hostname=name)
        except Exception:
            raw.close()
            raise


@test("AG15")
def the_leader_serves_agents_and_says_where():
    with installed() as server:
        server.judge_token, server.lists = is_good, True
        server.put("/api/v1/namespaces/granary-system/services/granary-agents",
                   {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "granary-agents", "namespace": "granary-system"},
                    "spec": {"clusterIP": "10.96.0.9"}})
        options = ("--agent-listen", "127.0.0.1:0", "--advertise-address", "10.1.2.3")
        with Controller(server, *options) as controller:
            found = eventually(lambda: server.get(SLICE), "an EndpointSlice")
            serving = Serving(server, controller)
            check_equal((found["endpoints"][0]["addresses"], found["ports"][0]["port"]), (["10.1.2.3"], serving.port), "slice")
            check_equal(server.get(AGENT)["data"]["addresses"],
                        "granary-agents.granary-system.svc:443\n10.96.0.9:443\n", "addresses")
            serving.tls(name="10.96.0.9").close()
            check_equal(ask(serving, call("/v1/claim")).json(), {}, "a claim with nothing to do")
            # judged by the API server, then by the desk: there is no such pod
            is_refused(ask(serving, call("/v1/report")), 403)
            is_refused(ask(serving, call("/v1/report", credentials=token(2, "bad"))), 401)
            check(any("/tokenreviews" in path for _, path, _, _ in server.requests), "nobody was asked")
            # somebody else's slice is put right
            server.change(SLICE, {"op": "replace", "path": "/endpoints/0/addresses/0", "value": "10.9.9.9"})
            eventually(lambda: server.get(SLICE)["endpoints"][0]["addresses"] == ["10.1.2.3"], "the slice")
            eventually(lambda: controller.metric("agent_token_reviews_total") >= 2, "metrics")  # copied once a turn
            with serving.tls() as connection:
                send(connection, call("/v1/claim", waiting(), token(3)))
                eventually(lambda: controller.metric("agent_waiting") == 1, "waits")
                check_equal(controller.ends(), 0, "exit code")
                is_refused(read_answer(connection), 503, "leader")


def begin_stream(connection):
    """What has come of the body so far, once the head is here."""
    send(connection, call("/v1/stream"))
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    lines, _, body = received.partition(b"\r\n\r\n")
    check(lines.startswith(b"HTTP/1.1 200") and b"application/octet-stream" in lines, lines)
    check(b"chunked" not in lines.lower(), "its frames are its own")
    return body


def rest_of(connection, body):
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        while piece := connection.recv(1 << 20):
            body += piece
    return body


@test("AG15")
def a_stream_comes_whole_or_cut():
    with Desk() as desk:
        for frames, end in ((60, "whole"), (0, "whole"), (60, "cut"), (0, "cut")):
            desk.tell("stream", str(frames), end)
            with desk.tls() as connection:
                body = rest_of(connection, begin_stream(connection))
            data, trailer = stream_frames.read(body)
            check_equal((len(data), data.count(b"x")), (frames << 15, frames << 15), "bytes")
            check_equal(trailer, (3, b"so it ended") if end == "whole" else None, "trailer")
        desk.tell("refuse", "stream", "409", "taken")
        is_refused(ask(desk, call("/v1/stream")), 409, "taken")
        check_equal({one[0] for one in desk.seen()}, {"stream"}, "what the desk was asked")


@test("AG15")
def who_reads_slowly_holds_up_who_writes():
    with Desk() as desk:
        desk.tell("stream", "40000", "whole")
        with desk.tls() as connection:
            begin_stream(connection)
            seen = []
            eventually(lambda: seen.append(desk.fact("framesPut")) or (len(seen) > 9 and len(set(seen[-9:])) == 1),
                       "nothing more is written")
            check(seen[-1] < 2000, f"{seen[-1]} frames of 32 KiB are under way")
            before = desk.rss_kib()
            check(before < 200 << 10, f"{before} KiB")
            while desk.fact("framesPut") < seen[-1] + 100:
                check(connection.recv(1 << 20), "it goes on")
        eventually(lambda: desk.fact("connections") == 0, "who left is forgotten")


@test("AG15")
def who_leads_no_more_sends_no_trailer():
    with Desk() as desk:
        desk.tell("stream", "3", "stay")
        with desk.tls() as connection:
            body = begin_stream(connection)
            while len(stream_frames.read(body)[0]) < 3 << 15:
                body += connection.recv(65536)
            desk.tell("drain")
            check_equal(stream_frames.read(rest_of(connection, body))[1], None, "trailer")
