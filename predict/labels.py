"""Coarse logits to labels at full resolution, exactly, without a stack of class volumes.

The published answer is the argmax over the classes' probabilities and a background of one minus
their maximum: the class of the largest upsampled logit where that is positive. A trilinear value
is a convex combination of the corners of its coarse cell, so a class can win only where one of
them is positive: each class is upsampled only inside the box of its positive cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from predict.resample import Window, axis_taps

CPU_SLAB_BYTES = 8 * 2**20  # a slab stays in the cache
GPU_SLAB_BYTES = 64 * 2**20  # few kernel launches
LARGEST_LOGIT = 1e30
Shape3d = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, kw_only=True)
class View:
    """Logits of some classes on a grid that lies somewhere in the case.

    Attributes:
        logits: (C, d, h, w), on any device; NaN counts as background.
        class_ids: C ids in 1..255.
        window: Part of the case, in voxels, that the grid covers; None: all of it. The classes are
            background outside.
    """

    logits: torch.Tensor
    class_ids: Sequence[int]
    window: Window | None = None


def fuse_labels(views: Sequence[View], shape: Shape3d) -> np.ndarray:
    """Semantic labels.

    Args:
        views: Each class in one of them; of classes with equal logits the earlier one wins.
        shape: (D, H, W) of the case.

    Returns:
        (D, H, W) uint8: the winning class id where its logit is positive, else 0.

    Raises:
        ValueError: Not one id per class.
    """
    for view in views:
        if len(view.class_ids) != len(view.logits):
            raise ValueError(
                f"expected {len(view.logits)} class ids, received {len(view.class_ids)}"
            )
    labels = np.zeros(shape, np.uint8)
    if not views:
        return labels
    device = views[0].logits.device
    grids = [_Grid(view, shape) for view in views]
    slab_bytes = CPU_SLAB_BYTES if device.type == "cpu" else GPU_SLAB_BYTES
    coarse_depth = max(grid.planes_per_case for grid in grids)
    for start, stop in plan_slabs(shape, coarse_depth, slab_bytes):
        best = torch.zeros(stop - start, *shape[1:], device=device)
        label = torch.zeros_like(best, dtype=torch.uint8)
        for grid in grids:
            for channel, class_id in enumerate(grid.class_ids):
                found = grid.values(channel, start, stop)
                if found is None:
                    continue
                box, values = found
                so_far = best[box]
                label[box].masked_fill_(values > so_far, class_id)
                torch.maximum(so_far, values, out=so_far)
        labels[start:stop] = label.cpu().numpy()
    return labels


def probability(views: Sequence[View], class_id: int, shape: Shape3d) -> np.ndarray:
    """How probable a class is, voxel by voxel.

    Args:
        views: The class in at most one of them.
        class_id: Which.
        shape: (D, H, W) of the case.

    Returns:
        (D, H, W) float16: above 0.5 where its logit is positive; 0 outside of its view.
    """
    result = np.zeros(shape, np.float16)
    for view in views:
        if class_id not in view.class_ids:
            continue
        grid = _Grid(view, shape)
        channel = list(view.class_ids).index(class_id)
        for start, stop in plan_slabs(shape, grid.planes_per_case, CPU_SLAB_BYTES):
            part = grid.all_values(channel, start, stop)
            if part is not None:
                box, values = part
                result[start:stop][box] = values.sigmoid().half().cpu().numpy()
    return result


def finite_logits(logits: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Make logits finite float32: NaN becomes background, infinities become huge.

    Returns:
        The logits, and how many were NaN.
    """
    count = int(torch.isnan(logits).sum())
    finite = torch.nan_to_num(logits.float(), nan=-LARGEST_LOGIT)
    return finite.clamp(-LARGEST_LOGIT, LARGEST_LOGIT), count


def nan_warning(share: float) -> str:
    """What a share of NaN in a network's answer means, in words."""
    return f"the network gave no number for {share:.2%} of its grid: background there"


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
    """A view's coarse logits with the interpolation that leads from them to the full resolution."""

    def __init__(self, view: View, shape: Shape3d) -> None:
        self.class_ids = view.class_ids
        self.logits, _ = finite_logits(view.logits)
        self.positive = (self.logits > 0).cpu().numpy()
        window = view.window or tuple((0, length) for length in shape)
        sizes = self.logits.shape[1:]
        # Voxels whose centres lie in the window, and where those centres are among the cells.
        self.first = [max(0, math.ceil(start - 0.5)) for start, _ in window]
        self.last = [
            min(length, math.ceil(stop - 0.5))
            for length, (_, stop) in zip(shape, window, strict=True)
        ]
        axes = []
        for n, first, last, (start, stop) in zip(sizes, self.first, self.last, window, strict=True):
            cells = n / (stop - start)
            axes.append(
                axis_taps(n, last - first, ((first - start) * cells, (last - start) * cells))
            )
        self.taps = [(taps.lower.numpy(), taps.upper.numpy()) for taps in axes]
        self.matrices = [
            taps.matrix(n).to(view.logits.device) for taps, n in zip(axes, sizes, strict=True)
        ]
        self.planes_per_case = math.ceil(sizes[0] * shape[0] / (window[0][1] - window[0][0]))

    def values(self, channel: int, start: int, stop: int) -> tuple[Box, torch.Tensor] | None:
        """A class's values where it can be positive in planes start:stop of the case.

        Returns:
            The box, its planes counted from ``start``, and the values in it; None: nowhere.
        """
        z, y, x = self.first
        begin, end = max(start, z), min(stop, self.last[0])
        box = self._positive_box(channel, begin - z, end - z) if begin < end else None
        if box is None:
            return None
        moved = (_shift(box[0], begin - start), _shift(box[1], y), _shift(box[2], x))
        return moved, self._upsample(channel, begin - z, box)

    def all_values(self, channel: int, start: int, stop: int) -> tuple[Box, torch.Tensor] | None:
        """All of a class's values in planes start:stop of the case, as :meth:`values`."""
        z, y, x = self.first
        begin, end = max(start, z), min(stop, self.last[0])
        if begin >= end:
            return None
        rows, columns = slice(0, self.last[1] - y), slice(0, self.last[2] - x)
        values = self._upsample(channel, begin - z, (slice(0, end - begin), rows, columns))
        place = slice(begin - start, end - start), _shift(rows, y), _shift(columns, x)
        return place, values

    def _positive_box(self, channel: int, start: int, stop: int) -> Box | None:
        """Where a class can be positive in planes start:stop of the window, counted from start."""
        coarse = self._coarse_planes(start, stop)
        positive = self.positive[channel, coarse]
        (lower, upper), rows, columns = self.taps
        planes = lower[start:stop] - coarse.start, upper[start:stop] - coarse.start
        z = _reached(np.any(positive, axis=(1, 2)), *planes)
        y = _reached(np.any(positive, axis=(0, 2)), *rows)
        x = _reached(np.any(positive, axis=(0, 1)), *columns)
        return None if z is None or y is None or x is None else (z, y, x)

    def _upsample(self, channel: int, start: int, box: Box) -> torch.Tensor:
        """A class's values in a box of the window whose planes are counted from ``start``."""
        z = slice(start + box[0].start, start + box[0].stop)
        coarse = self._coarse_planes(z.start, z.stop)
        depth, rows, columns = self.matrices
        planes = rows[box[1]] @ self.logits[channel, coarse] @ columns[box[2]].T
        return (depth[z, coarse] @ planes.flatten(1)).view(-1, *planes.shape[1:])

    def _coarse_planes(self, start: int, stop: int) -> slice:
        lower, upper = self.taps[0]
        return slice(int(lower[start]), int(upper[stop - 1]) + 1)


def _shift(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _reached(cells: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> slice | None:
    """Smallest range of outputs with every one that reads a marked cell."""
    reached = np.flatnonzero(cells[lower] | cells[upper])
    return slice(int(reached[0]), int(reached[-1]) + 1) if reached.size else None
