"""Touching objects against the objects they were drawn as."""

from __future__ import annotations

import numpy as np
import pytest

from evaluate.detection import detect
from evaluate.overlap import count_overlap
from predict.instances import separate_instances
from predict.touching import FEWEST_VOXELS, split_touching

UNIT = (1.0, 1.0, 1.0)


def ball(shape: tuple[int, ...], centre: tuple[float, ...], radius: float) -> np.ndarray:
    grid = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return np.asarray((grid**2).sum(axis=0) < radius**2)


def nuclei(count: int, overlap: float, seed: int = 0) -> np.ndarray:
    """(D, H, W) ids of ellipsoids whose centres are at least overlap times their radii apart."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((40, 80, 80), np.int32)
    placed: list[tuple[np.ndarray, float]] = []
    for _ in range(4000):
        radius, centre = rng.uniform(5, 8), rng.uniform(8, np.array(labels.shape) - 8)
        if all(np.linalg.norm(centre - c) >= overlap * (radius + r) for c, r in placed):
            axes = radius * rng.uniform(0.8, 1.2, 3)
            grid = (np.indices(labels.shape) - centre[:, None, None, None]) / np.reshape(
                axes, (3, 1, 1, 1)
            )
            placed.append((centre, radius))
            labels[((grid**2).sum(axis=0) < 1) & (labels == 0)] = len(placed)
        if len(placed) == count:
            break
    return labels


def test_two_balls_are_cut_at_their_neck() -> None:
    shape = (20, 20, 36)
    left, right = ball(shape, (10, 10, 11), 7), ball(shape, (10, 10, 23), 7)
    parts = split_touching(left | right, UNIT)
    assert parts.dtype == np.int32
    assert set(np.unique(parts)) == {0, 1, 2}
    assert (parts[..., :16][left[..., :16]] == 1).all()
    assert (parts[..., 18:][right[..., 18:]] == 2).all()
    np.testing.assert_array_equal(parts > 0, left | right)


@pytest.mark.parametrize(
    "mask",
    [
        ball((20, 20, 20), (10, 10, 10), 8),
        np.ones((6, 7, 40), bool),
        ball((20, 20, 30), (10, 10, 12), 8) | ball((20, 20, 30), (10, 10, 16), 8),
    ],
    ids=["ball", "rod", "no neck"],
)
def test_one_object_stays_one(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(split_touching(mask, UNIT), mask.astype(np.int32))


def test_the_neck_is_measured_in_space_not_in_voxels() -> None:
    """Two balls in voxels of 1 x 1 x 4: flat along the last axis, and cut all the same."""
    shape = (20, 20, 36)
    balls = ball(shape, (10, 10, 11), 7) | ball(shape, (10, 10, 23), 7)
    flat = balls[..., 1::4]
    assert split_touching(flat, (1.0, 1.0, 4.0)).max() == 2


def test_a_few_voxels_are_left_alone() -> None:
    mask = np.zeros((3, 3, 30), bool)
    mask[1, 1, : FEWEST_VOXELS // 3] = True
    assert split_touching(mask, UNIT).max() == 1


@pytest.mark.parametrize(
    ("overlap", "least"), [(1.1, 1.0), (0.95, 0.98), (0.85, 0.98), (0.75, 0.9)]
)
def test_touching_nuclei_are_told_apart(overlap: float, least: float) -> None:
    truth = nuclei(40, overlap)
    found = separate_instances(truth > 0, lambda part: split_touching(part, UNIT))
    assert detect(count_overlap(found.labels, truth)).f1 >= least


def test_components_alone_do_not_tell_them_apart() -> None:
    truth = nuclei(40, 0.85)
    assert detect(count_overlap(separate_instances(truth > 0).labels, truth)).f1 < 0.6
