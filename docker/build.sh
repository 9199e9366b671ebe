#!/bin/sh
# Build the prediction image.
#
#   sh docker/build.sh [NAME] [OPTION ...]     NAME: team name, lower case (default text3dsam)
#
# Options go to `docker build`, e.g. --build-arg TORCH=torch==2.13.0+cpu --build-arg BUNDLE=weights/mine
set -eu
cd "$(dirname "$0")/.."
name=text3dsam
case ${1:-} in '' | -*) ;; *) name=$1; shift ;; esac
engine=$(command -v docker || command -v podman) ||
    { echo "build.sh: expected docker or podman, found neither" >&2; exit 2; }
exec "$engine" build --tag "$name:latest" "$@" .
