from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from predict import startup
from predict.startup import StartUp, process_age

ROOT = Path(__file__).resolve().parents[2]


def test_age_counts_what_went_before_the_interpreter() -> None:
    code = "from predict.startup import process_age; print(process_age())"
    command = ["sh", "-c", f'sleep 0.3; exec "{sys.executable}" -c "{code}"']
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert 0.29 < float(done.stdout) <= time.perf_counter() - start + 0.02


def test_age_is_zero_where_the_system_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "Path", lambda _: ROOT / "no such file")
    assert process_age() == 0.0


def test_stages_add_up() -> None:
    start = StartUp()
    time.sleep(0.02)
    start.lap("imports")
    start.lap("weights")
    assert list(start.seconds) == ["process", "imports", "weights"]
    assert start.seconds["imports"] >= 0.02 > start.seconds["weights"]
    assert start.total() >= sum(start.seconds.values())


def test_what_a_process_did_before_does_not_count() -> None:
    assert StartUp(own_process=False).seconds == {"process": 0.0}
    assert StartUp(own_process=False).total() < process_age()
