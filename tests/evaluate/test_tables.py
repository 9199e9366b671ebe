from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluate.scores import CaseScore, ClassScore, Scores
from evaluate.tables import Table, bootstrap, make_tables

values = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def case(name: str, dsc: float = math.nan, f1: float = math.nan, **known: object) -> CaseScore:
    modality, dataset, subject = name.split("_")
    classes = {} if math.isnan(dsc) else {1: ClassScore(dsc=dsc, nsd=dsc)}
    return CaseScore(
        case=name,
        dataset=f"{modality}_{dataset}",
        modality=modality,
        subject=subject,
        class_names={1: "liver"},
        scores=Scores(dsc=dsc, f1=f1, classes=classes),
        **known,  # type: ignore[arg-type]
    )


@pytest.fixture
def tables() -> dict[str, Table]:
    cases = [
        case("CT_A_1", 0.9, seconds=2.0),
        case("CT_A_2", 0.7, seconds=4.0),
        case("CT_B_3", 0.6),
        case("MR_C_4", 0.2),
        case("MR_D_5", f1=0.5),
    ]
    return {table.title: table for table in make_tables(cases)}


def means(table: Table, metric: str) -> dict[str, float]:
    return {r.name: round(r.metrics[metric].mean, 6) for r in table.rows if metric in r.metrics}


def test_groups(tables: dict[str, Table]) -> None:
    assert means(tables["Data sets"], "DSC") == {"CT_A": 0.8, "CT_B": 0.6, "MR_C": 0.2}
    assert means(tables["Data sets"], "F1") == {"MR_D": 0.5}
    assert means(tables["Modalities"], "DSC") == {"CT": round(2.2 / 3, 6), "MR": 0.2}


def test_three_kinds_of_average(tables: dict[str, Table]) -> None:
    """Over the cases, modalities and data sets to which the metric applies."""
    assert means(tables["Averages"], "DSC") == {
        "mean over cases": 0.6,
        "mean over modalities": round((2.2 / 3 + 0.2) / 2, 6),
        "mean over data sets": round(1.6 / 3, 6),
    }


def test_classes(tables: dict[str, Table]) -> None:
    assert means(tables["Classes"], "DSC") == {
        "CT_A 1: liver": 0.8,
        "CT_B 1: liver": 0.6,
        "MR_C 1: liver": 0.2,
    }


def test_slowest_class(tables: dict[str, Table]) -> None:
    assert {row.name: row.slowest for row in tables["Modalities"].rows} == {"CT": 4.0, "MR": None}


def test_seconds_are_a_mean_of_those_known(tables: dict[str, Table]) -> None:
    seconds = {row.name: row.seconds for row in tables["Data sets"].rows}
    assert seconds == {"CT_A": 3.0, "CT_B": None, "MR_C": None, "MR_D": None}


def test_no_cases_no_rows() -> None:
    assert all(not row.metrics for table in make_tables([]) for row in table.rows)


@given(values)
def test_interval_holds_the_mean_within_the_range(scores: list[float]) -> None:
    found = bootstrap([[(str(i), value) for i, value in enumerate(scores)]])
    assert found.mean == pytest.approx(sum(scores) / len(scores))
    if len(scores) > 1:
        assert min(scores) - 1e-9 <= found.low <= found.high <= max(scores) + 1e-9


def test_one_subject_has_no_interval() -> None:
    found = bootstrap([[("a", 0.2), ("a", 0.4)]])
    assert found.mean == pytest.approx(0.3)
    assert math.isnan(found.low)
    assert str(found) == "0.300"


def test_cases_of_one_subject_are_drawn_together() -> None:
    alone = bootstrap([[(str(i), i % 2) for i in range(40)]])
    in_pairs = bootstrap([[(str(i % 2), i % 2) for i in range(40)]])
    assert (in_pairs.low, in_pairs.high) == (0, 1)
    assert 0.3 < alone.low < alone.high < 0.7


def test_strata_weigh_the_same() -> None:
    found = bootstrap([[("a", 1.0)] * 9, [("b", 0.0)]])
    assert found.mean == 0.5
