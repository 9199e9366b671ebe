"""Archives made to deceive a reader of npz files: bombs, overlaps, odd names, odd packings."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import NamedTuple

import numpy as np

from fuzz.seeds import IMAGE, PROMPTS

Shape = tuple[int, ...]
LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
ENCRYPTED, DEFLATED = 1, 8


def npy(array: np.ndarray) -> bytes:
    """An array as numpy saves it."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def npy_header(shape: object, descr: str = "|u1") -> bytes:
    """The header of an array alone, whatever it declares."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    data = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(data)) + data


MEMBERS = {
    "imgs.npy": npy(IMAGE),
    "spacing.npy": npy(np.array([0.8, 0.8, 2.5])),
    "text_prompts.npy": npy(np.array(PROMPTS, dtype=object)),
}


class Entry(NamedTuple):
    """What a zip says of a member, and where its bytes lie; made up at will.

    Attributes:
        packed: The bytes in the file.
        size: Declared length after unpacking; None: that of ``packed``.
        crc: Declared checksum; None: that of ``packed``.
        method: Packing.
        flags: General purpose bits.
        at: Place of the local header; None: where this member was written.
        extra: Extra fields of the directory.
    """

    packed: bytes
    size: int | None = None
    crc: int | None = None
    method: int = 0
    flags: int = 0
    at: int | None = None
    extra: bytes = b""


def build_zip(entries: list[tuple[str, Entry]], *, count: int | None = None) -> bytes:
    """A zip file of entries that need not be true."""
    body, directory = bytearray(), bytearray()
    for name, entry in entries:
        encoded = name.encode()
        place = len(body) if entry.at is None else entry.at
        size = len(entry.packed) if entry.size is None else entry.size
        crc = zlib.crc32(entry.packed) if entry.crc is None else entry.crc
        shared = (20, entry.flags, entry.method, 0, 0, crc, len(entry.packed) & 0xFFFFFFFF, size)
        fields = struct.pack("<5H3I2H", *shared, len(encoded), len(entry.extra))
        if entry.at is None:
            head = struct.pack("<5H3I2H", *shared, len(encoded), 0)
            body += LOCAL + head + encoded + entry.packed
        directory += CENTRAL + b"\x14\x00" + fields
        directory += struct.pack("<3H2I", 0, 0, 0, 0, place) + encoded + entry.extra
    number = len(entries) if count is None else count
    lengths = struct.pack("<2I", len(directory), len(body))
    return bytes(
        body + directory + END + struct.pack("<4H", 0, 0, number, number) + lengths + b"\0\0"
    )


def _packed(data: bytes, size: int | None = None, crc: int | None = None) -> Entry:
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(data) + packer.flush()
    return Entry(
        packed,
        size=len(data) if size is None else size,
        crc=zlib.crc32(data) if crc is None else crc,
        method=DEFLATED,
    )


def _case(**changes: Entry | bytes | None) -> list[tuple[str, Entry]]:
    """The good case with members replaced, taken away (None) or added."""
    members: dict[str, bytes | Entry | None] = {**MEMBERS}
    members.update({f"{key}.npy": value for key, value in changes.items()})
    return [
        (name, value if isinstance(value, Entry) else Entry(value))
        for name, value in members.items()
        if value is not None
    ]


def good_npz() -> bytes:
    """What the others deviate from."""
    return build_zip(_case())


def bombs(unpacked: int) -> dict[str, bytes]:
    """Archives that unpack to far more than they say, or say that they do."""
    zeros = bytes(unpacked)
    prompts, header = MEMBERS["text_prompts.npy"], npy_header((2, 3, 4))
    return {
        "prompts that go on": build_zip(
            _case(text_prompts=_packed(prompts + zeros, size=len(prompts), crc=zlib.crc32(prompts)))
        ),
        "image that goes on": build_zip(_case(imgs=_packed(header + zeros, size=len(header) + 24))),
        "header that goes on": build_zip(
            _case(imgs=_packed(b"\x93NUMPY\x02\0\xff\xff\xff\x7f" + zeros))
        ),
        "spacing of many numbers": build_zip(
            _case(spacing=_packed(npy_header((len(zeros) // 8,), "<f8") + zeros))
        ),
        "prompts that are long": build_zip(_case(text_prompts=_packed(prompts + zeros))),
    }


def _overlapping() -> bytes:
    """Two hundred members over the same bytes: a bomb for whoever unpacks them all."""
    imgs = _packed(npy_header((64, 64, 64)) + bytes(64**3))
    again = [(f"more{n}.npy", imgs._replace(at=0)) for n in range(200)]
    return build_zip([("imgs.npy", imgs), *again, *_case(imgs=None)])


def _named(*names: str) -> bytes:
    return build_zip([*_case(), *((name, Entry(MEMBERS["imgs.npy"])) for name in names)])


def _duplicated(first: bytes, last: bytes) -> bytes:
    return build_zip([("imgs.npy", Entry(first)), *_case(imgs=last)])


def _zip64(size: int) -> bytes:
    extra = struct.pack("<2HQ", 1, 8, size)
    entry = Entry(MEMBERS["imgs.npy"], size=0xFFFFFFFF, extra=extra)
    return build_zip(_case(imgs=entry))


def _other_packing(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in MEMBERS.items():
            archive.writestr(name, data)
    return file.getvalue()


def refused_archives() -> dict[str, bytes]:
    """Archives that hold no case that may be read."""
    imgs = MEMBERS["imgs.npy"]
    shapes: dict[str, object] = {
        "a shape beyond memory": (10**6, 10**6, 10**6),
        "a shape that overflows 64 bits": (2**32, 2**32, 2**32),
        "a shape hidden by an empty axis": (0, 2**40, 2**40),
        "a negative shape": (-2, -3, 4),
        "a shape of 2000 axes": (1,) * 2000,
        "a shape that is no number": ("x", 2, 3),
        "a shape of truth": (True, 2, 3),
        "a shape of 5000 digits": f"({'9' * 5000}, 1, 1)",
        "a shape that is a call": "__import__('os').getcwd()",
        "a shape nested without end": "(" * 3000 + ")" * 3000,
    }
    declared = {
        f"{name} is declared": build_zip(_case(imgs=npy_header(shape) + bytes(24)))
        for name, shape in shapes.items()
    }
    types = {
        f"the type {descr} is declared": build_zip(
            _case(imgs=npy_header((2, 3, 4), descr) + bytes(24))
        )
        for descr in (
            "|O",
            "|V2147483647",
            "<c8",
            "<M8[ns]",
            "|S1",
            "i4,O",
            "no type",
            "<f8" * 3000,
        )
    }
    return {
        **declared,
        **types,
        "encrypted": build_zip(_case(imgs=Entry(imgs, flags=ENCRYPTED))),
        "strongly encrypted": build_zip(_case(imgs=Entry(imgs, flags=ENCRYPTED | 64))),
        "patched data": build_zip(_case(imgs=Entry(imgs, flags=32))),
        "packed by bzip2": _other_packing(zipfile.ZIP_BZIP2),
        "packed by LZMA": _other_packing(zipfile.ZIP_LZMA),
        "unknown packing": build_zip(_case(imgs=Entry(imgs, method=99))),
        "wrong checksum": build_zip(_case(imgs=Entry(imgs, crc=1))),
        "no deflated data": build_zip(_case(imgs=Entry(b"\xff" * 40, size=152, method=DEFLATED))),
        "member beyond the file": build_zip(_case(imgs=Entry(imgs, at=2**31))),
        "member in the directory": build_zip(_case(imgs=Entry(imgs, at=700))),
        "zip64 size beyond memory": _zip64(2**60),
        "zip64 size of -1": _zip64(2**64 - 1),
        "zip64 field cut off": build_zip(
            _case(imgs=Entry(imgs, size=0xFFFFFFFF, extra=struct.pack("<2HI", 1, 4, 1)))
        ),
        "no members": build_zip([]),
        "only names that are paths": build_zip(
            [(f"../{name}", Entry(data)) for name, data in MEMBERS.items()]
        ),
        "no image": build_zip(_case(imgs=None)),
        "no prompts": build_zip(_case(text_prompts=None)),
        "last of two images is broken": _duplicated(imgs, b"broken"),
        "a directory of 300,000 members": _many_members(300_000),
    }


def readable_archives() -> dict[str, bytes]:
    """Archives that are odd, and harmless: the case is read, the rest is not touched."""
    imgs = MEMBERS["imgs.npy"]
    return {
        "overlapping members": _overlapping(),
        "names that are paths": _named("../../etc/cron.d/x", "/etc/passwd", "C:\\x", "a\\..\\b"),
        "names of controls": _named("a\nb.npy", "\x1b[2J.npy", "\u202egpj.npy"),
        "a name of 60,000 letters": _named("x" * 60_000),
        "first of two images is broken": _duplicated(b"broken", imgs),
        "zip64 size that is true": _zip64(len(imgs)),
        "a count of members that is wrong": build_zip(_case(), count=9),
        "a comment and something in front": b"#!/bin/sh\n" + good_npz()[:-2] + b"\x05\0hello",
        "a spacing that is damaged": build_zip(_case(spacing=Entry(b"broken", crc=1))),
        "a spacing that is pickled": build_zip(_case(spacing=npy(np.array({}, dtype=object)))),
    }


def _many_members(count: int) -> bytes:
    entry = CENTRAL + b"\x14\x00" + bytes(42 - 2)
    directory = entry * count
    end = struct.pack("<4H2I", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0)
    return directory + END + end + b"\0\0"


def every_truncation(data: bytes) -> list[bytes]:
    """The file cut off after each of its bytes but the last."""
    return [data[:length] for length in range(len(data))]


def every_lie(data: bytes) -> list[bytes]:
    """The file with each of its bytes replaced in turn, by zero and by ones."""
    return [
        data[:place] + value + data[place + 1 :]
        for place in range(len(data))
        for value in (b"\0", b"\xff")
    ]
