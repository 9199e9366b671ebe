from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from evaluate.report import format_problems, format_tables, to_json, write_csv
from evaluate.scores import CaseScore, ClassScore, Scores, Unscored
from evaluate.tables import make_tables


@pytest.fixture
def scores() -> list[CaseScore]:
    """A good and a missing case."""

    def case(name: str, dsc: float, problem: str | None = None) -> CaseScore:
        return CaseScore(
            case=name,
            dataset="CT_A",
            modality="CT",
            subject=name,
            class_names={1: "a | b"},
            scores=Scores(dsc=dsc, nsd=dsc, classes={1: ClassScore(dsc=dsc, nsd=dsc)}),
            seconds=3.0,
            problem=problem,
        )

    return [case("CT_A_1", 0.87654321), case("CT_A_2", 0.0, "no such file")]


def test_tables_are_markdown_of_the_metrics_that_apply(scores: list[CaseScore]) -> None:
    lines = format_tables(make_tables(scores)).splitlines()
    assert lines[0].replace(" ", "") == "|Datasets|cases|DSC|NSD|s/case|maxs/class|"
    assert lines[2].startswith("| CT_A      |     2 | 0.438 [0.000, 0.877] |")
    blocks = "\n".join(lines).split("\n\n")
    assert all(len({line.count("|") for line in block.splitlines()}) == 1 for block in blocks)


def test_brief_tables_leave_out_the_long_ones(scores: list[CaseScore]) -> None:
    tables = make_tables(scores)
    tables[-1].rows.extend(tables[-1].rows * 40)
    assert "a / b" in format_tables(tables)
    assert "a / b" not in format_tables(tables, brief=True)


def test_problems(scores: list[CaseScore]) -> None:
    assert format_problems(scores, [Unscored("CT_A_3", "no truth")]).splitlines() == [
        "CT_A_2: scored 0 (no such file)",
        "CT_A_3: not scored (no truth)",
    ]
    assert format_problems(scores[:1], []) == ""


def test_official_csv(scores: list[CaseScore], tmp_path: Path) -> None:
    write_csv(tmp_path / "scores.csv", scores, official=True)
    assert (tmp_path / "scores.csv").read_text().splitlines() == [
        "CaseName,RunningTime,DSC,NSD,F1,DSC_TP",
        "CT_A_1.npz,3.0,0.8765,0.8765,,",
        "CT_A_2.npz,3.0,0.0,0.0,,",
    ]


def test_default_csv_has_more(scores: list[CaseScore], tmp_path: Path) -> None:
    write_csv(tmp_path / "scores.csv", scores, official=False)
    with (tmp_path / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:6] == ["CaseName", "RunningTime", "DSC", "NSD", "F1", "DSC_TP"]
    assert rows[1]["Problem"] == "no such file"
    assert (rows[0]["SecondsPerClass"], rows[0]["FalseMM3"]) == ("3.0", "0.0")


def test_csv_of_no_cases_has_its_header(tmp_path: Path) -> None:
    write_csv(tmp_path / "scores.csv", [], official=True)
    assert (tmp_path / "scores.csv").read_text().startswith("CaseName,RunningTime,DSC")


def test_json_has_null_for_what_does_not_apply(scores: list[CaseScore]) -> None:
    values = json.loads(to_json(make_tables(scores), scores, [], rules="default"))
    assert values["rules"] == "default"
    assert values["cases"][0]["scores"]["f1"] is None
    assert math.isclose(values["cases"][0]["scores"]["classes"]["1"]["dsc"], 0.87654321)
    assert values["tables"][0]["rows"][0]["metrics"]["DSC"]["low"] == 0
