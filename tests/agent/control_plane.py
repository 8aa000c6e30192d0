#!/usr/bin/python3
"""Follows the first block of commands of docs/etcd.md word for word: three machines, each with mounts of its own, a kubelet
that only knows static pods, etcd 3.6 and a kube-apiserver. All data dirs are lost; what comes back is compared with what was
made. Run by test_etcd_restore.py in a network namespace of its own: `unshare --net --mount control_plane.py FOLDER AGENT`.
"""

import json
import os
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "cluster")]

import tools  # noqa: E402

PATIENCE_S = 120
CLUSTER = ",".join(f"cp-{i}=https://10.0.0.{i}:2380" for i in (1, 2, 3))
CLIENTS = ",".join(f"http://10.0.0.{i}:2379" for i in (1, 2, 3))
# what a machine has: a data dir, manifests, programs where the commands expect them
MOUNTS = """set -e
for at in etc root var/lib usr/bin usr/local/bin; do
    mkdir -p "$0/$at/upper" "$0/$at/work"
    mount -t overlay overlay -o "lowerdir=/$at,upperdir=$0/$at/upper,workdir=$0/$at/work" "/$at"
done
mkdir -p /etc/kubernetes/manifests /var/lib/etcd
chmod 700 /var/lib/etcd
ln -sf "$1" /usr/local/bin/granary-agent
ln -sf "$2" /usr/bin/restic
ln -sf "$3" /usr/local/bin/etcdctl
ln -sf "$4" /usr/local/bin/etcdutl
echo ready
exec sleep 100000
"""


def eventually(question, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(0.1)
    raise AssertionError(f"did not happen: {what}")


def same(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


class Machine:
    def __init__(self, number, folder, agent):
        self.number, self.folder = number, f"{folder}/{number}"
        os.mkdir(self.folder)
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", MOUNTS, self.folder, agent,
             *(tools.path_of(name) for name in ("restic", "etcdctl", "etcdutl"))], stdout=subprocess.PIPE)
        same(self.holder.stdout.readline(), b"ready\n", "mounts")
        self.running, self.over = {}, threading.Event()
        self.kubelet = threading.Thread(target=self._kubelet, daemon=True)
        self.kubelet.start()

    def _enter(self, *words):
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--wd=/", "--", *words]

    def _kubelet(self):
        """What has a manifest runs; what has none any more is told to end."""
        folder = f"/proc/{self.holder.pid}/root/etc/kubernetes/manifests"
        while not self.over.wait(0.05):
            wanted = {name for name in os.listdir(folder) if name.endswith(".yaml")}
            for name in wanted - set(self.running):
                with open(f"{folder}/{name}") as file, open(f"{self.folder}/{name}.log", "ab") as log:
                    self.running[name] = subprocess.Popen(self._enter(*json.load(file)), stdout=log, stderr=log)
            for name in set(self.running) - wanted:
                self.running[name].terminate()
                self.running[name].wait()
                del self.running[name]

    def static_pod(self, name, words):
        path = f"/proc/{self.holder.pid}/root/etc/kubernetes/manifests/{name}"
        with open(path + ".new", "w") as file:
            json.dump(words, file)
        os.rename(path + ".new", path + ".yaml")

    def shell(self, script, environment=(), good=True):
        done = subprocess.run(self._enter("bash", "-euc", script), capture_output=True, text=True, check=False,
                              env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", **dict(environment)})
        if good and done.returncode != 0:
            raise AssertionError(f"machine {self.number}: {script}\n{done.stdout}{done.stderr}")
        return done

    def end(self):
        self.over.set()
        self.kubelet.join()
        for process in self.running.values():
            process.kill()
            process.wait()
        self.holder.kill()
        self.holder.wait()


def api(path, body=None, method=None, seconds=10):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # in a network of its own
    request = urllib.request.Request(f"https://127.0.0.1:6443{path}", json.dumps(body).encode() if body else None,
                                     {"Content-Type": "application/json", "Authorization": "Bearer of-the-test"}, method=method)
    return urllib.request.urlopen(request, timeout=seconds, context=context)


def call(path, body=None, method=None):
    """None: no good answer."""
    try:
        with api(path, body, method) as answer:
            return json.load(answer)
    except OSError:
        return None


def config_maps():
    """By name: what must be the same before and after; None: the API server does not answer."""
    got = call("/api/v1/namespaces/default/configmaps")
    return got and {one["metadata"]["name"]: (one["metadata"]["uid"], one["metadata"]["resourceVersion"], one.get("data"))
                    for one in got["items"]}


def make(name, text):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"text": text}}
    return eventually(lambda: call("/api/v1/namespaces/default/configmaps", body), f"{name} is made")


def start(machines, folder):
    for machine in machines:
        own = f"10.0.0.{machine.number}"
        machine.static_pod("etcd", [
            tools.path_of("etcd"), "--name", f"cp-{machine.number}", "--data-dir", "/var/lib/etcd", "--listen-client-urls",
            f"http://{own}:2379", "--advertise-client-urls", f"http://{own}:2379", "--listen-peer-urls", f"https://{own}:2380",
            "--initial-advertise-peer-urls", f"https://{own}:2380", "--initial-cluster", CLUSTER, "--peer-auto-tls"])
    with open(f"{folder}/tokens", "w") as file:
        file.write("of-the-test,test,test\n")
    subprocess.run(["openssl", "genrsa", "-out", f"{folder}/sa.key", "2048"], check=True, capture_output=True)
    machines[0].static_pod("kube-apiserver", [
        "sh", "-c", "until \"$@\"; do sleep 0.2; done", "sh",  # as a kubelet, it starts again what has ended
        tools.path_of("kube-apiserver"), f"--etcd-servers={CLIENTS}", "--service-cluster-ip-range=10.96.0.0/24",
        "--service-account-issuer=https://test", f"--service-account-key-file={folder}/sa.key",
        f"--service-account-signing-key-file={folder}/sa.key", "--authorization-mode=AlwaysAllow",
        f"--token-auth-file={folder}/tokens", "--bind-address=127.0.0.1",
        "--advertise-address=10.0.0.1", f"--cert-dir={folder}/certs"])
    for machine in machines[1:]:
        machine.static_pod("kube-apiserver", ["sleep", "100000"])
    eventually(lambda: config_maps() is not None, "the API server answers")


def back_up(machine, folder, environment):
    """By the bare tools; the id of the snapshot."""
    os.mkdir(f"{folder}/taken")
    machine.shell(f"etcdctl --endpoints {CLIENTS.split(',')[0]} snapshot save {folder}/taken/snapshot.db\n"
                  f"restic init --repo {folder}/repository\nrestic backup --repo {folder}/repository {folder}/taken",
                  environment)
    listed = machine.shell(f"restic snapshots --repo {folder}/repository --json", environment).stdout
    return json.loads(listed)[0]["id"]


def commands():
    """The paragraphs of the first block."""
    with open(os.path.join(HERE, "..", "..", "docs", "etcd.md")) as file:
        block = re.search(r"^## Restore by hand.*?```sh\n(.*?)```", file.read(), re.S | re.M).group(1)
    paragraphs = block.strip().split("\n\n")
    same(len(paragraphs), 4, "paragraphs")
    return paragraphs


def follow(machines, environment):
    stop, look, restore, begin = commands()
    for machine in machines:
        machine.shell(stop)
    for machine in machines:
        eventually(lambda: not machine.running, "etcd has ended")
        own = look.replace("--name cp-1 ", f"--name cp-{machine.number} ")
        print(machine.shell(own, environment).stdout, flush=True)
    for machine in machines:
        own = restore.replace("--name cp-1 ", f"--name cp-{machine.number} ")
        said = machine.shell("export RESTIC_PASSWORD_FILE=/root/restic-password\n" + own, environment).stdout
        print(said, flush=True)
        same("done:" in said, True, "it said done")
    for machine in machines:
        machine.shell(begin)


def watch_is_over(version):
    """An informer that watched from there is told to list anew."""
    try:
        with api(f"/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=5&resourceVersion={version}") as answer:
            first = json.loads(answer.readline())
            return first["type"] == "ERROR" and first["object"]["code"] == 410
    except urllib.error.HTTPError as why:
        return why.code == 410


def drill(machines, folder):
    environment = {"RESTIC_PASSWORD_FILE": "/root/restic-password"}
    for machine in machines:
        machine.shell("echo pass-word >/root/restic-password")
    start(machines, folder)
    for i in range(30):
        make(f"before-{i}", f"text {i}")
    before = config_maps()
    snapshot = back_up(machines[0], folder, environment)
    seen = max(int(make(f"after-{i}", "lost")["metadata"]["resourceVersion"]) for i in range(5))
    for machine in machines:
        machine.shell("rm -rf /var/lib/etcd/*")
    follow(machines, {"REPOSITORY": f"{folder}/repository", "SNAPSHOT": snapshot})
    eventually(lambda: config_maps() is not None, "the API server answers again")
    now = config_maps()
    same({name: value for name, value in now.items() if name in before}, before, "what was there")
    same([name for name in now if name.startswith("after-")], [], "what came after the snapshot")
    same(int(make("later", "x")["metadata"]["resourceVersion"]) > seen, True, "versions go on")
    same(watch_is_over(seen), True, "a watch from before is over")


def main(folder, agent):
    subprocess.run("ip link set lo up; for i in 1 2 3; do ip addr add 10.0.0.$i/32 dev lo; done", shell=True, check=True)
    # overlays need a file system that can be above another
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    machines = []
    try:
        for number in (1, 2, 3):
            machines.append(Machine(number, folder, agent))
        drill(machines, folder)
    except BaseException:
        subprocess.run(f"tail -n 5 {folder}/*/*.log", shell=True, check=False)
        raise
    finally:
        for machine in machines:
            machine.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
