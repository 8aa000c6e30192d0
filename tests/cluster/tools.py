#!/usr/bin/python3
"""The outside programs of the test cluster: Kubernetes, etcd, coredns, versitygw, cert-manager, restic, Prometheus, rclone.

    tools.py build [SET...]    builds or fetches what the cache lacks (all sets without names)
    tools.py path PROGRAM      prints the path of one program, made first where it is missing

Go programs are built from the pinned modules in tools/SET/go.mod and go.sum. What Debian 12 has too old is
taken from Debian 13's packages, pinned by version and hash, unpacked into the cache and never installed.
The cache is outside the tree: GRANARY_CACHE, else XDG_CACHE_HOME/granary, else ~/.cache/granary. Each set
has a folder there, named by a hash of everything that decides its content, so a changed pin makes a new one.
"""

import collections
import contextlib
import fcntl
import glob
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRESS_S = 15  # between two lines that say how far a build is
LIMIT_S = 2400  # one build; a cold one of Kubernetes takes 5 minutes on 2 idle cores

KUBERNETES = "v1.34.4"
GO_OLDEST = (1, 24)

# Go programs: package by name of the program, what the linker is told, and what else is taken out of a module:
# (module, folder in it) by name.
GoSet = collections.namedtuple("GoSet", "packages ldflags folders", defaults=[{}])
GO_SETS = {
    "kubernetes": GoSet(
        {name: f"k8s.io/kubernetes/cmd/{name}" for name in (
            "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")},
        # without it clients are told v0.0.0
        " ".join(f"-X {package}.gitVersion={KUBERNETES} -X {package}.gitMajor=1 -X {package}.gitMinor=34"
                 for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"))),
    "etcd": GoSet({"etcd": "go.etcd.io/etcd/server/v3", "etcdctl": "go.etcd.io/etcd/etcdctl/v3",
                   "etcdutl": "go.etcd.io/etcd/etcdutl/v3"}, ""),
    # the clients of older servers, and those servers to test them with
    "etcd35": GoSet({"etcd-3.5": "go.etcd.io/etcd/server/v3", "etcdctl-3.5": "go.etcd.io/etcd/etcdctl/v3",
                     "etcdutl-3.5": "go.etcd.io/etcd/etcdutl/v3"}, ""),
    "coredns": GoSet({"coredns": "github.com/coredns/coredns"}, ""),
    "versitygw": GoSet({"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, ""),
    # 1.11, the last whose programs are in its main module: since then each is in a module of its own without versions
    "cert-manager": GoSet(
        {name: f"github.com/cert-manager/cert-manager/cmd/{name}" for name in ("controller", "cainjector")}, "",
        {"cert-manager-crds": ("github.com/cert-manager/cert-manager", "deploy/crds")}),
}

# Packages of Debian 13, or of another release: (name, version, SHA-256 of the file by architecture).
DEBIAN_RELEASE = "trixie"
DebianSet = collections.namedtuple("DebianSet", "packages programs release", defaults=[DEBIAN_RELEASE])
DEBIAN_SETS = {
    "restic": DebianSet([
        ("restic", "0.18.0-1+b4",
         {"amd64": "4888fb20b272a28b84ac39171b7d7f0d9a58c2aeae51ec28e54684648d66e12c"}),
        ("restic-rest-server", "0.13.0-2",
         {"amd64": "a493b3ddc6a89b8a01a35c4f72ee1aa87ff4cd84041bbd464c5775188495766d"}),
    ], {"restic": "usr/bin/restic", "restic-rest-server": "usr/bin/restic-rest-server"}),
    "etcd34": DebianSet([
        ("etcd-client", "3.4.23-4+b4",
         {"amd64": "db3a484d5d924b50bf71f459ee544ecd7b11c25dc2f6becc0c50352d67299cc8"}),
        ("etcd-server", "3.4.23-4+b4",
         {"amd64": "3a9445d4560ad6de1c375756b2a17d97713df44cbd20a658c871fe108af7ef5d"}),
    ], {"etcd-3.4": "usr/bin/etcd", "etcdctl-3.4": "usr/bin/etcdctl"}, "bookworm"),
    "prometheus": DebianSet([
        ("prometheus", "2.42.0+ds-5+deb12u1",
         {"amd64": "81d59a24fce84f7fbe97a45a4f2914b6a5881b5cd1db2a6a0e129e515e1a5f55"}),
        ("prometheus-pushgateway", "1.5.1-2+b5",
         {"amd64": "f779c46f571ea0c341630e4b36c1d608d46bb08c5658de99966c5c2e49486b9d"}),
    ], {"prometheus": "usr/bin/prometheus", "promtool": "usr/bin/promtool",
        "prometheus-pushgateway": "usr/bin/prometheus-pushgateway"}, "bookworm"),
    "rclone": DebianSet([
        ("rclone", "1.60.1+dfsg-4",
         {"amd64": "08259a5634c170aed546d0bb8ffbd52c63ef9f8d475a19e592ed37e702501caf"}),
    ], {"rclone": "usr/bin/rclone"}),
    "go": DebianSet([
        ("golang-1.24-go", "1.24.4-1",
         {"amd64": "93c6c109bbc0f1d55523282a16739d10634499c04f6d066a6aa58b67b687a44f"}),
        ("golang-1.24-src", "1.24.4-1",
         {"amd64": "c396bc2c2e94606e0a060cff52b9bbbf1d7cefacb040eb3c40a55604111e66e1"}),
    ], {"go": "usr/lib/go-1.24/bin/go"}),
}
PROGRAMS = {program: name for name, wanted in GO_SETS.items() for program in wanted.packages}
PROGRAMS.update({program: name for name, wanted in DEBIAN_SETS.items() for program in wanted.programs})
ALL = [*GO_SETS, "restic", "rclone"]


class Missing(Exception):
    """The machine lacks something; the message says what, and how to get it."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def home():
    return os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir


def cache():
    """The folder of the cache."""
    named = os.environ.get("GRANARY_CACHE")
    return named or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home(), ".cache"), "granary")


def key_of(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def file_text(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def run(command, what, **options):
    """Runs to its end; a failure shows its last lines."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise Missing(f"{what} failed:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-20:]))
    return done.stdout


@contextlib.contextmanager
def made(name, key):
    """Gives (folder, fill): fill is a new folder to put the content into, or None when the cache has it already.

    Only what was filled without an exception becomes visible, by one rename. A second process waits for the first.
    """
    base = os.path.join(cache(), "tools")
    os.makedirs(base, exist_ok=True)
    folder = os.path.join(base, f"{name}-{key}")
    with open(os.path.join(base, f".{name}.lock"), "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{name}: another process works on it, waiting ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in glob.glob(os.path.join(glob.escape(base), f".{name}-*")):
            shutil.rmtree(left)  # of a process that was killed
        if os.path.isdir(folder):
            yield folder, None
            return
        fill = tempfile.mkdtemp(prefix=f".{name}-", dir=base)
        try:
            os.chmod(fill, 0o755)
            yield folder, fill
            os.rename(fill, folder)
        finally:
            shutil.rmtree(fill, ignore_errors=True)


# --- packages of the other Debian release ---------------------------------------------------------


def architecture():
    return run(["dpkg", "--print-architecture"], "dpkg").strip()


def own_codename():
    found = re.search(r"^VERSION_CODENAME=(\S+)", file_text("/etc/os-release"), re.M)
    return found.group(1) if found else ""


def source_files():
    folder = "/etc/apt/sources.list.d"
    files = ["/etc/apt/sources.list"]
    if os.path.isdir(folder):
        files += sorted(os.path.join(folder, name) for name in os.listdir(folder))
    return [path for path in files if os.path.isfile(path) and path.endswith((".list", ".sources"))]


def mirror():
    """Where this machine has its own Debian release from; the other release is beside it."""
    codename = own_codename()
    line = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+" + re.escape(codename) + r"\s", re.M)
    for path in source_files():
        text = file_text(path)
        if path.endswith(".list"):
            found = line.search(text)
            if found:
                return found.group(1)
            continue
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.M))
            if codename in fields.get("Suites", "").split() and "deb" in fields.get("Types", "").split():
                return fields["URIs"].split()[0]
    raise Missing(f"apt has no source of Debian's {codename or 'release'}, from where Debian 13's packages could be taken")


APT = """Dir::State "{folder}";
Dir::State::status "{folder}/status";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Default-Release "";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Retries "3";
"""


def apt_environment(folder, release):
    """An apt of its own: other lists, cache and status, so that the system's apt is not touched."""
    for name in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(folder, name))
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    if not os.path.exists(keyring):
        raise Missing(f"{keyring} is missing: apt-get install debian-archive-keyring")
    files = {"status": "", "sources.list": f"deb [signed-by={keyring}] {mirror()} {release} main\n",
             "apt.conf": APT.format(folder=folder)}
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    return dict(os.environ, APT_CONFIG=os.path.join(folder, "apt.conf"))


def hash_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(package, version, wanted, folder, fill, environment):
    """Downloads one package, compares its hash, unpacks it into the folder fill."""
    try:
        run(["apt-get", "download", f"{package}={version}"], f"downloading {package} {version}", env=environment,
            cwd=folder)
    except Missing as why:
        offered = run(["apt-cache", "madison", package], "apt-cache", env=environment)
        raise Missing(f"{why}\nDebian has now: {offered.strip() or 'no such package'}\n"
                      f"The pins are in {os.path.relpath(__file__, ROOT)}") from None
    files = [name for name in os.listdir(folder) if name.startswith(package + "_") and name.endswith(".deb")]
    path = os.path.join(folder, files[0])
    found = hash_of(path)
    if found != wanted:
        raise Missing(f"{package} {version}: its SHA-256 is {found}, pinned is {wanted}")
    run(["dpkg", "-x", path, fill], f"unpacking {package}")


def debian_set(name):
    """The folder with the unpacked packages of one set."""
    wanted, machine = DEBIAN_SETS[name], architecture()
    with made(name, key_of(machine, wanted.packages)) as (folder, fill):
        if not fill:
            return folder
        started = time.monotonic()
        for package, _, hashes in wanted.packages:
            if machine not in hashes:
                raise Missing(f"{package}: no hash is pinned for {machine}")
        versions = ", ".join(f"{package} {version}" for package, version, _ in wanted.packages)
        say(f"{name}: fetching from Debian {wanted.release}: {versions} ...")
        with tempfile.TemporaryDirectory(prefix="granary-apt-") as own:
            environment = apt_environment(own, wanted.release)
            run(["apt-get", "update"], f"apt-get update for Debian {wanted.release}", env=environment)
            for package, version, hashes in wanted.packages:
                unpack(package, version, hashes[machine], own, fill, environment)
        say(f"{name}: took {time.monotonic() - started:.0f} s")
    return folder


# --- Go programs ----------------------------------------------------------------------------------


def go_version(go, environment):
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip() if done.returncode == 0 else ""


def go_environment():
    """GOTOOLCHAIN=local: no other Go is ever downloaded. What else the user set in GOFLAGS does not count."""
    environment = dict(os.environ, HOME=home(), CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="", GOWORK="off")
    environment.pop("GOROOT", None)
    return environment


def go_program():
    """(path, version, environment) of a Go that is new enough: this machine's, else Debian 13's."""
    environment = go_environment()
    own = shutil.which("go")
    version = go_version(own, environment) if own else ""
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers >= GO_OLDEST:
        return own, version, environment
    say(f"go: {version or 'none'} on this machine, {'.'.join(map(str, GO_OLDEST))} or newer is needed")
    path = os.path.join(debian_set("go"), DEBIAN_SETS["go"].programs["go"])
    environment["GOROOT"] = os.path.dirname(os.path.dirname(path))
    version = go_version(path, environment)
    if not version:
        raise Missing(f"{path} does not run. Please install Go 1.24 or newer and have `go` in PATH.")
    return path, version, environment


def watch_build(process, name, started):
    """Counts the packages that `go build -v` names; keeps the last lines for an error."""
    last, count = collections.deque(maxlen=30), [0]

    def read():
        for line in process.stderr:
            count[0] += bool(re.fullmatch(r"[\w.-]+(/[\w.~!-]+)*\n", line))
            last.append(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    while True:
        try:
            process.wait(PROGRESS_S)
            break
        except subprocess.TimeoutExpired:
            seconds = time.monotonic() - started
            say(f"{name}: {count[0]} packages compiled, {seconds:.0f} s")
            if seconds > LIMIT_S:
                process.kill()
    reader.join()
    return "".join(last)


def take_files(source, target):
    """Copies the files of a folder, without the modes of the module cache, which nobody may write."""
    os.mkdir(target)
    for name in sorted(os.listdir(source)):
        shutil.copyfile(os.path.join(source, name), os.path.join(target, name))


def go_set(name):
    """The folder with the programs of one set."""
    wanted, modules = GO_SETS[name], os.path.join(HERE, "tools", name)
    go, version, environment = go_program()
    ldflags = f"-s -w {wanted.ldflags}".strip()
    key = key_of(version, os.uname().machine, ldflags, sorted(wanted.packages.items()), *sorted(wanted.folders.items()),
                 file_text(modules, "go.mod"), file_text(modules, "go.sum"))
    with made(name, key) as (folder, fill):
        if not fill:
            return folder
        started = time.monotonic()
        say(f"{name}: building {', '.join(wanted.packages)} with {version} ...")
        for program, package in wanted.packages.items():
            command = [go, "build", "-v", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ldflags,
                       "-o", os.path.join(fill, program), package]
            with subprocess.Popen(command, cwd=modules, env=environment, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
                try:
                    last = watch_build(process, name, started)
                except BaseException:
                    process.kill()
                    raise
            if process.returncode != 0:
                raise Missing(f"building {program} failed:\n{last}")
        for kept, (module, place) in wanted.folders.items():
            found = run([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module], f"looking for {module}", cwd=modules,
                        env=environment)
            take_files(os.path.join(found.strip(), place), os.path.join(fill, kept))
        say(f"{name}: took {time.monotonic() - started:.0f} s")
    return folder


def ensure(name):
    """Path by program, or by name of a folder, of one set."""
    if name in GO_SETS:
        folder = go_set(name)
        return {each: os.path.join(folder, each) for each in (*GO_SETS[name].packages, *GO_SETS[name].folders)}
    folder = debian_set(name)
    return {program: os.path.join(folder, path) for program, path in DEBIAN_SETS[name].programs.items()}


def path_of(program):
    return ensure(PROGRAMS[program])[program]


def main(arguments):
    command, names = (arguments or [""])[0], arguments[1:]
    if command == "build" and all(name in GO_SETS or name in DEBIAN_SETS for name in names):
        for name in names or ALL:
            ensure(name)
    elif command == "path" and len(names) == 1 and names[0] in PROGRAMS:
        print(path_of(names[0]))
    else:
        say(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Missing, OSError) as why:
        say(f"tools.py: {why}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("tools.py: interrupted")
        sys.exit(130)
