"""Sessions by chance on one repository, most of them with a fault, and what must hold whatever happens:

- what was acknowledged as a success comes back byte-exact, until the policy says that it is to go;
- nothing is called a success that is not, and each failure has a reason that fits;
- each session ends, and the next one without a fault succeeds;
- nobody's work is removed while he is at it; in the end the repository is whole.
"""

import contextlib
import glob
import json
import os
import random
import subprocess
import threading
import time

import harness
from agent_api import Refuse
from fault_data import Data
from fault_proxy import Fault, FaultProxy
from harness import check, check_equal, eventually, temporary_folder
from running import (AGENT, PASSWORD, RESTIC, Agent, api, on_machine, picture, rest_server, restic, restore, s3_server, same,
                     uid, work)
from test_maintain import CHECK, LOOK, STALE, forget, secret_of
from test_restore import mark, mount_list, session

TAG = "target:apps/Deployment/shop/web"
KEPT = 3
STORAGES = ("folder", "s3", "rest", "small", "s3")
S3_KEYS = {"AWS_ACCESS_KEY_ID": "key-id-1", "AWS_SECRET_ACCESS_KEY": "key-secret-77aa", "AWS_DEFAULT_REGION": "us-east-1"}
PATIENCE_S = 150  # for the end of any session; of those with a hole the deadline, and 30 s for restic
DEADLINE_S = 100  # beyond what a fault that passes takes
SHORT_S = 6  # the deadline of those that can not succeed
SMALL = "40m"
NETWORK = {"StorageUnreachable", "StorageBusy", "DeadlineExceeded", "ResticFailed"}


class Outcome:
    """Of a piece of work: the report, or None when the agent has gone."""

    def __init__(self, report):
        self.report = report
        self.good = report is not None and report["outcome"] == "Succeeded"
        self.reason = None if report is None else report.get("error", {}).get("reason")


class World:
    """A repository with its storage, an application's data, an agent; `seed` decides everything but the speed."""

    def __init__(self, seed, number, stack):
        self.chance = random.Random(f"{seed}/{number}")
        self.storage = STORAGES[number % len(STORAGES)]
        self.stack, self.proxy = stack, None
        self.environment, self.lines = {}, []
        self._store()
        self.folder = temporary_folder()
        self.data = Data(self.folder, self.chance)
        self.promised = {}  # id of a snapshot: picture
        self.hosts = {}  # host: the newest that was acknowledged
        self.server = stack.enter_context(api())
        self.machines, self.agent, self.doing = 0, None, ""
        self.counts = {"Succeeded": 0, "Failed": 0, "gone": 0, "restored": 0}

    # --- the place ---

    def _store(self):
        if self.storage in ("folder", "small"):
            self.disk = temporary_folder()
            if self.storage == "small":
                self._mount(self.disk, SMALL)
            self.direct = self.url = f"{self.disk}/repository"
            os.mkdir(self.url)
            self.backend = {"local": {"mountPath": self.url}}
            return
        self.behind = server = self.stack.enter_context(s3_server() if self.storage == "s3" else rest_server())
        self.proxy = self.stack.enter_context(FaultProxy(server.port))
        if self.storage == "s3":
            self.environment = dict(S3_KEYS)
            self.direct, self.url = (f"s3:http://127.0.0.1:{port}/backups/web" for port in (server.port, self.proxy.port))
            self.backend = {"s3": {"endpoint": f"http://127.0.0.1:{self.proxy.port}", "bucket": "backups",
                                   "prefix": "web", "region": "us-east-1"}}
        else:
            self.direct, self.url = (f"rest:http://127.0.0.1:{port}/web" for port in (server.port, self.proxy.port))
            self.backend = {"rest": {"url": f"http://127.0.0.1:{self.proxy.port}/web"}}

    def _mount(self, folder, size):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "granary", folder], check=True)
        self.stack.callback(subprocess.run, ["umount", folder], check=True)

    def restic(self, *words, good=True):
        return restic(self.direct, *words, environment=self.environment, good=good)

    def listed(self):
        """{id: snapshot} of all but the marks of owners."""
        return {one["id"]: one for one in self.restic("snapshots", "--no-lock") if one["hostname"] != "granary"}

    def locks(self):
        return [line for line in self.restic("list", "locks", "--no-lock").stdout.decode().split() if line]

    def machine(self):
        self.machines += 1
        return f"pod-{self.machines}-x"

    # --- agents ---

    def sidecar(self):
        if self.agent is None or self.agent.process.poll() is not None:
            self.bury()
            self.agent = Agent("sidecar", addresses=[self.server.address], machine=self.machine())
        return self.agent

    def bury(self):
        if self.agent:
            self.agent.__exit__(None)
        self.agent = None

    def remove_keys(self):
        """What somebody does who is told that a repository was half made."""
        for path in glob.glob(f"{self.behind.folder}/**/keys/*", recursive=True):
            os.unlink(path)

    def variables(self, **changed):
        values = {"RESTIC_PASSWORD": PASSWORD, **self.environment, **changed}
        return [{"name": name, "value": value} for name, value in values.items()]

    def backup(self, host="host-0", **changes):
        given = work(self.url, self.folder, host=host, deadlineSeconds=DEADLINE_S, environment=self.variables(),
                     limits={"cache": True}, **changes)
        given["backup"]["tags"] = [TAG, f"session:{given['session']['uid']}", "snapshots:1"]
        return given

    def reports(self, given):
        return [message for path, message, _ in list(self.server.asked) if path == "/v1/report" and
                message["session"] == given["session"]["uid"] and message["attempt"] == given["attempt"]]

    def outcome(self, agent, given):
        """Waits for the end of the work."""
        def found():
            said = self.reports(given)
            return Outcome(said[0]) if said else agent.process.poll() is not None and Outcome(None)
        try:
            return eventually(found, f"the end of {given['kind']}", PATIENCE_S)
        except AssertionError:
            print("".join(agent.lines[-30:]), flush=True)
            raise

    # --- what is judged ---

    def judge_backup(self, given, outcome, seen, reasons, sure=False):
        """reasons: which failures fit; None: it must succeed. sure: it must fail."""
        self.counts["gone" if outcome.report is None else outcome.report["outcome"]] += 1
        if outcome.reason == "RepositoryHalfMade":
            check(self.proxy and not self.promised, "there is one")
            self.remove_keys()
            return
        check(PASSWORD not in json.dumps(outcome.report), "a secret is in the report")
        if not outcome.good:
            check(outcome.report is None or (reasons is not None and outcome.reason in reasons),
                  f"{reasons} was expected, and the report is {outcome.report}")
            return
        check(not sure, f"it can not have succeeded: {outcome.report}")
        (made,) = outcome.report["snapshots"]
        listed = self.listed()
        check(made["id"] in listed, f"{made['id']} is not listed")
        one = listed[made["id"]]
        check_equal((one["hostname"], one["paths"]), (given["host"], [self.folder]), "host and path of the snapshot")
        self.promised[made["id"]] = seen
        self.hosts[given["host"]] = made["id"]

    def judge_kept(self, before, exact):
        """What retention had to keep is there; exact: and nothing else."""
        listed = self.listed()
        for host in {one["hostname"] for one in before.values() if one.get("tags")}:
            those = sorted((one["time"], key) for key, one in {**before, **listed}.items() if one["hostname"] == host)
            kept = {key for _, key in those[-KEPT:]}
            check(kept <= set(listed), f"of {host} {kept - set(listed)} are gone")
            if exact:
                check_equal({key for key, one in listed.items() if one["hostname"] == host}, kept, f"kept of {host}")
        for key in [key for key in self.promised if key not in listed]:
            check(key not in self.hosts.values(), f"{key} was the newest success")
            del self.promised[key]

    def comes_back(self, key):
        """What restic itself restores of it."""
        target = temporary_folder()
        self.restic("restore", "--no-lock", f"{key}:{self.folder}", f"--target={target}")
        same(picture(target), self.promised[key])
        subprocess.run(["rm", "-rf", "--", target], check=True)

    # --- maintenance ---

    def maintain(self, kind, *runs, dead=None):
        """Starts a Job's pod: the process, and where its result will be."""
        result, name = os.path.join(temporary_folder(), "termination-log"), self.machine()
        words = [*on_machine(name), AGENT, "maintain", f"--kind={kind}", f"--secret={secret_of(**self.environment)}",
                 f"--backend={json.dumps({'storageSecretName': 's', **self.backend})}", "--scratch", temporary_folder(),
                 "--restic", RESTIC, "--result", result, *([f"--dead={dead}"] if dead else []),
                 *[f"--run={json.dumps(run)}" for run in runs]]
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={})
        return process, result, name

    @staticmethod
    def finished(process, result):
        """(what it says, its log); None when it was killed."""
        log = process.communicate(timeout=PATIENCE_S * harness.SLOW)[0].decode()
        check(not any(word in log for word in (PASSWORD, S3_KEYS["AWS_SECRET_ACCESS_KEY"], *harness.SANITIZER_WORDS)), log)
        if process.returncode < 0:
            return None, log
        with open(result) as file:
            said = json.load(file)
        check_equal("reason" not in said, process.returncode == 0, f"success; it says {said}")
        return said, log

    def unlock(self):
        """As somebody asks for who knows that nobody is at work."""
        said, log = self.finished(*self.maintain("unlock", ["unlock", "--remove-all"])[:2])
        check("reason" not in said, f"{said} {log}")

    def maintained(self, kind, *runs, dead=None):
        """Maintenance without a fault: when a killed pod has left a lock, that is said, and goes on being so until it
        is removed."""
        said, log = self.finished(*self.maintain(kind, *runs, dead=dead)[:2])
        if said.get("reason") == "RepositoryLocked":
            check(self.locks(), f"there is no lock: {log}")
            self.unlock()
            said, log = self.finished(*self.maintain(kind, *runs)[:2])
        check("reason" not in said, f"{said} {log}")
        return said

    def finish(self):
        """After the last session all must be right."""
        self.clear()
        self.data.change()
        given, seen = self.backup(), picture(self.folder)
        self.server.work.put(given)
        self.judge_backup(given, self.outcome(self.sidecar(), given), seen, None)
        self.bury()
        self.unlock()
        for key in self.promised:
            self.comes_back(key)
        self.restic("check", "--read-data", "--no-lock")
        return len(self.promised)

    def clear(self):
        """No fault is left."""
        if self.proxy:
            self.proxy.set(None)


# --- faults of backups and restores: what is done, and which reasons fit then -----------------------


@contextlib.contextmanager
def later(seconds, do):
    """Does it after a while, or when the work has ended before."""
    timer = threading.Timer(seconds, do)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


class Case:
    """A fault of one session. `given` may be changed by it; `begin` is a context while the work is done."""

    def __init__(self, world, agent, given):
        self.world, self.chance, self.agent, self.given = world, world.chance, agent, given
        self.reasons, self.sure = None, False
        self.begin = contextlib.nullcontext

    def moment(self):
        return self.chance.choice([0, 0.05, 0.2, 0.4, 0.6, 0.9, 1.3])

    def fails(self, *reasons):
        self.reasons, self.sure = set(reasons), True

    def may_fail(self, *reasons):
        self.reasons = set(reasons)


def no_fault(_):
    pass


def restic_is_killed(case):
    seconds = case.moment()

    def kill():
        for child in case.agent.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)
    case.begin = lambda: later(seconds, kill)
    case.may_fail("Killed")


def agent_is_killed(case):
    seconds = case.moment()
    case.begin = lambda: later(seconds, case.agent.process.kill)
    case.may_fail()


def pod_is_told_to_end(case):
    seconds = case.moment()
    case.begin = lambda: later(seconds, case.agent.process.terminate)
    case.may_fail("PodEnded", "Interrupted")


def api_is_away(case):
    """For longer than the work takes, or for a part of it."""
    seconds, kind = case.chance.choice([0.5, 2, 3]), case.chance.randrange(3)
    answers, right = case.world.server.answers, dict(case.world.server.answers)
    wrong = [lambda _: None, Refuse(503), Refuse(500)][kind]

    @contextlib.contextmanager
    def begin():
        answers.update({"/v1/progress": wrong, "/v1/report": wrong})
        with later(seconds, lambda: answers.update(right)):
            try:
                yield
            finally:
                answers.update(right)
    case.begin = begin


def session_is_cancelled(case):
    asked, answers = case.chance.randrange(3), case.world.server.answers

    @contextlib.contextmanager
    def begin():
        count = iter(range(1000))
        answers["/v1/progress"] = lambda _: {"continue": next(count) < asked, "reason": "somebody deleted it"}
        try:
            yield
        finally:
            answers["/v1/progress"] = {"continue": True}
    case.begin = begin
    case.may_fail("Cancelled")


def too_late(case):
    case.given["deadlineSeconds"] = case.chance.randrange(2)
    case.may_fail("DeadlineExceeded")


def wrong_password(case):
    if not case.world.promised:  # it would become the right one
        return
    case.given["environment"] = case.world.variables(RESTIC_PASSWORD="another-pass-word")
    case.fails("WrongPassword")


def wrong_keys(case):
    case.given["environment"] = case.world.variables(AWS_SECRET_ACCESS_KEY="not-the-key")
    case.fails("AccessDenied")


def through(case, fault):
    """What happens on the way to the storage."""
    @contextlib.contextmanager
    def begin():
        case.world.proxy.set(fault)
        try:
            yield
        finally:
            case.world.clear()
    case.begin = begin


def clock_is_wrong(case):
    through(case, Fault("skew"))
    case.fails("ClockSkewed", "AccessDenied")  # an answer to HEAD has no words


def keys_expire(case):
    word = case.chance.choice(["AccessDenied", "ExpiredToken"])
    through(case, Fault("status", first=case.chance.randrange(12), code=403, word=word))
    case.given["deadlineSeconds"] = SHORT_S  # restic asks a REST server again and again
    case.may_fail("AccessDenied", "DeadlineExceeded")


def bucket_goes(case):
    through(case, Fault("status", first=4 + case.chance.randrange(12), code=404, word="NoSuchBucket"))
    case.given["deadlineSeconds"] = SHORT_S
    case.may_fail("BucketMissing", "RepositoryMissing", "DeadlineExceeded", "ResticFailed", "SnapshotNotListed", "NoSnapshot",
                  "RepositoryDamaged")


def storage_errs(case):
    code, word = case.chance.choice([(503, "SlowDown"), (500, "InternalError"), (503, "ServiceUnavailable")])
    through(case, Fault("status", case.chance, many=case.chance.choice([10, 30]), code=code, word=word))
    case.may_fail(*NETWORK)


def storage_is_down(case):
    through(case, Fault("status", first=case.chance.randrange(10), code=503, word="SlowDown"))
    case.given["deadlineSeconds"] = SHORT_S
    case.may_fail(*NETWORK)


def requests_are_cut(case):
    through(case, Fault("cut", case.chance, many=25, percent=case.chance.randrange(0, 101, 5)))
    case.may_fail(*NETWORK)


def answers_are_lost(case):
    through(case, Fault(case.chance.choice(["lost", "half"]), case.chance, many=20))
    case.may_fail(*NETWORK)


def network_is_slow(case):
    through(case, Fault("slow", case.chance, many=50, seconds=case.chance.choice([0.1, 0.3])))


def packets_vanish(case):
    """Somewhere in the middle, for good or for a while."""
    passes, fault = case.chance.randrange(2), Fault("hole", first=case.chance.randrange(14))
    through(case, fault)
    case.may_fail(*NETWORK)
    if not passes:
        case.given["deadlineSeconds"] = SHORT_S
        return
    inner = case.begin

    @contextlib.contextmanager
    def begin():
        with inner(), later(3, case.world.clear):
            yield
    case.begin = begin


def disk_is_full(case):
    """All of it is taken but a little."""
    left = case.chance.choice([0, 100 << 10, 1 << 20])

    @contextlib.contextmanager
    def begin():
        status, path = os.statvfs(case.world.disk), f"{case.world.disk}/ballast"
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(status.f_bavail * status.f_frsize - left, 1))
        try:
            yield
        finally:
            os.unlink(path)
    case.begin = begin
    case.may_fail("DiskFull", "ResticFailed")


def somebody_is_at_work(case):
    """A lock of one that lives: nobody minds, and he is not disturbed."""
    @contextlib.contextmanager
    def begin():
        with neighbour(case.world):
            yield
    case.begin = begin


# faults, which storages have them, and whether restores meet them too
ALL, REMOTE = ("folder", "small", "s3", "rest"), ("s3", "rest")
FAULTS = [(no_fault, ALL, True), (restic_is_killed, ALL, True), (agent_is_killed, ALL, True),
          (pod_is_told_to_end, ALL, False), (api_is_away, ALL, True), (session_is_cancelled, ALL, True), (too_late, ALL, True),
          (wrong_password, ALL, True), (wrong_keys, ("s3",), True), (clock_is_wrong, ("s3",), True),
          (keys_expire, REMOTE, True), (bucket_goes, ("s3",), True), (storage_errs, REMOTE, True),
          (storage_is_down, REMOTE, True), (requests_are_cut, REMOTE, True), (answers_are_lost, REMOTE, True),
          (network_is_slow, REMOTE, True), (packets_vanish, REMOTE, True), (disk_is_full, ("small",), False),
          (disk_is_full, ("small",), False), (somebody_is_at_work, ALL, True)]


@contextlib.contextmanager
def neighbour(world):
    """A backup of somebody else that does not end before we say so: it reads a pipe. What it was told is there in the
    end, whatever was done beside it."""
    if not world.promised:  # no repository yet
        yield
        return
    content, before = world.chance.randbytes(200000), set(world.locks())
    process = subprocess.Popen([*on_machine(world.machine()), RESTIC, "backup", "--json", "--no-cache", "--host=neighbour",
                                "--stdin", "--stdin-filename=pipe"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={"RESTIC_REPOSITORY": world.direct, "RESTIC_PASSWORD": PASSWORD, "HOME": "/nonexistent",
                                    **world.environment})
    process.stdin.write(content[:100000])
    process.stdin.flush()
    eventually(lambda: set(world.locks()) - before or process.poll() is not None, "the neighbour's lock")
    try:
        yield
    finally:
        out, err = process.communicate(content[100000:], timeout=PATIENCE_S * harness.SLOW)
    check_equal(process.returncode, 0, f"the neighbour's backup: {err.decode()}")
    (key,) = [one["snapshot_id"] for one in map(json.loads, out.splitlines()) if one["message_type"] == "summary"]
    check(world.restic("dump", "--no-lock", key, "/pipe").stdout == content, "the neighbour's backup is broken")


# --- sessions --------------------------------------------------------------------------------------


def pick(world, restores=False):
    fault = world.chance.choice([fault for fault, storages, both in FAULTS
                                 if world.storage in storages and (both or not restores)])
    world.doing = fault.__name__
    return fault


def back_up(world):
    world.data.change()
    given, seen, agent = world.backup(), picture(world.folder), world.sidecar()
    fault = pick(world)
    world.doing = f"back up, {world.doing}"
    case = Case(world, agent, given)
    fault(case)
    with case.begin():
        world.server.work.put(given)
        outcome = world.outcome(agent, given)
    world.judge_backup(given, outcome, seen, case.reasons, case.sure)
    if outcome.report is None:  # a controller gives it to the next container
        while not world.server.work.empty():
            world.server.work.get()
        given = {**given, "attempt": 2, "deadlineSeconds": DEADLINE_S}
        world.server.work.put(given)
        world.judge_backup(given, world.outcome(world.sidecar(), given), seen, None)
    return outcome


def back_up_two(world):
    """Two hosts at once, as soon as there is a repository: the controller lets one alone make it."""
    if not world.promised:
        return back_up(world)
    world.doing = "back up two hosts"
    world.data.change()
    seen, other = picture(world.folder), Agent("sidecar", addresses=[world.server.address], machine=world.machine())
    agents = [world.sidecar(), other]
    given = [world.backup(host) for host in ("host-0", "host-1")]
    with other:
        for each in given:
            world.server.work.put(each)
        for each in given:
            outcome = eventually(lambda: world.reports(each) and Outcome(world.reports(each)[0]),  # pylint: disable=cell-var-from-loop
                                 "the end of one of two", PATIENCE_S)
            world.judge_backup(each, outcome, seen, None)
        check(all(agent.process.poll() is None for agent in agents), "the agents go on")
    return outcome


def come_back(world):
    """A restore before an application starts."""
    chosen = world.chance.choice(sorted(world.promised)) if world.promised else None
    if not chosen:
        return back_up(world)
    wanted = world.promised[chosen]
    world.data.destroy(wanted)
    identity, fault = uid(), pick(world, restores=True)
    world.doing = f"restore, {world.doing}"
    given = restore(world.url, {"snapshots": [chosen], "paths": [world.folder]}, deadlineSeconds=DEADLINE_S,
                    environment=world.variables(), limits={"cache": True})
    given["session"]["uid"] = identity
    words = [*session(identity), mount_list(world.folder)]
    world.bury()
    with Agent("init", *words, addresses=[world.server.address], machine=world.machine()) as agent:
        case = Case(world, agent, given)
        fault(case)
        with case.begin():
            world.server.work.put(given)
            first = outcome = world.outcome(agent, given)
        if outcome.good:
            agent.ends(0)
        elif outcome.report:
            check(case.reasons is not None and outcome.reason in case.reasons | {"PartlyRestored"},
                  f"{fault.__name__}: {case.reasons} was expected, and the report is {outcome.report}")
            check(agent.process.poll() is None, "the application starts on what was not restored")
            agent.ends(1, number=15)
    check(not (outcome.good and case.sure), f"it can not have succeeded: {outcome.report}")
    if not outcome.good:
        while not world.server.work.empty():
            world.server.work.get()
        check(mark(world.folder) != f"done {identity}" or outcome.report is None, "the mark of a success")
        outcome = restore_again(world, words, given, wanted)
    world.counts["restored"] += 1
    same(picture(world.folder), wanted)
    check_equal(mark(world.folder), f"done {identity}", "mark")
    return first


def restore_again(world, words, given, wanted):
    """The next container: it asks again, unless all was there when the one before was killed."""
    again = {**given, "attempt": 2, "deadlineSeconds": DEADLINE_S, "environment": world.variables()}
    if mark(world.folder) == f"done {given['session']['uid']}":
        same(picture(world.folder), wanted)
    with Agent("init", *words, addresses=[world.server.address], machine=world.machine()) as agent:
        world.server.work.put(again)
        outcome = world.outcome(agent, again)
        check(outcome.good or (outcome.report is None and mark(world.folder).startswith("done")),
              f"a restore without a fault: {outcome.report}")
        agent.ends(0)
    while not world.server.work.empty():
        world.server.work.get()
    return outcome


def maintain(world):
    """Retention, prune or check: alone, beside a backup, beside somebody else's lock, killed, or on a bad network."""
    if not world.promised:
        return back_up(world)
    kind, runs = world.chance.choice([("forget", [STALE, forget(TAG, f"--keep-last={KEPT}"), *LOOK]),
                                      ("forget", [STALE, forget(TAG, f"--keep-last={KEPT}"), *LOOK]),
                                      ("prune", [STALE, ["prune"], *LOOK]), ("check", [STALE, CHECK, *LOOK])])
    ways = [alone, alone, beside_a_backup, beside_a_lock, killed] + ([on_a_bad_network] if world.proxy else [])
    before = world.listed()
    way = world.chance.choice(ways)
    world.doing = f"{kind} {way.__name__}"
    exact = way(world, kind, runs) and kind == "forget"
    if kind == "forget":
        world.judge_kept(before, exact)
    else:
        check(set(before) <= set(world.listed()), "snapshots are gone")
    return None


def alone(world, kind, runs):
    said = world.maintained(kind, *runs)
    check(kind != "check" or said["errors"] == 0, f"{said}")
    return True


def beside_a_backup(world, kind, runs):
    """Nobody kept them apart: one of them may have to wait or to give up, but neither breaks the other."""
    world.data.change()
    given, seen, agent = world.backup(), picture(world.folder), world.sidecar()
    world.server.work.put(given)
    if world.chance.randrange(2):
        eventually(lambda: agent.children() or world.reports(given), "restic is at work")
    said, log = world.finished(*world.maintain(kind, *runs)[:2])
    check(said.get("reason") in (None, "RepositoryLocked"), f"{said} {log}")
    world.judge_backup(given, world.outcome(agent, given), seen, None)
    return False


def beside_a_lock(world, kind, runs):
    with neighbour(world):
        said, log = world.finished(*world.maintain(kind, *runs)[:2])
        check_equal(said.get("reason"), "RepositoryLocked", log)
    return alone(world, kind, runs)


def killed(world, kind, runs):
    """And made again at once, before anybody else is let in."""
    process, result, name = world.maintain(kind, *runs)
    with later(world.chance.choice([0.1, 0.3, 0.6, 0.9, 1.2]), process.kill):
        said, _ = world.finished(process, result)
    if said and said.get("reason") == "RepositoryLocked":
        world.unlock()
    world.maintained(kind, *runs, dead=name)
    return True


def on_a_bad_network(world, kind, runs):
    name, more = world.chance.choice([("lost", {}), ("half", {}), ("cut", {"percent": 50}),
                                      ("status", {"code": 503, "word": "SlowDown"})])
    world.proxy.set(Fault(name, world.chance, many=15, **more))
    with later(5, world.clear):
        said, log = world.finished(*world.maintain(kind, *runs)[:2])
    world.clear()
    # a lock whose answer was lost is its own
    check(said.get("reason") in {None, "RepositoryLocked", "NotRemoved", *NETWORK} or
          (kind == "check" and said["reason"] == "RepositoryDamaged"), f"{said} {log}")
    if "reason" not in said:
        return True
    return alone(world, kind, runs)


KINDS = [back_up] * 6 + [come_back] * 2 + [maintain] * 3 + [back_up_two]


def run(seed, number, count):
    """So many sessions in a world; returns what was seen. What was done is printed when it fails."""
    told = []
    with contextlib.ExitStack() as stack:
        world = World(seed, number, stack)
        stack.callback(world.bury)
        try:
            for _ in range(count):
                world.doing, began = "", time.monotonic()
                outcome = world.chance.choice(KINDS)(world)
                end = (outcome.reason or "Succeeded" if outcome.report else "gone") if outcome else "as it has to"
                told.append(f"{world.doing}: {end} ({time.monotonic() - began:.1f} s)")
            world.doing = "the end"
            promised = world.finish()
        except BaseException:
            print(f"SEED={seed}/{number} on {world.storage}: {told}, then {world.doing}", flush=True)
            raise
        return told, f"{world.counts}, {promised} snapshots came back"
