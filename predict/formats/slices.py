"""Where the slices of a DICOM stack lie, and whether they make a regular grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from predict.errors import CaseError

# Positions are often rounded; a missing slice doubles a gap.
UNEVEN = 0.2
TILT_DEGREES = 0.5
DUPLICATE_MM = 1e-3


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A regular grid of slices.

    Attributes:
        order: Index of the slice that comes first, second, ...
        origin: (x, y, z) mm of the first slice's first pixel.
        direction: Nine cosines as in `predict.volumes.Volume`, right-handed.
        gap: Distance of neighbours in mm; None for a single slice.
    """

    order: tuple[int, ...]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    gap: float | None


def stack_slices(positions: np.ndarray, orientation: np.ndarray) -> Stack:
    """Sort slices along their normal and check that they make a grid.

    Args:
        positions: (n, 3) ImagePositionPatient, mm.
        orientation: (6,) ImageOrientationPatient: directions of a row and of a column.

    Raises:
        CaseError: Several slices at a place, uneven gaps, or slices shifted against each other
            (gantry tilt).
    """
    across, down = orientation[:3], orientation[3:]
    normal = np.cross(across, down)
    if not np.isclose(np.linalg.norm(normal), 1, atol=1e-2):
        raise CaseError("expected perpendicular unit vectors as slice orientation, received others")
    depths = positions @ normal
    order = np.argsort(depths, kind="stable")
    positions, depths = positions[order], depths[order]
    gap = None
    if len(depths) > 1:
        gap = _even_gap(np.diff(depths))
        _check_tilt(positions[-1] - positions[0], normal)
    x, y, z = (float(value) for value in positions[0])
    return Stack(
        order=tuple(int(index) for index in order),
        origin=(x, y, z),
        direction=tuple(float(v) for v in np.stack([across, down, normal], axis=1).ravel()),
        gap=gap,
    )


def _even_gap(gaps: np.ndarray) -> float:
    shared = int((gaps < DUPLICATE_MM).sum())
    if shared:
        places = len(gaps) + 1 - shared
        raise CaseError(
            f"expected one slice at each place, received {len(gaps) + 1} slices at {places} "
            "places (several time points, phases or echoes): save the one you want by itself"
        )
    usual = float(np.median(gaps))
    uneven = np.flatnonzero(np.abs(gaps - usual) > UNEVEN * usual)
    if len(uneven):
        first = int(uneven[0])
        raise CaseError(
            f"expected slices {usual:.4g} mm apart, received {gaps[first]:.4g} mm between slices "
            f"{first + 1} and {first + 2} (a slice is missing, or the stack is uneven)"
        )
    return float(gaps.mean())


def _check_tilt(way: np.ndarray, normal: np.ndarray) -> None:
    cosine = float(way @ normal / np.linalg.norm(way))
    degrees = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    if degrees > TILT_DEGREES:
        raise CaseError(
            f"expected slices stacked along their normal, received a tilt of {degrees:.1f} degrees "
            "(gantry tilt): straighten it first, e.g. with dcm2niix"
        )
