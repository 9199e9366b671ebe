from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from train.cli import main
from train.config import TrainConfig
from train.config_file import config_text


def test_ratios_are_printed(
    small_run: TrainConfig, corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    network = replace(small_run.network, image_size=(64, 32, 32))
    config.write_text(config_text(replace(small_run, network=network)))
    data = ["--data", str(corpus_folder / "data"), "--prompts", str(corpus_folder / "prompts.json")]
    assert main(["bench", *data, "--config", str(config), "--steps", "1", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for unit, line in zip(("images/s", "masks/s"), lines[-2:], strict=True):
        found = re.match(rf"{unit} +engine +([\d.]+) +plain +([\d.]+) +ratio +([\d.]+)", line)
        assert found
        fast, slow, ratio = (float(value) for value in found.groups())
        assert ratio == pytest.approx(fast / slow, rel=0.1)
