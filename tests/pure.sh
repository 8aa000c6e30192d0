#!/usr/bin/env bash
# The core decides and touches nothing: its objects may only call each other, jansson, and what of
# the C library neither reads the clock nor files nor the network. And includes point downwards.
# Usage: tests/pure.sh BUILD
set -euo pipefail
build=$1
failed=0 passed=0

say() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$1:"
        echo "$2" | sed 's/^/    /'
    fi
}

# lines that do not match; none is fine, an error is not
without() {
    local status=0

    grep -vE "$1" || status=$?
    [ "$status" -le 1 ]
}

ours=$(nm --defined-only -g "$build"/{base,api,mutators}/*.o | awk 'NF == 3 {print $3}' | sort -u)
known='^(json_[a-z0-9_]+|mem[a-z0-9_]+|(__)?str[a-z0-9_]+|(__)?(v?sn?printf|vsnprintf|snprintf|memcpy|memmove|strncpy|explicit_bzero)_chk|explicit_bzero|v?snprintf|(__isoc99_)?sscanf|malloc|calloc|realloc|free|abort|qsort|bsearch|__stack_chk_fail|__assert_fail|__ctype_[a-z_]+|_GLOBAL_OFFSET_TABLE_|gnutls_hash_fast|__u(div|mod|divmod)ti[34]|ldexp|isnan|isinf|lround|abs|labs)$'
for folder in api mutators; do
    for object in "$build/$folder"/*.o; do
        strange=$(comm -23 <(nm -u "$object" | awk '{print $NF}' | sort -u) <(echo "$ours") |
            without "$known")
        say "$object calls what is not known as pure" "$strange"
    done
done
# of the controllers, what decides; it reads moments as the API writes them
reads='^time_parse$'
deciding=$(ls "$build"/controllers/*_next.o "$build"/controllers/{blueprint_status,claims,condition,configuration_read,coverage,cronjob_state,exposition,hosts,pod_trouble,references,repository_times,run_figures,schedule_kept,session_{make,read},{restore,session}_status,slot,status_parts,target_metrics}.o)
deciding+=" $(ls "$build"/controllers/{etcd_flags,job_{app,make,parts,volumes},maintenance_{job,status},progress_status,repository_holders}.o)"
decide=$(nm --defined-only -g $deciding | awk 'NF == 3 {print $3}')
for object in $deciding; do
    strange=$(comm -23 <(nm -u "$object" | awk '{print $NF}' | sort -u) \
        <(printf '%s\n' "$ours" "$decide" | sort -u) | without "$known|$reads")
    say "$object calls what is not known as pure" "$strange"
done

# folder: what it may include
while read -r folder allowed; do
    wrong=$(grep -nE '^#include "' "$folder"/*.[ch] | without "#include \"($allowed)/")
    say "$folder/ includes from above" "$wrong"
done <<'RULES'
base base
api api|base
mutators mutators|api|base
kube kube|base
certs certs|base
http http|base
settings settings|api|kube|base
webhook webhook|mutators|api|kube|certs|http|settings|base
controllers controllers|mutators|api|kube|certs|http|settings|base
agent agent|api|certs|base
cli cli|controllers|webhook|mutators|api|kube|settings|base
RULES

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
