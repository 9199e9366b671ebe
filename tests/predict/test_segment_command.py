from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK
from PIL import Image

from predict import segment_case
from predict.cli import main
from predict.exit_status import GOOD, INTERRUPTED, SOME_FAILED, WRONG_CALL

Segment = Callable[..., int]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two images of different kinds, with a geometry of their own."""
    folder = tmp_path / "scans"
    folder.mkdir()
    array = np.random.default_rng(1).integers(-900, 900, (8, 12, 10)).astype(np.int16)
    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing((0.5, 0.75, 2))
    image.SetOrigin((3, -4, 5))
    for name in ("a.nii.gz", "b.nrrd"):
        SimpleITK.WriteImage(image, str(folder / name))
    return folder


@pytest.fixture
def segment(tiny_bundle: Path, tmp_path: Path) -> Segment:
    """Run the command on the tiny network; masks go to tmp_path/out."""

    def run(*arguments: object) -> int:
        fixed = ["--bundle", str(tiny_bundle), "-o", str(tmp_path / "out")]
        return main(["segment", *map(str, arguments), *fixed])

    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def report(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return values


def test_a_folder_becomes_masks_pictures_and_a_report(
    segment: Segment, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert segment(scans, "-p", "liver", "-p", "left kidney") == GOOD
    assert names(out) == {
        *("a_mask.nii.gz", "a_mask.json", "a_sheet.png", "b_mask.seg.nrrd", "b_sheet.png"),
        "report.json",
    }
    mask = nibabel.load(out / "a_mask.nii.gz")
    np.testing.assert_array_equal(mask.affine, nibabel.load(scans / "a.nii.gz").affine)
    first, second = report(out)["cases"]
    assert [p["text"] for p in first["prompts"]] == ["liver", "left kidney"]
    voxels = np.count_nonzero(np.asarray(mask.dataobj) == 1)
    assert first["prompts"][0]["found"] == (voxels or "not found")
    assert first["prompts"][0]["volume_mm3"] == pytest.approx(0.75 * voxels)
    assert second["preview"] == str(out / "b_sheet.png")
    shown = capsys.readouterr()
    assert "1: liver" in shown.out
    assert shown.err.splitlines()[0].startswith("[1/2] a.nii.gz: ok, ")


def test_more_is_written_on_request(segment: Segment, scans: Path, tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    wishes = ("--probabilities", "--no-sheet", "--format", "mha", "--surface", "stl")
    assert segment(scans / "a.nii.gz", "-p", "liver", *wishes) == GOOD
    found = names(tmp_path / "out") - {"report.json", "a_surface.stl"}
    assert found == {"a_mask.mha", "a_mask.json", "a_1_probability.nii.gz"}
    (case,) = report(tmp_path / "out")["cases"]
    assert {Path(file).name for file in case["files"]} >= found
    assert case["preview"] is None


def test_instances(segment: Segment, scans: Path, tmp_path: Path) -> None:
    assert segment(scans / "b.nrrd", "-p", "liver", "--instances") == GOOD
    (case,) = report(tmp_path / "out")["cases"]
    mask = SimpleITK.ReadImage(str(tmp_path / "out" / "b_mask.seg.nrrd"))
    assert SimpleITK.GetArrayFromImage(mask).max() == case["instances"]


def test_finished_images_are_skipped(segment: Segment, scans: Path, tmp_path: Path) -> None:
    assert segment(scans / "a.nii.gz", "-p", "liver") == GOOD
    before = (tmp_path / "out" / "a_mask.nii.gz").stat().st_mtime_ns
    assert segment(scans, "-p", "liver", "--skip-existing") == GOOD
    assert [c["status"] for c in report(tmp_path / "out")["cases"]] == ["skipped", "ok"]
    assert (tmp_path / "out" / "a_mask.nii.gz").stat().st_mtime_ns == before
    assert segment(scans, "-p", "liver", "--skip-existing", "--format", "mha") == GOOD
    assert [c["status"] for c in report(tmp_path / "out")["cases"]] == ["ok", "ok"]


def test_json_is_all_that_is_printed(
    segment: Segment, scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert segment(scans / "a.nii.gz", "-p", "liver", "--json") == GOOD
    assert json.loads(capsys.readouterr().out)["cases"][0]["status"] == "ok"


def test_a_broken_image_does_not_stop_the_others(
    segment: Segment, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scans / "aa.nii.gz").write_bytes(b"noise")
    assert segment(scans, "-p", "liver") == SOME_FAILED
    assert [c["status"] for c in report(tmp_path / "out")["cases"]] == ["ok", "failed", "ok"]
    assert "failed: aa.nii.gz: " in capsys.readouterr().err


def test_a_call_that_does_not_fit_one_of_several_images_fails_that_one(
    segment: Segment, scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither of them came as DICOM."""
    assert segment(scans, "-p", "liver", "--format", "dcm") == SOME_FAILED
    assert [c["status"] for c in report(tmp_path / "out")["cases"]] == ["failed", "failed"]
    assert "failed: a.nii.gz: " in capsys.readouterr().err


def test_ctrl_c_keeps_what_is_done_and_says_so(
    segment: Segment,
    scans: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = segment_case._write

    def interrupted(result: Any, mask: Path, *more: Any) -> None:
        if mask.name.startswith("b"):
            raise KeyboardInterrupt
        write(result, mask, *more)

    monkeypatch.setattr(segment_case, "_write", interrupted)
    assert segment(scans, "-p", "liver") == INTERRUPTED
    assert names(tmp_path / "out") == {
        *("a_mask.nii.gz", "a_mask.json", "a_sheet.png", "report.json"),
    }
    assert "interrupted: 1 of 2 images are done" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], 'add for example: -p "liver"'),
        (["kidney", "-p", "liver"], 'if it is a prompt, type: -p "kidney"'),
        (["-p", "liver", "--window", "fog"], "window: expected soft tissue"),
        (["-p", "liver", "--format", "jpg"], "--format: expected one of nii"),
        (["-p", "liver", "-p", "spleen", "--instances"], "--instances: expected one prompt"),
        (["-p", "liver", "-p", "liver"], "received 'liver' twice"),
        (["-p", "liver", "--device", "tpu"], "received tpu"),
        (["-p", "liver", "--format", "dcm"], "dcm|DICOM"),
    ],
)
def test_wrong_calls_say_what_to_type(
    segment: Segment,
    scans: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert segment(scans / "a.nii.gz", *arguments) == WRONG_CALL
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line)


def test_the_picture_is_a_whole_png(segment: Segment, scans: Path, tmp_path: Path) -> None:
    assert segment(scans / "a.nii.gz", "-p", "liver") == GOOD
    with Image.open(tmp_path / "out" / "a_sheet.png") as picture:
        picture.verify()
