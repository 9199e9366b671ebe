from __future__ import annotations

from dataclasses import replace

import pytest

from predict.errors import UsageError
from predict.model.config import ModelConfig
from train.config import (
    AugmentationConfig,
    LengthConfig,
    OptimizerConfig,
    Phase,
    SamplingConfig,
    TextConfig,
    TrainConfig,
    ValidationConfig,
)


def test_without_phases_the_last_pass_of_the_whole_grid_is_trained() -> None:
    config = TrainConfig(length=LengthConfig(steps=1))
    (phase,) = config.phases_of(ModelConfig())
    assert phase == Phase(until=1.0, image_size=(128, 256, 256), pass_weights=(0.0, 0.0, 1.0))


def test_a_phase_must_fit_the_networks_patches() -> None:
    phase = Phase(until=1.0, image_size=(64, 96, 64), pass_weights=(1.0,))
    config = TrainConfig(length=LengthConfig(steps=1), phases=(phase,))
    with pytest.raises(UsageError, match=r"multiples of 64, received \(64, 96, 64\)"):
        config.phases_of(ModelConfig())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: LengthConfig(),
        lambda: LengthConfig(steps=1, minutes=2.0),
        lambda: LengthConfig(epochs=0.0),
        lambda: SamplingConfig(images_per_step=0),
        lambda: SamplingConfig(absent_prompt=1.5),
        lambda: SamplingConfig(workers=-1),
        lambda: AugmentationConfig(zoom=(0.8, 0.5)),
        lambda: AugmentationConfig(quarter_turn=-0.1),
        lambda: OptimizerConfig(accumulation=0),
        lambda: OptimizerConfig(warmup=2.0),
        lambda: OptimizerConfig(learning_rate=float("nan")),
        lambda: TextConfig(mode="frozen", pretraining_steps=5),
        lambda: ValidationConfig(fraction=0.9),
        lambda: Phase(until=1.0, image_size=(64, 64, 64), pass_weights=()),
        lambda: Phase(until=1.0, image_size=(64, 64, 64), pass_weights=(1.0, 0.0)),
    ],
)
def test_values_out_of_range_are_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        wrong()  # type: ignore[operator]


@pytest.mark.parametrize("ends", [(), (0.5,), (0.7, 0.3, 1.0), (0.5, 0.5, 1.0)])
def test_phases_must_rise_to_the_end(ends: tuple[float, ...]) -> None:
    phase = Phase(until=1.0, image_size=(64, 64, 64), pass_weights=(1.0,))
    with pytest.raises(UsageError, match="rising ends"):
        TrainConfig(
            length=LengthConfig(steps=1), phases=tuple(replace(phase, until=end) for end in ends)
        )
