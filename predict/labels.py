"""Coarse logits to labels at full resolution, exactly, without a stack of class volumes.

The published answer is the argmax over the classes' probabilities and a background of one minus
their maximum: the class of the largest upsampled logit where that is positive. A trilinear value
is a convex combination of the corners of its coarse cell, so a class can win only where one of
them is positive: each class is upsampled only inside the box of its positive cells.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from predict.resample import axis_taps

CPU_SLAB_BYTES = 8 * 2**20  # a slab stays in the cache
GPU_SLAB_BYTES = 64 * 2**20  # few kernel launches
LARGEST_LOGIT = 1e30
Shape3d = tuple[int, int, int]
Box = tuple[slice, slice, slice]


def fuse_labels(logits: torch.Tensor, class_ids: Sequence[int], shape: Shape3d) -> np.ndarray:
    """Semantic labels.

    Args:
        logits: (C, d, h, w), on any device; NaN counts as background.
        class_ids: C ids in 1..255; of classes with equal logits the earlier one wins.
        shape: (D, H, W) of the case.

    Returns:
        (D, H, W) uint8: the winning class id where its logit is positive, else 0.

    Raises:
        ValueError: Not one id per class.
    """
    if len(class_ids) != len(logits):
        raise ValueError(f"expected {len(logits)} class ids, received {len(class_ids)}")
    labels = np.zeros(shape, np.uint8)
    grid = _Grid(logits, shape)
    slab_bytes = CPU_SLAB_BYTES if logits.device.type == "cpu" else GPU_SLAB_BYTES
    for start, stop in plan_slabs(shape, logits.shape[1], slab_bytes):
        best = torch.zeros(stop - start, *shape[1:], device=logits.device)
        label = torch.zeros_like(best, dtype=torch.uint8)
        for channel, class_id in enumerate(class_ids):
            box = grid.positive_box(channel, start, stop)
            if box is None:
                continue
            values = grid.upsample(channel, start, box)
            so_far = best[box]
            label[box].masked_fill_(values > so_far, class_id)
            torch.maximum(so_far, values, out=so_far)
        labels[start:stop] = label.cpu().numpy()
    return labels


def foreground_mask(logits: torch.Tensor, shape: Shape3d) -> np.ndarray:
    """One class's (d, h, w) logits -> (D, H, W) bool, True where upsampled they are positive."""
    return fuse_labels(logits[None], (1,), shape).view(bool)


def finite_logits(logits: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Make logits finite float32: NaN becomes background, infinities become huge.

    Returns:
        The logits, and how many were NaN.
    """
    count = int(torch.isnan(logits).sum())
    finite = torch.nan_to_num(logits.float(), nan=-LARGEST_LOGIT)
    return finite.clamp(-LARGEST_LOGIT, LARGEST_LOGIT), count


def count_voxels(labels: np.ndarray) -> dict[int, int]:
    """Voxels of every id that occurs in (D, H, W) uint8 labels, background left out."""
    counts = np.zeros(256, np.int64)
    for plane in labels:
        counts += np.bincount(plane.reshape(-1), minlength=256)
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts) if i > 0}


def plan_slabs(shape: Shape3d, coarse_depth: int, slab_bytes: int) -> list[tuple[int, int]]:
    """Ranges of planes along the first axis that are worked on at once.

    A slab has at least one plane, and more as long as its float32 planes fit in ``slab_bytes``,
    also where the coarse grid has more planes than the case.
    """
    planes_per_step = max(1, -(-coarse_depth // shape[0]))
    depth = max(1, slab_bytes // (4 * shape[1] * shape[2] * planes_per_step))
    return [(start, min(start + depth, shape[0])) for start in range(0, shape[0], depth)]


class _Grid:
    """Coarse logits with the interpolation that leads from them to the full resolution."""

    def __init__(self, logits: torch.Tensor, shape: Shape3d) -> None:
        self.logits, _ = finite_logits(logits)
        self.positive = (self.logits > 0).cpu().numpy()
        axes = [(axis_taps(n, m), n) for n, m in zip(logits.shape[1:], shape, strict=True)]
        self.taps = [(taps.lower.numpy(), taps.upper.numpy()) for taps, _ in axes]
        self.matrices = [taps.matrix(n).to(logits.device) for taps, n in axes]

    def positive_box(self, channel: int, start: int, stop: int) -> Box | None:
        """Where a class can be positive in planes start:stop, counted from start; None: nowhere."""
        coarse = self._coarse_planes(start, stop)
        positive = self.positive[channel, coarse]
        (lower, upper), rows, columns = self.taps
        planes = lower[start:stop] - coarse.start, upper[start:stop] - coarse.start
        z = _reached(np.any(positive, axis=(1, 2)), *planes)
        y = _reached(np.any(positive, axis=(0, 2)), *rows)
        x = _reached(np.any(positive, axis=(0, 1)), *columns)
        return None if z is None or y is None or x is None else (z, y, x)

    def upsample(self, channel: int, start: int, box: Box) -> torch.Tensor:
        """A class's values in a box whose planes are counted from ``start``."""
        z = slice(start + box[0].start, start + box[0].stop)
        coarse = self._coarse_planes(z.start, z.stop)
        depth, rows, columns = self.matrices
        planes = rows[box[1]] @ self.logits[channel, coarse] @ columns[box[2]].T
        return (depth[z, coarse] @ planes.flatten(1)).view(-1, *planes.shape[1:])

    def _coarse_planes(self, start: int, stop: int) -> slice:
        lower, upper = self.taps[0]
        return slice(int(lower[start]), int(upper[stop - 1]) + 1)


def _reached(cells: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> slice | None:
    """Smallest range of outputs with every one that reads a marked cell."""
    reached = np.flatnonzero(cells[lower] | cells[upper])
    return slice(int(reached[0]), int(reached[-1]) + 1) if reached.size else None
