from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from predict.errors import CaseError
from predict.formats import read_volume, write_mask
from predict.orientation import to_canonical
from predict.volumes import Volume

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


# Voxel size, then codes, quaternion and matrix, as the standard lays them out.
GEOMETRY_BYTES = {
    nib.Nifti1Image: ((76, 108), (252, 328)),
    nib.Nifti2Image: ((104, 168), (344, 496)),
}


def affine_of(volume: Volume) -> np.ndarray:
    """Voxel (i, j, k) -> RAS mm."""
    result = np.eye(4)
    result[:3, :3] = np.reshape(volume.direction, (3, 3)) * volume.spacing
    result[:3, 3] = volume.origin
    return LPS_TO_RAS @ result


def source(path: Path, image: np.ndarray, affine: np.ndarray, kind: Any = nib.Nifti1Image) -> Path:
    nib.save(kind(image.T, affine), path)
    return path


def mask_of(path: Path, labels: np.ndarray, folder: Path, name: str = "mask.nii.gz") -> Path:
    write_mask(labels, read_volume(path), folder / name, {1: "liver"}, {1: (1, 2, 3)})
    return folder / name


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_reads_what_nibabel_wrote(
    tmp_path: Path, volume: Volume, image: np.ndarray, kind: Any, ending: str
) -> None:
    path = source(tmp_path / f"a.{ending}", image, affine_of(volume), kind)
    read = read_volume(path)
    np.testing.assert_array_equal(read.array, image)
    assert read.kind == "nifti"
    assert read.oriented
    assert read.modality is None
    np.testing.assert_allclose(affine_of(read), nib.load(path).affine, atol=1e-5)


@pytest.mark.parametrize("codes", [(1, 0), (0, 2), (1, 4), (3, 1)], ids=str)
@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_the_geometry_of_a_mask_is_the_same_bits(
    tmp_path: Path,
    volume: Volume,
    image: np.ndarray,
    labels: np.ndarray,
    codes: tuple[int, int],
    kind: Any,
) -> None:
    file = kind(image.T, None)
    file.set_qform(affine_of(volume), codes[0])
    file.set_sform(affine_of(volume), codes[1])
    file.header.set_xyzt_units("mm", "sec")
    nib.save(file, tmp_path / "a.nii.gz")
    mask = nib.load(mask_of(tmp_path / "a.nii.gz", labels, tmp_path))
    was = nib.load(tmp_path / "a.nii.gz")
    assert type(mask) is kind
    with gzip.open(tmp_path / "a.nii.gz") as before, gzip.open(tmp_path / "mask.nii.gz") as after:
        raw, masked = before.read(540), after.read(540)
    for start, end in GEOMETRY_BYTES[kind]:
        assert masked[start:end] == raw[start:end]
    geometry = [
        *("qform_code", "sform_code", "pixdim", "quatern_b", "quatern_c", "quatern_d"),
        *("qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "xyzt_units"),
    ]
    for key in geometry:
        assert mask.header[key].tobytes() == was.header[key].tobytes(), key
    assert mask.header["intent_code"] == 1002
    assert mask.header.get_slope_inter() in ((None, None), (1, 0))
    np.testing.assert_array_equal(np.asarray(mask.dataobj).T, labels)


def test_simpleitk_finds_the_mask_where_the_image_is(
    tmp_path: Path, volume: Volume, image: np.ndarray, labels: np.ndarray
) -> None:
    path = source(tmp_path / "a.nii.gz", image, affine_of(volume))
    was = sitk.ReadImage(str(path))
    mask = sitk.ReadImage(str(mask_of(path, labels, tmp_path)))
    assert mask.GetSpacing() == was.GetSpacing()
    assert mask.GetOrigin() == was.GetOrigin()
    assert mask.GetDirection() == was.GetDirection()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), labels)
    np.testing.assert_allclose(read_volume(path).direction, was.GetDirection(), atol=1e-6)


def test_a_big_endian_file_with_a_slope(tmp_path: Path, volume: Volume, labels: np.ndarray) -> None:
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    file = nib.Nifti1Image(np.linspace(0, 0.9, 60).reshape(5, 4, 3), affine_of(volume), header)
    file.header.set_slope_inter(0.001, 0.5)
    nib.save(file, tmp_path / "a.nii")
    expected = nib.load(tmp_path / "a.nii").get_fdata().T
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii").array, expected, atol=1e-6)
    mask = nib.load(mask_of(tmp_path / "a.nii", labels, tmp_path, "mask.nii"))
    assert mask.header.endianness == ">"
    np.testing.assert_array_equal(np.asarray(mask.dataobj).T, labels)


@pytest.mark.parametrize(("largest", "dtype"), [(255, "u1"), (256, "u2"), (70000, "i4")])
def test_the_type_holds_the_largest_id(
    tmp_path: Path, volume: Volume, image: np.ndarray, largest: int, dtype: str
) -> None:
    path = source(tmp_path / "a.nii.gz", image, affine_of(volume))
    labels = np.zeros(image.shape, np.int32)
    labels[1, 2, 3] = largest
    mask = nib.load(mask_of(path, labels, tmp_path))
    assert mask.get_data_dtype() == np.dtype(dtype)
    assert int(np.asarray(mask.dataobj)[3, 2, 1]) == largest


def test_another_format_becomes_nifti(tmp_path: Path, volume: Volume, labels: np.ndarray) -> None:
    foreign = Volume(
        array=volume.array,
        spacing=volume.spacing,
        origin=volume.origin,
        direction=volume.direction,
        kind="dicom",
    )
    write_mask(labels, foreign, tmp_path / "m.nii.gz", {}, {})
    mask = nib.load(tmp_path / "m.nii.gz")
    np.testing.assert_allclose(mask.affine, affine_of(volume), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(mask.dataobj).T, labels)


def test_names_lie_beside(tmp_path: Path, volume: Volume, labels: np.ndarray) -> None:
    written = write_mask(
        labels, volume, tmp_path / "m.nii.gz", {1: "liver", 7: "a\nb"}, {1: (1, 2, 3)}
    )
    assert [path.name for path in written] == ["m.nii.gz", "m.json"]
    assert json.loads((tmp_path / "m.json").read_text()) == {
        "mask": "m.nii.gz",
        "labels": [
            {"id": 1, "name": "liver", "color": [1, 2, 3]},
            {"id": 3, "name": "label 3", "color": [160, 160, 160]},
            {"id": 7, "name": "a b", "color": [160, 160, 160]},
        ],
    }


def test_all_48_orders_through_files(
    tmp_path: Path, store: Callable[..., Any], order: Any, turn: np.ndarray, image: np.ndarray
) -> None:
    """Read by us, masked in canonical order, written, and read by nibabel where it belongs."""
    stored = Volume(**store(image, order, turn)._asdict())
    path = source(tmp_path / "a.nii.gz", stored.array, affine_of(stored))
    read = read_volume(path)
    view, inverse = to_canonical(read)
    np.testing.assert_array_equal(view, image)
    mask = mask_of(path, inverse((view > 20).astype(np.uint8)), tmp_path)
    np.testing.assert_array_equal(
        np.asarray(nib.load(mask).dataobj), np.asarray(nib.load(path).dataobj) > 20
    )
    np.testing.assert_array_equal(nib.load(mask).affine, nib.load(path).affine)


def test_a_file_without_orientation_keeps_its_axes(
    tmp_path: Path, image: np.ndarray, labels: np.ndarray
) -> None:
    file = nib.Nifti1Image(image.T, None)
    file.header["sform_code"] = file.header["qform_code"] = 0
    nib.save(file, tmp_path / "a.nii.gz")
    read = read_volume(tmp_path / "a.nii.gz")
    assert not read.oriented
    assert "orientation" in read.extra["warnings"][0]
    mask = nib.load(mask_of(tmp_path / "a.nii.gz", labels, tmp_path))
    assert (mask.header["sform_code"], mask.header["qform_code"]) == (0, 0)


def test_a_sheared_grid_is_read_and_its_mask_has_the_same_grid(
    tmp_path: Path, image: np.ndarray, labels: np.ndarray
) -> None:
    affine = np.array([[1, 0.3, 0, 4], [0, 1, 0, 5], [0, 0, 2, 6], [0, 0, 0, 1]])
    path = source(tmp_path / "a.nii.gz", image, affine)
    read = read_volume(path)
    np.testing.assert_array_equal(read.array, image)
    assert "sheared" in read.extra["warnings"][0]
    mask = nib.load(mask_of(path, labels, tmp_path))
    np.testing.assert_array_equal(mask.affine, nib.load(path).affine)
    assert mask.affine[0, 1] == pytest.approx(0.3)


def test_a_fourth_axis_of_one_is_no_time(
    tmp_path: Path, volume: Volume, image: np.ndarray, labels: np.ndarray
) -> None:
    nib.save(nib.Nifti1Image(image.T[..., None], affine_of(volume)), tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, image)
    mask = nib.load(mask_of(tmp_path / "a.nii.gz", labels, tmp_path))
    assert mask.shape == (5, 4, 3)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((5, 4, 3, 6), np.int16), r"one 3D image, received 4 axes \(5 x 4 x 3 x 6\)"),
        (np.zeros((5, 4, 3, 1, 3), np.int16), "received"),
        (np.zeros((5, 4), np.int16), "three axes, received 2"),
        (np.full((5, 4, 3), np.nan, np.float32), "finite values, received none"),
    ],
)
def test_what_is_not_one_3d_image_is_refused(tmp_path: Path, array: np.ndarray, words: str) -> None:
    nib.save(nib.Nifti1Image(array, np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(CaseError, match=words) as caught:
        read_volume(tmp_path / "a.nii.gz")
    assert str(caught.value).startswith("a.nii.gz: ")
    assert "\n" not in str(caught.value)


def test_colours_are_refused(tmp_path: Path) -> None:
    pixels = np.zeros((5, 4, 3), np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))
    nib.save(nib.Nifti1Image(pixels, np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(CaseError, match=r"one real number per voxel, received 3 \(colour\)"):
        read_volume(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("content", [b"", b"x" * 400, b"\x1f\x8b broken"])
def test_damage_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(CaseError, match=r"^a\.nii\.gz: "):
        read_volume(tmp_path / "a.nii.gz")


def test_a_truncated_file_is_refused(tmp_path: Path, volume: Volume, image: np.ndarray) -> None:
    path = source(tmp_path / "a.nii", image, affine_of(volume))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(CaseError, match=r"^a\.nii: not readable"):
        read_volume(path)


def test_a_size_that_no_memory_holds_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(header.binaryblock + bytes(500)))
    with pytest.raises(CaseError, match=r"at most \d+ are accepted"):
        read_volume(tmp_path / "a.nii.gz")
