"""Read a medical image, whatever its format."""

from __future__ import annotations

from pathlib import Path

from predict.formats.series import Series
from predict.volumes import Volume


def read_volume(path: Path, *, series: str | None = None) -> Volume:
    """Read one 3D image.

    Args:
        path: NIfTI (.nii, .nii.gz), NRRD (.nrrd, .nhdr), MetaImage (.mha, .mhd), TIFF (.tif,
            .tiff), challenge npz, a DICOM file, or a folder or zip with DICOM files.
        series: Which DICOM series, where there are several: its UID, or its number (from 1) in
            the order of `list_series`.

    Returns:
        The volume, in the order of the file. ``extra["warnings"]`` holds one line for everything
        that a person should know about the file.

    Raises:
        UsageError: No such file, an unknown format, several DICOM series and none chosen (the
            message lists them), or no such series.
        CaseError: The file cannot be used; one line says what was expected and received.
    """
    raise NotImplementedError


def list_series(path: Path) -> list[Series]:
    """The DICOM series of a file, folder or zip, largest first.

    Raises:
        UsageError: Nothing there is a DICOM image.
    """
    raise NotImplementedError


def is_image(path: Path) -> bool:
    """Whether `read_volume` would try to read this file, judged by its name and first bytes."""
    raise NotImplementedError
