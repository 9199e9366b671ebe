"""Averages of scores: by data set, by modality, by class, and over all, with intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from textwrap import shorten

import numpy as np

from evaluate.scores import ATTRIBUTES, CaseScore

RESAMPLES = 1000
SEED = 0
NAME_LENGTH = 60


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean and its 95 % interval; NaN limits where there is only one subject to resample."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = "" if math.isnan(self.low) else f" [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.mean:.3f}{interval}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a table.

    Attributes:
        name: What is averaged.
        count: How many the mean is taken over.
        metrics: Estimate by metric; without the metrics that apply to no case.
        seconds: Mean running time per case if known.
        slowest: Longest running time per class, if known.
    """

    name: str
    count: int
    metrics: dict[str, Estimate]
    seconds: float | None = None
    slowest: float | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under a title; ``unit`` is what the rows count."""

    title: str
    unit: str
    rows: list[Row]


def make_tables(scores: Sequence[CaseScore]) -> list[Table]:
    """Averages by data set and modality, over all, and by class."""
    datasets = group_by(scores, lambda s: s.dataset)
    modalities = group_by(scores, lambda s: s.modality)
    averages = [
        _row("mean over cases", len(scores), [scores]),
        _row("mean over modalities", len(modalities), list(modalities.values())),
        _row("mean over data sets", len(datasets), list(datasets.values())),
    ]
    return [
        Table(title="Data sets", unit="cases", rows=_group_rows(datasets)),
        Table(title="Modalities", unit="cases", rows=_group_rows(modalities)),
        Table(title="Averages", unit="averaged", rows=averages),
        Table(title="Classes", unit="cases", rows=_class_rows(datasets)),
    ]


def group_by(
    scores: Sequence[CaseScore], key: Callable[[CaseScore], str]
) -> dict[str, list[CaseScore]]:
    """Scores in named groups, sorted by name."""
    groups: dict[str, list[CaseScore]] = defaultdict(list)
    for score in scores:
        groups[key(score)].append(score)
    return dict(sorted(groups.items()))


def bootstrap(strata: Sequence[Sequence[tuple[str, float]]]) -> Estimate:
    """Mean over strata of the mean of their values, with a percentile interval.

    Subjects, not values, are drawn with replacement, within each stratum.

    Args:
        strata: (subject, value) of each member; none of them empty.
    """
    generator = np.random.default_rng(SEED)
    draws = np.zeros(RESAMPLES)
    for stratum in strata:
        by_subject: dict[str, list[float]] = defaultdict(list)
        for subject, value in stratum:
            by_subject[subject].append(value)
        sums = np.array([math.fsum(values) for values in by_subject.values()])
        counts = np.array([len(values) for values in by_subject.values()])
        n = len(by_subject)
        times = generator.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
        draws += (times @ sums) / (times @ counts) / len(strata)
    mean = fmean(fmean(value for _, value in stratum) for stratum in strata)
    if all(len({subject for subject, _ in stratum}) == 1 for stratum in strata):
        return Estimate(mean=mean, low=math.nan, high=math.nan)
    low, high = np.percentile(draws, (2.5, 97.5))
    return Estimate(mean=mean, low=float(low), high=float(high))


def _group_rows(groups: Mapping[str, Sequence[CaseScore]]) -> list[Row]:
    return [_row(name, len(group), [group]) for name, group in groups.items()]


def _row(name: str, count: int, strata: Sequence[Sequence[CaseScore]]) -> Row:
    members = [score for stratum in strata for score in stratum]
    times = [s.seconds for s in members if s.seconds is not None]
    per_class = [s.seconds_per_class for s in members if s.seconds_per_class is not None]
    return Row(
        name=name,
        count=count,
        metrics=_estimates(strata, lambda score: score.scores.by_name()),
        seconds=fmean(times) if times and len(strata) == 1 else None,
        slowest=max(per_class, default=None),
    )


def _class_rows(datasets: Mapping[str, Sequence[CaseScore]]) -> list[Row]:
    rows = []
    for dataset, group in datasets.items():
        for class_id in sorted({c for score in group for c in score.scores.classes}):
            members = [score for score in group if class_id in score.scores.classes]
            name = members[0].class_names[class_id]
            rows.append(
                Row(
                    name=f"{dataset} {class_id}: {shorten(name, NAME_LENGTH)}",
                    count=len(members),
                    metrics=_estimates([members], _class_metrics(class_id)),
                )
            )
    return rows


def _class_metrics(class_id: int) -> Callable[[CaseScore], dict[str, float]]:
    def read(score: CaseScore) -> dict[str, float]:
        values = score.scores.classes[class_id]
        return {"DSC": values.dsc, "NSD": values.nsd}

    return read


def _estimates(
    strata: Sequence[Sequence[CaseScore]], read: Callable[[CaseScore], dict[str, float]]
) -> dict[str, Estimate]:
    values = [[(score.subject, read(score)) for score in stratum] for stratum in strata]
    estimates = {}
    for name in ATTRIBUTES:
        defined = [
            [
                (subject, of[name])
                for subject, of in stratum
                if not math.isnan(of.get(name, math.nan))
            ]
            for stratum in values
        ]
        defined = [stratum for stratum in defined if stratum]
        if defined:
            estimates[name] = bootstrap(defined)
    return estimates
