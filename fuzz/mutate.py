"""Changes that random bytes seldom make: members of an npz, with checksums that are right."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable

Change = Callable[[bytes, int], bytes]
STORED = 0


def change_npz(data: bytes, most: int, seed: int, change: Change) -> bytes:
    """Change an npz: one member, packed again; sometimes the archive as it lies there.

    Args:
        data: The npz, or what is left of one.
        most: Longest result.
        seed: Decides what is done.
        change: Changes bytes at random.
    """
    choice = random.Random(seed)
    members = _members(data)
    if not members or choice.random() < 0.3:
        return change(data, most)
    name, content = choice.choice(members)
    room = max(most - len(data), 64) + len(content)
    if choice.random() < 0.5 and (start := content.find(b"\n") + 1):
        # What follows the header of the array: numbers, or a pickle.
        changed = content[:start] + change(content[start:], room)
    else:
        changed = change(content, room)
    members[members.index((name, content))] = (name, changed)
    packing = choice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)
    return file.getvalue() if file.tell() <= most else change(data, most)


def _members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents as far as they can be told; checksums are ignored."""
    members = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist()[:8]:
                start = info.header_offset + 30 + len(info.filename.encode())
                packed = data[start : start + info.compress_size]
                if info.compress_type != STORED:
                    packed = zlib.decompressobj(-15).decompress(packed, 2**16)
                members.append((info.filename, packed))
    except Exception:  # an input of earlier changes can be broken in any way
        return []
    return members
