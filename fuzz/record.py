"""Counts that outlive the process that fuzzes."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

RECORD = struct.Struct("<3Q2d")


class Record:
    """Counts in a file that both processes see: executions, accepted, memory, seconds."""

    def __init__(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size != RECORD.size:
            path.write_bytes(bytes(RECORD.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), RECORD.size)

    def read(self) -> tuple[int, int, int, float, float]:
        """Executions, accepted, most bytes, most seconds, all seconds."""
        executions, accepted, memory, slowest, seconds = RECORD.unpack(self._map[:])
        return executions, accepted, memory, slowest, seconds

    def add(self, accepted: bool, memory: int, seconds: float) -> None:
        """One more execution."""
        count, read, most, slowest, total = self.read()
        self._map[:] = RECORD.pack(
            count + 1, read + accepted, max(most, memory), max(slowest, seconds), total + seconds
        )
