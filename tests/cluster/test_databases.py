"""Databases by one annotation of their AppBinding, with all of us installed: real servers that the pods reach, their dumps through
a pipe into the repository while rows are written, destroyed data, a restore."""

import collections
import json
import os
import pwd
import shutil
import subprocess
import tempfile
import threading

import node
from harness import check, check_equal, eventually, test
from installed import ANNOTATION
from test_certificates import installed
from test_life import OURS, back_up, begin_session, ended, protectable

PASSWORD, WRONG = "data-base-pass-44b1", "wrong-pass-77d0"

# What a kind is, beside its name: its Task's version, that of the server, what it says to a wrong password, its own database;
# what fills the database shop, what destroys it; what tells all rows of a table, or an account.
Kind = collections.namedtuple("Kind", "name version server refusal database port fill destroy tables")

POSTGRES = Kind(
    "postgres", "15.1", "15.4", "authentication failed", "postgres", 45432,
    [("CREATE ROLE app LOGIN", "postgres"), ("CREATE DATABASE shop OWNER app", "postgres"),
     ("CREATE TABLE goods AS SELECT g AS id, md5(g::text) AS name FROM generate_series(1, 20000) g", "shop"),
     ("CREATE TABLE notes (id int, note text)", "shop"), ("INSERT INTO notes SELECT 1, E'a\\nb\\\\'", "shop")],
    ["DROP DATABASE shop WITH (FORCE)", "DROP ROLE app"],
    {"goods": "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM goods t",
     "notes": "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM notes t",
     "app": "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'app'"})
MARIADB = Kind(
    "mariadb", "10.5.8", "10.11.6", "Access denied", "mysql", 45306,
    [("CREATE DATABASE shop", "mysql"), ("CREATE USER app@'%' IDENTIFIED BY 'app-word'", "mysql"),
     ("GRANT SELECT ON shop.* TO app@'%'", "mysql"),
     ("CREATE TABLE goods AS SELECT seq AS id, md5(seq) AS name FROM seq_1_to_20000", "shop"),
     ("CREATE TABLE notes (id int, note text)", "shop"), ("INSERT INTO notes VALUES (1, 'a\\nb\\\\')", "shop")],
    ["DROP DATABASE shop", "DROP USER app@'%'"],
    {"goods": "CHECKSUM TABLE goods", "notes": "CHECKSUM TABLE notes", "app": "SHOW GRANTS FOR app@'%'"})


class Server:
    """One server of this machine, in the cluster's network, not as root. Use as context."""

    def __init__(self, kind):
        self.kind, self.user = kind, pwd.getpwnam("nobody")
        self.folder = tempfile.mkdtemp(prefix=f"granary-{kind.name}-")
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = f"{self.folder}/data"
        self.environment = {"PATH": "/usr/bin:/usr/sbin", "HOME": self.folder, "TMPDIR": self.folder}

    def _as_user(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": [], "env": self.environment,
                "stdin": subprocess.DEVNULL}

    def _text(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(f"{self.folder}/{name}", 0o644)
        return f"{self.folder}/{name}"

    def _make(self, *words):
        done = subprocess.run(words, check=False, capture_output=True, text=True, **self._as_user())
        check(done.returncode == 0, done.stderr)

    def __enter__(self):
        words = self.made()
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, **self._as_user())
        try:
            eventually(lambda: self.ask("SELECT 1"), "the database answers")
        except AssertionError as why:
            self.__exit__(type(why))
            raise
        return self

    def __exit__(self, kind, *_):
        self.process.kill()
        self.process.wait()
        if kind:
            with open(f"{self.folder}/log", encoding="utf-8", errors="replace") as log:
                print(log.read()[-3000:], flush=True)
        shutil.rmtree(self.folder)

    def ask(self, statement, database=None):
        words, environment = self.asked(statement, database or self.kind.database)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
                              env={**self.environment, **environment})
        check(done.returncode == 0, done.stderr)
        return done.stdout

    def picture(self):
        """A checksum of all rows by table; and an account."""
        return {table: self.ask(question, "shop") for table, question in self.kind.tables.items()}


class Postgres(Server):
    TOOLS = "/usr/lib/postgresql/15/bin"

    def made(self):
        word = self._text("word", PASSWORD)
        self._make(f"{self.TOOLS}/initdb", "--pgdata", self.data, "--username=admin", f"--pwfile={word}",
                   "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        with open(f"{self.data}/pg_hba.conf", "w", encoding="ascii") as file:
            file.write("host all all 0.0.0.0/0 scram-sha-256\n")
        return [f"{self.TOOLS}/postgres", "-D", self.data, "-c", f"listen_addresses={node.NODE_ADDRESS}",
                "-c", f"port={self.kind.port}", "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"]

    def asked(self, statement, database):
        return ([f"{self.TOOLS}/psql", "-XqAtw", "-v", "ON_ERROR_STOP=1", "-c", statement],
                {"PGHOST": node.NODE_ADDRESS, "PGPORT": str(self.kind.port), "PGUSER": "admin", "PGPASSWORD": PASSWORD,
                 "PGDATABASE": database})


class MariaDB(Server):
    def made(self):
        self._make("/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                   "--skip-name-resolve")
        init = self._text("init", f"CREATE USER admin@'%' IDENTIFIED BY '{PASSWORD}';\n"
                                  "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n")
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.folder}/socket",
                f"--port={self.kind.port}", f"--bind-address={node.NODE_ADDRESS}", f"--pid-file={self.folder}/pid",
                "--skip-name-resolve", f"--init-file={init}", "--innodb-buffer-pool-size=16M",
                "--innodb-flush-log-at-trx-commit=0"]

    def asked(self, statement, database):
        return (["/usr/bin/mariadb", "--no-defaults", "--batch", "--skip-column-names", f"--port={self.kind.port}",
                 f"--host={node.NODE_ADDRESS}", "--protocol=tcp", "--user=admin", f"--execute={statement}", database],
                {"MYSQL_PWD": PASSWORD})


class Writing:
    """Transactions, one after another, each of which changes two tables. Use as context."""

    def __init__(self, server):
        self.server, self.stop, self.error = server, threading.Event(), None
        self.thread = threading.Thread(target=self._write)

    def _write(self):
        try:
            while not self.stop.is_set():
                self.server.ask("BEGIN; UPDATE counted SET a = a + 1; INSERT INTO written SELECT a FROM counted; COMMIT", "shop")
        except AssertionError as why:
            self.error = why

    def count(self):
        return int(self.server.ask("SELECT a FROM counted", "shop"))

    def goes_on(self):
        before = self.count()
        eventually(lambda: self.count() > before, "rows are written")

    def __enter__(self):
        for statement in ("CREATE TABLE counted (a int)", "CREATE TABLE written (a int)", "INSERT INTO counted VALUES (0)"):
            self.server.ask(statement, "shop")
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        self.thread.join()
        if not kind and self.error:
            raise self.error


def app_binding(kind, space, name, secret):
    return {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
            "metadata": {"name": name, "namespace": space, "annotations": {ANNOTATION: space}}, "spec": {
                "type": f"kubedb.com/{kind.name}", "version": kind.server, "secret": {"name": secret},
                "clientConfig": {"url": f"{kind.name}://{node.NODE_ADDRESS}:{kind.port}"}}}


def bind(cluster, kind, space):
    """Two AppBindings, one with a wrong password; returns their configurations."""
    for secret, password in (("good", PASSWORD), ("bad", WRONG)):
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret},
                       "stringData": {"username": "admin", "password": password}}, space)
    for name, secret in (("orders", "good"), ("closed", "bad")):
        cluster.apply(app_binding(kind, space, name, secret), space)

    def ready():
        found = {it["spec"]["target"]["ref"]["name"]: it for it in cluster.list("backupconfigurations", space)
                 if it.get("status", {}).get("phase") == "Ready"}
        return len(found) == 2 and found
    return eventually(ready, "both have a BackupConfiguration")


def restored(cluster, kind, space, repository, name, **params):
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "RestoreSession", "metadata": {"name": name}, "spec": {
        "repository": {"name": repository},
        # whose the repository on the claim is
        "runtimeSettings": {"container": {"securityContext": {"runAsUser": 0, "runAsGroup": 0}}},
        "task": {"name": f"{kind.name}-restore-{kind.version}",
                 "params": [{"name": key, "value": value} for key, value in params.items()]},
        "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "orders"},
                   "rules": [{"snapshots": ["latest"]}]}}}, space)
    return ended(cluster, "restoresessions", space, name)


def backed_up(cluster, kind, space, configurations):
    """Facts of a session that succeeded; beside it one with a wrong password has failed and said why."""
    begin_session(cluster, space, configurations["closed"]["metadata"]["name"], "closed")
    session = back_up(cluster, space, configurations["orders"]["metadata"]["name"], "by-hand")
    (stat,) = session["status"]["targets"][0]["stats"]
    check_equal([one["path"] for one in stat["snapshots"]], ["/dumpfile.sql"], "snapshot")
    failed = ended(cluster, "backupsessions", space, "closed")["status"]
    check_equal(failed["phase"], "Failed", "with a wrong password")
    check("DatabaseRefused" in json.dumps(failed) and kind.refusal in json.dumps(failed), f"{failed}")
    for resource in ("jobs", "backupsessions", "events"):
        told = json.dumps(cluster.list(resource, space))
        check(PASSWORD not in told and WRONG not in told, f"a password in {resource}")
    return stat["database"]


def comes_back(cluster, server, refused=()):
    kind = server.kind
    task = {"name": f"{kind.name}-backup-${{TARGET_APP_VERSION}}"}
    with server, protectable(cluster, task=task, fileAccess="Root") as space:
        for statement, database in kind.fill:
            server.ask(statement, database)
        before = server.picture()
        configurations = bind(cluster, kind, space)
        repository = configurations["orders"]["spec"]["repository"]["name"]
        with Writing(server) as writing:
            writing.goes_on()
            facts = backed_up(cluster, kind, space, configurations)
            writing.goes_on()
        check_equal([facts[key] for key in ("kind", "tables")], [kind.name, 4], "facts")
        last = writing.count()

        for name in refused:
            status = restored(cluster, kind, space, repository, name)["status"]
            check_equal(status["phase"], "Failed", "of a restore over what is there")
            check("overwrite" in json.dumps(status), f"{status}")
            check_equal(writing.count(), last, "of a restore that was refused")
        for statement in kind.destroy:
            server.ask(statement)
        back = restored(cluster, kind, space, repository, "into-nothing")
        check_equal(back["status"]["phase"], "Succeeded", f"of {back['status']}")
        check_equal(server.picture(), before, "what came back")
        written = server.ask("SELECT COUNT(*) FROM written", "shop").strip()
        check_equal(int(written), writing.count(), "of transactions that both tables have")
        check(0 < writing.count() < last, f"{written} of {last}")
        check_equal(facts["rows"], 20002 + writing.count(), "rows")
        return f"{facts}"


@test("DB3", alone=True)
def a_postgresql_comes_back(cluster):
    installed(cluster)
    return comes_back(cluster, Postgres(POSTGRES), refused=["refused"])


@test("DB4", alone=True)
def a_mariadb_comes_back(cluster):
    installed(cluster)
    return comes_back(cluster, MariaDB(MARIADB))
