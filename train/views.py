"""Random views of a volume: the same affine map for image and labels, then intensity changes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from train.config import AugmentationConfig, Size


@dataclass(frozen=True)
class View:
    """Where a grid of the network's size lies in a volume.

    Attributes:
        centre: Of the view, (D, H, W), as fractions of the volume.
        extent: Of the view, (D, H, W), as fractions of the volume.
        angle: In-plane rotation in radians.
        turns: Quarter turns of the plane after that, in 0..3, from the third axis to the second.
    """

    centre: tuple[float, float, float] = (0.5, 0.5, 0.5)
    extent: tuple[float, float, float] = (1.0, 1.0, 1.0)
    angle: float = 0.0
    turns: int = 0


def random_view(
    labels: np.ndarray, classes: Sequence[int], config: AugmentationConfig, rng: np.random.Generator
) -> View:
    """The whole volume, or a zoomed, shifted, slightly rotated part near a voxel of a class."""
    if rng.random() < config.full_view:
        return View()
    zoom = rng.uniform(*config.zoom)
    extent = [min(1.0, zoom * float(rng.uniform(0.85, 1.15))) for _ in range(3)]
    target = _random_voxel(labels, int(rng.choice(classes)), rng)
    centre = []
    for axis in range(3):
        half = extent[axis] / 2
        wished = target[axis] + float(rng.uniform(-0.4, 0.4)) * extent[axis]
        centre.append(min(max(wished, half), 1 - half))
    angle = math.radians(rng.normal(0.0, config.rotation)) if rng.random() < 0.5 else 0.0
    return View((centre[0], centre[1], centre[2]), (extent[0], extent[1], extent[2]), angle)


def _random_voxel(labels: np.ndarray, class_id: int, rng: np.random.Generator) -> list[float]:
    """Position of a random voxel of a class, as fractions of the volume."""
    voxels = np.flatnonzero(labels.reshape(-1) == class_id)
    position = np.unravel_index(int(rng.choice(voxels)), labels.shape)
    return [(int(p) + 0.5) / n for p, n in zip(position, labels.shape, strict=True)]


def resample(volume: np.ndarray, view: View, size: Size, mode: str) -> Tensor:
    """Sample a view.

    Rotation is in the plane, so depth and plane are sampled one after the other: an offset in the
    plane is worked out once for all slices.

    Args:
        volume: (D, H, W) uint8.
        view: Where to look; the default view equals a plain resize, half-pixel centres.
        size: (d, h, w) of the result.
        mode: ``bilinear`` (trilinear here) or ``nearest``; the border goes on outside.

    Returns:
        (d, h, w): float32 where bilinear, uint8 where nearest.
    """
    if view.turns % 4:
        return _turned(volume, view, size, mode)
    z, y, x = _positions(volume.shape, view, size)
    if mode == "nearest":
        depth, height, width = volume.shape
        rows, columns = _voxel(y, height), _voxel(x, width)
        planes = volume[_voxel(z, depth)].reshape(size[0], -1)
        return torch.from_numpy(planes[:, rows * width + columns])
    if view == View() and size == volume.shape:
        return torch.from_numpy(volume.astype(np.float32))
    taps = (z - 0.5).clamp(0, volume.shape[0] - 1)
    lower, fraction = taps.long(), taps.frac()[:, None, None]
    upper = (lower + 1).clamp(max=volume.shape[0] - 1)
    needed, places = np.unique(torch.stack((lower, upper)), return_inverse=True)
    planes = _sample_planes(volume, needed, y, x)
    below, above = torch.from_numpy(places.reshape(2, -1))
    return torch.lerp(planes[below], planes[above], fraction)


def _positions(shape: tuple[int, ...], view: View, size: Size) -> tuple[Tensor, Tensor, Tensor]:
    """Where a view's grid lies, in voxels from the volume's corner: z (d,), y and x (h, w)."""
    z, y, x = (
        ((torch.arange(n) + 0.5) / n - 0.5) * view.extent[a] * shape[a] for a, n in enumerate(size)
    )
    y, x = torch.meshgrid(y, x, indexing="ij")
    cos, sin = math.cos(view.angle), math.sin(view.angle)
    y, x = cos * y - sin * x, sin * y + cos * x
    z, y, x = (o + c * n for o, c, n in zip((z, y, x), view.centre, shape, strict=True))
    return z, y, x


def _voxel(positions: Tensor, count: int) -> np.ndarray:
    """Index of the voxel that holds a position."""
    return positions.floor().long().clamp(0, count - 1).numpy()


def _sample_planes(volume: np.ndarray, needed: np.ndarray, y: Tensor, x: Tensor) -> Tensor:
    """Bilinear samples of some slices at the same places: (slices, h, w) float32.

    Only the part that the view touches is converted to float.
    """
    _, height, width = volume.shape
    (top, bottom), (left, right) = _reach(y, height), _reach(x, width)
    part = volume[needed, top:bottom, left:right]
    places = (2 * (x - left) / (right - left) - 1, 2 * (y - top) / (bottom - top) - 1)
    return F.grid_sample(
        torch.from_numpy(part).float()[None],
        torch.stack(places, dim=-1)[None],
        padding_mode="border",
        align_corners=False,
    )[0]


def _reach(positions: Tensor, count: int) -> tuple[int, int]:
    """Range of voxels that positions along an axis, and their neighbours, fall into."""
    low = min(max(0, int(positions.min()) - 2), count - 1)
    return low, max(low + 1, min(count, int(positions.max()) + 3))


def _turned(volume: np.ndarray, view: View, size: Size, mode: str) -> Tensor:
    """The view before its quarter turns, on a grid that has ``size`` after them."""
    depth, height, width = size
    before = (depth, width, height) if view.turns % 2 else size
    unturned = resample(volume, replace(view, turns=0), before, mode)
    return torch.rot90(unturned, view.turns, dims=(1, 2)).contiguous()


def quarter_turns(config: AugmentationConfig, rng: np.random.Generator) -> int:
    """How often to turn a sample's plane by 90 degrees, 0..3; only where no prompt has a side."""
    return int(rng.integers(1, 4)) if rng.random() < config.quarter_turn else 0


def vary_intensity(image: Tensor, config: AugmentationConfig, rng: np.random.Generator) -> Tensor:
    """Scale, shift, gamma and noise at a size that matters on the 0..255 scale; stays in it."""
    scale = 1 + float(rng.uniform(-config.scale, config.scale))
    image = image * scale + float(rng.uniform(-config.shift, config.shift))
    if rng.random() < config.gamma:
        image = 255 * (image.clamp(0, 255) / 255) ** float(rng.uniform(0.75, 1.35))
    if rng.random() < config.noise:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + float(rng.uniform(2, 12)) * torch.from_numpy(noise)
    return image.clamp(0, 255)
