from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from predict.report import CaseReport, PromptReport, format_table, write_report
from predict.startup import StartUp


def _cases() -> list[CaseReport]:
    good = CaseReport("a.npz", status="ok", seconds={"total": 1.25, "read": 0.5})
    good.prompts = [PromptReport(3, "liver", 1200), PromptReport(9, "spleen", 0)]
    bad = CaseReport("b.npz")
    bad.fail("b.npz: not a readable npz (File is not a zip file)")
    return [good, bad]


def test_report_is_json_with_everything_needed(tmp_path: Path) -> None:
    path = write_report(
        tmp_path,
        _cases(),
        device=torch.device("cpu"),
        precision=torch.float32,
        bundle="weights/default",
        bundle_sha256="ab" * 32,
        startup=StartUp(),
    )
    report = json.loads(path.read_text())
    assert report["device"] == "cpu"
    assert report["precision"] == "float32"
    assert report["bundle_sha256"] == "ab" * 32
    assert report["seconds"] >= report["startup"]["process"] > 0
    assert {"python", "torch", "numpy"} == set(report["versions"])
    good, bad = report["cases"]
    assert [p["found"] for p in good["prompts"]] == [1200, "not found"]
    assert good["seconds"]["read"] == 0.5
    assert bad["status"] == "failed"
    assert "not a zip" in bad["errors"][0]
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_table_names_prompts_and_problems() -> None:
    table = format_table(_cases())
    assert "1200 voxels" in table
    assert "not found" in table
    assert "! b.npz: not a readable npz" in table
    assert all(line == line.rstrip() for line in table.splitlines())


def test_names_and_prompts_cannot_steer_the_terminal() -> None:
    prompt = PromptReport(1, "liver\x1b[2J\n9: kidney\u202e", 0)
    case = CaseReport("a\x1b.npz", status="ok", prompts=[prompt], errors=["b\rc"])
    lines = format_table([case]).splitlines()
    assert [line.split("  ")[0] for line in lines[1:2]] == ["a?.npz"]
    assert "1: liver?[2J?9: kidney?" in lines[2]
    assert lines[3].endswith("! b?c")
    assert len(lines) == 4


def test_laps_are_seconds_since_a_start() -> None:
    report = CaseReport("a.npz")
    report.lap("read", time.perf_counter() - 1)
    assert 1 <= report.seconds["read"] < 2


def test_volumes_are_told_where_they_are_known() -> None:
    case = CaseReport("a.nii", status="ok", prompts=[PromptReport(1, "liver", 12, 0.75, 36.0)])
    assert "12 voxels, 0.036 ml" in format_table([case])
    assert case.to_dict()["prompts"] == [
        {"id": 1, "text": "liver", "found": 12, "volume_mm3": 36.0, "presence": 0.75}
    ]
