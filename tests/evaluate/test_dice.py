from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluate.dice import class_dice, dice, foreground_dice
from evaluate.overlap import count_overlap

labels = arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 2))


@pytest.mark.parametrize(
    ("predicted", "true", "shared", "expected"),
    [(4, 4, 4, 1.0), (2, 4, 2, 2 / 3), (3, 5, 0, 0.0), (0, 5, 0, 0.0), (0, 0, 0, 1.0)],
)
def test_by_hand(predicted: int, true: int, shared: int, expected: float) -> None:
    assert dice(predicted, true, shared) == pytest.approx(expected)


@given(labels, labels)
def test_bounded_and_symmetric(prediction: np.ndarray, truth: np.ndarray) -> None:
    value = class_dice(count_overlap(prediction, truth), 1)
    assert 0 <= value <= 1
    assert value == class_dice(count_overlap(truth, prediction), 1)


@given(labels)
def test_identity_is_one(truth: np.ndarray) -> None:
    overlap = count_overlap(truth, truth)
    assert class_dice(overlap, 1) == class_dice(overlap, 2) == foreground_dice(overlap) == 1


def test_foreground_ignores_ids() -> None:
    truth = np.array([[[1, 1, 2, 0]]])
    prediction = np.array([[[7, 7, 7, 7]]])
    assert foreground_dice(count_overlap(prediction, truth)) == pytest.approx(6 / 7)
