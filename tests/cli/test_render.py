"""render: the same answer as the webhook's, and what follows from it."""

import base64
import glob
import hashlib
import json
import os
import shutil
import subprocess

import harness
from harness import Webhook, ask, check, check_equal, post, temporary_folder, test, write
from program import CLUSTER, DEPLOYMENT, granary, manifest

APPS = sorted(glob.glob("examples/apps/*.yaml"))


def render(path, *more, **options):
    return granary("render", "-f", path, "--catalog", CLUSTER, *more, **options)


def once(review):
    done = subprocess.run([harness.WEBHOOK, "--catalog", CLUSTER, "--once"], input=review,
                          capture_output=True, timeout=20 * harness.SLOW)
    check_equal(done.returncode, 0, f"--once ({done.stderr})")
    return json.loads(done.stdout)["response"]


def https(webhook, review):
    answer = ask(webhook, post(review))
    check_equal(answer.status, 200, "status")
    return answer.json()["response"]


def patch_of(response):
    return json.loads(base64.b64decode(response["patch"])) if "patch" in response else []


def written_independently(item):
    """A review as an API server words it, without any help of ours: keys in another order."""
    group, _, version = item["apiVersion"].rpartition("/")
    kind = {"group": group, "version": version, "kind": item["kind"]}
    return json.dumps({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "f4b0", "kind": kind, "namespace": item["metadata"]["namespace"],
                    "name": item["metadata"]["name"], "operation": "CREATE", "object": item,
                    "resource": {"group": group, "version": version,
                                 "resource": item["kind"].lower() + "s"},
                    "userInfo": {"username": "somebody"}, "dryRun": False}}, indent=1).encode()


@test("-")
def render_once_and_https_give_the_same_patch():
    reviews = {}
    for path in APPS:
        text = render(path, "-o", "review").out
        reviews[path] = [line.encode() for line in text.splitlines()]
    changed = 0
    with Webhook(catalog=CLUSTER) as webhook:
        for path in APPS:
            alone = [review for review in reviews[path]
                     if json.loads(review)["request"]["kind"]["kind"] not in
                     ("Repository", "BackupConfiguration")]
            # restore.yaml holds a session, which is not part of the cluster for the other two
            if path.endswith("restore.yaml") or not alone:
                continue
            shown = render(path, "-o", "patch").documents()
            check_equal(len(shown), len(alone), f"patches of {path}")
            for review, patch in zip(alone, shown):
                item = json.loads(review)["request"]["object"]
                for answer in (once(review), https(webhook, review),
                               https(webhook, written_independently(item))):
                    check_equal(patch_of(answer), patch, f"patch of {path}")
                changed += bool(patch)
    check(changed >= 4, "examples that are patched")


@test("-")
def the_hash_of_the_answer_is_that_of_both_objects():
    for path in (DEPLOYMENT, "examples/apps/statefulset.yaml", "examples/apps/postgres.yaml",
                 "examples/apps/claim.yaml", "examples/apps/labelled.yaml"):
        answer = once(render(path, "-o", "review").out.encode())
        claimed = answer["auditAnnotations"]["plan-sha256"]
        following = [item for item in render(path, "-o", "json").documents()
                     if item["kind"] in ("Repository", "BackupConfiguration")]
        check_equal([item["kind"] for item in following], ["Repository", "BackupConfiguration"],
                    f"what follows from {path}")
        digest = hashlib.sha256()
        for item in following:
            annotations = item["metadata"]["annotations"]
            check_equal(annotations.pop("granary.dev/plan-sha256"), claimed, f"hash on {path}")
            annotations.pop("granary.dev/blueprint-generation", None)
            item["metadata"].pop("ownerReferences", None)
            digest.update(json.dumps(item, sort_keys=True, separators=(",", ":"),
                                     ensure_ascii=False).encode() + b"\n")
        check_equal(digest.hexdigest(), claimed, f"hash over the objects of {path}")


def documented(begin):
    """Runs the command of docs/admission.md that starts so, and returns what it writes."""
    with open("docs/admission.md") as file:
        blocks = file.read().split("```")[1::2]
    commands = [block.partition("\n")[2] for block in blocks]
    found = [command for command in commands if command.startswith(begin)]
    check_equal(len(found), 1, f"commands in docs/admission.md that begin with {begin}")
    path = os.path.dirname(os.path.abspath(harness.WEBHOOK))
    done = subprocess.run(["bash", "-o", "pipefail", "-c", found[0]], capture_output=True, text=True,
                          env={**os.environ, "PATH": path + ":" + os.environ["PATH"]})
    check_equal(done.returncode, 0, f"the documented command ({done.stderr})")
    return done.stdout


@test("-")
def the_commands_of_the_documentation_give_the_hash():
    computed = documented("kubectl-granary render -f examples/apps/deployment.yaml --catalog")
    said = documented("kubectl-granary render -f examples/apps/deployment.yaml -o review")
    check_equal(computed.split()[0], said.strip(), "both commands")


@test("-")
def what_is_rendered_is_stable():
    """A second pass over the object as admitted changes nothing (idempotent, as on reinvocation)."""
    for path in APPS:
        admitted = [item for item in render(path, "-o", "json").documents()
                    if item["kind"] not in ("Repository", "BackupConfiguration")] \
            if not path.endswith("backupconfiguration.yaml") else []
        for item in admitted:
            again = granary("render", "-f", "-", "--catalog", "examples", "-o", "patch",
                            stdin=json.dumps(item))
            check_equal(again.documents(), [[]], f"second pass over {path}")


@test("-")
def yaml_and_json_are_the_same_objects():
    whole = render(DEPLOYMENT).out
    check_equal(whole.count("\n---\n"), 2, "separators")
    back = granary("render", "-f", "-", "--catalog", CLUSTER, "-o", "json",
                   stdin=whole.split("\n---\n")[0]).documents()
    check_equal(back, render(DEPLOYMENT, "-o", "json").documents(), "YAML read back")


@test("-")
def the_input_can_bring_its_own_cluster():
    with open("examples/cluster/workloads.yaml") as blueprint, open(DEPLOYMENT) as deployment:
        both = blueprint.read() + "---\n" + deployment.read()
    alone = granary("render", "-f", "-", stdin=both)
    check_equal(alone.out, render(DEPLOYMENT).out, "blueprint in the input")
    check_equal(granary("render", "-f", DEPLOYMENT, "-f", CLUSTER).out, alone.out, "two -f")
    # what is given counts before what the catalog has
    changed = both.replace("*/5 * * * *", "@daily")
    check("schedule: \"@daily\"" in granary("render", "-f", "-", "--catalog", CLUSTER,
                                            stdin=changed).out, "given before known")
    ran = granary("render", "-f", CLUSTER, code=2)
    check("nothing to render" in ran.err, ran.err)
    copy = manifest("copy.yaml", both)
    ran = granary("render", "-f", copy, "-f", DEPLOYMENT, code=2)
    check("Deployment demo/stash-demo is given a second time" in ran.err, ran.err)


@test("-")
def namespaces_are_filled_in_as_the_api_server_does():
    with open(DEPLOYMENT) as file:
        bare = file.read().replace("  namespace: demo\n", "")
    for arguments, space in (((), "default"), (("--namespace", "team-a"), "team-a"),
                             (("-n", "team-b"), "team-b")):
        ran = granary("render", "-f", "-", "--catalog", CLUSTER, "-o", "json", *arguments, stdin=bare)
        check_equal([item["metadata"]["namespace"] for item in ran.documents()], [space] * 3,
                    f"namespaces with {arguments}")
    kept = render(DEPLOYMENT, "-o", "json", "-n", "other").documents()
    check_equal(kept[0]["metadata"]["namespace"], "demo", "the object's own namespace")


@test("-")
def warnings_go_to_standard_error():
    ran = render(DEPLOYMENT)
    check(ran.err.startswith("Warning: granary: "), ran.err)
    check("Warning" not in ran.out, "a warning among the documents")
    several = granary("render", "-f", "examples/apps", "--catalog", CLUSTER)
    check("Warning: DaemonSet demo/edge-cache: granary: " in several.err, "whose warning it is")


@test("-")
def what_admission_refuses_is_not_rendered():
    settings = manifest("settings.yaml", "enforcement: Deny\n")
    with open(DEPLOYMENT) as file:
        wrong = file.read().replace("workload-backup-blueprint", "workload-backup-blueprin")
    ran = granary("render", "-f", "-", "--catalog", CLUSTER, stdin=wrong)
    check('did you mean "workload-backup-blueprint"?' in ran.err, ran.err)
    ran = granary("render", "-f", "-", "--catalog", CLUSTER, "--settings", settings, stdin=wrong,
                  code=1)
    check_equal(ran.out, "", "output")
    check("Deployment demo/stash-demo: refused: " in ran.err, ran.err)


@test("-")
def rules_of_a_restore_session_are_moved():
    [patch] = [patch for patch in render("examples/apps/restore.yaml", "-o", "patch").documents()
               if any("/spec/rules" == step["path"] for step in patch)]
    check_equal(sorted((step["op"], step["path"]) for step in patch),
                [("add", "/spec/target/rules"), ("remove", "/spec/rules")], "patch of a session")
    both = """apiVersion: stash.appscode.com/v1beta1
kind: RestoreSession
metadata: {name: a, namespace: demo}
spec:
  rules: [{paths: [/a]}]
  target: {rules: [{paths: [/b]}]}
"""
    check("refused: " in granary("render", "-f", "-", stdin=both, code=1).err, "both filled")


@test("-")
def a_recorded_answer_is_compared():
    review = render(DEPLOYMENT, "-o", "review").out.encode()
    done = subprocess.run([harness.WEBHOOK, "--catalog", CLUSTER, "--once"], input=review,
                          capture_output=True)
    good = manifest("answer.json", done.stdout.decode())
    check_equal(render(DEPLOYMENT, "--answer", good).out, render(DEPLOYMENT).out, "same answer")
    # the same over another cluster: other schedule, so another plan, but the same containers
    other = temporary_folder()
    shutil.copytree(CLUSTER, other, dirs_exist_ok=True)
    path = os.path.join(other, "workloads.yaml")
    with open(path) as file:
        write(path, file.read().replace("*/5 * * * *", "@daily"))
    ran = granary("render", "-f", DEPLOYMENT, "--catalog", other, "--answer", good, code=1)
    check("made for another plan: plan-sha256 " in ran.err, ran.err)
    check("patch is not" not in ran.err, "a schedule changes no container")
    answer = json.loads(done.stdout)
    del answer["response"]["patch"]
    ran = render(DEPLOYMENT, "--answer", manifest("a.json", json.dumps(answer)), code=1)
    check("patch is not the one" in ran.err, ran.err)
    rows = [("{}", "no AdmissionReview"), ("[", "line 1"), ('{"kind":"AdmissionReview"}', "response"),
            (json.dumps({"kind": "AdmissionReview", "response": {"patch": "%"}}), "not base64"),
            (json.dumps({"kind": "AdmissionReview", "response": {"patch": "e30="}}), "not a list")]
    for text, reason in rows:
        ran = render(DEPLOYMENT, "--answer", manifest("a.json", text), code=2)
        check(reason in ran.err, f"{text}: {ran.err}")
    bad = [{"op": "remove", "path": "/spec/nothing"}]
    answer["response"]["patch"] = base64.b64encode(json.dumps(bad).encode()).decode()
    ran = render(DEPLOYMENT, "--answer", manifest("a.json", json.dumps(answer)), code=2)
    check("does not apply" in ran.err, ran.err)
    ran = granary("render", "-f", "examples/apps", "--answer", good, code=2)
    check("--answer is about one object" in ran.err, ran.err)


@test("-")
def what_is_none_of_our_business_stays_as_it_is():
    plain = """apiVersion: apps/v1
kind: Deployment
metadata: {name: plain, namespace: demo}
spec: {template: {spec: {containers: [{name: a, image: b, futureField: {x: [1, 2.5, null]}}]}}}
"""
    ran = granary("render", "-f", "-", "--catalog", CLUSTER, "-o", "json", stdin=plain)
    check_equal(len(ran.documents()), 1, "documents")
    check_equal(ran.documents()[0]["spec"]["template"]["spec"]["containers"][0]["futureField"],
                {"x": [1, 2.5, None]}, "unknown fields")
    check_equal(ran.err, "", "warnings")


@test("-")
def a_blueprint_of_stash_works_unchanged():
    """Three annotations, as its documentation has them; one blueprint; the names it would give."""
    both = """apiVersion: stash.appscode.com/v1beta1
kind: BackupBlueprint
metadata: {name: web-backup}
spec:
  backend:
    s3: {endpoint: "https://s3.example.com", bucket: b, prefix: "x/${TARGET_KIND}/${TARGET_NAME}"}
    storageSecretName: s
  schedule: "@hourly"
  retentionPolicy: {name: last, keepLast: 5, prune: true}
  runtimeSettings: {container: {resources: {requests: {memory: 100Mi}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
  namespace: demo
  annotations:
    stash.appscode.com/backup-blueprint: web-backup
    stash.appscode.com/target-paths: "/usr/share/html, /etc/web"
    stash.appscode.com/volume-mounts: "www:/usr/share/html,conf:/etc/web:sub"
spec:
  template:
    spec:
      containers:
      - name: nginx
        volumeMounts: [{name: www, mountPath: /usr/share/html}, {name: conf, mountPath: /etc/web}]
      volumes: [{name: conf, persistentVolumeClaim: {claimName: c}}]
  volumeClaimTemplates: [{metadata: {name: www}}]
"""
    workload, repository, configuration = granary("render", "-f", "-", "-o", "json",
                                                  stdin=both).documents()
    sidecar = workload["spec"]["template"]["spec"]["containers"][1]
    check_equal(sidecar["name"], "stash", "container")
    check_equal(sidecar["resources"]["requests"]["memory"], "100Mi", "requests")
    check_equal([(mount["name"], mount["mountPath"], mount.get("subPath"))
                 for mount in sidecar["volumeMounts"]][-2:],
                [("www", "/usr/share/html", None), ("conf", "/etc/web", "sub")], "mounts")
    for item in (repository, configuration):
        check_equal(item["metadata"]["name"], "sts-web", "name")
    check_equal(repository["spec"]["backend"]["s3"]["prefix"], "x/statefulset/web", "prefix")
    check_equal(configuration["spec"]["schedule"], "@hourly", "schedule")
    check_equal(configuration["spec"]["target"]["paths"], ["/usr/share/html", "/etc/web"], "paths")
