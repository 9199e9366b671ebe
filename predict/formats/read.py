"""Read a medical image, whatever its format."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from predict.errors import CaseError, UsageError
from predict.formats.series import Series
from predict.npz import one_line
from predict.volumes import Volume

# Ending -> module and function, imported when a file of the format is met.
READERS = {
    ".nii": ("nifti", "read_nifti"),
    ".nii.gz": ("nifti", "read_nifti"),
    ".nrrd": ("nrrd", "read_nrrd"),
    ".nhdr": ("nrrd", "read_nrrd"),
    ".mha": ("metaimage", "read_metaimage"),
    ".mhd": ("metaimage", "read_metaimage"),
    ".tif": ("tiff", "read_tiff"),
    ".tiff": ("tiff", "read_tiff"),
    ".npz": ("challenge", "read_challenge"),
}
DICOM_ENDINGS = (".dcm", ".ima", ".zip")
DICOM_MAGIC = b"DICM"
KNOWN = ".nii, .nii.gz, .nrrd, .nhdr, .mha, .mhd, .tif, .tiff, .npz, or DICOM (file, folder, .zip)"


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
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if not path.is_file() and not path.is_dir():
        raise UsageError(f"{path}: expected a file or folder, received something else")
    try:
        volume = _read(path, series)
        _check_values(volume.array)
        _check_geometry(volume)
    except CaseError as error:
        raise CaseError(one_line(f"{path.name}: {error}"), shape=error.shape) from error
    except ImportError as error:
        raise UsageError(
            f"{path.name}: this format needs {error.name}: pip install -r requirements.txt"
        ) from error
    except MemoryError as error:
        raise CaseError(one_line(f"{path.name}: does not fit into memory")) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise CaseError(one_line(f"{path.name}: not readable ({reason})")) from error
    return volume


def list_series(path: Path) -> list[Series]:
    """The DICOM series of a file, folder or zip, largest first.

    Raises:
        UsageError: Nothing there is a DICOM image.
        CaseError: A zip that is damaged or too large.
    """
    from predict.formats.dicom import list_dicom_series

    return list_dicom_series(path)


def is_image(path: Path) -> bool:
    """Whether `read_volume` would try to read this file, judged by its name and first bytes."""
    if path.name.startswith(".") or not path.is_file():
        return False
    return ending_of(path) is not None or path.name.lower().endswith(DICOM_ENDINGS) or _magic(path)


def ending_of(path: Path) -> str | None:
    """The longest known ending of a file that holds one image, in lower case."""
    name = path.name.lower()
    return next((e for e in sorted(READERS, key=len, reverse=True) if name.endswith(e)), None)


def _read(path: Path, series: str | None) -> Volume:
    ending = ending_of(path) if path.is_file() else None
    if ending is None:
        if path.is_file() and not is_image(path):
            raise UsageError(f"{path.name}: unknown format: expected {KNOWN}")
        from predict.formats.dicom import read_dicom

        return read_dicom(path, series)
    if series is not None:
        raise UsageError(f"{path.name}: a series can be chosen of DICOM only")
    module, function = READERS[ending]
    reader: Callable[[Path], Volume] = getattr(
        importlib.import_module(f"predict.formats.{module}"), function
    )
    return reader(path)


def _magic(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == DICOM_MAGIC
    except OSError:
        return False


def _check_values(array: np.ndarray) -> None:
    if array.dtype.kind not in "biuf":
        raise CaseError(f"expected real numbers, received {array.dtype}", shape=array.shape)
    if array.dtype.kind == "f" and not any(np.isfinite(plane).any() for plane in array):
        raise CaseError("expected finite values, received none", shape=array.shape)


def _check_geometry(volume: Volume) -> None:
    numbers = np.array([*volume.spacing, *volume.origin, *volume.direction])
    if not np.isfinite(numbers).all() or min(volume.spacing) <= 0:
        raise CaseError(
            f"expected positive voxel sizes and a finite place, received {volume.spacing} mm at "
            f"{volume.origin}",
            shape=volume.array.shape,
        )
    if abs(np.linalg.det(np.reshape(volume.direction, (3, 3)))) < 1e-6:
        raise CaseError("expected a grid with three directions", shape=volume.array.shape)
