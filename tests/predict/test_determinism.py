from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from examples.volumes import make_example
from predict import determinism
from predict.bundle import Bundle, load_bundle
from predict.cli import main
from predict.defaults import DEFAULT_BUNDLE
from predict.determinism import make_deterministic
from predict.labels import fuse_labels
from predict.predictor import ImagePredictor
from predict.replay import use_threads

MOST_PER_MILLION = 10  # what docs/reproducibility.md promises of other settings
CPU = torch.device("cpu")


@contextmanager
def _settings_kept() -> Iterator[None]:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    kept = cudnn.benchmark, cudnn.deterministic, cudnn.conv.fp32_precision, matmul.fp32_precision
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)
        cudnn.benchmark, cudnn.deterministic = kept[:2]
        cudnn.conv.fp32_precision, matmul.fp32_precision = kept[2:]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of PyTorch as they were, afterwards."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    with _settings_kept():
        yield


@pytest.mark.usefixtures("settings")
def test_every_setting_is_made() -> None:
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    make_deterministic()
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] in (":4096:8", ":16:8")  # as cuBLAS documents
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    assert torch.backends.cuda.matmul.fp32_precision == "ieee"


@pytest.mark.usefixtures("settings")
def test_run_says_and_does_it(
    write_npz: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    inputs = write_npz().parent
    call = ["run", str(inputs), str(tmp_path / "out"), "--bundle", str(tiny_bundle)]
    assert main([*call, "--deterministic"]) == 0
    assert torch.are_deterministic_algorithms_enabled()
    run = json.loads((tmp_path / "out" / "report.json").read_text())["run"]
    assert run["deterministic"] is True
    assert run["batch_size"] == determinism.BATCH_SIZE


def _labels(
    bundle: Bundle, image: np.ndarray, texts: list[str], threads: int, batch: int | None
) -> np.ndarray:
    predictor = ImagePredictor(bundle, CPU, batch_size=batch)
    with use_threads(threads):
        predictor.set_image(image)
        return fuse_labels(predictor.predict(texts).views, image.shape)  # type: ignore[arg-type]


SETTINGS = [(1, 2), (1, None), (2, 1), (4, None)]


def _check_promise(bundle: Bundle, image: np.ndarray, texts: list[str]) -> None:
    first = _labels(bundle, image, texts, 1, 1)
    assert 0 < np.count_nonzero(first) < first.size
    for threads, batch in SETTINGS:
        other = _labels(bundle, image, texts, threads, batch)
        assert np.count_nonzero(first != other) <= MOST_PER_MILLION * first.size / 1e6
    for threads, batch in ((1, 1), (4, None)):
        again = [_labels(bundle, image, texts, threads, batch).tobytes() for _ in range(2)]
        assert again[0] == again[1]


def test_threads_and_batches_of_the_tiny_network(tiny_bundle: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 40, 36), np.uint8)
    texts = ["liver", "left kidney", "spleen in CT", "right kidney"]
    _check_promise(load_bundle(tiny_bundle), image, texts)


def test_threads_and_batches_of_the_shipped_network() -> None:
    example = make_example("pet_lesions", 7)
    texts = [wordings[0] for wordings in example.prompts.values()]
    _check_promise(load_bundle(DEFAULT_BUNDLE), example.image, texts)
