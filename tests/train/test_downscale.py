from __future__ import annotations

import numpy as np
import pytest

from train.downscale import Size, area_average, downscale_labels, packed_size


def test_a_size_is_never_larger_than_before() -> None:
    assert packed_size((300, 100, 192), (128, 192, 192)) == (128, 100, 192)


def test_whole_cells_are_plain_means() -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 9), dtype=np.uint8)
    means = image.reshape(2, 2, 3, 2, 3, 3).mean(axis=(1, 3, 5))
    np.testing.assert_allclose(area_average(image, (2, 3, 3)), means, rtol=1e-5)


def test_a_voxel_in_two_cells_counts_for_its_share_in_each() -> None:
    image = np.array([0.0, 30.0, 90.0]).reshape(1, 1, 3)
    # Cells of 1.5 voxels: (0 + 30 / 2) / 1.5 and (30 / 2 + 90) / 1.5.
    np.testing.assert_allclose(area_average(image, (1, 1, 2)), [[[10, 70]]], rtol=1e-6)


@pytest.mark.parametrize("size", [(5, 7, 3), (1, 1, 1), (7, 11, 13), (7, 4, 13)])
def test_the_mean_of_an_image_stays(size: Size) -> None:
    image = np.random.default_rng(1).random((7, 11, 13))
    assert area_average(image, size).mean() == pytest.approx(image.mean(), rel=1e-5)


def test_a_cell_goes_to_the_id_that_covers_most_of_it() -> None:
    labels = np.array([[[1, 1, 1, 0, 2, 1, 0, 0]] * 2] * 2, np.uint8)
    labels[0, 0, 5] = 2
    # Cells of two voxels along the last axis: 1 fully, 1 by half, 2 by 5 of 8, background.
    assert downscale_labels(labels, (1, 1, 4)).tolist() == [[[1, 1, 2, 0]]]


def test_a_cell_that_is_mostly_labelled_is_no_background() -> None:
    labels = np.array([[[1, 2, 3, 0, 0, 0, 0, 0]]], np.uint8)
    assert downscale_labels(labels, (1, 1, 2)).tolist()[0][0][0] in (1, 2, 3)


def test_unchanged_size_is_unchanged() -> None:
    labels = np.random.default_rng(2).integers(0, 9, (3, 4, 5), dtype=np.uint8)
    assert downscale_labels(labels, (3, 4, 5)) is labels


def test_a_single_voxel_survives_where_it_was() -> None:
    labels = np.zeros((40, 60, 60), np.uint8)
    labels[5:35, 10:50, 10:50] = 1
    labels[20, 31, 7] = 2
    labels[20, 31, 30] = 3
    small = downscale_labels(labels, (10, 20, 20))
    assert np.argwhere(small == 2).tolist() == [[5, 10, 2]]
    assert np.argwhere(small == 3).tolist() == [[5, 10, 10]]


def test_ids_in_one_cell_get_neighbouring_cells() -> None:
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[0:2, 0:2, 0:2] = np.arange(1, 9).reshape(2, 2, 2)
    small = downscale_labels(labels, (4, 4, 4))
    assert sorted(small[small > 0].tolist()) == list(range(1, 9))
    assert np.argwhere(small > 0).max() <= 2


@pytest.mark.parametrize("seed", range(5))
def test_no_id_is_lost_and_none_is_made_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((20, 30, 25), np.int32)
    for id_ in range(1, 80):
        z, y, x = (int(rng.integers(n)) for n in labels.shape)
        labels[z : z + 3, y : y + int(rng.integers(1, 5)), x : x + 2] = id_ * 7
    small = downscale_labels(labels, (9, 11, 10))
    assert set(np.unique(small)) == set(np.unique(labels))


def test_more_ids_than_cells_keep_what_fits() -> None:
    labels = np.arange(1, 9, dtype=np.uint8).reshape(2, 2, 2)
    small = downscale_labels(labels, (1, 1, 2))
    assert len(set(small.ravel().tolist())) == 2
    assert small.min() >= 1
