from __future__ import annotations

import math

import pytest

from predict.governor import (
    CAUTION,
    END_OF_START,
    OVERHEAD_VOXELS,
    SECONDS_PER_CLASS,
    UNPLANNED_SHARE,
    Governor,
    StageTimes,
    by_worth,
)
from predict.second_look import Look

VOXELS = 8_000_000
WINDOW = ((0.0, 5.0), (0.0, 5.0), (0.0, 5.0))


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(budget: float, clock: Clock, times: StageTimes | None = None, **more: float) -> Governor:
    seen = StageTimes({"encode": 4.0, "decode": 0.5, "read": 0.0, "labels": 0.0, "write": 0.0})
    return Governor(
        budget,
        times or seen,
        voxels=VOXELS,
        classes=30,
        clock=clock,
        **more,  # type: ignore[arg-type]
    )


def test_a_stage_counts_at_its_slowest_and_forgets_slowly() -> None:
    times = StageTimes()
    assert times.estimate("encode", 3) == 0
    times.observe("encode", 2, 8.0)
    assert times.estimate("encode", 1) == 4
    times.observe("encode", 1, 10.0)
    assert times.estimate("encode", 1) == 10
    times.observe("encode", 1, 2.0)
    assert times.estimate("encode", 1) == 6


def test_without_a_limit_everything_is_affordable(clock: Clock) -> None:
    governor = make(math.inf, clock)
    clock.now += 1e9
    assert governor.affordable(255, passes=2, windows=8) == 255
    assert governor.remarks() == ()


def test_as_many_prompts_as_fit_are_affordable(clock: Clock) -> None:
    governor = make(100, clock)
    usable = 100 * (1 - UNPLANNED_SHARE) - CAUTION * governor.reserve()
    each = CAUTION * 2 * 0.5
    assert governor.left() == pytest.approx(usable)
    assert governor.affordable(30, passes=2) == 30
    assert governor.affordable(1000, passes=2) == int(usable / each)
    assert governor.affordable(1000, passes=2, windows=3) == int((usable - CAUTION * 12) / each)
    clock.now += usable - 3.5 * each
    assert governor.affordable(30, passes=2) == 3
    assert governor.affordable(30, passes=2, windows=1) == 0
    clock.now += 4 * each
    assert governor.affordable(1, passes=2) == 0


def test_what_was_spent_before_and_comes_after_is_taken_off(clock: Clock) -> None:
    plain, late = make(100, clock), make(100, clock, spent=30.0, ending=END_OF_START * 30.0)
    assert plain.left() - late.left() == pytest.approx(30 + CAUTION * END_OF_START * 30)


def test_drawing_and_writing_not_seen_yet_are_told_from_reading(clock: Clock) -> None:
    times = StageTimes()
    governor = make(100, clock, times)
    fast = governor.reserve()
    governor.observe("read", 12.0)
    assert governor.reserve() == pytest.approx(2 * 3 * 12)
    assert fast < 1
    governor.observe("labels", 3.0)
    governor.observe("write", 2.0)
    assert governor.reserve() == pytest.approx(5)


def test_a_tiny_case_does_not_frighten_a_large_one(clock: Clock) -> None:
    times = StageTimes()
    tiny = Governor(60, times, voxels=300, classes=1, clock=clock)
    tiny.observe("labels", 0.002)
    tiny.observe("write", 0.002)
    large = Governor(60, times, voxels=600_000_000, classes=1, clock=clock)
    assert large.reserve() == pytest.approx(2 * 0.002 * (6e8 / OVERHEAD_VOXELS), rel=0.01)


def test_objects_are_timed_apart_from_classes(clock: Clock) -> None:
    times = StageTimes()
    nuclei = Governor(60, times, voxels=VOXELS, classes=1, instance=True, clock=clock)
    nuclei.observe("labels", 50.0)
    assert make(60, clock, times).reserve() < 1


def test_the_report_says_what_was_dropped_and_what_came_late(clock: Clock) -> None:
    governor = make(100, clock)
    assert governor.dropped(0) == ()
    assert governor.dropped(7) == ("7 of 30 prompts keep their coarse mask",)  # not for time
    governor.affordable(1000, passes=2)
    assert governor.dropped(7) == ("time: 7 of 30 prompts keep their coarse mask (limit 100 s)",)
    assert governor.remarks() == ()
    clock.now += 101
    assert governor.remarks() == ("time: 101 s, limit 100 s",)


def test_objects_are_cut_until_the_mask_must_be_written(clock: Clock) -> None:
    times = StageTimes({"write": 10 / (VOXELS + OVERHEAD_VOXELS)})
    governor = make(100, clock, times)
    clock.now += 100 * (1 - UNPLANNED_SHARE) - CAUTION * 10 - 0.1
    assert governor.may_cut()
    clock.now += 0.2
    assert [governor.may_cut() for _ in range(3)] == [False] * 3
    assert governor.remarks() == ("time: 3 objects were not cut where they may touch others",)


def test_whole_looks_come_first_then_windows_by_prompts() -> None:
    one, two, whole = Look((1,), WINDOW), Look((2, 3), WINDOW), Look((0,), None)
    assert by_worth([one, two, whole]) == [whole, two, one]


def test_the_default_is_the_challenge_s() -> None:
    assert SECONDS_PER_CLASS == 60
