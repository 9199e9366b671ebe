from __future__ import annotations

import json
from dataclasses import replace

import pytest

from predict.errors import BundleError
from predict.model.config import ImageEncoderConfig, ModelConfig


def test_survives_json(tiny_config: ModelConfig) -> None:
    assert ModelConfig.from_dict(json.loads(json.dumps(tiny_config.to_dict()))) == tiny_config


def test_derived_sizes(tiny_config: ModelConfig) -> None:
    assert ModelConfig().image_encoder.patch_size == 64
    assert ModelConfig().logit_size == (32, 64, 64)
    assert tiny_config.image_encoder.patch_size == 32
    assert tiny_config.logit_size == (16, 32, 16)


@pytest.mark.parametrize("size", [(100, 256, 256), (0, 64, 64), (64, 64)])
def test_image_size_must_be_whole_patches(size: tuple[int, ...]) -> None:
    with pytest.raises(BundleError, match="expected three multiples of 64"):
        ModelConfig(image_size=size)  # type: ignore[arg-type]


def test_mask_encoder_must_end_at_the_image_width() -> None:
    with pytest.raises(BundleError, match="expected to end with 384"):
        ModelConfig(image_encoder=ImageEncoderConfig(channels=(24, 48, 96, 192, 384)))


def test_negative_refinements_are_refused() -> None:
    with pytest.raises(BundleError, match="received -1"):
        replace(ModelConfig(), refinements=-1)


def test_wrong_number_of_stages_is_refused() -> None:
    with pytest.raises(BundleError, match="expected 5 channels, 4 depths and 3 kernels"):
        ModelConfig(image_encoder=ImageEncoderConfig(depths=(1, 1)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"colour": 1}, "unknown field.*colour"),
        ({"image_encoder": {"depth": 3}}, "config image_encoder: unknown field.*depth"),
        ({"text_encoder": 7}, "config text_encoder: expected a table, received int"),
    ],
)
def test_unknown_fields_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(BundleError, match=message):
        ModelConfig.from_dict(values)
