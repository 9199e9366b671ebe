from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest

from evaluate.bench.plot import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Panel,
    draw_panels,
    round_up,
)

SVG = "{http://www.w3.org/2000/svg}"


def lines(panel: Panel) -> list[list[tuple[float, float]]]:
    drawn = ElementTree.fromstring(draw_panels([[panel]]))
    return [
        [(float(x), float(y)) for x, y in (p.split(",") for p in line.attrib["points"].split())]
        for line in drawn.iter(f"{SVG}polyline")
    ]


def test_doublings_lie_evenly_and_values_linearly() -> None:
    panel = Panel(title="s", label="n", xs=(1, 2, 4), lines={"floor": (0, 5, 10)})
    (points,) = lines(panel)
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    assert points == [(LEFT, HEIGHT - BOTTOM), (middle_x, middle_y), (WIDTH - RIGHT, TOP)]


def test_one_point_and_no_seconds_can_be_drawn() -> None:
    (points,) = lines(Panel(title="s", label="n", xs=(8,), lines={"product": (0,)}))
    assert points == [((LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM)]


def test_words_are_escaped() -> None:
    panel = Panel(title="a < b & c", label="<n>", xs=(1,), lines={"floor": (1,)})
    drawn = ElementTree.fromstring(draw_panels([[panel]]))
    assert {"a < b & c", "<n>", "floor"} <= {text.text for text in drawn.iter(f"{SVG}text")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 1), (1, 1), (1.01, 2), (3.2, 4), (9, 10), (10, 10), (61, 80), (0.05, 0.06), (2500, 4000)],
)
def test_ends_of_axes(value: float, expected: float) -> None:
    assert round_up(value) == pytest.approx(expected)
