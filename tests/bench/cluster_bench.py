#!/usr/bin/python3
"""The webhook with many objects of ours, from an API server: cluster_bench.py WEBHOOK.

Prints times, memory and the cost of a change, with the wanted bounds beside them; nothing here fails
for a number. The API server is that of the integration tests; starts include its time."""
import base64
import http.client
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "integration"))

from fake_cluster import FakeCluster, kubeconfig  # noqa: E402

OBJECTS = int(os.environ.get("OBJECTS", "10000"))
STARTS = int(os.environ.get("STARTS", "3"))
CHANGES = int(os.environ.get("CHANGES", "20"))
IDLE_S = int(os.environ.get("IDLE_S", "10"))
SPACES = 500
WANTED_MIB, WANTED_START_S = 128, 3
NOON = "2026-01-01T12:00:00Z"


def fields(tree):
    """What the API server notes of who wrote what."""
    return {f"f:{key}": fields(value) if isinstance(value, dict) else {} for key, value in tree.items()}


def body(number, kind, spec, status):
    return {
        "metadata": {
            "labels": {"granary.dev/blueprint": "nightly", "granary.dev/target-kind": "Deployment",
                       "granary.dev/target-name": f"app-{number}"},
            "annotations": {"granary.dev/target": f"apps/Deployment/space-{number % SPACES}/app-{number}",
                            "granary.dev/plan-sha256": f"{number:064x}"},
            "creationTimestamp": NOON, "generation": 1,
            "managedFields": [{"manager": "granary-controller", "operation": "Apply", "time": NOON,
                               "apiVersion": "stash.appscode.com/v1beta1", "fieldsType": "FieldsV1",
                               "fieldsV1": fields({"spec": spec})}]},
        "spec": spec, "status": status}


def configuration(number, schedule="0 2 * * *"):
    conditions = ("RepositoryFound", "BackendSecretFound", "BackupTargetFound", "CronJobCreated",
                  "StashSidecarInjected")
    return body(number, "BackupConfiguration", {
        "driver": "Restic", "repository": {"name": f"deploy-app-{number}"}, "schedule": schedule,
        "target": {"ref": {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"app-{number}"},
                   "volumeMounts": [{"name": "data", "mountPath": "/source/data"}], "paths": ["/source/data"]},
        "retentionPolicy": {"name": "keep", "keepLast": 5, "keepDaily": 7, "prune": True},
        "runtimeSettings": {"container": {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"},
                                                        "limits": {"cpu": "1", "memory": "256Mi"}}}},
    }, {"observedGeneration": 1, "phase": "Ready", "conditions": [
        {"type": name, "status": "True", "reason": "Fine", "message": "as it should be", "lastTransitionTime": NOON}
        for name in conditions]})


def repository(number):
    return body(number, "Repository", {
        "backend": {"s3": {"endpoint": "https://s3.example.com", "bucket": "backups", "region": "eu",
                           "prefix": f"space-{number % SPACES}/deployment/app-{number}"},
                    "storageSecretName": "s3-credentials"},
        "usagePolicy": {"allowedNamespaces": {"from": "Same"}}, "wipeOut": False,
    }, {"observedGeneration": 1, "firstBackupTime": NOON, "lastBackupTime": NOON, "snapshotCount": 12,
        "integrity": True, "totalSize": "12.3 GiB"})


def put_configuration(cluster, number, *schedule):
    cluster.put("backupconfigurations", f"deploy-app-{number}", f"space-{number % SPACES}",
                **configuration(number, *schedule))


def fill(cluster, certs):
    for number in range(100):
        cluster.put("backupblueprints", f"nightly-{number}", spec={
            "backend": {"s3": {"endpoint": "s3.example.com", "bucket": "backups",
                               "prefix": "${TARGET_NAMESPACE}/${TARGET_KIND}/${TARGET_NAME}"},
                        "storageSecretName": "s3-credentials"},
            "schedule": "0 2 * * *", "retentionPolicy": {"name": "keep", "keepLast": 7, "prune": True}})
    for number in range((OBJECTS - 100) // 2):
        put_configuration(cluster, number)
        cluster.put("repositories", f"deploy-app-{number}", f"space-{number % SPACES}", **repository(number))
    for number in range(SPACES):
        cluster.put("namespaces", f"space-{number}", metadata={"labels": {"kubernetes.io/metadata.name":
                                                                          f"space-{number}"}})
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{certs}/tls.key",
         "-out", f"{certs}/tls.crt"], check=True, stderr=subprocess.DEVNULL)
    cluster.put("secrets", "tls", "granary-system",
                data={name: base64.b64encode(pathlib.Path(certs, name).read_bytes()).decode()
                      for name in ("tls.crt", "tls.key")})


class Webhook:
    def __init__(self, program, config):
        self.begun = time.monotonic()
        self.process = subprocess.Popen(
            [program, "--kubeconfig", config, "--context", "fake", "--tls-secret", "granary-system/tls", "--listen",
             "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain-delay", "1ms", "--log-format", "json"],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if '"for":"admin"' in line:
                self.admin = int(re.search(r'"address":"127.0.0.1:(\d+)"', line).group(1))
                break

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def ready_s(self):
        while self.get("/readyz")[0] != 200:
            if time.monotonic() - self.begun > 60:
                sys.exit(f"bench: not ready: {self.get('/readyz')[1]}")
            time.sleep(0.005)
        return time.monotonic() - self.begun

    def metric(self, name):
        return float(re.search(rf"^granary_webhook_{name} (\S+)$", self.get("/metrics")[1], re.M).group(1))

    def cpu_ms(self):
        return time.clock_gettime_ns(~self.process.pid << 3 | 2) / 1e6  # the clock of another process

    def memory_mib(self, what):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{what}:\s*(\d+)", status, re.M).group(1)) / 1024

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.process.stderr.close()
        self.process.wait()


def cost_of_change(webhook, cluster):
    """CPU ms of one snapshot after a change of one object; nobody asks meanwhile."""
    loads, before = webhook.metric("catalog_loads_total"), webhook.cpu_ms()
    for number in range(CHANGES):
        put_configuration(cluster, number, f"{number % 60} 3 * * *")
        time.sleep(0.3)
    return (webhook.cpu_ms() - before) / (webhook.metric("catalog_loads_total") - loads)


def quiet(webhook):
    """Waits until two seconds went by without a new snapshot."""
    loads = -1
    while loads != (loads := webhook.metric("catalog_loads_total")):
        time.sleep(2)


def delays(webhook, cluster):
    """Milliseconds until a change is in use, by metrics that are asked for each few ms."""
    for number in range(CHANGES):
        loads, begun = webhook.metric("catalog_loads_total"), time.monotonic()
        put_configuration(cluster, number, f"{number % 60} 4 * * *")
        while webhook.metric("catalog_loads_total") == loads:
            time.sleep(0.003)
        yield (time.monotonic() - begun) * 1000


def main():
    with tempfile.TemporaryDirectory() as folder, FakeCluster() as cluster:
        fill(cluster, folder)
        config = kubeconfig(f"{folder}/config", cluster)
        print(f"{OBJECTS} objects of ours, {SPACES} namespaces, from an API server on loopback\n")
        starts = []
        for _ in range(STARTS):
            with Webhook(sys.argv[1], config) as webhook:
                starts.append(webhook.ready_s())
        print(f"start to synced, of {STARTS}: median {statistics.median(starts):.2f} s, least {min(starts):.2f}, "
              f"most {max(starts):.2f}   (wanted: < {WANTED_START_S})")
        with Webhook(sys.argv[1], config) as webhook:
            webhook.ready_s()
            print(f"CPU until synced: {webhook.cpu_ms():.0f} ms")
            print(f"resident when synced: {webhook.memory_mib('VmRSS'):.0f} MiB   (wanted: < {WANTED_MIB})")
            print(f"a change: {cost_of_change(webhook, cluster):.0f} ms CPU, in use after "
                  f"{statistics.median(delays(webhook, cluster)):.0f} ms (median)")
            print(f"resident after {2 * CHANGES} changes: {webhook.memory_mib('VmRSS'):.0f} MiB, "
                  f"most ever {webhook.memory_mib('VmHWM'):.0f}   (wanted: < {WANTED_MIB})")
            quiet(webhook)
            before = webhook.cpu_ms()
            time.sleep(IDLE_S)
            print(f"idle: {(webhook.cpu_ms() - before) / IDLE_S:.2f} ms CPU a second")


main()
