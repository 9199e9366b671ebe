"""Resizing, separable, without full-size float copies.

The published rule is that of ``F.interpolate(mode="trilinear", align_corners=False)``: half-pixel
centres, border values go on, no antialiasing. Ours averages over what a voxel of the result covers
where that is more than one voxel of the source, so that nothing is skipped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

CHUNK_BYTES = 8 * 2**20
Span = tuple[float, float]
Window = tuple[Span, Span, Span]


class AxisTaps(NamedTuple):
    """Where each output position of an axis reads.

    Attributes:
        lower: (n_out,) int64 index of the lower neighbour.
        upper: (n_out,) int64 index of the upper neighbour.
        fraction: (n_out,) float32 weight of the upper neighbour, in [0, 1).
    """

    lower: torch.Tensor
    upper: torch.Tensor
    fraction: torch.Tensor

    def matrix(self, n_in: int) -> torch.Tensor:
        """The same interpolation as a dense (n_out, n_in) float32 matrix."""
        matrix = torch.zeros(len(self.lower), n_in)
        matrix.scatter_add_(1, self.lower[:, None], 1 - self.fraction[:, None])
        return matrix.scatter_add_(1, self.upper[:, None], self.fraction[:, None])


def axis_taps(n_in: int, n_out: int, span: Span | None = None) -> AxisTaps:
    """Taps that resample an axis to ``n_out`` positions.

    Args:
        n_in: Positions of the source; position i covers [i, i + 1).
        n_out: Positions of the result.
        span: Part of the source's axis that they cover; all of it if None.
    """
    start, stop = span or (0, n_in)
    centres = torch.arange(n_out, dtype=torch.float32) + 0.5
    position = (start + centres * ((stop - start) / n_out) - 0.5).clamp(0, n_in - 1)
    lower = position.long()
    return AxisTaps(lower, (lower + 1).clamp(max=n_in - 1), position - lower)


def axis_matrix(n_in: int, n_out: int, span: Span | None = None) -> torch.Tensor:
    """Weights (n_out, n_in) that average an axis where it shrinks and interpolate where it grows.

    Args and span as of :func:`axis_taps`.
    """
    start, stop = span or (0, n_in)
    if stop - start <= n_out:
        return axis_taps(n_in, n_out, span).matrix(n_in)
    edges = torch.linspace(start, stop, n_out + 1, dtype=torch.float64)[:, None]
    voxels = torch.arange(n_in, dtype=torch.float64)
    overlap = (edges[1:].minimum(voxels + 1) - edges[:-1].maximum(voxels)).clamp(min=0)
    return (overlap / overlap.sum(dim=1, keepdim=True)).float()


def resize_volume(
    image: np.ndarray, size: tuple[int, int, int], device: torch.device
) -> torch.Tensor:
    """Resize a volume as the published code does, a few of the slices it needs at a time.

    Args:
        image: (D, H, W), any real dtype and memory layout; not modified, not referred to.
        size: (d, h, w).
        device: Where the result is wanted; uint8 slices travel as they are.

    Returns:
        (1, 1, d, h, w) float32.
    """
    taps = axis_taps(image.shape[0], size[0])
    chunk = max(1, CHUNK_BYTES // (2 * 4 * image.shape[1] * image.shape[2]))
    result = torch.empty(1, 1, *size, device=device)
    for start in range(0, size[0], chunk):
        lower, upper, fraction = (t[start : start + chunk] for t in taps)
        needed, places = np.unique(torch.stack((lower, upper)), return_inverse=True)
        slices = _read_slices(image, needed, device)[None]
        slices = F.interpolate(slices, size[1:], mode="bilinear", align_corners=False)[0]
        below, above = slices[torch.from_numpy(places).to(device)]
        weight = fraction[:, None, None].to(device)
        result[0, 0, start : start + chunk] = torch.lerp(below, above, weight)
    return result


def resample_volume(
    image: np.ndarray, size: tuple[int, int, int], device: torch.device, window: Window
) -> torch.Tensor:
    """Resample a window of a volume, averaging where it shrinks.

    Args:
        image: (D, H, W), any real dtype and memory layout; not modified, not referred to.
        size: (d, h, w).
        device: Where the result is wanted.
        window: Part of the volume.

    Returns:
        (1, 1, d, h, w) float32.
    """
    depth, rows, columns = (
        axis_matrix(n_in, n_out, span).to(device)
        for n_in, n_out, span in zip(image.shape, size, window, strict=True)
    )
    used = torch.nonzero(depth.any(dim=0))
    first, last = int(used[0]), int(used[-1]) + 1
    chunk = max(1, CHUNK_BYTES // (4 * image.shape[1] * image.shape[2]))
    result = torch.zeros(size[0], size[1] * size[2], device=device)
    for start in range(first, last, chunk):
        index = np.arange(start, min(start + chunk, last))
        planes = rows @ _read_slices(image, index, device) @ columns.T
        result += depth[:, start : start + len(index)] @ planes.flatten(1)
    return result.view(1, 1, *size)


def _read_slices(image: np.ndarray, index: np.ndarray, device: torch.device) -> torch.Tensor:
    dtype = np.uint8 if image.dtype == np.uint8 else np.float32
    slices = np.ascontiguousarray(image[index], dtype=dtype)
    return torch.from_numpy(slices).to(device).float()
