"""A webhook that only records which requests reach it, or patches them as it is told; HTTPS on loopback."""

import base64
import http.server
import json
import shutil
import ssl
import tempfile
import threading

from granary import self_signed


class Recorder:
    """Use as a context. `patch` maps the path that was asked to a function from the object to JSON Patch."""

    def __init__(self, patch=None):
        self.calls, self.patch, self.lock = [], patch or {}, threading.Lock()

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="granary-recorder-")
        cert, key, self.bundle = self_signed(self.folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps(recorder.answer(self.path.split("?")[0].strip("/"), review)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder)

    def answer(self, path, review):
        request = review["request"]
        with self.lock:
            self.calls.append((path, request["namespace"] if "namespace" in request else None, request["operation"],
                               request["kind"]["kind"]))
        response = {"uid": request["uid"], "allowed": True}
        patch = self.patch[path](request["object"]) if path in self.patch else None
        if patch:
            response |= {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}
        return {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}

    def taken(self):
        """The paths asked since the last call of this."""
        with self.lock:
            calls, self.calls = self.calls, []
        return [call[0] for call in calls]

    def client(self, path):
        """clientConfig of a webhook configuration."""
        return {"url": f"{self.url}/{path}", "caBundle": self.bundle}
