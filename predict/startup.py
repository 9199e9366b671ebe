"""Time from the start of the process to the first byte of work, by stage."""

from __future__ import annotations

import os
import time
from pathlib import Path


def process_age() -> float:
    """Seconds since this process was started, to 10 ms; 0 where there is no /proc to tell.

    A shell that became this process by ``exec`` counts.
    """
    try:
        # The second field is the name in parentheses, which may hold spaces.
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, ValueError, IndexError):
        return 0.0


class StartUp:
    """Stages of the start: ``process`` (shell and interpreter), then what :meth:`lap` names.

    Attributes:
        seconds: Time by stage.
    """

    def __init__(self, own_process: bool = True) -> None:
        """Begin.

        Args:
            own_process: The process was started for this; else what it did before does not count.
        """
        self._last = time.perf_counter()
        age = process_age() if own_process else 0.0
        self._start = self._last - age
        self.seconds = {"process": age}

    def lap(self, stage: str) -> None:
        """Close a stage."""
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now

    def total(self) -> float:
        """Seconds since the start of the process."""
        return time.perf_counter() - self._start
