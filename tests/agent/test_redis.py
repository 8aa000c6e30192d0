"""Redis: its RDB passes through restic, and comes back into a server that runs, key by key."""

import base64
import json
import os
import subprocess

import harness
from databases import PASSWORD, Redis, step
from harness import check, check_equal, eventually, free_port, temporary_folder, test, write
from running import api, fails, restic, restore, snapshots, succeeds, work

HOW = {"kind": "redis", "tools": "/usr/bin"}
# Small, so that a few elements make each encoding.
LIMITS = ("hash-max-listpack-entries 4", "zset-max-listpack-entries 4", "set-max-intset-entries 4", "list-max-listpack-size 4")


def b64(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def fill(redis):
    """Each type in each of its encodings, keys and values that are hard to keep."""
    odd = bytes(range(256))
    many = [part for i in range(500) for part in (f"f{i}", f"v{i}" * (i % 7))]
    redis.put(
        ("SET", "text", "a line\r\n$5\r\n*1\r\n"), ("SET", odd, odd), ("SET", b"", b""), ("SET", "12", "-7"),
        ("SET", "short", "1000"), ("SET", "long", "1000000"), ("SET", "longer", str(2**62)), ("SET", "k" * 300, "x" * 100000),
        ("SET", "random", os.urandom(70000)), ("SETRANGE", "holes", 30000, "end"), ("SET", "late", "1", "PXAT", 4102444800123),
        ("RPUSH", "list", *"abcdefghij"), ("RPUSH", "list of large", "x" * 20000, os.urandom(20000), "1", "-5", b""),
        ("SADD", "numbers", 1, -2, 70000, 2**40), ("SADD", "set", "a", "b", odd, "1000000", "-1", b""),
        ("HSET", "small hash", "a", "1", odd, odd), ("HSET", "hash", *many), ("EXPIRE", "hash", 86400 * 300),
        ("ZADD", "small sorted", 1, "a", "2.5", "b"),
        ("ZADD", "sorted", "inf", "a", "-inf", "b", "0.1", "c", "3e300", "d", "-0", "e", "1e-320", "f"),
        ("PFADD", "about", *range(2000)), ("SETBIT", "bits", 70000, 1), ("GEOADD", "places", 13.3, 38.1, "p"),
        *[("XADD", "stream", f"{i}-1", "field", i, "other", "v" * (i % 50)) for i in range(1, 300)],
        ("XDEL", "stream", "5-1"), ("XTRIM", "stream", "MINID", "20"), ("XGROUP", "CREATE", "stream", "group", "0"),
        ("XREADGROUP", "GROUP", "group", "one", "COUNT", 30, "STREAMS", "stream", ">"),
        ("XREADGROUP", "GROUP", "group", "two", "COUNT", 3, "STREAMS", "stream", ">"), ("XACK", "stream", "group", "25-1"),
        ("XGROUP", "CREATE", "no stream", "g", "$", "MKSTREAM"),
        ("FUNCTION", "LOAD", "#!lua name=shop\nredis.register_function('seven', function() return 7 end)"),
        ("SELECT", 3), ("SET", "text", "of three"), ("SELECT", 15), *[("SET", f"key:{i}", i) for i in range(3000)])


@test("DB5")
def all_types_come_back():
    repository = temporary_folder()
    with Redis(*LIMITS) as first, api() as server:
        fill(first)
        before = first.picture()
        with step("backup", server, first.app(), secret=first.secret(), **HOW) as agent:
            report = succeeds(server, agent, work(repository, "/stash-tmp/data"))
            agent.ends(0)
        facts = report["dump"]["database"]
        counts = first.databases()
        check_equal((facts["kind"], facts["databases"], facts["keys"], facts["libraries"]),
                    ("redis", 3, sum(counts.values()), 1), "facts")
        check_equal(facts["keyspace"], ", ".join(f"{number}: {keys}" for number, keys in sorted(counts.items())), "keyspace")
        check(100000 < facts["largest"] + 30000 < 200000, f"{facts}")
        check(facts["serverVersion"].startswith("7.") and "redis-cli" in facts["toolVersion"], f"{facts}")
        (snapshot,) = snapshots(repository)
        check_equal((snapshot["paths"], report["snapshots"][0]["totalBytes"]), (["/dumpfile.rdb"], facts["size"]), "snapshot")
        # it is what a server itself would read
        path = f"{temporary_folder()}/dump.rdb"
        restic(repository, "dump", "latest", "/dumpfile.rdb", "--target", path)
        done = subprocess.run(["/usr/bin/redis-check-rdb", path], capture_output=True, text=True, check=False)
        check("RDB looks OK" in done.stdout, done.stdout)
        check_equal(os.path.getsize(path), facts["size"], "size")
    with Redis(*LIMITS, password=None) as second, api() as server:
        given = lambda: restore(repository, {"paths": ["/stash-tmp/data"]})  # noqa: E731
        with step("restore", server, second.app(), secret={}, **HOW) as agent:
            report = succeeds(server, agent, given())
            agent.ends(0)
        check(f"3 databases, {sum(counts.values())} keys (0 more have expired), 1 libraries" in report["note"], f"{report}")
        check_equal(second.picture(), before, "what came back")
        check_equal(second.ask("FCALL", "seven", "0"), "7\n", "a function")
        check_equal(second.ask("XPENDING", "stream", "group").split()[0], "32", "pending entries")
        # refused, then wanted: databases of the dump are replaced, others stay
        second.put(("SET", "newer", 1), ("DEL", "hash"), ("SELECT", 7), ("SET", "own", 1))
        changed = second.picture()
        with step("restore", server, second.app(), secret={}, **HOW) as agent:
            fails(server, agent, given(), "DatabaseNotEmpty", "db7 (1 keys)", "1 libraries", "overwrite")
            agent.ends(1)
        check_equal(second.picture(), changed, "nothing was changed")
        with step("restore", server, second.app(), "--overwrite=true", secret={}, **HOW) as agent:
            succeeds(server, agent, given())
        check_equal(second.databases(), {**counts, 7: 1}, "keys")
        second.put(("SELECT", 7), ("DEL", "own"))
        check_equal(second.picture(), before, "what came back")


@test("DB5")
def a_redis_under_load_is_of_one_moment():
    repository = temporary_folder()
    script = "redis.call('INCR', 'a') redis.call('INCR', 'b') redis.call('SET', 'fill:' .. redis.call('GET', 'a') % 20000, 'x')"
    with Redis(password=None) as redis, api() as server:
        redis.put(*[("SET", f"fill:{i}", os.urandom(500)) for i in range(20000)], ("MSET", "a", 0, "b", 0))
        with subprocess.Popen([*redis.words(), "-r", "-1", "-i", "0.001", "EVAL", script, "0"], stdout=subprocess.DEVNULL) as writer:
            try:
                eventually(lambda: int(redis.ask("GET", "a")) > 0, "writes")
                with step("backup", server, redis.app(), secret={}, **HOW) as agent:
                    facts = succeeds(server, agent, work(repository, "/stash-tmp/data"))["dump"]["database"]
            finally:
                writer.kill()
        check_equal(facts["keys"], 20002, "keys")
        redis.put(("FLUSHALL",))
        with step("restore", server, redis.app(), secret={}, **HOW) as agent:
            succeeds(server, agent, restore(repository, {"snapshots": ["latest"]}))
        check_equal(redis.databases(), {0: 20002}, "keys")
        check_equal(redis.ask("GET", "a"), redis.ask("GET", "b"), "two that always change together")
        # one whose time is over is in a dump, too, until the server has cleared it away
        redis.put(("FLUSHALL",), ("DEBUG", "SET-ACTIVE-EXPIRE", 0), ("SET", "for ever", 1), ("SET", "short", 1, "PX", 1))
        with step("backup", server, redis.app(), secret={}, **HOW) as agent:
            check_equal(succeeds(server, agent, work(repository, "/stash-tmp/data"))["dump"]["database"]["keys"], 2, "keys")
        redis.put(("FLUSHALL",))
        with step("restore", server, redis.app(), secret={}, **HOW) as agent:
            report = succeeds(server, agent, restore(repository, {"snapshots": ["latest"]}))
        check("1 keys (1 more have expired)" in report["note"], f"{report}")
        check_equal(redis.databases(), {0: 1}, "keys")


@test("DB5")
def redis_tls_users_and_what_is_refused():
    repository = temporary_folder()
    given = lambda: work(repository, "/stash-tmp/data")  # noqa: E731
    ca = b64(harness.WORLD.ca.cert)
    with Redis(tls=True) as redis, api() as server:
        redis.put(("SET", "a", "b"))
        keys = {name: open(f"{redis.folder}/{file}", encoding="ascii").read()
                for name, file in (("tls.crt", "cert"), ("tls.key", "key"))}
        for config in ({"caBundle": ca}, {"insecureSkipTLSVerify": True}):
            with step("backup", server, redis.app(**config), secret=redis.secret(**keys), **HOW) as agent:
                succeeds(server, agent, given())
        redis.put(("FLUSHALL",))
        with step("restore", server, redis.app(caBundle=ca), secret=redis.secret(**keys), **HOW) as agent:
            succeeds(server, agent, restore(repository, {"snapshots": ["latest"]}))
        check_equal(redis.ask("GET", "a"), "b\n", "what came back over TLS")
        plain = redis.app(url=f"redis://127.0.0.1:{redis.port}")
        for app, secret, reason, said in (
                (redis.app(caBundle=b64(harness.WORLD.cert)), redis.secret(**keys), "DatabaseRefused", "certificate"),
                (redis.app(caBundle=ca), redis.secret(), "DatabaseUnreachable", ""),
                (plain, redis.secret(), "DatabaseUnreachable", "")):
            with step("backup", server, app, secret=secret, wait=1, **HOW) as agent:
                fails(server, agent, given(), reason, said)
    check_equal(len(snapshots(repository)), 2, "snapshots")
    with Redis() as redis, api() as server:
        redis.put(("SET", "a", "b"))
        # one who may only ask and be a replica
        own = {"username": "reader", "password": f"{PASSWORD}-2"}
        with step("backup", server, redis.app(), secret=own, **HOW) as agent:
            succeeds(server, agent, given())
        with step("backup", server, redis.app(), "--user=reader", secret={"REDIS_PASSWORD": f"{PASSWORD}-2"}, **HOW) as agent:
            succeeds(server, agent, given())
        for secret, words, reason, said in (
                ({"password": "wrong-pass-77"}, [], "DatabaseRefused", "NOAUTH"),
                ({}, [], "DatabaseRefused", "NOAUTH"),
                ({"username": "reader"}, [], "DatabaseNotNamed", "username or password"),
                (redis.secret(), ["--database=3"], "ArgumentRefused", "as a whole"),
                (redis.secret(), ["--database-args=--rdb /etc/x"], "ArgumentRefused", "--rdb"),
                (redis.secret(), ["--command=/bin/sh"], "ArgumentRefused", "/bin/sh")):
            with step("backup", server, redis.app(), *words, secret=secret, wait=60, **HOW) as agent:
                report = fails(server, agent, given(), reason, said)
                check("wrong-pass-77" not in json.dumps(report) + "".join(agent.lines), "a secret")
                agent.ends(1)
        # who may not write gives back nothing
        redis.put(("FLUSHALL",))
        with step("restore", server, redis.app(), secret=own, **HOW) as agent:
            fails(server, agent, restore(repository, {"snapshots": ["latest"]}), "RestoreFailed", "NOPERM")
        port = redis.port
    with Redis("cluster-enabled yes", f"cluster-port {free_port()}") as redis, api() as server:
        with step("backup", server, redis.app(), secret=redis.secret(), wait=60, **HOW) as agent:
            fails(server, agent, given(), "DatabaseRefused", "redis_mode is cluster")
    check_equal(len(snapshots(repository)), 4, "snapshots")
    with api() as server, step("backup", server, {"clientConfig": {"url": f"redis://127.0.0.1:{port}"}}, wait=1, **HOW) as agent:
        fails(server, agent, given(), "DatabaseUnreachable", "refused")


def tools_with(text):
    """A redis-cli that is a script when it dumps or loads. $real is the real one."""
    folder = temporary_folder()
    write(f"{folder}/redis-cli", "#!/bin/sh\nreal=/usr/bin/redis-cli\ncase \"$*\" in *--rdb*|*--pipe*) ;; *) exec $real \"$@\";; "
                                 f"esac\n{text}\n")
    os.chmod(f"{folder}/redis-cli", 0o755)
    return {**HOW, "tools": folder}


@test("DB5")
def an_rdb_that_is_not_whole_is_no_snapshot():
    repository, seen = temporary_folder(), temporary_folder()
    given = lambda: work(repository, "/stash-tmp/data")  # noqa: E731
    with Redis() as redis, api() as server:
        redis.put(*[("SET", f"key:{i}", os.urandom(1000)) for i in range(2000)])
        secret = redis.secret()
        for text, reason, said in (
                ("exit 0", "DumpIncomplete", "is none"),
                ("$real \"$@\" | head -c 100000", "DumpIncomplete", "cut off"),
                ("$real \"$@\" | head -c 1000000; exit 3", "DumpFailed", "exit status 3"),
                ("$real \"$@\"; exit 3", "DumpFailed", "exit status 3"),
                ("$real \"$@\" | head -c 100000; kill -9 $$", "DumpFailed", "signal 9"),
                ("$real \"$@\" | tr a b", "DumpIncomplete", "cut off or damaged"),
                ("$real \"$@\"; echo more", "DumpIncomplete", "more behind"),
                ("echo NOPE; exit 0", "DumpIncomplete", "is none")):
            with step("backup", server, redis.app(), secret=secret, **tools_with(text)) as agent:
                fails(server, agent, given(), reason, said)
        with step("backup", server, redis.app(), secret=secret,
                  **tools_with(f"env > {seen}/env; echo \"$@\" > {seen}/argv; exec $real \"$@\"")) as agent:
            succeeds(server, agent, given())
        with open(f"{seen}/env", encoding="ascii") as env, open(f"{seen}/argv", encoding="ascii") as argv:
            told = env.read()
            check("RESTIC" not in told and f"REDISCLI_AUTH={PASSWORD}" in told, told)
            check(PASSWORD not in argv.read(), "a password in argv")
        # the server dies in the middle of a dump; of a restore
        dying = tools_with(f"$real \"$@\" | head -c 100000; kill -9 {redis.process.pid}; $real \"$@\"")
        with step("backup", server, redis.app(), secret=secret, **dying) as agent:
            fails(server, agent, given(), "DumpFailed", "redis-cli")
    (good,) = snapshots(repository)
    given = lambda: restore(repository, {"snapshots": [good["id"]]})  # noqa: E731
    with Redis() as redis, api() as server:
        dying = tools_with(f"(head -c 300000; kill -9 {redis.process.pid}; cat) | $real \"$@\"")
        with step("restore", server, redis.app(), secret=secret, **dying) as agent:
            fails(server, agent, given(), "RestoreFailed", "redis-cli", "overwrite=true")
    with Redis() as redis, api() as server:
        # a part is taken, the rest is kept from it
        with step("restore", server, redis.app(), secret=secret,
                  **tools_with("head -c 300000 >/dev/null; printf '' | $real \"$@\"; cat > /dev/null")) as agent:
            fails(server, agent, given(), "RestoreIncomplete", "commands")
        with step("restore", server, redis.app(), secret=secret,
                  **tools_with(f"head -c 300000 > /dev/null; touch {seen}/half; sleep 600")) as agent:
            server.work.put(given())
            eventually(lambda: os.path.exists(f"{seen}/half"), "half of it")
            agent.process.kill()
            agent.process.wait()
        check_equal(redis.databases(), {}, "keys")
        with step("restore", server, redis.app(), secret=secret, **HOW) as agent:
            succeeds(server, agent, given())
        check_equal(redis.databases(), {0: 2000}, "keys")
    check_equal(snapshots(repository), [good], "a failure is no snapshot")
