from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluate.scores import Scores
from evaluate.scoring import score

labels = arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3))


def semantic(prediction: np.ndarray, truth: np.ndarray, *class_ids: int) -> Scores:
    return score(
        prediction, truth, spacing=(1.0, 2.0, 5.0), class_ids=class_ids or (1,), instance=False
    )


def instances(prediction: np.ndarray, truth: np.ndarray) -> Scores:
    return score(prediction, truth, spacing=(1.0, 2.0, 5.0), class_ids=(1,), instance=True)


def test_spacing_is_reversed_for_the_array_axes(cube: np.ndarray) -> None:
    shifted = np.roll(cube, 1, axis=0)
    for spacing, expected in (((1.0, 1.0, 5.0), 0.904), ((5.0, 1.0, 1.0), 1.0)):
        scores = score(shifted, cube, spacing=spacing, class_ids=(1,), instance=False)
        assert scores.nsd == pytest.approx(expected, abs=5e-4)


def test_mean_over_the_prompted_classes_of_the_truth(cube: np.ndarray) -> None:
    truth = cube.copy()
    truth[0], truth[1] = 2, 3
    scores = semantic(cube, truth, 1, 2)
    assert scores.dsc == 0.5
    assert {c: s.dsc for c, s in scores.classes.items()} == {1: 1.0, 2: 0.0}


def test_background_is_zero_also_where_there_is_none() -> None:
    truth = np.full((4, 4, 4), 3, np.uint8)
    truth[:2] = 1
    assert semantic(np.full_like(truth, 3), truth, 1, 3).dsc == pytest.approx(1 / 3)


def test_false_positives_of_absent_classes_are_counted(cube: np.ndarray) -> None:
    prediction = cube.copy()
    prediction[0, 0, :3] = 2
    scores = semantic(prediction, cube, 1, 2, 4)
    assert scores.dsc == 1
    assert scores.absence == 0.5
    assert (scores.false_voxels, scores.false_mm3) == (3, 30.0)


def test_without_absent_classes_there_is_no_absence(cube: np.ndarray) -> None:
    assert math.isnan(semantic(cube, cube).absence)


def test_truth_without_prompted_class_has_absence_only(cube: np.ndarray) -> None:
    scores = semantic(cube, np.zeros_like(cube))
    assert math.isnan(scores.dsc)
    assert scores.absence == 0


def test_instance_case_without_objects_is_an_absence(cube: np.ndarray) -> None:
    empty = np.zeros_like(cube)
    assert instances(empty, empty).absence == 1
    found = instances(cube, empty)
    assert math.isnan(found.f1)
    assert (found.absence, found.false_voxels, found.false_mm3) == (0, 1000, 10000.0)


def test_more_than_255_objects_are_told_apart() -> None:
    truth = np.zeros((2, 40, 40), np.uint16)
    truth[0, ::2, ::2] = np.arange(1, 401).reshape(20, 20)
    assert instances(truth.astype(np.uint8), truth).f1 < 1
    assert instances((truth > 0).astype(np.uint8), truth).f1 == 1
    assert instances(truth, truth).f1 == 1


def test_surfaces_can_be_left_out(cube: np.ndarray) -> None:
    scores = score(cube, cube, spacing=(1, 1, 1), class_ids=(1,), instance=False, surfaces=False)
    assert scores.dsc == 1
    assert math.isnan(scores.nsd)


@given(labels, labels)
def test_bounded(prediction: np.ndarray, truth: np.ndarray) -> None:
    for scores in (semantic(prediction, truth, 1, 2, 3), instances(prediction, truth)):
        values = [v for v in scores.by_name().values() if not math.isnan(v)]
        assert values
        assert all(0 <= value <= 1 for value in values)


@given(labels)
def test_identity_is_perfect(truth: np.ndarray) -> None:
    values = semantic(truth, truth, 1, 2, 3).by_name().values()
    assert {v for v in values if not math.isnan(v)} == {1.0}


@given(labels, labels, st.permutations([1, 2, 3]))
def test_class_numbering_does_not_matter(
    prediction: np.ndarray, truth: np.ndarray, order: list[int]
) -> None:
    rename = np.array([0, *order], np.uint8)
    plain = semantic(prediction, truth, 1, 2, 3)
    renamed = semantic(rename[prediction], rename[truth], 1, 2, 3)
    assert renamed.dsc == pytest.approx(plain.dsc, nan_ok=True)
    assert renamed.false_voxels == plain.false_voxels
