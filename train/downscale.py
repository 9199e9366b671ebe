"""Smaller volumes: area averages of an image, majorities of labels that lose no object.

An axis of n voxels becomes m <= n cells of n / m voxels each; a voxel that lies in two cells
counts for its share in each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import find_objects
from scipy.sparse import csr_array

Size = tuple[int, int, int]
Box = tuple[slice, slice, slice]
# Shares of 2/3 voxels and the like do not add up to one half exactly.
HALF = 0.5 - 1e-5


class _Axis(NamedTuple):
    """How voxels of an axis go into cells.

    Attributes:
        shares: (cells, voxels) share that each voxel has in the average of a cell.
        cells: Where these cells lie on the whole axis.
    """

    shares: csr_array
    cells: slice


def packed_size(shape: tuple[int, ...], largest: Size) -> Size:
    """(D, H, W) after downscaling: at most ``largest`` along each axis, never more than before."""
    depth, height, width = (min(n, limit) for n, limit in zip(shape, largest, strict=True))
    return depth, height, width


def area_average(image: np.ndarray, size: Size) -> np.ndarray:
    """Average intensities of cells.

    Args:
        image: (D, H, W), real.
        size: (d, h, w), not larger than the image.

    Returns:
        (d, h, w) float32.
    """
    whole: Box = (slice(0, image.shape[0]), slice(0, image.shape[1]), slice(0, image.shape[2]))
    return _average(image, _axes(whole, image.shape, size))


def downscale_labels(labels: np.ndarray, size: Size) -> np.ndarray:
    """Ids of cells, so that no id gets lost.

    A cell of which at least half is labelled takes the id that covers most of it. An id that no
    cell took gets the cell that it covers best and that is not another id's only one; if there is
    none, a neighbour of it.

    Args:
        labels: (D, H, W) non-negative whole numbers; few ids that are as large as their number.
        size: (d, h, w), not larger than the labels.

    Returns:
        (d, h, w) in the dtype of the labels. Only where there are more ids than cells, some are
        missing.
    """
    if labels.shape == size:
        return labels
    ids = np.zeros(size, labels.dtype)
    best = np.zeros(size, np.float32)
    labelled = np.zeros(size, np.float32)
    boxes = find_objects(labels)
    for id_, box in enumerate(boxes, 1):
        if box is not None:
            coverage, cells = _coverage(labels, id_, box, size)
            labelled[cells] += coverage
            better = coverage > best[cells]
            best[cells][better] = coverage[better]
            ids[cells][better] = id_
    ids[labelled < HALF] = 0
    counts = np.bincount(ids.ravel(), minlength=len(boxes) + 1)
    for id_, box in enumerate(boxes, 1):
        if box is not None and counts[id_] == 0:
            _keep(id_, *_coverage(labels, id_, box, size), ids, counts)
    return ids


def _keep(id_: int, coverage: np.ndarray, cells: Box, ids: np.ndarray, counts: np.ndarray) -> None:
    """Give an id one cell of its own."""
    free = (ids[cells] == 0) | (counts[ids[cells]] > 1)
    if (free & (coverage > 0)).any():
        chosen = np.unravel_index(int(np.argmax(np.where(free, coverage, -1))), coverage.shape)
        cell = tuple(int(c) + part.start for c, part in zip(chosen, cells, strict=True))
    else:
        peak = np.unravel_index(int(np.argmax(coverage)), coverage.shape)
        free = (ids == 0) | (counts[ids] > 1)
        if not free.any():
            return
        spans = [
            (np.arange(n) - int(c) - part.start) ** 2
            for n, c, part in zip(ids.shape, peak, cells, strict=True)
        ]
        distance = spans[0][:, None, None] + spans[1][:, None] + spans[2]
        distance = np.where(free, distance, distance.max() + 1)
        cell = tuple(int(c) for c in np.unravel_index(int(np.argmin(distance)), ids.shape))
    counts[ids[cell]] -= 1
    counts[id_] += 1
    ids[cell] = id_


def _coverage(labels: np.ndarray, id_: int, box: Box, size: Size) -> tuple[np.ndarray, Box]:
    """Share of each cell that an id covers, and which cells these are."""
    axes = _axes(box, labels.shape, size)
    return _average(labels[box] == id_, axes), (axes[0].cells, axes[1].cells, axes[2].cells)


def _axes(box: Box, shape: tuple[int, ...], size: Size) -> list[_Axis]:
    return [_axis(part, n, m) for part, n, m in zip(box, shape, size, strict=True)]


def _axis(voxels: slice, n_in: int, n_out: int) -> _Axis:
    """Shares of some voxels in the cells that they touch, in whole numbers up to the end."""
    first, last = voxels.start * n_out // n_in, -(-voxels.stop * n_out // n_in)
    cells = np.arange(first, last)[:, None] * n_in
    inside = np.arange(voxels.start, voxels.stop)[None] * n_out
    overlap = np.minimum(cells + n_in, inside + n_out) - np.maximum(cells, inside)
    shares = (overlap.clip(min=0) / n_in).astype(np.float32)
    return _Axis(csr_array(shares), slice(first, last))


def _average(volume: np.ndarray, axes: list[_Axis]) -> np.ndarray:
    """Cells of a volume, one plane of cells after the other."""
    depth, height, width = axes
    result = np.empty([axis.shares.shape[0] for axis in axes], np.float32)
    for index in range(len(result)):
        start, stop = depth.shares.indptr[index : index + 2]
        planes = volume[depth.shares.indices[start:stop]].astype(np.float32, copy=False)
        plane = np.einsum("i,ijk->jk", depth.shares.data[start:stop], planes)
        result[index] = (width.shares @ (height.shares @ plane).T).T
    return result
