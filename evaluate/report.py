"""Scores as Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluate.scores import ATTRIBUTES, OFFICIAL_METRICS, CaseScore, Unscored
from evaluate.tables import Table

OFFICIAL_COLUMNS = ("CaseName", "RunningTime", *OFFICIAL_METRICS)
COLUMNS = (
    *OFFICIAL_COLUMNS,
    *(name for name in ATTRIBUTES if name not in OFFICIAL_METRICS),
    "FalseVoxels",
    "FalseMM3",
    "SecondsPerClass",
    "DataSet",
    "Modality",
    "Subject",
    "Problem",
)
CSV_DIGITS = 4
MANY_ROWS = 30


def format_tables(tables: Iterable[Table], *, brief: bool = False) -> str:
    """Markdown tables; brief leaves out tables of many rows."""
    shown = [t for t in tables if t.rows and not (brief and len(t.rows) > MANY_ROWS)]
    return "\n\n".join(format_rows(table_cells(table)) for table in shown)


def format_rows(rows: Iterable[Sequence[str]]) -> str:
    """Header and rows as a Markdown table; the first column to the left, the others right."""
    lines = [[cell.replace("|", "/") for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(line, widths) for line in [lines[0], rule, *lines[1:]])


def table_cells(table: Table) -> list[list[str]]:
    """Header and rows of a table as text, without the columns that would be empty."""
    columns = {
        table.title: [row.name for row in table.rows],
        table.unit: [str(row.count) for row in table.rows],
        **{name: [str(row.metrics.get(name, "")) for row in table.rows] for name in ATTRIBUTES},
        "s/case": [_seconds(row.seconds) for row in table.rows],
        "max s/class": [_seconds(row.slowest) for row in table.rows],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    return [list(filled), *(list(row) for row in zip(*filled.values(), strict=True))]


def format_problems(scores: Iterable[CaseScore], unscored: Iterable[Unscored]) -> str:
    """One line per case that scored 0 or nothing for a reason; empty if there is none."""
    lines = [f"{s.case}: scored 0 ({s.problem})" for s in scores if s.problem]
    lines += [f"{u.case}: not scored ({u.reason})" for u in unscored]
    return "\n".join(lines)


def write_csv(path: Path, scores: Iterable[CaseScore], *, official: bool) -> None:
    """One row per case; with the official rules, the columns of the official file only."""
    columns = OFFICIAL_COLUMNS if official else COLUMNS
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(_csv_row(score) for score in scores)


def to_json(
    tables: Iterable[Table],
    scores: Iterable[CaseScore],
    unscored: Iterable[Unscored],
    *,
    rules: str,
) -> str:
    """Everything, for programs; what does not apply is null."""
    values = {
        "rules": rules,
        "tables": [asdict(table) for table in tables],
        "cases": [asdict(score) for score in scores],
        "unscored": [asdict(case) for case in unscored],
    }
    return json.dumps(_without_nan(values), indent=1, ensure_ascii=False)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0])]
    padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _csv_row(score: CaseScore) -> dict[str, object]:
    per_class = score.seconds_per_class
    return {
        "CaseName": f"{score.case}.npz",
        "RunningTime": score.seconds,
        **{name: _rounded(value) for name, value in score.scores.by_name().items()},
        "FalseVoxels": score.scores.false_voxels,
        "FalseMM3": round(score.scores.false_mm3, 1),
        "SecondsPerClass": None if per_class is None else round(per_class, 2),
        "DataSet": score.dataset,
        "Modality": score.modality,
        "Subject": score.subject,
        "Problem": score.problem,
    }


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, CSV_DIGITS)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
