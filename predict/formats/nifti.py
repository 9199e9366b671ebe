"""NIfTI-1 and NIfTI-2: a mask keeps its image's header, so that its geometry is the same bits."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import IO, Literal

import numpy as np

from predict.errors import CaseError
from predict.formats.itk import read_grid, write_grid
from predict.volumes import Volume

GZIP = b"\x1f\x8b"
LABELS = 1002  # NIFTI_INTENT_LABEL
DATATYPES = {"uint8": 2, "uint16": 512, "int32": 8}
SHEAR = 1e-3
ByteOrder = Literal["<", ">"]
# Offsets and types of the fields that are read or replaced.
LAYOUTS = {
    348: {
        "dim": (40, "8i2"), "intent": (56, "3f4"), "intent_code": (68, "i2"),
        "datatype": (70, "i2"), "bitpix": (72, "i2"), "vox_offset": (108, "f4"),
        "scl": (112, "2f4"), "cal": (124, "2f4"), "descrip": (148, "S80"),
        "aux_file": (228, "S24"), "qform_code": (252, "i2"), "sform_code": (254, "i2"),
        "srow": (280, "(3,4)f4"), "intent_name": (328, "S16"),
    },
    540: {
        "datatype": (12, "i2"), "bitpix": (14, "i2"), "dim": (16, "8i8"), "intent": (80, "3f8"),
        "vox_offset": (168, "i8"), "scl": (176, "2f8"), "cal": (192, "2f8"),
        "descrip": (240, "S80"), "aux_file": (320, "S24"), "qform_code": (344, "i4"),
        "sform_code": (348, "i4"), "srow": (400, "(3,4)f8"), "intent_code": (504, "i4"),
        "intent_name": (508, "S16"),
    },
}  # fmt: skip


def read_nifti(path: Path) -> Volume:
    """Read .nii or .nii.gz.

    Raises:
        CaseError: It cannot be used.
    """
    header = _read_header(path)
    fields = _fields(header)
    grid = read_grid(path)
    warnings = []
    oriented = bool(fields["qform_code"] > 0 or fields["sform_code"] > 0)
    if not oriented:
        warnings.append("the file does not tell its orientation: its axes are taken as they are")
    if fields["sform_code"] > 0 and _sheared(fields["srow"]):
        warnings.append("the grid is sheared: other formats than NIfTI will show the mask askew")
    return Volume(
        array=grid.array,
        spacing=grid.spacing,
        origin=grid.origin,
        direction=grid.direction,
        kind="nifti",
        oriented=oriented,
        extra={"header": header, "warnings": tuple(warnings)},
    )


def write_nifti(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write .nii or .nii.gz, with the header of the image where that was NIfTI too.

    Raises:
        OSError: The disk or folder refuses.
    """
    header = volume.extra.get("header")
    if volume.kind != "nifti" or header is None:
        write_grid(labels, volume, path)
        return
    data = _mask_header(header, labels) + bytes(4)
    order = _byte_order(header)
    with path.open("xb") as file:
        if path.name.lower().endswith(".gz"):
            # Neither name nor time: the same mask is the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                _write(packed, data, labels, order)
        else:
            _write(file, data, labels, order)


def _write(
    file: IO[bytes] | gzip.GzipFile, header: bytes, labels: np.ndarray, order: ByteOrder
) -> None:
    file.write(header)
    for plane in labels:
        file.write(np.ascontiguousarray(plane, labels.dtype.newbyteorder(order)).tobytes())


def _mask_header(header: bytes, labels: np.ndarray) -> bytes:
    fields = _fields(header).copy()
    fields["dim"] = (3, *labels.shape[::-1], 1, 1, 1, 1)
    fields["datatype"] = DATATYPES[labels.dtype.name]
    fields["bitpix"] = labels.dtype.itemsize * 8
    fields["vox_offset"] = len(header) + 4
    fields["scl"] = (1, 0)
    fields["cal"] = (0, 0)
    fields["intent"] = (0, 0, 0)
    fields["intent_code"] = LABELS
    fields["intent_name"] = b""
    fields["descrip"] = b"Text3DSAM mask"
    fields["aux_file"] = b""
    return bytes(fields.tobytes())


def _read_header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP
        with gzip.open(path) if packed else path.open("rb") as content:
            header = content.read(540)
    except (OSError, EOFError, zlib.error) as error:
        raise CaseError(f"not readable ({error})") from error
    for length in LAYOUTS:
        for order in "<>":
            if len(header) >= length and struct.unpack(f"{order}i", header[:4])[0] == length:
                return header[:length]
    raise CaseError("expected a NIfTI header, received something else")


def _byte_order(header: bytes) -> ByteOrder:
    return "<" if struct.unpack("<i", header[:4])[0] == len(header) else ">"


def _fields(header: bytes) -> np.ndarray:
    """The header as one structured value; bytes between its fields are kept."""
    layout = LAYOUTS[len(header)]
    dtype = np.dtype(
        {
            "names": list(layout),
            "offsets": [offset for offset, _ in layout.values()],
            "formats": [code for _, code in layout.values()],
            "itemsize": len(header),
        }
    )
    return np.frombuffer(header, dtype.newbyteorder(_byte_order(header))).reshape(())


def _sheared(rows: np.ndarray) -> bool:
    columns = rows[:, :3].astype(np.float64)
    lengths = np.linalg.norm(columns, axis=0)
    if not np.isfinite(lengths).all() or not lengths.all():
        return False
    cosines = (columns / lengths).T @ (columns / lengths)
    return bool(np.abs(cosines - np.eye(3)).max() > SHEAR)
