"""docs/test-catalogue.md against the tests: each id is tested or says why not, and each test named is there."""

import glob
import os
import re

from harness import check, check_equal, test

PAGE = "docs/test-catalogue.md"
SOURCES = [path for kind in ("c", "h", "py") for path in glob.glob(f"tests/**/*.{kind}", recursive=True)]
AREAS = {"H": 27, "J": 24, "JP": 7, "Y": 8, "AF": 20, "LD": 8}  # numbered without a gap
ID = r"\b(?:H|J|JP|Y|SEC|AF|LD)[0-9]+\b"


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def rows(header):
    """The rows, each a list of cells, of the tables whose first column has this name."""
    found, wanted = [], False
    for line in read(PAGE).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            wanted = False
        elif wanted and not cells[0].startswith("---"):
            found.append(cells)
        elif cells[0] == header:
            wanted = True
    check(found, f"no table of each {header}")
    return found


def places():
    """{id: where it is tested}."""
    return {one: where for ids, _, where in rows("id") for one in re.findall(ID, ids)}


def tests_of(path):
    text = read(path)
    return set(re.findall(r"^START_TEST\((\w+)\)", text, re.M)) | set(re.findall(r"^@test\(.*?\)\ndef (\w+)", text, re.M))


def files_named(name):
    return [path for path in SOURCES if path == name or os.path.basename(path) == name]


@test("-")
def each_id_is_in_the_catalogue_once():
    ids = [one for cells in rows("id") for one in re.findall(ID, cells[0])]
    check_equal(sorted(ids), sorted(set(ids)), "ids")
    for area, last in AREAS.items():
        for number in range(1, last + 1):
            check(f"{area}{number}" in ids, f"{PAGE} lacks {area}{number}")


@test("-")
def each_id_is_named_by_a_test():
    named = set()
    for path in SOURCES:
        if path != "tests/cli/test_catalogue.py":
            named |= set(re.findall(ID, re.sub(r'#define .*|"[^"]*\\x[^"]*"', "", read(path))))
    for one, where in places().items():
        check(one in named or "not here" in where, f"no test names {one}")
    for one in named:
        check(one in places(), f"a test names {one}, which {PAGE} lacks")


@test("-")
def each_test_of_the_catalogue_exists():
    known = set().union(*map(tests_of, SOURCES))
    for one, where in places().items():
        for name in re.findall(r"`((?:\w+/)*\w+\.(?:c|h|py))`", where):
            check(files_named(name) or os.path.exists(name), f"{one}: there is no {name}")
        for names, files in re.findall(r"((?:\w+, )*\w+) in ((?:`[\w/.]+`(?: and )?)+)", where):
            for file in re.findall(r"`(.*?)`", files):
                there = set().union(*map(tests_of, files_named(file)))
                check(set(names.split(", ")) <= there, f"{one}: {names} are not in {file}")
        for name in re.findall(r"\b[a-z]\w*_\w+\b", re.sub(r"`.*?`", "", where)):
            check(name in known, f"{one}: there is no test {name}")


@test("-")
def each_golden_case_of_the_catalogue_exists():
    cases = [cells[1] for cells in rows("situation")]
    cases += [names for where in places().values() for names in re.findall(r"golden ([a-z0-9, -]+)", where)]
    for text in cases:
        for name in re.findall(r"\b[a-z0-9]+(?:-[a-z0-9]+)+\b", text.replace("blueprint-gone-...", "")):
            check(os.path.exists(f"tests/golden/{name}/answer.json"), f"there is no golden case {name}")
