"""Score a folder of predictions, case by case; what goes wrong stays with its case."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from evaluate.cases import CaseInfo, as_ids, read_info, read_labels
from evaluate.official import score_officially
from evaluate.scores import SECONDS_PER_CLASS, CaseScore, Unscored
from evaluate.scoring import score
from evaluate.sidecars import Group, group_of
from predict.errors import CaseError, UsageError
from predict.npz import list_cases


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where things are; a case has the same file name in each.

    Attributes:
        predictions: NAME.npz with ``segs``.
        truths: NAME.npz with ``gts``.
        inputs: NAME.npz with ``spacing`` and ``text_prompts``; its files are the cases.
    """

    predictions: Path
    truths: Path
    inputs: Path


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to score.

    Attributes:
        official: With the rules of the official script.
        surfaces: Whether to compute the NSD, which takes most of the time.
        seconds: Running time by case.
        groups: Group by case; a case that is not there is grouped by its name.
    """

    official: bool = False
    surfaces: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)


def score_folder(
    folders: Folders, options: Options, cases: Container[str] | None = None
) -> Iterator[CaseScore | Unscored]:
    """Score every input, or only those of the given cases, sorted by name.

    A case without readable input or ground truth is unscored. With the official rules the first
    unusable file ends the evaluation: its case and every later one are unscored.

    Raises:
        UsageError: A folder is missing, or there are no inputs.
    """
    for folder in (folders.predictions, folders.truths):
        if not folder.is_dir():
            raise UsageError(f"expected a folder, received {folder}")
    stopped = ""
    for name in (path.name for path in list_cases(folders.inputs)):
        case = name.removesuffix(".npz")
        if cases is not None and case not in cases:
            continue
        if stopped:
            yield Unscored(case, f"the official script stops at {stopped}")
            continue
        try:
            info = read_info(folders.inputs / name)
            truth = read_labels(folders.truths / name, "gts")
            truth = truth if options.official else as_ids(truth)
        except CaseError as error:
            stopped = case if options.official else ""
            yield Unscored(case, str(error))
            continue
        scored = score_case(folders.predictions / name, truth, info, options)
        if options.official and scored.problem:
            stopped = case
            yield Unscored(case, scored.problem)
        else:
            yield scored


def score_case(path: Path, truth: np.ndarray, info: CaseInfo, options: Options) -> CaseScore:
    """Score one prediction; with the default rules an unusable or late one scores 0.

    Args:
        path: NAME.npz with ``segs``.
        truth: (D, H, W) ids.
        info: What was asked.
        options: How to score.
    """
    seconds = options.seconds.get(info.name)
    prediction, problem = _read_prediction(path, truth, options)
    rules = score_officially if options.official else score
    scores = rules(
        prediction,
        truth,
        spacing=info.spacing,
        class_ids=info.prompts.keys(),
        instance=info.instance,
        surfaces=options.surfaces,
    )
    if problem is None and not options.official:
        problem = _lateness(seconds, len(info.prompts))
    group = options.groups.get(info.name) or group_of(info.name)
    return CaseScore(
        case=info.name,
        dataset=group.dataset,
        modality=group.modality,
        subject=group.subject,
        class_names={c: group.class_names.get(c, text) for c, text in info.prompts.items()},
        scores=scores.zeroed() if problem else scores,
        seconds=seconds,
        problem=problem,
    )


def _read_prediction(
    path: Path, truth: np.ndarray, options: Options
) -> tuple[np.ndarray, str | None]:
    """The prediction; or background, and what is wrong with it."""
    try:
        prediction = read_labels(path, "segs", truth.shape)
        return prediction if options.official else as_ids(prediction), None
    except CaseError as error:
        return np.zeros(truth.shape, np.uint8), str(error)


def _lateness(seconds: float | None, classes: int) -> str | None:
    allowed = SECONDS_PER_CLASS * max(1, classes)
    if seconds is None or seconds <= allowed:
        return None
    return (
        f"took {seconds:.1f} s, expected at most {allowed:g} s ({SECONDS_PER_CLASS:g} s per class)"
    )
