#!/usr/bin/python3
"""Runs the tests of the CRDs that need no cluster. Usage: run.py [PART OF A NAME...]

GRANARY_BUILD names the folder of the programs; GRANARY_SLOW=N multiplies time limits."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("../integration", "../cli", "../../manifests/schema"):
    sys.path.insert(0, os.path.join(HERE, folder))

import harness  # noqa: E402
import test_rows  # noqa: E402,F401
import test_schema  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
