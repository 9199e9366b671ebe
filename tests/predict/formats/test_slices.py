from __future__ import annotations

import numpy as np
import pytest

from predict.errors import CaseError
from predict.formats.slices import stack_slices

AXIAL = np.array([1.0, 0, 0, 0, 1, 0])


def positions(*depths: float) -> np.ndarray:
    return np.array([[10.0, 20.0, depth] for depth in depths])


def test_slices_are_sorted_along_their_normal() -> None:
    stack = stack_slices(positions(4, 0, 2), AXIAL)
    assert stack.order == (1, 2, 0)
    assert stack.origin == (10, 20, 0)
    assert stack.gap == 2
    assert stack.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_sagittal_stack_by_hand() -> None:
    """Rows run to the back, columns downwards: the normal points to the patient's right."""
    stack = stack_slices(np.array([[5.0, 0, 0], [8, 0, 0]]), np.array([0.0, 1, 0, 0, 0, -1]))
    assert stack.order == (1, 0)
    assert stack.direction == (0, 0, -1, 1, 0, 0, 0, -1, 0)
    assert stack.gap == 3


def test_one_slice_has_no_gap() -> None:
    assert stack_slices(positions(4), AXIAL).gap is None


def test_rounded_positions_are_even() -> None:
    stack = stack_slices(positions(0, 0.6, 1.2, 1.9, 2.5), AXIAL)
    assert stack.gap == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("depths", "words"),
    [
        ((0, 3, 9, 12), r"3 mm apart, received 6 mm between slices 2 and 3 \(a slice is missing"),
        ((0, 3, 6, 8), "3 mm apart, received 2 mm between slices 3 and 4"),
        ((0, 3, 6, 0, 3, 6), "received 6 slices at 3 places"),
    ],
)
def test_an_uneven_stack_is_refused(depths: tuple[float, ...], words: str) -> None:
    with pytest.raises(CaseError, match=words):
        stack_slices(positions(*depths), AXIAL)


def test_a_tilt_is_refused_and_told() -> None:
    tilted = np.array([[0, 5 * np.tan(np.radians(15)) * n, 5.0 * n] for n in range(4)])
    with pytest.raises(CaseError, match=r"a tilt of 15\.0 degrees \(gantry tilt\)"):
        stack_slices(tilted, AXIAL)


def test_an_orientation_that_is_none_is_refused() -> None:
    with pytest.raises(CaseError, match="perpendicular unit vectors"):
        stack_slices(positions(0, 1), np.array([1.0, 0, 0, 1, 0, 0]))
