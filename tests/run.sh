#!/usr/bin/env bash
# Runs `make STAGE` for each stage in turn, with progress, and adds up their "N passed, N failed"
# lines. A stage that fails, or that ran nothing, fails the whole.
set -euo pipefail
cd "$(dirname "$0")/.."

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 broken=()

for stage in "$@"; do
    started=$SECONDS
    echo "== $stage"
    status=0
    make --no-print-directory "$stage" 2>&1 | tee "$log" || status=$?
    read -r p f < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ {p += $1; f += $3} END {print p + 0, f + 0}' "$log")
    passed=$((passed + p)) failed=$((failed + f))
    if [ "$status" != 0 ] || [ "$p" = 0 ]; then
        broken+=("$stage")
        [ "$f" != 0 ] || failed=$((failed + 1))
    fi
    echo "== $stage took $((SECONDS - started)) s"
done
[ ${#broken[@]} -eq 0 ] || echo "failed: ${broken[*]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ ${#broken[@]} -eq 0 ]
