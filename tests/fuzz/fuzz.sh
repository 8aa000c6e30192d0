#!/usr/bin/env bash
# Runs the fuzz targets named by the arguments, FUZZ_SECONDS each. What they learn stays in
# build/fuzz/corpus/<name>, what breaks them goes to build/fuzz/<name>-*.
set -euo pipefail
cd "$(dirname "$0")/../.."

broken=()

for name in "$@"; do
    learned=build/fuzz/corpus/$name
    options=(-max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048
        -artifact_prefix="build/fuzz/$name-" -print_final_stats=1)
    [ ! -f "tests/fuzz/$name.dict" ] || options+=(-dict="tests/fuzz/$name.dict")
    mkdir -p "$learned"
    echo "== fuzz $name, ${FUZZ_SECONDS:-60} s"
    "build/fuzz/fuzz_$name" "${options[@]}" "$learned" "tests/fuzz/corpus/$name" || broken+=("$name")
done
[ ${#broken[@]} -eq 0 ] || echo "broken: ${broken[*]}"
echo "$(($# - ${#broken[@]})) passed, ${#broken[@]} failed"
[ ${#broken[@]} -eq 0 ]
