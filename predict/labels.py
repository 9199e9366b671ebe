"""Coarse logits to labels at full resolution, exactly, without a stack of class volumes.

The published answer is the argmax over the classes' probabilities and a background of one minus
their maximum: the class of the largest upsampled logit where that is positive. A trilinear value
is a convex combination of the corners of its coarse cell, so a class can win only where one of
them is positive: each class is upsampled only inside the box of its positive cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from predict.resample import AxisTaps, axis_taps

SLAB_BYTES = 32 * 2**20
Shape3d = tuple[int, int, int]


class Box(NamedTuple):
    """Half-open range of output positions per axis."""

    start: Shape3d
    stop: Shape3d


def fuse_labels(
    logits: torch.Tensor, class_ids: Sequence[int], shape: Shape3d
) -> np.ndarray:
    """Semantic labels.

    Args:
        logits: (C, d, h, w) float32, on any device; NaN counts as background.
        class_ids: C ids in 1..255; of equal logits the earlier class wins.
        shape: (D, H, W) of the case.

    Returns:
        (D, H, W) uint8: the winning class id where its logit is positive, else 0.
    """
    labels = np.zeros(shape, np.uint8)
    grid = _Grid(logits, shape)
    boxes = [grid.positive_box(channel) for channel in range(len(class_ids))]
    for start, stop in slabs(shape):
        best = torch.zeros(stop - start, *shape[1:], device=logits.device)
        label = torch.zeros(best.shape, dtype=torch.uint8, device=logits.device)
        for channel, (class_id, box) in enumerate(zip(class_ids, boxes, strict=True)):
            if box is None or box.start[0] >= stop or box.stop[0] <= start:
                continue
            low, high = max(box.start[0], start), min(box.stop[0], stop)
            region = (
                slice(low - start, high - start),
                slice(box.start[1], box.stop[1]),
                slice(box.start[2], box.stop[2]),
            )
            values = grid.upsample(channel, box, low, high)
            wins = values > best[region]
            label[region].masked_fill_(wins, class_id)
            best[region] = torch.maximum(best[region], values)
        labels[start:stop] = label.cpu().numpy()
    return labels


def foreground_mask(logits: torch.Tensor, shape: Shape3d) -> np.ndarray:
    """(d, h, w) logits of one class -> (D, H, W) bool, True where the upsampled logit is positive."""
    return fuse_labels(logits[None], (1,), shape).view(bool)


def count_voxels(labels: np.ndarray) -> dict[int, int]:
    """Voxels of every id that occurs in (D, H, W) uint8 labels, background left out."""
    counts = np.zeros(256, np.int64)
    for plane in labels:
        counts += np.bincount(plane.reshape(-1), minlength=256)
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts) if i > 0}


def slabs(shape: Shape3d) -> list[tuple[int, int]]:
    """Ranges along the first axis whose float32 planes fit SLAB_BYTES."""
    depth = max(1, SLAB_BYTES // (4 * shape[1] * shape[2]))
    return [(start, min(start + depth, shape[0])) for start in range(0, shape[0], depth)]


class _Grid:
    """Coarse logits with the taps that lead from them to the full resolution."""

    def __init__(self, logits: torch.Tensor, shape: Shape3d) -> None:
        self.logits = torch.nan_to_num(logits, nan=-torch.inf).clamp(-1e4, 1e4)
        coarse = logits.shape[1:]
        self.taps = [axis_taps(n, m, logits.device) for n, m in zip(coarse, shape, strict=True)]

    def positive_box(self, channel: int) -> Box | None:
        """Output positions that can be positive; None where the class is nowhere."""
        positive = self.logits[channel] > 0
        ranges = []
        for axis, taps in enumerate(self.taps):
            others = tuple(a for a in range(3) if a != axis)
            cells = positive.amax(others)
            reached = torch.nonzero(cells[taps.lower] | cells[taps.upper])
            if len(reached) == 0:
                return None
            ranges.append((int(reached[0]), int(reached[-1]) + 1))
        (z0, z1), (y0, y1), (x0, x1) = ranges
        return Box((z0, y0, x0), (z1, y1, x1))

    def upsample(self, channel: int, box: Box, low: int, high: int) -> torch.Tensor:
        """Values of a class in planes low:high of its box: (high - low, box height, box width)."""
        depth = _cut(self.taps[0], low, high)
        first, last = int(depth.lower.min()), int(depth.upper.max()) + 1
        planes = self.logits[channel, first:last]
        rows = self.taps[1].matrix(planes.shape[1], box.start[1], box.stop[1])
        columns = self.taps[2].matrix(planes.shape[2], box.start[2], box.stop[2])
        planes = rows @ planes @ columns.T
        return torch.lerp(
            planes[depth.lower - first], planes[depth.upper - first], depth.fraction[:, None, None]
        )


def _cut(taps: AxisTaps, start: int, stop: int) -> AxisTaps:
    return AxisTaps(*(t[start:stop] for t in taps))
