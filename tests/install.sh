#!/usr/bin/env bash
# Installs the Debian packages that are missing. Usage: tests/install.sh PURPOSE PACKAGE...
# Says which; uses root or sudo; without either, says what to install by hand and fails.
set -euo pipefail

purpose=$1
shift

missing=()
for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || echo absent)" = installed ] ||
        missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

echo "To $purpose, these Debian packages are missing: ${missing[*]}"
if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo)
elif command -v sudo >/dev/null && [ -t 0 ]; then
    as_root=(sudo)
else
    echo "Installing them needs root. Please run as root, then repeat the command:"
    echo "    apt-get update && apt-get install -y ${missing[*]}"
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing them ..."
if ! { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log"
    echo "apt-get failed (its last lines are above). Please install by hand: ${missing[*]}"
    exit 1
fi
echo "Installed."
