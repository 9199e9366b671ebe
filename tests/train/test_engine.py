from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from predict.bundle import load_bundle
from predict.errors import UsageError
from predict.export import export_bundle
from train.checkpoints import exportable, list_checkpoints
from train.config import (
    AugmentationConfig,
    LengthConfig,
    OptimizerConfig,
    Phase,
    TextConfig,
    TrainConfig,
    ValidationConfig,
)
from train.corpus import LabelledVolume, MemoryCorpus
from train.engine import TrainingData, fit
from train.network import new_model
from train.phrasing import Phrasebook

Rows = list[dict[str, str]]


@pytest.fixture
def data(volumes: list[LabelledVolume], phrasebook: Phrasebook, tokenizer: object) -> TrainingData:
    return TrainingData(MemoryCorpus(volumes), phrasebook, tokenizer)  # type: ignore[arg-type]


def _fit(data: TrainingData, config: TrainConfig, out: Path) -> Rows:
    fit(data, new_model(config.network, config.seed), config, out)
    return _rows(out / "log.csv")


def _rows(path: Path) -> Rows:
    with path.open() as file:
        return list(csv.DictReader(file))


def _losses(rows: Rows) -> list[float]:
    return [float(row["loss"]) for row in rows]


def test_a_run_leaves_checkpoints_tables_and_a_bundle(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    rows = _fit(data, small_run, tmp_path / "run")
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4]
    assert (tmp_path / "run" / "curves.png").stat().st_size > 1000
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    export_bundle(exportable(tmp_path / "run"), tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    weights = bundle.model.state_dict()
    assert bundle.known_prompts is not None
    assert bundle.known_prompts.classes
    assert all(torch.isfinite(value).all() for value in weights.values())


def test_the_loss_falls(data: TrainingData, small_run: TrainConfig, tmp_path: Path) -> None:
    config = replace(
        small_run,
        length=LengthConfig(steps=60),
        augmentation=AugmentationConfig(full_view=1.0),
        optimizer=OptimizerConfig(learning_rate=5e-3, warmup=0.1),
    )
    losses = _losses(_fit(data, config, tmp_path))
    assert sum(losses[-10:]) < 0.93 * sum(losses[:10])


def test_accumulated_parts_make_the_same_step(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    """With BatchNorm frozen, which would see one part at a time, parts change rounding only."""
    whole = replace(small_run, freeze_norm_at=0.0)
    parts = replace(whole, optimizer=replace(whole.optimizer, accumulation=2))
    first, second = (_losses(_fit(data, c, tmp_path / n)) for c, n in ((whole, "w"), (parts, "p")))
    assert second == pytest.approx(first, rel=1e-5)


def test_a_recomputed_encoder_gives_the_same_curve(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    plain = _losses(_fit(data, small_run, tmp_path / "plain"))
    again = _losses(_fit(data, replace(small_run, checkpoint_encoder=True), tmp_path / "again"))
    assert again == pytest.approx(plain, rel=1e-6)


def test_phases_change_grid_and_passes(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    phases = (
        Phase(until=0.5, image_size=(32, 32, 64), pass_weights=(1.0,)),
        Phase(until=1.0, image_size=(32, 32, 32), pass_weights=(0.5, 0.5, 1.0)),
    )
    assert len(_fit(data, replace(small_run, phases=phases), tmp_path)) == 4


def test_a_run_by_the_clock_goes_on_where_it_stopped(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(small_run, length=LengthConfig(minutes=0.01))
    steps = len(_fit(data, config, tmp_path))
    with caplog.at_level(logging.INFO):
        rows = _fit(data, replace(config, length=LengthConfig(minutes=0.02)), tmp_path)
    assert f"resumed at step {steps}" in caplog.text
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) > steps
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert seconds[-1] >= 1.2


def test_another_configuration_is_refused(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    _fit(data, small_run, tmp_path)
    with pytest.raises(UsageError, match="received other values of seed"):
        _fit(data, replace(small_run, seed=5), tmp_path)


def test_validation_keeps_the_best_and_two_checkpoints(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    validation = ValidationConfig(fraction=0.3, cases=2, every_steps=2)
    config = replace(small_run, validation=validation, checkpoint_minutes=0.0)
    for _ in range(2):  # a finished run has nothing to add
        _fit(data, config, tmp_path)
    rows = _rows(tmp_path / "validation.csv")
    found = [(int(row["step"]), row["dataset"]) for row in rows]
    assert found == [(step, name) for step in (2, 4) for name in ("CT_A", "mean")]
    assert all(0 <= float(row["dice"]) <= 1 for row in rows)
    assert exportable(tmp_path) == tmp_path / "best"
    names = [path.name for path in list_checkpoints(tmp_path / "checkpoints")]
    assert names == ["step-00000003", "step-00000004"]


def test_a_frozen_text_encoder_stays_as_it_is(
    data: TrainingData, small_run: TrainConfig, tmp_path: Path
) -> None:
    config = replace(small_run, text_encoder=TextConfig(mode="frozen"))
    model = new_model(config.network, 0)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    fit(data, model, config, tmp_path)
    for key, value in model.state_dict().items():
        if key.startswith("text_encoder."):
            assert torch.equal(value, before[key]), key
    assert not torch.equal(before["text_projector.0.weight"], model.text_projector[0].weight)
