"""NRRD: a mask keeps its image's geometry lines and carries the fields 3D Slicer reads."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from predict.errors import CaseError
from predict.formats.blocks import read_block
from predict.formats.detached import check_inside
from predict.formats.sizes import check_size
from predict.volumes import Volume

MAX_HEADER = 2**20
TYPES = {"uint8": "uint8", "uint16": "uint16", "int32": "int32"}
GEOMETRY = (
    *("space", "space dimension", "space directions", "space origin", "space units"),
    *("spacings", "axis mins", "axis maxs", "centers", "centerings", "measurement frame", "units"),
)
# Sign of each axis of the file's space in LPS; other spaces have no patient.
SPACES = {
    name: signs
    for signs, names in {
        (1, 1, 1): ("left-posterior-superior", "lps"),
        (-1, -1, 1): ("right-anterior-superior", "ras"),
        (1, -1, 1): ("left-anterior-superior", "las"),
    }.items()
    for name in names
}
ENCODINGS = {"raw": "raw", "gzip": "zlib", "gz": "zlib", "bzip2": "bzip2", "bz2": "bzip2"}
READ_TYPES = {
    name: code
    for code, names in {
        "i1": "signed char|int8",
        "u1": "uchar|unsigned char|uint8",
        "i2": "short|short int|signed short|signed short int|int16",
        "u2": "ushort|unsigned short|unsigned short int|uint16",
        "i4": "int|signed int|int32",
        "u4": "uint|unsigned int|uint32",
        "i8": "longlong|long long|long long int|signed long long|signed long long int|int64",
        "u8": "ulonglong|unsigned long long|unsigned long long int|uint64",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split("|")
}
TISSUE = "SCT^85756007^Tissue"
TERMINOLOGY = (
    "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
    f"~{TISSUE}~{TISSUE}~^^~Anatomic codes - DICOM master list~^^~^^|"
)


def read_nrrd(path: Path) -> Volume:
    """Read .nrrd or .nhdr.

    Raises:
        CaseError: It cannot be used.
    """
    fields, end = _read_header(path)
    size = [int(number) for number in _words(fields, "sizes")]
    vectors = re.findall(r"\([^()]*\)|none", fields.get("space directions", ""))
    if len(size) == 4 and (vectors[:1] == ["none"] or not _domain(fields, 0)):
        check_size(size[1:], size[0])
        raise CaseError("expected three axes, received four")
    check_size(size)
    if len(size) > 3:
        raise CaseError(f"expected three axes, received {len(size)}")
    data, start = _place(path, fields, end)
    array = read_block(
        data, start, _packing(fields), (size[2], size[1], size[0]), _data_type(fields)
    )
    space = SPACES.get(fields.get("space", "").lower().replace(" ", "-"))
    spacing, origin, direction = _read_geometry(fields, vectors, space)
    warning = "the file does not tell its orientation: its axes are taken as they are"
    return Volume(
        array=array,
        spacing=spacing,
        origin=origin,
        direction=direction,
        kind="nrrd",
        oriented=space is not None,
        extra={
            "geometry": tuple(f"{key}: {fields[key]}" for key in GEOMETRY if key in fields),
            "warnings": () if space is not None else (warning,),
        },
    )


def write_nrrd(
    labels: np.ndarray,
    volume: Volume,
    path: Path,
    names: Mapping[int, str],
    colours: Mapping[int, tuple[int, int, int]],
) -> None:
    """Write .nrrd (3D Slicer opens .seg.nrrd as a segmentation).

    Raises:
        OSError: The disk or folder refuses.
    """
    if volume.kind == "nrrd" and "geometry" in volume.extra:
        geometry = list(volume.extra["geometry"])
    else:
        geometry = _geometry(volume)
    sizes = labels.shape[::-1]
    lines = [
        "NRRD0005",
        f"type: {TYPES[labels.dtype.name]}",
        "dimension: 3",
        *(line for line in geometry if line.startswith("space")),
        f"sizes: {sizes[0]} {sizes[1]} {sizes[2]}",
        *(line for line in geometry if not line.startswith("space")),
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        *_segment_fields(sizes, names, colours),
    ]
    with path.open("xb") as file:
        file.write(("\n".join(lines) + "\n\n").encode())
        with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
            for plane in labels:
                packed.write(np.ascontiguousarray(plane, labels.dtype.newbyteorder("<")).tobytes())


def _geometry(volume: Volume) -> list[str]:
    if not volume.oriented:
        return ["spacings: " + " ".join(repr(float(size)) for size in volume.spacing)]
    columns = np.reshape(volume.direction, (3, 3)) * volume.spacing
    return [
        "space: left-posterior-superior",
        "space directions: " + " ".join(_vector(column) for column in columns.T),
        f"space origin: {_vector(np.asarray(volume.origin))}",
    ]


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value)) for value in values) + ")"


def _segment_fields(
    sizes: tuple[int, ...],
    names: Mapping[int, str],
    colours: Mapping[int, tuple[int, int, int]],
) -> list[str]:
    extent = " ".join(f"0 {size - 1}" for size in sizes)
    lines = [
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|",
        "Segmentation_MasterRepresentation:=Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset:=0 0 0",
    ]
    for number, (label, name) in enumerate(names.items()):
        colour = " ".join(f"{value / 255:.6g}" for value in colours[label])
        fields = {
            "ID": f"Segment_{label}",
            "Name": name,
            "NameAutoGenerated": "0",
            "Color": colour,
            "ColorAutoGenerated": "0",
            "LabelValue": str(label),
            "Layer": "0",
            "Extent": extent,
            "Tags": TERMINOLOGY,
        }
        lines += [f"Segment{number}_{key}:={value}" for key, value in fields.items()]
    return lines


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    """Fields by their names in lower case, and where the header ends (after an empty line)."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        if not file.readline(80).startswith(b"NRRD"):
            raise CaseError("expected a NRRD header, received something else")
        while file.tell() < MAX_HEADER and (line := file.readline(MAX_HEADER)).strip():
            key, colon, value = line.decode("utf-8", "replace").partition(":")
            if colon and not value.startswith("=") and not key.startswith("#"):
                fields[key.strip().lower()] = value.strip()
        return fields, file.tell()


def _place(path: Path, fields: Mapping[str, str], end: int) -> tuple[Path, int]:
    """The file with the voxels, and where in it they start; -1: they are its end."""
    names = [fields[key] for key in ("data file", "datafile") if key in fields]
    if names:
        check_inside(path, names[0])
        path, end = path.parent / names[0], 0
    if any(fields.get(key, "0") != "0" for key in ("line skip", "lineskip")):
        raise CaseError("expected no line skip, received one")
    skip = fields.get("byte skip", fields.get("byteskip", "0"))
    if skip == "-1" and _packing(fields) == "raw":
        return path, -1
    if not _is_count(skip) or (skip != "0" and _packing(fields) != "raw"):
        raise CaseError(f"expected a number as byte skip of raw voxels, received {skip}")
    return path, end + int(skip)


def _packing(fields: Mapping[str, str]) -> str:
    encoding = fields.get("encoding", "").lower()
    if encoding not in ENCODINGS:
        raise CaseError(f"expected encoding raw, gzip or bzip2, received {encoding or 'none'}")
    return ENCODINGS[encoding]


def _data_type(fields: Mapping[str, str]) -> np.dtype[np.generic]:
    name = " ".join(fields.get("type", "").lower().split()).removesuffix("_t")
    code = READ_TYPES.get(name)
    if code is None:
        raise CaseError(f"expected numbers as type, received {name or 'none'}")
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and not code.endswith("1"):
        raise CaseError(f"expected endian little or big, received {endian or 'none'}")
    return np.dtype(code).newbyteorder(">" if endian == "big" else "<")


def _read_geometry(
    fields: Mapping[str, str], vectors: list[str], space: tuple[int, int, int] | None
) -> tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, ...]]:
    """Spacing, origin and direction, in LPS."""
    origin = np.zeros(3)
    if vectors:
        columns = np.stack([_numbers(vector, 3) for vector in vectors], axis=1)
        if columns.shape != (3, 3):
            raise CaseError(f"expected three space directions, received {len(vectors)}")
        if "space origin" in fields:
            origin = _numbers(fields["space origin"], 3)
    else:
        columns = np.diag(_numbers(fields.get("spacings", "1 1 1"), 3))
    signs = np.array(space or (1, 1, 1))
    sizes = np.linalg.norm(columns, axis=0)
    if not sizes.all():
        raise CaseError("expected space directions of some length, received 0")
    x, y, z = sizes.tolist()
    i, j, k = (origin * signs).tolist()
    return (x, y, z), (i, j, k), tuple((columns * signs[:, None] / sizes).ravel().tolist())


def _numbers(text: str, count: int) -> np.ndarray:
    try:
        numbers = np.array([float(word) for word in re.split(r"[(),\s]+", text) if word])
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise CaseError(f"expected {count} numbers, received {text}")
    return numbers


def _words(fields: Mapping[str, str], key: str) -> list[str]:
    words = fields.get(key, "").split()
    if not words or not all(map(_is_count, words)):
        raise CaseError(f"expected numbers as {key}, received {' '.join(words) or 'none'}")
    return words


def _is_count(word: str) -> bool:
    """Whether a word is a number that some file could have; Python refuses very long ones."""
    return word.isascii() and word.isdigit() and len(word) < 19


def _domain(fields: Mapping[str, str], axis: int) -> bool:
    """Whether an axis is one of space or time, as far as the file says."""
    kinds = fields.get("kinds", "").lower().split()
    return axis >= len(kinds) or kinds[axis] in ("domain", "space", "time", "list", "???", "none")
