from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predict.errors import CaseError, UsageError
from predict.formats import is_image, read_volume, write_mask
from predict.windows import PERCENTILES, choose_windows, prepare

ROOT = Path(__file__).resolve().parents[3]


def test_no_file_and_an_unknown_format_are_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        read_volume(tmp_path / "a.nii.gz")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UsageError, match=r"a\.jpg: unknown format: expected \.nii"):
        read_volume(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.nii", "a.mha", "a.dcm", "a"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match="expected a file or folder, received something else"):
        read_volume(tmp_path / name)


def test_a_pipe_beside_a_header_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.raw")
    header = "DimSize = 4 3 2\nElementType = MET_UCHAR\nBinaryData = True\nElementDataFile = "
    for data in ("a.raw", ""):
        (tmp_path / "a.mhd").write_text(f"{header}{data}\n")
        with pytest.raises(CaseError, match="expected a file of voxels"):
            read_volume(tmp_path / "a.mhd")


def test_a_series_of_another_format_is_a_wrong_call(write_npz: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="of DICOM only"):
        read_volume(write_npz(), series="1")


def test_what_is_an_image(
    tmp_path: Path, write_series: Callable[..., Path], image: np.ndarray
) -> None:
    for name in ("a.nii.gz", "b.NII", "c.seg.nrrd", "d.mha", "e.tif", "f.npz", "g.zip", "h.dcm"):
        (tmp_path / name).touch()
        assert is_image(tmp_path / name), name
    for name in (".a.nii", "a.gz", "a.json", "a.png", "nii"):
        (tmp_path / name).touch()
        assert not is_image(tmp_path / name), name
    assert not is_image(tmp_path)
    slice_file = next(write_series(tmp_path / "s", image, np.eye(3)).iterdir())
    assert is_image(slice_file.rename(tmp_path / "s" / "IM0001"))


def test_errors_are_one_line_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.nii"
    path.write_bytes(b"broken")
    with pytest.raises(CaseError) as caught:
        read_volume(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["predict.cli", "predict.formats", "predict.windows"])
def test_no_format_library_is_loaded_before_it_is_needed(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "heavy = {'SimpleITK', 'nibabel', 'pydicom', 'highdicom', 'PIL'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, write_series: Callable[..., Path], image: np.ndarray
) -> dict[str, bytes]:
    """A good file of each format whose container has no checksum."""
    folder = tmp_path_factory.mktemp("whole")
    nib.save(nib.Nifti1Image(image.T, np.eye(4)), folder / "a.nii")
    volume = read_volume(folder / "a.nii")
    for ending in ("mha", "nrrd", "tif", "npz"):
        write_mask(image - image.min(), volume, folder / f"a.{ending}", {1: "liver"}, {})
    with np.load(folder / "a.npz") as mask:
        np.savez(folder / "a.npz", imgs=mask["segs"], spacing=np.ones(3))
    slices = write_series(folder / "s", image[:1], np.eye(3))
    next(slices.iterdir()).rename(folder / "a.dcm")
    return {path.name: path.read_bytes() for path in folder.glob("a.*")}


@pytest.mark.parametrize("name", ["a.nii", "a.mha", "a.nrrd", "a.tif", "a.npz", "a.dcm"])
@pytest.mark.filterwarnings("ignore")
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    data: st.DataObject,
) -> None:
    content = bytearray(whole[name])
    places = st.integers(0, min(len(content), 500) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=4)):
        content[place] = value
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    message = ""
    try:
        assert read_volume(path).array.ndim == 3
    except (CaseError, UsageError) as error:
        message = str(error)
    assert "\n" not in message


def test_a_real_case_as_nifti(shared: Path, tmp_path: Path) -> None:
    """A validation case, saved in RAS order by nibabel, comes back voxel for voxel."""
    path = min((shared / "data" / "3D_val_npz").glob("CT*.npz"), key=lambda p: p.stat().st_size)
    with np.load(path) as case:
        image, (x, y, z) = case["imgs"], case["spacing"]
    ras = image[:, ::-1, ::-1]
    nib.save(nib.Nifti1Image(ras.T, np.diag([x, y, z, 1])), tmp_path / "scan.nii.gz")
    volume = read_volume(tmp_path / "scan.nii.gz")
    assert volume.spacing == pytest.approx((x, y, z))
    (window,) = choose_windows(volume, ["liver"])
    assert window == PERCENTILES  # a case of the challenge is in 0..255 already
    np.testing.assert_array_equal(prepare(volume, window), image)
    labels = (volume.array > 200).astype(np.uint8)
    write_mask(labels, volume, tmp_path / "mask.nii.gz", {1: "bright"}, {})
    mask = nib.load(tmp_path / "mask.nii.gz")
    np.testing.assert_array_equal(np.asarray(mask.dataobj), ras.T > 200)
    np.testing.assert_array_equal(mask.affine, nib.load(tmp_path / "scan.nii.gz").affine)
