"""Does prediction keep its time on a machine that is made slow?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluate.limits.control_group import control_group
from evaluate.limits.process import Seen, predict_one
from evaluate.limits.volumes import Volume


def _quota(cpus: float | None) -> AbstractContextManager[list[str]]:
    return nullcontext([]) if cpus is None else control_group(cpus=cpus)


def run_slowly(
    volume: Volume, cpus: float | None, seconds_per_class: float, options: Sequence[str]
) -> Seen:
    """Predict a volume in a process with so many CPUs (a quota); None: all."""
    with TemporaryDirectory() as work:
        inputs = Path(work) / "inputs"
        inputs.mkdir()
        volume.write(inputs / "case.npz")
        given = [*options, "--seconds-per-class", str(seconds_per_class)]
        with _quota(cpus) as within:
            return predict_one(inputs, Path(work) / "outputs", given, within=within)


def format_run(cpus: float | None, limit: float, seen: Seen) -> str:
    """One line."""
    quota = "no quota" if cpus is None else f"{cpus:g} CPUs"
    case = seen.case
    kept = len(case.get("coarse_only", ()))
    verdict = "in time" if seen.seconds <= limit else "LATE"
    return (
        f"{quota:10} {seen.seconds:7.1f} s of {limit:g} s, {verdict}; "
        f"{len(case.get('prompts', ()))} prompts, {kept} coarse only; exit status {seen.status}"
    )
