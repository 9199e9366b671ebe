"""Dice similarity of predicted and true labels, case by case and averaged."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np


@dataclass(frozen=True)
class CaseScore:
    """Dice per class id of one case; a missing or unusable prediction scores 0 and says why."""

    case: str
    classes: Mapping[int, float]
    problem: str | None = None

    @property
    def mean(self) -> float:
        """Mean over the case's classes."""
        return fmean(self.classes.values())


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """2|A and B| / (|A| + |B|) of two boolean masks; 1 where both are empty."""
    total = int(np.count_nonzero(prediction)) + int(np.count_nonzero(truth))
    return 2 * int(np.count_nonzero(prediction & truth)) / total if total else 1.0


def score_case(
    case: str, prediction: np.ndarray, truth: np.ndarray, class_ids: Iterable[int], *, instance: bool
) -> CaseScore:
    """Dice of every prompted class that the ground truth holds.

    In an instance case all objects together are class 1.

    Args:
        case: Name.
        prediction: (D, H, W) ids.
        truth: (D, H, W) ids.
        class_ids: Prompted ids.
        instance: Whether ids stand for objects.
    """
    present = set(np.unique(truth).tolist()) - {0}
    if instance:
        return CaseScore(case, {1: dice(prediction > 0, truth > 0)} if present else {})
    wanted = sorted(present & set(class_ids))
    return CaseScore(case, {c: dice(prediction == c, truth == c) for c in wanted})


def score_folder(
    predictions: Path, truths: Path, prompts: Callable[[Path], tuple[tuple[int, ...], bool]]
) -> list[CaseScore]:
    """Score every ground truth NAME.npz against the prediction of the same name.

    Args:
        predictions: Folder of NAME.npz with ``segs``.
        truths: Folder of NAME.npz with ``gts``.
        prompts: Path's name -> prompted class ids and instance flag.
    """
    scores = []
    for path in sorted(truths.glob("*.npz")):
        with np.load(path) as arrays:
            truth = arrays["gts"]
        ids, instance = prompts(path)
        try:
            with np.load(predictions / path.name) as arrays:
                prediction = arrays["segs"]
            if prediction.shape != truth.shape:
                raise ValueError(f"expected shape {truth.shape}, received {prediction.shape}")
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            empty = score_case(path.stem, np.zeros_like(truth), truth, ids, instance=instance)
            scores.append(CaseScore(path.stem, empty.classes, str(error).splitlines()[0]))
            continue
        scores.append(score_case(path.stem, prediction, truth, ids, instance=instance))
    return [score for score in scores if score.classes]


def by_group(
    scores: Iterable[CaseScore], group: Callable[[CaseScore], str]
) -> dict[str, list[CaseScore]]:
    """Scores sorted into named groups."""
    groups: dict[str, list[CaseScore]] = defaultdict(list)
    for score in scores:
        groups[group(score)].append(score)
    return dict(sorted(groups.items()))
