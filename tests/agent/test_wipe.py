"""wipeOut with real rclone: what goes, what stays, what is refused, and what a removal leaves that is killed anywhere."""

import json
import os
import shutil
import subprocess

import tools
from harness import check, check_equal, eventually, temporary_folder, test, write
from running import CLUSTER, PASSWORD, RESTIC, free_port, locks, restic, s3_server
from test_maintain import A, fill, local, maintain, secret_of

RCLONE = tools.path_of("rclone")
OTHER_CLUSTER = "00000000-2fa1-11d2-883f-0016d3cca427"
KEYS = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa"}


def wipe(backend, secret, code=0, cluster=CLUSTER, rclone=RCLONE):
    return maintain("wipe", backend, secret, words=[f"--cluster={cluster}", "--rclone", rclone], code=code)


def filled():
    """A repository with snapshots, and beside and inside of it what restic did not make."""
    folder = temporary_folder()
    fill(folder, ("h0", A), ("h1", A))
    os.makedirs(f"{folder}/other/data")
    for name in ("notes.txt", "other/data/file", "data/readme", "index/of-mine"):
        write(f"{folder}/{name}", "mine\n")
    return folder


def files(folder):
    return sorted(os.path.relpath(os.path.join(root, name), folder) for root, _, names in os.walk(folder) for name in names)


MINE = sorted(["notes.txt", "other/data/file", "data/readme", "index/of-mine"])


def opens(url, environment=None):
    """The exit code of restic: 0 it opens, 10 there is none, 12 nobody can open it."""
    return restic(url, "cat", "config", "--no-lock", environment=environment, good=False).returncode


@test("wipe")
def what_restic_made_goes_and_the_rest_stays():
    folder = filled()
    said = wipe(local(folder), secret_of())
    check_equal((said.get("reason"), said["others"]), (None, "notes.txt, other"), f"{said}")
    check_equal(files(folder), MINE, "what is left")
    check_equal(sorted(os.listdir(folder)), ["data", "index", "notes.txt", "other"], "folders")
    empty = temporary_folder()
    fill(empty, ("h0", A))
    wipe(local(empty), secret_of())
    check_equal(os.listdir(empty), [], "nothing of anybody else was there")


@test("wipe")
def what_is_not_surely_ours_is_left_alone():
    folder, empty = filled(), temporary_folder()
    unmarked, foreign = temporary_folder(), temporary_folder()
    restic(unmarked, "init")
    write(f"{foreign}/notes.txt", "mine\n")
    fill(begun := temporary_folder(), ("h0", A))
    write(f"{begun}/granary-wipe-{OTHER_CLUSTER}", "")
    before = {each: files(each) for each in (folder, unmarked, foreign, begun, empty)}
    for place, secret, cluster, reason in (
            (folder, secret_of(), OTHER_CLUSTER, "ForeignRepository"), (unmarked, secret_of(), CLUSTER, "ForeignRepository"),
            (folder, secret_of("another-pass-word"), CLUSTER, "WrongPassword"),
            (foreign, secret_of(), CLUSTER, "RepositoryMissing"), (empty, secret_of(), CLUSTER, "RepositoryMissing"),
            (begun, secret_of(), CLUSTER, "ForeignRepository")):
        said = wipe(local(place), secret, code=1, cluster=cluster)
        check_equal(said["reason"], reason, f"{said}")
    write(f"{folder}/locks/{'b' * 64}", "not one that restic could read")
    check(wipe(local(folder), secret_of(), code=1)["reason"], "a lock of somebody unknown")
    os.unlink(f"{folder}/locks/{'b' * 64}")
    for each, what in before.items():
        check_equal(files(each), what, "nothing is gone")
    rest = {"storageSecretName": "s", "rest": {"url": "http://127.0.0.1:1/r"}}
    said = wipe(rest, secret_of(), code=1)
    check("rest can not be removed" in said["message"], f"{said}")


@test("wipe")
def who_works_there_is_not_disturbed():
    folder = temporary_folder()
    fill(folder, ("h0", A))
    pipe, end = os.pipe()
    backup = subprocess.Popen([RESTIC, "backup", "--no-cache", "--stdin"], stdin=pipe, stdout=subprocess.DEVNULL,
                              env={"RESTIC_REPOSITORY": folder, "RESTIC_PASSWORD": PASSWORD, "HOME": "/nonexistent"})
    os.close(pipe)
    try:
        eventually(lambda: locks(folder), "its lock")
        said = wipe(local(folder), secret_of(), code=1)
        check_equal(said["reason"], "RepositoryLocked", f"{said}")
    finally:
        os.close(end)
        backup.wait()
    check_equal(opens(folder), 0, "it opens")
    wipe(local(folder), secret_of())
    check_equal(os.listdir(folder), [], "once he is done it goes")


def killed_at(number):
    """An rclone that is killed instead of its call of that number (the agent's own end is the same then)."""
    folder = temporary_folder()
    path = f"{folder}/rclone"
    write(path, f"#!/bin/sh\necho x >> {folder}/calls\n[ $(wc -l < {folder}/calls) -lt {number} ] || kill -9 $$\n"
                f"exec {RCLONE} \"$@\"\n")
    os.chmod(path, 0o755)
    return path


@test("wipe")
def killed_anywhere_it_is_no_repository_and_is_removed_the_next_time():
    """Neither one that opens with something missing, nor one that is absent, so that nobody makes a new one beside it."""
    whole, seen = temporary_folder(), []
    fill(whole, ("h0", A))
    for number in (5, 6, 9, 20, 21):
        folder = os.path.join(temporary_folder(), "copy")
        shutil.copytree(whole, folder)
        said = wipe(local(folder), secret_of(), code=1, rclone=killed_at(number))
        check_equal(said["reason"], "StorageFailed", f"{said}")
        left, code = [name for name in files(folder) if not name.startswith("granary-wipe-")], opens(folder)
        seen.append(code)
        check((code == 0 and left == files(whole)) or (code == 12 and "config" in left),
              f"killed at call {number}: restic says {code}, left are {left}")
        wipe(local(folder), secret_of())
        check_equal(os.listdir(folder), [], f"what is left after a removal that was killed at call {number}")
    check_equal(seen, [0, 12, 12, 12, 12], "what restic said after each")


@test("wipe")
def an_s3_server_is_emptied_with_keys_that_no_argument_shows():
    with s3_server() as storage:
        endpoint = f"http://127.0.0.1:{storage.port}"
        backend = {"storageSecretName": "s", "s3": {"endpoint": endpoint, "bucket": "backups", "prefix": "/shop/web/",
                                                   "region": "us-east-1"}}
        environment = {**KEYS, "AWS_DEFAULT_REGION": "us-east-1"}
        ours, beside = f"s3:{endpoint}/backups/shop/web", f"s3:{endpoint}/backups/shop/web-2"
        fill(ours, ("h0", A), environment=environment)
        fill(beside, ("h0", A), environment=environment)
        folder = temporary_folder()
        program = f"{folder}/rclone"
        write(program, f"#!/bin/sh\necho \"$@\" >> {folder}/words\nenv | sort > {folder}/variables\nexec {RCLONE} \"$@\"\n")
        os.chmod(program, 0o755)
        said = wipe(backend, secret_of(**{**KEYS, "AWS_SECRET_ACCESS_KEY": "key-secret-0000"}), code=1)
        check_equal(said["reason"], "AccessDenied", f"{said}")
        said = wipe(backend, secret_of(**KEYS), rclone=program)
        check("reason" not in said and "others" not in said, f"{said}")
        check_equal((opens(ours, environment), opens(beside, environment)), (10, 0), "ours, and the one beside it")
        with open(f"{folder}/words") as file:
            words = file.read()
        with open(f"{folder}/variables") as file:
            variables = file.read()
        check("key-secret" not in words and "key-id" not in words and "place:backups/shop/web/keys" in words, words)
        check("RCLONE_CONFIG_PLACE_SECRET_ACCESS_KEY=key-secret-77aa" in variables and "RESTIC" not in variables, variables)
        check_equal(wipe(backend, secret_of(**KEYS), code=1)["reason"], "RepositoryMissing", "once more")


@test("wipe")
def an_address_that_is_not_reached_is_told():
    backend = {"storageSecretName": "s", "s3": {"endpoint": f"http://127.0.0.1:{free_port()}", "bucket": "backups"}}
    said = wipe(backend, secret_of(**KEYS), code=1)
    check_equal(said["reason"], "StorageUnreachable", json.dumps(said))
