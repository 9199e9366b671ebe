#!/bin/sh
# Save the image as the organizers load it: NAME.tar.gz that holds NAME:latest.
#
#   sh docker/save.sh [NAME] [FOLDER]
set -eu
name=${1:-text3dsam} folder=${2:-.}
engine=$(command -v docker || command -v podman) ||
    { echo "save.sh: expected docker or podman, found neither" >&2; exit 2; }
mkdir -p "$folder"
"$engine" save --output "$folder/$name.tar" "$name:latest"
gzip --force "$folder/$name.tar"
echo "$folder/$name.tar.gz"
