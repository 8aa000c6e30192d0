"""kubectl granary coverage: volumes, who backs them up, and why nobody does."""

import json

from harness import check, check_equal, test
from test_cluster import Cluster, put_configuration


def put_claim(cluster, name, space="demo", **metadata):
    cluster.put("persistentvolumeclaims", name, space, metadata=metadata,
                spec={"resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "fast"})


def put_web(cluster, name="web", claim="data", space="demo", **annotations):
    cluster.put("deployments", name, space, metadata={"annotations": annotations}, spec={"template": {"spec": {
        "containers": [{"name": "main", "image": "i", "volumeMounts": [{"name": "d", "mountPath": "/d"}]}],
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]}}})


def put_settings(cluster, text="excludedNamespaces: [lab]\n"):
    cluster.put("configmaps", "granary-settings", "granary-system", data={"settings.yaml": text})


def put_three(cluster):
    put_settings(cluster)
    put_configuration(cluster, "one")
    put_web(cluster)
    put_claim(cluster, "data")
    put_claim(cluster, "tmp", annotations={"granary.dev/backup": "false"})
    put_claim(cluster, "old")


@test("-")
def volumes_are_told_with_their_reason():
    with Cluster() as cluster:
        put_three(cluster)
        text = cluster.run("coverage").out
        lines = text.splitlines()
        check_equal([line.split() for line in lines[:3]],
                    [["VOLUME", "USED", "BY", "STATE", "BY"],
                     ["data", "Deployment/web", "Protected", "BackupConfiguration", "demo/one"],
                     ["tmp", "-", "Excluded", "its", "annotation", "granary.dev/backup"]], "rows")
        check("nobody asks for it; annotation stash.appscode.com/backup-blueprint of PersistentVolumeClaim old" in lines[4], text)
        check_equal(lines[-1], "3 volumes: 1 protected, 1 excluded, 1 unprotected", "the sum")
        check("5Gi   fast" in cluster.run("coverage", "-o", "wide").out, "wide")
        rows = json.loads(cluster.run("coverage", "-o", "json").out)
        check_equal([(row["claim"], row["state"]) for row in rows],
                    [("data", "Protected"), ("tmp", "Excluded"), ("old", "Unprotected")], "as JSON")
        check_equal(rows[0]["usedBy"], [{"kind": "Deployment", "name": "web"}], "who uses it")
        check("state: Unprotected" in cluster.run("coverage", "-o", "yaml").out, "as YAML")


@test("-")
def a_script_can_fail_on_what_is_unprotected():
    with Cluster() as cluster:
        put_three(cluster)
        cluster.run("coverage", "--fail-on-unprotected", code=1)
        cluster.remove("persistentvolumeclaims", "old")
        cluster.run("coverage", "--fail-on-unprotected")
        check("no volumes in namespace empty" in cluster.run("coverage", "--fail-on-unprotected", space="empty").err, "none")


@test("-")
def all_namespaces_are_counted_together():
    with Cluster() as cluster:
        put_three(cluster)
        put_claim(cluster, "data", "shop")
        put_claim(cluster, "data", "lab")
        rows = json.loads(cluster.run("coverage", "-A", "-o", "json", space=None).out)
        check_equal({(row["namespace"], row["claim"]): row["state"] for row in rows if row["claim"] == "data"},
                    {("demo", "data"): "Protected", ("shop", "data"): "Unprotected", ("lab", "data"): "Excluded"}, "states")
        check(cluster.run("coverage", "-A", space=None).out.startswith("NAMESPACE  VOLUME"), "a column more")


@test("-")
def why_a_backup_that_was_asked_for_is_not_there():
    with Cluster() as cluster:
        put_settings(cluster)
        put_claim(cluster, "data")
        put_web(cluster, **{"stash.appscode.com/backup-blueprint": "nigtly"})
        cluster.put("backupblueprints", "nightly", spec={})
        said = cluster.run("coverage").out
        check('asked for by Deployment web, but: no BackupBlueprint "nigtly": did you mean "nightly"?' in said, said)


@test("-")
def what_may_not_be_read_is_said():
    rows = [("backupblueprints", "why a backup that was asked for", 0), ("deployments", "seem to be used by nobody", 0),
            ("configmaps", "excludedNamespaces are not known", 0), ("namespaces", None, 0), ("repositories", None, 0),
            ("persistentvolumeclaims", "persistentvolumeclaims", 2), ("backupconfigurations", "backupconfigurations", 2)]
    for plural, word, code in rows:
        with Cluster() as cluster:
            put_three(cluster)
            cluster.forbidden = {plural}
            ran = cluster.run("coverage", code=code)
            check(word is None or word in ran.err, f"{plural}: {word!r} is not in {ran.err}")
            check(code or "unprotected" in ran.out, f"{plural}: {ran.out}")
    with Cluster() as cluster:
        put_three(cluster)
        put_settings(cluster, "excludedNamespace: [x]\n")
        check("did you mean" in cluster.run("coverage", code=2).err, "settings that are wrong")
        check('"x" is not expected' in cluster.run("coverage", "x", code=2).err, "an operand")


@test("-")
def a_hostile_cluster_can_not_command_the_terminal_with_volumes():
    with Cluster() as cluster:
        put_claim(cluster, "data\033[31m")
        put_web(cluster, "web\033]0;x\a", "data\033[31m", **{"stash.appscode.com/backup-blueprint": "\033[2J"})
        for form in ("text", "wide", "json", "yaml"):
            ran = cluster.run("coverage", "-o", form)
            check("\033" not in ran.out + ran.err and "\a" not in ran.out, f"{form} lets escape sequences through")
