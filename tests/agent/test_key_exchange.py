"""A changed RESTIC_PASSWORD with real restic: the key is exchanged, at every point somebody can open it, and what is said."""

import json
import os
import subprocess
import threading

import harness
from harness import check, check_equal, temporary_folder, test, write
from running import (AGENT, CLUSTER, PASSWORD, RESTIC, Agent, api, fails, fill as fill_data, locks, on_machine, rest_server,
                     restic, s3_server, succeeds, work)
from test_maintain import STALE, Locked, fill, local, maintain, secret_of, start

NEW = " another pass-word-51d0 ü"
RIGHT, WRONG = 0, 12


def changed(old=PASSWORD, new=NEW, **more):
    """The storage Secret as its owner leaves it."""
    return secret_of(new, **({"RESTIC_PASSWORD_OLD": old} if old else {}), **more)


def exchange(backend, secret, code=0, words=(f"--cluster={CLUSTER}",), program=RESTIC):
    said = maintain("key", backend, secret, STALE, words=words, code=code, program=program)
    check(NEW not in json.dumps(said), "a secret is told")
    return said


def state(url, environment=None):
    """What restic says with the previous and with the new password, and how many keys there are."""
    said = [restic(url, "key", "list", "--no-lock", good=False, environment={**(environment or {}), "RESTIC_PASSWORD": password})
            for password in (PASSWORD, NEW)]
    return (*(RIGHT if isinstance(each, list) else each.returncode for each in said),
            max(len(each) if isinstance(each, list) else 0 for each in said))


BEFORE, BOTH, DONE = (RIGHT, WRONG, 1), (RIGHT, RIGHT, 2), (WRONG, RIGHT, 1)


class Made:
    """A repository with nothing but its mark; to be copied, since making keys is slow."""

    lock, folder = threading.Lock(), None


def made():
    folder = os.path.join(temporary_folder(), "r")
    with Made.lock:
        if not Made.folder:
            Made.folder = temporary_folder()
            fill(Made.folder)
    subprocess.run(["cp", "-a", Made.folder, folder], check=True)
    return folder


def watching(seen):
    """A restic that notes its words, where it reads, and how many of our passwords it can see."""
    program = os.path.join(seen, "restic")
    write(program, f"""#!/bin/sh
printf '%s\\n' "$*" >> {seen}/words
case "$*" in *" add"*) readlink /proc/self/fd/0 >> {seen}/input;; esac
env | grep -c -e 'pass-word-9c41' -e 'pass-word-51d0' >> {seen}/passwords
exec {RESTIC} "$@"
""")
    os.chmod(program, 0o755)
    return program


def content(path):
    with open(path) as file:
        return file.read()


@test("RS14")
def a_key_is_exchanged_in_a_folder():
    """The whole way: backups with the new password fail and say what follows, and then succeed."""
    folder, seen, data = made(), temporary_folder(), fill_data(temporary_folder())
    repository = {"url": folder, "initialize": True, "cluster": CLUSTER}

    def given(**changes):
        return work(folder, data, environment=[{"name": "RESTIC_PASSWORD", "value": NEW}], **changes)

    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        fails(server, agent, given(), "WrongPassword", "RESTIC_PASSWORD_OLD", "What to do")
        fails(server, agent, given(repository={**repository, "keyExchange": True}), "WrongPassword",
              "maintenance exchanges the key", "RepositoryPasswordValid")
        check_equal(state(folder), BEFORE, "agents change nothing")
        check_equal(exchange(local(folder), changed(), program=watching(seen)), {"kind": "key"}, "what the Job says")
        check_equal(state(folder), DONE, "the previous and the new password, keys")
        succeeds(server, agent, given())
    # restic reads the new one from memory; each call gets the one that it opens with, and no other
    words = content(f"{seen}/words")
    check("pass-word" not in words and " add" in words and " remove" in words, words)
    check(content(f"{seen}/input").startswith("/memfd:"), content(f"{seen}/input"))
    check_equal(set(content(f"{seen}/passwords").split()), {"1"}, "passwords in the environment of each call")
    check_equal(exchange(local(folder), changed()), {"kind": "key"}, "once more: nothing is to be done")


@test("RS14")
def a_key_is_exchanged_on_a_rest_server():
    """Agents may only append there; maintenance knows the other door."""
    folder = made()
    with rest_server("--append-only", "--path", folder) as narrow, rest_server("--path", folder) as whole:
        backends = [{"storageSecretName": "s", "rest": {"url": f"http://127.0.0.1:{storage.port}/"}}
                    for storage in (narrow, whole)]
        said = exchange(backends[0], changed(), code=1)
        check("Both passwords open the repository" in said["message"], f"{said}")
        check_equal(state(folder), BOTH, "a server that keeps all keeps the previous key")
        exchange(backends[1], changed())
        check_equal(state(folder), DONE, "the previous and the new password, keys")


@test("RS14")
def a_key_is_exchanged_on_an_s3_server():
    with s3_server() as storage:
        own = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa"}
        backend = {"storageSecretName": "s", "s3": {"endpoint": f"http://127.0.0.1:{storage.port}", "bucket": "backups",
                                                   "prefix": "shop/web", "region": "us-east-1"}}
        url, environment = f"s3:http://127.0.0.1:{storage.port}/backups/shop/web", {**own, "AWS_DEFAULT_REGION": "us-east-1"}
        fill(url, environment=environment)
        exchange(backend, changed(**own))
        check_equal(state(url, environment), DONE, "the previous and the new password, keys")


@test("RS14")
def what_can_not_be_exchanged_is_left_as_it_is():
    folder = made()
    other = ["--cluster=00000000-2fa1-11d2-883f-0016d3cca427"]
    cases = [
        (changed(old=None), (), "WrongPassword", "has no RESTIC_PASSWORD_OLD"),
        (changed(old="neither-of-them"), (), "WrongPassword", "opens neither"),
        (changed(old="a\0b"), (), "StorageSecretUnusable", "RESTIC_PASSWORD_OLD"),
        (changed(new="of two\nlines"), (), "PasswordNotPossible", "end of a line"),
        (changed(new=f"{NEW}\r"), (), "PasswordNotPossible", "printf"),
        (changed(), other, "ForeignRepository", CLUSTER),
    ]
    for secret, words, reason, piece in cases:
        said = exchange(local(folder), secret, code=1, words=words)
        check_equal(said["reason"], reason, f"{said}")
        check(piece in said["message"], f"{said}")
        check("neither-of-them" not in json.dumps(said), "a secret is told")
    for secret in (secret_of(), changed(new=PASSWORD)):
        check_equal(exchange(local(folder), secret), {"kind": "key"}, "nothing is to be exchanged")
    said = maintain("check", local(folder), changed(), STALE, code=1)
    check("maintenance exchanges the key" in said["message"], f"another kind says what follows: {said}")
    check_equal(state(folder), BEFORE, "nothing was changed")


def killing(when, command):
    """A restic that kills the agent and itself before or after it does this to keys, once."""
    folder = temporary_folder()
    program = os.path.join(folder, "restic")
    call = f'{RESTIC} "$@"' if when == "after" else ":"
    write(program, f"""#!/bin/sh
case "$*" in
snapshots*) echo "[]"; exit 0;;
unlock*) exit 0;;
*" {command}"*) [ -e {folder}/killed ] || {{ {call}; touch {folder}/killed; kill -9 $PPID; kill -9 $$; }};;
esac
exec {RESTIC} "$@"
""")
    os.chmod(program, 0o755)
    return program


@test("RS14")
def killed_at_any_step_an_exchange_goes_on():
    for when, command, then in (("before", "add", BEFORE), ("after", "add", BOTH), ("before", "remove", BOTH),
                                ("after", "remove", DONE)):
        folder, program, secret = made(), killing(when, command), changed()
        process, _ = start("key", local(folder), secret, STALE, program=program)
        log = process.communicate(timeout=60 * harness.SLOW)[0].decode()
        check_equal((process.returncode, state(folder)), (-9, then), f"killed {when} {command}: {log}")
        check_equal(exchange(local(folder), secret, program=program), {"kind": "key"}, "it goes on")
        check_equal(state(folder), DONE, f"after it was killed {when} {command}")


@test("RS14 RS4")
def the_lock_of_a_dead_exchange_is_no_obstacle():
    """Whose pod was killed while it removed a key: the lock says a name that only a dead one has."""
    folder, here = made(), os.uname().nodename
    with Locked(folder) as owner:
        owner.kill()
    result = f"{temporary_folder()}/result"
    done = subprocess.run([*on_machine("another-pod"), AGENT, "maintain", "--kind=key", f"--secret={changed()}",
                           f"--backend={json.dumps(local(folder))}", "--scratch", temporary_folder(), "--restic", RESTIC,
                           "--result", result, "--run=[\"unlock\"]", f"--dead={here}"], capture_output=True,
                          env={"PATH": "/usr/bin:/bin"}, timeout=60 * harness.SLOW)
    check_equal(done.returncode, 0, done.stderr.decode())
    check_equal((state(folder), locks(folder)), (DONE, []), "the previous and the new password, keys; locks")
