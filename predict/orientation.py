"""The axis order that the network knows, and the way back.

It was trained on (z, y, x) arrays of images in LPS order: the first axis runs from inferior to
superior, the second from anterior to posterior, the third from the patient's right to left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from predict.cases import Spacing
from predict.volumes import Volume

DIGITS = 6


class AxisOrder(NamedTuple):
    """Which axis of the file's array becomes each canonical axis, and which are then reversed."""

    axes: tuple[int, int, int]
    reversed: tuple[bool, bool, bool]


def to_canonical(volume: Volume) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """The image in the order that the network knows, without resampling.

    Returns:
        A view of ``volume.array`` as (z, y, x) in LPS order, or in the nearest of the 48 orders
        where the image is oblique; and the function that brings an array of that shape back into
        the order of the file (a view too). An image without orientation stays as it is.
    """
    order = axis_order(volume)
    view = volume.array.transpose(order.axes)[_steps(order)]
    return view, lambda labels: _undo(labels, order)


def from_canonical(labels: np.ndarray, volume: Volume) -> np.ndarray:
    """A view of canonical labels in the order of the volume's file, voxel for voxel."""
    return _undo(labels, axis_order(volume))


def canonical_spacing(volume: Volume) -> Spacing:
    """Voxel size (x, y, z) in mm along the canonical axes."""
    z, y, x = (volume.spacing[2 - axis] for axis in axis_order(volume).axes)
    return (x, y, z)


def axis_order(volume: Volume) -> AxisOrder:
    """How the file's (D, H, W) array becomes canonical.

    Of the six assignments the one with the largest sum of cosines is taken. A tie (a turn by
    exactly 45 degrees) is decided by the turned image alone, so that it does not depend on how
    the same image was stored.
    """
    if not volume.oriented:
        return AxisOrder((0, 1, 2), (False, False, False))
    # Row: patient axis z, y, x. Column: array axis 0, 1, 2.
    cosines = np.reshape(volume.direction, (3, 3))[::-1, ::-1]
    candidates = []
    for axes in itertools.permutations(range(3)):
        chosen = cosines[:, axes]
        signs = np.where(np.diag(chosen) < 0, -1.0, 1.0)
        turned = np.round(chosen * signs, DIGITS) + 0.0
        candidates.append((float(np.trace(turned)), turned.ravel().tolist(), axes, signs))
    _, _, axes, signs = max(candidates, key=lambda c: (round(c[0], DIGITS - 1), c[1]))
    return AxisOrder((axes[0], axes[1], axes[2]), (signs[0] < 0, signs[1] < 0, signs[2] < 0))


def _undo(labels: np.ndarray, order: AxisOrder) -> np.ndarray:
    return labels[_steps(order)].transpose(np.argsort(order.axes))


def _steps(order: AxisOrder) -> tuple[slice, ...]:
    return tuple(slice(None, None, -1 if back else 1) for back in order.reversed)
