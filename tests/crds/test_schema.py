"""The CRDs as they are written: fresh, small, described, and of one mind with the webhook."""

import json
import os
import subprocess

import kinds
import model
import write
from harness import check, check_equal, test
from program import BUILD

# kubectl apply keeps the whole object in an annotation, which may hold 256 KiB.
CRD_MAX_BYTES = 200_000


@test("-")
def manifests_are_what_their_description_writes():
    check_equal(write.differing(write.files()), [], "files that `make crds` would change")


@test("-")
def each_crd_is_small():
    for kind in kinds.KINDS:
        size = len(json.dumps(write.crd(kind), separators=(",", ":")))
        check(size < CRD_MAX_BYTES, f"{kind.name}: {size} bytes")


def properties(schema, path):
    """(path, schema) of everything below, elements of lists and maps among them."""
    for name, below in schema.get("properties", {}).items():
        yield f"{path}.{name}", below
        yield from properties(below, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield f"{path}[]", schema[word]
            yield from properties(schema[word], f"{path}[]")


def all_properties():
    for kind in kinds.KINDS:
        yield from properties(write.root(kind), kind.name)


@test("-")
def every_field_is_described():
    bare = [path for path, schema in all_properties()
            if not path.endswith("[]") and not path.endswith(".metadata")
            and not schema.get("description", "").rstrip().endswith((".", ")"))]
    check_equal(bare, [], "fields without a sentence")


def is_bounded(schema):
    limits = {"string": ("maxLength", "enum", "format"), "array": ("maxItems",)}
    if "additionalProperties" in schema:
        return "maxProperties" in schema
    return any(word in schema for word in limits.get(schema.get("type"), ("type", "maxLength")))


@test("-")
def every_string_and_list_has_a_maximum():
    loose = [path for path, schema in all_properties() if not is_bounded(schema)
             and not path.count(".") == 1]
    check_equal(loose, [], "without a maximum")


@test("-")
def every_list_says_how_it_is_merged():
    silent = [path for path, schema in all_properties()
              if schema.get("type") == "array" and "x-kubernetes-list-type" not in schema]
    check_equal(silent, [], "lists")


# ---- what the webhook knows ----

def known():
    program = os.path.join(BUILD, "tests/crds/known")
    done = subprocess.run([program], capture_output=True, check=True)
    return json.loads(done.stdout)


def described():
    found = {}
    for kind in kinds.KINDS:
        model.below(kind.spec, f"{kind.name}.spec", found)
    return found


def parents(path):
    """The paths above, the nearest first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def is_open(path, fields):
    return any(above + ".*" in fields for above in parents(path))


def is_anything(path, fields):
    return any(fields.get(above.rstrip("[]{}"), {}).get("type") == "anything"
               for above in parents(path))


def integer_faults(ours, theirs):
    bounds = theirs["least"], theirs["most"]
    free = bounds in ((0, 0), (-2**31, 2**31 - 1))
    if (ours["least"], ours["most"]) != ((None, None) if free else bounds):
        yield f"from {ours['least']} to {ours['most']}, the webhook: {bounds}"


def string_faults(ours, theirs):
    words = sorted(theirs["words"])
    if ours["words"] and ours["words"] != words:
        yield f"words {ours['words']}, the webhook: {words}"
    if theirs["check"] not in ("?", ours["check"]):
        yield f"syntax {ours['check']!r}, the webhook: {theirs['check']!r}"
    if ours["check"] and not theirs["check"]:
        yield f"syntax {ours['check']!r} is not judged by the webhook"
    if ours["some"] and not theirs["some"]:
        yield "may be empty for the webhook"


def faults(path, ours, theirs, open_above):
    """Where the two disagree. The webhook may ask for more inside types of Kubernetes."""
    if theirs["type"] == "anything":
        return
    for fact in ("type", "list", "map"):
        if ours[fact] != theirs[fact]:
            yield f"{fact} {ours[fact]}, the webhook: {theirs[fact]}"
            return
    if ours["required"] and not theirs["required"]:
        yield "is required, not for the webhook"
    if theirs["required"] and not ours["required"] and not open_above:
        yield "is required for the webhook only"
    if ours["type"] == "integer":
        yield from integer_faults(ours, theirs)
    if ours["type"] == "string":
        yield from string_faults(ours, theirs)
    if ours["list"]:
        if ours["key"] != theirs["key"]:
            yield f"unique by {ours['key']!r}, the webhook: {theirs['key']!r}"
        if ours["fewest"] != theirs["fewest"]:
            yield f"at least {ours['fewest']}, the webhook: {theirs['fewest']}"
        if theirs["many"] and ours["many"] != theirs["many"]:
            yield f"at most {ours['many']}, the webhook: {theirs['many']}"


@test("-")
def webhook_and_crds_know_the_same_fields():
    crds, webhook = described(), known()
    found = []
    for path, facts in crds.items():
        if facts["type"] == "open" or is_anything(path, webhook):
            continue
        if path in webhook:
            found += [f"{path}: {fault}"
                      for fault in faults(path, facts, webhook[path], is_open(path, crds))]
        elif not is_open(path, webhook):
            found.append(f"{path}: not known to the webhook")
    found += [f"{path}: not in the CRD" for path in webhook
              if path not in crds and not path.endswith(".*") and not is_open(path, crds)]
    check(len(crds) > 500, f"only {len(crds)} fields were compared")
    check(not found, "\n".join(found))
