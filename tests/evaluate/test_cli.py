from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evaluate.cli import main
from evaluate.folder import Folders

ROOT = Path(__file__).resolve().parents[2]
AddCase = Callable[..., None]


def call(folders: Folders, *more: str) -> int:
    return main(
        [
            "score",
            f"--predictions={folders.predictions}",
            f"--ground-truth={folders.truths}",
            f"--inputs={folders.inputs}",
            *more,
        ]
    )


def test_table_on_screen(
    folders: Folders, add_case: AddCase, cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    add_case("CT_A_1", cube, cube)
    add_case("MR_B_1", cube, np.roll(cube, 5, axis=0))
    assert call(folders) == 0
    shown = capsys.readouterr().out
    assert "| CT_A      |     1 | 1.000 | 1.000 |" in shown
    assert re.search(r"\| mean over modalities \| +2 \| +0\.750 \|", shown)


def test_unusable_prediction_is_told(
    folders: Folders, add_case: AddCase, cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    add_case("CT_A_1", cube, cube)
    add_case("CT_A_2", cube, None)
    assert call(folders) == 1
    shown = capsys.readouterr().out
    assert "CT_A_2: scored 0 (CT_A_2.npz: no such file)" in shown
    assert "| CT_A      |     2 | 0.500 [0.000, 1.000] |" in shown


def test_report_files(
    folders: Folders, add_case: AddCase, cube: np.ndarray, tmp_path: Path
) -> None:
    add_case("CT_A_1", cube, cube)
    add_case("PET_B_1", cube, cube, {"1": "tumor", "instance_label": 1})
    times = tmp_path / "report.json"
    times.write_text(json.dumps({"cases": [{"case": "CT_A_1.npz", "seconds": {"total": 12.5}}]}))
    out = tmp_path / "new" / "report"
    assert call(folders, "--official", f"--out={out}", f"--times={times}") == 0
    assert (out / "scores.csv").read_text().splitlines() == [
        "CaseName,RunningTime,DSC,NSD,F1,DSC_TP",
        "CT_A_1.npz,12.5,1.0,1.0,,",
        "PET_B_1.npz,,,,1.0,1.0",
    ]
    assert "| PET_B" in (out / "scores.md").read_text()
    assert (out / "scores.html").read_text().count("data:image/png;base64,") == 2


def test_json(
    folders: Folders, add_case: AddCase, cube: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    add_case("CT_A_1", cube, cube)
    assert call(folders, "--json", "--no-nsd") == 0
    values = json.loads(capsys.readouterr().out)
    assert values["cases"][0]["scores"]["dsc"] == 1
    assert values["cases"][0]["scores"]["nsd"] is None


def test_groups_from_a_file(
    folders: Folders,
    add_case: AddCase,
    cube: np.ndarray,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_case("CT_A_1", cube, cube)
    groups = {"dataset": "Atlas", "modality": "CT", "subject": "1", "classes": {"1": "left lung"}}
    (tmp_path / "groups.json").write_text(json.dumps({"val": {"CT_A_1": groups}}))
    assert call(folders, f"--provenance={tmp_path / 'groups.json'}") == 0
    assert "| Atlas 1: left lung |" in capsys.readouterr().out


def test_wrong_calls(folders: Folders, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(folders) == 2
    assert "expected *.npz files, found 0 other" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert call(folders, f"--out={tmp_path / 'file'}") == 2
    assert "not writable" in capsys.readouterr().err


def test_runs_without_torch() -> None:
    """Scoring starts fast, and on machines that cannot predict."""
    code = (
        "import sys; import evaluate.folder, evaluate.page, evaluate.pictures; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
