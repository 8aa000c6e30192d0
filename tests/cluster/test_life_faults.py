"""Sessions in the real cluster while parts of it are killed. What was acknowledged must come back byte-exact, nothing is
called a success that is not, every session ends, and the repository is whole afterwards. The seed is the commit's, or
SEED; it decides the order of the faults and their moments."""

import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import threading

from harness import check, check_equal, eventually, test
from installed import processes
from test_certificates import controllers, holder, installed, kill
from test_life import begin_session, ended, protected_pod, sh
from test_maintenance import kept

CHANGE = ("cd /data && rm -rf part-{0} && mkdir part-{0} && echo {1} > who && dd if=/dev/urandom of=part-{0}/big bs=1M count=12 "
          "2>/dev/null && for i in 1 2 3 4 5 6 7 8 9; do echo $i {1} > part-{0}/$i; done && chmod 640 part-{0}/3 && "
          "chown 1234:4321 part-{0}/4 && ln part-{0}/5 part-{0}/hard && ln -s nowhere part-{0}/link")
# the same with busybox in the pod and with what this machine has
PICTURE = ("cd {} && find . -type f -exec sha256sum {{}} + | sort && find . -mindepth 1 | sort | "
           "while read -r name; do stat -c '%n %a %u %g %h %Y' \"$name\"; done")


def seed():
    found = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    return os.environ.get("SEED") or found.stdout.strip() or "no-commit"


# --- faults, in the middle of a session; each ends what it began ---------------------------------------


def end_processes(it, name):
    (pod, ) = [pod for pod in it.cluster.pods(it.space, "app=web") if pod["metadata"]["name"] == it.pod]
    for path in processes(pod["metadata"]["uid"], name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(os.path.basename(path)), signal.SIGKILL)


def nothing(_):
    pass


def agent_is_killed(it):
    end_processes(it, "granary-agent")


def restic_is_killed(it):
    end_processes(it, "restic")


def leader_is_killed(it):
    leader = holder(it.cluster) or ""
    for pod in controllers(it.cluster):
        if leader.startswith(pod["metadata"]["name"]):
            kill(pod)


def restarted(name):
    def do(it):
        it.cluster.part("kill", name)
        it.cluster.part("start", name)
    do.__name__ = f"{name} killed"
    return do


FAULTS = [nothing, agent_is_killed, restic_is_killed, leader_is_killed, restarted("kubelet"),
          restarted("kube-apiserver"), restic_is_killed]


def in_pod(it, script):
    """What it says; kubelet and API server may just be coming back."""
    it.pod = protected_pod(it.cluster, it.space, "web")
    return eventually(lambda: sh(it.cluster, it.space, it.pod, f"{script}\necho"), "the pod is reached")


def judged(it, promised):
    """Each snapshot that was acknowledged, as restic itself restores it."""
    for key, wanted in promised.items():
        with tempfile.TemporaryDirectory(prefix="granary-life-") as folder:
            said = it.restic("restore", "--no-lock", f"{key}:/data", f"--target={folder}").communicate(timeout=120)[0]
            got = subprocess.run(["/bin/sh", "-c", PICTURE.format(folder)], capture_output=True, text=True, check=True).stdout
            check_equal(got, wanted, f"what came back of {key}; restic said {said}")
    process = it.restic("check", "--read-data", "--no-lock")
    said = process.communicate(timeout=120)[0]
    check_equal(process.returncode, 0, f"the repository; {said}")


@test("LF11", alone=True)  # RS2, RS4, RS9, SC4
def sessions_while_parts_are_killed(cluster):
    installed(cluster)
    chance, promised, told = random.Random(seed()), {}, []
    faults = chance.sample(FAULTS, len(FAULTS))
    print(f"       SEED={seed()}", flush=True)
    with kept(cluster, keepLast=100) as it:
        for number, fault in enumerate(faults):
            in_pod(it, CHANGE.format(number % 3, number))
            seen = in_pod(it, PICTURE.format("/data"))[:-1]
            name = f"fault-{number}"
            timer = threading.Timer(chance.choice([0.3, 1, 2, 3]), fault, [it])
            begin_session(cluster, it.space, it.configuration["metadata"]["name"], name)
            timer.start()
            session = ended(cluster, "backupsessions", it.space, name)
            timer.join()
            (stat, ) = session["status"]["targets"][0]["stats"]
            told.append(f"{fault.__name__}: {session['status']['phase']} {stat.get('error', '')[:60]}")
            if session["status"]["phase"] == "Succeeded":
                promised[stat["snapshots"][0]["name"]] = seen
            else:
                check(fault is not nothing and stat["phase"] == "Failed" and stat.get("error"), f"{fault.__name__}: {session}")
        in_pod(it, "true")
        it.back_up("afterwards")
        check(len(promised) >= 1, f"none succeeded: {told}")
        listed = {one["id"] for one in json.loads(it.restic("snapshots", "--no-lock", "--json").communicate(timeout=60)[0])}
        check(all(any(one.startswith(key) for one in listed) for key in promised), f"{set(promised)} of {listed}")
        judged(it, promised)
        return f"{len(promised)} of {len(faults)} came back; {'; '.join(told)}"
