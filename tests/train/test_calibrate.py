from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from predict.bundle import load_bundle
from predict.errors import UsageError
from predict.export import export_bundle
from predict.model.config import ModelConfig
from predict.tokenizer import PromptTokenizer
from train.calibrate import Told, ask, table
from train.cli import main
from train.network import new_model, write_checkpoint
from train.sources import open_source

TOLD = Told(
    np.array([0.95, 0.85, 0.45, 0.05, 0.15, 0.65]),
    np.array([True, True, True, False, False, False]),
)


@pytest.fixture
def bundle(small_network: ModelConfig, tokenizer: PromptTokenizer, tmp_path: Path) -> Path:
    decoder = replace(small_network.mask_decoder, presence=True)
    network = replace(small_network, mask_decoder=decoder)
    weights = new_model(network, 0).state_dict()
    write_checkpoint(tmp_path / "checkpoint", weights, network, tokenizer.tokenizer)
    export_bundle(tmp_path / "checkpoint", tmp_path / "bundle")
    return tmp_path / "bundle"


def test_a_limit_loses_some_and_keeps_some() -> None:
    assert TOLD.lost(0.5) == pytest.approx(1 / 3)
    assert TOLD.kept(0.5) == pytest.approx(1 / 3)
    assert TOLD.lost(0.1) == 0
    assert TOLD.kept(0.1) == pytest.approx(2 / 3)


def test_the_calibration_error_by_hand() -> None:
    gaps = abs(0.05 + 0.15) + abs(0.45 - 1) + 0.65 + abs(0.95 - 1 + 0.85 - 1)
    assert TOLD.error() == pytest.approx(gaps / 6)
    sure = Told(np.array([1.0, 0.0]), np.array([True, False]))
    assert sure.error() == 0


def test_present_and_absent_targets_are_asked_for(bundle: Path, corpus_folder: Path) -> None:
    source = open_source(corpus_folder / "data", corpus_folder / "prompts.json", None)
    told = ask(load_bundle(bundle), source, 6)
    assert len(told.probability) == len(told.there)
    assert ((told.probability > 0) & (told.probability < 1)).all()
    assert 0 < told.there.sum() < len(told.there)
    again = ask(load_bundle(bundle), source, 6)
    assert np.array_equal(told.probability, again.probability)


def test_the_table_has_a_row_per_limit() -> None:
    text = table(TOLD, (0.1, 0.5))
    assert "3 present and 3 absent" in text
    assert [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| 0")] == [
        "0.10",
        "0.50",
    ]


def test_a_bundle_without_the_head_is_refused(
    tiny_bundle: Path, corpus_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, prompts = corpus_folder / "data", corpus_folder / "prompts.json"
    source = open_source(data, prompts, None)
    with pytest.raises(UsageError, match="without that head"):
        ask(load_bundle(tiny_bundle), source, 2)
    call = ["calibrate", str(tiny_bundle), "--data", str(data), "--prompts", str(prompts)]
    assert main(call) == 2
    assert "without that head" in capsys.readouterr().err
