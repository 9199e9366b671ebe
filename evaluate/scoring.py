"""The rules by default: the challenge's metrics without the slips of its script.

What differs from ``evaluate.official``:

- millimetres meet the right axes: the spacing (x, y, z) is reversed for arrays (z, y, x);
- ids are not wrapped to uint8: any number of objects can be told apart;
- background is 0, also where a ground truth holds none;
- a prompted class that is absent from the ground truth counts, in a column of its own: its false
  voxels and mm3, and ``Absence``, 1 if the prediction leaves it empty and 0 otherwise;
- an instance case without objects is such an absence, not an F1 of 0;
- a prediction that is missing, unreadable or of another shape scores 0, and the next case follows.

As in the challenge, DSC and NSD are means over the prompted classes that the ground truth holds, a
mask with a single id stands for its 6-connected components in an instance case, and a pair of
objects matches from an IoU of 0.5.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from statistics import fmean

import cc3d
import numpy as np

from evaluate.detection import detect
from evaluate.dice import class_dice, foreground_dice
from evaluate.overlap import Overlap, count_overlap
from evaluate.scores import ClassScore, Scores
from evaluate.surface import nsd


def score(
    prediction: np.ndarray,
    truth: np.ndarray,
    *,
    spacing: tuple[float, float, float],
    class_ids: Collection[int],
    instance: bool,
    surfaces: bool = True,
) -> Scores:
    """Score one case.

    Args:
        prediction: (D, H, W) non-negative integers.
        truth: (D, H, W) non-negative integers.
        spacing: (x, y, z) mm.
        class_ids: Prompted ids.
        instance: Whether ids stand for objects.
        surfaces: Whether to compute the NSD, which takes most of the time.
    """
    voxel_mm3 = math.prod(spacing)
    if instance:
        return _score_instances(prediction, truth, voxel_mm3)
    overlap = count_overlap(prediction, truth)
    present = sorted(set(class_ids) & set(overlap.true.tolist()))
    absent = sorted(set(class_ids) - set(present))
    classes = {
        c: ClassScore(
            dsc=class_dice(overlap, c),
            nsd=nsd(prediction == c, truth == c, spacing[::-1]) if surfaces else math.nan,
        )
        for c in present
    }
    false_voxels = [overlap.sizes(c)[0] for c in absent]
    return Scores(
        dsc=_mean([s.dsc for s in classes.values()]),
        nsd=_mean([s.nsd for s in classes.values()]),
        absence=_mean([float(voxels == 0) for voxels in false_voxels]),
        false_voxels=sum(false_voxels),
        false_mm3=sum(false_voxels) * voxel_mm3,
        classes=classes,
    )


def _score_instances(prediction: np.ndarray, truth: np.ndarray, voxel_mm3: float) -> Scores:
    overlap = count_overlap(prediction, truth)
    if not overlap.true.size:
        false_voxels = int(overlap.predicted_voxels.sum())
        return Scores(
            absence=float(false_voxels == 0),
            false_voxels=false_voxels,
            false_mm3=false_voxels * voxel_mm3,
        )
    detection = detect(_split_mask(prediction, truth, overlap))
    return Scores(f1=detection.f1, dsc_tp=detection.dsc_tp, foreground_dsc=foreground_dice(overlap))


def _split_mask(prediction: np.ndarray, truth: np.ndarray, overlap: Overlap) -> Overlap:
    """The overlap of a mask's 6-connected components, if the prediction is one mask."""
    if overlap.predicted.size != 1:
        return overlap
    components = cc3d.connected_components(prediction != 0, connectivity=6)
    return count_overlap(components, truth)


def _mean(values: list[float]) -> float:
    return fmean(values) if values else math.nan
