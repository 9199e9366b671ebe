"""Separate the objects of a binary mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cc3d
import numpy as np

MOST_VOXELS = 2 * 10**7
Cut = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Instances:
    """Separated objects.

    Attributes:
        labels: (D, H, W) int32: 1..count, largest object first, 0 background.
        count: Number of objects.
    """

    labels: np.ndarray
    count: int


def separate_instances(mask: np.ndarray, cut: Cut | None = None) -> Instances:
    """Split a mask into its connected components, and these further if asked to.

    Neighbours share a face (6-connectivity), as in the official evaluation. Of objects of equal
    size the one whose first voxel comes first in C order has the smaller id.

    Args:
        mask: (D, H, W) bool.
        cut: Called with every component of at most MOST_VOXELS, alone in its box as (d, h, w) bool;
            returns (d, h, w) parts 1..n.
    """
    labels = np.zeros(mask.shape, np.int32)
    box = bounding_box(mask)
    if box is None:
        return Instances(labels, 0)
    components, count = cc3d.connected_components(
        np.ascontiguousarray(mask[box]), connectivity=6, return_N=True
    )
    if cut is not None:
        components, count = _cut_all(components, count, cut)
    sizes = np.zeros(count + 1, np.int64)
    for plane in components:  # all at once would be eight bytes for every voxel
        sizes += np.bincount(plane.ravel(), minlength=count + 1)
    order = np.argsort(-sizes[1:], kind="stable")
    rank = np.zeros(count + 1, np.int32)
    rank[1 + order] = np.arange(1, count + 1)
    for plane, ids in zip(labels[box], components, strict=True):
        plane[:] = rank[ids]
    return Instances(labels, count)


def _cut_all(components: np.ndarray, count: int, cut: Cut) -> tuple[np.ndarray, int]:
    """Parts of all components, numbered by their first voxel in C order."""
    statistics = cc3d.statistics(components, no_slice_conversion=True)
    parts = components.astype(np.int32)
    for component in range(1, count + 1):
        if statistics["voxel_counts"][component] > MOST_VOXELS:
            continue
        z0, z1, y0, y1, x0, x1 = statistics["bounding_boxes"][component].astype(int)
        box = slice(z0, z1 + 1), slice(y0, y1 + 1), slice(x0, x1 + 1)
        own = components[box] == component
        pieces = cut(own)
        found = int(pieces.max())
        if found > 1:
            further = own & (pieces > 1)
            parts[box][further] = pieces[further] + (count - 1)
            count += found - 1
    return _number_by_first_voxel(parts, count), count


def _number_by_first_voxel(parts: np.ndarray, count: int) -> np.ndarray:
    rank = np.zeros(count + 1, np.int32)
    numbered = 0
    for plane in parts:
        ids, first = np.unique(plane, return_index=True)
        for part in ids[np.argsort(first)]:
            if part > 0 and rank[part] == 0:
                numbered += 1
                rank[part] = numbered
    for plane in parts:
        plane[:] = rank[plane]
    return parts


def cap_instances(labels: np.ndarray, limit: int = 255) -> tuple[np.ndarray, int]:
    """Keep ids up to ``limit`` (the evaluation reads uint8).

    Args:
        labels: (D, H, W) int32, ids 1..n without gaps.
        limit: At most 255.

    Returns:
        (D, H, W) uint8 labels, and how many ids were dropped.
    """
    capped = labels.astype(np.uint8)
    capped[labels > limit] = 0
    return capped, max(0, int(labels.max(initial=0)) - limit)


def bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    """Smallest box with every voxel of a (D, H, W) mask; None if it is empty."""
    ranges = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        if occupied.size == 0:
            return None
        ranges.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return ranges[0], ranges[1], ranges[2]
