"""validate: file, line and column of each finding, and the exit code of admission."""

import json
import os

from harness import check, check_equal, temporary_folder, test, write
from program import CLUSTER, DEPLOYMENT, granary, manifest

REFUSED = """# a comment
apiVersion: stash.appscode.com/v1beta1
kind: BackupConfiguration
metadata:
  name: hopeless
  namespace: demo
spec:
  repository: {}
  shedule: "0 3 * * *"
  schedule: "61 3 * * *"
  target:
    ref: {apiVersion: apps/v1, kind: Deployment, name: web}
    paths: [source/data]
  retentionPolicy:
    name: some
    keepLast: 3
    prune: true
"""


def findings(text):
    return [line for line in text.splitlines() if ": error: " in line or ": warning: " in line]


@test("-")
def the_examples_are_clean():
    ran = granary("validate", "-f", "examples", "--strict")
    check_equal(findings(ran.out), [], "findings")
    check(ran.out.endswith("judged: 0 errors, 0 warnings\n"), ran.out)


@test("-")
def each_finding_has_its_place():
    path = manifest("refused.yaml", REFUSED)
    ran = granary("validate", "-f", path, code=1)
    starts = [":".join(line[len(path) + 1:].split(":")[:4]) for line in findings(ran.out)]
    check_equal(starts, ["8:3: error: spec.repository.name", "9:3: warning: spec.shedule",
                         "10:3: error: spec.schedule", "13:13: error: spec.target.paths[0]"],
                "places")
    check("did you mean \"schedule\"?" in ran.out, "did you mean")
    check(ran.out.endswith("1 document, 1 judged: 3 errors, 1 warning\n"), ran.out)


@test("-")
def annotations_of_targets_have_their_place():
    with open(DEPLOYMENT) as file:
        text = file.read().replace("  annotations:\n", "  annotations:\n"
                                   "    stash.appscode.com/schedule: sometimes\n"
                                   "    stash.appscode.com/shedule: '@daily'\n"
                                   "    stash.appscode.com/target-paths: /nowhere\n")
    path = manifest("deployment.yaml", text)
    line = 1 + text.splitlines().index("    stash.appscode.com/schedule: sometimes")
    ran = granary("validate", "-f", path, "--catalog", CLUSTER)
    field = "metadata.annotations[stash.appscode.com/"
    for number, key in ((line, "schedule"), (line + 1, "shedule"), (line + 2, "target-paths")):
        check(f"{path}:{number}:5: warning: {field}{key}]: " in ran.out, f"{key}: {ran.out}")
    check_equal(ran.code, 0, "warnings are let in")
    check("0 errors, " in ran.out, "sum")
    granary("validate", "-f", path, "--catalog", CLUSTER, "--strict", code=1)
    deny = manifest("settings.yaml", "enforcement: Deny\n")
    ran = granary("validate", "-f", path, "--catalog", CLUSTER, "--settings", deny, code=1)
    check(f"{path}:{line}:5: error: {field}schedule]: " in ran.out, ran.out)


@test("-")
def a_blueprint_that_is_not_there_is_a_warning():
    ran = granary("validate", "-f", DEPLOYMENT)
    check(": warning: metadata.annotations[stash.appscode.com/backup-blueprint]: " in ran.out,
          ran.out)


@test("-")
def standard_input_is_a_file_like_others():
    ran = granary("validate", "-f", "-", stdin=REFUSED, code=1)
    check(ran.out.startswith("stdin:8:3: error: "), ran.out)
    ran = granary("validate", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository",
         "metadata": {"name": "r"}, "spec": {}}]}), code=1)
    check("1 document, 1 judged: " in ran.out, "a List in JSON")
    check_equal(granary("validate", "-f", "-").out, "0 documents, 0 judged: 0 errors, 0 warnings\n",
                "nothing at all")


@test("Y8")
def broken_yaml_has_a_place_and_ends_with_2():
    path = manifest("broken.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: [}\n")
    ran = granary("validate", "-f", path, code=2)
    check(ran.err.startswith(f"error: {path}:3:"), ran.err)
    check_equal(ran.out, "", "output")
    twice = manifest("twice.yaml", "apiVersion: v1\nkind: Namespace\nkind: Namespace\n")
    check(f"{twice}:3:" in granary("validate", "-f", twice, code=2).err, "duplicate key")


@test("-")
def a_folder_is_read_with_its_folders():
    folder = temporary_folder()
    os.mkdir(os.path.join(folder, "below"))
    write(os.path.join(folder, "below", "b.yml"), REFUSED)
    write(os.path.join(folder, "a.yaml"), REFUSED.replace("hopeless", "other"))
    write(os.path.join(folder, "notes.txt"), "no: [manifest")
    ran = granary("validate", "-f", folder, code=1)
    files = [line.split(":")[0] for line in findings(ran.out)]
    check_equal(files, [f"{folder}/a.yaml"] * 4 + [f"{folder}/below/b.yml"] * 4, "files")
    check(ran.out.endswith("2 documents, 2 judged: 6 errors, 2 warnings\n"), ran.out)


@test("-")
def json_says_the_same():
    path = manifest("refused.yaml", REFUSED)
    report = json.loads(granary("validate", "-f", path, "-o", "json", code=1).out)
    check_equal({key: report[key] for key in ("documents", "judged", "errors", "warnings")},
                {"documents": 1, "judged": 1, "errors": 3, "warnings": 1}, "sums")
    first = report["findings"][0]
    check_equal({key: first[key] for key in ("file", "line", "column", "level", "object", "field",
                                             "reason")},
                {"file": path, "line": 8, "column": 3, "level": "error",
                 "object": "BackupConfiguration demo/hopeless", "field": "spec.repository.name",
                 "reason": "FieldValueRequired"}, "first finding")


@test("-")
def rules_are_judged_where_they_stand():
    session = """apiVersion: stash.appscode.com/v1beta1
kind: RestoreSession
metadata: {name: back, namespace: demo}
spec:
  repository: {name: r}
  target:
    ref: {apiVersion: apps/v1, kind: Deployment, name: web}
    volumeMounts: [{name: data, mountPath: /data}]
  rules:
  - paths: [/data]
    snapshots: [12345678]
"""
    ran = granary("validate", "-f", "-", stdin=session, code=1)
    check(any(line.startswith("stdin:1") and "spec.rules[0]" in line for line in findings(ran.out)),
          ran.out)
    both = session.replace("  target:\n", "  target:\n    rules: [{paths: [/a]}]\n")
    check("stdin:10:3: error: spec.rules: " in granary("validate", "-f", "-", stdin=both, code=1).out,
          "both filled")


@test("-")
def other_documents_are_left_alone():
    others = """apiVersion: v1
kind: Service
metadata: {name: a, annotations: {stash.appscode.com/schedule: x}}
---
apiVersion: example.com/v1
kind: Repository
metadata: {name: a}
"""
    check_equal(granary("validate", "-f", "-", stdin=others).out,
                "2 documents, 0 judged: 0 errors, 0 warnings\n", "foreign kinds")
    typo = "apiVersion: stash.appscode.com/v1beta1\nkind: BackupBluprint\nmetadata: {name: a}\n"
    check("did you mean BackupBlueprint?" in granary("validate", "-f", "-", stdin=typo).out, "a typo")


@test("-")
def what_readers_of_yaml_disagree_on_is_a_warning():
    ran = granary("validate", "-f", "-", stdin="apiVersion: v1\nkind: ConfigMap\ndata: {a: yes}\n")
    check(ran.out.startswith("stdin:3:") and ": warning: " in ran.out, ran.out)


@test("-")
def a_name_that_is_taken_is_found():
    with open(DEPLOYMENT) as file:
        text = file.read().replace("- name: busybox", "- name: stash")
    ran = granary("validate", "-f", "-", "--catalog", CLUSTER, stdin=text)
    check("spec.template.spec: " in ran.out, ran.out)
    odd = text.replace("volumes:", "volumes: {}\n      other:")
    check("spec.template" in granary("validate", "-f", "-", stdin=odd).out, "a shape that can not be")
