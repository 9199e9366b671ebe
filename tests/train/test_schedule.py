from __future__ import annotations

import pytest

from train.config import LengthConfig
from train.schedule import Progress, Schedule


def _plan(warmup: float = 0.1, **length: float) -> Schedule:
    return Schedule.plan(
        LengthConfig(**length),  # type: ignore[arg-type]
        warmup,
        pairs=100,
        prompts_per_step=16,
    )


def test_the_length_can_be_steps_minutes_or_epochs() -> None:
    progress = Progress(step=30, seconds=90)
    assert _plan(steps=120).share(progress) == 0.25
    assert _plan(minutes=2.0).share(progress) == 0.75
    assert _plan(epochs=3.0).steps == 19  # 300 prompts, 16 a step


def test_the_rate_rises_then_falls_as_a_cosine() -> None:
    plan = _plan(steps=100)
    assert plan.rate(0.0) == 0.01
    assert plan.rate(0.05) == pytest.approx(0.5)
    assert plan.rate(0.1) == pytest.approx(1.0)
    assert plan.rate(0.55) == pytest.approx(0.5)
    assert plan.rate(1.0) == plan.rate(1.5) == pytest.approx(0.0)


def test_without_warm_up_the_rate_begins_at_its_peak() -> None:
    assert _plan(warmup=0.0, steps=5).rate(0.0) == 1.0
