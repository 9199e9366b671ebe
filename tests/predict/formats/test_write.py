from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predict.errors import UsageError
from predict.formats import mask_name, write_mask
from predict.volumes import Volume

ENDINGS = ["nii", "nii.gz", "nrrd", "seg.nrrd", "mha", "tif", "npz"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_half_written_is_ever_there(
    tmp_path: Path, volume: Volume, labels: np.ndarray, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError("the disk is full")

    path = tmp_path / f"m.{ending}"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(OSError, match="full"):
        write_mask(labels, volume, path, {1: "liver"}, {})
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_existing_file_is_replaced(
    tmp_path: Path, volume: Volume, labels: np.ndarray, ending: str
) -> None:
    path = tmp_path / f"m.{ending}"
    path.write_bytes(b"old")
    written = write_mask(labels, volume, path, {1: "liver"}, {})
    assert path.stat().st_size > 3
    assert sorted(tmp_path.iterdir()) == sorted(written)


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_mask_is_the_same_file(
    tmp_path: Path, volume: Volume, labels: np.ndarray, ending: str
) -> None:
    contents = []
    for name in "ab":
        path = tmp_path / name / f"m.{ending}"
        path.parent.mkdir()
        write_mask(labels, volume, path, {1: "liver"}, {})
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_a_missing_folder_is_told_by_the_system(
    tmp_path: Path, volume: Volume, labels: np.ndarray
) -> None:
    for ending in ENDINGS:
        with pytest.raises(OSError, match=r"."):
            write_mask(labels, volume, tmp_path / "none" / f"m.{ending}", {}, {})


def test_wrong_calls(tmp_path: Path, volume: Volume, labels: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"m\.obj: expected one of \.nii"):
        write_mask(labels, volume, tmp_path / "m.obj", {}, {})
    with pytest.raises(UsageError, match=r"shape \(3, 4, 5\), received uint8 of \(2, 4, 5\)"):
        write_mask(labels[:2], volume, tmp_path / "m.mha", {}, {})
    with pytest.raises(UsageError, match="received float64"):
        write_mask(labels * 1.0, volume, tmp_path / "m.mha", {}, {})
    with pytest.raises(UsageError, match="0 or more, received -1"):
        write_mask(labels.astype(np.int16) - 1, volume, tmp_path / "m.mha", {}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("source", "kind", "ending", "name"),
    [
        ("scan.nii.gz", "nifti", None, "scan_mask.nii.gz"),
        ("scan.NII", "nifti", None, "scan_mask.nii"),
        ("scan.nrrd", "nrrd", None, "scan_mask.seg.nrrd"),
        ("scan.mhd", "mha", None, "scan_mask.mha"),
        ("cells.ome.tif", "tiff", None, "cells.ome_mask.tif"),
        ("study", "dicom", None, "study_mask.dcm"),
        ("study.v1", "dicom", "nii.gz", "study.v1_mask.nii.gz"),
        ("study.zip", "dicom", ".nrrd", "study_mask.nrrd"),
        ("case.npz", "npz", None, "case_mask.npz"),
    ],
)
def test_the_name_of_a_mask(source: str, kind: str, ending: str | None, name: str) -> None:
    volume = Volume(array=np.zeros((1, 1, 1)), spacing=(1, 1, 1), kind=kind)
    assert mask_name(Path(source), volume, ending) == name
