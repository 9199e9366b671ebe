"""MetaImage (.mha, .mhd), read and written here.

ITK's parser of these headers corrupts its memory on some damaged ones, which a server must not
risk. Numbers are written so that the same bits come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from predict.errors import CaseError
from predict.formats.blocks import pack, read_block
from predict.formats.detached import check_inside
from predict.formats.sizes import check_size
from predict.volumes import Volume

MAX_HEADER = 2**16
TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
NAMES = {"uint8": "MET_UCHAR", "uint16": "MET_USHORT", "int32": "MET_INT"}
MODALITIES = {"MET_MOD_CT": "CT", "MET_MOD_MR": "MR", "MET_MOD_US": "US"}
IDENTITY = tuple(np.eye(3).ravel().tolist())


def read_metaimage(path: Path) -> Volume:
    """Read .mha or .mhd.

    Raises:
        CaseError: It cannot be used.
    """
    fields, end = _read_header(path)
    size = [int(value) for value in _numbers(fields, ("dimsize",), None)]
    check_size(size, int(_numbers(fields, ("elementnumberofchannels",), 1, [1.0])[0]))
    if len(size) > 3:
        raise CaseError(f"expected three axes, received {len(size)}")
    kind = TYPES.get(fields.get("elementtype", ""))
    if kind is None:
        raise CaseError(f"expected numbers as ElementType, received {fields.get('elementtype')}")
    if not _true(fields, "binarydata"):
        raise CaseError("expected BinaryData = True, received text")
    big = _true(fields, "binarydatabyteordermsb") or _true(fields, "elementbyteordermsb")
    data = fields["elementdatafile"]
    skip = int(_numbers(fields, ("headersize",), 1, [0.0])[0])
    if data.upper() != "LOCAL":
        check_inside(path, data)
        end = skip
    array = read_block(
        path if data.upper() == "LOCAL" else path.parent / data,
        end,
        "zlib" if _true(fields, "compresseddata") else "raw",
        (size[2], size[1], size[0]),
        np.dtype(kind).newbyteorder(">" if big else "<"),
    )
    x, y, z = _numbers(fields, ("elementspacing", "elementsize"), 3, [1.0, 1.0, 1.0])
    i, j, k = _numbers(fields, ("offset", "position", "origin"), 3, [0.0, 0.0, 0.0])
    columns = _numbers(fields, ("transformmatrix", "rotation", "orientation"), 9, list(IDENTITY))
    return Volume(
        array=array,
        spacing=(x, y, z),
        origin=(i, j, k),
        direction=tuple(np.reshape(columns, (3, 3)).T.ravel().tolist()),
        kind="mha",
        modality=MODALITIES.get(fields.get("modality", "")),
        extra={"warnings": ()},
    )


def write_metaimage(labels: np.ndarray, volume: Volume, path: Path) -> None:
    """Write .mha.

    Raises:
        OSError: The disk or folder refuses.
    """
    data = pack(labels)
    columns = np.reshape(volume.direction, (3, 3)).T.ravel().tolist()
    fields = {
        "ObjectType": "Image",
        "NDims": "3",
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": "True",
        "CompressedDataSize": str(len(data)),
        "TransformMatrix": _text(columns),
        "Offset": _text(volume.origin),
        "CenterOfRotation": "0 0 0",
        "ElementSpacing": _text(volume.spacing),
        "DimSize": " ".join(str(length) for length in labels.shape[::-1]),
        "ElementType": NAMES[labels.dtype.name],
        "ElementDataFile": "LOCAL",
    }
    header = "".join(f"{key} = {value}\n" for key, value in fields.items())
    with path.open("xb") as file:
        file.write(header.encode() + data)


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    """Fields by their names in lower case, and where the header ends (after ElementDataFile)."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < MAX_HEADER and (line := file.readline(MAX_HEADER)):
            key, equals, value = line.decode("latin-1").partition("=")
            if not equals:
                break
            fields[key.strip().lower()] = value.strip()
            if "elementdatafile" in fields:
                return fields, file.tell()
    raise CaseError("expected a MetaImage header, received something else")


def _numbers(
    fields: Mapping[str, str],
    keys: tuple[str, ...],
    count: int | None,
    default: list[float] | None = None,
) -> list[float]:
    """The numbers under the first of the keys that is there; ``count`` None: any number of them."""
    text = next((fields[key] for key in keys if key in fields), None)
    if text is None and default is not None:
        return default
    try:
        numbers = [float(word) for word in (text or "").split()]
    except ValueError:
        numbers = []
    wrong = not numbers if count is None else len(numbers) != count
    if wrong or not np.isfinite(numbers).all():
        raise CaseError(f"expected {count or 'some'} numbers as {keys[0]}, received {text}")
    return numbers


def _true(fields: Mapping[str, str], key: str) -> bool:
    return fields.get(key, "").lower() in ("true", "1", "t")


def _text(numbers: tuple[float, ...] | list[float]) -> str:
    return " ".join(repr(float(number)) for number in numbers)
