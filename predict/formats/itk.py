"""Reading and writing through SimpleITK, with sizes known before anything is allocated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predict.errors import CaseError
from predict.npz import default_limit
from predict.volumes import Volume

BYTES_OF_A_VOXEL = 8


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Voxels and their place, as in `Volume`."""

    array: np.ndarray
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: tuple[float, ...]
    modality: str | None


def read_grid(path: Path) -> Grid:
    """Read a 3D image of one number per voxel.

    Raises:
        CaseError: Unreadable, too large, not three axes, or several values per voxel.
    """
    sitk = _library()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        check_size(reader.GetSize(), reader.GetNumberOfComponents())
        image = reader.Execute()
    except RuntimeError as error:
        raise CaseError(f"not readable ({reason(error)})") from error
    while image.GetDimension() > 3:  # checked: these axes have one entry
        image = image[..., 0]
    tags = dict.fromkeys(image.GetMetaDataKeys())
    modality = image.GetMetaData("Modality") if "Modality" in tags else None
    return Grid(
        array=sitk.GetArrayFromImage(image),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=image.GetDirection(),
        modality={"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_US": "US"}.get(modality or ""),
    )


def check_size(size: tuple[int, ...], components: int = 1) -> None:
    """Refuse what is not one 3D image, or would not fit into memory.

    Args:
        size: Length of each axis, (x, y, z) first.
        components: Values of a voxel.

    Raises:
        CaseError: Which of these it is.
    """
    if components != 1:
        raise CaseError(f"expected one value per voxel, received {components} (colour or vectors)")
    if len(size) < 3:
        raise CaseError(f"expected three axes, received {len(size)} ({_times(size)})")
    if 0 in size:
        raise CaseError(f"expected voxels, received an empty image ({_times(size)})")
    if math.prod(size[3:]) != 1:
        raise CaseError(
            f"expected one 3D image, received {len(size)} axes ({_times(size)}): "
            "save the time point, channel or echo you want as a file of its own"
        )
    bound, limit = math.prod(size) * BYTES_OF_A_VOXEL, default_limit()
    if bound > limit:
        raise CaseError(
            f"{_times(size)} voxels need up to {bound} bytes, at most {limit} are accepted"
        )


def write_grid(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write labels with the geometry of a volume; the ending decides the format.

    Raises:
        OSError: The disk or folder refuses.
    """
    sitk = _library()
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels))
    image.SetSpacing(volume.spacing)
    image.SetOrigin(volume.origin)
    image.SetDirection(volume.direction)
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
    except RuntimeError as error:
        raise OSError(reason(error)) from error


def read_pixels(path: Path) -> np.ndarray:
    """Pixels of a DICOM file, (frames, rows, columns), rescaled as the file says.

    Raises:
        CaseError: They cannot be decoded.
    """
    sitk = _library()
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise CaseError(f"pixels cannot be decoded ({reason(error)})") from error
    return np.asarray(sitk.GetArrayFromImage(image))


def reason(error: Exception) -> str:
    """The line of a SimpleITK error that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("ERROR: ")[2][:160] if lines else type(error).__name__


def _library() -> Any:
    import SimpleITK

    sitk: Any = SimpleITK
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    return sitk


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(str(length) for length in size)
