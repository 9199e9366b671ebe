from __future__ import annotations

from dataclasses import replace

import pytest

from predict.errors import UsageError
from train.config import Phase, TrainConfig
from train.processes import start_accelerator

PHASES = (Phase(until=1.0, image_size=(32, 32, 32), pass_weights=(1.0,)),)


def test_without_a_launcher_there_is_one_process(small_run: TrainConfig) -> None:
    accelerator = start_accelerator(small_run, PHASES)
    assert (accelerator.num_processes, accelerator.process_index) == (1, 0)


def test_an_uneven_batch_is_refused(small_run: TrainConfig) -> None:
    config = replace(small_run, optimizer=replace(small_run.optimizer, accumulation=3))
    with pytest.raises(UsageError, match="expected a multiple of 1 processes x 3 parts"):
        start_accelerator(config, PHASES)


def test_a_launcher_that_asks_for_other_parts_is_refused(
    small_run: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "2")
    with pytest.raises(UsageError, match="accumulation: expected 2"):
        start_accelerator(small_run, PHASES)


def test_processes_that_do_not_meet_are_refused(
    small_run: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each would train for itself and write over the others' files."""
    monkeypatch.setattr("train.processes.Accelerator", lambda **_: _Lonely())
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(UsageError, match="4 processes to work together, received 1"):
        start_accelerator(small_run, PHASES)


class _Lonely:
    num_processes = 1
