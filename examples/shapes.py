"""Elementary shapes and textures on a voxel grid, numpy only, the same on every machine."""

from __future__ import annotations

import numpy as np

Shape3d = tuple[int, int, int]
Triple = tuple[float, float, float]


class Canvas:
    """Intensities and labels that shapes are painted onto, later ones over earlier ones.

    Positions and sizes are fractions of the volume along (D, H, W).
    """

    def __init__(self, shape: Shape3d, background: float) -> None:
        self.image = np.full(shape, background, np.float64)
        self.labels = np.zeros(shape, np.uint8)
        self.grid = np.meshgrid(*((np.arange(n) + 0.5) / n for n in shape), indexing="ij")

    def ellipsoid(self, centre: Triple, radii: Triple, turn: float = 0.0) -> np.ndarray:
        """Mask of an ellipsoid, turned by ``turn`` radians in the (H, W) plane."""
        z, y, x = (axis - c for axis, c in zip(self.grid, centre, strict=True))
        y, x = np.cos(turn) * y - np.sin(turn) * x, np.sin(turn) * y + np.cos(turn) * x
        distance = (z / radii[0]) ** 2 + (y / radii[1]) ** 2 + (x / radii[2]) ** 2
        return np.asarray(distance <= 1)

    def paint(self, mask: np.ndarray, value: float, label: int | None = None) -> None:
        """Give a mask an intensity and, if not None, a label."""
        self.image[mask] = value
        if label is not None:
            self.labels[mask] = label


def blur(volume: np.ndarray, passes: int = 1) -> np.ndarray:
    """Smooth by (1, 2, 1)/4 along every axis, ``passes`` times; borders are repeated."""
    for _ in range(passes):
        for axis in range(volume.ndim):
            padded = np.pad(
                volume, [(1, 1) if a == axis else (0, 0) for a in range(3)], mode="edge"
            )
            n = volume.shape[axis]
            before, middle, after = (
                np.take(padded, np.arange(start, start + n), axis=axis) for start in range(3)
            )
            volume = 0.25 * before + 0.5 * middle + 0.25 * after
    return volume


def texture(shape: Shape3d, rng: np.random.Generator, passes: int) -> np.ndarray:
    """Smooth random field of mean 0 and standard deviation 1."""
    field = blur(rng.standard_normal(shape), passes)
    return np.asarray((field - field.mean()) / field.std())


def to_uint8(image: np.ndarray) -> np.ndarray:
    """Round and clip to 0..255."""
    return np.asarray(np.clip(np.rint(image), 0, 255), dtype=np.uint8)
