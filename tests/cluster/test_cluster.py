"""What the cluster itself can do, so that a failure elsewhere is not the cluster's."""

import filecmp
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time

import cluster as control
import node
import supervise
import tools
from harness import (KUBECTL_LIMIT_S, LIMIT_S, ApiError, becomes, check, check_equal, eventually, is_ready, pod_spec,
                     shell_container, test, workload)


@test("CL1")
def node_is_ready(cluster):
    found = eventually(lambda: is_ready(it := cluster.get("nodes", None, node.NODE)) and it, "the node is Ready")
    info = found["status"]["nodeInfo"]
    check_equal(info["kubeletVersion"], tools.KUBERNETES, "version of kubelet")
    check_equal(cluster.api("GET", "/version")["gitVersion"], tools.KUBERNETES, "version of the API server")
    return f"{info['kubeletVersion']}, {info['containerRuntimeVersion']}"


@test("CL2")
def pod_runs_logs_and_executes(cluster):
    with cluster.namespace() as space:
        cluster.create("pods", space, {"metadata": {"name": "one"}, "spec": pod_spec("echo hello; exec sleep 600")})
        cluster.ready_pod(space, "one")
        # it is Ready when its process was started, which may have written nothing yet
        becomes(lambda: cluster.logs(space, "one"), "hello\n", "log")
        becomes(lambda: cluster.execute(space, "one", "cat", "/proc/1/comm"), "sleep\n", "exec")
        cluster.execute(space, "one", "false", wanted=1)
        # kubelet sends events when it has time to
        eventually(lambda: cluster.events(space, "Started", "one") or check(False, f"events {cluster.events(space)}"),
                   "event Started")
        return "its log, exec with both exit codes, event Started"


@test("CL3")
def stateful_set_keeps_its_volume(cluster):
    with cluster.namespace() as space:
        claim = {"metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": cluster.volumes(space, 2),
            "resources": {"requests": {"storage": "1Gi"}}}}
        template = pod_spec("[ -e /data/first ] || echo $HOSTNAME > /data/first; cat /data/first; exec sleep 600")
        template["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
        cluster.apply(workload("StatefulSet", "db", "", 2, template, serviceName="db", volumeClaimTemplates=[claim]),
                      space)
        cluster.ready_replicas("statefulsets", space, "db")
        before = cluster.get("pods", space, "db-1")["metadata"]["uid"]
        cluster.delete("pods", space, "db-1")
        eventually(lambda: cluster.get("pods", space, "db-1")["metadata"]["uid"] != before, "another pod db-1")
        cluster.ready_pod(space, "db-1")
        becomes(lambda: [cluster.logs(space, f"db-{number}") for number in (0, 1)], ["db-0\n", "db-1\n"],
                "what the volumes hold")
        becomes(lambda: [item["status"]["phase"] for item in cluster.list("persistentvolumeclaims", space)],
                ["Bound", "Bound"], "claims")
        return "two claims bound, the second pod found its file again"


@test("CL4")
def names_resolve_in_pods(cluster):
    with cluster.namespace() as space:
        cluster.create("services", space, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
        address = cluster.get("services", space, "web")["spec"]["clusterIP"]
        cluster.create("pods", space, {"metadata": {"name": "asks"}, "spec": pod_spec(
            f"until nslookup web.{space}.svc.{node.DOMAIN}; do sleep 0.2; done; "
            f"grep -c '^search {space}.svc' /etc/resolv.conf; nslookup nobody.{space}.svc.{node.DOMAIN} || echo none",
            restartPolicy="Never")})
        log = cluster.finished_pod(space, "asks")
        check(f"Address: {address}" in log and log.endswith("none\n"), f"nslookup said {log}")
        return f"web is {address}, an unknown name is none"


@test("CL5")
def token_has_its_own_audience(cluster):
    with cluster.namespace() as space:
        spec = pod_spec("cat /tokens/own", restartPolicy="Never", automountServiceAccountToken=False, volumes=[
            {"name": "tokens", "projected": {"sources": [
                {"serviceAccountToken": {"path": "own", "audience": "granary", "expirationSeconds": 600}}]}}])
        spec["containers"][0]["volumeMounts"] = [{"name": "tokens", "mountPath": "/tokens"}]
        cluster.create("pods", space, {"metadata": {"name": "shows"}, "spec": spec})
        token = cluster.finished_pod(space, "shows")

        def review(audience):
            return cluster.api("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {
                "spec": {"token": token, "audiences": [audience]}})["status"]

        good, bad = review("granary"), review("elsewhere")
        check_equal(good.get("user", {}).get("username"), f"system:serviceaccount:{space}:default", "who")
        check(not bad.get("authenticated"), f"authenticated for another audience: {bad}")
        return "authenticated for its audience only"


@test("CL6")
def cron_job_runs(cluster):
    with cluster.namespace() as space:
        cluster.apply({
            "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": {
                "schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": pod_spec(
                    "echo tick", restartPolicy="Never")}}}}}, space)
        jobs = eventually(lambda: [job for job in cluster.list("jobs", space) if job["status"].get("succeeded")],
                          "a Job of the CronJob succeeded")
        check_equal(jobs[0]["metadata"]["ownerReferences"][0]["name"], "tick", "owner of the Job")
        return "a Job of it succeeded"


@test("CL7")
def service_reaches_its_pods(cluster):
    with cluster.namespace() as space:
        template = pod_spec("mkdir /tmp/www; hostname > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www")
        template["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
        cluster.apply([workload("Deployment", "web", "", 2, template), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}}], space)
        cluster.ready_replicas("deployments", space, "web")
        pods = sorted(pod["metadata"]["name"] for pod in cluster.pods(space, "app=web"))
        # from one of the pods, so that some answers come from where the question came
        ask = "for i in $(seq 20); do timeout 5 wget -q -O - http://web || exit 1; done"

        def answers():
            return sorted(set(cluster.execute(space, pods[0], "sh", "-c", ask).split()))

        eventually(lambda: answers() == pods, "both pods answer")
        return f"both of {len(pods)} pods answer, one of them to itself"


@test("CL8")
def nothing_outside_is_reached(cluster):
    links = {line.split(":")[1].strip().split("@")[0] for line in
             cluster.on_node("ip", "-o", "link", "show").splitlines()}
    strange = {name for name in links if name not in ("lo", node.NODE) and not name.startswith("veth")}
    made_by_the_kernel = {"tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}
    check_equal(strange - made_by_the_kernel, set(), "links that lead somewhere else")
    routes = cluster.on_node("ip", "route", "show", "default")
    check_equal(routes.split()[:3], ["default", "dev", node.NODE], "default route")
    return f"the only way out is {node.NODE}, which leads nowhere"


@test("CL9")
def pod_security_is_enforced(cluster):
    with cluster.namespace({"pod-security.kubernetes.io/enforce": "restricted"}) as space:
        try:
            cluster.create("pods", space, {"metadata": {"name": "bad"}, "spec": pod_spec("true")})
            raise AssertionError("a pod without a security context was admitted")
        except ApiError as why:
            check_equal(why.code, 403, "code")
            check("violates PodSecurity" in str(why), f"message: {why}")
        context = {"runAsNonRoot": True, "runAsUser": 1000, "allowPrivilegeEscalation": False,
                   "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}
        cluster.create("pods", space, {"metadata": {"name": "good"}, "spec": {
            "restartPolicy": "Never", "containers": [shell_container("id -u", securityContext=context)]}})
        check_equal(cluster.finished_pod(space, "good"), "1000\n", "its user")
        return "restricted refuses the one and runs the other, with seccomp"


@test("CL10")
def admission_policies_are_enforced(cluster):
    group = "/apis/admissionregistration.k8s.io/v1/"
    with cluster.namespace({"test": "policy"}) as space:
        name = f"no-bad-{space}"
        cluster.api("POST", group + "validatingadmissionpolicies", {"metadata": {"name": name}, "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                                   "resources": ["configmaps"]}]},
            "validations": [{"expression": "object.metadata.name != 'bad'", "message": "bad it is"}]}})
        cluster.api("POST", group + "validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": ["Deny"]}})

        def refused():
            try:
                cluster.create("configmaps", space, {"metadata": {"name": "bad"}}, "?dryRun=All")
            except ApiError as why:
                return "bad it is" in str(why)
            return False

        try:
            eventually(refused, "the policy refuses")
            cluster.create("configmaps", space, {"metadata": {"name": "good"}})
        finally:
            cluster.api("DELETE", group + "validatingadmissionpolicybindings/" + name)
            cluster.api("DELETE", group + "validatingadmissionpolicies/" + name)
        return "refuses what its expression says, and nothing else"


@test("CL11")
def audit_log_has_writes_but_no_secrets(cluster):
    with cluster.namespace() as space:
        mark = cluster.audit_mark()
        cluster.create("secrets", space, {"metadata": {"name": "s"}, "stringData": {"key": "hush-hush-hush"}})
        cluster.create("services", space, {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}})
        secrets = cluster.audit(mark, verb="create", resource="secrets", namespace=space)
        services = cluster.audit(mark, verb="create", resource="services", namespace=space)
        check_equal((len(secrets), len(services)), (1, 1), "entries for two writes")
        check("requestObject" in services[0] and "requestObject" not in secrets[0], "bodies of the wrong ones")
        with open(cluster.layout.audit, encoding="utf-8") as file:
            check("hush-hush-hush" not in file.read(), "a Secret is in the audit log")
        return "one entry for each write, when the client has its answer"


@test("CL12")
def rollouts_are_counted(cluster):
    with cluster.namespace() as space:
        cluster.apply(workload("Deployment", "app", "exec sleep 600"), space)
        cluster.ready_replicas("deployments", space, "app")
        cluster.patch("deployments", space, "app", {"metadata": {"labels": {"other": "label"}}})
        cluster.kubectl("rollout", "restart", "-n", space, "deployment/app")
        cluster.ready_replicas("deployments", space, "app")
        check_equal(len(cluster.replica_sets(space, "app")), 2, "ReplicaSets after one restart")
        cluster.delete("deployments", space, "app", "?propagationPolicy=Background")
        eventually(lambda: not cluster.list("replicasets", space) and not cluster.pods(space), "garbage is collected")
        return "a label none, a restart one more; all gone with their owner"


@test("CL13")
def image_is_the_same_each_time(cluster):
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            tree, out = os.path.join(folder, f"tree{number}"), os.path.join(folder, f"{number}.tar")
            os.makedirs(os.path.join(tree, "bin"), mode=0o700 if number == 1 else 0o755)
            for name in ("b", "a") if number == 1 else ("a", "b"):
                with open(os.path.join(tree, "bin", name), "w", encoding="utf-8") as file:
                    file.write(name)
            os.symlink("a", os.path.join(tree, "bin", "link"))
            node.oci.pack(tree, "localhost/twice:dev", out, {"User": "1:1"})
            files.append(out)
        check(filecmp.cmp(*files, shallow=False), "two trees with the same content gave two images")
        os.mkfifo(os.path.join(tree, "fifo"))
        for bad_tree, tag, own in ((tree, "localhost/twice:dev", None), (folder + "/none", "localhost/x:dev", None),
                                   (os.path.dirname(tree) + "/tree1", "twice:dev", None),
                                   (os.path.dirname(tree) + "/tree1", "localhost/x:dev", {"no": (0o755, 0, 0)})):
            try:
                node.oci.pack(bad_tree, tag, os.path.join(folder, "bad.tar"), {}, own)
                raise AssertionError(f"packed {bad_tree} as {tag} with {own}")
            except node.oci.Refused:
                check(not os.path.exists(os.path.join(folder, "bad.tar")), "a refused image left a file")
    names = cluster.on_node("ctr", "--address", cluster.layout.containerd_socket, "-n", "k8s.io", "images", "ls", "-q")
    check({node.PAUSE_IMAGE, node.SHELL_IMAGE} <= set(names.split()), f"images are {names}")
    return "same bytes; a FIFO, no tree, a short name and an unknown path are refused"


@test("CL14")
def keys_are_for_root_only(cluster):
    count = 0
    for folder in ("pki", "conf"):
        for below, _, files in os.walk(cluster.layout.path(folder)):
            check_equal(stat.S_IMODE(os.stat(below).st_mode) & 0o077, 0, f"mode of {below}")
            for name in files:
                mode = stat.S_IMODE(os.stat(os.path.join(below, name)).st_mode)
                check(mode & 0o077 == 0 or name.endswith((".crt", ".pub")), f"{name} has mode {mode:o}")
                count += 1
    check_equal(stat.S_IMODE(os.stat(cluster.layout.kubeconfig).st_mode), 0o600, "mode of the kubeconfig")
    return f"{count} files"


@test("CL15", alone=True)
def parts_stop_and_start_again(cluster):
    with cluster.namespace() as space:
        cluster.create("pods", space, {"metadata": {"name": "stays"}, "spec": pod_spec("exec sleep 600")})
        uid = cluster.ready_pod(space, "stays")["metadata"]["uid"]
        for name in ("kube-apiserver", "etcd", "kubelet"):
            cluster.part("kill", name)
            cluster.part("start", name)
            control.wait_for("kube-apiserver", lambda: control.api_ready(cluster.layout), cluster.layout)
        # a name each time: an attempt may have succeeded although its answer was lost
        eventually(lambda: cluster.create("configmaps", space, {"metadata": {"generateName": "after-"}}), "it writes")
        pod = cluster.ready_pod(space, "stays")
        check_equal(pod["metadata"]["uid"], uid, "the pod")
        # kubelet has looked at it again: it tells of a pod that came later
        cluster.create("pods", space, {"metadata": {"name": "later"}, "spec": pod_spec("exec sleep 600")})
        cluster.ready_pod(space, "later")
        pod = cluster.ready_pod(space, "stays")
        check_equal(pod["status"]["containerStatuses"][0]["restartCount"], 0, "restarts of its container")
        return "API server, etcd and kubelet killed in turn, the pod never noticed"


def hears_ctrl_c():
    """A shell has those whom it starts in the background ignore it, and whom they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Other:
    """A second cluster beside the first, whose starter is a process of its own."""

    def __init__(self, name):
        self.layout, self.starters = node.Layout(name), []
        self.program = [sys.executable, os.path.join(tools.HERE, "cluster.py"), "--name", name]

    def start(self):
        return subprocess.Popen([*self.program, "up", "--attached"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True, start_new_session=True, preexec_fn=hears_ctrl_c)

    def run(self, *words):
        return subprocess.run([*self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, timeout=KUBECTL_LIMIT_S)

    def wait_until_up(self, starter):
        line = starter.stdout.readline()
        check(line.startswith("KUBECONFIG="), f"the other cluster did not start: {line!r}")

    def left(self):
        """What is still there of it: processes, cgroups, mounts."""
        found = [name for name in ("init", "keeper") if supervise.recorded(self.layout, name)]
        found += [hierarchy for hierarchy in sum(supervise.hierarchies(), [])
                  if os.path.isdir(hierarchy + self.layout.cgroup)]
        found += supervise.mounts_below(self.layout.folder)
        mark = (self.layout.folder + "/").encode()
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    found += [f"process {pid}"] if mark in file.read() else []
            except (FileNotFoundError, ProcessLookupError):
                pass
        return found

    def wait_until_gone(self, what):
        end = time.monotonic() + supervise.CLEAN_LIMIT_S
        while self.left() and time.monotonic() < end:
            time.sleep(0.1)
        check_equal(self.left(), [], f"left over after {what}")


    def started(self, with_pod):
        """A starter whose cluster runs, with a pod in it."""
        starter = self.start()
        self.starters.append(starter)
        self.wait_until_up(starter)
        for words in ([["run", "one", f"--image={node.SHELL_IMAGE}", "--image-pull-policy=Never", "--", "sleep", "600"],
                       ["wait", "--for=condition=Ready", "pod/one", "--timeout=300s"]] if with_pod else []):
            done = self.run("exec", "kubectl", *words)
            check_equal(done.returncode, 0, f"kubectl {words[0]} in the other cluster: {done.stderr}")
        return starter


@test("CL16", alone=True)
def everything_goes_with_the_starter(cluster):
    other = Other(cluster.layout.name.removesuffix("-check") + "-other")
    try:
        other.started(with_pod=True).kill()
        other.wait_until_gone("kill -9 of the starter")

        other.started(with_pod=True)
        os.kill(supervise.recorded(other.layout, "keeper"), signal.SIGKILL)
        eventually(lambda: not supervise.recorded(other.layout, "init"), "the kernel ends init")
        check(other.left(), "the keeper was killed, and yet its cgroups are gone: this shows nothing")

        other.started(with_pod=True).kill()  # the start cleans up; the next one comes while the keeper still does
        starter = other.started(with_pod=False)
        check_equal(other.run("up", "--attached").returncode, 1, "a second start of a running cluster")
        starter.send_signal(signal.SIGINT)
        check_equal(starter.wait(LIMIT_S), 130, "exit code after Ctrl-C")
        other.wait_until_gone("Ctrl-C")
        eventually(lambda: is_ready(cluster.get("nodes", None, node.NODE)), "the first cluster is well")
    finally:
        for starter in other.starters:
            starter.kill()
            starter.communicate()
        check_equal(other.run("down").returncode, 0, "down")
    other.wait_until_gone("down")
    check(not os.path.exists(other.layout.folder), "files are left")
    return "nothing left after kill -9 of the starter, of the keeper, and Ctrl-C; the next start works at once"
