"""A database by one annotation of its AppBinding, with all of us installed: a real PostgreSQL that the pods reach, its dump through
a pipe into the repository, destroyed data, a restore."""

import json
import os
import pwd
import shutil
import subprocess
import tempfile

import node
from harness import check, check_equal, eventually, test
from installed import ANNOTATION
from test_certificates import installed
from test_life import OURS, back_up, ended, protectable, ready_configuration

POSTGRES, PORT = "/usr/lib/postgresql/15/bin", 45432
PASSWORD = "data-base-pass-44b1"
TABLES = ("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', "
          "'information_schema') ORDER BY 1")


class Postgres:
    """One server of this machine, in the cluster's network, not as root. Use as context."""

    def __init__(self):
        self.user = pwd.getpwnam("nobody")
        self.folder = tempfile.mkdtemp(prefix="granary-postgres-")
        os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = f"{self.folder}/data"
        self.environment = {"PATH": "/usr/bin", "HOME": self.folder}

    def _as_user(self):
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": [], "env": self.environment,
                "stdin": subprocess.DEVNULL}

    def __enter__(self):
        with open(f"{self.folder}/word", "w", encoding="ascii") as file:
            file.write(PASSWORD)
        os.chmod(f"{self.folder}/word", 0o644)
        subprocess.run([f"{POSTGRES}/initdb", "--pgdata", self.data, "--username=admin", f"--pwfile={self.folder}/word",
                        "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"], check=True,
                       capture_output=True, **self._as_user())
        with open(f"{self.data}/pg_hba.conf", "w", encoding="ascii") as file:
            file.write("host all all 0.0.0.0/0 scram-sha-256\n")
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(
                [f"{POSTGRES}/postgres", "-D", self.data, "-c", f"listen_addresses={node.NODE_ADDRESS}", "-c", f"port={PORT}",
                 "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off"], stdout=log, stderr=log, **self._as_user())
        eventually(lambda: self.ask("SELECT 1"), "the database answers")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def ask(self, *statements, database="postgres"):
        words = [f"{POSTGRES}/psql", "-XqAtw", "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            words += ["-c", statement]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
                              env={**self.environment, "PGHOST": node.NODE_ADDRESS, "PGPORT": str(PORT), "PGUSER": "admin",
                                   "PGPASSWORD": PASSWORD, "PGDATABASE": database})
        check(done.returncode == 0, done.stderr)
        return done.stdout

    def picture(self):
        """A checksum of all rows by table."""
        return {table: self.ask(f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t",
                                database="shop") for table in self.ask(TABLES, database="shop").split()}


def app_binding(space):
    return {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
            "metadata": {"name": "orders", "namespace": space, "annotations": {ANNOTATION: space}}, "spec": {
                "type": "kubedb.com/postgres", "version": "15.4", "secret": {"name": "orders-auth"},
                "clientConfig": {"url": f"postgresql://{node.NODE_ADDRESS}:{PORT}"}}}


def restored(cluster, space, repository, name, **params):
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "RestoreSession", "metadata": {"name": name}, "spec": {
        "repository": {"name": repository},
        # whose the repository on the claim is
        "runtimeSettings": {"container": {"securityContext": {"runAsUser": 0, "runAsGroup": 0}}},
        "task": {"name": "postgres-restore-15.1", "params": [{"name": key, "value": value} for key, value in params.items()]},
        "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "orders"},
                   "rules": [{"snapshots": ["latest"]}]}}}, space)
    return ended(cluster, "restoresessions", space, name)


@test("DB3", alone=True)
def a_postgresql_comes_back(cluster):
    installed(cluster)
    with Postgres() as postgres, protectable(
            cluster, task={"name": "postgres-backup-${TARGET_APP_VERSION}"}, fileAccess="Root") as space:
        postgres.ask("CREATE ROLE app LOGIN", "CREATE DATABASE shop OWNER app")
        postgres.ask("CREATE TABLE goods AS SELECT g AS id, md5(g::text) AS name FROM generate_series(1, 20000) g",
                     "CREATE TABLE orders (id int, note text)", "INSERT INTO orders SELECT 1, E'a\\nb\\\\'", database="shop")
        before = postgres.picture()
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "orders-auth"},
                       "stringData": {"username": "admin", "password": PASSWORD}}, space)
        cluster.apply(app_binding(space), space)

        configuration = ready_configuration(cluster, space)
        repository = configuration["spec"]["repository"]["name"]
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        (stat,) = session["status"]["targets"][0]["stats"]
        facts = stat["database"]
        check_equal([facts[key] for key in ("kind", "databases", "tables", "rows")], ["postgres", 2, 2, 20001], "facts")
        check_equal([one["path"] for one in stat["snapshots"]], ["/dumpfile.sql"], "snapshot")
        check(PASSWORD not in json.dumps(cluster.list("jobs", space)), "the password is in a Job")

        refused = restored(cluster, space, repository, "refused")
        check_equal(refused["status"]["phase"], "Failed", "of a restore over what is there")
        check("overwrite" in json.dumps(refused["status"]), f"{refused['status']}")
        postgres.ask("DROP DATABASE shop WITH (FORCE)", "DROP ROLE app")
        back = restored(cluster, space, repository, "into-nothing")
        check_equal(back["status"]["phase"], "Succeeded", f"of {back['status']}")
        check_equal(postgres.picture(), before, "what came back")
        return f"{facts}"
