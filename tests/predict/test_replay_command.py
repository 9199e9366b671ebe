from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predict.cli import main
from predict.exit_status import GOOD, SOME_FAILED, WRONG_CALL

WriteNpz = Callable[..., Path]


@dataclass
class Run:
    """A finished run of the tiny bundle on ``a.npz`` and ``b.npz``."""

    inputs: Path
    outputs: Path
    report: Path

    def change(self, case: int, **values: Any) -> None:
        """Change what the report says of a case."""
        table = json.loads(self.report.read_text())
        table["cases"][case].update(values)
        self.report.write_text(json.dumps(table))


@pytest.fixture
def run(write_npz: WriteNpz, tiny_bundle: Path, tmp_path: Path) -> Run:
    inputs = write_npz("a.npz").parent
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 10), np.uint8)
    write_npz("b.npz", imgs=image, text_prompts={"1": "liver", "instance_label": 1})
    outputs = tmp_path / "out"
    assert main(["run", str(inputs), str(outputs), "--bundle", str(tiny_bundle)]) == GOOD
    return Run(inputs, outputs, outputs / "report.json")


Capture = pytest.CaptureFixture[str]


def _replay(run: Run, capsys: Capture, *options: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["replay", str(run.report), *options])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


def test_a_report_tells_what_was_read_written_and_used(run: Run, tiny_bundle: Path) -> None:
    report = json.loads(run.report.read_text())
    assert report["run"]["inputs"] == str(run.inputs)
    assert report["run"]["bundle"] == str(tiny_bundle)
    assert report["threads"] >= 1
    for case in report["cases"]:
        for folder, key in ((run.inputs, "input_sha256"), (run.outputs, "output_sha256")):
            content = (folder / case["case"]).read_bytes()
            assert case[key] == hashlib.sha256(content).hexdigest()


def test_the_same_again_is_identical(run: Run, capsys: Capture) -> None:
    assert _replay(run, capsys) == (GOOD, "a.npz  identical\nb.npz  identical\n", "")


def test_changed_and_missing_inputs_are_told(
    run: Run, write_npz: WriteNpz, capsys: Capture
) -> None:
    write_npz("a.npz", spacing=np.ones(3))
    (run.inputs / "b.npz").unlink()
    status, out, _ = _replay(run, capsys)
    assert status == SOME_FAILED
    assert out.splitlines()[0].startswith("a.npz  input changed: ")
    assert out.splitlines()[1].startswith("b.npz  input missing: ")


def test_moved_folders_are_found(run: Run, tmp_path: Path, capsys: Capture) -> None:
    moved = run.inputs.rename(tmp_path / "elsewhere")
    assert _replay(run, capsys)[0] == SOME_FAILED
    assert _replay(run, capsys, "--inputs", str(moved))[0] == GOOD


def test_another_bundle_is_told_even_if_its_masks_are_the_same(
    run: Run, known_bundle: Path, capsys: Capture
) -> None:
    status, out, err = _replay(run, capsys, "--bundle", str(known_bundle))
    assert status == SOME_FAILED
    assert out == "a.npz  identical\nb.npz  identical\n"
    assert err.startswith("bundle differs: ")


def test_differing_voxels_are_counted(run: Run, capsys: Capture) -> None:
    mask = run.outputs / "a.npz"
    with np.load(mask) as arrays:
        labels = arrays["segs"]
    labels[0, 0, :3] = 9  # an id that nobody asked for
    np.savez_compressed(mask, segs=labels)
    run.change(0, output_sha256=hashlib.sha256(mask.read_bytes()).hexdigest())
    status, out, _ = _replay(run, capsys)
    assert status == SOME_FAILED
    first, second = out.splitlines()
    assert first.startswith("a.npz  differs by 3 of 336 voxels (8.93e+03 per million); Dice ")
    assert first.endswith("9: 0.0000")
    assert second == "b.npz  identical"
    assert _replay(run, capsys, "--tolerance", "10000")[0] == GOOD


def test_the_same_mask_in_another_file_is_identical(run: Run, capsys: Capture) -> None:
    mask = run.outputs / "a.npz"
    with np.load(mask) as arrays:
        labels = arrays["segs"]
    np.savez(mask, segs=labels)
    run.change(0, output_sha256=hashlib.sha256(mask.read_bytes()).hexdigest())
    status, out, _ = _replay(run, capsys)
    assert status == GOOD
    assert "identical: same mask, its file is packed differently" in out


@pytest.mark.parametrize(("content", "word"), [(None, "is gone"), (b"x", "is another file")])
def test_masks_that_are_not_those_of_then(
    run: Run, capsys: Capture, content: bytes | None, word: str
) -> None:
    mask = run.outputs / "a.npz"
    if content is None:
        mask.unlink()
    else:
        mask.write_bytes(content)
    assert _replay(run, capsys)[0] == GOOD  # what is made now is what was made then
    run.change(0, output_sha256="0" * 64)
    status, out, _ = _replay(run, capsys)
    assert status == SOME_FAILED
    assert word in out


def test_a_damaged_mask_is_told(run: Run, capsys: Capture) -> None:
    mask = run.outputs / "a.npz"
    mask.write_bytes(b"noise")
    run.change(0, output_sha256=hashlib.sha256(b"noise").hexdigest())
    status, out, _ = _replay(run, capsys)
    assert status == SOME_FAILED
    assert "differs: a mask cannot be read" in out


def test_cases_without_a_mask_of_then_are_passed_over(run: Run, capsys: Capture) -> None:
    run.change(0, output_sha256=None, status="skipped")
    status, out, _ = _replay(run, capsys, "--json")
    table = json.loads(out)
    assert status == GOOD
    assert table["good"] is True
    assert table["changed"] == []
    assert [case["outcome"] for case in table["cases"]] == ["not recorded", "identical"]


def test_another_machine_is_told(run: Run, capsys: Capture) -> None:
    table = json.loads(run.report.read_text())
    table["versions"]["torch"] = "1.0"
    table["cpu"] = "ENIAC"
    run.report.write_text(json.dumps(table))
    status, _, err = _replay(run, capsys)
    assert status == GOOD
    lines = err.splitlines()
    assert lines[0].startswith("cpu differs: ENIAC then, ")
    assert lines[1].startswith("torch differs: 1.0 then, ")


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"run": {"inputs": 1}, "cases": []}'])
def test_other_files_are_wrong_calls(tmp_path: Path, capsys: Capture, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content)
    assert main(["replay", str(path)]) == WRONG_CALL
    assert len(capsys.readouterr().err.splitlines()) == 1
