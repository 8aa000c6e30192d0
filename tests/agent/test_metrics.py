"""Metrics of the leader, as the real Prometheus and Pushgateway read them."""

import contextlib
import json
import os
import re
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import harness
import tools
from controller import Controller, installed
from harness import PATIENCE_S, SLOW, check, check_equal, eventually, temporary_folder, test, write
from running import Storage, free_port

STASH = "/apis/stash.appscode.com/v1{}/namespaces/shop/{}"
CONFIGURATION, SESSION = STASH.format("beta1", "backupconfigurations/"), STASH.format("beta1", "backupsessions/")
RESTORE, REPOSITORY = STASH.format("beta1", "restoresessions/"), STASH.format("alpha1", "repositories/")
DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "metrics.md")
BYTES = 3 << 20


def stash(kind, name, version="v1beta1", **members):
    return {"apiVersion": f"stash.appscode.com/{version}", "kind": kind, "metadata": {"name": name, "namespace": "shop"},
            **members}


def configuration(name):
    ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name.removeprefix("deploy-")}
    return stash("BackupConfiguration", name, spec={
        "repository": {"name": "main"}, "schedule": "@yearly", "target": {"ref": ref}, "backupHistoryLimit": 3,
        "retentionPolicy": {"name": "all", "keepLast": 5, "prune": True}})


def session(name, of, phase, error=None):
    snapshot = {"name": "1a2b3c4d", "path": "/data", "totalSize": "3.000 MiB", "uploaded": "1.000 MiB",
                "processingTime": "2s", "fileStats": {"totalFiles": 7, "newFiles": 1, "modifiedFiles": 2, "unmodifiedFiles": 4}}
    stat = {"hostname": "host-0", "phase": phase, **({"error": error} if error else
                                                     {"duration": "5s", "snapshots": [snapshot]})}
    return stash("BackupSession", name, spec={"invoker": {"kind": "BackupConfiguration", "name": of}}, status={
        "phase": phase, "sessionDuration": "12s", "targets": [{"phase": phase, "totalHosts": 1, "stats": [stat]}]})


def seconds(server, path):
    """When it was made, as Prometheus counts."""
    made = server.get(path)["metadata"]["creationTimestamp"]
    return int(subprocess.run(["date", "-d", made, "+%s"], capture_output=True, text=True, check=True).stdout)


@contextlib.contextmanager
def shop(*words):
    """A leader, before whom web was backed up, db failed, and new was never tried."""
    with installed() as server:
        server.lists = True
        server.put("/api/v1/namespaces/shop", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        server.put(REPOSITORY + "main", stash("Repository", "main", "v1alpha1", spec={
            "backend": {"s3": {"endpoint": "s3.example.com", "bucket": "safe", "prefix": "shop"},
                        "storageSecretName": "keys"}},
            status={"integrity": True, "totalSize": "2.000 MiB", "snapshotCount": 4, "snapshotsRemovedOnLastCleanup": 1,
                    "maintenance": [{"kind": "check", "lastFailure": "2024-05-01T13:32:00Z", "failures": 2}]}))
        for name in ("deploy-web", "deploy-db", "deploy-new"):
            server.put(CONFIGURATION + name, configuration(name))
        server.put(SESSION + "web-1", session("web-1", "deploy-web", "Succeeded"))
        server.put(SESSION + "db-1", session("db-1", "deploy-db", "Failed", 'a "quote"\nand a \\ line'))
        server.put(RESTORE + "back", stash("RestoreSession", "back", spec={
            "repository": {"name": "main"}, "target": {"ref": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                                                               "name": "data"}}},
            status={"phase": "Succeeded", "sessionDuration": "9s", "totalHosts": 1,
                    "stats": [{"hostname": "host-0", "phase": "Succeeded", "duration": "8s"}]}))
        with Controller(server, *words) as controller:
            yield server, controller


def scraped(controller):
    """{line without value: value}"""
    lines = controller.admin("/metrics")[1].splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line and line[0] != "#"}


def labels(invoker, target, **more):
    said = {"invoker_kind": "BackupConfiguration", "invoker_name": invoker, "namespace": "shop", "driver": "Restic",
            "repository": "main", "kind": "Deployment", "group": "apps", "name": target, **more}
    return "{" + ",".join(f'{name}="{value}"' for name, value in said.items()) + "}"


KNOWN = ('stash_backup_session_success{invoker_kind="BackupConfiguration",invoker_name="deploy-web"',
         'stash_backup_session_success{invoker_kind="BackupConfiguration",invoker_name="deploy-db"',
         'granary_backup_ready{namespace="shop",configuration="deploy-new"', "stash_restore_session_success{",
         "stash_repository_size_bytes{", "granary_repository_size_bytes{")


def known(controller):
    """Waits until it says all there is."""
    eventually(lambda: all(line in controller.admin("/metrics")[1] for line in KNOWN), "metrics of targets")


@test("-")
def metrics_promtool_takes_them():
    with shop() as (_, controller):
        known(controller)
        text = controller.admin("/metrics")[1]
        done = subprocess.run([tools.path_of("promtool"), "check", "metrics"], input=text, capture_output=True, text=True)
        # names of Stash, with which dashboards were made, are not as promtool would have them
        lints = [line for line in (done.stdout + done.stderr).splitlines()
                 if not re.match(r'stash_\w+(_total|_count) non-[a-z -]+ metrics should not have "\1" suffix$', line)]
        check_equal((done.returncode, lints), (3, []), "what promtool says of ours")


def documented():
    """{name: (type, labels)} of docs/metrics.md"""
    rows = {}
    with open(DOCUMENT, encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            names = re.findall(r"`([a-z_]+)`", cells[0])
            if len(cells) == 4 and names and cells[1] in ("gauge", "counter"):
                for name in names:
                    rows[name] = (cells[1], set(re.findall(r"`([a-z_]+)`", cells[2])))
    return rows


@test("-")
def metrics_the_document_names_each_of_them_and_nothing_else():
    with shop("--agent-listen", "127.0.0.1:0", "--advertise-address", "10.1.2.3") as (_, controller):
        known(controller)
        eventually(lambda: "agent_waiting" in controller.admin("/metrics")[1] and
                   "stash_found" in controller.admin("/metrics")[1] and
                   "webhook_reached" in controller.admin("/metrics")[1], "what is said later")
        text, rows = controller.admin("/metrics")[1], documented()
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        check_equal({name: kind for name, (kind, _) in rows.items()}, types, "names and types in docs/metrics.md")
        helped = re.findall(r"^# HELP (\S+) \S", text, re.M)
        check_equal((sorted(helped), len(helped)), (sorted(types), len(set(helped))), "each is said once what it is")
        for name, inside in set(re.findall(r"^([a-z_]+)\{(.*)\} \S+$", text, re.M)):
            found = set(re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', inside))
            check(found <= rows[name][1] and rows[name][1] - found <= {"prefix", "bucket"},
                  f"labels of {name}: {sorted(found)}, documented {sorted(rows[name][1])}")


def ask(address, query):
    with urllib.request.urlopen(f"{address}/api/v1/query?" + urllib.parse.urlencode({"query": query}),
                                timeout=PATIENCE_S * SLOW) as answer:
        return json.load(answer)["data"]["result"]


def is_ready(address):
    try:
        with urllib.request.urlopen(f"{address}/-/ready", timeout=PATIENCE_S * SLOW) as answer:
            return answer.status == 200
    except urllib.error.HTTPError:
        return False


def prometheus(controller):
    folder, port = temporary_folder(), free_port()
    write(f"{folder}/prometheus.yml", json.dumps({"scrape_configs": [{
        "job_name": "granary", "scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{controller.port}"]}]}]}))
    return Storage([tools.path_of("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                    f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"], port, folder)


@test("-")
def metrics_prometheus_scrapes_them_and_answers():
    with shop() as (server, controller):
        known(controller)
        made = seconds(server, SESSION + "web-1")
        with prometheus(controller) as scraper:
            address = f"http://127.0.0.1:{scraper.port}"
            alert = "granary_backup_last_success_timestamp_seconds == 0"

            def value(query):
                return [float(each["value"][1]) for each in ask(address, query)]

            eventually(lambda: is_ready(address), "it has read its data")
            eventually(lambda: value('up{job="granary"}') == [1], "scraped as a whole")
            check_equal(value('granary_backup_last_success_timestamp_seconds{configuration="deploy-web"}'), [made], "success")
            check_equal(value('stash_backup_host_data_size_bytes{hostname="host-0"}'), [BYTES], "size of a host")
            check_equal(value('stash_backup_session_success{invoker_name="deploy-db"}'), [0], "a failure")
            # one that failed and one that never ran: an alert finds both, and knows them apart
            check_equal({each["metric"]["configuration"] for each in ask(address, alert)}, {"deploy-db", "deploy-new"}, alert)
            never = "granary_backup_last_attempt_timestamp_seconds == 0"
            check_equal([each["metric"]["configuration"] for each in ask(address, never)], ["deploy-new"], never)


@test("-")
def metrics_follow_failures_history_and_deletions():
    with shop() as (server, controller):
        known(controller)
        ours = ('{namespace="shop",configuration="deploy-web",kind="Deployment",group="apps",name="web",repository="main"}')
        made = seconds(server, SESSION + "web-1")
        eventually(lambda: scraped(controller).get(f"granary_backup_last_success_timestamp_seconds{ours}") == made, "success")
        # the next one fails, and the history lets the success go
        server.put(SESSION + "web-2", session("web-2", "deploy-web", "Failed", "no space"))
        eventually(lambda: scraped(controller)[f"granary_backup_last_attempt_success{ours}"] == 0, "the failure")
        server.delete(SESSION + "web-1")
        eventually(lambda: '"web-1"' not in controller.admin("/metrics")[1] and
                   scraped(controller)[f"granary_backup_last_success_timestamp_seconds{ours}"] == made, "it is remembered")
        after = scraped(controller)
        check_equal(after[f"granary_backup_bytes{ours}"], BYTES, "bytes of the newest backup")
        check_equal(after["stash_backup_host_data_size_bytes" + labels("deploy-web", "web", hostname="host-0")], BYTES, "of its host")
        # series go with what they are about
        server.delete(CONFIGURATION + "deploy-web")
        eventually(lambda: "deploy-web" not in controller.admin("/metrics")[1], "no series of what is gone")
        check("deploy-new" in controller.admin("/metrics")[1], "the others stay")


def settings(url, **more):
    path = f"{temporary_folder()}/settings.yaml"
    write(path, json.dumps({"pushgateway": {"url": url, **more}}))
    return path


class Gateway(Storage):
    def __init__(self, port, *words):
        super().__init__([tools.path_of("prometheus-pushgateway"), f"--web.listen-address=127.0.0.1:{port}",
                          "--log.level=error", *words], port, temporary_folder())

    def groups(self, prefix=""):
        """{job: {name: [(labels, value)]}}"""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{prefix}/api/v1/metrics", timeout=PATIENCE_S) as answer:
            data = json.load(answer)["data"]
        check(all(set(group["labels"]) == {"job"} for group in data), f"grouping keys: {[g['labels'] for g in data]}")
        return {group["labels"]["job"]: {
            name: [(each["labels"], float(each["value"])) for each in family["metrics"]]
            for name, family in group.items() if isinstance(family, dict) and "metrics" in family} for group in data}


@test("-")
def pushes_by_the_names_and_jobs_of_stash():
    with Gateway(free_port(), "--web.route-prefix=/push") as gateway, \
            shop("--settings", settings(f"http://127.0.0.1:{gateway.port}/push/")) as (server, controller):
        jobs = eventually(lambda: (lambda all: all if len(all) == 3 else None)(gateway.groups("/push")), "three groups")
        check_equal(set(jobs), {"backupconfiguration-shop-deploy-web", "backupconfiguration-shop-deploy-db",
                                "restoresession-shop-back"}, "jobs; nothing of the one that never ran")
        web = jobs["backupconfiguration-shop-deploy-web"]
        check_equal([value for _, value in web["stash_backup_session_success"]], [1], "success")
        ((found, size),) = web["stash_backup_host_data_size_bytes"]
        check_equal(({**found}, size), ({"instance": "", "job": "backupconfiguration-shop-deploy-web", "hostname": "host-0",
                     "invoker_kind": "BackupConfiguration", "invoker_name": "deploy-web", "namespace": "shop",
                     "driver": "Restic", "repository": "main", "kind": "Deployment", "group": "apps", "name": "web"}, BYTES),
                    "a host")
        check(not any(name.startswith("granary_") for job in jobs.values() for name in job), "ours are scraped")
        bad = jobs["backupconfiguration-shop-deploy-db"]
        check_equal(([value for _, value in bad["stash_backup_session_success"]], "stash_backup_session_duration_seconds" in bad),
                    ([0], False), "of a failure the success alone")
        # the next session fails: what the success brought stays, as Stash leaves it
        server.put(SESSION + "web-2", session("web-2", "deploy-web", "Failed", "no space"))

        def failed():
            group = gateway.groups("/push")["backupconfiguration-shop-deploy-web"]
            return group if [value for _, value in group["stash_backup_session_success"]] == [0] else None

        check_equal(eventually(failed, "the failure")["stash_backup_session_duration_seconds"][0][1], 12, "duration")
        # pushes go with what they are about
        server.delete(CONFIGURATION + "deploy-web")
        eventually(lambda: set(gateway.groups("/push")) == {"backupconfiguration-shop-deploy-db", "restoresession-shop-back"},
                   "the group of a deleted target goes")
        check_equal(controller.metric("push_failures_total"), 0, "failures")
        check(controller.metric("push_deletions_total") >= 1, "deletions are counted")


@test("-")
def pushes_that_fail_are_counted_and_change_no_phase():
    port = free_port()
    with shop("--settings", settings(f"http://127.0.0.1:{port}")) as (server, controller):
        known(controller)
        eventually(lambda: controller.metric("push_failures_total") >= 3, "failures are counted")
        check(controller.says("a step failed.*pushes.*the Pushgateway"), "and logged")
        for name, phase in (("web-1", "Succeeded"), ("db-1", "Failed")):
            check_equal(server.get(SESSION + name)["status"]["phase"], phase, f"phase of {name}")
        with Gateway(port) as gateway:
            eventually(lambda: len(gateway.groups()) == 3, "pushed as soon as it is there")


@test("-")
def pushes_over_tls_only_to_whom_is_trusted():
    """An authority of one's own counts when it stands in the settings: at once when it is written there."""
    folder = temporary_folder()
    write(f"{folder}/web.json", json.dumps({"tls_server_config": {"cert_file": harness.WORLD.cert, "key_file": harness.WORLD.key}}))
    with Gateway(free_port(), f"--web.config.file={folder}/web.json") as gateway:
        url = f"https://localhost:{gateway.port}"
        path = settings(url)
        with shop("--settings", path) as (_, controller):
            known(controller)
            eventually(lambda: controller.metric("push_failures_total") >= 1, "an unknown authority")
            check(controller.says("a step failed.*pushes.*certificate"), "why")
            check_equal(controller.metric("pushes_total"), 0, "pushes")
            trusting = ssl.create_default_context(cafile=harness.WORLD.ca.cert)

            def groups():
                with urllib.request.urlopen(f"{url}/api/v1/metrics", context=trusting, timeout=PATIENCE_S) as answer:
                    return {group["labels"]["job"] for group in json.load(answer)["data"]}

            check_equal(groups(), set(), "groups")
            with open(harness.WORLD.ca.cert, encoding="ascii") as file:
                os.rename(settings(url, caBundle=file.read()), path)
            eventually(lambda: groups() == {"backupconfiguration-shop-deploy-web", "backupconfiguration-shop-deploy-db",
                                            "restoresession-shop-back"}, "pushed to whom is trusted now")
            check(controller.metric("pushes_total") >= 3, "pushes are counted")
