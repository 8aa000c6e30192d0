"""Seeded sessions with faults. The seed is that of the commit, or SEED; SEED=SEED/WORLD runs one world of it.
FAULT_SESSIONS says how many sessions there are in all."""

import os
import subprocess

import fault_sessions
from harness import check, test

EACH = 8  # in one world


def seed():
    found = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    return os.environ.get("SEED") or found.stdout.strip() or "no-commit"


def worlds():
    name, _, number = seed().partition("/")
    return name, [int(number)] if number else range(-(-int(os.environ.get("FAULT_SESSIONS", "48")) // EACH))


def add(name, number):
    @test("RS4 RS7 RS8 RS9 SC4")
    def sessions():
        told, seen = fault_sessions.run(name, number, EACH)
        check(len(told) == EACH, "sessions")
        print(f"       SEED={name}/{number}: {'; '.join(told)}; {seen}", flush=True)
    sessions.__name__ = f"seeded_fault_sessions_{name}/{number}"


def add_all():
    name, numbers = worlds()
    for number in numbers:
        add(name, number)


add_all()
