"""How time and memory grow, as a self-contained SVG: a column per sweep, seconds above memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log2

WIDTH, HEIGHT = 300, 210
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 26, 40
STYLE = """<style>
text { font: 11px sans-serif; fill: #333 } .title { font-weight: bold }
.axis { stroke: #999; fill: none } .grid { stroke: #e4e4e4 } polyline { fill: none }
</style>"""
COLOURS = {"product": "#1f6fb4", "floor": "#8a8a8a"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One diagram; the upper end of a line stands above the last value of ``xs``.

    Attributes:
        title: What is drawn, with its unit.
        label: What grows.
        xs: Its values, positive and rising, drawn on a logarithmic axis.
        lines: Name (product, floor) -> a value of 0 or more for each.
    """

    title: str
    label: str
    xs: Sequence[float]
    lines: Mapping[str, Sequence[float]]


def draw_panels(rows: Sequence[Sequence[Panel]]) -> str:
    """An SVG document with the panels in rows."""
    width, height = WIDTH * max(len(row) for row in rows), HEIGHT * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">',
        STYLE,
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
    ]
    for y, row in enumerate(rows):
        for x, panel in enumerate(row):
            parts += [f'<g transform="translate({WIDTH * x} {HEIGHT * y})">', *_draw(panel), "</g>"]
    return "\n".join([*parts, "</svg>\n"])


def _draw(panel: Panel) -> list[str]:
    low, high = log2(panel.xs[0]), log2(panel.xs[-1])
    top = round_up(max(max(values) for values in panel.lines.values()))

    def x_of(value: float) -> float:
        share = (log2(value) - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text class="title" x="{LEFT}" y="14">{escape(panel.title)}</text>']
    for tick in (0.0, top / 2, top):
        y = y_of(tick)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for value in panel.xs:
        parts.append(
            f'<text x="{x_of(value):.1f}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">'
            f"{value:.{0 if value >= 10 else 2}{'f' if value >= 10 else 'g'}}</text>"
        )
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(panel.label)}</text>"
    )
    for name, values in panel.lines.items():
        points = [(x_of(x), y_of(y)) for x, y in zip(panel.xs, values, strict=True)]
        parts += _line(name, points)
    return parts


def _line(name: str, points: Sequence[tuple[float, float]]) -> list[str]:
    colour = COLOURS[name]
    x, y = points[-1]
    return [
        f'<polyline stroke="{colour}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{colour}"/>' for x, y in points),
        f'<text x="{x:.1f}" y="{y - 6:.1f}" text-anchor="end" style="fill: {colour}">{name}</text>',
    ]


def round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 times a power of ten; 1 for 0."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power > value:
        power /= 10
    while power * 10 <= value:
        power *= 10
    return next(power * step for step in (1, 2, 4, 6, 8, 10) if power * step >= value)
