#!/usr/bin/env python3
"""Packs a folder as an OCI image in one tar file, without registry or daemon.

    oci.py --tree build/images/agent --tag localhost/granary-agent:dev \\
           --out build/images/granary-agent.tar --entrypoint /granary-agent --user 65532:65532

The same tree gives the same bytes on every machine: names are sorted, all times are SOURCE_DATE_EPOCH (else 1970),
owners are root, modes are 755 or 644, and nothing is compressed (the output of zlib differs between its versions).
What has to differ from that (a folder for everybody, another owner) says --own PATH:MODE:UID:GID.

The file is an OCI image layout (image-spec v1.1); `manifest.json` beside it lets `docker load` read it too.
"""

import argparse
import datetime
import hashlib
import io
import json
import os
import platform
import re
import stat
import sys
import tarfile

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
# What containerd and Docker read as a name with a tag; the host part is not optional here,
# because without it both would think of a registry.
TAG = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)+:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Refused(Exception):
    """The tree or an argument can not become an image; the message says why."""


def created():
    """The time that everything in the image has, in seconds: SOURCE_DATE_EPOCH (reproducible-builds.org), else 0."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "0")
    if not re.fullmatch(r"\d{1,11}", text):
        raise Refused(f"SOURCE_DATE_EPOCH is {text!r}, not a number of seconds")
    return int(text)


def member(path, name, own, mtime):
    """The tar header of one file of the tree. Devices, sockets and the like do not belong into an image."""
    info = tarfile.TarInfo(name)
    info.mtime = mtime
    found = os.lstat(path)
    if stat.S_ISDIR(found.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    elif stat.S_ISLNK(found.st_mode):
        info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, os.readlink(path)
    elif stat.S_ISREG(found.st_mode):
        info.size, info.mode = found.st_size, 0o755 if found.st_mode & 0o111 else 0o644
    else:
        raise Refused(f"{path}: neither file, folder nor symbolic link")
    if name in own:
        info.mode, info.uid, info.gid = own.pop(name)
    return info


def names(tree):
    """All paths below the tree, relative, sorted, parents first."""
    found = []
    for folder, folders, files in os.walk(tree):
        found += [os.path.relpath(os.path.join(folder, name), tree) for name in folders + files]
    return sorted(found)


def layer(tree, own, mtime):
    """The bytes of the one layer."""
    own, out = dict(own), io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in names(tree):
            path = os.path.join(tree, name)
            info = member(path, name, own, mtime)
            if info.isreg():
                with open(path, "rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)
    if own:
        raise Refused(f"--own names what is not in the tree: {', '.join(sorted(own))}")
    return out.getvalue()


class Blobs:
    """The content-addressed part of the layout."""

    def __init__(self):
        self.files = {}

    def add(self, media_type, data):
        """Keeps the bytes; returns their descriptor."""
        digest = hashlib.sha256(data).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    def add_json(self, media_type, value):
        return self.add(media_type, json_bytes(value))


def json_bytes(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def blob_path(descriptor):
    return "blobs/" + descriptor["digest"].replace(":", "/")


def write(out, files):
    """Writes the tar; a reader sees the old file or the new one, never half of it."""
    temporary = f"{out}.{os.getpid()}"
    try:
        with tarfile.open(temporary, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(files):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(files[name]), 0o644
                tar.addfile(info, io.BytesIO(files[name]))
        os.rename(temporary, out)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def pack(tree, tag, out, config, own=None, architecture=None, time_s=0):
    """Packs one image.

    tree          folder that becomes the root of the image
    tag           its whole name, such as localhost/granary-agent:dev
    out           tar file to write
    config        the image's "config": User, Entrypoint, Cmd, Env, WorkingDir, Labels (image-spec, config.md)
    own           {path in the tree: (mode, uid, gid)}
    architecture  as Go spells it; this machine's unless said
    time_s        the time that everything in it has, in seconds, as of created()
    Returns the digest of the manifest. Raises Refused, or OSError.
    """
    if not TAG.fullmatch(tag):
        raise Refused(f"{tag}: not a name such as localhost/program:dev")
    if not os.path.isdir(tree):
        raise Refused(f"{tree}: no such folder")
    machine = platform.machine()
    architecture = architecture or ARCHITECTURES.get(machine, machine)
    blobs = Blobs()
    content = blobs.add(LAYER_TYPE, layer(tree, own or {}, time_s))
    when = datetime.datetime.fromtimestamp(time_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    settings = blobs.add_json(CONFIG_TYPE, {
        "created": when, "architecture": architecture, "os": "linux", "config": config,
        "rootfs": {"type": "layers", "diff_ids": [content["digest"]]},
        "history": [{"created": when, "created_by": "oci.py"}],
    })
    manifest = blobs.add_json(MANIFEST_TYPE, {
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": settings, "layers": [content],
    })
    entry = dict(manifest, annotations={
        "io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag.rsplit(":", 1)[1],
    })
    write(out, {
        **blobs.files,
        "oci-layout": json_bytes({"imageLayoutVersion": "1.0.0"}),
        "index.json": json_bytes({"schemaVersion": 2, "manifests": [entry]}),
        "manifest.json": json_bytes([{
            "Config": blob_path(settings), "RepoTags": [tag], "Layers": [blob_path(content)],
        }]),
    })
    return manifest["digest"]


def owner(text):
    """PATH:MODE:UID:GID of --own."""
    try:
        path, mode, uid, gid = text.rsplit(":", 3)
        return path.strip("/"), (int(mode, 8), int(uid), int(gid))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: not PATH:MODE:UID:GID") from None


def arguments():
    parser = argparse.ArgumentParser(description="Packs a folder as an OCI image in one tar file.")
    parser.add_argument("--tree", required=True, help="folder that becomes the root of the image")
    parser.add_argument("--tag", required=True, help="name of the image, such as localhost/program:dev")
    parser.add_argument("--out", required=True, help="tar file to write")
    parser.add_argument("--user", default="65532:65532", help="UID:GID (default %(default)s)")
    parser.add_argument("--entrypoint", action="append", default=[], help="once per word")
    parser.add_argument("--cmd", action="append", default=[], help="once per word")
    parser.add_argument("--env", action="append", default=[], help="NAME=VALUE, once per variable")
    parser.add_argument("--label", action="append", default=[], help="NAME=VALUE, once per label")
    parser.add_argument("--workdir", default="/")
    parser.add_argument("--own", action="append", default=[], type=owner, help="PATH:MODE:UID:GID")
    return parser.parse_args()


def main():
    args = arguments()
    config = {"User": args.user, "WorkingDir": args.workdir, "Env": args.env or ["PATH=/usr/bin:/bin"]}
    if args.entrypoint:
        config["Entrypoint"] = args.entrypoint
    if args.cmd:
        config["Cmd"] = args.cmd
    if args.label:
        config["Labels"] = dict(label.split("=", 1) for label in args.label)
    try:
        digest = pack(args.tree, args.tag, args.out, config, dict(args.own), time_s=created())
    except (Refused, OSError) as why:
        sys.exit(f"oci.py: {why}")
    print(f"{args.tag} {digest} {os.path.getsize(args.out)} bytes")


if __name__ == "__main__":
    main()
