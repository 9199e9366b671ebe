"""A rehearsal as a table to read and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, median

from evaluate.rehearsal.loop import STAGES, Rehearsed
from evaluate.report import format_rows
from evaluate.scores import SECONDS_PER_CLASS


def format_rehearsal(cases: Sequence[Rehearsed]) -> str:
    """Markdown: a line per case, slowest per class first, a summary, and every problem."""
    header = ["case", "classes", "s", "s/class", f"of {SECONDS_PER_CLASS:g} s", "MB", *STAGES]
    slowest_first = sorted(cases, key=lambda case: -case.seconds_per_class)
    table = format_rows([header, *(_row(case) for case in slowest_first)])
    return "\n\n".join(filter(None, (table, _summary(cases), _problems(cases))))


def write_rehearsal(path: Path, cases: Sequence[Rehearsed], runner: str) -> None:
    """JSON that ``score --times`` reads."""
    values = {"runner": runner, "cases": [asdict(case) for case in cases]}
    path.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _row(case: Rehearsed) -> list[str]:
    share = case.seconds_per_class / SECONDS_PER_CLASS
    memory = "" if case.peak_memory_mb is None else f"{case.peak_memory_mb:.0f}"
    return [
        case.case,
        str(case.classes),
        f"{case.seconds:.2f}",
        f"{case.seconds_per_class:.2f}",
        f"{100 * share:.0f} %",
        memory,
        *(f"{case.stages[stage]:.2f}" if case.stages else "" for stage in STAGES),
    ]


def _summary(cases: Sequence[Rehearsed]) -> str:
    seconds = [case.seconds for case in cases]
    slowest = max(case.seconds_per_class for case in cases)
    lines = [
        f"{len(cases)} cases: {sum(seconds):.0f} s, {median(seconds):.2f} s in the median, "
        f"{max(seconds):.2f} s at most; {slowest:.2f} s per class at most, "
        f"{SECONDS_PER_CLASS:g} s allowed"
    ]
    told = [case for case in cases if case.stages]
    if told:
        shares = [fmean(case.stages[s] / case.seconds for case in told) for s in STAGES]
        named = (
            f"{stage} {100 * share:.0f} %" for stage, share in zip(STAGES, shares, strict=True)
        )
        lines.append(f"where the time goes: {', '.join(named)}")
    return "\n".join(lines)


def _problems(cases: Sequence[Rehearsed]) -> str:
    return "\n".join(
        f"{case.case}: {line}" for case in cases for line in (*case.problems, *case.notes)
    )
