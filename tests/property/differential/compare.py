#!/usr/bin/python3
"""Compares our JSON Patch with Debian's python3-jsonpatch, in both directions.

    compare.py build/tests/property/triples

1. Our patches of random documents, applied by the other side, must give the document wanted.
2. The rows of the unit tests, applied by the other side, must come out as they do here.
3. Patches that the other side makes, applied by us, must give the document wanted.

The number of documents and the seed are PROPERTY_COUNT and SEED of the environment.
"""
import json
import subprocess
import sys

import jsonpatch

# Rows that the other side judges in another way than RFC 6902 does, and why.
KNOWN = {
    '{} {}': "an object passes for a list without operations",
    '[1] [{"op":"add","path":"/01","value":2}]': "leading zeros",
    '[1] [{"op":"remove","path":"/00"}]': "leading zeros",
    '{} [{"op":"add","path":"/a\\u0000b","value":2}]': "its keys can hold NUL, ours can not",
    '{"a":1} [{"from":"","op":"move","path":""}]': "it can not take from the document itself",
    '{"a":{}} [{"from":"","op":"copy","path":"/a/b"}]': "it can not take from the document itself",
    '0 [{"op":"test","path":"","value":false}]': "0 equals false",
}
SHOWN_MAX_CHARS = 2000


def same(a, b):
    """Equality without Python's own: True is not 1, 1 is not 1.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def spared(operation):
    """It refuses to replace a member named "-"; to add a member that is there means the same."""
    if operation["op"] == "replace" and operation["path"].endswith("/-"):
        return {**operation, "op": "add"}
    return operation


def apply(before, patch):
    """The result in a list, or None when the other side refuses."""
    try:
        return [jsonpatch.apply_patch(before, patch)]
    except Exception:  # it has no common type: TypeError, KeyError, AssertionError ...
        return None


def compact(tree):
    return json.dumps(tree, separators=(",", ":"), sort_keys=True)


def complain(*what):
    print(" ".join(map(str, what))[:SHOWN_MAX_CHARS])


def judge(line, is_row):
    """True when the other side comes to the same result."""
    triple = json.loads(line)
    wanted = [triple["after"]] if "after" in triple else None
    patch = triple["patch"] if is_row else list(map(spared, triple["patch"]))
    known = is_row and f"{compact(triple['before'])} {compact(triple['patch'])}" in KNOWN
    result = apply(triple["before"], patch)
    if same(result, wanted) == (not known):
        return True
    complain("no longer another result:" if known else "another result:", json.dumps(result), line)
    return False


def moves_into_itself(operation):
    return operation["op"] == "move" and operation["path"].startswith(operation["from"] + "/")


def make(line):
    """A patch by the other side; None where it does not lead there by its own judgement, since it
    takes 1, 1.0 and true for the same, or where it moves a list into itself, which it allows."""
    triple = json.loads(line)
    if "after" not in triple:
        return None
    try:
        triple["patch"] = jsonpatch.make_patch(triple["before"], triple["after"]).patch
    except Exception:
        return None
    result = apply(triple["before"], triple["patch"])
    if any(map(moves_into_itself, triple["patch"])) or not same(result, [triple["after"]]):
        return None
    return json.dumps(triple)


def theirs(program, lines):
    """How many of the other side's patches lead where they should when we apply them."""
    made = [line for line in map(make, lines) if line]
    if len(made) < 0.9 * len(lines):
        complain("the other side made only", len(made), "of", len(lines), "patches")
        return 0, 1
    run = subprocess.run([program, "apply"], input="\n".join(made) + "\n", text=True,
                         stdout=subprocess.PIPE, check=False)
    *complaints, summary = run.stdout.splitlines()
    for complaint in complaints:
        complain("ours:", complaint)
    passed, failed = map(int, summary.split())
    return passed, failed + (passed + failed != len(made))


def main():
    program = sys.argv[1]
    text = subprocess.run([program, "write"], stdout=subprocess.PIPE, check=True, text=True).stdout
    cases, rows = (part.splitlines() for part in text.split("rows\n"))
    good_cases = sum(judge(line, False) for line in cases)
    good_rows = sum(judge(line, True) for line in rows)
    good, bad = theirs(program, cases + rows)
    print(f"as wanted: {good_cases} of our patches, {good_rows} rows, {good} of their patches")
    bad += len(cases) - good_cases + len(rows) - good_rows
    print(f"{good_cases + good_rows + good} passed, {bad} failed")
    return 1 if bad or not good_cases or not good_rows or not good else 0


if __name__ == "__main__":
    sys.exit(main())
