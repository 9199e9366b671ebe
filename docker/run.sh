#!/bin/sh
# Run the image on a folder as the challenge does.
#
#   sh docker/run.sh INPUTS OUTPUTS [NAME]
set -eu
[ $# -ge 2 ] || { echo "run.sh: expected INPUTS OUTPUTS [NAME], received $# arguments" >&2; exit 2; }
inputs=$(cd "$1" && pwd) name=${3:-text3dsam}
mkdir -p "$2"
outputs=$(cd "$2" && pwd)
engine=$(command -v docker || command -v podman) ||
    { echo "run.sh: expected docker or podman, found neither" >&2; exit 2; }
gpu=
if nvidia-smi -L >/dev/null 2>&1; then gpu='--gpus device=0'; fi
# shellcheck disable=SC2086  # no GPU: no argument
exec "$engine" container run $gpu --memory 32G --rm --user "$(id -u):$(id -g)" \
    --volume "$inputs:/workspace/inputs/" --volume "$outputs:/workspace/outputs/" \
    "$name:latest" /bin/bash -c "sh predict.sh"
