"""Restore drills with all of us installed: by schedule, with a command in the application's image, and what they find."""

import glob
import json
import os

from harness import becomes, check, check_equal, eventually, test
from installed import metrics
from test_certificates import controllers, installed
from test_life import LATE_S, protectable
from test_maintenance import Kept

# a command that is right about sound data only: it looks at the file that a session was named in
COMMAND = ["/bin/sh", "-c", "test -s $GRANARY_RESTORED/host-0/data/who && test ! -e /var/run/secrets/kubernetes.io"]


def flip_data(it):
    """One bit in the largest pack, which holds contents of files."""
    pack = max(glob.glob(f"{it.folder()}/data/*/*"), key=os.path.getsize)
    os.chmod(pack, 0o600)
    with open(pack, "r+b") as file:
        file.seek(5000)
        (byte,) = file.read(1)
        file.seek(5000)
        file.write(bytes([byte ^ 1]))


def let_a_check_come(it):
    """As if a day had gone by: retention is due before it, and both after the session that was."""
    before = it.done("check")["job"]
    passed = [{**each, "lastSuccess": "2026-01-01T00:00:00Z"} if each["kind"] == "check" else each
              for each in it.status()["maintenance"]]
    it.cluster.kubectl("patch", "repository.stash.appscode.com", it.repository, "-n", it.space, "--subresource=status",
                       "--type=merge", "-p", json.dumps({"status": {"maintenance": passed}}))
    eventually(lambda: it.done("check").get("job") != before and it.done("check"), "a check", LATE_S)


def told(it, figure):
    """What the leader's metrics say of this Repository's drills; who does not lead says nothing."""
    name = (f"granary_repository_maintenance_{figure}{{namespace=\"{it.space}\",repository=\"{it.repository}\","
            "kind=\"verify\"}")
    return max([metrics(pod).get(name, 0) for pod in controllers(it.cluster)], default=0)


@test("VD5", alone=True)  # RS6
def drills_say_whether_all_comes_back(cluster):
    installed(cluster)
    rules = {"name": "test", "prune": True, "keepLast": 1}
    verify = {"schedule": "@every 15s", "command": COMMAND}
    with protectable(cluster, retentionPolicy=rules, verify=verify) as space:
        it = Kept(cluster, space, rules)
        check_equal(it.configuration["spec"]["verify"], verify, "what the blueprint says is handed on")
        it.back_up("first")
        drill = eventually(lambda: it.done("verify").get("lastSuccess") and it.done("verify"), "a drill", LATE_S)
        check_equal((drill["verified"], drill["restoredFiles"]), (1, 2), f"{drill}")
        check(drill["restoredBytes"] > 50 * 1024, f"{drill}")
        becomes(lambda: it.condition("RestoreVerified"), "True", "condition")
        eventually(lambda: told(it, "last_success_timestamp_seconds") > 0, "a metric of the success")
        flip_data(it)
        eventually(lambda: it.done("verify").get("damaged"), "the flipped bit is found", LATE_S)
        becomes(lambda: it.condition("RestoreVerified"), "False", "condition")
        check_equal(it.status()["integrity"], False, "integrity")
        (event, *_) = eventually(lambda: cluster.events(space, "FailedToVerifyRestore", it.repository), "an event")
        check(event[0] == "Warning" and "RepositoryDamaged" in event[3], f"{event}")
        eventually(lambda: told(it, "failures") > 0, "a metric of the failure")
        it.back_up("second")
        let_a_check_come(it)
        check_equal(it.listed()[0], 2, "snapshots: the older one may be needed")
        return f"{drill}; {event[3][:200]}"
