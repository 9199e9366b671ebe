from __future__ import annotations

import pytest

from evaluate.bench.runs import Run, Series


def run(seconds: float, peak: float, **stages: float) -> Run:
    return Run(
        seconds=seconds,
        cpu_seconds=seconds + 1,
        peak_memory_mb=peak,
        stages=stages,
        start=1.0,
        slowest=2.0,
    )


def test_what_is_typical_of_runs() -> None:
    series = Series([run(3, 10, read=1.0), run(9, 30, read=3.0, device=4.0), run(5, 20, read=2.0)])
    assert series.seconds == 5
    assert series.cpu_seconds == 6
    assert series.spread == (3, 9)
    assert series.peak_memory_mb == 30
    assert series.start == 1.0
    assert series.stages() == {"read": [1.0, 3.0, 2.0], "device": [0.0, 4.0, 0.0]}


def test_a_folder_against_its_slowest_stages() -> None:
    series = Series([run(3, 1), run(9, 1), run(5, 1)])
    assert series.folder_ratio == pytest.approx((5 - 1) / 2)
