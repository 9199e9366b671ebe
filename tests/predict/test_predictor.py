from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from predict.bundle import Bundle, load_bundle
from predict.errors import UsageError
from predict.governor import Governor
from predict.model.config import ModelConfig
from predict.model.text3dsam import PassOutput, Text3DSAM
from predict.pipeline import Pipeline
from predict.predictor import Answer, ImagePredictor, choose_device
from predict.second_look import Look, into_window
from predict.tokenizer import PromptTokenizer

CPU = torch.device("cpu")
IMAGE = np.random.default_rng(0).integers(0, 256, (20, 30, 25), np.uint8)
PRECISE = Pipeline(mode="precise", least_presence=0.5)
TEXTS = ["liver", "segment the left kidney in ct", "spleen"]


@pytest.fixture
def predictor(tiny_bundle: Path) -> ImagePredictor:
    return ImagePredictor(load_bundle(tiny_bundle), CPU)


def logits(answer: Answer) -> torch.Tensor:
    """Of a plain answer: one view with all prompts."""
    (view,) = answer.views
    assert view.window is None
    return view.logits


def test_logits_are_on_the_coarse_grid_in_prompt_order(predictor: ImagePredictor) -> None:
    predictor.set_image(IMAGE)
    answer = predictor.predict(TEXTS)
    assert logits(answer).shape == (3, 16, 32, 16)
    assert set(answer.seconds) == {"resize", "encode_image", "encode_text", "decode"}
    swapped = predictor.predict(TEXTS[::-1])
    torch.testing.assert_close(logits(swapped).flip(0), logits(answer), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 8])
def test_the_batch_size_does_not_matter(
    tiny_bundle: Path, predictor: ImagePredictor, size: int
) -> None:
    predictor.set_image(IMAGE)
    batched = ImagePredictor(load_bundle(tiny_bundle), CPU, batch_size=size)
    batched.set_image(IMAGE)
    torch.testing.assert_close(
        logits(batched.predict(TEXTS)), logits(predictor.predict(TEXTS)), atol=1e-4, rtol=1e-4
    )


def test_the_image_is_encoded_once(
    predictor: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    encode = predictor.model.encode_image
    monkeypatch.setattr(
        predictor.model, "encode_image", lambda image: calls.append(1) or encode(image)
    )
    predictor.set_image(IMAGE)
    predictor.predict(TEXTS)
    predictor.predict(TEXTS[:1])
    assert len(calls) == 1


def test_exhausted_memory_halves_the_batch(
    tiny_bundle: Path, predictor: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor.set_image(IMAGE)
    expected = logits(predictor.predict(TEXTS))
    small = ImagePredictor(load_bundle(tiny_bundle), CPU, batch_size=8)
    small.set_image(IMAGE)
    decode, sizes = small.model.decode, []

    def limited(features: object, text: torch.Tensor, *more: object) -> list[PassOutput]:
        sizes.append(len(text))
        if len(text) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return decode(features, text, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(small.model, "decode", limited)
    torch.testing.assert_close(logits(small.predict(TEXTS)), expected, atol=1e-4, rtol=1e-4)
    assert sizes[-3:] == [1, 1, 1]


@pytest.fixture
def precise(tiny_config: ModelConfig) -> ImagePredictor:
    """The tiny network with a presence head, in precise mode."""
    torch.manual_seed(0)
    heads = replace(tiny_config.mask_decoder, presence=True)
    model = Text3DSAM(replace(tiny_config, mask_decoder=heads)).eval()
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "liver": 1, "spleen": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return ImagePredictor(Bundle(model, PRECISE, PromptTokenizer(tokenizer), {}, ""), CPU)


def test_refinements_happen_in_the_window(
    precise: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = ((5.0, 15.0), (0.0, 10.5), (8.0, 20.0))
    looks = [Look((1,), None), Look((0, 2), window)]
    monkeypatch.setattr(precise.model, "presence", lambda *_: None)
    monkeypatch.setattr("predict.predictor.plan_looks", lambda *_: looks)
    decode, calls = precise.model.decode, []

    def spy(*arguments: object) -> list[PassOutput]:
        calls.append(arguments)
        return decode(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(precise.model, "decode", spy)
    precise.set_image(IMAGE)
    answer = precise.predict(TEXTS, [7, 8, 9])
    assert [view.window for view in answer.views] == [None, window]
    assert [view.class_ids for view in answer.views] == [[8], [7, 9]]
    coarse, whole, near = calls
    assert coarse[2:] == (0, None)
    assert whole[0] is coarse[0]  # the image is not encoded again
    assert near[0] is not coarse[0]
    torch.testing.assert_close(near[1], coarse[1][[0, 2]])
    with torch.inference_mode():
        seen = decode(*coarse)[-1]
    torch.testing.assert_close(whole[3].logits, seen.logits[[1]])
    expected = into_window(seen.logits[[0, 2], 0], window, IMAGE.shape)
    torch.testing.assert_close(near[3].logits[:, 0], expected)


def test_what_is_probably_absent_finds_nothing(
    precise: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precise.model, "presence", lambda *_: torch.tensor([2.0, -2.0, 0.1]))
    monkeypatch.setattr("predict.predictor.plan_looks", lambda *_: [Look((0, 1, 2), None)])
    precise.set_image(IMAGE)
    answer = precise.predict(TEXTS, [7, 8, 9])
    assert answer.presence == pytest.approx((0.881, 0.119, 0.525), abs=1e-3)
    (view,) = answer.views
    assert view.class_ids == [7, 9]
    assert len(view.logits) == 2


def test_presence_is_not_told_without_a_head(predictor: ImagePredictor) -> None:
    predictor.set_image(IMAGE)
    assert predictor.predict(TEXTS).presence is None


def test_a_long_prompt_is_read_to_its_limit_and_flagged(predictor: ImagePredictor) -> None:
    predictor.set_image(IMAGE)
    answer = predictor.predict(["liver " * 5000, "liver"])
    assert answer.truncated == (True, False)
    assert torch.isfinite(logits(answer)).all()


def test_wrong_calls_say_what_to_do(predictor: ImagePredictor) -> None:
    with pytest.raises(UsageError, match="call set_image first"):
        predictor.predict(TEXTS)
    predictor.set_image(IMAGE)
    with pytest.raises(UsageError, match="at least one prompt"):
        predictor.predict([])


def test_devices() -> None:
    assert choose_device("cpu") == CPU
    with pytest.raises(UsageError, match="expected auto, cpu or cuda, received tpu"):
        choose_device("tpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_is_refused_where_there_is_none() -> None:
    assert choose_device() == CPU
    with pytest.raises(UsageError, match="use --device cpu"):
        choose_device("cuda")


def test_a_share_has_the_weights_but_not_the_image(predictor: ImagePredictor) -> None:
    predictor.set_image(IMAGE)
    expected = logits(predictor.predict(TEXTS))
    other = predictor.share()
    assert other.model is predictor.model
    with pytest.raises(UsageError, match="call set_image first"):
        other.predict(TEXTS)
    other.set_image(IMAGE[::-1])
    torch.testing.assert_close(logits(predictor.predict(TEXTS)), expected)


def test_touching_objects_are_cut_in_precise_mode_only(
    precise: ImagePredictor, predictor: ImagePredictor
) -> None:
    mask = np.zeros((12, 12, 25), bool)
    mask[1:11, 1:11, 1:11] = mask[1:11, 1:11, 14:24] = mask[5:7, 5:7, 11:14] = True
    assert predictor.separate_objects(mask, (1.0, 1.0, 1.0)).count == 1
    assert precise.separate_objects(mask, (1.0, 1.0, 1.0)).count == 2
    late = Governor(1.0, precise.times, voxels=mask.size, classes=1, spent=5.0)
    assert precise.separate_objects(mask, (1.0, 1.0, 1.0), late).count == 1
    assert late.remarks()[0] == "time: 1 objects were not cut where they may touch others"


def test_nan_is_counted_per_prompt(
    predictor: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Text3DSAM.decode

    def spoil(self: Text3DSAM, *arguments: Any) -> list[PassOutput]:
        passes = decode(self, *arguments)
        if arguments[2] == 0:  # the coarse look
            return passes
        passes[-1].logits[1] = torch.nan
        passes[-1].logits[2, :, :4] = torch.nan
        return passes

    monkeypatch.setattr(Text3DSAM, "decode", spoil)
    predictor.set_image(IMAGE)
    assert predictor.predict(TEXTS).not_numbers == (0, 1, 0.25)


def test_a_presence_that_is_no_number_is_absence(
    precise: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precise.model, "presence", lambda text, _: text[:, 0] * torch.nan)
    precise.set_image(IMAGE)
    answer = precise.predict(TEXTS)
    assert answer.presence == (0, 0, 0)
    assert sum(len(view.class_ids) for view in answer.views) == 0
