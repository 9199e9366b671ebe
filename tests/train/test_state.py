from __future__ import annotations

from pathlib import Path

import pytest
import torch

from predict.export import export_bundle
from predict.freeze import freeze_tokenizer
from predict.model.config import ModelConfig
from train.config import TrainConfig
from train.state import AveragedWeights, Progress, load_run, new_model, save_run, write_checkpoint


def test_a_run_is_restored_as_it_was(tiny_config: ModelConfig, tmp_path: Path) -> None:
    model = new_model(tiny_config, 0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    average = AveragedWeights(model, 0.9)
    sum(p.square().sum() for p in model.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    average.update(model)
    save_run(tmp_path / "run.pt", model, optimizer, average, Progress(7, 12.5))

    other = new_model(tiny_config, 1)
    other_optimizer = torch.optim.AdamW(other.parameters(), lr=0.5)
    other_average = AveragedWeights(other, 0.9)
    progress = load_run(tmp_path / "run.pt", other, other_optimizer, other_average)
    assert progress == Progress(7, 12.5)
    assert other_average.updates == 1
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])
        assert torch.equal(average.values[key], other_average.values[key])
    assert len(other_optimizer.state) == len(optimizer.state)
    assert list(tmp_path.iterdir()) == [tmp_path / "run.pt"]


def test_the_average_follows_the_model(tiny_config: ModelConfig) -> None:
    model = new_model(tiny_config, 0)
    average = AveragedWeights(model, 0.99)
    key = "text_projector.0.weight"
    start = average.values[key].clone()
    with torch.no_grad():
        model.get_parameter(key).add_(1.0)
    average.update(model)
    moved = (average.values[key] - start).mean().item()
    assert moved == pytest.approx(1 - 2 / 11, rel=1e-4)


def test_progress_is_a_share_of_the_planned_time() -> None:
    assert Progress(1, 30).share(TrainConfig(minutes=2)) == 0.25


def test_a_checkpoint_can_be_exported(
    tiny_config: ModelConfig, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    model = new_model(tiny_config, 0)
    tokenizer = freeze_tokenizer(tiny_checkpoint)
    write_checkpoint(tmp_path / "c", model.state_dict(), tiny_config, tokenizer)
    manifest = export_bundle(tmp_path / "c", tmp_path / "b")
    assert manifest["parameters"] == sum(p.numel() for p in model.parameters())
