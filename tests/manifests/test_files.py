"""Files, kustomizations and the values that stand in more than one place."""

import glob
import os
import re
import subprocess

from harness import check, check_equal, temporary_folder, test, write
from manifests import (BUILD, ROOT, all_files, keys, named, of_kind, parse, read, source, system, targets,
                       title, version)


def kustomizations():
    return {path: documents[0] for path, documents in read(*all_files()).items()
            if os.path.basename(path) == "kustomization.yaml"}


@test("file")
def every_file_is_an_object_or_a_kustomization_and_belongs_to_one():
    taken = set()
    for path, kustomization in kustomizations().items():
        folder = os.path.dirname(path)
        for name in kustomization.get("resources", []) + kustomization.get("components", []):
            at = os.path.normpath(os.path.join(folder, name))
            check(os.path.exists(at), f"{path}: there is no {name}")
            if os.path.isdir(at):
                check(os.path.exists(at + "/kustomization.yaml"), f"{path}: {name} is no kustomization")
            taken.add(at)
    for path, documents in read(*all_files()).items():
        for document in documents:
            check(document.get("apiVersion") and document.get("kind"), f"{path}: a document without kind")
        if os.path.basename(path) != "kustomization.yaml":
            check(path in taken, f"{path} belongs to no kustomization")


@test("file")
def no_two_objects_are_the_same_and_all_but_those_of_the_cluster_stand_in_our_namespace():
    seen = set()
    whole = ("Namespace", "ClusterRole", "ClusterRoleBinding", "MutatingWebhookConfiguration",
             "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    for each in system():
        space = each["metadata"].get("namespace")
        check((each["kind"], each["metadata"]["name"]) not in seen, f"{title(each)} occurs twice")
        seen.add((each["kind"], each["metadata"]["name"]))
        check_equal(space, None if each["kind"] in whole else "granary-system", f"namespace of {title(each)}")


@test("file")
def the_namespace_comes_first_and_asks_for_restricted_pods():
    first = system()[0]
    check_equal(title(first), "Namespace granary-system", "the first object")
    check_equal(first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "restricted", "its level")


def patches_of(component):
    """(target, operation) of every JSON patch."""
    for patch in component.get("patches", []):
        for operations in parse(patch["patch"]):
            for operation in operations:
                yield patch["target"], operation


def exists(document, pointer):
    for part in pointer.strip("/").split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list):
            if not part.isdigit() or int(part) >= len(document):
                return False
            document = document[int(part)]
        elif not isinstance(document, dict) or part not in document:
            return False
        else:
            document = document[part]
    return True


@test("file")
def every_patch_of_a_component_meets_something():
    objects, count = system(), 0
    for path, component in kustomizations().items():
        for target, operation in patches_of(component):
            met = [each for each in objects if each["kind"] == target["kind"]
                   and re.fullmatch(target.get("name", ".*"), each["metadata"]["name"])]
            check(met, f"{path}: no {target}")
            for each in met:
                if operation["op"] != "add":
                    check(exists(each, operation["path"]), f"{path}: {title(each)} has no {operation['path']}")
            count += 1
    check(count > 5, "hardly any patch was looked at")


@test("file")
def every_overlay_stands_on_the_system_and_on_components_that_exist():
    overlays = sorted(glob.glob(f"{ROOT}/overlays/*/kustomization.yaml"))
    check(overlays, "no overlays")
    for path in overlays:
        (overlay,) = read(path)[path]
        wanted = ["../../system"] if "/beside/" in path else ["../../crds", "../../system"]
        check_equal(overlay["resources"], wanted, f"resources of {path}")
        components = overlay.get("components", [])
        check(components, f"{path} changes nothing")
        check("../../components/local" not in components or components[-1] == "../../components/images",
              f"{path}: images must be carried on after they were changed")


@test("file")
def images_one_place_of_this_version_and_where_they_go():
    objects = system()
    images = named(objects, "ConfigMap", "granary-images")
    check_equal(images["metadata"]["annotations"], {"config.kubernetes.io/local-config": "true"},
                "annotations (it is never applied)")
    for program, image in images["data"].items():
        if program != "pullPolicy":
            check_equal(image, f"granary-{program}:{version()}", f"image of {program}")
    carried = kustomizations()[f"{ROOT}/components/images/kustomization.yaml"]["replacements"]
    for deployment in of_kind(objects, "Deployment"):
        program = deployment["metadata"]["name"].removeprefix("granary-")
        check(any(each["source"]["fieldPath"] == f"data.{program}" and
                  each["targets"][0]["select"] == {"kind": "Deployment", "name": f"granary-{program}"} and
                  each["targets"][0]["fieldPaths"] ==
                  [f"spec.template.spec.containers.[name={program}].image"] for each in carried),
              f"nobody carries the image to {title(deployment)}")
        check_equal([each["name"] for each in deployment["spec"]["template"]["spec"]["containers"]], [program],
                    "containers")


@test("file")
def settings_the_program_takes_them_and_they_agree_with_its_own():
    objects = system()
    text = named(objects, "ConfigMap", "granary-settings")["data"]["settings.yaml"]
    (settings,) = parse(text)
    quoted = text.split('"')
    check_equal(quoted[1], settings["agent"]["image"], "the first text in quotes is the image")
    check_equal(quoted[3], settings["agent"]["imagePullPolicy"], "the second one the pull policy")
    check_equal(quoted[5], settings["etcd"]["image"], "the third one the image for etcd")
    check_equal(quoted[7], settings["wipe"]["image"], "the fourth one the image for wipeOut")
    check_equal(quoted[9], settings["postgres"]["image"], "the fifth one the image for PostgreSQL")
    check_equal(quoted[11], settings["mariadb"]["image"], "the sixth one the image for MariaDB")
    check_equal(quoted[13], settings["redis"]["image"], "the seventh one the image for Redis")
    fence = named(objects, "ValidatingAdmissionPolicy", "granary-fence-workloads")["spec"]["variables"][0]
    check_equal((fence["name"], fence["expression"]), ("agentImage", f"'{settings['agent']['image']}'"), "the fence")
    file = os.path.join(temporary_folder(), "settings.yaml")
    write(file, text)
    done = subprocess.run([f"{BUILD}/granary-webhook", "--settings", file, "--catalog", "examples/cluster",
                           "--once"], input="", capture_output=True, text=True)
    check_equal(done.returncode, 1, f"settings taken, nothing to answer ({done.stderr})")


@test("file")
def the_namespaces_that_are_passed_over_are_the_same_everywhere():
    objects = system()
    (settings,) = parse(named(objects, "ConfigMap", "granary-settings")["data"]["settings.yaml"])
    code = re.findall(r'"(kube-[a-z-]+)"', source("api/settings.c")) + [keys()["NAMESPACE_SYSTEM"]]
    check_equal(sorted(settings["excludedNamespaces"]), sorted(code), "settings and code")
    for hook in named(objects, "MutatingWebhookConfiguration", "granary-webhook")["webhooks"]:
        if hook["name"] == "restores.granary.dev":
            check("namespaceSelector" not in hook, "every RestoreSession is looked at")
            continue
        first = hook["namespaceSelector"]["matchExpressions"][0]
        check_equal((first["key"], first["operator"]), ("kubernetes.io/metadata.name", "NotIn"), "selector")
        check_equal(sorted(first["values"]), sorted(code), f"{hook['name']} and code")


@test("file")
def the_fence_names_what_the_code_puts_into_pods():
    fence = named(system(), "ValidatingAdmissionPolicy", "granary-fence-workloads")
    text = str(fence)
    for macro in ("CONTAINER_SIDECAR", "CONTAINER_INIT", "VOLUME_IDENTITY", "VOLUME_SCRATCH", "VOLUME_LOCAL",
                  "KEY_STAMP", "KEY_AGENT", "KEY_STASH_BACKUP_HASH", "KEY_STASH_RESTORE_HASH",
                  "IDENTITY_AUDIENCE", "IDENTITY_CONFIGMAP"):
        check(f"'{keys()[macro]}'" in text, f"the fence does not know {macro}")
    check(f"'expirationSeconds': dyn({keys()['IDENTITY_TOKEN_SECONDS']})," in text, "the token's life differs")
    (volumes,) = re.findall(r"stash_volumes\[\] = \{(.*?), NULL\}", source("api/part.c"), re.S)
    for name in re.findall(r'"([a-z-]+)"', volumes):
        check(f"'{name}'" in text, f"the fence does not let {name} go")
    words = source("mutators/container.c")
    for argument in re.findall(r'push_flag\(args, "([a-z-]+)"', words):
        check(re.search(rf"\([a-z|-]*\b{argument}\b[a-z|-]*\)=", text), f"the fence refuses --{argument}")
    check(set(re.findall(r'"(--[a-z-]+)"', words)) == {"--restore-if-exists"}, "a new switch of the agent")
    (known,) = [each["expression"] for each in fence["spec"]["variables"] if each["name"] == "agentVariables"]
    variables = re.findall(r'put_field\(env, (\w+)', words)
    check(len(variables) == 3, f"{variables}")
    for variable in variables:
        check(f"'{keys()[variable]}'" in known, f"the fence refuses {variable}")
    rules = fence["spec"]["matchConstraints"]["resourceRules"]
    covered = {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    check_equal(covered, {where for where, kind in targets().items() if kind == "WORKLOAD"}, "kinds in the fence")


@test("file")
def the_pushgateway_is_where_the_settings_say_and_only_the_controller_gets_there():
    at = f"{ROOT}/components/pushgateway"
    (component,) = read(f"{at}/kustomization.yaml")[f"{at}/kustomization.yaml"]
    objects = read(f"{at}/pushgateway.yaml")[f"{at}/pushgateway.yaml"]
    ((_, operation),) = patches_of(component)
    base = named(system(), "ConfigMap", "granary-settings")["data"]["settings.yaml"]
    (settings,), service = parse(operation["value"]), named(objects, "Service", "granary-pushgateway")
    (own,) = parse(base)
    url = f"http://granary-pushgateway.granary-system.svc:{service['spec']['ports'][0]['port']}"
    check_equal(settings, {**own, "pushgateway": {"url": url}}, "settings: those of the system, and where it is")
    check(operation["value"].startswith(base), "images are carried into its first quotes, as in the system's")
    deployment = named(objects, "Deployment", "granary-pushgateway")["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    labels = deployment["template"]["metadata"]["labels"]
    check_equal(service["spec"]["selector"], labels, "selector")
    check("@" in container["image"] or container["image"].count(":") == 1, "an image by version")
    check_equal(container["securityContext"], {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                               "capabilities": {"drop": ["ALL"]}}, "Pod Security restricted")
    check(pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}} and
          pod["automountServiceAccountToken"] is False and "memory" in container["resources"]["limits"], "restricted, bounded")
    policy = named(objects, "NetworkPolicy", "granary-pushgateway")["spec"]
    controller = named(system(), "Deployment", "granary-controller")["spec"]["template"]["metadata"]["labels"]
    who = policy["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    check(who.items() <= controller.items() and policy["podSelector"]["matchLabels"] == labels, "who gets there")
    way = named(objects, "NetworkPolicy", "granary-pushes")["spec"]
    check_equal((way["podSelector"]["matchLabels"], way["egress"][0]["to"][0]["podSelector"]["matchLabels"]), (who, labels),
                "the way out of the controller")
    file = os.path.join(temporary_folder(), "settings.yaml")
    write(file, operation["value"])
    done = subprocess.run([f"{BUILD}/granary-webhook", "--settings", file, "--catalog", "examples/cluster",
                           "--once"], input="", capture_output=True, text=True)
    check_equal(done.returncode, 1, f"settings taken, nothing to answer ({done.stderr})")
