"""The same anatomy in all 48 orders of storage."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest


class Stored(NamedTuple):
    """An image as some scanner might have stored it; fields as of `predict.volumes.Volume`."""

    array: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]


# Which canonical array axis each stored axis is, and which stored axes are reversed.
ORDERS = [
    (axes, flips)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((False, True), repeat=3)
]


@pytest.fixture(params=ORDERS, ids=lambda order: f"{order[0]}{order[1]}")
def order(request: pytest.FixtureRequest) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """Each of the 48 axis orders."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def store() -> Callable[..., Stored]:
    """Store a canonical (z, y, x) array in another order, so that every voxel keeps its place."""

    def run(
        canonical: np.ndarray,
        order: tuple[tuple[int, ...], tuple[bool, ...]],
        turn: np.ndarray | None = None,
        spacing: tuple[float, float, float] = (0.75, 1.5, 2.5),
        origin: tuple[float, float, float] = (-20.0, 12.5, 40.0),
    ) -> Stored:
        axes, flips = order
        cosines = np.eye(3) if turn is None else turn
        array, columns, sizes = canonical.transpose(axes), [], []
        corner = np.array(origin)
        for stored, axis in enumerate(axes):
            column, size = cosines[:, 2 - axis], spacing[2 - axis]
            if flips[stored]:
                corner = corner + column * size * (canonical.shape[axis] - 1)
                array, column = np.flip(array, stored), -column
            columns.append(column)
            sizes.append(size)
        # (x, y, z) of the stored grid is its array axes in reverse.
        direction = np.stack(columns[::-1], axis=1)
        return Stored(
            np.ascontiguousarray(array),
            (sizes[2], sizes[1], sizes[0]),
            (float(corner[0]), float(corner[1]), float(corner[2])),
            tuple(float(v) for v in direction.ravel()),
        )

    return run
