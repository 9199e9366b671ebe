from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from predict.errors import UsageError
from train.checkpoints import STATE, exportable, list_checkpoints, new_checkpoint, newest_state


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def _write(accelerator: Accelerator, folder: Path, step: int) -> None:
    with new_checkpoint(accelerator, folder, step) as partial:
        torch.save({"step": step}, partial / STATE)


def test_the_last_two_checkpoints_are_kept(accelerator: Accelerator, tmp_path: Path) -> None:
    for step in (5, 90, 100, 12345):
        _write(accelerator, tmp_path, step)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000100", "step-00012345"]
    found = newest_state(tmp_path)
    assert found is not None
    assert found[1] == {"step": 12345}


def test_a_checkpoint_is_whole_or_not_there(accelerator: Accelerator, tmp_path: Path) -> None:
    _write(accelerator, tmp_path, 1)

    def die() -> None:
        with new_checkpoint(accelerator, tmp_path, 2) as partial:
            (partial / STATE).write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-00000001"]
    _write(accelerator, tmp_path, 2)
    assert (newest_state(tmp_path) or (tmp_path, {}))[1] == {"step": 2}


def test_a_step_can_be_written_twice(accelerator: Accelerator, tmp_path: Path) -> None:
    _write(accelerator, tmp_path, 4)
    _write(accelerator, tmp_path, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000004"]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    accelerator: Accelerator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert newest_state(tmp_path) is None
    _write(accelerator, tmp_path, 1)
    _write(accelerator, tmp_path, 2)
    (tmp_path / "step-00000002" / STATE).write_bytes(b"torn")
    with caplog.at_level(logging.WARNING):
        assert (newest_state(tmp_path) or (tmp_path, {}))[1] == {"step": 1}
    assert "step-00000002" in caplog.text
    (tmp_path / "step-00000001" / STATE).unlink()
    with pytest.raises(UsageError, match="found 2 damaged"):
        newest_state(tmp_path)


def test_the_best_weights_are_exported_else_the_newest(
    accelerator: Accelerator, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="expected a run with a checkpoint"):
        exportable(tmp_path)
    _write(accelerator, tmp_path / "checkpoints", 7)
    assert exportable(tmp_path) == tmp_path / "checkpoints" / "step-00000007"
    (tmp_path / "best").mkdir()
    assert exportable(tmp_path) == tmp_path / "best"
