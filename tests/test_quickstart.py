"""The notebook runs from top to bottom, on the shipped weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from predict.formats import read_volume

NOTEBOOK = Path(__file__).resolve().parents[1] / "docs" / "quickstart.ipynb"


def test_every_cell_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert set(np.unique(read_volume(tmp_path / "torso_mask.nii.gz").array)) >= {0, 1, 2, 3}
    with Image.open(tmp_path / "torso_sheet.png") as picture:
        picture.verify()
    printed = capsys.readouterr().out
    assert "liver " in printed
    assert '"liver in MRI" speaks of MR, the image is CT' in printed
