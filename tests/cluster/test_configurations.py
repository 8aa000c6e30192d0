"""BackupConfigurations in a real cluster: what they say of themselves, their CronJobs, who refers to a Repository, and
what blueprints and metrics say of claims. The controller runs in pods, with nothing but its own rights."""

import base64
import contextlib
import shlex
import time

from harness import ApiError, becomes, check, check_equal, eventually, pod_spec, test, workload
from installed import SYSTEM, blueprint, claim_of, metrics, place, protected
from test_certificates import controllers, forget, holder, installed

STASH = "/apis/stash.appscode.com"
CONFIGURATION = STASH + "/v1beta1/namespaces/{}/backupconfigurations/{}"
REPOSITORY = STASH + "/v1alpha1/namespaces/{}/repositories/{}"
BLUEPRINT = STASH + "/v1beta1/backupblueprints/{}"
MERGE = "application/merge-patch+json"
BY = f"system:serviceaccount:{SYSTEM}:granary-controller"


# --- objects ---------------------------------------------------------------------------------------


def repository(space, name="web"):
    return {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
            "metadata": {"name": name, "namespace": space},
            "spec": {"backend": {"s3": {"endpoint": "s3.test", "bucket": "backups", "prefix": f"{space}/{name}"},
                                 "storageSecretName": "keys"}}}


def secret(space):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": space},
            "data": {"RESTIC_PASSWORD": base64.b64encode(b"pass").decode()}}


def configuration(space, name="web", target="web", **more):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": name, "namespace": space}, "spec": {
                "repository": {"name": "web"}, "schedule": "0 3 * * *",
                "retentionPolicy": {"name": "keep-5", "keepLast": 5, "prune": True},
                "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": target},
                           "paths": ["/data"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}, **more}}


def deployment(name="web"):
    """Without pods: what is in them is the business of other tests."""
    pod = pod_spec("exec sleep 3600", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
    pod["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return workload("Deployment", name, "", replicas=0, template=pod)


# --- what is seen ----------------------------------------------------------------------------------


def status(cluster, space, name="web"):
    return cluster.api("GET", CONFIGURATION.format(space, name)).get("status", {})


def condition(cluster, space, kind, name="web"):
    """(status, message) of a condition; "absent" when it is not there."""
    found = [each for each in status(cluster, space, name).get("conditions", []) if each["type"] == kind]
    return (found[0]["status"], found[0].get("message", "")) if found else ("absent", "")


def says(cluster, space, kind, wanted, text="", name="web"):
    def found():
        is_so, message = condition(cluster, space, kind, name)
        check(is_so == wanted and text in message, f"{kind}: {is_so} {message}")
        return True
    eventually(found, f"{kind} is {wanted}: {text}")


def phase(cluster, space, wanted, name="web"):
    becomes(lambda: status(cluster, space, name).get("phase"), wanted, f"phase of {name}")


def cronjob(cluster, space, name="web"):
    return cluster.exists("cronjobs", space, f"stash-trigger-{name}")


def wrote(cluster, since, space):
    """What the controller wrote in a namespace since then. What it tried on an object that it knew in an older version
    only was refused, and changed nothing."""
    return [(entry["verb"], entry["objectRef"]["resource"], entry["objectRef"].get("subresource", ""))
            for entry in cluster.audit(since, user=BY)
            if entry["verb"] in ("create", "patch", "update", "delete") and entry["stage"] == "ResponseComplete" and
            entry["responseStatus"]["code"] < 300 and entry["objectRef"].get("namespace") == space and
            entry["objectRef"]["resource"] != "events"]


def told(cluster, space, reason):
    eventually(lambda: cluster.events(space, reason), f"event {reason}")


def leader(cluster):
    """The pod that leads."""
    name = eventually(lambda: holder(cluster), "somebody leads")
    (pod,) = [each for each in controllers(cluster) if name.startswith(each["metadata"]["name"])]
    return pod


@contextlib.contextmanager
def stage(cluster):
    """A namespace with a claim and Deployment `web`."""
    installed(cluster)
    with place(cluster) as space:
        cluster.create("deployments", space, deployment())
        yield space


def ready(cluster, space):
    """All that BackupConfiguration `web` needs, and the right to read its Secret."""
    cluster.apply([repository(space), secret(space)])
    cluster.kubectl("create", "rolebinding", "granary-secrets", f"--namespace={space}", "--clusterrole=granary-secrets",
                    f"--serviceaccount={SYSTEM}:granary-controller")
    cluster.apply([configuration(space)])
    phase(cluster, space, "Ready")


# --- tests -----------------------------------------------------------------------------------------


@test("CF1", alone=True)
def conditions_become_true_as_things_appear(cluster):
    with stage(cluster) as space:
        cluster.apply([configuration(space)])
        says(cluster, space, "RepositoryFound", "False", f"Repository {space}/web does not exist")
        phase(cluster, space, "NotReady")
        check(not cronjob(cluster, space), "a CronJob before there is a Repository")
        cluster.apply([repository(space)])
        says(cluster, space, "RepositoryFound", "True")
        says(cluster, space, "BackendSecretFound", "Unknown", "kubectl create rolebinding")
        command = condition(cluster, space, "BackendSecretFound")[1].partition(": ")[2]
        cluster.kubectl(*shlex.split(command)[1:])  # as it says
        says(cluster, space, "BackendSecretFound", "False", f"Secret {space}/keys does not exist")
        cluster.apply([secret(space)])
        phase(cluster, space, "Ready")
        told(cluster, space, "BackupReady")
        made = cronjob(cluster, space)
        check_equal((made["spec"]["schedule"], made["spec"]["timeZone"], made["spec"].get("suspend", False),
                     made["spec"]["concurrencyPolicy"]), ("0 3 * * *", "Etc/UTC", False, "Forbid"), "the CronJob")
        becomes(lambda: [each["name"] for each in cluster.api(
            "GET", REPOSITORY.format(space, "web"))["status"]["references"]], ["web"], "references")
        for what in "BackupTargetFound", "CronJobCreated", "ValidationPassed", "ScheduleKept":
            says(cluster, space, what, "True")

        cluster.api("DELETE", REPOSITORY.format(space, "web"))
        says(cluster, space, "RepositoryFound", "False", "does not exist")
        phase(cluster, space, "NotReady")
        cluster.apply([repository(space)])
        phase(cluster, space, "Ready")
        cluster.delete("deployments", space, "web")
        says(cluster, space, "BackupTargetFound", "False", f"Deployment {space}/web does not exist")


@test("CF2", alone=True)
def cronjobs_follow_and_are_put_back(cluster):
    with stage(cluster) as space:
        ready(cluster, space)
        path = CONFIGURATION.format(space, "web")
        longest = 0

        def heals(question, what):
            nonlocal longest
            begun = time.monotonic()
            eventually(question, what)
            longest = max(longest, time.monotonic() - begun)
        cluster.api("PATCH", path, {"spec": {"paused": True}}, MERGE)
        heals(lambda: cronjob(cluster, space)["spec"]["suspend"], "paused suspends")
        says(cluster, space, "ScheduleKept", "Unknown")
        cluster.api("PATCH", path, {"spec": {"paused": None, "schedule": "30 4 * * *"}}, MERGE)
        heals(lambda: (cronjob(cluster, space)["spec"]["schedule"], cronjob(cluster, space)["spec"].get("suspend")) in
              (("30 4 * * *", False), ("30 4 * * *", None)), "another schedule, not suspended")
        before = cronjob(cluster, space)["spec"]
        for change in ({"schedule": "@yearly"}, {"suspend": True},
                       {"jobTemplate": {"spec": {"template": {"spec": {"hostNetwork": True}}}}},
                       {"jobTemplate": {"spec": {"template": {"spec": {"serviceAccountName": "other"}}}}}):
            cluster.patch("cronjobs", space, "stash-trigger-web", {"spec": change})
            heals(lambda: cronjob(cluster, space)["spec"] == before, f"{change} is undone")
        cluster.delete("cronjobs", space, "stash-trigger-web")
        heals(lambda: cronjob(cluster, space), "it is made again")
        told(cluster, space, "CronJobApplied")
    return f"after {longest:.1f} s at most"


@test("CF3", alone=True)
def what_is_somebody_elses_is_left_alone(cluster):
    with stage(cluster) as space:
        foreign = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "stash-trigger-web"}, "spec": {
            "schedule": "@yearly", "jobTemplate": {"spec": {"template": {"spec": {
                **pod_spec("true"), "restartPolicy": "Never"}}}}}}
        cluster.create("cronjobs", space, foreign)
        before = cronjob(cluster, space)
        cluster.apply([repository(space), secret(space)])
        cluster.apply([configuration(space)])
        cluster.kubectl("create", "rolebinding", "granary-secrets", f"--namespace={space}",
                        "--clusterrole=granary-secrets", f"--serviceaccount={SYSTEM}:granary-controller")
        says(cluster, space, "CronJobCreated", "False", "belongs to somebody else")
        phase(cluster, space, "NotReady")
        after = cronjob(cluster, space)
        for each in before, after:
            each["metadata"].pop("managedFields", None)
        check_equal(after, before, "their CronJob")


@test("CF4", alone=True)
def when_nothing_changed_nothing_is_written(cluster):
    with stage(cluster) as space:
        ready(cluster, space)
        says(cluster, space, "ScheduleKept", "True")
        becomes(lambda: len(cluster.api("GET", REPOSITORY.format(space, "web")).get("status", {}).get("references", [])), 1,
                "references")
        # without a pod nothing waits for the container to be in the template
        eventually(lambda: "stash" in [each["name"] for each in cluster.api(
            "GET", f"/apis/apps/v1/namespaces/{space}/deployments/web")["spec"]["template"]["spec"]["containers"]],
                   "the agent is in the template")
        mark = cluster.audit_mark()
        for number in range(3):  # reasons to look again
            cluster.patch("deployments", space, "web", {"metadata": {"labels": {"looked": str(number)}}})
            cluster.api("PATCH", CONFIGURATION.format(space, "web"), {"metadata": {"labels": {"looked": "x"}}}, MERGE)
        # the label of the configuration reaches its CronJob: the one write, and the last thing that follows
        eventually(lambda: cronjob(cluster, space)["metadata"]["labels"].get("looked") == "x", "the label is there")
        check_equal(wrote(cluster, mark, space), [("patch", "cronjobs", "")], "writes")


@test("CF5", alone=True)
def blueprints_and_metrics_count_what_is_protected(cluster):
    installed(cluster)
    name = "cf-nightly"
    with place(cluster, volumes=2) as space:
        cluster.create("persistentvolumeclaims", space, claim_of(space, "alone"))
        cluster.apply([blueprint(name)])
        try:
            cluster.apply([secret(space)])
            cluster.create("deployments", space, protected("Deployment", "web", "data", {
                "stash.appscode.com/backup-blueprint": name}, replicas=0))
            path = BLUEPRINT.format(name)

            def counts():
                found = cluster.api("GET", path)["status"]
                return [found[key] for key in ("matchedTargets", "upToDateTargets", "failingTargets", "protectedVolumes",
                                               "unprotectedVolumes")]
            becomes(counts, [1, 1, 1, 0, 1], "counts while the Secret may not be read")
            check(f"Deployment {space}/web" in cluster.api("GET", path)["status"]["lastError"], "no last error")
            cluster.kubectl("create", "rolebinding", "granary-secrets", f"--namespace={space}",
                            "--clusterrole=granary-secrets", f"--serviceaccount={SYSTEM}:granary-controller")
            becomes(counts, [1, 1, 0, 1, 0], "counts when all is well")
            phase(cluster, space, "Ready", "deploy-web")
            check(cronjob(cluster, space, "deploy-web"), "no CronJob")

            def states():
                said = metrics(leader(cluster))
                return [key for key in said if key.startswith("granary_controller_claim{") and f'"{space}"' in key]
            becomes(lambda: sorted(key.partition("state=")[2].split('"')[1] for key in states()),
                    ["protected", "unprotected"], "metrics of claims")
        finally:
            with contextlib.suppress(ApiError):
                cluster.api("DELETE", BLUEPRINT.format(name))


@test("CF6", alone=True)
def missed_schedules_are_noticed_within_one_period(cluster):
    try:
        with stage(cluster) as space:
            ready(cluster, space)
            nowhere = {"pod": {"nodeSelector": {"granary.dev/test": "nowhere"}}}  # so that no session ever begins
            begun = time.monotonic()
            cluster.apply([configuration(space, "often", schedule="* * * * *", runtimeSettings=nowhere)])
            says(cluster, space, "ScheduleKept", "True", name="often")
            eventually(lambda: condition(cluster, space, "ScheduleKept", "often")[0] == "False", "it is noticed", 180)
            took = time.monotonic() - begun
            check("1 session of the schedule did not begin" in condition(cluster, space, "ScheduleKept", "often")[1],
                  "the message")
            told(cluster, space, "ScheduleMissed")
            eventually(lambda: metrics(leader(cluster))["granary_controller_sessions_missed_total"] >= 1, "the metric")
    finally:
        forget(cluster)
    check(took < 150, f"{took:.0f} s")
    return f"after {took:.0f} s, a minute's wait for the slot among them"
