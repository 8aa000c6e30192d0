"""The program around the server: command line, catalog, --once, admin address, log."""

import json
import os
import re
import resource
import shutil
import subprocess
import time

import harness
from harness import (Webhook, ask, check, check_allowed, check_equal, eventually, post, review,
                     run_program as run, temporary_folder, test, write)

BROKEN = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: [\n"


def catalog():
    folder = temporary_folder()
    write(os.path.join(folder, "namespace.yaml"), harness.NAMESPACE)
    return folder


@test("-")
def help_and_version():
    answer = run("--help")
    check_equal(answer.returncode, 0, "exit code")
    text = answer.stdout.decode()
    for word in ("usage:", "--catalog DIR", "--kubeconfig FILE", "--tls-secret NAMESPACE/NAME", "--listen ADDR:PORT", "--tls-cert FILE", "--client-ca",
                 "--settings", "--enforce", "--once", "--log-format", "exit:", "SIGTERM"):
        check(word in text, f"--help does not say {word}")
    # H16: longer than the 90 s for which the API server's client keeps an idle connection
    check(re.search(r"--keep-alive-timeout.*120s", text), "the keep-alive time is not 120 s")
    check(max(len(line) for line in text.splitlines()) <= 120, "a line is too long to read")
    check_equal(run("-h").stdout, answer.stdout, "-h")
    version = run("--version")
    check(re.fullmatch(rb"granary-webhook \d+\.\d+\.\d+ \([0-9a-z]+\)\n", version.stdout), "version")


@test("-")
def wrong_command_lines_say_what_is_wrong():
    pair = ["--tls-cert", harness.WORLD.cert, "--tls-key", harness.WORLD.key]
    folder = ["--catalog", catalog()]
    rows = [
        ([], "--tls-secret NAMESPACE/NAME"), (["--once"], "--once needs --catalog"), (folder, "--tls-cert"),
        (pair, "neither --catalog nor --kubeconfig, and not in a pod"),
        ([*pair, "--kubeconfig", "/nonexistent"], "/nonexistent"), ([*folder, *pair[:2]], "--tls-key"),
        ([*folder, "--nonsense"], "--nonsense: no such option"),
        ([*folder, "--kubeconfig", "x"], "either --catalog or --kubeconfig"),
        ([*folder, "--enforce=yes"], "--enforce=yes"), (["--catalog"], "--catalog: its value"),
        ([*folder, *pair, "more"], '"more" is not expected'), (["--catalog", ""], "--catalog"),
        ([*folder, *pair, "--log-format", "xml"], "--log-format xml"),
        ([*folder, *pair, "--log-level", "loud"], "--log-level loud"),
        ([*folder, *pair, "--request-timeout", "10"], "--request-timeout 10"),
        ([*folder, *pair, "--request-timeout", "-1s"], "--request-timeout -1s"),
        ([*folder, *pair, "--body-max", "0"], "--body-max 0"),
        ([*folder, *pair, "--workers", "99999999999"], "--workers"),
    ]
    for address in ("", "8443", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:1",
                    "[::1]", "[::1", "[127.0.0.1]:1", "localhost:1", "256.0.0.1:1", "1.2.3:1",
                    "127.0.0.1:-1", "127.0.0.1:000001"):
        rows.append(([*folder, *pair, "--listen", address], f"--listen {address}".rstrip()))
    for arguments, reason in rows:
        answer = run(*arguments)
        check_equal(answer.returncode, 2, f"exit code of {arguments}")
        check(reason in answer.stderr.decode(), f"{arguments}: {answer.stderr}")
        check_equal(answer.stdout, b"", "standard output")


@test("-")
def an_address_in_use_is_said():
    with Webhook() as webhook:
        answer = run("--catalog", catalog(), "--tls-cert", harness.WORLD.cert, "--tls-key",
                     harness.WORLD.key, "--admin-listen", "127.0.0.1:0", "--listen",
                     f"127.0.0.1:{webhook.port}")
        check_equal(answer.returncode, 2, "exit code")
        check(f"can not listen on 127.0.0.1:{webhook.port}" in answer.stderr.decode(),
              answer.stderr)


@test("PF6")
def few_descriptors_mean_few_connections():
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))

    with Webhook("--workers", "2", prepare=limit) as webhook:
        line = webhook.log("fewer connections than wanted")
        check("possible=22" in line, line)
        idle = [webhook.tcp() for _ in range(300)]
        check_allowed(ask(webhook, post(review())))
        for connection in idle:
            connection.close()


@test("-")
def one_review_from_standard_input():
    folder = catalog()
    answer = run("--catalog", folder, "--once", stdin=review("once-1"))
    check_equal(answer.returncode, 0, f"exit code ({answer.stderr})")
    response = json.loads(answer.stdout)["response"]
    check_equal((response["uid"], response["allowed"]), ("once-1", True), "response")
    for bad in (b"", b"{", b"[]", b"{}"):
        answer = run("--catalog", folder, "--once", stdin=bad)
        check_equal(answer.returncode, 1, "exit code")
        check_equal(json.loads(answer.stdout)["kind"], "Status", "kind")
    answer = run("--catalog", folder, "--once", "--body-max", "1Ki", stdin=review(size=2000))
    check_equal(answer.returncode, 2, "exit code")
    write(os.path.join(folder, "broken.yaml"), BROKEN)
    answer = run("--catalog", folder, "--once", stdin=review())
    check_equal(answer.returncode, 2, "exit code")
    check(re.search(rb"broken.yaml:\d+:\d+: ", answer.stderr), answer.stderr)


@test("-")
def a_broken_catalog_leaves_the_last_good_one_in_use():
    folder = catalog()
    broken = os.path.join(folder, "broken.yaml")
    with Webhook(catalog=folder) as webhook:
        check_equal(webhook.metric("catalog_objects"), 1, "objects")
        write(os.path.join(folder, "second.yaml"), harness.NAMESPACE.replace("demo", "other"))
        eventually(lambda: webhook.metric("catalog_objects") == 2, "the new file counts")
        write(broken, BROKEN)
        webhook.log(r"catalog refused.*broken.yaml:\d+:\d+: ")
        eventually(lambda: webhook.metric("catalog_good") == 0, "said as metric")
        check(webhook.metric("catalog_errors_total") >= 1, "errors")
        check_equal(webhook.metric("catalog_objects"), 2, "objects")
        status, _, text = webhook.admin("/readyz")
        check_equal(status, 200, "readyz")
        check("[!]catalog" in text, "readyz says nothing of it")
        check_allowed(ask(webhook, post(review())))
        os.unlink(broken)
        eventually(lambda: webhook.metric("catalog_good") == 1, "good again")


@test("-")
def without_a_catalog_the_fault_is_ours():
    folder = temporary_folder()
    broken = os.path.join(folder, "broken.yaml")
    write(broken, BROKEN)
    with Webhook(catalog=folder, wait_ready=False) as webhook:
        status, _, text = webhook.admin("/readyz")
        check_equal(status, 503, "readyz")
        check("[-]catalog: " in text and "[+]certificate ok" in text, text)
        answer = ask(webhook, post(review()))
        check_equal(answer.status, 503, "status")
        check_equal(answer.json()["reason"], "ServiceUnavailable", "reason")
        write(broken, harness.NAMESPACE)
        eventually(webhook.ready, "ready")
        check_allowed(ask(webhook, post(review())))


@test("-")
def a_catalog_of_config_map_links_is_followed():
    folder = temporary_folder()
    for name, objects in (("..1", 1), ("..2", 2)):
        os.mkdir(os.path.join(folder, name))
        for n in range(objects):
            write(os.path.join(folder, name, f"{n}.yaml"), harness.NAMESPACE.replace("demo", f"n{n}"))
    os.symlink("..1", os.path.join(folder, "..data"))
    os.symlink("..data/0.yaml", os.path.join(folder, "0.yaml"))
    with Webhook(catalog=folder) as webhook:
        check_equal(webhook.metric("catalog_objects"), 1, "objects")
        os.symlink("..data/1.yaml", os.path.join(folder, "1.yaml"))
        os.symlink("..2", os.path.join(folder, "..tmp"))
        os.rename(os.path.join(folder, "..tmp"), os.path.join(folder, "..data"))
        eventually(lambda: webhook.metric("catalog_objects") == 2, "the new objects")


@test("-")
def settings_are_read_again_when_they_change():
    path = os.path.join(temporary_folder(), "settings.yaml")
    write(path, "logLevel: info\n")
    with Webhook("--settings", path) as webhook:
        write(path, "clusterName: second\n")
        webhook.log(r"settings taken.*settings.yaml")
        write(path, "clusterNam: third\n")
        webhook.log(r"settings refused.*clusterNam")
        eventually(lambda: webhook.metric("settings_good") == 0, "said as metric")
        check_equal(webhook.metric("settings_errors_total"), 1, "errors")
        status, _, text = webhook.admin("/readyz")
        check_equal(status, 200, "readyz")
        check("[!]settings" in text, text)
        check_allowed(ask(webhook, post(review())))
        write(path, "clusterName: fourth\n")
        eventually(lambda: webhook.metric("settings_good") == 1, "good again")
        check_equal(webhook.metric("settings_loads_total"), 3, "loads")


@test("-")
def the_admin_address_answers_get_only():
    with Webhook() as webhook:
        for path in ("/livez", "/readyz", "/metrics"):
            status, headers, body = webhook.admin(path)
            check_equal(status, 200, path)
            check(body and headers["Content-Type"].startswith("text/plain"), path)
            status, _, body = webhook.admin(path, "HEAD")
            check_equal((status, body), (200, ""), f"HEAD {path}")
            check_equal(webhook.admin(path, "POST")[0], 405, f"POST {path}")
        for path in ("/", "/mutate", "/metrics/", "/livez%00", "/debug/pprof"):
            check_equal(webhook.admin(path)[0], 404, path)


SAMPLE = re.compile(r'[a-z_:]+(\{([a-z]+="[^"\\\n]*",?)*\})? -?[0-9.e+]+')


@test("-")
def metrics_are_well_formed():
    with Webhook() as webhook:
        check_allowed(ask(webhook, post(review())))
        check_equal(ask(webhook, post(b"{")).status, 400, "status")
        eventually(lambda: webhook.metric('responses_total{code="400"}') == 1, "counted")
        text = webhook.admin("/metrics")[2]
        kinds = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                check(name not in kinds, f"{name} twice")
                check(kind != "counter" or name.endswith("_total"), f"{name} is no total")
                kinds[name] = kind
            elif not line.startswith("# HELP "):
                check(SAMPLE.fullmatch(line), f"no sample: {line}")
                bare = re.sub(r"(_bucket|_sum|_count)?[{ ].*", "", line)
                check(bare in kinds, f"{line} has no type")
        for name in ("requests_total", "request_duration_seconds", "connections_accepted_total",
                     "tls_handshake_failures_total", "requests_in_flight", "catalog_objects",
                     "certificate_expiry_timestamp_seconds", "build_info"):
            check(f"granary_webhook_{name}" in kinds, f"{name} is missing")
        total = [line for line in text.splitlines() if "requests_total{" in line]
        check_equal(len(total), 1, "reviews by kind")
        check_equal(webhook.metric('request_duration_seconds_count{endpoint="mutate"}'), 1, "count")
        promtool = shutil.which("promtool")
        if promtool:
            verdict = subprocess.run([promtool, "check", "metrics"], input=text, text=True,
                                     capture_output=True)
            check_equal(verdict.returncode, 0, verdict.stdout + verdict.stderr)


@test("-")
def kinds_in_metrics_are_bounded():
    with Webhook() as webhook:
        for n in range(50):
            body = review(f"u{n}").replace(b'"kind": "ConfigMap"', b'"kind": "K%d"' % n)
            check_allowed(ask(webhook, post(body)), f"u{n}")
        lines = [line for line in webhook.admin("/metrics")[2].splitlines() if "requests_total{" in line]
        check(len(lines) < 5, f"{len(lines)} lines for foreign kinds")


@test("-")
def the_log_is_json_and_keeps_secrets():
    marker = f"S3CR3T-{os.getpid()}"
    with Webhook("--log-format", "json") as webhook:
        body = review("uid with \\\"quotes\\n").replace(b'"padding": ""',
                                                        b'"password": "%s"' % marker.encode())
        ask(webhook, post(body))
        ask(webhook, post(b'{"a": "%s"' % marker.encode()))
        ask(webhook, post(review(), f"/mutate?token={marker}", [f"Authorization: Bearer {marker}"]))
        ask(webhook, post(review(), f"/{marker}"))
        webhook.log('"msg":"review"')
        eventually(lambda: webhook.count("request refused") >= 2, "refusals are logged")
        with open(harness.WORLD.key) as key:
            key_lines = [line.strip() for line in key if "-----" not in line]
        for line in list(webhook.lines):
            entry = json.loads(line)
            check({"time", "level", "msg"} <= set(entry), line)
            check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"]), line)
            check(marker not in line and not any(part in line for part in key_lines), line)


@test("-")
def starting_is_quick_and_small():
    began = time.monotonic()
    with Webhook("--log-level", "info") as webhook:
        check_allowed(ask(webhook, post(review())))
        seconds = time.monotonic() - began
        check(harness.SLOW > 1 or seconds < harness.AT_ONCE_S, f"first answer after {seconds * 1000:.0f} ms")
        check(harness.SLOW > 1 or webhook.rss_kib() < 12 * 1024, f"{webhook.rss_kib()} KiB")
