from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predict.cli import main
from predict.exit_status import GOOD, SOME_FAILED, WRONG_CALL

WriteNpz = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


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


def _report(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.npz")}


def test_parts_share_an_output_folder(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    names = {write_npz(f"{i}.npz", imgs=np.zeros((3, 4 + i, 5), np.uint8)).name for i in range(3)}
    digests, seen = set(), []
    for number in range(1, 5):
        assert _run(tmp_path / "inputs", out, tiny_bundle, "--part", f"{number}/4") == GOOD
        report = _report(out / f"report.part-00{number}-of-004.json")
        assert report["part"] == f"{number}/4"
        digests.add(report["listing_sha256"])
        seen += [case["case"] for case in report["cases"]]
    assert sorted(seen) == sorted(names)
    assert len(digests) == 1
    assert _names(out) == names
    assert not (out / "report.json").exists()
    assert "report.part-004-of-004.json" in capsys.readouterr().out


def test_a_wrong_part_is_a_wrong_call(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(write_npz().parent, tmp_path / "out", tiny_bundle, "--part", "9/8") == WRONG_CALL
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: --part: expected I/N")
    assert not (tmp_path / "out").exists()


def test_wall_seconds_are_those_of_all_cases(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path
) -> None:
    inputs, out = write_npz("a.npz").parent, tmp_path / "out"
    write_npz("b.npz")
    before = time.perf_counter()
    assert _run(inputs, out, tiny_bundle) == GOOD
    report = _report(out / "report.json")
    assert report["unfinished"] == 0
    assert max(c["seconds"]["total"] for c in report["cases"]) <= report["wall_seconds"] + 1e-3
    assert report["wall_seconds"] < time.perf_counter() - before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_whole_files_and_a_report_of_them(
    write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path, number: int, status: int
) -> None:
    """Sent for real, when some of many cases are done; the same command then does the rest."""
    first, out = write_npz("000.npz"), tmp_path / "out"
    for i in range(1, 80):
        os.link(first, first.with_name(f"{i:03}.npz"))
    command = [sys.executable, "-m", "predict", "run", str(first.parent), str(out)]
    options = ["--bundle", str(tiny_bundle), "--skip-existing"]
    process = subprocess.Popen(
        [*command, *options], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    deadline = time.monotonic() + PATIENCE
    while not (out / "001.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, errors
    assert "none is half written" in errors
    assert "Traceback" not in errors
    report = _report(out / "report.json")
    assert {case["case"] for case in report["cases"]} == _names(out)
    assert report["unfinished"] == 80 - len(_names(out)) > 0
    assert {path.name for path in out.iterdir()} == {*_names(out), "report.json"}
    done = {path.name: path.read_bytes() for path in out.glob("*.npz")}
    assert len(set(done.values())) == 1
    assert _run(first.parent, out, tiny_bundle, "--skip-existing") == GOOD
    assert {path.read_bytes() for path in out.glob("*.npz")} == set(done.values())
    assert len(_names(out)) == 80
