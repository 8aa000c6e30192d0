#!/usr/bin/python3
"""Runs the tests in a cluster. Usage: run.py [ID, part of a name, or name of a file without .py ...]"""

import os
import signal
import sys

import harness
import tools


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return harness.run(sys.argv[1:])
    except KeyboardInterrupt:
        tools.say("interrupted")
        return 130
    except (tools.Missing, OSError) as why:
        tools.say(f"run.py: {why}")
        return 1


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # tests that still run after an interruption are not waited for
