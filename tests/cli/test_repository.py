"""kubectl granary unlock and adopt: what is told before, what is written, and how it ends."""

import threading

from harness import check, check_equal, eventually, test
from program import on_terminal
from test_cluster import Cluster, condition, put_configuration, put_session

THEM = "4f3c2f0e-9f4b-4d0e-8d52-0a8a4f0e9c11"
FOREIGN = condition("BackendRepositoryOwned", "False", "ForeignRepository",
                    f"it belongs to another cluster: {THEM}, this one is 11111111-2222-3333-4444-555555555555. Nothing was written")
OURS = condition("BackendRepositoryOwned", "True", "RepositoryOwned", "")
LOCKED = {"kind": "forget", "reason": "RepositoryLocked", "failures": 4, "lastFailure": "2026-01-01T00:00:00Z"}


def put_repository(cluster, conditions=(), maintenance=(), annotations=None):
    cluster.put("repositories", "one", metadata={"annotations": annotations or {}}, spec={},
                status={"conditions": list(conditions), "maintenance": list(maintenance)})
    put_configuration(cluster, "one")


def annotated(cluster):
    """Values that were set, in their order; each with the object that was looked at."""
    found = []
    for method, plural, name, sent in cluster.writes:
        check_equal((method, plural, name, sent["metadata"]["uid"]), ("PATCH", "repositories", "one", "repositories-demo-one"),
                    "what was written")
        found.extend(sent["metadata"]["annotations"].items())
    return found


@test("-")
def locks_are_told_before_they_are_removed():
    with Cluster() as cluster:
        put_repository(cluster, maintenance=[LOCKED])
        put_session(cluster, "one-0", "one", "Failed", error="RepositoryLocked: somebody else holds a lock")
        put_session(cluster, "one-1", "one", "Running")
        ran = cluster.run("unlock", "deployment/web", code=2)
        for word in ("maintenance (forget) failed with RepositoryLocked, 4 times", "one-0 failed: RepositoryLocked",
                     "one-1 is at work", "no pod of this cluster works there", "--yes says so"):
            check(word in ran.err, f"{word!r} is not in {ran.err}")
        check_equal(annotated(cluster), [], "what was written without a yes")
        cluster.run("unlock", "one", "--yes")
        ((key, value),) = annotated(cluster)
        check(key == "granary.dev/unlock" and value.isdigit(), f"{key}={value}")
        check("asked for already" in cluster.run("unlock", "one").err, "asked twice")
        check_equal(len(annotated(cluster)), 1, "writes after it was asked for twice")


@test("-")
def a_terminal_asks_before_locks_are_removed():
    with Cluster() as cluster:
        put_repository(cluster)
        text = on_terminal(["unlock", *cluster.options, "-n", "demo", "one"], answer="n", code=2)
        check("nothing says that a lock is in the way" in text and "nothing was done" in text, text)
        check_equal(annotated(cluster), [], "after a no")
        on_terminal(["unlock", *cluster.options, "-n", "demo", "one"], answer="y")
        check_equal(len(annotated(cluster)), 1, "after a yes")


def when_looked_at(cluster, change):
    """Changes the Repository once it is followed."""

    def run():
        eventually(lambda: cluster.writes, "something is written")
        asked = len(cluster.log)
        eventually(lambda: ("get", "repositories") in cluster.log[asked:], "it is looked at")
        change(cluster.objects["repositories"]["demo", "one"].object)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@test("-")
def an_unlock_is_followed_to_its_end():
    ends = [({"asked": True}, [], 0, "Its locks are removed"),
            ({"lastFailure": "2999-01-01T00:00:00Z", "failures": 1, "reason": "PodLost"},
             [condition("RepositoryUnlocked", "False", "FailedToUnlockRepository", "PodLost: its pod is gone")], 1,
             "PodLost: its pod is gone"), (None, [], 1, "was deleted while")]
    for entry, conditions, code, word in ends:
        with Cluster() as cluster:
            put_repository(cluster)

            def change(stored):
                if entry is None:
                    cluster.remove("repositories", "one")
                    return
                if entry.get("asked"):
                    entry["asked"] = stored["metadata"]["annotations"]["granary.dev/unlock"]
                cluster.put("repositories", "one", metadata=stored["metadata"], spec={},
                            status={"maintenance": [{"kind": "unlock", **entry}], "conditions": conditions})

            thread = when_looked_at(cluster, change)
            ran = cluster.run("unlock", "one", "--yes", "--wait", code=code)
            thread.join()
            check(word in ran.out + ran.err, f"{word!r} is not in {ran.out} {ran.err}")


@test("-")
def what_can_not_be_unlocked_or_adopted_is_said():
    with Cluster() as cluster:
        put_repository(cluster, [FOREIGN])
        check("belongs to another cluster" in cluster.run("unlock", "one", "--yes", code=2).err, "another cluster's")
        check("lists them" in cluster.run("unlock", "two", "--yes", code=2).err, "no such Repository")
        check("NAME is needed" in cluster.run("adopt", code=2).err, "no name")
        check("does not own it" in cluster.run("adopt", "one", "--yes", "--from", THEM.replace("4", "5"), code=2).err,
              "a UID that is not the owner's")
        check("--from x" in cluster.run("adopt", "one", "--yes", "--from", "x", code=2).err, "no UID")
        cluster.forbidden = {"repositories"}
        for command in ("unlock", "adopt"):
            check("forbidden" in cluster.run(command, "one", "--yes", code=2).err.lower(), f"{command} without the right")
        cluster.forbidden = {"leases", "backupsessions"}
        put_repository(cluster)
        ran = cluster.run("unlock", "one", "--yes")
        check("may not be read" in ran.err and "Warning" in ran.err, ran.err)
        cluster.writes.clear()
        check("no session has looked yet" in cluster.run("adopt", "one", "--yes", code=2).err, "nobody knows whose")
        put_repository(cluster, [OURS])
        check("already" in cluster.run("adopt", "one", "--yes").err, "ours")
        put_repository(cluster, [condition("BackendRepositoryOwned", "False", "X", "who knows")])
        check("--from" in cluster.run("adopt", "one", "--yes", code=2).err, "an owner without a name")
        check_equal(annotated(cluster), [], "what was written all the same")


@test("-")
def a_repository_is_adopted_from_who_owns_it():
    with Cluster() as cluster:
        put_repository(cluster, [FOREIGN])
        ran = cluster.run("adopt", "one", code=2)
        check(THEM in ran.err and "gone for good" in ran.err and "--yes says so" in ran.err, ran.err)
        check_equal(annotated(cluster), [], "what was written without a yes")
        ran = cluster.run("adopt", "deploy/web", "--yes", "--from", THEM)
        check_equal(annotated(cluster), [("granary.dev/adopt", THEM)], "the annotation")
        check("trigger" in ran.err, f"what comes next: {ran.err}")


@test("-")
def an_adoption_is_followed_to_its_end():
    with Cluster() as cluster:
        put_repository(cluster, [FOREIGN])
        thread = when_looked_at(cluster, lambda stored: put_repository(cluster, [OURS], annotations=stored["metadata"]["annotations"]))
        ran = cluster.run("adopt", "one", "--yes", "--wait")
        thread.join()
        check("It is this cluster's now" in ran.out, ran.out)
