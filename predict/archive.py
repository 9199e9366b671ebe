"""Members of an npz archive: nothing is unpacked beyond what is asked for, nothing is run."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from predict.errors import CaseError
from predict.pickles import MAX_BYTES, load_restricted

SMALL_MEMBER = 2 * MAX_BYTES
HEADER_BYTES = 16 * 2**10
PIECE_BYTES = 2**20
MAX_DIRECTORY = 2**20
MAX_AXES = 32
Header = tuple[tuple[int, ...], np.dtype[np.generic]]
# RuntimeError is also zipfile's word for an encrypted member.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(ValueError, OverflowError, RuntimeError),
)


class _BoundedDirectory(io.BufferedReader):
    """A zip file whose table of members is read only if it is small.

    zipfile makes an object of every entry: seconds and ten times the memory of a crafted table.
    """

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(io.FileIO(path))
        self.limit: int | None = limit

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes of the file; no more than the limit at once while it is set."""
        if self.limit is not None and size is not None and size > self.limit:
            raise CaseError(
                f"expected a table of members of at most {self.limit} bytes, received {size}"
            )
        return super().read(size)


@contextmanager
def open_archive(path: Path, max_directory: int = MAX_DIRECTORY) -> Iterator[zipfile.ZipFile]:
    """Open a zip for reading.

    Args:
        path: The zip.
        max_directory: Most bytes that its table of members may take.

    Raises:
        CaseError: The table is larger.
        zipfile.BadZipFile: It is none.
    """
    with _BoundedDirectory(path, max_directory) as file, zipfile.ZipFile(file) as archive:
        file.limit = None
        yield archive


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


def read_header(archive: zipfile.ZipFile, key: str, limit: int) -> Header:
    """Shape and dtype of a member whose size is what its header says and within the limit.

    Args:
        archive: The npz.
        key: Which member.
        limit: Most bytes that its array may need.

    Raises:
        CaseError: Missing, packed in an unknown way, too large, or not what its header says.
    """
    info = packed_member(archive, key)
    with archive.open(info) as file:
        shape, dtype, header_bytes = parse_header(key, file)
    if len(shape) > MAX_AXES or min(shape, default=0) < 0:
        raise CaseError(f"{key}: expected a shape, received {shape}")
    # Counted without empty axes, which could hide others that no memory holds.
    bound = math.prod(max(n, 1) for n in shape) * max(dtype.itemsize, 1)
    if bound > limit:
        raise CaseError(f"{key}: shape {shape} needs {bound} bytes, at most {limit} are accepted")
    if dtype.hasobject:
        raise CaseError(f"{key}: expected numbers, received pickled objects", shape=shape)
    size, held = math.prod(shape) * dtype.itemsize, info.file_size - header_bytes
    if held != size:
        raise CaseError(
            f"{key}: shape {shape} needs {size} bytes, the file holds {held}", shape=shape
        )
    return shape, dtype


def read_numbers(archive: zipfile.ZipFile, key: str, header: Header) -> np.ndarray:
    """Real numbers in native byte order, of a member whose header was read and found good.

    Raises:
        CaseError: Not real numbers.
    """
    shape, dtype = header
    if dtype.kind not in "biuf":
        raise CaseError(f"{key}: expected real numbers, received {dtype}", shape=shape)
    with archive.open(packed_member(archive, key)) as file:
        # Inflated in large pieces: each is a turn of the interpreter, for which others may wait.
        pieces = io.BufferedReader(file, PIECE_BYTES)  # type: ignore[type-var]
        array = npy.read_array(pieces, allow_pickle=False)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def packed_member(archive: zipfile.ZipFile, key: str) -> zipfile.ZipInfo:
    """The member of a key, stored or deflated as numpy does it.

    Raises:
        CaseError: There is none, or it is packed otherwise.
    """
    info = find_member(archive, key)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise CaseError(
            f"{key}: expected stored or deflated, received compression {info.compress_type}"
        )
    return info


def read_object(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> object:
    """Plain values of a pickled object array.

    Raises:
        CaseError: Too large, not an object array, or more than plain values.
    """
    key = info.filename.removesuffix(".npy")
    if info.file_size > SMALL_MEMBER:
        raise CaseError(f"{key}: expected at most {SMALL_MEMBER} bytes, received {info.file_size}")
    with archive.open(info) as file:
        # Not archive.read, which unpacks whatever is there before it looks at the size.
        data = file.read(info.file_size)
    _, dtype, header_bytes = parse_header(key, io.BytesIO(data))
    if not dtype.hasobject:
        raise CaseError(f"{key}: expected a pickled dict, received an array of {dtype}")
    return load_restricted(data[header_bytes:])
