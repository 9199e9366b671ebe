from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evaluate.bench.contest import Contest
from evaluate.bench.earlier import Earlier
from evaluate.bench.scaling import Sweep
from evaluate.bench.table import (
    BEGIN,
    END,
    Results,
    check_document,
    format_results,
    put_into,
    to_json,
)
from evaluate.bench.targets import Target
from predict.errors import UsageError

MakeResults = Callable[..., Results]
MACHINE = {
    "cpu": "Some CPU",
    "cores": 4,
    "memory_gib": 16.0,
    "system": "Linux",
    "python": "3.11.7",
    "device": "cpu",
    "threads": 2,
    "torch": "2.13.0",
    "numpy": "2.4.6",
    "load": 0.5,
    "date": "2026-01-02 03:04 UTC",
    "commit": None,
}
BUNDLE = {
    "parameters": 59301112,
    "image_size": [128, 256, 256],
    "mode": "paper",
    "dtype": "bfloat16",
    "provenance": {"source": "somewhere"},
    "sha256": "0123456789abcdef",
}


@pytest.fixture
def make_results(make_contest: Callable[..., Contest]) -> MakeResults:
    def make(*, binding: bool = True) -> Results:
        contest = make_contest(reference=(20.0, 22.0, 24.0))
        targets = [
            Target(name="eight", most=2.0, measured=1.996, unit="x"),
            Target(name="memory", most=1500, measured=1600.4, unit="MB"),
        ]
        sweep = Sweep(
            grows="prompts", sizes=[1, 2], contests=[make_contest("a"), make_contest("b")]
        )
        return Results(
            call="--targets",
            machine=MACHINE,
            bundle=BUNDLE,
            main=[contest],
            targets=targets,
            binding=binding,
            sweeps=[sweep],
        )

    return make


def test_processes_side_by_side(make_results: MakeResults) -> None:
    text = format_results(make_results())
    assert (
        "| floor     |  1.50 |  1.00 |  2.00 |            1.00 |  1.00 |  1.00 |  3.00 |     300 |"
        in text
    )
    assert (
        "| product   |  3.00 |  2.40 |  3.60 |            2.00 |  1.60 |  3.00 |  6.00 |     900 |"
        in text
    )
    assert (
        "| reference | 22.00 | 20.00 | 24.00 |           14.67 | 11.00 | 20.00 | 44.00 |    8000 |"
        in text
    )
    assert "25.0 % of the voxels are foreground." in text
    assert "agree in 99.9000 % of the voxels." in text


def test_stages_beside_those_of_the_floor(make_results: MakeResults) -> None:
    text = format_results(make_results())
    assert "| imports     |     1.000 | 1.000 | 1.000 |  33 % |   1.000 |" in text
    assert "| decode      |     0.500 | 0.500 | 0.500 |  17 % |         |" in text


def test_earlier_figures_stand_beside_the_new_ones(
    make_results: MakeResults, make_contest: Callable[..., Contest]
) -> None:
    then = make_contest(floor=(2.0,), product=(8.0,), peak=1000.0)
    before = {"8 prompts, 2x3x4": Earlier(floor=then.floor, product=then.product)}
    text = format_results(replace(make_results(), before=before))
    (row,) = (line for line in text.splitlines() if line.startswith("| product before |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == ["8.00"] * 3 + ["4.00"] * 3 + ["16.00", "1000"]
    assert "| decode      |     0.500 | 0.500 | 0.500 |  17 % |         |    0.500 |" in text


def test_heading_says_where_and_when(make_results: MakeResults) -> None:
    text = format_results(make_results())
    assert text.startswith("`python -m evaluate bench --targets`\n")
    assert "2026-01-02 03:04 UTC, commit unknown; Some CPU, 4 cores, 16.0 GiB, device cpu" in text
    assert "59.3 M parameters, network input 128x256x256, mode paper" in text


def test_targets_are_judged_only_where_the_sizes_are_theirs(make_results: MakeResults) -> None:
    judged = format_results(make_results())
    assert "| eight  |         2.00 x |   2.00 x | yes |" in judged
    assert "| memory |        1500 MB |  1600 MB |  no |" in judged
    shown = format_results(make_results(binding=False))
    assert "| eight  |         2.00 x |   2.00 x |\n" in shown
    assert "figures only" in shown


def test_sweeps_and_their_plot(make_results: MakeResults) -> None:
    text = format_results(make_results(), "performance.svg")
    assert "](performance.svg)" in text
    assert "| 1       |        a |    1.50 |      3.00 |            2.00 |     900 |" in text


def test_json_holds_every_run(make_results: MakeResults) -> None:
    values = json.loads(to_json(make_results()))
    assert [run["seconds"] for run in values["main"][0]["product"]["runs"]] == [3.0, 3.6, 2.4]
    assert [target["met"] for target in values["targets"]] == [True, False]
    assert values["machine"]["cpu"] == "Some CPU"
    assert values["sweeps"][0]["contests"][1]["name"] == "b"


def test_a_section_of_a_document_is_renewed(tmp_path: Path) -> None:
    document = tmp_path / "performance.md"
    document.write_text(f"# Before\n{BEGIN}\nold\n{END}\nafter\n")
    renewed = put_into(check_document(document), "new\n")
    assert renewed == f"# Before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    document.write_text(renewed)
    assert put_into(check_document(document), "new\n") == renewed


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}"])
def test_a_document_without_a_place_is_refused(tmp_path: Path, text: str) -> None:
    document = tmp_path / "performance.md"
    document.write_text(text)
    with pytest.raises(UsageError, match="expected the lines"):
        check_document(document)
    with pytest.raises(UsageError, match="not readable"):
        check_document(tmp_path)
