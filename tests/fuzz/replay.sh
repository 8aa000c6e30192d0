#!/usr/bin/env bash
# Runs replay programs (their paths are the arguments) over their corpora and adds up the results.
set -euo pipefail
cd "$(dirname "$0")/../.."

passed=0 failed=0

for program in "$@"; do
    name=${program##*/replay_}
    status=0
    line=$("$program" "tests/fuzz/corpus/$name") || status=$?
    echo "corpus $name: $line"
    read -r p f < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p' <<<"$line") || p=0 f=1
    passed=$((passed + p)) failed=$((failed + f))
    [ "$status" = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
