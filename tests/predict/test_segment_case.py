from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from predict.api import Segmenter
from predict.errors import UsageError
from predict.segment_case import Wishes, segment_case


@pytest.fixture
def segmenter(tiny_bundle: Path) -> Segmenter:
    return Segmenter.load(tiny_bundle, device="cpu")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "case.npz"
    array = np.random.default_rng(0).integers(0, 255, (6, 8, 7), np.uint8)
    np.savez(path, imgs=array, spacing=np.array([1.0, 1, 2]))
    return path


def test_the_mask_is_written_last(
    segmenter: Segmenter, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    mask = tmp_path / "out" / "case_mask.npz"

    def spy(_: object, path: Path, **__: object) -> Path:
        seen.append(mask.exists())
        return path

    monkeypatch.setattr("predict.result.Result.save_sheet", spy)
    report = segment_case(segmenter, image, mask.parent, {1: "liver"}, Wishes())
    assert report.status == "ok"
    assert seen == [False]
    with np.load(mask) as arrays:
        assert arrays["segs"].shape == (6, 8, 7)


def test_any_failure_stays_with_its_image(
    segmenter: Segmenter, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no luck\nat all")

    monkeypatch.setattr("predict.result.Result.save", fail)
    report = segment_case(segmenter, image, tmp_path / "out", {1: "liver"}, Wishes(sheet=False))
    assert report.status == "failed"
    assert report.errors == ["case.npz: RuntimeError: no luck"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_call_that_does_not_fit_is_the_callers(segmenter: Segmenter, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        segment_case(segmenter, tmp_path / "absent.nii", tmp_path, {1: "liver"}, Wishes())


def test_without_a_find_there_is_no_surface(
    segmenter: Segmenter, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predict.api.fuse_labels", lambda _, shape: np.zeros(shape, np.uint8))
    wishes = Wishes(sheet=False, surface="stl")
    report = segment_case(segmenter, image, tmp_path / "out", {1: "liver"}, wishes)
    assert report.status == "ok"
    assert report.warnings == ["no surface: nothing was found"]
