"""explain: which rule decided what, in sentences."""

from harness import check, check_equal, test
from program import CLUSTER, DEPLOYMENT, granary, manifest


def explain(text=None, path=None, settings=None):
    arguments = ["--settings", settings] if settings else []
    return granary("explain", "-f", path or "-", "--catalog", CLUSTER, *arguments,
                   stdin=text or "").out


def deployment(**changes):
    with open(DEPLOYMENT) as file:
        text = file.read()
    for old, new in changes.items():
        text = text.replace({"annotations": "  annotations:\n", "blueprint": "workload-backup-blueprint",
                             "container": "          image: busybox:1.36\n",
                             "spec": "      containers:\n"}[old], new)
    return text


def check_says(text, *sentences):
    for sentence in sentences:
        check(sentence in text, f"it does not say {sentence!r}:\n{text}")


@test("-")
def everything_about_a_protected_workload():
    check_says(explain(path=DEPLOYMENT),
               "Deployment demo/stash-demo, examples/apps/deployment.yaml:2",
               "It is backed up, by a sidecar in each of its pods.",
               "named by the annotation stash.appscode.com/backup-blueprint",
               "BackupBlueprint workload-backup-blueprint: examples/cluster/workloads.yaml:2",
               '${TARGET_NAME} in spec.backend.gcs.prefix is "stash-demo", metadata.name',
               '${TARGET_KIND} in spec.backend.gcs.prefix is "deployment"',
               "/source/data", "volume source-data at /source/data",
               "since no annotation names paths or mounts",
               "It runs as UID 0, since the pod does not say whose the files are",
               "Repository demo/deploy-stash-demo: gcs granary-demo/backups/demo/deployment/stash-demo",
               "plan-sha256 of both: ", "What would change that", 'granary.dev/backup: "false"')


@test("-")
def each_annotation_says_what_it_did():
    text = explain(path="examples/apps/statefulset.yaml")
    check_says(text,
               'stash.appscode.com/schedule: "0 */6 * * *" sets the schedule',
               'spec.schedule of sts-wiki is "0 */6 * * *"',
               'granary.dev/exclude: "*.tmp, cache/**" leaves files out',
               'spec.target.exclude of sts-wiki is ["*.tmp","cache/**"]',
               "granary.dev/retention", '"keepDaily":30', "It runs as UID 1000")
    text = explain(deployment(annotations="  annotations:\n    granary.dev/retention: last=1\n"
                                          "    stash.appscode.com/schedule: never\n"
                                          "    stash.appscode.com/target-path: /data\n"))
    check_says(text, "but: BackupBlueprint \"workload-backup-blueprint\" does not let owners set this",
               'stash.appscode.com/schedule: "never" sets the schedule', "it is ignored",
               'stash.appscode.com/target-path: "/data" means nothing to granary', "did you mean")


@test("-")
def values_out_of_bounds_say_which_bound_holds():
    with open("examples/apps/statefulset.yaml") as file:
        text = file.read().replace("0 */6 * * *", "*/10 * * * *").replace("daily=30", "daily=90")
    check_says(explain(text), "at most one run in 1h", "daily=60 instead of 90",
               'spec.schedule of sts-wiki is "0 3 * * *"', '"keepDaily":60')


@test("-")
def why_something_is_not_backed_up():
    plain = deployment(blueprint="").replace(
        "  annotations:\n    stash.appscode.com/backup-blueprint: \n", "")
    windows = deployment(spec="      nodeSelector: {kubernetes.io/os: windows}\n      containers:\n")
    rows = [
        (plain, ["It is not backed up: nothing asks for it.", "Annotate it with "]),
        (deployment(annotations="  annotations:\n    granary.dev/backup: 'false'\n"),
         ["It is not backed up: its owner said no.", "Remove the annotation granary.dev/backup."]),
        (deployment(blueprint="workload-backup-blueprin"),
         ["a blueprint that it names does not exist", "did you mean \"workload-backup-blueprint\"?",
          "BackupBlueprint workload-backup-blueprin: not found among the manifests"]),
        (deployment().replace("persistentVolumeClaim:", "emptyDir: {}\n          x:"),
         ["there is nothing to back up", "Mount a volume of a PersistentVolumeClaim"]),
        (deployment().replace("namespace: demo", "namespace: kube-system"),
         ["its namespace is excluded"]),
        (windows, ["its pods run Windows"]),
    ]
    for text, sentences in rows:
        check_says(explain(text), *sentences)
    owned = deployment().replace("kind: Deployment", "kind: ReplicaSet").replace(
        "  namespace: demo\n", "  namespace: demo\n  ownerReferences:\n  - {kind: Deployment, name: a, "
        "apiVersion: apps/v1, uid: u, controller: true}\n")
    check_says(explain(owned), "another object makes it")


@test("-")
def the_namespace_label_is_a_reason():
    text = explain(path="examples/apps/labelled.yaml")
    check_says(text, "named by the label granary.dev/blueprint of the namespace",
               "Namespace shop: examples/cluster/namespaces.yaml:", "It runs as UID 10001")
    check("Annotations" not in text, "a section without content")


@test("-")
def as_which_user_the_sidecar_runs():
    user = "          securityContext: {runAsUser: %d}\n          image: a\n"
    rows = [
        (deployment(container=user % 0), "the container that mounts the data runs as root"),
        (deployment(container=user % 999), "It runs as UID 999, the user of the container"),
        (deployment(spec="      securityContext: {runAsNonRoot: true}\n      containers:\n"),
         "It runs as the user of its own image"),
    ]
    for text, sentence in rows:
        check_says(explain(text), sentence)


@test("-")
def jobs_have_no_sidecar():
    for path in ("examples/apps/claim.yaml", "examples/apps/postgres.yaml"):
        text = explain(path=path)
        check_says(text, "It is backed up, by a Job.")
        check("\nPods\n" not in text and "\nData\n" not in text, f"pods in {path}")
    check_says(explain(path="examples/apps/postgres.yaml"),
               '${TARGET_APP_VERSION} in spec.task.name is "14.0", spec.version',
               'params.stash.appscode.com/args: "--no-comments" is a parameter of the task')
    check_says(explain(path="examples/apps/dump-command.yaml"), "It is backed up, by a Job.", "\n  /dump\n",
               "what the command of granary.dev/dump-command writes to standard output; no volume")


@test("-")
def a_configuration_made_by_hand_is_named_with_its_place():
    by_hand = manifest("ledger.yaml", """apiVersion: apps/v1
kind: Deployment
metadata: {name: ledger, namespace: demo}
spec:
  template:
    spec:
      containers: [{name: a, volumeMounts: [{name: books, mountPath: /srv/ledger}]}]
      volumes: [{name: books, persistentVolumeClaim: {claimName: books}}]
""")
    text = granary("explain", "-f", by_hand, "--catalog", "examples").out
    check_says(text, "BackupConfiguration ledger, made by hand",
               "BackupConfiguration ledger: examples/apps/backupconfiguration.yaml:")


@test("-")
def nothing_to_explain_is_said():
    check("nothing to explain" in granary("explain", "-f", CLUSTER, code=2).err, "no target")
    several = granary("explain", "-f", "examples/apps", "--catalog", CLUSTER).out
    check_equal(several.count("\nDecision\n"), 11, "targets of the examples")


@test("-")
def an_etcd_by_its_appbinding():
    text = granary("explain", "-f", "examples/etcd/appbinding.yaml", "--catalog", "examples/etcd").out
    check_says(text, "It is backed up, by a Job.", '${TARGET_APP_VERSION} in spec.task.name is "3.6.0"',
               'spec.task.params of app-elections is [{"name":"waitTimeout","value":"600"}]')
