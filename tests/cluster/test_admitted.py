"""What we make of objects is accepted: golden results, pods under Pod Security, restores that are applied twice."""

import copy
import itertools
import json
import os

import tools
from granary import ask, configured, policies
from harness import check, check_equal, eventually, test
from hook import Webhook

GOLDEN = os.path.join(tools.ROOT, "tests", "golden")
LEVELS = ("baseline", "restricted")
APPS = "/apis/apps/v1"


# --- golden results --------------------------------------------------------------------------------


def patched(it, patch):
    """RFC 6902 with what our patches have: add, replace and remove."""
    it = copy.deepcopy(it)
    for step in patch:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        at = it
        for part in way:
            at = at[int(part)] if isinstance(at, list) else at[part]
        if isinstance(at, list):
            last = len(at) if last == "-" else int(last)
        if step["op"] == "remove":
            del at[last]
        elif step["op"] == "add" and isinstance(at, list):
            at.insert(last, step["value"])
        else:
            check(step["op"] in ("add", "replace"), f"operation {step['op']}")
            at[last] = step["value"]
    return it


def read(*names):
    return json.loads(tools.file_text(os.path.join(GOLDEN, *names)))


def results():
    """(case, resource, object, what the answer makes of it) of every golden answer that lets its object in."""
    for case in sorted(os.listdir(GOLDEN)):
        if not os.path.exists(os.path.join(GOLDEN, case, "review.json")):
            continue
        request, answer = read(case, "review.json")["request"], read(case, "answer.json").get("response", {})
        if answer.get("allowed") and request["operation"] in ("CREATE", "UPDATE") and not request.get("subResource"):
            yield case, request["resource"], request["object"], patched(request["object"], answer.get("patch", []))


def fresh(it, space):
    """As somebody would create it."""
    it = copy.deepcopy(it)
    for key in ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "managedFields", "generation", "selfLink"):
        it["metadata"].pop(key, None)
    it["metadata"]["namespace"] = space
    return it


def place(resource, space):
    group = f"/apis/{resource['group']}" if resource["group"] else "/api"
    return f"{group}/{resource['version']}/namespaces/{space}/{resource['resource']}?dryRun=All&fieldValidation=Strict"


# Cases whose object an API server refuses by itself, also without our part, such as a kind that this one does not have.
ODD = {"deployment-without-containers", "deploymentconfig-create", "name-254", "name-upper-case",
       "replicationcontroller-create", "values-odd"}
# The blueprint asks for fileAccess: Root, which no restricted namespace lets in.
ROOT = {"user-root-restricted"}


@test("GR1")
def an_api_server_takes_every_golden_result(cluster):
    policies(cluster)
    taken, changed, odd = 0, 0, set()
    with cluster.namespace() as space:
        for case, resource, before, after in results():
            answer = ask(cluster, "POST", place(resource, space), fresh(after, space))
            if answer.code < 300:
                taken, changed = taken + 1, changed + (before != after)
                continue
            as_given = ask(cluster, "POST", place(resource, space), fresh(before, space))
            check(as_given.code >= 300, f"{case}: {answer.code} {answer.message}")
            odd.add(case)
    check_equal(odd, ODD, "objects that are refused without our part too")
    check(changed > 120, f"only {changed} results that we had changed were taken")
    return f"{taken} taken, {changed} of them changed by us"


def bare(template, **metadata):
    return {"metadata": {"name": "web", **metadata}, "spec": template["spec"]}


@test("PS1")
def pod_security_takes_every_golden_pod_that_it_took_before(cluster):
    policies(cluster)
    counts = dict.fromkeys(LEVELS, 0)
    for level in LEVELS:
        with cluster.namespace({"pod-security.kubernetes.io/enforce": level}) as space:
            pods = f"/api/v1/namespaces/{space}/pods?dryRun=All"
            for case, _, before, after in results():
                templates = [it.get("spec", {}).get("template") for it in (before, after)]
                if before == after or not all(templates):
                    continue
                answer = ask(cluster, "POST", pods, bare(templates[1]))
                if answer.code < 300:
                    counts[level] += 1
                    continue
                as_given = ask(cluster, "POST", pods, bare(templates[0]))
                check(as_given.code >= 300 or case in ROOT, f"{level}, {case}: {answer.message}")
    check(counts["baseline"] > 100 and counts["restricted"] > 0, f"{counts}")
    return ", ".join(f"{level} {count}" for level, count in counts.items())


# --- the webhook that was built --------------------------------------------------------------------


def blueprint(name, **spec):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupBlueprint", "metadata": {"name": name}, "spec": {
        "backend": {"s3": {"endpoint": "https://s3", "bucket": "abc", "prefix": "${TARGET_NAMESPACE}/${TARGET_NAME}"},
                    "storageSecretName": "s3"},
        "schedule": "0 3 * * *", "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True}, **spec}}


def catalog(*spaces):
    """Two blueprints, and in each namespace a restore of Deployment `restored` that waits."""
    known = [blueprint("auto"), blueprint("follow", fileAccess="Follow")]
    for number, space in enumerate(spaces):
        known += [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}},
            {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository", "metadata": {"name": "web", "namespace": space},
             "spec": {"backend": {"s3": {"endpoint": "https://s3", "bucket": "abc"}, "storageSecretName": "s3"}}},
            {"apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "metadata": {
                "name": "restore", "namespace": space, "uid": f"5e551011-0000-4000-8000-00000000000{number}",
                "creationTimestamp": "2026-01-03T00:00:00Z"}, "spec": {"repository": {"name": "web"}, "target": {
                    "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "restored"},
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}], "rules": [{"paths": ["/data"]}]}}}]
    return known


SECCOMP = {"seccompProfile": {"type": "RuntimeDefault"}}
POD_CONTEXTS = ({}, SECCOMP, {"runAsNonRoot": True, **SECCOMP}, {"runAsUser": 1000}, {"runAsUser": 0},
                {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000, **SECCOMP})
TIGHT = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
CONTEXTS = ({}, TIGHT, {**TIGHT, **SECCOMP, "runAsNonRoot": True}, {**TIGHT, **SECCOMP, "runAsNonRoot": True, "runAsUser": 2000},
            {"runAsUser": 2000}, {"privileged": True})
TARGETS = (("web", "auto"), ("web", "follow"), ("restored", "auto"))


def deployment(name, plan, pod, container):
    return {"metadata": {"name": name, "annotations": {"stash.appscode.com/backup-blueprint": plan}},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": {
                "metadata": {"labels": {"app": name}}, "spec": {
                    "securityContext": pod,
                    "containers": [{"name": "app", "image": "busybox", "securityContext": container,
                                    "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}}


def ours(template):
    pod = template["spec"]
    return {each["name"] for each in pod["containers"] + pod.get("initContainers", [])} & {"stash", "stash-init"}


def injected(cluster, space, it):
    """The template of a Deployment that was asked for, and the warnings that came along."""
    answer = ask(cluster, "POST", f"{APPS}/namespaces/{space}/deployments?dryRun=All", it)
    check_equal((answer.code, answer.message), (201, ""), it["metadata"]["name"])
    return answer.value["spec"]["template"], answer.warnings


@test("PS2")
def pods_that_pod_security_takes_get_our_part_and_are_still_taken(cluster):
    policies(cluster)
    seen = dict.fromkeys(LEVELS, 0)
    labels = [{"test": "levels", "pod-security.kubernetes.io/enforce": level, "pod-security.kubernetes.io/warn": level}
              for level in LEVELS]
    with cluster.namespace(labels[0]) as first, cluster.namespace(labels[1]) as second, \
            Webhook(catalog(first, second)) as webhook, \
            configured(cluster, "MutatingWebhookConfiguration", "levels", webhook.client):
        for level, space in zip(LEVELS, (first, second)):
            pods = f"/api/v1/namespaces/{space}/pods?dryRun=All"
            eventually(lambda space=space: ours(injected(cluster, space, deployment("web", "auto", {}, {}))[0]),
                       "the webhook is asked")
            for pod, container, (name, plan) in itertools.product(POD_CONTEXTS, CONTEXTS, TARGETS):
                it = deployment(name, plan, pod, container)
                if ask(cluster, "POST", pods, bare(it["spec"]["template"])).code >= 300:
                    continue
                what = f"{level}: {name}, {plan}, {pod}, {container}"
                template, warnings = injected(cluster, space, it)
                check_equal(ours(template), {"stash", "stash-init"} if name == "restored" else {"stash"}, what)
                check(not any("would violate" in warning for warning in warnings), f"{what}: {warnings}")
                answer = ask(cluster, "POST", pods, bare(template))
                check(answer.code == 201, f"{what}: {answer.message}")
                seen[level] += 1
    check(seen["baseline"] > 60 and seen["restricted"] > 10, f"{seen}")
    return ", ".join(f"{level} {count}" for level, count in seen.items())


OLD_RESTORE = {"apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "metadata": {"name": "old"}, "spec": {
    "repository": {"name": "web"}, "rules": [{"paths": ["/data"]}], "target": {
        "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}}}


@test("RE1")
def a_restore_with_rules_at_the_top_can_be_applied_again(cluster):
    policies(cluster)
    with cluster.namespace({"test": "again"}) as space, Webhook(catalog(space)) as webhook, \
            configured(cluster, "MutatingWebhookConfiguration", "again", webhook.client):
        sessions = f"/apis/stash.appscode.com/v1beta1/namespaces/{space}/restoresessions"

        def moved():
            made = ask(cluster, "POST", sessions + "?dryRun=All", OLD_RESTORE).value
            return made["spec"]["target"].get("rules")
        eventually(moved, "the webhook is asked")
        cluster.apply(OLD_RESTORE, space)
        before = cluster.api("GET", sessions + "/old")
        check_equal((before["spec"].get("rules"), before["spec"]["target"]["rules"]), (None, [{"paths": ["/data"]}]), "rules")
        for arguments in ((), ("--server-side", "--force-conflicts"), ("--server-side",)):
            cluster.apply(OLD_RESTORE, space, *arguments)
        given = json.dumps(OLD_RESTORE)
        cluster.kubectl("replace", "-n", space, "-f", "-", given=given)
        after = cluster.api("GET", sessions + "/old")
        check_equal((after["spec"], after["metadata"]["generation"]), (before["spec"], 1), "applied again")
        other = copy.deepcopy(OLD_RESTORE)
        other["spec"]["rules"] = [{"paths": ["/etc"]}]
        said = cluster.apply(other, space, wanted=1)
        check("can not change once the session is made" in said, said)
    return "apply, apply --server-side, replace; other rules are refused"
