"""Who may use what (SEC2): the policies on blueprints, Repositories, pods and commands, asked as people with few rights."""

import contextlib

from granary import CONTROLLER, MASTERS, ask, policies
from harness import check, check_equal, eventually, test
from test_reach import APPS, BACKUP, BINDINGS, CORE, OWNER, STASH, binding, claim, deployment, ours, restore

KEY = "stash.appscode.com/backup-blueprint"
RBAC = "rbac.authorization.k8s.io"
MERGE = "application/merge-patch+json"
BACKUPS, RESTORES = "backupconfigurations", "restoresessions"


def grant(cluster, space, user, *rules):
    """Gives a user these rights in a namespace: (groups, resources, verbs, names)."""
    name = "-".join(filter(None, ["test", user, str(len(rules)), rules[0][1][0]]))
    cluster.apply([
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": name, "namespace": space}, "rules": [
            {"apiGroups": [rule[0]], "resources": rule[1], "verbs": rule[2], **({"resourceNames": rule[3]} if rule[3:] else {})}
            for rule in rules]},
        {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": space},
         "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
         "subjects": [{"kind": "User", "name": user, "apiGroup": RBAC}]}], None, "--server-side")


WRITE = ["create", "update", "patch", "get"]
AUTHOR = [("apps", ["deployments", "replicasets", "statefulsets"], WRITE),
          ("", ["persistentvolumeclaims", "replicationcontrollers"], WRITE),
          ("appcatalog.appscode.com", ["appbindings"], WRITE), ("stash.appscode.com", [BACKUPS, RESTORES], WRITE)]


def may(cluster, space, user, verb, group, resource, name=""):
    """Waits until the API server knows a new right."""
    def answer():
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {"user": user,
                  "resourceAttributes": {"namespace": space, "verb": verb, "group": group, "resource": resource, "name": name}}}
        return cluster.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)["status"]["allowed"]
    eventually(answer, f"{user} may {verb} {resource} {name}")


class Place:
    """A namespace with an author who may write, and use nothing."""

    def __init__(self, cluster, space):
        self.cluster, self.space = cluster, space
        grant(cluster, space, "author", *AUTHOR)
        may(cluster, space, "author", "create", "stash.appscode.com", RESTORES)

    def make(self, group, resource, it, user="author", groups=()):
        return ask(self.cluster, "POST", f"{group}/namespaces/{self.space}/{resource}?dryRun=All", it, user=user, groups=groups)


@contextlib.contextmanager
def place(cluster):
    policies(cluster)
    with cluster.namespace() as space:
        yield Place(cluster, space)


def told(answer, *names):
    """The request passed, and the warnings name exactly these blueprints."""
    check(answer.code in (200, 201), f"{answer.code} {answer.message}")
    about = [line for line in answer.warnings if "verb use" in line]
    check_equal([line.split('BackupBlueprint "')[1].split('"')[0].rstrip("\\") for line in
                 (each.replace('\\"', '"') for each in about)], list(names), f"warnings ({answer.warnings})")


def annotated(value, **more):
    return deployment({KEY: value}, **more)


@test("US1")
def who_may_not_use_a_blueprint_is_told_so(cluster):
    with place(cluster) as here:
        told(here.make(APPS, "deployments", annotated("nightly")), "nightly")
        told(here.make(APPS, "deployments", annotated(" a, b ,")), "a", "b")
        told(here.make(APPS, "deployments", annotated("a,b,c,d,e,f,g,h")), *"abcdefgh")
        told(here.make(APPS, "deployments", annotated("../x,*,a/b")), "../x", "*", "a/b")
        told(here.make(APPS, "deployments", annotated("")))
        told(here.make(APPS, "deployments", deployment({"granary.dev/backup": "false"})))
        told(here.make(APPS, "replicasets", annotated("nightly")), "nightly")
        told(here.make(APPS, "replicasets", annotated("nightly", ownerReferences=OWNER)))
        told(here.make(CORE, "persistentvolumeclaims", claim({KEY: "nightly"})), "nightly")
        told(here.make(BINDINGS, "appbindings", binding({KEY: "nightly"})), "nightly")
        told(here.make(APPS, "deployments", annotated("nightly"), user="admin", groups=MASTERS))
        told(here.make(APPS, "deployments", deployment({"a": "b"}), user="admin", groups=MASTERS))
        many = here.make(APPS, "deployments", annotated("a,b,c,d,e,f,g,h,i"))
        check(any("more than 8" in line for line in many.warnings), f"{many.warnings}")


@test("US2")
def a_right_in_the_namespace_is_enough(cluster):
    with place(cluster) as here:
        space = here.space
        grant(cluster, space, "chooser", *AUTHOR, ("stash.appscode.com", ["backupblueprints"], ["use"], ["a", "b"]))
        may(cluster, space, "chooser", "use", "stash.appscode.com", "backupblueprints", "a")
        told(here.make(APPS, "deployments", annotated("a,c,b"), user="chooser"), "c")
        cluster.apply([{"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": "editor", "namespace": space},
                        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "edit"},
                        "subjects": [{"kind": "User", "name": "editor", "apiGroup": RBAC}]}])
        may(cluster, space, "editor", "use", "stash.appscode.com", "backupblueprints", "any")
        told(here.make(APPS, "deployments", annotated("any"), user="editor"))
        with cluster.namespace() as other:
            answer = ask(cluster, "POST", f"{APPS}/namespaces/{other}/deployments?dryRun=All", annotated("any"), user="editor")
            check_equal(answer.code, 403, "the same person elsewhere")


@test("US3")
def only_a_new_name_is_asked_about(cluster):
    with place(cluster) as here:
        path = f"{APPS}/namespaces/{here.space}/deployments"
        cluster.api("POST", path, annotated("nightly"))

        def edit(body):
            return ask(cluster, "PATCH", path + "/web?dryRun=All", body, user="author", kind=MERGE)

        told(edit({"metadata": {"labels": {"a": "b"}}}))
        told(edit({"spec": {"replicas": 3}}))
        told(edit({"metadata": {"annotations": {"stash.appscode.com/schedule": "@daily"}}}))
        told(edit({"metadata": {"annotations": {KEY: "hourly"}}}), "hourly")
        told(edit({"metadata": {"annotations": {KEY: None}}}))


@test("US4")
def a_label_on_a_namespace_is_a_use_too(cluster):
    with place(cluster) as here:
        space = here.space
        grant(cluster, space, "owner", ("", ["namespaces"], ["get", "patch"]))
        may(cluster, space, "owner", "patch", "", "namespaces", space)

        def label(value, name="granary.dev/blueprint"):
            return ask(cluster, "PATCH", f"/api/v1/namespaces/{space}?dryRun=All", {"metadata": {"labels": {name: value}}},
                       user="owner", kind=MERGE)

        told(label("nightly"), "nightly")
        told(label("nightly", "other"))
        told(label(None))
        grant(cluster, space, "owner", ("stash.appscode.com", ["backupblueprints"], ["use"], ["nightly"]))
        may(cluster, space, "owner", "use", "stash.appscode.com", "backupblueprints", "nightly")
        told(label("nightly"))
        told(label("hourly"), "hourly")
        told(ask(cluster, "POST", "/api/v1/namespaces?dryRun=All", {"metadata": {
            "name": "granary-test", "labels": {"granary.dev/blueprint": "nightly"}}}))


@test("US5")
def the_overlay_turns_warnings_into_refusals(cluster):
    with place(cluster) as here:
        policy = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
        name = "test-deny-" + here.space
        # as components/deny, for this namespace only
        for each in ("granary-use-blueprint", "granary-use-repository"):
            cluster.api("POST", policy, {"metadata": {"name": f"{name}-{each}"}, "spec": {
                "policyName": each, "validationActions": ["Deny", "Audit"], "matchResources": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": here.space}}}}})
        try:
            refused = eventually(lambda: here.make(APPS, "deployments", annotated("nightly")).message, "a refusal")
            check('author may not use BackupBlueprint "nightly" in namespace ' + here.space in refused, refused)
            refused = eventually(lambda: here.make(STASH + "/v1beta1", BACKUPS, ours("v1beta1", "BackupConfiguration", BACKUP))
                                 .message, "a refusal")
            check(f"author may not use Repository {here.space}/web" in refused, refused)
            check_equal(here.make(APPS, "deployments", deployment()).code, 201, "without a blueprint")
            check_equal(here.make(APPS, "deployments", annotated("a"), user="admin", groups=MASTERS).code, 201, "admin")
            check_equal(here.make(APPS, "deployments", annotated("a", ownerReferences=OWNER)).code, 422, "owned Deployment")
            check_equal(here.make(APPS, "replicasets", annotated("a", ownerReferences=OWNER)).code, 201, "owned ReplicaSet")
            configuration = ours("v1beta1", "BackupConfiguration", BACKUP)
            # our own controller made the plan; its rights are not asked about
            answer = here.make(STASH + "/v1beta1", BACKUPS, configuration, user=CONTROLLER)
            check("may not use" not in answer.message, answer.message)
        finally:
            for each in ("granary-use-blueprint", "granary-use-repository"):
                cluster.api("DELETE", f"{policy}/{name}-{each}")


def repositories(answer):
    check(answer.code in (200, 201), f"{answer.code} {answer.message}")
    return [line.split("Repository ")[1].split(" ")[0] for line in answer.warnings if "may not use Repository" in line]


@test("US6")
def who_may_not_use_a_repository_is_told_so(cluster):
    with place(cluster) as here:
        space, stash = here.space, STASH + "/v1beta1"
        backup = ours("v1beta1", "BackupConfiguration", BACKUP)
        check_equal(repositories(here.make(stash, BACKUPS, backup)), [f"{space}/web"], "a backup")
        check_equal(repositories(here.make(stash, RESTORES, restore())), [f"{space}/web"], "a restore")
        other = {"name": "web", "namespace": "other"}
        check_equal(repositories(here.make(stash, RESTORES, restore(repository=other))), ["other/web"], "elsewhere")
        cluster.api("POST", f"{stash}/namespaces/{space}/{BACKUPS}", backup)
        path = f"{stash}/namespaces/{space}/{BACKUPS}/web?dryRun=All"
        check_equal(repositories(ask(cluster, "PATCH", path, {"spec": {"paused": True}}, user="author", kind=MERGE)), [],
                    "the same Repository")
        grant(cluster, space, "author", ("stash.appscode.com", ["repositories"], ["use"], ["web"]))
        may(cluster, space, "author", "use", "stash.appscode.com", "repositories", "web")
        check_equal(repositories(here.make(stash, RESTORES, restore())), [], "with the right")
        check_equal(repositories(here.make(stash, RESTORES, restore(repository=other))), ["other/web"],
                    "the right is for this namespace")


TARGET = {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
SETTINGS = {"pod": {"serviceAccountName": "admin"}}
EXEC = {"exec": {"command": ["a"]}, "containerName": "app"}
TCP = {"tcpSocket": {"port": 80}, "containerName": "app"}


def asks(kind, **spec):
    return ours("v1beta1", "BackupConfiguration", {**BACKUP, **spec}) if kind == BACKUPS else restore(**spec)


@test("US7")
def pods_and_commands_are_for_those_who_may_have_them_anyway(cluster):
    pods, command = "may not create pods", "create pods/exec"
    with place(cluster) as here:
        space, stash = here.space, STASH + "/v1beta1"
        app = {"target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": "db"}}}
        volume = {"target": {"ref": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "a"}}}
        rows = [(kind, what, spec, word) for kind, before in ((BACKUPS, "preBackup"), (RESTORES, "preRestore"))
                for what, spec, word in (
                    ("nothing", {}, None), ("a ServiceAccount", {"runtimeSettings": SETTINGS}, pods),
                    ("empty settings", {"runtimeSettings": {}}, None), ("a task", {"task": {"name": "a"}}, pods),
                    ("a claim", volume, pods), ("an AppBinding", app, pods),
                    ("a command", {"hooks": {before: EXEC}}, command), ("a hook without one", {"hooks": {before: TCP}}, None),
                    ("a command afterwards", {"hooks": {before.replace("pre", "post"): EXEC}}, command))]
        rows += [(BACKUPS, "mode", {"mode": "Job"}, pods), (BACKUPS, "a drill", {"verify": {"schedule": "@weekly"}}, None),
                 (BACKUPS, "a drill's command", {"verify": {"schedule": "@weekly", "command": ["a"]}}, pods),
                 (RESTORES, "new claims", {"target": {**TARGET, "rules": [{"paths": ["/a"]}], "volumeClaimTemplates": [
                     {"metadata": {"name": "a"}, "spec": {"accessModes": ["ReadWriteOnce"],
                                                         "resources": {"requests": {"storage": "1Gi"}}}}]}}, pods)]
        for kind, what, spec, word in rows:
            answer = here.make(stash, kind, asks(kind, **spec))
            check_equal((answer.code, (word or "") in answer.message), (422 if word else 201, True),
                        f"{kind}, {what}: {answer.message}")
            check("resulted in error" not in answer.message, answer.message)
        cluster.api("POST", f"{stash}/namespaces/{space}/{BACKUPS}", asks(BACKUPS, runtimeSettings=SETTINGS))
        path = f"{stash}/namespaces/{space}/{BACKUPS}/web?dryRun=All"
        check_equal(ask(cluster, "PATCH", path, {"metadata": {"labels": {"a": "b"}}}, user="author", kind=MERGE).code, 200,
                    "a label of one that an administrator made")
        check_equal(ask(cluster, "PATCH", path, {"spec": {"paused": True}}, user="author", kind=MERGE).code, 422, "its spec")
        cluster.api("DELETE", path.split("?")[0])
        check_equal(here.make(stash, BACKUPS, asks(BACKUPS, runtimeSettings=SETTINGS), user=CONTROLLER, groups=MASTERS).code,
                    201, "our controller")
        grant(cluster, space, "author", ("", ["pods", "pods/exec"], ["create"]))
        may(cluster, space, "author", "create", "", "pods")
        for kind, what, spec, word in rows:
            answer = here.make(stash, kind, asks(kind, **spec))
            check_equal(answer.code, 201, f"{kind}, {what}, with the right: {answer.message}")
    return f"{len(rows)} requests, without and with the right"


@test("US8")
def who_deletes_a_repository_in_use_is_warned(cluster):
    with place(cluster) as here:
        path = f"{STASH}/v1alpha1/namespaces/{here.space}/repositories"
        it = ours("v1alpha1", "Repository", {"backend": {"s3": {"endpoint": "s3", "bucket": "abc"},
                                                         "storageSecretName": "s"}})
        cluster.api("POST", path, it)
        answer = ask(cluster, "DELETE", path + "/web?dryRun=All")
        check_equal((answer.code, answer.warnings), (200, []), "nobody uses it")
        ask(cluster, "PATCH", path + "/web/status", {"status": {"references": [
            {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": "web", "namespace": "shop"}]}}, kind=MERGE)
        def warned():
            answer = ask(cluster, "DELETE", path + "/web?dryRun=All")
            check_equal(answer.code, 200, "it can be deleted")
            return any("still used by BackupConfiguration shop/web" in line for line in answer.warnings)
        eventually(warned, "a warning")  # this policy is the only one that nothing else waits for
