#!/usr/bin/python3
"""What stands in the images, and the images without registry or daemon.

    image.py tree build/NAME FOLDER [--with TOOL]...   gathers the content of the image of one program
    image.py build FOLDER build/NAME...                makes FOLDER/NAME.tar from NAME.Dockerfile, and says its size

Both ways use one list. A Dockerfile gathers the content with `image.py tree` in its first stage, and its last stage
consists of that content and of settings; `image.py build` reads the same Dockerfile, runs the same `image.py tree`,
and packs the result with the same settings. A last stage that says more than it understands is refused, so the two
can not differ.

An image has the program, the shared libraries that it needs, the certificate authorities of the web, two accounts,
and what --with names; no shell, no package manager.
"""

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import oci

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
AUTHORITIES = "/usr/share/ca-certificates/mozilla"  # of the package; /etc/ssl/certs has what this machine trusts, too
USER = 65532

# What is in every image. Names of hosts are looked up in the file that kubelet writes, then by DNS.
FILES = {
    "etc/passwd": f"root:x:0:0:root:/:/nonexistent\ngranary:x:{USER}:{USER}:granary:/:/nonexistent\n",
    "etc/group": f"root:x:0:\ngranary:x:{USER}:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Refused(Exception):
    """The image can not be made; the message says why."""


def run(command, what):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Refused(f"{what}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


# --- content --------------------------------------------------------------------------------------


def libraries(program):
    """Paths of the shared libraries and the loader that the program needs; none for a static one."""
    with open(program, "rb") as file:
        if file.read(4) != b"\x7fELF":
            raise Refused(f"{program} is no program")
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if done.returncode != 0 and "not a dynamic executable" not in done.stderr:
        raise Refused(f"ldd {program}: {done.stderr.strip()}")
    if "not found" in done.stdout:
        raise Refused(f"ldd {program}: {done.stdout.strip()}")
    return sorted(set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.M)))


def authorities():
    """The certificate authorities of Debian's package, in one text."""
    paths = sorted(glob.glob(f"{AUTHORITIES}/*.crt"))
    if not paths:
        raise Refused(f"{AUTHORITIES} is empty or not there: apt-get install ca-certificates")
    texts = []
    for path in paths:
        with open(path, encoding="ascii") as file:
            texts.append(file.read().rstrip("\n") + "\n")
    return "".join(texts)


def restic():
    """The restic of Debian 13, at the version and hash that tools.py pins."""
    return run([os.path.join(ROOT, "tests", "cluster", "tools.py"), "path", "restic"], "restic").strip()


def rclone():
    """The rclone of Debian 13, likewise."""
    return run([os.path.join(ROOT, "tests", "cluster", "tools.py"), "path", "rclone"], "rclone").strip()


def shared(program):
    """{path in the image: text}: what a program reads there. Of the controller the Functions and Tasks that it applies."""
    if os.path.basename(program) != "granary-controller":
        return {}
    found = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "manifests", "catalog", "*.yaml"))):
        if os.path.basename(path) != "kustomization.yaml":
            with open(path, encoding="ascii") as file:
                found[f"usr/share/granary/catalog/{os.path.basename(path)}"] = file.read()
    return found


def etcd():
    """etcd's clients of three versions in folders by version; 3.4 has no etcdutl."""
    tools = os.path.join(ROOT, "tests", "cluster", "tools.py")
    names = {"3.4/etcdctl": "etcdctl-3.4", "3.5/etcdctl": "etcdctl-3.5", "3.5/etcdutl": "etcdutl-3.5",
             "3.6/etcdctl": "etcdctl", "3.6/etcdutl": "etcdutl"}
    return {f"usr/lib/etcd/{path}": run([tools, "path", name], name).strip() for path, name in names.items()}


def postgres():
    """PostgreSQL's clients of Debian; pg_dumpall calls pg_dump by a shell."""
    found = {f"usr/lib/postgresql/bin/{name}": f"/usr/lib/postgresql/15/bin/{name}" for name in ("psql", "pg_dump", "pg_dumpall")}
    missing = [path for path in found.values() if not os.path.exists(path)]
    if missing:
        raise Refused(f"{missing[0]} is not there: apt-get install postgresql-client-15")
    return {**found, "bin/sh": "/bin/dash"}


def mariadb():
    """MariaDB's clients of Debian."""
    found = {f"usr/bin/{name}": f"/usr/bin/{name}" for name in ("mariadb", "mariadb-dump")}
    missing = [path for path in found.values() if not os.path.exists(path)]
    if missing:
        raise Refused(f"{missing[0]} is not there: apt-get install mariadb-client")
    return found


def redis():
    """Redis's client of Debian."""
    path = "/usr/bin/redis-cli"
    if not os.path.exists(path):
        raise Refused(f"{path} is not there: apt-get install redis-tools")
    return {path.lstrip("/"): path}


# What --with may name: {path in the image: file}, taken or made.
TOOLS = {"restic": lambda: {"usr/bin/restic": restic()}, "rclone": lambda: {"usr/bin/rclone": rclone()}, "etcd": etcd,
         "postgres": postgres, "mariadb": mariadb, "redis": redis}


def content(program, tools):
    """{path in the image: (file to copy, or None; text, or None; mode)}: the one list."""
    copied = {f"usr/bin/{os.path.basename(program)}": program}
    for name in tools:
        copied.update(TOOLS[name]())
    for each in list(copied.values()):
        copied.update({path.lstrip("/"): path for path in libraries(each)})
    found = {name: (path, None, 0o755) for name, path in copied.items()}
    texts = dict(FILES, **{"etc/ssl/certs/ca-certificates.crt": authorities()}, **shared(program))
    found.update({name: (None, text, 0o644) for name, text in texts.items()})
    return found


def put(folder, name, source, text, mode):
    """One file, with its folders. Programs of ours are stripped; what Debian made stays as it is."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if source is None:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
    elif source.startswith(ROOT + os.sep):
        run(["strip", "--strip-all", "-o", path, source], f"strip {source}")
    else:
        shutil.copyfile(source, path)
    os.chmod(path, mode)


def make_tree(program, folder, tools):
    """Gathers the content of one image in a new folder, with the modes that it has in the image."""
    found = content(program, tools)
    shutil.rmtree(folder, ignore_errors=True)
    before = os.umask(0o022)
    try:
        os.makedirs(folder)
        for name in sorted(found):
            put(folder, name, *found[name])
    finally:
        os.umask(before)


# --- Dockerfiles ----------------------------------------------------------------------------------


def instructions(text):
    """[(word, rest)] of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [tuple((line.split(None, 1) + [""])[:2]) for line in joined]


def words(rest, path):
    """The list that ENTRYPOINT and CMD have; their other form would need a shell."""
    try:
        found = json.loads(rest)
    except ValueError:
        found = None
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise Refused(f"{path}: {rest}: not a list of strings")
    return found


def pair(rest, path):
    """NAME=VALUE of ENV and LABEL, the value in double quotes or without blanks."""
    found = re.fullmatch(r'([\w.]+)=(?:"([^"\\$]*)"|([^\s"\'\\$]+))', rest)
    if not found:
        raise Refused(f"{path}: {rest}: not one NAME=VALUE")
    return found.group(1), found.group(2) if found.group(2) is not None else found.group(3)


def settings(stage, path):
    """The config of the image (image-spec, config.md) that the instructions of the last stage mean."""
    config = {"Env": [], "Labels": {}}
    for word, rest in stage:
        if word == "ENV":
            config["Env"].append("=".join(pair(rest, path)))
        elif word == "LABEL":
            name, value = pair(rest, path)
            config["Labels"][name] = value
        elif word == "ENTRYPOINT":
            config["Entrypoint"] = words(rest, path)
        elif word in ("USER", "WORKDIR"):
            config["User" if word == "USER" else "WorkingDir"] = rest.strip()
        else:
            raise Refused(f"{path}: {word} is not understood in the last stage")
    if not re.fullmatch(r"[1-9]\d*:[1-9]\d*", config.get("User", "")):
        raise Refused(f"{path}: USER is not UID:GID of somebody else than root")
    return config


def read_dockerfile(name):
    """What NAME.Dockerfile says: (program, names behind --with, config of the image)."""
    path = os.path.join(HERE, f"{name}.Dockerfile")
    with open(path, encoding="utf-8") as file:
        found = instructions(file.read())
    last = max(i for i, (word, _) in enumerate(found) if word == "FROM")
    begin = [("FROM", "scratch"), ("COPY", "--from=build /image/ /")]
    if found[last:last + 2] != begin:
        raise Refused(f"{path}: its last stage does not begin with FROM scratch and COPY --from=build /image/ /")
    if last == 0 or found[last - 1][0] != "RUN":
        raise Refused(f"{path}: the first stage does not end with RUN")
    gather = re.fullmatch(r"make \S+ build/([\w-]+) && manifests/images/image\.py tree build/\1 /image"
                          r"((?: --with \w+)*)", found[last - 1][1])
    if not gather:
        raise Refused(f"{path}: the first stage does not end with image.py tree build/PROGRAM /image")
    return gather.group(1), gather.group(2).split()[1::2], settings(found[last + 2:], path)


# --- images ---------------------------------------------------------------------------------------


def build(path, folder):
    """Makes FOLDER/NAME.tar from NAME.Dockerfile and the program that it names, which lies where NAME would; returns a
    line that says what it is."""
    name = os.path.basename(path)
    program, tools, config = read_dockerfile(name)
    unknown = set(tools) - set(TOOLS)
    if unknown:
        raise Refused(f"{name}.Dockerfile: --with {', '.join(sorted(unknown))}: not known")
    tree, out = os.path.join(folder, "tree", name), os.path.join(folder, f"{name}.tar")
    make_tree(os.path.join(os.path.dirname(path), program), tree, tools)
    digest = oci.pack(tree, f"localhost/{name}:dev", out, config, time_s=oci.created())
    return f"{out}: {describe(tree)}; {os.path.getsize(out) / 1e6:.1f} MB, {digest}"


def describe(tree):
    """The sizes of what an image consists of."""
    sizes = {}
    for below, _, files in os.walk(tree):
        for name in files:
            path = os.path.join(below, name)
            group = name if below.endswith("/usr/bin") else "etcd" if "/etcd/" in below[len(tree):] else "postgres" if "/postgresql/" in below[len(tree):] else "libraries" if "/lib" in below[len(tree):] else "rest"
            sizes[group] = sizes.get(group, 0) + os.path.getsize(path)
    return ", ".join(f"{group} {size / 1e6:.1f} MB" for group, size in sorted(sizes.items()))


def arguments():
    parser = argparse.ArgumentParser(description="What stands in the images, and the images themselves.")
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    tree = commands.add_parser("tree", help="gather the content of one image")
    tree.add_argument("program")
    tree.add_argument("folder")
    tree.add_argument("--with", action="append", default=[], dest="tools", choices=sorted(TOOLS))
    packed = commands.add_parser("build", help="make FOLDER/NAME.tar for each program")
    packed.add_argument("folder")
    packed.add_argument("programs", nargs="+")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        if args.command == "tree":
            make_tree(os.path.abspath(args.program), args.folder, args.tools)
        else:
            for program in args.programs:
                print(build(os.path.abspath(program), args.folder), flush=True)
    except (Refused, oci.Refused, OSError) as why:
        sys.exit(f"image.py: {why}")


if __name__ == "__main__":
    main()
