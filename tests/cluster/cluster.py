#!/usr/bin/python3
"""A real Kubernetes on this machine, in namespaces of its own.

    cluster.py up [--attached]      starts it; --attached: it lives as long as the pipe on standard input
    cluster.py down                 takes it away, with everything
    cluster.py status               which parts run
    cluster.py exec COMMAND...      runs a command in its network, with kubectl in PATH and KUBECONFIG set
    cluster.py shell                the same with a shell
    cluster.py node COMMAND...      runs a command in all its namespaces (ctr, mounts, processes)
    cluster.py part DO PART         DO is stop, kill, pause, resume, start or restart; PART as `status` names it

--name NAME, or GRANARY_CLUSTER, picks one of several clusters; without it, each copy of the tree has its own.
"""

import argparse
import contextlib
import ctypes
import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import time

import node
import supervise
import tools

PART_LIMIT_S = 300  # until one part answers; seconds on an idle machine
CLONE_NEWNET = 0x40000000
SIGNALS = {"stop": signal.SIGTERM, "kill": signal.SIGKILL, "pause": signal.SIGSTOP, "resume": signal.SIGCONT}
SETS = ["kubernetes", "etcd", "coredns"]


class Progress:
    """Says each step with the seconds since the beginning."""

    def __init__(self):
        self.started = time.monotonic()

    def __call__(self, text):
        tools.say(f"[{time.monotonic() - self.started:5.1f} s] {text}")


def wait_for(what, question, layout, limit_s=PART_LIMIT_S):
    """Asks until the answer is true. A part that ended meanwhile ends the waiting too."""
    end, why = time.monotonic() + limit_s, ""
    while True:
        try:
            if answer := question():
                return answer
        except (OSError, http.client.HTTPException, subprocess.SubprocessError, tools.Missing) as problem:
            why = f": {problem}"
        ended = supervise.ask(layout, do="status")["ended"]
        if ended:
            raise tools.Missing(f"{what}: " + ", ".join(f"{name} ended with {code}" for name, code in ended.items()))
        if time.monotonic() > end:
            raise tools.Missing(f"{what}: not within {limit_s} s{why}")
        time.sleep(0.1)


# --- questions ------------------------------------------------------------------------------------


def listens(address, port):
    with socket.create_connection((address, port), timeout=1):
        return True


def api_ready(layout):
    context = ssl.create_default_context(cafile=layout.pki("ca.crt"))
    context.load_cert_chain(layout.pki("admin.crt"), layout.pki("admin.key"))
    connection = http.client.HTTPSConnection(node.NODE_ADDRESS, 6443, timeout=5, context=context)
    with contextlib.closing(connection):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200


def kubectl(layout, programs, *arguments, given=None):
    done = subprocess.run([programs["kubectl"], "--kubeconfig", layout.kubeconfig, *arguments], text=True, check=False,
                          input=given, capture_output=True, timeout=60)
    if done.returncode != 0:
        raise tools.Missing(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def resolves(name, server):
    """Whether the DNS server has an address for a name (RFC 1035 section 4.1)."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(1)
        client.sendto(query, (server, 53))
        answer = client.recv(512)
    return answer[:2] == query[:2] and answer[3] & 15 == 0 and answer[6:8] != b"\x00\x00"


# --- up -------------------------------------------------------------------------------------------


def enter_network(init_pid):
    """This process goes into the cluster's network; its children with it."""
    with open(f"/proc/{init_pid}/ns/net", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def enter_words(init_pid, everything=False):
    kinds = ["--mount", "--pid", "--uts", "--ipc"] if everything else []
    return ["nsenter", f"--target={init_pid}", "--net", *kinds, "--"]


def import_images(layout, init_pid, say):
    """containerd's client unpacks the images itself, so it has to see containerd's mounts."""
    files = node.own_images() + node.project_images()
    for path in files:
        tools.run([*enter_words(init_pid, True), "ctr", "--address", layout.containerd_socket, "--namespace", "k8s.io",
                   "images", "import", path], f"import of {path}")
    say(f"images: {', '.join(os.path.basename(path)[:-4] for path in files)}")


def start(layout, *parts):
    for part in parts:
        supervise.ask(layout, do="start", part=part)


def prepare(layout, programs):
    layout.make()
    node.write(layout.conf("programs.json"), programs)
    node.make_certificates(layout)
    node.make_kubeconfigs(layout)
    node.make_settings(layout)


def init_of(layout):
    """Pid of the cluster's first process, once it listens."""
    end = time.monotonic() + PART_LIMIT_S
    while time.monotonic() < end:
        pid = supervise.recorded(layout, "init")
        if pid and os.path.exists(layout.path("control")):
            return pid
        if pid is None and os.path.exists(layout.path("state.json")):
            break
        time.sleep(0.02)
    raise tools.Missing(f"the cluster's namespaces could not be made, see {layout.logs}/supervise.log")


def start_parts(layout, programs, say):
    init_pid = init_of(layout)
    start(layout, "etcd", "containerd")
    enter_network(init_pid)
    wait_for("etcd", lambda: listens("127.0.0.1", 2379), layout)
    start(layout, "kube-apiserver")
    wait_for("containerd", lambda: os.path.exists(layout.containerd_socket), layout)
    import_images(layout, init_pid, say)
    wait_for("kube-apiserver", lambda: api_ready(layout), layout)
    say("kube-apiserver is ready")
    start(layout, "kube-controller-manager", "kubelet", "kube-proxy", "coredns", "kube-scheduler")
    wait_for("name service", lambda: kubectl(layout, programs, "apply", "-f", "-",
                                             given=node.json.dumps(node.DNS_OBJECTS)), layout)
    ready = ["get", "node", node.NODE, "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']
    wait_for("node", lambda: kubectl(layout, programs, *ready) == "True", layout)
    say("the node is Ready")
    wait_for("ServiceAccount default", lambda: kubectl(layout, programs, "get", "serviceaccount", "default"), layout)
    wait_for("DNS", lambda: resolves(f"kubernetes.default.svc.{node.DOMAIN}", node.DNS_SERVICE), layout)
    say("ServiceAccounts are there, DNS answers")


def show_logs(layout):
    """The last lines of every part, for a cluster that did not start."""
    for name in sorted(os.listdir(layout.logs)):
        path = os.path.join(layout.logs, name)
        if name.endswith(".log") and name != "audit.log" and os.path.getsize(path):
            lines = tools.file_text(path).splitlines()[-8:]
            tools.say(f"--- {name}\n" + "\n".join(line[:300] for line in lines))
    tools.say(f"The whole logs are in {layout.logs}")


def begin(layout, programs, say):
    """Starts the keeper, after removing what an earlier cluster of that name left. Returns the pipe that the keeper
    watches, or None when another keeper has the name."""
    with supervise.locked(layout) as lock:
        if lock is None:
            return None
        supervise.clean(layout, keep_logs=False)
        prepare(layout, programs)
        say("certificates and settings are made")
        return supervise.start_keeper(layout, lock)


def runs_already(layout):
    """Whether a cluster of that name is complete, and is still there a moment later: its starter may just have died."""
    if not os.path.exists(layout.ready):
        return False
    time.sleep(1)
    return os.path.exists(layout.ready) and supervise.recorded(layout, "init") is not None


def up(layout, say, share=False):
    """Starts the cluster. Returns the pipe whose end ends it, unless supervise.STAY is written to it; the calling
    process is in the cluster's network then. With share, returns None when the cluster runs already."""
    node.check_machine()
    programs = {program: path for name in SETS for program, path in tools.ensure(name).items()}
    end = time.monotonic() + PART_LIMIT_S
    while (lease := begin(layout, programs, say)) is None:
        running_now = runs_already(layout)
        if running_now and share:
            return None
        if running_now or time.monotonic() > end:
            raise tools.Missing(f"another process runs, starts or ends cluster {layout.name}")
        time.sleep(0.1)
    try:
        start_parts(layout, programs, say)
        node.write(layout.ready, "")
    except BaseException as why:
        if not isinstance(why, KeyboardInterrupt):
            show_logs(layout)
        os.close(lease)
        raise
    return lease


def show(layout):
    program = os.path.relpath(os.path.abspath(__file__))
    name = "" if layout.name == node.default_name() else f" --name {layout.name}"
    print(f"""KUBECONFIG={layout.kubeconfig}
Its network is separate. Enter it with:  {program}{name} shell
Or run one command:                      {program}{name} exec kubectl get pods -A
Images for pods: {node.SHELL_IMAGE} and what `make images` built, with imagePullPolicy: Never
Logs of all parts: {layout.logs}""", flush=True)


def command_up(layout, arguments):
    say = Progress()
    lease = up(layout, say, share=not arguments.attached)
    if lease is None:
        print("It runs already.")
        show(layout)
        return 0
    say("the cluster runs")
    show(layout)
    if arguments.attached:
        sys.stdin.read()
        os.close(lease)
        wait_until_free(layout)
    else:
        os.write(lease, supervise.STAY)
    return 0


# --- the other commands ---------------------------------------------------------------------------


def wait_until_free(layout):
    """Until the keeper has taken everything away. Returns whether it did."""
    end = time.monotonic() + supervise.CLEAN_LIMIT_S
    while time.monotonic() < end:
        with supervise.locked(layout) as lock:
            if lock is not None:
                return True
        time.sleep(0.05)
    return False


def down(layout):
    """Takes the cluster away, whatever state it is in."""
    keeper = supervise.recorded(layout, "keeper")
    if keeper:
        with contextlib.suppress(ProcessLookupError):
            os.kill(keeper, signal.SIGTERM)
    if not wait_until_free(layout) and keeper:
        supervise.end_process(keeper)
    with supervise.locked(layout) as lock:
        if lock is None:
            raise tools.Missing(f"cluster {layout.name} is just being started or ended by another process")
        supervise.clean(layout, keep_logs=False)


def command_down(layout, _):
    if os.geteuid() != 0:
        raise tools.Missing("taking a cluster away needs root (run with sudo)")
    down(layout)
    print(f"cluster {layout.name} is gone")
    return 0


def running(layout):
    """Pid of the cluster's first process; only root may know."""
    if os.geteuid() != 0:
        raise tools.Missing("a cluster is for root only (run with sudo)")
    pid = supervise.recorded(layout, "init")
    if not pid:
        raise tools.Missing(f"cluster {layout.name} does not run; start it with `make cluster-up`")
    return pid


def command_status(layout, _):
    running(layout)
    status = supervise.ask(layout, do="status")
    for name, pid in status["running"].items():
        print(f"{name} runs")
    for name, code in status["ended"].items():
        print(f"{name} ended with {code}")
    return 1 if status["ended"] else 0


def enter(layout, command, everything=False):
    pid = running(layout)
    programs = node.json.loads(tools.file_text(layout.conf("programs.json")))
    environment = dict(node.environment(programs), KUBECONFIG=layout.kubeconfig,
                       CONTAINERD_ADDRESS=layout.containerd_socket, CONTAINERD_NAMESPACE="k8s.io")
    words = [*enter_words(pid, everything), *command]
    os.execvpe(words[0], words, environment)


def change_part(layout, do, part):
    """stop, kill and restart return when the process has ended."""
    if do == "restart":
        change_part(layout, "stop", part)
        do = "start"
    if do == "start":
        supervise.ask(layout, do="start", part=part)
        return
    supervise.ask(layout, do="signal", part=part, signal=SIGNALS[do])
    end = time.monotonic() + PART_LIMIT_S
    while do in ("stop", "kill") and part in supervise.ask(layout, do="status")["running"]:
        if time.monotonic() > end:
            raise tools.Missing(f"{part} does not end")
        time.sleep(0.05)


def command_part(layout, arguments):
    running(layout)
    change_part(layout, arguments.do, arguments.part)
    return 0


def parse():
    parser = argparse.ArgumentParser(description="A real Kubernetes on this machine, in namespaces of its own.")
    parser.add_argument("--name", default=os.environ.get("GRANARY_CLUSTER") or node.default_name())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name, run, text):
        command = commands.add_parser(name, help=text)
        command.set_defaults(run=run)
        return command

    add("up", command_up, "start it").add_argument("--attached", action="store_true",
                                                   help="it lives as long as standard input")
    add("down", command_down, "take it away, with everything")
    add("status", command_status, "which parts run")
    execute = add("exec", lambda layout, it: enter(layout, it.words), "run a command in its network")
    execute.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    add("shell", lambda layout, _: enter(layout, [os.environ.get("SHELL", "/bin/sh")]), "a shell in its network")
    inside = add("node", lambda layout, it: enter(layout, it.words, True), "run a command in all its namespaces")
    inside.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND")
    part = add("part", command_part, "stop and start a part")
    part.add_argument("do", choices=[*SIGNALS, "start", "restart"])
    part.add_argument("part")
    return parser.parse_args()


def main():
    arguments = parse()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return arguments.run(node.Layout(arguments.name), arguments)
    except KeyboardInterrupt:
        tools.say("interrupted")
        return 130
    except (tools.Missing, OSError) as why:
        tools.say(f"cluster.py: {why}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
