"""A changed RESTIC_PASSWORD, with all of us installed: the commands of docs/repositories.md, word for word."""

import json
import os
import re
import subprocess

import harness
from harness import check, check_equal, test
from test_certificates import installed
from test_life import LATE_S
from test_maintenance import kept

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "repositories.md")


def commands():
    """The blocks of the section that a person types, one after the other."""
    with open(PAGE, encoding="utf-8") as file:
        section = file.read().split("## Another password\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.M | re.S)
    check_equal(len(blocks), 2, "blocks of commands")
    return blocks


def typed(it, block):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", block], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=LATE_S * 2, check=False,
                          env={**it.cluster.environment, "NAMESPACE": it.space, "SECRET": "keys", "REPOSITORY": it.repository,
                               "CONFIGURATION": it.configuration["metadata"]["name"]})
    check_equal(done.returncode, 0, f"exit code of {block}: {done.stdout}")


def opens(it, password):
    done = subprocess.run([harness.tools.path_of("restic"), "--no-cache", "key", "list", "--no-lock", "--json"],
                          stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60,
                          env={"RESTIC_REPOSITORY": it.folder(), "RESTIC_PASSWORD": password, "HOME": "/dev/null/home"})
    return done.returncode, len(json.loads(done.stdout)) if done.returncode == 0 else 0


def secret(it):
    """What stands in the storage Secret."""
    text = it.cluster.kubectl("get", "secret", "keys", "-n", it.space, "-o", "go-template={{range $key, $value := .data}}"
                              "{{$key}} {{$value | base64decode}}{{\"\\n\"}}{{end}}")
    return dict(line.split(" ", 1) for line in text.splitlines())


def written(it):
    """All that a person can read of it: objects, and the logs of the agent and of the Job."""
    said = [it.cluster.kubectl("get", kind, "-n", it.space, "-o", "json") for kind in (
        "pods,jobs,events", "repositories.stash.appscode.com", "backupsessions.stash.appscode.com")]
    jobs = [pod["metadata"]["name"] for pod in it.cluster.pods(it.space, "job-name")]
    return "".join(said) + it.cluster.logs(it.space, it.pod, container="stash") + "".join(
        it.cluster.logs(it.space, name) for name in jobs if name.startswith("granary-key-"))


@test("MT4", alone=True)  # RS14
def a_changed_password_is_exchanged(cluster):
    installed(cluster)
    with kept(cluster, keepLast=9) as it:
        it.back_up("before")
        before = secret(it)["RESTIC_PASSWORD"]
        change, wait = commands()
        typed(it, change)
        after = secret(it)
        check_equal((after["RESTIC_PASSWORD_OLD"], len(after["RESTIC_PASSWORD"])), (before, 40), "the Secret")
        typed(it, wait)
        check_equal((opens(it, before), opens(it, after["RESTIC_PASSWORD"])), ((12, 0), (0, 1)), "the passwords; exit code, keys")
        check_equal(secret(it), {"RESTIC_PASSWORD": after["RESTIC_PASSWORD"]}, "the Secret in the end")
        check_equal(it.done("key").get("successes"), 1, "exchanges")
        check_equal(it.condition("RepositoryPasswordValid"), "True", "condition")
        text = written(it)
        check("maintenance exchanges the key" in text, "nobody said so: a session, or the first check")
        check(before not in text and after["RESTIC_PASSWORD"] not in text, "a password can be read")
        return f"{it.done('key')}"
