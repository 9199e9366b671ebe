from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evaluate.bench import bundles
from evaluate.bench.bundles import OFFICIAL_INPUT, ONE_STEP, describe_bundle, make_official_bundle
from evaluate.bench.process import Spent
from predict.errors import UsageError
from predict.model.config import ModelConfig
from train.cli import _parser
from train.config_file import read_config
from train.own_cases import read_own_cases


def test_a_bundle_is_described_without_its_path(tiny_bundle: Path) -> None:
    described = describe_bundle(tiny_bundle)
    assert described["image_size"] == [32, 64, 32]
    assert described["mode"] == "paper"
    assert str(tiny_bundle) not in map(str, described.values())


def test_no_bundle_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing: expected a folder with a bundle, found none$"):
        describe_bundle(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"^--bundle .*manifest\.json"):
        describe_bundle(tmp_path)


def test_the_training_step_is_of_the_official_network() -> None:
    config = read_config(Path("paper.yaml"), list(ONE_STEP))
    assert config.network == ModelConfig()
    assert list(config.network.image_size) == OFFICIAL_INPUT
    assert config.length == replace(config.length, steps=1, epochs=None, minutes=None)
    (phase,) = config.phases_of(config.network)
    assert phase.image_size == (64, 128, 128)


def test_its_commands_and_its_case_are_what_training_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def stand_in(command: list[str]) -> Spent:
        given.append(_parser().parse_args(command[3:]))
        return Spent(seconds=1, cpu_seconds=1, peak_memory_mb=1)

    monkeypatch.setattr(bundles, "spend", stand_in)
    bundle = make_official_bundle(tmp_path / "new")
    fit, export = given
    (volume,) = read_own_cases(fit.data).volumes
    assert volume.image.shape == (32, 32, 32)
    assert (fit.out, export.bundle) == (export.run_folder, bundle)


def test_missing_requirements_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: list[str]) -> Spent:
        raise UsageError("train: expected exit status 0, received 1: no module accelerate")

    monkeypatch.setattr(bundles, "spend", fail)
    with pytest.raises(UsageError, match=r"^--official needs train/requirements\.txt: train: "):
        make_official_bundle(tmp_path / "new")
