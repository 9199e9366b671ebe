#!/bin/sh
# Set up what the tests need, then lint, check types and run every test.
set -eu
cd "$(dirname "$0")/.."
sh predict.sh --set-up
stamp=.venv/tests-requirements.txt
if ! cat tests/requirements.txt evaluate/requirements.txt | cmp -s - "$stamp"; then
    .venv/bin/pip install --quiet -r tests/requirements.txt
    cat tests/requirements.txt evaluate/requirements.txt > "$stamp"
fi
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
exec .venv/bin/python -m pytest "$@"
