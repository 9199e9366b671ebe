#!/bin/sh
# Install what a lock names, each file only if its hash is one of those in the lock.
#
#   sh install.sh LOCK [SHA256]      LOCK: a name beside this script, such as torch==2.13.0+cpu
#
# SHA256: one more hash that is accepted for the package LOCK is named after, for a wheel of the same
# version from another place. No package is built here: a setup script would be unchecked code.
set -eu
cd "$(dirname "$0")"
lock=$1.txt sha256=${2:-}
if [ ! -f "$lock" ]; then
    echo "install.sh: expected one of$(printf ' %s' *.txt), received $1: docker/lock.sh makes locks" >&2
    exit 2
fi
if [ -n "$sha256" ]; then
    # After the line that names the package.
    sed "s/^$1 .*/&\n    --hash=sha256:$sha256 \\\\/" "$lock" >/tmp/lock.txt
    lock=/tmp/lock.txt
fi
exec pip install --no-cache-dir --require-hashes --no-deps --only-binary :all: -r "$lock"
