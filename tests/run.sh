#!/usr/bin/env bash
# Runs `make STAGE` for each stage in turn, with progress, and adds up their "N passed, N failed"
# lines. A stage that fails, or that ran nothing, fails the whole.
# Usage: tests/run.sh STAGE... [ // STAGE... ]...
# What stands behind // runs side by side with what stands before it; each stage's output is then
# shown in one piece, when it has ended. Stages that build the same files belong on one side.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d) running=()

# the sides have process groups of their own, since Ctrl-C does not reach what runs behind
clean_up() {
    local side

    for side in "${running[@]}"; do
        # one that has ended has no group any more
        if kill -0 -- "-$side" 2>/dev/null; then kill -- "-$side"; fi
        # it ends by that signal; whether it was broken before does not count any more
        if wait "$side"; then :; fi
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# STAGE LOG: its exit status
run_stage() {
    local status=0

    if [ "$sides" = 1 ]; then
        echo "== $1"
        make --no-print-directory "$1" 2>&1 | tee "$2" || status=$?
    else
        echo "== $1 begins"
        make --no-print-directory "$1" >"$2" 2>&1 || status=$?
        flock "$folder" sed "1i == $1" "$2"
    fi
    return "$status"
}

# appends "STAGE STATUS PASSED FAILED" to the results
run_side() {
    local stage started status log passed failed

    for stage in "$@"; do
        started=$SECONDS status=0 log=$(mktemp -p "$folder")
        run_stage "$stage" "$log" || status=$?
        read -r passed failed < <(awk '/^[0-9]+ passed, [0-9]+ failed$/ {p += $1; f += $3} END {print p + 0, f + 0}' "$log")
        echo "$stage $status $passed $failed" >>"$folder/results"
        echo "== $stage took $((SECONDS - started)) s$([ "$status" = 0 ] || echo ", FAILED")"
    done
}

# STAGE...: behind, as a side
start_side() {
    set -m
    run_side "$@" &
    running+=($!)
    set +m
}

stages=0 sides=1 side=()
for stage in "$@"; do
    if [ "$stage" = // ]; then sides=$((sides + 1)); else stages=$((stages + 1)); fi
done

for stage in "$@"; do
    if [ "$stage" = // ]; then
        start_side "${side[@]}"
        side=()
    else
        side+=("$stage")
    fi
done
run_side "${side[@]}"
for side in "${running[@]}"; do
    wait "$side"
done
running=()

passed=0 failed=0 broken=() ended=0
while read -r stage status p f; do
    passed=$((passed + p)) failed=$((failed + f)) ended=$((ended + 1))
    if [ "$status" != 0 ] || [ "$p" = 0 ] || [ "$f" != 0 ]; then
        broken+=("$stage")
        [ "$f" != 0 ] || failed=$((failed + 1))
    fi
done <"$folder/results"
[ "$ended" = "$stages" ] || { echo "a side ended early"; exit 1; }
[ ${#broken[@]} -eq 0 ] || echo "failed: ${broken[*]}"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ ${#broken[@]} -eq 0 ]
