"""Drills with real restic: snapshots are restored aside and compared, and what is wrong is found and told."""

import functools
import glob
import json
import os
import shutil
import stat
import subprocess

from harness import check, check_equal, eventually, temporary_folder, test, write
from running import CLUSTER, PASSWORD, RESTIC, rest_server, restic, s3_server
from test_maintain import A, B, local, maintain, secret_of, start


@functools.cache
def empty_repository():
    """Made once: deriving a key takes restic longer than all the rest."""
    folder = temporary_folder()
    restic(folder, "init")
    return folder


def repository(url=None, environment=None):
    if url:
        restic(url, "init", environment=environment)
        return url
    return shutil.copytree(empty_repository(), os.path.join(temporary_folder(), "repository"))


def back_up(url, folder, host="host-0", tag=A, session="1", environment=None):
    restic(url, "backup", f"--host={host}", f"--tag={tag}", f"--tag=session:{session}", folder, environment=environment)


def drill(backend, *, code=0, room=(), **wanted):
    """What the termination message says, and the folder that was restored to."""
    restored = temporary_folder()
    what = {"tag": A, "folder": "shop.web", **wanted}
    said = maintain("verify", backend, secret_of(), code=code,
                    words=[f"--cluster={CLUSTER}", f"--drill={json.dumps(what)}", "--restored", restored, *room])
    check_equal(said["kind"], "verify", f"{said}")
    return said, restored


def counted(said):
    return said["verified"], said["restoredFiles"], said["restoredBytes"]


def odd_data():
    """Names that no text can hold, links, holes, nothing, and what only its owner may read."""
    folder = temporary_folder()
    names = [b"new\nline", b"odd\xff\xfe", "ünï�".encode(), b"*glob[x]?", b"back\\slash", b"x" * 255, b"!bang", b"$HOME",
             b" ", b"**", b"[", b"-rf"]
    total = 0
    for name in names:
        with open(os.path.join(folder.encode(), name), "wb") as file:
            total += file.write(name * 3)
    os.makedirs(f"{folder}/deep/er/empty")
    write(f"{folder}/deep/er/file", "content\n" * 5000)
    os.link(f"{folder}/deep/er/file", f"{folder}/deep/other-name")
    os.symlink("/etc/passwd", f"{folder}/symlink")
    os.mkfifo(f"{folder}/fifo")
    with open(f"{folder}/hole", "wb") as file:
        file.truncate(3_000_000)
    write(f"{folder}/nothing", "")
    os.chmod(f"{folder}/deep/er/file", 0)
    return folder, len(names) + 4, total + 2 * 40000 + 3_000_000


@test("VD1")
def all_of_it_comes_back():
    data, files, size = odd_data()
    url = repository()
    back_up(url, data)
    said, restored = drill(local(url))
    check_equal(counted(said), (1, files, size), f"{said}")
    check("reason" not in said, f"{said}")
    check_equal(os.listdir(f"{restored}/shop.web"), [], "nothing is left in the scratch")
    _, restored = drill(local(url), keep=True)
    back = f"{restored}/shop.web/host-0{data}"
    check_equal(sorted(os.listdir(back.encode())), sorted(os.listdir(data.encode())), "what a command looks at")
    check_equal(stat.S_IMODE(os.stat(f"{back}/deep/er/file").st_mode), 0, "as it was")


@test("VD1")
def each_odd_name_can_be_drawn():
    """As many as there are: each of them is named to restic, and each is there."""
    data, files, size = odd_data()
    url = repository()
    back_up(url, data)
    said, _ = drill(local(url), files=files)
    check_equal(counted(said), (1, files, size), f"{said}")
    said, _ = drill(local(url), files=1)
    check(said["verified"] == 1 and 1 <= said["restoredFiles"] < files, f"{said}")


@test("VD1")
def the_newest_of_each_host_and_path():
    url, one, two, other = repository(), temporary_folder(), temporary_folder(), temporary_folder()
    write(f"{one}/a", "old")
    for host in ("host-0", "host-1", "gone/../../odd"):
        back_up(url, one, host)
    write(f"{one}/a", "newer")
    write(f"{two}/b", "second volume")
    write(f"{other}/c", "of another target, and much larger")
    back_up(url, one, session="2")
    back_up(url, two, session="2")
    back_up(url, other, tag=B, session="3")
    said, restored = drill(local(url), keep=True)
    check_equal(counted(said), (4, 4, 5 + 13 + 3 + 3), f"{said}")
    folders = sorted(os.listdir(f"{restored}/shop.web"))
    check_equal(folders[:2], ["host-0", "host-1"], "a folder for each host")
    check(len(folders) == 3 and folders[2].startswith("snapshot-"), f"{folders}")
    with open(f"{restored}/shop.web/host-0{one}/a") as file:
        check_equal(file.read(), "newer", "newest")
    check(os.path.exists(f"{restored}/shop.web/host-0{two}/b"), "both paths in one folder")


@test("VD1")
def one_path_within_another():
    url, outer = repository(), temporary_folder()
    write(f"{outer}/a", "a")
    os.mkdir(f"{outer}/inner")
    write(f"{outer}/inner/b", "b")
    back_up(url, outer)
    back_up(url, f"{outer}/inner")
    for keep in (False, True):
        check_equal(counted(drill(local(url), keep=keep)[0]), (2, 3, 3), "both")


@test("VD2")
def an_empty_snapshot_is_one():
    url, data = repository(), temporary_folder()
    back_up(url, data)
    for files in (0, 5):
        check_equal(counted(drill(local(url), files=files)[0]), (1, 0, 0), "nothing came, as there was")


def flip(path, place):
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


def packs(url):
    return sorted(glob.glob(f"{url}/data/*/*"), key=os.path.getsize)


def each(pattern, damage):
    return lambda url: [damage(path) for path in glob.glob(f"{url}/{pattern}")]


@test("VD3 RS6")
def damage_is_found():
    """Every kind that restic 0.18 can meet, also what it passes over in silence: a newest snapshot that can not be read."""
    cases = {
        "data": lambda url: flip(packs(url)[-1], 5000),
        "a folder": lambda url: flip(packs(url)[0], 30),
        "data cut short": lambda url: os.truncate(packs(url)[-1], 1000),
        "data lost": lambda url: os.unlink(packs(url)[-1]),
        "index": each("index/*", lambda path: flip(path, 40)),
        "no index": each("index/*", os.unlink),
    }
    sound, data = repository(), temporary_folder()
    os.mkdir(f"{data}/sub")
    with open(f"{data}/sub/big", "wb") as file:
        file.write(os.urandom(300_000))
    write(f"{data}/small", "small")
    back_up(sound, data)
    for what, damage in cases.items():
        url = shutil.copytree(sound, os.path.join(temporary_folder(), "damaged"))
        damage(url)
        said, _ = drill(local(url), code=1)
        check_equal(said["reason"], "RepositoryDamaged", f"{what}: {said}")
        check("What to do" in said["message"], f"{said}")


@test("VD3 RS6")
def a_snapshot_that_can_not_be_read():
    url, data = repository(), temporary_folder()
    write(f"{data}/a", "a")
    back_up(url, data)
    (old,) = os.listdir(f"{url}/snapshots")
    back_up(url, data, session="2")
    (new,) = set(os.listdir(f"{url}/snapshots")) - {old}
    flip(f"{url}/snapshots/{new}", 20)
    said, _ = drill(local(url), code=1)
    check_equal(said["reason"], "RepositoryDamaged", f"{said}")
    check(new in said["message"], f"{said}")


def lying(words):
    """A restic that tells something else than what there is."""
    program = os.path.join(temporary_folder(), "restic")
    write(program, f"#!/bin/sh\ncase \"$1\" in\n{words}\n*) exec {RESTIC} \"$@\";;\nesac\n")
    os.chmod(program, 0o755)
    return program


@test("VD3")
def what_differs_is_damage():
    """restic calls it a success: we count."""
    url, data = repository(), temporary_folder()
    write(f"{data}/a", "a")
    write(f"{data}/b", "b")
    back_up(url, data)
    cases = [
        (f"restore) exec {RESTIC} --exclude=b \"$@\";;", "were to be restored, and 1 of 1"),
        (f"ls) {RESTIC} \"$@\" | grep -v '\"name\":\"b\"';;", "holds 2 files of 2 bytes, and lists 1 of 1"),
        ("restore) exit 0;;", "and 0 of 0 bytes"),
    ]
    for words, sentence in cases:
        restored = temporary_folder()
        said = maintain("verify", local(url), secret_of(), code=1, program=lying(words), words=[
            f"--drill={json.dumps({'tag': A, 'folder': 'f'})}", "--restored", restored])
        check_equal(said["reason"], "RepositoryDamaged", f"{said}")
        check(sentence in said["message"], f"{said}")


@test("VD4")
def what_can_not_be_judged_is_no_damage():
    url, data = repository(), temporary_folder()
    with open(f"{data}/big", "wb") as file:
        file.write(os.urandom(200_000))
    back_up(url, data)
    said, restored = drill(local(url), code=1, room=["--room=100000"])
    check_equal(said["reason"], "ScratchTooSmall", f"{said}")
    check("interimVolumeTemplate" in said["message"], f"{said}")
    check_equal(os.listdir(f"{restored}/shop.web"), [], "nothing was begun")
    check_equal(drill(local(url), code=1, tag=B)[0]["reason"], "NoSnapshot", "of another target")
    check_equal(drill(local(url), code=1, folder="../x")[0]["reason"], "WorkNotUnderstood", "folder")
    check_equal(drill(local(temporary_folder()), code=1)[0]["reason"], "RepositoryMissing", "no repository")
    said = maintain("verify", local(url), secret_of("another-pass-word"), code=1,
                    words=[f"--drill={json.dumps({'tag': A, 'folder': 'f'})}", "--restored", temporary_folder()])
    check_equal(said["reason"], "WrongPassword", f"{said}")
    # a scratch that is full although there seemed to be room
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", data], check=True)
    try:
        said = maintain("verify", local(url), secret_of(), code=1, program=lying(
            f"ls) {RESTIC} \"$@\" | sed 's/\"size\":200000/\"size\":2000/';;"),
            words=[f"--drill={json.dumps({'tag': A, 'folder': 'f'})}", "--restored", data])
        check_equal(said["reason"], "DiskFull", f"{said}")
    finally:
        subprocess.run(["umount", data], check=True)


@test("VD4")
def told_to_end_it_ends():
    url, data, folder = repository(), temporary_folder(), temporary_folder()
    write(f"{data}/a", "a")
    back_up(url, data)
    process, result = start("verify", local(url), secret_of(), program=lying(f"restore) touch {folder}/begun; exec sleep 1000;;"),
                            words=[f"--drill={json.dumps({'tag': A, 'folder': 'f'})}", "--restored", temporary_folder()])
    eventually(lambda: os.path.exists(f"{folder}/begun"), "it restores")
    process.terminate()
    process.communicate(timeout=60)
    with open(result) as file:
        check_equal((process.returncode, json.load(file)["reason"]), (1, "PodEnded"), "end")


def lose_data(folder):
    """A storage that answers, and has not what the index names."""
    lost = [path for path in glob.glob(f"{folder}/**/data/**", recursive=True) if os.path.isfile(path)]
    check(lost, folder)
    for path in lost:
        os.unlink(path)


@test("VD1 RS12")
def from_servers():
    """An append-only server is enough for a drill: it writes a lock, and nothing else."""
    data = temporary_folder()
    write(f"{data}/a", "content")
    with rest_server("--append-only") as storage:
        url = f"http://127.0.0.1:{storage.port}/some/where"
        back_up(repository(f"rest:{url}"), data)
        backend = {"storageSecretName": "s", "rest": {"url": url}}
        check_equal(counted(drill(backend)[0]), (1, 1, 7), "REST")
        lose_data(storage.folder)
        check_equal(drill(backend, code=1)[0]["reason"], "RepositoryDamaged", "REST")
    with s3_server() as storage:
        keys = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa"}
        environment = {**keys, "AWS_DEFAULT_REGION": "us-east-1"}
        url = f"s3:http://127.0.0.1:{storage.port}/backups/shop/web"
        back_up(repository(url, environment), data, environment=environment)
        backend = {"storageSecretName": "s", "s3": {"endpoint": f"http://127.0.0.1:{storage.port}", "bucket": "backups",
                                                   "prefix": "shop/web", "region": "us-east-1"}}
        words = [f"--drill={json.dumps({'tag': A, 'folder': 'f'})}", "--restored"]
        said = maintain("verify", backend, secret_of(**keys), words=[*words, temporary_folder()])
        check_equal(counted(said), (1, 1, 7), "S3")
        lose_data(storage.folder)
        said = maintain("verify", backend, secret_of(**keys), words=[*words, temporary_folder()], code=1)
        check_equal(said["reason"], "RepositoryDamaged", f"S3: {said}")
