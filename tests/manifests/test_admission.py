"""Webhook configurations and policies, compared with the code behind them."""

import re

from harness import check, check_equal, test
from manifests import judged, keys, named, of_kind, source, system, targets, title

PLURALS = {"BackupBlueprint": "backupblueprints", "Repository": "repositories",
           "BackupConfiguration": "backupconfigurations", "BackupSession": "backupsessions",
           "RestoreSession": "restoresessions", "Function": "functions", "Task": "tasks",
           "AppBinding": "appbindings", "BackupBatch": "backupbatches", "RestoreBatch": "restorebatches"}
CONTROLLER = "system:serviceaccount:granary-system:granary-controller"


def hook(kind, name):
    (found,) = [each for each in named(system(), kind, "granary-webhook")["webhooks"] if each["name"] == name]
    return found


def mutating(name):
    return hook("MutatingWebhookConfiguration", name)


def resources(rules):
    return {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}


@test("admission")
def targets_exactly_the_kinds_that_can_be_backed_up():
    check_equal(resources(mutating("targets.granary.dev")["rules"]), set(targets()), "kinds")


@test("admission")
def labelled_namespaces_exactly_the_workloads():
    check_equal(resources(mutating("labelled.granary.dev")["rules"]),
                {where for where, kind in targets().items() if kind == "WORKLOAD"}, "kinds")
    second = mutating("labelled.granary.dev")["namespaceSelector"]["matchExpressions"][1]
    check_equal(second, {"key": keys()["LABEL_BLUEPRINT"], "operator": "Exists"}, "selector")


@test("admission")
def restores_with_rules_at_the_top_whoever_writes_them_and_where():
    restores = mutating("restores.granary.dev")
    check_equal(resources(restores["rules"]), {(keys()["GROUP_STASH"], "restoresessions")}, "kinds")
    check_equal(restores["rules"][0]["operations"], ["CREATE", "UPDATE"], "operations")
    check("namespaceSelector" not in restores, "a selector")
    (condition,) = restores["matchConditions"]
    check_equal(condition["name"], "has-rules-at-the-top", "condition")


@test("admission")
def validation_exactly_the_kinds_that_are_judged():
    wanted = {(group, PLURALS[kind]) for group, kind in judged()}
    check_equal(resources(hook("ValidatingWebhookConfiguration", "validate.granary.dev")["rules"]), wanted, "kinds")


@test("admission")
def every_entry_idempotent_bounded_without_side_effects_of_the_right_policy():
    for configuration in of_kind(system(), "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        mutates = configuration["kind"].startswith("Mutating")
        for each in configuration["webhooks"]:
            check_equal(each["sideEffects"], "None", f"sideEffects of {each['name']}")
            check_equal(each["admissionReviewVersions"], ["v1", "v1beta1"], "versions")
            check_equal(each["matchPolicy"], "Equivalent", "matchPolicy")
            check_equal(each["failurePolicy"], "Ignore" if mutates else "Fail", f"policy of {each['name']}")
            check_equal(each.get("reinvocationPolicy"), "IfNeeded" if mutates else None, "reinvocation")
            check(each["timeoutSeconds"] <= 5, "timeout")
            check("caBundle" not in each["clientConfig"], "the CA is published by the controller")
            check_equal(each["clientConfig"]["service"],
                        {"name": "granary-webhook", "namespace": "granary-system", "port": 443,
                         "path": "/mutate" if mutates else "/validate"}, "where it is")
            for rule in each["rules"]:
                check(rule["scope"] in ("Namespaced", "Cluster"), "scope")
                check(not any("/" in name or "*" in name for name in rule["resources"]), "sub-resources")
                check(set(rule["operations"]) <= {"CREATE", "UPDATE"}, "operations")


def prefixes(expression):
    return set(re.findall(r"k\.startsWith\('([^']+)'\)", expression))


@test("admission")
def conditions_look_for_every_annotation_that_the_code_knows():
    known = keys()
    wanted = {known[name] for name in known if name.endswith("_PREFIX")}
    (table,) = re.findall(r"prefixes\[\] = \{([^}]*)\}", source("webhook/admit.c"))
    check_equal({known[name.strip()] for name in table.split(",")}, wanted, "prefixes in webhook/admit.c")
    first = mutating("targets.granary.dev")["matchConditions"][0]
    second = mutating("labelled.granary.dev")["matchConditions"][0]
    for condition in (first, second):
        check_equal(prefixes(condition["expression"]), wanted, condition["name"])
    for name, key in known.items():
        if name.startswith(("KEY_", "LABEL_")) and not name.endswith("_PREFIX"):
            check(any(key.startswith(prefix) for prefix in wanted), f"no condition sees {key}")
    check_equal(second["expression"], "!" + first["expression"], "the second entry is the rest of the first")


@test("admission")
def conditions_touch_nothing_that_may_be_absent():
    for name in ("targets.granary.dev", "labelled.granary.dev"):
        for condition in mutating(name)["matchConditions"]:
            text = condition["expression"]
            for found in re.findall(r"\b(?:o|object|oldObject)\.(\S)", text):
                check_equal(found, "?", f"{name}, {condition['name']}: an unguarded member")


@test("admission")
def the_validator_lets_deletions_our_controller_and_the_garbage_collector_through():
    text = " ".join(each["expression"] for each in
                    hook("ValidatingWebhookConfiguration", "validate.granary.dev")["matchConditions"])
    for word in ("deletionTimestamp", f"'{CONTROLLER}'", "generic-garbage-collector"):
        check(word in text, f"no exception for {word}")


@test("admission")
def every_policy_has_its_binding_fails_closed_and_means_our_own_controller():
    objects = system()
    policies = {each["metadata"]["name"]: each for each in of_kind(objects, "ValidatingAdmissionPolicy")}
    bindings = {each["spec"]["policyName"]: each for each in of_kind(objects, "ValidatingAdmissionPolicyBinding")}
    check_equal(set(policies), set(bindings), "policies and bindings")
    for name, policy in policies.items():
        # while a parameter object is missing, the API server refuses what the policy matches, whoever asks
        check("paramKind" not in policy["spec"], f"{title(policy)} has parameters")
        actions = bindings[name]["spec"]["validationActions"]
        if name.startswith("granary-use-"):
            check_equal(actions, ["Warn", "Audit"], name)
        elif name == "granary-repository-in-use":
            check_equal(actions, ["Warn"], name)
        else:
            check_equal(actions, ["Deny"], name)
        check_equal(policy["spec"]["failurePolicy"], "Ignore" if actions == ["Warn"] else "Fail", title(policy))
        for user in re.findall(r"system:serviceaccount:[\w:-]+", str(policy)):
            check_equal(user, CONTROLLER, title(policy))


@test("admission")
def policies_ask_about_the_blueprints_of_all_kinds_that_can_name_one():
    rules = named(system(), "ValidatingAdmissionPolicy", "granary-use-blueprint")["spec"]["matchConstraints"]
    check_equal(resources(rules["resourceRules"]), set(targets()) | {("", "namespaces")}, "kinds")
    checks = named(system(), "ValidatingAdmissionPolicy", "granary-use-blueprint")["spec"]["validations"]
    most = int(re.search(r"#define BLUEPRINTS_MAX (\d+)u", source("base/limits.h")).group(1))
    asked = [each for each in checks if "authorizer" in each["expression"]]
    check_equal(len(asked), most, "one question for each blueprint that may be named")
    check(f"size() <= {most}" in checks[0]["expression"], "more than that are refused")
