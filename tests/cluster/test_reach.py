"""Which requests reach the webhook: the rules, selectors and conditions of manifests/, before a recorder."""

import contextlib
import os
import sys

import tools
from granary import CONTROLLER, MASTERS, ask, configured, policies
from harness import check, check_equal, eventually, test
from recorder import Recorder

sys.path.append(os.path.join(tools.ROOT, "tests", "manifests"))
import manifests  # noqa: E402

APPS, CORE, STASH = "/apis/apps/v1", "/api/v1", "/apis/stash.appscode.com"


@contextlib.contextmanager
def recording(cluster, kind, label):
    """Our configuration, but a recorder is asked: each entry at a path of its own."""
    with Recorder() as recorder:
        with configured(cluster, kind, label, lambda hook: recorder.client(hook["name"].split(".")[0])):
            yield recorder
        eventually(lambda: not recorder.taken(), "nobody asks any more")


def deployment(annotations=None, template=None, claim=False, name="web", **metadata):
    pod = {"containers": [{"name": "app", "image": "busybox"}]}
    if claim:
        pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "emptyDir": {}}]
    it = {"metadata": {"name": name, **metadata}, "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "web"}},
          "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod}}}
    if annotations is not None:
        it["metadata"]["annotations"] = annotations
    if template is not None:
        it["spec"]["template"]["metadata"]["annotations"] = template
    return it


def stateful(annotations=None, templates=False, **metadata):
    it = deployment(annotations, **metadata)
    it["spec"]["serviceName"] = "web"
    if templates:
        it["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]
    return it


def controller(annotations=None, **metadata):
    it = deployment(annotations, **metadata)
    it["spec"]["selector"] = {"app": "web"}
    return it


def claim(annotations=None):
    return {"metadata": {"name": "data", **({"annotations": annotations} if annotations else {})},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}


def binding(annotations=None):
    return {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "metadata": {
        "name": "db", **({"annotations": annotations} if annotations else {})},
        "spec": {"type": "postgres", "clientConfig": {"url": "tcp://db:5432"}}}


def restore(**spec):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "RestoreSession", "metadata": {"name": "web"},
            "spec": {"repository": {"name": "web"}, "target": {
                "ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
                "rules": [{"paths": ["/data"]}]}, **spec}}


def old_restore():
    """With rules where older manifests have them."""
    it = restore()
    it["spec"]["rules"] = it["spec"]["target"].pop("rules")
    return it


ASKED = {"stash.appscode.com/backup-blueprint": "b"}
OWNER = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1-2", "controller": True}]
OWNED_LOOSELY = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1-2"}]
BINDINGS = "/apis/appcatalog.appscode.com/v1alpha1"

# what, list, object, entries that are asked; each a creation in a namespace without the label of blueprints
CREATED = [
    ("nothing of ours", APPS, "deployments", deployment(), []),
    ("no annotations in a map", APPS, "deployments", deployment({}), []),
    ("annotations of others", APPS, "deployments", deployment({"a": "b", "my.granary.dev/x": "c"}), []),
    ("claims alone", APPS, "deployments", deployment(claim=True), []),
    ("an empty value", APPS, "deployments", deployment({"stash.appscode.com/backup-blueprint": ""}), ["targets"]),
    ("a key misspelt", APPS, "deployments", deployment({"stash.appscode.com/backup-blueprnt": "b"}), ["targets"]),
    ("a parameter", APPS, "deployments", deployment({"params.stash.appscode.com/args": "b"}), ["targets"]),
    ("our mark in the template", APPS, "deployments", deployment(template={"granary.dev/agent": "v1"}), ["targets"]),
    ("Stash's mark", APPS, "deployments",
     deployment(template={"stash.appscode.com/last-applied-backup-invoker-hash": "1"}), ["targets"]),
    ("others' in the template", APPS, "deployments", deployment({}, {"a": "b"}), []),
    ("a StatefulSet", APPS, "statefulsets", stateful(ASKED), ["targets"]),
    ("a StatefulSet of an operator", APPS, "statefulsets", stateful(ASKED, ownerReferences=OWNER), ["targets"]),
    ("a ReplicaSet", APPS, "replicasets", deployment(ASKED), ["targets"]),
    ("a ReplicaSet of a Deployment", APPS, "replicasets", deployment(ASKED, ownerReferences=OWNER), []),
    ("a ReplicaSet with an owner that is no controller", APPS, "replicasets",
     deployment(ASKED, ownerReferences=OWNED_LOOSELY), ["targets"]),
    ("a ReplicationController", CORE, "replicationcontrollers", controller(ASKED), ["targets"]),
    ("one of a DeploymentConfig", CORE, "replicationcontrollers", controller(ASKED, ownerReferences=OWNER), []),
    ("a claim", CORE, "persistentvolumeclaims", claim(ASKED), ["targets"]),
    ("a claim that nobody protects", CORE, "persistentvolumeclaims", claim(), []),
    ("an AppBinding", BINDINGS, "appbindings", binding(ASKED), ["targets"]),
    ("an AppBinding that nobody protects", BINDINGS, "appbindings", binding(), []),
    ("a pod", CORE, "pods", {"metadata": {"name": "web", "annotations": ASKED}, "spec": {
        "containers": [{"name": "app", "image": "a"}]}}, []),
    ("a ConfigMap", CORE, "configmaps", {"metadata": {"name": "web", "annotations": ASKED}}, []),
    ("a Job", "/apis/batch/v1", "jobs", {"metadata": {"name": "web", "annotations": ASKED}, "spec": {"template": {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "a"}]}}}}, []),
    ("a restore", STASH + "/v1beta1", "restoresessions", restore(), []),
    ("a restore with rules at the top", STASH + "/v1beta1", "restoresessions", old_restore(), ["restores"]),
]

# the same where the namespace asks for a backup
LABELLED = [
    ("no claims", APPS, "deployments", deployment(), []),
    ("claims", APPS, "deployments", deployment(claim=True), ["labelled"]),
    ("claims and an annotation", APPS, "deployments", deployment(ASKED, claim=True), ["targets"]),
    ("claims, and opted out", APPS, "deployments", deployment({"granary.dev/backup": "false"}, claim=True), ["targets"]),
    ("claim templates", APPS, "statefulsets", stateful(templates=True), ["labelled"]),
    ("a ReplicaSet of a Deployment", APPS, "replicasets", deployment(claim=True, ownerReferences=OWNER), []),
    ("a ReplicaSet", APPS, "replicasets", deployment(claim=True), ["labelled"]),
    ("a bare claim", CORE, "persistentvolumeclaims", claim(), []),
    ("an AppBinding", BINDINGS, "appbindings", binding(), []),
    ("a restore", STASH + "/v1beta1", "restoresessions", old_restore(), ["restores"]),
]


def created(cluster, recorder, space, row):
    what, group, resource, it, wanted = row
    answer = ask(cluster, "POST", f"{group}/namespaces/{space}/{resource}?dryRun=All", it)
    check_equal((answer.code, answer.message), (201, ""), what)
    check_equal(recorder.taken(), wanted, what)


def remembered(cluster, path):
    """Waits until the API server's cache has the last version of an object: a patch is first tried on what that has, so
    that a webhook may be asked about a version that is gone."""
    def same():
        versions = [cluster.api("GET", path + query)["metadata"]["resourceVersion"] for query in ("?resourceVersion=0", "")]
        return versions[0] == versions[1]
    eventually(same, f"the cache has {path}")


def begin(cluster, recorder, space):
    """A new configuration counts within seconds."""
    def asked():
        ask(cluster, "POST", f"{APPS}/namespaces/{space}/deployments?dryRun=All", deployment(ASKED))
        return recorder.taken()
    eventually(asked, "the recorder is asked")


@test("MC1")
def only_what_concerns_us_is_asked_about(cluster):
    policies(cluster)
    with cluster.namespace({"test": "reach"}) as plain, \
            cluster.namespace({"test": "reach", "granary.dev/blueprint": "b"}) as labelled, \
            recording(cluster, "MutatingWebhookConfiguration", "reach") as recorder:
        begin(cluster, recorder, plain)
        for row in CREATED:
            created(cluster, recorder, plain, row)
        for row in LABELLED:
            created(cluster, recorder, labelled, row)
    return f"{len(CREATED) + len(LABELLED)} kinds of objects"


@test("MC2")
def every_key_that_the_code_knows_is_seen(cluster):
    policies(cluster)
    known = {name: key for name, key in manifests.keys().items()
             if name.startswith(("KEY_", "LABEL_")) and not name.endswith("_PREFIX")}
    check(len(known) > 20, f"{known}")
    with cluster.namespace({"test": "keys"}) as space, \
            recording(cluster, "MutatingWebhookConfiguration", "keys") as recorder:
        begin(cluster, recorder, space)
        for name, key in known.items():
            created(cluster, recorder, space, (name, APPS, "deployments", deployment({"a": "b", key: "x"}), ["targets"]))
            created(cluster, recorder, space, (name, APPS, "deployments", deployment(None, {key: "x"}), ["targets"]))
    return f"{len(known)} keys"


@test("MC3")
def changes_are_seen_from_both_sides(cluster):
    policies(cluster)
    with cluster.namespace({"test": "changes"}) as space, \
            recording(cluster, "MutatingWebhookConfiguration", "changes") as recorder:
        begin(cluster, recorder, space)
        path = f"{APPS}/namespaces/{space}/deployments"
        merge = "application/merge-patch+json"

        def does(what, wanted, method, where, body=None, kind=merge):
            remembered(cluster, "/".join(where.split("?")[0].split("/")[:8]))
            answer = ask(cluster, method, where, body, kind=kind)
            check(answer.code < 300, f"{what}: {answer.code} {answer.message}")
            # a write that loses a race against the controllers of Kubernetes is judged again
            check_equal(sorted(set(recorder.taken())), wanted, what)

        cluster.api("POST", path, deployment(name="plain"))
        cluster.api("POST", path, deployment(ASKED, name="kept"))
        recorder.taken()
        does("a label of a foreign one", [], "PATCH", path + "/plain", {"metadata": {"labels": {"a": "b"}}})
        does("annotated", ["targets"], "PATCH", path + "/plain", {"metadata": {"annotations": ASKED}})
        does("the annotation goes", ["targets"], "PATCH", path + "/plain",
             {"metadata": {"annotations": {"stash.appscode.com/backup-blueprint": None}}})
        does("now it is foreign again", [], "PATCH", path + "/plain", {"metadata": {"labels": {"a": "c"}}})
        does("a label of a protected one", ["targets"], "PATCH", path + "/kept", {"metadata": {"labels": {"a": "b"}}})
        does("scaling", [], "PATCH", path + "/kept/scale", {"spec": {"replicas": 0}})
        does("status", [], "PATCH", path + "/kept/status", {"status": {"observedGeneration": 1}})
        does("server-side apply", ["targets"], "PATCH", path + "/kept?fieldManager=a",
             {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "kept", "labels": {"c": "d"}}},
             "application/apply-patch+yaml")
        does("deletion", [], "DELETE", path + "/kept")
        sessions = f"{STASH}/v1beta1/namespaces/{space}/restoresessions"
        cluster.api("POST", sessions, restore())
        check_equal(recorder.taken(), [], "a restore is made")
        does("a restore is labelled", [], "PATCH", sessions + "/web", {"metadata": {"labels": {"a": "b"}}})
        cluster.api("DELETE", sessions + "/web")
        recorder.taken()
        cluster.api("POST", sessions, old_restore())
        check_equal(recorder.taken(), ["restores"], "one with rules at the top is made")
        does("it is labelled", ["restores"], "PATCH", sessions + "/web", {"metadata": {"labels": {"a": "b"}}})


@test("MC4")
def our_own_namespace_has_restores_looked_at_and_nothing_else(cluster):
    policies(cluster)
    cluster.kubectl("label", "namespace", "granary-system", "test=own", "granary.dev/blueprint=b", "--overwrite")
    try:
        with cluster.namespace({"test": "own"}) as space, \
                recording(cluster, "MutatingWebhookConfiguration", "own") as recorder:
            begin(cluster, recorder, space)
            wanted = ("a restore", STASH + "/v1beta1", "restoresessions", old_restore(), ["restores"])
            # the new labels of a namespace that was there before count within moments
            eventually(lambda: created(cluster, recorder, "granary-system", wanted) or True, "the namespace is looked at")
            rows = [("annotated", APPS, "deployments", deployment(ASKED), []),
                    ("with claims", APPS, "deployments", deployment(claim=True), []), wanted]
            for row in rows:
                created(cluster, recorder, "granary-system", row)
    finally:
        cluster.kubectl("label", "namespace", "granary-system", "test-", "granary.dev/blueprint-")


BACKUP = {"repository": {"name": "web"}, "schedule": "@daily", "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
          "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "paths": ["/data"]}}


def ours(version, kind, spec):
    return {"apiVersion": f"stash.appscode.com/{version}", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


KINDS = {
    "repositories": ours("v1alpha1", "Repository", {"backend": {"s3": {"endpoint": "s3", "bucket": "abc"},
                                                                "storageSecretName": "s"}}),
    "backupconfigurations": ours("v1beta1", "BackupConfiguration", BACKUP),
    "backupsessions": ours("v1beta1", "BackupSession", {"invoker": {
        "apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": "web"}}),
    "restoresessions": restore(),
    "appbindings": binding(),
}


@test("MC5")
def our_kinds_are_judged_and_nothing_hangs_on_that(cluster):
    policies(cluster)
    collector = "system:serviceaccount:kube-system:generic-garbage-collector"
    with cluster.namespace({"test": "judged"}) as space, \
            recording(cluster, "ValidatingWebhookConfiguration", "judged") as recorder:
        def path(resource):
            group = BINDINGS if resource == "appbindings" else \
                f"{STASH}/{'v1alpha1' if resource == 'repositories' else 'v1beta1'}"
            return f"{group}/namespaces/{space}/{resource}"

        def asked():
            ask(cluster, "POST", path("repositories") + "?dryRun=All", KINDS["repositories"])
            return recorder.taken()
        eventually(asked, "the recorder is asked")
        merge = "application/merge-patch+json"
        label, holder = {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"finalizers": ["granary.dev/test"]}}
        for resource, it in KINDS.items():
            def does(what, wanted, method, where, body=None, user=None, kind=merge, resource=resource):
                if method != "POST":
                    remembered(cluster, where)
                answer = ask(cluster, method, where, body, user=user, groups=MASTERS if user else (), kind=kind)
                check(answer.code < 300, f"{resource}, {what}: {answer.code} {answer.message}")
                check_equal(sorted(set(recorder.taken())), wanted, f"{resource}, {what}")

            one = path(resource) + "/" + it["metadata"]["name"]
            does("made by the controller", [], "POST", path(resource) + "?dryRun=All", it, CONTROLLER, "application/json")
            does("made", ["validate"], "POST", path(resource), it, None, "application/json")
            does("labelled", ["validate"], "PATCH", one, label)
            # of a RestoreSession it may change the finalizers only
            change = holder if resource == "restoresessions" else {"metadata": {"labels": {"a": "c"}}}
            does("changed by the controller", [], "PATCH", one, change, CONTROLLER)
            does("left behind by the garbage collector", [], "PATCH", one, {"metadata": {"ownerReferences": None}}, collector)
            does("held", ["validate"], "PATCH", one, holder)
            does("deleted", [], "DELETE", one)
            does("its finalizer taken away", [], "PATCH", one, {"metadata": {"finalizers": None}})
    return f"{len(KINDS)} kinds"


@test("MC6")
def another_webhook_that_changes_the_request_meets_the_fence(cluster):
    policies(cluster)
    path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

    def variable(it):
        place = "/spec/template/spec/containers/0/env"
        return [] if "env" in it["spec"]["template"]["spec"]["containers"][0] else [
            {"op": "add", "path": place, "value": [{"name": "MESH", "value": "1"}]}]

    with cluster.namespace({"test": "mesh"}) as space, Recorder({"mesh": variable}) as recorder:
        deployments = f"{APPS}/namespaces/{space}/deployments"
        cluster.api("POST", deployments, deployment())
        cluster.api("POST", path, {"metadata": {"name": "test-mesh"}, "webhooks": [{
            "name": "mesh.example.com", "clientConfig": recorder.client("mesh"), "sideEffects": "None",
            "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
            "namespaceSelector": {"matchLabels": {"test": "mesh"}},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"], "operations": ["UPDATE"]}]}]})
        stamp = {"metadata": {"annotations": {"granary.dev/stamp": "1"}}}
        try:
            def refused():
                answer = ask(cluster, "PATCH", deployments + "/web?dryRun=All", stamp, user=CONTROLLER, groups=MASTERS,
                             kind="application/merge-patch+json")
                return answer.code == 422 and answer.message
            message = eventually(refused, "the stamp is refused")
            check("may change no container" in message, message)
            answer = ask(cluster, "PATCH", deployments + "/web?dryRun=All", stamp, kind="application/merge-patch+json")
            check_equal(answer.code, 200, "an administrator")
        finally:
            cluster.api("DELETE", path + "/test-mesh")
