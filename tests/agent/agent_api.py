"""A controller as agents see it: the agent API over real TLS, that does what a test says."""

import http.server
import json
import queue
import select
import ssl
import threading
import time

REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Gone",
           422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}


class Refuse(Exception):
    """Answers with this code; `after` is retryAfterSeconds."""

    def __init__(self, code, message="as the test says", after=None):
        super().__init__(message)
        self.code, self.message, self.after = code, message, after

    def status(self):
        status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": self.code,
                  "reason": REASONS[self.code], "message": self.message}
        if self.after is not None:
            status["details"] = {"retryAfterSeconds": self.after}
        return status


class Stream:
    """What a command writes: pieces of bytes, after the last of which the connection ends."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def send(self, handler):
        handler.close_connection = True
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        for piece in self.pieces:
            handler.wfile.write(piece() if callable(piece) else piece)
            handler.wfile.flush()


class AgentApi:
    """Use as context. `work` is handed out to claims, one each; an answer is a dict, a Refuse, or a function of the
    request that returns or raises one. What was asked is in `asked`: (path, message, token)."""

    def __init__(self, cert, key, port=0):
        self.work, self.asked = queue.Queue(), []
        self.answers = {"/v1/progress": {"continue": True}, "/v1/report": {"recorded": True},
                        "/v1/trigger": {"session": {"namespace": "n", "name": "s",
                                                    "uid": "5f0d8a3e-6b0f-4f0e-9a55-0b6f7a1c2d3e"}, "created": True}}
        self.once = {}  # lists by path: taken first, one each
        self.ending = False
        self.changed = threading.Condition()
        self.connections = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def setup(self):
                self.request.settimeout(30)
                self.request.do_handshake()
                outer.connections += 1
                super().setup()

            def do_POST(self):
                outer.serve(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # agents are killed, and refuse certificates
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ending = True
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def serve(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        message = json.loads(body)
        with self.changed:
            self.asked.append((handler.path, message, handler.headers["Authorization"]))
            self.changed.notify_all()
        try:
            answer, code = self.answer(handler.path, message, handler.connection), 200
        except Refuse as refusal:
            answer, code = refusal.status(), refusal.code
        if isinstance(answer, Stream) and not self.ending:
            answer.send(handler)
            return
        if answer is None or self.ending:  # as if the machine had gone
            handler.close_connection = True
            return
        data = json.dumps(answer).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def answer(self, path, message, connection):
        if self.once.get(path):
            answer = self.once[path].pop(0)
        elif path == "/v1/claim":
            return self.claim(message, connection)
        else:
            answer = self.answers[path]
        if callable(answer):
            answer = answer(message)
        if isinstance(answer, Refuse):
            raise answer
        return answer

    def claim(self, message, connection):
        """Work, when there is some in time. An agent that waits says nothing: when there is something to read, it has
        gone, and gets no work that is meant for the next one."""
        end = time.monotonic() + message.get("waitSeconds", 0)
        while not self.ending and time.monotonic() < end:
            try:
                given = self.work.get(timeout=0.05)
            except queue.Empty:
                given = None
            if select.select([connection], [], [], 0)[0]:
                if given is not None:
                    self.work.put(given)
                return None
            if given is not None:
                return given if "pass" in given else {"work": given}
        return {}

    def wait(self, path, count=1, seconds=90):
        """The messages of a path, once there are so many."""
        def have():
            return [message for asked, message, _ in self.asked if asked == path]
        with self.changed:
            if not self.changed.wait_for(lambda: len(have()) >= count, seconds):
                raise AssertionError(f"{len(have())} of {count} requests of {path} in {seconds} s")
            return have()
