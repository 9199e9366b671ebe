from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from train.config import AugmentationConfig
from train.views import View, quarter_turns, random_view, resample, vary_intensity

VOLUME = np.random.default_rng(0).integers(0, 255, (7, 12, 9), dtype=np.uint8)


@pytest.mark.parametrize("size", [(7, 12, 9), (14, 8, 16), (4, 24, 5)])
def test_the_whole_view_is_the_resize_of_prediction(size: tuple[int, int, int]) -> None:
    expected = F.interpolate(torch.from_numpy(VOLUME)[None, None].float(), size, mode="trilinear")
    result = resample(VOLUME, View(), size, "bilinear")
    torch.testing.assert_close(result, expected[0, 0], atol=1e-3, rtol=1e-4)


def test_a_view_is_a_part_of_the_volume() -> None:
    view = View(centre=(0.5, 0.25, 0.5), extent=(1.0, 0.5, 1.0))
    result = resample(VOLUME, view, (7, 6, 9), "nearest")
    np.testing.assert_array_equal(result.numpy(), VOLUME[:, :6])


def test_rotation_turns_the_plane() -> None:
    square = np.ascontiguousarray(VOLUME[:, :9])
    result = resample(square, View(angle=math.pi / 2), (7, 9, 9), "nearest")
    turned = [np.rot90(square, k, axes=(1, 2)) for k in (1, 3)]
    assert any(np.array_equal(result.numpy(), t) for t in turned)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_turn_volume_and_grid(turns: int) -> None:
    """On its own grid a turned volume is the volume, turned: no voxel is mixed or lost."""
    turned = np.rot90(VOLUME, turns, axes=(1, 2))
    size = (turned.shape[0], turned.shape[1], turned.shape[2])
    result = resample(VOLUME, View(turns=turns), size, "nearest")
    np.testing.assert_array_equal(result.numpy(), turned)
    smooth = resample(VOLUME, View(turns=turns), (7, 8, 16), "bilinear")
    expected = resample(np.ascontiguousarray(turned), View(), (7, 8, 16), "bilinear")
    torch.testing.assert_close(smooth, expected, atol=1e-2, rtol=1e-4)


def test_the_share_of_quarter_turns_is_as_configured() -> None:
    rng = np.random.default_rng(0)
    turns = [quarter_turns(AugmentationConfig(quarter_turn=0.6), rng) for _ in range(3000)]
    assert np.mean([t > 0 for t in turns]) == pytest.approx(0.6, abs=0.03)
    assert set(turns) == {0, 1, 2, 3}
    assert not any(quarter_turns(AugmentationConfig(), rng) for _ in range(20))


def test_random_views_stay_inside_and_near_their_class() -> None:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:4, 16:18, 9:11] = 3
    rng = np.random.default_rng(1)
    config = AugmentationConfig(full_view=0.0, rotation=0.0)
    for _ in range(50):
        view = random_view(labels, [3], config, rng)
        for centre, extent in zip(view.centre, view.extent, strict=True):
            assert extent / 2 - 1e-9 <= centre <= 1 - extent / 2 + 1e-9
        assert (resample(labels, view, (20, 20, 20), "nearest") == 3).any()


def test_intensities_change_and_stay_in_the_range() -> None:
    image = torch.from_numpy(VOLUME).float()
    rng = np.random.default_rng(2)
    results = [vary_intensity(image, AugmentationConfig(), rng) for _ in range(20)]
    assert all(r.min() >= 0 and r.max() <= 255 for r in results)
    assert min(float((r - image).abs().mean()) for r in results) > 0.5


def test_intensities_can_be_left_alone() -> None:
    image = torch.from_numpy(VOLUME).float()
    config = AugmentationConfig(scale=0.0, shift=0.0, gamma=0.0, noise=0.0)
    assert torch.equal(vary_intensity(image, config, np.random.default_rng(0)), image)
