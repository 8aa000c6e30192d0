#!/usr/bin/env bash
# clang-tidy, cppcheck and banned calls over what git knows, or over the files named.
set -euo pipefail
failed=0 passed=0
sources=${*:-$(git ls-files 'base/*.c' 'api/*.c' 'mutators/*.c' 'kube/*.c' 'certs/*.c' 'http/*.c' 'webhook/*.c' 'controllers/*.c' 'agent/*.c' 'cli/*.c')}
sources=$(printf '%s\n' $sources)

judge() {
    local name=$1
    shift
    if "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name: see above"
    fi
}

# Calls that can not be bounded, that run a shell, or that have a safe sister in base/.
no_banned_calls() {
    ! grep -nE '\b(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|system|popen|rand|tmpnam|mktemp|alloca|goto)\b *\(|^\s*goto ' $sources
}

tidy() {
    # any string will do for the two words that the build defines
    export flags="-std=gnu17 -D_GNU_SOURCE -I. -DGRANARY_VERSION=__FILE__ -DGRANARY_COMMIT=__FILE__"
    # its count of suppressed warnings goes to standard error, findings to standard output
    echo "$sources" | xargs -P 2 -n 4 bash -c 'clang-tidy-14 --quiet "$@" -- $flags 2>/dev/null' _
}

# cppcheck does not read our macros of attributes and statement expressions, so it gets simple ones
check() {
    cppcheck --quiet --error-exitcode=1 --std=c11 --language=c -j 2 -I. \
        --enable=warning,performance,portability --inline-suppr \
        '-DAUTO(kind)=' '-DMUST_CHECK=' -D__cppcheck__ \
        --suppress=missingIncludeSystem --suppress=nullPointerOutOfMemory \
        --suppress=unknownMacro --suppress=duplicateAssignExpression --suppress=internalAstError --suppress=autoVariables $sources
}

judge "banned calls" no_banned_calls
echo "clang-tidy reads $(echo "$sources" | wc -l) files ..."
judge clang-tidy tidy
echo "cppcheck reads them too ..."
judge cppcheck check
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
