from __future__ import annotations

import re

from evaluate.page import make_page
from evaluate.scores import CaseScore, Scores, Unscored
from evaluate.tables import make_tables


def case(name: str, dsc: float) -> CaseScore:
    return CaseScore(
        case=name,
        dataset="CT_<A>",
        modality="CT",
        subject=name,
        class_names={1: "liver"},
        scores=Scores(dsc=dsc),
        problem=None if dsc else "no <file>",
    )


def test_page_stands_alone_and_is_escaped() -> None:
    scores = [case("CT_A_1", 0.9), case("CT_A_2", 0.0)]
    page = make_page(
        make_tables(scores),
        scores,
        [Unscored("CT_A_3", "no truth")],
        rules="official",
        pictures={"CT_A_1": b"one", "CT_A_2": b"two"},
    )
    assert not re.search(r"https?://|<script|<link", page)
    assert "CT_&lt;A&gt;" in page
    assert "CT_<A>" not in page
    assert "CT_A_2: scored 0 (no &lt;file&gt;)\nCT_A_3: not scored (no truth)" in page
    assert page.count("<svg") == 1
    assert page.index('alt="CT_A_2"') < page.index('alt="CT_A_1"')


def test_page_of_no_cases() -> None:
    page = make_page([], [], [], rules="default", pictures={})
    assert "0 cases" in page
    assert "<h2>" not in page
