from __future__ import annotations

import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from fuzz.hostile_volumes import NIFTI1_OFFSET
from predict.errors import CaseError
from predict.formats.nifti_file import load_nifti


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_voxels_and_header_come_without_the_extensions(tmp_path: Path, kind: type) -> None:
    image = kind(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.diag([1, 2, 3, 1]))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello" * 100))
    nib.save(image, tmp_path / "a.nii.gz")
    assert len(nib.load(tmp_path / "a.nii.gz").header.extensions) == 1
    loaded, header = load_nifti(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(loaded.dataobj), image.get_fdata())
    assert type(header) is kind.header_class
    assert len(header.extensions) == 0
    np.testing.assert_array_equal(loaded.affine, image.affine)


def test_voxels_far_behind_the_header_are_refused(tmp_path: Path) -> None:
    data = bytearray(nib.Nifti1Image(np.zeros((2, 3, 4), np.uint8), np.eye(4)).to_bytes())
    struct.pack_into("<f", data, NIFTI1_OFFSET, 2.0**30)
    (tmp_path / "a.nii").write_bytes(data)
    with pytest.raises(CaseError, match="voxels within 67108864 bytes, received 1073741824"):
        load_nifti(tmp_path / "a.nii")


def test_another_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(bytes(400))
    with pytest.raises(CaseError, match="expected a NIfTI header"):
        load_nifti(tmp_path / "a.nii")
