"""Hooks that the agent runs itself: what it asks of an application, and what each fault becomes."""

import os
import select
import socket
import ssl
import threading

import harness
from agent_api import Refuse
from harness import check, check_equal, eventually, temporary_folder, test
from running import (Agent, api, do, fails, fill, free_port, restore, snapshots, succeeds, work)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Application:
    """A server on loopback that answers each connection with what `answer(request)` returns: bytes, None (says nothing
    until it is asked to end), or an iterator of bytes. `asked` has the requests. Use as context."""

    def __init__(self, answer=lambda request: OK, tls=False):
        self.answer, self.asked, self.ending = answer, [], threading.Event()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(harness.WORLD.cert, harness.WORLD.key)
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.socket.close()

    def _accept(self):
        while not self.ending.is_set():
            if select.select([self.socket], [], [], 0.05)[0]:
                connection, _ = self.socket.accept()
                self.threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self.threads[-1].start()

    def _read(self, connection):
        request = b""
        while b"\r\n\r\n" not in request:
            got = connection.recv(65536)
            if not got:
                return request
            request += got
        head, _, body = request.partition(b"\r\n\r\n")
        length = [int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while length and len(body) < length[0]:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def _serve(self, connection):
        try:
            connection.settimeout(10 * harness.SLOW)
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            request = self._read(connection)
            self.asked.append(request.decode())
            answer = self.answer(request.decode()) if request else b""
            for piece in [answer] if isinstance(answer, (bytes, type(None))) else answer:
                if piece is None:
                    self.ending.wait()
                else:
                    connection.sendall(piece)
        except OSError:
            pass  # the agent went away, as some tests want
        finally:
            connection.close()

    def get(self, **changes):
        return {"httpGet": {"port": self.port, **changes}}


def status(code, *fields):
    head = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n{head}\r\n".encode()


def outcomes(report):
    return report.get("hookBefore", "NotAsked"), report.get("hookAfter", "NotAsked")


def refused():
    return {"tcpSocket": {"port": free_port()}}


@test("-")
def hooks_run_around_the_work():
    data, repository = fill(temporary_folder()), temporary_folder()
    kept = []

    def answer(request):
        kept.append(os.path.isdir(f"{repository}/snapshots") and len(os.listdir(f"{repository}/snapshots")))
        return OK
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent, Application(answer) as application:
        before = {**application.get(path="/freeze?hard=1", httpHeaders=[{"name": "X-Key", "value": "a b"}]),
                  "tcpSocket": {"port": application.port, "host": "127.0.0.1"}}
        body = ("{{ .Name }} {{ .Namespace }} {{ .Status.Phase }} {{ .Target.Name }} {{ .RetryLeft }} "
                "{{ if eq .Status.Phase `Failed` }}because {{ .Status.Error }}{{ else }}fine{{ end }}")
        after = {"httpPost": {"port": str(application.port), "body": body}}
        report = succeeds(server, agent, work(repository, data, retryLeft=2, hooks={
            "before": before, "after": after, "data": {"Target": {"Name": "web"}}}))
        check_equal(outcomes(report), ("Succeeded", "Succeeded"), "outcomes")
        frozen, thawed = [request for request in application.asked if request]
        check(frozen.startswith("GET /freeze?hard=1 HTTP/1.1\r\n") and "\r\nX-Key: a b\r\n" in frozen, frozen)
        check(f"\r\nHost: localhost:{application.port}\r\n" in frozen, frozen)
        check(thawed.startswith("POST / HTTP/1.1\r\n") and "\r\nContent-Type: application/json\r\n" in thawed, thawed)
        check_equal(thawed.partition("\r\n\r\n")[2], "deploy-web-1 shop Succeeded web 2 fine", "body")
        check(not kept[0] and kept[-1] >= 1, f"before and after the work: {kept}")
        stages = [message["stage"] for path, message, _ in server.asked if path == "/v1/progress"]
        check_equal(stages[0], "Initialize", "the first sign")


@test("-")
def a_hook_that_fails_keeps_the_work_from_being_done():
    data = fill(temporary_folder())
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        with Application() as application:
            for policy, after in (("Always", "Succeeded"), ("OnFailure", "Succeeded"), ("OnSuccess", "SkippedByPolicy"),
                                  ("OnFinalRetryFailure", "Succeeded")):
                repository = temporary_folder()
                report = fails(server, agent, work(repository, data, hooks={
                    "before": refused(), "after": application.get(), "afterPolicy": policy}),
                    "HookFailed", "nothing was done", "tcpSocket", "Connection refused")
                check_equal((outcomes(report), os.listdir(repository)), (("Failed", after), []), policy)
            report = fails(server, agent, work(temporary_folder(), data, retryLeft=1, hooks={
                "before": refused(), "after": application.get(), "afterPolicy": "OnFinalRetryFailure"}), "HookFailed")
            check_equal(outcomes(report), ("Failed", "SkippedByPolicy"), "not the last try")
            check_equal(len(application.asked), 3, "calls")


@test("-")
def a_hook_that_fails_afterwards_fails_the_session():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        report = fails(server, agent, work(repository, data, hooks={"after": refused(), "afterPolicy": "OnSuccess"}),
                       "HookFailed", "the work is done and kept")
        check_equal((outcomes(report), len(report["snapshots"]), len(snapshots(repository))),
                    (("NotAsked", "Failed"), 1, 1), "the snapshot is kept and told")
        report = fails(server, agent, work(repository, "/nonexistent/path", hooks={"after": refused()}),
                       "PathMissing", "The hook after it failed as well", "Connection refused")
        check_equal(outcomes(report), ("NotAsked", "Failed"), "both failed")
        report = fails(server, agent, work(repository, "/nonexistent/path", hooks={
            "after": refused(), "afterPolicy": "OnSuccess"}), "PathMissing")
        check_equal(outcomes(report), ("NotAsked", "SkippedByPolicy"), "only after a success")
        report = succeeds(server, agent, work(repository, data, hooks={"after": refused(), "afterPolicy": "OnFailure"}))
        check_equal(outcomes(report), ("NotAsked", "SkippedByPolicy"), "only after a failure")


@test("SC2")
def answers_are_judged_as_probes_judge_them():
    data, repository = fill(temporary_folder()), temporary_folder()

    def huge(_):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
        while True:
            yield b"x" * 65536

    def long_head(_):
        yield b"HTTP/1.1 200 OK\r\nX: "
        while True:
            yield b"x" * 65536
    elsewhere = Application()
    rows = [
        (lambda _: status(204), None), (lambda _: status(399), None), (huge, None),
        (lambda _: status(302, f"Location: http://127.0.0.1:{elsewhere.port}/"), None),
        (lambda request: status(302, "Location: /b") if "GET /a" in request else status(200), None),
        (lambda request: status(302, "Location: /b") if "GET /a" in request else status(500), "answers 500"),
        (lambda _: status(307, "Location: /a"), "more than 10 times"),
        (lambda _: status(400), "answers 400"), (lambda _: status(500), "answers 500"),
        (lambda _: status(199), "too early"),
        (lambda _: b"", "too early"), (lambda _: b"hello\r\n\r\n", "no HTTP"), (long_head, "head is too long"),
    ]
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent, elsewhere:
        for answer, words in rows:
            with Application(answer) as application:
                given = work(repository, data, hooks={"before": application.get(path="/a")})
                if words:
                    fails(server, agent, given, "HookFailed", "httpGet", words)
                else:
                    check_equal(outcomes(succeeds(server, agent, given)), ("Succeeded", "NotAsked"), "outcomes")
        check_equal(elsewhere.asked, [], "another server is not asked")


@test("-")
def tls_takes_what_an_application_shows_but_is_tls():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        with Application(tls=True) as application, Application() as plain:
            report = succeeds(server, agent, work(repository, data, hooks={
                "before": application.get(scheme="HTTPS"), "after": application.get(scheme="https", host="127.0.0.1")}))
            check_equal(outcomes(report), ("Succeeded", "Succeeded"), "outcomes")
            fails(server, agent, work(repository, data, hooks={"before": plain.get(scheme="HTTPS")}), "HookFailed")
            fails(server, agent, work(repository, data, hooks={"before": application.get()}), "HookFailed")


@test("-")
def what_can_not_be_asked_is_said():
    data, repository = temporary_folder(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        for handler, words in (({"httpGet": {"port": "web"}}, 'no port named "web"'),
                               ({"httpGet": {"port": 80, "host": "no.such.name.invalid"}}, "no.such.name.invalid"),
                               ({"httpPost": {"port": 80, "body": "{{ env `HOME` }}"}}, "template"),
                               ({"exec": {"command": ["true"]}}, "the controller runs no commands")):
            report = fails(server, agent, work(repository, data, hooks={"before": handler}), "HookFailed", words)
            check_equal((outcomes(report), os.listdir(repository)), (("Failed", "NotAsked"), []), words)


@test("SC2")
def a_slow_hook_ends_with_the_session():
    data, repository = temporary_folder(), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        with Application(lambda _: None) as application, Application() as quick:
            given = work(repository, data, deadlineSeconds=2,
                         hooks={"before": application.get(), "after": quick.get()})
            report = fails(server, agent, given, "HookFailed", "no answer in time")
            check_equal((outcomes(report), os.listdir(repository)), (("Failed", "Succeeded"), []), "deadline")
            server.once["/v1/progress"] = [{"continue": True}, {"continue": True},
                                           {"continue": False, "reason": "the session was deleted"}]
            given = work(repository, data, hooks={"before": application.get(), "after": quick.get()})
            report = fails(server, agent, given, "Cancelled", "the session was deleted")
            check_equal((outcomes(report), os.listdir(repository)), (("Failed", "Succeeded"), []), "cancelled")
            stages = [message["stage"] for path, message, _ in server.asked if path == "/v1/progress"]
            check("HookBefore" in stages, stages)


@test("-")
def a_pod_that_ends_waits_for_no_hook():
    with api() as server, Application(lambda _: None) as application:
        with Agent("sidecar", addresses=[server.address]) as agent:
            server.work.put(work(temporary_folder(), temporary_folder(), hooks={
                "before": application.get(), "after": application.get()}))
            eventually(lambda: application.asked, "the hook is under way")
            agent.ends(0, number=15)
        check_equal(len(application.asked), 1, "calls")


@test("-")
def hooks_of_a_restore():
    data, repository = fill(temporary_folder()), temporary_folder()
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
    given = restore(repository, {"paths": [data]}, hooks={"before": refused()})
    words = ["--session=s", "--session-namespace=n", f"--session-uid={given['session']['uid']}",
             "--mountinfo=/dev/null"]
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent, Application() as application:
        report = do(server, agent, given)
        check_equal((report["outcome"], outcomes(report), "snapshots" in report),
                    ("Failed", ("Failed", "NotAsked"), False), "nothing is restored")
        given["hooks"] = {"before": application.get(path="/1"), "after": application.get(path="/2")}
        check_equal(outcomes(succeeds(server, agent, given)), ("Succeeded", "Succeeded"), "outcomes")
        check_equal([request.split()[1] for request in application.asked], ["/1", "/2"], "paths")
        server.work.put({"pass": True})
        agent.ends(0)


@test("SC3")
def the_controller_runs_commands():
    data, repository = temporary_folder(), temporary_folder()
    running, done = {"continue": True, "exec": "Running"}, {"continue": True, "exec": "Succeeded"}
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent, Application() as application:
        def given():
            return work(repository, data, hooks={"before": {"exec": {"command": ["sync"]}, **application.get()}})

        def answers(*told):
            server.once["/v1/progress"] = [{"continue": True}, *told]

        def execs():
            asked = [message for path, message, _ in server.asked if path == "/v1/progress" and "exec" in message]
            return [(message["stage"], message["exec"]["phase"]) for message in asked]
        answers(running, Refuse(503), running, done)
        check_equal(outcomes(succeeds(server, agent, given())), ("Succeeded", "NotAsked"), "outcomes")
        check_equal((execs(), len(application.asked)), ([("HookBefore", "Running")] * 4, 1), "a question each")
        failed = {"continue": True, "exec": "Failed", "execMessage": "exit status 7"}
        answers(failed)
        fails(server, agent, given(), "HookFailed", "nothing was done", "exec: exit status 7")
        answers(running, {"continue": False, "reason": "the session was deleted", "exec": "Running"}, )
        fails(server, agent, given(), "Cancelled", "the session was deleted")
        answers(Refuse(409))
        before = sum("work failed" in line for line in agent.lines)
        server.work.put(given())
        eventually(lambda: sum("work failed" in line for line in agent.lines) > before, "it ends without a report")
        check_equal(len(application.asked), 1, "what follows a command that failed is not asked")

        # afterwards the end of the session ends no command
        server.once["/v1/progress"] = []
        server.answers["/v1/progress"] = lambda message: (
            {"continue": False, "reason": "over", "exec": "Succeeded"} if "exec" in message else
            {"continue": message["stage"] != "Work"})
        last = work(repository, data, hooks={"after": {"exec": {"command": ["thaw"]}}})
        report = fails(server, agent, last, "Cancelled")
        check_equal((outcomes(report), execs()[-1]), (("NotAsked", "Succeeded"), ("HookAfter", "Failed")), "thawed")
