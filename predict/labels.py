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
CPU_COLUMNS = 128  # of a block: the fewer, the fewer coarse cells each of its voxels is summed from
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


def default_slab_bytes(views: Sequence[View]) -> int:
    """Of a float32 slab of full resolution, where the views are."""
    on_cpu = not views or views[0].logits.device.type == "cpu"
    return CPU_SLAB_BYTES if on_cpu else GPU_SLAB_BYTES


def fuse_labels(views: Sequence[View], shape: Shape3d, slab_bytes: int | None = None) -> np.ndarray:
    """Semantic labels.

    Args:
        views: Each class in one of them; of classes with equal logits the earlier one wins.
        shape: (D, H, W) of the case.
        slab_bytes: Of the planes drawn at once, in float32; a good size if None.

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
    coarse_depth = max(grid.planes_per_case for grid in grids)
    width = min(CPU_COLUMNS, shape[2]) if device.type == "cpu" else shape[2]
    slab_bytes = slab_bytes or default_slab_bytes(views)
    for start, stop in plan_slabs(shape, coarse_depth, slab_bytes * shape[2] // width):
        for left in range(0, shape[2], width):
            block = slice(start, stop), slice(0, shape[1]), slice(left, left + width)
            labels[block] = _fuse_block(grids, block, labels[block].shape, device)
    return labels


def _fuse_block(
    grids: Sequence[_Grid], block: Box, shape: tuple[int, ...], device: torch.device
) -> np.ndarray:
    best = torch.zeros(shape, device=device)
    label = torch.zeros(shape, dtype=torch.uint8, device=device)
    for grid in grids:
        for channel, class_id in enumerate(grid.class_ids):
            found = grid.values(channel, block)
            if found is None:
                continue
            box, values = found
            so_far = best[box]
            _relabel(label[box], values <= so_far, class_id)
            torch.maximum(so_far, values, out=so_far)
    return label.cpu().numpy()


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
            slab = slice(start, stop), slice(0, shape[1]), slice(0, shape[2])
            part = grid.all_values(channel, slab)
            if part is not None:
                box, values = part
                result[slab][box] = values.sigmoid().half().cpu().numpy()
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
    counts = torch.zeros(256, dtype=torch.int64)
    for plane in labels:
        flat = np.ascontiguousarray(plane).reshape(-1)
        counts += torch.bincount(torch.from_numpy(flat), minlength=256)
    return {i: count for i, count in enumerate(counts.tolist()) if i > 0 and count > 0}


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

    def values(self, channel: int, block: Box) -> tuple[Box, torch.Tensor] | None:
        """A class's values where it can be positive in a block of the case.

        Returns:
            The box, counted from the block's first voxel, and the values in it; None: nowhere.
        """
        inside = self._inside(block)
        box = None if inside is None else self._positive_box(channel, inside)
        return None if box is None else (self._place(box, block), self._upsample(channel, box))

    def all_values(self, channel: int, block: Box) -> tuple[Box, torch.Tensor] | None:
        """All of a class's values in a block of the case, as :meth:`values`."""
        box = self._inside(block)
        return None if box is None else (self._place(box, block), self._upsample(channel, box))

    def _inside(self, block: Box) -> Box | None:
        """A block's part in the window, counted from the window's first voxel."""
        z, y, x = (
            slice(max(part.start, first) - first, min(part.stop, last) - first)
            for part, first, last in zip(block, self.first, self.last, strict=True)
        )
        return (z, y, x) if all(part.start < part.stop for part in (z, y, x)) else None

    def _place(self, box: Box, block: Box) -> Box:
        """A box of the window, counted from a block's first voxel."""
        z, y, x = (
            _shift(part, first - within.start)
            for part, first, within in zip(box, self.first, block, strict=True)
        )
        return z, y, x

    def _positive_box(self, channel: int, box: Box) -> Box | None:
        """Where a class can be positive in a box of the window."""
        cells = self._cells(box)
        positive = self.positive[channel][cells]
        found = []
        for axis, others in enumerate(((1, 2), (0, 2), (0, 1))):
            lower, upper = (tap[box[axis]] - cells[axis].start for tap in self.taps[axis])
            reached = _reached(np.any(positive, axis=others), lower, upper)
            if reached is None:
                return None
            found.append(_shift(reached, box[axis].start))
        return found[0], found[1], found[2]

    def _upsample(self, channel: int, box: Box) -> torch.Tensor:
        """A class's values in a box of the window."""
        cells = self._cells(box)
        depth, rows, columns = (
            matrix[part, within]
            for matrix, part, within in zip(self.matrices, box, cells, strict=True)
        )
        planes = rows @ self.logits[channel][cells] @ columns.T
        return (depth @ planes.flatten(1)).view(-1, *planes.shape[1:])

    def _cells(self, box: Box) -> Box:
        """The coarse cells that a box of the window reads."""
        z, y, x = (
            slice(int(lower[part.start]), int(upper[part.stop - 1]) + 1)
            for (lower, upper), part in zip(self.taps, box, strict=True)
        )
        return z, y, x


def _relabel(label: torch.Tensor, kept: torch.Tensor, class_id: int) -> None:
    """``label[~kept] = class_id`` of bytes, in place and without a branch per voxel."""
    label.bitwise_xor_(class_id).mul_(kept.view(torch.uint8)).bitwise_xor_(class_id)


def _shift(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _reached(cells: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> slice | None:
    """Smallest range of outputs with every one that reads a marked cell."""
    reached = np.flatnonzero(cells[lower] | cells[upper])
    return slice(int(reached[0]), int(reached[-1]) + 1) if reached.size else None
