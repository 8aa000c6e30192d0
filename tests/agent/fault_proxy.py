"""A storage whose network and whose other side misbehave: an HTTP proxy on loopback before a real one."""

import http.client
import http.server
import re
import socket
import struct
import threading
import time

ERROR = ('<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>as the test says</Message>'
         "<RequestId>1</RequestId></Error>")
HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}
SKEW_S = 3600


class Fault:
    """What is done to requests: `many` of a hundred (of those with this method, or of all), from the `first` one on,
    by chance of its own; `name` is one of those below."""

    def __init__(self, name, chance=None, many=100, first=0, method=None, **more):
        self.name, self.chance, self.many, self.first, self.method, self.more = name, chance, many, first, method, more
        self.seen, self.done = 0, 0

    def hits(self, method):
        if self.method not in (None, method):
            return False
        self.seen += 1
        if self.seen <= self.first or (self.many < 100 and self.chance.randrange(100) >= self.many):
            return False
        self.done += 1
        return True


class FaultProxy:
    """Use as context. `fault` holds for all requests that come from now on."""

    def __init__(self, port):
        self.behind, self.fault, self.requests, self.bytes = port, None, 0, 0
        self.lock, self.released = threading.Lock(), threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = 1 << 16
            disable_nagle_algorithm = True

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            setattr(Handler, f"do_{method}", lambda handler: outer.serve(handler))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def set(self, fault):
        """Those who hang in a hole come out of it, to a connection that is cut."""
        with self.lock:
            self.fault = fault
        self.released.set()
        self.released = threading.Event()

    def serve(self, handler):
        with self.lock:
            self.requests += 1
            fault = self.fault if self.fault and self.fault.hits(handler.command) else None
            released = self.released
        if fault and fault.name == "cut":  # in the middle of what is sent to us
            return self.cut(handler, fault)
        body = read_body(handler)
        with self.lock:
            self.bytes += len(body or b"")
        if fault and fault.name == "status":
            return answer(handler, fault.more["code"], [("Content-Type", "application/xml")],
                          ERROR.format(fault.more["word"], MESSAGES[fault.more["word"]]).encode())
        if fault and fault.name == "hole":
            released.wait(120)
            return reset(handler)
        if fault and fault.name == "slow":
            time.sleep(fault.more["seconds"])
        headers = [pair for pair in handler.headers.items() if pair[0].lower() not in HOP_BY_HOP]
        if fault and fault.name == "skew":
            headers = skewed(headers)
        status, headers, content = self.forward(handler.command, handler.path, headers, body)
        if fault and fault.name == "lost":  # it was done, and nobody is told
            return reset(handler)
        if fault and fault.name == "half":
            return answer(handler, status, headers, content, len(content) // 2)
        return answer(handler, status, headers, content)

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=120)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            got = connection.getresponse()
            return got.status, got.getheaders(), got.read()
        finally:
            connection.close()

    @staticmethod
    def cut(handler, fault):
        length = int(handler.headers.get("Content-Length") or 0)
        handler.rfile.read(length * fault.more["percent"] // 100)
        reset(handler)


def read_body(handler):
    if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
        pieces = []
        while size := int(handler.rfile.readline().split(b";")[0], 16):
            pieces.append(handler.rfile.read(size))
            handler.rfile.readline()
        while handler.rfile.readline().strip():
            pass
        return b"".join(pieces)
    length = handler.headers.get("Content-Length")
    return handler.rfile.read(int(length)) if length else None


def answer(handler, status, headers, content, cut_at=None):
    handler.send_response_only(status)
    for name, value in headers:
        if name.lower() not in HOP_BY_HOP | {"content-length"}:
            handler.send_header(name, value)
    length = next((value for name, value in headers if name.lower() == "content-length"), None)
    handler.send_header("Content-Length", length if handler.command == "HEAD" and length else str(len(content)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(content[:cut_at])
    handler.wfile.flush()
    if cut_at is not None:
        reset(handler)


def reset(handler):
    """RST instead of FIN: what was sent may be lost on the way."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def skewed(headers):
    """As from a node whose clock is wrong. A storage looks at the time before it looks at the signature."""
    late = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - SKEW_S))
    return [(name, late if name.lower() == "x-amz-date" else
             re.sub(r"/\d{8}/", f"/{late[:8]}/", value, count=1) if name.lower() == "authorization" else value)
            for name, value in headers]
