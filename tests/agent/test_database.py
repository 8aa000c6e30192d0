"""Dumps of real databases that pass through restic, and come back: what is proven, what is refused."""

import base64
import json
import os
import signal
import subprocess
import threading

import harness
from databases import PASSWORD, POSTGRES, MariaDB, Postgres, step
from harness import check, check_equal, eventually, temporary_folder, test, write
from running import RESTIC, api, fails, restic, restore, snapshots, succeeds, work


def b64(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def fill(postgres):
    """Data that is hard to keep."""
    postgres.psql("CREATE ROLE app LOGIN PASSWORD 'app-word'", 'CREATE ROLE "odd-Role" ROLE app',
                  "CREATE DATABASE shop OWNER app", 'CREATE DATABASE "we""ird db"')
    postgres.psql(
        "CREATE TABLE goods (id int PRIMARY KEY, name text, made timestamptz, raw bytea, price numeric)",
        "INSERT INTO goods SELECT g, E'line\\n\\\\.\\ttab ' || g, now(), decode(md5(g::text), 'hex'), g / 7.0 "
        "FROM generate_series(1, 2000) g",
        "INSERT INTO goods VALUES (0, repeat('long ', 40000), NULL, NULL, 'NaN'), (-1, E'\\\\.', NULL, '', NULL)",
        "CREATE TABLE parts (x int) PARTITION BY RANGE (x)", "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM "
        "(0) TO (100)", "INSERT INTO parts SELECT generate_series(0, 99)", "CREATE SCHEMA other",
        'CREATE TABLE other."T t" (a serial, b jsonb)', "INSERT INTO other.\"T t\" (b) VALUES ('{\"a\": [1, null]}')",
        # what looks like a dump's own lines
        "CREATE FUNCTION lines() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\nCREATE TABLE x (a int);\n"
        "-- PostgreSQL database dump complete\nCOPY x FROM stdin;\nCREATE ROLE admin;\nEND $$",
        "CREATE VIEW cheap AS SELECT * FROM goods WHERE price < 10", "CREATE TABLE pairs (a bigint, b bigint)",
        "INSERT INTO pairs VALUES (0, 0)", "GRANT SELECT ON goods TO \"odd-Role\"", database="shop")
    postgres.psql("CREATE TABLE t (a int)", "INSERT INTO t VALUES (7)", database='we"ird db')


@test("DB1")
def all_databases_come_back():
    repository = temporary_folder()
    with Postgres() as first, api() as server:
        fill(first)
        with step("backup", server, first.app()) as agent:
            report = succeeds(server, agent, work(repository, "/stash-tmp/data"))
            agent.ends(0)
        facts = report["dump"]["database"]
        check_equal((facts["kind"], facts["databases"], facts["tables"], facts["rows"]), ("postgres", 3, 6, 2105), "facts")
        check(facts["serverVersion"].startswith("15.") and "pg_dumpall" in facts["toolVersion"], f"{facts}")
        check(facts["size"] > 300000, f"{facts}")
        (snapshot,) = snapshots(repository)
        check_equal((snapshot["paths"], report["snapshots"][0]["path"], report["snapshots"][0]["totalBytes"]),
                    (["/dumpfile.sql"], "/dumpfile.sql", facts["size"]), "snapshot")
        before = {name: first.picture(name) for name in first.databases()}
    check(len(before["shop"]) == 5, f"{before}")
    with Postgres() as second, api() as server:
        second.psql("ALTER ROLE admin PASSWORD 'another-word'")
        second.password = "another-word"
        secret = {"POSTGRES_USER": "admin", "POSTGRES_PASSWORD": "another-word"}
        given = restore(repository, {"paths": ["/stash-tmp/data"]})
        with step("restore", server, second.app(), secret=secret) as agent:
            report = succeeds(server, agent, given)
            agent.ends(0)
        check("6 tables, 2105 rows" in report["note"], f"{report}")
        check_equal(second.databases(), ["postgres", "shop", 'we"ird db'], "databases")
        check_equal({name: second.picture(name) for name in before}, before, "what came back")
        check_equal(second.psql("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"), "admin\napp\nodd-Role\n",
                    "roles")
        # refused, then wanted
        second.psql("DELETE FROM goods", "CREATE TABLE newer (a int)", database="shop")
        second.psql("CREATE DATABASE own", "CREATE TABLE of_postgres (a int)")
        changed = second.picture("shop")
        with step("restore", server, second.app(), secret=secret) as agent:
            fails(server, agent, restore(repository, {"snapshots": ["latest"]}), "DatabaseNotEmpty", "shop", "overwrite")
            agent.ends(1)
        check_equal(second.picture("shop"), changed, "nothing was changed")
        with step("restore", server, second.app(), "--overwrite=true", secret=secret) as agent:
            succeeds(server, agent, restore(repository, {"snapshots": [snapshot["id"][:10]]}))
        check_equal({name: second.picture(name) for name in before}, before, "what came back")
        check("own" in second.databases(), "a database that the dump does not have stays")


def restic_that(cuts):
    """Gives back a part of a dump, and says that all is well."""
    path = temporary_folder() + "/restic"
    write(path, f"#!/bin/sh\ncase \"$*\" in *' dump '*|dump*) {RESTIC} \"$@\" | {cuts};; *) exec {RESTIC} \"$@\";; esac\n")
    os.chmod(path, 0o755)
    return path


@test("DB1")
def one_database_comes_back_in_one_transaction():
    repository = temporary_folder()
    words = ["--command=pg_dump", "--database=shop"]
    with Postgres() as postgres, api() as server:
        fill(postgres)
        before = postgres.picture("shop")
        with step("backup", server, postgres.app(), *words) as agent:
            report = succeeds(server, agent, work(repository, "/stash-tmp/data"))
        check_equal([report["dump"]["database"][key] for key in ("databases", "tables", "rows")], [1, 5, 2104], "facts")
        given = lambda: restore(repository, {"snapshots": ["latest"]})  # noqa: E731
        with step("restore", server, postgres.app()) as agent:
            fails(server, agent, given(), "DatabaseNotEmpty")
        with step("restore", server, postgres.app(), "--overwrite=true") as agent:
            fails(server, agent, given(), "ArgumentRefused", "parameter database")
        with step("restore", server, postgres.app(), "--database=copy") as agent:
            succeeds(server, agent, given())
        check_equal(postgres.picture("copy"), before, "the copy")
        postgres.psql("DROP TABLE goods CASCADE", "CREATE TABLE newer (a int)", database="copy")
        changed = postgres.picture("copy")
        # a restic that gives half of it, and says that all is well
        half = restic_that("head -c 30000")
        with step("restore", server, postgres.app(), "--database=copy", "--overwrite=true", restic=half) as agent:
            fails(server, agent, given(), "DumpIncomplete", "end mark")
        check_equal(postgres.picture("copy"), changed, "half a dump is not committed")
        with step("restore", server, postgres.app(), "--database=copy", "--overwrite=true") as agent:
            succeeds(server, agent, given())
        check_equal(postgres.picture("copy"), before, "the copy")


@test("DB1")
def a_dump_under_load_is_of_one_moment():
    repository = temporary_folder()
    with Postgres() as postgres, api() as server:
        fill(postgres)
        stop = threading.Event()

        def change():
            while not stop.is_set():
                postgres.psql("BEGIN", "UPDATE pairs SET a = a + 1", "INSERT INTO goods SELECT max(id) + 1 FROM goods",
                              "UPDATE pairs SET b = b + 1", "COMMIT", database="shop")
        thread = threading.Thread(target=change)
        thread.start()
        try:
            eventually(lambda: int(postgres.psql("SELECT a FROM pairs", database="shop")) > 0, "it is changed")
            with step("backup", server, postgres.app()) as agent:
                succeeds(server, agent, work(repository, "/stash-tmp/data"))
        finally:
            stop.set()
            thread.join()
    with Postgres() as postgres, api() as server:
        with step("restore", server, postgres.app()) as agent:
            succeeds(server, agent, restore(repository, {"snapshots": ["latest"]}))
        a, b, rows = postgres.psql("SELECT a, b, (SELECT count(*) FROM goods) FROM pairs", database="shop").split("|")
        check(int(a) > 0 and a == b and int(rows) == 2002 + int(a), f"{a} {b} {rows}")


@test("DB2")
def tls_and_what_is_refused():
    repository = temporary_folder()
    given = lambda: work(repository, "/stash-tmp/data")  # noqa: E731
    ca = b64(harness.WORLD.ca.cert)
    with Postgres(tls=True) as postgres, api() as server:
        # without a CA the server decides whether there is TLS
        for config in ({"caBundle": ca}, {"insecureSkipTLSVerify": True}, {}):
            with step("backup", server, postgres.app(**config)) as agent:
                succeeds(server, agent, given())
        plain = postgres.app(url=f"postgres://127.0.0.1:{postgres.port}/?sslmode=disable")
        other = postgres.app(caBundle=b64(harness.WORLD.cert))
        for app, words, reason, said in (
                (plain, [], "DatabaseRefused", "no encryption"),
                (other, [], "DatabaseRefused", "certificate"),
                (postgres.app(caBundle="*"), [], "DatabaseNotNamed", "caBundle"),
                (postgres.app(serverName="x.example.com"), [], "DatabaseNotNamed", "serverName"),
                (postgres.app(), ["--database=absent"], "DatabaseRefused", "does not exist"),
                (postgres.app(), ["--user=nobody-such"], "DatabaseRefused", "authentication failed"),
                (postgres.app(), ["--database-args=--file=/etc/passwd"], "ArgumentRefused", "--file"),
                (postgres.app(), ["--database-args=-f x"], "ArgumentRefused", "-f"),
                (postgres.app(), ["--command=/bin/sh"], "ArgumentRefused", "/bin/sh"),
                (postgres.app(), ["--command=pg_dump"], "ArgumentRefused", "database")):
            with step("backup", server, app, *words, wait=60) as agent:
                report = fails(server, agent, given(), reason, said)
                check(PASSWORD not in json.dumps(report), "a secret")
                agent.ends(1)
        for secret, reason in (({"username": "admin", "password": "wrong-pass-77"}, "DatabaseRefused"),
                               ({}, "DatabaseRefused"), ({"password": "x"}, "DatabaseNotNamed")):
            with step("backup", server, postgres.app(), secret=secret, wait=60) as agent:
                report = fails(server, agent, given(), reason)
                check("wrong-pass-77" not in json.dumps(report) + "".join(agent.lines), "a secret")
        port = postgres.port
    check_equal(len(snapshots(repository)), 3, "snapshots")
    with api() as server, step("backup", server, {"clientConfig": {"url": f"postgres://127.0.0.1:{port}"}}, wait=1) as agent:
        fails(server, agent, given(), "DatabaseUnreachable", "refused")


# Where tools of a kind are, those that stay what they are, and the one that dumps.
TOOLS = {"postgres": (POSTGRES, ("psql", "pg_dump"), "pg_dumpall"), "mariadb": ("/usr/bin", ("mariadb",), "mariadb-dump")}


def tools_with(text, kind="postgres"):
    """Real tools, but for the one that dumps, which is a script. $real is the real one."""
    folder = temporary_folder()
    place, others, dumps = TOOLS[kind]
    for name in others:
        os.symlink(f"{place}/{name}", f"{folder}/{name}")
    write(f"{folder}/{dumps}", f"#!/bin/sh\nreal={place}/{dumps}\ncase $1 in --version) exec $real $1;; esac\n{text}\n")
    os.chmod(f"{folder}/{dumps}", 0o755)
    return folder


def makes_none(server, app, repository, rows, kind="postgres"):
    """None of these dumps is a snapshot."""
    for text, reason, said in rows:
        with step("backup", server, app, kind=kind, tools=tools_with(text, kind)) as agent:
            report = fails(server, agent, work(repository, "/stash-tmp/data"), reason, said)
            check("dump" not in report and not report.get("snapshots"), f"{report}")


def killed_in_the_middle(server, app, repository, kind="postgres"):
    """The agent by one who says nothing, then as its pod is ended."""
    seen, name = temporary_folder(), TOOLS[kind][2]
    wait = tools_with(f"$real \"$@\" | head -c 100000; touch {seen}/half; sleep 600; $real \"$@\" | tail -c +100001", kind)
    with step("backup", server, app, kind=kind, tools=wait) as agent:
        server.work.put(work(repository, "/stash-tmp/data"))
        eventually(lambda: os.path.exists(f"{seen}/half"), f"half of what {name} says")
        agent.process.kill()
        agent.process.wait()
    eventually(lambda: not running(wait), "all of its processes end")
    os.unlink(f"{seen}/half")
    with step("backup", server, app, kind=kind, tools=wait) as agent:
        server.work.put(work(repository, "/stash-tmp/data"))
        eventually(lambda: os.path.exists(f"{seen}/half"), f"half of what {name} says")
        before = len([1 for path, _, _ in server.asked if path == "/v1/report"])
        agent.process.send_signal(signal.SIGTERM)
        check_equal(server.wait("/v1/report", before + 1)[-1]["error"]["reason"], "PodEnded", "report")
        agent.ends(1, 40)


@test("DB2")
def a_dump_that_is_not_whole_is_no_snapshot():
    repository, seen = temporary_folder(), temporary_folder()
    given = lambda: work(repository, "/stash-tmp/data")  # noqa: E731
    with Postgres() as postgres, api() as server:
        fill(postgres)
        with step("backup", server, postgres.app()) as agent:
            succeeds(server, agent, given())
        (good,) = snapshots(repository)
        makes_none(server, postgres.app(), repository, (
            ("$real \"$@\" | head -c 100000", "DumpIncomplete", "end mark"),
            ("$real \"$@\" | head -n -8", "DumpIncomplete", "end mark"),
            ("true", "DumpIncomplete", "none"),
            ("echo hello", "DumpIncomplete", "none"),
            ("$real \"$@\"; echo 'pg_dumpall: error: lost it' >&2; exit 1", "DumpFailed", "lost it"),
            ("$real \"$@\" | head -c 100000; kill -9 $$", "DumpFailed", "signal 9"),
            ("kill -9 $PPID; sleep 60", "ResticFailed", "")))
        # what a tool is shown
        with step("backup", server, postgres.app(),
                  tools=tools_with(f"env >{seen}/env; echo \"$@\" >{seen}/argv; exec $real \"$@\"")) as agent:
            succeeds(server, agent, given())
        with open(f"{seen}/env") as env, open(f"{seen}/argv") as argv:
            told = env.read()
            check("RESTIC" not in told and f"PGPASSWORD={PASSWORD}" in told, told)
            check(PASSWORD not in argv.read(), "a password in argv")
        killed_in_the_middle(server, postgres.app(), repository)
    check_equal(len(snapshots(repository)), 2, "a failure is no snapshot")
    check_equal(snapshots(repository)[0]["id"], good["id"], "the good one stays")


def running(word):
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if word in line]


def on_a_full_disk(server, app, kind="postgres"):
    mount = temporary_folder()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "granary", mount], check=True)
    try:
        with step("backup", server, app, kind=kind, tools=TOOLS[kind][0]) as agent:
            fails(server, agent, work(mount, "/stash-tmp/data"), "DiskFull")
        check_equal(snapshots(mount), [], "snapshots")
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


@test("DB2")
def a_database_that_dies_meanwhile_and_a_full_disk():
    repository, seen = temporary_folder(), temporary_folder()
    with Postgres() as postgres, api() as server:
        fill(postgres)
        postgres.psql("CREATE TABLE much AS SELECT encode(sha256(g::text::bytea), 'hex') || md5(g::text) a FROM "
                      "generate_series(1, 150000) g", database="shop")
        on_a_full_disk(server, postgres.app())
        dying = tools_with(f"touch {seen}/begun; kill -9 {postgres.process.pid}; exec $real \"$@\"")
        with step("backup", server, postgres.app(), tools=dying) as agent:
            fails(server, agent, work(repository, "/stash-tmp/data"), "DumpFailed", "pg_dumpall")
    check_equal(snapshots(repository), [], "snapshots")


# Of the run that tells accounts, the second one.
ACCOUNTS_ALONE = "case \"$*\" in *--system=*) ;; *) exec $real \"$@\";; esac; "


@test("DB2")
def a_dump_of_a_mariadb_that_is_not_whole_is_no_snapshot():
    repository, seen = temporary_folder(), temporary_folder()
    with MariaDB(tls="none") as plain, api() as server:
        app = plain.app(caBundle=b64(harness.WORLD.ca.cert))
        with step("backup", server, app, kind="mariadb", tools="/usr/bin", wait=60) as agent:
            fails(server, agent, work(repository, "/stash-tmp/data"), "DatabaseRefused", "does not support")
    with MariaDB(tls="required") as mariadb, api() as server:
        mariadb.ask("CREATE DATABASE shop; CREATE TABLE shop.much AS SELECT SHA2(seq, 256) a, MD5(seq) b FROM seq_1_to_5000")
        makes_none(server, mariadb.app(), repository, (
            ("$real \"$@\" | head -c 100000", "DumpIncomplete", "end mark"),
            ("$real \"$@\" | head -n -1", "DumpIncomplete", "end mark"),
            ("true", "DumpIncomplete", "none"),
            ("$real \"$@\" | head -c 100000; kill -9 $$", "DumpFailed", "signal 9"),
            (f"{ACCOUNTS_ALONE} $real \"$@\" | head -n -1", "DumpIncomplete", "end mark"),
            (f"{ACCOUNTS_ALONE} true", "DumpIncomplete", "end mark"),
            (f"{ACCOUNTS_ALONE} $real \"$@\"; echo 'mariadb-dump: lost it' >&2; exit 2", "DumpFailed", "lost it")), "mariadb")
        with step("backup", server, mariadb.app(), kind="mariadb",
                  tools=tools_with(f"env >{seen}/env; echo \"$@\" >>{seen}/argv; exec $real \"$@\"", "mariadb")) as agent:
            succeeds(server, agent, work(repository, "/stash-tmp/data"))
        with open(f"{seen}/env") as env, open(f"{seen}/argv") as argv:
            told = env.read() + argv.read()
            check("RESTIC" not in told and PASSWORD not in told and "--system=users" in told, told)
        killed_in_the_middle(server, mariadb.app(), repository, "mariadb")
        mariadb.ask("INSERT INTO shop.much SELECT SHA2(seq, 256), MD5(seq) FROM seq_5001_to_150000")
        on_a_full_disk(server, mariadb.app(), "mariadb")
        dying = tools_with(f"kill -9 {mariadb.process.pid}; exec $real \"$@\"", "mariadb")
        with step("backup", server, mariadb.app(), kind="mariadb", tools=dying) as agent:
            fails(server, agent, work(repository, "/stash-tmp/data"), "DumpFailed", "mariadb-dump")
    check_equal(len(snapshots(repository)), 1, "a failure is no snapshot")


@test("DB1 DB2")
def a_mariadb_comes_back():
    repository = temporary_folder()
    rows = ",".join(f"({i}, 'line\\n(x);', x'00ff{i:04x}')" for i in range(1, 2000))
    how = {"kind": "mariadb", "tools": "/usr/bin"}
    given = lambda: restore(repository, {"snapshots": ["latest"]})  # noqa: E731
    with MariaDB() as mariadb, api() as server:
        mariadb.ask("CREATE DATABASE shop; CREATE DATABASE `we``ird db`; CREATE TABLE `we``ird db`.t (a int);"
                    "INSERT INTO `we``ird db`.t VALUES (7)")
        mariadb.ask(f"CREATE TABLE goods (id int PRIMARY KEY, name text, raw blob); INSERT INTO goods VALUES {rows};"
                    "CREATE TABLE none (a int); CREATE VIEW v AS SELECT id FROM goods;"
                    "CREATE TRIGGER tr BEFORE INSERT ON none FOR EACH ROW SET NEW.a = 1", "shop")
        mariadb.ask("DELIMITER //\nCREATE PROCEDURE p() BEGIN\nCREATE TABLE `x` (a int);\nINSERT INTO `x` VALUES\n(1);\nEND//\n",
                    "shop")
        before = mariadb.picture("shop")
        check_equal(len(before), 2, f"{before}")
        for config in ({}, {"caBundle": b64(harness.WORLD.ca.cert)}, {"insecureSkipTLSVerify": True}):
            with step("backup", server, mariadb.app(**config), **how) as agent:
                facts = succeeds(server, agent, work(repository, "/stash-tmp/data"))["dump"]["database"]
        check_equal([facts[key] for key in ("kind", "databases", "tables", "rows")], ["mariadb", 2, 3, 2000], "facts")
        for app, secret, reason, said in (
                (mariadb.app(), {"username": "admin", "password": "wrong-pass-77"}, "DatabaseRefused", "Access denied"),
                (mariadb.app(caBundle=b64(harness.WORLD.cert)), None, "DatabaseRefused", "certificate"),
                (mariadb.app(url="mysql://127.0.0.1:9"), None, "DatabaseUnreachable", "connect")):
            with step("backup", server, app, secret=secret, wait=1, **how) as agent:
                fails(server, agent, work(repository, "/stash-tmp/data"), reason, said)
        # over what is there, then into nothing
        mariadb.ask("DELETE FROM goods; CREATE TABLE newer (a int)", "shop")
        with step("restore", server, mariadb.app(), **how) as agent:
            fails(server, agent, given(), "DatabaseNotEmpty", "shop")
        with step("restore", server, mariadb.app(), "--overwrite=true", **how) as agent:
            check("3 tables, 2000 rows" in succeeds(server, agent, given())["note"], "note")
        check_equal(mariadb.picture("shop"), before, "what came back")
        # one of them, under another name
        with step("backup", server, mariadb.app(), "--database=shop", **how) as agent:
            succeeds(server, agent, work(repository, "/stash-tmp/data"))
        with step("restore", server, mariadb.app(), "--database=copy", **how) as agent:
            succeeds(server, agent, given())
        check_equal(mariadb.picture("copy"), before, "the copy")
    with MariaDB() as other, api() as server:
        with step("restore", server, other.app(), **how) as agent:
            fails(server, agent, given(), "ArgumentRefused", "parameter database")
        with step("restore", server, other.app(), **how) as agent:
            succeeds(server, agent, restore(repository, {"snapshots": [snapshots(repository)[2]["id"]]}))
        check_equal(other.picture("shop"), before, "what came back")
        check_equal(other.ask("SELECT a FROM t", "we`ird db"), "7\n", "the other one")
    check_equal(len(snapshots(repository)), 4, "snapshots")


def accounts_of(mariadb, *names):
    """What the server says of them: password, TLS, rights, roles."""
    said = ""
    for name in names:
        said += (mariadb.ask(f"SHOW CREATE USER {name}") if "@" in name else "") + mariadb.ask(f"SHOW GRANTS FOR {name}")
    return said + mariadb.ask("SELECT user, host, default_role FROM mysql.user WHERE user = 'app'")


ACCOUNTS = ["app@'%'", "`o``d'd\nname`@'10.%'", "locked@localhost", "buyer", "boss"]


def make_accounts(mariadb):
    """Accounts that are hard to keep."""
    mariadb.ask("CREATE DATABASE shop; CREATE TABLE shop.goods (id int, name text); CREATE TABLE shop.gone (a int);"
                "CREATE PROCEDURE shop.p() SELECT 1; INSERT INTO shop.goods VALUES (1, 'CREATE USER `evil`@`%`;');"
                "CREATE USER app@'%' IDENTIFIED BY 'app;word' REQUIRE SSL WITH MAX_USER_CONNECTIONS 5;"
                "CREATE USER `o``d'd\nname`@'10.%' IDENTIFIED BY 'x'; CREATE USER locked@localhost ACCOUNT LOCK;"
                "CREATE ROLE buyer; CREATE ROLE boss; GRANT boss TO buyer; GRANT buyer TO app@'%';"
                "SET DEFAULT ROLE buyer FOR app@'%'; GRANT SELECT, INSERT (id) ON shop.goods TO app@'%' WITH GRANT OPTION;"
                "GRANT EXECUTE ON PROCEDURE shop.p TO buyer; GRANT ALL ON shop.* TO boss WITH GRANT OPTION;"
                "GRANT SELECT ON shop.gone TO `o``d'd\nname`@'10.%'; GRANT SELECT ON *.* TO locked@localhost")
    before = accounts_of(mariadb, *ACCOUNTS)
    mariadb.ask("DROP TABLE shop.gone")  # whose rights stay
    return before.replace(next(line for line in before.splitlines(True) if "gone" in line), "")


@test("DB2")
def accounts_of_a_mariadb_come_back():
    repository = temporary_folder()
    how = {"kind": "mariadb", "tools": "/usr/bin"}
    given = lambda: restore(repository, {"snapshots": ["latest"]})  # noqa: E731
    with MariaDB() as first, api() as server:
        before = make_accounts(first)
        first.ask("CREATE USER low@'%' IDENTIFIED BY 'low-pass-55'; GRANT SELECT, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT ON "
                  "shop.* TO low@'%'")
        low = {"username": "low", "password": "low-pass-55"}
        with step("backup", server, first.app(), secret=low, **how) as agent:
            fails(server, agent, work(repository, "/stash-tmp/data"), "DumpFailed", "--skip-system")
        check_equal(snapshots(repository), [], "of a dump without its accounts")
        with step("backup", server, first.app(), "--database-args=--skip-system --skip-routines", secret=low, **how) as agent:
            succeeds(server, agent, work(repository, "/stash-tmp/data"))
        # of a host that is not resolved: the server knows it, and can not show it
        first.ask("DROP USER low@'%'; CREATE USER gone@'some.host'; FLUSH PRIVILEGES")
        with step("backup", server, first.app(), **how) as agent:
            fails(server, agent, work(repository, "/stash-tmp/data"), "DumpFailed", "drop this account")
        first.ask("DROP USER gone@'some.host'")
        with step("backup", server, first.app(), **how) as agent:
            facts = succeeds(server, agent, work(repository, "/stash-tmp/data"))["dump"]["database"]
        check_equal([facts[key] for key in ("databases", "tables", "rows")], [1, 1, 1], "facts")
    with MariaDB() as second, api() as server:
        # who restores has all by his role, and another password; one of the accounts is there
        second.ask("CREATE ROLE dba; GRANT ALL ON *.* TO dba WITH GRANT OPTION; CREATE USER keeper@'%' IDENTIFIED BY 'k';"
                   "GRANT dba TO keeper@'%'; SET DEFAULT ROLE dba FOR keeper@'%'; CREATE USER app@'%' IDENTIFIED BY 'own';"
                   "CREATE USER weak@'%' IDENTIFIED BY 'w'; GRANT SELECT ON *.* TO weak@'%'; REVOKE SELECT ON *.* FROM "
                   "weak@'%'; CREATE USER admin@localhost IDENTIFIED BY 'own'")
        others = ("admin@'%'", "admin@localhost", "app@'%'")
        kept = accounts_of(second, *others)
        with step("restore", server, second.app(), secret={"username": "weak", "password": "w"}, **how) as agent:
            fails(server, agent, given(), "DatabaseRefused", "has accounts")
        check("shop" not in second.ask("SHOW DATABASES"), "nothing was changed")
        keeper = {"username": "keeper", "password": "k"}
        with step("restore", server, second.app(), secret=keeper, **how) as agent:
            succeeds(server, agent, given())
        check_equal(accounts_of(second, *others), kept, "who was there")
        with step("restore", server, second.app(), "--overwrite=true", secret=keeper, **how) as agent:
            succeeds(server, agent, given())
        check_equal(accounts_of(second, *ACCOUNTS), before, "accounts")
        check_equal(second.ask("SELECT user FROM mysql.user WHERE user IN ('evil', 'mariadb_dump_import_role')"), "",
                    "what is no account")
        cut = restic_that("sed '2,${/^-- granary: accounts /,$d}'")
        with step("restore", server, second.app(), "--overwrite=true", secret=keeper, restic=cut, **how) as agent:
            fails(server, agent, given(), "DumpIncomplete", "accounts are not there")
