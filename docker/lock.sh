#!/bin/sh
# Write docker/locks: every package of the images with its version and the hashes of its files.
#
#   sh docker/lock.sh [TORCH_LINKS]
#
# TORCH_LINKS: where the CPU build of torch is found, a folder or a page of links
# (default: PyTorch's own). Needs the network and uv (tests/requirements.txt). Locks are for
# Python 3.11 on x86_64 Linux, as in the image; afterwards: python -m docker.licences --write
set -eu
cd "$(dirname "$0")/.."
links=${1:-https://download.pytorch.org/whl/cpu/torch/}
locks=docker/locks
torch=$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Compile NAME from requirement files under the versions that were chosen for all of them together.
compile() {
    name=$1
    shift
    .venv/bin/uv pip compile --quiet --no-header --no-annotate --generate-hashes \
        --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
        --constraints "$work/all" "$@" --output-file "$locks/$name.txt"
}

echo "$torch" >"$work/cuda"
echo "$torch+cpu" >"$work/cpu"
: >"$work/all"
.venv/bin/uv pip compile --quiet --no-annotate --python-version 3.11 --find-links "$links" \
    --python-platform x86_64-unknown-linux-gnu --overrides "$work/cpu" \
    requirements.txt train/requirements.txt evaluate/requirements.txt docker/requirements-sbom.txt |
    grep -v '^torch==' >"$work/versions"
mv "$work/versions" "$work/all"
compile "$torch" "$work/cuda"
compile "$torch+cpu" --find-links "$links" "$work/cpu"
compile requirements --find-links "$links" --overrides "$work/cpu" --no-emit-package torch requirements.txt
compile train --find-links "$links" --overrides "$work/cpu" --no-emit-package torch \
    train/requirements.txt evaluate/requirements.txt
compile sbom docker/requirements-sbom.txt
