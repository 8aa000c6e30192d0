"""The life of what has no pod of ours: a claim that nobody mounts, a workload in Job mode, a Task. All of us installed from
manifests/, restic in the pods of Jobs, its repository on another volume."""

import itertools

from harness import becomes, check, check_equal, eventually, shell_container, test
from installed import ANNOTATION, claim_of, protected, sidecar
from test_certificates import installed
from test_life import LATE_S, LOOK, OURS, WRITE, back_up, ended, hosts, protectable, ready_configuration, restored, running, sh

numbers = itertools.count(1)


def with_claim(cluster, space, script, claim="data"):
    """What a script says in a pod that mounts the claim; the pod is gone afterwards."""
    name = f"by-hand-{next(numbers)}"
    cluster.create("pods", space, {"metadata": {"name": name}, "spec": {
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
        "containers": [shell_container(script, volumeMounts=[{"name": "data", "mountPath": "/data"}])],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]}})
    said = cluster.finished_pod(space, name)
    cluster.delete("pods", space, name)
    return said


def annotate(cluster, space):
    cluster.patch("persistentvolumeclaims", space, "data", {"metadata": {"annotations": {ANNOTATION: space}}})


def restored_claim(cluster, space, name, repository, *rules):
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "RestoreSession", "metadata": {"name": name}, "spec": {
        "repository": {"name": repository},
        "target": {"ref": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "data"}, "rules": list(rules)}}}, space)
    return ended(cluster, "restoresessions", space, name)


def session_of(cluster, space, configuration, name):
    cluster.create("backupsessions", space, {
        "apiVersion": f"{OURS}/v1beta1", "kind": "BackupSession", "metadata": {"name": name},
        "spec": {"invoker": {"apiGroup": OURS, "kind": "BackupConfiguration", "name": configuration}}})


def stats(session):
    return session["status"]["targets"][0]["stats"]


@test("LF5", alone=True)
def a_bare_claim_comes_back(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        before = with_claim(cluster, space, f"{WRITE}\n{LOOK}")
        annotate(cluster, space)
        configuration = ready_configuration(cluster, space)
        name, repository = configuration["metadata"]["name"], configuration["spec"]["repository"]["name"]
        first = back_up(cluster, space, name, "first")
        check_equal(hosts(first), {"host-0": "Succeeded"}, "hosts")
        changed = with_claim(cluster, space, f"echo new > /data/new; rm -r '/data/with blanks'\n{LOOK}")
        back_up(cluster, space, name, "second")
        with_claim(cluster, space, "rm -rf /data/*; echo left > /data/other")

        snapshot = stats(first)[0]["snapshots"][0]["name"]
        back = restored_claim(cluster, space, "of-first", repository, {"snapshots": [snapshot]})
        check_equal((back["status"]["phase"], hosts(back)), ("Succeeded", {"host-0": "Succeeded"}), f"of {back['status']}")
        check_equal(with_claim(cluster, space, f"rm /data/other\n{LOOK}"), before, "content, owners, modes, times and links")

        with_claim(cluster, space, "rm -rf /data/*")
        back = restored_claim(cluster, space, "of-newest", repository, {})
        check_equal(back["status"]["phase"], "Succeeded", f"of {back['status']}")
        check_equal(with_claim(cluster, space, LOOK), changed, "the newest")

        jobs = cluster.list("jobs", space)
        check_equal(sorted({one["metadata"]["ownerReferences"][0]["kind"] for one in jobs
                            if "session" in str(one["metadata"]["labels"])}), ["BackupSession", "RestoreSession"], "owners")
        return f"{len(before.splitlines())} lines equal"


@test("LF6", alone=True)
def a_workload_in_job_mode_comes_back(cluster):
    installed(cluster)
    with protectable(cluster, mode="Job") as space:
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}, strategy={"type": "Recreate"}), space)
        configuration = ready_configuration(cluster, space)
        pod = running(cluster, space, "web")
        check(sidecar(cluster.get("deployments", space, "web")) is None, "the workload carries the agent")
        sh(cluster, space, pod, WRITE)
        before = sh(cluster, space, pod, LOOK)
        session = back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        check_equal([(one["hostname"], one["snapshots"][0]["path"]) for one in stats(session)], [("host-0", "/data")],
                    "host and path are those of a sidecar")
        check_equal(cluster.get("deployments", space, "web")["metadata"]["generation"], 1, "the workload is as it was")
        sh(cluster, space, pod, "rm -rf /data/*")
        restored(cluster, space, configuration["spec"]["repository"]["name"], "Deployment", {"paths": ["/data"]})
        check_equal(sh(cluster, space, running(cluster, space, "web"), LOOK), before, "what came back")
        return f"{len(before.splitlines())} lines equal"


def task(cluster, space, image, script):
    """A Task of two steps: somebody's program writes what the agent takes. Its name."""
    for name, spec in (("dump", {"image": image, "command": ["/bin/sh", "-c", script],
                                 "volumeMounts": [{"name": "work", "mountPath": "/dump"}]}),
                       ("upload", {"image": "${GRANARY_AGENT_IMAGE}", "args": ["step"],
                                   "volumeMounts": [{"name": "work", "mountPath": "/dump"}]})):
        cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "Function", "metadata": {"name": f"{space}-{name}"},
                       "spec": spec}, None)
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "Task", "metadata": {"name": f"{space}-task"}, "spec": {
        "steps": [{"name": f"{space}-dump"}, {"name": f"{space}-upload"}],
        "volumes": [{"name": "work", "emptyDir": {}}]}}, None)
    return f"{space}-task"


def forget_task(cluster, space):
    cluster.delete("tasks", None, f"{space}-task")
    for name in "dump", "upload":
        cluster.delete("functions", None, f"{space}-{name}")


def by_task(cluster, space, repository, name, target, **more):
    """A configuration of that name, made by hand, as a person writes it; Ready."""
    cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "BackupConfiguration", "metadata": {"name": name}, "spec": {
        "repository": {"name": repository}, "schedule": "0 3 * * *", "task": {"name": f"{space}-task"},
        "retentionPolicy": {"name": "k", "keepLast": 3, "prune": True},
        "target": {"ref": target, "paths": ["/dump"]}, **more}}, space)
    becomes(lambda: cluster.get("backupconfigurations", space, name).get("status", {}).get("phase"), "Ready", "phase")


def repository_of(cluster, space):
    """A Repository by hand, on the claim `store`."""
    cluster.apply({"apiVersion": f"{OURS}/v1alpha1", "kind": "Repository", "metadata": {"name": "by-hand"}, "spec": {"backend": {
        "storageSecretName": "keys",
        "local": {"persistentVolumeClaim": {"claimName": "store"}, "mountPath": "/safe"}}}}, space)
    return "by-hand"


@test("LF9", alone=True)
def a_restore_makes_its_own_claims(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        before = with_claim(cluster, space, f"{WRITE}\n{LOOK}")
        annotate(cluster, space)
        configuration = ready_configuration(cluster, space)
        back_up(cluster, space, configuration["metadata"]["name"], "by-hand")
        new = cluster.volumes(space, 2, f"{space}-new")
        template = claim_of(space, "copy-${POD_ORDINAL}", new)
        cluster.apply({"apiVersion": f"{OURS}/v1beta1", "kind": "RestoreSession", "metadata": {"name": "copies"}, "spec": {
            "repository": {"name": configuration["spec"]["repository"]["name"]},
            "target": {"replicas": 2, "volumeMounts": [{"name": "copy", "mountPath": "/stash-data"}],
                       "rules": [{"sourceHost": "host-0", "paths": ["/stash-data"]}],
                       "volumeClaimTemplates": [{"metadata": {"name": template["metadata"]["name"]},
                                                 "spec": template["spec"]}]}}}, space)
        it = ended(cluster, "restoresessions", space, "copies")
        check_equal((it["status"]["phase"], hosts(it)), ("Succeeded", {"host-0": "Succeeded", "host-1": "Succeeded"}),
                    f"of {it['status']}")
        for claim in "copy-0", "copy-1":
            check_equal(with_claim(cluster, space, LOOK, claim), before, f"what {claim} holds")
        cluster.delete("restoresessions", space, "copies")
        eventually(lambda: not [one for one in cluster.list("jobs", space) if "restore" in one["metadata"]["name"]],
                   "its Jobs go with it")
        check(cluster.exists("persistentvolumeclaims", space, "copy-1"), "the claims stay")


@test("LF7", alone=True)
def a_task_backs_up_an_application(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        cluster.apply({"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "metadata": {"name": "app"},
                       "spec": {"type": "test", "version": "1.0", "clientConfig": {"url": "tcp://localhost:1"}}}, space)
        task(cluster, space, "localhost/test-shell:dev", "echo ${TARGET_NAME} > /dump/out")
        try:
            by_task(cluster, space, repository_of(cluster, space), "app",
                    {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "app"})
            session = back_up(cluster, space, "app", "by-hand")
            (snapshot, ) = stats(session)[0]["snapshots"]
            check_equal((snapshot["path"], snapshot["fileStats"]["totalFiles"]), ("/dump", 1), f"of {snapshot}")
        finally:
            forget_task(cluster, space)


@test("LF8", alone=True)
def a_job_that_can_not_work_says_why(cluster):
    installed(cluster)
    with protectable(cluster) as space:
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "data"}
        repository = repository_of(cluster, space)
        task(cluster, space, "localhost:1/nobody/nothing:1", "true")
        try:
            by_task(cluster, space, repository, "unpulled", claim, timeOut="1m")
            session_of(cluster, space, "unpulled", "no-image")
            it = ended(cluster, "backupsessions", space, "no-image")
            check_equal(it["status"]["phase"], "Failed", f"of {it['status']}")
            check("ImagePull" in str(it["status"]), f"the image is not named: {it['status']}")
            eventually(lambda: not cluster.list("jobs", space), "the Job that nobody began is gone")
            task(cluster, space, "localhost/test-shell:dev", "exec sleep 3600")
            by_task(cluster, space, repository, "slow", claim)
            session_of(cluster, space, "slow", "cut")
            job = eventually(lambda: cluster.list("jobs", space), "a Job")[0]["metadata"]["name"]
            cluster.delete("jobs", space, job)
            it = ended(cluster, "backupsessions", space, "cut")
            check_equal(it["status"]["phase"], "Failed", f"of {it['status']}")
            check("its Job was deleted" in str(it["status"]), f"nothing of it is said: {it['status']}")
            task(cluster, space, "localhost/test-shell:dev", "exit 3")
            by_task(cluster, space, repository, "broken", claim)
            session_of(cluster, space, "broken", "exits")
            it = ended(cluster, "backupsessions", space, "exits")
            check_equal(it["status"]["phase"], "Failed", f"of {it['status']}")
            check("exit code 3" in stats(it)[0]["error"], f"the step is not named: {it['status']}")
            return stats(it)[0]["error"]
        finally:
            forget_task(cluster, space)


@test("LF10", alone=True)
def a_job_that_we_did_not_make_gets_nothing(cluster):
    """All that ours has, by somebody who may create Jobs there: labels, owner, token, image."""
    installed(cluster)
    with protectable(cluster) as space:
        task(cluster, space, "localhost/test-shell:dev", "exec sleep 3600")
        try:
            by_task(cluster, space, repository_of(cluster, space), "slow",
                    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "data"})
            session_of(cluster, space, "slow", "by-hand")
            job = eventually(lambda: cluster.list("jobs", space), "a Job")[0]
            becomes(lambda: cluster.get("backupsessions", space, "by-hand")["status"].get("phase"), "Running", "phase")
            template = job["spec"]["template"]
            del template["spec"]["initContainers"]
            for labels in job["metadata"]["labels"], template["metadata"]["labels"]:
                for name in [name for name in labels if "job" in name or "controller" in name]:
                    del labels[name]
            owner = job["metadata"]["ownerReferences"]
            cluster.create("jobs", space, {
                "metadata": {"name": "forged", "labels": job["metadata"]["labels"], "ownerReferences": owner},
                "spec": {"template": template, "backoffLimit": 0}})

            def says(text):
                return lambda: [pod for pod in cluster.pods(space, "batch.kubernetes.io/job-name=forged")
                                if text in cluster.logs(space, pod["metadata"]["name"])]
            eventually(says("no Job of this UID was made for this session"), "it is refused", LATE_S)
            it = cluster.get("backupsessions", space, "by-hand")
            check_equal((it["status"]["phase"], it["status"]["targets"][0].get("stats")), ("Running", None), "the session")
        finally:
            forget_task(cluster, space)
