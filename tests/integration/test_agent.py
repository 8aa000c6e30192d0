"""granary-agent as a process: beside an application and before one, without a controller."""

import os
import re
import signal
import subprocess
import threading
import time

import harness
from harness import check, check_equal, eventually, temporary_folder, test, write

AGENT = os.environ.get("GRANARY_AGENT", "build/granary-agent")
CA = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
SESSION = ["--session=s", "--session-namespace=n", "--session-uid=u"]
RSS_MAX_KB = 8192


class Agent:
    """A running agent; its log is collected."""

    def __init__(self, *arguments, shell=None):
        self.identity = temporary_folder()
        words = [AGENT, *arguments, "--identity", self.identity]
        if arguments[0] == "init":  # no volumes: those of this machine come and go with other tests
            words += ["--mountinfo", "/dev/null"]
        if shell:  # its children become the agent's
            words = ["/bin/sh", "-c", shell + ' exec "$@"', "sh", *words]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        self.lines = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        check(not any(word in line for line in self.lines for word in harness.SANITIZER_WORDS), self.lines)

    def says(self, text):
        return eventually(lambda: [line for line in self.lines if text in line], text)

    def put(self, **files):
        """As the kubelet does it: a new folder, and one link that is moved onto it."""
        folder = temporary_folder()
        for name, text in files.items():
            write(os.path.join(folder, name.replace("_", ".")), text)
        link = os.path.join(self.identity, "..data_tmp")
        os.symlink(folder, link)
        os.rename(link, os.path.join(self.identity, "..data"))
        for name in files:
            path = os.path.join(self.identity, name.replace("_", "."))
            if not os.path.islink(path):
                os.symlink(os.path.join("..data", os.path.basename(path)), path)

    def ends(self, number, code):
        begun = time.monotonic()
        self.process.send_signal(number)
        check_equal(self.process.wait(timeout=harness.PATIENCE_S * harness.SLOW), code, f"exit code after {number}")
        check(time.monotonic() - begun < harness.AT_ONCE_S * harness.SLOW, "ended late")


def run(*arguments):
    return subprocess.run([AGENT, *arguments], capture_output=True, stdin=subprocess.DEVNULL,
                          timeout=harness.PATIENCE_S * harness.SLOW)


@test("-")
def agent_help_and_version():
    answer = run("--help")
    check_equal(answer.returncode, 0, "exit code")
    for word in (b"usage:", b"sidecar", b"init", b"trigger", b"--restore-if-exists", b"exit:"):
        check(word in answer.stdout, f"--help does not say {word}")
    check(re.fullmatch(rb"granary-agent \d+\.\d+\.\d+ \([0-9a-z]+\)\n", run("--version").stdout), "version")
    wrong = run("sidecar", "--nonsense")
    check_equal(wrong.returncode, 2, "exit code")
    check(b"--nonsense: no such option" in wrong.stderr, wrong.stderr)


@test("-")
def sidecar_waits_for_its_identity():
    with Agent("sidecar") as agent:
        agent.says("ca.crt: not there")
        agent.put(token="t")
        agent.put(token="t", ca_crt=CA)
        agent.says("addresses: not there")
        agent.put(token="t", ca_crt=CA, addresses="nonsense\n")
        agent.says("a line is not host:port")
        agent.put(token="t", ca_crt=CA, addresses="127.0.0.1:1\n[::1]:1\n")
        agent.says("identity is there")
        check_equal(sum("not there" in line for line in agent.lines), 2, "the same is said once")
        agent.ends(signal.SIGTERM, 0)
        agent.says("by=SIGTERM")


@test("PF7")
def sidecar_ends_at_once():
    for number in (signal.SIGTERM, signal.SIGINT):
        with Agent("sidecar") as agent:
            agent.says("waiting")
            agent.ends(number, 0)


@test("-")
def init_lets_start_what_asks_for_nothing():
    for words in ([], ["--target-kind=StatefulSet", *SESSION, "--host=host-3"]):
        answer = subprocess.run([AGENT, "init", *words], capture_output=True, timeout=harness.PATIENCE_S * harness.SLOW,
                                env={"POD_NAME": "db-1", "NODE_NAME": "n"}, stdin=subprocess.DEVNULL)
        check_equal(answer.returncode, 0, "exit code")
        check(b"may start" in answer.stderr, answer.stderr)


@test("-")
def init_holds_what_it_can_not_know():
    for words in (["--restore-if-exists"], SESSION, ["--target-kind=DaemonSet", *SESSION, "--host=n"]):
        with Agent("init", *words) as agent:
            agent.says("does not start yet")
            agent.put(token="t", ca_crt=CA, addresses="127.0.0.1:1\n")
            agent.says("identity is there")
            check(agent.process.poll() is None, "the application was let start")
            agent.ends(signal.SIGTERM, 1)


@test("PF7")
def children_of_others_are_taken_leave_of():
    shell = "for i in 1 2 3 4 5; do sleep 0.2 & done;"
    with Agent("sidecar", shell=shell) as agent:
        agent.says("waiting")
        pid = agent.process.pid
        path = f"/proc/{pid}/task/{pid}/children"
        with open(path) as children:
            check(len(children.read().split()) <= 5, "more children than were made")
        eventually(lambda: not open(path).read().strip(), "no child is left, alive or dead")
        agent.ends(signal.SIGTERM, 0)


@test("-", serial=True)
def sidecar_is_small():
    with Agent("sidecar") as agent:
        agent.put(token="t", ca_crt=CA * 50, addresses="127.0.0.1:1\n")
        agent.says("identity is there")
        with open(f"/proc/{agent.process.pid}/status") as status:
            facts = dict(line.split(":", 1) for line in status)
        kilobytes = int(facts["VmHWM"].split()[0])
        print(f"  sidecar: {kilobytes} KiB resident at most, {facts['Threads'].strip()} thread")
        check(harness.SLOW > 1 or kilobytes < RSS_MAX_KB, f"{kilobytes} KiB")
        agent.ends(signal.SIGTERM, 0)
