from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluate.bench.cases import OwnCases, Synthetic, make_volume, unpack_masks, write_case
from evaluate.bench.shape import Shape
from predict.npz import read_case

SHAPE = Shape(5, 20, 33)


def test_volumes_fill_the_range_and_differ_by_seed() -> None:
    volume = make_volume(Shape(40, 64, 64), 3)
    assert volume.shape == (40, 64, 64)
    assert volume.dtype == np.uint8
    assert volume.min() < 40
    assert volume.max() > 215
    assert np.array_equal(volume, make_volume(Shape(40, 64, 64), 3))
    assert not np.array_equal(volume, make_volume(Shape(40, 64, 64), 4))


def test_blocks_are_alike_up_to_the_noise() -> None:
    block = make_volume(SHAPE, 0)[:4, :4, :4]
    assert np.ptp(block) <= 31


def test_a_case_is_read_by_the_product(tmp_path: Path) -> None:
    write_case(tmp_path / "case.npz", SHAPE, 64)
    case = read_case(tmp_path / "case.npz")
    assert case.image.shape == SHAPE
    assert [prompt.class_id for prompt in case.prompts] == list(range(1, 65))
    assert len({prompt.text for prompt in case.prompts}) == 64
    assert not case.instance
    assert not case.warnings


def test_synthetic_cases_are_written_when_needed(tmp_path: Path) -> None:
    folder = Synthetic(shape=SHAPE, prompts=1, cases=3).inputs(tmp_path / "new")
    images = [read_case(path).image for path in sorted(folder.iterdir())]
    assert len(images) == 3
    assert not np.array_equal(images[0], images[2])


def test_own_cases_stay_where_they_are(tmp_path: Path) -> None:
    assert OwnCases(tmp_path).inputs(tmp_path / "new") == tmp_path
    assert not (tmp_path / "new").exists()


def test_names(tmp_path: Path) -> None:
    assert Synthetic(shape=SHAPE, prompts=1).name == "1 prompt, 5x20x33"
    assert Synthetic(shape=SHAPE, prompts=8, cases=32).name == "32 cases, 8 prompts, 5x20x33"
    assert OwnCases(tmp_path).name == tmp_path.name


def test_masks_without_their_wrapping(tmp_path: Path) -> None:
    outputs, masks = tmp_path / "outputs", tmp_path / "masks"
    outputs.mkdir()
    masks.mkdir()
    labels = np.zeros((2, 2, 5), np.uint8)
    labels[0, 0, :2] = 7
    np.savez_compressed(outputs / "a.npz", segs=labels)
    np.savez_compressed(outputs / "b.npz", segs=np.zeros((2, 2, 5), np.uint8))
    assert unpack_masks(outputs, masks) == 0.05
    assert np.array_equal(np.load(masks / "a.npy"), labels)
