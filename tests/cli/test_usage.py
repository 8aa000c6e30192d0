"""Help, version, options, exit codes, colours."""

import os
import re
import subprocess

from harness import check, check_equal, temporary_folder, test
from program import BUILD, CLUSTER, DEPLOYMENT, PROGRAM, granary, manifest, on_terminal


@test("-")
def help_is_fit_for_reading():
    text = granary("--help").out
    for word in ("usage:", "render", "validate", "explain", "--version", "exit:", "NO_COLOR"):
        check(word in text, f"--help does not say {word}")
    for same in (("help",), ("-h",)):
        check_equal(granary(*same).out, text, f"{same}")
    for command in ("render", "validate", "explain"):
        text = granary(command, "--help").out
        for word in (command, "options:", "examples:", "exit:", "--catalog DIR", "--settings FILE",
                     "--namespace NS", "-f, --filename FILE"):
            check(word in text, f"{command} --help does not say {word}")
        check(max(len(line) for line in text.splitlines()) <= 100, f"{command}: a line is too long")
        check_equal(granary("help", command).out, text, f"help {command}")
        check_equal(granary(command, "-h").out, text, f"{command} -h")


@test("-")
def version_is_that_of_the_build():
    pattern = r"kubectl-granary \d+\.\d+\.\d+ \([0-9a-z]+\)\n"
    for arguments in (("--version",), ("version",), ("render", "--version")):
        check(re.fullmatch(pattern, granary(*arguments).out), f"{arguments}")


@test("-")
def a_wrong_command_line_is_said_and_ends_with_2():
    rows = [
        ([], "a command is needed"), (["rendr"], "did you mean render?"),
        (["validat", "-f", "x"], "did you mean validate?"), (["xyzzy"], '"xyzzy" is no command'),
        (["help", "explane"], "did you mean explain?"), (["render"], "-f FILE is needed"),
        (["render", "-f"], "-f: its value is missing"), (["render", "-f", ""], "its value is empty"),
        (["render", DEPLOYMENT], "given as -f FILE"),
        (["render", "-f", DEPLOYMENT, "-o", "xml"], "render writes yaml, json, patch, diff, review"),
        (["validate", "-f", DEPLOYMENT, "-o", "yaml"], "validate writes text, json"),
        (["validate", "-f", DEPLOYMENT, "--strikt"], "did you mean --strict?"),
        (["render", "-f", DEPLOYMENT, "--strict"], "--strict: no such option"),
        (["validate", "-f", DEPLOYMENT, "--strict=yes"], "--strict=yes"),
        (["render", "-x"], "-x: no such option"),
        (["render", "-f", DEPLOYMENT, "-f", DEPLOYMENT], "is given twice"),
        (["explain", "-f", "nowhere.yaml"], "nowhere.yaml: No such file"),
        (["explain", "-f", DEPLOYMENT, "--catalog", "nowhere"], "nowhere"),
        (["explain", "-f", DEPLOYMENT, "--settings", "nowhere"], "nowhere"),
    ]
    for arguments, reason in rows:
        ran = granary(*arguments, code=2)
        check(reason in ran.err, f"{arguments}: {ran.err}")
        check_equal(ran.out, "", f"standard output of {arguments}")


@test("-")
def settings_are_taken_and_judged():
    good = manifest("settings.yaml", "agent:\n  image: registry.example.com/agent:7\n")
    arguments = ("render", "-f", DEPLOYMENT, "--catalog", CLUSTER)
    check("image: registry.example.com/agent:7" in granary(*arguments, "--settings", good).out,
          "the image of the settings")
    bad = manifest("settings.yaml", "agent:\n  imaeg: x\n")
    check("did you mean" in granary(*arguments, "--settings", bad, code=2).err, "an unknown key")


@test("-")
def a_result_that_can_not_be_written_is_a_failure():
    with open("/dev/full", "w") as full:
        done = subprocess.run([PROGRAM, "render", "-f", DEPLOYMENT, "--catalog", CLUSTER],
                              stdout=full, stderr=subprocess.PIPE)
    check_equal(done.returncode, 2, "exit code with a full disk")
    check(b"standard output: No space left" in done.stderr, f"{done.stderr}")


@test("-")
def colours_are_for_terminals_only():
    rows = [("render", "-f", DEPLOYMENT, "--catalog", CLUSTER, "-o", "diff"),
            ("explain", "-f", DEPLOYMENT, "--catalog", CLUSTER),
            ("validate", "-f", "-")]
    for row in rows[:2]:
        plain, coloured = granary(*row).out, on_terminal(row)
        check("\033" not in plain, f"{row}: colours in a pipe")
        check("\033[" in coloured, f"{row}: no colours on a terminal")
        check("\033" not in on_terminal(row, NO_COLOR="1"), f"{row}: colours despite of NO_COLOR")
        check("\033[" in on_terminal(row, NO_COLOR=""), f"{row}: an empty NO_COLOR does not count")
        check("\033" not in on_terminal(row, TERM="dumb"), f"{row}: colours on a dumb terminal")
        bare = re.sub(r"\033\[\d*m", "", coloured).replace("\r\n", "\n")
        check(plain in bare or all(line in bare for line in plain.splitlines()),
              f"{row}: a terminal shows another text")


@test("-")
def what_a_file_says_can_not_command_the_terminal():
    hostile = manifest("hostile.yaml", """apiVersion: apps/v1
kind: Deployment
metadata:
  name: "a\\e[31mb"
  namespace: demo
  annotations:
    stash.appscode.com/backup-blueprint: "x\\e]0;owned\\ay"
    stash.appscode.com/schedule: "\\e[2J"
spec: {template: {spec: {containers: []}}}
""")
    for command in ("explain", "validate", "render"):
        ran = granary(command, "-f", hostile)
        check("\033" not in ran.out + ran.err, f"{command} lets escape sequences through")


@test("-")
def make_install_puts_everything_in_its_place():
    folder = temporary_folder()
    done = subprocess.run(["make", "install", f"BUILD={BUILD}", f"DESTDIR={folder}",
                           "PREFIX=/opt/granary"], capture_output=True, text=True)
    check_equal(done.returncode, 0, f"make install ({done.stdout}{done.stderr})")
    root = os.path.join(folder, "opt/granary")
    for name in ("bin/granary-webhook", "bin/kubectl-granary", "bin/kubectl_complete-granary", "share/man/man1/kubectl-granary.1",
                 "share/bash-completion/completions/kubectl-granary", "share/zsh/site-functions/_kubectl-granary",
                 "share/fish/vendor_completions.d/kubectl-granary.fish", "share/doc/granary/LICENSE",
                 "share/doc/granary/README.md", "share/doc/granary/docs/architecture.md",
                 "share/doc/granary/examples/apps/deployment.yaml"):
        check(os.path.isfile(os.path.join(root, name)), f"{name} is not installed")
    check_equal(sorted(os.listdir(folder)), ["opt"], "what else was written")
    version = subprocess.run([os.path.join(root, "bin/kubectl-granary"), "--version"],
                             capture_output=True, text=True)
    check(version.stdout.startswith("kubectl-granary "), "the installed program runs")
