"""Strip and box plots as inline SVG: every case a dot, a box where there are enough of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

WIDTH, LABEL_WIDTH, MARGIN = 760, 190, 16
ROW_HEIGHT, AXIS_HEIGHT = 26, 30
BOX_HEIGHT, RADIUS, JITTER = 14, 2.6, 5
CASES_FOR_BOX = 5


def strip_plot(title: str, groups: Mapping[str, Sequence[tuple[str, float]]]) -> str:
    """An SVG element with one row per group and an axis from 0 to 1.

    Args:
        title: Of the plot, for readers of the picture and of its text.
        groups: Group -> (case, value) of its members; the case is shown when pointed at.
    """
    height = AXIS_HEIGHT + ROW_HEIGHT * len(groups)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        *_grid(height),
    ]
    for index, (name, members) in enumerate(groups.items()):
        y = ROW_HEIGHT * (index + 0.5)
        parts.append(
            f'<text x="{LABEL_WIDTH - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(name)}</text>'
        )
        if len(members) >= CASES_FOR_BOX:
            parts += _box([value for _, value in members], y)
        parts += _dots(members, y)
    return "\n".join([*parts, "</svg>"])


def _x(value: float) -> float:
    return LABEL_WIDTH + min(1.0, max(0.0, value)) * (WIDTH - LABEL_WIDTH - MARGIN)


def _grid(height: float) -> list[str]:
    bottom = height - AXIS_HEIGHT
    parts = []
    for tick in np.linspace(0, 1, 6):
        x = _x(float(tick))
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tick:.1f}</text>')
    return parts


def _box(values: Sequence[float], y: float) -> list[str]:
    low, middle, high = (_x(float(q)) for q in np.percentile(values, (25, 50, 75)))
    top = y - BOX_HEIGHT / 2
    return [
        f'<rect class="box" x="{low:.1f}" y="{top:.1f}" width="{high - low:.1f}" '
        f'height="{BOX_HEIGHT}"/>',
        f'<line class="median" x1="{middle:.1f}" x2="{middle:.1f}" y1="{top:.1f}" '
        f'y2="{top + BOX_HEIGHT:.1f}"/>',
    ]


def _dots(members: Sequence[tuple[str, float]], y: float) -> list[str]:
    offsets = (np.arange(len(members)) * 0.618034 % 1 - 0.5) * 2 * JITTER * (len(members) > 1)
    return [
        f'<circle cx="{_x(value):.1f}" cy="{y + offset:.1f}" r="{RADIUS}">'
        f"<title>{escape(case)}: {value:.3f}</title></circle>"
        for (case, value), offset in zip(members, offsets, strict=True)
    ]
