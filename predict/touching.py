"""Separate objects that touch: a mask is cut where it is thin between two thick places.

Every voxel belongs to the thickest place that it leads up to. Two such places are one object unless
the neck between them is thinner than both of them by more than NECK, as a share: small and large
objects are cut alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import edt
import numpy as np

NECK = 0.15
FEWEST_VOXELS = 64
OFFSETS = tuple(step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0))


def split_touching(mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Cut one connected object at its necks.

    Args:
        mask: (D, H, W) bool.
        spacing: Voxel size along the array's axes, in any unit.

    Returns:
        (D, H, W) int32: parts 1..n, numbered by their first voxel in C order, 0 outside.
    """
    padded = np.pad(mask, 1)
    thickness = edt.edt(padded, anisotropy=tuple(spacing))
    voxels = np.flatnonzero(padded)
    labels = np.zeros(padded.size, np.int32)
    if len(voxels) < FEWEST_VOXELS:
        labels[voxels] = 1
    else:
        height = thickness.ravel()[voxels]
        tops = _lead_up(voxels, height, padded.shape)
        merged = _merge(tops, height, _necks(voxels, height, tops, padded.shape))
        labels[voxels] = _number_by_first(merged)
    return labels.reshape(padded.shape)[1:-1, 1:-1, 1:-1]


def _lead_up(voxels: np.ndarray, height: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """For each voxel, the number of the voxel where steepest ascent from it ends."""
    order = np.argsort(height, kind="stable")
    rank = np.full(np.prod(shape), -1, np.int64)
    rank[voxels[order]] = np.arange(len(voxels))
    best = rank[voxels].copy()
    for step in _steps(shape):
        np.maximum(best, rank[voxels + step], out=best)
        np.maximum(best, rank[voxels - step], out=best)
    upwards = order[best]
    while True:
        further = upwards[upwards]
        if np.array_equal(further, upwards):
            return np.asarray(upwards)
        upwards = further


def _necks(
    voxels: np.ndarray, height: np.ndarray, tops: np.ndarray, shape: tuple[int, ...]
) -> list[tuple[float, int, int]]:
    """(Thickness of the neck, top, top) of all neighbours, thickest first."""
    place = np.full(np.prod(shape), -1, np.int64)
    place[voxels] = np.arange(len(voxels))
    pairs, heights = [], []
    for step in _steps(shape):
        other = place[voxels + step]
        here = np.flatnonzero((other >= 0) & (tops != tops[other]))
        there = other[here]
        pairs.append(np.sort(np.stack((tops[here], tops[there]), axis=1), axis=1))
        heights.append(np.minimum(height[here], height[there]))
    keys, neck = np.concatenate(pairs), np.concatenate(heights)
    order = np.lexsort((-neck, keys[:, 1], keys[:, 0]))
    keys, neck = keys[order], neck[order]
    first = np.ones(len(keys), bool)
    first[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    found = zip(neck[first].tolist(), *keys[first].T.tolist(), strict=True)
    return sorted(((n, a, b) for n, a, b in found), reverse=True)


def _merge(
    tops: np.ndarray, height: np.ndarray, necks: Sequence[tuple[float, int, int]]
) -> np.ndarray:
    """Tops with those replaced that no thin neck sets apart from a higher one."""
    parent = {int(top): int(top) for top in np.unique(tops)}

    def root(top: int) -> int:
        while parent[top] != top:
            parent[top] = parent[parent[top]]
            top = parent[top]
        return top

    for neck, a, b in necks:
        low, high = sorted((root(a), root(b)), key=lambda top: height[top])
        if neck >= (1 - NECK) * height[low]:
            parent[low] = high
    final = np.arange(len(tops))
    for top in parent:
        final[top] = root(top)
    return np.asarray(final[tops])


def _number_by_first(ids: np.ndarray) -> np.ndarray:
    _, first, number = np.unique(ids, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[number]


def _steps(shape: tuple[int, ...]) -> Iterator[int]:
    """Half of the 26 neighbours, as differences of flat indices."""
    return (int((z * shape[1] + y) * shape[2] + x) for z, y, x in OFFSETS)
