from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from evaluate.detection import detect
from evaluate.overlap import count_overlap

labels = arrays(np.uint8, (2, 4, 6), elements=st.integers(0, 4))


def row(*ids: int) -> np.ndarray:
    return np.array([[ids]])


def test_identity_is_perfect() -> None:
    found = detect(count_overlap(row(1, 1, 0, 2, 3), row(1, 1, 0, 2, 3)))
    assert (found.true_positives, found.f1, found.dsc_tp) == (3, 1.0, 1.0)


def test_iou_of_exactly_one_half_matches() -> None:
    found = detect(count_overlap(row(1, 0, 0), row(1, 1, 0)))
    assert (found.f1, found.dsc_tp) == (1.0, pytest.approx(2 / 3))


def test_iou_below_one_half_does_not_match() -> None:
    found = detect(count_overlap(row(1, 0, 0), row(1, 1, 1)))
    assert (found.f1, found.dsc_tp) == (0.0, 0.0)


def test_one_object_is_matched_once() -> None:
    """Two halves of one object have an IoU of 0.5 each: one is found, one is false."""
    found = detect(count_overlap(row(1, 1, 2, 2), row(1, 1, 1, 1)))
    assert (found.true_positives, found.predicted, found.true) == (1, 2, 1)
    assert found.f1 == pytest.approx(2 / 3)


def test_merged_objects_are_lost() -> None:
    found = detect(count_overlap(row(1, 1, 1, 2), row(1, 0, 2, 3)))
    assert (found.true_positives, found.predicted, found.true) == (1, 2, 3)
    assert found.f1 == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [(row(0, 0), row(0, 0)), (row(1, 1), row(0, 0)), (row(0, 0), row(1, 1))],
)
def test_nothing_to_match_is_zero(prediction: np.ndarray, truth: np.ndarray) -> None:
    found = detect(count_overlap(prediction, truth))
    assert (found.f1, found.dsc_tp) == (0.0, 0.0)


@given(labels, labels, st.permutations(range(1, 5)))
def test_numbering_of_objects_does_not_matter(
    prediction: np.ndarray, truth: np.ndarray, order: list[int]
) -> None:
    renamed = np.array([0, *order])[prediction]
    assert detect(count_overlap(renamed, truth)).f1 == detect(count_overlap(prediction, truth)).f1


@given(labels, labels)
def test_f1_is_bounded_and_symmetric(prediction: np.ndarray, truth: np.ndarray) -> None:
    found = detect(count_overlap(prediction, truth))
    assert 0 <= found.f1 <= 1
    assert found.dsc_tp == 0 or found.dsc_tp >= 2 / 3 - 1e-9
    assert found.f1 == detect(count_overlap(truth, prediction)).f1


@given(labels, labels)
def test_equals_hungarian_assignment_over_all_objects(
    prediction: np.ndarray, truth: np.ndarray
) -> None:
    """The cost as the rules state it: -(IoU >= 0.5) - IoU / (2 min(n, m)), over every pair."""
    iou, dsc = np.zeros((4, 4)), np.zeros((4, 4))
    for i, j in np.ndindex(4, 4):
        a, b = prediction == i + 1, truth == j + 1
        if a.any() or b.any():
            iou[i, j] = (a & b).sum() / (a | b).sum()
            dsc[i, j] = 2 * (a & b).sum() / (a.sum() + b.sum())
    matched = linear_sum_assignment(-(iou >= 0.5).astype(float) - iou / 8)
    good = iou[matched] >= 0.5
    found = detect(count_overlap(prediction, truth))
    assert found.true_positives == good.sum()
    assert found.dsc_tp == pytest.approx(dsc[matched][good].mean() if good.any() else 0)
