#!/usr/bin/env bash
# The program of $PROGRAM under valgrind, in the place of it: tests see exit code 9 and a report on
# standard error when it touches what it must not, or loses memory.
set -euo pipefail
exec valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite "$PROGRAM" "$@"
