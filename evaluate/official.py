"""The organizers' script, number for number, quirks included.

JunMa11/CVPR-MedSegFMCompetition, ``CVPR25_text_eval.py`` at commit 748e862. Its quirks, all of them
reproduced here:

- prediction and ground truth are cast to uint8: ids wrap modulo 256, fractions are cut off. More
  than 255 true objects cannot be told apart: id 256 vanishes, id 257 is id 1;
- the spacing (x, y, z) is applied to the array axes (z, y, x) in that order;
- the background is the smallest label of the ground truth, whatever it is: without a background
  voxel a class is silently not scored;
- a prompted class that is absent from the ground truth is not scored, so false positives of it cost
  nothing, and neither does a predicted label that was not prompted;
- with no prompted class in the ground truth, DSC and NSD are NaN;
- instance cases: a prediction of exactly two distinct values is split into 6-connected components,
  and component i becomes i plus the largest label, again in uint8: with a mask of ones component
  255 is lost and component 257 merges with the first. With more values, ids are objects as they
  are, so a merged blob stays merged; with two values even a single object is split;
- an IoU of exactly 0.5 matches;
- F1 and DSC_TP are 0 where there is nothing to find, also if nothing was predicted;
- DSC and NSD are NaN in instance cases, F1 and DSC_TP in semantic ones;
- nothing enforces a time limit;
- numbers are rounded to 4 digits;
- a prediction that is missing, unreadable, of another shape or without ``segs`` ends the
  evaluation: earlier cases keep their rows, later ones are not run (``evaluate.folder``).

Not reproduced: an ``instance_label`` other than 0 and 1, which repeats the scores of the case
before; it is reported as an unreadable input.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import cc3d
import numpy as np

from evaluate.detection import detect
from evaluate.dice import class_dice
from evaluate.overlap import count_overlap
from evaluate.scores import ClassScore, Scores
from evaluate.surface import nsd

DIGITS = 4


def score_officially(
    prediction: np.ndarray,
    truth: np.ndarray,
    *,
    spacing: tuple[float, float, float],
    class_ids: Collection[int],
    instance: bool,
    surfaces: bool = True,
) -> Scores:
    """Score one case as the official script does.

    Args:
        prediction: (D, H, W) numbers of any kind.
        truth: (D, H, W) numbers of any kind.
        spacing: As in the file; used along the array axes in this order.
        class_ids: Prompted ids.
        instance: Whether ids stand for objects.
        surfaces: Whether to compute the NSD.
    """
    with np.errstate(invalid="ignore"):
        prediction, truth = prediction.astype(np.uint8), truth.astype(np.uint8)
    if instance:
        detection = detect(count_overlap(_split_two_values(prediction), truth))
        return Scores(f1=round(detection.f1, DIGITS), dsc_tp=round(detection.dsc_tp, DIGITS))
    overlap = count_overlap(prediction, truth)
    scored = sorted(set(np.unique(truth)[1:].tolist()) & set(class_ids))
    classes = {
        c: ClassScore(
            dsc=class_dice(overlap, c),
            nsd=nsd(prediction == c, truth == c, spacing) if surfaces else math.nan,
        )
        for c in scored
    }
    return Scores(
        dsc=_rounded_mean([s.dsc for s in classes.values()]),
        nsd=_rounded_mean([s.nsd for s in classes.values()]),
        classes=classes,
    )


def _split_two_values(prediction: np.ndarray) -> np.ndarray:
    if np.unique(prediction).size != 2:
        return prediction
    components = cc3d.connected_components(prediction, connectivity=6)
    moved = (components.astype(np.int64) + int(prediction.max())).astype(np.uint8)
    return np.where(components > 0, moved, prediction)


def _rounded_mean(values: list[float]) -> float:
    return round(float(np.mean(values)), DIGITS) if values else math.nan
