"""What people with few rights try in an installation from manifests/: Repositories and namespaces of others, forged marks,
tokens, names with line ends. Security cases of the catalogue that need a cluster; who may use what is test_use.py."""

import json

import node
import test_targets as targets
from granary import ask
from harness import becomes, check, check_equal, eventually, test
from installed import ANNOTATION, blueprint, pod_template, protected, sidecar
from test_certificates import installed
from test_sessions import keys
from test_targets import USER, found, listed, path, place
from test_use import AUTHOR, MERGE, grant, may

IMAGE = "localhost/granary-agent:dev"
FORGED = {"granary.dev/plan-sha256": "0" * 64, "granary.dev/blueprint-generation": "1"}


def repository(name="shared", **spec):
    return {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository", "metadata": {"name": name}, "spec": {
        "backend": {"s3": {"endpoint": "s3.test", "bucket": "backups", "prefix": name}, "storageSecretName": "keys"}, **spec}}


def configuration(name="web", repository_of=None, metadata=None, **ref):
    reference = {"name": "shared", **({"namespace": repository_of} if repository_of else {})}
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration",
            "metadata": {"name": name, **(metadata or {})}, "spec": {
                "repository": reference, "schedule": "0 0 1 1 *",
                "retentionPolicy": {"name": "a", "keepLast": 5, "prune": True},
                "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", **ref},
                           "paths": ["/data"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}}}


def state(cluster, space, name):
    """(phase, ValidationPassed, RepositoryFound) of a BackupConfiguration."""
    status = (found(cluster, "backupconfigurations", space, name) or {}).get("status", {})
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return status.get("phase"), conditions.get("ValidationPassed"), conditions.get("RepositoryFound")


def author(cluster, space):
    grant(cluster, space, "author", *AUTHOR)
    may(cluster, space, "author", "create", "stash.appscode.com", "backupconfigurations")


@test("SEC3", alone=True)
def a_repository_is_used_by_those_whom_its_policy_lets(cluster):
    installed(cluster)
    with place(cluster) as home, place(cluster) as guest:
        cluster.apply(keys(home), home, "--server-side")
        cluster.create("deployments", guest, targets.plain(targets.web(), replicas=0))
        # what is not there yet lets nobody in advance
        cluster.create("backupconfigurations", guest, configuration(repository_of=home))
        becomes(lambda: state(cluster, guest, "web")[::2], ("NotReady", "False"), "without a Repository")
        cluster.create("repositories", home, repository())
        refused, let = ("Invalid", "False", "True"), ("Ready", "True", "True")
        becomes(lambda: state(cluster, guest, "web"), refused, "no policy: its own namespace")
        seen = 0
        for policy, wanted in (({"from": "All"}, let), ({"from": "Same"}, refused),
                               ({"from": "Selector", "selector": {"matchLabels": {"team": "guest"}}}, refused),
                               ({"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": guest}}}, let),
                               ({"from": "Selector", "selector": {"matchLabels": {"team": "guest"}}}, refused)):
            targets.change(cluster, "repositories", home, "shared", {"spec": {"usagePolicy": None}})
            targets.change(cluster, "repositories", home, "shared", {"spec": {"usagePolicy": {"allowedNamespaces": policy}}})
            becomes(lambda: state(cluster, guest, "web"), wanted, f"with {policy}")  # pylint: disable=cell-var-from-loop
            seen += 1

        # SEC4: its labels decide, and those who may only write in a namespace do not set them
        author(cluster, guest)
        for name in ("team", "kubernetes.io/metadata.name"):
            answer = ask(cluster, "PATCH", cluster.path("namespaces", None, guest), {"metadata": {"labels": {name: "guest"}}},
                         user="author", kind=MERGE)
            check_equal(answer.code, 403, f"a label {name} by an author")
        answer = ask(cluster, "PATCH", path("repositories", home, "shared"), {"spec": {"usagePolicy": None}}, user="author",
                     kind=MERGE)
        check_equal(answer.code, 403, "the policy itself by an author")
        cluster.patch("namespaces", None, guest, {"metadata": {"labels": {"team": "guest"}}})
        becomes(lambda: state(cluster, guest, "web"), let, "with the label")
        cluster.patch("namespaces", None, guest, {"metadata": {"labels": {"team": None}}})
        becomes(lambda: state(cluster, guest, "web"), refused, "without it")
    return f"{seen} policies, a Repository that came later, a label that came and went"


@test("SEC5", alone=True)
def forged_marks_reach_nobody_else(cluster):
    installed(cluster)
    with place(cluster, blueprint("tg", schedule="0 0 1 1 *")) as theirs, place(cluster) as mine:
        cluster.apply(keys(theirs), theirs, "--server-side")
        cluster.create("deployments", theirs, targets.web())
        becomes(lambda: state(cluster, theirs, "deploy-web")[0], "Ready", "the configuration of the other namespace")
        before = found(cluster, "backupconfigurations", theirs, "deploy-web")
        live = cluster.get("deployments", theirs, "web")
        check(sidecar(live), "no sidecar")
        author(cluster, mine)

        # objects that say they are ours, about a target of another namespace
        marks = {"labels": before["metadata"]["labels"],
                 "annotations": {**before["metadata"]["annotations"], "granary.dev/target": f"apps/Deployment/{theirs}/web"}}
        answer = ask(cluster, "POST", path("backupconfigurations", mine), configuration("deploy-web", metadata=marks),
                     user="author")
        check(answer.code in (201, 400, 403, 422), f"{answer.code} {answer.message}")
        elsewhere = ask(cluster, "POST", path("backupconfigurations", mine), configuration("other", namespace=theirs),
                        user="author")
        check(elsewhere.code in (400, 403, 422), f"a target in another namespace: {elsewhere.code} {elsewhere.message}")
        # marks on a workload: who asks for nothing gets nothing, who asks gets what is planned
        mark = pod_template(live)["metadata"]["annotations"]["granary.dev/agent"]
        for name, asks in (("idle", {}), ("asking", {ANNOTATION: "tg"})):
            it = protected("Deployment", name, "data", replicas=0)
            it["metadata"]["annotations"] = {**asks, **FORGED, "granary.dev/stamp": "1",
                                             "kubectl.kubernetes.io/last-applied-configuration": json.dumps(live)}
            it["spec"]["template"]["metadata"]["annotations"] = {"granary.dev/agent": mark}
            cluster.create("deployments", mine, it, user="author")
        targets.configuration(cluster, mine, "deploy-asking")
        asking = cluster.get("deployments", mine, "asking")
        check_equal((sidecar(asking) or {}).get("image"), IMAGE, "image of the sidecar")
        eventually(lambda: not sidecar(cluster.get("deployments", mine, "idle")), "nothing in the one that asks for nothing")
        check(not found(cluster, "backupconfigurations", mine, "deploy-idle"), "a configuration nobody asked for")

        # the other namespace goes on as if nobody had been there: another edit arrives, in its own objects
        targets.annotate(cluster, theirs, schedule="0 0 3 1 *")
        becomes(lambda: found(cluster, "backupconfigurations", theirs, "deploy-web")["spec"]["schedule"], "0 0 3 1 *", "an edit")
        after = found(cluster, "backupconfigurations", theirs, "deploy-web")
        check_equal((after["metadata"]["uid"], after["spec"]["repository"], after["spec"]["target"]),
                    (before["metadata"]["uid"], before["spec"]["repository"], before["spec"]["target"]), "its configuration")
        check_equal(pod_template(cluster.get("deployments", theirs, "web")), pod_template(live), "its template")
        check_equal(len(listed(cluster, "backupconfigurations", theirs)), 1, "configurations there")
    return f"an object with forged marks: {answer.code}; one about another namespace: {elsewhere.code}"


def rules_of(cluster, space, user):
    review = cluster.api("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": space}}, user=user)
    return sorted(json.dumps(rule, sort_keys=True) for rule in
                  review["status"]["resourceRules"] + review["status"]["nonResourceRules"])


@test("SEC8", alone=True)
def the_agents_token_opens_nothing_new(cluster):
    installed(cluster)
    with place(cluster, blueprint("tg", schedule="0 0 1 1 *")) as space:
        user = f"system:serviceaccount:{space}:default"
        before = rules_of(cluster, space, user)
        cluster.apply(keys(space), space, "--server-side")
        cluster.create("deployments", space, targets.web())
        becomes(lambda: state(cluster, space, "deploy-web")[0], "Ready", "the configuration")
        check_equal(rules_of(cluster, space, user), before, "what its ServiceAccount may do")

        # all that our container sees of its identity is a token of another audience, and who serves agents
        template = pod_template(cluster.get("deployments", space, "web"))
        ours = sidecar(template)
        (mount, ) = [each for each in ours["volumeMounts"]
                     if each["mountPath"].startswith("/var/run/secrets/kubernetes.io")]
        (volume, ) = [each for each in template["spec"]["volumes"] if each["name"] == mount["name"]]
        audiences = [source["serviceAccountToken"]["audience"] for source in volume["projected"]["sources"]
                     if "serviceAccountToken" in source]
        check_equal(audiences, ["granary"], "audiences of its tokens")
        check(not any("secret" in source for source in volume["projected"]["sources"]), "a Secret is mounted")
        check(not any("valueFrom" in each and "secretKeyRef" in each["valueFrom"] for each in ours.get("env", [])),
              "a Secret is in its environment")
        token = cluster.api("POST", cluster.path("serviceaccounts", space, "default") + "/token", {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["granary"]}})
        said = cluster.kubectl("get", "pods", "-n", space, "--kubeconfig=/dev/null", f"--server={node.API}",
                               f"--certificate-authority={cluster.layout.pki('ca.crt')}",
                               f"--token={token['status']['token']}", wanted=None)
        check("You must be logged in" in said or "Unauthorized" in said, f"the API server said: {said}")
    return f"{len(before)} rules before and after; the API server refuses the token"


HOSTILE = ("tg\r\nX-Evil: 1", "tg\nevil", "../../evil", "tg%0d%0aevil", "tg/status?evil=1", "tg#evil", "\u202eevil")


@test("SEC10", alone=True)
def names_with_line_ends_are_no_requests(cluster):
    installed(cluster)
    with place(cluster, blueprint("tg", schedule="0 0 1 1 *")) as space:
        mark = cluster.audit_mark()
        for number, name in enumerate(HOSTILE):
            cluster.create("deployments", space, targets.web(f"web-{number}", name))
            targets.warned(cluster, space, f"web-{number}", "Warning")
        cluster.create("deployments", space, targets.web("good"))
        targets.configuration(cluster, space, "deploy-good")
        check_equal(len(listed(cluster, "backupconfigurations", space)), 1, "configurations")
        asked = [entry["requestURI"] for entry in cluster.audit(mark, user=USER)]
        check_equal([uri for uri in asked if "evil" in uri.lower() or "%0d" in uri.lower()], [], "requests")
        logs = "".join(cluster.logs(targets.SYSTEM, pod["metadata"]["name"])
                       for pod in targets.certificates.controllers(cluster))
        check(not any(line.startswith(("X-Evil", "evil")) for line in logs.splitlines()), "a name is a line of the log")
    return f"{len(HOSTILE)} names, {len(asked)} requests"
