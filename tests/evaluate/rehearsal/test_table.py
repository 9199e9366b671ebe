from __future__ import annotations

from pathlib import Path

from evaluate.rehearsal.loop import STAGES, Rehearsed
from evaluate.rehearsal.table import format_rehearsal, write_rehearsal
from evaluate.sidecars import read_seconds

GOOD = Rehearsed(
    case="CT_a",
    classes=2,
    seconds=8.0,
    stages=dict.fromkeys(STAGES, 1.0),
    peak_memory_mb=612.4,
    problems=[],
    notes=[],
)
BAD = Rehearsed(
    case="MR_b",
    classes=1,
    seconds=75.0,
    stages={},
    peak_memory_mb=None,
    problems=["expected at most 60 s (60 s per class), took 75.0 s"],
    notes=["exit status 1: error: disk full"],
)


def test_slowest_per_class_first_with_its_share_of_the_limit() -> None:
    lines = format_rehearsal([GOOD, BAD]).splitlines()
    assert lines[0].split(" | ")[3:5] == ["s/class", "of 60 s"]
    assert [cell.strip() for cell in lines[2].split("|")[1:7]] == [
        *("MR_b", "1", "75.00", "75.00", "125 %", "")
    ]
    assert [cell.strip() for cell in lines[3].split("|")[1:8]] == [
        *("CT_a", "2", "8.00", "4.00", "7 %", "612", "1.00")
    ]


def test_summary_and_problems() -> None:
    text = format_rehearsal([GOOD, BAD])
    assert (
        "2 cases: 83 s, 41.50 s in the median, 75.00 s at most; 75.00 s per class at most" in text
    )
    assert "where the time goes: container 12 %, process 12 %" in text
    assert text.splitlines()[-2:] == [
        "MR_b: expected at most 60 s (60 s per class), took 75.0 s",
        "MR_b: exit status 1: error: disk full",
    ]


def test_the_file_is_what_scoring_reads_as_times(tmp_path: Path) -> None:
    path = tmp_path / "rehearsal.json"
    write_rehearsal(path, [GOOD, BAD], "a runner")
    assert read_seconds(path) == {"CT_a": 8.0, "MR_b": 75.0}
