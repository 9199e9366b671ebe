from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813

from fuzz.seeds import nrrd_files
from predict.errors import CaseError
from predict.formats import read_volume, write_mask
from predict.orientation import to_canonical
from predict.volumes import Volume

SPACE = "left-posterior-superior"


def header_of(volume: Volume, space: str = SPACE) -> dict[str, Any]:
    columns = np.reshape(volume.direction, (3, 3)) * volume.spacing
    return {"space": space, "space directions": columns.T, "space origin": volume.origin}


def source(path: Path, volume: Volume, **fields: Any) -> Path:
    nrrd.write(str(path), volume.array.T, {**header_of(volume), **fields})
    return path


def test_reads_what_pynrrd_wrote(tmp_path: Path, volume: Volume) -> None:
    read = read_volume(source(tmp_path / "a.nrrd", volume))
    np.testing.assert_array_equal(read.array, volume.array)
    np.testing.assert_allclose(read.spacing, volume.spacing)
    np.testing.assert_allclose(read.origin, volume.origin)
    np.testing.assert_allclose(read.direction, volume.direction)
    assert read.kind == "nrrd"
    assert read.oriented


def test_the_geometry_of_a_mask_is_the_same_bits(
    tmp_path: Path, volume: Volume, labels: np.ndarray, named: Any
) -> None:
    path = source(tmp_path / "a.nrrd", volume, space="right-anterior-superior")
    read = read_volume(path)
    assert write_mask(labels, read, tmp_path / "m.seg.nrrd", *named) == (tmp_path / "m.seg.nrrd",)
    data, header = nrrd.read(str(tmp_path / "m.seg.nrrd"))
    was = nrrd.read_header(str(path))
    np.testing.assert_array_equal(data.T, labels)
    assert data.dtype == np.uint8
    assert header["space"] == "right-anterior-superior"
    np.testing.assert_array_equal(header["space directions"], was["space directions"])
    np.testing.assert_array_equal(header["space origin"], was["space origin"])
    again = read_volume(tmp_path / "m.seg.nrrd")
    assert (again.spacing, again.origin, again.direction) == (
        read.spacing,
        read.origin,
        read.direction,
    )


def test_segments_are_what_3d_slicer_reads(
    tmp_path: Path, volume: Volume, labels: np.ndarray, named: Any
) -> None:
    write_mask(labels, volume, tmp_path / "m.seg.nrrd", *named)
    header = nrrd.read_header(str(tmp_path / "m.seg.nrrd"))
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    segments = [
        [header[f"Segment{n}_{key}"] for key in ("ID", "Name", "LabelValue", "Layer", "Extent")]
        for n in range(3)
    ]
    assert segments == [
        ["Segment_1", "liver", "1", "0", "0 4 0 3 0 2"],
        ["Segment_3", "left kidney", "3", "0", "0 4 0 3 0 2"],
        ["Segment_7", "not there", "7", "0", "0 4 0 3 0 2"],
    ]
    colour = np.array(header["Segment1_Color"].split(), float) * 255
    np.testing.assert_allclose(colour, named[1][3], atol=1e-3)
    assert "Segment3_ID" not in header


def test_a_name_cannot_add_lines_to_the_header(
    tmp_path: Path, volume: Volume, labels: np.ndarray
) -> None:
    names = {1: "liver\n\nsizes: 9 9 9", 3: "Nïere"}
    write_mask(labels, volume, tmp_path / "m.nrrd", names, {})
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "m.nrrd")), labels
    )


def test_another_format_becomes_nrrd_with_the_same_numbers(
    tmp_path: Path, volume: Volume, labels: np.ndarray, named: Any
) -> None:
    write_mask(labels, volume, tmp_path / "m.nrrd", *named)
    data, header = nrrd.read(str(tmp_path / "m.nrrd"))
    np.testing.assert_array_equal(data.T, labels)
    np.testing.assert_array_equal(header["space origin"], volume.origin)
    np.testing.assert_array_equal(header["space directions"], header_of(volume)["space directions"])


def test_all_48_orders_through_files(
    tmp_path: Path, store: Callable[..., Any], order: Any, turn: np.ndarray, image: np.ndarray
) -> None:
    stored = Volume(**store(image, order, turn)._asdict())
    read = read_volume(source(tmp_path / "a.nrrd", stored))
    view, inverse = to_canonical(read)
    np.testing.assert_array_equal(view, image)
    write_mask(inverse((view > 20).astype(np.uint8)), read, tmp_path / "m.nrrd", {}, {})
    data, _ = nrrd.read(str(tmp_path / "m.nrrd"))
    np.testing.assert_array_equal(data.T, stored.array > 20)


def test_without_a_space_there_is_no_orientation(
    tmp_path: Path, volume: Volume, labels: np.ndarray
) -> None:
    nrrd.write(str(tmp_path / "a.nrrd"), volume.array.T, {"spacings": [0.5, 0.6, 2.0]})
    read = read_volume(tmp_path / "a.nrrd")
    assert read.spacing == (0.5, 0.6, 2.0)
    assert not read.oriented
    write_mask(labels, read, tmp_path / "m.nrrd", {}, {})
    header = nrrd.read_header(str(tmp_path / "m.nrrd"))
    assert header["spacings"].tolist() == [0.5, 0.6, 2.0]
    assert "space" not in header


def test_a_detached_header_reads_its_own_folder_only(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.nhdr", volume)
    np.testing.assert_array_equal(read_volume(path).array, volume.array)
    text = path.read_text()
    name = next(line for line in text.splitlines() if line.startswith("data file"))
    for elsewhere in ("/etc/passwd", "../a.raw.gz", "sub/a.raw", "LIST"):
        path.write_text(text.replace(name, f"data file: {elsewhere}"))
        with pytest.raises(CaseError, match=r"^a\.nhdr: expected the voxels beside a\.nhdr"):
            read_volume(path)


def test_vectors_and_time_are_refused(tmp_path: Path) -> None:
    for count in (3, 6):
        nrrd.write(
            str(tmp_path / "a.nrrd"),
            np.zeros((count, 5, 4, 3), np.float32),
            {
                "space": SPACE,
                "space directions": [[np.nan] * 3, [1, 0, 0], [0, 1, 0], [0, 0, 1]],
                "kinds": ["vector", "domain", "domain", "domain"],
            },
        )
        with pytest.raises(CaseError, match=f"one value per voxel, received {count}"):
            read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("content", [b"", b"NRRD0004\ntype: short\n\n", b"something else"])
def test_damage_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nrrd").write_bytes(content)
    with pytest.raises(CaseError, match=r"^a\.nrrd: "):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_a_cut_file_is_refused(tmp_path: Path, volume: Volume, encoding: str) -> None:
    path = source(tmp_path / "a.nrrd", volume, encoding=encoding)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CaseError, match=r"^a\.nrrd: not readable"):
        read_volume(path)


def test_a_size_that_no_memory_holds_is_refused_before_it_is_allocated(tmp_path: Path) -> None:
    lines = ["NRRD0004", "type: short", "dimension: 3", "sizes: 30000 30000 30000", "endian: big"]
    (tmp_path / "a.nrrd").write_text("\n".join([*lines, "encoding: raw", "", ""]))
    with pytest.raises(CaseError, match=r"at most \d+ are accepted"):
        read_volume(tmp_path / "a.nrrd")


@pytest.mark.parametrize("space", [SPACE, "RAS", "left-anterior-superior"])
@pytest.mark.parametrize("options", [{"encoding": "raw"}, {"encoding": "bzip2"}, {}], ids=str)
def test_simpleitk_reads_the_same(
    tmp_path: Path, volume: Volume, space: str, options: dict[str, Any]
) -> None:
    read = read_volume(source(tmp_path / "a.nrrd", volume, space=space, **options))
    if options.get("encoding") == "bzip2":  # which ITK cannot read
        np.testing.assert_array_equal(read.array, volume.array)
        return
    image = sitk.ReadImage(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), read.array)
    np.testing.assert_allclose(image.GetSpacing(), read.spacing)
    np.testing.assert_allclose(image.GetOrigin(), read.origin)
    np.testing.assert_allclose(image.GetDirection(), read.direction, atol=1e-12)


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", ">i4", "u4", "i8", "f4", ">f8"])
def test_every_type_and_byte_order(tmp_path: Path, dtype: str) -> None:
    array = np.arange(60).reshape(3, 4, 5).astype(dtype)
    nrrd.write(str(tmp_path / "a.nrrd"), array.T)
    read = read_volume(tmp_path / "a.nrrd").array
    np.testing.assert_array_equal(read, array)
    assert read.dtype == np.dtype(dtype).newbyteorder("=")


def test_voxels_at_the_end_of_a_file(tmp_path: Path, image: np.ndarray) -> None:
    header = "NRRD0004\ntype: short\ndimension: 3\nsizes: 5 4 3\nendian: little\nencoding: raw\n"
    (tmp_path / "a.nhdr").write_text(header + "byte skip: -1\ndata file: a.bin\n")
    (tmp_path / "a.bin").write_bytes(b"something" + image.astype("<i2").tobytes())
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nhdr").array, image)


def test_what_unpacks_to_more_than_it_says_is_not_unpacked(tmp_path: Path, volume: Volume) -> None:
    path = source(tmp_path / "a.nrrd", volume)
    header = path.read_bytes().split(b"\n\n")[0]
    bomb = volume.array.astype("<i2").tobytes() + bytes(10**7)
    path.write_bytes(header + b"\n\n" + gzip.compress(bomb))
    np.testing.assert_array_equal(read_volume(path).array, volume.array)


NINES = "9" * 5000


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sizes: 4 3 2", f"sizes: {NINES} 3 2", "expected numbers as sizes"),
        ("endian:", f"byte skip: {NINES}\nendian:", "expected a number as byte skip"),
        ("endian:", "byte skip: 999999999999999999\nendian:", "begin behind the end of the file"),
    ],
)
def test_numbers_that_no_file_has_are_refused(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "a.nrrd").write_bytes(nrrd_files()[0].replace(old.encode(), new.encode()))
    with pytest.raises(CaseError, match=message):
        read_volume(tmp_path / "a.nrrd")


def test_brackets_without_end_take_no_time(tmp_path: Path) -> None:
    """Each of a million took a search to the end of the line: minutes."""
    directions = b"(1,0,0) (0,1,0) (0,0,2.5)"
    data = nrrd_files()[0].replace(directions, b"(" * 1_000_000)
    (tmp_path / "a.nrrd").write_bytes(data)
    assert read_volume(tmp_path / "a.nrrd").spacing == (1, 1, 1)
