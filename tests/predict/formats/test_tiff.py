from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from predict.errors import CaseError
from predict.formats import read_volume, write_mask

PAGES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)
IMAGEJ = {"resolution": (2.0, 4.0), "metadata": {"axes": "ZYX", "spacing": 1.5, "unit": "um"}}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_reads_what_tifffile_wrote(tmp_path: Path, dtype: str, compression: Any) -> None:
    pages = PAGES.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", pages, compression=compression, photometric="minisblack")
    read = read_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(read.array, pages)
    assert read.array.dtype == dtype
    assert read.spacing == (1, 1, 1)
    assert not read.oriented
    assert "voxel size" in read.extra["warnings"][0]


@pytest.mark.parametrize("order", ["<", ">"])
def test_imagej_tells_the_voxel_size(tmp_path: Path, order: Any) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, imagej=True, byteorder=order, **IMAGEJ)
    read = read_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(read.array, PAGES)
    assert read.spacing == pytest.approx((0.0005, 0.00025, 0.0015))
    assert read.array.dtype.isnative


def test_ome_tells_the_voxel_size(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 300.0, "PhysicalSizeZ": 1.0}
    units = {"PhysicalSizeYUnit": "nm"}
    metadata = {"axes": "ZYX", **sizes, **units}
    tifffile.imwrite(tmp_path / "a.ome.tif", PAGES, ome=True, metadata=metadata)
    read = read_volume(tmp_path / "a.ome.tif")
    np.testing.assert_array_equal(read.array, PAGES)
    assert read.spacing == pytest.approx((0.0002, 0.0003, 0.001))


def test_a_resolution_in_centimetres(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif",
        PAGES,
        resolution=(50, 20),
        resolutionunit="CENTIMETER",
        photometric="minisblack",
    )
    assert read_volume(tmp_path / "a.tif").spacing == pytest.approx((0.2, 0.5, 0.2))


@pytest.mark.parametrize(("largest", "dtype"), [(3, "uint8"), (300, "uint16"), (70000, "int32")])
def test_tifffile_reads_the_mask(
    tmp_path: Path, labels: np.ndarray, largest: int, dtype: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, imagej=True, **IMAGEJ)
    read = read_volume(tmp_path / "a.tif")
    ids = labels.astype(np.int32)
    ids[0, 0, 0] = largest
    write_mask(ids, read, tmp_path / "m.tif", {1: "cell"}, {})
    with tifffile.TiffFile(tmp_path / "m.tif") as file:
        mask, description = file.asarray(), file.imagej_metadata
        resolution = file.pages[0].tags["XResolution"].value
    np.testing.assert_array_equal(mask, ids)
    assert mask.dtype == dtype
    assert description is not None
    assert (description["spacing"], description["slices"]) == (pytest.approx(1.5), 3)
    assert resolution[0] / resolution[1] == 2.0
    assert read_volume(tmp_path / "m.tif").spacing == pytest.approx(read.spacing)


def test_without_a_voxel_size_none_is_claimed(tmp_path: Path, labels: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, photometric="minisblack")
    write_mask(labels, read_volume(tmp_path / "a.tif"), tmp_path / "m.tiff", {}, {})
    assert "scaled" not in read_volume(tmp_path / "m.tiff").extra


def test_one_page_is_one_slice(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES[0])
    assert read_volume(tmp_path / "a.tif").array.shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("pages", "options", "words"),
    [
        (np.zeros((3, 2, 4, 5), "u1"), {"imagej": True, "metadata": {"axes": "ZCYX"}}, "2 channel"),
        (np.zeros((6, 3, 4, 5), "u1"), {"imagej": True, "metadata": {"axes": "TZYX"}}, "6 time"),
        (np.zeros((3, 4, 5, 3), "u1"), {"photometric": "rgb"}, "one grey value per voxel"),
    ],
)
def test_channels_time_and_colour_are_refused(
    tmp_path: Path, pages: np.ndarray, options: Any, words: str
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", pages, **options)
    with pytest.raises(CaseError, match=words):
        read_volume(tmp_path / "a.tif")


def test_pages_of_different_sizes_are_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(PAGES[0])
        file.write(PAGES[1, :, :3])
    with pytest.raises(CaseError, match="expected pages of 5 x 4, received page 2 of 3 x 4"):
        read_volume(tmp_path / "a.tif")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PAGES, photometric="minisblack")
    path = tmp_path / "a.tif"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(CaseError, match=r"^a\.tif: not readable"):
        read_volume(path)
