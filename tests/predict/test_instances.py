"""Separation of objects against ``scipy.ndimage.label``."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from predict import instances as instances_module
from predict.instances import cap_instances, separate_instances


def by_size(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Face-connected components, largest first, ties by first voxel in C order."""
    components, count = ndimage.label(mask)
    found = [np.flatnonzero(components == i) for i in range(1, count + 1)]
    labels = np.zeros(mask.size, np.int32)
    for rank, voxels in enumerate(sorted(found, key=lambda v: (-len(v), v[0])), start=1):
        labels[voxels] = rank
    return labels.reshape(mask.shape), count


@given(mask=arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, max_side=7)))
@settings(max_examples=200, deadline=None)
def test_equals_scipy(mask: np.ndarray) -> None:
    expected, count = by_size(mask)
    instances = separate_instances(mask)
    np.testing.assert_array_equal(instances.labels, expected)
    assert instances.labels.dtype == np.int32
    assert instances.count == count


@pytest.mark.parametrize("density", [0.05, 0.3, 0.6])
def test_equals_scipy_on_larger_masks(density: float) -> None:
    mask = np.random.default_rng(0).random((17, 23, 19)) < density
    for view in (mask, np.asfortranarray(mask), mask[::-1, ::2], mask.T):
        np.testing.assert_array_equal(separate_instances(view).labels, by_size(view)[0])


@pytest.mark.parametrize(("fill", "count"), [(False, 0), (True, 1)])
def test_empty_and_full_masks(fill: bool, count: int) -> None:
    instances = separate_instances(np.full((3, 4, 5), fill))
    assert instances.count == count
    assert instances.labels.shape == (3, 4, 5)
    assert (instances.labels == count).all()


def test_voxels_that_share_only_an_edge_or_a_corner_are_apart() -> None:
    mask = np.zeros((2, 2, 3), bool)
    mask[0, 0, 0] = mask[0, 1, 1] = mask[1, 0, 2] = True
    assert separate_instances(mask).count == 3


def test_components_are_cut_one_by_one() -> None:
    mask = np.zeros((4, 6, 20), bool)
    mask[1:3, 1:5, 2:9], mask[:, 2:4, 12:18] = True, True
    seen = []

    def halves(part: np.ndarray) -> np.ndarray:
        seen.append(part.shape)
        assert part.all()
        pieces = np.ones(part.shape, np.int32)
        pieces[..., 3:] = 2
        return pieces

    instances = separate_instances(mask, halves)
    assert sorted(seen) == [(2, 4, 7), (4, 2, 6)]
    expected = np.zeros(mask.shape, np.int32)
    expected[1:3, 1:5, 5:9] = 1  # 32 voxels; the others have 24 and come by their first voxel
    expected[:, 2:4, 12:15], expected[:, 2:4, 15:18], expected[1:3, 1:5, 2:5] = 2, 3, 4
    np.testing.assert_array_equal(instances.labels, expected)
    assert instances.count == 4


def test_a_component_too_large_to_be_cut_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances_module, "MOST_VOXELS", 10)
    mask = np.zeros((3, 3, 9), bool)
    mask[:, :, :2], mask[0, 0, 4:8] = True, True
    cut: list[int] = []
    instances = separate_instances(mask, lambda part: cut.append(part.size) or part.astype(int))
    assert cut == [4]
    assert instances.count == 2


def test_the_largest_object_comes_first() -> None:
    mask = np.zeros((9, 9, 9), bool)
    mask[0, 0, 0], mask[2:4, 2:4, 2:4], mask[6:9, 6:9, 6:9] = True, True, True
    labels = separate_instances(mask).labels
    assert (labels[0, 0, 0], labels[2, 2, 2], labels[8, 8, 8]) == (3, 2, 1)


def test_more_objects_than_sixteen_bits() -> None:
    grid = np.indices((52, 52, 52)).sum(axis=0) % 2 == 0
    instances = separate_instances(grid)
    assert instances.count == 70304
    np.testing.assert_array_equal(instances.labels[grid], np.arange(1, 70305))


def test_cap_keeps_the_largest_ids_as_uint8() -> None:
    labels = np.arange(600, dtype=np.int32).reshape(2, 3, 100)
    capped, dropped = cap_instances(labels)
    assert capped.dtype == np.uint8
    assert dropped == 344
    np.testing.assert_array_equal(capped, np.where(labels <= 255, labels, 0))
    assert labels.max() == 599


@pytest.mark.parametrize(("largest", "dropped"), [(0, 0), (3, 0), (4, 1)])
def test_cap_counts_only_ids_above_the_limit(largest: int, dropped: int) -> None:
    labels = np.arange(largest + 1, dtype=np.int32).reshape(1, 1, -1)
    capped, count = cap_instances(labels, limit=3)
    assert count == dropped
    assert capped.max() == min(largest, 3)


def test_cap_of_an_empty_array() -> None:
    capped, dropped = cap_instances(np.zeros((0, 2, 2), np.int32))
    assert capped.shape == (0, 2, 2)
    assert dropped == 0
