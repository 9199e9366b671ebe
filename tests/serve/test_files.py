from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from predict.volumes import Volume
from serve.errors import RefusalError
from serve.files import (
    check_upload,
    clean_name,
    shown_range,
    suffix_of,
    write_viewer_image,
    write_viewer_mask,
)

MHA = b"ObjectType = Image\nNDims = 3\nDimSize = 1 1 1\nElementType = MET_UCHAR\n"


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("scan.nii.gz", "scan.nii.gz"),
        ("../../etc/scan.NRRD", "scan.NRRD"),
        ("C:\\cases\\my scan (1).mha", "my_scan_1_.mha"),
        ("...hidden.nii", "hidden.nii"),
        ("Schädel.nii.gz", "Sch_del.nii.gz"),
    ],
)
def test_names_become_plain_file_names(given: str, clean: str) -> None:
    assert clean_name(given) == clean


@pytest.mark.parametrize("name", ["scan.exe", ".nii", "scan", "scan.mhd", "", "a/b/"])
def test_names_without_a_known_ending_are_refused(name: str) -> None:
    with pytest.raises(RefusalError, match="expected a file ending in") as refusal:
        clean_name(name)
    assert refusal.value.status == 415


def test_long_names_keep_their_ending() -> None:
    assert suffix_of(clean_name("x" * 250 + ".nii.gz")) == ".nii.gz"
    assert len(clean_name("x" * 250 + ".nii.gz")) == 100


@pytest.mark.parametrize(
    "end",
    [
        b"ElementDataFile = /etc/passwd\n",
        b"ElementDataFile : /etc/passwd\nElementDataFile = LOCAL\n",
        b"Comment = ElementDataFile = LOCAL\nElementDataFile = /etc/passwd\n",
        b"Comment = x\rElementDataFile = LOCAL\nElementDataFile = /etc/passwd\n",
        b"elementdatafile = LIST\n",
        b"",
    ],
)
def test_a_metaimage_cannot_name_another_file(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "x.mha"
    path.write_bytes(MHA + end + b"\0")
    with pytest.raises(RefusalError, match="LOCAL"):
        check_upload(path, 100)


@pytest.mark.parametrize(
    "field", [b"data file: /etc/passwd", b"DataFile: a.raw", b"data file: LIST"]
)
def test_an_nrrd_cannot_name_another_file(tmp_path: Path, field: bytes) -> None:
    path = tmp_path / "x.nrrd"
    path.write_bytes(b"NRRD0004\ntype: uint8\n" + field + b"\n\n\0")
    with pytest.raises(RefusalError, match="voxels after it"):
        check_upload(path, 100)


def test_an_nrrd_cannot_hide_a_field_behind_a_long_header(tmp_path: Path) -> None:
    path = tmp_path / "x.nrrd"
    path.write_bytes(b"NRRD0004\n" + b"# padding\n" * 10_000 + b"data file: /etc/passwd\n\n\0")
    with pytest.raises(RefusalError, match="voxels after it"):
        check_upload(path, 100)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_images_as_other_programs_write_them_pass(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(np.zeros((2, 3, 4), np.int16)), str(path))
    check_upload(path, 100)


def test_archives_that_unpack_too_far_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.dcm", bytes(5000))
    check_upload(path, 1250)
    with pytest.raises(RefusalError, match="received 1 and 5000"):
        check_upload(path, 1249)


def test_something_else_named_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(RefusalError, match="not a readable archive"):
        check_upload(path, 100)


def test_viewer_files_keep_values_and_geometry(tmp_path: Path) -> None:
    array = np.arange(24, dtype=np.int64).reshape(2, 3, 4) - 5
    direction = (0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    volume = Volume(array=array, spacing=(1, 2, 3), origin=(4, 5, 6), direction=direction)
    write_viewer_image(volume, tmp_path / "image.nii")
    write_viewer_mask(array > 0, volume, tmp_path / "mask.nii.gz")
    image = SimpleITK.ReadImage(str(tmp_path / "image.nii"))
    mask = SimpleITK.ReadImage(str(tmp_path / "mask.nii.gz"))
    assert image.GetPixelIDValue() == SimpleITK.sitkFloat32
    assert mask.GetPixelIDValue() == SimpleITK.sitkUInt8
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), array)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(mask), array > 0)
    for written in (image, mask):
        np.testing.assert_allclose(written.GetDirection(), direction, atol=1e-6)
        np.testing.assert_allclose(written.GetOrigin(), (4, 5, 6), atol=1e-6)
        np.testing.assert_allclose(written.GetSpacing(), (1, 2, 3), atol=1e-6)


def test_shown_range_leaves_out_the_extremes() -> None:
    array = np.arange(101, dtype=np.int16)
    assert shown_range(array) == pytest.approx((1, 99))
    flat = shown_range(np.zeros(5))
    assert flat[0] < flat[1]
