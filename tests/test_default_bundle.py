"""The shipped weights: whole, small enough, and really segmenting the synthetic examples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from evaluate.dice import dice
from examples.__main__ import write_examples
from predict.bundle import load_bundle
from predict.cli import DEFAULT_BUNDLE
from predict.folder import Options, predict_case
from predict.labels import fuse_labels
from predict.predictor import ImagePredictor

MOST_BYTES = 45 * 2**20
LEAST_DICE = {
    "CT_synthetic_torso": 0.3,
    "MR_synthetic_brain": 0.2,
    "PET_synthetic_lesions": 0.5,
    "US_synthetic_heart": 0.85,
    "Microscopy_synthetic_nuclei": 0.85,
}


@pytest.fixture(scope="module")
def predictor() -> ImagePredictor:
    return ImagePredictor(load_bundle(DEFAULT_BUNDLE), torch.device("cpu"))


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    write_examples(folder)
    return folder


def test_it_fits_in_the_tree_and_has_a_card() -> None:
    assert sum(path.stat().st_size for path in DEFAULT_BUNDLE.iterdir()) < MOST_BYTES
    card = " ".join((DEFAULT_BUNDLE / "MODEL_CARD.md").read_text().split())
    for part in ("CC BY-NC-SA 4.0", "Dice", "fails", "Not a diagnostic device"):
        assert part in card


@pytest.mark.parametrize("name", LEAST_DICE)
def test_synthetic_structures_are_found(
    name: str, predictor: ImagePredictor, examples: Path, tmp_path: Path
) -> None:
    output = tmp_path / f"{name}.npz"
    report = predict_case(predictor, examples / "inputs" / f"{name}.npz", output, Options())
    assert report.status == "ok"
    with np.load(output) as found, np.load(examples / "labels" / f"{name}.npz") as truth:
        segs, gts = found["segs"], truth["gts"]
    if report.instances is not None:
        segs, gts = segs > 0, gts > 0
    scores = [_dice(segs == c, gts == c) for c in np.unique(gts) if c]
    assert np.mean(scores) > LEAST_DICE[name]


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return dice(np.count_nonzero(a), np.count_nonzero(b), np.count_nonzero(a & b))


def test_other_words_find_the_same_structure(predictor: ImagePredictor, examples: Path) -> None:
    with np.load(examples / "inputs" / "CT_synthetic_torso.npz") as arrays:
        image = arrays["imgs"]
    predictor.set_image(image)
    texts = ["liver in abdominal CT", "Could you outline the liver?", "hepatic parenchyma, CT"]
    masks = [fuse_labels(predictor.predict([text]).views, image.shape) > 0 for text in texts]
    assert all(mask.any() for mask in masks)
    assert min(_dice(masks[0], mask) for mask in masks[1:]) > 0.5
