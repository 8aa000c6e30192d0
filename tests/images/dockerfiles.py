#!/usr/bin/python3
"""Builds the Dockerfiles with buildah, both stages, and compares what comes with what `make images` makes of the commit.
Usage: dockerfiles.py [PROGRAM...]

Needs root, no registry of images: the base image is made by debootstrap with the apt settings of this machine, and
everything is in a folder that is removed. The same files must be in both, and those that are not of a package of Debian,
which this machine may have in another version, with the same bytes."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[1:1] = [os.path.join(ROOT, "manifests", "images"), os.path.join(ROOT, "tests", "integration")]
os.environ["GRANARY_IMAGES"] = " ".join(
    os.path.join(ROOT, "build", "images", name.removesuffix(".Dockerfile") + ".tar")
    for name in sorted(os.listdir(os.path.join(ROOT, "manifests", "images"))) if name.endswith(".Dockerfile"))

import test_images  # noqa: E402

DEBIAN = "bookworm"


class Failed(Exception):
    pass


def run(command, log, what, **options):
    """What it wrote to stdout; its errors go to the log, of which the end is told."""
    with open(log, "ab") as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=options.pop("stdout", file), stderr=file, **options)
    if done.returncode != 0:
        with open(log, errors="replace") as file:
            raise Failed(f"{what}:\n" + "".join(file.readlines()[-20:]))
    return (done.stdout or b"").decode().strip()


class Builder:
    """buildah with a storage of its own."""

    def __init__(self, folder):
        self.folder, self.log = folder, os.path.join(folder, "log")

    def __call__(self, *words):
        storage = [f"--root={self.folder}/storage", f"--runroot={self.folder}/run", "--storage-driver=vfs"]
        return run(["buildah", *storage, *words], self.log, f"buildah {words[0]}", stdout=subprocess.PIPE, cwd=f"{self.folder}/tree")

    def make_base(self):
        """A minimal Debian, as the image that the Dockerfiles begin with; it is asked for packages where this machine is."""
        root = os.path.join(self.folder, "debian")
        run(["debootstrap", "--variant=minbase", DEBIAN, root], self.log, "debootstrap")
        os.remove(f"{root}/etc/apt/sources.list")
        run(["cp", "-a", "/etc/apt/.", f"{root}/etc/apt/"], self.log, "settings of apt")
        # and trusts whom this machine trusts, once ca-certificates is there: Go modules may come through a proxy
        run(["cp", "-a", "/usr/local/share/ca-certificates", f"{root}/usr/local/share/"], self.log, "authorities of this machine")
        container = self("from", "scratch")
        self("add", "--quiet", container, root, "/")
        self("commit", "--quiet", "--rm", container, "localhost/debian:12")

    def build(self, program, commit):
        """What stands in the image: (mode, hash) by path."""
        self("bud", "--isolation=chroot", "--network=host", "--build-arg=DEBIAN=localhost/debian:12",
             f"--build-arg=COMMIT={commit}", "-f", f"manifests/images/{program}.Dockerfile", "-t", f"localhost/{program}:built", ".")
        container = self("from", f"localhost/{program}:built")
        try:
            return content(self("mount", container))
        finally:
            self("rm", container)


def content(tree):
    found = {}
    for folder, _, names in os.walk(tree):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, tree)] = (os.stat(path).st_mode & 0o7777, hashlib.sha256(file.read()).hexdigest())
    return found


def packed(program):
    with tempfile.TemporaryDirectory() as folder:
        tree, _ = test_images.Archive(os.path.join(ROOT, "build", "images", f"{program}.tar")).unpack(folder)
        return content(tree)


def of_debian(path):
    return path.startswith("lib") or path == "etc/ssl/certs/ca-certificates.crt"


def difference(built, wanted):
    """Paths of what is not the same."""
    found = []
    for path in sorted(built.keys() | wanted.keys()):
        one, other = built.get(path), wanted.get(path)
        if one != other and not (one and other and one[0] == other[0] and of_debian(path)):
            found.append(path)
    return found


def main(programs):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="granary-dockerfiles-") as folder:
        builder = Builder(folder)
        # what is committed, as a fresh clone has it
        run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, f"{folder}/tree"], builder.log, "git clone")
        commit = run(["git", "-C", ROOT, "rev-parse", "--short=12", "HEAD"], builder.log, "git", stdout=subprocess.PIPE)
        print(f"making a base image of Debian {DEBIAN}", flush=True)
        builder.make_base()
        for program in programs or test_images.NAMES:
            print(f"building {program}", flush=True)
            started = time.monotonic()
            different = difference(builder.build(program, commit), packed(program))
            print(f"{'FAILED' if different else 'ok    '} {program} ({time.monotonic() - started:.0f} s)"
                  + "".join(f"\n       differs: {path}" for path in different), flush=True)
            passed, failed = passed + (not different), failed + bool(different)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failed as failure:
        print(failure, file=sys.stderr)
        sys.exit(1)
