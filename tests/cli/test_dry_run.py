"""granary-controller --catalog DIR --dry-run: what a leader would write, from the same loops, without a cluster."""

import glob
import json
import os
import subprocess

import harness
from harness import check, check_equal, temporary_folder, test, write
from program import BUILD, CLUSTER, granary

CONTROLLER = os.path.join(BUILD, "granary-controller")
APPS = [path for path in sorted(glob.glob("examples/apps/*.yaml")) if "backupconfiguration" not in path]
BLUEPRINT_KEY = "stash.appscode.com/backup-blueprint"


def dry_run(folder, *more, code=0):
    done = subprocess.run([CONTROLLER, "--catalog", folder, "--dry-run", *more], capture_output=True,
                          timeout=60 * harness.SLOW)
    for word in harness.SANITIZER_WORDS:
        check(word not in done.stderr.decode(), done.stderr)
    check_equal(done.returncode, code, f"exit code ({done.stderr})")
    return done.stdout.decode()


def folder_of(place, **files):
    """A folder of JSON files, one for each list of objects."""
    folder = os.path.join(place, f"catalog-{len(os.listdir(place))}")
    os.mkdir(folder)
    for name, objects in files.items():
        for number, each in enumerate(objects):
            write(os.path.join(folder, f"{name}-{number}.json"), json.dumps(each))
    return folder


def documents(text):
    """[(verb, YAML)] and the comments on what can not be done."""
    parts = [part for part in text.split("---\n") if part]
    verbs = [(part.split(",")[0][2:], part) for part in parts if not part.startswith("# /")]
    return verbs, [line for line in text.splitlines() if line.startswith("# ") and ": " in line and
                   not line.startswith(("# apply", "# delete", "# for"))]


def rendered(path):
    """What admission stores, and what it announces: workloads, made objects."""
    found = granary("render", "-f", path, "--catalog", CLUSTER, "-o", "json").documents()
    made = [each for each in found if each["kind"] in ("Repository", "BackupConfiguration") and
            "granary.dev/plan-sha256" in each["metadata"].get("annotations", {})]
    return [each for each in found if each not in made], made


@test("-")
def what_admission_announces_is_what_the_controller_applies():
    compared = 0
    place = temporary_folder()
    for path in APPS:
        stored, announced = rendered(path)
        folder = folder_of(place, stored=stored)
        for each in glob.glob(f"{CLUSTER}/*.yaml"):
            os.symlink(os.path.abspath(each), os.path.join(folder, os.path.basename(each)))
        text = dry_run(folder)
        hashes = {each["metadata"]["annotations"]["granary.dev/plan-sha256"] for each in announced}
        for digest in hashes:
            check_equal(text.count(f'granary.dev/plan-sha256: "{digest}"'), 2, f"{path}: the hash on both objects")
            compared += 1
    check(compared >= 5, f"{compared} plans")
    return f"{compared} plans"


def deployment(name="web", **annotations):
    return {"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
            "spec": {"template": {"spec": {
                "containers": [{"name": "app", "image": "app", "volumeMounts": [{"name": "a", "mountPath": "/data"}]}],
                "volumes": [{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}]}}}}


def blueprint(name="daily", prefix="${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}"):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupBlueprint", "metadata": {"name": name},
            "spec": {"schedule": "@daily", "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
                     "backend": {"storageSecretName": "s", "gcs": {"bucket": "b", "prefix": prefix}}}}


@test("-")
def repository_first_and_nothing_when_all_is_there():
    place = temporary_folder()
    objects = [deployment(**{BLUEPRINT_KEY: "daily"}), blueprint()]
    text = dry_run(folder_of(place, given=objects))
    verbs, problems = documents(text)
    check_equal([verb for verb, _ in verbs], ["apply", "apply", "apply"], text)
    for (_, written), kind in zip(verbs, ("Repository", "BackupConfiguration", "CronJob")):
        check(f"kind: {kind}\n" in written and "# for apps/Deployment/shop/web\n" in written, text)
    check("schedule: \"@daily\"" in verbs[2][1] or "schedule: '@daily'" in verbs[2][1], text)
    check_equal(problems, [], "problems")
    folder = folder_of(place, given=objects)
    write(os.path.join(folder, "made.yaml"), text)
    check_equal(dry_run(folder), "", "what is written when all is there")


@test("-")
def what_has_no_reason_goes_and_the_repository_stays():
    place = temporary_folder()
    folder = folder_of(place, given=[deployment(**{BLUEPRINT_KEY: "daily"}), blueprint()])
    made = dry_run(folder)
    later = folder_of(place, given=[deployment(), blueprint()])
    write(os.path.join(later, "made.yaml"), made)
    verbs, _ = documents(dry_run(later))
    check_equal([verb for verb, _ in verbs], ["delete"], made)
    check("kind: BackupConfiguration" in verbs[0][1], verbs)


@test("-")
def cronjobs_of_what_stands_there():
    place = temporary_folder()
    objects = [deployment(**{BLUEPRINT_KEY: "daily"}), blueprint()]
    folder = folder_of(place, given=objects)
    text = dry_run(folder)
    write(os.path.join(folder, "made.yaml"), text)
    # another schedule reaches both; what was paused by hand stays so
    changed = blueprint()
    changed["spec"]["schedule"] = "7 7 * * *"
    write(os.path.join(folder, "given-1.json"), json.dumps(changed))
    write(os.path.join(folder, "made.yaml"), text.replace("  schedule:", "  paused: true\n  schedule:", 1))
    verbs, _ = documents(dry_run(folder))
    # blueprint and both hashes change: Repository, BackupConfiguration, CronJob
    check_equal([verb for verb, _ in verbs], ["apply", "apply", "apply"], text)
    check("7 7 * * *" in verbs[2][1] and "suspend: true" in verbs[2][1], verbs[2][1])
    # made by hand, without a blueprint: its CronJob alone
    made = {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": "mine", "namespace": "shop"}, "spec": {
                "repository": {"name": "mine"}, "schedule": "@hourly",
                "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
                "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                           "paths": ["/data"], "volumeMounts": [{"name": "a", "mountPath": "/data"}]}}}
    repository = {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
                  "metadata": {"name": "mine", "namespace": "shop"},
                  "spec": {"backend": {"storageSecretName": "s", "gcs": {"bucket": "b", "prefix": "mine"}}}}
    verbs, _ = documents(dry_run(folder_of(place, given=[deployment(), made, repository])))
    check_equal([verb for verb, _ in verbs], ["apply"], verbs)
    check("name: stash-trigger-mine\n" in verbs[0][1], verbs)
    # nothing to write to: nothing follows
    check_equal(dry_run(folder_of(place, given=[deployment(), made])), "", "without a Repository")
    # what goes takes its CronJob with it
    gone = folder_of(place, given=[deployment(), blueprint()])
    write(os.path.join(gone, "made.yaml"), "---\n".join(text.split("---\n")[:2]))
    verbs, _ = documents(dry_run(gone))
    check_equal([verb for verb, _ in verbs], ["delete"], verbs)


@test("-")
def what_can_not_be_planned_is_said():
    place = temporary_folder()
    text = dry_run(folder_of(place, given=[deployment(**{BLUEPRINT_KEY: "dayly"}), blueprint()]))
    check(text.startswith("# apps/Deployment/shop/web: BackupBlueprintNotFound: ") and "daily" in text, text)
    # one place for two
    both = [deployment(name, **{BLUEPRINT_KEY: "daily"}) for name in ("db", "web")]
    text = dry_run(folder_of(place, given=[*both, blueprint(prefix="all")]))
    verbs, problems = documents(text)
    check_equal(len(verbs), 3, text)
    check_equal(len(problems), 1, text)
    check("shop/db" in problems[0] and "shop/web" in problems[0], problems)


@test("-")
def what_can_not_be_read_ends_it():
    place = temporary_folder()
    dry_run(os.path.join(place, "absent"), code=2)
    folder = folder_of(place)
    write(os.path.join(folder, "a.yaml"), "{")
    dry_run(folder, code=2)
    write(os.path.join(folder, "a.yaml"), "")
    write(os.path.join(place, "settings.yaml"), "unknown: 1\n")
    dry_run(folder, "--settings", os.path.join(place, "settings.yaml"), code=2)
    check_equal(dry_run(folder), "", "of an empty folder")
