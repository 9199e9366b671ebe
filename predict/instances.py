"""Separate the objects of a binary mask."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np


@dataclass(frozen=True)
class Instances:
    """Separated objects.

    Attributes:
        labels: (D, H, W) int32: 1..count, largest object first, 0 background.
        count: Number of objects.
    """

    labels: np.ndarray
    count: int


def separate_instances(mask: np.ndarray) -> Instances:
    """Split a mask into its connected components.

    Neighbours share a face (6-connectivity), as in the official evaluation. Of components of
    equal size the one whose first voxel comes first in C order has the smaller id.

    Args:
        mask: (D, H, W) bool.
    """
    labels = np.zeros(mask.shape, np.int32)
    box = _bounding_box(mask)
    if box is None:
        return Instances(labels, 0)
    components, count = cc3d.connected_components(
        np.ascontiguousarray(mask[box]), connectivity=6, return_N=True
    )
    sizes = cc3d.statistics(components, no_slice_conversion=True)["voxel_counts"][1:]
    order = np.argsort(-sizes.astype(np.int64), kind="stable")
    rank = np.zeros(count + 1, np.int32)
    rank[1 + order] = np.arange(1, count + 1)
    for plane, ids in zip(labels[box], components, strict=True):
        plane[:] = rank[ids]
    return Instances(labels, count)


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


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    ranges = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        if occupied.size == 0:
            return None
        ranges.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return ranges[0], ranges[1], ranges[2]
