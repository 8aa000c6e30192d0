"""Hooks around backups of a real workload, and commands in real containers."""

import json
import os
import subprocess

import tools
from harness import check, check_equal, pod_spec, test
from installed import ANNOTATION, place, protected
from test_certificates import installed
from test_life import OURS, ended, protectable, protected_pod, ready_configuration, sh

RUN = os.path.join(tools.ROOT, os.environ.get("BUILD", "build"), "tests", "cluster", "run_command")

# an application that can be frozen and thawed over HTTP, unless its file `broken` is there
APPLICATION = r"""
mkdir -p /tmp/www/cgi-bin
cat > /tmp/www/cgi-bin/freeze <<'END'
#!/bin/sh
[ ! -e /tmp/broken ] || { printf 'Status: 500 No\r\n\r\n'; exit; }
echo freeze >> /tmp/asked
printf 'Content-Type: text/plain\r\n\r\n'
END
cat > /tmp/www/cgi-bin/thaw <<'END'
#!/bin/sh
{ head -c "$CONTENT_LENGTH"; echo; } >> /tmp/asked
printf 'Content-Type: text/plain\r\n\r\n'
END
chmod +x /tmp/www/cgi-bin/*
exec httpd -f -p 8080 -h /tmp/www
"""
HOOKS = {"preBackup": {"httpGet": {"port": "web", "path": "/cgi-bin/freeze"}},
         "postBackup": {"httpPost": {"port": "web", "path": "/cgi-bin/thaw",
                                     "body": "thaw {{ .Target.Name }} {{ .Status.Phase }} {{ .Invoker.Kind }}"}}}


def session(cluster, space, configuration, name):
    """A session by hand when it has ended."""
    cluster.create("backupsessions", space, {
        "apiVersion": f"{OURS}/v1beta1", "kind": "BackupSession", "metadata": {"name": name},
        "spec": {"invoker": {"apiGroup": OURS, "kind": "BackupConfiguration", "name": configuration}}})
    return ended(cluster, "backupsessions", space, name)


def hook_conditions(it):
    """{type: (status, reason)} of a session's hooks."""
    return {each["type"]: (each["status"], each["reason"]) for each in it["status"]["targets"][0]["conditions"]
            if "Hook" in each["type"]}


def result(it):
    """Phase of the session, its host's error, and whether there are snapshots."""
    (stat,) = it["status"]["targets"][0]["stats"]
    return it["status"]["phase"], stat.get("error", ""), bool(stat.get("snapshots"))


@test("HK1", alone=True)
def hooks_run_around_a_backup(cluster):
    installed(cluster)
    with protectable(cluster, hooks=HOOKS) as space:
        workload = protected("Deployment", "web", "data", {ANNOTATION: space}, script=APPLICATION,
                             strategy={"type": "Recreate"})
        workload["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
        cluster.apply(workload, space)
        pod = protected_pod(cluster, space, "web")
        sh(cluster, space, pod, "echo one > /data/one")
        configuration = ready_configuration(cluster, space)["metadata"]["name"]
        it = session(cluster, space, configuration, "good")
        check_equal(result(it), ("Succeeded", "", True), f"status {it['status']}")
        check_equal(hook_conditions(it), {
            "PreBackupHookExecutionSucceeded": ("True", "SuccessfullyExecutedPreBackupHook"),
            "PostBackupHookExecutionSucceeded": ("True", "SuccessfullyExecutedPostBackupHook")}, "conditions")
        check_equal(sh(cluster, space, pod, "cat /tmp/asked").splitlines(),
                    ["freeze", "thaw web Succeeded BackupConfiguration"], "what was asked")

        sh(cluster, space, pod, "touch /tmp/broken; rm /tmp/asked")
        it = session(cluster, space, configuration, "bad")
        phase, error, snapshots = result(it)
        check_equal((phase, snapshots), ("Failed", False), f"status {it['status']}")
        check("HookFailed" in error and "nothing was done" in error and "answers 500" in error, error)
        check_equal(hook_conditions(it), {
            "PreBackupHookExecutionSucceeded": ("False", "FailedToExecutePreBackupHook"),
            "PostBackupHookExecutionSucceeded": ("True", "SuccessfullyExecutedPostBackupHook")}, "conditions")
        check_equal(sh(cluster, space, pod, "cat /tmp/asked").splitlines(), ["thaw web Failed BackupConfiguration"],
                    "what was asked")
        return error


COMMANDS = {"preBackup": {"exec": {"command": ["sh", "-c", "echo freeze {{ .Target.Name }} >> /tmp/asked"]}},
            "postBackup": {"executionPolicy": "OnFailure", "exec": {"command": ["sh", "-c", "exit 7"]}}}


@test("HK3", alone=True)
def commands_run_where_that_is_allowed(cluster):
    installed(cluster)
    with protectable(cluster, hooks=COMMANDS) as space:
        cluster.apply(protected("Deployment", "web", "data", {ANNOTATION: space}, strategy={"type": "Recreate"}), space)
        pod = protected_pod(cluster, space, "web")
        configuration = ready_configuration(cluster, space)["metadata"]["name"]
        it = session(cluster, space, configuration, "forbidden")
        phase, error, snapshots = result(it)
        check_equal((phase, snapshots), ("Failed", False), f"status {it['status']}")
        check("kubectl create rolebinding granary-hooks" in error and "failed as well" in error, error)

        cluster.kubectl("create", "rolebinding", "granary-hooks", f"--namespace={space}", "--clusterrole=granary-hooks",
                        "--serviceaccount=granary-system:granary-controller")
        it = session(cluster, space, configuration, "allowed")
        check_equal(result(it), ("Succeeded", "", True), f"status {it['status']}")
        check_equal(hook_conditions(it), {
            "PreBackupHookExecutionSucceeded": ("True", "SuccessfullyExecutedPreBackupHook"),
            "PostBackupHookExecutionSucceeded": ("True", "SuccessfullyExecutedPostBackupHook")}, "conditions")
        check_equal(sh(cluster, space, pod, "cat /tmp/asked"), "freeze web\n", "what ran, once")
        return error


def run(cluster, space, pod, *command, timeout_ms=60000, output_max=65536, container="main"):
    ran = subprocess.run([RUN, cluster.layout.kubeconfig, space, pod, container, str(timeout_ms), str(output_max),
                          *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                         check=False)
    check_equal((ran.returncode, ran.stderr), (0, ""), "run_command")
    return json.loads(ran.stdout)


@test("HK2 SC2")
def commands_run_in_containers(cluster):
    with place(cluster) as space:
        cluster.create("pods", space, {"metadata": {"name": "app"}, "spec": pod_spec("exec sleep 3600")})
        cluster.ready_pod(space, "app")
        rows = [
            (("sh", "-c", "echo out; echo err >&2"), {}, (True, 0, True, 0), None),
            (("echo", "a;b&c=d %41 $x ü 'q'"), {}, (True, 0, True, 0), "a;b&c=d %41 $x ü 'q'\n"),
            (("sh", "-c", "echo no; exit 7"), {}, (False, 422, True, 7), "no\n"),
            (("sh", "-c", "kill -9 $$"), {}, (False, 422, True, 137), ""),
            (("/no/such/program",), {}, (False, 422, True, -1), None),
            (("sh", "-c", "yes | head -c 3000000"), {"output_max": 1000}, (True, 0, True, 0), "y\n" * 500),
            (("sleep", "3600"), {"timeout_ms": 2000}, (False, 504, False, 0), ""),
            (("true",), {"container": "other"}, (False, 400, False, 0), ""),
        ]
        for command, options, wanted, output in rows:
            got = run(cluster, space, "app", *command, **options)
            check_equal((got["good"], got["code"], got["ended"], got["exit"]), wanted, f"{command}: {got}")
            check(output is None or got["output"] == output, f"{command}: {got}")
        check_equal(sorted(run(cluster, space, "app", *rows[0][0])["output"].split()), ["err", "out"], "both outputs")
        gone = run(cluster, space, "nobody", "true")
        check_equal((gone["good"], gone["code"], gone["sent"]), (False, 404, False), f"a pod that is not there: {gone}")
        return f"{len(rows) + 2} commands"
