from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from predict.cli import main
from predict.exit_status import GOOD, SOME_FAILED, WRONG_CALL


def _part(folder: Path, number: int, names: list[str], **replaced: Any) -> None:
    cases = [{"case": name, "status": "ok", "errors": []} for name in names]
    values = {
        "bundle_sha256": "ab",
        "device": "cpu",
        "seconds": 2.5,
        "startup": {"process": 0.5},
        "part": f"{number}/2",
        "listing_sha256": "cd",
        "wall_seconds": float(number),
        "unfinished": 0,
        "cases": cases,
        **replaced,
    }
    path = folder / f"report.part-00{number}-of-002.json"
    path.write_text(json.dumps(values))


def test_parts_become_one_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _part(tmp_path, 1, ["a.npz", "c.npz"])
    _part(tmp_path, 2, ["b.npz"], device="NVIDIA H100")
    assert main(["merge-reports", str(tmp_path)]) == GOOD
    report = json.loads((tmp_path / "report.json").read_text())
    assert [case["case"] for case in report["cases"]] == ["a.npz", "b.npz", "c.npz"]
    assert (report["seconds"], report["wall_seconds"], report["parts"]) == (5.0, 2.0, 2)
    assert report["device"] == "NVIDIA H100, cpu"
    assert {"part", "startup"}.isdisjoint(report)
    assert capsys.readouterr().out.startswith("3 cases, 0 failed, 0 unfinished: ")


def test_what_failed_or_is_unfinished_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _part(tmp_path, 1, ["a.npz"])
    failed = {"case": "b.npz", "status": "failed", "errors": ["b.npz: not a readable npz"]}
    _part(tmp_path, 2, [], cases=[failed])
    assert main(["merge-reports", str(tmp_path)]) == SOME_FAILED
    assert capsys.readouterr().err == "failed: b.npz: not a readable npz\n"
    _part(tmp_path, 2, ["b.npz"], unfinished=3)
    assert main(["merge-reports", str(tmp_path)]) == SOME_FAILED


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"bundle_sha256": "xy"}, "the same bundle"),
        ({"listing_sha256": "xy"}, "the same input files"),
        (None, "missing those of parts 2"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    second: dict[str, Any] | None,
    message: str,
) -> None:
    _part(tmp_path, 1, ["a.npz"])
    if second is not None:
        _part(tmp_path, 2, ["b.npz"], **second)
    assert main(["merge-reports", str(tmp_path)]) == WRONG_CALL
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    "others", [[], ["report.part-001-of-008.json", "report.part-001-of-4.json"]]
)
def test_reports_of_one_run_are_expected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], others: list[str]
) -> None:
    for name in others:
        (tmp_path / name).write_text("{}")
    if others:
        _part(tmp_path, 1, ["a.npz"])
    assert main(["merge-reports", str(tmp_path)]) == WRONG_CALL
    assert "expected reports of parts of one run" in capsys.readouterr().err
