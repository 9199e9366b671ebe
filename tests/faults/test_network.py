"""The network runs out of memory or gives no numbers in the n-th call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from predict.api import Segmenter
from predict.bundle import load_bundle
from predict.folder import Options, predict_case
from predict.model.text3dsam import Text3DSAM
from predict.predictor import ImagePredictor
from predict.report import CaseReport

Spoil = Callable[[Any], Any]
TEXTS = ("liver", "left kidney", "right kidney", "spleen", "ct")


@pytest.fixture(scope="module")
def predictor(tiny_bundle: Path) -> ImagePredictor:
    return ImagePredictor(load_bundle(tiny_bundle), torch.device("cpu"), batch_size=4)


@pytest.fixture
def run(
    predictor: ImagePredictor, write_npz: Callable[..., Path], tmp_path: Path
) -> Callable[[], tuple[CaseReport, np.ndarray]]:
    """Predict a case with five prompts; returns the report and the mask."""
    prompts = {**{str(i): text for i, text in enumerate(TEXTS, 1)}, "instance_label": 0}
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 50), np.uint8)
    source, output = write_npz(imgs=image, text_prompts=prompts), tmp_path / "case.npz"

    def predict() -> tuple[CaseReport, np.ndarray]:
        report = predict_case(predictor, source, output, Options())
        with np.load(output) as arrays:
            return report, arrays["segs"]

    return predict


def in_call(monkeypatch: pytest.MonkeyPatch, method: str, calls: range, spoil: Spoil) -> None:
    """Let ``spoil`` change what these calls of a method of the network return."""
    original, count = getattr(Text3DSAM, method), iter(range(10**6))

    def spoiled(self: Text3DSAM, *arguments: Any) -> Any:
        result = original(self, *arguments)
        return spoil(result) if next(count) in calls else result

    monkeypatch.setattr(Text3DSAM, method, spoiled)


def out_of_memory(_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB\nof much")


@pytest.mark.parametrize("calls", [range(1), range(1, 2), range(2), range(0, 20, 3)])
def test_lack_of_memory_while_decoding_changes_no_mask(
    run: Callable[[], tuple[CaseReport, np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
    calls: range,
) -> None:
    """The batch is halved as often as needed, wherever it happens."""
    _, expected = run()
    in_call(monkeypatch, "decode", calls, out_of_memory)
    report, mask = run()
    assert report.status == "ok"
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("method", ["encode_image", "encode_text", "decode"])
def test_lack_of_memory_for_good_is_one_failed_case(
    run: Callable[[], tuple[CaseReport, np.ndarray]], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    _, expected = run()
    with monkeypatch.context() as patch:
        in_call(patch, method, range(100), out_of_memory)
        report, mask = run()
    assert report.status == "failed"
    assert report.errors[0].startswith("case.npz: MemoryError: memory ran out while ")
    assert mask.shape == expected.shape
    assert not mask.any()
    report, mask = run()
    assert report.status == "ok"
    np.testing.assert_array_equal(mask, expected)


def test_nan_in_a_part_is_background_there_and_told(
    run: Callable[[], tuple[CaseReport, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, expected = run()

    def spoil(passes: Any) -> Any:
        passes[-1].logits[..., :8, :, :] = torch.nan  # half of the grid's planes
        return passes

    in_call(monkeypatch, "decode", range(2, 100), spoil)  # after the coarse looks at both batches
    report, mask = run()
    told = "the network gave no number for 50.00% of its grid: background there"
    assert report.status == "ok"
    assert report.warnings == [f"prompt {i}: {told}" for i in range(1, 6)]
    assert expected[:14].any()
    assert not mask[:14].any()  # all whose value depends on those planes
    np.testing.assert_array_equal(mask[17:], expected[17:])


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_an_encoder_without_numbers_is_told(
    run: Callable[[], tuple[CaseReport, np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
    value: float,
) -> None:
    in_call(monkeypatch, "encode_text", range(1), lambda text: text * value)
    report, mask = run()
    assert len(report.warnings) == len(TEXTS)
    assert not mask.any()


def test_the_python_interface_tells_it_too(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter.load(tiny_bundle, device="cpu")
    segmenter.set_image(np.random.default_rng(0).integers(0, 256, (20, 24, 28), np.uint8))
    in_call(monkeypatch, "encode_text", range(1), lambda text: text * torch.nan)
    result = segmenter.predict(["liver"])
    assert '"liver": the network gave no number for 100.00% of its grid' in " ".join(
        result.warnings
    )
    assert not result.labels.any()
