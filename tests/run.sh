#!/bin/sh
# Set up what the tests need, then lint, check types and run every test.
#
#   sh tests/run.sh [PYTEST OPTION ...]
#
# With TEXT3DSAM_IMAGE_TESTS=1 the container images are built and tried out too (minutes).
set -eu
cd "$(dirname "$0")/.."
sh predict.sh --set-up
wanted() {
    cat tests/requirements.txt train/requirements.txt evaluate/requirements.txt \
        predict/requirements-dicom.txt predict/requirements-surface.txt \
        predict/requirements-ray.txt serve/requirements.txt
}
stamp=.venv/tests-requirements.txt
if ! wanted | cmp -s - "$stamp"; then
    .venv/bin/pip install --quiet -r tests/requirements.txt
    wanted > "$stamp"
fi
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/shellcheck predict.sh docker/*.sh docs/cluster/*.sh tests/run.sh .ci/run
.venv/bin/hadolint Dockerfile docker/train.Dockerfile
exec .venv/bin/python -m pytest "$@"
