#!/usr/bin/python3
"""Asks a real API server about each row (dry run, strict) and compares. Usage: ask_server.py [NAMESPACE]

KUBECONFIG names the server; the CRDs are installed there, granary's webhook is not, and the namespace
(default: demo) is there."""

import json
import subprocess
import sys

import rows


def kubectl(*arguments, stdin=None):
    done = subprocess.run(["kubectl", *arguments], input=stdin, capture_output=True, text=True,
                          timeout=60)
    return done.returncode, done.stdout + done.stderr


def is_expected(who, refused):
    return refused == (who == "both")


def fault(base, edits, expectation, namespace):
    """None, or what was wrong. A field is named as the server names it: the schema's own words."""
    who, field, _, _ = expectation
    document = rows.edited(base, edits)
    if "namespace" in document["metadata"]:
        document["metadata"]["namespace"] = namespace
    code, text = kubectl("create", "--dry-run=server", "--validate=strict", "-f", "-",
                         stdin=json.dumps(document))
    refused = code != 0
    if not is_expected(who, refused):
        return f"wanted {who}; got {text.strip()[:400]}"
    if refused and not any(part in text for part in above(field)):
        return f"wanted {field}; got {text.strip()[:400]}"
    return None


def above(field):
    """The field and what lies above it, down to the members of spec."""
    while field.count("."):
        yield field
        field = field[:max(field.rfind("."), field.rfind("["))]


def main(arguments):
    namespace = arguments[0] if arguments else "demo"
    failed = 0
    for base, edits, expectation in rows.ROWS:
        trouble = fault(base, edits, expectation, namespace)
        if trouble:
            failed += 1
            print(f"{rows.title(base, edits)}\n    {trouble}")
    print(f"{len(rows.ROWS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
