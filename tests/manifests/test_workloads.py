"""What runs: restricted, bounded, two of each, with options that the programs have."""

import re
import subprocess

from harness import check, check_equal, test
from manifests import BUILD, named, of_kind, source, system, title


def deployments():
    return of_kind(system(), "Deployment")


def containers():
    for deployment in deployments():
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            yield deployment, container


@test("workload")
def pods_pass_pod_security_restricted_with_a_read_only_root_file_system_and_limits():
    for deployment, container in containers():
        pod, context = deployment["spec"]["template"]["spec"], container["securityContext"]
        check_equal(pod["securityContext"]["runAsNonRoot"], True, title(deployment))
        check_equal(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"}, title(deployment))
        check("runAsUser" not in pod["securityContext"] and "runAsUser" not in context,
              "OpenShift chooses the user itself")
        check_equal(context, {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                              "capabilities": {"drop": ["ALL"]}}, title(deployment))
        check("memory" in container["resources"]["limits"] and
              set(container["resources"]["requests"]) == {"cpu", "memory"}, "resources")
        for field in ("hostNetwork", "hostPID", "hostIPC", "initContainers"):
            check(field not in pod, f"{title(deployment)}: {field}")
        for volume in pod.get("volumes", []):
            check(set(volume) <= {"name", "configMap", "emptyDir", "projected", "secret"}, f"{volume}")


@test("workload")
def two_of_each_apart_from_each_other_with_a_budget_for_disruptions():
    objects = system()
    for deployment in deployments():
        labels = deployment["spec"]["selector"]["matchLabels"]
        check(deployment["spec"]["replicas"] >= 2, title(deployment))
        check(labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items(), "selector")
        check("podAntiAffinity" in deployment["spec"]["template"]["spec"]["affinity"], title(deployment))
        budget = named(objects, "PodDisruptionBudget", deployment["metadata"]["name"])
        check_equal(budget["spec"]["selector"]["matchLabels"], labels, title(budget))
        check_equal(budget["spec"]["maxUnavailable"], 1, title(budget))


def help_of(program):
    return subprocess.run([f"{BUILD}/{program}", "--help"], capture_output=True, text=True, check=True).stdout


@test("workload")
def every_option_in_a_deployment_is_one_that_the_program_has():
    for deployment, container in containers():
        known = re.findall(r"^  (--[a-z-]+)", help_of(deployment["metadata"]["name"]), re.M)
        for argument in container.get("args", []):
            check(argument.split("=")[0] in known, f"{title(deployment)}: {argument}")


@test("workload")
def ports_and_probes_are_where_the_program_listens():
    for deployment, container in containers():
        text = help_of(deployment["metadata"]["name"])
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        for option, name in (("--listen", "https"), ("--admin-listen", "admin")):
            found = re.search(rf"^  {option} .*?default :(\d+)", text, re.M | re.S)
            if name in ports:
                check_equal(ports[name], int(found.group(1)), f"{title(deployment)} {option}")
        check_equal(container["readinessProbe"]["httpGet"], {"path": "/readyz", "port": "admin"}, "readiness")
        check_equal(container["livenessProbe"]["httpGet"], {"path": "/livez", "port": "admin"}, "liveness")


@test("workload")
def a_pod_has_longer_to_end_than_the_program_takes():
    limit = int(re.search(r"#define DRAIN_TIMEOUT_MS (\d+)", source("base/limits.h")).group(1)) / 1000
    for deployment in deployments():
        grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        check(grace >= limit + 10, f"{title(deployment)}: {grace} s, and the program takes {limit} s")


@test("workload")
def services_lead_to_pods_and_network_policies_let_through_what_they_need():
    objects = system()
    pods = {deployment["metadata"]["name"]: deployment["spec"]["template"] for deployment in deployments()}
    service = named(objects, "Service", "granary-webhook")
    check(service["spec"]["selector"].items() <= pods["granary-webhook"]["metadata"]["labels"].items(), "selector")
    opened = named(objects, "NetworkPolicy", "granary-webhook")["spec"]
    check(opened["podSelector"]["matchLabels"].items() <= pods["granary-webhook"]["metadata"]["labels"].items(), "pods")
    check_equal([port["port"] for port in opened["ingress"][0]["ports"]],
                [port["containerPort"] for port in pods["granary-webhook"]["spec"]["containers"][0]["ports"]
                 if port["name"] == "https"], "port")
    agents, controller = named(objects, "Service", "granary-agents"), pods["granary-controller"]
    (port,) = [each["containerPort"] for each in controller["spec"]["containers"][0]["ports"] if each["name"] == "agents"]
    check("selector" not in agents["spec"], "the leader alone stands behind it")
    check_equal([(each["name"], each["port"], each["targetPort"]) for each in agents["spec"]["ports"]],
                [("agents", 443, port)], "ports of granary-agents")
    check(f"--agent-listen=:{port}" in controller["spec"]["containers"][0]["args"], "where it listens")
    opened = named(objects, "NetworkPolicy", "granary-agents")["spec"]
    check(opened["podSelector"]["matchLabels"].items() <= controller["metadata"]["labels"].items(), "pods")
    check_equal([each["port"] for each in opened["ingress"][0]["ports"]], [port], "port")
    check("from" not in opened["ingress"][0], "agents are in any namespace")
    closed = named(objects, "NetworkPolicy", "granary-default")["spec"]
    check_equal((closed["podSelector"], closed.get("ingress")), ({}, None), "nothing comes in that is not named")
