"""Scores of probes: agreement between wordings, and what was found of what is not there."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import numpy as np

from evaluate.cases import CaseInfo, as_ids, read_info, read_labels
from evaluate.dice import dice
from evaluate.probes.make import ABSENT, SEPARATOR
from evaluate.report import format_rows
from evaluate.sidecars import Group, group_of
from predict.npz import list_cases


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One class of one case, over all wordings.

    Attributes:
        dataset: Data set of the case.
        dice: Mean Dice between two wordings' masks; NaN if none of them found anything.
        worst: The lowest of them.
    """

    dataset: str
    dice: float
    worst: float


@dataclass(frozen=True, kw_only=True)
class FalseFinding:
    """One prompt whose target is not there.

    Attributes:
        dataset: Data set of the case.
        voxels: What was found all the same.
        share: Of the volume.
    """

    dataset: str
    voxels: int
    share: float


Item = TypeVar("Item", Agreement, FalseFinding)


@dataclass(frozen=True)
class ProbeScores:
    """All of them."""

    agreements: list[Agreement]
    false_findings: list[FalseFinding]


def score_probes(probes: Path, predictions: Path, groups: Mapping[str, Group]) -> ProbeScores:
    """Score the predictions of what :func:`evaluate.probes.make.make_probes` wrote.

    Raises:
        CaseError: A prediction is missing or unreadable.
        UsageError: There are no probes.
    """
    wordings: dict[str, list[Path]] = defaultdict(list)
    absent: list[tuple[str, Path]] = []
    for path in list_cases(probes):
        case, _, kind = path.stem.rpartition(SEPARATOR)
        if kind == ABSENT:
            absent.append((case, path))
        else:
            wordings[case].append(path)

    def dataset(case: str) -> str:
        return (groups.get(case) or group_of(case)).dataset

    agreements = [
        agreement
        for case, paths in wordings.items()
        for agreement in _agree(dataset(case), paths, predictions)
    ]
    findings = [
        finding
        for case, path in absent
        for finding in _count_found(dataset(case), path, predictions)
    ]
    return ProbeScores(agreements, findings)


def format_probes(scores: ProbeScores) -> str:
    """Markdown tables by data set, with a line for all."""
    parts = []
    if scores.agreements:
        rows = [["wordings", "classes", "found", "Dice between", "worst"]]
        rows += [_agreement_row(name, group) for name, group in _grouped(scores.agreements)]
        parts.append(format_rows(rows))
    if scores.false_findings:
        rows = [["absent", "prompts", "found something", "mean share of volume"]]
        rows += [_finding_row(name, group) for name, group in _grouped(scores.false_findings)]
        parts.append(format_rows(rows))
    return "\n\n".join(parts)


def _agree(dataset: str, paths: Sequence[Path], predictions: Path) -> list[Agreement]:
    masks: dict[int, list[np.ndarray]] = defaultdict(list)
    for path in paths:
        info, labels = _read(path, predictions)
        for class_id in info.prompts:
            masks[class_id].append(labels > 0 if info.instance else labels == class_id)
    result = []
    for found in masks.values():
        sizes = [int(np.count_nonzero(mask)) for mask in found]
        values = [
            dice(sizes[a], sizes[b], int(np.count_nonzero(found[a] & found[b])))
            for a, b in combinations(range(len(found)), 2)
        ]
        seen = any(sizes) and bool(values)
        result.append(
            Agreement(
                dataset=dataset,
                dice=fmean(values) if seen else math.nan,
                worst=min(values) if seen else math.nan,
            )
        )
    return result


def _count_found(dataset: str, path: Path, predictions: Path) -> list[FalseFinding]:
    info, labels = _read(path, predictions)
    counts = {c: int(np.count_nonzero(labels == c)) for c in info.prompts}
    return [FalseFinding(dataset=dataset, voxels=n, share=n / labels.size) for n in counts.values()]


def _read(path: Path, predictions: Path) -> tuple[CaseInfo, np.ndarray]:
    return read_info(path), as_ids(read_labels(predictions / path.name, "segs"))


def _grouped(items: Sequence[Item]) -> list[tuple[str, list[Item]]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.dataset].append(item)
    return sorted(groups.items()) + [("all", list(items))]  # noqa: RUF005  (mypy)


def _agreement_row(name: str, group: Sequence[Agreement]) -> list[str]:
    seen = [item for item in group if not math.isnan(item.dice)]
    mean = f"{fmean(item.dice for item in seen):.3f}" if seen else ""
    worst = f"{min(item.worst for item in seen):.3f}" if seen else ""
    return [name, str(len(group)), str(len(seen)), mean, worst]


def _finding_row(name: str, group: Sequence[FalseFinding]) -> list[str]:
    found = [item for item in group if item.voxels]
    share = fmean(item.share for item in group)
    return [name, str(len(group)), f"{100 * len(found) / len(group):.1f} %", f"{100 * share:.3f} %"]
