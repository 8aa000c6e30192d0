#!/usr/bin/python3
"""Writes manifests/crds/ from the description of the kinds. Usage: write.py [--check]

With --check nothing is written, and the exit code is 1 when a file is not what would be."""

import json
import os
import re
import sys
import textwrap

import model
from kinds import KINDS

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "crds")
HEAD = "# Written by `make crds` from manifests/schema: edit there.\n"
WIDTH = 100
PLAIN = re.compile(r"^[A-Za-z/.$][A-Za-z0-9/.$_-]*$")
# YAML 1.1, which kubectl reads, takes these for other things than strings.
NOT_PLAIN = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def scalar(value):
    if isinstance(value, str) and PLAIN.match(value) and value.lower() not in NOT_PLAIN:
        return value
    return json.dumps(value, ensure_ascii=False)


def folded(text, indent):
    """A long text without breaks of its own, on several lines."""
    lines = textwrap.wrap(text, WIDTH - len(indent), break_long_words=False,
                          break_on_hyphens=False)
    return ">-\n" + "\n".join(indent + line for line in lines)


def put(key, value, indent, out):
    start = f"{indent}{scalar(key)}:"
    if isinstance(value, dict) and value:
        out.append(start)
        put_members(value, indent + "  ", out)
    elif isinstance(value, list) and value and isinstance(value[0], (dict, str)) and (
            isinstance(value[0], dict) or len(start) + len(str(value)) > WIDTH):
        out.append(start)
        for item in value:
            put_item(item, indent + "  ", out)
    elif isinstance(value, list):
        out.append(f"{start} [{', '.join(scalar(item) for item in value)}]")
    elif key in ("rule", "pattern") and "\\" in value:
        out.append(f"{start} |-\n{indent}  {value}")
    elif isinstance(value, str) and len(start) + len(value) > WIDTH - 4 and "  " not in value:
        out.append(f"{start} {folded(value, indent + '  ')}")
    else:
        out.append(f"{start} {scalar(value)}")


def put_members(members, indent, out):
    for key, value in members.items():
        put(key, value, indent, out)


def put_item(item, indent, out):
    if isinstance(item, str):
        out.append(f"{indent}- {scalar(item)}")
        return
    lines = []
    put_members(item, indent + "  ", lines)
    lines[0] = f"{indent}- {lines[0][len(indent) + 2:]}"
    out.extend(lines)


def yaml(document):
    out = []
    put_members(document, "", out)
    return HEAD + "\n".join(out) + "\n"


def column(one):
    return {"name": one.name, "type": one.type, "jsonPath": one.path}


def root(kind):
    properties = {
        "apiVersion": {"description": f"{kind.group}/{kind.version}.", "type": "string"},
        "kind": {"description": f"{kind.name}.", "type": "string"},
        "metadata": {"type": "object"},
        "spec": model.schema(kind.spec),
    }
    if kind.status:
        properties["status"] = model.schema(kind.status)
    return {"description": kind.text, "type": "object", "required": ["spec"],
            "properties": properties}


def crd(kind):
    version = {"name": kind.version, "served": True, "storage": True,
               "additionalPrinterColumns": [column(one) for one in kind.columns]}
    if kind.status:
        version["subresources"] = {"status": {}}
    version["schema"] = {"openAPIV3Schema": root(kind)}
    names = {"kind": kind.name, "listKind": kind.name + "List", "plural": kind.plural,
             "singular": kind.name.lower(), "categories": list(kind.categories)}
    if kind.short:
        names["shortNames"] = list(kind.short)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{kind.group}",
                     "labels": {"app.kubernetes.io/name": "granary"}},
        "spec": {"group": kind.group, "scope": "Cluster" if kind.cluster else "Namespaced",
                 "names": names, "versions": [version]},
    }


def files():
    """{name: content} of everything in manifests/crds."""
    wanted = {f"{kind.plural}.yaml": yaml(crd(kind)) for kind in KINDS}
    wanted["kustomization.yaml"] = yaml({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [f"{kind.plural}.yaml" for kind in KINDS]})
    return wanted


def read(name):
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        return file.read()


def differing(wanted):
    there = set(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else set()
    return sorted(there - set(wanted)) + [name for name in sorted(wanted)
                                          if read(name) != wanted[name]]


def main(arguments):
    wanted = files()
    if arguments == ["--check"]:
        for name in differing(wanted):
            print(f"manifests/crds/{name} is not what `make crds` writes", file=sys.stderr)
        return 1 if differing(wanted) else 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    os.makedirs(FOLDER, exist_ok=True)
    for name in differing(wanted):
        if name in wanted:
            with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
                file.write(wanted[name])
        else:
            os.unlink(os.path.join(FOLDER, name))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
