"""Data of the size and of the kinds that are hard to keep: many files, large ones, holes. GRANARY_LONG=1 for the full size."""

import os
import random

from harness import check, check_equal, temporary_folder, test
from running import Agent, api, picture, restore, same, snapshots, succeeds, work
from test_restore import destroy, mount_list, session

LONG = bool(os.environ.get("GRANARY_LONG"))
SMALL_FILES = 100000 if LONG else 10000
DENSE_BYTES = (2 << 30) if LONG else (64 << 20)
SPARSE_BYTES = (5 if LONG else 1) << 30
LIMIT_S = 1500


def many(folder):
    """Small files in folders, some of them linked, owned by others, with attributes and odd names."""
    chance = random.Random(folder)
    for number in range(SMALL_FILES):
        place = f"{folder}/{number // 1000}".encode()
        if number % 1000 == 0:
            os.mkdir(place)
        name = os.path.join(place, b"%d" % number if number % 97 else b"%d\n\xff" % number + b"n" * 200)
        with open(name, "wb") as file:
            file.write(b"%d " % number * (number % 50))
        if number % 101 == 0:
            os.chown(name, number, number + 1)
            os.chmod(name, 0o4750)
        if number % 103 == 0:
            os.setxattr(name, b"user.number", b"%d" % number)
        if number % 107 == 0:
            os.link(name, name + b"-linked")
        if number % 109 == 0:
            os.symlink(name, name + b"-symbolic")
        if number % 113 == 0:
            os.utime(name, ns=(number, chance.randrange(2 * 10**18)))


def large(folder):
    """A file that is nearly all hole, and a dense one."""
    with open(f"{folder}/sparse", "wb") as file:
        for place in (0, SPARSE_BYTES // 3, SPARSE_BYTES - 5):
            file.seek(place)
            file.write(b"bytes")
    with open(f"{folder}/dense", "wb") as file:
        block = random.Random(1).randbytes(1 << 20)
        for number in range(DENSE_BYTES >> 20):  # no two blocks are the same, and none has to be made anew
            file.write(number.to_bytes(8, "big") + block[8:])


def comes_back(data):
    repository, before = temporary_folder(), picture(data)
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds_late(server, agent, work(repository, data))
        destroy(data)
        given = restore(repository, {"paths": [data]})
        check_equal(len(snapshots(repository)), 1, "snapshots")
    words = [*session(given["session"]["uid"]), mount_list(data)]
    with api() as server, Agent("init", *words, addresses=[server.address], machine="pod") as agent:
        succeeds_late(server, agent, given)
        agent.ends(0)
    same(picture(data), before)
    return before


def succeeds_late(server, agent, given):
    server.work.put(given)
    (report, ) = server.wait("/v1/report", 1, LIMIT_S)
    check_equal((report["outcome"], report.get("error")), ("Succeeded", None), "report")


@test("RS10")
def a_folder_of_many_files_comes_back():
    data = temporary_folder()
    many(data)
    before = comes_back(data)
    check(len(before) > SMALL_FILES, f"{len(before)} names")


@test("RS10")
def large_files_come_back():
    data = temporary_folder()
    large(data)
    comes_back(data)
    status = os.stat(f"{data}/sparse")
    check_equal(status.st_size, SPARSE_BYTES, "size of the sparse file")
    check(status.st_blocks * 512 < SPARSE_BYTES // 10, f"its holes are filled: {status.st_blocks * 512} bytes")


@test("RS10 RS13")
def holes_come_back_over_data():
    """What was written into them after the backup is zeros again, whatever a file was grown, cut or linked to."""
    data = temporary_folder()
    for name in ("same", "longer", "shorter", "linked"):
        with open(f"{data}/{name}", "wb") as file:
            file.write(b"begin")
            file.truncate(12 << 20)
            file.seek(6 << 20)
            file.write(b"middle")
    os.link(f"{data}/linked", f"{data}/again")
    repository, before = temporary_folder(), picture(data)
    with api() as server, Agent("sidecar", addresses=[server.address]) as agent:
        succeeds(server, agent, work(repository, data))
    for name, size in (("same", 12 << 20), ("longer", 20 << 20), ("shorter", 1 << 20), ("linked", 12 << 20)):
        with open(f"{data}/{name}", "wb") as file:
            file.write(b"x" * size)
    given = restore(repository, {"paths": [data]})
    words = [*session(given["session"]["uid"]), mount_list(data)]
    with api() as server, Agent("init", *words, addresses=[server.address]) as agent:
        succeeds(server, agent, given)
        agent.ends(0)
    same(picture(data), before)
