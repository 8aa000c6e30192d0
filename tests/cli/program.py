"""kubectl-granary as a process: in a pipe or on a terminal."""

import json
import os
import pty
import subprocess

import harness
from harness import check_equal

BUILD = os.environ.get("GRANARY_BUILD", "build")
PROGRAM = os.path.join(BUILD, "kubectl-granary")
DEPLOYMENT = "examples/apps/deployment.yaml"
CLUSTER = "examples/cluster"


class Ran:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def documents(self):
        """The JSON documents of standard output."""
        decoder, text, found = json.JSONDecoder(), self.out, []
        while text.strip():
            value, end = decoder.raw_decode(text.lstrip())
            found.append(value)
            text = text.lstrip()[end:]
        return found


def granary(*arguments, stdin="", code=0, cwd=None, **environment):
    """Runs it and looks at the exit code."""
    program = os.path.abspath(PROGRAM)
    done = subprocess.run([program, *arguments], input=stdin.encode(), capture_output=True, cwd=cwd,
                          env={**os.environ, **environment}, timeout=20 * harness.SLOW)
    ran = Ran(done.returncode, done.stdout.decode(), done.stderr.decode())
    for word in harness.SANITIZER_WORDS:
        harness.check(word not in ran.err, ran.err)
    check_equal(ran.code, code, f"exit code of {' '.join(arguments)} ({ran.err})")
    return ran


def on_terminal(arguments, answer=None, code=0, **environment):
    """What it writes when standard output is a terminal; an answer is typed when it asks."""
    main, side = pty.openpty()
    process = subprocess.Popen([os.path.abspath(PROGRAM), *arguments],
                               stdin=subprocess.DEVNULL if answer is None else side, stdout=side, stderr=side,
                               env={**os.environ, "TERM": "xterm", **environment})
    os.close(side)
    text = b""
    try:
        while piece := os.read(main, 65536):
            text += piece
            if answer is not None and text.endswith(b"[y/N] "):
                os.write(main, answer.encode() + b"\n")
                answer = None
    except OSError:  # the last writer closed
        pass
    os.close(main)
    check_equal(process.wait(timeout=20 * harness.SLOW), code, f"exit code on a terminal ({text.decode()})")
    return text.decode()


def manifest(name, text):
    """Writes a file into a folder of its own and returns its path."""
    path = os.path.join(harness.temporary_folder(), name)
    harness.write(path, text)
    return path
