from __future__ import annotations

from pathlib import Path

import pytest

from evaluate.cli import main
from evaluate.limits.memory import SHAPES, Measured, format_line
from evaluate.limits.process import Seen
from evaluate.limits.volumes import Volume

SMALL = Volume(shape=(4, 5, 6))


def seen(*, peak: int, status: int = 0) -> Seen:
    return Seen(status=status, seconds=1.0, peak=peak * 2**20, case={}, message="killed")


@pytest.mark.parametrize(
    ("planned", "peak", "status", "good"),
    [(800, 1000, 0, True), (1250, 1000, 0, True), (740, 1000, 0, False), (1000, 1000, -9, False)],
)
def test_a_plan_is_good_within_a_quarter_of_the_peak(
    planned: float, peak: int, status: int, good: bool
) -> None:
    case = Measured(SMALL, planned, seen(peak=peak, status=status))
    assert case.good is good
    line = format_line(case)
    assert line.startswith("4x5x6 uint8, 1 prompts")
    assert line.endswith("ok" if good else "off" if status == 0 else "exit status -9 killed")


def test_ten_shapes_are_measured() -> None:
    volumes = [Volume.parse(text) for text in SHAPES]
    assert len({volume.shape for volume in volumes}) == 10
    assert Volume(shape=(600, 1024, 1024), prompts=30) in volumes


def test_a_real_run(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "20x30x25:uint8:3", "--bundle", str(tiny_bundle)]) in (0, 1)
    line = capsys.readouterr().out
    assert "planned" in line
    assert "exit status" not in line
