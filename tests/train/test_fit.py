from __future__ import annotations

import csv
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from predict.bundle import load_bundle
from predict.export import export_bundle
from predict.model.config import ModelConfig
from predict.tokenizer import PromptTokenizer
from train.config import Phase, SamplingConfig, TrainConfig
from train.corpus import LabelledVolume
from train.fit import fit
from train.phrasing import Phrasebook
from train.vocabulary import train_vocabulary

SIZE = (32, 32, 32)
SHORT = TrainConfig(
    minutes=0.05,
    warmup_minutes=0.01,
    text_steps=2,
    sampling=SamplingConfig(images_per_step=2, prompts_per_image=2),
    phases=(
        Phase(until=0.4, image_size=SIZE, pass_weights=(1.0,)),
        Phase(until=1.0, image_size=SIZE, pass_weights=(0.5, 1.0)),
    ),
)


def test_a_short_run_gives_a_bundle_and_goes_on_where_it_stopped(
    volumes: list[LabelledVolume],
    phrasebook: Phrasebook,
    tiny_config: ModelConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer = PromptTokenizer(train_vocabulary(phrasebook.all_texts(), ()))
    size = tokenizer.tokenizer.get_vocab_size()
    text_encoder = replace(tiny_config.text_encoder, vocab_size=size)
    model = replace(tiny_config, image_size=SIZE, text_encoder=text_encoder)
    run = tmp_path / "run"
    checkpoint = fit(volumes, phrasebook, tokenizer, model, SHORT, run)
    export_bundle(checkpoint, tmp_path / "bundle")
    weights = load_bundle(tmp_path / "bundle").model.state_dict()
    assert all(torch.isfinite(value).all() for value in weights.values())
    steps = _steps(run)
    assert steps == list(range(1, len(steps) + 1))

    with caplog.at_level(logging.INFO):
        fit(volumes, phrasebook, tokenizer, model, replace(SHORT, minutes=0.08), run)
    assert f"resumed at step {len(steps)}" in caplog.text
    later = _steps(run)
    assert later == list(range(1, len(later) + 1))
    assert len(later) > len(steps)


def _steps(run: Path) -> list[int]:
    with (run / "log.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]
