#!/usr/bin/python3
"""Runs the tests of the manifests. Usage: run.py [PART OF A NAME...]

GRANARY_BUILD names the folder of the programs, GRANARY_YAML_JSON the program that reads YAML."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

import harness  # noqa: E402
import test_access  # noqa: E402,F401
import test_admission  # noqa: E402,F401
import test_files  # noqa: E402,F401
import test_workloads  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
