from __future__ import annotations

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

from predict.errors import UsageError
from predict.model.config import ModelConfig
from train.config import TrainConfig
from train.config_file import CONFIGS, build_config, config_text, parse_yaml, read_config

NAMES = ("paper.yaml", "default.yaml", "faithful.yaml", "finetune.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_configurations_can_be_read_and_written_again(name: str) -> None:
    config = read_config(Path(name))
    assert build_config(parse_yaml(config_text(config), name), name) == config


def test_the_paper_configuration_is_the_papers() -> None:
    config = read_config(Path("paper.yaml"))
    assert config.network == ModelConfig()
    assert config.length.epochs == 30
    assert config.optimizer.learning_rate == 1e-4
    assert config.optimizer.weight_decay == 1e-5
    assert config.optimizer.warmup == 0.03
    assert config.sampling.images_per_step * config.sampling.prompts_per_image == 16
    assert config.sampling.workers == 8
    assert config.precision == "bf16"
    assert config.loss.focal == "published"


@pytest.mark.parametrize("name", ["default.yaml", "faithful.yaml"])
def test_the_default_configurations_fit_their_network(name: str) -> None:
    config = read_config(Path(name))
    phases = config.phases_of(config.network)
    assert phases[-1].image_size == config.network.image_size == (64, 96, 96)
    assert len(phases[-1].pass_weights) == 1 + config.network.refinements


@pytest.mark.parametrize("path", sorted((CONFIGS / "accelerate").glob("*.yaml")), ids=str)
def test_launcher_files_leave_precision_to_the_objective(path: Path) -> None:
    config = load_config_from_file(str(path))  # refuses unknown fields
    assert config.mixed_precision == "no"
    assert config.num_processes > 1


def _read(tmp_path: Path, text: str, *overrides: str) -> TrainConfig:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return read_config(path, overrides)


def test_numbers_with_an_exponent_are_numbers(tmp_path: Path) -> None:
    config = _read(tmp_path, "length: {steps: 3}\noptimizer: {learning_rate: 1e-4}")
    assert config.optimizer.learning_rate == 1e-4


def test_single_fields_can_be_set(tmp_path: Path) -> None:
    config = _read(
        tmp_path,
        "length: {minutes: 5}",
        "seed=3",
        "augmentation.zoom=[0.7, 0.9]",
        "length={steps: 7}",
        "text_encoder.mode=frozen",
    )
    assert (config.seed, config.augmentation.zoom) == (3, (0.7, 0.9))
    assert (config.length.steps, config.length.minutes) == (7, None)
    assert config.text_encoder.mode == "frozen"


def test_tables_of_numbers_are_read_and_written(tmp_path: Path) -> None:
    config = _read(tmp_path, "length: {steps: 3}\nsampling: {dataset_factors: {CT_A: 2}}")
    assert config.sampling.dataset_factors == {"CT_A": 2.0}
    assert _read(tmp_path, config_text(config)) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length: {steps: 3}\nsede: 1", r"c.yaml: the configuration: unknown field\(s\) sede"),
        ("length: {steps: 3}\nsampling: {image: 1}", r"sampling: unknown field\(s\) image"),
        ("length: {steps: 3.5}", "length.steps: expected int, received 3.5"),
        ("length: {steps: yes}", "length.steps: expected int, received True"),
        ("length: {minutes: long}", "length.minutes: expected float, received 'long'"),
        ("length: {steps: 3}\nprecision: fp16", "precision: expected one of bf16, fp32"),
        ("length: {steps: 3}\naugmentation: {zoom: [1]}", "augmentation.zoom: expected 2 values"),
        ("length: {steps: 3}\naugmentation: {zoom: 1}", "augmentation.zoom: expected a list"),
        ("length: {steps: 3}\nphases: [{until: 1.0}]", r"phases\[0\]: expected field\(s\) image"),
        ("length: {steps: 3}\nnetwork: {image_size: [1, 2, 3]}", "multiples of 64"),
        ("length: {steps: 3}\nsampling: {dataset_factors: 2}", "expected a table, received 2"),
        (
            "length: {steps: 3}\nsampling: {dataset_factors: {CT: much}}",
            "sampling.dataset_factors.CT: expected float, received 'much'",
        ),
        (
            "length: {steps: 3}\nsampling: {dataset_factors: {CT: -1}}",
            "sampling.dataset_factors.CT: expected 0 or more, received -1",
        ),
        ("length: {steps: 3}\nloss: 3", "loss: expected a table of fields, received 3"),
        ("seed: 1", r"the configuration: expected field\(s\) length"),
        ("seed: 1\nseed: 2", "field seed is given twice"),
        ("- 1", "the configuration: expected a table of fields"),
        ("a: [", "not valid YAML"),
        ("", r"expected field\(s\) length"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        _read(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("override", ["seed", "length.steps.more=1", "seed=["])
def test_a_broken_override_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(UsageError, match="--set"):
        _read(tmp_path, "length: {steps: 3}", override)


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a readable configuration"):
        read_config(Path("nowhere.yaml"))
