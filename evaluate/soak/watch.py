"""What a process holds while it works, from /proc."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.2
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """One look.

    Attributes:
        seconds: Since the start of the watch.
        done: Outputs so far.
        cpu_seconds: Spent by the process, in all its threads.
        rss_mb: Resident memory.
        files: Open file descriptors.
        threads: Threads.
    """

    seconds: float
    done: int
    cpu_seconds: float
    rss_mb: float
    files: int
    threads: int


def watch(process: subprocess.Popen[bytes], outputs: Path) -> Iterator[Sample]:
    """Look every INTERVAL seconds until the process ends."""
    start = time.monotonic()
    while process.poll() is None:
        try:
            seen = look(process.pid)
        except (OSError, IndexError):  # it has just ended
            break
        yield Sample(time.monotonic() - start, count_outputs(outputs), *seen)
        time.sleep(INTERVAL)


def look(pid: int) -> tuple[float, float, int, int]:
    """CPU seconds, resident MB, open files and threads of a process.

    Raises:
        OSError: There is none.
        IndexError: It is ending.
    """
    folder = Path("/proc") / str(pid)
    # The second field is the name in parentheses, which may hold spaces.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    resident = int((folder / "statm").read_text().split()[1]) * PAGE_MB
    return cpu, resident, len(os.listdir(folder / "fd")), int(fields[17])


def count_outputs(folder: Path) -> int:
    """Finished ``*.npz`` of a folder; 0 where there is none."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return 0
    return sum(name.endswith(".npz") and not name.startswith(".") for name in names)


def leftovers(folders: Sequence[Path]) -> list[str]:
    """Temporary files: whatever starts with a dot."""
    return sorted(
        path.name for folder in folders for path in folder.rglob("*") if path.name.startswith(".")
    )
