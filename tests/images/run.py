#!/usr/bin/python3
"""Runs the tests of the images. Usage: run.py [PART OF A NAME...]

GRANARY_IMAGES names the files that `make images` wrote."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[1:1] = [os.path.join(HERE, *path) for path in (("..", "integration"), ("..", "..", "manifests", "images"))]

import harness  # noqa: E402
import test_images  # noqa: E402,F401

if __name__ == "__main__":
    sys.exit(harness.run(sys.argv[1:]))
