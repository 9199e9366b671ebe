from __future__ import annotations

from pathlib import Path

import pytest

from evaluate.cli import main
from evaluate.limits import slow
from evaluate.limits.process import Seen
from evaluate.limits.slow import format_run


def seen(seconds: float) -> Seen:
    case = {"prompts": [{}] * 30, "coarse_only": [1, 2]}
    return Seen(status=0, seconds=seconds, peak=0, case=case, message="")


def test_a_line_says_whether_it_was_in_time_and_what_was_dropped() -> None:
    line = format_run(0.25, 60, seen(40))
    assert "0.25 CPUs" in line
    assert "40.0 s of 60 s, in time; 30 prompts, 2 coarse only" in line
    assert "LATE" in format_run(None, 60, seen(61))


def test_the_command_runs_every_quota(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def predict_one(inputs: Path, _: Path, options: list[str], *, within: list[str]) -> Seen:
        assert (inputs / "case.npz").exists()
        asked.append((options, within))
        return seen(50.0 * len(asked))

    monkeypatch.setattr(slow, "predict_one", predict_one)
    command = ["slow", "--case", "4x5x6:uint8:30", "--seconds-per-class", "2"]
    assert main(command) == 0
    assert main(command) == 1
    assert "LATE" in capsys.readouterr().out
    assert asked[0] == (["--device", "cpu", "--seconds-per-class", "2.0"], [])
