#!/usr/bin/env bash
# Reads what COVERAGE=1 runs left behind: all lines over 90 %, every branch of the code that plans and
# of the code that makes patches. Prints the worst files.
set -euo pipefail

measure() {
    gcovr --root . --object-directory build/coverage --exclude 'tests/.*' --exclude-throw-branches \
        --gcov-ignore-parse-errors "$@" 2>/dev/null
}

passed=0 failed=0
judge() {
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1"
    fi
}

measure --txt | sed -n '/^File/p; /^TOTAL/p; /\.c /p' | sort -t% -k1,1 | awk '{print $1, $4}' | sort -k2,2n | head -n 20
lines=$(measure --json-summary | python3 -c 'import json, sys; print(json.load(sys.stdin)["line_percent"])')
echo "lines: $lines %"
judge "less than 90 % of the lines are tested" "$(python3 -c "print(0 if $lines >= 90 else 1)")"
# file and the share of its branches that must be tested
while read -r file least; do
    share=$(measure --branches --filter "$file" --json-summary |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["branch_percent"])')
    echo "$file: $share % of its branches"
    judge "$file: less than $least %" "$(python3 -c "print(0 if $share >= $least else 1)")"
done <<'GATES'
base/patch_diff.c 100
base/patch_apply.c 100
base/pointer.c 100
api/plan.c 100
GATES
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
