#!/usr/bin/python3
"""Keeps one test cluster, and takes it away.

Two processes of this file run for each cluster:

keeper  in the namespaces of the machine. Starts init in namespaces of its own (process ids, mounts, network, host
        name, IPC) and ends it on SIGTERM, or when the pipe that its starter holds closes before the starter said to
        stay. Then it removes what namespaces do not: cgroups and files. It holds the lock of the cluster.
init    process 1 inside. Starts and ends the parts when asked on a socket, and reaps orphans.

When init dies, the kernel ends every process in its namespace (also containers and their shims, which nobody could
list safely) and drops its mounts and links. When the keeper dies, even by kill -9, the kernel ends init. What is left
then are cgroups and files, and the next start of that cluster removes them.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import node
import tools

STAY = b"stay"
PR_SET_PDEATHSIG = 1
CLEAN_LIMIT_S = 120  # from the death of init until all cgroups are empty; takes well under one
MESSAGE_MAX_BYTES = 65536


# --- which process is it ---------------------------------------------------------------------------


def started_at(pid):
    """When the process started, in ticks since boot, or None when there is none. With the pid it names a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def boot():
    return tools.file_text("/proc/sys/kernel/random/boot_id").strip()


def record(layout, init_pid):
    state = {"boot": boot(), **{name: {"pid": pid, "started": started_at(pid)}
                                for name, pid in (("keeper", os.getpid()), ("init", init_pid))}}
    node.write(layout.path("state.json.new"), state)
    os.rename(layout.path("state.json.new"), layout.path("state.json"))


def recorded(layout, name):
    """Pid of the keeper or init, when the recorded process still runs; else None."""
    try:
        state = json.loads(tools.file_text(layout.path("state.json")))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    known = state[name]
    return known["pid"] if state["boot"] == boot() and started_at(known["pid"]) == known["started"] else None


def child_of(pid):
    """The only child of a process, once it has one."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                if file.read().rsplit(")", 1)[1].split()[1] == str(pid):
                    return int(name)
    return None


# --- cgroups --------------------------------------------------------------------------------------


def hierarchies():
    """(folders of the cgroup v1 hierarchies, folders of the v2 one). Often there are both: then v1 has the controllers,
    and runc makes its groups in the empty v2 one all the same."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split() for line in file]
    return ([fields[1] for fields in mounts if fields[2] == "cgroup"],
            [fields[1] for fields in mounts if fields[2] == "cgroup2"])


def make_cgroups(layout):
    """Kubelet wants its root to be there in every hierarchy; cpuset groups begin without processors."""
    old, new = hierarchies()
    for hierarchy in old or new[:1]:
        folder = hierarchy + layout.cgroup
        delegate = os.path.join(hierarchy, "cgroup.subtree_control")
        if os.path.exists(delegate):
            offered = tools.file_text(hierarchy, "cgroup.controllers").split()
            with open(delegate, "w", encoding="utf-8") as file:
                file.write(" ".join("+" + name for name in offered))
        os.makedirs(folder, exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            inherited = os.path.join(hierarchy, name)
            if os.path.exists(inherited):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                    file.write(tools.file_text(inherited).strip())


def remove_cgroup(folder):
    for below, _, _ in os.walk(folder, topdown=False):
        os.rmdir(below)


def processes_in(folder):
    found = []
    for below, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            found += map(int, tools.file_text(below, "cgroup.procs").split())
    return found


def remove_cgroups(layout):
    """Ends what still runs there, and removes the groups from the leaves."""
    end = time.monotonic() + CLEAN_LIMIT_S
    for folder in (hierarchy + layout.cgroup for hierarchy in sum(hierarchies(), [])):
        while os.path.isdir(folder):
            try:
                for pid in processes_in(folder):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                remove_cgroup(folder)
            except OSError as why:
                if why.errno not in (errno.EBUSY, errno.ENOTEMPTY, errno.ENOENT) or time.monotonic() > end:
                    raise
                time.sleep(0.05)


# --- taking away ----------------------------------------------------------------------------------


def mounts_below(folder):
    with open("/proc/self/mounts", encoding="utf-8") as file:
        points = [line.split()[1].encode().decode("unicode_escape") for line in file]
    return sorted((point for point in points if point.startswith(folder + "/")), reverse=True)


def gone(pid, seconds):
    end = time.monotonic() + seconds
    while started_at(pid) is not None and time.monotonic() < end:
        time.sleep(0.02)
    return started_at(pid) is None


def end_process(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not gone(pid, CLEAN_LIMIT_S):
        raise tools.Missing(f"process {pid} of the cluster does not end")


def clean(layout, keep_logs):
    """Removes all that a cluster left. The caller holds its lock."""
    for name in ("init", "keeper"):
        pid = recorded(layout, name)
        if pid and pid != os.getpid():
            end_process(pid)
    remove_cgroups(layout)
    for point in mounts_below(layout.folder):  # none, unless somebody mounted there by hand
        tools.run(["umount", "--lazy", point], f"umount {point}")
    if not os.path.isdir(layout.folder):
        return
    for name in os.listdir(layout.folder):
        path = layout.path(name)
        if keep_logs and path == layout.logs:
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    if not keep_logs:
        os.rmdir(layout.folder)


@contextlib.contextmanager
def locked(layout):
    """The lock of the cluster's name; gives None when another process has it."""
    os.makedirs(node.base_folder(), mode=0o700, exist_ok=True)
    lock = os.open(layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lock
    finally:
        os.close(lock)


# --- keeper ---------------------------------------------------------------------------------------


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_init(layout):
    command = ["unshare", "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "--kill-child=SIGKILL",
               "--mount-proc", "--propagation", "private", sys.executable, os.path.abspath(__file__), "init",
               layout.name]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)


def wait_for_end(lease, wakeup, outer):
    """Returns why the cluster ends: a signal, its starter, or init itself."""
    waiting = [lease, wakeup]
    while True:
        readable, _, _ = select.select(waiting, [], [])
        if lease in readable:
            if os.read(lease, len(STAY)) != STAY:
                return "its starter is gone"
            waiting.remove(lease)
        if wakeup in readable:
            for number in os.read(wakeup, 64):
                if number in (signal.SIGTERM, signal.SIGINT):
                    return "asked to"
            if outer.poll() is not None:
                return f"its first process ended ({outer.returncode})"


def keeper(layout, lease):
    woken, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    make_cgroups(layout)
    outer = start_init(layout)
    try:
        while (init_pid := child_of(outer.pid)) is None and outer.poll() is None:
            time.sleep(0.01)
        if init_pid:
            record(layout, init_pid)
            print(f"the cluster ends: {wait_for_end(lease, woken, outer)}", flush=True)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(layout.ready)
        outer.kill()
        outer.wait()
        clean(layout, keep_logs=True)


def start_keeper(layout, lock):
    """Starts the keeper; returns the pipe that it watches. The keeper takes the lock over."""
    lease, ours = os.pipe()
    with open(os.path.join(layout.logs, "supervise.log"), "ab") as log:
        subprocess.Popen([sys.executable, os.path.abspath(__file__), "keeper", layout.name, str(lease)],
                         stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
                         pass_fds=(lease, lock))
    os.close(lease)
    return ours


# --- init -----------------------------------------------------------------------------------------


def command(*words):
    tools.run(words, " ".join(words))


def make_mounts(layout):
    """Everything that containers, CNI and kubelet write outside of their own folders goes to private places."""
    command("mount", "--make-rshared", "/")  # among this namespace's own mounts, as kubelet wants it
    command("mount", "-t", "tmpfs", "-o", "mode=755", "run", "/run")
    command("mount", "--bind", layout.path("data/log"), "/var/log")
    os.makedirs("/var/lib/cni", exist_ok=True)
    command("mount", "-t", "tmpfs", "-o", "mode=700", "cni", "/var/lib/cni")
    for name in node.KERNEL_SETTINGS:
        command("mount", "--bind", layout.conf("kernel/" + name.replace("/", ".")), f"/proc/sys/{name}")


def make_network():
    """The node's only link leads nowhere: nothing inside can reach the machine's network."""
    command("ip", "link", "set", "lo", "up")
    command("ip", "link", "add", node.NODE, "type", "bridge")
    command("ip", "address", "add", f"{node.NODE_ADDRESS}/{node.NODE_PREFIX}", "dev", node.NODE)
    command("ip", "link", "set", node.NODE, "up")
    command("ip", "route", "add", "default", "dev", node.NODE)
    for name, value in (("ip_forward", 1), ("conf/all/rp_filter", 0)):
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="utf-8") as file:
            file.write(str(value))


class Parts:
    """The parts of the cluster as children of this process."""

    def __init__(self, layout):
        self.layout, self.pids, self.ended = layout, {}, {}
        self.programs = json.loads(tools.file_text(layout.conf("programs.json")))
        self.commands = node.parts(layout, self.programs)

    def start(self, name):
        if name in self.pids:
            return f"{name} runs already"
        with open(os.path.join(self.layout.logs, name + ".log"), "ab") as log:
            child = subprocess.Popen(self.commands[name], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                     env=node.environment(self.programs), start_new_session=True)
        self.pids[name] = child.pid
        child.returncode = 0  # reap() waits for it, Popen must not
        self.ended.pop(name, None)
        return None

    def signal(self, name, number):
        if name not in self.pids:
            return f"{name} does not run"
        os.kill(self.pids[name], number)
        return None

    def reap(self):
        """Collects all that ended, parts and orphans."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                for name in [name for name, pid in self.pids.items() if pid == found[0]]:
                    del self.pids[name]
                    self.ended[name] = os.waitstatus_to_exitcode(found[1])
                    print(f"{name} ended: {self.ended[name]}", flush=True)

    def answer(self, asked):
        name, do = asked.get("part"), asked["do"]
        if do == "status":
            return {"running": self.pids, "ended": self.ended}
        if name not in self.commands:
            return {"error": f"{name}: no such part; there are {', '.join(self.commands)}"}
        return {"error": self.start(name) if do == "start" else self.signal(name, asked["signal"])}


def serve(server, parts, woken):
    while True:
        readable, _, _ = select.select([server, woken], [], [])
        if woken in readable:
            os.read(woken, 4096)
        parts.reap()
        if server in readable:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):  # who asked may be gone again
                connection.settimeout(5)
                asked = json.loads(connection.recv(MESSAGE_MAX_BYTES))
                connection.sendall(json.dumps(parts.answer(asked)).encode())


def init(layout):
    die_with_parent()
    socket.sethostname(node.NODE)
    make_mounts(layout)
    make_network()
    woken, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wakeup)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    parts = Parts(layout)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(layout.path("control.new"))
        server.listen(16)
        os.rename(layout.path("control.new"), layout.path("control"))
        serve(server, parts, woken)


def ask(layout, **question):
    """Asks init; returns its answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(layout.path("control"))
        client.sendall(json.dumps(question).encode())
        answer = json.loads(client.recv(MESSAGE_MAX_BYTES))
    if answer.get("error"):
        raise tools.Missing(answer["error"])
    return answer


if __name__ == "__main__":
    if sys.argv[1] == "keeper":
        keeper(node.Layout(sys.argv[2]), int(sys.argv[3]))
    else:
        init(node.Layout(sys.argv[2]))
