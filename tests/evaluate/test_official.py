"""Every figure is one that was seen by running the official script, or follows by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluate.official import score_officially
from evaluate.scores import Scores

UNIT = (1.0, 1.0, 1.0)


def semantic(prediction: np.ndarray, truth: np.ndarray, *class_ids: int) -> Scores:
    return score_officially(
        prediction, truth, spacing=UNIT, class_ids=class_ids or (1,), instance=False
    )


def instances(prediction: np.ndarray, truth: np.ndarray) -> Scores:
    return score_officially(prediction, truth, spacing=UNIT, class_ids=(1,), instance=True)


def cells(count: int) -> np.ndarray:
    """Separate cells of 8 voxels in a plane, numbered from 1, uint16."""
    side = math.ceil(math.sqrt(count))
    labels = np.zeros((2, 3 * side, 3 * side), np.uint16)
    for index in range(count):
        y, x = 3 * (index // side), 3 * (index % side)
        labels[:, y : y + 2, x : x + 2] = index + 1
    return labels


def shuffled(labels: np.ndarray) -> np.ndarray:
    order = np.random.default_rng(0).permutation(int(labels.max())) + 1
    return np.append(0, order)[labels].astype(np.uint16)


def test_ids_wrap_and_fractions_are_cut_off(cube: np.ndarray) -> None:
    expected = semantic(cube, cube)
    assert semantic(cube.astype(np.int16) + 256, cube) == expected
    assert semantic(cube + 0.7, cube) == expected


def test_spacing_is_applied_in_the_order_of_the_array_axes(cube: np.ndarray) -> None:
    shifted = np.roll(cube, 1, axis=0)
    for spacing, expected in (((5.0, 1.0, 1.0), 0.9041), ((1.0, 1.0, 5.0), 1.0)):
        scores = score_officially(shifted, cube, spacing=spacing, class_ids=(1,), instance=False)
        assert scores.nsd == expected


def test_class_that_was_missed_scores_zero(cube: np.ndarray) -> None:
    truth = cube.copy()
    truth[0, 0, :4] = 2
    scores = semantic(cube, truth, 1, 2)
    assert (scores.dsc, scores.nsd) == (0.5, 0.5)


def test_false_positives_of_absent_and_unprompted_classes_cost_nothing(cube: np.ndarray) -> None:
    prediction = cube.copy()
    prediction[0], prediction[1] = 2, 9
    assert semantic(prediction, cube, 1, 2) == semantic(cube, cube, 1, 2)


def test_class_without_prompt_is_not_scored(cube: np.ndarray) -> None:
    truth = cube.copy()
    truth[0] = 2
    assert semantic(cube, truth, 1).dsc == 1


def test_no_prompted_class_in_the_truth_is_nan(cube: np.ndarray) -> None:
    scores = semantic(cube, cube, 5)
    assert math.isnan(scores.dsc)
    assert math.isnan(scores.nsd)


def test_smallest_label_is_taken_for_background() -> None:
    truth = np.full((4, 4, 4), 3, np.uint8)
    truth[:2] = 1
    everything_is_3 = np.full_like(truth, 3)
    assert semantic(everything_is_3, truth, 1, 3).dsc == 0.6667


def test_metrics_of_the_other_kind_are_nan(cube: np.ndarray) -> None:
    assert math.isnan(semantic(cube, cube).f1)
    assert math.isnan(instances(cube, cube).dsc)


def test_mask_is_split_into_6_connected_components() -> None:
    truth = np.array([[[1, 0], [0, 2]]])
    assert instances(np.array([[[7, 0], [0, 7]]]), truth).f1 == 1


def test_single_object_of_two_pieces_is_split() -> None:
    piece = np.array([[[1, 1, 0, 1]]])
    assert instances(piece, piece).f1 == 0.6667


def test_labels_are_honoured_and_merged_objects_stay_merged() -> None:
    truth = np.array([[[1, 1, 2, 2, 0, 3]]])
    assert instances(truth, truth).f1 == 1
    assert instances(np.array([[[1, 1, 1, 1, 0, 2]]]), truth).f1 == 0.8


def test_bridged_pair_is_one_component() -> None:
    truth = cells(25)
    mask = (truth > 0).astype(np.uint8)
    mask[0, 0, 2] = 1
    assert instances(mask, truth).f1 == 0.9388


def test_components_wrap() -> None:
    """Of 257 the 255th is lost and the last merges with the first: 254 of 255 pairs, one halved."""
    mask = (cells(257) > 0).astype(np.uint8)
    truth = cells(257)
    truth[truth > 254] = 0
    scores = instances(mask, truth)
    assert scores.f1 == round(2 * 254 / (254 + 255), 4)
    assert scores.dsc_tp == round((253 + 2 / 3) / 254, 4)


def test_255_objects_can_be_told_apart_and_400_cannot() -> None:
    few, many = cells(225), cells(400)
    assert instances(few, shuffled(few)).f1 == 1
    assert instances(many, shuffled(many)).f1 == pytest.approx(0.651, abs=0.03)
    assert instances((many > 0).astype(np.uint8), shuffled(many)).f1 == pytest.approx(
        0.655, abs=0.03
    )


@pytest.mark.parametrize("truth_is_empty", [True, False])
def test_empty_instance_cases_are_zero(cube: np.ndarray, truth_is_empty: bool) -> None:
    empty = np.zeros_like(cube)
    scores = instances(empty, empty if truth_is_empty else cube)
    assert (scores.f1, scores.dsc_tp) == (0, 0)
    assert instances(cube, empty).f1 == 0


def test_numbers_have_four_digits() -> None:
    assert semantic(np.array([[[1, 1, 0]]]), np.array([[[1, 0, 0]]])).dsc == 0.6667
