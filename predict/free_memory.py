"""Memory that this process may still take without being killed, refused or swapped out.

The machine, the control groups (v1 and v2) around the process and its own limits each have a say;
the least of them counts. Swap counts as none: a case that needs it would take hours.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

UNLIMITED_BYTES = 2**60  # control groups v1 say "no limit" with a number near 2**63

USABLE_SPACE = 0.75  # allocators reserve more address space than they hand out


class FreeMemory(NamedTuple):
    """Bytes, and what they are limited by, in words."""

    bytes: int
    limited_by: str


def free_memory(root: Path = Path("/")) -> FreeMemory:
    """The least of what the limits leave.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    return min(_rooms(root), key=lambda room: room.bytes)


def held_memory(root: Path = Path("/")) -> int:
    """Bytes of this process in memory now; 0 where there is no /proc to tell."""
    return _own_pages(root)[1]


def _rooms(root: Path) -> Iterator[FreeMemory]:
    yield FreeMemory(_machine(root), "the machine")
    for folder in _control_groups(root):
        room = _group_room(folder)
        if room is not None:
            yield FreeMemory(max(0, room), "the control group")
    space, _, data = _own_pages(root)
    for kind, used in ((resource.RLIMIT_AS, space), (resource.RLIMIT_DATA, data)):
        limit = resource.getrlimit(kind)[0]
        if limit != resource.RLIM_INFINITY:
            room = int((limit - used) * USABLE_SPACE)
            yield FreeMemory(max(0, room), "the process's limit (ulimit)")


def _machine(root: Path) -> int:
    """What the kernel says can be had without swapping; half of everything if it is silent."""
    try:
        for line in (root / "proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _control_groups(root: Path) -> Iterator[Path]:
    """Folders of the process's memory control groups, innermost first, as far as they are seen."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        own = PurePosixPath(path.lstrip("/"))
        for group in (own, *own.parents) if own.parts else (own,):
            yield mount / group


def _group_room(folder: Path) -> int | None:
    """Bytes that one control group leaves; None without a limit. Cached files can be dropped."""
    v2 = (folder / "memory.current").exists()
    names = ("memory.max", "memory.high") if v2 else ("memory.limit_in_bytes",)
    limits = [limit for name in names if (limit := _number(folder / name)) is not None]
    used = _number(folder / ("memory.current" if v2 else "memory.usage_in_bytes"))
    if used is None or not limits or min(limits) >= UNLIMITED_BYTES:
        return None
    prefix = "" if v2 else "total_"
    files = _statistics(folder / "memory.stat")
    cached = files.get(f"{prefix}inactive_file", 0) + files.get(f"{prefix}active_file", 0) // 2
    return min(limits) - used + cached


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # not there, or the word "max"
        return None


def _statistics(path: Path) -> dict[str, int]:
    try:
        pairs = (line.split() for line in path.read_text().splitlines())
        return {key: int(value) for key, value in pairs}
    except (OSError, ValueError):
        return {}


def _own_pages(root: Path) -> tuple[int, int, int]:
    """Bytes of address space, of memory in use, and of data of this process."""
    try:
        pages = [int(n) for n in (root / "proc/self/statm").read_text().split()]
    except (OSError, ValueError):
        return 0, 0, 0
    size = os.sysconf("SC_PAGE_SIZE")
    return pages[0] * size, pages[1] * size, pages[5] * size
