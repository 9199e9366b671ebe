from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

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
