"""The voxels behind a text header, as NRRD and MetaImage store them."""

from __future__ import annotations

import bz2
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from predict.errors import CaseError

CHUNK = 2**20
EITHER_HEADER = 47  # zlib's word for: gzip or zlib, find out
Shape = tuple[int, int, int]


def read_block(
    path: Path, start: int, packing: str, shape: Shape, dtype: np.dtype[np.generic]
) -> np.ndarray:
    """Read voxels; never more is unpacked than the shape needs.

    Args:
        path: The file that holds them.
        start: Its bytes to skip; negative: the voxels are its end.
        packing: ``raw``, ``zlib`` (gzip too) or ``bzip2``.
        shape: (D, H, W).
        dtype: With its byte order.

    Returns:
        The voxels in native byte order.

    Raises:
        CaseError: Too few bytes, or damaged ones.
    """
    if not path.is_file():
        raise CaseError(f"expected a file of voxels at {path.name!r}, received none")
    if start > path.stat().st_size:
        raise CaseError("not readable (the voxels are said to begin behind the end of the file)")
    wanted = int(np.prod(shape)) * dtype.itemsize
    with path.open("rb") as file:
        if start < 0:
            file.seek(0, 2)
            start = file.tell() - wanted
        file.seek(max(start, 0))
        data = _read(file, wanted) if packing == "raw" else _unpack(file, packing, wanted)
    if len(data) < wanted:
        raise CaseError(f"not readable (expected {wanted} bytes of voxels, received {len(data)})")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def pack(array: np.ndarray) -> bytes:
    """Little-endian voxels, packed by zlib."""
    packer = zlib.compressobj(6)
    order = array.dtype.newbyteorder("<")
    parts = [packer.compress(np.ascontiguousarray(plane, order).tobytes()) for plane in array]
    return b"".join([*parts, packer.flush()])


def _read(file: IO[bytes], wanted: int) -> bytearray:
    data = bytearray()
    while len(data) < wanted and (chunk := file.read(min(CHUNK, wanted - len(data)))):
        data += chunk
    return data


def _unpack(file: IO[bytes], packing: str, wanted: int) -> bytearray:
    data = bytearray()
    unpacker = bz2.BZ2Decompressor() if packing == "bzip2" else zlib.decompressobj(EITHER_HEADER)
    try:
        rest = b""
        while len(data) < wanted and not unpacker.eof:
            if not rest and not (rest := file.read(CHUNK)):
                break
            data += unpacker.decompress(rest, wanted - len(data))
            rest = b"" if isinstance(unpacker, bz2.BZ2Decompressor) else unpacker.unconsumed_tail
            if isinstance(unpacker, bz2.BZ2Decompressor):
                while not unpacker.needs_input and not unpacker.eof and len(data) < wanted:
                    data += unpacker.decompress(b"", wanted - len(data))
    except (OSError, zlib.error) as error:
        raise CaseError(f"not readable ({error})") from error
    return data
