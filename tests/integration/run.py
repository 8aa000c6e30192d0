#!/usr/bin/python3
"""Runs the integration tests. Usage: run.py [ID or part of a name...]

GRANARY_WEBHOOK names the program; GRANARY_SLOW=N multiplies time limits for slow builds."""

import sys

import harness
import test_agent  # noqa: F401
import test_agent_api  # noqa: F401
import test_controller  # noqa: F401
import test_drain  # noqa: F401
import test_http  # noqa: F401
import test_limits  # noqa: F401
import test_live  # noqa: F401
import test_load  # noqa: F401
import test_program  # noqa: F401
import test_soak  # noqa: F401
import test_tls  # noqa: F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
