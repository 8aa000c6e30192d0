"""kubectl granary snapshots: what sessions name, and what is not known."""

import json

from harness import check, check_equal, test
from test_cluster import Cluster, ago, put_configuration, put_session


@test("-")
def snapshots_are_listed_as_far_as_they_are_known():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        put_configuration(cluster, "two", "PersistentVolumeClaim", "data")
        cluster.put("repositories", "one", spec={}, status={"snapshotCount": 12})
        put_session(cluster, "one-0", "one", "Succeeded", made=ago(days=1, hours=2))
        put_session(cluster, "one-1", "one", "Succeeded")
        put_session(cluster, "one-2", "one", "Failed", error="x")
        ran = cluster.run("snapshots", "deploy/web")
        check_equal([line.split() for line in ran.out.splitlines()],
                    [["TARGET", "SNAPSHOT", "TAKEN", "HOST", "PATH", "SIZE"],
                     ["Deployment/web", "ab12cd34", "2h", "ago", "host-0", "/data", "3.000", "MiB"],
                     ["Deployment/web", "ab12cd34", "1d2h", "ago", "host-0", "/data", "3.000", "MiB"]], "rows")
        check("one held 12 snapshots when it was last counted, 2 are named here" in ran.err and "--as-of" in ran.err, ran.err)
        check("two" not in ran.err, f"another's repository: {ran.err}")
        wide = cluster.run("snapshots", "one", "-o", "wide").out
        check("NEW" in wide and "1.000 MiB" in wide and "one-1" in wide, wide)
        rows = json.loads(cluster.run("snapshots", "-A", "-o", "json", space=None).out)
        check_equal([(row["session"], row["snapshot"], row["repository"]["name"]) for row in rows],
                    [("one-1", "ab12cd34", "one"), ("one-0", "ab12cd34", "one")], "as JSON")
        check("snapshot:" in cluster.run("snapshots", "-o", "yaml").out, "as YAML")
        check(cluster.run("snapshots", "-A", space=None).out.startswith("NAMESPACE  TARGET"), "a column more")


@test("-")
def what_is_not_known_of_snapshots_is_said():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        ran = cluster.run("snapshots")
        check(not ran.out and "no session that is still there" in ran.err and "is not known" in ran.err, ran.err)
        check("did you mean one" in cluster.run("snapshots", "onne", code=2).err, "another name")
        cluster.forbidden = {"repositories"}
        check("Warning" in cluster.run("snapshots").err, "Repositories that may not be read")
        cluster.forbidden = {"backupsessions"}
        check("backupsessions" in cluster.run("snapshots", code=2).err, "sessions that may not be read")


@test("-")
def names_of_snapshots_can_not_command_the_terminal():
    with Cluster() as cluster:
        put_configuration(cluster, "one")
        put_session(cluster, "one-0", "one", "Succeeded")
        stored = cluster.objects["backupsessions"]["demo", "one-0"].object
        for target in stored["status"]["targets"]:
            target["stats"][0].update(hostname="h\033[31m", snapshots=[{"name": "\033]0;x\a", "path": "\n\033[2J"}])
        cluster.put("backupsessions", "one-0", metadata=stored["metadata"], spec=stored["spec"], status=stored["status"])
        for form in ("text", "wide", "json", "yaml"):
            ran = cluster.run("snapshots", "-o", form)
            check("\033" not in ran.out + ran.err and "\a" not in ran.out, f"{form} lets escape sequences through")
