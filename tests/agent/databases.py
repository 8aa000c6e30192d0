"""Real databases, each a process of its own in a temporary folder, on loopback, not as root."""

import functools
import json
import os
import shutil
import subprocess

import harness
from harness import check, eventually, free_port, temporary_folder, write
from running import Agent, give

NOBODY = 65534
POSTGRES = "/usr/lib/postgresql/15/bin"
PASSWORD = "data-base-pass-44b1"


def as_nobody(words, **options):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, user=NOBODY,
                          group=NOBODY, extra_groups=[], timeout=90 * harness.SLOW, **options)


def own_folder():
    """A folder of nobody's that nobody can get to."""
    os.chmod(harness.WORLD.folder, 0o711)
    folder = temporary_folder()
    os.chown(folder, NOBODY, NOBODY)
    return folder


@functools.cache
def fresh_cluster():
    """The data of a PostgreSQL that was just made; copied for each test."""
    folder = own_folder()
    write(f"{folder}/password", PASSWORD)
    give(folder, NOBODY)
    done = as_nobody([f"{POSTGRES}/initdb", "--pgdata", f"{folder}/data", "--username", "admin", "--pwfile",
                      f"{folder}/password", "--auth=scram-sha-256", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"],
                     env={"HOME": folder, "PATH": "/usr/bin"})
    check(done.returncode == 0, done.stderr)
    return f"{folder}/data"


class Server:
    """One that runs as nobody, with a log in its folder. Use as context. A kind has program() and answers()."""

    def start(self):
        # a MariaDB that starts removes temporary tables of others that are in the same folder
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(self.program(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=NOBODY,
                                            group=NOBODY, extra_groups=[], env={"PATH": "/usr/bin", "TMPDIR": self.folder})
        eventually(self.answers, "the database answers")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        try:
            self.start()
        except AssertionError as why:
            self.__exit__(type(why))
            raise
        return self

    def __exit__(self, kind, *_):
        self.stop()
        if kind:
            with open(f"{self.folder}/log", errors="replace") as log:
                print(log.read()[-3000:], flush=True)


class Postgres(Server):
    """One server. Use as context. tls: only with TLS."""

    def __init__(self, tls=False, password=PASSWORD):
        self.folder, self.port, self.tls, self.password = own_folder(), free_port(), tls, password
        self.data = f"{self.folder}/data"
        shutil.copytree(fresh_cluster(), self.data)
        kind = "hostssl" if tls else "host"
        write(f"{self.data}/pg_hba.conf", f"{kind} all all 127.0.0.1/32 scram-sha-256\n")
        if tls:
            cert, key = harness.WORLD.ca.issue("postgres")
            shutil.copy(cert, f"{self.data}/server.crt")
            shutil.copy(key, f"{self.data}/server.key")
            os.chmod(f"{self.data}/server.key", 0o600)
        give(self.folder, NOBODY)

    def program(self):
        return [f"{POSTGRES}/postgres", "-D", self.data, "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}",
                 "-c", f"unix_socket_directories={self.folder}", "-c", "fsync=off", "-c", "shared_buffers=16MB",
                 "-c", f"ssl={'on' if self.tls else 'off'}", "-c", "autovacuum=off"]

    def answers(self):
        return self.psql("SELECT 1", good=False).returncode == 0

    def psql(self, *statements, database="postgres", good=True):
        words = [f"{POSTGRES}/psql", "-XqAtw", "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            words += ["-c", statement]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=90 * harness.SLOW,
                              env={"PGHOST": "127.0.0.1", "PGPORT": str(self.port), "PGUSER": "admin",
                                   "PGPASSWORD": self.password, "PGDATABASE": database, "HOME": "/nonexistent"})
        check(not good or done.returncode == 0, done.stderr)
        return done.stdout if good else done

    def databases(self):
        return self.psql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split("\n")[:-1]

    def picture(self, database):
        """Columns, and a checksum of all rows, by table."""
        tables = self.psql("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
                           "WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1", database=database)
        return {table: self.psql(f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t",
                                 f"SELECT string_agg(attname || ' ' || atttypid::regtype, ',' ORDER BY attnum) FROM "
                                 f"pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0", database=database)
                for table in tables.split("\n")[:-1]}

    def app(self, **config):
        return {"namespace": "shop", "clientConfig": {"url": f"postgresql://127.0.0.1:{self.port}", **config}}


@functools.cache
def fresh_mariadb():
    folder = own_folder()
    done = as_nobody(["/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", "--skip-test-db",
                      "--skip-name-resolve"], env={"HOME": folder, "TMPDIR": folder, "PATH": "/usr/bin:/usr/sbin"})
    check(done.returncode == 0, done.stderr)
    return f"{folder}/data"


class MariaDB(Server):
    """One server. Use as context. tls: "offered", "required" or "none"."""

    def __init__(self, tls="offered"):
        self.folder, self.port, self.tls = own_folder(), free_port(), tls
        self.data = f"{self.folder}/data"
        shutil.copytree(fresh_mariadb(), self.data)
        shutil.copy(harness.WORLD.cert, f"{self.folder}/cert")
        shutil.copy(harness.WORLD.key, f"{self.folder}/key")
        write(f"{self.folder}/init", f"CREATE USER admin@'%' IDENTIFIED BY '{PASSWORD}';\n"
                                     "GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n")
        give(self.folder, NOBODY)

    def program(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", f"--datadir={self.data}", f"--socket={self.folder}/socket",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder}/pid", "--skip-name-resolve",
                f"--init-file={self.folder}/init", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0",
                *([] if self.tls == "none" else [f"--ssl-cert={self.folder}/cert", f"--ssl-key={self.folder}/key"]),
                *(["--require-secure-transport"] if self.tls == "required" else [])]

    def answers(self):
        return self.ask("SELECT 1", good=False).returncode == 0

    def ask(self, statements, database="mysql", good=True):
        done = subprocess.run(["/usr/bin/mariadb", "--no-defaults", "--batch", "--skip-column-names", f"--port={self.port}",
                               "--host=127.0.0.1", "--protocol=tcp", "--user=admin", f"--execute={statements}", database],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              timeout=90 * harness.SLOW, env={"MYSQL_PWD": PASSWORD})
        check(not good or done.returncode == 0, done.stderr)
        return done.stdout if good else done

    def picture(self, database):
        tables = self.ask("SELECT table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' AND "
                          f"table_schema = '{database}' ORDER BY 1").split()
        return {table: self.ask(f"CHECKSUM TABLE `{table}`; SHOW CREATE TABLE `{table}`; SELECT COUNT(*) FROM `{table}`",
                                database).split("\t", 1)[1] for table in tables}

    def app(self, **config):
        return {"namespace": "shop", "clientConfig": {"url": f"mysql://127.0.0.1:{self.port}", **config}}


class Redis(Server):
    """One server. Use as context. tls: only with TLS, and only with a client's certificate."""

    def __init__(self, *options, tls=False, password=PASSWORD):
        self.folder, self.port, self.tls, self.password = own_folder(), free_port(), tls, password
        lines = [f"dir {self.folder}", 'save ""', "bind 127.0.0.1", "enable-debug-command yes",
                 "repl-diskless-sync-delay 0", *options]
        if password:
            lines += [f"requirepass {password}", f"user reader on >{PASSWORD}-2 +ping +info +sync +psync +replconf ~*"]
        if tls:
            cert, key = harness.WORLD.ca.issue("redis", usage="serverAuth,clientAuth")
            lines += [f"tls-port {self.port}", "port 0", f"tls-ca-cert-file {self.folder}/ca.crt",
                      f"tls-cert-file {self.folder}/cert", f"tls-key-file {self.folder}/key"]
            for name, path in (("cert", cert), ("key", key), ("ca.crt", harness.WORLD.ca.cert)):
                shutil.copy(path, f"{self.folder}/{name}")
        else:
            lines.append(f"port {self.port}")
        write(f"{self.folder}/redis.conf", "".join(f"{line}\n" for line in lines))
        give(self.folder, NOBODY)

    def program(self):
        return ["/usr/bin/redis-server", f"{self.folder}/redis.conf"]

    def answers(self):
        return self.ask("PING", good=False).returncode == 0

    def words(self):
        more = ["--tls", "--cacert", harness.WORLD.ca.cert, "--cert", f"{self.folder}/cert", "--key", f"{self.folder}/key"]
        return ["/usr/bin/redis-cli", "-p", str(self.port), *(more if self.tls else [])]

    def ask(self, *words, database=0, good=True, given=None):
        done = subprocess.run([*self.words(), "-n", str(database), *([] if given else ["-e"]), *words], capture_output=True,
                              check=False, input=given or b"", timeout=90 * harness.SLOW,
                              env={"REDISCLI_AUTH": self.password} if self.password else {})
        check(not good or done.returncode == 0, done.stderr.decode())
        return done.stdout.decode("latin-1") if good else done

    def put(self, *commands):
        """Many of them, as lists of words or bytes."""
        pieces = []
        for command in commands:
            parts = [part if isinstance(part, bytes) else str(part).encode() for part in command]
            pieces += [b"*%d\r\n" % len(parts), *[b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]]
        self.ask("--pipe", given=b"".join(pieces))

    def databases(self):
        lines = self.ask("INFO", "keyspace").split()
        return {int(line[2:].split(":")[0]): int(line.split("keys=")[1].split(",")[0]) for line in lines if line[:2] == "db"}

    def picture(self):
        """A digest of all keys of all databases, when each expires, and the libraries."""
        times = {number: self.ask("EVAL", "local r = {} for _, k in ipairs(redis.call('KEYS', '*')) do local t = "
                                  "redis.call('PEXPIRETIME', k) if t >= 0 then r[#r + 1] = k .. ' ' .. t end end "
                                  "table.sort(r) return r", "0", database=number) for number in self.databases()}
        return self.ask("DEBUG", "DIGEST"), self.databases(), times, self.ask("FUNCTION", "LIST", "WITHCODE")

    def app(self, **config):
        scheme = "rediss" if self.tls else "redis"
        return {"namespace": "shop", "clientConfig": {"url": f"{scheme}://127.0.0.1:{self.port}", **config}}

    def secret(self, **more):
        return {"password": self.password, **more} if self.password else {**more}


def step(verb, server, app, *words, kind="postgres", secret=None, tools=POSTGRES, wait=5, restic=None):
    """`granary-agent database-backup` or `database-restore`, as in its Job."""
    secrets = f"{temporary_folder()}/app"
    os.makedirs(f"{secrets}/secret")
    for key, value in ({"username": "admin", "password": PASSWORD} if secret is None else secret).items():
        write(f"{secrets}/secret/{key}", value)
    more = {"restic": restic} if restic else {}
    return Agent(f"database-{verb}", f"--kind={kind}", f"--tools={tools}", f"--app-secrets={secrets}",
                 f"--wait-timeout={wait}", *words, addresses=[server.address],
                 environment={"GRANARY_APP": json.dumps(app)}, **more)
