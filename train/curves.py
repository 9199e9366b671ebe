"""A picture of a run: loss on the left, Dice per data set on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT, MARGIN = 560, 360, 48
LEGEND_LINE = 13
INK, GRID = (60, 60, 60), (225, 225, 225)
COLOURS = ((31, 119, 180), (214, 92, 20), (44, 140, 60), (140, 86, 160), (150, 110, 60))
SMOOTHED = 50
Points = Sequence[tuple[int, float]]
Box = tuple[float, float, float, float]


def draw_curves(path: Path, losses: Points, dice: Mapping[str, Points]) -> None:
    """Write a PNG.

    Args:
        path: Of the picture.
        losses: (step, loss); drawn with a running mean over the last points.
        dice: Data set -> (step, Dice).
    """
    picture = Image.new("RGB", (2 * WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(picture)
    means = {"loss": losses, f"mean of {SMOOTHED} rows": _running_mean(losses)}
    _panel(draw, 0, "training loss", means, top=None)
    _panel(draw, WIDTH, "validation Dice", dice, top=1.0)
    picture.save(path)


def _running_mean(points: Points) -> Points:
    if not points:
        return []
    sums = np.cumsum([0.0, *(value for _, value in points)])
    ends = np.arange(1, len(points) + 1)
    starts = np.maximum(0, ends - SMOOTHED)
    means = (sums[ends] - sums[starts]) / (ends - starts)
    return [(step, float(mean)) for (step, _), mean in zip(points, means, strict=True)]


def _panel(
    draw: ImageDraw.ImageDraw,
    left: int,
    title: str,
    series: Mapping[str, Points],
    top: float | None,
) -> None:
    box = (left + MARGIN, MARGIN, left + WIDTH - MARGIN / 2, HEIGHT - MARGIN)
    every = [point for points in series.values() for point in points if np.isfinite(point[1])]
    last = max((step for step, _ in every), default=1) or 1
    highest = top or max((value for _, value in every), default=1.0) or 1.0
    draw.text((box[0], 14), title, fill=INK)
    for tick in np.linspace(0, 1, 6):
        y = box[3] - tick * (box[3] - box[1])
        draw.line((box[0], y, box[2], y), fill=GRID)
        draw.text((left + 8, y - 6), f"{tick * highest:.2f}", fill=INK)
    draw.text((box[0], box[3] + 8), "step 0", fill=INK)
    draw.text((box[2] - 60, box[3] + 8), f"step {last}", fill=INK)
    for i, (name, points) in enumerate(series.items()):
        colour = COLOURS[i % len(COLOURS)]
        _line(draw, points, box, (last, highest), colour)
        draw.text((box[0] + 8, box[1] + 4 + LEGEND_LINE * i), name, fill=colour)


def _line(
    draw: ImageDraw.ImageDraw,
    points: Points,
    box: Box,
    scale: tuple[int, float],
    colour: tuple[int, int, int],
) -> None:
    last, highest = scale
    places = [
        (
            box[0] + step / last * (box[2] - box[0]),
            box[3] - min(value / highest, 1.0) * (box[3] - box[1]),
        )
        for step, value in points
        if np.isfinite(value)
    ]
    if len(places) > 1:
        draw.line(places, fill=colour, width=2)
    for x, y in places if len(places) <= 40 else ():
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=colour)
