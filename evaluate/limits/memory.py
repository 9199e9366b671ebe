"""The planned peak memory of cases against the measured one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluate.limits.control_group import control_group
from evaluate.limits.process import Seen, predict_one
from evaluate.limits.volumes import Volume

LARGEST_ERROR = 0.25
SHAPES = (
    "64x96x96:uint8:2",
    "20x512x512:uint8:8",
    "200x512x512:uint8:16",
    "300x512x512:uint8:30",
    "150x400x400:float64:12",
    "500x512x512:int16:8",
    "8x3000x3000:uint8:4",
    "250x600x600:uint8:1:instance",
    "100x1024x1024:uint8:255",
    "600x1024x1024:uint8:30",
)


@dataclass(frozen=True)
class Measured:
    """One case: planned and measured peak in MiB."""

    volume: Volume
    planned: float
    seen: Seen

    @property
    def measured(self) -> float:
        """MiB."""
        return self.seen.peak / 2**20

    @property
    def good(self) -> bool:
        """Whether it ran and the plan was within LARGEST_ERROR of the measured peak."""
        close = abs(self.planned - self.measured) <= LARGEST_ERROR * self.measured
        return self.seen.status == 0 and close


def _limited(limit: int | None) -> AbstractContextManager[list[str]]:
    return nullcontext([]) if limit is None else control_group(memory=limit)


def measure(
    volumes: Iterable[Volume], options: Sequence[str], limit: int | None, folder: Path | None
) -> Iterable[Measured]:
    """Predict each volume in a process of its own.

    Args:
        volumes: What to predict.
        options: Of the run.
        limit: Bytes that the process may use, the files it reads and writes included; None: all.
        folder: Where cases are written; a temporary one if None.
    """
    with TemporaryDirectory(dir=folder) as work:
        for volume in volumes:
            inputs = Path(work) / "inputs"
            inputs.mkdir(exist_ok=True)
            volume.write(inputs / "case.npz")
            with _limited(limit) as within:
                seen = predict_one(inputs, Path(work) / "outputs", options, within=within)
            yield Measured(volume, seen.case.get("planned_memory_mb") or 0.0, seen)


def format_line(case: Measured) -> str:
    """One line of the table."""
    share = case.planned / case.measured
    verdict = "ok" if case.good else f"exit status {case.seen.status} {case.seen.message}"
    if case.seen.status == 0 and not case.good:
        verdict = "off"
    return (
        f"{case.volume!s:48} planned {case.planned:7.0f}  measured {case.measured:7.0f} MiB  "
        f"{share:5.2f}  {case.seen.seconds:6.1f} s  {verdict}"
    )
