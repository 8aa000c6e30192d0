#!/usr/bin/python3
"""Runs the tests of the working agent: real restic, real storages, a scripted agent API, all on loopback.

Usage: run.py [ID or part of a name...]. GRANARY_AGENT names the program; GRANARY_SLOW=N multiplies time limits."""

import sys

import running  # noqa: F401
import harness
import test_backup  # noqa: F401
import test_client  # noqa: F401
import test_credentials  # noqa: F401
import test_database  # noqa: F401
import test_drill  # noqa: F401
import test_etcd_backup  # noqa: F401
import test_etcd_job  # noqa: F401
import test_etcd_restore  # noqa: F401
import test_faults  # noqa: F401
import test_hooks  # noqa: F401
import test_if_exists  # noqa: F401
import test_key_exchange  # noqa: F401
import test_large  # noqa: F401
import test_maintain  # noqa: F401
import test_metrics  # noqa: F401
import test_owner  # noqa: F401
import test_real_api  # noqa: F401
import test_redis  # noqa: F401
import test_restore  # noqa: F401
import test_step  # noqa: F401
import test_stream  # noqa: F401
import test_wipe  # noqa: F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
