from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from predict import folder as folder_module
from predict.bundle import load_bundle
from predict.doctor.dry_run import SHAPE, check_dry_run, wrong_with
from predict.predictor import ImagePredictor


@pytest.fixture
def predictor(tiny_bundle: Path) -> ImagePredictor:
    return ImagePredictor(load_bundle(tiny_bundle), torch.device("cpu"))


def test_the_contract_is_kept_and_nothing_stays(
    predictor: ImagePredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    check = check_dry_run(predictor)
    assert check.status == "ok", check.line()
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_breaks_fails(
    predictor: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no kernel image is available")

    monkeypatch.setattr(predictor, "set_image", broken)
    check = check_dry_run(predictor)
    assert check.status == "fail"
    assert "semantic case: semantic.npz: RuntimeError: no kernel image is available" in check.detail
    assert check.advice


def test_ids_that_nobody_asked_for_fail(
    predictor: ImagePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        folder_module, "draw_labels", lambda _, shape: (np.full(shape, 3, np.uint8), ())
    )
    check = check_dry_run(predictor)
    assert check.status == "fail"
    assert "semantic case: ids that were not asked for: [3]" in check.detail


def test_without_a_temporary_folder_it_is_not_tried(
    predictor: ImagePredictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    check = check_dry_run(predictor)
    assert check.status == "warn"
    assert "TMPDIR" in check.advice


def _saved(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # allow_pickle is no array
    return path


def test_what_an_output_may_not_be(tmp_path: Path) -> None:
    segs = np.zeros(SHAPE, np.uint8)
    path = tmp_path / "a.npz"
    assert wrong_with(_saved(path, segs=segs), SHAPE, (0, 1)) == []
    assert wrong_with(_saved(path, mask=segs), SHAPE, (0, 1)) == [
        "expected the key segs, received ['mask']"
    ]
    assert len(wrong_with(_saved(path, segs=segs[1:].astype(int) + 4), SHAPE, (0, 1))) == 3
