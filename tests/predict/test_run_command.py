from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from predict.cli import main
from predict.exit_status import GOOD, SOME_FAILED, WRONG_CALL

WriteNpz = Callable[..., Path]


def _run(source: Path, out: Path, bundle: Path, *options: str) -> int:
    return main(["run", str(source), str(out), "--bundle", str(bundle), *options])


def test_a_folder_is_segmented_and_reported(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = write_npz("b.npz").parent
    write_npz("a case.npz", imgs=np.zeros((3, 9, 5), np.uint8))
    out = tmp_path / "new" / "outputs"
    assert _run(inputs, out, tiny_bundle, "--previews") == GOOD
    assert sorted(p.name for p in out.iterdir()) == [
        "a case.npz",
        "b.npz",
        "previews",
        "report.json",
    ]
    report = json.loads((out / "report.json").read_text())
    assert [c["case"] for c in report["cases"]] == ["a case.npz", "b.npz"]
    assert len(list((out / "previews").iterdir())) == 2
    printed = capsys.readouterr().out
    assert "1: liver" in printed
    assert "report.json" in printed


def test_one_broken_case_does_not_stop_the_others(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = write_npz("good.npz").parent
    write_npz("bad prompts.npz", text_prompts={"x": "liver"})
    (inputs / "a.npz").write_bytes(b"noise")
    assert _run(inputs, tmp_path / "out", tiny_bundle) == SOME_FAILED
    assert {p.name for p in (tmp_path / "out").glob("*.npz")} == {"good.npz", "bad prompts.npz"}
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("failed")]
    assert len(errors) == 2
    assert errors[0].startswith("failed: a.npz: not a readable npz")


def test_skip_existing(write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path) -> None:
    inputs, out = write_npz().parent, tmp_path / "out"
    assert _run(inputs, out, tiny_bundle) == GOOD
    before = (out / "case.npz").stat().st_mtime_ns
    assert _run(inputs, out, tiny_bundle, "--skip-existing") == GOOD
    assert (out / "case.npz").stat().st_mtime_ns == before
    assert json.loads((out / "report.json").read_text())["cases"][0]["status"] == "skipped"
    assert _run(inputs, out, tiny_bundle) == GOOD
    assert (out / "case.npz").stat().st_mtime_ns > before


def test_no_cases_no_bundle_or_no_device_is_a_wrong_call(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs, out = write_npz().parent, tmp_path / "out"
    assert _run(tmp_path / "absent", out, tiny_bundle) == WRONG_CALL
    assert _run(tiny_bundle, out, tiny_bundle) == WRONG_CALL
    assert _run(inputs, out, tmp_path / "absent") == WRONG_CALL
    assert _run(inputs, out, tiny_bundle, "--device", "tpu") == WRONG_CALL
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
    assert not list(out.glob("*.npz"))


def test_an_output_folder_that_cannot_be_written_is_a_wrong_call(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    assert _run(write_npz().parent, blocked, tiny_bundle) == WRONG_CALL
    assert "not writable" in capsys.readouterr().err
