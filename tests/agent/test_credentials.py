"""Credentials: agents that may only append beside maintenance that may delete, and keys that were changed."""

import base64
import http.client
import http.server
import threading

from harness import check, check_equal, temporary_folder, test
from running import (CLUSTER, Agent, api, fails, fill as fill_data, rest_server, restic, s3_server, snapshots, succeeds, uid,
                     work, PASSWORD)
from test_maintain import LOOK, STALE, forget, left, maintain, secret_of

TARGET = "target:apps/Deployment/shop/web"


class Gate(http.server.ThreadingHTTPServer):
    """One address for two rest-servers, which know one folder: who is called `agent` reaches the one that only appends."""

    daemon_threads = True

    def __init__(self, ports):
        super().__init__(("127.0.0.1", 0), Through)
        self.ports, self.refused = ports, []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Through(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one(self):
        word = self.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(word).decode().partition(":")
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        if user not in self.server.ports or password != f"word-of-{user}":
            return self.answer(401, {}, b"")
        there = http.client.HTTPConnection("127.0.0.1", self.server.ports[user], timeout=60)
        kept = {name: value for name, value in self.headers.items()
                if name.lower() in ("accept", "content-type", "range")}
        there.request(self.command, self.path, body, {**kept, "Content-Length": str(len(body))})
        said = there.getresponse()
        if said.status == 403:
            self.server.refused.append((user, self.command))
        heads = {name: said.headers[name] for name in ("Content-Type", "Content-Range") if said.headers[name]}
        if self.command == "HEAD" and said.headers["Content-Length"]:
            heads["Content-Length"] = said.headers["Content-Length"]
        self.answer(said.status, heads, said.read())
        there.close()

    do_GET = do_HEAD = do_POST = do_DELETE = handle_one

    def answer(self, status, heads, body):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **heads}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@test("RS12")
def agents_append_and_maintenance_removes():
    """One repository, two Secrets: agentSecretName for agents, storageSecretName for maintenance."""
    folder, data = temporary_folder(), fill_data(temporary_folder())
    with rest_server("--append-only", "--path", folder) as narrow, rest_server("--path", folder) as whole, \
            Gate({"agent": narrow.port, "keeper": whole.port}) as gate:
        url = f"http://127.0.0.1:{gate.server_port}/shop/web"
        backend = {"storageSecretName": "s", "rest": {"url": url}}
        theirs = {user: {"RESTIC_REST_USERNAME": user, "RESTIC_REST_PASSWORD": f"word-of-{user}"} for user in gate.ports}
        secrets = {user: secret_of(REST_SERVER_USERNAME=user, REST_SERVER_PASSWORD=f"word-of-{user}") for user in gate.ports}
        variables = [{"name": name, "value": value}
                     for name, value in {"RESTIC_PASSWORD": PASSWORD, **theirs["agent"]}.items()]
        with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
            for _ in range(2):
                succeeds(server, agent, work(f"rest:{url}", data, environment=variables,
                                             session={"namespace": "shop", "name": "web-1", "uid": uid()},
                                             backup={"paths": [data], "tags": [TARGET]}))
        check_equal(len(snapshots(f"rest:{url}", theirs["agent"])), 2, "snapshots that the agent took")
        run = [STALE, forget(TARGET, "--keep-last=1"), *LOOK]
        said = maintain("forget", backend, secrets["agent"], *run, words=[f"--cluster={CLUSTER}"], code=1)
        check_equal(said["reason"], "NotRemoved", "with the credentials of agents")
        check(("agent", "DELETE") in gate.refused, f"what was refused: {gate.refused}")
        check_equal(len(left(f"rest:{url}", theirs["agent"])), 3, "snapshots and the mark")
        gate.refused.clear()
        said = maintain("forget", backend, secrets["keeper"], *run, words=[f"--cluster={CLUSTER}"])
        check_equal((said["removed"], said["snapshots"]), (1, 1), f"with those of maintenance: {said}")
        maintain("prune", backend, secrets["keeper"], STALE, ["prune"], *LOOK)
        check_equal(gate.refused, [], "what was refused to maintenance")
        check(restic(f"rest:{url}", "check", environment=theirs["keeper"]).returncode == 0, "check")


@test("RS7")
def a_changed_storage_key_counts_from_the_next_piece_of_work_on():
    data = fill_data(temporary_folder())
    with s3_server() as storage, api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        url = f"s3:http://127.0.0.1:{storage.port}/backups/web"

        def given(secret):
            variables = {"RESTIC_PASSWORD": PASSWORD, "AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": secret,
                         "AWS_DEFAULT_REGION": "us-east-1"}
            return work(url, data, environment=[{"name": name, "value": value} for name, value in variables.items()])

        succeeds(server, agent, given("key-secret-77aa"))
        fails(server, agent, given("key-secret-0000"), "AccessDenied")
        succeeds(server, agent, given("key-secret-77aa"))
