"""The clock jumps: masks and durations do not."""

from __future__ import annotations

import ast
import itertools
import json
import time
from pathlib import Path

import pytest

from predict.cli import main
from predict.exit_status import GOOD
from tests.faults.conftest import Job
from tests.faults.small_cases import ROOT

JUMPS = (0.0, 4e9, -3e9, 1.0, 1e12)
WALL_CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow")}


def wall_clocks(path: Path) -> list[str]:
    """Where a file asks for the time of the day."""
    return [
        f"{path.name}:{node.lineno}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in WALL_CLOCKS
    ]


def test_prediction_never_asks_for_the_time_of_the_day() -> None:
    found = {
        path.name: places
        for path in (ROOT / "predict").rglob("*.py")
        if (places := wall_clocks(path))
    }
    assert set(found) == {"export.py"}  # the date of an export, for people


def test_a_jumping_clock_changes_neither_masks_nor_durations(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(job.arguments()) == GOOD
    expected = job.masks()
    jumps = itertools.cycle(JUMPS)
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + next(jumps))
    assert main(job.arguments()) == GOOD
    assert job.masks() == expected
    report = json.loads((job.outputs / "report.json").read_text())
    durations = [value for case in report["cases"] for value in case["seconds"].values()]
    durations += report["startup"].values()
    assert all(0 <= value < 1e6 for value in durations)
