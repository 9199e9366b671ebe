"""Runs in processes of their own: two instead of one, and one that is killed and resumed."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from train.checkpoints import exportable
from train.cli import main
from train.config import LengthConfig, Phase, TextConfig, TrainConfig, ValidationConfig
from train.config_file import config_text

ROOT = Path(__file__).resolve().parents[2]
TWO = ROOT / "train" / "configs" / "accelerate" / "cpu2.yaml"
LAUNCHER = ("-m", "accelerate.commands.launch", "--config_file", str(TWO))


def _arguments(config: TrainConfig, corpus: Path, out: Path) -> list[str]:
    config_file = out.with_suffix(".yaml")
    config_file.write_text(config_text(config))
    data = ("--data", str(corpus / "data"), "--prompts", str(corpus / "prompts.json"))
    names = ("--provenance", str(corpus / "provenance.json"))
    return ["fit", "--config", str(config_file), *data, *names, "--out", str(out)]


def _start(arguments: list[str], launcher: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    command = [sys.executable, *launcher, "-m", "train", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE)


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def _curve(out: Path) -> list[tuple[str, ...]]:
    with (out / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    return [
        tuple(row[k] for k in ("step", "rate", "loss", "dice", "focal", "prompts")) for row in rows
    ]


def _weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(exportable(out) / "model.safetensors")


@pytest.fixture
def long_run(small_run: TrainConfig) -> TrainConfig:
    """Ten steps through two phases, with everything that a checkpoint must remember."""
    phases = (
        Phase(until=0.4, image_size=(32, 32, 32), pass_weights=(1.0,)),
        Phase(until=1.0, image_size=(32, 32, 32), pass_weights=(0.5, 0.5, 1.0)),
    )
    return replace(
        small_run,
        length=LengthConfig(steps=10),
        phases=phases,
        freeze_norm_at=0.8,
        text_encoder=TextConfig(pretraining_steps=2),
    )


def test_two_processes_give_the_curve_of_one(
    long_run: TrainConfig, corpus_folder: Path, tmp_path: Path
) -> None:
    # Until BatchNorm is frozen: before, biases of convolutions have no influence and gradients of
    # pure rounding noise, which AdamW turns into steps of full size.
    validation = ValidationConfig(fraction=0.3, every_steps=5)
    config = replace(long_run, validation=validation, freeze_norm_at=1.0)
    two = _start(_arguments(config, corpus_folder, tmp_path / "two"), LAUNCHER)
    assert main(_arguments(config, corpus_folder, tmp_path / "one")) == 0
    _finish(two)
    _compare(_curve(tmp_path / "one"), _curve(tmp_path / "two"))


def _compare(one: list[tuple[str, ...]], two: list[tuple[str, ...]]) -> None:
    assert [row[0] for row in two] == [row[0] for row in one] == [str(i) for i in range(1, 11)]
    for first, second in zip(one, two, strict=True):
        values = [float(value) for value in first[1:]]
        assert [float(value) for value in second[1:]] == pytest.approx(values, rel=1e-5)


def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    long_run: TrainConfig, corpus_folder: Path, tmp_path: Path
) -> None:
    config = replace(long_run, checkpoint_minutes=0.0)
    call = _arguments(config, corpus_folder, tmp_path / "killed")
    killed, log = _start(call), tmp_path / "killed" / "log.csv"
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().count("\n") > 5):
        assert time.monotonic() < deadline, killed.poll()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(_curve(tmp_path / "killed")) < 10
    _finish(_start(call))
    assert main(_arguments(config, corpus_folder, tmp_path / "whole")) == 0
    assert _curve(tmp_path / "killed") == _curve(tmp_path / "whole")
    expected = _weights(tmp_path / "whole")
    assert all(torch.equal(v, expected[k]) for k, v in _weights(tmp_path / "killed").items())
