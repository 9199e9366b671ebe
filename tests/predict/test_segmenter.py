from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from predict.bundle import load_bundle
from predict.errors import UsageError
from predict.model.text3dsam import PassOutput
from predict.segmenter import Segmenter, choose_device

CPU = torch.device("cpu")
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 25), np.uint8)
TEXTS = ["liver", "segment the left kidney in ct", "spleen"]


@pytest.fixture
def segmenter(tiny_bundle: Path) -> Segmenter:
    return Segmenter(load_bundle(tiny_bundle), CPU)


def test_logits_are_on_the_coarse_grid_in_prompt_order(segmenter: Segmenter) -> None:
    segmenter.set_image(IMAGE)
    answer = segmenter.predict(TEXTS)
    assert answer.logits.shape == (3, 16, 32, 16)
    assert set(answer.seconds) == {"resize", "encode_image", "encode_text", "decode"}
    swapped = segmenter.predict(TEXTS[::-1])
    torch.testing.assert_close(swapped.logits.flip(0), answer.logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_the_batch_size_does_not_matter(tiny_bundle: Path, segmenter: Segmenter, size: int) -> None:
    segmenter.set_image(IMAGE)
    batched = Segmenter(load_bundle(tiny_bundle), CPU, batch_size=size)
    batched.set_image(IMAGE)
    torch.testing.assert_close(
        batched.predict(TEXTS).logits, segmenter.predict(TEXTS).logits, atol=1e-4, rtol=1e-4
    )


def test_the_image_is_encoded_once(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    encode = segmenter.model.encode_image
    monkeypatch.setattr(
        segmenter.model, "encode_image", lambda image: calls.append(1) or encode(image)
    )
    segmenter.set_image(IMAGE)
    segmenter.predict(TEXTS)
    segmenter.predict(TEXTS[:1])
    assert len(calls) == 1


def test_exhausted_memory_halves_the_batch(
    tiny_bundle: Path, segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter.set_image(IMAGE)
    expected = segmenter.predict(TEXTS).logits
    small = Segmenter(load_bundle(tiny_bundle), CPU, batch_size=8)
    small.set_image(IMAGE)
    decode, sizes = small.model.decode, []

    def limited(features: object, text: torch.Tensor) -> list[PassOutput]:
        sizes.append(len(text))
        if len(text) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return decode(features, text)  # type: ignore[arg-type]

    monkeypatch.setattr(small.model, "decode", limited)
    torch.testing.assert_close(small.predict(TEXTS).logits, expected, atol=1e-4, rtol=1e-4)
    assert sizes[-3:] == [1, 1, 1]


def test_a_long_prompt_is_read_to_its_limit_and_flagged(segmenter: Segmenter) -> None:
    segmenter.set_image(IMAGE)
    answer = segmenter.predict(["liver " * 5000, "liver"])
    assert answer.truncated == (True, False)
    assert torch.isfinite(answer.logits).all()


def test_wrong_calls_say_what_to_do(segmenter: Segmenter) -> None:
    with pytest.raises(UsageError, match="call set_image first"):
        segmenter.predict(TEXTS)
    segmenter.set_image(IMAGE)
    with pytest.raises(UsageError, match="at least one prompt"):
        segmenter.predict([])


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    with pytest.raises(UsageError, match="expected auto, cpu or cuda, received tpu"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_where_there_is_none() -> None:
    assert choose_device() == CPU
    with pytest.raises(UsageError, match="use --device cpu"):
        choose_device("cuda")
