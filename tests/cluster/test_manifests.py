"""The manifests as a whole: what each ServiceAccount may then do, every overlay, installed and taken away."""

import contextlib
import os
import tempfile

import tools
from granary import CONTROLLER, MASTERS, ask, configured, policies, rendered, self_signed, served
from harness import becomes, check, check_equal, eventually, test

HERE = os.path.dirname(os.path.abspath(__file__))
MERGE = "application/merge-patch+json"
STASH = "/apis/stash.appscode.com"


# --- rights ----------------------------------------------------------------------------------------


def joined(group, resource):
    return f"{resource}.{group}" if group else resource


def line(rule):
    words = [",".join(sorted(rule["verbs"])),
             ",".join(joined(group, resource) for group in rule["apiGroups"] for resource in rule["resources"])]
    return " ".join(words + (["named", ",".join(rule["resourceNames"])] if rule.get("resourceNames") else []))


def rules(cluster, user, namespace):
    """What a ServiceAccount of ours may do there, a line each."""
    review = ask(cluster, "POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
                 {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
                  "spec": {"namespace": namespace}}, user=f"system:serviceaccount:granary-system:{user}",
                 groups=["system:serviceaccounts", "system:serviceaccounts:granary-system", "system:authenticated"])
    check_equal(review.code, 201, review.message)
    status = review.value["status"]
    return {line(rule) for rule in status["resourceRules"]} | {
        f"{','.join(rule['verbs'])} {','.join(rule['nonResourceURLs'])}" for rule in status["nonResourceRules"]}


def rights(cluster, elsewhere):
    lines = []
    for each in rendered(cluster):
        if each["kind"] != "ServiceAccount":
            continue
        name = each["metadata"]["name"]
        for title, space in (("granary-system", "granary-system"), ("every other namespace", elsewhere)):
            found = rules(cluster, name, space) - rules(cluster, "nobody", space)  # whom nothing is bound to
            lines += [f"{name}, in {title}:"] + sorted(f"  {rule}" for rule in found) + [""]
    return lines[:-1]


@test("SEC12")
def every_serviceaccount_may_do_what_is_written_down_and_nothing_else(cluster):
    policies(cluster)
    path = os.path.join(HERE, "golden", "rights.txt")
    with cluster.namespace() as elsewhere:
        if os.environ.get("GOLDEN"):
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(rights(cluster, elsewhere)) + "\n")
        wanted = tools.file_text(path).splitlines()
        # a new role counts within moments
        becomes(lambda: rights(cluster, elsewhere), wanted, "rights (GOLDEN=1 writes them anew)")
    return f"{sum(each.startswith('  ') for each in wanted)} rights"


# --- applied ---------------------------------------------------------------------------------------

OVERLAYS = ("deny", "ha", "beside", "pushgateway")  # cert-manager: CT8


def folder(*parts):
    return os.path.join(tools.ROOT, "manifests", *parts)


@test("IN1")
def an_api_server_takes_every_overlay(cluster):
    policies(cluster)
    for overlay in OVERLAYS:
        output = cluster.kubectl("apply", "--server-side", "-k", folder("overlays", overlay), "--dry-run=server")
        check("deployment.apps/granary-webhook serverside" in output and "Warning" not in output, output)
    return " ".join(OVERLAYS)


def remove(cluster):
    cluster.kubectl("delete", "-k", folder("overlays", "local"), "--ignore-not-found", "--timeout=300s")


@contextlib.contextmanager
def empty(cluster):
    """Nothing of granary is there, neither before nor afterwards."""
    remove(cluster)
    check_equal(left(cluster), [], "an empty cluster")
    try:
        yield
    finally:
        remove(cluster)
        cluster.granary_policies = cluster.granary_webhook = cluster.granary_whole = None
        cluster.granary_certificates = False


def left(cluster):
    """What is still there of it."""
    kinds = "crd,namespace,clusterrole,clusterrolebinding,mutatingwebhookconfigurations,validatingwebhookconfigurations," \
            "validatingadmissionpolicies,validatingadmissionpolicybindings"
    return [found for found in cluster.kubectl("get", kinds, "-o", "name").splitlines()
            if "granary" in found or "appscode.com" in found]


def objects_of_ours(cluster, space):
    """Some, once their kinds are served; made by our controller, whom the validator lets through."""
    served(cluster)
    cluster.apply([
        {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository", "metadata": {"name": "web", "namespace": space},
         "spec": {"backend": {"s3": {"endpoint": "s3", "bucket": "abc"}, "storageSecretName": "s"}, "wipeOut": True}},
        {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration", "metadata": {
            "name": "web", "namespace": space}, "spec": {
                "repository": {"name": "web"}, "schedule": "@daily",
                "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
                "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "paths": ["/data"]}}}],
        None, f"--as={CONTROLLER}", f"--as-group={MASTERS[0]}")


def is_judged(cluster, space):
    """Waits until the validator counts. Nobody answers for it, and it fails closed: as bad as it gets."""
    eventually(lambda: "validate.granary.dev" in ask(
        cluster, "PATCH", f"{STASH}/v1alpha1/namespaces/{space}/repositories/web?dryRun=All",
        {"metadata": {"labels": {"a": "b"}}}, kind=MERGE).message, "the validator counts")


def taken_away(cluster, *folders):
    for each in folders:
        cluster.kubectl("delete", "-k", each, "--timeout=300s")
    check_equal(left(cluster), [], "what is left")


def published(cluster):
    """Writes a caBundle as the controller will; returns a question whether it is there."""
    hooks = "mutatingwebhookconfiguration/granary-webhook"
    with tempfile.TemporaryDirectory() as place:
        bundle = self_signed(place)[2]
    cluster.kubectl("patch", hooks, "--type=json", "--field-manager=granary", "-p",
                    f'[{{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": "{bundle}"}}]')
    return lambda: cluster.kubectl("get", hooks, "-o", "jsonpath={.webhooks[0].clientConfig.caBundle}") == bundle


def changed(output):
    # kubectl always sends the selector of this kind
    return [said for said in output.splitlines() if not said.endswith("unchanged") and
            not said.startswith("poddisruptionbudget")]


def applied_kinds(cluster):
    """When kubectl last changed each of our kinds, and how often that was; their status changes by itself."""
    found = cluster.api("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    return {it["metadata"]["name"]: [it["metadata"]["generation"]] + [
        each["time"] for each in it["metadata"]["managedFields"] if each["manager"] == "kubectl"] for it in found}


@test("IN2", alone=True)
def one_apply_installs_everything_and_the_kinds_can_go_first(cluster):
    with empty(cluster), cluster.namespace() as space:
        cluster.kubectl("apply", "-k", folder())
        there = published(cluster)
        objects_of_ours(cluster, space)
        is_judged(cluster, space)
        check_equal(changed(cluster.kubectl("apply", "-k", folder())), [], "applied again")
        for overlay in ("overlays", "deny"), ():
            check("Warning" not in cluster.kubectl("apply", "-k", folder(*overlay)), "a warning")
        cluster.kubectl("apply", "--server-side", "-k", folder())
        check(there(), "the bundle was taken away")
        taken_away(cluster, folder("crds"), folder("system"))


@test("IN3", alone=True)
def the_same_server_side_and_the_controller_can_go_first(cluster):
    with empty(cluster), cluster.namespace() as space:
        cluster.kubectl("apply", "--server-side", "-k", folder())
        there = published(cluster)
        objects_of_ours(cluster, space)
        is_judged(cluster, space)
        before = applied_kinds(cluster)
        cluster.kubectl("apply", "--server-side", "-k", folder())
        check_equal(applied_kinds(cluster), before, "the kinds, applied again")
        check(there(), "the bundle was taken away")
        # a namespace with pods takes half a minute to go; the other test waits for that
        cluster.kubectl("scale", "deployment", "--all", "-n", "granary-system", "--replicas=0")
        eventually(lambda: not cluster.pods("granary-system"), "no pods")
        taken_away(cluster, folder("system"), folder("crds"))


@test("IN4")
def with_the_webhook_gone_what_is_ours_can_be_deleted(cluster):
    policies(cluster)
    path = STASH + "/v1beta1/namespaces/{}/backupconfigurations/{}"

    def owned(space, name, uid):
        cluster.api("PATCH", path.format(space, name), {"metadata": {"ownerReferences": [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}]}}, MERGE)

    with cluster.namespace() as elsewhere, cluster.namespace({"test": "gone"}) as space:
        objects_of_ours(cluster, elsewhere)
        owned(elsewhere, "web", "0-0-0")
        objects_of_ours(cluster, space)
        owned(space, "web", cluster.create("configmaps", space, {"metadata": {"name": "owner"}})["metadata"]["uid"])
        with configured(cluster, "ValidatingWebhookConfiguration", "gone",
                        lambda hook: {"url": "https://127.0.0.1:1/validate"}):
            is_judged(cluster, space)
            # the garbage collector finds new kinds within half a minute; then it takes what has lost its owner
            eventually(lambda: ask(cluster, "GET", path.format(elsewhere, "web")).code == 404, "an orphan is collected")
            cluster.kubectl("delete", "configmap", "owner", "-n", space, "--cascade=orphan", "--timeout=300s")
            eventually(lambda: "ownerReferences" not in cluster.api("GET", path.format(space, "web"))["metadata"],
                       "the owner is taken out")
            cluster.kubectl("delete", "backupconfiguration,repository", "--all", "-n", space, "--timeout=300s")
