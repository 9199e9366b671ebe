"""Contests that nobody had to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from evaluate.bench.contest import Contest
from evaluate.bench.runs import Run, Series

STAGES = {"interpreter": 0.1, "imports": 1.0, "read": 0.2, "write": 0.1, "teardown": 0.1}
WORK = {"resize": 0.1, "encode": 0.2, "text": 0.1, "decode": 0.5, "labels": 0.1}
MakeContest = Callable[..., Contest]


@pytest.fixture
def make_contest() -> MakeContest:
    """A contest by its wall times, one of each process per round, and the product's peak."""

    def make(
        name: str = "8 prompts, 2x3x4",
        floor: Sequence[float] = (1.0, 2.0, 1.5),
        product: Sequence[float] = (3.0, 3.6, 2.4),
        peak: float = 900.0,
        reference: Sequence[float] = (),
        device: str = "cpu",
    ) -> Contest:
        least = [
            Run(
                seconds=s,
                cpu_seconds=2 * s,
                peak_memory_mb=300,
                stages=STAGES,
                start=1.25,
                slowest=0.2,
            )
            for s in floor
        ]
        whole = [
            Run(
                seconds=s,
                cpu_seconds=2 * s,
                peak_memory_mb=peak,
                stages={**STAGES, **WORK},
                start=2.0,
                slowest=0.8,
            )
            for s in product
        ]
        other = [
            Run(seconds=s, cpu_seconds=2 * s, peak_memory_mb=8000, stages={}) for s in reference
        ]
        return Contest(
            name=name,
            floor=Series(least),
            product=Series(whole),
            reference=Series(other) if other else None,
            foreground=0.25,
            equal=0.999 if other else None,
            machine={"device": device, "threads": 2, "versions": {"torch": "2", "numpy": "3"}},
        )

    return make
