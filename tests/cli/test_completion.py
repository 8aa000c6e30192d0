"""What is made from the table of the usage texts: completion of shells and the man page."""

import os
import re
import shutil
import subprocess

from harness import check, check_equal, test
from program import BUILD, granary, manifest

SHELLS = ("bash", "zsh", "fish")


def commands():
    """{command: [(letter or None, name, argument or None)]}, as the help of each tells them."""
    names = re.findall(r"^  ([a-z]+)  +\S", granary("--help").out, re.MULTILINE)
    return {name: [(letter or None, long, argument or None) for letter, long, argument in
                   re.findall(r"^  (?:-(\w), )?--([a-z-]+)(?: ([A-Z/=]+))?  ", granary(name, "--help").out, re.MULTILINE)]
            for name in names if name != "help"}


@test("-")
def every_command_and_option_is_in_what_is_generated():
    known = commands()
    check({"status", "restore", "render", "completion", "manual"} <= set(known) and len(known) > 10, f"{list(known)}")
    check(("o", "output", "FORM") in known["status"] and (None, "as-of", "TIME") in known["restore"], f"{known}")
    manual = granary("manual").out.replace("\\-", "-")
    scripts = {shell: granary("completion", shell).out for shell in SHELLS}
    for name, options in known.items():
        check(re.search(rf"^\.SS {name}\b", manual, re.MULTILINE), f"the man page has no {name}")
        check(re.search(rf"^    {name}\) given=", scripts["bash"], re.MULTILINE), f"bash has no {name}")
        check(re.search(rf"^    {name}\)$", scripts["zsh"], re.MULTILINE), f"zsh has no {name}")
        section = re.search(rf"^\.SS {name}\b.*?(?=^\.S[SH])", manual, re.MULTILINE | re.DOTALL).group(0)
        zsh = re.search(rf"^    {name}\)$.*?;;", scripts["zsh"], re.MULTILINE | re.DOTALL).group(0)
        for letter, option, argument in options:
            shown = (f"-{letter}, " if letter else "") + f"--{option}" + (f" {argument}" if argument else "")
            check(f".B {shown}\n" in section, f"{name} --{option} is not in the man page")
            check(re.search(rf"^    {name}\) given=\".*--{option} ", scripts["bash"], re.MULTILINE), f"bash: {name} --{option}")
            check(f"--{option}" in zsh and ("'[" in zsh), f"zsh: {name} --{option}")
            check(re.search(rf"from {name}'.* -l {option} ", scripts["fish"]), f"fish: {name} --{option}")


def complete(*words):
    """What bash offers for the last word."""
    script = manifest("completion", granary("completion", "bash").out)
    done = subprocess.run(["bash", "-uc", 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                           '_kubectl_granary; printf "%s\\n" "${COMPREPLY[@]}"', "bash", script, "kubectl-granary", *words],
                          capture_output=True, text=True, timeout=60, check=False)
    check_equal((done.returncode, done.stderr), (0, ""), f"bash completes {words}")
    return done.stdout.split()


@test("-")
def bash_completes():
    file = manifest("some.yaml", "")
    rows = [(["re"], ["restore", "resume", "render"]), (["help", "tri"], ["trigger"]), (["restore", "--as"], ["--as-of"]),
            (["status", "-o", ""], ["text", "wide", "json", "yaml"]), (["status", "--output", "w"], ["wide"]),
            (["render", "-o", "d"], ["diff"]), (["completion", ""], ["-h", "--help", "-V", "--version", *SHELLS, "kubectl"]),
            (["render", "-f", file[:-5]], [file]), (["trigger", "-n", "x"], []), (["restore", "--to", "p"], []),
            (["nothing", ""], []), (["pause", "--wa"], []), (["trigger", "one", "--wa"], ["--wait"])]
    for words, wanted in rows:
        check_equal(sorted(complete(*words)), sorted(wanted), f"after {words}")


@test("-")
def kubectl_is_told_what_bash_would_complete():
    program = manifest("kubectl_complete-granary", granary("completion", "kubectl").out)
    os.chmod(program, 0o755)
    for words, wanted in [(["re"], ["resume", "render", "restore"]), (["status", "-o", "w"], ["wide"]), (["nothing", ""], [])]:
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "PATH": f"{os.path.abspath(BUILD)}:{os.environ['PATH']}"})
        lines = done.stdout.split()
        check_equal((done.stderr, sorted(lines[:-1]), lines[-1]), ("", sorted(wanted), ":4"), f"after {words}")


@test("-")
def scripts_and_man_page_are_read_without_a_complaint():
    readers = [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "-n"])]
    for shell, reader in readers:
        if shutil.which(reader[0]):
            done = subprocess.run([*reader, manifest("script", granary("completion", shell).out)],
                                  capture_output=True, text=True, timeout=60, check=False)
            check_equal((done.returncode, done.stderr), (0, ""), f"{reader}")
    page = granary("manual").out
    check("\033" not in page and not re.search(r"^\.(?!TH|S[HS]|PP|TP|nf|fi|BR?|I|br)", page, re.MULTILINE), "requests of the page")
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page, capture_output=True, text=True,
                              timeout=60, check=False)
        check_equal((done.returncode, done.stderr), (0, ""), "groff with all warnings")
        shown = subprocess.run(["groff", "-man", "-Tascii", "-P-c"], input=page, capture_output=True, text=True, timeout=60,
                               check=False).stdout
        check("kubectl granary restore -n shop deployment/web --wait" in shown, "an example, with its dashes")


@test("-")
def other_shells_are_refused():
    check("bash, zsh, fish and kubectl" in granary("completion", "tcsh", code=2).err, "tcsh")
    check("SHELL is needed" in granary("completion", code=2).err, "none")
    check('"x" is not expected' in granary("manual", "x", code=2).err, "an operand")
