"""What happened to each case, for people and machines."""

from __future__ import annotations

import json
import platform
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from predict.atomic import replacing
from predict.startup import StartUp

NAME = "report.json"


@dataclass(frozen=True)
class PromptReport:
    """Voxels found for one prompt, 0 means not found, and their volume where that was asked for;
    probability that its target is there.
    """

    class_id: int
    text: str
    voxels: int
    presence: float | None = None
    volume_mm3: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; ``found`` is the voxel count or the words "not found"."""
        values: dict[str, Any] = {
            "id": self.class_id,
            "text": self.text,
            "found": self.voxels or "not found",
        }
        if self.volume_mm3 is not None:
            values["volume_mm3"] = round(self.volume_mm3, 3)
        return values if self.presence is None else {**values, "presence": round(self.presence, 4)}


@dataclass
class CaseReport:
    """One case.

    Attributes:
        status: ``ok``, ``partial`` (some prompts could not be used), ``failed`` or ``skipped``.
        errors: Why it is partial or failed, one line each.
        preview: The picture drawn, if any.
        files: What else was written, where that is more than the one mask.
        seconds: Time by stage.
        time_limit: Seconds that the case might take; None for no limit.
        coarse_only: Ids of the prompts that were not refined for want of time or memory.
        planned_memory_mb: Most memory that it was expected to take, with what the process held.
        peak_memory_mb: Most memory the process had held when the case ended.
        input_sha256: Of the file that was read; None where it could not be.
        output_sha256: Of the file that was written; None where there is none.
    """

    case: str
    status: str = "failed"
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    prompts: list[PromptReport] = field(default_factory=list)
    instances: int | None = None
    dropped_instances: int = 0
    preview: str | None = None
    files: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    time_limit: float | None = None
    coarse_only: list[int] = field(default_factory=list)
    planned_memory_mb: float | None = None
    peak_memory_mb: float = 0.0
    input_sha256: str | None = None
    output_sha256: str | None = None

    @property
    def good(self) -> bool:
        """Whether everything asked for was done."""
        return self.status in ("ok", "skipped")

    def lap(self, stage: str, start: float) -> None:
        """Note the seconds since ``start`` (of time.perf_counter) for a stage."""
        self.seconds[stage] = time.perf_counter() - start

    def fail(self, reason: str) -> None:
        """Mark the case as failed for a one-line reason."""
        self.status = "failed"
        self.errors.insert(0, reason)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        values = asdict(self)
        values["prompts"] = [prompt.to_dict() for prompt in self.prompts]
        values["seconds"] = {k: round(v, 4) for k, v in self.seconds.items()}
        return values


def write_report(
    folder: Path,
    cases: Sequence[CaseReport],
    *,
    device: torch.device,
    precision: torch.dtype,
    bundle: str,
    bundle_sha256: str,
    startup: StartUp,
    name: str = NAME,
    more: Mapping[str, object] | None = None,
) -> Path:
    """Write FOLDER/NAME, replacing an earlier one at once, and return its path.

    Its ``seconds`` are those since the start of the process; ``startup`` is the part of them before
    the first case, by stage. ``more`` is what else is to be said of the run, ready for JSON.
    """
    values = {
        "bundle": bundle,
        "bundle_sha256": bundle_sha256,
        "device": device_name(device),
        "precision": str(precision).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "versions": versions(device),
        "seconds": round(startup.total(), 4),
        "startup": {stage: round(value, 4) for stage, value in startup.seconds.items()},
        **(more or {}),
        "cases": [case.to_dict() for case in cases],
    }
    return save_report(folder / name, values)


def save_report(path: Path, values: Mapping[str, object]) -> Path:
    """Write a report's values as JSON, replacing an earlier one at once, and return its path."""
    with replacing(path) as partial:
        text = json.dumps(values, indent=1, ensure_ascii=False)
        partial.write_text(text + "\n", encoding="utf-8")
    return path


def versions(device: torch.device) -> dict[str, str]:
    """What computes: interpreter and libraries, on a GPU also CUDA and cuDNN."""
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    if device.type == "cuda":
        found |= {
            "cuda": str(torch.version.cuda),
            "cudnn": str(cudnn_version()),
        }
    return found


def cudnn_version() -> int | None:
    """Of the cuDNN in use; None without one."""
    version: int | None = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return version


def device_name(device: torch.device) -> str:
    """``cpu``, or the GPU's own name."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / 1024 if platform.system() == "Linux" else peak / 2**20, 1)


def format_table(cases: Sequence[CaseReport]) -> str:
    """A table to read: one line per prompt, problems below their case.

    Whatever an unknown sender put into names and prompts, it cannot steer the terminal.
    """
    rows = [("CASE", "PROMPT", "FOUND", "SECONDS")]
    for case in cases:
        seconds = f"{case.seconds['total']:.1f}" if "total" in case.seconds else ""
        first = (case.case, f"[{case.status}]", "", seconds)
        rows.append(first)
        for prompt in case.prompts:
            found = f"{prompt.voxels} voxels" if prompt.voxels else "not found"
            if prompt.voxels and prompt.volume_mm3 is not None:
                found += f", {prompt.volume_mm3 / 1000:.3g} ml"
            rows.append(("", f"{prompt.class_id}: {prompt.text}", found, ""))
        if case.instances is not None:
            rows.append(("", "instances", str(case.instances - case.dropped_instances), ""))
        rows += [("", f"! {line}", "", "") for line in (*case.errors, *case.warnings)]
        if case.preview:
            rows.append(("", f"picture: {case.preview}", "", ""))
    rows = [(_printable(a), _printable(b), c, d) for a, b, c, d in rows]
    widths = [min(60, max(len(row[i]) for row in rows)) for i in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _printable(cell: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in cell)
