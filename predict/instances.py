"""Separate the objects of a binary mask."""

from __future__ import annotations

from typing import NamedTuple

import cc3d
import numpy as np


class Instances(NamedTuple):
    """Labels (D, H, W) int32: 1..count, largest object first, 0 background."""

    labels: np.ndarray
    count: int


def separate_instances(mask: np.ndarray) -> Instances:
    """Split a mask into its connected components.

    Neighbours share a face (6-connectivity), as in the official evaluation. Components of equal
    size keep the order in which they are met.

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
    sizes = np.bincount(components.reshape(-1), minlength=count + 1)[1:]
    rank = np.zeros(count + 1, np.int32)
    rank[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, count + 1, dtype=np.int32)
    labels[box] = rank[components]
    return Instances(labels, count)


def cap_instances(labels: np.ndarray, limit: int = 255) -> tuple[np.ndarray, int]:
    """Keep ids up to ``limit`` (the evaluation reads uint8) and count the ids dropped."""
    dropped = max(0, int(labels.max(initial=0)) - limit)
    return np.where(labels <= limit, labels, 0).astype(np.uint8), dropped


def _bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    ranges = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        if occupied.size == 0:
            return None
        ranges.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return ranges[0], ranges[1], ranges[2]
