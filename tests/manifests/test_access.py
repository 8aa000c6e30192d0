"""Roles: no wildcard, nothing that gives more, nothing read that is not named."""

import re

from harness import check, check_equal, test
from manifests import named, of_kind, source, system, title

READ = {"get", "list", "watch"}


def roles():
    return of_kind(system(), "ClusterRole", "Role")


@test("SEC12")
def no_wildcard_no_escalate_bind_impersonate_no_roles_no_tokens():
    for role in roles():
        for rule in role["rules"]:
            check("nonResourceURLs" not in rule, title(role))
            for word in rule["apiGroups"] + rule["resources"] + rule["verbs"]:
                check("*" not in word, f"{title(role)}: {word}")
            check(not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"]), title(role))
            check("rbac.authorization.k8s.io" not in rule["apiGroups"], f"{title(role)} touches roles")
            commands = set() if role["metadata"]["name"] == "granary-hooks" else {"pods/exec"}
            never = {"serviceaccounts", "serviceaccounts/token", "nodes", "nodes/proxy", "pods/attach", "pods/portforward"}
            check(not (never | commands) & set(rule["resources"]), title(role))


@test("SEC12")
def commands_and_scaling_only_where_somebody_binds_that():
    optional = {"granary-hooks": [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get", "create"]}],
                "granary-scale": [{"apiGroups": ["apps"], "resources": ["statefulsets/scale"], "verbs": ["get", "patch"]}]}
    for name, rules in optional.items():
        (role,) = [role for role in roles() if role["metadata"]["name"] == name]
        check_equal(role["rules"], rules, f"rules of {name}")
    for binding in of_kind(system(), "ClusterRoleBinding", "RoleBinding"):
        check(binding["roleRef"]["name"] not in optional, title(binding))
    for role in roles():
        scales = [rule for rule in role["rules"] if any(each.endswith("/scale") for each in rule["resources"])]
        check(not scales or role["metadata"]["name"] == "granary-scale", title(role))


@test("SEC12")
def secrets_are_read_by_name_only_and_elsewhere_only_where_somebody_binds_that():
    for role in roles():
        if role["metadata"]["name"] == "granary-secrets":
            check_equal(role["rules"], [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}], "rules")
            continue
        for rule in role["rules"]:
            if "secrets" not in rule["resources"]:
                continue
            check_equal(role["kind"], "Role", f"{title(role)} reads Secrets")
            check(rule.get("resourceNames") or rule["verbs"] == ["create"], f"{title(role)}: {rule}")


@test("SEC12")
def the_webhook_writes_nothing():
    for kind in ("ClusterRole", "Role"):
        for rule in named(system(), kind, "granary-webhook")["rules"]:
            check(set(rule["verbs"]) <= READ, f"{rule}")


def followed():
    """What the webhook follows: {(group, plural)} (webhook/followed.c)."""
    text = source("webhook/followed.c")
    names = {"STASH": re.search(r'^#define STASH "([a-z.]+)"$', text, re.M).group(1), '""': ""}
    rows = re.findall(r'^    \{\{(\w+|""), "v\w+", "(\w+)", "\w+", (?:true|false)\}', text, re.M)
    check(len(rows) > 3, "webhook/followed.c has no table of kinds")
    return {(names[group], plural) for group, plural in rows}


@test("SEC12")
def the_webhook_may_follow_what_it_follows_and_nothing_else():
    rules = named(system(), "ClusterRole", "granary-webhook")["rules"]
    allowed = {(group, plural) for rule in rules for group in rule["apiGroups"] for plural in rule["resources"]}
    check_equal(allowed, followed(), "kinds")
    for rule in rules:
        check_equal((sorted(rule["verbs"]), rule.get("resourceNames")), (["list", "watch"], None), "verbs")


def known():
    """What the controller lists and watches: {(group, plural)} (controllers/known.c)."""
    text = source("controllers/known.c")
    names = {"GROUP_STASH": "stash.appscode.com", "GROUP_APPCATALOG": "appcatalog.appscode.com",
             "GROUP_OPENSHIFT_APPS": "apps.openshift.io", "BATCH": "batch"}
    rows = re.findall(r'\[KNOWN_\w+\]\s*=\s*(?:WHOLE\(|META\(|\{\{)(\w+|"[\w.]*"),\s*"v\w+",\s*"(\w+)"', text)
    check_equal(len(rows), text.count("    [KNOWN_") - text.count("= of_"), "rows of the table that were understood")
    return {(names.get(group, group.strip('"')), plural) for group, plural in rows}


def watched_by_name():
    """Single objects that the controller watches: {(plural, name)} (controllers/certificates_places.c, stash.h)."""
    plurals = {"secrets": "secrets", "config_maps": "configmaps", "services": "services",
               "mutating": "mutatingwebhookconfigurations", "validating": "validatingwebhookconfigurations"}
    constants = dict(re.findall(r'#define (\w+) "([\w.-]+)"', source("controllers/certificates.h") + source("api/keys.h") +
                                source("controllers/stash.h")))
    rows = re.findall(r'\[CERTIFICATES_\w+\] = \{&(\w+), (\w+|"[\w-]+"),', source("controllers/certificates_places.c"))
    check_equal(len(rows), 6, "objects that certificates are decided from")
    return {(plurals[kind], constants.get(name, name.strip('"'))) for kind, name in rows} | {
        (plurals[kind], constants["STASH_CONFIGURATION"]) for kind in ("mutating", "validating")}


def watching():
    return [rule for kind in ("ClusterRole", "Role")  # Leases of targets are in our own namespace
            for rule in named(system(), kind, "granary-controller")["rules"] if {"list", "watch"} & set(rule["verbs"])]


@test("SEC12")
def the_controller_may_list_and_watch_what_it_knows_and_nothing_else():
    allowed = {(group, plural) for rule in watching() if "resourceNames" not in rule
               for group in rule["apiGroups"] for plural in rule["resources"]}
    # of its own namespace; a ConfigMap by name, in all
    check_equal(allowed, known() - {("", "configmaps")} | {("discovery.k8s.io", "endpointslices")}, "kinds")


@test("SEC12")
def the_controller_may_watch_single_objects_by_name():
    allowed = {(plural, name) for rule in watching() for plural in rule["resources"]
               for name in rule.get("resourceNames", [])}
    check_equal(allowed, watched_by_name(), "objects")


@test("SEC12")
def the_webhook_may_follow_the_secret_that_its_arguments_name():
    container = named(system(), "Deployment", "granary-webhook")["spec"]["template"]["spec"]["containers"][0]
    (secret,) = [word.partition("=")[2] for word in container["args"] if word.startswith("--tls-secret=")]
    role = named(system(), "Role", "granary-webhook")
    check_equal(role["rules"], [{"apiGroups": [""], "resources": ["secrets"],
                                 "resourceNames": [secret.partition("/")[2]], "verbs": ["list", "watch"]}], "rules")
    check_equal(role["metadata"]["namespace"], secret.partition("/")[0], "namespace")


@test("SEC12")
def storage_secrets_are_bound_in_our_namespace_and_nowhere_else():
    bound = [(binding["kind"], binding["metadata"].get("namespace"))
             for binding in of_kind(system(), "ClusterRoleBinding", "RoleBinding")
             if binding["roleRef"]["name"] == "granary-secrets"]
    check_equal(bound, [("RoleBinding", "granary-system")], "bindings")


@test("SEC12")
def webhook_configurations_by_name():
    for role in roles():
        for rule in role["rules"]:
            if "admissionregistration.k8s.io" in rule["apiGroups"]:
                names = set(rule.get("resourceNames", []))
                check(names and names <= {"granary-webhook", "admission.stash.appscode.com"}, f"{title(role)}: {rule}")
                check("admission.stash.appscode.com" not in names or set(rule["verbs"]) <= READ, f"{title(role)}: {rule}")


@test("SEC12")
def every_binding_names_a_role_and_serviceaccounts_that_exist_and_every_role_but_three_is_bound():
    objects, bound = system(), {("ClusterRole", name) for name in ("granary-user", "granary-hooks", "granary-scale")}
    for binding in of_kind(objects, "ClusterRoleBinding", "RoleBinding"):
        reference = binding["roleRef"]
        named(objects, reference["kind"], reference["name"])
        bound.add((reference["kind"], reference["name"]))
        check(binding["subjects"], f"{title(binding)} binds nobody")
        for subject in binding["subjects"]:
            check_equal((subject["kind"], subject["namespace"]), ("ServiceAccount", "granary-system"), title(binding))
            named(objects, "ServiceAccount", subject["name"])
    check_equal(bound, {(role["kind"], role["metadata"]["name"]) for role in roles()}, "roles")


@test("SEC12")
def who_may_edit_may_use_and_that_is_all_of_granary_user():
    role = named(system(), "ClusterRole", "granary-user")
    check_equal(set(role["metadata"]["labels"]), {"rbac.authorization.k8s.io/aggregate-to-edit",
                                                  "rbac.authorization.k8s.io/aggregate-to-admin"}, "labels")
    check_equal([rule["verbs"] for rule in role["rules"]], [["use"]], "verbs")


@test("SEC12")
def tokens_are_mounted_where_a_program_asks_the_api_and_nowhere_else():
    for account in of_kind(system(), "ServiceAccount"):
        check_equal(account["automountServiceAccountToken"], False, title(account))
    for deployment in of_kind(system(), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        check_equal(pod["serviceAccountName"], deployment["metadata"]["name"], title(deployment))
