"""The kinds as a real API server sees them: every row of tests/crds, defaults, explanations, columns, examples."""

import copy
import os
import re
import sys

import tools
from granary import ask, configured, policies, rendered
from harness import becomes, check, check_equal, test
from hook import Webhook

sys.path.append(os.path.join(tools.ROOT, "tests", "crds"))
import rows  # noqa: E402

EXAMPLES = os.path.join(tools.ROOT, "tests", "crds", "examples")
MERGE = "application/merge-patch+json"
BASES = {"BackupConfiguration": rows.BC, "RestoreSession": rows.RS, "BackupBlueprint": rows.BB, "Repository": rows.REPO,
         "BackupSession": rows.BS, "Function": rows.FN, "Task": rows.TASK, "AppBinding": rows.APP}


def crds(cluster):
    return [each["spec"] for each in rendered(cluster) if each["kind"] == "CustomResourceDefinition"]


def crd(cluster, kind):
    (found,) = [each for each in crds(cluster) if each["names"]["kind"] == kind]
    return found


def path(cluster, it, space):
    """Where objects of its kind are."""
    place = "" if crd(cluster, it["kind"])["scope"] == "Cluster" else f"/namespaces/{space}"
    return f"/apis/{it['apiVersion']}{place}/{crd(cluster, it['kind'])['names']['plural']}"


def placed(it, space):
    it = copy.deepcopy(it)
    if "namespace" in it["metadata"]:
        it["metadata"]["namespace"] = space
    return it


def tried(cluster, space, it, strict="Strict"):
    """Asks the API server to make it, as a dry run."""
    it = placed(it, space)
    return ask(cluster, "POST", f"{path(cluster, it, space)}?dryRun=All&fieldValidation={strict}", it)


# --- rows ------------------------------------------------------------------------------------------


def above(field):
    """The field and what lies above it, down to the members of spec."""
    while field.count("."):
        yield field
        field = field[:max(field.rfind("."), field.rfind("["))]


def fault(answer, who, field):
    """None, or what is wrong with an answer of the API server. The field is named in the words of the schema."""
    if (answer.code >= 300) != (who == "both"):
        return f"wanted {who}; got {answer.code} {answer.message[:400]}"
    if answer.code >= 300 and not any(part in answer.message for part in above(field)):
        return f"wanted {field}; got {answer.message[:400]}"
    return None


@test("CR1")
def the_api_server_judges_every_row_as_validate_does(cluster):
    policies(cluster)
    wrong = []
    with cluster.namespace() as space:
        for base, edits, (who, field, _, _) in rows.ROWS:
            trouble = fault(tried(cluster, space, rows.edited(base, edits)), who, field)
            if trouble:
                wrong.append(f"{rows.title(base, edits)}\n    {trouble}")
    check(not wrong, f"{len(wrong)} of {len(rows.ROWS)} rows:\n" + "\n".join(wrong))
    refused = sum(who == "both" for _, _, (who, _, _, _) in rows.ROWS)
    return f"{len(rows.ROWS)} rows, {refused} refused"


@test("CR2")
def with_the_webhook_nothing_gets_through_that_validate_refuses(cluster):
    policies(cluster)
    chosen = [row for row in rows.ROWS if row[2][0] != "both"]
    wrong = []
    with cluster.namespace({"test": "rows"}) as space, Webhook([]) as webhook, \
            configured(cluster, "ValidatingWebhookConfiguration", "rows", webhook.client):
        webhook.wait_for(cluster, space)
        for base, edits, (who, _, words, _) in chosen:
            it = rows.edited(base, edits)
            it["metadata"].setdefault("labels", {})["test"] = "rows"
            answer = tried(cluster, space, it)
            if (answer.code >= 300) != (who == "webhook") or words not in answer.message:
                wrong.append(f"{rows.title(base, edits)}\n    wanted {who} {words}; got {answer.code} {answer.message[:400]}")
    check(not wrong, f"{len(wrong)} of {len(chosen)} rows:\n" + "\n".join(wrong))
    return f"{len(chosen)} rows, {sum(row[2][0] == 'webhook' for row in chosen)} refused"


# --- fields ----------------------------------------------------------------------------------------

DEFAULTS = [
    (rows.BC, {}, {"driver": "Restic"}),
    (rows.RS, {}, {"driver": "Restic"}),
    (rows.BC, {"hooks": {"postBackup": {"exec": {"command": ["a"]}, "containerName": "a"}}},
     {"hooks.postBackup.executionPolicy": "Always"}),
    (rows.RS, {"hooks": {"postRestore": {"exec": {"command": ["a"]}, "containerName": "a"}}},
     {"hooks.postRestore.executionPolicy": "Always"}),
    (rows.BC, {"retryConfig": {"delay": "1m"}}, {"retryConfig.maxRetry": 1}),
    (rows.REPO, {"usagePolicy": {"allowedNamespaces": {}}}, {"usagePolicy.allowedNamespaces.from": "Same"}),
    (rows.BB, {"usagePolicy": {"allowedNamespaces": {}}}, {"usagePolicy.allowedNamespaces.from": "Same"}),
    (rows.APP, {"secret": {"name": "a"}}, {"secret.kind": "Secret", "secret.apiGroup": ""}),
]


def member(it, way):
    for step in way.split("."):
        it = it.get(step) if isinstance(it, dict) else None
    return it


def texts(it):
    """Every path with its value."""
    if isinstance(it, dict):
        return {f"{key}.{way}" if way else key: value for key, below in it.items() for way, value in texts(below).items()}
    return {"": it}


@test("CR3")
def what_is_not_said_becomes_the_default_and_nothing_else_is_added(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        for base, edits, wanted in DEFAULTS:
            it = rows.edited(base, edits)
            answer = tried(cluster, space, it)
            check_equal((answer.code, answer.message), (201, ""), it["kind"])
            for way, value in wanted.items():
                check_equal(member(answer.value["spec"], way), value, f"{it['kind']} {way}")
        known = {way for _, _, wanted in DEFAULTS for way in wanted}
        for it in BASES.values():
            made = texts(tried(cluster, space, it).value["spec"])
            check_equal(sorted(set(made) - set(texts(it["spec"])) - known), [], f"members added to {it['kind']}")
    return f"{len(known)} defaults"


@test("CR4")
def unknown_fields_are_named_and_free_ones_are_kept(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        for kind, base in BASES.items():
            it = copy.deepcopy(base)
            it["spec"]["bogus"] = {"a": 1}
            answer = tried(cluster, space, it)
            check(answer.code == 400 and 'unknown field "spec.bogus"' in answer.message, f"{kind}: {answer.message}")
            answer = tried(cluster, space, it, "Warn")
            check(answer.code == 201 and "bogus" not in answer.value["spec"], f"{kind}: {answer.code} is kept")
            check(any("spec.bogus" in warning for warning in answer.warnings), f"{kind}: {answer.warnings}")
        parameters = {"apiVersion": "example.com/v1", "kind": "Any", "deep": {"list": [1, {"a": None}], "text": "x"}}
        answer = tried(cluster, space, rows.edited(rows.APP, {"parameters": parameters}))
        check_equal((answer.code, answer.message), (201, ""), "parameters")
        check_equal(answer.value["spec"]["parameters"], parameters, "parameters")
        settings = {"pod": {"affinity": {"podAffinity": {"of": ["later", {"a": 1}]}}}}
        answer = tried(cluster, space, rows.edited(rows.BC, {"runtimeSettings": settings}), "Warn")
        check_equal(answer.value.get("spec", {}).get("runtimeSettings"), settings, "a type of Kubernetes is open below")
    return f"{len(BASES)} kinds"


CHANGES = [
    # kind, patch, words of the refusal; None: may change
    ("BackupSession", {"spec": {"retryLeft": 3}}, "can not change"),
    ("RestoreSession", {"spec": {"timeOut": "1h"}}, "can not change"),
    ("RestoreSession", {"spec": {"repository": {"name": "other"}}}, "can not change"),
    ("Repository", {"spec": {"backend": {"s3": {"bucket": "other"}}}}, "location"),
    ("Repository", {"spec": {"backend": {"s3": None, "gcs": {"bucket": "backups"}}}}, "location"),
    ("Repository", {"spec": {"backend": {"storageSecretName": "other"}}}, None),
    ("Repository", {"spec": {"wipeOut": True}}, None),
    ("BackupConfiguration", {"spec": {"schedule": "@daily"}}, None),
    ("BackupConfiguration", {"spec": {"paused": True}}, None),
] + [(kind, {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}, None) for kind in BASES]


@test("CR5")
def what_must_not_change_does_not_and_a_status_is_apart(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        made = {}
        for kind, base in BASES.items():
            it = placed(base, space)
            it["metadata"]["name"] = f"row-{space}"
            made[kind] = f"{path(cluster, it, space)}/{it['metadata']['name']}"
            cluster.api("POST", path(cluster, it, space), it)
        try:
            for kind, patch, words in CHANGES:
                answer = ask(cluster, "PATCH", made[kind] + "?dryRun=All", patch, kind=MERGE)
                check_equal(answer.code, 422 if words else 200, f"{kind} {patch}: {answer.message}")
                check((words or "") in answer.message, f"{kind} {patch}: {answer.message}")
            for kind, where in made.items():
                has = "status" in crd(cluster, kind)["versions"][0].get("subresources", {})
                check_equal(has, kind not in ("Function", "Task", "AppBinding"), f"{kind} has a status")
                if not has:
                    continue
                answer = ask(cluster, "PATCH", where + "/status", {"status": {"observedGeneration": 7}}, kind=MERGE)
                check_equal((answer.code, answer.value.get("status", {}).get("observedGeneration")), (200, 7), kind)
                check_equal(answer.value["metadata"]["generation"], 1, f"generation of {kind}")
                answer = ask(cluster, "PATCH", where, {"status": {"observedGeneration": 8}}, kind=MERGE)
                check_equal(answer.value["status"]["observedGeneration"], 7, f"{kind}: status written with the object")
        finally:
            for where in made.values():
                cluster.api("DELETE", where)
    return f"{len(CHANGES)} changes"


# --- kubectl ---------------------------------------------------------------------------------------

# What spec/kind is called, and the columns that `kubectl get` shows.
COLUMNS = {
    "BackupBlueprint": "TASK SCHEDULE TARGETS FAILING AGE", "BackupConfiguration": "TASK SCHEDULE PAUSED PHASE AGE",
    "BackupSession": "INVOKER-TYPE INVOKER-NAME PHASE PERCENT DURATION AGE", "RestoreSession": "REPOSITORY PHASE PERCENT DURATION AGE",
    "Repository": "INTEGRITY SIZE SNAPSHOT-COUNT LAST-SUCCESSFUL-BACKUP AGE", "Function": "AGE", "Task": "AGE",
    "AppBinding": "TYPE VERSION AGE",
}
SHORT = {"bb": "BackupBlueprint", "bc": "BackupConfiguration", "restore": "RestoreSession", "repo": "Repository",
         "fn": "Function", "task": "Task"}
DEEP = ("backupconfiguration.spec.target.ref", "backupblueprint.spec.retentionPolicy", "repository.spec.backend.s3",
        "restoresession.spec.target.rules", "appbinding.spec.clientConfig", "function.spec", "task.spec.steps",
        "backupsession.spec.invoker")


@test("CR6")
def kubectl_explains_and_shows_every_kind(cluster):
    policies(cluster)
    for each in crds(cluster):
        plural, kind = each["names"]["plural"], each["names"]["kind"]
        said = cluster.kubectl("explain", f"{plural}.{each['group']}", "--recursive")
        check(f"KIND:       {kind}" in said and "spec\t<Object>" in said, said[:500])
        fields = re.findall(r"^ +\S+\t<", said, re.MULTILINE)
        check(len(fields) > 10, f"{kind}: only {len(fields)} fields")
        described = said.partition("DESCRIPTION:")[2].partition("FIELDS:")[0].strip()
        check(len(described) > 20 and "<empty>" not in described, f"{kind} is described as {described!r}")
    for field in DEEP:
        said = cluster.kubectl("explain", field)
        bare = re.findall(r"^  (\S+)\t<.*>.*\n +<no description>", said, re.MULTILINE)
        check("DESCRIPTION:" in said and not bare, f"{field}: without a description: {bare}\n{said[:300]}")
    with cluster.namespace() as space:
        for each in crds(cluster):
            kind, names = each["names"]["kind"], each["names"]
            it = placed(BASES[kind], space)
            it["metadata"]["name"] = f"shown-{space}"
            cluster.api("POST", path(cluster, it, space), it)
            try:
                table = cluster.kubectl("get", f"{names['plural']}.{each['group']}", it["metadata"]["name"], "-n", space)
            finally:
                cluster.api("DELETE", f"{path(cluster, it, space)}/{it['metadata']['name']}")
            check_equal(table.splitlines()[0].split(), ["NAME", *COLUMNS[kind].split()], f"columns of {kind}")
    known = {each["names"]["kind"]: set(each["names"].get("shortNames", [])) for each in crds(cluster)}
    check_equal({short: kind for kind, shorts in known.items() for short in shorts}, SHORT, "short names")
    listed = cluster.kubectl("api-resources", "--categories=stash", "-o", "name").split()
    check_equal(len(listed), 7, f"category stash: {listed}")
    listed = cluster.kubectl("api-resources", "--categories=appscode", "-o", "name").split()
    check_equal(len(listed), 8, f"category appscode: {listed}")
    return f"{len(known)} kinds"


@test("CR7")
def manifests_as_users_of_stash_write_them_apply_unchanged(cluster):
    policies(cluster)
    clustered = "backupblueprints,functions.stash.appscode.com,tasks"
    with cluster.namespace() as space:
        try:
            first = cluster.kubectl("apply", "-n", space, "-f", EXAMPLES).splitlines()
            wrong = [line for line in first if not line.endswith("created")]
            check_equal(wrong, [], "applied")
            check(len(first) > 25, f"only {len(first)} manifests")
            again = cluster.kubectl("apply", "-n", space, "-f", EXAMPLES).splitlines()
            check_equal([line for line in again if not line.endswith("unchanged")], [], "applied again")
            said = cluster.kubectl("apply", "--server-side", "-n", space, "-f", EXAMPLES)
            check("Warning" not in said, said)
            # the controllers of Kubernetes may write between the two versions that it compares
            becomes(lambda: cluster.kubectl("diff", "-n", space, "-f", EXAMPLES), "", "kubectl diff")
        finally:
            cluster.kubectl("delete", clustered, "--ignore-not-found", "example-workloads", "example-claims",
                            "example-databases", "example-dump")
    return f"{len(first)} manifests"
