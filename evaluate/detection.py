"""Instance metrics: F1 at an IoU threshold, and the Dice of the objects that were matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from evaluate.overlap import Overlap

IOU_THRESHOLD = 0.5


@dataclass(frozen=True)
class Detection:
    """Objects found.

    Attributes:
        true_positives: Matched pairs.
        predicted: Objects in the prediction.
        true: Objects in the ground truth.
        dsc_tp: Mean DSC of the matched pairs, 0 if there are none.
    """

    true_positives: int
    predicted: int
    true: int
    dsc_tp: float

    @property
    def f1(self) -> float:
        """2 TP / (predicted + true); 0 if there are no objects at all."""
        total = self.predicted + self.true
        return 2 * self.true_positives / total if total else 0.0


def detect(overlap: Overlap, threshold: float = IOU_THRESHOLD) -> Detection:
    """Match predicted with true objects one to one: most pairs first, then the largest IoU.

    A pair counts if its IoU is at least the threshold (> 0), so that at 0.5 a pair of exactly 0.5
    does. The assignment is Hungarian, over the objects that have such a partner at all: at 0.5 and
    above the others cannot change it.
    """
    pairs = overlap.shared.tocoo()
    rows, columns = pairs.coords
    sizes = overlap.predicted_voxels[rows] + overlap.true_voxels[columns]
    iou = pairs.data / (sizes - pairs.data)
    good = iou >= threshold
    rows, columns, iou = rows[good], columns[good], iou[good]
    dsc = 2 * pairs.data[good] / sizes[good]
    row_ids, row = np.unique(rows, return_inverse=True)
    column_ids, column = np.unique(columns, return_inverse=True)
    gain = np.zeros((row_ids.size, column_ids.size))
    gain[row, column] = 1 + iou / (2 * max(1, min(gain.shape)))
    pair_dsc = np.zeros_like(gain)
    pair_dsc[row, column] = dsc
    matched = linear_sum_assignment(gain, maximize=True)
    matched_dsc = pair_dsc[matched][gain[matched] > 0]
    return Detection(
        true_positives=matched_dsc.size,
        predicted=overlap.predicted.size,
        true=overlap.true.size,
        dsc_tp=float(matched_dsc.mean()) if matched_dsc.size else 0.0,
    )
