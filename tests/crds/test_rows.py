"""Each row through `kubectl-granary validate`."""

import json

from harness import check, test
from program import granary
from rows import ROWS, edited, title


def findings(document):
    """[(field, message)] of the errors of one document."""
    text = json.dumps(document)
    ran = granary_any(text)
    found = []
    for line in ran.out.splitlines():
        if ": error: " in line:
            field, _, message = line.partition(": error: ")[2].partition(": ")
            found.append((field, message))
    return found


def granary_any(text):
    """validate ends with 0 or 1; anything else is a fault of the program."""
    try:
        return granary("validate", "-f", "-", stdin=text)
    except AssertionError:
        return granary("validate", "-f", "-", stdin=text, code=1)


def is_near(field, wanted):
    """The same field, or one above or below it."""
    return field == wanted or any(
        long.startswith(short) and long[len(short)] in ".["
        for short, long in ((field, wanted), (wanted, field)) if len(long) > len(short))


def fault(base, edits, expectation):
    who, field, words, _ = expectation
    found = findings(edited(base, edits))
    if who == "fine":
        return f"is refused: {found}" if found else None
    if any(is_near(at, field) and words in message for at, message in found):
        return None
    return f"wanted {field}: {words}; got {found}"


@test("-")
def each_row_is_judged_as_it_says():
    check(len(ROWS) >= 150, f"only {len(ROWS)} rows")
    wrong = [f"{title(base, edits)}\n    {trouble}" for base, edits, expectation in ROWS
             if (trouble := fault(base, edits, expectation))]
    check(not wrong, f"{len(wrong)} of {len(ROWS)} rows:\n" + "\n".join(wrong))
