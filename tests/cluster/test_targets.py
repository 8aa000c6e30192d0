"""What follows from annotations in an installation from manifests/: Repository and BackupConfiguration, for life.

The tests share the installation of test_certificates.py; workloads have no replicas, so that nothing has to run."""

import contextlib
import json
import time

import test_certificates as certificates
from granary import ask
from harness import ApiError, becomes, check, check_equal, eventually, test
from installed import ANNOTATION, LABEL, SYSTEM, blueprint, claim_of, plain, protected, sidecar
from test_certificates import CONTROLLER

STASH = "/apis/stash.appscode.com"
USER = f"system:serviceaccount:{SYSTEM}:{CONTROLLER}"
MERGE = "application/merge-patch+json"
MANY = 60


# --- what there is --------------------------------------------------------------------------------


def path(kind, space, name=""):
    version = "v1alpha1" if kind == "repositories" else "v1beta1"
    place = f"/namespaces/{space}" if space else ""
    return f"{STASH}/{version}{place}/{kind}" + (f"/{name}" if name else "")


def found(cluster, kind, space, name):
    """The object, or None."""
    try:
        return cluster.api("GET", path(kind, space, name))
    except ApiError as why:
        check_equal(why.code, 404, str(why))
        return None


def listed(cluster, kind, space):
    return cluster.api("GET", path(kind, space))["items"]


def configuration(cluster, space, name="deploy-web"):
    return eventually(lambda: found(cluster, "backupconfigurations", space, name), f"BackupConfiguration {space}/{name}")


def change(cluster, kind, space, name, patch):
    return cluster.api("PATCH", path(kind, space, name), patch, MERGE)


def annotate(cluster, space, name="web", **values):
    """Sets annotations of a Deployment as its owner does; None removes one."""
    return cluster.patch("deployments", space, name, {"metadata": {"annotations": {
        key if "/" in key else f"stash.appscode.com/{key.replace('_', '-')}": value for key, value in values.items()}}})


def written(cluster, since, space):
    """[(verb, resource, name)]: what the controller wrote there of what follows from annotations."""
    return [(entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("name"))
            for entry in cluster.audit(since, user=USER, namespace=space)
            if entry["verb"] in ("create", "patch", "update", "delete") and entry["stage"] == "ResponseComplete" and
            entry["objectRef"]["resource"] in ("repositories", "backupconfigurations") and
            not entry["objectRef"].get("subresource") and entry["responseStatus"]["code"] < 300]


def announced(cluster, since, space):
    """What admission announced of a workload: the audit annotation plan-sha256."""
    return {value for entry in cluster.audit(since, namespace=space)
            for key, value in entry.get("annotations", {}).items() if key.endswith("/plan-sha256")}


@contextlib.contextmanager
def place(cluster, *blueprints, **labels):
    """A namespace, and blueprints that are there as long as it."""
    certificates.installed(cluster)
    if blueprints:
        cluster.apply(list(blueprints), None, "--server-side")
    try:
        with cluster.namespace({**LABEL, **labels}) as space:
            yield space
    finally:
        for each in blueprints:
            with contextlib.suppress(ApiError):
                cluster.api("DELETE", path("backupblueprints", None, each["metadata"]["name"]))


def web(name="web", blueprint_name="tg", **annotations):
    return protected("Deployment", name, "data", {ANNOTATION: blueprint_name, **annotations}, replicas=0)


def by_hand(space):
    """A BackupConfiguration that somebody wrote himself, of the name that ours would have."""
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": "deploy-web", "namespace": space}, "spec": {
                "repository": {"name": "mine"}, "schedule": "@daily",
                "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
                "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                           "paths": ["/data"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}}}


def warned(cluster, space, name, *words):
    """Waits for an event on the workload that says all of this."""
    return eventually(lambda: [event for event in cluster.events(space, name=name)
                               if all(word in " ".join(event) for word in words)], f"an event with {words}")


def shown(cluster, space, name, reason, *words):
    """Waits until condition PlanCarriedOut of a BackupConfiguration says all of this; reason None: until it is gone."""
    def is_so():
        status = configuration(cluster, space, name).get("status", {})
        found = [each for each in status.get("conditions", []) if each["type"] == "PlanCarriedOut"]
        if not reason:
            return not found
        return found and found[0]["reason"] == reason and all(word in found[0]["message"] for word in words)

    eventually(is_so, f"PlanCarriedOut of {name} with {reason} {words}")


# --- tests ----------------------------------------------------------------------------------------


@test("TG1", alone=True)
def a_life_row_by_row(cluster):
    with place(cluster, blueprint("tg")) as space:
        mark = cluster.audit_mark()
        # annotated: Repository, then BackupConfiguration, as admission has announced
        cluster.create("deployments", space, web())
        made = configuration(cluster, space)
        repository = found(cluster, "repositories", space, "deploy-web")
        check_equal({each["metadata"]["annotations"]["granary.dev/plan-sha256"] for each in (made, repository)},
                    announced(cluster, mark, space), "the hash that admission announced")
        check_equal(made["metadata"]["labels"], {"granary.dev/blueprint": "tg", "granary.dev/target-kind": "Deployment",
                                                 "granary.dev/target-name": "web"}, "labels")
        (owner, ) = made["metadata"]["ownerReferences"]
        check_equal((owner["kind"], owner["name"], owner["controller"]), ("Deployment", "web", True), "owner")
        check_equal(made["spec"]["target"]["paths"], ["/data"], "the full target")
        eventually(lambda: [verb for verb, _, _ in written(cluster, mark, space)] == ["patch", "patch"], "two writes")
        check_equal([resource for _, resource, _ in written(cluster, mark, space)],
                    ["repositories", "backupconfigurations"], "their order")
        uid = repository["metadata"]["uid"]

        # another schedule: in place
        annotate(cluster, space, schedule="7 7 * * *")
        becomes(lambda: configuration(cluster, space)["spec"]["schedule"], "7 7 * * *", "the schedule")
        annotate(cluster, space, schedule=None)

        # paused by hand: survives an edit of the blueprint
        change(cluster, "backupconfigurations", space, "deploy-web", {"spec": {"paused": True}})
        change(cluster, "backupblueprints", None, "tg", {"spec": {"schedule": "1 1 * * *"}})
        becomes(lambda: configuration(cluster, space)["spec"]["schedule"], "1 1 * * *", "the blueprint's schedule")
        check_equal(configuration(cluster, space)["spec"]["paused"], True, "paused")

        # edited by hand: put back
        change(cluster, "backupconfigurations", space, "deploy-web", {"spec": {"schedule": "2 2 * * *"}})
        becomes(lambda: configuration(cluster, space)["spec"]["schedule"], "1 1 * * *", "the schedule, put back")

        # not annotated any more: BackupConfiguration and sidecar go, the Repository stays, and is used again
        annotate(cluster, space, backup_blueprint=None)
        eventually(lambda: not found(cluster, "backupconfigurations", space, "deploy-web"), "it goes")
        check(sidecar(cluster.get("deployments", space, "web")) is None, "the sidecar is still there")
        check_equal(found(cluster, "repositories", space, "deploy-web")["metadata"]["uid"], uid, "Repository")
        annotate(cluster, space, backup_blueprint="tg")
        check_equal(configuration(cluster, space)["spec"]["repository"]["name"], "deploy-web", "its Repository")
        check_equal(found(cluster, "repositories", space, "deploy-web")["metadata"]["uid"], uid, "the same Repository")

        # another location: another Repository, the old one stays
        change(cluster, "backupblueprints", None, "tg", {"spec": {"backend": {"s3": {"bucket": "elsewhere"}}}})
        other = eventually(lambda: configuration(cluster, space)["spec"]["repository"]["name"] != "deploy-web" and
                           configuration(cluster, space)["spec"]["repository"]["name"], "another Repository")
        check_equal(found(cluster, "repositories", space, other)["spec"]["backend"]["s3"]["bucket"], "elsewhere", "bucket")
        check_equal(found(cluster, "repositories", space, "deploy-web")["metadata"]["uid"], uid, "the old Repository")

        # deleted
        cluster.delete("deployments", space, "web", "?propagationPolicy=Background")
        eventually(lambda: not found(cluster, "backupconfigurations", space, "deploy-web"), "it goes with its target")
        check_equal(len(listed(cluster, "repositories", space)), 2, "Repositories")


@test("TG2", alone=True)
def a_blueprint_that_comes_later_and_one_that_goes(cluster):
    with place(cluster) as space:
        cluster.create("deployments", space, web(blueprint_name="tg-late"))
        warned(cluster, space, "web", "Warning", "BackupBlueprintNotFound", "tg-late")
        begun = time.monotonic()
        cluster.apply(blueprint("tg-late"), None, "--server-side")
        try:
            configuration(cluster, space)
            took = time.monotonic() - begun
        finally:
            cluster.api("DELETE", path("backupblueprints", None, "tg-late"))
        # what is there stays
        warned(cluster, space, "web", "BackupBlueprintNotFound")
        check(found(cluster, "backupconfigurations", space, "deploy-web"), "it went with its blueprint")
    # both in one file, the workload first
    with place(cluster) as space:
        try:
            cluster.apply([{**web(blueprint_name="tg-file"), "metadata": {**web(blueprint_name="tg-file")["metadata"],
                                                                         "namespace": space}},
                           blueprint("tg-file")])
            configuration(cluster, space)
        finally:
            cluster.api("DELETE", path("backupblueprints", None, "tg-file"))
    return f"used {took:.1f} s after it came"


@test("TG3", alone=True)
def what_others_hold_is_left_to_them(cluster):
    with place(cluster, blueprint("tg"), blueprint("tg-one", backend={
            "s3": {"endpoint": "s3.test", "bucket": "backups", "prefix": "all"}, "storageSecretName": "keys"})) as space:
        # a BackupConfiguration of the same name, made by hand
        before = cluster.api("POST", path("backupconfigurations", space), by_hand(space))
        cluster.create("deployments", space, web())
        warned(cluster, space, "web", "Warning", "NameTaken", "made by hand")
        shown(cluster, space, "deploy-web", "NameTaken", f"apps/Deployment/{space}/web")
        annotate(cluster, space, backup_blueprint=None)
        shown(cluster, space, "deploy-web", None)
        # a field that somebody states by an apply of his own
        cluster.create("deployments", space, web("held"))
        configuration(cluster, space, "deploy-held")
        cluster.apply({"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
                       "metadata": {"name": "deploy-held", "namespace": space}, "spec": {"schedule": "3 3 * * *"}}, None,
                      "--server-side", "--field-manager=team", "--force-conflicts")
        warned(cluster, space, "held", "Warning", "Conflict", "team")
        shown(cluster, space, "deploy-held", "Conflict", "schedule", "team")
        check_equal(configuration(cluster, space, "deploy-held")["spec"]["schedule"], "3 3 * * *", "the team's schedule")
        # he wants the same
        cluster.apply({"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
                       "metadata": {"name": "deploy-held", "namespace": space}, "spec": {"schedule": "0 2 * * *"}}, None,
                      "--server-side", "--field-manager=team")
        shown(cluster, space, "deploy-held", None)
        # one place for two
        for name in ("one", "two"):
            cluster.create("deployments", space, web(name, "tg-one"))
        both = eventually(lambda: [event for event in cluster.events(space) if event[0] == "Warning" and
                                   f"{space}/one" in event[3]] or
                          [event for event in cluster.events(space) if event[0] == "Warning" and
                           f"{space}/two" in event[3]], "an event that names the other one")
        check(both, "no event")
        check_equal(len([each for each in listed(cluster, "repositories", space)
                         if each["spec"]["backend"]["s3"]["prefix"] == "all"]), 1, "Repositories of that place")
        after = found(cluster, "backupconfigurations", space, "deploy-web")
        check_equal((after["metadata"]["uid"], after["spec"]), (before["metadata"]["uid"], before["spec"]), "made by hand")


@test("TG4", alone=True)
def a_namespace_that_goes_in_the_middle(cluster):
    space = "tg-going"
    with place(cluster, blueprint("tg")):
        cluster.create("namespaces", None, {"metadata": {"name": space, "labels": LABEL}})
        for number in range(10):
            cluster.create("deployments", space, web(f"web-{number}"))
        cluster.delete("namespaces", None, space)
        eventually(lambda: not cluster.exists("namespaces", None, space), "it is gone")
        logs = "".join(cluster.logs(SYSTEM, pod["metadata"]["name"]) for pod in certificates.controllers(cluster))
        said = [line for line in logs.splitlines() if space in line and '"level":"error"' in line]
        check_equal(said, [], "errors in the log")


@test("TG5", alone=True)
def the_label_of_a_namespace(cluster):
    with place(cluster, blueprint("tg")) as space:
        cluster.create("deployments", space, plain(web(), replicas=0))
        cluster.patch("namespaces", None, space, {"metadata": {"labels": {"granary.dev/blueprint": "tg"}}})
        configuration(cluster, space)
        cluster.patch("namespaces", None, space, {"metadata": {"labels": {"granary.dev/blueprint": None}}})
        eventually(lambda: not found(cluster, "backupconfigurations", space, "deploy-web"), "it goes with the label")
        check(found(cluster, "repositories", space, "deploy-web"), "the Repository is gone")


@test("TG9", alone=True)
def a_claim_that_nobody_uses(cluster):
    with place(cluster, blueprint("tg"), **{"granary.dev/blueprint": "tg"}) as space:
        cluster.volumes(space)
        cluster.create("persistentvolumeclaims", space, claim_of(space))
        cluster.create("deployments", space, plain(web(), replicas=0))
        configuration(cluster, space)
        cluster.delete("deployments", space, "web")
        configuration(cluster, space, "pvc-data")
        cluster.create("deployments", space, plain(web(), replicas=0))
        eventually(lambda: not found(cluster, "backupconfigurations", space, "pvc-data"), "it goes when a workload takes it")
        check(found(cluster, "repositories", space, "pvc-data"), "the Repository is gone")
        configuration(cluster, space)


@test("TG6", alone=True)
def what_is_not_on_the_workload_reaches_it_by_a_stamp(cluster):
    with place(cluster) as space:
        cluster.create("deployments", space, plain(web(), replicas=0))
        cluster.api("POST", path("backupconfigurations", space), by_hand(space))
        eventually(lambda: sidecar(cluster.get("deployments", space, "web")), "the sidecar of a configuration made by hand")
        check("granary.dev/stamp" in cluster.get("deployments", space, "web")["metadata"]["annotations"], "no stamp")
        cluster.api("DELETE", path("backupconfigurations", space, "deploy-web"))
        eventually(lambda: not sidecar(cluster.get("deployments", space, "web")), "it goes with it")
        generation = cluster.get("deployments", space, "web")["metadata"]["generation"]
        check_equal(generation, 3, "changes of the workload")


@test("TG7", alone=True)
def an_edit_reaches_all_targets_and_then_there_is_peace(cluster):
    try:
        with place(cluster, blueprint("tg")) as space:
            mark = cluster.audit_mark()
            cluster.apply([{**web(f"w-{number}"), "metadata": {**web(f"w-{number}")["metadata"], "namespace": space}}
                           for number in range(MANY)])
            eventually(lambda: len(listed(cluster, "backupconfigurations", space)) == MANY, "all are configured")
            check_equal(len(written(cluster, mark, space)), 2 * MANY, "writes")
            mark, begun = cluster.audit_mark(), time.monotonic()
            change(cluster, "backupblueprints", None, "tg", {"spec": {"schedule": "4 4 * * *"}})
            becomes(lambda: {each["spec"]["schedule"] for each in listed(cluster, "backupconfigurations", space)},
                    {"4 4 * * *"}, "schedules")
            took = time.monotonic() - begun
            eventually(lambda: len(written(cluster, mark, space)) == 2 * MANY, "writes of the edit")
            # a new leader finds all as it should be
            mark = cluster.audit_mark()
            certificates.led_by_another(cluster, lambda pod: cluster.delete("pods", SYSTEM, pod["metadata"]["name"]))
            eventually(lambda: len([entry for entry in cluster.audit(mark, user=USER, namespace=space, verb="get")
                                    if entry["objectRef"]["resource"] == "deployments"]) >= MANY, "all are looked at")
            check_equal(written(cluster, mark, space), [], "writes of the next leader")
    finally:
        certificates.forget(cluster)
    return f"{MANY} targets follow within {took:.1f} s; {json.dumps(2 * MANY)} writes, then none"


@test("TG8", alone=True)
def what_stash_has_left_can_be_deleted(cluster):
    with place(cluster) as space:
        made = {"metadata": {"name": "left", "finalizers": ["stash.appscode.com", "test.granary.dev/other"]}}
        restore = {**made, "apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "spec": {
            "repository": {"name": "mine"}, "target": {
                "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "rules": [{"paths": ["/data"]}]}}}
        repository = {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
                      "metadata": {"name": "mine", "finalizers": ["stash"]},
                      "spec": {"backend": {"s3": {"endpoint": "s3.test", "bucket": "b", "prefix": "left"},
                                           "storageSecretName": "keys"}}}
        held = {**by_hand(space), "metadata": {**by_hand(space)["metadata"], "finalizers": ["stash.appscode.com"]}}
        for kind, it in (("repositories", repository), ("backupconfigurations", held), ("restoresessions", restore)):
            cluster.api("POST", path(kind, space), it)
        for kind, name, left in (("repositories", "mine", []), ("backupconfigurations", "deploy-web", []),
                                 ("restoresessions", "left", ["test.granary.dev/other"])):
            becomes(lambda kind=kind, name=name: found(cluster, kind, space, name)["metadata"].get("finalizers", []), left,
                    f"finalizers of {kind}")
        # and that is all that our rights are for
        for patch, good in (({"metadata": {"finalizers": []}}, True), ({"spec": {"repository": {"name": "other"}}}, False),
                            ({"metadata": {"labels": {"a": "b"}}}, False), ({"metadata": {"annotations": {"a": "b"}}}, False)):
            answer = ask(cluster, "PATCH", path("restoresessions", space, "left"), patch, USER, kind=MERGE)
            check_equal(answer.code, 200 if good else 422, f"{patch} ({answer.message})")
