from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import pytest

from fuzz.check import check
from fuzz.guard import Guard
from fuzz.targets import TARGETS
from predict.errors import CaseError, UsageError


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", TARGETS)
def test_seeds_keep_every_promise_and_some_are_good(
    guard: Guard, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    target = TARGETS[name]
    seeds = target.seeds()
    for seed in seeds:  # readers import their libraries at the first file
        with contextlib.suppress(CaseError, UsageError):
            target.read(seed, tmp_path)
    outcomes = [check(target, seed, tmp_path, guard) for seed in seeds]
    assert [outcome.broken for outcome in outcomes if outcome.broken] == []
    assert sum(outcome.accepted for outcome in outcomes) >= 3
