from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest

from train import pool
from train.pool import default_workers, map_unordered, progress


def double_or_die(task: int) -> int:
    if task < 0:
        os._exit(1)
    return 2 * task


def dead(task: int) -> int:
    return 1000 + task


@pytest.mark.parametrize("workers", [0, 2])
def test_all_results_come(workers: int) -> None:
    results = map_unordered(double_or_die, range(30), workers, dead)
    assert sorted(results) == [2 * i for i in range(30)]


def test_a_task_that_kills_its_worker_takes_no_other_with_it() -> None:
    tasks = [0, 1, 2, -5, 3, 4, 5, 6, 7, 8, 9]
    results = sorted(map_unordered(double_or_die, tasks, 1, dead))
    assert results == [2 * i for i in range(10)] + [995]


def test_tasks_are_drawn_as_they_are_needed() -> None:
    drawn = []

    def tasks() -> Iterator[int]:
        for i in range(100):
            drawn.append(i)
            yield i

    results = map_unordered(double_or_die, tasks(), 1, dead)
    next(results)
    assert len(drawn) <= pool.IN_FLIGHT_PER_WORKER + 1
    results.close()  # type: ignore[attr-defined]


def test_progress_in_a_log_is_whole_lines(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool.sys.stderr, "isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO):
        assert list(progress("abc", 3, "index")) == ["a", "b", "c"]
    assert len(caplog.messages) == 1
    assert "index: 100%" in caplog.messages[0]
    assert "3/3" in caplog.messages[0]
    monkeypatch.setattr(pool, "LOG_SECONDS", 0.0)
    with caplog.at_level(logging.INFO):
        list(progress("abc", 3, "index"))
    assert len(caplog.messages) == 4


def test_there_is_a_worker_at_least() -> None:
    assert default_workers() >= 1
