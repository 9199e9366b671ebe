from __future__ import annotations

from xml.etree import ElementTree

import pytest

from evaluate.plots import strip_plot

SVG = "{http://www.w3.org/2000/svg}"


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


def test_every_case_is_a_dot_with_its_name() -> None:
    plot = parse(strip_plot("DSC", {"A & B": [("a<1>", 0.25), ("b", 1.0)], "C": [("c", 0.0)]}))
    titles = [title.text for title in plot.iter(f"{SVG}title")]
    assert titles == ["a<1>: 0.250", "b: 1.000", "c: 0.000"]
    positions = [float(dot.attrib["cx"]) for dot in plot.iter(f"{SVG}circle")]
    low, high = positions[2], positions[1]
    assert positions[0] == pytest.approx(low + (high - low) / 4)


@pytest.mark.parametrize(("cases", "boxes"), [(4, 0), (5, 1)])
def test_box_needs_some_cases(cases: int, boxes: int) -> None:
    plot = parse(strip_plot("DSC", {"A": [(str(i), i / 10) for i in range(cases)]}))
    assert len(list(plot.iter(f"{SVG}rect"))) == boxes
