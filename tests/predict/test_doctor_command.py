from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from predict.cli import main
from predict.doctor import machine
from predict.doctor.check import Check
from predict.exit_status import GOOD, SOME_FAILED

NAMES = [
    *(
        "packages",
        "imports",
        "bundle",
        "device",
        "driver",
        "cuDNN",
        "precision",
        "dry run",
        "start-up",
    ),
    *("processor", "memory", "/dev/shm", "inputs", "outputs"),
]
MOST_LINES = 25


def test_a_healthy_place_on_one_screen(
    write_npz: Callable[..., Path],
    tiny_bundle: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = [f"--inputs={write_npz().parent}", f"--outputs={tmp_path / 'out'}"]
    assert main(["doctor", "--device=cpu", f"--bundle={tiny_bundle}", *folders]) == GOOD
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES) + 1 <= MOST_LINES
    assert all(line[6:].startswith(n) for line, n in zip(lines, NAMES, strict=False))
    assert lines[-1].startswith("prediction works here")


def test_what_fails_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    call = ["doctor", "--device=cpu", f"--bundle={tmp_path}", f"--outputs={tmp_path / 'file'}"]
    assert main([*call, f"--inputs={tmp_path / 'absent'}"]) == SOME_FAILED
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if line.startswith("fail")]
    assert [line.split()[1] for line in failed] == ["bundle", "inputs", "outputs"]
    assert all("; do: " in line for line in failed)
    assert lines[-1] == "prediction will not work here: bundle, inputs, outputs"


def test_json_for_programs(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--device=tpu", f"--bundle={tiny_bundle}"]) == SOME_FAILED
    table = json.loads(capsys.readouterr().out)
    assert table["good"] is False
    checks = {check["name"]: check for check in table["checks"]}
    assert checks["bundle"]["status"] == "ok"
    assert checks["device"]["status"] == "fail"
    assert "received tpu" in checks["device"]["detail"]
    assert "dry run" not in checks


def test_without_its_packages_it_says_only_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = Check("packages", "fail", "missing: edt", "pip install -r requirements.txt")
    monkeypatch.setattr(machine, "check_packages", lambda: missing)
    assert main(["doctor"]) == SOME_FAILED
    assert capsys.readouterr().out.splitlines() == [
        missing.line(),
        "prediction will not work here: packages",
    ]
