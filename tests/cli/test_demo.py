"""The demo is a test: it fails by itself when something is not as expected."""

import os
import re
import signal
import subprocess
import time

import harness
from harness import check, check_equal, temporary_folder, test
from program import BUILD


def start(folder, **environment):
    return subprocess.Popen(["examples/demo.sh"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, start_new_session=True,
                            env={**os.environ, "BUILD": BUILD, "DEMO_DIR": folder, **environment})


def running_webhooks(folder):
    """Processes that serve this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"granary-webhook") and any(folder.encode() in word for word in words):
            found.append(pid)
    return found


@test("-")
def the_demo_shows_what_it_promises():
    folder = os.path.join(temporary_folder(), "demo")
    began = time.monotonic()
    process = start(folder)
    text = process.communicate(timeout=60 * harness.SLOW)[0]
    check_equal(process.returncode, 0, f"exit code of the demo:\n{text[-2000:]}")
    check(time.monotonic() - began < 60 * harness.SLOW, "the demo takes too long")
    for sentence in ("stash.appscode.com/backup-blueprint: workload-backup-blueprint",
                     "--cacert", "Warning: granary: /source/data is backed up by blueprint",
                     '"op":"add","path":"/spec/template/spec/containers/1"', "\n+      - name: stash\n",
                     "\n+kind: Repository\n", "\n+kind: BackupConfiguration\n",
                     "plan-sha256", 'BackupConfiguration "hopeless" is not valid:',
                     "refused.yaml:9:3: error: spec.schedule: ", 'schedule "0 4 * * *"',
                     "exit code 0."):
        check(sentence in text, f"the demo does not show {sentence!r}")
    check("\033" not in text, "colours in a pipe")
    steps = [int(number) for number in re.findall(r"^== (\d+)\. ", text, re.M)]
    check_equal(steps, list(range(1, len(steps) + 1)), "steps")
    check_equal(running_webhooks(folder), [], "webhooks that still run")


@test("-")
def the_demo_ends_at_once_and_cleanly_when_interrupted():
    folder = os.path.join(temporary_folder(), "demo")
    process = start(folder)
    harness.eventually(lambda: running_webhooks(folder), "the demo's webhook", 20)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20 * harness.SLOW)
    check_equal(process.returncode, 130, "exit code")
    check_equal(running_webhooks(folder), [], "webhooks that still run")


@test("-")
def the_demo_fails_when_something_is_wrong():
    folder = os.path.join(temporary_folder(), "demo")
    tools = temporary_folder()
    path = os.path.join(tools, "curl")
    harness.write(path, "#!/bin/sh\necho '{}'\n")
    os.chmod(path, 0o755)
    process = start(folder, PATH=tools + ":" + os.environ["PATH"])
    text = process.communicate(timeout=60 * harness.SLOW)[0]
    check_equal(process.returncode, 1, "exit code")
    check("This demo went wrong: " in text, text[-500:])
    check_equal(running_webhooks(folder), [], "webhooks that still run")
