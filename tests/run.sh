#!/bin/sh
# Set up what the tests need, then lint, check types and run every test.
set -eu
cd "$(dirname "$0")/.."
sh predict.sh --set-up
files="tests/requirements.txt train/requirements.txt evaluate/requirements.txt"
stamp=.venv/tests-requirements.txt
if ! cat $files | cmp -s - "$stamp"; then
    .venv/bin/pip install --quiet -r tests/requirements.txt
    cat $files > "$stamp"
fi
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
