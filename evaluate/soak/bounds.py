"""Is a long run flat? What was measured against what is allowed."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluate.soak.cases import QUARTERS, Planned
from evaluate.soak.watch import Sample

MEMORY_GROWTH = 0.05
DRIFT = 0.05


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        what: The promise.
        measured: In words.
        bound: In words.
        held: Whether it was kept.
    """

    what: str
    measured: str
    bound: str
    held: bool


def judge(
    plan: Sequence[Planned],
    statuses: Mapping[str, str],
    outputs: Sequence[str],
    samples: Sequence[Sample],
    left: Sequence[str],
) -> list[Finding]:
    """All findings of a run.

    Args:
        plan: The cases in order.
        statuses: Status by case, as reported.
        outputs: Names of the outputs.
        samples: What was seen.
        left: Temporary files that are still there.
    """
    edges = _edges(plan, outputs)
    quarters = [
        [sample for sample in samples if low <= sample.done < high]
        for low, high in itertools.pairwise(edges)
    ]
    if not all(quarters):
        return [
            _statuses(plan, statuses),
            Finding("every quarter is seen", "one is too short", "longer", False),
        ]
    return [
        _statuses(plan, statuses),
        _memory([sample for quarter in quarters[1:] for sample in quarter]),
        _no_more("open files", [min(s.files for s in quarter) for quarter in quarters]),
        _no_more("threads", [min(s.threads for s in quarter) for quarter in quarters]),
        Finding("temporary files", str(len(left)), "0", not left),
        _drift(samples, edges),
    ]


def _edges(plan: Sequence[Planned], outputs: Sequence[str]) -> list[int]:
    """How many outputs there are where each quarter begins, and in the end."""
    there = set(outputs)
    return [
        sum(planned.name in there for planned in plan if planned.quarter < quarter)
        for quarter in range(QUARTERS + 1)
    ]


def _statuses(plan: Sequence[Planned], statuses: Mapping[str, str]) -> Finding:
    wrong = [
        planned.name
        for planned in plan
        if statuses.get(planned.name) != ("failed" if planned.fault else "ok")
    ]
    broken = sum(planned.fault is not None for planned in plan)
    what = f"{broken} of {len(plan)} cases fail, the broken ones"
    measured = f"{len(wrong)} otherwise" + (f", first {wrong[0]}" if wrong else "")
    return Finding(what, measured, "0", not wrong)


def _memory(samples: Sequence[Sample]) -> Finding:
    """Slope of a straight line through three quarters."""
    done = np.array([sample.done for sample in samples], float)
    resident = np.array([sample.rss_mb for sample in samples])
    slope = float(np.polyfit(done - done.mean(), resident, 1)[0])
    growth = slope * (done[-1] - done[0]) / float(np.median(resident))
    measured = (
        f"{growth:+.1%} ({1000 * slope:+.1f} MB per 1,000 outputs, "
        f"median {np.median(resident):.0f} MB, most {resident.max():.0f} MB)"
    )
    return Finding(
        "memory over the last three quarters",
        measured,
        f"{MEMORY_GROWTH:+.0%}",
        growth <= MEMORY_GROWTH,
    )


def _no_more(what: str, least: Sequence[int]) -> Finding:
    """What is leaked is never given back: the least that is held in a quarter grows."""
    return Finding(
        f"{what}, least per quarter",
        ", ".join(map(str, least)),
        "last no more than first",
        least[-1] <= least[0],
    )


def _drift(samples: Sequence[Sample], edges: Sequence[int]) -> Finding:
    """CPU time of the last quarter against that of the first, which has the same cases."""
    spent = np.diff(_at(samples, edges, [sample.cpu_seconds for sample in samples]))
    passed = np.diff(_at(samples, edges, [sample.seconds for sample in samples]))
    drift = float(spent[-1] / spent[0] - 1)
    measured = (
        f"{drift:+.1%} ({', '.join(f'{value:.1f}' for value in spent)} s by quarter; "
        f"by the clock {', '.join(f'{value:.1f}' for value in passed)} s)"
    )
    return Finding("CPU time, last quarter to first", measured, f"{DRIFT:+.0%}", drift <= DRIFT)


def _at(samples: Sequence[Sample], edges: Sequence[int], values: Sequence[float]) -> np.ndarray:
    """Values at which so many outputs were there for the first time."""
    first = {sample.done: value for sample, value in zip(samples[::-1], values[::-1], strict=True)}
    done = sorted(first)
    return np.interp(edges, done, [first[count] for count in done])
