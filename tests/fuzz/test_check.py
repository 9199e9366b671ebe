from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fuzz.check
from fuzz.check import check
from fuzz.guard import Guard
from fuzz.targets import BOUND, Target
from predict.errors import CaseError


def _raise(error: Exception) -> Callable[[], object]:
    def read() -> object:
        raise error

    return read


def _spin() -> None:
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


READINGS: dict[str, tuple[Callable[[], object], str]] = {
    "read": (lambda: 1, ""),
    "refused": (_raise(CaseError("expected a, received b")), ""),
    "another error": (_raise(KeyError("x")), "raised KeyError at test_check.py"),
    "two lines": (_raise(CaseError("a\nb")), "not one line"),
    "no memory": (_raise(CaseError("not readable (MemoryError)")), "memory ran out"),
    "a program": (lambda: eval("1"), "tried more than reading: compile"),
    "a loop": (_spin, "took 0.1 s"),
}


@pytest.mark.parametrize("name", READINGS)
def test_broken_promises_are_told(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(fuzz.check, "MOST_SECONDS", 0.045)
    reading, expected = READINGS[name]
    target = Target(read=lambda _data, _folder: reading(), seeds=list, modules=())
    outcome = check(target, b"", tmp_path, guard)
    assert outcome.accepted == (name in ("read", "a loop"))
    assert expected in outcome.broken
    assert bool(outcome.broken) == bool(expected)


def test_memory_beyond_the_bound_is_told(
    guard: Guard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = iter([100, 100 + BOUND + 1])
    monkeypatch.setattr(fuzz.check, "_peak", lambda: next(peaks))
    target = Target(read=lambda _data, _folder: 1, seeds=list, modules=())
    assert check(target, b"", tmp_path, guard).broken == f"took {BOUND + 1} bytes"
