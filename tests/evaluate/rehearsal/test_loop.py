from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluate.rehearsal.loop import STAGES, rehearse
from evaluate.rehearsal.runners import Outcome
from predict.errors import UsageError

Predict = Callable[[Path, Path], None]
GOOD = Outcome(seconds=4.0, exit_status=0, message="")


class StandIn:
    """A runner that notes what it was given and predicts with a function."""

    def __init__(self, predict: Predict, outcome: Outcome = GOOD) -> None:
        self.predict, self.outcome = predict, outcome
        self.given: list[list[str]] = []
        self.patience = 0.0

    def run(self, inputs: Path, outputs: Path, patience: float) -> Outcome:
        self.given.append([p.name for p in inputs.iterdir()])
        self.patience = patience
        for folder in (inputs, outputs):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o777
        self.predict(inputs, outputs)
        return self.outcome


def test_every_case_is_alone_in_fresh_folders(
    add_input: Callable[..., Path], predict_ones: Predict, tmp_path: Path
) -> None:
    sources = [add_input("a"), add_input("b")]
    runner = StandIn(predict_ones)
    results = list(rehearse(runner, sources, tmp_path))
    assert runner.given == [["a.npz"], ["b.npz"]]
    assert [r.case for r in results] == ["a", "b"]
    assert all(r.problems == r.notes == [] for r in results)
    with np.load(tmp_path / "b.npz") as arrays:
        assert arrays["segs"].all()


def test_stages_add_up_to_the_time_outside(
    add_input: Callable[..., Path], predict_ones: Predict, tmp_path: Path
) -> None:
    (result,) = rehearse(StandIn(predict_ones), [add_input("a")], tmp_path)
    assert tuple(result.stages) == STAGES
    assert result.stages["container"] == pytest.approx(1.0)
    assert result.stages["network"] == pytest.approx(0.7)
    assert result.stages["files"] == pytest.approx(0.2)
    assert result.stages["other"] == pytest.approx(0.3)
    assert sum(result.stages.values()) == pytest.approx(result.seconds)
    assert result.peak_memory_mb == 512
    assert result.seconds_per_class == 2.0


def test_a_late_case_is_a_problem_and_the_patience_is_twice_the_limit(
    add_input: Callable[..., Path], predict_ones: Predict, tmp_path: Path
) -> None:
    runner = StandIn(predict_ones, Outcome(seconds=120.5, exit_status=0, message=""))
    (result,) = rehearse(runner, [add_input("a")], tmp_path)
    assert result.problems == ["expected at most 120 s (60 s per class), took 120.5 s"]
    assert runner.patience == 240


def test_a_missing_output_is_a_problem_and_the_failed_process_a_note(
    add_input: Callable[..., Path], tmp_path: Path
) -> None:
    runner = StandIn(lambda *_: None, Outcome(seconds=1.0, exit_status=2, message="no bundle"))
    (result,) = rehearse(runner, [add_input("a")], tmp_path / "inputs")
    assert result.problems == ["a.npz: no such file"]
    assert result.notes == ["exit status 2: no bundle"]
    assert result.stages == {}
    assert result.peak_memory_mb is None


def test_a_stopped_process_is_told(
    add_input: Callable[..., Path], predict_ones: Predict, tmp_path: Path
) -> None:
    outcome = Outcome(seconds=241.0, exit_status=None, message="")
    (result,) = rehearse(StandIn(predict_ones, outcome), [add_input("a")], tmp_path)
    assert result.notes == ["stopped after 241 s"]
    assert len(result.problems) == 1


def test_an_input_that_is_no_case_is_refused(tmp_path: Path, predict_ones: Predict) -> None:
    source = tmp_path / "a.npz"
    shutil.copy(__file__, source)
    with pytest.raises(UsageError, match=r"a\.npz"):
        list(rehearse(StandIn(predict_ones), [source], tmp_path))
