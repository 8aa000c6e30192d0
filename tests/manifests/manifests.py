"""The manifests as they stand in files, and what the C sources say about the same things."""

import glob
import json
import os
import re
import subprocess

from harness import check

YAML_JSON = os.environ.get("GRANARY_YAML_JSON", "build/tests/manifests/yaml_json")
BUILD = os.environ.get("GRANARY_BUILD", "build")
ROOT = "manifests"


def read(*paths):
    """The documents of YAML files: {path: [document]}."""
    done = subprocess.run([YAML_JSON, *paths], capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return dict(zip(paths, map(json.loads, done.stdout.splitlines())))


def parse(text):
    """The documents of YAML in a string."""
    done = subprocess.run([YAML_JSON, "/dev/stdin"], input=text, capture_output=True, text=True)
    check(done.returncode == 0, done.stderr)
    return json.loads(done.stdout)


def all_files():
    return sorted(glob.glob(f"{ROOT}/**/*.yaml", recursive=True))


def system():
    """The objects of manifests/system, in the order of its kustomization."""
    (kustomization,) = read(f"{ROOT}/system/kustomization.yaml")[f"{ROOT}/system/kustomization.yaml"]
    paths = [f"{ROOT}/system/{name}" for name in kustomization["resources"]]
    return [document for documents in read(*paths).values() for document in documents]


def of_kind(objects, *kinds):
    found = [each for each in objects if each["kind"] in kinds]
    check(found, f"no {' or '.join(kinds)} at all")
    return found


def named(objects, kind, name):
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    check(len(found) == 1, f"{len(found)} objects {kind} {name}")
    return found[0]


def title(thing):
    return f"{thing['kind']} {thing['metadata']['name']}"


def source(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def keys():
    """The names of api/keys.h: {macro: text}."""
    known = {}
    for name, value in re.findall(r'^#define (\w+) ((?:\w+ )?(?:"[^"]*"|\w+)|\w+ "[^"]*")$',
                                  source("api/keys.h"), re.M):
        parts = [part[1:-1] if part[0] == '"' else known.get(part, part)
                 for part in re.findall(r'"[^"]*"|\w+', value)]
        known[name] = "".join(parts)
    check(known["KEY_BLUEPRINT"] == "stash.appscode.com/backup-blueprint", f"{known}")
    return known


def targets():
    """What the webhook takes for targets: {(group, resource): class} (api/target.c)."""
    rows = re.findall(r'\{"([\w.]*)", "\w+", "(\w+)", TARGET_(\w+), \w+\}', source("api/target.c"))
    check(rows, "api/target.c has no table of kinds")
    return {(group, resource): kind for group, resource, kind in rows}


def judged():
    """Group and kind of what the webhook validates (api/validate.c)."""
    rows = re.findall(r'\{GROUP_(\w+), "(\w+)", API_\w+_?(V\w+)?,', source("api/validate.c"))
    check(rows, "api/validate.c has no table of kinds")
    return {(keys()["GROUP_" + group], kind) for group, kind, _ in rows}


def version():
    return re.search(r"^VERSION := (\S+)$", source("Makefile"), re.M).group(1)
