"""Members of an npz archive: nothing is unpacked beyond what is asked for, nothing is run."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import IO

import numpy as np
from numpy.lib import format as npy

from predict.errors import CaseError
from predict.pickles import MAX_BYTES, load_restricted

SMALL_MEMBER = 2 * MAX_BYTES
HEADER_BYTES = 16 * 2**10
# RuntimeError is also zipfile's word for an encrypted member.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, OverflowError, RuntimeError),
)


def find_member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    """The member of a key.

    Raises:
        CaseError: There is none; some of the keys there are named instead.
    """
    try:
        return archive.getinfo(f"{key}.npy")
    except KeyError:
        held = ", ".join(name.removesuffix(".npy") for name in archive.namelist()[:6]) or "nothing"
        raise CaseError(f"expected the key {key}, received {held}") from None


def parse_header(key: str, file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """Shape, dtype and length of an npy header, of which only a bounded part is unpacked.

    Raises:
        CaseError: Not such a header.
    """
    data = io.BytesIO(file.read(HEADER_BYTES))
    try:
        version = npy.read_magic(data)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = reader(data)
    except Exception as error:
        # The header is a Python literal, and a hostile one can raise almost anything.
        raise CaseError(f"{key}: expected an npy header, received {error}") from error
    return shape, dtype, data.tell()


def read_object(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> object:
    """Plain values of a pickled object array.

    Raises:
        CaseError: Too large, not an object array, or more than plain values.
    """
    key = info.filename.removesuffix(".npy")
    if info.file_size > SMALL_MEMBER:
        raise CaseError(f"{key}: expected at most {SMALL_MEMBER} bytes, received {info.file_size}")
    data = archive.read(info)
    _, dtype, header_bytes = parse_header(key, io.BytesIO(data))
    if not dtype.hasobject:
        raise CaseError(f"{key}: expected a pickled dict, received an array of {dtype}")
    return load_restricted(data[header_bytes:])
