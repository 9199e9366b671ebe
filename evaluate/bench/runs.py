"""Runs of the same process, and what is typical of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, kw_only=True)
class Run:
    """One process.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Of all threads.
        peak_memory_mb: Largest resident size.
        stages: Seconds by stage; empty for code that writes no report.
        start: Seconds until the first byte of work.
        slowest: Sum over the cases of the slowest of reading, computing and writing.
    """

    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    stages: Mapping[str, float]
    start: float = 0.0
    slowest: float = 0.0


@dataclass(frozen=True)
class Series:
    """Equal runs."""

    runs: Sequence[Run]

    @property
    def seconds(self) -> float:
        """Median wall time."""
        return median(run.seconds for run in self.runs)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and most wall time."""
        return min(run.seconds for run in self.runs), max(run.seconds for run in self.runs)

    @property
    def peak_memory_mb(self) -> float:
        """Most memory of any run."""
        return max(run.peak_memory_mb for run in self.runs)

    @property
    def cpu_seconds(self) -> float:
        """Median CPU time."""
        return median(run.cpu_seconds for run in self.runs)

    @property
    def start(self) -> float:
        """Median seconds until the first byte of work."""
        return median(run.start for run in self.runs)

    @property
    def folder_ratio(self) -> float:
        """Median of the time after the start over the cases' slowest stages."""
        return median((run.seconds - run.start) / run.slowest for run in self.runs)

    def stages(self) -> dict[str, list[float]]:
        """Seconds by stage of every run, in the order of the first one."""
        names = dict.fromkeys(name for run in self.runs for name in run.stages)
        return {name: [run.stages.get(name, 0.0) for run in self.runs] for name in names}
