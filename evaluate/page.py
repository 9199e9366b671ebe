"""The report as one HTML file that needs nothing else: tables, plots, pictures."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from evaluate.plots import strip_plot
from evaluate.report import format_problems, table_cells
from evaluate.scores import ATTRIBUTES, CaseScore, Unscored
from evaluate.tables import Table, group_by

RULES = {
    "default": "default rules (module evaluate.scoring)",
    "official": "rules of the official script, quirks included (module evaluate.official)",
}
STYLE = """
:root { color-scheme: light dark; --faint: #8884; --accent: #2a78d6; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; }
table { border-collapse: collapse; margin: 1rem 0 2rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
small { opacity: .65; }
svg { width: 100%; max-width: 760px; font-size: 12px; fill: currentColor; }
svg .grid { stroke: var(--faint); }
svg .box { fill: var(--accent); fill-opacity: .18; stroke: var(--accent); }
svg .median { stroke: var(--accent); stroke-width: 2; }
svg circle { fill: var(--accent); fill-opacity: .75; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
figure { margin: .5rem; } figure img { max-width: 100%; } figcaption { overflow-wrap: anywhere; }
"""


def make_page(
    tables: Iterable[Table],
    scores: Sequence[CaseScore],
    unscored: Iterable[Unscored],
    *,
    rules: str,
    pictures: Mapping[str, bytes],
) -> str:
    """The HTML text.

    Args:
        tables: Averages.
        scores: All cases.
        unscored: Cases without a score.
        rules: ``default`` or ``official``.
        pictures: PNG by case.
    """
    problems = format_problems(scores, unscored)
    sections = [
        "<h1>Scores</h1>",
        f"<p>{len(scores)} cases, {RULES[rules]}. Intervals: 95 %, subjects resampled.</p>",
        f"<h2>Problems</h2><pre>{escape(problems)}</pre>" if problems else "",
        *(_table(table) for table in tables if table.rows),
        *_plots(scores),
        _pictures(scores, pictures),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Scores</title>'
        f"<style>{STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )


def _table(table: Table) -> str:
    header, *rows = table_cells(table)
    body = "".join(_table_row(row, "td") for row in rows)
    return f"<table><thead>{_table_row(header, 'th')}</thead><tbody>{body}</tbody></table>"


def _table_row(cells: Iterable[str], tag: str) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _plots(scores: Sequence[CaseScore]) -> list[str]:
    plots = []
    for name in ATTRIBUTES:
        defined = [s for s in scores if not math.isnan(s.scores.by_name()[name])]
        if defined:
            groups = {
                dataset: [(s.case, s.scores.by_name()[name]) for s in members]
                for dataset, members in group_by(defined, lambda s: s.dataset).items()
            }
            plots.append(f"<h2>{name} by data set</h2>{strip_plot(f'{name} by data set', groups)}")
    return plots


def _pictures(scores: Iterable[CaseScore], pictures: Mapping[str, bytes]) -> str:
    shown = [score for score in scores if score.case in pictures]
    if not shown:
        return ""
    figures = "".join(_figure(s, pictures[s.case]) for s in sorted(shown, key=_main_metric))
    return (
        "<h2>Pictures, worst first</h2><p>Green: ground truth; magenta: prediction; the slice with "
        f'most ground truth.</p><div class="pictures">{figures}</div>'
    )


def _main_metric(score: CaseScore) -> float:
    values = [value for value in score.scores.by_name().values() if not math.isnan(value)]
    return values[0] if values else math.inf


def _figure(score: CaseScore, picture: bytes) -> str:
    metrics = ", ".join(
        f"{name} {value:.3f}"
        for name, value in score.scores.by_name().items()
        if not math.isnan(value)
    )
    source = b64encode(picture).decode("ascii")
    return (
        f'<figure><img alt="{escape(score.case)}" src="data:image/png;base64,{source}">'
        f"<figcaption>{escape(score.case)}<br><small>{metrics}</small></figcaption></figure>"
    )
