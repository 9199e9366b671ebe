from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def _run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TEXT3DSAM_PYTHON": sys.executable}
    command = ["sh", str(ROOT / "predict.sh"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_folders_are_taken_from_where_the_caller_stands(
    write_npz: Callable[..., Path], tiny_bundle: Path, tmp_path: Path
) -> None:
    inputs = write_npz("a case.npz").parent
    done = _run(inputs.name, "out put", "--bundle", str(tiny_bundle), cwd=inputs.parent)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out put" / "a case.npz") as arrays:
        assert arrays["segs"].shape == (6, 7, 8)
    report = json.loads((tmp_path / "out put" / "report.json").read_text())
    assert [case["status"] for case in report["cases"]] == ["ok"]


def test_exit_status_is_that_of_the_prediction(tmp_path: Path) -> None:
    done = _run("nowhere", "outputs", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_the_doctor_sees_the_folders_of_the_caller(
    write_npz: Callable[..., Path], tiny_bundle: Path
) -> None:
    inputs = write_npz().parent
    call = ("--doctor", "--inputs", inputs.name, "--bundle", str(tiny_bundle), "--device", "cpu")
    done = _run(*call, cwd=inputs.parent)
    assert done.returncode == 0, done.stdout
    assert f"{inputs.name}: 1 cases" in done.stdout


def test_the_script_is_posix() -> None:
    assert subprocess.run(["sh", "-n", str(ROOT / "predict.sh")], check=False).returncode == 0
    assert (ROOT / "predict.sh").read_text().startswith("#!/bin/sh\n")
