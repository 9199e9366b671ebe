from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from fuzz.seeds import metaimage_files
from predict.errors import CaseError
from predict.formats import read_volume, write_mask
from predict.orientation import to_canonical
from predict.volumes import Volume


def source(path: Path, volume: Volume) -> Path:
    image = sitk.GetImageFromArray(volume.array)
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    sitk.WriteImage(image, str(path))
    return path


def header_of(path: Path) -> dict[str, list[float]]:
    """The geometry, read from the text by hand; column vectors lie one after the other."""
    lines = path.read_bytes().split(b"ElementDataFile")[0].decode().splitlines()
    fields = dict(line.split(" = ", 1) for line in lines)
    return {
        key: [float(value) for value in fields[key].split()]
        for key in ("TransformMatrix", "Offset", "ElementSpacing")
    }


def test_the_geometry_of_a_mask_is_the_same_bits(
    tmp_path: Path, volume: Volume, labels: np.ndarray
) -> None:
    read = read_volume(source(tmp_path / "a.mha", volume))
    np.testing.assert_array_equal(read.array, volume.array)
    assert (read.spacing, read.origin) == (volume.spacing, volume.origin)
    assert read.direction == volume.direction
    assert read.kind == "mha"
    write_mask(labels, read, tmp_path / "m.mha", {1: "liver"}, {})
    written = header_of(tmp_path / "m.mha")
    assert written == header_of(tmp_path / "a.mha")
    assert written["Offset"] == list(volume.origin)
    assert written["TransformMatrix"] == np.reshape(volume.direction, (3, 3)).T.ravel().tolist()
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "m.mha")), labels
    )
    assert (tmp_path / "m.json").exists()


def test_all_48_orders_through_files(
    tmp_path: Path, store: Callable[..., Any], order: Any, turn: np.ndarray, image: np.ndarray
) -> None:
    stored = Volume(**store(image, order, turn)._asdict())
    read = read_volume(source(tmp_path / "a.mha", stored))
    view, inverse = to_canonical(read)
    np.testing.assert_array_equal(view, image)
    write_mask(inverse((view > 20).astype(np.uint8)), read, tmp_path / "m.mha", {}, {})
    mask = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "m.mha"))
    np.testing.assert_array_equal(mask, stored.array > 20)


def test_the_modality_is_read(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.mha", volume)
    path.write_bytes(path.read_bytes().replace(b"NDims", b"Modality = MET_MOD_CT\nNDims", 1))
    assert read_volume(path).modality == "CT"


def test_a_detached_header_reads_its_own_folder_only(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.mhd", volume)
    np.testing.assert_array_equal(read_volume(path).array, volume.array)
    text = path.read_text()
    for elsewhere in ("/etc/passwd", "../a.raw", "LIST", "sub/%03d.raw 1 3 1"):
        path.write_text(text.replace("a.raw", elsewhere))
        with pytest.raises(CaseError, match=r"^a\.mhd: expected the voxels beside a\.mhd"):
            read_volume(path)


@pytest.mark.parametrize("content", [b"", b"ObjectType = Image\n", b"\x00" * 300])
def test_damage_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mha").write_bytes(content)
    with pytest.raises(CaseError, match=r"^a\.mha: "):
        read_volume(tmp_path / "a.mha")


def test_time_and_colour_are_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.Image([5, 4, 3, 2], sitk.sitkInt16), str(tmp_path / "t.mha"))
    with pytest.raises(CaseError, match="received 4 axes"):
        read_volume(tmp_path / "t.mha")
    sitk.WriteImage(sitk.Image([5, 4, 3], sitk.sitkVectorUInt8, 3), str(tmp_path / "c.mha"))
    with pytest.raises(CaseError, match="received 3"):
        read_volume(tmp_path / "c.mha")


def test_a_cut_file_is_refused(tmp_path: Path, volume: Volume) -> None:
    for compressed in (False, True):
        sitk.WriteImage(sitk.GetImageFromArray(volume.array), tmp_path / "a.mha", compressed)
        path = tmp_path / "a.mha"
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(CaseError, match=r"^a\.mha: not readable"):
            read_volume(path)


def test_simpleitk_finds_the_mask_where_the_image_is(
    tmp_path: Path, volume: Volume, labels: np.ndarray
) -> None:
    read = read_volume(source(tmp_path / "a.mha", volume))
    write_mask(labels, read, tmp_path / "m.mha", {}, {})
    was, mask = (sitk.ReadImage(tmp_path / name) for name in ("a.mha", "m.mha"))
    assert mask.GetSpacing() == was.GetSpacing()
    assert mask.GetOrigin() == was.GetOrigin()
    assert mask.GetDirection() == was.GetDirection()


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_type(tmp_path: Path, dtype: str, compressed: bool) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    sitk.WriteImage(sitk.GetImageFromArray(array), tmp_path / "a.mha", compressed)
    read = read_volume(tmp_path / "a.mha").array
    np.testing.assert_array_equal(read, array)
    assert read.dtype == array.dtype


def test_big_endian(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.mhd", volume)
    path.write_text(path.read_text().replace("MSB = False", "MSB = True"))
    (tmp_path / "a.raw").write_bytes(volume.array.astype(">i2").tobytes())
    np.testing.assert_array_equal(read_volume(path).array, volume.array)


def test_voxels_as_text_are_refused(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.mha", volume)
    path.write_bytes(path.read_bytes().replace(b"BinaryData = True", b"BinaryData = False"))
    with pytest.raises(CaseError, match="received text"):
        read_volume(path)


@pytest.mark.parametrize("skip", ["1e30", "1e18", "1000"])
def test_voxels_behind_the_end_of_their_file_are_refused(tmp_path: Path, skip: str) -> None:
    data = metaimage_files()[0].replace(b"HeaderSize = 0", f"HeaderSize = {skip}".encode())
    (tmp_path / "a.mhd").write_bytes(data.replace(b"LOCAL", b"a.mhd"))
    with pytest.raises(CaseError, match="begin behind the end of the file"):
        read_volume(tmp_path / "a.mhd")
