#!/usr/bin/python3
"""Counts the instructions of one decision: instructions.py BENCH FOLDER check|write.

BENCH is tests/bench/admit_bench, FOLDER what reviews.py made. Counted by callgrind, as the
difference of two runs, so that what happens once (loading, linking, the catalog) cancels out; the
environment is empty and the seed of the hash tables fixed. So the numbers are the same in every run,
and differ only where the compiler or the libraries do: instructions.txt names those that it was
written with. Where a machine has others, the limit is wider."""
import pathlib
import re
import subprocess
import sys
import tempfile

KEPT = pathlib.Path(__file__).parent / "instructions.txt"
PACKAGES = ["libc6", "libjansson4", "libgnutls30", "libnettle8", "valgrind"]
FEW, MANY = 1, 21
LIMIT, LIMIT_ELSEWHERE = 0.02, 0.10


def output(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options).stdout


def tools():
    """What the numbers depend on beside our own code: compiler, libraries, and the routines that
    glibc and nettle choose for the processor that valgrind shows them."""
    compiler = output("gcc", "--version").split("\n")[0]
    versions = output("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES).split("\n")
    wide = re.search(r"^flags\s*:.* avx2\b", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return [compiler, *filter(None, versions), "avx2" if wide else "no avx2"]


def count(bench, folder, review, reviews):
    with tempfile.NamedTemporaryFile() as out:
        output(
            "/usr/bin/valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={out.name}",
            bench, folder / "catalog", review, str(reviews), "--only", env={"LD_BIND_NOW": "1"},
        )
        return int(re.search(r"^summary: (\d+)", out.read().decode(), re.M).group(1))


def counted(bench, folder):
    return {
        review.stem: (count(bench, folder, review, MANY) - count(bench, folder, review, FEW)) // (MANY - FEW)
        for review in sorted(folder.glob("*.json"))
    }


def write(numbers):
    lines = ["# Instructions of one decision. `make check-instructions` compares, `make instructions` writes."]
    lines += [f"# {tool}" for tool in tools()]
    lines += [f"{name} {number}" for name, number in numbers.items()]
    KEPT.write_text("\n".join(lines) + "\n")


def limit():
    """2 % with the tools that the file names, 10 % with others, after saying which."""
    kept = [line[2:] for line in KEPT.read_text().splitlines()[1:] if line.startswith("# ")]
    other = [f"{had} there, {has} here" for had, has in zip(kept, tools()) if had != has]
    if len(kept) == len(tools()) and not other:
        return LIMIT
    print(f"instructions.txt was written with other tools, {LIMIT_ELSEWHERE:.0%} are let pass:", "; ".join(other))
    return LIMIT_ELSEWHERE


def check(numbers):
    kept = dict(line.split() for line in KEPT.read_text().splitlines() if not line.startswith("#"))
    allowed, failed = limit(), 0
    for name in sorted(numbers.keys() | kept.keys()):
        had, has = int(kept.get(name, 0)), numbers.get(name, 0)
        off = has / had - 1 if had else 1
        failed += abs(off) > allowed
        verdict = "ok" if abs(off) <= allowed else "FAILED (`make instructions` takes the new number)"
        print(f"  {name:<16}{has:>10} instructions, {off:+.2%} to {had}: {verdict}")
    print(f"{len(numbers.keys() | kept.keys()) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


def main():
    numbers = counted(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]))
    {"check": check, "write": write}[sys.argv[3]](numbers)


main()
