"""Images and masks as files: what may be uploaded, and NIfTI for the viewer."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from predict.atomic import replacing
from predict.volumes import Volume
from serve.errors import RefusalError

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".npz", ".tif", ".tiff", ".dcm", ".zip")
_HEADER = 64 * 1024
_MEMBERS = 50_000
_EXPANSION = 4


def clean_name(name: str) -> str:
    """A file name of letters, digits and ``._-`` only, with an ending that can be read.

    Raises:
        RefusalError: 415, no such ending.
    """
    last = re.split(r"[\\/]", name)[-1]
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".")[-100:]
    if suffix_of(plain) is None:
        expected = " ".join(SUFFIXES)
        raise RefusalError(
            415, f"name: expected a file ending in {expected}, received {last[:80]!r}"
        )
    return plain


def suffix_of(name: str) -> str | None:
    """The ending of a name that can be read, or None."""
    lower = name.lower()
    return next((s for s in SUFFIXES if lower.endswith(s) and len(lower) > len(s)), None)


def check_upload(path: Path, limit: int) -> None:
    """Refuse files that lead out of themselves or unpack without end.

    MetaImage and NRRD headers can name another file on this machine as the one with the voxels;
    an archive can hold more than it looks.

    Raises:
        RefusalError: 422.
    """
    name = path.name.lower()
    if name.endswith((".mha", ".nrrd")):
        with path.open("rb") as file:
            header = file.read(_HEADER)
        _check_header(header, name)
    elif name.endswith((".zip", ".npz")):
        _check_archive(path, limit * _EXPANSION)


def _check_header(header: bytes, name: str) -> None:
    if name.endswith(".mha"):
        first = re.search(rb"(^|\n)?[ \t]*ElementDataFile([^\n]*)\n", header, re.IGNORECASE)
        inside = first is not None and first.group(1) is not None
        if not (inside and first and re.fullmatch(rb"\s*=\s*LOCAL\s*", first.group(2))):
            raise RefusalError(422, f"{name}: expected ElementDataFile = LOCAL, the voxels inside")
    else:
        ended = re.search(rb"\n\r?\n", header) is not None
        if not ended or re.search(rb"data\s*file\s*:", header, re.IGNORECASE):
            raise RefusalError(422, f"{name}: expected a header with the voxels after it")


def _check_archive(path: Path, limit: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusalError(422, f"{path.name}: not a readable archive ({error})") from error
    size = sum(member.file_size for member in members)
    if len(members) > _MEMBERS or size > limit:
        raise RefusalError(
            422,
            f"{path.name}: expected at most {_MEMBERS} files and {limit} bytes unpacked, "
            f"received {len(members)} and {size}",
        )


def write_viewer_image(volume: Volume, path: Path) -> None:
    """Write a volume as plain NIfTI for the page, in a type every browser's viewer knows."""
    array = volume.array
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    elif array.dtype not in (np.uint8, np.int16, np.uint16):
        array = array.astype(np.float32)
    _write_nifti(array, volume, path)


def write_viewer_mask(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write labels (D, H, W) as compressed NIfTI on the grid of the volume."""
    _write_nifti(labels.astype(np.uint8), volume, path)


def shown_range(array: np.ndarray) -> tuple[float, float]:
    """1st and 99th percentile of about a million voxels, evenly taken."""
    step = max(1, array.size // 1_000_000)
    low, high = np.percentile(array.reshape(-1)[::step].astype(np.float32), (1, 99))
    return float(low), float(max(high, low + 1e-3))


def _write_nifti(array: np.ndarray, volume: Volume, path: Path) -> None:
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(volume.direction, (3, 3)) * volume.spacing
    affine[:3, 3] = volume.origin
    affine[:2] *= -1  # LPS to RAS
    library: Any = nibabel
    image = library.Nifti1Image(array.T, affine)
    image.header.set_xyzt_units("mm")
    with replacing(path) as partial:
        library.save(image, partial)
