"""Trilinear resizing, separable, without full-size float copies.

The rule is that of ``F.interpolate(mode="trilinear", align_corners=False)``: half-pixel centres,
border values go on, no antialiasing. The published code resizes input and logits this way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

CHUNK_BYTES = 64 * 2**20


class AxisTaps(NamedTuple):
    """Where each output position of an axis reads.

    Attributes:
        lower: (n_out,) int64 index of the lower neighbour.
        upper: (n_out,) int64 index of the upper neighbour.
        fraction: (n_out,) float32 weight of the upper neighbour.
    """

    lower: torch.Tensor
    upper: torch.Tensor
    fraction: torch.Tensor

    def matrix(self, n_in: int, start: int = 0, stop: int | None = None) -> torch.Tensor:
        """Rows ``start:stop`` of the interpolation as a dense (rows, n_in) float32 matrix."""
        lower, upper, fraction = (t[start:stop, None] for t in self)
        matrix = torch.zeros(len(lower), n_in, device=fraction.device)
        matrix.scatter_add_(1, lower, 1 - fraction)
        return matrix.scatter_add_(1, upper, fraction)


def axis_taps(n_in: int, n_out: int, device: torch.device | None = None) -> AxisTaps:
    """Taps that resize an axis from ``n_in`` to ``n_out`` positions."""
    scale = n_in / n_out
    position = ((torch.arange(n_out, dtype=torch.float32) + 0.5) * scale - 0.5).clamp(min=0)
    lower = position.long().clamp(max=n_in - 1)
    upper = (lower + 1).clamp(max=n_in - 1)
    taps = AxisTaps(lower, upper, (position - lower).clamp(max=1))
    return AxisTaps(*(t.to(device) for t in taps))


def resize_volume(
    image: np.ndarray, size: tuple[int, int, int], device: torch.device
) -> torch.Tensor:
    """Resize a volume as the published code does, reading only the slices it needs.

    Args:
        image: (D, H, W), any real dtype and memory layout.
        size: (d, h, w).
        device: Where the result is wanted; slices travel in their own dtype.

    Returns:
        (1, 1, d, h, w) float32.
    """
    taps = axis_taps(image.shape[0], size[0])
    per_slice = 8 * image.shape[1] * image.shape[2]
    chunk = max(1, CHUNK_BYTES // per_slice)
    result = torch.empty(1, 1, *size, device=device)
    for start in range(0, size[0], chunk):
        stop = min(start + chunk, size[0])
        lower, upper = (_slices(image, t[start:stop], device) for t in taps[:2])
        fraction = taps.fraction[start:stop, None, None].to(device)
        slices = torch.lerp(lower, upper, fraction)[None]
        if slices.shape[2:] != size[1:]:
            slices = F.interpolate(slices, size[1:], mode="bilinear", align_corners=False)
        result[0, 0, start:stop] = slices[0]
    return result


def _slices(image: np.ndarray, index: torch.Tensor, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image[index.numpy()])).to(device).float()
