"""kubectl granary restore: what it makes, tells, asks, follows and refuses."""

import json
import threading

from harness import check, check_equal, eventually, test
from program import granary, on_terminal
from test_cluster import Cluster, RUNNING, condition, put_configuration

MOUNTS = {"volumeMounts": [{"name": "data", "mountPath": "/data"}], "paths": ["/data"]}


def put_web(cluster, name="one", kind="Deployment", of="web", strategy="Recreate", **more):
    put_configuration(cluster, name, target={"ref": {"apiVersion": "apps/v1", "kind": kind, "name": of}, **MOUNTS})
    cluster.put("repositories", name, spec={}, status={"snapshotCount": 7, "integrity": True, **more})
    if kind == "Deployment":
        cluster.put("deployments", of, spec={"strategy": {"type": strategy}})


def made(cluster):
    return [sent for method, plural, _, sent in cluster.writes if (method, plural) == ("POST", "restoresessions")]


@test("-")
def a_restore_is_told_asked_and_made():
    with Cluster() as cluster:
        put_web(cluster)
        check("--yes says so" in cluster.run("restore", "one", code=2).err, "no terminal, and nobody was asked")
        check_equal(made(cluster), [], "what was made without a yes")
        ran = cluster.run("restore", "deployment/web", "--yes")
        (sent,) = made(cluster)
        check(ran.out == f"restoresession.stash.appscode.com/{sent['metadata']['name']} created\n", ran.out)
        check("Into Deployment demo/web: /data, from the newest snapshot, in Repository demo/one" in ran.err, ran.err)
        check("Its pods are replaced" in ran.err and "Warning" not in ran.err, ran.err)
        check_equal(sent["spec"]["target"]["rules"], [{"paths": ["/data"]}], "rules")


@test("-")
def on_a_terminal_a_yes_is_a_yes():
    for answer, code, count in [("y", 0, 1), ("yes", 0, 1), ("", 2, 0), ("n", 2, 0), ("yesterday is meant", 2, 0)]:
        with Cluster() as cluster:
            put_web(cluster)
            text = on_terminal(["restore", *cluster.options, "-n", "demo", "one"], answer=answer, code=code)
            check(("created" if count else "nothing was done") in text, f"{answer!r}: {text}")
            check_equal(len(made(cluster)), count, f"sessions made after {answer!r}")


@test("-")
def a_dry_run_writes_nothing():
    with Cluster() as cluster:
        put_web(cluster)
        ran = cluster.run("restore", "one", "--dry-run", "--as-of", "2026-01-31T18:00:00Z")
        check_equal(cluster.writes, [], "what was written")
        ((method, plural, tried),) = cluster.tried
        check_equal((method, plural), ("POST", "restoresessions"), "what the server was asked")
        check("kind: RestoreSession" in ran.out and "asOf: \"2026-01-31T18:00:00Z\"" in ran.out.replace("'", '"'), ran.out)
        check("nothing was made" in ran.err and "of 2026-01-31T18:00:00Z or before" in ran.err, ran.err)
        shown = json.loads(cluster.run("restore", "one", "--dry-run", "--as-of", "2026-01-31T18:00:00Z", "-o", "json").out)
        check_equal(shown["spec"], tried["spec"], "what is shown is what was tried")


REFUSED = [
    # options, what the words are about
    (["--as-of", "yesterday"], ["spec.target.rules[0].asOf"]),
    (["--snapshot", "xyz"], ["spec.target.rules[0].snapshots"]),
    (["--snapshot", "4bba301e", "--as-of", "2026-01-31T18:00:00Z"], ["not allowed beside snapshots"]),
    (["--snapshot", "4bba301e", "--snapshot", "4bba301e"], ["is given twice"]),
    (["--to", "old"], ["expected KIND/NAME"]),
    (["--to", "sts/db"], ["is of kind Deployment"]),
    (["--param", "a=b"], ["nobody reads it"]),
    (["--host", "../x"], ["targetHosts"]),
    (["--to", ""], ["its value is empty"]),
]


@test("-")
def what_can_not_be_restored_is_said_before():
    with Cluster() as cluster:
        put_web(cluster)
        for options, words in REFUSED:
            ran = cluster.run("restore", "one", "--yes", *options, code=2)
            for word in words:
                check(word in ran.err, f"{options}: {word!r} is not in {ran.err}")
        check("did you mean one" in cluster.run("restore", "onne", "--yes", code=2).err, "a name that is not there")
        check("NAME is needed" in granary("restore", code=2).err, "no name")
        cluster.remove("repositories", "one")
        check("make it again" in cluster.run("restore", "one", "--yes", code=2).err, "no Repository")
        cluster.forbidden = {"restoresessions"}
        cluster.put("repositories", "one", spec={})
        check("forbidden" in cluster.run("restore", "one", "--yes", code=2).err.lower(), "without the right")
        check("would be refused" in cluster.run("restore", "one", "--dry-run", code=2).err, "a dry run without the right")
        check_equal(made(cluster), [], "what was made all the same")


@test("-")
def a_restore_of_the_same_target_comes_first():
    with Cluster() as cluster:
        put_web(cluster)
        name = cluster.run("restore", "one", "--yes").out.split("/")[1].split()[0]
        said = cluster.run("restore", "one", "--yes", code=2).err
        check(f"{name} of the same target is not over (new)" in said and f"delete restoresession {name}" in said, said)
        (stored,) = cluster.objects["restoresessions"].values()
        cluster.put("restoresessions", name, metadata=stored.object["metadata"], spec=stored.object["spec"],
                    status={"phase": "Failed"})
        cluster.run("restore", "one", "--dry-run")


@test("-")
def what_is_doubtful_is_a_warning():
    rows = [(dict(strategy="RollingUpdate"), "old pods write"), (dict(integrity=False), "damaged"),
            (dict(snapshotCount=0), "has no snapshots")]
    for options, word in rows:
        with Cluster() as cluster:
            put_web(cluster, **options)
            check(word in cluster.run("restore", "one", "--yes").err, f"{options}: {word!r} is not said")
    with Cluster() as cluster:
        put_web(cluster)
        cluster.remove("deployments", "web")
        check("there is no Deployment web" in cluster.run("restore", "one", "--yes").err, "no target")
    with Cluster() as cluster:
        put_web(cluster)
        cluster.forbidden = {"deployments", "repositories"}
        ran = cluster.run("restore", "one", "--yes")
        check("Warning" in ran.err and len(made(cluster)) == 1, f"what may not be looked at: {ran.err}")


def play(cluster, *changes):
    """Lets the session go through these states, each when the one before was seen."""

    def looks():
        return len([each for each in cluster.log if each == ("get", "restoresessions")])

    def run():
        eventually(lambda: cluster.objects["restoresessions"], "a session is made")
        ((_, name),) = cluster.objects["restoresessions"]
        for number, change in enumerate(changes, 1):
            asked = looks()
            (stored,) = cluster.objects["restoresessions"].values()
            cluster.put("restoresessions", name, metadata=stored.object["metadata"], spec=stored.object["spec"],
                        status=change)
            eventually(lambda: number == len(changes) or looks() > asked + 1, "it is looked at")

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@test("-")
def a_restore_is_followed_to_its_end():
    good = {"phase": "Succeeded", "sessionDuration": "12s", "stats": [
        {"hostname": "host-0", "phase": "Succeeded", "duration": "9s", "note": "3 files have another owner"}]}
    bad = {"phase": "Failed", "stats": [{"hostname": "host-0", "phase": "Failed", "error": "NoSnapshot: check asOf"}]}
    lost = {"phase": "Unknown", "stats": [{"hostname": "host-0", "phase": "Unknown", "error": "its pod is gone"}]}
    wrong = {"phase": "Invalid", "conditions": [condition("ValidationPassed", "False", "X", "usagePolicy forbids it")]}
    rows = [((RUNNING, good), 0, ["Running\n", "Succeeded after 12s", "host-0: Succeeded after 9s: 3 files have"]),
            ((bad,), 1, ["Failed: NoSnapshot: check asOf", "What to do:", "granary.dev/start-anyway=true"]),
            ((lost,), 1, ["Unknown: its pod is gone", "What to do:"]),
            ((wrong,), 1, ["Invalid: usagePolicy forbids it"])]
    for changes, code, words in rows:
        with Cluster() as cluster:
            put_web(cluster)
            thread = play(cluster, *changes)
            ran = cluster.run("restore", "one", "--yes", "--wait", code=code)
            thread.join()
            for word in words:
                check(word in ran.out + ran.err, f"{word!r} is not in {ran.out} {ran.err}")


@test("-")
def a_terminal_shows_how_far_a_restore_is():
    with Cluster() as cluster:
        put_web(cluster)
        thread = play(cluster, RUNNING, {"phase": "Succeeded"})
        text = on_terminal(["restore", *cluster.options, "-n", "demo", "one", "--wait"], answer="y")
        thread.join()
        check("[###############               ] 50 %, 1.0 MiB of 2.0 MiB, 9s left" in text, text)
