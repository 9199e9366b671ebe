from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evaluate.bench.process import ROOT, spend
from predict.errors import UsageError

AFTER_A_PEAK = """
from evaluate.bench.process import spend
held = bytearray(b"x" * (300 << 20))
del held
print(spend(["true"]).peak_memory_mb)
"""


def test_output_folder_and_threads(tmp_path: Path) -> None:
    spent = spend(["sh", "-c", "pwd; echo $OMP_NUM_THREADS"], folder=tmp_path, threads=3)
    assert spent.output.split() == [str(tmp_path.resolve()), "3"]
    assert spent.seconds > 0
    assert spent.cpu_seconds >= 0


def test_threads_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert spend(["sh", "-c", "echo $OMP_NUM_THREADS"]).output == "7\n"


def test_peak_of_a_grandchild_counts() -> None:
    hungry = f"{sys.executable} -c \"x = b'x' * (700 << 20)\""
    command = ["sh", "-c", f"{hungry}; true"]
    call = f"from evaluate.bench.process import spend; print(spend({command!r}))"
    told = subprocess.run(
        [sys.executable, "-c", call], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    peak = float(told.split("peak_memory_mb=")[1].split(",")[0])
    assert 700 < peak < 800


def test_our_own_peak_does_not_count() -> None:
    command = [sys.executable, "-c", AFTER_A_PEAK]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert float(told) < 250


def test_a_failure_says_who_and_why() -> None:
    with pytest.raises(UsageError) as raised:
        spend(["sh", "-c", "echo first >&2; echo error: no weights >&2; exit 2"])
    assert str(raised.value) == "sh -c: expected exit status 0, received 2: no weights"
    with pytest.raises(UsageError, match=r"^predict: expected exit status 0, received 2: "):
        spend([sys.executable, "-m", "predict", "run", "nowhere", "out"])


def test_a_missing_program_is_told() -> None:
    with pytest.raises(UsageError, match=r"^no-such-program: cannot be started"):
        spend(["no-such-program"])
