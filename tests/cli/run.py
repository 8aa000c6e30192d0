#!/usr/bin/python3
"""Runs the tests of kubectl-granary, the demo and the installation. Usage: run.py [PART OF A NAME...]

GRANARY_BUILD names the folder of the programs; GRANARY_SLOW=N multiplies time limits."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "integration"))

import harness  # noqa: E402
import test_catalogue  # noqa: E402,F401
import test_cluster  # noqa: E402,F401
import test_completion  # noqa: E402,F401
import test_coverage  # noqa: E402,F401
import test_demo  # noqa: E402,F401
import test_dry_run  # noqa: E402,F401
import test_explain  # noqa: E402,F401
import test_render  # noqa: E402,F401
import test_repository  # noqa: E402,F401
import test_restore  # noqa: E402,F401
import test_snapshots  # noqa: E402,F401
import test_usage  # noqa: E402,F401
import test_validate  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
