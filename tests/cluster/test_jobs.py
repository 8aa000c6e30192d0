"""The Jobs that the controller would make: a real API server takes them, in namespaces of both restricted levels."""

import itertools
import json
import os
import subprocess

import tools
from granary import ask, kustomized, policies
from harness import check, check_equal, eventually, test
from test_certificates import installed

LEVELS = ("baseline", "restricted")
PROGRAM = os.path.join(tools.ROOT, os.environ.get("BUILD", "build"), "tests", "cluster", "make_jobs")
STASH = "stash.appscode.com/v1beta1"
REPOSITORIES = {
    "s3": {"storageSecretName": "keys", "s3": {"endpoint": "https://s3", "bucket": "abc"}},
    "local": {"storageSecretName": "keys", "local": {"mountPath": "/repo", "persistentVolumeClaim": {"claimName": "repo"}}},
}
TASKS = [{"metadata": {"name": "pg-backup-15.0"}, "spec": {
    "steps": [{"name": "dump", "params": [{"name": "outputDir", "value": "/stash-tmp/output"}]}, {"name": "upload"}],
    "volumes": [{"name": "work", "emptyDir": {}}]}}]
FUNCTIONS = [
    {"metadata": {"name": "dump"}, "spec": {
        "image": "postgres:${TARGET_APP_VERSION}", "command": ["pg_dumpall"],
        "args": ["--file=${INTERIM_DATA_DIR}/dump.sql", "--output=${outputDir}", "${args:=}"],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        "runtimeSettings": {"resources": {"requests": {"cpu": "1"}}, "env": [{"name": "PGHOST", "value": "${TARGET_NAME}"}]}}},
    {"metadata": {"name": "upload"}, "spec": {"image": "${GRANARY_AGENT_IMAGE}", "args": ["step"]}}]
SETTINGS = {
    "none": {},
    "many": {"runtimeSettings": {
        "pod": {"podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}, "nodeSelector": {"kubernetes.io/os": "linux"},
                "priorityClassName": "system-node-critical", "tolerations": [{"operator": "Exists"}], "enableServiceLinks": False,
                "securityContext": {"fsGroup": 7}, "schedulerName": "other", "imagePullSecrets": [{"name": "pull"}],
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]}}},
                "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]},
        "container": {"resources": {"limits": {"cpu": "2"}}, "env": [{"name": "A", "value": "b"}],
                      "envFrom": [{"configMapRef": {"name": "x", "optional": True}}]}},
        "tempDir": {"medium": "Memory", "sizeLimit": "1Gi"}, "timeOut": "1h",
        "interimVolumeTemplate": {"metadata": {"name": "work"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}},
}
USER = {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "fsGroup": 1000}
POD = {"spec": {"securityContext": USER, "containers": [{"name": "app", "volumeMounts": [{"name": "d", "mountPath": "/data"}]}],
                "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}}
DEPLOYMENT = {"metadata": {"name": "web"}, "spec": {"template": POD}}
SET = {"metadata": {"name": "web"}, "spec": {
    "volumeClaimTemplates": [{"metadata": {"name": "d"}}],
    "template": {"spec": {"containers": POD["spec"]["containers"]}}}}
APP = {"metadata": {"name": "pg"}, "spec": {"type": "postgres", "version": "15.3", "clientConfig": {}}}
TARGETS = {
    "claim": ("v1", "PersistentVolumeClaim", "data", None, {}),
    "claim of a pod": ("v1", "PersistentVolumeClaim", "data", None, {"neighbour": POD, "attached": {"data": "node-1"}}),
    "deployment": ("apps/v1", "Deployment", "web", DEPLOYMENT, {}),
    "set": ("apps/v1", "StatefulSet", "web", SET, {"ordinal": 2}),
    "application": ("appcatalog.appscode.com/v1alpha1", "AppBinding", "pg", APP, {}),
}


def made(requests):
    ran = subprocess.run([PROGRAM], input=json.dumps(requests), capture_output=True, text=True, check=False)
    check_equal((ran.returncode, ran.stderr), (0, ""), "make_jobs")
    return json.loads(ran.stdout)


def request(space, level, target, repository, restore, settings):
    version, kind, name, it, more = TARGETS[target]
    spec = {"target": {"ref": {"apiVersion": version, "kind": kind, "name": name}}, "repository": {"name": "r"}, **SETTINGS[settings]}
    if target == "application":
        spec["task"] = {"name": "pg-backup-${TARGET_APP_VERSION}", "params": [{"name": "args", "value": "--x=$(A) \"q\""}]}
    metadata = {"name": "invoker", "namespace": space, "uid": "5e551011-0000-4000-8000-000000000000", "labels": {"team": "a"}}
    invoker = {"apiVersion": STASH, "kind": "RestoreSession" if restore else "BackupConfiguration", "metadata": metadata, "spec": spec}
    return {"what": f"{level}: {target}, {repository}, {'restore' if restore else 'backup'}, {settings}", "restore": restore,
            "invoker": invoker, "session": invoker if restore else {"metadata": {**metadata, "name": "invoker-1771286400"}},
            "repository": {"metadata": {"name": "r", "namespace": space}, "spec": {"backend": REPOSITORIES[repository]}},
            "target": it and {**it, "metadata": {**it["metadata"], "namespace": space}}, "tasks": TASKS, "functions": FUNCTIONS,
            "restricted": level == "restricted", **more}


def new_claims(space, level, repository, settings):
    """A restore that makes its claims itself."""
    it = request(space, level, "claim", repository, True, settings)
    it["invoker"]["spec"]["target"] = {"volumeMounts": [{"name": "data", "mountPath": "/data"}], "volumeClaimTemplates": [
        {"metadata": {"name": "data-${POD_ORDINAL}", "labels": {"a": "b"}}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}
    return {**it, "what": f"{level}: new claims, {repository}, {settings}", "ordinal": 1}


def maintenance(space, level, repository, kind):
    return {"what": f"{level}: {kind}, {repository}", "kind": kind, "runs": [[kind, "--a=$(B)"], ["check"]],
            "repository": {"metadata": {"name": "r", "namespace": space, "uid": "5e551011-0000-4000-8000-000000000001"},
                           "spec": {"backend": REPOSITORIES[repository]}},
            "attached": {"repo": "node-1"}, "restricted": level == "restricted"}


def all_requests(space, level):
    for target, repository, restore, settings in itertools.product(TARGETS, REPOSITORIES, (False, True), SETTINGS):
        yield request(space, level, target, repository, restore, settings)
    for repository, settings in itertools.product(REPOSITORIES, SETTINGS):
        yield new_claims(space, level, repository, settings)
    for repository, kind in itertools.product(REPOSITORIES, ("wipe", "unlock", "forget", "prune", "check")):
        yield maintenance(space, level, repository, kind)


def must_be_taken(cluster, what, path, it):
    answer = ask(cluster, "POST", f"{path}?dryRun=All&fieldValidation=Strict", it)
    check(answer.code == 201, f"{what}: {answer.code} {answer.message}")
    check(not [each for each in answer.warnings if "unknown field" in each or "would violate" in each],
          f"{what}: {answer.warnings}")


@test("JB1")
def an_api_server_takes_every_job_and_pod_security_its_pod(cluster):
    policies(cluster)
    taken = dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        with cluster.namespace({f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "warn")}) as space:
            for it in made(list(all_requests(space, level))):
                check(it.get("job"), f"{it['what']}: {it['findings']}")
                must_be_taken(cluster, it["what"], f"/apis/batch/v1/namespaces/{space}/jobs", it["job"])
                template = it["job"]["spec"]["template"]
                spec = {key: value for key, value in template["spec"].items() if key != "priorityClassName"}
                must_be_taken(cluster, it["what"], f"/api/v1/namespaces/{space}/pods",
                              {"metadata": {"name": "pod", "labels": template["metadata"]["labels"]}, "spec": spec})
                for claim in it["claims"]:
                    must_be_taken(cluster, it["what"], f"/api/v1/namespaces/{space}/persistentvolumeclaims", claim)
                taken[level] += 1
    check(min(taken.values()) >= 50, f"{taken}")
    return ", ".join(f"{level} {count}" for level, count in taken.items())


@test("JB2")
def an_api_server_takes_the_catalog_of_functions_and_tasks(cluster):
    policies(cluster)
    kinds = {"Function": 0, "Task": 0}
    for it in kustomized(cluster, os.path.join(tools.ROOT, "manifests", "catalog")):
        kind, name = it["kind"], it["metadata"]["name"]
        # the controller may have applied it already
        must_be_taken(cluster, f"{kind} {name}", f"/apis/{STASH}/{kind.lower()}s",
                      {**it, "metadata": {**it["metadata"], "name": "test-" + name}})
        kinds[kind] += 1
    check(min(kinds.values()) >= 8, f"{kinds}")
    return ", ".join(f"{kind} {count}" for kind, count in kinds.items())


HASH = "granary.dev/catalog-sha256"
MINE = "pvc-restore"  # one that nothing but this test uses


def missing(cluster):
    """Those of the catalog that nobody has applied as they come with the image."""
    return [f"{it['kind']} {it['metadata']['name']}" for it in kustomized(cluster, os.path.join(tools.ROOT, "manifests", "catalog"))
            if not any(each["metadata"]["name"] == it["metadata"]["name"] and HASH in each["metadata"].get("annotations", {}) and
                       each["spec"] == it["spec"] for each in cluster.list(it["kind"].lower() + "s", None))]


@test("JB3", alone=True)
def the_controller_applies_the_catalog_and_leaves_alone_what_somebody_changed(cluster):
    installed(cluster)
    eventually(lambda: not missing(cluster), "all of the catalog is there")
    before = cluster.get("functions", None, MINE)
    try:
        cluster.patch("functions", None, MINE, {"spec": {"image": "example.org/mine:1"}})
        eventually(lambda: cluster.events("default", "ChangedByHand", MINE), "it is said")
        check_equal(cluster.get("functions", None, MINE)["spec"]["image"], "example.org/mine:1", "what somebody wrote")
    finally:
        cluster.delete("functions", None, MINE)
    eventually(lambda: not missing(cluster), "it is made anew")
    check(cluster.get("functions", None, MINE)["metadata"]["uid"] != before["metadata"]["uid"], "made anew")
    return "all of manifests/catalog"
